# SPDX-License-Identifier: Apache-2.0
"""`memory.py`: decisions are remembered by their context, and a context that has lost for too long
is refused for a while. It hangs on the governor: a check that refuses, and a scale that makes sizes
smaller; it never makes an order, and never a larger one. What it refuses it follows on paper, or a
refused context could never recover. A decision with neither a stop nor a known volatility has no
unit of risk and is not remembered. The statistics are in `cells.py`.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from hean.core.module import Module, on
from hean.core.types import (
    Event,
    EventType,
    OrderFilled,
    OrderRejected,
    OrderRequest,
    Side,
    Signal,
    Timer,
)
from hean.errors import OrderSizeInvalid, ParameterInvalid
from hean.risk import cells
from hean.risk.cells import Cell, Cells
from hean.risk.risk_governor import RiskGovernor

LOOK_NS = 60_000_000_000  # how often what was refused is looked at while it is followed
HOLD_NS = 3_600_000_000_000  # how long, until the strategy's own trades say how long they last
SESSIONS = ("asia", "europe", "america")  # eight hours of UTC each
VOLATILITIES = ("calm", "usual", "wild")
OTHER = "other"  # a regime that nobody has named, or none yet
TIMER = "memory.look"


class MemorySettings(msgspec.Struct, frozen=True):
    """Settings of the decision memory.

    *regimes*: names as `REGIME` tells them; others count as one more. *sigma_bounds*: daily
    volatility below which a market is calm, and from which it is wild. *cost_fraction*: of value,
    there and back, that a decision followed on paper pays. *alarm_probability*: of a changepoint
    that resets a symbol's contexts.
    """

    regimes: tuple[str, ...] = ()
    sigma_bounds: tuple[float, float] = (0.02, 0.04)  # terciles of BTCUSDT, 2020 to 2025, about
    cost_fraction: float = 0.0015  # two taker fees of Bybit and half a spread
    alarm_probability: float = 0.9


class _Decision(msgspec.Struct):
    """One way in and out. *risk*: price that is one R; *quantity*, *cash*: signed, of the trip."""

    name: str
    risk: float
    began_ns: int
    quantity: float = 0.0
    largest: float = 0.0
    cash: float = 0.0


class _Shadow(msgspec.Struct, frozen=True):
    """A refused decision that is followed on paper. *sign*: 1 for a purchase."""

    strategy_id: str
    symbol: str
    name: str
    risk: float
    sign: float
    price: float
    stop: float | None
    target: float | None
    until_ns: int


class DecisionMemory(Module):
    """Memory of one account. *strategies*, *symbols*: of which decisions are remembered; others
    pass as they are. *reference*: last price of a symbol.

    *Raises*: `ParameterInvalid` for more than 200 contexts.
    """

    name = "memory"

    def __init__(
        self,
        governor: RiskGovernor,
        *,
        strategies: tuple[str, ...],
        symbols: tuple[str, ...],
        reference: Callable[[str], float | None],
        settings: MemorySettings | None = None,
    ) -> None:
        self.settings = settings or MemorySettings()
        self.reference = reference
        self._symbols = symbols
        names = [
            f"{symbol}/{regime}/{volatility}/{session}"
            for symbol in symbols
            for regime in (*self.settings.regimes, OTHER)
            for volatility in VOLATILITIES
            for session in SESSIONS
        ]
        count = len(names) * len(strategies)
        if not 1 <= count <= cells.CELLS_MAX:
            raise ParameterInvalid(
                f"decision memory: {count} contexts, at most {cells.CELLS_MAX}; fewer symbols, "
                "strategies or regimes."
            )
        self.memory = {name: Cells(names, cells_in_all=count) for name in strategies}
        self._regime: dict[str, str] = {}
        self._sigma: dict[str, float] = {}
        self._signals: dict[tuple[str, str], Signal] = {}
        self._asked: dict[str, _Decision] = {}
        self._trips: dict[tuple[str, str], _Decision] = {}
        self._shadows: list[_Shadow] = []
        self._held_ns: dict[str, tuple[float, float]] = {}
        self._is_waiting = False
        governor.add_check(self.check, name=self.name)
        governor.add_scale(self.scale)

    # ------------------------------------------------------------ where a decision stands

    @on(EventType.REGIME)
    def on_regime(self, event: Event) -> None:
        """The market's regime, by symbol."""
        self._regime[event.data.symbol] = event.data.regime

    @on(EventType.VOL_FORECAST)
    def on_forecast(self, event: Event) -> None:
        """Its volatility."""
        self._sigma[event.data.symbol] = event.data.sigma

    @on(EventType.CHANGEPOINT)
    def on_changepoint(self, event: Event) -> None:
        """Another market: what was learned of this symbol is forgotten."""
        if event.data.probability <= self.settings.alarm_probability:
            return
        for known in self.memory.values():
            for name in known.cells:
                if name.startswith(f"{event.data.symbol}/"):
                    known.reset(name)

    def context_of(self, symbol: str, now_ns: int) -> str:
        """Name of the context of a decision now."""
        regime = self._regime.get(symbol, OTHER)
        regime = regime if regime in self.settings.regimes else OTHER
        sigma = self._sigma.get(symbol, 0.0)
        low, high = self.settings.sigma_bounds
        # Not knowing the volatility is the usual case at a start.
        step = 1 if not sigma > 0.0 or low <= sigma < high else 0 if sigma < low else 2
        session = SESSIONS[now_ns // (cells.DAY_NS // len(SESSIONS)) % len(SESSIONS)]
        return f"{symbol}/{regime}/{VOLATILITIES[step]}/{session}"

    def _is_ours(self, strategy_id: str, symbol: str) -> bool:
        return strategy_id in self.memory and symbol in self._symbols

    # ------------------------------------------------------------ for the governor

    def scale(self, signal: Signal) -> float:
        """Part of the size that a signal may have. A blocked context is refused by `check`, so that
        the reason is told.
        """
        if signal.reduce_only or not self._is_ours(signal.strategy_id, signal.symbol):
            return 1.0
        now_ns = self.context.clock.now_ns
        self._signals[signal.strategy_id, signal.symbol] = signal
        context = self.context_of(signal.symbol, now_ns)
        return self.memory[signal.strategy_id].scale(context, now_ns) or 1.0

    def check(self, request: OrderRequest) -> str | None:
        """Whether to refuse; remembers what is decided here."""
        key = (request.strategy_id, request.symbol)
        if request.reduce_only or not self._is_ours(*key) or request.order_id in self._asked:
            return None
        now_ns, price = self.context.clock.now_ns, self.reference(request.symbol)
        context = self.context_of(request.symbol, now_ns)
        signal = self._signals.pop(key, None)
        is_refused = not self.memory[request.strategy_id].scale(context, now_ns)
        risk = self._risk(request.symbol, price, signal)
        if is_refused:
            self._follow(key, request.side, signal, context)
        elif risk is not None:
            self._asked[request.order_id] = _Decision(context, risk, now_ns)
        return f"context {context} has lost for too long" if is_refused else None

    def _risk(self, symbol: str, price: float | None, signal: Signal | None) -> float | None:
        """Price that is one R: the way to the stop, or a day's deviation where there is none."""
        if price is None:
            return None
        if signal is not None and signal.stop_loss is not None and signal.stop_loss != price:
            return abs(price - signal.stop_loss)
        sigma = self._sigma.get(symbol, 0.0)
        return price * sigma if sigma > 0.0 else None

    # ------------------------------------------------------------ what decisions came to

    @on(EventType.ORDER_REJECTED)
    def on_rejected(self, event: Event) -> None:
        """An order that decides nothing; but what was made smaller than a lot is followed as what
        is refused: else a context could not recover from a chance of nearly nothing.
        """
        rejected: OrderRejected = event.data
        key = (rejected.strategy_id, rejected.symbol)
        signal = self._signals.pop(key, None)
        if signal is not None and rejected.code == OrderSizeInvalid.code:
            context = self.context_of(rejected.symbol, event.ts_ns)
            self._follow(key, signal.side, signal, context)
        if rejected.source != "venue-request":
            self._asked.pop(rejected.order_id, None)

    @on(EventType.ORDER_CANCELLED, EventType.ORDER_ABSENT)
    def on_ended(self, event: Event) -> None:
        """An order that will fill no more decides nothing more."""
        self._asked.pop(event.data.order_id, None)

    @on(EventType.ORDER_FILLED)
    def on_filled(self, event: Event) -> None:
        """Count the fill for the trip it belongs to."""
        fill: OrderFilled = event.data
        if fill.is_kept or fill.side is None:
            return
        left = float(fill.filled_qty)
        if fill.is_forced:
            for key in [key for key in self._trips if key[1] == fill.symbol]:
                left -= self._count(key, fill, left, event.ts_ns)
        else:
            key = (fill.strategy_id, fill.symbol)
            left -= self._count(key, fill, left, event.ts_ns)
            decision = self._asked.get(fill.order_id)
            if left > 0.0 and decision is not None:
                self._trips[key] = msgspec.structs.replace(decision, began_ns=event.ts_ns)
                self._count(key, fill, left, event.ts_ns, is_opening=True)
        if not fill.remaining_qty:
            self._asked.pop(fill.order_id, None)

    def _count(
        self,
        key: tuple[str, str],
        fill: OrderFilled,
        quantity: float,
        now_ns: int,
        *,
        is_opening: bool = False,
    ) -> float:
        """Book up to *quantity* of a fill. *Returns*: how much of it this trip took."""
        trip = self._trips.get(key)
        if trip is None:
            return 0.0
        sign, price = (1.0 if fill.side is Side.BUY else -1.0), float(fill.fill_price)
        is_closing = sign * trip.quantity < 0.0
        if fill.is_forced and not is_closing:
            return 0.0
        part = min(quantity, abs(trip.quantity)) if is_closing else quantity
        fee = float(fill.fee) * part / float(fill.filled_qty)
        if fill.is_fee_in_base:
            fee *= price
        trip.quantity += sign * part
        trip.largest = max(trip.largest, abs(trip.quantity))
        trip.cash -= sign * part * price + fee
        # What is left of a sum of lots in floats is less than a billionth of it.
        if is_closing and abs(trip.quantity) <= 1e-9 * trip.largest and not is_opening:
            del self._trips[key]
            self._learn(key[0], trip.name, trip.cash / (trip.risk * trip.largest), now_ns)
            total, count = self._held_ns.get(key[0], (0.0, 0.0))
            self._held_ns[key[0]] = (total + now_ns - trip.began_ns, count + 1.0)
        return part

    @on(EventType.FUNDING)
    def on_funding(self, event: Event) -> None:
        """What holding costs or earns belongs to the result."""
        mark = event.data.mark_price
        for (_, symbol), trip in self._trips.items():
            if symbol == event.data.symbol and mark is not None:
                trip.cash -= trip.quantity * mark * event.data.rate

    def _learn(self, strategy_id: str, context: str, result: float, now_ns: int) -> None:
        self.memory[strategy_id].add(context, result, now_ns)

    # ------------------------------------------------------------ what was refused

    def _follow(
        self, key: tuple[str, str], side: Side, signal: Signal | None, context: str
    ) -> None:
        """As if it had been taken now: to its stop, its target, or for as long as this strategy's
        trades last on average. One at a time, and none that would add to a trip.
        """
        strategy_id, symbol = key
        price = self.reference(symbol)
        risk = self._risk(symbol, price, signal)
        is_followed = any((each.strategy_id, each.symbol) == key for each in self._shadows)
        if price is None or risk is None or key in self._trips or is_followed:
            return
        now_ns = self.context.clock.now_ns
        total, count = self._held_ns.get(strategy_id, (0.0, 0.0))
        until_ns = now_ns + (int(total / count) if count else HOLD_NS)
        sign = 1.0 if side is Side.BUY else -1.0
        stop = signal.stop_loss if signal is not None else None
        target = signal.take_profit if signal is not None else None
        self._shadows.append(
            _Shadow(strategy_id, symbol, context, risk, sign, price, stop, target, until_ns)
        )
        self._look_later(now_ns)

    @on(EventType.TIMER)
    def on_timer(self, event: Event) -> None:
        """Look how the refused ones are doing."""
        if event.data.name != TIMER:
            return
        self._is_waiting = False
        followed, self._shadows = self._shadows, []
        for shadow in followed:
            price = self.reference(shadow.symbol)
            if price is None or not self._is_over(shadow, price, event.ts_ns):
                self._shadows.append(shadow)
                continue
            cost = self.settings.cost_fraction * shadow.price
            result = (shadow.sign * (price - shadow.price) - cost) / shadow.risk
            self._learn(shadow.strategy_id, shadow.name, result, event.ts_ns)
        if self._shadows:
            self._look_later(event.ts_ns)

    def _is_over(self, shadow: _Shadow, price: float, now_ns: int) -> bool:
        sign = shadow.sign
        is_stopped = shadow.stop is not None and sign * (price - shadow.stop) <= 0.0
        is_reached = shadow.target is not None and sign * (price - shadow.target) >= 0.0
        return is_stopped or is_reached or now_ns >= shadow.until_ns

    def _look_later(self, now_ns: int) -> None:
        if not self._is_waiting:
            self._is_waiting = True
            self.context.clock.call_at(now_ns + LOOK_NS, Timer(TIMER))

    # ------------------------------------------------------------ going on

    def snapshot(self) -> bytes:
        """What was learned, for `restore`; not what is under way."""
        known = {name: each.cells for name, each in self.memory.items()}
        return msgspec.json.encode({"version": cells.VERSION, "cells": known})

    def restore(self, snapshot: bytes) -> None:
        """Go on with what an earlier process learned. Of another version nothing is taken over.
        *Raises*: `ParameterInvalid` for bytes that are none.
        """
        try:
            found = msgspec.json.decode(snapshot, type=_Snapshot)
        except msgspec.MsgspecError as error:
            raise ParameterInvalid(f"decision memory: no snapshot ({error}).") from error
        if found.version == cells.VERSION:
            for name, known in found.cells.items():
                if name in self.memory:
                    self.memory[name].restore(known)


class _Snapshot(msgspec.Struct, frozen=True):
    version: int
    cells: dict[str, dict[str, Cell]]
