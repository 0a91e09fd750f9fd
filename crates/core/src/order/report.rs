// SPDX-License-Identifier: Apache-2.0
//! What every rule sees in an order, for the record: the same walk over the rules as in `approve`,
//! with nothing reserved, no ticket made and no price kept. Whoever keeps a journal asks for it
//! right before the approval, and finds the same verdict there, with the rules that agreed.

use super::engine::{check_form, OrderEngine};
use super::flow::Likeness;
use super::judge::{record, Finding};
use super::limits::Wish;
use super::Intent;
use crate::error::Result;
use crate::number::{Lots, Money, Rounding, Ticks};

impl OrderEngine {
    /// What each rule observes in this order and what it allows, at this reference price and equity
    /// where they are given.
    ///
    /// # Errors
    /// As `approve`, but for breaches, which are among the findings.
    pub fn report(
        &mut self,
        intent: &Intent<'_>,
        mark: Option<Ticks>,
        equity: Option<Money>,
        now_ns: i64,
    ) -> Result<Vec<Finding>> {
        self.expire_tickets(now_ns); // as `approve` does first: what they held counts no more
        check_form(intent)?;
        if let Some(parent) = intent.parent {
            self.check_slice(intent, parent)?;
        }
        let wish = self.wish(intent, &Likeness::of(intent), now_ns);
        let (mut desk, mut account) = (self.desk(intent.instrument)?.clone(), self.account.clone());
        if let Some(mark) = mark {
            desk.set_mark(mark, now_ns, &mut account.totals)?;
        }
        if let Some(equity) = equity {
            account.equity = Some(equity);
            account.leverage_cap = self
                .limits
                .leverage_max
                .and_then(|most| equity.times_rate(most, Rounding::Down).ok());
        }
        record(&self.limits, &account, &desk, &wish, now_ns)
    }

    /// A new order in the terms of the rules.
    pub(crate) fn wish(&mut self, intent: &Intent<'_>, likeness: &Likeness, now_ns: i64) -> Wish {
        let flow = self.flow(intent.strategy, intent.instrument, Some(likeness), now_ns);
        Wish {
            side: intent.side,
            order_type: intent.order_type,
            reduce_only: intent.reduce_only,
            is_exit: intent.is_exit(),
            lots: intent.lots,
            added: if intent.parent.is_some() { Lots::ZERO } else { intent.lots },
            price: intent.price,
            trigger: intent.trigger,
            is_new: true,
            is_slice: intent.parent.is_some(),
            is_sliced: intent.is_sliced,
            flow,
        }
    }
}
