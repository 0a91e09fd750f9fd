// SPDX-License-Identifier: Apache-2.0
//! Autoregression around a mean that switches between regimes (Hamilton 1989):
//! `y_t - m(s_t) = sum_i a_i (y_(t-i) - m(s_(t-i))) + e_t`, `e_t` normal. The density of an
//! observation depends on the present regime and on those of the `order` observations before it, so
//! the belief is about all of them together.

use super::elementary::{exp, ln, HALF_LN_TAU};
use crate::error::{Code, CoreError, Result};

/// Most combinations of regimes that are told apart.
pub const COMBINATIONS_MAX: usize = 1 << 12;

/// Parameters; `transition` row by row: from, to.
#[derive(Debug, Clone, PartialEq)]
pub struct SwitchingAutoregression {
    means: Vec<f64>,
    order: usize,
    /// At least one: without lags the weight of the only one is zero.
    coefficients: Vec<f64>,
    variances: Vec<f64>,
    transition: Vec<f64>,
    combinations: usize,
}

/// Chances of the regimes, row by row, of every observation after the first `order`.
#[derive(Debug, Clone)]
pub struct Chances {
    /// Given the observations up to each.
    pub filtered: Vec<f64>,
    /// Given all; empty unless asked for.
    pub smoothed: Vec<f64>,
    /// Log probability of all given the first `order`.
    pub log_likelihood: f64,
}

impl SwitchingAutoregression {
    /// One mean and one variance a regime; `coefficients` of the lags, nearest first.
    pub fn new(
        means: Vec<f64>,
        mut coefficients: Vec<f64>,
        variances: Vec<f64>,
        transition: Vec<f64>,
    ) -> Result<Self> {
        let (k, order) = (means.len(), coefficients.len());
        if order == 0 {
            coefficients.push(0.0);
        }
        let combinations = u32::try_from(coefficients.len() + 1)
            .ok()
            .and_then(|places| k.checked_pow(places))
            .filter(|count| k > 0 && *count <= COMBINATIONS_MAX)
            .ok_or_else(|| refusal(format!("{k} regimes, {} lags", coefficients.len())))?;
        let numbers = means.iter().chain(&coefficients).chain(&variances).chain(&transition);
        let is_valid = variances.len() == k
            && transition.len() == k * k
            && numbers.into_iter().all(|value| value.abs() <= 1e100)
            && variances.iter().all(|variance| *variance >= f64::MIN_POSITIVE)
            && transition.chunks(k).all(|row| {
                row.iter().all(|step| *step >= 0.0) && (row.iter().sum::<f64>() - 1.0).abs() < 1e-6
            });
        if !is_valid {
            return Err(refusal(format!("variances {variances:?}, transition {transition:?}")));
        }
        Ok(Self { means, order, coefficients, variances, transition, combinations })
    }

    /// Chances of the regimes over a series (Hamilton 1989, Kim 1994).
    pub fn chances(&self, series: &[f64], with_smoothed: bool) -> Result<Chances> {
        let order = self.order;
        if series.len() <= order {
            return Err(refusal(format!("{} observations for {order} lags", series.len())));
        }
        if let Some(at) = series.iter().position(|value| value.is_nan() || value.abs() > 1e100) {
            let message = format!("SwitchingAutoregression: {} in row {at}", series[at]);
            return Err(CoreError::new(Code::NumberNotFinite, message));
        }
        let (k, joint) = (self.means.len(), self.combinations);
        let mut found = Chances { filtered: vec![], smoothed: vec![], log_likelihood: 0.0 };
        let mut history = Vec::new();
        let mut belief = self.stationary_belief()?;
        let mut density = vec![0.0; joint];
        let expected = self.expected_of_regimes();
        for at in order..series.len() {
            if at > order {
                belief = self.predict(&belief);
            }
            let lags = self.coefficients.iter().zip(series[..at].iter().rev());
            let level = series[at] - lags.map(|(weight, value)| weight * value).sum::<f64>();
            self.log_densities(level, &expected, &mut density);
            found.log_likelihood += condition(&mut belief, &density);
            let shares = belief.chunks_exact(joint / k).map(|part| part.iter().sum::<f64>());
            found.filtered.extend(shares);
            if with_smoothed {
                history.push(belief.clone());
            }
        }
        if with_smoothed {
            found.smoothed = self.smooth(&history);
        }
        Ok(found)
    }

    /// What the regimes add to the forecast, for each combination; the present regime is the most
    /// significant digit, the oldest the least.
    fn expected_of_regimes(&self) -> Vec<f64> {
        let k = self.means.len();
        let of = |combination: usize| {
            let mut place = self.combinations / k;
            let mut total = self.means[combination / place];
            for weight in &self.coefficients {
                place /= k;
                total -= weight * self.means[combination / place % k];
            }
            total
        };
        (0..self.combinations).map(of).collect()
    }

    fn log_densities(&self, level: f64, expected: &[f64], out: &mut [f64]) {
        let block = self.combinations / self.means.len();
        for ((out, expected), variance) in
            out.chunks_exact_mut(block).zip(expected.chunks_exact(block)).zip(&self.variances)
        {
            let (norm, factor) = (-HALF_LN_TAU - 0.5 * ln(*variance), -0.5 / variance);
            for (out, expected) in out.iter_mut().zip(expected) {
                let error = level - expected;
                *out = norm + factor * (error * error);
            }
        }
    }

    /// One step on: the oldest regime is forgotten, a new present one joins.
    fn predict(&self, belief: &[f64]) -> Vec<f64> {
        let k = self.means.len();
        let kept = forget_oldest(belief, k);
        let block = kept.len() / k; // of combinations with the same newest regime
        let mut next = Vec::with_capacity(belief.len());
        for to in 0..k {
            let steps = (0..kept.len()).map(|at| kept[at] * self.transition[at / block * k + to]);
            next.extend(steps);
        }
        next
    }

    /// Long-run chances of all combinations, before anything was observed.
    fn stationary_belief(&self) -> Result<Vec<f64>> {
        let k = self.means.len();
        let mut belief = self.stationary()?;
        while belief.len() < self.combinations {
            let block = belief.len() / k;
            let mut next = Vec::with_capacity(belief.len() * k);
            for to in 0..k {
                next.extend(
                    (0..belief.len()).map(|at| belief[at] * self.transition[at / block * k + to]),
                );
            }
            belief = next;
        }
        Ok(belief)
    }

    /// Long-run chances of the regimes: `p = p P`, `sum p = 1`, by elimination (Grassmann, Taksar
    /// and Heyman 1985), which subtracts nothing.
    fn stationary(&self) -> Result<Vec<f64>> {
        let k = self.means.len();
        let mut steps = self.transition.clone();
        for last in (1..k).rev() {
            let leaving: f64 = steps[last * k..last * k + last].iter().sum();
            if leaving < f64::MIN_POSITIVE {
                return Err(refusal("a regime that is never left".to_owned()));
            }
            for from in 0..last {
                steps[from * k + last] /= leaving;
                for to in 0..last {
                    steps[from * k + to] += steps[from * k + last] * steps[last * k + to];
                }
            }
        }
        let mut chances = vec![1.0; k];
        for state in 1..k {
            chances[state] = (0..state).map(|from| chances[from] * steps[from * k + state]).sum();
        }
        let total: f64 = chances.iter().sum();
        Ok(chances.into_iter().map(|chance| chance / total).collect())
    }

    fn smooth(&self, history: &[Vec<f64>]) -> Vec<f64> {
        let k = self.means.len();
        let mut rows: Vec<Vec<f64>> = Vec::with_capacity(history.len());
        let mut later: Option<Vec<f64>> = None;
        for belief in history.iter().rev() {
            let smoothed = match &later {
                None => belief.clone(),
                Some(next) => {
                    let kept = forget_oldest(belief, k);
                    let block = kept.len();
                    let of_kept = |at: usize| (0..k).map(|to| next[to * block + at]).sum::<f64>();
                    let ratio =
                        |at: usize| if kept[at] > 0.0 { of_kept(at) / kept[at] } else { 0.0 };
                    (0..belief.len()).map(|at| belief[at] * ratio(at / k)).collect()
                }
            };
            let share = belief.len() / k;
            rows.push(smoothed.chunks_exact(share).map(|part| part.iter().sum()).collect());
            later = Some(smoothed);
        }
        rows.into_iter().rev().flatten().collect()
    }
}

/// Sum over the oldest regime.
fn forget_oldest(belief: &[f64], regimes: usize) -> Vec<f64> {
    belief.chunks_exact(regimes).map(|group| group.iter().sum()).collect()
}

/// Bayes' rule in place. *Returns*: the log probability of the observation.
fn condition(belief: &mut [f64], log_density: &[f64]) -> f64 {
    let most = log_density.iter().fold(f64::NEG_INFINITY, |a, b| if *b > a { *b } else { a });
    let mut total = 0.0;
    for (chance, density) in belief.iter_mut().zip(log_density) {
        *chance *= exp(density - most);
        total += *chance;
    }
    if total < f64::MIN_POSITIVE {
        belief.fill(1.0 / belief.len() as f64);
        return f64::NEG_INFINITY;
    }
    belief.iter_mut().for_each(|chance| *chance /= total);
    ln(total) + most
}

fn refusal(what: String) -> CoreError {
    let allowed = format!("regimes^(lags + 1) up to {COMBINATIONS_MAX}, rows that sum to one");
    let message = format!("SwitchingAutoregression: {what}; allowed: {allowed}");
    CoreError::new(Code::ParameterInvalid, message)
}
