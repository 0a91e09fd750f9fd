// SPDX-License-Identifier: Apache-2.0
//! Margin, liquidation and their prices, for linear perpetuals with the venue's risk tiers.
//! Isolated formulas go by entry value: `IM = value / leverage` (at least the tier's rate),
//! `MM = value * rate - deduction`, liquidation at `entry -/+ (IM - MM) / q`, bankruptcy at
//! `entry -/+ IM / q`. The account as a whole is cross: it is due when equity at the marks,
//! coins included, is below the sum of maintenance at the marks. An instrument without tiers
//! needs no maintenance. Closing fees are not reserved.

use super::position::{bounded, scale, sum, Position};
use super::{invalid, unknown, Account, FillEffect, Ledger, Trade, UNLEVERED};
use crate::error::Result;
use crate::instrument::{Instrument, Kind};
use crate::number::{divide, Lots, Money, Rate, Rounding, Ticks};

/// Where a forced close is priced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LiquidationPrice {
    /// At the mark.
    Mark,
    /// At the bankruptcy price, on the tick that is worse for the account.
    Bankruptcy,
}

/// Initial margin of `position`, by entry value.
pub(super) fn initial_margin(
    instrument: &Instrument,
    leverage: Rate,
    position: &Position,
) -> Result<Money> {
    if instrument.kind == Kind::Spot || position.lots.0 == 0 {
        return Ok(Money::ZERO);
    }
    let value = position.cost.abs();
    let wished = scale(value, UNLEVERED.0, leverage.0, Rounding::Up)?;
    let least = match instrument.tier(value) {
        Some(tier) => scale(value, tier.initial_rate.0, UNLEVERED.0, Rounding::Up)?,
        None => Money::ZERO,
    };
    Ok(wished.max(least))
}

/// Maintenance margin of a linear position worth `value`; zero for spot.
fn maintenance(instrument: &Instrument, value: Money) -> Result<Money> {
    match (instrument.kind, instrument.tier(value)) {
        (Kind::LinearPerpetual, Some(tier)) => {
            let full = scale(value, tier.maintenance_rate.0, UNLEVERED.0, Rounding::Up)?;
            Ok(full.sub(tier.deduction)?.max(Money::ZERO))
        }
        _ => Ok(Money::ZERO),
    }
}

impl Ledger {
    /// Set the leverage of a linear instrument, in 1e-12 (`Rate::parse("10")`); at least 1. Margin
    /// of an open position follows at once.
    pub fn set_leverage(&mut self, instrument: usize, leverage: Rate) -> Result<()> {
        let account = self.accounts.get_mut(instrument).ok_or_else(|| unknown(instrument))?;
        if account.instrument.kind == Kind::Spot || leverage < UNLEVERED {
            return Err(invalid(format!(
                "{}: leverage {}; only perpetuals, at least 1",
                account.instrument.symbol,
                leverage.to_decimal()
            )));
        }
        let margin = initial_margin(&account.instrument, leverage, &account.position)?;
        let used = self.totals.used_margin.0 + margin.0 - account.position.initial_margin.0;
        self.totals.used_margin = bounded(Some(used))?;
        account.position.initial_margin = margin;
        account.leverage = leverage;
        Ok(())
    }

    /// Leverage of an instrument, in 1e-12.
    #[must_use]
    pub fn leverage(&self, instrument: usize) -> Option<Rate> {
        self.accounts.get(instrument).map(|account| account.leverage)
    }

    /// Initial margin bound by all positions.
    #[must_use]
    pub const fn used_margin(&self) -> Money {
        self.totals.used_margin
    }

    /// What may be spent, posted or withdrawn: cash plus unrealised profit of perpetuals minus
    /// used margin. Coins do not count. Negative when overdrawn.
    #[must_use]
    pub fn available(&self) -> Money {
        let [_, linear] = self.totals.unrealised;
        Money(self.totals.cash.0 + linear.0 - self.totals.used_margin.0)
    }

    /// Maintenance margin of one position by entry value, for the isolated formulas.
    pub fn maintenance_margin(&self, instrument: usize) -> Result<Money> {
        let account = self.account(instrument)?;
        maintenance(&account.instrument, account.position.cost.abs())
    }

    /// Maintenance margin of all positions at their marks.
    pub fn maintenance_total(&self) -> Result<Money> {
        self.accounts.iter().filter(|account| account.position.lots.0 != 0).try_fold(
            Money::ZERO,
            |total, account| {
                sum(total, maintenance(&account.instrument, account.position.notional())?)
            },
        )
    }

    /// Whether equity at the marks is below the maintenance margin of all positions. A venue asks
    /// after marks. Without an open perpetual nothing is due.
    #[must_use]
    pub fn liquidation_due(&self) -> bool {
        let has_linear = self.accounts.iter().any(|account| {
            account.instrument.kind == Kind::LinearPerpetual && account.position.lots.0 != 0
        });
        // Maintenance that leaves the exact range exceeds every equity.
        has_linear && self.maintenance_total().map_or(true, |needed| self.equity() < needed)
    }

    /// Price in quote per base coin at which an isolated position is liquidated; `None` for spot,
    /// while flat, and where no positive price does it.
    pub fn liquidation_price(&self, instrument: usize) -> Result<Option<Money>> {
        let account = self.account(instrument)?;
        let cushion = account.position.initial_margin.sub(self.maintenance_margin(instrument)?)?;
        Ok(account.price_after_losing(cushion))
    }

    /// Price in quote per base coin at which an isolated position has lost its initial margin;
    /// `None` as for [`Ledger::liquidation_price`].
    pub fn bankruptcy_price(&self, instrument: usize) -> Result<Option<Money>> {
        let account = self.account(instrument)?;
        Ok(account.price_after_losing(account.position.initial_margin))
    }

    /// Close a whole perpetual position by force. The fee, `fee_rate` of the closed value rounded
    /// up, is recorded apart from trading fees. A loss beyond the cash stays visible as negative
    /// cash; no insurance fund is modelled.
    ///
    /// # Errors
    /// `ParameterInvalid` for spot and while flat.
    pub fn liquidate(
        &mut self,
        instrument: usize,
        at: LiquidationPrice,
        fee_rate: Rate,
    ) -> Result<FillEffect> {
        let account = self.account(instrument)?;
        let (rules, position) = (&account.instrument, &account.position);
        let price = match (rules.kind, position.mark, at) {
            (Kind::LinearPerpetual, Some(mark), LiquidationPrice::Mark) => Some(mark),
            (Kind::LinearPerpetual, _, LiquidationPrice::Bankruptcy) => account.bankruptcy_ticks(),
            _ => None,
        };
        let (Some(price), true) = (price, position.lots.0 != 0) else {
            return Err(invalid(format!("{}: no position to liquidate", rules.symbol)));
        };
        let lots = Lots(-position.lots.0);
        let value = bounded(Some(rules.notional(price, lots)?.0))?;
        let fee = scale(value.abs(), fee_rate.0, UNLEVERED.0, Rounding::Up)?;
        self.settle(instrument, &Trade { price, lots, value, fee, is_liquidation: true })
    }
}

impl Account {
    /// Value of the whole position, without sign, once it has lost `cushion`.
    fn value_after_losing(&self, cushion: Money) -> Money {
        let direction = i128::from(self.position.lots.0.signum());
        Money(self.position.cost.0.abs() - direction * cushion.0)
    }

    fn price_after_losing(&self, cushion: Money) -> Option<Money> {
        if self.instrument.kind == Kind::Spot {
            return None;
        }
        let value = self.value_after_losing(cushion);
        self.position.price_of(&self.instrument, value).filter(|price| price.0 > 0)
    }

    fn bankruptcy_ticks(&self) -> Option<Ticks> {
        let lots = self.position.lots.0;
        let per_tick = i128::from(lots.abs()).checked_mul(self.instrument.unit_value().0)?;
        let rounding = if lots > 0 { Rounding::Down } else { Rounding::Up };
        let value = self.value_after_losing(self.position.initial_margin);
        let ticks = (per_tick > 0).then(|| divide(value.0, per_tick, rounding).max(1))?;
        i64::try_from(ticks).ok().map(Ticks)
    }
}
