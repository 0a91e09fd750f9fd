// SPDX-License-Identifier: Apache-2.0
//! A new order in Binance's words, for a frame and for a query alike: names and values in the order
//! in which a query carries them. Values need no escaping: symbols, decimals and ids. Conditional
//! orders of USD-M live in another book of the venue, with words of their own; they are not here.

use super::Market;
use crate::order::{OrderType, TimeInForce};

/// An order as texts; the numbers are written as they shall be sent.
#[derive(Debug, Clone, Copy)]
pub struct OrderTexts<'a> {
    /// Client id.
    pub id: &'a str,
    /// As the venue writes it.
    pub symbol: &'a str,
    /// `BUY` or `SELL`.
    pub side: &'a str,
    /// Quantity.
    pub size: &'a str,
    /// How it finds its price.
    pub order_type: OrderType,
    /// How long it waits.
    pub time_in_force: TimeInForce,
    /// Limit price.
    pub price: Option<&'a str>,
    /// Trigger price.
    pub trigger: Option<&'a str>,
    /// Only to make a position smaller.
    pub reduce_only: bool,
}

/// Name and value of each parameter; `None` for what goes to another book.
#[must_use]
pub fn binance_order<'a>(
    market: Market,
    order: &OrderTexts<'a>,
) -> Option<Vec<(&'static str, &'a str)>> {
    let is_spot = market == Market::Spot;
    let kind = if is_spot { spot_type(order) } else { usdm_type(order.order_type)? };
    let mut out = Vec::with_capacity(9);
    out.push(("newClientOrderId", order.id));
    if is_spot {
        // Enough of an answer: what it traded comes over the user stream.
        out.push(("newOrderRespType", "ACK"));
    }
    out.extend([
        ("quantity", order.size),
        ("side", order.side),
        ("symbol", order.symbol),
        ("type", kind),
    ]);
    let is_priced = matches!(order.order_type, OrderType::Limit | OrderType::StopLimit);
    if let (true, Some(price)) = (is_priced, order.price) {
        out.push(("price", price));
        match order.time_in_force {
            TimeInForce::PostOnly if !is_spot => out.push(("timeInForce", "GTX")),
            _ if kind == "LIMIT_MAKER" => {}
            life => out.push(("timeInForce", life.name())),
        }
    }
    if let (true, Some(trigger)) = (is_spot, order.trigger) {
        out.push(("stopPrice", trigger));
    }
    if !is_spot && order.reduce_only {
        out.push(("reduceOnly", "true"));
    }
    Some(out)
}

fn spot_type(order: &OrderTexts<'_>) -> &'static str {
    match order.order_type {
        OrderType::Market => "MARKET",
        OrderType::Limit if order.time_in_force == TimeInForce::PostOnly => "LIMIT_MAKER",
        OrderType::Limit => "LIMIT",
        OrderType::Stop => "STOP_LOSS",
        OrderType::StopLimit => "STOP_LOSS_LIMIT",
        OrderType::TakeProfit => "TAKE_PROFIT",
    }
}

fn usdm_type(kind: OrderType) -> Option<&'static str> {
    matches!(kind, OrderType::Market | OrderType::Limit).then(|| kind.name())
}
