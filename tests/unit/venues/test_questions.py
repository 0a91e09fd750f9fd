# SPDX-License-Identifier: Apache-2.0
"""The venue's clock: what an estimate of it counts, and that between two of them its time goes on
by the steady clock, whoever sets the other."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest
from yarl import URL

from hean.core.simloop import SimLoop
from hean.net.budget import Budget, Limit
from hean.net.http import HttpClient, Leaving
from hean.net.offset import ClockOffset
from hean.venues.codec import SignedRequest
from hean.venues.outcomes import Outcome, Verdict
from hean.venues.questions import Questions
from hean.venues.reports import Ask, Call, Reply
from lost_orders import World, on_virtual_time

HOUR_NS = 3_600_000_000_000
MS_NS = 1_000_000
S_NS = 1_000_000_000


@pytest.mark.parametrize("step_ns", [HOUR_NS, -HOUR_NS])
def test_a_clock_that_is_set_does_not_move_the_venues_time(step_ns: int) -> None:
    @on_virtual_time
    async def play(world: World) -> None:
        questions = world.questions
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SimLoop)
        await questions.measure_clock()
        before_ms = questions.venue_ms()
        questions.now = lambda: loop.now_ns() + step_ns
        await asyncio.sleep(2.0)
        assert questions.venue_ms() == before_ms + 2_000
        await questions.measure_clock()
        assert abs(questions.venue_ms() - loop.now_ns() // MS_NS) <= 1

    play()


@on_virtual_time
async def test_before_the_first_estimate_it_is_the_machines_time(world: World) -> None:
    assert world.questions.venue_ms() == world.questions.now() // MS_NS


class ClockCodec:
    """The part of a codec that is asked for the venue's time."""

    name = "venue"

    def sign(self, call: Call, now_ms: int) -> SignedRequest:
        return SignedRequest(call.method, call.path, "", b"", {})

    def read(
        self, call: Call, status: int, headers: Mapping[str, str], body: bytes, now_ms: int
    ) -> Reply:
        return Reply(Verdict(Outcome.YES), data=int(body))

    async def server_time_ns(self, ask: Ask) -> int:
        return int(await ask(Call("time", "GET", "/time", "", is_signed=False)))


class OneSecondAway:
    """A transport to a venue whose clock is ours, and that is a second away."""

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def carry(
        self, method: str, url: URL, *, body: bytes, headers: Mapping[str, str], leaving: Leaving
    ) -> tuple[int, Mapping[str, str], bytes]:
        leaving.begin()
        await asyncio.sleep(0.5)
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SimLoop)
        told = str(loop.now_ns()).encode()
        await asyncio.sleep(0.5)
        return 200, {}, told


@on_virtual_time
async def test_waiting_for_the_rate_limit_is_no_part_of_the_way_to_the_venue(
    world: World,
) -> None:
    """Or a limit that is used up would look like a clock that is seconds off."""
    offset, now_ns = ClockOffset(), world.loop.now_ns
    client = HttpClient("http://127.0.0.1:9", now=now_ns, transport=lambda _: OneSecondAway())
    await client.start()
    questions = Questions(
        ClockCodec(),  # type: ignore[arg-type]  # as above
        client,
        Budget([Limit("weight", 2, 4 * S_NS)], {"time": {"weight": 1}}),
        offset,
        now=now_ns,
        on_key_refused=lambda why: None,
        on_code=lambda code: None,
    )
    await questions.measure_clock()
    assert world.loop.time() > 4 * 4  # each but the first has waited
    assert offset.offset_ns == 0
