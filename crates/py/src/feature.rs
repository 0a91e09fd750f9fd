// SPDX-License-Identifier: Apache-2.0
//! Features for Python: facts go in field by field, values come out as one dictionary or row.

use hean_core::feature::FeatureSet;
use hean_core::Result as CoreResult;
use numpy::PyReadwriteArray1;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};

use crate::error::raise;

/// The features of one symbol.
#[pyclass(name = "FeatureKernel", module = "hean._core")]
pub struct PyFeatureKernel {
    inner: FeatureSet,
    names: Vec<Py<PyString>>,
    values: Vec<f64>,
}

fn taken(result: CoreResult<()>) -> PyResult<()> {
    result.map_err(|error| raise(&error))
}

#[pymethods]
impl PyFeatureKernel {
    #[new]
    fn new(py: Python<'_>, names: Vec<String>, bar_ns: u64) -> PyResult<Self> {
        let inner = FeatureSet::new(&names, bar_ns).map_err(|error| raise(&error))?;
        let names = names.iter().map(|name| PyString::intern(py, name).unbind()).collect();
        Ok(Self { inner, names, values: Vec::new() })
    }

    /// Take a trade or quote.
    #[pyo3(signature = (ts_ns, price, volume, bid = None, ask = None))]
    fn tick(
        &mut self,
        ts_ns: u64,
        price: f64,
        volume: f64,
        bid: Option<f64>,
        ask: Option<f64>,
    ) -> PyResult<()> {
        taken(self.inner.tick(ts_ns, price, volume, [bid, ask]))
    }

    /// Take a book or what changed in it.
    fn book(
        &mut self,
        ts_ns: u64,
        bids: Vec<(f64, f64)>,
        asks: Vec<(f64, f64)>,
        is_snapshot: bool,
    ) -> PyResult<()> {
        taken(self.inner.book(ts_ns, &bids, &asks, is_snapshot))
    }

    /// Take a closed bar.
    fn bar(&mut self, open: f64, high: f64, low: f64, close: f64, volume: f64) -> PyResult<()> {
        taken(self.inner.bar([open, high, low, close], volume))
    }

    /// Take a funding rate.
    fn funding(&mut self, rate: f64) -> PyResult<()> {
        taken(self.inner.funding(rate))
    }

    /// Every feature by name, as of this moment; `None` while one of them is undefined.
    fn values<'py>(&mut self, py: Python<'py>, ts_ns: u64) -> PyResult<Option<Bound<'py, PyDict>>> {
        self.inner.values(ts_ns, &mut self.values);
        if self.values.iter().any(|value| value.is_nan()) {
            return Ok(None);
        }
        let found = PyDict::new(py);
        for (name, value) in self.names.iter().zip(&self.values) {
            found.set_item(name, *value)?;
        }
        Ok(Some(found))
    }

    /// The same numbers into a row of a matrix, nan where undefined.
    fn values_into(&mut self, ts_ns: u64, mut row: PyReadwriteArray1<'_, f64>) -> PyResult<()> {
        self.inner.values(ts_ns, &mut self.values);
        for (to, value) in row.as_slice_mut()?.iter_mut().zip(&self.values) {
            *to = *value;
        }
        Ok(())
    }

    /// What each feature is: name, version, inputs, lookback, warm-up, half-life, unit.
    fn specs(&self) -> Vec<(String, u32, &'static str, f64, f64, f64, String)> {
        let specs = self.inner.specs();
        specs
            .map(|it| {
                let times = (it.lookback_s, it.warmup_s, it.half_life_s);
                let (name, unit) = (it.name.clone(), it.unit.clone());
                (name, it.version, it.inputs, times.0, times.1, times.2, unit)
            })
            .collect()
    }

    #[getter]
    fn n_seen(&self) -> u64 {
        self.inner.n_seen()
    }

    /// The complete state.
    fn snapshot<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.inner.snapshot())
    }

    /// Take over a snapshot of the same features.
    fn restore(&mut self, snapshot: &[u8]) -> PyResult<()> {
        taken(self.inner.restore(snapshot))
    }
}

/// Add this file's class to `hean._core`.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyFeatureKernel>()
}
