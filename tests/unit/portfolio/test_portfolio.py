# SPDX-License-Identifier: Apache-2.0
"""The account: every fill, fee and funding payment at once; the telling at most once a second."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from desk import BTC, ETH, INSTRUMENTS, SECOND_NS, START_NS, Desk
from hean.core.bus import EventBus
from hean.core.module import Context
from hean.core.types import EventType, Funding, OrderFilled, Side
from hean.errors import LedgerBroken
from hean.portfolio.portfolio import Portfolio


def told(desk: Desk) -> list[tuple[int, Any]]:
    return [
        (event.ts_ns - START_NS, event.data)
        for event in desk.events
        if event.event_type is EventType.PNL_UPDATE
    ]


@pytest.mark.promise(48)
def test_profit_is_realized_plus_unrealized_and_fees_are_inside() -> None:
    desk = Desk()
    desk.fill(desk.ask("0.1"), "0.1", "e1", price="60000", fee=Decimal(3))
    desk.prices[BTC] = 61_000.0
    desk.wait(2)
    desk.fill(desk.ask("0.05", Side.SELL), "0.05", "e2", price="61000", fee=Decimal(2))
    update = told(desk)[-1][1]
    assert (update.total_pnl, update.realized_pnl, update.unrealized_pnl) == (95, 45, 50)
    assert (update.equity, update.fees, update.funding) == (10_095, 5, 0)


def test_equity_follows_the_prices_without_any_event() -> None:
    desk = Desk()
    desk.fill(desk.ask("0.1"), "0.1", "e1")
    desk.prices[BTC] = 59_000.0
    assert desk.system.portfolio.equity().decimal == 9_900
    assert desk.system.portfolio.value() == 9_900.0
    assert desk.ledger.max_drawdown == 100


def test_a_position_without_a_price_keeps_its_last_value() -> None:
    desk = Desk()
    desk.fill(desk.ask("0.1"), "0.1", "e1")
    desk.prices[BTC] = 59_000.0
    desk.system.portfolio.equity()
    del desk.prices[BTC]
    assert desk.system.portfolio.equity().decimal == 9_900


def test_a_burst_of_fills_is_told_at_once_and_then_once_a_second() -> None:
    """Method: fills at 0, 0.2, 0.4 s and at 3 s; the trailing timer tells the newest at 1 s."""
    desk = Desk()
    order_id = desk.ask("0.1")
    desk.fill(order_id, "0.01", "e1", fee=Decimal(1))
    for number in (2, 3):
        desk.wait(0.2)
        desk.fill(order_id, "0.01", f"e{number}", fee=Decimal(1))
    desk.wait(2.6)
    desk.fill(order_id, "0.01", "e4", fee=Decimal(1))
    desk.wait(5)
    found = [(at_ns / SECOND_NS, update.fees) for at_ns, update in told(desk)]
    assert found == [(0.0, 1), (1.0, 3), (3.0, 4)]


@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
def test_funding_is_paid_by_longs_and_received_by_shorts_when_positive(side: Side) -> None:
    desk = Desk()
    desk.fill(desk.ask("0.1", side), "0.1", "e1")
    desk.say(Funding(BTC, 0.001, 0, 60_000.0))
    assert desk.ledger.funding_total == (-6 if side is Side.BUY else 6)


def test_a_payment_that_the_venue_names_is_booked_as_it_is() -> None:
    """Also when what it was paid for is sold by now; in another coin it is no money of ours."""
    desk = Desk()
    paid = Funding(BTC, 0.001, 0, 60_000.0, "BTCUSDT-1", Decimal("-6.00000001"), "USDT", 7)
    cash = desk.ledger.cash
    desk.say(paid)
    assert desk.ledger.funding_total == Decimal("-6.00000001")
    assert desk.ledger.cash == cash - Decimal("6.00000001")
    desk.say(replace(paid, exec_id="BTCUSDT-2", asset="BNFCR"))
    assert desk.ledger.funding_total == Decimal("-6.00000001")


def test_funding_of_what_is_not_held_changes_and_tells_nothing() -> None:
    desk = Desk()
    desk.fill(desk.ask("0.1"), "0.1", "e1")
    before = desk.ledger.canonical_bytes(), len(told(desk))
    desk.say(Funding(ETH, 0.001, 0, 3_000.0))
    desk.wait(2)
    assert (desk.ledger.canonical_bytes(), len(told(desk))) == before


def test_a_fill_without_a_side_stops_a_portfolio_that_stands_alone() -> None:
    bus = EventBus()
    portfolio = Portfolio(
        Decimal(1), INSTRUMENTS, reference=lambda symbol: None, leverage=Decimal(3)
    )
    portfolio.attach(bus, Context(bus, bus.clock))
    with pytest.raises(LedgerBroken, match="has no side"):
        bus.drain((OrderFilled("h0-t-1", Decimal(1), Decimal(1), BTC, exec_id="e1"),))


PIECES = st.lists(
    st.tuples(st.integers(1, 50), st.integers(500_000, 700_000), st.booleans(), st.integers(0, 99)),
    max_size=12,
)


@given(PIECES)
def test_equity_is_cash_plus_what_each_fill_has_earned_since_less_fees(
    pieces: list[tuple[int, int, bool, int]],
) -> None:
    """Method: against the sum over all fills of quantity times (last price - fill price)."""
    desk = Desk(cash=10_000_000)
    earned = Decimal(0)
    for number, (lots, ticks, is_buy, cents) in enumerate(pieces):
        quantity, price, fee = Decimal(lots) / 1000, Decimal(ticks) / 10, Decimal(cents) / 100
        order_id = desk.ask(str(quantity), Side.BUY if is_buy else Side.SELL)
        desk.fill(order_id, str(quantity), f"e{number}", price=str(price), fee=fee)
        earned += (quantity if is_buy else -quantity) * (60_000 - price) - fee
    assert abs(desk.system.portfolio.equity().decimal - 10_000_000 - earned) < Decimal("1e-9")
