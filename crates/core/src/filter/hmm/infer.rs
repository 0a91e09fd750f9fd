// SPDX-License-Identifier: Apache-2.0
//! A finished series seen from its end. The smoothed chances and the best path use what came later:
//! they explain history and train; nothing live may ask for them.

use super::Hmm;
use crate::error::Result;
use crate::filter::elementary::ln_or_never;

/// Chances of the regimes at every row, row by row.
#[derive(Debug, Clone)]
pub struct Smoothed {
    /// Given the rows up to each.
    pub filtered: Vec<f64>,
    /// Given all rows.
    pub smoothed: Vec<f64>,
    /// Expected number of transitions between each two regimes.
    pub moves: Vec<f64>,
    /// Log probability of all rows.
    pub log_likelihood: f64,
}

/// What the backward pass needs of the forward one.
struct Forward {
    filtered: Vec<f64>,
    density: Vec<f64>,
    factor: Vec<f64>,
    log_likelihood: f64,
}

impl Hmm {
    /// Filtered chances at every row, and the log probability of all.
    pub fn filtered(&self, observations: &[f64]) -> Result<(Vec<f64>, f64)> {
        let forward = self.forward(observations)?;
        Ok((forward.filtered, forward.log_likelihood))
    }

    fn forward(&self, observations: &[f64]) -> Result<Forward> {
        let rows = self.checked_rows(observations)?;
        let k = self.states;
        let mut found = Forward {
            filtered: vec![0.0; rows * k],
            density: vec![0.0; rows * k],
            factor: vec![0.0; rows],
            log_likelihood: 0.0,
        };
        let mut now = self.start.clone();
        let mut next = vec![0.0; k];
        for (at, row) in observations.chunks_exact(self.dimensions()).enumerate() {
            if at > 0 {
                self.predict(&now, &mut next);
                std::mem::swap(&mut now, &mut next);
            }
            let density = &mut found.density[at * k..(at + 1) * k];
            let (log, factor) = self.condition(row, &mut now, density);
            found.log_likelihood += log;
            found.factor[at] = factor;
            found.filtered[at * k..(at + 1) * k].copy_from_slice(&now);
        }
        Ok(found)
    }

    /// Forward and backward over a series (Rabiner 1989, scaled).
    pub fn smoothed(&self, observations: &[f64]) -> Result<Smoothed> {
        let Forward { filtered, density, factor, log_likelihood } = self.forward(observations)?;
        let (k, rows) = (self.states, factor.len());
        let mut smoothed = filtered.clone();
        let mut moves = vec![0.0; k * k];
        let mut backward = vec![1.0; k];
        let mut ahead = vec![0.0; k];
        for at in (0..rows.saturating_sub(1)).rev() {
            let (from, to) = (at * k, (at + 1) * k);
            for state in 0..k {
                ahead[state] = density[to + state] * backward[state] * factor[at + 1];
            }
            for (state, row) in self.transition.chunks_exact(k).enumerate() {
                let mut total = 0.0;
                for (next, step) in row.iter().enumerate() {
                    let joint = step * ahead[next];
                    total += joint;
                    moves[state * k + next] += filtered[from + state] * joint;
                }
                backward[state] = total;
            }
            for (chance, later) in smoothed[from..to].iter_mut().zip(&backward) {
                *chance *= later;
            }
        }
        Ok(Smoothed { filtered, smoothed, moves, log_likelihood })
    }

    /// The most probable path of regimes and its log probability (Viterbi 1967); of equal paths the
    /// one with lower numbers at the end.
    pub fn viterbi(&self, observations: &[f64]) -> Result<(Vec<usize>, f64)> {
        let rows = self.checked_rows(observations)?;
        let k = self.states;
        let log_step: Vec<f64> = self.transition.iter().map(|step| ln_or_never(*step)).collect();
        let mut best: Vec<f64> = self.start.iter().map(|chance| ln_or_never(*chance)).collect();
        let mut before = vec![0_usize; rows * k];
        let mut density = vec![0.0; k];
        let mut next = vec![0.0; k];
        for (at, row) in observations.chunks_exact(self.dimensions()).enumerate() {
            self.emission.log_densities(row, &mut density);
            for state in 0..k {
                let reached = |from: usize| best[from] + log_step[from * k + state];
                let from = if at == 0 { state } else { first_largest((0..k).map(reached)) };
                before[at * k + state] = from;
                next[state] = if at == 0 { best[state] } else { reached(from) } + density[state];
            }
            std::mem::swap(&mut best, &mut next);
        }
        let mut state = first_largest(best.iter().copied());
        let log_probability = best[state];
        let mut path = vec![0; rows];
        for at in (0..rows).rev() {
            path[at] = state;
            state = before[at * k + state];
        }
        Ok((path, if rows == 0 { 0.0 } else { log_probability }))
    }
}

fn first_largest(values: impl Iterator<Item = f64>) -> usize {
    let mut best = (0, f64::NEG_INFINITY);
    for (at, value) in values.enumerate() {
        if value > best.1 {
            best = (at, value);
        }
    }
    best.0
}
