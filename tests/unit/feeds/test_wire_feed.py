# SPDX-License-Identifier: Apache-2.0
"""`WireFeed`: frames of one connection to payloads, and the books behind them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from hean._core import Instrument, WireFeed
from hean.core.types import Book, Candle, Funding, Tick
from hean.errors import FrameInvalid, UnknownSymbol
from hean.feeds.capture import read_capture

MS = 1_000_000
NOW = 1_700_000_000_000


def bytes_of(value: Any) -> bytes:
    return json.dumps(value).encode()


def feed(venue: str, market: str = "linear") -> WireFeed:
    return WireFeed(venue, market, [Instrument("BTCUSDT", market, "0.1", "0.001")])


def bybit_book(kind: str, u: int, bids: Any, asks: Any, depth: int = 50) -> bytes:
    data = {"s": "BTCUSDT", "b": bids, "a": asks, "u": u, "seq": 1000 + u}
    topic = f"orderbook.{depth}.BTCUSDT"
    return bytes_of({"topic": topic, "type": kind, "ts": NOW + 5, "data": data, "cts": NOW})


def binance_delta(first: int, last: int, previous: int, bids: Any, asks: Any) -> bytes:
    ids = {"U": first, "u": last, "pu": previous}
    event = {"e": "depthUpdate", "E": NOW + 1, "T": NOW, "s": "BTCUSDT", **ids}
    data = {**event, "b": bids, "a": asks}
    return bytes_of({"stream": "btcusdt@depth@100ms", "data": data})


def rest_depth(last: int, bids: Any, asks: Any) -> bytes:
    return bytes_of({"lastUpdateId": last, "E": NOW, "T": NOW, "bids": bids, "asks": asks})


def test_a_trade_is_a_tick_with_the_touch_of_the_book() -> None:
    wire = feed("bybit")
    trade = {"T": NOW, "s": "BTCUSDT", "S": "Buy", "v": "0.002", "p": "100.1", "i": "a-1"}
    frame = bytes_of({"topic": "publicTrade.BTCUSDT", "type": "snapshot", "ts": 1, "data": [trade]})
    assert wire.push(frame) == (Tick("BTCUSDT", 100.1, 0.002, NOW * MS),)
    assert wire.touch("BTCUSDT") is None
    wire.push(bybit_book("snapshot", 7, [["100.0", "1"]], [["100.1", "2"]]))
    (tick,) = wire.push(frame.replace(b"a-1", b"a-2"))
    assert tick == Tick("BTCUSDT", 100.1, 0.002, NOW * MS, 100.0, 100.1)


def test_a_bybit_book_follows_its_deltas_and_is_dropped_at_a_gap() -> None:
    wire = feed("bybit")
    bids, asks = [["100.0", "1"], ["99.9", "3"]], [["100.1", "2"]]
    assert wire.push(bybit_book("snapshot", 7, bids, asks)) == (
        Book("BTCUSDT", ((100.0, 1.0), (99.9, 3.0)), ((100.1, 2.0),), True, NOW * MS),
    )
    (delta,) = wire.push(bybit_book("delta", 8, [["100.0", "0"]], [["100.1", "5"]]))
    assert delta == Book("BTCUSDT", ((100.0, 0.0),), ((100.1, 5.0),), False, NOW * MS)
    assert wire.book("BTCUSDT").depth(9) == ([(999, 3000)], [(1001, 5000)])
    assert (wire.book_id("BTCUSDT"), wire.touch("BTCUSDT")) == (8, (99.9, 3.0, 100.1, 5.0))
    assert wire.resync() == ()
    for u in (10, 11):
        assert wire.push(bybit_book("delta", u, [["99.0", "1"]], [])) == ()
    assert wire.resync() == ("BTCUSDT",)
    assert wire.resync() == ()
    assert (wire.book_id("BTCUSDT"), wire.touch("BTCUSDT")) == (None, None)
    assert wire.book("BTCUSDT").depth(9) == ([], [])
    assert wire.counters()["gaps"] == 1
    wire.push(bybit_book("delta", 1, bids, asks))
    assert wire.book_id("BTCUSDT") == 1, "u = 1 is a snapshot whatever its type says"


def test_a_binance_snapshot_joins_the_deltas_that_waited() -> None:
    wire = feed("binance")
    assert wire.push(binance_delta(11, 15, 9, [["100.0", "1"]], [])) == ()
    assert wire.resync() == ("BTCUSDT",)
    wire.push(binance_delta(17, 20, 15, [], [["100.2", "4"]]))
    assert wire.resync() == ()
    told = wire.snapshot("BTCUSDT", rest_depth(12, [["99.9", "9"]], [["100.1", "2"]]))
    assert [(book.is_snapshot, book.bids) for book in told if isinstance(book, Book)] == [
        (True, ((99.9, 9.0),)),
        (False, ((100.0, 1.0),)),
        (False, ()),
    ]
    assert wire.book("BTCUSDT").depth(9) == (
        [(1000, 1000), (999, 9000)],
        [(1001, 2000), (1002, 4000)],
    )
    assert wire.book_id("BTCUSDT") == 20


def test_a_snapshot_older_than_what_waited_gives_nothing_and_is_asked_for_again() -> None:
    wire = feed("binance")
    wire.push(binance_delta(21, 25, 19, [["100.0", "1"]], []))
    assert wire.resync() == ("BTCUSDT",)
    assert wire.snapshot("BTCUSDT", rest_depth(12, [["99.9", "9"]], [])) == ()
    assert wire.resync() == ("BTCUSDT",)
    assert wire.book("BTCUSDT").depth(9) == ([], [])
    wire.snapshot("BTCUSDT", rest_depth(22, [["99.9", "9"]], []))
    assert wire.book_id("BTCUSDT") == 25


def test_a_crossed_book_is_dropped_and_reported() -> None:
    wire = feed("bybit")
    wire.push(bybit_book("snapshot", 7, [["100.0", "1"]], [["100.1", "2"]]))
    assert wire.push(bybit_book("delta", 8, [["100.1", "1"]], [])) == ()
    assert (wire.counters()["crossed"], wire.resync()) == (1, ("BTCUSDT",))


def test_a_bad_frame_changes_nothing_but_the_counter() -> None:
    wire = feed("bybit")
    wire.push(bybit_book("snapshot", 7, [["100.0", "1"]], [["100.1", "2"]]))
    for bids in ([["100.05", "1"]], [["NaN", "1"]], [["1e400", "1"]], [["100.0", "-1"]]):
        with pytest.raises(FrameInvalid):
            wire.push(bybit_book("delta", 8, bids, []))
    assert wire.book("BTCUSDT").depth(9) == ([(1000, 1000)], [(1001, 2000)])
    assert wire.book_id("BTCUSDT") == 7
    assert wire.counters()["bad"] == 4


def test_quotes_candles_and_funding() -> None:
    wire = feed("binance")
    quote = {"e": "bookTicker", "u": 9, "s": "BTCUSDT", "T": NOW, "E": NOW}
    sides = {"b": "100.0", "B": "1", "a": "100.2", "A": "3"}
    (tick,) = wire.push(bytes_of({**quote, **sides}))
    assert tick == Tick("BTCUSDT", 100.1, 0.0, NOW * MS, 100.0, 100.2)
    assert wire.push(bytes_of({**quote, **sides, "u": 10})) == (), "the quote did not change"
    assert wire.push(bytes_of({**quote, **sides, "u": 8, "b": "1.0"})) == (), "an older quote"
    mark = {"e": "markPriceUpdate", "E": NOW, "s": "BTCUSDT", "p": "100.5", "i": "100.4"}
    (funding,) = wire.push(bytes_of({**mark, "r": "0.0001", "T": NOW + 1}))
    assert funding == Funding("BTCUSDT", 0.0001, (NOW + 1) * MS, 100.5)
    assert wire.push(bytes_of({**mark, "p": "101", "r": "0.0001", "T": NOW + 1})) == ()
    assert wire.marks("BTCUSDT") == (101.0, 100.4, 0.0001, (NOW + 1) * MS)
    bar = {"t": 60_000, "T": 119_999, "s": "BTCUSDT", "i": "1m", "o": "1", "c": "2", "h": "3"}
    kline = {"e": "kline", "E": NOW, "s": "BTCUSDT", "k": {**bar, "l": "0.5", "v": "7", "q": "9"}}
    kline["k"]["x"] = False
    assert wire.push(bytes_of(kline)) == ()
    kline["k"]["x"] = True
    assert wire.push(bytes_of(kline)) == (
        Candle("BTCUSDT", 1.0, 3.0, 0.5, 2.0, 7.0, "1m", 60_000 * MS),
    )


def test_other_symbols_and_lost_connections() -> None:
    wire = feed("bybit")
    wire.push(bybit_book("snapshot", 7, [["100.0", "1"]], [["100.1", "2"]]))
    assert wire.push(bybit_book("delta", 8, [], []).replace(b"BTC", b"ETH")) == ()
    assert wire.counters()["unknown_symbols"] == 1
    with pytest.raises(UnknownSymbol):
        wire.book("ETHUSDT")
    wire.lost()
    assert (wire.book_id("BTCUSDT"), wire.touch("BTCUSDT"), wire.resync()) == (None, None, ())


def test_the_recorded_bybit_book_of_500_is_followed(shared: Path) -> None:
    path = shared / "payloads/bybit/recorded/nautilus/xrpusdt-orderbook500-2024-12-01.jsonl"
    wire = WireFeed("bybit", "linear", [Instrument("XRPUSDT", "linear", "0.0001", "0.1")])
    facts = [fact for line in path.read_bytes().splitlines() for fact in wire.push(line)]
    assert [fact.is_snapshot for fact in facts if isinstance(fact, Book)] == [True] + [False] * 49
    bids, asks = wire.book("XRPUSDT").depth(1000)
    assert (len(bids), len(asks)) == (500, 500)
    counters = wire.counters()
    assert (counters["gaps"], counters["crossed"], counters["bad"]) == (0, 0, 0)


def test_a_recorded_stream_fed_live_is_what_reading_the_file_gives(shared: Path) -> None:
    """Trades, book changes and the last book of the feed against the capture's columns. Row by row:
    the capture's reader shares the parsers but neither the buffer nor the book."""
    path = shared / "data/l2/binance_perp_BTCUSDT_raw_2024-08-08.txt.gz"
    wire = feed("binance")
    told: list[Any] = []
    with gzip.open(path, "rb") as stream:
        for line in stream:
            frame = line.split(b" ", 1)[1]
            is_rest = frame.startswith(b'{"lastUpdateId"')
            told += wire.snapshot("BTCUSDT", frame) if is_rest else wire.push(frame)
    capture = read_capture(path)
    trades = [(tick.timestamp, tick.price, tick.volume) for tick in told if is_trade(tick)]
    columns = (capture.trades[name].tolist() for name in ("ts_ns", "price", "quantity"))
    assert trades == list(zip(*columns, strict=True))
    books = [book for book in told if isinstance(book, Book)]
    rows = [row for book in books for side in (book.bids, book.asks) for row in side]
    columns = (capture.depth[name].tolist() for name in ("price", "quantity"))
    assert rows == list(zip(*columns, strict=True))
    assert sum(book.is_snapshot for book in books) == 1
    sides: tuple[dict[float, float], dict[float, float]] = ({}, {})
    for book in books:
        for side, changes in zip(sides, (book.bids, book.asks), strict=True):
            side.update(changes)
    bids = {price: quantity for price, quantity in sides[0].items() if quantity}
    asks = {price: quantity for price, quantity in sides[1].items() if quantity}
    best_bids, best_asks = wire.book("BTCUSDT").depth(1000)
    assert [ticks / 10 for ticks, _ in best_bids] == sorted(bids, reverse=True)[:1000]
    assert [lots / 1000 for _, lots in best_asks] == [asks[key] for key in sorted(asks)[:1000]]
    counters = wire.counters()
    names = ("bad", "gaps", "crossed", "suspects", "repeated", "unknown_symbols", "ignored")
    assert [counters[name] for name in names] == [0] * 7


def is_trade(fact: Any) -> bool:
    return isinstance(fact, Tick) and fact.volume > 0.0
