# SPDX-License-Identifier: Apache-2.0
"""`ws.py`: the live stream. A client says who it is in its first frame, names topics, and is told
each: a snapshot, then every update with its number. It reads; nothing can be commanded here. Each
client has a queue of its own: of a state it gets the newest, of facts each, up to a bound; whoever
does not take them is let go, and may come back and go on from the last number it has.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec
from fastapi import APIRouter
from starlette.websockets import WebSocket, WebSocketDisconnect

from hean.api.access import Access, Who
from hean.api.permissions import Role
from hean.api.problems import Refused
from hean.engine.topics import STATES, TOPICS, Topics

FIRST_FRAME_S = 10.0  # to say who it is
LOOK_S = 2.0  # whether the token still counts
CONNECTIONS_MAX = 5  # of one token
FRAMES_PER_S = 20
FACTS_MAX = 1_000  # updates that wait for a slow client
SEND_S = 10.0  # for one frame to leave; longer is a client that is stuck
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
        self._by_token: Counter[str] = Counter()
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
            try:
                await self._converse(client)
            finally:
                self._clients.discard(client)
                self._by_token[who.token_id] -= 1
        except (WebSocketDisconnect, RuntimeError, OSError):
            pass  # gone; the server says so in more than one way

    # ------------------------------------------------------------ inside

    def _tell(self, topic: str, _seq: int, update: bytes) -> None:
        for client in self._clients:
            client.put(topic, update)

    async def _greet(self, socket: WebSocket) -> Who | None:
        address = socket.client.host if socket.client else ""
        try:
            async with asyncio.timeout(FIRST_FRAME_S):
                asked = _frame(await socket.receive_text())
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
        await socket.send_text(_text({"type": "auth", "ok": True, "role": who.role.word}))
        return who

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
            asked = _frame(await client.socket.receive_text())
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
            client.topics.discard(topic)
            return None
        self._subscribe(client, topic, asked.get("since"))
        return None

    def _subscribe(self, client: _Client, topic: str, since: object) -> None:
        missed = self._topics.since(topic, since) if isinstance(since, int) else None
        if missed is None:
            missed = [self._topics.snapshot(topic)]
        client.topics.add(topic)
        for _, update in missed:
            client.put_fact(update)


class _Client:
    """One connection. States wait by topic, facts in a row."""

    def __init__(self, socket: WebSocket, who: Who) -> None:
        self.socket = socket
        self.who = who
        self.topics: set[str] = set()
        self._facts: deque[bytes] = deque()
        self._states: OrderedDict[str, bytes] = OrderedDict()
        self._has_news = asyncio.Event()

    def put(self, topic: str, update: bytes) -> None:
        """An update, if it listens to the topic."""
        if topic not in self.topics:
            return
        if topic in STATES:
            self._states[topic] = update
            self._has_news.set()
        else:
            self.put_fact(update)

    def put_fact(self, update: bytes) -> None:
        """Something that is not replaced by what comes later."""
        self._facts.append(update)
        self._has_news.set()

    def say(self, document: dict[str, Any]) -> None:
        """An answer."""
        self.put_fact(msgspec.json.encode(document))

    async def send(self) -> tuple[int, str]:
        """Send what waits, until it does not leave any more."""
        while True:
            await self._has_news.wait()
            self._has_news.clear()
            if len(self._facts) > FACTS_MAX:
                return TOO_SLOW, f"more than {FACTS_MAX} updates were not taken"
            facts, self._facts = self._facts, deque()
            states, self._states = self._states, OrderedDict()
            try:
                async with asyncio.timeout(SEND_S):
                    for update in (*facts, *states.values()):
                        await self.socket.send_text(update.decode())
            except TimeoutError:
                return TOO_SLOW, "the frames are not taken"


async def _end(socket: WebSocket, code: int, reason: str) -> None:
    with suppress(RuntimeError, OSError, WebSocketDisconnect):
        await socket.close(code, reason[:100])


def _frame(text: str) -> dict[str, Any]:
    """What a client says; nothing that makes sense is an empty one."""
    try:
        found = msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError, UnicodeEncodeError):
        return {}
    return found


def _text(document: dict[str, Any]) -> str:
    return msgspec.json.encode(document).decode()
