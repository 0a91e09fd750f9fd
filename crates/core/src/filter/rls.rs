// SPDX-License-Identifier: Apache-2.0
//! Recursive least squares with exponential forgetting. `Rls` carries the covariance: short and
//! fast, for up to three regressors of similar size. `QrRls` carries the triangular factor of the
//! information and turns each row in by Givens rotations (Golub and Van Loan 2013, 6.5): it loses
//! half the digits that the covariance loses, and needs no guess of where to start.
//! [`least_squares`] standardises the columns first and loses the fewest.

use super::input::{known, observed, parameter};
use crate::error::{Code, CoreError, Result};
use crate::indicator::{state, Reader, State};

/// Most regressors; a step costs their square.
const REGRESSORS_MAX: usize = 256;

/// Below this variance of the prediction a row says nothing new, and nothing is forgotten for it.
const EXCITED: f64 = 1e-8;

/// What is fixed about `Rls`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RlsSettings {
    /// Weight of a row relative to the next one, above 0 up to 1.
    pub forgetting: f64,
    /// Variance of each coefficient at the start, in units of the noise's.
    pub initial_variance: f64,
    /// Bound of those variances: without news, forgetting would wind them up for ever.
    pub variance_max: f64,
}

/// Recursive least squares by covariance.
#[derive(Debug, Clone)]
pub struct Rls {
    settings: RlsSettings,
    coefficients: Vec<f64>,
    covariance: Vec<f64>,
    gain: Vec<f64>,
    n_seen: u64,
    n_missing: u64,
}

impl Rls {
    const NAME: &'static str = "RLS";

    /// All coefficients start at zero.
    pub fn new(regressors: usize, settings: RlsSettings) -> Result<Self> {
        let regressors = checked_regressors(Self::NAME, regressors)?;
        parameter(Self::NAME, "forgetting", settings.forgetting, 1e-3, 1.0)?;
        parameter(Self::NAME, "variance_max", settings.variance_max, 1e-50, 1e50)?;
        let start = settings.initial_variance;
        parameter(Self::NAME, "initial_variance", start, 1e-50, settings.variance_max)?;
        let mut covariance = vec![0.0; regressors * regressors];
        covariance.iter_mut().step_by(regressors + 1).for_each(|value| *value = start);
        let (coefficients, gain) = (vec![0.0; regressors], vec![0.0; regressors]);
        Ok(Self { settings, coefficients, covariance, gain, n_seen: 0, n_missing: 0 })
    }

    /// Take one row and return y less what was expected. With a NaN anywhere the row is missing:
    /// nothing is learned or forgotten, and the answer is NaN.
    pub fn step(&mut self, y: f64, row: &[f64]) -> Result<f64> {
        let p = self.coefficients.len();
        if !checked_row(Self::NAME, y, row, p)? {
            self.n_seen += 1;
            self.n_missing += 1;
            return Ok(f64::NAN);
        }
        let innovation = y - dot(&self.coefficients, row);
        for (gain, covariances) in self.gain.iter_mut().zip(self.covariance.chunks_exact(p)) {
            *gain = dot(covariances, row);
        }
        let spread = dot(&self.gain, row).max(0.0);
        if !(innovation.is_finite() && spread.is_finite()) {
            return Err(overflow(Self::NAME, y));
        }
        let forgetting = if spread < EXCITED { 1.0 } else { self.settings.forgetting };
        let share = 1.0 / (forgetting + spread);
        for i in 0..p {
            self.coefficients[i] += self.gain[i] * share * innovation;
            for j in 0..=i {
                let left = self.covariance[i * p + j] - self.gain[i] * self.gain[j] * share;
                self.covariance[i * p + j] = left / forgetting;
                self.covariance[j * p + i] = left / forgetting;
            }
        }
        self.bound();
        self.n_seen += 1;
        Ok(innovation)
    }

    /// Shrink what exceeds the bound, correlations kept.
    fn bound(&mut self) {
        let p = self.coefficients.len();
        for i in 0..p {
            let variance = self.covariance[i * p + i];
            if variance > self.settings.variance_max {
                let factor = (self.settings.variance_max / variance).sqrt();
                for j in 0..p {
                    self.covariance[i * p + j] *= factor;
                    self.covariance[j * p + i] *= factor;
                }
            }
        }
    }

    /// The coefficients.
    #[must_use]
    pub fn coefficients(&self) -> &[f64] {
        &self.coefficients
    }

    /// Their covariance in units of the noise's variance, row by row.
    #[must_use]
    pub fn covariance(&self) -> &[f64] {
        &self.covariance
    }

    /// Rows so far, missing ones included.
    #[must_use]
    pub fn n_seen(&self) -> u64 {
        self.n_seen
    }

    /// Whether there were as many complete rows as coefficients.
    #[must_use]
    pub fn ready(&self) -> bool {
        self.n_seen - self.n_missing >= self.coefficients.len() as u64
    }
}

/// Recursive least squares by the triangular factor; coefficients are NaN until rows determine
/// them.
#[derive(Debug, Clone)]
pub struct QrRls {
    forgetting: f64,
    regressors: usize,
    /// The factor with the turned y as last column, row by row.
    factor: Vec<f64>,
    coefficients: Vec<f64>,
    /// Working row: regressors, then y.
    row: Vec<f64>,
    residual_squares: f64,
    weight: f64,
    mean: f64,
    squares: f64,
    n_seen: u64,
    n_missing: u64,
}

impl QrRls {
    const NAME: &'static str = "QrRLS";

    /// A regression that has seen nothing.
    pub fn new(regressors: usize, forgetting: f64) -> Result<Self> {
        let regressors = checked_regressors(Self::NAME, regressors)?;
        parameter(Self::NAME, "forgetting", forgetting, 1e-3, 1.0)?;
        Ok(Self {
            forgetting,
            regressors,
            factor: vec![0.0; regressors * (regressors + 1)],
            coefficients: vec![f64::NAN; regressors],
            row: vec![0.0; regressors + 1],
            residual_squares: 0.0,
            weight: 0.0,
            mean: 0.0,
            squares: 0.0,
            n_seen: 0,
            n_missing: 0,
        })
    }

    /// Take one row and return y less what was expected, NaN while undetermined. With a NaN
    /// anywhere the row is missing: nothing is learned or forgotten, and the answer is NaN.
    pub fn step(&mut self, y: f64, row: &[f64]) -> Result<f64> {
        if !checked_row(Self::NAME, y, row, self.regressors)? {
            self.n_seen += 1;
            self.n_missing += 1;
            return Ok(f64::NAN);
        }
        let innovation = y - dot(&self.coefficients, row);
        self.turn_in(y, row);
        self.solve();
        self.n_seen += 1;
        Ok(innovation)
    }

    /// Rotate the row into the factor; what is left of y is its residual.
    fn turn_in(&mut self, y: f64, row: &[f64]) {
        let (p, width) = (self.regressors, self.regressors + 1);
        if self.forgetting < 1.0 {
            let root = self.forgetting.sqrt();
            self.factor.iter_mut().for_each(|value| *value *= root);
        }
        self.row[..p].copy_from_slice(row);
        self.row[p] = y;
        for (at, factor) in self.factor.chunks_exact_mut(width).enumerate() {
            let (head, own) = (factor[at], self.row[at]);
            if own == 0.0 {
                continue;
            }
            let length = head.hypot(own);
            let (cosine, sine) = (head / length, own / length);
            for (kept, turned) in factor[at..].iter_mut().zip(&mut self.row[at..]) {
                (*kept, *turned) =
                    (cosine * *kept + sine * *turned, cosine * *turned - sine * *kept);
            }
            self.row[at] = 0.0;
        }
        let residual = self.row[p];
        self.residual_squares = self.forgetting * self.residual_squares + residual * residual;
        self.weight = self.forgetting * self.weight + 1.0;
        let before = y - self.mean;
        self.mean += before / self.weight;
        self.squares = self.forgetting * self.squares + before * (y - self.mean);
    }

    /// Back substitution; NaN as long as a column depends on those before it.
    fn solve(&mut self) {
        let (p, width) = (self.regressors, self.regressors + 1);
        for at in (0..p).rev() {
            let column = (0..=at).map(|i| self.factor[i * width + at].powi(2)).sum::<f64>();
            let own = self.factor[at * width + at];
            let rest = 8.0 * p as f64 * f64::EPSILON * column.sqrt();
            if own.abs() <= rest {
                self.coefficients.fill(f64::NAN);
                return;
            }
            let row = &self.factor[at * width..(at + 1) * width];
            let others = dot(&row[at + 1..p], &self.coefficients[at + 1..]);
            self.coefficients[at] = (row[p] - others) / own;
        }
    }

    /// The coefficients, NaN while rows do not determine them.
    #[must_use]
    pub fn coefficients(&self) -> &[f64] {
        &self.coefficients
    }

    /// Deviation of the residuals, degrees of freedom counted; NaN while there are none.
    #[must_use]
    pub fn residual_deviation(&self) -> f64 {
        let freedom = self.weight - self.regressors as f64;
        if freedom > 0.0 && self.ready() {
            (self.residual_squares / freedom).sqrt()
        } else {
            f64::NAN
        }
    }

    /// Share of the variation of y around its mean that is explained; meant for regressions with a
    /// constant among their regressors.
    #[must_use]
    pub fn r_squared(&self) -> f64 {
        if self.ready() {
            1.0 - self.residual_squares / self.squares
        } else {
            f64::NAN
        }
    }

    /// Rows so far, missing ones included.
    #[must_use]
    pub fn n_seen(&self) -> u64 {
        self.n_seen
    }

    /// Whether the coefficients are determined.
    #[must_use]
    pub fn ready(&self) -> bool {
        !self.coefficients.iter().any(|value| value.is_nan())
    }
}

/// A regression over all rows at once.
#[derive(Debug, Clone)]
pub struct LeastSquares {
    /// Constant first if there is one; NaN if the columns depend on each other.
    pub coefficients: Vec<f64>,
    /// Deviation of the residuals, degrees of freedom counted.
    pub residual_deviation: f64,
    /// Explained share of the variation of y, around its mean if there is a constant, else around
    /// zero.
    pub r_squared: f64,
}

/// Least squares of `y` on the rows of `x` (`y.len()` rows of equal length), columns standardised
/// before they are factored, so that neither their sizes nor their means cost digits.
pub fn least_squares(x: &[f64], y: &[f64], has_constant: bool) -> Result<LeastSquares> {
    const NAME: &str = "least_squares";
    let p = x.len().checked_div(y.len()).unwrap_or(0);
    if p * y.len() != x.len() {
        let message = format!("{NAME}: {} numbers are no {} equal rows", x.len(), y.len());
        return Err(CoreError::new(Code::DataInvalid, message));
    }
    checked_regressors(NAME, p)?;
    for value in x.iter().chain(y) {
        known(NAME, "value", *value, -crate::indicator::INPUT_MAX)?;
    }
    let columns: Vec<(f64, f64)> =
        (0..p).map(|at| scale(x.iter().skip(at).step_by(p), has_constant)).collect();
    let (mean, size) = scale(y.iter(), has_constant);
    let mut factor = QrRls::new(p, 1.0)?;
    let mut standard = vec![0.0; p];
    for (row, y) in x.chunks_exact(p).zip(y) {
        for ((to, value), (mean, size)) in standard.iter_mut().zip(row).zip(&columns) {
            *to = (value - mean) / size;
        }
        factor.turn_in((y - mean) / size, &standard);
    }
    factor.solve();
    let scaled = factor.coefficients.iter().zip(&columns);
    let slopes: Vec<f64> = scaled.map(|(value, (_, own))| value * size / own).collect();
    let shift: f64 = slopes.iter().zip(&columns).map(|(slope, (mean, _))| slope * mean).sum();
    let constant = has_constant.then_some(mean - shift);
    let freedom = y.len() as f64 - p as f64 - f64::from(u8::from(has_constant));
    let squares = factor.squares + factor.mean * factor.mean * factor.weight;
    Ok(LeastSquares {
        coefficients: constant.into_iter().chain(slopes).collect(),
        residual_deviation: size * (factor.residual_squares / freedom).sqrt(),
        r_squared: 1.0 - factor.residual_squares / squares,
    })
}

/// Mean (0 without a constant) and root mean square around it; 1 for a column that never moves.
fn scale<'a>(column: impl Iterator<Item = &'a f64> + Clone, is_centred: bool) -> (f64, f64) {
    let n = column.clone().count().max(1) as f64;
    let mut mean = 0.0;
    if is_centred {
        mean = column.clone().sum::<f64>() / n;
        mean += column.clone().map(|value| value - mean).sum::<f64>() / n;
    }
    let size = (column.map(|value| (value - mean).powi(2)).sum::<f64>() / n).sqrt();
    (mean, if size > 0.0 { size } else { 1.0 })
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn checked_regressors(who: &str, regressors: usize) -> Result<usize> {
    if (1..=REGRESSORS_MAX).contains(&regressors) {
        return Ok(regressors);
    }
    let message = format!("{who}: {regressors} regressors; allowed 1 to {REGRESSORS_MAX}");
    Err(CoreError::new(Code::ParameterInvalid, message))
}

/// Whether the row is complete; refuses a wrong length and infinities.
fn checked_row(who: &str, y: f64, row: &[f64], regressors: usize) -> Result<bool> {
    if row.len() != regressors {
        let message = format!("{who}: a row of {}; {regressors} regressors are due", row.len());
        return Err(CoreError::new(Code::DataInvalid, message));
    }
    observed(who, "y", y)?;
    for value in row {
        observed(who, "x", *value)?;
    }
    Ok(!y.is_nan() && !row.iter().any(|value| value.is_nan()))
}

#[cold]
fn overflow(who: &str, y: f64) -> CoreError {
    let message = format!("{who}: y {y} with this row overflows; state unchanged");
    CoreError::new(Code::NumberOutOfRange, message)
}

/// Snapshots of both forms.
macro_rules! snapshots {
    ($type:ident, fixed { $($fixed:expr),* }, moving { $($vector:ident),*; $($one:ident),* }) => {
        impl State for $type {
            fn save(&self, to: &mut Vec<u8>) {
                let own: &Self = self;
                $($fixed(own).save(to);)*
                $(self.$vector.iter().for_each(|value| value.save(to));)*
                $(self.$one.save(to);)*
            }
            fn load(&mut self, from: &mut Reader<'_>) -> Result<()> {
                $(from.expect_equal("setting", $fixed(self))?;)*
                $(self.$vector.iter_mut().try_for_each(|value| value.load(from))?;)*
                $(self.$one.load(from)?;)*
                Ok(())
            }
        }

        impl $type {
            /// The complete state as bytes; `restore` brings it back bit for bit.
            #[must_use]
            pub fn snapshot(&self) -> Vec<u8> {
                state::seal(Self::NAME, |to| self.save(to))
            }

            /// Take over a snapshot of a regression with the same settings. Anything else is
            /// refused and the state stays as it was.
            pub fn restore(&mut self, snapshot: &[u8]) -> Result<()> {
                let mut next = self.clone();
                let mut from = state::unseal(Self::NAME, snapshot)?;
                next.load(&mut from)?;
                from.finish()?;
                *self = next;
                Ok(())
            }
        }
    };
}

snapshots!(
    Rls,
    fixed {
        |it: &Rls| it.coefficients.len() as u64,
        |it: &Rls| it.settings.forgetting.to_bits(),
        |it: &Rls| it.settings.initial_variance.to_bits(),
        |it: &Rls| it.settings.variance_max.to_bits()
    },
    moving { coefficients, covariance; n_seen, n_missing }
);
snapshots!(
    QrRls,
    fixed { |it: &QrRls| it.regressors as u64, |it: &QrRls| it.forgetting.to_bits() },
    moving {
        factor, coefficients;
        residual_squares, weight, mean, squares, n_seen, n_missing
    }
);
