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
from functools import partial
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

from multidict import CIMultiDict
from picows import WSHandshakeError, WSMsgType, WSProtocolError, WSUpgradeResponse
from yarl import URL

from hean.net.http import HttpTransport, Leaving
from hean.net.line import Line
from hean.net.socket import Dial
from hean.sim.exchange import SimExchange
from hean.sim.process import Process
from hean.sim.world import World
from hean.twin.faults.act import REPLY, FrameFault, RequestFault
from hean.twin.faults.asked import Asked, asked_by_message, asked_by_rest
from hean.twin.wire import JSON_TYPE, Dialect, Reply, Request

ACK_S = 0.001
PUSH_S = 0.002
CONNECT_FRACTION = 0.3  # of requests that find no kept connection
BYBIT_BOOK, BINANCE_BOOK = b'"orderbook.', b"@depth"  # stand in the topic of a book's frame
TOPIC_BYTES = 64  # from the beginning of a frame
APART_S = 2e-6  # of two frames of one line: more than the loop's grain
HALF_OPEN_S = 90.0  # a line nobody hears from any more is given up by the kernel after that


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
        """From now on it works; lines that have fallen silent end."""
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
            self.later(after_s, session.go_mute if is_mute else session.cut)

    # ------------------------------------------------------------ requests

    def arrive(self, asked: Request, answer: Callable[[Reply | Exception], None]) -> None:
        """A request reaches the exchange. *answer*: takes what comes of it, if anything does."""
        fault = self.exchange.faults.request(asked)
        if fault is None:
            answer(self.dialect.rest(asked))
            return

        def process() -> None:
            reply = self.exchange.faults.answer(fault, lambda: self.dialect.rest(asked))
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
            self.dialect.received(session, text)
            return

        def hear() -> None:
            if session.number in self.sessions:
                given = text if fault.text is None else fault.text
                faults.hear(fault, lambda: self.dialect.received(session, given))

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
        if net.must_connect():
            await asyncio.sleep(net.journey_s())
            if net.is_refused():
                raise ConnectionRefusedError(111, "Connection refused")
        leaving.begin()
        path, query = url.raw_path, url.raw_query_string
        asked = Request(method, path, query, body, CIMultiDict(headers))
        exchange = net.exchange
        meaning = asked_by_rest(exchange.venue.exchange, asked, exchange.faults.keys)
        net.leave(process, meaning, query.encode() + body)
        loop = asyncio.get_running_loop()
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
        async with asyncio.timeout(self._timeout_s):
            reply = await found
        net.world.note(reply.body)
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


@dataclass(slots=True, frozen=True)
class SimFrame:
    """A text frame as `Line` reads it."""

    payload: bytes
    msg_type: Any = WSMsgType.TEXT
    fin: bool = True
    rsv1: bool = False
    rsv2: bool = False
    rsv3: bool = False

    @property
    def payload_size(self) -> int:
        """Its bytes."""
        return len(self.payload)

    def get_payload_as_bytes(self) -> bytes:
        """Its text."""
        return self.payload


class SimSocket:
    """The client's end of a WebSocket: what `Line` uses of picows' transport."""

    def __init__(self, session: SimSession) -> None:
        self._session = session
        self.is_close_frame_sent = False
        self.close_handshake: Any = None
        self.is_paused = False
        self.held: list[SimFrame] = []
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def underlying_transport(self) -> SimSocket:
        """Itself."""
        return self

    def send(self, _kind: Any, frame: bytes) -> None:
        """Send one text frame."""
        self._session.from_client(frame)

    def send_ping(self, payload: bytes) -> None:
        """Ask for a sign of life."""
        self._session.ping_from_client(payload)

    def send_close(self, code: Any) -> None:
        """Say goodbye."""
        self.is_close_frame_sent = True

    def disconnect(self, *, graceful: bool = True) -> None:
        """End it."""
        self._session.closed_by_client()

    async def wait_disconnected(self) -> None:
        """Until it is gone."""
        await self.gone

    def pause_reading(self) -> None:
        """Frames wait."""
        self.is_paused = True

    def resume_reading(self) -> None:
        """Frames come again."""
        self.is_paused = False
        held, self.held = self.held, []
        for frame in held:
            self._session.line.on_ws_frame(self, frame)  # type: ignore[arg-type]  # as above


class SimSession:
    """One WebSocket from the exchange's side, with both directions of its journey."""

    def __init__(
        self, net: SimNet, process: Process, line: Line, *, number: int, path: str, query: str
    ) -> None:
        self.path, self.query, self.remote, self.number = path, query, "127.0.0.1", number
        self.opened_ns = self.heard_ns = net.exchange.now()
        self.state: Any = None
        self.account = ""
        self.line = line
        self.socket = SimSocket(self)
        self._net = net
        self._process = process
        self._is_open = True
        self._is_known_closed = False
        self.is_mute = False
        """Whether nothing passes any more."""
        self._due_s = {"in": 0.0, "out": 0.0}

    # ------------------------------------------------------------ what the dialect does

    def reply(self, frame: bytes) -> None:
        """Answer a request of this session."""
        self._offer(frame, REPLY, ACK_S)

    def push(self, frame: bytes, *, topic: str, private: bool = False) -> None:
        """Send a stream frame."""
        self._offer(frame, topic, PUSH_S if private else 0.0, is_private=private)

    def put(self, frame: bytes | str) -> None:
        """Send a frame past all fault dials."""
        self._put(frame.encode() if isinstance(frame, str) else frame, 0.0)

    def ping(self, payload: bytes) -> None:
        """A protocol ping; the answer proves that the client is there."""
        if self._is_open and not self.is_mute and self._process.is_alive:
            self.heard_ns = self._net.exchange.now()

    def close(self, code: int, reason: str) -> None:
        """Close with a code."""
        why = SimpleNamespace(code=code, reason=reason)
        self.socket.close_handshake = SimpleNamespace(recv=why, sent=None)
        self.abort()

    def abort(self) -> None:
        """Cut without a word."""
        if self._is_open:
            self._gone_at_exchange()
            self._net.world.at(self._due("out"), self._tell_closed)

    def cut(self) -> None:
        """The network cuts it."""
        if self._is_open:
            self._net.on_fault("net_cut")
            self.abort()

    def go_mute(self) -> None:
        """Nothing passes any more in either direction, and nobody is told."""
        if self._is_open:
            self._net.on_fault("net_mute")
            self.is_mute = True
            self._net.world.later(HALF_OPEN_S, self.abort)

    # ------------------------------------------------------------ what the client does

    def from_client(self, frame: bytes) -> None:
        """A text frame leaves the client."""
        if self._is_known_closed:
            return
        keys = self._net.exchange.faults.keys
        asked = asked_by_message(self.path, frame.decode(), self.account, keys)
        self._net.leave(self._process, asked, frame)
        self._net.world.at(self._due("in"), lambda: self._arrived(frame))
        self._process.touch()

    def ping_from_client(self, payload: bytes) -> None:
        """A protocol ping leaves the client."""
        answers = self._net.exchange.faults.answers_ping(self)
        if answers and not self.is_mute and not self._is_known_closed:
            wait_s = self._net.journey_s() + self._net.journey_s()
            pong = SimFrame(payload, WSMsgType.PONG)
            self._net.world.loop.call_later(
                wait_s, self._deliver, pong, context=self._process.context
            )
            self.heard_ns = self._net.exchange.now()

    def closed_by_client(self) -> None:
        """The client has closed it; it knows at once, the exchange a moment later."""
        if not self._is_known_closed:
            self._is_known_closed = True
            self._net.world.later(self._net.journey_s(), self._gone_at_exchange)
            loop = self._net.world.loop
            loop.call_soon(self._tell_line, context=self._process.context)

    def client_died(self) -> None:
        """The client's process is gone; the kernel says so to the exchange."""
        self._net.world.later(self._net.journey_s(), self._gone_at_exchange)

    # ------------------------------------------------------------ the journey

    def _due(self, way: str, delay_s: float = 0.0) -> float:
        """When what leaves in *delay_s* arrives: after everything that left earlier."""
        arrives_s = self._net.world.now_s() + delay_s + self._net.journey_s()
        self._due_s[way] = max(self._due_s[way] + APART_S, arrives_s)
        return self._due_s[way]

    def _offer(self, frame: bytes, topic: str, delay_s: float, *, is_private: bool = False) -> None:
        fault = self._net.exchange.faults.frame(self, topic, frame, is_private=is_private)
        if fault is None:
            self._put(frame, delay_s)
        else:
            self._apply(fault, delay_s)

    def _apply(self, fault: FrameFault, delay_s: float) -> None:
        for later_s, frame in fault.frames:
            if later_s:
                self._net.later(delay_s + later_s, partial(self._put, frame, 0.0))
            else:
                self._put(frame, delay_s)
        if fault.cut:
            self.abort()

    def _put(self, frame: bytes, delay_s: float) -> None:
        if not self._is_open or self.is_mute or self._is_known_closed:
            return
        due_s, context = self._due("out", delay_s), self._process.context
        self._net.world.loop.call_at(due_s, self._deliver, SimFrame(frame), context=context)

    def _deliver(self, frame: SimFrame) -> None:
        """A frame reaches the client; runs as a step of its process."""
        if self._is_known_closed:
            return
        self._net.world.note(frame.payload)
        head = frame.payload[:TOPIC_BYTES]
        if BYBIT_BOOK in head or BINANCE_BOOK in head:
            self._net.book_s = self._net.world.now_s()
        if self.socket.is_paused:
            self.socket.held.append(frame)
            return
        try:
            self.line.on_ws_frame(self.socket, frame)  # type: ignore[arg-type]  # as above
        except WSProtocolError:  # picows says why to the venue and closes
            self.closed_by_client()

    def _arrived(self, frame: bytes) -> None:
        if self._is_open and not self.is_mute:
            self.heard_ns = self._net.exchange.now()
            self._net.hear(self, frame.decode())

    def _gone_at_exchange(self) -> None:
        if self._is_open:
            self._is_open = False
            self._net.sessions.pop(self.number, None)
            self._net.dialect.closed(self)

    def _tell_closed(self) -> None:
        if not self._is_known_closed:
            self._is_known_closed = True
            loop = self._net.world.loop
            loop.call_soon(self._tell_line, context=self._process.context)

    def _tell_line(self) -> None:
        if not self.socket.gone.done():
            self.socket.gone.set_result(None)
            self.line.on_ws_disconnected(self.socket)  # type: ignore[arg-type]  # as above
