# SPDX-License-Identifier: Apache-2.0
"""`streams.py`: the public side of the venue that a trading process is at: what is listed and what
happens there, in each market that is traded, by our names. It only puts parts together; nothing is
asked or opened here by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from hean.core.bus import EventBus
from hean.core.types import Payload
from hean.data.schema import Kind
from hean.feeds.arriving import terms_of
from hean.feeds.binance import BinanceFeed
from hean.feeds.bybit import BybitFeed
from hean.feeds.listing import Listed, load_listing
from hean.feeds.live import LiveFeed, to_bus
from hean.feeds.places import named
from hean.feeds.rest import HistoryQuery
from hean.feeds.rest_binance import BinanceRest
from hean.feeds.rest_bybit import BybitRest
from hean.live.parts import LiveParts
from hean.live.settled_rates import SettledRates
from hean.live.turn import Turn
from hean.net.budget import Budget
from hean.net.http import HttpClient
from hean.net.socket import ConnectGovernor
from hean.venues.bybit_both import place_of
from hean.venues.endpoints import BOTH, Endpoints, Market

PAGES_MAX = 20  # of settled rates: 90 days of hourly ones

Names = dict[str, str]
"""Our name of each of the venue's symbols."""


class PublicSide:
    """Listing and feeds. *budget*: shared by all that ask there."""

    def __init__(
        self, place: Endpoints, client: HttpClient, parts: LiveParts, budget: Budget
    ) -> None:
        self._place = place
        self._client = client
        self._parts = parts
        self._budget = budget
        self._rests: dict[Market, BybitRest | BinanceRest] = {}

    async def listing(self, symbols: Sequence[str]) -> dict[str, Listed]:
        """What the venue says of each, in their order. *Raises*: as `load_listing`."""
        found: dict[str, Listed] = {}
        for market, names in self._markets(symbols).items():
            rows = await load_listing(self._rest(market), tuple(names))
            found |= {names[pair]: _named(row, names[pair]) for pair, row in rows.items()}
        return {symbol: found[symbol] for symbol in symbols}

    async def settled(self, symbol: str, start_ns: int, end_ns: int) -> list[tuple[int, float]]:
        """Rates of a perpetual settled in a period, oldest first. *Raises*: `VenueError`."""
        ((market, names),) = self._markets((symbol,)).items()
        rest, found, cursor = self._rest(market), list[tuple[int, float]](), None
        for _ in range(PAGES_MAX):
            query = HistoryQuery(Kind.FUNDING, next(iter(names)), start_ns, end_ns)
            page = await rest.page(query, cursor)
            found += zip(page.rows["ts"].tolist(), page.rows["rate"].tolist(), strict=True)
            cursor = page.cursor
            if cursor is None:
                break
        return sorted(found)

    async def tell_settled(self, symbols: Sequence[str], emit: Callable[[Payload], None]) -> None:
        """Tell which rates are settled, until cancelled."""
        names = self._markets(symbols).get("linear", {}).values()
        await SettledRates(self.settled, tuple(names), emit=emit, now=self._parts.now).keep()

    def feed(
        self, listed: Mapping[str, Listed], *, bus: EventBus, governor: ConnectGovernor, depth: int
    ) -> Feeds:
        """Its market data, told to *bus*. *depth*: levels of a book, where the venue lets one
        choose; *governor*: shared by all that connect there.
        """
        more: dict[str, Any] = {
            "is_crowded": Turn().is_long,
            "now": self._parts.now,
            "rng": self._parts.rng,
            "governor": governor,
            "dial": self._parts.dial,
        }
        feeds: list[LiveFeed] = []
        for market, names in self._markets(tuple(listed)).items():
            rules = {pair: _named(listed[name], pair).instrument for pair, name in names.items()}
            url, rest = self._place.alone(market).public, self._rest(market)
            more["take"] = named(to_bus(bus), names)
            if isinstance(rest, BybitRest):
                feeds.append(BybitFeed(url, market, rules, depth=depth, **more))
            else:
                feeds.append(BinanceFeed(url, market, rules, rest=rest, **more))
        return Feeds(feeds)

    def _markets(self, symbols: Sequence[str]) -> dict[Market, Names]:
        """What is traded where."""
        if self._place.market != BOTH:
            return {self._place.only: {symbol: symbol for symbol in symbols}}
        markets: dict[Market, Names] = {}
        for symbol in symbols:
            market, pair = place_of(symbol)
            markets.setdefault(market, {})[pair] = symbol
        return markets

    def _rest(self, market: Market) -> BybitRest | BinanceRest:
        rest = self._rests.get(market)
        if rest is None:
            make = BybitRest if self._place.venue == "bybit" else BinanceRest
            parts = self._parts
            rest = make(
                self._client,
                market,
                now=parts.now,
                rng=parts.rng,
                budget=self._budget,
                scale=parts.budget_scale,
            )
            self._rests[market] = rest
        return rest


class Feeds:
    """All feeds of a process as one task of its rim."""

    def __init__(self, feeds: Sequence[LiveFeed]) -> None:
        self.feeds = tuple(feeds)

    @property
    def unwatched_s(self) -> float:
        """How long nobody has looked whether one of them is silent."""
        return max(feed.unwatched_s for feed in self.feeds)

    async def start(self) -> None:
        """Connect all; return when all are ready. *Raises*: as `LiveFeed.start`."""
        await asyncio.gather(*(feed.start() for feed in self.feeds))

    async def stop(self) -> None:
        """Close all; safe to call twice."""
        for feed in self.feeds:
            await feed.stop()


def _named(row: Listed, name: str) -> Listed:
    if row.symbol == name:
        return row
    terms = msgspec.structs.replace(terms_of(row), symbol=name)
    return replace(row, symbol=name, instrument=terms.instrument())
