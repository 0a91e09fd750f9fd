// SPDX-License-Identifier: Apache-2.0
//! The recent stream of approvals: how many in the last second (R09) and when the same order was
//! approved last (R05). What is too old is forgotten first, so both questions cost the same
//! however long the engine runs. A rule that is off keeps nothing.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hash, Hasher};

use super::limits::{Limits, RATE_WINDOW_NS};
use super::{mix, InstrumentId, Intent, StrategyId};
use crate::number::{Lots, Side, Ticks};

/// What makes two orders the same to rule R05. Slices are meant to be alike and never count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Likeness {
    strategy: StrategyId,
    instrument: InstrumentId,
    side: Side,
    pub(crate) lots: Lots,
    price: Option<Ticks>,
    trigger: Option<Ticks>,
    is_slice: bool,
    reduce_only: bool,
}

impl Likeness {
    /// The likeness of an intent.
    #[must_use]
    pub const fn of(intent: &Intent<'_>) -> Self {
        Self {
            strategy: intent.strategy,
            instrument: intent.instrument,
            side: intent.side,
            lots: intent.lots,
            price: intent.price,
            trigger: intent.trigger,
            is_slice: intent.parent.is_some(),
            reduce_only: intent.reduce_only,
        }
    }

    /// All fields as numbers, for the canonical encoding.
    #[must_use]
    pub fn words(&self) -> [i64; 8] {
        [
            i64::from(self.strategy.0),
            i64::from(self.instrument.0),
            self.side as i64,
            self.lots.0,
            self.price.map_or(i64::MIN, |price| price.0),
            self.trigger.map_or(i64::MIN, |price| price.0),
            i64::from(self.is_slice),
            i64::from(self.reduce_only),
        ]
    }
}

impl Hash for Likeness {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let side = self.side as u64;
        let who = u64::from(self.strategy.0) | u64::from(self.instrument.0) << 16 | side << 32;
        state.write_u64(who);
        state.write_i64(self.lots.0);
        state.write_i64(self.price.map_or(i64::MIN, |price| price.0));
    }
}

/// Hashes words without a random seed; the map is only asked, never walked.
#[derive(Debug, Clone, Default)]
pub struct WordHasher(u64);

impl Hasher for WordHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = mix(self.0, word);
    }

    fn write_i64(&mut self, word: i64) {
        self.write_u64(word as u64);
    }
}

/// Recent approvals.
#[derive(Debug, Clone, Default)]
pub struct Stream {
    times: VecDeque<i64>,
    last: HashMap<Likeness, i64, BuildHasherDefault<WordHasher>>,
    order: VecDeque<(i64, Likeness)>,
}

impl Stream {
    /// Forget what is older than the windows.
    pub fn forget(&mut self, limits: &Limits, now_ns: i64) {
        while self.times.front().is_some_and(|&at| now_ns.saturating_sub(at) >= RATE_WINDOW_NS) {
            self.times.pop_front();
        }
        let window = limits.duplicate_window_ns.unwrap_or(0);
        while let Some(&(at, likeness)) = self.order.front() {
            if now_ns.saturating_sub(at) < window {
                return;
            }
            self.order.pop_front();
            if self.last.get(&likeness) == Some(&at) {
                self.last.remove(&likeness);
            }
        }
    }

    /// Count an approval (or an amend, which has no likeness).
    pub fn remember(&mut self, limits: &Limits, likeness: Option<Likeness>, now_ns: i64) {
        if limits.orders_per_second_max.is_some() {
            self.times.push_back(now_ns);
        }
        if limits.duplicate_window_ns.is_none() {
            return;
        }
        if let Some(likeness) = likeness.filter(|likeness| !likeness.is_slice) {
            self.last.insert(likeness, now_ns);
            self.order.push_back((now_ns, likeness));
        }
    }

    /// Approvals in the last second, as of the last `forget`.
    #[must_use]
    pub fn in_window(&self) -> u32 {
        u32::try_from(self.times.len()).unwrap_or(u32::MAX)
    }

    /// How long ago the same order was approved, if within the window.
    #[must_use]
    pub fn same_ns_ago(&self, likeness: &Likeness, now_ns: i64) -> Option<i64> {
        self.last.get(likeness).map(|&at| now_ns.saturating_sub(at))
    }

    /// Times of the window, and likenesses with their times, for the canonical encoding.
    #[must_use]
    pub const fn parts(&self) -> (&VecDeque<i64>, &VecDeque<(i64, Likeness)>) {
        (&self.times, &self.order)
    }
}
