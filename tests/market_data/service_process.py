# SPDX-License-Identifier: Apache-2.0
"""The market-data service as a process, as a user starts it: the real binary, told where a twin is,
read by its JSON line, stopped at the end.
"""

from __future__ import annotations

import http.client
import json
import os
import select
import shutil
import signal
import subprocess
import time
from functools import cache
from pathlib import Path
from typing import Any, Self

import pytest

from venue_contract.twin_process import TwinProcess, wait_until

ROOT = Path(__file__).resolve().parents[2]
READY_S = 60.0  # two cores shared by everybody
STOP_S = 60.0
BUILD_S = 900.0


@cache
def binary() -> Path:
    """The service, built if need be; nothing is done when it is fresh."""
    cargo = shutil.which("cargo")
    if cargo is None:
        pytest.skip("no cargo to build the market-data service with")
    subprocess.run(
        [cargo, "build", "-q", "--locked", "-p", "market-data-service"],
        cwd=ROOT,
        check=True,
        timeout=BUILD_S,
    )
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return target / "debug" / "market-data-service"


def addresses(twin: TwinProcess) -> dict[str, str]:
    """Where a twin is, in the variables of the service."""
    names = ("BYBIT_REST_URL", "BINANCE_REST_URL", "BINANCE_FUTURES_REST_URL")
    streams = ("BYBIT_WS_PUBLIC_URL", "BINANCE_WS_URL", "BINANCE_FUTURES_WS_URL")
    return {**dict.fromkeys(names, twin.rest_url), **dict.fromkeys(streams, twin.ws_base)}


class Service:
    """One life of it. *variables*: beside what the environment has. Use it as a context."""

    def __init__(self, folder: Path, *options: str, **variables: str) -> None:
        self.port = 0
        self.options = options
        self._told = folder / f"service-{time.monotonic_ns()}.txt"
        own = {"MARKET_DATA_LISTEN": "127.0.0.1:0", "RUST_LOG": "debug"}
        kept = {name: value for name, value in os.environ.items() if name != "REDIS_URL"}
        self._variables = {**kept, **own, **variables}
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [str(binary()), *self.options],
            env=self._variables,
            stdout=subprocess.PIPE,
            stderr=self._told.open("w"),
            text=True,
        )
        address = json.loads(self._first_line())["address"]
        self.port = int(address.rsplit(":", 1)[1])
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def _first_line(self) -> str:
        process = self._process
        assert process is not None
        assert process.stdout is not None
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline and process.poll() is None:
            if select.select([process.stdout], [], [], 0.1)[0]:
                line = process.stdout.readline()
                if line:
                    return line
        raise AssertionError(f"the service did not start: {self.log()[-4_000:]}")

    @property
    def stream(self) -> str:
        """Address of its stream."""
        return f"ws://127.0.0.1:{self.port}/ws"

    @property
    def pid(self) -> int:
        """Id of the process."""
        assert self._process is not None
        return self._process.pid

    def stop(self) -> int:
        """As a container is stopped. *Returns*: its exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(STOP_S)

    def log(self) -> str:
        """What it said."""
        return self._told.read_text()

    def get(self, path: str) -> tuple[int, Any]:
        """Status and document, or text, of an answer."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=READY_S)
        try:
            line.request("GET", path)
            answer = line.getresponse()
            body = answer.read()
        finally:
            line.close()
        is_json = "json" in (answer.headers.get("Content-Type") or "")
        return answer.status, json.loads(body) if is_json else body.decode()

    def told(self, path: str) -> Any:
        """The document of an answer that has to be one."""
        status, document = self.get(path)
        assert status == 200, (path, status, document)
        return document

    def metric(self, name: str) -> float:
        """A sample of `/metrics` by its name with labels."""
        for line in self.told("/metrics").splitlines():
            if line.startswith(f"{name} "):
                return float(line.rsplit(" ", 1)[1])
        raise AssertionError(f"no sample {name}")

    def until_ready(self) -> Self:
        """Wait until every book is whole."""
        try:
            wait_until(lambda: self.get("/health/ready")[0] == 200, "books", timeout_s=READY_S)
        except AssertionError as error:
            raise AssertionError(f"{error}; {self.log()[-4_000:]}") from None
        return self
