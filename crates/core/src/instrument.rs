// SPDX-License-Identifier: Apache-2.0
//! What may be traded and in which steps. The one place where a human price or quantity becomes
//! an exact count: `price` and `quantity` refuse what is off the grid, `quantise_*` moves a wish
//! onto it by a named rounding. One lot at one tick is worth `unit_value`, so money is a single
//! integer product.

use crate::error::{Code, CoreError, Result};
use crate::number::{
    divide, format_decimal, parse_decimal, round_half_away, Lots, Money, Rate, Rounding, Ticks,
};

/// Decimals that tick and lot may carry.
pub const STEP_DECIMALS: u32 = 12;
/// Off-grid tolerance of a recorded float price, in ticks: a double of 17 digits divided by its
/// tick lands within 1e-6 of an integer or was never on the grid.
const GRID_TOLERANCE: f64 = 1e-4;

/// Contract family; decides the ledger's arithmetic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// Coins change hands.
    Spot = 0,
    /// Quote-margined perpetual: profit is linear in price, funding applies.
    LinearPerpetual = 1,
}

/// One step of a risk-tier table: positions up to `notional_max` use these rates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MarginTier {
    /// Largest position value of this tier.
    pub notional_max: Money,
    /// Initial margin rate (1 / largest leverage).
    pub initial_rate: Rate,
    /// Maintenance margin rate.
    pub maintenance_rate: Rate,
    /// Maintenance deduction that makes the table continuous.
    pub deduction: Money,
}

/// Trading rules of one symbol.
#[derive(Debug, Clone, PartialEq)]
pub struct Instrument {
    /// Canonical name, `BTCUSDT`.
    pub symbol: String,
    /// Contract family.
    pub kind: Kind,
    /// Price step in 1e-12 quote.
    pub tick_size: i128,
    /// Quantity step in 1e-12 base.
    pub lot_size: i128,
    /// Smallest order.
    pub lots_min: Lots,
    /// Largest order.
    pub lots_max: Lots,
    /// Smallest order value.
    pub notional_min: Money,
    /// Risk tiers by rising `notional_max`; empty for spot.
    pub tiers: Vec<MarginTier>,
    unit_value: i128,
    tick_f64: f64,
    lot_f64: f64,
}

impl Instrument {
    /// Build from decimal texts, as a venue publishes them.
    ///
    /// # Errors
    /// [`Code::InstrumentInvalid`] if a step is not positive or one lot at one tick is finer than
    /// 1e-12 quote.
    pub fn new(symbol: &str, kind: Kind, tick_size: &str, lot_size: &str) -> Result<Self> {
        let tick = parse_decimal(tick_size, STEP_DECIMALS)?;
        let lot = parse_decimal(lot_size, STEP_DECIMALS)?;
        let scale = 10_i128.pow(STEP_DECIMALS);
        let product = tick.checked_mul(lot).unwrap_or(0);
        if tick <= 0 || lot <= 0 || product == 0 || product % scale != 0 {
            return Err(CoreError::new(
                Code::InstrumentInvalid,
                format!(
                    "{symbol}: tick {tick_size} x lot {lot_size} must be a positive multiple of \
                     1e-12"
                ),
            ));
        }
        Ok(Self {
            symbol: symbol.to_owned(),
            kind,
            tick_size: tick,
            lot_size: lot,
            lots_min: Lots(1),
            lots_max: Lots(i64::MAX / 4),
            notional_min: Money::ZERO,
            tiers: Vec::new(),
            unit_value: product / scale,
            tick_f64: tick as f64 / scale as f64,
            lot_f64: lot as f64 / scale as f64,
        })
    }

    /// Money of one lot at one tick.
    #[must_use]
    pub const fn unit_value(&self) -> Money {
        Money(self.unit_value)
    }

    /// `price * quantity`, signed like `lots`.
    pub fn notional(&self, price: Ticks, lots: Lots) -> Result<Money> {
        i128::from(price.0)
            .checked_mul(i128::from(lots.0))
            .and_then(|p| p.checked_mul(self.unit_value))
            .map(Money)
            .ok_or_else(|| {
                CoreError::new(
                    Code::NumberOutOfRange,
                    format!("{}: notional overflow", self.symbol),
                )
            })
    }

    /// Exact price from decimal text; refuses what is off the tick and names the nearest one.
    pub fn price(&self, text: &str) -> Result<Ticks> {
        self.price_of(parse_decimal(text, STEP_DECIMALS)?)
    }

    /// Exact price from a count of 1e-12 quote; refuses what is off the tick.
    pub fn price_of(&self, units: i128) -> Result<Ticks> {
        if units % self.tick_size != 0 {
            let nearest = divide(units, self.tick_size, Rounding::Nearest) * self.tick_size;
            return Err(CoreError::new(
                Code::PriceNotOnTick,
                format!(
                    "{} price {}, tick {}; nearest {}",
                    self.symbol,
                    format_decimal(units, STEP_DECIMALS),
                    format_decimal(self.tick_size, STEP_DECIMALS),
                    format_decimal(nearest, STEP_DECIMALS)
                ),
            ));
        }
        self.fit(units / self.tick_size).map(Ticks)
    }

    /// Exact quantity from decimal text; refuses what is off the lot and names the nearest below.
    pub fn quantity(&self, text: &str) -> Result<Lots> {
        self.quantity_of(parse_decimal(text, STEP_DECIMALS)?)
    }

    /// Exact quantity from a count of 1e-12 base; refuses what is off the lot.
    pub fn quantity_of(&self, units: i128) -> Result<Lots> {
        if units % self.lot_size != 0 {
            let below = divide(units, self.lot_size, Rounding::Down) * self.lot_size;
            return Err(CoreError::new(
                Code::QuantityNotOnLot,
                format!(
                    "{} quantity {}, lot {}; nearest below {}",
                    self.symbol,
                    format_decimal(units, STEP_DECIMALS),
                    format_decimal(self.lot_size, STEP_DECIMALS),
                    format_decimal(below, STEP_DECIMALS)
                ),
            ));
        }
        self.fit(units / self.lot_size).map(Lots)
    }

    fn fit(&self, count: i128) -> Result<i64> {
        i64::try_from(count).map_err(|_| {
            CoreError::new(Code::NumberOutOfRange, format!("{}: number too large", self.symbol))
        })
    }

    /// A recorded float price to its tick; refuses what was never on the grid.
    #[inline]
    pub fn ticks_from_f64(&self, price: f64) -> Result<Ticks> {
        let scaled = price / self.tick_f64;
        let nearest = round_half_away(scaled);
        if (scaled - nearest).abs() <= GRID_TOLERANCE && nearest.abs() < 9e15 {
            return Ok(Ticks(nearest as i64));
        }
        if !price.is_finite() {
            return Err(CoreError::new(
                Code::NumberNotFinite,
                format!("{} price {price}", self.symbol),
            ));
        }
        Err(CoreError::new(
            Code::PriceNotOnTick,
            format!(
                "{} price {price}, tick {}; nearest {}",
                self.symbol,
                self.tick_f64,
                nearest * self.tick_f64
            ),
        ))
    }

    /// A wished price onto the grid.
    pub fn quantise_price(&self, price: f64, rounding: Rounding) -> Result<Ticks> {
        self.onto_grid(price, self.tick_f64, rounding).map(Ticks)
    }

    /// A wished quantity onto the grid, always rounded towards zero: never more than wished.
    pub fn quantise_quantity(&self, quantity: f64) -> Result<Lots> {
        let lots = self.onto_grid(quantity.abs(), self.lot_f64, Rounding::Down)?;
        Ok(Lots(if quantity < 0.0 { -lots } else { lots }))
    }

    #[inline]
    fn onto_grid(&self, value: f64, step: f64, rounding: Rounding) -> Result<i64> {
        let scaled = value / step;
        if !scaled.is_finite() {
            return Err(CoreError::new(Code::NumberNotFinite, format!("{}: {value}", self.symbol)));
        }
        // 0.3 / 0.1 is 2.9999999999999996: what is within 1e-9 of the grid counts as on it.
        let nearest = round_half_away(scaled);
        let on_grid = (scaled - nearest).abs() <= 1e-9 * scaled.abs().max(1.0);
        let count = match rounding {
            _ if on_grid => nearest,
            Rounding::Down => scaled.floor(),
            Rounding::Up => scaled.ceil(),
            Rounding::Nearest => nearest,
        };
        if count.abs() < 9e15 {
            Ok(count as i64)
        } else {
            Err(CoreError::new(
                Code::NumberOutOfRange,
                format!("{}: {value} is too large", self.symbol),
            ))
        }
    }

    /// Price as a float, for models.
    #[inline]
    #[must_use]
    pub fn price_f64(&self, price: Ticks) -> f64 {
        price.0 as f64 * self.tick_f64
    }

    /// Quantity as a float, for models.
    #[inline]
    #[must_use]
    pub fn quantity_f64(&self, lots: Lots) -> f64 {
        lots.0 as f64 * self.lot_f64
    }

    /// Price as decimal text.
    #[must_use]
    pub fn price_decimal(&self, price: Ticks) -> String {
        format_decimal(i128::from(price.0) * self.tick_size, STEP_DECIMALS)
    }

    /// Quantity as decimal text.
    #[must_use]
    pub fn quantity_decimal(&self, lots: Lots) -> String {
        format_decimal(i128::from(lots.0) * self.lot_size, STEP_DECIMALS)
    }

    /// Whether an order is inside the venue's size filters; [`Self::check_size`] says why not.
    #[must_use]
    pub fn takes_size(&self, price: Ticks, lots: Lots) -> bool {
        (self.lots_min..=self.lots_max).contains(&lots)
            && self.notional(price, lots).is_ok_and(|value| value >= self.notional_min)
    }

    /// Refuse an order outside the venue's size filters. `price` values the order.
    pub fn check_size(&self, price: Ticks, lots: Lots) -> Result<()> {
        self.check_lots(lots)?;
        let value = self.notional(price, lots)?;
        if value < self.notional_min {
            let least = self.notional_min.to_decimal();
            return self.refuse_size(format!("value {} below {least}", value.to_decimal()));
        }
        Ok(())
    }

    /// The same for an order that only reduces a perpetual: venues ask no least value of it, so a
    /// position that lost value can be left.
    pub fn check_lots(&self, lots: Lots) -> Result<()> {
        if lots < self.lots_min || lots > self.lots_max {
            return self.refuse_size(format!(
                "quantity {} outside {} .. {}",
                self.quantity_decimal(lots),
                self.quantity_decimal(self.lots_min),
                self.quantity_decimal(self.lots_max)
            ));
        }
        Ok(())
    }

    fn refuse_size(&self, why: String) -> Result<()> {
        Err(CoreError::new(Code::OrderSizeInvalid, format!("{}: {why}", self.symbol)))
    }

    /// The tier that holds a position of this value; the last one for anything larger.
    #[must_use]
    pub fn tier(&self, notional: Money) -> Option<&MarginTier> {
        self.tiers.iter().find(|tier| notional <= tier.notional_max).or_else(|| self.tiers.last())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn btc() -> Instrument {
        match Instrument::new("BTCUSDT", Kind::LinearPerpetual, "0.10", "0.001") {
            Ok(instrument) => instrument,
            Err(error) => unreachable!("{error}"),
        }
    }

    #[test]
    fn money_is_one_integer_product() {
        let value = btc().notional(Ticks(600_000), Lots(1_500));
        assert_eq!(value, Money::parse("90000"));
    }

    #[test]
    fn off_grid_prices_are_refused_with_the_nearest() {
        let error = btc().price("60000.05").map_err(|e| (e.code, e.message));
        assert_eq!(
            error,
            Err((Code::PriceNotOnTick, "BTCUSDT price 60000.05, tick 0.1; nearest 60000.1".into()))
        );
        assert_eq!(btc().price("60000.10"), Ok(Ticks(600_001)));
        assert!(btc().ticks_from_f64(60_000.05).is_err());
        assert_eq!(btc().ticks_from_f64(60_000.1), Ok(Ticks(600_001)));
        assert!(btc().ticks_from_f64(f64::NAN).is_err());
    }

    #[test]
    fn wishes_are_rounded_as_named_and_sizes_never_up() {
        assert_eq!(btc().quantise_quantity(0.3), Ok(Lots(300)));
        assert_eq!(btc().quantise_quantity(0.0019999), Ok(Lots(1)));
        assert_eq!(btc().quantise_price(60_000.04, Rounding::Up), Ok(Ticks(600_001)));
    }

    #[test]
    fn too_fine_instruments_are_refused() {
        assert!(Instrument::new("X", Kind::Spot, "0.00000001", "0.00001").is_err());
        assert!(Instrument::new("X", Kind::Spot, "0", "1").is_err());
    }
}
