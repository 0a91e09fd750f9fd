// SPDX-License-Identifier: Apache-2.0
//! The live book of one symbol on one connection: [`BookSync`] decides, [`Book`] holds the levels,
//! and deltas that wait for a snapshot are buffered. A book that breaks, comes out crossed or
//! overflows its buffer is dropped and says so once; until it has a new snapshot it has no levels.
//! Nothing is repaired by guessing, and nobody is asked for a snapshot here.

use std::collections::VecDeque;

use super::grid::Grid;
use super::sync::{BookRule, BookSync, Step};
use crate::book::{Book, Quote};
use crate::error::Result;
use crate::number::Side;

/// Deltas kept while waiting for a REST snapshot: over a minute of the fastest stream.
pub const BUFFER_DELTAS_MAX: usize = 1_000;
/// Levels kept in those deltas: 3 MB a symbol.
pub const BUFFER_LEVELS_MAX: usize = 200_000;
/// Levels a side of a book without a stated depth: the deepest REST snapshot. Deltas name levels
/// beyond the snapshot, so the book would grow for ever.
pub const BOOK_LEVELS_MAX: usize = 5_000;

/// The ids, time and levels of one delta or snapshot, taken out of its frame.
#[derive(Debug, Clone, Default)]
pub struct Update {
    /// First update inside.
    pub first_id: u64,
    /// Last update inside.
    pub last_id: u64,
    /// Last update of the event before, where the venue says it.
    pub previous_id: Option<u64>,
    /// Venue time.
    pub ts_ns: i64,
    /// Levels of the topic; `None` is the full book.
    pub depth: Option<u32>,
    /// Changed bids, price and quantity.
    pub bids: Vec<(f64, f64)>,
    /// Changed asks.
    pub asks: Vec<(f64, f64)>,
}

/// What became of an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is in the book.
    Applied,
    /// It waits for a snapshot.
    Waits,
    /// It was older than the book.
    Stale,
    /// Updates are missing: the book is dropped.
    Gap,
    /// It left the book crossed: the book is dropped.
    Crossed,
    /// Too much waits for a snapshot: the buffer is dropped.
    Overflow,
}

/// The live book of one symbol.
#[derive(Debug)]
pub struct LiveBook {
    rule: BookRule,
    sync: BookSync,
    book: Book,
    buffer: VecDeque<Update>,
    buffered_levels: usize,
    /// Somebody has to get a snapshot, and has not been told yet.
    is_due: bool,
    /// That was said since the last snapshot.
    is_told: bool,
    bids: Vec<Quote>,
    asks: Vec<Quote>,
}

impl LiveBook {
    /// A book that waits for its first snapshot.
    #[must_use]
    pub const fn new(rule: BookRule) -> Self {
        Self {
            rule,
            sync: BookSync::new(rule),
            book: Book::new(),
            buffer: VecDeque::new(),
            buffered_levels: 0,
            is_due: false,
            is_told: false,
            bids: Vec::new(),
            asks: Vec::new(),
        }
    }

    /// The levels; empty while there is no book.
    #[must_use]
    pub const fn book(&self) -> &Book {
        &self.book
    }

    /// The update the book stands at, while there is one.
    #[must_use]
    pub const fn id(&self) -> Option<u64> {
        self.sync.book_id()
    }

    /// Does it need a snapshot that nobody was asked for? True once per break.
    pub fn take_due(&mut self) -> bool {
        std::mem::take(&mut self.is_due)
    }

    /// The connection is lost: forget book, buffer and what was due.
    pub fn forget(&mut self) {
        self.drop_book();
        self.drop_buffer();
        (self.is_due, self.is_told) = (false, false);
    }

    /// Take a snapshot; on `Applied`, [`LiveBook::join`] brings the deltas that waited.
    ///
    /// # Errors
    /// `FrameInvalid` for levels off the grid; nothing is changed.
    pub fn snapshot(&mut self, update: &Update, grid: &Grid) -> Result<Outcome> {
        grid.quotes(&update.bids, &mut self.bids)?;
        grid.quotes(&update.asks, &mut self.asks)?;
        if self.sync.snapshot(update.last_id) == Step::Stale {
            return Ok(Outcome::Stale);
        }
        (self.is_due, self.is_told) = (false, false);
        if self.book.apply_snapshot(&self.bids, &self.asks).is_err() {
            self.break_off();
            return Ok(Outcome::Crossed);
        }
        self.trim(update.depth);
        Ok(Outcome::Applied)
    }

    /// Take the oldest waiting delta after a snapshot was applied, and what became of it.
    pub fn join(&mut self, grid: &Grid) -> Option<(Update, Result<Outcome>)> {
        self.sync.book_id()?;
        let update = self.buffer.pop_front()?;
        self.buffered_levels -= update.bids.len() + update.asks.len();
        let outcome = self.delta(&update, grid);
        Some((update, outcome))
    }

    /// Take a delta.
    ///
    /// # Errors
    /// `FrameInvalid` for levels off the grid; nothing is changed.
    pub fn delta(&mut self, update: &Update, grid: &Grid) -> Result<Outcome> {
        grid.quotes(&update.bids, &mut self.bids)?;
        grid.quotes(&update.asks, &mut self.asks)?;
        match self.sync.delta(update.first_id, update.last_id, update.previous_id) {
            Step::Apply => {
                if self.book.apply_delta(&self.bids, &self.asks).is_err() {
                    self.break_off();
                    return Ok(Outcome::Crossed);
                }
                self.trim(update.depth);
                Ok(Outcome::Applied)
            }
            Step::Stale => Ok(Outcome::Stale),
            Step::Buffer => Ok(self.wait(update)),
            Step::Resync(_) => {
                self.break_off();
                self.wait(update);
                Ok(Outcome::Gap)
            }
        }
    }

    /// Replace the levels by the top of a book that has no deltas, unless a real one is here.
    pub fn top(&mut self, update: &Update, grid: &Grid) -> Result<Outcome> {
        if self.id().is_some() {
            return Ok(Outcome::Stale);
        }
        grid.quotes(&update.bids, &mut self.bids)?;
        grid.quotes(&update.asks, &mut self.asks)?;
        match self.book.apply_snapshot(&self.bids, &self.asks) {
            Ok(()) => Ok(Outcome::Applied),
            Err(_) => Ok(Outcome::Crossed),
        }
    }

    /// Drop the book: it cannot be true. A new snapshot is due.
    pub fn break_off(&mut self) {
        self.drop_book();
        self.is_due = true;
        self.is_told = true;
    }

    fn wait(&mut self, update: &Update) -> Outcome {
        if !self.is_told {
            self.break_off();
        }
        // Bybit sends its snapshot on the socket: deltas before it can never join.
        if self.rule == BookRule::Bybit {
            return Outcome::Stale;
        }
        let levels = update.bids.len() + update.asks.len();
        if self.buffer.len() == BUFFER_DELTAS_MAX
            || self.buffered_levels + levels > BUFFER_LEVELS_MAX
        {
            self.drop_buffer();
            self.break_off();
            return Outcome::Overflow;
        }
        self.buffered_levels += levels;
        self.buffer.push_back(update.clone());
        Outcome::Waits
    }

    fn drop_book(&mut self) {
        self.sync = BookSync::new(self.rule);
        self.book.clear();
    }

    fn drop_buffer(&mut self) {
        self.buffer.clear();
        self.buffered_levels = 0;
    }

    fn trim(&mut self, depth: Option<u32>) {
        let levels = depth.map_or(BOOK_LEVELS_MAX, |depth| depth as usize);
        for side in [Side::Buy, Side::Sell] {
            if self.book.depth(side) > levels {
                self.book.trim(side, levels);
            }
        }
    }
}
