// SPDX-License-Identifier: Apache-2.0
//! One agent over all symbols of an account: a scan that works only where a condition holds or a
//! stop is met. Between two events it looks at 64 bars with one comparison. It is played stretch by
//! stretch, as far as conditions are known. Which orders follow, when they fill and at what price
//! are the rules of `SimVenue` on bars, told by the moments of the bar's path; money is the
//! project's ledger. The trader knows of a fill when its answer has come.

use super::account::{Account, Posting};
use super::bank::WORD;
use super::gene::Genome;
use super::tape::{Tape, STRETCH};
use super::terms::{Deal, Terms, Trip, Verdict};
use crate::error::{Code, CoreError, Result};
use crate::number::{Lots, Rounding, Side, Ticks};
use crate::sim::crossing::slipped;
use crate::sim::path::{BarPath, WAYPOINTS};

/// Words of conditions that are kept: two stretches.
pub const RING: usize = 2 * STRETCH / WORD;

/// Where a condition holds, a bit a row; word `n` of the tape lies at `n % RING`.
pub type Held = [u64; RING];

/// Where the conditions of an agent hold on one symbol, as far as is known.
#[derive(Debug, Clone, Copy)]
pub struct Signals<'a> {
    /// Opens long, opens short, closes.
    pub held: [Option<&'a Held>; 3],
    /// Rows that are known: whole words, or all.
    pub known: usize,
}

impl Signals<'_> {
    fn word(&self, gene: usize, word: usize) -> u64 {
        self.held[gene].map_or(0, |held| held[word % RING])
    }
}

/// What happens next on a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// A signal at the end of this row, and its direction.
    Enter(usize, Side),
    /// A condition or the longest holding closes at the end of this row.
    Exit(usize),
    /// The stop is met in this row, at this waypoint. Where an exit was decided meanwhile, its row.
    Stop(usize, usize, Option<usize>),
    /// Nothing in the rows that are known.
    Nothing,
}

#[derive(Debug, Clone, Copy)]
struct Position {
    side: Side,
    lots: Lots,
    price: Ticks,
    decided: usize,
    trigger: Ticks,
    /// The first row whose open the resting stop sees.
    open_seen_from: usize,
}

#[derive(Debug, Clone, Copy)]
struct Desk {
    held: Option<Position>,
    /// First row that was not looked at: the agent may decide at its end, a stop be met in it.
    from: usize,
    next: Next,
    time: i64,
}

/// A run of one agent.
pub struct Scan<'a> {
    genome: &'a Genome,
    tapes: &'a [Tape],
    terms: &'a Terms,
    account: Account<'a>,
    desks: Vec<Desk>,
    orders: u64,
    rejected: u64,
    ruined_ns: Option<i64>,
    trips: Vec<Trip>,
    deals: Option<Vec<Deal>>,
}

impl<'a> Scan<'a> {
    /// An agent before the first bar.
    ///
    /// # Errors
    /// What the ledger refuses.
    pub fn new(
        genome: &'a Genome,
        tapes: &'a [Tape],
        terms: &'a Terms,
        keeps_deals: bool,
    ) -> Result<Self> {
        let desk = Desk { held: None, from: 0, next: Next::Nothing, time: i64::MAX };
        Ok(Self {
            genome,
            tapes,
            terms,
            account: Account::new(tapes, terms)?,
            desks: vec![desk; tapes.len()],
            orders: 0,
            rejected: 0,
            ruined_ns: None,
            trips: Vec::new(),
            deals: keeps_deals.then(Vec::new),
        })
    }

    /// Play all that happens before `until`. All rows that begin before it are known.
    ///
    /// # Errors
    /// What the ledger cannot carry.
    pub fn play(&mut self, signals: &[Signals<'_>], until: i64) -> Result<()> {
        if self.ruined_ns.is_some() {
            return Ok(());
        }
        for (at, signals) in signals.iter().enumerate() {
            let unknown = self.tapes[at].recorded.ts.get(signals.known);
            debug_assert!(unknown.is_none_or(|&begin| begin >= until));
            if self.desks[at].next == Next::Nothing {
                self.look(at, signals);
            }
        }
        while let Some(at) = self.first_before(until) {
            let desk = self.desks[at];
            match desk.next {
                Next::Nothing => break,
                Next::Enter(row, side) => self.enter(at, row, side)?,
                Next::Exit(row) => self.exit(at, row)?,
                Next::Stop(row, stage, exit) => self.stopped(at, row, stage, exit)?,
            }
            if self.account.is_ruined() {
                self.ruined_ns = Some(desk.time);
                break;
            }
            self.look(at, &signals[at]);
        }
        Ok(())
    }

    /// What came of the agent, all having been played.
    ///
    /// # Errors
    /// What the ledger cannot carry.
    pub fn verdict(mut self) -> Result<Verdict> {
        self.account.finish()?;
        let (ledger, samples) = (&self.account.ledger, self.account.samples);
        Ok(Verdict {
            orders: self.orders,
            rejected: self.rejected,
            equity: ledger.equity(),
            fees: ledger.fees(),
            funding: ledger.funding_total(),
            drawdown: ledger.drawdown().largest_rate().0 as f64 / 1e12,
            samples,
            ruined_ns: self.ruined_ns,
            trips: self.trips,
            deals: self.deals.unwrap_or_default(),
        })
    }

    // ------------------------------------------------------------ what comes next

    /// The symbol on which something happens first, if before `until`.
    fn first_before(&self, until: i64) -> Option<usize> {
        let first = (0..self.desks.len()).min_by_key(|&at| self.desks[at].time);
        first.filter(|&at| self.desks[at].time < until)
    }

    /// Find what happens next on a symbol.
    fn look(&mut self, at: usize, signals: &Signals<'_>) {
        let desk = &self.desks[at];
        let (next, time) = match desk.held {
            None => match signal_from(desk.from, signals) {
                Some((row, side)) => (Next::Enter(row, side), self.tapes[at].end(row)),
                None => (Next::Nothing, i64::MAX),
            },
            Some(held) => self.ending(at, &held, signals),
        };
        let desk = &mut self.desks[at];
        (desk.next, desk.time) = (next, time);
        if next == Next::Nothing {
            desk.from = signals.known;
        }
    }

    /// Stop or exit, whichever the venue sees first.
    fn ending(&self, at: usize, held: &Position, signals: &Signals<'_>) -> (Next, i64) {
        let tape = &self.tapes[at];
        let (stop, exit) = self.first_of(at, held, signals);
        let leaves = |row: usize| (Next::Exit(row), tape.end(row));
        let Some(row) = stop else {
            return exit.map_or((Next::Nothing, i64::MAX), leaves);
        };
        let (stage, time) = self.met(at, held, row);
        match exit {
            // The answer of a stop at the very end of the bar comes after the decision.
            Some(exit) if exit == row && stage == WAYPOINTS - 1 => {
                (Next::Stop(row, stage, Some(exit)), time)
            }
            Some(exit) if exit < row => {
                let arrives = tape.end(exit) + self.terms.entry_ns;
                if stage == 0 && time < arrives {
                    (Next::Stop(row, stage, Some(exit)), time)
                } else {
                    leaves(exit)
                }
            }
            _ => (Next::Stop(row, stage, None), time),
        }
    }

    /// First row in which the stop is met, and first at whose end the agent leaves; a stop is not
    /// looked for further than one row beyond the exit.
    fn first_of(
        &self,
        at: usize,
        held: &Position,
        signals: &Signals<'_>,
    ) -> (Option<usize>, Option<usize>) {
        let (tape, first) = (&self.tapes[at], self.desks[at].from);
        let count = tape.len();
        let oldest = match self.genome.hold {
            0 => usize::MAX,
            hold => held.decided + hold as usize,
        };
        let (is_long, trigger) = (held.side == Side::Buy, held.trigger.0);
        let is_met = |row: usize| {
            if is_long {
                tape.prices[row][2] <= trigger
            } else {
                tape.prices[row][1] >= trigger
            }
        };
        let mut word = first / WORD;
        let mut mask = u64::MAX << (first % WORD);
        let mut exit = None;
        while word * WORD < if exit.is_some() { count } else { signals.known } {
            let (begin, end) = ((word * WORD).max(first), (word * WORD + WORD).min(count));
            if exit.is_none() {
                let leaves = signals.word(2, word) & mask;
                let signal = (leaves != 0).then(|| word * WORD + leaves.trailing_zeros() as usize);
                let aged = (oldest < end).then_some(oldest.max(begin));
                exit = signal.into_iter().chain(aged).min();
            }
            let (low, high) = tape.extremes[word];
            let last = exit.map_or(end, |exit| end.min(exit + 2));
            let may_stop = if is_long { low <= trigger } else { high >= trigger };
            if may_stop {
                if let Some(row) = (begin..last).find(|&row| is_met(row)) {
                    return (Some(row), exit);
                }
            }
            if exit.is_some_and(|exit| exit + 2 <= end) {
                return (None, exit);
            }
            mask = u64::MAX;
            word += 1;
        }
        (None, exit)
    }

    /// Waypoint of a row at which the stop is met, and its time.
    fn met(&self, at: usize, held: &Position, row: usize) -> (usize, i64) {
        let tape = &self.tapes[at];
        let path = tape.path(row);
        let first = usize::from(row < held.open_seen_from);
        let is_met = |price: Ticks| is_beyond(held.side, price, held.trigger);
        let found = (first..WAYPOINTS).find(|&stage| is_met(path[stage]));
        // The extreme of the row is on its path, so it is found; the close stands for the opposite.
        let stage = found.unwrap_or(WAYPOINTS - 1);
        (stage, BarPath::time(tape.begin(row), tape.recorded.timeframe_ns, stage))
    }

    // ------------------------------------------------------------ what happens

    /// The last price at `time` at the venue, of an order that was sent at the end of `row`.
    fn last_at(&self, at: usize, row: usize, time: i64) -> Ticks {
        let tape = &self.tapes[at];
        if row + 1 < tape.len() && tape.begin(row + 1) < time {
            tape.open(row + 1)
        } else {
            tape.close(row)
        }
    }

    fn crossed(&self, at: usize, last: Ticks, deal: (Side, Lots), row: usize) -> Result<Ticks> {
        let tape = &self.tapes[at];
        let bar = tape.traded[row];
        slipped(&tape.recorded.instrument, last, deal, bar, self.terms.slippage)
            .ok_or_else(|| CoreError::new(Code::NumberOutOfRange, "a price leaves the grid"))
    }

    fn enter(&mut self, at: usize, row: usize, side: Side) -> Result<()> {
        let (tape, terms) = (&self.tapes[at], self.terms);
        let rules = &tape.recorded.instrument;
        self.desks[at].from = row + 1;
        let (atr, close) = (tape.yardstick[row], tape.recorded.bars[3][row]);
        let level = close - side.sign() as f64 * self.genome.stop * atr;
        if !(level > 0.0 && atr > 0.0) {
            return Ok(());
        }
        let trigger = rules.quantise_price(level, Rounding::Nearest)?;
        let now = tape.end(row);
        self.account.advance(now)?;
        let equity = self.account.marked(now)?;
        let reference = tape.close(row);
        let price = rules.price_f64(reference);
        let sized = terms.sizing.lots(rules, equity, price, self.genome.size, 0.0);
        let Some(lots) = sized.ok().filter(|&lots| rules.takes_size(reference, lots)) else {
            self.rejected += 1;
            return Ok(());
        };
        self.orders += 1;
        let arrives = now + terms.entry_ns;
        let last = self.last_at(at, row, arrives);
        if !rules.takes_size(last, lots) {
            self.rejected += 1;
            return Ok(());
        }
        let price = self.crossed(at, last, (side, lots), row)?;
        self.deal(at, side, (price, lots), (arrives, true), false);
        self.protect(
            at,
            row,
            Position { side, lots, price, decided: row, trigger, open_seen_from: row + 1 },
        )
    }

    /// The stop follows the entry's answer; it may have been passed when it arrives.
    fn protect(&mut self, at: usize, row: usize, mut held: Position) -> Result<()> {
        let (tape, terms) = (&self.tapes[at], self.terms);
        let arrives = tape.end(row) + terms.entry_ns * 2 + terms.response_ns;
        self.orders += 1;
        let last = self.last_at(at, row, arrives);
        if tape.recorded.instrument.check_lots(held.lots).is_err() {
            self.account.give_up(); // a position that no stop protects; the account is tiny
            return Ok(());
        }
        if row + 1 < tape.len() && tape.begin(row + 1) < arrives {
            held.open_seen_from = row + 2;
        }
        if !is_beyond(held.side, last, held.trigger) {
            self.desks[at].held = Some(held);
            return Ok(());
        }
        let price = self.crossed(at, last, (held.side.opposite(), held.lots), row)?;
        self.close(at, &held, price, (arrives, true), (row + 1, true));
        self.desks[at].from = row + 1;
        Ok(())
    }

    fn exit(&mut self, at: usize, row: usize) -> Result<()> {
        let (tape, terms) = (&self.tapes[at], self.terms);
        let Some(held) = self.desks[at].held else { return Ok(()) };
        self.orders += 1;
        let arrives = tape.end(row) + terms.entry_ns;
        let last = self.last_at(at, row, arrives);
        if tape.recorded.instrument.check_lots(held.lots).is_err() {
            self.account.give_up();
            return Ok(());
        }
        let price = self.crossed(at, last, (held.side.opposite(), held.lots), row)?;
        self.close(at, &held, price, (arrives, true), (row, false));
        self.desks[at].from = row + 1;
        Ok(())
    }

    fn stopped(&mut self, at: usize, row: usize, stage: usize, exit: Option<usize>) -> Result<()> {
        let tape = &self.tapes[at];
        let Some(held) = self.desks[at].held else { return Ok(()) };
        if exit.is_some() {
            // The exit finds nothing left to close.
            self.orders += 1;
            self.rejected += 1;
        }
        let last = if stage == 0 { tape.open(row) } else { held.trigger };
        // The last finished bar is the one before; a stop never rests before the second bar.
        let price =
            self.crossed(at, last, (held.side.opposite(), held.lots), row.saturating_sub(1))?;
        let time = BarPath::time(tape.begin(row), tape.recorded.timeframe_ns, stage);
        let is_last = stage == WAYPOINTS - 1;
        self.close(at, &held, price, (time, is_last), (row, true));
        self.desks[at].from = if is_last { row + 1 } else { row };
        Ok(())
    }

    /// Book the end of a position. `when`: at the venue, and whether before funding of that time.
    /// `over`: the row, and whether by the stop.
    fn close(
        &mut self,
        at: usize,
        held: &Position,
        price: Ticks,
        when: (i64, bool),
        (row, is_stop): (usize, bool),
    ) {
        let recorded = &self.tapes[at].recorded;
        self.deal(at, held.side.opposite(), (price, held.lots), when, is_stop);
        let quantity = recorded.instrument.quantity_f64(held.lots);
        let [bought, sold] = [held.price, price].map(|it| recorded.instrument.price_f64(it));
        let direction = held.side.sign() as f64;
        let value = (bought + sold) * quantity;
        let fees = value * recorded.fees.taker.0 as f64 / 1e12;
        self.trips.push(Trip {
            symbol: at as u32,
            decided: held.decided as u32,
            over: row as u32,
            direction: held.side.sign() as i8,
            result: (sold - bought) * quantity * direction - fees,
            value,
        });
        self.desks[at].held = None;
    }

    fn deal(
        &mut self,
        at: usize,
        side: Side,
        (price, lots): (Ticks, Lots),
        (time, is_before_funding): (i64, bool),
        is_stop: bool,
    ) {
        let known_ns = time + self.terms.response_ns;
        if let Some(deals) = &mut self.deals {
            deals.push(Deal { known_ns, symbol: at as u32, side, price, lots: lots.0, is_stop });
        }
        self.account.post(Posting { time, is_before_funding, symbol: at, side, price, lots });
    }
}

/// First row from `from` on at whose end a position is opened, and its direction.
fn signal_from(from: usize, signals: &Signals<'_>) -> Option<(usize, Side)> {
    let mut word = from / WORD;
    let mut mask = u64::MAX << (from % WORD);
    while word * WORD < signals.known {
        let (buys, sells) = (signals.word(0, word) & mask, signals.word(1, word) & mask);
        if buys | sells != 0 {
            let bit = (buys | sells).trailing_zeros() as usize;
            let side = if buys >> bit & 1 == 1 { Side::Buy } else { Side::Sell };
            return Some((word * WORD + bit, side));
        }
        mask = u64::MAX;
        word += 1;
    }
    None
}

/// Has the price come to where the stop of a position on `side` wakes?
fn is_beyond(side: Side, price: Ticks, trigger: Ticks) -> bool {
    match side {
        Side::Buy => price <= trigger,
        Side::Sell => price >= trigger,
    }
}
