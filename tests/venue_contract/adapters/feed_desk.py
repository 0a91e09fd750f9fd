# SPDX-License-Identifier: Apache-2.0
"""HEAN's public feed at a twin. It keeps every fact, rebuilds each book from the facts alone, and
holds it against the parser's own after every frame: what a strategy is shown can never be crossed,
negative, or another book than the one behind it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Self

from hean.core.types import Book, Health, Payload, Tick
from hean.feeds.binance import BinanceFeed
from hean.feeds.bybit import BybitFeed
from hean.feeds.listing import load_instruments
from hean.feeds.live import LiveFeed
from hean.feeds.rest_binance import BinanceRest
from hean.feeds.rest_bybit import BybitRest
from hean.net.http import HttpClient
from hean.net.socket import ConnectGovernor
from hean.venues.endpoints import endpoints_for
from venue_contract.twin_process import Hasty, TwinProcess

SYMBOLS = ("BTCUSDT", "ETHUSDT")
WAIT_S = 120.0
POLL_S = 0.01
PATIENT = {"stale_s": dict.fromkeys(("book", "ticker", "mark"), 1e6), "silence_s": 1e6}
"""Silence means nothing: a shared machine stalls, and what is looked at is something else."""


def twin_environment(twin: TwinProcess) -> dict[str, str]:
    """The variables that send HEAN to a twin instead of its exchange."""
    ws, rest = twin.ws_base, twin.rest_url
    if twin.exchange == "bybit":
        return {"BYBIT_REST_URL": rest, "BYBIT_WS_PUBLIC_URL": ws}
    return {
        "BINANCE_REST_URL": rest,
        "BINANCE_WS_URL": ws,
        "BINANCE_FUTURES_REST_URL": rest,
        "BINANCE_FUTURES_WS_URL": ws,
    }


class FeedDesk:
    """A feed, ready on entry unless *starts* is false. *settings*: of `LiveFeed`."""

    def __init__(
        self, twin: TwinProcess, market: str, *, starts: bool = True, **settings: Any
    ) -> None:
        self.twin = twin
        self.market = market
        self.facts: list[Payload] = []
        self.wrong: list[str] = []
        self.feed: LiveFeed
        self._starts = starts
        self._settings = settings
        self._books: dict[str, tuple[dict[float, float], dict[float, float]]] = {}

    async def __aenter__(self) -> Self:
        environment = twin_environment(self.twin)
        kind: Any = self.market
        place = endpoints_for(self.twin.exchange, kind, testnet=True, environment=environment)
        self.client = HttpClient(place.rest, now=time.time_ns)
        await self.client.start()
        rng = Hasty(1)
        make = BybitRest if place.venue == "bybit" else BinanceRest
        rest = make(self.client, place.market, now=time.time_ns, rng=rng)
        self.instruments = await load_instruments(rest, SYMBOLS)
        settings: dict[str, Any] = {
            "take": self._take,
            "now": time.time_ns,
            "rng": rng,
            "governor": ConnectGovernor(100, 60.0),
            **self._settings,
        }
        if isinstance(rest, BybitRest):
            self.feed = BybitFeed(place.public, place.market, self.instruments, **settings)
        else:
            self.feed = BinanceFeed(
                place.public, place.market, self.instruments, rest=rest, **settings
            )
        if self._starts:
            await self.feed.start()
            await self.until(self.is_fresh)
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.twin.control.post, "calm")
        await self.feed.stop()
        await self.client.stop()

    async def fault(self, dial: str, **more: Any) -> None:
        """Set a dial of the twin."""
        await asyncio.to_thread(self.twin.control.fault, dial, **more)

    async def calm(self) -> None:
        """Take all dials back."""
        await asyncio.to_thread(self.twin.control.post, "calm")

    async def until(self, condition: Callable[[], Any]) -> None:
        """Wait for a condition."""
        async with asyncio.timeout(WAIT_S):
            while not condition():
                await asyncio.sleep(POLL_S)

    def harm(self) -> int:
        """Frames and lines lost so far."""
        return self.feed.bad + self.feed.unknown + self.feed.reconnects

    def states(self) -> dict[str, str]:
        """The last word on each component that belongs to a symbol."""
        return {h.component: h.state for h in self.of(Health) if (h.extra or {}).get("symbol")}

    def is_fresh(self) -> bool:
        """Whether all data is."""
        states = self.states()
        return bool(states) and set(states.values()) == {"FRESH"}

    def of(self, kind: type[Any], since: int = 0) -> list[Any]:
        """Facts of one kind, in order, from a place on."""
        return [fact for fact in self.facts[since:] if isinstance(fact, kind)]

    def downs(self, since: int = 0) -> list[Any]:
        """Reports of lost lines."""
        return [health for health in self.of(Health, since) if health.state == "DOWN"]

    def words(self, since: int = 0) -> list[tuple[str, str]]:
        """Health since then, as (last two parts of the component, state)."""
        return [(".".join(h.component.split(".")[3:]), h.state) for h in self.of(Health, since)]

    def _take(self, facts: tuple[Payload, ...]) -> None:
        self.facts.extend(facts)
        for fact in facts:
            if isinstance(fact, Tick) and not fact.price > 0:
                self.wrong.append(f"a price of {fact.price}")
            if isinstance(fact, Book):
                self._follow(fact)
        if isinstance(facts[-1], Book):
            self._compare(facts[-1].symbol)

    def _follow(self, book: Book) -> None:
        if book.is_snapshot:
            self._books[book.symbol] = ({}, {})
        elif book.symbol not in self._books:
            self.wrong.append(f"{book.symbol}: a change without a book")
            return
        for side, levels in zip(self._books[book.symbol], (book.bids, book.asks), strict=True):
            for price, quantity in levels:
                if quantity < 0 or not price > 0:
                    self.wrong.append(f"{book.symbol}: level {price} {quantity}")
                if quantity:
                    side[price] = quantity
                else:
                    side.pop(price, None)

    def _compare(self, symbol: str) -> None:
        bids, asks = self._books[symbol]
        if bids and asks and max(bids) >= min(asks):
            self.wrong.append(f"{symbol}: crossed at {max(bids)} {min(asks)}")
        rules, shown = self.instruments[symbol], self.feed.wire.book(symbol).depth(5)
        for side, levels, is_best_first in zip((bids, asks), shown, (True, False), strict=True):
            best = sorted(side, reverse=is_best_first)[:5]
            mine = [(round(price / rules.tick_size)) for price in best]
            if mine != [price for price, _ in levels]:
                self.wrong.append(f"{symbol}: {mine} told, {levels} behind it")
