// SPDX-License-Identifier: Apache-2.0
//! Tickets that were issued and not used yet, oldest first. A ticket's number leads straight to
//! its place in the queue; its other half must equal the hash of the approved fields. Expired
//! ones are handed out one by one, so that the engine can give their reservation back.

use std::collections::VecDeque;

use super::{OrderKey, Ticket, TICKET_LIFE_NS};
use crate::error::{Code, CoreError, Result};

/// What a ticket permits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permit {
    /// The order.
    pub key: OrderKey,
    /// Amend it instead of creating it.
    pub is_amend: bool,
    pub(crate) hash: u32,
    pub(crate) expires_ns: i64,
    pub(crate) is_used: bool,
}

/// Queue of issued tickets.
#[derive(Debug, Clone, Default)]
pub struct Tickets {
    queue: VecDeque<Permit>,
    first: u32,
}

impl Tickets {
    /// Issue a ticket bound to `hash`.
    pub fn issue(&mut self, key: OrderKey, hash: u32, is_amend: bool, now_ns: i64) -> Ticket {
        let number = self.first.wrapping_add(self.queue.len() as u32);
        let expires_ns = now_ns.saturating_add(TICKET_LIFE_NS);
        self.queue.push_back(Permit { key, is_amend, hash, expires_ns, is_used: false });
        Ticket(u64::from(hash) << 32 | u64::from(number))
    }

    /// Look at a ticket without using it.
    ///
    /// # Errors
    /// [`Code::TicketInvalid`] if it is unknown, used or expired.
    pub fn look(&self, ticket: Ticket, now_ns: i64) -> Result<Permit> {
        let permit = self
            .queue
            .get(self.index(ticket))
            .filter(|permit| permit.hash == (ticket.0 >> 32) as u32 && !permit.is_used);
        let Some(permit) = permit else {
            return Err(invalid("unknown, or used before"));
        };
        if now_ns > permit.expires_ns {
            let late = now_ns - permit.expires_ns;
            return Err(invalid(&format!("expired {late} ns ago; approve again under a new id")));
        }
        Ok(*permit)
    }

    /// Use a ticket that `look` has accepted.
    pub fn consume(&mut self, ticket: Ticket) {
        let index = self.index(ticket);
        if let Some(permit) = self.queue.get_mut(index) {
            permit.is_used = true;
        }
        while self.queue.front().is_some_and(|permit| permit.is_used) {
            self.drop_front();
        }
    }

    /// The oldest ticket that ran out, if any; it is gone afterwards.
    pub fn next_expired(&mut self, now_ns: i64) -> Option<Permit> {
        while let Some(&permit) = self.queue.front() {
            if !permit.is_used && now_ns <= permit.expires_ns {
                return None;
            }
            self.drop_front();
            if !permit.is_used {
                return Some(permit);
            }
        }
        None
    }

    /// Issued tickets by age, for the canonical encoding.
    pub fn iter(&self) -> impl Iterator<Item = &Permit> {
        self.queue.iter()
    }

    /// Number of the oldest ticket in the queue.
    #[must_use]
    pub const fn first(&self) -> u32 {
        self.first
    }

    fn index(&self, ticket: Ticket) -> usize {
        (ticket.0 as u32).wrapping_sub(self.first) as usize
    }

    fn drop_front(&mut self) {
        self.queue.pop_front();
        self.first = self.first.wrapping_add(1);
    }
}

pub(crate) fn invalid(why: &str) -> CoreError {
    CoreError::new(Code::TicketInvalid, format!("ticket refused: {why}"))
}
