# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: RUF009  # the calls make the fields themselves, once
"""`config_judges.py`: the tables of the file about who else judges the market and the account. Each
is named like its field in `judges.py`, its keys like those of the record they become; defaults are
taken from there. Nobody judges unless `on` says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hean.config_kinds import Amount, OneOf, OrOff, Text, Truth, Whole
from hean.config_rows import shown
from hean.models.changepoint import ChangepointSettings
from hean.models.garch import RETURNS_MIN, GarchSettings
from hean.models.kalman import HedgeSettings
from hean.models.regime import NAMES, RegimeSettings
from hean.risk.changepoint_breaker import ChangeLimits
from hean.risk.drawdown import LossLimits
from hean.risk.memory import MemorySettings

DAY_S = 86_400
_GARCH, _CHANGES, _BREAKER = GarchSettings(), ChangepointSettings(), ChangeLimits()
_REGIME, _MEMORY, _LOSSES = RegimeSettings(), MemorySettings(), LossLimits()
_CHANCE = Amount(Decimal(0), Decimal(1), is_fraction=True)
_SHARE = OrOff(Amount(Decimal("0.000001"), Decimal("0.99"), is_fraction=True))
_HEDGE = HedgeSettings("")
_VARIANCE = Amount(Decimal("1e-18"), Decimal(1))
_SECONDS = Amount(Decimal(1), Decimal(31 * DAY_S))


def _number(kind: Any, default: float | None, meaning: str, **rest: Any) -> Any:
    """A field with the default of a record's float."""
    return shown(kind, None if default is None else Decimal(repr(default)), meaning, **rest)


def _lost(default: float | None, meaning: str) -> Any:
    return _number(_SHARE, default, meaning, unit="fraction")


@dataclass(frozen=True, slots=True, kw_only=True)
class VolatilitySection:
    """`[volatility]`: whose forecast sizing, memory and strategies hear."""

    model: str = shown(
        OneOf("ewma", "garch"), "ewma", "Forecast: exponential average where one is needed, or "
        "GARCH(1,1).", option="--volatility",
    )  # fmt: skip
    refit_every_s: int = shown(
        Whole(60, 31 * DAY_S), _GARCH.refit_every_s, "GARCH: time between two fits.", unit="s"
    )
    window: int = shown(
        Whole(RETURNS_MIN, 20_000), _GARCH.window, "GARCH: returns a fit looks back on.",
        unit="bars",
    )  # fmt: skip
    asymmetric: bool = shown(Truth(), _GARCH.asymmetric, "GARCH: losses weigh differently.")
    innovations: str = shown(
        OneOf("normal", "student"), _GARCH.innovations, "GARCH: distribution of what is new."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangepointSection:
    """`[changepoint]`: has the market changed?"""

    on: bool = shown(
        Truth(), False, "Detector of changes, which GARCH and memory listen to.",
        option="--changepoint",
    )  # fmt: skip
    hazard_lambda: Decimal = _number(
        Amount(Decimal(2), Decimal(1_000_000)), _CHANGES.hazard_lambda,
        "Expected time between changes.", unit="bars",
    )  # fmt: skip
    window: int = shown(
        Whole(1, 400), _CHANGES.window, "A shorter run counts as changed.", unit="bars"
    )
    threshold: Decimal = _number(_CHANCE, _CHANGES.threshold, "Of a stream's alarm.")
    streams_min: int = shown(Whole(1, 4), _CHANGES.streams_min, "Streams that must agree.")
    training: int = shown(
        Whole(20, 10_000), _CHANGES.training, "Values from which a stream learns what is usual.",
        unit="bars",
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class KalmanSection:
    """`[kalman]`: the hedge ratio of a pair."""

    on: bool = shown(
        Truth(), False, "Hedge ratio of a pair, whose spread the detector watches.",
        option="--kalman",
    )  # fmt: skip
    pair: str | None = shown(
        Text("ETHUSDT/BTCUSDT"), None, "Y/X; without it the first two symbols."
    )
    q_beta: Decimal = _number(_VARIANCE, _HEDGE.q_beta, "How fast the ratio moves.")
    q_alpha: Decimal = _number(_VARIANCE, _HEDGE.q_alpha, "How fast the offset moves.")
    observation: Decimal = _number(_VARIANCE, _HEDGE.observation, "Noise of a bar's spread.")
    window: int = shown(
        Whole(20, 20_000), _HEDGE.window, "What a spread is standardised by.", unit="bars"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerSection:
    """`[breaker]`: less risk where the market has just changed."""

    on: bool = shown(
        Truth(), False, "Breaker of the detector's alarms; switches the detector on.",
        option="--breaker",
    )  # fmt: skip
    alarm: Decimal = _number(_CHANCE, _BREAKER.alarm, "Chance of a change from which it acts.")
    calm: Decimal = _number(_CHANCE, _BREAKER.calm, "Chance below which a judgement is clean.")
    settled: Decimal = _number(
        _CHANCE, _BREAKER.settled, "Chance of a settled market before trading is tried again."
    )
    half_size: Decimal = _number(
        _CHANCE, _BREAKER.half_size, "Share of a full position while it is tried."
    )
    cool_down_s: Decimal = _number(_SECONDS, _BREAKER.cool_down_s, "Rest before that.", unit="s")
    cool_down_max_s: Decimal = _number(
        _SECONDS, _BREAKER.cool_down_max_s, "Longest rest, after doubling.", unit="s"
    )
    clean_judgements: int = shown(
        Whole(1, 100_000), _BREAKER.clean_judgements, "In a row until all is as before."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RegimeSection:
    """`[regime]`: is the market calm or wild?"""

    on: bool = shown(
        Truth(), False, "Model of regimes, which the memory tells contexts by.", option="--regime"
    )
    states: int = shown(Whole(1, max(NAMES)), _REGIME.states, "How many regimes.")
    fit_bars: int = shown(
        Whole(100, 20_000), _REGIME.fit_bars, "What a fit looks back on.", unit="bars"
    )
    refit_bars: int = shown(
        Whole(1, 1_000_000), _REGIME.refit_bars, "Between two fits.", unit="bars"
    )
    starts: int = shown(Whole(1, 50), _REGIME.starts, "Beginnings of a fit; the best one counts.")
    enter: Decimal = _number(_CHANCE, _REGIME.enter, "Chance at which a regime is believed.")
    leave: Decimal = _number(_CHANCE, _REGIME.leave, "Chance at which it is given up.")
    dwell: int = shown(Whole(0, 100_000), _REGIME.dwell, "It lasts at least.", unit="bars")


@dataclass(frozen=True, slots=True, kw_only=True)
class MemorySection:
    """`[memory]`: of past decisions by their context."""

    on: bool = shown(
        Truth(), False, "Memory that refuses contexts which have lost for too long.",
        option="--memory",
    )  # fmt: skip
    sigma_calm: Decimal = _number(
        Amount(Decimal(0), Decimal(10)), _MEMORY.sigma_bounds[0],
        "Daily volatility below which a market is calm.",
    )  # fmt: skip
    sigma_wild: Decimal = _number(
        Amount(Decimal(0), Decimal(10)), _MEMORY.sigma_bounds[1],
        "Daily volatility from which it is wild.",
    )  # fmt: skip
    cost_fraction: Decimal = _number(
        _CHANCE, _MEMORY.cost_fraction, "What a decision followed on paper pays.",
        unit="fraction of value",
    )  # fmt: skip
    alarm_probability: Decimal = _number(
        _CHANCE, _MEMORY.alarm_probability, "Chance of a change that lets it forget."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LossSection:
    """`[losses]`: how losses take trading away, NORMAL, REDUCE, FLATTEN, LOCKED."""

    on: bool = shown(Truth(), False, "Loss states of the account.", option="--losses")
    daily_reduce: Decimal | None = _lost(
        _LOSSES.daily_reduce, "Lost since midnight UTC: only what reduces."
    )
    daily_flatten: Decimal | None = _lost(
        _LOSSES.daily_flatten, "Lost since midnight UTC: everything is closed."
    )
    total_reduce: Decimal | None = _lost(
        _LOSSES.total_reduce, "Below the highest equity: only what reduces."
    )
    total_flatten: Decimal | None = _lost(
        _LOSSES.total_flatten, "Below the highest equity: everything is closed."
    )
    speed_flatten: Decimal | None = _lost(
        _LOSSES.speed_flatten, "Lost within speed_s: everything is closed."
    )
    speed_s: Decimal = _number(_SECONDS, _LOSSES.speed_s, "Time for that.", unit="s")
    streak: int | None = shown(
        OrOff(Whole(1, 10_000)), _LOSSES.streak,
        "Losing trips of a symbol in a row: only what reduces until midnight UTC.", unit="trips",
    )  # fmt: skip
    stale_s: Decimal | None = _number(
        OrOff(_SECONDS), _LOSSES.stale_s, "Age of a held symbol's data: only what reduces.",
        unit="s",
    )  # fmt: skip
    recovery: Decimal = _number(
        _CHANCE, _LOSSES.recovery, "Part of a limit below which that ends by itself."
    )
