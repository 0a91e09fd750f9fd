# SPDX-License-Identifier: Apache-2.0
"""When a venue counts as closed, and when as open again."""

from __future__ import annotations

import pytest

from hean.venues.maintenance import Maintenance

S_NS = 1_000_000_000
START_NS = 5_000 * S_NS


def told(*answers: tuple[int | None, float]) -> Maintenance:
    """Answers with these codes, so many seconds after the start."""
    maintenance = Maintenance()
    for code, after_s in answers:
        maintenance.answered(code, START_NS + int(after_s * S_NS))
    return maintenance


@pytest.mark.parametrize(
    ("answers", "is_closed"),
    [
        ([], False),
        ([(-1016, 0)], False),
        ([(-1016, 0), (-1016, 1)], False),
        ([(-1016, 0), (-1016, 1), (-1016, 2)], True),
        ([(10016, 0), (10019, 1), (10016, 10)], True),
        ([(10016, 0), (10019, 1), (10016, 10.5)], False),
        ([(10016, 0), (0, 0.5), (10016, 1), (None, 1.5), (10016, 2)], True),
        ([(0, 0), (None, 1), (-2011, 2), (10001, 3)], False),
        ([(10016, 20 * each) for each in range(10)], False),
    ],
)
def test_several_answers_in_a_short_while_mean_closed_and_one_a_hiccup(answers, is_closed):
    assert told(*answers).is_closed is is_closed


@pytest.mark.parametrize(
    ("began_s", "now_s", "is_closed"),
    [
        (40, 40, False),
        (10, 40, False),
        (1, 40, True),  # the reading began before the last bad answer
        (31, 31, True),  # too soon
        (32, 32, False),
    ],
)
def test_it_is_open_again_after_thirty_clean_seconds_and_a_whole_reading(began_s, now_s, is_closed):
    maintenance = told((-1016, 0), (-1016, 1), (-1016, 2))
    maintenance.read(START_NS + began_s * S_NS, START_NS + now_s * S_NS)
    assert maintenance.is_closed is is_closed


def test_one_more_bad_answer_while_it_is_closed_begins_the_wait_anew():
    maintenance = told((-1016, 0), (-1016, 1), (-1016, 2), (-1016, 20))
    maintenance.read(START_NS + 40 * S_NS, START_NS + 40 * S_NS)
    assert maintenance.is_closed
    maintenance.read(START_NS + 50 * S_NS, START_NS + 50 * S_NS)
    assert not maintenance.is_closed


@pytest.mark.parametrize(
    ("begins_in_s", "is_closed"), [(600, False), (121, False), (120, True), (0, True), (-60, True)]
)
def test_an_announced_one_closes_before_it_begins(begins_in_s, is_closed):
    maintenance = Maintenance()
    maintenance.announced(begins_in_s * S_NS, START_NS)
    assert maintenance.is_closed is is_closed
