// SPDX-License-Identifier: Apache-2.0
//! What is kept of one order: 72 bytes, 40 for each fill, and 40 more for what few open orders
//! have (a trigger, slices, an end). Nothing in a record depends on the
//! order in which frames arrived: fills lie sorted by execution id, the end of an order is the
//! earliest terminal event, flags only ever get set. The state is computed from these facts.

use super::{ExecId, InstrumentId, Intent, OrderKey, OrderType, StrategyId, TimeInForce};
use crate::number::{Lots, Side, Ticks};

/// No order or fill here.
pub const NONE: u32 = u32::MAX;
/// No price here: a price of this size cannot be quoted.
const NO_PRICE: i64 = i64::MIN;

/// The ticket was redeemed; bytes may have left.
pub const SENT: u16 = 1;
/// The venue acknowledged the order.
pub const ACK: u16 = 1 << 1;
/// The outcome of the request was unknown at some time.
pub const UNKNOWN: u16 = 1 << 2;
/// The outcome could not be resolved in time.
pub const QUARANTINE: u16 = 1 << 3;
/// The order was declared absent.
pub const ABSENT: u16 = 1 << 4;
/// A cancel was requested (an overlay, not a state).
pub const CANCEL_PENDING: u16 = 1 << 5;
/// An amend was approved (an overlay, not a state).
pub const AMEND_PENDING: u16 = 1 << 6;
/// The order counts as resting for the self-cross check.
pub const RESTING: u16 = 1 << 7;
/// The order waits in the queue of closed orders.
pub const RETIRING: u16 = 1 << 8;
/// The id is kept as text.
pub const NAMED: u16 = 1 << 9;
/// The slot holds an order.
pub const LIVE: u16 = 1 << 10;
/// A ticket that is neither used nor expired points here, so the slot must stay.
pub const TICKETED: u16 = 1 << 11;
/// The price wanted by the amend on its way counts as resting too.
pub const AMEND_RESTING: u16 = 1 << 12;
/// The amend on its way wants more: filled by the old terms is not filled.
pub const AMEND_GROWS: u16 = 1 << 13;

/// How a venue ended an order; the number breaks ties between events of the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum End {
    /// Not ended.
    Open = 0,
    /// Cancelled.
    Cancelled = 1,
    /// Ran out of time, or its ticket did.
    Expired = 2,
    /// Refused.
    Rejected = 3,
}

/// What most open orders do not have.
#[derive(Debug, Clone)]
struct Rare {
    trigger: i64,
    drawn: Lots,
    ended_ns: i64,
    parent: u32,
    children: u32,
}

const NOTHING_RARE: Rare =
    Rare { trigger: NO_PRICE, drawn: Lots::ZERO, ended_ns: 0, parent: NONE, children: 0 };

/// One order.
#[derive(Debug, Clone)]
pub struct Record {
    price: i64,
    /// Ordered quantity.
    pub lots: Lots,
    /// Sum of the fills.
    pub filled: Lots,
    /// Sequence number of the id, if the id has HEAN's own form.
    pub(crate) seq: u64,
    /// Time of approval.
    pub created_ns: i64,
    /// Latest time any fact carried.
    pub updated_ns: i64,
    rare: Option<Box<Rare>>,
    pub(crate) fills: u32,
    /// What is traded.
    pub instrument: InstrumentId,
    /// Who wanted it.
    pub strategy: StrategyId,
    pub(crate) tag: [u8; 4],
    pub(crate) flags: u16,
    kind: u8,
    /// How the venue ended it.
    pub end: End,
}

impl Rare {
    fn of(intent: &Intent<'_>) -> Option<Box<Self>> {
        if intent.trigger.is_none() && intent.parent.is_none() {
            return None;
        }
        Some(Box::new(Self {
            trigger: intent.trigger.map_or(NO_PRICE, |price| price.0),
            parent: intent.parent.map_or(NONE, |key| key.0),
            ..NOTHING_RARE
        }))
    }
}

impl Record {
    /// A fresh record in state INTENT.
    #[must_use]
    pub fn new(intent: &Intent<'_>, now_ns: i64) -> Self {
        Self {
            price: intent.price.map_or(NO_PRICE, |price| price.0),
            lots: intent.lots,
            filled: Lots::ZERO,
            seq: 0,
            created_ns: now_ns,
            updated_ns: now_ns,
            rare: Rare::of(intent),
            fills: NONE,
            instrument: intent.instrument,
            strategy: intent.strategy,
            tag: [0; 4],
            flags: LIVE,
            kind: intent.side as u8
                | (intent.reduce_only as u8) << 1
                | (intent.time_in_force as u8) << 2
                | (intent.order_type as u8) << 4
                | (intent.is_sliced as u8) << 7,
            end: End::Open,
        }
    }

    /// Sequence number of the id, if the id has HEAN's own form; else 0.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.seq
    }

    /// Direction.
    #[must_use]
    pub const fn side(&self) -> Side {
        if self.kind & 1 == 0 {
            Side::Buy
        } else {
            Side::Sell
        }
    }

    /// May only shrink the position.
    #[must_use]
    pub const fn reduce_only(&self) -> bool {
        self.kind & 2 != 0
    }

    /// Is a reduction that trades at once, as `Intent::is_exit`.
    #[must_use]
    pub fn is_exit(&self) -> bool {
        let is_worked = self.is_sliced() || self.parent().is_some();
        self.reduce_only() && (is_worked || self.order_type().is_at_once(self.time_in_force()))
    }

    /// Is worked in slices, and never sent itself.
    #[must_use]
    pub const fn is_sliced(&self) -> bool {
        self.kind >> 7 != 0
    }

    /// How long it stays.
    #[must_use]
    pub const fn time_in_force(&self) -> TimeInForce {
        TimeInForce::ALL[(self.kind >> 2 & 3) as usize]
    }

    /// Kind of order.
    #[must_use]
    pub fn order_type(&self) -> OrderType {
        OrderType::ALL.get(usize::from(self.kind >> 4 & 7)).copied().unwrap_or(OrderType::Market)
    }

    /// Limit price.
    #[must_use]
    pub fn price(&self) -> Option<Ticks> {
        (self.price != NO_PRICE).then_some(Ticks(self.price))
    }

    /// Trigger price.
    #[must_use]
    pub fn trigger(&self) -> Option<Ticks> {
        let trigger = self.rare().trigger;
        (trigger != NO_PRICE).then_some(Ticks(trigger))
    }

    /// The order this one is a slice of.
    #[must_use]
    pub fn parent(&self) -> Option<OrderKey> {
        let parent = self.rare().parent;
        (parent != NONE).then_some(OrderKey(parent))
    }

    /// Lots lent to open slices of this order.
    #[must_use]
    pub fn drawn(&self) -> Lots {
        self.rare().drawn
    }

    /// Time of the terminal event; 0 before.
    #[must_use]
    pub fn ended_ns(&self) -> i64 {
        self.rare().ended_ns
    }

    /// Slices of this order that are still in memory.
    pub(crate) fn children(&self) -> u32 {
        self.rare().children
    }

    pub(crate) fn lend(&mut self, lots: i64) {
        self.rare_mut().drawn.0 += lots;
    }

    pub(crate) fn set_end(&mut self, end: End, ended_ns: i64) {
        self.end = end;
        if ended_ns != self.ended_ns() {
            self.rare_mut().ended_ns = ended_ns;
        }
    }

    pub(crate) fn set_children(&mut self, children: u32) {
        self.rare_mut().children = children;
    }

    #[inline]
    fn rare(&self) -> &Rare {
        self.rare.as_deref().unwrap_or(&NOTHING_RARE)
    }

    fn rare_mut(&mut self) -> &mut Rare {
        self.rare.get_or_insert_with(|| Box::new(NOTHING_RARE))
    }

    /// Is a flag set?
    #[must_use]
    pub const fn has(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    /// Quantity not filled yet.
    #[must_use]
    pub fn remaining(&self) -> Lots {
        Lots((self.lots.0 - self.filled.0).max(0))
    }

    pub(crate) fn set_terms(&mut self, price: Option<Ticks>, lots: Lots) {
        self.price = price.map_or(NO_PRICE, |price| price.0);
        self.lots = lots;
    }

    /// The same wish, apart from its id? `parent` is compared as well.
    #[must_use]
    pub fn matches(&self, intent: &Intent<'_>) -> bool {
        let wish = Self::new(intent, 0);
        (self.price, self.trigger(), self.lots, self.parent(), self.kind)
            == (wish.price, wish.trigger(), wish.lots, wish.parent(), wish.kind)
            && (self.instrument, self.strategy) == (wish.instrument, wish.strategy)
    }
}

/// One execution of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fill {
    /// Identity within the order.
    pub exec: ExecId,
    /// Price.
    pub price: Ticks,
    /// Quantity.
    pub lots: Lots,
    /// Time of execution.
    pub ts_ns: i64,
    next: u32,
}

/// All fills of all orders: one arena of lists, each sorted by falling execution id.
#[derive(Debug, Clone, Default)]
pub struct Fills {
    slots: Vec<Fill>,
    free: Vec<u32>,
}

/// Where a fill belongs in its list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// It is new and belongs here.
    New(Gap),
    /// The very same fill is there.
    Duplicate,
    /// Another fill has this execution id.
    Conflict,
}

/// A place between two neighbours of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    before: u32,
    after: u32,
}

impl Fills {
    /// Look a fill up in the list that starts at `head`. Cost: one step when ids grow, as they do
    /// on most venues; at worst one step for each fill of this order.
    #[must_use]
    pub fn place(&self, head: u32, fill: (ExecId, Ticks, Lots)) -> Place {
        let (mut before, mut after) = (NONE, head);
        while let Some(slot) = self.slots.get(after as usize) {
            if slot.exec <= fill.0 {
                if slot.exec < fill.0 {
                    break;
                }
                let is_same = (slot.price, slot.lots) == (fill.1, fill.2);
                return if is_same { Place::Duplicate } else { Place::Conflict };
            }
            (before, after) = (after, slot.next);
        }
        Place::New(Gap { before, after })
    }

    /// Put a fill where `place` said.
    pub fn insert(&mut self, head: &mut u32, gap: Gap, fill: (ExecId, Ticks, Lots), ts_ns: i64) {
        let (exec, price, lots) = fill;
        let at = self.store(Fill { exec, price, lots, ts_ns, next: gap.after });
        match self.slots.get_mut(gap.before as usize) {
            Some(slot) => slot.next = at,
            None => *head = at,
        }
    }

    fn store(&mut self, fill: Fill) -> u32 {
        if let Some(place) = self.free.pop() {
            if let Some(slot) = self.slots.get_mut(place as usize) {
                *slot = fill;
            }
            return place;
        }
        self.slots.push(fill);
        (self.slots.len() - 1) as u32
    }

    /// Fills of the list that starts at `head`, by falling execution id.
    pub fn iter(&self, head: u32) -> impl Iterator<Item = &Fill> {
        let mut at = head;
        std::iter::from_fn(move || {
            let fill = self.slots.get(at as usize)?;
            at = fill.next;
            Some(fill)
        })
    }

    /// Give the list that starts at `head` back.
    pub fn release(&mut self, head: u32) {
        let mut at = head;
        while let Some(fill) = self.slots.get(at as usize) {
            self.free.push(at);
            at = fill.next;
        }
    }
}

/// All records; a slot is used again once its order is archived.
#[derive(Debug, Clone, Default)]
pub struct Slab {
    slots: Vec<Record>,
    free: Vec<u32>,
}

impl Slab {
    /// Keep a record. Grows by a sixteenth: doubling would waste half of a large slab.
    pub fn insert(&mut self, record: Record) -> OrderKey {
        if let Some(key) = self.free.pop() {
            if let Some(slot) = self.slots.get_mut(key as usize) {
                *slot = record;
            }
            return OrderKey(key);
        }
        if self.slots.len() == self.slots.capacity() {
            self.slots.reserve_exact((self.slots.len() / 16).max(64));
        }
        self.slots.push(record);
        OrderKey((self.slots.len() - 1) as u32)
    }

    /// The record, if the slot holds one.
    #[must_use]
    #[inline]
    pub fn get(&self, key: OrderKey) -> Option<&Record> {
        self.slots.get(key.0 as usize).filter(|record| record.has(LIVE))
    }

    /// The record, to change.
    #[inline]
    pub fn get_mut(&mut self, key: OrderKey) -> Option<&mut Record> {
        self.slots.get_mut(key.0 as usize).filter(|record| record.flags & LIVE != 0)
    }

    /// Free the slot.
    pub fn remove(&mut self, key: OrderKey) {
        if let Some(record) = self.get_mut(key) {
            record.flags = 0;
            record.rare = None;
            self.free.push(key.0);
        }
    }

    /// Records with their keys, by key.
    pub fn iter(&self) -> impl Iterator<Item = (OrderKey, &Record)> {
        (0..).map(OrderKey).zip(&self.slots).filter(|(_, record)| record.has(LIVE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_takes_72_bytes_and_a_fill_40() {
        assert_eq!(std::mem::size_of::<Record>(), 72);
        assert_eq!(std::mem::size_of::<Fill>(), 40);
    }

    #[test]
    fn fills_lie_sorted_and_are_told_apart_by_execution_id() {
        let (mut fills, mut head) = (Fills::default(), NONE);
        for exec in [5, 9, 1, 7] {
            let fill = (ExecId(exec), Ticks(10), Lots(2));
            let Place::New(gap) = fills.place(head, fill) else { unreachable!() };
            fills.insert(&mut head, gap, fill, 0);
            assert_eq!(fills.place(head, fill), Place::Duplicate);
        }
        assert_eq!(fills.place(head, (ExecId(7), Ticks(11), Lots(2))), Place::Conflict);
        let order: Vec<u64> = fills.iter(head).map(|fill| fill.exec.0).collect();
        assert_eq!(order, [9, 7, 5, 1]);
        fills.release(head);
        assert_eq!(fills.free.len(), 4);
    }
}
