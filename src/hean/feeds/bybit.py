# SPDX-License-Identifier: Apache-2.0
"""`bybit.py`: Bybit's public stream of one market. Every topic goes over one socket; a book begins
with the snapshot that follows its subscription, so a broken book is one that is subscribed again.
Parsing is Rust's, staying connected is `live.py`'s; here are the names of topics and the answers to
subscribing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any, ClassVar

import msgspec

from hean._core import Instrument
from hean.errors import ParameterInvalid
from hean.feeds.freshness import Topic
from hean.feeds.live import LiveFeed
from hean.feeds.rest import Market
from hean.feeds.rest_bybit import INTERVALS
from hean.net.line import Heartbeat
from hean.net.socket import Connection

DEPTHS = (50, 200, 1000)  # levels a side; a frame every 20, 100, 200 ms. Depth 1 is no book
ARGS_MAX = 10  # topics of one request: what spot accepts
ARGS_CHARACTERS_MAX = 21_000  # of all topics of a connection


class Reply(msgspec.Struct):
    """The answer to a request."""

    op: str = ""
    success: bool = False
    ret_msg: str = ""
    req_id: str = ""


class BybitFeed(LiveFeed):
    """Trades, books, tickers and candles of some symbols. *url*: of the market's public stream.

    *depth*: levels of the books. Others: see `LiveFeed`. *Raises*: `ParameterInvalid`.
    """

    venue: ClassVar = "bybit"
    marker: ClassVar = b'"topic":"'
    heartbeat: ClassVar = Heartbeat(every_s=20.0, frame=b'{"op":"ping"}')
    restarts: ClassVar = True

    def __init__(
        self,
        url: str,
        market: Market,
        instruments: Mapping[str, Instrument],
        *,
        depth: int = 50,
        **settings: Any,
    ) -> None:
        super().__init__(market, instruments, **settings)
        if depth not in DEPTHS:
            raise ParameterInvalid(f"book depth {depth}; Bybit has {', '.join(map(str, DEPTHS))}.")
        self._numbers = count(1)
        self._asked: dict[str, list[Topic]] = {}
        topics = []
        for symbol in self.symbols:
            topics.append(self.add_topic(f"orderbook.{depth}.{symbol}", "book", symbol))
            topics.append(self.add_topic(f"publicTrade.{symbol}", "trade", symbol))
            topics.append(self.add_topic(f"tickers.{symbol}", "ticker", symbol))
            for timeframe in self._candles:
                if timeframe not in INTERVALS:
                    known = ", ".join(INTERVALS)
                    raise ParameterInvalid(f"candles of {timeframe!r}; Bybit has {known}.")
                name = f"kline.{INTERVALS[timeframe]}.{symbol}"
                topics.append(self.add_topic(name, "kline", symbol))
        size = sum(len(topic.name) for topic in topics)
        if size > ARGS_CHARACTERS_MAX:
            raise ParameterInvalid(
                f"{len(topics)} topics have {size} characters; a connection may subscribe "
                f"{ARGS_CHARACTERS_MAX}. Take fewer symbols."
            )
        self.connect("public", url, topics)

    def subscribe(self, connection: Connection, topics: Sequence[Topic]) -> None:
        """Ask for topics, a few at a time; each request is answered as a whole."""
        for first in range(0, len(topics), ARGS_MAX):
            part = list(topics[first : first + ARGS_MAX])
            request = f"s{next(self._numbers)}"
            self._asked[request] = part
            connection.send(_request("subscribe", request, part))

    def renew(self, connection: Connection, topics: Sequence[Topic]) -> None:
        """Subscribe again: a second subscription alone would be refused."""
        for first in range(0, len(topics), ARGS_MAX):
            part = topics[first : first + ARGS_MAX]
            connection.send(_request("unsubscribe", f"u{next(self._numbers)}", part))
        self.subscribe(connection, topics)

    def answered(self, connection: Connection, frame: bytes) -> None:
        """An answer to `subscribe`; anything else that bears no topic is of no interest."""
        try:
            reply = msgspec.json.decode(frame, type=Reply)
        except (msgspec.DecodeError, RecursionError) as error:
            self.bad += 1
            self.last_bad = str(error)
            return
        if reply.op != "subscribe":
            return
        topics = self._asked.pop(reply.req_id, [])
        if reply.success:
            self.acknowledge(topics)
        elif topics:
            self.refuse(topics, reply.ret_msg)


def _request(op: str, number: str, topics: Sequence[Topic]) -> bytes:
    return msgspec.json.encode(
        {"op": op, "req_id": number, "args": [topic.name for topic in topics]}
    )
