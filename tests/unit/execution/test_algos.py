# SPDX-License-Identifier: Apache-2.0
"""The algorithms without a desk: what they want when they are shown an order."""

from __future__ import annotations

import math
from typing import Any

import pytest

from hean.core.types import Side, TimeInForce
from hean.errors import ParameterInvalid
from hean.execution.algos import ALGORITHMS, plan_of
from hean.execution.slicing import Algorithm, Slice, Touch, View

S_NS = 1_000_000_000


def algorithm(text: str, lots: int = 1_000, *, chance: float = 0.5, **given: Any) -> Algorithm:
    made, settings = plan_of(text)
    given = {"side": Side.BUY, "start_ns": 0, "has_limit": False, **given}
    return made(settings, lots, chance=lambda: chance, **given)


def view(now_s: float, lots: int = 1_000, **given: Any) -> View:
    fields: dict[str, Any] = {"filled": 0, "slices": (), "touch": Touch(), "traded": 0.0}
    fields = {**fields, "lots_min": 1, **given}
    fields.setdefault("free", lots - fields["filled"])
    return View(round(now_s * S_NS), lots, **fields)


def run(text: str, lots: int = 1_000, **given: Any) -> list[tuple[float, int]]:
    """Every slice fills whole at once: seconds and lots of each."""
    works, now_s, filled, sent = algorithm(text, lots, **given), 0.0, 0, []
    while True:
        move = works.move(view(now_s, lots, filled=filled))
        assert not move.cancel
        for wish in move.send:
            sent.append((now_s, wish.lots))
            filled += wish.lots
        if move.is_over:
            return sent
        if not move.send:
            assert move.again_ns is not None
            now_s = move.again_ns / S_NS


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("twop:slices=2", "unknown algo 'twop'; nearest twap"),
        ("", "unknown algo"),
        ("twap:slice=2", "unknown parameter 'slice'; nearest slices"),
        ("twap:slices", "no key=value"),
        ("twap:slices=2,slices=3", "twice"),
        ("twap:duration=600", "a duration has a unit"),
        ("twap:duration=0s", "nearest 0.1"),
        ("twap:slices=0", "nearest 1"),
        ("twap:slices=x", "whole number"),
        ("twap:finish=hope", "cross, leave"),
        ("pov:share=1", "nearest 0.9"),
        ("vwap:weights=1|x", "numbers"),
        ("vwap:weights=1|-2", "finite numbers"),
        ("twap:" + "x" * 600, "characters"),
        ("iceberg", "LIMIT"),
    ],
)
def test_a_text_that_is_wrong_is_refused_with_what_is_near(text: str, words: str) -> None:
    with pytest.raises(ParameterInvalid, match=words):
        algorithm(text)


def test_every_algorithm_works_without_settings() -> None:
    for name in ALGORITHMS:
        assert algorithm(name, has_limit=True).move(view(0)) is not None


def test_twap_sends_equal_parts_near_the_middle_of_equal_stretches() -> None:
    sent = run("twap:duration=100s,slices=10")
    assert sent == [(5.0 + 10 * k, 100) for k in range(10)]
    early = run("twap:duration=100s,slices=10", chance=0.0)
    assert [time for time, _ in early] == pytest.approx([2.0 + 10 * k for k in range(10)])
    assert sum(lots for _, lots in early) == 1_000
    assert [lots for _, lots in early[:2]] == [85, 97]  # 15 % less, and what was missed is due
    assert max(lots for _, lots in run("twap:duration=1m,slices=7", 5)) == 1


def test_a_stall_is_caught_up_by_two_slices_at_once_and_the_end_crosses() -> None:
    works = algorithm("twap:duration=100s,slices=10")
    assert works.move(view(58)).send[0].lots == 200
    assert works.move(view(100, filled=200)).send[0].lots == 800
    left = algorithm("twap:duration=100s,slices=10,finish=leave")
    assert left.move(view(100, filled=200)).is_over


def test_the_end_gives_up_after_some_tries_and_never_below_the_smallest_order() -> None:
    works = algorithm("twap:duration=10s,slices=1")
    now_s, tries = 10.0, 0
    while not (move := works.move(view(now_s))).is_over:
        tries += len(move.send)
        now_s += 1
    assert tries == 3
    assert algorithm("twap:duration=10s,slices=1").move(view(10, filled=998, lots_min=5)).is_over


def test_dust_is_not_left_behind() -> None:
    works = algorithm("twap:duration=100s,slices=2", 107)
    assert works.move(view(25, 107, lots_min=10)).send[0].lots == 53
    assert works.move(view(75, 107, filled=53, lots_min=10)).send[0].lots == 54
    small = algorithm("twap:duration=100s,slices=100", 107)
    assert small.move(view(0.5, 107, lots_min=10)).send == ()  # waits until enough is due


def test_shortfall_is_twap_without_urgency_and_early_with_it() -> None:
    assert run("shortfall:duration=100s,slices=10,urgency=0") == run("twap:duration=100s,slices=10")
    before = [0] * 10
    for urgency in (0, 1, 4, 20):
        sent = run(f"shortfall:duration=100s,slices=10,urgency={urgency}")
        done = [sum(lots for time, lots in sent if time <= 10 * (k + 1)) for k in range(10)]
        assert all(now >= then for now, then in zip(done, before, strict=True))
        before = done
    assert sum(lots for _, lots in sent) == 1_000


def test_vwap_follows_its_weights_and_the_volume_of_the_day() -> None:
    assert run("vwap:duration=100s,weights=6|1|1|2") == [
        (12.5, 600),
        (37.5, 100),
        (62.5, 100),
        (87.5, 200),
    ]
    text = "vwap:duration=100m,slices=4,expected=1000000"
    calm, busy = algorithm(text), algorithm(text)
    at_s = 3_750.0
    usual = calm.move(view(at_s, filled=500, traded=625_500.0)).send[0].lots
    more = busy.move(view(at_s, filled=500, traded=2_000_000.0)).send[0].lots
    assert usual == 250
    assert more > usual


def test_pov_takes_its_share_of_what_others_trade() -> None:
    works = algorithm("pov:share=0.2,interval=10s,cap=0.05", 1_000)
    assert works.move(view(0)).send == ()
    assert works.move(view(10, traded=160.0)).send[0].lots == 40
    assert works.move(view(12, filled=40, traded=1_000.0)).send == ()  # not before its time
    assert works.move(view(20, filled=40, traded=200.0)).send == ()  # 160 of others, 40 of ours
    assert works.move(view(30, filled=40, traded=9_000.0)).send[0].lots == 50  # the cap
    late = algorithm("pov:share=0.2,duration=60s").move(view(60, filled=40))
    assert late.send[0].lots == 960


def test_an_iceberg_refills_a_moment_after_it_is_gone() -> None:
    works = algorithm("iceberg:display=0.1", has_limit=True)
    (first,) = works.move(view(0)).send
    assert (first.lots, first.price) == (100, math.inf)
    shown = Slice("a", 100, 5.0, True, False)
    assert works.move(view(1, free=900, slices=(shown,))).send == ()
    wait = works.move(view(2, filled=100))
    assert wait.again_ns == round(2.275 * S_NS)
    assert works.move(view(2.3, filled=100)).send[0].lots == 100
    assert works.move(view(9, filled=1_000)).is_over


def test_a_chaser_moves_only_when_the_touch_has_left_it() -> None:
    touch = Touch(100.0, 100.01, 100.0)
    works = algorithm("chaser:away=2,pause=1s,duration=60s", side=Side.BUY)
    (quote,) = works.move(view(0, touch=touch)).send
    assert (quote.lots, quote.price, quote.time_in_force) == (1_000, 100.0, TimeInForce.POST_ONLY)
    resting = (Slice("q", 1_000, 100.0, True, False),)
    touch.bid = 100.01
    assert not works.is_moved(touch)
    touch.bid = 100.03
    assert works.is_moved(touch)
    early = works.move(view(0.5, free=0, slices=resting, touch=touch))
    assert (early.amend, early.again_ns) == ((), S_NS)
    assert works.move(view(1, free=0, slices=resting, touch=touch)).amend == (("q", 100.03),)
    assert not works.is_moved(touch)
    touch.bid = 99.0
    assert not works.is_moved(touch)  # it is the best bid now
    end = works.move(view(60, free=0, slices=resting, touch=touch))
    assert end.cancel == ("q",)
    assert works.move(view(61, filled=400)).send[0].price is None


def test_without_any_price_a_chaser_waits() -> None:
    move = algorithm("chaser").move(view(0))
    assert (move.send, move.again_ns) == ((), S_NS)
    falls = algorithm("chaser", side=Side.SELL).move(view(0, touch=Touch(last=7.0)))
    assert falls.send[0].price == 7.0
