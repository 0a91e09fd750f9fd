# SPDX-License-Identifier: Apache-2.0
"""A twin in a process of its own, as a user starts it: the real command, read by its JSON line,
stopped hard at the end. `control` speaks to its back door.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import select
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

READY_S = 120.0  # two cores shared by everybody
STOP_S = 30.0
WAIT_S = 60.0
POLL_S = 0.02


@dataclass(frozen=True)
class Account:
    """A key of the twin. *name*: of the account."""

    name: str
    key: str
    secret: str = field(repr=False)


MAIN = Account("main", "contractmainkey0001", "contractmainsecret000000000000001")
SECOND = Account("second", "contractsecondkey01", "contractsecondsecret0000000000002")
READONLY = Account("main", "contractreadkey0001", "contractreadsecret000000000000003")


class Hasty(random.Random):
    """Chance for whoever pauses before it connects again: a tenth of the longest pause."""

    def uniform(self, a: float, b: float) -> float:
        """Near the lower end."""
        return a + (b - a) / 10


class ControlError(AssertionError):
    """The control port refused. *document*: its answer."""

    def __init__(self, status: int, document: dict[str, Any]) -> None:
        super().__init__(f"{status}: {document}")
        self.status = status
        self.document = document


class Control:
    """The control port of a twin."""

    def __init__(self, port: int) -> None:
        self.port = port

    def get(self, path: str) -> dict[str, Any]:
        """`control.get("state")`."""
        return self._ask("GET", path, None)

    def post(self, path: str, **body: Any) -> dict[str, Any]:
        """`control.post("fault", dial="timeout_lost", count=1)`. *Raises*: `ControlError`."""
        return self._ask("POST", path, body)

    def fault(self, dial: str, **more: Any) -> int:
        """Set a dial. *Returns*: its number."""
        return int(self.post("fault", dial=dial, **more)["id"])

    def manual(self, action: str, **more: Any) -> dict[str, Any]:
        """Act by hand."""
        return self.post("manual", action=action, **more)

    def account(self, name: str = "main") -> dict[str, Any]:
        """An account as it is."""
        accounts = self.get("state")["accounts"]
        return next(account for account in accounts if account["name"] == name)

    def market(self, symbol: str, market: str = "linear") -> dict[str, Any]:
        """A market as it is."""
        markets = self.get("state")["markets"]
        return next(m for m in markets if (m["market"], m["symbol"]) == (market, symbol))

    def ledger(self, since: int = 0, limit: int = 100_000) -> list[dict[str, Any]]:
        """What really happened after a sequence number."""
        return list(self.get(f"ledger?since={since}&limit={limit}")["records"])

    def seq(self) -> int:
        """Number of the last record."""
        return int(self.get("ledger?limit=0")["seq"])

    def _ask(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=READY_S)
        try:
            data = None if body is None else json.dumps(body, default=str)
            line.request(method, f"/{path}", data, {"Content-Type": "application/json"})
            answer = line.getresponse()
            document = json.loads(answer.read())
        finally:
            line.close()
        if answer.status >= 400:
            raise ControlError(answer.status, document)
        return dict(document)


class TwinProcess:
    """`hean twin` as a process. Addresses: `port`, `rest_url`, `ws_urls` (by name), `ws_base`.
    Accounts: `main`, `second`, `readonly`. Use it as a context.
    """

    main = MAIN
    second = SECOND
    readonly = READONLY

    def __init__(self, exchange: str, folder: Path, *options: object) -> None:
        self.exchange = exchange
        self.folder = folder
        self.options = [str(option) for option in options]
        self.port = 0
        self.control_port = 0
        self.rest_url = ""
        self.ws_base = ""
        self.ws_urls: dict[str, str] = {}
        self.symbols: list[str] = []
        self.ledger_file = folder / "ledger.jsonl"
        self.control = Control(0)
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "hean", "twin", "--exchange", self.exchange]
        command += ["--generate", "--seed", "7", "--limits-scale", "20", "--json", "-"]
        command += ["--ledger", str(self.ledger_file), "--data-dir", str(self.folder)]
        command += ["--key", MAIN.key, "--key2", SECOND.key, "--readonly-key", READONLY.key]
        secrets = {
            "HEAN_TWIN_SECRET": MAIN.secret,
            "HEAN_TWIN_SECRET2": SECOND.secret,
            "HEAN_TWIN_READONLY_SECRET": READONLY.secret,
        }
        self._process = subprocess.Popen(
            [*command, *self.options],
            env={**os.environ, **secrets},
            stdout=subprocess.PIPE,
            stderr=(self.folder / "stderr.txt").open("w"),
            text=True,
        )
        document = json.loads(self._first_line())
        self.port, self.control_port = document["port"], document["control_port"]
        self.rest_url, self.ws_urls = document["rest_url"], document["ws_urls"]
        self.ws_base = f"ws://127.0.0.1:{self.port}"
        self.symbols = document["symbols"]
        self.control = Control(self.control_port)
        return self

    def __exit__(self, *_: object) -> None:
        process = self._process
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    @property
    def pid(self) -> int:
        """Id of the process."""
        assert self._process is not None
        return self._process.pid

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
        self.__exit__()
        told = (self.folder / "stderr.txt").read_text()
        raise AssertionError(f"the {self.exchange} twin did not start: {told}")


def wait_until(condition: Callable[[], Any], what: str, *, timeout_s: float = WAIT_S) -> Any:
    """Wait for a condition. *Returns*: its first true value."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(POLL_S)
    raise AssertionError(f"waited {timeout_s:g} s in vain: {what}")
