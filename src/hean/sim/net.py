# SPDX-License-Identifier: Apache-2.0
"""`net.py`: the network between a process and the exchange, as bytes with a journey of their own.
Requests and frames of one connection keep their order and are late as chance wants; connections do
not wait for each other. A connection may be refused, die with a word or without, or go silent. What
the fault dials of the twin want done to requests and frames is done here as the twin's server does
it. A process that is dead is never heard and never told anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlsplit

from multidict import CIMultiDict
from picows import WSHandshakeError, WSUpgradeResponse
from yarl import URL

from hean.net.http import CONNECT_S, HttpTransport, Leaving
from hean.net.line import Line
from hean.net.socket import Dial
from hean.sim.exchange import SimExchange
from hean.sim.process import Process
from hean.sim.sockets import SimSession
from hean.sim.world import World
from hean.twin.faults.act import RequestFault
from hean.twin.faults.asked import Asked, asked_by_rest
from hean.twin.wire import JSON_TYPE, Dialect, Reply, Request

CONNECT_FRACTION = 0.3  # of requests that find no kept connection


@dataclass(slots=True)
class NetFaults:
    """What the network does at present, as fractions of requests, frames and connects.

    *refused*: a request or connect finds nobody, and nothing has left. *slow*: it takes up to
    *slow_s*. *cut_every_s*: mean time until a WebSocket dies, 0 never; *mute_fraction* of those die
    without a word. *jitter_s*: on every journey.
    """

    refused: float = 0.0
    slow: float = 0.0
    slow_s: float = 20.0
    cut_every_s: float = 0.0
    mute_fraction: float = 0.0
    jitter_s: float = 0.005


class SimNet:
    """The network, and the address of the exchange; `FaultServer` for its dials."""

    def __init__(self, world: World, exchange: SimExchange) -> None:
        self.world = world
        self.exchange = exchange
        self.faults = NetFaults()
        self.sessions: dict[int, SimSession] = {}
        self.on_leaving: Callable[[Process, Asked, bytes], None] = lambda *_: None
        """Told process, meaning and bytes of every request and message right before it leaves."""
        self.on_connect: Callable[[Process], None] = lambda *_: None
        """Told the process that opens a WebSocket, whatever comes of it."""
        self.on_answer: Callable[[Process, int, Mapping[str, str]], None] = lambda *_: None
        """Told process, status and headers of every answer that reaches one."""
        self.on_heard: Callable[[Process, bytes], None] = lambda *_: None
        """Told process and bytes of every answer and frame that reach one."""
        self.on_fault: Callable[[str], None] = lambda kind: None
        """Told each time the network does something wrong."""
        self.book_s = 0.0
        """When something of a book last reached a process."""
        self._rng = world.rng("net")
        self._opened = 0
        exchange.faults.server = self

    @property
    def dialect(self) -> Dialect:
        """The wire."""
        return self.exchange.dialect

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Do something in so many seconds."""
        self.world.later(seconds, act)

    def calm(self) -> None:
        """From now on it works; lines that have fallen silent end, and none is cut any more."""
        self.faults = NetFaults()
        for session in list(self.sessions.values()):
            if session.is_mute:
                session.abort()

    def dial(self, process: Process) -> Dial:
        """How a process opens WebSockets."""

        async def dial(line: Line, url: str) -> None:
            await self._connect(process, line, url)

        return dial

    def transport(self, process: Process) -> Callable[[float], HttpTransport]:
        """How a process sends requests."""
        return lambda timeout_s: SimTransport(self, process, timeout_s)

    def journey_s(self) -> float:
        """How long bytes are under way."""
        rng, faults = self._rng, self.faults
        seconds = 0.001 + rng.random() * faults.jitter_s
        if faults.slow and rng.random() < faults.slow:
            seconds += rng.random() * faults.slow_s
            self.on_fault("net_slow")
        return seconds

    def must_connect(self) -> bool:
        """Whether no kept connection is there for a request."""
        return self._rng.random() < CONNECT_FRACTION

    def is_refused(self) -> bool:
        """Whether nobody answers this time."""
        if not self.faults.refused or self._rng.random() >= self.faults.refused:
            return False
        self.on_fault("net_refused")
        return True

    def leave(self, process: Process, asked: Asked, body: bytes) -> None:
        """Bytes are about to leave. *Raises*: `Killed`."""
        process.touch()
        self.on_leaving(process, asked, body)
        self.world.note(asked.path.encode() + body)

    async def _connect(self, process: Process, line: Line, url: str) -> None:
        process.touch()
        self.on_connect(process)
        await asyncio.sleep(self.journey_s())
        if self.is_refused():
            raise ConnectionRefusedError(111, "Connection refused")
        place = urlsplit(url)
        path = place.path
        refusal = self.exchange.faults.connect(path)
        if refusal is None and not self.dialect.accepts(path):
            refusal = Reply(b"", 404)
        if refusal is not None:
            raise WSHandshakeError("refused", response=_handshake(refusal.status))
        self._opened += 1
        session = SimSession(self, process, line, number=self._opened, path=path, query=place.query)
        self.sessions[session.number] = session
        self.dialect.opened(session)
        line.on_ws_connected(session.socket)  # type: ignore[arg-type]  # it has what a line uses
        process.on_death.append(session.client_died)
        faults = self.faults
        if faults.cut_every_s:
            after_s = self._rng.expovariate(1.0 / faults.cut_every_s)
            is_mute = self._rng.random() < faults.mute_fraction
            self.later(after_s, lambda: self._end_line(session, is_mute=is_mute))

    def _end_line(self, session: SimSession, *, is_mute: bool) -> None:
        """Its time has come, unless all is calm by now."""
        if not self.faults.cut_every_s:
            return
        if is_mute:
            session.go_mute()
        else:
            session.cut()

    # ------------------------------------------------------------ requests

    def arrive(self, asked: Request, answer: Callable[[Reply | Exception], None]) -> None:
        """A request reaches the exchange. *answer*: takes what comes of it, if anything does."""
        fault = self.exchange.faults.request(asked)
        if fault is None:
            answer(self.exchange.rest(asked))
            return

        def process() -> None:
            reply = self.exchange.faults.answer(fault, lambda: self.exchange.rest(asked))
            self.later(fault.answer_after_s, lambda: _end(fault, reply, answer))

        if fault.wait_s:
            self.later(fault.wait_s, process)
        else:
            process()

    def hear(self, session: SimSession, text: str) -> None:
        """A message of a client reaches the exchange."""
        faults = self.exchange.faults
        fault = faults.message(session, text)
        if fault is None:
            self.exchange.received(session, text)
            return

        def hear() -> None:
            if session.number in self.sessions:
                given = text if fault.text is None else fault.text
                faults.hear(fault, lambda: self.exchange.received(session, given))

        if fault.wait_s:
            self.later(fault.wait_s, hear)
        else:
            hear()


class SimTransport:
    """The `HttpTransport` of one process. Every request has a connection of its own."""

    def __init__(self, net: SimNet, process: Process, timeout_s: float) -> None:
        self._net = net
        self._process = process
        self._timeout_s = timeout_s

    async def open(self) -> None:
        """Nothing to be done."""

    async def close(self) -> None:
        """Nothing to be done."""

    async def carry(
        self, method: str, url: URL, *, body: bytes, headers: Mapping[str, str], leaving: Leaving
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Bring a request there once."""
        net, process = self._net, self._process
        process.touch()
        loop = asyncio.get_running_loop()
        until_s = loop.time() + self._timeout_s
        if net.must_connect():
            async with asyncio.timeout(min(CONNECT_S, self._timeout_s)):
                await asyncio.sleep(net.journey_s())
            if net.is_refused():
                raise ConnectionRefusedError(111, "Connection refused")
        leaving.begin()
        path, query = url.raw_path, url.raw_query_string
        asked = Request(method, path, query, body, CIMultiDict(headers))
        exchange = net.exchange
        meaning = asked_by_rest(exchange.venue.exchange, asked, exchange.faults.keys)
        net.leave(process, meaning, query.encode() + body)
        found: asyncio.Future[Reply] = loop.create_future()

        def settle(outcome: Reply | Exception) -> None:
            if found.done() or not process.is_alive:
                return
            if isinstance(outcome, Exception):
                found.set_exception(outcome)
            else:
                found.set_result(outcome)

        def answer(outcome: Reply | Exception) -> None:
            net.later(net.journey_s(), lambda: settle(outcome))

        net.later(net.journey_s(), lambda: net.arrive(asked, answer))
        process.touch()
        async with asyncio.timeout_at(until_s):
            reply = await found
        net.world.note(reply.body)
        net.on_answer(process, reply.status, reply.headers)
        net.on_heard(process, reply.body)
        if meaning.op == "book":
            net.book_s = net.world.now_s()
        return reply.status, {"content-type": JSON_TYPE, **reply.headers}, reply.body


def _end(
    fault: RequestFault, reply: Reply | None, answer: Callable[[Reply | Exception], None]
) -> None:
    """How a request ends that a dial had its hand on."""
    if fault.ending == "hang":
        return
    if fault.ending != "answer" or reply is None:
        answer(ConnectionResetError(104, "Connection reset by peer"))
        return
    answer(reply)


def _handshake(status: int) -> WSUpgradeResponse:
    response = WSUpgradeResponse()
    response.status = HTTPStatus(status)
    return response
