# SPDX-License-Identifier: Apache-2.0
"""`spot_account.py`: what an account has and had: balances, orders, trades, fees, and the wallet
calls that clients make at start, answered with what a plain spot account would hold.
"""

from __future__ import annotations

from itertools import islice
from typing import Any

from hean.twin.binance import spot_shapes
from hean.twin.binance.call import Call, Route, Security
from hean.twin.binance.errors import BinanceError
from hean.twin.binance.words import ms
from hean.twin.candles import DAY_MS
from hean.twin.listing import Listing
from hean.twin.orders import ZERO, Order

ROWS_MAX = 1_000
ZERO_TEXT = "0.00000000"
CREATED_MS = 1_600_000_000_000  # of the key, as far as anybody asks


def account(call: Call) -> dict[str, Any]:
    """GET account."""
    listing = next((m.listing for m in call.dialect.venue.markets_of("spot")), None)
    maker, taker = _fees(listing)
    return {
        "makerCommission": int(float(maker) * 10_000),
        "takerCommission": int(float(taker) * 10_000),
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": {
            "maker": maker,
            "taker": taker,
            "buyer": ZERO_TEXT,
            "seller": ZERO_TEXT,
        },
        "canTrade": not call.account.is_banned,
        "canWithdraw": False,
        "canDeposit": False,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": call.now_ms,
        "accountType": "SPOT",
        "balances": balances(call),
        "permissions": ["SPOT"],
        "uid": call.account.number,
    }


def _fees(listing: Listing | None) -> tuple[str, str]:
    if listing is None:
        return ZERO_TEXT, ZERO_TEXT
    return f"{listing.maker_fee:.8f}", f"{listing.taker_fee:.8f}"


def balances(call: Call) -> list[dict[str, str]]:
    """Free and locked of every coin."""
    owner = call.account
    wallet = owner.wallet("spot")
    rows = []
    for coin in sorted({*wallet, *owner.locked}):
        locked = owner.locked.get(coin, ZERO)
        free = wallet.get(coin, ZERO) - locked
        if call.params.get("omitZeroBalances") == "true" and not free and not locked:
            continue
        rows.append({"asset": coin, "free": f"{free:.8f}", "locked": f"{locked:.8f}"})
    return rows


def commission(call: Call) -> dict[str, Any]:
    """GET account/commission."""
    market = call.market()
    maker, taker = _fees(market.listing)
    rates = {"buyer": ZERO_TEXT, "seller": ZERO_TEXT}
    none = {"maker": ZERO_TEXT, "taker": ZERO_TEXT, **rates}
    return {
        "symbol": market.symbol,
        "standardCommission": {"maker": maker, "taker": taker, **rates},
        "specialCommission": none,
        "taxCommission": none,
        "discount": {
            "enabledForAccount": False,
            "enabledForSymbol": False,
            "discountAsset": "BNB",
            "discount": ZERO_TEXT,
        },
    }


def order_limits(call: Call) -> list[dict[str, Any]]:
    """GET rateLimit/order."""
    return call.dialect.limits.counted("spot", "ORDERS", call.account.name)


# --- orders and trades


def open_orders(call: Call) -> list[dict[str, Any]]:
    """GET openOrders: of one symbol or all."""
    market = call.market() if call.has("symbol") else None
    return [
        spot_shapes.queried(order)
        for order in call.account.open_orders.values()
        if (order.market is market if market is not None else order.market.key[0] == "spot")
    ]


def all_orders(call: Call) -> list[dict[str, Any]]:
    """GET allOrders: the newest; from an id or a time on, the oldest."""
    market, limit = call.market(), call.limit(500, ROWS_MAX)
    first, (start, end) = call.integer("orderId"), _window(call)
    mine = (order for order in call.account.orders.values() if order.market is market)
    if first is None and start is None and end is None:
        newest = (o for o in reversed(call.account.orders.values()) if o.market is market)
        return [spot_shapes.queried(order) for order in reversed(list(islice(newest, limit)))]
    found = [order for order in mine if _is_within(order, first, start, end)]
    rows = found[-limit:] if first is None and start is None else found[:limit]
    return [spot_shapes.queried(order) for order in rows]


def _is_within(order: Order, first: int | None, start: int | None, end: int | None) -> bool:
    at = ms(order.created_ns)
    return (
        (first is None or int(order.order_id) >= first)
        and (start is None or at >= start)
        and (end is None or at <= end)
    )


def my_trades(call: Call) -> list[dict[str, Any]]:
    """GET myTrades: the newest; from an id or a time on, the oldest."""
    market, limit = call.market(), call.limit(500, ROWS_MAX)
    order_id, first, (start, end) = call.integer("orderId"), call.integer("fromId"), _window(call)
    if first is not None and (start is not None or end is not None):
        raise BinanceError(-1128, "Combination of optional parameters invalid.")
    found = list(call.dialect.spot_users.executions_of(call.account, market))
    if order_id is not None:
        name = str(order_id)
        found = [each for each in found if each.order is not None and each.order.order_id == name]
    if first is not None:
        found = [each for each in found if each.trade_number >= first]
    if start is not None:
        found = [each for each in found if ms(each.ts_ns) >= start]
    if end is not None:
        found = [each for each in found if ms(each.ts_ns) <= end]
    is_newest = first is None and start is None
    rows = found[-limit:] if is_newest else found[:limit]
    return [spot_shapes.trade(each) for each in rows]


def _window(call: Call) -> tuple[int | None, int | None]:
    """Start and end; no more than a day between them."""
    start, end = call.integer("startTime"), call.integer("endTime")
    if start is not None and end is not None and end - start > DAY_MS:
        raise BinanceError(-1127, "More than 24 hours between startTime and endTime.")
    return start, end


def prevented_matches(call: Call) -> list[dict[str, Any]]:
    """GET myPreventedMatches: this exchange keeps no list of them."""
    call.market()
    return []


# --- wallet


def coins(call: Call) -> list[dict[str, Any]]:
    """GET capital/config/getall: coins without networks, nothing can be sent."""
    return [
        {
            "coin": row["asset"],
            "depositAllEnable": False,
            "free": row["free"],
            "freeze": ZERO_TEXT,
            "ipoable": ZERO_TEXT,
            "ipoing": ZERO_TEXT,
            "isLegalMoney": False,
            "locked": row["locked"],
            "name": row["asset"],
            "networkList": [],
            "storage": ZERO_TEXT,
            "trading": True,
            "withdrawAllEnable": False,
            "withdrawing": ZERO_TEXT,
        }
        for row in balances(call)
    ]


def restrictions(call: Call) -> dict[str, Any]:
    """GET account/apiRestrictions: what the key may do."""
    assert call.key is not None
    may_trade = "trade" in call.key.permissions
    return {
        "ipRestrict": call.account.keys_bound,
        "createTime": CREATED_MS,
        "enableInternalTransfer": False,
        "enableFutures": may_trade,
        "enablePortfolioMarginTrading": False,
        "enableVanillaOptions": False,
        "permitsUniversalTransfer": False,
        "enableReading": True,
        "enableSpotAndMarginTrading": may_trade,
        "enableWithdrawals": call.account.keys_withdraw,
        "enableMargin": False,
    }


def trade_fees(call: Call) -> list[dict[str, str]]:
    """GET asset/tradeFee."""
    one = call.params.get("symbol")
    markets = [call.market()] if one else call.dialect.venue.markets_of("spot")
    rows = []
    for market in markets:
        maker, taker = _fees(market.listing)
        rows.append({"symbol": market.symbol, "makerCommission": maker, "takerCommission": taker})
    return rows


def system_status(call: Call) -> dict[str, Any]:
    """GET system/status."""
    maintenances = call.dialect.quirks.maintenances
    if any(each.state(call.now_ns) == "ongoing" for each in maintenances):
        return {"status": 1, "msg": "system maintenance"}
    return {"status": 0, "msg": "normal"}


def account_status(call: Call) -> dict[str, Any]:
    """GET account/status."""
    return {"data": "Normal"}


def nothing(call: Call) -> list[Any]:
    """Margin pairs: there are none here."""
    return []


def retired(call: Call) -> Any:
    """The listen keys of spot are gone since 2026."""
    raise BinanceError(-1020, "This operation is not supported.", 410)


SIGNED = Security.SIGNED
ROUTES: dict[tuple[str, str], Route] = {
    ("GET", "/api/v3/account"): Route(account, SIGNED, 20),
    ("GET", "/api/v3/account/commission"): Route(commission, SIGNED, 20),
    ("GET", "/api/v3/rateLimit/order"): Route(order_limits, SIGNED, 40),
    ("GET", "/api/v3/openOrders"): Route(
        open_orders, SIGNED, lambda call: 6 if call.has("symbol") else 80
    ),
    ("GET", "/api/v3/allOrders"): Route(all_orders, SIGNED, 20),
    ("GET", "/api/v3/myTrades"): Route(
        my_trades, SIGNED, lambda call: 5 if call.has("orderId") else 20
    ),
    ("GET", "/api/v3/myPreventedMatches"): Route(prevented_matches, SIGNED, 20),
    ("GET", "/sapi/v1/capital/config/getall"): Route(coins, SIGNED, 10),
    ("GET", "/sapi/v1/account/apiRestrictions"): Route(restrictions, SIGNED),
    ("GET", "/sapi/v1/account/status"): Route(account_status, SIGNED),
    ("GET", "/sapi/v1/asset/tradeFee"): Route(trade_fees, SIGNED),
    ("GET", "/sapi/v1/system/status"): Route(system_status),
    ("GET", "/sapi/v1/margin/allPairs"): Route(nothing),
    ("GET", "/sapi/v1/margin/isolated/allPairs"): Route(nothing),
    **{(method, "/api/v3/userDataStream"): Route(retired) for method in ("POST", "PUT", "DELETE")},
}
