# SPDX-License-Identifier: Apache-2.0
"""`accountant.py`: a second set of books. It hears the venue itself, before the bus does, and adds
up fills, settlements and last prices in whole units of money; it shares no code with the ledger.
After every event both must say the same, to the last unit: a fee or a settlement that was
forgotten, or a gain that no venue ever told, shows where it happens.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from hean.backtest.run import Backtest
from hean.core.ports import Instant, Source
from hean.core.types import EventType, Funding, OrderFilled, Side

DIGITS = 12  # decimals of money, as the ledger's
ONE = 10**DIGITS


class Disagreement(msgspec.Struct, frozen=True):
    """Where the ledger first said something else. *what*: fees, funding, position or equity."""

    ts_ns: int
    what: str
    ledger: Decimal
    accountant: Decimal


class Accountant:
    """Sums over what the venue told, in units of 1e-12. *cash*: at the start."""

    def __init__(self, cash: Decimal) -> None:
        self.deposits = self.fees = self.funding = self.paid = 0
        self.deposits = units(cash)
        self.held: dict[str, Decimal] = {}

    def fill(self, fill: OrderFilled) -> None:
        """Coins change hands for money. A perpetual is booked as if they did: at its last price
        the sum is the same, and needs no average entry."""
        signed = fill.filled_qty if fill.side is Side.BUY else -fill.filled_qty
        self.held[fill.symbol] = self.held.get(fill.symbol, Decimal(0)) + signed
        self.paid += units(signed * fill.fill_price)
        self.fees += units(fill.fee)

    def settle(self, funding: Funding, mark: Decimal) -> None:
        """Longs pay a positive rate; what is received is rounded down."""
        value = units(self.held[funding.symbol] * mark)
        rate = round(Decimal(repr(funding.rate)).scaleb(DIGITS))
        self.funding += -value * rate // ONE

    def equity(self, prices: dict[str, Decimal]) -> int:
        """All of it, with what is held at its last price."""
        worth = sum(units(held * prices[symbol]) for symbol, held in self.held.items() if held)
        return self.deposits - self.paid + worth - self.fees + self.funding


class Audit:
    """The source of a run, with an accountant who listens. *first*: disagreement; *events*: how
    many were booked.
    """

    def __init__(self, run: Backtest) -> None:
        self.events = 0
        self.first: Disagreement | None = None
        self._run = run
        self._source: Source = run.source
        self._books = Accountant(run.settings.account.cash)
        self._cash = run.system.portfolio.ledger.cash
        self._is_due = False
        self._ticks = {
            symbol: market.rules.instrument.price_decimal(1)
            for symbol, market in run.history.markets.items()
        }

    def subscribe(self, wanted: frozenset[EventType]) -> None:
        """As the source itself."""
        self._source.subscribe(wanted)

    def next(self, horizon_ns: int | None) -> Instant | None:
        """What came before has been booked by now: compare, then go on."""
        self.compare()
        instant = self._source.next(horizon_ns)
        for fact in instant[1] if instant else ():
            if isinstance(fact, OrderFilled):
                self._books.fill(fact)
                self._is_due, self.events = True, self.events + 1
            elif isinstance(fact, Funding) and fact.mark_price and self._holds(fact.symbol):
                self._books.settle(fact, self._on_tick(fact.symbol, fact.mark_price))
                self._is_due, self.events = True, self.events + 1
        return instant

    def compare(self) -> None:
        """Hold the ledger against the books wherever either has moved."""
        ledger = self._run.system.portfolio.ledger
        if self.first or not (self._is_due or ledger.cash != self._cash):
            return
        self._is_due, self._cash = False, ledger.cash
        books, prices = self._books, {}
        found = [
            ("fees", ledger.fees, books.fees),
            ("funding", ledger.funding_total, books.funding),
        ]
        for symbol, held in books.held.items():
            found.append(("position", ledger.position(symbol)[0], units(held)))
            last = self._run.venue.last_price(symbol)
            prices[symbol] = self._on_tick(symbol, last or 0.0)
        equity = self._run.system.portfolio.equity().decimal
        found.append(("equity", equity, books.equity(prices)))
        for what, theirs, ours in found:
            if units(theirs) != ours:
                mine = Decimal(ours).scaleb(-DIGITS)
                self.first = Disagreement(self._run.clock.now_ns, what, theirs, mine)
                return

    def _holds(self, symbol: str) -> bool:
        return bool(self._books.held.get(symbol))

    def _on_tick(self, symbol: str, price: float) -> Decimal:
        tick = self._ticks[symbol]
        return round(Decimal(repr(price)) / tick) * tick


def units(amount: Decimal) -> int:
    """In 1e-12. Prices have few decimals and lots as well, so that no product is cut."""
    return int(amount.scaleb(DIGITS))
