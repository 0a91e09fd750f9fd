# SPDX-License-Identifier: Apache-2.0
"""Kills and restarts. A process trades at a twin and is killed by SIGKILL, at moments drawn from a
seed: while it loads, while it recovers, while it trades, and within a few milliseconds of a
decision of its strategy. Another one goes on in the same directory. At the end everything is
brought to rest and the two ledgers are compared.
"""

from __future__ import annotations

import os
import random
import select
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from crash.audit import Reading, hash_of, ledger_of, problems
from crash.live_process import SETTLE_S, SYMBOLS, LiveProcess, Place

LIFE_S = 1.0  # of trading, at most, before a kill
AIMED_S = 0.006  # after a decision: from judging to the venue's answer
RECOVERY_S = 0.25  # from the control socket to being ready
STARTS_MAX, ROOM_S = 6, 15.0  # tries, and the pause between: limits are by the minute
PAUSED = {"paused": "true"}
LIVELY = ("trading", "deciding")
SHARES = (("loading", 0.1), ("recovering", 0.2), ("trading", 0.35), ("deciding", 0.35))


@dataclass
class Figures:
    """What was seen. *kills*: by the moment; *ready_s*: from the start of the process;
    *settled*: lives without a kill; *crowded_out*: starts that the venue's limits had no room for.
    """

    kills: Counter[str] = field(default_factory=Counter)
    ready_s: list[float] = field(default_factory=list)
    settled: int = 0
    crowded_out: int = 0

    def document(self, reading: Reading, place: Place) -> dict[str, Any]:
        """As JSON has it."""
        rows, ledger = reading.rows, ledger_of(place)
        kinds = Counter(row["kind"] for row in ledger)
        return {
            "kills": sum(self.kills.values()),
            "kills_by_moment": dict(self.kills),
            "orders_created": kinds["new"],
            "orders_sent": sum(rows.sent.values()),
            "orders_amended": kinds["amended"],
            "amendments_sent": sum(rows.amends_sent.values()),
            "amendments_told": rows.changed,
            "fills": kinds["trade"],
            "orders_unknown": len(rows.unknown),
            "orders_absent": rows.absent,
            "orders_quarantined": rows.quarantined,
            "long_lives": self.settled,
            "starts_crowded_out": self.crowded_out,
            "journal_rows": rows.count,
            "hashes_compared": reading.books.hashes if reading.books else 0,
            "ready_s_worst": round(max(self.ready_s, default=0.0), 3),
            "ready_s_median": round(sorted(self.ready_s)[len(self.ready_s) // 2], 3)
            if self.ready_s
            else 0.0,
        }


class CrashRun:
    """One directory, one account, many deaths. *place*: where; *seed*: of all moments."""

    def __init__(self, place: Place, seed: int) -> None:
        self.figures = Figures()
        self._notice = place.folder / "notice"
        os.mkfifo(self._notice)
        self._pipe = os.open(self._notice, os.O_RDONLY | os.O_NONBLOCK)
        self.place = replace(place, given={**place.given, "notice": str(self._notice)})
        self.reading = Reading(self.place)
        self._rng = random.Random(seed)

    def kill(self, times: int, *, on_kill: Callable[[int], None] = lambda count: None) -> None:
        """Live and die so often."""
        names, weights = zip(*SHARES, strict=True)
        for count in range(times):
            moment = self._rng.choices(names, weights)[0]
            before = self.reading.unresolved()
            self.die(moment)
            self.reading.look()
            # What a life that was ready did not find takes a minute to be proven absent, and until
            # then nothing new is opened in its symbol.
            lasting = self.reading.unresolved().items() & before.items()
            if moment in LIVELY and {symbol for _, symbol in lasting} == set(SYMBOLS):
                self.resolve()
            on_kill(count + 1)

    def nest(self, times: int) -> None:
        """Die so often in a row while recovering from a death in the middle of trading."""
        if times:
            self.die("deciding")
        for _ in range(times - 1):
            self.die("recovering")
            self.reading.look()

    def die(self, moment: str) -> None:
        """One life."""
        first = {"first": str(self._rng.randrange(10))}
        place = replace(self.place, given={**self.place.given, **first})
        with ExitStack() as stack:
            match moment:
                case "loading":
                    process = stack.enter_context(LiveProcess(place))
                    time.sleep(self._rng.uniform(0.0, self._usual_s()))
                case "recovering":
                    process = stack.enter_context(LiveProcess(place))
                    self._until_door(process)
                    time.sleep(self._rng.uniform(0.0, RECOVERY_S))
                case "trading":
                    process = stack.enter_context(self._trading(place))
                    time.sleep(self._rng.uniform(0.0, LIFE_S))
                case _:
                    process = stack.enter_context(self._trading(place))
                    self._until_decision(process)
            assert process.is_alive or process.is_crowded_out, f"it ended: {process.words()}"
            process.kill()
        self.figures.kills[moment] += 1

    def resolve(self) -> None:
        """One life without a kill, until no order is unresolved."""
        self.figures.settled += 1
        paused = replace(self.place, given={**self.place.given, **PAUSED})
        end_s = time.monotonic() + SETTLE_S
        while time.monotonic() < end_s:
            with self._ready(paused) as process:
                process.until_rest(end_s)
                code = process.stop()
                assert code == 0, f"exit {code}: {process.words()}"
            self.reading.look()
            if not self.reading.unresolved():
                return
        raise AssertionError(f"not resolved in time: {self.reading.unresolved()}")

    def problems(self) -> list[str]:
        """Bring everything to rest, start twice without trading, and compare."""
        self.resolve()
        found = problems(self.place, self.reading)
        folded = {hash_of(self.place), hash_of(self.place)}
        quiet = [self._quiet_hash() for _ in range(2)]
        self.reading.look()
        assert self.reading.books is not None
        hashes = {*folded, *quiet, self.reading.books.hash()}
        if len(hashes) != 1:
            found.append(f"the state is not one: folded {folded}, quiet starts {quiet}")
        return found + [each for each in problems(self.place, self.reading) if each not in found]

    def close(self) -> None:
        """Let go of the pipe."""
        with suppress(OSError):
            os.close(self._pipe)

    # ------------------------------------------------------------ inside

    def _quiet_hash(self) -> str:
        """Of a life in which nothing happens."""
        paused = replace(self.place, given={**self.place.given, **PAUSED})
        with self._ready(paused) as process:
            status = process.status()
            code = process.stop()
            assert code == 0, f"exit {code}: {process.words()}"
        return str(status["state_hash"])

    @contextmanager
    def _ready(self, place: Place) -> Iterator[LiveProcess]:
        """A process that is ready. Many starts in a minute use the venue's limits up; the next one
        then gives up, as it should, and is started again.
        """
        for _ in range(STARTS_MAX):
            with LiveProcess(place) as process:
                if process.until_ready():
                    yield process
                    return
                assert process.is_crowded_out, f"not ready: {process.words()}"
                self.figures.crowded_out += 1
            time.sleep(ROOM_S)
        raise AssertionError("the venue's limits stay used up")

    @contextmanager
    def _trading(self, place: Place) -> Iterator[LiveProcess]:
        """One that trades."""
        with self._ready(place) as process:
            process.go()
            self.figures.ready_s.append(process.ready_s)
            yield process

    def _usual_s(self) -> float:
        known = sorted(self.figures.ready_s)
        return known[len(known) // 2] if known else 1.0

    def _until_door(self, process: LiveProcess) -> None:
        """Wait until this process has made its control socket: now it reads its journal."""
        end_s = time.monotonic() + 30
        while time.monotonic() < end_s and process.is_alive and not self._is_new(process):
            time.sleep(0.001)

    def _is_new(self, process: LiveProcess) -> bool:
        with suppress(FileNotFoundError):
            return self.place.control.stat().st_mtime >= process.began_ns / 1e9
        return False

    def _until_decision(self, process: LiveProcess) -> None:
        """Wait for a step of the strategy, and a moment more."""
        with suppress(BlockingIOError):
            while os.read(self._pipe, 65_536):
                pass
        for _ in range(self._rng.randint(1, 6)):
            select.select([self._pipe], [], [], 10.0)
            with suppress(BlockingIOError):
                os.read(self._pipe, 1)
        time.sleep(self._rng.uniform(0.0, AIMED_S))
