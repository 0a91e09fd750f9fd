# SPDX-License-Identifier: Apache-2.0
"""`hean serve --live` as a process of its own, as a user starts it beside a `hean live`: the same
configuration file, no key in its environment, spoken to over HTTP and its live stream.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self

from crash.live_process import Place
from hean.api.permissions import Role
from hean.api.tokens import Tokens
from venue_contract.twin_process import wait_until

READY_S = 60.0  # shared machines stall
WAIT_S = 120.0  # an account is read twice a minute
SECRETS = ("API_KEY", "API_SECRET", "LIVE_CONFIRM")
MARK = "API on http://127.0.0.1:"


class ServeProcess:
    """One life of it. Use it as a context: what still runs at the end is killed."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.data_dir = place.folder / "data"
        self.port = 0
        self.asked = 0
        self._told = place.folder / f"serve-{time.monotonic_ns()}.txt"
        given = place.variables()
        kept = {n: v for n, v in given.items() if not any(word in n for word in SECRETS)}
        self._process = subprocess.Popen(
            [
                sys.executable, *place.program, "serve", "--live", "--config", str(place.config),
                "--port", "0", "--data-dir", str(self.data_dir),
            ],
            cwd=place.folder,
            env=kept,
            stdin=subprocess.DEVNULL,
            stdout=self._told.open("w"),
            stderr=subprocess.STDOUT,
        )  # fmt: skip
        self.tokens: dict[Role, str] = {}

    def __enter__(self) -> Self:
        self.port = int(wait_until(self._address, "its address", timeout_s=READY_S))
        tokens = Tokens(self.data_dir)
        self.tokens = {role: tokens.create(role, role.word)[0] for role in Role}
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        """Id of the process."""
        return self._process.pid

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """Ctrl-C. *Returns*: its exit code."""
        self._process.send_signal(signal.SIGINT)
        return self._process.wait(READY_S)

    def words(self) -> str:
        """What it told."""
        return self._told.read_text()[-3_000:]

    # ------------------------------------------------------------ asking

    def ask(
        self, method: str, path: str, body: Any = None, *, role: Role = Role.ADMIN
    ) -> tuple[int, Any]:
        """Status and document of an answer."""
        self.asked += 1
        headers = {"Authorization": f"Bearer {self.tokens[role]}"}
        data = None if body is None else json.dumps(body)
        if data is not None:
            headers["Content-Type"] = "application/json"
        if (method, path) == ("POST", "/orders"):
            headers["Idempotency-Key"] = f"{self.pid}-{self.asked}"
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=READY_S)
        try:
            line.request(method, path, data, headers)
            answer = line.getresponse()
            content = answer.read()
        finally:
            line.close()
        is_json = "json" in (answer.headers.get("Content-Type") or "")
        return answer.status, json.loads(content) if is_json else content.decode()

    def got(self, path: str) -> Any:
        """The document at *path*."""
        status, document = self.ask("GET", path)
        assert status == 200, (path, status, document)
        return document

    def until(self, path: str, condition: Callable[[Any], Any], what: str) -> Any:
        """Ask until a condition holds. *Returns*: the document then."""

        def found() -> Any:
            status, document = self.ask("GET", path)
            return (document,) if status == 200 and condition(document) else None

        try:
            return wait_until(found, what, timeout_s=WAIT_S)[0]
        except AssertionError as error:
            last: Any = None
            with suppress(OSError):
                last = self.ask("GET", path)
            raise AssertionError(f"{error}; last: {last}; {self.words()}") from None

    def until_state(self, *states: str) -> dict[str, Any]:
        """Wait for a state of the engine."""
        found: dict[str, Any] = self.until(
            "/engine/status", lambda each: each["state"] in states, f"state {states}"
        )
        return found

    def _address(self) -> str:
        assert self._process.poll() is None, self.words()
        text = self._told.read_text()
        return (
            text.split(MARK)[1].split()[0].rstrip("/")
            if MARK in text and os.linesep in text
            else ""
        )
