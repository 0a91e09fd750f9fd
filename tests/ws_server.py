# SPDX-License-Identifier: Apache-2.0
"""A real WebSocket server on loopback that does what a test says: `on_open` is called with each new
peer, `on_text` with what a peer sent. It remembers paths, texts and pongs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Self

from picows import (
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeRequest,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
    ws_create_server,
)

PATIENCE_S = 60.0  # until a condition is given up; a loaded machine is slow, not wrong


class Peer(WSListener):
    """One client of the server."""

    transport: WSTransport

    def __init__(self, server: ScriptedServer, request: WSUpgradeRequest) -> None:
        self.server = server
        self.path = request.path.decode()
        self.texts: list[bytes] = []
        self.pongs = 0
        self.is_gone = False

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport
        self.server.peers.append(self)
        self.server.on_open(self)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        match frame.msg_type:
            case WSMsgType.TEXT:
                self.texts.append(frame.get_payload_as_bytes())
                self.server.on_text(self, self.texts[-1])
            case WSMsgType.PONG:
                self.pongs += 1
            case WSMsgType.CLOSE:
                transport.disconnect()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.is_gone = True

    def say(self, *texts: bytes) -> None:
        """Send messages."""
        for text in texts:
            self.transport.send(WSMsgType.TEXT, text)

    def cut(self) -> None:
        """End the connection without a word."""
        self.transport.disconnect(graceful=False)


class ScriptedServer:
    """*status*: refuse handshakes with this HTTP status instead of accepting."""

    def __init__(self) -> None:
        self.peers: list[Peer] = []
        self.attempts = 0
        self.status = 0
        self.headers: dict[str, str] = {}
        self.on_open: Callable[[Peer], Any] = lambda peer: None
        self.on_text: Callable[[Peer, bytes], Any] = lambda peer, text: None
        self.answers_pings = True
        self.url = ""

    @property
    def last(self) -> Peer:
        """The newest client."""
        return self.peers[-1]

    async def __aenter__(self) -> Self:
        self._server = await ws_create_server(
            self._accept, "127.0.0.1", 0, max_frame_size=1 << 30, logger_name="tests.server"
        )
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"ws://127.0.0.1:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for peer in self.peers:
            peer.cut()
        await asyncio.wait_for(self._server.wait_closed(), PATIENCE_S)

    def _accept(self, request: WSUpgradeRequest) -> Any:
        self.attempts += 1
        if self.status:
            response = WSUpgradeResponse.create_error_response(500, b"", extra_headers=self.headers)
            response.status = HTTPStatus(self.status)
            return WSUpgradeResponseWithListener(response, None)
        return Peer(self, request)


async def until(condition: Callable[[], Any]) -> None:
    """Wait for a condition; fail when it does not come true."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.005)
