// SPDX-License-Identifier: Apache-2.0
//! `Book` and `MatchingBook`: plain ints in, tuples out. Prices are ticks and quantities lots, so
//! that nothing is rounded here. Columns are read with the GIL released.

use hean_core::book::{Book, Quote};
use hean_core::matching::{Change, Fact, MatchingEngine, NewOrder, Reason, TimeInForce, Trigger};
use hean_core::{Lots, Side, Ticks};
use numpy::{PyReadonlyArray1, PyReadonlyArray2};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};

use crate::error::raise;

type Level = (i64, i64);

const fn side(buy: bool) -> Side {
    if buy {
        Side::Buy
    } else {
        Side::Sell
    }
}

const fn name(side: Side) -> &'static str {
    match side {
        Side::Buy => "BUY",
        Side::Sell => "SELL",
    }
}

fn level((price, lots): Quote) -> Level {
    (price.0, lots.0)
}

/// Levels from an (n, 2) int64 array or a sequence of (price, lots) pairs.
fn quotes(levels: &Bound<'_, PyAny>) -> PyResult<Vec<Quote>> {
    let quote = |price: i64, lots: i64| (Ticks(price), Lots(lots));
    if let Ok(array) = levels.extract::<PyReadonlyArray2<'_, i64>>() {
        let rows = array.as_array();
        if rows.ncols() != 2 {
            return Err(PyValueError::new_err("levels: expected an array of shape (n, 2)"));
        }
        return Ok(rows.rows().into_iter().map(|row| quote(row[0], row[1])).collect());
    }
    let pairs: Vec<Level> = levels.extract().map_err(|_| {
        PyTypeError::new_err("levels: expected (price, lots) int pairs or an (n, 2) int64 array")
    })?;
    Ok(pairs.into_iter().map(|(price, lots)| quote(price, lots)).collect())
}

/// Price levels of one symbol as its venue publishes them.
#[pyclass(name = "Book", module = "hean._core")]
pub struct PyBook {
    pub inner: Book,
}

#[pymethods]
impl PyBook {
    #[new]
    const fn new() -> Self {
        Self { inner: Book::new() }
    }

    /// Replace all levels; raises `BookCrossed` (and is empty) or `DataInvalid` (unchanged).
    fn apply_snapshot(&mut self, bids: &Bound<'_, PyAny>, asks: &Bound<'_, PyAny>) -> PyResult<()> {
        let (bids, asks) = (quotes(bids)?, quotes(asks)?);
        self.inner.apply_snapshot(&bids, &asks).map_err(|error| raise(&error))
    }

    /// Set the named levels, lots 0 removes; raises as `apply_snapshot`.
    fn apply_delta(&mut self, bids: &Bound<'_, PyAny>, asks: &Bound<'_, PyAny>) -> PyResult<()> {
        let (bids, asks) = (quotes(bids)?, quotes(asks)?);
        self.inner.apply_delta(&bids, &asks).map_err(|error| raise(&error))
    }

    /// A delta of one level.
    fn update(&mut self, buy: bool, price_ticks: i64, lots: i64) -> PyResult<()> {
        let (price, lots) = (Ticks(price_ticks), Lots(lots));
        self.inner.update(side(buy), price, lots).map_err(|error| raise(&error))
    }

    /// Set many levels in order, from columns; raises as `apply_snapshot`.
    #[pyo3(signature = (buy, price_ticks, lots, ends=None))]
    fn apply_batch(
        &mut self,
        py: Python<'_>,
        buy: PyReadonlyArray1<'_, bool>,
        price_ticks: PyReadonlyArray1<'_, i64>,
        lots: PyReadonlyArray1<'_, i64>,
        ends: Option<PyReadonlyArray1<'_, bool>>,
    ) -> PyResult<()> {
        let (buy, price, lots) = (buy.as_slice()?, price_ticks.as_slice()?, lots.as_slice()?);
        let ends = ends.as_ref().map(PyReadonlyArray1::as_slice).transpose()?;
        let inner = &mut self.inner;
        py.detach(|| inner.apply_batch(buy, price, lots, ends)).map_err(|error| raise(&error))
    }

    /// Forget everything.
    fn clear(&mut self) {
        self.inner.clear();
    }

    /// (price, lots) of the best bid, or None.
    fn best_bid(&self) -> Option<Level> {
        self.inner.best_bid().map(level)
    }

    /// (price, lots) of the best ask, or None.
    fn best_ask(&self) -> Option<Level> {
        self.inner.best_ask().map(level)
    }

    /// The best `levels` bids and asks, best first.
    fn depth(&self, levels: usize) -> (Vec<Level>, Vec<Level>) {
        let best = |side| self.inner.levels(side).take(levels).map(level).collect();
        (best(Side::Buy), best(Side::Sell))
    }

    /// (bids - asks) / (bids + asks) over the best `levels`, or None.
    fn imbalance(&self, levels: usize) -> Option<f64> {
        self.inner.imbalance(levels)
    }

    /// Mid price in ticks weighted by the opposite quantity, or None.
    fn micro_price(&self) -> Option<f64> {
        self.inner.micro_price()
    }

    /// (lots filled, average price in ticks, worst price) of a taker, or None.
    fn walk_cost(&self, buy: bool, lots: i64) -> Option<(i64, f64, i64)> {
        let walk = self.inner.walk_cost(side(buy), Lots(lots))?;
        Some((walk.filled.0, walk.average(), walk.worst.0))
    }
}

#[inline]
fn time_in_force(text: &str) -> PyResult<TimeInForce> {
    match text {
        "GTC" => Ok(TimeInForce::Gtc),
        "IOC" => Ok(TimeInForce::Ioc),
        "FOK" => Ok(TimeInForce::Fok),
        "POST_ONLY" => Ok(TimeInForce::PostOnly),
        other => Err(PyValueError::new_err(format!(
            "time in force {other:?}: expected GTC, IOC, FOK or POST_ONLY"
        ))),
    }
}

const fn reason_name(reason: Reason) -> &'static str {
    match reason {
        Reason::Requested => "requested",
        Reason::NoLiquidity => "no_liquidity",
        Reason::NotFillable => "not_fillable",
        Reason::SelfMatch => "self_match",
    }
}

/// A fact as a tuple that starts with its kind.
fn fact_tuple<'py>(py: Python<'py>, fact: &Fact) -> PyResult<Bound<'py, PyTuple>> {
    match *fact {
        Fact::Fill { maker, taker, side, price, lots } => {
            ("fill", maker, taker, name(side), price.0, lots.0).into_pyobject(py)
        }
        Fact::Placed { id, side, price, lots } => {
            ("placed", id, name(side), price.0, lots.0).into_pyobject(py)
        }
        Fact::Cancelled { id, lots, reason } => {
            ("cancelled", id, lots.0, reason_name(reason)).into_pyobject(py)
        }
        Fact::Rejected { id, code } => ("rejected", id, code.number()).into_pyobject(py),
        Fact::Triggered { id } => ("triggered", id).into_pyobject(py),
    }
}

/// The order book of one symbol with everybody's orders.
#[pyclass(name = "MatchingBook", module = "hean._core")]
pub struct PyMatchingBook {
    engine: MatchingEngine,
    facts: Vec<Fact>,
}

impl PyMatchingBook {
    #[inline]
    fn submit(&mut self, order: &NewOrder) -> u64 {
        self.facts.clear();
        self.engine.submit(order, &mut self.facts)
    }
}

#[pymethods]
impl PyMatchingBook {
    #[new]
    #[pyo3(signature = (*, prevents_self_match=false))]
    fn new(prevents_self_match: bool) -> Self {
        Self { engine: MatchingEngine::new(prevents_self_match), facts: Vec::new() }
    }

    /// Enter a limit order; returns its id, `facts()` tells what became of it.
    #[pyo3(signature = (buy, price_ticks, lots, tif="GTC", *, owner=0, reducible=None))]
    fn limit(
        &mut self,
        buy: bool,
        price_ticks: i64,
        lots: i64,
        tif: &str,
        owner: u32,
        reducible: Option<i64>,
    ) -> PyResult<u64> {
        let plain = NewOrder::limit(side(buy), Ticks(price_ticks), Lots(lots));
        let (time_in_force, reducible) = (time_in_force(tif)?, reducible.map(Lots));
        Ok(self.submit(&NewOrder { time_in_force, owner, reducible, ..plain }))
    }

    /// Enter a market order; returns its id.
    #[pyo3(signature = (buy, lots, tif="GTC", *, owner=0, reducible=None))]
    fn market(
        &mut self,
        buy: bool,
        lots: i64,
        tif: &str,
        owner: u32,
        reducible: Option<i64>,
    ) -> PyResult<u64> {
        let plain = NewOrder::market(side(buy), Lots(lots));
        let (time_in_force, reducible) = (time_in_force(tif)?, reducible.map(Lots));
        Ok(self.submit(&NewOrder { time_in_force, owner, reducible, ..plain }))
    }

    /// Enter an order that sleeps until a trade at its trigger; with `price_ticks` a stop-limit.
    /// `rising` defaults to the direction of a stop: up for a buy, down for a sell.
    #[pyo3(signature = (
        buy, trigger_ticks, lots, *, price_ticks=None, rising=None, tif="GTC", owner=0,
        reducible=None
    ))]
    #[allow(clippy::too_many_arguments)]
    fn stop(
        &mut self,
        buy: bool,
        trigger_ticks: i64,
        lots: i64,
        price_ticks: Option<i64>,
        rising: Option<bool>,
        tif: &str,
        owner: u32,
        reducible: Option<i64>,
    ) -> PyResult<u64> {
        let is_rising = rising.unwrap_or(buy);
        let direction = if is_rising { Trigger::Rising } else { Trigger::Falling };
        let trigger = Some(direction(Ticks(trigger_ticks)));
        let (time_in_force, reducible) = (time_in_force(tif)?, reducible.map(Lots));
        let (price, plain) = (price_ticks.map(Ticks), NewOrder::market(side(buy), Lots(lots)));
        Ok(self.submit(&NewOrder { price, trigger, time_in_force, owner, reducible, ..plain }))
    }

    /// Cancel an open order; False if it is not open.
    fn cancel(&mut self, order_id: u64) -> bool {
        self.facts.clear();
        self.engine.cancel(order_id, &mut self.facts)
    }

    /// Change price, open quantity or trigger of an open order; False if refused.
    #[pyo3(signature = (order_id, *, price_ticks=None, lots=None, trigger_ticks=None))]
    fn amend(
        &mut self,
        order_id: u64,
        price_ticks: Option<i64>,
        lots: Option<i64>,
        trigger_ticks: Option<i64>,
    ) -> bool {
        self.facts.clear();
        let (price, lots) = (price_ticks.map(Ticks), lots.map(Lots));
        let change = Change { price, lots, trigger: trigger_ticks.map(Ticks) };
        self.engine.amend(order_id, change, &mut self.facts)
    }

    /// Run columns: kind 0 limit, 1 cancel of the order entered by row `px`, 2 market. Returns
    /// the number of trades. The GIL is released.
    fn batch(
        &mut self,
        py: Python<'_>,
        kind: PyReadonlyArray1<'_, i8>,
        buy: PyReadonlyArray1<'_, i8>,
        px: PyReadonlyArray1<'_, i64>,
        qty: PyReadonlyArray1<'_, i64>,
    ) -> PyResult<u64> {
        let flags = [kind.as_slice()?, buy.as_slice()?];
        let numbers = [px.as_slice()?, qty.as_slice()?];
        py.detach(|| self.engine.batch(flags, numbers, &mut self.facts))
            .map_err(|error| raise(&error))
    }

    /// Everything the last call caused, in order, as tuples that start with their kind.
    fn facts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let facts: PyResult<Vec<_>> = self.facts.iter().map(|fact| fact_tuple(py, fact)).collect();
        PyList::new(py, facts?)
    }

    /// (maker, taker, price, lots) of each trade of the last call.
    fn fills(&self) -> Vec<(u64, u64, i64, i64)> {
        let fill = |fact: &Fact| match *fact {
            Fact::Fill { maker, taker, price, lots, .. } => Some((maker, taker, price.0, lots.0)),
            _ => None,
        };
        self.facts.iter().filter_map(fill).collect()
    }

    /// Price of the best bid, or None.
    fn best_bid(&self) -> Option<i64> {
        self.engine.best(Side::Buy).map(|price| price.0)
    }

    /// Price of the best ask, or None.
    fn best_ask(&self) -> Option<i64> {
        self.engine.best(Side::Sell).map(|price| price.0)
    }

    /// (price, lots, orders) of the best `levels` bids and asks, best first.
    #[allow(clippy::type_complexity)]
    fn depth(&self, levels: usize) -> (Vec<(i64, i64, usize)>, Vec<(i64, i64, usize)>) {
        let row = |(price, lots, count): (Ticks, Lots, usize)| (price.0, lots.0, count);
        let best = |side| self.engine.depth(side).take(levels).map(row).collect();
        (best(Side::Buy), best(Side::Sell))
    }

    /// Number of open orders, sleeping ones included.
    #[getter]
    fn open_count(&self) -> usize {
        self.engine.open_count()
    }

    /// Number of trades since the start.
    #[getter]
    fn trades(&self) -> u64 {
        self.engine.trades()
    }

    /// Price of the last trade, or None.
    #[getter]
    fn last_price(&self) -> Option<i64> {
        self.engine.last_price().map(|price| price.0)
    }
}

/// Add this file's classes to `hean._core`.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyBook>()?;
    module.add_class::<PyMatchingBook>()
}
