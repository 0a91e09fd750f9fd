// SPDX-License-Identifier: Apache-2.0
//! The facts a venue can tell about its market. They borrow from the frame they were read from, so
//! reading costs no copy; whoever keeps a fact takes the floats or the exact counts out of it.
//! Times are venue times in nanoseconds UTC: the matching time where the frame has one (`T`,
//! `cts`), otherwise the time of sending (`E`, `ts`).

use std::borrow::Cow;

use super::account::Private;
use super::reply::Reply;
pub use super::scalar::Number;
use crate::number::Side;

/// One price level; quantity 0 in a delta removes the level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level<'a> {
    /// Price, above zero.
    pub price: Number<'a>,
    /// Absolute quantity, not a change.
    pub quantity: Number<'a>,
}

/// The venue's name of a trade.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TradeId<'a> {
    /// Binance, and Bybit spot.
    Number(i64),
    /// Bybit contracts.
    Text(Cow<'a, str>),
}

/// One public trade.
#[derive(Debug, Clone, PartialEq)]
pub struct Trade<'a> {
    /// Venue's symbol.
    pub symbol: Cow<'a, str>,
    /// Time of the match.
    pub ts_ns: i64,
    /// Price, above zero.
    pub price: Number<'a>,
    /// Quantity in base units or contracts.
    pub quantity: Number<'a>,
    /// Side of the aggressor (taker).
    pub side: Side,
    /// The venue's id; aggregates count apart from single trades.
    pub id: TradeId<'a>,
    /// One order's fills at one price, summed by the venue.
    pub is_aggregate: bool,
}

/// Best bid and ask; a price of 0 means that side is empty.
#[derive(Debug, Clone, PartialEq)]
pub struct BookTicker<'a> {
    /// Venue's symbol.
    pub symbol: Cow<'a, str>,
    /// Venue time; Binance spot sends none.
    pub ts_ns: Option<i64>,
    /// Best bid price.
    pub bid: Number<'a>,
    /// Quantity there.
    pub bid_quantity: Number<'a>,
    /// Best ask price.
    pub ask: Number<'a>,
    /// Quantity there.
    pub ask_quantity: Number<'a>,
    /// Book update this belongs to.
    pub update_id: u64,
}

/// Changes of a book, with the ids that chain it.
#[derive(Debug, Clone, PartialEq)]
pub struct DepthDelta<'a> {
    /// Venue's symbol.
    pub symbol: Cow<'a, str>,
    /// Venue time.
    pub ts_ns: i64,
    /// First update inside (`U`; Bybit: `u`).
    pub first_id: u64,
    /// Last update inside (`u`).
    pub last_id: u64,
    /// Last update of the event before (`pu`, USD-M only).
    pub previous_id: Option<u64>,
    /// Bybit's cross sequence, which ties books of all depths and trades together.
    pub sequence: Option<u64>,
    /// Levels the topic carries (Bybit `orderbook.200`); `None` is the full book.
    pub depth: Option<u32>,
    /// Changed bids.
    pub bids: Vec<Level<'a>>,
    /// Changed asks.
    pub asks: Vec<Level<'a>>,
}

/// A whole book, or its top.
#[derive(Debug, Clone, PartialEq)]
pub struct DepthSnapshot<'a> {
    /// Venue's symbol; Binance's REST answer has none.
    pub symbol: Option<Cow<'a, str>>,
    /// Venue time; Binance spot's REST answer has none.
    pub ts_ns: Option<i64>,
    /// Update the book stands at.
    pub last_id: u64,
    /// Bybit's cross sequence.
    pub sequence: Option<u64>,
    /// Levels the topic carries; `None` is the full book or a REST answer.
    pub depth: Option<u32>,
    /// Only the top of a book that has no deltas (Binance `@depth5`): never a seed.
    pub is_top_only: bool,
    /// Bids, best first.
    pub bids: Vec<Level<'a>>,
    /// Asks, best first.
    pub asks: Vec<Level<'a>>,
}

/// Bybit's ticker. A delta names only what changed: `None` means unchanged, or not sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Ticker<'a> {
    /// Venue's symbol.
    pub symbol: Cow<'a, str>,
    /// Venue time.
    pub ts_ns: i64,
    /// Everything is in it; otherwise it changes what was known.
    pub is_snapshot: bool,
    /// Last traded price.
    pub last: Option<Number<'a>>,
    /// Mark price.
    pub mark: Option<Number<'a>>,
    /// Index price.
    pub index: Option<Number<'a>>,
    /// Funding rate of the running interval, a fraction.
    pub funding_rate: Option<Number<'a>>,
    /// Next settlement.
    pub next_funding_ns: Option<i64>,
    /// Best bid price.
    pub bid: Option<Number<'a>>,
    /// Quantity there.
    pub bid_quantity: Option<Number<'a>>,
    /// Best ask price.
    pub ask: Option<Number<'a>>,
    /// Quantity there.
    pub ask_quantity: Option<Number<'a>>,
    /// Open interest in base units.
    pub open_interest: Option<Number<'a>>,
}

/// One candle, perhaps still running.
#[derive(Debug, Clone, PartialEq)]
pub struct Kline<'a> {
    /// Venue's symbol.
    pub symbol: Cow<'a, str>,
    /// Time of this state of the candle.
    pub ts_ns: i64,
    /// Venue's name of the interval (`1m`, `1`).
    pub interval: Cow<'a, str>,
    /// Opening time of the bar.
    pub open_ns: i64,
    /// Last millisecond of the bar.
    pub close_ns: i64,
    /// First price.
    pub open: Number<'a>,
    /// Highest price.
    pub high: Number<'a>,
    /// Lowest price.
    pub low: Number<'a>,
    /// Last price.
    pub close: Number<'a>,
    /// Volume in base units.
    pub volume: Number<'a>,
    /// Volume in quote units.
    pub turnover: Number<'a>,
    /// The bar is final.
    pub is_closed: bool,
}

/// Mark price and funding of a perpetual.
#[derive(Debug, Clone, PartialEq)]
pub struct MarkPrice<'a> {
    /// Venue's symbol.
    pub symbol: Cow<'a, str>,
    /// Venue time.
    pub ts_ns: i64,
    /// Mark price.
    pub mark: Number<'a>,
    /// Index price.
    pub index: Option<Number<'a>>,
    /// Funding rate of the running interval, a fraction; none on delivery contracts.
    pub funding_rate: Option<Number<'a>>,
    /// Next settlement; none on delivery contracts.
    pub next_funding_ns: Option<i64>,
}

/// What one message says.
#[derive(Debug, Clone, PartialEq)]
pub enum Frame<'a> {
    /// Trades, oldest first; Bybit sends up to 1024 in one message.
    Trades(Vec<Trade<'a>>),
    /// Best bid and ask.
    BookTicker(BookTicker<'a>),
    /// Changes of a book.
    DepthDelta(DepthDelta<'a>),
    /// A whole book.
    DepthSnapshot(DepthSnapshot<'a>),
    /// Bybit's ticker.
    Ticker(Ticker<'a>),
    /// Candles; Binance sends one at a time.
    Klines(Vec<Kline<'a>>),
    /// Mark price and funding.
    MarkPrice(MarkPrice<'a>),
    /// Answer to a request.
    Reply(Box<Reply<'a>>),
    /// Something about one's own account.
    Private(Box<Private<'a>>),
    /// Well-formed, but nothing HEAN uses; the name of its kind, for the counters.
    Ignored(Cow<'a, str>),
}

impl Frame<'_> {
    /// Name of the kind, as used in counters.
    #[must_use]
    pub fn kind(&self) -> &str {
        match self {
            Self::Trades(_) => "trades",
            Self::BookTicker(_) => "book_ticker",
            Self::DepthDelta(_) => "depth_delta",
            Self::DepthSnapshot(_) => "depth_snapshot",
            Self::Ticker(_) => "ticker",
            Self::Klines(_) => "klines",
            Self::MarkPrice(_) => "mark_price",
            Self::Reply(_) => "reply",
            Self::Private(private) => private.kind(),
            Self::Ignored(kind) => kind,
        }
    }

    /// The symbol it is about, when it names one.
    #[must_use]
    pub fn symbol(&self) -> Option<&str> {
        match self {
            Self::Trades(trades) => trades.first().map(|trade| trade.symbol.as_ref()),
            Self::BookTicker(quote) => Some(&quote.symbol),
            Self::DepthDelta(delta) => Some(&delta.symbol),
            Self::DepthSnapshot(snapshot) => snapshot.symbol.as_deref(),
            Self::Ticker(ticker) => Some(&ticker.symbol),
            Self::Klines(klines) => klines.first().map(|kline| kline.symbol.as_ref()),
            Self::MarkPrice(mark) => Some(&mark.symbol),
            Self::Private(private) => private.symbol(),
            Self::Reply(_) | Self::Ignored(_) => None,
        }
    }

    /// The venue time, when it has one; of several trades the last.
    #[must_use]
    pub fn ts_ns(&self) -> Option<i64> {
        match self {
            Self::Trades(trades) => trades.last().map(|trade| trade.ts_ns),
            Self::BookTicker(quote) => quote.ts_ns,
            Self::DepthDelta(delta) => Some(delta.ts_ns),
            Self::DepthSnapshot(snapshot) => snapshot.ts_ns,
            Self::Ticker(ticker) => Some(ticker.ts_ns),
            Self::Klines(klines) => klines.last().map(|kline| kline.ts_ns),
            Self::MarkPrice(mark) => Some(mark.ts_ns),
            Self::Private(private) => private.ts_ns(),
            Self::Reply(_) | Self::Ignored(_) => None,
        }
    }
}
