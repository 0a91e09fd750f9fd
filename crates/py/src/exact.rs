// SPDX-License-Identifier: Apache-2.0
//! `Decimal` to a count of 1e-12 and back. Both directions go through text, which costs more than
//! an order's whole way through the core; and the numbers of a run repeat: a fill's price is read
//! by engine, ledger and strategy, sizes come again and again. So the last few are remembered,
//! one place for each hash: a `Decimal` never changes, and one that is remembered is kept alive.

use std::cell::RefCell;

use hean_core::number::{format_decimal, parse_decimal, SCALE_DECIMALS};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::convert::text;
use crate::error::raise;

/// Places in each table; the numbers between an order and its last answer fit many times over.
const PLACES: usize = 512;

static DECIMAL: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

type Table = Vec<Option<(Py<PyAny>, i128)>>;

thread_local! {
    /// By address of the object, by value.
    static SEEN: RefCell<[Table; 2]> = const { RefCell::new([Vec::new(), Vec::new()]) };
}

fn class(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    let load = || py.import("decimal")?.getattr("Decimal").map(Bound::unbind);
    Ok(DECIMAL.get_or_try_init(py, load)?.bind(py))
}

fn by_address(value: &Bound<'_, PyAny>) -> usize {
    (value.as_ptr() as usize >> 4) % PLACES
}

fn by_value(units: i128) -> usize {
    let hash = (units as u64 ^ (units >> 64) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (hash >> 40) as usize % PLACES
}

fn remember(table: &mut Table, place: usize, value: &Bound<'_, PyAny>, units: i128) {
    if table.is_empty() {
        table.resize_with(PLACES, || None);
    }
    if let Some(slot) = table.get_mut(place) {
        *slot = Some((value.clone().unbind(), units));
    }
}

/// Is it a `Decimal`, or of a class derived from it?
pub fn is_decimal(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    value.is_instance(class(value.py())?)
}

/// Exact text to a new `Decimal`.
pub fn of_text<'py>(py: Python<'py>, text: &str) -> PyResult<Bound<'py, PyAny>> {
    class(py)?.call1((text,))
}

/// A count of 1e-12 as `Decimal`.
pub fn decimal(py: Python<'_>, units: i128) -> PyResult<Bound<'_, PyAny>> {
    let known = SEEN.with_borrow(|[_, values]| match values.get(by_value(units)) {
        Some(Some((value, known))) if *known == units => Some(value.bind(py).clone()),
        _ => None,
    });
    if let Some(value) = known {
        return Ok(value);
    }
    let value = of_text(py, &format_decimal(units, SCALE_DECIMALS))?;
    SEEN.with_borrow_mut(|[addresses, values]| {
        remember(values, by_value(units), &value, units);
        remember(addresses, by_address(&value), &value, units);
    });
    Ok(value)
}

/// The count of 1e-12 of a `Decimal`, int or text.
pub fn units(value: &Bound<'_, PyAny>) -> PyResult<i128> {
    let py = value.py();
    let place = by_address(value);
    let known = SEEN.with_borrow(|[addresses, _]| match addresses.get(place) {
        Some(Some((seen, units))) if seen.is(value) => Some(*units),
        _ => None,
    });
    if let Some(units) = known {
        return Ok(units);
    }
    let units = parse_decimal(text(value)?.to_str()?, SCALE_DECIMALS);
    let units = units.map_err(|error| raise(&error))?;
    if value.get_type().is(class(py)?) {
        SEEN.with_borrow_mut(|[addresses, _]| remember(addresses, place, value, units));
    }
    Ok(units)
}
