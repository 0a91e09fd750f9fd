// SPDX-License-Identifier: Apache-2.0
//! A level seen through noise (`N` = 1), or a level with a slope (`N` = 2), both random walks:
//! `y = level + eps`, `level' = level + slope + eta`, `slope' = slope + zeta`. Durbin and Koopman
//! 2012, chapters 2 to 5. A missing observation (NaN) only predicts. Nothing known at the start is
//! handled exactly, as the limit of an infinite variance, not by a large number.

use super::input::{at_row, covariance, observed, parameter, same_length};
use super::matrix::{
    forward, forward_both, identity, inverted, joseph, plus, product, transition, transposed,
    Matrix,
};
use crate::error::{Code, CoreError, Result};
use crate::indicator::state;
use crate::indicator::{Reader, State};

pub use super::smooth::Smoothed;

/// Rounds of doubling until the steady state: each squares what is left of the start.
const DOUBLINGS_MAX: usize = 200;

/// Below this share of the first diffuse variance nothing unknown is left.
const DIFFUSE_REST: f64 = 1e-12;

/// What is believed before the first observation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LevelStart<const N: usize> {
    /// This mean and covariance of the state at the first observation.
    Exact {
        /// Level, and slope.
        mean: [f64; N],
        /// Their covariance.
        covariance: [[f64; N]; N],
    },
    /// Nothing at all.
    Diffuse,
}

/// What one observation said; NaN where nothing is known, or nothing finite.
#[derive(Debug, Clone, Copy)]
pub struct LevelStep<const N: usize> {
    /// State expected before the observation.
    pub predicted: [f64; N],
    /// Its covariance.
    pub predicted_covariance: [[f64; N]; N],
    /// Observation less the expected level.
    pub innovation: f64,
    /// Variance that it was expected to have.
    pub innovation_variance: f64,
    /// State after the observation.
    pub filtered: [f64; N],
    /// Its covariance.
    pub filtered_covariance: [[f64; N]; N],
}

/// Local level (`N` = 1) or local linear trend (`N` = 2).
#[derive(Debug, Clone)]
pub struct Level<const N: usize> {
    irregular: f64,
    steps: [f64; N],
    /// Squared change of the covariance in one step that counts as none; 0: never.
    steady_tolerance: f64,
    steady: Option<Steady<N>>,
    was_missing: bool,
    pub(super) belief: Belief<N>,
    log_likelihood: f64,
    n_seen: u64,
    n_missing: u64,
    last: LevelStep<N>,
}

/// Mean and covariance of the state at the next observation; the covariance is `finite` plus an
/// infinite multiple of `diffuse`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Belief<const N: usize> {
    pub(super) mean: [f64; N],
    pub(super) finite: Matrix<N>,
    pub(super) diffuse: Matrix<N>,
    pub(super) is_diffuse: bool,
}

/// An innovation, the finite and the infinite part of its variance, and what it weighs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Innovation<const N: usize> {
    pub(super) value: f64,
    pub(super) finite: f64,
    pub(super) diffuse: f64,
    pub(super) gain: [f64; N],
}

/// What no longer changes once the covariance has settled.
#[derive(Debug, Clone, Copy)]
struct Steady<const N: usize> {
    gain: [f64; N],
    innovation_variance: f64,
    predicted: Matrix<N>,
    filtered: Matrix<N>,
}

impl<const N: usize> Level<N> {
    const NAME: &'static str = if N == 1 { "LocalLevel" } else { "LocalTrend" };

    /// A filter with the variances of the observation and of the steps of level and slope. With a
    /// `steady_tolerance` above zero the gain stays as it is once a step changes the covariance by
    /// less than that (sum of squares), until an observation is missing (Harvey 1989, 3.3.4).
    pub fn new(
        irregular: f64,
        steps: [f64; N],
        start: LevelStart<N>,
        steady_tolerance: f64,
    ) -> Result<Self> {
        parameter(Self::NAME, "irregular variance", irregular, 0.0, 1e50)?;
        parameter(Self::NAME, "steady_tolerance", steady_tolerance, 0.0, 1e50)?;
        for step in steps {
            parameter(Self::NAME, "step variance", step, 0.0, 1e50)?;
        }
        let belief = match start {
            LevelStart::Exact { mean, covariance: finite } => {
                for value in mean {
                    parameter(Self::NAME, "mean", value, -1e50, 1e50)?;
                }
                covariance(Self::NAME, &finite)?;
                Belief { mean, finite, diffuse: [[0.0; N]; N], is_diffuse: false }
            }
            LevelStart::Diffuse => Belief {
                mean: [0.0; N],
                finite: [[0.0; N]; N],
                diffuse: identity(),
                is_diffuse: true,
            },
        };
        Ok(Self {
            irregular,
            steps,
            steady_tolerance,
            steady: None,
            was_missing: false,
            belief,
            log_likelihood: 0.0,
            n_seen: 0,
            n_missing: 0,
            last: LevelStep::UNKNOWN,
        })
    }

    /// Take one observation, NaN if it is missing.
    #[inline]
    pub fn step(&mut self, y: f64) -> Result<LevelStep<N>> {
        let before = self.belief;
        let (after, seen) = self.advance(y)?;
        let proper = seen.filter(|it| it.diffuse == 0.0);
        self.last = LevelStep {
            predicted: before.known_mean(),
            predicted_covariance: before.known_covariance(),
            innovation: proper.map_or(f64::NAN, |it| it.value),
            innovation_variance: proper.map_or(f64::NAN, |it| it.finite),
            filtered: after.known_mean(),
            filtered_covariance: after.known_covariance(),
        };
        Ok(self.last)
    }

    /// The belief after an observation, and its innovation; then on to the next one.
    #[inline]
    pub(super) fn advance(&mut self, y: f64) -> Result<(Belief<N>, Option<Innovation<N>>)> {
        observed(Self::NAME, "y", y)?;
        let before = self.belief;
        let (after, seen) = match self.steady {
            Some(steady) if !y.is_nan() => before.follow(y, &steady),
            _ => before.observe(y, self.irregular),
        };
        if let Some(Innovation { value, finite, diffuse, .. }) = seen {
            if diffuse == 0.0 && !(finite > 0.0 && finite.is_finite()) {
                let message = format!("{}: y {y} has no variance; state unchanged", Self::NAME);
                return Err(CoreError::new(Code::NumberOutOfRange, message));
            }
            // An observation spent on the unknown start says how far, not how likely.
            self.log_likelihood += match diffuse > 0.0 {
                true => -0.5 * diffuse.ln(),
                false => log_density(finite, value * value / finite),
            };
        } else {
            self.n_missing += 1;
        }
        self.n_seen += 1;
        self.belief = self.predicted(after);
        if self.steady_tolerance > 0.0 {
            self.watch(&before, &after, seen);
        }
        self.was_missing = seen.is_none();
        Ok((after, seen))
    }

    /// Keep the gain from here on if the covariance has settled.
    fn watch(&mut self, before: &Belief<N>, after: &Belief<N>, seen: Option<Innovation<N>>) {
        let Some(seen) = seen else {
            self.steady = None;
            return;
        };
        if let Some(steady) = &self.steady {
            self.belief.finite = steady.predicted;
            return;
        }
        let pairs = self.belief.finite.iter().flatten().zip(before.finite.iter().flatten());
        let change: f64 = pairs.map(|(now, then)| (now - then) * (now - then)).sum();
        if !self.was_missing && !before.is_diffuse && change < self.steady_tolerance {
            self.steady = Some(Steady {
                gain: seen.gain,
                innovation_variance: seen.finite,
                predicted: before.finite,
                filtered: after.finite,
            });
        }
    }

    /// One step into the future: the slope carries the level, both gain variance.
    #[inline]
    pub(super) fn predicted(&self, mut belief: Belief<N>) -> Belief<N> {
        forward(&mut belief.mean);
        forward_both(&mut belief.finite);
        if belief.is_diffuse {
            forward_both(&mut belief.diffuse);
        }
        for (i, step) in self.steps.iter().enumerate() {
            belief.finite[i][i] += step;
        }
        belief
    }

    /// Feed a column, oldest first; `each` gets every row's index and step. A bad row is named and
    /// changes nothing.
    pub fn batch(&mut self, ys: &[f64], mut each: impl FnMut(usize, LevelStep<N>)) -> Result<()> {
        let mut next = self.clone();
        for (at, y) in ys.iter().enumerate() {
            each(at, next.step(*y).map_err(|error| at_row(error, at))?);
        }
        *self = next;
        Ok(())
    }

    /// Mean and variance of the next observations, one, two, … steps ahead, into columns of one
    /// length; NaN while the start is unknown.
    pub fn forecast(&self, mean: &mut [f64], variance: &mut [f64]) -> Result<()> {
        same_length(Self::NAME, mean.len(), &[variance.len()])?;
        let mut belief = self.belief;
        for (mean, variance) in mean.iter_mut().zip(variance) {
            *mean = belief.known_mean()[0];
            *variance = belief.known_covariance()[0][0] + self.irregular;
            belief = self.predicted(belief);
        }
        Ok(())
    }

    /// The covariance that the prediction converges to: the Riccati equation, solved by doubling
    /// (Anderson 1978), which squares what is left of the start in every round.
    #[must_use]
    pub fn steady_covariance(&self) -> [[f64; N]; N] {
        let mut h = [[0.0; N]; N];
        for (i, step) in self.steps.iter().enumerate() {
            h[i][i] = *step;
        }
        let largest = self.steps.iter().fold(0.0_f64, |most, step| most.max(*step));
        // An observation without noise is taken as one with next to none, which can be divided by.
        let noise = self.irregular.max(largest * f64::EPSILON);
        if largest == 0.0 {
            return h;
        }
        let mut a = transposed(&transition::<N>());
        let mut g = [[0.0; N]; N];
        g[0][0] = 1.0 / noise;
        for _ in 0..DOUBLINGS_MAX {
            let Some(inverse) = inverted(&plus(&identity(), &product(&g, &h))) else { break };
            let left = product(&a, &inverse);
            let gain = product(&product(&transposed(&a), &product(&h, &inverse)), &a);
            g = plus(&g, &product(&product(&left, &g), &transposed(&a)));
            a = product(&left, &a);
            h = plus(&h, &gain);
            let is_small = |i: usize| gain[i][i].abs() <= f64::EPSILON * h[i][i].abs();
            if (0..N).all(is_small) {
                break;
            }
        }
        h
    }

    /// The last step.
    #[must_use]
    pub fn last(&self) -> &LevelStep<N> {
        &self.last
    }

    /// Sum of the log densities of all innovations with a finite variance; an observation spent on
    /// an unknown start adds -ln(its diffuse variance)/2.
    #[must_use]
    pub fn log_likelihood(&self) -> f64 {
        self.log_likelihood
    }

    /// Observations so far, missing ones included.
    #[must_use]
    pub fn n_seen(&self) -> u64 {
        self.n_seen
    }

    /// Missing observations so far.
    #[must_use]
    pub fn n_missing(&self) -> u64 {
        self.n_missing
    }

    /// Whether the whole state has a finite variance.
    #[must_use]
    pub fn ready(&self) -> bool {
        self.n_seen > 0 && !self.belief.is_diffuse
    }

    /// The complete state as bytes; `restore` brings it back bit for bit.
    #[must_use]
    pub fn snapshot(&self) -> Vec<u8> {
        state::seal(Self::NAME, |to| self.save(to))
    }

    /// Take over a snapshot of a filter with the same variances. Anything else is refused and the
    /// state stays as it was.
    pub fn restore(&mut self, snapshot: &[u8]) -> Result<()> {
        let mut next = self.clone();
        let mut from = state::unseal(Self::NAME, snapshot)?;
        next.load(&mut from)?;
        from.finish()?;
        *self = next;
        Ok(())
    }
}

impl<const N: usize> Belief<N> {
    /// Learn from one observation of the level.
    #[inline]
    fn observe(mut self, y: f64, irregular: f64) -> (Self, Option<Innovation<N>>) {
        if y.is_nan() {
            return (self, None);
        }
        let diffuse = self.diffuse[0][0];
        let finite = self.finite[0][0] + irregular;
        // The limit of an infinite variance: Durbin and Koopman 2012, section 5.2.
        let gain = match diffuse > 0.0 {
            true => self.diffuse.map(|row| row[0] / diffuse),
            false => self.finite.map(|row| row[0] / finite),
        };
        let seen = Innovation { value: y - self.mean[0], finite, diffuse, gain };
        self.move_by(seen.value, &gain);
        // Joseph's form holds for any gain, that of the limit too.
        self.finite = joseph(&self.finite, &gain, irregular);
        if diffuse > 0.0 {
            self.know_level(&gain);
        }
        (self, Some(seen))
    }

    /// Learn with variances that have settled. The covariance is still its own one in the first
    /// such row, and weighs the innovation; the gain that smoothing sees has settled with the rest.
    #[inline]
    fn follow(mut self, y: f64, steady: &Steady<N>) -> (Self, Option<Innovation<N>>) {
        let (finite, value) = (steady.innovation_variance, y - self.mean[0]);
        self.move_by(value, &self.finite.map(|row| row[0] / finite));
        self.finite = steady.filtered;
        (self, Some(Innovation { value, finite, diffuse: 0.0, gain: steady.gain }))
    }

    fn move_by(&mut self, innovation: f64, gain: &[f64; N]) {
        for (mean, gain) in self.mean.iter_mut().zip(gain) {
            *mean += gain * innovation;
        }
    }

    /// The diffuse part after the level was seen.
    #[cold]
    fn know_level(&mut self, gain: &[f64; N]) {
        self.diffuse = joseph(&self.diffuse, gain, 0.0);
        // What was seen is known now; rounding leaves a rest.
        for k in 0..N {
            self.diffuse[0][k] = 0.0;
            self.diffuse[k][0] = 0.0;
        }
        self.is_diffuse = (1..N).any(|i| self.diffuse[i][i] > DIFFUSE_REST);
        if !self.is_diffuse {
            self.diffuse = [[0.0; N]; N];
        }
    }

    fn known_mean(&self) -> [f64; N] {
        std::array::from_fn(|i| if self.diffuse[i][i] > 0.0 { f64::NAN } else { self.mean[i] })
    }

    fn known_covariance(&self) -> Matrix<N> {
        let is_known = |i: usize, j: usize| self.diffuse[i][i] == 0.0 && self.diffuse[j][j] == 0.0;
        std::array::from_fn(|i| {
            std::array::from_fn(|j| if is_known(i, j) { self.finite[i][j] } else { f64::NAN })
        })
    }
}

/// Log density of an innovation with this variance and squared z-score.
#[inline]
fn log_density(variance: f64, nis: f64) -> f64 {
    -0.5 * ((2.0 * std::f64::consts::PI).ln() + variance.ln() + nis)
}

impl<const N: usize> LevelStep<N> {
    const UNKNOWN: Self = Self {
        predicted: [f64::NAN; N],
        predicted_covariance: [[f64::NAN; N]; N],
        innovation: f64::NAN,
        innovation_variance: f64::NAN,
        filtered: [f64::NAN; N],
        filtered_covariance: [[f64::NAN; N]; N],
    };
}

impl<const N: usize> State for LevelStep<N> {
    fn save(&self, to: &mut Vec<u8>) {
        self.predicted.save(to);
        self.predicted_covariance.iter().for_each(|row| row.save(to));
        [self.innovation, self.innovation_variance].save(to);
        self.filtered.save(to);
        self.filtered_covariance.iter().for_each(|row| row.save(to));
    }

    fn load(&mut self, from: &mut Reader<'_>) -> Result<()> {
        self.predicted.load(from)?;
        self.predicted_covariance.iter_mut().try_for_each(|row| row.load(from))?;
        self.innovation.load(from)?;
        self.innovation_variance.load(from)?;
        self.filtered.load(from)?;
        self.filtered_covariance.iter_mut().try_for_each(|row| row.load(from))
    }
}

impl<const N: usize> State for Level<N> {
    fn save(&self, to: &mut Vec<u8>) {
        self.irregular.save(to);
        self.steps.save(to);
        self.steady_tolerance.save(to);
        self.belief.mean.save(to);
        self.belief.finite.iter().chain(&self.belief.diffuse).for_each(|row| row.save(to));
        self.belief.is_diffuse.save(to);
        self.steady.is_some().save(to);
        if let Some(steady) = &self.steady {
            steady.gain.save(to);
            steady.innovation_variance.save(to);
            let rows = steady.predicted.iter().chain(&steady.filtered);
            rows.for_each(|row| row.save(to));
        }
        self.was_missing.save(to);
        self.log_likelihood.save(to);
        [self.n_seen, self.n_missing].iter().for_each(|count| count.save(to));
        self.last.save(to);
    }

    fn load(&mut self, from: &mut Reader<'_>) -> Result<()> {
        from.expect_equal("irregular variance", self.irregular.to_bits())?;
        for step in self.steps {
            from.expect_equal("step variance", step.to_bits())?;
        }
        from.expect_equal("steady_tolerance", self.steady_tolerance.to_bits())?;
        let belief = &mut self.belief;
        belief.mean.load(from)?;
        let mut rows = belief.finite.iter_mut().chain(&mut belief.diffuse);
        rows.try_for_each(|row| row.load(from))?;
        belief.is_diffuse.load(from)?;
        let mut is_steady = false;
        is_steady.load(from)?;
        self.steady = None;
        if is_steady {
            let (gain, zero) = ([0.0; N], [[0.0; N]; N]);
            let mut steady =
                Steady { gain, innovation_variance: 0.0, predicted: zero, filtered: zero };
            steady.gain.load(from)?;
            steady.innovation_variance.load(from)?;
            let mut rows = steady.predicted.iter_mut().chain(&mut steady.filtered);
            rows.try_for_each(|row| row.load(from))?;
            self.steady = Some(steady);
        }
        self.was_missing.load(from)?;
        self.log_likelihood.load(from)?;
        self.n_seen.load(from)?;
        self.n_missing.load(from)?;
        self.last.load(from)
    }
}
