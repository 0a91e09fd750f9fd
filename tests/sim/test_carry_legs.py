# SPDX-License-Identifier: Apache-2.0
"""The product's strategies of coins against a perpetual, as they are, while orders of one leg are
refused, lost, late or cut in pieces: by the exchange's own books no leg is alone for longer than
the limit allows; and where anything goes wrong, none is alone at the end.
"""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from hean.sim.draws import PAIR, draw
from hean.sim.run import Trial
from hean.strategies.legs import HEDGE_TOLERANCE, NAKED_MAX, SECOND_NS
from hean.venues.endpoints import BOTH
from sim.bank import busy, dials

STEPS = 8_000  # a strategy learns what is usual for twenty bars of a second
LOT = Decimal("0.001")  # of the perpetual, the coarser leg
LIMIT_NS = int(float(NAKED_MAX.default) * SECOND_NS)
RETRIES_NS = 2 * SECOND_NS  # of a way out that was refused once or twice
FAULTS = {
    "overloaded": {"probability": 0.4},
    "server_error": {"probability": 0.4, "code": "10016"},
    "timeout_lost": {"probability": 0.4},
    "timeout_late": {"probability": 0.4, "delay_s": 1.0, "held": "engine"},
    "reset_after_request": {"probability": 0.4},
    "fill_before_ack": {"probability": 0.4, "fraction": 0.5},
}
STORM = 9004555  # coins and a perpetual in a storm of fills
SEVERAL_LOST = (105, 106)  # three and more exits in a row; pauses that doubled took 5 and 9 s
SEEDS = range(1, 17)
CARRY = pytest.mark.parametrize("strategy", ["basis", "funding"])


def longest_alone_ns(trial: Trial) -> int:
    """By the exchange's executions: the longest time with more of one leg than of the other."""
    held: dict[str, Decimal] = {}
    longest_ns, since_ns = 0, None
    trades = [each for each in trial.checks.venue.executions.values() if each.kind != "funding"]
    for trade in trades:
        market, sign = trade.market.listing.market, 1 if trade.side == "BUY" else -1
        held[market] = held.get(market, Decimal(0)) + sign * trade.quantity
        allowed = LOT + HEDGE_TOLERANCE * max(map(abs, held.values()))
        if abs(sum(held.values())) > allowed:
            since_ns = since_ns or trade.ts_ns
        elif since_ns is not None:
            longest_ns, since_ns = max(longest_ns, trade.ts_ns - since_ns), None
    if since_ns is not None:
        longest_ns = max(longest_ns, trial.world.clock.now_ns - since_ns)
    return longest_ns


def traded(strategy: str, seed: int, **fault: object) -> Trial:
    """Much traffic and perhaps a fault, no broken promise."""
    scenario = busy(strategy, venue="bybit", symbols=PAIR, safety_steps=STEPS, **fault)(seed)
    trial = Trial(replace(scenario, market=BOTH))
    assert trial.run().broken is None
    return trial


@CARRY
@pytest.mark.parametrize("leg", ["spot", "linear"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_leg_that_fails_is_not_alone_beyond_the_limit(strategy, leg, fault):
    match = {"op": "create", "market": leg}
    trial = traded(strategy, 3, **dials({"dial": fault, **FAULTS[fault], "match": match}))
    assert trial.checks.venue.executions
    assert longest_alone_ns(trial) <= LIMIT_NS + RETRIES_NS


@CARRY
def test_in_a_calm_world_no_leg_is_alone(strategy):
    trials = [traded(strategy, seed) for seed in (3, 4)]
    assert sum(len(trial.checks.venue.executions) for trial in trials) > 20
    assert max(map(longest_alone_ns, trials)) < SECOND_NS // 10


@pytest.mark.parametrize("leg", ["spot", "linear"])
@pytest.mark.parametrize("seed", [*range(1, 13), *SEVERAL_LOST])
def test_a_way_out_that_is_lost_is_not_waited_for(leg, seed):
    """An answer takes five seconds to miss and the proof a minute: the limit is two."""
    match = {"op": "create", "market": leg}
    lost = dials({"dial": "timeout_lost", "probability": 0.25, "match": match})
    trial = traded("legs", seed, **lost)
    assert longest_alone_ns(trial) <= LIMIT_NS + RETRIES_NS


@CARRY
def test_no_leg_stays_alone_whatever_goes_wrong(strategy):
    """What seeds of Bybit draw; what is neither whole nor flat at the end breaks a promise."""
    found = [each for each in map(draw, SEEDS) if each.venue == "bybit"]
    changes = {"market": BOTH, "symbols": PAIR, "workload": strategy, "safety_steps": STEPS}
    outcomes = [Trial(replace(each, path="busy", **changes)).run() for each in found]
    assert [(o.seed, o.broken) for o in outcomes if o.broken] == []
    assert sum(outcome.fills for outcome in outcomes) > len(outcomes)


def test_a_storm_of_fills_of_coins_leaves_the_perpetual_a_position_of_its_own():
    """Coins are no position: one that was made for them stood where the perpetual's belongs."""
    assert Trial(draw(STORM)).run().broken is None
