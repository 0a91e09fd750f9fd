# SPDX-License-Identifier: Apache-2.0
"""Pairs screening: planted pairs are found, noise is not, and luck does not survive."""

from __future__ import annotations

import numpy as np
import pytest

from hean.errors import DataInvalid, NumberNotFinite, ParameterInvalid, UnknownField
from hean.quant.screening import (
    NOT_COINTEGRATED,
    NOT_SURVIVED,
    NOT_TESTED,
    TOO_FAST_OR_SLOW,
    screen_pairs,
)

ROWS, SPLIT = 1200, 700


def market(seed: int, *, half_life: float = 15.0, ends: int = ROWS) -> dict[str, np.ndarray]:
    """Four walks, and B, which follows 1.7 A until row *ends*."""
    rng = np.random.default_rng(seed)
    prices = {name: 100.0 + rng.normal(size=ROWS).cumsum() for name in "ACDE"}
    phi = 0.5 ** (1.0 / half_life)
    spread = np.zeros(ROWS)
    for at in range(1, ROWS):
        spread[at] = (phi if at < ends else 1.0) * spread[at - 1] + rng.normal()
    return {**prices, "B": 1.7 * prices["A"] + 5.0 + spread}


def test_the_planted_pair_is_kept_and_no_other():
    verdicts = screen_pairs(market(4), SPLIT)
    assert len(verdicts) == 10
    (kept,) = [verdict for verdict in verdicts if verdict.is_kept]
    assert (kept.y, kept.x) == ("B", "A")
    assert kept.slope == pytest.approx(1.7, abs=0.1)
    assert 8.0 < kept.half_life < 25.0
    assert kept.p_value < kept.adjusted < 0.05
    assert kept.next_p_value < 0.05
    assert {v.problem for v in verdicts if not v.is_kept} == {NOT_COINTEGRATED}


def test_a_pair_that_parted_does_not_survive():
    (verdict,) = screen_pairs(market(1, ends=SPLIT), SPLIT, pairs=[("A", "B")])
    assert verdict.problem == NOT_SURVIVED
    assert verdict.next_p_value > 0.05 or verdict.next_half_life > 500.0


def test_half_lives_outside_the_limits_fall():
    (verdict,) = screen_pairs(market(2, half_life=1.0), SPLIT, pairs=[("B", "A")])
    assert verdict.problem == TOO_FAST_OR_SLOW
    limits = (0.5, 500.0)
    (verdict,) = screen_pairs(
        market(2, half_life=1.0), SPLIT, pairs=[("B", "A")], half_lives=limits
    )
    assert verdict.is_kept


def test_the_next_window_decides_nothing_before_its_turn():
    prices = market(3)
    changed = {name: np.r_[v[:SPLIT], v[:SPLIT][: ROWS - SPLIT]] for name, v in prices.items()}
    for one, other in zip(screen_pairs(prices, SPLIT), screen_pairs(changed, SPLIT), strict=True):
        assert (one.slope, one.adjusted, one.half_life) == (
            other.slope,
            other.adjusted,
            other.half_life,
        )


def test_more_candidates_make_the_same_pair_harder_to_keep():
    prices = market(4)
    (alone,) = screen_pairs(prices, SPLIT, pairs=[("B", "A")])
    among = next(v for v in screen_pairs(prices, SPLIT) if {v.y, v.x} == {"A", "B"})
    assert among.p_value == alone.p_value == alone.adjusted
    assert among.adjusted == pytest.approx(10 * alone.p_value, rel=1e-9)


def test_what_cannot_be_tested_counts_and_says_why():
    prices = {**market(5), "halted": np.full(ROWS, 3.0)}
    verdicts = screen_pairs(prices, SPLIT, pairs=[("A", "halted"), ("B", "A")])
    assert verdicts[0].problem.startswith(NOT_TESTED)
    assert verdicts[0].p_value == 1.0
    assert verdicts[1].adjusted == pytest.approx(2 * verdicts[1].p_value)
    assert screen_pairs(prices, SPLIT, pairs=[]) == []


def test_bad_input_is_refused():
    prices = market(6)
    with pytest.raises(UnknownField, match="Z"):
        screen_pairs(prices, SPLIT, pairs=[("A", "Z")])
    with pytest.raises(DataInvalid):
        screen_pairs({**prices, "A": prices["A"][:-1]}, SPLIT)
    for split in (10, ROWS - 10):
        with pytest.raises(ParameterInvalid):
            screen_pairs(prices, split)
    with pytest.raises(NumberNotFinite):
        screen_pairs({**prices, "A": np.r_[np.nan, prices["A"][1:]]}, SPLIT)


def test_of_walks_that_have_nothing_in_common_hardly_any_is_kept():
    """Fifteen pairs each in twenty markets: 5 % without care would be fifteen finds."""
    kept = 0
    for seed in range(20):
        walks = np.random.default_rng(seed).normal(size=(6, 300)).cumsum(axis=1)
        verdicts = screen_pairs({str(at): 100.0 + walk for at, walk in enumerate(walks)}, 180)
        kept += sum(verdict.is_kept for verdict in verdicts)
    assert kept <= 1
