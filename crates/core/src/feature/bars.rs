// SPDX-License-Identifier: Apache-2.0
//! Features of bars. Each is an indicator of `crate::indicator`, told which parts of a bar it takes
//! and what of its answer is the feature; nothing is computed twice and nothing differently.

use crate::error::Result;
use crate::indicator::{
    Adx, Aroon, Cci, Estimator, Indicator, LinregSlope, Macd, Mfi, Momentum, Natr, RangeVolatility,
    Reader, RollingStd, Rsi, Stochastic, WilliamsR, ZScore,
};

/// A closed bar, with what several features need of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bar {
    pub(super) open: f64,
    pub(super) high: f64,
    pub(super) low: f64,
    pub(super) close: f64,
    pub(super) volume: f64,
    /// Log return against the bar before; `None` for the first.
    pub(super) change: Option<f64>,
}

/// One feature's memory of bars.
pub(super) trait Kernel: Send + Sync {
    fn push(&mut self, bar: &Bar) -> Option<f64>;
    /// Bars until the first value, and until the seed no longer matters.
    fn warmup(&self) -> (u64, u64);
    fn save(&self, to: &mut Vec<u8>);
    fn load(&mut self, from: &mut Reader<'_>) -> Result<()>;
}

/// An indicator between what it takes of a bar and what is taken of it.
struct Of<I, const IN: usize, const OUT: usize> {
    indicator: I,
    take: fn(&Bar) -> Option<[f64; IN]>,
    give: fn([f64; OUT], &Bar) -> f64,
    /// Bars before the indicator gets its first row.
    delay: u64,
}

impl<I, const IN: usize, const OUT: usize> Kernel for Of<I, IN, OUT>
where
    I: Indicator<IN, OUT> + Send + Sync,
{
    fn push(&mut self, bar: &Bar) -> Option<f64> {
        let answer = self.indicator.step((self.take)(bar)?)?;
        Some((self.give)(answer, bar))
    }

    fn warmup(&self) -> (u64, u64) {
        (self.indicator.warmup() + self.delay, self.indicator.settled() + self.delay)
    }

    fn save(&self, to: &mut Vec<u8>) {
        self.indicator.save(to);
    }

    fn load(&mut self, from: &mut Reader<'_>) -> Result<()> {
        self.indicator.load(from)
    }
}

/// A feature of this bar alone.
struct Plain(fn(&Bar) -> Option<f64>);

impl Kernel for Plain {
    fn push(&mut self, bar: &Bar) -> Option<f64> {
        (self.0)(bar)
    }

    fn warmup(&self) -> (u64, u64) {
        (1, 1)
    }

    fn save(&self, _to: &mut Vec<u8>) {}

    fn load(&mut self, _from: &mut Reader<'_>) -> Result<()> {
        Ok(())
    }
}

type Made = Box<dyn Kernel>;

fn of<I, const IN: usize, const OUT: usize>(
    indicator: I,
    take: fn(&Bar) -> Option<[f64; IN]>,
    give: fn([f64; OUT], &Bar) -> f64,
) -> Made
where
    I: Indicator<IN, OUT> + Send + Sync + 'static,
{
    Box::new(Of { indicator, take, give, delay: 0 })
}

fn close(bar: &Bar) -> Option<[f64; 1]> {
    Some([bar.close])
}

fn log_close(bar: &Bar) -> Option<[f64; 1]> {
    Some([bar.close.ln()])
}

fn range(bar: &Bar) -> Option<[f64; 3]> {
    Some([bar.high, bar.low, bar.close])
}

fn first<const N: usize>(answer: [f64; N], _: &Bar) -> f64 {
    answer.first().copied().unwrap_or(f64::NAN)
}

/// How long a feature of bars remembers, relative to its period: the half-life is period times it.
pub(super) enum Memory {
    /// A window: half of it.
    Window,
    /// Wilder's smoothing, `(1 - 1/n)` a bar.
    Wilder,
    /// This bar alone.
    Bar,
}

impl Memory {
    pub(super) fn half_life_bars(&self, period: usize) -> f64 {
        match self {
            Self::Window => 0.5 * period as f64,
            Self::Wilder => std::f64::consts::LN_2 * period as f64,
            Self::Bar => 0.0,
        }
    }
}

/// A family of bar features: unit, memory, the period it has if none is named, and how it is made.
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) unit: &'static str,
    pub(super) memory: Memory,
    /// Whether a period belongs into the name.
    pub(super) has_period: bool,
    pub(super) make: fn(usize) -> Result<Made>,
}

const fn family(
    name: &'static str,
    unit: &'static str,
    memory: Memory,
    make: fn(usize) -> Result<Made>,
) -> Family {
    Family { name, unit, memory, has_period: true, make }
}

const fn plain(name: &'static str, unit: &'static str, make: fn(usize) -> Result<Made>) -> Family {
    Family { name, unit, memory: Memory::Bar, has_period: false, make }
}

/// Slow average of MACD; its half-life is that of the whole.
pub(super) const MACD_SLOW: usize = 26;
/// Bars that decide a week and more, and a bound on memory.
pub(super) const PERIOD_MAX: usize = 100_000;

/// Every family of bar features.
pub(super) const FAMILIES: [Family; 16] = [
    family("return", "log return", Memory::Window, |n| Ok(of(Momentum::new(n)?, log_close, first))),
    family("volatility", "log return a bar", Memory::Window, |n| {
        let indicator = RollingStd::new(n, 0)?;
        Ok(Box::new(Of { indicator, take: |bar| Some([bar.change?]), give: first, delay: 1 }))
    }),
    family("range", "log return a bar", Memory::Window, |n| {
        let indicator = RangeVolatility::new(Estimator::RogersSatchell, n, 1.0)?;
        Ok(of(indicator, |bar| Some([bar.open, bar.high, bar.low, bar.close]), first))
    }),
    family("slope", "log return a bar", Memory::Window, |n| {
        Ok(of(LinregSlope::new(n)?, log_close, first))
    }),
    family("bollinger", "deviations", Memory::Window, |n| Ok(of(ZScore::new(n)?, close, first))),
    family("rsi", "0 to 100", Memory::Wilder, |n| Ok(of(Rsi::new(n)?, close, first))),
    family("adx", "0 to 100", Memory::Wilder, |n| Ok(of(Adx::new(n)?, range, first))),
    family("directional", "-100 to 100", Memory::Wilder, |n| {
        Ok(of(Adx::new(n)?, range, |[_, plus, minus], _| plus - minus))
    }),
    family("natr", "percent", Memory::Wilder, |n| Ok(of(Natr::new(n)?, range, first))),
    family("stochastic", "percent", Memory::Window, |n| {
        Ok(of(Stochastic::new(n, 3, 3)?, range, first))
    }),
    family("williams", "-100 to 0", Memory::Window, |n| Ok(of(WilliamsR::new(n)?, range, first))),
    family("cci", "Lambert", Memory::Window, |n| Ok(of(Cci::new(n)?, range, first))),
    family("mfi", "0 to 100", Memory::Window, |n| {
        Ok(of(Mfi::new(n)?, |bar| Some([bar.high, bar.low, bar.close, bar.volume]), first))
    }),
    family("aroon", "-100 to 100", Memory::Window, |n| {
        Ok(of(Aroon::new(n)?, |bar| Some([bar.high, bar.low]), |[up, down], _| up - down))
    }),
    plain("macd", "basis points", |_| {
        let macd = Macd::new(12, MACD_SLOW, 9)?;
        Ok(of(macd, close, |[_, _, histogram], bar| histogram / bar.close * 1e4))
    }),
    plain("volume", "log", |_| Ok(Box::new(Plain(|bar| Some(bar.volume.ln_1p()))))),
];
