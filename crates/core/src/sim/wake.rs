// SPDX-License-Identifier: Apache-2.0
//! Which market facts are worth waking a strategy for. A watch evaluates conditions on every fact
//! of one symbol inside the venue; as a gate it keeps back the facts at which nothing it waits for
//! has happened. Answers to orders and funding are never kept back.

use crate::program::{Program, Row};
use crate::sim::fact::Fact;
use crate::sim::history::{Rows, Stream};

/// The facts on which conditions are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feed {
    /// Finished bars.
    Candles,
    /// Trades and quotes.
    Ticks,
}

/// A change of a condition that wakes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// From false to true.
    Rising,
    /// Either way.
    Either,
}

/// Something to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// A condition of the watch's program, by number, changes.
    Change(usize, Edge),
    /// The first fact at or after each multiple of so many ns.
    Every(i64),
}

/// Conditions of one symbol and what to do about them.
#[derive(Debug, Clone)]
pub struct Watch {
    feed: Feed,
    program: Program,
    /// Each wake with its memory: the condition as it was (0 or 1), or the next time.
    wakes: Vec<(Wake, i64)>,
    is_gate: bool,
    is_armed: bool,
}

impl Watch {
    /// Wait for any of `wakes`; the first fact always passes. A watch that is no gate keeps
    /// nothing back.
    #[must_use]
    pub fn new(feed: Feed, program: Program, wakes: &[Wake], is_gate: bool) -> Self {
        let wakes = wakes.iter().map(|&wake| (wake, 0)).collect();
        Self { feed, program, wakes, is_gate, is_armed: true }
    }

    /// Let the next fact pass, whatever the conditions say.
    pub fn wake_next(&mut self) {
        self.is_armed = true;
    }

    /// Does condition `number` hold as of the last fact?
    #[must_use]
    pub fn holds(&self, number: usize) -> bool {
        self.program.holds(number)
    }

    /// Take a fact; whether it is to be offered.
    pub(super) fn judge(&mut self, feed: Option<Feed>, row: &Row, now_ns: i64) -> bool {
        if feed != Some(self.feed) {
            return !self.is_gate || self.is_armed;
        }
        self.program.step(row);
        let mut is_due = std::mem::take(&mut self.is_armed);
        for (wake, memory) in &mut self.wakes {
            is_due |= match *wake {
                Wake::Change(number, edge) => {
                    let now = i64::from(self.program.holds(number));
                    let before = std::mem::replace(memory, now);
                    now != before && (edge == Edge::Either || now == 1)
                }
                Wake::Every(period) => {
                    let is_past = now_ns >= *memory;
                    if is_past {
                        *memory = (now_ns.div_euclid(period) + 1).saturating_mul(period);
                    }
                    is_past
                }
            };
        }
        is_due || !self.is_gate
    }
}

/// Instrument, feed and row of a market fact; `None` for funding and answers.
#[must_use]
pub fn row_of(fact: &Fact, streams: &[Stream]) -> Option<(usize, Option<Feed>, Row)> {
    match *fact {
        Fact::Tick { instrument, price, volume, .. } => {
            Some((instrument, Some(Feed::Ticks), Row::of_tick(price, volume)))
        }
        Fact::Candle { stream, row } => {
            let stream = streams.get(stream)?;
            let Rows::Candles { open, high, low, close, volume, .. } = &stream.rows else {
                return None;
            };
            let row = Row {
                open: open[row],
                high: high[row],
                low: low[row],
                close: close[row],
                volume: volume[row],
            };
            Some((stream.instrument, Some(Feed::Candles), row))
        }
        Fact::Book { instrument, .. } => Some((instrument, None, Row::of_tick(f64::NAN, 0.0))),
        _ => None,
    }
}
