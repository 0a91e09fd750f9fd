// SPDX-License-Identifier: Apache-2.0
//! `SimVenue` for Python: columns in, orders in, payloads of `hean.core.types` out.

use hean_core::number::Money;
use hean_core::order::{OrderType, TimeInForce};
use hean_core::sim::{
    Command, Detail, Fact, Fees, FillModel, Latency, NewOrder, QueueModel, Rows, SimVenue,
    Slippage, Step, Stream, VenueConfig,
};
use hean_core::{Code, CoreError, Instrument, Lots, Rate, Side, Ticks};
use numpy::PyReadonlyArray1;
use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};

use crate::column::Keep;
use crate::convert::{self, decimal};
use crate::error::raise;
use crate::instrument::PyInstrument;

type Floats<'py> = PyReadonlyArray1<'py, f64>;
type Integers<'py> = PyReadonlyArray1<'py, i64>;
type Bytes<'py> = PyReadonlyArray1<'py, u8>;

/// Classes and constants of `hean.core.types`, looked up once.
struct Types {
    tick: Py<PyAny>,
    candle: Py<PyAny>,
    book: Py<PyAny>,
    funding: Py<PyAny>,
    placed: Py<PyAny>,
    filled: Py<PyAny>,
    cancelled: Py<PyAny>,
    rejected: Py<PyAny>,
    sides: [Py<PyAny>; 2],
    kinds: [Py<PyAny>; 5],
    lives: [Py<PyAny>; 4],
    liquidities: [Py<PyAny>; 2],
}

impl Types {
    fn load(py: Python<'_>) -> PyResult<Self> {
        let module = py.import("hean.core.types")?;
        let get = |name: &str| module.getattr(name).map(Bound::unbind);
        let member =
            |class: &str, name: &str| module.getattr(class)?.getattr(name).map(Bound::unbind);
        let kind = |index: usize| member("OrderType", OrderType::ALL[index].name());
        let life = |index: usize| member("TimeInForce", TimeInForce::ALL[index].name());
        Ok(Self {
            tick: get("Tick")?,
            candle: get("Candle")?,
            book: get("Book")?,
            funding: get("Funding")?,
            placed: get("OrderPlaced")?,
            filled: get("OrderFilled")?,
            cancelled: get("OrderCancelled")?,
            rejected: get("OrderRejected")?,
            sides: [member("Side", "BUY")?, member("Side", "SELL")?],
            kinds: [kind(0)?, kind(1)?, kind(2)?, kind(3)?, kind(4)?],
            lives: [life(0)?, life(1)?, life(2)?, life(3)?],
            liquidities: [member("Liquidity", "TAKER")?, member("Liquidity", "MAKER")?],
        })
    }
}

/// Place of `value` among enum members, by identity.
fn place(members: &[Py<PyAny>], value: &Bound<'_, PyAny>, what: &str) -> PyResult<usize> {
    members
        .iter()
        .position(|member| value.is(member))
        .ok_or_else(|| PyValueError::new_err(format!("{what} {value} is not of hean.core.types")))
}

/// The simulated exchange.
#[pyclass(name = "SimVenue", module = "hean._core")]
pub struct PySimVenue {
    venue: SimVenue,
    /// Arrays of each stream, dropped when it is refilled.
    kept: Vec<Keep>,
    types: Types,
    symbols: Vec<Py<PyString>>,
    timeframes: Vec<Py<PyString>>,
    order_ids: Vec<Py<PyString>>,
    strategies: Vec<Py<PyString>>,
    order_symbols: Vec<usize>,
    keys: Py<PyDict>,
}

fn latency(parameters: (String, Vec<f64>)) -> PyResult<Latency> {
    match (parameters.0.as_str(), parameters.1.as_slice()) {
        ("constant", [delay]) => Ok(Latency::Constant(*delay as i64)),
        ("normal", [mean, deviation]) => {
            Ok(Latency::Normal { mean: *mean, deviation: *deviation })
        }
        ("recorded", delays) if !delays.is_empty() => {
            Ok(Latency::Recorded(delays.iter().map(|delay| *delay as i64).collect()))
        }
        (name, values) => Err(PyValueError::new_err(format!(
            "latency {name} {values:?}: expected constant [ns], normal [mean, deviation] or recorded [ns, ...]"
        ))),
    }
}

/// What every `add_*` hands on.
struct NewStream<'a, 'py> {
    ts: &'a Integers<'py>,
    ts_scale: i64,
    rows: Rows,
    refill: Option<usize>,
}

impl PySimVenue {
    /// Add a stream, or continue one: then the arrays of its played part are let go.
    fn add(&mut self, symbol: &str, new: NewStream<'_, '_>, mut keep: Keep) -> PyResult<usize> {
        let instrument = self.instrument_of(symbol)?;
        let ts = keep.column(new.ts)?;
        let stream =
            Stream::new(instrument, ts, new.ts_scale, new.rows).map_err(|error| raise(&error))?;
        if let Some(index) = new.refill {
            self.venue.refill(index, stream).map_err(|error| raise(&error))?;
            self.kept[index] = keep;
            return Ok(index);
        }
        self.kept.push(keep);
        self.venue.add_stream(stream).map_err(|error| raise(&error))
    }

    fn instrument_of(&self, symbol: &str) -> PyResult<usize> {
        self.venue.index_of(symbol).ok_or_else(|| {
            raise(&CoreError::new(
                Code::UnknownSymbol,
                format!("{symbol} is not listed at this venue"),
            ))
        })
    }

    fn rules(&self, instrument: usize) -> PyResult<&Instrument> {
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
    #[pyo3(signature = (cash, *, entry_latency, response_latency, queue_model, half_spread, impact, needs_trade_through, participation, seed))]
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
        let new = NewStream { ts: &ts, ts_scale, rows, refill: None };
        let index = self.add(symbol, new, keep)?;
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
        self.add(symbol, NewStream { ts: &ts, ts_scale, rows, refill }, keep)
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
        self.add(symbol, NewStream { ts: &ts, ts_scale, rows, refill }, keep)
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
        self.add(symbol, NewStream { ts: &ts, ts_scale, rows, refill }, keep)
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
        self.add(symbol, NewStream { ts: &ts, ts_scale, rows, refill }, keep)
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

    /// Ask for another price or remaining quantity.
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

    /// Market facts offered so far.
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
        decimal(py, &self.venue.ledger().equity().to_decimal())
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

impl PySimVenue {
    fn read_order(
        &self,
        approved: &Bound<'_, PyAny>,
        key: u32,
        instrument: usize,
    ) -> PyResult<NewOrder> {
        let py = approved.py();
        let rules = self.rules(instrument)?;
        let optional = |name| -> PyResult<Option<Ticks>> {
            let value = approved.getattr(name)?;
            (!value.is_none()).then(|| convert::price(rules, &value)).transpose()
        };
        let side = approved.getattr(intern!(py, "side"))?;
        let kind = approved.getattr(intern!(py, "type"))?;
        let life = approved.getattr(intern!(py, "time_in_force"))?;
        Ok(NewOrder {
            key,
            instrument,
            side: [Side::Buy, Side::Sell][place(&self.types.sides, &side, "side")?],
            kind: OrderType::ALL[place(&self.types.kinds, &kind, "order type")?],
            life: TimeInForce::ALL[place(&self.types.lives, &life, "time in force")?],
            reduce_only: approved.getattr(intern!(py, "reduce_only"))?.is_truthy()?,
            lots: convert::quantity(rules, &approved.getattr(intern!(py, "size"))?)?,
            price: optional(intern!(py, "price"))?,
            trigger: optional(intern!(py, "trigger_price"))?,
        })
    }

    fn payload<'py>(&self, py: Python<'py>, fact: &Fact, ts: i64) -> PyResult<Bound<'py, PyAny>> {
        let types = &self.types;
        let optional = |value: f64| (!value.is_nan()).then_some(value);
        match *fact {
            Fact::Tick { instrument, price, volume, bid, ask } => {
                let symbol = &self.symbols[instrument];
                types.tick.bind(py).call1((symbol, price, volume, ts, optional(bid), optional(ask)))
            }
            Fact::Candle { stream, row } => self.candle(py, stream, row),
            Fact::Book { instrument, is_snapshot } => {
                let [bids, asks] = self.venue.book_f64(instrument, BOOK_DEPTH);
                let tuple = |levels: Vec<(f64, f64)>| PyTuple::new(py, levels);
                let symbol = &self.symbols[instrument];
                types.book.bind(py).call1((symbol, tuple(bids)?, tuple(asks)?, is_snapshot, ts))
            }
            Fact::Funding { instrument, rate, mark } => {
                let mark = self.rules(instrument)?.price_f64(mark);
                types.funding.bind(py).call1((&self.symbols[instrument], rate.to_f64(), 0, mark))
            }
            ref answer => self.answer(py, answer),
        }
    }

    fn candle<'py>(
        &self,
        py: Python<'py>,
        stream: usize,
        row: usize,
    ) -> PyResult<Bound<'py, PyAny>> {
        let found = self.venue.stream(stream).map(|found| (found, &found.rows));
        let Some((found, Rows::Candles { open, high, low, close, volume, .. })) = found else {
            return Err(PyValueError::new_err("no such bars"));
        };
        self.types.candle.bind(py).call1((
            &self.symbols[found.instrument],
            open[row],
            high[row],
            low[row],
            close[row],
            volume[row],
            &self.timeframes[stream],
            found.ts[row] * found.ts_scale,
        ))
    }

    fn answer<'py>(&self, py: Python<'py>, fact: &Fact) -> PyResult<Bound<'py, PyAny>> {
        let types = &self.types;
        let id = |key: u32| &self.order_ids[key as usize];
        let symbol = |key: u32| &self.symbols[self.order_symbols[key as usize]];
        match *fact {
            Fact::Placed { key } => {
                types.placed.bind(py).call1((id(key), format!("v{key}"), symbol(key)))
            }
            Fact::Cancelled { key, reason, remaining } => {
                let rules = self.rules(self.order_symbols[key as usize])?;
                let rest = decimal(py, &rules.quantity_decimal(remaining))?;
                types.cancelled.bind(py).call1((id(key), reason, symbol(key), rest))
            }
            Fact::Rejected { key, code, reason } => types.rejected.bind(py).call1((
                id(key),
                reason,
                code.number(),
                intern!(py, "venue"),
                symbol(key),
                &self.strategies[key as usize],
            )),
            Fact::NotOpen { key } => types.rejected.bind(py).call1((
                id(key),
                "the order is not open",
                Code::OrderNotOpen.number(),
                intern!(py, "venue-request"),
                symbol(key),
                &self.strategies[key as usize],
            )),
            Fact::RequestRefused { key, code, reason } => types.rejected.bind(py).call1((
                id(key),
                reason,
                code.number(),
                intern!(py, "venue-request"),
                symbol(key),
                &self.strategies[key as usize],
            )),
            Fact::Filled { key, .. } => {
                self.fill(py, fact, id(key).bind(py), &self.strategies[key as usize])
            }
            Fact::Liquidated { exec_id, .. } => {
                let id = PyString::new(py, &format!("venue-liquidation-{exec_id}"));
                self.fill(py, fact, &id, &PyString::intern(py, "").unbind())
            }
            _ => Err(PyValueError::new_err("a market fact is not an answer")),
        }
    }

    fn fill<'py>(
        &self,
        py: Python<'py>,
        fact: &Fact,
        id: &Bound<'py, PyString>,
        strategy: &Py<PyString>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (instrument, side, price, lots, remaining, fee, exec_id, is_maker) = match *fact {
            Fact::Filled {
                instrument,
                side,
                price,
                lots,
                remaining,
                fee,
                exec_id,
                is_maker,
                ..
            } => (instrument, side, price, lots, remaining, fee, exec_id, is_maker),
            Fact::Liquidated { instrument, side, price, lots, fee, exec_id } => {
                (instrument, side, price, lots, Lots::ZERO, fee, exec_id, false)
            }
            _ => return Err(PyValueError::new_err("not a fill")),
        };
        let rules = self.rules(instrument)?;
        self.types.filled.bind(py).call1((
            id,
            decimal(py, &rules.price_decimal(price))?,
            decimal(py, &rules.quantity_decimal(lots))?,
            &self.symbols[instrument],
            &self.types.sides[side as usize],
            decimal(py, &fee.to_decimal())?,
            format!("v{exec_id}"),
            &self.types.liquidities[usize::from(is_maker)],
            decimal(py, &rules.quantity_decimal(remaining))?,
            strategy,
        ))
    }
}

/// Levels a side of a `Book` payload.
const BOOK_DEPTH: usize = 20;

/// Add this file's classes to `hean._core`.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PySimVenue>()
}
