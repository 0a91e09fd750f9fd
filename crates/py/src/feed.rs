// SPDX-License-Identifier: Apache-2.0
//! `WireFeed`: the market data of one connection, from the bytes of a frame to the payloads of
//! `hean.core.types`, in one call.

use hean_core::wire::fact::{Fact, Facts};
use hean_core::wire::{self, Market, Venue};
use hean_core::Code;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};

use crate::book::PyBook;
use crate::error::raise;
use crate::instrument::PyInstrument;

/// The payload classes, looked up once.
struct Classes {
    tick: Py<PyAny>,
    book: Py<PyAny>,
    candle: Py<PyAny>,
    funding: Py<PyAny>,
}

/// Market data of one connection.
#[pyclass(name = "WireFeed", module = "hean._core")]
struct PyWireFeed {
    inner: wire::WireFeed,
    symbols: Vec<Py<PyString>>,
    classes: Classes,
}

fn venue_named(name: &str) -> PyResult<Venue> {
    [Venue::Binance, Venue::Bybit]
        .into_iter()
        .find(|venue| venue.name() == name)
        .ok_or_else(|| PyValueError::new_err(format!("venue {name:?}: expected bybit or binance")))
}

fn known(value: f64) -> Option<f64> {
    (!value.is_nan()).then_some(value)
}

impl Classes {
    fn load(py: Python<'_>) -> PyResult<Self> {
        let module = py.import("hean.core.types")?;
        let get = |name: &str| module.getattr(name).map(Bound::unbind);
        Ok(Self {
            tick: get("Tick")?,
            book: get("Book")?,
            candle: get("Candle")?,
            funding: get("Funding")?,
        })
    }

    fn payload<'py>(
        &self,
        py: Python<'py>,
        symbols: &[Py<PyString>],
        facts: &Facts,
        fact: &Fact,
    ) -> PyResult<Bound<'py, PyAny>> {
        match *fact {
            Fact::Tick { of, price, volume, ts_ns, bid, ask } => {
                let arguments = (&symbols[of], price, volume, ts_ns, known(bid), known(ask));
                self.tick.bind(py).call1(arguments)
            }
            Fact::Book { of, is_snapshot, ts_ns, from, middle, to } => {
                let bids = PyTuple::new(py, facts.levels(from, middle))?;
                let asks = PyTuple::new(py, facts.levels(middle, to))?;
                self.book.bind(py).call1((&symbols[of], bids, asks, is_snapshot, ts_ns))
            }
            Fact::Candle { of, timeframe, open_ns, values: [open, high, low, close, volume] } => {
                let name = PyString::intern(py, timeframe);
                let arguments = (&symbols[of], open, high, low, close, volume, name, open_ns);
                self.candle.bind(py).call1(arguments)
            }
            Fact::Funding { of, rate, next_ns, mark } => {
                self.funding.bind(py).call1((&symbols[of], rate, next_ns, known(mark)))
            }
        }
    }

    fn payloads<'py>(
        &self,
        py: Python<'py>,
        symbols: &[Py<PyString>],
        facts: &Facts,
    ) -> PyResult<Bound<'py, PyTuple>> {
        match facts.as_slice() {
            [] => Ok(PyTuple::empty(py)),
            [fact] => PyTuple::new(py, [self.payload(py, symbols, facts, fact)?]),
            many => {
                let made = many.iter().map(|fact| self.payload(py, symbols, facts, fact));
                PyTuple::new(py, made.collect::<PyResult<Vec<_>>>()?)
            }
        }
    }
}

impl PyWireFeed {
    fn index(&self, symbol: &str) -> PyResult<usize> {
        self.inner.index(symbol).ok_or_else(|| {
            raise(&hean_core::CoreError::new(
                Code::UnknownSymbol,
                format!("{symbol:?} is not in this feed"),
            ))
        })
    }
}

#[pymethods]
impl PyWireFeed {
    #[new]
    fn new(
        py: Python<'_>,
        venue: &str,
        market: &str,
        instruments: Vec<PyRef<'_, PyInstrument>>,
    ) -> PyResult<Self> {
        let venue = venue_named(venue)?;
        let market = Market::parse(market).ok_or_else(|| {
            PyValueError::new_err(format!("market {market:?}: expected spot or linear"))
        })?;
        let symbol = |one: &PyRef<'_, PyInstrument>| PyString::new(py, &one.inner.symbol).unbind();
        let symbols = instruments.iter().map(symbol).collect();
        let instruments = instruments.iter().map(|one| one.inner.clone()).collect();
        let inner = wire::WireFeed::new(venue, market, instruments);
        Ok(Self { inner, symbols, classes: Classes::load(py)? })
    }

    /// The payloads of one frame; raises `FrameInvalid`.
    #[pyo3(signature = (frame, /))]
    fn push<'py>(&mut self, py: Python<'py>, frame: &[u8]) -> PyResult<Bound<'py, PyTuple>> {
        let facts = self.inner.push(frame).map_err(|error| raise(&error))?;
        self.classes.payloads(py, &self.symbols, facts)
    }

    /// A REST depth answer and the deltas that waited for it.
    #[pyo3(signature = (symbol, frame, /))]
    fn snapshot<'py>(
        &mut self,
        py: Python<'py>,
        symbol: &str,
        frame: &[u8],
    ) -> PyResult<Bound<'py, PyTuple>> {
        let facts = self.inner.snapshot(symbol, frame).map_err(|error| raise(&error))?;
        self.classes.payloads(py, &self.symbols, facts)
    }

    /// Symbols that need a snapshot, each once per break.
    fn resync<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let due = self.inner.resync();
        PyTuple::new(py, due.into_iter().map(|index| &self.symbols[index]))
    }

    /// The connection is lost.
    fn lost(&mut self) {
        self.inner.lost();
    }

    /// A copy of the book in ticks and lots; empty while there is none.
    fn book(&self, symbol: &str) -> PyResult<PyBook> {
        let book = self.inner.book(self.index(symbol)?);
        Ok(PyBook { inner: book.map(|live| live.book().clone()).unwrap_or_default() })
    }

    /// The update the book stands at.
    fn book_id(&self, symbol: &str) -> PyResult<Option<u64>> {
        Ok(self.inner.book(self.index(symbol)?).and_then(wire::depth::LiveBook::id))
    }

    /// Bid, bid quantity, ask, ask quantity.
    fn touch(&self, symbol: &str) -> PyResult<Option<(f64, f64, f64, f64)>> {
        let touch = self.inner.touch(self.index(symbol)?);
        Ok(touch.map(|[bid, bid_size, ask, ask_size]| (bid, bid_size, ask, ask_size)))
    }

    /// Mark, index, funding rate, next funding time.
    #[allow(clippy::type_complexity)]
    fn marks(
        &self,
        symbol: &str,
    ) -> PyResult<(Option<f64>, Option<f64>, Option<f64>, Option<i64>)> {
        let marks = self.inner.marks(self.index(symbol)?).unwrap_or_default();
        Ok((marks.mark, marks.index, marks.funding_rate, marks.next_funding_ns))
    }

    /// What was counted so far, by name.
    fn counters<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        for (name, count) in self.inner.counters().named() {
            dict.set_item(name, count)?;
        }
        Ok(dict)
    }
}

/// Add this file's class to `hean._core`.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyWireFeed>()
}
