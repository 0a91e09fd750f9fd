// SPDX-License-Identifier: Apache-2.0
//! Recorded market as columns, and a cursor over each. Columns are borrowed where they can be, so
//! that two years of minutes cost no copy; the owner keeps them alive. Times stay in the file's
//! unit and are scaled when read. A stream answers two questions: when is your next moment, and
//! what happened then.

use crate::error::{Code, CoreError, Result};

/// A column that is either owned or borrowed from memory the caller keeps alive.
#[derive(Debug, Clone)]
pub enum Column<T: 'static> {
    /// Data this process made.
    Owned(Vec<T>),
    /// Data mapped from a file; lives as long as the program needs it.
    Borrowed(&'static [T]),
}

impl<T> std::ops::Deref for Column<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        match self {
            Self::Owned(values) => values,
            Self::Borrowed(values) => values,
        }
    }
}

impl<T> From<Vec<T>> for Column<T> {
    fn from(values: Vec<T>) -> Self {
        Self::Owned(values)
    }
}

/// Row flags of depth rows.
pub mod depth_flag {
    /// First row of a snapshot: forget the book before it.
    pub const SNAPSHOT_BEGIN: u8 = 1;
    /// Last row of one event: the book is whole again.
    pub const EVENT_END: u8 = 2;
}

/// Columns of one stream; all of equal length.
#[derive(Debug, Clone)]
pub enum Rows {
    /// Bars; `ts` is the open time.
    Candles {
        /// First trade price.
        open: Column<f64>,
        /// Highest price.
        high: Column<f64>,
        /// Lowest price.
        low: Column<f64>,
        /// Last price.
        close: Column<f64>,
        /// Base quantity traded.
        volume: Column<f64>,
        /// Length of a bar, ns.
        timeframe_ns: i64,
    },
    /// Every trade; `side` is the aggressor, 0 buy, 1 sell.
    Trades {
        /// Price.
        price: Column<f64>,
        /// Base quantity.
        qty: Column<f64>,
        /// Aggressor.
        side: Column<u8>,
    },
    /// Best bid and ask.
    Quotes {
        /// Best bid.
        bid: Column<f64>,
        /// Quantity at the best bid.
        bid_qty: Column<f64>,
        /// Best ask.
        ask: Column<f64>,
        /// Quantity at the best ask.
        ask_qty: Column<f64>,
    },
    /// Order-book rows: absolute quantity per level, 0 deletes; `side` 0 bid, 1 ask.
    Depth {
        /// Side of the book.
        side: Column<u8>,
        /// Level.
        price: Column<f64>,
        /// New quantity at the level.
        qty: Column<f64>,
        /// See [`depth_flag`].
        flags: Column<u8>,
    },
    /// Funding settlements.
    Funding {
        /// Fraction longs pay to shorts.
        rate: Column<f64>,
    },
}

/// One recorded stream of one instrument.
#[derive(Debug, Clone)]
pub struct Stream {
    /// Index of the instrument.
    pub instrument: usize,
    /// Times in units of `ts_scale` ns.
    pub ts: Column<i64>,
    /// Nanoseconds in one unit of `ts`.
    pub ts_scale: i64,
    /// The data.
    pub rows: Rows,
    /// Offer its facts to the kernel; the venue itself always sees them.
    pub is_offered: bool,
    pub(crate) cursor: usize,
}

impl Stream {
    /// A stream at its beginning.
    ///
    /// # Errors
    /// [`Code::DataInvalid`] if columns differ in length, times fall, or a bar length is not
    /// positive.
    pub fn new(instrument: usize, ts: Column<i64>, ts_scale: i64, rows: Rows) -> Result<Self> {
        let bad = |why: String| Err(CoreError::new(Code::DataInvalid, why));
        let lengths = rows.lengths();
        if let Some(other) = lengths.iter().find(|&&length| length != ts.len()) {
            return bad(format!("{} times but {other} values", ts.len()));
        }
        if let Some(at) = ts.windows(2).position(|pair| pair[1] < pair[0]) {
            return bad(format!("time falls after row {at}: {} then {}", ts[at], ts[at + 1]));
        }
        let largest = ts.last().copied().unwrap_or(0);
        if ts_scale <= 0 || largest.checked_mul(ts_scale).is_none() {
            return bad(format!("time {largest} x {ts_scale} ns leaves the range"));
        }
        if let Rows::Candles { timeframe_ns, .. } = rows {
            if timeframe_ns <= 0 {
                return bad(format!("bar length {timeframe_ns} ns"));
            }
        }
        Ok(Self { instrument, ts, ts_scale, rows, is_offered: true, cursor: 0 })
    }

    /// Rows left to play.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.ts.len() - self.cursor
    }

    /// Rows that are in the past.
    #[must_use]
    pub fn played(&self) -> usize {
        self.cursor
    }

    /// Time of row `index`, ns.
    #[inline]
    pub(crate) fn time(&self, index: usize) -> i64 {
        self.ts[index] * self.ts_scale
    }

    /// Length of a bar, 0 for streams of points.
    #[inline]
    pub(crate) fn timeframe_ns(&self) -> i64 {
        match self.rows {
            Rows::Candles { timeframe_ns, .. } => timeframe_ns,
            _ => 0,
        }
    }
}

impl Rows {
    fn lengths(&self) -> Vec<usize> {
        match self {
            Self::Candles { open, high, low, close, volume, .. } => {
                vec![open.len(), high.len(), low.len(), close.len(), volume.len()]
            }
            Self::Trades { price, qty, side } => vec![price.len(), qty.len(), side.len()],
            Self::Quotes { bid, bid_qty, ask, ask_qty } => {
                vec![bid.len(), bid_qty.len(), ask.len(), ask_qty.len()]
            }
            Self::Depth { side, price, qty, flags } => {
                vec![side.len(), price.len(), qty.len(), flags.len()]
            }
            Self::Funding { rate } => vec![rate.len()],
        }
    }
}
