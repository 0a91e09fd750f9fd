// SPDX-License-Identifier: Apache-2.0
//! Price-time matching of many participants' orders in one symbol. A call takes a request and
//! pushes facts into the caller's Vec; there is no other output and no allocation once the slabs
//! are warm. Orders that wait for a trigger sleep in two more queues and wake, one at a time,
//! after the order that moved the price is done. It keeps no accounts: who may reduce what, fees
//! and time are the caller's.

use crate::error::Code;
use crate::levels::{Best, Queues, Slab, NIL};
use crate::number::{Lots, Side, Ticks};

mod batch;
pub mod message;

pub use message::{Change, Fact, NewOrder, OpenOrder, Reason, TimeInForce, Trigger};

const BIDS: usize = 0;
const ASKS: usize = 1;
const RISING: usize = 2;
const FALLING: usize = 3;
/// Slots of the two kinds of terms that a resting order can have.
const PLAIN: u32 = NIL;
const POST_ONLY: u32 = 1;

/// What an order does once it is awake. Resting orders share the two first slots.
#[derive(Debug, Clone, Copy)]
struct Terms {
    side: Side,
    price: Option<Ticks>,
    time_in_force: TimeInForce,
}

/// An order on its way into the book.
#[derive(Debug, Clone, Copy)]
struct Taker {
    slot: u32,
    owner: u32,
    lots: i64,
    terms: Terms,
}

impl Taker {
    #[inline]
    fn reaches(&self, maker: Ticks) -> bool {
        match (self.terms.price, self.terms.side) {
            (None, _) => true,
            (Some(limit), Side::Buy) => maker <= limit,
            (Some(limit), Side::Sell) => maker >= limit,
        }
    }
}

/// The order book of one symbol with everybody's orders.
#[derive(Debug, Clone)]
pub struct MatchingEngine {
    queues: Queues<4>,
    terms: Slab<Terms>,
    last: Option<Ticks>,
    /// Lowest and highest trade since the sleeping orders were last looked at.
    touched: (Ticks, Ticks),
    trades: u64,
    prevents_self_match: bool,
}

const UNTOUCHED: (Ticks, Ticks) = (Ticks(i64::MAX), Ticks(i64::MIN));

impl MatchingEngine {
    /// An empty book. With `prevents_self_match` a resting order is cancelled where it would meet
    /// an order of its own owner.
    #[must_use]
    pub fn new(prevents_self_match: bool) -> Self {
        let plain = Terms { side: Side::Buy, price: None, time_in_force: TimeInForce::Gtc };
        let mut terms = Slab::new(plain);
        terms.append(Terms { time_in_force: TimeInForce::PostOnly, ..plain });
        Self {
            queues: Queues::new([Best::Highest, Best::Lowest, Best::Lowest, Best::Highest]),
            terms,
            last: None,
            touched: UNTOUCHED,
            trades: 0,
            prevents_self_match,
        }
    }

    /// Enter an order and return its id. Facts tell what became of it, rejection included.
    #[inline]
    pub fn submit(&mut self, order: &NewOrder, facts: &mut Vec<Fact>) -> u64 {
        let slot = self.queues.reserve();
        let id = self.queues.id(slot);
        let lots = match self.check(order, slot) {
            Ok(lots) => lots,
            Err(code) => {
                facts.push(Fact::Rejected { id, code });
                if slot != NIL {
                    self.queues.close(slot);
                }
                return id;
            }
        };
        let terms =
            Terms { side: order.side, price: order.price, time_in_force: order.time_in_force };
        let taker = Taker { slot, owner: order.owner, lots, terms };
        match order.trigger {
            Some(trigger) => self.sleep(&taker, trigger, facts),
            None => {
                self.enter(&taker, facts);
                self.wake(facts);
            }
        }
        id
    }

    /// Cancel an open order, resting or asleep. False, with a rejection, if it is not open.
    #[inline]
    pub fn cancel(&mut self, id: u64, facts: &mut Vec<Fact>) -> bool {
        let Some(slot) = self.queues.slot(id) else {
            return self.reject_absent(id, facts);
        };
        self.end(slot, Reason::Requested, facts);
        true
    }

    /// Change an open order. Less quantity at the same price keeps its place in the queue; more
    /// quantity or another price sends it to the end, and it may trade on the way. A new trigger
    /// sends a sleeping order to the end of that trigger's queue. False, with a rejection and
    /// nothing changed, if the request cannot be met.
    pub fn amend(&mut self, id: u64, change: Change, facts: &mut Vec<Fact>) -> bool {
        let Some(slot) = self.queues.slot(id) else {
            return self.reject_absent(id, facts);
        };
        let bad_price = [change.price, change.trigger].iter().flatten().any(|price| price.0 <= 0);
        let done = if change.lots.is_some_and(|lots| lots.0 <= 0) {
            Err(Code::OrderSizeInvalid)
        } else if bad_price {
            Err(Code::ParameterInvalid)
        } else if self.queues.place(slot).0 >= RISING {
            self.amend_asleep(slot, change, facts)
        } else {
            self.amend_resting(slot, change, facts)
        };
        if let Err(code) = done {
            facts.push(Fact::Rejected { id, code });
        }
        done.is_ok()
    }

    /// Best price of the bids (`Buy`) or asks (`Sell`).
    #[inline]
    #[must_use]
    pub fn best(&self, side: Side) -> Option<Ticks> {
        self.queues.ladder(side as usize).best().map(|(price, _)| price)
    }

    /// Levels of one side, best first: price, quantity, number of orders.
    pub fn depth(&self, side: Side) -> impl Iterator<Item = (Ticks, Lots, usize)> + '_ {
        self.queues.ladder(side as usize).iter().map(|(price, level)| {
            let (lots, count) = self
                .queues
                .level(level)
                .fold((0_i64, 0), |(sum, count), row| (sum.saturating_add(row.1.lots), count + 1));
            (price, Lots(lots), count)
        })
    }

    /// All open orders: bids, asks, sleepers that wait for a rise, for a fall; each by priority.
    pub fn open_orders(&self) -> impl Iterator<Item = OpenOrder> + '_ {
        [BIDS, ASKS, RISING, FALLING].into_iter().flat_map(move |queue| {
            let levels = self.queues.ladder(queue).iter();
            levels.flat_map(|(_, level)| self.queues.level(level)).map(|(slot, _)| self.view(slot))
        })
    }

    /// An open order by its id.
    #[must_use]
    pub fn order(&self, id: u64) -> Option<OpenOrder> {
        self.queues.slot(id).map(|slot| self.view(slot))
    }

    /// Who sent an order that rests, or rested until the last call closed it: what a caller needs
    /// to read that call's facts. Says nothing of an order that never rested.
    #[inline]
    #[must_use]
    pub fn owner(&self, id: u64) -> u32 {
        self.queues.order(id as u32).owner
    }

    /// Id of the order whose id ends in `slot`; for a caller that keeps the lower half of ids.
    #[inline]
    #[must_use]
    pub fn id_at(&self, slot: u32) -> u64 {
        self.queues.id(slot)
    }

    /// Number of open orders, sleeping ones included.
    #[must_use]
    pub const fn open_count(&self) -> usize {
        self.queues.count()
    }

    /// Price of the last trade.
    #[must_use]
    pub const fn last_price(&self) -> Option<Ticks> {
        self.last
    }

    /// Number of trades since the start.
    #[must_use]
    pub const fn trades(&self) -> u64 {
        self.trades
    }

    /// The quantity to enter, or why not.
    #[inline]
    fn check(&self, order: &NewOrder, slot: u32) -> Result<i64, Code> {
        if slot == NIL {
            return Err(Code::NumberOutOfRange);
        }
        if order.lots.0 <= 0 {
            return Err(Code::OrderSizeInvalid);
        }
        if order.price.is_some_and(|price| price.0 <= 0)
            || (order.price.is_none() && order.time_in_force == TimeInForce::PostOnly)
        {
            return Err(Code::ParameterInvalid);
        }
        if let Some(trigger) = order.trigger {
            self.check_trigger(trigger)?;
        }
        match order.reducible {
            None => Ok(order.lots.0),
            Some(allowed) if allowed.0 <= 0 => Err(Code::ReduceOnlyViolated),
            Some(allowed) => Ok(order.lots.0.min(allowed.0)),
        }
    }

    fn check_trigger(&self, trigger: Trigger) -> Result<(), Code> {
        let (price, reached) = match trigger {
            Trigger::Rising(price) => (price, self.last.is_some_and(|last| last >= price)),
            Trigger::Falling(price) => (price, self.last.is_some_and(|last| last <= price)),
        };
        match (price.0 > 0, reached) {
            (false, _) => Err(Code::ParameterInvalid),
            (true, true) => Err(Code::WouldTrigger),
            (true, false) => Ok(()),
        }
    }

    /// Match an order that is awake, then let the rest wait or end.
    fn enter(&mut self, taker: &Taker, facts: &mut Vec<Fact>) {
        let id = self.queues.id(taker.slot);
        let terms = &taker.terms;
        let refusal = match terms.time_in_force {
            TimeInForce::PostOnly if self.crosses(taker) => {
                Some(Fact::Rejected { id, code: Code::WouldTrade })
            }
            TimeInForce::Fok if !self.is_fillable(taker) => {
                let (lots, reason) = (Lots(taker.lots), Reason::NotFillable);
                Some(Fact::Cancelled { id, lots, reason })
            }
            _ => None,
        };
        if let Some(fact) = refusal {
            facts.push(fact);
            return self.queues.close(taker.slot);
        }
        let left = self.take(taker, id, facts);
        let rest_terms = match terms.time_in_force {
            TimeInForce::PostOnly => POST_ONLY,
            _ => PLAIN,
        };
        match (terms.price, terms.time_in_force) {
            _ if left == 0 => self.queues.close(taker.slot),
            (Some(price), TimeInForce::Gtc | TimeInForce::PostOnly) => {
                let order = self.queues.order_mut(taker.slot);
                (order.lots, order.owner, order.terms) = (left, taker.owner, rest_terms);
                self.queues.push(taker.slot, terms.side as usize, price);
                facts.push(Fact::Placed { id, side: terms.side, price, lots: Lots(left) });
            }
            _ => {
                let (lots, reason) = (Lots(left), Reason::NoLiquidity);
                facts.push(Fact::Cancelled { id, lots, reason });
                self.queues.close(taker.slot);
            }
        }
    }

    /// Trade against the other side, best price and oldest order first; returns what is left.
    fn take(&mut self, taker: &Taker, id: u64, facts: &mut Vec<Fact>) -> i64 {
        let makers = taker.terms.side.opposite() as usize;
        let mut left = taker.lots;
        while left > 0 {
            let Some((price, slot)) = self.queues.first(makers) else { break };
            if !taker.reaches(price) {
                break;
            }
            if self.is_same_owner(taker.owner, slot) {
                self.end(slot, Reason::SelfMatch, facts);
                continue;
            }
            let maker = self.queues.id(slot);
            let order = self.queues.order_mut(slot);
            let lots = left.min(order.lots);
            left -= lots;
            order.lots -= lots;
            if order.lots == 0 {
                self.queues.unlink(slot);
                self.queues.close(slot);
            }
            let side = taker.terms.side;
            facts.push(Fact::Fill { maker, taker: id, side, price, lots: Lots(lots) });
            self.trades += 1;
            self.last = Some(price);
            self.touched = (self.touched.0.min(price), self.touched.1.max(price));
        }
        left
    }

    fn crosses(&self, taker: &Taker) -> bool {
        self.best(taker.terms.side.opposite()).is_some_and(|price| taker.reaches(price))
    }

    /// Could the whole order trade at once? Own orders do not count where they would be cancelled.
    fn is_fillable(&self, taker: &Taker) -> bool {
        let makers = self.queues.ladder(taker.terms.side.opposite() as usize).iter();
        let mut missing = taker.lots;
        for (_, level) in makers.take_while(|(price, _)| taker.reaches(*price)) {
            for (slot, order) in self.queues.level(level) {
                if !self.is_same_owner(taker.owner, slot) {
                    missing -= missing.min(order.lots);
                }
                if missing == 0 {
                    return true;
                }
            }
        }
        false
    }

    #[inline]
    fn is_same_owner(&self, owner: u32, slot: u32) -> bool {
        self.prevents_self_match && owner != 0 && self.queues.order(slot).owner == owner
    }

    fn sleep(&mut self, taker: &Taker, trigger: Trigger, facts: &mut Vec<Fact>) {
        let terms = self.terms.insert(taker.terms);
        let order = self.queues.order_mut(taker.slot);
        (order.lots, order.owner, order.terms) = (taker.lots, taker.owner, terms);
        let (queue, price) = match trigger {
            Trigger::Rising(price) => (RISING, price),
            Trigger::Falling(price) => (FALLING, price),
        };
        self.queues.push(taker.slot, queue, price);
        self.tell_placed(taker.slot, facts);
    }

    /// Wake every order whose trigger was touched: risers before fallers, nearest trigger first,
    /// then first come. What one of them trades may wake more.
    #[inline]
    fn wake(&mut self, facts: &mut Vec<Fact>) {
        while let Some(slot) = self.next_due() {
            let order = *self.queues.order(slot);
            let terms = *self.terms.at(order.terms);
            self.terms.release(order.terms);
            self.queues.unlink(slot);
            facts.push(Fact::Triggered { id: self.queues.id(slot) });
            self.enter(&Taker { slot, owner: order.owner, lots: order.lots, terms }, facts);
        }
        self.touched = UNTOUCHED;
    }

    #[inline]
    fn next_due(&self) -> Option<u32> {
        let (low, high) = self.touched;
        let rising = self.queues.first(RISING).filter(|(trigger, _)| *trigger <= high);
        let falling = || self.queues.first(FALLING).filter(|(trigger, _)| *trigger >= low);
        rising.or_else(falling).map(|(_, slot)| slot)
    }

    fn amend_resting(
        &mut self,
        slot: u32,
        change: Change,
        facts: &mut Vec<Fact>,
    ) -> Result<(), Code> {
        if change.trigger.is_some() {
            return Err(Code::ParameterInvalid);
        }
        let order = *self.queues.order(slot);
        let (queue, at) = self.queues.place(slot);
        let lots = change.lots.map_or(order.lots, |lots| lots.0);
        let price = change.price.unwrap_or(at);
        if price == at && lots <= order.lots {
            self.queues.order_mut(slot).lots = lots;
            self.tell_placed(slot, facts);
            return Ok(());
        }
        let side = if queue == BIDS { Side::Buy } else { Side::Sell };
        let time_in_force = self.terms.at(order.terms).time_in_force;
        let terms = Terms { side, price: Some(price), time_in_force };
        let taker = Taker { slot, owner: order.owner, lots, terms };
        if time_in_force == TimeInForce::PostOnly && self.crosses(&taker) {
            return Err(Code::WouldTrade);
        }
        self.queues.unlink(slot);
        self.enter(&taker, facts);
        self.wake(facts);
        Ok(())
    }

    fn amend_asleep(
        &mut self,
        slot: u32,
        change: Change,
        facts: &mut Vec<Fact>,
    ) -> Result<(), Code> {
        let order = *self.queues.order(slot);
        let (queue, at) = self.queues.place(slot);
        let terms = self.terms.at(order.terms);
        if change.price.is_some() && terms.price.is_none() {
            return Err(Code::ParameterInvalid);
        }
        let limit = change.price.or(terms.price);
        if let Some(trigger) = change.trigger.filter(|trigger| *trigger != at) {
            let rising = queue == RISING;
            self.check_trigger(direction(rising, trigger))?;
            self.queues.unlink(slot);
            self.queues.push(slot, queue, trigger);
        }
        self.terms.at_mut(order.terms).price = limit;
        self.queues.order_mut(slot).lots = change.lots.map_or(order.lots, |lots| lots.0);
        self.tell_placed(slot, facts);
        Ok(())
    }

    /// Close an open order unfilled.
    #[inline]
    fn end(&mut self, slot: u32, reason: Reason, facts: &mut Vec<Fact>) {
        let order = *self.queues.order(slot);
        let id = self.queues.id(slot);
        if order.terms > POST_ONLY {
            self.terms.release(order.terms);
        }
        self.queues.unlink(slot);
        self.queues.close(slot);
        facts.push(Fact::Cancelled { id, lots: Lots(order.lots), reason });
    }

    #[cold]
    fn reject_absent(&self, id: u64, facts: &mut Vec<Fact>) -> bool {
        let was_given = self.queues.was_given(id);
        let code = if was_given { Code::OrderNotOpen } else { Code::OrderUnknown };
        facts.push(Fact::Rejected { id, code });
        false
    }

    fn tell_placed(&self, slot: u32, facts: &mut Vec<Fact>) {
        let OpenOrder { id, side, lots, .. } = self.view(slot);
        let (_, price) = self.queues.place(slot);
        facts.push(Fact::Placed { id, side, price, lots });
    }

    fn view(&self, slot: u32) -> OpenOrder {
        let order = self.queues.order(slot);
        let (queue, at) = self.queues.place(slot);
        let asleep = self.terms.at(order.terms);
        let (side, price, trigger) = match queue {
            BIDS => (Side::Buy, Some(at), None),
            ASKS => (Side::Sell, Some(at), None),
            _ => (asleep.side, asleep.price, Some(direction(queue == RISING, at))),
        };
        let (id, lots) = (self.queues.id(slot), Lots(order.lots));
        OpenOrder { id, side, lots, price, trigger, owner: order.owner }
    }
}

const fn direction(is_rising: bool, price: Ticks) -> Trigger {
    if is_rising {
        Trigger::Rising(price)
    } else {
        Trigger::Falling(price)
    }
}
