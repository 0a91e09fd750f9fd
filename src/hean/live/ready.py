# SPDX-License-Identifier: Apache-2.0
"""`ready.py`: the last part of the rim. It is started when every other part is, and lets the
strategy go on where an earlier life stopped; it is stopped before them, and takes back what is not
to stay.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from hean.core.types import OrderUnknown, Payload
from hean.risk.killswitch import KillSwitch
from hean.risk.levels import LOCKED
from hean.strategies.base import Strategy
from hean.venues.gateway import Gateway

LEAVE_S = 4.0  # row 9: an orderly end takes five seconds at most
LOOK_S = 0.02


class Ready:
    """*last_ns*: of the last row of an earlier life; *keeps_orders*: whether open orders stay at
    the end; *prepare*: what is to be known before; *on_change*: told whether the process is ready.
    """

    def __init__(
        self,
        gateway: Gateway,
        killswitch: KillSwitch,
        strategy: Strategy,
        *,
        emit: Callable[[Payload], None],
        last_ns: int,
        keeps_orders: bool,
        prepare: Callable[[], Awaitable[None]],
        on_change: Callable[[bool], None],
    ) -> None:
        self._gateway = gateway
        self._killswitch = killswitch
        self._strategy = strategy
        self._emit = emit
        self._last_ns = last_ns
        self._keeps_orders = keeps_orders
        self._prepare = prepare
        self._on_change = on_change

    async def start(self) -> None:
        """The account is read and the market is there: go on trading."""
        await self._prepare()
        self._strategy.is_locked = self._killswitch.level == LOCKED
        self._strategy.protect()
        for order in self._gateway.tracker.open_orders():
            if order.is_unknown and not order.is_quarantined:
                # Not before the first reading, which shows nearly all of them.
                self._emit(OrderUnknown(order.order_id, self._last_ns, order.symbol))
            if order.is_cancel_wanted:
                self._gateway.cancel(order.order_id)
        self._killswitch.resume()
        self._on_change(True)

    async def stop(self) -> None:
        """Take back what is open, unless it is to stay; what protects a position always stays."""
        self._on_change(False)
        if self._keeps_orders:
            return
        leaving = [
            order
            for order in self._gateway.tracker.open_orders()
            if not self._killswitch.keeps(order.order_id)
        ]
        for order in leaving:
            self._gateway.cancel(order.order_id)
        with suppress(TimeoutError):
            async with asyncio.timeout(LEAVE_S):
                while not all(order.is_ended for order in leaving):
                    await asyncio.sleep(LOOK_S)
