// SPDX-License-Identifier: Apache-2.0
//! Facts of one symbol to rows: trades, quotes, mark prices. Bybit's tickers are merged first,
//! because a delta names only what changed.

use super::columns::{MarkColumns, Monotone, QuoteColumns, TradeColumns};
use super::frame::{BookTicker, MarkPrice, Ticker, Trade};

/// What a Bybit ticker is known to say: its deltas name only what changed.
#[derive(Default)]
struct TickerState {
    quote: [Option<f64>; 4],
    mark: Option<f64>,
    index: Option<f64>,
    funding_rate: Option<f64>,
    next_funding_ns: Option<i64>,
}

/// The tables of one symbol besides its book.
#[derive(Default)]
pub(super) struct Tables {
    pub trades: TradeColumns,
    pub quotes: QuoteColumns,
    pub marks: MarkColumns,
    pub trades_time: Monotone,
    pub quotes_time: Monotone,
    pub marks_time: Monotone,
    is_aggregate: Option<bool>,
    ticker: TickerState,
}

impl Tables {
    /// Single trades and aggregates tell the same volume twice: the kind seen first is kept.
    pub fn take_trades(&mut self, trades: &[Trade<'_>], line: u64) -> bool {
        let mut used = false;
        for trade in trades {
            if *self.is_aggregate.get_or_insert(trade.is_aggregate) != trade.is_aggregate {
                continue;
            }
            used = true;
            self.trades.ts_ns.push(self.trades_time.clamp(trade.ts_ns));
            self.trades.price.push(trade.price.to_f64());
            self.trades.quantity.push(trade.quantity.to_f64());
            self.trades.side.push(trade.side as u8);
            self.trades.id.push(&trade.id);
            self.trades.arrival.push(line as i64);
        }
        used
    }

    pub fn take_quote(&mut self, quote: &BookTicker<'_>, ts_ns: i64, line: u64) -> bool {
        let row = [quote.bid, quote.bid_quantity, quote.ask, quote.ask_quantity];
        let ts_ns = self.quotes_time.clamp(ts_ns);
        self.quotes.push(ts_ns, line as i64, row.map(|number| number.to_f64()));
        true
    }

    pub fn take_ticker(&mut self, ticker: &Ticker<'_>, line: u64) -> bool {
        if ticker.is_snapshot {
            self.ticker = TickerState::default();
        }
        let state = &mut self.ticker;
        let parts = [ticker.bid, ticker.bid_quantity, ticker.ask, ticker.ask_quantity];
        for (known, part) in state.quote.iter_mut().zip(parts) {
            *known = part.map(|number| number.to_f64()).or(*known);
        }
        if let (true, [Some(bid), Some(bid_quantity), Some(ask), Some(ask_quantity)]) =
            (parts.iter().any(Option::is_some), state.quote)
        {
            let ts_ns = self.quotes_time.clamp(ticker.ts_ns);
            self.quotes.push(ts_ns, line as i64, [bid, bid_quantity, ask, ask_quantity]);
        }
        let is_mark =
            ticker.mark.is_some() || ticker.funding_rate.is_some() || ticker.index.is_some();
        state.mark = ticker.mark.map(|number| number.to_f64()).or(state.mark);
        state.index = ticker.index.map(|number| number.to_f64()).or(state.index);
        state.funding_rate =
            ticker.funding_rate.map(|number| number.to_f64()).or(state.funding_rate);
        state.next_funding_ns = ticker.next_funding_ns.or(state.next_funding_ns);
        if let (true, Some(mark)) = (is_mark, state.mark) {
            let row = (mark, state.index, state.funding_rate, state.next_funding_ns);
            self.push_mark(ticker.ts_ns, line, row);
        }
        true
    }

    pub fn take_mark(&mut self, mark: &MarkPrice<'_>, line: u64) -> bool {
        let index = mark.index.map(|number| number.to_f64());
        let rate = mark.funding_rate.map(|number| number.to_f64());
        self.push_mark(mark.ts_ns, line, (mark.mark.to_f64(), index, rate, mark.next_funding_ns));
        true
    }

    fn push_mark(
        &mut self,
        ts_ns: i64,
        line: u64,
        (mark, index, rate, next): (f64, Option<f64>, Option<f64>, Option<i64>),
    ) {
        self.marks.ts_ns.push(self.marks_time.clamp(ts_ns));
        self.marks.mark.push(mark);
        self.marks.index.push(index.unwrap_or(f64::NAN));
        self.marks.funding_rate.push(rate.unwrap_or(f64::NAN));
        self.marks.next_funding_ns.push(next.unwrap_or(0));
        self.marks.arrival.push(line as i64);
    }
}
