// SPDX-License-Identifier: Apache-2.0
//! Bayesian online changepoint detection (Adams and MacKay 2007): the belief about how long the
//! present segment has lasted, one weight per run length. `r` counts the observations of the
//! current run after the newest; `r = 0` means that the run ended with it, and has the probability
//! of the hazard whatever was observed, so it can never be the alarm: that is `P(r < window)`.
//!
//! Hypotheses lie in the order of their birth, oldest first, each quantity in its own array:
//! nothing is shifted when all run lengths grow by one. Weights are linear and normalised at each
//! step; where every density underflows, that step is done in logarithms.

mod segment;

pub use segment::{Segment, Setting, RUN_LENGTH_MAX};

use super::elementary::{exp, exp_of_fall, lane_dot, lane_sum, ln, ln_or_never};
use crate::error::{Code, CoreError, Result};
use crate::indicator::{Indicator, Reader, State};
use segment::{check, table_of, Terms};

const TOTAL_LEAST: f64 = 1e-280; // below it digits are being lost to underflow
const WEIGHT_LEAST: f64 = 1e-300; // below it numbers are subnormal soon, and slow

/// The hypotheses, oldest first. `rate` and `log_rate` are used with unknown variance only.
#[derive(Debug, Clone, Default)]
struct Hypotheses {
    run: Vec<f64>,
    weight: Vec<f64>,
    mean: Vec<f64>,
    rate: Vec<f64>,
    log_rate: Vec<f64>,
}

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
    /// Hypotheses before it are given up; they are removed when there is nothing else to do.
    begin: usize,
    evidence: f64,
    evidence_rest: f64,
    dropped: f64,
}

impl Changepoint {
    /// A detector that has seen nothing. Refused: parameters for which the formulas have no answer.
    pub fn new(segment: Segment, setting: Setting) -> Result<Self> {
        check(&segment, &setting)?;
        let longest = setting.run_length_max;
        let mut built = Self {
            segment,
            setting,
            table: table_of(&segment, longest),
            now: Terms::default(),
            log_density: Vec::new(),
            joint: Vec::new(),
            held: Hypotheses::default(),
            begin: 0,
            evidence: 0.0,
            evidence_rest: 0.0,
            dropped: 0.0,
        };
        built.held.push(&segment, 1.0);
        Ok(built)
    }

    /// Take an observation. One pass over the hypotheses: two multiplications, a logarithm and an
    /// exponential each.
    pub fn push(&mut self, value: f64) -> [f64; 6] {
        let predicted = self.predictive_mean();
        self.weigh(value);
        self.give_up();
        let mode = self.map_run_length();
        let short = self.short_probability(self.setting.window);
        let kept = self.held.run.len() - self.begin;
        [short, mode, predicted, self.log_evidence(), kept as f64, self.dropped]
    }

    /// Forecast of the next observation.
    #[must_use]
    pub fn predictive_mean(&self) -> f64 {
        lane_dot(&self.held.weight[self.begin..], &self.held.mean[self.begin..])
    }

    /// Probability that the current run is shorter than `window`.
    #[must_use]
    pub fn short_probability(&self, window: usize) -> f64 {
        let (bound, from) = (window as f64, self.begin);
        let young = self.held.run[from..].iter().zip(&self.held.weight[from..]).rev();
        young.take_while(|(run, _)| **run < bound).map(|(_, weight)| weight).sum()
    }

    /// Most probable run length, the shortest of equals.
    #[must_use]
    pub fn map_run_length(&self) -> f64 {
        let at = self.begin + last_largest(&self.held.weight[self.begin..]);
        self.held.run.get(at).copied().unwrap_or(f64::NAN)
    }

    /// Log probability of everything observed.
    #[must_use]
    pub fn log_evidence(&self) -> f64 {
        self.evidence + self.evidence_rest
    }

    /// Probability of each run length from zero up to the longest that is kept.
    #[must_use]
    pub fn run_length_posterior(&self) -> Vec<f64> {
        let from = self.begin;
        let longest = self.held.run.get(from).map_or(0, |run| *run as usize);
        let mut posterior = vec![0.0; longest + 1];
        for (run, weight) in self.held.run[from..].iter().zip(&self.held.weight[from..]) {
            if let Some(place) = posterior.get_mut(*run as usize) {
                *place = *weight;
            }
        }
        posterior
    }

    /// Lay out the terms of hypotheses with gaps between their run lengths as these lie.
    fn look_up(&mut self) {
        let Self { table, now, held, begin, setting, .. } = self;
        let run = &held.run[*begin..];
        now.resize(run.len());
        for (target, source) in now.columns().into_iter().zip(table.columns()) {
            for (value, run) in target.iter_mut().zip(run) {
                *value = source[setting.run_length_max - *run as usize];
            }
        }
    }

    /// Place in the table of the oldest run, if no run length is missing after it.
    fn dense_from(&self) -> Option<usize> {
        let run = &self.held.run[self.begin..];
        let oldest = *run.first()? as usize;
        (oldest + 1 == run.len()).then(|| self.setting.run_length_max - oldest)
    }

    /// Multiply every weight by the density of the observation, update what is believed of each
    /// segment, and let all runs grow by one, which a share of the hazard does not survive.
    fn weigh(&mut self, value: f64) {
        let dense_from = self.dense_from();
        if dense_from.is_none() {
            self.look_up();
        }
        let hazard = 1.0 / self.setting.hazard_lambda;
        let Self { table, now, held, begin, log_density, joint, segment, .. } = self;
        let from = *begin;
        let count = held.run.len() - from;
        log_density.resize(count, 0.0);
        joint.resize(count, 0.0);
        let (source, first) = dense_from.map_or((&*now, 0), |first| (&*table, first));
        let terms = source.columns_from(first, count);
        let mean = &mut held.mean[from..];
        match segment {
            Segment::UnknownVariance { alpha, .. } => {
                let rate = &mut held.rate[from..];
                learn(value, terms, mean, rate);
                let run = &held.run[from..];
                student(*alpha, terms, run, rate, &mut held.log_rate[from..], log_density);
            }
            Segment::KnownVariance { .. } => gaussian(value, terms, mean, log_density),
        }
        let weight = &mut held.weight[from..];
        let most = largest(log_density);
        for ((joint, weight), density) in joint.iter_mut().zip(&*weight).zip(&*log_density) {
            *joint = weight * exp_of_fall(*density - most);
        }
        let mut total = lane_sum(joint);
        let mut log_total = most + ln(total);
        if !(TOTAL_LEAST..).contains(&total) {
            (total, log_total) = in_logarithms(weight, log_density, joint);
        }
        let factor = (1.0 - hazard) / total;
        for ((weight, joint), run) in weight.iter_mut().zip(&*joint).zip(&mut held.run[from..]) {
            let scaled = joint * factor;
            *weight = if scaled > WEIGHT_LEAST { scaled } else { 0.0 };
            *run += 1.0;
        }
        held.push(segment, hazard);
        self.count_evidence(log_total);
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

    /// Give up the run that is too long and those of too little weight, never the newest.
    fn give_up(&mut self) {
        let mut lost = 0.0;
        let longest = self.setting.run_length_max as f64;
        if self.held.run[self.begin] > longest {
            lost += self.held.weight[self.begin];
            self.begin += 1;
        }
        let prune = self.setting.prune;
        let last = self.held.run.len() - 1;
        let weights = &self.held.weight[self.begin..last];
        if prune > 0.0 && weights.iter().fold(false, |any, weight| any | (*weight < prune)) {
            lost += self.held.retain(self.begin, prune);
            self.begin = 0;
        } else if self.begin > self.setting.run_length_max {
            self.held.remove_first(self.begin);
            self.begin = 0;
        }
        if lost > 0.0 {
            self.dropped += lost;
        }
        let keep = 1.0 / (1.0 - lost);
        if keep > 1.0 {
            self.held.weight[self.begin..].iter_mut().for_each(|weight| *weight *= keep);
        }
    }
}

impl Hypotheses {
    fn columns(&mut self) -> [&mut Vec<f64>; 5] {
        [&mut self.run, &mut self.weight, &mut self.mean, &mut self.rate, &mut self.log_rate]
    }

    /// One more segment, without observations.
    fn push(&mut self, segment: &Segment, weight: f64) {
        let (mean, rate) = match *segment {
            Segment::UnknownVariance { mean, beta, .. } => (mean, beta),
            Segment::KnownVariance { mean, .. } => (mean, 1.0),
        };
        for (column, value) in self.columns().into_iter().zip([0.0, weight, mean, rate, ln(rate)]) {
            column.push(value);
        }
    }

    fn remove_first(&mut self, count: usize) {
        self.columns().into_iter().for_each(|column| drop(column.drain(..count)));
    }

    /// Move together what stays: no weight below `least` but the last, nothing before `begin`.
    /// *Returns*: the weight that is gone.
    fn retain(&mut self, begin: usize, least: f64) -> f64 {
        let (count, mut kept, mut lost) = (self.run.len(), 0, 0.0);
        for at in begin..count {
            let weight = self.weight[at];
            if weight < least && at + 1 < count {
                lost += weight;
                continue;
            }
            for column in self.columns() {
                column[kept] = column[at];
            }
            kept += 1;
        }
        self.columns().into_iter().for_each(|column| column.truncate(kept));
        lost
    }
}

/// What the observation teaches every segment: its mean, and the rate of its precision. Few arrays
/// a loop: with many, loads wait for stores to addresses that look alike in their low bits.
#[inline]
fn learn(value: f64, [_, scale, gain]: [&[f64]; 3], mean: &mut [f64], rate: &mut [f64]) {
    for (((mean, rate), scale), gain) in mean.iter_mut().zip(rate).zip(scale).zip(gain) {
        let distance = value - *mean;
        *rate += scale * (distance * distance);
        *mean += gain * distance;
    }
}

/// Student-t log densities of the observation that `rate` has learned of. With the new rate
/// `b' = b + k (x - mu)^2 / (2 (k + 1))` the density is `c b^a / b'^(a + 1/2)`: the logarithm that
/// this step takes is the one that the next step needs.
#[inline]
fn student(
    alpha: f64,
    [offset, ..]: [&[f64]; 3],
    run: &[f64],
    rate: &[f64],
    log_rate: &mut [f64],
    log_density: &mut [f64],
) {
    let parts = log_rate.iter_mut().zip(rate).zip(run).zip(offset);
    for ((((log_rate, rate), run), offset), density) in parts.zip(log_density) {
        let log_next = ln(*rate);
        let shape = alpha + 0.5 * run;
        *density = offset + shape * (*log_rate - log_next) - 0.5 * log_next;
        *log_rate = log_next;
    }
}

/// Gaussian log densities of `value`, and the update of the mean.
#[inline]
fn gaussian(
    value: f64,
    [offset, scale, gain]: [&[f64]; 3],
    mean: &mut [f64],
    log_density: &mut [f64],
) {
    let terms = offset.iter().zip(scale).zip(gain);
    for ((mean, density), ((offset, scale), gain)) in mean.iter_mut().zip(log_density).zip(terms) {
        let distance = value - *mean;
        *density = offset - scale * (distance * distance);
        *mean += gain * distance;
    }
}

/// The step where what is likely has no density worth a number: `joint` is made anew, relative
/// to its largest. *Returns*: its sum, and the logarithm of the true sum.
#[cold]
fn in_logarithms(weight: &[f64], log_density: &[f64], joint: &mut [f64]) -> (f64, f64) {
    for ((joint, weight), density) in joint.iter_mut().zip(weight).zip(log_density) {
        *joint = ln_or_never(*weight) + density;
    }
    let most = largest(joint);
    joint.iter_mut().for_each(|log| *log = exp(*log - most));
    let total = lane_sum(joint);
    (total, most + ln(total))
}

#[inline]
fn largest(values: &[f64]) -> f64 {
    let mut lanes = [f64::NEG_INFINITY; 8];
    let chunks = values.chunks_exact(8);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane = if *value > *lane { *value } else { *lane };
        }
    }
    let more = |a: f64, b: &f64| if *b > a { *b } else { a };
    lanes.iter().chain(rest).fold(f64::NEG_INFINITY, more)
}

/// Place of the largest value, the last of equals: found eight at a time from the end.
#[inline]
fn last_largest(values: &[f64]) -> usize {
    let most = largest(values);
    let mut end = values.len();
    for chunk in values.rchunks_exact(8) {
        if chunk.iter().fold(false, |any, value| any | (*value >= most)) {
            break;
        }
        end -= 8;
    }
    values[..end].iter().rposition(|value| *value >= most).unwrap_or(0)
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
        let mut held = self.held.clone();
        ((held.run.len() - self.begin) as u64).save(to);
        for column in held.columns() {
            column[self.begin..].iter().for_each(|value| value.save(to));
        }
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
        let mut held = Hypotheses::default();
        for column in held.columns() {
            column.resize(count as usize, 0.0);
            column.iter_mut().try_for_each(|value| value.load(from))?;
        }
        let longest = self.setting.run_length_max as f64;
        let is_falling = held.run.windows(2).all(|pair| pair[0] > pair[1]);
        let is_counting = held.run.iter().all(|run| run.fract() == 0.0 && *run >= 0.0);
        if !(is_falling && is_counting && held.run[0] <= longest) {
            return Err(damaged());
        }
        [self.evidence, self.evidence_rest, self.dropped] = sums;
        (self.held, self.begin) = (held, 0);
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
