# SPDX-License-Identifier: Apache-2.0
"""`impulse.py`: the Impulse Engine. It follows a move that is large for the present volatility and
carried by unusual volume, in its direction, and protects the position at once: a stop and a
take-profit in units of the average true range rest at the venue. It leaves after a fixed number
of bars if neither was met, and waits after a stop. Rules: quant/methods 9.3.
"""

from __future__ import annotations

import math
from collections import deque
from typing import ClassVar

from hean.core.module import on
from hean.core.parameters import Parameter
from hean.core.types import Candle, Event, EventType, Liquidity, Side
from hean.indicators import ATR, RollingMean, RollingStd, ZScore
from hean.strategies.base import Strategy


class _State:
    """What is remembered of one symbol."""

    __slots__ = ("atr", "closes", "entered", "long_sigma", "pause", "sigma", "volume_z")

    def __init__(self, horizon: int, window: int, atr: int) -> None:
        self.closes: deque[float] = deque(maxlen=horizon + 1)
        self.sigma = RollingStd(window)
        self.long_sigma = RollingMean(4 * window)
        self.volume_z = ZScore(window)
        self.atr = ATR(atr)
        self.entered = 0
        self.pause = 0


class ImpulseEngine(Strategy):
    """Momentum with a volatility filter."""

    name = "impulse"
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter("horizon", 12, "bars over which the move is measured", "bars", 1, 1_000),
        Parameter("window", 288, "bars of the volatility and volume windows", "bars", 20, 10_000),
        Parameter("threshold", 3.0, "size of a move that counts", "standard deviations", 0.5, 20),
        Parameter("volume_z", 2.0, "unusual volume that must go with it", "deviations", -5, 20),
        Parameter("calm_min", 0.5, "least present over long volatility", "ratio", 0, 10),
        Parameter("calm_max", 2.5, "largest present over long volatility", "ratio", 0.1, 100),
        Parameter("atr", 48, "bars of the average true range", "bars", 2, 5_000),
        Parameter("stop", 4.0, "distance of the stop", "average true ranges", 0.1, 100),
        Parameter("target", 8.0, "distance of the take-profit", "average true ranges", 0.1, 200),
        Parameter("hold", 96, "longest time in a position", "bars", 1, 100_000),
        Parameter("pause", 3, "bars without entry after a stop", "bars", 0, 10_000),
    )

    def __init__(self, symbols: tuple[str, ...], given: dict[str, object] | None = None) -> None:
        super().__init__(symbols, given)
        p = self.p
        self._states = {symbol: _State(p.horizon, p.window, p.atr) for symbol in symbols}

    @on(EventType.CANDLE)
    def on_candle(self, event: Event) -> None:
        """Measure every bar; enter, or leave when time is up."""
        candle: Candle = event.data
        state = self._states.get(candle.symbol)
        if state is None:
            return
        move = self._measure(state, candle)
        if self.position[candle.symbol]:
            state.entered += 1
            if state.entered >= self.p.hold:  # again at each bar, should it be refused
                self.leave(candle.symbol, as_of_seq=event.seq)
        elif state.pause:
            state.pause -= 1
        elif abs(move) > self.p.threshold:
            self._enter(candle, state, side=Side.BUY if move > 0 else Side.SELL, seq=event.seq)

    def _measure(self, state: _State, candle: Candle) -> float:
        """The move over the horizon in standard deviations; 0 while filters say no."""
        closes = state.closes
        close = candle.close
        step = math.log(close / closes[-1]) if closes else 0.0
        closes.append(close)
        sigma = state.sigma.update(step)
        state.atr.update(candle.high, candle.low, close)
        volume_z = state.volume_z.update(candle.volume)
        if not sigma > 0:
            return 0.0
        calm = sigma / state.long_sigma.update(sigma)
        if not (volume_z > self.p.volume_z and self.p.calm_min < calm < self.p.calm_max):
            return 0.0
        return math.log(close / closes[0]) / (sigma * math.sqrt(self.p.horizon))

    def _enter(self, candle: Candle, state: _State, *, side: Side, seq: int) -> None:
        distance = state.atr.value
        if not distance > 0:
            return
        sign = 1 if side is Side.BUY else -1
        self.enter(
            candle.symbol,
            side,
            stop_loss=candle.close - sign * self.p.stop * distance,
            take_profit=candle.close + sign * self.p.target * distance,
            as_of_seq=seq,
        )
        state.entered = 0

    def on_fill(self, event: Event) -> None:
        """A stop is a taker's exit at a loss: wait a little."""
        fill = event.data
        if not self.position[fill.symbol] and fill.liquidity is Liquidity.TAKER:
            self._states[fill.symbol].pause = self.p.pause
