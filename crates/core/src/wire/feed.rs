// SPDX-License-Identifier: Apache-2.0
//! [`WireFeed`]: the market data of one connection, frame by frame, as facts. It parses, keeps the
//! books in step, joins Bybit's ticker deltas, and tells what changed. A bad frame is an error, is
//! counted, and changes nothing; a frame of a symbol or kind that nobody asked for is counted and
//! gives no fact. It opens no socket and asks for no snapshot: [`WireFeed::resync`] names the
//! symbols that need one, and the caller acts.

use std::collections::HashMap;

use super::depth::{LiveBook, Outcome, Update};
use super::fact::{timeframe, Fact, Facts};
use super::frame::{
    BookTicker, DepthDelta, DepthSnapshot, Frame, Kline, Level, MarkPrice, Ticker, Trade,
};
use super::grid::floats;
use super::plausible::Source;
use super::stream::{Heard, Marks, Stream, Touch};
use super::sync::BookRule;
use super::{invalid, Market, Number, Venue};
use crate::error::{Code, CoreError, Result};
use crate::Instrument;

/// Longest live message: three times Binance's deepest REST book (330 kB), far above any stream's.
pub const LIVE_FRAME_BYTES_MAX: usize = 1 << 20;
/// Most levels a side of one message: twice the deepest REST book. More would keep one message busy
/// for too long, since each level is put in its place.
pub const LEVELS_PER_SIDE_MAX: usize = 10_000;

/// What a feed counted; every number only grows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Frames offered.
    pub frames: u64,
    /// Frames refused.
    pub bad: u64,
    /// Frames of a kind that gives no market fact.
    pub ignored: u64,
    /// Frames of a symbol that was not asked for.
    pub unknown_symbols: u64,
    /// Book chains that broke.
    pub gaps: u64,
    /// Book updates older than the book, or before its snapshot.
    pub stale: u64,
    /// Books that came out crossed, and crossed quotes.
    pub crossed: u64,
    /// Buffers that overflowed while waiting for a snapshot.
    pub overflows: u64,
    /// Trades and candles that were told before, or that another stream tells too.
    pub repeated: u64,
    /// Prices too far from all others to be believed yet; a book that has one is dropped.
    pub suspects: u64,
}

impl Counters {
    /// Name and number of each.
    #[must_use]
    pub const fn named(&self) -> [(&'static str, u64); 10] {
        [
            ("frames", self.frames),
            ("bad", self.bad),
            ("ignored", self.ignored),
            ("unknown_symbols", self.unknown_symbols),
            ("gaps", self.gaps),
            ("stale", self.stale),
            ("crossed", self.crossed),
            ("overflows", self.overflows),
            ("repeated", self.repeated),
            ("suspects", self.suspects),
        ]
    }
}

/// The market data of one connection.
pub struct WireFeed {
    venue: Venue,
    streams: Vec<Stream>,
    by_symbol: HashMap<String, usize>,
    facts: Facts,
    update: Update,
    counters: Counters,
    /// Latest venue time heard, for the frames that carry none.
    latest_ns: i64,
}

impl WireFeed {
    /// A feed of these instruments on one connection.
    #[must_use]
    pub fn new(venue: Venue, market: Market, instruments: Vec<Instrument>) -> Self {
        let rule = match (venue, market) {
            (Venue::Bybit, _) => BookRule::Bybit,
            (Venue::Binance, Market::Spot) => BookRule::BinanceSpot,
            (Venue::Binance, Market::Linear) => BookRule::BinanceUsdm,
        };
        let by_symbol = instruments
            .iter()
            .enumerate()
            .map(|(index, instrument)| (instrument.symbol.clone(), index))
            .collect();
        Self {
            venue,
            streams: instruments.into_iter().map(|one| Stream::new(one, rule)).collect(),
            by_symbol,
            facts: Facts::default(),
            update: Update::default(),
            counters: Counters::default(),
            latest_ns: 0,
        }
    }

    /// Index of a symbol.
    #[must_use]
    pub fn index(&self, symbol: &str) -> Option<usize> {
        self.by_symbol.get(symbol).copied()
    }

    /// Take one message.
    ///
    /// # Errors
    /// `FrameInvalid`: the frame changed nothing but the counters.
    pub fn push(&mut self, bytes: &[u8]) -> Result<&Facts> {
        self.facts.clear();
        self.counters.frames += 1;
        let done = self.parse(bytes).and_then(|frame| self.take(&frame));
        self.close(done)
    }

    /// Take the REST answer that seeds a Binance book.
    ///
    /// # Errors
    /// `FrameInvalid` when it is no depth snapshot, `UnknownSymbol`.
    pub fn snapshot(&mut self, symbol: &str, bytes: &[u8]) -> Result<&Facts> {
        self.facts.clear();
        self.counters.frames += 1;
        let of = self.index(symbol).ok_or_else(|| {
            CoreError::new(Code::UnknownSymbol, format!("{symbol:?} is not in this feed"))
        })?;
        let done = match self.parse(bytes) {
            Ok(Frame::DepthSnapshot(snapshot)) if !snapshot.is_top_only => {
                self.take_snapshot(of, &snapshot)
            }
            Ok(other) => Err(invalid(format!("{}: expected a depth snapshot", other.kind()))),
            Err(error) => Err(error),
        };
        self.close(done)
    }

    fn parse<'a>(&self, bytes: &'a [u8]) -> Result<Frame<'a>> {
        if bytes.len() > LIVE_FRAME_BYTES_MAX {
            let length = bytes.len();
            let allowed = LIVE_FRAME_BYTES_MAX;
            return Err(invalid(format!("live frame of {length} bytes, allowed {allowed}")));
        }
        self.venue.parse(bytes)
    }

    fn close(&mut self, done: Result<()>) -> Result<&Facts> {
        match done {
            Ok(()) => Ok(&self.facts),
            Err(error) => {
                self.facts.clear();
                self.counters.bad += 1;
                Err(error)
            }
        }
    }

    /// Indices of the instruments that need a snapshot, each once per break.
    pub fn resync(&mut self) -> Vec<usize> {
        let streams = self.streams.iter_mut().enumerate();
        streams.filter_map(|(index, stream)| stream.book.take_due().then_some(index)).collect()
    }

    /// The connection is lost: drop all books, buffers and quotes. Marks and the last trades stay.
    pub fn lost(&mut self) {
        self.streams.iter_mut().for_each(Stream::lost);
    }

    /// The book of an instrument.
    #[must_use]
    pub fn book(&self, of: usize) -> Option<&LiveBook> {
        self.streams.get(of).map(|stream| &stream.book)
    }

    /// Best bid and ask with quantities, when both are known.
    #[must_use]
    pub fn touch(&self, of: usize) -> Option<Touch> {
        self.streams.get(of).map(|stream| stream.touch).filter(|touch| !touch[0].is_nan())
    }

    /// Mark price and funding of an instrument.
    #[must_use]
    pub fn marks(&self, of: usize) -> Option<Marks> {
        self.streams.get(of).map(|stream| stream.marks)
    }

    /// What was counted so far.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    fn take(&mut self, frame: &Frame<'_>) -> Result<()> {
        if matches!(frame, Frame::Reply(_) | Frame::Private(_) | Frame::Ignored(_)) {
            self.counters.ignored += 1;
            return Ok(());
        }
        let Some(of) = frame.symbol().and_then(|symbol| self.index(symbol)) else {
            self.counters.unknown_symbols += 1;
            return Ok(());
        };
        let heard_ns = frame.ts_ns();
        match frame {
            Frame::Trades(trades) => self.take_trades(of, trades),
            Frame::BookTicker(quote) => self.take_quote(of, quote),
            Frame::DepthDelta(delta) => self.take_delta(of, delta)?,
            Frame::DepthSnapshot(snapshot) => self.take_snapshot(of, snapshot)?,
            Frame::Ticker(ticker) => self.take_ticker(of, ticker),
            Frame::Klines(klines) => self.take_klines(of, klines),
            Frame::MarkPrice(mark) => self.take_mark(of, mark),
            Frame::Reply(_) | Frame::Private(_) | Frame::Ignored(_) => {}
        }
        self.latest_ns = heard_ns.map_or(self.latest_ns, |ts_ns| ts_ns.max(self.latest_ns));
        Ok(())
    }

    fn take_trades(&mut self, of: usize, trades: &[Trade<'_>]) {
        let stream = &mut self.streams[of];
        let [bid, _, ask, _] = stream.touch;
        for trade in trades {
            let is_other =
                *stream.is_aggregate.get_or_insert(trade.is_aggregate) != trade.is_aggregate;
            let (price, ts_ns) = (trade.price.to_f64(), trade.ts_ns);
            if is_other || stream.seen.is_repeated(self.venue, &trade.id, ts_ns) {
                self.counters.repeated += 1;
                continue;
            }
            if !stream.plausible.judge(Source::Trade, price, price, self.counters.frames) {
                self.counters.suspects += 1;
                continue;
            }
            let volume = trade.quantity.to_f64();
            self.facts.push(Fact::Tick { of, price, volume, ts_ns, bid, ask });
        }
    }

    fn take_quote(&mut self, of: usize, quote: &BookTicker<'_>) {
        let touch = [quote.bid, quote.bid_quantity, quote.ask, quote.ask_quantity];
        let ts_ns = quote.ts_ns.unwrap_or(self.latest_ns);
        self.tell_quote(of, touch.map(|number| number.to_f64()), quote.update_id, ts_ns);
    }

    /// A quote with an empty side is no touch, and says nothing.
    fn tell_quote(&mut self, of: usize, touch: Touch, id: u64, ts_ns: i64) {
        let [bid, _, ask, _] = touch;
        if bid <= 0.0 || ask <= 0.0 {
            return;
        }
        if bid >= ask {
            self.counters.crossed += 1;
            return;
        }
        match self.streams[of].quote(touch, id, Source::Quote, self.counters.frames) {
            Heard::New => {
                let price = (bid + ask) / 2.0;
                self.facts.push(Fact::Tick { of, price, volume: 0.0, ts_ns, bid, ask });
            }
            Heard::Old => {}
            Heard::Suspect => self.counters.suspects += 1,
        }
    }

    fn take_delta(&mut self, of: usize, delta: &DepthDelta<'_>) -> Result<()> {
        let mut update = std::mem::take(&mut self.update);
        update.first_id = delta.first_id;
        update.last_id = delta.last_id;
        update.previous_id = delta.previous_id;
        update.ts_ns = delta.ts_ns;
        let filled = fill(&mut update, delta.depth, &delta.bids, &delta.asks);
        let stream = &mut self.streams[of];
        let outcome = filled.and_then(|()| stream.book.delta(&update, &stream.grid));
        let outcome = outcome.map(|outcome| {
            let id = delta.sequence.unwrap_or(delta.last_id);
            self.tell_book(of, &update, outcome, false, id);
        });
        self.update = update;
        outcome
    }

    fn take_snapshot(&mut self, of: usize, snapshot: &DepthSnapshot<'_>) -> Result<()> {
        let mut update = std::mem::take(&mut self.update);
        update.last_id = snapshot.last_id;
        update.ts_ns = snapshot.ts_ns.unwrap_or(self.latest_ns);
        let filled = fill(&mut update, snapshot.depth, &snapshot.bids, &snapshot.asks);
        let done = filled.and_then(|()| self.take_whole(of, &update, snapshot));
        self.update = update;
        done
    }

    fn take_whole(
        &mut self,
        of: usize,
        update: &Update,
        snapshot: &DepthSnapshot<'_>,
    ) -> Result<()> {
        let id = snapshot.sequence.unwrap_or(snapshot.last_id);
        if snapshot.depth == Some(1) {
            self.take_best(of, update, id);
        } else if snapshot.is_top_only {
            let stream = &mut self.streams[of];
            let outcome = stream.book.top(update, &stream.grid)?;
            self.tell_book(of, update, outcome, true, id);
        } else {
            self.seed(of, update, id)?;
        }
        Ok(())
    }

    /// Bybit's book of depth 1 is a quote: it must not replace the book of another topic.
    fn take_best(&mut self, of: usize, update: &Update, id: u64) {
        if let (Some(&(bid, bid_size)), Some(&(ask, ask_size))) =
            (update.bids.first(), update.asks.first())
        {
            self.tell_quote(of, [bid, bid_size, ask, ask_size], id, update.ts_ns);
        }
    }

    fn seed(&mut self, of: usize, update: &Update, id: u64) -> Result<()> {
        let stream = &mut self.streams[of];
        let outcome = stream.book.snapshot(update, &stream.grid)?;
        if outcome == Outcome::Applied {
            stream.lose_touch();
        }
        self.tell_book(of, update, outcome, true, id);
        while let Some((waited, outcome)) = {
            let stream = &mut self.streams[of];
            stream.book.join(&stream.grid)
        } {
            self.tell_book(of, &waited, outcome?, false, waited.last_id);
        }
        if self.streams[of].book.id().is_none() {
            // It did not hold against what waited for it: nothing of it was ever true.
            self.facts.clear();
        }
        Ok(())
    }

    fn tell_book(&mut self, of: usize, update: &Update, outcome: Outcome, full: bool, id: u64) {
        let stream = &mut self.streams[of];
        match outcome {
            Outcome::Applied => {
                let source = if full { Source::Snapshot } else { Source::Quote };
                if stream.quote_of_book(id, source, self.counters.frames) != Heard::Suspect {
                    self.facts.push_book(of, full, update.ts_ns, &update.bids, &update.asks);
                    return;
                }
                self.counters.suspects += 1;
                stream.book.break_off();
            }
            Outcome::Waits => return,
            Outcome::Stale => {
                self.counters.stale += 1;
                return;
            }
            Outcome::Gap => self.counters.gaps += 1,
            Outcome::Crossed => self.counters.crossed += 1,
            Outcome::Overflow => self.counters.overflows += 1,
        }
        stream.lose_touch();
    }

    fn take_ticker(&mut self, of: usize, ticker: &Ticker<'_>) {
        let stream = &mut self.streams[of];
        if ticker.is_snapshot {
            stream.ticker = [None; 4];
        }
        let parts = [ticker.bid, ticker.bid_quantity, ticker.ask, ticker.ask_quantity];
        for (known, part) in stream.ticker.iter_mut().zip(parts) {
            *known = part.map(|number| number.to_f64()).or(*known);
        }
        let quote = stream.ticker;
        let heard = Marks {
            mark: float(ticker.mark),
            index: float(ticker.index),
            funding_rate: float(ticker.funding_rate),
            next_funding_ns: ticker.next_funding_ns,
        };
        // The ticker is slower than the book: it is the quote only where there is no other.
        let is_quote = stream.book.id().is_none() && stream.touch_id == 0;
        self.tell_marks(of, heard);
        if let (true, [Some(bid), Some(bid_size), Some(ask), Some(ask_size)]) = (is_quote, quote) {
            self.tell_quote(of, [bid, bid_size, ask, ask_size], 0, ticker.ts_ns);
        }
    }

    fn take_mark(&mut self, of: usize, mark: &MarkPrice<'_>) {
        let heard = Marks {
            mark: Some(mark.mark.to_f64()),
            index: float(mark.index),
            funding_rate: float(mark.funding_rate),
            next_funding_ns: mark.next_funding_ns,
        };
        self.tell_marks(of, heard);
    }

    /// Join what was heard with what was known; a new rate or time is a fact. A price that is not
    /// believed takes no rate with it: Bybit says a rate again only when it changes.
    fn tell_marks(&mut self, of: usize, mut heard: Marks) {
        let stream = &mut self.streams[of];
        let frame = self.counters.frames;
        let is_sound =
            heard.mark.is_none_or(|mark| stream.plausible.judge(Source::Mark, mark, mark, frame));
        if !is_sound {
            self.counters.suspects += 1;
            (heard.mark, heard.index) = (None, None);
        }
        let known = stream.marks;
        let joined = heard.or(known);
        let is_new = joined.funding_rate != known.funding_rate
            || joined.next_funding_ns != known.next_funding_ns;
        stream.marks = joined;
        if let (true, Some(rate)) = (is_new, joined.funding_rate) {
            let next_ns = joined.next_funding_ns.unwrap_or(0);
            let mark = joined.mark.unwrap_or(f64::NAN);
            self.facts.push(Fact::Funding { of, rate, next_ns, mark });
        }
    }

    fn take_klines(&mut self, of: usize, klines: &[Kline<'_>]) {
        for kline in klines.iter().filter(|kline| kline.is_closed) {
            let Some(timeframe) = timeframe(self.venue, &kline.interval) else {
                self.counters.ignored += 1;
                continue;
            };
            if self.streams[of].seen.is_old_candle(timeframe, kline.open_ns) {
                self.counters.repeated += 1;
                continue;
            }
            let values = [kline.open, kline.high, kline.low, kline.close, kline.volume]
                .map(|number| number.to_f64());
            self.facts.push(Fact::Candle { of, timeframe, open_ns: kline.open_ns, values });
        }
    }
}

fn float(number: Option<Number<'_>>) -> Option<f64> {
    number.map(|number| number.to_f64())
}

fn fill(
    update: &mut Update,
    depth: Option<u32>,
    bids: &[Level<'_>],
    asks: &[Level<'_>],
) -> Result<()> {
    let most = bids.len().max(asks.len());
    if most > LEVELS_PER_SIDE_MAX {
        return Err(invalid(format!("{most} levels a side, allowed {LEVELS_PER_SIDE_MAX}")));
    }
    update.depth = depth;
    update.bids.clear();
    update.bids.extend(bids.iter().map(floats));
    update.asks.clear();
    update.asks.extend(asks.iter().map(floats));
    Ok(())
}
