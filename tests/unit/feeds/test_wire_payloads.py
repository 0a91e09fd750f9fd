# SPDX-License-Identifier: Apache-2.0
"""Every recorded and documented public payload through the parsers that live feeds use.

Recorded frames must all be understood, and the kinds must number what the payload manifest
counted; the few documented examples that contradict the venue are listed with the reason. Private
frames and replies are in `test_wire_private_payloads.py`.
"""

from __future__ import annotations

import bisect
import gzip
import json
import re
from collections import Counter
from pathlib import Path

import pytest

from hean._core import parse_binance, parse_bybit
from hean.errors import FrameInvalid
from hean.feeds.capture import read_capture


def kinds(parse, frames) -> Counter[str]:  # type: ignore[no-untyped-def]
    counts: Counter[str] = Counter()
    for frame in frames:
        fact = parse(frame)
        counts["ignored" if fact is None else fact["kind"]] += 1
    return counts


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("spot", {"depth_delta": 1496, "book_ticker": 11788, "trades": 2906, "depth_snapshot": 1}),
        ("usdm", {"depth_delta": 1717, "book_ticker": 16436, "trades": 3332, "depth_snapshot": 1}),
    ],
)
def test_recorded_binance_captures_count_as_in_the_manifest(
    shared: Path, name: str, expected: dict[str, int]
) -> None:
    path = shared / f"payloads/binance/recorded/hftbacktest/{name}-btcusdt-2024-08-08.txt.gz"
    with gzip.open(path, "rb") as stream:
        frames = [line.split(b" ", 1)[1] for line in stream]
    assert kinds(parse_binance, frames) == expected
    report = read_capture(path).report
    assert (report.gaps[0], report.bad_lines[0], report.unseeded_deltas) == (0, 0, 0)


@pytest.mark.parametrize(("folder", "depth"), [("spot-2021-10-12", 177), ("usdm-2021-07-22", 764)])
def test_recorded_multi_symbol_streams_join_their_rest_snapshots(
    shared: Path, tmp_path: Path, folder: str, depth: int
) -> None:
    """Split by symbol, insert each symbol's snapshot where it was received, read as a capture."""
    source = shared / "payloads/binance/recorded/cryptofeed" / folder
    lines = [line for line in (source / "ws.txt").read_text().splitlines() if ": {" in line]
    frames = [line.split(": ", 1)[1].encode() for line in lines]
    counts = kinds(parse_binance, frames)
    assert counts["depth_delta"] == depth
    assert counts["ignored"] == 0
    for line in (source / "http-depth.txt").read_text().splitlines():
        matched = re.match(r"\S+symbol=(\w+)\S* -> ([\d.]+): (\{.*)", line)
        if matched is None:
            continue
        symbol, received, snapshot = matched.groups()
        mine = [line for line in lines if f'"s":"{symbol}"' in line]
        mine.append(f"{received}: {snapshot}")
        mine.sort(key=lambda line: float(line.split(": ", 1)[0]))
        path = tmp_path / f"{symbol}.txt"
        path.write_text("\n".join(mine))
        report = read_capture(path).report
        assert report.symbol == symbol
        assert report.gaps == (0, [])
        assert (report.snapshots, report.unseeded_deltas, report.bad_lines[0]) == (1, 0, 0)
        assert report.receive_unit == "s"


@pytest.mark.parametrize(("market", "events_min"), [("spot", 3400), ("perp", 6500)])
def test_the_book_built_from_deltas_is_the_venues_own_quote(
    shared: Path, market: str, events_min: int
) -> None:
    """After each delta the naive book's best levels and sizes must be those of the bookTicker with
    the greatest update id not above the delta's: two streams of the venue tell the same book."""
    path = shared / f"data/l2/binance_{market}_BTCUSDT_raw_2024-08-08.txt.gz"
    with gzip.open(path, "rb") as stream:
        facts = [parse_binance(line.split(b" ", 1)[1]) or {} for line in stream]
    fields = ("update_id", "bid", "bid_quantity", "ask", "ask_quantity")
    quotes = sorted(
        tuple(fact[field] for field in fields) for fact in facts if fact["kind"] == "book_ticker"
    )
    (snapshot,) = [fact for fact in facts if fact["kind"] == "depth_snapshot"]
    bids, asks = dict(snapshot["bids"]), dict(snapshot["asks"])
    events = 0
    for delta in facts:
        if delta["kind"] != "depth_delta" or delta["last_id"] <= snapshot["last_id"]:
            continue
        for book, changes in ((bids, delta["bids"]), (asks, delta["asks"])):
            book.update(changes)
            for price, quantity in changes:
                if quantity == 0.0:
                    del book[price]
        at = bisect.bisect_right(quotes, delta["last_id"], key=lambda quote: quote[0])
        if 0 < at < len(quotes):
            bid, ask = max(bids), min(asks)
            assert (bid, bids[bid], ask, asks[ask]) == quotes[at - 1][1:]
            events += 1
    assert events > events_min


def test_recorded_bybit_frames_are_understood(shared: Path) -> None:
    folder = shared / "payloads/bybit/recorded"
    book = (folder / "nautilus/xrpusdt-orderbook500-2024-12-01.jsonl").read_bytes().splitlines()
    assert kinds(parse_bybit, book) == {"depth_snapshot": 1, "depth_delta": 49}
    first = parse_bybit(book[0])
    assert first is not None
    assert (first["depth"], len(first["bids"]), len(first["asks"])) == (500, 500, 500)
    tickers = (folder / "gocryptotrader/ws-tickers.jsonl").read_bytes().splitlines()
    impossible, *rest = [line for line in tickers if line.strip()]
    with pytest.raises(FrameInvalid, match=r'symbol "BTCUSDT" in the topic of "BTC-USDT"'):
        parse_bybit(impossible)
    assert kinds(parse_bybit, rest) == {"ticker": 7}


def test_recorded_rest_snapshots_are_books(shared: Path) -> None:
    found = 0
    for path in sorted((shared / "payloads/binance/recorded/gocryptotrader").glob("*_depth*.json")):
        response = json.loads(path.read_bytes())["response"]
        if "lastUpdateId" not in response:
            continue
        book = parse_binance(json.dumps(response).encode())
        assert book is not None
        assert book["kind"] == "depth_snapshot"
        assert book["last_id"] == response["lastUpdateId"]
        assert [price for price, _ in book["bids"]] == [float(p) for p, _ in response["bids"]]
        found += 1
    assert found == 4


def script_updates(path: Path) -> list[bytes]:
    """The `=` blocks of a subscription script: the updates that follow the request."""
    blocks = re.split(r"^= *$", path.read_text(encoding="utf-8-sig"), flags=re.MULTILINE)[1:]
    return [re.split(r"^[<>]", block, flags=re.MULTILINE)[0].strip().encode() for block in blocks]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("usdm/AggTrades", "trades"),
        ("usdm/Book", "depth_delta"),
        ("usdm/BookTicker", "book_ticker"),
        ("usdm/ContKlines", "ignored"),
        ("usdm/Klines", "klines"),
        ("usdm/Liquidations", "ignored"),
        ("usdm/MarkPrice", "mark_price"),
        ("usdm/MiniTicker", "ignored"),
        ("usdm/PartialBook", "depth_snapshot"),
        ("usdm/SymbolUpdates", "ignored"),
        ("usdm/Ticker", "ignored"),
        ("spot/ExchangeData/AggregatedTrades", "trades"),
        ("spot/ExchangeData/BookTicker", "book_ticker"),
        ("spot/ExchangeData/Klines", "klines"),
        ("spot/ExchangeData/MiniTicker", "ignored"),
        ("spot/ExchangeData/PartialBook", "depth_snapshot"),
        ("spot/ExchangeData/Ticker", "ignored"),
        ("spot/ExchangeData/Trades", "trades"),
    ],
)
def test_documented_binance_stream_examples(shared: Path, name: str, kind: str) -> None:
    path = shared / f"payloads/binance/documented/binance-net/ws/{name}.txt"
    updates = script_updates(path)
    assert updates
    assert kinds(parse_binance, updates) == {kind: len(updates)}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Linear/Liquidations", "ignored"),
        ("Linear/Ticker", "ticker"),
        ("Linear/Trades", "trades"),
        ("Spot/PriceLimit", "ignored"),
        ("Spot/SystemStatus", "ignored"),
        ("Spot/Ticker", "ticker"),
        ("Spot/Trades", "trades"),
    ],
)
def test_documented_bybit_stream_examples(shared: Path, name: str, kind: str) -> None:
    path = shared / f"payloads/bybit/documented/bybit-net/ws/{name}.txt"
    updates = script_updates(path)
    assert updates
    assert kinds(parse_bybit, updates) == {kind: len(updates)}


NAUTILUS_BINANCE = {
    "futures/market_data_json/agg_trade_stream": "trades",
    "futures/market_data_json/book_ticker_stream": "book_ticker",
    "futures/market_data_json/depth_update_stream": "depth_delta",
    "futures/market_data_json/kline_stream_closed": "klines",
    "futures/market_data_json/kline_stream_open": "klines",
    "futures/market_data_json/liquidation_stream": "ignored",
    "futures/market_data_json/mark_price_stream": "mark_price",
    "futures/market_data_json/ticker_stream": "ignored",
    "futures/market_data_json/trade_stream": "trades",
    "spot/http_json/depth_response": "depth_snapshot",
}


@pytest.mark.parametrize("name", NAUTILUS_BINANCE)
def test_documented_raw_stream_examples(shared: Path, name: str) -> None:
    path = shared / f"payloads/binance/documented/nautilus/rust-adapter/{name}.json"
    assert kinds(parse_binance, [path.read_bytes()]) == {NAUTILUS_BINANCE[name]: 1}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("ws_futures_book_ticker", "book_ticker"),
        ("ws_futures_depth_diff_update", "depth_delta"),
        ("ws_futures_depth_update", "depth_delta"),
        ("ws_futures_ticker_24hr", "ignored"),
        ("ws_spot_agg_trade", "trades"),
        ("ws_spot_ticker_24hr", "ignored"),
        ("ws_spot_ticker_book", "book_ticker"),
        ("ws_spot_trade", "trades"),
    ],
)
def test_documented_older_adapter_examples(shared: Path, name: str, kind: str) -> None:
    folder = shared / "payloads/binance/documented/nautilus/python-adapter/ws_messages"
    assert kinds(parse_binance, [(folder / f"{name}.json").read_bytes()]) == {kind: 1}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("ws_kline", "klines"),
        ("ws_ticker_linear", "ticker"),
        ("ws_orderbook_delta", "depth_delta"),
        ("ws_orderbook_snapshot", "depth_snapshot"),
        ("ws_public_trade", "ignored"),  # its topic `trade.linear.` does not exist
        ("ws_subscription_ack", "reply"),
        ("ws_subscription_failure", "reply"),
        ("ws_auth_success", "reply"),
        ("ws_auth_failure", "reply"),
    ],
)
def test_documented_bybit_examples(shared: Path, name: str, kind: str) -> None:
    path = shared / f"payloads/bybit/documented/nautilus/{name}.json"
    assert kinds(parse_bybit, [path.read_bytes()]) == {kind: 1}


def test_a_frame_becomes_a_dict_with_exact_texts() -> None:
    fact = parse_binance(
        b'{"e":"trade","E":1700000000125,"T":1700000000123,"s":"BTCUSDT","t":77,'
        b'"p":"37000.10","q":"0.005","m":true}'
    )
    assert fact == {
        "kind": "trades",
        "symbol": "BTCUSDT",
        "ts_ns": 1_700_000_000_123_000_000,
        "trades": [
            {
                "ts_ns": 1_700_000_000_123_000_000,
                "price": 37000.1,
                "quantity": 0.005,
                "price_text": "37000.10",
                "quantity_text": "0.005",
                "side": "SELL",
                "is_aggregate": False,
                "id": 77,
            }
        ],
    }


REST = ("/rest/", "http", "gocryptotrader/api_", "gocryptotrader/fapi_")
"""REST answers and the envelopes of their recorder: no socket sends them."""


def all_frames(path: Path) -> list[bytes]:
    """Frames of any payload file; `|1|` stands for the id of a request."""
    if path.suffix == ".gz":
        with gzip.open(path, "rb") as stream:
            return [line.split(b" ", 1)[1] for line in stream]
    text = path.read_text(encoding="utf-8-sig")
    if path.suffix == ".json":
        return [text.encode()]
    if path.suffix == ".jsonl":
        return [line.encode() for line in text.splitlines() if line.strip()]
    if "cryptofeed" in path.parts:
        lines = (line.split(": ", 1) for line in text.splitlines())
        return [rest[0].encode() for _, *rest in lines if rest]
    blocks = re.split(r"^(?=[<>=])", re.sub(r'"?\|\d+\|"?', "1", text), flags=re.MULTILINE)
    return [block[1:].strip().encode() for block in blocks if block[:1] in {"<", "="}]


def test_every_payload_that_is_a_frame_is_read(shared: Path) -> None:
    """All files of the folder, so that a new one is not forgotten; the one frame that is refused
    names a topic that cannot be (see above)."""
    refused, read = Counter[str](), 0
    for venue, parse in (("bybit", parse_bybit), ("binance", parse_binance)):
        for path in sorted((shared / "payloads" / venue).rglob("*.*")):
            name = str(path.relative_to(shared / "payloads"))
            if not path.is_file() or any(mark in name for mark in REST):
                continue
            for frame in all_frames(path):
                try:
                    parse(frame)
                except FrameInvalid:
                    refused[name] += 1
                read += 1
    assert refused == {"bybit/recorded/gocryptotrader/ws-tickers.jsonl": 1}
    assert read > 38_000
