# SPDX-License-Identifier: Apache-2.0
"""`streams.py`: which public questions and which feed a trading process has at its venue. It only
puts parts together; nothing is asked or opened here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hean.core.bus import EventBus
from hean.feeds.binance import BinanceFeed
from hean.feeds.bybit import BybitFeed
from hean.feeds.listing import Listed
from hean.feeds.live import LiveFeed, to_bus
from hean.feeds.rest_binance import BinanceRest
from hean.feeds.rest_bybit import BybitRest
from hean.live.parts import LiveParts
from hean.live.turn import Turn
from hean.net.budget import Budget
from hean.net.http import HttpClient
from hean.net.socket import ConnectGovernor
from hean.venues.endpoints import Endpoints

Rest = BybitRest | BinanceRest


def rest_at(place: Endpoints, client: HttpClient, parts: LiveParts, budget: Budget) -> Rest:
    """The venue's public questions. *budget*: shared by all that ask there."""
    make = BybitRest if place.venue == "bybit" else BinanceRest
    return make(client, place.market, now=parts.now, rng=parts.rng, budget=budget)


def feed_at(
    place: Endpoints,
    rest: Rest,
    listed: Mapping[str, Listed],
    *,
    bus: EventBus,
    parts: LiveParts,
    governor: ConnectGovernor,
    depth: int,
) -> LiveFeed:
    """Its market data, told to *bus*. *depth*: levels of a book, where the venue lets one choose;
    *governor*: shared by all that connect there.
    """
    instruments = {symbol: row.instrument for symbol, row in listed.items()}
    more: dict[str, Any] = {
        "take": to_bus(bus),
        "is_crowded": Turn().is_long,
        "now": parts.now,
        "rng": parts.rng,
        "governor": governor,
        "dial": parts.dial,
    }
    if isinstance(rest, BybitRest):
        return BybitFeed(place.public, place.market, instruments, depth=depth, **more)
    return BinanceFeed(place.public, place.market, instruments, rest=rest, **more)
