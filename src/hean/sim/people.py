# SPDX-License-Identifier: Apache-2.0
"""`people.py`: the person at the control socket. Does what the scenario says, and when trading has
been stopped for a while and the engine says that all is explained, lets it go on, as a person would
who has looked. What was acknowledged is remembered: it must be durable by then.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from hean.sim.books import LEVELS

if TYPE_CHECKING:
    from hean.sim.run import Trial

LOOK_S = 20.0  # between two looks at the screen
REASON = "looked at it, all is explained"


class People:
    """The operator of one run."""

    def __init__(self, trial: Trial) -> None:
        self._trial = trial
        self.acknowledged = "RUN"
        """The highest level that was acknowledged since the last release."""
        self.releases = 0

    def begin(self) -> None:
        """Take up the shift."""
        world = self._trial.world
        for order in self._trial.scenario.orders:
            document = {"verb": order.verb, **order.arguments}
            world.later(order.at_s, partial(self._say_if_wild, document))
        world.later(LOOK_S, self._look)

    def _say_if_wild(self, document: dict[str, Any]) -> None:
        if not self._trial.is_calm:
            self.say(document)

    def _look(self) -> None:
        engine = self._trial.engine
        if engine is not None and engine.is_ready and engine.system.engine.halt_level != "RUN":
            self.say({"verb": "release", "reason": REASON})
        self._trial.world.later(LOOK_S, self._look)

    def say(self, document: dict[str, Any]) -> None:
        """One line to the control socket; its answer is heard if the process lives so long."""
        trial = self._trial
        engine, process = trial.engine, trial.process
        if engine is None or process is None or not process.is_alive:
            return

        async def ask() -> None:
            answer = msgspec.json.decode(await engine.command(msgspec.json.encode(document)))
            self._answered(document, answer)

        trial.world.loop.create_task(ask(), context=process.context)

    def _answered(self, document: dict[str, Any], answer: dict[str, Any]) -> None:
        checks = self._trial.checks
        if not answer.get("ok"):
            return
        if document["verb"] == "kill":
            level = str(document["level"])
            is_durable = LEVELS.index(checks.journal.level) >= LEVELS.index(level)
            checks.require(
                "R-20", is_durable, lambda: f"{level} was acknowledged and is not on the disk"
            )
        elif document["verb"] == "release":
            self.releases += 1
