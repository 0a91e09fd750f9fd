# SPDX-License-Identifier: Apache-2.0
"""`people.py`: the person at the control socket, and the watchdog. Does what the scenario says, and
when trading has been stopped for a while and the engine says that all is explained, lets it go on,
as a person would who has looked. What was acknowledged is remembered: it must be durable by then.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from hean.risk.live_gate import phrase_of
from hean.sim.books import LEVELS
from hean.sim.engine import FOLDER

if TYPE_CHECKING:
    from hean.sim.run import Trial

LOOK_S = 2.0  # between two looks at the screen
WRONG = "release it"
REASON = "looked at it, all is explained"


class People:
    """The operator of one run."""

    def __init__(self, trial: Trial) -> None:
        self._trial = trial
        self.acknowledged = "RUN"
        """The highest level that was acknowledged since the last release."""
        self.releases = 0
        self._confirmed = 0
        self._slips = False  # every other time the phrase is wrong

    def begin(self) -> None:
        """Take up the shift."""
        world = self._trial.world
        for order in self._trial.scenario.orders:
            document = {"verb": order.verb, **order.arguments}
            world.later(order.at_s, partial(self._say_if_wild, document))
        world.later(LOOK_S, self._look)

    def _say_if_wild(self, document: dict[str, Any]) -> None:
        if not self._trial.is_calm:
            self._trial.coverage.met("order")
            self.say(document)

    def _look(self) -> None:
        """Let a new life trade, and one go on that was stopped."""
        engine = self._trial.engine
        if engine is not None and "system" in vars(engine):
            who = {"by": "the operator", "reason": REASON}
            if engine.epoch != self._confirmed:
                self._confirmed = engine.epoch
                self._trial.checks.confirmed.add(engine.epoch)
                phrase = phrase_of(engine.account_id, engine.safety.gate.role)
                self.say({"verb": "confirm", "phrase": phrase, **who})
            elif engine.is_ready and engine.system.engine.halt_level != "RUN":
                self._slips = not self._slips
                phrase = WRONG if self._slips else f"release {engine.account_id}"
                self._trial.checks.brakes.asked += not self._slips
                self.say({"verb": "release", "phrase": phrase, **who})
        if engine is not None:
            self.say({"verb": "heartbeat"})
        self._trial.world.later(LOOK_S, self._look)

    def say(self, document: dict[str, Any]) -> None:
        """One line to the control socket; its answer is heard if the process lives so long."""
        trial = self._trial
        engine, process = trial.engine, trial.process
        if engine is None or process is None or not process.is_alive:
            return

        async def ask() -> None:
            answer = msgspec.json.decode(
                await engine.commands.answer(msgspec.json.encode(document))
            )
            self._answered(document, answer)

        trial.world.loop.create_task(ask(), context=process.context)

    def _answered(self, document: dict[str, Any], answer: dict[str, Any]) -> None:
        checks = self._trial.checks
        if document["verb"] == "release":
            is_right = document["phrase"] != WRONG
            checks.brakes.answered(is_right, bool(answer.get("ok")))
        if not answer.get("ok"):
            return
        if document["verb"] == "kill":
            level = str(document["level"])
            filed = self._trial.disk.files.get(str(FOLDER / "kill.latch"), b"").decode()
            stricter = LEVELS[LEVELS.index(level) :]
            is_durable = checks.journal.level in stricter or any(each in filed for each in stricter)
            checks.require(
                "R-20", is_durable, lambda: f"{level} was acknowledged and is not on the disk"
            )
        elif document["verb"] == "release":
            self.releases += 1
