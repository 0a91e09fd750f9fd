# SPDX-License-Identifier: Apache-2.0
"""One order, told in any order and more than once: each fact reaches the bus once."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from itertools import permutations

import pytest

from hean.core.types import (
    OrderAbsent,
    OrderApproved,
    OrderCancelled,
    OrderFilled,
    OrderPlaced,
    OrderQuarantined,
    OrderRejected,
    OrderType,
    OrderUnknown,
    Payload,
    Side,
)
from hean.errors import KeyRefused, VenueRefused
from hean.venues.reports import Execution, OrderReport, Status, Tracked
from hean.venues.tracking import OrderTracker

ID, VENUE_ID = "h1-test-1", "777"
APPROVED = OrderApproved(
    "BTCUSDT",
    Side.BUY,
    Decimal("0.010"),
    OrderType.LIMIT,
    Decimal(50_000),
    ID,
    strategy_id="test",
)


class Told:
    """A tracker and what it told: facts on the bus, and the rest to whoever watches it."""

    def __init__(self) -> None:
        self.facts: list[Payload] = []
        self.watched: list[tuple[str, object]] = []
        self.tracker = OrderTracker(self.facts.append, self)
        self.order = self.tracker.open(APPROVED, 5)

    def strange(self, report: OrderReport) -> None:
        self.watched.append(("strange", report.word))

    def stranger(self, seen: OrderReport | Execution) -> None:
        self.watched.append(("stranger", seen.client_order_id))

    def disputed(self, order: Tracked, why: str) -> None:
        self.watched.append(("disputed", order.order_id))

    def turned_up(self, order: Tracked, ts_ns: int) -> None:
        self.watched.append(("turned up", ts_ns))

    def untold(self, order: Tracked) -> None:
        self.watched.append(("untold", order.counted - order.filled))

    def kinds(self) -> list[type[Payload]]:
        return [type(fact) for fact in self.facts]


def look(status: Status, filled: str = "0", **more: object) -> OrderReport:
    fields = {
        "symbol": "BTCUSDT",
        "client_order_id": ID,
        "exchange_order_id": VENUE_ID,
        "status": status,
        "quantity": Decimal("0.010"),
        "filled": Decimal(filled),
        "word": status.value,
    }
    return OrderReport(**(fields | more))


def piece(number: int, quantity: str, client_order_id: str = ID) -> Execution:
    return Execution(
        "BTCUSDT",
        client_order_id,
        VENUE_ID,
        f"x{number}",
        Side.BUY,
        Decimal(50_000),
        Decimal(quantity),
        Decimal("0.1"),
        "USDT",
        True,
        number,
    )


FILLED = {
    "answer": lambda told: told.tracker.placed(told.order, VENUE_ID),
    "new": lambda told: told.tracker.report(look(Status.OPEN)),
    "first piece": lambda told: told.tracker.execution(piece(1, "0.004")),
    "second piece": lambda told: told.tracker.execution(piece(2, "0.006")),
    "filled": lambda told: told.tracker.report(look(Status.FILLED, "0.010")),
}
CANCELLED = {
    "answer": FILLED["answer"],
    "new": FILLED["new"],
    "piece": FILLED["first piece"],
    "cancelled": lambda told: told.tracker.report(look(Status.CANCELLED, "0.004")),
}


@pytest.mark.parametrize("names", list(permutations(FILLED)), ids=" ".join)
def test_a_filled_order_is_told_the_same_whatever_comes_first_and_however_often(names):
    told = Told()
    for name in (*names, *names):
        FILLED[name](told)
    assert sorted(kind.__name__ for kind in told.kinds()) == [
        "OrderFilled",
        "OrderFilled",
        "OrderPlaced",
    ]
    assert told.kinds()[0] is OrderPlaced
    assert told.tracker.open_orders() == []


@pytest.mark.parametrize("names", list(permutations(CANCELLED)), ids=" ".join)
def test_a_cancelled_order_is_told_the_same_whatever_comes_first_and_however_often(names):
    told = Told()
    for name in (*names, *names):
        CANCELLED[name](told)
    kinds = told.kinds()
    assert [kinds.count(kind) for kind in (OrderPlaced, OrderFilled, OrderCancelled)] == [1, 1, 1]
    ended = next(fact for fact in told.facts if isinstance(fact, OrderCancelled))
    assert ended.remaining_qty == Decimal("0.006")


@pytest.mark.parametrize("status", [Status.FILLED, Status.CANCELLED, Status.EXPIRED])
def test_an_order_ends_when_all_that_the_venue_counts_is_told_and_not_before(status):
    """What has ended counts no more; a fill that nobody has told would count nowhere."""
    told = Told()
    told.tracker.execution(piece(1, "0.001"))
    told.tracker.report(look(status, "0.010" if status is Status.FILLED else "0.004"))
    assert told.kinds() == [OrderPlaced, OrderFilled]
    assert told.watched == [("untold", Decimal("0.009" if status is Status.FILLED else "0.003"))]
    assert told.tracker.open_orders() == [told.order]
    assert told.order.is_over
    told.tracker.execution(piece(2, "0.003"))
    assert told.order.is_ended == (status is not Status.FILLED)
    if status is Status.FILLED:
        told.tracker.execution(piece(3, "0.006"))
    else:
        assert told.facts[-1].remaining_qty == Decimal("0.006")
    assert told.kinds().count(OrderCancelled) == (status is not Status.FILLED)
    assert told.order.is_ended
    assert not told.order.is_untold


def test_pieces_of_an_open_order_that_are_counted_and_not_told_are_missed_too():
    told = Told()
    told.tracker.report(look(Status.OPEN, "0.004"))
    told.tracker.report(look(Status.OPEN, "0.002"))
    assert told.watched == [("untold", Decimal("0.004"))] * 2
    told.tracker.execution(piece(1, "0.004"))
    assert not told.order.is_untold
    assert not told.order.is_over


def test_a_fill_says_whose_it_is_and_what_is_left():
    told = Told()
    told.tracker.execution(piece(1, "0.004"))
    fill = told.facts[-1]
    assert (fill.order_id, fill.strategy_id, fill.side) == (ID, "test", Side.BUY)
    assert (fill.remaining_qty, fill.fee, fill.fee_asset) == (
        Decimal("0.006"),
        Decimal("0.1"),
        "USDT",
    )


def test_an_execution_without_a_client_id_is_found_by_the_venue_s_id():
    told = Told()
    told.tracker.placed(told.order, VENUE_ID)
    told.tracker.execution(piece(1, "0.004", client_order_id=""))
    assert told.facts[-1].order_id == ID


def test_what_no_order_of_ours_asked_for_is_told_as_the_venue_s_own():
    told = Told()
    told.tracker.execution(piece(1, "0.004", client_order_id="web_123"))
    assert told.facts[-1].order_id == f"venue-{VENUE_ID}"
    assert told.facts[-1].is_forced
    told.tracker.report(look(Status.OPEN, client_order_id="web_124", exchange_order_id="888"))
    assert len(told.facts) == 1


def test_a_refusal_that_comes_after_the_order_was_seen_is_stale():
    told = Told()
    told.tracker.report(look(Status.OPEN))
    told.tracker.refused(told.order, KeyRefused, "late")
    assert told.kinds() == [OrderPlaced]
    assert told.tracker.open_orders() == [told.order]


def test_a_refused_order_has_ended_and_says_why():
    told = Told()
    told.tracker.refused(told.order, KeyRefused, "no")
    (refused,) = told.facts
    assert isinstance(refused, OrderRejected)
    assert (refused.code, refused.source, refused.reason) == (KeyRefused.code, "venue", "no")
    assert told.tracker.open_orders() == []


def test_a_refused_cancel_leaves_the_order_as_it_is():
    told = Told()
    told.tracker.placed(told.order, VENUE_ID)
    told.tracker.request_refused(told.order, VenueRefused, "no")
    assert told.facts[-1].source == "venue-request"
    assert told.tracker.open_orders() == [told.order]


def test_an_unknown_order_is_told_once_and_may_turn_out_either_way():
    told = Told()
    told.tracker.unknown(told.order, 5)
    told.tracker.unknown(told.order, 5)
    assert told.kinds() == [OrderUnknown]
    told.tracker.report(look(Status.OPEN))
    told.tracker.unknown(told.order, 5)
    assert told.kinds() == [OrderUnknown, OrderPlaced]


def test_a_word_that_nobody_knows_changes_nothing_and_is_passed_to_a_person():
    told = Told()
    told.tracker.report(look(Status.STRANGE, word="Simmering"))
    assert told.facts == []
    assert told.watched == [("strange", "Simmering")]
    assert told.tracker.open_orders() == [told.order]


def test_after_a_hole_orders_are_merged_before_executions_so_that_ids_are_known():
    """The venue's list of executions has its own ids only; the list of orders has both."""
    told = Told()
    looks = [look(Status.CANCELLED, "0.004")]
    pieces = [piece(2, "0.003", ""), piece(1, "0.001", "")]
    told.tracker.merge(looks, pieces)
    told.tracker.merge(looks, pieces)
    assert told.kinds() == [OrderPlaced, OrderFilled, OrderFilled, OrderCancelled]
    assert [fact.exec_id for fact in told.facts[1:3]] == ["x1", "x2"]
    assert {fact.order_id for fact in told.facts} == {ID}


def test_the_order_that_a_stop_became_belongs_to_the_stop():
    told = Told()
    told.tracker.report(look(Status.OPEN, child_order_id="999"))
    child = Execution(
        "BTCUSDT",
        "autogenerated",
        "999",
        "x1",
        Side.BUY,
        Decimal(1),
        Decimal("0.010"),
        Decimal(0),
        "",
        False,
        1,
    )
    told.tracker.execution(child)
    assert told.facts[-1].order_id == ID
    assert told.tracker.open_orders() == []


def test_what_a_stop_became_is_known_before_its_executions_are_merged():
    told = Told()
    child = dataclasses.replace(piece(1, "0.010", ""), exchange_order_id="999")
    told.tracker.merge([look(Status.OPEN, child_order_id="999")], [child])
    assert told.facts[-1].order_id == ID


LATE = {
    "its answer": lambda told: told.tracker.placed(told.order, VENUE_ID, 9),
    "a frame": lambda told: told.tracker.report(look(Status.OPEN, ts_ns=9)),
    "a fill": lambda told: told.tracker.execution(piece(9, "0.004")),
    "a query": lambda told: told.tracker.merge([look(Status.OPEN, ts_ns=9)], []),
}


@pytest.mark.parametrize("name", LATE)
def test_an_absent_order_that_turns_up_is_adopted_at_once(name):
    told = Told()
    told.tracker.unknown(told.order, 5)
    told.tracker.absent(told.order, "proof")
    assert told.tracker.open_orders() == []
    LATE[name](told)
    assert told.tracker.open_orders() == [told.order]
    assert told.kinds()[:3] == [OrderUnknown, OrderAbsent, OrderPlaced]
    assert told.watched == [("turned up", 9)]
    told.tracker.execution(piece(10, "0.010" if name != "a fill" else "0.006"))
    assert told.order.is_ended
    assert sum(f.filled_qty for f in told.facts if isinstance(f, OrderFilled)) == Decimal("0.010")


def test_a_refusal_of_an_absent_order_changes_nothing():
    told = Told()
    told.tracker.unknown(told.order, 5)
    told.tracker.absent(told.order, "proof")
    told.tracker.report(look(Status.REJECTED))
    assert told.kinds() == [OrderUnknown, OrderAbsent]
    assert told.watched == []


def test_an_order_the_venue_has_confirmed_is_never_absent():
    told = Told()
    told.tracker.placed(told.order, VENUE_ID)
    told.tracker.absent(told.order, "proof")
    assert told.kinds() == [OrderPlaced]
    assert told.tracker.open_orders() == [told.order]


def test_quarantine_is_told_once_and_ends_when_the_order_is_seen():
    told = Told()
    told.tracker.quarantined(told.order, "nobody knows", 5)
    told.tracker.quarantined(told.order, "nobody knows", 5)
    assert told.kinds() == [OrderUnknown, OrderQuarantined]
    assert told.order.is_quarantined
    told.tracker.report(look(Status.OPEN))
    assert told.kinds() == [OrderUnknown, OrderQuarantined, OrderPlaced]
    assert not told.order.is_quarantined


def test_what_an_earlier_process_left_unknown_is_told_as_such_before_its_quarantine():
    told = Told()
    order = Tracked(
        "h0-test-9", "BTCUSDT", Side.BUY, Decimal(1), None, "test", False, False, 1, is_unknown=True
    )
    told.tracker.restore([order], [])
    told.tracker.quarantined(order, "nobody knows", 5)
    assert told.kinds() == [OrderUnknown, OrderQuarantined]


@pytest.mark.parametrize(
    "other",
    [{"symbol": "ETHUSDT"}, {"side": Side.SELL}, {"quantity": Decimal("0.011")}],
    ids=["symbol", "side", "size"],
)
def test_another_order_under_our_id_is_not_taken_for_ours(other):
    told = Told()
    told.tracker.unknown(told.order, 5)
    told.tracker.merge([look(Status.OPEN, **other)], [])
    assert told.kinds() == [OrderUnknown]
    assert ("disputed", ID) in told.watched
    assert told.order.is_disputed
    assert told.tracker.open_orders() == [told.order]


def test_a_piece_of_the_other_side_is_not_ours_though_it_bears_our_id():
    told = Told()
    told.tracker.execution(dataclasses.replace(piece(1, "0.004"), side=Side.SELL))
    assert told.facts[-1].order_id == f"venue-{VENUE_ID}"
    assert told.watched == [("disputed", ID)]


def test_what_another_order_under_our_id_trades_is_not_ours():
    told = Told()
    told.tracker.report(look(Status.OPEN, quantity=Decimal("0.011")))
    told.tracker.execution(piece(1, "0.004"))
    assert told.facts[-1].order_id == f"venue-{VENUE_ID}"
    assert told.order.filled == 0


def test_a_piece_larger_than_what_was_sent_is_of_another_order():
    """Without a look at the order: after a restart the list of executions may come first."""
    told = Told()
    told.tracker.execution(piece(1, "0.011"))
    assert told.facts[-1].order_id == f"venue-{VENUE_ID}"
    assert told.order.is_disputed


def test_a_reduction_that_the_venue_made_smaller_is_still_ours():
    told = Told()
    told.order.reduce_only = True
    told.tracker.report(look(Status.OPEN, quantity=Decimal("0.004"), side=Side.BUY))
    assert told.kinds() == [OrderPlaced]
    assert told.watched == []


SHRUNK = {
    "new": lambda told: told.tracker.report(look(Status.OPEN, quantity=Decimal("0.004"))),
    "piece": lambda told: told.tracker.execution(piece(1, "0.004")),
    "filled": lambda told: told.tracker.report(
        look(Status.FILLED, "0.004", quantity=Decimal("0.004"))
    ),
}


@pytest.mark.parametrize("names", list(permutations(SHRUNK)), ids=" ".join)
def test_what_the_venue_took_off_a_reduction_is_told_as_cancelled(names):
    told = Told()
    told.order.reduce_only = True
    for name in names:
        SHRUNK[name](told)
    ends = [fact for fact in told.facts if isinstance(fact, OrderCancelled)]
    assert [end.remaining_qty for end in ends] == [Decimal("0.006")]
    assert told.order.is_ended


def test_what_a_person_had_closed_misses_no_pieces_for_they_are_told_as_the_venue_s_own():
    told = Told()
    told.tracker.report(look(Status.OPEN))
    told.tracker.closed(told.order, "a person says so", 5)
    told.tracker.execution(piece(6, "0.004"))
    assert told.facts[-1].is_forced
    told.tracker.report(look(Status.CANCELLED, "0.004", ts_ns=7))
    assert told.order.is_ended
    assert not [each for each in told.watched if each[0] == "untold"]
