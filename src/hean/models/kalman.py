# SPDX-License-Identifier: Apache-2.0
"""`kalman.py`: hedge ratios of pairs, live. Two symbols become one row of the filter when both legs
are fresh, at most once a bar; while one is stale nothing is learned, and the next row knows how
much time has passed. The model works on logarithms, so the hedge ratio is one of money. What it
emits after a row was measured before the row was learned from. Rules: quant/methods 2.1.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import msgspec

from hean.core.module import Module, on
from hean.core.timeframe import timeframe_ns
from hean.core.types import Candle, Changepoint, Event, EventType, HedgeRatio, Tick
from hean.errors import ParameterInvalid
from hean.filters import KalmanHedge

NS_PER_MS = 1_000_000
EVENTS_A_BAR = 10  # quotes of both legs that may come between two rows; more only cost memory


class HedgePair(msgspec.Struct, frozen=True):
    """What is modelled: `log y = alpha + beta log x`.

    *q_beta*, *q_alpha*, *observation*: variances of `KalmanHedge`, per bar, from
    `hean.quant.state_space.fit_hedge`. *bar*: length of a bar, such as `1m`. *from_candles*: rows
    are closed candles of that length, or with an empty *bar* of the first that comes; otherwise
    the middle of quotes, at most one row a bar. A price without bid and ask is a past trade and no
    quote: it is not used. *max_age_ms*: how old the other leg's quote may be. *window*, *gate*,
    *adaptation*: as in `KalmanHedge`.
    """

    y: str
    x: str
    q_beta: float
    q_alpha: float
    observation: float
    bar: str = "1s"
    from_candles: bool = False
    max_age_ms: float = 250.0
    window: int = 500
    gate: float | None = 15.1
    adaptation: float = 0.0

    @property
    def name(self) -> str:
        """`Y/X`."""
        return f"{self.y}/{self.x}"


class HedgeSettings(msgspec.Struct, frozen=True):
    """One pair that is modelled on closed bars, of the length that comes first. *pair*: `Y/X`. The
    variances are those of `HedgePair`; the defaults suit minutes of two coins that move together.
    """

    pair: str
    q_beta: float = 1e-8
    q_alpha: float = 1e-9
    observation: float = 1e-7
    window: int = 500

    def hedge_pair(self) -> HedgePair:
        """As the module wants it. *Raises*: `ParameterInvalid` for what is no pair."""
        y, _, x = self.pair.partition("/")
        if not (y and x):
            raise ParameterInvalid(
                f"kalman: pair {self.pair!r}; give Y/X, such as ETHUSDT/BTCUSDT."
            )
        return HedgePair(
            y, x, self.q_beta, self.q_alpha, self.observation, bar="", from_candles=True,
            window=self.window,
        )  # fmt: skip


class _Leg:
    """The last price of one symbol and its time: a quote's arrival, or a candle's opening."""

    __slots__ = ("price", "ts_ns")

    def __init__(self) -> None:
        self.price = 0.0
        self.ts_ns = -1


class _Pair:
    """One filter and what it waits for."""

    __slots__ = ("bar", "bar_ns", "filter", "last_ns", "max_age_ns", "settings", "x", "y")

    def __init__(self, settings: HedgePair) -> None:
        if settings.y == settings.x:
            raise ParameterInvalid(f"pair {settings.name}: two different symbols are due.")
        if not settings.max_age_ms > 0:
            raise ParameterInvalid(f"pair {settings.name}: max_age_ms {settings.max_age_ms}.")
        self.settings = settings
        self.bar = settings.bar
        self.bar_ns = timeframe_ns(settings.bar) if settings.bar else 0
        self.max_age_ns = int(settings.max_age_ms * NS_PER_MS)
        self.y, self.x = _Leg(), _Leg()
        self.last_ns = -1
        self.filter = KalmanHedge(
            settings.q_beta,
            settings.q_alpha,
            settings.observation,
            window=settings.window,
            gate=settings.gate,
            adaptation=settings.adaptation,
        )

    def bars_since(self, ts_ns: int) -> float:
        """Bars since the last row; one at the first."""
        return 1.0 if self.last_ns < 0 else (ts_ns - self.last_ns) / self.bar_ns

    def snapshot(self) -> dict[str, Any]:
        legs = [(leg.price, leg.ts_ns) for leg in (self.y, self.x)]
        return {"filter": self.filter.snapshot(), "legs": legs, "last_ns": self.last_ns}

    def restore(self, state: dict[str, Any]) -> None:
        self.filter.restore(state["filter"])
        for leg, (price, ts_ns) in zip((self.y, self.x), state["legs"], strict=True):
            leg.price, leg.ts_ns = price, ts_ns
        self.last_ns = state["last_ns"]


class KalmanPairs(Module):
    """Emits `HEDGE_RATIO` after every row, and `CHANGEPOINT` (symbol: the pair's name) when five
    rows in a row were beyond the gate.

    *pairs*: what to model; every pair once. *Raises*: `ParameterInvalid`.
    """

    name = "kalman"
    produces = (EventType.HEDGE_RATIO, EventType.CHANGEPOINT)

    def __init__(self, pairs: Iterable[HedgePair]) -> None:
        self._pairs: dict[str, _Pair] = {}
        self._by_quote: dict[str, list[_Pair]] = {}
        self._by_candle: dict[str, list[_Pair]] = {}
        for settings in pairs:
            if settings.name in self._pairs:
                raise ParameterInvalid(f"pair {settings.name} is given twice.")
            pair = self._pairs[settings.name] = _Pair(settings)
            table = self._by_candle if settings.from_candles else self._by_quote
            for symbol in (settings.y, settings.x):
                table.setdefault(symbol, []).append(pair)

    @property
    def warmup_events(self) -> int:
        """How many past events of a pair rebuild its state: until the filter's start, and as long
        again until that start is forgotten.
        """
        rows = [2 * pair.filter.warmup for pair in self._pairs.values()]
        return 2 * EVENTS_A_BAR * max(rows, default=0)

    @on(EventType.TICK)
    def on_tick(self, event: Event) -> None:
        """Take a quote of a leg."""
        tick: Tick = event.data
        pairs = self._by_quote.get(tick.symbol)
        if pairs is None or not tick.bid or not tick.ask:
            return
        middle = 0.5 * (tick.bid + tick.ask)
        for pair in pairs:
            own, other = self._legs(pair, tick.symbol)
            own.price, own.ts_ns = middle, event.ts_ns
            is_fresh = other.ts_ns >= 0 and event.ts_ns - other.ts_ns <= pair.max_age_ns
            if is_fresh and (pair.last_ns < 0 or event.ts_ns - pair.last_ns >= pair.bar_ns):
                self._step(pair, event.ts_ns)

    @on(EventType.CANDLE)
    def on_candle(self, event: Event) -> None:
        """Take a closed candle of a leg; the row is complete when both legs' are there."""
        candle: Candle = event.data
        for pair in self._by_candle.get(candle.symbol, ()):
            if not pair.bar:
                pair.bar, pair.bar_ns = candle.timeframe, timeframe_ns(candle.timeframe)
            if candle.timeframe != pair.bar:
                continue
            own, other = self._legs(pair, candle.symbol)
            own.price, own.ts_ns = candle.close, candle.timestamp
            if other.ts_ns == own.ts_ns and own.ts_ns > pair.last_ns:
                self._step(pair, own.ts_ns)

    def snapshot(self) -> bytes:
        """The state of all pairs as bytes."""
        return msgspec.msgpack.encode({name: p.snapshot() for name, p in self._pairs.items()})

    def restore(self, snapshot: bytes) -> None:
        """Take over a snapshot of the same pairs. *Raises*: `ParameterInvalid` for other pairs,
        `DataInvalid` for a filter of other settings; then nothing has changed.
        """
        states = msgspec.msgpack.decode(snapshot)
        if list(states) != list(self._pairs):
            raise ParameterInvalid(f"kalman: a snapshot of {', '.join(states)}; other pairs here.")
        restored = {name: _Pair(pair.settings) for name, pair in self._pairs.items()}
        for name, pair in restored.items():
            pair.restore(states[name])
        for name, pair in self._pairs.items():
            pair.restore(states[name])

    def _legs(self, pair: _Pair, symbol: str) -> tuple[_Leg, _Leg]:
        return (pair.y, pair.x) if symbol == pair.settings.y else (pair.x, pair.y)

    def _step(self, pair: _Pair, ts_ns: int) -> None:
        model = pair.filter
        z = model.update(math.log(pair.y.price), math.log(pair.x.price), pair.bars_since(ts_ns))
        pair.last_ns = ts_ns
        if math.isnan(z):
            return
        name = pair.settings.name
        self.context.emit(
            HedgeRatio(
                name,
                model.beta_before,
                model.innovation,
                z,
                model.innovation_variance,
                model.alpha,
                model.ready(),
                model.is_healthy,
            )
        )
        if model.is_change:
            self.context.emit(Changepoint(name, 1.0, 0))
