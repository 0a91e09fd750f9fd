# SPDX-License-Identifier: Apache-2.0
"""`wire.py`: what a dialect sees of the network: a request as bytes, a reply as bytes, a WebSocket
session it may push frames to. A dialect is synchronous: it answers at once or not at all, so that
the exchange behind it keeps one writer. Delays, cuts and lies are the server's business.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from hean.twin.market import TwinMarket
from hean.twin.orders import Event

JSON_TYPE = "application/json;charset=UTF-8"
MALFORMED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What bytes raise that are no sane JSON."""


def decoded(data: bytes | str) -> Any:
    """JSON as objects; `None` for what is no sane JSON."""
    try:
        return msgspec.json.decode(data)
    except MALFORMED:
        return None


def readable(text: str) -> str:
    """Text that may go into an answer; bytes of a header that are no UTF-8 are question marks."""
    return text.encode("utf-8", "replace").decode()


@dataclass(slots=True, frozen=True)
class Request:
    """A REST request exactly as it arrived. *path*, *query*: raw, without `?`."""

    method: str
    path: str
    query: str
    body: bytes
    headers: Mapping[str, str]
    """Case-insensitive."""
    remote: str = "127.0.0.1"


@dataclass(slots=True)
class Reply:
    """A REST answer."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


class Session(Protocol):
    """One open WebSocket, from the dialect's side."""

    path: str
    query: str
    remote: str
    number: int
    opened_ns: int
    heard_ns: int
    """When the client was last heard of, pongs included."""
    state: Any
    """Whatever the dialect keeps per connection."""
    account: str
    """Name of the account, set by the dialect once the client has proved who it is."""

    def reply(self, frame: bytes) -> None:
        """Answer a request of this session; leaves some milliseconds later, because real clients
        register their callbacks after they have sent."""
        ...

    def push(self, frame: bytes, *, topic: str, private: bool = False) -> None:
        """Send a stream frame. *topic*: for fault dials. A client that does not read is cut."""
        ...

    def ping(self, payload: bytes) -> None:
        """Send a protocol ping."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Close with a WebSocket close code."""
        ...


class Dialect(Protocol):
    """One venue's wire over the exchange."""

    def rest(self, request: Request) -> Reply:
        """Answer a REST request."""
        ...

    def accepts(self, path: str) -> bool:
        """Whether a WebSocket may be opened at this path."""
        ...

    def opened(self, session: Session) -> None:
        """A client connected."""
        ...

    def received(self, session: Session, text: str) -> None:
        """A client sent a text frame."""
        ...

    def closed(self, session: Session) -> None:
        """A client is gone, however that happened."""
        ...

    def on_event(self, event: Event) -> None:
        """The exchange did something."""
        ...

    def tick(self, now_ns: int) -> None:
        """Called every TICK_MS: streams with a rhythm, pings, cuts."""
        ...

    def reset_books(self, market: TwinMarket, *, is_restart: bool) -> None:
        """A fault dial: where book streams have snapshots, every one of this market sends one
        next; *is_restart*: with update id 1, counting on from there. Where they have none, the ids
        jump so that the next event does not follow the last.
        """
        ...


Schedule = Callable[[float, Callable[[], None]], object]
"""Run something in so many seconds."""
