# SPDX-License-Identifier: Apache-2.0
"""`places.py`: the live feeds of one session, one for each market of each venue that its symbols
name. A feed knows its market's own symbols; what it tells is given the session's names here, before
anybody hears it. Nothing is merged or put in order: facts are taken as they arrive.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

from msgspec.structs import replace

from hean.core.types import Health, Payload
from hean.feeds.arriving import Terms, terms_of
from hean.feeds.binance import BinanceFeed
from hean.feeds.bybit import BybitFeed
from hean.feeds.listing import Listed, load_listing
from hean.feeds.live import LiveFeed, Take
from hean.feeds.market_data import MarketDataFeed, names_at
from hean.feeds.rest import Market
from hean.feeds.rest_binance import BinanceRest
from hean.feeds.rest_bybit import BybitRest
from hean.net.http import HttpClient, HttpTransport
from hean.net.socket import ConnectGovernor, Dial, picows_dial
from hean.venues.endpoints import Place

LISTING_TIMEOUT_S = 20.0  # a list of all instruments is megabytes


class Feeds:
    """All feeds of a session: `load` what they trade, then `start`.

    *now*: UTC nanoseconds that never go back. *rng*: of waiting times. *depth*: levels of Bybit's
    books. *market_data*: the service that is heard instead of the venues; rules are the venues' all
    the same. *transport*, *dial*: how requests travel and sockets are opened.
    """

    def __init__(
        self,
        places: Sequence[Place],
        *,
        now: Callable[[], int],
        rng: random.Random,
        depth: int,
        market_data: str | None = None,
        transport: Callable[[float], HttpTransport] | None = None,
        dial: Dial = picows_dial,
    ) -> None:
        self.places = places
        self.feeds: list[LiveFeed | MarketDataFeed] = []
        self._now = now
        self._rng = rng
        self._depth = depth
        self._market_data = market_data
        self._transport = transport
        self._dial = dial
        self._rests: list[BybitRest | BinanceRest] = []
        self._listed: list[dict[str, Listed]] = []

    async def load(self, stack: AsyncExitStack) -> list[Terms]:
        """The trading rules of all symbols, by the session's names. Connections close with *stack*.

        *Raises*: `EnvironmentFault`, `VenueError`, `UnknownSymbol`.
        """
        terms: list[Terms] = []
        for place in self.places:
            client = HttpClient(
                place.endpoints.rest,
                now=self._now,
                timeout_s=LISTING_TIMEOUT_S,
                transport=self._transport,
            )
            await stack.enter_async_context(client)
            make = BybitRest if place.endpoints.venue == "bybit" else BinanceRest
            rest = make(client, place.endpoints.only, now=self._now, rng=self._rng)
            listed = await load_listing(rest, tuple(place.names))
            self._rests.append(rest)
            self._listed.append(listed)
            terms += [
                replace(terms_of(row), symbol=place.names[row.symbol]) for row in listed.values()
            ]
        return terms

    async def start(self, stack: AsyncExitStack, take: Take) -> None:
        """Connect all feeds, which tell *take*; they stop with *stack*. *Raises*: as `LiveFeed`."""
        governor = ConnectGovernor()
        for place, rest, listed in zip(self.places, self._rests, self._listed, strict=True):
            settings: dict[str, Any] = {
                "take": named(take, place.names),
                "now": self._now,
                "rng": self._rng,
                "governor": governor,
                "dial": self._dial,
            }
            url, market = place.endpoints.public, place.endpoints.only
            rules = {symbol: row.instrument for symbol, row in listed.items()}
            feed: LiveFeed | MarketDataFeed
            if self._market_data is not None:
                feed = await self._of_service(self._market_data, place, market, settings)
            elif isinstance(rest, BybitRest):
                feed = BybitFeed(url, market, rules, depth=self._depth, **settings)
            else:
                feed = BinanceFeed(url, market, rules, rest=rest, **settings)
            self.feeds.append(feed)
            stack.push_async_callback(feed.stop)
        await asyncio.gather(*(feed.start() for feed in self.feeds))

    async def _of_service(
        self, url: str, place: Place, market: Market, settings: Mapping[str, Any]
    ) -> MarketDataFeed:
        names = await names_at(
            url,
            place.endpoints.venue,
            market,
            place.names,
            now=self._now,
            transport=self._transport,
        )
        return MarketDataFeed(url, names, **settings)

    def counters(self) -> dict[str, int]:
        """What all feeds counted so far, by name."""
        total: dict[str, int] = {}
        for feed in self.feeds:
            for name, count in feed.counters().items():
                total[name] = total.get(name, 0) + count
        return total


def named(take: Take, names: Mapping[str, str]) -> Take:
    """*take*, told facts by the session's names."""
    if all(symbol == name for symbol, name in names.items()):
        return take

    def take_named(facts: tuple[Payload, ...]) -> None:
        take(tuple(_renamed(fact, names) for fact in facts))

    return take_named


def _renamed(fact: Payload, names: Mapping[str, str]) -> Payload:
    if isinstance(fact, Health):
        symbol = (fact.extra or {}).get("symbol")
        name = names.get(symbol) if symbol is not None else None
        return replace(fact, extra={**(fact.extra or {}), "symbol": name}) if name else fact
    name = names.get(getattr(fact, "symbol", ""))
    return replace(fact, symbol=name) if name else fact
