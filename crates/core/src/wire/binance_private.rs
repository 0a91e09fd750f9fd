// SPDX-License-Identifier: Apache-2.0
//! Binance's user events, spot and USD-M. An order event that executed something gives an
//! execution beside the order. Spot names the order in `C` and the cancelling request in `c` when
//! one cancels by another id; USD-M keeps the order's id in `c`. Source: [user-data-stream], the
//! USD-M SDK's models.

use std::borrow::Cow;

use serde::Deserialize;

use super::account::{Execution, Leg, OrderUpdate, Private, Unknown};
use super::binance_account::{
    account, margin_call, order_list, setting, spot_balances, spot_change, trigger_rejected,
};
use super::json::read;
use super::scalar::{Id, Maybe, MaybeStamp, Number, Stamp, Text};
use super::words::{
    algo_status, binance_cause, binance_status, leg, side, spot_type, time_in_force, usdm_type,
    Meaning,
};
use super::Market;
use crate::error::Result;
use crate::order::{OrderType, TimeInForce};

/// Read a user event; `None` for an event without a fact.
pub(super) fn read_private<'a>(event: &str, data: &'a [u8]) -> Result<Option<Private<'a>>> {
    Ok(Some(match event {
        "executionReport" => {
            let wire: OrderWire<'a> = read(data, event)?;
            orders(wire, Market::Spot)
        }
        "ORDER_TRADE_UPDATE" => {
            let wire: Wrapped<OrderWire<'a>> = read(data, event)?;
            orders(wire.o, Market::Linear)
        }
        "ALGO_UPDATE" => {
            let wire: Wrapped<AlgoWire<'a>> = read(data, event)?;
            let ts_ns = wire.ts.or(wire.sent).map_or(0, |stamp| stamp.0);
            Private::Orders { orders: vec![algo(wire.o, ts_ns)], executions: Vec::new() }
        }
        "TRADE_LITE" => Private::Executions(vec![lite(read(data, event)?)]),
        "outboundAccountPosition" => spot_balances(read(data, event)?),
        "balanceUpdate" => spot_change(read(data, event)?),
        "ACCOUNT_UPDATE" => account(read(data, event)?),
        "MARGIN_CALL" => margin_call(read(data, event)?),
        "ACCOUNT_CONFIG_UPDATE" => setting(read(data, event)?),
        "listStatus" => order_list(read(data, event)?),
        "CONDITIONAL_ORDER_TRIGGER_REJECT" => trigger_rejected(read(data, event)?),
        "listenKeyExpired" | "eventStreamTerminated" | "serverShutdown" => {
            let wire: EndWire = read(data, event)?;
            Private::StreamEnd { reason: Cow::Owned(event.to_owned()), ts_ns: wire.sent.0 }
        }
        _ => return Ok(None),
    }))
}

/// Binance writes an absent price as 0.
pub(super) fn price(number: Maybe<'_>) -> Option<Number<'_>> {
    number.0.filter(|number| number.to_f64() != 0.0)
}

fn words(text: Option<Text<'_>>) -> Cow<'_, str> {
    text.map_or(Cow::Borrowed(""), |text| text.0)
}

/// The events whose order stands in `o`.
#[derive(Deserialize)]
struct Wrapped<T> {
    o: T,
    #[serde(rename = "T", default)]
    ts: Option<Stamp>,
    #[serde(rename = "E", default)]
    sent: Option<Stamp>,
}

/// `executionReport`, and the `o` of `ORDER_TRADE_UPDATE`: one set of letters, two dialects.
#[derive(Deserialize)]
struct OrderWire<'a> {
    #[serde(borrow)]
    s: Text<'a>,
    #[serde(borrow)]
    c: Text<'a>,
    #[serde(rename = "C", borrow, default)]
    original: Option<Text<'a>>,
    #[serde(rename = "S", borrow)]
    side: Text<'a>,
    #[serde(borrow)]
    o: Text<'a>,
    #[serde(rename = "ot", borrow, default)]
    original_type: Option<Text<'a>>,
    #[serde(borrow, default)]
    f: Option<Text<'a>>,
    #[serde(borrow)]
    q: Number<'a>,
    #[serde(borrow, default)]
    p: Maybe<'a>,
    #[serde(rename = "P", borrow, default)]
    spot_trigger: Maybe<'a>,
    #[serde(rename = "sp", borrow, default)]
    trigger: Maybe<'a>,
    #[serde(borrow, default)]
    ap: Maybe<'a>,
    #[serde(borrow)]
    x: Text<'a>,
    #[serde(rename = "X", borrow)]
    status: Text<'a>,
    #[serde(borrow, default)]
    r: Option<Text<'a>>,
    #[serde(rename = "eR", borrow, default)]
    expired: Option<Id<'a>>,
    #[serde(rename = "er", borrow, default)]
    expired_usdm: Option<Id<'a>>,
    #[serde(borrow)]
    i: Id<'a>,
    #[serde(borrow, default)]
    l: Maybe<'a>,
    #[serde(borrow, default)]
    z: Maybe<'a>,
    #[serde(rename = "L", borrow, default)]
    last_price: Maybe<'a>,
    #[serde(borrow, default)]
    n: Maybe<'a>,
    #[serde(rename = "N", borrow, default)]
    fee_asset: Option<Text<'a>>,
    #[serde(rename = "T")]
    ts: Stamp,
    #[serde(borrow, default)]
    t: Option<Id<'a>>,
    #[serde(rename = "I", default)]
    sequence: Option<u64>,
    #[serde(default)]
    m: Option<bool>,
    #[serde(rename = "O", default)]
    created: MaybeStamp,
    #[serde(rename = "Z", borrow, default)]
    value: Maybe<'a>,
    #[serde(rename = "R", default)]
    reduce_only: Option<bool>,
    #[serde(borrow, default)]
    ps: Option<Text<'a>>,
    #[serde(borrow, default)]
    rp: Maybe<'a>,
}

fn orders(wire: OrderWire<'_>, market: Market) -> Private<'_> {
    let execution = execution(&wire, market);
    Private::Orders {
        orders: vec![order(wire, market)],
        executions: execution.into_iter().collect(),
    }
}

/// `C` names the order when `c` is the id of the request that cancelled it.
fn client_order_id<'a>(wire: &OrderWire<'a>) -> Cow<'a, str> {
    match &wire.original {
        Some(Text(original)) if !original.is_empty() => original.clone(),
        _ => wire.c.0.clone(),
    }
}

/// Something was executed when the event says so and names a quantity.
fn execution<'a>(wire: &OrderWire<'a>, market: Market) -> Option<Execution<'a>> {
    let quantity = wire.l.0.filter(|quantity| quantity.to_f64() > 0.0)?;
    if !matches!(wire.x.0.as_ref(), "TRADE" | "CALCULATED") {
        return None;
    }
    let mut unknown = Unknown::default();
    let client_order_id = client_order_id(wire);
    let cause = binance_cause(&wire.x.0, &client_order_id);
    Some(Execution {
        market: Some(market),
        symbol: wire.s.0.clone(),
        exchange_order_id: wire.i.0.clone(),
        exec_id: wire.t.as_ref()?.0.clone(),
        side: unknown.note("side", &wire.side.0, side(&wire.side.0)),
        cause: unknown.note("cause", &wire.x.0, cause),
        venue_cause: wire.x.0.clone(),
        price: wire.last_price.0?,
        quantity,
        fee: wire.n.0,
        fee_asset: wire.fee_asset.as_ref().map(|text| text.0.clone()),
        fee_rate: None,
        is_maker: wire.m,
        is_early: false,
        realized_pnl: wire.rp.0,
        position_side: position_side(&mut unknown, wire.ps.as_ref()),
        ts_ns: wire.ts.0,
        sequence: None,
        client_order_id,
        unknown,
    })
}

pub(super) fn position_side(unknown: &mut Unknown, word: Option<&Text<'_>>) -> Option<Leg> {
    word.and_then(|Text(word)| unknown.note("position_side", word, leg(word)))
}

fn type_of(word: &str, market: Market) -> Meaning<OrderType> {
    match market {
        Market::Spot => spot_type(word),
        Market::Linear => usdm_type(word),
    }
}

fn order(wire: OrderWire<'_>, market: Market) -> OrderUpdate<'_> {
    let mut unknown = Unknown::default();
    let client_order_id = client_order_id(&wire);
    let side = unknown.note("side", &wire.side.0, side(&wire.side.0));
    // A triggered order changes its type; what it was sent as stays in `ot`.
    let type_word = wire.original_type.map_or(wire.o.0, |text| text.0);
    let kind = unknown.note("type", &type_word, type_of(&type_word, market));
    let force = words(wire.f);
    let mut time_in_force = unknown.note("time_in_force", &force, time_in_force(&force));
    if type_word == "LIMIT_MAKER" {
        time_in_force = Some(TimeInForce::PostOnly);
    }
    let status = unknown.note("status", &wire.status.0, binance_status(&wire.status.0));
    let position_side = position_side(&mut unknown, wire.ps.as_ref());
    let expired = wire.expired.or(wire.expired_usdm);
    let reason = match (wire.r, expired) {
        (Some(Text(reason)), _) if reason != "NONE" => reason,
        (_, Some(Id(reason))) if reason != "NONE" && reason != "0" => reason,
        _ => Cow::Borrowed(""),
    };
    let trigger = match market {
        Market::Spot => wire.spot_trigger,
        Market::Linear => wire.trigger,
    };
    OrderUpdate {
        market: Some(market),
        symbol: wire.s.0,
        client_order_id,
        exchange_order_id: wire.i.0,
        child_order_id: None,
        side,
        kind,
        time_in_force,
        status,
        venue_status: wire.status.0,
        venue_type: type_word,
        venue_event: Some(wire.x.0),
        price: price(wire.p),
        trigger_price: price(trigger),
        quantity: wire.q,
        filled: wire.z.0,
        filled_value: wire.value.0,
        average: price(wire.ap),
        reduce_only: wire.reduce_only,
        position_side,
        reason,
        ts_ns: wire.ts.0,
        created_ns: wire.created.0,
        sequence: wire.sequence,
        unknown,
    }
}

#[derive(Deserialize)]
struct EndWire {
    #[serde(rename = "E", default)]
    sent: MaybeStamp,
}

/// The early, short form of a fill: no fee yet.
#[derive(Deserialize)]
struct LiteWire<'a> {
    #[serde(borrow)]
    s: Text<'a>,
    #[serde(borrow)]
    c: Text<'a>,
    #[serde(rename = "S", borrow)]
    side: Text<'a>,
    #[serde(rename = "L", borrow)]
    price: Number<'a>,
    #[serde(borrow)]
    l: Number<'a>,
    #[serde(borrow)]
    t: Id<'a>,
    #[serde(borrow)]
    i: Id<'a>,
    #[serde(default)]
    m: Option<bool>,
    #[serde(rename = "T")]
    ts: Stamp,
}

fn lite(wire: LiteWire<'_>) -> Execution<'_> {
    let mut unknown = Unknown::default();
    Execution {
        market: Some(Market::Linear),
        symbol: wire.s.0,
        exchange_order_id: wire.i.0,
        exec_id: wire.t.0,
        side: unknown.note("side", &wire.side.0, side(&wire.side.0)),
        cause: unknown.note("cause", "TRADE", binance_cause("TRADE", &wire.c.0)),
        venue_cause: Cow::Borrowed("TRADE"),
        price: wire.price,
        quantity: wire.l,
        fee: None,
        fee_asset: None,
        fee_rate: None,
        is_maker: wire.m,
        is_early: true,
        realized_pnl: None,
        position_side: None,
        ts_ns: wire.ts.0,
        sequence: None,
        client_order_id: wire.c.0,
        unknown,
    }
}

#[derive(Deserialize)]
struct AlgoWire<'a> {
    #[serde(borrow)]
    caid: Text<'a>,
    #[serde(borrow)]
    aid: Id<'a>,
    #[serde(borrow)]
    o: Text<'a>,
    #[serde(borrow)]
    s: Text<'a>,
    #[serde(rename = "S", borrow)]
    side: Text<'a>,
    #[serde(borrow, default)]
    ps: Option<Text<'a>>,
    #[serde(borrow, default)]
    f: Option<Text<'a>>,
    #[serde(borrow)]
    q: Number<'a>,
    #[serde(rename = "X", borrow)]
    status: Text<'a>,
    #[serde(borrow, default)]
    ai: Option<Id<'a>>,
    #[serde(borrow, default)]
    ap: Maybe<'a>,
    #[serde(borrow, default)]
    aq: Maybe<'a>,
    #[serde(borrow, default)]
    tp: Maybe<'a>,
    #[serde(borrow, default)]
    p: Maybe<'a>,
    #[serde(rename = "R", default)]
    reduce_only: Option<bool>,
    #[serde(borrow, default)]
    rm: Option<Text<'a>>,
}

fn algo(wire: AlgoWire<'_>, ts_ns: i64) -> OrderUpdate<'_> {
    let mut unknown = Unknown::default();
    let force = words(wire.f);
    let is_filled = wire.aq.0.is_some_and(|filled| filled.to_f64() >= wire.q.to_f64());
    let status = algo_status(&wire.status.0, is_filled);
    OrderUpdate {
        market: Some(Market::Linear),
        symbol: wire.s.0,
        client_order_id: wire.caid.0,
        exchange_order_id: wire.aid.0,
        child_order_id: wire.ai.map(|id| id.0).filter(|id| !id.is_empty()),
        side: unknown.note("side", &wire.side.0, side(&wire.side.0)),
        kind: unknown.note("type", &wire.o.0, usdm_type(&wire.o.0)),
        time_in_force: unknown.note("time_in_force", &force, time_in_force(&force)),
        status: unknown.note("status", &wire.status.0, status),
        venue_status: wire.status.0,
        venue_type: wire.o.0,
        venue_event: None,
        price: price(wire.p),
        trigger_price: price(wire.tp),
        quantity: wire.q,
        filled: wire.aq.0,
        filled_value: None,
        average: price(wire.ap),
        reduce_only: wire.reduce_only,
        position_side: position_side(&mut unknown, wire.ps.as_ref()),
        reason: words(wire.rm),
        ts_ns,
        created_ns: None,
        sequence: None,
        unknown,
    }
}
