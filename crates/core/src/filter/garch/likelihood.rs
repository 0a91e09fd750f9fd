// SPDX-License-Identifier: Apache-2.0
//! Log likelihood and its slope in one pass over the returns. The slope of the variance follows the
//! variance's own recursion (Fiorentini, Calzolari and Panattoni 1996), so it costs a few
//! multiplications a step and no second pass. Logarithms are taken of products, not one by one.

use super::density::student_constant;
use super::matrix::Matrix;
use super::parameters::{Parameters, Vector, ALPHA, BETA, GAMMA, MU, NU, OMEGA, SIZE};
use super::sample::Sample;
use super::Model;

/// A product is turned into a logarithm before it leaves this range.
const PRODUCT_MAX: f64 = 1e150;

const LN_TWO_PI: f64 = 1.837_877_066_409_345_3;

/// Value and slope at one place, in scaled units.
#[derive(Debug, Clone, Copy)]
pub(super) struct Evaluation {
    pub value: f64,
    pub slope: Vector,
}

/// What one return adds.
struct Step {
    variance: f64,
    /// Squared residual over variance; for Student-t over `nu - 2` as well.
    excess: f64,
    /// Slope of the log density by the variance.
    weight: f64,
    /// Slope of the log density by the mean, the variance held.
    direct: f64,
    /// Slopes of the variance by mu, omega, alpha, gamma, beta.
    slopes: [f64; NU],
}

/// Value and slope of the log likelihood.
pub(super) fn evaluate(model: &Model, sample: &Sample, at: &Parameters) -> Evaluation {
    match (model.has_mean, model.is_asymmetric, model.is_student) {
        (false, false, false) => total::<false, false, false>(model, sample, at),
        (false, false, true) => total::<false, false, true>(model, sample, at),
        (false, true, false) => total::<false, true, false>(model, sample, at),
        (false, true, true) => total::<false, true, true>(model, sample, at),
        (true, false, false) => total::<true, false, false>(model, sample, at),
        (true, false, true) => total::<true, false, true>(model, sample, at),
        (true, true, false) => total::<true, true, false>(model, sample, at),
        (true, true, true) => total::<true, true, true>(model, sample, at),
    }
}

/// Sum of the outer products of the single returns' slopes, each passed through `turn` first.
pub(super) fn outer_products(
    model: &Model,
    sample: &Sample,
    at: &Parameters,
    turn: impl Fn(&Vector) -> Vector,
) -> Matrix {
    let mut sum = [[0.0; SIZE]; SIZE];
    let (half, tail) = (0.5 * (at.nu + 1.0), at.nu - 2.0);
    let constant = if model.is_student { student_constant(at.nu).1 } else { 0.0 };
    let add = |step: &Step| {
        let mut slope = [0.0; SIZE];
        for (to, from) in slope.iter_mut().zip(step.slopes) {
            *to = step.weight * from;
        }
        slope[MU] += step.direct;
        if model.is_student {
            let share = step.excess / (1.0 + step.excess);
            slope[NU] = constant - 0.5 * step.excess.ln_1p() + half * share / tail;
        }
        let slope = turn(&slope);
        for (row, left) in sum.iter_mut().zip(slope) {
            for (cell, right) in row.iter_mut().zip(slope) {
                *cell += left * right;
            }
        }
    };
    if model.is_student {
        walk::<true, true, true>(model, sample, at, add);
    } else {
        walk::<true, true, false>(model, sample, at, add);
    }
    sum
}

/// Run the recursion and show every step.
#[inline(always)]
fn walk<const MEAN: bool, const SKEW: bool, const STUDENT: bool>(
    model: &Model,
    sample: &Sample,
    at: &Parameters,
    mut visit: impl FnMut(&Step),
) {
    let Parameters { mu, omega, alpha, gamma, beta, nu } = *at;
    let inverse_tail = if STUDENT { 1.0 / (nu - 2.0) } else { 0.0 };
    let strength = (nu + 1.0) * inverse_tail;
    let (start, start_slope) = sample.start(model.presample, mu);
    let persistence = at.persistence();
    let mut variance = omega + persistence * start;
    let mut slopes = [persistence * start_slope, 1.0, start, 0.5 * start, start];
    for value in &sample.returns {
        let residual = if MEAN { value - mu } else { *value };
        let square = residual * residual;
        let inverse = 1.0 / variance;
        let ratio = square * inverse;
        let excess = if STUDENT { ratio * inverse_tail } else { ratio };
        let pull = if STUDENT { strength / (1.0 + excess) } else { 1.0 };
        let weight = 0.5 * inverse * (ratio * pull - 1.0);
        visit(&Step { variance, excess, weight, direct: residual * inverse * pull, slopes });
        let is_loss = if SKEW && residual < 0.0 { 1.0 } else { 0.0 };
        let reaction = if SKEW { alpha + gamma * is_loss } else { alpha };
        if MEAN {
            slopes[MU] = beta * slopes[MU] - 2.0 * residual * reaction;
        }
        slopes[OMEGA] = beta * slopes[OMEGA] + 1.0;
        slopes[ALPHA] = beta * slopes[ALPHA] + square;
        if SKEW {
            slopes[GAMMA] = beta * slopes[GAMMA] + square * is_loss;
        }
        slopes[BETA] = beta * slopes[BETA] + variance;
        variance = omega + reaction * square + beta * variance;
    }
}

fn total<const MEAN: bool, const SKEW: bool, const STUDENT: bool>(
    model: &Model,
    sample: &Sample,
    at: &Parameters,
) -> Evaluation {
    let mut slope = [0.0; SIZE];
    let (mut variances, mut tails) = (Product::new(), Product::new());
    let (mut squares, mut shares) = (0.0, 0.0);
    walk::<MEAN, SKEW, STUDENT>(model, sample, at, |step| {
        if MEAN {
            slope[MU] += step.weight * step.slopes[MU] + step.direct;
        }
        slope[OMEGA] += step.weight * step.slopes[OMEGA];
        slope[ALPHA] += step.weight * step.slopes[ALPHA];
        if SKEW {
            slope[GAMMA] += step.weight * step.slopes[GAMMA];
        }
        slope[BETA] += step.weight * step.slopes[BETA];
        variances.multiply(step.variance);
        if STUDENT {
            tails.multiply(1.0 + step.excess);
            shares += step.excess / (1.0 + step.excess);
        } else {
            squares += step.excess;
        }
    });
    let n = sample.returns.len() as f64;
    let mut value = -0.5 * variances.ln();
    if STUDENT {
        let (half, tail) = (0.5 * (at.nu + 1.0), at.nu - 2.0);
        let (constant, constant_slope) = student_constant(at.nu);
        let tails = tails.ln();
        value += n * constant - half * tails;
        slope[NU] = n * constant_slope - 0.5 * tails + half * shares / tail;
    } else {
        value -= 0.5 * (n * LN_TWO_PI + squares);
    }
    Evaluation { value, slope }
}

/// The logarithm of a product, taken now and then instead of at every factor.
struct Product {
    factor: f64,
    logarithm: f64,
}

impl Product {
    fn new() -> Self {
        Self { factor: 1.0, logarithm: 0.0 }
    }

    #[inline(always)]
    fn multiply(&mut self, by: f64) {
        self.factor *= by;
        if !(self.factor > 1.0 / PRODUCT_MAX && self.factor < PRODUCT_MAX) {
            self.logarithm += self.factor.ln();
            self.factor = 1.0;
        }
    }

    fn ln(&self) -> f64 {
        self.logarithm + self.factor.ln()
    }
}
