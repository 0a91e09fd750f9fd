// SPDX-License-Identifier: Apache-2.0
//! Facts of the simulated venue as payloads of `hean.core.types`.

use hean_core::order::{OrderType, TimeInForce};
use hean_core::sim::{Fact, Fill, Rows};
use hean_core::Code;
use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};

use crate::convert::{money, price_of, quantity_of};
use crate::sim::PySimVenue;

/// Levels a side of a `Book` payload.
const BOOK_DEPTH: usize = 20;

/// Classes and constants of `hean.core.types`, looked up once.
pub struct Types {
    tick: Py<PyAny>,
    candle: Py<PyAny>,
    book: Py<PyAny>,
    funding: Py<PyAny>,
    placed: Py<PyAny>,
    filled: Py<PyAny>,
    cancelled: Py<PyAny>,
    rejected: Py<PyAny>,
    amended: Py<PyAny>,
    amend_rejected: Py<PyAny>,
    pub sides: [Py<PyAny>; 2],
    pub kinds: [Py<PyAny>; 5],
    pub lives: [Py<PyAny>; 4],
    liquidities: [Py<PyAny>; 2],
}

impl Types {
    /// Look everything up.
    pub fn load(py: Python<'_>) -> PyResult<Self> {
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
            amended: get("OrderAmended")?,
            amend_rejected: get("AmendRejected")?,
            sides: [member("Side", "BUY")?, member("Side", "SELL")?],
            kinds: [kind(0)?, kind(1)?, kind(2)?, kind(3)?, kind(4)?],
            lives: [life(0)?, life(1)?, life(2)?, life(3)?],
            liquidities: [member("Liquidity", "TAKER")?, member("Liquidity", "MAKER")?],
        })
    }
}

impl PySimVenue {
    pub fn payload<'py>(
        &self,
        py: Python<'py>,
        fact: &Fact,
        ts: i64,
    ) -> PyResult<Bound<'py, PyAny>> {
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
                let rest = quantity_of(py, rules, remaining)?;
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
            Fact::Filled { key, fill } => {
                self.fill(py, fill, id(key).bind(py), &self.strategies[key as usize])
            }
            Fact::Liquidated { fill } => {
                let id = PyString::new(py, &format!("venue-liquidation-{}", fill.exec_id));
                self.fill(py, fill, &id, &PyString::intern(py, "").unbind())
            }
            ref amendment => self.amendment(py, amendment),
        }
    }

    fn amendment<'py>(&self, py: Python<'py>, fact: &Fact) -> PyResult<Bound<'py, PyAny>> {
        let types = &self.types;
        let id = |key: u32| &self.order_ids[key as usize];
        let symbol = |key: u32| &self.symbols[self.order_symbols[key as usize]];
        match *fact {
            Fact::Amended { key, price, lots, remaining } => {
                let rules = self.rules(self.order_symbols[key as usize])?;
                types.amended.bind(py).call1((
                    id(key),
                    price.map(|price| price_of(py, rules, price)).transpose()?,
                    quantity_of(py, rules, lots)?,
                    quantity_of(py, rules, remaining)?,
                    symbol(key),
                ))
            }
            Fact::AmendRefused { key, code, reason } => types.amend_rejected.bind(py).call1((
                id(key),
                reason,
                code.number(),
                intern!(py, "venue"),
                symbol(key),
                &self.strategies[key as usize],
            )),
            _ => Err(PyValueError::new_err("a market fact is not an answer")),
        }
    }

    fn fill<'py>(
        &self,
        py: Python<'py>,
        fill: Fill,
        id: &Bound<'py, PyString>,
        strategy: &Py<PyString>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let Fill { instrument, side, price, lots, remaining, fee, exec_id, is_maker } = fill;
        let rules = self.rules(instrument)?;
        self.types.filled.bind(py).call1((
            id,
            price_of(py, rules, price)?,
            quantity_of(py, rules, lots)?,
            &self.symbols[instrument],
            &self.types.sides[side as usize],
            money(py, fee)?,
            format!("v{exec_id}"),
            &self.types.liquidities[usize::from(is_maker)],
            quantity_of(py, rules, remaining)?,
            strategy,
        ))
    }
}
