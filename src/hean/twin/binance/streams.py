# SPDX-License-Identifier: Apache-2.0
"""`streams.py`: sockets that carry streams: which address means what, messages, wrapping, limits.
A frame is encoded once for a stream and sent to all who listen. What a stream carries is decided
by the publishers (`spot_streams.py`, `usdm_streams.py`); here a stream is a name.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote

import msgspec

from hean.twin.binance.words import ms
from hean.twin.market import TwinMarket
from hean.twin.orders import Event
from hean.twin.wire import MALFORMED, Session, decoded

SECOND_NS = 1_000_000_000
STREAMS_MAX = 1_024
MESSAGES_MAX = {"spot": 5, "linear": 10}  # a second
PING_NS = {"spot": 20 * SECOND_NS, "linear": 180 * SECOND_NS}
SILENCE_NS = {"spot": 80 * SECOND_NS, "linear": 780 * SECOND_NS}  # a ping, then the time to answer
LIFE_NS = 24 * 3_600 * SECOND_NS
ROUTES = frozenset({"public", "market", "private"})
POLICY_VIOLATION = 1008
GOING_AWAY = 1001
MICROSECONDS = "#us"  # marks a stream whose listener wants microseconds
METHODS = frozenset(
    {"SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY"}
)


@dataclass(slots=True, frozen=True)
class Door:
    """What a socket's address means. *route*: of the futures, empty for spot. *names*: the streams
    in the address.
    """

    family: str
    route: str
    is_combined: bool
    names: tuple[str, ...]
    is_micro: bool = False


@dataclass(slots=True)
class StreamState:
    """What is kept for one socket that carries streams."""

    family: str
    route: str
    is_combined: bool
    is_micro: bool = False
    streams: dict[str, None] = field(default_factory=dict)
    """Subscribed names, in order, those that carry nothing too."""
    second: int = 0
    messages: int = 0
    pinged_ns: int = 0


class Publisher(Protocol):
    """Makes the frames of one family."""

    def on_event(self, event: Event) -> None:
        """The exchange did something public."""
        ...

    def tick(self, now_ns: int) -> None:
        """Time passed."""
        ...

    def carries(self, route: str, stream: str) -> bool:
        """Whether a stream of this name exists on a route."""
        ...

    def started(self, stream: str) -> None:
        """The first listener of a stream came."""
        ...

    def stopped(self, stream: str) -> None:
        """The last listener left."""
        ...

    def lose(self, market: TwinMarket) -> None:
        """A fault dial: the next event of a book does not follow the last; ids have jumped."""
        ...


class Hub:
    """Who listens to what in one family."""

    def __init__(self) -> None:
        self.streams: dict[str, dict[int, Session]] = {}

    def has(self, stream: str) -> bool:
        """Whether anybody listens."""
        return stream in self.streams

    def publish(self, stream: str, payload: bytes) -> None:
        """Send an event to everybody who listens to a stream."""
        listeners = self.streams.get(stream)
        if not listeners:
            return
        wrapped: bytes | None = None
        for session in list(listeners.values()):
            if session.state.is_combined:
                wrapped = wrapped or combined(stream.removesuffix(MICROSECONDS), payload)
                session.push(wrapped, topic=stream)
            else:
                session.push(payload, topic=stream)

    def add(self, stream: str, session: Session) -> bool:
        """*Returns*: whether it is the first listener."""
        listeners = self.streams.setdefault(stream, {})
        listeners[session.number] = session
        return len(listeners) == 1

    def remove(self, stream: str, session: Session) -> bool:
        """*Returns*: whether it was the last listener."""
        listeners = self.streams.get(stream)
        if listeners is None or listeners.pop(session.number, None) is None:
            return False
        if not listeners:
            del self.streams[stream]
        return not listeners


def combined(stream: str, payload: bytes) -> bytes:
    """An event in the envelope of a combined stream."""
    return b'{"stream":"' + stream.encode() + b'","data":' + payload + b"}"


def door_of(path: str, query: str) -> Door | None:
    """What an address means, `None` if it is no place for streams. A first segment with a dot in it
    is a host name in front of the true path.
    """
    parts = [unquote(part) for part in path.split("/") if part]
    if parts and "." in parts[0]:
        parts.pop(0)
    route = parts.pop(0) if parts and parts[0] in ROUTES else ""
    if not parts or parts[0] not in ("ws", "stream"):
        return None
    kind, names = parts[0], parts[1:]
    asked = dict(parse_qsl(query))
    if kind == "stream":
        names = [name for name in asked.get("streams", "").split("/") if name]
    if "listenKey" in asked:
        names.append(asked["listenKey"])
    family = "linear" if route else "spot"
    is_micro = asked.get("timeUnit", "").upper() == "MICROSECOND"
    return Door(family, route, kind == "stream", tuple(names), is_micro)


class StreamRefused(Exception):
    """A message that cannot be obeyed. Reaction: an error frame; the socket stays."""

    def __init__(self, code: int, msg: str) -> None:
        super().__init__(msg)
        self.code = code
        self.msg = msg


def parse_message(text: str) -> tuple[Any, str, list[Any]]:
    """Id, method and parameters of a client's message. *Raises*: `StreamRefused`."""
    try:
        message = msgspec.json.decode(text)
    except MALFORMED:
        raise StreamRefused(3, "Invalid JSON: expected value at line 1 column 1") from None
    if not isinstance(message, dict):
        raise StreamRefused(2, "Invalid request: expected an object")
    method, params = message.get("method"), message.get("params") or []
    if not isinstance(method, str):
        raise StreamRefused(2, "Invalid request: missing field `method` at line 1 column 1")
    if method not in METHODS:
        known = ", ".join(f"`{name}`" for name in sorted(METHODS))
        raise StreamRefused(
            2, f"Invalid request: unknown variant `{method}`, expected one of {known}"
        )
    if not isinstance(params, list):
        raise StreamRefused(2, "Invalid request: params must be an array")
    return message.get("id"), method, params


def id_of(text: str) -> Any:
    """The id to answer a broken message with; `None` where there is none to be read."""
    message = decoded(text)
    found = message.get("id") if isinstance(message, dict) else None
    return found if isinstance(found, int | str) else None


def is_too_fast(state: StreamState, now_ns: int, scale: float) -> bool:
    """Count a message; whether it was one too many in this second."""
    second = now_ns // SECOND_NS
    if state.second != second:
        state.second, state.messages = second, 0
    state.messages += 1
    return state.messages > MESSAGES_MAX[state.family] * scale


def keep_alive(session: Session, family: str, now_ns: int) -> None:
    """Ping a socket when it is time; cut one that is silent or a day old."""
    if now_ns - session.opened_ns > LIFE_NS:
        session.close(GOING_AWAY, "24 hours have passed")
    elif now_ns - session.heard_ns > SILENCE_NS[family]:
        session.close(POLICY_VIOLATION, "Pong timeout")
    elif now_ns - session.state.pinged_ns >= PING_NS[family]:
        session.state.pinged_ns = now_ns
        session.ping(str(ms(now_ns)).encode())
