// SPDX-License-Identifier: Apache-2.0
//! Random numbers for Python: blocks of the counter-based generator, and sequential streams.

use hean_core::rng::{self, SplitMix64, Xoshiro256};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// The four numbers under a key at a counter.
#[pyfunction]
#[pyo3(signature = (key, counter, /))]
fn philox(key: [u64; 2], counter: [u64; 4]) -> [u64; 4] {
    rng::philox(key, counter)
}

/// The first `count` numbers of the stream of a seed.
#[pyfunction]
#[pyo3(signature = (seed, count, /))]
fn splitmix64(seed: u64, count: usize) -> Vec<u64> {
    let mut stream = SplitMix64(seed);
    (0..count).map(|_| stream.bits()).collect()
}

/// The first `count` numbers of the stream that goes on from a state.
#[pyfunction]
#[pyo3(signature = (state, count, /))]
fn xoshiro256starstar(state: [u64; 4], count: usize) -> PyResult<Vec<u64>> {
    let mut stream = Xoshiro256::from_state(state)
        .ok_or_else(|| PyValueError::new_err("xoshiro256**: a state of zeros never changes"))?;
    Ok((0..count).map(|_| stream.bits()).collect())
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(philox, module)?)?;
    module.add_function(wrap_pyfunction!(splitmix64, module)?)?;
    module.add_function(wrap_pyfunction!(xoshiro256starstar, module)?)
}
