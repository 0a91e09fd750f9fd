// SPDX-License-Identifier: Apache-2.0
//! The filter from outside: whole columns, what it counted, its state as bytes, and what a hedge
//! ratio means in units to hold.

use super::{HedgeStart, KalmanHedge, HEALTH_ROWS, NAME};
use crate::error::Result;
use crate::filter::input::{at_row, known, same_length};
use crate::indicator::{state, State, INPUT_MAX};

/// Mean squared z-score that a well-tuned filter keeps over its health window.
const HEALTHY: std::ops::RangeInclusive<f64> = 0.8..=1.25;

/// Whether y and x are logarithms of prices or prices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Model {
    /// Logarithms: beta is a ratio of money.
    Log,
    /// Prices: beta is a ratio of units.
    Price,
}

/// Units of y and of x that hold the spread `y - beta x` once, long. With log prices `amount` is
/// money in y and -beta times that money is held in x; with prices it is units. The two differ by
/// the ratio of the prices.
#[must_use]
pub fn positions(model: Model, beta: f64, amount: f64, price_y: f64, price_x: f64) -> [f64; 2] {
    match model {
        Model::Log => [amount / price_y, -beta * amount / price_x],
        Model::Price => [amount, -beta * amount],
    }
}

impl KalmanHedge {
    /// Columns of z, innovation, its variance, beta and alpha for columns of y, x and, if not
    /// always one, time steps; from the present state on. A bad row is named and changes nothing.
    pub fn batch(
        &mut self,
        y: &[f64],
        x: &[f64],
        dt: Option<&[f64]>,
        outputs: [&mut [f64]; 5],
    ) -> Result<()> {
        let rows = y.len();
        same_length(NAME, rows, &[x.len(), dt.map_or(rows, <[f64]>::len)])?;
        same_length(NAME, rows, &outputs.each_ref().map(|column| column.len()))?;
        let mut next = self.clone();
        let mut outputs = outputs.map(|column| &mut column[..rows]);
        for at in 0..rows {
            let dt = dt.map_or(1.0, |dt| dt[at]);
            let step = next.step(y[at], x[at], dt).map_err(|error| at_row(error, at))?;
            for (column, value) in outputs.iter_mut().zip(step.row()) {
                column[at] = value;
            }
        }
        *self = next;
        Ok(())
    }

    /// z, innovation, its variance, beta and alpha of the last row.
    #[must_use]
    pub fn last(&self) -> &[f64; 5] {
        &self.last
    }

    /// Hedge ratio that the last innovation was measured with, before that row was learned from.
    #[must_use]
    pub fn beta_before(&self) -> f64 {
        self.beta_before
    }

    /// Covariance of beta and alpha.
    #[must_use]
    pub fn covariance(&self) -> [[f64; 2]; 2] {
        let [p00, p01, p11] = self.p;
        [[p00, p01], [p01, p11]]
    }

    /// The x at which alpha is told; 0 unless centred.
    #[must_use]
    pub fn anchor(&self) -> f64 {
        self.anchor
    }

    /// Observation noise in use.
    #[must_use]
    pub fn noise(&self) -> f64 {
        self.noise
    }

    /// Sum of the log densities of the rows learned from.
    #[must_use]
    pub fn log_likelihood(&self) -> f64 {
        self.log_likelihood - 0.5 * self.variances.ln()
    }

    /// Whether the last row completed five rejected in a row, and the covariance was widened.
    #[must_use]
    pub fn is_change(&self) -> bool {
        self.is_change
    }

    /// Rows so far: all, with a missing leg, beyond the gate; then changes, and covariances mended.
    #[must_use]
    pub fn counts(&self) -> [u64; 5] {
        [self.n_seen, self.n_missing, self.n_rejected, self.n_changes, self.n_mended]
    }

    /// Mean squared z-score of the last 500 observed rows, those beyond the gate counted as at it;
    /// NaN before.
    #[must_use]
    pub fn mean_nis(&self) -> f64 {
        self.mean_nis
    }

    /// Whether that mean lies in 0.8 to 1.25, or is not known yet. Outside, refit the noises.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.mean_nis.is_nan() || HEALTHY.contains(&self.mean_nis)
    }

    /// Whether the filter runs and its start, or its last change, weighs little by now.
    #[must_use]
    pub fn ready(&self) -> bool {
        self.is_started && self.is_settled && !self.beta_before.is_nan()
    }

    /// Rows that may pass before the first z-score.
    #[must_use]
    pub fn warmup(&self) -> u64 {
        match self.settings.start {
            HedgeStart::LeastSquares { rows } => rows + 1,
            HedgeStart::Exact { .. } => 1,
            HedgeStart::Diffuse { .. } => HEALTH_ROWS as u64,
        }
    }

    /// Tell alpha at another x from now on: the line stays.
    pub fn move_anchor(&mut self, anchor: f64) -> Result<()> {
        known(NAME, "anchor", anchor, -INPUT_MAX)?;
        self.re_anchor(anchor);
        Ok(())
    }

    /// The complete state as bytes; `restore` brings it back bit for bit.
    #[must_use]
    pub fn snapshot(&self) -> Vec<u8> {
        state::seal(NAME, |to| self.save(to))
    }

    /// Take over a snapshot of a filter with the same settings. Anything else is refused and the
    /// state stays as it was.
    pub fn restore(&mut self, snapshot: &[u8]) -> Result<()> {
        let mut next = self.clone();
        let mut from = state::unseal(NAME, snapshot)?;
        next.load(&mut from)?;
        from.finish()?;
        *self = next;
        Ok(())
    }
}

state!(
    KalmanHedge,
    fixed { settings },
    moving {
        noise,
        beta,
        alpha,
        p,
        anchor,
        is_started,
        adds_noise,
        design,
        is_settled,
        beta_before,
        is_change,
        rejected_in_row,
        n_seen,
        n_missing,
        n_rejected,
        n_changes,
        n_mended,
        log_likelihood,
        variances,
        health,
        mean_nis,
        last
    }
);
