// SPDX-License-Identifier: Apache-2.0
//! One symbol's recorded bars as the judge reads them: exact prices, extremes of each 64 rows to
//! skip by, funding settlements with the price they are settled at, and what a trader knew of
//! funding at each bar. Everything is computed once for all agents.

use std::ops::Range;

use super::bank::{Rows, BLOCK, WORD};
use super::gene::STOP_WINDOW;
use super::terms::Terms;
use crate::error::{Code, CoreError, Result};
use crate::indicator::Atr;
use crate::instrument::{Instrument, Kind};
use crate::number::{Lots, Rate, Ticks};
use crate::sim::path::{BarPath, WAYPOINTS};
use crate::sim::{Column, Fees};

/// Rows that all agents are taken over before the next: so few that what they read of a tape stays
/// in the processor's cache meanwhile.
pub const STRETCH: usize = 8 * BLOCK;

/// Bytes of a line of the cache.
const LINE: usize = 64;

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
    /// Open, high, low, close of each row in ticks; together, because a trade reads them together.
    pub prices: Vec<[i64; 4]>,
    /// Relative range and volume in lots of the last bar up to each row that had volume.
    pub traded: Vec<[f64; 2]>,
    /// Average true range at each row, in which stops are measured; NaN while undefined.
    pub yardstick: Vec<f64>,
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
        let mut prices = vec![[0; 4]; recorded.ts.len()];
        for (at, column) in recorded.bars.iter().take(4).enumerate() {
            for (row, &price) in prices.iter_mut().zip(column.iter()) {
                row[at] = rules.ticks_from_f64(price)?.0;
            }
        }
        check_extremes(rules, &prices)?;
        let extremes = prices.chunks(WORD).map(|rows| {
            let lowest = rows.iter().map(|row| row[2]).min().unwrap_or(i64::MAX);
            (lowest, rows.iter().map(|row| row[1]).max().unwrap_or(i64::MIN))
        });
        let extremes = extremes.collect();
        let (traded, yardstick) = (traded(&recorded), yardstick(&recorded)?);
        let (settlements, known_funding) = (Vec::new(), Vec::new());
        let mut tape =
            Self { recorded, prices, traded, yardstick, extremes, settlements, known_funding };
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
        let ts = &self.recorded.ts[..];
        let bound = time - self.recorded.timeframe_ns - i64::from(is_strict);
        let Some(&first) = ts.first().filter(|&&first| first <= bound) else { return 0 };
        // So many, were there no gap; with one, they are fewer.
        let dense = bound.abs_diff(first) / self.recorded.timeframe_ns as u64 + 1;
        let dense = ts.len().min(dense as usize);
        if ts[dense - 1] <= bound {
            return dense;
        }
        ts[..dense].partition_point(|&ts| ts <= bound)
    }

    /// Open of a row.
    #[inline]
    #[must_use]
    pub fn open(&self, row: usize) -> Ticks {
        Ticks(self.prices[row][0])
    }

    /// Close of a row.
    #[inline]
    #[must_use]
    pub fn close(&self, row: usize) -> Ticks {
        Ticks(self.prices[row][3])
    }

    /// The waypoints of a row.
    #[must_use]
    pub fn path(&self, row: usize) -> [Ticks; WAYPOINTS] {
        let [open, high, low, close] = self.prices[row].map(Ticks);
        BarPath::of_ticks(open, high, low, close).prices
    }

    /// All columns, for a bank.
    #[must_use]
    pub fn rows(&self) -> Rows<'_> {
        let [open, high, low, close, volume] = &self.recorded.bars;
        Rows { open, high, low, close, volume, funding: &self.known_funding }
    }

    /// Read rows once in their order, which a processor foresees, so that agents, who come to rows
    /// that it cannot foresee, find them in its cache.
    pub fn warm(&self, rows: Range<usize>) {
        let ts = touch(&self.recorded.ts[rows.clone()], |&ts| ts as u64);
        let prices = touch(&self.prices[rows.clone()], |row| row[0] as u64);
        let traded = touch(&self.traded[rows.clone()], |row| row[0].to_bits());
        let close = touch(&self.recorded.bars[3][rows.clone()], |it| it.to_bits());
        let yardstick = touch(&self.yardstick[rows], |it| it.to_bits());
        std::hint::black_box(ts ^ prices ^ traded ^ close ^ yardstick);
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

/// Read something in each line of a processor's cache.
fn touch<T>(column: &[T], bits: impl Fn(&T) -> u64) -> u64 {
    column.iter().step_by(LINE / size_of::<T>()).fold(0, |seen, it| seen ^ bits(it))
}

/// As the venue remembers finished bars: one without volume tells nothing of the cost of trading.
fn traded(recorded: &Recorded) -> Vec<[f64; 2]> {
    let [_, high, low, close, volume] = &recorded.bars;
    let lot = recorded.instrument.quantity_f64(Lots(1));
    let mut last = [0.0, 0.0];
    (0..close.len())
        .map(|at| {
            if close[at] > 0.0 && volume[at] > 0.0 {
                last = [(high[at] - low[at]) / close[at], volume[at] / lot];
            }
            last
        })
        .collect()
}

fn yardstick(recorded: &Recorded) -> Result<Vec<f64>> {
    let [_, high, low, close, _] = &recorded.bars;
    let mut atr = Atr::new(STOP_WINDOW)?;
    let rows = high.iter().zip(low.iter()).zip(close.iter());
    Ok(rows.map(|((&high, &low), &close)| atr.push(high, low, close).unwrap_or(f64::NAN)).collect())
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

fn check_extremes(rules: &Instrument, prices: &[[i64; 4]]) -> Result<()> {
    for (row, &[open, high, low, close]) in prices.iter().enumerate() {
        let inside = |price: i64| low <= price && price <= high;
        if !(inside(open) && inside(close) && low > 0) {
            let why = format!("{}: bar {row} leaves its own high and low", rules.symbol);
            return Err(CoreError::new(Code::DataInvalid, why));
        }
    }
    Ok(())
}
