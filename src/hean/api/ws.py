# SPDX-License-Identifier: Apache-2.0
"""`ws.py`: the live stream. A client says who it is in its first frame, names topics, and is told
each: a snapshot, then every update with its number. It reads; nothing can be commanded here. An
update becomes a frame once, however many listen, and whoever has taken all before it is handed it
at once (ADR 0030). Who is behind has a queue: of a state it gets the newest, of facts each, up to a
bound. Whoever does not take them is let go, and may come back and go on from the last number of
each topic.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec
from fastapi import APIRouter
from starlette.websockets import WebSocket, WebSocketDisconnect

from hean.api.access import Access, Who
from hean.api.fanout import FanOut, Listener, Stuck, framed
from hean.api.line import WIRE
from hean.api.permissions import Role
from hean.api.problems import Refused
from hean.engine.topics import TOPICS, Topics

FIRST_FRAME_S = 10.0  # to say who it is
STRANGERS_MAX = 20  # who have not said it yet; one more, and the one who waits longest goes
LOOK_S = 2.0  # whether the token still counts
CONNECTIONS_MAX = 5  # of one token
FRAMES_PER_S = 20
END_S = 1.0  # for the last word to leave
GONE = 1006  # whoever left without a word
BAD_FRAME, NOT_KNOWN, TOO_MANY, TOO_SLOW = 4400, 4401, 4429, 4408
ROLES: dict[str, Role] = {"logs": Role.OPERATOR}
"""Topics that need more than the least role."""


class Streams:
    """All clients. *ticks*: steady seconds. `access` is given once the app has made it."""

    def __init__(self, topics: Topics, *, ticks: Callable[[], float]) -> None:
        self.access: Access
        self._topics = topics
        self._ticks = ticks
        self._clients: set[_Client] = set()
        self._fan_out = FanOut()
        self._by_token: Counter[str] = Counter()
        self._strangers: dict[asyncio.Task[str | None], None] = {}
        topics.listeners.append(self._tell)

    def __len__(self) -> int:
        """How many are connected."""
        return len(self._clients)

    def router(self) -> APIRouter:
        """The one route."""
        router = APIRouter()

        @router.websocket("/ws")
        async def ws(socket: WebSocket) -> None:
            await self.serve(socket)

        return router

    async def serve(self, socket: WebSocket) -> None:
        """One client, until it goes or is let go."""
        await socket.accept()
        try:
            who = await self._greet(socket)
            if who is None:
                return
            client = _Client(socket, who)
            self._by_token[who.token_id] += 1
            self._clients.add(client)
            socket.scope["state"][WIRE].is_known = True
            client.say({"type": "auth", "ok": True, "role": who.role.word})
            try:
                await self._converse(client)
            finally:
                self._clients.discard(client)
                self._by_token[who.token_id] -= 1
        except (WebSocketDisconnect, RuntimeError, OSError):
            pass  # gone; the server says so in more than one way

    # ------------------------------------------------------------ inside

    def _tell(self, topic: str, _seq: int, update: bytes) -> None:
        self._fan_out.tell(topic, update)

    async def _greet(self, socket: WebSocket) -> Who | None:
        address = socket.client.host if socket.client else ""
        try:
            async with asyncio.timeout(FIRST_FRAME_S):
                asked = _frame(await self._first_text(socket))
        except TimeoutError:
            asked = {}
        try:
            who = self._who(asked, address)
        except Refused as refusal:
            await _end(socket, NOT_KNOWN, refusal.detail)
            return None
        if self._by_token[who.token_id] >= CONNECTIONS_MAX:
            await _end(socket, TOO_MANY, f"{CONNECTIONS_MAX} connections of this token at once")
            return None
        return who

    async def _first_text(self, socket: WebSocket) -> str | None:
        """The first frame; nothing for a stranger who has to make room for a newer one: who only
        sits there must not keep others out.
        """
        waiting = asyncio.ensure_future(_text_of(socket))
        if len(self._strangers) >= STRANGERS_MAX:
            oldest = next(iter(self._strangers))
            del self._strangers[oldest]
            oldest.cancel()
        self._strangers[waiting] = None
        try:
            await asyncio.wait([waiting])
            return None if waiting.cancelled() else waiting.result()
        finally:
            waiting.cancel()
            self._strangers.pop(waiting, None)

    def _who(self, asked: dict[str, Any], address: str) -> Who:
        if asked.get("action") == "auth":
            if isinstance(ticket := asked.get("ticket"), str):
                return self.access.by_ticket(ticket, address)
            if isinstance(token := asked.get("token"), str):
                return self.access.by_token(token, address)
        raise Refused(401, "TokenRefused", "the first frame has to say who you are: action auth")

    async def _converse(self, client: _Client) -> None:
        tasks = [
            asyncio.ensure_future(each)
            for each in (self._hear(client), client.send(), self._look(client))
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._fan_out.listen(client.listener, frozenset())  # no frame follows the last word
        for task in done:
            end = task.result()
            if end is not None:
                await _end(client.socket, *end)

    async def _look(self, client: _Client) -> tuple[int, str]:
        while self.access.is_good(client.who):
            await asyncio.sleep(LOOK_S)
        return NOT_KNOWN, "the token has expired or was revoked"

    async def _hear(self, client: _Client) -> tuple[int, str]:
        heard: deque[float] = deque(maxlen=FRAMES_PER_S)
        while True:
            text = await _text_of(client.socket)
            if text is None:
                return BAD_FRAME, "frames are text, JSON objects"
            asked = _frame(text)
            now_s = self._ticks()
            if len(heard) == FRAMES_PER_S and now_s - heard[0] < 1.0:
                return TOO_MANY, f"more than {FRAMES_PER_S} frames in a second"
            heard.append(now_s)
            problem = self._carry_out(client, asked)
            if problem:
                client.say({"type": "error", "code": problem[0], "detail": problem[1]})

    def _carry_out(self, client: _Client, asked: dict[str, Any]) -> tuple[str, str] | None:
        action, topic = asked.get("action"), asked.get("topic")
        if action == "ping":
            client.say({"type": "pong"})
            return None
        if action not in ("subscribe", "unsubscribe"):
            return "UnknownAction", "known actions: subscribe, unsubscribe, ping"
        if topic not in TOPICS:
            return "UnknownTopic", f"known topics: {', '.join(TOPICS)}"
        if client.who.role < (role := ROLES.get(topic, Role.VIEWER)):
            return "RoleTooLow", f"{topic} needs role {role.word}"
        if action == "unsubscribe":
            self._fan_out.listen(client.listener, client.listener.topics - {topic})
            return None
        self._subscribe(client, topic, asked.get("since"))
        return None

    def _subscribe(self, client: _Client, topic: str, since: object) -> None:
        missed = self._topics.since(topic, since) if isinstance(since, int) else None
        if missed is None:
            missed = [self._topics.snapshot(topic)]
        self._fan_out.listen(client.listener, client.listener.topics | {topic})
        for _, update in missed:
            client.listener.put(framed(update))


class _Client:
    """One connection."""

    def __init__(self, socket: WebSocket, who: Who) -> None:
        self.socket = socket
        self.who = who
        self.listener = Listener(socket.scope["state"][WIRE])

    def say(self, document: dict[str, Any]) -> None:
        """An answer."""
        self.listener.put(framed(msgspec.json.encode(document)))

    async def send(self) -> tuple[int, str]:
        """Send what waits, until it does not leave any more."""
        try:
            await self.listener.send()
        except Stuck as error:
            return TOO_SLOW, str(error)


async def _end(socket: WebSocket, code: int, reason: str) -> None:
    """Say why, to whoever takes it: a client that is stuck does not even take that."""
    with suppress(RuntimeError, OSError, WebSocketDisconnect, TimeoutError):
        async with asyncio.timeout(END_S):
            await socket.close(code, reason[:100])


async def _text_of(socket: WebSocket) -> str | None:
    """The next frame; `None` for one that is no text. *Raises*: `WebSocketDisconnect`."""
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", GONE))
    text: str | None = message.get("text")
    return text


def _frame(text: str | None) -> dict[str, Any]:
    """What a client says; nothing that makes sense is an empty one."""
    if text is None:
        return {}
    try:
        found = msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError, UnicodeEncodeError):
        return {}
    return found
