# SPDX-License-Identifier: Apache-2.0
"""`features.py`: what a model is shown of the market. `FeatureSet` computes it, for training from a
recording and for trading from the bus, with the same object and therefore the same bytes;
`Features` is the set on the bus, one for each symbol. A feature is named by what it is:
`rsi_14`, `return_12`, `volatility_48_z` (robust score over 1,440 bars), `ofi_30s` (half-life).
Time is that of the facts; when they arrived plays no part.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np

from hean._core import FeatureKernel
from hean.core.bus import EventBus
from hean.core.module import Context, Module, on
from hean.core.timeframe import timeframe_ns
from hean.core.types import Book, Candle, Event, EventType, FeaturesReady, Funding, Payload, Tick

BAR_FEATURES = (
    *("return_1", "return_3", "return_6", "return_12", "return_24", "return_48", "return_288"),
    *("volatility_12_z", "volatility_48_z", "volatility_288_z", "range_12_z", "natr_14_z"),
    *("rsi_14", "adx_14", "directional_14", "stochastic_14", "williams_28", "cci_20", "mfi_14"),
    *("aroon_25", "bollinger_20", "bollinger_96", "macd", "slope_12", "slope_48", "volume_z"),
    *("hour_sin", "hour_cos", "week_sin", "week_cos"),
)
"""Thirty features of bars."""
TICK_FEATURES = (
    *("drift_1s", "drift_5s", "drift_30s", "drift_120s", "drift_600s"),
    *("tick_volatility_1s", "tick_volatility_5s", "tick_volatility_30s"),
    *("tick_volatility_120s", "tick_volatility_600s"),
    *("trade_imbalance_1s", "trade_imbalance_5s", "trade_imbalance_30s"),
    *("trade_imbalance_120s", "trade_imbalance_600s"),
    *("trade_rate_5s", "trade_rate_30s", "trade_rate_600s", "ofi_5s", "ofi_30s", "ofi_120s"),
    *("imbalance_1", "imbalance_5", "imbalance_10", "micro", "spread"),
    *("hour_sin", "hour_cos", "week_sin", "week_cos"),
)
"""Thirty features of ticks and books."""

_INPUTS = {
    "tick": EventType.TICK,
    "book": EventType.BOOK,
    "bar": EventType.CANDLE,
    "funding": EventType.FUNDING,
}


class FeatureSpec(msgspec.Struct, frozen=True):
    """What a feature is. *version*: changes when the same name would give another number;
    *inputs*: `tick`, `book`, `bar`, `funding` or `time`; times in seconds.
    """

    name: str
    version: int
    inputs: str
    lookback_s: float
    warmup_s: float
    half_life_s: float
    unit: str


def fingerprint_of(specs: Sequence[FeatureSpec], timeframe: str) -> str:
    """Sixteen digits that differ when any feature, its order or the bar length does."""
    text = msgspec.json.encode([timeframe, *specs])
    return hashlib.sha256(text).hexdigest()[:16]


class FeatureSet:
    """The features of one symbol.

    *names*: in the order of a model's columns. *timeframe*: of the bars; others are left out.
    *Raises*: `ParameterInvalid` for a name that means nothing, with the names there are.
    """

    __slots__ = ("_kernel", "fingerprint", "now_ns", "specs", "timeframe", "timeframe_ns")

    def __init__(self, names: Sequence[str], timeframe: str) -> None:
        self.timeframe = timeframe
        self.timeframe_ns = timeframe_ns(timeframe)
        self._kernel = FeatureKernel(list(names), self.timeframe_ns)
        self.specs = tuple(FeatureSpec(*spec) for spec in self._kernel.specs())
        self.fingerprint = fingerprint_of(self.specs, timeframe)
        self.now_ns = 0
        """Time of the newest fact, in ns; a bar's is its end."""

    @property
    def names(self) -> tuple[str, ...]:
        """Their names in order."""
        return tuple(spec.name for spec in self.specs)

    @property
    def needs(self) -> frozenset[EventType]:
        """The facts that change them."""
        found = {_INPUTS[spec.inputs] for spec in self.specs if spec.inputs in _INPUTS}
        # A score is taken against the values at the ends of bars.
        scored = {EventType.CANDLE for spec in self.specs if spec.name.endswith("_z")}
        return frozenset(found | scored)

    @property
    def n_seen(self) -> int:
        """Facts taken so far."""
        return self._kernel.n_seen

    def update(self, fact: Payload) -> None:
        """Take one fact of the symbol; what no feature is made of changes nothing.

        *Raises*: `NumberNotFinite`, `NumberOutOfRange`, `DataInvalid`; the state is unchanged.
        `BookCrossed`: the book is empty until the next whole one.
        """
        kind = fact.__class__
        if kind is Tick:
            tick: Any = fact
            self._kernel.tick(tick.timestamp, tick.price, tick.volume, tick.bid, tick.ask)
            self._pass(tick.timestamp)
        elif kind is Candle:
            bar: Any = fact
            if bar.timeframe == self.timeframe:
                self._kernel.bar(bar.open, bar.high, bar.low, bar.close, bar.volume)
                self._pass(bar.timestamp + self.timeframe_ns)
        elif kind is Book:
            book: Any = fact
            self._pass(book.timestamp)
            self._kernel.book(self.now_ns, book.bids, book.asks, book.is_snapshot)
        elif kind is Funding:
            self._kernel.funding(fact.rate)  # type: ignore[attr-defined]

    def values(self) -> dict[str, float] | None:
        """Every feature by name as of the newest fact; `None` while one is undefined."""
        return self._kernel.values(self.now_ns)

    def values_into(self, row: np.ndarray[Any, np.dtype[np.float64]]) -> None:
        """The same numbers in order, nan where undefined. *row*: float64, contiguous."""
        self._kernel.values_into(self.now_ns, row)

    def snapshot(self) -> bytes:
        """The complete state."""
        return self.now_ns.to_bytes(8, "little") + self._kernel.snapshot()

    def restore(self, snapshot: bytes) -> None:
        """Take over a snapshot of the same features. *Raises*: `DataInvalid`, state unchanged."""
        self._kernel.restore(snapshot[8:])
        self.now_ns = int.from_bytes(snapshot[:8], "little")

    def _pass(self, ts_ns: int) -> None:
        # A fact that comes late does not turn time back.
        self.now_ns = max(self.now_ns, ts_ns)


class Features(Module):
    """A `FeatureSet` for each symbol, on the bus: emits `FEATURES_READY` once every feature is
    defined. *every*: the fact after which they are emitted.
    """

    name = "features"
    produces = (EventType.FEATURES_READY,)

    def __init__(
        self, names: Sequence[str], timeframe: str, *, every: EventType = EventType.CANDLE
    ) -> None:
        self._names = tuple(names)
        self._timeframe = timeframe
        self._every = every
        model = FeatureSet(names, timeframe)
        self.needs = model.needs | {every}
        self.fingerprint = model.fingerprint
        self._sets: dict[str, FeatureSet] = {}

    def attach(self, bus: EventBus, context: Context) -> Callable[[], None]:
        """As every module, but asks for the facts only that its features are made of: nobody should
        have to play ticks for a set that looks at bars.
        """
        self.context = context
        handlers = [handler for handler in self.handlers() if handler[0] in self.needs]
        undo = [bus.subscribe(kind, getattr(self, name)) for kind, name in handlers]

        def detach() -> None:
            for unsubscribe in undo:
                unsubscribe()

        return detach

    @on(EventType.TICK, EventType.BOOK, EventType.CANDLE, EventType.FUNDING)
    def on_fact(self, event: Event) -> None:
        """Update, and emit if this is the fact to emit after."""
        fact = event.data
        symbol = fact.symbol
        features = self._sets.get(symbol)
        if features is None:
            features = self._sets[symbol] = FeatureSet(self._names, self._timeframe)
        features.update(fact)
        if event.event_type is not self._every:
            return
        if self._every is EventType.CANDLE and fact.timeframe != self._timeframe:
            return
        values = features.values()
        if values is not None:
            ready = FeaturesReady(symbol, values, event.ts_ns, self.fingerprint)
            self.context.emit(ready)
