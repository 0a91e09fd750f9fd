// SPDX-License-Identifier: Apache-2.0
//! Technical indicators, one implementation for live ticks and for history. A kernel has a
//! `push(...) -> Option<...>`: `None` while it warms up and wherever the formula has no answer (a
//! flat market has no RSI), never a made-up zero. [`Stream`] puts one around a kernel: it refuses
//! bad input, counts, remembers the last value, takes snapshots, and runs whole arrays through the
//! very same `push`, which is why batch and stream agree bit for bit.
//!
//! Seeds and first indices follow classic TA-Lib. A recursive indicator remembers its seed for a
//! long time: `warmup` says when every output has a value, `settled` when the seed's weight has
//! fallen below one millionth.

use crate::error::{Code, CoreError, Result};

#[macro_use]
pub(crate) mod state;
pub(crate) mod abreast;
mod bands;
mod directional;
mod five;
mod macd;
mod moving;
mod oscillator;
mod profile;
mod range;
mod rolling;
mod rsi;
mod variance;
mod volatility;
mod volume;
mod window;

pub use bands::Bollinger;
pub use directional::{Adx, Aroon, ParabolicSar};
pub use five::Five;
pub use macd::Macd;
pub use moving::{Dema, Ema, Ewm, Kama, Sma, Tema, Trix, Wma};
pub use oscillator::{Cci, Stochastic, UltimateOscillator, WilliamsR};
pub use profile::IntradayProfile;
pub use range::{Atr, Natr, TrueRange};
pub use rolling::{LinregSlope, Moments, RollingMax, RollingMin, RollingStd, ZScore};
pub use rsi::{Momentum, Roc, Rsi};
pub(crate) use state::{seal, unseal};
pub use state::{Reader, State};
pub use variance::{GarchVariance, RealizedVariance, TimedEwmaVariance};
pub use volatility::{Estimator, EwmaVariance, RangeVolatility};
pub use volume::{AccumulationDistribution, Mfi, Obv, Vwap};
pub use window::{RollingSum, WindowMoments};

/// Longest window: two years of minutes, and a bound on memory.
pub const PERIOD_MAX: usize = 1 << 20;

/// Largest input by magnitude: squares and sums of squares stay finite far beyond it.
pub const INPUT_MAX: f64 = 1e100;

/// Weight below which the seed of a recursive indicator counts as forgotten.
const SEED_WEIGHT: f64 = 1e-6;

/// What every kernel offers to [`Stream`]: rows of `IN` numbers in, rows of `OUT` numbers out.
pub trait Indicator<const IN: usize, const OUT: usize>: State + Clone {
    /// Name written into snapshots.
    const NAME: &'static str;
    /// What each input is called in an error message.
    const INPUTS: [&'static str; IN];
    /// Whether inputs must be above zero, because their logarithm is taken.
    const POSITIVE: bool = false;

    /// Take one row of checked input; `None` where no value is defined.
    fn step(&mut self, row: [f64; IN]) -> Option<[f64; OUT]>;

    /// Number of rows after which every output has its first value.
    fn warmup(&self) -> u64;

    /// Number of rows after which the seed no longer matters.
    fn settled(&self) -> u64 {
        self.warmup()
    }
}

/// A kernel with its rim: input check, counter, last value, snapshot, and the loop over arrays.
#[derive(Debug, Clone)]
pub struct Stream<I, const IN: usize, const OUT: usize> {
    indicator: I,
    settled: u64,
    n_seen: u64,
    values: [f64; OUT],
}

impl<I: Indicator<IN, OUT>, const IN: usize, const OUT: usize> Stream<I, IN, OUT> {
    /// Put the rim around a fresh kernel.
    #[must_use]
    pub fn new(indicator: I) -> Self {
        let settled = indicator.settled();
        Self { indicator, settled, n_seen: 0, values: [f64::NAN; OUT] }
    }

    /// Take one row. A number that is not finite is refused and the state stays as it was.
    #[inline]
    pub fn update(&mut self, row: [f64; IN]) -> Result<()> {
        if !row.iter().all(|value| is_valid::<I, IN, OUT>(*value)) {
            return Err(refusal::<I, IN, OUT>(row, None));
        }
        self.n_seen += 1;
        self.values = self.indicator.step(row).unwrap_or([f64::NAN; OUT]);
        Ok(())
    }

    /// Feed whole columns, oldest first, going on from the present state; `outputs` receive one
    /// value a row, NaN where none is defined. A bad number is refused by its index before
    /// anything changes.
    pub fn batch(&mut self, inputs: [&[f64]; IN], outputs: [&mut [f64]; OUT]) -> Result<()> {
        let rows = inputs.first().map_or(0, |column| column.len());
        if inputs.iter().any(|column| column.len() != rows)
            || outputs.iter().any(|column| column.len() != rows)
        {
            return Err(CoreError::new(
                Code::DataInvalid,
                format!("{}: columns differ in length; the first has {rows} rows", I::NAME),
            ));
        }
        for column in inputs {
            if all_valid::<I, IN, OUT>(column) {
                continue;
            }
            if let Some(at) = column.iter().position(|value| !is_valid::<I, IN, OUT>(*value)) {
                return Err(refusal::<I, IN, OUT>(inputs.map(|column| column[at]), Some(at)));
            }
        }
        let inputs = inputs.map(|column| &column[..rows]);
        let mut outputs = outputs.map(|column| &mut column[..rows]);
        let mut values = self.values;
        for at in 0..rows {
            let row = inputs.map(|column| column[at]);
            values = self.indicator.step(row).unwrap_or([f64::NAN; OUT]);
            for (column, value) in outputs.iter_mut().zip(values) {
                column[at] = value;
            }
        }
        self.values = values;
        self.n_seen += rows as u64;
        Ok(())
    }

    /// The last values, NaN where undefined.
    #[inline]
    #[must_use]
    pub fn values(&self) -> &[f64; OUT] {
        &self.values
    }

    /// Whether the seed is forgotten and every value is defined now.
    #[must_use]
    pub fn ready(&self) -> bool {
        self.n_seen >= self.settled && self.values.iter().all(|value| !value.is_nan())
    }

    /// Number of rows taken so far.
    #[must_use]
    pub fn n_seen(&self) -> u64 {
        self.n_seen
    }

    /// Number of rows after which every output has its first value.
    #[must_use]
    pub fn warmup(&self) -> u64 {
        self.indicator.warmup()
    }

    /// Number of rows after which the seed's weight is below one millionth.
    #[must_use]
    pub fn settled(&self) -> u64 {
        self.settled
    }

    /// The kernel inside, for what only this kernel knows.
    #[must_use]
    pub fn indicator(&self) -> &I {
        &self.indicator
    }

    /// The kernel inside, for what only this kernel can do.
    pub fn indicator_mut(&mut self) -> &mut I {
        &mut self.indicator
    }

    /// The complete state as bytes; [`Stream::restore`] brings it back bit for bit.
    #[must_use]
    pub fn snapshot(&self) -> Vec<u8> {
        state::seal(I::NAME, |to| {
            self.n_seen.save(to);
            self.values.save(to);
            self.indicator.save(to);
        })
    }

    /// Take over a snapshot of the same indicator with the same parameters. Anything else is
    /// refused and the state stays as it was.
    pub fn restore(&mut self, snapshot: &[u8]) -> Result<()> {
        let mut next = self.clone();
        let mut from = state::unseal(I::NAME, snapshot)?;
        next.n_seen.load(&mut from)?;
        next.values.load(&mut from)?;
        next.indicator.load(&mut from)?;
        from.finish()?;
        *self = next;
        Ok(())
    }
}

#[inline]
fn is_valid<I: Indicator<IN, OUT>, const IN: usize, const OUT: usize>(value: f64) -> bool {
    value.abs() <= INPUT_MAX && (!I::POSITIVE || value > 0.0)
}

/// Without an early exit, so that the check runs on several numbers at once.
fn all_valid<I: Indicator<IN, OUT>, const IN: usize, const OUT: usize>(column: &[f64]) -> bool {
    column.iter().fold(true, |valid, value| valid & is_valid::<I, IN, OUT>(*value))
}

/// The error for a row with an unacceptable number; built only on the failing path.
#[cold]
fn refusal<I: Indicator<IN, OUT>, const IN: usize, const OUT: usize>(
    row: [f64; IN],
    index: Option<usize>,
) -> CoreError {
    let place = index.map_or(String::new(), |at| format!(" at index {at}"));
    let bad = row.iter().zip(I::INPUTS).find(|(value, _)| !is_valid::<I, IN, OUT>(**value));
    let (value, input) = bad.map_or((f64::NAN, "value"), |(value, input)| (*value, input));
    let what = format!("{}: {input} {value}{place}", I::NAME);
    if !value.is_finite() {
        let message = format!("{what}; a finite number is due; the state is unchanged");
        return CoreError::new(Code::NumberNotFinite, message);
    }
    let range = if I::POSITIVE { "above 0 up to" } else { "of magnitude up to" };
    let message = format!("{what}; allowed are numbers {range} {INPUT_MAX:e}; state unchanged");
    CoreError::new(Code::NumberOutOfRange, message)
}

/// Check that a window length lies in `least..=PERIOD_MAX`.
fn checked_period(indicator: &str, period: usize, least: usize) -> Result<usize> {
    if (least..=PERIOD_MAX).contains(&period) {
        return Ok(period);
    }
    Err(CoreError::new(
        Code::ParameterInvalid,
        format!("{indicator}: period {period}; allowed {least} to {PERIOD_MAX}"),
    ))
}

/// Check that a real parameter is finite and inside `least..=most`.
fn checked_real(indicator: &str, name: &str, value: f64, least: f64, most: f64) -> Result<f64> {
    if (least..=most).contains(&value) {
        return Ok(value);
    }
    Err(CoreError::new(
        Code::ParameterInvalid,
        format!("{indicator}: {name} {value}; allowed {least} to {most}"),
    ))
}

/// Steps until `stages` exponential averages of weight `alpha` in a row have forgotten their
/// seeds: the seed's weight after k steps is the chance of fewer than `stages` hits in k trials.
fn forgetting(alpha: f64, stages: usize) -> u64 {
    if stages == 1 {
        return (SEED_WEIGHT.ln() / (-alpha).ln_1p()).ceil().max(1.0) as u64;
    }
    let mut weights = vec![0.0; stages];
    if let Some(first) = weights.first_mut() {
        *first = 1.0;
    }
    let mut steps = 0;
    while weights.iter().sum::<f64>() >= SEED_WEIGHT {
        for stage in (0..stages).rev() {
            let carried = if stage > 0 { weights[stage - 1] * alpha } else { 0.0 };
            weights[stage] = weights[stage] * (1.0 - alpha) + carried;
        }
        steps += 1;
    }
    steps
}
