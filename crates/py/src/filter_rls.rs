// SPDX-License-Identifier: Apache-2.0
//! Recursive least squares for Python: by covariance, by triangular factor, and over all rows.

use hean_core::filter::rls as core;
use numpy::{
    PyArray1, PyArray2, PyArrayDyn, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2,
    PyUntypedArrayMethods,
};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::error::raise;
use crate::indicator::{shape, target, DETACH_ROWS};

/// One row of regressors: an array, or any sequence of numbers.
#[derive(FromPyObject)]
enum Regressors<'py> {
    Array(PyReadonlyArray1<'py, f64>),
    Sequence(Vec<f64>),
}

impl Regressors<'_> {
    fn as_slice(&self) -> PyResult<&[f64]> {
        match self {
            Self::Array(array) => Ok(array.as_slice()?),
            Self::Sequence(values) => Ok(values),
        }
    }
}

/// What both forms offer to a batch.
trait Regression: Clone + Send {
    fn step(&mut self, y: f64, row: &[f64]) -> hean_core::Result<f64>;
    fn coefficients(&self) -> &[f64];
}

impl Regression for core::Rls {
    fn step(&mut self, y: f64, row: &[f64]) -> hean_core::Result<f64> {
        self.step(y, row)
    }
    fn coefficients(&self) -> &[f64] {
        self.coefficients()
    }
}

impl Regression for core::QrRls {
    fn step(&mut self, y: f64, row: &[f64]) -> hean_core::Result<f64> {
        self.step(y, row)
    }
    fn coefficients(&self) -> &[f64] {
        self.coefficients()
    }
}

/// Every row through the regression, into columns innovation and coefficients; a refused row
/// leaves it as it was.
fn run<R: Regression>(
    regression: &mut R,
    ys: &[f64],
    xs: &[f64],
    out: &mut [f64],
) -> hean_core::Result<()> {
    let mut next = regression.clone();
    let regressors = next.coefficients().len();
    for (at, (y, row)) in ys.iter().zip(xs.chunks(regressors)).enumerate() {
        let innovation = next.step(*y, row).map_err(|error| {
            hean_core::CoreError::new(error.code, format!("{} (at index {at})", error.message))
        })?;
        let values = std::iter::once(&innovation).chain(next.coefficients());
        values.enumerate().for_each(|(column, value)| out[column * ys.len() + at] = *value);
    }
    *regression = next;
    Ok(())
}

fn batch<'py, R: Regression>(
    py: Python<'py>,
    regression: &mut R,
    y: &PyReadonlyArray1<'py, f64>,
    x: &PyReadonlyArray2<'py, f64>,
    out: Option<Bound<'py, PyArrayDyn<f64>>>,
) -> PyResult<Bound<'py, PyArrayDyn<f64>>> {
    let regressors = regression.coefficients().len();
    let (ys, xs) = (y.as_slice()?, x.as_slice()?);
    if x.shape() != [ys.len(), regressors] {
        let message = format!("x: shape {:?}; expected ({}, {regressors})", x.shape(), ys.len());
        let code = hean_core::Code::DataInvalid;
        return Err(raise(&hean_core::CoreError::new(code, message)));
    }
    let result = target(py, out, &shape(1 + regressors, ys.len()))?;
    let mut guard = result.try_readwrite()?;
    let flat = guard.as_slice_mut()?;
    let done = if ys.len() > DETACH_ROWS {
        py.detach(|| run(regression, ys, xs, flat))
    } else {
        run(regression, ys, xs, flat)
    };
    done.map_err(|error| raise(&error))?;
    Ok(result)
}

/// One Python class around a regression.
macro_rules! regression {
    (
        $class:ident $name:literal $core:ident $doc:literal,
        ($($arg:ident: $type:ty),*) ($($signature:tt)*) => $build:expr,
        { $($extra:tt)* }
    ) => {
        #[doc = $doc]
        #[pyclass(name = $name, module = "hean._core")]
        pub struct $class {
            inner: core::$core,
        }

        #[pymethods]
        impl $class {
            #[new]
            #[pyo3(signature = ($($signature)*))]
            fn new($($arg: $type),*) -> PyResult<Self> {
                let built: hean_core::Result<core::$core> = $build;
                built.map(|inner| Self { inner }).map_err(|error| raise(&error))
            }

            /// Take one row and return y less what was expected, nan where unknown.
            fn update(&mut self, y: f64, x: Regressors<'_>) -> PyResult<f64> {
                self.inner.step(y, x.as_slice()?).map_err(|error| raise(&error))
            }

            /// Take whole columns; rows innovation, then each coefficient after the row.
            #[pyo3(signature = (y, x, *, out = None))]
            fn batch<'py>(
                &mut self,
                py: Python<'py>,
                y: PyReadonlyArray1<'py, f64>,
                x: PyReadonlyArray2<'py, f64>,
                out: Option<Bound<'py, PyArrayDyn<f64>>>,
            ) -> PyResult<Bound<'py, PyArrayDyn<f64>>> {
                batch(py, &mut self.inner, &y, &x, out)
            }

            #[getter]
            fn coefficients<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
                PyArray1::from_slice(py, self.inner.coefficients())
            }

            #[getter]
            fn n_seen(&self) -> u64 {
                self.inner.n_seen()
            }

            /// Whether the rows so far determine the coefficients.
            fn ready(&self) -> bool {
                self.inner.ready()
            }

            fn snapshot<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
                PyBytes::new(py, &self.inner.snapshot())
            }

            fn restore(&mut self, snapshot: &[u8]) -> PyResult<()> {
                self.inner.restore(snapshot).map_err(|error| raise(&error))
            }

            $($extra)*
        }
    };
}

regression!(PyRls "RLS" Rls "Recursive least squares with forgetting, by covariance.",
    (regressors: usize, forgetting: f64, initial_variance: f64, variance_max: f64)
    (regressors, *, forgetting = 0.99, initial_variance = 1e6, variance_max = 1e8) => {
        core::Rls::new(
            regressors, core::RlsSettings { forgetting, initial_variance, variance_max })
    },
    {
        /// Covariance of the coefficients in units of the noise's variance.
        #[getter]
        fn covariance<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<f64>>> {
            let size = self.inner.coefficients().len();
            PyArray1::from_slice(py, self.inner.covariance()).reshape([size, size])
        }
    }
);
regression!(PyQrRls "QrRLS" QrRls "Recursive least squares by the triangular factor.",
    (regressors: usize, forgetting: f64)
    (regressors, *, forgetting = 1.0) => core::QrRls::new(regressors, forgetting),
    {
        /// Deviation of the residuals, degrees of freedom counted.
        #[getter]
        fn residual_deviation(&self) -> f64 {
            self.inner.residual_deviation()
        }

        /// Explained share of the variation of y around its mean.
        #[getter]
        fn r_squared(&self) -> f64 {
            self.inner.r_squared()
        }
    }
);

/// Coefficients (constant first), deviation of the residuals and explained share.
#[pyfunction]
#[pyo3(signature = (y, x, *, constant = true))]
fn least_squares<'py>(
    py: Python<'py>,
    y: PyReadonlyArray1<'py, f64>,
    x: PyReadonlyArray2<'py, f64>,
    constant: bool,
) -> PyResult<(Bound<'py, PyArray1<f64>>, f64, f64)> {
    let (ys, xs) = (y.as_slice()?, x.as_slice()?);
    let fit = py.detach(|| core::least_squares(xs, ys, constant));
    let fit = fit.map_err(|error| raise(&error))?;
    let coefficients = PyArray1::from_slice(py, &fit.coefficients);
    Ok((coefficients, fit.residual_deviation, fit.r_squared))
}

/// Add this file's names to `hean._core`.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyRls>()?;
    module.add_class::<PyQrRls>()?;
    module.add_function(wrap_pyfunction!(least_squares, module)?)
}
