// SPDX-License-Identifier: Apache-2.0
//! What reading a capture found: counts, and the first places of whatever was wrong.

use std::collections::BTreeMap;

use super::clock::OffsetStatistics;
use super::line::Unit;
use super::{Market, Venue};

/// Places kept of each kind of finding; the count goes on.
pub const PLACES_MAX: usize = 50;

/// Findings with their lines: all are counted, the first [`PLACES_MAX`] are kept.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Places {
    /// How many there were.
    pub count: u64,
    /// Line and sentence of the first ones.
    pub first: Vec<(u64, String)>,
}

impl Places {
    /// Note one finding.
    pub fn add(&mut self, line: u64, sentence: impl Into<String>) {
        self.count += 1;
        if self.first.len() < PLACES_MAX {
            self.first.push((line, sentence.into()));
        }
    }
}

/// Counts of one named kind each.
pub type Counts = BTreeMap<String, u64>;

/// Add one to a count without building its name again.
pub(super) fn count(counts: &mut Counts, name: &str) {
    match counts.get_mut(name) {
        Some(number) => *number += 1,
        None => {
            counts.insert(name.to_owned(), 1);
        }
    }
}

/// Everything worth telling about a capture besides its tables.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Whose frames these are.
    pub venue: Venue,
    /// Product; `None` when neither address nor frames tell.
    pub market: Option<Market>,
    /// The symbol read.
    pub symbol: String,
    /// Every symbol seen, as `symbol` or `symbol market`, with its frames.
    pub symbols: Counts,
    /// Lines read.
    pub lines: u64,
    /// Frames that went into a table, by kind.
    pub frames: Counts,
    /// Frames and notes left out, by kind.
    pub ignored: Counts,
    /// Lines that could not be understood.
    pub bad_lines: Places,
    /// Breaks of the book's chain.
    pub gaps: Places,
    /// Book snapshots applied.
    pub snapshots: u64,
    /// Deltas older than the snapshot they met: dropped by the venue's rule.
    pub stale_deltas: u64,
    /// Deltas that never met a snapshot: no row was made of them.
    pub unseeded_deltas: u64,
    /// Per table, events whose time ran backwards and the largest move in nanoseconds.
    pub clamped: BTreeMap<&'static str, (u64, i64)>,
    /// Frames whose time was estimated, because the venue sends none.
    pub estimated_times: u64,
    /// Unit of the receive stamps.
    pub receive_unit: Option<Unit>,
    /// Receive time minus venue time.
    pub receive_offset: OffsetStatistics,
    /// Frames received before the frame above them.
    pub receive_backward: u64,
}
