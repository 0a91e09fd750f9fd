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
    commands: VecDeque<(i64, Command)>,
    answers: VecDeque<(i64, Fact)>,
    entry: Line,
    response: Line,
    pub(super) stages: Vec<usize>,
    pub(super) paths: Vec<Option<BarPath>>,
    pub(super) drives: Vec<bool>,
    pub(super) exec_id: u64,
    pub(super) offered: u64,
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

    /// Present time of the venue, ns.
    #[must_use]
    pub const fn now(&self) -> i64 {
        self.now
    }

    /// Market facts offered so far.
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
            self.play(market.stream)?;
            if !self.facts.is_empty() {
                self.play_same_time(time)?;
                self.offered += self.facts.len() as u64;
                return Ok(Step::Instant(time));
            }
        }
    }

    /// Everything else the market does at `time` belongs to the same instant, but for the
    /// waypoints of bars: an open is not known before the close at the same time was acted upon.
    fn play_same_time(&mut self, time: i64) -> Result<()> {
        loop {
            let next = self.earliest();
            if next.time != time || next.rank == Rank::Waypoint {
                return Ok(());
            }
            self.play(next.stream)?;
        }
    }

    fn earliest(&self) -> Moment {
        let mut best = Moment { time: i64::MAX, rank: Rank::Waypoint, stream: 0 };
        for index in 0..self.streams.len() {
            best = best.min(self.moment(index));
        }
        best
    }

    /// Play one row, book what it filled, and only then ask whether the account still carries it.
    fn play(&mut self, index: usize) -> Result<()> {
        let stream = &self.streams[index];
        let (row, instrument) = (stream.cursor, stream.instrument);
        match &stream.rows {
            Rows::Candles { .. } => self.play_bar(index)?,
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
