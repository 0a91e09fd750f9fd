// SPDX-License-Identifier: Apache-2.0
//! `Exchange` for Python, with two faces. The plain one takes floats and symbols, rounds quantities
//! down to the lot and says what it left over; `hean_meta_cpp` re-exports it as `OrderEngine`. The
//! one in whole numbers (`place`, `cancel`, `amend`) is the fast path of simulations and benches.
//! Threads: every call borrows the exchange exclusively, so calls from many threads queue up.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use hean_core::exchange::{Exchange, Execution, FeeRates, Request};
use hean_core::order::{InstrumentId, Limits, OrderKey, Record, State, TimeInForce};
use hean_core::{Code, Instrument, Kind, Lots, Money, Rate, Side, Ticks};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::convert::money;
use crate::error::raise;
use crate::hmc::{position, refused, result, whole_lots, PyExchangePosition, PyOrderResult};
use crate::instrument::PyInstrument;
use crate::order_terms::{by_number, limits_of, side as sided, time_in_force};

type Any<'py> = Bound<'py, PyAny>;

/// Steps of a symbol that nobody has listed: a cent and a thousandth of a coin.
const DEFAULT_TICK: &str = "0.01";
const DEFAULT_LOT: &str = "0.001";

/// Present time, for callers that bring none.
fn wall_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// Order engine, matching books and ledger of one account, in this process.
#[pyclass(name = "Exchange", module = "hean._core")]
pub struct PyExchange {
    inner: Exchange,
    on_fill: Option<Py<PyAny>>,
}

fn elapsed_us(started: Instant) -> f64 {
    started.elapsed().as_nanos() as f64 / 1e3
}

/// An order in the words of the float face.
struct Wish {
    request: Request,
    residue: f64,
}

impl PyExchange {
    /// The number of a symbol; an unknown one is listed with the default steps.
    fn listed(&mut self, symbol: &str) -> hean_core::Result<InstrumentId> {
        match self.inner.orders().instrument(symbol) {
            Ok(id) => Ok(id),
            Err(_) => self.inner.add_instrument(Instrument::new(
                symbol,
                Kind::LinearPerpetual,
                DEFAULT_TICK,
                DEFAULT_LOT,
            )?),
        }
    }

    fn rules(&self, instrument: InstrumentId) -> hean_core::Result<&Instrument> {
        self.inner.orders().desk(instrument).map(|desk| &desk.instrument)
    }

    fn key(&self, order_id: &str) -> hean_core::Result<OrderKey> {
        self.inner.orders().find(order_id)
    }

    fn wish(
        &mut self,
        symbol: &str,
        side: Side,
        qty: f64,
        price: Option<f64>,
    ) -> hean_core::Result<Wish> {
        let instrument = self.listed(symbol)?;
        let rules = self.rules(instrument)?;
        let (lots, residue) = whole_lots(rules, qty)?;
        let price = price.map(|price| rules.ticks_from_f64(price)).transpose()?;
        let time_in_force = TimeInForce::Gtc;
        Ok(Wish { request: Request { instrument, side, lots, price, time_in_force }, residue })
    }

    /// Place and time an order. A refusal of the limits is a result; nonsense is an error.
    fn send(&mut self, py: Python<'_>, wish: &Wish) -> PyResult<PyOrderResult> {
        let started = Instant::now();
        let placed = self.inner.place(&wish.request, wall_ns());
        let told = (wish.residue, elapsed_us(started));
        match placed.and_then(|number| self.inner.key(number)) {
            Ok(key) => result(py, &self.inner, key, told),
            Err(error) if is_refusal(error.code) => {
                let rules = self.rules(wish.request.instrument).map_err(|error| raise(&error))?;
                refused(py, (rules, wish.request.lots), &error, told)
            }
            Err(error) => Err(raise(&error)),
        }
    }

    /// Fills that a callback has to hear of.
    fn news(&self, py: Python<'_>) -> Option<(Py<PyAny>, Vec<Execution>)> {
        let heard = self.on_fill.as_ref().filter(|_| !self.inner.executions().is_empty())?;
        Some((heard.clone_ref(py), self.inner.executions().to_vec()))
    }
}

/// Tell the callback after the borrow has ended, so that it may place orders itself.
fn tell(exchange: &Bound<'_, PyExchange>) -> PyResult<()> {
    let Some((heard, executions)) = exchange.borrow().news(exchange.py()) else { return Ok(()) };
    for execution in executions {
        heard.call1(exchange.py(), (execution.order, execution.price.0, execution.lots.0))?;
    }
    Ok(())
}

/// Risk says no, in contrast to an order that makes no sense.
fn is_refusal(code: Code) -> bool {
    matches!(code.number() / 1_000, 2 | 5)
}

#[pymethods]
impl PyExchange {
    #[new]
    #[pyo3(signature = (*, cash="0", maker_fee="0", taker_fee="0", limits=None))]
    fn new(
        cash: &str,
        maker_fee: &str,
        taker_fee: &str,
        limits: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let limits = limits_of(limits, Limits::unlimited())?;
        let exchange = || {
            let (maker, taker) = (Rate::parse(maker_fee)?, Rate::parse(taker_fee)?);
            Exchange::new(Money::parse(cash)?, limits, FeeRates { maker, taker })
        };
        Ok(Self { inner: exchange().map_err(|error| raise(&error))?, on_fill: None })
    }

    /// List an instrument with its own steps; its number is for the calls in whole numbers.
    fn add_instrument(&mut self, instrument: &PyInstrument) -> PyResult<u16> {
        let added = self.inner.add_instrument(instrument.inner.clone());
        added.map(|id| id.0).map_err(|error| raise(&error))
    }

    /// Called as `on_fill(order, price_ticks, lots)` for each own fill, once it is booked.
    #[getter]
    fn on_fill(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.on_fill.as_ref().map(|callback| callback.clone_ref(py))
    }

    #[setter]
    fn set_on_fill(&mut self, callback: Option<Py<PyAny>>) {
        self.on_fill = callback;
    }

    // ------------------------------------------------------------ floats and symbols

    /// Buy or sell at the best prices there are.
    fn place_market_order(
        slf: &Bound<'_, Self>,
        symbol: &str,
        side: &str,
        qty: f64,
    ) -> PyResult<PyOrderResult> {
        Self::send_and_tell(slf, symbol, side, (qty, None, "GTC"))
    }

    /// Buy or sell at `price` or better.
    #[pyo3(signature = (symbol, side, qty, price, *, time_in_force="GTC"))]
    fn place_limit_order(
        slf: &Bound<'_, Self>,
        symbol: &str,
        side: &str,
        qty: f64,
        price: f64,
        time_in_force: &str,
    ) -> PyResult<PyOrderResult> {
        Self::send_and_tell(slf, symbol, side, (qty, Some(price), time_in_force))
    }

    /// Take an open order back.
    fn cancel_order(&mut self, py: Python<'_>, order_id: &str) -> PyResult<PyOrderResult> {
        let started = Instant::now();
        let key = self.key(order_id).map_err(|error| raise(&error))?;
        let number = self.number(key)?;
        self.inner.cancel(number, wall_ns()).map_err(|error| raise(&error))?;
        result(py, &self.inner, key, (0.0, elapsed_us(started)))
    }

    /// Change the total quantity, the price or both of an open order.
    #[pyo3(signature = (order_id, *, qty=None, price=None))]
    fn modify_order(
        slf: &Bound<'_, Self>,
        order_id: &str,
        qty: Option<f64>,
        price: Option<f64>,
    ) -> PyResult<PyOrderResult> {
        let result = slf.borrow_mut().change(slf.py(), order_id, qty, price)?;
        tell(slf)?;
        Ok(result)
    }

    /// How an order stands now.
    fn get_order(&self, py: Python<'_>, order_id: &str) -> PyResult<PyOrderResult> {
        let key = self.key(order_id).map_err(|error| raise(&error))?;
        result(py, &self.inner, key, (0.0, 0.0))
    }

    /// Position in a symbol, with its profit.
    fn get_position(&self, py: Python<'_>, symbol: &str) -> PyResult<PyExchangePosition> {
        let number = self.inner.orders().instrument(symbol).map_err(|error| raise(&error))?;
        position(py, &self.inner, number)
    }

    /// Let the market offer a quantity at a price; returns the id of the offer.
    fn add_liquidity(
        slf: &Bound<'_, Self>,
        symbol: &str,
        side: &str,
        qty: f64,
        price: f64,
    ) -> PyResult<u64> {
        let id = slf.borrow_mut().offer(symbol, side, qty, price)?;
        tell(slf)?;
        Ok(id)
    }

    // ------------------------------------------------------------ whole numbers

    /// Place an order: price in ticks or None for a market order; returns its number.
    #[pyo3(signature = (instrument, is_buy, lots, price_ticks=None, tif=0, now_ns=None))]
    fn place(
        slf: &Bound<'_, Self>,
        instrument: u16,
        is_buy: bool,
        lots: i64,
        price_ticks: Option<i64>,
        tif: usize,
        now_ns: Option<i64>,
    ) -> PyResult<u64> {
        let request = raw_request(instrument, is_buy, lots, price_ticks, tif)?;
        let now_ns = now_ns.unwrap_or_else(wall_ns);
        let number = slf.borrow_mut().inner.place(&request, now_ns);
        let number = number.map_err(|error| raise(&error))?;
        tell(slf)?;
        Ok(number)
    }

    /// Take an open order back, by its number.
    #[pyo3(signature = (order, now_ns=None))]
    fn cancel(&mut self, order: u64, now_ns: Option<i64>) -> PyResult<()> {
        self.inner.cancel(order, now_ns.unwrap_or_else(wall_ns)).map_err(|error| raise(&error))
    }

    /// Change price or total lots of an open order, by its number.
    #[pyo3(signature = (order, price_ticks=None, lots=None, now_ns=None))]
    fn amend(
        slf: &Bound<'_, Self>,
        order: u64,
        price_ticks: Option<i64>,
        lots: Option<i64>,
        now_ns: Option<i64>,
    ) -> PyResult<()> {
        let now_ns = now_ns.unwrap_or_else(wall_ns);
        let (price, lots) = (price_ticks.map(Ticks), lots.map(Lots));
        let done = slf.borrow_mut().inner.amend(order, price, lots, now_ns);
        done.map_err(|error| raise(&error))?;
        tell(slf)
    }

    /// Let the market offer lots at a price; returns the id of the offer.
    fn supply(
        slf: &Bound<'_, Self>,
        instrument: u16,
        is_buy: bool,
        lots: i64,
        price_ticks: i64,
    ) -> PyResult<u64> {
        let (side, at) = (side_of(is_buy), InstrumentId(instrument));
        let (price, lots) = (Ticks(price_ticks), Lots(lots));
        let id = slf.borrow_mut().inner.supply(at, side, price, lots, wall_ns());
        let id = id.map_err(|error| raise(&error))?;
        tell(slf)?;
        Ok(id)
    }

    /// Take back what is left of an offer of the market; false if nothing is.
    fn withdraw(&mut self, instrument: u16, offer: u64) -> PyResult<bool> {
        let gone = self.inner.withdraw(InstrumentId(instrument), offer);
        gone.map_err(|error| raise(&error))
    }

    /// Own fills of the last call: (order, price_ticks, lots, is_maker).
    fn fills(&self) -> Vec<(u64, i64, i64, bool)> {
        let row = |fill: &Execution| (fill.order, fill.price.0, fill.lots.0, fill.is_maker);
        self.inner.executions().iter().map(row).collect()
    }

    /// Status of an order, by its number.
    fn status(&self, order: u64) -> PyResult<&'static str> {
        let state = self.inner.key(order).and_then(|key| self.inner.orders().state(key));
        state.map(State::name).map_err(|error| raise(&error))
    }

    /// Text id of an order, by its number.
    fn order_id(&self, order: u64) -> PyResult<String> {
        let id = self.inner.key(order).and_then(|key| self.inner.orders().id(key));
        id.map_err(|error| raise(&error))
    }

    /// Orders that may still fill.
    #[getter]
    fn open_orders(&self) -> usize {
        self.inner.orders().open_orders().count()
    }

    /// Money of the account.
    #[getter]
    fn cash<'py>(&self, py: Python<'py>) -> PyResult<Any<'py>> {
        money(py, self.inner.ledger().cash())
    }

    /// Cash plus the profit of what is held, at the last trades.
    #[getter]
    fn equity<'py>(&self, py: Python<'py>) -> PyResult<Any<'py>> {
        money(py, self.inner.ledger().equity())
    }
}

impl PyExchange {
    fn send_and_tell(
        slf: &Bound<'_, Self>,
        symbol: &str,
        side: &str,
        (qty, price, life): (f64, Option<f64>, &str),
    ) -> PyResult<PyOrderResult> {
        let side = sided(side).map_err(|error| raise(&error))?;
        let life = time_in_force(life).map_err(|error| raise(&error))?;
        let mut this = slf.borrow_mut();
        let mut wish = this.wish(symbol, side, qty, price).map_err(|error| raise(&error))?;
        wish.request.time_in_force = life;
        let result = this.send(slf.py(), &wish)?;
        drop(this);
        tell(slf)?;
        Ok(result)
    }

    fn number(&self, key: OrderKey) -> PyResult<u64> {
        let record = self.inner.orders().record(key);
        record.map(Record::number).map_err(|error| raise(&error))
    }

    fn change(
        &mut self,
        py: Python<'_>,
        order_id: &str,
        qty: Option<f64>,
        price: Option<f64>,
    ) -> PyResult<PyOrderResult> {
        let started = Instant::now();
        let (key, price, lots) = self.terms(order_id, qty, price).map_err(|error| raise(&error))?;
        let number = self.number(key)?;
        let (lots, residue) = lots.map_or((None, 0.0), |(lots, left)| (Some(lots), left));
        let done = self.inner.amend(number, price, lots, wall_ns());
        done.map_err(|error| raise(&error))?;
        result(py, &self.inner, key, (residue, elapsed_us(started)))
    }

    #[allow(clippy::type_complexity)]
    fn terms(
        &self,
        order_id: &str,
        qty: Option<f64>,
        price: Option<f64>,
    ) -> hean_core::Result<(OrderKey, Option<Ticks>, Option<(Lots, f64)>)> {
        let key = self.key(order_id)?;
        let rules = self.rules(self.inner.orders().record(key)?.instrument)?;
        let price = price.map(|price| rules.ticks_from_f64(price)).transpose()?;
        Ok((key, price, qty.map(|qty| whole_lots(rules, qty)).transpose()?))
    }

    fn offer(&mut self, symbol: &str, side: &str, qty: f64, price: f64) -> PyResult<u64> {
        let mut supplied = || {
            let wish = self.wish(symbol, sided(side)?, qty, Some(price))?.request;
            let price = wish.price.unwrap_or_default();
            self.inner.supply(wish.instrument, wish.side, price, wish.lots, wall_ns())
        };
        supplied().map_err(|error| raise(&error))
    }
}

const fn side_of(is_buy: bool) -> Side {
    if is_buy {
        Side::Buy
    } else {
        Side::Sell
    }
}

fn raw_request(
    instrument: u16,
    is_buy: bool,
    lots: i64,
    price_ticks: Option<i64>,
    tif: usize,
) -> PyResult<Request> {
    let life = by_number(&TimeInForce::ALL, tif, "time in force");
    Ok(Request {
        instrument: InstrumentId(instrument),
        side: side_of(is_buy),
        lots: Lots(lots),
        price: price_ticks.map(Ticks),
        time_in_force: life.map_err(|error| raise(&error))?,
    })
}

/// Add this file's classes to `hean._core`.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyExchange>()
}
