// SPDX-License-Identifier: Apache-2.0
//! What a feed tells of one frame: ticks, books, candles and funding, with the index of their
//! instrument, as plain numbers. They live in one buffer that is used again for every frame, so a
//! trade costs no allocation. `NaN` stands for a touch that is not known.

use super::Venue;

/// One fact of the market; `of` is the index of the instrument in the feed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fact {
    /// A trade, or with volume 0 a change of the quote (then the price is the mid).
    Tick {
        /// Instrument.
        of: usize,
        /// Price of the trade, or mid.
        price: f64,
        /// Quantity of the trade, 0 for a quote.
        volume: f64,
        /// Venue time.
        ts_ns: i64,
        /// Best bid, if known.
        bid: f64,
        /// Best ask, if known.
        ask: f64,
    },
    /// An applied snapshot or delta; its levels are `Facts::levels`.
    Book {
        /// Instrument.
        of: usize,
        /// The whole book rather than what changed.
        is_snapshot: bool,
        /// Venue time.
        ts_ns: i64,
        /// Where its bids begin in the buffer of levels.
        from: usize,
        /// Where its asks begin.
        middle: usize,
        /// Where its asks end.
        to: usize,
    },
    /// A closed candle.
    Candle {
        /// Instrument.
        of: usize,
        /// HEAN's name of its length.
        timeframe: &'static str,
        /// Opening time.
        open_ns: i64,
        /// Open, high, low, close, volume.
        values: [f64; 5],
    },
    /// A funding rate or time that changed.
    Funding {
        /// Instrument.
        of: usize,
        /// Fraction, paid by longs when positive.
        rate: f64,
        /// Next settlement; 0 if the venue did not say.
        next_ns: i64,
        /// Mark price; `NaN` before the first.
        mark: f64,
    },
}

/// The facts of one frame.
#[derive(Debug, Default)]
pub struct Facts {
    facts: Vec<Fact>,
    levels: Vec<(f64, f64)>,
}

impl Facts {
    /// The facts, oldest first.
    #[must_use]
    pub fn as_slice(&self) -> &[Fact] {
        &self.facts
    }

    /// Levels `from..to` of a book fact.
    #[must_use]
    pub fn levels(&self, from: usize, to: usize) -> &[(f64, f64)] {
        self.levels.get(from..to).unwrap_or_default()
    }

    pub(super) fn clear(&mut self) {
        self.facts.clear();
        self.levels.clear();
    }

    #[inline]
    pub(super) fn push(&mut self, fact: Fact) {
        self.facts.push(fact);
    }

    pub(super) fn push_book(
        &mut self,
        of: usize,
        is_snapshot: bool,
        ts_ns: i64,
        bids: &[(f64, f64)],
        asks: &[(f64, f64)],
    ) {
        let from = self.levels.len();
        self.levels.extend_from_slice(bids);
        let middle = self.levels.len();
        self.levels.extend_from_slice(asks);
        let to = self.levels.len();
        self.facts.push(Fact::Book { of, is_snapshot, ts_ns, from, middle, to });
    }
}

/// HEAN's name of a venue's candle interval; `None` for months, whose length differs.
#[must_use]
pub fn timeframe(venue: Venue, interval: &str) -> Option<&'static str> {
    const NAMES: [(&str, &str, &str); 15] = [
        ("1s", "1s", ""),
        ("1m", "1m", "1"),
        ("3m", "3m", "3"),
        ("5m", "5m", "5"),
        ("15m", "15m", "15"),
        ("30m", "30m", "30"),
        ("1h", "1h", "60"),
        ("2h", "2h", "120"),
        ("4h", "4h", "240"),
        ("6h", "6h", "360"),
        ("8h", "8h", ""),
        ("12h", "12h", "720"),
        ("1d", "1d", "D"),
        ("3d", "3d", ""),
        ("7d", "1w", "W"),
    ];
    let found = NAMES.iter().find(|(_, binance, bybit)| match venue {
        Venue::Binance => *binance == interval,
        Venue::Bybit => *bybit == interval,
    });
    found.map(|(name, _, _)| *name).filter(|name| !name.is_empty())
}
