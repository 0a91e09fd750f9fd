# SPDX-License-Identifier: Apache-2.0
"""`pairs.py`: two prices that share a trend. When they are cointegrated, their spread comes back:
it buys the cheap one against the dear one in the hedge ratio of a Kalman filter, when the spread is
further from zero than volatility and costs ask for, and leaves when it is most of the way back, has
gone on to the stop, has not come back in time, or when the spread's behaviour has changed.

Models are fitted on the bars before, at the first full window and then every `refit` bars; until
then, and while the pair fails its test, nothing is opened. Rules: quant/methods 2.1, 3.4, 4.1, 6.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from hean.core.module import on
from hean.core.parameters import Parameter
from hean.core.types import Event, EventType
from hean.errors import HeanError
from hean.filters import BOCPD, GarchModel, KalmanHedge
from hean.indicators import GarchVariance
from hean.quant.cointegration import engle_granger
from hean.quant.mean_reversion import ar1, half_life_linear
from hean.quant.state_space import fit_hedge
from hean.quant.thresholds import Thresholds, reference_sigma, thresholds
from hean.strategies.legs import NAKED_MAX, TwoLegs

HALF_LIFE_BARS = (5.0, 500.0)  # faster is noise, slower is not worth waiting for
Z_MAX = 8.0  # of what the change detector is told: one spike is no new regime
ALARM = 0.9  # probability that the spread's behaviour has changed
SHORT_RUN = 15  # bars since the change that the alarm asks about
CALM_BARS = 60  # after an alarm
PERSISTENCE_MAX = 0.999  # of the spread: a unit root would leave no news to judge by


class _Models:
    """What was fitted on one window of bars, and goes on from there bar by bar."""

    def __init__(self, y: np.ndarray, x: np.ndarray, *, hold: int) -> None:
        fit = fit_hedge(y, x, holding_bars=hold)
        window = max(20, len(y) // 5)
        self.hedge = KalmanHedge(fit.q_beta, fit.q_alpha, fit.observation, window=window)
        scores, spreads, *_ = self.hedge.batch(y, x)
        known = spreads[~np.isnan(spreads)]
        garch = GarchModel().fit(known)
        self.volatility = GarchVariance(garch.parameters, garch.start_variance)
        variances = self.volatility.batch(known)
        self.usual_sigma = reference_sigma(np.sqrt(variances))
        self.changes = BOCPD(250.0, kappa=0.1, alpha=2.0, beta=2.0, window=SHORT_RUN)
        told = scores[~np.isnan(scores)]
        self._persistence = min(max(ar1(told).phi, 0.0), PERSISTENCE_MAX)
        self._last = float(told[-1])

    def is_changed(self, z: float) -> bool:
        """Whether the spread no longer behaves as it did, *z* included. A spread that comes back
        slowly is far from its mean for many bars at a time: only what is new in each counts.
        """
        news = (z - self._persistence * self._last) / math.sqrt(1 - self._persistence**2)
        self._last = z
        self.changes.update(max(-Z_MAX, min(Z_MAX, news)))
        is_old = self.changes.n_seen > 2 * SHORT_RUN
        return is_old and self.changes.short_probability > ALARM


class PairsTrader(TwoLegs):
    """The first symbol is modelled by the second."""

    name = "pairs"
    parameters: ClassVar[tuple[Parameter, ...]] = (
        NAKED_MAX,
        Parameter("notional", 4_000.0, "value of the first leg", "quote", 10, 100_000_000),
        Parameter("window", 1_000, "bars that models are fitted on", "bars", 100, 20_000),
        Parameter("refit", 1_000, "bars from one fit to the next", "bars", 20, 100_000),
        Parameter("significance", 0.05, "of the test for a common trend", "p-value", 0.0001, 1),
        Parameter("theta", 2.0, "spread that counts in usual volatility", "deviations", 0.5, 20),
        Parameter("cost", 0.0025, "both legs in and out, of one leg", "fraction", 0, 0.1),
        Parameter("hold", 200, "longest time in a position", "bars", 1, 100_000),
    )

    def __init__(self, symbols: tuple[str, ...], given: Mapping[str, object] | None = None) -> None:
        super().__init__(symbols, given)
        self._past: deque[tuple[float, float]] = deque(maxlen=self.p.window)
        self._models: _Models | None = None
        self._is_admitted = False
        self._until_fit = self.p.window
        self._held_bars = 0
        self._calm_bars = 0
        self._limits: Thresholds | None = None

    @on(EventType.CANDLE)
    def on_candle(self, event: Event) -> None:
        """Learn and decide when both legs have closed a bar of the same moment."""
        closes = self.closes(event.data)
        if closes is None:
            return
        y, x = closes
        self._learn(y, x, seq=event.seq)
        self._past.append((math.log(y), math.log(x)))
        self._until_fit -= 1
        # A position is judged to its end by the models it was opened with.
        if self._until_fit <= 0 and self.is_flat:
            self._fit()

    def _fit(self) -> None:
        self._until_fit = self.p.refit
        y, x = (np.array(column) for column in zip(*self._past, strict=True))
        self._models = None
        try:
            test = engle_granger(y, x)
            half_life = half_life_linear(test.residuals)
            low, high = HALF_LIFE_BARS
            self._is_admitted = test.p_value < self.p.significance and low <= half_life <= high
            if self._is_admitted:
                self._models = _Models(y, x, hold=self.p.hold)
        except HeanError as error:  # a market that stands still has no spread
            self._is_admitted = False
            self.context.log("no models of this window", reason=str(error))

    def _learn(self, y: float, x: float, *, seq: int) -> None:
        models = self._models
        if models is None:
            return
        z = models.hedge.update(math.log(y), math.log(x))
        if math.isnan(z):
            return
        sigma = math.sqrt(models.volatility.next_variance)
        deviation = math.sqrt(models.hedge.innovation_variance)
        limits = thresholds(
            sigma,
            models.usual_sigma,
            sigma_horizon=deviation,
            cost=self.p.cost,
            theta=self.p.theta,
        )
        models.volatility.update(models.hedge.innovation)
        is_new = models.is_changed(z)
        self._calm_bars = CALM_BARS if is_new else max(0, self._calm_bars - 1)
        self._decide(z, limits, y=y, x=x, seq=seq)

    def _decide(self, z: float, limits: Thresholds, *, y: float, x: float, seq: int) -> None:
        held = self.position[self.symbols[0]]
        if self.is_open:
            self._held_bars += 1
            away = -z if held > 0 else z
            entered = self._limits or limits
            is_over = self._held_bars >= self.p.hold
            if away < entered.exit or away > entered.stop or is_over or self._calm_bars:
                self.close_legs(as_of_seq=seq)
        elif self.is_flat and not self._calm_bars and limits.entry < abs(z) < limits.stop:
            self._enter(-1 if z > 0 else 1, y=y, x=x, seq=seq)
            self._held_bars, self._limits = 0, limits

    def _enter(self, sign: int, *, y: float, x: float, seq: int) -> None:
        """The model is of logarithms: its hedge ratio is one of money."""
        assert self._models is not None
        beta = self._models.hedge.beta_before
        first = self.own_lot(self.symbols[0], sign * self.p.notional / y)
        second = self.own_lot(self.symbols[1], -sign * beta * self.p.notional / x)
        self.open_legs(first, second, as_of_seq=seq)
