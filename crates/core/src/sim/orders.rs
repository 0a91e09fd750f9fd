// SPDX-License-Identifier: Apache-2.0
//! What the venue does with a command that has arrived: check it as an exchange would, trade what
//! crosses, rest what may rest. Also the venue's own hand: liquidation.

use crate::error::{Code, Result};
use crate::instrument::Kind;
use crate::ledger::LiquidationPrice;
use crate::number::{Lots, Rate, Rounding, Side, Ticks};
use crate::order::{OrderType, TimeInForce};
use crate::sim::fact::{Command, Fact, NewOrder};
use crate::sim::market::{is_within, VenueOrder};
use crate::sim::queue::QueuePlace;
use crate::sim::venue::SimVenue;

/// Why a new order is refused.
type Refusal = (Code, &'static str);

impl SimVenue {
    pub(super) fn execute(&mut self, command: Command) -> Result<()> {
        match command {
            Command::Submit(order) => self.submit(&order),
            Command::Cancel { key } => {
                let found = (0..self.markets.len()).find_map(|index| self.take_out(index, key));
                self.answer(found.map_or(Fact::NotOpen { key }, |order| Fact::Cancelled {
                    key,
                    reason: "cancelled by request",
                    remaining: order.remaining,
                }));
                Ok(())
            }
            Command::Amend { key, price, lots } => self.amend(key, price, lots),
        }
    }

    fn submit(&mut self, new: &NewOrder) -> Result<()> {
        let key = new.key;
        if new.instrument >= self.markets.len() {
            let reason = "instrument is not listed here";
            self.answer(Fact::Rejected { key, code: Code::UnknownSymbol, reason });
            return Ok(());
        }
        self.catch_up(new.instrument)?;
        if let Err((code, reason)) = self.check(new) {
            self.answer(Fact::Rejected { key, code, reason });
            return Ok(());
        }
        self.answer(Fact::Placed { key });
        let order = VenueOrder {
            key,
            side: new.side,
            kind: new.kind,
            life: new.life,
            reduce_only: new.reduce_only,
            remaining: new.lots,
            price: new.price,
            trigger: new.trigger,
            place: QueuePlace::default(),
        };
        match new.kind {
            OrderType::Market => self.cross(new.instrument, order, None),
            OrderType::Limit => self.cross(new.instrument, order, new.price),
            OrderType::Stop | OrderType::StopLimit | OrderType::TakeProfit => {
                self.markets[new.instrument].rest(order);
                Ok(())
            }
        }
    }

    /// The filters of an exchange, in the order in which it applies them.
    fn check(&self, new: &NewOrder) -> std::result::Result<(), Refusal> {
        let market = &self.markets[new.instrument];
        let is_stop = !matches!(new.kind, OrderType::Market | OrderType::Limit);
        let needs_price = matches!(new.kind, OrderType::Limit | OrderType::StopLimit);
        if needs_price && new.price.is_none_or(|price| price.0 <= 0) {
            return Err((Code::ParameterInvalid, "limit order without a positive price"));
        }
        if is_stop && new.trigger.is_none_or(|trigger| trigger.0 <= 0) {
            return Err((Code::ParameterInvalid, "stop order without a positive trigger"));
        }
        let Some(reference) = new.price.or(new.trigger).or_else(|| market.touch(new.side)) else {
            return Err((Code::NoLiquidity, "nobody to trade with"));
        };
        if market.instrument.check_size(reference, new.lots).is_err() {
            return Err((Code::OrderSizeInvalid, "quantity or value outside the filters"));
        }
        let reducible = self.reducible(new.instrument, new.side, new.lots);
        if new.reduce_only && reducible.0 == 0 && !is_stop {
            return Err((Code::ReduceOnlyViolated, "reduce-only: no position to reduce"));
        }
        let adds = Lots(new.lots.0 - reducible.0);
        if !new.reduce_only && adds.0 > 0 && !self.can_afford(new, reference, adds) {
            return Err((Code::InsufficientMargin, "not enough free margin"));
        }
        let would_trade = || market.touch(new.side).zip(new.price);
        if new.life == TimeInForce::PostOnly
            && would_trade().is_some_and(|(touch, price)| is_within(new.side, touch, price))
        {
            return Err((Code::WouldTrade, "post-only order would have traded"));
        }
        Ok(())
    }

    /// Free money against what opening `adds` binds: the whole value of a spot purchase, the
    /// initial margin of a perpetual.
    fn can_afford(&self, new: &NewOrder, reference: Ticks, adds: Lots) -> bool {
        let instrument = &self.markets[new.instrument].instrument;
        let Ok(value) = instrument.notional(reference, adds) else { return false };
        match instrument.kind {
            Kind::Spot => new.side == Side::Buy && value <= self.ledger.available(),
            Kind::LinearPerpetual => {
                let leverage = self.ledger.leverage(new.instrument).unwrap_or(Rate(0));
                self.ledger
                    .available()
                    .times_rate(leverage, Rounding::Down)
                    .is_ok_and(|power| value <= power)
            }
        }
    }

    /// Trade what the market gives up to `limit`; then rest or cancel what is left.
    fn cross(
        &mut self,
        instrument: usize,
        mut order: VenueOrder,
        limit: Option<Ticks>,
    ) -> Result<()> {
        let key = order.key;
        let market = &mut self.markets[instrument];
        let left = market.take(&order, limit, &self.model, &mut self.executions);
        if order.life == TimeInForce::Fok && left.0 > 0 {
            self.executions.clear();
            let reason = "fill-or-kill: not fillable whole";
            self.answer(Fact::Cancelled { key, reason, remaining: order.remaining });
            return Ok(());
        }
        self.book_executions(instrument)?;
        if left.0 == 0 {
            return Ok(());
        }
        order.remaining = left;
        let may_rest = limit.is_some()
            && matches!(order.life, TimeInForce::Gtc | TimeInForce::PostOnly)
            && !(order.reduce_only && self.reducible(instrument, order.side, left).0 == 0);
        if may_rest {
            self.markets[instrument].rest(order);
        } else {
            self.answer(Fact::Cancelled { key, reason: "no liquidity", remaining: left });
        }
        Ok(())
    }

    fn amend(&mut self, key: u32, price: Option<Ticks>, lots: Option<Lots>) -> Result<()> {
        let is_valid = price.is_none_or(|price| price.0 > 0) && lots.is_none_or(|lots| lots.0 > 0);
        let found = (0..self.markets.len())
            .filter(|_| is_valid)
            .find_map(|index| self.take_out(index, key).map(|order| (index, order)));
        let Some((instrument, mut order)) = found else {
            self.answer(Fact::NotOpen { key });
            return Ok(());
        };
        let keeps_place = price.is_none_or(|price| Some(price) == order.price)
            && lots.is_none_or(|lots| lots <= order.remaining);
        order.remaining = lots.unwrap_or(order.remaining);
        order.price = price.or(order.price);
        self.answer(Fact::Placed { key });
        if keeps_place || order.kind != OrderType::Limit {
            self.markets[instrument].resting.push(order);
            return Ok(());
        }
        let limit = order.price;
        self.cross(instrument, order, limit)
    }

    /// Lots of an order that would shrink the position.
    pub(super) fn reducible(&self, instrument: usize, side: Side, lots: Lots) -> Lots {
        let position = self.position_lots(instrument).0;
        let against = if side == Side::Buy { -position } else { position };
        Lots(lots.0.min(against.max(0)))
    }

    /// Remove a resting order.
    pub(super) fn take_out(&mut self, instrument: usize, key: u32) -> Option<VenueOrder> {
        let resting = &mut self.markets[instrument].resting;
        let place = resting.iter().position(|order| order.key == key)?;
        Some(resting.remove(place))
    }

    /// Equity no longer carries maintenance margin: cancel everything, close every position at
    /// the last price, charge the liquidation fee.
    pub(super) fn liquidate(&mut self) -> Result<()> {
        for instrument in 0..self.markets.len() {
            let orders = std::mem::take(&mut self.markets[instrument].resting);
            for order in orders {
                let (key, remaining) = (order.key, order.remaining);
                self.answer(Fact::Cancelled { key, reason: "liquidation", remaining });
            }
            let position = self.position_lots(instrument);
            let Some(price) = self.markets[instrument].last.filter(|_| position.0 != 0) else {
                continue;
            };
            let side = if position.0 > 0 { Side::Sell } else { Side::Buy };
            let rate = self.fees[instrument].liquidation;
            let fee = self.ledger.liquidate(instrument, LiquidationPrice::Mark, rate)?.fee;
            let (lots, exec_id) = (position.abs(), self.next_exec_id());
            self.answer(Fact::Liquidated { instrument, side, price, lots, fee, exec_id });
        }
        Ok(())
    }
}
