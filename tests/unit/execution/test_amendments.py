# SPDX-License-Identifier: Apache-2.0
"""An amendment over the bus: asked for, judged like a new order, sent once, and answered."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from desk import BTC, Desk
from hean.core.types import (
    AmendApproved,
    AmendRejected,
    AmendRequest,
    CancelRequest,
    EventType,
    Health,
    KillswitchTriggered,
    OrderAmended,
    OrderRequest,
    OrderType,
)
from hean.errors import (
    Halted,
    IllegalTransition,
    LimitBreached,
    NoReferencePrice,
    OrderNotOpen,
    OrderSizeInvalid,
    OrderUnknown,
    ParameterInvalid,
    QuantityNotOnLot,
    TicketInvalid,
)

D = Decimal


def resting(size: str = "0.1", price: int = 59_000, **limits: str) -> tuple[Desk, str]:
    """A desk with one order in the venue's book."""
    desk = Desk(limits=limits)
    order_id = desk.ask(size, type=OrderType.LIMIT, price=D(price))
    desk.place(order_id)
    return desk, order_id


def refusal(desk: Desk) -> tuple[int, str]:
    """Code and source of the only refused amendment."""
    (rejected,) = desk.of(EventType.AMEND_REJECTED)
    return rejected.code, rejected.source


def amended(desk: Desk, order_id: str, size: str, price: int = 59_000) -> None:
    """The venue says that the order has these terms."""
    filled = desk.engine.get(order_id)["filled_qty"]
    desk.say(OrderAmended(order_id, D(price), D(size), max(D(size) - filled, D(0)), BTC))


def terms(desk: Desk, order_id: str) -> tuple[Decimal, Decimal, bool]:
    """Size, price, and whether an amendment has no answer yet."""
    order = desk.engine.get(order_id)
    return order["qty"], order["price"], order["amend_pending"]


def reserved(desk: Desk) -> Decimal:
    return desk.engine.exposure(BTC)["open_buy"]


def test_a_strategy_asks_the_venue_answers_and_the_order_is_another() -> None:
    desk, order_id = resting()
    desk.strategy.amend(order_id, price=58_000.07, size=D("0.2"), symbol=BTC)
    desk.say()
    assert desk.venue.amends == [(order_id, D(58_000), D("0.2"))]  # a buy, so rounded down
    (approved,) = desk.of(EventType.AMEND_APPROVED)
    assert (approved.symbol, approved.strategy_id) == (BTC, "test")
    assert terms(desk, order_id) == (D("0.1"), 59_000, True)
    assert reserved(desk) == D("0.2")
    amended(desk, order_id, "0.2", 58_000)
    assert terms(desk, order_id) == (D("0.2"), 58_000, False)


def test_what_is_not_named_stays_and_the_size_is_that_of_the_whole_order() -> None:
    desk, order_id = resting()
    desk.fill(order_id, "0.04", "e1", price="59000")
    desk.say(AmendRequest(order_id, size=D("0.06")))
    assert desk.venue.amends == [(order_id, D(59_000), D("0.06"))]
    amended(desk, order_id, "0.06")
    assert reserved(desk) == D("0.02")
    desk.say(AmendRequest(order_id, price=58_500.0))
    assert desk.venue.amends[-1] == (order_id, D(58_500), D("0.06"))


def test_until_it_is_answered_the_worse_terms_count() -> None:
    desk, order_id = resting()
    desk.say(AmendRequest(order_id, size=D("0.05")))
    assert reserved(desk) == D("0.1")
    desk.say(AmendRejected(order_id, "no", 4201, "venue", BTC))
    assert (terms(desk, order_id), reserved(desk)) == ((D("0.1"), 59_000, False), D("0.1"))
    desk.say(AmendRequest(order_id, size=D("0.3")))
    assert reserved(desk) == D("0.3")
    desk.say(AmendRejected(order_id, "no", 4201, "venue", BTC))
    assert reserved(desk) == D("0.1")


@pytest.mark.parametrize(
    ("wish", "limits", "code"),
    [
        ({"size": D("0.3")}, {"position_value_max": "12000"}, LimitBreached.code),
        ({"size": D("0.3")}, {"order_value_max": "12000"}, LimitBreached.code),
        ({"price": 66_000.0}, {"collar_fraction": "0.05"}, LimitBreached.code),
        ({"size": D("0.2")}, {"orders_per_second_max": "1"}, LimitBreached.code),
        ({"size": D("0.0005")}, {}, QuantityNotOnLot.code),
        ({"size": D(0)}, {}, OrderSizeInvalid.code),
        ({"size": D("0.2"), "order_id": "h0-none-1"}, {}, OrderUnknown.code),
    ],
)
def test_it_is_judged_by_every_limit(
    wish: dict[str, Any], limits: dict[str, str], code: int
) -> None:
    desk, order_id = resting(**limits)
    desk.say(AmendRequest(**{"order_id": order_id, **wish}))
    assert refusal(desk) == (code, "risk")
    assert desk.venue.amends == []
    assert (terms(desk, order_id), reserved(desk)) == ((D("0.1"), 59_000, False), D("0.1"))
    assert desk.system.governor.refusals == 1


def test_it_is_judged_by_policy_and_by_the_age_of_the_data() -> None:
    desk, order_id = resting()
    asked: list[OrderRequest] = []

    def no(request: OrderRequest) -> str:
        asked.append(request)
        return "not today"

    desk.system.governor.add_check(no)
    desk.say(AmendRequest(order_id, price=58_000.0))
    assert refusal(desk) == (Halted.code, "risk")
    assert (asked[0].order_id, asked[0].price, asked[0].size) == (order_id, 58_000, D("0.1"))
    desk.say(Health("feed", "STALE", extra={"symbol": BTC}), AmendRequest(order_id, price=58_000.0))
    assert desk.of(EventType.AMEND_REJECTED)[-1].code == NoReferencePrice.code


def test_a_second_one_waits_for_the_answer_to_the_first() -> None:
    desk, order_id = resting()
    desk.say(AmendRequest(order_id, size=D("0.2")), AmendRequest(order_id, size=D("0.3")))
    assert refusal(desk) == (IllegalTransition.code, "risk")
    assert desk.venue.amends == [(order_id, D(59_000), D("0.2"))]
    assert terms(desk, order_id)[2]
    amended(desk, order_id, "0.2")
    desk.say(AmendRequest(order_id, size=D("0.3")))
    assert len(desk.venue.amends) == 2


def test_only_what_is_in_the_book_can_be_changed() -> None:
    desk = Desk()
    order_id = desk.ask("0.1", type=OrderType.LIMIT, price=D(59_000))
    desk.say(AmendRequest(order_id, size=D("0.2")))  # the venue has not said that it has it
    assert refusal(desk) == (OrderNotOpen.code, "risk")
    desk.place(order_id)
    desk.fill(order_id, "0.1", "e1", price="59000")
    desk.say(AmendRequest(order_id, size=D("0.2")))
    assert desk.of(EventType.AMEND_REJECTED)[-1].code == OrderNotOpen.code
    market = desk.ask("0.1")
    desk.place(market)
    desk.say(AmendRequest(market, price=58_000.0))
    assert desk.of(EventType.AMEND_REJECTED)[-1].code == ParameterInvalid.code
    assert desk.venue.amends == []


def test_no_more_than_has_filled_is_refused_and_the_venues_word_is_adopted_all_the_same() -> None:
    desk, order_id = resting()
    desk.fill(order_id, "0.06", "e1", price="59000")
    desk.say(AmendRequest(order_id, size=D("0.06")))
    assert refusal(desk) == (OrderSizeInvalid.code, "risk")
    amended(desk, order_id, "0.05")
    assert (desk.engine.status(order_id), reserved(desk)) == ("FILLED", 0)


def test_a_fill_that_races_the_answer_is_counted_and_never_more_is_open_than_wanted() -> None:
    desk, order_id = resting()
    desk.say(AmendRequest(order_id, size=D("0.2")))
    desk.fill(order_id, "0.15", "e1", price="59000")
    assert desk.held() == (D("0.15"), D("0.15"))
    assert reserved(desk) == D("0.05")
    amended(desk, order_id, "0.2")
    assert (desk.engine.status(order_id), reserved(desk)) == ("PARTIAL", D("0.05"))
    assert desk.system.orders.unexplained == 0


def test_an_order_filled_on_its_old_terms_can_still_be_taken_back() -> None:
    """The venue may have taken the amendment: then more of it is in the book than anybody saw."""
    desk, order_id = resting()
    desk.say(AmendRequest(order_id, size=D("0.2")))
    desk.fill(order_id, "0.1", "e1", price="59000")
    assert order_id in desk.open_ids()
    desk.say(CancelRequest(order_id))
    assert desk.venue.cancels == [order_id]
    desk.say(AmendRejected(order_id, "the order is not open", 3104, "venue", BTC))
    assert (desk.engine.status(order_id), desk.open_ids()) == ("FILLED", set())


def test_with_the_order_its_amendment_ends_and_a_late_answer_is_no_riddle() -> None:
    desk, order_id = resting()
    desk.say(AmendRequest(order_id, size=D("0.2")))
    desk.cancelled(order_id)
    assert reserved(desk) == 0
    desk.say(AmendRejected(order_id, "the order is not open", 3104, "venue", BTC))
    amended(desk, order_id, "0.2")
    assert (desk.engine.status(order_id), reserved(desk)) == ("CANCELLED", 0)
    assert desk.system.orders.unexplained == 0


def test_an_answer_about_an_order_that_nobody_knows_is_reported() -> None:
    desk, _ = resting()
    desk.say(OrderAmended("h0-none-1", D(1), D(1), D(1), BTC))
    assert desk.system.orders.unexplained == 1


# ---------------------------------------------------------------- the ticket


def approved_amend(desk: Desk, order_id: str) -> AmendApproved:
    """The only approval so far."""
    desk.say(AmendRequest(order_id, size=D("0.2")))
    (approved,) = desk.of(EventType.AMEND_APPROVED)
    assert isinstance(approved, AmendApproved)
    return approved


def test_the_same_approval_twice_is_sent_once() -> None:
    desk, order_id = resting()
    desk.say(approved_amend(desk, order_id))
    assert refusal(desk) == (TicketInvalid.code, "router")
    assert len(desk.venue.amends) == 1
    assert terms(desk, order_id)[2], "the one that left is still on its way"


def test_an_approval_without_a_ticket_is_anybodys_word() -> None:
    desk, order_id = resting()
    desk.say(AmendApproved(order_id, D(59_000), D("0.2"), BTC))
    assert refusal(desk) == (TicketInvalid.code, "router")
    assert desk.venue.amends == []


def test_the_ticket_is_bound_to_the_terms() -> None:
    desk, order_id = resting()
    price, now_ns = D(59_000), desk.clock.now_ns
    ticket = desk.engine.amend_approve(order_id, size=D("0.2"), price=price, now_ns=now_ns)
    honest = AmendApproved(order_id, price, D("0.2"), BTC, "test", ticket)
    for change in ({"size": D("0.3")}, {"price": D(60_000)}, {"price": None}):
        desk.say(msgspec.structs.replace(honest, **change))
    assert [each.code for each in desk.of(EventType.AMEND_REJECTED)] == [TicketInvalid.code] * 3
    desk.say(honest)
    assert desk.venue.amends == [(order_id, price, D("0.2"))]


def test_a_ticket_that_is_too_old_gives_the_reservation_back() -> None:
    desk, order_id = resting()
    price, now_ns = D(59_000), desk.clock.now_ns
    ticket = desk.engine.amend_approve(order_id, size=D("0.2"), price=price, now_ns=now_ns)
    desk.wait(0.3)
    desk.say(AmendApproved(order_id, price, D("0.2"), BTC, "test", ticket))
    assert refusal(desk) == (TicketInvalid.code, "router")
    assert (terms(desk, order_id)[2], reserved(desk)) == (False, D("0.1"))


def test_a_stop_between_approval_and_router_withdraws_it() -> None:
    desk, order_id = resting()
    price, now_ns = D(59_000), desk.clock.now_ns
    ticket = desk.engine.amend_approve(order_id, size=D("0.2"), price=price, now_ns=now_ns)
    desk.say(KillswitchTriggered("test", now_ns, "HALT_NEW"))
    desk.say(AmendApproved(order_id, price, D("0.2"), BTC, "test", ticket))
    assert refusal(desk) == (Halted.code, "router")
    assert (terms(desk, order_id)[2], reserved(desk)) == (False, D("0.1"))
    desk.say(AmendRequest(order_id, size=D("0.05")))
    assert desk.of(EventType.AMEND_REJECTED)[-1].source == "risk"
