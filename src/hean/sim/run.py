# SPDX-License-Identifier: Apache-2.0
"""`run.py`: one seed from its first step to its verdict. First the safety phase: anything may go
wrong, and the process dies and comes back as the scenario says. Then the liveness phase: nothing
goes wrong any more, and within a bounded time everything must be explained again. At the end the
books of the exchange, of the journal and of the engine are compared.
"""

from __future__ import annotations

import gc
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from hean.errors import HeanError, StateError
from hean.net.budget import Priority
from hean.sim.coverage import Coverage
from hean.sim.disk import DiskFaults, SimDisk
from hean.sim.ends import Ends
from hean.sim.engine import engine_of
from hean.sim.exchange import SimExchange
from hean.sim.interrupts import interrupts_held
from hean.sim.invariants import Broken, Checks
from hean.sim.manners import CONNECTS_S
from hean.sim.net import SimNet
from hean.sim.people import People
from hean.sim.process import Process
from hean.sim.scenario import PATHS, Scenario
from hean.sim.world import World
from hean.twin.faults.dials import DIALS
from hean.twin.faults.settings import read_setting

NS = 1_000_000_000
STEPS_MAX = 150_000  # a run that is not over by then does not end
LOOK_S = 0.93  # between two looks whether all is settled; not in step with the market: orders leave
# with it, and what leaves at this very moment has no answer yet
LIVENESS_S = 120.0  # RELIABILITY 4.4
SILENCE_S = 600.0  # more, where a ban made us silent for that long
LIMITED_S = 60.0  # more, where the venue's limit on questions was used up
SILENT = frozenset({"ip_banned", "maintenance", "key_refused", "rate_limited"})
RESTART_S = 5.0  # after a process that ended by itself: a supervisor does not hurry
EXITS_MAX = 40  # a process that ends by itself so often does not start any more


@dataclass(slots=True)
class Outcome:
    """What came of a seed. *broken*: the promise, `None` if all were kept."""

    seed: int
    broken: Broken | None
    steps: int
    virtual_s: float
    cpu_s: float
    trace: str
    checks: int
    lives: int
    orders: int
    fills: int
    exits: list[str]
    kinds: list[str]
    coverage: Counter[tuple[str, str]] = field(default_factory=Counter)


class Trial:
    """One run of a scenario."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.world = World(scenario.seed, shuffles=scenario.shuffles)
        self.exchange = SimExchange(
            self.world,
            scenario.venue,
            scenario.market,
            scenario.symbols,
            path=PATHS[scenario.path],
            limits_scale=scenario.limits_scale,
        )
        self.net = SimNet(self.world, self.exchange)
        self.disk = SimDisk(self.world)
        self.process: Process | None = None
        self.engine: Any | None = None
        self.lives = 0
        self.exits: list[str] = []
        self.is_calm = False
        self.checks = Checks(
            self.world,
            scenario,
            self.exchange,
            engine=lambda: self.engine,
            heard_s=lambda: self.net.book_s,
        )
        self.coverage = Coverage(self)
        self.people = People(self)
        self.ends = Ends(self)
        self.calm_s = 0.0
        """Since when nothing goes wrong and a process is there."""
        self._has_waited = self._was_limited = False
        self._exits_in_calm = 0
        self._settled = 0
        self._is_over = False
        self.net.on_fault = self.disk.on_fault = self.coverage.met
        self.net.on_leaving = self.checks.on_leaving
        self.net.on_connect = self.checks.manners.connects
        self.net.on_answer = self.checks.manners.answered
        self.net.on_heard = self.checks.manners.heard
        self.disk.on_commit = self.checks.on_commit
        self.exchange.on_price = self.checks.on_price
        self.world.on_error = lambda what: self.checks.fail("I-20", what)
        self.world.loop.after_step = self._after_step

    # ------------------------------------------------------------ the run

    def run(self) -> Outcome:
        """Play it. *Returns*: the verdict. An interrupt comes between two steps."""
        began_s = time.process_time()
        with _undisturbed(), interrupts_held(self.world.loop.stop):
            try:
                try:
                    self._begin()
                    self.world.loop.run_forever()
                except StateError as error:
                    self.checks.fail("I-21", str(error))
                return self._outcome(time.process_time() - began_s)
            finally:
                self._end()

    def _end(self) -> None:
        """Also of a run that was interrupted: nothing of it is left to be cleaned up later."""
        if self.process is not None:
            self.process.kill()
        self.process = self.engine = None
        self.world.close()

    def _begin(self) -> None:
        self.exchange.start()
        self.world.later(self.scenario.begins_s, self._go_wrong)
        for at_s, off_s in self.scenario.skews:
            self.world.later(at_s, partial(self._skew, off_s))
        self.people.begin()
        self._live()

    def _go_wrong(self) -> None:
        """From now on network, disk and venue fail as the scenario says."""
        if self.is_calm:
            return
        self.net.faults = self.scenario.net
        self.disk.faults = self.scenario.disk
        for document in self.scenario.dials:
            setting, problems = read_setting(document, DIALS, "scenario")
            if setting is None:
                raise StateError("; ".join(map(str, problems)))
            self.exchange.set(setting)

    def _skew(self, off_s: float) -> None:
        if not self.is_calm:
            self.world.skew_ns = int(off_s * NS)
            self.coverage.met("clock")

    def _outcome(self, cpu_s: float) -> Outcome:
        venue = self.checks.venue
        return Outcome(
            self.scenario.seed,
            self.checks.broken,
            self.world.loop.steps,
            self.world.now_s(),
            cpu_s,
            self.world.trace(),
            self.checks.checked,
            self.lives,
            len(venue.orders),
            len(venue.executions),
            self.exits,
            self.scenario.kinds(),
            self.coverage.cells,
        )

    def _after_step(self, owner: Process | None) -> None:
        world = self.world
        world.note_step(owner)
        if owner is not None:
            owner.step()
            self.checks.after_step()
        steps = world.loop.steps
        if self.checks.broken is not None or self._is_over:
            world.loop.stop()
        elif not self.is_calm and steps >= self.scenario.safety_steps:
            self._calm_down()
        elif steps >= STEPS_MAX:
            self.checks.fail("I-21", f"not over after {STEPS_MAX} steps")

    # ------------------------------------------------------------ lives

    def _live(self) -> None:
        """Begin a life of the process."""
        self.lives += 1
        process = Process(self.world, self.lives, self._exited)
        process.on_death.append(self._died)
        if not self.is_calm:
            for kill in self.scenario.kills:
                if kill.life == self.lives:
                    name = "die_at_touch" if kill.is_touch else "die_at_step"
                    setattr(process, name, kill.at)
        self.process = process
        process.run(self._main(process))

    async def _main(self, process: Process) -> None:
        engine, main = engine_of(self, process)
        self.engine = engine
        await main()

    def _died(self) -> None:
        """Killed, or ended; it comes back."""
        self.coverage.met("death")
        self.engine = None
        self.checks.brakes.died()
        down_s = RESTART_S
        for kill in self.scenario.kills:
            if kill.life == self.lives and not self.is_calm:
                down_s = kill.down_s
        if not self._is_over:
            self.world.later(down_s, self._live)

    def _exited(self, why: str) -> None:
        """It ended by itself: while things go wrong it may, as often as its start meets one."""
        self.exits.append(why or "stopped")
        self._exits_in_calm += self.is_calm
        if self._exits_in_calm > EXITS_MAX:
            self.checks.fail("I-21", f"ended by itself {EXITS_MAX} times, at last: {why}")

    # ------------------------------------------------------------ liveness

    def _calm_down(self) -> None:
        """From now on nothing goes wrong."""
        self.is_calm = True
        self.exchange.faults.calm()
        self.net.calm()
        self.disk.faults = DiskFaults()
        self.world.skew_ns = 0
        if self.process is not None:
            self.process.die_at_step = self.process.die_at_touch = 0
        self.calm_s = self.checks.brakes.calm_s = self.world.now_s()
        self.world.later(LOOK_S, self._look)

    def _silence_s(self) -> float:
        """How much longer the venue's wishes and our own manners may keep us from acting."""
        if SILENT.intersection(self.scenario.kinds()):
            return SILENCE_S
        if self._has_waited:
            return CONNECTS_S
        return LIMITED_S if self._was_limited else 0.0

    def _is_limited(self) -> bool:
        """Whether earlier lives have used up what the venue lets us ask in a minute."""
        engine = self.engine
        if engine is None or not engine.is_ready:
            return False
        gateway = engine.gateway
        left = gateway._budget.headroom_fraction(gateway.questions.ticks_ns())
        return bool(left * 100 <= 100 - Priority.QUERY)

    def _look(self) -> None:
        """Is everything explained?"""
        if self.process is None or not self.process.is_alive:
            self.calm_s = self.world.now_s()  # it is not there yet
        elif self.checks.manners.must_wait(self.process):
            self._has_waited = True
        self._was_limited = self._was_limited or self._is_limited()
        reasons = self.ends.unsettled()
        self._settled = 0 if reasons else self._settled + 1
        allowed_s = LIVENESS_S + self._silence_s()
        if self._settled >= 2:
            try:
                self.ends.check()
            except HeanError as error:
                self.checks.fail("I-10", str(error))
            self._is_over = True
        elif self.world.now_s() - self.calm_s > allowed_s:
            self.checks.fail("I-21", f"not settled after {allowed_s:g} s: {'; '.join(reasons)}")
        else:
            self.world.later(LOOK_S, self._look)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Without the garbage collector: when it runs is no part of a seed."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
