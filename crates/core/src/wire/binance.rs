// SPDX-License-Identifier: Apache-2.0
//! Binance spot and USD-M: combined-stream frames, raw-stream frames, replies, and the REST depth
//! snapshot that a capture holds between them; user events are read in `binance_private`. The
//! stream name, or else the event type `e`, decides what is read; a frame whose stream and event
//! disagree is refused. Source: spot and USD-M stream pages.

use std::borrow::Cow;

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::binance_fast;
use super::binance_private::read_private;
use super::frame::{
    BookTicker, DepthDelta, DepthSnapshot, Frame, Kline, Level, MarkPrice, Trade, TradeId,
};
use super::json::{not_negative, positive, read};
use super::reply::binance_reply;
use super::scalar::{Maybe, MaybeStamp, Number, Stamp, Text};
use super::{check_length, invalid};
use crate::error::Result;
use crate::number::Side;

/// Read one Binance message.
///
/// *frame*: the bytes of one WebSocket message, or of a REST depth answer. *Errors*:
/// `FrameInvalid` when it is not JSON, longer than `FRAME_BYTES_MAX`, or lacks or garbles a field
/// of an event that HEAN reads. Unknown events and fields are not errors.
pub fn parse_binance(frame: &[u8]) -> Result<Frame<'_>> {
    check_length(frame)?;
    binance_fast::read_fast(frame).map_or_else(|| read_any(frame), Ok)
}

/// Read whatever the fast way leaves.
pub(super) fn read_any(frame: &[u8]) -> Result<Frame<'_>> {
    if first_byte(frame) == Some(b'[') {
        return read::<IgnoredAny>(frame, "frame").map(|_| Frame::Ignored(Cow::Borrowed("array")));
    }
    let head: Head<'_> = read(frame, "frame")?;
    let Some(data) = head.data.or(head.event) else {
        return read_payload(frame, &head);
    };
    let data = data.get().as_bytes();
    if first_byte(data) != Some(b'{') {
        return Ok(Frame::Ignored(Cow::Borrowed("array")));
    }
    let stream = head.stream.map_or(Cow::Borrowed(""), |text| text.0);
    match Kind::of_stream(&stream) {
        Some(kind) => read_kind(kind, data, &stream),
        None => read_payload(data, &read(data, "data")?),
    }
}

fn first_byte(bytes: &[u8]) -> Option<u8> {
    bytes.iter().copied().find(|byte| !byte.is_ascii_whitespace())
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow, default)]
    stream: Option<Text<'a>>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    event: Option<&'a RawValue>,
    #[serde(borrow, default)]
    e: Option<Text<'a>>,
    #[serde(rename = "lastUpdateId", default)]
    last_update_id: Option<u64>,
    /// Spot's bookTicker has no `e`; its two quantities tell it apart.
    #[serde(rename = "B", borrow, default)]
    bid_quantity: Option<&'a RawValue>,
    #[serde(rename = "A", borrow, default)]
    ask_quantity: Option<&'a RawValue>,
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
    #[serde(default)]
    code: Option<i64>,
    #[serde(default)]
    status: Option<u16>,
    /// `null` is a result too.
    #[serde(rename = "result", default, deserialize_with = "present")]
    has_result: bool,
}

fn present<'de, D: Deserializer<'de>>(input: D) -> std::result::Result<bool, D::Error> {
    IgnoredAny::deserialize(input).map(|_| true)
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Trade,
    AggTrade,
    BookTicker,
    Depth,
    DepthTop,
    Kline,
    MarkPrice,
}

impl Kind {
    pub(super) fn of_stream(stream: &str) -> Option<Self> {
        let (_, topic) = stream.split_once('@')?;
        match topic {
            "trade" => Some(Self::Trade),
            "aggTrade" => Some(Self::AggTrade),
            "bookTicker" => Some(Self::BookTicker),
            "markPrice" | "markPrice@1s" => Some(Self::MarkPrice),
            "depth" => Some(Self::Depth),
            _ if topic.starts_with("depth@") => Some(Self::Depth),
            _ if topic.starts_with("kline_") => Some(Self::Kline),
            _ => {
                let digit = topic.strip_prefix("depth")?.bytes().next()?;
                digit.is_ascii_digit().then_some(Self::DepthTop)
            }
        }
    }

    pub(super) fn of_event(event: &str) -> Option<Self> {
        match event {
            "trade" => Some(Self::Trade),
            "aggTrade" => Some(Self::AggTrade),
            "bookTicker" => Some(Self::BookTicker),
            "depthUpdate" => Some(Self::Depth),
            "kline" => Some(Self::Kline),
            "markPriceUpdate" => Some(Self::MarkPrice),
            _ => None,
        }
    }

    pub(super) const fn event(self) -> &'static str {
        match self {
            Self::Trade => "trade",
            Self::AggTrade => "aggTrade",
            Self::BookTicker => "bookTicker",
            Self::Depth | Self::DepthTop => "depthUpdate",
            Self::Kline => "kline",
            Self::MarkPrice => "markPriceUpdate",
        }
    }

    /// The event type inside a frame must be the one its stream promises.
    fn check(self, event: Option<&Text<'_>>) -> Result<()> {
        match event {
            Some(Text(event)) if event != self.event() => {
                Err(invalid(format!("event {event:?} on a {:?} stream", self.event())))
            }
            _ => Ok(()),
        }
    }
}

/// A payload without a telling stream name: raw mode, REST, replies, private events.
fn read_payload<'a>(data: &'a [u8], head: &Head<'a>) -> Result<Frame<'a>> {
    if let Some(Text(event)) = &head.e {
        return match Kind::of_event(event) {
            Some(kind) => read_kind(kind, data, ""),
            None => Ok(match read_private(event, data)? {
                Some(private) => Frame::Private(Box::new(private)),
                None => Frame::Ignored(event.clone()),
            }),
        };
    }
    if head.last_update_id.is_some() {
        return read_snapshot(data, "", false);
    }
    if head.bid_quantity.is_some() && head.ask_quantity.is_some() {
        return read_book_ticker(data);
    }
    let is_reply = head.id.is_some() || head.status.is_some() || head.has_result;
    if is_reply || head.code.is_some() || head.error.is_some() {
        return binance_reply(data);
    }
    Ok(Frame::Ignored(Cow::Borrowed("unnamed")))
}

fn read_kind<'a>(kind: Kind, data: &'a [u8], stream: &str) -> Result<Frame<'a>> {
    match kind {
        Kind::Trade => read_trade(data),
        Kind::AggTrade => read_agg_trade(data),
        Kind::BookTicker => read_book_ticker(data),
        Kind::Depth => read_delta(data),
        Kind::DepthTop => read_top(data, stream),
        Kind::Kline => read_kline(data),
        Kind::MarkPrice => read_mark_price(data),
    }
}

#[derive(Deserialize)]
struct TradeWire<'a> {
    #[serde(borrow, default)]
    e: Option<Text<'a>>,
    #[serde(rename = "T")]
    ts: Stamp,
    #[serde(borrow)]
    s: Text<'a>,
    t: u64,
    #[serde(borrow)]
    p: Number<'a>,
    #[serde(borrow)]
    q: Number<'a>,
    #[serde(rename = "X", borrow, default)]
    origin: Option<Text<'a>>,
    m: bool,
}

fn read_trade(data: &[u8]) -> Result<Frame<'_>> {
    let wire: TradeWire<'_> = read(data, "trade")?;
    Kind::Trade.check(wire.e.as_ref())?;
    // USD-M also prints insurance-fund and auto-deleveraging transfers here, at prices that were
    // not made by the book (often 0). They are not market trades.
    if wire.origin.is_some_and(|origin| origin.0 != "MARKET") {
        return Ok(Frame::Ignored(Cow::Borrowed("trade_off_market")));
    }
    Ok(Frame::Trades(vec![Trade {
        symbol: wire.s.0,
        ts_ns: wire.ts.0,
        price: positive(wire.p, "trade p")?,
        quantity: positive(wire.q, "trade q")?,
        side: aggressor(wire.m),
        id: trade_id(wire.t)?,
        is_aggregate: false,
    }]))
}

#[derive(Deserialize)]
struct AggTradeWire<'a> {
    #[serde(borrow, default)]
    e: Option<Text<'a>>,
    #[serde(rename = "T")]
    ts: Stamp,
    #[serde(borrow)]
    s: Text<'a>,
    a: u64,
    #[serde(borrow)]
    p: Number<'a>,
    #[serde(borrow)]
    q: Number<'a>,
    m: bool,
}

fn read_agg_trade(data: &[u8]) -> Result<Frame<'_>> {
    let wire: AggTradeWire<'_> = read(data, "aggTrade")?;
    Kind::AggTrade.check(wire.e.as_ref())?;
    Ok(Frame::Trades(vec![Trade {
        symbol: wire.s.0,
        ts_ns: wire.ts.0,
        price: positive(wire.p, "aggTrade p")?,
        quantity: positive(wire.q, "aggTrade q")?,
        side: aggressor(wire.m),
        id: trade_id(wire.a)?,
        is_aggregate: true,
    }]))
}

/// `m` says that the buyer was the maker, so the seller was the aggressor.
pub(super) const fn aggressor(buyer_is_maker: bool) -> Side {
    if buyer_is_maker {
        Side::Sell
    } else {
        Side::Buy
    }
}

pub(super) fn trade_id(id: u64) -> Result<TradeId<'static>> {
    i64::try_from(id)
        .map(TradeId::Number)
        .map_err(|_| invalid(format!("trade id {id}: expected below 2^63")))
}

#[derive(Deserialize)]
struct BookTickerWire<'a> {
    #[serde(borrow, default)]
    e: Option<Text<'a>>,
    #[serde(rename = "E", default)]
    sent: Option<Stamp>,
    #[serde(rename = "T", default)]
    ts: Option<Stamp>,
    u: u64,
    #[serde(borrow)]
    s: Text<'a>,
    #[serde(borrow)]
    b: Number<'a>,
    #[serde(rename = "B", borrow)]
    bid_quantity: Number<'a>,
    #[serde(borrow)]
    a: Number<'a>,
    #[serde(rename = "A", borrow)]
    ask_quantity: Number<'a>,
}

fn read_book_ticker(data: &[u8]) -> Result<Frame<'_>> {
    let wire: BookTickerWire<'_> = read(data, "bookTicker")?;
    Kind::BookTicker.check(wire.e.as_ref())?;
    Ok(Frame::BookTicker(BookTicker {
        symbol: wire.s.0,
        ts_ns: wire.ts.or(wire.sent).map(|stamp| stamp.0),
        bid: not_negative(wire.b, "bookTicker b")?,
        bid_quantity: not_negative(wire.bid_quantity, "bookTicker B")?,
        ask: not_negative(wire.a, "bookTicker a")?,
        ask_quantity: not_negative(wire.ask_quantity, "bookTicker A")?,
        update_id: wire.u,
    }))
}

#[derive(Deserialize)]
struct DepthWire<'a> {
    #[serde(borrow, default)]
    e: Option<Text<'a>>,
    #[serde(rename = "E")]
    sent: Stamp,
    #[serde(rename = "T", default)]
    ts: Option<Stamp>,
    #[serde(borrow)]
    s: Text<'a>,
    #[serde(rename = "U")]
    first: u64,
    #[serde(rename = "u")]
    last: u64,
    #[serde(rename = "pu", default)]
    previous: Option<u64>,
    #[serde(borrow)]
    b: Vec<Level<'a>>,
    #[serde(borrow)]
    a: Vec<Level<'a>>,
}

fn read_delta(data: &[u8]) -> Result<Frame<'_>> {
    let wire: DepthWire<'_> = read(data, "depthUpdate")?;
    Kind::Depth.check(wire.e.as_ref())?;
    if wire.first > wire.last {
        return Err(invalid(format!("depthUpdate U {} above u {}", wire.first, wire.last)));
    }
    Ok(Frame::DepthDelta(DepthDelta {
        symbol: wire.s.0,
        ts_ns: wire.ts.unwrap_or(wire.sent).0,
        first_id: wire.first,
        last_id: wire.last,
        previous_id: wire.previous,
        sequence: None,
        depth: None,
        bids: wire.b,
        asks: wire.a,
    }))
}

/// `@depth5` and its siblings: spot sends the REST shape, USD-M the event shape.
fn read_top<'a>(data: &'a [u8], stream: &str) -> Result<Frame<'a>> {
    let head: Head<'a> = read(data, "data")?;
    if head.last_update_id.is_some() {
        return read_snapshot(data, stream, true);
    }
    let wire: DepthWire<'_> = read(data, "depthUpdate")?;
    Kind::DepthTop.check(wire.e.as_ref())?;
    Ok(Frame::DepthSnapshot(DepthSnapshot {
        symbol: Some(wire.s.0),
        ts_ns: Some(wire.ts.unwrap_or(wire.sent).0),
        last_id: wire.last,
        sequence: None,
        depth: None,
        is_top_only: true,
        bids: wire.b,
        asks: wire.a,
    }))
}

#[derive(Deserialize)]
struct SnapshotWire<'a> {
    #[serde(rename = "lastUpdateId")]
    last_update_id: u64,
    #[serde(rename = "E", default)]
    sent: Option<Stamp>,
    #[serde(rename = "T", default)]
    ts: Option<Stamp>,
    #[serde(borrow)]
    bids: Vec<Level<'a>>,
    #[serde(borrow)]
    asks: Vec<Level<'a>>,
}

fn read_snapshot<'a>(data: &'a [u8], stream: &str, is_top_only: bool) -> Result<Frame<'a>> {
    let wire: SnapshotWire<'_> = read(data, "depth snapshot")?;
    let symbol = stream.split_once('@').map(|(symbol, _)| Cow::Owned(symbol.to_uppercase()));
    Ok(Frame::DepthSnapshot(DepthSnapshot {
        symbol,
        ts_ns: wire.ts.or(wire.sent).map(|stamp| stamp.0),
        last_id: wire.last_update_id,
        sequence: None,
        depth: None,
        is_top_only,
        bids: wire.bids,
        asks: wire.asks,
    }))
}

#[derive(Deserialize)]
struct KlineWire<'a> {
    #[serde(borrow, default)]
    e: Option<Text<'a>>,
    #[serde(rename = "E")]
    sent: Stamp,
    #[serde(borrow)]
    s: Text<'a>,
    #[serde(borrow)]
    k: BarWire<'a>,
}

#[derive(Deserialize)]
struct BarWire<'a> {
    t: Stamp,
    #[serde(rename = "T")]
    end: Stamp,
    #[serde(borrow)]
    i: Text<'a>,
    #[serde(borrow)]
    o: Number<'a>,
    #[serde(borrow)]
    h: Number<'a>,
    #[serde(borrow)]
    l: Number<'a>,
    #[serde(borrow)]
    c: Number<'a>,
    #[serde(borrow)]
    v: Number<'a>,
    #[serde(borrow)]
    q: Number<'a>,
    x: bool,
}

fn read_kline(data: &[u8]) -> Result<Frame<'_>> {
    let wire: KlineWire<'_> = read(data, "kline")?;
    Kind::Kline.check(wire.e.as_ref())?;
    let bar = wire.k;
    Ok(Frame::Klines(vec![Kline {
        symbol: wire.s.0,
        ts_ns: wire.sent.0,
        interval: bar.i.0,
        open_ns: bar.t.0,
        close_ns: bar.end.0,
        open: positive(bar.o, "kline o")?,
        high: positive(bar.h, "kline h")?,
        low: positive(bar.l, "kline l")?,
        close: positive(bar.c, "kline c")?,
        volume: not_negative(bar.v, "kline v")?,
        turnover: not_negative(bar.q, "kline q")?,
        is_closed: bar.x,
    }]))
}

#[derive(Deserialize)]
struct MarkPriceWire<'a> {
    #[serde(borrow, default)]
    e: Option<Text<'a>>,
    #[serde(rename = "E")]
    sent: Stamp,
    #[serde(borrow)]
    s: Text<'a>,
    #[serde(borrow)]
    p: Number<'a>,
    #[serde(borrow, default)]
    i: Maybe<'a>,
    #[serde(borrow, default)]
    r: Maybe<'a>,
    #[serde(rename = "T", default)]
    next: MaybeStamp,
}

fn read_mark_price(data: &[u8]) -> Result<Frame<'_>> {
    let wire: MarkPriceWire<'_> = read(data, "markPriceUpdate")?;
    Kind::MarkPrice.check(wire.e.as_ref())?;
    Ok(Frame::MarkPrice(MarkPrice {
        symbol: wire.s.0,
        ts_ns: wire.sent.0,
        mark: positive(wire.p, "markPriceUpdate p")?,
        index: wire.i.0,
        funding_rate: wire.r.0,
        next_funding_ns: wire.next.0,
    }))
}
