// SPDX-License-Identifier: Apache-2.0
//! `RequestSigner`: the secret half of an API key, which Python can use and not read.

use hean_core::wire::order_words::{self, OrderTexts};
use hean_core::wire::sign::Signer;
use hean_core::wire::Market;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::PyBytes;

use crate::convert::text;
use crate::error::raise;
use crate::order_fields::OrderFields;
use crate::order_terms;

/// Read an `OrderApproved` and do something with its words at Binance; `None` for what goes to
/// another book there.
fn with_binance_order<R>(
    market: &str,
    approved: &Bound<'_, PyAny>,
    act: impl FnOnce(&[(&str, &str)]) -> R,
) -> PyResult<Option<R>> {
    let market = Market::parse(market)
        .ok_or_else(|| PyValueError::new_err(format!("market {market:?}: spot or linear")))?;
    let order = OrderFields::of(approved)?;
    let size = text(&order.size)?;
    let price = order.price.as_ref().map(text).transpose()?;
    let trigger = order.trigger.as_ref().map(text).transpose()?;
    let order = OrderTexts {
        id: order.order_id.to_str()?,
        symbol: order.symbol.to_str()?,
        side: order.side.to_str()?,
        size: size.to_str()?,
        order_type: order_terms::order_type(order.kind.to_str()?).map_err(|error| raise(&error))?,
        time_in_force: order_terms::time_in_force(order.time_in_force.to_str()?)
            .map_err(|error| raise(&error))?,
        price: price.as_ref().map(|price| price.to_str()).transpose()?,
        trigger: trigger.as_ref().map(|price| price.to_str()).transpose()?,
        reduce_only: order.reduce_only,
    };
    Ok(order_words::binance_order(market, &order).map(|fields| act(&fields)))
}

/// Parameters of a new order at Binance, as a query without signature.
#[pyfunction]
#[pyo3(signature = (market, approved, /))]
fn binance_order_query(market: &str, approved: &Bound<'_, PyAny>) -> PyResult<Option<String>> {
    let joined = |fields: &[(&str, &str)]| {
        fields.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
    };
    with_binance_order(market, approved, joined)
}

/// Signs requests under one secret.
#[pyclass(name = "RequestSigner", module = "hean._core", frozen)]
struct PyRequestSigner {
    inner: Signer,
}

#[pymethods]
impl PyRequestSigner {
    #[new]
    fn new(secret: &str) -> Self {
        Self { inner: Signer::new(secret.as_bytes()) }
    }

    fn sign(&self, text: &[u8]) -> String {
        self.inner.sign(text)
    }

    #[pyo3(signature = (api_key, request_id, method, fields, timestamp_ms, /))]
    fn binance_frame<'py>(
        &self,
        py: Python<'py>,
        api_key: &str,
        request_id: &str,
        method: &str,
        fields: Vec<(PyBackedStr, PyBackedStr)>,
        timestamp_ms: i64,
    ) -> Bound<'py, PyBytes> {
        let fields: Vec<(&str, &str)> =
            fields.iter().map(|(name, value)| (&**name, &**value)).collect();
        let request = (request_id, method);
        PyBytes::new(py, &self.inner.binance_frame(api_key, request, &fields, timestamp_ms))
    }

    /// A new order, from payload to signed frame; `None` where it goes by REST only.
    #[pyo3(signature = (market, api_key, request_id, approved, timestamp_ms, /))]
    fn binance_order<'py>(
        &self,
        market: &str,
        api_key: &str,
        request_id: &str,
        approved: &Bound<'py, PyAny>,
        timestamp_ms: i64,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let request = (request_id, "order.place");
        with_binance_order(market, approved, |fields| {
            let frame = self.inner.binance_frame(api_key, request, fields, timestamp_ms);
            PyBytes::new(approved.py(), &frame)
        })
    }
}

/// Add this file's class to `hean._core`.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(binance_order_query, module)?)?;
    module.add_class::<PyRequestSigner>()
}
