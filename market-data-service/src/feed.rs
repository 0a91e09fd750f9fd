// SPDX-License-Identifier: Apache-2.0
//! One connection to a venue, for as long as it takes: subscribe, hear, find out that it is dead,
//! come back. A book that has a hole, or came out crossed, is dropped and asked for again; nothing
//! is guessed. What venues differ in is in `bybit.rs` and `binance.rs`; books and parsing are the
//! core's.

pub mod binance;
pub mod books;
pub mod bybit;
pub mod replay;
pub mod silence;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hean_core::wire::fact::{Fact, Facts};
use hean_core::wire::{Market, Venue, WireFeed};
use hean_core::Instrument;
use mio::{Registry, Token};
use serde_json::json;

use crate::address::Address;
use crate::board::Board;
use crate::feed::books::Books;
use crate::feed::silence::{Silence, Verdict};
use crate::line::{Heard, Line};
use crate::log::{say, Level};
use crate::tls;

const CONNECT: Duration = Duration::from_secs(10);
const PAUSE_MIN: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// A connection that lived shorter does not reset the pause.
const STEADY: Duration = Duration::from_secs(10);

/// What a feed wants of others.
#[derive(Debug, PartialEq, Eq)]
pub enum Wish {
    /// The address of its host.
    Where,
    /// A snapshot of this symbol's book by REST.
    Depth(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Waiting(Instant),
    Resolving,
    Connecting(Instant),
    Open(Instant),
}

/// What a feed counted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    /// Connections that opened.
    pub opens: u64,
    /// Connections that were lost.
    pub drops: u64,
    /// Books asked for again.
    pub renewals: u64,
    /// Subscriptions refused.
    pub refusals: u64,
    /// Bytes of messages.
    pub bytes: u64,
}

/// One connection with what is subscribed on it.
pub struct Feed {
    /// For people: `bybit.linear.public`.
    pub name: String,
    /// Whose.
    pub venue: Venue,
    /// Of which market.
    pub market: Market,
    /// The place in the configuration it belongs to.
    pub place: usize,
    /// Where it is.
    pub address: Address,
    /// Parser and books.
    pub wire: WireFeed,
    /// Numbers on the board, by index of the parser.
    pub numbers: Vec<usize>,
    /// The venue's symbols, by index of the parser.
    pub symbols: Vec<String>,
    /// What was counted.
    pub counts: Counts,
    /// Why it is down; empty while it is up.
    pub fault: String,
    topics: Vec<String>,
    has_books: bool,
    line: Option<Line>,
    stage: Stage,
    pause: Duration,
    silence: Silence,
    books: Books,
    outbox: Vec<Vec<u8>>,
    told: Vec<usize>,
    requests: u64,
    is_opening: bool,
}

/// What a feed is made of.
pub struct Plan {
    /// Name of the connection, such as `public`.
    pub route: &'static str,
    /// Where it is.
    pub address: Address,
    /// What is subscribed.
    pub topics: Vec<String>,
    /// Whether books are among it.
    pub has_books: bool,
}

impl Feed {
    /// A feed that connects at its first tick.
    #[must_use]
    pub fn new(
        venue: Venue,
        market: Market,
        place: usize,
        plan: Plan,
        instruments: &[Instrument],
        numbers: Vec<usize>,
    ) -> Self {
        let now = Instant::now();
        Self {
            name: format!("{}.{}.{}", venue.name(), market.name(), plan.route),
            venue,
            market,
            place,
            address: plan.address,
            wire: WireFeed::new(venue, market, instruments.to_vec()),
            numbers,
            symbols: instruments.iter().map(|one| one.symbol.clone()).collect(),
            counts: Counts::default(),
            fault: "not connected yet".to_owned(),
            topics: plan.topics,
            has_books: plan.has_books,
            line: None,
            stage: Stage::Waiting(now),
            pause: PAUSE_MIN,
            silence: Silence::new(now),
            books: Books::new(venue, instruments.len(), now),
            outbox: Vec::new(),
            told: Vec::new(),
            requests: 0,
            is_opening: false,
        }
    }

    /// Whether messages may come.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Open(_))
    }

    /// Whether it opened since this was last asked.
    pub fn take_opening(&mut self) -> bool {
        std::mem::take(&mut self.is_opening)
    }

    /// Whether it may connect now, as far as it is concerned.
    #[must_use]
    pub fn wants_to_connect(&self, now: Instant) -> bool {
        matches!(self.stage, Stage::Waiting(at) if now >= at)
    }

    /// Its host is being looked for.
    pub fn resolving(&mut self) {
        self.stage = Stage::Resolving;
    }

    /// Connect to where its host is.
    pub fn connect(
        &mut self,
        at: Result<SocketAddr, String>,
        settings: &tls::Settings,
        registry: &Registry,
        token: Token,
        [now_ns, random]: [u64; 2],
    ) {
        if self.stage != Stage::Resolving {
            return;
        }
        let opened = at.and_then(|at| Line::open(&self.address, at, settings, now_ns ^ random));
        let opened = opened.and_then(|mut line| {
            line.register(registry, token).map_err(|error| error.to_string())?;
            Ok(line)
        });
        match opened {
            Ok(line) => {
                self.line = Some(line);
                self.stage = Stage::Connecting(Instant::now() + CONNECT);
            }
            Err(why) => self.wait(&why),
        }
    }

    /// Its socket may be read or written. True: it has more to read.
    pub fn turn(&mut self, scratch: &mut [u8], board: &mut Board, at_ns: i64) -> bool {
        let Some(mut line) = self.line.take() else { return false };
        let heard = line.turn(scratch, &mut |heard| self.hear(heard, board, at_ns));
        let sent = heard.and_then(|is_more| {
            for text in std::mem::take(&mut self.outbox) {
                line.say(&text)?;
            }
            Ok(is_more)
        });
        match sent {
            Ok(is_more) => {
                self.line = Some(line);
                is_more
            }
            Err(why) => {
                self.down(&why, board, at_ns);
                false
            }
        }
    }

    fn hear(&mut self, heard: Heard<'_>, board: &mut Board, at_ns: i64) {
        match heard {
            Heard::Opened => self.opened(),
            Heard::Sign => self.silence.sign(Instant::now()),
            Heard::Message(bytes) => self.message(bytes, board, at_ns),
        }
    }

    fn opened(&mut self) {
        let now = Instant::now();
        self.stage = Stage::Open(now);
        self.counts.opens += 1;
        self.fault.clear();
        self.is_opening = true;
        self.silence = Silence::new(now);
        let about = [("feed", json!(self.name)), ("topics", json!(self.topics.len()))];
        say(Level::Info, "connected", &about);
        let topics = std::mem::take(&mut self.topics);
        self.subscribe(&topics);
        self.topics = topics;
    }

    fn subscribe(&mut self, topics: &[String]) {
        let texts = match self.venue {
            Venue::Bybit => bybit::subscribe(topics, &mut self.requests),
            Venue::Binance => binance::subscribe(topics, &mut self.requests),
        };
        self.outbox.extend(texts);
    }

    /// One message of the venue.
    fn message(&mut self, bytes: &[u8], board: &mut Board, at_ns: i64) {
        self.counts.bytes += bytes.len() as u64;
        let is_data = match self.venue {
            Venue::Bybit => bybit::is_data(bytes),
            Venue::Binance => binance::is_data(bytes),
        };
        if !is_data {
            self.silence.sign(Instant::now());
            self.answered(bytes);
            return;
        }
        self.silence.hear(Instant::now());
        self.recorded(bytes, board, at_ns);
    }

    /// A message with data; also where recorded ones enter.
    pub fn recorded(&mut self, bytes: &[u8], board: &mut Board, at_ns: i64) {
        match self.wire.push(bytes) {
            Ok(facts) => {
                note_told(facts, &mut self.told, &mut self.books, self.silence.heard);
                board.take(at_ns, &self.numbers, facts);
            }
            Err(error) => {
                say(Level::Debug, "bad frame", &[("why", json!(error.message))]);
                return;
            }
        }
        self.after(board, at_ns);
    }

    /// A book by REST.
    pub fn snapshot(&mut self, of: usize, bytes: &[u8], board: &mut Board, at_ns: i64) {
        let Some(symbol) = self.symbols.get(of) else { return };
        match self.wire.snapshot(symbol, bytes) {
            Ok(facts) => {
                note_told(facts, &mut self.told, &mut self.books, Instant::now());
                board.take(at_ns, &self.numbers, facts);
            }
            Err(error) => say(Level::Warn, "bad snapshot", &[("why", json!(error.message))]),
        }
        self.after(board, at_ns);
    }

    /// What a frame changed beside its facts: best prices, whether books are there.
    fn after(&mut self, board: &mut Board, at_ns: i64) {
        if self.told.is_empty() {
            for of in self.wire.resync() {
                self.book_lost(of, "the book has a hole, or came out crossed", board, at_ns);
            }
            return;
        }
        for of in std::mem::take(&mut self.told) {
            let Some(&number) = self.numbers.get(of) else { continue };
            if let Some(touch) = self.wire.touch(of) {
                board.touched(number, touch);
            }
            if self.has_book(of) && !self.books.is_silent(of, self.silence.heard) {
                self.books.find(of);
                board.set_book(at_ns, number, true, "");
            }
        }
    }

    fn has_book(&self, of: usize) -> bool {
        self.has_books && self.wire.book(of).is_some_and(|book| book.id().is_some())
    }

    fn book_lost(&mut self, of: usize, why: &str, board: &mut Board, at_ns: i64) {
        if !self.has_books {
            return;
        }
        self.books.lose(of, Instant::now());
        if let Some(&number) = self.numbers.get(of) {
            board.set_book(at_ns, number, false, why);
        }
    }

    /// Books that are silent while the line is not.
    fn look_at_books(&mut self, now: Instant, board: &mut Board, at_ns: i64) {
        for of in 0..self.numbers.len() {
            if self.has_book(of) && self.books.is_silent(of, now) {
                self.book_lost(of, "the book is silent", board, at_ns);
            }
        }
    }

    fn answered(&mut self, bytes: &[u8]) {
        let refusal = match self.venue {
            Venue::Bybit => bybit::refusal(bytes),
            Venue::Binance => binance::refusal(bytes),
        };
        if let Some(why) = refusal {
            self.counts.refusals += 1;
            say(Level::Error, "refused", &[("feed", json!(self.name)), ("why", json!(why))]);
        }
    }

    /// Look at the clock. What it wants of others is added to *wishes*.
    pub fn tick(&mut self, now: Instant, board: &mut Board, at_ns: i64, wishes: &mut Vec<Wish>) {
        match self.stage {
            Stage::Connecting(until) if now >= until => {
                self.down("no connection in time", board, at_ns);
            }
            Stage::Open(_) => {
                if let Err(why) = self.keep(now, wishes) {
                    self.down(&why, board, at_ns);
                    return;
                }
                self.look_at_books(now, board, at_ns);
                self.flush(board, at_ns);
            }
            _ => {}
        }
        for (of, &number) in self.numbers.iter().enumerate() {
            if let Some(marks) = self.wire.marks(of) {
                board.marked(number, marks);
            }
        }
    }

    fn flush(&mut self, board: &mut Board, at_ns: i64) {
        let Some(line) = &mut self.line else { return };
        for text in std::mem::take(&mut self.outbox) {
            if let Err(why) = line.say(&text) {
                self.down(&why, board, at_ns);
                return;
            }
        }
    }

    fn keep(&mut self, now: Instant, wishes: &mut Vec<Wish>) -> Result<(), String> {
        match self.silence.look(now) {
            Verdict::Dead(quiet) => return Err(format!("silent for {:.1} s", quiet.as_secs_f64())),
            Verdict::Ask => self.ping()?,
            Verdict::Fine => {}
        }
        self.renew(now, wishes)
    }

    fn ping(&mut self) -> Result<(), String> {
        match (self.venue, &mut self.line) {
            (Venue::Bybit, _) => self.outbox.push(bybit::BEAT.to_vec()),
            (Venue::Binance, Some(line)) => line.ping()?,
            (Venue::Binance, None) => {}
        }
        Ok(())
    }

    /// Ask again for books that are due, later and later.
    fn renew(&mut self, now: Instant, wishes: &mut Vec<Wish>) -> Result<(), String> {
        let again = self.books.due(now)?;
        self.counts.renewals += again.len() as u64;
        match self.venue {
            Venue::Binance => wishes.extend(again.into_iter().map(Wish::Depth)),
            Venue::Bybit if !again.is_empty() => {
                let is_due = |topic: &&String| {
                    topic.starts_with("orderbook.")
                        && again.iter().any(|of| bybit::is_of(topic, &self.symbols[*of]))
                };
                let topics: Vec<String> = self.topics.iter().filter(is_due).cloned().collect();
                self.outbox.extend(bybit::unsubscribe(&topics, &mut self.requests));
                self.subscribe(&topics);
            }
            Venue::Bybit => {}
        }
        Ok(())
    }

    /// The connection is gone.
    pub fn down(&mut self, why: &str, board: &mut Board, at_ns: i64) {
        if let Stage::Open(since) = self.stage {
            self.counts.drops += 1;
            if since.elapsed() >= STEADY {
                self.pause = PAUSE_MIN;
            }
        }
        if let Some(line) = &mut self.line {
            line.close();
        }
        if self.has_books {
            for &number in &self.numbers {
                board.set_book(at_ns, number, false, why);
            }
        }
        self.wire.lost();
        self.books.forget();
        self.outbox.clear();
        self.wait(why);
    }

    fn wait(&mut self, why: &str) {
        self.line = None;
        why.clone_into(&mut self.fault);
        // Half of the pause by chance, so that clients do not come back in step.
        let chance = f64::from(crate::log::now_ns() as u32 >> 8) / f64::from(1 << 24);
        let pause = self.pause.mul_f64(0.5 + chance);
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        self.stage = Stage::Waiting(Instant::now() + pause);
        let about = [
            ("feed", json!(self.name)),
            ("why", json!(why)),
            ("again_in_s", json!(pause.as_secs_f64())),
        ];
        say(Level::Warn, "disconnected", &about);
    }
}

/// Which symbols the facts of a frame are of, each once, and whose books they tell.
fn note_told(facts: &Facts, told: &mut Vec<usize>, books: &mut Books, now: Instant) {
    for fact in facts.as_slice() {
        let (Fact::Tick { of, .. }
        | Fact::Book { of, .. }
        | Fact::Candle { of, .. }
        | Fact::Funding { of, .. }) = fact;
        if matches!(fact, Fact::Book { .. }) {
            books.hear(*of, now);
        }
        if told.last() != Some(of) {
            told.push(*of);
        }
    }
}
