// SPDX-License-Identifier: Apache-2.0
//! From a population and a market to verdicts. A ground is the market, made once; `judge` may be
//! called from several threads with parts of a population, for a verdict depends on its genome
//! alone.

use super::bank::{Bank, BLOCK, WORD};
use super::course::Course;
use super::gene::{Expr, Genome};
use super::scan::{Held, Scan, Signals, RING};
use super::tape::{Recorded, Tape, STRETCH};
use super::terms::{Terms, Verdict};
use crate::error::{Code, CoreError, Result};

/// Most symbols of one account here.
pub const SYMBOLS_MAX: usize = 64;

/// The market that agents are judged on, and the terms.
#[derive(Debug, Clone)]
pub struct Ground {
    tapes: Vec<Tape>,
    terms: Terms,
}

impl Ground {
    /// A ground of recorded symbols.
    ///
    /// # Errors
    /// As of [`Tape::new`]; [`Code::ParameterInvalid`] for no symbol or too many.
    pub fn new(recorded: Vec<Recorded>, terms: Terms) -> Result<Self> {
        let count = recorded.len();
        if count == 0 || count > SYMBOLS_MAX {
            let why = format!("{count} symbols; allowed: 1 to {SYMBOLS_MAX}");
            return Err(CoreError::new(Code::ParameterInvalid, why));
        }
        let tapes = recorded.into_iter().map(|it| Tape::new(it, &terms)).collect::<Result<_>>()?;
        Ok(Self { tapes, terms })
    }

    /// The symbols, in order.
    #[must_use]
    pub fn tapes(&self) -> &[Tape] {
        &self.tapes
    }

    /// The terms.
    #[must_use]
    pub const fn terms(&self) -> &Terms {
        &self.terms
    }

    /// The values of a number at each row of a symbol, NaN where undefined.
    ///
    /// # Errors
    /// As of [`Bank::number`].
    pub fn column(&self, symbol: usize, expr: &Expr) -> Result<Vec<f64>> {
        let Some(tape) = self.tapes.get(symbol) else {
            return Err(CoreError::new(Code::UnknownSymbol, format!("symbol {symbol}")));
        };
        check_places(expr, self.tapes.len(), tape.recorded.extras.len())?;
        let mut bank = Bank::default();
        let place = bank.number(expr)?;
        let mut found = Vec::with_capacity(tape.len());
        let mut course = Course::new(&self.tapes, symbol, bank)?;
        while !course.is_over() {
            course.step(|bank, rows, brought| {
                found.extend_from_slice(bank.value(rows, brought, place));
            });
        }
        Ok(found)
    }
}

/// Conditions of all agents on one symbol, each distinct one once, a stretch at a time.
struct Board<'a> {
    course: Course<'a>,
    conditions: Vec<usize>,
    /// Where each condition holds.
    held: Vec<Held>,
    /// Place of each agent's long, short and exit.
    places: Vec<[Option<usize>; 3]>,
}

impl<'a> Board<'a> {
    fn new(ground: &'a Ground, symbol: usize, genomes: &[Genome]) -> Result<Self> {
        let mut bank = Bank::default();
        let mut conditions = Vec::new();
        let mut places = Vec::with_capacity(genomes.len());
        for genome in genomes {
            let mut of = [None; 3];
            for (to, gene) in of.iter_mut().zip([&genome.long, &genome.short, &genome.exit]) {
                if let Some(gene) = gene {
                    let condition = bank.condition(gene)?;
                    let known = conditions.iter().position(|&known| known == condition);
                    *to = Some(known.unwrap_or(conditions.len()));
                    if known.is_none() {
                        conditions.push(condition);
                    }
                }
            }
            places.push(of);
        }
        let held = vec![[0; RING]; conditions.len()];
        Ok(Self { course: Course::new(&ground.tapes, symbol, bank)?, conditions, held, places })
    }

    /// When the rows of the next stretch are over.
    fn ahead(&self) -> Option<i64> {
        self.course.tape.recorded.ts.get(self.course.row + STRETCH).copied()
    }

    /// Know all rows that begin before `until`.
    fn run(&mut self, until: i64) {
        let (tape, first) = (self.course.tape, self.course.row);
        while !self.course.is_over() && tape.begin(self.course.row) < until {
            let word = self.course.row / WORD % RING;
            self.course.step(|bank, _, _| {
                for (held, &condition) in self.held.iter_mut().zip(&self.conditions) {
                    held[word..word + BLOCK / WORD].copy_from_slice(bank.held(condition));
                }
            });
        }
        tape.warm(first..self.course.row);
    }

    fn signals(&self, agent: usize) -> Signals<'_> {
        let held = self.places[agent].map(|place| place.map(|place| &self.held[place]));
        Signals { held, known: self.course.row }
    }
}

/// The verdict on each genome. `keeps_deals`: tell every execution.
///
/// # Errors
/// [`Code::ParameterInvalid`] for an expression that cannot be computed here, and what the ledger
/// cannot carry.
pub fn judge(ground: &Ground, genomes: &[Genome], keeps_deals: bool) -> Result<Vec<Verdict>> {
    for genome in genomes {
        for gene in [&genome.long, &genome.short, &genome.exit].into_iter().flatten() {
            let extras = ground.tapes.iter().map(|tape| tape.recorded.extras.len()).min();
            check_places(gene, ground.tapes.len(), extras.unwrap_or(0))?;
        }
    }
    let (tapes, terms) = (&ground.tapes, &ground.terms);
    let boards = (0..tapes.len()).map(|symbol| Board::new(ground, symbol, genomes));
    let mut boards = boards.collect::<Result<Vec<_>>>()?;
    let scans = genomes.iter().map(|genome| Scan::new(genome, tapes, terms, keeps_deals));
    let mut scans = scans.collect::<Result<Vec<_>>>()?;
    let mut until = i64::MIN;
    while until < i64::MAX {
        until = boards.iter().filter_map(Board::ahead).min().unwrap_or(i64::MAX);
        boards.iter_mut().for_each(|board| board.run(until));
        for (agent, scan) in scans.iter_mut().enumerate() {
            let signals: Vec<_> = boards.iter().map(|board| board.signals(agent)).collect();
            scan.play(&signals, until)?;
        }
    }
    scans.into_iter().map(Scan::verdict).collect()
}

/// Refuse an expression of a symbol or an extra column that is not there.
pub(super) fn check_places(expr: &Expr, symbols: usize, extras: usize) -> Result<()> {
    let check = |expr: &Expr| check_places(expr, symbols, extras);
    match expr {
        Expr::Of(symbol, _) if *symbol >= symbols => {
            let why = format!("an expression of symbol {symbol}; there are {symbols}");
            Err(CoreError::new(Code::UnknownSymbol, why))
        }
        Expr::Extra(place) if *place >= extras => {
            let why = format!("extra column {place}; there are {extras}");
            Err(CoreError::new(Code::ParameterInvalid, why))
        }
        Expr::Input(_) | Expr::Extra(_) | Expr::Number(_) => Ok(()),
        Expr::Of(_, of) => check(of),
        Expr::Indicator(_, _, of) => of.as_deref().map_or(Ok(()), check),
        Expr::Arithmetic(_, left, right)
        | Expr::Less(left, right, _)
        | Expr::And(left, right)
        | Expr::Or(left, right) => check(left).and_then(|()| check(right)),
    }
}
