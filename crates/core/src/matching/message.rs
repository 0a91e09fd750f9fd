// SPDX-License-Identifier: Apache-2.0
//! What the matching engine is told and what it answers: requests in, facts out. Every fact names
//! its order by id, so that a reader who keeps the ids needs no other view of the engine.

use crate::error::Code;
use crate::number::{Lots, Side, Ticks};
pub use crate::order::TimeInForce;

/// The move of the last trade price that wakes a sleeping order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// A trade at this price or above.
    Rising(Ticks),
    /// A trade at this price or below.
    Falling(Ticks),
}

/// A request to enter an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewOrder {
    /// Buy or sell.
    pub side: Side,
    /// Quantity, positive.
    pub lots: Lots,
    /// Worst price; none is a market order.
    pub price: Option<Ticks>,
    /// Sleep until this happens.
    pub trigger: Option<Trigger>,
    /// How long it may live.
    pub time_in_force: TimeInForce,
    /// Who sends it; 0 is nobody in particular and never counts as the same owner.
    pub owner: u32,
    /// For a reduce-only order, the quantity it may still reduce: the order is cut to it, and
    /// rejected if it is zero. The caller amends or cancels what rests when the position shrinks.
    pub reducible: Option<Lots>,
}

impl NewOrder {
    /// A good-till-cancelled limit order.
    #[must_use]
    pub const fn limit(side: Side, price: Ticks, lots: Lots) -> Self {
        Self { price: Some(price), ..Self::market(side, lots) }
    }

    /// A market order.
    #[must_use]
    pub const fn market(side: Side, lots: Lots) -> Self {
        Self {
            side,
            lots,
            price: None,
            trigger: None,
            time_in_force: TimeInForce::Gtc,
            owner: 0,
            reducible: None,
        }
    }
}

/// A request to change an open order; what is `None` stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Change {
    /// New limit price.
    pub price: Option<Ticks>,
    /// New open quantity.
    pub lots: Option<Lots>,
    /// New trigger price of a sleeping order, in the same direction.
    pub trigger: Option<Ticks>,
}

/// Why an order ended before it was filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Asked for.
    Requested,
    /// Nobody left to trade with at its price (rest of market and immediate-or-cancel orders).
    NoLiquidity,
    /// Fill-or-kill that cannot be filled whole.
    NotFillable,
    /// Its own owner's order arrived on the other side.
    SelfMatch,
}

/// What happened, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Fact {
    /// A trade at the maker's price.
    Fill {
        /// Resting order.
        maker: u64,
        /// Incoming order.
        taker: u64,
        /// Side of the taker.
        side: Side,
        /// Price of the trade.
        price: Ticks,
        /// Quantity of the trade.
        lots: Lots,
    },
    /// The order waits with this quantity at this price: its limit, or its trigger while it
    /// sleeps. Said when it arrives and after each amendment that leaves it open.
    Placed {
        /// Its id.
        id: u64,
        /// Its side.
        side: Side,
        /// Limit or trigger price.
        price: Ticks,
        /// Open quantity.
        lots: Lots,
    },
    /// The order is closed with this quantity unfilled.
    Cancelled {
        /// Its id.
        id: u64,
        /// Quantity that will not trade.
        lots: Lots,
        /// Why.
        reason: Reason,
    },
    /// The request had no effect. A new or just woken order is closed by it; an open order that
    /// was to be amended stays as it is.
    Rejected {
        /// Id of the order, or the unknown id that was named.
        id: u64,
        /// Why.
        code: Code,
    },
    /// The order woke and enters the book now.
    Triggered {
        /// Its id.
        id: u64,
    },
}

/// An open order, as seen from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenOrder {
    /// Its id.
    pub id: u64,
    /// Its side.
    pub side: Side,
    /// Open quantity.
    pub lots: Lots,
    /// Limit price; none for a sleeping market order.
    pub price: Option<Ticks>,
    /// What it waits for, if it sleeps.
    pub trigger: Option<Trigger>,
    /// Who sent it.
    pub owner: u32,
}
