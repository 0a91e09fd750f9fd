// SPDX-License-Identifier: Apache-2.0
//! The tables a capture becomes, one vector per column. Each table is monotone in time: a row whose
//! venue time lies before the row above takes the time of the row above, and is counted. The tables
//! are clamped apart from each other, because the venue's streams do not run in step; `arrival`
//! (the line in the capture) keeps the order between tables where times are equal.

use super::frame::TradeId;
use crate::number::Side;

/// First row of a snapshot: clear the book before it.
pub const SNAPSHOT_BEGIN: u8 = 1;
/// Last row of one event: the book is consistent after it.
pub const EVENT_END: u8 = 2;

/// Keeps one table's time from running backwards.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Monotone {
    last_ns: Option<i64>,
    /// Events moved.
    pub clamped: u64,
    /// Largest move, in nanoseconds.
    pub clamp_ns_max: i64,
}

impl Monotone {
    /// `ts_ns`, or the last time when that is later.
    pub fn clamp(&mut self, ts_ns: i64) -> i64 {
        let kept = self.last_ns.map_or(ts_ns, |last| last.max(ts_ns));
        if kept > ts_ns {
            self.clamped += 1;
            self.clamp_ns_max = self.clamp_ns_max.max(kept.saturating_sub(ts_ns));
        }
        self.last_ns = Some(kept);
        kept
    }

    /// The latest time so far.
    #[must_use]
    pub const fn last_ns(&self) -> Option<i64> {
        self.last_ns
    }
}

/// Book changes, one row a level.
#[derive(Debug, Default, PartialEq)]
pub struct DepthColumns {
    /// Venue time.
    pub ts_ns: Vec<i64>,
    /// 0 bid, 1 ask.
    pub side: Vec<u8>,
    /// Price of the level.
    pub price: Vec<f64>,
    /// Absolute quantity; 0 removes.
    pub quantity: Vec<f64>,
    /// [`SNAPSHOT_BEGIN`], [`EVENT_END`].
    pub flags: Vec<u8>,
    /// Line of the capture.
    pub arrival: Vec<i64>,
}

/// One changed level: side, price, quantity.
pub type Change = (Side, f64, f64);

impl DepthColumns {
    /// Append one event. A snapshot without levels becomes one row of price 0 and quantity 0, so
    /// that an empty book can be told; a delta without levels adds no row.
    pub fn push(
        &mut self,
        ts_ns: i64,
        arrival: i64,
        is_snapshot: bool,
        changes: impl Iterator<Item = Change>,
    ) {
        let begin = self.flags.len();
        for change in changes {
            self.push_row(ts_ns, arrival, change);
        }
        if is_snapshot && self.flags.len() == begin {
            self.push_row(ts_ns, arrival, (Side::Buy, 0.0, 0.0));
        }
        if let Some([first, ..]) = self.flags.get_mut(begin..) {
            *first |= if is_snapshot { SNAPSHOT_BEGIN } else { 0 };
        }
        if let Some([.., last]) = self.flags.get_mut(begin..) {
            *last |= EVENT_END;
        }
    }

    fn push_row(&mut self, ts_ns: i64, arrival: i64, (side, price, quantity): Change) {
        self.ts_ns.push(ts_ns);
        self.side.push(side as u8);
        self.price.push(price);
        self.quantity.push(quantity);
        self.flags.push(0);
        self.arrival.push(arrival);
    }
}

/// Trade ids: numbers as long as every id is one, otherwise texts.
#[derive(Debug, PartialEq, Eq)]
pub enum IdColumn {
    /// Binance, Bybit spot.
    Numbers(Vec<i64>),
    /// Bybit contracts.
    Texts(Vec<String>),
}

impl Default for IdColumn {
    fn default() -> Self {
        Self::Numbers(Vec::new())
    }
}

impl IdColumn {
    /// Append one id; the first text turns the column into texts.
    pub fn push(&mut self, id: &TradeId<'_>) {
        match (&mut *self, id) {
            (Self::Numbers(numbers), TradeId::Number(number)) => numbers.push(*number),
            (Self::Texts(texts), TradeId::Number(number)) => texts.push(number.to_string()),
            (Self::Texts(texts), TradeId::Text(text)) => texts.push(text.to_string()),
            (Self::Numbers(numbers), TradeId::Text(text)) => {
                let mut texts: Vec<String> = numbers.iter().map(ToString::to_string).collect();
                texts.push(text.to_string());
                *self = Self::Texts(texts);
            }
        }
    }
}

/// Trades, one row each.
#[derive(Debug, Default, PartialEq)]
pub struct TradeColumns {
    /// Time of the match.
    pub ts_ns: Vec<i64>,
    /// Price.
    pub price: Vec<f64>,
    /// Quantity.
    pub quantity: Vec<f64>,
    /// Aggressor: 0 bought, 1 sold.
    pub side: Vec<u8>,
    /// The venue's ids.
    pub id: IdColumn,
    /// Line of the capture.
    pub arrival: Vec<i64>,
}

/// Best bids and asks.
#[derive(Debug, Default, PartialEq)]
pub struct QuoteColumns {
    /// Venue time, or its estimate where the venue sends none.
    pub ts_ns: Vec<i64>,
    /// Best bid price.
    pub bid: Vec<f64>,
    /// Quantity there.
    pub bid_quantity: Vec<f64>,
    /// Best ask price.
    pub ask: Vec<f64>,
    /// Quantity there.
    pub ask_quantity: Vec<f64>,
    /// Line of the capture.
    pub arrival: Vec<i64>,
}

impl QuoteColumns {
    /// Append one quote: bid, bid quantity, ask, ask quantity.
    pub fn push(&mut self, ts_ns: i64, arrival: i64, quote: [f64; 4]) {
        let [bid, bid_quantity, ask, ask_quantity] = quote;
        self.ts_ns.push(ts_ns);
        self.bid.push(bid);
        self.bid_quantity.push(bid_quantity);
        self.ask.push(ask);
        self.ask_quantity.push(ask_quantity);
        self.arrival.push(arrival);
    }
}

/// Mark prices and funding of a perpetual.
#[derive(Debug, Default, PartialEq)]
pub struct MarkColumns {
    /// Venue time.
    pub ts_ns: Vec<i64>,
    /// Mark price.
    pub mark: Vec<f64>,
    /// Index price, NaN where not sent.
    pub index: Vec<f64>,
    /// Funding rate of the running interval, NaN where not sent.
    pub funding_rate: Vec<f64>,
    /// Next settlement, 0 where not sent.
    pub next_funding_ns: Vec<i64>,
    /// Line of the capture.
    pub arrival: Vec<i64>,
}
