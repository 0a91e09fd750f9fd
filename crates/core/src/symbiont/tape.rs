// SPDX-License-Identifier: Apache-2.0
//! One symbol's recorded bars as the judge reads them: exact prices, extremes of each 64 rows to
//! skip by, funding settlements with the price they are settled at, and what a trader knew of
//! funding at each bar. Everything is computed once for all agents.

use super::bank::{Rows, WORD};
use super::terms::Terms;
use crate::error::{Code, CoreError, Result};
use crate::instrument::{Instrument, Kind};
use crate::number::{Rate, Ticks};
use crate::sim::path::{BarPath, WAYPOINTS};
use crate::sim::{Column, Fees};

/// What a tape is made of.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// Trading rules.
    pub instrument: Instrument,
    /// What trading costs.
    pub fees: Fees,
    /// Largest leverage.
    pub leverage: Rate,
    /// Length of a bar, ns.
    pub timeframe_ns: i64,
    /// Open times, ns.
    pub ts: Column<i64>,
    /// Open, high, low, close, volume.
    pub bars: [Column<f64>; 5],
    /// Times of funding settlements, ns, and their rates.
    pub funding: (Vec<i64>, Vec<f64>),
    /// Columns of the user's.
    pub extras: Vec<Column<f64>>,
}

/// One settlement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settlement {
    /// When, ns.
    pub time: i64,
    /// Fraction longs pay to shorts.
    pub rate: Rate,
    /// Price it is settled at.
    pub mark: Ticks,
}

/// One symbol, ready to be judged on.
#[derive(Debug, Clone)]
pub struct Tape {
    /// Where it comes from.
    pub recorded: Recorded,
    /// Open, high, low, close of each row in ticks.
    pub prices: [Vec<i64>; 4],
    /// Lowest low and highest high of each 64 rows.
    pub extremes: Vec<(i64, i64)>,
    /// Settlements after the first bar.
    pub settlements: Vec<Settlement>,
    /// Last known rate at the end of each bar.
    pub known_funding: Vec<f64>,
}

impl Tape {
    /// A tape of recorded bars.
    ///
    /// # Errors
    /// [`Code::ParameterInvalid`] for anything but a linear perpetual or latencies that do not fit
    /// into a third of a bar; [`Code::DataInvalid`] for columns of unequal length or bars that
    /// overlap; prices off the grid.
    pub fn new(recorded: Recorded, terms: &Terms) -> Result<Self> {
        let rules = &recorded.instrument;
        if rules.kind != Kind::LinearPerpetual {
            let why = format!("{}: the judge plays linear perpetuals only", rules.symbol);
            return Err(CoreError::new(Code::ParameterInvalid, why));
        }
        terms.check(recorded.timeframe_ns)?;
        check_columns(&recorded)?;
        let mut prices = [const { Vec::new() }; 4];
        for (to, from) in prices.iter_mut().zip(&recorded.bars) {
            let ticks = from.iter().map(|&price| rules.ticks_from_f64(price).map(|it| it.0));
            *to = ticks.collect::<Result<Vec<i64>>>()?;
        }
        check_extremes(rules, &prices)?;
        let [_, highs, lows, _] = &prices;
        let extremes = lows.chunks(WORD).zip(highs.chunks(WORD)).map(|(low, high)| {
            let lowest = low.iter().copied().min().unwrap_or(i64::MAX);
            (lowest, high.iter().copied().max().unwrap_or(i64::MIN))
        });
        let extremes = extremes.collect();
        let mut tape =
            Self { recorded, prices, extremes, settlements: Vec::new(), known_funding: Vec::new() };
        tape.settlements = tape.settled()?;
        tape.known_funding = tape.known(terms.response_ns);
        Ok(tape)
    }

    /// Number of bars.
    #[must_use]
    pub fn len(&self) -> usize {
        self.recorded.ts.len()
    }

    /// Whether there is no bar at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// When a bar opens, ns.
    #[inline]
    #[must_use]
    pub fn begin(&self, row: usize) -> i64 {
        self.recorded.ts[row]
    }

    /// When a bar is over, ns.
    #[inline]
    #[must_use]
    pub fn end(&self, row: usize) -> i64 {
        self.recorded.ts[row] + self.recorded.timeframe_ns
    }

    /// Rows that are over at `time`, or before it where `is_strict`.
    #[must_use]
    pub fn over(&self, time: i64, is_strict: bool) -> usize {
        let bound = time - self.recorded.timeframe_ns;
        if is_strict {
            self.recorded.ts.partition_point(|&ts| ts < bound)
        } else {
            self.recorded.ts.partition_point(|&ts| ts <= bound)
        }
    }

    /// Open of a row.
    #[inline]
    #[must_use]
    pub fn open(&self, row: usize) -> Ticks {
        Ticks(self.prices[0][row])
    }

    /// Close of a row.
    #[inline]
    #[must_use]
    pub fn close(&self, row: usize) -> Ticks {
        Ticks(self.prices[3][row])
    }

    /// The waypoints of a row.
    #[must_use]
    pub fn path(&self, row: usize) -> [Ticks; WAYPOINTS] {
        let [open, high, low, close] = [0, 1, 2, 3].map(|at: usize| Ticks(self.prices[at][row]));
        BarPath::of_ticks(open, high, low, close).prices
    }

    /// Relative range and volume in lots of the last bar up to `row` that had volume.
    #[must_use]
    pub fn last_traded(&self, row: usize) -> [f64; 2] {
        let [_, high, low, close, volume] = &self.recorded.bars;
        let lot = self.recorded.instrument.quantity_f64(crate::number::Lots(1));
        let found = (0..=row).rev().find(|&at| close[at] > 0.0 && volume[at] > 0.0);
        found.map_or([0.0, 0.0], |at| [(high[at] - low[at]) / close[at], volume[at] / lot])
    }

    /// All columns, for a bank.
    #[must_use]
    pub fn rows(&self) -> Rows<'_> {
        let [open, high, low, close, volume] = &self.recorded.bars;
        Rows { open, high, low, close, volume, funding: &self.known_funding }
    }

    fn settled(&self) -> Result<Vec<Settlement>> {
        let (times, rates) = &self.recorded.funding;
        let mut found = Vec::with_capacity(times.len());
        for (&time, &rate) in times.iter().zip(rates) {
            let over = self.over(time, false);
            if over > 0 {
                let mark = self.close(over - 1);
                found.push(Settlement { time, rate: Rate::from_f64(rate)?, mark });
            }
        }
        Ok(found)
    }

    fn known(&self, response_ns: i64) -> Vec<f64> {
        let mut next = 0;
        let mut rate = f64::NAN;
        let rows = 0..self.len();
        rows.map(|row| {
            while self
                .settlements
                .get(next)
                .is_some_and(|it| it.time + response_ns <= self.end(row))
            {
                rate = self.settlements[next].rate.to_f64();
                next += 1;
            }
            rate
        })
        .collect()
    }
}

fn check_columns(recorded: &Recorded) -> Result<()> {
    let bad = |why: String| Err(CoreError::new(Code::DataInvalid, why));
    let symbol = &recorded.instrument.symbol;
    let count = recorded.ts.len();
    let columns = recorded.bars.iter().chain(&recorded.extras);
    if let Some(other) = columns.map(|it| it.len()).find(|&length| length != count) {
        return bad(format!("{symbol}: {count} times but {other} values"));
    }
    if recorded.funding.0.len() != recorded.funding.1.len() {
        return bad(format!("{symbol}: funding times and rates differ in number"));
    }
    let (length, ts) = (recorded.timeframe_ns, &recorded.ts);
    if let Some(at) = ts.windows(2).position(|two| two[1] - two[0] < length) {
        return bad(format!("{symbol}: bars {at} and {} overlap", at + 1));
    }
    if recorded.funding.0.windows(2).any(|two| two[1] < two[0]) {
        return bad(format!("{symbol}: times of funding fall"));
    }
    if count >= u32::MAX as usize {
        return bad(format!("{symbol}: {count} bars; too many"));
    }
    Ok(())
}

fn check_extremes(rules: &Instrument, prices: &[Vec<i64>; 4]) -> Result<()> {
    let [open, high, low, close] = prices;
    for (row, &low) in low.iter().enumerate() {
        let inside = |price: i64| low <= price && price <= high[row];
        if !(inside(open[row]) && inside(close[row]) && low > 0) {
            let why = format!("{}: bar {row} leaves its own high and low", rules.symbol);
            return Err(CoreError::new(Code::DataInvalid, why));
        }
    }
    Ok(())
}
