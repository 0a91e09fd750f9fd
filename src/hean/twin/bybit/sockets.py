# SPDX-License-Identifier: Apache-2.0
"""`sockets.py`: what all of Bybit's WebSockets share: who is connected, replies, topics with their
subscribers. A frame is encoded once and given to everybody who listens.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from hean.twin.account import Key
from hean.twin.wire import Session

encode = msgspec.json.Encoder().encode
OP_CHARS_MAX = 21_000  # args of one connection
SPOT_TOPICS_MAX = 10


@dataclass(slots=True, eq=False)
class Client:
    """One connection. *kind*: linear, spot, inverse, option, status, private or trade. *key*: after
    it has logged in. *idle_ns*: how long it may stay silent.
    """

    session: Session
    kind: str
    connection: str
    idle_ns: int
    key: Key | None = None
    topics: set[str] = field(default_factory=set)
    chars: int = 0
    seen_requests: set[str] = field(default_factory=set)

    def reply(self, fields: dict[str, Any]) -> None:
        """Answer a request."""
        self.session.reply(encode(fields))

    def done(self, op: str, request: dict[str, Any], message: str = "") -> None:
        """Answer a public or private request that succeeded."""
        self.reply(self._outcome(op, request, True, message))

    def failed(self, op: str, request: dict[str, Any], message: str) -> None:
        """Answer one that did not."""
        self.reply(self._outcome(op, request, False, message))

    def _outcome(
        self, op: str, request: dict[str, Any], is_good: bool, message: str
    ) -> dict[str, Any]:
        out = {"success": is_good, "ret_msg": message, "conn_id": self.connection}
        name = request_id(request)
        if name or self.kind == "linear":
            out["req_id"] = name
        out["op"] = op
        return out


class Stream:
    """A topic and who listens."""

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.sessions: dict[int, Session] = {}

    def send(self, frame: dict[str, Any]) -> None:
        """Give a frame to everybody."""
        if not self.sessions:
            return
        encoded = encode(frame)
        for session in list(self.sessions.values()):
            session.push(encoded, topic=self.topic)

    def join(self, session: Session, now_ns: int) -> None:
        """A new listener; a stream with a state tells it first."""
        self.sessions[session.number] = session

    def leave(self, session: Session) -> None:
        """A listener is gone."""
        self.sessions.pop(session.number, None)

    def tick(self, now_ns: int) -> None:
        """Time passes."""


def request_id(request: dict[str, Any]) -> str:
    """The client's name for its request, empty if it gave none; ccxt sends numbers."""
    value = request.get("req_id")
    return str(value) if isinstance(value, (str, int)) else ""


def topics_of(request: dict[str, Any]) -> list[str] | None:
    """The topics of a request, each once; `None` if they are no list of texts."""
    args = request.get("args")
    if not isinstance(args, list) or not args or not all(isinstance(each, str) for each in args):
        return None
    return list(dict.fromkeys(args))
