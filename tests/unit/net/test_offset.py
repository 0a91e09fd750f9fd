# SPDX-License-Identifier: Apache-2.0
"""The venue's clock against ours: what is estimated, corrected and too much."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hean.net.offset import EVERY_S, ROUND, ClockOffset

MS_NS = 1_000_000
NOW_NS = 1_700_000_000_000 * MS_NS


def estimate(offset_ms: float, trips_ms: list[tuple[int, int]]) -> ClockOffset:
    """A round in which each answer takes its two times, there and back."""
    offset = ClockOffset()
    for there_ms, back_ms in trips_ms:
        server_ns = NOW_NS + int((there_ms + offset_ms) * MS_NS)
        offset.sample(NOW_NS, server_ns, NOW_NS + (there_ms + back_ms) * MS_NS)
    return offset


def test_a_round_is_five_questions_every_thirty_seconds():
    assert (ROUND, EVERY_S) == (5, 30)
    offset = ClockOffset()
    renewed = [offset.sample(NOW_NS, NOW_NS + 400 * MS_NS, NOW_NS) for _ in range(10)]
    assert renewed == [False, False, False, False, True] * 2
    assert offset.rounds == 2


def test_half_the_journey_is_taken_off():
    assert estimate(600, [(20, 20)] * 5).offset_ns == 600 * MS_NS


def test_two_slow_answers_of_five_do_not_move_the_estimate():
    trips = [(5, 5), (900, 5), (5, 5), (5, 2_000), (5, 5)]
    assert estimate(0, trips).offset_ns == 0


@pytest.mark.parametrize("offset_ms", [0, 100, -100, 250, -250])
def test_a_small_offset_is_left_alone(offset_ms):
    offset = estimate(offset_ms, [(1, 1)] * 5)
    assert offset.correction_ns == 0
    assert offset.warning() == ""
    assert not offset.halts()


@pytest.mark.parametrize(("offset_ms", "word"), [(500, "ahead of"), (-500, "behind")])
def test_a_larger_offset_is_corrected_and_told(offset_ms, word):
    offset = estimate(offset_ms, [(1, 1)] * 5)
    assert offset.correction_ns == offset_ms * MS_NS
    assert f"500 ms {word}" in offset.warning()
    assert not offset.halts()


@pytest.mark.parametrize("offset_ms", [2_000, -2_000, 3_600_000])
def test_beyond_a_second_nothing_new_is_opened(offset_ms):
    assert estimate(offset_ms, [(1, 1)] * 5).halts()


def test_a_clock_that_was_set_right_is_no_longer_corrected():
    offset = estimate(2_000, [(1, 1)] * 5)
    for _ in range(ROUND):
        offset.sample(NOW_NS, NOW_NS, NOW_NS)
    assert (offset.correction_ns, offset.halts(), offset.warning()) == (0, False, "")


@given(
    st.integers(-5_000, 5_000),
    st.lists(st.tuples(st.integers(0, 80), st.integers(0, 80)), min_size=5, max_size=5),
)
def test_the_error_is_never_more_than_half_the_longest_journey(offset_ms, trips_ms):
    error_ns = abs(estimate(offset_ms, trips_ms).offset_ns - offset_ms * MS_NS)
    assert error_ns <= max(there + back for there, back in trips_ms) * MS_NS / 2
