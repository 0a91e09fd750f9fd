# SPDX-License-Identifier: Apache-2.0
"""`usdm_shapes.py`: orders and fills of the twin as Binance's USD-M futures print them, in REST
answers and user events. Each function builds one documented object, key for key; nothing is decided
here. A conditional order is one order of the exchange with two faces: an algo order for as long as
it lives, and, once it has fired, an ordinary order with an id of its own.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hean.twin.account import Account, Position
from hean.twin.binance.words import SELF_MATCH_DEFAULT, ms, status
from hean.twin.orders import ZERO, Execution, Order, Status, Trigger, Why

ALGO_BASE = 1_000_000_000_000_000  # algo ids live far above order ids
FILL_DIGITS = 5  # decimals of average prices, as recorded
MONEY_DIGITS = 8
LIVES = {"POST_ONLY": "GTX"}
FORCED_WORDS = {"adl": "adl_autoclose"}
EXECUTION_TYPES = {
    "new": "NEW",
    "triggered": "NEW",
    "amended": "AMENDMENT",
    "trade": "TRADE",
    "cancelled": "CANCELED",
    "expired": "EXPIRED",
    "rejected": "EXPIRED",
}


def money(value: Decimal) -> str:
    """An amount of a margin coin."""
    return f"{value:.{MONEY_DIGITS}f}"


def short(text: str) -> str:
    """A number as user events print it: a plain 0 when it is nothing."""
    return text if text.strip("0.") else "0"


def algo_id(order: Order) -> int:
    """Id of a conditional order while it waits."""
    return ALGO_BASE + order.number


def is_algo(order: Order) -> bool:
    """Whether an order came in as a conditional one."""
    return order.trigger is not None


def is_working(order: Order) -> bool:
    """Whether an order is visible as an ordinary one: it never waited, or has fired."""
    return order.trigger is None or order.was_triggered


def client_id(order: Order) -> str:
    """Client id; the exchange's own closures have fixed ones."""
    return order.client_id or FORCED_WORDS.get(order.extra.get("forced", ""), "")


def type_of(order: Order) -> str:
    """What an order does now: a fired conditional order is a plain limit or market order."""
    return "MARKET" if order.is_market else "LIMIT"


def algo_type(order: Order) -> str:
    """What a conditional order was sent as; one placed by hand was sent as nothing."""
    return str(order.extra.get("type") or ("STOP_MARKET" if order.is_market else "STOP"))


def life(order: Order) -> str:
    """Time in force as sent, or what the exchange's own orders have."""
    return str(order.extra.get("timeInForce") or LIVES.get(order.life, order.life))


def price_text(order: Order) -> str:
    """Limit price; zero for market orders."""
    return order.market.listing.price_text(order.price or ZERO)


def average_text(order: Order) -> str:
    """Average price of the fills."""
    average = order.average
    return "0.00" if average is None else f"{average:.{FILL_DIGITS}f}"


def order_object(order: Order, *, is_ack: bool = False) -> dict[str, Any]:
    """An order as placing, changing and cancelling answer it. *is_ack*: as it was on arrival, which
    is what `newOrderRespType=ACK` shows even of a filled market order.
    """
    listing, extra = order.market.listing, order.extra
    filled, value = (ZERO, ZERO) if is_ack else (order.filled, order.value)
    return {
        "orderId": int(order.order_id),
        "symbol": listing.symbol,
        "status": "NEW" if is_ack else status(order),
        "clientOrderId": client_id(order),
        "price": price_text(order),
        "avgPrice": "0.00" if is_ack else average_text(order),
        "origQty": listing.quantity_text(order.quantity),
        "executedQty": listing.quantity_text(filled),
        "cumQty": listing.quantity_text(filled),
        "cumQuote": f"{value:.{FILL_DIGITS}f}",
        "timeInForce": life(order),
        "type": type_of(order),
        "reduceOnly": order.reduce_only and order.position_side == "BOTH",
        "closePosition": False,
        "side": order.side,
        "positionSide": order.position_side,
        "stopPrice": listing.price_text(ZERO),
        "workingType": extra.get("workingType", "CONTRACT_PRICE"),
        "priceProtect": extra.get("priceProtect", False),
        "origType": type_of(order),
        "priceMatch": extra.get("priceMatch", "NONE"),
        "selfTradePreventionMode": extra.get("selfTradePreventionMode", SELF_MATCH_DEFAULT),
        "goodTillDate": extra.get("goodTillDate", 0),
        "updateTime": ms(order.updated_ns),
    }


def query_object(order: Order) -> dict[str, Any]:
    """An order as queries answer it."""
    shown = order_object(order)
    del shown["cumQty"]
    shown["time"] = ms(order.extra.get("triggered_ns", order.created_ns))
    return shown


def trade_object(execution: Execution) -> dict[str, Any]:
    """A fill of the account."""
    listing = execution.market.listing
    assert execution.order is not None
    return {
        "symbol": listing.symbol,
        "id": execution.trade_number,
        "orderId": int(execution.order.order_id),
        "side": execution.side,
        "price": listing.price_text(execution.price),
        "qty": listing.quantity_text(execution.quantity),
        "realizedPnl": money(execution.realized),
        "quoteQty": f"{execution.value:.{FILL_DIGITS}f}",
        "commission": money(execution.fee),
        "commissionAsset": execution.fee_coin,
        "time": ms(execution.ts_ns),
        "positionSide": execution.position_side,
        "buyer": execution.side == "BUY",
        "maker": execution.is_maker,
    }


# --- conditional orders


def algo_status(order: Order) -> str:
    """Where a conditional order stands."""
    if not order.was_triggered:
        if order.is_open:
            return "NEW"
        system = order.why in {Why.POSITION_CLOSED, Why.LIQUIDATION}
        return "EXPIRED" if system else "CANCELED"
    if order.status is Status.REJECTED:
        return "REJECTED"
    return "TRIGGERED" if order.is_open else "FINISHED"


def algo_object(order: Order) -> dict[str, Any]:
    """A conditional order as cancelling answers it, and the first part of other answers."""
    listing, extra, trigger = order.market.listing, order.extra, _trigger(order)
    is_trailing = trigger.trailing is not None
    return {
        "algoId": algo_id(order),
        "clientAlgoId": order.client_id,
        "algoType": "CONDITIONAL",
        "orderType": algo_type(order),
        "symbol": listing.symbol,
        "side": order.side,
        "positionSide": order.position_side,
        "timeInForce": life(order),
        "quantity": listing.quantity_text(order.quantity),
        "algoStatus": algo_status(order),
        "triggerPrice": listing.price_text(ZERO if is_trailing else trigger.price),
        "price": price_text(order),
        "icebergQuantity": None,
        "selfTradePreventionMode": extra.get("selfTradePreventionMode", SELF_MATCH_DEFAULT),
        "workingType": extra.get("workingType", "CONTRACT_PRICE"),
        "priceMatch": extra.get("priceMatch", "NONE"),
        "closePosition": order.close_all,
        "priceProtect": extra.get("priceProtect", False),
        "reduceOnly": order.reduce_only and order.position_side == "BOTH",
        "createTime": ms(order.created_ns),
        "updateTime": ms(order.updated_ns),
        "triggerTime": ms(extra.get("triggered_ns", 0)),
        "goodTillDate": extra.get("goodTillDate", 0),
    }


def algo_placed(order: Order) -> dict[str, Any]:
    """A conditional order as placing answers it, with what a trailing one was given."""
    trailing = {name: order.extra.get(name, "") for name in ("activatePrice", "callbackRate")}
    return {**algo_object(order), **trailing}


def algo_query(order: Order) -> dict[str, Any]:
    """A conditional order as queries answer it, with what became of it."""
    zero = order.market.listing.price_text(ZERO)
    shown = algo_object(order)
    fired = order.was_triggered
    average = order.average or ZERO
    return {
        **shown,
        "actualOrderId": order.order_id if fired else "",
        "actualPrice": f"{average:.{FILL_DIGITS}f}",
        "actualQty": order.market.listing.quantity_text(order.filled),
        "actualType": type_of(order) if fired else "",
        "tpTriggerPrice": zero,
        "tpPrice": zero,
        "slTriggerPrice": zero,
        "slPrice": zero,
        "tpOrderType": "",
    }


def algo_update(order: Order, ts_ns: int, *, word: str) -> dict[str, Any]:
    """`ALGO_UPDATE`. *word*: the status to tell; TRIGGERING has no order yet."""
    listing, extra, trigger = order.market.listing, order.extra, _trigger(order)
    fired = order.was_triggered and word != "TRIGGERING"
    price = ZERO if trigger.trailing is not None else trigger.price
    average = f"{order.average or ZERO:.{FILL_DIGITS}f}"
    return {
        "e": "ALGO_UPDATE",
        "T": ms(ts_ns),
        "E": ms(ts_ns),
        "o": {
            "caid": order.client_id,
            "aid": algo_id(order),
            "at": "CONDITIONAL",
            "o": algo_type(order),
            "s": listing.symbol,
            "S": order.side,
            "ps": order.position_side,
            "f": life(order),
            "q": listing.quantity_text(order.quantity),
            "X": word,
            "ai": order.order_id if fired else "",
            "ap": average,
            "aq": f"{order.filled:.{FILL_DIGITS}f}",
            "act": type_of(order) if fired else "0",
            "tp": short(listing.price_text(price)),
            "p": short(price_text(order)),
            "V": extra.get("selfTradePreventionMode", SELF_MATCH_DEFAULT),
            "wt": extra.get("workingType", "CONTRACT_PRICE"),
            "pm": extra.get("priceMatch", "NONE"),
            "cp": order.close_all,
            "pP": extra.get("priceProtect", False),
            "R": order.reduce_only and order.position_side == "BOTH",
            "tt": ms(extra.get("triggered_ns", 0)),
            "gtd": extra.get("goodTillDate", 0),
        },
    }


def _trigger(order: Order) -> Trigger:
    assert order.trigger is not None
    return order.trigger


# --- user events


def order_update(order: Order, kind: str, ts_ns: int, fill: Execution | None) -> dict[str, Any]:
    """`ORDER_TRADE_UPDATE`. Commission is left out where there is none, as the exchange does."""
    listing, extra = order.market.listing, order.extra
    word = EXECUTION_TYPES[kind]
    if fill is not None and fill.kind in {"liquidation", "adl"}:
        word = "CALCULATED"
    told: dict[str, Any] = {
        "s": listing.symbol,
        "c": client_id(order),
        "S": order.side,
        "o": type_of(order),
        "f": life(order),
        "q": listing.quantity_text(order.quantity),
        "p": short(price_text(order)),
        "ap": short(average_text(order)),
        "sp": "0",
        "x": word,
        "X": status(order),
        "i": int(order.order_id),
        "l": "0" if fill is None else listing.quantity_text(fill.quantity),
        "z": short(listing.quantity_text(order.filled)),
        "L": "0" if fill is None else listing.price_text(fill.price),
        "T": ms(ts_ns),
        "t": 0 if fill is None else fill.trade_number,
        "b": _bound(order, "BUY"),
        "a": _bound(order, "SELL"),
        "m": fill is not None and fill.is_maker,
        "R": order.reduce_only and order.position_side == "BOTH",
        "wt": extra.get("workingType", "CONTRACT_PRICE"),
        "ot": type_of(order),
        "ps": order.position_side,
        "cp": False,
        "rp": "0" if fill is None else money(fill.realized),
        "pP": extra.get("priceProtect", False),
        "si": 0,
        "ss": 0,
        "V": extra.get("selfTradePreventionMode", SELF_MATCH_DEFAULT),
        "pm": extra.get("priceMatch", "NONE"),
        "gtd": extra.get("goodTillDate", 0),
    }
    if fill is not None:
        told["N"], told["n"] = fill.fee_coin, money(fill.fee)
    if order.status in {Status.EXPIRED, Status.REJECTED}:
        told["er"] = "0"
    return {"e": "ORDER_TRADE_UPDATE", "T": ms(ts_ns), "E": ms(ts_ns), "o": told}


def trigger_reject(order: Order, ts_ns: int) -> dict[str, Any]:
    """`CONDITIONAL_ORDER_TRIGGER_REJECT`: an order fired and could not be taken."""
    why = "" if order.why is None else order.why.value
    told = {"s": order.market.symbol, "i": int(order.order_id), "r": f"Order rejected: {why}."}
    return {"e": "CONDITIONAL_ORDER_TRIGGER_REJECT", "E": ms(ts_ns), "T": ms(ts_ns), "or": told}


def trade_lite(order: Order, fill: Execution) -> dict[str, Any]:
    """`TRADE_LITE`: the short early word of a fill."""
    listing = order.market.listing
    return {
        "e": "TRADE_LITE",
        "E": ms(fill.ts_ns),
        "T": ms(fill.ts_ns),
        "s": listing.symbol,
        "q": listing.quantity_text(order.quantity),
        "p": short(price_text(order)),
        "m": fill.is_maker,
        "c": client_id(order),
        "S": order.side,
        "L": listing.price_text(fill.price),
        "l": listing.quantity_text(fill.quantity),
        "t": fill.trade_number,
        "i": int(order.order_id),
    }


def account_update(
    account: Account,
    reason: str,
    ts_ns: int,
    *,
    coins: tuple[str, ...],
    change: Decimal = ZERO,
    positions: tuple[Position, ...] = (),
) -> dict[str, Any]:
    """`ACCOUNT_UPDATE`: only what changed. *change*: of the balance, profit and fees apart."""
    wallet = account.wallet("linear")
    balances = [
        {
            "a": coin,
            "wb": money(wallet.get(coin, ZERO)),
            "cw": money(wallet.get(coin, ZERO)),
            "bc": "0" if not change else money(change),
        }
        for coin in coins
    ]
    shown = [_position_change(account, position) for position in positions]
    body = {"m": reason, "B": balances, "P": shown}
    return {"e": "ACCOUNT_UPDATE", "T": ms(ts_ns), "E": ms(ts_ns), "a": body}


def _position_change(account: Account, position: Position) -> dict[str, Any]:
    listing = position.market.listing
    mode = account.margin_mode.get(listing.symbol, "cross")
    isolated = account.position_margin(position) if mode == "isolated" else ZERO
    return {
        "s": listing.symbol,
        "pa": short(listing.quantity_text(position.size)),
        "ep": f"{position.entry:.{FILL_DIGITS}f}",
        "bep": short(f"{break_even(position):.{MONEY_DIGITS}f}"),
        "cr": short(money(position.realized_total)),
        "up": short(money(position.unrealized)),
        "mt": mode,
        "iw": short(money(isolated)),
        "ps": position.side,
    }


def break_even(position: Position) -> Decimal:
    """Price at which closing leaves nothing, fees and funding paid so far included."""
    return position.entry - position.realized / position.size if position.size else ZERO


def _bound(order: Order, side: str) -> str:
    """Notional of the account's open orders of one side in this symbol."""
    if order.side != side:
        return "0"
    total = order.left * order.price if order.is_open and order.price is not None else ZERO
    return short(f"{total:.{FILL_DIGITS}f}")


def config_update(symbol: str, leverage: int, ts_ns: int) -> dict[str, Any]:
    """`ACCOUNT_CONFIG_UPDATE` after a change of leverage."""
    change = {"s": symbol, "l": leverage}
    return {"e": "ACCOUNT_CONFIG_UPDATE", "E": ms(ts_ns), "T": ms(ts_ns), "ac": change}


def multi_assets_update(is_multi: bool, ts_ns: int) -> dict[str, Any]:
    """`ACCOUNT_CONFIG_UPDATE` after a change of the multi-assets mode."""
    change = {"j": is_multi}
    return {"e": "ACCOUNT_CONFIG_UPDATE", "E": ms(ts_ns), "T": ms(ts_ns), "ai": change}
