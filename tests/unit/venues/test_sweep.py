# SPDX-License-Identifier: Apache-2.0
"""When a sweep asks again for what the venue still shows, on virtual time. What it takes and what
it leaves is shown at the twins, in `tests/venue_contract/adapters/test_sweep.py`.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hean.venues.reports import Call, Listing, OrderReport
from hean.venues.sweep import PATIENCE_S, Sweep
from lost_orders import ID, SHOWN, World, on_virtual_time


@pytest.mark.parametrize(("list_s", "repeated_s"), [(0.0, 3.1), (1.0, 2.1), (5.0, 5.0)])
def test_a_cancel_without_effect_is_repeated_with_the_first_list_two_seconds_after_it(
    list_s: float, repeated_s: float
) -> None:
    """It has had its time while the list was on its way."""

    @on_virtual_time
    async def run(world: World) -> None:
        asked_s: list[float] = []
        codec: Any = world.venue

        async def open_orders(ask: Any) -> Listing[OrderReport]:
            await asyncio.sleep(list_s)
            return Listing((SHOWN,), True)

        async def ask(call: Call) -> None:
            asked_s.append(world.loop.time() - began_s)

        def cancel(order_id: str) -> None:
            assert order_id == ID
            world.order.is_cancel_wanted = True
            world.order.cancelled_ns = world.questions.ticks_ns()

        codec.open_orders = open_orders
        codec.cancel_listed = lambda report: Call("cancel", "DELETE", "/order", "")
        world.questions.ask = ask  # type: ignore[method-assign]  # what leaves by REST
        sweep = Sweep(
            codec,
            world.questions,
            world.tracker,
            world.run,
            cancel=cancel,
            keeps=lambda order_id: False,
            emit=world.facts.append,
        )
        await asyncio.sleep(100)
        began_s = world.loop.time()
        sweep.start()
        await asyncio.sleep(4 * PATIENCE_S)
        assert asked_s[0] == pytest.approx(repeated_s)

    run()
