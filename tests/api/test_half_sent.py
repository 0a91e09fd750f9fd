# SPDX-License-Identifier: Apache-2.0
"""Hundreds who take a connection and never say to the end what they want, on a real `hean serve`:
the kill switch gets through while they still hold (C-15).
"""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import pytest

from api.test_commands import PATIENCE_S, started
from hean.api.places import CONNECTIONS_MAX
from venue_contract.twin_process import wait_until

pytestmark = [pytest.mark.control("C-15"), pytest.mark.timeout(3 * PATIENCE_S)]

CROWD = CONNECTIONS_MAX + 60
HOST = b"Host: localhost\r\n"
JSON = HOST + b"Content-Type: application/json\r\n"
ASKED = b"GET /health/live HTTP/1.1\r\n" + HOST + b"\r\n"
HALVES = {
    "nothing": b"",
    "half a head": b"POST /killswitch/trigger HTTP/1.1\r\n" + HOST + b"X: ",
    "half a body": b"POST /pair HTTP/1.1\r\n" + JSON + b"Content-Length: 50\r\n\r\n{",
    "no end of a body": b"POST /pair HTTP/1.1\r\n" + JSON
    + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
    "a second head": ASKED + b"GET /health/live HTTP/1.1\r\n",
    "a second body": ASKED + b"POST /pair HTTP/1.1\r\n" + JSON + b"Content-Length: 9\r\n\r\n",
    "a stranger's socket": b"GET /ws HTTP/1.1\r\n" + HOST
    + b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
}  # fmt: skip


class Served:
    """A process with an engine that trades on paper."""

    def __init__(self, url: str, token: str) -> None:
        address = urlsplit(url)
        self.place = (str(address.hostname), int(address.port or 0))
        self._headers = {"Authorization": f"Bearer {token}"}

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Status and document, on a connection of its own."""
        line = http.client.HTTPConnection(*self.place, timeout=PATIENCE_S)
        data = None if body is None else json.dumps(body)
        rest = {} if body is None else {"Content-Type": "application/json"}
        try:
            line.request(method, path, data, self._headers | rest)
            answer = line.getresponse()
            return answer.status, json.load(answer)
        finally:
            line.close()

    def kill(self) -> None:
        """Stop everything, and see that it has."""
        status, found = self.ask("POST", "/killswitch/trigger", {"reason": "a crowd"})
        assert status == 200 and found["latched"], found
        assert self.ask("GET", "/killswitch") == (200, found)

    def opened(self, words: bytes) -> socket.socket:
        """A connection on which that was said."""
        caller = socket.create_connection(self.place, timeout=PATIENCE_S)
        caller.sendall(words)
        return caller


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One for all."""
    folder = tmp_path_factory.mktemp("served") / "data"
    with started("serve", folder=folder) as (_, url):
        served = Served(url, (folder / "admin.token").read_text().strip())
        served.ask("POST", "/engine/start")
        wait_until(
            lambda: served.ask("GET", "/engine/status")[1]["state"] == "RUNNING", "an engine",
            timeout_s=PATIENCE_S,
        )  # fmt: skip
        yield served


@pytest.mark.parametrize("words", HALVES.values(), ids=HALVES.keys())
def test_the_kill_switch_gets_through_a_crowd_that_says_half(served: Served, words: bytes) -> None:
    crowd = [served.opened(words) for _ in range(CROWD)]
    try:
        served.kill()
    finally:
        for caller in crowd:
            caller.close()


def test_the_kill_switch_gets_through_a_crowd_that_comes_back(served: Served) -> None:
    """Whoever is sent away is there again at once."""
    is_over = threading.Event()

    def crowd(words: bytes) -> None:
        held: list[socket.socket] = []
        while not is_over.is_set():
            with suppress(OSError):
                held.append(served.opened(words))
            if len(held) > CROWD:
                held.pop(0).close()
        for caller in held:
            caller.close()

    kinds = ("half a head", "half a body")
    threads = [threading.Thread(target=crowd, args=(HALVES[kind],)) for kind in kinds]
    for thread in threads:
        thread.start()
    try:
        for _ in range(10):
            served.kill()
    finally:
        is_over.set()
        for thread in threads:
            thread.join(PATIENCE_S)


def test_whoever_takes_no_answer_makes_room(served: Served) -> None:
    """Answers that stay in the air are no reason to keep others out."""
    crowd = []
    for _ in range(CROWD):
        caller = socket.socket()
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        caller.connect(served.place)
        caller.sendall(ASKED * 100)
        crowd.append(caller)
    try:
        served.kill()
    finally:
        for caller in crowd:
            caller.close()
