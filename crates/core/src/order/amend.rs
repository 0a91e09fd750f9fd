// SPDX-License-Identifier: Apache-2.0
//! Amends. For risk an amend is a new order: it is judged by every limit, needs its own ticket,
//! and until the venue answers the worse of the old and the new quantity stays reserved, and both
//! prices count as resting. It is an overlay on a working order, not a state. What the terms of an
//! order are, the venue says; a fill that only the new ones leave room for says it too.

use super::engine::{check_price, OrderEngine};
use super::judge::{judge, refuse};
use super::limits::Wish;
use super::record::{Place, AMEND_GROWS, AMEND_PENDING};
use super::state::State;
use super::tickets::invalid;
use super::{fold, ExecId, OrderKey, Ticket};
use crate::error::{Code, CoreError, Result};
use crate::number::{Lots, Ticks};

/// New terms of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amend {
    /// New limit price; `None` for orders without one.
    pub price: Option<Ticks>,
    /// New quantity in all, fills included.
    pub lots: Lots,
}

impl Amend {
    fn hash(&self, key: OrderKey) -> u32 {
        let price = self.price.map_or(u64::MAX, |price| price.0 as u64);
        fold(u64::from(key.0), &[price, self.lots.0 as u64])
    }
}

impl OrderEngine {
    /// Judge new terms of a working order and reserve what they add.
    ///
    /// # Errors
    /// [`Code::OrderNotOpen`] unless the order is WORKING or PARTIAL; [`Code::IllegalTransition`]
    /// while another amend is on its way; otherwise as `approve`. Nothing changes then.
    pub fn amend_approve(&mut self, key: OrderKey, amend: Amend, now_ns: i64) -> Result<Ticket> {
        self.expire_tickets(now_ns);
        let record = self.record(key)?;
        let state = State::of(record);
        if !matches!(state, State::Working | State::Partial) {
            let message = format!("it is {}; only a working order can change", state.name());
            return Err(CoreError::new(Code::OrderNotOpen, message));
        }
        if record.is_sliced() {
            let message = "a sliced order keeps its terms; cancel it and ask again";
            return Err(CoreError::new(Code::ParameterInvalid, message));
        }
        if record.has(AMEND_PENDING) {
            let message = "an amend is on its way; wait for its answer";
            return Err(CoreError::new(Code::IllegalTransition, message));
        }
        check_price("price", amend.price, record.order_type().has_price())?;
        if amend.lots <= record.filled {
            let message = format!("{} lots wanted, {} filled", amend.lots.0, record.filled.0);
            return Err(CoreError::new(Code::OrderSizeInvalid, message));
        }
        let added = Lots((amend.lots.0 - record.lots.0).max(0));
        let (strategy, instrument) = (record.strategy, record.instrument);
        let mut wish = Wish {
            side: record.side(),
            order_type: record.order_type(),
            reduce_only: record.reduce_only(),
            is_exit: record.is_exit(),
            lots: amend.lots.sub(record.filled)?,
            added,
            price: amend.price,
            trigger: record.trigger(),
            is_new: false,
            is_slice: record.parent().is_some(),
            is_sliced: false,
            flow: Default::default(),
        };
        if let Some(parent) = record.parent() {
            let left = self.held(parent).lots;
            if added.0 > left {
                let message = format!("slice grows by {}, its parent has {left} left", added.0);
                return Err(CoreError::new(Code::LimitBreached, message));
            }
        }
        wish.flow = self.flow(strategy, instrument, None, now_ns);
        let desk = self.desk(instrument)?;
        let breaches = judge(&self.limits, &self.account, desk, &wish, now_ns)?;
        refuse(&desk.instrument.symbol, &breaches)?;
        self.stream.remember(&self.limits, None, now_ns);
        self.await_amend(key, amend);
        Ok(self.issue(key, amend.hash(key), true, now_ns))
    }

    /// Record new terms that a process before this one approved. Limits are not asked: they may be
    /// at the venue already.
    ///
    /// # Errors
    /// [`Code::OrderUnknown`]; [`Code::OrderNotOpen`] if nothing is left to change;
    /// [`Code::IllegalTransition`] while another amend is on its way.
    pub fn readmit_amend(&mut self, key: OrderKey, amend: Amend) -> Result<()> {
        let state = self.state(key)?;
        if !state.is_open() {
            return Err(CoreError::new(Code::OrderNotOpen, format!("it is {}", state.name())));
        }
        if self.amends.contains_key(&key) {
            let message = "an amend is on its way; the first stands";
            return Err(CoreError::new(Code::IllegalTransition, message));
        }
        self.await_amend(key, amend);
        Ok(())
    }

    fn await_amend(&mut self, key: OrderKey, amend: Amend) {
        let before = self.held(key);
        self.set_amend(key, Some(amend));
        self.set_resting(key, true);
        self.settle(key, before, None);
    }

    /// What is on its way, and the flags of the record that say so.
    pub(crate) fn set_amend(&mut self, key: OrderKey, amend: Option<Amend>) {
        match amend {
            Some(amend) => drop(self.amends.insert(key, amend)),
            None => drop(self.amends.remove(&key)),
        }
        let Some(record) = self.orders.get_mut(key) else { return };
        record.flags &= !(AMEND_PENDING | AMEND_GROWS);
        if let Some(amend) = amend {
            record.flags |= AMEND_PENDING;
            record.flags |= if amend.lots > record.lots { AMEND_GROWS } else { 0 };
        }
    }

    /// Use an amend's ticket: the new terms may now be sent, once.
    ///
    /// # Errors
    /// [`Code::TicketInvalid`], or [`Code::Halted`] if trading was halted since.
    pub fn redeem_amend(
        &mut self,
        ticket: Ticket,
        key: OrderKey,
        amend: Amend,
        now_ns: i64,
    ) -> Result<()> {
        if self.amends.get(&key).is_some_and(|approved| *approved != amend) {
            return Err(invalid("approved for other terms"));
        }
        self.redeem_amend_key(ticket, key, now_ns).map(drop)
    }

    /// As `redeem_amend`, for a caller that sends the terms the engine recorded and returns.
    ///
    /// # Errors
    /// As `redeem_amend`.
    pub fn redeem_amend_key(
        &mut self,
        ticket: Ticket,
        key: OrderKey,
        now_ns: i64,
    ) -> Result<Amend> {
        let looked = self.tickets.look(ticket, now_ns);
        self.expire_tickets(now_ns);
        let permit = looked?;
        let amend = self.amends.get(&key).copied();
        let Some(amend) = amend.filter(|amend| permit.hash == amend.hash(key)) else {
            return Err(invalid("not for these terms, or the order has ended"));
        };
        if permit.key != key || !permit.is_amend {
            return Err(invalid("not for an amend of this order"));
        }
        self.consume(ticket, key);
        if !self.may_leave(self.record(key)?.reduce_only()) {
            self.drop_amend(key);
            return Err(self.halted());
        }
        Ok(amend)
    }

    /// The venue's word on the terms of an order, whoever asked for them. It answers an amend that
    /// wanted these; another one stays on its way.
    ///
    /// # Errors
    /// [`Code::OrderUnknown`].
    pub fn on_amended(&mut self, key: OrderKey, terms: Amend, ts_ns: i64) -> Result<()> {
        let before = self.held(key);
        let was_open = self.state(key)?.is_open();
        self.set_resting(key, false);
        let pending = self.pending_amend(key).filter(|pending| *pending != terms);
        if let Some(record) = self.orders.get_mut(key) {
            record.set_terms(terms.price, terms.lots);
            record.updated_ns = record.updated_ns.max(ts_ns);
        }
        self.set_amend(key, pending);
        self.set_resting(key, was_open);
        self.settle(key, before, None);
        Ok(())
    }

    /// A piece that only the amend on its way leaves room for proves that the venue has taken it.
    pub(crate) fn prove_amend(&mut self, key: OrderKey, fill: (ExecId, Ticks, Lots), ts_ns: i64) {
        let Some(amend) = self.amends.get(&key).copied() else { return };
        let Some(record) = self.orders.get(key) else { return };
        let filled = record.filled.0.saturating_add(fill.2 .0);
        let is_proof = filled > record.lots.0 && filled <= amend.lots.0;
        if is_proof && matches!(self.fills.place(record.fills, fill), Place::New(_)) {
            // The order is there, so this cannot be refused.
            let _ = self.on_amended(key, amend, ts_ns);
        }
    }

    /// The venue refused the new terms; the old ones hold.
    ///
    /// # Errors
    /// [`Code::IllegalTransition`] if no amend is on its way.
    pub fn on_amend_rejected(&mut self, key: OrderKey) -> Result<()> {
        if self.drop_amend(key) {
            return Ok(());
        }
        self.illegal_facts += 1;
        Err(CoreError::new(Code::IllegalTransition, "no amend is on its way"))
    }

    /// New terms that are approved and not answered yet.
    #[must_use]
    pub fn pending_amend(&self, key: OrderKey) -> Option<Amend> {
        self.amends.get(&key).copied()
    }

    pub(crate) fn drop_amend(&mut self, key: OrderKey) -> bool {
        if !self.amends.contains_key(&key) {
            return false;
        }
        let before = self.held(key);
        self.set_resting(key, false);
        self.set_amend(key, None);
        self.set_resting(key, true);
        self.settle(key, before, None);
        true
    }
}
