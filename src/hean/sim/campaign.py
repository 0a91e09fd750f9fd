# SPDX-License-Identifier: Apache-2.0
"""`campaign.py`: many seeds over all cores, added up. Each seed is run in a process that runs many,
one after the other; what comes back is small. An interrupt is the parent's alone: it ends the
others, whatever they are doing.
"""

from __future__ import annotations

import multiprocessing
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from hean.sim.coverage import empty_of, rows_of, wrong_of
from hean.sim.draws import draw
from hean.sim.interrupts import interrupts_held, never_interrupted
from hean.sim.run import Outcome, Trial

CHUNK = 4  # seeds handed to a worker at a time
WHOLE_SEEDS = 10_000  # after so many, what can meet has met


@dataclass(slots=True)
class Totals:
    """What came of many seeds."""

    seeds: int = 0
    steps: int = 0
    checks: int = 0
    lives: int = 0
    orders: int = 0
    fills: int = 0
    virtual_s: float = 0.0
    cpu_s: float = 0.0
    """Processor seconds of all workers."""
    broken: list[tuple[int, str, str]] = field(default_factory=list)
    """Seed, promise, what happened."""
    cells: Counter[tuple[str, str]] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)

    def add(self, outcome: Outcome) -> None:
        """One more."""
        self.seeds += 1
        self.steps += outcome.steps
        self.checks += outcome.checks
        self.lives += outcome.lives
        self.orders += outcome.orders
        self.fills += outcome.fills
        self.virtual_s += outcome.virtual_s
        self.cpu_s += outcome.cpu_s
        self.cells.update(outcome.coverage)
        self.kinds.update(outcome.kinds)
        if outcome.broken is not None:
            self.broken.append((outcome.seed, outcome.broken.name, outcome.broken.what))

    @property
    def steps_per_s(self) -> float:
        """Checked steps a second of one core."""
        return self.steps / self.cpu_s if self.cpu_s else 0.0

    def table(self) -> list[tuple[str, list[int]]]:
        """Fault kind by state of an order, how often they met."""
        return rows_of(self.cells)

    def empty(self) -> list[tuple[str, str]]:
        """Fault kinds and states that can meet and never did."""
        return empty_of(self.cells)

    def wrong(self) -> list[tuple[str, str]]:
        """Those that met although they are said to be unable to."""
        return wrong_of(self.cells)

    @property
    def is_covered(self) -> bool:
        """Whether so many seeds have met what there is to meet."""
        return not self.wrong() and (self.seeds < WHOLE_SEEDS or not self.empty())


def one(job: tuple[int, int]) -> Outcome:
    """Run a seed."""
    seed, steps = job
    return Trial(draw(seed, safety_steps=steps)).run()


def several(jobs: list[tuple[int, int]]) -> list[Outcome]:
    """Run seeds one after the other."""
    return list(map(one, jobs))


def campaign(
    seeds: Iterable[int],
    *,
    steps: int,
    jobs: int,
    on_done: Callable[[Totals], None] | None = None,
) -> Totals:
    """Run them all. *on_done*: told after each."""
    totals = Totals()
    for outcome in _outcomes([(seed, steps) for seed in seeds], jobs):
        totals.add(outcome)
        if on_done is not None:
            on_done(totals)
    return totals


def _outcomes(work: list[tuple[int, int]], jobs: int) -> Iterator[Outcome]:
    """*Raises*: `BrokenProcessPool` when a worker was killed: its seeds are not known then."""
    if jobs <= 1:
        with interrupts_held() as held:  # between two seeds as well
            for job in work:
                yield one(job)
                if held:
                    return
        return
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=spawn) as pool:
        try:
            with interrupts_held(), never_interrupted():
                begun = deque(
                    pool.submit(several, work[at : at + CHUNK]) for at in range(0, len(work), CHUNK)
                )
            while begun:
                yield from begun.popleft().result()
        except BaseException:  # reason: an interrupt, or a reader that has gone
            for worker in multiprocessing.active_children():
                worker.kill()
            raise
