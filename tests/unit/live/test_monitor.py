# SPDX-License-Identifier: Apache-2.0
"""The second pair of eyes: reports held against rows, with the real forms of both."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from hean.core.journal import Record
from hean.core.module import IdSequence
from hean.core.types import EventType, OrderApproved, OrderType, Payload, Side, encode
from hean.feeds.arriving import Terms
from hean.live.monitor import Known
from hean.live.rows import SENT, START, Sent, Start, row_bytes
from hean.system import AccountSettings
from hean.venues.reports import Execution, OrderReport, Status

EPOCH = 1_764_400_000
IDS = IdSequence(EPOCH)
PRICE = Decimal(60_000)
SIZE = Decimal("0.01")


class Journal:
    """Rows by hand, and who reads them."""

    def __init__(self, epoch: int = EPOCH) -> None:
        self.known = Known()
        self.begin(epoch)

    def row(self, kind: str, payload: bytes) -> None:
        """One more row."""
        self.known.head_seq += 1
        self.known.apply(Record(self.known.head_seq, 0, kind, 0, payload, b""))

    def begin(self, epoch: int) -> None:
        """A life begins."""
        terms: list[Terms] = []
        account = AccountSettings(cash=Decimal(1))
        start = Start(
            epoch, "v", "bybit", "linear", "testnet", "7", "hold", {}, account, terms
        )  # fmt: skip
        self.row(START, row_bytes(start))

    def approve(self, order_id: str = "", *, ticket: int | None = 1, **more: Any) -> str:
        """An approval."""
        fields: dict[str, Any] = {
            "symbol": "BTCUSDT",
            "side": Side.BUY,
            "size": SIZE,
            "type": OrderType.LIMIT,
            "price": PRICE,
            "order_id": order_id or IDS.next_id("hold"),
            "ticket": ticket,
        }
        approved = OrderApproved(**(fields | more))
        payload: Payload = approved
        self.row(EventType.ORDER_APPROVED.value, encode(payload))
        return approved.order_id

    def send(self, order_id: str, verb: Any = "submit", **more: Any) -> str:
        """A request is about to leave."""
        self.row(SENT, row_bytes(Sent(verb, order_id, **more)))
        return order_id

    def sent(self, **more: Any) -> str:
        """Both."""
        return self.send(self.approve(**more))


def report(order_id: str, **more: Any) -> OrderReport:
    """As the venue shows such an order."""
    seen = OrderReport(
        "BTCUSDT", order_id, "x1", Status.OPEN, SIZE, Decimal(0), "New", side=Side.BUY, price=PRICE
    )
    fields = {name: getattr(seen, name) for name in seen.__slots__}
    return OrderReport(**(fields | more))


def test_an_order_as_approved_and_sent_is_explained() -> None:
    journal = Journal()
    assert journal.known.objection(report(journal.sent())) == ""


def test_an_order_of_ours_that_nobody_approved_is_told_with_both_facts() -> None:
    journal = Journal()
    order_id = IDS.next_id("hold")
    why = journal.known.objection(report(order_id))
    for words in (order_id, "BUY 0.01 BTCUSDT at 60000", "no approval", "row 1"):
        assert words in why


def test_an_approval_of_which_no_byte_may_have_left_explains_nothing() -> None:
    journal = Journal()
    order_id = journal.approve()
    assert "no row that it was sent" in journal.known.objection(report(order_id))
    journal.send(order_id, "cancel")
    assert journal.known.objection(report(order_id))
    journal.send(order_id)
    assert journal.known.objection(report(order_id)) == ""


def test_an_approval_without_a_ticket_is_anybodys_word() -> None:
    journal = Journal()
    assert "no approval" in journal.known.objection(report(journal.sent(ticket=None)))


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"symbol": "ETHUSDT"}, "symbol"),
        ({"side": Side.SELL}, "side"),
        ({"quantity": Decimal("0.02")}, "size"),
        ({"quantity": Decimal("0.005")}, "size"),
        ({"price": Decimal(60_001)}, "price"),
    ],
)
def test_every_field_is_compared(change: dict[str, Any], name: str) -> None:
    journal = Journal()
    why = journal.known.objection(report(journal.sent(), **change))
    assert why.endswith(f"another {name}")
    assert "approved was BUY 0.01 BTCUSDT at 60000" in why


@pytest.mark.parametrize("change", [{"side": None}, {"price": None}, {"quantity": Decimal(0)}])
def test_what_a_venue_does_not_tell_is_no_difference(change: dict[str, Any]) -> None:
    journal = Journal()
    assert journal.known.objection(report(journal.sent(), **change)) == ""


def test_terms_of_an_amendment_count_once_it_was_sent_and_so_do_the_old_ones() -> None:
    journal = Journal()
    order_id = journal.sent()
    dearer, larger = report(order_id, price=Decimal(61_000)), report(order_id, quantity=SIZE * 2)
    assert journal.known.objection(dearer)
    journal.send(order_id, "amend", price=Decimal(61_000), size=SIZE * 2)
    for seen in (report(order_id), dearer, larger):
        assert journal.known.objection(seen) == ""


def test_the_price_of_a_market_order_is_the_venues() -> None:
    journal = Journal()
    order_id = journal.sent(type=OrderType.MARKET, price=None)
    assert journal.known.objection(report(order_id, price=Decimal(58_000))) == ""


def test_a_venue_may_make_a_reduction_smaller() -> None:
    journal = Journal()
    order_id = journal.sent(reduce_only=True, type=OrderType.STOP, price=None)
    assert journal.known.objection(report(order_id, quantity=SIZE / 2)) == ""
    assert journal.known.objection(report(order_id, quantity=SIZE * 2))


def test_a_piece_that_traded_is_held_against_its_order_too() -> None:
    journal = Journal()
    order_id = journal.sent()

    def piece(**more: Any) -> Execution:
        fields: dict[str, Any] = {
            "symbol": "BTCUSDT",
            "client_order_id": order_id,
            "exchange_order_id": "x1",
            "exec_id": "e1",
            "side": Side.BUY,
            "price": PRICE,
            "quantity": SIZE / 2,
            "fee": Decimal(0),
            "fee_asset": "USDT",
            "is_maker": True,
            "ts_ns": 1,
        }
        return Execution(**(fields | more))

    assert journal.known.objection(piece(price=Decimal(59_000))) == ""
    assert journal.known.objection(piece(quantity=SIZE * 2)).endswith("size")
    assert journal.known.objection(piece(side=Side.SELL)).endswith("side")
    assert journal.known.objection(piece(client_order_id=IDS.next_id("hold")))


@pytest.mark.parametrize("order_id", ["", "mine", "web-1", IdSequence(EPOCH - 5).next_id("hold")])
def test_other_peoples_orders_and_those_of_forgotten_lives_are_no_concern(order_id: str) -> None:
    assert Journal().known.objection(report(order_id)) == ""


def test_an_order_of_a_life_this_journal_has_not_is_a_concern_until_it_has() -> None:
    journal = Journal()
    order_id = IdSequence(EPOCH + 1).next_id("hold")
    assert journal.known.objection(report(order_id))
    journal.begin(EPOCH + 1)
    journal.send(journal.approve(order_id))
    assert journal.known.objection(report(order_id)) == ""


def test_before_the_first_life_nothing_is_judged() -> None:
    assert Known().objection(report(IDS.next_id("hold"))) == ""


@pytest.mark.parametrize(
    ("kind", "reduce_only", "is_protective"),
    [
        (OrderType.STOP, True, True),
        (OrderType.STOP_LIMIT, True, True),
        (OrderType.STOP, False, False),
        (OrderType.TAKE_PROFIT, True, False),
        (OrderType.LIMIT, True, False),
    ],
)
def test_a_stop_that_only_reduces_protects(
    kind: OrderType, reduce_only: bool, is_protective: bool
) -> None:
    journal = Journal()
    order_id = journal.sent(type=kind, reduce_only=reduce_only)
    assert journal.known.is_protective(order_id) is is_protective
    assert not journal.known.is_protective("mine")


def test_a_row_of_another_version_is_named() -> None:
    with pytest.raises(Exception, match="row 2"):
        Journal().row(SENT, msgspec.msgpack.encode({"verb": "fly"}))
