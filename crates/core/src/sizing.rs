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
        let value = self.position_value(nearest_f64(&equity.to_decimal()), strength, sigma_daily);
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
}
