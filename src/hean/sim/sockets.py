# SPDX-License-Identifier: Apache-2.0
"""`sockets.py`: one WebSocket of the simulated network, from both ends: what `Line` uses of picows
at the client, what a dialect and its fault dials use of a session at the exchange, and between them
two journeys on which frames keep their order. It may die with a word or without, or fall silent.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from picows import WSMsgType, WSProtocolError

from hean.net.line import Line
from hean.sim.process import Process
from hean.twin.faults.act import REPLY, FrameFault
from hean.twin.faults.asked import asked_by_message

if TYPE_CHECKING:
    from hean.sim.net import SimNet

ACK_S = 0.001
PUSH_S = 0.002
APART_S = 2e-6  # of two frames of one line: more than the loop's grain
HALF_OPEN_S = 90.0  # a line nobody hears from any more is given up by the kernel after that
BYBIT_BOOK, BINANCE_BOOK = b'"orderbook.', b"@depth"  # stand in the topic of a book's frame
TOPIC_BYTES = 64  # from the beginning of a frame


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
        self._net.on_heard(self._process, frame.payload)
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
