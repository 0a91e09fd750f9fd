# SPDX-License-Identifier: Apache-2.0
"""`impact.py`: what trading does to the price, before the trade as an estimate and along a series
of own trades as a decaying displacement. Costs are in basis points of the price and never negative
for a positive size; coefficients are arguments, for each market has its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from hean.errors import ParameterInvalid

Array = npt.NDArray[np.float64]

SQUARE_ROOT_COEFFICIENT = 0.8  # of crypto perpetuals, until refitted on own fills


class Impact(msgspec.Struct, frozen=True):
    """Parts of a cost in basis points: *realised* = *permanent* / 2 + *temporary*."""

    permanent: float
    temporary: float
    realised: float


def square_root_cost(
    quantity: float,
    daily_volume: float,
    sigma_daily: float,
    *,
    half_spread: float = 0.0,
    coefficient: float = SQUARE_ROOT_COEFFICIENT,
) -> float:
    """`half_spread + Y sigma sqrt(Q / V)`, all in the unit of *sigma_daily* and *half_spread* (bp).

    *Raises*: `ParameterInvalid` for a volume that is not above 0, or a negative quantity.
    """
    if daily_volume <= 0 or quantity < 0 or sigma_daily < 0:
        raise ParameterInvalid("impact needs a volume above 0, quantity and sigma >= 0.")
    return half_spread + coefficient * sigma_daily * math.sqrt(quantity / daily_volume)


def almgren_2005(
    quantity: float,
    daily_volume: float,
    sigma_daily: float,
    duration: float,
    *,
    shares_outstanding: float | None = None,
    gamma: float = 0.314,
    eta: float = 0.142,
    delta: float = 0.25,
    beta: float = 0.6,
) -> Impact:
    """Cost of trading *quantity* evenly over *duration* days.

    permanent = gamma sigma (X/V) (Theta/V)^delta; temporary = eta sigma |X/(V T)|^beta; *sigma*
    in the unit of the answer (bp). *shares_outstanding*: Theta; `None` drops its factor, as for a
    perpetual. *Source*: Almgren, Thum, Hauptmann, Li 2005. *Raises*: `ParameterInvalid`.
    """
    if daily_volume <= 0 or duration <= 0:
        raise ParameterInvalid("impact needs a daily volume and a duration above 0.")
    turnover = 1.0
    if shares_outstanding is not None:
        turnover = (shares_outstanding / daily_volume) ** delta
    permanent = gamma * sigma_daily * quantity / daily_volume * turnover
    rate = quantity / (daily_volume * duration)
    temporary = math.copysign(eta * sigma_daily * abs(rate) ** beta, quantity)
    return Impact(permanent, temporary, permanent / 2 + temporary)


def lingering(
    times_s: Sequence[float] | Array, moves: Sequence[float] | Array, *, half_life_s: float = 5.0
) -> Array:
    """What earlier own trades still add to the price at each trade: `sum m_i 2^(-(t-t_i)/h)`.

    *times_s*: rising, in seconds; *moves*: how far each trade moved the price, in its direction.
    *Returns*: one displacement a trade, its own not included. A propagator with exponential decay.
    """
    times = np.asarray(times_s, dtype=np.float64)
    shifts = np.asarray(moves, dtype=np.float64)
    if len(times) != len(shifts) or half_life_s <= 0 or (np.diff(times) < 0).any():
        raise ParameterInvalid("as many moves as rising times, and a half-life above 0.")
    found, level = np.zeros(len(times)), 0.0
    for at in range(1, len(times)):
        level = (level + shifts[at - 1]) * 0.5 ** ((times[at] - times[at - 1]) / half_life_s)
        found[at] = level
    return found
