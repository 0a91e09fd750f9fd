// SPDX-License-Identifier: Apache-2.0
//! Price levels, shared by the feed book and the matching engine. A [`Ladder`] is a sorted Vec
//! whose best price is the last row: taking the best is a pop, and an insertion near the touch
//! moves few rows. Both sides sort upwards by a key that grows with quality, so one piece of code
//! serves bids and asks. [`Queues`] hangs orders into levels as linked lists inside slabs; it
//! knows places and priority, but nothing of trading rules. A far price costs a move of the rows
//! between it and the best: 16 bytes a level.

use crate::number::Ticks;

/// "No slot": slot 0 of every slab is a dummy.
pub const NIL: u32 = 0;

/// Which end of the prices is the best one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Best {
    /// Bids, and orders woken by a falling price.
    Highest,
    /// Asks, and orders woken by a rising price.
    Lowest,
}

#[derive(Debug, Clone, Copy)]
struct Row<T> {
    key: i64,
    value: T,
}

/// Levels of one side, worst first, best last. Prices must be positive.
#[derive(Debug, Clone)]
pub struct Ladder<T> {
    rows: Vec<Row<T>>,
    sign: i64,
}

impl<T: Copy> Ladder<T> {
    /// An empty side.
    #[must_use]
    pub const fn new(best: Best) -> Self {
        let sign = match best {
            Best::Highest => 1,
            Best::Lowest => -1,
        };
        Self { rows: Vec::new(), sign }
    }

    /// Quality of a price: higher is better. The same number for the same price and side.
    #[inline]
    #[must_use]
    pub const fn key(&self, price: Ticks) -> i64 {
        price.0 * self.sign
    }

    /// Number of levels.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// True without levels.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Best price and its value.
    #[inline]
    #[must_use]
    pub fn best(&self) -> Option<(Ticks, T)> {
        self.rows.last().map(|row| (Ticks(row.key * self.sign), row.value))
    }

    /// All levels, best first.
    pub fn iter(&self) -> impl Iterator<Item = (Ticks, T)> + '_ {
        self.rows.iter().rev().map(|row| (Ticks(row.key * self.sign), row.value))
    }

    /// Index of the level at `price`, or where it would have to be inserted.
    ///
    /// Keys are distinct integers, so a key `d` ticks below the best lies at most `d` rows below
    /// it. In a dense book that bound is the answer; otherwise it narrows the binary search from
    /// both ends.
    #[inline]
    pub fn find(&self, price: Ticks) -> Result<usize, usize> {
        let key = self.key(price);
        let rows = self.rows.as_slice();
        let Some(best) = rows.last() else { return Err(0) };
        if key > best.key {
            return Err(rows.len());
        }
        let last = rows.len() - 1;
        let low = last.saturating_sub((best.key - key) as usize);
        let low_key = rows[low].key;
        if low_key >= key {
            return if low_key == key { Ok(low) } else { Err(low) };
        }
        let high = last.min(low.saturating_add((key - low_key) as usize));
        let at = low + 1 + rows[low + 1..high].partition_point(|row| row.key < key);
        if rows[at].key == key {
            Ok(at)
        } else {
            Err(at)
        }
    }

    /// Value at an index given by [`Ladder::find`].
    #[inline]
    #[must_use]
    pub fn value(&self, at: usize) -> T {
        self.rows[at].value
    }

    /// Replace the value at an index given by [`Ladder::find`].
    #[inline]
    pub fn set(&mut self, at: usize, value: T) {
        self.rows[at].value = value;
    }

    /// Insert a level at the index that [`Ladder::find`] named.
    pub fn insert(&mut self, at: usize, price: Ticks, value: T) {
        let key = self.key(price);
        self.rows.insert(at, Row { key, value });
    }

    /// Remove the level at an index given by [`Ladder::find`].
    pub fn remove(&mut self, at: usize) {
        self.rows.remove(at);
    }

    /// Keep only the best `count` levels.
    pub fn trim(&mut self, count: usize) {
        self.rows.drain(..self.rows.len().saturating_sub(count));
    }

    /// Forget all levels, keep the memory.
    pub fn clear(&mut self) {
        self.rows.clear();
    }
}

/// Values at stable slots. Grows by an eighth, because memory per open order is a promise; freed
/// slots are used again, last freed first.
#[derive(Debug, Clone)]
pub struct Slab<T> {
    items: Vec<T>,
    free: Vec<u32>,
}

impl<T: Copy> Slab<T> {
    /// A slab holding only the dummy at slot [`NIL`].
    #[must_use]
    pub fn new(dummy: T) -> Self {
        Self { items: vec![dummy], free: Vec::new() }
    }

    /// A free slot if there is one; it keeps its old content.
    #[inline]
    pub fn reuse(&mut self) -> Option<u32> {
        self.free.pop()
    }

    /// Append a value; [`NIL`] if all 2^32 - 1 slots are taken.
    #[inline]
    pub fn append(&mut self, value: T) -> u32 {
        let slot = self.items.len();
        if slot == self.items.capacity() {
            self.items.reserve_exact(slot / 8 + 64);
        }
        u32::try_from(slot).map_or(NIL, |slot| {
            self.items.push(value);
            slot
        })
    }

    /// Store a value in any slot; [`NIL`] if there is none.
    #[inline]
    pub fn insert(&mut self, value: T) -> u32 {
        if let Some(slot) = self.reuse() {
            self.items[slot as usize] = value;
            return slot;
        }
        self.append(value)
    }

    /// Give a slot back.
    #[inline]
    pub fn release(&mut self, slot: u32) {
        self.free.push(slot);
    }

    /// Value at a slot that was handed out.
    #[inline]
    #[must_use]
    pub fn at(&self, slot: u32) -> &T {
        &self.items[slot as usize]
    }

    /// Value at a slot that was handed out, to change it.
    #[inline]
    pub fn at_mut(&mut self, slot: u32) -> &mut T {
        &mut self.items[slot as usize]
    }

    /// Value at a slot somebody else names.
    #[inline]
    #[must_use]
    pub fn get(&self, slot: u32) -> Option<&T> {
        self.items.get(slot as usize)
    }
}

/// One order in a queue: 32 bytes, two in a cache line.
#[derive(Debug, Clone, Copy, Default)]
pub struct Order {
    /// Open quantity.
    pub lots: i64,
    /// Who it belongs to.
    pub owner: u32,
    /// Slot of its further terms, kept by the caller.
    pub terms: u32,
    level: u32,
    previous: u32,
    next: u32,
    generation: u32,
}

#[derive(Debug, Clone, Copy)]
struct Level {
    price: Ticks,
    head: u32,
    tail: u32,
    queue: u8,
}

/// `N` ladders of first-in-first-out queues over one slab of orders.
///
/// An id is slot + generation * 2^32: finding an order is one array access, an old id never finds
/// the slot's next tenant, and the ids of a fresh book count 1, 2, 3.
#[derive(Debug, Clone)]
pub struct Queues<const N: usize> {
    orders: Slab<Order>,
    levels: Slab<Level>,
    ladders: [Ladder<u32>; N],
    count: usize,
}

impl<const N: usize> Queues<N> {
    /// Empty queues; queue `i` has its best price at end `best[i]`.
    #[must_use]
    pub fn new(best: [Best; N]) -> Self {
        Self {
            orders: Slab::new(Order::default()),
            levels: Slab::new(Level { price: Ticks(0), head: NIL, tail: NIL, queue: 0 }),
            ladders: best.map(Ladder::new),
            count: 0,
        }
    }

    /// Number of queued orders.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.count
    }

    /// Levels of one queue: price and slot of the level.
    #[inline]
    #[must_use]
    pub const fn ladder(&self, queue: usize) -> &Ladder<u32> {
        &self.ladders[queue]
    }

    /// A slot for a new order, not queued yet; [`NIL`] if 2^32 - 1 are in use.
    #[inline]
    pub fn reserve(&mut self) -> u32 {
        match self.orders.reuse() {
            Some(slot) => slot,
            None => self.orders.append(Order::default()),
        }
    }

    /// Id of the order that holds this slot now.
    #[inline]
    #[must_use]
    pub fn id(&self, slot: u32) -> u64 {
        u64::from(self.orders.at(slot).generation) << 32 | u64::from(slot)
    }

    /// Slot of a queued order.
    #[inline]
    #[must_use]
    pub fn slot(&self, id: u64) -> Option<u32> {
        let slot = id as u32;
        let order = self.orders.get(slot)?;
        (u64::from(order.generation) == id >> 32 && order.level != NIL).then_some(slot)
    }

    /// True if this id was given to an order that is closed by now.
    #[must_use]
    pub fn was_given(&self, id: u64) -> bool {
        self.orders.get(id as u32).is_some_and(|order| u64::from(order.generation) > id >> 32)
    }

    /// The order in a slot.
    #[inline]
    #[must_use]
    pub fn order(&self, slot: u32) -> &Order {
        self.orders.at(slot)
    }

    /// The order in a slot, to change it.
    #[inline]
    pub fn order_mut(&mut self, slot: u32) -> &mut Order {
        self.orders.at_mut(slot)
    }

    /// Queue and price of a queued order.
    #[inline]
    #[must_use]
    pub fn place(&self, slot: u32) -> (usize, Ticks) {
        let level = self.levels.at(self.orders.at(slot).level);
        (usize::from(level.queue), level.price)
    }

    /// First order of the best level of a queue.
    #[inline]
    #[must_use]
    pub fn first(&self, queue: usize) -> Option<(Ticks, u32)> {
        self.ladders[queue].best().map(|(price, level)| (price, self.levels.at(level).head))
    }

    /// Orders of one level, first in first.
    pub fn level(&self, level: u32) -> impl Iterator<Item = (u32, &Order)> + '_ {
        let mut slot = self.levels.at(level).head;
        std::iter::from_fn(move || {
            let order = self.orders.at(slot);
            let item = (slot != NIL).then_some((slot, order));
            slot = order.next;
            item
        })
    }

    /// Put a reserved slot at the end of the queue at `price`.
    pub fn push(&mut self, slot: u32, queue: usize, price: Ticks) {
        let level = match self.ladders[queue].find(price) {
            Ok(at) => self.ladders[queue].value(at),
            Err(at) => {
                let fresh = Level { price, head: NIL, tail: NIL, queue: queue as u8 };
                let level = self.levels.insert(fresh);
                self.ladders[queue].insert(at, price, level);
                level
            }
        };
        let row = self.levels.at_mut(level);
        let tail = std::mem::replace(&mut row.tail, slot);
        if tail == NIL {
            row.head = slot;
        } else {
            self.orders.at_mut(tail).next = slot;
        }
        let order = self.orders.at_mut(slot);
        (order.level, order.previous, order.next) = (level, tail, NIL);
        self.count += 1;
    }

    /// Take an order out of its queue; the slot stays reserved.
    pub fn unlink(&mut self, slot: u32) {
        let order = self.orders.at_mut(slot);
        let (at, previous, next) = (order.level, order.previous, order.next);
        order.level = NIL;
        self.count -= 1;
        if previous != NIL {
            self.orders.at_mut(previous).next = next;
        }
        if next != NIL {
            self.orders.at_mut(next).previous = previous;
        }
        if previous != NIL && next != NIL {
            return;
        }
        let level = self.levels.at_mut(at);
        if previous == NIL {
            level.head = next;
        }
        if next == NIL {
            level.tail = previous;
        }
        if level.head == NIL {
            let ladder = &mut self.ladders[usize::from(level.queue)];
            if let Ok(row) = ladder.find(level.price) {
                ladder.remove(row);
            }
            self.levels.release(at);
        }
    }

    /// End the life of an id. The slot returns under the next generation; after 2^32 lives it
    /// retires, so that no id is ever given twice.
    #[inline]
    pub fn close(&mut self, slot: u32) {
        let order = self.orders.at_mut(slot);
        let lived = order.generation;
        order.generation = lived.saturating_add(1);
        if lived < u32::MAX - 1 {
            self.orders.release(slot);
        }
    }
}
