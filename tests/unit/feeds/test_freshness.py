# SPDX-License-Identifier: Apache-2.0
"""When data is stale: silence by stream, one report per change, no silence while standing still."""

from __future__ import annotations

from hean.core.types import Health
from hean.feeds.freshness import ANSWER_S, LOOK_S, Topic


def topic_of(stream: str = "book", limit_s: float | None = 2.0) -> tuple[Topic, list[Health]]:
    told: list[Health] = []
    name = f"feed.{stream}.BTCUSDT"
    topic = Topic(
        "orderbook.50.BTCUSDT",
        stream,
        "BTCUSDT",
        component=name,
        limit_s=limit_s,
        tell=told.append,
    )
    topic.begin()
    return topic, told


def silent(topic: Topic, seconds: float) -> None:
    for _ in range(round(seconds / LOOK_S)):
        topic.look(LOOK_S)


def test_a_topic_is_stale_until_it_delivers_and_each_change_is_told_once() -> None:
    topic, told = topic_of()
    for _ in range(3):
        topic.heard += 1
        topic.revive()
    silent(topic, 5)
    topic.heard += 1
    topic.revive()
    topic.lose("cut")
    topic.lose("cut again")
    assert [h.state for h in told] == ["STALE", "FRESH", "STALE", "FRESH", "STALE"]
    assert [(h.extra or {}).get("reason") for h in told] == [
        "nothing heard yet",
        None,
        "silent for 2 s",
        None,
        "cut",
    ]
    assert {h.extra["symbol"] for h in told if h.extra} == {"BTCUSDT"}


def test_staleness_comes_no_later_than_its_limit() -> None:
    topic, _ = topic_of(limit_s=2.0)
    topic.revive()
    silent(topic, 2.0 - 2 * LOOK_S)
    assert not topic.is_stale
    silent(topic, 2 * LOOK_S)
    assert topic.is_stale
    assert topic.is_silent


def test_every_frame_begins_the_silence_anew() -> None:
    topic, _ = topic_of()
    topic.revive()
    for _ in range(10):
        silent(topic, 1.5)
        topic.heard += 1
    assert not topic.is_stale


def test_streams_that_may_be_silent_are_never_reported() -> None:
    topic, told = topic_of("trade", None)
    silent(topic, 1_000)
    topic.revive()
    topic.lose("cut")
    assert told == []
    assert not topic.is_silent


def test_a_topic_that_is_neither_answered_nor_delivers_is_asked_for_again() -> None:
    topic, _ = topic_of("trade", None)
    topic.subscribed()
    silent(topic, ANSWER_S)
    assert not topic.is_wanted
    silent(topic, 1)
    assert topic.is_wanted
    topic.subscribed()
    assert not topic.is_wanted
    silent(topic, 2 * ANSWER_S)
    topic.is_acknowledged = True
    silent(topic, LOOK_S)
    assert not topic.is_wanted
