// SPDX-License-Identifier: Apache-2.0
//! Indicators for Python: one class each, all with the same members, written by one macro.
//! `update` takes one row, `batch` takes NumPy columns and goes on from the present state; both run
//! the core's `push`. Long columns are computed without the GIL.

use hean_core::indicator as core;
use hean_core::indicator::{Indicator, Stream};
use hean_core::{Code, CoreError};
use numpy::{
    PyArray1, PyArrayDyn, PyArrayMethods, PyReadonlyArray1, PyReadwriteArrayDyn,
    PyUntypedArrayMethods,
};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::error::raise;
use crate::filter_garch::PyParameters;

/// Shorter columns are done before another thread could make use of the GIL.
pub(crate) const DETACH_ROWS: usize = 10_000;

/// Shape of a result: one row of values, or one row a name.
pub(crate) fn shape(outputs: usize, rows: usize) -> Vec<usize> {
    if outputs == 1 {
        vec![rows]
    } else {
        vec![outputs, rows]
    }
}

/// The caller's array if it fits, else a new one.
pub(crate) fn target<'py>(
    py: Python<'py>,
    out: Option<Bound<'py, PyArrayDyn<f64>>>,
    shape: &[usize],
) -> PyResult<Bound<'py, PyArrayDyn<f64>>> {
    let Some(out) = out else { return Ok(PyArrayDyn::zeros(py, shape, false)) };
    if out.shape() == shape && out.is_c_contiguous() {
        return Ok(out);
    }
    let message = format!("out: shape {:?}; expected {shape:?}, C-contiguous", out.shape());
    Err(raise(&CoreError::new(Code::ParameterInvalid, message)))
}

/// Cut the result into its rows.
pub(crate) fn rows_of<const OUT: usize>(flat: &mut [f64], rows: usize) -> [&mut [f64]; OUT] {
    let mut rest = flat.chunks_mut(rows.max(1));
    std::array::from_fn(|_| rest.next().unwrap_or_default())
}

/// Run columns through a stream.
pub(crate) fn batch<'py, I, const IN: usize, const OUT: usize>(
    py: Python<'py>,
    stream: &mut Stream<I, IN, OUT>,
    inputs: [PyReadonlyArray1<'py, f64>; IN],
    out: Option<Bound<'py, PyArrayDyn<f64>>>,
) -> PyResult<Bound<'py, PyArrayDyn<f64>>>
where
    I: Indicator<IN, OUT> + Send,
{
    let mut columns: [&[f64]; IN] = [&[]; IN];
    for (column, input) in columns.iter_mut().zip(&inputs) {
        *column = input.as_slice()?;
    }
    let rows = columns.first().map_or(0, |column| column.len());
    let result = target(py, out, &shape(OUT, rows))?;
    let mut guard: PyReadwriteArrayDyn<'py, f64> = result.try_readwrite()?;
    let outputs = rows_of(guard.as_slice_mut()?, rows);
    let done = if rows > DETACH_ROWS {
        py.detach(|| stream.batch(columns, outputs))
    } else {
        stream.batch(columns, outputs)
    };
    done.map_err(|error| raise(&error))?;
    Ok(result)
}

/// One Python class around `Stream<$core, $in, $out>`: its constructor, the names of its inputs and
/// the names of its outputs, the first of which is `value`.
macro_rules! stream {
    (
        $class:ident $name:literal $core:ident [$in:literal -> $out:literal] $doc:literal,
        ($($arg:ident: $type:ty),*) ($($signature:tt)*) => $build:expr,
        ($($input:ident),+) -> $update:ident $([$($output:ident = $at:literal),+])?
        $(, also { $($extra:tt)* })?
    ) => {
        #[doc = $doc]
        #[pyclass(name = $name, module = "hean._core")]
        pub struct $class {
            inner: Stream<core::$core, $in, $out>,
        }

        #[pymethods]
        impl $class {
            #[new]
            #[pyo3(signature = ($($signature)*))]
            #[allow(clippy::too_many_arguments)] // keywords in Python
            fn new($($arg: $type),*) -> PyResult<Self> {
                let built: hean_core::Result<core::$core> = $build;
                built.map(|it| Self { inner: Stream::new(it) }).map_err(|error| raise(&error))
            }

            /// Take one row and return the value, nan where undefined.
            fn update(&mut self, $($input: f64),+) -> PyResult<$update> {
                match self.inner.update([$($input),+]) {
                    Ok(()) => Ok(self.inner.values()[0].into_answer()),
                    Err(error) => Err(raise(&error)),
                }
            }

            /// Take whole columns, oldest first, and return one value a row.
            #[pyo3(signature = ($($input),+, *, out = None))]
            fn batch<'py>(
                &mut self,
                py: Python<'py>,
                $($input: PyReadonlyArray1<'py, f64>,)+
                out: Option<Bound<'py, PyArrayDyn<f64>>>,
            ) -> PyResult<Bound<'py, PyArrayDyn<f64>>> {
                batch(py, &mut self.inner, [$($input),+], out)
            }

            /// The last value, nan where undefined.
            #[getter]
            fn value(&self) -> f64 {
                self.inner.values()[0]
            }

            $($(
                #[getter]
                fn $output(&self) -> f64 {
                    self.inner.values()[$at]
                }
            )+)?

            /// Whether the seed is forgotten and every value is defined now.
            fn ready(&self) -> bool {
                self.inner.ready()
            }

            /// Number of rows taken.
            #[getter]
            fn n_seen(&self) -> u64 {
                self.inner.n_seen()
            }

            /// Number of rows after which every output has its first value.
            #[getter]
            fn warmup(&self) -> u64 {
                self.inner.warmup()
            }

            /// Number of rows after which the seed weighs less than one millionth.
            #[getter]
            fn settled(&self) -> u64 {
                self.inner.settled()
            }

            /// The complete state.
            fn snapshot<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
                PyBytes::new(py, &self.inner.snapshot())
            }

            /// Take over a snapshot of the same indicator with the same parameters.
            fn restore(&mut self, snapshot: &[u8]) -> PyResult<()> {
                self.inner.restore(snapshot).map_err(|error| raise(&error))
            }

            $($($extra)*)?
        }
    };
}

pub(crate) use stream;

/// What `update` hands back: the value, or nothing where a float object would be waste.
pub(crate) trait IntoAnswer<T> {
    fn into_answer(self) -> T;
}

impl IntoAnswer<f64> for f64 {
    fn into_answer(self) -> f64 {
        self
    }
}

impl IntoAnswer<()> for f64 {
    fn into_answer(self) {}
}

type Nothing = ();

stream!(PySma "SMA" Sma [1 -> 1] "Simple moving average.",
    (period: usize) (period) => core::Sma::new(period), (value) -> f64);
stream!(PyEma "EMA" Ema [1 -> 1] "Exponential moving average, seeded with the mean of n.",
    (period: usize) (period) => core::Ema::new(period), (value) -> f64);
stream!(PyEwm "EWM" Ewm [1 -> 1] "Exponential moving average that starts at the first value.",
    (period: usize) (period) => core::Ewm::new(period), (value) -> f64);
stream!(PyWma "WMA" Wma [1 -> 1] "Linearly weighted moving average.",
    (period: usize) (period) => core::Wma::new(period), (value) -> f64);
stream!(PyDema "DEMA" Dema [1 -> 1] "Double exponential moving average.",
    (period: usize) (period) => core::Dema::new(period), (value) -> f64);
stream!(PyTema "TEMA" Tema [1 -> 1] "Triple exponential moving average.",
    (period: usize) (period) => core::Tema::new(period), (value) -> f64);
stream!(PyKama "KAMA" Kama [1 -> 1] "Kaufman's adaptive moving average.",
    (period: usize) (period = 10) => core::Kama::new(period), (value) -> f64);
stream!(PyTrix "TRIX" Trix [1 -> 1] "Change of a triple smoothed average, percent.",
    (period: usize) (period = 15) => core::Trix::new(period), (value) -> f64);
stream!(PyRsi "RSI" Rsi [1 -> 1] "Wilder's relative strength index; nan in a flat market.",
    (period: usize) (period = 14) => core::Rsi::new(period), (value) -> f64);
stream!(PyMomentum "Momentum" Momentum [1 -> 1] "Difference to the value n steps ago.",
    (period: usize) (period = 10) => core::Momentum::new(period), (value) -> f64);
stream!(PyRoc "ROC" Roc [1 -> 1] "Change against the value n steps ago, percent.",
    (period: usize) (period = 10) => core::Roc::new(period), (value) -> f64);
stream!(PyMacd "MACD" Macd [1 -> 3] "Moving average convergence divergence.",
    (fast: usize, slow: usize, signal: usize) (fast = 12, slow = 26, signal = 9)
        => core::Macd::new(fast, slow, signal),
    (value) -> f64 [line = 0, signal = 1, histogram = 2]);
stream!(PyBollinger "Bollinger" Bollinger [1 -> 3] "Bollinger bands, population deviation.",
    (period: usize, width: f64) (period = 20, width = 2.0) => core::Bollinger::new(period, width),
    (value) -> f64 [upper = 0, middle = 1, lower = 2]);
stream!(PyRollingStd "RollingStd" RollingStd [1 -> 1] "Standard deviation of the last n.",
    (period: usize, ddof: usize) (period, ddof = 0) => core::RollingStd::new(period, ddof),
    (value) -> f64);
stream!(PyRollingMin "RollingMin" RollingMin [1 -> 1] "Smallest of the last n.",
    (period: usize) (period) => core::RollingMin::new(period), (value) -> f64);
stream!(PyRollingMax "RollingMax" RollingMax [1 -> 1] "Largest of the last n.",
    (period: usize) (period) => core::RollingMax::new(period), (value) -> f64);
stream!(PyZScore "ZScore" ZScore [1 -> 1] "Deviations from the window's mean; nan when flat.",
    (period: usize) (period) => core::ZScore::new(period), (value) -> f64);
stream!(PyLinregSlope "LinregSlope" LinregSlope [1 -> 1] "Slope of the least-squares line.",
    (period: usize) (period) => core::LinregSlope::new(period), (value) -> f64);
stream!(PyMoments "Moments" Moments [1 -> 3] "Mean, sample deviation, lag-1 correlation so far.",
    () () => Ok(core::Moments::new()),
    (value) -> f64 [mean = 0, deviation = 1, autocorrelation = 2]);
stream!(PyTrueRange "TrueRange" TrueRange [3 -> 1] "True range of a bar.",
    () () => Ok(core::TrueRange::new()), (high, low, close) -> f64);
stream!(PyAtr "ATR" Atr [3 -> 1] "Average true range.",
    (period: usize) (period = 14) => core::Atr::new(period), (high, low, close) -> f64);
stream!(PyNatr "NATR" Natr [3 -> 1] "Average true range in percent of the close.",
    (period: usize) (period = 14) => core::Natr::new(period), (high, low, close) -> f64);
stream!(PyStochastic "Stochastic" Stochastic [3 -> 2] "Slow stochastic oscillator.",
    (period: usize, k_smooth: usize, d_smooth: usize) (period = 14, k_smooth = 3, d_smooth = 3)
        => core::Stochastic::new(period, k_smooth, d_smooth),
    (high, low, close) -> f64 [k = 0, d = 1]);
stream!(PyWilliamsR "WilliamsR" WilliamsR [3 -> 1] "Williams' %R, -100 to 0.",
    (period: usize) (period = 14) => core::WilliamsR::new(period), (high, low, close) -> f64);
stream!(PyCci "CCI" Cci [3 -> 1] "Commodity channel index; O(n) a bar.",
    (period: usize) (period = 20) => core::Cci::new(period), (high, low, close) -> f64);
stream!(PyUltimate "UltimateOscillator" UltimateOscillator [3 -> 1] "Ultimate oscillator.",
    (short: usize, middle: usize, long: usize) (short = 7, middle = 14, long = 28)
        => core::UltimateOscillator::new(short, middle, long),
    (high, low, close) -> f64);
stream!(PyAdx "ADX" Adx [3 -> 3] "Average directional index with +DI and -DI.",
    (period: usize) (period = 14) => core::Adx::new(period),
    (high, low, close) -> f64 [adx = 0, plus_di = 1, minus_di = 2]);
stream!(PyAroon "Aroon" Aroon [2 -> 2] "How recent the extremes are, 0 to 100.",
    (period: usize) (period = 25) => core::Aroon::new(period),
    (high, low) -> f64 [up = 0, down = 1]);
stream!(PySar "ParabolicSAR" ParabolicSar [2 -> 1] "Wilder's parabolic stop and reverse.",
    (step: f64, step_max: f64) (step = 0.02, step_max = 0.2)
        => core::ParabolicSar::new(step, step_max),
    (high, low) -> f64);
stream!(PyObv "OBV" Obv [2 -> 1] "On-balance volume.",
    () () => Ok(core::Obv::new()), (close, volume) -> f64);
stream!(PyAd "AccumulationDistribution" AccumulationDistribution [4 -> 1]
    "Chaikin's accumulation/distribution level.",
    () () => Ok(core::AccumulationDistribution::new()), (high, low, close, volume) -> f64);
stream!(PyMfi "MFI" Mfi [4 -> 1] "Money flow index.",
    (period: usize) (period = 14) => core::Mfi::new(period), (high, low, close, volume) -> f64);
stream!(PyVwap "VWAP" Vwap [2 -> 1] "Volume-weighted average price, of n rows or a session.",
(period: Option<usize>) (period = None)
    => period.map_or_else(|| Ok(core::Vwap::session()), core::Vwap::rolling),
(price, volume) -> f64,
also {
    /// Begin a new session, or empty the window.
    fn restart(&mut self) {
        self.inner.indicator_mut().restart();
    }
});
stream!(PyRangeVolatility "RangeVolatility" RangeVolatility [4 -> 1] "Volatility from bars.",
    (estimator: &str, period: usize, bars_per_year: f64) (estimator, period, *, bars_per_year)
        => estimator_of(estimator)
            .and_then(|kind| core::RangeVolatility::new(kind, period, bars_per_year)),
    (open, high, low, close) -> f64);
stream!(PyEwmaVariance "EwmaVariance" EwmaVariance [1 -> 1] "RiskMetrics variance forecast.",
    (decay: f64, initial: Option<f64>) (decay = 0.94, *, initial = None)
        => core::EwmaVariance::new(decay, initial),
    (value) -> f64);
stream!(PyTimedEwmaVariance "TimedEwmaVariance" TimedEwmaVariance [2 -> 1]
    "Variance forecast from returns at irregular times.",
    (tau_s: f64) (tau_s = 1800.0) => core::TimedEwmaVariance::new(tau_s),
    (value, elapsed_s) -> f64);
stream!(PyGarchVariance "GarchVariance" GarchVariance [1 -> 1]
"Variance forecast by a fitted GARCH(1,1).",
(parameters: &PyParameters, start: f64) (parameters, start)
    => core::GarchVariance::new(parameters.inner, start),
(value) -> f64,
also {
    /// Variance of the next return, also before the first one came.
    #[getter]
    fn next_variance(&self) -> f64 {
        self.inner.indicator().variance()
    }
});
stream!(PyRealizedVariance "RealizedVariance" RealizedVariance [1 -> 3]
    "Realised variance of the last n returns, bipower variation, and jumps.",
    (period: usize) (period) => core::RealizedVariance::new(period),
    (value) -> f64 [realized = 0, bipower = 1, jumps = 2]);
stream!(PyIntradayProfile "IntradayProfile" IntradayProfile [2 -> 2]
"Returns without what is usual at this time of the week.",
(slot_minutes: usize, weeks: usize, funding_minutes: Vec<u16>)
    (slot_minutes = 1, *, weeks = 4, funding_minutes = vec![])
    => core::IntradayProfile::new(slot_minutes, weeks, &funding_minutes),
(minute, value) -> f64 [factor = 1],
also {
    /// What returns of the coming bars would be divided by now.
    fn factors<'py>(
        &self, py: Python<'py>, first_minute: i64, bar_minutes: u32, bars: u32,
    ) -> Bound<'py, PyArray1<f64>> {
        let profile = self.inner.indicator();
        let minute = |bar| first_minute.saturating_add(i64::from(bar) * i64::from(bar_minutes));
        PyArray1::from_iter(py, (0..bars).map(|bar| profile.factor(minute(bar))))
    }
});
stream!(PyFive "Five" Five [1 -> 8] "SMA 20, EMA 20, RSI 14, MACD 12/26/9, Bollinger 20/2.",
    () () => core::Five::new(),
    (value) -> Nothing [sma = 0, ema = 1, rsi = 2, macd = 3, signal = 4, histogram = 5,
        upper = 6, lower = 7]);

/// The estimator of this name.
fn estimator_of(name: &str) -> hean_core::Result<core::Estimator> {
    match name {
        "close" => Ok(core::Estimator::Close),
        "parkinson" => Ok(core::Estimator::Parkinson),
        "garman_klass" => Ok(core::Estimator::GarmanKlass),
        "rogers_satchell" => Ok(core::Estimator::RogersSatchell),
        "gk_yz" => Ok(core::Estimator::GarmanKlassYangZhang),
        "yang_zhang" => Ok(core::Estimator::YangZhang),
        other => {
            let known = "close, parkinson, garman_klass, rogers_satchell, gk_yz, yang_zhang";
            let message = format!("RangeVolatility: estimator {other:?}; expected one of {known}");
            Err(CoreError::new(Code::ParameterInvalid, message))
        }
    }
}

/// All five standard indicators of a column of closes in one pass: eight rows (SMA, EMA, RSI, MACD
/// line, signal, histogram, upper and lower band).
#[pyfunction]
#[pyo3(signature = (closes, out = None))]
fn five<'py>(
    py: Python<'py>,
    closes: PyReadonlyArray1<'py, f64>,
    out: Option<Bound<'py, PyArrayDyn<f64>>>,
) -> PyResult<Bound<'py, PyArrayDyn<f64>>> {
    let five = core::Five::new().map_err(|error| raise(&error))?;
    batch(py, &mut Stream::new(five), [closes], out)
}

/// Add this file's classes to `hean._core`.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    macro_rules! add {
        ($($class:ident),+ $(,)?) => { $(module.add_class::<$class>()?;)+ };
    }
    add!(PySma, PyEma, PyEwm, PyWma, PyDema, PyTema, PyKama, PyTrix, PyRsi, PyMomentum, PyRoc);
    add!(PyMacd);
    add!(PyBollinger, PyRollingStd, PyRollingMin, PyRollingMax, PyZScore, PyLinregSlope);
    add!(PyMoments, PyTrueRange, PyAtr, PyNatr, PyStochastic, PyWilliamsR, PyCci, PyUltimate);
    add!(PyAdx, PyAroon, PySar, PyObv, PyAd, PyMfi, PyVwap, PyRangeVolatility, PyEwmaVariance);
    add!(PyTimedEwmaVariance, PyGarchVariance, PyRealizedVariance, PyIntradayProfile, PyFive);
    module.add_function(wrap_pyfunction!(five, module)?)
}
