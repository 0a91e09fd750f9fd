// SPDX-License-Identifier: Apache-2.0
//! Bybit V5 frames: order book, trades, tickers, candles, and the replies to requests; private
//! topics are read in `bybit_private`. The topic decides what is read, and the symbol inside must
//! be the topic's. Field order differs by topic, so nothing depends on it. A book frame with `u` =
//! 1 is a restart of the venue's service and counts as a snapshot whatever its type says. Source:
//! V5 websocket/public pages.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::bybit_fast;
use super::bybit_private::read_private;
use super::frame::{DepthDelta, DepthSnapshot, Frame, Kline, Level, Ticker, Trade, TradeId};
use super::json::{not_negative, positive, read};
use super::reply::bybit_reply;
use super::scalar::{Maybe, MaybeStamp, Number, Stamp, Text};
use super::{check_length, invalid};
use crate::error::{CoreError, Result};
use crate::number::Side;

/// Most trades in one message [websocket/public/trade].
pub const TRADES_PER_FRAME_MAX: usize = 1024;

/// Read one Bybit message.
///
/// *frame*: the bytes of one WebSocket message. *Errors*: `FrameInvalid` when it is not a JSON
/// object, longer than `FRAME_BYTES_MAX`, or lacks or garbles a field of a topic that HEAN reads.
/// Unknown topics and fields are not errors.
pub fn parse_bybit(frame: &[u8]) -> Result<Frame<'_>> {
    check_length(frame)?;
    bybit_fast::read_fast(frame).map_or_else(|| read_any(frame), Ok)
}

/// Read whatever the fast way leaves.
pub(super) fn read_any(frame: &[u8]) -> Result<Frame<'_>> {
    let head: Head<'_> = read(frame, "frame")?;
    let Some(topic) = head.topic.as_ref().map(|text| text.0.as_ref()) else {
        return bybit_reply(frame);
    };
    match topic.split_once('.').unwrap_or((topic, "")) {
        ("orderbook", rest) => read_book(&head, rest),
        ("publicTrade", rest) => read_trades(&head, rest),
        ("tickers", rest) => read_ticker(&head, rest),
        ("kline", rest) => read_klines(&head, rest),
        ("order" | "execution" | "position" | "wallet", _) => {
            read_private(topic, head.data()?, head.created_ns()?)
                .map(|private| Frame::Private(Box::new(private)))
        }
        (channel, _) => Ok(Frame::Ignored(Cow::Owned(channel.to_owned()))),
    }
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow, default)]
    topic: Option<Text<'a>>,
    #[serde(rename = "type", borrow, default)]
    kind: Option<Text<'a>>,
    #[serde(default)]
    ts: MaybeStamp,
    #[serde(default)]
    cts: MaybeStamp,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(rename = "creationTime", default)]
    created: MaybeStamp,
}

impl<'a> Head<'a> {
    fn data(&self) -> Result<&'a [u8]> {
        self.data.map(|raw| raw.get().as_bytes()).ok_or_else(|| invalid("data is missing"))
    }

    fn ts_ns(&self) -> Result<i64> {
        self.ts.0.ok_or_else(|| invalid("ts is missing"))
    }

    fn created_ns(&self) -> Result<i64> {
        self.created.0.ok_or_else(|| invalid("creationTime is missing"))
    }

    fn is_snapshot(&self) -> Result<bool> {
        match self.kind.as_ref().map(|text| text.0.as_ref()) {
            Some("snapshot") => Ok(true),
            Some("delta") => Ok(false),
            other => Err(invalid(format!("type {other:?}: expected snapshot or delta"))),
        }
    }
}

fn check_symbol(topic: &str, symbol: &str) -> Result<()> {
    if topic == symbol {
        return Ok(());
    }
    Err(invalid(format!("symbol {symbol:?} in the topic of {topic:?}")))
}

/// `200.BTCUSDT` to depth or interval, and symbol.
fn split_topic<'t>(rest: &'t str, channel: &str) -> Result<(&'t str, &'t str)> {
    rest.split_once('.').ok_or_else(|| invalid(format!("topic {channel}.{rest} names no symbol")))
}

#[derive(Deserialize)]
struct BookWire<'a> {
    #[serde(borrow)]
    s: Text<'a>,
    #[serde(borrow)]
    b: Vec<Level<'a>>,
    #[serde(borrow)]
    a: Vec<Level<'a>>,
    u: u64,
    #[serde(default)]
    seq: Option<u64>,
}

fn read_book<'a>(head: &Head<'a>, rest: &str) -> Result<Frame<'a>> {
    let (depth, symbol) = split_topic(rest, "orderbook")?;
    let depth: u32 =
        depth.parse().map_err(|_| invalid(format!("orderbook depth {depth:?} is not a number")))?;
    let wire: BookWire<'a> = read(head.data()?, "orderbook")?;
    check_symbol(symbol, &wire.s.0)?;
    let ts_ns = head.cts.0.map_or_else(|| head.ts_ns(), Ok)?;
    if head.is_snapshot()? || wire.u == 1 {
        return Ok(Frame::DepthSnapshot(DepthSnapshot {
            symbol: Some(wire.s.0),
            ts_ns: Some(ts_ns),
            last_id: wire.u,
            sequence: wire.seq,
            depth: Some(depth),
            is_top_only: false,
            bids: wire.b,
            asks: wire.a,
        }));
    }
    Ok(Frame::DepthDelta(DepthDelta {
        symbol: wire.s.0,
        ts_ns,
        first_id: wire.u,
        last_id: wire.u,
        previous_id: None,
        sequence: wire.seq,
        depth: Some(depth),
        bids: wire.b,
        asks: wire.a,
    }))
}

#[derive(Deserialize)]
struct TradeWire<'a> {
    #[serde(rename = "T")]
    ts: Stamp,
    #[serde(borrow)]
    s: Text<'a>,
    #[serde(rename = "S", borrow)]
    side: Text<'a>,
    #[serde(borrow)]
    v: Number<'a>,
    #[serde(borrow)]
    p: Number<'a>,
    #[serde(borrow)]
    i: Text<'a>,
}

fn read_trades<'a>(head: &Head<'a>, symbol: &str) -> Result<Frame<'a>> {
    let wires: Vec<TradeWire<'a>> = read(head.data()?, "publicTrade")?;
    if wires.len() > TRADES_PER_FRAME_MAX {
        return Err(invalid(format!(
            "publicTrade of {} trades, allowed {TRADES_PER_FRAME_MAX}",
            wires.len()
        )));
    }
    wires.into_iter().map(|wire| trade(wire, symbol)).collect::<Result<_>>().map(Frame::Trades)
}

fn trade<'a>(wire: TradeWire<'a>, symbol: &str) -> Result<Trade<'a>> {
    check_symbol(symbol, &wire.s.0)?;
    let side = match wire.side.0.as_ref() {
        "Buy" => Side::Buy,
        "Sell" => Side::Sell,
        other => return Err(invalid(format!("publicTrade S {other:?}: expected Buy or Sell"))),
    };
    Ok(Trade {
        symbol: wire.s.0,
        ts_ns: wire.ts.0,
        price: positive(wire.p, "publicTrade p")?,
        quantity: positive(wire.v, "publicTrade v")?,
        side,
        id: trade_id(wire.i.0),
        is_aggregate: false,
    })
}

/// Spot ids are numbers in quotes, contract ids are not numbers.
pub(super) fn trade_id(id: Cow<'_, str>) -> TradeId<'_> {
    // "007" and "+7" must not become 7: only the text that a number prints as is a number.
    let is_number = id.bytes().all(|byte| byte.is_ascii_digit()) && !id.starts_with('0');
    match id.parse() {
        Ok(number) if is_number => TradeId::Number(number),
        _ => TradeId::Text(id),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TickerWire<'a> {
    #[serde(borrow)]
    symbol: Text<'a>,
    #[serde(borrow, default)]
    last_price: Maybe<'a>,
    #[serde(borrow, default)]
    mark_price: Maybe<'a>,
    #[serde(borrow, default)]
    index_price: Maybe<'a>,
    #[serde(borrow, default)]
    funding_rate: Maybe<'a>,
    #[serde(default)]
    next_funding_time: MaybeStamp,
    #[serde(borrow, default)]
    bid1_price: Maybe<'a>,
    #[serde(borrow, default)]
    bid1_size: Maybe<'a>,
    #[serde(borrow, default)]
    ask1_price: Maybe<'a>,
    #[serde(borrow, default)]
    ask1_size: Maybe<'a>,
    #[serde(borrow, default)]
    open_interest: Maybe<'a>,
}

fn read_ticker<'a>(head: &Head<'a>, symbol: &str) -> Result<Frame<'a>> {
    let wire: TickerWire<'a> = read(head.data()?, "tickers")?;
    check_symbol(symbol, &wire.symbol.0)?;
    let checked = |price: Maybe<'a>, field: &str| -> Result<Option<Number<'a>>> {
        price.0.map(|number| not_negative(number, field)).transpose()
    };
    Ok(Frame::Ticker(Ticker {
        symbol: wire.symbol.0,
        ts_ns: head.ts_ns()?,
        is_snapshot: head.is_snapshot()?,
        last: checked(wire.last_price, "lastPrice")?,
        mark: checked(wire.mark_price, "markPrice")?,
        index: checked(wire.index_price, "indexPrice")?,
        funding_rate: wire.funding_rate.0,
        next_funding_ns: wire.next_funding_time.0,
        bid: checked(wire.bid1_price, "bid1Price")?,
        bid_quantity: checked(wire.bid1_size, "bid1Size")?,
        ask: checked(wire.ask1_price, "ask1Price")?,
        ask_quantity: checked(wire.ask1_size, "ask1Size")?,
        open_interest: checked(wire.open_interest, "openInterest")?,
    }))
}

#[derive(Deserialize)]
struct KlineWire<'a> {
    start: Stamp,
    end: Stamp,
    #[serde(borrow)]
    interval: Text<'a>,
    #[serde(borrow)]
    open: Number<'a>,
    #[serde(borrow)]
    high: Number<'a>,
    #[serde(borrow)]
    low: Number<'a>,
    #[serde(borrow)]
    close: Number<'a>,
    #[serde(borrow)]
    volume: Number<'a>,
    #[serde(borrow)]
    turnover: Number<'a>,
    confirm: bool,
    timestamp: Stamp,
}

fn read_klines<'a>(head: &Head<'a>, rest: &str) -> Result<Frame<'a>> {
    let (_, symbol) = split_topic(rest, "kline")?;
    let wires: Vec<KlineWire<'a>> = read(head.data()?, "kline")?;
    let read_one = |wire: KlineWire<'a>| -> std::result::Result<Kline<'a>, CoreError> {
        Ok(Kline {
            symbol: Cow::Owned(symbol.to_owned()),
            ts_ns: wire.timestamp.0,
            interval: wire.interval.0,
            open_ns: wire.start.0,
            close_ns: wire.end.0,
            open: positive(wire.open, "kline open")?,
            high: positive(wire.high, "kline high")?,
            low: positive(wire.low, "kline low")?,
            close: positive(wire.close, "kline close")?,
            volume: not_negative(wire.volume, "kline volume")?,
            turnover: not_negative(wire.turnover, "kline turnover")?,
            is_closed: wire.confirm,
        })
    };
    wires.into_iter().map(read_one).collect::<Result<_>>().map(Frame::Klines)
}
