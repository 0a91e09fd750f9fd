// SPDX-License-Identifier: Apache-2.0
//! What goes into the simulated venue and what comes out.

use crate::error::Code;
use crate::number::{Lots, Money, Rate, Side, Ticks};
use crate::order::{OrderType, TimeInForce};

/// An order on its way to the venue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewOrder {
    /// The sender's handle; comes back on every answer.
    pub key: u32,
    /// Which instrument.
    pub instrument: usize,
    /// Direction.
    pub side: Side,
    /// Family.
    pub kind: OrderType,
    /// Life.
    pub life: TimeInForce,
    /// May only shrink the position.
    pub reduce_only: bool,
    /// Quantity.
    pub lots: Lots,
    /// Limit price.
    pub price: Option<Ticks>,
    /// Price that wakes a stop.
    pub trigger: Option<Ticks>,
}

/// A message to the venue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Place an order.
    Submit(NewOrder),
    /// Take it back.
    Cancel {
        /// Whose.
        key: u32,
    },
    /// Change price or quantity.
    Amend {
        /// Whose.
        key: u32,
        /// New limit price.
        price: Option<Ticks>,
        /// New quantity in all, what has traded included.
        lots: Option<Lots>,
    },
}

/// One trade of the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fill {
    /// Which instrument.
    pub instrument: usize,
    /// Direction.
    pub side: Side,
    /// Price.
    pub price: Ticks,
    /// Quantity.
    pub lots: Lots,
    /// Quantity of the order still open.
    pub remaining: Lots,
    /// Fee paid; negative is a rebate.
    pub fee: Money,
    /// Number of the execution, unique at this venue.
    pub exec_id: u64,
    /// The order rested.
    pub is_maker: bool,
}

/// What the venue tells.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fact {
    /// A trade or a change of the touch.
    Tick {
        /// Which instrument.
        instrument: usize,
        /// Last price, or the middle of a quote.
        price: f64,
        /// Quantity traded, 0 for a quote.
        volume: f64,
        /// Best bid, NaN if unknown.
        bid: f64,
        /// Best ask, NaN if unknown.
        ask: f64,
    },
    /// A finished bar: stream and row of its columns.
    Candle {
        /// Which stream.
        stream: usize,
        /// Which row.
        row: usize,
    },
    /// The book changed; read it from the venue.
    Book {
        /// Which instrument.
        instrument: usize,
        /// The event replaced the whole book.
        is_snapshot: bool,
    },
    /// Funding was settled.
    Funding {
        /// Which instrument.
        instrument: usize,
        /// Fraction longs paid to shorts.
        rate: Rate,
        /// Price it was settled at.
        mark: Ticks,
    },
    /// The order is in the book (or waits for its trigger).
    Placed {
        /// Whose.
        key: u32,
    },
    /// The order has other terms from here on.
    Amended {
        /// Whose.
        key: u32,
        /// Limit price; `None` for orders without one.
        price: Option<Ticks>,
        /// Quantity in all.
        lots: Lots,
        /// Quantity not filled yet.
        remaining: Lots,
    },
    /// A piece traded.
    Filled {
        /// Whose.
        key: u32,
        /// What traded.
        fill: Fill,
    },
    /// The order is gone without trading its rest.
    Cancelled {
        /// Whose.
        key: u32,
        /// Why.
        reason: &'static str,
        /// Quantity that never traded.
        remaining: Lots,
    },
    /// The order never lived.
    Rejected {
        /// Whose.
        key: u32,
        /// Numbered reason.
        code: Code,
        /// Reason in words.
        reason: &'static str,
    },
    /// A cancel found no open order.
    NotOpen {
        /// Whose.
        key: u32,
    },
    /// An amend was refused; the order is as it was.
    AmendRefused {
        /// Whose.
        key: u32,
        /// Numbered reason.
        code: Code,
        /// Reason in words.
        reason: &'static str,
    },
    /// The venue closed the position for lack of margin.
    Liquidated {
        /// The closing trade; its fee is the liquidation fee.
        fill: Fill,
    },
}

/// What [`crate::sim::SimVenue::next`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Facts of this time are ready.
    Instant(i64),
    /// Nothing happens before the asked-for time.
    Horizon,
    /// The recorded market is over and no answer is under way.
    End,
}
