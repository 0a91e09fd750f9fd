// SPDX-License-Identifier: Apache-2.0
//! Binance's user events about balances, positions, settings and order lists. Source:
//! [user-data-stream], the USD-M SDK's models.

use std::borrow::Cow;

use serde::Deserialize;

use super::account::{AccountUpdate, BalanceUpdate, ListedOrder, PositionUpdate, Private, Unknown};
use super::binance_private::{position_side, price};
use super::scalar::{Id, Maybe, Number, Stamp, Text};
use super::words::is_isolated;
use super::Market;
use crate::number::format_decimal;

/// Decimals kept when free and locked amounts are added; the venue sends eight.
const DECIMALS: u32 = 18;

fn update<'a>(
    balances: Vec<BalanceUpdate<'a>>,
    positions: Vec<PositionUpdate<'a>>,
    reason: Cow<'a, str>,
    ts_ns: i64,
) -> AccountUpdate<'a> {
    AccountUpdate { balances, positions, totals: None, reason, ts_ns }
}

#[derive(Deserialize)]
pub(super) struct SpotBalancesWire<'a> {
    #[serde(rename = "E")]
    sent: Stamp,
    #[serde(rename = "u", default)]
    ts: Option<Stamp>,
    #[serde(rename = "B", borrow)]
    balances: Vec<SpotBalanceWire<'a>>,
}

#[derive(Deserialize)]
struct SpotBalanceWire<'a> {
    #[serde(borrow)]
    a: Text<'a>,
    #[serde(borrow)]
    f: Number<'a>,
    #[serde(borrow)]
    l: Number<'a>,
}

/// `outboundAccountPosition`: free and locked of what may have changed.
pub(super) fn spot_balances(wire: SpotBalancesWire<'_>) -> Private<'_> {
    let balances = wire.balances.into_iter().map(|balance| BalanceUpdate {
        asset: balance.a.0,
        total: sum(balance.f, balance.l).map(Cow::Owned),
        available: Some(balance.f),
        locked: Some(balance.l),
        equity: None,
        change: None,
    });
    let ts_ns = wire.ts.unwrap_or(wire.sent).0;
    Private::Balances(update(balances.collect(), Vec::new(), Cow::Borrowed(""), ts_ns))
}

/// Exact sum; `None` beyond 18 decimals or 38 digits.
fn sum(one: Number<'_>, other: Number<'_>) -> Option<String> {
    let total = one.exact(DECIMALS).ok()?.checked_add(other.exact(DECIMALS).ok()?)?;
    Some(format_decimal(total, DECIMALS))
}

#[derive(Deserialize)]
pub(super) struct SpotChangeWire<'a> {
    #[serde(borrow)]
    a: Text<'a>,
    #[serde(borrow)]
    d: Number<'a>,
    #[serde(rename = "T")]
    ts: Stamp,
}

/// `balanceUpdate`: a deposit, withdrawal or transfer.
pub(super) fn spot_change(wire: SpotChangeWire<'_>) -> Private<'_> {
    let balance = BalanceUpdate {
        asset: wire.a.0,
        total: None,
        available: None,
        locked: None,
        equity: None,
        change: Some(wire.d),
    };
    let reason = Cow::Borrowed("balanceUpdate");
    Private::Balances(update(vec![balance], Vec::new(), reason, wire.ts.0))
}

#[derive(Deserialize)]
pub(super) struct AccountWire<'a> {
    #[serde(rename = "T", default)]
    ts: Option<Stamp>,
    #[serde(rename = "E")]
    sent: Stamp,
    #[serde(borrow)]
    a: ChangesWire<'a>,
}

#[derive(Deserialize)]
struct ChangesWire<'a> {
    #[serde(borrow)]
    m: Text<'a>,
    #[serde(rename = "B", borrow, default)]
    balances: Vec<UsdmBalanceWire<'a>>,
    #[serde(rename = "P", borrow, default)]
    positions: Vec<PositionWire<'a>>,
}

#[derive(Deserialize)]
struct UsdmBalanceWire<'a> {
    #[serde(borrow)]
    a: Text<'a>,
    #[serde(borrow)]
    wb: Number<'a>,
    /// Changed except by profit and commission.
    #[serde(borrow, default)]
    bc: Maybe<'a>,
}

#[derive(Deserialize)]
struct PositionWire<'a> {
    #[serde(borrow)]
    s: Text<'a>,
    #[serde(borrow)]
    pa: Number<'a>,
    #[serde(borrow, default)]
    ep: Maybe<'a>,
    #[serde(borrow, default)]
    cr: Maybe<'a>,
    #[serde(borrow, default)]
    up: Maybe<'a>,
    #[serde(borrow, default)]
    mp: Maybe<'a>,
    #[serde(borrow, default)]
    mt: Option<Text<'a>>,
    #[serde(borrow)]
    ps: Text<'a>,
}

/// `ACCOUNT_UPDATE`: what changed, and why.
pub(super) fn account(wire: AccountWire<'_>) -> Private<'_> {
    let ts_ns = wire.ts.unwrap_or(wire.sent).0;
    let balances = wire.a.balances.into_iter().map(|balance| BalanceUpdate {
        asset: balance.a.0,
        total: Some(Cow::Borrowed(balance.wb.text())),
        available: None,
        locked: None,
        equity: None,
        change: price(balance.bc),
    });
    let positions = wire.a.positions.into_iter().map(|one| position(one, ts_ns));
    Private::Account(update(balances.collect(), positions.collect(), wire.a.m.0, ts_ns))
}

fn position(wire: PositionWire<'_>, ts_ns: i64) -> PositionUpdate<'_> {
    let mut unknown = Unknown::default();
    let margin = wire.mt.as_ref();
    PositionUpdate {
        market: Some(Market::Linear),
        symbol: wire.s.0,
        position_side: position_side(&mut unknown, Some(&wire.ps)),
        quantity: Cow::Borrowed(wire.pa.text()),
        entry_price: price(wire.ep),
        mark_price: price(wire.mp),
        unrealized_pnl: wire.up.0,
        realized_pnl: wire.cr.0,
        leverage: None,
        liquidation_price: None,
        take_profit: None,
        stop_loss: None,
        is_isolated: margin.and_then(|Text(word)| unknown.note("margin", word, is_isolated(word))),
        venue_status: None,
        is_reduce_only: None,
        ts_ns,
        sequence: None,
        unknown,
    }
}

#[derive(Deserialize)]
pub(super) struct MarginCallWire<'a> {
    #[serde(rename = "E")]
    sent: Stamp,
    #[serde(borrow)]
    p: Vec<PositionWire<'a>>,
}

/// `MARGIN_CALL`: positions that need margin.
pub(super) fn margin_call(wire: MarginCallWire<'_>) -> Private<'_> {
    let ts_ns = wire.sent.0;
    let positions = wire.p.into_iter().map(|one| position(one, ts_ns)).collect();
    Private::MarginCall(update(Vec::new(), positions, Cow::Borrowed("MARGIN_CALL"), ts_ns))
}

#[derive(Deserialize)]
pub(super) struct SettingWire<'a> {
    #[serde(rename = "E")]
    sent: Stamp,
    #[serde(borrow, default)]
    ac: Option<LeverageWire<'a>>,
    #[serde(default)]
    ai: Option<AssetsWire>,
}

#[derive(Deserialize)]
struct LeverageWire<'a> {
    #[serde(borrow)]
    s: Text<'a>,
    l: u32,
}

#[derive(Deserialize)]
struct AssetsWire {
    j: bool,
}

/// `ACCOUNT_CONFIG_UPDATE`: leverage of a symbol, or the assets mode.
pub(super) fn setting(wire: SettingWire<'_>) -> Private<'_> {
    Private::Setting {
        leverage: wire.ac.as_ref().map(|changed| changed.l),
        symbol: wire.ac.map(|changed| changed.s.0),
        is_multi_asset: wire.ai.map(|changed| changed.j),
        ts_ns: wire.sent.0,
    }
}

#[derive(Deserialize)]
pub(super) struct OrderListWire<'a> {
    #[serde(borrow)]
    s: Text<'a>,
    #[serde(borrow)]
    g: Id<'a>,
    #[serde(rename = "C", borrow)]
    client: Text<'a>,
    #[serde(borrow)]
    l: Text<'a>,
    #[serde(rename = "L", borrow)]
    order_status: Text<'a>,
    #[serde(borrow)]
    r: Text<'a>,
    #[serde(rename = "O", borrow)]
    orders: Vec<ListedWire<'a>>,
    #[serde(rename = "T")]
    ts: Stamp,
}

#[derive(Deserialize)]
struct ListedWire<'a> {
    #[serde(borrow)]
    s: Text<'a>,
    #[serde(borrow)]
    i: Id<'a>,
    #[serde(borrow)]
    c: Text<'a>,
}

/// `listStatus`: an order list, such as one-cancels-the-other.
pub(super) fn order_list(wire: OrderListWire<'_>) -> Private<'_> {
    let orders = wire.orders.into_iter().map(|order| ListedOrder {
        symbol: order.s.0,
        client_order_id: order.c.0,
        exchange_order_id: order.i.0,
    });
    Private::OrderList {
        symbol: wire.s.0,
        list_id: wire.g.0,
        client_list_id: wire.client.0,
        list_status: wire.l.0,
        order_status: wire.order_status.0,
        reason: Some(wire.r.0).filter(|reason| reason != "NONE").unwrap_or_default(),
        orders: orders.collect(),
        ts_ns: wire.ts.0,
    }
}

#[derive(Deserialize)]
pub(super) struct TriggerRejectedWire<'a> {
    #[serde(rename = "T", default)]
    ts: Option<Stamp>,
    #[serde(rename = "E")]
    sent: Stamp,
    #[serde(borrow)]
    or: RejectedWire<'a>,
}

#[derive(Deserialize)]
struct RejectedWire<'a> {
    #[serde(borrow)]
    s: Text<'a>,
    #[serde(borrow)]
    i: Id<'a>,
    #[serde(borrow)]
    r: Text<'a>,
}

/// `CONDITIONAL_ORDER_TRIGGER_REJECT`: it fired and could not be placed.
pub(super) fn trigger_rejected(wire: TriggerRejectedWire<'_>) -> Private<'_> {
    Private::TriggerRejected {
        symbol: wire.or.s.0,
        exchange_order_id: wire.or.i.0,
        reason: wire.or.r.0,
        ts_ns: wire.ts.unwrap_or(wire.sent).0,
    }
}
