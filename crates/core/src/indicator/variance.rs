// SPDX-License-Identifier: Apache-2.0
//! Variance from returns, step by step: averages on irregular time, the GARCH recursion, and
//! realised variance with what of it is jumps. Forecasts are for the next return, made after seeing
//! this one.

use std::f64::consts::FRAC_PI_2;

use super::window::RollingSum;
use super::{checked_period, checked_real, forgetting};
use crate::error::Result;
use crate::filter::garch::Parameters;

/// Exponentially weighted variance of returns that come at irregular times: the past's weight is
/// `exp(-elapsed / tau)`. The variance of one return of the kind seen. The first squared return is
/// the start.
#[derive(Debug, Clone)]
pub struct TimedEwmaVariance {
    tau_s: f64,
    variance: Option<f64>,
}

impl TimedEwmaVariance {
    /// Forget with the time constant `tau_s`, in seconds.
    pub fn new(tau_s: f64) -> Result<Self> {
        checked_real("TimedEwmaVariance", "tau_s", tau_s, 1e-9, 1e12)?;
        Ok(Self { tau_s, variance: None })
    }

    /// Take a return and the seconds since the one before; the forecast for the next. Time that
    /// runs backwards counts as none.
    #[inline]
    pub fn push(&mut self, value: f64, elapsed_s: f64) -> Option<f64> {
        let square = value * value;
        let before = self.variance.unwrap_or(square);
        let fresh = -(-elapsed_s.max(0.0) / self.tau_s).exp_m1();
        self.variance = Some(before + fresh * (square - before));
        self.variance
    }
}

state!(TimedEwmaVariance, fixed { tau_s }, moving { variance });
indicator!(TimedEwmaVariance [value elapsed_s; 2] -> 1, warmup |_it| 1);

/// The recursion of a fitted GARCH(1,1) or GJR.
#[derive(Debug, Clone)]
pub struct GarchVariance {
    mu: f64,
    omega: f64,
    gain: f64,
    loss: f64,
    beta: f64,
    variance: f64,
}

impl GarchVariance {
    /// Go on from a presample variance, which stands for the squared residual as well.
    pub fn new(parameters: Parameters, start: f64) -> Result<Self> {
        parameters.check()?;
        checked_real("GarchVariance", "start", start, 0.0, f64::MAX)?;
        let Parameters { mu, omega, alpha, gamma, beta, .. } = parameters;
        let variance = omega + parameters.persistence() * start;
        Ok(Self { mu, omega, gain: alpha, loss: alpha + gamma, beta, variance })
    }

    /// Variance of the next return.
    #[inline]
    #[must_use]
    pub fn variance(&self) -> f64 {
        self.variance
    }

    /// Take a return; the variance of the next one.
    #[inline]
    pub fn advance(&mut self, value: f64) -> f64 {
        let residual = value - self.mu;
        let reaction = if residual < 0.0 { self.loss } else { self.gain };
        self.variance = self.omega + reaction * (residual * residual) + self.beta * self.variance;
        self.variance
    }

    /// [`GarchVariance::advance`], as every kernel says it: there is always a value.
    #[inline]
    pub fn push(&mut self, value: f64) -> Option<f64> {
        Some(self.advance(value))
    }

    /// Steps until the start's part in the variance, beta to their power, is forgotten.
    fn settled(&self) -> u64 {
        1 + forgetting(1.0 - self.beta.clamp(f64::EPSILON, 1.0 - f64::EPSILON), 1)
    }
}

state!(GarchVariance, fixed { mu, omega, gain, loss, beta }, moving { variance });
indicator!(GarchVariance [value; 1] -> 1, warmup |_it| 1, settled |it| it.settled());

/// Realised variance of the last n returns: sum of their squares; the part of it that is not jumps,
/// bipower variation, `pi/2` times the sum of products of neighbours' sizes (Barndorff-Nielsen and
/// Shephard 2004); and the rest, at least zero. First at index n - 1.
#[derive(Debug, Clone)]
pub struct RealizedVariance {
    squares: RollingSum,
    products: RollingSum,
    last: Option<f64>,
}

impl RealizedVariance {
    /// Window of `period` returns.
    pub fn new(period: usize) -> Result<Self> {
        let period = checked_period("RealizedVariance", period, 2)?;
        let (squares, products) = (RollingSum::new(period), RollingSum::new(period - 1));
        Ok(Self { squares, products, last: None })
    }

    /// Take a return; `[realized, bipower, jumps]` once the window is full.
    #[inline]
    pub fn push(&mut self, value: f64) -> Option<[f64; 3]> {
        let size = value.abs();
        let before = self.last.replace(size);
        let bipower = before.and_then(|before| self.products.push(before * size));
        let realized = self.squares.push(size * size)?.max(0.0);
        let bipower = FRAC_PI_2 * bipower?.max(0.0);
        Some([realized, bipower, (realized - bipower).max(0.0)])
    }
}

state!(RealizedVariance, fixed {}, moving { squares, products, last });
indicator!(RealizedVariance [value; 1] -> 3, warmup |it| it.squares.period());
