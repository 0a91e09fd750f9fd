// SPDX-License-Identifier: Apache-2.0
//! Bybit's private topics: `order`, `execution`, `execution.fast`, `position` and `wallet`, alone
//! or with a category behind them. Source: V5 websocket/private pages.

use std::borrow::Cow;

use serde::Deserialize;

use super::account::{
    AccountTotals, AccountUpdate, BalanceUpdate, Execution, Leg, OrderUpdate, PositionUpdate,
    Private, Unknown,
};
use super::json::read;
use super::scalar::{Id, Maybe, MaybeStamp, Number, Stamp, Text};
use super::words::{
    bybit_cause, bybit_status, bybit_type, leg_of_index, market, side, time_in_force,
};
use crate::error::Result;
use crate::order::TimeInForce;

/// Read the data of a private topic. *ts_ns*: the frame's `creationTime`.
pub(super) fn read_private<'a>(topic: &str, data: &'a [u8], ts_ns: i64) -> Result<Private<'a>> {
    let channel = topic.split_once('.').map_or(topic, |(channel, _)| channel);
    Ok(match channel {
        "order" => Private::Orders { orders: rows(data, channel, order)?, executions: Vec::new() },
        "execution" => {
            let is_early = topic.starts_with("execution.fast");
            Private::Executions(rows(data, channel, |wire| execution(wire, is_early))?)
        }
        "position" => {
            let positions = rows(data, channel, |wire| position(wire, ts_ns))?;
            Private::Positions(account(Vec::new(), positions, None, ts_ns))
        }
        _ => wallet(read(data, "wallet")?, ts_ns),
    })
}

/// Every row of a frame as its fact.
fn rows<'a, Wire: Deserialize<'a>, Fact>(
    data: &'a [u8],
    channel: &str,
    fact: impl Fn(Wire) -> Fact,
) -> Result<Vec<Fact>> {
    let wires: Vec<Wire> = read(data, channel)?;
    Ok(wires.into_iter().map(fact).collect())
}

/// Bybit names no occasion.
fn account<'a>(
    balances: Vec<BalanceUpdate<'a>>,
    positions: Vec<PositionUpdate<'a>>,
    totals: Option<AccountTotals<'a>>,
    ts_ns: i64,
) -> AccountUpdate<'a> {
    AccountUpdate { balances, positions, totals, reason: Cow::Borrowed(""), ts_ns }
}

/// Bybit writes an absent price as an empty text or as 0.
fn price(number: Maybe<'_>) -> Option<Number<'_>> {
    number.0.filter(|number| number.to_f64() != 0.0)
}

fn words(text: Option<Text<'_>>) -> Cow<'_, str> {
    text.map_or(Cow::Borrowed(""), |text| text.0)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OrderWire<'a> {
    #[serde(borrow, default)]
    category: Option<Text<'a>>,
    #[serde(borrow)]
    symbol: Text<'a>,
    #[serde(borrow)]
    order_id: Id<'a>,
    #[serde(borrow, default)]
    order_link_id: Option<Text<'a>>,
    #[serde(borrow)]
    side: Text<'a>,
    #[serde(borrow)]
    order_type: Text<'a>,
    #[serde(borrow, default)]
    stop_order_type: Option<Text<'a>>,
    #[serde(borrow, default)]
    time_in_force: Option<Text<'a>>,
    #[serde(borrow)]
    order_status: Text<'a>,
    #[serde(borrow, default)]
    price: Maybe<'a>,
    #[serde(borrow, default)]
    trigger_price: Maybe<'a>,
    #[serde(default)]
    trigger_direction: Option<u8>,
    #[serde(borrow)]
    qty: Number<'a>,
    #[serde(borrow, default)]
    cum_exec_qty: Maybe<'a>,
    #[serde(borrow, default)]
    cum_exec_value: Maybe<'a>,
    #[serde(borrow, default)]
    avg_price: Maybe<'a>,
    #[serde(default)]
    reduce_only: Option<bool>,
    #[serde(default)]
    position_idx: Option<u8>,
    #[serde(borrow, default)]
    reject_reason: Option<Text<'a>>,
    #[serde(borrow, default)]
    cancel_type: Option<Text<'a>>,
    updated_time: Stamp,
    #[serde(default)]
    created_time: MaybeStamp,
}

fn order(wire: OrderWire<'_>) -> OrderUpdate<'_> {
    let mut unknown = Unknown::default();
    let side = unknown.note("side", &wire.side.0, side(&wire.side.0));
    let stop = words(wire.stop_order_type);
    let rises = match (wire.trigger_direction, price(wire.trigger_price)) {
        (Some(1), Some(_)) => Some(true),
        (Some(2), Some(_)) => Some(false),
        _ => None,
    };
    let kind_word = &wire.order_type.0;
    let type_word = if stop.is_empty() { kind_word.as_ref() } else { stop.as_ref() };
    let kind = unknown.note("type", type_word, bybit_type(kind_word, &stop, side, rises));
    let market = category_market(&mut unknown, wire.category);
    let force: Cow<'_, str> = words(wire.time_in_force);
    let force: Option<TimeInForce> = unknown.note("time_in_force", &force, time_in_force(&force));
    let status_word = wire.order_status.0;
    let status = unknown.note("status", &status_word, bybit_status(&status_word));
    let position_side = leg(&mut unknown, wire.position_idx.unwrap_or(0));
    let rejected = words(wire.reject_reason);
    let cancelled = words(wire.cancel_type);
    let reason = match (rejected.as_ref(), cancelled.as_ref()) {
        ("" | "EC_NoError", "UNKNOWN" | "") => Cow::Borrowed(""),
        ("" | "EC_NoError", _) => cancelled,
        _ => rejected,
    };
    OrderUpdate {
        market,
        symbol: wire.symbol.0,
        client_order_id: words(wire.order_link_id),
        exchange_order_id: wire.order_id.0,
        child_order_id: None,
        side,
        kind,
        time_in_force: force,
        status,
        venue_status: status_word,
        venue_type: if stop.is_empty() { wire.order_type.0 } else { stop },
        venue_event: None,
        price: price(wire.price),
        trigger_price: price(wire.trigger_price),
        quantity: wire.qty,
        filled: wire.cum_exec_qty.0,
        filled_value: wire.cum_exec_value.0,
        average: price(wire.avg_price),
        reduce_only: wire.reduce_only,
        position_side,
        reason,
        ts_ns: wire.updated_time.0,
        created_ns: wire.created_time.0,
        sequence: None,
        unknown,
    }
}

/// A frame without category is not unknown, only silent.
fn category_market(unknown: &mut Unknown, category: Option<Text<'_>>) -> Option<super::Market> {
    let word = words(category);
    if word.is_empty() {
        return None;
    }
    unknown.note("market", &word, market(&word))
}

/// `positionIdx` as a leg.
fn leg(unknown: &mut Unknown, index: u8) -> Option<Leg> {
    unknown.note("position_side", &index.to_string(), leg_of_index(index))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ExecutionWire<'a> {
    #[serde(borrow, default)]
    category: Option<Text<'a>>,
    #[serde(borrow)]
    symbol: Text<'a>,
    #[serde(borrow)]
    order_id: Id<'a>,
    #[serde(borrow, default)]
    order_link_id: Option<Text<'a>>,
    #[serde(borrow)]
    exec_id: Id<'a>,
    #[serde(borrow)]
    side: Text<'a>,
    #[serde(borrow, default)]
    exec_type: Option<Text<'a>>,
    #[serde(borrow)]
    exec_price: Number<'a>,
    #[serde(borrow)]
    exec_qty: Number<'a>,
    #[serde(borrow, default)]
    exec_fee: Maybe<'a>,
    #[serde(borrow, default)]
    fee_currency: Option<Text<'a>>,
    #[serde(borrow, default)]
    fee_rate: Maybe<'a>,
    #[serde(default)]
    is_maker: Option<bool>,
    #[serde(borrow, default)]
    exec_pnl: Maybe<'a>,
    exec_time: Stamp,
    #[serde(default)]
    seq: Option<u64>,
}

fn execution(wire: ExecutionWire<'_>, is_early: bool) -> Execution<'_> {
    let mut unknown = Unknown::default();
    // The fast topic has trades only and does not say so.
    let cause_word = match wire.exec_type {
        Some(Text(word)) => word,
        None => Cow::Borrowed("Trade"),
    };
    let cause = unknown.note("cause", &cause_word, bybit_cause(&cause_word));
    Execution {
        market: category_market(&mut unknown, wire.category),
        symbol: wire.symbol.0,
        client_order_id: words(wire.order_link_id),
        exchange_order_id: wire.order_id.0,
        exec_id: wire.exec_id.0,
        side: unknown.note("side", &wire.side.0, side(&wire.side.0)),
        cause,
        venue_cause: cause_word,
        price: wire.exec_price,
        quantity: wire.exec_qty,
        fee: wire.exec_fee.0,
        fee_asset: wire.fee_currency.map(|text| text.0).filter(|coin| !coin.is_empty()),
        fee_rate: wire.fee_rate.0,
        is_maker: wire.is_maker,
        is_early,
        realized_pnl: wire.exec_pnl.0,
        position_side: None,
        ts_ns: wire.exec_time.0,
        sequence: wire.seq,
        unknown,
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PositionWire<'a> {
    #[serde(borrow, default)]
    category: Option<Text<'a>>,
    #[serde(borrow)]
    symbol: Text<'a>,
    position_idx: u8,
    #[serde(borrow)]
    side: Text<'a>,
    #[serde(borrow)]
    size: Number<'a>,
    #[serde(borrow, default)]
    entry_price: Maybe<'a>,
    #[serde(borrow, default)]
    mark_price: Maybe<'a>,
    #[serde(borrow, default)]
    unrealised_pnl: Maybe<'a>,
    #[serde(borrow, default)]
    cur_realised_pnl: Maybe<'a>,
    #[serde(borrow, default)]
    leverage: Maybe<'a>,
    #[serde(borrow, default)]
    liq_price: Maybe<'a>,
    #[serde(borrow, default)]
    take_profit: Maybe<'a>,
    #[serde(borrow, default)]
    stop_loss: Maybe<'a>,
    #[serde(default)]
    trade_mode: Option<u8>,
    #[serde(borrow, default)]
    position_status: Option<Text<'a>>,
    #[serde(default)]
    is_reduce_only: Option<bool>,
    #[serde(default)]
    updated_time: MaybeStamp,
    #[serde(default)]
    seq: Option<i64>,
}

fn position(wire: PositionWire<'_>, ts_ns: i64) -> PositionUpdate<'_> {
    let mut unknown = Unknown::default();
    let is_short = match wire.side.0.as_ref() {
        "Sell" => true,
        "Buy" | "" | "None" => false,
        other => {
            unknown.0.push(format!("side={other}"));
            false
        }
    };
    let size = wire.size.text();
    PositionUpdate {
        market: category_market(&mut unknown, wire.category),
        symbol: wire.symbol.0,
        position_side: leg(&mut unknown, wire.position_idx),
        quantity: if is_short && wire.size.to_f64() != 0.0 {
            Cow::Owned(format!("-{size}"))
        } else {
            Cow::Borrowed(size)
        },
        entry_price: price(wire.entry_price),
        mark_price: price(wire.mark_price),
        unrealized_pnl: wire.unrealised_pnl.0,
        realized_pnl: wire.cur_realised_pnl.0,
        leverage: price(wire.leverage),
        liquidation_price: price(wire.liq_price),
        take_profit: price(wire.take_profit),
        stop_loss: price(wire.stop_loss),
        is_isolated: wire.trade_mode.map(|mode| mode == 1),
        venue_status: wire.position_status.map(|text| text.0),
        is_reduce_only: wire.is_reduce_only,
        ts_ns: wire.updated_time.0.unwrap_or(ts_ns),
        sequence: wire.seq.and_then(|seq| u64::try_from(seq).ok()),
        unknown,
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WalletWire<'a> {
    #[serde(borrow, default)]
    total_equity: Maybe<'a>,
    #[serde(borrow, default)]
    total_wallet_balance: Maybe<'a>,
    #[serde(borrow, default)]
    total_margin_balance: Maybe<'a>,
    #[serde(borrow, default)]
    total_available_balance: Maybe<'a>,
    #[serde(borrow, default)]
    total_initial_margin: Maybe<'a>,
    #[serde(borrow, default)]
    total_maintenance_margin: Maybe<'a>,
    #[serde(borrow)]
    coin: Vec<CoinWire<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CoinWire<'a> {
    #[serde(borrow)]
    coin: Text<'a>,
    #[serde(borrow)]
    wallet_balance: Number<'a>,
    #[serde(borrow, default)]
    equity: Maybe<'a>,
    #[serde(borrow, default)]
    locked: Maybe<'a>,
}

/// One account a frame, in practice; of several the totals of the last are kept.
fn wallet(wires: Vec<WalletWire<'_>>, ts_ns: i64) -> Private<'_> {
    let totals = wires.last().map(|wire| AccountTotals {
        equity: wire.total_equity.0,
        wallet: wire.total_wallet_balance.0,
        margin: wire.total_margin_balance.0,
        available: wire.total_available_balance.0,
        initial_margin: wire.total_initial_margin.0,
        maintenance_margin: wire.total_maintenance_margin.0,
    });
    let coins = wires.into_iter().flat_map(|wire| wire.coin);
    let balances = coins.map(|wire| BalanceUpdate {
        asset: wire.coin.0,
        total: Some(Cow::Borrowed(wire.wallet_balance.text())),
        available: None,
        locked: wire.locked.0,
        equity: wire.equity.0,
        change: None,
    });
    Private::Balances(account(balances.collect(), Vec::new(), totals, ts_ns))
}
