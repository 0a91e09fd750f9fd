// SPDX-License-Identifier: Apache-2.0
//! What a changepoint detector is told beforehand: the prior of a segment, how the detector works,
//! and the parts of every forecast that depend on the run length alone.

use crate::error::{Code, CoreError, Result};
use crate::filter::elementary::{ln, ln_gamma, HALF_LN_TAU};
use crate::filter::lanes::LANES;
use std::f64::consts::LOG2_E;

/// Longest run length that may be asked for: two months of minutes, and a bound on memory.
pub const RUN_LENGTH_MAX: usize = 100_000;

/// What is believed of one segment before it has observations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Segment {
    /// Mean and variance unknown: Normal-inverse-Gamma prior, Student-t forecast.
    UnknownVariance {
        /// Expected mean.
        mean: f64,
        /// Weight of that expectation, in observations.
        kappa: f64,
        /// Shape of the precision.
        alpha: f64,
        /// Rate of the precision.
        beta: f64,
    },
    /// Mean unknown, variance of an observation known: Gaussian forecast.
    KnownVariance {
        /// Expected mean.
        mean: f64,
        /// Variance of that expectation.
        variance: f64,
        /// Variance of an observation around its segment's mean.
        noise: f64,
    },
}

/// How the detector works, whatever a segment is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Setting {
    /// Expected length of a segment, observations; the hazard is its reciprocal.
    pub hazard_lambda: f64,
    /// A run shorter than this counts as young.
    pub window: usize,
    /// Longer runs are given up.
    pub run_length_max: usize,
    /// Hypotheses of less weight are given up; zero keeps all.
    pub prune: f64,
}

/// What depends on the run length alone, longest first so that it lies like the hypotheses; zeros
/// after it, for places without a hypothesis. Logarithms are to base two.
#[derive(Debug, Clone, Default)]
pub(super) struct Terms {
    pub(super) offset: Vec<f64>,
    pub(super) scale: Vec<f64>,
    pub(super) gain: Vec<f64>,
    pub(super) shape: Vec<f64>,
}

impl Terms {
    /// Offset, scale, gain and shape of `count` run lengths from a place on.
    pub(super) fn columns_from(&self, first: usize, count: usize) -> [&[f64]; 4] {
        let columns = [&self.offset, &self.scale, &self.gain, &self.shape];
        columns.map(|column| &column[first..first + count])
    }

    pub(super) fn resize(&mut self, count: usize) {
        self.columns().into_iter().for_each(|column| column.resize(count, 0.0));
    }

    pub(super) fn columns(&mut self) -> [&mut Vec<f64>; 4] {
        [&mut self.offset, &mut self.scale, &mut self.gain, &mut self.shape]
    }
}

/// The terms of every run length, longest first.
pub(super) fn table_of(segment: &Segment, longest: usize) -> Terms {
    let mut table = Terms::default();
    match *segment {
        Segment::UnknownVariance { kappa, alpha, .. } => {
            // Gamma(a + 1) = a Gamma(a), so each ratio follows from the one before.
            let mut ratio = ln_gamma(alpha + 0.5) - ln_gamma(alpha);
            for run in 0..=longest {
                let weight = kappa + run as f64;
                let spread = weight / (weight + 1.0);
                let shape = alpha + 0.5 * run as f64;
                table.offset.push(LOG2_E * (ratio - HALF_LN_TAU + 0.5 * ln(spread)));
                table.scale.push(0.5 * spread);
                table.gain.push(1.0 / (weight + 1.0));
                table.shape.push(shape);
                ratio = ln(shape) - ratio;
            }
        }
        Segment::KnownVariance { variance, noise, .. } => {
            for run in 0..=longest {
                let own = 1.0 / (1.0 / variance + run as f64 / noise);
                let both = own + noise;
                table.offset.push(LOG2_E * (-HALF_LN_TAU - 0.5 * ln(both)));
                table.scale.push(LOG2_E * 0.5 / both);
                table.gain.push(own / both);
                table.shape.push(0.0);
            }
        }
    }
    table.columns().into_iter().for_each(|column| column.reverse());
    table.resize(longest + 1 + LANES);
    table
}

/// Refuse parameters for which the formulas have no answer.
pub(super) fn check(segment: &Segment, setting: &Setting) -> Result<()> {
    let (mean, positive) = match *segment {
        Segment::UnknownVariance { mean, kappa, alpha, beta } => {
            (mean, vec![("kappa", kappa), ("alpha", alpha), ("beta", beta)])
        }
        Segment::KnownVariance { mean, variance, noise } => {
            (mean, vec![("variance", variance), ("noise", noise)])
        }
    };
    let refuse = |what: String| Err(CoreError::new(Code::ParameterInvalid, what));
    if mean.abs() > 1e100 || mean.is_nan() {
        return refuse(format!("Changepoint: mean {mean}; allowed up to 1e100 in magnitude"));
    }
    for (name, value) in positive {
        if !(1e-100..=1e100).contains(&value) {
            return refuse(format!("Changepoint: {name} {value}; allowed 1e-100 to 1e100"));
        }
    }
    let Setting { hazard_lambda, window, run_length_max, prune } = *setting;
    if !(hazard_lambda > 1.0 && hazard_lambda <= 1e12) {
        return refuse(format!("Changepoint: hazard_lambda {hazard_lambda}; above 1 up to 1e12"));
    }
    if !(1..=RUN_LENGTH_MAX).contains(&run_length_max) {
        let allowed = format!("allowed 1 to {RUN_LENGTH_MAX}");
        return refuse(format!("Changepoint: run_length_max {run_length_max}; {allowed}"));
    }
    if !(1..=run_length_max).contains(&window) {
        let allowed = format!("allowed 1 to run_length_max, {run_length_max}");
        return refuse(format!("Changepoint: window {window}; {allowed}"));
    }
    if !(0.0..=0.01).contains(&prune) {
        return refuse(format!("Changepoint: prune {prune}; allowed 0 to 0.01"));
    }
    Ok(())
}
