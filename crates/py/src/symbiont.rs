// SPDX-License-Identifier: Apache-2.0
//! The judge of genomes for Python: columns and genomes in, verdicts out. Threads are started here,
//! for the core starts none; the GIL is released while they work.

use hean_core::number::Money;
use hean_core::sim::{Fees, Slippage};
use hean_core::symbiont::{
    self, gene, tree, Deal, Expr, Genome, Ground, Live, Recorded, Terms, Trip, Verdict, Word,
};
use hean_core::{Code, CoreError, Rate, Side};
use numpy::{PyArray1, PyReadonlyArray1};
use pyo3::prelude::*;

use crate::column::Keep;
use crate::convert::{money, price_of, quantity_of};
use crate::error::raise;
use crate::instrument::PyInstrument;
use crate::program::{sizing_of, SizingNumbers, Words};

type Any<'py> = Bound<'py, PyAny>;
type Floats<'py> = PyReadonlyArray1<'py, f64>;
type Integers<'py> = PyReadonlyArray1<'py, i64>;
type Array<'py, T> = Bound<'py, PyArray1<T>>;
/// `(long, short, exit, stop, hold, size)`
type GenomeRow = (Option<Words>, Option<Words>, Option<Words>, f64, u32, f64);
/// `(symbol, decided, over, direction, result, value)`
type TripColumns<'py> = (
    Array<'py, u32>,
    Array<'py, u32>,
    Array<'py, u32>,
    Array<'py, i8>,
    Array<'py, f64>,
    Array<'py, f64>,
);
/// `(known_ns, symbol, is_buy, price, qty, is_stop)`
type DealRow<'py> = (i64, usize, bool, Any<'py>, Any<'py>, bool);
/// `(orders, rejected, samples, equity, fees, funding, drawdown, ruined_ns, trips, deals)`
type VerdictRow<'py> = (
    u64,
    u64,
    Array<'py, f64>,
    Any<'py>,
    Any<'py>,
    Any<'py>,
    f64,
    Option<i64>,
    TripColumns<'py>,
    Vec<DealRow<'py>>,
);
/// `(instrument, (maker, taker), leverage, timeframe_ns, ts, bars, funding times, rates, extra
/// columns)`
type SymbolRow<'py> = (
    PyRef<'py, PyInstrument>,
    (String, String),
    String,
    i64,
    Integers<'py>,
    [Floats<'py>; 5],
    Vec<i64>,
    Vec<f64>,
    Vec<Floats<'py>>,
);

fn tried<T>(result: hean_core::Result<T>) -> PyResult<T> {
    result.map_err(|error| raise(&error))
}

fn expr_of(words: &Words) -> PyResult<Expr> {
    let word = |(name, number): &(String, f64)| Word { name: name.clone(), number: *number };
    let words: Vec<Word> = words.iter().map(word).collect();
    tried(tree(&words))
}

fn genome_of(row: &GenomeRow) -> PyResult<Genome> {
    let gene = |words: &Option<Words>| words.as_ref().map(expr_of).transpose();
    let conditions = [gene(&row.0)?, gene(&row.1)?, gene(&row.2)?];
    tried(Genome::new(conditions, row.3, row.4, row.5))
}

/// A market and the terms on which genomes are judged on it.
#[pyclass(name = "SymbiontGround", module = "hean._core", frozen)]
struct PyGround {
    ground: Ground,
    /// Dropped last: the ground borrows from it.
    _keep: Keep,
}

#[pymethods]
impl PyGround {
    #[new]
    #[pyo3(signature = (
        symbols, *, cash, latency_ns, slippage, sizing, sample_step_ns, start_ns
    ))]
    fn new(
        symbols: Vec<SymbolRow<'_>>,
        cash: &str,
        latency_ns: (i64, i64),
        slippage: (f64, f64),
        sizing: (String, SizingNumbers),
        sample_step_ns: i64,
        start_ns: i64,
    ) -> PyResult<Self> {
        let terms = Terms {
            cash: tried(Money::parse(cash))?,
            entry_ns: latency_ns.0,
            response_ns: latency_ns.1,
            slippage: Slippage { half_spread: slippage.0, impact: slippage.1 },
            sizing: sizing_of(&sizing.0, sizing.1)?,
            sample_step_ns,
            start_ns,
        };
        let mut keep = Keep::default();
        let mut recorded = Vec::with_capacity(symbols.len());
        for (instrument, fees, leverage, timeframe_ns, ts, bars, times, rates, extras) in symbols {
            let rate = |text: &str| tried(Rate::parse(text));
            let (maker, taker) = (rate(&fees.0)?, rate(&fees.1)?);
            let [open, high, low, close, volume] = &bars;
            recorded.push(Recorded {
                instrument: instrument.inner.clone(),
                fees: Fees { maker, taker, liquidation: Rate(0) },
                leverage: rate(&leverage)?,
                timeframe_ns,
                ts: keep.column(&ts)?,
                bars: [
                    keep.column(open)?,
                    keep.column(high)?,
                    keep.column(low)?,
                    keep.column(close)?,
                    keep.column(volume)?,
                ],
                funding: (times, rates),
                extras: extras.iter().map(|it| keep.column(it)).collect::<PyResult<_>>()?,
            });
        }
        Ok(Self { ground: tried(Ground::new(recorded, terms))?, _keep: keep })
    }

    /// The verdict on each genome, in order, whatever the number of threads.
    #[pyo3(signature = (genomes, *, threads = 1, keeps_deals = false))]
    fn judge<'py>(
        &self,
        py: Python<'py>,
        genomes: Vec<GenomeRow>,
        threads: usize,
        keeps_deals: bool,
    ) -> PyResult<Vec<VerdictRow<'py>>> {
        let genomes = genomes.iter().map(genome_of).collect::<PyResult<Vec<_>>>()?;
        let found = py.detach(|| in_threads(&self.ground, &genomes, threads, keeps_deals));
        tried(found)?.into_iter().map(|verdict| self.row(py, verdict)).collect()
    }

    /// The values of a number at each row of a symbol.
    fn column<'py>(
        &self,
        py: Python<'py>,
        symbol: usize,
        words: Words,
    ) -> PyResult<Array<'py, f64>> {
        let expr = expr_of(&words)?;
        let found = tried(py.detach(|| self.ground.column(symbol, &expr)))?;
        Ok(PyArray1::from_vec(py, found))
    }
}

impl PyGround {
    fn row<'py>(&self, py: Python<'py>, verdict: Verdict) -> PyResult<VerdictRow<'py>> {
        let deals = verdict.deals.iter().map(|deal| self.deal(py, deal));
        let deals = deals.collect::<PyResult<Vec<_>>>()?;
        Ok((
            verdict.orders,
            verdict.rejected,
            PyArray1::from_vec(py, verdict.samples),
            money(py, verdict.equity)?,
            money(py, verdict.fees)?,
            money(py, verdict.funding)?,
            verdict.drawdown,
            verdict.ruined_ns,
            trips(py, &verdict.trips),
            deals,
        ))
    }

    fn deal<'py>(&self, py: Python<'py>, deal: &Deal) -> PyResult<DealRow<'py>> {
        let symbol = deal.symbol as usize;
        let rules = &self.ground.tapes()[symbol].recorded.instrument;
        let (price, lots) = (deal.price, hean_core::Lots(deal.lots));
        Ok((
            deal.known_ns,
            symbol,
            deal.side == Side::Buy,
            price_of(py, rules, price)?,
            quantity_of(py, rules, lots)?,
            deal.is_stop,
        ))
    }
}

fn trips<'py>(py: Python<'py>, trips: &[Trip]) -> TripColumns<'py> {
    (
        PyArray1::from_iter(py, trips.iter().map(|it| it.symbol)),
        PyArray1::from_iter(py, trips.iter().map(|it| it.decided)),
        PyArray1::from_iter(py, trips.iter().map(|it| it.over)),
        PyArray1::from_iter(py, trips.iter().map(|it| it.direction)),
        PyArray1::from_iter(py, trips.iter().map(|it| it.result)),
        PyArray1::from_iter(py, trips.iter().map(|it| it.value)),
    )
}

/// Parts of the population beside each other; each verdict depends on its genome alone.
fn in_threads(
    ground: &Ground,
    genomes: &[Genome],
    threads: usize,
    keeps_deals: bool,
) -> hean_core::Result<Vec<Verdict>> {
    let part = genomes.len().div_ceil(threads.max(1)).max(1);
    if genomes.len() <= part {
        return symbiont::judge(ground, genomes, keeps_deals);
    }
    std::thread::scope(|scope| {
        let started: Vec<_> = genomes
            .chunks(part)
            .map(|part| scope.spawn(move || symbiont::judge(ground, part, keeps_deals)))
            .collect();
        let mut found = Vec::with_capacity(genomes.len());
        for thread in started {
            let failed = |_| CoreError::new(Code::ParameterInvalid, "a thread of the judge failed");
            found.extend(thread.join().map_err(failed)??);
        }
        Ok(found)
    })
}

/// A genome beside a running market: bars in, what it says out.
#[pyclass(name = "GenomeWatch", module = "hean._core")]
struct PyGenomeWatch {
    live: Live,
}

#[pymethods]
impl PyGenomeWatch {
    #[new]
    #[pyo3(signature = (genome, symbols, extras = 0))]
    fn new(genome: GenomeRow, symbols: usize, extras: usize) -> PyResult<Self> {
        Ok(Self { live: tried(Live::new(&genome_of(&genome)?, symbols, extras))? })
    }

    /// A bar is over; whether it opens long, opens short, closes, and the average true range.
    #[pyo3(signature = (symbol, end_ns, open, high, low, close, volume, extras = Vec::new()))]
    #[allow(clippy::too_many_arguments)]
    fn bar(
        &mut self,
        symbol: usize,
        end_ns: i64,
        open: f64,
        high: f64,
        low: f64,
        close: f64,
        volume: f64,
        extras: Vec<f64>,
    ) -> PyResult<(bool, bool, bool, f64)> {
        let bar = [open, high, low, close, volume];
        let found = tried(self.live.bar(symbol, end_ns, bar, &extras))?;
        Ok((found.long, found.short, found.exit, found.atr))
    }

    /// A settlement was told.
    fn funding(&mut self, symbol: usize, rate: f64) -> PyResult<()> {
        tried(self.live.funding(symbol, rate))
    }
}

/// Add this file's classes to `hean._core`.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyGround>()?;
    module.add_class::<PyGenomeWatch>()?;
    module.add("GENOME_WORDS", gene::WORDS.to_vec())
}
