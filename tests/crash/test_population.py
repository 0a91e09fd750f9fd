# SPDX-License-Identifier: Apache-2.0
"""A population with money whose process dies while an agent holds a position."""

from __future__ import annotations

import time
from decimal import Decimal
from pathlib import Path

import pytest

from crash.live_process import SETTLE_S, SYMBOLS, LiveProcess, Place
from hean.core.timeframe import timeframe_ns
from hean.symbiont.population import Holding, Stage, id_of, loaded
from population_desk import agent, write_population
from venue_contract.twin_process import TwinProcess, wait_until

pytestmark = [pytest.mark.server, pytest.mark.timeout(600)]
BAR, HOLD = "500ms", 24
HOLDS = f"long when close > 0.5 * close; stop 60 atr; hold {HOLD} bars"


def test_a_position_outlives_its_process_with_its_agent(tmp_path: Path) -> None:
    """Killed right after an entry. The next process neither closes it as nobody's nor begins its
    time anew: its agent is asked, and leaves when its bars are over.
    """
    path = tmp_path / "population.json"
    live = agent(HOLDS, Stage.LIVE_MIN, time.time_ns(), SYMBOLS)
    write_population(path, live, symbols=SYMBOLS, bar=BAR)

    def holding() -> Holding:
        return loaded(path)[0].holdings[symbol]

    with TwinProcess("bybit", tmp_path) as twin:
        given = {"population": str(path)}
        place = Place(twin, "linear", tmp_path, strategy="symbiont", given=given,
                      options=("--bar", BAR))  # fmt: skip

        def sizes() -> dict[str, str]:
            positions = twin.control.account()["positions"]
            return {each["symbol"]: each["size"] for each in positions}

        with LiveProcess(place) as process:
            process.go()
            wait_until(sizes, "an entry", timeout_s=SETTLE_S)
            process.kill()
        (symbol, size), *_ = sizes().items()  # it has one seat, of either
        entry = holding()
        assert entry.agent == id_of(HOLDS)
        with LiveProcess(place) as process:
            process.go()
            wait_until(lambda: holding() != entry, "the next entry", timeout_s=SETTLE_S)
            # A stop of which nobody knows whether it was sent is looked for first, not doubled.
            resting = twin.control.account()["open_orders"]
            assert len([each for each in resting if each["symbol"] == symbol]) <= 1
        over_ns = entry.decided_ns + HOLD * timeframe_ns(BAR)
        assert holding().decided_ns >= over_ns
        rows = twin.control.ledger()
        trades = [row for row in rows if (row["kind"], row.get("symbol")) == ("trade", symbol)]
        left = next(row for row in trades if row["side"] == "SELL")
        assert left["ts_ns"] >= over_ns
        bought = (Decimal(row["qty"]) for row in trades if row["seq"] < left["seq"])
        assert sum(bought) == Decimal(size), "nothing was doubled"
