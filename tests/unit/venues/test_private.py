# SPDX-License-Identifier: Apache-2.0
"""The account's stream while the account cannot be read: nothing new is opened, and it is in step
as soon as it can be again. What it makes of frames is shown at the twin, in `tests/venue_contract`.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from hean.core.types import AccountRead
from hean.errors import Halted, HeanError, RateLimited
from hean.venues.dispatch import S_NS
from hean.venues.private import SETTLED_S, PrivateStream
from hean.venues.questions import WAIT_MAX_S
from hean.venues.reports import Listing, Status
from lost_orders import ID, SHOWN, World, on_virtual_time


async def _nothing(ask: Any) -> Listing[Any]:
    return Listing((), True)


def stream_of(world: World) -> PrivateStream:
    """The stream of the world's account, whose lists can be silent or down."""
    codec: Any = world.venue
    codec.positions = codec.balances = _nothing
    codec.has_positions = lambda symbol: True
    return PrivateStream(
        codec,
        world.questions,
        world.tracker,
        world.resolution.naming,
        world.halts,
        emit=world.facts.append,
        symbols=("BTCUSDT",),
        run=world.run,
        on_missing=lambda order: None,
        on_read=lambda ticks_ns: None,
    )


@pytest.mark.parametrize(
    "silence", [RateLimited("orders must wait 27.8 s"), Halted("the venue wants silence")]
)
def test_an_account_that_nobody_may_read_yet_is_read_as_soon_as_somebody_may(
    silence: HeanError,
) -> None:
    """A rate limit that is used up says nothing about the venue: it makes no pause longer."""

    @on_virtual_time
    async def run(world: World) -> None:
        stream = stream_of(world)
        world.venue.silence = silence
        stream.catch_up()
        await asyncio.sleep(605)
        assert "cannot be read" in world.halts.why("BTCUSDT")
        world.venue.silence = None
        await asyncio.sleep(WAIT_MAX_S)
        assert stream.caught_up.is_set()
        assert len(world.of(AccountRead)) == 1
        assert world.halts.why("BTCUSDT") == ""

    run()


@on_virtual_time
async def test_a_venue_that_does_not_answer_is_asked_ever_more_slowly(world: World) -> None:
    stream = stream_of(world)
    asked: list[float] = []
    answer = world.venue._answer

    def counted() -> None:
        asked.append(world.loop.time())
        answer()

    world.venue._answer = counted  # type: ignore[method-assign]  # counts the questions
    world.venue.is_down = True
    stream.catch_up()
    await asyncio.sleep(600)
    assert len(asked) < 30
    assert not stream.caught_up.is_set()


class Line:
    """Only whether it was opened anew, and why."""

    def __init__(self) -> None:
        self.restarts: list[str] = []

    def restart(self, reason: str) -> None:
        """Keep it."""
        self.restarts.append(reason)


@pytest.mark.parametrize(
    ("status", "ago_s", "is_owed"),
    [
        (Status.CANCELLED, SETTLED_S + 1.0, True),
        (Status.EXPIRED, SETTLED_S + 1.0, True),
        (Status.CANCELLED, SETTLED_S - 1.0, False),  # its frame may be on its way
        (Status.OPEN, SETTLED_S + 1.0, False),
    ],
)
def test_a_stream_whose_orders_are_silent_is_opened_anew(
    status: Status, ago_s: float, is_owed: bool
) -> None:
    """Its executions may come all the while: each topic is silent for itself."""

    @on_virtual_time
    async def run(world: World) -> None:
        stream, line = stream_of(world), Line()
        world.sent(ID)
        world.tracker.placed(world.tracker.get(ID), SHOWN.exchange_order_id)
        world.venue.open = [SHOWN]
        stream.catch_up()
        await asyncio.sleep(60.0)
        stream._connection = line  # type: ignore[assignment]  # as if it had been opened
        ended_ns = world.loop.now_ns() - int(ago_s * S_NS)
        world.venue.open = [SHOWN] if status is Status.OPEN else []
        world.venue.by_id = [replace(SHOWN, status=status, ts_ns=ended_ns)]
        await stream.look()
        assert bool(line.restarts) is is_owed
        await stream.look()
        assert len(line.restarts) == is_owed  # what the reading told is not owed any more

    run()


@on_virtual_time
async def test_the_end_of_an_order_that_may_be_somebodys_is_not_owed(world: World) -> None:
    """Under our id the venue has another order: it stays in doubt, and the stream is kept."""
    stream, line = stream_of(world), Line()
    world.sent(ID)
    stream.catch_up()
    await asyncio.sleep(60.0)
    stream._connection = line  # type: ignore[assignment]  # as if it had been opened
    others = replace(SHOWN, quantity=2 * SHOWN.quantity, status=Status.CANCELLED, ts_ns=1)
    world.venue.by_id = [others]
    await stream.look()
    await stream.look()
    assert not line.restarts
