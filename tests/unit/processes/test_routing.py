# SPDX-License-Identifier: Apache-2.0
"""Who gets how much: caps, locks and the reserve hold whatever is claimed; one of those on trial
gets their budget; and whoever is worth more gets more.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hean.processes.routing import Claim, Terms, caps_of, moves
from hean.quant.capital import Belief

TERMS = Terms(
    reserve=0.05, exploration=0.05, venue_max=1.0, factor_max=1.0, aversion=4.0, doubt=1.0,
    horizon=30.0,
)  # fmt: skip
CLAIM = Claim(
    is_on_trial=False, belief=Belief(0.0, 1e-8), held=0.0, locked=0.0, least=0.0, most=1.0,
    lot=0.01, cost=0.002, venues=frozenset({""}), factors=frozenset(),
)  # fmt: skip
names = st.sampled_from(["a", "b"])


@st.composite
def claimed(draw) -> Claim:
    held = draw(st.floats(0, 0.2))
    return Claim(
        is_on_trial=draw(st.booleans()),
        belief=Belief(draw(st.floats(-0.002, 0.004)), draw(st.floats(1e-10, 1e-6))),
        held=held,
        locked=draw(st.sampled_from([0.0, held])),
        least=draw(st.sampled_from([0.0, 0.1, 0.4])),
        most=draw(st.sampled_from([0.1, 0.4, 0.95])),
        lot=draw(st.sampled_from([0.01, 0.001])),
        cost=draw(st.sampled_from([0.0, 0.002])),
        venues=frozenset(draw(st.lists(names, max_size=2))),
        factors=frozenset(draw(st.lists(names, max_size=2))),
    )


@given(
    st.lists(claimed(), min_size=1, max_size=4),
    st.sampled_from([1.0, 0.3]),
    st.sampled_from([1.0, 0.5]),
    st.sampled_from([0.0, 0.1]),
    st.integers(0, 1_000),
)
def test_caps_locks_and_the_reserve_hold(claims, venue_max, factor_max, elsewhere, epoch) -> None:
    terms = TERMS._replace(venue_max=venue_max, factor_max=factor_max)
    covariance = np.eye(len(claims)) * 4e-4
    lots = moves(claims, covariance, terms, elsewhere=elsewhere, draw=(7, epoch))
    after = np.array([it.held + n * it.lot for it, n in zip(claims, lots, strict=True)])
    caps = caps_of(claims, terms, elsewhere=elsewhere)
    assert all(isinstance(count, int) for count in lots)
    assert (caps.rows @ after <= caps.limits + 1e-5).all()
    for it, share in zip(claims, after, strict=True):
        # The last part of a lot is called back with the lots before it.
        assert share >= it.locked - 1e-9 if it.locked else share > -it.lot
    locked = sum(it.locked for it in claims)
    assert after.sum() <= max(1 - terms.reserve - elsewhere, locked) + 1e-5
    tried = [(it, x) for it, x in zip(claims, after, strict=True) if it.is_on_trial]
    kept = sum(it.locked for it, _ in tried)
    assert sum(x for _, x in tried) <= max(terms.exploration, kept) + 1e-5
    assert sum(x > it.locked + it.lot for it, x in tried) <= 1


def test_the_same_draw_gives_the_same_and_another_epoch_may_not() -> None:
    claims = [CLAIM._replace(is_on_trial=True, belief=Belief(0.0, 1e-6))] * 3
    found = [
        moves(claims, np.eye(3), TERMS, elsewhere=0.0, draw=(7, epoch))
        for epoch in (*range(30), *range(30))
    ]
    assert found[:30] == found[30:]
    assert sorted(set(map(tuple, found))) == [(0, 0, 5), (0, 5, 0), (5, 0, 0)]


def test_a_minimum_is_given_and_what_is_more_has_to_be_earned() -> None:
    poor = CLAIM._replace(least=0.3, belief=Belief(-0.001, 1e-8))
    rich = CLAIM._replace(least=0.3, belief=Belief(0.001, 1e-8))
    found = moves([poor, rich], np.eye(2) * 4e-4, TERMS, elsewhere=0.0, draw=(0, 0))
    # (1e-3 - 1e-4 - 0.002 / 30) / (4 * 4e-4) = 0.52, and the lot is a hundredth
    assert found == [30, 52]


def test_minima_give_way_to_the_reserve_in_proportion() -> None:
    claims = [CLAIM._replace(least=0.6), CLAIM._replace(least=0.3)]
    found = moves(claims, np.eye(2) * 4e-4, TERMS, elsewhere=0.5, draw=(0, 0))
    assert sum(found) == pytest.approx(45, abs=1)
    assert found[0] == pytest.approx(30, abs=1)


@pytest.mark.parametrize("seed", range(40))
def test_locked_capital_beyond_every_cap_stays_to_the_last_digit(seed: int) -> None:
    """Caps are lifted to what is locked; rounding of that sum must not be taken for room."""
    draw = np.random.default_rng(seed)
    locked = draw.uniform(0.2, 0.3, 5)
    claims = [CLAIM._replace(held=x, locked=x, most=0.1, factors=frozenset("a")) for x in locked]
    terms = TERMS._replace(factor_max=0.3)
    assert moves(claims, np.eye(5) * 4e-4, terms, elsewhere=0.0, draw=(0, seed)) == [0] * 5
