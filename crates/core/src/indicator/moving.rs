// SPDX-License-Identifier: Apache-2.0
//! Moving averages: simple, weighted, exponential and their relatives. Exponential ones are seeded
//! with the mean of the first n values, so the first output stands at index n - 1.

use super::window::{Ring, RollingSum, Sum, WeightedWindow, WindowMoments};
use super::{checked_period, forgetting};
use crate::error::Result;

/// Simple moving average (rolling mean); first at index n - 1.
#[derive(Debug, Clone)]
pub struct Sma {
    window: WindowMoments,
}

impl Sma {
    /// Mean of the last `period` values.
    pub fn new(period: usize) -> Result<Self> {
        Ok(Self { window: WindowMoments::new(checked_period("Sma", period, 1)?) })
    }

    /// Take a value; the mean once the window is full.
    #[inline]
    pub fn push(&mut self, value: f64) -> Option<f64> {
        self.window.push(value).then(|| self.window.mean())
    }
}

state!(Sma, fixed {}, moving { window });
indicator!(Sma [value; 1] -> 1, warmup |it| it.window.period() as u64);

/// Weighted moving average with weights 1 (oldest) to n (newest); first at index n - 1.
#[derive(Debug, Clone)]
pub struct Wma {
    window: WeightedWindow,
    weights: f64,
}

impl Wma {
    /// Weighted mean of the last `period` values.
    pub fn new(period: usize) -> Result<Self> {
        let n = checked_period("Wma", period, 1)? as f64;
        Ok(Self { window: WeightedWindow::new(period), weights: n * (n + 1.0) / 2.0 })
    }

    /// Take a value; the weighted mean once the window is full.
    #[inline]
    pub fn push(&mut self, value: f64) -> Option<f64> {
        self.window.push(value).map(|(_, weighted)| weighted / self.weights)
    }
}

state!(Wma, fixed {}, moving { window });
indicator!(Wma [value; 1] -> 1, warmup |it| it.window.period() as u64);

/// Exponential moving average, seeded with the mean of the first n values at index n - 1.
#[derive(Debug, Clone)]
pub struct Ema {
    period: u64,
    alpha: f64,
    seen: u64,
    seed: Sum,
    value: f64,
}

impl Ema {
    /// Weight 2 / (period + 1) for the newest value.
    pub fn new(period: usize) -> Result<Self> {
        let period = checked_period("Ema", period, 1)?;
        Ok(Self::with_alpha(period, 2.0 / (period as f64 + 1.0)))
    }

    /// Wilder's smoothing: weight 1 / period for the newest value.
    pub fn wilder(period: usize) -> Result<Self> {
        let period = checked_period("Ema", period, 1)?;
        Ok(Self::with_alpha(period, 1.0 / period as f64))
    }

    fn with_alpha(period: usize, alpha: f64) -> Self {
        Self { period: period as u64, alpha, seen: 0, seed: Sum::default(), value: 0.0 }
    }

    /// Take a value; the average once the seed is complete.
    #[inline(always)]
    pub fn push(&mut self, value: f64) -> Option<f64> {
        if self.seen < self.period {
            return self.fill(value);
        }
        self.value += self.alpha * (value - self.value);
        Some(self.value)
    }

    /// The average as it stands, once the seed is complete.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        (self.seen >= self.period).then_some(self.value)
    }

    /// Weight of the newest value.
    pub(super) const fn alpha(&self) -> f64 {
        self.alpha
    }

    /// Stand at `value`, as after pushes that led there; the seed must be complete.
    pub(super) fn go_on_from(&mut self, value: f64) {
        self.value = value;
    }

    /// Pushes until `stages` such averages in a row have forgotten their seeds.
    pub(super) fn forgets_after(&self, stages: usize) -> u64 {
        forgetting(self.alpha, stages)
    }

    /// Pushes until the seed is complete.
    pub(super) fn seeded_after(&self) -> u64 {
        self.period
    }

    #[cold]
    fn fill(&mut self, value: f64) -> Option<f64> {
        self.seen += 1;
        self.seed.add(value);
        self.value = self.seed.value() / self.period as f64;
        self.value()
    }
}

state!(Ema, fixed { period, alpha }, moving { seen, seed, value });
indicator!(
    Ema [value; 1] -> 1,
    warmup |it| it.period,
    settled |it| it.period + it.forgets_after(1)
);

/// Exponential moving average that starts at the first value, so that it is defined from the
/// first row on; `Ema` waits for the mean of n.
#[derive(Debug, Clone)]
pub struct Ewm {
    alpha: f64,
    value: Option<f64>,
}

impl Ewm {
    /// Weight 2 / (period + 1) for the newest value.
    pub fn new(period: usize) -> Result<Self> {
        let period = checked_period("Ewm", period, 1)?;
        Ok(Self { alpha: 2.0 / (period as f64 + 1.0), value: None })
    }

    /// Take a value; the average.
    #[inline(always)]
    pub fn push(&mut self, value: f64) -> Option<f64> {
        self.value = Some(match self.value {
            Some(before) => self.alpha * value + (1.0 - self.alpha) * before,
            None => value,
        });
        self.value
    }
}

state!(Ewm, fixed { alpha }, moving { value });
indicator!(Ewm [value; 1] -> 1, warmup |_it| 1, settled |it| 1 + forgetting(it.alpha, 1));

/// Exponential averages one after the other; each starts when the one before has a value.
#[derive(Debug, Clone)]
struct Cascade<const STAGES: usize> {
    stages: [Ema; STAGES],
}

impl<const STAGES: usize> Cascade<STAGES> {
    fn new(indicator: &str, period: usize) -> Result<Self> {
        checked_period(indicator, period, 1)?;
        let alpha = 2.0 / (period as f64 + 1.0);
        Ok(Self { stages: std::array::from_fn(|_| Ema::with_alpha(period, alpha)) })
    }

    /// The averages of every stage once the last has one.
    #[inline]
    fn push(&mut self, value: f64) -> Option<[f64; STAGES]> {
        let mut values = [value; STAGES];
        let mut carried = value;
        for (stage, slot) in self.stages.iter_mut().zip(&mut values) {
            carried = stage.push(carried)?;
            *slot = carried;
        }
        Some(values)
    }

    fn warmup(&self) -> u64 {
        self.stages.iter().map(|stage| stage.period - 1).sum::<u64>() + 1
    }

    fn settled(&self) -> u64 {
        self.warmup() + self.stages.first().map_or(0, |stage| stage.forgets_after(STAGES))
    }
}

impl<const STAGES: usize> super::State for Cascade<STAGES> {
    fn save(&self, to: &mut Vec<u8>) {
        self.stages.iter().for_each(|stage| stage.save(to));
    }
    fn load(&mut self, from: &mut super::Reader<'_>) -> Result<()> {
        self.stages.iter_mut().try_for_each(|stage| stage.load(from))
    }
}

/// Double exponential average `2 e1 - e2`; first at index 2 (n - 1).
#[derive(Debug, Clone)]
pub struct Dema {
    cascade: Cascade<2>,
}

impl Dema {
    /// Two averages of `period`.
    pub fn new(period: usize) -> Result<Self> {
        Ok(Self { cascade: Cascade::new("Dema", period)? })
    }

    /// Take a value; the average once both stages have one.
    #[inline]
    pub fn push(&mut self, value: f64) -> Option<f64> {
        self.cascade.push(value).map(|[first, second]| 2.0 * first - second)
    }
}

state!(Dema, fixed {}, moving { cascade });
indicator!(
    Dema [value; 1] -> 1,
    warmup |it| it.cascade.warmup(),
    settled |it| it.cascade.settled()
);

/// Triple exponential average `3 e1 - 3 e2 + e3`; first at index 3 (n - 1).
#[derive(Debug, Clone)]
pub struct Tema {
    cascade: Cascade<3>,
}

impl Tema {
    /// Three averages of `period`.
    pub fn new(period: usize) -> Result<Self> {
        Ok(Self { cascade: Cascade::new("Tema", period)? })
    }

    /// Take a value; the average once all three stages have one.
    #[inline]
    pub fn push(&mut self, value: f64) -> Option<f64> {
        self.cascade.push(value).map(|[first, second, third]| 3.0 * (first - second) + third)
    }
}

state!(Tema, fixed {}, moving { cascade });
indicator!(
    Tema [value; 1] -> 1,
    warmup |it| it.cascade.warmup(),
    settled |it| it.cascade.settled()
);

/// One-step change of a triple smoothed average in percent; first at index 3 (n - 1) + 1.
#[derive(Debug, Clone)]
pub struct Trix {
    cascade: Cascade<3>,
    last: Option<f64>,
}

impl Trix {
    /// Three averages of `period`.
    pub fn new(period: usize) -> Result<Self> {
        Ok(Self { cascade: Cascade::new("Trix", period)?, last: None })
    }

    /// Take a value; the change in percent, undefined after an average of zero.
    #[inline]
    pub fn push(&mut self, value: f64) -> Option<f64> {
        let [_, _, smooth] = self.cascade.push(value)?;
        let last = self.last.replace(smooth).filter(|last| *last != 0.0)?;
        Some((smooth / last - 1.0) * 100.0)
    }
}

state!(Trix, fixed {}, moving { cascade, last });
indicator!(
    Trix [value; 1] -> 1,
    warmup |it| it.cascade.warmup() + 1,
    settled |it| it.cascade.settled() + 1
);

/// Kaufman's adaptive average: quick (n = 2) in a clean trend, slow (n = 30) in noise; first at
/// index n. A window without any movement counts as a clean trend.
#[derive(Debug, Clone)]
pub struct Kama {
    window: Ring,
    path: RollingSum,
    last: Option<f64>,
    value: Option<f64>,
}

const KAMA_FAST: f64 = 2.0 / 3.0;
const KAMA_SLOW: f64 = 2.0 / 31.0;

impl Kama {
    /// Efficiency over `period` changes.
    pub fn new(period: usize) -> Result<Self> {
        checked_period("Kama", period, 1)?;
        let (window, path) = (Ring::new(period), RollingSum::new(period));
        Ok(Self { window, path, last: None, value: None })
    }

    /// Take a value; the average once `period` changes were seen.
    #[inline]
    pub fn push(&mut self, value: f64) -> Option<f64> {
        let oldest = self.window.push(value);
        let last = self.last.replace(value)?;
        let path = self.path.push((value - last).abs());
        let (path, way) = (path?, (value - oldest?).abs());
        let efficiency = if path > way { way / path } else { 1.0 };
        let weight = efficiency * (KAMA_FAST - KAMA_SLOW) + KAMA_SLOW;
        let before = self.value.unwrap_or(last);
        self.value = Some(before + weight * weight * (value - before));
        self.value
    }
}

state!(Kama, fixed {}, moving { window, path, last, value });
indicator!(
    Kama [value; 1] -> 1,
    warmup |it| it.window.capacity() as u64 + 1,
    settled |it| it.window.capacity() as u64 + 1 + forgetting(KAMA_SLOW * KAMA_SLOW, 1)
);
