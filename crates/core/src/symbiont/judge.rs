// SPDX-License-Identifier: Apache-2.0
//! From a population and a market to verdicts. A ground is the market, made once; `judge` may be
//! called from several threads with parts of a population, for a verdict depends on its genome
//! alone.

use super::bank::{Bank, Rows, BLOCK, OWN, WORD};
use super::gene::{Expr, Genome, Kind, STOP_WINDOW};
use super::scan::{Scan, Signals};
use super::tape::{Recorded, Tape};
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
        self.blocks(symbol, &mut bank, |bank, rows, brought| {
            found.extend_from_slice(bank.value(rows, brought, place));
        })?;
        Ok(found)
    }

    /// Run a bank over a symbol, telling `on_block` after each block.
    fn blocks(
        &self,
        symbol: usize,
        bank: &mut Bank,
        mut on_block: impl FnMut(&Bank, &Rows<'_>, &[&[f64]]),
    ) -> Result<()> {
        let tape = &self.tapes[symbol];
        let mut brought = Vec::new();
        for wanted in bank.wanted().to_vec() {
            brought.push(match wanted.expr {
                Expr::Extra(place) if wanted.symbol == OWN => tape.recorded.extras[place].to_vec(),
                ref expr => {
                    let column = self.column(wanted.symbol, expr)?;
                    self.lagged(symbol, wanted.symbol, &column)
                }
            });
        }
        let rows = tape.rows();
        for from in (0..tape.len()).step_by(BLOCK) {
            let to = (from + BLOCK).min(tape.len());
            let part = rows.part(from, to);
            let parts: Vec<&[f64]> = brought.iter().map(|column| &column[from..to]).collect();
            bank.run(&part, &parts);
            on_block(bank, &part, &parts);
        }
        Ok(())
    }

    /// A column of another symbol on the rows of this one: its last bar that was over before.
    fn lagged(&self, symbol: usize, other: usize, column: &[f64]) -> Vec<f64> {
        let (own, from) = (&self.tapes[symbol], &self.tapes[other]);
        let mut over = 0;
        (0..own.len())
            .map(|row| {
                while over < from.len() && from.end(over) < own.end(row) {
                    over += 1;
                }
                if over > 0 {
                    column[over - 1]
                } else {
                    f64::NAN
                }
            })
            .collect()
    }
}

/// Conditions of all agents on one symbol, a bit a row, each distinct one once.
struct Board {
    /// Place of each agent's long, short and exit.
    places: Vec<[Option<usize>; 3]>,
    held: Vec<Vec<u64>>,
    atr: Vec<f64>,
}

impl Board {
    fn new(ground: &Ground, symbol: usize, genomes: &[Genome]) -> Result<Self> {
        let mut bank = Bank::default();
        let atr_place = bank.number(&Expr::Indicator(Kind::Atr, STOP_WINDOW, None))?;
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
        let count = ground.tapes[symbol].len();
        let mut held = vec![Vec::with_capacity(count.div_ceil(WORD) + BLOCK); conditions.len()];
        let mut atr = Vec::with_capacity(count);
        ground.blocks(symbol, &mut bank, |bank, rows, brought| {
            for (words, &condition) in held.iter_mut().zip(&conditions) {
                words.extend_from_slice(bank.held(condition));
            }
            atr.extend_from_slice(bank.value(rows, brought, atr_place));
        })?;
        Ok(Self { places, held, atr })
    }

    fn signals(&self, agent: usize) -> Signals<'_> {
        let held = self.places[agent].map(|place| place.map(|place| self.held[place].as_slice()));
        Signals { held, atr: &self.atr }
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
    let symbols = 0..ground.tapes.len();
    let boards = symbols.map(|symbol| Board::new(ground, symbol, genomes));
    let boards = boards.collect::<Result<Vec<_>>>()?;
    genomes
        .iter()
        .enumerate()
        .map(|(agent, genome)| {
            let signals: Vec<_> = boards.iter().map(|board| board.signals(agent)).collect();
            Scan::new(genome, &ground.tapes, &signals, &ground.terms, keeps_deals)?.run()
        })
        .collect()
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
