// SPDX-License-Identifier: Apache-2.0
//! Statistics of the last n values, and moments of everything so far.

use super::checked_period;
use super::window::{Extreme, Sum, WeightedWindow, WindowMoments};
use crate::error::{Code, CoreError, Result};

/// Standard deviation of the last n values; first at index n - 1.
#[derive(Debug, Clone)]
pub struct RollingStd {
    window: WindowMoments,
    divisor: f64,
}

impl RollingStd {
    /// Window of `period` values; `ddof` 0 for the population, 1 for a sample.
    pub fn new(period: usize, ddof: usize) -> Result<Self> {
        checked_period("RollingStd", period, 1 + ddof)?;
        if ddof > 1 {
            let message = format!("RollingStd: ddof {ddof}; allowed 0 (population) or 1 (sample)");
            return Err(CoreError::new(Code::ParameterInvalid, message));
        }
        let divisor = (period - ddof) as f64;
        Ok(Self { window: WindowMoments::new(period), divisor })
    }

    /// Take a value; the deviation once the window is full.
    #[inline]
    pub fn push(&mut self, value: f64) -> Option<f64> {
        self.window.push(value).then(|| self.window.variance(self.divisor).sqrt())
    }
}

state!(RollingStd, fixed { divisor }, moving { window });
indicator!(RollingStd [value; 1] -> 1, warmup |it| it.window.period() as u64);

/// Distance of the newest value from the window's mean in population standard deviations; first
/// at index n - 1, undefined in a flat window.
#[derive(Debug, Clone)]
pub struct ZScore {
    window: WindowMoments,
}

impl ZScore {
    /// Window of `period` values, the newest among them.
    pub fn new(period: usize) -> Result<Self> {
        Ok(Self { window: WindowMoments::new(checked_period("ZScore", period, 2)?) })
    }

    /// Take a value; its score once the window is full.
    #[inline]
    pub fn push(&mut self, value: f64) -> Option<f64> {
        if !self.window.push(value) {
            return None;
        }
        let deviation = self.window.deviation();
        (deviation > 0.0).then(|| (value - self.window.mean()) / deviation)
    }
}

state!(ZScore, fixed {}, moving { window });
indicator!(ZScore [value; 1] -> 1, warmup |it| it.window.period() as u64);

/// Smallest of the last n values; first at index n - 1.
#[derive(Debug, Clone)]
pub struct RollingMin {
    window: Extreme<false>,
}

impl RollingMin {
    /// Window of `period` values.
    pub fn new(period: usize) -> Result<Self> {
        Ok(Self { window: Extreme::new(checked_period("RollingMin", period, 1)?) })
    }

    /// Take a value; the minimum once the window is full.
    #[inline]
    pub fn push(&mut self, value: f64) -> Option<f64> {
        self.window.push(value)
    }
}

state!(RollingMin, fixed {}, moving { window });
indicator!(RollingMin [value; 1] -> 1, warmup |it| it.window.period());

/// Largest of the last n values; first at index n - 1.
#[derive(Debug, Clone)]
pub struct RollingMax {
    window: Extreme<true>,
}

impl RollingMax {
    /// Window of `period` values.
    pub fn new(period: usize) -> Result<Self> {
        Ok(Self { window: Extreme::new(checked_period("RollingMax", period, 1)?) })
    }

    /// Take a value; the maximum once the window is full.
    #[inline]
    pub fn push(&mut self, value: f64) -> Option<f64> {
        self.window.push(value)
    }
}

state!(RollingMax, fixed {}, moving { window });
indicator!(RollingMax [value; 1] -> 1, warmup |it| it.window.period());

/// Slope a step of the least-squares line through the last n values; first at index n - 1.
#[derive(Debug, Clone)]
pub struct LinregSlope {
    window: WeightedWindow,
    centre: f64,
    spread: f64,
}

impl LinregSlope {
    /// Window of `period` values.
    pub fn new(period: usize) -> Result<Self> {
        let n = checked_period("LinregSlope", period, 2)? as f64;
        let (centre, spread) = ((n + 1.0) / 2.0, n * (n * n - 1.0) / 12.0);
        Ok(Self { window: WeightedWindow::new(period), centre, spread })
    }

    /// Take a value; the slope once the window is full.
    #[inline]
    pub fn push(&mut self, value: f64) -> Option<f64> {
        let (plain, weighted) = self.window.push(value)?;
        Some((weighted - self.centre * plain) / self.spread)
    }
}

state!(LinregSlope, fixed {}, moving { window });
indicator!(LinregSlope [value; 1] -> 1, warmup |it| it.window.period() as u64);

/// Mean, sample standard deviation and lag-1 autocorrelation of everything so far (Welford), from
/// the second value on. The autocorrelation of a flat series is NaN.
#[derive(Debug, Clone, Default)]
pub struct Moments {
    count: u64,
    first: f64,
    last: f64,
    offset: Sum,
    squares: Sum,
    products: Sum,
}

impl Moments {
    /// Nothing seen yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Take a value; `[mean, deviation, autocorrelation]` from the second on.
    #[inline]
    pub fn push(&mut self, value: f64) -> Option<[f64; 3]> {
        self.count += 1;
        if self.count == 1 {
            self.first = value;
            return None;
        }
        let (count, shifted) = (self.count as f64, value - self.first);
        let before = shifted - self.offset.value();
        self.offset.add(before / count);
        let mean = self.offset.value();
        self.squares.add(before * (shifted - mean));
        self.products.add(self.last * shifted);
        self.last = shifted;
        // Neighbours' products about the mean: the first value is 0 when counted from itself.
        let neighbours = self.products.value() - mean * (2.0 * count * mean - shifted)
            + (count - 1.0) * mean * mean;
        let squares = self.squares.value();
        let correlation = if squares > 0.0 { neighbours / squares } else { f64::NAN };
        Some([self.first + mean, (squares / (count - 1.0)).sqrt(), correlation])
    }
}

state!(Moments, fixed {}, moving { count, first, last, offset, squares, products });
indicator!(Moments [value; 1] -> 3, warmup |_it| 2);
