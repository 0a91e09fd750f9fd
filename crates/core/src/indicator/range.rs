// SPDX-License-Identifier: Apache-2.0
//! True range and its averages.

use super::checked_period;
use super::moving::Ema;
use crate::error::Result;

/// Largest of high - low, |high - previous close|, |low - previous close|; first at index 1.
#[derive(Debug, Clone, Default)]
pub struct TrueRange {
    close: Option<f64>,
}

impl TrueRange {
    /// No bar seen yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Take a bar; its true range from the second bar on.
    #[inline]
    pub fn push(&mut self, high: f64, low: f64, close: f64) -> Option<f64> {
        let before = self.close.replace(close)?;
        Some((high - low).max((high - before).abs()).max((low - before).abs()))
    }
}

state!(TrueRange, fixed {}, moving { close });
indicator!(TrueRange [high low close; 3] -> 1, warmup |_it| 2);

/// Average true range by Wilder's smoothing, seeded with the mean of n ranges; first at index n.
#[derive(Debug, Clone)]
pub struct Atr {
    range: TrueRange,
    smooth: Ema,
}

impl Atr {
    /// Smoothing over `period` ranges.
    pub fn new(period: usize) -> Result<Self> {
        checked_period("Atr", period, 1)?;
        Ok(Self { range: TrueRange::new(), smooth: Ema::wilder(period)? })
    }

    /// Take a bar; the average once `period` ranges were seen.
    #[inline]
    pub fn push(&mut self, high: f64, low: f64, close: f64) -> Option<f64> {
        self.smooth.push(self.range.push(high, low, close)?)
    }

    fn first(&self) -> u64 {
        self.smooth.seeded_after() + 1
    }
}

state!(Atr, fixed {}, moving { range, smooth });
indicator!(
    Atr [high low close; 3] -> 1,
    warmup |it| it.first(),
    settled |it| it.first() + it.smooth.forgets_after(1)
);

/// Average true range in percent of the close; first at index n.
#[derive(Debug, Clone)]
pub struct Natr {
    atr: Atr,
}

impl Natr {
    /// Smoothing over `period` ranges.
    pub fn new(period: usize) -> Result<Self> {
        Ok(Self { atr: Atr::new(period)? })
    }

    /// Take a bar; the average in percent of the close, undefined at a close of zero.
    #[inline]
    pub fn push(&mut self, high: f64, low: f64, close: f64) -> Option<f64> {
        let atr = self.atr.push(high, low, close)?;
        (close != 0.0).then(|| atr / close * 100.0)
    }
}

state!(Natr, fixed {}, moving { atr });
indicator!(
    Natr [high low close; 3] -> 1,
    warmup |it| it.atr.first(),
    settled |it| it.atr.first() + it.atr.smooth.forgets_after(1)
);
