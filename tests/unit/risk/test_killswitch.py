# SPDX-License-Identifier: Apache-2.0
"""The latch: it only goes up, does each thing once, and a person with everything right releases
it.
"""

from __future__ import annotations

import itertools

import pytest

from desk import SECOND_NS
from hean.core.types import Command, EventType, KillswitchReleased, KillswitchTriggered, Side
from hean.errors import Halted
from hean.risk.killswitch import COOL_DOWN_S
from hean.risk.levels import LEVELS, Latched, stricter
from kill_desk import ACCOUNT, PHRASE, REASON, KillDesk


@pytest.mark.promise(50)
def test_a_thousand_triggers_are_one_latch_and_one_round_of_cancels() -> None:
    desk = KillDesk()
    resting = {desk.rest(Side.BUY, "0.001", 50_000 - price) for price in range(5)}
    desk.say(*[Command("kill", {"level": "CANCEL_ALL"}, f"api:{n}") for n in range(1_000)])
    assert [stop.level for stop in desk.stops] == ["CANCEL_ALL"]
    assert sorted(desk.venue.cancels) == sorted(resting)


def test_a_stop_says_who_why_when_and_for_which_account() -> None:
    desk = KillDesk()
    desk.kill("FLATTEN", reason="the market is odd")
    (stop,) = desk.stops
    assert stop == KillswitchTriggered(
        "the market is odd", desk.clock.now_ns, "FLATTEN", ACCOUNT, "operator:ann"
    )


def test_levels_only_go_up_whatever_is_asked() -> None:
    desk = KillDesk()
    for level in ("CANCEL_ALL", "HALT_NEW", "RUN", "FLATTEN", "CANCEL_ALL", "LOCKED", "FLATTEN"):
        desk.kill(level)
    assert [stop.level for stop in desk.stops] == ["CANCEL_ALL", "FLATTEN", "LOCKED"]
    assert (desk.switch.level, desk.engine.halt_level) == ("LOCKED", "LOCKED")


@pytest.mark.parametrize("level", ["", None, "halt_new", "PANIC", "RUN", 7])
def test_a_stop_of_a_level_nobody_knows_stops_everything_new(level: object) -> None:
    desk = KillDesk()
    desk.say(Command("kill", {"level": level, "reason": "?"}, "operator:ann"))
    assert desk.switch.level == "HALT_NEW"


def test_nothing_new_leaves_after_the_decision_even_before_it_is_delivered() -> None:
    desk = KillDesk()
    desk.switch.hold("HALT_NEW", "somebody pressed the button")
    assert "somebody pressed the button" in desk.switch.objection(False)
    assert desk.switch.objection(True) == ""
    desk.switch.hold("LOCKED", "worse")
    assert desk.switch.objection(True) != ""
    assert desk.switch.level == "RUN"  # nothing is latched before the fact is


def test_a_request_behind_the_stop_in_the_queue_is_refused() -> None:
    desk = KillDesk()
    desk.say(Command("kill", {}, "operator:ann"))
    desk.ask("0.1")
    (refused,) = desk.of(EventType.ORDER_REJECTED)
    assert refused.code == Halted.code
    assert desk.venue.sent == []


@pytest.mark.parametrize("level", ["HALT_NEW", "CANCEL_ALL"])
def test_protective_stops_of_a_position_stay(level: str) -> None:
    desk = KillDesk()
    desk.hold_long()
    stop = desk.protect()
    entry = desk.rest(Side.BUY, "0.05", 50_000)
    target = desk.rest(Side.SELL, "0.1", 66_000, reduce_only=True)
    desk.kill(level)
    assert set(desk.venue.cancels) == ({entry, target} if level == "CANCEL_ALL" else set())
    assert desk.switch.keeps(stop)
    assert not desk.switch.keeps("nobody's order")


def test_the_stop_of_a_flat_symbol_does_not_stay() -> None:
    desk = KillDesk()
    desk.hold_long()
    stop = desk.protect()
    desk.fill(desk.ask("0.1", Side.SELL, reduce_only=True), "0.1", "e9")
    desk.kill("CANCEL_ALL")
    assert desk.venue.cancels == [stop]


def test_a_restored_level_holds_at_once_and_its_cancels_are_asked_again() -> None:
    desk = KillDesk()
    resting = desk.rest(Side.BUY, "0.001", 50_000)
    desk.switch.restore(Latched("CANCEL_ALL", "yesterday", "operator:ann", 5))
    assert desk.engine.halt_level == "CANCEL_ALL"
    assert "yesterday" in desk.switch.objection(False)
    desk.switch.resume()
    desk.say()
    assert desk.venue.cancels == [resting]
    desk.kill("CANCEL_ALL")
    assert desk.stops == []


def test_a_process_whose_account_was_taken_over_asks_nothing_back_and_stays_locked() -> None:
    desk = KillDesk()
    desk.rest(Side.BUY, "0.001", 50_000)
    desk.kill("LOCKED", actor="reconcile", is_final=True)
    assert desk.venue.cancels == []
    desk.explain()
    desk.wait(COOL_DOWN_S + 1)
    desk.release()
    assert desk.switch.level == "LOCKED"
    assert "taken this account over" in desk.of(EventType.ERROR)[-1].error


def test_locked_that_turns_out_to_be_final_is_told_once_more() -> None:
    desk = KillDesk()
    desk.kill("LOCKED")
    desk.kill("LOCKED", actor="reconcile", is_final=True)
    desk.kill("LOCKED", actor="reconcile", is_final=True)
    assert [stop.is_final for stop in desk.stops] == [False, True]


# ---------------------------------------------------------------- release

WRONG = {
    "phrase": {"phrase": "release 24617704"},
    "reason": {"reason": "   short  "},
    "actor": {"actor": "operator:ann"},
    "wait": {},
    "books": {},
}


@pytest.mark.parametrize(
    "lacking",
    [set(names) for count in range(6) for names in itertools.combinations(WRONG, count)],
    ids=lambda names: "+".join(sorted(names)) or "nothing",
)
def test_it_is_released_only_when_nothing_is_lacking(lacking: set[str]) -> None:
    """R-24: every combination of missing pieces, 2⁵."""
    desk = KillDesk()
    desk.kill("CANCEL_ALL")
    if "books" not in lacking:
        desk.explain()
    desk.wait(COOL_DOWN_S - (1 if "wait" in lacking else 0))
    desk.release(**{k: v for name in lacking for k, v in WRONG[name].items()})
    is_released = not lacking
    assert desk.switch.level == ("RUN" if is_released else "CANCEL_ALL")
    assert desk.engine.halt_level == desk.switch.level
    assert (desk.switch.objection(False) == "") is is_released
    assert len(desk.of(EventType.KILLSWITCH_RELEASED)) == int(is_released)
    refusals = desk.of(EventType.ERROR)
    assert len(refusals) == int(not is_released)
    assert all(ACCOUNT not in refusal.error for refusal in refusals)


@pytest.mark.parametrize(
    "phrase",
    [
        "", "release", ACCOUNT, f"Release {ACCOUNT}", f"release  {ACCOUNT}", f"{PHRASE} ",
        f" {PHRASE}", f"{PHRASE}\n", f"RELEASE {ACCOUNT}", "r\u0435lease 24617703",
        "release \uff12\uff14\uff16\uff11\uff17\uff17\uff10\uff13", PHRASE * 2,
    ],
)  # fmt: skip
def test_a_phrase_that_is_nearly_right_is_wrong(phrase: str) -> None:
    desk = KillDesk()
    desk.kill()
    desk.explain()
    now_ns = desk.clock.now_ns + COOL_DOWN_S * SECOND_NS
    assert desk.switch.refusals(phrase, REASON, "risk:bob", now_ns) == (
        "the phrase is another one",
    )
    assert desk.switch.refusals(PHRASE, REASON, "risk:bob", now_ns) == ()


def test_a_release_while_a_stricter_stop_is_on_its_way_is_refused() -> None:
    desk = KillDesk()
    desk.kill()
    desk.explain()
    desk.wait(COOL_DOWN_S)
    desk.say(
        Command("kill", {"level": "FLATTEN"}, "auto:drawdown"),
        Command("release", {"phrase": PHRASE, "reason": REASON}, "risk:bob"),
    )
    assert desk.switch.level == "FLATTEN"
    assert desk.of(EventType.KILLSWITCH_RELEASED) == []


def test_after_a_release_it_can_be_stopped_again() -> None:
    desk = KillDesk()
    desk.kill("FLATTEN")
    desk.explain()
    desk.wait(COOL_DOWN_S)
    desk.release()
    assert desk.of(EventType.KILLSWITCH_RELEASED) == [
        KillswitchReleased(REASON, desk.clock.now_ns, "risk:bob", ACCOUNT)
    ]
    desk.ask("0.1")
    assert len(desk.venue.sent) == 1
    desk.kill()
    assert desk.switch.level == "HALT_NEW"


def test_without_an_account_nothing_is_released() -> None:
    desk = KillDesk()
    desk.switch.account_id = ""
    desk.kill()
    desk.explain()
    desk.wait(COOL_DOWN_S)
    desk.release(phrase="release ")
    assert desk.switch.level == "HALT_NEW"


# ---------------------------------------------------------------- levels


@pytest.mark.parametrize(("one", "other"), list(itertools.product(LEVELS, [*LEVELS, "", "RUNN"])))
def test_of_two_copies_the_stricter_one_counts(one: str, other: str) -> None:
    places = {level: place for place, level in enumerate(LEVELS)}
    found = stricter(Latched(one), Latched(other))
    assert places.get(found.level, 4) == max(places[one], places.get(other, 4))


def test_the_rows_of_a_journal_fold_to_what_is_latched() -> None:
    rows = [
        KillswitchTriggered("first", 1, "HALT_NEW", actor="a"),
        KillswitchTriggered("second", 2, "CANCEL_ALL", actor="b"),
        KillswitchTriggered("third", 3, "HALT_NEW", actor="c"),
    ]
    latched = Latched()
    for row in rows:
        latched = latched.after(row)
    assert latched == Latched("CANCEL_ALL", "second", "b", 2)
    assert latched.after(KillswitchReleased("looked at it", 9, "d")) == Latched()
