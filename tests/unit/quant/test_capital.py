# SPDX-License-Identifier: Apache-2.0
"""Division of capital: against a grid that tries everything, a closed form, and the way seats are
given to parties.
"""

from __future__ import annotations

import itertools
import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hean.errors import ParameterInvalid
from hean.quant.capital import Belief, believed, routed, whole_lots

FLAT = Belief(0.0, 1.0)


def test_a_belief_is_the_mean_weighted_with_the_prior() -> None:
    """Five returns with the noise of the prior count as five to one."""
    found = believed([0.6] * 5, prior=FLAT, noise=1.0)
    assert found == pytest.approx((0.5, 1 / 6))
    assert found.floor(2.0) == pytest.approx(0.5 - 2 / math.sqrt(6))
    assert believed([], prior=FLAT, noise=0.1) == FLAT


@given(st.lists(st.floats(-0.1, 0.1), min_size=1, max_size=30))
def test_learning_one_by_one_is_learning_at_once(returns: list[float]) -> None:
    step = FLAT
    for each in returns:
        step = believed([each], prior=step, noise=0.03)
    assert step == pytest.approx(believed(returns, prior=FLAT, noise=0.03), abs=1e-9)


def test_a_belief_without_noise_is_refused() -> None:
    with pytest.raises(ParameterInvalid, match="above 0"):
        believed([0.1], prior=FLAT, noise=0.0)


def value(x, case) -> np.ndarray:
    """What `routed` maximises, written out; *x*: of shape (..., works)."""
    risk = np.einsum("...i,ij,...j", x, case["covariance"], x)
    moved = np.abs(x - case["held"]) @ case["costs"]
    return x @ case["scores"] - case["aversion"] * risk / 2 - moved


def drawn(seed: int, count: int) -> dict[str, object]:
    draw = np.random.default_rng(seed)
    loads = draw.normal(0, 0.02, (count, count))
    held = draw.dirichlet(np.ones(count + 1))[:count]
    rows = np.vstack([np.ones(count), np.eye(count), draw.integers(0, 2, count)])
    limits = np.concatenate([[draw.uniform(0.5, 1)], draw.uniform(0.2, 0.9, count), [0.5]])
    return {
        "scores": draw.normal(0, 0.001, count),
        "covariance": loads @ loads.T + np.eye(count) * 1e-5,
        "held": held,
        "costs": draw.uniform(0, 0.0005, count),
        "lower": np.where(draw.random(count) < 0.3, 0.1, 0.0),
        "rows": rows,
        "limits": limits,
        "aversion": 4.0,
    }


def is_allowed(x, case, tolerance: float) -> np.ndarray:
    lower = case["lower"]
    most = np.maximum(case["limits"], case["rows"] @ lower)
    within = (x @ case["rows"].T <= most + tolerance).all(axis=-1)
    return within & (x >= lower - tolerance).all(axis=-1)


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("seed", range(12))
def test_nothing_on_a_grid_is_better(count: int, seed: int) -> None:
    """A grid of 2.5 % over all shares, and the present ones; none that is allowed beats it."""
    case = drawn(seed, count)
    found = routed(case.pop("scores"), case.pop("covariance"), **case)
    case = drawn(seed, count)
    axis = np.linspace(0, 1, 41)
    grid = np.array(list(itertools.product(axis, repeat=count)))
    grid = np.vstack([grid, case["held"]])
    grid = grid[is_allowed(grid, case, 1e-12)]
    assert is_allowed(found, case, 1e-5)
    assert value(found, case) >= value(grid, case).max() - 1e-8


def test_without_walls_it_is_the_closed_form() -> None:
    covariance = np.array([[4e-4, 1e-4], [1e-4, 9e-4]])
    scores = np.array([2e-4, 3e-4])
    found = routed(
        scores, covariance, held=[0.3, 0.2], costs=[0, 0], lower=[0, 0],
        rows=[[1, 1]], limits=[5], aversion=4.0,
    )  # fmt: skip
    assert found == pytest.approx(np.linalg.solve(4 * covariance, scores), abs=1e-6)


def test_a_move_that_does_not_pay_is_not_made() -> None:
    """The cost of turnover leaves a zone in which nothing moves."""
    place = {"lower": [0.0], "rows": [[1.0]], "limits": [1.0], "aversion": 4.0}
    for scores in (1.9e-4, 2.1e-4):  # the best share is 0.475 and 0.525
        assert routed([scores], [[1e-4]], held=[0.5], costs=[2e-5], **place) == [0.5]
    assert routed([4e-4], [[1e-4]], held=[0.5], costs=[2e-5], **place) == pytest.approx([0.95])


def test_what_is_promised_stays_though_a_cap_is_lower() -> None:
    found = routed(
        [1e-3, 1e-3], np.eye(2) * 1e-4, held=[0.6, 0.0], costs=[0, 0], lower=[0.6, 0.0],
        rows=[[1, 1]], limits=[0.5], aversion=4.0,
    )  # fmt: skip
    assert found == pytest.approx([0.6, 0.0], abs=1e-6)


def hamilton(shares: list[Decimal], seats: int) -> list[int]:
    """Seats by largest remainder, as parliaments do it; ties to the first."""
    whole = [int(share) for share in shares]
    order = sorted(range(len(shares)), key=lambda i: (-(shares[i] - whole[i]), i))
    for place in order[: seats - sum(whole)]:
        whole[place] += 1
    return whole


@given(st.lists(st.integers(0, 4_000), min_size=1, max_size=6), st.data())
def test_whole_lots_are_seats_by_largest_remainder(thousandths: list[int], data) -> None:
    """Shares that add up to whole seats: the last one is chosen to make it so."""
    total = -(-sum(thousandths) // 1_000)
    thousandths.append(total * 1_000 - sum(thousandths))
    shares = [Decimal(each) / 1_000 for each in thousandths]
    lot = data.draw(st.sampled_from([1.0, 100.0, 0.25]))
    found = whole_lots(
        [float(share) * lot for share in shares], [lot] * len(shares), held=[0.0] * len(shares),
        rows=np.ones((1, len(shares))), limits=[total * lot],
    )  # fmt: skip
    assert found == hamilton(shares, total)


@given(st.integers(0, 10_000))
def test_whole_lots_keep_every_cap_and_stay_near_what_is_wished(seed: int) -> None:
    draw = np.random.default_rng(seed)
    count = int(draw.integers(1, 6))
    lots = draw.choice([50.0, 100.0, 250.0], count)
    wished, held = draw.uniform(0, 3_000, count), draw.uniform(0, 3_000, count)
    rows = np.vstack([np.ones(count), draw.integers(0, 2, count)])
    limits = rows @ wished + draw.uniform(0, 200, 2)
    moves = whole_lots(wished, lots, held=held, rows=rows, limits=limits)
    after = held + np.array(moves) * lots
    assert (rows @ after <= limits + 0.1).all()
    assert (np.abs(after - wished) < lots * 1.001).all()
    assert after.sum() <= wished.sum() + 0.1


def test_who_is_below_the_least_gets_a_lot_first() -> None:
    place = {"held": [0, 0], "rows": [[1, 1]], "limits": [300]}
    assert whole_lots([150, 150], [100, 100], **place) == [2, 1]
    assert whole_lots([150, 150], [100, 100], lower=[0, 150], **place) == [1, 2]


def test_a_lot_of_nothing_is_refused() -> None:
    with pytest.raises(ParameterInvalid, match="lots"):
        whole_lots([1], [0], held=[0], rows=[[1]], limits=[1])
