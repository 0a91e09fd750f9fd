# SPDX-License-Identifier: Apache-2.0
"""`vitals.py`: whether an agent still is who it was when it was judged. `Expected` is how the judge
saw it; a `Watch` listens to what it does now and answers with findings, each with its value, its
limit and a sentence. Both are plain data: saved as JSON and loaded, a watch goes on the same. What
all agents read is heard by the population (`feed`).

| What is heard | Chart | Limit | Found |
|---|---|---|---|
| `day` | CUSUM of the standardised residual, low side, slack 0.26 | 9.4 | a loss of 0.52 \
deviations a day after 33 days; none, once in 1,750 days |
| | BOCPD on the same, clipped at 8: `P(run < 15 days)`, if they became worse | 0.9 | a \
break of two deviations after 6 days; none, once in 18,000 days, in 350 where their tails are \
heavy (Student, 4) |
| `fill` | CUSUM of the cost, high side, slack 1 bp | one false alarm in 300,000 fills | 2 bp \
more, after 120 fills where costs vary by 5 bp |
| `order` | orders in an hour, refused ones of the last 20, exposure, symbols | as declared | at \
once |
| `entry` | markouts after 1 bar and after its usual holding time (`forecast`): samples since the \
last tests | as `tests` | 0.5 deviations less after one bar, with 60 days and 50 agents: half of \
them within a week of 20 entries a day, or 5 of six a day; 0.3 less: 3 weeks of 20 a day |
| `tests` | trades a day, holding times: samples since the last tests | read \
together for the whole population: `immune.drifted` | slow change |

**Limits come from validation, and validation is short.** A mean of 60 days is wrong by 0.13
deviations, half of what the chart's slack forgives: an agent that was lucky by as much would be
called sick every 11 months. The expected day is therefore taken four fifths of an error lower: from
60 days on, healthy agents are called sick as seldom as designed, and 0.52 deviations a day are
found after 74 days where 60 are known, after 42 where 250 are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from enum import StrEnum

import msgspec
import numpy as np
from numpy.typing import ArrayLike

from hean.errors import DataInvalid, NumberNotFinite
from hean.filters import BOCPD
from hean.quant import two_samples
from hean.quant.checks import Array, series, varying
from hean.quant.drift import LossCusum, cusum_limit
from hean.symbiont.forecast import Forecast, Heard, forecasts, lost

SHIFT, LOSS_LIMIT = 0.52, 9.4  # methods 17.5: one false alarm in five years, 33 days to find it
MARGIN = 0.8  # of its standard error, that the mean day of validation is taken lower
FORECAST_MARGIN = 0.5  # the same of an entry's
CLIP = 8.0
CHANGE_DAYS, CHANGE_WINDOW, CHANGE_LIMIT = 120, 15, 0.9
DOWNSIDE = 1.0  # deviations, of the latest days below what is expected; 0.71 is usual
COST_SLACK_BP, COST_RUN_LENGTH = 1.0, 3e5  # half of the 2 bp to be found
COST_CLIP = 4.0  # deviations: one absurd fill is no shift
REFUSED_OF, REFUSED_MIN = 20, 5
SAMPLE_MAX = 512  # values kept of a sample: more than that do not sharpen a test
RATE_DAYS, HELD_TRIPS = 14, 20  # least of each that a test is made with
ENTRIES = 60  # and of independent entries
HELD_MOVED = 0.15  # share of trips that would have to take another time
FORECAST_LOST = 0.1  # deviations of the market: 3 bp where it moves 30 while a trip lasts
HOUR_NS = 3_600 * 10**9


class Monitor(StrEnum):
    """What has spoken."""

    LOSS = "loss"
    CHANGE = "change"
    COST = "cost"
    COLUMN = "column"
    TOXIN = "toxin"
    RATE = "rate"
    IDLE = "idle"
    HOLDING = "holding"
    FORECAST = "forecast"
    POPULATION = "population"


class Finding(msgspec.Struct, frozen=True):
    """What a monitor says: *value* beyond *limit*, in *words* for a person."""

    monitor: Monitor
    value: float
    limit: float
    words: str


class Comparison(msgspec.Struct, frozen=True):
    """A comparison of two samples, to be read with all others of its round. *is_large*: whether
    what differs would matter if it is no chance.
    """

    monitor: Monitor
    p_value: float
    is_large: bool
    words: str


class Declared(msgspec.Struct, frozen=True):
    """What an agent said it would do at most: orders in an hour, exposure as a multiple of its
    book, and where.
    """

    orders: int
    exposure: float
    symbols: tuple[str, ...]


# ---------------------------------------------------------------- what is expected


class Expected(msgspec.Struct, frozen=True):
    """An agent as its judge saw it. *mean*, *deviation*: of a day's return, the mean less its
    margin. *days*, *trades*: how many days that was, and trades on them; *dispersion*: variance of
    trades a day over their mean. *held* [bars]: sample of holding times, ascending; *spell*: trips
    that say as much as one. *cost*, *cost_deviation* [bp]: of a fill; *cost_limit*: of its chart.
    *forecasts*: of entries, by horizon.
    """

    mean: float
    deviation: float
    days: int
    trades: float
    dispersion: float
    held: tuple[float, ...]
    spell: float
    cost: float
    cost_deviation: float
    cost_limit: float
    declared: Declared
    forecasts: tuple[Forecast, ...]

    @classmethod
    def of(
        cls,
        *,
        daily: ArrayLike,
        trades: ArrayLike,
        held: ArrayLike,
        cost_bp: ArrayLike,
        declared: Declared,
        markouts: Mapping[int, ArrayLike] | None = None,
    ) -> Expected:
        """From validation. *daily*: returns or residuals, shape (days,). *trades*: round trips
        begun on each, same shape. *held* [bars]: of each trip. *cost_bp*: of each fill.
        *markouts*: of each entry, in the order of time, by horizon (`forecast`).

        *Raises*: `DataInvalid` for too few values or days that never differ, `NumberNotFinite`.
        """
        returns = varying("daily returns", daily, 20)
        counts = series("trades a day", trades, 20)
        if len(counts) != len(returns):
            raise DataInvalid(f"trades a day: {len(counts)} days, but {len(returns)} of returns.")
        costs, times = series("cost of fills", cost_bp), series("holding times", held, 2)
        deviation = float(returns.std(ddof=1))
        # Assumed costs hardly vary; those of a market do.
        cost_deviation = max(float(costs.std()), COST_SLACK_BP)
        return cls(
            mean=float(returns.mean()) - MARGIN * deviation / math.sqrt(len(returns)),
            deviation=deviation,
            days=len(returns),
            trades=float(counts.sum()),
            dispersion=max(1.0, _dispersion(counts), _dispersion(_weeks(counts))),
            held=_sample(times),
            spell=two_samples.memory(times),
            cost=float(costs.mean()),
            cost_deviation=cost_deviation,
            cost_limit=cusum_limit(COST_SLACK_BP / cost_deviation, COST_RUN_LENGTH),
            declared=declared,
            forecasts=forecasts(markouts or {}, margin=FORECAST_MARGIN),
        )


def _dispersion(counts: Array) -> float:
    mean = float(counts.mean())
    return float(counts.var(ddof=1)) / mean if mean > 0.0 and len(counts) > 1 else 1.0


def _weeks(counts: Array) -> Array:
    whole = len(counts) // 7
    return np.asarray(counts[: 7 * whole].reshape(whole, 7).sum(axis=1))


def _sample(values: Array) -> tuple[float, ...]:
    """All values in order, or as many evenly spaced ones."""
    ranked = np.sort(values)
    if len(ranked) > SAMPLE_MAX:
        ranked = ranked[np.linspace(0, len(ranked) - 1, SAMPLE_MAX).round().astype(int)]
    return tuple(ranked.tolist())


# ---------------------------------------------------------------- what is heard


class Watch(msgspec.Struct):
    """What one agent has done since it is listened to. Begin it anew (`Watch(expected)`) when the
    agent's health changes: what was found was acted upon.

    *scores*: standardised days, the latest. *days*, *trades*, *held*, *entries* (by horizon),
    since the last `tests`. *refused*: of the latest orders.
    """

    expected: Expected
    loss: float = 0.0
    scores: list[float] = []
    cost: float = 0.0
    days: int = 0
    trades: int = 0
    held: list[float] = []
    entries: list[Heard] = []
    hour: int = 0
    orders: int = 0
    refused: list[bool] = []

    def day(self, residual: float, trades: int) -> list[Finding]:
        """A day is over. *residual*: its return, as in validation, less what market and volatility
        explain where that was done there. *trades*: trips begun. *Raises*: `NumberNotFinite`.
        """
        residual = _finite("residual of a day", residual)
        chart = loss_chart(self.expected, self.loss)
        is_losing = chart.update(-residual)
        self.loss = chart.value
        score = (residual - self.expected.mean) / self.expected.deviation
        self.scores = [*self.scores, min(max(score, -CLIP), CLIP)][-CHANGE_DAYS:]
        self.days += 1
        self.trades += int(trades)
        found = []
        if is_losing:
            words = f"days are worse than expected: lately {np.mean(self.scores[-30:]):+.2f} sd"
            found.append(Finding(Monitor.LOSS, self.loss, LOSS_LIMIT, words))
        if len(self.scores) >= 2 * CHANGE_WINDOW:
            changed, recent = _changed(self.scores), np.array(self.scores[-CHANGE_WINDOW:])
            # A market that calms down, or luck, changes the days too, and takes nothing.
            downside = float(np.sqrt(np.square(np.minimum(recent, 0.0)).mean()))
            is_worse = downside >= DOWNSIDE
            if changed > CHANGE_LIMIT and is_worse:
                words = (
                    f"days became worse within the last {CHANGE_WINDOW}: "
                    f"downside deviation {downside:.2f} of the usual"
                )
                found.append(Finding(Monitor.CHANGE, changed, CHANGE_LIMIT, words))
        return found

    def fill(self, cost_bp: float) -> list[Finding]:
        """A fill that cost so much, fees and slippage. *Raises*: `NumberNotFinite`."""
        expected = self.expected
        cost_bp = _finite("cost of a fill", cost_bp)
        chart = cost_chart(expected, self.cost)
        room = COST_CLIP * expected.cost_deviation
        far = min(max(cost_bp - expected.cost, -room), room)
        is_dear = chart.update(expected.cost + far)
        self.cost = chart.value
        if not is_dear:
            return []
        words = f"fills cost more than the {expected.cost:.1f} bp expected; the last {cost_bp:.1f}"
        return [Finding(Monitor.COST, self.cost, expected.cost_limit, words)]

    def trip(self, held: float) -> None:
        """A round trip is over after so many bars. *Raises*: `NumberNotFinite`."""
        self.held = [*self.held, _finite("holding time", held)][-SAMPLE_MAX:]

    def entry(self, markouts: Sequence[float]) -> None:
        """What came of an entry is known: its markout at each of `Expected.forecasts`.

        *Raises*: `DataInvalid` for another number of them, `NumberNotFinite`.
        """
        horizons = [each.bars for each in self.expected.forecasts]
        if len(markouts) != len(horizons):
            raise DataInvalid(f"entry: {len(markouts)} markouts for horizons {horizons} of bars.")
        values = [_finite("markout", each) for each in markouts]
        self.entries = self.entries or [Heard() for _ in values]
        for heard, value in zip(self.entries, values, strict=True):
            heard.add(value)

    def order(
        self, at_ns: int, symbol: str, exposure: float, *, is_refused: bool = False
    ) -> list[Finding]:
        """An order. *exposure*: of the book after it, as a multiple of its equity.

        *Raises*: `NumberNotFinite`.
        """
        exposure = _finite("exposure", exposure)
        declared, hour = self.expected.declared, at_ns // HOUR_NS
        if hour != self.hour:
            self.hour, self.orders = hour, 0
        self.orders += 1
        self.refused = [*self.refused, is_refused][-REFUSED_OF:]
        refused, refused_max = sum(self.refused), max(REFUSED_MIN, len(self.refused) // 2)
        found = []
        if symbol not in declared.symbols:
            words = f"order on {symbol}; declared: {', '.join(declared.symbols)}"
            found.append(Finding(Monitor.TOXIN, 1.0, 0.0, words))
        if not abs(exposure) <= declared.exposure:
            words = f"exposure of {exposure:.2f} times its book"
            found.append(Finding(Monitor.TOXIN, abs(exposure), declared.exposure, words))
        if self.orders > declared.orders:
            words = f"{self.orders} orders in an hour"
            found.append(Finding(Monitor.TOXIN, self.orders, declared.orders, words))
        if is_refused and refused >= refused_max:
            words = f"{refused} of the last {len(self.refused)} orders refused"
            found.append(Finding(Monitor.TOXIN, refused, refused_max - 1, words))
        return found

    def tests(self) -> list[Comparison]:
        """Compare what has gathered since the last tests, where that is enough, and gather anew:
        nothing is tested twice. The population's tests of a round go to `immune.drifted`.
        """
        found = []
        if self.days >= RATE_DAYS:
            found.append(self._rate())
            self.days = self.trades = 0
        apart = self.held[:: round(self.expected.spell)]
        if len(apart) >= HELD_TRIPS:
            found.append(self._holding(apart))
            self.held = []
        for known, heard in zip(self.expected.forecasts, self.entries, strict=False):
            if heard.count / known.spell >= ENTRIES:
                found.append(_forecast(known, heard))
                heard.clear()
        return found

    def _rate(self) -> Comparison:
        known = self.expected
        rates = two_samples.rates(
            self.trades, self.days, known.trades, known.days, dispersion=known.dispersion
        )
        words = (
            f"{self.trades / self.days:.2f} trades a day; expected {known.trades / known.days:.2f}"
        )
        monitor = Monitor.RATE if rates.statistic > 1.0 else Monitor.IDLE
        return Comparison(monitor, rates.p_value, True, words)

    def _holding(self, times: list[float]) -> Comparison:
        known = self.expected.held
        p_value = two_samples.anderson_darling(known, times).p_value
        is_large = two_samples.distance(known, times) > HELD_MOVED
        words = f"trips of {np.median(times):.0f} bars; expected {np.median(known):.0f}"
        return Comparison(Monitor.HOLDING, p_value, is_large, words)


def _finite(what: str, value: float) -> float:
    """A number of Python's own, for NumPy's are not plain data."""
    if not math.isfinite(value):
        raise NumberNotFinite(f"{what}: {value}; a finite number is due, nothing was changed.")
    return float(value)


def loss_chart(expected: Expected, value: float = 0.0) -> LossCusum:
    """The chart of an agent's days, fed with losses, that stands at *value*."""
    chart = LossCusum(-expected.mean, expected.deviation, slack=SHIFT / 2.0, limit=LOSS_LIMIT)
    chart.value = value
    return chart


def cost_chart(expected: Expected, value: float = 0.0) -> LossCusum:
    """The chart of an agent's fills that stands at *value*."""
    deviation = expected.cost_deviation
    slack, limit = COST_SLACK_BP / deviation, expected.cost_limit
    chart = LossCusum(expected.cost, deviation, slack=slack, limit=limit)
    chart.value = value
    return chart


def _changed(scores: list[float]) -> float:
    detector = BOCPD(250.0, kappa=1.0, alpha=5.0, beta=5.0, window=CHANGE_WINDOW)
    return float(detector.batch(np.array(scores))[0][-1])


def _forecast(known: Forecast, heard: Heard) -> Comparison:
    mean = heard.mean
    p_value = lost(known, heard).p_value
    horizon = "1 bar" if known.bars == 1 else f"{known.bars} bars"
    words = (
        f"entries foresee less: {mean:+.2f} sd on average {horizon} after {heard.count} decisions; "
        f"expected {known.mean:+.2f}"
    )
    return Comparison(Monitor.FORECAST, p_value, known.mean - mean > FORECAST_LOST, words)
