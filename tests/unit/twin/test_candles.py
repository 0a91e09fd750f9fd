# SPDX-License-Identifier: Apache-2.0
"""Candles of the twin: what is remembered of the running one is what its minutes say, whatever was
asked before, and a time that is none gives nothing.
"""

from __future__ import annotations

import random

import pytest

from hean.twin.candles import MINUTE_MS, Candle, CandleStore, opening

START_MS = 1_767_225_600_000
INTERVALS = (MINUTE_MS, 5 * MINUTE_MS, 60 * MINUTE_MS, 1_440 * MINUTE_MS, 0)


def store(*, has_past: bool) -> CandleStore:
    made = CandleStore()
    if has_past:
        made.make_past(60_000.0, START_MS, seed=1, volume=6.0, steps=(0.1, 0.001))
    made.price(START_MS, 60_000.0)
    return made


def joined(rows: list[Candle], interval_ms: int) -> list[Candle]:
    """The same by the definition."""
    found: list[Candle] = []
    for row in rows:
        part = Candle(*(getattr(row, name) for name in Candle.__slots__))
        part.start_ms = opening(row.start_ms, interval_ms)
        if found and found[-1].start_ms == part.start_ms:
            found[-1].add(part)
        else:
            found.append(part)
    return found


@pytest.mark.parametrize(("has_past", "steps"), [(False, 120), (True, 8)])
def test_the_running_candle_is_what_its_minutes_make(has_past: bool, steps: int) -> None:
    rng, candles, now_ms = random.Random(7), store(has_past=has_past), START_MS
    for step in range(steps):
        now_ms += rng.choice([1_000, 20_000, 45 * MINUTE_MS])
        candles.trade(now_ms, 60_000 + rng.randint(-50, 50), rng.randint(1, 9), is_buy=step % 2 > 0)
        interval_ms = rng.choice(INTERVALS)
        (newest,) = candles.read(interval_ms, None, None, 1, newest=True)
        assert newest == joined(candles.rows, interval_ms)[-1]


def test_a_start_beyond_every_time_has_no_candles() -> None:
    candles = store(has_past=False)
    for interval_ms in INTERVALS:
        assert candles.read(interval_ms, 10**20, None, 10, newest=False) == []
