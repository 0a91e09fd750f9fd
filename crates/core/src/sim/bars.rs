// SPDX-License-Identifier: Apache-2.0
//! Playing recorded bars: which stream drives the price of an instrument, when a stream next
//! matters, and the walk along a bar's path. A bar is walked only while it can matter to somebody
//! before its end: an order rests or is under way, or a perpetual is held and could be liquidated.

use crate::error::Result;
use crate::instrument::Kind;
use crate::number::MONEY_SCALE;
use crate::sim::fact::Fact;
use crate::sim::history::{Rows, Stream};
use crate::sim::market::Detail;
use crate::sim::path::{BarPath, WAYPOINTS};
use crate::sim::venue::SimVenue;

/// What comes first among moments of the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// A bar is over.
    BarEnd,
    /// Funding is settled: on what was held before anybody traded at this time.
    Funding,
    /// A trade, a quote, a change of the book.
    Tick,
    /// A point inside a bar, or its open.
    Waypoint,
}

/// When a stream next matters; the order of the fields is the order of play.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment {
    pub time: i64,
    pub rank: Rank,
    pub stream: usize,
}

impl SimVenue {
    /// Per instrument without trades or books, the shortest bars drive the price.
    pub(super) fn choose_drivers(&mut self) {
        for index in 0..self.streams.len() {
            let stream = &self.streams[index];
            let is_finest = |other: &Stream| {
                other.instrument != stream.instrument
                    || other.timeframe_ns() == 0
                    || other.timeframe_ns() >= stream.timeframe_ns()
            };
            self.drives[index] = stream.timeframe_ns() > 0
                && self.markets[stream.instrument].detail == Detail::Bars
                && self.streams.iter().all(is_finest);
        }
    }

    /// When a stream next matters; at the end of time once it is over.
    #[inline]
    pub(super) fn moment(&self, index: usize) -> Moment {
        let stream = &self.streams[index];
        if stream.cursor >= stream.ts.len() {
            return Moment { time: i64::MAX, rank: Rank::Waypoint, stream: index };
        }
        let open = stream.time(stream.cursor);
        let (time, rank) = match stream.rows {
            Rows::Candles { timeframe_ns, .. } => {
                let stage = if self.is_walked(index) { self.stages[index] } else { WAYPOINTS - 1 };
                let is_end = stage >= WAYPOINTS - 1;
                let rank = if is_end { Rank::BarEnd } else { Rank::Waypoint };
                (BarPath::time(open, timeframe_ns, stage), rank)
            }
            Rows::Funding { .. } => (open, Rank::Funding),
            _ => (open, Rank::Tick),
        };
        Moment { time, rank, stream: index }
    }

    /// Could the inside of this stream's present bar matter to anybody?
    #[inline]
    fn is_walked(&self, index: usize) -> bool {
        if self.stages[index] > 0 {
            return true;
        }
        let instrument = self.streams[index].instrument;
        self.drives[index]
            && (self.is_awaited()
                || !self.markets[instrument].resting.is_empty()
                || (self.position_lots(instrument).0 != 0 && self.is_endangered(index)))
    }

    /// Could a held perpetual be liquidated inside this stream's present bar? Certainly not if the
    /// account holds nothing else and carries the margin of the highest tier at the bar's worse
    /// extreme; otherwise the bar is walked to find out.
    fn is_endangered(&self, index: usize) -> bool {
        let stream = &self.streams[index];
        let market = &self.markets[stream.instrument];
        let rules = &market.instrument;
        if rules.kind != Kind::LinearPerpetual {
            return false;
        }
        let others = (0..self.markets.len()).filter(|&other| other != stream.instrument);
        let (Rows::Candles { high, low, .. }, Some(mark)) = (&stream.rows, market.last) else {
            return true;
        };
        let lots = self.position_lots(stream.instrument);
        let worse = if lots.0 > 0 { low[stream.cursor] } else { high[stream.cursor] };
        // Floats decide only whether to look closer, and with a hundredth to spare.
        let (mark, quantity) = (rules.price_f64(mark), rules.quantity_f64(lots));
        let equity = self.ledger.equity().0 as f64 / MONEY_SCALE as f64;
        let left = equity + (worse - mark) * quantity;
        let rate = rules.tiers.last().map_or(0.0, |tier| tier.maintenance_rate.to_f64());
        let needed = worse.max(mark) * quantity.abs() * rate * 1.01;
        left <= needed || others.into_iter().any(|other| self.position_lots(other).0 != 0)
    }

    pub(super) fn play_bar(&mut self, moment: Moment) -> Result<()> {
        let index = moment.stream;
        let stream = &self.streams[index];
        let (row, instrument) = (stream.cursor, stream.instrument);
        let Rows::Candles { open, high, low, close, volume, .. } = &stream.rows else {
            return Ok(());
        };
        let bar = [open[row], high[row], low[row], close[row], volume[row]];
        if self.drives[index] {
            if moment.rank == Rank::Waypoint {
                return self.walk_bar(index, bar);
            }
            let is_walked = self.stages[index] > 0;
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
        Ok(())
    }
}
