# SPDX-License-Identifier: Apache-2.0
"""Virtual books add up to the account to the last digit, whatever happens and to whom."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desk import BTC, ETH, INSTRUMENTS, Desk
from hean._core import Ledger
from hean.core.types import Event, EventType, Funding, OrderFilled, Side
from hean.errors import (
    InsufficientMargin,
    LedgerBroken,
    OrderSizeInvalid,
    ParameterInvalid,
    UnknownField,
)
from hean.portfolio.portfolio import book_fill, book_funding
from hean.portfolio.sub_books import RESIDUAL, SubBooks

NAMES = ("carry", "pairs", "trend")


class Account:
    """An account and its sub-books, told the same in the order of the bus."""

    def __init__(self, cash: int = 100_000) -> None:
        self.ledger = Ledger(cash, list(INSTRUMENTS.values()), leverage=10)
        self.books = SubBooks(self.ledger, INSTRUMENTS, NAMES)
        self.number = 0

    def fill(
        self, owner: str, side: Side, quantity: str, price: str, fee: str = "0", *,
        symbol: str = BTC, order_id: str = "h0-1",
    ) -> None:  # fmt: skip
        self.number += 1
        fill = OrderFilled(
            order_id, Decimal(price), Decimal(quantity), symbol, side, Decimal(fee),
            f"e{self.number}", strategy_id=owner,
        )  # fmt: skip
        book_fill(self.ledger, fill)
        self.books.on_filled(Event(EventType.ORDER_FILLED, fill))

    def force(self, side: Side, quantity: str, price: str, fee: str = "0") -> None:
        self.fill("", side, quantity, price, fee, order_id="venue-1")

    def fund(self, rate: float, mark: float, symbol: str = BTC) -> None:
        funding = Funding(symbol, rate, 0, mark)
        book_funding(self.ledger, funding)
        self.books.on_funding(Event(EventType.FUNDING, funding))

    def pay(self, amount: str, rate: float, mark: float | None) -> None:
        """As a venue with money tells it."""
        funding = Funding(BTC, rate, 0, mark, "BTCUSDT-1", Decimal(amount), "USDT", 7)
        book_funding(self.ledger, funding)
        self.books.on_funding(Event(EventType.FUNDING, funding))

    def check(self, price: float = 60_000.0) -> None:
        self.books.mark(BTC, price)
        self.books.mark(ETH, price / 20)
        self.books.check()


owners = st.sampled_from([*NAMES, RESIDUAL, "somebody"])
lots = st.integers(1, 5_000)
ticks = st.integers(300_000, 900_000)
fees = st.integers(-(10**13), 10**13).map(lambda units: Decimal(units).scaleb(-12))
symbols = st.sampled_from([BTC, ETH])
steps = st.one_of(
    st.tuples(st.just("fill"), owners, st.sampled_from(list(Side)), lots, ticks, fees, symbols),
    st.tuples(st.just("force"), st.sampled_from(list(Side)), lots, ticks, fees),
    st.tuples(st.just("fund"), st.floats(-0.01, 0.01), ticks, symbols),
    st.tuples(st.just("cross"), st.permutations(NAMES), lots, ticks),
    st.tuples(st.just("give"), st.sampled_from(NAMES), st.integers(-5_000, 5_000)),
    st.tuples(st.just("transfer"), st.integers(-1_000, 9_000)),
)


def play(account: Account, step: tuple) -> None:
    match step:
        case ("fill", owner, side, size, at, fee, symbol):
            quantity = Decimal(size).scaleb(-3 if symbol == BTC else -2)
            price = Decimal(at).scaleb(-1)
            account.fill(owner, side, str(quantity), str(price), str(fee), symbol=symbol)
        case ("force", side, size, at, fee):
            quantity, price = Decimal(size).scaleb(-3), Decimal(at).scaleb(-1)
            account.force(side, str(quantity), str(price), str(fee))
        case ("fund", rate, at, symbol):
            account.fund(rate, at / 10, symbol)
        case ("cross", (buyer, seller, _), size, at):
            account.books.cross(
                BTC, buyer=buyer, seller=seller, quantity=Decimal(size).scaleb(-3),
                price=Decimal(at).scaleb(-1),
            )  # fmt: skip
        case ("give", name, amount):
            try:
                account.books.allocate(name, Decimal(amount))
            except InsufficientMargin:
                pass
        case ("transfer", amount):
            account.ledger.transfer(max(amount, -int(max(account.ledger.available, 0))))


@settings(max_examples=60, deadline=None)
@given(st.lists(steps, max_size=40), ticks)
def test_the_books_add_up_after_anything(todo, at):
    account = Account(10_000_000)
    for step in todo:
        play(account, step)
        account.check(at / 10)
    profits = sum(account.books.profit(name) for name in (*NAMES, RESIDUAL))
    assert profits == account.ledger.equity - account.ledger.deposits
    for book in account.books.books.values():
        book.check()


def test_opposite_strategies_are_one_flat_position_and_two_books():
    account = Account()
    account.fill("carry", Side.BUY, "1", "60000", "30")
    account.fill("trend", Side.SELL, "1", "60000", "30")
    account.check(61_000.0)
    assert not account.ledger.is_held(BTC)
    assert account.books.profit("carry") == 1_000 - 30
    assert account.books.profit("trend") == -1_000 - 30
    account.fund(0.0001, 60_000.0)  # the account pays nothing, one strategy pays the other
    assert account.books.books["carry"].funding_total == -6
    assert account.books.books["trend"].funding_total == 6
    account.check()


def test_a_payment_of_the_venue_is_shared_and_its_rounding_is_nobodys():
    account = Account()
    account.fill("carry", Side.BUY, "0.003", "60000")
    account.fill("trend", Side.SELL, "0.001", "60000")
    account.pay("-0.01200001", 0.0001, 60_000.0)
    paid = {name: account.books.books[name].funding_total for name in (*NAMES, RESIDUAL)}
    assert paid == {
        "carry": Decimal("-0.018"), "pairs": 0, "trend": Decimal("0.006"),
        RESIDUAL: Decimal("-0.00000001"),
    }  # fmt: skip
    account.check()


def test_a_payment_whose_rate_the_venue_keeps_to_itself_is_nobodys():
    account = Account()
    account.fill("carry", Side.BUY, "0.003", "60000")
    account.pay("-0.018", 0.0, None)
    assert account.books.books[RESIDUAL].funding_total == Decimal("-0.018")
    account.check()


def test_a_forced_close_is_shared_by_those_it_closes():
    account = Account()
    account.fill("carry", Side.BUY, "0.003", "60000")
    account.fill("pairs", Side.BUY, "0.001", "60000")
    account.fill("trend", Side.SELL, "0.001", "60000")
    account.force(Side.SELL, "0.003", "50000", "1")
    held = {name: account.books.position(name, BTC) for name in (*NAMES, RESIDUAL)}
    # 2.25 and 0.75 of three lots: the larger remainder gets the odd one.
    assert held == {
        "carry": Decimal("0.001"), "pairs": Decimal(0), "trend": Decimal("-0.001"), RESIDUAL: 0,
    }  # fmt: skip
    fees = [account.books.books[name].fees for name in NAMES]
    assert fees == [Decimal(2) / 3 // Decimal("1e-12") * Decimal("1e-12"), 1 - fees[0], 0]
    account.check()


def test_what_is_forced_beyond_all_books_is_nobodys():
    account = Account()
    account.force(Side.SELL, "0.5", "60000")
    assert account.books.position(RESIDUAL, BTC) == Decimal("-0.5")
    account.check()


def test_strategies_trade_with_each_other_without_the_account():
    account = Account()
    account.fill("carry", Side.BUY, "0.2", "60000")
    before = account.ledger.canonical_bytes()
    account.books.cross(
        BTC, buyer="trend", seller="carry", quantity=Decimal("0.1"), price=Decimal(61_000)
    )
    assert account.ledger.canonical_bytes() == before
    account.check(61_000.0)
    assert account.books.position("trend", BTC) == Decimal("0.1")
    assert account.books.profit("carry") == 200
    with pytest.raises(OrderSizeInvalid):
        account.books.cross(
            BTC, buyer="trend", seller="trend", quantity=Decimal(1), price=Decimal(1)
        )
    with pytest.raises(UnknownField, match="carry"):
        account.books.cross(
            BTC, buyer="trend", seller="cary", quantity=Decimal(1), price=Decimal(1)
        )
    account.check(61_000.0)


def test_capital_is_given_and_taken_back_never_made():
    account = Account(1_000)
    account.books.allocate("carry", Decimal(600))
    assert account.books.books[RESIDUAL].equity == 400
    with pytest.raises(InsufficientMargin):
        account.books.allocate("pairs", Decimal(500))
    with pytest.raises(InsufficientMargin):
        account.books.allocate("carry", Decimal(-601))
    account.books.allocate("carry", Decimal(-100))
    assert account.books.books["carry"].deposits == 500
    account.check()


def test_books_that_do_not_add_up_are_told():
    account = Account()
    account.ledger.fill(BTC, "BUY", 60_000, "0.1", 1)
    with pytest.raises(LedgerBroken, match=r"fees adds up to 0|equity adds up"):
        account.check()


def test_a_held_account_and_double_names_are_refused():
    ledger = Ledger(1_000, list(INSTRUMENTS.values()), leverage=10)
    with pytest.raises(ParameterInvalid, match="own"):
        SubBooks(ledger, INSTRUMENTS, ("a", "a"))
    ledger.fill(BTC, "BUY", 60_000, "0.1", 0)
    with pytest.raises(ParameterInvalid, match="flat"):
        SubBooks(ledger, INSTRUMENTS, ("a",))


def test_on_the_bus_it_hears_what_the_portfolio_heard():
    desk = Desk()
    books = SubBooks(desk.ledger, INSTRUMENTS, ("test",))
    desk.system.add(books)
    desk.fill(desk.ask("0.1"), "0.1", "e1", fee=Decimal(3))
    desk.say(Funding(BTC, 0.0001, 0, 60_000.0))
    books.mark(BTC, 61_000.0)
    books.check()
    assert books.profit("test") == 100 - 3 - Decimal("0.6")
