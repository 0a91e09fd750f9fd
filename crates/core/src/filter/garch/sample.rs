// SPDX-License-Identifier: Apache-2.0
//! Returns made ready for a fit: checked, and scaled by a power of two so that their variance is
//! near one. Such a scale costs no digit, so a fit does not depend on the unit of the returns.

use super::{Model, Presample};
use crate::error::{Code, CoreError, Result};
use crate::indicator::INPUT_MAX;

/// `arch`'s rule: how many squares the backcast weighs, and by which decay.
const BACKCAST_LENGTH: usize = 75;
const BACKCAST_DECAY: f64 = 0.94;

/// A variance below this share of the squared mean is rounding, not movement.
const FLAT: f64 = 1e-28;

/// Returns in units of `unit`.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    pub returns: Vec<f64>,
    pub unit: f64,
    /// Sample mean, or zero for a model without one.
    pub centre: f64,
    /// Mean squared distance from `centre`.
    pub variance: f64,
    backcast: f64,
}

impl Sample {
    pub(super) fn new(returns: &[f64], has_mean: bool) -> Result<Self> {
        if let Some(at) = returns.iter().position(|r| r.is_nan() || r.abs() > INPUT_MAX) {
            let message = format!(
                "GARCH: return {} at index {at}; finite numbers up to {INPUT_MAX:e} are due",
                returns[at]
            );
            return Err(CoreError::new(Code::NumberNotFinite, message));
        }
        let (centre, variance) = moments(returns, has_mean);
        if !(variance > FLAT * centre * centre && variance >= f64::MIN_POSITIVE) {
            let message = format!("GARCH: {} returns that do not move", returns.len());
            return Err(CoreError::new(Code::DataInvalid, message));
        }
        let unit = 2.0_f64.powi(variance.sqrt().log2().floor() as i32);
        let returns: Vec<f64> = returns.iter().map(|r| r / unit).collect();
        let (centre, variance) = moments(&returns, has_mean);
        let backcast = backcast_about(&returns, centre);
        Ok(Self { returns, unit, centre, variance, backcast })
    }

    /// What the log likelihood loses by the scale.
    pub(super) fn unit_term(&self) -> f64 {
        -(self.returns.len() as f64) * self.unit.ln()
    }

    /// Presample variance for a trial mean, and its slope by that mean; both scaled.
    pub(super) fn start(&self, presample: Presample, mu: f64) -> (f64, f64) {
        match presample {
            Presample::MeanSquare => {
                let off = self.centre - mu;
                (self.variance + off * off, -2.0 * off)
            }
            Presample::Backcast => (self.backcast, 0.0),
            Presample::Value(value) => (value / (self.unit * self.unit), 0.0),
        }
    }

    /// The first `count` returns as a sample of their own.
    pub(super) fn head(&self, count: usize, model: &Model) -> Result<Self> {
        let raw: Vec<f64> = self.returns.iter().take(count).map(|r| r * self.unit).collect();
        Self::new(&raw, model.has_mean)
    }
}

/// Weighted mean of the first squares, `arch`'s guess of the variance before the first return.
/// About the sample mean, or about zero.
#[must_use]
pub fn backcast(returns: &[f64], has_mean: bool) -> f64 {
    backcast_about(returns, moments(returns, has_mean).0)
}

fn backcast_about(returns: &[f64], centre: f64) -> f64 {
    let (mut weight, mut weights, mut sum) = (1.0, 0.0, 0.0);
    for value in returns.iter().take(BACKCAST_LENGTH) {
        sum += weight * (value - centre) * (value - centre);
        weights += weight;
        weight *= BACKCAST_DECAY;
    }
    sum / weights
}

fn moments(values: &[f64], has_mean: bool) -> (f64, f64) {
    let n = values.len() as f64;
    let centre = if has_mean { values.iter().sum::<f64>() / n } else { 0.0 };
    let squares = values.iter().map(|value| (value - centre) * (value - centre)).sum::<f64>();
    (centre, squares / n)
}
