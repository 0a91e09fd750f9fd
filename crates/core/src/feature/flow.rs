// SPDX-License-Identifier: Apache-2.0
//! What ticks and books say between bars: decayed sums, one set for each half-life, and the book's
//! best levels. Everything decays with the time between facts, so a quiet market forgets as fast as
//! a busy one. Order-flow imbalance is that of Cont, Kukanov and Stoikov (2014).

use crate::error::{Code, CoreError, Result};
use crate::indicator::{Reader, State};

/// Levels kept a side: deeper ones reach no feature before they have come up.
const LEVELS_MAX: usize = 1000;
/// Half-lives that have to pass before a decayed sum says something.
const HALF_LIVES_MIN: f64 = 2.0;
const BASIS_POINTS: f64 = 1e4;

/// Sums that lose half their weight every half-life.
#[derive(Debug, Clone, Default)]
pub(super) struct Decayed {
    pub(super) half_life_s: f64,
    weight: f64,
    price: f64,
    squares: f64,
    trades: f64,
    signed: f64,
    volume: f64,
    flow: f64,
    flow_size: f64,
}

impl Decayed {
    fn sums(&self) -> [f64; 8] {
        [
            self.weight,
            self.price,
            self.squares,
            self.trades,
            self.signed,
            self.volume,
            self.flow,
            self.flow_size,
        ]
    }

    fn put(&mut self, sums: [f64; 8]) {
        [
            self.weight,
            self.price,
            self.squares,
            self.trades,
            self.signed,
            self.volume,
            self.flow,
            self.flow_size,
        ] = sums;
    }
}

/// What a decayed feature measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measure {
    /// Log distance of the price to its decayed mean.
    Drift,
    /// Deviation of the log price a second.
    Volatility,
    /// Bought minus sold over all, -1 to 1.
    TradeImbalance,
    /// Log of one plus trades a second.
    TradeRate,
    /// Order-flow imbalance over its size, -1 to 1.
    FlowImbalance,
}

/// Both sides of the book and the decayed sums of one symbol.
#[derive(Debug, Clone)]
pub(super) struct Flow {
    pub(super) decayed: Vec<Decayed>,
    began_ns: Option<u64>,
    now_ns: u64,
    reference: Option<f64>,
    trade: Option<f64>,
    bid: Option<f64>,
    ask: Option<f64>,
    direction: f64,
    bids: Vec<(f64, f64)>,
    asks: Vec<(f64, f64)>,
}

impl Flow {
    pub(super) fn new() -> Self {
        Self {
            decayed: Vec::new(),
            began_ns: None,
            now_ns: 0,
            reference: None,
            trade: None,
            bid: None,
            ask: None,
            direction: 0.0,
            bids: Vec::new(),
            asks: Vec::new(),
        }
    }

    /// Index of the sums with this half-life.
    pub(super) fn half_life(&mut self, seconds: f64) -> usize {
        let known = self.decayed.iter().position(|sums| sums.half_life_s == seconds);
        known.unwrap_or_else(|| {
            self.decayed.push(Decayed { half_life_s: seconds, ..Decayed::default() });
            self.decayed.len() - 1
        })
    }

    pub(super) fn tick(&mut self, ts_ns: u64, price: f64, volume: f64, quote: [Option<f64>; 2]) {
        self.advance(ts_ns);
        if let [Some(bid), Some(ask)] = quote {
            (self.bid, self.ask) = (Some(bid), Some(ask));
        }
        self.move_reference(self.mid().unwrap_or(price));
        if volume > 0.0 {
            self.direction = self.aggressor(price);
            self.trade = Some(price);
            for sums in &mut self.decayed {
                sums.trades += 1.0;
                sums.signed += self.direction * volume;
                sums.volume += volume;
            }
        }
    }

    /// *Errors*: `BookCrossed`; the book is empty then, until the next whole one.
    pub(super) fn book(
        &mut self,
        ts_ns: u64,
        bids: &[(f64, f64)],
        asks: &[(f64, f64)],
        is_snapshot: bool,
    ) -> Result<()> {
        let before = self.best();
        let (mut new_bids, mut new_asks) = if is_snapshot {
            (Vec::with_capacity(bids.len()), Vec::with_capacity(asks.len()))
        } else {
            (std::mem::take(&mut self.bids), std::mem::take(&mut self.asks))
        };
        bids.iter().for_each(|level| put(&mut new_bids, *level, |price| -price));
        asks.iter().for_each(|level| put(&mut new_asks, *level, |price| price));
        if let (Some(bid), Some(ask)) = (new_bids.first(), new_asks.first()) {
            if bid.0 >= ask.0 {
                (self.bids, self.asks) = (Vec::new(), Vec::new());
                let message = format!("features: book crossed, bid {} ask {}", bid.0, ask.0);
                return Err(CoreError::new(Code::BookCrossed, message));
            }
        }
        (self.bids, self.asks) = (new_bids, new_asks);
        self.advance(ts_ns);
        if let Some([bid, ask]) = self.best() {
            (self.bid, self.ask) = (Some(bid.0), Some(ask.0));
            self.move_reference(0.5 * (bid.0 + ask.0));
            if let Some(before) = before.filter(|_| !is_snapshot) {
                let flow = imbalance_of(before, [bid, ask]);
                for sums in &mut self.decayed {
                    sums.flow += flow;
                    sums.flow_size += flow.abs();
                }
            }
        }
        Ok(())
    }

    pub(super) fn measure(&self, at: usize, measure: Measure) -> Option<f64> {
        let sums = &self.decayed[at];
        let age_s = self.now_ns.saturating_sub(self.began_ns?) as f64 / 1e9;
        if age_s < HALF_LIVES_MIN * sums.half_life_s {
            return None;
        }
        // While young the sums lack what was before the first fact.
        let per_second = std::f64::consts::LN_2
            / sums.half_life_s
            / (1.0 - (-age_s / sums.half_life_s * std::f64::consts::LN_2).exp());
        let share = |part: f64, whole: f64| (whole > 0.0).then(|| part / whole);
        match measure {
            Measure::Drift => {
                let mean = share(sums.price, sums.weight)?;
                self.reference.map(|price| (price / mean).ln())
            }
            Measure::Volatility => Some((sums.squares * per_second).sqrt()),
            Measure::TradeImbalance => share(sums.signed, sums.volume),
            Measure::TradeRate => Some((sums.trades * per_second).ln_1p()),
            Measure::FlowImbalance => share(sums.flow, sums.flow_size),
        }
    }

    /// Ask minus bid over the mid, in basis points.
    pub(super) fn spread(&self) -> Option<f64> {
        Some((self.ask? - self.bid?) / self.mid()? * BASIS_POINTS)
    }

    /// Distance of the size-weighted price from the mid, in basis points.
    pub(super) fn micro(&self) -> Option<f64> {
        let [bid, ask] = self.best()?;
        let micro = (bid.0 * ask.1 + ask.0 * bid.1) / (bid.1 + ask.1);
        let mid = 0.5 * (bid.0 + ask.0);
        Some((micro / mid - 1.0) * BASIS_POINTS)
    }

    /// Bid depth minus ask depth over both, of the best levels.
    pub(super) fn depth_imbalance(&self, levels: usize) -> Option<f64> {
        self.best()?;
        let depth = |side: &[(f64, f64)]| side.iter().take(levels).map(|(_, size)| size).sum();
        let (bids, asks): (f64, f64) = (depth(&self.bids), depth(&self.asks));
        Some((bids - asks) / (bids + asks))
    }

    fn best(&self) -> Option<[(f64, f64); 2]> {
        Some([*self.bids.first()?, *self.asks.first()?])
    }

    fn mid(&self) -> Option<f64> {
        Some(0.5 * (self.bid? + self.ask?))
    }

    /// Who took: above the mid a buyer, below a seller; at the mid the last move decides.
    fn aggressor(&self, price: f64) -> f64 {
        let against = |other: Option<f64>| other.filter(|other| *other != price);
        let Some(other) = against(self.mid()).or(against(self.trade)) else {
            return self.direction;
        };
        if price > other {
            1.0
        } else {
            -1.0
        }
    }

    /// Let everything lose what it loses until this moment. A fact that is older than the last one
    /// counts as of now.
    fn advance(&mut self, ts_ns: u64) {
        if self.began_ns.is_none() {
            (self.began_ns, self.now_ns) = (Some(ts_ns), ts_ns);
        }
        if ts_ns <= self.now_ns {
            return;
        }
        let passed_s = (ts_ns - self.now_ns) as f64 / 1e9;
        self.now_ns = ts_ns;
        for sums in &mut self.decayed {
            let kept = (-passed_s / sums.half_life_s * std::f64::consts::LN_2).exp();
            sums.put(sums.sums().map(|sum| sum * kept));
        }
    }

    fn move_reference(&mut self, price: f64) {
        let before = self.reference.replace(price).unwrap_or(price);
        let square = if before == price { 0.0 } else { (price / before).ln().powi(2) };
        for sums in &mut self.decayed {
            sums.weight += 1.0;
            sums.price += price;
            sums.squares += square;
        }
    }
}

/// Order-flow imbalance of one update of the best levels.
fn imbalance_of(before: [(f64, f64); 2], now: [(f64, f64); 2]) -> f64 {
    let [(bid, bid_size), (ask, ask_size)] = now;
    let [(bid_before, bid_size_before), (ask_before, ask_size_before)] = before;
    let counted = |holds: bool, size: f64| if holds { size } else { 0.0 };
    counted(bid >= bid_before, bid_size)
        - counted(bid <= bid_before, bid_size_before)
        - counted(ask <= ask_before, ask_size)
        + counted(ask >= ask_before, ask_size_before)
}

/// Set one level; size 0 removes it. *order*: grows from the best level on.
fn put(side: &mut Vec<(f64, f64)>, level: (f64, f64), order: impl Fn(f64) -> f64) {
    let at = side.partition_point(|other| order(other.0) < order(level.0));
    let is_there = side.get(at).is_some_and(|other| other.0 == level.0);
    match (is_there, level.1 > 0.0) {
        (true, true) => side[at] = level,
        (true, false) => drop(side.remove(at)),
        (false, true) if at < LEVELS_MAX => {
            side.truncate(LEVELS_MAX - 1);
            side.insert(at, level);
        }
        (false, _) => {}
    }
}

impl State for Flow {
    fn save(&self, to: &mut Vec<u8>) {
        for sums in &self.decayed {
            sums.half_life_s.save(to);
            sums.sums().save(to);
        }
        self.began_ns.save(to);
        self.now_ns.save(to);
        for price in [self.reference, self.trade, self.bid, self.ask] {
            price.save(to);
        }
        self.direction.save(to);
        for side in [&self.bids, &self.asks] {
            (side.len() as u64).save(to);
            side.iter().for_each(|level| level.save(to));
        }
    }

    fn load(&mut self, from: &mut Reader<'_>) -> Result<()> {
        for sums in &mut self.decayed {
            from.expect_equal("half-life", sums.half_life_s.to_bits())?;
            let mut values = [0.0; 8];
            values.load(from)?;
            sums.put(values);
        }
        self.began_ns.load(from)?;
        self.now_ns.load(from)?;
        for price in [&mut self.reference, &mut self.trade, &mut self.bid, &mut self.ask] {
            price.load(from)?;
        }
        self.direction.load(from)?;
        for side in [&mut self.bids, &mut self.asks] {
            let mut count = 0_u64;
            count.load(from)?;
            side.clear();
            for _ in 0..count.min(LEVELS_MAX as u64) {
                let mut level = (0.0, 0.0);
                level.load(from)?;
                side.push(level);
            }
        }
        Ok(())
    }
}
