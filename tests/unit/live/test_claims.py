# SPDX-License-Identifier: Apache-2.0
"""What a person says of an order in quarantine, on virtual time: heard only when the venue shows
nothing, journaled with who and why before it counts, and overruled by whatever the venue shows
later.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from hean.core.types import (
    Command,
    OrderAbsent,
    OrderCancelled,
    OrderFilled,
    OrderQuarantined,
    Payload,
    Side,
)
from hean.errors import EnvironmentFault, Halted, ParameterInvalid, RateLimited
from hean.live.claims import Claim, Claims, Word
from hean.venues.reports import Status
from lost_orders import ID, PIECE, SHOWN, World, on_virtual_time

REASON = "the support says so, ticket 4711"
QUARANTINED_S = 400.0
LATER_S = 30.0  # any look that was under way is over
AGAIN_S = 1.0  # until a cancel is asked for again


class Counter:
    """The gateway and process around `Claims`, of a `World`."""

    def __init__(self, world: World) -> None:
        self.codec, self.questions = world.venue, world.questions
        self.resolution, self.tracker = world.resolution, world.tracker
        self.private = self
        self.world = world
        self.settled = 0
        self.claims = Claims(
            self,  # type: ignore[arg-type]  # the part of a gateway that is asked here
            account_id="7",
            emit=world.facts.append,
            settle=self.settle,
            position_problem=lambda symbol, since_ns: world.position,
        )

    @property
    def unbroken(self) -> int:
        return self.world.unbroken

    async def look(self) -> None:
        """The account is read."""

    async def settle(self) -> None:
        self.settled += 1

    async def hear(self, word: Word, order_id: str = ID) -> str:
        return await self.claims.hear(Claim(order_id, word, REASON, "risk:ann"))

    async def refused(self, word: Word, kind: type[Exception], words: str) -> None:
        """It is not believed, and nothing was changed."""
        before = len(self.world.facts)
        with pytest.raises(kind, match=words):
            await self.hear(word)
        assert self.news(before) == []
        assert self.world.order.is_quarantined
        assert not self.world.order.is_ended

    def news(self, since: int) -> list[Payload]:
        return [
            fact
            for fact in self.world.facts[since:]
            if isinstance(fact, Command | OrderAbsent | OrderCancelled)
        ]


async def quarantined(world: World) -> Counter:
    """An order without an answer, of which there is never a proof."""
    world.position = "the position was not read"
    world.lost()
    await asyncio.sleep(QUARANTINED_S)
    assert world.of(OrderQuarantined)
    world.position = ""
    world.unbroken += 1  # the search begins its proof anew
    return Counter(world)


async def forgotten(world: World) -> Counter:
    """An order that the venue has confirmed, and shows no more."""
    world.tracker.placed(world.order, "777")
    world.resolution.not_found(world.order)
    await asyncio.sleep(QUARANTINED_S)
    assert world.of(OrderQuarantined)
    return Counter(world)


@on_virtual_time
async def test_an_order_that_was_never_made_counts_no_more_with_who_and_why(world: World) -> None:
    counter = await quarantined(world)
    since = len(world.facts)
    assert world.halts.why("BTCUSDT")
    done = await counter.hear(Word.NEVER_MADE)
    command, absent = counter.news(since)
    assert isinstance(command, Command)
    assert (command.verb, command.actor) == ("resolve", "risk:ann")
    assert command.arguments["reason"] == REASON
    assert isinstance(absent, OrderAbsent)
    assert "risk:ann" in absent.reason
    assert REASON in absent.reason
    assert "BUY 0.010 BTCUSDT count no more" in done
    assert world.halts.why("BTCUSDT") == ""
    await asyncio.sleep(LATER_S)
    assert world.halts.why("BTCUSDT") == ""
    assert counter.claims.held() == []


@on_virtual_time
async def test_what_was_never_made_and_turns_up_is_adopted_and_stops_what_is_new(
    world: World,
) -> None:
    counter = await quarantined(world)
    await counter.hear(Word.NEVER_MADE)
    world.tracker.report(SHOWN)
    assert not world.order.is_ended
    kill = world.of(Command)[-1]
    assert (kill.verb, kill.arguments["level"]) == ("kill", "HALT_NEW")


@on_virtual_time
async def test_an_order_that_the_venue_confirmed_was_made_and_can_only_have_ended(
    world: World,
) -> None:
    counter = await forgotten(world)
    await counter.refused(Word.NEVER_MADE, Halted, "confirmed it as 777.*Say ended")
    since = len(world.facts)
    await counter.hear(Word.ENDED)
    command, cancelled = counter.news(since)
    assert isinstance(command, Command)
    assert isinstance(cancelled, OrderCancelled)
    assert cancelled.remaining_qty == Decimal("0.010")
    assert cancelled.ended_ns == command.arguments["at_ns"]
    assert world.order.is_ended


@on_virtual_time
async def test_what_had_ended_and_is_open_after_all_stops_what_is_new_and_is_cancelled(
    world: World,
) -> None:
    counter = await forgotten(world)
    await counter.hear(Word.ENDED)
    world.tracker.report(replace(SHOWN, status=Status.CANCELLED))
    assert [each.verb for each in world.of(Command)] == ["resolve"], "that agrees"
    world.tracker.report(SHOWN)
    kill = world.of(Command)[-1]
    assert (kill.verb, kill.arguments["level"]) == ("kill", "HALT_NEW")
    assert "is at the venue after all" in kill.arguments["reason"]
    await asyncio.sleep(AGAIN_S)
    assert world.cancels == [ID]
    assert [order.order_id for order in world.tracker.open_orders()] == [ID]


@on_virtual_time
async def test_a_piece_from_before_the_end_is_its_own_and_a_later_one_the_venue_s(
    world: World,
) -> None:
    """Books in which the order has ended refuse what traded later; its money counts anyway."""
    counter = await forgotten(world)
    await counter.hear(Word.ENDED)
    at_ns = world.order.closed_ns
    world.tracker.execution(replace(PIECE, ts_ns=at_ns))
    assert world.of(Command)[-1].verb == "resolve"
    world.tracker.execution(replace(PIECE, exec_id="BTCUSDT-x2", ts_ns=at_ns + 1))
    first, second = world.of(OrderFilled)
    assert (first.order_id, first.strategy_id) == (ID, "t")
    assert second.is_forced
    assert second.filled_qty == PIECE.quantity
    assert world.of(Command)[-1].verb == "kill"


@pytest.mark.parametrize("word", list(Word))
def test_what_the_venue_shows_is_believed_and_not_the_person(word: Word) -> None:
    @on_virtual_time
    async def play(world: World) -> None:
        counter = await quarantined(world)
        world.venue.by_id = [SHOWN]
        with pytest.raises(Halted, match="not in quarantine: it is at the venue as 777"):
            await counter.hear(word)
        assert [each.verb for each in world.of(Command)] == []
        assert not world.order.is_ended

    play()


@on_virtual_time
async def test_an_end_that_the_venue_itself_shows_needs_nobody_s_word(world: World) -> None:
    counter = await forgotten(world)
    world.venue.by_id = [replace(SHOWN, status=Status.CANCELLED)]
    assert "the venue itself" in await counter.hear(Word.ENDED)
    assert world.of(Command) == []


BUSY = RateLimited("the budget is used up")


@pytest.mark.parametrize(
    ("break_", "kind", "words"),
    [
        (lambda world: setattr(world.venue, "is_down", True), EnvironmentFault, "no answer"),
        (lambda world: setattr(world.venue, "silence", BUSY), EnvironmentFault, "ask again"),
        (lambda world: setattr(world.venue, "is_complete", False), EnvironmentFault, "incomplete"),
        (lambda world: setattr(world, "unbroken", -1), EnvironmentFault, "not in step"),
        (lambda world: setattr(world, "position", "it differs"), Halted, "may have traded"),
    ],
)
def test_a_claim_that_cannot_be_checked_changes_nothing(
    break_: Any, kind: type[Exception], words: str
) -> None:
    @on_virtual_time
    async def play(world: World) -> None:
        counter = await quarantined(world)
        break_(world)
        await counter.refused(Word.NEVER_MADE, kind, words)

    play()


@on_virtual_time
async def test_39_an_open_order_of_other_terms_under_its_id_has_to_go_first(world: World) -> None:
    counter = await quarantined(world)
    other = replace(SHOWN, exchange_order_id="999", side=Side.SELL)
    world.venue.open = [other]
    await counter.refused(Word.NEVER_MADE, Halted, "999 as open.*SELL.*Cancel it there first")
    world.venue.open, world.venue.by_id = [], [replace(other, status=Status.CANCELLED)]
    await counter.hear(Word.NEVER_MADE)
    assert world.order.is_absent


@on_virtual_time
async def test_an_order_in_a_word_nobody_knows_ends_once_the_venue_lists_it_no_more(
    world: World,
) -> None:
    counter = await quarantined(world)
    strange = replace(SHOWN, status=Status.STRANGE, word="Parked")
    world.venue.by_id = world.venue.open = [strange]
    await counter.refused(Word.ENDED, Halted, "777 as open .Parked")
    world.venue.open = []
    await counter.hear(Word.ENDED)
    assert world.order.is_ended


@on_virtual_time
async def test_only_an_order_in_quarantine_can_be_spoken_of(world: World) -> None:
    counter = Counter(world)
    with pytest.raises(ParameterInvalid, match="no order hz-test-9 .* none is in quarantine"):
        await counter.hear(Word.ENDED, "hz-test-9")
    world.tracker.unknown(world.order, 1)
    with pytest.raises(Halted, match="still being looked for"):
        await counter.hear(Word.ENDED)
    await quarantined(world)
    with pytest.raises(ParameterInvalid, match=f"nearest first: {ID}"):
        await counter.hear(Word.ENDED, "hz-test-9")
    await counter.hear(Word.ENDED)
    with pytest.raises(Halted, match="not in quarantine: it has ended"):
        await counter.hear(Word.ENDED)


@on_virtual_time
async def test_of_two_that_say_it_at_once_one_is_heard(world: World) -> None:
    counter = await quarantined(world)
    heard = await asyncio.gather(
        counter.hear(Word.NEVER_MADE), counter.hear(Word.NEVER_MADE), return_exceptions=True
    )
    assert [each.verb for each in world.of(Command)] == ["resolve"]
    assert len(world.of(OrderAbsent)) == 1
    assert {type(each) for each in heard} == {str, Halted}


@on_virtual_time
async def test_phrase_and_reason_are_asked_for_and_the_phrase_is_never_told(world: World) -> None:
    counter = Counter(world)
    bare = Claim(ID, Word.ENDED, "short", "risk:ann")
    found = counter.claims.missing(bare, "resolve 8")
    assert found == ["the phrase is another one", "the reason is shorter than 10 characters"]
    assert counter.claims.missing(replace(bare, reason=REASON), "resolve 7") == []


@on_virtual_time
async def test_what_waits_for_a_person_is_told_with_its_reason(world: World) -> None:
    counter = await quarantined(world)
    (held,) = counter.claims.held()
    assert (held["order_id"], held["side"], held["size"]) == (ID, "BUY", "0.010")
    assert "in quarantine and counts in full" in held["why"]
