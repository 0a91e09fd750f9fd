// SPDX-License-Identifier: Apache-2.0
//! What of an engine outlives its process: orders, their fills, positions and the level of the kill
//! switch, all of which follow from journaled facts alone. `readmit` and `redeem` build it again
//! from those facts; `durable` writes it as bytes, so that the engine that lived and the one that
//! was built again can be compared. Reference prices, tickets, rates and orders that never left die
//! with the process and are not in it.

use super::engine::OrderEngine;
use super::exposure::Desk;
use super::record::{Record, ABSENT, ACK, QUARANTINE, SENT, UNKNOWN};
use super::{Intent, Name, OrderKey, Ticket};
use crate::error::{Code, CoreError, Result};
use crate::hash;
use crate::order::name::Lookup;

/// What was learnt from facts; the other flags are of the running process.
const LEARNT: u16 = SENT | ACK | UNKNOWN | QUARANTINE | ABSENT;

impl OrderEngine {
    /// Record an order that a process before this one approved, with its reservation and a ticket.
    /// Limits are not asked: the order may be at the venue already.
    ///
    /// # Errors
    /// [`Code::AlreadyApproved`] for an id used before, [`Code::UnknownSymbol`].
    pub fn readmit(&mut self, intent: &Intent<'_>, now_ns: i64) -> Result<Ticket> {
        self.desk(intent.instrument)?;
        let name = Name::parse(intent.id);
        if self.names.find_parsed(intent.id, name, &self.orders) != Lookup::Free {
            let message = format!("order id {} is in the journal twice", intent.id);
            return Err(CoreError::new(Code::AlreadyApproved, message));
        }
        let key = self.orders.insert(Record::new(intent, now_ns));
        self.names.insert(intent.id, name, key, &mut self.orders);
        self.enter(key);
        Ok(self.issue(key, intent.hash(), false, now_ns))
    }

    /// Append the durable state to `out`: names instead of numbers, in the order of names, and
    /// nothing of what was never traded.
    pub fn durable(&self, out: &mut Vec<u8>) {
        hash::put_text(out, "orders/1");
        hash::put_u8(out, self.account.halt as u8);
        let mut held: Vec<&Desk> =
            self.desks.iter().filter(|desk| desk.exposure.position.0 != 0).collect();
        held.sort_unstable_by(|left, right| left.instrument.symbol.cmp(&right.instrument.symbol));
        hash::put_len(out, held.len());
        for desk in held {
            hash::put_text(out, &desk.instrument.symbol);
            hash::put_i64(out, desk.exposure.position.0);
        }
        let named = |(key, record)| (self.names.text(key, record), key, record);
        let left = self.orders.iter().filter(|(_, record)| record.has(SENT));
        let mut orders: Vec<(String, OrderKey, &Record)> = left.map(named).collect();
        orders.sort_unstable_by(|left, right| left.0.cmp(&right.0));
        hash::put_len(out, orders.len());
        for (id, key, record) in orders {
            hash::put_text(out, &id);
            self.put_record(out, key, record);
        }
    }

    fn put_record(&self, out: &mut Vec<u8>, key: OrderKey, record: &Record) {
        let symbol = self.desk(record.instrument).map_or("", |desk| &desk.instrument.symbol);
        hash::put_text(out, symbol);
        hash::put_text(out, self.strategy_name(record.strategy));
        hash::put_u8(out, record.side() as u8);
        hash::put_u8(out, record.order_type() as u8);
        hash::put_u8(out, record.time_in_force() as u8);
        hash::put_u8(out, u8::from(record.reduce_only()) | u8::from(record.is_sliced()) << 1);
        for price in [record.price(), record.trigger()] {
            hash::put_optional_i64(out, price.map(|price| price.0));
        }
        for lots in [record.lots, record.filled] {
            hash::put_i64(out, lots.0);
        }
        hash::put_i64(out, record.ended_ns());
        hash::put_i64(out, i64::from(record.flags & LEARNT));
        hash::put_u8(out, record.end as u8);
        hash::put_len(out, self.fills.iter(record.fills).count());
        for fill in self.fills.iter(record.fills) {
            for value in [fill.exec.0 as i64, fill.price.0, fill.lots.0, fill.ts_ns] {
                hash::put_i64(out, value);
            }
        }
        let notes = self.notes.get(&key);
        hash::put_text(out, notes.map_or("", |notes| &notes.exchange_id));
    }
}
