# SPDX-License-Identifier: Apache-2.0
"""`screening.py`: which of many pairs may be traded as a spread. Looking at m pairs is m tests, so
p-values are raised for the whole family, and what is found must hold once more on rows that no
choice has seen. Everybody who was looked at stays in the answer, with the reason it fell.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike

from hean.errors import DataInvalid, InputError, UnknownField
from hean.quant.checks import Array, count, series
from hean.quant.cointegration import engle_granger, regressor_of
from hean.quant.mean_reversion import ar1, half_life_exact
from hean.quant.multiple_testing import benjamini_hochberg
from hean.quant.unit_roots import adf

WINDOW_LEAST = 30  # rows of either window: with fewer, a test of reversion finds nothing
FALSE_SHARE = 0.05  # of the pairs found, expected to be none
HALF_LIVES = (5.0, 500.0)  # bars: faster is the spread's bounce, slower ties up capital

NOT_TESTED, NOT_COINTEGRATED = "not tested", "not cointegrated"
TOO_FAST_OR_SLOW, NOT_SURVIVED = "half-life outside limits", "not confirmed on the next window"


@dataclass(frozen=True, slots=True)
class PairVerdict:
    """One candidate: spread = *y* - *slope* *x* - *intercept*, all by the first window; *p_value*
    and *adjusted* for the family; *half_life* in bars, phi corrected for its bias.
    *next_p_value*, *next_half_life*: the same spread, nothing fitted again, on the next window;
    nan if the pair fell before. *problem*: why it fell, empty if it is kept.
    """

    y: str
    x: str
    slope: float = np.nan
    intercept: float = np.nan
    p_value: float = 1.0
    adjusted: float = 1.0
    half_life: float = np.nan
    next_p_value: float = np.nan
    next_half_life: float = np.nan
    problem: str = ""

    @property
    def is_kept(self) -> bool:
        """Whether the pair passed every step."""
        return not self.problem


def screen_pairs(
    prices: Mapping[str, ArrayLike],
    split: int,
    *,
    pairs: Iterable[tuple[str, str]] | None = None,
    false_share: float = FALSE_SHARE,
    half_lives: tuple[float, float] = HALF_LIVES,
) -> list[PairVerdict]:
    """Verdicts on *pairs* of *prices* (or their logs; all of n rows; default: all pairs).

    Rows before *split* choose: direction by `regressor_of`, Engle-Granger, Benjamini-Hochberg at
    *false_share* over ALL candidates, half-life within *half_lives*. Rows from *split* on confirm:
    the frozen spread must come back to its own old level (Dickey-Fuller without constant, p at
    most *false_share*) with a half-life within limits. A pair that cannot be tested still counts.

    *Raises*: `DataInvalid`, `NumberNotFinite`, `ParameterInvalid`, `UnknownField`.
    """
    known = {name: series(name, values, 2 * WINDOW_LEAST) for name, values in prices.items()}
    rows = {len(values) for values in known.values()}
    if len(rows) != 1:
        raise DataInvalid(f"screen_pairs: series of {sorted(rows)} rows; they must be of one time.")
    split = count("screen_pairs split", split, WINDOW_LEAST, rows.pop() - WINDOW_LEAST)
    candidates = list(combinations(known, 2) if pairs is None else pairs)
    for name in {name for pair in candidates for name in pair} - known.keys():
        raise UnknownField(f"screen_pairs: no prices of {name!r}; known: {', '.join(known)}.")
    verdicts = [_formed(known, pair, split) for pair in candidates]
    if not verdicts:
        return []
    adjusted = benjamini_hochberg([verdict.p_value for verdict in verdicts])
    return [
        _judged(
            replace(verdict, adjusted=float(p)),
            known,
            split,
            false_share=false_share,
            limits=half_lives,
        )
        for verdict, p in zip(verdicts, adjusted, strict=True)
    ]


def _formed(prices: Mapping[str, Array], pair: tuple[str, str], split: int) -> PairVerdict:
    """The candidate by the first window alone."""
    try:
        at = regressor_of(prices[pair[0]][:split], prices[pair[1]][:split])
        y, x = pair[1 - at], pair[at]
        fit = engle_granger(prices[y][:split], prices[x][:split])
    except InputError as error:
        return PairVerdict(*pair, problem=f"{NOT_TESTED}: {error}")
    half_life = half_life_exact(ar1(fit.residuals).corrected().phi)
    return PairVerdict(y, x, float(fit.slopes[0]), fit.intercept, fit.p_value, half_life=half_life)


def _judged(
    verdict: PairVerdict,
    prices: Mapping[str, Array],
    split: int,
    *,
    false_share: float,
    limits: tuple[float, float],
) -> PairVerdict:
    if verdict.problem:
        return verdict
    if verdict.adjusted > false_share:
        return replace(verdict, problem=NOT_COINTEGRATED)
    if not limits[0] <= verdict.half_life <= limits[1]:
        return replace(verdict, problem=TOO_FAST_OR_SLOW)
    spread = prices[verdict.y] - verdict.slope * prices[verdict.x] - verdict.intercept
    try:
        p_value = adf(spread[split:], trend="n").p_value
        half_life = half_life_exact(ar1(spread[split:]).corrected().phi)
    except InputError as error:
        return replace(verdict, problem=f"{NOT_SURVIVED}: {error}")
    survives = p_value <= false_share and limits[0] <= half_life <= limits[1]
    return replace(
        verdict,
        next_p_value=p_value,
        next_half_life=half_life,
        problem="" if survives else NOT_SURVIVED,
    )
