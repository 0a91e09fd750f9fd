# SPDX-License-Identifier: Apache-2.0
"""Readings of an account, one after the other, beside the real books: when they are called clean,
when a difference stops new orders, and what is adopted."""

from __future__ import annotations

from decimal import Decimal

import pytest

from desk import BTC, ETH, INSTRUMENTS, SECOND_NS, START_NS, Desk
from hean._core import Instrument
from hean.core.bus import EventBus
from hean.core.clock import SimClock
from hean.core.module import Context
from hean.core.types import (
    AccountRead,
    Command,
    EventType,
    Funding,
    OpenOrder,
    OrderFilled,
    OrderQuarantined,
    Position,
    Reconcile,
    Side,
)
from hean.reconcile.reconcile import Reconciler

ZERO = Decimal(0)


class Books:
    """A trading desk with a reconciler, and a venue that is what the test says."""

    def __init__(self, *, is_fresh: bool = False) -> None:
        self.desk = Desk()
        self.looks = 0
        self.reconciler = Reconciler(
            self.desk.engine,
            INSTRUMENTS,
            look_again=self._look_again,
            is_fresh=is_fresh,
            cash=lambda: self.desk.ledger.cash,
            reference=self.desk.prices.get,
        )
        bus, clock = self.desk.bus, self.desk.clock
        self.reconciler.attach(bus, Context(bus, clock, name="reconcile"))

    def _look_again(self) -> None:
        self.looks += 1

    def read(
        self,
        *,
        btc: str = "0",
        eth: str = "0",
        orders: tuple[OpenOrder, ...] = (),
        wallet: str = "10000",
        is_complete: bool = True,
        after_s: float = 0.0,
    ) -> None:
        self.desk.wait(after_s)
        positions = ((BTC, Decimal(btc)), (ETH, Decimal(eth)))
        balances = (("USDT", Decimal(wallet)),)
        began_ns = self.desk.clock.now_ns
        self.desk.say(AccountRead(began_ns, is_complete, orders, positions, balances))

    def pay(self, amount: str, exec_id: str, *, settled_s: float = 0.0) -> None:
        settled_ns = self.desk.clock.now_ns + int(settled_s * SECOND_NS)
        paid = Decimal(amount)
        self.desk.say(Funding(BTC, 0.0001, 0, 60_000.0, exec_id, paid, "USDT", settled_ns))

    def verdicts(self) -> list[bool]:
        return [told.clean for told in self.desk.of(EventType.RECONCILE)]

    def last(self) -> Reconcile:
        return self.desk.of(EventType.RECONCILE)[-1]

    def kills(self) -> list[Command]:
        return self.desk.of(EventType.COMMAND)

    def bought(self, size: str = "0.1") -> str:
        order_id = self.desk.ask(size)
        self.desk.place(order_id)
        self.desk.fill(order_id, size, f"e-{order_id}")
        self.desk.wait(5)
        return order_id


def test_books_that_agree_are_clean_at_the_first_reading():
    books = Books()
    books.read()
    assert books.verdicts() == [True]
    assert (books.last().differences, books.looks) == ((), 0)
    assert books.reconciler.is_clean


@pytest.mark.promise(22)
def test_a_position_that_stays_unexplained_for_ten_seconds_stops_what_is_new():
    books = Books()
    books.read()
    for _ in range(4):
        books.read(btc="0.5", after_s=2.5)
        assert books.kills() == []
    books.read(btc="0.5", after_s=2.5)
    (kill,) = books.kills()
    assert (kill.verb, kill.arguments["level"], kill.actor) == (
        "kill",
        "HALT_NEW",
        "auto:reconcile",
    )
    assert "0.5" in kill.arguments["reason"]
    assert books.verdicts() == [True, False, False, False, False]
    books.read(btc="0.5", after_s=2.5)
    assert len(books.kills()) == 1


@pytest.mark.promise(210)
def test_after_that_the_venue_s_position_is_ours_and_nobody_s_in_particular():
    books = Books()
    books.desk.say(Position(BTC, Decimal("0.5"), Decimal("60123.47")))
    for _ in range(6):
        books.read(btc="0.5", after_s=2.5)
    (fill,) = books.desk.of(EventType.ORDER_FILLED)
    assert (fill.order_id, fill.strategy_id, fill.side) == (f"venue-adopt-{BTC}", "", Side.BUY)
    assert fill.fill_price == Decimal("60123.5")
    assert books.desk.held() == (Decimal("0.5"), Decimal("0.5"))
    books.read(btc="0.5", after_s=2.5)
    assert books.last().clean


def test_a_position_that_is_gone_without_a_word_is_given_up_at_the_last_price():
    books = Books()
    books.bought("0.1")
    books.desk.say(Position(BTC, ZERO, ZERO))
    for _ in range(6):
        books.read(after_s=2.5)
    assert len(books.kills()) == 1
    assert books.desk.of(EventType.ORDER_FILLED)[-1].fill_price == Decimal("60000.0")
    assert books.desk.held() == (ZERO, ZERO)


def test_a_difference_that_is_gone_at_the_next_look_was_never_told():
    books = Books()
    books.read()
    books.read(btc="0.1", after_s=30)  # the fill's frame is still on its way
    assert (books.verdicts(), books.looks) == ([True], 1)
    books.bought("0.1")
    books.read(btc="0.1")
    assert books.verdicts() == [True, True]
    assert books.kills() == []


def test_steady_trading_never_looks_like_a_difference():
    """Method: at each reading the venue is one fill ahead of what we were told."""
    books = Books()
    books.read()
    held = ZERO
    for _ in range(10):
        held += Decimal("0.01")
        books.read(btc=str(held), after_s=2.5)
        books.bought("0.01")
    assert all(books.verdicts())
    assert books.kills() == []


def test_fills_told_while_the_reading_went_on_are_newer_than_it():
    books = Books()
    books.read()
    began_ns = books.desk.clock.now_ns
    order_id = books.desk.ask("0.1")
    books.desk.place(order_id)
    books.desk.fill(order_id, "0.1", "e1", executed_ns=began_ns + 1)
    books.desk.say(AccountRead(began_ns, True, (), ((BTC, ZERO),), (("USDT", Decimal(10_000)),)))
    assert books.last().clean
    assert "newer than the reading" in " ".join(books.last().differences)


@pytest.mark.parametrize("readings", [1, 3])
def test_an_incomplete_reading_is_neither_flat_nor_clean(readings):
    books = Books()
    books.bought("0.1")
    books.read(btc="0.1")
    for _ in range(readings):
        books.read(btc="0", is_complete=False, after_s=20)
    assert books.kills() == []
    assert books.desk.held()[0] == Decimal("0.1")
    assert books.verdicts() == [True] + [False] * (readings - 1)
    assert books.looks >= 1
    books.read(btc="0.1", after_s=20)
    assert books.last().clean


def test_what_a_new_journal_finds_is_adopted_once_at_the_venue_s_price():
    books = Books(is_fresh=True)
    books.desk.say(Position(BTC, Decimal("-0.3"), Decimal("59999.96")))
    books.read(btc="-0.3")
    (fill,) = books.desk.of(EventType.ORDER_FILLED)
    assert (fill.side, fill.filled_qty, fill.fill_price) == (
        Side.SELL,
        Decimal("0.3"),
        Decimal("60000.0"),
    )
    assert books.desk.held() == (Decimal("-0.3"), Decimal("-0.3"))
    assert books.verdicts() == [True]
    assert "adopted" in books.last().differences[0]
    books.read(btc="-0.3", after_s=30)
    assert len(books.desk.of(EventType.ORDER_FILLED)) == 1
    assert books.verdicts() == [True, True]


def test_a_journal_that_is_not_new_adopts_nothing_by_itself():
    books = Books()
    books.desk.say(Position(BTC, Decimal("0.3"), Decimal(60_000)))
    books.read(btc="0.3")
    assert books.desk.of(EventType.ORDER_FILLED) == []
    assert not books.reconciler.is_clean


def test_an_execution_without_an_order_of_ours_is_listed_and_clean():
    books = Books()
    books.read()
    books.desk.fill("venue-9", "0.2", "liquidation", side=Side.SELL)
    books.read(btc="-0.2", after_s=30)
    assert books.last().clean
    assert "SELL 0.2 BTCUSDT" in " ".join(books.last().differences)


def test_it_is_listed_by_the_first_verdict_even_if_a_reading_had_to_be_repeated():
    books = Books()
    books.read()
    books.desk.fill("venue-9", "0.2", "liquidation", side=Side.SELL)
    books.read(btc="-0.1", after_s=30)  # in the middle of it
    assert books.verdicts() == [True]
    books.read(btc="-0.2", after_s=2.5)
    assert "SELL 0.2 BTCUSDT" in " ".join(books.last().differences)
    books.read(btc="-0.2", after_s=30)
    assert books.last().differences == ()


def test_somebody_s_own_order_is_listed_and_clean():
    books = Books()
    books.read(orders=(OpenOrder("web_1", "77", BTC, Decimal(1), ZERO),))
    assert books.last().clean
    assert "web_1" in books.last().differences[0]


def test_an_order_that_is_open_at_the_venue_and_closed_here_stops_what_is_new():
    books = Books()
    order_id = books.desk.ask("0.1", price=Decimal(59_000), type="LIMIT")
    books.desk.place(order_id)
    books.desk.cancelled(order_id)
    books.desk.wait(5)
    books.read()
    for _ in range(4):
        books.read(orders=(OpenOrder(order_id, "77", BTC, Decimal("0.1"), ZERO),), after_s=2.5)
    assert books.kills() == []
    books.read(orders=(OpenOrder(order_id, "77", BTC, Decimal("0.1"), ZERO),), after_s=2.5)
    (kill,) = books.kills()
    assert "CANCELLED" in kill.arguments["reason"]


def test_an_order_the_venue_does_not_list_is_not_clean_until_it_is_in_quarantine():
    books = Books()
    order_id = books.desk.ask("0.1", price=Decimal(59_000), type="LIMIT")
    books.desk.place(order_id)
    books.desk.wait(5)
    books.read()
    books.read(after_s=2.5)
    assert books.verdicts() == [False]
    books.desk.say(OrderQuarantined(order_id, "nobody knows", BTC))
    books.read(after_s=2.5)
    assert books.verdicts() == [False, True]
    assert books.kills() == []


def test_money_that_comes_or_goes_is_noted_once_and_taken_as_it_is():
    """By the second reading that shows it: money moves before it is told."""
    books = Books()
    books.read()
    books.read(wallet="12000", after_s=30)
    assert books.last().differences == ()
    books.read(wallet="12000", after_s=30)
    assert books.last().clean
    assert "12000" in books.last().differences[0]
    books.read(wallet="12000", after_s=30)
    assert books.last().differences == ()


def test_what_our_own_trading_earned_is_no_difference_of_the_wallet():
    books = Books()
    books.read()
    first = books.bought("0.1")
    order_id = books.desk.ask("0.1", Side.SELL)
    books.desk.place(order_id)
    books.desk.fill(order_id, "0.1", "e2", price="61000", fee=Decimal(3))
    books.desk.wait(5)
    books.read(wallet="10097")
    assert books.last().differences == ()
    assert first in {fill.order_id for fill in books.desk.of(EventType.ORDER_FILLED)}


def test_a_funding_payment_explains_the_wallet_whichever_is_told_first():
    books = Books()
    books.read()
    books.pay("-1.25", "e1")
    books.read(wallet="9998.75", after_s=30)
    assert books.last().differences == ()
    books.read(wallet="10000.25", after_s=30)  # received, and not told yet
    books.pay("1.5", "e2")
    books.read(wallet="10000.25", after_s=30)
    assert books.last().differences == ()


def test_a_reading_in_which_funding_is_paid_says_nothing_of_the_wallet():
    books = Books()
    books.read()
    for number in range(3):  # each time told, and not shown by the reading begun before
        books.pay("-1.25", f"e{number}", settled_s=60)
        books.read(after_s=30)
        assert books.last().differences == ()


def test_a_position_is_shown_to_agree_only_by_a_reading_that_is_late_enough():
    books = Books()
    assert "not read" in books.reconciler.position_problem(BTC, START_NS)
    books.read(after_s=10)
    assert books.reconciler.position_problem(BTC, START_NS) == ""
    assert "not read" in books.reconciler.position_problem(BTC, START_NS + 11 * SECOND_NS)
    books.read(after_s=10, is_complete=False)
    assert "not read" in books.reconciler.position_problem(BTC, START_NS + 11 * SECOND_NS)
    books.read(btc="1", after_s=10)
    assert "explain" in books.reconciler.position_problem(BTC, START_NS)
    assert books.reconciler.position_problem(ETH, START_NS + 11 * SECOND_NS) == ""


class SpotBooks:
    """A reconciler of a spot account alone: coins instead of positions."""

    def __init__(self) -> None:
        self.clock = SimClock(START_NS)
        self.bus = EventBus(clock=self.clock)
        self.told: list[object] = []
        self.bus.tap(lambda event: self.told.append(event.data))
        rules = {BTC: Instrument(BTC, "spot", "0.10", "0.001")}
        self.reconciler = Reconciler(Desk().engine, rules, look_again=lambda: None)
        self.reconciler.attach(self.bus, Context(self.bus, self.clock))

    def read(self, btc: str, usdt: str) -> None:
        self.clock.now_ns += 5 * SECOND_NS
        balances = (("BTC", Decimal(btc)), ("USDT", Decimal(usdt)))
        self.bus.drain((AccountRead(self.clock.now_ns, True, balances=balances),))

    def last(self) -> Reconcile:
        return next(fact for fact in reversed(self.told) if isinstance(fact, Reconcile))


def test_on_spot_coins_are_what_was_there_and_every_execution_with_its_fee():
    books = SpotBooks()
    books.read("1", "50000")
    fill = OrderFilled("h0-test-1", Decimal(60_000), Decimal("0.5"), BTC, Side.BUY, exec_id="e1")
    paid = {"fee": Decimal("0.0005"), "fee_asset": "BTC", "executed_ns": books.clock.now_ns + 1}
    kept = OrderFilled(
        *("venue-fee-e1", Decimal(60_000), Decimal("0.001"), BTC, Side.SELL, Decimal(60)),
        exec_id="fee-e1",
    )
    books.bus.drain((OrderFilled(**{**dict(fill), **paid}), kept))
    books.read("1.4995", "20000")
    assert books.last().clean
    assert books.last().differences == ()


def test_a_coin_that_is_gone_stops_what_is_new_and_is_then_taken_as_it_is():
    books = SpotBooks()
    books.read("1", "50000")
    for _ in range(4):
        books.read("0.4", "50000")
    kills = [fact for fact in books.told if isinstance(fact, Command)]
    assert [kill.arguments["level"] for kill in kills] == ["HALT_NEW"]
    books.read("0.4", "50000")
    assert books.last().clean


def test_first_readings_with_executions_in_them_are_no_verdict_on_the_books():
    """What was there cannot be told from what was just traded: however often that happens, the
    first reading that is quiet decides."""
    books = SpotBooks()
    for number in range(3):
        at_ns = books.clock.now_ns + 5 * SECOND_NS
        fill = OrderFilled(
            "h0-test-1", Decimal(60_000), Decimal("0.1"), BTC, Side.BUY, exec_id=f"e{number}",
            executed_ns=at_ns,
        )  # fmt: skip
        books.bus.drain((fill,))
        books.read("1", "50000")
        assert not any(isinstance(fact, Reconcile) for fact in books.told)
        assert not books.reconciler.is_clean
    books.read("1", "50000")
    assert books.last().clean
