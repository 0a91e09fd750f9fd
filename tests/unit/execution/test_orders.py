# SPDX-License-Identifier: Apache-2.0
"""The order manager: each execution counts once, everywhere or nowhere."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk import BTC, ETH, Desk
from hean.core.types import (
    Event,
    EventType,
    OrderCancelled,
    OrderFilled,
    OrderPlaced,
    OrderRejected,
    OrderUnknown,
    Side,
)


def filled_desk() -> tuple[Desk, str]:
    desk = Desk()
    order_id = desk.ask("0.1")
    desk.place(order_id)
    desk.fill(order_id, "0.04", "e1", fee=Decimal(1))
    return desk, order_id


@pytest.mark.promise(45)
def test_a_piece_is_counted_by_engine_ledger_and_strategy() -> None:
    desk, order_id = filled_desk()
    assert desk.held() == (Decimal("0.04"), Decimal("0.04"))
    assert desk.ledger.fees == 1
    assert desk.engine.status(order_id) == "PARTIAL"


def test_the_same_execution_again_reaches_neither_ledger_nor_handlers() -> None:
    desk, order_id = filled_desk()
    told: list[Event] = []
    desk.bus.subscribe(EventType.ORDER_FILLED, told.append)
    before = desk.ledger.canonical_bytes(), desk.engine.canonical_bytes()
    desk.fill(order_id, "0.04", "e1", fee=Decimal(1))
    assert (desk.ledger.canonical_bytes(), desk.engine.canonical_bytes()) == before
    assert told == []
    assert desk.system.orders.unexplained == 0  # a venue may repeat itself


def test_a_repeated_execution_does_not_move_the_position_of_a_strategy() -> None:
    desk = Desk()
    desk.strategy.enter(BTC, Side.BUY, size=Decimal("0.1"))
    desk.say()
    (order,) = desk.venue.sent
    desk.fill(order.order_id, "0.1", "e1")
    desk.fill(order.order_id, "0.1", "e1")
    assert desk.strategy.position[BTC] == Decimal("0.1")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"exec_id": ""}, "without exec_id"),
        ({"side": None}, "without exec_id or side"),
        ({"side": Side.SELL}, "is a Sell of BTCUSDT; its order"),
        ({"symbol": ETH}, "of ETHUSDT; its order"),
        ({"fill_price": Decimal("60000.05")}, "tick"),
        ({"filled_qty": Decimal("0.0005")}, "lot"),
        ({"filled_qty": Decimal("0.07")}, ""),
        ({"filled_qty": Decimal(0)}, ""),
        ({"filled_qty": Decimal("-0.01")}, ""),
        ({"order_id": "h0-test-999"}, "h0-test-999"),
        ({"symbol": "DOGEUSDT"}, "DOGEUSDT"),
    ],
)
def test_a_fill_that_contradicts_its_order_changes_nothing_and_is_reported(
    changes: dict[str, Any], words: str
) -> None:
    desk, order_id = filled_desk()
    before = desk.ledger.canonical_bytes(), desk.held(), desk.engine.get(order_id)
    fields: dict[str, Any] = {
        "order_id": order_id,
        "fill_price": Decimal(60_000),
        "filled_qty": Decimal("0.01"),
        "symbol": BTC,
        "side": Side.BUY,
        "exec_id": "e2",
    }
    desk.say(OrderFilled(**{**fields, **changes}))
    assert (desk.ledger.canonical_bytes(), desk.held(), desk.engine.get(order_id)) == before
    (error,) = desk.of(EventType.ERROR)
    assert error.component == "orders"
    assert words in error.error
    assert desk.system.orders.unexplained == 1


def test_a_fill_invented_by_a_custom_execution_moves_no_money() -> None:
    """The guide's fill has an order id, a price and a quantity, and no execution of a venue."""
    desk = Desk()
    order_id = desk.ask("0.1")
    invented = {"order_id": order_id, "fill_price": 60_000.0, "filled_qty": 0.1}
    desk.bus.emit(Event(EventType.ORDER_FILLED, invented))
    desk.say()
    assert desk.held() == (0, 0)
    assert desk.engine.status(order_id) == "SENT"


def test_a_liquidation_closes_the_position_of_engine_ledger_and_strategy_once() -> None:
    desk = Desk()
    desk.strategy.enter(BTC, Side.BUY, size=Decimal("0.1"), stop_loss=50_000.0)
    desk.say()
    desk.fill(desk.venue.sent[0].order_id, "0.1", "e1")
    liquidation = OrderFilled(
        "venue-liquidation-7", Decimal(50_000), Decimal("0.1"), BTC, Side.SELL, Decimal(5), "e7"
    )
    for _ in range(2):
        desk.say(liquidation)
    assert desk.held() == (0, 0)
    assert desk.strategy.position[BTC] == 0
    assert desk.ledger.fees == 5
    assert desk.venue.cancels == [desk.venue.sent[1].order_id]  # its stop


def test_a_strategy_takes_no_more_than_its_own_part_of_a_liquidation() -> None:
    desk = Desk()
    desk.strategy.enter(BTC, Side.BUY, size=Decimal("0.1"))
    desk.say()
    desk.fill(desk.venue.sent[0].order_id, "0.1", "e1")
    other = desk.ask("0.2")
    desk.fill(other, "0.2", "e2")
    liquidation = OrderFilled(
        "venue-liquidation-7", Decimal(50_000), Decimal("0.3"), BTC, Side.SELL, Decimal(5), "e7"
    )
    desk.say(liquidation)
    assert desk.strategy.position[BTC] == 0
    assert desk.held() == (0, 0)


def test_facts_of_unknown_orders_are_reported_and_harmless() -> None:
    desk = Desk()
    before = desk.engine.canonical_bytes()
    desk.say(
        OrderPlaced("x", "v1"), OrderCancelled("x"), OrderUnknown("x", 0),
        OrderRejected("x", "no", 4000, "venue"), OrderRejected("x", "no", 2101, "risk"),
    )  # fmt: skip
    assert desk.engine.canonical_bytes() == before
    assert len(desk.of(EventType.ERROR)) == desk.system.orders.unexplained == 4


def test_an_order_of_unknown_outcome_keeps_counting_until_the_venue_speaks() -> None:
    desk = Desk()
    order_id = desk.ask("0.1")
    desk.say(OrderUnknown(order_id, desk.clock.now_ns, BTC))
    assert desk.engine.status(order_id) == "UNKNOWN"
    assert desk.engine.exposure(BTC)["open_buy"] == Decimal("0.1")
    desk.fill(order_id, "0.1", "e1")
    assert desk.engine.status(order_id) == "FILLED"
    assert desk.held() == (Decimal("0.1"), Decimal("0.1"))


def test_the_venues_refusal_closes_an_order_and_its_reservation() -> None:
    desk = Desk()
    order_id = desk.ask("0.1")
    desk.say(OrderRejected(order_id, "no margin", 5101, "venue", BTC))
    assert desk.engine.status(order_id) == "REJECTED"
    assert desk.engine.exposure(BTC)["open_buy"] == 0


NUMBERS = st.integers(0, 5)
FACT = st.one_of(
    st.tuples(st.just("ask"), NUMBERS, st.booleans()),
    st.tuples(st.just("place"), NUMBERS),
    st.tuples(st.just("fill"), NUMBERS, st.integers(-1, 8), st.integers(0, 9), st.booleans()),
    st.tuples(st.just("cancel"), NUMBERS),
    st.tuples(st.just("reject"), NUMBERS),
    st.tuples(st.just("unknown"), NUMBERS),
    st.tuples(st.just("force"), st.integers(1, 8), st.integers(0, 9), st.booleans()),
)


@given(st.lists(FACT, max_size=40))
def test_engine_and_ledger_hold_the_same_position_after_any_facts(facts: list[Any]) -> None:
    """Method: orders, answers, repetitions, contradictions and liquidations in any order."""
    desk = Desk(cash=10_000_000)
    for number, (kind, *rest) in enumerate(facts):
        match kind, *rest:
            case "ask", order, is_buy:
                side = Side.BUY if is_buy else Side.SELL
                desk.ask("0.005", side, order_id=f"h0-test-{order}")
            case "place", order:
                desk.place(f"h0-test-{order}")
            case "fill", order, lots, execution, is_right:
                changes = {} if is_right else {"side": Side.SELL}
                quantity = f"{lots / 1000}"
                desk.fill(f"h0-test-{order}", quantity, f"e{execution}", **changes)
            case "cancel", order:
                desk.cancelled(f"h0-test-{order}")
            case "reject", order:
                desk.say(OrderRejected(f"h0-test-{order}", "no", 4000, "venue", BTC))
            case "unknown", order:
                desk.say(OrderUnknown(f"h0-test-{order}", number, BTC))
            case "force", lots, execution, is_buy:
                side = Side.BUY if is_buy else Side.SELL
                desk.fill(f"venue-x-{execution}", f"{lots / 1000}", f"f{execution}", side=side)
        engine, ledger = desk.held()
        assert engine == ledger
    desk.ledger.check()
