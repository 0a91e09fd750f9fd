// SPDX-License-Identifier: Apache-2.0
//! One agent over all symbols of an account: a scan that works only where a condition holds or a
//! stop is met. Between two events it looks at 64 bars with one comparison. Which orders follow,
//! when they fill and at what price are the rules of `SimVenue` on bars, told by the moments of
//! the bar's path; money is the project's ledger. The trader knows of a fill when its answer has
//! come.

use super::account::{Account, Posting};
use super::bank::WORD;
use super::gene::Genome;
use super::tape::Tape;
use super::terms::{Deal, Terms, Trip, Verdict};
use crate::error::{Code, CoreError, Result};
use crate::number::{Lots, Rounding, Side, Ticks};
use crate::sim::crossing::slipped;
use crate::sim::path::{BarPath, WAYPOINTS};

/// Where the conditions of an agent hold on one symbol, a bit a row, and the stop's yardstick.
#[derive(Debug, Clone, Copy)]
pub struct Signals<'a> {
    /// Opens long, opens short, closes.
    pub held: [Option<&'a [u64]>; 3],
    /// Average true range at each row.
    pub atr: &'a [f64],
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
    /// Nothing any more.
    Over,
}

#[derive(Debug, Clone, Copy)]
struct Held {
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
    held: Option<Held>,
    /// First row at whose end the agent may decide again.
    from: usize,
    next: Next,
    time: i64,
}

/// A run of one agent.
pub struct Scan<'a> {
    genome: &'a Genome,
    tapes: &'a [Tape],
    signals: &'a [Signals<'a>],
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
        signals: &'a [Signals<'a>],
        terms: &'a Terms,
        keeps_deals: bool,
    ) -> Result<Self> {
        let desk = Desk { held: None, from: 0, next: Next::Over, time: i64::MAX };
        Ok(Self {
            genome,
            tapes,
            signals,
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

    /// Play everything.
    ///
    /// # Errors
    /// What the ledger cannot carry.
    pub fn run(mut self) -> Result<Verdict> {
        (0..self.desks.len()).for_each(|at| self.look(at));
        while let Some(at) = (0..self.desks.len()).min_by_key(|&at| self.desks[at].time) {
            let desk = self.desks[at];
            match desk.next {
                Next::Over => break,
                Next::Enter(row, side) => self.enter(at, row, side)?,
                Next::Exit(row) => self.exit(at, row)?,
                Next::Stop(row, stage, exit) => self.stopped(at, row, stage, exit)?,
            }
            if self.account.is_ruined() {
                self.ruined_ns = Some(desk.time);
                break;
            }
            self.look(at);
        }
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

    /// Find what happens next on a symbol.
    fn look(&mut self, at: usize) {
        let desk = &self.desks[at];
        let tape = &self.tapes[at];
        let (next, time) = match desk.held {
            None => match self.signal_from(at, desk.from) {
                Some((row, side)) => (Next::Enter(row, side), tape.end(row)),
                None => (Next::Over, i64::MAX),
            },
            Some(held) => self.ending(at, &held),
        };
        self.desks[at].next = next;
        self.desks[at].time = time;
    }

    fn signal_from(&self, at: usize, from: usize) -> Option<(usize, Side)> {
        let [long, short, _] = self.signals[at].held;
        let count = self.tapes[at].len();
        let mut word = from / WORD;
        let mut mask = u64::MAX << (from % WORD);
        let of = |bits: Option<&[u64]>, word: usize| bits.map_or(0, |bits| bits[word]);
        while word * WORD < count {
            let (buys, sells) = (of(long, word) & mask, of(short, word) & mask);
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

    /// Stop or exit, whichever the venue sees first.
    fn ending(&self, at: usize, held: &Held) -> (Next, i64) {
        let tape = &self.tapes[at];
        let first = held.decided + 1;
        let (stop, exit) = self.first_of(at, held, first);
        let leaves = |row: usize| (Next::Exit(row), tape.end(row));
        let Some(row) = stop else {
            return exit.map_or((Next::Over, i64::MAX), leaves);
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
    fn first_of(&self, at: usize, held: &Held, first: usize) -> (Option<usize>, Option<usize>) {
        let (tape, bits) = (&self.tapes[at], self.signals[at].held[2]);
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
        while word * WORD < count {
            let (begin, end) = ((word * WORD).max(first), (word * WORD + WORD).min(count));
            if exit.is_none() {
                let leaves = bits.map_or(0, |bits| bits[word]) & mask;
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
    fn met(&self, at: usize, held: &Held, row: usize) -> (usize, i64) {
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
        let (atr, close) = (self.signals[at].atr[row], tape.recorded.bars[3][row]);
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
        let Ok(lots) = sized.and_then(|lots| rules.check_size(reference, lots).map(|()| lots))
        else {
            self.rejected += 1;
            return Ok(());
        };
        self.orders += 1;
        let arrives = now + terms.entry_ns;
        let last = self.last_at(at, row, arrives);
        if rules.check_size(last, lots).is_err() {
            self.rejected += 1;
            return Ok(());
        }
        let price = self.crossed(at, last, (side, lots), row)?;
        self.deal(at, side, (price, lots), (arrives, true), false);
        self.protect(
            at,
            row,
            Held { side, lots, price, decided: row, trigger, open_seen_from: row + 1 },
        )
    }

    /// The stop follows the entry's answer; it may have been passed when it arrives.
    fn protect(&mut self, at: usize, row: usize, mut held: Held) -> Result<()> {
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
        held: &Held,
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

/// Has the price come to where the stop of a position on `side` wakes?
fn is_beyond(side: Side, price: Ticks, trigger: Ticks) -> bool {
    match side {
        Side::Buy => price <= trigger,
        Side::Sell => price >= trigger,
    }
}
