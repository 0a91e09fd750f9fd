# SPDX-License-Identifier: Apache-2.0
"""Orders whose fate is not known, on virtual time: what is concluded, when, and from what. The
venue is a list of orders and executions that the test fills and empties."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any

import pytest

from hean.core.simloop import SimLoop
from hean.core.types import (
    Command,
    Error,
    Health,
    OrderAbsent,
    OrderApproved,
    OrderFilled,
    OrderPlaced,
    OrderQuarantined,
    OrderType,
    OrderUnknown,
    Payload,
    Side,
)
from hean.errors import OutcomeUnknown, RateLimited
from hean.net.budget import Budget
from hean.net.http import HttpClient
from hean.net.offset import ClockOffset
from hean.venues.halts import Halts
from hean.venues.questions import Questions
from hean.venues.reports import Execution, Listing, OrderReport, Status
from hean.venues.resolution import Resolution
from hean.venues.search import Patience, Proof, missing_proof
from hean.venues.tracking import OrderTracker
from scripted_venue import tracked

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
    """What the venue answers. *behind_s*: its clock; *names*: client ids by its own order ids."""

    name = "venue"

    def __init__(self, now: Callable[[], int]) -> None:
        self.by_id: list[OrderReport] = []
        self.open: list[OrderReport] = []
        self.traded: list[Execution] = []
        self.names: dict[str, str] = {}
        self.is_complete = True
        self.is_down = False
        self.is_busy = False
        self.behind_s = 0.0
        self.listings = 0
        self._now = now

    async def order(self, ask: Any, order: Any) -> OrderReport | None:
        self._answer()
        found = [each for each in self.by_id if each.client_order_id == order.order_id]
        return found[0] if found else None

    async def open_orders(self, ask: Any) -> Listing[OrderReport]:
        self._answer()
        self.listings += 1
        return Listing(tuple(self.open), self.is_complete)

    async def executions(self, ask: Any, since_ns: int, symbols: Any) -> Listing[Execution]:
        self._answer()
        return Listing(tuple(self.traded), self.is_complete)

    async def client_id_of(self, ask: Any, execution: Execution) -> str:
        self._answer()
        return self.names.get(execution.exchange_order_id, "")

    async def server_time_ns(self, ask: Any) -> int:
        self._answer()
        return self._now() - int(self.behind_s * S_NS)

    def _answer(self) -> None:
        if self.is_down:
            raise OutcomeUnknown("no answer")
        if self.is_busy:
            raise RateLimited("wait")


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
        questions = Questions(
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
            questions,
            self.halts,
            self.run,
            symbols=("BTCUSDT",),
            emit=self.facts.append,
            cancel=self.cancels.append,
            unbroken=lambda: self.unbroken,
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


WHOLE = Proof(rounds=3, spread_s=60.0, late_ms=5_000, is_watched=True, position="")


@pytest.mark.parametrize(
    ("change", "order", "missing"),
    [
        ({}, {}, ""),
        ({"rounds": 2}, {}, "2 of 3 complete looks"),
        ({"spread_s": 59.9}, {}, "of 60 s"),
        ({"late_ms": 4_999}, {}, "may still be accepted"),
        ({"is_watched": False}, {}, "a hole"),
        ({"position": "the position differs"}, {}, "the position differs"),
        ({}, {"is_disputed": True}, "another order"),
    ],
)
def test_a_proof_of_absence_needs_every_part(change, order, missing):
    found = missing_proof(dataclasses.replace(WHOLE, **change), tracked(**order), Patience())
    assert (found == "") == (missing == "")
    assert missing in found


@on_virtual_time
async def test_30_an_order_that_never_arrived_is_absent_after_a_minute_and_within_90_s(world):
    world.lost()
    at_s = await world.until(OrderAbsent)
    assert 60 <= at_s <= 90
    assert world.orders() == ["OrderUnknown", "OrderAbsent"]
    proof = world.of(OrderAbsent)[0].reason
    assert "complete looks" in proof
    assert "position" in proof
    assert world.tracker.open_orders() == []


@on_virtual_time
async def test_31_no_verdict_while_the_venue_s_clock_would_still_let_it_in(world):
    world.venue.behind_s = 100.0
    world.lost()
    await asyncio.sleep(105)
    assert world.of(OrderAbsent) == []
    at_s = await world.until(OrderAbsent)
    assert at_s >= 110  # receive window and five seconds by the slow clock


@on_virtual_time
async def test_31_a_late_one_is_adopted_by_its_frame(world):
    world.lost()
    await asyncio.sleep(8)
    world.tracker.report(SHOWN)
    await asyncio.sleep(100)
    assert world.orders() == ["OrderUnknown", "OrderPlaced"]


@on_virtual_time
async def test_a_hole_in_the_stream_begins_the_proof_anew(world):
    world.lost()
    await asyncio.sleep(40)
    world.unbroken = -1
    await asyncio.sleep(20)
    world.unbroken = 1
    back_s = world.loop.time()
    at_s = await world.until(OrderAbsent)
    assert at_s >= back_s + 60


@on_virtual_time
async def test_a_short_hole_between_two_looks_is_noticed_too(world):
    world.lost()
    await asyncio.sleep(40)
    world.unbroken = 1
    at_s = await world.until(OrderAbsent)
    assert at_s >= 100


@on_virtual_time
async def test_54_a_position_that_disagrees_is_quarantine_not_absence(world):
    world.position = "the position differs"
    world.lost()
    at_s = await world.until(OrderQuarantined)
    assert 300 <= at_s <= 330
    assert world.of(OrderAbsent) == []
    assert "the position differs" in world.of(OrderQuarantined)[0].reason
    assert world.halts.why("BTCUSDT") != ""
    assert world.halts.why("ETHUSDT") == ""
    assert world.tracker.open_orders() == [world.order]


@on_virtual_time
async def test_quarantine_is_told_every_minute_and_never_gets_old(world):
    world.venue.is_complete = False
    world.lost()
    await world.until(OrderQuarantined)
    alarms = len(world.of(Error))
    await asyncio.sleep(3_600)
    assert 45 <= len(world.of(Error)) - alarms <= 60
    assert len(world.of(OrderQuarantined)) == 1
    assert world.tracker.open_orders() == [world.order]


@on_virtual_time
async def test_53_incomplete_lists_are_never_absence(world):
    world.venue.is_complete = False
    world.lost()
    await asyncio.sleep(1_000)
    assert world.of(OrderAbsent) == []
    world.venue.is_complete = True
    await world.until(OrderAbsent)
    assert world.halts.why("BTCUSDT") == ""


@on_virtual_time
async def test_a_venue_that_does_not_answer_proves_nothing(world):
    world.venue.is_down = True
    world.lost()
    await asyncio.sleep(400)
    assert world.orders() == ["OrderUnknown", "OrderQuarantined"]
    world.venue.is_down = False
    world.venue.by_id = [SHOWN]
    await world.until(OrderPlaced)
    await asyncio.sleep(1)
    assert world.halts.why("BTCUSDT") == ""


@pytest.mark.parametrize(("trouble", "earliest_s"), [("is_busy", 60), ("is_down", 90)])
def test_a_look_that_was_not_allowed_says_nothing_and_one_that_failed_spoils_the_proof(
    trouble, earliest_s
):
    @on_virtual_time
    async def run(world: World) -> None:
        world.lost()
        await asyncio.sleep(25)
        setattr(world.venue, trouble, True)
        await asyncio.sleep(10)
        setattr(world.venue, trouble, False)
        at_s = await world.until(OrderAbsent)
        assert earliest_s <= at_s < earliest_s + 30

    run()


@on_virtual_time
async def test_the_first_looks_ask_for_the_order_alone(world):
    world.lost()
    await asyncio.sleep(5)
    assert world.venue.listings == 0
    await asyncio.sleep(5)
    assert world.venue.listings == 1


@on_virtual_time
async def test_46_the_list_of_open_orders_alone_shows_it(world):
    world.venue.open = [SHOWN]
    world.lost()
    await world.until(OrderPlaced)
    assert world.orders() == ["OrderUnknown", "OrderPlaced"]


@pytest.mark.parametrize("name", [ID, ""])
def test_46_an_execution_alone_shows_it(name):
    """Where the venue's executions do not tell the client id, their order is asked."""

    @on_virtual_time
    async def run(world: World) -> None:
        world.venue.traded = [dataclasses.replace(PIECE, client_order_id=name)]
        world.venue.names = {"777": ID}
        world.lost()
        await world.until(OrderFilled)
        assert world.orders() == ["OrderUnknown", "OrderPlaced", "OrderFilled"]
        assert world.of(OrderFilled)[0].order_id == ID

    run()


@on_virtual_time
async def test_somebody_else_s_executions_do_not_stand_for_it(world):
    world.venue.traded = [dataclasses.replace(PIECE, client_order_id="")]
    world.venue.names = {"777": "web_1"}
    world.lost()
    await world.until(OrderAbsent)
    assert world.of(OrderFilled) == []


@on_virtual_time
async def test_41_an_order_the_venue_forgot_is_in_quarantine_and_adopted_when_it_is_back(world):
    world.tracker.placed(world.order, "777")
    world.resolution.look_for(world.order)
    at_s = await world.until(OrderQuarantined)
    assert at_s >= 300
    await asyncio.sleep(1_500)
    assert world.of(OrderAbsent) == []
    assert world.tracker.open_orders() == [world.order]
    world.venue.by_id = [SHOWN]
    await asyncio.sleep(30)
    assert not world.order.is_quarantined
    assert world.halts.why("BTCUSDT") == ""
    assert world.orders() == ["OrderPlaced", "OrderQuarantined"]


@on_virtual_time
async def test_an_absent_order_that_turns_up_is_ours_again_and_stops_what_is_new(world):
    world.lost()
    await world.until(OrderAbsent)
    world.tracker.execution(dataclasses.replace(PIECE, ts_ns=world.loop.now_ns()))
    assert world.orders() == ["OrderUnknown", "OrderAbsent", "OrderPlaced", "OrderFilled"]
    (kill,) = world.of(Command)
    assert (kill.verb, kill.arguments["level"]) == ("kill", "HALT_NEW")
    assert "ms after it was sent" in kill.arguments["reason"]


@pytest.mark.parametrize(
    "other",
    [{"side": Side.SELL}, {"quantity": Decimal(1)}, {"symbol": "ETHUSDT"}],
    ids=["side", "size", "symbol"],
)
def test_39_a_stranger_under_our_id_is_quarantine_for_good(other):
    @on_virtual_time
    async def run(world: World) -> None:
        world.venue.by_id = [dataclasses.replace(SHOWN, **other)]
        world.lost()
        at_s = await world.until(OrderQuarantined)
        assert at_s < 1
        await asyncio.sleep(500)
        assert world.orders() == ["OrderUnknown", "OrderQuarantined"]
        assert "under this id" in world.of(OrderQuarantined)[0].reason
        world.venue.by_id = []
        await asyncio.sleep(500)
        assert world.of(OrderAbsent) == []

    run()


@on_virtual_time
async def test_a_status_nobody_knows_is_quarantine_until_it_is_one_we_know(world):
    world.tracker.placed(world.order, "777")
    strange = dataclasses.replace(SHOWN, status=Status.STRANGE, word="Simmering")
    world.venue.by_id = [strange]
    world.tracker.report(strange)
    assert world.orders() == ["OrderPlaced", "OrderQuarantined"]
    assert "Simmering" in world.halts.why("BTCUSDT")
    assert world.halts.why("ETHUSDT") == ""
    await asyncio.sleep(100)
    assert len(world.of(Error)) == 2
    world.venue.by_id = [SHOWN]
    await asyncio.sleep(30)
    assert not world.order.is_quarantined


@on_virtual_time
async def test_a_cancel_that_was_wanted_is_sent_when_the_order_is_found(world):
    world.lost()
    world.order.is_cancel_wanted = True
    await asyncio.sleep(20)
    assert world.cancels == []
    world.venue.by_id = [SHOWN]
    await asyncio.sleep(16)
    assert world.cancels == [ID]


@on_virtual_time
async def test_43_a_cancel_that_finds_nothing_is_asked_again_ever_more_slowly(world):
    """The venue shows the order as open and does not find it for a cancel, again and again."""
    world.tracker.placed(world.order, "777")
    world.venue.by_id = [SHOWN]
    world.order.is_cancel_wanted = True
    for _ in range(60):
        before = len(world.cancels)
        world.resolution.not_found(world.order)
        while len(world.cancels) == before:
            await asyncio.sleep(0.1)
    assert 1_500 < world.loop.time() < 2_000


@on_virtual_time
async def test_a_cancel_refused_for_no_fault_of_the_order_is_asked_again_ever_more_slowly(world):
    world.tracker.placed(world.order, "777")
    world.order.is_cancel_wanted = True
    for _ in range(60):
        before = len(world.cancels)
        world.resolution.cancel_refused(world.order)
        while len(world.cancels) == before:
            await asyncio.sleep(0.1)
    assert 1_500 < world.loop.time() < 2_000
    assert world.orders() == ["OrderPlaced"]


@on_virtual_time
async def test_43_an_order_that_was_filled_when_its_cancel_came_is_not_cancelled_again(world):
    world.tracker.placed(world.order, "777")
    world.order.is_cancel_wanted = True
    filled = dataclasses.replace(SHOWN, status=Status.FILLED, filled=Decimal("0.010"))
    world.venue.by_id = [filled]
    world.venue.traded = [dataclasses.replace(PIECE, quantity=Decimal("0.010"))]
    world.resolution.not_found(world.order)
    await asyncio.sleep(60)
    assert world.orders() == ["OrderPlaced", "OrderFilled"]
    assert world.cancels == []


@on_virtual_time
async def test_many_orders_are_looked_for_with_the_lists_of_one(world):
    for number in range(40):
        world.lost(world.sent(f"hz-test-a{number}"))
    world.lost()
    while len(world.of(OrderAbsent)) < 41:
        await asyncio.sleep(1)
    assert world.venue.listings <= 12


@on_virtual_time
async def test_an_order_left_in_quarantine_by_an_earlier_run_stops_its_symbol_at_once(world):
    order = tracked(order_id="hy-test-9", is_unknown=True, is_quarantined=True)
    world.tracker.restore([order], [])
    world.resolution.look_for(order)
    assert world.halts.why("BTCUSDT") != ""
    assert world.of(OrderUnknown) == []


@on_virtual_time
async def test_health_names_the_orders_that_nobody_knows_about(world):
    world.venue.is_complete = False
    world.lost()
    await world.until(OrderQuarantined)
    reasons = world.of(Health)[-1].extra["reasons"]
    assert any(ID in name for name in reasons)
