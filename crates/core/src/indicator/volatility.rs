// SPDX-License-Identifier: Apache-2.0
//! Volatility: range estimators over n bars and the exponentially weighted variance. Results are
//! annualised only by the factor that the caller names.

use super::state::Fixed;
use super::window::{RollingSum, WindowMoments};
use super::{checked_period, checked_real, forgetting};
use crate::error::Result;

/// Which parts of a bar the estimate uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Estimator {
    /// Sample deviation of the n - 1 close-to-close log returns inside n bars.
    Close = 1,
    /// High and low (Parkinson 1980).
    Parkinson = 2,
    /// High, low, open, close without drift (Garman and Klass 1980).
    GarmanKlass = 3,
    /// High, low, open, close with drift (Rogers and Satchell 1991). Best for 24-hour markets.
    RogersSatchell = 4,
    /// Garman-Klass plus the gap between bars.
    GarmanKlassYangZhang = 5,
    /// Gap, open-to-close and Rogers-Satchell, weighted for least variance (Yang and Zhang 2000).
    YangZhang = 6,
}

impl Fixed for Estimator {
    fn word(&self) -> u64 {
        *self as u64
    }
}

/// Volatility of the last n bars, annualised by `bars_per_year`. First at index n - 1, one bar
/// later for the two estimators that need the gap before each bar. Prices must be above zero.
#[derive(Debug, Clone)]
pub struct RangeVolatility {
    estimator: Estimator,
    bars_per_year: f64,
    period: u64,
    close: Option<f64>,
    terms: RollingSum,
    first: WindowMoments,
    second: WindowMoments,
}

impl RangeVolatility {
    /// Estimate over `period` bars.
    pub fn new(estimator: Estimator, period: usize, bars_per_year: f64) -> Result<Self> {
        let name = "RangeVolatility";
        checked_period(name, period, if estimator == Estimator::Close { 3 } else { 2 })?;
        checked_real(name, "bars_per_year", bars_per_year, f64::MIN_POSITIVE, 1e12)?;
        let returns = if estimator == Estimator::Close { period - 1 } else { period };
        Ok(Self {
            estimator,
            bars_per_year,
            period: period as u64,
            close: None,
            terms: RollingSum::new(period),
            first: WindowMoments::new(returns),
            second: WindowMoments::new(returns),
        })
    }

    /// Take a bar; the annualised volatility as a fraction.
    pub fn push(&mut self, open: f64, high: f64, low: f64, close: f64) -> Option<f64> {
        let before = self.close.replace(close);
        let (range, body) = ((high / low).ln(), (close / open).ln());
        let garman_klass = 0.5 * range * range - (2.0 * std::f64::consts::LN_2 - 1.0) * body * body;
        let rogers_satchell =
            (high / close).ln() * (high / open).ln() + (low / close).ln() * (low / open).ln();
        let variance = match self.estimator {
            Estimator::Close => {
                let full = self.first.push((close / before?).ln());
                full.then(|| self.first.variance((self.period - 2) as f64))?
            }
            Estimator::Parkinson => self.mean(range * range / (4.0 * std::f64::consts::LN_2))?,
            Estimator::GarmanKlass => self.mean(garman_klass)?,
            Estimator::RogersSatchell => self.mean(rogers_satchell)?,
            Estimator::GarmanKlassYangZhang => {
                let gap = (open / before?).ln();
                self.mean(gap * gap + garman_klass)?
            }
            Estimator::YangZhang => {
                let inside = self.mean(rogers_satchell);
                let gap = (open / before?).ln();
                let full = self.first.push(gap) & self.second.push(body);
                self.yang_zhang(inside.filter(|_| full)?)
            }
        };
        Some((variance.max(0.0) * self.bars_per_year).sqrt())
    }

    fn mean(&mut self, term: f64) -> Option<f64> {
        self.terms.push(term).map(|sum| sum / self.period as f64)
    }

    fn yang_zhang(&self, inside: f64) -> f64 {
        let n = self.period as f64;
        let weight = 0.34 / (1.34 + (n + 1.0) / (n - 1.0));
        self.first.variance(n - 1.0)
            + weight * self.second.variance(n - 1.0)
            + (1.0 - weight) * inside
    }

    fn first_value(&self) -> u64 {
        let needs_gap =
            matches!(self.estimator, Estimator::GarmanKlassYangZhang | Estimator::YangZhang);
        self.period + u64::from(needs_gap)
    }
}

state!(
    RangeVolatility,
    fixed { estimator, bars_per_year, period },
    moving { close, terms, first, second }
);
indicator!(
    RangeVolatility [open high low close; 4] -> 1,
    positive true,
    warmup |it| it.first_value()
);

/// Exponentially weighted variance of returns with mean zero (RiskMetrics): the forecast for the
/// next return, made after seeing this one. Without a start value the first squared return is it.
#[derive(Debug, Clone)]
pub struct EwmaVariance {
    decay: f64,
    variance: Option<f64>,
}

impl EwmaVariance {
    /// `variance' = decay * variance + (1 - decay) * return^2`, from `initial` if given.
    pub fn new(decay: f64, initial: Option<f64>) -> Result<Self> {
        checked_real("EwmaVariance", "decay", decay, 0.0, 1.0 - f64::EPSILON)?;
        if let Some(initial) = initial {
            checked_real("EwmaVariance", "initial", initial, 0.0, super::INPUT_MAX)?;
        }
        Ok(Self { decay, variance: initial })
    }

    /// Take a return; the variance forecast for the next one.
    #[inline]
    pub fn push(&mut self, value: f64) -> Option<f64> {
        let square = value * value;
        let before = self.variance.unwrap_or(square);
        self.variance = Some(self.decay * before + (1.0 - self.decay) * square);
        self.variance
    }
}

state!(EwmaVariance, fixed { decay }, moving { variance });
indicator!(
    EwmaVariance [value; 1] -> 1,
    warmup |_it| 1,
    settled |it| 1 + forgetting(1.0 - it.decay, 1)
);
