# SPDX-License-Identifier: Apache-2.0
"""Strategies of the tier tests, loaded from this file as a user's would be. Each says the same
thing three times: by indicators in Python, by watched conditions, by rules.
"""

from __future__ import annotations

from decimal import Decimal

from hean.core.module import on
from hean.core.parameters import Parameter
from hean.core.types import Event, EventType, Side
from hean.indicators import EWM, SMA, ZScore
from hean.program import Change, Condition, Every, Program, Wake, close, count, ewm, sma, zscore
from hean.strategies.base import Strategy


class Cross(Strategy):
    """Long above, short (if asked) when far below; own indicators in Python."""

    name = "cross"
    parameters = (
        Parameter("fast", 3, "rows", "rows", 1, 100),
        Parameter("slow", 8, "rows", "rows", 1, 100),
        Parameter("short_below", -1.0, "z-score to go short at", "", -100, 100),
        Parameter("size", 0.0, "base units; 0 leaves it to the sizing", "", 0, 1_000),
    )

    def __init__(self, symbols: tuple[str, ...], given: dict[str, object] | None = None) -> None:
        super().__init__(symbols, given)
        p = self.p
        self.size = Decimal(str(p.size)) if p.size else None
        self.averages = {s: (EWM(p.fast), SMA(p.slow), ZScore(p.slow + 1)) for s in symbols}
        self.is_up: Condition = (ewm(p.fast) >= sma(p.slow)) & (count >= p.slow)
        self.is_down: Condition = zscore(p.slow + 1) < p.short_below
        self.is_back: Condition = close < sma(p.slow)

    @on(EventType.CANDLE)
    def on_candle(self, event: Event) -> None:
        symbol, price = event.data.symbol, event.data.close
        self.decide(symbol, *self.look(symbol, price))

    def look(self, symbol: str, price: float) -> tuple[bool, bool, bool]:
        fast, slow, z = self.averages[symbol]
        f, s, score = fast.update(price), slow.update(price), z.update(price)
        return f >= s and slow.n_seen >= self.p.slow, score < self.p.short_below, price < s

    def decide(self, symbol: str, is_up: bool, is_down: bool, is_back: bool) -> None:
        if self.is_waiting(symbol):
            return
        if self.position[symbol]:
            if is_back:
                self.leave(symbol)
        elif is_up:
            self.enter(symbol, Side.BUY, size=self.size)
        elif is_down:
            self.enter(symbol, Side.SELL, size=self.size)

    def program(self) -> Program:
        return Program(
            long_when=self.is_up, exit_when=self.is_back, short_when=self.is_down, size=self.size
        )


class TickCross(Cross):
    """On ticks."""

    @on(EventType.TICK)
    def on_candle(self, event: Event) -> None:
        symbol, price = event.data.symbol, event.data.price
        self.decide(symbol, *self.look(symbol, price))


class WatchedCross(Cross):
    """By conditions that the venue watches."""

    def look(self, symbol: str, price: float) -> tuple[bool, bool, bool]:
        del price
        is_up, is_down, is_back = (
            self.holds(symbol, each) for each in (self.is_up, self.is_down, self.is_back)
        )
        return is_up, is_down, is_back

    def wakes(self) -> tuple[Wake, ...]:
        return Change(self.is_up), Change(self.is_down), Change(self.is_back)


class WatchedTickCross(WatchedCross):
    """By conditions on ticks."""

    on_candle = TickCross.on_candle


class Looker(Strategy):
    """Keeps what every window showed."""

    name = "looker"

    def __init__(self, symbols: tuple[str, ...], given: dict[str, object] | None = None) -> None:
        super().__init__(symbols, given)
        self.seen: list[tuple[int, list[float], bool]] = []

    @on(EventType.CANDLE)
    def on_candle(self, event: Event) -> None:
        view = self.window(event.data.symbol, 5)
        self.seen.append((event.ts_ns, view.tolist(), view.flags.writeable))

    def wakes(self) -> tuple[Wake, ...]:
        return (Every("3m"),)


class Silent(Strategy):
    """Names neither wakes nor a program."""

    name = "silent"

    @on(EventType.CANDLE)
    def on_candle(self, event: Event) -> None:
        """Do nothing."""
