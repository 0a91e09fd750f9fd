// SPDX-License-Identifier: Apache-2.0
//! Exact numbers across the border: decimal text is the common form. A float is refused where
//! money is meant, because what it stands for was lost when it was made.

use hean_core::{Instrument, Lots, Money, Ticks};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyInt, PyString};

use crate::error::raise;
use crate::exact;

/// Exact text to `decimal.Decimal`.
pub fn decimal<'py>(py: Python<'py>, text: &str) -> PyResult<Bound<'py, PyAny>> {
    exact::of_text(py, text)
}

/// A price as `Decimal`.
pub fn price_of<'py>(
    py: Python<'py>,
    rules: &Instrument,
    price: Ticks,
) -> PyResult<Bound<'py, PyAny>> {
    exact::decimal(py, i128::from(price.0) * rules.tick_size)
}

/// A quantity as `Decimal`.
pub fn quantity_of<'py>(
    py: Python<'py>,
    rules: &Instrument,
    lots: Lots,
) -> PyResult<Bound<'py, PyAny>> {
    exact::decimal(py, i128::from(lots.0) * rules.lot_size)
}

/// Money as `Decimal`.
pub fn money(py: Python<'_>, amount: Money) -> PyResult<Bound<'_, PyAny>> {
    exact::decimal(py, amount.0)
}

/// Plain decimal text of a `Decimal`, int or text.
pub fn text<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyString>> {
    if let Ok(text) = value.cast::<PyString>() {
        return Ok(text.clone());
    }
    if !value.is_exact_instance_of::<PyInt>() && !exact::is_decimal(value)? {
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

/// Exact money of an `Amount`, `Decimal`, int or text.
pub fn amount(value: &Bound<'_, PyAny>) -> PyResult<Money> {
    match value.cast::<Amount>() {
        Ok(amount) => Ok(amount.get().0),
        Err(_) => exact::units(value).map(Money),
    }
}

/// A price on its tick; raises `PriceNotOnTick`.
pub fn price(rules: &Instrument, value: &Bound<'_, PyAny>) -> PyResult<Ticks> {
    rules.price_of(exact::units(value)?).map_err(|error| raise(&error))
}

/// A quantity on its lot; raises `QuantityNotOnLot`.
pub fn quantity(rules: &Instrument, value: &Bound<'_, PyAny>) -> PyResult<Lots> {
    rules.quantity_of(exact::units(value)?).map_err(|error| raise(&error))
}

/// Exact money that stays in Rust on its way from one part of the core to another.
#[pyclass(frozen, name = "Amount", module = "hean._core")]
pub struct Amount(pub Money);

#[pymethods]
impl Amount {
    /// As `Decimal`.
    #[getter]
    fn decimal<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        money(py, self.0)
    }

    fn __float__(&self) -> f64 {
        self.0.to_f64()
    }

    fn __repr__(&self) -> String {
        format!("Amount({})", self.0.to_decimal())
    }
}

/// Add this file's classes to `hean._core`.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Amount>()
}
