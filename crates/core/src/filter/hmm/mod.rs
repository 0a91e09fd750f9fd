// SPDX-License-Identifier: Apache-2.0
//! Hidden Markov models: which of a few regimes is the market in? [`Hmm`] is a set of parameters;
//! [`RegimeFilter`] reads a market with it, forwards only; `infer` looks back over a finished
//! series (smoothing, best path) and must never decide anything live; `fit` estimates parameters.
//!
//! An observation is a row of one or two numbers. Densities are taken in logarithms and their
//! largest is subtracted before the exponential, so an unlikely row does not underflow.

mod emission;
mod fit;
mod infer;
mod stream;

pub use emission::{Emission, Normal, DIMENSIONS_MAX};
pub use fit::{fit, Fit, FitSetting, Shape};
pub use infer::Smoothed;
pub use stream::{RegimeFilter, Switching};

use super::elementary::ln;
use super::lanes::{Lanes, LANES};
use crate::error::{Code, CoreError, Result};
use std::f64::consts::LOG2_E;

/// Most regimes: a person can tell no more apart.
pub const STATES_MAX: usize = 16;

const SUM_SLACK: f64 = 1e-6; // how far a row of probabilities may be from one before it is refused

/// Parameters of a model: start and transition probabilities (row: from, column: to), emissions.
#[derive(Debug, Clone, PartialEq)]
pub struct Hmm {
    states: usize,
    start: Vec<f64>,
    transition: Vec<f64>,
    emission: Emission,
}

impl Hmm {
    /// `start` is the distribution at the first observation. Rows are scaled to one; refused where
    /// they are no probabilities or the sizes disagree.
    pub fn new(start: Vec<f64>, transition: Vec<f64>, emission: Emission) -> Result<Self> {
        let states = start.len();
        if !(1..=STATES_MAX).contains(&states) {
            return Err(invalid(format!("{states} states; allowed 1 to {STATES_MAX}")));
        }
        if transition.len() != states * states || emission.states() != states {
            let message = format!(
                "{states} start probabilities, {} transitions, {} emissions; sizes disagree",
                transition.len(),
                emission.states()
            );
            return Err(invalid(message));
        }
        let mut built = Self { states, start, transition, emission };
        scale_to_one("start", &mut built.start)?;
        built.transition.chunks_mut(states).try_for_each(|row| scale_to_one("transition", row))?;
        Ok(built)
    }

    /// Number of regimes.
    #[must_use]
    pub fn states(&self) -> usize {
        self.states
    }

    /// Distribution at the first observation.
    #[must_use]
    pub fn start(&self) -> &[f64] {
        &self.start
    }

    /// Transition probabilities, row by row.
    #[must_use]
    pub fn transition(&self) -> &[f64] {
        &self.transition
    }

    /// What each regime looks like.
    #[must_use]
    pub fn emission(&self) -> &Emission {
        &self.emission
    }

    /// Numbers in one observation.
    #[must_use]
    pub fn dimensions(&self) -> usize {
        self.emission.dimensions()
    }

    /// Put the regimes in another order: the new first is the old `order[0]`.
    pub fn reordered(&self, order: &[usize]) -> Result<Self> {
        let mut sorted = order.to_vec();
        sorted.sort_unstable();
        if !sorted.iter().copied().eq(0..self.states) {
            return Err(invalid(format!("order {order:?} is none of {} states", self.states)));
        }
        let start = order.iter().map(|from| self.start[*from]).collect();
        let transition = order
            .iter()
            .flat_map(|from| order.iter().map(move |to| self.transition[from * self.states + to]))
            .collect();
        Self::new(start, transition, self.emission.reordered(order))
    }

    /// Check whole rows of observations. *Returns*: how many there are.
    pub fn checked_rows(&self, observations: &[f64]) -> Result<usize> {
        let dimensions = self.dimensions();
        if !observations.len().is_multiple_of(dimensions) {
            let message = format!("{} numbers make no rows of {dimensions}", observations.len());
            return Err(CoreError::new(Code::DataInvalid, format!("Hmm: {message}")));
        }
        if !self.emission.takes_all(observations) {
            for (at, row) in observations.chunks_exact(dimensions).enumerate() {
                self.emission.check(row, Some(at))?;
            }
        }
        Ok(observations.len() / dimensions)
    }

    /// Chances of the regimes at the next row.
    #[inline(always)]
    pub(super) fn predict(&self, now: &[f64], next: &mut [f64]) {
        next.fill(0.0);
        for (chance, row) in now.iter().zip(self.transition.chunks_exact(now.len())) {
            for (target, step) in next.iter_mut().zip(row) {
                *target += chance * step;
            }
        }
    }

    /// Densities of a checked row relative to their largest. *Returns*: the logarithm of that.
    #[inline(always)]
    pub(super) fn density(&self, row: &[f64], out: &mut [f64]) -> f64 {
        self.emission.log_densities(row, out);
        let most = out.iter().fold(f64::NEG_INFINITY, |a, b| if *b > a { *b } else { a });
        for part in out.chunks_mut(LANES) {
            let mut lanes = [f64::NEG_INFINITY; LANES];
            lanes[..part.len()].copy_from_slice(part);
            let relative = relative(Lanes(lanes), Lanes::all(most)).0;
            part.copy_from_slice(&relative[..part.len()]);
        }
        most
    }

    /// Densities of up to eight checked rows side by side: the same numbers as in `density`, regime
    /// by regime. *Returns*: the logarithm of the largest density of each row.
    #[inline(always)]
    pub(super) fn densities(&self, rows: &[f64], out: &mut [Lanes]) -> Lanes {
        self.emission.log_densities_of_rows(rows, out);
        let most = out.iter().fold(Lanes::all(f64::NEG_INFINITY), |most, log| most.or_more(*log));
        out.iter_mut().for_each(|log| *log = relative(*log, most));
        most
    }

    /// Multiply predicted chances by the densities of a checked row and scale to one. `density`
    /// receives the densities relative to their largest. *Returns*: log probability of the row, and
    /// the factor that scaled.
    pub(super) fn condition(
        &self,
        row: &[f64],
        chances: &mut [f64],
        density: &mut [f64],
    ) -> (f64, f64) {
        let most = self.density(row, density);
        let total = times(chances, density);
        if total < f64::MIN_POSITIVE {
            // No regime that can be now explains the row: nothing is known any more.
            chances.fill(1.0 / self.states as f64);
            return (f64::NEG_INFINITY, 1.0);
        }
        let factor = 1.0 / total;
        chances.iter_mut().for_each(|chance| *chance *= factor);
        (ln(total) + most, factor)
    }
}

/// Densities relative to the largest; zero where there is none.
#[inline(always)]
fn relative(log: Lanes, most: Lanes) -> Lanes {
    ((log - most) * LOG2_E).exp2()
}

/// Multiply chances by densities. *Returns*: the sum.
#[inline(always)]
fn times(chances: &mut [f64], density: &[f64]) -> f64 {
    let mut total = 0.0;
    for (chance, density) in chances.iter_mut().zip(density) {
        *chance *= density;
        total += *chance;
    }
    total
}

/// Scale a row of probabilities to one. Refused if it is far from it.
fn scale_to_one(what: &str, row: &mut [f64]) -> Result<()> {
    let total: f64 = row.iter().sum();
    let is_valid = row.iter().all(|chance| (0.0..=1.0 + SUM_SLACK).contains(chance));
    if !is_valid || (total - 1.0).abs() > SUM_SLACK {
        return Err(invalid(format!("{what} {row:?} is no row of probabilities that sum to one")));
    }
    row.iter_mut().for_each(|chance| *chance /= total);
    Ok(())
}

fn invalid(message: String) -> CoreError {
    CoreError::new(Code::ParameterInvalid, format!("Hmm: {message}"))
}
