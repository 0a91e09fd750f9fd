// SPDX-License-Identifier: Apache-2.0
//! Exact numbers across the border: decimal text is the common form. A float is refused where
//! money is meant, because what it stands for was lost when it was made.

use hean_core::{Instrument, Lots, Money, Ticks};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyInt, PyString};

use crate::error::raise;

static DECIMAL: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

fn decimal_class(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    let class = DECIMAL
        .get_or_try_init(py, || py.import("decimal")?.getattr("Decimal").map(Bound::unbind))?;
    Ok(class.bind(py))
}

/// Exact text to `decimal.Decimal`.
pub fn decimal<'py>(py: Python<'py>, text: &str) -> PyResult<Bound<'py, PyAny>> {
    decimal_class(py)?.call1((text,))
}

/// Money as `Decimal`.
pub fn money(py: Python<'_>, amount: Money) -> PyResult<Bound<'_, PyAny>> {
    decimal(py, &amount.to_decimal())
}

/// Plain decimal text of a `Decimal`, int or text.
pub fn text<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyString>> {
    if let Ok(text) = value.cast::<PyString>() {
        return Ok(text.clone());
    }
    if !value.is_exact_instance_of::<PyInt>() && !is_decimal(value)? {
        let kind = value.get_type().name()?;
        return Err(PyTypeError::new_err(format!(
            "{kind} where an exact number is due: pass Decimal, int or str",
        )));
    }
    let plain = value.str()?;
    // Decimal("1E+3") prints with an exponent; format "f" does not.
    if plain.to_str()?.bytes().any(|byte| byte == b'E') {
        return Ok(value.call_method1("__format__", ("f",))?.cast_into()?);
    }
    Ok(plain)
}

fn is_decimal(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    value.is_instance(decimal_class(value.py())?)
}

/// Exact money of a `Decimal`, int or text.
pub fn amount(value: &Bound<'_, PyAny>) -> PyResult<Money> {
    Money::parse(text(value)?.to_str()?).map_err(|error| raise(&error))
}

/// A price on its tick; raises `PriceNotOnTick`.
pub fn price(rules: &Instrument, value: &Bound<'_, PyAny>) -> PyResult<Ticks> {
    rules.price(text(value)?.to_str()?).map_err(|error| raise(&error))
}

/// A quantity on its lot; raises `QuantityNotOnLot`.
pub fn quantity(rules: &Instrument, value: &Bound<'_, PyAny>) -> PyResult<Lots> {
    rules.quantity(text(value)?.to_str()?).map_err(|error| raise(&error))
}
