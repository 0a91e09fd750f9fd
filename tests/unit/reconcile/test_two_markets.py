# SPDX-License-Identifier: Apache-2.0
"""One account with coins and a perpetual of the same pair: positions are compared as such, coins as
coins, and the wallet with the ledger, which knows what both cost.
"""

from __future__ import annotations

from decimal import Decimal

from desk import SECOND_NS, START_NS
from hean._core import Instrument, Ledger, OrderEngine
from hean.core.bus import EventBus
from hean.core.clock import SimClock
from hean.core.module import Context
from hean.core.types import (
    AccountRead,
    Command,
    Funding,
    OrderFilled,
    Payload,
    Position,
    Reconcile,
    Side,
)
from hean.execution.orders import OrderManager
from hean.portfolio.portfolio import Portfolio
from hean.reconcile.reconcile import Reconciler

COINS, PERP = "BTCUSDT@spot", "BTCUSDT@perp"
RULES = {
    COINS: Instrument(COINS, "spot", "0.01", "0.000001"),
    PERP: Instrument(PERP, "linear", "0.10", "0.001"),
}
HELD_BEFORE = Decimal("0.3")
"""Coins of the account's owner."""


class Account:
    """A venue's account with both, and the books beside it."""

    def __init__(self) -> None:
        self.clock = SimClock(START_NS)
        self.bus = EventBus(clock=self.clock)
        self.told: list[Payload] = []
        self.bus.tap(lambda event: self.told.append(event.data))
        engine = OrderEngine(list(RULES.values()), unlimited=True)
        self.ledger = Ledger(10_000, list(RULES.values()), leverage=3, allow_spot_borrowing=True)
        portfolio = Portfolio(
            Decimal(10_000),
            RULES,
            reference=lambda symbol: None,
            leverage=Decimal(3),
            ledger=self.ledger,
        )
        self.reconciler = Reconciler(
            engine,
            RULES,
            look_again=lambda: None,
            is_fresh=True,
            cash=lambda: self.ledger.cash,
            reference=lambda symbol: 60_000.0,
        )
        for module in (OrderManager(engine), portfolio, self.reconciler):
            module.attach(self.bus, Context(self.bus, self.clock, name=module.name))

    def say(self, *facts: Payload) -> None:
        self.bus.drain(facts)

    def fill(self, symbol: str, side: Side, size: str, price: str, fee: str, number: int) -> None:
        """Nobody's order, so that the engine counts it as well."""
        self.say(
            OrderFilled(
                "venue-x", Decimal(price), Decimal(size), symbol, side, Decimal(fee), f"e{number}",
                executed_ns=self.clock.now_ns,
            )
        )  # fmt: skip

    def read(self, *, coins: str, perp: str, usdt: str) -> None:
        self.clock.now_ns += 5 * SECOND_NS
        balances = (("BTC", Decimal(coins)), ("USDT", Decimal(usdt)))
        positions = ((PERP, Decimal(perp)),)
        self.say(AccountRead(self.clock.now_ns, True, (), positions, balances))

    def last(self) -> Reconcile:
        return next(fact for fact in reversed(self.told) if isinstance(fact, Reconcile))

    def carry(self) -> None:
        """Coins of 0.1 against 0.1 short, with fees; a settlement is received."""
        self.read(coins="0.3", perp="0", usdt="10000")
        self.fill(COINS, Side.BUY, "0.1", "60000", "6", 1)
        self.fill(PERP, Side.SELL, "0.1", "60010", "3", 2)
        paid = Decimal("0.60010000")
        self.say(Funding(PERP, 0.0001, 0, 60_010.0, f"{PERP}-f", paid, "USDT", self.clock.now_ns))
        self.clock.now_ns += 5 * SECOND_NS


def test_both_legs_their_fees_and_the_funding_explain_account_and_wallet() -> None:
    account = Account()
    account.carry()
    for _ in range(2):
        account.read(coins="0.4", perp="-0.1", usdt="3991.6001")
        assert account.last().clean
        assert not any("wallet" in each for each in account.last().differences)
    for symbol in (COINS, PERP):
        assert account.reconciler.position_problem(symbol, account.clock.now_ns) == ""


def test_coins_of_others_are_no_position_and_adopted_by_nobody() -> None:
    account = Account()
    account.read(coins="0.3", perp="0", usdt="10000")
    assert account.last().clean
    assert account.ledger.position(COINS)[0] == 0


def test_a_coin_that_is_gone_stops_what_is_new_and_says_which_leg() -> None:
    account = Account()
    account.carry()
    for _ in range(4):
        account.read(coins="0.3", perp="-0.1", usdt="3991.6001")
    (kill,) = [fact for fact in account.told if isinstance(fact, Command)]
    assert kill.arguments["level"] == "HALT_NEW"
    assert "coin BTC" in kill.arguments["reason"]


def test_a_perpetual_that_is_gone_is_adopted_and_the_coins_stay() -> None:
    account = Account()
    account.carry()
    account.say(Position(PERP, Decimal("-0.1"), Decimal(60_010)))
    for _ in range(4):
        account.read(coins="0.4", perp="0", usdt="3991.6001")
    (kill,) = [fact for fact in account.told if isinstance(fact, Command)]
    assert f"position {PERP}" in kill.arguments["reason"]
    assert account.ledger.position(PERP)[0] == 0
    assert account.ledger.position(COINS)[0] == Decimal("0.1")
