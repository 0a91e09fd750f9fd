# SPDX-License-Identifier: Apache-2.0
"""Destinations for alerts that are real: an HTTP server for webhooks, one that never answers, one
that redirects, a mail server; and a post on a clock that is moved by hand.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from free_port import free_port

PATIENCE_S = 60.0  # a shared machine stalls


class Webhook:
    """*taken*: the JSON of every request; *status*: of the answers."""

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []
        self.status = 200
        self.location = ""
        desk = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if desk.status == 200:
                    desk.taken.append(json.loads(body))
                self.send_response(desk.status)
                if desk.location:
                    self.send_header("Location", desk.location)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_POST

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def url(self, token: str = "") -> str:
        """As Apprise writes it."""
        return f"json://127.0.0.1:{self.port}/{token}"

    @property
    def titles(self) -> list[str]:
        """Of what was taken."""
        return [each["title"] for each in self.taken]

    def close(self) -> None:
        """Take nothing more."""
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def webhook() -> Iterator[Webhook]:
    """A server for webhooks."""
    hook = Webhook()
    try:
        yield hook
    finally:
        hook.close()


@contextmanager
def black_hole() -> Iterator[int]:
    """The port of a server that accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@contextmanager
def mail_server() -> Iterator[tuple[int, list[Any]]]:
    """Port and mails of a real mail server."""
    from aiosmtpd.controller import Controller

    mails: list[Any] = []

    class Handler:
        async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
            mails.append(message_from_bytes(envelope.content, policy=default))
            return "250 OK"

    controller = Controller(Handler(), "127.0.0.1", free_port(), ready_timeout=PATIENCE_S)
    controller.start()
    try:
        yield controller.port, mails
    finally:
        controller.stop()


def until(condition: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
    """Wait for a condition."""
    end_s = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < end_s, "it never came"
        time.sleep(0.01)
