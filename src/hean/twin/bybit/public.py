# SPDX-License-Identifier: Apache-2.0
"""`public.py`: the public sockets: which topics there are, who may subscribe to what, and which
event of the exchange belongs to which topic. A request with one bad topic subscribes to nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hean.twin.bybit.books import RHYTHM_NS, Books
from hean.twin.bybit.market import INTERVALS
from hean.twin.bybit.sockets import (
    OP_CHARS_MAX,
    SPOT_TOPICS_MAX,
    Client,
    Stream,
    topics_of,
)
from hean.twin.bybit.streams import Klines, Liquidations, PriceLimits, Ticker, Trades
from hean.twin.bybit.tickers import Tickers
from hean.twin.market import TwinMarket
from hean.twin.orders import BookChange, Event, ForcedPrint, TradePrint
from hean.twin.venue import TwinVenue

STATUS_TOPIC = "system.status"
DEPTHS = {str(depth): depth for depth in RHYTHM_NS}


class PublicStreams:
    """All public topics of all products."""

    def __init__(self, venue: TwinVenue, books: Books, tickers: Tickers) -> None:
        self._venue = venue
        self._books = books
        self._tickers = tickers
        self._streams: dict[tuple[str, str], Stream] = {}

    def received(self, client: Client, request: dict[str, Any]) -> None:
        """A frame of a public client."""
        match request.get("op"):
            case "ping":
                client.done("ping", request, "pong")
            case "subscribe":
                self._subscribe(client, request)
            case "unsubscribe":
                self._unsubscribe(client, request)
            case _:
                client.failed(str(request.get("op") or ""), request, "error:invalid op")

    def closed(self, client: Client) -> None:
        """A client is gone."""
        for topic in client.topics:
            self._streams[client.kind, topic].leave(client.session)

    def on_event(self, event: Event) -> None:
        """Give what happened to the topic it belongs to."""
        match event:
            case BookChange():
                self._books.changed(event.market, event.ts_ns, is_event=event.is_event)
            case TradePrint():
                kind, symbol = event.market.key
                stream = self._streams.get((kind, f"publicTrade.{symbol}"))
                if isinstance(stream, Trades):
                    stream.traded(event)
            case ForcedPrint():
                kind, symbol = event.market.key
                stream = self._streams.get((kind, f"allLiquidation.{symbol}"))
                if isinstance(stream, Liquidations):
                    stream.forced(event)

    def tick(self, now_ns: int) -> None:
        """Streams with a rhythm."""
        for stream in self._streams.values():
            if stream.sessions:
                stream.tick(now_ns)

    def announce(self, frame: dict[str, Any]) -> None:
        """Tell those who listen to the state of the system."""
        stream = self._streams.get(("status", STATUS_TOPIC))
        if stream is not None:
            stream.send(frame)

    def _subscribe(self, client: Client, request: dict[str, Any]) -> None:
        topics = topics_of(request)
        if topics is None:
            client.failed("subscribe", request, "error:invalid args")
            return
        fault = self._fault(client, topics)
        if fault:
            client.failed("subscribe", request, fault)
            return
        client.done("subscribe", request, "subscribe" if client.kind == "spot" else "")
        for topic in topics:
            if topic not in client.topics:
                client.chars += len(topic)
            client.topics.add(topic)
            self._stream(client.kind, topic).join(client.session, self._venue.now())

    def _unsubscribe(self, client: Client, request: dict[str, Any]) -> None:
        for topic in topics_of(request) or ():
            if topic in client.topics:
                client.topics.discard(topic)
                client.chars -= len(topic)
                self._streams[client.kind, topic].leave(client.session)
        client.done("unsubscribe", request, "unsubscribe" if client.kind == "spot" else "")

    def _fault(self, client: Client, topics: list[str]) -> str:
        """Why a request is refused, empty if it is not."""
        if client.kind == "spot" and len(topics) > SPOT_TOPICS_MAX:
            return f"args size >{SPOT_TOPICS_MAX}"
        if client.chars + sum(map(len, topics)) > OP_CHARS_MAX:
            return f"args length >{OP_CHARS_MAX}"
        for topic in topics:
            if self._maker(client.kind, topic) is None:
                return f"error:handler not found,topic:{topic}"
        return ""

    def _stream(self, kind: str, topic: str) -> Stream:
        found = self._streams.get((kind, topic))
        if found is None:
            make = self._maker(kind, topic)
            if make is None:
                raise LookupError(topic)
            found = self._streams[kind, topic] = make()
        return found

    def _maker(self, kind: str, topic: str) -> Callable[[], Stream] | None:
        """How to make a topic's stream; `None` if there is no such topic."""
        if kind == "status":
            return (lambda: Stream(topic)) if topic == STATUS_TOPIC else None
        name, _, rest = topic.partition(".")
        detail, _, symbol = rest.rpartition(".")
        market = self._venue.markets.get((kind, symbol))
        return None if market is None else self._of_market(market, name, detail)

    def _of_market(self, market: TwinMarket, name: str, detail: str) -> Callable[[], Stream] | None:
        match name, detail:
            case "orderbook", depth if depth in DEPTHS:
                return lambda: self._books.get(market, DEPTHS[depth])
            case "publicTrade", "":
                return lambda: Trades(market)
            case "tickers", "":
                return lambda: Ticker(market, self._tickers)
            case "kline", interval if interval in INTERVALS:
                return lambda: Klines(market, interval)
            case "allLiquidation", "" if market.listing.market == "linear":
                return lambda: Liquidations(market)
            case "priceLimit", "":
                return lambda: PriceLimits(market)
        return None
