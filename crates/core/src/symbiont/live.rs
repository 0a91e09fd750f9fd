// SPDX-License-Identifier: Apache-2.0
//! One genome beside a running market: the bank of the judge, fed a bar at a time. Of another
//! symbol it knows the bars that were over before, whatever the order in which bars of one time
//! are told.

use super::bank::{Bank, Rows, OWN};
use super::gene::{Expr, Genome, Kind, STOP_WINDOW};
use super::judge::check_places;
use crate::error::{Code, CoreError, Result};

/// What a genome says at the end of a bar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Opinion {
    /// Opens a long position.
    pub long: bool,
    /// Opens a short position.
    pub short: bool,
    /// Closes a position.
    pub exit: bool,
    /// Average true range, NaN while undefined.
    pub atr: f64,
}

/// What others want of one symbol: values of its last bar, and of the one before.
#[derive(Debug, Clone, Default)]
struct Source {
    bank: Bank,
    places: Vec<usize>,
    newest: (i64, Vec<f64>),
    before: Vec<f64>,
}

#[derive(Debug, Clone)]
struct Seat {
    bank: Bank,
    genes: [Option<usize>; 3],
    atr: usize,
    /// Symbol and place of each value to bring.
    brought: Vec<(usize, usize)>,
    source: Source,
    funding: f64,
}

/// A genome on several symbols.
#[derive(Debug, Clone)]
pub struct Live {
    seats: Vec<Seat>,
    extras: usize,
}

impl Live {
    /// A genome on `symbols` symbols with so many extra columns each, before the first bar.
    ///
    /// # Errors
    /// As of [`super::judge`].
    pub fn new(genome: &Genome, symbols: usize, extras: usize) -> Result<Self> {
        let genes = [&genome.long, &genome.short, &genome.exit];
        for gene in genes.into_iter().flatten() {
            check_places(gene, symbols, extras)?;
        }
        let mut seats = Vec::with_capacity(symbols);
        for _ in 0..symbols {
            let mut bank = Bank::default();
            let atr = bank.number(&Expr::Indicator(Kind::Atr, STOP_WINDOW, None))?;
            let mut of = [None; 3];
            for (to, gene) in of.iter_mut().zip(genes) {
                *to = gene.as_ref().map(|gene| bank.condition(gene)).transpose()?;
            }
            let source = Source::default();
            let (brought, funding) = (Vec::new(), f64::NAN);
            seats.push(Seat { bank, genes: of, atr, brought, source, funding });
        }
        let mut live = Self { seats, extras };
        for symbol in 0..symbols {
            live.wire(symbol)?;
        }
        Ok(live)
    }

    /// Have every source compute what `symbol` wants of it.
    fn wire(&mut self, symbol: usize) -> Result<()> {
        for wanted in self.seats[symbol].bank.wanted().to_vec() {
            if let (OWN, Expr::Extra(place)) = (wanted.symbol, &wanted.expr) {
                self.seats[symbol].brought.push((OWN, *place));
                continue;
            }
            let source = &mut self.seats[wanted.symbol].source;
            let place = source.bank.number(&wanted.expr)?;
            let known = source.places.iter().position(|&known| known == place);
            let slot = known.unwrap_or(source.places.len());
            if known.is_none() {
                source.places.push(place);
                source.newest.1.push(f64::NAN);
                source.before.push(f64::NAN);
            }
            self.seats[symbol].brought.push((wanted.symbol, slot));
        }
        Ok(())
    }

    /// A settlement of funding was told.
    ///
    /// # Errors
    /// [`Code::UnknownSymbol`].
    pub fn funding(&mut self, symbol: usize, rate: f64) -> Result<()> {
        self.seat(symbol)?.funding = rate;
        Ok(())
    }

    /// A bar is over at `end_ns`: open, high, low, close, volume, and its extra columns.
    ///
    /// # Errors
    /// [`Code::UnknownSymbol`]; [`Code::DataInvalid`] for another number of extra columns.
    pub fn bar(
        &mut self,
        symbol: usize,
        end_ns: i64,
        bar: [f64; 5],
        extras: &[f64],
    ) -> Result<Opinion> {
        if extras.len() != self.extras {
            let why = format!("{} extra columns; due are {}", extras.len(), self.extras);
            return Err(CoreError::new(Code::DataInvalid, why));
        }
        let brought: Vec<f64> = self
            .seat(symbol)?
            .brought
            .clone()
            .into_iter()
            .map(|(other, slot)| match other {
                OWN => extras[slot],
                other => self.seats[other].source.at(slot, end_ns),
            })
            .collect();
        let seat = self.seat(symbol)?;
        let funding = [seat.funding];
        let [open, high, low, close, volume] = bar.map(|value| [value]);
        let rows = Rows {
            open: &open,
            high: &high,
            low: &low,
            close: &close,
            volume: &volume,
            funding: &funding,
        };
        let parts: Vec<&[f64]> = brought.iter().map(std::slice::from_ref).collect();
        seat.bank.run(&rows, &parts);
        seat.source.take(&rows, extras, end_ns);
        let held = seat.genes.map(|gene| gene.is_some_and(|gene| seat.bank.held(gene)[0] & 1 == 1));
        let atr = seat.bank.value(&rows, &parts, seat.atr)[0];
        Ok(Opinion { long: held[0], short: held[1], exit: held[2], atr })
    }

    fn seat(&mut self, symbol: usize) -> Result<&mut Seat> {
        self.seats
            .get_mut(symbol)
            .ok_or_else(|| CoreError::new(Code::UnknownSymbol, format!("symbol {symbol}")))
    }
}

impl Source {
    fn take(&mut self, rows: &Rows<'_>, extras: &[f64], end_ns: i64) {
        if self.places.is_empty() {
            return;
        }
        let brought: Vec<&[f64]> = self
            .bank
            .wanted()
            .iter()
            .filter_map(|wanted| match wanted.expr {
                Expr::Extra(place) => extras.get(place).map(std::slice::from_ref),
                _ => None,
            })
            .collect();
        self.bank.run(rows, &brought);
        std::mem::swap(&mut self.before, &mut self.newest.1);
        self.newest.0 = end_ns;
        for (to, &place) in self.newest.1.iter_mut().zip(&self.places) {
            *to = self.bank.value(rows, &brought, place)[0];
        }
    }

    /// A value as of the last bar that was over before `end_ns`.
    fn at(&self, slot: usize, end_ns: i64) -> f64 {
        if self.newest.0 < end_ns {
            self.newest.1[slot]
        } else {
            self.before[slot]
        }
    }
}
