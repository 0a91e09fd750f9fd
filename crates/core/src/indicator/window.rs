// SPDX-License-Identifier: Apache-2.0
//! The windows under the indicators: a ring of the last n values, compensated sums, moments by
//! Welford's add and remove, and extremes by a monotonic queue. All O(1) a push. A running figure
//! forgets rounding in two ways: it is recomputed from its window every 2^16 pushes, and at once
//! when it has fallen a thousandfold below its peak, because then its leading digits are gone.

use std::collections::VecDeque;

use super::state::{damaged, Reader, State};
use crate::error::Result;

/// Pushes between two exact recomputations.
const RENEW_EVERY: u64 = 1 << 16;

/// A figure below this share of its peak has lost about ten of its 53 bits.
const CANCELLED: f64 = 1.0 / 1024.0;

/// The last n values.
#[derive(Debug, Clone)]
pub(super) struct Ring {
    values: Vec<f64>,
    next: usize,
    count: usize,
}

impl Ring {
    pub(super) fn new(capacity: usize) -> Self {
        Self { values: vec![0.0; capacity], next: 0, count: 0 }
    }

    /// Store a value; the one that leaves a full window comes back.
    #[inline(always)]
    pub(super) fn push(&mut self, value: f64) -> Option<f64> {
        let leaving = std::mem::replace(&mut self.values[self.next], value);
        self.next += 1;
        if self.next == self.values.len() {
            self.next = 0;
        }
        if self.count == self.values.len() {
            return Some(leaving);
        }
        self.count += 1;
        None
    }

    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.count == self.values.len()
    }

    pub(super) fn capacity(&self) -> usize {
        self.values.len()
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Values from oldest to newest.
    pub(super) fn iter(&self) -> impl Iterator<Item = f64> + '_ {
        let (newer, older) = self.values.split_at(self.next);
        let older = if self.is_full() { older } else { &[] };
        older.iter().chain(newer).copied()
    }
}

impl State for Ring {
    fn save(&self, to: &mut Vec<u8>) {
        for number in [self.values.len(), self.next, self.count] {
            (number as u64).save(to);
        }
        self.values.iter().for_each(|value| value.save(to));
    }

    fn load(&mut self, from: &mut Reader<'_>) -> Result<()> {
        from.expect_equal("period", self.values.len() as u64)?;
        let (mut next, mut count) = (0_u64, 0_u64);
        next.load(from)?;
        count.load(from)?;
        let capacity = self.values.len() as u64;
        if next >= capacity || count > capacity || (count < capacity && next != count) {
            return Err(damaged("a window's position is outside it"));
        }
        (self.next, self.count) = (next as usize, count as usize);
        self.values.iter_mut().try_for_each(|value| value.load(from))
    }
}

/// A sum that carries what rounding dropped (Neumaier's sum, by Knuth's branch-free two-sum).
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sum {
    high: f64,
    low: f64,
}

impl Sum {
    #[inline]
    pub(super) fn add(&mut self, value: f64) {
        let total = self.high + value;
        let part = total - self.high;
        self.low += (self.high - (total - part)) + (value - part);
        self.high = total;
    }

    #[inline]
    pub(super) fn value(&self) -> f64 {
        self.high + self.low
    }

    pub(super) fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut sum = Self::default();
        values.for_each(|value| sum.add(value));
        sum
    }
}

state!(Sum, fixed {}, moving { high, low });

/// Says when a running figure has to be recomputed.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Drift {
    peak: f64,
    age: u64,
}

impl Drift {
    #[inline(always)]
    pub(super) fn is_due(&mut self, magnitude: f64) -> bool {
        self.age += 1;
        if magnitude > self.peak {
            self.peak = magnitude;
        }
        magnitude < self.peak * CANCELLED || self.age >= RENEW_EVERY
    }

    pub(super) fn renew(&mut self, magnitude: f64) {
        *self = Self { peak: magnitude, age: 0 };
    }
}

state!(Drift, fixed {}, moving { peak, age });

/// Sum of the last n values.
#[derive(Debug, Clone)]
pub struct RollingSum {
    ring: Ring,
    sum: Sum,
    drift: Drift,
}

impl RollingSum {
    /// A window of `period` values.
    #[must_use]
    pub fn new(period: usize) -> Self {
        Self { ring: Ring::new(period.max(1)), sum: Sum::default(), drift: Drift::default() }
    }

    /// Take a value; the sum once the window is full.
    #[inline]
    pub fn push(&mut self, value: f64) -> Option<f64> {
        let leaving = self.ring.push(value);
        self.sum.add(value);
        if let Some(leaving) = leaving {
            self.sum.add(-leaving);
        }
        if self.drift.is_due(self.sum.value().abs()) {
            self.sum = Sum::of(self.ring.iter());
            self.drift.renew(self.sum.value().abs());
        }
        self.ring.is_full().then(|| self.sum.value())
    }

    /// Length of the window.
    pub(super) fn period(&self) -> u64 {
        self.ring.capacity() as u64
    }

    /// The window's values, oldest first.
    pub(super) fn values(&self) -> impl Iterator<Item = f64> + '_ {
        self.ring.iter()
    }
}

state!(RollingSum, fixed {}, moving { ring, sum, drift });

/// Mean and sum of squared deviations of the last n values.
///
/// Deviations are taken from an anchor near the window, so that a price of 10^7 with a spread of
/// 0.1 keeps its digits. A mean that has wandered a thousand spreads away gets a new anchor.
#[derive(Debug, Clone)]
pub struct WindowMoments {
    ring: Ring,
    share: f64,
    anchor: f64,
    offset: f64,
    squares: f64,
    drift: Drift,
}

impl WindowMoments {
    /// A window of `period` values.
    #[must_use]
    pub fn new(period: usize) -> Self {
        let period = period.max(1);
        Self {
            ring: Ring::new(period),
            share: 1.0 / period as f64,
            anchor: 0.0,
            offset: 0.0,
            squares: 0.0,
            drift: Drift::default(),
        }
    }

    /// Take a value; whether the window is full.
    #[inline(always)]
    pub fn push(&mut self, value: f64) -> bool {
        let Some(leaving) = self.ring.push(value) else {
            return self.fill();
        };
        let (entered, left) = (value - self.anchor, leaving - self.anchor);
        let change = value - leaving;
        let before = self.offset;
        self.offset += change * self.share;
        self.squares += change * ((entered - self.offset) + (left - before));
        let is_far = self.offset * self.offset * (CANCELLED * CANCELLED) > self.squares;
        if self.drift.is_due(self.squares) || is_far {
            self.renew();
        }
        true
    }

    /// Mean of a full window.
    #[inline]
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.anchor + self.offset
    }

    /// Variance of a full window with `divisor` n for the population, n - 1 for a sample.
    #[inline]
    #[must_use]
    pub fn variance(&self, divisor: f64) -> f64 {
        self.squares / divisor
    }

    /// Population standard deviation of a full window.
    #[inline]
    #[must_use]
    pub fn deviation(&self) -> f64 {
        (self.squares * self.share).sqrt()
    }

    /// Window length.
    #[must_use]
    pub fn period(&self) -> usize {
        self.ring.capacity()
    }

    #[cold]
    fn fill(&mut self) -> bool {
        if self.ring.is_full() {
            self.renew();
        }
        self.ring.is_full()
    }

    /// Two passes over the window, the second corrected for the rounding of the first's mean.
    #[cold]
    fn renew(&mut self) {
        self.anchor = self.ring.iter().next().unwrap_or(0.0);
        self.offset = Sum::of(self.ring.iter().map(|value| value - self.anchor)).value();
        self.offset /= self.ring.len() as f64;
        let (mut rest, mut squares) = (Sum::default(), Sum::default());
        for value in self.ring.iter() {
            let deviation = (value - self.anchor) - self.offset;
            rest.add(deviation);
            squares.add(deviation * deviation);
        }
        let correction = rest.value() * rest.value() / self.ring.len() as f64;
        self.squares = (squares.value() - correction).max(0.0);
        self.drift.renew(self.squares);
    }
}

state!(WindowMoments, fixed {}, moving { ring, anchor, offset, squares, drift });

/// Plain and linearly weighted sum of the last n values; the newest weighs n, the oldest 1.
#[derive(Debug, Clone)]
pub(super) struct WeightedWindow {
    ring: Ring,
    plain: Sum,
    weighted: Sum,
    drift: Drift,
}

impl WeightedWindow {
    pub(super) fn new(period: usize) -> Self {
        let (plain, weighted) = (Sum::default(), Sum::default());
        Self { ring: Ring::new(period), plain, weighted, drift: Drift::default() }
    }

    /// Take a value; (plain, weighted) once the window is full.
    #[inline]
    pub(super) fn push(&mut self, value: f64) -> Option<(f64, f64)> {
        let Some(leaving) = self.ring.push(value) else {
            return self.fill();
        };
        self.weighted.add(self.ring.capacity() as f64 * value);
        self.weighted.add(-self.plain.high);
        self.weighted.add(-self.plain.low);
        self.plain.add(value);
        self.plain.add(-leaving);
        if self.drift.is_due(self.weighted.value().abs()) {
            self.renew();
        }
        Some((self.plain.value(), self.weighted.value()))
    }

    pub(super) fn period(&self) -> usize {
        self.ring.capacity()
    }

    #[cold]
    fn fill(&mut self) -> Option<(f64, f64)> {
        self.ring.is_full().then(|| {
            self.renew();
            (self.plain.value(), self.weighted.value())
        })
    }

    #[cold]
    fn renew(&mut self) {
        self.plain = Sum::of(self.ring.iter());
        self.weighted =
            Sum::of(self.ring.iter().enumerate().map(|(at, value)| (at + 1) as f64 * value));
        self.drift.renew(self.weighted.value().abs());
    }
}

state!(WeightedWindow, fixed {}, moving { ring, plain, weighted, drift });

/// Largest (`MAX`) or smallest of the last n values; of equal ones the newest.
#[derive(Debug, Clone)]
pub(super) struct Extreme<const MAX: bool> {
    period: u64,
    seen: u64,
    queue: VecDeque<(u64, f64)>,
}

impl<const MAX: bool> Extreme<MAX> {
    pub(super) fn new(period: usize) -> Self {
        Self { period: period as u64, seen: 0, queue: VecDeque::with_capacity(period) }
    }

    /// Take a value; the extreme once the window is full.
    #[inline]
    pub(super) fn push(&mut self, value: f64) -> Option<f64> {
        if self.queue.front().is_some_and(|(at, _)| at + self.period <= self.seen) {
            self.queue.pop_front();
        }
        while self.queue.back().is_some_and(
            |(_, last)| {
                if MAX {
                    *last <= value
                } else {
                    *last >= value
                }
            },
        ) {
            self.queue.pop_back();
        }
        self.queue.push_back((self.seen, value));
        self.seen += 1;
        self.queue.front().filter(|_| self.seen >= self.period).map(|(_, value)| *value)
    }

    /// How many pushes ago the extreme came in.
    #[inline]
    pub(super) fn age(&self) -> u64 {
        self.queue.front().map_or(0, |(at, _)| self.seen - 1 - at)
    }

    pub(super) fn period(&self) -> u64 {
        self.period
    }
}

impl<const MAX: bool> State for Extreme<MAX> {
    fn save(&self, to: &mut Vec<u8>) {
        self.period.save(to);
        self.seen.save(to);
        (self.queue.len() as u64).save(to);
        self.queue.iter().for_each(|entry| entry.save(to));
    }

    fn load(&mut self, from: &mut Reader<'_>) -> Result<()> {
        from.expect_equal("period", self.period)?;
        self.seen.load(from)?;
        let mut length = 0_u64;
        length.load(from)?;
        if length > self.period {
            return Err(damaged("a window is too long"));
        }
        self.queue.clear();
        for _ in 0..length {
            let mut entry = (0_u64, 0.0_f64);
            entry.load(from)?;
            self.queue.push_back(entry);
        }
        let in_order = self.queue.iter().zip(self.queue.iter().skip(1)).all(|(a, b)| a.0 < b.0);
        let newest = self.queue.back().map(|(at, _)| *at);
        if in_order && newest == self.seen.checked_sub(1) {
            return Ok(());
        }
        Err(damaged("a window's entries are out of order"))
    }
}
