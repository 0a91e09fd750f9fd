// SPDX-License-Identifier: Apache-2.0
//! Whether a fit may be trusted. If not, the plain exponential average forecasts, and the reason is
//! told: a GARCH that is not one is worse than no GARCH.

use super::errors::errors;
use super::fit::Fit;
use super::sample::Sample;
use super::{Model, PERSISTENCE_MAX};
use crate::error::{Code, CoreError, Result};
use crate::indicator::GarchVariance;

/// Fewer returns than this estimate a weight of the last square to no useful digit.
pub(super) const TRUSTED_MIN: usize = 500;

/// Returns at the end of the sample on which forecasts are compared.
pub(super) const HELD_OUT: usize = 500;

/// A smaller reaction to the last square is none.
const REACTION_MIN: f64 = 1e-4;

/// Lags and level of the test for what is left in the squares.
const LAGS: usize = 10;
const LEVEL: f64 = 0.001;

/// Worse than the average by so many standard deviations is worse.
const WORSE: f64 = -2.0;

/// RiskMetrics' decay, by which a fit is measured.
const EWMA_DECAY: f64 = 0.94;

/// Why a fit is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Fewer than 500 returns.
    TooShort,
    /// No climb from any start came to an end.
    NotConverged,
    /// The last square has no weight.
    NoReaction,
    /// Shocks never die out.
    Persistent,
    /// The likelihood does not curve down in every direction.
    NoSummit,
    /// Squared standardised residuals are still correlated.
    Correlated,
    /// The last 500 forecasts, made without having seen their returns, lose to the average.
    WorseThanEwma,
}

impl Reason {
    /// As told to people and in events.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TooShort => "too_short",
            Self::NotConverged => "not_converged",
            Self::NoReaction => "no_reaction",
            Self::Persistent => "persistent",
            Self::NoSummit => "no_summit",
            Self::Correlated => "correlated",
            Self::WorseThanEwma => "worse_than_ewma",
        }
    }
}

/// What speaks against a fit, looking only at the returns it was made from.
pub(super) fn against(model: &Model, sample: &Sample, fit: &Fit) -> Option<Reason> {
    if sample.returns.len() < TRUSTED_MIN {
        return Some(Reason::TooShort);
    }
    if !fit.is_converged {
        return Some(Reason::NotConverged);
    }
    let at = fit.parameters.scaled(1.0 / sample.unit);
    if at.alpha + 0.5 * at.gamma < REACTION_MIN {
        return Some(Reason::NoReaction);
    }
    if at.persistence() > PERSISTENCE_MAX {
        return Some(Reason::Persistent);
    }
    if !errors(model, sample, &at).is_summit {
        return Some(Reason::NoSummit);
    }
    let start = sample.start(model.presample, at.mu).0;
    let mut kernel = GarchVariance::new(at, start).ok()?;
    let standardised: Vec<f64> = sample
        .returns
        .iter()
        .map(|value| {
            let variance = kernel.variance();
            kernel.advance(*value);
            (value - at.mu).powi(2) / variance
        })
        .collect();
    let (_, p) = ljung_box(&standardised, LAGS).ok()?;
    (p < LEVEL).then_some(Reason::Correlated)
}

/// Whether forecasts by `fit`, made from the returns before the last `held` ones, lose to the
/// average on those. `realized`: variance of each return in its squared unit; else its square.
pub(super) fn loses(
    model: &Model,
    whole: &Sample,
    fit: &Fit,
    held: usize,
    realized: Option<&[f64]>,
) -> Option<Reason> {
    let at = fit.parameters.scaled(1.0 / whole.unit);
    let start = whole.start(model.presample, at.mu).0;
    let mut kernel = GarchVariance::new(at, start).ok()?;
    let from = whole.returns.len() - held;
    let mut average = start;
    let (mut own, mut other) = (Vec::with_capacity(held), Vec::with_capacity(held));
    for (index, value) in whole.returns.iter().enumerate() {
        let square = (value - at.mu).powi(2);
        if index >= from {
            let truth = realized
                .and_then(|column| column.get(index))
                .map_or(square, |variance| variance / (whole.unit * whole.unit));
            own.push(qlike(kernel.variance(), truth));
            other.push(qlike(average, truth));
        }
        kernel.advance(*value);
        average = EWMA_DECAY * average + (1.0 - EWMA_DECAY) * square;
    }
    let statistic = diebold_mariano(&other, &own).ok()?;
    (statistic < WORSE).then_some(Reason::WorseThanEwma)
}

/// Loss of a variance forecast once the realised variance is known: `ln h + rv / h`. It ranks
/// forecasts rightly also by a noisy measure of variance (Patton 2011).
fn qlike(forecast: f64, realized: f64) -> f64 {
    forecast.ln() + realized / forecast
}

/// Diebold and Mariano (1995) for one-step forecasts: mean of `first - second` in its standard
/// errors. Below zero the first loses less. Zero where the two never differ.
fn diebold_mariano(first: &[f64], second: &[f64]) -> Result<f64> {
    let n = first.len();
    if n < 2 || second.len() != n {
        let message =
            format!("Diebold-Mariano: {n} and {} losses; two equal columns", second.len());
        return Err(CoreError::new(Code::DataInvalid, message));
    }
    let gaps: Vec<f64> = first.iter().zip(second).map(|(a, b)| a - b).collect();
    let mean = gaps.iter().sum::<f64>() / n as f64;
    let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / n as f64;
    Ok(if variance > 0.0 { mean / (variance / n as f64).sqrt() } else { 0.0 })
}

/// Ljung and Box (1978): statistic over an even number of `lags`, and its chance if nothing is
/// correlated.
fn ljung_box(values: &[f64], lags: usize) -> Result<(f64, f64)> {
    let n = values.len();
    if lags == 0 || lags % 2 == 1 || n <= lags {
        let message = format!("Ljung-Box: {lags} lags of {n} values; an even number below that");
        return Err(CoreError::new(Code::ParameterInvalid, message));
    }
    let mean = values.iter().sum::<f64>() / n as f64;
    let total: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let mut sum = 0.0;
    for lag in 1..=lags {
        let shared: f64 =
            values.iter().zip(&values[lag..]).map(|(a, b)| (a - mean) * (b - mean)).sum();
        sum += (shared / total).powi(2) / (n - lag) as f64;
    }
    let statistic = n as f64 * (n as f64 + 2.0) * sum;
    Ok((statistic, chi_squared_tail(statistic, lags / 2)))
}

/// Chance of a chi-squared variable of `2 * pairs` degrees of freedom above `value`.
fn chi_squared_tail(value: f64, pairs: usize) -> f64 {
    let half = 0.5 * value;
    let (mut term, mut sum) = (1.0, 1.0);
    for at in 1..pairs {
        term *= half / at as f64;
        sum += term;
    }
    sum * (-half).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values with a known answer of statsmodels' `acorr_ljungbox`.
    #[test]
    fn ljung_box_equals_statsmodels() {
        let values: Vec<f64> = (0..40).map(|at| f64::from(at * at % 17)).collect();
        let (statistic, p) = ljung_box(&values, 10).unwrap_or_default();
        assert!((statistic - 25.083999974867794).abs() < 1e-9, "{statistic}");
        assert!((p - 0.005188539070574445).abs() < 1e-12, "{p}");
        assert!(ljung_box(&values, 9).is_err() && ljung_box(&values[..10], 10).is_err());
    }

    #[test]
    fn losses_are_compared_in_their_standard_errors() {
        let (first, second) = ([1.0, 2.0, 3.0, 4.0], [0.0, 2.0, 3.0, 2.0]);
        // Gaps 1, 0, 0, 2: mean 0.75, variance 0.6875.
        let expected = 0.75 / (0.6875_f64 / 4.0).sqrt();
        assert!(diebold_mariano(&first, &second).is_ok_and(|t| (t - expected).abs() < 1e-12));
        assert_eq!(diebold_mariano(&first, &first), Ok(0.0));
        assert!(diebold_mariano(&first, &second[..3]).is_err());
    }

    #[test]
    fn a_forecast_equal_to_the_truth_loses_least() {
        let truth = 1.7;
        let best = qlike(truth, truth);
        assert!((1..40).all(|at| qlike(0.1 * f64::from(at), truth) >= best));
    }
}
