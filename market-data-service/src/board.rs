// SPDX-License-Identifier: Apache-2.0
//! Everything that is known of the market, and what of it is news. Feeds write here, one frame at a
//! time; clients hear from here. It holds no socket: the hub asks for news after each turn and
//! sends them. What tells a state (ticker, book, candles) is marked as changed and encoded once at
//! the end of a turn; what tells each fact (trades, the message for engines) is encoded at once,
//! and only while somebody listens.

use std::collections::HashMap;
use std::sync::Arc;

use hean_core::book::Book;
use hean_core::number::Side;
use hean_core::wire::fact::{Fact, Facts};
use hean_core::wire::stream::{Marks, Touch};

use crate::candles::Row;
use crate::facts_json::Spoken;
use crate::frame;
use crate::outbox::{About, Published};
use crate::pack::{message, Packer};
use crate::symbol::{number, put, Symbol};

/// Topics of a symbol before those of its candles.
const FIXED: usize = 3;
const TICKER: usize = 0;
const ORDERBOOK: usize = 1;
const TRADES: usize = 2;

/// Between two messages that say nothing but the time.
const BEAT_NS: i64 = 1_000_000_000;

/// Name of the stream of facts.
pub const FACTS: &str = "facts";
/// As whom it speaks.
pub const SOURCE: &str = "market-data";

/// Something to send to all who hear a topic.
#[derive(Debug, Clone)]
pub struct News {
    /// Number of the topic.
    pub topic: usize,
    /// A newer one of the same topic makes it worthless.
    pub is_state: bool,
    /// The whole WebSocket frame.
    pub frame: Arc<[u8]>,
}

/// The market as it is.
#[derive(Debug)]
pub struct Board {
    /// By number.
    pub symbols: Vec<Symbol>,
    /// What is to be sent; the hub takes it.
    pub news: Vec<News>,
    /// Messages for brokers; the hub takes them.
    pub published: Vec<Published>,
    /// Whether anybody publishes.
    pub is_publishing: bool,
    /// Facts by kind: trades, quotes, book changes, candles, funding.
    pub counts: [u64; 5],
    by_name: HashMap<String, usize>,
    listeners: Vec<u32>,
    changed: Vec<bool>,
    dirty: Vec<usize>,
    seqs: Vec<u64>,
    stride: usize,
    packer: Packer,
    about: About,
    spoken: Spoken,
    told_ns: i64,
    seq: u64,
    previous: u64,
}

impl Board {
    /// A board of these symbols. *now_ns*: numbers of messages count up from it, so that a later
    /// life of the process counts on from higher ones.
    #[must_use]
    pub fn new(symbols: Vec<Symbol>, now_ns: i64) -> Self {
        let stride = FIXED + symbols.first().map_or(0, |symbol| symbol.candles.len());
        let topics = symbols.len() * stride + 1;
        let by_name =
            symbols.iter().enumerate().map(|(number, it)| (it.name.clone(), number)).collect();
        Self {
            symbols,
            news: Vec::new(),
            published: Vec::new(),
            is_publishing: false,
            counts: [0; 5],
            by_name,
            listeners: vec![0; topics],
            changed: vec![false; topics],
            dirty: Vec::new(),
            seqs: vec![0; topics],
            stride,
            packer: Packer::default(),
            about: About::default(),
            spoken: Spoken::default(),
            told_ns: 0,
            seq: u64::try_from(now_ns).unwrap_or(0),
            previous: 0,
        }
    }

    /// Number of a symbol.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// How many topics there are.
    #[must_use]
    pub fn topics(&self) -> usize {
        self.seqs.len()
    }

    /// The topic that tells all facts.
    #[must_use]
    pub fn facts_topic(&self) -> usize {
        self.topics() - 1
    }

    /// Number of a topic by its name: `ticker.BTCUSDT`, `klines.BTCUSDT.5m`, `facts`.
    #[must_use]
    pub fn topic(&self, name: &str) -> Option<usize> {
        if name == FACTS {
            return Some(self.facts_topic());
        }
        let (kind, rest) = name.split_once('.')?;
        let (symbol, timeframe) =
            rest.split_once('.').map_or((rest, None), |(symbol, of)| (symbol, Some(of)));
        let of = self.find(symbol)?;
        let candles = &self.symbols.get(of)?.candles;
        let place = match (kind, timeframe) {
            ("ticker", None) => TICKER,
            ("orderbook", None) => ORDERBOOK,
            ("trades", None) => TRADES,
            ("klines", timeframe) => {
                let wanted = timeframe.unwrap_or(&candles.first()?.timeframe.name);
                FIXED + candles.iter().position(|it| it.timeframe.name == wanted)?
            }
            _ => return None,
        };
        Some(of * self.stride + place)
    }

    fn topic_name(&self, topic: usize) -> (&'static str, usize, Option<usize>) {
        let (of, place) = (topic / self.stride, topic % self.stride);
        match place {
            TICKER => ("ticker", of, None),
            ORDERBOOK => ("orderbook", of, None),
            TRADES => ("trades", of, None),
            _ => ("klines", of, Some(place - FIXED)),
        }
    }

    /// One more, or one less, listens to a topic.
    pub fn listen(&mut self, topic: usize, is_more: bool) {
        if let Some(count) = self.listeners.get_mut(topic) {
            *count = if is_more { *count + 1 } else { count.saturating_sub(1) };
        }
    }

    fn is_heard(&self, topic: usize) -> bool {
        self.listeners.get(topic).is_some_and(|count| *count > 0)
    }

    fn wants_facts(&self) -> bool {
        self.is_publishing || self.is_heard(self.facts_topic())
    }

    fn mark(&mut self, topic: usize) {
        if let Some(changed) = self.changed.get_mut(topic) {
            if !std::mem::replace(changed, true) {
                self.dirty.push(topic);
            }
        }
    }

    /// The facts of one frame. *numbers*: of the feed's symbols here; *at_ns*: when it was heard.
    pub fn take(&mut self, at_ns: i64, numbers: &[usize], facts: &Facts) {
        let wants_facts = self.wants_facts();
        let mut count = 0;
        self.begin();
        for fact in facts.as_slice() {
            let (of, levels) = match fact {
                Fact::Tick { of, .. } | Fact::Candle { of, .. } | Fact::Funding { of, .. } => {
                    (*of, [&[][..], &[][..]])
                }
                Fact::Book { of, from, middle, to, .. } => {
                    (*of, [facts.levels(*from, *middle), facts.levels(*middle, *to)])
                }
            };
            let Some(&number) = numbers.get(of) else { continue };
            self.note(at_ns, number, fact);
            if wants_facts {
                self.pack(number, fact, levels, self.is_heard(self.facts_topic()));
                count += 1;
            }
        }
        if count > 0 {
            self.tell_packed(at_ns, count);
        }
    }

    fn note(&mut self, at_ns: i64, number: usize, fact: &Fact) {
        let first = number * self.stride;
        let Some(symbol) = self.symbols.get_mut(number) else { return };
        symbol.heard_ns = at_ns;
        match *fact {
            Fact::Tick { price, volume, ts_ns, .. } if volume > 0.0 => {
                symbol.ts_ns = symbol.ts_ns.max(ts_ns);
                symbol.traded(price, volume, ts_ns);
                self.counts[0] += 1;
                self.mark(first + TICKER);
                for place in FIXED..self.stride {
                    self.mark(first + place);
                }
                if self.is_heard(first + TRADES) {
                    self.tell_trade(at_ns, first + TRADES, [price, volume], ts_ns);
                }
            }
            Fact::Tick { ts_ns, .. } => {
                symbol.ts_ns = symbol.ts_ns.max(ts_ns);
                self.counts[1] += 1;
            }
            Fact::Book { ts_ns, .. } => {
                symbol.ts_ns = symbol.ts_ns.max(ts_ns);
                symbol.booked(ts_ns);
                self.counts[2] += 1;
                self.mark(first + ORDERBOOK);
            }
            Fact::Candle { timeframe, open_ns, values, .. } => {
                self.counts[3] += 1;
                let found = symbol.candles.iter().position(|it| it.timeframe.name == timeframe);
                if let Some(of) = found {
                    symbol.candles[of].close(Row { open_ns, values });
                    self.mark(first + FIXED + of);
                }
            }
            Fact::Funding { rate, next_ns, .. } => {
                // Now, not with the next look at the marks: who listens from here on was not told
                // the fact and must find it in what is known, for it may not change for hours.
                self.counts[4] += 1;
                self.marked(
                    number,
                    Marks {
                        funding_rate: Some(rate),
                        next_funding_ns: (next_ns != 0).then_some(next_ns),
                        ..Marks::default()
                    },
                );
            }
        }
    }

    /// Best bid and ask of a symbol as its feed has them now.
    pub fn touched(&mut self, number: usize, touch: Touch) {
        if self.symbols.get_mut(number).is_some_and(|symbol| symbol.touched(touch)) {
            self.mark(number * self.stride + TICKER);
        }
    }

    /// Mark price and funding of a symbol as its feed has them now.
    pub fn marked(&mut self, number: usize, marks: Marks) {
        if self.symbols.get_mut(number).is_some_and(|symbol| symbol.marked(marks)) {
            self.mark(number * self.stride + TICKER);
        }
    }

    /// Whether the book of a symbol is there; a change is told to engines as `HEALTH`.
    pub fn set_book(&mut self, at_ns: i64, number: usize, has_book: bool, reason: &str) {
        let Some(symbol) = self.symbols.get_mut(number) else { return };
        if !symbol.set_book(has_book) {
            return;
        }
        self.mark(number * self.stride + TICKER);
        if self.wants_facts() {
            self.begin();
            self.pack_health(number, reason, true);
            self.tell_packed(at_ns, 1);
        }
    }

    /// Tell that time has come so far, when nothing else was told for a while.
    pub fn beat(&mut self, at_ns: i64) {
        if self.wants_facts() && at_ns - self.told_ns >= BEAT_NS {
            self.begin();
            self.tell_packed(at_ns, 0);
        }
    }

    fn begin(&mut self) {
        self.packer.clear();
        self.about = About::default();
        self.spoken.clear();
    }

    /// Encode a fact for whoever listens: brokers, and with *is_spoken* the stream.
    fn pack(&mut self, number: usize, fact: &Fact, levels: [&[(f64, f64)]; 2], is_spoken: bool) {
        let Some(symbol) = self.symbols.get(number) else { return };
        if self.is_publishing {
            self.packer.fact(&symbol.name, fact, levels);
            self.about.note(number, matches!(fact, Fact::Funding { .. }));
        }
        if is_spoken {
            self.spoken.fact(&symbol.name, fact, levels);
        }
    }

    fn pack_health(&mut self, number: usize, reason: &str, is_published: bool) {
        let Some(symbol) = self.symbols.get(number) else { return };
        let (venue, market, name) = (symbol.venue.name(), symbol.market.name(), &symbol.name);
        let component = format!("feed.{venue}.{market}.book.{name}");
        let state = if symbol.has_book { "FRESH" } else { "STALE" };
        self.spoken.health(&component, state, name, reason);
        if is_published {
            self.packer.health(&component, state, name, reason);
            self.about.note(number, true);
        }
    }

    /// Candles of the past; *of*: which length.
    pub fn history(&mut self, number: usize, of: usize, rows: &[Row], now_ns: i64) {
        let candles = self.symbols.get_mut(number).and_then(|it| it.candles.get_mut(of));
        if let Some(candles) = candles {
            candles.history(rows, now_ns);
            self.mark(number * self.stride + FIXED + of);
        }
    }

    /// Encode what has changed and is heard. *book*: of a symbol, while there is one.
    pub fn settle<'a>(&mut self, at_ns: i64, book: impl Fn(&Symbol) -> Option<&'a Book>) {
        while let Some(topic) = self.dirty.pop() {
            if let Some(changed) = self.changed.get_mut(topic) {
                *changed = false;
            }
            if !self.is_heard(topic) {
                continue;
            }
            let (_, of, _) = self.topic_name(topic);
            let found = self.symbols.get(of).and_then(&book);
            if let Some(frame) = self.state_frame(at_ns, topic, found, false) {
                self.news.push(News { topic, is_state: true, frame });
            }
        }
    }

    /// What a new listener of a topic hears first; `None` where there is nothing yet.
    pub fn snapshot<'a>(
        &mut self,
        at_ns: i64,
        topic: usize,
        book: impl Fn(&Symbol) -> Option<&'a Book>,
    ) -> Option<Arc<[u8]>> {
        if topic == self.facts_topic() {
            return Some(self.facts_so_far(at_ns, book));
        }
        let (_, of, _) = self.topic_name(topic);
        let found = self.symbols.get(of).and_then(&book);
        self.state_frame(at_ns, topic, found, true)
    }

    fn state_frame(
        &mut self,
        at_ns: i64,
        topic: usize,
        book: Option<&Book>,
        is_snapshot: bool,
    ) -> Option<Arc<[u8]>> {
        let (kind, of, candles) = self.topic_name(topic);
        let seq = self.next_seq(topic, is_snapshot);
        let symbol = self.symbols.get_mut(of)?;
        let mut body = Vec::with_capacity(512);
        let timeframe = candles.and_then(|place| symbol.candles.get(place));
        let timeframe = timeframe.map(|it| it.timeframe.name.clone());
        open(&mut body, kind, &symbol.name, timeframe.as_deref(), seq, at_ns, is_snapshot);
        match (kind, candles) {
            ("ticker", _) if symbol.has_price() => body.extend_from_slice(symbol.ticker()),
            ("orderbook", _) => body.extend_from_slice(symbol.orderbook(book?)),
            ("klines", Some(place)) => symbol.encode_news(&mut body, place),
            _ => return None,
        }
        body.push(b'}');
        Some(framed(&body))
    }

    fn next_seq(&mut self, topic: usize, is_snapshot: bool) -> u64 {
        self.seqs.get_mut(topic).map_or(0, |seq| {
            *seq += u64::from(!is_snapshot);
            *seq
        })
    }

    fn tell_trade(&mut self, at_ns: i64, topic: usize, [price, volume]: [f64; 2], ts_ns: i64) {
        let (kind, of, _) = self.topic_name(topic);
        let seq = self.next_seq(topic, false);
        let Some(symbol) = self.symbols.get(of) else { return };
        let mut body = Vec::with_capacity(192);
        open(&mut body, kind, &symbol.name, None, seq, at_ns, false);
        put(&mut body, format_args!("{{\"symbol\":\"{}\",\"price\":", symbol.name));
        number(&mut body, price);
        body.extend_from_slice(b",\"volume\":");
        number(&mut body, volume);
        put(&mut body, format_args!(",\"timestamp\":{ts_ns}}}}}"));
        self.news.push(News { topic, is_state: false, frame: framed(&body) });
    }

    /// Send what was packed, as the next message of the chain.
    fn tell_packed(&mut self, at_ns: i64, count: usize) {
        self.seq += 1;
        // Moments rise, so that a reader can put messages in order by them alone.
        let at_ns = at_ns.max(self.told_ns + 1);
        self.told_ns = at_ns;
        let numbers = [self.seq, std::mem::replace(&mut self.previous, self.seq)];
        let topic = self.facts_topic();
        if self.is_heard(topic) {
            let frame = framed(&self.spoken.message(SOURCE, numbers, at_ns));
            self.news.push(News { topic, is_state: false, frame });
        }
        if self.is_publishing {
            let bytes = message(SOURCE, numbers, at_ns, count, &self.packer).into();
            let symbol = self.about.only().and_then(|number| self.symbols.get(number));
            let key = symbol.map_or("", |symbol| symbol.name.as_str()).into();
            self.published.push(Published { bytes, key, stays: self.about.stays });
        }
    }

    /// All that is known, as a message before which there is none; the next one has the number
    /// after its own.
    fn facts_so_far<'a>(
        &mut self,
        at_ns: i64,
        book: impl Fn(&Symbol) -> Option<&'a Book>,
    ) -> Arc<[u8]> {
        self.begin();
        for number in 0..self.symbols.len() {
            self.pack_health(number, "", false);
            let Some(symbol) = self.symbols.get(number) else { continue };
            for (fact, levels) in known_facts(symbol, book(symbol)) {
                self.spoken.fact(&symbol.name, &fact, [&levels[0], &levels[1]]);
            }
        }
        framed(&self.spoken.message(SOURCE, [self.seq, 0], at_ns))
    }
}

type Levels = [Vec<(f64, f64)>; 2];

/// The state of a symbol as facts: book, quote, rate.
fn known_facts(symbol: &Symbol, book: Option<&Book>) -> Vec<(Fact, Levels)> {
    let mut found = Vec::new();
    let ts_ns = symbol.ts_ns;
    if let (Some(book), Some(grid)) = (book, &symbol.grid) {
        let levels = [Side::Buy, Side::Sell].map(|side| {
            let rows = book.levels(side);
            rows.map(|(price, lots)| (grid.price(price), grid.quantity(lots))).collect()
        });
        let fact = Fact::Book { of: 0, is_snapshot: true, ts_ns, from: 0, middle: 0, to: 0 };
        found.push((fact, levels));
    }
    let [bid, _, ask, _] = symbol.touch();
    if !bid.is_nan() {
        let price = (bid + ask) / 2.0;
        found.push((Fact::Tick { of: 0, price, volume: 0.0, ts_ns, bid, ask }, Levels::default()));
    }
    if let Some(rate) = symbol.marks().funding_rate {
        let next_ns = symbol.marks().next_funding_ns.unwrap_or(0);
        found.push((Fact::Funding { of: 0, rate, next_ns, mark: f64::NAN }, Levels::default()));
    }
    found
}

fn open(
    to: &mut Vec<u8>,
    kind: &str,
    symbol: &str,
    timeframe: Option<&str>,
    seq: u64,
    at_ns: i64,
    is_snapshot: bool,
) {
    put(to, format_args!("{{\"topic\":\"{kind}.{symbol}"));
    if let Some(timeframe) = timeframe {
        put(to, format_args!(".{timeframe}"));
    }
    put(to, format_args!("\",\"seq\":{seq},\"ts\":{at_ns},\"snapshot\":{is_snapshot},\"data\":"));
}

fn framed(body: &[u8]) -> Arc<[u8]> {
    let mut bytes = Vec::with_capacity(body.len() + 10);
    frame::encode(&mut bytes, frame::TEXT, body, None);
    bytes.into()
}
