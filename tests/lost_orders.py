# SPDX-License-Identifier: Apache-2.0
"""A gateway's resolution of orders on virtual time, with everything around it but sockets. The
venue is a list of orders and executions that a test fills and empties."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any

from hean.core.simloop import SimLoop
from hean.core.types import (
    OrderApproved,
    OrderType,
    Payload,
    Side,
)
from hean.errors import HeanError, OutcomeUnknown
from hean.net.budget import Budget
from hean.net.http import HttpClient
from hean.net.offset import ClockOffset
from hean.venues.halts import Halts
from hean.venues.questions import Questions
from hean.venues.reports import Execution, Listing, OrderReport, Settlement, Status
from hean.venues.resolution import Resolution
from hean.venues.search import Patience
from hean.venues.tracking import OrderTracker

S_NS = 1_000_000_000
ID = "hz-test-1"
APPROVED = OrderApproved(
    "BTCUSDT", Side.BUY, Decimal("0.010"), OrderType.LIMIT, Decimal(50_000), ID, strategy_id="t"
)
SHOWN = OrderReport(
    "BTCUSDT", ID, "777", Status.OPEN, Decimal("0.010"), Decimal(0), "New", side=Side.BUY
)
PIECE = Execution(
    "BTCUSDT",
    ID,
    "777",
    "BTCUSDT-x1",
    Side.BUY,
    Decimal(50_000),
    Decimal("0.004"),
    Decimal("0.1"),
    "USDT",
    True,
    7,
)


class Lists:
    """What the venue answers. *behind_s*: its clock; *names*: client ids by its own order ids,
    `None` of one that it denies;
    *silence*: why nobody may ask; *looks_s*: when orders were asked for;
    *listings*, *readings*: lists given of orders, of executions; *paid*: funding, *rates*: the same
    with its rate, by id.
    """

    name = "venue"

    def __init__(self, now: Callable[[], int]) -> None:
        self.by_id: list[OrderReport] = []
        self.open: list[OrderReport] = []
        self.traded: list[Execution] = []
        self.paid: list[Settlement] = []
        self.rates: dict[str, Settlement] = {}
        self.names: dict[str, str | None] = {}
        self.is_complete = True
        self.is_down = False
        self.silence: HeanError | None = None
        self.behind_s = 0.0
        self.listings = 0
        self.readings = 0
        self.looks_s: list[float] = []
        self._now = now

    async def order(self, ask: Any, order: Any) -> OrderReport | None:
        self.looks_s.append(self._now() / S_NS)
        self._answer()
        found = [each for each in self.by_id if each.client_order_id == order.order_id]
        return found[0] if found else None

    async def open_orders(self, ask: Any) -> Listing[OrderReport]:
        self._answer()
        self.listings += 1
        return Listing(tuple(self.open), self.is_complete)

    async def executions(self, ask: Any, since_ns: int, symbols: Any) -> Listing[Execution]:
        self._answer()
        self.readings += 1
        return Listing(tuple(self.traded), self.is_complete)

    async def settlements(self, ask: Any, since_ns: int, symbols: Any) -> Listing[Settlement]:
        self._answer()
        rows = tuple(each for each in self.paid if each.ts_ns >= since_ns)
        return Listing(rows, self.is_complete)

    async def priced(self, ask: Any, settlement: Settlement) -> Settlement:
        self._answer()
        return self.rates.get(settlement.exec_id, settlement)

    async def client_id_of(self, ask: Any, execution: Execution) -> str | None:
        self._answer()
        return self.names.get(execution.exchange_order_id, "")

    async def server_time_ns(self, ask: Any) -> int:
        self._answer()
        return self._now() - int(self.behind_s * S_NS)

    def _answer(self) -> None:
        if self.is_down:
            raise OutcomeUnknown("no answer")
        if self.silence is not None:
            raise self.silence


class World:
    """Resolution with everything around it but sockets."""

    def __init__(self, loop: SimLoop) -> None:
        self.loop = loop
        self.facts: list[Payload] = []
        self.cancels: list[str] = []
        self.unbroken = 0
        self.position = ""
        self.tasks: list[asyncio.Task[None]] = []
        self.venue = Lists(loop.now_ns)
        self.questions = Questions(
            self.venue,  # type: ignore[arg-type]  # the part of a codec that is asked here
            HttpClient("http://127.0.0.1:9", now=loop.now_ns),
            Budget([], {}),
            ClockOffset(),
            now=loop.now_ns,
            on_key_refused=lambda why: None,
            on_code=lambda code: None,
        )
        self.halts = Halts("venue", self.facts.append, dict, first=("start", ""))
        self.halts.lift("start")
        self.resolution = Resolution(
            self.venue,  # type: ignore[arg-type]
            self.questions,
            self.halts,
            self.run,
            symbols=("BTCUSDT",),
            emit=self.facts.append,
            cancel=lambda order: self.cancels.append(order.order_id),
            unbroken=lambda: self.unbroken,
            first_ns=lambda: 0,
            remembers=lambda order_id: False,
            position_problem=lambda symbol, since_ns: self.position,
            patience=Patience(),
        )
        self.tracker: OrderTracker = self.resolution.tracker
        self.order = self.sent(ID)

    def sent(self, order_id: str) -> Any:
        approved = OrderApproved(**{**dict(APPROVED), "order_id": order_id})
        order = self.tracker.open(approved, self.loop.now_ns())
        order.left_ms = self.loop.now_ns() // 1_000_000
        return order

    def run(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        self.tasks.append(self.loop.create_task(work))
        return self.tasks[-1]

    def lost(self, order: Any = None) -> None:
        order = order or self.order
        self.tracker.unknown(order, self.loop.now_ns())
        self.resolution.look_for(order)

    def of(self, kind: type[Any]) -> list[Any]:
        return [fact for fact in self.facts if isinstance(fact, kind)]

    async def until(self, kind: type[Any]) -> float:
        """When the first of a kind is told, in seconds."""
        while not self.of(kind):
            await asyncio.sleep(0.1)
        return self.loop.time()

    def orders(self) -> list[str]:
        """What was told about orders, in short."""
        return [type(fact).__name__ for fact in self.facts if hasattr(fact, "order_id")]


def on_virtual_time(test: Callable[[World], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def run() -> None:
        loop = SimLoop()
        world: list[World] = []

        async def main() -> None:
            world.append(World(loop))
            await test(world[0])
            for task in world[0].tasks:
                task.cancel()
            await asyncio.gather(*world[0].tasks, return_exceptions=True)

        loop.run_until_complete(main())
        loop.close()

    run.__name__ = test.__name__
    return run
