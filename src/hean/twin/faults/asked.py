# SPDX-License-Identifier: Apache-2.0
"""`asked.py`: what a request or a WebSocket message asks for, read only as far as a fault dial must
know to find its victim: the operation in one word for both venues, symbol, side, client ids.
Whatever cannot be read matches nothing; the dialect will tell the client.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import parse_qsl

from hean.twin.account import Key
from hean.twin.wire import Request, decoded

BYBIT_OPS = {
    "/v5/order/create": "create",
    "/v5/order/amend": "amend",
    "/v5/order/cancel": "cancel",
    "/v5/order/cancel-all": "cancel_all",
    "/v5/order/create-batch": "create_batch",
    "/v5/order/amend-batch": "amend_batch",
    "/v5/order/cancel-batch": "cancel_batch",
    "/v5/order/realtime": "orders",
    "/v5/order/history": "order_history",
    "/v5/execution/list": "executions",
    "/v5/position/list": "positions",
    "/v5/position/trading-stop": "stop",
    "/v5/position/set-leverage": "leverage",
    "/v5/position/switch-mode": "position_mode",
    "/v5/account/wallet-balance": "balance",
    "/v5/market/time": "time",
    "/v5/market/instruments-info": "instruments",
    "/v5/market/orderbook": "book",
    "/v5/market/kline": "candles",
    "/v5/market/recent-trade": "trades",
    "/v5/market/tickers": "tickers",
    "/v5/system/status": "status",
}
# Method and last part of the path; the same for spot and futures.
BINANCE_OPS = {
    "POST order": "create",
    "PUT order": "amend",
    "DELETE order": "cancel",
    "GET order": "order",
    "GET openOrder": "order",
    "POST cancelReplace": "replace",
    "PUT keepPriority": "amend",
    "DELETE openOrders": "cancel_all",
    "DELETE allOpenOrders": "cancel_all",
    "POST batchOrders": "create_batch",
    "PUT batchOrders": "amend_batch",
    "DELETE batchOrders": "cancel_batch",
    "POST algoOrder": "stop",
    "DELETE algoOrder": "cancel",
    "DELETE algoOpenOrders": "cancel_all",
    "GET openOrders": "orders",
    "GET openAlgoOrders": "orders",
    "GET allOrders": "order_history",
    "GET myTrades": "executions",
    "GET userTrades": "executions",
    "GET positionRisk": "positions",
    "GET account": "balance",
    "GET balance": "balance",
    "POST leverage": "leverage",
    "POST dual": "position_mode",
    "GET time": "time",
    "GET exchangeInfo": "instruments",
    "GET depth": "book",
    "GET klines": "candles",
    "GET trades": "trades",
    "GET aggTrades": "trades",
}
METHODS = {  # messages of the order sockets
    "order.create": "create",
    "order.place": "create",
    "algoOrder.place": "stop",
    "order.amend": "amend",
    "order.modify": "amend",
    "order.cancel": "cancel",
    "algoOrder.cancel": "cancel",
    "order.create-batch": "create_batch",
    "order.amend-batch": "amend_batch",
    "order.cancel-batch": "cancel_batch",
    "order.cancelReplace": "replace",
    "order.amend.keepPriority": "amend",
    "order.status": "order",
    "openOrders.status": "orders",
    "openOrders.cancelAll": "cancel_all",
    "allOrders": "order_history",
    "myTrades": "executions",
    "account.position": "positions",
    "account.balance": "balance",
    "account.status": "balance",
    "time": "time",
    "subscribe": "subscribe",
    "SUBSCRIBE": "subscribe",
    "unsubscribe": "unsubscribe",
    "UNSUBSCRIBE": "unsubscribe",
    "auth": "login",
    "session.logon": "login",
    "userDataStream.subscribe.signature": "login",
    "ping": "ping",
}
STOP_WORDS = ("STOP", "TAKE_PROFIT", "TRAILING")
CLIENT_IDS = (
    "orderLinkId",
    "newClientOrderId",
    "origClientOrderId",
    "clientOrderId",
    "clientAlgoId",
    "cancelOrigClientOrderId",
)
ORDER_IDS = ("orderId", "algoId", "cancelOrderId")


@dataclass(slots=True)
class Asked:
    """What somebody wants. *op*: in one word, empty if it is none of the known; *message*: of a
    WebSocket, decoded; *fields*: of one order, or of the call.
    """

    channel: str
    path: str
    method: str = ""
    op: str = ""
    market: str = ""
    symbol: str = ""
    side: str = ""
    account: str = ""
    is_stop: bool = False
    client_ids: tuple[str, ...] = ()
    order_ids: tuple[str, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)
    message: Mapping[str, Any] = field(default_factory=dict)

    def fits(self, match: Mapping[str, str]) -> bool:
        """Whether every pattern of a dial fits."""
        return all(self._fits(name, wanted) for name, wanted in match.items())

    def _fits(self, name: str, wanted: str) -> bool:
        match name:
            case "op":
                return wanted == self.op or (wanted == "stop" and self.is_stop)
            case "path":
                return fnmatchcase(self.path, wanted)
            case "client_id":
                return any(fnmatchcase(each, wanted) for each in self.client_ids)
            case "symbol" | "side":
                return wanted.upper() == (self.symbol if name == "symbol" else self.side)
            case "market" | "account" | "channel":
                return wanted == str(getattr(self, name))
        return True

    @property
    def facts(self) -> dict[str, Any]:
        """For the ledger."""
        found = {
            "path": self.path,
            "op": self.op,
            "symbol": self.symbol,
            "account": self.account,
            "client_order_ids": list(self.client_ids),
        }
        return {name: value for name, value in found.items() if value}


def asked_by_rest(exchange: str, request: Request, keys: Mapping[str, Key]) -> Asked:
    """What a REST request asks."""
    header = "X-BAPI-API-KEY" if exchange == "bybit" else "X-MBX-APIKEY"
    key = keys.get(request.headers.get(header, ""))
    asked = Asked("rest", request.path, request.method)
    asked.account = "" if key is None else key.account.name
    if exchange == "bybit":
        asked.op = BYBIT_OPS.get(request.path, "")
        fields = decoded(request.body) if request.body else dict(parse_qsl(request.query))
    else:
        last = request.path.rsplit("/", 1)[-1]
        asked.op = BINANCE_OPS.get(f"{request.method} {last}", "")
        text = request.body.decode("utf-8", "replace")
        fields = {**dict(parse_qsl(text)), **dict(parse_qsl(request.query))}
        asked.market = "spot" if request.path.startswith(("/api", "/sapi")) else "linear"
    _read(asked, fields if isinstance(fields, dict) else {})
    return asked


def asked_by_message(path: str, text: str, account: str, keys: Mapping[str, Key]) -> Asked:
    """What a WebSocket message asks. *account*: of the session; a message may bring its own key."""
    asked = Asked("ws", path, account=account)
    message = decoded(text.encode())
    if not isinstance(message, dict):
        return asked
    asked.message = message
    word = str(message.get("op") or message.get("method") or "")
    version, _, rest = word.partition("/")
    asked.method = word
    asked.op = METHODS.get(rest if version in ("v1", "v2", "v3") else word, "")
    if "fapi" in path:
        asked.market = "linear"
    elif "ws-api" in path:
        asked.market = "spot"
    given = message.get("args") or message.get("params")
    fields = given[0] if isinstance(given, list) and given else given
    _read(asked, fields if isinstance(fields, dict) else {})
    key = keys.get(str(asked.fields.get("apiKey", "")))
    if key is not None:
        asked.account = key.account.name
    return asked


def _read(asked: Asked, fields: dict[str, Any]) -> None:
    asked.fields = fields
    legs = fields.get("request") or fields.get("batchOrders")
    if isinstance(legs, str):
        legs = decoded(legs.encode())
    rows = [fields]
    if isinstance(legs, list):
        rows += [leg for leg in legs if isinstance(leg, dict)]
    asked.market = str(fields.get("category") or asked.market)
    asked.symbol = next((str(row["symbol"]) for row in rows if row.get("symbol")), "").upper()
    asked.side = next((str(row["side"]) for row in rows if row.get("side")), "").upper()
    asked.client_ids = _found(rows, CLIENT_IDS)
    asked.order_ids = _found(rows, ORDER_IDS)
    if asked.op in ("create", "stop"):
        kind = str(fields.get("type") or fields.get("orderType") or "")
        wanted = (fields.get("triggerPrice"), fields.get("stopLoss"), fields.get("stopPrice"))
        asked.is_stop = asked.op == "stop" or kind.startswith(STOP_WORDS) or any(wanted)


def _found(rows: list[dict[str, Any]], names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(str(row[name]) for row in rows for name in names if row.get(name))
