// SPDX-License-Identifier: Apache-2.0
//! `Instrument`: decimal texts in, exact counts inside, `Decimal` out.

use hean_core::instrument::MarginTier;
use hean_core::number::Rounding;
use hean_core::{Instrument, Kind, Lots, Money, Rate, Ticks};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::convert::{self, price_of, quantity_of};
use crate::error::raise;

/// Trading rules of one symbol, shared by every part that counts in ticks and lots.
#[pyclass(frozen, name = "Instrument", module = "hean._core")]
pub struct PyInstrument {
    pub inner: Instrument,
}

fn rounding(name: &str) -> PyResult<Rounding> {
    match name {
        "down" => Ok(Rounding::Down),
        "up" => Ok(Rounding::Up),
        "nearest" => Ok(Rounding::Nearest),
        other => {
            Err(PyValueError::new_err(format!("rounding {other:?}: expected down, up or nearest")))
        }
    }
}

fn kind_named(name: &str) -> PyResult<Kind> {
    match name {
        "spot" => Ok(Kind::Spot),
        "linear" => Ok(Kind::LinearPerpetual),
        other => Err(PyValueError::new_err(format!("kind {other:?}: expected spot or linear"))),
    }
}

/// Largest notional, initial rate, maintenance rate, deduction.
type TierTexts = (String, String, String, String);

fn margin_tier(
    (cap, initial, maintenance, deduction): &TierTexts,
) -> hean_core::Result<MarginTier> {
    Ok(MarginTier {
        notional_max: Money::parse(cap)?,
        initial_rate: Rate::parse(initial)?,
        maintenance_rate: Rate::parse(maintenance)?,
        deduction: Money::parse(deduction)?,
    })
}

#[pymethods]
impl PyInstrument {
    #[new]
    #[pyo3(signature = (
        symbol, kind, tick_size, lot_size, *,
        quantity_min=None, quantity_max=None, notional_min=None, tiers=Vec::new(),
    ))]
    #[allow(clippy::too_many_arguments)]
    fn new(
        symbol: &str,
        kind: &str,
        tick_size: &str,
        lot_size: &str,
        quantity_min: Option<&str>,
        quantity_max: Option<&str>,
        notional_min: Option<&str>,
        tiers: Vec<TierTexts>,
    ) -> PyResult<Self> {
        let kind = kind_named(kind)?;
        let build = || {
            let mut inner = Instrument::new(symbol, kind, tick_size, lot_size)?;
            inner.lots_min =
                quantity_min.map_or(Ok(inner.lots_min), |text| inner.quantity(text))?;
            inner.lots_max =
                quantity_max.map_or(Ok(inner.lots_max), |text| inner.quantity(text))?;
            inner.notional_min = notional_min.map_or(Ok(Money::ZERO), Money::parse)?;
            inner.tiers = tiers.iter().map(margin_tier).collect::<hean_core::Result<_>>()?;
            Ok(inner)
        };
        build().map(|inner| Self { inner }).map_err(|error| raise(&error))
    }

    /// Canonical name.
    #[getter]
    fn symbol(&self) -> &str {
        &self.inner.symbol
    }

    /// `spot` or `linear`.
    #[getter]
    fn kind(&self) -> &'static str {
        match self.inner.kind {
            Kind::Spot => "spot",
            Kind::LinearPerpetual => "linear",
        }
    }

    /// Price step as float.
    #[getter]
    fn tick_size(&self) -> f64 {
        self.inner.price_f64(Ticks(1))
    }

    /// Quantity step as float.
    #[getter]
    fn lot_size(&self) -> f64 {
        self.inner.quantity_f64(Lots(1))
    }

    /// Smallest order in lots, by quantity alone.
    #[getter]
    fn lots_min(&self) -> i64 {
        self.inner.lots_min.0
    }

    /// Largest order in lots.
    #[getter]
    fn lots_max(&self) -> i64 {
        self.inner.lots_max.0
    }

    /// Smallest order value in quote money; 0 for none.
    #[getter]
    fn notional_min(&self) -> f64 {
        self.inner.notional_min.0 as f64 / hean_core::number::MONEY_SCALE as f64
    }

    /// Exact ticks of a `Decimal`, int or text; raises `PriceNotOnTick`.
    fn price_ticks(&self, price: &Bound<'_, PyAny>) -> PyResult<i64> {
        convert::price(&self.inner, price).map(|ticks| ticks.0)
    }

    /// Exact lots of a `Decimal`, int or text; raises `QuantityNotOnLot`.
    fn quantity_lots(&self, quantity: &Bound<'_, PyAny>) -> PyResult<i64> {
        convert::quantity(&self.inner, quantity).map(|lots| lots.0)
    }

    /// A wished float price onto the tick: ticks.
    fn quantise_price(&self, price: f64, rounding_name: &str) -> PyResult<i64> {
        self.inner
            .quantise_price(price, rounding(rounding_name)?)
            .map(|t| t.0)
            .map_err(|e| raise(&e))
    }

    /// A wished float quantity onto the lot, towards zero: lots.
    fn quantise_quantity(&self, quantity: f64) -> PyResult<i64> {
        self.inner.quantise_quantity(quantity).map(|lots| lots.0).map_err(|error| raise(&error))
    }

    /// `Decimal` price of a count of ticks.
    fn price_decimal<'py>(&self, py: Python<'py>, ticks: i64) -> PyResult<Bound<'py, PyAny>> {
        price_of(py, &self.inner, Ticks(ticks))
    }

    /// `Decimal` quantity of a count of lots.
    fn quantity_decimal<'py>(&self, py: Python<'py>, lots: i64) -> PyResult<Bound<'py, PyAny>> {
        quantity_of(py, &self.inner, Lots(lots))
    }

    fn __repr__(&self) -> String {
        format!(
            "Instrument({}, {}, tick {}, lot {})",
            self.inner.symbol,
            self.kind(),
            self.tick_size(),
            self.lot_size()
        )
    }
}

/// Add this file's classes to `hean._core`.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyInstrument>()
}
