# SPDX-License-Identifier: Apache-2.0
"""`findings.py`: what a check says, and the bench that all of them work on: the settings, the
staged market, and the play of it as it was recorded.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from enum import StrEnum
from pathlib import Path

import msgspec

from hean.backtest.run import BacktestSettings
from hean.evaluate.deception.plays import Guard, Play, Player, backtest, played
from hean.evaluate.deception.staging import Stage, Staged


class Verdict(StrEnum):
    """Of one check. A note is no fault, but should be known."""

    PASSES = "passes"
    FAILS = "fails"
    NOTE = "note"
    SKIPPED = "does not apply"


class Finding(msgspec.Struct, frozen=True):
    """What a check found: its name, what it asks, the verdict and the reason in words."""

    name: str
    asks: str
    verdict: Verdict
    reason: str


class Bench:
    """What checks share. *step_ns*: length of a bar. *folder*: for staged files. *on_play*: told
    after each play.
    """

    def __init__(
        self,
        settings: BacktestSettings,
        stage: Stage,
        folder: Path,
        *,
        step_ns: int,
        guard: Guard,
        on_play: Callable[[], None],
    ) -> None:
        self.settings = settings
        self.stage = stage
        self.step_ns = step_ns
        self._folder = folder
        self._guard = guard
        self._on_play = on_play
        self._count = 0
        self.whole = stage.cut(self.fresh(), stage.end_ns)
        self.base = self.play(self.whole)

    def fresh(self) -> Path:
        """A folder of its own for a staged market."""
        self._count += 1
        return self._folder / f"world_{self._count}"

    def play(
        self,
        staged: Staged,
        settings: BacktestSettings | None = None,
        *,
        around: AbstractContextManager[object] | None = None,
        player: Player = backtest,
    ) -> Play:
        """Play the strategy there. *around*: what else is different in that world."""
        result = played(
            settings or self.settings, staged, guard=self._guard, around=around, player=player
        )
        self._on_play()
        return result

    @property
    def looks_up(self) -> str:
        """In words, where the strategy opens the recording of the market by itself; or nothing."""
        for opened in self.base.opened:
            if opened.is_market:
                line = f", line {opened.line}" if opened.line else ""
                return f"it opens {opened.path.name} by itself{line}"
        return ""
