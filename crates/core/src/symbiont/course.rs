// SPDX-License-Identifier: Apache-2.0
//! A bank on its way over a market, block by block, and what other symbols bring to it: of another
//! symbol a bar knows what was over before it was. Others go along, as far as they are asked.

use super::bank::{Bank, Rows, BLOCK, OWN};
use super::gene::Expr;
use super::tape::Tape;
use crate::error::Result;

/// A bank on its way over a symbol.
pub(super) struct Course<'a> {
    /// Where it goes.
    pub tape: &'a Tape,
    /// The next row.
    pub row: usize,
    bank: Bank,
    brought: Vec<Brought>,
    others: Vec<Other<'a>>,
}

/// What is brought to a bank.
enum Brought {
    /// An extra column of its symbol.
    Extra(usize),
    /// One of another symbol's, and its number there.
    Of(usize, usize),
}

impl<'a> Course<'a> {
    /// At the first row.
    ///
    /// # Errors
    /// As of [`Bank::number`], for what is wanted of other symbols.
    pub(super) fn new(tapes: &'a [Tape], symbol: usize, bank: Bank) -> Result<Self> {
        let mut brought = Vec::new();
        let mut others: Vec<(usize, Bank, Vec<usize>)> = Vec::new();
        for wanted in bank.wanted() {
            if let (OWN, Expr::Extra(place)) = (wanted.symbol, &wanted.expr) {
                brought.push(Brought::Extra(*place));
                continue;
            }
            let known = others.iter().position(|(symbol, ..)| *symbol == wanted.symbol);
            let at = known.unwrap_or(others.len());
            if known.is_none() {
                others.push((wanted.symbol, Bank::default(), Vec::new()));
            }
            let (_, bank, places) = &mut others[at];
            brought.push(Brought::Of(at, places.len()));
            places.push(bank.number(&wanted.expr)?);
        }
        let others = others.into_iter().map(|(symbol, bank, places)| {
            Ok(Other::new(Course::new(tapes, symbol, bank)?, places))
        });
        let others = others.collect::<Result<_>>()?;
        Ok(Self { tape: &tapes[symbol], row: 0, bank, brought, others })
    }

    /// Whether no row is left.
    pub(super) fn is_over(&self) -> bool {
        self.row >= self.tape.len()
    }

    /// Take the next block, and tell what came of it.
    pub(super) fn step(&mut self, on_block: impl FnOnce(&Bank, &Rows<'_>, &[&[f64]])) {
        let (begin, end) = (self.row, (self.row + BLOCK).min(self.tape.len()));
        for other in &mut self.others {
            other.bring(self.tape, begin, end);
        }
        let parts = self.brought.iter().map(|brought| match *brought {
            Brought::Extra(place) => &self.tape.recorded.extras[place][begin..end],
            Brought::Of(other, column) => {
                &self.others[other].columns[column].brought[..end - begin]
            }
        });
        let (parts, rows) = (parts.collect::<Vec<_>>(), self.tape.rows().part(begin, end));
        self.bank.run(&rows, &parts);
        on_block(&self.bank, &rows, &parts);
        self.row = end;
    }
}

/// Another symbol that goes along.
struct Other<'a> {
    course: Course<'a>,
    columns: Vec<Column>,
    /// The first row of its last block.
    begin: usize,
    /// Its rows that were over before the last one of the asking symbol was.
    over: usize,
}

struct Column {
    place: usize,
    /// The values of its last block; at the head, nothing, as before its first bar.
    own: Vec<f64>,
    /// Those as of each row of the asking symbol's block.
    brought: Vec<f64>,
}

impl<'a> Other<'a> {
    fn new(course: Course<'a>, places: Vec<usize>) -> Self {
        let column = |place| {
            let (own, brought) = (vec![f64::NAN; 1 + BLOCK], vec![f64::NAN; BLOCK]);
            Column { place, own, brought }
        };
        Self { course, columns: places.into_iter().map(column).collect(), begin: 0, over: 0 }
    }

    /// Bring what was over before each of these rows was.
    fn bring(&mut self, asking: &Tape, begin: usize, end: usize) {
        let mut places = [0; BLOCK];
        let mut done = 0;
        for row in begin..end {
            let from = self.course.tape;
            while self.over < from.len() && from.end(self.over) < asking.end(row) {
                self.over += 1;
            }
            if self.over > self.course.row {
                self.put(done, &places[done..row - begin]);
                done = row - begin;
                while self.over > self.course.row {
                    self.step();
                }
            }
            places[row - begin] = self.over - self.begin;
        }
        self.put(done, &places[done..end - begin]);
    }

    fn put(&mut self, at: usize, places: &[usize]) {
        for Column { own, brought, .. } in &mut self.columns {
            for (to, &place) in brought[at..].iter_mut().zip(places) {
                *to = own[place];
            }
        }
    }

    fn step(&mut self) {
        self.begin = self.course.row;
        self.course.step(|bank, rows, brought| {
            for Column { place, own, .. } in &mut self.columns {
                let values = bank.value(rows, brought, *place);
                own[1..=values.len()].copy_from_slice(values);
            }
        });
    }
}
