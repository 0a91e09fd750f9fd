# SPDX-License-Identifier: Apache-2.0
"""The two backtest jobs that every engine gets: data drawn by seed, one rule, one known answer.

Job a: 500,000 one-minute bars. Job b: 1,000,000 quote ticks. EMA(10) over EMA(20) is long, below
is flat; market orders of one unit, taker fee 0.055 %, filled at the close or at the touch. The
EMAs start with the first value and signal from the 20th on. `CASH_AT_EXIT` is the cash after the
last exit: a position that is open at the end is left out, with its entry fee.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

FAST = 10
SLOW = 20
FEE = 0.00055
CASH = 10_000_000
START_NS = 1_700_000_000_000_000_000
BAR_NS = 60_000_000_000
TICK_NS = 1_000_000

ROWS = {"a": 500_000, "b": 1_000_000}
FILLS = {"a": 22_274, "b": 45_199}
CASH_AT_EXIT = {"a": 9_618_064.85, "b": 9_245_453.963475}

Floats = npt.NDArray[np.float64]
Times = npt.NDArray[np.int64]


def bars(rows: int = ROWS["a"]) -> tuple[Times, Floats, Floats, Floats, Floats, Floats]:
    """Columns close time (ns), open, high, low, close, volume; volumes exceed any order."""
    rng = np.random.default_rng(7)
    closed = np.round(30_000 * np.exp(np.cumsum(rng.normal(0, 5e-4, rows))), 1)
    opened = np.concatenate(([30_000.0], closed[:-1]))
    high = np.round(np.maximum(opened, closed) + np.abs(rng.normal(0, 5, rows)), 1)
    low = np.round(np.minimum(opened, closed) - np.abs(rng.normal(0, 5, rows)), 1)
    volume = np.round(rng.uniform(10, 100, rows), 3)
    ts: Times = START_NS + BAR_NS * np.arange(1, rows + 1, dtype=np.int64)
    return ts, opened, high, low, closed, volume


def ticks(rows: int = ROWS["b"]) -> tuple[Times, Floats, Floats]:
    """Columns time (ns), bid, ask; the middle is the price, the spread is 0.2 to 1.0."""
    rng = np.random.default_rng(11)
    middle = np.round(30_000 * np.exp(np.cumsum(rng.normal(0, 5e-5, rows))), 1)
    half = np.round(rng.integers(1, 6, rows) * 0.1, 1)
    ts: Times = START_NS + TICK_NS * np.arange(1, rows + 1, dtype=np.int64)
    return ts, np.round(middle - half, 1), np.round(middle + half, 1)


def check(job: str, result: dict[str, Any]) -> None:
    """Refuse a result that is not the known answer, to the cent. *Raises*: `AssertionError`."""
    fills, cash = result["fills"], result["cash_at_exit"]
    if fills != FILLS[job] or abs(cash - CASH_AT_EXIT[job]) > 0.01:
        known = f"{FILLS[job]} fills, cash {CASH_AT_EXIT[job]}"
        raise AssertionError(f"job {job}: {fills} fills, cash {cash}; the answer is {known}")
