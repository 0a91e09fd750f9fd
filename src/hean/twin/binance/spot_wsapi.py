# SPDX-License-Identifier: Apache-2.0
"""`spot_wsapi.py`: methods of spot's WebSocket API: mostly another name for a REST route. Sessions
can be logged on with Ed25519 keys only, and the twin's keys are HMAC, so a log-on is refused as
Binance refuses it.
"""

from __future__ import annotations

from typing import Any

from hean.twin.binance import spot_account, spot_market, spot_trade
from hean.twin.binance.call import Call, Route, Security
from hean.twin.binance.errors import BinanceError
from hean.twin.binance.words import ms

ROUTES = {**spot_market.ROUTES, **spot_trade.ROUTES, **spot_account.ROUTES}


def _logon(call: Call) -> Any:
    raise BinanceError(-4056, "HMAC_SHA256 API key is not supported.")


def _status(call: Call) -> dict[str, Any]:
    assert call.session is not None
    return {
        "apiKey": None,
        "authorizedSince": None,
        "connectedSince": ms(call.session.opened_ns),
        "returnRateLimits": call.session.state.wants_limits,
        "serverTime": call.now_ms,
        "userDataStream": bool(call.session.state.subscriptions),
    }


def _subscribe_unsigned(call: Call) -> Any:
    raise BinanceError(-1002, "You are not authorized to execute this request.", 401)


def _subscribe(call: Call) -> dict[str, Any]:
    return call.dialect.spot_users.subscribe(call)


def _unsubscribe(call: Call) -> dict[str, Any]:
    return call.dialect.spot_users.unsubscribe(call)


def _subscriptions(call: Call) -> list[dict[str, Any]]:
    return call.dialect.spot_users.subscriptions(call)


def _get(path: str) -> Route:
    """A market data route, open to the names that a socket's request may add."""
    return ROUTES["GET", f"/api/v3/{path}"]._replace(names=None)


METHODS: dict[str, Route] = {
    "ping": _get("ping"),
    "time": _get("time"),
    "exchangeInfo": _get("exchangeInfo"),
    "depth": _get("depth"),
    "trades.recent": _get("trades"),
    "trades.historical": _get("historicalTrades"),
    "trades.aggregate": _get("aggTrades"),
    "klines": _get("klines"),
    "uiKlines": _get("uiKlines"),
    "avgPrice": _get("avgPrice"),
    "ticker": _get("ticker"),
    "ticker.24hr": _get("ticker/24hr"),
    "ticker.tradingDay": _get("ticker/tradingDay"),
    "ticker.price": _get("ticker/price"),
    "ticker.book": _get("ticker/bookTicker"),
    "session.logon": Route(_logon, Security.KEY, 2),
    "session.status": Route(_status, weight=2),
    "session.logout": Route(_status, weight=2),
    "session.subscriptions": Route(_subscriptions, weight=2),
    "order.place": ROUTES["POST", "/api/v3/order"],
    "order.test": ROUTES["POST", "/api/v3/order/test"],
    "order.status": ROUTES["GET", "/api/v3/order"],
    "order.cancel": ROUTES["DELETE", "/api/v3/order"],
    "order.cancelReplace": ROUTES["POST", "/api/v3/order/cancelReplace"],
    "order.amend.keepPriority": ROUTES["PUT", "/api/v3/order/amend/keepPriority"],
    "openOrders.status": ROUTES["GET", "/api/v3/openOrders"],
    "openOrders.cancelAll": ROUTES["DELETE", "/api/v3/openOrders"],
    "account.status": ROUTES["GET", "/api/v3/account"],
    "account.commission": ROUTES["GET", "/api/v3/account/commission"],
    "account.rateLimits.orders": ROUTES["GET", "/api/v3/rateLimit/order"],
    "allOrders": ROUTES["GET", "/api/v3/allOrders"],
    "myTrades": ROUTES["GET", "/api/v3/myTrades"],
    "myPreventedMatches": ROUTES["GET", "/api/v3/myPreventedMatches"],
    "userDataStream.subscribe": Route(_subscribe_unsigned, weight=2),
    "userDataStream.subscribe.signature": Route(_subscribe, Security.SIGNED, 2),
    "userDataStream.unsubscribe": Route(_unsubscribe, weight=2),
}
