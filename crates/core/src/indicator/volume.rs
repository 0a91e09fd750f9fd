// SPDX-License-Identifier: Apache-2.0
//! Price and volume together. On-balance volume and accumulation start at an arbitrary level: only
//! their differences mean something.

use super::checked_period;
use super::window::{RollingSum, Sum};
use crate::error::Result;

/// On-balance volume: volume added on a rise, taken away on a fall; starts with the first volume.
#[derive(Debug, Clone, Default)]
pub struct Obv {
    last: Option<f64>,
    level: Sum,
}

impl Obv {
    /// No bar seen yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Take a close and a volume; the level.
    #[inline]
    pub fn push(&mut self, close: f64, volume: f64) -> Option<f64> {
        match self.last.replace(close) {
            Some(before) if close < before => self.level.add(-volume),
            Some(before) if close <= before => {}
            _ => self.level.add(volume),
        }
        Some(self.level.value())
    }
}

state!(Obv, fixed {}, moving { last, level });
indicator!(Obv [close volume; 2] -> 1, warmup |_it| 1);

/// Chaikin's accumulation/distribution level: volume times the place of the close in its bar.
#[derive(Debug, Clone, Default)]
pub struct AccumulationDistribution {
    level: Sum,
}

impl AccumulationDistribution {
    /// No bar seen yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Take a bar; the level. A bar with high = low adds nothing.
    #[inline]
    pub fn push(&mut self, high: f64, low: f64, close: f64, volume: f64) -> Option<f64> {
        if high > low {
            self.level.add(((close - low) - (high - close)) / (high - low) * volume);
        }
        Some(self.level.value())
    }
}

state!(AccumulationDistribution, fixed {}, moving { level });
indicator!(AccumulationDistribution [high low close volume; 4] -> 1, warmup |_it| 1);

/// Money flow index, 0 to 100: share of turnover on rising typical prices; first at index n,
/// undefined while the window has no flow.
#[derive(Debug, Clone)]
pub struct Mfi {
    period: u64,
    last: Option<f64>,
    rising: RollingSum,
    falling: RollingSum,
}

impl Mfi {
    /// Window of `period` changes.
    pub fn new(period: usize) -> Result<Self> {
        checked_period("Mfi", period, 1)?;
        let (rising, falling) = (RollingSum::new(period), RollingSum::new(period));
        Ok(Self { period: period as u64, last: None, rising, falling })
    }

    /// Take a bar; the index.
    #[inline]
    pub fn push(&mut self, high: f64, low: f64, close: f64, volume: f64) -> Option<f64> {
        let price = (high + low + close) / 3.0;
        let before = self.last.replace(price)?;
        let flow = price * volume;
        let rising = self.rising.push(if price > before { flow } else { 0.0 });
        let falling = self.falling.push(if price < before { flow } else { 0.0 });
        let (rising, falling) = (rising?, falling?);
        let both = rising + falling;
        (both > 0.0).then(|| 100.0 * (rising / both))
    }
}

state!(Mfi, fixed { period }, moving { last, rising, falling });
indicator!(Mfi [high low close volume; 4] -> 1, warmup |it| it.period + 1);

/// Turnover and volume, of a window or since the start.
#[derive(Debug, Clone)]
enum Flow {
    Window { turnover: RollingSum, volume: RollingSum },
    Session { turnover: Sum, volume: Sum },
}

impl super::State for Flow {
    fn save(&self, to: &mut Vec<u8>) {
        match self {
            Self::Window { turnover, volume } => {
                turnover.save(to);
                volume.save(to);
            }
            Self::Session { turnover, volume } => {
                turnover.save(to);
                volume.save(to);
            }
        }
    }

    fn load(&mut self, from: &mut super::Reader<'_>) -> Result<()> {
        match self {
            Self::Window { turnover, volume } => {
                turnover.load(from)?;
                volume.load(from)
            }
            Self::Session { turnover, volume } => {
                turnover.load(from)?;
                volume.load(from)
            }
        }
    }
}

/// Volume-weighted average price, of the last n rows or of the session since its start. The price
/// is the caller's: trades as they are, bars by their typical price. Undefined without volume.
#[derive(Debug, Clone)]
pub struct Vwap {
    period: u64,
    flow: Flow,
}

impl Vwap {
    /// Average over the last `period` rows.
    pub fn rolling(period: usize) -> Result<Self> {
        checked_period("Vwap", period, 1)?;
        let (turnover, volume) = (RollingSum::new(period), RollingSum::new(period));
        Ok(Self { period: period as u64, flow: Flow::Window { turnover, volume } })
    }

    /// Average since the start or the last [`Vwap::restart`].
    #[must_use]
    pub fn session() -> Self {
        let flow = Flow::Session { turnover: Sum::default(), volume: Sum::default() };
        Self { period: 0, flow }
    }

    /// Begin a new session, or empty the window.
    pub fn restart(&mut self) {
        self.flow = match self.flow {
            Flow::Window { .. } => {
                let empty = || RollingSum::new(self.period as usize);
                Flow::Window { turnover: empty(), volume: empty() }
            }
            Flow::Session { .. } => {
                Flow::Session { turnover: Sum::default(), volume: Sum::default() }
            }
        };
    }

    /// Take a price and its volume; the average.
    #[inline]
    pub fn push(&mut self, price: f64, volume: f64) -> Option<f64> {
        let (turnover, volume) = match &mut self.flow {
            Flow::Window { turnover: sum, volume: total } => {
                let turnover = sum.push(price * volume);
                let volume = total.push(volume);
                (turnover?, volume?)
            }
            Flow::Session { turnover: sum, volume: total } => {
                sum.add(price * volume);
                total.add(volume);
                (sum.value(), total.value())
            }
        };
        (volume > 0.0).then(|| turnover / volume)
    }
}

state!(Vwap, fixed { period }, moving { flow });
indicator!(Vwap [price volume; 2] -> 1, warmup |it| it.period.max(1));
