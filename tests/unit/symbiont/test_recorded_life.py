# SPDX-License-Identifier: Apache-2.0
"""A population lives through recorded months that nobody bred it on: two perpetuals, July to
October 2025, a calm summer and the crash of 10 October. Nothing is made, nothing is injected."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from hean.backtest.run import Backtest, BacktestSettings
from hean.core.timeframe import DAY_NS
from hean.core.types import Event, EventType
from hean.evaluate.evolve import evolve
from hean.evaluate.evolving import Plan
from hean.feeds.history import History, load_history
from hean.symbiont.colony import HEALTH
from hean.symbiont.population import Stage, written

SYMBOLS = ("BTCUSDT", "ETHUSDT")
RECORD = "binance_perp_{}_5m_2024-12-31_2025-10-31.parquet"
BRED_DAYS = 200


def part(shared: Path, folder: Path, first: int, last: int | None) -> History:
    """Days of the record."""
    folder.mkdir()
    files = []
    for symbol in SYMBOLS:
        frame = pl.read_parquet(shared / "data/candles" / RECORD.format(symbol))
        files.append(folder / f"binance_perp_{symbol}_5m_part.parquet")
        frame[first * 288 : None if last is None else last * 288].write_parquet(files[-1])
    return load_history(files, SYMBOLS)


def test_no_more_agents_are_quarantined_than_designed_and_the_feed_is_sound(
    shared: Path, tmp_path: Path
) -> None:
    plan = Plan(BacktestSettings("genome", SYMBOLS, {}), tmp_path / "log", 50, 8)
    population = evolve(plan, part(shared, tmp_path / "bred", 0, BRED_DAYS)).population
    for agent in population.agents:
        agent.stage = Stage.TESTED  # as if all had passed: who trades is to be watched
    path = tmp_path / "population.json"
    path.write_bytes(written(population))
    history = part(shared, tmp_path / "lived", BRED_DAYS - 7, None)
    run = Backtest(BacktestSettings("symbiont", SYMBOLS, {"population": str(path)}), history)
    said: list[dict[str, str]] = []

    def see(event: Event) -> None:
        if event.event_type is EventType.COMMAND and event.data.verb == HEALTH:
            said.append(event.data.arguments)

    run.bus.tap(see)
    run.run()
    agents = len(population.agents)
    days = (history.end_ns - history.start_ns) / DAY_NS
    assert agents >= 40 and days > 100
    design = agents * days / 1_500
    sick = [it["reason"] for it in said if it["to"] == "QUARANTINE"]
    assert len(sick) <= design + 2.33 * np.sqrt(design), sick
    assert not [reason for reason in sick if "column" in reason]
    assert any("worse" in it["reason"] for it in said), "losses are seen"
