# SPDX-License-Identifier: Apache-2.0
"""Two legs in a world where everything goes wrong: drawn faults, a strategy that opens and closes
pairs all the time, and at the end, when all is calm, no leg is held without the other.
"""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from hean.sim.draws import PAIR, draw
from hean.sim.focus import SYMBOLS
from hean.sim.run import Trial
from hean.sim.workloads import WORKLOADS, Legs
from hean.strategies.legs import SECOND_NS, TwoLegs
from hean.venues.endpoints import BOTH
from sim.bank import busy, stop

SEEDS = range(1, 13)
STEPS = 1_500
SOMEBODYS = Decimal("0.7")
ZERO = Decimal(0)


def drawn():
    """What seeds of perpetual markets draw, with pairs to trade."""
    for seed in SEEDS:
        scenario = draw(seed)
        if scenario.market == "linear":
            changes = {"symbols": SYMBOLS, "workload": "legs", "pace": 0.3, "safety_steps": STEPS}
            yield replace(scenario, **changes)


def test_no_leg_stays_alone_whatever_goes_wrong():
    outcomes = [Trial(scenario).run() for scenario in drawn()]
    assert [(o.seed, o.broken) for o in outcomes if o.broken] == []
    assert sum(outcome.fills > 0 for outcome in outcomes) > len(outcomes) / 2


def coins_against_a_perpetual(scenario):
    """The same on Bybit, with the legs in two markets."""
    return replace(scenario, venue="bybit", market=BOTH, symbols=PAIR)


def test_no_leg_of_coins_stays_alone_whatever_goes_wrong():
    drawn_for_bybit = [scenario for scenario in drawn() if scenario.venue == "bybit"]
    outcomes = [Trial(coins_against_a_perpetual(each)).run() for each in drawn_for_bybit]
    assert [(o.seed, o.broken) for o in outcomes if o.broken] == []
    assert sum(outcome.fills > 0 for outcome in outcomes) > len(outcomes) / 2


@pytest.mark.parametrize("has_coins", [False, True], ids=["perpetuals", "coins"])
def test_in_a_calm_world_both_legs_come_at_once(has_coins):
    scenario = busy("legs", symbols=SYMBOLS)(1)
    outcome, naked_ns = played(coins_against_a_perpetual(scenario) if has_coins else scenario)
    assert outcome.fills > 30
    assert naked_ns < SECOND_NS


def played(scenario):
    """A run that keeps every promise. *Returns*: it, and how long a pair was naked at most."""
    made = []

    class Seen(Legs):
        def __init__(self, *given):
            super().__init__(*given)
            made.append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(WORKLOADS, "legs", Seen)
        outcome = Trial(scenario).run()
    assert outcome.broken is None
    return outcome, max(strategy.naked_longest_ns for strategy in made)


HALF = {"orders_per_second_max": "1"}  # the second leg of each pair is refused


@pytest.mark.parametrize("has_coins", [False, True], ids=["perpetuals", "coins"])
def test_a_pair_whose_second_leg_is_refused_comes_home(has_coins):
    scenario = busy("legs", symbols=SYMBOLS, limits=HALF)(1)
    outcome, naked_ns = played(coins_against_a_perpetual(scenario) if has_coins else scenario)
    assert outcome.fills > 10
    assert naked_ns < 4 * SECOND_NS  # the limit, and one retry


@pytest.mark.parametrize("seed", [3, 7, 11])
def test_coins_that_two_are_closing_are_sold_once(seed):
    """At FLATTEN the kill switch closes and so does the strategy that sees its other leg go. The
    venue would sell coins of somebody else for the second of them.
    """
    scenario = busy("legs", symbols=SYMBOLS, **stop("FLATTEN", 5.0))(seed)
    trial = Trial(coins_against_a_perpetual(scenario))
    trial.exchange.account.wallet("spot")["BTC"] = SOMEBODYS
    assert trial.run().broken is None
    held = ZERO
    for execution in trial.checks.venue.executions.values():
        if execution.market.listing.market == "spot":
            sign = 1 if execution.side == "BUY" else -1
            held += sign * execution.quantity
            assert held >= 0
    closed = [each for each in trial.checks.journal.approvals if "-kill-" in each]
    assert closed


def test_a_strategy_that_forgets_a_leg_is_caught(monkeypatch):
    def forgets(self, symbol, **given):
        """Does not close it."""

    monkeypatch.setattr(TwoLegs, "leave", forgets)
    outcome = Trial(busy("legs", symbols=SYMBOLS, limits=HALF)(1)).run()
    assert outcome.broken is not None
    assert "neither whole nor flat" in outcome.broken.what
