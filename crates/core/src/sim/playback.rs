// SPDX-License-Identifier: Apache-2.0
//! Playing recorded bars, trades, quotes and depth into a market: the part of the venue that knows
//! how each kind of row moves the book and what of it the kernel is offered.

use crate::error::Result;
use crate::number::{Lots, Side, Ticks};
use crate::sim::fact::Fact;
use crate::sim::history::{depth_flag, Rows};
use crate::sim::market::Detail;
use crate::sim::path::{BarPath, WAYPOINTS};
use crate::sim::venue::SimVenue;

impl SimVenue {
    pub(super) fn play_bar(&mut self, index: usize) -> Result<()> {
        let stream = &self.streams[index];
        let (row, instrument) = (stream.cursor, stream.instrument);
        let Rows::Candles { open, high, low, close, volume, .. } = &stream.rows else {
            return Ok(());
        };
        let bar = [open[row], high[row], low[row], close[row], volume[row]];
        if self.drives[index] {
            let is_walked = self.stages[index] > 0
                || !self.markets[instrument].resting.is_empty()
                || !self.commands.is_empty();
            if is_walked && self.stages[index] < WAYPOINTS - 1 {
                return self.walk_bar(index, bar);
            }
            let market = &mut self.markets[instrument];
            let to = market.instrument.ticks_from_f64(bar[3])?;
            if is_walked {
                let from = market.last.unwrap_or(to);
                market.walk(from, to, false, &self.model, &mut self.executions);
            } else {
                market.last = Some(to);
            }
            market.published = Some(to);
            market.bar_finished(bar[1], bar[2], bar[3], bar[4]);
            self.mark(instrument, to)?;
        }
        self.stages[index] = 0;
        self.paths[index] = None;
        self.streams[index].cursor += 1;
        if self.streams[index].is_offered {
            self.facts.push(Fact::Candle { stream: index, row });
        }
        Ok(())
    }

    /// One waypoint before the close.
    fn walk_bar(&mut self, index: usize, bar: [f64; 5]) -> Result<()> {
        let instrument = self.streams[index].instrument;
        let market = &mut self.markets[instrument];
        let stage = self.stages[index];
        let path = match self.paths[index] {
            Some(path) => path,
            None => BarPath::new(&market.instrument, bar[0], bar[1], bar[2], bar[3])?,
        };
        self.paths[index] = Some(path);
        if stage == 0 {
            let share = bar[4].max(0.0) * self.model.participation;
            market.bar_allowance = market.instrument.quantise_quantity(share)?.0;
        }
        let to = path.prices[stage];
        let from = market.last.unwrap_or(to);
        market.walk(from, to, stage == 0, &self.model, &mut self.executions);
        self.stages[index] = stage + 1;
        self.mark(instrument, to)
    }

    pub(super) fn play_trade(&mut self, index: usize, row: usize) -> Result<()> {
        let stream = &mut self.streams[index];
        let Rows::Trades { price, qty, side } = &stream.rows else { return Ok(()) };
        let (price, qty) = (price[row], qty[row]);
        let aggressor = if side[row] == 0 { Side::Buy } else { Side::Sell };
        stream.cursor += 1;
        let (instrument, is_offered) = (stream.instrument, stream.is_offered);
        let market = &mut self.markets[instrument];
        let ticks = market.instrument.ticks_from_f64(price)?;
        let lots = market.instrument.quantise_quantity(qty)?;
        market.trade(ticks, lots, aggressor, &self.model, &mut self.executions);
        market.published = Some(ticks);
        if is_offered {
            let (bid, ask) = self.touch_f64(instrument);
            self.facts.push(Fact::Tick { instrument, price, volume: qty, bid, ask });
        }
        self.mark(instrument, ticks)
    }

    pub(super) fn play_quote(&mut self, index: usize, row: usize) -> Result<()> {
        let stream = &mut self.streams[index];
        let Rows::Quotes { bid, bid_qty, ask, ask_qty } = &stream.rows else { return Ok(()) };
        let (bid, bid_qty, ask, ask_qty) = (bid[row], bid_qty[row], ask[row], ask_qty[row]);
        stream.cursor += 1;
        let (instrument, is_offered) = (stream.instrument, stream.is_offered);
        let market = &mut self.markets[instrument];
        // A crossed or one-sided quote is a fault of the recording: nobody could trade on it.
        let is_usable = bid > 0.0 && ask > bid;
        if is_usable && market.detail == Detail::Touch {
            let rules = &market.instrument;
            let (bid, ask) = (rules.ticks_from_f64(bid)?, rules.ticks_from_f64(ask)?);
            let (bid_qty, ask_qty) =
                (rules.quantise_quantity(bid_qty)?, rules.quantise_quantity(ask_qty)?);
            let event = &mut self.depth_event;
            event.is_snapshot = true;
            event.bids.clear();
            event.asks.clear();
            event.bids.push((bid, bid_qty));
            event.asks.push((ask, ask_qty));
            market.depth(event, &self.model);
            market.book_moved(&self.model, &mut self.executions);
        }
        if is_usable && is_offered {
            let price = (bid + ask) / 2.0;
            self.facts.push(Fact::Tick { instrument, price, volume: 0.0, bid, ask });
        }
        self.mark_last(instrument)
    }

    /// One whole event: rows up to the one flagged as its end.
    pub(super) fn play_depth(&mut self, index: usize) -> Result<()> {
        let stream = &mut self.streams[index];
        let (instrument, is_offered) = (stream.instrument, stream.is_offered);
        let Rows::Depth { side, price, qty, flags } = &stream.rows else { return Ok(()) };
        let market = &mut self.markets[instrument];
        let event = &mut self.depth_event;
        event.is_snapshot = false;
        event.bids.clear();
        event.asks.clear();
        while stream.cursor < stream.ts.len() {
            let row = stream.cursor;
            stream.cursor += 1;
            event.is_snapshot |= flags[row] & depth_flag::SNAPSHOT_BEGIN != 0;
            // A snapshot of an empty book is one row of price 0.
            if price[row] != 0.0 {
                let ticks = market.instrument.ticks_from_f64(price[row])?;
                let lots = market.instrument.quantise_quantity(qty[row])?;
                let rows = if side[row] == 0 { &mut event.bids } else { &mut event.asks };
                rows.push((ticks, lots));
            }
            if flags[row] & depth_flag::EVENT_END != 0 {
                break;
            }
        }
        market.depth(event, &self.model);
        market.book_moved(&self.model, &mut self.executions);
        if is_offered {
            self.facts.push(Fact::Book { instrument, is_snapshot: event.is_snapshot });
        }
        self.mark_last(instrument)
    }

    fn mark_last(&mut self, instrument: usize) -> Result<()> {
        let market = &mut self.markets[instrument];
        market.published = market.last;
        match market.last {
            Some(last) => self.mark(instrument, last),
            None => Ok(()),
        }
    }

    /// Best bid and ask as floats, NaN where unknown.
    #[must_use]
    pub fn touch_f64(&self, instrument: usize) -> (f64, f64) {
        let Some(market) = self.markets.get(instrument) else { return (f64::NAN, f64::NAN) };
        let price = |ticks: Option<Ticks>| {
            ticks.map_or(f64::NAN, |ticks| market.instrument.price_f64(ticks))
        };
        match market.detail {
            Detail::Bars | Detail::Trades => (f64::NAN, f64::NAN),
            Detail::Touch | Detail::Ladder => {
                (price(market.touch(Side::Sell)), price(market.touch(Side::Buy)))
            }
        }
    }

    /// The best `depth` levels of both sides as (price, quantity).
    #[must_use]
    pub fn book_f64(&self, instrument: usize, depth: usize) -> [Vec<(f64, f64)>; 2] {
        let Some(market) = self.markets.get(instrument) else { return [Vec::new(), Vec::new()] };
        [Side::Buy, Side::Sell].map(|side| {
            let level = |(price, lots): (Ticks, Lots)| {
                (market.instrument.price_f64(price), market.instrument.quantity_f64(lots))
            };
            market.book.levels(side).take(depth).map(level).collect()
        })
    }

    /// Bars that were not walked because nobody was near: bring the price up to the present.
    pub(super) fn catch_up(&mut self, instrument: usize) -> Result<()> {
        for index in 0..self.streams.len() {
            let stream = &self.streams[index];
            if !self.drives[index] || stream.instrument != instrument || stream.remaining() == 0 {
                continue;
            }
            let (row, open_ns) = (stream.cursor, stream.time(stream.cursor));
            let Rows::Candles { open, high, low, close, volume, timeframe_ns } = &stream.rows
            else {
                continue;
            };
            let timeframe = *timeframe_ns;
            let bar = [open[row], high[row], low[row], close[row], volume[row]];
            while self.stages[index] < WAYPOINTS - 1
                && BarPath::time(open_ns, timeframe, self.stages[index]) < self.now
            {
                self.walk_bar(index, bar)?;
            }
        }
        Ok(())
    }
}
