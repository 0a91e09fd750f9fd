// SPDX-License-Identifier: Apache-2.0
//! What the venue does with a command that has arrived: check it as an exchange would, trade what
//! crosses, rest what may rest.

use crate::error::{Code, Result};
use crate::instrument::Kind;
use crate::number::{divide, Lots, Money, Rate, Rounding, Side, Ticks, RATE_SCALE};
use crate::order::{OrderType, TimeInForce};
use crate::sim::fact::{Command, Fact, NewOrder};
use crate::sim::market::{is_within, Market, VenueOrder};
use crate::sim::queue::QueuePlace;
use crate::sim::venue::SimVenue;

/// Why a new order is refused.
type Refusal = (Code, &'static str);

impl VenueOrder {
    /// The order as if it were sent now.
    const fn as_new(&self, instrument: usize) -> NewOrder {
        NewOrder {
            key: self.key,
            instrument,
            side: self.side,
            kind: self.kind,
            life: self.life,
            reduce_only: self.reduce_only,
            lots: self.remaining,
            price: self.price,
            trigger: self.trigger,
        }
    }
}

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
        if let Err((code, reason)) = self.check(new) {
            self.answer(Fact::Rejected { key, code, reason });
            return Ok(());
        }
        self.answer(Fact::Placed { key });
        let mut order = VenueOrder {
            key,
            side: new.side,
            kind: new.kind,
            life: new.life,
            reduce_only: new.reduce_only,
            lots: new.lots,
            remaining: new.lots,
            price: new.price,
            trigger: new.trigger,
            place: QueuePlace::default(),
        };
        match new.kind {
            OrderType::Market => self.cross(new.instrument, order, None),
            OrderType::Limit => self.cross(new.instrument, order, new.price),
            OrderType::Stop | OrderType::StopLimit | OrderType::TakeProfit => {
                let last = self.markets[new.instrument].last;
                if !last.is_some_and(|last| order.is_woken_by(last)) {
                    self.markets[new.instrument].rest(order);
                    return Ok(());
                }
                // The trigger has been passed already: it wakes on arrival.
                let limit = new.price.filter(|_| new.kind == OrderType::StopLimit);
                order.kind = if limit.is_some() { OrderType::Limit } else { OrderType::Market };
                self.cross(new.instrument, order, limit)
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
        let rules = &market.instrument;
        // Spot knows no reduce-only: what sells coins has a least value.
        let fits = match new.reduce_only && rules.kind != Kind::Spot {
            true => rules.check_lots(new.lots),
            false => rules.check_size(reference, new.lots),
        };
        if fits.is_err() {
            return Err((Code::OrderSizeInvalid, "quantity or value outside the filters"));
        }
        let reducible = self.reducible(new.instrument, new.side, new.lots);
        if new.reduce_only && reducible.0 == 0 && !is_stop {
            return Err((Code::ReduceOnlyViolated, "reduce-only: no position to reduce"));
        }
        let adds = Lots(new.lots.0 - self.unpromised(new, reducible).0);
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

    /// What is left of `reducible` after the spot sales that rest already: coins are sold once.
    fn unpromised(&self, new: &NewOrder, reducible: Lots) -> Lots {
        let market = &self.markets[new.instrument];
        if market.instrument.kind != Kind::Spot || new.side == Side::Buy {
            return reducible;
        }
        let is_sale = |order: &&VenueOrder| order.side == Side::Sell && !order.reduce_only;
        let promised: i64 =
            market.resting.iter().filter(is_sale).map(|order| order.remaining.0).sum();
        let coins = self.position_lots(new.instrument).0;
        Lots(reducible.0.min(coins.saturating_sub(promised).max(0)))
    }

    /// Free money against what opening `adds` binds together with all orders that rest: the whole
    /// value and the fee of a spot purchase, the coins of a spot sale, the initial margin of a
    /// perpetual.
    fn can_afford(&self, new: &NewOrder, reference: Ticks, adds: Lots) -> bool {
        let market = &self.markets[new.instrument];
        let spot_sale = market.instrument.kind == Kind::Spot && new.side == Side::Sell;
        if spot_sale {
            return false;
        }
        let Ok(value) = market.instrument.notional(reference, adds) else { return false };
        (0..self.markets.len())
            .try_fold(0_i128, |sum, index| {
                let extra = if index == new.instrument { value } else { Money::ZERO };
                sum.checked_add(self.bound_by_orders(index, new.side, extra)?)
            })
            .is_some_and(|bound| bound <= self.ledger.available().0)
    }

    /// Money that the resting orders of an instrument bind, and one more of value `extra`. Of
    /// buys and sells the larger side counts, because the other one would close it again; orders
    /// that only reduce bind nothing.
    fn bound_by_orders(&self, index: usize, side: Side, extra: Money) -> Option<i128> {
        let Market { instrument, resting, .. } = &self.markets[index];
        let mut sums = [0_i128; 2];
        sums[side as usize] = extra.0;
        let mut closing = [Side::Buy, Side::Sell].map(|s| self.reducible(index, s, Lots(i64::MAX)));
        for order in resting.iter().filter(|order| !order.reduce_only) {
            let free = &mut closing[order.side as usize];
            let closes = free.0.min(order.remaining.0);
            free.0 -= closes;
            let lots = Lots(order.remaining.0 - closes);
            let value = instrument.notional(order.price.or(order.trigger)?, lots).ok()?;
            sums[order.side as usize] = sums[order.side as usize].checked_add(value.0)?;
        }
        match instrument.kind {
            Kind::Spot => {
                let taker = self.fees[index].taker;
                let fee = Money(sums[0]).times_rate(taker, Rounding::Up).ok()?;
                sums[0].checked_add(fee.0.max(0))
            }
            Kind::LinearPerpetual => {
                let leverage = self.ledger.leverage(index).unwrap_or(Rate(1));
                let scaled = sums[0].max(sums[1]).checked_mul(RATE_SCALE)?;
                Some(divide(scaled, i128::from(leverage.0), Rounding::Up))
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
        let was_cut = self.book_executions(instrument)?;
        self.mark(instrument)?;
        if left.0 == 0 || was_cut {
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

    /// Change an order if the venue would take it as it then is. Less quantity keeps its place in
    /// the queue; more, or another price, goes to the end and trades what it crosses.
    fn amend(&mut self, key: u32, price: Option<Ticks>, lots: Option<Lots>) -> Result<()> {
        let found = (0..self.markets.len()).find_map(|index| {
            let mut resting = self.markets[index].resting.iter();
            resting.position(|order| order.key == key).map(|at| (index, at))
        });
        let Some((instrument, at)) = found else {
            let (code, reason) = (Code::OrderNotOpen, "the order is not open");
            self.answer(Fact::AmendRefused { key, code, reason });
            return Ok(());
        };
        let old = self.markets[instrument].resting.remove(at);
        let lots = lots.unwrap_or(old.lots);
        let remaining = Lots(old.remaining.0.saturating_add(lots.0).saturating_sub(old.lots.0));
        let order = VenueOrder { lots, remaining, price: price.or(old.price), ..old };
        let judged = if price.is_some() && !old.kind.has_price() {
            Err((Code::ParameterInvalid, "this order has no limit price to change"))
        } else if remaining.0 <= 0 {
            Err((Code::OrderSizeInvalid, "no more than what has traded already"))
        } else {
            self.check(&order.as_new(instrument))
        };
        if let Err((code, reason)) = judged {
            self.markets[instrument].resting.insert(at, old);
            self.answer(Fact::AmendRefused { key, code, reason });
            return Ok(());
        }
        self.answer(Fact::Amended { key, price: order.price, lots, remaining });
        let keeps_place = order.price == old.price && remaining <= old.remaining;
        if keeps_place || order.kind != OrderType::Limit {
            self.markets[instrument].resting.insert(at, order);
            return Ok(());
        }
        self.cross(instrument, order, order.price)
    }

    /// Remove a resting order.
    pub(super) fn take_out(&mut self, instrument: usize, key: u32) -> Option<VenueOrder> {
        let resting = &mut self.markets[instrument].resting;
        let place = resting.iter().position(|order| order.key == key)?;
        Some(resting.remove(place))
    }
}
