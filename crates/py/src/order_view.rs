// SPDX-License-Identifier: Apache-2.0
//! An order as the API shows it: one dictionary of exact numbers and words.

use hean_core::order::OrderKey;
use hean_core::{Side, Ticks};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::convert::{decimal, price_of, quantity_of};
use crate::error::raise;
use crate::order::PyOrderEngine;

type Dict<'py> = Bound<'py, PyDict>;

impl PyOrderEngine {
    /// The order as the API shows it.
    pub fn order<'py>(&self, py: Python<'py>, key: OrderKey) -> PyResult<Dict<'py>> {
        let dict = PyDict::new(py);
        let record = self.inner.record(key).map_err(|error| raise(&error))?;
        let notes = self.inner.notes(key);
        let exchange_id = notes.map(|notes| &*notes.exchange_id).filter(|id| !id.is_empty());
        dict.set_item("client_order_id", self.inner.id(key).map_err(|error| raise(&error))?)?;
        dict.set_item("exchange_order_id", exchange_id)?;
        self.put_terms(py, &dict, key)?;
        self.put_progress(py, &dict, key)?;
        dict.set_item("strategy_id", self.inner.strategy_name(record.strategy))?;
        let parent = record.parent().and_then(|parent| self.inner.id(parent).ok());
        dict.set_item("parent_id", parent)?;
        dict.set_item("is_sliced", record.is_sliced())?;
        dict.set_item("reason", notes.map_or("", |notes| &*notes.reason))?;
        dict.set_item("created_at", record.created_ns)?;
        dict.set_item("updated_at", record.updated_ns)?;
        Ok(dict)
    }

    fn put_terms(&self, py: Python<'_>, dict: &Dict<'_>, key: OrderKey) -> PyResult<()> {
        let record = self.inner.record(key).map_err(|error| raise(&error))?;
        let instrument = self.instrument_of(key)?;
        let exact =
            |ticks: Option<Ticks>| ticks.map(|ticks| price_of(py, instrument, ticks)).transpose();
        dict.set_item("symbol", &instrument.symbol)?;
        dict.set_item("side", if record.side() == Side::Buy { "BUY" } else { "SELL" })?;
        dict.set_item("type", record.order_type().name())?;
        dict.set_item("time_in_force", record.time_in_force().name())?;
        dict.set_item("reduce_only", record.reduce_only())?;
        dict.set_item("qty", quantity_of(py, instrument, record.lots)?)?;
        dict.set_item("price", exact(record.price())?)?;
        dict.set_item("trigger_price", exact(record.trigger())?)
    }

    fn put_progress(&self, py: Python<'_>, dict: &Dict<'_>, key: OrderKey) -> PyResult<()> {
        let record = self.inner.record(key).map_err(|error| raise(&error))?;
        let filled = self.instrument_of(key)?.quantity_decimal(record.filled);
        let average = self.inner.average_price(key);
        let average = average.map(|price| decimal(py, &price)).transpose()?;
        let state = self.inner.state(key).map_err(|error| raise(&error))?;
        let left = self.inner.left(key);
        dict.set_item("left_qty", quantity_of(py, self.instrument_of(key)?, left)?)?;
        dict.set_item("filled_qty", decimal(py, &filled)?)?;
        dict.set_item("avg_price", average)?;
        dict.set_item("status", state.name())?;
        dict.set_item("cancel_pending", self.inner.is_cancel_pending(key))?;
        dict.set_item("amend_pending", self.inner.pending_amend(key).is_some())
    }
}
