// SPDX-License-Identifier: Apache-2.0
//! `OrderEngine`: the one door for orders, for Python. Texts and `Decimal`s become exact counts
//! here; the calls ending in `_raw` take counts as they are and are the fast path.

use hean_core::number::Rounding;
use hean_core::order::amend::Amend;
use hean_core::order::{
    ExecId, InstrumentId, Intent, Limits, OrderEngine, OrderKey, OrderType, StrategyId, Ticket,
    TimeInForce,
};
use hean_core::{Instrument, Lots, Side, Ticks};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::convert::{amount, quantity, quantity_of};
use crate::error::raise;
use crate::instrument::PyInstrument;
use crate::order_report::Row;
use crate::order_terms::{self, by_number, halt_level, limits_of, order_type, price, rate, status};

type Dict<'py> = Bound<'py, PyDict>;
type Any<'py> = Bound<'py, PyAny>;

/// Hard limits, reservations, single-use tickets and the state of every order.
#[pyclass(name = "OrderEngine", module = "hean._core")]
pub struct PyOrderEngine {
    /// The engine itself, for other Rust parts that share it.
    pub inner: OrderEngine,
}

impl PyOrderEngine {
    pub fn key(&self, order_id: &str) -> PyResult<OrderKey> {
        self.inner.find(order_id).map_err(|error| raise(&error))
    }

    pub fn instrument_of(&self, key: OrderKey) -> PyResult<&Instrument> {
        let desk = self.inner.record(key).and_then(|record| self.inner.desk(record.instrument));
        desk.map(|desk| &desk.instrument).map_err(|error| raise(&error))
    }

    pub fn instrument(&self, symbol: &str) -> PyResult<(InstrumentId, &Instrument)> {
        let id = self.inner.instrument(symbol).map_err(|error| raise(&error))?;
        let desk = self.inner.desk(id).map_err(|error| raise(&error))?;
        Ok((id, &desk.instrument))
    }

    pub fn terms(
        &self,
        key: OrderKey,
        price_value: Option<&Any<'_>>,
        size: &Any<'_>,
    ) -> PyResult<Amend> {
        let instrument = self.instrument_of(key)?;
        Ok(Amend { price: price(instrument, price_value)?, lots: quantity(instrument, size)? })
    }
}

#[pymethods]
#[allow(clippy::too_many_arguments)]
impl PyOrderEngine {
    #[new]
    #[pyo3(signature = (instruments, limits=None, *, unlimited=false))]
    fn new(
        instruments: Vec<PyRef<'_, PyInstrument>>,
        limits: Option<&Dict<'_>>,
        unlimited: bool,
    ) -> PyResult<Self> {
        let base = if unlimited { Limits::unlimited() } else { Limits::default() };
        let mut inner = OrderEngine::new(limits_of(limits, base)?);
        for instrument in instruments {
            inner.add_instrument(instrument.inner.clone()).map_err(|error| raise(&error))?;
        }
        Ok(Self { inner })
    }

    /// Trade one more instrument.
    fn add_instrument(&mut self, instrument: PyRef<'_, PyInstrument>) -> PyResult<()> {
        let added = self.inner.add_instrument(instrument.inner.clone());
        added.map(drop).map_err(|error| raise(&error))
    }

    /// All of it once more, for who asks what would be: nothing that is done to it is done here.
    fn copy(&self) -> Self {
        Self { inner: self.inner.clone() }
    }

    /// Change some limits; the others stay.
    fn set_limits(&mut self, limits: &Dict<'_>) -> PyResult<()> {
        let limits = limits_of(Some(limits), self.inner.limits().clone())?;
        self.inner.set_limits(limits);
        Ok(())
    }

    /// Number of a symbol, for the `_raw` calls.
    fn instrument_index(&self, symbol: &str) -> PyResult<u16> {
        self.inner.instrument(symbol).map(|id| id.0).map_err(|error| raise(&error))
    }

    /// Number of a strategy's name, for the `_raw` calls.
    fn strategy_index(&mut self, name: &str) -> PyResult<u16> {
        self.inner.strategy(name).map(|id| id.0).map_err(|error| raise(&error))
    }

    /// Check all hard limits and reserve the worst case; returns a ticket.
    #[pyo3(signature = (
        order_id, symbol, *, side, r#type, size, now_ns, price=None, trigger_price=None,
        reduce_only=false, time_in_force="GTC", strategy_id="", parent=None,
        is_sliced=false
    ))]
    fn approve(
        &mut self,
        order_id: &str,
        symbol: &str,
        side: &str,
        r#type: &str,
        size: &Any<'_>,
        now_ns: i64,
        price: Option<&Any<'_>>,
        trigger_price: Option<&Any<'_>>,
        reduce_only: bool,
        time_in_force: &str,
        strategy_id: &str,
        parent: Option<&str>,
        is_sliced: bool,
    ) -> PyResult<u64> {
        let strategy = self.inner.strategy(strategy_id).map_err(|error| raise(&error))?;
        let (instrument, rules) = self.instrument(symbol)?;
        let intent = Intent {
            id: order_id,
            instrument,
            strategy,
            side: order_terms::side(side).map_err(|error| raise(&error))?,
            order_type: order_type(r#type).map_err(|error| raise(&error))?,
            time_in_force: order_terms::time_in_force(time_in_force)
                .map_err(|error| raise(&error))?,
            reduce_only,
            lots: quantity(rules, size)?,
            price: order_terms::price(rules, price)?,
            trigger: order_terms::price(rules, trigger_price)?,
            parent: parent.map(|id| self.key(id)).transpose()?,
            is_sliced,
        };
        self.inner.approve(&intent, now_ns).map(|ticket| ticket.0).map_err(|error| raise(&error))
    }

    /// `approve` in counts: type and time in force by number, prices in ticks or `None`.
    #[pyo3(signature = (
        order_id, instrument, is_buy, lots, price_ticks, now_ns, order_type=0, time_in_force=0,
        reduce_only=false, strategy=0, trigger_ticks=None, /
    ))]
    fn approve_raw(
        &mut self,
        order_id: &str,
        instrument: u16,
        is_buy: bool,
        lots: i64,
        price_ticks: Option<i64>,
        now_ns: i64,
        order_type: usize,
        time_in_force: usize,
        reduce_only: bool,
        strategy: u16,
        trigger_ticks: Option<i64>,
    ) -> PyResult<u64> {
        let kinds = by_number(&OrderType::ALL, order_type, "type").and_then(|kind| {
            Ok((kind, by_number(&TimeInForce::ALL, time_in_force, "time in force")?))
        });
        let (order_type, time_in_force) = kinds.map_err(|error| raise(&error))?;
        let intent = Intent {
            id: order_id,
            instrument: InstrumentId(instrument),
            strategy: StrategyId(strategy),
            side: if is_buy { Side::Buy } else { Side::Sell },
            order_type,
            time_in_force,
            reduce_only,
            lots: Lots(lots),
            price: price_ticks.map(Ticks),
            trigger: trigger_ticks.map(Ticks),
            parent: None,
            is_sliced: false,
        };
        self.inner.approve(&intent, now_ns).map(|ticket| ticket.0).map_err(|error| raise(&error))
    }

    /// Check all hard limits of an `OrderRequest` and reserve the worst case; returns a ticket.
    /// Reference price and equity, if given, are taken over first.
    #[pyo3(signature = (request, order_id, now_ns, reference=None, equity=None, /))]
    fn approve_order(
        &mut self,
        request: &Any<'_>,
        order_id: &str,
        now_ns: i64,
        reference: Option<f64>,
        equity: Option<&Any<'_>>,
    ) -> PyResult<u64> {
        equity.map_or(Ok(()), |equity| self.set_equity(equity))?;
        self.approve_payload(request, order_id, now_ns, reference)
    }

    /// What each rule sees in an `OrderRequest` and what it allows, as (rule, observed, allowed,
    /// whether it says no). Nothing is reserved or kept.
    #[pyo3(signature = (request, order_id, now_ns, reference=None, equity=None, /))]
    fn report_order(
        &mut self,
        request: &Any<'_>,
        order_id: &str,
        now_ns: i64,
        reference: Option<f64>,
        equity: Option<&Any<'_>>,
    ) -> PyResult<Vec<Row>> {
        self.report_payload(request, order_id, now_ns, reference, equity)
    }

    /// Use the ticket of an `OrderApproved`: it may be sent, once, if its fields are the approved.
    #[pyo3(signature = (approved, ticket, now_ns, /))]
    fn redeem_order(&mut self, approved: &Any<'_>, ticket: u64, now_ns: i64) -> PyResult<()> {
        self.redeem_payload(approved, ticket, now_ns)
    }

    /// Record an `OrderApproved` of an earlier process, without asking limits; returns a ticket.
    fn readmit(&mut self, approved: &Any<'_>, now_ns: i64) -> PyResult<u64> {
        self.readmit_payload(approved, now_ns)
    }

    /// Count an `OrderFilled`; says whether it was new.
    #[pyo3(signature = (fill, ts_ns, /))]
    fn count_fill(&mut self, fill: &Any<'_>, ts_ns: i64) -> PyResult<bool> {
        self.count_payload(fill, ts_ns)
    }

    /// Use a ticket: the order recorded under this id may be sent, once.
    #[pyo3(signature = (order_id, ticket, now_ns, /))]
    fn redeem(&mut self, order_id: &str, ticket: u64, now_ns: i64) -> PyResult<()> {
        let key = self.key(order_id)?;
        let redeemed = self.inner.redeem_key(Ticket(ticket), key, now_ns);
        redeemed.map(drop).map_err(|error| raise(&error))
    }

    /// Judge new terms of a working order; returns a ticket.
    #[pyo3(signature = (order_id, *, size, now_ns, price=None))]
    fn amend_approve(
        &mut self,
        order_id: &str,
        size: &Any<'_>,
        now_ns: i64,
        price: Option<&Any<'_>>,
    ) -> PyResult<u64> {
        let key = self.key(order_id)?;
        let terms = self.terms(key, price, size)?;
        let ticket = self.inner.amend_approve(key, terms, now_ns);
        ticket.map(|ticket| ticket.0).map_err(|error| raise(&error))
    }

    /// Use the ticket of an `AmendApproved`: it may be sent, once, if its terms are the approved.
    #[pyo3(signature = (approved, ticket, now_ns, /))]
    fn redeem_amend(&mut self, approved: &Any<'_>, ticket: u64, now_ns: i64) -> PyResult<()> {
        let (key, terms) = self.amend_of(approved)?;
        let redeemed = self.inner.redeem_amend(Ticket(ticket), key, terms, now_ns);
        redeemed.map_err(|error| raise(&error))
    }

    /// Record an `AmendApproved` of an earlier process, without asking limits.
    fn readmit_amend(&mut self, approved: &Any<'_>) -> PyResult<()> {
        let (key, terms) = self.amend_of(approved)?;
        self.inner.readmit_amend(key, terms).map_err(|error| raise(&error))
    }

    /// An `OrderAmended`: the venue says what the terms are.
    #[pyo3(signature = (amended, ts_ns, /))]
    fn on_amended(&mut self, amended: &Any<'_>, ts_ns: i64) -> PyResult<()> {
        let (key, terms) = self.amend_of(amended)?;
        self.inner.on_amended(key, terms, ts_ns).map_err(|error| raise(&error))
    }

    /// The venue refused the new terms.
    fn on_amend_rejected(&mut self, order_id: &str) -> PyResult<()> {
        let key = self.key(order_id)?;
        self.inner.on_amend_rejected(key).map_err(|error| raise(&error))
    }

    /// The venue has the order. Returns the status, as all facts do.
    #[pyo3(signature = (order_id, ts_ns, exchange_order_id=None))]
    fn on_placed(
        &mut self,
        order_id: &str,
        ts_ns: i64,
        exchange_order_id: Option<&str>,
    ) -> PyResult<&'static str> {
        let key = self.key(order_id)?;
        status(self.inner.on_placed(key, exchange_order_id, ts_ns))
    }

    /// The venue executed a part.
    #[pyo3(signature = (order_id, exec_id, *, price, qty, ts_ns))]
    fn on_filled(
        &mut self,
        order_id: &str,
        exec_id: &str,
        price: &Any<'_>,
        qty: &Any<'_>,
        ts_ns: i64,
    ) -> PyResult<&'static str> {
        let key = self.key(order_id)?;
        let terms = self.terms(key, Some(price), qty)?;
        let price = terms.price.unwrap_or_default();
        status(self.inner.on_filled(key, ExecId::of_text(exec_id), price, terms.lots, ts_ns))
    }

    /// `on_filled` in counts, with the venue's trade number.
    #[pyo3(signature = (order_id, exec_number, price_ticks, lots, ts_ns, /))]
    fn on_filled_raw(
        &mut self,
        order_id: &str,
        exec_number: u64,
        price_ticks: i64,
        lots: i64,
        ts_ns: i64,
    ) -> PyResult<&'static str> {
        let key = self.key(order_id)?;
        let (price, lots) = (Ticks(price_ticks), Lots(lots));
        status(self.inner.on_filled(key, ExecId(exec_number), price, lots, ts_ns))
    }

    /// The venue cancelled it, or it is withdrawn before it left.
    #[pyo3(signature = (order_id, ts_ns, reason=""))]
    fn on_cancelled(&mut self, order_id: &str, ts_ns: i64, reason: &str) -> PyResult<&'static str> {
        let key = self.key(order_id)?;
        status(self.inner.on_cancelled(key, reason, ts_ns))
    }

    /// It ran out of time.
    #[pyo3(signature = (order_id, ts_ns, reason=""))]
    fn on_expired(&mut self, order_id: &str, ts_ns: i64, reason: &str) -> PyResult<&'static str> {
        let key = self.key(order_id)?;
        status(self.inner.on_expired(key, reason, ts_ns))
    }

    /// The venue refused it.
    #[pyo3(signature = (order_id, ts_ns, reason=""))]
    fn on_rejected(&mut self, order_id: &str, ts_ns: i64, reason: &str) -> PyResult<&'static str> {
        let key = self.key(order_id)?;
        status(self.inner.on_rejected(key, reason, ts_ns))
    }

    /// The answer is missing or ambiguous.
    fn on_unknown(&mut self, order_id: &str, ts_ns: i64) -> PyResult<&'static str> {
        let key = self.key(order_id)?;
        status(self.inner.on_unknown(key, ts_ns))
    }

    /// The answer stayed missing.
    fn on_quarantined(&mut self, order_id: &str, ts_ns: i64) -> PyResult<&'static str> {
        let key = self.key(order_id)?;
        status(self.inner.on_quarantined(key, ts_ns))
    }

    /// All sources agree that the venue does not have it.
    fn on_absent(&mut self, order_id: &str, ts_ns: i64) -> PyResult<&'static str> {
        let key = self.key(order_id)?;
        status(self.inner.on_absent(key, ts_ns))
    }

    /// A cancel is about to be sent.
    fn cancel_requested(&mut self, order_id: &str) -> PyResult<()> {
        let key = self.key(order_id)?;
        self.inner.cancel_requested(key).map_err(|error| raise(&error))
    }

    /// The venue refused the cancel.
    fn on_cancel_rejected(&mut self, order_id: &str) -> PyResult<()> {
        let key = self.key(order_id)?;
        self.inner.on_cancel_rejected(key).map_err(|error| raise(&error))
    }

    /// Give back what expired tickets reserved.
    fn expire_tickets(&mut self, now_ns: i64) {
        self.inner.expire_tickets(now_ns);
    }

    /// The order as the API shows it.
    fn get<'py>(&self, py: Python<'py>, order_id: &str) -> PyResult<Dict<'py>> {
        self.order(py, self.key(order_id)?)
    }

    /// Status of an order.
    fn status(&self, order_id: &str) -> PyResult<&'static str> {
        let state = self.inner.state(self.key(order_id)?);
        state.map(|state| state.name()).map_err(|error| raise(&error))
    }

    /// All orders that may still be filled.
    fn open_orders<'py>(&self, py: Python<'py>) -> PyResult<Vec<Dict<'py>>> {
        self.inner.open_orders().map(|(key, _)| self.order(py, key)).collect()
    }

    /// Signed position.
    fn position<'py>(&self, py: Python<'py>, symbol: &str) -> PyResult<Any<'py>> {
        let (id, rules) = self.instrument(symbol)?;
        let exposure = self.inner.exposure(id).map_err(|error| raise(&error))?;
        quantity_of(py, rules, exposure.position)
    }

    /// Position and reservations.
    fn exposure<'py>(&self, py: Python<'py>, symbol: &str) -> PyResult<Dict<'py>> {
        let (id, rules) = self.instrument(symbol)?;
        let exposure = self.inner.exposure(id).map_err(|error| raise(&error))?;
        let dict = PyDict::new(py);
        for (name, lots) in [
            ("position", exposure.position),
            ("open_buy", exposure.open_buy),
            ("open_sell", exposure.open_sell),
            ("reduce_buy", exposure.reduce_buy),
            ("reduce_sell", exposure.reduce_sell),
        ] {
            dict.set_item(name, quantity_of(py, rules, lots)?)?;
        }
        Ok(dict)
    }

    /// Replace a position, as at start from the venue's truth.
    fn set_position(&mut self, symbol: &str, qty: &Any<'_>) -> PyResult<()> {
        let (id, rules) = self.instrument(symbol)?;
        let lots = quantity(rules, qty)?;
        self.inner.set_position(id, lots).map_err(|error| raise(&error))
    }

    /// Reference price, rounded to the nearest tick.
    #[pyo3(signature = (symbol, price, now_ns, /))]
    pub fn set_mark(&mut self, symbol: &str, price: f64, now_ns: i64) -> PyResult<()> {
        let (id, rules) = self.instrument(symbol)?;
        let ticks = rules.quantise_price(price, Rounding::Nearest);
        let set = ticks.and_then(|ticks| self.inner.set_mark(id, ticks, now_ns));
        set.map_err(|error| raise(&error))
    }

    /// `set_mark` in counts.
    #[pyo3(signature = (instrument, ticks, now_ns, /))]
    fn set_mark_raw(&mut self, instrument: u16, ticks: i64, now_ns: i64) -> PyResult<()> {
        let set = self.inner.set_mark(InstrumentId(instrument), Ticks(ticks), now_ns);
        set.map_err(|error| raise(&error))
    }

    /// Equity at mark prices.
    fn set_equity(&mut self, equity: &Any<'_>) -> PyResult<()> {
        self.inner.set_equity(amount(equity)?);
        Ok(())
    }

    /// Loss of the day and drawdown as fractions.
    fn set_loss(&mut self, daily_fraction: f64, drawdown_fraction: f64) -> PyResult<()> {
        self.inner.set_loss(rate(daily_fraction)?, rate(drawdown_fraction)?);
        Ok(())
    }

    /// Raise the kill switch; returns the level in force.
    fn halt(&mut self, level: &str) -> PyResult<&'static str> {
        let level = halt_level(level).map_err(|error| raise(&error))?;
        Ok(self.inner.set_halt(level).name())
    }

    /// A person releases the kill switch.
    fn release_halt(&mut self) {
        self.inner.release_halt();
    }

    /// Level of the kill switch.
    #[getter]
    fn halt_level(&self) -> &'static str {
        self.inner.account().halt.name()
    }

    /// Facts refused because they contradict their order.
    #[getter]
    fn illegal_facts(&self) -> u64 {
        self.inner.illegal_facts()
    }

    /// The whole state as bytes, for the state hash.
    fn canonical_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let mut bytes = Vec::new();
        self.inner.canonical(&mut bytes);
        PyBytes::new(py, &bytes)
    }

    /// What outlives a process, as bytes: orders, fills, positions, halt.
    fn durable_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let mut bytes = Vec::new();
        self.inner.durable(&mut bytes);
        PyBytes::new(py, &bytes)
    }
}

/// Add this file's classes to `hean._core`.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyOrderEngine>()
}
