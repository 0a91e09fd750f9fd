// SPDX-License-Identifier: Apache-2.0
//! State of the windowed operations of a bank, run over a block at a time. The arithmetic is that
//! of the project's indicators. What is not finite is not taken: the state stays and the answer is
//! NaN.

use super::bank::{Rows, BLOCK};
use super::extreme::Extreme;
use super::gene::Kind;
use crate::error::Result;
use crate::indicator::abreast::{Abreast, LANES};
use crate::indicator::{Atr, Ema, RollingStd, RollingSum, Rsi, Sma, ZScore};

/// The last n values.
#[derive(Debug, Clone)]
struct Past {
    values: Vec<f64>,
    next: usize,
}

impl Past {
    fn new(window: usize) -> Self {
        Self { values: vec![f64::NAN; window], next: 0 }
    }

    /// Take a value; the one so many before it, NaN while there is none.
    #[inline(always)]
    fn push(&mut self, value: f64) -> f64 {
        let before = std::mem::replace(&mut self.values[self.next], value);
        self.next += 1;
        if self.next == self.values.len() {
            self.next = 0;
        }
        before
    }
}

/// Where bars close in their range, weighted by volume, and the volume.
#[derive(Debug, Clone)]
struct Flow {
    signed: RollingSum,
    whole: RollingSum,
}

impl Flow {
    fn new(window: usize) -> Self {
        Self { signed: RollingSum::new(window), whole: RollingSum::new(window) }
    }

    #[inline(always)]
    fn push(&mut self, [high, low, close, volume]: [f64; 4]) -> f64 {
        let range = high - low;
        let place = if range > 0.0 { (close - low - (high - close)) / range } else { 0.0 };
        match (self.signed.push(place * volume), self.whole.push(volume)) {
            (Some(signed), Some(whole)) if whole > 0.0 => signed / whole,
            _ => f64::NAN,
        }
    }
}

/// Indicators of one kind.
#[derive(Debug, Clone)]
enum Members {
    Sma(Vec<Sma>),
    Ema(Vec<Ema>),
    Rsi(Vec<Rsi>),
    Std(Vec<RollingStd>),
    ZScore(Vec<ZScore>),
    Lowest(Vec<Extreme<false>>),
    Highest(Vec<Extreme<true>>),
    Change(Vec<Past>),
    Lag(Vec<Past>),
    Atr(Vec<Atr>),
    Flow(Vec<Flow>),
}

/// Windows of one kind over one operand, or over bars, and their values in the last block.
#[derive(Debug, Clone)]
pub(super) struct Team {
    of: Option<usize>,
    members: Members,
    values: Vec<[f64; BLOCK]>,
}

impl Team {
    /// A team over an operand, or over bars.
    pub(super) const fn new(kind: Kind, of: Option<usize>) -> Self {
        let members = match kind {
            Kind::Sma => Members::Sma(Vec::new()),
            Kind::Ema => Members::Ema(Vec::new()),
            Kind::Rsi => Members::Rsi(Vec::new()),
            Kind::Std => Members::Std(Vec::new()),
            Kind::ZScore => Members::ZScore(Vec::new()),
            Kind::Lowest => Members::Lowest(Vec::new()),
            Kind::Highest => Members::Highest(Vec::new()),
            Kind::Change => Members::Change(Vec::new()),
            Kind::Lag => Members::Lag(Vec::new()),
            Kind::Atr => Members::Atr(Vec::new()),
            Kind::Flow => Members::Flow(Vec::new()),
        };
        Self { of, members, values: Vec::new() }
    }

    /// One window more; its place.
    pub(super) fn join(&mut self, window: usize) -> Result<usize> {
        let place = match &mut self.members {
            Members::Sma(all) => join(all, Sma::new(window)?),
            Members::Ema(all) => join(all, Ema::new(window)?),
            Members::Rsi(all) => join(all, Rsi::new(window)?),
            Members::Std(all) => join(all, RollingStd::new(window, 0)?),
            Members::ZScore(all) => join(all, ZScore::new(window)?),
            Members::Lowest(all) => join(all, Extreme::new(window)),
            Members::Highest(all) => join(all, Extreme::new(window)),
            Members::Change(all) | Members::Lag(all) => join(all, Past::new(window)),
            Members::Atr(all) => join(all, Atr::new(window)?),
            Members::Flow(all) => join(all, Flow::new(window)),
        };
        self.values.push([f64::NAN; BLOCK]);
        Ok(place)
    }

    /// The values of a member in the last block.
    pub(super) fn values(&self, member: usize) -> &[f64; BLOCK] {
        &self.values[member]
    }

    /// Take a block of rows, or of an operand's values.
    pub(super) fn run<'a>(&mut self, rows: &Rows<'_>, operand: impl Fn(usize) -> &'a [f64]) {
        let of = self.of.map_or(&[][..], operand);
        let out = &mut self.values[..];
        match &mut self.members {
            Members::Sma(all) => apart(all, of, out, |it, value| it.push(value)),
            Members::Ema(all) => abreast(all, of, out),
            Members::Rsi(all) => abreast(all, of, out),
            Members::Std(all) => apart(all, of, out, |it, value| it.push(value)),
            Members::ZScore(all) => apart(all, of, out, |it, value| it.push(value)),
            Members::Lowest(all) => apart(all, of, out, |it, value| it.push(value)),
            Members::Highest(all) => apart(all, of, out, |it, value| it.push(value)),
            Members::Change(all) => {
                apart(all, of, out, |it, value| Some(value / it.push(value) - 1.0));
            }
            Members::Lag(all) => apart(all, of, out, |it, value| Some(it.push(value))),
            Members::Atr(all) => bars(all, rows, out, |it, [high, low, close, _]| {
                it.push(high, low, close).unwrap_or(f64::NAN)
            }),
            Members::Flow(all) => bars(all, rows, out, Flow::push),
        }
    }
}

fn join<T>(all: &mut Vec<T>, one: T) -> usize {
    all.push(one);
    all.len() - 1
}

/// One after the other over bars: high, low, close, volume.
#[inline(always)]
fn bars<T>(
    all: &mut [T],
    rows: &Rows<'_>,
    out: &mut [[f64; BLOCK]],
    push: impl Fn(&mut T, [f64; 4]) -> f64,
) {
    for (one, out) in all.iter_mut().zip(out) {
        for (at, out) in out.iter_mut().enumerate().take(rows.close.len()) {
            *out = push(one, [rows.high[at], rows.low[at], rows.close[at], rows.volume[at]]);
        }
    }
}

/// One after the other.
#[inline(always)]
fn apart<T>(
    all: &mut [T],
    of: &[f64],
    out: &mut [[f64; BLOCK]],
    push: impl Fn(&mut T, f64) -> Option<f64>,
) {
    for (one, out) in all.iter_mut().zip(out) {
        for (out, &value) in out.iter_mut().zip(of) {
            let found = if value.is_finite() { push(one, value) } else { None };
            *out = found.unwrap_or(f64::NAN);
        }
    }
}

/// Rows of windows side by side, before they are put into a column each.
const ROWS: usize = 16;

/// Side by side as soon as all have a value; a few rows are not worth it.
fn abreast<T: Abreast>(all: &mut [T], of: &[f64], out: &mut [[f64; BLOCK]]) {
    let is_worth = of.len() >= ROWS && of.iter().fold(true, |all, it| all & it.is_finite());
    for (some, out) in all.chunks_mut(LANES).zip(out.chunks_mut(LANES)) {
        let lanes = if is_worth { T::lanes(some) } else { None };
        let Some(mut lanes) = lanes else {
            apart(some, of, out, T::push_one);
            continue;
        };
        for (at, values) in of.chunks(ROWS).enumerate() {
            let mut found = [[0.0; LANES]; ROWS];
            for (found, &value) in found.iter_mut().zip(values) {
                *found = T::push_all(&mut lanes, value);
            }
            for (lane, out) in out.iter_mut().enumerate() {
                for (out, found) in out[at * ROWS..].iter_mut().zip(&found[..values.len()]) {
                    *out = found[lane];
                }
            }
        }
        T::leave(&lanes, some);
    }
}
