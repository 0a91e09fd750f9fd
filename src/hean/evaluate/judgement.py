# SPDX-License-Identifier: Apache-2.0
"""`judgement.py`: from the daily returns of all trials to what can be believed of the best one.
Pure functions over arrays: what a choice is judged on never took part in the choice. `None` stands
for what cannot be said.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from hean.backtest.result import Values
from hean.errors import ParameterInvalid
from hean.quant import performance
from hean.quant.cross_validation import combinatorial_splits, paths, walk_forward
from hean.quant.overfitting import (
    Overfitting,
    Superiority,
    backtest_overfitting,
    superior_predictive_ability,
)
from hean.quant.performance import DAYS_PER_YEAR
from hean.quant.sharpe import (
    deflated_sharpe,
    expected_maximum_sharpe,
    hac_sharpe_error,
    lo_factor,
    min_track_record,
    probabilistic_sharpe,
    sharpe_error,
)

TEST_FOLDS = 2
CSCV_BLOCKS = 16
CSCV_DAYS_MIN = 4  # in each block; with fewer a deviation is noise
YEAR = int(DAYS_PER_YEAR)


class Step(msgspec.Struct, frozen=True):
    """One block of walk-forward: rows learned from and tested on, the trial chosen, its Sharpe
    ratio per day before and after."""

    learned: tuple[int, int]
    tested: tuple[int, int]
    chosen: int
    before: float
    after: float | None


class Walked(msgspec.Struct, frozen=True):
    """Walk-forward: its steps, and the daily returns of the choices from row *start* on."""

    steps: list[Step]
    start: int
    returns: Values


def day_sharpe(returns: Values) -> float | None:
    """Sharpe ratio per day."""
    return performance.sharpe(returns, periods=1.0)


def choose(returns: Values) -> tuple[int, float]:
    """The trial with the highest Sharpe ratio per day, the first of equals; without spread a
    trial has 0. *returns*: days x trials.
    """
    ratios = [day_sharpe(column) or 0.0 for column in returns.T]
    best = int(np.argmax(ratios))
    return best, ratios[best]


def walk(returns: Values, *, folds: int, embargo: int) -> Walked:
    """Choose on everything before a block, leave *embargo* days out, trade the block.

    The first of *folds* blocks is only learned from. *Raises*: `ParameterInvalid` if the days do
    not suffice.
    """
    count = len(returns)
    test = (count - count // folds - embargo) // (folds - 1)
    first = count - embargo - test * (folds - 1)  # what does not divide is learned from
    steps, parts, start = [], [], 0
    for split in walk_forward(count, train=first, test=test, purge=embargo, is_growing=True):
        (block,) = split.test
        chosen, before = choose(returns[split.train])
        part = returns[block, chosen]
        start = start or int(block[0])
        learned = (int(split.train[0]), int(split.train[-1]) + 1)
        tested = (int(block[0]), int(block[-1]) + 1)
        steps.append(Step(learned, tested, chosen, before, day_sharpe(part)))
        parts.append(part)
    return Walked(steps, start, np.concatenate(parts))


def crossed(returns: Values, *, folds: int, embargo: int) -> Values:
    """Combinatorial purged cross-validation: the daily returns of each path, paths x days. Each
    block of a path was traded with the trial that was best outside of it.

    *Raises*: `ParameterInvalid` if the days do not suffice.
    """
    judged = []
    for split in combinatorial_splits(len(returns), folds, TEST_FOLDS, purge=1, embargo=embargo):
        chosen, _ = choose(returns[split.train])
        blocks = zip(split.folds, split.test, strict=True)
        judged.append({fold: returns[block, chosen] for fold, block in blocks})
    return np.array(
        [
            np.concatenate([judged[judge][fold] for fold, judge in enumerate(path)])
            for path in paths(folds, TEST_FOLDS)
        ]
    )


def positive_years(routes: Values) -> float:
    """Share of years of all paths that made money; a part of a year counts as one."""
    made = [
        float(np.prod(1 + route[begin : begin + YEAR])) > 1
        for route in routes
        for begin in range(0, route.size, YEAR)
    ]
    return sum(made) / len(made)


def distinct(returns: Values) -> int:
    """How many trials did something else than all others. *returns*: days x trials."""
    return int(np.unique(returns, axis=1).shape[1])


def overfitting(returns: Values) -> tuple[Overfitting | None, str]:
    """CSCV over all trials with as many blocks as the days allow, and why not otherwise."""
    days, trials = returns.shape
    if trials < 2:
        return None, "one trial: nothing was chosen, so nothing could be overfitted"
    if distinct(returns) < 2:
        return None, "all trials did the same: nothing was chosen, so nothing could be overfitted"
    blocks = min(CSCV_BLOCKS, days // CSCV_DAYS_MIN // 2 * 2)
    if blocks < 2:
        return None, f"{days} days are too few"
    return backtest_overfitting(returns, blocks=blocks), ""


class Tested(msgspec.Struct, frozen=True):
    """SPA of all trials against doing nothing and against holding the market as much as each was
    in it; *reality*: White's reality check, p-value of the first."""

    nothing: Superiority
    holding: Superiority
    reality: float


def superiority(
    returns: Values, exposure: Values, market: Values, *, draws: int, seed: int
) -> Tested:
    """*returns*, *exposure*: days x trials. *market*: daily returns of holding it."""
    held = exposure.mean(axis=0) * market[:, np.newaxis]
    nothing = superior_predictive_ability(returns, draws=draws, seed=seed)
    reality = superior_predictive_ability(
        returns, is_studentised=False, block=nothing.block, draws=draws, seed=seed
    )
    holding = superior_predictive_ability(returns - held, draws=draws, seed=seed)
    return Tested(nothing, holding, reality.upper)


class Confidence(msgspec.Struct, frozen=True):
    """What the Sharpe ratio of a record is worth. *ratio*, *error*, *hac_error*, *luck*: per year.

    *probability*: that the true ratio is above 0. *luck*: what the best of as many trials without
    skill would show; *deflated*: that the true one is above that, with clusters as the number of
    trials; *deflated_raw*: with every trial. *needed*: days of record to claim a ratio above 0.
    *lo_ratio*: the ratio of a year that allows for autocorrelation.
    """

    days: int
    ratio: float | None
    lo_ratio: float | None = None
    error: float | None = None
    hac_error: float | None = None
    probability: float | None = None
    needed: float | None = None
    luck: float | None = None
    deflated: float | None = None
    deflated_raw: float | None = None


def confidence(
    returns: Values,
    *,
    ratios: Sequence[float] = (),
    clusters: int = 1,
    periods: float = DAYS_PER_YEAR,
) -> Confidence:
    """*ratios*: Sharpe ratios per day of all trials that the record was chosen from. *clusters*:
    how many different ones. Without them nothing is deflated.
    """
    ratio, days, root = day_sharpe(returns), returns.size, periods**0.5
    skew, kurt = performance.skewness(returns), performance.kurtosis(returns)
    if ratio is None or skew is None or kurt is None:
        return Confidence(days, None)
    error, hac = sharpe_error(ratio, days, skew=skew, kurt=kurt), hac_sharpe_error(returns)
    lo = lo_factor(returns, 7)  # a week: what repeats in days has shown by then
    needed = min_track_record(ratio, skew=skew, kurt=kurt)
    variance = float(np.var(ratios, ddof=1)) if len(ratios) > 1 else 0.0
    deflated, raw = (
        deflated_sharpe(ratio, days, variance=variance, trials=trials, skew=skew, kurt=kurt)
        if ratios
        else None
        for trials in (clusters, len(ratios))
    )
    return Confidence(
        days,
        ratio * root,
        None if lo is None else ratio * lo * (periods / 7) ** 0.5,
        None if error is None else error * root,
        None if hac is None else hac * root,
        probabilistic_sharpe(ratio, days, skew=skew, kurt=kurt),
        needed,
        expected_maximum_sharpe(variance, clusters) * root if ratios else None,
        deflated,
        raw,
    )


def check_days(days: int, *, folds: int, embargo: int) -> None:
    """*Raises*: `ParameterInvalid` if *days* cannot be cut so."""
    if days // folds < embargo + 3:
        raise ParameterInvalid(
            f"--folds {folds} --embargo {embargo}: {days} days make blocks of {days // folds}, "
            f"which an embargo of {embargo} uses up; give fewer folds or more data."
        )
