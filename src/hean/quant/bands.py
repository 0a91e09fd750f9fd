# SPDX-License-Identifier: Apache-2.0
"""The textbook rule for a spread that reverts: enter a band away from zero, leave at zero (Chan
2013, chapter 3). It checks arithmetic and compares models; it knows no cost, so what it earns is no
evidence that anybody can.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from hean.errors import DataInvalid

Array = np.ndarray[Any, np.dtype[np.float64]]


class BandResult(msgspec.Struct, frozen=True):
    """*units*: -1, 0 or 1 a row. *returns*: of the gross position held into each row, nan while
    flat. *growth_per_year*: compounded, flat rows earn nothing. *sharpe*: per year, of the rows
    with a position; population deviation.
    """

    units: Array
    returns: Array
    growth_per_year: float
    sharpe: float


def band_units(innovation: Array, band: Array) -> Array:
    """Units of the spread after each row: 1 from below minus the band until above zero, -1 from
    above the band until below zero. Nothing happens on a row that is nan.
    """
    sides = np.zeros((2, len(innovation)))
    for side, sign in zip(sides, (1.0, -1.0), strict=True):
        held = 0.0
        for at, (value, width) in enumerate(zip(sign * innovation, band, strict=True)):
            if value < -width:
                held = sign
            elif value > 0:
                held = 0.0
            side[at] = held
    units: Array = sides.sum(axis=0)
    return units


def band_backtest(
    prices: tuple[Array, Array], beta: Array, *, innovation: Array, band: Array, per_year: float
) -> BandResult:
    """Trade the spread of prices (y, x) by `band_units`: beta units of x against one of y, today's
    position earns tomorrow's return. *per_year*: rows in a year. *Raises*: `DataInvalid`.
    """
    y, x = prices
    if len({len(column) for column in (y, x, beta, innovation, band)}) != 1 or len(y) < 2:
        raise DataInvalid("band_backtest: columns of one length, at least 2, are due.")
    units = band_units(innovation, band)
    held = np.array([y, -beta * x]) * units
    moves = np.array([np.diff(y) / y[:-1], np.diff(x) / x[:-1]])
    gross = np.abs(held).sum(axis=0)[:-1]
    returns = np.full(len(y), np.nan)
    is_held = gross > 0
    returns[1:][is_held] = (held[:, :-1] * moves).sum(axis=0)[is_held] / gross[is_held]
    known = returns[~np.isnan(returns)]
    growth = float(np.prod(1.0 + known)) ** (per_year / len(y)) - 1.0
    spread = float(known.std()) if len(known) else 0.0
    sharpe = float(known.mean()) / spread * per_year**0.5 if spread > 0 else float("nan")
    return BandResult(units, returns, growth, sharpe)
