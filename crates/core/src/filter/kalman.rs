// SPDX-License-Identifier: Apache-2.0
//! The hedge ratio of a pair as a hidden random walk: `y = alpha + beta (x - anchor) + noise`, both
//! coefficients free to move a little each bar. What it says *before* it learns from a bar, the
//! innovation in standard deviations, is the spread's z-score. Formulas: quant/methods 2.1, Durbin
//! and Koopman 2012 section 4.3; the covariance is updated in Joseph's form, which rounding cannot
//! turn negative, and mended (counted) where 53 bits cannot hold it positive definite.
//!
//! A row with a missing leg only predicts. A row whose innovation is beyond the gate is not
//! learned from; five such rows in a row are a change, and the filter opens up to learn anew.

use super::input::{known, observed};
use crate::error::{Code, CoreError, Result};
use crate::indicator::RollingSum;

mod record;
mod settings;

pub use record::{positions, Model};
pub use settings::{HedgeNoise, HedgeSettings, HedgeStart};

const NAME: &str = "KalmanHedge";

/// Rejected rows in a row that mean a change: by chance once in 1e20 at a gate of one in 1e4.
const CHANGE_AFTER: u64 = 5;

/// How much a change opens the filter: a tenfold standard deviation.
const INFLATION: f64 = 100.0;

/// Rows of the health check, and after which any start counts as forgotten.
const HEALTH_ROWS: usize = 500;

/// Starting variance that says "unknown", in units of the caller's scale.
const DIFFUSE: f64 = 1e7;

/// A start is forgotten when the trace of the covariance is below this many steady states.
const SETTLED_TRACE: f64 = 4.0;

/// Share of the mean variance that mends a covariance which is not positive definite.
const JITTER: f64 = 1e-12;

/// How far the adaptive observation noise may leave the given one, in both directions.
const ADAPTED_MAX: f64 = 1e6;

/// ln(2 pi).
const LN_2PI: f64 = 1.837_877_066_409_345_5;

/// Where a product of variances is still far from overflow.
const PRODUCT: std::ops::RangeInclusive<f64> = 1e-100..=1e100;

/// What one row said; NaN where it said nothing.
#[derive(Debug, Clone, Copy)]
pub struct HedgeStep {
    /// Innovation in standard deviations: the spread's z-score.
    pub z: f64,
    /// Observed y less what was expected from all earlier rows.
    pub innovation: f64,
    /// Variance that the innovation was expected to have.
    pub variance: f64,
    /// Hedge ratio after the row.
    pub beta: f64,
    /// Intercept at the anchor after the row.
    pub alpha: f64,
}

impl HedgeStep {
    const UNKNOWN: Self = Self {
        z: f64::NAN,
        innovation: f64::NAN,
        variance: f64::NAN,
        beta: f64::NAN,
        alpha: f64::NAN,
    };

    fn row(&self) -> [f64; 5] {
        [self.z, self.innovation, self.variance, self.beta, self.alpha]
    }
}

/// Means and sums of squares of the rows so far (Welford).
#[derive(Debug, Clone, Copy, Default)]
struct Moments {
    n: u64,
    x: f64,
    y: f64,
    xx: f64,
    xy: f64,
    yy: f64,
}

impl Moments {
    fn push(&mut self, y: f64, x: f64) {
        self.n += 1;
        let (dx, dy) = (x - self.x, y - self.y);
        self.x += dx / self.n as f64;
        self.y += dy / self.n as f64;
        self.xx += dx * (x - self.x);
        self.xy += dx * (y - self.y);
        self.yy += dy * (y - self.y);
    }
}

state!(Moments, fixed {}, moving { n, x, y, xx, xy, yy });

/// Dynamic regression of one price on another, see the file's head.
#[derive(Debug, Clone)]
pub struct KalmanHedge {
    settings: HedgeSettings,
    /// Observation noise in use; moves when adaptive.
    noise: f64,
    beta: f64,
    alpha: f64,
    /// Variance of beta, covariance, variance of alpha.
    p: [f64; 3],
    anchor: f64,
    is_started: bool,
    /// Whether the next row adds process noise.
    adds_noise: bool,
    /// Rows of the start, then of the time in which the start is not yet forgotten.
    design: Moments,
    is_settled: bool,
    beta_before: f64,
    is_change: bool,
    rejected_in_row: u64,
    n_seen: u64,
    n_missing: u64,
    n_rejected: u64,
    n_changes: u64,
    n_mended: u64,
    log_likelihood: f64,
    /// Product of variances whose logarithm is still to be taken from the likelihood, halved.
    variances: f64,
    health: RollingSum,
    mean_nis: f64,
    last: [f64; 5],
}

impl KalmanHedge {
    /// A filter that has seen nothing.
    pub fn new(settings: HedgeSettings) -> Result<Self> {
        settings.check()?;
        let mut it = Self {
            settings,
            noise: settings.noise.observation,
            beta: 0.0,
            alpha: 0.0,
            p: [0.0; 3],
            anchor: 0.0,
            is_started: false,
            adds_noise: true,
            design: Moments::default(),
            is_settled: true,
            beta_before: f64::NAN,
            is_change: false,
            rejected_in_row: 0,
            n_seen: 0,
            n_missing: 0,
            n_rejected: 0,
            n_changes: 0,
            n_mended: 0,
            log_likelihood: 0.0,
            variances: 1.0,
            health: RollingSum::new(HEALTH_ROWS),
            mean_nis: f64::NAN,
            last: HedgeStep::UNKNOWN.row(),
        };
        match settings.start {
            HedgeStart::Exact {
                state: [beta, alpha],
                covariance: [[b, c], [_, a]],
                first_noise,
            } => {
                (it.beta, it.alpha, it.p) = (beta, alpha, [b, c, a]);
                (it.adds_noise, it.is_started) = (first_noise, !settings.is_centred);
            }
            HedgeStart::Diffuse { scale } => {
                it.p = [DIFFUSE * scale, 0.0, DIFFUSE * scale];
                (it.is_settled, it.is_started) = (false, !settings.is_centred);
            }
            HedgeStart::LeastSquares { .. } => {}
        }
        Ok(it)
    }

    /// Take one row; `dt` is the time since the row before, in nominal bars. A missing leg is NaN.
    #[inline(always)] // the loop over columns keeps its numbers in registers
    pub fn step(&mut self, y: f64, x: f64, dt: f64) -> Result<HedgeStep> {
        observed(NAME, "y", y)?;
        observed(NAME, "x", x)?;
        known(NAME, "dt", dt, 0.0)?;
        let is_missing = y.is_nan() || x.is_nan();
        if !self.is_started && !self.begins(y, x, is_missing) {
            return Ok(HedgeStep::UNKNOWN);
        }
        let dt = if self.adds_noise { dt } else { 0.0 };
        let [p00, p01, p11] = self.p;
        let predicted =
            [p00 + self.settings.noise.beta * dt, p01, p11 + self.settings.noise.alpha * dt];
        let step = if is_missing {
            self.n_missing += 1;
            self.p = predicted;
            self.is_change = false;
            HedgeStep { beta: self.beta, alpha: self.alpha, ..HedgeStep::UNKNOWN }
        } else {
            self.observe(y, x - self.anchor, predicted)?
        };
        self.adds_noise = true;
        self.n_seen += 1;
        self.last = step.row();
        Ok(step)
    }

    /// Predict with `p`, compare, and learn unless the row is beyond the gate.
    #[inline(always)]
    fn observe(&mut self, y: f64, x: f64, p: [f64; 3]) -> Result<HedgeStep> {
        let ph = [p[0] * x + p[1], p[1] * x + p[2]];
        // Rounding may take a tiny variance of the prediction below zero; the noise remains.
        let variance = (x * ph[0] + ph[1]).max(0.0) + self.noise;
        let innovation = y - (self.beta * x + self.alpha);
        let inverse = 1.0 / variance;
        let nis = innovation * innovation * inverse;
        if !(nis.is_finite() && variance.is_finite()) {
            let message = format!("{NAME}: row y {y}, x {x} from the anchor overflows; unchanged");
            return Err(CoreError::new(Code::NumberOutOfRange, message));
        }
        self.beta_before = self.beta;
        if let Some(sum) = self.health.push(nis.min(self.settings.gate)) {
            self.mean_nis = sum / HEALTH_ROWS as f64;
        }
        if nis > self.settings.gate {
            self.reject(p);
        } else {
            self.is_change = false;
            self.rejected_in_row = 0;
            self.count_likelihood(variance, nis);
            self.learn(innovation, x, p, ph, inverse);
            self.adapt(variance, nis);
        }
        if !self.is_settled {
            self.settle(x + self.anchor);
        }
        let (beta, alpha) = (self.beta, self.alpha);
        Ok(HedgeStep { z: innovation / variance.sqrt(), innovation, variance, beta, alpha })
    }

    /// State and covariance after an accepted row, Joseph's form.
    #[inline(always)]
    fn learn(&mut self, innovation: f64, x: f64, p: [f64; 3], ph: [f64; 2], inverse: f64) {
        let [k0, k1] = [ph[0] * inverse, ph[1] * inverse];
        self.beta += k0 * innovation;
        self.alpha += k1 * innovation;
        let (a00, a01, a10, a11) = (1.0 - k0 * x, -k0, -k1 * x, 1.0 - k1);
        let (m00, m01) = (p[0] - k0 * ph[0], p[1] - k0 * ph[1]);
        let (m10, m11) = (p[1] - k1 * ph[0], p[2] - k1 * ph[1]);
        let (r0, r1) = (self.noise * k0, self.noise * k1);
        let p00 = m00 * a00 + m01 * a01 + r0 * k0;
        // The mean of both corners: one alone costs three digits on a nearly collinear design.
        let p01 = 0.5 * ((m00 * a10 + m10 * a00) + (m01 * a11 + m11 * a01)) + r0 * k1;
        let p11 = m10 * a10 + m11 * a11 + r1 * k1;
        self.p = [p00, p01, p11];
        // A known coefficient has variance and covariance zero, and that is no damage.
        if p00 * p11 <= p01 * p01 && p01 != 0.0 {
            self.mend();
        }
    }

    /// The covariance is singular to 53 bits: make it the nearest one that is not.
    #[cold]
    fn mend(&mut self) {
        let [p00, p01, p11] = self.p;
        let jitter = 0.5 * JITTER * (p00.abs() + p11.abs());
        let (p00, p11) = (p00.max(0.0) + jitter, p11.max(0.0) + jitter);
        let bound = (p00 * p11).sqrt() * (1.0 - JITTER);
        self.p = [p00, p01.clamp(-bound, bound), p11];
        self.n_mended += 1;
    }

    /// Add a row's log density. Its logarithm is taken of a product of variances when that grows
    /// out of bounds: one row in many, and none of it on the way to the next row.
    #[inline(always)]
    fn count_likelihood(&mut self, variance: f64, nis: f64) {
        self.log_likelihood -= 0.5 * (LN_2PI + nis);
        let product = self.variances * variance;
        if PRODUCT.contains(&product) {
            self.variances = product;
        } else {
            self.log_likelihood -= 0.5 * (self.variances.ln() + variance.ln());
            self.variances = 1.0;
        }
    }

    /// Move the observation noise towards what the residual after learning says it is: with eps =
    /// e R/S, E[eps²] + h'Ph after the row = R (Mohamed and Schwarz 1999, residual-based), which
    /// for one observation is R (1 + w R/S (NIS - 1)) and never negative.
    #[inline(always)]
    fn adapt(&mut self, variance: f64, nis: f64) {
        if self.settings.adaptation > 0.0 {
            let given = self.settings.noise.observation;
            let factor = 1.0 + self.settings.adaptation * (self.noise / variance) * (nis - 1.0);
            self.noise = (self.noise * factor).clamp(given / ADAPTED_MAX, given * ADAPTED_MAX);
        }
    }

    #[cold]
    fn reject(&mut self, p: [f64; 3]) {
        self.n_rejected += 1;
        self.rejected_in_row += 1;
        self.is_change = self.rejected_in_row == CHANGE_AFTER;
        self.p = p;
        if self.is_change {
            self.rejected_in_row = 0;
            self.n_changes += 1;
            self.p = p.map(|value| value * INFLATION);
            self.is_settled = false;
            self.design = Moments::default();
        }
    }

    /// Whether this row can be filtered; before that, gather what the start needs.
    #[cold]
    fn begins(&mut self, y: f64, x: f64, is_missing: bool) -> bool {
        if is_missing {
            self.n_missing += 1;
        } else if let HedgeStart::LeastSquares { rows } = self.settings.start {
            self.design.push(y, x);
            // As long as x stands still there is no slope to find.
            if self.design.n >= rows && self.design.xx > 0.0 {
                self.fit();
            }
        } else {
            // The state was given at x = 0 and is now told from this x on.
            self.is_started = true;
            if let HedgeStart::Exact { .. } = self.settings.start {
                self.re_anchor(x);
            }
            self.anchor = x;
            return true;
        }
        self.n_seen += 1;
        false
    }

    /// Start from least squares over the gathered rows; at the mean of x the coefficients are
    /// independent.
    fn fit(&mut self) {
        let Moments { n, x, y, xx, xy, yy } = self.design;
        (self.beta, self.alpha, self.anchor) = (xy / xx, y, x);
        let residual = (yy - self.beta * xy).max(0.0) / (n - 2) as f64;
        self.p = [residual / xx, 0.0, residual / n as f64];
        if !self.settings.is_centred {
            self.re_anchor(0.0);
        }
        self.is_started = true;
    }

    /// Tell alpha at another x: the line stays, its covariance is carried along.
    pub fn re_anchor(&mut self, anchor: f64) {
        let d = anchor - self.anchor;
        let [p00, p01, p11] = self.p;
        self.alpha += self.beta * d;
        self.p = [p00, p01 + d * p00, p11 + d * (2.0 * p01 + d * p00)];
        self.anchor = anchor;
    }

    /// Whether the start weighs little by now: the trace of the covariance has fallen below four
    /// times the steady state of the average design, or 500 rows have passed.
    fn settle(&mut self, x: f64) {
        self.design.push(0.0, x);
        let n = self.design.n as f64;
        let (spread, mean) = (self.design.xx / n, self.design.x - self.anchor);
        let of_beta = steady_variance(self.settings.noise.beta, self.noise / spread);
        let of_alpha = steady_variance(self.settings.noise.alpha, self.noise);
        let steady = of_beta * (1.0 + mean * mean) + of_alpha;
        let is_narrow = spread > 0.0 && self.p[0] + self.p[2] <= SETTLED_TRACE * steady;
        self.is_settled = is_narrow || self.design.n >= HEALTH_ROWS as u64;
    }
}

/// Filtered variance of a random walk with steps `q` seen through noise `r`, in the long run.
fn steady_variance(q: f64, r: f64) -> f64 {
    if q > 0.0 {
        2.0 * q * r / (q + (q * q + 4.0 * q * r).sqrt())
    } else {
        0.0
    }
}
