// SPDX-License-Identifier: Apache-2.0
//! The venues' words for sides, types, lives and states of orders, in HEAN's terms. Three answers:
//! a meaning; `Some(None)`, a word HEAN knows and has no equivalent for; `None`, a word it has
//! never heard, which must reach a person and not a default. Source: [enum] of Bybit V5, [enums] of
//! Binance spot, the USD-M SDK's models.

use super::account::{Cause, Leg};
use super::Market;
use crate::number::Side;
use crate::order::{OrderType, State, TimeInForce};

/// A word's meaning.
pub(super) type Meaning<T> = Option<Option<T>>;

pub(super) fn side(word: &str) -> Meaning<Side> {
    match word {
        "Buy" | "BUY" => Some(Some(Side::Buy)),
        "Sell" | "SELL" => Some(Some(Side::Sell)),
        "None" | "" => Some(None),
        _ => None,
    }
}

/// Bybit's `positionIdx`.
pub(super) fn leg_of_index(index: u8) -> Meaning<Leg> {
    match index {
        0 => Some(Some(Leg::Both)),
        1 => Some(Some(Leg::Long)),
        2 => Some(Some(Leg::Short)),
        _ => None,
    }
}

/// Binance's `positionSide`.
pub(super) fn leg(word: &str) -> Meaning<Leg> {
    match word {
        "BOTH" => Some(Some(Leg::Both)),
        "LONG" => Some(Some(Leg::Long)),
        "SHORT" => Some(Some(Leg::Short)),
        _ => None,
    }
}

/// Bybit's `category`.
pub(super) fn market(category: &str) -> Meaning<Market> {
    match category {
        "inverse" | "option" => Some(None),
        other => Market::parse(other).map(Some),
    }
}

pub(super) fn time_in_force(word: &str) -> Meaning<TimeInForce> {
    match word {
        "GTC" => Some(Some(TimeInForce::Gtc)),
        "IOC" => Some(Some(TimeInForce::Ioc)),
        "FOK" => Some(Some(TimeInForce::Fok)),
        "PostOnly" | "GTX" => Some(Some(TimeInForce::PostOnly)),
        "GTD" | "RPI" | "GTE_GTC" | "" => Some(None),
        _ => None,
    }
}

pub(super) fn bybit_status(word: &str) -> Meaning<State> {
    match word {
        "New" | "Untriggered" | "Triggered" => Some(Some(State::Working)),
        "PartiallyFilled" => Some(Some(State::Partial)),
        "Filled" => Some(Some(State::Filled)),
        "Cancelled" | "PartiallyFilledCanceled" | "Deactivated" => Some(Some(State::Cancelled)),
        "Rejected" => Some(Some(State::Rejected)),
        _ => None,
    }
}

/// `orderType` and `stopOrderType`; a plain conditional order is a stop when it waits for a price
/// that moves against its side, else a take-profit. *rises*: it waits for a rising price.
pub(super) fn bybit_type(
    kind: &str,
    stop: &str,
    side: Option<Side>,
    rises: Option<bool>,
) -> Meaning<OrderType> {
    let is_market = match kind {
        "Market" => true,
        "Limit" => false,
        "UNKNOWN" => return Some(None),
        _ => return None,
    };
    let stops = |is_stop: bool| match (is_stop, is_market) {
        (true, true) => Some(OrderType::Stop),
        (true, false) => Some(OrderType::StopLimit),
        (false, true) => Some(OrderType::TakeProfit),
        (false, false) => None,
    };
    match stop {
        "" | "UNKNOWN" if rises.is_none() => {
            Some(Some(if is_market { OrderType::Market } else { OrderType::Limit }))
        }
        "" | "UNKNOWN" | "Stop" => {
            let (Some(side), Some(rises)) = (side, rises) else { return Some(stops(true)) };
            Some(stops((side == Side::Buy) == rises))
        }
        "StopLoss" | "PartialStopLoss" | "tpslOrder" => Some(stops(true)),
        "TakeProfit" | "PartialTakeProfit" => Some(stops(false)),
        "TrailingStop"
        | "TrailingProfit"
        | "MmRateClose"
        | "OcoOrder"
        | "BidirectionalTpslOrder" => Some(None),
        _ => None,
    }
}

pub(super) fn bybit_cause(word: &str) -> Meaning<Cause> {
    match word {
        "Trade" | "BlockTrade" | "MovePosition" | "FutureSpread" => Some(Some(Cause::Trade)),
        "Funding" => Some(Some(Cause::Funding)),
        "BustTrade" => Some(Some(Cause::Liquidation)),
        "AdlTrade" => Some(Some(Cause::Deleveraging)),
        "Delivery" | "Settle" => Some(Some(Cause::Settlement)),
        "CorporateAction" => Some(None),
        _ => None,
    }
}

pub(super) fn binance_status(word: &str) -> Meaning<State> {
    match word {
        "NEW" | "PENDING_NEW" | "PENDING_CANCEL" => Some(Some(State::Working)),
        "PARTIALLY_FILLED" => Some(Some(State::Partial)),
        "FILLED" => Some(Some(State::Filled)),
        "CANCELED" => Some(Some(State::Cancelled)),
        "REJECTED" => Some(Some(State::Rejected)),
        "EXPIRED" | "EXPIRED_IN_MATCH" => Some(Some(State::Expired)),
        _ => None,
    }
}

/// `algoStatus`; a finished one was triggered, and *is_filled* says how its order ended.
pub(super) fn algo_status(word: &str, is_filled: bool) -> Meaning<State> {
    match word {
        "TRIGGERING" | "TRIGGERED" => Some(Some(State::Working)),
        "FINISHED" => Some(Some(if is_filled { State::Filled } else { State::Cancelled })),
        other => binance_status(other),
    }
}

/// Spot's `o`.
pub(super) fn spot_type(word: &str) -> Meaning<OrderType> {
    match word {
        "LIMIT" | "LIMIT_MAKER" => Some(Some(OrderType::Limit)),
        "MARKET" => Some(Some(OrderType::Market)),
        "STOP_LOSS" => Some(Some(OrderType::Stop)),
        "STOP_LOSS_LIMIT" => Some(Some(OrderType::StopLimit)),
        "TAKE_PROFIT" => Some(Some(OrderType::TakeProfit)),
        "TAKE_PROFIT_LIMIT" => Some(None),
        _ => None,
    }
}

/// USD-M's `ot`: here `STOP` and `TAKE_PROFIT` are limit orders.
pub(super) fn usdm_type(word: &str) -> Meaning<OrderType> {
    match word {
        "LIMIT" => Some(Some(OrderType::Limit)),
        "MARKET" => Some(Some(OrderType::Market)),
        "STOP" => Some(Some(OrderType::StopLimit)),
        "STOP_MARKET" => Some(Some(OrderType::Stop)),
        "TAKE_PROFIT_MARKET" => Some(Some(OrderType::TakeProfit)),
        "TAKE_PROFIT" | "TRAILING_STOP_MARKET" | "LIQUIDATION" => Some(None),
        _ => None,
    }
}

/// `x` of an event that executed something; the client id tells the venue's own closings apart.
pub(super) fn binance_cause(word: &str, client_order_id: &str) -> Meaning<Cause> {
    let own = |prefix: &str| client_order_id.starts_with(prefix);
    match word {
        "TRADE" | "CALCULATED" if own("adl_autoclose") => Some(Some(Cause::Deleveraging)),
        "TRADE" | "CALCULATED" if own("settlement_autoclose") || own("delivery_autoclose") => {
            Some(Some(Cause::Settlement))
        }
        "TRADE" | "CALCULATED" if own("autoclose-") => Some(Some(Cause::Liquidation)),
        "TRADE" => Some(Some(Cause::Trade)),
        "CALCULATED" => Some(Some(Cause::Liquidation)),
        _ => None,
    }
}

/// Binance's `marginType`: is it isolated?
pub(super) fn is_isolated(word: &str) -> Meaning<bool> {
    match word {
        "isolated" | "ISOLATED" => Some(Some(true)),
        "cross" | "crossed" | "CROSSED" => Some(Some(false)),
        _ => None,
    }
}
