// SPDX-License-Identifier: Apache-2.0
//! `OrderEngine`: approve, redeem, amend. An approval judges the limits and reserves the worst
//! case in one step, so two orders that fit alone but not together cannot both pass. Every change
//! of an order goes through `settle`, which moves the counters by the difference between before
//! and after: a reservation is therefore given back exactly once, whatever the path.

use std::collections::{BTreeMap, VecDeque};

use super::amend::Amend;
use super::exposure::{Desk, Exposure};
use super::facts::Notes;
use super::flow::{Likeness, Stream};
use super::judge::{judge, refuse};
use super::limits::{Account, Flow, Limits};
use super::name::{Lookup, Name, Names};
use super::record::{Fills, Record, Slab, NONE, TICKETED};
use super::state::State;
use super::tickets::{invalid, Tickets};
use super::{
    Fact, FactKind, Fill, HaltLevel, InstrumentId, Intent, OrderKey, StrategyId, Ticket,
    TimeInForce, CLOSED_RETAINED,
};
use crate::error::{Code, CoreError, Result};
use crate::instrument::Instrument;
use crate::number::{Lots, Money, Rate, Rounding, Ticks};

/// Every order from intent to end, and the limits they must pass.
#[derive(Debug, Clone)]
pub struct OrderEngine {
    pub(crate) limits: Limits,
    pub(crate) account: Account,
    pub(crate) desks: Vec<Desk>,
    pub(crate) strategies: Vec<Box<str>>,
    pub(crate) orders: Slab,
    pub(crate) fills: Fills,
    pub(crate) names: Names,
    pub(crate) tickets: Tickets,
    pub(crate) amends: BTreeMap<OrderKey, Amend>,
    pub(crate) notes: BTreeMap<OrderKey, Notes>,
    pub(crate) closed: VecDeque<OrderKey>,
    pub(crate) closed_retained: usize,
    pub(crate) unresolved: BTreeMap<(StrategyId, InstrumentId), u32>,
    pub(crate) stream: Stream,
    pub(crate) illegal_facts: u64,
}

impl OrderEngine {
    /// An engine without instruments and orders.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            account: Account::default(),
            desks: Vec::new(),
            strategies: Vec::new(),
            orders: Slab::default(),
            fills: Fills::default(),
            names: Names::default(),
            tickets: Tickets::default(),
            amends: BTreeMap::new(),
            notes: BTreeMap::new(),
            closed: VecDeque::new(),
            closed_retained: CLOSED_RETAINED,
            unresolved: BTreeMap::new(),
            stream: Stream::default(),
            illegal_facts: 0,
        }
    }

    /// Trade one more instrument.
    ///
    /// # Errors
    /// [`Code::InstrumentInvalid`] if the symbol is there already or the numbers have run out.
    pub fn add_instrument(&mut self, instrument: Instrument) -> Result<InstrumentId> {
        let symbol = &instrument.symbol;
        let number = u16::try_from(self.desks.len());
        let is_known = self.desks.iter().any(|desk| desk.instrument.symbol == *symbol);
        let (Ok(number), false) = (number, is_known) else {
            return Err(CoreError::new(Code::InstrumentInvalid, format!("{symbol} added twice")));
        };
        self.desks.push(Desk::new(instrument));
        Ok(InstrumentId(number))
    }

    /// The number of a strategy's name; a new name gets the next number.
    ///
    /// # Errors
    /// [`Code::ParameterInvalid`] after 65,535 names.
    pub fn strategy(&mut self, name: &str) -> Result<StrategyId> {
        let known = self.strategies.iter().position(|known| &**known == name);
        let place = known.unwrap_or(self.strategies.len());
        let id = u16::try_from(place).map_err(|_| {
            CoreError::new(Code::ParameterInvalid, "more than 65,535 strategies in one engine")
        })?;
        if known.is_none() {
            self.strategies.push(name.into());
        }
        Ok(StrategyId(id))
    }

    /// The name of a strategy's number; empty if nobody has it.
    #[must_use]
    pub fn strategy_name(&self, strategy: StrategyId) -> &str {
        self.strategies.get(usize::from(strategy.0)).map_or("", |name| name)
    }

    /// Keep this many closed orders instead of [`CLOSED_RETAINED`].
    pub fn set_closed_retained(&mut self, count: usize) {
        self.closed_retained = count;
    }

    /// New limits; they hold from the next approval on. Cost: one step for each order in memory.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
        self.set_leverage_cap();
        let open: Vec<OrderKey> = self.open_orders().map(|(key, _)| key).collect();
        open.into_iter().for_each(|key| self.set_resting(key, true));
    }

    /// The limits in force.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The reference price of an instrument, true at `now_ns`.
    ///
    /// # Errors
    /// [`Code::UnknownSymbol`], or [`Code::NumberOutOfRange`] for a price that cannot be.
    pub fn set_mark(&mut self, instrument: InstrumentId, mark: Ticks, now_ns: i64) -> Result<()> {
        let desk = self.desks.get_mut(usize::from(instrument.0)).ok_or_else(no_instrument)?;
        desk.set_mark(mark, now_ns, &mut self.account.totals)
    }

    /// The account's equity at mark prices.
    pub fn set_equity(&mut self, equity: Money) {
        self.account.equity = Some(equity);
        self.set_leverage_cap();
    }

    /// Loss of the day and drawdown as fractions, 0 for none.
    pub fn set_loss(&mut self, daily: Rate, drawdown: Rate) {
        (self.account.daily_loss, self.account.drawdown) = (daily, drawdown);
    }

    /// Replace a position, as at start from the venue's truth.
    ///
    /// # Errors
    /// [`Code::UnknownSymbol`] or [`Code::NumberOutOfRange`].
    pub fn set_position(&mut self, instrument: InstrumentId, position: Lots) -> Result<()> {
        let desk = self.desks.get_mut(usize::from(instrument.0)).ok_or_else(no_instrument)?;
        if position.0.unsigned_abs() > i64::MAX as u64 / 4 {
            return Err(CoreError::new(Code::NumberOutOfRange, "position leaves the exact range"));
        }
        desk.set_position(position, &mut self.account.totals);
        Ok(())
    }

    /// Raise the kill switch; a lower level than the present one changes nothing.
    pub fn set_halt(&mut self, level: HaltLevel) -> HaltLevel {
        self.account.halt = self.account.halt.max(level);
        self.account.halt
    }

    /// A person releases the kill switch.
    pub fn release_halt(&mut self) {
        self.account.halt = HaltLevel::Run;
    }

    /// Check every hard limit, reserve the worst case and record the order, in one step.
    ///
    /// # Errors
    /// [`Code::AlreadyApproved`] for an id used before; [`Code::ParameterInvalid`] or
    /// [`Code::UnknownSymbol`] for an intent that makes no sense; otherwise the refusal of
    /// [`judge`]. Nothing is recorded or reserved then.
    pub fn approve(&mut self, intent: &Intent<'_>, now_ns: i64) -> Result<Ticket> {
        self.expire_tickets(now_ns);
        let name = Name::parse(intent.id);
        if self.names.find_parsed(intent.id, name, &self.orders) != Lookup::Free {
            let message = format!("order id {} was used before; the first stands", intent.id);
            return Err(CoreError::new(Code::AlreadyApproved, message));
        }
        check_form(intent)?;
        if let Some(parent) = intent.parent {
            self.check_slice(intent, parent)?;
        }
        let likeness = Likeness::of(intent);
        let wish = self.wish(intent, &likeness, now_ns);
        let desk = self.desk(intent.instrument)?;
        let breaches = judge(&self.limits, &self.account, desk, &wish, now_ns)?;
        refuse(&desk.instrument.symbol, &breaches)?;
        self.stream.remember(&self.limits, Some(likeness), now_ns);
        let key = self.orders.insert(Record::new(intent, now_ns));
        self.names.insert(intent.id, name, key, &mut self.orders);
        self.enter(key);
        Ok(self.issue(key, intent.hash(), false, now_ns))
    }

    /// Use a ticket: the order may now be sent, once, with exactly these fields.
    ///
    /// # Errors
    /// [`Code::TicketInvalid`] if the ticket is unknown, used, expired or not for these fields;
    /// [`Code::Halted`] if trading was halted since, and the order is withdrawn.
    pub fn redeem(&mut self, ticket: Ticket, intent: &Intent<'_>, now_ns: i64) -> Result<OrderKey> {
        let looked = self.tickets.look(ticket, now_ns);
        self.expire_tickets(now_ns);
        let permit = looked?;
        let record = self.orders.get(permit.key).filter(|record| record.matches(intent));
        if permit.is_amend || record.is_none() || permit.hash != intent.hash() {
            return Err(invalid("approved for other fields"));
        }
        self.redeem_key(ticket, permit.key, now_ns)
    }

    /// As `redeem`, for a caller that sends what the engine recorded.
    ///
    /// # Errors
    /// As `redeem`.
    pub fn redeem_key(&mut self, ticket: Ticket, key: OrderKey, now_ns: i64) -> Result<OrderKey> {
        let looked = self.tickets.look(ticket, now_ns);
        self.expire_tickets(now_ns);
        let permit = looked?;
        let record = self.orders.get(key).filter(|_| permit.key == key && !permit.is_amend);
        let Some(record) = record.filter(|record| State::of(record) == State::Intent) else {
            return Err(invalid("not for this order, or the order was withdrawn"));
        };
        let (reduce_only, parent) = (record.reduce_only(), record.parent());
        self.consume(ticket, key);
        if parent.is_some_and(|parent| !self.is_sliceable(parent)) {
            self.fact(key, Fact { kind: FactKind::Cancelled, ts_ns: now_ns })?;
            let why = "the sliced order has ended since the approval; withdrawn";
            return Err(CoreError::new(Code::OrderNotOpen, why));
        }
        if !self.may_leave(reduce_only) {
            self.fact(key, Fact { kind: FactKind::Cancelled, ts_ns: now_ns })?;
            return Err(self.halted());
        }
        self.fact(key, Fact { kind: FactKind::Sent, ts_ns: now_ns })?;
        Ok(key)
    }

    /// Give back what expired tickets reserved: their orders are EXPIRED, their amends dropped.
    /// Called by `approve` and `redeem`; call it on a timer where orders are rare.
    pub fn expire_tickets(&mut self, now_ns: i64) {
        while let Some(permit) = self.tickets.next_expired(now_ns) {
            self.set_ticketed(permit.key, false);
            let is_intent =
                self.orders.get(permit.key).map(State::of).is_some_and(|s| s == State::Intent);
            if permit.is_amend {
                self.drop_amend(permit.key);
            } else if is_intent {
                let fact = Fact { kind: FactKind::Expired, ts_ns: permit.expires_ns };
                // INTENT may always expire, so this cannot be refused.
                let _ = self.fact(permit.key, fact);
            }
        }
    }

    /// The order of an id.
    ///
    /// # Errors
    /// [`Code::OrderUnknown`] if there never was one or it is archived.
    pub fn find(&self, id: &str) -> Result<OrderKey> {
        match self.names.find(id, &self.orders) {
            Lookup::Order(key) => Ok(key),
            Lookup::Spent => Err(unknown(&format!("order {id} is archived"))),
            Lookup::Free => Err(unknown(&format!("no order {id}"))),
        }
    }

    /// The order of an id of HEAN's own form, told by its parts.
    ///
    /// # Errors
    /// As `find`.
    pub fn find_name(&self, name: Name) -> Result<OrderKey> {
        match self.names.find_parsed("", Some(name), &self.orders) {
            Lookup::Order(key) => Ok(key),
            _ => self.find(&name.text()),
        }
    }

    /// The record of an order.
    ///
    /// # Errors
    /// [`Code::OrderUnknown`].
    pub fn record(&self, key: OrderKey) -> Result<&Record> {
        self.orders.get(key).ok_or_else(|| unknown(&format!("no order at {}", key.0)))
    }

    /// State of an order.
    ///
    /// # Errors
    /// [`Code::OrderUnknown`].
    pub fn state(&self, key: OrderKey) -> Result<State> {
        self.record(key).map(State::of)
    }

    /// Id of an order.
    ///
    /// # Errors
    /// [`Code::OrderUnknown`].
    pub fn id(&self, key: OrderKey) -> Result<String> {
        self.record(key).map(|record| self.names.text(key, record))
    }

    /// Fills of an order, by falling execution id.
    pub fn fills(&self, key: OrderKey) -> impl Iterator<Item = &Fill> {
        let head = self.orders.get(key).map_or(NONE, |record| record.fills);
        self.fills.iter(head)
    }

    /// Orders that may still be filled, by key.
    pub fn open_orders(&self) -> impl Iterator<Item = (OrderKey, &Record)> {
        self.orders.iter().filter(|(_, record)| State::of(record).is_open())
    }

    /// Position and reservations of an instrument.
    ///
    /// # Errors
    /// [`Code::UnknownSymbol`].
    pub fn exposure(&self, instrument: InstrumentId) -> Result<Exposure> {
        self.desk(instrument).map(|desk| desk.exposure)
    }

    /// An instrument with its reference price and counters.
    ///
    /// # Errors
    /// [`Code::UnknownSymbol`].
    pub fn desk(&self, instrument: InstrumentId) -> Result<&Desk> {
        self.desks.get(usize::from(instrument.0)).ok_or_else(no_instrument)
    }

    /// The number of a symbol.
    ///
    /// # Errors
    /// [`Code::UnknownSymbol`], naming the known ones.
    pub fn instrument(&self, symbol: &str) -> Result<InstrumentId> {
        let place = self.desks.iter().position(|desk| desk.instrument.symbol == symbol);
        place.map(|place| InstrumentId(place as u16)).ok_or_else(|| {
            let known: Vec<&str> =
                self.desks.iter().map(|desk| desk.instrument.symbol.as_str()).collect();
            let message = format!("{symbol} is not traded here; known: {}", known.join(", "));
            CoreError::new(Code::UnknownSymbol, message)
        })
    }

    /// The account as the limits see it.
    #[must_use]
    pub const fn account(&self) -> &Account {
        &self.account
    }

    /// How many facts were refused because they contradict an order.
    #[must_use]
    pub const fn illegal_facts(&self) -> u64 {
        self.illegal_facts
    }

    pub(crate) fn flow(
        &mut self,
        strategy: StrategyId,
        instrument: InstrumentId,
        likeness: Option<&Likeness>,
        now_ns: i64,
    ) -> Flow {
        self.stream.forget(&self.limits, now_ns);
        let unresolved = match self.unresolved.is_empty() {
            true => 0,
            false => self.unresolved.get(&(strategy, instrument)).copied().unwrap_or(0),
        };
        Flow {
            in_window: self.stream.in_window(),
            same_ns_ago: likeness.and_then(|likeness| self.stream.same_ns_ago(likeness, now_ns)),
            unresolved,
        }
    }

    pub(crate) fn issue(
        &mut self,
        key: OrderKey,
        hash: u32,
        is_amend: bool,
        now_ns: i64,
    ) -> Ticket {
        self.set_ticketed(key, true);
        self.tickets.issue(key, hash, is_amend, now_ns)
    }

    pub(crate) fn consume(&mut self, ticket: Ticket, key: OrderKey) {
        self.set_ticketed(key, false);
        self.tickets.consume(ticket);
    }

    fn set_ticketed(&mut self, key: OrderKey, is_ticketed: bool) {
        if let Some(record) = self.orders.get_mut(key) {
            let flag = if is_ticketed { TICKETED } else { 0 };
            record.flags = (record.flags & !TICKETED) | flag;
        }
    }

    pub(crate) fn may_leave(&self, reduce_only: bool) -> bool {
        let halt = self.account.halt;
        halt == HaltLevel::Run || (reduce_only && halt < HaltLevel::Locked)
    }

    pub(crate) fn halted(&self) -> CoreError {
        let message = format!("{} since the approval; withdrawn", self.account.halt.name());
        CoreError::new(Code::Halted, message)
    }

    /// A slice must be of its parent's kind and fit into what the parent still holds.
    pub(crate) fn check_slice(&self, intent: &Intent<'_>, key: OrderKey) -> Result<()> {
        let parent = self.record(key)?;
        if !parent.is_sliced() || intent.is_sliced {
            let why = "a slice is of a sliced order, and has no slices of its own";
            return Err(CoreError::new(Code::ParameterInvalid, why));
        }
        let is_same = (parent.instrument, parent.strategy, parent.side(), parent.reduce_only())
            == (intent.instrument, intent.strategy, intent.side, intent.reduce_only);
        if !is_same {
            let why = "a slice has the instrument, strategy, side and reduce-only of its parent";
            return Err(CoreError::new(Code::ParameterInvalid, why));
        }
        if !self.is_sliceable(key) {
            return Err(CoreError::new(Code::OrderNotOpen, "the sliced order is not working"));
        }
        let left = self.held(key).lots;
        if intent.lots.0 > left {
            let message = format!("slice of {} lots, its parent has {left} left", intent.lots.0);
            return Err(CoreError::new(Code::LimitBreached, message));
        }
        Ok(())
    }

    /// Lots of a sliced order that are neither filled nor drawn by a slice; of another order, what
    /// is not filled. 0 once it has ended.
    #[must_use]
    pub fn left(&self, key: OrderKey) -> Lots {
        Lots(self.held(key).lots)
    }

    /// May slices of it leave?
    fn is_sliceable(&self, key: OrderKey) -> bool {
        let state = self.orders.get(key).map(State::of);
        state.is_some_and(|state| matches!(state, State::Sent | State::Partial))
    }

    fn set_leverage_cap(&mut self) {
        let (equity, leverage) = (self.account.equity, self.limits.leverage_max);
        // An equity too large to multiply leaves no cap, and a missing cap refuses.
        self.account.leverage_cap = equity
            .zip(leverage)
            .and_then(|(equity, leverage)| equity.times_rate(leverage, Rounding::Down).ok());
    }
}

/// Refuse what no venue could read; what it is worth is judged later.
pub(crate) fn check_form(intent: &Intent<'_>) -> Result<()> {
    let wrong = |why: &str| Err(CoreError::new(Code::ParameterInvalid, why));
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if intent.id.is_empty() || intent.id.len() > 36 || !intent.id.bytes().all(is_letter) {
        return wrong("an order id has 1 to 36 letters, digits, _ or -");
    }
    if intent.lots.0 <= 0 {
        return wrong("an order's quantity is above 0; its side says the direction");
    }
    check_price("price", intent.price, intent.order_type.has_price())?;
    check_price("trigger price", intent.trigger, intent.order_type.has_trigger())?;
    if intent.time_in_force == TimeInForce::PostOnly && !intent.order_type.has_price() {
        return wrong("POST_ONLY needs a limit price");
    }
    Ok(())
}

pub(crate) fn check_price(name: &str, price: Option<Ticks>, is_due: bool) -> Result<()> {
    if price.is_some() != is_due || price.is_some_and(|price| price.0 <= 0) {
        let due = if is_due { "needs a positive" } else { "takes no" };
        return Err(CoreError::new(Code::ParameterInvalid, format!("this order {due} {name}")));
    }
    Ok(())
}

fn no_instrument() -> CoreError {
    CoreError::new(Code::UnknownSymbol, "no instrument of this number in this engine")
}

fn unknown(message: &str) -> CoreError {
    CoreError::new(Code::OrderUnknown, message)
}
