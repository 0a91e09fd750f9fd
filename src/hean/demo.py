# SPDX-License-Identifier: Apache-2.0
"""`demo.py`: a first look without key, account or server. It trades on paper, on a generated market
in accelerated real time, with the same strategy, risk path and ledger as everything else, shows
what happens in the terminal, and ends with the report of a backtest.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

import msgspec

from hean.backtest.assumptions import Assumptions, LatencyModel
from hean.backtest.result import RunRecord
from hean.backtest.run import Backtest, BacktestSettings
from hean.core.parameters import Value
from hean.feeds.endless import EndlessMarket, GeneratedHistory
from hean.feeds.generated import GeneratedMarket

START_NS = 1_767_225_600_000_000_000  # 2026-01-01: a market of nowhere needs no real date
AHEAD_S = 0.002  # sleep only when further ahead than the scheduler can hit
SHOW_EVERY_S = 0.25
ENDLESS_NS = 366 * 86_400_000_000_000  # a session without an end still needs a chart's scale
LATENCY = LatencyModel("normal", (40_000_000.0, 10_000_000.0))

# A newcomer should see trades within seconds: short windows, small thresholds.
PARAMETERS: dict[str, Value] = {
    "horizon": 6,
    "window": 30,
    "threshold": 1.5,
    "volume_z": 0.0,
    "calm_max": 10.0,
    "atr": 20,
    "stop": 8.0,
    "target": 12.0,
    "hold": 240,
}


class DemoSettings(msgspec.Struct, frozen=True):
    """*duration_s*: wall clock, `None` until interrupted. *speed*: market seconds per second."""

    duration_s: float | None = None
    speed: float = 120.0
    seed: int = 7


class Demo:
    """A paper session. *show* is called a few times a second, for a live table."""

    def __init__(self, settings: DemoSettings, show: Callable[[Demo], None]) -> None:
        self.settings = settings
        self.show = show
        self.started_s = 0.0
        self._shown_s = 0.0
        self._is_stopping = False
        market = GeneratedMarket(seed=settings.seed, start_ns=START_NS)
        wall_s = settings.duration_s
        span_ns = ENDLESS_NS if wall_s is None else int(wall_s * settings.speed * 1e9)
        self.history = GeneratedHistory(market, span_ns)
        symbols = tuple(self.history.markets)
        run = BacktestSettings(
            "impulse",
            symbols,
            PARAMETERS,
            assumptions=Assumptions(entry=LATENCY, response=LATENCY),
            seed=settings.seed,
            bar="5s",
        )
        self.session = Backtest(run, self.history)
        self.session.source = EndlessMarket(self.session.venue, self.history, pace=self._pace)

    def run(self) -> tuple[dict[str, Any], RunRecord]:
        """Play until time is up or Ctrl-C. *Returns*: summary and record, as of a backtest."""
        before = signal.signal(signal.SIGINT, self._interrupted)
        self.started_s = time.monotonic()
        try:
            return self.session.run()
        finally:
            signal.signal(signal.SIGINT, before)

    def _interrupted(self, _signal: int, _frame: FrameType | None) -> None:
        """The first Ctrl-C ends the session cleanly, the second one at once."""
        if self._is_stopping:
            raise KeyboardInterrupt
        self._is_stopping = True

    def _pace(self, ts_ns: int) -> bool:
        """Wait until the wall clock reaches a market time; keep the table fresh meanwhile."""
        settings = self.settings
        due_s = (ts_ns - START_NS) / 1e9 / settings.speed
        if settings.duration_s is not None and due_s > settings.duration_s:
            return False
        while not self._is_stopping:
            now_s = time.monotonic() - self.started_s
            if now_s - self._shown_s >= SHOW_EVERY_S:
                self._shown_s = now_s
                self.show(self)
            if due_s - now_s < AHEAD_S:
                return True
            time.sleep(min(due_s - now_s, SHOW_EVERY_S))
        return False
