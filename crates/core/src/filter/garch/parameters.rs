// SPDX-License-Identifier: Apache-2.0
//! The numbers of a GARCH(1,1) and what follows from them alone: persistence, long-run variance,
//! half-life, and forecasts in closed form.

use crate::error::{Code, CoreError, Result};

/// Number of parameters, used or not.
pub(super) const SIZE: usize = 6;
/// One number for each parameter: mu, omega, alpha, gamma, beta, nu.
pub type Vector = [f64; SIZE];
pub(super) const MU: usize = 0;
pub(super) const OMEGA: usize = 1;
pub(super) const ALPHA: usize = 2;
pub(super) const GAMMA: usize = 3;
pub(super) const BETA: usize = 4;
pub(super) const NU: usize = 5;

/// Below this share of unit persistence times steps, a sum is taken from its series.
const SERIES: f64 = 1e-5;

/// Parameters in the unit of the returns. `gamma` is 0 in a symmetric model, `nu` is infinite for
/// normal innovations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parameters {
    /// Mean return.
    pub mu: f64,
    /// Constant of the variance, squared returns.
    pub omega: f64,
    /// Weight of the last squared residual.
    pub alpha: f64,
    /// Further weight of a negative residual.
    pub gamma: f64,
    /// Weight of the last variance.
    pub beta: f64,
    /// Degrees of freedom.
    pub nu: f64,
}

impl Parameters {
    /// As one row: mu, omega, alpha, gamma, beta, nu.
    #[must_use]
    pub fn to_vector(self) -> Vector {
        [self.mu, self.omega, self.alpha, self.gamma, self.beta, self.nu]
    }

    /// From one row.
    #[must_use]
    pub fn of_vector([mu, omega, alpha, gamma, beta, nu]: Vector) -> Self {
        Self { mu, omega, alpha, gamma, beta, nu }
    }

    /// The same model of returns that are `factor` times as large.
    #[must_use]
    pub fn scaled(self, factor: f64) -> Self {
        Self { mu: self.mu * factor, omega: self.omega * factor * factor, ..self }
    }

    /// Refuse what makes no variance: numbers that are not finite, negative weights, `nu` up to 2.
    pub fn check(&self) -> Result<()> {
        let weights = [self.omega, self.alpha, self.beta, self.alpha + self.gamma];
        let is_finite = self.to_vector()[..NU].iter().all(|value| value.is_finite());
        if is_finite && weights.iter().all(|weight| *weight >= 0.0) && self.nu > 2.0 {
            return Ok(());
        }
        let message = format!(
            "GARCH {self:?}; finite, omega, alpha, beta and alpha + gamma from 0, nu above 2"
        );
        Err(CoreError::new(Code::ParameterInvalid, message))
    }

    /// Share of a shock to the variance that is left one step later. Under a symmetric density a
    /// loss is every other shock, hence half of gamma.
    #[must_use]
    pub fn persistence(&self) -> f64 {
        self.alpha + 0.5 * self.gamma + self.beta
    }

    /// Variance in the long run, nan where persistence is not below one.
    #[must_use]
    pub fn unconditional_variance(&self) -> f64 {
        let fading = 1.0 - self.persistence();
        if fading > 0.0 {
            self.omega / fading
        } else {
            f64::NAN
        }
    }

    /// Steps until half of a shock is gone, nan where it never is.
    #[must_use]
    pub fn half_life(&self) -> f64 {
        let persistence = self.persistence();
        if persistence > 0.0 && persistence < 1.0 {
            0.5_f64.ln() / persistence.ln()
        } else {
            f64::NAN
        }
    }

    /// Variance expected `steps` returns ahead, from that of the next return (`steps` 1).
    #[must_use]
    pub fn forecast(&self, next_variance: f64, steps: f64) -> f64 {
        let gone = steps - 1.0;
        let persistence = self.persistence();
        persistence.powf(gone) * next_variance + self.omega * geometric(persistence, gone)
    }

    /// Variance expected of the sum of the next `steps` returns, which need not be a whole number.
    #[must_use]
    pub fn horizon_variance(&self, next_variance: f64, steps: f64) -> f64 {
        let persistence = self.persistence();
        let (sum, fading) = (geometric(persistence, steps), 1.0 - persistence);
        let constants = if fading.abs() * steps < SERIES {
            0.5 * steps * (steps - 1.0) * (1.0 - fading * (steps - 2.0) / 3.0)
        } else {
            (steps - sum) / fading
        };
        sum * next_variance + self.omega * constants
    }
}

/// `1 + p + … + p^(n-1)`, also for an n that is not whole.
fn geometric(persistence: f64, steps: f64) -> f64 {
    let fading = 1.0 - persistence;
    if fading == 0.0 {
        return steps;
    }
    -(steps * (-fading).ln_1p()).exp_m1() / fading
}
