# SPDX-License-Identifier: Apache-2.0
"""Folds that know nothing of each other's answers."""

from __future__ import annotations

import numpy as np
import pytest

from hean.errors import ParameterInvalid
from hean.quant.cross_validation import purged_k_fold


@pytest.mark.parametrize(("folds", "embargo"), [(2, 0), (5, 0), (6, 7)])
def test_no_training_label_overlaps_the_tested_block(folds, embargo):
    starts = np.arange(100)
    ends = starts + 3 + starts % 4
    tested = []
    for train, test in purged_k_fold(starts, ends, folds, embargo=embargo):
        tested += test.tolist()
        low, high = starts[test].min(), ends[test].max()
        for row in train:
            assert ends[row] < low or starts[row] > high + embargo
        dropped = set(range(100)) - set(train.tolist()) - set(test.tolist())
        assert len(dropped) <= 2 * 7 + embargo + 1
    assert sorted(tested) == list(range(100))


@pytest.mark.parametrize(("folds", "embargo"), [(1, 0), (101, 0), (5, -1)])
def test_folds_that_are_none_are_refused(folds, embargo):
    with pytest.raises(ParameterInvalid):
        list(purged_k_fold(np.arange(100), np.arange(100), folds, embargo=embargo))
