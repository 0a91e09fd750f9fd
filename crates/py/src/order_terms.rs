// SPDX-License-Identifier: Apache-2.0
//! Words and numbers of an order, from Python to the core's own types.

use hean_core::order::{HaltLevel, Limits, OrderType, TimeInForce, Transition};
use hean_core::{Code, CoreError, Instrument, Rate, Result, Side, Ticks};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::convert::{self, text};
use crate::error::raise;

fn wrong(what: &str, name: &str, known: &str) -> CoreError {
    CoreError::new(Code::ParameterInvalid, format!("{what} {name:?}: expected {known}"))
}

/// Side of a text, told by its first letter.
pub fn side(name: &str) -> Result<Side> {
    match name.as_bytes().first() {
        Some(b'B') => Ok(Side::Buy),
        Some(b'S') => Ok(Side::Sell),
        _ => Err(wrong("side", name, "BUY or SELL")),
    }
}

/// Order type of its name.
pub fn order_type(name: &str) -> Result<OrderType> {
    let found = OrderType::ALL.into_iter().find(|known| known.name() == name);
    found.ok_or_else(|| wrong("type", name, "MARKET, LIMIT, STOP, STOP_LIMIT or TAKE_PROFIT"))
}

/// Time in force of its name.
pub fn time_in_force(name: &str) -> Result<TimeInForce> {
    let found = TimeInForce::ALL.into_iter().find(|known| known.name() == name);
    found.ok_or_else(|| wrong("time_in_force", name, "GTC, IOC, FOK or POST_ONLY"))
}

/// Level of the kill switch of its name.
pub fn halt_level(name: &str) -> Result<HaltLevel> {
    let found = HaltLevel::ALL.into_iter().find(|known| known.name() == name);
    found.ok_or_else(|| wrong("level", name, "RUN, HALT_NEW, CANCEL_ALL, FLATTEN or LOCKED"))
}

/// The entry of a table.
pub fn by_number<T: Copy>(all: &[T], number: usize, what: &str) -> Result<T> {
    all.get(number).copied().ok_or_else(|| wrong(what, &number.to_string(), "a known number"))
}

/// Exact price of a `Decimal`, int or text, if there is one.
pub fn price(instrument: &Instrument, value: Option<&Bound<'_, PyAny>>) -> PyResult<Option<Ticks>> {
    value.map(|value| convert::price(instrument, value)).transpose()
}

/// Fraction of a float.
pub fn rate(value: f64) -> PyResult<Rate> {
    Rate::from_f64(value).map_err(|error| raise(&error))
}

/// Limits with some of them replaced by name.
pub fn limits_of(values: Option<&Bound<'_, PyDict>>, mut limits: Limits) -> PyResult<Limits> {
    for (name, value) in values.into_iter().flatten() {
        let value = if value.is_none() { None } else { Some(text(&value)?) };
        let value = value.as_ref().map(|value| value.to_str()).transpose()?;
        limits.set(name.str()?.to_str()?, value).map_err(|error| raise(&error))?;
    }
    Ok(limits)
}

/// Status names of a transition.
pub fn status(moved: Result<Transition>) -> PyResult<&'static str> {
    moved.map(|moved| moved.to.name()).map_err(|error| raise(&error))
}
