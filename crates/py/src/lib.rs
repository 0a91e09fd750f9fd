// SPDX-License-Identifier: Apache-2.0
//! `hean._core`: the Python face of `hean-core`. Conversions, errors and the GIL; no logic. Each
//! file registers its own classes in `register`.

use pyo3::prelude::*;

mod error;
mod instrument;
mod order;
mod order_terms;

#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    instrument::register(module)?;
    order::register(module)?;
    Ok(())
}
