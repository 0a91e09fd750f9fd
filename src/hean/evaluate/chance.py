# SPDX-License-Identifier: Apache-2.0
"""`chance.py`: Monte Carlo of trades. The same round trips in another order, and others like them:
how deep could the account have fallen with the same skill and other luck?
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from hean.backtest.result import Values
from hean.quant.bootstrap import generator, optimal_block, stationary_bootstrap

PATHS = 2_000
CELLS_MAX = 8_000_000  # paths x trades held at once: 64 MB
BANDS = (0.05, 0.25, 0.5, 0.75, 0.95)
POINTS_MAX = 200  # of a band that is drawn
SHUFFLE, RESAMPLE = 101, 102  # streams of the generator


class Bands(msgspec.Struct, frozen=True):
    """Quantiles `BANDS` of what could have been.

    *drawdown_shuffled*: deepest fall with the same trades in another order. *drawdown*, *final*:
    deepest fall and final growth with trades drawn again in blocks. *loss*: share of those that
    ended below where they began. *places*, *growth*: of the drawn ones, trade numbers and equity
    over the initial one, bands x places. *happened*: deepest fall in the real order.
    """

    paths: int
    happened: float
    drawdown_shuffled: list[float]
    drawdown: list[float]
    final: list[float]
    loss: float
    places: list[int]
    growth: list[list[float]]


def monte_carlo(trades: Values, *, seed: int) -> Bands | None:
    """*trades*: result of each round trip over the equity before it. None below two trades."""
    count = trades.size
    if count < 2:
        return None
    number = max(200, min(PATHS, CELLS_MAX // count))
    shuffle = generator(seed, SHUFFLE)
    orders = shuffle.permuted(np.tile(np.arange(count), (number, 1)), axis=1)
    shuffled = _falls(np.cumprod(1 + trades[orders], axis=1))
    block = max(optimal_block(trades), 1.0)
    drawn = stationary_bootstrap(count, number, block=block, draw=generator(seed, RESAMPLE))
    equity = np.cumprod(1 + trades[np.concatenate(list(drawn))], axis=1)
    falls, final = _falls(equity), equity[:, -1]
    places = np.unique(np.linspace(0, count - 1, min(count, POINTS_MAX)).astype(int))
    return Bands(
        number,
        float(_falls(np.cumprod(1 + trades[np.newaxis], axis=1))[0]),
        np.quantile(shuffled, BANDS).tolist(),
        np.quantile(falls, BANDS).tolist(),
        (np.quantile(final, BANDS) - 1).tolist(),
        float(np.mean(final < 1)),
        (places + 1).tolist(),
        np.quantile(equity[:, places], BANDS, axis=0).tolist(),
    )


def _falls(equity: npt.NDArray[Any]) -> Values:
    """Deepest fall of each row from its peak, the beginning included."""
    peaks = np.maximum(np.maximum.accumulate(equity, axis=1), 1.0)
    return np.asarray(np.max(1 - equity / peaks, axis=1))
