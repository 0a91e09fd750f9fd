// SPDX-License-Identifier: Apache-2.0
//! GARCH for Python: parameters, fits, and refits that are done in pieces. Fits run without the
//! GIL.

use hean_core::filter::garch::{self, Fit, Model, Outcome, Parameters, Presample, Refit, Vector};
use hean_core::{Code, CoreError};
use numpy::{PyArray1, PyReadonlyArray1};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::error::raise;

/// Names of the parameters, in the core's order.
const NAMES: [&str; 6] = ["mu", "omega", "alpha", "gamma", "beta", "nu"];

fn refusal(text: String) -> PyErr {
    raise(&CoreError::new(Code::ParameterInvalid, text))
}

/// Parameters of a GARCH(1,1), in the unit of the returns.
#[pyclass(frozen, eq, name = "GarchParameters", module = "hean._core")]
#[derive(Clone, Copy, PartialEq)]
pub struct PyParameters {
    pub inner: Parameters,
}

#[pymethods]
impl PyParameters {
    #[new]
    #[pyo3(signature = (*, omega, alpha, beta, mu = 0.0, gamma = 0.0, nu = f64::INFINITY))]
    fn new(omega: f64, alpha: f64, beta: f64, mu: f64, gamma: f64, nu: f64) -> PyResult<Self> {
        let inner = Parameters { mu, omega, alpha, gamma, beta, nu };
        inner.check().map_err(|error| raise(&error))?;
        Ok(Self { inner })
    }

    #[getter]
    fn mu(&self) -> f64 {
        self.inner.mu
    }

    #[getter]
    fn omega(&self) -> f64 {
        self.inner.omega
    }

    #[getter]
    fn alpha(&self) -> f64 {
        self.inner.alpha
    }

    #[getter]
    fn gamma(&self) -> f64 {
        self.inner.gamma
    }

    #[getter]
    fn beta(&self) -> f64 {
        self.inner.beta
    }

    #[getter]
    fn nu(&self) -> f64 {
        self.inner.nu
    }

    /// Share of a shock that is left one step later.
    #[getter]
    fn persistence(&self) -> f64 {
        self.inner.persistence()
    }

    /// Variance in the long run, nan where there is none.
    #[getter]
    fn unconditional_variance(&self) -> f64 {
        self.inner.unconditional_variance()
    }

    /// Steps until half of a shock is gone, nan where it never is.
    #[getter]
    fn half_life(&self) -> f64 {
        self.inner.half_life()
    }

    /// Expected variances of the next `steps` returns, the first of which is known.
    fn forecast<'py>(
        &self,
        py: Python<'py>,
        next_variance: f64,
        steps: u32,
    ) -> Bound<'py, PyArray1<f64>> {
        let ahead = (1..=steps).map(|step| self.inner.forecast(next_variance, f64::from(step)));
        PyArray1::from_iter(py, ahead)
    }

    /// Expected variance of the sum of the next `steps` returns.
    fn horizon_variance(&self, next_variance: f64, steps: f64) -> f64 {
        self.inner.horizon_variance(next_variance, steps)
    }

    fn __repr__(&self) -> String {
        let values = NAMES.iter().zip(self.inner.to_vector());
        let words: Vec<String> = values.map(|(name, value)| format!("{name}={value}")).collect();
        format!("GarchParameters({})", words.join(", "))
    }
}

/// What a fit found.
#[pyclass(frozen, name = "GarchFit", module = "hean._core")]
pub struct PyFit {
    inner: Fit,
}

#[pymethods]
impl PyFit {
    #[getter]
    fn parameters(&self) -> PyParameters {
        PyParameters { inner: self.inner.parameters }
    }

    #[getter]
    fn log_likelihood(&self) -> f64 {
        self.inner.log_likelihood
    }

    #[getter]
    fn is_converged(&self) -> bool {
        self.inner.is_converged
    }

    /// Variance that stood before the first return.
    #[getter]
    fn start_variance(&self) -> f64 {
        self.inner.start_variance
    }

    #[getter]
    fn observations(&self) -> usize {
        self.inner.observations
    }

    /// How often the likelihood was evaluated.
    #[getter]
    fn evaluations(&self) -> usize {
        self.inner.evaluations
    }
}

/// The rule or the variance that stands before the first return.
fn presample_of(value: &Bound<'_, PyAny>) -> PyResult<Presample> {
    if let Ok(variance) = value.extract::<f64>() {
        return Ok(Presample::Value(variance));
    }
    match value.extract::<&str>() {
        Ok("mean_square") => Ok(Presample::MeanSquare),
        Ok("backcast") => Ok(Presample::Backcast),
        _ => Err(refusal(format!("presample {value}; mean_square, backcast, or a variance"))),
    }
}

/// Whether the second word was said; another one is refused.
fn is_second(name: &str, said: &str, words: [&str; 2]) -> PyResult<bool> {
    match words.iter().position(|word| *word == said) {
        Some(at) => Ok(at == 1),
        None => Err(refusal(format!("{name} {said:?}; one of {}", words.join(", ")))),
    }
}

/// Which GARCH(1,1), and how it is fitted.
#[pyclass(frozen, name = "GarchModel", module = "hean._core")]
pub struct PyModel {
    inner: Model,
}

#[pymethods]
impl PyModel {
    #[new]
    #[pyo3(signature = (
        *,
        mean = "zero",
        asymmetric = false,
        innovations = "normal",
        presample = None,
        persistence_max = Some(garch::PERSISTENCE_MAX),
        variance_targeting = false,
    ))]
    fn new(
        mean: &str,
        asymmetric: bool,
        innovations: &str,
        presample: Option<&Bound<'_, PyAny>>,
        persistence_max: Option<f64>,
        variance_targeting: bool,
    ) -> PyResult<Self> {
        let inner = Model {
            has_mean: is_second("mean", mean, ["zero", "constant"])?,
            is_asymmetric: asymmetric,
            is_student: is_second("innovations", innovations, ["normal", "student"])?,
            presample: presample.map_or(Ok(Presample::MeanSquare), presample_of)?,
            persistence_max,
            is_targeted: variance_targeting,
        };
        inner.check().map_err(|error| raise(&error))?;
        Ok(Self { inner })
    }

    /// Fit by maximum likelihood, first from `start` if given.
    #[pyo3(signature = (returns, start = None))]
    fn fit(
        &self,
        py: Python<'_>,
        returns: PyReadonlyArray1<'_, f64>,
        start: Option<&PyParameters>,
    ) -> PyResult<PyFit> {
        let (model, start) = (self.inner, start.map(|start| start.inner));
        let returns = returns.as_slice()?;
        let work = || garch::Fitting::new(model, returns, start.as_ref()).map(garch::Fitting::run);
        py.detach(work).map(|inner| PyFit { inner }).map_err(|error| raise(&error))
    }

    /// Prepare a fit with its examination, to be done in pieces.
    #[pyo3(signature = (returns, start = None, *, realized = None))]
    fn refit(
        &self,
        returns: PyReadonlyArray1<'_, f64>,
        start: Option<&PyParameters>,
        realized: Option<PyReadonlyArray1<'_, f64>>,
    ) -> PyResult<PyRefit> {
        let realized = realized.as_ref().map(|column| column.as_slice()).transpose()?;
        let start = start.map(|start| &start.inner);
        Refit::new(self.inner, returns.as_slice()?, start, realized)
            .map(|inner| PyRefit { inner })
            .map_err(|error| raise(&error))
    }

    /// Log likelihood at given parameters.
    fn log_likelihood(
        &self,
        returns: PyReadonlyArray1<'_, f64>,
        parameters: &PyParameters,
    ) -> PyResult<f64> {
        let found = self.inner.log_likelihood(returns.as_slice()?, &parameters.inner);
        found.map_err(|error| raise(&error))
    }

    /// Variance before the first return.
    fn start_variance(
        &self,
        returns: PyReadonlyArray1<'_, f64>,
        parameters: &PyParameters,
    ) -> PyResult<f64> {
        let found = self.inner.start_variance(returns.as_slice()?, &parameters.inner);
        found.map_err(|error| raise(&error))
    }

    /// Conditional variances, one more than there are returns.
    fn variances<'py>(
        &self,
        py: Python<'py>,
        returns: PyReadonlyArray1<'py, f64>,
        parameters: &PyParameters,
    ) -> PyResult<Bound<'py, PyArray1<f64>>> {
        let found = self.inner.variances(returns.as_slice()?, &parameters.inner);
        found.map(|rows| PyArray1::from_vec(py, rows)).map_err(|error| raise(&error))
    }

    /// Standard errors by method and parameter.
    fn standard_errors<'py>(
        &self,
        py: Python<'py>,
        returns: PyReadonlyArray1<'py, f64>,
        parameters: &PyParameters,
    ) -> PyResult<Bound<'py, PyDict>> {
        let (model, at, returns) = (self.inner, parameters.inner, returns.as_slice()?);
        let found = py.detach(|| garch::standard_errors(&model, returns, &at));
        let found = found.map_err(|error| raise(&error))?;
        let table = PyDict::new(py);
        table.set_item("hessian", by_name(py, found.hessian)?)?;
        table.set_item("opg", by_name(py, found.opg)?)?;
        table.set_item("sandwich", by_name(py, found.sandwich)?)?;
        Ok(table)
    }
}

fn by_name(py: Python<'_>, values: Vector) -> PyResult<Bound<'_, PyDict>> {
    let table = PyDict::new(py);
    for (name, value) in NAMES.iter().zip(values) {
        table.set_item(name, value)?;
    }
    Ok(table)
}

/// A fit with its examination, under way.
#[pyclass(name = "GarchRefit", module = "hean._core")]
pub struct PyRefit {
    inner: Refit,
}

impl PyRefit {
    fn outcome(&self) -> PyResult<Outcome> {
        self.inner.outcome().ok_or_else(|| refusal("refit: not done; advance it first".into()))
    }
}

#[pymethods]
impl PyRefit {
    /// Work for about so many evaluations of the likelihood; whether it is done.
    fn advance(&mut self, py: Python<'_>, evaluations: usize) -> bool {
        py.detach(|| self.inner.advance(evaluations))
    }

    #[getter]
    fn fit(&self) -> PyResult<PyFit> {
        self.outcome().map(|outcome| PyFit { inner: outcome.fit })
    }

    /// Why the fit is not to be used; nothing when it is.
    #[getter]
    fn reason(&self) -> PyResult<Option<&'static str>> {
        self.outcome().map(|outcome| outcome.reason.map(garch::Reason::name))
    }
}

/// Weighted mean of the first squared returns, about their mean or about zero.
#[pyfunction]
#[pyo3(signature = (returns, *, mean = "zero"))]
fn garch_backcast(returns: PyReadonlyArray1<'_, f64>, mean: &str) -> PyResult<f64> {
    let has_mean = is_second("mean", mean, ["zero", "constant"])?;
    Ok(garch::backcast(returns.as_slice()?, has_mean))
}

/// Add this file's classes to `hean._core`.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyParameters>()?;
    module.add_class::<PyFit>()?;
    module.add_class::<PyModel>()?;
    module.add_class::<PyRefit>()?;
    module.add_function(wrap_pyfunction!(garch_backcast, module)?)
}
