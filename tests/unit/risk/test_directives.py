# SPDX-License-Identifier: Apache-2.0
"""What people said to an earlier process still counts in the next."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from desk import Desk
from hean.core.types import Command, EventType, OrderType, Side
from hean.risk.directives import Directives, Wishes, slack
from recorded_life import Life


def restored(*commands: Command, limits: dict[str, str]) -> tuple[Desk, Directives]:
    """A desk whose strategy has a limit order working, and what was said before it began."""
    desk = Desk()
    directives = Directives(desk.system.governor, limits)
    desk.system.add(directives)
    desk.ask("1e-3", order_id="h1-test-1", type=OrderType.LIMIT, price=Decimal(60_000))
    desk.place("h1-test-1")
    wishes = Wishes()
    for command in commands:
        wishes.hear(command)
    directives.restore(wishes)
    return desk, directives


def test_a_strategy_that_was_off_stays_off_and_its_orders_are_asked_back() -> None:
    off = Command("disable", {"strategy": "test"}, "operator:ann")
    desk, directives = restored(off, limits={})
    directives.resume()
    desk.say()
    (asked,) = desk.of(EventType.CANCEL_REQUEST)
    assert asked.order_id == "h1-test-1"
    desk.ask("1e-3", order_id="h1-test-2", side=Side.BUY)
    refused = desk.of(EventType.ORDER_REJECTED)[-1]
    assert "switched off by operator:ann" in refused.reason


def test_a_limit_that_was_lowered_stays_and_one_that_was_raised_does_not() -> None:
    said = Command("limits", {"order_value_max": "10", "open_orders_max": "900"}, "risk:bob")
    desk, directives = restored(said, limits={"order_value_max": "100", "open_orders_max": "5"})
    assert directives.limits == {"order_value_max": "10", "open_orders_max": "5"}
    desk.ask("1e-3", order_id="h1-test-2")
    assert "10" in desk.of(EventType.ORDER_REJECTED)[-1].reason


@pytest.mark.parametrize(
    ("name", "tight", "loose"),
    [
        ("order_value_max", "9", "10"),
        ("order_value_max", "1e9", None),
        ("refuse_self_cross", "true", "false"),
    ],
)
def test_a_limit_that_lets_less_pass_has_less_slack(
    name: str, tight: str, loose: str | None
) -> None:
    assert slack(name, tight) < slack(name, loose)


def test_what_people_said_of_strategies_and_limits_is_remembered(tmp_path: Path) -> None:
    life = Life(tmp_path)

    def say(verb: str, **arguments: str | None) -> None:
        life.desk.say(Command(verb, arguments, "operator:ann"))

    say("disable", strategy="test")
    say("disable", strategy="other")
    say("enable", strategy="other")
    say("limits", order_value_max="100", open_orders_max="500", leverage_max=None)
    say("limits", order_value_max="90", no_such="1")  # never in force: refused as it was then
    wishes = life.check().wishes
    assert wishes.disabled == {"test": "operator:ann"}
    in_force = {"order_value_max": "1000", "open_orders_max": "200", "leverage_max": "3"}
    assert wishes.tighter(in_force) == {"order_value_max": "100"}, "what was raised is not kept"
    assert wishes.tighter({}) == {"order_value_max": "100", "open_orders_max": "500"}
