// SPDX-License-Identifier: Apache-2.0
//! Conditions and native runs for Python, and the sizing both sides share. A run works on the very
//! venue, engine and ledger objects that Python holds; the GIL is released while it plays.

use hean_core::order::name::Name;
use hean_core::program::{
    compile, NativeFill, NativeRun, Parts, Program, Row, Rules, Settings, Token,
};
use hean_core::sim::{Edge, Feed, Wake};
use hean_core::sizing::{self, Kelly, Method, Sizing, TrackRecord};
use hean_core::{Code, CoreError};
use pyo3::prelude::*;

use crate::convert::{money, price_of, quantity, quantity_of};
use crate::error::raise;
use crate::instrument::PyInstrument;
use crate::ledger::{to_f64, PyLedger};
use crate::order::PyOrderEngine;
use crate::sim::PySimVenue;

/// A postfix expression: words with a number each.
pub type Words = Vec<(String, f64)>;

type Any<'py> = Bound<'py, PyAny>;
/// `(ts_ns, order_id, symbol, is_buy, price, qty, fee, is_maker, is_own, reference)`
type FillRow<'py> = (i64, String, String, bool, Any<'py>, Any<'py>, Any<'py>, bool, bool, f64);
/// `(sharpe, volatility, years, strategies)`
pub type RecordNumbers = (f64, f64, f64, f64);
/// `(record, share_max, exploration)`
pub type KellyNumbers = (Option<RecordNumbers>, f64, f64);
/// `(fraction, risk_fraction, stop_deviations, max_leverage, kelly)`
pub type SizingNumbers = (f64, f64, f64, f64, KellyNumbers);

fn wrong(what: &str, name: &str, known: &str) -> PyErr {
    let why = format!("{what} {name:?}: expected {known}");
    raise(&CoreError::new(Code::ParameterInvalid, why))
}

/// A program of these conditions.
pub fn compiled(conditions: &[Words]) -> PyResult<Program> {
    let token = |(name, number): &(String, f64)| Token { name: name.clone(), number: *number };
    let conditions: Vec<Vec<Token>> =
        conditions.iter().map(|words| words.iter().map(token).collect()).collect();
    compile(&conditions).map_err(|error| raise(&error))
}

/// The feed of an event type's name.
pub fn feed_named(name: &str) -> PyResult<Feed> {
    match name {
        "CANDLE" => Ok(Feed::Candles),
        "TICK" => Ok(Feed::Ticks),
        other => Err(wrong("feed", other, "CANDLE or TICK")),
    }
}

/// A wake of its kind and number.
pub fn wake(kind: &str, number: i64) -> PyResult<Wake> {
    match (kind, usize::try_from(number)) {
        ("rising", Ok(condition)) => Ok(Wake::Change(condition, Edge::Rising)),
        ("either", Ok(condition)) => Ok(Wake::Change(condition, Edge::Either)),
        ("every", Ok(1..)) => Ok(Wake::Every(number)),
        _ => Err(wrong("wake", kind, "rising or either with a condition, every with ns above 0")),
    }
}

pub fn sizing_of(method: &str, numbers: SizingNumbers) -> PyResult<Sizing> {
    let method = match method {
        "fixed_fraction" => Method::FixedFraction,
        "volatility_target" => Method::VolatilityTarget,
        "kelly" => Method::Kelly,
        other => return Err(wrong("sizing", other, "fixed_fraction, volatility_target or kelly")),
    };
    let (fraction, risk_fraction, stop_deviations, max_leverage, kelly) = numbers;
    let (record, share_max, exploration) = kelly;
    let record = record.map(|(sharpe, volatility, years, strategies)| TrackRecord {
        sharpe,
        volatility,
        years,
        strategies,
    });
    let kelly = Kelly { record, share_max, exploration };
    Ok(Sizing { method, fraction, risk_fraction, stop_deviations, max_leverage, kelly })
}

/// Share of the full Kelly fraction: `hean.quant.kelly.shrunk_share`.
#[pyfunction]
fn kelly_share(sharpe: f64, years: f64, strategies: f64, share_max: f64) -> f64 {
    sizing::kelly_share(sharpe, years, strategies, share_max)
}

/// Value of the position to take: `hean.risk.sizing`.
#[pyfunction]
#[pyo3(signature = (method, numbers, *, equity, strength, sigma_daily))]
fn position_value(
    method: &str,
    numbers: SizingNumbers,
    equity: f64,
    strength: f64,
    sigma_daily: f64,
) -> PyResult<f64> {
    Ok(sizing_of(method, numbers)?.position_value(equity, strength, sigma_daily))
}

/// Lots to trade: `hean.risk.sizing` in exact numbers.
#[pyfunction]
#[pyo3(signature = (instrument, method, numbers, *, equity, reference, strength, sigma_daily))]
#[allow(clippy::too_many_arguments)]
fn sized_quantity<'py>(
    py: Python<'py>,
    instrument: &PyInstrument,
    method: &str,
    numbers: SizingNumbers,
    equity: &Any<'py>,
    reference: f64,
    strength: f64,
    sigma_daily: f64,
) -> PyResult<Any<'py>> {
    let (rules, sizing) = (&instrument.inner, sizing_of(method, numbers)?);
    let equity = crate::convert::amount(equity)?;
    let lots = sizing.lots(rules, equity, reference, strength, sigma_daily);
    quantity_of(py, rules, lots.map_err(|error| raise(&error))?)
}

/// Conditions over a stream that somebody else reads.
#[pyclass(name = "Conditions", module = "hean._core")]
struct PyConditions {
    program: Program,
}

#[pymethods]
impl PyConditions {
    #[new]
    fn new(conditions: Vec<Words>) -> PyResult<Self> {
        Ok(Self { program: compiled(&conditions)? })
    }

    /// Take one row.
    fn step(&mut self, open: f64, high: f64, low: f64, close: f64, volume: f64) {
        self.program.step(&Row { open, high, low, close, volume });
    }

    /// Does a condition hold as of the last row?
    fn holds(&self, number: usize) -> bool {
        self.program.holds(number)
    }
}

/// Rules traded in Rust, see `hean_core::program::native`.
#[pyclass(name = "NativeRun", module = "hean._core")]
struct PyNativeRun {
    run: NativeRun,
}

/// Rules for every instrument of a venue; `symbols` alone trade.
fn rules_of(
    venue: &PySimVenue,
    symbols: &[String],
    program: &Program,
    size: Option<&Any<'_>>,
) -> PyResult<Vec<Option<Rules>>> {
    let mut all = vec![None; venue.venue.instruments()];
    for symbol in symbols {
        let instrument = venue.instrument_of(symbol)?;
        let size = size.map(|size| quantity(venue.rules(instrument)?, size)).transpose()?;
        all[instrument] = Some(Rules { program: program.clone(), size });
    }
    Ok(all)
}

#[pymethods]
impl PyNativeRun {
    #[new]
    #[pyo3(signature = (
        venue, engine, *, symbols, feed, conditions, size, sizing, strategy_id, last_id,
        sample_step_ns, start_ns,
    ))]
    #[allow(clippy::too_many_arguments)]
    fn new(
        venue: PyRef<'_, PySimVenue>,
        mut engine: PyRefMut<'_, PyOrderEngine>,
        symbols: Vec<String>,
        feed: &str,
        conditions: Vec<Words>,
        size: Option<&Any<'_>>,
        sizing: (String, SizingNumbers),
        strategy_id: &str,
        last_id: &str,
        sample_step_ns: i64,
        start_ns: i64,
    ) -> PyResult<Self> {
        let name =
            Name::parse(last_id).ok_or_else(|| wrong("id", last_id, "h<epoch>-<tag>-<n>"))?;
        let settings = Settings {
            feed: feed_named(feed)?,
            sizing: sizing_of(&sizing.0, sizing.1)?,
            strategy: engine.inner.strategy(strategy_id).map_err(|error| raise(&error))?,
            last_name: name,
            sample_step_ns,
            start_ns,
        };
        let rules = rules_of(&venue, &symbols, &compiled(&conditions)?, size)?;
        let run = NativeRun::new(settings, rules).map_err(|error| raise(&error))?;
        Ok(Self { run })
    }

    /// Play up to so many instants; false at the end of the market.
    fn advance(
        &mut self,
        py: Python<'_>,
        mut venue: PyRefMut<'_, PySimVenue>,
        mut engine: PyRefMut<'_, PyOrderEngine>,
        mut ledger: PyRefMut<'_, PyLedger>,
        instants: u64,
    ) -> PyResult<bool> {
        let mut parts =
            Parts { venue: &mut venue.venue, engine: &mut engine.inner, ledger: &mut ledger.inner };
        let run = &mut self.run;
        py.detach(|| run.advance(&mut parts, instants)).map_err(|error| raise(&error))
    }

    /// Orders approved, refused, and facts that did not fit.
    #[getter]
    fn counts(&self) -> (u64, u64, u64) {
        (self.run.orders, self.run.rejected, self.run.unexplained)
    }

    /// Number of the last order id given out.
    #[getter]
    fn last_seq(&self) -> u64 {
        self.run.last_seq()
    }

    /// Present time, ns.
    #[getter]
    fn now_ns(&self) -> i64 {
        self.run.now_ns
    }

    /// `(ts_ns, equity, value held)` at regular times.
    fn samples(&self) -> Vec<(i64, f64, f64)> {
        let sample = |it: &hean_core::program::Sample| (it.ts_ns, to_f64(it.equity), it.held);
        self.run.samples.iter().map(sample).collect()
    }

    /// All executions, see `_core.pyi`.
    fn fills<'py>(
        &self,
        py: Python<'py>,
        venue: PyRef<'_, PySimVenue>,
    ) -> PyResult<Vec<FillRow<'py>>> {
        self.run.fills.iter().map(|fill| self.row(py, &venue, fill)).collect()
    }
}

impl PyNativeRun {
    fn row<'py>(
        &self,
        py: Python<'py>,
        venue: &PySimVenue,
        fill: &NativeFill,
    ) -> PyResult<FillRow<'py>> {
        let rules = venue.rules(fill.instrument)?;
        let liquidation = || format!("venue-liquidation-{}", fill.exec_id);
        Ok((
            fill.ts_ns,
            fill.seq.map_or_else(liquidation, |seq| self.run.id(seq)),
            rules.symbol.clone(),
            fill.side == hean_core::Side::Buy,
            price_of(py, rules, fill.price)?,
            quantity_of(py, rules, fill.lots)?,
            money(py, fill.fee)?,
            fill.is_maker,
            fill.seq.is_some(),
            fill.reference,
        ))
    }
}

/// Add this file's classes to `hean._core`.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyConditions>()?;
    module.add_class::<PyNativeRun>()?;
    module.add("PROGRAM_WORDS", hean_core::program::WORDS.to_vec())?;
    module.add_function(wrap_pyfunction!(position_value, module)?)?;
    module.add_function(wrap_pyfunction!(kelly_share, module)?)?;
    module.add_function(wrap_pyfunction!(sized_quantity, module)?)
}
