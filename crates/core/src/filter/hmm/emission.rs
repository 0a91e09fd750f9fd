// SPDX-License-Identifier: Apache-2.0
//! What a regime looks like: a normal distribution of one or two numbers, a Poisson distribution of
//! a count, or the chances of a few symbols.

use super::{invalid, scale_to_one, STATES_MAX};
use crate::error::{Code, CoreError, Result};
use crate::filter::elementary::{ln, ln_gamma, ln_or_never, HALF_LN_TAU};
use crate::filter::lanes::Lanes;
use std::array::from_fn;

/// Most numbers in one observation: a return and its volatility.
pub const DIMENSIONS_MAX: usize = 2;

const VALUE_MAX: f64 = 1e100;
const COUNT_MAX: f64 = 1e15; // whole numbers are exact in floats up to here

/// A normal distribution of one or two numbers, with what its density needs prepared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Normal {
    /// Mean; the second is zero and unused in one dimension.
    pub mean: [f64; 2],
    /// Variances of both and, last, their covariance.
    pub covariance: [f64; 3],
    inverse: [f64; 3],
    log_norm: f64,
}

impl Normal {
    /// One number.
    pub fn one(mean: f64, variance: f64) -> Result<Self> {
        Self::two([mean, 0.0], [variance, 1.0, 0.0]).map(|mut it| {
            it.log_norm += HALF_LN_TAU; // of the second number, which is not there
            it
        })
    }

    /// Two numbers; `covariance` holds both variances and the covariance.
    pub fn two(mean: [f64; 2], covariance: [f64; 3]) -> Result<Self> {
        let [first, second, both] = covariance;
        let is_finite = mean.iter().chain(&covariance).all(|value| value.abs() <= VALUE_MAX);
        let rest = second - both * both / first;
        if !(is_finite && first >= f64::MIN_POSITIVE && rest >= f64::MIN_POSITIVE) {
            let message = format!("mean {mean:?}, covariance {covariance:?} is no distribution");
            return Err(invalid(message));
        }
        // Cholesky: L = [[a, 0], [b, c]]; its inverse whitens a deviation.
        let (a, c) = (first.sqrt(), rest.sqrt());
        let b = both / a;
        let inverse = [1.0 / a, -b / (a * c), 1.0 / c];
        Ok(Self { mean, covariance, inverse, log_norm: -2.0 * HALF_LN_TAU - ln(a) - ln(c) })
    }

    #[inline(always)]
    fn log_density(&self, row: &[f64]) -> f64 {
        let x = row[0] - self.mean[0];
        let u = x * self.inverse[0];
        let mut square = u * u;
        if let Some(second) = row.get(1) {
            let v = x * self.inverse[1] + (second - self.mean[1]) * self.inverse[2];
            square += v * v;
        }
        self.log_norm - 0.5 * square
    }

    /// `log_density` of rows side by side: the same operations.
    #[inline(always)]
    fn log_density_of_rows(&self, first: Lanes, second: Option<Lanes>) -> Lanes {
        let x = first - self.mean[0];
        let u = x * self.inverse[0];
        let mut square = u * u;
        if let Some(second) = second {
            let v = x * self.inverse[1] + (second - self.mean[1]) * self.inverse[2];
            square = square + v * v;
        }
        Lanes::all(self.log_norm) - square * 0.5
    }
}

/// The emissions of all regimes.
#[derive(Debug, Clone, PartialEq)]
pub enum Emission {
    /// Rows of `dimensions` numbers.
    Gaussian {
        /// One or two.
        dimensions: usize,
        /// One a regime.
        parts: Vec<Normal>,
    },
    /// Counts; the rate of each regime.
    Poisson {
        /// Expected count.
        rates: Vec<f64>,
    },
    /// Symbols numbered from zero.
    Categorical {
        /// How many there are.
        symbols: usize,
        /// Chance of each symbol, regime by regime.
        table: Vec<f64>,
    },
}

impl Emission {
    /// Counts with these expected values.
    pub fn poisson(rates: Vec<f64>) -> Result<Self> {
        if rates.iter().all(|rate| (1e-12..=COUNT_MAX).contains(rate)) {
            return Ok(Self::Poisson { rates });
        }
        Err(invalid(format!("rates {rates:?}; allowed 1e-12 to {COUNT_MAX:e}")))
    }

    /// Symbols with these chances, one row of `symbols` a regime.
    pub fn categorical(symbols: usize, mut table: Vec<f64>) -> Result<Self> {
        if symbols == 0
            || !table.len().is_multiple_of(symbols)
            || table.len() > symbols * STATES_MAX
        {
            return Err(invalid(format!("{} chances of {symbols} symbols", table.len())));
        }
        table.chunks_mut(symbols).try_for_each(|row| scale_to_one("emission", row))?;
        Ok(Self::Categorical { symbols, table })
    }

    pub(super) fn states(&self) -> usize {
        match self {
            Self::Gaussian { parts, .. } => parts.len(),
            Self::Poisson { rates } => rates.len(),
            Self::Categorical { symbols, table } => table.len() / symbols,
        }
    }

    pub(super) fn dimensions(&self) -> usize {
        if let Self::Gaussian { dimensions, .. } = self {
            *dimensions
        } else {
            1
        }
    }

    /// Whether all rows pass `check` for a reason that is quick to see.
    pub(super) fn takes_all(&self, rows: &[f64]) -> bool {
        let is_fine = |fine, value: &f64| fine & (value.abs() <= VALUE_MAX);
        matches!(self, Self::Gaussian { .. }) && rows.iter().fold(true, is_fine)
    }

    /// Refuse a row that this model cannot have emitted.
    pub(super) fn check(&self, row: &[f64], index: Option<usize>) -> Result<()> {
        let place = || index.map_or(String::new(), |at| format!(" in row {at}"));
        for value in row {
            if !value.is_finite() {
                let message = format!("Hmm: {value}{}; a finite number is due", place());
                return Err(CoreError::new(Code::NumberNotFinite, message));
            }
            let (most, is_whole) = match self {
                Self::Gaussian { .. } => (VALUE_MAX, false),
                Self::Poisson { .. } => (COUNT_MAX, true),
                Self::Categorical { symbols, .. } => ((*symbols - 1) as f64, true),
            };
            let is_count = *value >= 0.0 && value.fract() == 0.0;
            if value.abs() > most || (is_whole && !is_count) {
                let kind = if is_whole { "whole numbers from 0" } else { "magnitudes" };
                let message = format!("Hmm: {value}{}; allowed are {kind} up to {most:e}", place());
                return Err(CoreError::new(Code::NumberOutOfRange, message));
            }
        }
        Ok(())
    }

    /// Log densities of a checked row, one a regime.
    #[inline(always)]
    pub(super) fn log_densities(&self, row: &[f64], out: &mut [f64]) {
        match self {
            Self::Gaussian { parts, .. } => {
                for (out, part) in out.iter_mut().zip(parts) {
                    *out = part.log_density(row);
                }
            }
            Self::Poisson { rates } => {
                let of_count = ln_gamma(row[0] + 1.0);
                for (out, rate) in out.iter_mut().zip(rates) {
                    *out = row[0] * ln(*rate) - rate - of_count;
                }
            }
            Self::Categorical { symbols, table } => {
                for (out, chances) in out.iter_mut().zip(table.chunks_exact(*symbols)) {
                    *out = chances
                        .get(row[0] as usize)
                        .map_or(f64::NEG_INFINITY, |it| ln_or_never(*it));
                }
            }
        }
    }

    /// Log densities of up to eight checked rows side by side, regime by regime; what follows the
    /// last row is without meaning.
    #[inline(always)]
    pub(super) fn log_densities_of_rows(&self, rows: &[f64], out: &mut [Lanes]) {
        if let Self::Gaussian { dimensions, parts } = self {
            let column = |of: usize| {
                Lanes(from_fn(|at| rows.get(at * dimensions + of).copied().unwrap_or(0.0)))
            };
            let (first, second) = (column(0), (*dimensions > 1).then(|| column(1)));
            for (out, part) in out.iter_mut().zip(parts) {
                *out = part.log_density_of_rows(first, second);
            }
            return;
        }
        let mut logs = [0.0; STATES_MAX];
        for (at, row) in rows.chunks_exact(self.dimensions()).enumerate() {
            self.log_densities(row, &mut logs[..out.len()]);
            for (out, log) in out.iter_mut().zip(logs) {
                out.0[at] = log;
            }
        }
    }

    pub(super) fn reordered(&self, order: &[usize]) -> Self {
        match self {
            Self::Gaussian { dimensions, parts } => Self::Gaussian {
                dimensions: *dimensions,
                parts: order.iter().map(|from| parts[*from]).collect(),
            },
            Self::Poisson { rates } => {
                Self::Poisson { rates: order.iter().map(|from| rates[*from]).collect() }
            }
            Self::Categorical { symbols, table } => {
                let rows =
                    order.iter().flat_map(|from| &table[from * symbols..(from + 1) * symbols]);
                Self::Categorical { symbols: *symbols, table: rows.copied().collect() }
            }
        }
    }

    /// By what regimes are put in order, ascending: variance of the first number, expected count,
    /// or chance of the first symbol.
    pub(super) fn rank(&self, state: usize) -> f64 {
        match self {
            Self::Gaussian { parts, .. } => parts[state].covariance[0],
            Self::Poisson { rates } => rates[state],
            Self::Categorical { symbols, table } => table[state * symbols],
        }
    }
}

impl Emission {
    /// Every parameter, in one order.
    pub(super) fn numbers(&self) -> Vec<f64> {
        match self {
            Self::Gaussian { dimensions, parts } => {
                let each = parts.iter().flat_map(|part| part.mean.iter().chain(&part.covariance));
                std::iter::once(*dimensions as f64).chain(each.copied()).collect()
            }
            Self::Poisson { rates } => rates.clone(),
            Self::Categorical { table, .. } => table.clone(),
        }
    }
}
