# SPDX-License-Identifier: Apache-2.0
"""Slices never exceed their parent, not by one lot, whatever the venue does.

The venue of these tests answers by lot: late, twice, in another order, with refusals, parts,
unknown outcomes, quarantine, refused cancels and amendments. It keeps its own books of what it was
sent, without a look at the engine. It keeps the one promise that every tracker keeps: what an order
filled is told before its end. Afterwards it becomes kind, and every parent must come to its end.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk import BTC, INSTRUMENTS, Desk, Slicer
from hean.core.types import (
    AmendRejected,
    CancelRequest,
    EventType,
    OrderAbsent,
    OrderAmended,
    OrderApproved,
    OrderCancelled,
    OrderPlaced,
    OrderQuarantined,
    OrderRejected,
    OrderType,
    OrderUnknown,
    Side,
    Tick,
)

LOT = Decimal("0.001")
PARENT = Decimal("0.1")
LIMITED = {"type": OrderType.LIMIT, "price": Decimal(60_100)}
ALGOS: list[tuple[str, dict[str, Any]]] = [
    ("twap:duration=30s,slices=7", {}),
    ("twap:duration=30s,slices=5,rest=true", LIMITED),
    ("vwap:duration=30s,weights=5|1|1|3,expected=500", {}),
    ("shortfall:duration=30s,slices=6,urgency=3,rest=true", {}),
    ("pov:share=0.3,interval=2s,cap=0.4,duration=40s", {}),
    ("iceberg:display=0.2", LIMITED),
    ("chaser:away=0.1,pause=1s,duration=30s", {}),
]


@dataclass
class AtVenue:
    """What the venue knows of an order."""

    order: OrderApproved
    size: Decimal
    filled: Decimal = Decimal(0)
    pieces: int = 0
    is_over: bool = False
    is_known: bool = True


class Venue:
    """Answers by lot. *side* of the parents; *rng*: the lot."""

    def __init__(self, side: Side, seed: int) -> None:
        self.rng = random.Random(seed)
        self.side = side
        self.desk = Desk(
            cash=1_000_000,
            strategy=Slicer(tuple(INSTRUMENTS)),
            limits={"orders_per_second_max": "5"},
        )
        self.orders: dict[str, AtVenue] = {}
        self.parts: dict[tuple[str, int], Decimal] = {}
        self.price = 60_000.0
        self.tick()

    def tick(self) -> None:
        self.price += self.rng.choice((-5.0, 0.0, 5.0))
        volume = self.rng.randrange(20) / 1_000
        tick = Tick(BTC, self.price, volume, 0, self.price, self.price + 0.1)
        self.desk.prices[BTC] = self.price
        self.desk.say(tick)

    def look(self) -> None:
        for order in self.desk.venue.sent:
            if order.order_id not in self.orders:
                self.orders[order.order_id] = AtVenue(order, order.size)

    def step(self) -> None:
        self.look()
        alive = [each for each in self.orders.values() if not each.is_over]
        if alive:
            self.answer(self.rng.choice(alive))
        if self.rng.random() < 0.5:
            self.tick()
        self.desk.wait(self.rng.choice((0.0, 0.1, 0.3, 1.0, 3.0)))
        self.check()

    def answer(self, each: AtVenue) -> None:
        order_id, rng = each.order.order_id, self.rng
        match rng.randrange(12):
            case 0 | 1:
                self.desk.say(OrderPlaced(order_id, f"v-{order_id}", BTC))
            case 2 | 3 | 4:
                self.fill(each, Decimal(rng.randint(1, 30)) * LOT)
            case 5:  # the last piece once more
                if each.pieces:
                    self.tell(each, each.pieces)
            case 6:
                self.over(each, OrderCancelled(order_id, "by the venue", BTC, self.rest(each)))
            case 7 if not each.filled:
                self.over(each, OrderRejected(order_id, "no", 4201, "venue", BTC))
            case 8:
                self.desk.say(OrderUnknown(order_id, 0, BTC))
            case 9 if not each.filled and self.desk.engine.status(order_id) == "UNKNOWN":
                if rng.random() < 0.5:
                    self.over(each, OrderAbsent(order_id, "three looks", BTC))
                else:
                    self.desk.say(OrderQuarantined(order_id, "no proof", BTC))
            case 10 if order_id in self.desk.venue.cancels:
                self.desk.say(OrderRejected(order_id, "busy", 4301, "venue-request", BTC))
            case 11 if self.desk.engine.get(order_id)["amend_pending"]:
                self.amended(each)

    def amended(self, each: AtVenue) -> None:
        order_id = each.order.order_id
        if self.rng.random() < 0.5:
            self.desk.say(AmendRejected(order_id, "no", 4201, "venue", BTC))
            return
        price = [price for name, price, _ in self.desk.venue.amends if name == order_id][-1]
        self.desk.say(OrderAmended(order_id, price, each.size, self.rest(each), BTC))

    def fill(self, each: AtVenue, wanted: Decimal) -> None:
        part = min(wanted, self.rest(each))
        each.pieces += 1
        each.filled += part
        each.is_over = not self.rest(each)
        self.parts[each.order.order_id, each.pieces] = part
        self.tell(each, each.pieces)

    def tell(self, each: AtVenue, piece: int) -> None:
        order_id = each.order.order_id
        part = self.parts[order_id, piece]
        rest = self.rest(each)
        self.desk.fill(order_id, str(part), f"{order_id}/{piece}", remaining_qty=rest)

    def over(self, each: AtVenue, word: Any) -> None:
        each.is_over = True
        self.desk.say(word)

    def rest(self, each: AtVenue) -> Decimal:
        return each.size - each.filled

    def check(self) -> None:
        """The venue's own sums: what traded and what may still trade."""
        self.look()
        traded = sum((each.filled for each in self.orders.values()), Decimal(0))
        working = sum(
            (self.rest(each) for each in self.orders.values() if not each.is_over), Decimal(0)
        )
        assert traded + working <= PARENT
        sign = 1 if self.side is Side.BUY else -1
        assert self.desk.held() == (sign * traded, sign * traded)

    def be_kind(self) -> None:
        """Everything fills, or ends where that was asked for."""
        for _ in range(400):
            self.look()
            for each in list(self.orders.values()):
                if each.is_over:
                    continue
                if each.order.order_id in self.desk.venue.cancels:
                    word = OrderCancelled(each.order.order_id, "asked", BTC, self.rest(each))
                    self.over(each, word)
                else:
                    self.fill(each, each.size)
            self.tick()
            self.desk.wait(0.5)
            self.check()


def played(algo: str, fields: dict[str, Any], seed: int, *, steps: int, side: Side) -> Venue:
    venue = Venue(side, seed)
    if fields and side is Side.SELL:
        fields = {**fields, "price": Decimal(59_900)}
    parent = venue.desk.ask(str(PARENT), side, order_id="whole", algo=algo, **fields)
    stops = venue.rng.random() < 0.25
    for number in range(steps):
        venue.step()
        if stops and number == steps // 2:
            venue.desk.say(CancelRequest(parent, BTC, "enough"))
    venue.be_kind()
    traded = sum((each.filled for each in venue.orders.values()), Decimal(0))
    order = venue.desk.engine.get(parent)
    assert order["filled_qty"] == traded
    ends = [e for e in venue.desk.of(EventType.ORDER_CANCELLED) if e.order_id == parent]
    assert [(end.source, end.remaining_qty) for end in ends] == [("desk", PARENT - traded)]
    assert order["status"] == ("FILLED" if traded == PARENT else "CANCELLED")
    exposure = venue.desk.engine.exposure(BTC)
    assert (exposure["open_buy"], exposure["open_sell"]) == (0, 0)
    return venue


@given(
    st.sampled_from(ALGOS),
    st.integers(0, 2**32),
    st.integers(1, 60),
    st.sampled_from([Side.BUY, Side.SELL]),
)
def test_slices_never_exceed_their_parent(
    algo: tuple[str, dict[str, Any]], seed: int, steps: int, side: Side
) -> None:
    played(algo[0], algo[1], seed, steps=steps, side=side)


@pytest.mark.parametrize(("algo", "fields"), ALGOS)
def test_a_kind_venue_fills_every_parent_whole(algo: str, fields: dict[str, Any]) -> None:
    venue = played(algo, fields, 1, steps=0, side=Side.BUY)
    assert sum((each.filled for each in venue.orders.values()), Decimal(0)) == PARENT


def test_the_same_seed_makes_the_same_slices() -> None:
    sent = [
        [(o.order_id, o.size, o.price) for o in venue.desk.venue.sent]
        for venue in (played(*ALGOS[1], 7, steps=30, side=Side.BUY) for _ in range(2))
    ]
    assert sent[0] == sent[1]
    assert len(sent[0]) > 3
