# SPDX-License-Identifier: Apache-2.0
"""A client with bad intentions: signs whatever it is told to, sends bytes as they are, and judges
whether an answer is one of the venue's.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import time
from base64 import b64encode
from dataclasses import dataclass, field
from hmac import digest
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from hean.twin.binance.call import Security
from hean.twin.binance.dialect import ROUTES
from hean.twin.bybit.books import Books
from hean.twin.bybit.dialect import bybit_routes
from hean.twin.bybit.market import MarketCalls
from hean.twin.bybit.tickers import Tickers
from venue_contract.twin_process import Account, TwinProcess

TIMEOUT_S = 60.0
TEXT, BINARY, CLOSE, PING = 1, 2, 8, 9
OTHER_METHODS = ("HEAD", "TRACE", "PUT", "DELETE", "PATCH", "OPTIONS")


@dataclass(frozen=True)
class Target:
    """A route. *is_trading*: changes something and needs a key that may."""

    method: str
    path: str
    is_signed: bool
    is_trading: bool


@dataclass
class Answer:
    """What came back."""

    status: int
    body: bytes
    document: Any = field(init=False)

    def __post_init__(self) -> None:
        try:
            self.document = json.loads(self.body)
        except ValueError:
            self.document = None

    @property
    def code(self) -> int:
        """The venue's code, 0 for success."""
        if not isinstance(self.document, dict):
            return 0
        return int(self.document.get("retCode", self.document.get("code", 0)))


def targets(exchange: str) -> list[Target]:
    """Every route of a venue."""
    if exchange == "bybit":
        calls = bybit_routes(MarketCalls(Tickers(), Books(lambda: 0)))
        return [Target(*key, route.rates is not None, route.trades) for key, route in calls.items()]
    signed = {Security.SIGNED, Security.TRADE}
    return [
        Target(*key, route.security in signed, route.security is Security.TRADE)
        for key, route in ROUTES.items()
    ]


class Attacker:
    """Speaks to one twin over one connection at a time."""

    def __init__(self, twin: TwinProcess) -> None:
        self.twin = twin
        self._line: http.client.HTTPConnection | None = None

    def send(
        self, method: str, url: str, body: bytes = b"", headers: dict[str, Any] | None = None
    ) -> Answer:
        """A request as given. *Raises*: whatever a broken line raises, twice in a row."""
        for is_last in (False, True):
            line = self._line or http.client.HTTPConnection(
                "127.0.0.1", self.twin.port, timeout=TIMEOUT_S
            )
            self._line = line
            try:
                line.request(method, url, body or None, headers or {})
                answer = line.getresponse()
                return Answer(answer.status, answer.read())
            except (http.client.HTTPException, ConnectionError):
                line.close()
                self._line = None  # the last answer may have closed it
                if is_last:
                    raise
        raise AssertionError("unreachable")

    def signed(
        self,
        who: Account,
        target: Target,
        params: dict[str, Any] | None = None,
        *,
        raw: bytes | None = None,
    ) -> Answer:
        """A signed request with parameters, or with raw bytes where they would stand."""
        stamp = str(time.time_ns() // 1_000_000)
        if self.twin.exchange == "bybit":
            return self._bybit(who, target, params or {}, raw, stamp)
        query = urlencode(params or {}).encode() if raw is None else raw
        query += (b"&" if query else b"") + b"timestamp=" + stamp.encode()
        query += b"&signature=" + digest(who.secret.encode(), query, "sha256").hex().encode()
        headers = {"X-MBX-APIKEY": who.key, "Content-Type": "application/x-www-form-urlencoded"}
        if target.method == "GET":
            return self.send("GET", f"{target.path}?{query.decode('ascii')}", b"", headers)
        return self.send(target.method, target.path, query, headers)

    def _bybit(
        self, who: Account, target: Target, params: dict[str, Any], raw: bytes | None, stamp: str
    ) -> Answer:
        is_get = target.method == "GET"
        sent = raw
        if sent is None:
            sent = urlencode(params).encode() if is_get else json.dumps(params).encode()
        text = f"{stamp}{who.key}20000".encode() + sent
        headers = {
            "X-BAPI-API-KEY": who.key,
            "X-BAPI-TIMESTAMP": stamp,
            "X-BAPI-RECV-WINDOW": "20000",
            "X-BAPI-SIGN": digest(who.secret.encode(), text, "sha256").hex(),
            "Content-Type": "application/json",
        }
        if is_get:
            return self.send("GET", f"{target.path}?{sent.decode('ascii')}", b"", headers)
        return self.send("POST", target.path, sent, headers)

    def bytes(self, sent: bytes) -> bytes:
        """Bytes on a fresh line, and the beginning of what comes back."""
        with socket.create_connection(("127.0.0.1", self.twin.port), TIMEOUT_S) as line:
            line.sendall(sent)
            return line.recv(4_096)

    def close(self) -> None:
        """Hang up."""
        if self._line is not None:
            self._line.close()


class RawSocket:
    """A WebSocket written by hand, so that it can be written wrong."""

    def __init__(self, twin: TwinProcess, path: str, *, receive_bytes: int | None = None) -> None:
        self.line = socket.socket()
        if receive_bytes is not None:
            self.line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.line.settimeout(TIMEOUT_S)
        self.line.connect(("127.0.0.1", twin.port))
        key = b64encode(os.urandom(16)).decode()
        head = f"GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        head += f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
        self.line.sendall(head.encode())
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            answer += self.line.recv(1)
        assert answer.startswith(b"HTTP/1.1 101"), answer

    def send(
        self, data: bytes, *, kind: int = TEXT, is_last: bool = True, length: int | None = None
    ) -> None:
        """A frame; *length*: what its head says, if that is not the truth."""
        size = len(data) if length is None else length
        head = bytes([(0x80 if is_last else 0) | kind])
        if size < 126:
            head += bytes([0x80 | size])
        elif size < 65_536:
            head += bytes([0x80 | 126]) + size.to_bytes(2, "big")
        else:
            head += bytes([0x80 | 127]) + size.to_bytes(8, "big")
        self.line.sendall(head + bytes(4) + data)  # a mask of zeros leaves data as it is

    def reset(self) -> None:
        """Cut without a word."""
        linger = (1).to_bytes(4, "little") + bytes(4)
        self.line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.line.close()


def told(twin: TwinProcess) -> str:
    """What a twin has written to its error output."""
    return (twin.folder / "stderr.txt").read_text()


def money(twin: TwinProcess) -> Any:
    """What no refused request may change: wallets, positions, orders, settings."""
    accounts = twin.control.get("state")["accounts"]
    names = ("name", "wallets", "locked", "open_orders")
    held = [(p["symbol"], p["side"], p["size"]) for a in accounts for p in a["positions"]]
    return [{name: account[name] for name in names} for account in accounts], held


def memory_mb(twin: TwinProcess) -> float:
    """Resident memory of a twin's process."""
    status = Path(f"/proc/{twin.pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1_024
