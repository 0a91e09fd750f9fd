// SPDX-License-Identifier: Apache-2.0
//! The one door for orders. `OrderEngine::approve` checks every hard limit and reserves the worst
//! case in the same step; `redeem` turns the single-use ticket into permission to send; the `on_*`
//! facts move the order through one state table and give the reservation back exactly once. The
//! engine sends nothing, knows no venue and reads no clock: time is an argument.

pub mod amend;
pub mod canonical;
pub mod durable;
pub mod engine;
pub mod exposure;
pub mod facts;
pub mod flow;
pub mod judge;
pub mod limits;
pub mod name;
pub mod record;
pub mod report;
pub mod setting;
pub mod settle;
pub mod state;
pub mod tickets;

pub use engine::OrderEngine;
pub use exposure::Exposure;
pub use judge::Finding;
pub use limits::Limits;
pub use name::Name;
pub use record::{Fill, Record};
pub use state::{Fact, FactKind, State, Transition};

use crate::number::{Lots, Side, Ticks};

/// Nanoseconds a ticket stays good: one stall of the event loop at p99.9, and short enough that
/// the reference price it was judged by is still the market.
pub const TICKET_LIFE_NS: i64 = 250_000_000;
/// Closed orders kept for late fills and questions before the oldest is dropped.
pub const CLOSED_RETAINED: usize = 10_000;

/// Dense number of an instrument inside one engine, in order of `add_instrument`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct InstrumentId(pub u16);

/// Dense number of a strategy name inside one engine, from `OrderEngine::strategy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct StrategyId(pub u16);

/// Place of an order inside one engine. Valid until the order is archived
/// (`CLOSED_RETAINED` later closings); outside the engine keep the order id instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderKey(pub u32);

/// Permission to send one order or amend once: the upper half is a hash of all approved fields,
/// the lower half a sequence number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// Identity of one execution: a venue's trade number, or `ExecId::of_text` of its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExecId(pub u64);

impl ExecId {
    /// A 64-bit hash of the text. It only has to tell the executions of one order apart; two that
    /// share a number but not price and quantity are refused, never merged.
    #[must_use]
    pub fn of_text(text: &str) -> Self {
        Self(mix_text(text))
    }
}

/// How an order meets the market.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum OrderType {
    /// At the best price there is.
    Market = 0,
    /// At its price or better.
    Limit = 1,
    /// A market order once the trigger price trades against the position.
    Stop = 2,
    /// A limit order once the trigger price trades.
    StopLimit = 3,
    /// A market order once the trigger price trades in favour of the position.
    TakeProfit = 4,
}

impl OrderType {
    /// All types; the place in the array is the number.
    pub const ALL: [Self; 5] =
        [Self::Market, Self::Limit, Self::Stop, Self::StopLimit, Self::TakeProfit];

    /// Name on the bus and in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Market => "MARKET",
            Self::Limit => "LIMIT",
            Self::Stop => "STOP",
            Self::StopLimit => "STOP_LIMIT",
            Self::TakeProfit => "TAKE_PROFIT",
        }
    }

    /// Carries a limit price.
    #[must_use]
    pub const fn has_price(self) -> bool {
        matches!(self, Self::Limit | Self::StopLimit)
    }

    /// Trades when it comes to the venue, or not at all.
    #[must_use]
    pub const fn is_at_once(self, time_in_force: TimeInForce) -> bool {
        let is_passing = matches!(time_in_force, TimeInForce::Ioc | TimeInForce::Fok);
        matches!(self, Self::Market) || (is_passing && !self.has_trigger())
    }

    /// Waits for a trigger price.
    #[must_use]
    pub const fn has_trigger(self) -> bool {
        matches!(self, Self::Stop | Self::StopLimit | Self::TakeProfit)
    }
}

/// How long an order stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum TimeInForce {
    /// Until cancelled.
    Gtc = 0,
    /// Fill what is possible now, cancel the rest.
    Ioc = 1,
    /// Fill whole now or not at all.
    Fok = 2,
    /// Rest, or be rejected.
    PostOnly = 3,
}

impl TimeInForce {
    /// All values; the place in the array is the number.
    pub const ALL: [Self; 4] = [Self::Gtc, Self::Ioc, Self::Fok, Self::PostOnly];

    /// Name on the bus and in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gtc => "GTC",
            Self::Ioc => "IOC",
            Self::Fok => "FOK",
            Self::PostOnly => "POST_ONLY",
        }
    }
}

/// Levels of the kill switch; it only climbs until a person releases it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum HaltLevel {
    /// Trade.
    Run = 0,
    /// Nothing new; reductions and cancels pass.
    HaltNew = 1,
    /// As above, and open orders are being cancelled.
    CancelAll = 2,
    /// As above, and positions are being closed.
    Flatten = 3,
    /// Nothing passes but cancels.
    Locked = 4,
}

impl HaltLevel {
    /// All levels from low to high.
    pub const ALL: [Self; 5] =
        [Self::Run, Self::HaltNew, Self::CancelAll, Self::Flatten, Self::Locked];

    /// Name on the bus and in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Run => "RUN",
            Self::HaltNew => "HALT_NEW",
            Self::CancelAll => "CANCEL_ALL",
            Self::Flatten => "FLATTEN",
            Self::Locked => "LOCKED",
        }
    }
}

/// Everything a strategy wants of one order. The ticket is bound to all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Intent<'a> {
    /// Client order id, never used twice.
    pub id: &'a str,
    /// What to trade.
    pub instrument: InstrumentId,
    /// Who wants it.
    pub strategy: StrategyId,
    /// Direction.
    pub side: Side,
    /// Kind of order.
    pub order_type: OrderType,
    /// How long it stays.
    pub time_in_force: TimeInForce,
    /// May only shrink the position.
    pub reduce_only: bool,
    /// Quantity, above 0.
    pub lots: Lots,
    /// Limit price, if the type has one.
    pub price: Option<Ticks>,
    /// Trigger price, if the type has one.
    pub trigger: Option<Ticks>,
    /// The sliced order this one is a slice of; the slice draws on its hold.
    pub parent: Option<OrderKey>,
    /// Is worked in slices: never sent itself.
    pub is_sliced: bool,
}

impl Intent<'_> {
    /// Is it a reduction that trades at once, whole or in slices? Other reductions rest.
    #[must_use]
    pub const fn is_exit(&self) -> bool {
        let is_worked = self.is_sliced || self.parent.is_some();
        self.reduce_only && (is_worked || self.order_type.is_at_once(self.time_in_force))
    }

    /// 32-bit hash of all fields, for the ticket.
    #[must_use]
    pub fn hash(&self) -> u32 {
        let kind = u64::from(self.instrument.0)
            | u64::from(self.strategy.0) << 16
            | (self.side as u64) << 32
            | (self.order_type as u64) << 36
            | (self.time_in_force as u64) << 40
            | u64::from(self.reduce_only) << 44
            | u64::from(self.is_sliced) << 45;
        let words = [
            kind,
            self.lots.0 as u64,
            self.price.map_or(u64::MAX, |price| price.0 as u64),
            self.trigger.map_or(u64::MAX, |price| price.0 as u64),
            self.parent.map_or(u64::MAX, |key| u64::from(key.0)),
        ];
        fold(mix_text(self.id), &words)
    }
}

const fn mix(hash: u64, word: u64) -> u64 {
    // One multiplication per word, folded so that every bit reaches the lower half too.
    let product = (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    product ^ product >> 32
}

/// Eight bytes at a time, the length first, so that padding is not mistaken for text.
fn mix_text(text: &str) -> u64 {
    text.as_bytes().chunks(8).fold(mix(0x6a09_e667_f3bc_c908, text.len() as u64), |hash, chunk| {
        let mut word = [0; 8];
        for (to, from) in word.iter_mut().zip(chunk) {
            *to = *from;
        }
        mix(hash, u64::from_le_bytes(word))
    })
}

pub(crate) fn fold(seed: u64, words: &[u64]) -> u32 {
    let mixed = words.iter().fold(seed, |hash, word| mix(hash, *word));
    (mixed >> 32) as u32 ^ mixed as u32
}
