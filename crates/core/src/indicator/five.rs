// SPDX-License-Identifier: Apache-2.0
//! The five standard indicators of one price series in one call: SMA 20, EMA 20, RSI 14, MACD
//! 12/26/9 and Bollinger 20/2. The SMA is the middle band, so one window serves both; every value
//! equals that of the single indicator bit for bit.

use super::bands::Bollinger;
use super::macd::Macd;
use super::moving::Ema;
use super::rsi::Rsi;
use super::Indicator;
use crate::error::Result;

/// SMA, EMA, RSI, MACD line, signal, histogram, upper and lower band: eight values a price, each
/// NaN until its own indicator has one.
#[derive(Debug, Clone)]
pub struct Five {
    bands: Bollinger,
    ema: Ema,
    rsi: Rsi,
    macd: Macd,
}

impl Five {
    /// The standard set.
    pub fn new() -> Result<Self> {
        Ok(Self {
            bands: Bollinger::new(20, 2.0)?,
            ema: Ema::new(20)?,
            rsi: Rsi::new(14)?,
            macd: Macd::new(12, 26, 9)?,
        })
    }

    /// Take a price; all eight values.
    #[inline(always)]
    pub fn push(&mut self, value: f64) -> Option<[f64; 8]> {
        let [upper, sma, lower] = self.bands.push(value).unwrap_or([f64::NAN; 3]);
        let ema = self.ema.push(value).unwrap_or(f64::NAN);
        let rsi = self.rsi.push(value).unwrap_or(f64::NAN);
        let [line, signal, histogram] = self.macd.push(value).unwrap_or([f64::NAN; 3]);
        Some([sma, ema, rsi, line, signal, histogram, upper, lower])
    }
}

state!(Five, fixed {}, moving { bands, ema, rsi, macd });
indicator!(
    Five [value; 1] -> 8,
    warmup |it| Indicator::warmup(&it.macd),
    settled |it| it.ema.settled().max(it.rsi.settled()).max(it.macd.settled())
);
