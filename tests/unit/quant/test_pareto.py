# SPDX-License-Identifier: Apache-2.0
"""Choosing by several objectives, against definitions in plain loops and sampled volumes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hean.errors import DataInvalid, NumberNotFinite
from hean.quant.pareto import crowding, dominance, fronts, hypervolume


def dominates(a, b):
    return all(x <= y for x, y in zip(a, b, strict=True)) and tuple(a) != tuple(b)


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_fronts_peel_off_what_nothing_left_dominates(k):
    values = np.random.default_rng(k).integers(0, 6, size=(60, k)).astype(float)
    left, expected = set(range(60)), []
    while left:
        front = {
            i for i in left if not any(dominates(values[j], values[i]) for j in left if j != i)
        }
        expected.append(sorted(front))
        left -= front
    assert [front.tolist() for front in fronts(values)] == expected
    for i, j in ((3, 7), (7, 3), (5, 5)):
        assert dominance(values)[i, j] == dominates(values[i], values[j])


def test_crowding_is_the_room_between_neighbours():
    front = [[0.0, 10.0], [1.0, 7.0], [2.0, 5.0], [4.0, 3.5], [7.0, 1.0], [10.0, 0.0]]
    expected = [math.inf, (0.2 + 0.5) / 2, (0.3 + 0.35) / 2, 0.45, 0.475, math.inf]
    assert crowding(front) == pytest.approx(expected)
    order = [3, 0, 5, 1, 4, 2]
    assert crowding(np.array(front)[order]) == pytest.approx(np.array(expected)[order])


def test_crowding_of_equal_rows_and_dead_objectives():
    twice = [[0.0, 2.0], [1.0, 1.0], [1.0, 1.0], [2.0, 0.0]]
    assert crowding(twice) == pytest.approx([math.inf, 1.0, 0.0, math.inf])
    same_second = [[0.0, 5.0], [1.0, 5.0], [3.0, 5.0]]
    assert crowding(same_second) == pytest.approx([math.inf, 0.5, math.inf])
    tied = [[1.0, 0.0], [0.0, 1.0], [1.0, 4.0], [3.0, 9.0]]  # of the two ones the earlier is lower
    assert crowding(tied) == pytest.approx([math.inf, math.inf, (2 / 3 + 8 / 9) / 2, math.inf])
    assert crowding([[1.0, 1.0], [2.0, 0.0]]).tolist() == [math.inf, math.inf]


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_hypervolume_is_the_share_of_points_dominated(k):
    rng = np.random.default_rng(k)
    values = rng.random((8, k))
    sampled = rng.random((40_000, k))
    share = (values[None] <= sampled[:, None]).all(axis=2).any(axis=1).mean()
    assert hypervolume(values, np.ones(k)) == pytest.approx(share, abs=0.01)


def test_hypervolume_laws():
    values = np.random.default_rng(6).random((10, 3))
    worst = np.ones(3)
    volume = hypervolume(values, worst)
    assert hypervolume(np.r_[values, values[:3]], worst) == pytest.approx(volume)
    assert hypervolume(values[:, ::-1], worst) == pytest.approx(volume)
    assert hypervolume(np.r_[values, [[0.5, 0.5, 2.0]]], worst) == pytest.approx(volume)
    assert hypervolume(2.0 * values, 2.0 * worst) == pytest.approx(8.0 * volume)
    assert hypervolume([[0.0, 0.0, 0.0]], worst) == pytest.approx(1.0)
    assert hypervolume([[1.0, 0.0, 0.0]], worst) == 0.0
    assert hypervolume(values[fronts(values)[0]], worst) == pytest.approx(volume)


def test_bad_input_is_refused():
    for call in (fronts, crowding, lambda v: hypervolume(v, [1.0, 1.0])):
        with pytest.raises(NumberNotFinite):
            call([[0.0, math.nan]])
        with pytest.raises(DataInvalid):
            call(np.empty((0, 2)))
    with pytest.raises(DataInvalid):
        hypervolume([[0.0, 0.0]], [1.0, 1.0, 1.0])
