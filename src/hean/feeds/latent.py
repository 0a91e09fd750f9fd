# SPDX-License-Identifier: Apache-2.0
"""`latent.py`: what nobody sees of the generated market: its weather and its efficient prices.

Time goes in minutes of 600 steps. `MarketPath` makes what all symbols share: a volatility regime
(calm, normal, storm), a slow mood, short heat, the hour of the day, jumps with aftershocks, a
trend. `SymbolPath` adds what is a symbol's own and turns both into prices. Scales are in units of
the symbol's own volatility, so one table of constants serves every symbol. Each minute draws from
its own counter-based stream, therefore no symbol's numbers depend on who else was asked for. No
quote or trade is made here; see `generated.py`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SECONDS = 60
STEPS_PER_SECOND = 10
STEPS = SECONDS * STEPS_PER_SECOND
MINUTE_NS = SECONDS * 1_000_000_000
FUNDING_NS = 8 * 60 * MINUTE_NS
FUNDING_RATE_MAX = 0.0075  # what venues cap a settlement at

# Fitted by eye and by moments to one-minute bars of Binance perpetuals of May and June 2025.
LEVEL = (0.62, 1.0, 1.9)  # volatility of calm, normal, storm
LEAVE = (1 / 180, 1 / 120, 1 / 30)  # probability per minute to leave a regime
CALM_AFTER_NORMAL = 0.65  # else storm
CALM_AFTER_STORM = 0.15  # else normal
MOOD_MINUTES, MOOD_SD = 45.0, 0.3  # log volatility that drifts inside a regime
CLIMATE_MINUTES, CLIMATE_SD = 1440.0, 0.3  # the same over days: the long memory of |return|
HEAT_SECONDS, HEAT_SD = 8.0, 0.7  # bursts: what makes one minute busier than the next
STIR = 0.15  # share of steps with news; prices rest between them, as real ones do
SEASON, SEASON_PEAK_HOUR = 0.22, 15.0  # Europe's afternoon and America's morning overlap
JUMPS_PER_MINUTE = 3 / 1440
JUMP_MIN, JUMP_MEAN_EXCESS = 3.0, 3.0  # in one-minute sigmas of normal times
AFTERSHOCK, AFTERSHOCK_MINUTES = 0.7, 20.0
TREND_MINUTES, TREND_SD = 240.0, 0.02  # sigmas a minute: seen over hours, lost in a minute
HOME_MINUTES = 60.0 * 1440.0  # pull to the opening price; keeps an endless demo near its tick
PREMIUM_MINUTES, PREMIUM_MEAN, PREMIUM_SD = 22.0 * 60, 0.5e-4, 0.6e-4
PREMIUM_TREND = 0.3e-4  # a market that has been rising pays more to be long
PRESSURE_MINUTES, PRESSURE_SD = 3.0, 0.45  # who is keener: log-odds-like bias of the aggressors

PATH, EVENTS = 0, 1  # purposes of a stream


class Regime(IntEnum):
    """Volatility regimes, in rising order."""

    CALM = 0
    NORMAL = 1
    STORM = 2


def stream(seed: int, name: str, minute: int, *, purpose: int) -> np.random.Generator:
    """Random numbers for one name, minute and purpose, independent of all others."""
    label = int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "little")
    key = seed | label << 64
    counter = purpose << 128 | minute << 192  # the low 128 bits count the numbers drawn
    return np.random.Generator(np.random.Philox(key=key, counter=counter))


@dataclass(slots=True)
class Drifting:
    """An Ornstein-Uhlenbeck value with mean zero; *memory* in steps."""

    memory: float
    deviation: float
    value: float = 0.0

    def step(self, shock: float) -> float:
        """One step on; *shock* is standard normal."""
        keep = math.exp(-1.0 / self.memory)
        fresh = self.deviation * math.sqrt(1.0 - keep * keep)
        self.value = keep * self.value + fresh * shock
        return self.value


@dataclass(slots=True)
class Heat:
    """Volatility multipliers by the second, mean square one, memory of some seconds."""

    log: Drifting

    def minute(self, shocks: Floats) -> Floats:
        """Multipliers of one minute."""
        mean = HEAT_SD * HEAT_SD
        return np.array([math.exp(self.log.step(shock) - mean) for shock in shocks.tolist()])


def new_heat() -> Heat:
    """Heat at its average."""
    return Heat(Drifting(HEAT_SECONDS, HEAT_SD))


class Jump(NamedTuple):
    """A price jump: the step it happens at and its size in one-minute sigmas; size 0 is none."""

    step: int
    size: float


def draw_jump(draw: np.random.Generator) -> Jump:
    """Usually none. Draws the same count of numbers either way."""
    chance, excess, sign = draw.random(), draw.standard_exponential(), draw.random()
    step = int(draw.integers(STEPS))
    if chance >= JUMPS_PER_MINUTE:
        return Jump(step, 0.0)
    size = JUMP_MIN + JUMP_MEAN_EXCESS * excess
    return Jump(step, size if sign < 0.5 else -size)


class MarketMinute(NamedTuple):
    """What all symbols share in a minute. *moves*: the common factor, 600 steps, in one-minute
    sigmas. *heat*: 60 multipliers. *volatility*: level of the minute, 1 in normal times."""

    moves: Floats
    heat: Floats
    volatility: float
    regime: Regime
    trend: float


class MarketPath:
    """The common part, minute after minute. Opens in the normal regime."""

    __slots__ = ("_climate", "_heat", "_mood", "_seed", "_shock", "_start_ns", "_trend", "regime")

    def __init__(self, seed: int, start_ns: int) -> None:
        self.regime = Regime.NORMAL
        self._seed = seed
        self._start_ns = start_ns
        self._mood = Drifting(MOOD_MINUTES, MOOD_SD)
        self._climate = Drifting(CLIMATE_MINUTES, CLIMATE_SD)
        self._trend = Drifting(TREND_MINUTES, TREND_SD)
        self._heat = new_heat()
        self._shock = 0.0

    def minute(self, index: int) -> MarketMinute:
        """The minute *index*; call with 0, 1, 2 and so on."""
        draw = stream(self._seed, "", index, purpose=PATH)
        self._change_regime(draw.random(), draw.random())
        climate, mood, trend = draw.standard_normal(3).tolist()
        self._shock *= math.exp(-1.0 / AFTERSHOCK_MINUTES)
        log_level = self._climate.step(climate) + self._mood.step(mood) + self._shock
        hour = (self._start_ns + index * MINUTE_NS) / (60 * MINUTE_NS) % 24
        season = 1.0 + SEASON * math.cos(2 * math.pi * (hour - SEASON_PEAK_HOUR) / 24)
        volatility = (
            LEVEL[self.regime] * season * math.exp(log_level - (CLIMATE_SD**2 + MOOD_SD**2) / 2)
        )
        heat = self._heat.minute(draw.standard_normal(SECONDS))
        moves = noise(draw, volatility * heat)
        moves += self._trend.step(trend) / STEPS
        jump = draw_jump(draw)
        if jump.size:
            moves[jump.step] += jump.size
            self._shock += AFTERSHOCK
        return MarketMinute(moves, heat, volatility, self.regime, self._trend.value)

    def _change_regime(self, leave: float, choice: float) -> None:
        if leave >= LEAVE[self.regime]:
            return
        match self.regime:
            case Regime.NORMAL:
                self.regime = Regime.CALM if choice < CALM_AFTER_NORMAL else Regime.STORM
            case Regime.STORM:
                self.regime = Regime.CALM if choice < CALM_AFTER_STORM else Regime.NORMAL
            case Regime.CALM:
                self.regime = Regime.NORMAL


def noise(draw: np.random.Generator, volatility: Floats) -> Floats:
    """600 independent steps, most of them none; *volatility* by the second, sigmas a minute."""
    steps = draw.standard_normal((SECONDS, STEPS_PER_SECOND))
    steps *= draw.random((SECONDS, STEPS_PER_SECOND)) < STIR
    steps *= (volatility / math.sqrt(STEPS * STIR))[:, None]
    return steps.reshape(STEPS)


class SymbolMinute(NamedTuple):
    """A symbol's hidden minute. *prices*: efficient price after each of 600 steps. *volatility*:
    60 values, 1 in normal times. *surprise*: 60 returns in their own sigmas. *pressure*: bias of
    the aggressors. *premium*: perpetual over index. *funding*: offset in ns and rate, or none."""

    prices: Floats
    volatility: Floats
    surprise: Floats
    pressure: float
    premium: float
    regime: Regime
    funding: tuple[int, float] | None


class SymbolPath:
    """One symbol's efficient price. A martingale but for the trend and a weak pull home."""

    __slots__ = (
        "_heat",
        "_home",
        "_name",
        "_paid",
        "_premium",
        "_pressure",
        "_price",
        "_seed",
        "_sigma",
        "_start_ns",
        "_weight",
    )

    def __init__(
        self,
        seed: int,
        start_ns: int,
        *,
        name: str,
        price: float,
        sigma: float,
        market_weight: float,
    ) -> None:
        self._seed, self._start_ns, self._name = seed, start_ns, name
        self._home = self._price = price
        self._sigma, self._weight = sigma, market_weight
        self._heat = new_heat()
        self._pressure = Drifting(PRESSURE_MINUTES, PRESSURE_SD)
        self._premium = Drifting(PREMIUM_MINUTES, PREMIUM_SD)
        self._paid = (0.0, 0)  # sum and count of the premiums since the last settlement

    def minute(self, index: int, market: MarketMinute) -> SymbolMinute:
        """The minute *index*; call with 0, 1, 2 and so on."""
        draw = stream(self._seed, self._name, index, purpose=PATH)
        premium_shock, pressure_shock = draw.standard_normal(2).tolist()
        heat = self._heat.minute(draw.standard_normal(SECONDS))
        common, own = self._weight, math.sqrt(1.0 - self._weight**2)
        moves: Floats = common * market.moves + own * noise(draw, market.volatility * heat)
        jump = draw_jump(draw)
        moves[jump.step] += own * jump.size
        moves *= self._sigma
        moves -= math.log(self._price / self._home) / (HOME_MINUTES * STEPS)
        prices: Floats = self._price * np.cumprod(1.0 + moves, dtype=np.float64)
        volatility: Floats = market.volatility * np.hypot(common * market.heat, own * heat)
        edges = np.concatenate(([self._price], prices[STEPS_PER_SECOND - 1 :: STEPS_PER_SECOND]))
        returns: Floats = edges[1:] / edges[:-1] - 1.0
        surprise = returns * math.sqrt(SECONDS) / (self._sigma * volatility)
        self._price = float(prices[-1])
        pull = PREMIUM_MEAN + PREMIUM_TREND * market.trend / TREND_SD
        premium = pull + self._premium.step(premium_shock)
        pressure = self._pressure.step(pressure_shock)
        funding = self._settle(index, premium)
        return SymbolMinute(prices, volatility, surprise, pressure, premium, market.regime, funding)

    def _settle(self, index: int, premium: float) -> tuple[int, float] | None:
        """Every eight hours UTC the mean premium since the last settlement becomes the rate."""
        total, count = self._paid
        total, count = total + premium, count + 1
        since = -(self._start_ns + index * MINUTE_NS) % FUNDING_NS
        if since >= MINUTE_NS:
            self._paid = (total, count)
            return None
        self._paid = (0.0, 0)
        rate = min(max(total / count, -FUNDING_RATE_MAX), FUNDING_RATE_MAX)
        return since, round(rate, 8)
