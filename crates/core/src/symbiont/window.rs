// SPDX-License-Identifier: Apache-2.0
//! State of the windowed operations of a bank, run over a block at a time. The arithmetic is that
//! of the project's indicators. What is not finite is not taken: the state stays and the answer is
//! NaN.

use super::bank::Rows;
use super::gene::Kind;
use crate::error::Result;
use crate::indicator::{
    Atr, Ema, RollingMax, RollingMin, RollingStd, RollingSum, Rsi, Sma, ZScore,
};

/// The last n values.
#[derive(Debug, Clone)]
pub(super) struct Past {
    values: Vec<f64>,
    next: usize,
}

impl Past {
    fn new(window: usize) -> Self {
        Self { values: vec![f64::NAN; window], next: 0 }
    }

    /// Take a value; the one so many before it, NaN while there is none.
    #[inline(always)]
    fn push(&mut self, value: f64) -> f64 {
        let before = std::mem::replace(&mut self.values[self.next], value);
        self.next += 1;
        if self.next == self.values.len() {
            self.next = 0;
        }
        before
    }
}

/// State of one indicator.
#[derive(Debug, Clone)]
pub(super) enum Window {
    Sma(Sma),
    Ema(Ema),
    Rsi(Rsi),
    Std(RollingStd),
    ZScore(ZScore),
    Lowest(RollingMin),
    Highest(RollingMax),
    Change(Past),
    Lag(Past),
    Atr(Atr),
    Flow(RollingSum, RollingSum),
}

impl Window {
    pub(super) fn new(kind: Kind, window: usize) -> Result<Self> {
        Ok(match kind {
            Kind::Sma => Self::Sma(Sma::new(window)?),
            Kind::Ema => Self::Ema(Ema::new(window)?),
            Kind::Rsi => Self::Rsi(Rsi::new(window)?),
            Kind::Std => Self::Std(RollingStd::new(window, 0)?),
            Kind::ZScore => Self::ZScore(ZScore::new(window)?),
            Kind::Lowest => Self::Lowest(RollingMin::new(window)?),
            Kind::Highest => Self::Highest(RollingMax::new(window)?),
            Kind::Change => Self::Change(Past::new(window)),
            Kind::Lag => Self::Lag(Past::new(window)),
            Kind::Atr => Self::Atr(Atr::new(window)?),
            Kind::Flow => Self::Flow(RollingSum::new(window), RollingSum::new(window)),
        })
    }

    /// Take a block of rows, or of an operand's values.
    pub(super) fn run(&mut self, rows: &Rows<'_>, of: &[f64], out: &mut [f64]) {
        match self {
            Self::Sma(it) => each(of, out, |value| it.push(value)),
            Self::Ema(it) => each(of, out, |value| it.push(value)),
            Self::Rsi(it) => each(of, out, |value| it.push(value)),
            Self::Std(it) => each(of, out, |value| it.push(value)),
            Self::ZScore(it) => each(of, out, |value| it.push(value)),
            Self::Lowest(it) => each(of, out, |value| it.push(value)),
            Self::Highest(it) => each(of, out, |value| it.push(value)),
            Self::Change(it) => each(of, out, |value| Some(value / it.push(value) - 1.0)),
            Self::Lag(it) => each(of, out, |value| Some(it.push(value))),
            Self::Atr(it) => {
                for (at, out) in out.iter_mut().enumerate() {
                    let found = it.push(rows.high[at], rows.low[at], rows.close[at]);
                    *out = found.unwrap_or(f64::NAN);
                }
            }
            Self::Flow(signed, whole) => {
                for (at, out) in out.iter_mut().enumerate() {
                    let (high, low, close) = (rows.high[at], rows.low[at], rows.close[at]);
                    let range = high - low;
                    let place =
                        if range > 0.0 { (close - low - (high - close)) / range } else { 0.0 };
                    let volume = rows.volume[at];
                    let (signed, whole) = (signed.push(place * volume), whole.push(volume));
                    *out = match (signed, whole) {
                        (Some(signed), Some(whole)) if whole > 0.0 => signed / whole,
                        _ => f64::NAN,
                    };
                }
            }
        }
    }
}

/// Windows of one kind over one operand, side by side: each waits for its own last value, so that a
/// processor has several to go on with. The values are those of one after the other.
pub(super) fn run_together(windows: &mut [Window; LANES], of: &[f64], out: &mut [Vec<f64>; LANES]) {
    match windows {
        [Window::Ema(a), Window::Ema(b), Window::Ema(c), Window::Ema(d)] => {
            lanes(of, out, |value| [a.push(value), b.push(value), c.push(value), d.push(value)]);
        }
        [Window::Rsi(a), Window::Rsi(b), Window::Rsi(c), Window::Rsi(d)] => {
            lanes(of, out, |value| [a.push(value), b.push(value), c.push(value), d.push(value)]);
        }
        _ => {}
    }
}

/// How many windows run side by side.
pub(super) const LANES: usize = 4;

/// Whether windows of this kind gain by company: their every value waits for the one before.
pub(super) const fn has_lanes(kind: Kind) -> bool {
    matches!(kind, Kind::Ema | Kind::Rsi)
}

#[inline(always)]
fn lanes(
    of: &[f64],
    out: &mut [Vec<f64>; LANES],
    mut push: impl FnMut(f64) -> [Option<f64>; LANES],
) {
    let [a, b, c, d] = out;
    let ends = a.iter_mut().zip(b.iter_mut()).zip(c.iter_mut()).zip(d.iter_mut());
    for (&value, (((a, b), c), d)) in of.iter().zip(ends) {
        let found = if value.is_finite() { push(value) } else { [None; LANES] };
        [*a, *b, *c, *d] = found.map(|value| value.unwrap_or(f64::NAN));
    }
}

#[inline(always)]
fn each(of: &[f64], out: &mut [f64], mut push: impl FnMut(f64) -> Option<f64>) {
    for (out, &value) in out.iter_mut().zip(of) {
        *out = if value.is_finite() { push(value).unwrap_or(f64::NAN) } else { f64::NAN };
    }
}
