# SPDX-License-Identifier: Apache-2.0
"""Between two estimates the venue's time goes on by the steady clock, whoever sets the other."""

from __future__ import annotations

import asyncio

import pytest

from hean.core.simloop import SimLoop
from lost_orders import World, on_virtual_time

HOUR_NS = 3_600_000_000_000
MS_NS = 1_000_000


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
