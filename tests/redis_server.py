# SPDX-License-Identifier: Apache-2.0
"""A real Redis of one test: started on a free port, killed, started again, flushed. Where no
server is installed the test is skipped and says which package brings it.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Self

import pytest

from free_port import free_port

SERVERS = ("redis-server", "valkey-server", "keydb-server")
READY_S = 60.0


def server_or_skip() -> str:
    """A Redis-like server of this machine."""
    for name in SERVERS:
        if found := shutil.which(name):
            return found
    pytest.skip(f"no {' or '.join(SERVERS)}; apt-get install redis-server brings one")


class RedisServer:
    """Use it as a context. With *keeps*, every write is on its disk before it is answered."""

    def __init__(self, folder: Path, *, keeps: bool = False) -> None:
        self._program = server_or_skip()
        self._folder = folder
        self._keeps = keeps
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Begin, and wait until it answers."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._process = subprocess.Popen(
            [
                self._program, "--port", str(self.port), "--dir", str(self._folder), "--save", "",
                "--appendonly", "yes" if self._keeps else "no", "--appendfsync", "always",
            ],
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline:
            try:
                if self.say("PING").startswith(b"+PONG"):
                    return
            except OSError:
                pass
            time.sleep(0.02)
        raise AssertionError("the server does not answer")

    def kill(self) -> None:
        """As `kill -9`: what is not on its disk is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def say(self, *words: str) -> bytes:
        """One command. *Returns*: the raw answer."""
        parts = "".join(f"${len(word)}\r\n{word}\r\n" for word in words)
        with socket.create_connection(("127.0.0.1", self.port), timeout=READY_S) as line:
            line.sendall(f"*{len(words)}\r\n{parts}".encode())
            return line.recv(65_536)
