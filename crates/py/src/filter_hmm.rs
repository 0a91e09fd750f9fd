// SPDX-License-Identifier: Apache-2.0
//! Regime models for Python: hidden Markov models with their live filter, and the likelihood of a
//! switching autoregression. Series of chances have one row a regime, as indicators have one an
//! output.

use hean_core::filter::hmm::{self, Emission, FitSetting, Hmm, Normal, Shape, Switching};
use hean_core::filter::switching::SwitchingAutoregression;
use hean_core::{Code, CoreError};
use numpy::{
    PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2, PyReadonlyArrayDyn,
    PyUntypedArrayMethods,
};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use crate::error::raise;

type Matrix<'py> = Bound<'py, PyArray2<f64>>;

fn refuse(message: String) -> PyErr {
    raise(&CoreError::new(Code::ParameterInvalid, message))
}

/// `flat` of `columns` numbers a row as an array with one row a column.
fn turned<'py>(py: Python<'py>, flat: &[f64], columns: usize) -> PyResult<Matrix<'py>> {
    let rows = flat.len() / columns.max(1);
    let mut values = vec![0.0; flat.len()];
    for (column, target) in values.chunks_exact_mut(rows.max(1)).enumerate() {
        for (value, row) in target.iter_mut().zip(flat.chunks_exact(columns)) {
            *value = row[column];
        }
    }
    PyArray1::from_vec(py, values).reshape([columns, rows])
}

/// A contiguous array of one or two axes as rows; the number of columns.
fn rows_of<'a>(values: &'a PyReadonlyArrayDyn<'_, f64>) -> PyResult<(&'a [f64], usize)> {
    let columns = match values.shape() {
        [_] => 1,
        [_, columns] => *columns,
        other => {
            return Err(refuse(format!("Hmm: observations of shape {other:?}; (n,) or (n, 2)")))
        }
    };
    Ok((values.as_slice()?, columns))
}

/// A hidden Markov model: parameters only, never changed.
#[pyclass(name = "HMM", module = "hean._core", frozen)]
pub struct PyHmm {
    inner: Hmm,
}

impl PyHmm {
    fn build(
        start: &PyReadonlyArray1<'_, f64>,
        transition: &PyReadonlyArray2<'_, f64>,
        emission: hean_core::Result<Emission>,
    ) -> PyResult<Self> {
        let parts = (start.as_slice()?.to_vec(), transition.as_slice()?.to_vec());
        emission
            .and_then(|emission| Hmm::new(parts.0, parts.1, emission))
            .map(|inner| Self { inner })
            .map_err(|error| raise(&error))
    }

    fn rows<'a>(&self, values: &'a PyReadonlyArrayDyn<'_, f64>) -> PyResult<&'a [f64]> {
        let (rows, columns) = rows_of(values)?;
        if columns == self.inner.dimensions() {
            return Ok(rows);
        }
        let due = self.inner.dimensions();
        Err(refuse(format!("Hmm: rows of {columns} numbers; the model has {due}")))
    }
}

#[pymethods]
impl PyHmm {
    /// Normal emissions. *means*: shape (states, dimensions); *covariances*: (states, dimensions,
    /// dimensions).
    #[staticmethod]
    fn gaussian(
        start: PyReadonlyArray1<'_, f64>,
        transition: PyReadonlyArray2<'_, f64>,
        means: PyReadonlyArray2<'_, f64>,
        covariances: PyReadonlyArrayDyn<'_, f64>,
    ) -> PyResult<Self> {
        let (states, dimensions) = (means.shape()[0], means.shape()[1]);
        if !(1..=2).contains(&dimensions) || covariances.shape() != [states, dimensions, dimensions]
        {
            let shapes = format!("{:?} and {:?}", means.shape(), covariances.shape());
            return Err(refuse(format!("Hmm: means and covariances of shape {shapes}")));
        }
        let (means, covariances) = (means.as_slice()?, covariances.as_slice()?);
        let parts = means
            .chunks_exact(dimensions)
            .zip(covariances.chunks_exact(dimensions * dimensions))
            .map(|(mean, covariance)| match (mean, covariance) {
                ([mean], [variance]) => Normal::one(*mean, *variance),
                ([first, second], [a, b, c, d]) if b == c => {
                    Normal::two([*first, *second], [*a, *d, *b])
                }
                _ => {
                    let message = format!("Hmm: covariance {covariance:?} is not symmetric");
                    Err(CoreError::new(Code::ParameterInvalid, message))
                }
            })
            .collect::<hean_core::Result<Vec<_>>>();
        let emission = parts.map(|parts| Emission::Gaussian { dimensions, parts });
        Self::build(&start, &transition, emission)
    }

    /// Counts. *rates*: expected count in each state.
    #[staticmethod]
    fn poisson(
        start: PyReadonlyArray1<'_, f64>,
        transition: PyReadonlyArray2<'_, f64>,
        rates: PyReadonlyArray1<'_, f64>,
    ) -> PyResult<Self> {
        Self::build(&start, &transition, Emission::poisson(rates.as_slice()?.to_vec()))
    }

    /// Symbols. *table*: chance of each symbol in each state, shape (states, symbols).
    #[staticmethod]
    fn categorical(
        start: PyReadonlyArray1<'_, f64>,
        transition: PyReadonlyArray2<'_, f64>,
        table: PyReadonlyArray2<'_, f64>,
    ) -> PyResult<Self> {
        let emission = Emission::categorical(table.shape()[1], table.as_slice()?.to_vec());
        Self::build(&start, &transition, emission)
    }

    /// Estimate by EM: the model, its log likelihood, BIC, steps, and whether it has converged.
    #[staticmethod]
    #[pyo3(signature = (observations, kind, states, *, symbols = 0, starts = 20, iterations = 500,
        tolerance = 1e-6, variance_floor = 0.01, sticky = 50.0, seed = 0))]
    #[allow(clippy::too_many_arguments)] // keywords in Python
    fn fit(
        py: Python<'_>,
        observations: PyReadonlyArrayDyn<'_, f64>,
        kind: &str,
        states: usize,
        symbols: usize,
        starts: usize,
        iterations: usize,
        tolerance: f64,
        variance_floor: f64,
        sticky: f64,
        seed: u64,
    ) -> PyResult<(Self, f64, f64, usize, bool)> {
        let (rows, columns) = rows_of(&observations)?;
        let shape = match kind {
            "diagonal" => Shape::Diagonal(columns),
            "full" => Shape::Full(columns),
            "poisson" => Shape::Poisson,
            "categorical" => Shape::Categorical(symbols),
            other => {
                let known = "diagonal, full, poisson, categorical";
                return Err(refuse(format!("HMM.fit: kind {other:?}; expected one of {known}")));
            }
        };
        if matches!(shape, Shape::Poisson | Shape::Categorical(_)) && columns != 1 {
            return Err(refuse(format!("HMM.fit: rows of {columns} numbers; {kind} takes one")));
        }
        let setting =
            FitSetting { states, starts, iterations, tolerance, variance_floor, sticky, seed };
        let count = rows.len() / columns.max(1);
        let found = py.detach(|| hmm::fit(rows, shape, &setting)).map_err(|error| raise(&error))?;
        let bic = found.bic(count);
        let (value, steps, done) = (found.log_likelihood, found.iterations, found.has_converged);
        Ok((Self { inner: found.model }, value, bic, steps, done))
    }

    #[getter]
    fn states(&self) -> usize {
        self.inner.states()
    }

    /// What kind of emissions: gaussian, poisson or categorical.
    #[getter]
    fn kind(&self) -> &'static str {
        match self.inner.emission() {
            Emission::Gaussian { .. } => "gaussian",
            Emission::Poisson { .. } => "poisson",
            Emission::Categorical { .. } => "categorical",
        }
    }

    #[getter]
    fn start<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
        PyArray1::from_slice(py, self.inner.start())
    }

    #[getter]
    fn transition<'py>(&self, py: Python<'py>) -> PyResult<Matrix<'py>> {
        let states = self.inner.states();
        PyArray1::from_slice(py, self.inner.transition()).reshape([states, states])
    }

    /// Means (states, dimensions), expected counts or chances of symbols (states, symbols).
    #[getter]
    fn means<'py>(&self, py: Python<'py>) -> PyResult<Matrix<'py>> {
        let states = self.inner.states();
        let flat: Vec<f64> = match self.inner.emission() {
            Emission::Gaussian { dimensions, parts } => {
                parts.iter().flat_map(|part| part.mean[..*dimensions].to_vec()).collect()
            }
            Emission::Poisson { rates } => rates.clone(),
            Emission::Categorical { table, .. } => table.clone(),
        };
        let columns = flat.len() / states;
        PyArray1::from_vec(py, flat).reshape([states, columns])
    }

    /// Covariances of normal emissions, shape (states, dimensions, dimensions).
    #[getter]
    fn covariances<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let Emission::Gaussian { dimensions, parts } = self.inner.emission() else {
            return Err(refuse(format!("HMM: {} emissions have no covariance", self.kind())));
        };
        let of = |part: &Normal| {
            let [first, second, both] = part.covariance;
            if *dimensions == 1 {
                vec![first]
            } else {
                vec![first, both, both, second]
            }
        };
        let flat: Vec<f64> = parts.iter().flat_map(of).collect();
        let shape = [parts.len(), *dimensions, *dimensions];
        Ok(PyArray1::from_vec(py, flat).reshape(shape)?.into_any())
    }

    /// The same model with its states in another order: the new first is the old `order[0]`.
    fn reordered(&self, order: Vec<usize>) -> PyResult<Self> {
        let inner = self.inner.reordered(&order).map_err(|error| raise(&error))?;
        Ok(Self { inner })
    }

    fn log_likelihood(&self, observations: PyReadonlyArrayDyn<'_, f64>) -> PyResult<f64> {
        let rows = self.rows(&observations)?;
        self.inner.filtered(rows).map(|(_, value)| value).map_err(|error| raise(&error))
    }

    /// Chances given the rows up to each, shape (states, n).
    fn filtered<'py>(
        &self,
        py: Python<'py>,
        observations: PyReadonlyArrayDyn<'py, f64>,
    ) -> PyResult<Matrix<'py>> {
        let rows = self.rows(&observations)?;
        let (chances, _) = self.inner.filtered(rows).map_err(|error| raise(&error))?;
        turned(py, &chances, self.inner.states())
    }

    /// Chances given all rows, shape (states, n): looks ahead, never for a live decision.
    fn smoothed<'py>(
        &self,
        py: Python<'py>,
        observations: PyReadonlyArrayDyn<'py, f64>,
    ) -> PyResult<Matrix<'py>> {
        let rows = self.rows(&observations)?;
        let found = self.inner.smoothed(rows).map_err(|error| raise(&error))?;
        turned(py, &found.smoothed, self.inner.states())
    }

    /// The most probable path and its log probability: looks ahead, never for a live decision.
    fn viterbi<'py>(
        &self,
        py: Python<'py>,
        observations: PyReadonlyArrayDyn<'py, f64>,
    ) -> PyResult<(Bound<'py, PyArray1<i64>>, f64)> {
        let rows = self.rows(&observations)?;
        let (path, value) = self.inner.viterbi(rows).map_err(|error| raise(&error))?;
        let path = path.into_iter().map(|state| state as i64).collect();
        Ok((PyArray1::from_vec(py, path), value))
    }
}

/// The forward filter of a model over a live series.
#[pyclass(name = "RegimeFilter", module = "hean._core")]
pub struct PyRegimeFilter {
    inner: hmm::RegimeFilter,
}

#[pymethods]
impl PyRegimeFilter {
    #[new]
    #[pyo3(signature = (model, *, enter = 0.7, leave = 0.3, dwell = 15))]
    fn new(model: &PyHmm, enter: f64, leave: f64, dwell: u64) -> PyResult<Self> {
        hmm::RegimeFilter::new(model.inner.clone(), Switching { enter, leave, dwell })
            .map(|inner| Self { inner })
            .map_err(|error| raise(&error))
    }

    /// Take one row and return the most likely state.
    #[pyo3(signature = (value, second = None))]
    fn update(&mut self, value: f64, second: Option<f64>) -> PyResult<usize> {
        let row = [value, second.unwrap_or(0.0)];
        let length = 1 + usize::from(second.is_some());
        self.inner.update(&row[..length]).map_err(|error| raise(&error))?;
        Ok(self.inner.most_likely())
    }

    /// Take whole rows and return the chances after each, shape (states, n).
    fn batch<'py>(
        &mut self,
        py: Python<'py>,
        observations: PyReadonlyArrayDyn<'py, f64>,
    ) -> PyResult<Matrix<'py>> {
        let (rows, columns) = rows_of(&observations)?;
        let due = self.inner.model().dimensions();
        if columns != due {
            return Err(refuse(format!("Hmm: rows of {columns} numbers; the model has {due}")));
        }
        let states = self.inner.model().states();
        let mut chances = Vec::with_capacity(rows.len() / columns * states);
        self.inner.batch(rows, &mut chances).map_err(|error| raise(&error))?;
        turned(py, &chances, states)
    }

    /// Chances given all rows so far.
    #[getter]
    fn probabilities<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.inner.chances())
    }

    /// The state with the largest chance.
    #[getter]
    fn most_likely(&self) -> usize {
        self.inner.most_likely()
    }

    /// The state that is acted upon: changes by hysteresis; none until one was believed.
    #[getter]
    fn regime(&self) -> Option<usize> {
        self.inner.regime()
    }

    #[getter]
    fn log_likelihood(&self) -> f64 {
        self.inner.log_likelihood()
    }

    #[getter]
    fn n_seen(&self) -> u64 {
        self.inner.n_seen()
    }

    /// Whether a regime is believed.
    fn ready(&self) -> bool {
        self.inner.regime().is_some()
    }

    fn snapshot<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.inner.snapshot())
    }

    fn restore(&mut self, snapshot: &[u8]) -> PyResult<()> {
        self.inner.restore(snapshot).map_err(|error| raise(&error))
    }
}

/// Chances of the regimes of a switching autoregression, shape (regimes, n - lags), and the log
/// likelihood given the first `lags` values: (log likelihood, filtered, smoothed or none).
#[pyfunction]
#[pyo3(signature = (series, means, coefficients, variances, transition, *, smoothed = false))]
fn switching_autoregression<'py>(
    py: Python<'py>,
    series: PyReadonlyArray1<'py, f64>,
    means: Vec<f64>,
    coefficients: Vec<f64>,
    variances: Vec<f64>,
    transition: PyReadonlyArray2<'py, f64>,
    smoothed: bool,
) -> PyResult<(f64, Matrix<'py>, Option<Matrix<'py>>)> {
    let regimes = means.len();
    let (series, transition) = (series.as_slice()?, transition.as_slice()?.to_vec());
    let found = SwitchingAutoregression::new(means, coefficients, variances, transition)
        .and_then(|model| model.chances(series, smoothed))
        .map_err(|error| raise(&error))?;
    let later = if smoothed { Some(turned(py, &found.smoothed, regimes)?) } else { None };
    Ok((found.log_likelihood, turned(py, &found.filtered, regimes)?, later))
}

/// Add this file's classes to `hean._core`.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyHmm>()?;
    module.add_class::<PyRegimeFilter>()?;
    module.add_function(wrap_pyfunction!(switching_autoregression, module)?)
}
