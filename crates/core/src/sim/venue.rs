// SPDX-License-Identifier: Apache-2.0
//! The simulated exchange: recorded market and orders in, facts out. Time moves to the earliest of
//! three things: an answer arriving at the trader, a command arriving at the venue, a moment of
//! the recorded market; ties in this order. Moments of one time come as bars that end, funding,
//! trades and books, waypoints of bars, whatever the order of the files. `next` stops at the first
//! moment at which somebody could act, so the future cannot leak into the past. It keeps its own
//! ledger, as an exchange does.

use std::collections::VecDeque;

use crate::error::{Code, CoreError, Result};
use crate::instrument::{Instrument, Kind};
use crate::ledger::Ledger;
use crate::number::{Money, Rate};
use crate::rng::Random;
use crate::sim::bars::{Moment, Rank};
use crate::sim::fact::{Command, Fact, Step};
use crate::sim::history::{Rows, Stream};
use crate::sim::latency::{Latency, Line};
use crate::sim::market::{DepthEvent, Detail, Execution, FillModel, Market};
use crate::sim::path::BarPath;
use crate::sim::wake::{row_of, Watch};

/// Fee rates of one instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fees {
    /// Of a resting order; negative is a rebate.
    pub maker: Rate,
    /// Of an order that crosses.
    pub taker: Rate,
    /// Charged when the venue closes a position by force.
    pub liquidation: Rate,
}

/// Settings of a venue.
#[derive(Debug, Clone)]
pub struct VenueConfig {
    /// Money at the start.
    pub cash: Money,
    /// Way in.
    pub entry: Latency,
    /// Way back.
    pub response: Latency,
    /// How orders fill.
    pub model: FillModel,
    /// Seed of every random draw.
    pub seed: u64,
}

/// Largest number of commands and answers under way; beyond it the caller has lost control.
const IN_FLIGHT_MAX: usize = 100_000;

/// A simulated exchange.
#[derive(Debug, Clone)]
pub struct SimVenue {
    pub(super) markets: Vec<Market>,
    pub(super) fees: Vec<Fees>,
    pub(super) streams: Vec<Stream>,
    pub(super) ledger: Ledger,
    pub(super) model: FillModel,
    pub(super) executions: Vec<Execution>,
    pub(super) depth_event: DepthEvent,
    pub(super) facts: Vec<Fact>,
    pub(super) now: i64,
    pub(super) commands: VecDeque<(i64, Command)>,
    answers: VecDeque<(i64, Fact)>,
    entry: Line,
    response: Line,
    pub(super) stages: Vec<usize>,
    pub(super) paths: Vec<Option<BarPath>>,
    pub(super) drives: Vec<bool>,
    pub(super) exec_id: u64,
    pub(super) offered: u64,
    /// By instrument.
    watches: Vec<Option<Watch>>,
    is_watched: bool,
}

impl SimVenue {
    /// A venue without instruments.
    ///
    /// # Errors
    /// [`Code::NumberOutOfRange`] for more cash than the ledger can count.
    pub fn new(config: VenueConfig) -> Result<Self> {
        Ok(Self {
            markets: Vec::new(),
            fees: Vec::new(),
            streams: Vec::new(),
            ledger: Ledger::new(config.cash)?,
            model: config.model,
            executions: Vec::new(),
            depth_event: DepthEvent::default(),
            facts: Vec::new(),
            now: 0,
            commands: VecDeque::new(),
            answers: VecDeque::new(),
            entry: Line::new(config.entry, Random::new(config.seed, 1)),
            response: Line::new(config.response, Random::new(config.seed, 2)),
            stages: Vec::new(),
            paths: Vec::new(),
            drives: Vec::new(),
            exec_id: 0,
            offered: 0,
            watches: Vec::new(),
            is_watched: false,
        })
    }

    /// List an instrument; its index is returned.
    ///
    /// # Errors
    /// [`Code::InstrumentInvalid`] if the symbol is listed already.
    pub fn add_instrument(
        &mut self,
        instrument: Instrument,
        fees: Fees,
        leverage: Rate,
    ) -> Result<usize> {
        let index = self.ledger.add_instrument(instrument.clone())?;
        if instrument.kind == Kind::LinearPerpetual {
            self.ledger.set_leverage(index, leverage)?;
        }
        self.markets.push(Market::new(instrument));
        self.watches.push(None);
        self.fees.push(fees);
        Ok(index)
    }

    /// Add recorded data; the finest stream of an instrument decides its fills.
    ///
    /// # Errors
    /// [`Code::UnknownSymbol`] if the stream's instrument is not listed.
    pub fn add_stream(&mut self, stream: Stream) -> Result<usize> {
        let Some(market) = self.markets.get_mut(stream.instrument) else {
            let why = format!("stream of instrument {} that is not listed", stream.instrument);
            return Err(CoreError::new(Code::UnknownSymbol, why));
        };
        let detail = match stream.rows {
            Rows::Candles { .. } | Rows::Funding { .. } => Detail::Bars,
            Rows::Trades { .. } => Detail::Trades,
            Rows::Quotes { .. } => Detail::Touch,
            Rows::Depth { .. } => Detail::Ladder,
        };
        market.detail = market.detail.max(detail);
        self.streams.push(stream);
        self.stages.push(0);
        self.paths.push(None);
        self.drives.push(false);
        self.choose_drivers();
        Ok(self.streams.len() - 1)
    }

    /// Continue a played-out stream with later rows: how an endless market is fed in pieces.
    ///
    /// # Errors
    /// [`Code::DataInvalid`] if rows are left, the kind differs, or time would fall.
    pub fn refill(&mut self, index: usize, next: Stream) -> Result<()> {
        let bad = |why: &str| Err(CoreError::new(Code::DataInvalid, why));
        let Some(old) = self.streams.get_mut(index) else { return bad("no such stream") };
        if old.remaining() > 0 {
            return bad("the stream has rows left; refill it when they are played");
        }
        let same_kind = std::mem::discriminant(&old.rows) == std::mem::discriminant(&next.rows);
        if !same_kind || old.instrument != next.instrument {
            return bad("a stream is continued by rows of its own kind and instrument");
        }
        if next.remaining() > 0 && next.time(0) < self.now {
            return bad("the new rows begin before the present");
        }
        *old = Stream { is_offered: old.is_offered, ..next };
        Ok(())
    }

    /// The exchange's own account.
    #[must_use]
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// A listed market.
    #[must_use]
    pub fn market(&self, instrument: usize) -> Option<&Market> {
        self.markets.get(instrument)
    }

    /// Index of a listed symbol.
    #[must_use]
    pub fn index_of(&self, symbol: &str) -> Option<usize> {
        self.ledger.index_of(symbol)
    }

    /// Number of recorded streams.
    #[must_use]
    pub fn streams(&self) -> usize {
        self.streams.len()
    }

    /// All recorded streams.
    #[must_use]
    pub fn all_streams(&self) -> &[Stream] {
        &self.streams
    }

    /// Number of listed instruments.
    #[must_use]
    pub fn instruments(&self) -> usize {
        self.markets.len()
    }

    /// A recorded stream.
    #[must_use]
    pub fn stream(&self, index: usize) -> Option<&Stream> {
        self.streams.get(index)
    }

    /// Let the kernel see a stream's facts, or keep them inside.
    pub fn offer(&mut self, stream: usize, is_offered: bool) {
        if let Some(stream) = self.streams.get_mut(stream) {
            stream.is_offered = is_offered;
        }
    }

    /// Watch the facts of an instrument; see [`Watch`].
    pub fn watch(&mut self, instrument: usize, watch: Watch) {
        if let Some(place) = self.watches.get_mut(instrument) {
            *place = Some(watch);
            self.is_watched = true;
        }
    }

    /// The watch of an instrument.
    pub fn watch_of(&mut self, instrument: usize) -> Option<&mut Watch> {
        self.watches.get_mut(instrument).and_then(Option::as_mut)
    }

    /// Present time of the venue, ns.
    #[must_use]
    pub const fn now(&self) -> i64 {
        self.now
    }

    /// Market facts of the offered streams so far, those that a watch kept back included.
    #[must_use]
    pub const fn offered(&self) -> u64 {
        self.offered
    }

    /// Facts of the instant found by [`Self::next`].
    #[must_use]
    pub fn facts(&self) -> &[Fact] {
        &self.facts
    }

    /// Own orders resting at the venue.
    #[must_use]
    pub fn open_orders(&self) -> usize {
        self.markets.iter().map(|market| market.resting.len()).sum()
    }

    /// Send a command at time `now`; it arrives after the entry latency.
    ///
    /// # Errors
    /// [`Code::NumberOutOfRange`] if too many messages are under way.
    pub fn send(&mut self, now: i64, command: Command) -> Result<()> {
        if self.commands.len() >= IN_FLIGHT_MAX {
            let why = format!("more than {IN_FLIGHT_MAX} commands under way");
            return Err(CoreError::new(Code::NumberOutOfRange, why));
        }
        let arrival = self.entry.arrival(now);
        self.commands.push_back((arrival, command));
        Ok(())
    }

    /// Go to the next instant at which the trader learns something, not beyond `horizon`.
    ///
    /// # Errors
    /// Data off the grid, or arithmetic out of range; the venue must not be used afterwards.
    pub fn next(&mut self, horizon: Option<i64>) -> Result<Step> {
        self.facts.clear();
        loop {
            let answer = self.answers.front().map_or(i64::MAX, |item| item.0);
            let command = self.commands.front().map_or(i64::MAX, |item| item.0);
            let market = self.earliest();
            let time = answer.min(command).min(market.time);
            if time == i64::MAX {
                return Ok(Step::End);
            }
            if horizon.is_some_and(|horizon| horizon <= time) {
                return Ok(Step::Horizon);
            }
            self.now = self.now.max(time);
            if answer == time {
                while let Some(&(at, fact)) = self.answers.front().filter(|item| item.0 == time) {
                    debug_assert_eq!(at, time);
                    self.facts.push(fact);
                    self.answers.pop_front();
                }
                return Ok(Step::Instant(time));
            }
            if command == time {
                if let Some((_, command)) = self.commands.pop_front() {
                    self.execute(command)?;
                }
                continue;
            }
            self.play(market)?;
            if !self.facts.is_empty() {
                if self.streams.len() > 1 {
                    self.play_same_time(time)?;
                }
                self.offered += self.facts.len() as u64;
                if self.is_watched {
                    self.keep_back(time);
                }
                if !self.facts.is_empty() {
                    return Ok(Step::Instant(time));
                }
            }
        }
    }

    /// What other instruments do at `time` belongs to the same instant, but for the waypoints of
    /// bars: an open is not known before the close at the same time was acted upon. A second event
    /// of the same instrument does not belong either: rows of one time are a sequence, and
    /// somebody could act in between. Funding is told later, as an answer, so it does belong.
    fn play_same_time(&mut self, time: i64) -> Result<()> {
        loop {
            let next = self.earliest();
            let is_over = next.time != time || next.rank == Rank::Waypoint;
            let is_second = next.rank != Rank::Funding
                && self.has_fact_of(self.streams[next.stream].instrument);
            if is_over || is_second {
                return Ok(());
            }
            self.play(next)?;
        }
    }

    fn has_fact_of(&self, instrument: usize) -> bool {
        self.facts.iter().any(|fact| match *fact {
            Fact::Candle { stream, .. } => self.streams[stream].instrument == instrument,
            Fact::Tick { instrument: of, .. }
            | Fact::Book { instrument: of, .. }
            | Fact::Funding { instrument: of, .. } => of == instrument,
            _ => false,
        })
    }

    /// Drop the facts that no watch wants.
    fn keep_back(&mut self, now_ns: i64) {
        let Self { facts, watches, streams, .. } = self;
        facts.retain(|fact| match row_of(fact, streams) {
            Some((instrument, feed, row)) => {
                watches[instrument].as_mut().is_none_or(|watch| watch.judge(feed, &row, now_ns))
            }
            None => true,
        });
    }

    fn earliest(&self) -> Moment {
        let mut best = Moment { time: i64::MAX, rank: Rank::Waypoint, stream: 0 };
        for index in 0..self.streams.len() {
            best = best.min(self.moment(index));
        }
        best
    }

    /// Play one row, book what it filled, and only then ask whether the account still carries it.
    fn play(&mut self, moment: Moment) -> Result<()> {
        let index = moment.stream;
        let stream = &self.streams[index];
        let (row, instrument) = (stream.cursor, stream.instrument);
        match &stream.rows {
            Rows::Candles { .. } => self.play_bar(moment)?,
            Rows::Trades { .. } => self.play_trade(index, row)?,
            Rows::Quotes { .. } => self.play_quote(index, row)?,
            Rows::Depth { .. } => self.play_depth(index)?,
            Rows::Funding { rate } => {
                let rate = Rate::from_f64(rate[row])?;
                self.streams[index].cursor += 1;
                self.settle_funding(index, instrument, rate)?;
            }
        }
        self.book_executions(instrument)?;
        self.mark(instrument)
    }

    /// Are messages on their way to the venue?
    pub(super) fn is_awaited(&self) -> bool {
        !self.commands.is_empty()
    }

    /// Send an answer back; it arrives after the response latency.
    pub(super) fn answer(&mut self, fact: Fact) {
        let arrival = self.response.arrival(self.now);
        self.answers.push_back((arrival, fact));
    }
}
