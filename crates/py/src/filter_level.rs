// SPDX-License-Identifier: Apache-2.0
//! Local level and local linear trend for Python. Both are the same core filter with one state or
//! two; a state with its covariance is written level, variance or level, trend, variance of the
//! level, covariance, variance of the trend.

use hean_core::filter::level::{Level, LevelStart, LevelStep};
use numpy::{PyArrayDyn, PyArrayMethods, PyReadonlyArray1};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::error::raise;
use crate::indicator::{shape, target, DETACH_ROWS};

type Array<'py> = Bound<'py, PyArrayDyn<f64>>;

/// Columns written next to each other in one array of rows.
struct Rows<'a> {
    flat: &'a mut [f64],
    rows: usize,
}

impl Rows<'_> {
    fn put(&mut self, at: usize, first: usize, values: impl Iterator<Item = f64>) {
        for (row, value) in (first..).zip(values) {
            self.flat[row * self.rows + at] = value;
        }
    }
}

/// A state and the upper triangle of its covariance.
fn described<'a, const N: usize>(
    mean: &'a [f64; N],
    covariance: &'a [[f64; N]; N],
) -> impl Iterator<Item = f64> + 'a {
    let triangle = (0..N).flat_map(move |i| (i..N).map(move |j| covariance[i][j]));
    mean.iter().copied().chain(triangle)
}

/// How many numbers describe a state.
const fn width(states: usize) -> usize {
    states + states * (states + 1) / 2
}

fn whole_step<const N: usize>(rows: &mut Rows<'_>, at: usize, step: &LevelStep<N>) {
    rows.put(at, 0, described(&step.filtered, &step.filtered_covariance));
    rows.put(at, width(N), described(&step.predicted, &step.predicted_covariance));
    let innovation = [step.innovation, step.innovation_variance];
    rows.put(at, 2 * width(N), innovation.into_iter());
}

fn batch<'py, const N: usize>(
    py: Python<'py>,
    filter: &mut Level<N>,
    y: &PyReadonlyArray1<'py, f64>,
    out: Option<Array<'py>>,
) -> PyResult<Array<'py>> {
    let y = y.as_slice()?;
    let result = target(py, out, &shape(2 * width(N) + 2, y.len()))?;
    let mut guard = result.try_readwrite()?;
    let mut rows = Rows { flat: guard.as_slice_mut()?, rows: y.len() };
    let mut run = || filter.batch(y, |at, step| whole_step(&mut rows, at, &step));
    let done = if y.len() > DETACH_ROWS { py.detach(run) } else { run() };
    done.map_err(|error| raise(&error))?;
    Ok(result)
}

fn smooth<'py, const N: usize>(
    py: Python<'py>,
    filter: &Level<N>,
    y: &PyReadonlyArray1<'py, f64>,
) -> PyResult<Array<'py>> {
    let y = y.as_slice()?;
    let smoothed = py.detach(|| filter.smooth(y)).map_err(|error| raise(&error))?;
    let result = PyArrayDyn::zeros(py, shape(width(N), y.len()), false);
    let mut guard = result.try_readwrite()?;
    let mut rows = Rows { flat: guard.as_slice_mut()?, rows: y.len() };
    for (at, state) in smoothed.iter().enumerate() {
        rows.put(at, 0, described(&state.mean, &state.covariance));
    }
    Ok(result)
}

fn forecast<'py, const N: usize>(
    py: Python<'py>,
    filter: &Level<N>,
    steps: usize,
) -> PyResult<Array<'py>> {
    let result = PyArrayDyn::zeros(py, shape(2, steps), false);
    let mut guard = result.try_readwrite()?;
    let (mean, variance) = guard.as_slice_mut()?.split_at_mut(steps);
    filter.forecast(mean, variance).map_err(|error| raise(&error))?;
    Ok(result)
}

/// One Python class around `Level<$n>`.
macro_rules! level {
    (
        $class:ident $name:literal $n:literal $doc:literal,
        ($($arg:ident: $type:ty),*) ($($signature:tt)*) => $build:expr,
        { $($extra:tt)* }
    ) => {
        #[doc = $doc]
        #[pyclass(name = $name, module = "hean._core")]
        pub struct $class {
            inner: Level<$n>,
        }

        #[pymethods]
        impl $class {
            #[new]
            #[pyo3(signature = ($($signature)*))]
            fn new($($arg: $type),*) -> PyResult<Self> {
                let built: hean_core::Result<Level<$n>> = $build;
                built.map(|inner| Self { inner }).map_err(|error| raise(&error))
            }

            /// Take one observation, nan if missing, and return the level after it.
            fn update(&mut self, y: f64) -> PyResult<f64> {
                match self.inner.step(y) {
                    Ok(step) => Ok(step.filtered[0]),
                    Err(error) => Err(raise(&error)),
                }
            }

            /// Take a whole column; rows: filtered state, predicted state, innovation, variance.
            #[pyo3(signature = (y, *, out = None))]
            fn batch<'py>(
                &mut self,
                py: Python<'py>,
                y: PyReadonlyArray1<'py, f64>,
                out: Option<Array<'py>>,
            ) -> PyResult<Array<'py>> {
                batch(py, &mut self.inner, &y, out)
            }

            /// Smoothed states of a column that would come next; this object stays as it is.
            fn smooth<'py>(
                &self,
                py: Python<'py>,
                y: PyReadonlyArray1<'py, f64>,
            ) -> PyResult<Array<'py>> {
                smooth(py, &self.inner, &y)
            }

            /// Mean and variance of the next observations, as two rows.
            fn forecast<'py>(&self, py: Python<'py>, steps: usize) -> PyResult<Array<'py>> {
                forecast(py, &self.inner, steps)
            }

            /// The level after the last observation.
            #[getter]
            fn value(&self) -> f64 {
                self.inner.last().filtered[0]
            }

            #[getter]
            fn variance(&self) -> f64 {
                self.inner.last().filtered_covariance[0][0]
            }

            #[getter]
            fn innovation(&self) -> f64 {
                self.inner.last().innovation
            }

            #[getter]
            fn innovation_variance(&self) -> f64 {
                self.inner.last().innovation_variance
            }

            #[getter]
            fn log_likelihood(&self) -> f64 {
                self.inner.log_likelihood()
            }

            #[getter]
            fn n_seen(&self) -> u64 {
                self.inner.n_seen()
            }

            #[getter]
            fn n_missing(&self) -> u64 {
                self.inner.n_missing()
            }

            /// Whether every state has a finite variance.
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

level!(PyLocalLevel "LocalLevel" 1 "A random walk seen through noise.",
    (irregular: f64, level: f64, mean: f64, variance: Option<f64>, steady_tolerance: f64)
    (irregular, level, *, mean = 0.0, variance = None, steady_tolerance = 0.0) => {
        let exact = |it| LevelStart::Exact { mean: [mean], covariance: [[it]] };
        let start = variance.map_or(LevelStart::Diffuse, exact);
        Level::new(irregular, [level], start, steady_tolerance)
    },
    {
        /// Variance that the prediction of the level converges to.
        #[getter]
        fn steady_variance(&self) -> f64 {
            self.inner.steady_covariance()[0][0]
        }
    }
);
level!(PyLocalTrend "LocalTrend" 2 "A level with a slope, both random walks, seen through noise.",
    (irregular: f64, level: f64, trend: f64, mean: [f64; 2], covariance: Option<[[f64; 2]; 2]>,
        steady_tolerance: f64)
    (irregular, level, trend, *, mean = [0.0, 0.0], covariance = None, steady_tolerance = 0.0)
    => {
        let exact = |covariance| LevelStart::Exact { mean, covariance };
        let start = covariance.map_or(LevelStart::Diffuse, exact);
        Level::new(irregular, [level, trend], start, steady_tolerance)
    },
    {
        /// The slope after the last observation.
        #[getter]
        fn trend(&self) -> f64 {
            self.inner.last().filtered[1]
        }

        /// Covariance of level and slope after the last observation.
        #[getter]
        fn covariance(&self) -> [[f64; 2]; 2] {
            self.inner.last().filtered_covariance
        }

        /// Covariance that the prediction converges to.
        #[getter]
        fn steady_covariance(&self) -> [[f64; 2]; 2] {
            self.inner.steady_covariance()
        }
    }
);

/// Add this file's classes to `hean._core`.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyLocalLevel>()?;
    module.add_class::<PyLocalTrend>()
}
