# SPDX-License-Identifier: Apache-2.0
"""`allocation.py`: how the capital of one account is divided between strategies. At 00:00 UTC of
every so many days, counted from 1970-01-01, each gets a share of the account's equity by a rule
over what the strategies earned a day; until the next time the governor makes every size of a
strategy smaller by its share. Shares are above 0 and sum to 1. No money moves between books and
no position is touched: a share decides about what is opened from now on.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from enum import StrEnum

import msgspec
import numpy as np
import numpy.typing as npt

from hean.core.bus import EventBus
from hean.core.module import Context, Module, on
from hean.core.timeframe import DAY_NS
from hean.core.types import Event, EventType, Health, Signal, Timer
from hean.errors import DataInvalid, ParameterInvalid
from hean.portfolio.sub_books import RESIDUAL, SubBooks
from hean.quant.allocation import (
    equal,
    equal_risk_contribution,
    inverse_volatility,
    thompson,
)
from hean.quant.covariance import ledoit_wolf
from hean.quant.online import UNIFORM_SHARE

TIMER = "allocation.day"
REBALANCED = "REBALANCED"  # the word in HEALTH
SHARE_MIN = 1e-6  # a share of nothing could never earn its way back

Array = npt.NDArray[np.float64]


class Rule(StrEnum):
    """How capital is divided."""

    EQUAL = "equal"
    INVERSE_VOLATILITY = "inverse_volatility"
    RISK_PARITY = "risk_parity"
    BANDIT = "bandit"


class AllocationSettings(msgspec.Struct, frozen=True):
    """*rule*: by which; *every_days*: between two divisions; *days_min*: of results before a rule
    is heard, equal shares till then; *days_max*: that it looks back on. *Raises*:
    `ParameterInvalid`.
    """

    rule: Rule = Rule.RISK_PARITY
    every_days: int = 7
    days_min: int = 20
    days_max: int = 500  # methods 10.2

    def __post_init__(self) -> None:
        if self.every_days < 1 or not 2 <= self.days_min <= self.days_max:
            raise ParameterInvalid(
                f"allocation: every {self.every_days} days, {self.days_min} to {self.days_max} "
                "days of results; at least one, and two of them."
            )


class Allocator(Module):
    """Divides the account of *books* between its strategies. *reference*: last price of a symbol;
    *seed*: of the bandit's draws. `scale` belongs into the governor.
    """

    name = "allocation"
    produces = (EventType.HEALTH,)

    def __init__(
        self,
        books: SubBooks,
        settings: AllocationSettings,
        *,
        reference: Callable[[str], float | None],
        seed: int,
    ) -> None:
        self.books = books
        self.settings = settings
        self.reference = reference
        self.names = tuple(name for name in books.books if name != RESIDUAL)
        self.shares = dict(zip(self.names, map(float, equal(len(self.names))), strict=True))
        self.history: list[tuple[int, dict[str, float]]] = []
        """Moment and shares of each division."""
        self._seed = seed
        self._days: deque[Array] = deque(maxlen=settings.days_max)
        self._equity = float(books.account.equity)
        self._profits = np.zeros(len(self.names))

    def scale(self, signal: Signal) -> float:
        """For the governor: the share of the strategy that asks."""
        return self.shares.get(signal.strategy_id, 1.0)

    def attach(self, bus: EventBus, context: Context) -> Callable[[], None]:
        """Begin at the next midnight."""
        detach = super().attach(bus, context)
        self._wait(context.clock.now_ns)
        return detach

    @on(EventType.TIMER)
    def on_timer(self, event: Event) -> None:
        """A day is over."""
        if event.data.name != TIMER:
            return
        self._count()
        day = event.ts_ns // DAY_NS
        if day % self.settings.every_days == 0:
            self._divide(day, event.ts_ns)
        self._wait(event.ts_ns)

    def _wait(self, now_ns: int) -> None:
        self.context.clock.call_at((now_ns // DAY_NS + 1) * DAY_NS, Timer(TIMER))

    def _count(self) -> None:
        """What each has earned on its share since yesterday."""
        for symbol in self.books.instruments:
            price = self.reference(symbol)
            if price is not None:
                self.books.mark(symbol, price)
        profits = np.array([float(self.books.profit(name)) for name in self.names])
        capital = self._equity * np.array(list(self.shares.values()))
        if self._equity > 0.0:
            self._days.append((profits - self._profits) / capital)
        self._profits, self._equity = profits, float(self.books.account.equity)

    def _divide(self, day: int, now_ns: int) -> None:
        settings = self.settings
        if len(self._days) < settings.days_min:
            return
        round_number = day // settings.every_days
        try:
            found = divided(
                settings.rule, np.array(self._days), seed=self._seed, round_number=round_number
            )
        except DataInvalid as error:  # two that do the same have no risk apart
            self.context.log("shares stay as they are", reason=error.message)
            return
        self.shares = dict(zip(self.names, map(float, found), strict=True))
        self.history.append((now_ns, self.shares))
        self.context.emit(Health(self.name, REBALANCED, now_ns, {"shares": self.shares}))


def divided(rule: Rule, returns: Array, *, seed: int = 0, round_number: int = 0) -> Array:
    """Shares, above 0, that sum to 1.

    *returns*: simple, net, of each strategy on its capital, of shape (days, strategies). Whose
    results did not vary in these days keeps an equal share, and the rule divides the rest. The
    bandit draws one by what is believed of the means; it gets all but a tenth, which is
    everybody's.
    *Raises*: `DataInvalid` for a covariance that is not positive definite.
    """
    count = returns.shape[1]
    shares = equal(count)
    at_work = np.flatnonzero(returns.std(axis=0) > 0.0)
    if rule is Rule.EQUAL or not at_work.size:
        return shares
    heard = returns[:, at_work]
    match rule:
        case Rule.INVERSE_VOLATILITY:
            found = inverse_volatility(np.atleast_2d(np.cov(heard, rowvar=False)))
        case Rule.RISK_PARITY:
            found = equal_risk_contribution(ledoit_wolf(heard).matrix)
        case Rule.BANDIT:
            errors = heard.std(axis=0, ddof=1) / math.sqrt(len(heard))
            drawn = thompson(
                heard.mean(axis=0).tolist(), errors.tolist(), seed=seed, round_number=round_number
            )
            found = UNIFORM_SHARE * equal(at_work.size)
            found[drawn] += 1.0 - UNIFORM_SHARE
    shares[at_work] = found * shares[at_work].sum()
    shares = np.maximum(shares, SHARE_MIN)
    return np.asarray(shares / shares.sum())
