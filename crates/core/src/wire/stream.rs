// SPDX-License-Identifier: Apache-2.0
//! What a feed knows of one symbol: its book, its best bid and ask whatever stream told them last,
//! mark and funding, and which prices are believable. Ids order quotes and books of several
//! streams: an older one does not replace a newer one.

use super::depth::LiveBook;
use super::grid::Grid;
use super::plausible::{Plausible, Source};
use super::seen::Seen;
use super::sync::BookRule;
use crate::Instrument;

/// Best bid, its quantity, best ask, its quantity.
pub type Touch = [f64; 4];

/// No touch.
pub(super) const UNKNOWN: Touch = [f64::NAN; 4];

/// Mark price and funding as last heard.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Marks {
    /// Mark price.
    pub mark: Option<f64>,
    /// Index price.
    pub index: Option<f64>,
    /// Funding rate of the running interval.
    pub funding_rate: Option<f64>,
    /// Next settlement.
    pub next_funding_ns: Option<i64>,
}

impl Marks {
    /// What was heard, completed by what was known; a delta names only what changed.
    #[must_use]
    pub fn or(self, known: Self) -> Self {
        Self {
            mark: self.mark.or(known.mark),
            index: self.index.or(known.index),
            funding_rate: self.funding_rate.or(known.funding_rate),
            next_funding_ns: self.next_funding_ns.or(known.next_funding_ns),
        }
    }
}

/// What became of a quote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// The touch changed.
    New,
    /// It is the touch already, or older.
    Old,
    /// It is not believable.
    Suspect,
}

/// One symbol of a feed.
pub(super) struct Stream {
    pub grid: Grid,
    pub book: LiveBook,
    pub touch: Touch,
    /// Update id (Binance) or cross sequence (Bybit) of the touch.
    pub touch_id: u64,
    /// Bybit's ticker so far: bid, bid quantity, ask, ask quantity.
    pub ticker: [Option<f64>; 4],
    pub marks: Marks,
    /// The kind of trade stream heard first: aggregates tell the same volume twice.
    pub is_aggregate: Option<bool>,
    pub seen: Seen,
    pub plausible: Plausible,
}

impl Stream {
    pub fn new(instrument: Instrument, rule: BookRule) -> Self {
        Self {
            grid: Grid::new(instrument),
            book: LiveBook::new(rule),
            touch: UNKNOWN,
            touch_id: 0,
            ticker: [None; 4],
            marks: Marks::default(),
            is_aggregate: None,
            seen: Seen::default(),
            plausible: Plausible::default(),
        }
    }

    /// Take best bid and ask with the id of their update.
    pub fn quote(&mut self, touch: Touch, id: u64, source: Source, frame: u64) -> Heard {
        if id < self.touch_id {
            return Heard::Old;
        }
        let [bid, _, ask, _] = touch;
        if !self.plausible.judge(source, bid, ask, frame) {
            return Heard::Suspect;
        }
        self.touch_id = id;
        let is_new = self.touch.map(f64::to_bits) != touch.map(f64::to_bits);
        self.touch = touch;
        if is_new {
            Heard::New
        } else {
            Heard::Old
        }
    }

    /// Take the best prices of the book; a side that is empty makes no touch.
    pub fn quote_of_book(&mut self, id: u64, source: Source, frame: u64) -> Heard {
        let Some(((bid, bid_lots), (ask, ask_lots))) = self.book.book().top() else {
            self.lose_touch();
            return Heard::Old;
        };
        let grid = &self.grid;
        let bids = [grid.price(bid), grid.quantity(bid_lots)];
        let asks = [grid.price(ask), grid.quantity(ask_lots)];
        self.quote([bids[0], bids[1], asks[0], asks[1]], id, source, frame)
    }

    /// The best prices are not known any more.
    pub fn lose_touch(&mut self) {
        (self.touch, self.touch_id) = (UNKNOWN, 0);
        self.plausible.forget_quote();
    }

    /// The connection is lost.
    pub fn lost(&mut self) {
        self.book.forget();
        self.lose_touch();
        self.ticker = [None; 4];
        self.plausible.forget();
    }
}
