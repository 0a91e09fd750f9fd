# SPDX-License-Identifier: Apache-2.0
"""`mirror.py`: the books of a process that trades elsewhere, made of the rows it writes. Each row
is folded by the code of recovery and then told to whoever tapped, as a bus would; so what is kept
beside the books (orders by name, fills, errors) is kept by the same code as in the process itself.
It holds what the journal holds: nothing of the strategy, no price but the ones it is asked with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from hean._core import OrderEngine
from hean.core.journal import Record
from hean.core.types import (
    AccountRead,
    Event,
    EventType,
    OrderRejected,
    Payload,
    Reconcile,
    StampedEvent,
)
from hean.follow.compared import Reading, reading_of
from hean.live.recovery import KINDS, Books
from hean.live.rows import SEEN, START, Seen, Start, row_of
from hean.portfolio.portfolio import Portfolio
from hean.portfolio.sub_books import SubBooks
from hean.risk.killswitch import KillSwitch
from hean.risk.risk_governor import RiskGovernor

Price = Callable[[str], float | None]


class _Clock:
    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now

    @property
    def now_ns(self) -> int:
        return self._now()


class TailBus:
    """Events of a journal, told as they are read. Nothing waits and nothing is dropped."""

    max_queue = dropped = 0

    def __init__(self, now: Callable[[], int]) -> None:
        self.clock = _Clock(now)
        self.seq = 0
        """Number of the last row."""
        self._taps: list[Callable[[Event], None]] = []

    def __len__(self) -> int:
        return 0

    def tap(self, tap: Callable[[Event], None], /) -> Callable[[], None]:
        """Have every event told from now on. *Returns*: ends it."""
        self._taps.append(tap)
        return lambda: self._taps.remove(tap) if tap in self._taps else None

    def tell(self, kind: EventType, fact: Payload, ts_ns: int, seq: int) -> None:
        """An event, to all."""
        event = StampedEvent(kind, fact, ts_ns, seq)
        for tap in tuple(self._taps):
            tap(event)


@dataclass(frozen=True)
class Trader:
    """A strategy, by what is known of it without its code."""

    name: str
    symbols: Sequence[str]
    settings: Mapping[str, Any] = field(default_factory=dict)


class Mirror:
    """Begins with the journal's first row. *price*: last price of a symbol, for valuation; *now*:
    UTC nanoseconds.

    *Raises*: `JournalDamaged` when the first row begins no life.
    """

    sub_books: SubBooks | None = None

    def __init__(self, first: Record, *, price: Price, now: Callable[[], int]) -> None:
        self.books = Books(row_of(first, Start))
        self.bus = TailBus(now)
        self.portfolio: Portfolio
        self.governor: RiskGovernor
        self.killswitch: KillSwitch
        self.limits: dict[str, str | None] = {}
        """Hard limits in force."""
        self.parts: Sequence[str] = ()
        """Of the process, where it told."""
        self.strategies: Sequence[Trader] = ()
        self.reading: Reading | None = None
        """The last reading of the account, beside our books of that moment."""
        self.verdict: tuple[int, Reconcile] | None = None
        """When books were compared last, and what came of it."""
        self.clean_ns = 0
        """When they last agreed."""
        self.began_ns = 0
        """When the last life began."""
        self.seen_prices: dict[str, float] = {}
        """The process's own, of its last look."""
        self._price = price
        self._begin(first.ts_ns)

    @property
    def engine(self) -> OrderEngine:
        """Orders and positions."""
        return self.books.engine

    @property
    def leverage(self) -> Decimal:
        """Allowed."""
        return self.books.start.account.leverage

    @property
    def symbols(self) -> tuple[str, ...]:
        """That the last life trades."""
        return tuple(row.symbol for row in self.books.start.terms)

    def state_hash(self) -> str:
        """That of the process at this row."""
        return self.books.hash()

    def apply(self, record: Record) -> None:
        """One row. *Raises*: `ReplayDiverged` when the books differ from the process's."""
        self.books.apply(record)
        self.bus.seq = record.seq
        if record.kind == START:
            self._begin(record.ts_ns)
        elif record.kind == SEEN:
            seen = row_of(record, Seen)
            if seen.price is not None:
                self.seen_prices[seen.symbol] = seen.price
        elif record.kind not in KINDS:
            self._event(record)

    def value(self) -> None:
        """Tell what the account is worth at the last prices."""
        told = self.portfolio.valued()
        self.bus.tell(EventType.PNL_UPDATE, told, self.bus.clock.now_ns, self.bus.seq)

    # ------------------------------------------------------------ inside

    def _begin(self, at_ns: int) -> None:
        """A life: other symbols perhaps, other limits, and nothing is known to be stale."""
        books, start = self.books, self.books.start
        books.admit(start.terms)
        rules = {symbol: books.instruments[symbol] for symbol in self.symbols}
        self._rules = rules
        self.portfolio = Portfolio(
            start.account.cash,
            rules,
            reference=self._reference,
            leverage=start.account.leverage,
            ledger=books.ledger,
        )
        self.governor = RiskGovernor(
            books.engine, rules, reference=self._reference, equity=self.portfolio.equity
        )
        self.killswitch = KillSwitch(books.engine, rules, account_id=start.account_id)
        given: dict[str, str | None] = dict(start.account.hard_limits)
        self.limits = given | books.wishes.tighter(given)
        self.strategies = (Trader(start.strategy, self.symbols, start.given),)
        self.began_ns = at_ns

    def _reference(self, symbol: str) -> float | None:
        return self._price(symbol) or self.seen_prices.get(symbol)

    def _event(self, record: Record) -> None:
        kind, fact = EventType(record.kind), record.fact()
        match fact:
            case AccountRead():
                self.reading = reading_of(fact, record.ts_ns, self.engine, self._rules)
            case Reconcile():
                self.verdict = (record.ts_ns, fact)
                self.clean_ns = record.ts_ns if fact.clean else self.clean_ns
            case OrderRejected(source="risk"):
                self.governor.refusals += 1
        if kind is EventType.HEALTH:
            self.governor.on_health(StampedEvent(kind, fact, record.ts_ns, record.event_seq))
        elif kind is EventType.COMMAND and getattr(fact, "verb", "") == "limits":
            self.limits |= self.books.wishes.limits
        self.killswitch.latched = self.books.latched
        self.bus.tell(kind, fact, record.ts_ns, record.event_seq)
