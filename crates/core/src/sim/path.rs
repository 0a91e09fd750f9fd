// SPDX-License-Identifier: Apache-2.0
//! What happened inside a bar. A bar tells four prices and no order, so the venue walks a fixed
//! path: open, the extreme nearer to the open, the other extreme, close, at 0, 1/3, 2/3 and the
//! end of the bar. Orders meet the price as it walks; nothing in the bar is offered to a strategy
//! before its waypoint is reached.

use crate::error::Result;
use crate::instrument::Instrument;
use crate::number::Ticks;

/// Waypoints in a bar.
pub const WAYPOINTS: usize = 4;

/// The four prices of a bar in the order they are walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BarPath {
    /// Prices at the waypoints.
    pub prices: [Ticks; WAYPOINTS],
}

impl BarPath {
    /// The path of one bar.
    ///
    /// # Errors
    /// A price off the instrument's tick.
    pub fn new(
        instrument: &Instrument,
        open: f64,
        high: f64,
        low: f64,
        close: f64,
    ) -> Result<Self> {
        let [open, high, low, close] = [
            instrument.ticks_from_f64(open)?,
            instrument.ticks_from_f64(high)?,
            instrument.ticks_from_f64(low)?,
            instrument.ticks_from_f64(close)?,
        ];
        Ok(Self::of_ticks(open, high, low, close))
    }

    /// The path of one bar of exact prices.
    #[must_use]
    pub fn of_ticks(open: Ticks, high: Ticks, low: Ticks, close: Ticks) -> Self {
        let high_first = high.0 - open.0 <= open.0 - low.0;
        let (first, second) = if high_first { (high, low) } else { (low, high) };
        Self { prices: [open, first, second, close] }
    }

    /// When waypoint `stage` is reached in a bar that opens at `open_ns`.
    #[must_use]
    pub const fn time(open_ns: i64, timeframe_ns: i64, stage: usize) -> i64 {
        match stage {
            0 => open_ns,
            1 => open_ns + timeframe_ns / 3,
            2 => open_ns + timeframe_ns / 3 * 2,
            _ => open_ns + timeframe_ns,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instrument::Kind;

    #[test]
    fn the_nearer_extreme_comes_first() -> Result<()> {
        let instrument = Instrument::new("X", Kind::LinearPerpetual, "1", "1")?;
        let path =
            |o, h, l, c| BarPath::new(&instrument, o, h, l, c).map(|p| p.prices.map(|t| t.0));
        assert_eq!(path(10.0, 12.0, 5.0, 11.0)?, [10, 12, 5, 11]);
        assert_eq!(path(10.0, 20.0, 9.0, 11.0)?, [10, 9, 20, 11]);
        assert_eq!(path(10.0, 10.0, 10.0, 10.0)?, [10, 10, 10, 10]);
        Ok(())
    }

    #[test]
    fn waypoints_end_with_the_bar() {
        let times: Vec<i64> = (0..WAYPOINTS).map(|stage| BarPath::time(100, 60, stage)).collect();
        assert_eq!(times, [100, 120, 140, 160]);
    }
}
