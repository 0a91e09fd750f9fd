// SPDX-License-Identifier: Apache-2.0
//! `hean._core`: the Python face of `hean-core`. Conversions, errors and the GIL; no logic. Each
//! file registers its own classes in `register`.

use pyo3::prelude::*;

mod book;
mod error;
mod instrument;
mod ledger;
mod wire;

#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    book::register(module)?;
    instrument::register(module)?;
    ledger::register(module)?;
    wire::register(module)?;
    Ok(())
}
