# SPDX-License-Identifier: Apache-2.0
"""`server.py`: the API on a port. It runs in the loop that starts it and takes no signals: whoever
runs the loop says when it ends. Where it may listen is said by `hean.net.bind`.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import uvicorn

from hean.api.health import stuck
from hean.api.line import Line, Stream, bytes_of
from hean.api.pulse import Pulse
from hean.api.shapes import BODY_BYTES_MAX
from hean.api.shield import Asgi
from hean.errors import EnvironmentFault
from hean.net.bind import OTHER_PORT, Bind

STOP_S = 3  # for requests that are being answered when it ends
SOCKET_PING_S = 20.0
BACKLOG = 128

logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # who sends rubbish fills no log


class ApiServer:
    """The API on a port. `start` returns when it listens, `stop` when nothing of it is left."""

    def __init__(self, app: Asgi, bind: Bind, pulse: Pulse | None = None) -> None:
        self._bind = bind
        self._pulse = pulse or Pulse()
        self._server = _Quiet(
            uvicorn.Config(
                app,
                host=bind.host,
                port=bind.port,
                http=Line,
                ws=Stream,
                loop="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                ws_max_size=BODY_BYTES_MAX,
                ws_ping_interval=SOCKET_PING_S,
                ws_per_message_deflate=False,  # a packed frame may unpack to any size
                timeout_graceful_shutdown=STOP_S,
                ssl_certfile=str(bind.certificate) if bind.certificate else None,
                ssl_keyfile=str(bind.key) if bind.key else None,
            )
        )
        self._task: asyncio.Task[None] | None = None
        self._adopting: set[asyncio.Task[Any]] = set()
        self.port = bind.port
        """Where it listens: the port that was free, if 0 was asked for."""

    @property
    def url(self) -> str:
        """What to type into a browser."""
        scheme = "https" if self._bind.certificate else "http"
        host = f"[{self._bind.host}]" if ":" in self._bind.host else self._bind.host
        return f"{scheme}://{host}:{self.port}"

    async def start(self) -> None:
        """Listen. *Raises*: `EnvironmentFault` if the port is taken."""
        listener = listen(self._bind.host, self._bind.port, self._bind.if_taken)
        self.port = listener.getsockname()[1]
        self._task = asyncio.get_running_loop().create_task(
            self._server.serve(sockets=[listener]), name="api"
        )
        while not self._server.started:
            if self._task.done():
                listener.close()
                self._task.result()
                raise EnvironmentFault(f"{self.url}: the server ended while it started.")
            await asyncio.sleep(0.005)
        is_tls = self._bind.certificate is not None
        refusal = bytes_of(stuck(), is_tls=is_tls)
        self._pulse.start(listener, refusal, self._adopt, peeks=not is_tls)

    async def stop(self) -> None:
        """Stop listening, let answers end, close what is left. Safe to call twice."""
        self._pulse.stop()
        self._server.should_exit = True
        if self._task is not None:
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    def _adopt(self, caller: socket.socket) -> None:
        """Serve a connection that was accepted elsewhere."""
        config, state = self._server.config, self._server.server_state

        def line() -> Line:
            return Line(config=config, server_state=state, app_state=self._server.lifespan.state)

        loop = asyncio.get_running_loop()
        task = loop.create_task(loop.connect_accepted_socket(line, caller, ssl=config.ssl))
        self._adopting.add(task)
        task.add_done_callback(self._adopted)

    def _adopted(self, task: asyncio.Task[Any]) -> None:
        self._adopting.discard(task)
        if not task.cancelled():
            task.exception()  # of a caller that is gone: nobody misses it


class _Quiet(uvicorn.Server):
    """Takes no signals."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listen(host: str, port: int, if_taken: str = OTHER_PORT) -> socket.socket:
    """A listening socket. *Raises*: `EnvironmentFault` with the remedy."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise EnvironmentFault(f"{host}: {error.strerror or error}.") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise EnvironmentFault(f"{host}:{port}: {error.strerror or error}; {if_taken}.") from None
    return listener
