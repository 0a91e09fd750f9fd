# SPDX-License-Identifier: Apache-2.0
"""A made market with an edge, and a small population to find it."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from hean.backtest.assumptions import Assumptions
from hean.backtest.run import BacktestSettings
from hean.evaluate.evolving import Plan
from hean.feeds.history import History, load_history
from judged_market import write_planted

EDGE = {"days": 150, "pull": 0.5}
CHEAP = Assumptions(taker_fee=Decimal("0.0001"), half_spread=0.0, impact=0.0)


def plan_of(folder: Path, seed: int = 0, *, assumed: Assumptions = CHEAP, **more: object) -> Plan:
    """A small population."""
    base = BacktestSettings("genome", ("BTCUSDT",), {}, assumptions=assumed, seed=seed)
    given: dict[str, object] = {"population": 24, "generations": 8}
    given |= {"trips_min": 40, "folds": 3}
    return Plan(base, folder / "log", **(given | more))  # type: ignore[arg-type]


def market(folder: Path, seed: int, **more: object) -> History:
    """A made market."""
    path = write_planted(folder, seed, **more)  # type: ignore[arg-type]
    return load_history([path], ["BTCUSDT"])
