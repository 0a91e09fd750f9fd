// SPDX-License-Identifier: Apache-2.0
//! Book-keeping behind every change of an order: reservations, counters, parents, retirement. The
//! caller notes what the order held, changes it, and calls `settle`, which books the difference.
//! Nobody adds or subtracts a reservation anywhere else.

use super::engine::OrderEngine;
use super::exposure::Shift;
use super::record::{Record, AMEND_PENDING, AMEND_RESTING, RESTING, RETIRING, TICKETED};
use super::state::{absorb, State};
use super::{ExecId, OrderKey, TimeInForce};
use crate::number::{Lots, Ticks};

/// What an order holds at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Held {
    /// Lots reserved for it.
    pub(crate) lots: i64,
    is_open: bool,
    is_unresolved: bool,
}

impl OrderEngine {
    /// What an order holds now.
    pub(crate) fn held(&self, key: OrderKey) -> Held {
        self.orders.get(key).map_or(Held::default(), |record| self.held_by(key, record))
    }

    fn held_by(&self, key: OrderKey, record: &Record) -> Held {
        let state = State::of(record);
        let mut lots = record.lots.0;
        let is_open = state.is_open();
        if record.has(AMEND_PENDING) {
            // Until the venue answers, the worse of the old and the new terms counts.
            lots = lots.max(self.amends.get(&key).map_or(0, |amend| amend.lots.0));
        }
        let free = lots.saturating_sub(record.filled.0).saturating_sub(record.drawn().0).max(0);
        Held {
            lots: if is_open { free } else { 0 },
            is_open,
            is_unresolved: matches!(state, State::Unknown | State::Quarantine),
        }
    }

    /// Book a new order.
    pub(crate) fn enter(&mut self, key: OrderKey) {
        let parent = self.orders.get(key).and_then(Record::parent);
        if let Some(parent) = parent.and_then(|parent| self.orders.get_mut(parent)) {
            parent.set_children(parent.children() + 1);
        }
        self.settle(key, Held::default(), None);
    }

    /// Book what changed since `before`, and the fill that was part of it.
    pub(crate) fn settle(
        &mut self,
        key: OrderKey,
        before: Held,
        fill: Option<((ExecId, Ticks, Lots), i64)>,
    ) {
        let Some(parent) = self.orders.get(key).map(Record::parent) else { return };
        let filled = fill.map_or(Lots::ZERO, |((_, _, lots), _)| lots);
        let after = self.book(key, before, filled);
        if let Some(parent) = parent {
            let parent_before = self.held(parent);
            if let Some(record) = self.orders.get_mut(parent) {
                record.lend(after.lots - before.lots);
                if let Some((fill, ts_ns)) = fill {
                    absorb(record, &mut self.fills, fill, ts_ns);
                }
            }
            let parent_after = self.book(parent, parent_before, Lots::ZERO);
            self.retire_if_closed(parent, parent_before, parent_after);
        }
        self.retire_if_closed(key, before, after);
    }

    fn book(&mut self, key: OrderKey, before: Held, filled: Lots) -> Held {
        let Some(record) = self.orders.get(key) else { return before };
        let after = self.held_by(key, record);
        let is_exit = record.is_exit();
        let lost = |held: Held| if is_exit && held.is_unresolved { held.lots } else { 0 };
        let reserved = after.lots - before.lots;
        let change = Shift {
            side: record.side(),
            reduce_only: record.reduce_only(),
            reserved,
            exits: if is_exit { reserved } else { 0 },
            lost: lost(after) - lost(before),
            filled,
        };
        let (strategy, instrument) = (record.strategy, record.instrument);
        if change.reserved != 0 || change.lost != 0 || filled.0 != 0 {
            if let Some(desk) = self.desks.get_mut(usize::from(instrument.0)) {
                desk.shift(change, &mut self.account.totals);
            }
        }
        if before.is_open != after.is_open {
            let open = &mut self.account.open_orders;
            *open = if after.is_open { *open + 1 } else { open.saturating_sub(1) };
            self.set_resting(key, after.is_open);
        }
        if before.is_unresolved != after.is_unresolved {
            let count = self.unresolved.entry((strategy, instrument)).or_insert(0);
            *count = if after.is_unresolved { *count + 1 } else { count.saturating_sub(1) };
            if *count == 0 {
                self.unresolved.remove(&(strategy, instrument));
            }
        }
        after
    }

    /// Count a resting limit order for the self-cross rule, or stop counting it: at its price, and
    /// at the one that an amend on its way wants.
    pub(crate) fn set_resting(&mut self, key: OrderKey, is_resting: bool) {
        // Nothing is counted for a rule that is off; `set_limits` counts anew when it goes on.
        let is_resting = is_resting && self.limits.refuse_self_cross;
        let Some(record) = self.orders.get_mut(key) else { return };
        let stays = matches!(record.time_in_force(), TimeInForce::Gtc | TimeInForce::PostOnly);
        if !stays || record.trigger().is_some() {
            return;
        }
        let Some(desk) = self.desks.get_mut(usize::from(record.instrument.0)) else { return };
        let wanted = self.amends.get(&key).and_then(|amend| amend.price);
        for (price, flag) in [(record.price(), RESTING), (wanted, AMEND_RESTING)] {
            let Some(price) = price else { continue };
            match (is_resting, record.has(flag)) {
                (true, false) => desk.rest(record.side(), price),
                (false, true) => desk.unrest(record.side(), price),
                _ => continue,
            }
            record.flags ^= flag;
        }
    }

    fn retire_if_closed(&mut self, key: OrderKey, before: Held, after: Held) {
        if !before.is_open || after.is_open {
            return;
        }
        self.set_amend(key, None);
        if let Some(record) = self.orders.get_mut(key) {
            if !record.has(RETIRING) {
                record.flags |= RETIRING;
                self.closed.push_back(key);
            }
        }
        // Two for each closing, so that the queue shrinks again after some had to wait.
        for _ in 0..2 {
            if self.closed.len() > self.closed_retained {
                self.archive_oldest();
            }
        }
    }

    /// Drop the order that closed first. A parent waits for its slices, so that a late fill of a
    /// slice still finds it, and an order waits for its ticket to run out.
    fn archive_oldest(&mut self) {
        let Some(key) = self.closed.pop_front() else { return };
        let is_open = self.held(key).is_open;
        let Some(record) = self.orders.get_mut(key) else { return };
        if is_open {
            // A late frame has brought it back; it retires again when it closes again.
            record.flags &= !RETIRING;
            return;
        }
        if record.children() > 0 || record.has(TICKETED) {
            self.closed.push_back(key);
            return;
        }
        let (parent, fills) = (record.parent(), record.fills);
        if let Some(parent) = parent.and_then(|parent| self.orders.get_mut(parent)) {
            parent.set_children(parent.children().saturating_sub(1));
        }
        self.fills.release(fills);
        self.notes.remove(&key);
        self.names.release(key, &mut self.orders, self.account.open_orders as usize);
        self.orders.remove(key);
    }
}
