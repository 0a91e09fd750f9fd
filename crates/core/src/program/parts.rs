// SPDX-License-Identifier: Apache-2.0
//! What a native run is given and what it leaves behind.

use crate::ledger::Ledger;
use crate::number::{Lots, Money, Side, Ticks};
use crate::order::name::Name;
use crate::order::{OrderEngine, StrategyId};
use crate::program::Program;
use crate::sim::{Feed, SimVenue};
use crate::sizing::Sizing;

/// What to trade on for one instrument.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Conditions: long, exit, and short where wanted.
    pub program: Program,
    /// Size of an entry; `None` asks the sizing.
    pub size: Option<Lots>,
}

/// Settings of a run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The facts that conditions read.
    pub feed: Feed,
    /// How much.
    pub sizing: Sizing,
    /// In whose name.
    pub strategy: StrategyId,
    /// Epoch and tag of order ids, and the number before the first.
    pub last_name: Name,
    /// Equity is sampled at multiples of this.
    pub sample_step_ns: i64,
    /// Begin of the run.
    pub start_ns: i64,
}

/// The parts of a trading system that a run works on.
#[derive(Debug)]
pub struct Parts<'a> {
    /// Market and exchange.
    pub venue: &'a mut SimVenue,
    /// Limits and order states.
    pub engine: &'a mut OrderEngine,
    /// The account.
    pub ledger: &'a mut Ledger,
}

/// One execution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NativeFill {
    /// When it was known.
    pub ts_ns: i64,
    /// Number of the own order's id; `None` for a liquidation by the venue.
    pub seq: Option<u64>,
    /// Number of the execution.
    pub exec_id: u64,
    /// Which instrument.
    pub instrument: usize,
    /// Direction.
    pub side: Side,
    /// Price.
    pub price: Ticks,
    /// Quantity.
    pub lots: Lots,
    /// Fee paid.
    pub fee: Money,
    /// The order rested.
    pub is_maker: bool,
    /// Price when the order was approved, 0 if unknown.
    pub reference: f64,
}

/// Equity at a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// When.
    pub ts_ns: i64,
    /// Equity at the last prices.
    pub equity: Money,
    /// Signed value of all positions, quote currency.
    pub held: f64,
}
