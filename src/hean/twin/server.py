# SPDX-License-Identifier: Apache-2.0
"""`server.py`: the twin's address: HTTP and WebSocket on one loopback port, over one dialect. It
reads bytes, asks the dialect, sends bytes. What a fault dial wants done to a request or a frame is
done here, so that neither exchange nor dialect knows of faults on the wire.
"""

from __future__ import annotations

import asyncio
import logging
import socket as socket_module
import struct
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web
from aiohttp.http_exceptions import HttpProcessingError

from hean.twin.faults.act import REPLY, FrameFault, RequestFault
from hean.twin.faults.board import Faults
from hean.twin.wire import JSON_TYPE, Dialect, Reply, Request

ACK_DELAY_S = 0.003  # pybit registers its callback after it has sent; so does everybody, a bit
PUSH_DELAY_S = 0.004  # the order of a real venue: acknowledged, then told on the stream
TICK_S = 0.01
QUEUE_FRAMES_MAX = 20_000  # a client that far behind does not read; venues cut it, so do we
QUEUE_BYTES_MAX = 8 << 20  # of one client; a book of a thousand levels has 50 kB
STORM_FRAMES_MAX = 200_000  # a dial may mean more than any client can take at once
STORM_BYTES_MAX = 256 << 20
MESSAGE_BYTES_MAX = 1 << 20
BODY_BYTES_MAX = 4 << 20
SESSIONS_MAX = 1_000
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: on, no time


class WebSocketSession:
    """One open WebSocket. Frames leave in order, each not before its time."""

    def __init__(
        self, socket: web.WebSocketResponse, request: web.BaseRequest, *, server: TwinServer
    ) -> None:
        self.path, _, self.query = request.raw_path.partition("?")
        self.remote = request.remote or ""
        self.number = server.next_session()
        self.opened_ns = self.heard_ns = server.now()
        self.state: Any = None
        self.account = ""
        self._socket = socket
        self._transport = request.transport
        self._server = server
        self._frames: deque[tuple[float, bytes | str | tuple[int, str]]] = deque()
        self._ready = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._last_due = 0.0
        self._room, self._room_bytes = QUEUE_FRAMES_MAX, QUEUE_BYTES_MAX
        self._bytes = 0

    def reply(self, frame: bytes) -> None:
        """Answer a request of this session."""
        self._offer(frame, topic=REPLY, delay_s=ACK_DELAY_S)

    def push(self, frame: bytes, *, topic: str, private: bool = False) -> None:
        """Send a stream frame."""
        delay_s = PUSH_DELAY_S if private else 0.0
        self._offer(frame, topic=topic, delay_s=delay_s, is_private=private)

    def put(self, frame: bytes | str) -> None:
        """Send a frame past all fault dials."""
        self._put(frame, 0.0)

    def ping(self, payload: bytes) -> None:
        """Send a protocol ping."""
        if not self._socket.closed:
            self._loop.create_task(self.quietly(self._socket.ping(payload)))

    def close(self, code: int, reason: str) -> None:
        """Close after what is queued has left."""
        self._put((code, reason), 0.0)

    def abort(self) -> None:
        """Cut the connection without a word."""
        if self._transport is not None:
            self._transport.abort()
        self._frames.clear()
        self._bytes = 0
        self._ready.set()

    def _offer(self, frame: bytes, *, topic: str, delay_s: float, is_private: bool = False) -> None:
        fault = self._server.faults.frame(self, topic, frame, is_private=is_private)
        if fault is None:
            self._put(frame, delay_s)
            return
        self._apply(fault, delay_s)

    def _apply(self, fault: FrameFault, delay_s: float) -> None:
        self._room, self._room_bytes = STORM_FRAMES_MAX, STORM_BYTES_MAX
        for later_s, frame in fault.frames:
            if later_s:  # overtaken by what comes meanwhile
                self._loop.call_later(delay_s + later_s, self._put, frame, 0.0)
            else:
                self._put(frame, delay_s)
        if fault.cut:
            self.abort()

    def _put(self, item: bytes | str | tuple[int, str], delay_s: float) -> None:
        size = 0 if isinstance(item, tuple) else len(item)
        if len(self._frames) >= self._room or self._bytes + size > self._room_bytes:
            self.abort()
            return
        self._bytes += size
        self._last_due = max(self._last_due, self._loop.time() + delay_s)
        self._frames.append((self._last_due, item))
        self._ready.set()

    async def pump(self) -> None:
        """Send what is queued until the connection ends."""
        while not self._socket.closed:
            if not self._frames:
                self._ready.clear()
                await self._ready.wait()
                continue
            due, item = self._frames[0]
            ahead_s = due - self._loop.time()
            if ahead_s > 0:
                await asyncio.sleep(ahead_s)
                continue
            self._frames.popleft()
            if isinstance(item, tuple):
                await self._socket.close(code=item[0], message=item[1].encode())
                return
            self._bytes -= len(item)
            await self._send(item)

    async def _send(self, item: bytes | str) -> None:
        if isinstance(item, str):
            await self._socket.send_str(item)
            return
        await self._socket.send_frame(item, WSMsgType.TEXT)

    async def quietly(self, sending: Awaitable[object]) -> None:
        """Wait for something to be sent; a line that is down is nobody's mistake."""
        try:
            await sending
        except (ConnectionError, RuntimeError):
            self.abort()


class TwinServer:
    """Serves a dialect. `port` is known after `start`."""

    def __init__(self, dialect: Dialect, faults: Faults, *, now: Callable[[], int]) -> None:
        self.dialect = dialect
        self.faults = faults
        faults.server = self
        self.now = now
        self.port = 0
        self.sessions: dict[int, WebSocketSession] = {}
        self.sessions_opened = 0
        self._stopping = asyncio.Event()
        self._runner: web.ServerRunner | None = None
        self.ticker: asyncio.Task[None] | None = None
        """Gives the dialect its time, while it runs."""

    def next_session(self) -> int:
        """A new session number."""
        self.sessions_opened += 1
        return self.sessions_opened

    async def start(self, host: str, port: int) -> None:
        """Listen. *Raises*: `OSError` if the port is taken."""
        server = web.Server(
            self._handle,
            access_log=None,
            logger=quiet_logger(),
            request_factory=_request,
            auto_decompress=False,  # what is signed is what was sent; nothing here swells
        )
        self._runner = web.ServerRunner(server)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        self.port = self._runner.addresses[0][1]
        self.ticker = asyncio.get_running_loop().create_task(self._tick())

    async def stop(self) -> None:
        """Close every connection and the port."""
        self._stopping.set()
        if self.ticker is not None:
            self.ticker.cancel()
        for session in list(self.sessions.values()):
            session.abort()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self.faults.tick()
            self.dialect.tick(self.now())

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Do something in so many seconds."""
        asyncio.get_running_loop().call_later(seconds, act)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        path, _, query = request.raw_path.partition("?")
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._session(request, path)
        try:
            body = await request.read() if request.can_read_body else b""
        except web.RequestPayloadError:
            return web.Response(status=400, text="malformed body")
        asked = Request(
            request.method, path, query, body, request.headers, request.remote or "127.0.0.1"
        )
        fault = self.faults.request(asked)
        if fault is None:
            return _response(self.dialect.rest(asked))
        return await self._faulty(request, asked, fault)

    async def _faulty(
        self, request: web.BaseRequest, asked: Request, fault: RequestFault
    ) -> web.StreamResponse:
        """Do to a request what a fault dial wants."""
        await self._hold(fault.wait_s)
        reply = self.faults.answer(fault, lambda: self.dialect.rest(asked))
        await self._hold(fault.answer_after_s)
        if fault.ending == "hang":
            await self._hold(fault.hold_s)
        if fault.ending != "answer" or reply is None:
            await _break_off(request, reply, fault.cut_at)
            return web.Response(status=500)  # nobody reads it
        return _response(reply)

    async def _hold(self, seconds: float) -> None:
        """Wait, but not longer than the twin runs."""
        if not seconds:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()

    async def _session(self, request: web.BaseRequest, path: str) -> web.StreamResponse:
        if not self.dialect.accepts(path) or len(self.sessions) >= SESSIONS_MAX:
            return web.Response(status=404 if len(self.sessions) < SESSIONS_MAX else 503)
        refusal = self.faults.connect(path)
        if refusal is not None:
            return _response(refusal)
        socket = web.WebSocketResponse(
            autoping=False, compress=False, max_msg_size=MESSAGE_BYTES_MAX
        )
        await socket.prepare(request)
        session = WebSocketSession(socket, request, server=self)
        self.sessions[session.number] = session
        pump = asyncio.get_running_loop().create_task(session.quietly(session.pump()))
        try:
            self.dialect.opened(session)
            await self._listen(socket, session)
        except ConnectionError:
            pass
        finally:
            pump.cancel()
            del self.sessions[session.number]
            self.dialect.closed(session)
        return socket

    async def _listen(self, socket: web.WebSocketResponse, session: WebSocketSession) -> None:
        async for message in socket:
            session.heard_ns = self.now()
            if message.type is WSMsgType.TEXT:
                self._hear(session, message.data)
            elif message.type is WSMsgType.PING:
                if self.faults.answers_ping(session):
                    await socket.pong(message.data)
            elif message.type is WSMsgType.BINARY:
                await socket.close(code=WSCloseCode.UNSUPPORTED_DATA, message=b"text frames only")

    def _hear(self, session: WebSocketSession, text: str) -> None:
        fault = self.faults.message(session, text)
        if fault is None:
            self.dialect.received(session, text)
            return

        def hear() -> None:
            if session.number in self.sessions:
                given = text if fault.text is None else fault.text
                self.faults.hear(fault, lambda: self.dialect.received(session, given))

        if fault.wait_s:
            self.later(fault.wait_s, hear)
        else:
            hear()


class _OwnErrors(logging.Filter):
    """Lets through what went wrong here, not what a client sent that is no HTTP."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is to be shown."""
        error = record.exc_info[1] if record.exc_info else None
        return not isinstance(error, HttpProcessingError)


def quiet_logger() -> logging.Logger:
    """For an HTTP server that strangers send junk to."""
    logger = logging.getLogger(__name__)
    if not logger.filters:
        logger.addFilter(_OwnErrors())
    return logger


def _request(
    message: Any, payload: Any, protocol: Any, writer: Any, task: asyncio.Task[None]
) -> web.BaseRequest:
    loop = asyncio.get_running_loop()
    return web.BaseRequest(
        message, payload, protocol, writer, task, loop, client_max_size=BODY_BYTES_MAX
    )


async def _break_off(request: web.BaseRequest, reply: Reply | None, cut_at: int | None) -> None:
    """End a request's connection: with a reset, or after a part of its answer."""
    transport = request.transport
    if transport is None:
        return
    if reply is not None and cut_at is not None:
        head = f"HTTP/1.1 {reply.status} OK\r\nContent-Type: {JSON_TYPE}\r\n"
        head += f"Content-Length: {len(reply.body)}\r\n\r\n"
        transport.write(head.encode() + reply.body[: min(cut_at, len(reply.body) - 1)])
        transport.close()
        return
    sock = transport.get_extra_info("socket")
    if sock is not None:  # with nothing lingering, closing sends a reset
        sock.setsockopt(socket_module.SOL_SOCKET, socket_module.SO_LINGER, RESET)
    transport.abort()


def _response(reply: Reply) -> web.Response:
    headers = {"Content-Type": JSON_TYPE, **reply.headers}
    return web.Response(body=reply.body, status=reply.status, headers=headers)
