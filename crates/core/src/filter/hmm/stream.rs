// SPDX-License-Identifier: Apache-2.0
//! A hidden Markov model on a live market: chances given what was seen, never what came later, and
//! the regime that is acted upon, which changes reluctantly.

use super::{invalid, times, Hmm, STATES_MAX};
use crate::error::{Code, CoreError, Result};
use crate::filter::elementary::ln;
use crate::filter::lanes::{Lanes, LANES};
use crate::indicator::state::{seal, unseal};
use crate::indicator::State;
use std::array::from_fn;

const NAME: &str = "RegimeFilter";
/// A regime that cannot be now may be later: a chance of zero would never recover.
const CHANCE_LEAST: f64 = 1e-12;
const NONE: u64 = u64::MAX;

/// When the regime that is acted upon changes: a new one has reached `enter`, the old one has
/// fallen to `leave`, and the old one has lasted `dwell` rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Switching {
    /// Chance at which a regime is believed.
    pub enter: f64,
    /// Chance at which it is given up.
    pub leave: f64,
    /// Rows it lasts at least.
    pub dwell: u64,
}

/// The forward filter of a model over a live series.
#[derive(Debug, Clone)]
pub struct RegimeFilter {
    model: Hmm,
    switching: Switching,
    chances: Vec<f64>,
    n_seen: u64,
    log_likelihood: f64,
    regime: Option<usize>,
    lasted: u64,
}

impl RegimeFilter {
    /// A filter that has seen nothing.
    pub fn new(model: Hmm, switching: Switching) -> Result<Self> {
        let Switching { enter, leave, .. } = switching;
        if !((0.5..=1.0).contains(&enter) && (0.0..=enter).contains(&leave)) {
            let message =
                format!("enter {enter}, leave {leave}; 0.5 <= enter <= 1, 0 <= leave <= enter");
            return Err(invalid(message));
        }
        let chances = model.start().to_vec();
        Ok(Self {
            model,
            switching,
            chances,
            n_seen: 0,
            log_likelihood: 0.0,
            regime: None,
            lasted: 0,
        })
    }

    /// Take a row. What the model cannot have emitted is refused and the state stays as it was.
    pub fn update(&mut self, row: &[f64]) -> Result<()> {
        if row.len() != self.model.dimensions() {
            let due = self.model.dimensions();
            let message = format!("Hmm: a row of {} numbers; {due} are due", row.len());
            return Err(CoreError::new(Code::DataInvalid, message));
        }
        self.model.emission().check(row, None)?;
        self.step(row);
        Ok(())
    }

    /// Feed whole rows, oldest first; `out` receives the chances row by row. A bad row is refused
    /// before anything changes.
    pub fn batch(&mut self, observations: &[f64], out: &mut Vec<f64>) -> Result<()> {
        self.model.checked_rows(observations)?;
        match self.chances.len() {
            2 => self.batch_within::<2>(observations, out, 2),
            3 => self.batch_within::<3>(observations, out, 3),
            4 => self.batch_within::<4>(observations, out, 4),
            states => self.batch_within::<STATES_MAX>(observations, out, states),
        }
        Ok(())
    }

    /// Eight rows at a time: densities depend on no chance, so they are taken side by side. The
    /// usual numbers of regimes get a body of their own, in which every loop is unrolled.
    #[inline(always)]
    fn batch_within<const ROOM: usize>(
        &mut self,
        observations: &[f64],
        out: &mut Vec<f64>,
        states: usize,
    ) {
        let dimensions = self.model.dimensions();
        let mut densities = [Lanes::all(0.0); ROOM];
        for rows in observations.chunks(LANES * dimensions) {
            let most = self.model.densities(rows, &mut densities[..states]);
            let mut totals = [1.0; LANES];
            let count = rows.len() / dimensions;
            for (at, total) in totals[..count].iter_mut().enumerate() {
                let density: [f64; ROOM] = from_fn(|state| densities[state].0[at]);
                *total = self.take::<ROOM>(&density, states);
                out.extend_from_slice(&self.chances[..states]);
            }
            let logs = totals.map(ln);
            for at in 0..count {
                self.count_likelihood(totals[at], logs[at] + most.0[at]);
            }
        }
    }

    /// One row.
    fn step(&mut self, row: &[f64]) {
        match self.chances.len() {
            2 => self.step_within::<2>(row, 2),
            3 => self.step_within::<3>(row, 3),
            4 => self.step_within::<4>(row, 4),
            states => self.step_within::<STATES_MAX>(row, states),
        }
    }

    #[inline(always)]
    fn step_within<const ROOM: usize>(&mut self, row: &[f64], states: usize) {
        let mut density = [0.0; ROOM];
        let most = self.model.density(row, &mut density[..states]);
        let total = self.take::<ROOM>(&density, states);
        self.count_likelihood(total, ln(total) + most);
    }

    /// New chances from the densities of a row. *Returns*: the sum of the products, in which the
    /// row explains nothing if it is no normal number.
    #[inline(always)]
    fn take<const ROOM: usize>(&mut self, density: &[f64; ROOM], states: usize) -> f64 {
        let mut next = [0.0; ROOM];
        let next = &mut next[..states];
        let now = &mut self.chances[..states];
        if self.n_seen == 0 {
            next.copy_from_slice(now);
        } else {
            self.model.predict(now, next);
        }
        let total = times(next, &density[..states]);
        if total < f64::MIN_POSITIVE {
            // No regime that can be now explains the row: nothing is known any more.
            now.fill(1.0 / states as f64);
        } else {
            let least = CHANCE_LEAST * total;
            let mut sum = 0.0;
            for chance in next.iter_mut() {
                *chance = if *chance > least { *chance } else { least };
                sum += *chance;
            }
            let factor = 1.0 / sum;
            for (own, chance) in now.iter_mut().zip(next.iter()) {
                *own = chance * factor;
            }
        }
        self.n_seen += 1;
        self.switch();
        total
    }

    fn count_likelihood(&mut self, total: f64, log: f64) {
        if total < f64::MIN_POSITIVE {
            self.log_likelihood = f64::NEG_INFINITY;
        } else {
            self.log_likelihood += log;
        }
    }

    fn switch(&mut self) {
        self.lasted += 1;
        let stays = self.regime.is_some_and(|old| {
            self.chances[old] > self.switching.leave || self.lasted <= self.switching.dwell
        });
        if stays {
            return;
        }
        let best = self.most_likely();
        if self.chances[best] >= self.switching.enter && self.regime != Some(best) {
            self.regime = Some(best);
            self.lasted = 0;
        }
    }

    /// The regime with the largest chance, the first of equals.
    #[must_use]
    pub fn most_likely(&self) -> usize {
        let mut best = 0;
        for (state, chance) in self.chances.iter().enumerate() {
            if *chance > self.chances[best] {
                best = state;
            }
        }
        best
    }

    /// The model.
    #[must_use]
    pub fn model(&self) -> &Hmm {
        &self.model
    }

    /// Chances of the regimes given all rows so far.
    #[must_use]
    pub fn chances(&self) -> &[f64] {
        &self.chances
    }

    /// The regime that is acted upon; none until one was believed.
    #[must_use]
    pub fn regime(&self) -> Option<usize> {
        self.regime
    }

    /// Log probability of all rows so far.
    #[must_use]
    pub fn log_likelihood(&self) -> f64 {
        self.log_likelihood
    }

    /// Rows taken.
    #[must_use]
    pub fn n_seen(&self) -> u64 {
        self.n_seen
    }

    /// The complete state as bytes.
    #[must_use]
    pub fn snapshot(&self) -> Vec<u8> {
        seal(NAME, |to| {
            self.parameters().iter().for_each(|word| word.save(to));
            self.chances.iter().for_each(|chance| chance.save(to));
            self.n_seen.save(to);
            self.log_likelihood.save(to);
            self.regime.map_or(NONE, |state| state as u64).save(to);
            self.lasted.save(to);
        })
    }

    /// Take over a snapshot of a filter of the same model. Anything else is refused and the state
    /// stays as it was.
    pub fn restore(&mut self, snapshot: &[u8]) -> Result<()> {
        let mut from = unseal(NAME, snapshot)?;
        for own in self.parameters() {
            from.expect_equal("of the model", own)?;
        }
        let mut next = self.clone();
        let mut regime = NONE;
        next.chances.iter_mut().try_for_each(|chance| chance.load(&mut from))?;
        next.n_seen.load(&mut from)?;
        next.log_likelihood.load(&mut from)?;
        regime.load(&mut from)?;
        next.lasted.load(&mut from)?;
        from.finish()?;
        next.regime = (regime < self.chances.len() as u64).then_some(regime as usize);
        *self = next;
        Ok(())
    }

    /// Everything that must be equal for a snapshot to fit.
    fn parameters(&self) -> Vec<u64> {
        let Switching { enter, leave, dwell } = self.switching;
        let mut words = vec![self.chances.len() as u64, enter.to_bits(), leave.to_bits(), dwell];
        let model = &self.model;
        let numbers = model.start().iter().chain(model.transition()).copied();
        words.extend(numbers.chain(model.emission().numbers()).map(f64::to_bits));
        words
    }
}
