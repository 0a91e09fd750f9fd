# SPDX-License-Identifier: Apache-2.0
"""Shapes of bars, each on bars drawn by hand that have it, and on the nearest that have not."""

from __future__ import annotations

import numpy as np
import pytest

from hean.quant.candles import SHAPES

NAMES = ("open", "high", "low", "close")
BEFORE = (100, 104, 99, 103)  # rising; falling mirrored


def of(*bars):
    """Columns."""
    return dict(zip(NAMES, np.array(bars, dtype=float).T, strict=True))


@pytest.mark.parametrize(
    ("name", "bars", "found"),
    [
        ("doji", [(100, 105, 95, 101)], 1),
        ("doji", [(100, 105, 95, 101.1)], 0),
        ("doji", [(100, 100, 100, 100)], 0),
        ("hammer", [(99, 100.5, 97, 100)], 1),
        ("hammer", [(100, 100.5, 97, 99)], 1),
        ("hammer", [(99, 100.6, 97, 100)], 0),
        ("hammer", [(99, 100.5, 97.1, 100)], 0),
        ("hammer", [(100, 100, 97, 100)], 0),
        ("shooting_star", [(100, 103, 98.5, 99)], 1),
        ("shooting_star", [(100, 101.9, 98.5, 99)], 0),
        ("engulfing_up", [(103, 104, 99, 100), (100, 105, 99, 104)], 1),
        ("engulfing_up", [(103, 104, 99, 100), (100, 105, 99, 103)], 0),
        ("engulfing_up", [BEFORE, (100, 105, 99, 104)], 0),
        ("engulfing_down", [BEFORE, (103, 104, 98, 99)], 1),
        ("engulfing_down", [BEFORE, (102.9, 104, 98, 99)], 0),
        ("inside_bar", [BEFORE, (101, 104, 99, 102)], 1),
        ("inside_bar", [BEFORE, (101, 104.1, 99, 102)], 0),
    ],
)
def test_a_shape_is_what_it_says(name, bars, found):
    function, memory = SHAPES[name]
    column = function(of(*bars))
    assert column[-1] == found and len(column) == len(bars)
    assert np.isnan(column[: memory - 1]).all()
