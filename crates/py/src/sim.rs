// SPDX-License-Identifier: Apache-2.0
//! `SimVenue` for Python: columns in, orders in, payloads of `hean.core.types` out.

use hean_core::number::Money;
use hean_core::sim::{
    Command, Detail, Fees, FillModel, QueueModel, Rows, SimVenue, Slippage, Step, Stream,
    VenueConfig, Wake, Watch,
};
use hean_core::{Code, CoreError, Instrument, Rate};
use numpy::PyReadonlyArray1;
use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PySlice, PyString, PyTuple};

use crate::column::Keep;
use crate::convert::{self, money};
use crate::error::raise;
use crate::instrument::PyInstrument;
use crate::program::{compiled, feed_named, wake, Words};
use crate::sim_payload::Types;
use crate::sim_terms::latency;

type Floats<'py> = PyReadonlyArray1<'py, f64>;
type Integers<'py> = PyReadonlyArray1<'py, i64>;
type Bytes<'py> = PyReadonlyArray1<'py, u8>;

/// The simulated exchange.
#[pyclass(name = "SimVenue", module = "hean._core")]
pub struct PySimVenue {
    pub venue: SimVenue,
    /// Arrays of each stream, dropped when it is refilled.
    kept: Vec<Keep>,
    pub types: Types,
    pub symbols: Vec<Py<PyString>>,
    pub timeframes: Vec<Py<PyString>>,
    pub order_ids: Vec<Py<PyString>>,
    pub strategies: Vec<Py<PyString>>,
    pub order_symbols: Vec<usize>,
    /// Arrays by name, of each stream.
    columns: Vec<Vec<(&'static str, Py<PyAny>)>>,
    keys: Py<PyDict>,
}

/// Names beside their arrays.
fn named(names: &[&'static str], arrays: &[Floats<'_>]) -> Vec<(&'static str, Py<PyAny>)> {
    let arrays = arrays.iter().map(|array| array.as_any().clone().unbind());
    names.iter().copied().zip(arrays).collect()
}

/// What every `add_*` hands on.
struct NewStream<'a, 'py> {
    ts: &'a Integers<'py>,
    ts_scale: i64,
    rows: Rows,
    keep: Keep,
    /// Arrays that `window` may show.
    named: Vec<(&'static str, Py<PyAny>)>,
    refill: Option<usize>,
}

impl PySimVenue {
    /// Add a stream, or continue one: then the arrays of its played part are let go.
    fn add(&mut self, symbol: &str, new: NewStream<'_, '_>) -> PyResult<usize> {
        let NewStream { ts, ts_scale, rows, mut keep, named, refill } = new;
        let instrument = self.instrument_of(symbol)?;
        let ts = keep.column(ts)?;
        let stream = Stream::new(instrument, ts, ts_scale, rows).map_err(|error| raise(&error))?;
        if let Some(index) = refill {
            self.venue.refill(index, stream).map_err(|error| raise(&error))?;
            (self.kept[index], self.columns[index]) = (keep, named);
            return Ok(index);
        }
        let index = self.venue.add_stream(stream).map_err(|error| raise(&error))?;
        self.kept.push(keep);
        self.columns.push(named);
        Ok(index)
    }

    pub fn instrument_of(&self, symbol: &str) -> PyResult<usize> {
        self.venue.index_of(symbol).ok_or_else(|| {
            raise(&CoreError::new(
                Code::UnknownSymbol,
                format!("{symbol} is not listed at this venue"),
            ))
        })
    }

    fn no_column(&self, instrument: usize, symbol: &str, column: &str) -> PyErr {
        let streams = self.venue.all_streams().iter().zip(&self.columns);
        let own = streams.filter(|(stream, _)| stream.instrument == instrument);
        let known: Vec<&str> = own.flat_map(|(_, named)| named.iter().map(|it| it.0)).collect();
        let why = format!("{symbol} has no column {column:?}; it has {}", known.join(", "));
        raise(&CoreError::new(Code::ParameterInvalid, why))
    }

    pub fn rules(&self, instrument: usize) -> PyResult<&Instrument> {
        let market = self.venue.market(instrument);
        market
            .map(|market| &market.instrument)
            .ok_or_else(|| PyValueError::new_err("no such instrument"))
    }

    fn key_of(&self, py: Python<'_>, order_id: &Bound<'_, PyAny>) -> PyResult<u32> {
        match self.keys.bind(py).get_item(order_id)? {
            Some(key) => key.extract(),
            None => Err(raise(&CoreError::new(Code::OrderUnknown, format!("no order {order_id}")))),
        }
    }

    fn send(&mut self, now_ns: i64, command: Command) -> PyResult<()> {
        self.venue.send(now_ns, command).map_err(|error| raise(&error))
    }
}

#[pymethods]
impl PySimVenue {
    #[new]
    #[pyo3(signature = (
        cash, *, entry_latency, response_latency, queue_model, half_spread, impact,
        needs_trade_through, participation, seed,
    ))]
    #[allow(clippy::too_many_arguments)]
    fn new(
        py: Python<'_>,
        cash: &str,
        entry_latency: (String, Vec<f64>),
        response_latency: (String, Vec<f64>),
        queue_model: &str,
        half_spread: f64,
        impact: f64,
        needs_trade_through: bool,
        participation: f64,
        seed: u64,
    ) -> PyResult<Self> {
        let queue = match queue_model {
            "log" => QueueModel::LogProbability,
            "pessimistic" => QueueModel::Pessimistic,
            other => {
                return Err(PyValueError::new_err(format!(
                    "queue model {other:?}: expected log or pessimistic"
                )))
            }
        };
        let slippage = Slippage { half_spread, impact };
        let config = VenueConfig {
            cash: Money::parse(cash).map_err(|error| raise(&error))?,
            entry: latency(entry_latency)?,
            response: latency(response_latency)?,
            model: FillModel { queue, slippage, needs_trade_through, participation },
            seed,
        };
        Ok(Self {
            venue: SimVenue::new(config).map_err(|error| raise(&error))?,
            kept: Vec::new(),
            types: Types::load(py)?,
            symbols: Vec::new(),
            timeframes: Vec::new(),
            order_ids: Vec::new(),
            strategies: Vec::new(),
            order_symbols: Vec::new(),
            columns: Vec::new(),
            keys: PyDict::new(py).unbind(),
        })
    }

    /// List an instrument with its fee rates and leverage, all decimal text.
    fn add_instrument(
        &mut self,
        py: Python<'_>,
        instrument: &PyInstrument,
        maker_fee: &str,
        taker_fee: &str,
        liquidation_fee: &str,
        leverage: &str,
    ) -> PyResult<usize> {
        let rate = |text: &str| Rate::parse(text).map_err(|error| raise(&error));
        let fees = Fees {
            maker: rate(maker_fee)?,
            taker: rate(taker_fee)?,
            liquidation: rate(liquidation_fee)?,
        };
        self.symbols.push(PyString::intern(py, &instrument.inner.symbol).unbind());
        self.venue
            .add_instrument(instrument.inner.clone(), fees, rate(leverage)?)
            .map_err(|error| raise(&error))
    }

    /// Bars; `ts` is the open time in units of `ts_scale` ns.
    #[allow(clippy::too_many_arguments)]
    fn add_candles(
        &mut self,
        py: Python<'_>,
        symbol: &str,
        timeframe: &str,
        timeframe_ns: i64,
        ts: Integers<'_>,
        ts_scale: i64,
        columns: [Floats<'_>; 5],
    ) -> PyResult<usize> {
        let [open, high, low, close, volume] = &columns;
        let mut keep = Keep::default();
        let rows = Rows::Candles {
            open: keep.column(open)?,
            high: keep.column(high)?,
            low: keep.column(low)?,
            close: keep.column(close)?,
            volume: keep.column(volume)?,
            timeframe_ns,
        };
        let named = named(&["open", "high", "low", "close", "volume"], &columns);
        let index =
            self.add(symbol, NewStream { ts: &ts, ts_scale, rows, keep, named, refill: None })?;
        self.timeframes.resize_with(index, || PyString::intern(py, "").unbind());
        self.timeframes.push(PyString::intern(py, timeframe).unbind());
        Ok(index)
    }

    /// Trades; `side` is the aggressor, 0 buy, 1 sell.
    #[pyo3(signature = (symbol, ts, ts_scale, price, qty, side, refill=None))]
    #[allow(clippy::too_many_arguments)]
    fn add_trades(
        &mut self,
        symbol: &str,
        ts: Integers<'_>,
        ts_scale: i64,
        price: Floats<'_>,
        qty: Floats<'_>,
        side: Bytes<'_>,
        refill: Option<usize>,
    ) -> PyResult<usize> {
        let mut keep = Keep::default();
        let rows = Rows::Trades {
            price: keep.column(&price)?,
            qty: keep.column(&qty)?,
            side: keep.column(&side)?,
        };
        let named = named(&["price", "qty"], &[price, qty]);
        let index = self.add(symbol, NewStream { ts: &ts, ts_scale, rows, keep, named, refill })?;
        Ok(index)
    }

    /// Best bid and ask with their quantities.
    #[pyo3(signature = (symbol, ts, ts_scale, columns, refill=None))]
    #[allow(clippy::too_many_arguments)]
    fn add_quotes(
        &mut self,
        symbol: &str,
        ts: Integers<'_>,
        ts_scale: i64,
        columns: [Floats<'_>; 4],
        refill: Option<usize>,
    ) -> PyResult<usize> {
        let [bid, bid_qty, ask, ask_qty] = &columns;
        let mut keep = Keep::default();
        let rows = Rows::Quotes {
            bid: keep.column(bid)?,
            bid_qty: keep.column(bid_qty)?,
            ask: keep.column(ask)?,
            ask_qty: keep.column(ask_qty)?,
        };
        let named = named(&["bid", "bid_qty", "ask", "ask_qty"], &columns);
        let index = self.add(symbol, NewStream { ts: &ts, ts_scale, rows, keep, named, refill })?;
        Ok(index)
    }

    /// Depth rows; `side` 0 bid, 1 ask; `flags` 1 snapshot begins, 2 event ends.
    #[pyo3(signature = (symbol, ts, ts_scale, side, price, qty, flags, refill=None))]
    #[allow(clippy::too_many_arguments)]
    fn add_depth(
        &mut self,
        symbol: &str,
        ts: Integers<'_>,
        ts_scale: i64,
        side: Bytes<'_>,
        price: Floats<'_>,
        qty: Floats<'_>,
        flags: Bytes<'_>,
        refill: Option<usize>,
    ) -> PyResult<usize> {
        let mut keep = Keep::default();
        let rows = Rows::Depth {
            side: keep.column(&side)?,
            price: keep.column(&price)?,
            qty: keep.column(&qty)?,
            flags: keep.column(&flags)?,
        };
        let named = named(&[], &[]);
        let index = self.add(symbol, NewStream { ts: &ts, ts_scale, rows, keep, named, refill })?;
        Ok(index)
    }

    /// Funding settlements.
    #[pyo3(signature = (symbol, ts, ts_scale, rate, refill=None))]
    #[allow(clippy::too_many_arguments)]
    fn add_funding(
        &mut self,
        symbol: &str,
        ts: Integers<'_>,
        ts_scale: i64,
        rate: Floats<'_>,
        refill: Option<usize>,
    ) -> PyResult<usize> {
        let mut keep = Keep::default();
        let rows = Rows::Funding { rate: keep.column(&rate)? };
        let named = named(&["rate"], &[rate]);
        let index = self.add(symbol, NewStream { ts: &ts, ts_scale, rows, keep, named, refill })?;
        Ok(index)
    }

    /// Offer only what somebody handles; the venue itself always sees everything.
    fn subscribe(&mut self, wanted: &Bound<'_, PyAny>) -> PyResult<()> {
        for index in 0..self.venue.streams() {
            let Some(stream) = self.venue.stream(index) else { continue };
            let name = match stream.rows {
                Rows::Candles { .. } => "CANDLE",
                Rows::Trades { .. } | Rows::Quotes { .. } => "TICK",
                Rows::Depth { .. } => "BOOK",
                Rows::Funding { .. } => "FUNDING",
            };
            self.venue.offer(index, wanted.contains(name)?);
        }
        Ok(())
    }

    /// Evaluate conditions on the facts of a symbol; as a gate, keep back those at which nothing
    /// happens. `wakes` are (`rising` or `either`, number of the condition) or (`every`, ns).
    fn watch(
        &mut self,
        symbol: &str,
        feed: &str,
        conditions: Vec<Words>,
        wakes: Vec<(String, i64)>,
        is_gate: bool,
    ) -> PyResult<()> {
        let instrument = self.instrument_of(symbol)?;
        let program = compiled(&conditions)?;
        let wakes: PyResult<Vec<Wake>> =
            wakes.iter().map(|(kind, number)| wake(kind, *number)).collect();
        let watch = Watch::new(feed_named(feed)?, program, &wakes?, is_gate);
        self.venue.watch(instrument, watch);
        Ok(())
    }

    /// Let the next fact of a symbol pass its gate.
    fn wake(&mut self, symbol: &str) -> PyResult<()> {
        let instrument = self.instrument_of(symbol)?;
        if let Some(watch) = self.venue.watch_of(instrument) {
            watch.wake_next();
        }
        Ok(())
    }

    /// Does a condition given to `watch` hold as of the last fact?
    fn holds(&mut self, symbol: &str, number: usize) -> PyResult<bool> {
        let instrument = self.instrument_of(symbol)?;
        Ok(self.venue.watch_of(instrument).is_some_and(|watch| watch.holds(number)))
    }

    /// The last `rows` rows played of a recorded column, without a copy: what is later than now
    /// is not in it.
    fn window<'py>(
        &self,
        py: Python<'py>,
        symbol: &str,
        rows: usize,
        column: &str,
    ) -> PyResult<Bound<'py, PyAny>> {
        let instrument = self.instrument_of(symbol)?;
        let streams = self.venue.all_streams().iter().zip(&self.columns);
        let mut columns = streams.filter(|(stream, _)| stream.instrument == instrument).flat_map(
            |(stream, columns)| columns.iter().map(move |named| (stream.played(), named)),
        );
        match columns.find(|(_, (name, _))| *name == column) {
            Some((played, (_, array))) => {
                let first = played.saturating_sub(rows);
                array.bind(py).get_item(PySlice::new(py, first as isize, played as isize, 1))
            }
            None => Err(self.no_column(instrument, symbol, column)),
        }
    }

    /// The next instant `(ts_ns, facts)`; `(horizon_ns, ())` at the horizon; `None` at the end.
    fn next<'py>(
        &mut self,
        py: Python<'py>,
        horizon_ns: Option<i64>,
    ) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let step = self.venue.next(horizon_ns).map_err(|error| raise(&error))?;
        let ts = match step {
            Step::End => return Ok(None),
            Step::Horizon => {
                return (horizon_ns, PyTuple::empty(py)).into_pyobject(py).map(Some);
            }
            Step::Instant(ts) => ts,
        };
        let facts = self.venue.facts();
        let facts = match facts {
            [fact] => PyTuple::new(py, [self.payload(py, fact, ts)?])?,
            facts => {
                let payloads: PyResult<Vec<_>> =
                    facts.iter().map(|fact| self.payload(py, fact, ts)).collect();
                PyTuple::new(py, payloads?)?
            }
        };
        (ts, facts).into_pyobject(py).map(Some)
    }

    /// Send an `OrderApproved` at `now_ns`.
    fn submit(&mut self, approved: &Bound<'_, PyAny>, now_ns: i64) -> PyResult<()> {
        let py = approved.py();
        let order_id = approved.getattr(intern!(py, "order_id"))?.cast_into::<PyString>()?;
        let symbol = approved.getattr(intern!(py, "symbol"))?.cast_into::<PyString>()?;
        let instrument = self.instrument_of(symbol.to_str()?)?;
        let key = u32::try_from(self.order_ids.len())
            .map_err(|_| PyValueError::new_err("more orders than this venue can number"))?;
        let new = self.read_order(approved, key, instrument)?;
        let strategy = approved.getattr(intern!(py, "strategy_id"))?.cast_into::<PyString>()?;
        self.keys.bind(py).set_item(&order_id, key)?;
        self.order_ids.push(order_id.unbind());
        self.strategies.push(strategy.unbind());
        self.order_symbols.push(instrument);
        self.send(now_ns, Command::Submit(new))
    }

    /// Ask for the cancellation of an order.
    fn cancel(&mut self, order_id: &Bound<'_, PyAny>, now_ns: i64) -> PyResult<()> {
        let key = self.key_of(order_id.py(), order_id)?;
        self.send(now_ns, Command::Cancel { key })
    }

    /// Ask for another price or another quantity in all.
    fn amend(
        &mut self,
        order_id: &Bound<'_, PyAny>,
        price: Option<&Bound<'_, PyAny>>,
        size: Option<&Bound<'_, PyAny>>,
        now_ns: i64,
    ) -> PyResult<()> {
        let key = self.key_of(order_id.py(), order_id)?;
        let rules = self.rules(self.order_symbols[key as usize])?;
        let price = price.map(|price| convert::price(rules, price)).transpose()?;
        let lots = size.map(|size| convert::quantity(rules, size)).transpose()?;
        self.send(now_ns, Command::Amend { key, price, lots })
    }

    /// Market facts of the offered streams so far, those kept back by a watch included.
    #[getter]
    fn offered(&self) -> u64 {
        self.venue.offered()
    }

    /// Present time of the venue, ns.
    #[getter]
    fn now_ns(&self) -> i64 {
        self.venue.now()
    }

    /// Equity as the exchange counts it.
    #[getter]
    fn equity<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        money(py, self.venue.ledger().equity())
    }

    /// Own orders resting at the venue.
    #[getter]
    fn open_orders(&self) -> usize {
        self.venue.open_orders()
    }

    /// The finest recorded stream of a symbol: bars, trades, touch or ladder.
    fn detail(&self, symbol: &str) -> PyResult<&'static str> {
        let instrument = self.instrument_of(symbol)?;
        let detail = self.venue.market(instrument).map(|market| market.detail);
        Ok(match detail {
            None | Some(Detail::Bars) => "bars",
            Some(Detail::Trades) => "trades",
            Some(Detail::Touch) => "touch",
            Some(Detail::Ladder) => "ladder",
        })
    }

    /// Last published price of a symbol, if one was seen; never a price inside an unfinished bar.
    fn last_price(&self, symbol: &str) -> PyResult<Option<f64>> {
        let instrument = self.instrument_of(symbol)?;
        let market = self.venue.market(instrument);
        Ok(market.and_then(|market| market.published.map(|last| market.instrument.price_f64(last))))
    }
}

/// Add this file's classes to `hean._core`.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PySimVenue>()
}
