// SPDX-License-Identifier: Apache-2.0
//! The open space in which a fit climbs: every point of it is a possible GARCH, so the climb needs
//! no fences. `persistence = most * sigmoid(a)`, its share in the last square `sigmoid(b)`,
//! `omega = exp(c)` or by targeting, `nu = 2.05 + exp(d)` with an end far out; in GJR a sigmoid
//! divides the reaction between gains and losses.

use super::matrix::Matrix;
use super::parameters::{Parameters, Vector, ALPHA, BETA, GAMMA, MU, NU, OMEGA, SIZE};
use super::sample::Sample;
use super::Model;

/// Least degrees of freedom: at 2 the variance is infinite.
const NU_MIN: f64 = 2.05;

/// Degrees of freedom never reach this: beyond, the density is normal to many digits, and those of
/// the likelihood would get lost.
const NU_RANGE: f64 = 1e4;

/// Degrees of freedom of a first guess.
const NU_START: f64 = 8.0;

/// Sigmoids and exponentials farther out than this have reached their ends.
const FAR: f64 = 60.0;

/// A start keeps this distance from the ends of a sigmoid, or it would not get away from there.
const EDGE: f64 = 1e-6;

const PERSISTENCE: usize = 0;
const SHARE: usize = 1;

/// Which coordinate is what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Space {
    most: Option<f64>,
    centre: f64,
    deviation: f64,
    variance: f64,
    omega: Option<usize>,
    skew: Option<usize>,
    mu: Option<usize>,
    nu: Option<usize>,
    /// Number of coordinates.
    pub dimensions: usize,
}

impl Space {
    pub(super) fn new(model: &Model, sample: &Sample) -> Self {
        let mut dimensions = 2;
        let mut place = |is_free: bool| {
            dimensions += usize::from(is_free);
            is_free.then_some(dimensions - 1)
        };
        let omega = place(!model.is_targeted);
        let skew = place(model.is_asymmetric);
        let mu = place(model.has_mean);
        let nu = place(model.is_student);
        Self {
            most: model.persistence_max,
            centre: sample.centre,
            deviation: sample.variance.sqrt(),
            variance: sample.variance,
            omega,
            skew,
            mu,
            nu,
            dimensions,
        }
    }

    /// The parameters at a point and their slopes by its coordinates; `None` too far out.
    pub(super) fn at(&self, point: &Vector) -> Option<(Parameters, Matrix)> {
        if point.iter().take(self.dimensions).any(|value| value.is_nan() || value.abs() > FAR) {
            return None;
        }
        let mut slopes = [[0.0; SIZE]; SIZE];
        let (persistence, rise) = match self.most {
            Some(most) => {
                let level = sigmoid(point[PERSISTENCE]);
                (most * level, most * level * sigmoid(-point[PERSISTENCE]))
            }
            None => (point[PERSISTENCE].exp(), point[PERSISTENCE].exp()),
        };
        let (share, rest) = (sigmoid(point[SHARE]), sigmoid(-point[SHARE]));
        let reaction = persistence * share;
        let mut found = Parameters {
            mu: self.centre,
            omega: self.variance * (1.0 - persistence),
            alpha: reaction,
            gamma: 0.0,
            beta: persistence * rest,
            nu: f64::INFINITY,
        };
        let moved = persistence * share * rest;
        slopes[BETA][PERSISTENCE] = rise * rest;
        slopes[BETA][SHARE] = -moved;
        let gains = self.skew.map_or(0.5, |at| sigmoid(point[at]));
        found.alpha = 2.0 * reaction * gains;
        slopes[ALPHA][PERSISTENCE] = 2.0 * gains * rise * share;
        slopes[ALPHA][SHARE] = 2.0 * gains * moved;
        if let Some(at) = self.skew {
            let bend = gains * sigmoid(-point[at]);
            found.gamma = 2.0 * reaction * (1.0 - 2.0 * gains);
            slopes[ALPHA][at] = 2.0 * reaction * bend;
            slopes[GAMMA][PERSISTENCE] = 2.0 * (1.0 - 2.0 * gains) * rise * share;
            slopes[GAMMA][SHARE] = 2.0 * (1.0 - 2.0 * gains) * moved;
            slopes[GAMMA][at] = -4.0 * reaction * bend;
        }
        match self.omega {
            Some(at) => {
                found.omega = self.variance * point[at].exp();
                slopes[OMEGA][at] = found.omega;
            }
            None => slopes[OMEGA][PERSISTENCE] = -self.variance * rise,
        }
        if let Some(at) = self.mu {
            found.mu = self.centre + self.deviation * point[at];
            slopes[MU][at] = self.deviation;
        }
        if let Some(at) = self.nu {
            let share = sigmoid(point[at] - NU_RANGE.ln());
            found.nu = NU_MIN + NU_RANGE * share;
            slopes[NU][at] = NU_RANGE * share * (1.0 - share);
        }
        Some((found, slopes))
    }

    /// The point of given parameters, moved inside where they lie on an edge.
    pub(super) fn of(&self, parameters: &Parameters) -> Vector {
        let mut point = [0.0; SIZE];
        let reaction = parameters.alpha + 0.5 * parameters.gamma;
        let persistence = parameters.persistence();
        point[PERSISTENCE] = match self.most {
            Some(most) => logit(persistence / most),
            None => persistence.max(EDGE).ln(),
        };
        point[SHARE] = logit(reaction / persistence);
        if let Some(at) = self.omega {
            point[at] = (parameters.omega / self.variance).max(EDGE * EDGE).ln();
        }
        if let Some(at) = self.skew {
            point[at] = logit(0.5 * parameters.alpha / reaction);
        }
        if let Some(at) = self.mu {
            point[at] = (parameters.mu - self.centre) / self.deviation;
        }
        if let Some(at) = self.nu {
            point[at] = logit((parameters.nu - NU_MIN) / NU_RANGE) + NU_RANGE.ln();
        }
        point
    }

    /// A first guess from reaction, memory, and the share of the reaction that is to gains.
    pub(super) fn guess(&self, reaction: f64, beta: f64, gains: f64) -> Vector {
        let omega = self.variance * (1.0 - reaction - beta);
        let (alpha, gamma) = (2.0 * reaction * gains, 2.0 * reaction * (1.0 - 2.0 * gains));
        let (mu, nu) = (self.centre, NU_START);
        self.of(&Parameters { mu, omega, alpha, gamma, beta, nu })
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Inverse of the sigmoid, kept off its ends; a share of nothing counts as one half.
fn logit(share: f64) -> f64 {
    let share = if share.is_nan() { 0.5 } else { share.clamp(EDGE, 1.0 - EDGE) };
    (share / (1.0 - share)).ln()
}
