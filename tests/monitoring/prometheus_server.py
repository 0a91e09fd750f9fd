# SPDX-License-Identifier: Apache-2.0
"""A real Prometheus and a real Alertmanager of one test, on free ports. Where they are not
installed the test is skipped and says which package brings them.
"""

from __future__ import annotations

import shutil
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Self

import pytest

from free_port import free_port

READY_S = 120.0


def program(name: str, package: str) -> str:
    """Where a program is."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"no {name}; apt-get install {package} brings it")
    return found


class Server:
    """A process that says on `/-/ready` when it is. Use it as a context."""

    def __init__(self, folder: Path, words: list[str], port: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.url = f"http://127.0.0.1:{port}"
        self._log = folder / "log.txt"
        self._words = words
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(self._words, stdout=log, stderr=log)
        deadline = time.monotonic() + READY_S
        while not self._is_ready():
            assert self._process.poll() is None, self._log.read_text()[-2_000:]
            assert time.monotonic() < deadline, self._log.read_text()[-2_000:]
            time.sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=READY_S) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


def prometheus(config: Path, folder: Path) -> Server:
    """Prometheus with a configuration."""
    port = free_port()
    words = [
        program("prometheus", "prometheus"), f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{port}",
    ]  # fmt: skip
    return Server(folder, words, port)


def alertmanager(config: Path, folder: Path) -> Server:
    """Alertmanager with a configuration, alone."""
    port = free_port()
    words = [
        program("prometheus-alertmanager", "prometheus-alertmanager"), f"--config.file={config}",
        f"--storage.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]  # fmt: skip
    return Server(folder, words, port)


def redis_exporter(redis_url: str, folder: Path) -> Server:
    """What tells Prometheus of a server that speaks Redis, KeyDB and Valkey too."""
    port = free_port()
    words = [
        program("prometheus-redis-exporter", "prometheus-redis-exporter"),
        f"-redis.addr={redis_url}", f"-web.listen-address=127.0.0.1:{port}",
    ]  # fmt: skip
    return Server(folder, words, port)
