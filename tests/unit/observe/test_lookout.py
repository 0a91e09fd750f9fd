# SPDX-License-Identifier: Apache-2.0
"""Which facts of the bus become alerts, by the table."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from hean.core.bus import EventBus
from hean.core.types import (
    Command,
    Error,
    Health,
    KillswitchReleased,
    KillswitchTriggered,
    OrderAbsent,
    OrderFilled,
    OrderQuarantined,
    OrderUnknown,
    Payload,
    Reconcile,
)
from hean.feeds.freshness import health_of
from hean.live import mishaps, recorder
from hean.observe import lookout
from hean.observe.alert_rules import RULES, TEXT_LENGTH_MAX, Alert, Severity
from hean.observe.lookout import DISABLED, Lookout
from hean.risk import drawdown
from hean.risk.changepoint_breaker import ChangepointBreaker, ChangeState
from hean.risk.drawdown import Drawdown


class Desk:
    """A bus, a lookout on a clock that is moved by hand, and what it told."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.told: list[Alert] = []
        self.bus = EventBus()
        self.lookout = Lookout(self.told.append, lambda: self.now_s)
        self.lookout.listen(self.bus)

    def hear(self, *facts: Payload) -> list[str]:
        """Names of the alerts that follow at once."""
        before = len(self.told)
        for fact in facts:
            self.bus.emit(fact)
        self.bus.drain()
        return [alert.rule for alert in self.told[before:]]

    def after(self, seconds: float) -> list[str]:
        """Names of the alerts that time brings."""
        before = len(self.told)
        self.now_s += seconds
        self.lookout.look()
        return [alert.rule for alert in self.told[before:]]


def clock(reasons: dict[str, str]) -> Health:
    return Health("bybit account", "HALT_NEW", 1, {"reasons": reasons})


AT_ONCE: list[tuple[Payload, str, str]] = [
    (KillswitchTriggered("feed looks wrong", 1, "FLATTEN", actor="operator:ann"), "kill_switch",
     "FLATTEN by operator:ann: feed looks wrong"),
    (KillswitchTriggered("6 % lost", 1, actor="auto:daily_loss"), "loss_limit", "6 % lost"),
    (KillswitchTriggered("20 % below", 1, "FLATTEN", actor="auto:drawdown"), "loss_limit", "20 %"),
    (KillswitchTriggered("2 s off", 1, actor="auto:clock"), "clock", "2 s off"),
    (KillswitchTriggered("3 MiB", 1, actor="auto:disk"), "disk", "3 MiB"),
    (KillswitchReleased("looked at", 1, "risk:bob"), "released", "risk:bob: looked at"),
    (OrderQuarantined("x1", "no answer for 60 s", "BTCUSDT"), "order_quarantined", "BTCUSDT x1"),
    (Reconcile(False, ("a", "b", "c", "d", "e")), "reconcile", "a; b; c; and 2 more"),
    (Health("drawdown", "REDUCE", 1, {"reason": "4 % lost"}), "drawdown", "REDUCE: 4 % lost"),
    (Health("changepoint_breaker.BTCUSDT", "OPEN"), "breaker", "BTCUSDT is OPEN"),
    (Health("journal", "SLOW", 1, {"reason": "a commit took 300 ms"}), "journal", "300 ms"),
    (clock({"clock": "off by 2 s"}), "clock", "off by 2 s"),
    (Command("disable", {"strategy": "impulse"}, "operator:ann"), "strategy_off", "operator:ann"),
    (Error("live", f"strategy impulse{DISABLED}it raised", 1), "strategy_failed", "it raised"),
    (Error("governor", "some\nthing", 1), "error", "governor: some thing"),
]  # fmt: skip


@pytest.mark.parametrize(("fact", "rule", "words"), AT_ONCE, ids=[r for _, r, _ in AT_ONCE])
def test_a_fact_and_its_alert(fact: Payload, rule: str, words: str):
    desk = Desk()
    assert desk.hear(fact) == [rule]
    assert words in desk.told[0].text
    assert desk.told[0].severity == RULES[rule].severity


LASTING: list[tuple[Payload, Payload, str]] = [
    (OrderUnknown("x1", 1, "BTCUSDT"), OrderAbsent("x1", "proven"), "order_unknown"),
    (OrderUnknown("x1", 1), OrderFilled("x1", Decimal(1), Decimal(1)), "order_unknown"),
    (health_of("bybit.book", "STALE", "BTCUSDT", "silent for 2 s"),
     health_of("bybit.book", "FRESH", "BTCUSDT"), "stale_data"),
    (Health("bybit public", "DOWN", 1, {"reason": "cut"}), Health("bybit public", "UP", 2),
     "connection"),
]  # fmt: skip


@pytest.mark.parametrize(("begins", "ends", "rule"), LASTING)
def test_what_passes_quickly_calls_nobody(begins: Payload, ends: Payload, rule: str):
    desk = Desk()
    lasting_s = RULES[rule].lasting_s
    assert desk.hear(begins) == [] and desk.after(lasting_s - 0.1) == []
    assert desk.hear(begins) == []  # said again, it does not begin anew
    assert desk.after(0.1) == [rule] and desk.after(1_000) == []
    assert desk.hear(ends) == ["over"]
    assert desk.hear(begins, ends) == [] and desk.after(1_000) == []


def test_what_is_over_is_told():
    desk = Desk()
    pairs: list[tuple[Any, Any]] = [
        (Reconcile(False, ("a",)), Reconcile(True)),
        (Health("drawdown", "REDUCE"), Health("drawdown", "NORMAL")),
        (clock({"clock": "off"}), clock({})),
        (Health("journal", "HALT_NEW"), Health("journal", "READY")),
        (Command("disable", {"strategy": "a"}, "x"), Command("enable", {"strategy": "a"}, "x")),
        (OrderQuarantined("x1", "why"), OrderAbsent("x1", "proven")),
    ]
    for bad, good in pairs:
        assert desk.hear(good) == []
        assert len(desk.hear(bad)) == 1
        assert desk.hear(good) == ["over"] and desk.hear(good) == []


def test_what_nobody_is_called_for():
    desk = Desk()
    quiet = [
        Health("watchdog", "ALIVE"), Health("legs", "WHOLE"), Health("bybit account", "READY"),
        Command("kill", {"level": "HALT_NEW"}, "x"), Command("baseline", {}, "auto:triggers"),
        OrderFilled("x1", Decimal(1), Decimal(1)), Reconcile(True),
    ]  # fmt: skip
    assert desk.hear(*quiet) == [] and desk.after(1_000) == []


def test_a_quarantine_is_told_instead_of_what_came_before():
    desk = Desk()
    found = desk.hear(OrderUnknown("x1", 1), OrderQuarantined("x1", "no answer"))
    assert found == ["order_quarantined"] and desk.after(1_000) == []


def test_a_fact_that_cannot_be_read_harms_no_bus():
    desk = Desk()
    assert desk.hear(Health("bybit", "HALT_NEW", 1, {"reasons": 7})) == ["error"]
    assert desk.hear(KillswitchTriggered("x", 1)) == ["kill_switch"]


def test_what_is_watched_is_bounded():
    desk = Desk()
    for number in range(3_000):
        desk.hear(OrderUnknown(f"x{number}", 1))
    assert len(desk.after(60)) == 1_000


def test_an_alert_is_one_line_of_bounded_length():
    alert = Alert.of("error", "a\r\nb\x00 \t" + "c" * 5_000, 1_700_000_000_000_000_000)
    assert "\n" not in alert.text and len(alert.text) == TEXT_LENGTH_MAX
    assert alert.severity is Severity.WARNING and alert.time == "2023-11-14T22:13:20Z"


def test_names_and_words_are_those_of_the_modules():
    assert (lookout.DRAWDOWN, lookout.NORMAL) == (Drawdown.name, drawdown.NORMAL)
    assert (lookout.BREAKER, lookout.OPEN) == (ChangepointBreaker.name, ChangeState.OPEN)
    assert lookout.JOURNAL == recorder.COMPONENT
    assert DISABLED in mishaps.__loader__.get_source(mishaps.__name__)
