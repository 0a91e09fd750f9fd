// SPDX-License-Identifier: Apache-2.0
//! `parse_binance`, `parse_bybit`: one message to a dict. `CaptureBuilder`: a recorded file, fed in
//! chunks, to numpy columns; it reads without the interpreter's lock.

use hean_core::wire::capture::Capture;
use hean_core::wire::columns::{
    DepthColumns, IdColumn, MarkColumns, QuoteColumns, TradeColumns, EVENT_END, SNAPSHOT_BEGIN,
};
use hean_core::wire::frame::{
    BookTicker, DepthDelta, DepthSnapshot, Kline, Level, MarkPrice, Ticker, Trade, TradeId,
};
use hean_core::wire::report::{Places, Report};
use hean_core::wire::{self, Frame, Market, Number};
use hean_core::{Result, Side};
use numpy::{Element, IntoPyArray};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::error::raise;
use crate::wire_account::{set_private, set_reply};

/// A dict under construction.
pub type Dict<'py> = Bound<'py, PyDict>;

/// Set several items of a dict.
macro_rules! set {
    ($dict:expr, $($key:literal: $value:expr),+ $(,)?) => {{
        $($dict.set_item($key, $value)?;)+
    }};
}
pub(crate) use set;

/// One Binance message as a dict; `None` when HEAN has no use for it.
#[pyfunction]
fn parse_binance<'py>(py: Python<'py>, frame: &[u8]) -> PyResult<Option<Dict<'py>>> {
    frame_dict(py, wire::parse_binance(frame))
}

/// One Bybit message as a dict; `None` when HEAN has no use for it.
#[pyfunction]
fn parse_bybit<'py>(py: Python<'py>, frame: &[u8]) -> PyResult<Option<Dict<'py>>> {
    frame_dict(py, wire::parse_bybit(frame))
}

fn frame_dict<'py>(py: Python<'py>, frame: Result<Frame<'_>>) -> PyResult<Option<Dict<'py>>> {
    let frame = frame.map_err(|error| raise(&error))?;
    if matches!(frame, Frame::Ignored(_)) {
        return Ok(None);
    }
    let dict = PyDict::new(py);
    set!(dict, "kind": frame.kind(), "symbol": frame.symbol(), "ts_ns": frame.ts_ns());
    set_fields(&dict, &frame)?;
    Ok(Some(dict))
}

fn set_fields(dict: &Dict<'_>, frame: &Frame<'_>) -> PyResult<()> {
    match frame {
        Frame::Trades(trades) => dict.set_item("trades", list(dict.py(), trades, trade_dict)?),
        Frame::Klines(klines) => dict.set_item("klines", list(dict.py(), klines, kline_dict)?),
        Frame::BookTicker(quote) => set_quote(dict, quote),
        Frame::DepthDelta(delta) => set_delta(dict, delta),
        Frame::DepthSnapshot(snapshot) => set_snapshot(dict, snapshot),
        Frame::Ticker(ticker) => set_ticker(dict, ticker),
        Frame::MarkPrice(mark) => set_mark(dict, mark),
        Frame::Reply(reply) => set_reply(dict, reply),
        Frame::Private(private) => set_private(dict, private),
        Frame::Ignored(_) => Ok(()),
    }
}

/// A list of dicts.
pub fn list<'py, T>(
    py: Python<'py>,
    items: &[T],
    to_dict: impl Fn(Python<'py>, &T) -> PyResult<Dict<'py>>,
) -> PyResult<Bound<'py, PyList>> {
    let dicts = items.iter().map(|item| to_dict(py, item)).collect::<PyResult<Vec<_>>>()?;
    PyList::new(py, dicts)
}

fn float(number: Option<Number<'_>>) -> Option<f64> {
    number.map(|number| number.to_f64())
}

/// `BUY` or `SELL`.
pub const fn side_name(side: Side) -> &'static str {
    match side {
        Side::Buy => "BUY",
        Side::Sell => "SELL",
    }
}

/// Prices and quantities keep their text: `Decimal` and `Instrument` take it exactly.
fn trade_dict<'py>(py: Python<'py>, trade: &Trade<'_>) -> PyResult<Dict<'py>> {
    let dict = PyDict::new(py);
    set!(dict, "ts_ns": trade.ts_ns, "price": trade.price.to_f64(),
        "quantity": trade.quantity.to_f64(), "price_text": trade.price.text(),
        "quantity_text": trade.quantity.text(), "side": side_name(trade.side),
        "is_aggregate": trade.is_aggregate);
    match &trade.id {
        TradeId::Number(id) => set!(dict, "id": id),
        TradeId::Text(id) => set!(dict, "id": id.as_ref()),
    }
    Ok(dict)
}

fn kline_dict<'py>(py: Python<'py>, kline: &Kline<'_>) -> PyResult<Dict<'py>> {
    let dict = PyDict::new(py);
    set!(dict, "ts_ns": kline.ts_ns, "interval": kline.interval.as_ref(),
        "open_ns": kline.open_ns, "close_ns": kline.close_ns, "open": kline.open.to_f64(),
        "high": kline.high.to_f64(), "low": kline.low.to_f64(), "close": kline.close.to_f64(),
        "volume": kline.volume.to_f64(), "turnover": kline.turnover.to_f64(),
        "is_closed": kline.is_closed);
    Ok(dict)
}

fn set_quote(dict: &Dict<'_>, quote: &BookTicker<'_>) -> PyResult<()> {
    set!(dict, "bid": quote.bid.to_f64(), "bid_quantity": quote.bid_quantity.to_f64(),
        "ask": quote.ask.to_f64(), "ask_quantity": quote.ask_quantity.to_f64(),
        "update_id": quote.update_id);
    Ok(())
}

fn levels(levels: &[Level<'_>]) -> Vec<(f64, f64)> {
    levels.iter().map(|level| (level.price.to_f64(), level.quantity.to_f64())).collect()
}

fn set_delta(dict: &Dict<'_>, delta: &DepthDelta<'_>) -> PyResult<()> {
    set!(dict, "first_id": delta.first_id, "last_id": delta.last_id,
        "previous_id": delta.previous_id, "sequence": delta.sequence, "depth": delta.depth,
        "bids": levels(&delta.bids), "asks": levels(&delta.asks));
    Ok(())
}

fn set_snapshot(dict: &Dict<'_>, snapshot: &DepthSnapshot<'_>) -> PyResult<()> {
    set!(dict, "last_id": snapshot.last_id, "sequence": snapshot.sequence,
        "depth": snapshot.depth, "is_top_only": snapshot.is_top_only,
        "bids": levels(&snapshot.bids), "asks": levels(&snapshot.asks));
    Ok(())
}

fn set_ticker(dict: &Dict<'_>, ticker: &Ticker<'_>) -> PyResult<()> {
    set!(dict, "is_snapshot": ticker.is_snapshot, "last": float(ticker.last),
        "mark": float(ticker.mark), "index": float(ticker.index),
        "funding_rate": float(ticker.funding_rate), "next_funding_ns": ticker.next_funding_ns,
        "bid": float(ticker.bid), "bid_quantity": float(ticker.bid_quantity),
        "ask": float(ticker.ask), "ask_quantity": float(ticker.ask_quantity),
        "open_interest": float(ticker.open_interest));
    Ok(())
}

fn set_mark(dict: &Dict<'_>, mark: &MarkPrice<'_>) -> PyResult<()> {
    set!(dict, "mark": mark.mark.to_f64(), "index": float(mark.index),
        "funding_rate": float(mark.funding_rate), "next_funding_ns": mark.next_funding_ns);
    Ok(())
}

/// A recorded file, line by line, to columns.
#[pyclass(name = "CaptureBuilder", module = "hean._core")]
struct PyCaptureBuilder {
    inner: Option<wire::CaptureBuilder>,
}

impl PyCaptureBuilder {
    fn open(&mut self) -> PyResult<&mut wire::CaptureBuilder> {
        self.inner.as_mut().ok_or_else(|| PyValueError::new_err("the capture is finished"))
    }
}

#[pymethods]
impl PyCaptureBuilder {
    #[new]
    #[pyo3(signature = (*, symbol=None, market=None))]
    fn new(symbol: Option<String>, market: Option<&str>) -> PyResult<Self> {
        let market = market
            .map(|name| {
                Market::parse(name).ok_or_else(|| {
                    PyValueError::new_err(format!("market {name:?}: expected spot or linear"))
                })
            })
            .transpose()?;
        Ok(Self { inner: Some(wire::CaptureBuilder::new(symbol, market)) })
    }

    /// Take the next bytes of the file, cut anywhere.
    fn feed(&mut self, py: Python<'_>, chunk: &[u8]) -> PyResult<()> {
        let inner = self.open()?;
        py.detach(|| inner.feed(chunk));
        Ok(())
    }

    /// The file has ended; another one that continues it may follow.
    fn end_file(&mut self) -> PyResult<()> {
        self.open()?.end_file();
        Ok(())
    }

    /// End reading: tables and report as dicts; raises `DataInvalid` or `UnknownSymbol`.
    fn finish<'py>(&mut self, py: Python<'py>) -> PyResult<Dict<'py>> {
        self.open()?;
        let builder = self.inner.take().unwrap_or_default();
        let capture = py.detach(|| builder.finish()).map_err(|error| raise(&error))?;
        capture_dict(py, capture)
    }
}

fn capture_dict(py: Python<'_>, capture: Capture) -> PyResult<Dict<'_>> {
    let dict = PyDict::new(py);
    set!(dict, "depth": depth_dict(py, capture.depth)?, "trades": trades_dict(py, capture.trades)?,
        "quotes": quotes_dict(py, capture.quotes)?, "marks": marks_dict(py, capture.marks)?,
        "report": report_dict(py, capture.report)?);
    Ok(dict)
}

fn array<T: Element>(py: Python<'_>, column: Vec<T>) -> Bound<'_, PyAny> {
    column.into_pyarray(py).into_any()
}

fn depth_dict(py: Python<'_>, depth: DepthColumns) -> PyResult<Dict<'_>> {
    let dict = PyDict::new(py);
    set!(dict, "ts_ns": array(py, depth.ts_ns), "side": array(py, depth.side),
        "price": array(py, depth.price), "quantity": array(py, depth.quantity),
        "flags": array(py, depth.flags), "arrival": array(py, depth.arrival));
    Ok(dict)
}

fn trades_dict(py: Python<'_>, trades: TradeColumns) -> PyResult<Dict<'_>> {
    let dict = PyDict::new(py);
    set!(dict, "ts_ns": array(py, trades.ts_ns), "price": array(py, trades.price),
        "quantity": array(py, trades.quantity), "side": array(py, trades.side),
        "arrival": array(py, trades.arrival));
    match trades.id {
        IdColumn::Numbers(ids) => set!(dict, "id": array(py, ids)),
        IdColumn::Texts(ids) => set!(dict, "id": ids),
    }
    Ok(dict)
}

fn quotes_dict(py: Python<'_>, quotes: QuoteColumns) -> PyResult<Dict<'_>> {
    let dict = PyDict::new(py);
    set!(dict, "ts_ns": array(py, quotes.ts_ns), "bid": array(py, quotes.bid),
        "bid_quantity": array(py, quotes.bid_quantity), "ask": array(py, quotes.ask),
        "ask_quantity": array(py, quotes.ask_quantity), "arrival": array(py, quotes.arrival));
    Ok(dict)
}

fn marks_dict(py: Python<'_>, marks: MarkColumns) -> PyResult<Dict<'_>> {
    let dict = PyDict::new(py);
    set!(dict, "ts_ns": array(py, marks.ts_ns), "mark": array(py, marks.mark),
        "index": array(py, marks.index), "funding_rate": array(py, marks.funding_rate),
        "next_funding_ns": array(py, marks.next_funding_ns), "arrival": array(py, marks.arrival));
    Ok(dict)
}

fn report_dict(py: Python<'_>, report: Report) -> PyResult<Dict<'_>> {
    let dict = PyDict::new(py);
    let offset = report.receive_offset;
    set!(dict, "venue": report.venue.name(), "market": report.market.map(Market::name),
        "symbol": report.symbol, "symbols": report.symbols, "lines": report.lines,
        "frames": report.frames, "ignored": report.ignored, "bad_lines": places(report.bad_lines),
        "gaps": places(report.gaps), "snapshots": report.snapshots,
        "stale_deltas": report.stale_deltas, "unseeded_deltas": report.unseeded_deltas,
        "clamped": report.clamped, "estimated_times": report.estimated_times,
        "receive_unit": report.receive_unit.map(wire::line::Unit::name),
        "receive_offset_ns": (offset.count, offset.min_ns, offset.median_ns, offset.max_ns),
        "receive_backward": report.receive_backward);
    Ok(dict)
}

fn places(places: Places) -> (u64, Vec<(u64, String)>) {
    (places.count, places.first)
}

/// Add this file's functions and classes to `hean._core`.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("SNAPSHOT_BEGIN", SNAPSHOT_BEGIN)?;
    module.add("EVENT_END", EVENT_END)?;
    module.add_function(wrap_pyfunction!(parse_binance, module)?)?;
    module.add_function(wrap_pyfunction!(parse_bybit, module)?)?;
    module.add_class::<PyCaptureBuilder>()
}
