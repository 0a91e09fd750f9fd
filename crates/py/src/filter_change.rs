// SPDX-License-Identifier: Apache-2.0
//! Change detectors for Python: Bayesian online changepoint detection, CUSUM, EWMA chart. Each is a
//! stream like an indicator, with the same members.

use hean_core::filter::{changepoint, control};
use hean_core::indicator::Stream;
use numpy::{PyArray1, PyArrayDyn, PyReadonlyArray1};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::error::raise;
use crate::indicator::{batch, stream, IntoAnswer};

/// The kernels under the name that `stream!` looks for.
mod core {
    pub use super::changepoint::Changepoint;
    pub use super::control::{Cusum, EwmaChart};
}

macro_rules! detector {
    (
        $class:ident $name:literal $doc:literal
        ($($arg:ident = $default:literal),*) => $segment:expr
    ) => {
        stream!($class $name Changepoint [1 -> 6] $doc,
            (hazard_lambda: f64, $($arg: f64,)* window: usize, run_length_max: usize, prune: f64)
            (hazard_lambda = 250.0, *, $($arg = $default,)* window = 15, run_length_max = 500,
                prune = 1e-6)
            => {
                let setting =
                    changepoint::Setting { hazard_lambda, window, run_length_max, prune };
                changepoint::Changepoint::new($segment, setting)
            },
            (value) -> f64 [short_probability = 0, map_run_length = 1, predicted = 2,
                log_evidence = 3, hypotheses = 4, dropped = 5],
            also {
                /// Forecast of the next value.
                #[getter]
                fn predictive_mean(&self) -> f64 {
                    self.inner.indicator().predictive_mean()
                }

                /// Probability that the run is shorter than this many observations.
                fn probability_below(&self, run_length: usize) -> f64 {
                    self.inner.indicator().short_probability(run_length)
                }

                /// Probability of each run length from zero on.
                fn run_length_posterior<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
                    PyArray1::from_vec(py, self.inner.indicator().run_length_posterior())
                }
            });
    };
}

detector!(PyBocpd "BOCPD" "Bayesian online changepoint detection; mean and variance unknown."
    (mean = 0.0, kappa = 1.0, alpha = 1.0, beta = 1.0)
    => changepoint::Segment::UnknownVariance { mean, kappa, alpha, beta });
detector!(PyBocpdKnown "BOCPDKnownVariance" "Bayesian online changepoint detection; mean unknown."
    (mean = 0.0, variance = 1.0, noise = 1.0)
    => changepoint::Segment::KnownVariance { mean, variance, noise });

stream!(PyCusum "CUSUM" Cusum [1 -> 5] "Two-sided tabular CUSUM.",
    (target: f64, slack: f64, limit: f64) (target = 0.0, *, slack = 0.5, limit = 5.0)
        => control::Cusum::new(target, slack, limit),
    (value) -> f64 [upper = 0, lower = 1, upper_rows = 2, lower_rows = 3, alarm = 4]);
stream!(PyEwmaChart "EwmaChart" EwmaChart [1 -> 2] "EWMA control chart.",
(weight: f64, target: f64, deviation: f64, width: f64)
    (weight = 0.2, *, target = 0.0, deviation = 1.0, width = 3.0)
    => control::EwmaChart::new(weight, target, deviation, width),
(value) -> f64 [alarm = 1],
also {
    /// Lower and upper limit.
    #[getter]
    fn limits(&self) -> (f64, f64) {
        let [lower, upper] = self.inner.indicator().limits();
        (lower, upper)
    }
});

/// Add this file's classes to `hean._core`.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyBocpd>()?;
    module.add_class::<PyBocpdKnown>()?;
    module.add_class::<PyCusum>()?;
    module.add_class::<PyEwmaChart>()
}
