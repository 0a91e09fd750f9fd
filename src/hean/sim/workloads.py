# SPDX-License-Identifier: Apache-2.0
"""`workloads.py`: strategies that keep the engine busy. None of them wants to earn anything: they
make orders of every kind in every state, cancel them at bad moments, and one of them asks for what
no sane strategy would. Their chance comes from their context, as that of any strategy. Two of the
product's own strategies are here as they are, with parameters at which noise is worth a trade.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from decimal import Decimal
from typing import ClassVar

from hean.core.module import on
from hean.core.parameters import Parameter
from hean.core.types import CancelRequest, Event, EventType, OrderRequest, OrderType, Side, Signal
from hean.strategies.base import Strategy
from hean.strategies.basis import BasisArbitrage
from hean.strategies.funding import FundingHarvester
from hean.strategies.legs import TwoLegs

AMOUNT = 300.0  # quote money of one order: a few of them fit into every limit
DEAR = 10_000.0  # a coin that is traded by the thousandth, others by the hundredth
RESTING_MAX = 6
AWAY_FRACTION = 0.003  # from the touch, of orders that rest
AMEND_FRACTION = 0.5  # of the occasions on which an order does not stay as it is
STOP_FRACTION = 0.01
ENTRY_FRACTION = 0.3  # of what a desk does
ALGOS = (
    "twap:duration=1s,slices=4",
    "twap:duration=2s,slices=3,rest=true",
    "vwap:duration=1s,weights=2|1|1",
    "shortfall:duration=2s,slices=4",
    "pov:share=0.5,interval=200ms,duration=2s",
    "chaser:away=1,pause=200ms,duration=1s",
)


class Workload(Strategy):
    """Something at some prices."""

    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter("pace", 0.5, "chance of doing something at a price", "fraction", 0, 1),
        Parameter("spot", False, "sells nothing it does not hold"),
    )

    def __init__(self, symbols: tuple[str, ...], given: Mapping[str, object] | None = None) -> None:
        super().__init__(symbols, given)
        self.is_resting = False
        """Set to have it do nothing new."""
        self._chance: random.Random | None = None

    @property
    def chance(self) -> random.Random:
        """Its random stream."""
        if self._chance is None:
            self._chance = self.context.rng("chance")
        return self._chance

    @on(EventType.TICK)
    def on_tick(self, event: Event) -> None:
        """Perhaps do something."""
        if not self.is_resting and self.chance.random() < self.p.pace:
            self.act(event.data.symbol, event.data.price, event.seq)

    def act(self, symbol: str, price: float, seq: int) -> None:
        """Do it."""

    def side(self, symbol: str) -> Side:
        """One that can be had."""
        if self.p.spot:
            return (
                Side.SELL if self.position[symbol] > 0 and self.chance.random() < 0.5 else Side.BUY
            )
        return self.chance.choice((Side.BUY, Side.SELL))

    def size(self, symbol: str, price: float, side: Side) -> Decimal:
        """About the usual amount, on a step that every market has."""
        step = Decimal("0.001" if price > DEAR else "0.01")
        size = Decimal(AMOUNT * self.chance.uniform(0.2, 2.0) / price).quantize(step)
        if self.p.spot and side is Side.SELL:
            size = min(size, self.position[symbol].quantize(step, "ROUND_DOWN"))
        return size


class Takers(Workload):
    """Market orders, sometimes several at once."""

    name = "takers"

    def act(self, symbol: str, price: float, seq: int) -> None:
        """A burst, or a way out."""
        if self.position[symbol] and self.chance.random() < 0.2 and not self.is_waiting(symbol):
            self.leave(symbol, as_of_seq=seq)
            return
        side = self.side(symbol)
        for _ in range(self.chance.choice((1, 1, 1, 3))):
            size = self.size(symbol, price, side)
            if size:
                signal = Signal(symbol, side, size, strategy_id=self.name, as_of_seq=seq)
                self.context.emit(signal)


class Maker(Workload):
    """Limit orders on both sides, changed and taken back after a while."""

    name = "maker"

    def __init__(self, symbols: tuple[str, ...], given: Mapping[str, object] | None = None) -> None:
        super().__init__(symbols, given)
        self._resting: list[tuple[str, str, Side]] = []

    def act(self, symbol: str, price: float, seq: int) -> None:
        """A new order, another one instead of one, or one less."""
        full = len(self._resting) >= RESTING_MAX
        if self._resting and (full or self.chance.random() < 0.4):
            place = self.chance.randrange(len(self._resting))
            order_id, where, side = self._resting[place]
            if where == symbol and self.chance.random() < AMEND_FRACTION:
                self._change(order_id, symbol, side, price=price)
                return
            del self._resting[place]
            self.context.emit(CancelRequest(order_id, where, "moved", self.name))
            return
        side = self.side(symbol)
        size = self.size(symbol, price, side)
        if size:
            self._rest_at(symbol, side, size, price=price)

    def _change(self, order_id: str, symbol: str, side: Side, *, price: float) -> None:
        """Another price, another size, or both; it may have traded more than that already."""
        what = self.chance.choice(("price", "size", "both"))
        limit = None if what == "size" else self._limit(side, price)
        size = None if what == "price" else self.size(symbol, price, side)
        self.amend(order_id, price=limit, size=size, symbol=symbol)

    def _limit(self, side: Side, price: float) -> float:
        away = self.chance.uniform(-0.1, 1.0) * AWAY_FRACTION
        return price * (1 - away if side is Side.BUY else 1 + away)

    def _rest_at(self, symbol: str, side: Side, size: Decimal, *, price: float) -> None:
        limit = self._limit(side, price)
        order_id = self.context.next_id(self.name)
        self._resting.append((order_id, symbol, side))
        self.context.emit(
            Signal(
                symbol,
                side,
                size,
                strategy_id=self.name,
                type=OrderType.LIMIT,
                price=limit,
                order_id=order_id,
            )
        )


class Brackets(Workload):
    """Entries with a stop and a take-profit at the venue."""

    name = "brackets"

    def act(self, symbol: str, price: float, seq: int) -> None:
        """Enter when flat; sometimes leave before the stop does."""
        if self.is_waiting(symbol):
            return
        if self.position[symbol]:
            if self.chance.random() < 0.1:
                self.leave(symbol, as_of_seq=seq)
            return
        side = Side.BUY if self.p.spot else self.side(symbol)
        sign = 1 if side is Side.BUY else -1
        self.enter(
            symbol,
            side,
            size=self.size(symbol, price, side),
            stop_loss=price * (1 - sign * STOP_FRACTION),
            take_profit=price * (1 + sign * STOP_FRACTION),
            as_of_seq=seq,
        )


class Desk(Maker, Brackets):
    """Limit orders beside entries with a stop: what is protected grows, shrinks and turns."""

    name = "desk"

    def act(self, symbol: str, price: float, seq: int) -> None:
        """One or the other."""
        part = Brackets if self.chance.random() < ENTRY_FRACTION else Maker
        part.act(self, symbol, price, seq)


class Monkey(Maker):
    """Everything at once, much of it nonsense."""

    name = "monkey"

    def act(self, symbol: str, price: float, seq: int) -> None:
        """Something."""
        match self.chance.randrange(6):
            case 0:
                self.leave(symbol, as_of_seq=seq)
            case 1:
                self.context.emit(CancelRequest(strategy_id=self.name, reason="all of mine"))
            case 2:
                self._nonsense(symbol, price)
            case 3:
                side = self.side(symbol)
                size = self.size(symbol, price, side)
                if size:
                    self.context.emit(Signal(symbol, side, size, strategy_id=self.name))
            case _:
                super().act(symbol, price, seq)

    def _nonsense(self, symbol: str, price: float) -> None:
        chance = self.chance
        size = chance.choice(("0.00000001", "1000000", "0.001", "7"))
        limit = price * chance.choice((0.5, 0.999, 1.0, 1.001, 2.0))
        self.context.emit(
            OrderRequest(
                symbol,
                chance.choice((Side.BUY, Side.SELL)),
                Decimal(size),
                OrderType.LIMIT,
                Decimal(f"{limit:.1f}"),
                reduce_only=chance.random() < 0.3,
                strategy_id=self.name,
            )
        )


class Legs(TwoLegs, Workload):
    """Two legs, now one way round, now the other, and none of it for long."""

    name = "legs"
    parameters: ClassVar[tuple[Parameter, ...]] = (*TwoLegs.parameters, *Workload.parameters)

    def __init__(self, symbols: tuple[str, ...], given: Mapping[str, object] | None = None) -> None:
        super().__init__(symbols, given)
        self._prices: dict[str, float] = {}

    def act(self, symbol: str, price: float, seq: int) -> None:
        """In when flat, out when whole, and sometimes out before that."""
        self._prices[symbol] = price
        if len(self._prices) < 2:
            return
        if self.is_flat:
            sign = 1 if self.p.spot else self.chance.choice((1, -1))
            first, second = (AMOUNT / self._prices[each] for each in self.symbols)
            self.open_legs(
                self.own_lot(self.symbols[0], sign * first),
                self.own_lot(self.symbols[1], -sign * second),
                as_of_seq=seq,
            )
        elif self.is_open or self.chance.random() < 0.1:
            self.close_legs(as_of_seq=seq)


NOISE = {"notional": AMOUNT, "cost": 0.0}
BASIS = {"window": 20, "entry": 0.5, "exit": 0.4, "stop": 200.0, "hold": 4, "margin": 0.0}
HARVEST = {"certainty": 0.0, "basis_stop": 0.0005}


class Basis(BasisArbitrage, Workload):
    """Coins against a perpetual, as the product trades the distance of their prices."""

    parameters: ClassVar[tuple[Parameter, ...]] = (
        *BasisArbitrage.parameters,
        *Workload.parameters,
    )

    def __init__(self, symbols: tuple[str, ...], given: Mapping[str, object] | None = None) -> None:
        super().__init__(symbols, {**NOISE, **BASIS, **(given or {})})

    def _decide(self, away: float, sigma: float, *, price: float, event: Event) -> None:
        if not self.is_resting:
            super()._decide(away, sigma, price=price, event=event)


class Funding(FundingHarvester, Workload):
    """Coins against a perpetual, as the product collects funding."""

    parameters: ClassVar[tuple[Parameter, ...]] = (
        *FundingHarvester.parameters,
        *Workload.parameters,
    )

    def __init__(self, symbols: tuple[str, ...], given: Mapping[str, object] | None = None) -> None:
        super().__init__(symbols, {**NOISE, **HARVEST, **(given or {})})

    def _decide(self, coins: float, perpetual: float, *, seq: int) -> None:
        if not self.is_resting:
            super()._decide(coins, perpetual, seq=seq)


class Slices(Workload):
    """Orders that are worked in slices, each by another algorithm, some of them taken back."""

    name = "slices"
    slices = True

    def act(self, symbol: str, price: float, seq: int) -> None:
        """One at a time for each symbol, sometimes cancelled, sometimes closed again."""
        if self.is_waiting(symbol):
            if self.chance.random() < 0.02:
                order_id = self._under_way[symbol]
                self.context.emit(CancelRequest(order_id, symbol, "enough", self.name))
            return
        algo = self.chance.choice(ALGOS)
        if self.position[symbol] and self.chance.random() < 0.5:
            self.leave(symbol, as_of_seq=seq, algo=algo)
        else:
            side = self.side(symbol)
            size = sum((self.size(symbol, price, side) for _ in range(4)), Decimal(0))
            if self.p.spot and side is Side.SELL:
                size = min(size, self.position[symbol])
            self.enter(symbol, side, size=size, as_of_seq=seq, algo=algo)


WORKLOADS: dict[str, type[Workload]] = {
    each.name: each
    for each in (Takers, Maker, Brackets, Desk, Monkey, Legs, Basis, Funding, Slices)
}
