// SPDX-License-Identifier: Apache-2.0
//! Direction of highs and lows: Wilder's ADX and parabolic stop, and Aroon.

use super::moving::Ema;
use super::range::TrueRange;
use super::window::Extreme;
use super::{checked_period, checked_real};
use crate::error::Result;

/// Wilder's directional movement: ADX with +DI and -DI. The indicators appear at index n, the ADX
/// (mean of n directional indices, then Wilder's smoothing) at index 2n - 1.
///
/// The sums are Wilder's: plain over the first n - 1 bars, then `sum - sum / n + value`. A bar
/// without any direction leaves the ADX as it was.
#[derive(Debug, Clone)]
pub struct Adx {
    period: u64,
    bars: u64,
    last: [f64; 2],
    range: TrueRange,
    sums: [f64; 3],
    smooth: Ema,
}

impl Adx {
    /// Smoothing over `period` bars.
    pub fn new(period: usize) -> Result<Self> {
        checked_period("Adx", period, 2)?;
        Ok(Self {
            period: period as u64,
            bars: 0,
            last: [0.0; 2],
            range: TrueRange::new(),
            sums: [0.0; 3],
            smooth: Ema::wilder(period)?,
        })
    }

    /// Take a bar; `[adx, plus, minus]`, the ADX NaN before its first index.
    #[inline]
    pub fn push(&mut self, high: f64, low: f64, close: f64) -> Option<[f64; 3]> {
        let [high_before, low_before] = std::mem::replace(&mut self.last, [high, low]);
        let range = self.range.push(high, low, close)?;
        let (up, down) = (high - high_before, low_before - low);
        let plus = if up > down && up > 0.0 { up } else { 0.0 };
        let minus = if down > up && down > 0.0 { down } else { 0.0 };
        self.bars += 1;
        let decay = if self.bars < self.period { 0.0 } else { 1.0 / self.period as f64 };
        for (sum, value) in self.sums.iter_mut().zip([plus, minus, range]) {
            *sum += value - *sum * decay;
        }
        let [plus, minus, range] = self.sums;
        if self.bars < self.period || range <= 0.0 {
            return None;
        }
        if plus + minus > 0.0 {
            self.smooth.push(100.0 * ((plus - minus).abs() / (plus + minus)));
        }
        let adx = self.smooth.value().unwrap_or(f64::NAN);
        Some([adx, 100.0 * (plus / range), 100.0 * (minus / range)])
    }
}

state!(Adx, fixed { period }, moving { bars, last, range, sums, smooth });
indicator!(
    Adx [high low close; 3] -> 3,
    warmup |it| 2 * it.period,
    settled |it| 2 * it.period + it.smooth.forgets_after(2)
);

/// How recent the highest high and the lowest low of n + 1 bars are, 100 for the newest bar; first
/// at index n.
#[derive(Debug, Clone)]
pub struct Aroon {
    highest: Extreme<true>,
    lowest: Extreme<false>,
}

impl Aroon {
    /// Look back `period` bars.
    pub fn new(period: usize) -> Result<Self> {
        let bars = checked_period("Aroon", period, 1)? + 1;
        Ok(Self { highest: Extreme::new(bars), lowest: Extreme::new(bars) })
    }

    /// Take a bar; `[up, down]`.
    #[inline]
    pub fn push(&mut self, high: f64, low: f64) -> Option<[f64; 2]> {
        let full = self.highest.push(high).and(self.lowest.push(low));
        let period = (self.highest.period() - 1) as f64;
        let recent = |age: u64| 100.0 * (period - age as f64) / period;
        full.map(|_| [recent(self.highest.age()), recent(self.lowest.age())])
    }
}

state!(Aroon, fixed {}, moving { highest, lowest });
indicator!(Aroon [high low; 2] -> 2, warmup |it| it.highest.period());

/// Wilder's parabolic stop and reverse; first at index 1. The direction before the first reversal
/// is a guess from the first two bars.
#[derive(Debug, Clone)]
pub struct ParabolicSar {
    step: f64,
    step_max: f64,
    bars: u64,
    is_long: bool,
    speed: f64,
    extreme: f64,
    stop: f64,
    last: [f64; 2],
}

impl ParabolicSar {
    /// Acceleration `step` per new extreme, up to `step_max`.
    pub fn new(step: f64, step_max: f64) -> Result<Self> {
        checked_real("ParabolicSar", "step", step, 0.0, 1.0)?;
        checked_real("ParabolicSar", "step_max", step_max, step, 1.0)?;
        Ok(Self {
            step,
            step_max,
            bars: 0,
            is_long: true,
            speed: step,
            extreme: 0.0,
            stop: 0.0,
            last: [0.0; 2],
        })
    }

    /// Take a bar; the stop that held for it, or the new one if it was hit.
    #[inline]
    pub fn push(&mut self, high: f64, low: f64) -> Option<f64> {
        self.bars += 1;
        if self.bars <= 2 {
            let first = std::mem::replace(&mut self.last, [high, low]);
            if self.bars == 1 {
                return None;
            }
            self.start(first, high, low);
        }
        let [high_before, low_before] = std::mem::replace(&mut self.last, [high, low]);
        let (top, floor) = (high.max(high_before), low.min(low_before));
        let hit = if self.is_long { low <= self.stop } else { high >= self.stop };
        if hit {
            self.is_long = !self.is_long;
            self.stop = self.within(self.extreme, top, floor);
            self.speed = self.step;
            self.extreme = if self.is_long { high } else { low };
        }
        let value = self.stop;
        let is_further = if self.is_long { high > self.extreme } else { low < self.extreme };
        if !hit && is_further {
            self.extreme = if self.is_long { high } else { low };
            self.speed = (self.speed + self.step).min(self.step_max);
        }
        let next = self.stop + self.speed * (self.extreme - self.stop);
        self.stop = self.within(next, top, floor);
        Some(value)
    }

    fn start(&mut self, [high_first, low_first]: [f64; 2], high: f64, low: f64) {
        let (up, down) = (high - high_first, low_first - low);
        self.is_long = !(down > 0.0 && up < down);
        (self.extreme, self.stop) =
            if self.is_long { (high, low_first) } else { (low, high_first) };
    }

    /// A stop never lies inside the last two bars.
    fn within(&self, stop: f64, top: f64, floor: f64) -> f64 {
        if self.is_long {
            stop.min(floor)
        } else {
            stop.max(top)
        }
    }
}

state!(
    ParabolicSar,
    fixed { step, step_max },
    moving { bars, is_long, speed, extreme, stop, last }
);
indicator!(ParabolicSar [high low; 2] -> 1, warmup |_it| 2);
