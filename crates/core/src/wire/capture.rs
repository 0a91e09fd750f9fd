// SPDX-License-Identifier: Apache-2.0
//! A recorded file to tables. [`CaptureBuilder`] takes the file's bytes in chunks of any size,
//! parses each line with the parsers that live feeds use, and ends in [`Capture`]: depth rows,
//! trades, quotes, mark prices, and a report of all that was left out. One capture is one symbol of
//! one market: a file with several needs a filter. A file that continues another follows it in the
//! same builder. It reads no file itself, and it refuses nothing silently: a line is used, counted
//! as ignored, or counted as bad with its number.

use std::collections::BTreeMap;

use serde::de::IgnoredAny;
use serde::Deserialize;

use super::clock::CaptureClock;
use super::columns::{DepthColumns, MarkColumns, QuoteColumns, TradeColumns};
use super::frame::Frame;
use super::json::read as read_json;
use super::line::{read_line, Line, Received};
use super::report::{count, Counts, Places, Report};
use super::seeding::BookSeeding;
use super::tables::Tables;
use super::{check_length, invalid, Market, Venue, FRAME_BYTES_MAX};
use crate::error::{Code, CoreError, Result};

/// Frames without a venue time that may wait for the first frame with one.
pub const UNTIMED_FRAMES_MAX: usize = 10_000;

/// The tables of a capture and what was found while reading it.
#[derive(Debug)]
pub struct Capture {
    /// Book changes.
    pub depth: DepthColumns,
    /// Trades.
    pub trades: TradeColumns,
    /// Best bids and asks.
    pub quotes: QuoteColumns,
    /// Mark prices and funding.
    pub marks: MarkColumns,
    /// Counts and findings.
    pub report: Report,
}

struct Untimed {
    line: u64,
    received_ns: Option<i64>,
    payload: Vec<u8>,
}

/// Reads a capture line by line.
#[derive(Default)]
pub struct CaptureBuilder {
    symbol_wanted: Option<String>,
    market_wanted: Option<Market>,
    venue: Option<Venue>,
    market: Option<Market>,
    symbol: Option<String>,
    symbols: BTreeMap<(String, Option<Market>), u64>,
    symbol_frames: u64,
    nameless_snapshots: u64,
    connections: BTreeMap<String, Option<Market>>,
    clock: CaptureClock,
    untimed: Vec<Untimed>,
    estimated: u64,
    lines: u64,
    tail: Vec<u8>,
    is_overlong: bool,
    topic_depth: Option<Option<u32>>,
    book: BookSeeding,
    tables: Tables,
    frames: Counts,
    ignored: Counts,
    bad_lines: Places,
}

impl CaptureBuilder {
    /// A builder for one symbol and market; `None` takes the only one there is.
    #[must_use]
    pub fn new(symbol: Option<String>, market: Option<Market>) -> Self {
        Self { symbol_wanted: symbol, market_wanted: market, ..Self::default() }
    }

    /// Take the next bytes of the file, cut anywhere.
    pub fn feed(&mut self, mut chunk: &[u8]) {
        while let Some(end) = chunk.iter().position(|&byte| byte == b'\n') {
            let (head, rest) = chunk.split_at(end);
            chunk = rest.get(1..).unwrap_or_default();
            if self.tail.is_empty() && !self.is_overlong {
                self.line(head);
            } else {
                self.extend_tail(head);
                self.end_line();
            }
        }
        self.extend_tail(chunk);
    }

    /// The file has ended; a last line without a newline is read. Another file may follow.
    pub fn end_file(&mut self) {
        if !self.tail.is_empty() || self.is_overlong {
            self.end_line();
        }
    }

    /// A line longer than any frame is not stored, only counted as bad.
    fn extend_tail(&mut self, bytes: &[u8]) {
        if self.tail.len() + bytes.len() > 2 * FRAME_BYTES_MAX {
            self.is_overlong = true;
            self.tail = Vec::new();
        } else if !self.is_overlong {
            self.tail.extend_from_slice(bytes);
        }
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.tail);
        if std::mem::take(&mut self.is_overlong) {
            self.lines += 1;
            self.bad_lines.add(self.lines, format!("line above {} bytes", 2 * FRAME_BYTES_MAX));
        } else {
            self.line(&line);
        }
        self.tail = line;
        self.tail.clear();
    }

    fn line(&mut self, line: &[u8]) {
        self.lines += 1;
        if let Err(error) = self.read(line.trim_ascii(), self.lines) {
            self.bad_lines.add(self.lines, error.message);
        }
    }

    fn read(&mut self, line: &[u8], number: u64) -> Result<()> {
        match read_line(line)? {
            Line::Frame { received, connection, payload } => {
                let market = connection.and_then(|name| self.connections.get(name.as_ref()));
                let market = market.copied().flatten();
                self.payload(&payload, received, market, number)
            }
            Line::Connect { connection, market } => {
                self.connections.insert(connection.into_owned(), market);
                Ok(())
            }
            Line::Note(kind) => {
                if kind == "disconnect" {
                    self.book.lost(number);
                }
                count(&mut self.ignored, &kind);
                Ok(())
            }
        }
    }

    fn payload(
        &mut self,
        payload: &[u8],
        received: Option<Received>,
        market: Option<Market>,
        number: u64,
    ) -> Result<()> {
        let venue = self.venue_of(payload)?;
        let frame = venue.parse(payload)?;
        let received_ns = self.clock.receive(received)?;
        if !self.admit(&frame, venue, market)? {
            return Ok(());
        }
        match frame.ts_ns() {
            Some(ts_ns) => {
                self.clock.observe(received_ns, ts_ns)?;
                self.replay_untimed(venue)?;
                self.take(&frame, ts_ns, venue, number);
                Ok(())
            }
            None => self.take_untimed(&frame, payload, received_ns, venue, number),
        }
    }

    fn venue_of(&mut self, payload: &[u8]) -> Result<Venue> {
        if let Some(venue) = self.venue {
            return Ok(venue);
        }
        check_length(payload)?;
        let venue = detect(payload)?;
        self.venue = Some(venue);
        Ok(venue)
    }

    /// Whether the frame belongs to the capture; counts it by symbol.
    fn admit(&mut self, frame: &Frame<'_>, venue: Venue, market: Option<Market>) -> Result<bool> {
        let is_other = matches!(
            frame,
            Frame::Ignored(_) | Frame::Reply(_) | Frame::Private(_) | Frame::Klines(_)
        );
        if is_other {
            count(&mut self.ignored, frame.kind());
            return Ok(false);
        }
        let Some(symbol) = frame.symbol() else {
            let is_snapshot = matches!(frame, Frame::DepthSnapshot(_));
            self.nameless_snapshots += u64::from(is_snapshot);
            return Ok(is_snapshot);
        };
        let market = match venue {
            Venue::Bybit => market,
            Venue::Binance => self.binance_market(frame)?,
        };
        let is_known = self.symbol.as_deref() == Some(symbol) && self.market == market;
        if is_known {
            self.symbol_frames += 1;
            return Ok(true);
        }
        let is_wanted = self.symbol_wanted.as_deref().is_none_or(|wanted| wanted == symbol)
            && self.market_wanted.is_none_or(|wanted| market.is_none_or(|found| found == wanted));
        if is_wanted && self.symbol.is_none() {
            self.symbol = Some(symbol.to_owned());
            self.market = market;
            self.symbol_frames += 1;
            return Ok(true);
        }
        *self.symbols.entry((symbol.to_owned(), market)).or_default() += 1;
        count(&mut self.ignored, "other_symbol");
        Ok(false)
    }

    /// USD-M frames chain by `pu` and time their quotes, spot frames do neither.
    fn binance_market(&mut self, frame: &Frame<'_>) -> Result<Option<Market>> {
        let found = match frame {
            Frame::DepthDelta(delta) => delta.previous_id.is_some(),
            Frame::BookTicker(quote) => quote.ts_ns.is_some(),
            Frame::MarkPrice(_) => true,
            _ => return Ok(self.market),
        };
        let found = if found { Market::Linear } else { Market::Spot };
        match self.market {
            Some(market) if market != found => Err(invalid(format!(
                "a {} frame in a {} capture: two markets in one file",
                found.name(),
                market.name()
            ))),
            _ => {
                self.market = Some(found);
                Ok(self.market)
            }
        }
    }

    fn take_untimed(
        &mut self,
        frame: &Frame<'_>,
        payload: &[u8],
        received_ns: Option<i64>,
        venue: Venue,
        number: u64,
    ) -> Result<()> {
        if let Some(ts_ns) = self.clock.estimate(received_ns) {
            self.estimated += 1;
            self.take(frame, ts_ns, venue, number);
            return Ok(());
        }
        if self.untimed.len() == UNTIMED_FRAMES_MAX {
            return Err(invalid("no frame with a venue time so far, so this one cannot be placed"));
        }
        self.untimed.push(Untimed { line: number, received_ns, payload: payload.to_owned() });
        Ok(())
    }

    /// The first timed frame has come: place what waited for it.
    fn replay_untimed(&mut self, venue: Venue) -> Result<()> {
        for waited in std::mem::take(&mut self.untimed) {
            let frame = venue.parse(&waited.payload)?;
            if let Some(ts_ns) = self.clock.estimate(waited.received_ns) {
                self.estimated += 1;
                self.take(&frame, ts_ns, venue, waited.line);
            }
        }
        Ok(())
    }

    fn take(&mut self, frame: &Frame<'_>, ts_ns: i64, venue: Venue, line: u64) {
        let used = match frame {
            Frame::Trades(trades) => self.tables.take_trades(trades, line),
            Frame::BookTicker(quote) => self.tables.take_quote(quote, ts_ns, line),
            Frame::DepthDelta(delta) if self.is_topic(delta.depth) => {
                self.book.delta(delta, line, venue);
                true
            }
            Frame::DepthSnapshot(book) if !book.is_top_only && self.is_topic(book.depth) => {
                self.book.snapshot(book, ts_ns, line, venue);
                true
            }
            Frame::Ticker(ticker) => self.tables.take_ticker(ticker, line),
            Frame::MarkPrice(mark) => self.tables.take_mark(mark, line),
            _ => false,
        };
        count(if used { &mut self.frames } else { &mut self.ignored }, frame.kind());
    }

    /// Books of two depths on one connection do not chain: the first one is kept.
    fn is_topic(&mut self, depth: Option<u32>) -> bool {
        *self.topic_depth.get_or_insert(depth) == depth
    }

    /// End reading. *Errors*: `DataInvalid` for an empty file, a file without market data, or
    /// several symbols and no filter; `UnknownSymbol` when the filter matches nothing.
    pub fn finish(mut self) -> Result<Capture> {
        self.end_file();
        for _ in &self.untimed {
            count(&mut self.ignored, "untimed");
        }
        let Some(venue) = self.venue else {
            return Err(self.nothing_read());
        };
        let Some(symbol) = self.symbol.clone() else {
            return Err(self.symbol_not_found());
        };
        if let (Some(wanted), Some(found)) = (self.market_wanted, self.market) {
            if wanted != found {
                let (wanted, found) = (wanted.name(), found.name());
                let sentence = format!("the capture is {symbol} {found}, not {wanted}");
                return Err(CoreError::new(Code::UnknownSymbol, sentence));
            }
        }
        let others: Vec<String> = self.symbols.keys().map(|key| label(&key.0, key.1)).collect();
        if !others.is_empty() && (self.is_unfiltered() || self.nameless_snapshots > 0) {
            return Err(self.several_symbols(&symbol, &others));
        }
        Ok(self.close(venue, symbol))
    }

    /// Another entry would have matched the filter too.
    fn is_unfiltered(&self) -> bool {
        self.symbols.keys().any(|(symbol, market)| {
            self.symbol_wanted.as_ref().is_none_or(|wanted| wanted == symbol)
                && (self.market_wanted.is_none() || *market == self.market_wanted)
        })
    }

    fn nothing_read(&self) -> CoreError {
        let sentence = match self.bad_lines.first.first() {
            Some((line, why)) => format!("no frame understood; line {line}: {why}"),
            None if self.lines == 0 => "the capture is empty".to_owned(),
            None => format!("no frame in {} lines", self.lines),
        };
        CoreError::new(Code::DataInvalid, sentence)
    }

    fn symbol_not_found(&self) -> CoreError {
        let found: Vec<String> = self.symbols.keys().map(|key| label(&key.0, key.1)).collect();
        if found.is_empty() {
            return CoreError::new(Code::DataInvalid, "the capture names no symbol");
        }
        let wanted = label(self.symbol_wanted.as_deref().unwrap_or("symbol"), self.market_wanted);
        let sentence = format!("no {wanted} in the capture; it has {}", found.join(", "));
        CoreError::new(Code::UnknownSymbol, sentence)
    }

    fn several_symbols(&self, symbol: &str, others: &[String]) -> CoreError {
        let all = format!("{}, {}", label(symbol, self.market), others.join(", "));
        let advice = if self.nameless_snapshots > 0 {
            "split it, because its snapshots name no symbol"
        } else {
            "choose by symbol and market"
        };
        CoreError::new(Code::DataInvalid, format!("the capture has {all}; {advice}"))
    }

    fn close(mut self, venue: Venue, symbol: String) -> Capture {
        let mut symbols = Counts::new();
        symbols.insert(label(&symbol, self.market), self.symbol_frames);
        for ((other, market), frames) in std::mem::take(&mut self.symbols) {
            symbols.insert(label(&other, market), frames);
        }
        let clamped = [
            ("depth", self.book.monotone),
            ("trades", self.tables.trades_time),
            ("quotes", self.tables.quotes_time),
            ("marks", self.tables.marks_time),
        ];
        let report = Report {
            venue,
            market: self.market,
            symbol,
            symbols,
            lines: self.lines,
            frames: self.frames,
            ignored: self.ignored,
            bad_lines: self.bad_lines,
            snapshots: self.book.snapshots,
            stale_deltas: self.book.stale,
            unseeded_deltas: self.book.unseeded(),
            gaps: self.book.gaps,
            clamped: clamped.map(|(name, time)| (name, (time.clamped, time.clamp_ns_max))).into(),
            estimated_times: self.estimated,
            receive_unit: self.clock.unit(),
            receive_offset: self.clock.statistics(),
            receive_backward: self.clock.backward,
        };
        let Tables { trades, quotes, marks, .. } = self.tables;
        Capture { depth: self.book.columns, trades, quotes, marks, report }
    }
}

fn label(symbol: &str, market: Option<Market>) -> String {
    match market {
        Some(market) => format!("{symbol} {}", market.name()),
        None => symbol.to_owned(),
    }
}

#[derive(Deserialize)]
struct Probe {
    #[serde(default)]
    topic: Option<IgnoredAny>,
    #[serde(default)]
    op: Option<IgnoredAny>,
    #[serde(default)]
    success: Option<IgnoredAny>,
}

/// Bybit messages carry a topic, an `op` or `success`; Binance's carry none of them.
fn detect(payload: &[u8]) -> Result<Venue> {
    let probe: Probe = read_json(payload, "frame")?;
    if probe.topic.is_some() || probe.op.is_some() || probe.success.is_some() {
        return Ok(Venue::Bybit);
    }
    match Venue::Binance.parse(payload)? {
        Frame::Ignored(kind) if kind == "unnamed" => Err(invalid("frame of no known venue")),
        _ => Ok(Venue::Binance),
    }
}
