// SPDX-License-Identifier: Apache-2.0
//! The dynamic hedge ratio for Python: `update` for one row, `batch` for NumPy columns, both the
//! core's step. Long columns are computed without the GIL.

use hean_core::filter::kalman as core;
use hean_core::{Code, CoreError};
use numpy::{PyArrayDyn, PyArrayMethods, PyReadonlyArray1};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::error::raise;
use crate::indicator::{rows_of, shape, target, DETACH_ROWS};

/// z, innovation, its variance, beta, alpha.
const OUTPUTS: usize = 5;

/// Dynamic regression of y on x with a random-walk slope and intercept.
#[pyclass(name = "KalmanHedge", module = "hean._core")]
pub struct PyKalmanHedge {
    inner: core::KalmanHedge,
}

#[pymethods]
impl PyKalmanHedge {
    #[new]
    #[pyo3(signature = (
        q_beta, q_alpha, observation, *, start = "least_squares", window = 500,
        state = [0.0, 0.0], covariance = [[0.0, 0.0], [0.0, 0.0]], first_noise = false,
        scale = 1.0, centred = true, gate = Some(15.1), adaptation = 0.0
    ))]
    // One keyword for each choice of the method: a settings object would say the same twice.
    #[allow(clippy::too_many_arguments)]
    fn new(
        q_beta: f64,
        q_alpha: f64,
        observation: f64,
        start: &str,
        window: u64,
        state: [f64; 2],
        covariance: [[f64; 2]; 2],
        first_noise: bool,
        scale: f64,
        centred: bool,
        gate: Option<f64>,
        adaptation: f64,
    ) -> PyResult<Self> {
        let start = match start {
            "least_squares" => core::HedgeStart::LeastSquares { rows: window },
            "diffuse" => core::HedgeStart::Diffuse { scale },
            "exact" => core::HedgeStart::Exact { state, covariance, first_noise },
            other => {
                let known = "least_squares, diffuse, exact";
                let message = format!("KalmanHedge: start {other:?}; expected one of {known}");
                return Err(raise(&CoreError::new(Code::ParameterInvalid, message)));
            }
        };
        let settings = core::HedgeSettings {
            noise: core::HedgeNoise { beta: q_beta, alpha: q_alpha, observation },
            start,
            is_centred: centred,
            gate: gate.unwrap_or(f64::INFINITY),
            adaptation,
        };
        let inner = core::KalmanHedge::new(settings).map_err(|error| raise(&error))?;
        Ok(Self { inner })
    }

    /// Take one row and return the spread's z-score, nan where it has none.
    #[pyo3(signature = (y, x, dt = 1.0))]
    fn update(&mut self, y: f64, x: f64, dt: f64) -> PyResult<f64> {
        match self.inner.step(y, x, dt) {
            Ok(step) => Ok(step.z),
            Err(error) => Err(raise(&error)),
        }
    }

    /// Take whole columns; rows z, innovation, its variance, beta, alpha.
    #[pyo3(signature = (y, x, dt = None, *, out = None))]
    fn batch<'py>(
        &mut self,
        py: Python<'py>,
        y: PyReadonlyArray1<'py, f64>,
        x: PyReadonlyArray1<'py, f64>,
        dt: Option<PyReadonlyArray1<'py, f64>>,
        out: Option<Bound<'py, PyArrayDyn<f64>>>,
    ) -> PyResult<Bound<'py, PyArrayDyn<f64>>> {
        let (y, x) = (y.as_slice()?, x.as_slice()?);
        let dt = dt.as_ref().map(|dt| dt.as_slice()).transpose()?;
        let result = target(py, out, &shape(OUTPUTS, y.len()))?;
        let mut guard = result.try_readwrite()?;
        let outputs = rows_of(guard.as_slice_mut()?, y.len());
        let done = if y.len() > DETACH_ROWS {
            py.detach(|| self.inner.batch(y, x, dt, outputs))
        } else {
            self.inner.batch(y, x, dt, outputs)
        };
        done.map_err(|error| raise(&error))?;
        Ok(result)
    }

    /// z of the last row.
    #[getter]
    fn value(&self) -> f64 {
        self.inner.last()[0]
    }

    #[getter]
    fn innovation(&self) -> f64 {
        self.inner.last()[1]
    }

    #[getter]
    fn innovation_variance(&self) -> f64 {
        self.inner.last()[2]
    }

    /// Hedge ratio after the last row.
    #[getter]
    fn beta(&self) -> f64 {
        self.inner.last()[3]
    }

    /// Intercept at the anchor after the last row.
    #[getter]
    fn alpha(&self) -> f64 {
        self.inner.last()[4]
    }

    /// Hedge ratio that the last innovation was measured with.
    #[getter]
    fn beta_before(&self) -> f64 {
        self.inner.beta_before()
    }

    #[getter]
    fn covariance(&self) -> [[f64; 2]; 2] {
        self.inner.covariance()
    }

    #[getter]
    fn anchor(&self) -> f64 {
        self.inner.anchor()
    }

    /// Tell the intercept at another x from now on.
    fn move_anchor(&mut self, anchor: f64) -> PyResult<()> {
        self.inner.move_anchor(anchor).map_err(|error| raise(&error))
    }

    /// Observation noise in use.
    #[getter]
    fn observation(&self) -> f64 {
        self.inner.noise()
    }

    #[getter]
    fn log_likelihood(&self) -> f64 {
        self.inner.log_likelihood()
    }

    /// Whether the last row completed five beyond the gate in a row.
    #[getter]
    fn is_change(&self) -> bool {
        self.inner.is_change()
    }

    /// Mean squared z-score of the last 500 rows, nan before.
    #[getter]
    fn mean_nis(&self) -> f64 {
        self.inner.mean_nis()
    }

    /// Whether that mean is in 0.8 to 1.25 or not known yet.
    #[getter]
    fn is_healthy(&self) -> bool {
        self.inner.is_healthy()
    }

    #[getter]
    fn n_seen(&self) -> u64 {
        self.inner.counts()[0]
    }

    #[getter]
    fn n_missing(&self) -> u64 {
        self.inner.counts()[1]
    }

    #[getter]
    fn n_rejected(&self) -> u64 {
        self.inner.counts()[2]
    }

    #[getter]
    fn n_changes(&self) -> u64 {
        self.inner.counts()[3]
    }

    /// Covariances that 53 bits could not hold positive definite and that were mended.
    #[getter]
    fn n_mended(&self) -> u64 {
        self.inner.counts()[4]
    }

    /// Rows that may pass before `ready()`.
    #[getter]
    fn warmup(&self) -> u64 {
        self.inner.warmup()
    }

    /// Whether the start, or the last change, weighs little by now.
    fn ready(&self) -> bool {
        self.inner.ready()
    }

    fn snapshot<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.inner.snapshot())
    }

    fn restore(&mut self, snapshot: &[u8]) -> PyResult<()> {
        self.inner.restore(snapshot).map_err(|error| raise(&error))
    }
}

/// Units of y and x that hold the spread once, long.
#[pyfunction]
#[pyo3(signature = (beta, amount, *, price_y, price_x, model = "log"))]
fn pair_positions(
    beta: f64,
    amount: f64,
    price_y: f64,
    price_x: f64,
    model: &str,
) -> PyResult<(f64, f64)> {
    let model = match model {
        "log" => core::Model::Log,
        "price" => core::Model::Price,
        other => {
            let message = format!("pair_positions: model {other:?}; expected log or price");
            return Err(raise(&CoreError::new(Code::ParameterInvalid, message)));
        }
    };
    let [y, x] = core::positions(model, beta, amount, price_y, price_x);
    Ok((y, x))
}

/// Add this file's names to `hean._core`.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyKalmanHedge>()?;
    module.add_function(wrap_pyfunction!(pair_positions, module)?)
}
