# SPDX-License-Identifier: Apache-2.0
"""Bybit's dialect over the still exchange, without a network: signed requests in, JSON out, and
sockets that keep what they were sent.
"""

from __future__ import annotations

import hmac
import json
from typing import Any
from urllib.parse import urlencode

from binance_desk import DeskSession
from hean.twin.account import Key
from hean.twin.bybit import BybitDialect
from hean.twin.wire import Request
from twin_desk import StillExchange

SECRETS = {"DeskKey1": "DeskSecret1", "DeskKey2": "DeskSecret2", "DeskReader": "ReaderSecret"}
STEP_MS = 10  # of the server's tick


class BybitDesk(StillExchange):
    """The still exchange, speaking Bybit."""

    def __init__(self, *, limits_scale: float = 1_000.0) -> None:
        super().__init__("bybit")
        read = frozenset({"read"})
        keys = {
            "DeskKey1": Key("DeskKey1", SECRETS["DeskKey1"], self.main),
            "DeskKey2": Key("DeskKey2", SECRETS["DeskKey2"], self.second),
            "DeskReader": Key("DeskReader", SECRETS["DeskReader"], self.main, read),
        }
        self.dialect = BybitDialect(
            self.venue, keys, quirks=self.venue.quirks, limits_scale=limits_scale
        )
        self.status = 0
        self.headers: dict[str, str] = {}
        self._sessions = 0

    @property
    def now_ms(self) -> int:
        """The clock in ms."""
        return self.now_ns // 1_000_000

    def raw(
        self,
        method: str,
        path: str,
        query: str = "",
        body: bytes = b"",
        headers: dict[str, str] | None = None,
    ) -> Any:
        """A request as given. Status and headers of the answer are kept."""
        reply = self.dialect.rest(Request(method, path, query, body, headers or {}))
        self.status, self.headers = reply.status, reply.headers
        return json.loads(reply.body)

    def market(self, path: str, **params: Any) -> Any:
        """The result of a market call."""
        answer = self.raw("GET", f"/v5/market/{path}", urlencode(params))
        assert answer["retCode"] == 0, answer
        return answer["result"]

    def signing(self, payload: bytes, key: str, window: str = "5000") -> dict[str, str]:
        """Headers of a signed request."""
        stamp = str(self.now_ms)
        text = f"{stamp}{key}{window}".encode() + payload
        return {
            "X-BAPI-API-KEY": key,
            "X-BAPI-TIMESTAMP": stamp,
            "X-BAPI-RECV-WINDOW": window,
            "X-BAPI-SIGN": hmac.digest(SECRETS[key].encode(), text, "sha256").hex(),
        }

    def ask(self, path: str, key: str = "DeskKey1", **params: Any) -> Any:
        """The whole answer to a signed GET."""
        query = urlencode(params)
        return self.raw("GET", f"/v5/{path}", query, headers=self.signing(query.encode(), key))

    def tell(self, path: str, key: str = "DeskKey1", **params: Any) -> Any:
        """The whole answer to a signed POST."""
        body = json.dumps(params).encode()
        return self.raw("POST", f"/v5/{path}", body=body, headers=self.signing(body, key))

    def rows(self, path: str, **params: Any) -> list[Any]:
        """The list of a signed GET that must succeed."""
        answer = self.ask(path, **params)
        assert answer["retCode"] == 0, answer
        found: list[Any] = answer["result"]["list"]
        return found

    def create(self, side: str, qty: str, price: str | None = None, **params: Any) -> Any:
        """The whole answer to an order for BTCUSDT, linear if nothing else is said."""
        kind = {"orderType": "Market"} if price is None else {"orderType": "Limit", "price": price}
        fields = {"category": "linear", "symbol": "BTCUSDT", "side": side, "qty": qty, **kind}
        return self.tell("order/create", **{**fields, **params})

    def placed(self, side: str, qty: str, price: str | None = None, **params: Any) -> str:
        """The id of an order that must be taken."""
        answer = self.create(side, qty, price, **params)
        assert answer["retCode"] == 0, answer
        number: str = answer["result"]["orderId"]
        return number

    def order_of(self, number: str, category: str = "linear") -> Any:
        """An order as the venue shows it."""
        rows = self.rows("order/realtime", category=category, orderId=number)
        return rows[0]

    def position_row(self, index: int = 0) -> Any:
        """The row of a leg."""
        rows = self.rows("position/list", category="linear", symbol="BTCUSDT")
        return next(row for row in rows if row["positionIdx"] == index)

    def connect(self, path: str, query: str = "") -> DeskSession:
        """Open a WebSocket."""
        self._sessions += 1
        session = DeskSession(path, query, number=self._sessions, now_ns=self.now_ns)
        assert self.dialect.accepts(path)
        self.dialect.opened(session)
        return session

    def say(self, session: DeskSession, message: Any) -> Any:
        """Send JSON and return the first frame that comes back; later ones stay."""
        session.heard_ns = self.now_ns
        before = len(session.frames)
        text = message if isinstance(message, str) else json.dumps(message)
        self.dialect.received(session, text)
        return session.frames.pop(before)

    def subscribe(self, session: DeskSession, *topics: str) -> Any:
        """Subscribe and return the answer."""
        return self.say(session, {"op": "subscribe", "req_id": "s", "args": list(topics)})

    def login(self, session: DeskSession, key: str = "DeskKey1") -> Any:
        """Log a private or order-entry socket in."""
        expires = self.now_ms + 1_000
        sign = hmac.digest(SECRETS[key].encode(), f"GET/realtime{expires}".encode(), "sha256")
        return self.say(session, {"op": "auth", "args": [key, expires, sign.hex()]})

    def private(self, *topics: str, key: str = "DeskKey1") -> DeskSession:
        """A private socket, logged in and subscribed."""
        session = self.connect("/v5/private")
        assert self.login(session, key)["success"] is True
        if topics:
            assert self.subscribe(session, *topics)["success"] is True
        return session

    def pass_ms(self, milliseconds: int) -> None:
        """Let time pass; exchange and dialect know, as often as in a server."""
        end_ns = self.now_ns + milliseconds * 1_000_000
        while self.now_ns < end_ns:
            self.now_ns = min(end_ns, self.now_ns + STEP_MS * 1_000_000)
            self.venue.step()
            self.dialect.tick(self.now_ns)
