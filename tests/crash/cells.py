# SPDX-License-Identifier: Apache-2.0
"""The crash test as a whole: one twin, one account and one directory for each market HEAN trades,
all at the same time, because most of the time is waiting. The first market's process is killed
twenty times in a row while it recovers, before it ever trades.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from crash.crash_run import CrashRun
from crash.live_process import Place
from venue_contract.twin_process import TwinProcess

CELLS = (("bybit", "linear"), ("binance", "linear"), ("binance", "spot"), ("bybit", "spot"))
NESTED = 20
Progress = Callable[[str, int], None]
MEMORY = Path("/dev/shm")


@contextmanager
def short_folder() -> Iterator[Path]:
    """With a short name, as control sockets need, and in memory where there is a disk of it: a
    death by signal takes nothing from the system's cache, and a disk that others keep busy stops
    the trading, as it is to. What delivers the alarms of a process that was killed outlives it for
    a moment, and may write while the folder goes.
    """
    where = MEMORY if os.access(MEMORY, os.W_OK) else None
    with TemporaryDirectory(prefix="die", dir=where, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@dataclass
class Outcome:
    """What came of one market. *problems*: empty when nothing was lost or doubled."""

    name: str
    problems: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)


def crash_all(folder: Path, kills: int, seed: int, on_kill: Progress) -> list[Outcome]:
    """Kill so often in all, and compare. *folder*: empty, with a short name; *on_kill*: told the
    market and how often its process was killed.
    """
    each, rest = divmod(kills, len(CELLS))
    with ThreadPoolExecutor(len(CELLS)) as pool:
        return list(
            pool.map(
                lambda at: _crash(
                    folder, CELLS[at], each + (rest if at == 0 else 0), seed + at, on_kill
                ),
                range(len(CELLS)),
            )
        )


def _crash(
    folder: Path, cell: tuple[str, str], kills: int, seed: int, on_kill: Progress
) -> Outcome:
    exchange, market = cell
    outcome = Outcome(f"{exchange} {market}")
    here = folder / f"{exchange[:2]}{market[0]}"
    here.mkdir()
    with TwinProcess(exchange, here) as twin:
        given = {"every": "1", "binds": "true" if market == "spot" else "false"}
        run = CrashRun(Place(twin, market, here, given=given), seed)
        try:
            nested = min(NESTED, kills) if cell == CELLS[0] else 0
            run.nest(nested)
            run.kill(kills - nested, on_kill=partial(on_kill, outcome.name))
            outcome.problems = run.problems()
        except AssertionError as error:
            outcome.problems = [str(error)]
        finally:
            run.close()
        outcome.figures = run.figures.document(run.reading, run.place)
    return outcome


def total(outcomes: list[Outcome]) -> dict[str, Any]:
    """All figures in one, the worst of times."""
    found: dict[str, Any] = {}
    for outcome in outcomes:
        for name, value in outcome.figures.items():
            if isinstance(value, dict):
                kept = found.setdefault(name, {})
                for key, count in value.items():
                    kept[key] = kept.get(key, 0) + count
            elif name.endswith("_worst"):
                found[name] = max(found.get(name, 0.0), value)
            elif not name.endswith("_median"):
                found[name] = found.get(name, 0) + value
    return {**found, "problems": sum(len(outcome.problems) for outcome in outcomes)}
