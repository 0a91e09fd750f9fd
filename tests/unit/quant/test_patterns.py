# SPDX-License-Identifier: Apache-2.0
"""The matrix profile against the definition, written out window by window."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hean.errors import DataInvalid, NumberNotFinite, ParameterInvalid
from hean.quant import patterns
from hean.quant.patterns import left_neighbour, matrix_profile, recent_neighbours


def by_definition(values, window, exclusion, *, left):
    """For each window, distance and place of its nearest neighbour, in plain loops."""
    shapes = []
    for first in range(len(values) - window + 1):
        part = values[first : first + window]
        shapes.append((part - part.mean()) / part.std() if part.std() >= 1e-9 else None)
    found = []
    for at, shape in enumerate(shapes):
        best = (math.inf, -1)
        for other, candidate in enumerate(shapes[:at] if left else shapes):
            if shape is None or candidate is None or abs(at - other) <= exclusion:
                continue
            distance = math.sqrt(((shape - candidate) ** 2).sum())
            if distance < best[0] - 1e-9:
                best = (distance, other)
        found.append(best if best[1] >= 0 else (math.nan, -1))
    return [row[0] for row in found], [row[1] for row in found]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("block", [7, 512])
def test_the_profile_is_its_definition(monkeypatch, seed, block):
    monkeypatch.setattr(patterns, "BLOCK_ROWS", block)
    rng = np.random.default_rng(seed)
    window = (4, 8, 9, 20)[seed]
    values = 1e4 + rng.normal(size=90).cumsum()
    values[40 : 40 + window + 3] = values[40]  # a halt: flat windows have no shape
    exclusion = (None, 0, 5, 12)[seed]
    found = matrix_profile(values, window, exclusion=exclusion)
    apart = math.ceil(window / 4) if exclusion is None else exclusion
    for left, distance, index in (
        (False, found.distance, found.index),
        (True, found.left_distance, found.left_index),
    ):
        distances, places = by_definition(values, window, apart, left=left)
        assert index.tolist() == places
        assert distance == pytest.approx(distances, abs=1e-7, nan_ok=True)
    assert np.isnan(found.distance[40:43]).all()


def test_the_left_profile_never_looks_ahead():
    """The same entries come out when the future is cut off, and when it is another."""
    values = np.random.default_rng(9).normal(size=120).cumsum()
    whole = matrix_profile(values, 10)
    for cut in (40, 77, 119):
        part = matrix_profile(values[:cut], 10)
        assert part.left_index.tolist() == whole.left_index[: cut - 9].tolist()
        assert part.left_distance.tobytes() == whole.left_distance[: cut - 9].tobytes()
        place, distance = left_neighbour(values[:cut], 10)
        assert place == part.left_index[-1]
        assert distance == pytest.approx(part.left_distance[-1], abs=1e-12)
    assert any(whole.index[:40] > 49)  # the two-sided profile does look ahead


def test_only_the_shape_counts():
    values = np.random.default_rng(3).normal(size=80).cumsum()
    values[60:72] = 7.0 + 0.5 * values[10:22]
    found = matrix_profile(values, 12)
    assert found.motif == (10, 60)
    assert found.distance[60] == pytest.approx(0.0, abs=1e-7)
    scaled = matrix_profile(1e4 * values - 3.0, 12)
    assert scaled.distance == pytest.approx(found.distance, abs=1e-6)
    assert scaled.discord == found.discord
    assert found.distance.max() == found.distance[found.discord]


def test_without_neighbours_there_is_nothing():
    found = matrix_profile(np.arange(12.0) ** 2, 8, exclusion=8)
    assert (found.motif, found.discord) == (None, None)
    assert (found.index == -1).all()
    assert np.isnan(found.left_distance).all()
    for values in (np.arange(12.0) ** 2, np.ones(50)):
        place, distance = left_neighbour(values, 8, exclusion=8)
        assert place == -1
        assert math.isnan(distance)


def test_bad_input_is_refused():
    values = np.arange(20.0)
    for options in ({"window": 2}, {"window": 5, "exclusion": -1}):
        with pytest.raises(ParameterInvalid):
            matrix_profile(values, **options)
    with pytest.raises(DataInvalid):
        matrix_profile(values, 20)
    with pytest.raises(NumberNotFinite):
        left_neighbour([*values, math.inf], 5)


@pytest.mark.parametrize("block", [5, 128])
def test_recent_neighbours_are_those_of_the_bounded_past(monkeypatch, block):
    """At each row what `left_neighbour` says of the last rows alone, to the bit the same."""
    monkeypatch.setattr(patterns, "RECENT_ROWS", block)
    values = 3e4 + np.random.default_rng(3).normal(size=150).cumsum()
    values[60:75] = values[60]  # a halt
    distances, ago = recent_neighbours(values, 8, 40)
    for row in range(8, 150):
        last = values[max(0, row - 39) : row + 1]
        start, distance = left_neighbour(last, 8)
        assert distances[row] == pytest.approx(distance, abs=1e-7, nan_ok=True)
        assert ago[row] == (len(last) - 8 - start if start >= 0 else -1)
        alone = recent_neighbours(last, 8, 40)
        assert alone[0][-1:].tobytes() == distances[row : row + 1].tobytes()
        assert alone[1][-1] == ago[row]
    assert np.isnan(distances[:7]).all() and (ago[:7] == -1).all()


def test_recent_neighbours_repeat_exactly():
    shape = np.array([1.0, 4, 2, 8, 5, 7, 1, 3])
    values = np.concatenate([shape, np.arange(6.0) ** 1.5, 2 * shape + 10])
    distances, ago = recent_neighbours(values, 8, 22)
    assert distances[-1] == pytest.approx(0, abs=1e-12) and ago[-1] == 14
    assert recent_neighbours(values, 8, 21)[1][-1] != 14
    with pytest.raises(ParameterInvalid, match="past"):
        recent_neighbours(values, 8, 10)
    assert recent_neighbours(values[:5], 8, 22)[1].tolist() == [-1] * 5
