// SPDX-License-Identifier: Apache-2.0
//! The book of a capture: buffers deltas until a snapshot, replays what joins it, and writes rows
//! only while the chain is proven. After a gap it writes one empty snapshot, so that nobody trades
//! on a book that is no longer known, and waits for the next snapshot.

use std::collections::VecDeque;

use super::columns::{Change, DepthColumns, Monotone};
use super::frame::{DepthDelta, DepthSnapshot, Level};
use super::report::Places;
use super::sync::{BookRule, BookSync, Step};
use super::Venue;
use crate::number::Side;

/// Deltas kept while waiting for a snapshot; nine minutes of the fastest Binance stream. A recorder
/// asks for the snapshot in its first seconds.
pub const BUFFER_EVENTS_MAX: usize = 10_000;

struct Kept {
    ts_ns: i64,
    first_id: u64,
    last_id: u64,
    previous_id: Option<u64>,
    changes: Vec<Change>,
}

/// Makes the depth table of one symbol.
#[derive(Default)]
pub struct BookSeeding {
    sync: Option<BookSync>,
    /// A snapshot that came before the first delta told which of Binance's rules holds.
    seed_id: Option<u64>,
    buffer: VecDeque<Kept>,
    overflowed: u64,
    /// Rows so far.
    pub columns: DepthColumns,
    /// Clamp of the depth table.
    pub monotone: Monotone,
    /// Breaks of the chain.
    pub gaps: Places,
    /// Snapshots applied.
    pub snapshots: u64,
    /// Deltas dropped as older than the book.
    pub stale: u64,
}

impl BookSeeding {
    /// Deltas that wait for a snapshot, or waited in vain.
    #[must_use]
    pub fn unseeded(&self) -> u64 {
        self.overflowed + self.buffer.len() as u64
    }

    /// Take a snapshot with its (perhaps estimated) time.
    pub fn snapshot(&mut self, snapshot: &DepthSnapshot<'_>, ts_ns: i64, line: u64, venue: Venue) {
        if venue == Venue::Bybit && self.sync.is_none() {
            self.sync = Some(BookSync::new(BookRule::Bybit));
        }
        let step = match &mut self.sync {
            Some(sync) => sync.snapshot(snapshot.last_id),
            None => Step::Apply,
        };
        if step != Step::Apply {
            self.stale += 1;
            return;
        }
        self.seed_id = Some(snapshot.last_id);
        self.snapshots += 1;
        let ts_ns = self.monotone.clamp(ts_ns);
        let changes = changes(&snapshot.bids, &snapshot.asks);
        self.columns.push(ts_ns, line as i64, true, changes);
        for kept in std::mem::take(&mut self.buffer) {
            self.offer(kept, line);
        }
    }

    /// Take a delta.
    pub fn delta(&mut self, delta: &DepthDelta<'_>, line: u64, venue: Venue) {
        let rule = match (venue, delta.previous_id) {
            (Venue::Bybit, _) => BookRule::Bybit,
            (Venue::Binance, Some(_)) => BookRule::BinanceUsdm,
            (Venue::Binance, None) => BookRule::BinanceSpot,
        };
        let seed_id = self.seed_id;
        let sync = self.sync.get_or_insert_with(|| {
            let mut sync = BookSync::new(rule);
            if let Some(id) = seed_id {
                sync.snapshot(id);
            }
            sync
        });
        match sync.delta(delta.first_id, delta.last_id, delta.previous_id) {
            Step::Apply => {
                let ts_ns = self.monotone.clamp(delta.ts_ns);
                let changes = changes(&delta.bids, &delta.asks);
                self.columns.push(ts_ns, line as i64, false, changes);
            }
            step => self.settle(step, keep(delta), line),
        }
    }

    /// The recorder lost its connection: the book is unknown until the next snapshot.
    pub fn lost(&mut self, line: u64) {
        self.overflowed += self.buffer.len() as u64;
        self.buffer.clear();
        let seed_id = self.seed_id.take();
        let had_book = self.sync.as_mut().map_or(seed_id.is_some(), BookSync::lost);
        if let (true, Some(ts_ns)) = (had_book, self.monotone.last_ns()) {
            self.gaps.add(line, "connection lost".to_owned());
            self.columns.push(ts_ns, line as i64, true, std::iter::empty());
        }
    }

    fn offer(&mut self, kept: Kept, line: u64) {
        let step = match &mut self.sync {
            Some(sync) => sync.delta(kept.first_id, kept.last_id, kept.previous_id),
            None => Step::Buffer,
        };
        self.settle(step, kept, line);
    }

    fn settle(&mut self, step: Step, kept: Kept, line: u64) {
        match step {
            Step::Apply => {
                let ts_ns = self.monotone.clamp(kept.ts_ns);
                self.columns.push(ts_ns, line as i64, false, kept.changes.into_iter());
            }
            Step::Stale => self.stale += 1,
            Step::Buffer => self.buffer(kept),
            Step::Resync(gap) => {
                self.gaps.add(line, gap.to_string());
                let ts_ns = self.monotone.clamp(kept.ts_ns);
                self.columns.push(ts_ns, line as i64, true, std::iter::empty());
                self.buffer(kept);
            }
        }
    }

    fn buffer(&mut self, kept: Kept) {
        if self.buffer.len() == BUFFER_EVENTS_MAX {
            self.buffer.pop_front();
            self.overflowed += 1;
        }
        self.buffer.push_back(kept);
    }
}

fn changes<'a>(bids: &'a [Level<'_>], asks: &'a [Level<'_>]) -> impl Iterator<Item = Change> + 'a {
    let side =
        |side: Side| move |level: &Level<'_>| (side, level.price.to_f64(), level.quantity.to_f64());
    bids.iter().map(side(Side::Buy)).chain(asks.iter().map(side(Side::Sell)))
}

fn keep(delta: &DepthDelta<'_>) -> Kept {
    Kept {
        ts_ns: delta.ts_ns,
        first_id: delta.first_id,
        last_id: delta.last_id,
        previous_id: delta.previous_id,
        changes: changes(&delta.bids, &delta.asks).collect(),
    }
}
