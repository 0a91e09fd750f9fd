// SPDX-License-Identifier: Apache-2.0
//! What the float face of `Exchange` answers: how an order stands, and a position. Floats come in,
//! exact `Decimal`s go out; a quantity is rounded down to the lot and the rest is said.

use hean_core::exchange::Exchange;
use hean_core::order::{InstrumentId, OrderKey};
use hean_core::{CoreError, Instrument, Lots, Money};
use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::convert::{decimal, money};
use crate::error::raise;

/// How an order stands after a call.
#[pyclass(frozen, get_all, name = "OrderResult", module = "hean._core")]
pub struct PyOrderResult {
    /// Text id, good for every other call; empty for an order that was refused.
    order_id: String,
    /// As in the order engine: WORKING, PARTIAL, FILLED, CANCELLED, REJECTED ...
    status: &'static str,
    /// Why it ended, if it did not fill.
    reason: String,
    /// Quantity ordered, on the lot.
    qty: Py<PyAny>,
    /// Quantity filled.
    filled_qty: Py<PyAny>,
    /// Average price of the fills, or None.
    avg_price: Option<Py<PyAny>>,
    /// (price, quantity) of each fill, first to last.
    fills: Py<PyAny>,
    /// What the given float quantity had beyond the lot.
    residue: f64,
    /// Time spent in the core by this call.
    latency_us: f64,
}

#[pymethods]
impl PyOrderResult {
    fn __repr__(&self) -> String {
        let Self { order_id, status, qty, filled_qty, latency_us, .. } = self;
        format!("OrderResult({order_id} {status}, {filled_qty} of {qty}, {latency_us:.1} us)")
    }
}

/// A position with its profit.
#[pyclass(frozen, get_all, name = "ExchangePosition", module = "hean._core")]
pub struct PyExchangePosition {
    symbol: String,
    /// Signed quantity.
    qty: Py<PyAny>,
    /// Average entry price, or None while flat.
    avg_price: Option<Py<PyAny>>,
    /// Price of the last trade, or None.
    mark_price: Option<Py<PyAny>>,
    /// Profit of what was closed, before fees.
    realized_pnl: Py<PyAny>,
    /// Profit of what is held, at the mark.
    unrealized_pnl: Py<PyAny>,
    /// Fees paid.
    fees: Py<PyAny>,
}

/// An order that the limits refused: it was never recorded, so it has no id.
pub fn refused(
    py: Python<'_>,
    (rules, lots): (&Instrument, Lots),
    error: &CoreError,
    (residue, latency_us): (f64, f64),
) -> PyResult<PyOrderResult> {
    Ok(PyOrderResult {
        order_id: String::new(),
        status: "REJECTED",
        reason: error.message.clone(),
        qty: decimal(py, &rules.quantity_decimal(lots))?.unbind(),
        filled_qty: decimal(py, "0")?.unbind(),
        avg_price: None,
        fills: PyList::empty(py).into_any().unbind(),
        residue,
        latency_us,
    })
}

/// How the order at `key` stands.
pub fn result(
    py: Python<'_>,
    exchange: &Exchange,
    key: OrderKey,
    (residue, latency_us): (f64, f64),
) -> PyResult<PyOrderResult> {
    let orders = exchange.orders();
    let record = orders.record(key).map_err(|error| raise(&error))?;
    let desk = orders.desk(record.instrument).map_err(|error| raise(&error))?;
    let (rules, average) = (&desk.instrument, orders.average_price(key));
    Ok(PyOrderResult {
        order_id: orders.id(key).map_err(|error| raise(&error))?,
        status: orders.state(key).map_err(|error| raise(&error))?.name(),
        reason: orders.notes(key).map_or(String::new(), |notes| notes.reason.to_string()),
        qty: decimal(py, &rules.quantity_decimal(record.lots))?.unbind(),
        filled_qty: decimal(py, &rules.quantity_decimal(record.filled))?.unbind(),
        avg_price: average.map(|price| decimal(py, &price).map(Bound::unbind)).transpose()?,
        fills: fills_of(py, exchange, key, rules)?,
        residue,
        latency_us,
    })
}

fn fills_of(
    py: Python<'_>,
    exchange: &Exchange,
    key: OrderKey,
    rules: &Instrument,
) -> PyResult<Py<PyAny>> {
    let mut rows = Vec::new();
    for fill in exchange.orders().fills(key) {
        let price = decimal(py, &rules.price_decimal(fill.price))?;
        rows.push((price, decimal(py, &rules.quantity_decimal(fill.lots))?));
    }
    rows.reverse();
    Ok(PyList::new(py, rows)?.into_any().unbind())
}

/// The position in an instrument.
pub fn position(
    py: Python<'_>,
    exchange: &Exchange,
    number: InstrumentId,
) -> PyResult<PyExchangePosition> {
    let desk = exchange.orders().desk(number).map_err(|error| raise(&error))?;
    let rules = &desk.instrument;
    let held = exchange.ledger().position(usize::from(number.0)).copied().unwrap_or_default();
    let exact = |amount: Money| money(py, amount).map(Bound::unbind);
    let mark = held.mark.map(|mark| decimal(py, &rules.price_decimal(mark)).map(Bound::unbind));
    Ok(PyExchangePosition {
        symbol: rules.symbol.clone(),
        qty: decimal(py, &rules.quantity_decimal(held.lots))?.unbind(),
        avg_price: held.average_price(rules).map(exact).transpose()?,
        mark_price: mark.transpose()?,
        realized_pnl: exact(held.realised)?,
        unrealized_pnl: exact(held.unrealised)?,
        fees: exact(held.fees)?,
    })
}

/// A float quantity as whole lots, rounded down, and what is left over.
pub fn whole_lots(rules: &Instrument, qty: f64) -> hean_core::Result<(Lots, f64)> {
    let lots = rules.quantise_quantity(qty)?;
    let left = qty - rules.quantity_f64(lots);
    // What is within 1e-9 of a lot was on the lot before it became a float.
    let is_noise = left.abs() <= 1e-9 * rules.quantity_f64(Lots(1)).max(qty.abs());
    Ok((lots, if is_noise { 0.0 } else { left }))
}

/// Add this file's classes to `hean._core`.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyOrderResult>()?;
    module.add_class::<PyExchangePosition>()
}
