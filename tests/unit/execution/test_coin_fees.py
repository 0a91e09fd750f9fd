# SPDX-License-Identifier: Apache-2.0
"""Fees that a spot venue takes in the coin that was bought: the position everywhere is what can be
sold, and money is exact."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk import BTC, Desk
from hean._core import Instrument
from hean.core.types import EventType, OrderFilled, OrderType, Side, Tick
from hean.execution.coin_fees import CoinFees
from hean.live.recovery import fold
from journal_desk import SPOT as TERMS
from journal_desk import JournalDesk

LOT = Decimal("0.00001")
SPOT = {BTC: Instrument(BTC, "spot", "0.10", str(LOT))}
PRICE = Decimal(60_000)
ZERO = Decimal(0)


@pytest.fixture
def spot() -> Desk:
    """A desk on spot, whose strategy is the one that trades."""
    return Desk(instruments=SPOT)


def bought(
    desk: Desk, size: str = "0.01", fee: str = "0.00001", *, exec_id: str = "e1", asset: str = "BTC"
) -> str:
    order_id = desk.ask(size, strategy_id="hand", order_id=f"h0-hand-{exec_id}")
    desk.place(order_id)
    desk.fill(order_id, size, exec_id, fee=Decimal(fee), fee_asset=asset)
    return order_id


def test_a_position_is_what_the_venue_left_of_a_buy(spot: Desk) -> None:
    bought(spot)
    left = Decimal("0.00999")
    assert spot.held() == (left, left)
    assert spot.strategy.position[BTC] == left
    assert spot.ledger.cash == 10_000 - 600
    assert spot.ledger.fees == Decimal("0.6")
    buy, kept = spot.of(EventType.ORDER_FILLED)
    assert (buy.fee, buy.fee_asset) == (Decimal("0.00001"), "BTC")
    assert (kept.order_id, kept.exec_id) == ("venue-fee-e1", "fee-e1")
    assert (kept.side, kept.filled_qty, kept.strategy_id) == (Side.SELL, LOT, "hand")
    assert kept.is_kept
    assert not kept.is_forced


def test_all_of_it_can_be_sold_and_then_the_books_are_flat(spot: Desk) -> None:
    bought(spot)
    sale = spot.ask("0.00999", Side.SELL, reduce_only=True, strategy_id="hand")
    spot.place(sale)
    spot.fill(sale, "0.00999", "e2", fee=Decimal("0.59940"), fee_asset="USDT")
    assert spot.held() == (0, 0)
    assert spot.strategy.position[BTC] == 0
    assert spot.ledger.cash == 10_000 - 600 + Decimal("599.4") - Decimal("0.5994")
    assert spot.ledger.fees == Decimal("0.6") + Decimal("0.5994")


def test_a_stop_is_as_large_as_what_is_left(spot: Desk) -> None:
    spot.strategy.enter(BTC, Side.BUY, size=Decimal("0.01"), stop_loss=59_000.0)
    spot.say()
    entry = spot.venue.sent[-1].order_id
    spot.place(entry)
    spot.fill(entry, "0.01", "e1", fee=Decimal("0.00001"), fee_asset="BTC")
    stop = spot.venue.sent[-1]
    assert (stop.type, stop.size) == (OrderType.STOP, Decimal("0.00999"))


def test_a_price_that_came_with_the_fill_finds_what_is_left(spot: Desk) -> None:
    """One burst brings a buy and the next trade of the market, at which the strategy acts on what
    it holds: more than can be sold would be refused, and the position stay without a stop.
    """
    held: list[Decimal] = []
    spot.bus.subscribe(EventType.TICK, lambda _: held.append(spot.strategy.position[BTC]))
    order_id = spot.ask("0.01", strategy_id="hand", order_id="h0-hand-1")
    spot.place(order_id)
    buy = OrderFilled(
        order_id, PRICE, Decimal("0.01"), BTC, Side.BUY, Decimal("0.00001"), "e1",
        strategy_id="hand", fee_asset="BTC",
    )  # fmt: skip
    spot.say(buy, Tick(BTC, 60_000.0, 1.0, 1))
    assert held == [Decimal("0.00999")]


def test_a_fill_told_twice_is_kept_from_once(spot: Desk) -> None:
    order_id = bought(spot)
    spot.fill(order_id, "0.01", "e1", fee=Decimal("0.00001"), fee_asset="BTC")
    kept = spot.of(EventType.ORDER_FILLED)[1]
    spot.say(kept)
    assert spot.held() == (Decimal("0.00999"), Decimal("0.00999"))


def test_what_is_kept_too_much_counts_for_the_next_fee(spot: Desk) -> None:
    """A tenth of a lot each: the first keeps a lot, the next nine nothing, the eleventh a lot."""
    for number in range(11):
        bought(spot, "0.001", "0.000001", exec_id=f"e{number}")
        lots = 1 if number < 10 else 2
        assert spot.held()[0] == Decimal("0.001") * (number + 1) - lots * LOT
    assert spot.ledger.cash == 10_000 - 660


@pytest.mark.parametrize("asset", ["USDT", ""])
def test_a_fee_in_money_is_booked_as_ever(spot: Desk, asset: str) -> None:
    bought(spot, fee="0.6", asset=asset)
    assert spot.held() == (Decimal("0.01"), Decimal("0.01"))
    assert (spot.ledger.cash, spot.ledger.fees) == (10_000 - Decimal("600.6"), Decimal("0.6"))
    assert len(spot.of(EventType.ORDER_FILLED)) == 1


def test_a_fee_in_a_third_coin_is_neither_money_nor_of_the_position(spot: Desk) -> None:
    bought(spot, fee="0.001", asset="BNB")
    assert spot.held() == (Decimal("0.01"), Decimal("0.01"))
    assert (spot.ledger.cash, spot.ledger.fees) == (9_400, 0)


def test_what_somebody_else_bought_takes_nothing_from_the_strategy(spot: Desk) -> None:
    bought(spot)
    spot.fill(
        "venue-7", "0.02", "e7", side=Side.BUY, fee=Decimal("0.00002"), fee_asset="BTC"
    )  # fmt: skip
    assert spot.strategy.position[BTC] == Decimal("0.00999")
    assert spot.held()[0] == Decimal("0.00999") + Decimal("0.01998")


def test_a_contract_keeps_its_position_whatever_pays_the_fee() -> None:
    desk = Desk()
    bought(desk, "0.01", "0.001", asset="BTC")
    assert desk.held()[0] == Decimal("0.01")


def test_books_from_a_journal_are_the_same_wherever_the_process_ended(tmp_path: Path) -> None:
    """It ends at every row, also between a buy and what was kept of it, and every row comes twice;
    the next life tells what its books say is still to be told.
    """
    desk = JournalDesk(tmp_path / "journal.db", terms=TERMS, limits={})
    for number in range(4):
        bought(desk, "0.01", "0.000012", exec_id=f"e{number}")
    rows = desk.rows()
    told = [row.fact() for row in rows if row.kind == "ORDER_FILLED"]
    assert [str(fill.filled_qty) for fill in told if fill.is_kept] == ["0.00002"] + ["0.00001"] * 3
    is_kept = [row.kind == "ORDER_FILLED" and row.fact().is_kept for row in rows]
    for end in range(1, len(rows) + 1):
        books = fold(row for row in rows[:end] for _ in range(1 if row.kind == "START" else 2))
        assert books is not None
        pending = list(books.coin_fees.pending.values())
        is_between = end < len(rows) and is_kept[end]
        assert pending == ([rows[end].fact()] if is_between else [])
        for row in rows[end:]:
            books.apply(row)
        assert books.hash() == desk.system.durable_hash()
        assert books.positions["hand"][BTC] == Decimal("0.03995")


Piece = tuple[bool, int, int]


def fills(pieces: Iterable[Piece]) -> list[OrderFilled]:
    """Buys and sales of so many lots, with a fee in hundredths of a lot, at most all of it."""
    return [
        OrderFilled(
            "h0-hand-1",
            PRICE,
            lots * LOT,
            BTC,
            Side.BUY if is_buy else Side.SELL,
            min(fee * LOT / 100, lots * LOT),
            f"e{number}",
            fee_asset="BTC",
        )
        for number, (is_buy, lots, fee) in enumerate(pieces)
    ]


@given(st.lists(st.tuples(st.just(True), st.integers(1, 500), st.integers(0, 300)), max_size=40))
def test_of_buys_the_position_is_below_the_holdings_by_less_than_a_lot(pieces: list[Piece]) -> None:
    coin_fees = CoinFees(SPOT)
    there = held = ZERO
    for fill in fills(pieces):
        there += fill.filled_qty - fill.fee
        kept = coin_fees.after(fill)
        held += fill.filled_qty - (ZERO if kept is None else kept.filled_qty)
        assert 0 <= there - held < LOT
        assert kept is None or (kept.fee == kept.filled_qty * PRICE and not kept.filled_qty % LOT)


@given(
    st.lists(st.tuples(st.booleans(), st.integers(1, 500), st.integers(0, 300)), max_size=40),
    st.data(),
)
def test_the_next_process_tells_what_one_had_no_time_for(
    pieces: list[Piece], data: st.DataObject
) -> None:
    """Whatever was told of it and when: what is kept is a matter of the fills alone."""
    coin_fees, again = CoinFees(SPOT), CoinFees(SPOT)
    for fill in fills(pieces):
        kept = coin_fees.after(fill)
        assert again.after(fill) == kept
        if kept is not None and data.draw(st.booleans()):
            assert again.after(kept) is None
            assert again.after(kept) is None
            coin_fees.after(kept)
    assert again.pending == coin_fees.pending
