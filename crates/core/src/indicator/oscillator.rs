// SPDX-License-Identifier: Apache-2.0
//! Where the close stands inside its recent range. With high = low there is no such place: the
//! previous value stays, and before there was one the result is undefined.

use super::checked_period;
use super::moving::Sma;
use super::window::{Extreme, RollingSum};
use crate::error::Result;

/// Highest high and lowest low of n bars, and the share of the way up at which the close stands.
#[derive(Debug, Clone)]
struct Place {
    highest: Extreme<true>,
    lowest: Extreme<false>,
    share: Option<f64>,
}

impl Place {
    fn new(period: usize) -> Self {
        Self { highest: Extreme::new(period), lowest: Extreme::new(period), share: None }
    }

    #[inline]
    fn push(&mut self, high: f64, low: f64, close: f64) -> Option<f64> {
        let (top, floor) = (self.highest.push(high), self.lowest.push(low));
        let (top, floor) = (top?, floor?);
        if top > floor {
            self.share = Some((close - floor) / (top - floor));
        }
        self.share
    }
}

state!(Place, fixed {}, moving { highest, lowest, share });

/// Slow stochastic: `%K` smoothed by a simple average, `%D` a simple average of that. 14, 3, 3 has
/// its first values at index 17.
#[derive(Debug, Clone)]
pub struct Stochastic {
    place: Place,
    k: Sma,
    d: Sma,
}

impl Stochastic {
    /// Range over `period` bars, averages over `k_smooth` and `d_smooth` values.
    pub fn new(period: usize, k_smooth: usize, d_smooth: usize) -> Result<Self> {
        let place = Place::new(checked_period("Stochastic", period, 1)?);
        Ok(Self { place, k: Sma::new(k_smooth)?, d: Sma::new(d_smooth)? })
    }

    /// Take a bar; `[k, d]` in percent.
    #[inline]
    pub fn push(&mut self, high: f64, low: f64, close: f64) -> Option<[f64; 2]> {
        let raw = 100.0 * self.place.push(high, low, close)?;
        let k = self.k.push(raw)?;
        self.d.push(k).map(|d| [k, d])
    }
}

state!(Stochastic, fixed {}, moving { place, k, d });
indicator!(
    Stochastic [high low close; 3] -> 2,
    warmup |it| {
        it.place.highest.period()
            + super::Indicator::warmup(&it.k) + super::Indicator::warmup(&it.d) - 2
    }
);

/// Williams' %R, -100 (at the low) to 0 (at the high); first at index n - 1.
#[derive(Debug, Clone)]
pub struct WilliamsR {
    place: Place,
}

impl WilliamsR {
    /// Range over `period` bars.
    pub fn new(period: usize) -> Result<Self> {
        Ok(Self { place: Place::new(checked_period("WilliamsR", period, 1)?) })
    }

    /// Take a bar; its %R.
    #[inline]
    pub fn push(&mut self, high: f64, low: f64, close: f64) -> Option<f64> {
        self.place.push(high, low, close).map(|share| 100.0 * (share - 1.0))
    }
}

state!(WilliamsR, fixed {}, moving { place });
indicator!(WilliamsR [high low close; 3] -> 1, warmup |it| it.place.highest.period());

/// Commodity channel index of the typical price; first at index n - 1, undefined in a flat window.
/// The mean absolute deviation needs the whole window: O(n) a bar.
#[derive(Debug, Clone)]
pub struct Cci {
    prices: RollingSum,
    period: u64,
}

/// Lambert's constant: puts most values between -100 and 100.
const CCI_SCALE: f64 = 0.015;

impl Cci {
    /// Window of `period` bars.
    pub fn new(period: usize) -> Result<Self> {
        checked_period("Cci", period, 2)?;
        Ok(Self { prices: RollingSum::new(period), period: period as u64 })
    }

    /// Take a bar; its index.
    #[inline]
    pub fn push(&mut self, high: f64, low: f64, close: f64) -> Option<f64> {
        let price = (high + low + close) / 3.0;
        let n = self.period as f64;
        let mean = self.prices.push(price)? / n;
        let lengths = self.prices.values().map(|value| (value - mean).abs());
        let deviation = lengths.sum::<f64>() / n;
        // A flat window leaves only the rounding of the mean.
        let flat = deviation <= 4.0 * f64::EPSILON * mean.abs();
        (!flat).then(|| (price - mean) / (CCI_SCALE * deviation))
    }
}

state!(Cci, fixed { period }, moving { prices });
indicator!(Cci [high low close; 3] -> 1, warmup |it| it.period);

/// Buying pressure over true range in one window.
#[derive(Debug, Clone)]
struct Pressure {
    buying: RollingSum,
    range: RollingSum,
}

impl Pressure {
    fn new(period: usize) -> Self {
        Self { buying: RollingSum::new(period), range: RollingSum::new(period) }
    }

    #[inline]
    fn push(&mut self, buying: f64, range: f64) -> Option<f64> {
        let (buying, range) = (self.buying.push(buying), self.range.push(range));
        let (buying, range) = (buying?, range?);
        (range > 0.0).then(|| buying / range)
    }
}

state!(Pressure, fixed {}, moving { buying, range });

/// Ultimate oscillator, three windows weighted 4:2:1; 7, 14, 28 has its first value at index 28.
/// Undefined while one of the windows has no range.
#[derive(Debug, Clone)]
pub struct UltimateOscillator {
    close: Option<f64>,
    short: Pressure,
    middle: Pressure,
    long: Pressure,
    longest: u64,
}

impl UltimateOscillator {
    /// Windows of `short`, `middle` and `long` bars.
    pub fn new(short: usize, middle: usize, long: usize) -> Result<Self> {
        for period in [short, middle, long] {
            checked_period("UltimateOscillator", period, 1)?;
        }
        Ok(Self {
            close: None,
            short: Pressure::new(short),
            middle: Pressure::new(middle),
            long: Pressure::new(long),
            longest: short.max(middle).max(long) as u64,
        })
    }

    /// Take a bar; the oscillator in percent.
    #[inline]
    pub fn push(&mut self, high: f64, low: f64, close: f64) -> Option<f64> {
        let before = self.close.replace(close)?;
        let floor = low.min(before);
        let (buying, range) = (close - floor, high.max(before) - floor);
        let short = self.short.push(buying, range);
        let middle = self.middle.push(buying, range);
        let long = self.long.push(buying, range);
        Some(100.0 * (4.0 * short? + 2.0 * middle? + long?) / 7.0)
    }
}

state!(UltimateOscillator, fixed {}, moving { close, short, middle, long });
indicator!(UltimateOscillator [high low close; 3] -> 1, warmup |it| it.longest + 1);
