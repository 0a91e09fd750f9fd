// SPDX-License-Identifier: Apache-2.0
//! The order engine spoken to in payloads of `hean.core.types`: one call reads what it needs from
//! an `OrderRequest`, an `OrderApproved` or an `OrderFilled`. This is the way of every order, so
//! nothing is unpacked in Python first.

use hean_core::order::amend::Amend;
use hean_core::order::{ExecId, Intent, OrderEngine, OrderKey, Ticket};
use hean_core::{Code, CoreError, Result as CoreResult};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::convert::{price, quantity};
use crate::error::raise;
use crate::order::PyOrderEngine;
use crate::order_fields::OrderFields;
use crate::order_terms;

type Any<'py> = Bound<'py, PyAny>;

fn text<'py>(payload: &Any<'py>, name: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyString>> {
    Ok(payload.getattr(name)?.cast_into()?)
}

impl PyOrderEngine {
    /// Read an order payload and do something with it under the name `id`.
    pub fn with_intent<R>(
        &mut self,
        order: &Any<'_>,
        id: &str,
        act: impl FnOnce(&mut OrderEngine, &Intent<'_>) -> CoreResult<R>,
    ) -> PyResult<R> {
        let order = OrderFields::of(order)?;
        let strategy =
            self.inner.strategy(order.strategy.to_str()?).map_err(|error| raise(&error))?;
        let (instrument, rules) = self.instrument(order.symbol.to_str()?)?;
        let optional = |value: &Option<Any<'_>>| -> PyResult<_> {
            value.as_ref().map(|value| price(rules, value)).transpose()
        };
        let parent = Some(order.parent.to_str()?).filter(|id| !id.is_empty());
        let intent = Intent {
            id,
            instrument,
            strategy,
            side: order_terms::side(order.side.to_str()?).map_err(|error| raise(&error))?,
            order_type: order_terms::order_type(order.kind.to_str()?)
                .map_err(|error| raise(&error))?,
            time_in_force: order_terms::time_in_force(order.time_in_force.to_str()?)
                .map_err(|error| raise(&error))?,
            reduce_only: order.reduce_only,
            lots: quantity(rules, &order.size)?,
            price: optional(&order.price)?,
            trigger: optional(&order.trigger)?,
            parent: parent.map(|id| self.key(id)).transpose()?,
            is_sliced: order.is_sliced,
        };
        act(&mut self.inner, &intent).map_err(|error| raise(&error))
    }

    /// Judge an `OrderRequest` at a reference price, if there is one; returns the ticket.
    pub fn approve_payload(
        &mut self,
        request: &Any<'_>,
        order_id: &str,
        now_ns: i64,
        reference: Option<f64>,
    ) -> PyResult<u64> {
        if let Some(price) = reference {
            let symbol = text(request, intern!(request.py(), "symbol"))?;
            self.set_mark(symbol.to_str()?, price, now_ns)?;
        }
        self.with_intent(request, order_id, |engine, intent| engine.approve(intent, now_ns))
            .map(|ticket| ticket.0)
    }

    /// Use the ticket of an `OrderApproved`, whose fields must be those that were approved.
    pub fn redeem_payload(&mut self, approved: &Any<'_>, ticket: u64, now_ns: i64) -> PyResult<()> {
        let order_id = text(approved, intern!(approved.py(), "order_id"))?;
        self.with_intent(approved, order_id.to_str()?, |engine, intent| {
            engine.redeem(Ticket(ticket), intent, now_ns)
        })
        .map(drop)
    }

    /// Record an `OrderApproved` of an earlier process.
    pub fn readmit_payload(&mut self, approved: &Any<'_>, now_ns: i64) -> PyResult<u64> {
        let order_id = text(approved, intern!(approved.py(), "order_id"))?;
        self.with_intent(approved, order_id.to_str()?, |engine, intent| {
            engine.readmit(intent, now_ns)
        })
        .map(|ticket| ticket.0)
    }

    /// Order and terms of a payload with `order_id`, `price` and `size`.
    pub fn amend_of(&self, payload: &Any<'_>) -> PyResult<(OrderKey, Amend)> {
        let py = payload.py();
        let key = self.key(text(payload, intern!(py, "order_id"))?.to_str()?)?;
        let price = payload.getattr(intern!(py, "price"))?;
        let price = Some(&price).filter(|price| !price.is_none());
        self.terms(key, price, &payload.getattr(intern!(py, "size"))?).map(|terms| (key, terms))
    }

    /// Count an `OrderFilled`; says whether it was new.
    pub fn count_payload(&mut self, fill: &Any<'_>, ts_ns: i64) -> PyResult<bool> {
        let py = fill.py();
        let [order_id, exec_id, symbol, side] = [
            text(fill, intern!(py, "order_id"))?,
            text(fill, intern!(py, "exec_id"))?,
            text(fill, intern!(py, "symbol"))?,
            text(fill, intern!(py, "side"))?,
        ];
        let key = self.key(order_id.to_str()?)?;
        let rules = self.instrument_of(key)?;
        let paid = price(rules, &fill.getattr(intern!(py, "fill_price"))?)?;
        let lots = quantity(rules, &fill.getattr(intern!(py, "filled_qty"))?)?;
        let side = order_terms::side(side.to_str()?).map_err(|error| raise(&error))?;
        let record = self.inner.record(key).map_err(|error| raise(&error))?;
        if symbol.to_str()? != rules.symbol || side != record.side() {
            let why = format!(
                "fill {exec_id} is a {side:?} of {symbol}; its order {order_id} is a {:?} of {}",
                record.side(),
                rules.symbol
            );
            return Err(raise(&CoreError::new(Code::IllegalTransition, why)));
        }
        let exec = ExecId::of_text(exec_id.to_str()?);
        let counted = self.inner.on_filled(key, exec, paid, lots, ts_ns);
        counted.map(|transition| transition.filled.0 != 0).map_err(|error| raise(&error))
    }
}
