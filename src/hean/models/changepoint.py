# SPDX-License-Identifier: Apache-2.0
"""`changepoint.py`: has the market changed? One Bayesian detector for each stream of a symbol
(standardised return, its size, order flow, latency) and one for the spread of a pair. A stream
learns its prior from its first values, then judges; the streams of a symbol are combined: the
belief told after each bar is the *k*-th largest of their alarm probabilities within a minute, so
that one nervous stream alone says nothing. Levels that trend are never fed: each step of them is a
change. Method: quant/methods 4.1.
"""

from __future__ import annotations

import math
from collections import deque
from statistics import median

import msgspec

from hean.core.module import Module, on
from hean.core.types import Candle, Changepoint, Event, EventType, HedgeRatio, Tick
from hean.filters import BOCPD
from hean.indicators import EwmaVariance

SETTLED_RUN = 60  # observations after which a regime counts as settled
CLIP = 8.0  # standard deviations: one bad print must not fix a detector's variance for an hour
MAD_TO_DEVIATION = 1.4826  # of a normal distribution
SIZE_LEAST = math.exp(-CLIP)  # a return of exactly zero has no logarithm
VARIANCE_WARM_UP = 20  # returns before their variance is believed


class ChangepointSettings(msgspec.Struct, frozen=True):
    """*hazard_lambda*: expected observations between changes; *window*: a shorter run counts as
    changed; *threshold*: of the alarm; *streams_min*: how many streams of a symbol must agree,
    within *within_s*; *training*: values from which a stream learns its prior; *kappa*, *alpha*:
    weight of the prior's mean and of its variance.
    """

    hazard_lambda: float = 250.0
    window: int = 15
    threshold: float = 0.9
    streams_min: int = 2
    within_s: float = 60.0
    training: int = 100
    kappa: float = 0.1
    alpha: float = 2.0


class _Stream:
    """One series: learns, then judges."""

    __slots__ = ("_settings", "_values", "detector", "recent")

    def __init__(self, settings: ChangepointSettings) -> None:
        self._settings = settings
        self._values: deque[float] = deque(maxlen=settings.training)
        self.detector: BOCPD | None = None
        self.recent: deque[tuple[int, float]] = deque()
        """Time and alarm probability, within the time in which streams must agree."""

    def feed(self, value: float, now_ns: int) -> None:
        detector = self.detector
        if detector is None:
            self._learn(value)
            return
        short = detector.update(value)
        if detector.ready():
            self.recent.append((now_ns, short))

    def forget(self, before_ns: int) -> None:
        while self.recent and self.recent[0][0] < before_ns:
            self.recent.popleft()

    def _learn(self, value: float) -> None:
        """Prior from the median and its absolute deviation; a constant series has none yet."""
        values, settings = self._values, self._settings
        values.append(value)
        if len(values) < settings.training:
            return
        middle = median(values)
        deviation = MAD_TO_DEVIATION * median(abs(each - middle) for each in values)
        if deviation > 0:
            self.detector = BOCPD(
                settings.hazard_lambda,
                mean=middle,
                kappa=settings.kappa,
                alpha=settings.alpha,
                beta=settings.alpha * deviation**2,
                window=settings.window,
            )


class _Flow:
    """What the ticks of one bar add up to."""

    __slots__ = ("delay_ns", "last", "signed", "ticks", "volume")

    def __init__(self) -> None:
        self.last = 0.0
        self.clear()

    def clear(self) -> None:
        self.signed = self.volume = 0.0
        self.delay_ns = self.ticks = 0


class ChangepointDetector(Module):
    """Emits `CHANGEPOINT` for every symbol after each bar and for every pair after each
    `HEDGE_RATIO`, as soon as enough of its streams judge.
    """

    name = "changepoint"
    produces = (EventType.CHANGEPOINT,)

    def __init__(self, settings: ChangepointSettings | None = None) -> None:
        self.settings = settings or ChangepointSettings()
        self._streams: dict[str, dict[str, _Stream]] = {}
        self._variance: dict[str, EwmaVariance] = {}
        self._close: dict[str, float] = {}
        self._flow: dict[str, _Flow] = {}

    @on(EventType.TICK)
    def on_tick(self, event: Event) -> None:
        """Add up who was in a hurry, and how late we heard of it."""
        tick: Tick = event.data
        flow = self._flow.get(tick.symbol)
        if flow is None:
            flow = self._flow[tick.symbol] = _Flow()
        if tick.timestamp > 0:
            flow.delay_ns += max(event.ts_ns - tick.timestamp, 0)
            flow.ticks += 1
        if tick.volume > 0:
            side = _side(tick, flow.last)
            flow.signed += side * tick.volume
            flow.volume += tick.volume
            flow.last = tick.price

    @on(EventType.CANDLE)
    def on_candle(self, event: Event) -> None:
        """Feed the streams of a symbol with one bar, and say what they believe together."""
        candle: Candle = event.data
        symbol, now_ns = candle.symbol, event.ts_ns
        last = self._close.get(symbol)
        self._close[symbol] = candle.close
        if last is None:
            return
        step = self._standardised(symbol, math.log(candle.close / last))
        if step is not None:
            self._feed(symbol, "return", step, now_ns)
            self._feed(symbol, "size", math.log(max(abs(step), SIZE_LEAST)), now_ns)
        flow = self._flow.get(symbol)
        if flow is not None:
            if flow.volume > 0:
                self._feed(symbol, "flow", flow.signed / flow.volume, now_ns)
            if flow.ticks and flow.delay_ns > 0:
                self._feed(symbol, "latency", math.log(flow.delay_ns / flow.ticks), now_ns)
            flow.clear()
        self._tell(symbol, now_ns, self.settings.streams_min)

    @on(EventType.HEDGE_RATIO)
    def on_hedge_ratio(self, event: Event) -> None:
        """A pair has one stream, its spread in standard deviations."""
        hedge: HedgeRatio = event.data
        if math.isfinite(hedge.spread_z):
            self._feed(hedge.pair, "spread", _clipped(hedge.spread_z), event.ts_ns)
            self._tell(hedge.pair, event.ts_ns, 1)

    def _standardised(self, symbol: str, step: float) -> float | None:
        """The return in deviations that were expected before it came."""
        variance = self._variance.get(symbol)
        if variance is None:
            variance = self._variance[symbol] = EwmaVariance()
        expected = variance.value
        seen = variance.n_seen
        variance.update(step)
        if seen < VARIANCE_WARM_UP or not expected > 0:
            return None
        return _clipped(step / math.sqrt(expected))

    def _feed(self, group: str, name: str, value: float, now_ns: int) -> None:
        streams = self._streams.setdefault(group, {})
        stream = streams.get(name)
        if stream is None:
            stream = streams[name] = _Stream(self.settings)
        stream.feed(value, now_ns)

    def _tell(self, group: str, now_ns: int, streams_min: int) -> None:
        highest: list[tuple[float, str]] = []
        run_length, settled = math.inf, 1.0
        since_ns = now_ns - round(self.settings.within_s * 1e9)
        for name, stream in self._streams.get(group, {}).items():
            stream.forget(since_ns)
            if stream.recent and stream.detector is not None:
                detector = stream.detector
                highest.append((max(short for _, short in stream.recent), name))
                run_length = min(run_length, detector.map_run_length)
                settled = min(settled, 1.0 - detector.probability_below(SETTLED_RUN))
        if len(highest) < streams_min:
            return
        highest.sort(reverse=True)
        alarming = ",".join(name for short, name in highest if short > self.settings.threshold)
        probability = min(highest[streams_min - 1][0], 1.0)
        self.context.emit(
            Changepoint(group, probability, int(run_length), max(settled, 0.0), alarming)
        )


def _side(tick: Tick, last: float) -> int:
    """1 for a trade of a buyer in a hurry, -1 for a seller: by the quotes, else by the last price
    (Lee and Ready 1991)."""
    if tick.bid is not None and tick.ask is not None:
        middle = (tick.bid + tick.ask) / 2
        if tick.price != middle:
            return 1 if tick.price > middle else -1
    if not last or tick.price == last:
        return 0
    return 1 if tick.price > last else -1


def _clipped(value: float) -> float:
    return max(-CLIP, min(CLIP, value))
