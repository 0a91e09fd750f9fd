# SPDX-License-Identifier: Apache-2.0
"""`process.py`: what a workflow is: steps, each a condition and a deed, done in a circle. A deed
returns wishes; nothing here can send, count money or emit, because a process is given no means to
(docs/adr/0019). Its orders have ended whenever a condition is asked, so no step has to wait for
them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, ClassVar, NamedTuple, Protocol

from hean._core import Instrument
from hean.core.parameters import Parameter, Value, resolve
from hean.core.types import Event
from hean.processes.lifecycle import LADDER, ROUTED
from hean.processes.scan import MarketFacts

DAY_NS = 86_400_000_000_000

TERMS: tuple[Parameter, ...] = (
    Parameter("state", ROUTED.value, "how far it is trusted at first", choices=tuple(LADDER)),
    Parameter("capital_min", 0.3, "share of equity that it has while LIVE", "fraction", 0, 1),
    Parameter("capital_max", 0.95, "largest share of equity", "fraction", 0, 1),
    Parameter("lot", 100.0, "capital moves in whole lots of", "quote", 0.01, 1e9),
    Parameter("expected", 0.0, "net return believed at first", "fraction a year", -1, 10),
    Parameter("doubt", 0.2, "standard deviation of that belief", "fraction a year", 0.001, 10),
    Parameter("risk", 0.02, "deviation of its return, until known", "fraction a day", 1e-5, 1),
    Parameter("move_cost", 0.002, "of capital put in or taken out", "fraction", 0, 0.1),
    Parameter("lock_days", 0.0, "capital stays at least", "days", 0, 3_650),
    Parameter("drawdown_max", 0.5, "loss from its peak that ends it", "fraction", 0.001, 1),
)
"""What every process states: the terms on which it gets capital."""


class Wish(NamedTuple):
    """A quantity to trade at the market, signed, in base units on the lot."""

    symbol: str
    quantity: Decimal


class View(Protocol):
    """All that a process may see when it decides."""

    @property
    def now_ns(self) -> int:
        """UTC nanoseconds."""
        ...

    @property
    def rules(self) -> Mapping[str, Instrument]:
        """Trading rules by symbol."""
        ...

    def price(self, symbol: str) -> float | None:
        """The last one, `None` before there is one."""
        ...

    def held(self, symbol: str) -> Decimal:
        """Own position, signed, base units."""
        ...

    def capital(self) -> float:
        """What it may use, quote currency: its equity without what was called back."""
        ...


class Step(NamedTuple):
    """*when* says whether it is time, *do* what is wished then; an empty list goes on at once."""

    name: str
    when: Callable[[View], bool]
    do: Callable[[View], Sequence[Wish]]


class Process:
    """Base of all workflows: declare `name` and `parameters`, and return the `steps`.

    *symbols*: what it trades. *given*: parameters by name, `TERMS` included; unknown ones are
    refused. Read a value as `self.p.name`.
    """

    name: ClassVar[str] = ""
    parameters: ClassVar[tuple[Parameter, ...]] = ()
    factors: ClassVar[tuple[str, ...]] = ()
    """What it lives on; a cap holds for all that live on the same."""

    def __init__(self, symbols: tuple[str, ...], given: Mapping[str, object] | None = None) -> None:
        self.symbols = symbols
        self.settings: dict[str, Value] = resolve((*TERMS, *self.parameters), given or {})
        self.p: Any = SimpleNamespace(**self.settings)

    @classmethod
    def candidates(cls, markets: Sequence[MarketFacts]) -> tuple[tuple[str, ...], ...]:
        """Sets of symbols it could work on; pure, best first, none by default."""
        del markets
        return ()

    def learn(self, event: Event) -> None:
        """Hear a CANDLE or a FUNDING of own symbols; nothing is wished here."""

    def steps(self) -> tuple[Step, ...]:
        """The circle. *Raises*: `NotImplementedError` in a class that has none."""
        raise NotImplementedError(f"{type(self).__name__} has no steps.")


def lots_within(rules: Instrument, quantity: Decimal | float) -> Decimal:
    """*quantity* towards zero onto the lot."""
    if isinstance(quantity, Decimal):
        return quantity - quantity.copy_abs() % rules.quantity_decimal(1) * (
            1 if quantity > 0 else -1
        )
    lots = rules.quantity_decimal(rules.quantise_quantity(abs(quantity)))
    return lots if quantity > 0 else -lots


def is_tradable(rules: Instrument, quantity: Decimal, price: float) -> bool:
    """Whether the venue takes an order of so much."""
    size = abs(quantity)
    return rules.quantity_decimal(rules.lots_min or 1) <= size and (
        float(size) * price >= rules.notional_min
    )


def closing(view: View, symbols: Sequence[str]) -> list[Wish]:
    """Wishes that leave nothing of *symbols* but dust that cannot be traded."""
    wishes = []
    for symbol in symbols:
        rules, price = view.rules[symbol], view.price(symbol)
        left = lots_within(rules, view.held(symbol))
        # A reduction may be below the smallest value of an order at most venues, coins may not.
        is_small = rules.kind == "spot" and not is_tradable(rules, left, price or 0.0)
        if left and price is not None and not is_small:
            wishes.append(Wish(symbol, -left))
    return wishes
