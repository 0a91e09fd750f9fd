# SPDX-License-Identifier: Apache-2.0
"""`sockets.py`: the life of a stream socket: it opens with the streams of its address, subscribes
to more, and takes its subscriptions with it when it goes. A name that carries nothing is accepted
in silence, as Binance does; clients open `/ws/0` and subscribe afterwards.
"""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from hean.twin.binance.streams import (
    MICROSECONDS,
    POLICY_VIOLATION,
    STREAMS_MAX,
    Door,
    Hub,
    Publisher,
    StreamRefused,
    StreamState,
    id_of,
    is_too_fast,
    parse_message,
)
from hean.twin.wire import Session


class ListenKeys(Protocol):
    """Private streams that are named by a listen key."""

    def opened(self, session: Session, listen_keys: list[str]) -> bool:
        """A private socket came with these keys."""
        ...

    def closed(self, session: Session) -> None:
        """It is gone."""
        ...

    def listens(self, session: Session, stream: str) -> bool:
        """Whether a name is a listen key; its events come to this socket from now on."""
        ...

    def unlistens(self, session: Session, stream: str) -> None:
        """They come no more."""
        ...


class StreamSockets:
    """All stream sockets of both families."""

    def __init__(
        self,
        hubs: dict[str, Hub],
        publishers: dict[str, Publisher],
        listen_keys: ListenKeys,
        *,
        scale: float,
    ) -> None:
        self.hubs = hubs
        self.publishers = publishers
        self.listen_keys = listen_keys
        self.scale = scale

    def opened(self, session: Session, door: Door) -> None:
        """A client came through a door."""
        session.state = StreamState(
            door.family, door.route, door.is_combined, door.is_micro, pinged_ns=session.opened_ns
        )
        if door.route == "private":
            self.listen_keys.opened(session, list(door.names))
        else:
            self._subscribe(session, list(door.names[:STREAMS_MAX]))

    def closed(self, session: Session) -> None:
        """A client is gone."""
        self._unsubscribe(session, list(session.state.streams))
        if session.state.route == "private":
            self.listen_keys.closed(session)

    def received(self, session: Session, text: str, now_ns: int) -> None:
        """A client wants something."""
        if is_too_fast(session.state, now_ns, self.scale):
            session.close(POLICY_VIOLATION, "Too many requests")
            return
        try:
            number, method, params = parse_message(text)
            answer: dict[str, Any] = {"result": self._obey(session, method, params), "id": number}
        except StreamRefused as refused:
            answer = {"error": {"code": refused.code, "msg": refused.msg}, "id": id_of(text)}
        session.reply(msgspec.json.encode(answer))

    def _obey(self, session: Session, method: str, params: list[Any]) -> Any:
        state: StreamState = session.state
        match method:
            case "LIST_SUBSCRIPTIONS":
                return list(state.streams)
            case "SET_PROPERTY" | "GET_PROPERTY":
                return _property(state, method, params)
        if not all(isinstance(name, str) for name in params):
            raise StreamRefused(2, "Invalid request: streams must be strings")
        if method == "UNSUBSCRIBE":
            self._unsubscribe(session, params)
        else:
            if len(state.streams) + len(params) > STREAMS_MAX:
                raise StreamRefused(2, f"Invalid request: more than {STREAMS_MAX} streams")
            self._subscribe(session, params)
        return None

    def _subscribe(self, session: Session, names: list[str]) -> None:
        state: StreamState = session.state
        hub, publisher = self.hubs[state.family], self.publishers[state.family]
        for name in names:
            if name in state.streams:
                continue
            state.streams[name] = None
            if state.route == "private" and self.listen_keys.listens(session, name):
                continue
            if not publisher.carries(state.route, name):
                continue
            if hub.add(_topic(state, name), session):
                publisher.started(name)

    def _unsubscribe(self, session: Session, names: list[str]) -> None:
        state: StreamState = session.state
        hub, publisher = self.hubs[state.family], self.publishers[state.family]
        for name in names:
            if name not in state.streams:
                continue
            del state.streams[name]
            if state.route == "private":
                self.listen_keys.unlistens(session, name)
            is_last = hub.remove(_topic(state, name), session)
            if is_last and not hub.has(name) and not hub.has(name + MICROSECONDS):
                publisher.stopped(name)


def _topic(state: StreamState, name: str) -> str:
    return name + MICROSECONDS if state.is_micro else name


def _property(state: StreamState, method: str, params: list[Any]) -> Any:
    if not params or not isinstance(params[0], str):
        raise StreamRefused(2, "Invalid request: property name must be a string")
    if params[0] != "combined":
        raise StreamRefused(0, "Unknown property")
    if method == "GET_PROPERTY":
        return state.is_combined
    if len(params) != 2 or not isinstance(params[1], bool):
        raise StreamRefused(1, "Invalid value type: expected Boolean")
    state.is_combined = params[1]
    return None
