# SPDX-License-Identifier: Apache-2.0
"""`hean live` as a process of its own at a twin, as a user starts it: a configuration file, keys in
the environment, a data directory. It is told to go on over its control socket, and can be killed at
any moment. Every start is a new process on the same directory. No watchdog is started beside it: it
would outlive the process, as it is meant to, and the test.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from hean.live.socket import ask
from venue_contract.twin_process import MAIN, Account, TwinProcess

HERE = Path(__file__).resolve().parent
SYMBOLS = ("BTCUSDT", "ETHUSDT")
STRATEGY = f"{HERE / 'mover.py'}:Mover"
OTHER_TIMES = (str(HERE / "other_times.py"),)
READY_S = 60.0  # shared machines stall
POLL_S = 0.02
SETTLE_S = 150.0  # a proof of absence takes 65 s, and machines stall
ASK_S = 60.0
STOPPED = "the kill switch at RUN"  # what the gate lacks then
PORTS = {"bybit": "BYBIT", "binance": "BINANCE"}


@dataclass(frozen=True)
class Place:
    """Where a process trades. *folder*: of its configuration and data; *given*: parameters of the
    strategy; *face*: where page and API are, if anywhere; *options*: more of the command line;
    *environment*: more variables; *program*: what Python is given to be the command.
    """

    twin: TwinProcess
    market: str
    folder: Path
    account: Account = MAIN
    strategy: str = STRATEGY
    given: Mapping[str, str] = field(default_factory=dict)
    face: tuple[str, ...] = ("--no-api",)
    options: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    program: tuple[str, ...] = ("-m", "hean")

    @property
    def data_dir(self) -> Path:
        """Of this market alone."""
        return self.folder / "data" / "live" / f"{self.twin.exchange}-{self.market}-testnet"

    @property
    def journal(self) -> Path:
        """The truth."""
        return self.data_dir / "journal.db"

    @property
    def control(self) -> Path:
        """The control socket."""
        return self.data_dir / "control.sock"

    def variables(self) -> dict[str, str]:
        """The environment of the process."""
        twin, prefix = self.twin, self.twin.exchange.upper()
        kept = {
            name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ
        }
        base = f"{prefix}_FUTURES" if (prefix, self.market) == ("BINANCE", "linear") else prefix
        public = f"{base}_WS_PUBLIC_URL" if prefix == "BYBIT" else f"{base}_WS_URL"
        return {
            **kept,
            f"{base}_REST_URL": twin.rest_url,
            public: twin.ws_base,
            f"{prefix}_API_KEY_FILE": str(self._secret("key", self.account.key)),
            f"{prefix}_API_SECRET_FILE": str(self._secret("secret", self.account.secret)),
            "LIVE_CONFIRM": "YES",
            "HEAN_DATA_DIR": str(self.folder / "data"),
            **self.environment,
        }

    def _secret(self, name: str, value: str) -> Path:
        path = self.folder / f"{self.account.name}.{name}"
        path.touch(0o600)
        path.write_text(value)
        return path

    @property
    def config(self) -> Path:
        """The configuration, once there was a command."""
        return self.folder / "hean.toml"

    def command(self) -> list[str]:
        """The command line; writes the configuration."""
        config = self.config
        is_told = (self.twin.exchange, self.market) != ("binance", "linear")
        account = "" if is_told else f'account_id = "{self.account.name}"\n'
        config.write_text(
            f'exchange = "{self.twin.exchange}"\nmarket = "{self.market}"\ntestnet = true\n'
            f"symbols = {json.dumps(SYMBOLS)}\ndry_run = false\nwaive_key_addresses = true\n"
            f'fraction = 0.004\n{account}[strategy]\nname = "{self.strategy}"\n'
        )
        command = [sys.executable, *self.program, "live", "--config", str(config), "--no-watchdog"]
        command += [*self.face, *self.options]
        for name, value in self.given.items():
            command += ["--param", f"{name}={value}"]
        return command


class LiveProcess:
    """One life. Use it as a context: what still runs at the end is killed."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.began_s, self.began_ns = time.monotonic(), time.time_ns()
        self.ready_s = 0.0
        """From its start until it could trade."""
        # A file each: of two at a time, the one would write over the other's words.
        handle, name = tempfile.mkstemp(".txt", "told-", place.folder)
        self.told = os.fdopen(handle, "w")
        self._told_in = Path(name)
        self._process = subprocess.Popen(
            place.command(),
            cwd=place.folder,
            env=place.variables(),
            stdin=subprocess.DEVNULL,
            stdout=self.told,
            stderr=self.told,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        """Id of the process."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    @property
    def is_crowded_out(self) -> bool:
        """Whether it gave up because so many starts have used the venue's limits up."""
        return not self.is_alive and "RateLimited" in self.words()

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        if self.is_alive:
            self._process.kill()
        self._process.wait()
        self.told.close()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def wait(self, timeout_s: float = READY_S) -> int:
        """Wait for the end. *Returns*: its exit code."""
        return self._process.wait(timeout_s)

    def stop(self, timeout_s: float = READY_S) -> int:
        """SIGTERM, and wait. *Returns*: its exit code."""
        self.signal(signal.SIGTERM)
        return self.wait(timeout_s)

    def ask(self, verb: str, **more: Any) -> dict[str, Any]:
        """Ask over the control socket. *Raises*: `OSError` while nobody answers."""
        return ask(self.place.control, {"verb": verb, **more}, timeout_s=ASK_S)

    def status(self) -> dict[str, Any]:
        """How it is; empty while nobody answers."""
        try:
            return self.ask("status")
        except OSError:
            return {}

    def beat(self) -> dict[str, Any]:
        """Be its watchdog, and see how it is; empty while nobody answers."""
        try:
            return self.ask("heartbeat")
        except OSError:
            return {}

    def until_ready(self, *, until_s: float | None = None) -> dict[str, Any]:
        """Wait until the account has been compared. *Returns*: its status then, empty when
        *until_s* of the monotonic clock or its end came first.
        """
        end_s = until_s if until_s is not None else time.monotonic() + READY_S
        while time.monotonic() < end_s and self.is_alive:
            found = self.status()
            if found.get("is_ready"):
                return found
            time.sleep(POLL_S)
        return {}

    def until_rest(self, end_s: float) -> None:
        """Wait until nothing is open and nothing is held, until *end_s* of the monotonic clock."""
        status: dict[str, Any] = {}
        while time.monotonic() < end_s:
            status = self.beat()
            held = status.get("positions", {"": "1"}).values()
            if not (status.get("open_orders", 1) or any(map(_is_held, held))):
                return
            time.sleep(10 * POLL_S)
        raise AssertionError(f"does not come to rest: {status} {self.words()}")

    def confirm(self) -> dict[str, Any]:
        """Type the phrase of this boot."""
        status = self.status()
        return self.ask("confirm", phrase=f"live {status['account']} testnet")

    def go(self) -> None:
        """Wait until it is ready and let it trade. *Raises*: `AssertionError` if it may not."""
        status = self.until_ready()
        assert status, f"not ready: {self.words()}"
        end_s = time.monotonic() + READY_S
        while time.monotonic() < end_s:
            answer = self.confirm()
            if not answer.get("missing", ["?"]):
                self.ready_s = time.monotonic() - self.began_s
                return
            if STOPPED in answer.get("missing", ()):
                break
            time.sleep(5 * POLL_S)
        raise AssertionError(f"it does not trade: {self.status()} {self.words()}")

    def words(self) -> str:
        """The end of what it told."""
        self.told.flush() if not self.told.closed else None
        return self._told_in.read_text()[-3_000:]


def _is_held(quantity: str) -> bool:
    return float(quantity) != 0.0
