// SPDX-License-Identifier: Apache-2.0
//! One position and what a trade does to it. The average entry is never stored: the position
//! keeps its exact signed cost, so adding is an integer sum. A reduce takes the share of the cost
//! that belongs to the closed lots, rounded once; the rest stays, so cost removed and cost left
//! always add up. A close takes everything, whatever was rounded before.
//!
//! Rounding bound. Let `e` be our cost minus the cost in exact rationals. Adding leaves `e` alone.
//! Reducing by the fraction `f` gives `e' = (1 - f) e + d` with `|d| <= 1/2` unit of 1e-12, and
//! closing gives 0. So `|e| <= n / 2` units after `n` reduces since the position was last flat.
//! Realised profit is (closing value - removed cost) and cost is (opening value - removed cost):
//! realised minus cost holds only exact products, hence the error of realised is `e` as well.
//! Realised profit of a position that is flat is exact.

use crate::error::{Code, CoreError, Result};
use crate::instrument::Instrument;
use crate::number::{divide, Lots, Money, Rounding, Ticks, MONEY_SCALE};

/// Largest amount the ledger holds in any one place: 10 trillion quote. It leaves room to scale
/// any sum of a few amounts by 1e12 inside an `i128`, so that readings cannot overflow.
pub const AMOUNT_MAX: i128 = 10_i128.pow(25);
/// Largest position; the same as an instrument's largest order.
const LOTS_MAX: i64 = i64::MAX / 4;

/// Refuse an amount that leaves the ledger's range.
#[inline]
pub(super) fn bounded(amount: Option<i128>) -> Result<Money> {
    match amount {
        Some(value) if (-AMOUNT_MAX..=AMOUNT_MAX).contains(&value) => Ok(Money(value)),
        _ => Err(too_large()),
    }
}

/// Sum of two amounts, in range or refused.
#[inline]
pub(super) fn sum(left: Money, right: Money) -> Result<Money> {
    bounded(left.0.checked_add(right.0))
}

#[cold]
fn too_large() -> CoreError {
    CoreError::new(Code::NumberOutOfRange, "amount beyond 10 trillion quote; ledger unchanged")
}

/// `amount * part / whole` rounded once, for any `part` and positive `whole`. Splitting off the
/// whole quotient keeps the product small: the remainder's product is below 2^126.
pub(super) fn scale(amount: Money, part: i64, whole: i64, rounding: Rounding) -> Result<Money> {
    let (part, whole) = (i128::from(part), i128::from(whole));
    let (quotient, rest) = (amount.0 / whole, amount.0 % whole);
    let rounded = divide(rest * part, whole, rounding);
    bounded(quotient.checked_mul(part).and_then(|product| product.checked_add(rounded)))
}

/// State of one instrument in the ledger. Read it through [`super::Ledger::position`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Position {
    /// Held quantity: positive long, negative short.
    pub lots: Lots,
    /// Signed value paid for what is held: `lots * average entry`, exactly as it was paid.
    pub cost: Money,
    /// Last mark; the first fill's price until there is one.
    pub mark: Option<Ticks>,
    /// Value at the mark minus cost.
    pub unrealised: Money,
    /// Profit of all closed lots, before fees and funding.
    pub realised: Money,
    /// Trading fees paid; negative if rebates prevail.
    pub fees: Money,
    /// Funding received; negative if paid.
    pub funding: Money,
    /// Fees paid for liquidations.
    pub liquidation_fees: Money,
    /// Margin bound by the position, by entry value. Zero for spot.
    pub initial_margin: Money,
    /// Value of the whole position per tick of price; spares a product at each mark.
    pub(super) value_per_tick: i128,
}

/// What a trade does to the position itself.
pub(super) struct Traded {
    pub position: Position,
    pub realised: Money,
    pub was_flip: bool,
}

impl Position {
    /// The position after trading `traded` (signed) lots at `price`, worth `value` (signed).
    pub(super) fn trade(
        &self,
        instrument: &Instrument,
        price: Ticks,
        traded: Lots,
        value: Money,
    ) -> Result<Traded> {
        let lots = self.lots.add(traded)?;
        if lots.0.unsigned_abs() > LOTS_MAX.unsigned_abs() {
            return Err(CoreError::new(
                Code::NumberOutOfRange,
                format!("{}: position of more than {LOTS_MAX} lots", instrument.symbol),
            ));
        }
        let is_reduce = self.lots.0 != 0 && (self.lots.0 > 0) != (traded.0 > 0);
        let closed = if is_reduce { self.lots.0.abs().min(traded.0.abs()) } else { 0 };
        let was_flip = is_reduce && lots.0 != 0 && (lots.0 > 0) == (traded.0 > 0);
        let (cost, realised) = if !is_reduce {
            (sum(self.cost, value)?, Money::ZERO)
        } else if closed == self.lots.0.abs() {
            let opened = instrument.notional(price, lots)?;
            (opened, Money(opened.0 - value.0 - self.cost.0))
        } else {
            let removed = scale(self.cost, closed, self.lots.0.abs(), Rounding::Nearest)?;
            (self.cost.sub(removed)?, Money(-value.0 - removed.0))
        };
        let mut position = *self;
        position.lots = lots;
        position.cost = cost;
        position.realised = sum(self.realised, realised)?;
        position.mark = self.mark.or(Some(price));
        position.value_per_tick =
            i128::from(lots.0).checked_mul(instrument.unit_value().0).ok_or_else(too_large)?;
        position.unrealised = position.unrealised_at(position.mark.unwrap_or(price))?;
        Ok(Traded { position, realised, was_flip })
    }

    /// Signed value at `price`.
    #[inline]
    pub(super) fn value_at(&self, price: Ticks) -> Result<Money> {
        let price = i128::from(price.0);
        // Nearly every position fits 64 bits per tick; then the product cannot overflow.
        match i64::try_from(self.value_per_tick) {
            Ok(small) => bounded(Some(i128::from(small) * price)),
            Err(_) => bounded(self.value_per_tick.checked_mul(price)),
        }
    }

    /// Value at `price` minus cost.
    #[inline]
    pub(super) fn unrealised_at(&self, price: Ticks) -> Result<Money> {
        bounded(Some(self.value_at(price)?.0 - self.cost.0))
    }

    /// Value at the mark without sign; zero while flat.
    #[must_use]
    pub fn notional(&self) -> Money {
        Money((self.cost.0 + self.unrealised.0).abs())
    }

    /// Average entry in quote per base coin, nearest 1e-12; `None` while flat.
    #[must_use]
    pub fn average_price(&self, instrument: &Instrument) -> Option<Money> {
        self.price_of(instrument, self.cost.abs())
    }

    /// Quote per base coin if the whole position is worth `value`, nearest 1e-12.
    pub(super) fn price_of(&self, instrument: &Instrument, value: Money) -> Option<Money> {
        let base = i128::from(self.lots.0.abs()).checked_mul(instrument.lot_size)?;
        let scaled = value.0.checked_mul(MONEY_SCALE)?;
        (base > 0).then(|| Money(divide(scaled, base, Rounding::Nearest)))
    }
}
