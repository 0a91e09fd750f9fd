// SPDX-License-Identifier: Apache-2.0
//! `Desk`: one instrument of the venue twin. Ticks and lots in, tuples out; levels go out as text
//! with the decimals a venue prints.

use hean_core::book::Quote;
use hean_core::number::{format_decimal, Rounding};
use hean_core::order::TimeInForce;
use hean_core::sim::market::{DepthEvent, Execution, FillModel};
use hean_core::sim::{Arrival, Desk, Outcome, SelfMatch};
use hean_core::{Lots, Side, Ticks};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::error::raise;
use crate::instrument::PyInstrument;

/// (key, is buy, price ticks, lots, lots left, is maker).
type Row = (u32, bool, i64, i64, i64, bool);
type TextLevels = Vec<(String, String)>;

fn row(execution: &Execution) -> Row {
    let Execution { key, side, price, lots, remaining, is_maker, .. } = *execution;
    (key, side == Side::Buy, price.0, lots.0, remaining.0, is_maker)
}

const fn side(is_buy: bool) -> Side {
    if is_buy {
        Side::Buy
    } else {
        Side::Sell
    }
}

fn quotes(levels: Vec<(i64, i64)>) -> Vec<Quote> {
    levels.into_iter().map(|(price, lots)| (Ticks(price), Lots(lots))).collect()
}

fn named<T: Copy>(what: &str, name: &str, table: &[(&str, T)]) -> PyResult<T> {
    table.iter().find(|row| row.0 == name).map(|row| row.1).ok_or_else(|| {
        let known: Vec<_> = table.iter().map(|row| row.0).collect();
        PyValueError::new_err(format!("{what} {name:?}: expected one of {known:?}"))
    })
}

const LIVES: [(&str, TimeInForce); 4] = [
    ("GTC", TimeInForce::Gtc),
    ("IOC", TimeInForce::Ioc),
    ("FOK", TimeInForce::Fok),
    ("POST_ONLY", TimeInForce::PostOnly),
];
const SELF_MATCHES: [(&str, SelfMatch); 4] = [
    ("allow", SelfMatch::Allow),
    ("cancel_maker", SelfMatch::CancelMaker),
    ("cancel_taker", SelfMatch::CancelTaker),
    ("cancel_both", SelfMatch::CancelBoth),
];

/// One instrument of the venue twin.
#[pyclass(name = "Desk", module = "hean._core")]
struct PyDesk {
    inner: Desk,
    price_decimals: usize,
    quantity_decimals: usize,
}

impl PyDesk {
    fn rows(&self) -> Vec<Row> {
        self.inner.executions().iter().map(row).collect()
    }

    fn text(&self, levels: &[Quote]) -> TextLevels {
        let rules = self.inner.instrument();
        let fixed = |units: i128, decimals: usize| {
            let text = format_decimal(units, hean_core::instrument::STEP_DECIMALS);
            let (whole, part) = text.split_once('.').unwrap_or((text.as_str(), ""));
            match decimals {
                0 => whole.to_owned(),
                _ => format!("{whole}.{part:0<decimals$}"),
            }
        };
        let price =
            |ticks: Ticks| fixed(i128::from(ticks.0) * rules.tick_size, self.price_decimals);
        let quantity =
            |lots: Lots| fixed(i128::from(lots.0) * rules.lot_size, self.quantity_decimals);
        levels.iter().map(|&(ticks, lots)| (price(ticks), quantity(lots))).collect()
    }
}

#[pymethods]
impl PyDesk {
    #[new]
    #[pyo3(signature = (instrument, *, price_decimals, quantity_decimals))]
    fn new(instrument: &PyInstrument, price_decimals: usize, quantity_decimals: usize) -> Self {
        let inner = Desk::new(instrument.inner.clone(), FillModel::default());
        Self { inner, price_decimals, quantity_decimals }
    }

    fn depth(
        &mut self,
        is_snapshot: bool,
        bids: Vec<(i64, i64)>,
        asks: Vec<(i64, i64)>,
    ) -> Vec<Row> {
        let (bids, asks) = (quotes(bids), quotes(asks));
        self.inner.depth(&DepthEvent { is_snapshot, bids, asks });
        self.rows()
    }

    fn trade(&mut self, price_ticks: i64, lots: i64, is_buy: bool) -> Vec<Row> {
        self.inner.trade(Ticks(price_ticks), Lots(lots), side(is_buy));
        self.rows()
    }

    #[pyo3(signature = (key, owner, is_buy, lots, limit, life="GTC", self_match="allow"))]
    #[allow(clippy::too_many_arguments)] // the fields of one order
    fn enter(
        &mut self,
        key: u32,
        owner: u32,
        is_buy: bool,
        lots: i64,
        limit: Option<i64>,
        life: &str,
        self_match: &str,
    ) -> PyResult<(&'static str, i64, Vec<Row>, Vec<u32>)> {
        let arrival = Arrival {
            key,
            owner,
            side: side(is_buy),
            lots: Lots(lots),
            limit: limit.map(Ticks),
            life: named("time in force", life, &LIVES)?,
            self_match: named("self match", self_match, &SELF_MATCHES)?,
        };
        let outcome = self.inner.enter(&arrival).map_err(|error| raise(&error))?;
        let (word, left) = match outcome {
            Outcome::Filled => ("filled", 0),
            Outcome::Resting(left) => ("resting", left.0),
            Outcome::Unfilled(left) => ("unfilled", left.0),
            Outcome::WouldTrade => ("would_trade", lots),
            Outcome::NotFillable => ("not_fillable", lots),
            Outcome::SelfMatched(left) => ("self_matched", left.0),
        };
        Ok((word, left, self.rows(), self.inner.self_matched().to_vec()))
    }

    fn cancel(&mut self, key: u32) -> Option<i64> {
        self.inner.cancel(key).map(|lots| lots.0)
    }

    fn shrink(&mut self, key: u32, lots: i64) -> bool {
        self.inner.shrink(key, Lots(lots))
    }

    fn open(&self, key: u32) -> Option<i64> {
        self.inner.open(key).map(|lots| lots.0)
    }

    fn best(&self, is_buy: bool) -> Option<(i64, i64)> {
        self.inner.levels(side(is_buy), 1).first().map(|level| (level.0 .0, level.1 .0))
    }

    fn levels(&self, depth: usize) -> (TextLevels, TextLevels) {
        let side = |side| self.text(&self.inner.levels(side, depth));
        (side(Side::Buy), side(Side::Sell))
    }

    fn add_reader(&mut self, depth: usize) -> PyResult<usize> {
        self.inner.add_reader(depth).map_err(|error| raise(&error))
    }

    fn changes(&mut self, reader: usize) -> (TextLevels, TextLevels) {
        let [bids, asks] = self.inner.changes(reader);
        (self.text(&bids), self.text(&asks))
    }

    #[getter]
    fn last(&self) -> Option<i64> {
        self.inner.last().map(|price| price.0)
    }

    /// Nearest tick and lots of floats, as recorded data and generated markets have them.
    fn count(&self, price: f64, quantity: f64) -> PyResult<(i64, i64)> {
        let rules = self.inner.instrument();
        let price = rules.quantise_price(price, Rounding::Nearest).map_err(|e| raise(&e))?;
        let lots = rules.quantise_quantity(quantity).map_err(|e| raise(&e))?;
        Ok((price.0, lots.0))
    }
}

/// Add this file's class to `hean._core`.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyDesk>()
}
