// SPDX-License-Identifier: Apache-2.0
//! What is known of one symbol, and the answers made of it. An answer is encoded when it is first
//! asked for after a change, and then kept as bytes: a busy market costs nothing while nobody asks,
//! and many questions between two changes cost one encoding. Numbers are the shortest decimals that
//! are the venue's; what is not known is null.

use std::io::Write;

use hean_core::book::Book;
use hean_core::number::{Lots, Side};
use hean_core::wire::grid::Grid;
use hean_core::wire::stream::{Marks, Touch};
use hean_core::wire::{Market, Venue};

use crate::candles::{Candles, Row};
use crate::http;
use crate::timeframe::Timeframe;

/// Levels a side of an answer that does not say how many.
pub const LEVELS: usize = 50;
/// Most levels a side, or candles, of an answer.
pub const LIMIT_MAX: usize = 1_000;
/// Candles of an answer that does not say how many.
pub const CANDLES: usize = 200;

const JSON: &str = "application/json";

/// A body, and the answer it is sent in, as of some version of what it tells.
#[derive(Debug, Default)]
struct Kept {
    made: Option<u64>,
    body: Vec<u8>,
    tail: Vec<u8>,
}

impl Kept {
    fn remake(&mut self, version: u64, make: impl FnOnce(&mut Vec<u8>)) -> bool {
        if self.made == Some(version) {
            return false;
        }
        self.made = Some(version);
        self.body.clear();
        make(&mut self.body);
        self.tail.clear();
        http::tail_into(&mut self.tail, JSON, &self.body);
        true
    }
}

/// The last trade: price, quantity, venue time.
#[derive(Debug, Clone, Copy)]
struct Last {
    price: f64,
    quantity: f64,
    ts_ns: i64,
}

/// One symbol.
#[derive(Debug)]
pub struct Symbol {
    /// Our name.
    pub name: String,
    /// The venue's own name.
    pub pair: String,
    /// Whose.
    pub venue: Venue,
    /// Spot or linear.
    pub market: Market,
    /// Where its book lies: number of the feed, index there.
    pub book_at: Option<(usize, usize)>,
    /// Prices and quantities of the book, once the rules are known.
    pub grid: Option<Grid>,
    /// Candles by length.
    pub candles: Vec<Candles>,
    /// Whether the book is there.
    pub has_book: bool,
    /// Venue time of the newest fact.
    pub ts_ns: i64,
    /// When it was heard, our time.
    pub heard_ns: i64,
    last: Option<Last>,
    touch: Touch,
    marks: Marks,
    version: u64,
    book_version: u64,
    book_ts_ns: i64,
    ticker: Kept,
    orderbook: Kept,
    klines: Kept,
    indicators: Vec<Kept>,
}

impl Symbol {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(
        [pair, name]: [&str; 2],
        venue: Venue,
        market: Market,
        timeframes: &[Timeframe],
    ) -> Self {
        Self {
            name: name.to_owned(),
            pair: pair.to_owned(),
            venue,
            market,
            book_at: None,
            grid: None,
            candles: timeframes.iter().cloned().map(Candles::new).collect(),
            has_book: false,
            ts_ns: 0,
            heard_ns: 0,
            last: None,
            touch: [f64::NAN; 4],
            marks: Marks::default(),
            version: 1,
            book_version: 1,
            book_ts_ns: 0,
            ticker: Kept::default(),
            orderbook: Kept::default(),
            klines: Kept::default(),
            indicators: timeframes.iter().map(|_| Kept::default()).collect(),
        }
    }

    /// Whether there is a price to tell.
    #[must_use]
    pub fn has_price(&self) -> bool {
        self.last.is_some() || !self.touch[0].is_nan()
    }

    /// A trade.
    pub fn traded(&mut self, price: f64, quantity: f64, ts_ns: i64) {
        self.last = Some(Last { price, quantity, ts_ns });
        self.version += 1;
        for candles in &mut self.candles {
            candles.trade(price, quantity, ts_ns);
        }
    }

    /// Best bid and ask as they are now; true if that is news.
    pub fn touched(&mut self, touch: Touch) -> bool {
        let is_new = self.touch.map(f64::to_bits) != touch.map(f64::to_bits);
        if is_new {
            self.touch = touch;
            self.version += 1;
        }
        is_new
    }

    /// Mark and funding as they are now; true if that is news.
    pub fn marked(&mut self, heard: Marks) -> bool {
        let joined = heard.or(self.marks);
        let is_new = joined != self.marks;
        if is_new {
            self.marks = joined;
            self.version += 1;
        }
        is_new
    }

    /// The book has changed.
    pub fn booked(&mut self, ts_ns: i64) {
        self.book_version += 1;
        self.book_ts_ns = ts_ns;
    }

    /// Whether the book is there changed; true if that is news.
    pub fn set_book(&mut self, has_book: bool) -> bool {
        let is_new = self.has_book != has_book;
        if is_new {
            self.has_book = has_book;
            self.version += 1;
            self.book_version += 1;
            if !has_book {
                self.touch = [f64::NAN; 4];
            }
        }
        is_new
    }

    /// Best bid, quantity, best ask, quantity; NaN while unknown.
    #[must_use]
    pub const fn touch(&self) -> Touch {
        self.touch
    }

    /// Mark and funding.
    #[must_use]
    pub const fn marks(&self) -> Marks {
        self.marks
    }

    /// The ticker as JSON.
    pub fn ticker(&mut self) -> &[u8] {
        self.make_ticker();
        &self.ticker.body
    }

    /// The ticker as an answer without its head.
    pub fn ticker_tail(&mut self) -> &[u8] {
        self.make_ticker();
        &self.ticker.tail
    }

    fn make_ticker(&mut self) {
        let mut kept = std::mem::take(&mut self.ticker);
        kept.remake(self.version, |to| self.encode_ticker(to));
        self.ticker = kept;
    }

    fn encode_ticker(&self, to: &mut Vec<u8>) {
        let [bid, bid_size, ask, ask_size] = self.touch;
        self.open(to);
        let last = self.last.unwrap_or(Last { price: f64::NAN, quantity: f64::NAN, ts_ns: 0 });
        field(to, "price", if last.price.is_nan() { (bid + ask) / 2.0 } else { last.price });
        field(to, "size", last.quantity);
        field(to, "bid", bid);
        field(to, "bid_size", bid_size);
        field(to, "ask", ask);
        field(to, "ask_size", ask_size);
        if self.market == Market::Linear {
            field(to, "mark", self.marks.mark.unwrap_or(f64::NAN));
            field(to, "index", self.marks.index.unwrap_or(f64::NAN));
            field(to, "funding_rate", self.marks.funding_rate.unwrap_or(f64::NAN));
            put(to, format_args!(",\"next_funding_ts\":"));
            match self.marks.next_funding_ns {
                Some(ns) => put(to, format_args!("{ns}")),
                None => to.extend_from_slice(b"null"),
            }
        }
        let ts_ns = last.ts_ns.max(self.book_ts_ns);
        put(to, format_args!(",\"timestamp\":{ts_ns},\"is_stale\":{}}}", !self.has_book));
    }

    /// The book as JSON, [`LEVELS`] a side.
    pub fn orderbook(&mut self, book: &Book) -> &[u8] {
        self.make_orderbook(book);
        &self.orderbook.body
    }

    /// The book as an answer without its head.
    pub fn orderbook_tail(&mut self, book: &Book) -> &[u8] {
        self.make_orderbook(book);
        &self.orderbook.tail
    }

    fn make_orderbook(&mut self, book: &Book) {
        let mut kept = std::mem::take(&mut self.orderbook);
        kept.remake(self.book_version, |to| self.encode_orderbook(to, book, LEVELS));
        self.orderbook = kept;
    }

    /// The book as JSON, this many levels a side.
    pub fn encode_orderbook(&self, to: &mut Vec<u8>, book: &Book, levels: usize) {
        self.open(to);
        for (name, side) in [("bids", Side::Buy), ("asks", Side::Sell)] {
            put(to, format_args!(",\"{name}\":["));
            let rows = book.levels(side).take(levels);
            for (place, (price, lots)) in rows.enumerate() {
                let Some(grid) = &self.grid else { break };
                let comma = if place > 0 { "," } else { "" };
                put(to, format_args!("{comma}[{},{}]", grid.price(price), grid.quantity(lots)));
            }
            to.push(b']');
        }
        put(to, format_args!(",\"timestamp\":{}}}", self.book_ts_ns));
    }

    /// Candles of the first length as an answer without its head, [`CANDLES`] of them.
    pub fn klines_tail(&mut self) -> &[u8] {
        let mut kept = std::mem::take(&mut self.klines);
        let version = self.candles.first().map_or(0, |candles| candles.version);
        kept.remake(version, |to| self.encode_klines(to, 0, CANDLES));
        self.klines = kept;
        &self.klines.tail
    }

    /// Candles as JSON: closed ones oldest first, and the running one.
    pub fn encode_klines(&self, to: &mut Vec<u8>, of: usize, count: usize) {
        let Some(candles) = self.candles.get(of) else { return };
        self.open(to);
        put(to, format_args!(",\"timeframe\":\"{}\",\"klines\":[", candles.timeframe.name));
        let closed = candles.closed();
        let skipped = closed.len().saturating_sub(count);
        for (place, row) in closed.iter().skip(skipped).enumerate() {
            if place > 0 {
                to.push(b',');
            }
            self.encode_row(to, row);
        }
        to.extend_from_slice(b"],\"running\":");
        match candles.running() {
            Some(row) => self.encode_row(to, row),
            None => to.extend_from_slice(b"null"),
        }
        to.push(b'}');
    }

    /// The last closed candle and the running one, as the stream tells them.
    pub fn encode_news(&self, to: &mut Vec<u8>, of: usize) {
        self.encode_klines(to, of, 1);
    }

    /// The indicators of one length as an answer without its head.
    pub fn indicators_tail(&mut self, of: usize) -> Option<&[u8]> {
        let mut kept = std::mem::take(self.indicators.get_mut(of)?);
        let version = self.candles.get(of)?.closed_version;
        kept.remake(version, |to| self.encode_indicators(to, of));
        let slot = self.indicators.get_mut(of)?;
        *slot = kept;
        Some(&slot.tail)
    }

    fn encode_indicators(&self, to: &mut Vec<u8>, of: usize) {
        let Some(candles) = self.candles.get(of) else { return };
        self.open(to);
        put(to, format_args!(",\"timeframe\":\"{}\"", candles.timeframe.name));
        let Some(found) = candles.indicators() else {
            to.extend_from_slice(b",\"candles\":0}");
            return;
        };
        let [sma, ema, rsi, line, signal, histogram, upper, lower] = found.values;
        let [.., close, _] = found.last.values;
        field(to, "close", close);
        for (name, value) in [("sma_20", sma), ("ema_20", ema), ("rsi_14", rsi)] {
            field(to, name, value);
        }
        put(to, format_args!(",\"macd_12_26_9\":{{\"line\":"));
        number(to, line);
        field(to, "signal", signal);
        field(to, "histogram", histogram);
        put(to, format_args!("}},\"bollinger_20_2\":{{\"upper\":"));
        number(to, upper);
        field(to, "middle", sma);
        field(to, "lower", lower);
        let (open_ns, count) = (found.last.open_ns, found.count);
        put(to, format_args!("}},\"candles\":{count},\"timestamp\":{open_ns}}}"));
    }

    fn encode_row(&self, to: &mut Vec<u8>, row: &Row) {
        let [open, high, low, close, volume] = row.values;
        put(to, format_args!("[{}", row.open_ns / 1_000_000));
        for value in [open, high, low, close, self.whole_lots(volume)] {
            to.push(b',');
            number(to, value);
        }
        to.push(b']');
    }

    /// A sum of quantities without the dust of adding floats.
    fn whole_lots(&self, quantity: f64) -> f64 {
        let Some(grid) = &self.grid else { return quantity };
        let lots = (quantity / grid.quantity(Lots(1))).round();
        grid.quantity(Lots(lots as i64))
    }

    fn open(&self, to: &mut Vec<u8>) {
        let (venue, market) = (self.venue.name(), self.market.name());
        let name = &self.name;
        put(
            to,
            format_args!("{{\"symbol\":\"{name}\",\"venue\":\"{venue}\",\"market\":\"{market}\""),
        );
    }
}

fn field(to: &mut Vec<u8>, name: &str, value: f64) {
    put(to, format_args!(",\"{name}\":"));
    number(to, value);
}

/// A number, or null for what is none.
pub fn number(to: &mut Vec<u8>, value: f64) {
    if value.is_finite() {
        put(to, format_args!("{value}"));
    } else {
        to.extend_from_slice(b"null");
    }
}

/// Writing into a Vec cannot fail.
pub fn put(to: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    let _ = to.write_fmt(text);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use hean_core::{Instrument, Kind, Ticks};
    use serde_json::Value;

    fn symbol() -> Symbol {
        let timeframes = [Timeframe::parse("1m").unwrap()];
        let mut symbol = Symbol::new(["BTCUSDT"; 2], Venue::Bybit, Market::Linear, &timeframes);
        let rules = Instrument::new("BTCUSDT", Kind::LinearPerpetual, "0.10", "0.001").unwrap();
        symbol.grid = Some(Grid::new(rules));
        symbol
    }

    fn json(bytes: &[u8]) -> Value {
        serde_json::from_slice(bytes).unwrap()
    }

    #[test]
    fn a_ticker_tells_what_is_known_and_null_for_the_rest() {
        let mut symbol = symbol();
        assert!(!symbol.has_price());
        symbol.touched([60_000.1, 1.5, 60_000.2, 0.001]);
        let told = json(symbol.ticker());
        assert_eq!(
            (told["bid"].as_f64(), told["ask_size"].as_f64()),
            (Some(60_000.1), Some(0.001))
        );
        assert!(told["size"].is_null() && told["is_stale"] == true);
        symbol.traded(60_000.2, 0.25, 7);
        symbol.set_book(true);
        let told = json(symbol.ticker());
        assert_eq!((told["price"].as_f64(), told["timestamp"].as_i64()), (Some(60_000.2), Some(7)));
        assert_eq!(told["is_stale"], false);
        symbol.set_book(false);
        assert!(json(symbol.ticker())["bid"].is_null());
    }

    #[test]
    fn an_answer_is_made_anew_when_what_it_tells_has_changed() {
        let mut symbol = symbol();
        let mut book = Book::new();
        book.apply_snapshot(&[(Ticks(600_001), Lots(1))], &[(Ticks(600_003), Lots(2_000))])
            .unwrap();
        symbol.booked(1);
        let told = json(symbol.orderbook(&book));
        assert_eq!(told["bids"], serde_json::json!([[60_000.1, 0.001]]));
        assert_eq!(told["asks"], serde_json::json!([[60_000.3, 2]]));
        book.update(Side::Buy, Ticks(600_002), Lots(5)).unwrap();
        symbol.booked(2);
        assert_eq!(json(symbol.orderbook(&book))["bids"][0][0], 60_000.2);
        let tail = String::from_utf8(symbol.orderbook_tail(&book).to_vec()).unwrap();
        assert!(tail.starts_with("Content-Type: application/json\r\nContent-Length: "));
    }

    #[test]
    fn candles_and_indicators_follow_the_closed_candles() {
        let mut symbol = symbol();
        for minute in 0..40 {
            symbol.traded(100.0 + f64::from(minute), 1.0, i64::from(minute) * 60_000_000_000);
        }
        let mut bytes = Vec::new();
        symbol.encode_klines(&mut bytes, 0, 2);
        let told = json(&bytes);
        assert_eq!(
            told["klines"],
            serde_json::json!([
                [2_220_000, 137, 137, 137, 137, 1],
                [2_280_000, 138, 138, 138, 138, 1]
            ])
        );
        assert_eq!(told["running"][4], 139);
        let tail = symbol.indicators_tail(0).unwrap();
        let body = tail.splitn(2, |byte| *byte == b'{').nth(1).unwrap();
        let told = json(&[b"{", body].concat());
        assert_eq!((told["sma_20"].as_f64(), told["candles"].as_u64()), (Some(128.5), Some(39)));
        assert_eq!(symbol.indicators_tail(1), None);
    }
}
