# SPDX-License-Identifier: Apache-2.0
"""The account's stream while the account cannot be read: nothing new is opened, and it is in step
as soon as it can be again. What it makes of frames is shown at the twin, in `tests/venue_contract`.
"""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from hean.core.types import AccountRead
from hean.errors import Halted, HeanError, RateLimited
from hean.venues.private import PrivateStream
from hean.venues.questions import WAIT_MAX_S
from hean.venues.reports import Listing
from lost_orders import World, on_virtual_time


async def _nothing(ask: Any) -> Listing[Any]:
    return Listing((), True)


def stream_of(world: World) -> PrivateStream:
    """The stream of the world's account, whose lists can be silent or down."""
    codec: Any = world.venue
    codec.positions = codec.balances = _nothing
    codec.endpoints = SimpleNamespace(market="linear")
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
