# SPDX-License-Identifier: Apache-2.0
"""`alert_line.py`: the engine's end of the line to the process that delivers alerts. Telling one is
a write to a pipe that never waits; a full pipe keeps a few alerts here and drops the oldest, a dead
process is begun anew after a while. Once a second it says that the engine's loop turns. Paper,
live, demo and serve use it alike: whoever composes them lets it listen on the bus.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import msgspec

from hean.observe.alert_post import BEAT, BYE, Job
from hean.observe.alert_rules import Alert
from hean.observe.alert_ways import Pace, Way
from hean.observe.lookout import Lookout, Telling

BEAT_S = 1.0
RESTART_S = 30.0
BACKLOG_MAX = 200
END_S = 8.0  # more than the other process gives itself
LINE_BYTES_MAX = 4_096  # a pipe takes so much whole or not at all


class AlertLine:
    """*folder*: data directory; *who*: the engine in words, such as `paper bybit linear`; *hidden*:
    variables that the other process does not get, for they may hold a key of the exchange; *now*:
    UTC nanoseconds; *ticks*: steady seconds. `start` and `stop` belong around the engine's life.
    """

    def __init__(
        self,
        folder: Path,
        who: str,
        ways: Iterable[Way] = (),
        pace: Pace | None = None,
        *,
        now: Callable[[], int],
        ticks: Callable[[], float],
        hidden: Iterable[str] = (),
    ) -> None:
        self.lost = 0
        """Alerts that found neither the other process nor room here."""
        self.lookout = Lookout(self.tell, ticks)
        self._job = Job(str(folder), secrets.token_hex(8), who, list(ways), pace or Pace())
        self._now = now
        self._ticks = ticks
        self._hidden = frozenset(hidden)
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe = -1
        self._began_s = -RESTART_S
        self._backlog: deque[bytes] = deque()
        self._beating: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin the other process, and to beat. That it cannot be begun stops nothing."""
        await self._begin()
        self._beating = asyncio.get_running_loop().create_task(self._beat())

    async def stop(self) -> None:
        """Say farewell, and wait a few seconds until what is left was sent."""
        if self._beating is not None:
            self._beating.cancel()
            self._beating = None
        self._flush()
        self._write(BYE)
        self._hang_up()
        process, self._process = self._process, None
        if process is None:
            return
        end_s = self._ticks() + END_S
        while process.poll() is None and self._ticks() < end_s:
            await asyncio.sleep(0.02)
        if process.poll() is None:
            process.kill()
        process.wait()

    def listen(self, bus: Telling) -> None:
        """Tell what follows from the facts of a bus, from now on."""
        self.lookout.listen(bus)

    def say(self, rule: str, text: str) -> None:
        """Tell what no bus knows. *rule*: of `RULES`."""
        self.tell(Alert.of(rule, text, self._now()))

    def tell(self, alert: Alert) -> None:
        """Hand an alert over, at once and without waiting."""
        line = msgspec.json.encode(alert)
        if len(line) >= LINE_BYTES_MAX:  # of signs that JSON writes long
            line = msgspec.json.encode(msgspec.structs.replace(alert, text=ascii(alert.text)[:500]))
        self._backlog.append(line)
        if len(self._backlog) > BACKLOG_MAX:
            self._backlog.popleft()
            self.lost += 1
        self._flush()

    # ------------------------------------------------------------ inside

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            self.lookout.look()
            self._flush()
            self._write(BEAT)
            is_gone = self._process is None or self._process.poll() is not None
            if is_gone and self._ticks() - self._began_s >= RESTART_S:
                self._hang_up()
                await self._begin()

    async def _begin(self) -> None:
        self._began_s = self._ticks()
        with suppress(OSError):
            self._process = await asyncio.to_thread(self._spawn)
            assert self._process.stdin is not None
            self._pipe = self._process.stdin.fileno()
            os.set_blocking(self._pipe, False)
            self._write(msgspec.json.encode(self._job))
            self._flush()

    def _spawn(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "hean.observe.alert_post"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={name: value for name, value in os.environ.items() if name not in self._hidden},
            start_new_session=True,
        )

    def _flush(self) -> None:
        while self._backlog and self._write(self._backlog[0]):
            self._backlog.popleft()

    def _write(self, line: bytes) -> bool:
        """Whether the pipe took it."""
        if self._pipe < 0:
            return False
        try:
            os.write(self._pipe, line + b"\n")
        except OSError:  # full, or nobody is there; the next beat looks again
            return False
        return True

    def _hang_up(self) -> None:
        self._pipe = -1
        if self._process is not None and self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.close()
