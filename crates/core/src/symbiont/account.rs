// SPDX-License-Identifier: Apache-2.0
//! The money of one agent: the project's ledger, fed in the order in which a trader would hear of
//! fills and funding, and looked at in regular steps. What happened at the venue is posted when its
//! answer has come; a sample of a moment sees nothing that is told at that moment or later.

use super::tape::Tape;
use super::terms::Terms;
use crate::error::Result;
use crate::ledger::{Fee, Ledger};
use crate::number::{Lots, Money, Side, Ticks, MONEY_SCALE};

/// A fill on its way to the trader.
#[derive(Debug, Clone, Copy)]
pub(super) struct Posting {
    /// When it happened at the venue, ns.
    pub time: i64,
    /// Whether funding of the same time comes after it.
    pub is_before_funding: bool,
    /// Number of the symbol.
    pub symbol: usize,
    pub side: Side,
    pub price: Ticks,
    pub lots: Lots,
}

/// Ledger, answers under way, samples.
pub(super) struct Account<'a> {
    pub ledger: Ledger,
    pub samples: Vec<f64>,
    tapes: &'a [Tape],
    terms: &'a Terms,
    /// By time at the venue.
    pending: Vec<Posting>,
    /// Next settlement of each symbol.
    settled: Vec<usize>,
    held: Vec<bool>,
    sample_due: i64,
    last: i64,
    ruin: Money,
    is_given_up: bool,
}

impl<'a> Account<'a> {
    pub(super) fn new(tapes: &'a [Tape], terms: &'a Terms) -> Result<Self> {
        let mut ledger = Ledger::new(terms.cash)?;
        for tape in tapes {
            let index = ledger.add_instrument(tape.recorded.instrument.clone())?;
            ledger.set_leverage(index, tape.recorded.leverage)?;
        }
        let ends =
            tapes.iter().filter(|tape| !tape.is_empty()).map(|tape| tape.end(tape.len() - 1));
        Ok(Self {
            ledger,
            samples: Vec::new(),
            tapes,
            terms,
            pending: Vec::new(),
            settled: vec![0; tapes.len()],
            held: vec![false; tapes.len()],
            sample_due: (terms.start_ns.div_euclid(terms.sample_step_ns) + 1)
                .saturating_mul(terms.sample_step_ns),
            last: ends.max().unwrap_or(terms.start_ns),
            ruin: Money(terms.cash.0 / 10),
            is_given_up: false,
        })
    }

    /// Something happened at the venue.
    pub(super) fn post(&mut self, posting: Posting) {
        let after = self.pending.partition_point(|other| other.time <= posting.time);
        self.pending.insert(after, posting);
    }

    /// Follow this agent no longer.
    pub(super) fn give_up(&mut self) {
        self.is_given_up = true;
    }

    /// A tenth of the money is left, or a position could not be protected.
    pub(super) fn is_ruined(&self) -> bool {
        self.is_given_up || self.ledger.equity() < self.ruin
    }

    /// Hear of everything that is known at `now`, sampling on the way.
    pub(super) fn advance(&mut self, now: i64) -> Result<()> {
        loop {
            let (told, is_funding) = self.next_told();
            if self.sample_due <= self.last && self.sample_due <= told && self.sample_due <= now {
                self.sample()?;
                continue;
            }
            if told > now || told == i64::MAX {
                return Ok(());
            }
            match is_funding {
                Some(symbol) => self.settle(symbol)?,
                None => self.book()?,
            }
        }
    }

    /// When the next answer is known, and whether it is funding of a symbol.
    fn next_told(&self) -> (i64, Option<usize>) {
        let response = self.terms.response_ns;
        let mut best = (i64::MAX, None);
        for (symbol, tape) in self.tapes.iter().enumerate() {
            if let Some(next) = tape.settlements.get(self.settled[symbol]) {
                if next.time + response < best.0 {
                    best = (next.time + response, Some(symbol));
                }
            }
        }
        match self.pending.first() {
            Some(fill) => {
                let known = fill.time + response;
                if known < best.0 || (known == best.0 && fill.is_before_funding) {
                    return (known, None);
                }
                best
            }
            None => best,
        }
    }

    fn settle(&mut self, symbol: usize) -> Result<()> {
        let it = self.tapes[symbol].settlements[self.settled[symbol]];
        self.settled[symbol] += 1;
        if self.held[symbol] {
            self.ledger.funding(symbol, it.rate, it.mark)?;
        }
        Ok(())
    }

    fn book(&mut self) -> Result<()> {
        let Posting { symbol, side, price, lots, .. } = self.pending.remove(0);
        let fee = Fee::Rate(self.tapes[symbol].recorded.fees.taker);
        let effect = self.ledger.fill(symbol, side, price, lots, fee)?;
        self.held[symbol] = effect.position.0 != 0;
        Ok(())
    }

    /// Equity at the last prices that were published before the sampling moment.
    fn sample(&mut self) -> Result<()> {
        for symbol in 0..self.tapes.len() {
            if self.held[symbol] {
                let tape = &self.tapes[symbol];
                let over = tape.over(self.sample_due, true);
                if over > 0 {
                    self.ledger.mark(symbol, tape.close(over - 1))?;
                }
            }
        }
        let equity = self.ledger.observe_equity();
        self.samples.push(equity.0 as f64 / MONEY_SCALE as f64);
        self.sample_due += self.terms.sample_step_ns;
        Ok(())
    }

    /// Equity at the closes of all bars that are over at `now`.
    pub(super) fn marked(&mut self, now: i64) -> Result<Money> {
        for symbol in 0..self.tapes.len() {
            if self.held[symbol] {
                let tape = &self.tapes[symbol];
                let over = tape.over(now, false);
                if over > 0 {
                    self.ledger.mark(symbol, tape.close(over - 1))?;
                }
            }
        }
        Ok(self.ledger.equity())
    }

    /// Everything that is still under way, and the last prices.
    pub(super) fn finish(&mut self) -> Result<()> {
        self.advance(i64::MAX)?;
        self.marked(i64::MAX / 2)?;
        Ok(())
    }
}
