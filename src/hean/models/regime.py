# SPDX-License-Identifier: Apache-2.0
"""`regime.py`: is the market calm or wild? A hidden Markov model of each bar's return and the
logarithm of its variance, filtered forwards. Only chances given what was seen are ever told; the
smoothed path looks ahead and is not computed here. The regime that is told changes by hysteresis
and lasts a while. A regime is a description, not a forecast. Method: quant/methods 5.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Any

import msgspec
import numpy as np

from hean.core.module import Module, on
from hean.core.types import Candle, Event, EventType, Regime
from hean.errors import ParameterInvalid
from hean.filters import HMM, RegimeFilter
from hean.quant.regimes import fit_hmm, match_states

NAMES = {
    1: ("calm",),
    2: ("calm", "wild"),
    3: ("calm", "normal", "wild"),
    4: ("calm", "normal", "restless", "wild"),
}
"""By number of states, in ascending order of the variance of returns."""
RANGE_TO_VARIANCE = 1 / (4 * math.log(2))  # Parkinson (1980)
FLAT_SHARE = 1e-6  # of the last close: the range of a bar without one, so that it has a logarithm

Array = np.ndarray[Any, np.dtype[np.float64]]


class RegimeSettings(msgspec.Struct, frozen=True):
    """*states*: how many regimes, up to four; *fit_bars*: bars a fit looks at; *refit_bars*: bars
    between fits; *starts*: of EM; *enter*, *leave*: chances at which a regime is believed and given
    up; *dwell*: bars it lasts at least. *Raises*: `ParameterInvalid`.
    """

    states: int = 3
    fit_bars: int = 500
    refit_bars: int = 1440
    starts: int = 5
    enter: float = 0.7
    leave: float = 0.3
    dwell: int = 15

    def __post_init__(self) -> None:
        if self.states not in NAMES or not 0.5 <= self.enter <= 1 or not self.leave <= self.enter:
            raise ParameterInvalid(
                f"regime: states {self.states}, enter {self.enter:g}, leave {self.leave:g}; "
                f"1 to {max(NAMES)} states, enter 0.5 to 1, leave not above it."
            )


class RegimeParameters(msgspec.Struct, frozen=True):
    """A fitted model of one symbol: *mean* and *deviation* standardise a row before *model* sees
    it. Fitted on bars that closed within *fitted_on* (UTC ns); used for none before *valid_from*.
    *Raises*: `ParameterInvalid` if it would judge what it was fitted on.
    """

    version: int
    fitted_on: tuple[int, int]
    valid_from: int
    mean: Array
    deviation: Array
    model: HMM

    def __post_init__(self) -> None:
        if self.valid_from <= self.fitted_on[1]:
            raise ParameterInvalid(
                f"regime parameters {self.version}: valid from {self.valid_from}, fitted on bars "
                f"up to {self.fitted_on[1]}; they must not judge what they were fitted on."
            )


class _Symbol:
    """What is known of one symbol."""

    __slots__ = ("bars_until_fit", "close", "filter", "parameters", "rows")

    def __init__(self, settings: RegimeSettings) -> None:
        self.close = 0.0
        self.rows: deque[tuple[int, float, float]] = deque(maxlen=settings.fit_bars)
        self.bars_until_fit = settings.fit_bars
        self.parameters: RegimeParameters | None = None
        self.filter: RegimeFilter | None = None


class RegimeModel(Module):
    """Emits `REGIME` after each bar once a regime is believed.

    A fit is part of the bar after which it is due, which takes milliseconds and is right where
    time stands still; *fits* False leaves it to whoever calls `fit` and `adopt`, such as a thread
    of a live process (the fit releases the GIL).
    """

    name = "regime"
    produces = (EventType.REGIME,)

    def __init__(self, settings: RegimeSettings | None = None, *, fits: bool = True) -> None:
        self.settings = settings or RegimeSettings()
        self.fits = fits
        self._symbols: dict[str, _Symbol] = {}

    @on(EventType.CANDLE)
    def on_candle(self, event: Event) -> None:
        """Judge one bar by the parameters in force, then perhaps make new ones for the next."""
        candle: Candle = event.data
        known = self._known(candle.symbol)
        last, known.close = known.close, candle.close
        if not last:
            return
        row = (event.ts_ns, math.log(candle.close / last), _log_variance(candle))
        self._judge(candle.symbol, known, row)
        known.rows.append(row)
        known.bars_until_fit -= 1
        if self.fits and known.bars_until_fit <= 0 and len(known.rows) == known.rows.maxlen:
            known.bars_until_fit = self.settings.refit_bars
            self.adopt(candle.symbol, self.fit(candle.symbol))

    def _known(self, symbol: str) -> _Symbol:
        known = self._symbols.get(symbol)
        if known is None:
            known = self._symbols[symbol] = _Symbol(self.settings)
        return known

    def _judge(self, symbol: str, known: _Symbol, row: tuple[int, float, float]) -> None:
        parameters, belief = known.parameters, known.filter
        if parameters is None or belief is None or row[0] < parameters.valid_from:
            return
        first, second = (np.array(row[1:]) - parameters.mean) / parameters.deviation
        belief.update(float(first), float(second))
        regime = belief.regime
        if regime is not None:
            names = NAMES[self.settings.states]
            chance = min(belief.probabilities[regime], 1.0)
            self.context.emit(Regime(symbol, names[regime], chance))

    def fit(self, symbol: str) -> RegimeParameters:
        """Parameters from the last bars of a symbol; its regimes keep their meaning by being
        matched with those of the parameters in force. *Raises*: `ParameterInvalid`.
        """
        known, settings = self._known(symbol), self.settings
        stamps = [row[0] for row in known.rows]
        table = np.array([row[1:] for row in known.rows], dtype=np.float64)
        mean, deviation = table.mean(axis=0), table.std(axis=0)
        deviation = np.where(deviation > 0, deviation, 1.0)
        rows = (table - mean) / deviation
        found = fit_hmm(
            rows, "full", settings.states, starts=settings.starts, iterations=100, tolerance=1e-3
        )
        model, old = found.model, known.parameters
        if old is not None:
            model = model.reordered(match_states(_moved(old, mean, deviation), model))
        version = 1 if old is None else old.version + 1
        fitted_on = (stamps[0], stamps[-1])
        return RegimeParameters(version, fitted_on, stamps[-1] + 1, mean, deviation, model)

    def adopt(self, symbol: str, parameters: RegimeParameters) -> None:
        """Judge by these parameters from the next bar on. The filter goes through the bars that are
        remembered first, forwards, so that it does not begin without a belief.
        """
        known, settings = self._known(symbol), self.settings
        belief = RegimeFilter(
            parameters.model, enter=settings.enter, leave=settings.leave, dwell=settings.dwell
        )
        for row in known.rows:
            first, second = (np.array(row[1:]) - parameters.mean) / parameters.deviation
            belief.update(float(first), float(second))
        known.parameters, known.filter = parameters, belief


def _log_variance(candle: Candle) -> float:
    span = math.log(candle.high / candle.low) if candle.high > candle.low else FLAT_SHARE
    return math.log(span * span * RANGE_TO_VARIANCE)


def _moved(old: RegimeParameters, mean: Array, deviation: Array) -> HMM:
    """The old model as it looks in the units of a new standardisation."""
    scale = old.deviation / deviation
    means = (old.model.means * old.deviation + old.mean - mean) / deviation
    covariances = old.model.covariances * np.outer(scale, scale)
    # Symmetric to the last bit, as the model insists.
    covariances = (covariances + covariances.transpose(0, 2, 1)) / 2
    return HMM.gaussian(
        old.model.start, old.model.transition, np.ascontiguousarray(means), covariances
    )
