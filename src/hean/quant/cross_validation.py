# SPDX-License-Identifier: Apache-2.0
"""`cross_validation.py`: which observations to learn from and which to be judged on. Next to a test
block nothing is learned: *purge* leaves out rows on both sides whose labels would reach into it,
*embargo* leaves out more after it, because features remember. Rows are in order of time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from math import comb

import msgspec
import numpy as np
import numpy.typing as npt

from hean.errors import ParameterInvalid

Places = npt.NDArray[np.int64]


class Split(msgspec.Struct, frozen=True):
    """Row numbers to learn from, and the test blocks, each with its fold number."""

    train: Places
    test: tuple[Places, ...]
    folds: tuple[int, ...]


def blocks(count: int, folds: int) -> list[Places]:
    """*count* rows in *folds* blocks of equal length; the last one takes what is left over.

    *Raises*: `ParameterInvalid` with less than two folds or an empty one.
    """
    if not 2 <= folds <= count:
        raise ParameterInvalid(f"{folds} folds of {count} observations; allowed: 2 to {count}.")
    places = np.arange(count, dtype=np.int64)
    size = count // folds
    return [
        places[fold * size : count if fold == folds - 1 else (fold + 1) * size]
        for fold in range(folds)
    ]


def combinatorial_splits(
    count: int,
    folds: int,
    test_folds: int,
    *,
    purge: int = 0,
    embargo: int = 0,
    label_end: Sequence[int] | None = None,
) -> Iterator[Split]:
    """Every choice of *test_folds* blocks out of *folds*, in lexicographic order.

    *purge*, *embargo*: rows. *label_end*: for each row the last row its label looks at; rows whose
    interval meets a test block are left out too. *Raises*: `ParameterInvalid`.
    *Source*: Lopez de Prado 2018, chapters 7 and 12.
    """
    if not 1 <= test_folds < folds:
        raise ParameterInvalid(f"{test_folds} test folds of {folds}; allowed: 1 to {folds - 1}.")
    if purge < 0 or embargo < 0:
        raise ParameterInvalid("purge and embargo cannot be negative.")
    parts = blocks(count, folds)
    if purge + embargo >= count // folds - 1:
        raise ParameterInvalid(
            f"purge {purge} and embargo {embargo} leave nothing of a fold of {count // folds} "
            "observations."
        )
    ends = None if label_end is None else np.asarray(label_end, dtype=np.int64)
    for chosen in combinations(range(folds), test_folds):
        is_train = np.ones(count, dtype=np.bool_)
        for fold in chosen:
            first, last = int(parts[fold][0]), int(parts[fold][-1])
            is_train[max(first - purge, 0) : last + 1] = False
            follows = fold + 1 < folds and fold + 1 not in chosen
            reach = last + 1 + purge + embargo if follows else last + 1
            is_train[last + 1 : reach] = False
            if ends is not None:
                _purge_labels(is_train, ends, first, last=last, embargo=embargo)
        yield Split(np.flatnonzero(is_train), tuple(parts[fold] for fold in chosen), chosen)


def _purge_labels(
    is_train: npt.NDArray[np.bool_], ends: Places, first: int, *, last: int, embargo: int
) -> None:
    """Leave out rows whose label overlaps the labels of a test block, and the embargo after it."""
    reach = int(ends[first : last + 1].max())
    rows = np.arange(ends.size)
    is_train[(ends >= first) & (rows <= reach + embargo)] = False


def purged_folds(
    count: int,
    folds: int,
    *,
    purge: int = 0,
    embargo: int = 0,
    label_end: Sequence[int] | None = None,
) -> Iterator[Split]:
    """Purged K-fold cross-validation: each block is the test once. Arguments as
    `combinatorial_splits`.
    """
    return combinatorial_splits(count, folds, 1, purge=purge, embargo=embargo, label_end=label_end)


def path_count(folds: int, test_folds: int) -> int:
    """How many whole histories the tests of all splits make."""
    return comb(folds, test_folds) * test_folds // folds


def paths(folds: int, test_folds: int) -> list[list[int]]:
    """Histories made of tests: for each path, the number of the split that judges each fold."""
    chosen = list(combinations(range(folds), test_folds))
    judges = [[n for n, each in enumerate(chosen) if fold in each] for fold in range(folds)]
    return [[judge[path] for judge in judges] for path in range(path_count(folds, test_folds))]


def walk_forward(
    count: int, *, train: int, test: int, purge: int = 0, is_growing: bool = False
) -> Iterator[Split]:
    """Learn from *train* rows, leave *purge* out, test on the next *test* rows; then move on by as
    many. A last test that would be shorter is left out. *is_growing*: learn from the start on.

    *Raises*: `ParameterInvalid` if not even one test fits.
    """
    if train < 1 or test < 1 or purge < 0 or train + purge + test > count:
        raise ParameterInvalid(
            f"train {train}, purge {purge} and test {test} do not fit into {count} observations."
        )
    places = np.arange(count, dtype=np.int64)
    starts = range(train + purge, count - test + 1, test)
    for number, start in enumerate(starts):
        end = start - purge
        learned = places[0 if is_growing else end - train : end]
        yield Split(learned, (places[start : start + test],), (number,))
