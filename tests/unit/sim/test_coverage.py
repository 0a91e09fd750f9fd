# SPDX-License-Identifier: Apache-2.0
"""Which fault can meet which state of an order, and what the table says of it."""

from __future__ import annotations

from collections import Counter

import pytest

from hean.cli_sim import _covered, _is_good
from hean.sim.campaign import WHOLE_SEEDS, Totals
from hean.sim.coverage import KINDS, NEVER, STATES, empty_of, rows_of, why_never, wrong_of
from hean.sim.recipes import DIALS

EVERY = [(kind, state) for kind in KINDS for state in STATES]
POSSIBLE = [cell for cell in EVERY if not why_never(*cell)]


def met(*, without: tuple[str, str] | None = None) -> Counter[tuple[str, str]]:
    """A table in which everything that can meet has."""
    return Counter(cell for cell in POSSIBLE if cell != without)


def test_every_kind_has_a_row_whether_it_acted_or_not() -> None:
    rows = dict(rows_of(Counter()))
    assert set(rows) == {*DIALS, "clock", "death", "disk_error", "disk_slow", "order"} | {
        *("net_cut", "net_mute", "net_refused", "net_slow"),
    }
    assert set(map(len, rows.values())) == {len(STATES) + 1}


def test_a_cell_is_empty_only_if_it_could_have_been_met() -> None:
    assert empty_of(met()) == []
    assert empty_of(met(without=("stall", "PARTIAL"))) == [("stall", "PARTIAL")]
    assert empty_of(Counter()) == POSSIBLE


def test_what_is_said_to_be_impossible_and_happens_is_told() -> None:
    assert wrong_of(met()) == []
    assert wrong_of(met() + Counter([("stall", "INTENT"), ("tsunami", "SENT")])) == [
        ("stall", "INTENT"),
        ("tsunami", "SENT"),
    ]


def test_every_reason_is_about_something_that_exists() -> None:
    for kinds, states, why in NEVER:
        assert kinds <= set(KINDS)
        assert states <= set(STATES)
        assert why


@pytest.mark.parametrize(
    "seeds, without, good",
    [
        (WHOLE_SEEDS, None, True),
        (WHOLE_SEEDS, ("adl", "UNKNOWN"), False),
        (WHOLE_SEEDS - 1, ("adl", "UNKNOWN"), True),
    ],
)
def test_many_seeds_have_met_everything_or_are_no_proof(
    seeds: int, without: tuple[str, str] | None, good: bool
) -> None:
    totals = Totals(seeds=seeds, cells=met(without=without))
    assert _is_good(totals) is good
    assert ("adl UNKNOWN" in _covered(totals)) is (without is not None)


def test_the_sentence_names_some_and_counts_the_rest() -> None:
    sentence = _covered(Totals(seeds=1))
    assert f"0 of {len(POSSIBLE)} combinations" in sentence
    assert f"and {len(POSSIBLE) - 10} more" in sentence
