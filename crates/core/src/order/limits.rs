// SPDX-License-Identifier: Apache-2.0
//! The hard limits, and what they are held against: the account, and the wish for an order. The
//! rules themselves are in `judge.rs`. Raising a limit never refuses more.

use super::exposure::Totals;
use super::{HaltLevel, OrderType};
use crate::number::{Lots, Money, Rate, Side, Ticks};

/// Nanoseconds of the order-rate window.
pub const RATE_WINDOW_NS: i64 = 1_000_000_000;

/// The limits of one engine. `None` switches a rule off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// R02: largest order in lots.
    pub order_lots_max: Option<Lots>,
    /// R02: largest order in quote money.
    pub order_value_max: Option<Money>,
    /// R03: how far beyond the reference (or the trigger) an order may reach; prices market
    /// orders too.
    pub collar_fraction: Option<Rate>,
    /// R07: oldest reference price that still values an order.
    pub reference_age_max_ns: Option<i64>,
    /// R20: largest worst-case position of one instrument in quote money.
    pub position_value_max: Option<Money>,
    /// R21: largest worst-case sum over all instruments.
    pub gross_value_max: Option<Money>,
    /// R21: the same sum as a multiple of equity.
    pub leverage_max: Option<Rate>,
    /// R23: open orders at one time.
    pub open_orders_max: Option<u32>,
    /// R09: orders in any window of one second. Reduce-only orders have a quarter on top.
    pub orders_per_second_max: Option<u32>,
    /// R05: how long the same order of the same strategy counts as a slip.
    pub duplicate_window_ns: Option<i64>,
    /// R06: refuse an order that could meet an own resting order.
    pub refuse_self_cross: bool,
    /// R30: loss of the day as a fraction of its opening equity.
    pub daily_loss_fraction_max: Option<Rate>,
    /// R31: drawdown from the highest equity.
    pub drawdown_fraction_max: Option<Rate>,
}

impl Default for Limits {
    /// A cautious small account: orders and positions of 10,000 each, 30,000 in all, leverage 3,
    /// collar 1 %, reference at most 1.5 s old, 100 open orders, 10 orders a second (the venues'
    /// own rate), 1 s against doubles, 5 % loss a day, 15 % drawdown.
    fn default() -> Self {
        let money = |whole: i128| Some(Money(whole * crate::number::MONEY_SCALE));
        let percent = |value: i64| Some(Rate(value * 10_000_000_000));
        Self {
            order_lots_max: None,
            order_value_max: money(10_000),
            collar_fraction: percent(1),
            reference_age_max_ns: Some(1_500_000_000),
            position_value_max: money(10_000),
            gross_value_max: money(30_000),
            leverage_max: percent(300),
            open_orders_max: Some(100),
            orders_per_second_max: Some(10),
            duplicate_window_ns: Some(1_000_000_000),
            refuse_self_cross: true,
            daily_loss_fraction_max: percent(5),
            drawdown_fraction_max: percent(15),
        }
    }
}

impl Limits {
    /// No limit at all: a bare order book of records. Form, halt and reduce-only truth still hold.
    #[must_use]
    pub const fn unlimited() -> Self {
        Self {
            order_lots_max: None,
            order_value_max: None,
            collar_fraction: None,
            reference_age_max_ns: None,
            position_value_max: None,
            gross_value_max: None,
            leverage_max: None,
            open_orders_max: None,
            orders_per_second_max: None,
            duplicate_window_ns: None,
            refuse_self_cross: false,
            daily_loss_fraction_max: None,
            drawdown_fraction_max: None,
        }
    }

    /// Does a rule need to know what an order is worth?
    #[must_use]
    pub const fn needs_reference(&self) -> bool {
        self.order_value_max.is_some()
            || self.collar_fraction.is_some()
            || self.reference_age_max_ns.is_some()
            || self.position_value_max.is_some()
            || self.gross_value_max.is_some()
            || self.leverage_max.is_some()
    }
}

/// The account as the rules see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Level of the kill switch.
    pub halt: HaltLevel,
    /// Sums over all instruments.
    pub totals: Totals,
    /// Last equity pushed in.
    pub equity: Option<Money>,
    /// Equity times largest leverage.
    pub leverage_cap: Option<Money>,
    /// Loss of the day, pushed in.
    pub daily_loss: Rate,
    /// Drawdown, pushed in.
    pub drawdown: Rate,
    /// Orders that may still be filled.
    pub open_orders: u32,
}

impl Default for Account {
    fn default() -> Self {
        Self {
            halt: HaltLevel::Run,
            totals: Totals::default(),
            equity: None,
            leverage_cap: None,
            daily_loss: Rate(0),
            drawdown: Rate(0),
            open_orders: 0,
        }
    }
}

/// What is asked for, in the terms of the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wish {
    /// Direction.
    pub side: Side,
    /// Kind of order.
    pub order_type: OrderType,
    /// May only shrink the position.
    pub reduce_only: bool,
    /// Is it a reduction that trades at once?
    pub is_exit: bool,
    /// Quantity that may still be filled.
    pub lots: Lots,
    /// Quantity to reserve on top of what is reserved.
    pub added: Lots,
    /// Limit price.
    pub price: Option<Ticks>,
    /// Trigger price.
    pub trigger: Option<Ticks>,
    /// Is it a new order (or an amend of an open one)?
    pub is_new: bool,
    /// A slice draws on its parent's reservation: exposure was judged with the parent.
    pub is_slice: bool,
    /// Is it worked in slices? The venue never sees it whole.
    pub is_sliced: bool,
    /// The recent stream of orders.
    pub flow: Flow,
}

/// What the engine knows of the recent stream of orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flow {
    /// Orders in the last second.
    pub in_window: u32,
    /// The same order was approved this long ago.
    pub same_ns_ago: Option<i64>,
    /// Orders of this strategy and instrument whose outcome is unknown.
    pub unresolved: u32,
}
