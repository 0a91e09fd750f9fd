// SPDX-License-Identifier: Apache-2.0
//! Parameters of a hidden Markov model by expectation maximisation (Baum and Welch 1970), from many
//! starts, because each run ends at the nearest hill. Two guards keep the answer usable: a floor
//! under variances (a regime of one observation has infinite likelihood), and pseudo-counts on
//! staying (regimes that flicker are of no use).

use super::{invalid, Emission, Hmm, Normal, DIMENSIONS_MAX, STATES_MAX};
use crate::error::Result;
use crate::filter::elementary::{ln, ln_or_never};
use crate::rng::Random;

const CORRELATION_MAX: f64 = 0.999; // beyond it a covariance has no inverse worth the name
const STAY_AT_START: f64 = 0.8;
const SYMBOLS_MAX: usize = 256;

/// What kind of emissions to fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Normal, numbers independent within a regime.
    Diagonal(usize),
    /// Normal, with a covariance.
    Full(usize),
    /// Counts.
    Poisson,
    /// So many symbols.
    Categorical(usize),
}

/// How to fit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FitSetting {
    /// Number of regimes.
    pub states: usize,
    /// Runs from different parameters; the best is kept.
    pub starts: usize,
    /// Steps of one run at most.
    pub iterations: usize,
    /// A run ends when a step gains less log likelihood.
    pub tolerance: f64,
    /// Least variance of a regime, as a share of that of all observations.
    pub variance_floor: f64,
    /// Pseudo-counts on staying in a regime.
    pub sticky: f64,
    /// Of the random starts.
    pub seed: u64,
}

/// The best model found.
#[derive(Debug, Clone)]
pub struct Fit {
    /// Its parameters; regimes in ascending order of variance, expected count, or chance of the
    /// first symbol.
    pub model: Hmm,
    /// Log likelihood, without the pseudo-counts.
    pub log_likelihood: f64,
    /// Steps of the best run.
    pub iterations: usize,
    /// Whether it ended by the tolerance.
    pub has_converged: bool,
}

/// Estimate a model of `shape` from whole rows.
pub fn fit(observations: &[f64], shape: Shape, setting: &FitSetting) -> Result<Fit> {
    let data = Data::new(observations, shape, setting)?;
    let mut best: Option<(f64, Fit)> = None;
    for start in 0..setting.starts as u64 {
        let mut random = Random::new(setting.seed, start);
        let model = data.first_model(start, &mut random)?;
        let (value, found) = data.climb(model)?;
        if best.as_ref().is_none_or(|(highest, _)| value > *highest) {
            best = Some((value, found));
        }
    }
    let (_, mut found) = best.ok_or_else(|| invalid("no start led anywhere".to_owned()))?;
    let mut order: Vec<usize> = (0..setting.states).collect();
    order.sort_by(|a, b| {
        found.model.emission().rank(*a).total_cmp(&found.model.emission().rank(*b))
    });
    found.model = found.model.reordered(&order)?;
    Ok(found)
}

/// Observations with what all runs share.
struct Data<'a> {
    rows: Vec<&'a [f64]>,
    flat: &'a [f64],
    shape: Shape,
    setting: &'a FitSetting,
    mean: [f64; 2],
    variance: [f64; 2],
    sorted: Vec<f64>,
}

impl<'a> Data<'a> {
    fn new(flat: &'a [f64], shape: Shape, setting: &'a FitSetting) -> Result<Self> {
        let dimensions = match shape {
            Shape::Diagonal(dimensions) | Shape::Full(dimensions) => dimensions,
            Shape::Poisson | Shape::Categorical(_) => 1,
        };
        check(dimensions, shape, setting)?;
        let probe = Self::probe(dimensions, shape)?;
        if !flat.len().is_multiple_of(dimensions) {
            return Err(invalid(format!("{} numbers make no rows of {dimensions}", flat.len())));
        }
        let rows: Vec<&[f64]> = flat.chunks_exact(dimensions).collect();
        for (at, row) in rows.iter().enumerate() {
            probe.check(row, Some(at))?;
        }
        if rows.len() < 2 * setting.states {
            let due = 2 * setting.states;
            return Err(invalid(format!("{} rows; at least {due} are due", rows.len())));
        }
        let count = rows.len() as f64;
        let (mut mean, mut variance) = ([0.0; 2], [1.0; 2]);
        for at in 0..dimensions {
            mean[at] = rows.iter().map(|row| row[at]).sum::<f64>() / count;
            variance[at] = rows.iter().map(|row| (row[at] - mean[at]).powi(2)).sum::<f64>() / count;
        }
        let is_normal = matches!(shape, Shape::Diagonal(_) | Shape::Full(_));
        if is_normal && variance.iter().any(|variance| *variance < f64::MIN_POSITIVE) {
            return Err(invalid(
                "the observations do not vary, so there are no regimes".to_owned(),
            ));
        }
        let mut sorted: Vec<f64> = rows.iter().map(|row| row[0]).collect();
        sorted.sort_by(f64::total_cmp);
        Ok(Self { rows, flat, shape, setting, mean, variance, sorted })
    }

    /// An emission that knows what rows are acceptable.
    fn probe(dimensions: usize, shape: Shape) -> Result<Emission> {
        match shape {
            Shape::Diagonal(_) | Shape::Full(_) => {
                Ok(Emission::Gaussian { dimensions, parts: vec![Normal::one(0.0, 1.0)?] })
            }
            Shape::Poisson => Emission::poisson(vec![1.0]),
            Shape::Categorical(symbols) => {
                Emission::categorical(symbols, vec![1.0 / symbols as f64; symbols])
            }
        }
    }

    /// Where a run begins: the first at equal shares of the sorted values, the others at random.
    fn first_model(&self, start: u64, random: &mut Random) -> Result<Hmm> {
        let k = self.setting.states;
        let stay = if k == 1 { 1.0 } else { STAY_AT_START };
        let move_on = (1.0 - stay) / (k - 1).max(1) as f64;
        let transition = (0..k * k).map(|at| if at % (k + 1) == 0 { stay } else { move_on });
        let transition = transition.collect();
        Hmm::new(vec![1.0 / k as f64; k], transition, self.first_emission(start, random)?)
    }

    fn first_emission(&self, start: u64, random: &mut Random) -> Result<Emission> {
        let (k, count) = (self.setting.states, self.rows.len());
        let quantile = |state: usize| self.sorted[(2 * state + 1) * count / (2 * k)];
        let mut pick = || self.rows[((random.uniform() * count as f64) as usize).min(count - 1)];
        match self.shape {
            Shape::Diagonal(dimensions) | Shape::Full(dimensions) => {
                let mut parts = Vec::with_capacity(k);
                for state in 0..k {
                    let row = pick();
                    let mut mean = [row[0], row.get(1).copied().unwrap_or(0.0)];
                    if start == 0 {
                        mean = [quantile(state), self.mean[1]];
                    }
                    // Regimes of returns differ in variance, hardly in mean: spread both.
                    let share = (state + 1) as f64 / k as f64;
                    let spread = self.variance.map(|variance| variance * (0.25 + share * share));
                    parts.push(self.normal(dimensions, mean, [spread[0], spread[1], 0.0])?);
                }
                Ok(Emission::Gaussian { dimensions, parts })
            }
            Shape::Poisson => {
                let rate = |state| if start == 0 { quantile(state) } else { pick()[0] };
                let rates: Vec<f64> = (0..k).map(rate).collect();
                // Equal rates would never part.
                let apart = |(at, rate): (usize, f64)| (rate + 0.1) * (1.0 + 0.01 * at as f64);
                Emission::poisson(rates.into_iter().enumerate().map(apart).collect())
            }
            Shape::Categorical(symbols) => {
                let raw: Vec<f64> = (0..k * symbols).map(|_| 0.2 + random.uniform()).collect();
                let rows = raw.chunks(symbols).flat_map(|row| {
                    let total: f64 = row.iter().sum();
                    row.iter().map(move |chance| chance / total)
                });
                Emission::categorical(symbols, rows.collect())
            }
        }
    }

    /// Steps uphill until the gain is small. *Returns*: the value with the prior's share, and the
    /// result.
    fn climb(&self, mut model: Hmm) -> Result<(f64, Fit)> {
        let mut last = f64::NEG_INFINITY;
        let mut steps = 0;
        loop {
            let seen = model.smoothed(self.flat)?;
            let value = seen.log_likelihood + self.log_prior(&model);
            let has_converged = value - last < self.setting.tolerance;
            if has_converged || steps == self.setting.iterations {
                let log_likelihood = seen.log_likelihood;
                return Ok((
                    value,
                    Fit { model, log_likelihood, iterations: steps, has_converged },
                ));
            }
            last = value;
            steps += 1;
            model = self.improved(&model, &seen.smoothed, &seen.moves)?;
        }
    }

    fn log_prior(&self, model: &Hmm) -> f64 {
        if self.setting.sticky == 0.0 {
            return 0.0;
        }
        let stays = model.transition().iter().step_by(self.setting.states + 1);
        stays.map(|stay| self.setting.sticky * ln_or_never(*stay)).sum()
    }

    /// The parameters that explain best what the last ones make of the rows.
    fn improved(&self, old: &Hmm, chances: &[f64], moves: &[f64]) -> Result<Hmm> {
        let k = self.setting.states;
        let mut transition = moves.to_vec();
        for (state, row) in transition.chunks_mut(k).enumerate() {
            row[state] += self.setting.sticky;
            let total: f64 = row.iter().sum();
            if total < f64::MIN_POSITIVE {
                row.copy_from_slice(&old.transition()[state * k..(state + 1) * k]);
            } else {
                row.iter_mut().for_each(|step| *step /= total);
            }
        }
        let total: f64 = chances[..k].iter().sum();
        let start = chances[..k].iter().map(|chance| chance / total).collect();
        Hmm::new(start, transition, self.improved_emission(old.emission(), chances)?)
    }

    fn improved_emission(&self, old: &Emission, chances: &[f64]) -> Result<Emission> {
        let k = self.setting.states;
        let weights = |state: usize| {
            let own = chances.iter().skip(state).step_by(k);
            self.rows.iter().copied().zip(own.copied())
        };
        let mass = |state: usize| weights(state).map(|(_, weight)| weight).sum::<f64>();
        match old {
            Emission::Gaussian { dimensions, parts } => {
                let mut next = Vec::with_capacity(k);
                for (state, part) in parts.iter().enumerate() {
                    let mass = mass(state);
                    let is_empty = mass < f64::MIN_POSITIVE;
                    let new = || self.moments(*dimensions, mass, weights(state));
                    next.push(if is_empty { *part } else { new()? });
                }
                Ok(Emission::Gaussian { dimensions: *dimensions, parts: next })
            }
            Emission::Poisson { rates } => {
                let rate = |(state, old): (usize, &f64)| {
                    let mass = mass(state);
                    let sum: f64 = weights(state).map(|(row, weight)| row[0] * weight).sum();
                    if mass < f64::MIN_POSITIVE {
                        *old
                    } else {
                        (sum / mass).max(1e-9)
                    }
                };
                Emission::poisson(rates.iter().enumerate().map(rate).collect())
            }
            Emission::Categorical { symbols, table } => {
                let mut next = table.clone();
                for (state, row) in next.chunks_mut(*symbols).enumerate() {
                    let mass = mass(state);
                    if mass < f64::MIN_POSITIVE {
                        continue;
                    }
                    row.fill(0.0);
                    weights(state)
                        .for_each(|(seen, weight)| row[seen[0] as usize] += weight / mass);
                }
                Emission::categorical(*symbols, next)
            }
        }
    }

    /// Weighted mean and covariance.
    fn moments<'b>(
        &self,
        dimensions: usize,
        mass: f64,
        weights: impl Iterator<Item = (&'b [f64], f64)> + Clone,
    ) -> Result<Normal> {
        let mut mean = [0.0; 2];
        for (row, weight) in weights.clone() {
            for (mean, value) in mean.iter_mut().zip(row) {
                *mean += weight * value;
            }
        }
        mean = mean.map(|sum| sum / mass);
        let mut covariance = [0.0; 3];
        for (row, weight) in weights {
            let first = row[0] - mean[0];
            let second = row.get(1).map_or(0.0, |value| value - mean[1]);
            covariance[0] += weight * first * first;
            covariance[1] += weight * second * second;
            covariance[2] += weight * first * second;
        }
        self.normal(dimensions, mean, covariance.map(|sum| sum / mass))
    }

    /// A distribution that keeps the floor.
    fn normal(&self, dimensions: usize, mean: [f64; 2], covariance: [f64; 3]) -> Result<Normal> {
        let floor = self.variance.map(|variance| variance * self.setting.variance_floor);
        let [first, second, both] = covariance;
        let least = f64::MIN_POSITIVE;
        let (first, second) = (first.max(floor[0]).max(least), second.max(floor[1]).max(least));
        if dimensions == 1 {
            return Normal::one(mean[0], first);
        }
        let most = CORRELATION_MAX * (first * second).sqrt();
        let both = if self.shape == Shape::Full(2) { both.clamp(-most, most) } else { 0.0 };
        Normal::two(mean, [first, second, both])
    }
}

fn check(dimensions: usize, shape: Shape, setting: &FitSetting) -> Result<()> {
    let FitSetting { states, starts, iterations, tolerance, variance_floor, sticky, .. } = *setting;
    if !(1..=DIMENSIONS_MAX).contains(&dimensions) {
        return Err(invalid(format!("rows of {dimensions} numbers; allowed 1 or 2")));
    }
    let symbols = if let Shape::Categorical(symbols) = shape { symbols } else { 1 };
    if !(1..=SYMBOLS_MAX).contains(&symbols) {
        return Err(invalid(format!("{symbols} symbols; allowed 1 to {SYMBOLS_MAX}")));
    }
    let whole = [
        ("states", states, STATES_MAX),
        ("starts", starts, 10_000),
        ("iterations", iterations, 1_000_000),
    ];
    for (name, value, most) in whole {
        if !(1..=most).contains(&value) {
            return Err(invalid(format!("{name} {value}; allowed 1 to {most}")));
        }
    }
    let real = [
        ("tolerance", tolerance, 1.0),
        ("variance_floor", variance_floor, 1.0),
        ("sticky", sticky, 1e6),
    ];
    for (name, value, most) in real {
        if !(0.0..=most).contains(&value) {
            return Err(invalid(format!("{name} {value}; allowed 0 to {most}")));
        }
    }
    Ok(())
}

impl Fit {
    /// Bayesian information criterion, the smaller the better.
    #[must_use]
    pub fn bic(&self, rows: usize) -> f64 {
        let k = self.model.states();
        let of_emission = match self.model.emission() {
            Emission::Gaussian { dimensions: 1, .. } => 2 * k,
            Emission::Gaussian { parts, .. } => {
                let is_full = parts.iter().any(|part| part.covariance[2] != 0.0);
                k * if is_full { 5 } else { 4 }
            }
            Emission::Poisson { .. } => k,
            Emission::Categorical { symbols, .. } => k * (symbols - 1),
        };
        let free = k - 1 + k * (k - 1) + of_emission;
        -2.0 * self.log_likelihood + free as f64 * ln(rows as f64)
    }
}
