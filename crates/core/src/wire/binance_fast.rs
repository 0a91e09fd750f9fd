// SPDX-License-Identifier: Apache-2.0
//! Binance's trades, quotes and book deltas in one pass, raw or in a combined stream. `None` means
//! "read it the other way", never "bad": see [`super::scan`]. A property test holds that both ways
//! agree.

use std::borrow::Cow;

use super::binance::{aggressor, trade_id, Kind};
use super::frame::{BookTicker, DepthDelta, Frame, Trade};
use super::scalar::Number;
use super::scan::{set, Cursor};

/// Read a trade, quote or delta that looks as usual.
pub(super) fn read_fast(frame: &[u8]) -> Option<Frame<'_>> {
    let mut cursor = Cursor::new(frame)?;
    let read = match cursor.first_key()? {
        "stream" => {
            let kind = Kind::of_stream(cursor.text()?)?;
            cursor.key("data")?;
            let read = read_event(kind, &mut cursor);
            cursor.close()?;
            read
        }
        "e" => {
            let kind = Kind::of_event(cursor.text()?)?;
            cursor = Cursor::new(frame)?;
            read_event(kind, &mut cursor)
        }
        _ => None,
    };
    cursor.end()?;
    read
}

fn read_event<'a>(kind: Kind, cursor: &mut Cursor<'a>) -> Option<Frame<'a>> {
    match kind {
        Kind::Trade => read_trade(cursor),
        Kind::AggTrade => read_agg_trade(cursor),
        Kind::BookTicker => read_book_ticker(cursor),
        Kind::Depth => read_delta(cursor),
        Kind::DepthTop | Kind::Kline | Kind::MarkPrice => None,
    }
}

/// The event inside must be the stream's; spot's quotes have none.
fn is_event(kind: Kind, event: Option<&str>) -> bool {
    event.is_none_or(|event| event == kind.event())
}

/// A key that no usual event has may be one that the other reader gives a meaning.
fn other(key: &str, cursor: &mut Cursor<'_>) -> Option<()> {
    match key {
        "E" | "M" | "f" | "l" | "st" | "nq" | "ps" => cursor.skip(),
        _ => None,
    }
}

fn read_trade<'a>(cursor: &mut Cursor<'a>) -> Option<Frame<'a>> {
    let (mut event, mut ts, mut symbol, mut id) = (None, None, None, None);
    let (mut price, mut quantity, mut origin, mut maker) = (None, None, None, None);
    cursor.object(|key, cursor| match key {
        "e" => set(&mut event, cursor.text()),
        "T" => set(&mut ts, cursor.time()),
        "s" => set(&mut symbol, cursor.text()),
        "t" => set(&mut id, cursor.count()),
        "p" => set(&mut price, cursor.number()),
        "q" => set(&mut quantity, cursor.number()),
        "X" => set(&mut origin, cursor.text()),
        "m" => set(&mut maker, cursor.boolean()),
        _ => other(key, cursor),
    })?;
    let is_market = origin.is_none_or(|origin| origin == "MARKET");
    if !is_market || !is_event(Kind::Trade, event) {
        return None;
    }
    trade(symbol?, ts?, (price?, quantity?), maker?, id?, false)
}

fn read_agg_trade<'a>(cursor: &mut Cursor<'a>) -> Option<Frame<'a>> {
    let (mut event, mut ts, mut symbol, mut id) = (None, None, None, None);
    let (mut price, mut quantity, mut maker) = (None, None, None);
    cursor.object(|key, cursor| match key {
        "e" => set(&mut event, cursor.text()),
        "T" => set(&mut ts, cursor.time()),
        "s" => set(&mut symbol, cursor.text()),
        "a" => set(&mut id, cursor.count()),
        "p" => set(&mut price, cursor.number()),
        "q" => set(&mut quantity, cursor.number()),
        "m" => set(&mut maker, cursor.boolean()),
        _ => other(key, cursor),
    })?;
    if !is_event(Kind::AggTrade, event) {
        return None;
    }
    trade(symbol?, ts?, (price?, quantity?), maker?, id?, true)
}

fn trade<'a>(
    symbol: &'a str,
    ts_ns: i64,
    (price, quantity): (Number<'a>, Number<'a>),
    buyer_is_maker: bool,
    id: u64,
    is_aggregate: bool,
) -> Option<Frame<'a>> {
    let is_sound = price.to_f64() > 0.0 && quantity.to_f64() > 0.0;
    let id = trade_id(id).ok().filter(|_| is_sound)?;
    let symbol = Cow::Borrowed(symbol);
    let side = aggressor(buyer_is_maker);
    Some(Frame::Trades(vec![Trade { symbol, ts_ns, price, quantity, side, id, is_aggregate }]))
}

fn read_book_ticker<'a>(cursor: &mut Cursor<'a>) -> Option<Frame<'a>> {
    let (mut event, mut sent, mut ts, mut symbol) = (None, None, None, None);
    let (mut id, mut bid, mut bid_quantity) = (None, None, None);
    let (mut ask, mut ask_quantity) = (None, None);
    cursor.object(|key, cursor| match key {
        "e" => set(&mut event, cursor.text()),
        "E" => set(&mut sent, cursor.time()),
        "T" => set(&mut ts, cursor.time()),
        "s" => set(&mut symbol, cursor.text()),
        "u" => set(&mut id, cursor.count()),
        "b" => set(&mut bid, cursor.number()),
        "B" => set(&mut bid_quantity, cursor.number()),
        "a" => set(&mut ask, cursor.number()),
        "A" => set(&mut ask_quantity, cursor.number()),
        _ => other(key, cursor),
    })?;
    let numbers = [bid?, bid_quantity?, ask?, ask_quantity?];
    let is_sound = numbers.iter().all(|number| number.to_f64() >= 0.0);
    let [bid, bid_quantity, ask, ask_quantity] = numbers;
    let quote = BookTicker {
        symbol: Cow::Borrowed(symbol?),
        ts_ns: ts.or(sent),
        bid,
        bid_quantity,
        ask,
        ask_quantity,
        update_id: id?,
    };
    (is_sound && is_event(Kind::BookTicker, event)).then_some(Frame::BookTicker(quote))
}

fn read_delta<'a>(cursor: &mut Cursor<'a>) -> Option<Frame<'a>> {
    let (mut event, mut sent, mut ts, mut symbol) = (None, None, None, None);
    let (mut first, mut last, mut previous) = (None, None, None);
    let (mut bids, mut asks) = (None, None);
    cursor.object(|key, cursor| match key {
        "e" => set(&mut event, cursor.text()),
        "E" => set(&mut sent, cursor.time()),
        "T" => set(&mut ts, cursor.time()),
        "s" => set(&mut symbol, cursor.text()),
        "U" => set(&mut first, cursor.count()),
        "u" => set(&mut last, cursor.count()),
        "pu" => set(&mut previous, cursor.count()),
        "b" => set(&mut bids, cursor.levels()),
        "a" => set(&mut asks, cursor.levels()),
        _ => other(key, cursor),
    })?;
    let (first_id, last_id, sent): (u64, u64, i64) = (first?, last?, sent?);
    (first_id <= last_id && is_event(Kind::Depth, event)).then_some(())?;
    Some(Frame::DepthDelta(DepthDelta {
        symbol: Cow::Borrowed(symbol?),
        ts_ns: ts.unwrap_or(sent),
        first_id,
        last_id,
        previous_id: previous,
        sequence: None,
        depth: None,
        bids: bids?,
        asks: asks?,
    }))
}
