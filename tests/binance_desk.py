# SPDX-License-Identifier: Apache-2.0
"""Binance's dialect over the still exchange, without a network: signed requests in, JSON out, and
sockets that keep what they were sent.
"""

from __future__ import annotations

import hmac
import json
from typing import Any
from urllib.parse import urlencode

from hean.twin.account import Key
from hean.twin.binance import BinanceDialect
from hean.twin.wire import Request
from twin_desk import StillExchange

KEYS = {"main": ("DeskKey1", "DeskSecret1"), "second": ("DeskKey2", "DeskSecret2")}
READER = ("DeskReader", "DeskReaderSecret")


class DeskSession:
    """A WebSocket that keeps its frames."""

    def __init__(self, path: str, query: str = "", *, number: int, now_ns: int) -> None:
        self.path = path
        self.query = query
        self.remote = "127.0.0.1"
        self.number = number
        self.opened_ns = self.heard_ns = now_ns
        self.state: Any = None
        self.account = ""
        self.frames: list[Any] = []
        self.pings = 0
        self.closed: tuple[int, str] | None = None

    def reply(self, frame: bytes) -> None:
        """Keep an answer."""
        self.frames.append(json.loads(frame))

    def push(self, frame: bytes, *, topic: str, private: bool = False) -> None:
        """Keep a stream frame."""
        self.frames.append(json.loads(frame))

    def ping(self, payload: bytes) -> None:
        """Count."""
        self.pings += 1

    def close(self, code: int, reason: str) -> None:
        """Keep the reason."""
        self.closed = (code, reason)

    def taken(self) -> list[Any]:
        """The frames since the last look."""
        found, self.frames = self.frames, []
        return found


class BinanceDesk(StillExchange):
    """The still exchange, speaking Binance."""

    def __init__(self, *, limits_scale: float = 1.0) -> None:
        super().__init__("binance")
        accounts = {"main": self.main, "second": self.second}
        self.secrets = dict([*KEYS.values(), READER])
        keys = {key: Key(key, secret, accounts[name]) for name, (key, secret) in KEYS.items()}
        keys[READER[0]] = Key(*READER, self.main, frozenset({"read"}))
        self.dialect = BinanceDialect(
            self.venue, keys, quirks=self.venue.quirks, limits_scale=limits_scale
        )
        self.headers: dict[str, str] = {}
        self.status = 0
        self._sessions = 0

    def raw(
        self, method: str, path: str, query: str = "", body: bytes = b"", key: str | None = None
    ) -> Any:
        """A request as given. Status and headers of the answer are kept."""
        headers = {} if key is None else {"X-MBX-APIKEY": key}
        reply = self.dialect.rest(Request(method, path, query, body, headers))
        self.status, self.headers = reply.status, reply.headers
        return json.loads(reply.body)

    def get(self, path: str, **params: Any) -> Any:
        """A public request."""
        return self.raw("GET", path, urlencode(params))

    def signed(self, method: str, path: str, key: str = "DeskKey1", **params: Any) -> Any:
        """A signed request, everything in the query string."""
        query = urlencode({**params, "timestamp": self.now_ns // 1_000_000})
        digest = hmac.digest(self.secrets[key].encode(), query.encode(), "sha256").hex()
        return self.raw(method, path, f"{query}&signature={digest}", key=key)

    def buy(self, quantity: str, price: str, **params: Any) -> Any:
        """A spot limit order to buy."""
        return self.limit("BUY", quantity, price, **params)

    def limit(self, side: str, quantity: str, price: str, **params: Any) -> Any:
        """A spot limit order."""
        given = {"timeInForce": "GTC", **params}
        return self.spot_order("LIMIT", side, quantity=quantity, price=price, **given)

    def spot_order(self, kind: str, side: str, **params: Any) -> Any:
        """A spot order."""
        return self.signed(
            "POST", "/api/v3/order", symbol="BTCUSDT", side=side, type=kind, **params
        )

    def connect(self, path: str, query: str = "") -> DeskSession:
        """Open a WebSocket."""
        self._sessions += 1
        session = DeskSession(path, query, number=self._sessions, now_ns=self.now_ns)
        assert self.dialect.accepts(path)
        self.dialect.opened(session)
        return session

    def say(self, session: DeskSession, message: Any) -> Any:
        """Send JSON and return the answer."""
        text = message if isinstance(message, str) else json.dumps(message)
        self.dialect.received(session, text)
        return session.frames.pop()

    def call(self, session: DeskSession, method: str, key: str = "DeskKey1", **params: Any) -> Any:
        """A signed request over the WebSocket API."""
        given = {**params, "apiKey": key, "timestamp": self.now_ns // 1_000_000}
        text = "&".join(f"{name}={value}" for name, value in sorted(given.items()))
        digest = hmac.digest(self.secrets[key].encode(), text.encode(), "sha256").hex()
        self.dialect.received(
            session,
            json.dumps({"id": 1, "method": method, "params": {**given, "signature": digest}}),
        )
        return next(f for f in session.frames if isinstance(f, dict) and f.get("id") == 1)

    def pass_ms(self, milliseconds: int) -> None:
        """Let time pass and the dialect know."""
        self.now_ns += milliseconds * 1_000_000
        self.dialect.tick(self.now_ns)
