# SPDX-License-Identifier: Apache-2.0
"""`build.py`: what a twin is made of. One list of constructors turns settings into an exchange with
markets and accounts, its dialect, its address and the player that brings the market.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import msgspec

from hean.errors import EnvironmentFault, ParameterInvalid
from hean.feeds.generated import DEFAULT, KNOWN, GeneratedMarket
from hean.feeds.history import load_history
from hean.twin.account import Account, Key
from hean.twin.control import Control
from hean.twin.faults.board import Faults
from hean.twin.ledger import TwinLedger
from hean.twin.listing import is_listed, listing_for
from hean.twin.market import TwinMarket
from hean.twin.player import GeneratedScript, RecordedScript, Script, play
from hean.twin.server import TwinServer
from hean.twin.venue import TwinVenue
from hean.twin.wire import Dialect

START_NS = 1_767_225_600_000_000_000  # 2026-01-01: same seed, same prices, whatever day it is
STEP_S = 0.02  # how often time does its work: triggers, funding, liquidation
OPENING_S = 10.0  # a market that has no price by then has no data
QUOTE_CASH = Decimal(100_000)
BASE_COINS = {"BTC": Decimal(10), "ETH": Decimal(200)}
OTHER_COINS = Decimal(10_000)
MARKETS = ("linear", "spot")


class TwinSettings(msgspec.Struct, frozen=True):
    """*files*: recorded market, else it is generated from *seed*. *market*: of the files. *keys*:
    name to (key, secret); `main` and `readonly` share an account, `second` has its own.
    """

    exchange: str
    keys: dict[str, tuple[str, str]]
    host: str = "127.0.0.1"
    port: int = 0
    control_port: int | None = None
    seed: int = 7
    speed: float = 1.0
    files: tuple[Path, ...] = ()
    symbols: tuple[str, ...] = ()
    market: str = "linear"
    ledger: Path | None = None
    limits_scale: float = 1.0

    def __repr__(self) -> str:
        return f"TwinSettings({self.exchange}, keys of {', '.join(self.keys)})"


class Twin:
    """A running twin. `port` is known after `start`.

    *Raises*: `ParameterInvalid`, `DataInvalid`, `UnknownSymbol`, `EnvironmentFault` at
    construction.
    """

    def __init__(self, settings: TwinSettings) -> None:
        self.settings = settings
        self.clock_offset_ns = 0
        self.ledger = TwinLedger(settings.ledger)
        rng = random.Random(settings.seed)
        self.venue = TwinVenue(settings.exchange, now=self.now, rng=rng, ledger=self.ledger)
        self.script = self._script()
        self.keys = self._keys(settings.keys)
        self.faults = Faults(
            self.venue,
            self.keys,
            seed=settings.seed,
            now_s=time.monotonic,
            move_clock=self._move_clock,
        )
        self.dialect = self._dialect()
        self.server = TwinServer(self.dialect, self.faults, now=self.now)
        self.control = Control(self)
        self.is_played_out = False
        self._tasks: list[asyncio.Task[None]] = []

    def now(self) -> int:
        """The exchange's clock, ns UTC: the host's, unless a dial has moved it."""
        return time.time_ns() + self.clock_offset_ns

    def _move_clock(self, offset_ns: int) -> None:
        self.clock_offset_ns = offset_ns

    @property
    def port(self) -> int:
        """Where clients connect."""
        return self.server.port

    @property
    def control_port(self) -> int:
        """Where state is read and faults are set; 0 if nowhere."""
        return self.control.port

    def totals(self) -> dict[str, int]:
        """What there has been so far."""
        counts = self.ledger.counts
        sessions = self.server.sessions_opened
        return {"orders": counts["new"], "fills": counts["trade"], "sessions": sessions}

    async def start(self) -> None:
        """Listen and open the markets. *Raises*: `EnvironmentFault` if the port is taken."""
        settings = self.settings
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._play()), loop.create_task(self._step())]
        deadline = loop.time() + OPENING_S
        while not self._is_open() and loop.time() < deadline and not self.is_played_out:
            await asyncio.sleep(STEP_S)
        try:
            if settings.control_port is not None:
                await self.control.start(settings.host, settings.control_port)
            await self.server.start(settings.host, settings.port)
        except OSError as error:
            await self.stop()
            raise EnvironmentFault(
                f"port {settings.port} on {settings.host} cannot be used ({error.strerror}); "
                "choose another with --port, or 0 for any free one."
            ) from None
        except EnvironmentFault:
            await self.stop()
            raise

    async def watch(self) -> None:
        """Return never, unless something of the twin breaks: then raise what broke it."""
        ticker = self.server.ticker
        await asyncio.gather(*self._tasks, *([] if ticker is None else [ticker]))

    async def stop(self) -> None:
        """Close every connection; the ledger is complete."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.server.stop()
        await self.control.stop()
        self.ledger.close()

    def _is_open(self) -> bool:
        opened = [bool(market.last) for market in self.venue.markets.values()]
        return any(opened) if self.settings.files else all(opened)

    async def _play(self) -> None:
        await play(self.script, now=time.time_ns, speed=self.settings.speed)
        self.is_played_out = True

    async def _step(self) -> None:
        while True:
            await asyncio.sleep(STEP_S)
            self.venue.step()
            self.ledger.check()

    def _script(self) -> Script:
        settings = self.settings
        if settings.files:
            return self._recorded()
        known = {model.symbol: model for model in KNOWN}
        for symbol in settings.symbols:
            if symbol not in known:
                raise ParameterInvalid(
                    f"--symbols: got {symbol!r}; the generated market has {', '.join(known)}."
                )
        models = [known[symbol] for symbol in settings.symbols] or list(DEFAULT)
        for kind in MARKETS:
            for model in models:
                if is_listed(settings.exchange, kind, model.symbol):
                    self._list(kind, model.symbol)
        market = GeneratedMarket(seed=settings.seed, symbols=models, start_ns=START_NS)
        return GeneratedScript(self.venue, market)

    def _recorded(self) -> Script:
        settings = self.settings
        if settings.market not in MARKETS or not settings.symbols:
            raise ParameterInvalid("recorded data needs its symbols, and market spot or linear.")
        kind: Literal["spot", "linear"] = "spot" if settings.market == "spot" else "linear"
        history = load_history(settings.files, settings.symbols, market=kind)
        for symbol, recorded in history.markets.items():
            rules = recorded.rules
            self._list(settings.market, symbol, tick=rules.tick, lot=rules.lot)
        return RecordedScript(self.venue, settings.market, history)

    def _list(
        self, kind: str, symbol: str, *, tick: str | None = None, lot: str | None = None
    ) -> None:
        listing = listing_for(self.settings.exchange, kind, symbol, tick=tick, lot=lot)
        seed = self.settings.seed + 1_000 * len(self.venue.markets)
        self.venue.markets[kind, symbol] = TwinMarket(listing, seed=seed)

    def _keys(self, given: Mapping[str, tuple[str, str]]) -> dict[str, Key]:
        keys: dict[str, Key] = {}
        main = self._account("main")
        for name, (key, secret) in given.items():
            account = self._account(name) if name == "second" else main
            permissions = (
                frozenset({"read"}) if name == "readonly" else frozenset({"read", "trade"})
            )
            keys[key] = Key(key, secret, account, permissions)
        return keys

    def _account(self, name: str) -> Account:
        coins = {"USDT": QUOTE_CASH}
        for market in self.venue.markets.values():
            coin = market.listing.base
            coins[coin] = BASE_COINS.get(coin, OTHER_COINS)
        names = ("unified",) if self.settings.exchange == "bybit" else MARKETS
        wallets: dict[str, dict[str, Any]] = {each: dict(coins) for each in names}
        if "linear" in wallets:
            wallets["linear"] = {"USDT": QUOTE_CASH}
        account = Account(len(self.venue.accounts) + 1, name, wallets)
        self.venue.accounts.append(account)
        return account

    def _dialect(self) -> Dialect:
        scale = self.settings.limits_scale
        if self.settings.exchange == "bybit":
            from hean.twin.bybit import BybitDialect

            return BybitDialect(self.venue, self.keys, quirks=self.venue.quirks, limits_scale=scale)
        from hean.twin.binance import BinanceDialect

        return BinanceDialect(self.venue, self.keys, quirks=self.venue.quirks, limits_scale=scale)
