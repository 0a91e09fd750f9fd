# SPDX-License-Identifier: Apache-2.0
"""How alerts go to one destination: what matters, how often, together, again, and never."""

from __future__ import annotations

import itertools

from hean.observe.alert_rules import Alert, Severity
from hean.observe.alert_ways import RETRY_S, WAITING_MAX, Message, Pace, Schedule, Way

NUMBERS = itertools.count(1)


def schedule(least: str = "info", **pace: float) -> Schedule:
    return Schedule(Way("slack", "slack://secret", Severity(least)), Pace(**pace))


def alert(rule: str = "error", text: str = "x") -> Alert:
    return Alert.of(rule, text, 1_700_000_000_000_000_000)


def offer(to: Schedule, rule: str, now_s: float, times: int = 1) -> None:
    for _ in range(times):
        to.offer(next(NUMBERS), alert(rule), now_s)


def all_due(of: Schedule, now_s: float) -> list[Message]:
    return list(iter(lambda: of.due(now_s), None))


def test_only_what_matters_enough_goes_there():
    found = {
        least: [rule for rule in ("started", "error", "kill_switch")
                if schedule(least).takes(alert(rule))]
        for least in Severity
    }  # fmt: skip
    assert found == {
        "info": ["started", "error", "kill_switch"],
        "warning": ["error", "kill_switch"],
        "critical": ["kill_switch"],
    }


def test_what_is_urgent_goes_at_once_the_worst_first():
    ways = schedule()
    offer(ways, "error", 0)
    offer(ways, "kill_switch", 0)
    assert [each.title() for each in all_due(ways, 0)] == [
        "HEAN critical: kill_switch", "HEAN warning: error",
    ]  # fmt: skip


def test_what_is_not_urgent_is_told_together():
    ways = schedule(digest_s=900)
    offer(ways, "started", 0)
    offer(ways, "ended", 100)
    assert all_due(ways, 899) == []
    (digest,) = all_due(ways, 900)
    assert digest.title() == "HEAN info: 2 alerts"
    assert digest.body("paper on bybit").splitlines() == [
        "2023-11-14T22:13:20Z info started: x",
        "2023-11-14T22:13:20Z info ended: x",
        "paper on bybit",
    ]


def test_a_flood_becomes_a_few_messages_and_none_is_lost():
    ways = schedule(per_minute=5)
    offer(ways, "kill_switch", 0, times=100)
    assert len(all_due(ways, 0)) == 5
    assert all_due(ways, 59) == []
    (rest,) = all_due(ways, 60)
    assert len(rest.alerts) == 95 and rest.title() == "HEAN critical: 95 alerts"
    body = rest.body("x").splitlines()
    assert len(body) == 22 and "and 75 earlier ones" in body[-2]
    offer(ways, "kill_switch", 61)
    assert len(all_due(ways, 61)) == 1  # a new minute


def test_a_failure_is_tried_again_and_given_up_at_last():
    ways = schedule()
    offer(ways, "error", 0)
    now_s = 0.0
    for wait_s in RETRY_S:
        (message,) = all_due(ways, now_s)
        assert ways.failed(message, "404", now_s) == wait_s
        assert all_due(ways, now_s + wait_s - 0.1) == []
        now_s += wait_s
    (message,) = all_due(ways, now_s)
    assert ways.failed(message, "404", now_s) is None
    assert all_due(ways, 1e9) == []
    assert [(tries, reason) for _, tries, reason in ways.given_up] == [(len(RETRY_S) + 1, "404")]


def test_what_waits_is_bounded_and_the_oldest_goes():
    ways = schedule(per_minute=1)
    ways.offer(1, alert("error"), 0)
    for number in range(2, WAITING_MAX + 11):
        ways.offer(number, alert("started"), 0)
    assert ways.waiting == WAITING_MAX
    assert [number for number, _, _ in ways.given_up] == list(range(1, 11))


def test_at_the_end_everything_is_due():
    ways = schedule()
    offer(ways, "started", 0)
    offer(ways, "error", 0)
    message = ways.due(0)
    assert message is not None
    ways.failed(message, "busy", 0)
    last = list(iter(lambda: ways.due(0.0, is_last=True), None))
    assert [each.severity for each in last] == ["warning", "info"]


def test_an_address_is_not_shown():
    assert "secret" not in f"{schedule().way!r} {schedule().way}"
