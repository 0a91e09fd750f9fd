// SPDX-License-Identifier: Apache-2.0
//! Bollinger bands: the rolling mean and a number of population standard deviations around it.

use super::window::WindowMoments;
use super::{checked_period, checked_real};
use crate::error::Result;

/// Upper, middle and lower band; first at index n - 1.
#[derive(Debug, Clone)]
pub struct Bollinger {
    window: WindowMoments,
    width: f64,
}

impl Bollinger {
    /// Mean of `period` values, bands `width` standard deviations away.
    pub fn new(period: usize, width: f64) -> Result<Self> {
        let window = WindowMoments::new(checked_period("Bollinger", period, 1)?);
        Ok(Self { window, width: checked_real("Bollinger", "width", width, 0.0, 1e6)? })
    }

    /// Take a value; `[upper, middle, lower]` once the window is full.
    #[inline(always)]
    pub fn push(&mut self, value: f64) -> Option<[f64; 3]> {
        if !self.window.push(value) {
            return None;
        }
        let (middle, reach) = (self.window.mean(), self.width * self.window.deviation());
        Some([middle + reach, middle, middle - reach])
    }
}

state!(Bollinger, fixed { width }, moving { window });
indicator!(Bollinger [value; 1] -> 3, warmup |it| it.window.period() as u64);
