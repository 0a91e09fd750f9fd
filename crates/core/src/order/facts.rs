// SPDX-License-Identifier: Apache-2.0
//! Facts: what became of an order that left. Each goes through the one state table; a fact that
//! contradicts the order is counted, refused and changes nothing. A frame about an order that was
//! declared absent is believed at once, and latches HALT_NEW, for the limits had been open to it.

use super::engine::OrderEngine;
use super::record::{Record, CANCEL_PENDING};
use super::state::{apply, State};
use super::{ExecId, Fact, FactKind, HaltLevel, OrderKey, Transition};
use crate::error::{Code, CoreError, Result};
use crate::instrument::STEP_DECIMALS;
use crate::number::{divide, format_decimal, Lots, Rounding, Ticks};

/// Texts about an order, kept only where there are any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notes {
    /// The venue's id of the order.
    pub exchange_id: Box<str>,
    /// Why it ended.
    pub reason: Box<str>,
}

impl OrderEngine {
    /// Add a fact to an order and book what follows.
    ///
    /// # Errors
    /// [`Code::OrderUnknown`] if there is no such order, [`Code::IllegalTransition`] if the fact
    /// contradicts it; nothing changes then but the count of illegal facts.
    pub fn fact(&mut self, key: OrderKey, fact: Fact) -> Result<Transition> {
        if let FactKind::Filled { exec, price, lots } = fact.kind {
            self.prove_amend(key, (exec, price, lots), fact.ts_ns);
        }
        let before = self.held(key);
        let Some(record) = self.orders.get_mut(key) else {
            return Err(CoreError::new(Code::OrderUnknown, format!("no order at {}", key.0)));
        };
        let transition = match apply(record, &mut self.fills, fact) {
            Ok(transition) => transition,
            Err(error) => {
                self.illegal_facts += 1;
                return Err(error);
            }
        };
        let fill = match fact.kind {
            FactKind::Filled { exec, price, .. } if transition.filled.0 > 0 => {
                Some(((exec, price, transition.filled), fact.ts_ns))
            }
            _ => None,
        };
        if transition.is_resurrected {
            self.set_halt(HaltLevel::HaltNew);
        }
        self.settle(key, before, fill);
        Ok(transition)
    }

    /// The venue has the order, under its own id.
    ///
    /// # Errors
    /// As `fact`.
    pub fn on_placed(
        &mut self,
        key: OrderKey,
        exchange_id: Option<&str>,
        ts_ns: i64,
    ) -> Result<Transition> {
        let transition = self.fact(key, Fact { kind: FactKind::Placed, ts_ns })?;
        if let Some(id) = exchange_id.filter(|_| self.orders.get(key).is_some()) {
            settle_text(&mut self.notes.entry(key).or_default().exchange_id, id);
        }
        Ok(transition)
    }

    /// The venue executed a part. The same execution again changes nothing.
    ///
    /// # Errors
    /// As `fact`.
    pub fn on_filled(
        &mut self,
        key: OrderKey,
        exec: ExecId,
        price: Ticks,
        lots: Lots,
        ts_ns: i64,
    ) -> Result<Transition> {
        self.fact(key, Fact { kind: FactKind::Filled { exec, price, lots }, ts_ns })
    }

    /// The venue cancelled the order, or the caller withdraws one that has not left.
    ///
    /// # Errors
    /// As `fact`.
    pub fn on_cancelled(&mut self, key: OrderKey, reason: &str, ts_ns: i64) -> Result<Transition> {
        self.on_end(key, FactKind::Cancelled, reason, ts_ns)
    }

    /// The order ran out of time.
    ///
    /// # Errors
    /// As `fact`.
    pub fn on_expired(&mut self, key: OrderKey, reason: &str, ts_ns: i64) -> Result<Transition> {
        self.on_end(key, FactKind::Expired, reason, ts_ns)
    }

    /// The venue, or the last check before it, refused the order.
    ///
    /// # Errors
    /// As `fact`.
    pub fn on_rejected(&mut self, key: OrderKey, reason: &str, ts_ns: i64) -> Result<Transition> {
        self.on_end(key, FactKind::Rejected, reason, ts_ns)
    }

    /// The outcome of the request is unknown: the order counts in full until it is resolved.
    ///
    /// # Errors
    /// As `fact`.
    pub fn on_unknown(&mut self, key: OrderKey, ts_ns: i64) -> Result<Transition> {
        self.fact(key, Fact { kind: FactKind::Unknown, ts_ns })
    }

    /// The outcome could not be resolved in time; the order goes on counting in full.
    ///
    /// # Errors
    /// As `fact`.
    pub fn on_quarantined(&mut self, key: OrderKey, ts_ns: i64) -> Result<Transition> {
        self.fact(key, Fact { kind: FactKind::Quarantine, ts_ns })
    }

    /// All sources agree that the venue does not have the order.
    ///
    /// # Errors
    /// As `fact`.
    pub fn on_absent(&mut self, key: OrderKey, ts_ns: i64) -> Result<Transition> {
        self.fact(key, Fact { kind: FactKind::Absent, ts_ns })
    }

    /// A cancel is about to be sent. Cancels need no ticket and pass every halt.
    ///
    /// # Errors
    /// [`Code::OrderUnknown`]; [`Code::OrderNotOpen`] if there is nothing to cancel any more.
    pub fn cancel_requested(&mut self, key: OrderKey) -> Result<()> {
        self.set_cancel(key, true)
    }

    /// The venue refused the cancel; the order goes on.
    ///
    /// # Errors
    /// As `cancel_requested`.
    pub fn on_cancel_rejected(&mut self, key: OrderKey) -> Result<()> {
        self.set_cancel(key, false)
    }

    /// Is a cancel on its way? An overlay: it says nothing once the order has ended.
    #[must_use]
    pub fn is_cancel_pending(&self, key: OrderKey) -> bool {
        let record = self.orders.get(key);
        record.is_some_and(|record| record.has(CANCEL_PENDING) && State::of(record).is_open())
    }

    /// The venue's id and the reason of the end, where there are any.
    #[must_use]
    pub fn notes(&self, key: OrderKey) -> Option<&Notes> {
        self.notes.get(&key)
    }

    /// Average price of the fills as decimal text, nearest 1e-12; `None` without fills.
    #[must_use]
    pub fn average_price(&self, key: OrderKey) -> Option<String> {
        let record = self.orders.get(key).filter(|record| record.filled.0 > 0)?;
        let tick = self.desk(record.instrument).ok()?.instrument.tick_size;
        let (value, lots) = self.fills(key).fold((0_i128, 0_i128), |(value, lots), fill| {
            let product = i128::from(fill.price.0) * i128::from(fill.lots.0);
            (value.saturating_add(product), lots + i128::from(fill.lots.0))
        });
        let price = divide(value.saturating_mul(tick), lots.max(1), Rounding::Nearest);
        Some(format_decimal(price, STEP_DECIMALS))
    }

    fn set_cancel(&mut self, key: OrderKey, is_pending: bool) -> Result<()> {
        let state = self.state(key)?;
        if !state.is_open() {
            return Err(CoreError::new(Code::OrderNotOpen, format!("it is {}", state.name())));
        }
        if let Some(record) = self.orders.get_mut(key) {
            let overlay = if is_pending { CANCEL_PENDING } else { 0 };
            record.flags = (record.flags & !CANCEL_PENDING) | overlay;
        }
        Ok(())
    }

    fn on_end(
        &mut self,
        key: OrderKey,
        kind: FactKind,
        reason: &str,
        ts_ns: i64,
    ) -> Result<Transition> {
        let ended = |record: &Record| (record.end, record.ended_ns());
        let before = self.orders.get(key).map(ended);
        let transition = self.fact(key, Fact { kind, ts_ns })?;
        let Some(after) = self.orders.get(key).map(ended) else { return Ok(transition) };
        let is_news = before != Some(after);
        if !reason.is_empty() && (is_news || (after.1 == ts_ns && kind.end() == Some(after.0))) {
            let notes = self.notes.entry(key).or_default();
            if is_news {
                notes.reason = reason.into();
            } else {
                settle_text(&mut notes.reason, reason);
            }
        } else if let Some(notes) = self.notes.get_mut(&key).filter(|_| is_news) {
            notes.reason = Box::default();
        }
        Ok(transition)
    }
}

/// Of two texts for the same thing keep the smaller, so that the order of arrival does not show.
fn settle_text(kept: &mut Box<str>, text: &str) {
    if kept.is_empty() || text < kept {
        *kept = text.into();
    }
}
