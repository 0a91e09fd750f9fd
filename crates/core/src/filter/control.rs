// SPDX-License-Identifier: Apache-2.0
//! Control charts: has the mean of a series moved from where it should be? The tabular CUSUM sums
//! deviations beyond a slack; the EWMA chart smooths and compares with fixed limits. Neither starts
//! anew after an alarm: it stands for as long as the sum is beyond its limit.

use crate::error::{Code, CoreError, Result};
use crate::indicator::{Indicator, Reader, State, INPUT_MAX};

/// Two-sided tabular CUSUM (Page 1954; Montgomery, chapter 9):
/// `C+ = max(0, C+ + (x - target) - slack)`, `C- = max(0, C- - (x - target) - slack)`.
///
/// Outputs: upper sum, lower sum, rows since each was zero, alarm (1 above, -1 below, 0 none). The
/// rows date the shift: it began after the last row at which the sum was zero.
#[derive(Debug, Clone)]
pub struct Cusum {
    target: f64,
    slack: f64,
    limit: f64,
    sums: [f64; 2],
    rows: [u64; 2],
}

impl Cusum {
    /// `slack` and `limit` in units of the values; about half a shift, and four to five deviations.
    pub fn new(target: f64, slack: f64, limit: f64) -> Result<Self> {
        within("Cusum", "target", target, -INPUT_MAX, INPUT_MAX)?;
        within("Cusum", "slack", slack, 0.0, INPUT_MAX)?;
        within("Cusum", "limit", limit, f64::MIN_POSITIVE, INPUT_MAX)?;
        Ok(Self { target, slack, limit, sums: [0.0; 2], rows: [0; 2] })
    }

    /// Take a value.
    #[inline(always)]
    pub fn push(&mut self, value: f64) -> [f64; 5] {
        let deviation = value - self.target;
        for (at, shift) in [deviation, -deviation].into_iter().enumerate() {
            let sum = self.sums[at] + shift - self.slack;
            self.sums[at] = if sum > 0.0 { sum } else { 0.0 };
            self.rows[at] = if sum > 0.0 { self.rows[at] + 1 } else { 0 };
        }
        let [plus, minus] = self.sums;
        let alarm = f64::from(i8::from(plus > self.limit) - i8::from(minus > self.limit));
        [plus, minus, self.rows[0] as f64, self.rows[1] as f64, alarm]
    }
}

impl State for Cusum {
    fn save(&self, to: &mut Vec<u8>) {
        [self.target, self.slack, self.limit].save(to);
        self.sums.save(to);
        self.rows.iter().for_each(|rows| rows.save(to));
    }

    fn load(&mut self, from: &mut Reader<'_>) -> Result<()> {
        from.expect_equal("target", self.target.to_bits())?;
        from.expect_equal("slack", self.slack.to_bits())?;
        from.expect_equal("limit", self.limit.to_bits())?;
        self.sums.load(from)?;
        self.rows.iter_mut().try_for_each(|rows| rows.load(from))
    }
}

impl Indicator<1, 5> for Cusum {
    const NAME: &'static str = "Cusum";
    const INPUTS: [&'static str; 1] = ["value"];

    #[inline(always)]
    fn step(&mut self, [value]: [f64; 1]) -> Option<[f64; 5]> {
        Some(self.push(value))
    }

    fn warmup(&self) -> u64 {
        1
    }
}

/// EWMA chart (Roberts 1959; NIST e-Handbook 6.3.2.4): `z = weight x + (1 - weight) z`, starting at
/// the target, with limits `target -+ width deviation sqrt(weight / (2 - weight))`.
///
/// Outputs: smoothed value, alarm (1 above, -1 below, 0 none).
#[derive(Debug, Clone)]
pub struct EwmaChart {
    weight: f64,
    target: f64,
    deviation: f64,
    width: f64,
    limits: [f64; 2],
    smoothed: f64,
}

impl EwmaChart {
    /// `weight` of the newest value; `deviation` of a value in control; `width` of the band in
    /// deviations of the smoothed value.
    pub fn new(weight: f64, target: f64, deviation: f64, width: f64) -> Result<Self> {
        within("EwmaChart", "weight", weight, 1e-6, 1.0)?;
        within("EwmaChart", "target", target, -INPUT_MAX, INPUT_MAX)?;
        within("EwmaChart", "deviation", deviation, f64::MIN_POSITIVE, INPUT_MAX)?;
        within("EwmaChart", "width", width, f64::MIN_POSITIVE, 1e6)?;
        let half = width * deviation * (weight / (2.0 - weight)).sqrt();
        let limits = [target - half, target + half];
        Ok(Self { weight, target, deviation, width, limits, smoothed: target })
    }

    /// Lower and upper limit.
    #[must_use]
    pub fn limits(&self) -> [f64; 2] {
        self.limits
    }

    /// Take a value.
    #[inline(always)]
    pub fn push(&mut self, value: f64) -> [f64; 2] {
        self.smoothed = self.weight * value + (1.0 - self.weight) * self.smoothed;
        let [lower, upper] = self.limits;
        let alarm = i8::from(self.smoothed > upper) - i8::from(self.smoothed < lower);
        [self.smoothed, f64::from(alarm)]
    }
}

impl State for EwmaChart {
    fn save(&self, to: &mut Vec<u8>) {
        [self.weight, self.target, self.deviation, self.width, self.smoothed].save(to);
    }

    fn load(&mut self, from: &mut Reader<'_>) -> Result<()> {
        from.expect_equal("weight", self.weight.to_bits())?;
        from.expect_equal("target", self.target.to_bits())?;
        from.expect_equal("deviation", self.deviation.to_bits())?;
        from.expect_equal("width", self.width.to_bits())?;
        self.smoothed.load(from)
    }
}

impl Indicator<1, 2> for EwmaChart {
    const NAME: &'static str = "EwmaChart";
    const INPUTS: [&'static str; 1] = ["value"];

    #[inline(always)]
    fn step(&mut self, [value]: [f64; 1]) -> Option<[f64; 2]> {
        Some(self.push(value))
    }

    fn warmup(&self) -> u64 {
        1
    }
}

fn within(chart: &str, name: &str, value: f64, least: f64, most: f64) -> Result<()> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    let message = format!("{chart}: {name} {value}; allowed {least:e} to {most:e}");
    Err(CoreError::new(Code::ParameterInvalid, message))
}
