# SPDX-License-Identifier: Apache-2.0
"""Labels against the plainest walk through the bars, and the same outcomes found bar by bar."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hean.errors import ParameterInvalid
from hean.quant.labels import Barriers, BarrierWatch, triple_barrier, uniqueness


def bars(seed, count=400):
    draws = np.random.default_rng(seed)
    closes = 100 * np.exp(np.cumsum(draws.normal(0, 0.01, count)))
    opens = np.concatenate([[100.0], closes[:-1]]) * np.exp(draws.normal(0, 0.002, count))
    highs = np.maximum(opens, closes) * np.exp(draws.exponential(0.003, count))
    lows = np.minimum(opens, closes) * np.exp(-draws.exponential(0.003, count))
    return opens, highs, lows, closes


def plain(prices, at, sigma, barriers):
    """(end, net) of one decision by walking on; None if the bars end before."""
    opens, highs, lows, closes = prices
    if at + 1 >= len(opens):
        return None
    entry, reach = opens[at + 1], barriers.width * sigma * math.sqrt(barriers.horizon)
    sign = 1 if barriers.side == "buy" else -1
    for now in range(at + 1, min(at + 1 + barriers.horizon, len(opens))):
        up, down = entry * math.exp(reach), entry * math.exp(-reach)
        stop, goal = (down, up) if sign > 0 else (up, down)
        stopped = lows[now] <= stop if sign > 0 else highs[now] >= stop
        reached = highs[now] >= goal if sign > 0 else lows[now] <= goal
        if stopped:
            leave = min(opens[now], stop) if sign > 0 else max(opens[now], stop)
        elif reached:
            leave = goal
        elif now == at + barriers.horizon:
            leave = closes[now]
        else:
            continue
        return now, sign * math.log(leave / entry) - barriers.cost
    return None


@pytest.mark.parametrize("side", ["buy", "sell"])
@pytest.mark.parametrize(("horizon", "width"), [(1, 0.5), (7, 1.0), (24, 1.5), (5, 50.0)])
def test_labels_are_those_of_a_plain_walk(side, horizon, width):
    prices, barriers = bars(horizon), Barriers(side, horizon, width, 0.0011)
    sigma = np.full(len(prices[0]), 0.01)
    sigma[:10] = np.nan
    labels = triple_barrier(prices, sigma, barriers)
    assert (labels.end[:10] == -1).all()
    for at in range(10, len(sigma)):
        due = plain(prices, at, 0.01, barriers)
        if due is None:
            assert labels.end[at] == -1 and math.isnan(labels.net[at])
        else:
            assert labels.end[at] == due[0]
            assert labels.net[at] == pytest.approx(due[1], abs=1e-14)
            assert labels.win[at] == (due[1] > 0)


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_bar_by_bar_finds_the_same_outcomes(side):
    prices, barriers = bars(5), Barriers(side, 12, 1.0, 0.001)
    labels = triple_barrier(prices, np.full(len(prices[0]), 0.01), barriers)
    watch, found = BarrierWatch(barriers), {}
    for at, bar in enumerate(zip(*(column.tolist() for column in prices), strict=True)):
        found |= {key: (at, net) for key, net in watch.update(*bar)}
        watch.decide(at, 0.01)
    known = np.flatnonzero(labels.end >= 0)
    assert sorted(found) == known.tolist()
    assert [found[at][0] for at in known] == labels.end[known].tolist()
    assert np.allclose([found[at][1] for at in known], labels.net[known], rtol=0, atol=1e-14)


def test_costs_only_ever_take():
    prices, sigma = bars(9), np.full(400, 0.01)
    nets = [triple_barrier(prices, sigma, Barriers(cost=cost)).net for cost in (0.0, 0.002)]
    assert np.nanmax(np.abs(nets[0] - nets[1] - 0.002)) < 1e-15


def test_weights_are_shares_of_the_bars_they_span():
    assert uniqueness(np.array([2, -1, -1])).tolist() == [1.0, 0.0, 0.0]
    # 0 spans bars 1..2, 1 spans 2..3: bar 2 is shared.
    assert uniqueness(np.array([2, 3, -1, -1])).tolist() == [0.75, 0.75, 0.0, 0.0]
    ends = np.minimum(np.arange(50) + 10, 49)
    ends[-1] = -1
    weights = uniqueness(ends)
    spans = np.where(ends >= 0, ends - np.arange(50), 0)
    assert float(np.sum(weights * spans)) == pytest.approx(49.0)  # each bar is given away once


@pytest.mark.parametrize(
    "options",
    [{"side": "up"}, {"horizon": 0}, {"width": 0.0}, {"cost": -0.1}, {"width": math.nan}],
)
def test_barriers_that_make_no_sense_are_refused(options):
    with pytest.raises(ParameterInvalid):
        Barriers(**options)
