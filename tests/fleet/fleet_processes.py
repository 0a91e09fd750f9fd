# SPDX-License-Identifier: Apache-2.0
"""Processes of a deployment table, and what they are compared with: the same recorded session in a
single process, decision by decision. A life is a fork of a process that has loaded everything: what
is tested is what a killed process lost, not how long Python loads.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sqlite3
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[2]
STRATEGY = f"{ROOT / 'tests' / 'paper_strategies.py'}:Steady"
IN_TIME_S = 300.0  # shared machines stall
DECISIONS = ("SIGNAL", "ORDER_REQUEST", "ORDER_APPROVED", "ORDER_REJECTED", "ORDER_PLACED",
             "ORDER_FILLED", "ORDER_CANCELLED")  # fmt: skip


FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    [
        "hean.__main__",
        "hean.cli",
        "hean.cli_run",
        "hean.transports.redis",
        "hean.transports.kafka",
        "numpy.ma",
        "pydantic",
    ]
)


def live(words: Sequence[str], folder: Path, environment: Mapping[str, str], told: Path) -> None:
    """Be one `hean` with these words."""
    from hean.__main__ import main

    os.chdir(folder)
    os.environ.update(environment)
    with told.open("ab") as line:
        os.dup2(line.fileno(), 1)
        os.dup2(line.fileno(), 2)
    sys.argv = ["hean", *words]
    main()


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for it."""
    deadline = time.monotonic() + IN_TIME_S
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come"
        time.sleep(0.01)


def decisions(journal: Path, kinds: Sequence[str] = DECISIONS) -> list[tuple[str, int, bytes]]:
    """Everything that was decided and that followed: kind, moment, payload."""
    marks = ",".join("?" * len(kinds))
    with sqlite3.connect(journal, timeout=60) as line:
        rows = line.execute(
            f"SELECT kind, ts_ns, payload FROM record WHERE kind IN ({marks}) ORDER BY seq",
            tuple(kinds),
        ).fetchall()
    return rows


def inputs(journal: Path) -> int:
    """How many messages took effect so far."""
    if not journal.exists():
        return 0
    try:
        with sqlite3.connect(f"file:{journal}?mode=ro", uri=True) as line:
            (found,) = line.execute("SELECT count(*) FROM record WHERE kind='INPUT'").fetchone()
            return int(found)
    except sqlite3.Error:  # it is being made
        return 0


class Fleet:
    """The processes of a table on a recorded session: feed and trading, and others if *words* are
    given for them; without a *tape* the feed is live. *environment*: where the broker is.
    *common*: words that all are told; *own*: variables of one of them.
    """

    def __init__(
        self, folder: Path, table: Path, environment: Mapping[str, str], tape: Path | None,
        *, speed: float = 0.0, strategy: str = STRATEGY, others: Sequence[str] = (),
        common: Sequence[str] = ("--symbols", "BTCUSDT"),
        own: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:  # fmt: skip
        self.folder = folder
        self.journal = folder / "data" / "execution.journal"
        self._table, self.environment = table, environment
        self._common, self._own = common, own or {}
        self._words = {
            **{name: ["--data-dir", str(folder / "data")] for name in others},
            "ingestion": ["--play", str(tape), "--speed", str(speed)] if tape else [],
            "execution": ["--strategy", strategy, "--data-dir", str(folder / "data"),
                          "--json", str(folder / "result.json")],
        }  # fmt: skip
        self.alive: dict[str, ForkServerProcess] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self.alive):
            self.kill(name)

    def start(self, name: str) -> None:
        """One life of a process."""
        words = [
            "run", "--deploy", str(self._table), "--process", name, "--port", "0",
            *self._common, *self._words[name],
        ]  # fmt: skip
        environment = {**self.environment, **self._own.get(name, {})}
        life = words, self.folder, environment, self.folder / f"{name}.txt"
        self.alive[name] = FORKS.Process(target=live, args=life)
        self.alive[name].start()

    def kill(self, name: str) -> None:
        """As `kill -9`."""
        process = self.alive.pop(name)
        process.kill()
        process.join()

    def told(self, name: str) -> str:
        """What a process said; nothing before it is there."""
        path = self.folder / f"{name}.txt"
        return path.read_text() if path.exists() else ""

    def result(self) -> dict[str, Any]:
        """The summary, once both have ended well."""
        until(lambda: all(it.exitcode is not None for it in self.alive.values()), "the end")
        codes = {name: it.exitcode for name, it in self.alive.items()}
        assert codes == dict.fromkeys(codes, 0), [self.told(name) for name in codes]
        found: dict[str, Any] = json.loads((self.folder / "result.json").read_text())
        return found
