# SPDX-License-Identifier: Apache-2.0
"""`garch.py`: the volatility forecast of a GARCH(1,1), after each bar, from its recursion; stated
per day, as `ewma.py` states its own. Use one of the two: both answer for a symbol.

**A refit never holds up the kernel, and replays alike.** It is cut into slices of a few evaluations
of the likelihood, a fraction of a millisecond each, and a timer of the clock starts every slice. So
there is no thread, no answer that arrives at its own time, and no difference between simulation,
live trading and replay: timers are events, and what a slice computes depends on nothing else. New
parameters take effect with the first bar after the last slice.

Until there is a fit that stands its examination, an exponential average forecasts: it is the GARCH
with omega 0, alpha 0.06, beta 0.94, so the same recursion runs it. Why a fit was not used is logged
and kept in the symbol's `Parameters`. Bars are of one length for a symbol, the first it comes with.
"""

from __future__ import annotations

import math
from collections import deque

import msgspec
import numpy as np

from hean.core.module import Module, on
from hean.core.timeframe import DAY_NS, UNITS_NS, timeframe_ns
from hean.core.types import Candle, Changepoint, Event, EventType, Timer, VolForecast
from hean.errors import InputError, ParameterInvalid
from hean.filters import GarchModel, GarchParameters, GarchRefit
from hean.indicators import GarchVariance, IntradayProfile

TIMER = "garch.refit"
SLICE_EVALUATIONS = 10  # of 2,000 returns: about a tenth of a millisecond
SLICE_NS = 1_000_000  # between slices, so that what came meanwhile is delivered first
WARM_UP = 20  # returns before the first forecast, as in ewma.py
RETURNS_MIN = 500  # fewer would only be refused
ALARM_PROBABILITY = 0.9  # a changepoint as sure as this asks for a refit
ALARM_PAUSE_S = 1_800  # but not sooner after the last: alarms come in swarms
MINUTE_NS = UNITS_NS["m"]

EWMA = GarchParameters(omega=0.0, alpha=0.06, beta=0.94)  # RiskMetrics (1996)


class Parameters(msgspec.Struct, frozen=True):
    """What forecasts, and since when.

    *fitted_on*: begin of the first bar it was fitted on, and the moment by which the last one was
    known, UTC ns; *valid_from*: the moment it was ready. *refused*: why the fit of that time is
    not used and the average forecasts instead.
    *Raises*: `ParameterInvalid` when it would have been valid before its data ended.
    """

    version: int
    parameters: GarchParameters
    fitted_on: tuple[int, int]
    valid_from: int
    refused: str | None = None

    def __post_init__(self) -> None:
        if self.valid_from <= self.fitted_on[1]:
            raise ParameterInvalid(
                f"GARCH parameters {self.version}: valid from {self.valid_from} ns, but fitted on "
                f"data up to {self.fitted_on[1]} ns; they would know the future."
            )


class _Market:
    """One symbol: its returns, its recursion, and the refit under way."""

    def __init__(self, candle: Candle, window: int, profile: IntradayProfile | None) -> None:
        self.timeframe = candle.timeframe
        self.bar_ns = timeframe_ns(candle.timeframe)
        self.close = candle.close
        self.profile = profile
        self.returns: deque[float] = deque(maxlen=window)
        self.ends: deque[int] = deque(maxlen=window)
        self.kernel: GarchVariance | None = None
        self.versions = 0
        self.chosen: Parameters | None = None
        self.last_fit: GarchParameters | None = None
        self.refit: GarchRefit | None = None
        self.refit_on = (0, 0)
        self.refitted_ns: int | None = None

    def adopt(self, chosen: Parameters) -> None:
        """Run the recursion anew over the window, from the mean square of its residuals."""
        self.chosen = chosen
        returns = np.array(self.returns)
        start = float(np.mean((returns - chosen.parameters.mu) ** 2))
        self.kernel = GarchVariance(chosen.parameters, start)
        self.kernel.batch(returns)

    def day_variance(self) -> float | None:
        """Variance expected of the coming day's return; `None` while too little is known."""
        if self.kernel is None or self.chosen is None:
            return None
        following, numbers = self.kernel.next_variance, self.chosen.parameters
        bars = DAY_NS / self.bar_ns
        if bars < 1.0:
            return following * bars
        if self.profile is None:
            return numbers.horizon_variance(following, bars)
        whole = int(bars)
        factors = self.profile.factors(
            self.ends[-1] // MINUTE_NS, max(self.bar_ns // MINUTE_NS, 1), whole
        )
        return float(numbers.forecast(following, whole) @ factors**2)


class GarchSettings(msgspec.Struct, frozen=True):
    """*refit_every_s*: time between two fits; a changepoint asks for one sooner. *window*: returns
    a fit looks back on. *asymmetric*: losses weigh differently. *innovations*: `normal` or
    `student`. *profile_minutes*: width of a slot of the intraday profile, by which returns are
    divided before they are fitted; `None` for none. *funding_minutes*: minutes of the day with
    slots of their own.
    """

    refit_every_s: int = 21_600
    window: int = 2_000
    asymmetric: bool = False
    innovations: str = "student"
    profile_minutes: int | None = None
    funding_minutes: tuple[int, ...] = (0, 480, 960)


class GarchVolatility(Module):
    """Emits `VOL_FORECAST` (sigma per day) after each bar."""

    name = "garch"
    produces = (EventType.VOL_FORECAST,)

    def __init__(self, settings: GarchSettings | None = None) -> None:
        self.settings = settings = settings or GarchSettings()
        window, refit_every_s = settings.window, settings.refit_every_s
        if window < RETURNS_MIN or refit_every_s < 1:
            raise ParameterInvalid(
                f"garch: window {window}, refit every {refit_every_s} s; a window has at least "
                f"{RETURNS_MIN} returns, and time passes between two fits."
            )
        # With its bound at one, a fit that wants to go beyond 0.9995 shows, and is refused.
        self.model = GarchModel(
            asymmetric=settings.asymmetric, innovations=settings.innovations, persistence_max=1.0
        )
        self.refit_every_ns = refit_every_s * UNITS_NS["s"]
        self._markets: dict[str, _Market] = {}
        self._is_timer_set = False

    def parameters(self, symbol: str) -> Parameters | None:
        """What forecasts for a symbol now; `None` while it warms up."""
        market = self._markets.get(symbol)
        return market.chosen if market else None

    @on(EventType.CANDLE)
    def on_candle(self, event: Event) -> None:
        """Update with one bar, forecast, and begin a refit when one is due."""
        candle: Candle = event.data
        market = self._markets.get(candle.symbol)
        if market is None:
            self._markets[candle.symbol] = _Market(
                candle, self.settings.window, self._new_profile()
            )
            return
        if candle.timeframe != market.timeframe:
            return
        self._take(market, candle)
        variance = market.day_variance()
        if variance is not None:
            sigma = math.sqrt(variance)
            self.context.emit(VolForecast(candle.symbol, sigma, DAY_NS / UNITS_NS["s"]))
        pause_ns = event.ts_ns - (market.refitted_ns or 0)
        if market.refitted_ns is None or pause_ns >= self.refit_every_ns:
            self._begin_refit(candle.symbol, market)

    @on(EventType.CHANGEPOINT)
    def on_changepoint(self, event: Event) -> None:
        """A market that changed is fitted anew."""
        alarm: Changepoint = event.data
        market = self._markets.get(alarm.symbol)
        if market is None or market.refitted_ns is None or alarm.probability < ALARM_PROBABILITY:
            return
        if event.ts_ns - market.refitted_ns >= ALARM_PAUSE_S * UNITS_NS["s"]:
            self._begin_refit(alarm.symbol, market)

    @on(EventType.TIMER)
    def on_timer(self, event: Event) -> None:
        """Do one slice of the first refit under way."""
        if event.data.name != TIMER:
            return
        self._is_timer_set = False
        for symbol, market in self._markets.items():
            if market.refit is not None:
                if market.refit.advance(SLICE_EVALUATIONS):
                    self._end_refit(symbol, market, market.refit)
                break
        self._wake()

    def _new_profile(self) -> IntradayProfile | None:
        minutes = self.settings.profile_minutes
        if minutes is None:
            return None
        return IntradayProfile(minutes, funding_minutes=self.settings.funding_minutes)

    def _take(self, market: _Market, candle: Candle) -> None:
        value = math.log(candle.close / market.close)
        market.close = candle.close
        if market.profile is not None:
            value = market.profile.update(candle.timestamp // MINUTE_NS, value)
        market.returns.append(value)
        market.ends.append(candle.timestamp + market.bar_ns)
        if market.kernel is not None:
            market.kernel.update(value)
        elif len(market.returns) >= WARM_UP:
            market.adopt(Parameters(0, EWMA, (-1, -1), 0))

    def _begin_refit(self, symbol: str, market: _Market) -> None:
        if len(market.returns) < RETURNS_MIN or market.refit is not None:
            return
        market.refitted_ns = self.context.clock.now_ns
        market.refit_on = (market.ends[0] - market.bar_ns, market.refitted_ns)
        try:
            market.refit = self.model.refit(np.array(market.returns), market.last_fit)
        except InputError as error:  # a market that stands still has no volatility to fit
            self.context.log("garch refit impossible", symbol=symbol, reason=error.message)
            return
        self._wake()

    def _end_refit(self, symbol: str, market: _Market, refit: GarchRefit) -> None:
        market.refit = None
        market.versions += 1
        refused, fit = refit.reason, refit.fit
        if refused is None:
            market.last_fit = fit.parameters
        else:
            self.context.log("garch falls back to ewma", symbol=symbol, reason=refused)
        market.adopt(
            Parameters(
                market.versions,
                fit.parameters if refused is None else EWMA,
                market.refit_on,
                self.context.clock.now_ns,
                refused,
            )
        )

    def _wake(self) -> None:
        """Have the next slice started, if there is one and nothing will."""
        if self._is_timer_set or all(each.refit is None for each in self._markets.values()):
            return
        self._is_timer_set = True
        self.context.clock.call_at(self.context.clock.now_ns + SLICE_NS, Timer(TIMER))
