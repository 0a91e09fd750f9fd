// SPDX-License-Identifier: Apache-2.0
//! What a venue tells about one's own account: orders, executions, positions, balances, and the
//! notices around them. The fields are HEAN's and the same for both venues. Numbers keep their
//! exact text, ids are text. A word of the venue that HEAN does not know is never mapped to a
//! default: its field is `None`, the word stands in `unknown`, and the caller quarantines.

use std::borrow::Cow;

use super::scalar::Number;
use super::Market;
use crate::number::Side;
use crate::order::{OrderType, State, TimeInForce};

/// Which leg of a symbol a position or order belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leg {
    /// One-way mode.
    Both,
    /// Hedge mode, long.
    Long,
    /// Hedge mode, short.
    Short,
}

impl Leg {
    /// `BOTH`, `LONG` or `SHORT`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Both => "BOTH",
            Self::Long => "LONG",
            Self::Short => "SHORT",
        }
    }
}

/// Why something was executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// An order met another one.
    Trade,
    /// A funding payment; the fee is the payment, positive when paid.
    Funding,
    /// The venue closed a position that had too little margin.
    Liquidation,
    /// The venue closed a profitable position to balance a liquidation.
    Deleveraging,
    /// A contract was delivered or settled.
    Settlement,
}

impl Cause {
    /// Name on the bus and in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trade => "TRADE",
            Self::Funding => "FUNDING",
            Self::Liquidation => "LIQUIDATION",
            Self::Deleveraging => "DELEVERAGING",
            Self::Settlement => "SETTLEMENT",
        }
    }
}

/// Words of the venue that HEAN does not know, as `field=word`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unknown(pub Vec<String>);

impl Unknown {
    /// Keep a word's meaning; note the word when it has none. `Some(None)` is a word that HEAN
    /// knows and has no equivalent for.
    pub(super) fn note<T>(
        &mut self,
        field: &str,
        word: &str,
        meaning: Option<Option<T>>,
    ) -> Option<T> {
        if meaning.is_none() {
            self.0.push(format!("{field}={word}"));
        }
        meaning.flatten()
    }
}

/// The state of one order.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderUpdate<'a> {
    /// Product; `None` for products HEAN does not trade.
    pub market: Option<Market>,
    /// Venue's symbol.
    pub symbol: Cow<'a, str>,
    /// The id its owner gave, empty when none.
    pub client_order_id: Cow<'a, str>,
    /// The venue's id.
    pub exchange_order_id: Cow<'a, str>,
    /// The order that a triggered conditional order became, where that has an id of its own.
    pub child_order_id: Option<Cow<'a, str>>,
    /// Buy or sell.
    pub side: Option<Side>,
    /// HEAN's type; `None` also for known types that HEAN has none for.
    pub kind: Option<OrderType>,
    /// HEAN's time in force; a maker-only type counts as post-only.
    pub time_in_force: Option<TimeInForce>,
    /// Where it stands.
    pub status: Option<State>,
    /// The venue's word for the status.
    pub venue_status: Cow<'a, str>,
    /// The venue's word for the type.
    pub venue_type: Cow<'a, str>,
    /// What just happened (Binance `x`).
    pub venue_event: Option<Cow<'a, str>>,
    /// Limit price; `None` where there is none.
    pub price: Option<Number<'a>>,
    /// Trigger price; `None` where there is none.
    pub trigger_price: Option<Number<'a>>,
    /// Ordered quantity.
    pub quantity: Number<'a>,
    /// Filled so far; `None` when the frame does not say.
    pub filled: Option<Number<'a>>,
    /// Value filled so far, in quote coin.
    pub filled_value: Option<Number<'a>>,
    /// Average price of what was filled.
    pub average: Option<Number<'a>>,
    /// May only reduce a position; `None` where the product has no positions.
    pub reduce_only: Option<bool>,
    /// Leg of the position.
    pub position_side: Option<Leg>,
    /// Why it was refused, cancelled or expired; empty when the venue names no reason.
    pub reason: Cow<'a, str>,
    /// Time of this state.
    pub ts_ns: i64,
    /// Time of creation.
    pub created_ns: Option<i64>,
    /// Grows with each update of the account, where the venue has such a number.
    pub sequence: Option<u64>,
    /// Words that HEAN does not know.
    pub unknown: Unknown,
}

/// One execution of one's own order.
#[derive(Debug, Clone, PartialEq)]
pub struct Execution<'a> {
    /// Product; `None` for products HEAN does not trade.
    pub market: Option<Market>,
    /// Venue's symbol.
    pub symbol: Cow<'a, str>,
    /// The id the order's owner gave, empty when none.
    pub client_order_id: Cow<'a, str>,
    /// The venue's id of the order.
    pub exchange_order_id: Cow<'a, str>,
    /// The venue's id of the execution; unique per symbol.
    pub exec_id: Cow<'a, str>,
    /// Side of one's own order.
    pub side: Option<Side>,
    /// Why it was executed.
    pub cause: Option<Cause>,
    /// The venue's word for that.
    pub venue_cause: Cow<'a, str>,
    /// Price.
    pub price: Number<'a>,
    /// Quantity.
    pub quantity: Number<'a>,
    /// Fee, positive when paid; `None` in the early frames that do not know it.
    pub fee: Option<Number<'a>>,
    /// Coin of the fee.
    pub fee_asset: Option<Cow<'a, str>>,
    /// Fraction of the value that the fee is; of a funding payment the settled rate.
    pub fee_rate: Option<Number<'a>>,
    /// One's own order rested; `None` when the frame does not say.
    pub is_maker: Option<bool>,
    /// An early frame without fee; the full one follows with the same `exec_id`.
    pub is_early: bool,
    /// Profit that it realised.
    pub realized_pnl: Option<Number<'a>>,
    /// Leg of the position.
    pub position_side: Option<Leg>,
    /// Time of the match.
    pub ts_ns: i64,
    /// Ties it to the public book (Bybit).
    pub sequence: Option<u64>,
    /// Words that HEAN does not know.
    pub unknown: Unknown,
}

/// One position.
#[derive(Debug, Clone, PartialEq)]
pub struct PositionUpdate<'a> {
    /// Product; `None` for products HEAN does not trade.
    pub market: Option<Market>,
    /// Venue's symbol.
    pub symbol: Cow<'a, str>,
    /// Leg of the position.
    pub position_side: Option<Leg>,
    /// Signed quantity.
    pub quantity: Cow<'a, str>,
    /// Average entry price; `None` when flat.
    pub entry_price: Option<Number<'a>>,
    /// Mark price.
    pub mark_price: Option<Number<'a>>,
    /// Unrealised profit.
    pub unrealized_pnl: Option<Number<'a>>,
    /// Realised profit of this position, without fees where the venue splits them.
    pub realized_pnl: Option<Number<'a>>,
    /// Leverage.
    pub leverage: Option<Number<'a>>,
    /// Liquidation price.
    pub liquidation_price: Option<Number<'a>>,
    /// Take-profit of the whole position.
    pub take_profit: Option<Number<'a>>,
    /// Stop-loss of the whole position.
    pub stop_loss: Option<Number<'a>>,
    /// Isolated rather than cross margin; `None` when the frame does not say.
    pub is_isolated: Option<bool>,
    /// The venue is closing it or reduces it (Bybit `positionStatus` other than `Normal`).
    pub venue_status: Option<Cow<'a, str>>,
    /// The venue lets it only shrink.
    pub is_reduce_only: Option<bool>,
    /// Time of the change.
    pub ts_ns: i64,
    /// Grows with each change of the position, where the venue has such a number.
    pub sequence: Option<u64>,
    /// Words that HEAN does not know.
    pub unknown: Unknown,
}

/// One asset.
#[derive(Debug, Clone, PartialEq)]
pub struct BalanceUpdate<'a> {
    /// Coin.
    pub asset: Cow<'a, str>,
    /// Owned in all, locked included, unrealised profit excluded.
    pub total: Option<Cow<'a, str>>,
    /// Not locked by orders, where the venue says so per coin.
    pub available: Option<Number<'a>>,
    /// Locked by spot orders.
    pub locked: Option<Number<'a>>,
    /// Total with unrealised profit.
    pub equity: Option<Number<'a>>,
    /// By how much a deposit, withdrawal or transfer changed it.
    pub change: Option<Number<'a>>,
}

/// Totals of a unified account, in US dollars.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AccountTotals<'a> {
    /// Wallet and unrealised profit.
    pub equity: Option<Number<'a>>,
    /// Wallet.
    pub wallet: Option<Number<'a>>,
    /// What counts as margin.
    pub margin: Option<Number<'a>>,
    /// Free for new orders.
    pub available: Option<Number<'a>>,
    /// Held as initial margin.
    pub initial_margin: Option<Number<'a>>,
    /// Held as maintenance margin.
    pub maintenance_margin: Option<Number<'a>>,
}

/// Position and balances that changed together, or one of them.
#[derive(Debug, Clone, PartialEq)]
pub struct AccountUpdate<'a> {
    /// Balances that changed.
    pub balances: Vec<BalanceUpdate<'a>>,
    /// Positions that changed.
    pub positions: Vec<PositionUpdate<'a>>,
    /// Totals, where the venue sends them.
    pub totals: Option<AccountTotals<'a>>,
    /// The venue's word for the occasion, empty when it names none.
    pub reason: Cow<'a, str>,
    /// Venue time.
    pub ts_ns: i64,
}

/// An order of an order list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedOrder<'a> {
    /// Venue's symbol.
    pub symbol: Cow<'a, str>,
    /// The id its owner gave.
    pub client_order_id: Cow<'a, str>,
    /// The venue's id.
    pub exchange_order_id: Cow<'a, str>,
}

/// A private message.
#[derive(Debug, Clone, PartialEq)]
pub enum Private<'a> {
    /// Orders, with the executions told in the same message (Binance).
    Orders {
        /// New states.
        orders: Vec<OrderUpdate<'a>>,
        /// What was executed.
        executions: Vec<Execution<'a>>,
    },
    /// Executions alone.
    Executions(Vec<Execution<'a>>),
    /// Positions alone.
    Positions(AccountUpdate<'a>),
    /// Balances alone.
    Balances(AccountUpdate<'a>),
    /// Both.
    Account(AccountUpdate<'a>),
    /// The venue asks for margin for these positions.
    MarginCall(AccountUpdate<'a>),
    /// A setting of the account was changed.
    Setting {
        /// Symbol whose leverage changed.
        symbol: Option<Cow<'a, str>>,
        /// The new leverage.
        leverage: Option<u32>,
        /// Multi-assets mode is on, when that changed.
        is_multi_asset: Option<bool>,
        /// Venue time.
        ts_ns: i64,
    },
    /// An order list changed.
    OrderList {
        /// Venue's symbol.
        symbol: Cow<'a, str>,
        /// The venue's id of the list.
        list_id: Cow<'a, str>,
        /// The id its owner gave.
        client_list_id: Cow<'a, str>,
        /// The venue's word for what happened to the list.
        list_status: Cow<'a, str>,
        /// The venue's word for where its orders stand.
        order_status: Cow<'a, str>,
        /// Why it was refused, empty when it was not.
        reason: Cow<'a, str>,
        /// Its orders.
        orders: Vec<ListedOrder<'a>>,
        /// Venue time.
        ts_ns: i64,
    },
    /// A conditional order was triggered and refused.
    TriggerRejected {
        /// Venue's symbol.
        symbol: Cow<'a, str>,
        /// The venue's id of the order.
        exchange_order_id: Cow<'a, str>,
        /// The venue's words.
        reason: Cow<'a, str>,
        /// Venue time.
        ts_ns: i64,
    },
    /// The stream ends or is about to: its key expired, it was closed, the server goes down.
    StreamEnd {
        /// The venue's word.
        reason: Cow<'a, str>,
        /// Venue time.
        ts_ns: Option<i64>,
    },
}

impl Private<'_> {
    /// Name of the kind.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Orders { .. } => "order",
            Self::Executions(_) => "execution",
            Self::Positions(_) => "position",
            Self::Balances(_) => "balance",
            Self::Account(_) => "account",
            Self::MarginCall(_) => "margin_call",
            Self::Setting { .. } => "setting",
            Self::OrderList { .. } => "order_list",
            Self::TriggerRejected { .. } => "trigger_rejected",
            Self::StreamEnd { .. } => "stream_end",
        }
    }

    /// The symbol it is about, when it is about one.
    #[must_use]
    pub fn symbol(&self) -> Option<&str> {
        match self {
            Self::Orders { orders, .. } => orders.first().map(|order| order.symbol.as_ref()),
            Self::Executions(all) => all.first().map(|execution| execution.symbol.as_ref()),
            Self::Positions(update) => update.positions.first().map(|one| one.symbol.as_ref()),
            Self::Setting { symbol, .. } => symbol.as_deref(),
            Self::OrderList { symbol, .. } | Self::TriggerRejected { symbol, .. } => Some(symbol),
            Self::Balances(_) | Self::Account(_) | Self::MarginCall(_) | Self::StreamEnd { .. } => {
                None
            }
        }
    }

    /// The venue time, when it has one; of several the last.
    #[must_use]
    pub fn ts_ns(&self) -> Option<i64> {
        match self {
            Self::Orders { orders, .. } => orders.last().map(|order| order.ts_ns),
            Self::Executions(all) => all.last().map(|execution| execution.ts_ns),
            Self::Positions(update)
            | Self::Balances(update)
            | Self::Account(update)
            | Self::MarginCall(update) => Some(update.ts_ns),
            Self::Setting { ts_ns, .. }
            | Self::OrderList { ts_ns, .. }
            | Self::TriggerRejected { ts_ns, .. } => Some(*ts_ns),
            Self::StreamEnd { ts_ns, .. } => *ts_ns,
        }
    }
}
