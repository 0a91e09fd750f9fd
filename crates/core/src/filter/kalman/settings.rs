// SPDX-License-Identifier: Apache-2.0
//! What is fixed about a hedge-ratio filter: noises, the belief before the first row, the options.

use super::NAME;
use crate::error::Result;
use crate::filter::input::{covariance, parameter};
use crate::indicator::state::{checksum, Fixed};
use crate::indicator::State;

/// Variances of the noises: steps of beta and alpha per nominal bar, and of the observation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HedgeNoise {
    /// Variance that beta gains each bar.
    pub beta: f64,
    /// Variance that alpha gains each bar.
    pub alpha: f64,
    /// Variance of the observation.
    pub observation: f64,
}

/// What is believed before the first row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum HedgeStart {
    /// This state `[beta, alpha]` (alpha at x = 0) with this covariance.
    Exact {
        /// Beta and alpha.
        state: [f64; 2],
        /// Their covariance.
        covariance: [[f64; 2]; 2],
        /// Whether the first row is already a bar later and adds process noise.
        first_noise: bool,
    },
    /// Nothing: state zero with variance 1e7 times `scale`.
    Diffuse {
        /// Variance of one unit of what y and x are measured in.
        scale: f64,
    },
    /// Least squares over so many complete rows, which give no z-scores.
    LeastSquares {
        /// Number of rows, at least 3.
        rows: u64,
    },
}

/// Everything that is fixed about a filter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HedgeSettings {
    /// Variances of the noises.
    pub noise: HedgeNoise,
    /// Belief before the first row.
    pub start: HedgeStart,
    /// Whether x is measured from where it stood at the start. Without this a design of `[log
    /// price, 1]` is nearly collinear, and beta and alpha trade against each other.
    pub is_centred: bool,
    /// Squared z-score beyond which a row is not learned from; infinite for none.
    pub gate: f64,
    /// Weight of the newest row in the adaptive observation noise, 0 for a fixed one.
    pub adaptation: f64,
}

impl HedgeSettings {
    pub(super) fn check(&self) -> Result<()> {
        let HedgeNoise { beta, alpha, observation } = self.noise;
        parameter(NAME, "q_beta", beta, 0.0, 1e50)?;
        parameter(NAME, "q_alpha", alpha, 0.0, 1e50)?;
        parameter(NAME, "observation noise", observation, 1e-50, 1e50)?;
        parameter(NAME, "gate", self.gate, f64::MIN_POSITIVE, f64::INFINITY)?;
        parameter(NAME, "adaptation", self.adaptation, 0.0, 0.5)?;
        match self.start {
            HedgeStart::Exact { state, covariance: matrix, .. } => {
                for value in state {
                    parameter(NAME, "state", value, -1e50, 1e50)?;
                }
                covariance(NAME, &matrix)
            }
            HedgeStart::Diffuse { scale } => parameter(NAME, "scale", scale, 1e-50, 1e50).map(drop),
            HedgeStart::LeastSquares { rows } => {
                parameter(NAME, "window", rows as f64, 3.0, (1_u64 << 40) as f64).map(drop)
            }
        }
    }
}

/// In a snapshot the settings are one word, enough to notice that others are in place.
impl Fixed for HedgeSettings {
    fn word(&self) -> u64 {
        let mut start = [0.0; 7];
        match self.start {
            HedgeStart::Exact { state: [b, a], covariance: [[p, q], [_, r]], first_noise } => {
                start = [1.0, b, a, p, q, r, f64::from(u8::from(first_noise))];
            }
            HedgeStart::Diffuse { scale } => start[..2].copy_from_slice(&[2.0, scale]),
            HedgeStart::LeastSquares { rows } => start[..2].copy_from_slice(&[3.0, rows as f64]),
        }
        let HedgeNoise { beta, alpha, observation } = self.noise;
        let centred = f64::from(u8::from(self.is_centred));
        let mut bytes = Vec::new();
        [beta, alpha, observation, self.gate, self.adaptation, centred].save(&mut bytes);
        start.save(&mut bytes);
        checksum(&bytes)
    }
}
