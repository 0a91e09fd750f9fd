// SPDX-License-Identifier: Apache-2.0
//! Bybit's trades and books in one pass. `None` means "read it the other way", never "bad": see
//! [`super::scan`]. A property test holds that both ways agree.

use std::borrow::Cow;

use super::bybit::{trade_id, TRADES_PER_FRAME_MAX};
use super::frame::{DepthDelta, DepthSnapshot, Frame, Level, Trade};
use super::scan::{set, Cursor};
use crate::number::Side;

#[derive(Default)]
struct Head<'a> {
    topic: Option<&'a str>,
    kind: Option<&'a str>,
    ts: Option<i64>,
    cts: Option<i64>,
}

/// What stands in `data`.
enum Data<'a> {
    Trades(Vec<Trade<'a>>),
    Book(Book<'a>),
}

/// Read a trade or book frame that looks as usual.
pub(super) fn read_fast(frame: &[u8]) -> Option<Frame<'_>> {
    let mut cursor = Cursor::new(frame)?;
    let mut head = Head::default();
    let mut data = None;
    cursor.object(|key, cursor| match key {
        "topic" => set(&mut head.topic, cursor.text()),
        "type" => set(&mut head.kind, cursor.text()),
        "ts" => set(&mut head.ts, cursor.time()),
        "cts" => set(&mut head.cts, cursor.time()),
        "data" => set(&mut data, read_data(head.topic?, cursor)),
        "creationTime" => None,
        _ => cursor.skip(),
    })?;
    cursor.end()?;
    match data? {
        Data::Trades(trades) => Some(Frame::Trades(trades)),
        Data::Book(book) => book.frame(&head),
    }
}

fn read_data<'a>(topic: &'a str, cursor: &mut Cursor<'a>) -> Option<Data<'a>> {
    match topic.split_once('.')? {
        ("publicTrade", symbol) => read_trades(symbol, cursor).map(Data::Trades),
        ("orderbook", rest) => read_book(rest, cursor).map(Data::Book),
        _ => None,
    }
}

fn read_trades<'a>(symbol: &str, cursor: &mut Cursor<'a>) -> Option<Vec<Trade<'a>>> {
    let mut trades = Vec::with_capacity(1);
    cursor.array(|cursor| {
        trades.push(read_trade(symbol, cursor)?);
        (trades.len() <= TRADES_PER_FRAME_MAX).then_some(())
    })?;
    Some(trades)
}

fn read_trade<'a>(topic: &str, cursor: &mut Cursor<'a>) -> Option<Trade<'a>> {
    let (mut ts, mut symbol, mut side) = (None, None, None);
    let (mut quantity, mut price, mut id) = (None, None, None);
    cursor.object(|key, cursor| match key {
        "T" => set(&mut ts, cursor.time()),
        "s" => set(&mut symbol, cursor.text()),
        "S" => set(&mut side, cursor.text()),
        "v" => set(&mut quantity, cursor.number()),
        "p" => set(&mut price, cursor.number()),
        "i" => set(&mut id, cursor.text()),
        _ => cursor.skip(),
    })?;
    let (price, quantity, symbol) = (price?, quantity?, symbol?);
    let side = match side? {
        "Buy" => Side::Buy,
        "Sell" => Side::Sell,
        _ => return None,
    };
    let is_sound = symbol == topic && price.to_f64() > 0.0 && quantity.to_f64() > 0.0;
    is_sound.then_some(Trade {
        symbol: Cow::Borrowed(symbol),
        ts_ns: ts?,
        price,
        quantity,
        side,
        id: trade_id(Cow::Borrowed(id?)),
        is_aggregate: false,
    })
}

struct Book<'a> {
    depth: u32,
    symbol: &'a str,
    bids: Vec<Level<'a>>,
    asks: Vec<Level<'a>>,
    id: u64,
    sequence: Option<u64>,
}

fn read_book<'a>(rest: &str, cursor: &mut Cursor<'a>) -> Option<Book<'a>> {
    let (depth, topic) = rest.split_once('.')?;
    let (mut symbol, mut bids, mut asks) = (None, None, None);
    let (mut id, mut sequence) = (None, None);
    cursor.object(|key, cursor| match key {
        "s" => set(&mut symbol, cursor.text()),
        "b" => set(&mut bids, cursor.levels()),
        "a" => set(&mut asks, cursor.levels()),
        "u" => set(&mut id, cursor.count()),
        "seq" => set(&mut sequence, cursor.count()),
        _ => cursor.skip(),
    })?;
    let symbol = symbol.filter(|symbol| *symbol == topic)?;
    let depth = depth.parse().ok()?;
    Some(Book { depth, symbol, bids: bids?, asks: asks?, id: id?, sequence })
}

impl<'a> Book<'a> {
    fn frame(self, head: &Head<'_>) -> Option<Frame<'a>> {
        let ts_ns = head.cts.or(head.ts)?;
        let is_snapshot = match head.kind? {
            "snapshot" => true,
            "delta" => self.id == 1,
            _ => return None,
        };
        let (symbol, depth) = (Cow::Borrowed(self.symbol), Some(self.depth));
        Some(if is_snapshot {
            Frame::DepthSnapshot(DepthSnapshot {
                symbol: Some(symbol),
                ts_ns: Some(ts_ns),
                last_id: self.id,
                sequence: self.sequence,
                depth,
                is_top_only: false,
                bids: self.bids,
                asks: self.asks,
            })
        } else {
            Frame::DepthDelta(DepthDelta {
                symbol,
                ts_ns,
                first_id: self.id,
                last_id: self.id,
                previous_id: None,
                sequence: self.sequence,
                depth,
                bids: self.bids,
                asks: self.asks,
            })
        })
    }
}
