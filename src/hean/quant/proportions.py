# SPDX-License-Identifier: Apache-2.0
"""`proportions.py`: what a few successes in a few tries say about the chance behind them."""

from __future__ import annotations

import math
from typing import NamedTuple

from hean.errors import ParameterInvalid


class Interval(NamedTuple):
    """Bounds, inclusive."""

    low: float
    high: float


def wilson(successes: float, trials: float, *, confidence: float = 0.95) -> Interval:
    """Score interval of a proportion; never leaves 0 to 1 and holds for few trials as well.
    *Source*: Wilson 1927; Newcombe 1998, method 3. *Raises*: `ParameterInvalid`.
    """
    # reason: scipy.special is loaded where a quantile is asked for, not by every command
    from scipy.special import ndtri

    if not trials > 0 or not 0 <= successes <= trials or not 0.0 < confidence < 1.0:
        raise ParameterInvalid(
            f"{successes} of {trials} at confidence {confidence}; at least one trial, no more "
            "successes than trials, confidence between 0 and 1."
        )
    z = float(ndtri(0.5 + confidence / 2.0))
    share = successes / trials
    centre = share + z**2 / (2.0 * trials)
    half = z * math.sqrt((share * (1.0 - share) + z**2 / (4.0 * trials)) / trials)
    whole = 1.0 + z**2 / trials
    # At the ends the exact bound is 0 or 1, which rounding may miss.
    low = 0.0 if successes == 0 else (centre - half) / whole
    high = 1.0 if successes == trials else (centre + half) / whole
    return Interval(low, high)


class Beta(NamedTuple):
    """Belief about a chance: a Beta distribution with pseudo-counts *wins* and *losses*."""

    wins: float
    losses: float

    def after(self, wins: float, losses: float) -> Beta:
        """The belief once so many more were seen. *Raises*: `ParameterInvalid`."""
        if not wins >= 0 or not losses >= 0:
            raise ParameterInvalid(f"{wins} wins, {losses} losses; counts are not negative.")
        return Beta(self.wins + wins, self.losses + losses)

    @property
    def mean(self) -> float:
        """Expected chance."""
        return self.wins / (self.wins + self.losses)

    @property
    def variance(self) -> float:
        """Of the chance."""
        whole = self.wins + self.losses
        return self.wins * self.losses / (whole**2 * (whole + 1.0))

    def chance_below(self, value: float) -> float:
        """Probability that the chance is below *value*."""
        from scipy.special import betainc  # reason: as in `wilson`

        return float(betainc(self.wins, self.losses, min(max(value, 0.0), 1.0)))

    def quantile(self, probability: float) -> float:
        """The chance below which it lies with this probability."""
        from scipy.special import betaincinv  # reason: as in `wilson`

        return float(betaincinv(self.wins, self.losses, probability))
