// SPDX-License-Identifier: Apache-2.0
//! A fit from several starts, the best of which counts; all at once or in pieces.

use std::collections::VecDeque;

use super::likelihood::{evaluate, outer_products};
use super::matrix::{self, Matrix};
use super::parameters::{Parameters, Vector, SIZE};
use super::sample::Sample;
use super::search::{Look, Progress, Search};
use super::space::Space;
use super::{Model, RETURNS_MIN};
use crate::error::{Code, CoreError, Result};

/// Where a fit begins when nothing is known: reaction and memory.
const STARTS: [(f64, f64); 3] = [(0.05, 0.90), (0.10, 0.85), (0.02, 0.97)];

/// Markets that forget soon, far from the starts above. The climb from the highest of these finds
/// the summit where a few outliers made a second one.
const FORGETFUL: [(f64, f64); 4] = [(0.05, 0.45), (0.20, 0.50), (0.02, 0.60), (0.40, 0.20)];

/// Share of the reaction that is to gains: even, and in GJR also one-sided.
const TILTS: [f64; 3] = [0.5, 0.1, 0.9];

/// What a fit found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fit {
    /// The best parameters, in the unit of the returns.
    pub parameters: Parameters,
    /// Log likelihood there.
    pub log_likelihood: f64,
    /// Whether a climb ended at a summit, not at its limit of steps.
    pub is_converged: bool,
    /// Variance that stood before the first return.
    pub start_variance: f64,
    /// Number of returns.
    pub observations: usize,
    /// How often the likelihood was evaluated.
    pub evaluations: usize,
}

/// A fit under way. `advance` until it says so, then read `fit`.
#[derive(Debug, Clone)]
pub struct Fitting {
    model: Model,
    sample: Sample,
    space: Space,
    warm: bool,
    /// Whether the forgetful starts have been looked at.
    is_wide: bool,
    starts: VecDeque<Vector>,
    search: Option<Search>,
    best: Option<(bool, f64, Vector)>,
    evaluations: usize,
}

impl Fitting {
    /// Prepare a fit. From a `start`, the other starts are used only if that one leads nowhere.
    pub fn new(model: Model, returns: &[f64], start: Option<&Parameters>) -> Result<Self> {
        model.check()?;
        if returns.len() < RETURNS_MIN {
            let message = format!("GARCH: {} returns; at least {RETURNS_MIN}", returns.len());
            return Err(CoreError::new(Code::DataInvalid, message));
        }
        if let Some(start) = start {
            model.check_parameters(start)?;
        }
        Ok(Self::of(model, Sample::new(returns, model.has_mean)?, start))
    }

    pub(super) fn of(model: Model, sample: Sample, start: Option<&Parameters>) -> Self {
        let space = Space::new(&model, &sample);
        let guesses = STARTS.map(|(alpha, beta)| space.guess(alpha, beta, TILTS[0]));
        let warm = start.map(|start| space.of(&start.scaled(1.0 / sample.unit)));
        Self {
            model,
            space,
            warm: warm.is_some(),
            is_wide: false,
            starts: warm.into_iter().chain(guesses).collect(),
            sample,
            search: None,
            best: None,
            evaluations: 0,
        }
    }

    pub(super) fn sample(&self) -> &Sample {
        &self.sample
    }

    /// Work for about so many evaluations of the likelihood; whether the fit is done.
    pub fn advance(&mut self, evaluations: usize) -> bool {
        let until = self.evaluations.saturating_add(evaluations);
        while self.evaluations < until {
            let Some(search) = self.search.as_mut() else {
                match self.next_start() {
                    Some(start) => self.begin(start),
                    None => return true,
                }
                continue;
            };
            let (model, sample, space) = (&self.model, &self.sample, &self.space);
            self.evaluations += search.step(|point| look(model, sample, space, point));
            if search.progress != Progress::Climbing {
                self.finish();
            }
        }
        self.search.is_none() && self.starts.is_empty() && self.is_wide
    }

    /// Run to the end.
    #[must_use]
    pub fn run(mut self) -> Fit {
        while !self.advance(usize::MAX) {}
        self.fit()
    }

    /// Where to climb from next: what is planned, then the highest of the forgetful starts.
    fn next_start(&mut self) -> Option<Vector> {
        if let Some(start) = self.starts.pop_front() {
            return Some(start);
        }
        if std::mem::replace(&mut self.is_wide, true) {
            return None;
        }
        let tilts = if self.model.is_asymmetric { &TILTS[..] } else { &TILTS[..1] };
        self.evaluations += tilts.len() * FORGETFUL.len();
        let guess =
            |tilt: &f64| FORGETFUL.map(|(alpha, beta)| self.space.guess(alpha, beta, *tilt));
        let looked = tilts.iter().flat_map(guess).map(|point| {
            let found = look(&self.model, &self.sample, &self.space, &point);
            (found.map_or(f64::NAN, |found| found.0), point)
        });
        looked.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, point)| point)
    }

    fn begin(&mut self, start: Vector) {
        let n = self.space.dimensions;
        let found = look(&self.model, &self.sample, &self.space, &start);
        let curvature = self.curvature(&start).and_then(|sum| matrix::inverse(&sum, n));
        self.evaluations += 2;
        self.search = Some(Search::new(n, start, found, curvature));
    }

    /// Outer products of the slopes: the curvature as it would be at a summit.
    fn curvature(&self, point: &Vector) -> Option<Matrix> {
        let (at, slopes) = self.space.at(point)?;
        let n = self.space.dimensions;
        Some(outer_products(&self.model, &self.sample, &at, |slope| turned(slope, &slopes, n)))
    }

    fn finish(&mut self) {
        let Some(search) = self.search.take() else { return };
        let is_converged = search.progress == Progress::Converged;
        let is_better = self
            .best
            .is_none_or(|(known, value, _)| (is_converged, -search.value) > (known, -value));
        if is_better {
            self.best = Some((is_converged, search.value, search.point));
        }
        if std::mem::take(&mut self.warm) && is_converged {
            self.starts.clear();
            self.is_wide = true;
        }
    }

    /// The best so far.
    #[must_use]
    pub fn fit(&self) -> Fit {
        let unit = self.sample.unit;
        let (is_converged, value, point) = self.best.unwrap_or((
            false,
            f64::INFINITY,
            self.space.guess(STARTS[0].0, STARTS[0].1, TILTS[0]),
        ));
        let found = self.space.at(&point).map(|(parameters, _)| parameters);
        let parameters = found.unwrap_or(Parameters::of_vector([f64::NAN; SIZE]));
        let (start, _) = self.sample.start(self.model.presample, parameters.mu);
        Fit {
            parameters: parameters.scaled(unit),
            log_likelihood: self.sample.unit_term() - value,
            is_converged,
            start_variance: start * unit * unit,
            observations: self.sample.returns.len(),
            evaluations: self.evaluations,
        }
    }
}

/// Negative log likelihood and its slope in the space of the climb.
fn look(model: &Model, sample: &Sample, space: &Space, point: &Vector) -> Look {
    let (at, slopes) = space.at(point)?;
    let found = evaluate(model, sample, &at);
    let slope = turned(&found.slope, &slopes, space.dimensions).map(|part| -part);
    Some((-found.value, slope))
}

/// A slope by parameters as one by coordinates.
fn turned(slope: &Vector, slopes: &Matrix, n: usize) -> Vector {
    let mut result = [0.0; SIZE];
    for (part, row) in slope.iter().zip(slopes) {
        for (to, by) in result.iter_mut().zip(row).take(n) {
            *to += part * by;
        }
    }
    result
}
