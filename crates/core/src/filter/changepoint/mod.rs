// SPDX-License-Identifier: Apache-2.0
//! Bayesian online changepoint detection (Adams and MacKay 2007): the belief about how long the
//! present segment has lasted, one weight per run length. `r` counts the observations of the
//! current run after the newest; `r = 0` means that the run ended with it, and has the probability
//! of the hazard whatever was observed, so it can never be the alarm: that is `P(r < window)`.
//!
//! Hypotheses lie in the order of their birth, oldest first, each quantity in its own array:
//! nothing is shifted when all run lengths grow by one. Weights are linear and normalised at each
//! step; where every density underflows, that step is done in logarithms.

mod hypotheses;
mod kernel;
mod segment;

pub use segment::{Segment, Setting, RUN_LENGTH_MAX};

use super::elementary::{exp, ln, ln_or_never};
use super::lanes::{lane_dot, lane_sum};
use crate::error::{Code, CoreError, Result};
use crate::indicator::{Indicator, Reader, State};
use hypotheses::Hypotheses;
use kernel::{gaussian, largest, last_largest, scale, student, Beliefs, Weighed};
use segment::{check, table_of, Terms};
use std::f64::consts::LN_2;

/// Outside of these a sum of weights has lost digits, or is none.
const TOTAL_LEAST: f64 = 1e-150;
const TOTAL_MOST: f64 = 1e150;

/// The detector. Outputs: `P(r < window)`, most probable run length, forecast that was made of this
/// observation, log evidence of all, hypotheses kept, probability given up so far.
#[derive(Debug, Clone)]
pub struct Changepoint {
    segment: Segment,
    setting: Setting,
    table: Terms,
    /// Terms of the present hypotheses, their log densities and weights to be: memory, no state.
    now: Terms,
    log_density: Vec<f64>,
    joint: Vec<f64>,
    held: Hypotheses,
    evidence: f64,
    evidence_rest: f64,
    dropped: f64,
}

impl Changepoint {
    /// A detector that has seen nothing. Refused: parameters for which the formulas have no answer.
    pub fn new(segment: Segment, setting: Setting) -> Result<Self> {
        check(&segment, &setting)?;
        Ok(Self {
            segment,
            setting,
            table: table_of(&segment, setting.run_length_max),
            now: Terms::default(),
            log_density: Vec::new(),
            joint: Vec::new(),
            held: Hypotheses::new(&segment),
            evidence: 0.0,
            evidence_rest: 0.0,
            dropped: 0.0,
        })
    }

    /// Take an observation. One pass over the hypotheses: two multiplications, a logarithm and an
    /// exponential each.
    pub fn push(&mut self, value: f64) -> [f64; 6] {
        let predicted = self.predictive_mean();
        self.weigh(value);
        self.prune();
        let mode = self.map_run_length();
        let short = self.short_probability(self.setting.window);
        let kept = self.held.count() as f64;
        [short, mode, predicted, self.log_evidence(), kept, self.dropped]
    }

    /// Forecast of the next observation.
    #[must_use]
    pub fn predictive_mean(&self) -> f64 {
        let (from, count) = (self.held.begin, self.held.padded());
        lane_dot(&self.held.weight[from..from + count], &self.held.mean[from..from + count])
    }

    /// Probability that the current run is shorter than `window`.
    #[must_use]
    pub fn short_probability(&self, window: usize) -> f64 {
        let bound = window as f64;
        let young = self.held.runs().rev().zip(self.held.weights().iter().rev());
        young.take_while(|(run, _)| *run < bound).map(|(_, weight)| weight).sum()
    }

    /// Most probable run length, the shortest of equals.
    #[must_use]
    pub fn map_run_length(&self) -> f64 {
        self.held.run(last_largest(self.held.weights()))
    }

    /// Log probability of everything observed.
    #[must_use]
    pub fn log_evidence(&self) -> f64 {
        self.evidence + self.evidence_rest
    }

    /// Probability of each run length from zero up to the longest that is kept.
    #[must_use]
    pub fn run_length_posterior(&self) -> Vec<f64> {
        let mut posterior = vec![0.0; self.held.run(0) as usize + 1];
        for (run, weight) in self.held.runs().zip(self.held.weights()) {
            if let Some(place) = posterior.get_mut(run as usize) {
                *place = *weight;
            }
        }
        posterior
    }

    /// Lay out the terms of hypotheses with gaps between their run lengths as these lie.
    fn look_up(&mut self) {
        let Self { table, now, held, setting, .. } = self;
        now.resize(held.padded());
        for (target, source) in now.columns().into_iter().zip(table.columns()) {
            for (value, run) in target.iter_mut().zip(held.runs()) {
                *value = source[setting.run_length_max - run as usize];
            }
            target[held.count()..].fill(0.0);
        }
    }

    /// Place in the table of the oldest run, if no run length is missing after it.
    fn dense_from(&self) -> Option<usize> {
        let oldest = self.held.run(0) as usize;
        (oldest + 1 == self.held.count()).then(|| self.setting.run_length_max - oldest)
    }

    /// Multiply every weight by the density of the observation, update what is believed of each
    /// segment, and let all runs grow by one, which a share of the hazard does not survive, and
    /// neither does the run that gets too long.
    fn weigh(&mut self, value: f64) {
        let dense_from = self.dense_from();
        if dense_from.is_none() {
            self.look_up();
        }
        let (mut total, mut log_total) = self.take(value, dense_from);
        let Self { held, log_density, joint, .. } = self;
        let count = held.padded();
        if !(TOTAL_LEAST..=TOTAL_MOST).contains(&total) {
            let weight = &held.weight[held.begin..held.begin + count];
            (total, log_total) = in_logarithms(weight, log_density, joint);
        }
        let hazard = 1.0 / self.setting.hazard_lambda;
        let mut factor = (1.0 - hazard) / total;
        let mut born = hazard;
        let is_too_long = held.run(0) >= self.setting.run_length_max as f64;
        if is_too_long {
            let lost = joint[0] * factor;
            self.dropped += lost;
            let keep = 1.0 / (1.0 - lost);
            factor *= keep;
            born *= keep;
        }
        scale(factor, joint, &mut held.weight[held.begin..held.begin + count]);
        if is_too_long {
            held.remove_first();
        }
        held.grow(born);
        self.count_evidence(log_total);
    }

    /// The pass over all hypotheses. *Returns*: the sum of `joint`, and its logarithm.
    fn take(&mut self, value: f64, dense_from: Option<usize>) -> (f64, f64) {
        let Self { table, now, held, log_density, joint, segment, .. } = self;
        let (from, count) = (held.begin, held.padded());
        log_density.resize(count, 0.0);
        joint.resize(count, 0.0);
        let (source, first) = dense_from.map_or((&*now, 0), |first| (&*table, first));
        let terms = source.columns_from(first, count);
        let beliefs = Beliefs {
            weight: &held.weight[from..from + count],
            mean: &mut held.mean[from..from + count],
            rate: &mut held.rate[from..from + count],
            log_rate: &mut held.log_rate[from..from + count],
        };
        let weighed = Weighed { log_density, joint };
        let total = match segment {
            Segment::UnknownVariance { .. } => student(value, terms, beliefs, weighed),
            Segment::KnownVariance { .. } => gaussian(value, terms, beliefs, weighed),
        };
        (total, ln(total))
    }

    /// Add to the log evidence without losing digits (Neumaier 1974).
    fn count_evidence(&mut self, log_total: f64) {
        let sum = self.evidence + log_total;
        self.evidence_rest += if self.evidence.abs() >= log_total.abs() {
            (self.evidence - sum) + log_total
        } else {
            (log_total - sum) + self.evidence
        };
        self.evidence = sum;
    }

    /// Give up the hypotheses of too little weight, never the newest.
    fn prune(&mut self) {
        let least = self.setting.prune;
        let below = |any, weight: &f64| any | (*weight < least);
        let [older @ .., _] = self.held.weights() else { return };
        if least <= 0.0 || !older.iter().fold(false, below) {
            return;
        }
        let lost = self.held.retain(least);
        self.dropped += lost;
        let keep = 1.0 / (1.0 - lost);
        let left = self.held.count();
        self.held.weight[..left].iter_mut().for_each(|weight| *weight *= keep);
    }
}

/// The step where what is likely has no density worth a number: `joint` is made anew, relative
/// to its largest. *Returns*: its sum, and the logarithm of the true sum.
#[cold]
fn in_logarithms(weight: &[f64], log_density: &[f64], joint: &mut [f64]) -> (f64, f64) {
    for ((joint, weight), density) in joint.iter_mut().zip(weight).zip(log_density) {
        *joint = ln_or_never(*weight) + LN_2 * density;
    }
    let most = largest(joint);
    joint.iter_mut().for_each(|log| *log = exp(*log - most));
    let total = lane_sum(joint);
    (total, most + ln(total))
}

impl Changepoint {
    /// Every parameter as bits, written into snapshots.
    fn parameters(&self) -> [u64; 9] {
        let (kind, segment) = match self.segment {
            Segment::UnknownVariance { mean, kappa, alpha, beta } => {
                (0, [mean, kappa, alpha, beta])
            }
            Segment::KnownVariance { mean, variance, noise } => (1, [mean, variance, noise, 0.0]),
        };
        let Setting { hazard_lambda, window, run_length_max, prune } = self.setting;
        let [a, b, c, d] = segment.map(f64::to_bits);
        let (longest, window) = (run_length_max as u64, window as u64);
        [kind, a, b, c, d, hazard_lambda.to_bits(), window, longest, prune.to_bits()]
    }
}

impl State for Changepoint {
    fn save(&self, to: &mut Vec<u8>) {
        self.parameters().iter().for_each(|word| word.save(to));
        [self.evidence, self.evidence_rest, self.dropped].save(to);
        (self.held.count() as u64).save(to);
        self.held.saved().for_each(|value| value.save(to));
    }

    fn load(&mut self, from: &mut Reader<'_>) -> Result<()> {
        const NAMES: [&str; 9] = [
            "segment",
            "mean",
            "kappa or variance",
            "alpha or noise",
            "beta",
            "hazard_lambda",
            "window",
            "run_length_max",
            "prune",
        ];
        for (name, own) in NAMES.iter().zip(self.parameters()) {
            from.expect_equal(name, own)?;
        }
        let (mut sums, mut count) = ([0.0; 3], 0_u64);
        sums.load(from)?;
        count.load(from)?;
        let damaged = || CoreError::new(Code::DataInvalid, "Changepoint: snapshot is damaged");
        if !(1..=self.setting.run_length_max as u64 + 1).contains(&count) {
            return Err(damaged());
        }
        let mut numbers = vec![0.0; 4 * count as usize];
        numbers.iter_mut().try_for_each(|value| value.load(from))?;
        let longest = self.setting.run_length_max as f64;
        let held = self.held.restored(&numbers, longest).ok_or_else(damaged)?;
        [self.evidence, self.evidence_rest, self.dropped] = sums;
        self.held = held;
        Ok(())
    }
}

impl Indicator<1, 6> for Changepoint {
    const NAME: &'static str = "Changepoint";
    const INPUTS: [&'static str; 1] = ["value"];

    #[inline]
    fn step(&mut self, [value]: [f64; 1]) -> Option<[f64; 6]> {
        Some(self.push(value))
    }

    fn warmup(&self) -> u64 {
        1
    }

    /// Young runs are all there is in the beginning: twice the window is not listened to.
    fn settled(&self) -> u64 {
        2 * self.setting.window as u64 + 1
    }
}
