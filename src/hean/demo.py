# SPDX-License-Identifier: Apache-2.0
"""`demo.py`: a first look without key, account or server beside it: a venue twin with a generated
market, and a paper session on it, in one process. Strategy, risk path and ledger are those of
everything else; only the market is made up, and goes faster than a real one.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

import msgspec

from hean.backtest.assumptions import Assumptions, LatencyModel
from hean.backtest.result import RunRecord
from hean.backtest.run import BacktestSettings
from hean.core.parameters import Value
from hean.core.types import Payload
from hean.paper import Paper
from hean.risk.hand import Hand
from hean.system import TradingSystem
from hean.twin.build import Twin, TwinSettings
from hean.venues.endpoints import Place, endpoints_for

SYMBOLS = ("BTCUSDT", "ETHUSDT")
LATENCY = LatencyModel("normal", (40_000_000.0, 10_000_000.0))
BAR = "250ms"

# A newcomer should see trades within seconds: short windows, small thresholds.
PARAMETERS: dict[str, Value] = {
    "horizon": 4,
    "window": 20,
    "threshold": 0.8,
    "volume_z": -1.0,
    "calm_min": 0.2,
    "calm_max": 10.0,
    "atr": 12,
    "stop": 4.0,
    "target": 6.0,
    "hold": 60,
}


class DemoSettings(msgspec.Struct, frozen=True):
    """*speed*: market seconds per second; *seed*: of the market."""

    speed: float = 30.0
    seed: int = 7


class DemoEngine:
    """The twin, and the session on it; see `hean.engine.facade.Engine`. *now*: UTC nanoseconds that
    never go back; *rng*: of the twin's keys and of waiting times.
    """

    mode = "PAPER"

    def __init__(
        self, settings: DemoSettings, *, now: Callable[[], int], rng: random.Random
    ) -> None:
        self.settings = settings
        self.on_ready: list[Callable[[Any], None]] = []
        """Told once there is a session, before its first fact is played."""
        self.show: Callable[[Paper], None] | None = None
        """Called a few times a second, for a live table."""
        self.paper: Paper
        self._now = now
        self._rng = rng

    @property
    def origin(self) -> str:
        """What the market is."""
        return f"a generated market, seed {self.settings.seed}, {self.settings.speed:g}x real time"

    @property
    def system(self) -> TradingSystem:
        """The modules of the session."""
        return self.paper.system

    @property
    def hand(self) -> Hand:
        """What a person can do to it."""
        return self.paper.hand

    def watch_market(self, see: Callable[[int, tuple[Payload, ...]], None]) -> None:
        """As of `Paper`."""
        self.paper.watch_market(see)

    def say(self, facts: tuple[Payload, ...]) -> None:
        """As of `Paper`."""
        self.paper.say(facts)

    async def run(self, stop: asyncio.Event) -> tuple[dict[str, Any], RunRecord]:
        """Trade until *stop*. *Raises*: `EnvironmentFault` where no port is free, and whatever a
        handler raises.
        """
        keys = {"main": (self._rng.randbytes(9).hex(), self._rng.randbytes(18).hex())}
        settings = self.settings
        twin = Twin(TwinSettings("bybit", keys, seed=settings.seed, speed=settings.speed))
        await twin.start()
        try:
            self.paper = self._session(twin.port)
            return await self.paper.run(stop)
        finally:
            await twin.stop()

    def _session(self, port: int) -> Paper:
        address = f"127.0.0.1:{port}"
        given = {"BYBIT_REST_URL": f"http://{address}", "BYBIT_WS_PUBLIC_URL": f"ws://{address}"}
        given |= {
            name: f"ws://{address}" for name in ("BYBIT_WS_PRIVATE_URL", "BYBIT_WS_TRADE_URL")
        }
        ends = endpoints_for("bybit", "linear", testnet=True, environment=given)
        assumed = Assumptions(entry=LATENCY, response=LATENCY)
        run = BacktestSettings(
            "impulse", SYMBOLS, PARAMETERS, assumptions=assumed, seed=self.settings.seed, bar=BAR
        )
        paper = Paper(
            [Place(ends, {symbol: symbol for symbol in SYMBOLS})],
            run,
            now=self._now,
            rng=self._rng,
            show=self.show,
        )
        paper.on_ready.append(self._tell_ready)
        return paper

    def _tell_ready(self, _paper: Paper) -> None:
        for told in self.on_ready:
            told(self)
