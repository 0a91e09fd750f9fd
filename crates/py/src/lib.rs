// SPDX-License-Identifier: Apache-2.0
//! `hean._core`: the Python face of `hean-core`. Conversions, errors and the GIL; no logic. Each
//! file registers its own classes in `register`.

use pyo3::prelude::*;

mod book;
mod column;
mod convert;
mod desk;
mod error;
mod exact;
mod exchange;
mod feature;
mod feed;
mod filter;
mod filter_change;
mod filter_garch;
mod filter_hmm;
mod filter_level;
mod filter_rls;
mod hmc;
mod indicator;
mod instrument;
mod ledger;
mod order;
mod order_fields;
mod order_payload;
mod order_report;
mod order_terms;
mod order_view;
mod program;
mod rng;
mod sign;
mod sim;
mod sim_payload;
mod sim_terms;
mod symbiont;
mod trees;
mod wire;
mod wire_account;

#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    book::register(module)?;
    convert::register(module)?;
    desk::register(module)?;
    filter::register(module)?;
    filter_level::register(module)?;
    filter_rls::register(module)?;
    filter_change::register(module)?;
    filter_hmm::register(module)?;
    indicator::register(module)?;
    instrument::register(module)?;
    sign::register(module)?;
    sim::register(module)?;
    ledger::register(module)?;
    wire::register(module)?;
    feature::register(module)?;
    feed::register(module)?;
    filter_garch::register(module)?;
    order::register(module)?;
    program::register(module)?;
    exchange::register(module)?;
    hmc::register(module)?;
    rng::register(module)?;
    symbiont::register(module)?;
    trees::register(module)?;
    Ok(())
}
