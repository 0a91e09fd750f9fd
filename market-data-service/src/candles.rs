// SPDX-License-Identifier: Apache-2.0
//! Candles of one symbol and one length: a thousand closed ones and the running one. Trades make
//! the running candle; what the venue says of a closed one replaces what trades made of it.
//! Indicators are those of the core over the closes, computed when asked for after a candle has
//! closed.

use std::collections::VecDeque;

use hean_core::indicator::{Five, Stream};

use crate::timeframe::Timeframe;

/// Closed candles that are kept: what the slowest standard indicator has forgotten its seed by.
pub const KEPT: usize = 1_000;

/// One candle: opening time; open, high, low, close, volume.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row {
    /// When it began, ns.
    pub open_ns: i64,
    /// Open, high, low, close, volume.
    pub values: [f64; 5],
}

/// The last values of the five standard indicators; NaN where there are too few candles.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Indicators {
    /// SMA 20, EMA 20, RSI 14, MACD line, signal and histogram, upper and lower Bollinger band.
    pub values: [f64; 8],
    /// The last closed candle.
    pub last: Row,
    /// Closed candles they were computed over.
    pub count: usize,
}

/// Candles of one length.
#[derive(Debug, Clone)]
pub struct Candles {
    /// Their length.
    pub timeframe: Timeframe,
    /// Changes with every candle that changes.
    pub version: u64,
    /// Changes with every closed candle that changes.
    pub closed_version: u64,
    closed: VecDeque<Row>,
    running: Option<Row>,
}

impl Candles {
    /// None yet.
    #[must_use]
    pub const fn new(timeframe: Timeframe) -> Self {
        Self { timeframe, version: 0, closed_version: 0, closed: VecDeque::new(), running: None }
    }

    /// The closed ones, oldest first.
    #[must_use]
    pub const fn closed(&self) -> &VecDeque<Row> {
        &self.closed
    }

    /// The one that is being made.
    #[must_use]
    pub const fn running(&self) -> Option<&Row> {
        self.running.as_ref()
    }

    /// The past as the venue tells it, sorted by time; the last row may be running. What was closed
    /// since then stays.
    pub fn history(&mut self, rows: &[Row], now_ns: i64) {
        let Some(last) = rows.last() else { return };
        let length = self.timeframe.ns;
        let is_running = last.open_ns + length > now_ns;
        let known = if is_running { &rows[..rows.len() - 1] } else { rows };
        let newest = known.last().map_or(i64::MIN, |row| row.open_ns);
        let later: Vec<Row> =
            self.closed.iter().filter(|row| row.open_ns > newest).copied().collect();
        self.closed = known.iter().copied().chain(later).collect();
        self.trim();
        if is_running {
            let told = *last;
            self.running = Some(match self.running {
                Some(made) if made.open_ns == told.open_ns => joined(told, made),
                Some(made) if made.open_ns > told.open_ns => made,
                _ => told,
            });
        }
        self.changed(true);
    }

    /// A trade.
    pub fn trade(&mut self, price: f64, volume: f64, ts_ns: i64) {
        let open_ns = self.timeframe.open_ns(ts_ns);
        let fresh = Row { open_ns, values: [price, price, price, price, volume] };
        match &mut self.running {
            Some(row) if row.open_ns == open_ns => {
                let [_, high, low, close, sum] = &mut row.values;
                (*high, *low, *close) = (high.max(price), low.min(price), price);
                *sum += volume;
                self.changed(false);
            }
            Some(row) if row.open_ns > open_ns => {} // late; the venue's own candle has it
            Some(row) => {
                let done = *row;
                self.running = Some(fresh);
                self.put(done, false);
                self.changed(true);
            }
            None if self.closed.back().is_some_and(|row| row.open_ns >= open_ns) => {}
            None => {
                self.running = Some(fresh);
                self.changed(false);
            }
        }
    }

    /// The venue says that a candle has closed like this.
    pub fn close(&mut self, row: Row) {
        if self.running.is_some_and(|running| running.open_ns <= row.open_ns) {
            self.running = None;
        }
        self.put(row, true);
        self.changed(true);
    }

    /// The five standard indicators at the last closed candle; `None` without one.
    #[must_use]
    pub fn indicators(&self) -> Option<Indicators> {
        let last = *self.closed.back()?;
        let mut five = Stream::new(Five::new().ok()?);
        for row in &self.closed {
            let [.., close, _] = row.values;
            five.update([close]).ok()?;
        }
        Some(Indicators { values: *five.values(), last, count: self.closed.len() })
    }

    fn put(&mut self, row: Row, is_told: bool) {
        let at = self.closed.partition_point(|one| one.open_ns < row.open_ns);
        match self.closed.get_mut(at) {
            Some(one) if one.open_ns == row.open_ns => {
                if is_told {
                    *one = row;
                }
            }
            _ => self.closed.insert(at, row),
        }
        self.trim();
    }

    fn trim(&mut self) {
        while self.closed.len() > KEPT {
            self.closed.pop_front();
        }
    }

    fn changed(&mut self, is_closed: bool) {
        self.version += 1;
        self.closed_version += u64::from(is_closed);
    }
}

/// What the venue told of the running candle, and what trades made of it meanwhile.
fn joined(told: Row, made: Row) -> Row {
    let ([open, high, low, _, volume], [_, made_high, made_low, close, made_volume]) =
        (told.values, made.values);
    let values = [open, high.max(made_high), low.min(made_low), close, volume.max(made_volume)];
    Row { open_ns: told.open_ns, values }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const MINUTE: i64 = 60_000_000_000;

    fn row(minute: i64, close: f64) -> Row {
        Row { open_ns: minute * MINUTE, values: [close, close, close, close, 1.0] }
    }

    fn candles() -> Candles {
        Candles::new(Timeframe::parse("1m").unwrap())
    }

    #[test]
    fn trades_make_the_running_candle_and_the_venue_has_the_last_word() {
        let mut made = candles();
        for (price, ts_ns) in [(10.0, 5), (12.0, 6), (9.0, 7)] {
            made.trade(price, 2.0, MINUTE + ts_ns);
        }
        assert_eq!(made.running().unwrap().values, [10.0, 12.0, 9.0, 9.0, 6.0]);
        made.trade(11.0, 1.0, 2 * MINUTE);
        assert_eq!(made.closed().len(), 1);
        made.trade(99.0, 1.0, MINUTE); // late
        assert_eq!(made.closed()[0].values[1], 12.0);
        made.close(row(1, 50.0));
        assert_eq!((made.closed().len(), made.closed()[0].values[3]), (1, 50.0));
        made.close(row(2, 60.0));
        assert_eq!((made.closed().len(), made.running()), (2, None));
        made.trade(99.0, 1.0, 2 * MINUTE + 1); // told closed already
        assert_eq!(made.running(), None);
    }

    #[test]
    fn history_goes_before_what_was_heard_since() {
        let mut made = candles();
        made.close(row(7, 7.0));
        made.trade(8.5, 1.0, 8 * MINUTE);
        let told: Vec<Row> = (1..=6).map(|minute| row(minute, minute as f64)).collect();
        made.history(&told, 7 * MINUTE);
        let closes: Vec<f64> = made.closed().iter().map(|row| row.values[3]).collect();
        assert_eq!(closes, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
        made.history(&[row(7, 7.5), row(8, 8.0)], 8 * MINUTE + 1);
        assert_eq!(made.running().unwrap().values, [8.0, 8.5, 8.0, 8.5, 1.0]);
        assert_eq!(made.closed().len(), 1);
    }

    #[test]
    fn a_thousand_are_kept() {
        let mut made = candles();
        for minute in 0..1_200 {
            made.close(row(minute, 1.0));
        }
        assert_eq!((made.closed().len(), made.closed()[0].open_ns), (KEPT, 200 * MINUTE));
    }

    #[test]
    fn indicators_are_those_of_the_core() {
        let mut made = candles();
        assert_eq!(made.indicators(), None);
        for minute in 0..100 {
            made.close(row(minute, 100.0 + minute as f64));
        }
        let found = made.indicators().unwrap();
        assert_eq!((found.values[0], found.values[2], found.count), (189.5, 100.0, 100));
    }
}
