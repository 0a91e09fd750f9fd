// SPDX-License-Identifier: Apache-2.0
//! Private frames and replies as dicts. Numbers are exact texts under names that end in `_text`;
//! the shapes are written down at `parse_bybit` in `_core.pyi`.

use hean_core::order::State;
use hean_core::wire::account::{
    AccountTotals, AccountUpdate, BalanceUpdate, Cause, Execution, Leg, ListedOrder, OrderUpdate,
    PositionUpdate, Private,
};
use hean_core::wire::reply::{LimitState, Reply};
use hean_core::wire::{Market, Number};
use hean_core::Side;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::wire::{list, set, side_name, Dict};

fn text<'a>(number: &Option<Number<'a>>) -> Option<&'a str> {
    number.as_ref().map(Number::text)
}

fn market(market: Option<Market>) -> Option<&'static str> {
    market.map(Market::name)
}

fn side(side: Option<Side>) -> Option<&'static str> {
    side.map(side_name)
}

fn leg(leg: Option<Leg>) -> Option<&'static str> {
    leg.map(Leg::name)
}

fn order_dict<'py>(py: Python<'py>, order: &OrderUpdate<'_>) -> PyResult<Dict<'py>> {
    let dict = PyDict::new(py);
    set!(dict, "market": market(order.market), "symbol": order.symbol.as_ref(),
        "client_order_id": order.client_order_id.as_ref(),
        "exchange_order_id": order.exchange_order_id.as_ref(),
        "child_order_id": order.child_order_id.as_deref(), "side": side(order.side),
        "type": order.kind.map(|kind| kind.name()),
        "time_in_force": order.time_in_force.map(|force| force.name()),
        "status": order.status.map(State::name), "venue_status": order.venue_status.as_ref(),
        "venue_type": order.venue_type.as_ref(), "venue_event": order.venue_event.as_deref(),
        "price_text": text(&order.price), "trigger_price_text": text(&order.trigger_price),
        "quantity_text": order.quantity.text(), "filled_text": text(&order.filled),
        "filled_value_text": text(&order.filled_value), "average_text": text(&order.average),
        "reduce_only": order.reduce_only, "position_side": leg(order.position_side),
        "reason": order.reason.as_ref(), "ts_ns": order.ts_ns, "created_ns": order.created_ns,
        "sequence": order.sequence, "unknown": &order.unknown.0);
    Ok(dict)
}

fn execution_dict<'py>(py: Python<'py>, execution: &Execution<'_>) -> PyResult<Dict<'py>> {
    let dict = PyDict::new(py);
    set!(dict, "market": market(execution.market), "symbol": execution.symbol.as_ref(),
        "client_order_id": execution.client_order_id.as_ref(),
        "exchange_order_id": execution.exchange_order_id.as_ref(),
        "exec_id": execution.exec_id.as_ref(), "side": side(execution.side),
        "cause": execution.cause.map(Cause::name), "venue_cause": execution.venue_cause.as_ref(),
        "price_text": execution.price.text(), "quantity_text": execution.quantity.text(),
        "fee_text": text(&execution.fee), "fee_asset": execution.fee_asset.as_deref(),
        "fee_rate_text": text(&execution.fee_rate),
        "is_maker": execution.is_maker, "is_early": execution.is_early,
        "realized_pnl_text": text(&execution.realized_pnl),
        "position_side": leg(execution.position_side), "ts_ns": execution.ts_ns,
        "sequence": execution.sequence, "unknown": &execution.unknown.0);
    Ok(dict)
}

fn position_dict<'py>(py: Python<'py>, position: &PositionUpdate<'_>) -> PyResult<Dict<'py>> {
    let dict = PyDict::new(py);
    set!(dict, "market": market(position.market), "symbol": position.symbol.as_ref(),
        "position_side": leg(position.position_side),
        "quantity_text": position.quantity.as_ref(),
        "entry_price_text": text(&position.entry_price),
        "mark_price_text": text(&position.mark_price),
        "unrealized_pnl_text": text(&position.unrealized_pnl),
        "realized_pnl_text": text(&position.realized_pnl),
        "leverage_text": text(&position.leverage),
        "liquidation_price_text": text(&position.liquidation_price),
        "take_profit_text": text(&position.take_profit),
        "stop_loss_text": text(&position.stop_loss), "is_isolated": position.is_isolated,
        "venue_status": position.venue_status.as_deref(),
        "is_reduce_only": position.is_reduce_only, "ts_ns": position.ts_ns,
        "sequence": position.sequence, "unknown": &position.unknown.0);
    Ok(dict)
}

fn balance_dict<'py>(py: Python<'py>, balance: &BalanceUpdate<'_>) -> PyResult<Dict<'py>> {
    let dict = PyDict::new(py);
    set!(dict, "asset": balance.asset.as_ref(), "total_text": balance.total.as_deref(),
        "available_text": text(&balance.available), "locked_text": text(&balance.locked),
        "equity_text": text(&balance.equity), "change_text": text(&balance.change));
    Ok(dict)
}

fn totals_dict<'py>(py: Python<'py>, totals: &AccountTotals<'_>) -> PyResult<Dict<'py>> {
    let dict = PyDict::new(py);
    set!(dict, "equity_text": text(&totals.equity), "wallet_text": text(&totals.wallet),
        "margin_text": text(&totals.margin), "available_text": text(&totals.available),
        "initial_margin_text": text(&totals.initial_margin),
        "maintenance_margin_text": text(&totals.maintenance_margin));
    Ok(dict)
}

fn listed_dict<'py>(py: Python<'py>, order: &ListedOrder<'_>) -> PyResult<Dict<'py>> {
    let dict = PyDict::new(py);
    set!(dict, "symbol": order.symbol.as_ref(), "client_order_id": order.client_order_id.as_ref(),
        "exchange_order_id": order.exchange_order_id.as_ref());
    Ok(dict)
}

fn limit_dict<'py>(py: Python<'py>, limit: &LimitState<'_>) -> PyResult<Dict<'py>> {
    let dict = PyDict::new(py);
    set!(dict, "name": limit.name.as_ref(), "window_s": limit.window_s, "limit": limit.limit,
        "used": limit.used, "reset_ns": limit.reset_ns);
    Ok(dict)
}

fn set_account(dict: &Dict<'_>, update: &AccountUpdate<'_>) -> PyResult<()> {
    let py = dict.py();
    let totals = update.totals.as_ref().map(|totals| totals_dict(py, totals)).transpose()?;
    set!(dict, "balances": list(py, &update.balances, balance_dict)?,
        "positions": list(py, &update.positions, position_dict)?, "totals": totals,
        "reason": update.reason.as_ref());
    Ok(())
}

/// Set the fields of a private frame.
pub fn set_private(dict: &Dict<'_>, private: &Private<'_>) -> PyResult<()> {
    let py = dict.py();
    match private {
        Private::Orders { orders, executions } => {
            set!(dict, "orders": list(py, orders, order_dict)?,
                "executions": list(py, executions, execution_dict)?);
        }
        Private::Executions(executions) => {
            set!(dict, "executions": list(py, executions, execution_dict)?);
        }
        Private::Positions(update)
        | Private::Balances(update)
        | Private::Account(update)
        | Private::MarginCall(update) => set_account(dict, update)?,
        Private::Setting { leverage, is_multi_asset, .. } => {
            set!(dict, "leverage": leverage, "is_multi_asset": is_multi_asset);
        }
        Private::OrderList {
            list_id,
            client_list_id,
            list_status,
            order_status,
            reason,
            orders,
            ..
        } => {
            set!(dict, "list_id": list_id.as_ref(), "client_list_id": client_list_id.as_ref(),
                "list_status": list_status.as_ref(), "order_status": order_status.as_ref(),
                "reason": reason.as_ref(), "orders": list(py, orders, listed_dict)?);
        }
        Private::TriggerRejected { exchange_order_id, reason, .. } => {
            set!(dict, "exchange_order_id": exchange_order_id.as_ref(), "reason": reason.as_ref());
        }
        Private::StreamEnd { reason, .. } => set!(dict, "reason": reason.as_ref()),
    }
    Ok(())
}

/// Set the fields of a reply.
pub fn set_reply(dict: &Dict<'_>, reply: &Reply<'_>) -> PyResult<()> {
    set!(dict, "is_ok": reply.is_ok, "id": reply.id.as_deref(),
        "operation": reply.operation.as_deref(), "code": reply.code,
        "message": reply.message.as_ref(), "status": reply.status,
        "exchange_order_id": reply.exchange_order_id.as_deref(),
        "client_order_id": reply.client_order_id.as_deref(), "result_json": reply.result,
        "extra_json": reply.extra, "limits": list(dict.py(), &reply.limits, limit_dict)?);
    Ok(())
}
