# SPDX-License-Identifier: Apache-2.0
"""`demo.py`: a first look without key, account or server beside it: a venue twin with a generated
market, and a paper session on it, in one process. Strategy, risk path and ledger are those of
everything else; only the market is made up, and goes faster than a real one.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from hean.backtest.assumptions import Assumptions, LatencyModel
from hean.backtest.result import RunRecord
from hean.backtest.run import BacktestSettings
from hean.backtest.sharing import Seat, Sharing
from hean.core.types import Payload
from hean.data.instruments import Fees
from hean.paper import Paper
from hean.risk.hand import Hand
from hean.system import TradingSystem
from hean.twin.build import Twin, TwinSettings
from hean.venues.endpoints import Market, Place, endpoints_for

LATENCY = LatencyModel("normal", (40_000_000.0, 10_000_000.0))
BAR = "250ms"

# A newcomer should see trades within seconds: short windows, small thresholds, costs left out of
# account. None of it is meant to earn, and in a made-up market there is nothing to be earned.
SEATS = (
    Seat(
        "impulse",
        "impulse",
        ("BTCUSDT@perp",),
        {
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
        },
    ),
    Seat(
        "basis",
        "basis",
        ("ETHUSDT@spot", "ETHUSDT@perp"),
        {"notional": 1_500.0, "window": 30, "entry": 1.5, "cost": 0.0, "hold": 80},
    ),
    Seat(
        "pairs",
        "pairs",
        ("BNBUSDT@perp", "XRPUSDT@perp"),
        {
            "notional": 1_500.0,
            "window": 100,
            "refit": 50,
            "significance": 1.0,
            "theta": 1.0,
            "cost": 0.0,
            "hold": 60,
        },
    ),
    Seat(
        "funding",
        "funding",
        ("SOLUSDT@spot", "SOLUSDT@perp"),
        {"notional": 1_500.0, "memory": 30, "horizon": 3, "cost": 0.0, "certainty": 0.0},
    ),
)
SYMBOLS = tuple(symbol for seat in SEATS for symbol in seat.symbols)
COINS = tuple(dict.fromkeys(symbol.partition("@")[0] for symbol in SYMBOLS))
KINDS: dict[str, Market] = {"perp": "linear", "spot": "spot"}


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

    def fees(self, symbol: str) -> Fees:
        """As of `Paper`."""
        return self.paper.fees(symbol)

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
        twin = Twin(
            TwinSettings("bybit", keys, seed=settings.seed, speed=settings.speed, symbols=COINS)
        )
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
        places = [_place(kind, given) for kind in KINDS]
        run = BacktestSettings(
            SEATS[0].strategy,
            SYMBOLS,
            SEATS[0].given,
            assumptions=Assumptions(entry=LATENCY, response=LATENCY),
            seed=self.settings.seed,
            bar=BAR,
            sharing=Sharing(SEATS),
        )
        paper = Paper(places, run, now=self._now, rng=self._rng, show=self.show)
        paper.on_ready.append(self._tell_ready)
        return paper

    def _tell_ready(self, _paper: Paper) -> None:
        for told in self.on_ready:
            told(self)


def _place(kind: str, addresses: Mapping[str, str]) -> Place:
    """One of the twin's markets, with the symbols that name it."""
    ends = endpoints_for("bybit", KINDS[kind], testnet=True, environment=addresses)
    named = [symbol.partition("@") for symbol in SYMBOLS]
    return Place(ends, {pair: f"{pair}@{where}" for pair, _, where in named if where == kind})
