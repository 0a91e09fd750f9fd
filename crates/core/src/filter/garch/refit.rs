// SPDX-License-Identifier: Apache-2.0
//! A refit with its examination, in pieces: fit what came before the last 500 returns, fit all,
//! judge. A caller with something better to do advances it by some tens of evaluations at a time.

use super::check::{against, loses, Reason, HELD_OUT, TRUSTED_MIN};
use super::fit::{Fit, Fitting};
use super::parameters::Parameters;
use super::Model;
use crate::error::{Code, CoreError, Result};

/// A fit, and what speaks against it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// Fit of all returns.
    pub fit: Fit,
    /// Why it is not to be used, if so.
    pub reason: Option<Reason>,
}

/// A refit under way.
#[derive(Debug, Clone)]
pub struct Refit {
    model: Model,
    realized: Option<Vec<f64>>,
    held: usize,
    early: Option<Fitting>,
    full: Fitting,
    outcome: Option<Outcome>,
}

impl Refit {
    /// Prepare. `start`: parameters of the time before. `realized`: realised variance of each
    /// return, by which forecasts are compared; without it, their squares.
    pub fn new(
        model: Model,
        returns: &[f64],
        start: Option<&Parameters>,
        realized: Option<&[f64]>,
    ) -> Result<Self> {
        let full = Fitting::new(model, returns, start)?;
        if realized.is_some_and(|column| {
            column.len() != returns.len() || !column.iter().all(|v| *v >= 0.0 && v.is_finite())
        }) {
            let message = "GARCH: realized variance; one number from 0 for each return is due";
            return Err(CoreError::new(Code::DataInvalid, message));
        }
        // What is held out must leave enough to fit.
        let held = HELD_OUT.min(returns.len().saturating_sub(TRUSTED_MIN));
        let early = if held > 1 {
            let head = full.sample().head(returns.len() - held, &model)?;
            Some(Fitting::of(model, head, start))
        } else {
            None
        };
        let realized = realized.map(<[f64]>::to_vec);
        Ok(Self { model, realized, held, early, full, outcome: None })
    }

    /// Work for about so many evaluations; whether it is done. Judging is one piece of its own, of
    /// about a dozen evaluations.
    pub fn advance(&mut self, evaluations: usize) -> bool {
        if self.outcome.is_some() {
            return true;
        }
        let is_early_done = self.early.as_mut().is_none_or(|early| early.advance(evaluations));
        if is_early_done && self.full.advance(0) {
            self.outcome = Some(self.judged());
        } else if is_early_done {
            self.full.advance(evaluations);
        }
        self.outcome.is_some()
    }

    /// Run to the end.
    #[must_use]
    pub fn run(mut self) -> Outcome {
        while !self.advance(usize::MAX) {}
        self.judged()
    }

    /// What came out, once it is done.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        self.outcome
    }

    fn judged(&self) -> Outcome {
        if let Some(outcome) = self.outcome {
            return outcome;
        }
        let fit = self.full.fit();
        let sample = self.full.sample();
        let worse = || {
            let early = self.early.as_ref()?.fit();
            if !early.is_converged {
                return None;
            }
            loses(&self.model, sample, &early, self.held, self.realized.as_deref())
        };
        let reason = against(&self.model, sample, &fit).or_else(worse);
        Outcome { fit, reason }
    }
}
