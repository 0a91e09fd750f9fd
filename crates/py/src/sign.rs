// SPDX-License-Identifier: Apache-2.0
//! `RequestSigner`: the secret half of an API key, which Python can use and not read.

use hean_core::wire::sign::Signer;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::PyBytes;

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
}

/// Add this file's class to `hean._core`.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyRequestSigner>()
}
