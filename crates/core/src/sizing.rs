// SPDX-License-Identifier: Apache-2.0
//! How much: from opinion to quantity, and the one crossing from float to exact number. A wished
//! quantity is rounded towards zero onto the lot. The risk governor and the native runner both
//! call this file; there is no second arithmetic.

use crate::error::{Code, CoreError, Result};
use crate::instrument::Instrument;
use crate::number::{Lots, Money};

/// How a wish without a size gets one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// A fraction of equity as position value.
    FixedFraction,
    /// A position that loses a fraction of equity on a move of so many daily deviations.
    VolatilityTarget,
    /// The share of the Kelly fraction that a recorded performance deserves.
    Kelly,
}

/// What was recorded of a strategy out of sample, net of cost and deflated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrackRecord {
    /// Sharpe ratio a year.
    pub sharpe: f64,
    /// Deviation of returns a year, per unit of position value.
    pub volatility: f64,
    /// Length of the record.
    pub years: f64,
    /// How many strategies' means were estimated on it.
    pub strategies: f64,
}

/// Settings of Kelly sizing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Kelly {
    /// What is known; `None` is sized to find out.
    pub record: Option<TrackRecord>,
    /// No larger share of the full fraction.
    pub share_max: f64,
    /// Fraction of equity without a record.
    pub exploration: f64,
}

impl Kelly {
    /// Position value over equity: the deserved share of `mean / variance`.
    #[must_use]
    pub fn fraction(&self) -> f64 {
        match self.record {
            Some(record) if record.volatility > 0.0 => {
                let TrackRecord { sharpe, volatility, years, strategies } = record;
                kelly_share(sharpe, years, strategies, self.share_max) * sharpe / volatility
            }
            Some(_) => 0.0,
            None => self.exploration,
        }
    }
}

/// Share of the full Kelly fraction that estimates deserve: `1 - K / (T S^2)`, from 0 to
/// `share_max`. Plug-in growth is `S^2 / 2 - K / (2 T)`, so nothing is left where it is negative.
#[must_use]
pub fn kelly_share(sharpe: f64, years: f64, strategies: f64, share_max: f64) -> f64 {
    let deserved = 1.0 - strategies / (years * sharpe * sharpe);
    if sharpe > 0.0 && years > 0.0 {
        deserved.max(0.0).min(share_max)
    } else {
        0.0
    }
}

/// Settings of sizing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sizing {
    /// Which rule.
    pub method: Method,
    /// Fraction of equity, for the fixed fraction.
    pub fraction: f64,
    /// Fraction of equity lost at the stop, for the volatility target.
    pub risk_fraction: f64,
    /// Distance of the stop in daily deviations, for the volatility target.
    pub stop_deviations: f64,
    /// No position value above so many equities.
    pub max_leverage: f64,
    /// For Kelly.
    pub kelly: Kelly,
}

impl Sizing {
    /// Value of the position to take, in quote currency. `strength` counts from 0 to 1; while
    /// `sigma_daily` is not known (0 or NaN) the volatility target takes no position.
    #[must_use]
    pub fn position_value(&self, equity: f64, strength: f64, sigma_daily: f64) -> f64 {
        let value = match self.method {
            Method::FixedFraction => equity * self.fraction,
            Method::VolatilityTarget if sigma_daily > 0.0 => {
                equity * self.risk_fraction / (sigma_daily * self.stop_deviations)
            }
            Method::VolatilityTarget => 0.0,
            Method::Kelly => equity * self.kelly.fraction(),
        };
        value.min(equity * self.max_leverage).max(0.0) * strength.clamp(0.0, 1.0)
    }

    /// Lots to trade at `reference`, never more than the value allows.
    ///
    /// # Errors
    /// [`Code::OrderSizeInvalid`] for less than one lot; [`Code::NumberNotFinite`] and
    /// [`Code::NumberOutOfRange`] for numbers that are none.
    pub fn lots(
        &self,
        instrument: &Instrument,
        equity: Money,
        reference: f64,
        strength: f64,
        sigma_daily: f64,
    ) -> Result<Lots> {
        let value = self.position_value(equity.nearest_f64(), strength, sigma_daily);
        let lots = instrument.quantise_quantity(value / reference)?;
        if lots.0 > 0 {
            return Ok(lots);
        }
        let why = format!(
            "{}: sizing gives {value:.2} quote, less than one lot at {reference}.",
            instrument.symbol
        );
        Err(CoreError::new(Code::OrderSizeInvalid, why))
    }
}

/// The float nearest to a decimal text, as Python's `float(Decimal)`; NaN for any other text.
#[must_use]
pub fn nearest_f64(text: &str) -> f64 {
    text.parse().unwrap_or(f64::NAN)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::instrument::Kind;

    const SIZING: Sizing = Sizing {
        method: Method::FixedFraction,
        fraction: 0.5,
        risk_fraction: 0.01,
        stop_deviations: 2.0,
        max_leverage: 3.0,
        kelly: Kelly { record: None, share_max: 0.25, exploration: 0.05 },
    };

    #[test]
    fn a_fraction_of_equity_is_never_exceeded() {
        let btc = Instrument::new("BTCUSDT", Kind::LinearPerpetual, "0.1", "0.001").unwrap();
        let equity = Money::parse("10000").unwrap();
        assert_eq!(SIZING.lots(&btc, equity, 30_000.0, 1.0, 0.0), Ok(Lots(166)));
        assert_eq!(SIZING.lots(&btc, equity, 30_000.0, 0.5, 0.0), Ok(Lots(83)));
        let least = SIZING.lots(&btc, equity, 30_000_000.0, 1.0, 0.0);
        assert_eq!(least.map_err(|error| error.code), Err(Code::OrderSizeInvalid));
    }

    #[test]
    fn the_volatility_target_waits_for_a_forecast_and_is_capped() {
        let target = Sizing { method: Method::VolatilityTarget, ..SIZING };
        assert_eq!(target.position_value(10_000.0, 1.0, f64::NAN), 0.0);
        assert_eq!(target.position_value(10_000.0, 1.0, 0.025), 2_000.0);
        assert_eq!(target.position_value(10_000.0, 1.0, 1e-9), 30_000.0);
    }

    #[test]
    fn kelly_bets_what_the_record_deserves_and_explores_without_one() {
        let record = TrackRecord { sharpe: 1.0, volatility: 0.5, years: 10.0, strategies: 8.0 };
        let sized = |record| {
            let kelly = Kelly { record, ..SIZING.kelly };
            Sizing { method: Method::Kelly, kelly, ..SIZING }.position_value(10_000.0, 1.0, 0.0)
        };
        assert!((sized(Some(record)) - 10_000.0 * 0.2 * 2.0).abs() < 1e-9);
        assert_eq!(sized(Some(TrackRecord { years: 5.0, ..record })), 0.0);
        assert_eq!(sized(Some(TrackRecord { volatility: 0.0, ..record })), 0.0);
        assert_eq!(sized(Some(TrackRecord { strategies: 1.0, ..record })), 5_000.0);
        assert_eq!(sized(Some(TrackRecord { volatility: 1e-9, ..record })), 30_000.0);
        assert_eq!(sized(None), 500.0);
    }
}
