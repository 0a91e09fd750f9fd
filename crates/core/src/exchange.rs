// SPDX-License-Identifier: Apache-2.0
//! An exchange inside the process: one account's order engine, a matching book per symbol and the
//! exact ledger, joined. An order is approved against the limits, redeemed, recorded, matched and
//! booked before `place` returns; nothing is in flight in between. The other side of a trade is
//! the market's supply, which is nobody's order and moves no account, or an own resting order:
//! own orders may meet unless the limit `refuse_self_cross` says no. It reads no clock and starts
//! no thread: one owner calls it, and time is an argument.

use crate::error::{Code, CoreError, Result};
use crate::instrument::Instrument;
use crate::ledger::{Fee, Ledger};
use crate::matching::{Change, Fact, MatchingEngine, NewOrder, Reason};
use crate::number::{Lots, Money, Rate, Side, Ticks};
use crate::order::amend::Amend;
use crate::order::name::Name;
use crate::order::state::State;
use crate::order::{
    ExecId, HaltLevel, InstrumentId, Intent, Limits, OrderEngine, OrderKey, OrderType, StrategyId,
    TimeInForce,
};

/// Four letters of every id given here: `h0-exch-<number>`.
const TAG: [u8; 4] = *b"exch";
/// Owner of the market's supply in a book; an order of the account is its key plus one.
const MARKET: u32 = 0;

/// The order a call is about: its id in the book, and whose it is unless the market's.
type Arriving = (u64, Option<OrderKey>);

/// What the account pays for a trade, as fractions of its value; negative is a rebate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeeRates {
    /// For an order that rested.
    pub maker: Rate,
    /// For an order that arrived.
    pub taker: Rate,
}

/// An order that the account wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// What to trade.
    pub instrument: InstrumentId,
    /// Direction.
    pub side: Side,
    /// Quantity, above 0.
    pub lots: Lots,
    /// Worst price; none is a market order.
    pub price: Option<Ticks>,
    /// How long it may live.
    pub time_in_force: TimeInForce,
}

/// A trade of the account, as the last call made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Execution {
    /// Number of the order.
    pub order: u64,
    /// Direction of the order.
    pub side: Side,
    /// Price.
    pub price: Ticks,
    /// Quantity.
    pub lots: Lots,
    /// Fee paid.
    pub fee: Money,
    /// The order rested.
    pub is_maker: bool,
}

/// One account's orders, books and money.
#[derive(Debug, Clone)]
pub struct Exchange {
    orders: OrderEngine,
    ledger: Ledger,
    fees: FeeRates,
    books: Vec<MatchingEngine>,
    /// Slot in its book, by order key.
    slots: Vec<u32>,
    strategy: StrategyId,
    last_order: u64,
    last_exec: u64,
    facts: Vec<Fact>,
    executions: Vec<Execution>,
}

impl Exchange {
    /// An exchange without instruments. The account starts with `cash`; spot may be sold short
    /// here, because the book asks for no coins.
    ///
    /// # Errors
    /// [`Code::NumberOutOfRange`] for cash beyond the ledger's range.
    pub fn new(cash: Money, limits: Limits, fees: FeeRates) -> Result<Self> {
        let mut orders = OrderEngine::new(limits);
        let strategy = orders.strategy("exchange")?;
        Ok(Self {
            orders,
            ledger: Ledger::new(cash)?.with_spot_borrowing(),
            fees,
            books: Vec::new(),
            slots: Vec::new(),
            strategy,
            last_order: 0,
            last_exec: 0,
            facts: Vec::new(),
            executions: Vec::new(),
        })
    }

    /// List one more instrument.
    ///
    /// # Errors
    /// [`Code::InstrumentInvalid`] if the symbol is listed already.
    pub fn add_instrument(&mut self, instrument: Instrument) -> Result<InstrumentId> {
        let id = self.orders.add_instrument(instrument.clone())?;
        self.ledger.add_instrument(instrument)?;
        self.books.push(MatchingEngine::new(false));
        Ok(id)
    }

    /// Check, record, match and book one order; returns its number. What it traded is in
    /// [`Self::executions`], how it stands in [`Self::orders`]. A market order that finds nobody
    /// ends as CANCELLED, with its reason.
    ///
    /// # Errors
    /// The refusal of the limits, or an order that makes no sense: it is not recorded then, and
    /// its number is spent.
    pub fn place(&mut self, request: &Request, now_ns: i64) -> Result<u64> {
        self.executions.clear();
        self.refer(request.instrument, request.side, now_ns)?;
        self.last_order += 1;
        let number = self.last_order;
        let id = Name { epoch: 0, tag: TAG, seq: number }.text();
        let intent = Intent {
            id: &id,
            instrument: request.instrument,
            strategy: self.strategy,
            side: request.side,
            order_type: request.price.map_or(OrderType::Market, |_| OrderType::Limit),
            time_in_force: request.time_in_force,
            reduce_only: false,
            lots: request.lots,
            price: request.price,
            trigger: None,
            parent: None,
            is_sliced: false,
        };
        let ticket = self.orders.approve(&intent, now_ns)?;
        let key = self.orders.redeem(ticket, &intent, now_ns)?;
        let order = NewOrder {
            price: request.price,
            time_in_force: request.time_in_force,
            owner: key.0 + 1,
            ..NewOrder::market(request.side, request.lots)
        };
        let book = listed(&mut self.books, request.instrument)?;
        let book_id = book.submit(&order, &mut self.facts);
        self.remember_slot(key, book_id as u32);
        self.book_facts(request.instrument, (book_id, Some(key)), now_ns)?;
        Ok(number)
    }

    /// Take an open order back.
    ///
    /// # Errors
    /// [`Code::OrderUnknown`]; [`Code::OrderNotOpen`] if it has ended.
    pub fn cancel(&mut self, number: u64, now_ns: i64) -> Result<()> {
        self.executions.clear();
        let key = self.key(number)?;
        let instrument = self.orders.record(key)?.instrument;
        self.orders.cancel_requested(key)?;
        let slot = self.slots.get(key.0 as usize).copied().unwrap_or_default();
        let book = listed(&mut self.books, instrument)?;
        let book_id = book.id_at(slot);
        book.cancel(book_id, &mut self.facts);
        self.book_facts(instrument, (book_id, Some(key)), now_ns)
    }

    /// Change price or total quantity (fills included) of an open order; what is `None` stays.
    /// The new terms pass the limits as a new order does, and may trade at once.
    ///
    /// # Errors
    /// As [`OrderEngine::amend_approve`], or [`Code::WouldTrade`] for a post-only order; the order
    /// stays as it was.
    pub fn amend(
        &mut self,
        number: u64,
        price: Option<Ticks>,
        lots: Option<Lots>,
        now_ns: i64,
    ) -> Result<()> {
        self.executions.clear();
        let key = self.key(number)?;
        let record = self.orders.record(key)?;
        let (instrument, side, filled) = (record.instrument, record.side(), record.filled);
        let terms = Amend { price: price.or(record.price()), lots: lots.unwrap_or(record.lots) };
        self.refer(instrument, side, now_ns)?;
        let ticket = self.orders.amend_approve(key, terms, now_ns)?;
        self.orders.redeem_amend(ticket, key, terms, now_ns)?;
        let slot = self.slots.get(key.0 as usize).copied().unwrap_or_default();
        let change = Change { price, lots: Some(terms.lots.sub(filled)?), trigger: None };
        let book = listed(&mut self.books, instrument)?;
        let book_id = book.id_at(slot);
        if !book.amend(book_id, change, &mut self.facts) {
            self.orders.on_amend_rejected(key)?;
            return Err(self.amend_refusal());
        }
        self.orders.on_amended(key, terms, now_ns)?;
        self.book_facts(instrument, (book_id, Some(key)), now_ns)
    }

    /// Let the market offer a quantity at a price: it trades with own orders that it reaches, and
    /// rests. Returns its id for [`Self::withdraw`].
    ///
    /// # Errors
    /// [`Code::UnknownSymbol`]; [`Code::ParameterInvalid`] unless price and quantity are positive.
    pub fn supply(
        &mut self,
        instrument: InstrumentId,
        side: Side,
        price: Ticks,
        lots: Lots,
        now_ns: i64,
    ) -> Result<u64> {
        self.executions.clear();
        if price.0 <= 0 || lots.0 <= 0 {
            let why = "the market's supply has a positive price and quantity";
            return Err(CoreError::new(Code::ParameterInvalid, why));
        }
        let book = listed(&mut self.books, instrument)?;
        let id = book.submit(&NewOrder::limit(side, price, lots), &mut self.facts);
        self.book_facts(instrument, (id, None), now_ns)?;
        Ok(id)
    }

    /// Take back what is left of a supply; false if nothing is.
    ///
    /// # Errors
    /// [`Code::UnknownSymbol`]; [`Code::ParameterInvalid`] if the id is an own order's.
    pub fn withdraw(&mut self, instrument: InstrumentId, id: u64) -> Result<bool> {
        self.executions.clear();
        let book = listed(&mut self.books, instrument)?;
        if book.order(id).is_some_and(|order| order.owner != MARKET) {
            let why = "this is an own order; cancel it instead";
            return Err(CoreError::new(Code::ParameterInvalid, why));
        }
        let was_open = book.cancel(id, &mut self.facts);
        self.facts.clear();
        Ok(was_open)
    }

    /// Trades of the account in the last call, in order.
    #[must_use]
    pub fn executions(&self) -> &[Execution] {
        &self.executions
    }

    /// The orders.
    #[must_use]
    pub const fn orders(&self) -> &OrderEngine {
        &self.orders
    }

    /// New limits; they hold from the next order on.
    pub fn set_limits(&mut self, limits: Limits) {
        self.orders.set_limits(limits);
    }

    /// The money.
    #[must_use]
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The book of an instrument.
    #[must_use]
    pub fn book(&self, instrument: InstrumentId) -> Option<&MatchingEngine> {
        self.books.get(usize::from(instrument.0))
    }

    /// Place of an order by its number.
    ///
    /// # Errors
    /// [`Code::OrderUnknown`].
    pub fn key(&self, number: u64) -> Result<OrderKey> {
        self.orders.find_name(Name { epoch: 0, tag: TAG, seq: number })
    }

    /// Number of the last order, refused ones included.
    #[must_use]
    pub const fn last_order(&self) -> u64 {
        self.last_order
    }

    /// Give the limits what they need: the price this order would meet, and the equity.
    fn refer(&mut self, instrument: InstrumentId, side: Side, now_ns: i64) -> Result<()> {
        if !self.orders.limits().needs_reference() {
            return Ok(());
        }
        let book = listed(&mut self.books, instrument)?;
        if let Some(price) = book.best(side.opposite()).or(book.last_price()) {
            self.orders.set_mark(instrument, price, now_ns)?;
        }
        if self.orders.limits().leverage_max.is_some() {
            self.orders.set_equity(self.ledger.equity());
        }
        Ok(())
    }

    fn remember_slot(&mut self, key: OrderKey, slot: u32) {
        let place = key.0 as usize;
        if place >= self.slots.capacity() {
            // Like the records: doubling would waste half of a large table.
            self.slots.reserve_exact(place + 1 - self.slots.len() + place / 16 + 64);
        }
        if place >= self.slots.len() {
            self.slots.resize(place + 1, 0);
        }
        if let Some(kept) = self.slots.get_mut(place) {
            *kept = slot;
        }
    }

    /// Book what the matching said. A slot of the book knows its owner only once an order rests
    /// in it, hence `arriving`.
    fn book_facts(
        &mut self,
        instrument: InstrumentId,
        arriving: Arriving,
        now_ns: i64,
    ) -> Result<()> {
        let mut facts = std::mem::take(&mut self.facts);
        let has_traded = facts.iter().any(|fact| matches!(fact, Fact::Fill { .. }));
        let done =
            facts.iter().try_for_each(|fact| self.book_fact(instrument, arriving, fact, now_ns));
        facts.clear();
        self.facts = facts;
        if done.is_err() {
            // Matched, but not booked: no further order until a person has looked.
            self.orders.set_halt(HaltLevel::Locked);
        }
        let last = self.book(instrument).and_then(MatchingEngine::last_price);
        if let Some(last) = last.filter(|_| has_traded) {
            self.ledger.mark(usize::from(instrument.0), last)?;
        }
        done
    }

    fn book_fact(
        &mut self,
        instrument: InstrumentId,
        arriving: Arriving,
        fact: &Fact,
        now_ns: i64,
    ) -> Result<()> {
        let owner = |id: u64| match arriving {
            (arrived, key) if arrived == id => key,
            _ => self.owner(instrument, id),
        };
        match *fact {
            Fact::Fill { maker, taker, side, price, lots } => {
                let (taker, maker) = (owner(taker), owner(maker));
                self.last_exec += 1;
                if let Some(key) = taker {
                    self.book_fill(key, (side, price, lots), false, now_ns)?;
                }
                if let Some(key) = maker {
                    self.book_fill(key, (side.opposite(), price, lots), true, now_ns)?;
                }
            }
            Fact::Placed { id, .. } => {
                if let Some(key) = owner(id) {
                    self.orders.on_placed(key, None, now_ns)?;
                }
            }
            Fact::Cancelled { id, reason, .. } => {
                if let Some(key) = owner(id) {
                    self.orders.on_cancelled(key, words(reason), now_ns)?;
                }
            }
            Fact::Rejected { id, code } => {
                if let Some(key) = owner(id) {
                    self.orders.on_rejected(key, refusal(code), now_ns)?;
                }
            }
            Fact::Triggered { .. } => {}
        }
        Ok(())
    }

    fn book_fill(
        &mut self,
        key: OrderKey,
        (side, price, lots): (Side, Ticks, Lots),
        is_maker: bool,
        now_ns: i64,
    ) -> Result<()> {
        let record = self.orders.record(key)?;
        let (instrument, order) = (usize::from(record.instrument.0), record.number());
        let rate = if is_maker { self.fees.maker } else { self.fees.taker };
        let fee = self.ledger.fill(instrument, side, price, lots, Fee::Rate(rate))?.fee;
        self.orders.on_filled(key, ExecId(self.last_exec), price, lots, now_ns)?;
        self.executions.push(Execution { order, side, price, lots, fee, is_maker });
        Ok(())
    }

    fn owner(&self, instrument: InstrumentId, id: u64) -> Option<OrderKey> {
        let owner = self.books.get(usize::from(instrument.0)).map_or(MARKET, |book| book.owner(id));
        owner.checked_sub(1).map(OrderKey)
    }

    fn amend_refusal(&mut self) -> CoreError {
        let code = match self.facts.pop() {
            Some(Fact::Rejected { code, .. }) => code,
            _ => Code::OrderNotOpen,
        };
        CoreError::new(code, format!("the amend was refused: {}", refusal(code)))
    }

    /// Is the order still in its book?
    ///
    /// # Errors
    /// [`Code::OrderUnknown`].
    pub fn is_open(&self, number: u64) -> Result<bool> {
        self.orders.state(self.key(number)?).map(State::is_open)
    }
}

fn listed(books: &mut [MatchingEngine], instrument: InstrumentId) -> Result<&mut MatchingEngine> {
    books.get_mut(usize::from(instrument.0)).ok_or_else(|| {
        CoreError::new(Code::UnknownSymbol, "no instrument of this number at this exchange")
    })
}

const fn words(reason: Reason) -> &'static str {
    match reason {
        Reason::Requested => "",
        Reason::NoLiquidity => "nobody to trade with",
        Reason::NotFillable => "fill-or-kill: not fillable whole",
        Reason::SelfMatch => "an own order arrived on the other side",
    }
}

const fn refusal(code: Code) -> &'static str {
    match code {
        Code::WouldTrade => "post-only order would have traded",
        Code::OrderNotOpen => "the order is not open",
        _ => "the book cannot hold this order",
    }
}
