// SPDX-License-Identifier: Apache-2.0
//! Which book frame may be applied. [`BookSync`] sees only the ids of snapshots and deltas and
//! answers with a [`Step`]; the caller owns the levels, keeps what it is told to buffer, and offers
//! the buffered deltas again, oldest first, after a snapshot was applied. One rule per venue:
//!
//! * Binance spot: after a snapshot, drop `u` <= lastUpdateId; the first kept delta has
//!   `U` <= lastUpdateId + 1; then every `U` is the previous `u` + 1.
//! * Binance USD-M: drop `u` < lastUpdateId; the first kept delta covers the snapshot,
//!   `pu` <= lastUpdateId <= `u` (the venue's `U` <= lastUpdateId implies it, and `pu` also admits
//!   a quiet market, where the next delta starts later); then every `pu` is the previous `u`.
//! * Bybit: each delta is `u` + 1; any snapshot replaces the book, `u` = 1 included.
//!
//! It keeps no levels and asks nobody for a snapshot: on `Resync` the caller does.

use std::fmt;

/// The chain rule of one market.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BookRule {
    /// `U` follows the previous `u`.
    BinanceSpot,
    /// `pu` is the previous `u`.
    BinanceUsdm,
    /// `u` counts by one; snapshots come on the same socket.
    Bybit,
}

/// What to do with the frame just offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Apply it to the book.
    Apply,
    /// Keep it until a snapshot arrives.
    Buffer,
    /// It is older than the book: forget it.
    Stale,
    /// Updates are missing: clear the book and get a new snapshot; keep this delta buffered.
    Resync(Gap),
}

/// Where a book's chain broke (the sentence of a `BookGap`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// The update the book stood at.
    pub book_id: u64,
    /// The first update of the delta that does not follow it.
    pub first_id: u64,
    /// The snapshot is older than the first delta, rather than a delta missing.
    pub at_join: bool,
}

impl fmt::Display for Gap {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { book_id, first_id, .. } = self;
        if self.at_join {
            write!(out, "snapshot {book_id} is older than the delta from {first_id}")
        } else {
            write!(out, "book at {book_id}, next delta from {first_id}")
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// No book yet.
    Waiting,
    /// A snapshot is in, no delta has joined it.
    Joining(u64),
    /// In step with the venue up to this update.
    Live(u64),
}

/// The book synchroniser of one symbol on one connection.
#[derive(Debug, Clone)]
pub struct BookSync {
    rule: BookRule,
    state: State,
}

impl BookSync {
    /// A book that waits for its first snapshot.
    #[must_use]
    pub const fn new(rule: BookRule) -> Self {
        Self { rule, state: State::Waiting }
    }

    /// The update the book stands at, when there is a book.
    #[must_use]
    pub const fn book_id(&self) -> Option<u64> {
        match self.state {
            State::Waiting => None,
            State::Joining(id) | State::Live(id) => Some(id),
        }
    }

    /// The connection was lost: wait for a snapshot. *Returns*: whether there was a book.
    pub fn lost(&mut self) -> bool {
        std::mem::replace(&mut self.state, State::Waiting) != State::Waiting
    }

    /// Offer a snapshot: `Apply` or `Stale`.
    pub fn snapshot(&mut self, last_id: u64) -> Step {
        if self.rule == BookRule::Bybit {
            self.state = State::Live(last_id);
            return Step::Apply;
        }
        // A REST snapshot may be older than what the stream has already brought.
        if self.book_id().is_some_and(|book_id| last_id < book_id) {
            return Step::Stale;
        }
        self.state = State::Joining(last_id);
        Step::Apply
    }

    /// Offer a delta by its ids: `previous_id` is USD-M's `pu`.
    pub fn delta(&mut self, first_id: u64, last_id: u64, previous_id: Option<u64>) -> Step {
        let (book_id, at_join) = match self.state {
            State::Waiting => return Step::Buffer,
            State::Joining(id) => (id, true),
            State::Live(id) => (id, false),
        };
        // USD-M joins on a delta that ends exactly at the snapshot; quantities are absolute, so
        // applying it again changes nothing.
        let is_old = match (self.rule, at_join) {
            (BookRule::BinanceUsdm, true) => last_id < book_id,
            _ => last_id <= book_id,
        };
        if is_old {
            return Step::Stale;
        }
        let follows = match (self.rule, at_join) {
            (BookRule::BinanceSpot, true) => first_id <= book_id.saturating_add(1),
            (BookRule::BinanceSpot | BookRule::Bybit, _) => {
                book_id.checked_add(1) == Some(first_id)
            }
            (BookRule::BinanceUsdm, true) => previous_id.is_some_and(|id| id <= book_id),
            (BookRule::BinanceUsdm, false) => previous_id == Some(book_id),
        };
        if follows {
            self.state = State::Live(last_id);
            return Step::Apply;
        }
        self.state = State::Waiting;
        Step::Resync(Gap { book_id, first_id, at_join })
    }
}
