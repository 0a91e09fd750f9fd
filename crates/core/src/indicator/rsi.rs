// SPDX-License-Identifier: Apache-2.0
//! Momentum of one price: Wilder's relative strength, plain difference, rate of change.

use super::checked_period;
use super::moving::Ema;
use super::window::Ring;
use crate::error::Result;

/// Wilder's relative strength index, 0 to 100; first at index n.
///
/// Seed: simple mean of the first n gains and losses. A market that has not moved since the start
/// has no RSI (`None`); without losses it is 100.
#[derive(Debug, Clone)]
pub struct Rsi {
    pub(super) last: Option<f64>,
    pub(super) gain: Ema,
    pub(super) loss: Ema,
}

impl Rsi {
    /// Smoothing over `period` changes.
    pub fn new(period: usize) -> Result<Self> {
        checked_period("Rsi", period, 1)?;
        Ok(Self { last: None, gain: Ema::wilder(period)?, loss: Ema::wilder(period)? })
    }

    /// Take a value; the index once `period` changes were seen.
    #[inline(always)]
    pub fn push(&mut self, value: f64) -> Option<f64> {
        let (gain, loss) = Self::parts(value - self.last.replace(value)?);
        let (gain, loss) = (self.gain.push(gain), self.loss.push(loss));
        Some(Self::index(gain?, loss?)).filter(|index| !index.is_nan())
    }

    /// Gain and loss of a change.
    #[inline(always)]
    pub(super) fn parts(change: f64) -> (f64, f64) {
        (if change > 0.0 { change } else { 0.0 }, if change < 0.0 { -change } else { 0.0 })
    }

    /// The index at these averages; NaN where nothing has moved.
    #[inline(always)]
    pub(super) fn index(gain: f64, loss: f64) -> f64 {
        let both = gain + loss;
        let index = 100.0 * (gain / both);
        if both > 0.0 {
            index
        } else {
            f64::NAN
        }
    }
}

state!(Rsi, fixed {}, moving { last, gain, loss });
indicator!(
    Rsi [value; 1] -> 1,
    warmup |it| it.gain.seeded_after() + 1,
    settled |it| it.gain.seeded_after() + 1 + it.gain.forgets_after(1)
);

/// Difference to the value n steps ago; first at index n.
#[derive(Debug, Clone)]
pub struct Momentum {
    window: Ring,
}

impl Momentum {
    /// Look back `period` steps.
    pub fn new(period: usize) -> Result<Self> {
        Ok(Self { window: Ring::new(checked_period("Momentum", period, 1)?) })
    }

    /// Take a value; its difference to the one `period` steps before.
    #[inline]
    pub fn push(&mut self, value: f64) -> Option<f64> {
        self.window.push(value).map(|before| value - before)
    }
}

state!(Momentum, fixed {}, moving { window });
indicator!(Momentum [value; 1] -> 1, warmup |it| it.window.capacity() as u64 + 1);

/// Change against the value n steps ago in percent; first at index n.
#[derive(Debug, Clone)]
pub struct Roc {
    window: Ring,
}

impl Roc {
    /// Look back `period` steps.
    pub fn new(period: usize) -> Result<Self> {
        Ok(Self { window: Ring::new(checked_period("Roc", period, 1)?) })
    }

    /// Take a value; its change in percent, undefined against zero.
    #[inline]
    pub fn push(&mut self, value: f64) -> Option<f64> {
        let before = self.window.push(value).filter(|before| *before != 0.0)?;
        Some((value / before - 1.0) * 100.0)
    }
}

state!(Roc, fixed {}, moving { window });
indicator!(Roc [value; 1] -> 1, warmup |it| it.window.capacity() as u64 + 1);
