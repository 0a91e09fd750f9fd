# SPDX-License-Identifier: Apache-2.0
"""Every model of two symbols at once, on the bus, for each market event.

Workload: two correlated seeded prices, 20 ticks a second in turn, bars of a second built from them.
Volatility (GARCH), change points, regimes, hedge ratio and thirty features a symbol hear all of it
and emit what they think. The same ticks are played on a bus with the bars alone; a round's figure
is the median of what an event costs with the models, and that less the median without. Learning
from past bars (GARCH, regimes) is in it, as slices or refits fall due. An event that ends a bar is
told apart: it is what a strategy waits for.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Sequence

from hean.core.bus import EventBus
from hean.core.clock import SimClock
from hean.core.module import Context, Module
from hean.core.types import Tick
from hean.models.candles import CandleBuilder
from hean.models.changepoint import ChangepointDetector
from hean.models.features import TICK_FEATURES, Features
from hean.models.garch import GarchVolatility
from hean.models.kalman import HedgePair, KalmanPairs
from hean.models.regime import RegimeModel
from measure import Goal, Result, say

SYMBOLS = ("BTCUSDT", "ETHUSDT")
TICKS, WARM_UP = 60_000, 40_000
STEP_NS, BAR = 50_000_000, "1s"
START_NS = 1_767_225_600_000_000_000
GOALS: dict[str, Goal] = {"all models us an event": ("<=", 10.0)}
WORKLOAD = f"all models of two symbols on the bus, {TICKS:,} ticks, bars of {BAR}"


def ticks() -> list[Tick]:
    """Two prices that share most of their moves."""
    draw = random.Random(1)
    prices = [60_000.0, 3_000.0]
    found = []
    for number in range(TICKS):
        common, own = draw.gauss(0, 3e-5), draw.gauss(0, 1e-5)
        which = number % 2
        prices[which] *= 1.0 + common + own
        price = prices[which]
        half = price * 1e-5
        ts = START_NS + number * STEP_NS
        found.append(
            Tick(SYMBOLS[which], price, draw.expovariate(1.0), ts, price - half, price + half)
        )
    return found


def models() -> list[Module]:
    """One of each."""
    pair = HedgePair("ETHUSDT", "BTCUSDT", 1e-7, 1e-9, 1e-6, bar=BAR)
    return [
        GarchVolatility(),
        ChangepointDetector(),
        RegimeModel(),
        KalmanPairs([pair]),
        Features(TICK_FEATURES, BAR),
    ]


def timed(facts: Sequence[Tick], modules: Sequence[Module]) -> tuple[float, float]:
    """Median microseconds of an event after the warm-up: of all, and of those that end a bar."""
    clock = SimClock(START_NS)
    bus = EventBus(clock=clock)
    for module in (CandleBuilder(BAR), *modules):
        module.attach(bus, Context(bus, clock, name=module.name, seed=1))
    spent: list[int] = []
    at_bars: list[int] = []
    seen: set[tuple[str, int]] = set()
    for fact in facts:
        now_ns = fact.timestamp
        began = time.perf_counter_ns()
        while (timer := clock.pop_due(now_ns)) is not None:
            bus.drain((timer,))
        clock.now_ns = now_ns
        bus.drain((fact,))
        took = time.perf_counter_ns() - began
        spent.append(took)
        bar = (fact.symbol, now_ns // 1_000_000_000)
        if bar not in seen:
            seen.add(bar)
            at_bars.append(took)
    share = WARM_UP / len(facts)
    of_all, of_bars = spent[WARM_UP:], at_bars[int(len(at_bars) * share) :]
    return statistics.median(of_all) / 1e3, statistics.median(of_bars) / 1e3


def run(rounds: int, quick: bool = False) -> Result:
    """With and without the models, in turn."""
    result = Result(WORKLOAD, goals=GOALS)
    facts = ticks()[: WARM_UP + 2_000 if quick else None]
    for number in range(rounds):
        say(f"all models, round {number + 1} of {rounds}")
        bare, _ = timed(facts, [])
        whole, at_bar = timed(facts, models())
        result.add(
            {
                "all models us an event": whole,
                "models alone us an event": whole - bare,
                "all models us at the end of a bar": at_bar,
            },
            {},
        )
    return result
