# SPDX-License-Identifier: Apache-2.0
"""`capital.py`: how capital is divided between works that compete for it: what is believed of each
one's return, the shares that are best under caps, and shares as whole lots. Everything is a number
here; who the works are and who moves the money is not known. Source: quant/methods 10.4.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hean.errors import DataInvalid, ParameterInvalid
from hean.quant.checks import Array

NEAR = 1e-4  # of a lot: what is left of a whole one by rounding
STILL = 1e-6  # of capital: a smaller move is none
PRECISION = 1e-14  # of the scaled value, at which the descent ends
STEPS_MAX = 500


class Belief(NamedTuple):
    """A normal belief about a mean return: *mean* and *variance* of it, per period."""

    mean: float
    variance: float

    def floor(self, doubt: float) -> float:
        """The mean less *doubt* standard deviations of it."""
        return self.mean - doubt * math.sqrt(self.variance)


def believed(returns: Sequence[float], *, prior: Belief, noise: float) -> Belief:
    """What is believed of the mean after *returns*, each with standard deviation *noise* around it.

    The normal prior updated by normal observations of known variance. *Raises*: `ParameterInvalid`
    for a noise or a prior variance that is not positive.
    """
    if not noise > 0.0 or not prior.variance > 0.0:
        raise ParameterInvalid(f"noise {noise}, prior variance {prior.variance}; above 0 both.")
    precision = 1.0 / prior.variance + len(returns) / noise**2
    mean = (prior.mean / prior.variance + math.fsum(returns) / noise**2) / precision
    return Belief(mean, 1.0 / precision)


def routed(
    scores: npt.ArrayLike,
    covariance: npt.ArrayLike,
    *,
    held: npt.ArrayLike,
    costs: npt.ArrayLike,
    lower: npt.ArrayLike,
    rows: npt.ArrayLike,
    limits: npt.ArrayLike,
    aversion: float,
) -> Array:
    """Shares `x` of capital that maximise `s'x - A x'Cx / 2 - c'|x - h|` where `x >= lower` and
    `rows x <= limits`. Convex: one optimum of the value.

    *scores*: return per period one may count on; *held*: shares now; *costs*: of moving one unit,
    per period. *rows*: not negative, of shape (caps, works). What *lower* alone puts beyond a
    limit stays: such a limit is as high as *lower* makes it. *Raises*: `DataInvalid` if no optimum
    was found.
    """
    from scipy.optimize import minimize  # reason: loaded where capital is routed

    gain, now, price = (np.asarray(each, dtype=np.float64) for each in (scores, held, costs))
    low, caps = np.asarray(lower, dtype=np.float64), np.asarray(rows, dtype=np.float64)
    most = np.maximum(np.asarray(limits, dtype=np.float64), caps @ low)
    matrix = np.asarray(covariance, dtype=np.float64)
    count = gain.size
    # x = held + up - down makes the cost of turnover linear.
    fold = np.hstack([np.eye(count), -np.eye(count)])
    scale = max(float(np.abs(gain).max()), float(np.diag(matrix).max()) * aversion, 1e-300)

    def loss(moves: Array) -> float:
        at = now + fold @ moves
        value = (
            gain @ at - aversion * at @ matrix @ at / 2.0 - price @ (moves[:count] + moves[count:])
        )
        return -float(value) / scale

    def slope(moves: Array) -> Array:
        at = now + fold @ moves
        return -(fold.T @ (gain - aversion * matrix @ at) - np.tile(price, 2)) / scale

    walls = np.vstack([-caps, np.eye(count)])
    room = np.concatenate([most, -low])
    constraint = {
        "type": "ineq",
        "fun": lambda moves: room + walls @ (now + fold @ moves),
        "jac": lambda moves: walls @ fold,
    }
    start = np.concatenate([np.maximum(low - now, 0.0), np.maximum(now - low, 0.0)])
    found = minimize(
        loss, start, jac=slope, method="SLSQP", bounds=[(0.0, None)] * (2 * count),
        constraints=[constraint], options={"ftol": PRECISION, "maxiter": STEPS_MAX},
    )  # fmt: skip
    shares = np.maximum(now + fold @ found.x, low)
    shares = np.where(np.abs(shares - now) < STILL, np.maximum(now, low), shares)
    if not np.isfinite(shares).all() or (caps @ shares > most + 2 * STILL * count).any():
        raise DataInvalid(f"capital was not routed: {found.message}.")
    return np.asarray(shares)


def whole_lots(
    wished: npt.ArrayLike,
    lots: npt.ArrayLike,
    *,
    held: npt.ArrayLike,
    rows: npt.ArrayLike,
    limits: npt.ArrayLike,
    lower: npt.ArrayLike | None = None,
) -> list[int]:
    """Lots to move from *held* towards *wished*: rounded down, then one more for the largest
    remainders, as long as together they are not above what is wished and no cap is broken. Who
    would be below *lower* comes first. *lots*: size of one, in the unit of the amounts.
    """
    wish, size, now = (np.asarray(each, dtype=np.float64) for each in (wished, lots, held))
    caps, most = np.asarray(rows, dtype=np.float64), np.asarray(limits, dtype=np.float64)
    low = np.full(wish.size, -math.inf) if lower is None else np.asarray(lower, dtype=np.float64)
    if not (size > 0.0).all():
        raise ParameterInvalid(f"lots of {size}; each is above 0.")
    moves = (wish - now) / size
    whole = np.floor(moves + NEAR)
    rest = moves - whole
    most = np.maximum(most, caps @ (now + whole * size))
    is_low = now + whole * size < low - NEAR * size
    left = float((rest * size).sum())
    for place in sorted(range(wish.size), key=lambda i: (not is_low[i], -rest[i], i)):
        more = whole.copy()
        more[place] += 1.0
        is_asked = is_low[place] or (
            rest[place] > NEAR and size[place] <= left + NEAR * size[place]
        )
        is_within = (caps @ (now + more * size) <= most + NEAR * size.max()).all()
        if is_asked and is_within:
            whole, left = more, left - float(size[place])
    return [int(each) for each in whole]
