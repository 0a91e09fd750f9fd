// SPDX-License-Identifier: Apache-2.0
//! Core errors become the Python exception of the same number (`hean.errors.from_core`).

use hean_core::CoreError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

static FROM_CORE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// Turn a core error into the Python exception with the same code.
pub fn raise(error: &CoreError) -> PyErr {
    Python::attach(|py| {
        let made = FROM_CORE
            .get_or_try_init(py, || {
                py.import("hean.errors")?.getattr("from_core").map(Bound::unbind)
            })
            .and_then(|from_core| {
                from_core.call1(py, (error.code.number(), error.message.as_str()))
            });
        match made {
            Ok(exception) => PyErr::from_value(exception.into_bound(py)),
            Err(failure) => failure,
        }
    })
}
