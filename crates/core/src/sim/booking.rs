// SPDX-License-Identifier: Apache-2.0
//! The venue's books: executions become fills, fees and answers; funding is settled; an account
//! that no longer carries its positions is closed. The ledger refuses what nobody could pay for;
//! then the order ends instead.

use crate::error::{Code, Result};
use crate::instrument::Kind;
use crate::ledger::{Fee, LiquidationPrice};
use crate::number::{Lots, Rate, Side};
use crate::sim::fact::{Fact, Fill};
use crate::sim::market::{Execution, VenueOrder};
use crate::sim::venue::SimVenue;

impl SimVenue {
    /// Turn found executions into money and answers. Returns whether an order was cut: it could
    /// not trade all it found and is gone.
    pub(super) fn book_executions(&mut self, instrument: usize) -> Result<bool> {
        if self.executions.is_empty() && self.markets[instrument].unfillable.is_empty() {
            return Ok(false);
        }
        let mut found = std::mem::take(&mut self.executions);
        let mut cut = None;
        for execution in &found {
            if cut != Some(execution.key) && self.book_one(instrument, execution)? {
                cut = Some(execution.key);
                self.markets[instrument].unfillable.retain(|rest| rest.0 != execution.key);
            }
        }
        found.clear();
        self.executions = found;
        while let Some((key, remaining)) = self.markets[instrument].unfillable.pop() {
            self.answer(Fact::Cancelled { key, reason: "no liquidity", remaining });
        }
        Ok(cut.is_some())
    }

    /// Book one execution, no more of it than the position allows a reduce-only order and the
    /// money allows a spot order. Returns whether the order ended here for that reason.
    fn book_one(&mut self, instrument: usize, execution: &Execution) -> Result<bool> {
        let &Execution { key, side, price, lots: wanted, remaining, is_maker, reduce_only } =
            execution;
        let mut lots = if reduce_only { self.reducible(instrument, side, wanted) } else { wanted };
        let mut reason = "reduce-only: no position left";
        if lots.0 > 0 {
            let fees = self.fees[instrument];
            let rate = if is_maker { fees.maker } else { fees.taker };
            match self.ledger.fill(instrument, side, price, lots, Fee::Rate(rate)) {
                Ok(effect) => {
                    let exec_id = self.next_exec_id();
                    let remaining = Lots(remaining.0 + wanted.0 - lots.0);
                    let fee = effect.fee;
                    let fill =
                        Fill { instrument, side, price, lots, remaining, fee, exec_id, is_maker };
                    self.answer(Fact::Filled { key, fill });
                }
                Err(error) if error.code == Code::InsufficientMargin => {
                    lots = Lots::ZERO;
                    reason = "not enough money or coins";
                }
                Err(error) => return Err(error),
            }
        }
        let dropped = wanted.0 - lots.0;
        if dropped > 0 {
            self.take_out(instrument, key);
            let remaining = Lots(remaining.0 + dropped);
            self.answer(Fact::Cancelled { key, reason, remaining });
        }
        Ok(dropped > 0)
    }

    /// Settle funding at the last price. The settlement is told on the way of all answers, so
    /// that nobody hears of it before the fills it was computed on.
    pub(super) fn settle_funding(
        &mut self,
        index: usize,
        instrument: usize,
        rate: Rate,
    ) -> Result<()> {
        if let Some(mark) = self.markets[instrument].published {
            self.ledger.funding(instrument, rate, mark)?;
            if self.streams[index].is_offered {
                self.offered += 1;
                self.answer(Fact::Funding { instrument, rate, mark });
            }
        }
        Ok(())
    }

    /// Value an open position at the last price and close what the account can no longer carry.
    pub(super) fn mark(&mut self, instrument: usize) -> Result<()> {
        let Some(last) = self.markets[instrument].last else { return Ok(()) };
        if self.position_lots(instrument).0 == 0 {
            return Ok(());
        }
        self.ledger.mark(instrument, last)?;
        if self.ledger.liquidation_due() {
            self.liquidate()?;
        }
        Ok(())
    }

    /// Equity no longer carries maintenance margin: cancel everything, close every perpetual at
    /// its last price, charge the liquidation fee. Coins stay.
    fn liquidate(&mut self) -> Result<()> {
        for instrument in 0..self.markets.len() {
            let orders = std::mem::take(&mut self.markets[instrument].resting);
            for VenueOrder { key, remaining, .. } in orders {
                self.answer(Fact::Cancelled { key, reason: "liquidation", remaining });
            }
            let position = self.position_lots(instrument);
            let is_linear = self.markets[instrument].instrument.kind == Kind::LinearPerpetual;
            let Some(price) = self.markets[instrument].last.filter(|_| position.0 != 0) else {
                continue;
            };
            if !is_linear {
                continue;
            }
            let side = if position.0 > 0 { Side::Sell } else { Side::Buy };
            let rate = self.fees[instrument].liquidation;
            self.ledger.mark(instrument, price)?;
            let fee = self.ledger.liquidate(instrument, LiquidationPrice::Mark, rate)?.fee;
            let (lots, exec_id) = (position.abs(), self.next_exec_id());
            let (remaining, is_maker) = (Lots::ZERO, false);
            let fill = Fill { instrument, side, price, lots, remaining, fee, exec_id, is_maker };
            self.answer(Fact::Liquidated { fill });
        }
        Ok(())
    }

    /// Signed position as the exchange counts it.
    #[must_use]
    pub fn position_lots(&self, instrument: usize) -> Lots {
        self.ledger.position(instrument).map_or(Lots::ZERO, |position| position.lots)
    }

    /// Lots of an order that would shrink the position.
    pub(super) fn reducible(&self, instrument: usize, side: Side, lots: Lots) -> Lots {
        let position = self.position_lots(instrument).0;
        let against = if side == Side::Buy { -position } else { position };
        Lots(lots.0.min(against.max(0)))
    }

    /// Number for the next execution.
    fn next_exec_id(&mut self) -> u64 {
        self.exec_id += 1;
        self.exec_id
    }
}
