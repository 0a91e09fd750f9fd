# SPDX-License-Identifier: Apache-2.0
"""Splits: nothing is learned next to what is judged, every row is judged as often as promised."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hean.errors import ParameterInvalid
from hean.quant.cross_validation import (
    blocks,
    combinatorial_splits,
    path_count,
    paths,
    purged_folds,
    walk_forward,
)

SIZES = (st.integers(50, 120), st.integers(3, 6), st.integers(1, 2), st.integers(0, 3))


@given(*SIZES, st.integers(0, 2))
def test_no_learned_row_is_near_a_judged_one(count, folds, test_folds, purge, embargo):
    splits = list(combinatorial_splits(count, folds, test_folds, purge=purge, embargo=embargo))
    assert len(splits) == comb(folds, test_folds)
    for split in splits:
        judged = np.zeros(count, dtype=bool)
        for block in split.test:
            judged[block] = True
        for row in split.train:
            assert not judged[max(row - purge - embargo, 0) : row + 1].any()
            assert not judged[row : row + purge + 1].any()
    judged_rows = np.concatenate([block for split in splits for block in split.test])
    assert (np.bincount(judged_rows) == comb(folds - 1, test_folds - 1)).all()


def test_labels_of_any_length_are_purged():
    """Each label looks up to five rows ahead; no learned label may meet a judged one."""
    ends = [min(row + row % 6, 59) for row in range(60)]
    for split in purged_folds(60, 5, label_end=ends, embargo=2):
        (block,) = split.test
        reach = max(ends[row] for row in block)
        for row in split.train:
            assert ends[row] < block[0] or row > reach + 2


def test_every_path_judges_every_fold_once():
    found = paths(6, 2)
    assert len(found) == path_count(6, 2) == 5
    splits = list(combinatorial_splits(60, 6, 2))
    for path in found:
        assert all(fold in splits[judge].folds for fold, judge in enumerate(path))
    for fold in range(6):
        judges = [path[fold] for path in found]
        assert len(set(judges)) == 5


def test_walking_forward_never_learns_from_what_follows():
    for is_growing in (True, False):
        steps = list(walk_forward(100, train=30, test=12, purge=3, is_growing=is_growing))
        assert len(steps) == 5
        for step in steps:
            (block,) = step.test
            assert step.train[-1] == block[0] - 4
            assert step.train[0] == (0 if is_growing else block[0] - 33)
        assert np.diff(np.concatenate([step.test[0] for step in steps])).max() == 1


def test_the_last_block_takes_what_is_left_over():
    assert [len(block) for block in blocks(14, 4)] == [3, 3, 3, 5]


@pytest.mark.parametrize(
    "call",
    [
        lambda: blocks(3, 4),
        lambda: list(combinatorial_splits(12, 3, 3)),
        lambda: list(combinatorial_splits(12, 3, 1, purge=2, embargo=1)),
        lambda: list(combinatorial_splits(12, 3, 1, purge=-1)),
        lambda: list(walk_forward(10, train=8, test=2, purge=1)),
    ],
)
def test_what_does_not_fit_is_refused(call):
    with pytest.raises(ParameterInvalid):
        call()
