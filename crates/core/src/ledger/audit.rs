// SPDX-License-Identifier: Apache-2.0
//! The ledger looked at from outside: the identity recomputed from positions and marks alone, and
//! the canonical bytes that two equal runs share. Neither is on the path of an event.

use super::position::{sum, Position};
use super::{margin, Account, Ledger, Totals};
use crate::error::{Code, CoreError, Result};
use crate::hash;
use crate::instrument::Kind;
use crate::number::Money;

impl Ledger {
    /// Recompute everything from positions and marks and compare with the running sums.
    ///
    /// # Errors
    /// `LedgerBroken` with the first figure that differs. It means a bug: stop.
    pub fn check(&self) -> Result<()> {
        let mut found =
            Totals { cash: self.cash(), deposits: self.deposits(), ..Totals::default() };
        let mut value = self.cash().0;
        for Account { position, leverage, instrument } in &self.accounts {
            let worth = match position.mark {
                Some(mark) => instrument.notional(mark, position.lots)?,
                None => Money::ZERO,
            };
            let unrealised = worth.sub(position.cost)?;
            let margin = margin::initial_margin(instrument, *leverage, position)?;
            same(&instrument.symbol, position.unrealised, unrealised)?;
            same(&instrument.symbol, position.initial_margin, margin)?;
            found.realised = sum(found.realised, position.realised)?;
            found.fees = sum(found.fees, position.fees)?;
            found.funding = sum(found.funding, position.funding)?;
            found.liquidation_fees = sum(found.liquidation_fees, position.liquidation_fees)?;
            let flat = Position::default();
            let valued = Position { unrealised, ..*position };
            found.replace(instrument.kind, &flat, &valued)?;
            value += match instrument.kind {
                Kind::Spot => worth.0,
                Kind::LinearPerpetual => unrealised.0,
            };
        }
        if found != self.totals {
            let difference = format!("sums {:?}, positions give {found:?}", self.totals);
            return Err(CoreError::new(Code::LedgerBroken, difference));
        }
        let account = self.deposits().0 + self.realised().0 + self.unrealised().0
            - self.fees().0
            - self.liquidation_fees().0
            + self.funding_total().0;
        same("equity by holdings", self.equity(), Money(value))?;
        same("equity by account", self.equity(), Money(account))
    }

    /// Append the canonical form: all that future results depend on, instruments in the order
    /// they were added.
    pub fn canonical(&self, out: &mut Vec<u8>) {
        hash::put_text(out, "ledger/1");
        hash::put_u8(out, u8::from(self.may_borrow_spot));
        for amount in [self.totals.cash, self.totals.deposits] {
            hash::put_i128(out, amount.0);
        }
        self.drawdown.canonical(out);
        hash::put_len(out, self.accounts.len());
        for Account { position, leverage, instrument } in &self.accounts {
            hash::put_text(out, &instrument.symbol);
            hash::put_i64(out, leverage.0);
            hash::put_i64(out, position.lots.0);
            hash::put_optional_i64(out, position.mark.map(|mark| mark.0));
            put_amounts(out, position);
        }
    }

    /// Append what outlives a process: money and positions as fills, fees and payments made them.
    /// Marks, and the peaks that follow from them, are not in it.
    pub fn durable(&self, out: &mut Vec<u8>) {
        hash::put_text(out, "money/1");
        for amount in [self.totals.cash, self.totals.deposits] {
            hash::put_i128(out, amount.0);
        }
        let is_used = |position: &Position| {
            position.lots.0 != 0 || amounts(position).iter().any(|amount| amount.0 != 0)
        };
        let mut used: Vec<&Account> =
            self.accounts.iter().filter(|account| is_used(&account.position)).collect();
        used.sort_unstable_by(|left, right| left.instrument.symbol.cmp(&right.instrument.symbol));
        hash::put_len(out, used.len());
        for Account { position, instrument, .. } in used {
            hash::put_text(out, &instrument.symbol);
            hash::put_i64(out, position.lots.0);
            put_amounts(out, position);
        }
    }
}

const fn amounts(position: &Position) -> [Money; 5] {
    let Position { cost, realised, fees, funding, liquidation_fees, .. } = position;
    [*cost, *realised, *fees, *funding, *liquidation_fees]
}

fn put_amounts(out: &mut Vec<u8>, position: &Position) {
    for amount in amounts(position) {
        hash::put_i128(out, amount.0);
    }
}

fn same(what: &str, kept: Money, recomputed: Money) -> Result<()> {
    if kept == recomputed {
        return Ok(());
    }
    let (kept, recomputed) = (kept.to_decimal(), recomputed.to_decimal());
    Err(CoreError::new(Code::LedgerBroken, format!("{what}: kept {kept}, recomputed {recomputed}")))
}

#[cfg(test)]
mod tests {
    use super::super::{Fee, LiquidationPrice};
    use super::*;
    use crate::instrument::Instrument;
    use crate::number::{Lots, Rate, Side, Ticks};

    fn traded() -> Result<Ledger> {
        let mut ledger = Ledger::new(Money(1_000_000_000_000_000))?;
        let perpetual = Instrument::new("BTCUSDT", Kind::LinearPerpetual, "0.1", "0.001")?;
        let number = ledger.add_instrument(perpetual)?;
        ledger.fill(number, Side::Buy, Ticks(1_000), Lots(10), Fee::Rate(Rate(1_000)))?;
        ledger.funding(number, Rate(1_000), Ticks(1_000))?;
        ledger.liquidate(number, LiquidationPrice::Mark, Rate(1_000))?;
        ledger.fill(number, Side::Sell, Ticks(1_000), Lots(10), Fee::Rate(Rate(1_000)))?;
        Ok(ledger)
    }

    /// Shift each figure by one unit of 1e-12; the check must notice every one of them.
    #[test]
    fn one_unit_anywhere_breaks_the_check() {
        type Figure = fn(&mut Ledger) -> &mut Money;
        let figures: [Figure; 14] = [
            |ledger| &mut ledger.totals.cash,
            |ledger| &mut ledger.totals.deposits,
            |ledger| &mut ledger.totals.realised,
            |ledger| &mut ledger.totals.fees,
            |ledger| &mut ledger.totals.funding,
            |ledger| &mut ledger.totals.liquidation_fees,
            |ledger| &mut ledger.totals.used_margin,
            |ledger| &mut ledger.totals.unrealised[1],
            |ledger| &mut ledger.accounts[0].position.cost,
            |ledger| &mut ledger.accounts[0].position.realised,
            |ledger| &mut ledger.accounts[0].position.unrealised,
            |ledger| &mut ledger.accounts[0].position.fees,
            |ledger| &mut ledger.accounts[0].position.funding,
            |ledger| &mut ledger.accounts[0].position.initial_margin,
        ];
        assert_eq!(traded().and_then(|ledger| ledger.check()), Ok(()));
        for (number, figure) in figures.into_iter().enumerate() {
            let broken = traded().and_then(|mut ledger| {
                figure(&mut ledger).0 += 1;
                ledger.check()
            });
            assert_eq!(broken.map_err(|e| e.code), Err(Code::LedgerBroken), "figure {number}");
        }
    }
}
