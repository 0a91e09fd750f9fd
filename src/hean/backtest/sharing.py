# SPDX-License-Identifier: Apache-2.0
"""`sharing.py`: several strategies on one account, in one run. Each has a seat: a name, symbols of
its own, parameters; the account's orders, money and risk are one (docs/adr/0017). What each has
earned comes from its book, and the books add up to the account exactly, or there is no result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from hean.backtest.result import RunRecord
from hean.core.parameters import Value
from hean.data.fingerprint import iso_utc
from hean.portfolio.allocation import AllocationSettings
from hean.portfolio.sub_books import RESIDUAL
from hean.strategies.base import Strategy
from hean.system import TradingSystem

Plain = Callable[[Decimal], str]


class Seat(msgspec.Struct, frozen=True):
    """One of several strategies. *name*: of its orders and its book; *strategy*: name or
    `path.py:Class`; *given*: its parameters.
    """

    name: str
    strategy: str
    symbols: tuple[str, ...]
    given: dict[str, Value] = {}


class Sharing(msgspec.Struct, frozen=True):
    """*seats*: at least two, in the order in which they hear of a fact. *allocation*: how they
    divide the capital; `None`: each sizes by all of it.
    """

    seats: tuple[Seat, ...]
    allocation: AllocationSettings | None = None

    def built(self, build: Callable[[Seat], Strategy]) -> list[Strategy]:
        """The strategy of each seat, under its name."""
        found = []
        for seat in self.seats:
            strategy = build(seat)
            # Two of one class are told apart by their seats.
            strategy.name = seat.name  # type: ignore[misc]
            found.append(strategy)
        return found


def seated(
    sharing: Sharing,
    strategies: Sequence[Strategy],
    system: TradingSystem,
    record: RunRecord,
    *,
    plain: Plain,
) -> list[dict[str, Any]]:
    """What each strategy has done, and last what nobody's was, named "". The sum of `net_pnl` is
    the account's. *Raises*: `LedgerBroken` if the books do not add up.
    """
    books = system.sub_books
    assert books is not None
    for symbol in system.portfolio.symbols:
        price = system.governor.reference(symbol)
        if price is not None:
            books.mark(symbol, price)
    books.check()
    found: list[dict[str, Any]] = []
    for seat, strategy in zip(sharing.seats, strategies, strict=True):
        own = set(seat.symbols)
        found.append(
            {
                "name": seat.name,
                "strategy": seat.strategy,
                "symbols": list(seat.symbols),
                "params": strategy.settings,
                "fills": sum(fill.symbol in own for fill in record.fills),
                "trades": sum(trade.symbol in own for trade in record.trades),
            }
        )
    found.append({"name": RESIDUAL})
    for row in found:
        book = books.books[row["name"]]
        row["fees"] = plain(book.fees)
        row["funding"] = plain(-book.funding_total)  # paid, as fees are
        row["net_pnl"] = plain(books.profit(row["name"]))
        if system.allocator is not None and row["name"] != RESIDUAL:
            row["share"] = system.allocator.shares[row["name"]]
    return found


def divisions(system: TradingSystem) -> list[dict[str, Any]]:
    """Every division of the capital: when, and what each strategy got from then on."""
    if system.allocator is None:
        return []
    return [{"at": iso_utc(at), "shares": shares} for at, shares in system.allocator.history]


def said_of(settings: AllocationSettings) -> str:
    """The rule in words, for people."""
    return (
        f"{settings.rule.value}, every {settings.every_days} days at 00:00 UTC, counted from "
        f"1970-01-01, over at most {settings.days_max} days of results; equal shares until there "
        f"are {settings.days_min}"
    )
