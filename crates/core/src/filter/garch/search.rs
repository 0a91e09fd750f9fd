// SPDX-License-Identifier: Apache-2.0
//! The climb: BFGS on the negative log likelihood, one step at a time, so that a fit can be done in
//! pieces. Deterministic, and bounded in steps and evaluations.

use super::matrix::{apply, dot, Matrix};
use super::parameters::{Vector, SIZE};

/// Steps of one climb; a normal one takes ten to thirty, one that runs to an edge some more.
const STEPS_MAX: usize = 200;

/// Evaluations of one line search.
const TRIALS_MAX: usize = 30;

/// Done when the gain that is still in sight is below this, in units of log likelihood: far below
/// what moves a parameter by a hundred-thousandth of its standard error.
const GAIN_MIN: f64 = 1e-12;

/// A climb that can get no further is done as well if less than this was in sight.
const GAIN_STUCK: f64 = 1e-5;

/// Done as well after three steps in a row that gained less than this each: on a ridge, as where
/// the last square has no weight and any memory explains the same, steps lead on for ever.
const STEP_GAIN_MIN: f64 = 1e-9;
const IDLE_MAX: usize = 3;

/// Longest step in one coordinate: a sigmoid crosses most of its range in it.
const STRIDE_MAX: f64 = 3.0;

/// Armijo's and Wolfe's constants (Nocedal and Wright 2006, section 3.1).
const DECREASE: f64 = 1e-4;
const FLATTENING: f64 = 0.9;

/// Rounding of the likelihood, as a share of it.
const NOISE: f64 = 1e-13;

/// Value and slope at a point; `None` where there is none.
pub(super) type Look = Option<(f64, Vector)>;

/// How a climb stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    Climbing,
    Converged,
    Stuck,
}

/// One climb. Minimises; the caller turns the sign.
#[derive(Debug, Clone)]
pub(super) struct Search {
    n: usize,
    pub point: Vector,
    pub value: f64,
    slope: Vector,
    inverse: Matrix,
    steps: usize,
    idle: usize,
    pub progress: Progress,
}

impl Search {
    /// Begin at a point whose value and slope are known, with a guess of the inverse curvature.
    pub(super) fn new(n: usize, point: Vector, look: Look, inverse: Option<Matrix>) -> Self {
        let (value, slope) = look.unwrap_or((f64::INFINITY, [0.0; SIZE]));
        let progress = if value.is_finite() { Progress::Climbing } else { Progress::Stuck };
        let inverse = inverse.unwrap_or_else(|| careful(&slope, n));
        Self { n, point, value, slope, inverse, steps: 0, idle: 0, progress }
    }

    /// Take one step; returns how often `look` was asked.
    pub(super) fn step(&mut self, mut look: impl FnMut(&Vector) -> Look) -> usize {
        let n = self.n;
        let mut direction = negated(&apply(&self.inverse, &self.slope, n));
        let mut descent = dot(&direction, &self.slope, n);
        if descent.is_nan() || descent >= 0.0 {
            self.inverse = careful(&self.slope, n);
            direction = negated(&apply(&self.inverse, &self.slope, n));
            descent = dot(&direction, &self.slope, n);
        }
        if descent.is_nan() || descent >= -GAIN_MIN {
            self.progress = Progress::Converged;
            return 0;
        }
        let longest = direction.iter().take(n).fold(0.0, |most: f64, part| most.max(part.abs()));
        if longest > STRIDE_MAX {
            direction.iter_mut().for_each(|part| *part *= STRIDE_MAX / longest);
            descent *= STRIDE_MAX / longest;
        }
        let (found, trials) = self.line_search(&direction, descent, &mut look);
        self.steps += 1;
        let before = self.value;
        match found {
            Some((stride, value, slope)) => self.move_to(&direction, stride, value, slope),
            None if -descent < GAIN_STUCK => self.progress = Progress::Converged,
            None => self.progress = Progress::Stuck,
        }
        self.idle = if before - self.value < STEP_GAIN_MIN { self.idle + 1 } else { 0 };
        if self.idle >= IDLE_MAX && self.progress == Progress::Climbing {
            self.progress = Progress::Converged;
        }
        if self.steps >= STEPS_MAX && self.progress == Progress::Climbing {
            self.progress = Progress::Stuck;
        }
        trials
    }

    /// A stride that lowers the value enough; longer while the slope is still steep.
    fn line_search(
        &self,
        direction: &Vector,
        descent: f64,
        look: &mut impl FnMut(&Vector) -> Look,
    ) -> (Option<(f64, f64, Vector)>, usize) {
        let noise = NOISE * self.value.abs();
        let mut best: Option<(f64, f64, Vector)> = None;
        let mut stride = 1.0;
        for trial in 1..=TRIALS_MAX {
            let there = look(&self.moved(direction, stride)).filter(|(value, _)| value.is_finite());
            let lowered = there
                .filter(|(value, _)| *value <= self.value + DECREASE * stride * descent + noise);
            match (lowered, best) {
                (Some((value, slope)), before) => {
                    let is_worse = before.is_some_and(|(_, known, _)| value > known);
                    if !is_worse {
                        best = Some((stride, value, slope));
                    }
                    let steepness = dot(direction, &slope, self.n);
                    if is_worse || steepness >= FLATTENING * descent {
                        return (best, trial);
                    }
                    stride *= 2.0;
                }
                (None, Some(_)) => return (best, trial),
                (None, None) => stride *= shorter(self.value, descent, stride, there),
            }
        }
        (best, TRIALS_MAX)
    }

    fn moved(&self, direction: &Vector, stride: f64) -> Vector {
        let mut point = self.point;
        for (to, part) in point.iter_mut().zip(direction).take(self.n) {
            *to += stride * part;
        }
        point
    }

    /// Move, and let the inverse curvature learn from it (BFGS).
    fn move_to(&mut self, direction: &Vector, stride: f64, value: f64, slope: Vector) {
        let n = self.n;
        let (mut step, mut change) = ([0.0; SIZE], [0.0; SIZE]);
        for at in 0..n {
            step[at] = stride * direction[at];
            change[at] = slope[at] - self.slope[at];
        }
        self.point = self.moved(direction, stride);
        self.value = value;
        self.slope = slope;
        let curvature = dot(&step, &change, n);
        let bent = apply(&self.inverse, &change, n);
        let spread = dot(&change, &bent, n);
        // Without curvature along the step there is nothing to learn from it.
        let is_bent = curvature > 1e-10 * spread.abs() && curvature > f64::MIN_POSITIVE;
        if !is_bent {
            return;
        }
        let gain = (1.0 + spread / curvature) / curvature;
        for row in 0..n {
            for column in 0..n {
                self.inverse[row][column] += gain * step[row] * step[column]
                    - (bent[row] * step[column] + step[row] * bent[column]) / curvature;
            }
        }
    }
}

/// How much shorter the next trial is: to the lowest point of the parabola through what is known.
fn shorter(value: f64, descent: f64, stride: f64, there: Look) -> f64 {
    let Some((other, _)) = there else { return 0.25 };
    let bend = other - value - descent * stride;
    let share = -0.5 * descent * stride / bend;
    if share.is_finite() {
        share.clamp(0.1, 0.5)
    } else {
        0.25
    }
}

/// A diagonal whose first step is a tenth in the steepest coordinate.
fn careful(slope: &Vector, n: usize) -> Matrix {
    let steepest = slope.iter().take(n).fold(0.0, |most: f64, part| most.max(part.abs()));
    let mut matrix = [[0.0; SIZE]; SIZE];
    for (at, row) in matrix.iter_mut().enumerate().take(n) {
        row[at] = if steepest > 0.0 { 0.1 / steepest } else { 1.0 };
    }
    matrix
}

fn negated(vector: &Vector) -> Vector {
    vector.map(|part| -part)
}
