// SPDX-License-Identifier: Apache-2.0
//! Volatility that clusters: GARCH(1,1), with GJR's extra weight on losses and with normal or
//! unit-variance Student-t innovations, fitted by maximum likelihood.
//!
//! `h[t+1] = omega + alpha e[t]^2 + gamma e[t]^2 [e[t] < 0] + beta h[t]`, `e = r - mu`
//! (Bollerslev 1986; Glosten, Jagannathan and Runkle 1993). What stands before the first return
//! decides about the optimum, so it is part of the model: [`Presample`]. Read on in `likelihood.rs`
//! (value and slope in one pass), `search.rs` (the climb), `fit.rs` (starts and stops).

mod check;
mod density;
mod errors;
mod fit;
mod likelihood;
mod matrix;
mod parameters;
mod refit;
mod sample;
mod search;
mod space;

pub use check::Reason;
pub use errors::{standard_errors, Errors};
pub use fit::{Fit, Fitting};
pub use parameters::{Parameters, Vector};
pub use refit::{Outcome, Refit};
pub use sample::backcast;

use crate::error::{Code, CoreError, Result};
use crate::indicator::GarchVariance;
use sample::Sample;

/// Persistence above which shocks hardly die out; the default bound of a fit.
pub const PERSISTENCE_MAX: f64 = 0.9995;

/// Fewest returns a fit takes; below it there are hardly more numbers than parameters.
pub const RETURNS_MIN: usize = 20;

/// What squared residual and variance are taken to be before the first return.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Presample {
    /// The mean squared residual, anew for every trial mean (Fiorentini, Calzolari, Panattoni).
    MeanSquare,
    /// The first 75 squared residuals about the sample mean, weighted by 0.94^i (`arch`).
    Backcast,
    /// This variance.
    Value(f64),
}

/// Which GARCH(1,1), and how it is fitted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Model {
    /// Whether a constant mean is estimated; else it is zero.
    pub has_mean: bool,
    /// Whether losses weigh differently (GJR).
    pub is_asymmetric: bool,
    /// Whether innovations are Student-t; else normal.
    pub is_student: bool,
    /// What stands before the first return.
    pub presample: Presample,
    /// Upper bound of the persistence in a fit; `None` lifts it.
    pub persistence_max: Option<f64>,
    /// Whether omega follows from the sample variance (variance targeting).
    pub is_targeted: bool,
}

impl Model {
    /// Check that the options go together.
    pub fn check(&self) -> Result<()> {
        let refuse = |text: String| Err(CoreError::new(Code::ParameterInvalid, text));
        if let Presample::Value(value) = self.presample {
            if !(value > 0.0 && value.is_finite()) {
                return refuse(format!("GARCH: presample variance {value}; it must be above 0"));
            }
        }
        match self.persistence_max {
            Some(most) if !(most > 0.0 && most <= 10.0) => {
                refuse(format!("GARCH: persistence_max {most}; allowed above 0 to 10, or none"))
            }
            Some(most) if self.is_targeted && most > 1.0 => refuse(format!(
                "GARCH: persistence_max {most} with variance targeting; it needs one up to 1"
            )),
            None if self.is_targeted => {
                refuse("GARCH: variance targeting needs a persistence_max up to 1".into())
            }
            _ => Ok(()),
        }
    }

    /// Check that parameters are possible ones of this model.
    pub fn check_parameters(&self, parameters: &Parameters) -> Result<()> {
        parameters.check()?;
        let refuse = |text: &str| Err(CoreError::new(Code::ParameterInvalid, text));
        if !self.has_mean && parameters.mu != 0.0 {
            return refuse("GARCH: mu is not 0 although the model has no mean");
        }
        if !self.is_asymmetric && parameters.gamma != 0.0 {
            return refuse("GARCH: gamma is not 0 although the model is symmetric");
        }
        if self.is_student != parameters.nu.is_finite() {
            return refuse("GARCH: nu belongs to Student-t innovations, and they need it");
        }
        Ok(())
    }

    /// Log likelihood of `returns` at these parameters.
    pub fn log_likelihood(&self, returns: &[f64], parameters: &Parameters) -> Result<f64> {
        self.check()?;
        self.check_parameters(parameters)?;
        let sample = Sample::new(returns, self.has_mean)?;
        let value =
            likelihood::evaluate(self, &sample, &parameters.scaled(1.0 / sample.unit)).value;
        Ok(value + sample.unit_term())
    }

    /// Variance that stands before the first return, in squared units of the returns.
    pub fn start_variance(&self, returns: &[f64], parameters: &Parameters) -> Result<f64> {
        let sample = Sample::new(returns, self.has_mean)?;
        let (start, _) = sample.start(self.presample, parameters.mu / sample.unit);
        Ok(start * sample.unit * sample.unit)
    }

    /// Conditional variance of every return, and of the one that comes next: one more than there
    /// are returns. Each is known before its return.
    pub fn variances(&self, returns: &[f64], parameters: &Parameters) -> Result<Vec<f64>> {
        self.check()?;
        self.check_parameters(parameters)?;
        let start = self.start_variance(returns, parameters)?;
        let mut kernel = GarchVariance::new(*parameters, start)?;
        let first = kernel.variance();
        Ok(std::iter::once(first).chain(returns.iter().map(|r| kernel.advance(*r))).collect())
    }
}
