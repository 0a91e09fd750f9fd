// SPDX-License-Identifier: Apache-2.0
//! `Ledger`: `Decimal` or text in, `Decimal` out, and floats for charts. Instruments go by their
//! symbol. A float is accepted for a valuation mark alone, where it is rounded to the nearest
//! tick.

use hean_core::hash;
use hean_core::ledger::{Fee, FillEffect, LiquidationPrice, Position};
use hean_core::number::{Rounding, MONEY_SCALE};
use hean_core::{
    Code, CoreError, Instrument, Kind, Ledger, Money, Rate, Result as CoreResult, Side, Ticks,
};
use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyFloat, PyString};

use crate::convert::{amount, money, price as price_at, quantity, quantity_of, text, Amount};
use crate::error::raise;
use crate::instrument::PyInstrument;

/// `(realized, fee, position, was_flip)`
type Effect<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>, Bound<'py, PyAny>, bool);
/// `(quantity, average price, unrealized, realized, liquidation price)`
type View<'py> = (
    Bound<'py, PyAny>,
    Bound<'py, PyAny>,
    Bound<'py, PyAny>,
    Bound<'py, PyAny>,
    Option<Bound<'py, PyAny>>,
);

/// `(initial margin, maintenance margin, bankruptcy price)`
type Margin<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>, Option<Bound<'py, PyAny>>);

/// Exact account of perpetuals and spot in one quote currency.
#[pyclass(name = "Ledger", module = "hean._core")]
pub struct PyLedger {
    /// The ledger itself, for other Rust parts that share it.
    pub inner: Ledger,
}

fn parsed<T>(value: &Bound<'_, PyAny>, parse: impl Fn(&str) -> CoreResult<T>) -> PyResult<T> {
    exact(parse(text(value)?.to_str()?))
}

fn exact<T>(result: CoreResult<T>) -> PyResult<T> {
    result.map_err(|error| raise(&error))
}

/// Nearest chart value of an amount.
pub fn to_f64(amount: Money) -> f64 {
    amount.0 as f64 / MONEY_SCALE as f64
}

fn side_of(name: &str) -> PyResult<Side> {
    match name {
        "BUY" => Ok(Side::Buy),
        "SELL" => Ok(Side::Sell),
        other => Err(PyValueError::new_err(format!("side {other:?}: expected BUY or SELL"))),
    }
}

fn liquidation_at(name: &str) -> PyResult<LiquidationPrice> {
    match name {
        "mark" => Ok(LiquidationPrice::Mark),
        "bankruptcy" => Ok(LiquidationPrice::Bankruptcy),
        other => Err(PyValueError::new_err(format!("at {other:?}: expected mark or bankruptcy"))),
    }
}

/// A valuation price: a float to the nearest tick, anything exact onto its tick or refused.
fn mark_of(instrument: &Instrument, price: &Bound<'_, PyAny>) -> PyResult<Ticks> {
    match price.cast::<PyFloat>() {
        Ok(float) => exact(instrument.quantise_price(float.extract()?, Rounding::Nearest)),
        Err(_) => price_at(instrument, price),
    }
}

impl PyLedger {
    fn find(&self, symbol: &str) -> PyResult<(usize, &Instrument, &Position)> {
        let found = self.inner.index_of(symbol).and_then(|number| {
            Some((number, self.inner.instrument(number)?, self.inner.position(number)?))
        });
        let missing = || format!("{symbol}: not in this ledger");
        exact(found.ok_or_else(|| CoreError::new(Code::UnknownSymbol, missing())))
    }

    fn add(&mut self, instrument: &Instrument, leverage: Option<Rate>) -> CoreResult<()> {
        let number = self.inner.add_instrument(instrument.clone())?;
        match (instrument.kind, leverage) {
            (Kind::LinearPerpetual, Some(leverage)) => self.inner.set_leverage(number, leverage),
            _ => Ok(()),
        }
    }

    fn effect<'py>(
        &self,
        py: Python<'py>,
        symbol: &str,
        done: FillEffect,
    ) -> PyResult<Effect<'py>> {
        let (_, rules, _) = self.find(symbol)?;
        let position = quantity_of(py, rules, done.position)?;
        Ok((money(py, done.realised)?, money(py, done.fee)?, position, done.was_flip))
    }
}

#[pymethods]
impl PyLedger {
    #[new]
    #[pyo3(signature = (cash, instruments, *, leverage=None, allow_spot_borrowing=false))]
    fn new(
        cash: &Bound<'_, PyAny>,
        instruments: Vec<PyRef<'_, PyInstrument>>,
        leverage: Option<&Bound<'_, PyAny>>,
        allow_spot_borrowing: bool,
    ) -> PyResult<Self> {
        let mut inner = exact(Ledger::new(parsed(cash, Money::parse)?))?;
        if allow_spot_borrowing {
            inner = inner.with_spot_borrowing();
        }
        let leverage = leverage.map(|value| parsed(value, Rate::parse)).transpose()?;
        let mut ledger = Self { inner };
        instruments.iter().try_for_each(|rules| exact(ledger.add(&rules.inner, leverage)))?;
        Ok(ledger)
    }

    /// Hold one more instrument.
    #[pyo3(signature = (instrument, *, leverage=None))]
    fn add_instrument(
        &mut self,
        instrument: PyRef<'_, PyInstrument>,
        leverage: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let leverage = leverage.map(|value| parsed(value, Rate::parse)).transpose()?;
        exact(self.add(&instrument.inner, leverage))
    }

    /// Leverage of one perpetual.
    fn set_leverage(&mut self, symbol: &str, leverage: &Bound<'_, PyAny>) -> PyResult<()> {
        let (number, ..) = self.find(symbol)?;
        let leverage = parsed(leverage, Rate::parse)?;
        exact(self.inner.set_leverage(number, leverage))
    }

    /// Book a fill; `fee` is the amount in quote. Returns (realized, fee, position, was_flip).
    #[pyo3(signature = (symbol, side, price, qty, fee))]
    fn fill<'py>(
        &mut self,
        py: Python<'py>,
        symbol: &str,
        side: &str,
        price: &Bound<'py, PyAny>,
        qty: &Bound<'py, PyAny>,
        fee: &Bound<'py, PyAny>,
    ) -> PyResult<Effect<'py>> {
        let (number, rules, _) = self.find(symbol)?;
        let ticks = price_at(rules, price)?;
        let lots = quantity(rules, qty)?;
        let fee = Fee::Amount(amount(fee)?);
        let effect = exact(self.inner.fill(number, side_of(side)?, ticks, lots, fee))?;
        self.effect(py, symbol, effect)
    }

    /// Book an `OrderFilled`, without a word about what it did.
    fn book(&mut self, fill: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = fill.py();
        let symbol = fill.getattr(intern!(py, "symbol"))?.cast_into::<PyString>()?;
        let side = fill.getattr(intern!(py, "side"))?.cast_into::<PyString>()?;
        let (number, rules, _) = self.find(symbol.to_str()?)?;
        let ticks = price_at(rules, &fill.getattr(intern!(py, "fill_price"))?)?;
        let lots = quantity(rules, &fill.getattr(intern!(py, "filled_qty"))?)?;
        let fee = Fee::Amount(amount(&fill.getattr(intern!(py, "fee"))?)?);
        let side = side_of(side.to_str()?)?;
        exact(self.inner.fill(number, side, ticks, lots, fee)).map(drop)
    }

    /// Value a symbol at a price.
    fn mark(&mut self, symbol: &str, price: &Bound<'_, PyAny>) -> PyResult<()> {
        let (number, rules, _) = self.find(symbol)?;
        let ticks = mark_of(rules, price)?;
        exact(self.inner.mark(number, ticks))
    }

    /// Does a symbol have a position?
    fn is_held(&self, symbol: &str) -> PyResult<bool> {
        self.find(symbol).map(|(_, _, position)| position.lots.0 != 0)
    }

    /// Settle funding at a mark price; returns the cash received.
    fn funding<'py>(
        &mut self,
        py: Python<'py>,
        symbol: &str,
        rate: &Bound<'py, PyAny>,
        mark: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (number, rules, _) = self.find(symbol)?;
        let ticks = mark_of(rules, mark)?;
        let rate = match rate.cast::<PyFloat>() {
            Ok(float) => exact(Rate::from_f64(float.extract()?))?,
            Err(_) => parsed(rate, Rate::parse)?,
        };
        money(py, exact(self.inner.funding(number, rate, ticks))?)
    }

    /// Book funding that was received, or paid where it is negative, as an amount.
    fn receive_funding(&mut self, symbol: &str, amount: &Bound<'_, PyAny>) -> PyResult<()> {
        let (number, ..) = self.find(symbol)?;
        let amount = parsed(amount, Money::parse)?;
        exact(self.inner.receive_funding(number, amount))
    }

    /// Cash, coins at their mark and unrealised profit of perpetuals.
    #[getter]
    fn equity<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        money(py, self.inner.equity())
    }

    /// `equity`, to be handed to another part of the core.
    #[getter]
    fn equity_amount(&self) -> Amount {
        Amount(self.inner.equity())
    }

    /// Quote coins in the account.
    #[getter]
    fn cash<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        money(py, self.inner.cash())
    }

    /// First cash plus transfers.
    #[getter]
    fn deposits<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        money(py, self.inner.deposits())
    }

    /// Profit of all closed lots, before fees and funding.
    #[getter]
    fn realized<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        money(py, self.inner.realised())
    }

    /// Value of everything held minus its cost.
    #[getter]
    fn unrealized<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        money(py, self.inner.unrealised())
    }

    /// Trading fees paid.
    #[getter]
    fn fees<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        money(py, self.inner.fees())
    }

    /// Funding received; negative if paid.
    #[getter]
    fn funding_total<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        money(py, self.inner.funding_total())
    }

    /// Fees paid for liquidations.
    #[getter]
    fn liquidation_fees<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        money(py, self.inner.liquidation_fees())
    }

    /// Initial margin bound by all positions.
    #[getter]
    fn used_margin<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        money(py, self.inner.used_margin())
    }

    /// What may be spent, posted or withdrawn.
    #[getter]
    fn available<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        money(py, self.inner.available())
    }

    /// Highest observed equity.
    #[getter]
    fn peak_equity<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        money(py, self.inner.drawdown().peak())
    }

    /// Largest observed fall from a peak, in quote.
    #[getter]
    fn max_drawdown<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        money(py, self.inner.drawdown().largest())
    }

    /// `equity` as a float, for charts.
    #[getter]
    fn equity_f64(&self) -> f64 {
        to_f64(self.inner.equity())
    }

    /// `cash` as a float, for charts.
    #[getter]
    fn cash_f64(&self) -> f64 {
        to_f64(self.inner.cash())
    }

    /// `realized` as a float, for charts.
    #[getter]
    fn realized_f64(&self) -> f64 {
        to_f64(self.inner.realised())
    }

    /// `unrealized` as a float, for charts.
    #[getter]
    fn unrealized_f64(&self) -> f64 {
        to_f64(self.inner.unrealised())
    }

    /// `fees` as a float, for charts.
    #[getter]
    fn fees_f64(&self) -> f64 {
        to_f64(self.inner.fees())
    }

    /// `funding_total` as a float, for charts.
    #[getter]
    fn funding_total_f64(&self) -> f64 {
        to_f64(self.inner.funding_total())
    }

    /// Largest observed fall as a fraction of its peak.
    #[getter]
    fn max_drawdown_fraction(&self) -> f64 {
        self.inner.drawdown().largest_rate().to_f64()
    }

    /// Note the present equity for peak and drawdown; returns it as a float.
    fn observe_equity(&mut self) -> f64 {
        to_f64(self.inner.observe_equity())
    }

    /// Deposit, or withdraw with a negative amount.
    fn transfer(&mut self, amount: &Bound<'_, PyAny>) -> PyResult<()> {
        let amount = parsed(amount, Money::parse)?;
        exact(self.inner.transfer(amount))
    }

    /// (quantity, average price, unrealized, realized, isolated liquidation price or None).
    fn position<'py>(&self, py: Python<'py>, symbol: &str) -> PyResult<View<'py>> {
        let (number, rules, held) = self.find(symbol)?;
        let liquidation = exact(self.inner.liquidation_price(number))?;
        Ok((
            quantity_of(py, rules, held.lots)?,
            money(py, held.average_price(rules).unwrap_or(Money::ZERO))?,
            money(py, held.unrealised)?,
            money(py, held.realised)?,
            liquidation.map(|price| money(py, price)).transpose()?,
        ))
    }

    /// (initial margin, maintenance margin, bankruptcy price or None), by entry value.
    fn margin<'py>(&self, py: Python<'py>, symbol: &str) -> PyResult<Margin<'py>> {
        let (number, _, held) = self.find(symbol)?;
        let maintenance = exact(self.inner.maintenance_margin(number))?;
        let bankruptcy = exact(self.inner.bankruptcy_price(number))?;
        let bankruptcy = bankruptcy.map(|price| money(py, price)).transpose()?;
        Ok((money(py, held.initial_margin)?, money(py, maintenance)?, bankruptcy))
    }

    /// Whether equity at the marks is below the maintenance margin of all positions.
    fn liquidation_due(&self) -> bool {
        self.inner.liquidation_due()
    }

    /// Close a perpetual by force at its `mark` or `bankruptcy` price; returns as `fill`.
    #[pyo3(signature = (symbol, at, *, fee_rate))]
    fn liquidate<'py>(
        &mut self,
        py: Python<'py>,
        symbol: &str,
        at: &str,
        fee_rate: &Bound<'py, PyAny>,
    ) -> PyResult<Effect<'py>> {
        let (number, ..) = self.find(symbol)?;
        let fee_rate = parsed(fee_rate, Rate::parse)?;
        let done = exact(self.inner.liquidate(number, liquidation_at(at)?, fee_rate))?;
        self.effect(py, symbol, done)
    }

    /// Recompute everything and raise `LedgerBroken` if a running sum differs.
    fn check(&self) -> PyResult<()> {
        exact(self.inner.check())
    }

    /// The canonical form, for `state_hash`.
    fn canonical_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let mut out = Vec::new();
        self.inner.canonical(&mut out);
        PyBytes::new(py, &out)
    }

    /// What outlives a process, as bytes: money and positions without marks.
    fn durable_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let mut out = Vec::new();
        self.inner.durable(&mut out);
        PyBytes::new(py, &out)
    }
}

/// SHA-256 over canonical parts, each behind its length, as hexadecimal text.
#[pyfunction]
fn state_hash(parts: Vec<Bound<'_, PyBytes>>) -> String {
    let parts: Vec<&[u8]> = parts.iter().map(|part| part.as_bytes()).collect();
    hash::to_hex(&hash::state_hash(&parts))
}

/// Add this file's class and function to `hean._core`.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyLedger>()?;
    module.add_function(wrap_pyfunction!(state_hash, module)?)
}
