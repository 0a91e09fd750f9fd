# SPDX-License-Identifier: Apache-2.0
"""What the service answers about a market is what the exchange itself says of it: books against the
exchange's own REST book of the same moment, candles against its candles, indicators against TA-Lib
over them. For Bybit's perpetuals, and both markets of Binance.
"""

from __future__ import annotations

import json
import socket
import urllib.request
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest
import talib

from market_data.service_process import Service, addresses
from venue_contract.twin_process import TwinProcess, wait_until

SYMBOLS = "BTCUSDT,ETHUSDT"


class Case(NamedTuple):
    """A service, the exchange it hears, and how that is asked."""

    service: Service
    twin: TwinProcess
    symbol: str
    book_path: str
    candle_path: str

    def asked(self, path: str) -> Any:
        """The exchange's own answer."""
        with urllib.request.urlopen(f"{self.twin.rest_url}{path}", timeout=60) as answer:
            return json.load(answer)

    def book(self) -> dict[str, Any]:
        """The exchange's book as floats: bids, asks."""
        found = self.asked(self.book_path)
        found = found.get("result", found)
        rows = {
            "bids": found.get("b", found.get("bids")),
            "asks": found.get("a", found.get("asks")),
        }
        return {side: [[float(p), float(q)] for p, q in levels] for side, levels in rows.items()}

    def candles(self) -> list[list[float]]:
        """The exchange's candles, oldest first."""
        found = self.asked(self.candle_path)
        rows = found["result"]["list"][::-1] if isinstance(found, dict) else found
        return [[float(value) for value in row[:6]] for row in rows]


BYBIT = ("BTCUSDT", "/v5/market/orderbook?category=linear&symbol=BTCUSDT&limit=20",
         "/v5/market/kline?category=linear&symbol=BTCUSDT&interval=1&limit=1000")  # fmt: skip
SPOT = ("BTCUSDT@spot", "/api/v3/depth?symbol=BTCUSDT&limit=20",
        "/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=1000")  # fmt: skip
PERP = ("BTCUSDT@perp", "/fapi/v1/depth?symbol=BTCUSDT&limit=20",
        "/fapi/v1/klines?symbol=BTCUSDT&interval=1m&limit=1000")  # fmt: skip


@pytest.fixture(scope="module")
def bybit_service(bybit, tmp_path_factory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    with Service(folder, EXCHANGE="bybit", SYMBOLS=SYMBOLS, **addresses(bybit)) as service:
        yield service.until_ready()


@pytest.fixture(scope="module")
def binance_service(binance, tmp_path_factory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    symbols = "BTCUSDT@spot,BTCUSDT@perp,ETHUSDT@perp"
    with Service(folder, EXCHANGE="binance", SYMBOLS=symbols, **addresses(binance)) as service:
        yield service.until_ready()


@pytest.fixture(params=["bybit", "spot", "perp"])
def case(request) -> Case:
    name = "bybit" if request.param == "bybit" else "binance"
    service = request.getfixturevalue(f"{name}_service")
    rest = {"bybit": BYBIT, "spot": SPOT, "perp": PERP}[request.param]
    return Case(service, request.getfixturevalue(name), *rest)


@pytest.mark.promise(72)
def test_a_ticker_tells_last_trade_touch_and_funding(case):
    def traded() -> Any:
        document = case.service.told(f"/api/v1/ticker/{case.symbol}")
        return document if document["size"] and document["bid"] else None

    told = wait_until(traded, "a trade")
    assert told["symbol"] == case.symbol
    assert told["bid"] < told["ask"]
    assert told["bid"] * 0.99 < told["price"] < told["ask"] * 1.01
    assert told["is_stale"] is False
    if told["market"] == "linear":
        assert told["mark"] > 0
        assert abs(told["funding_rate"]) < 0.01


@pytest.mark.promise(73)
def test_the_book_is_the_exchange_s(case):
    def agrees() -> bool:
        before = case.book()
        told = case.service.told(f"/api/v1/orderbook/{case.symbol}?limit=20")
        mine = {side: told[side] for side in ("bids", "asks")}
        return mine == before

    wait_until(agrees, "equal books between two changes", timeout_s=120)


@pytest.mark.promise(74)
def test_past_candles_are_the_exchange_s(case):
    def agrees() -> bool:
        told = case.service.told(f"/api/v1/klines/{case.symbol}?limit=900&timeframe=1m")
        theirs = {row[0]: row[1:] for row in case.candles()}
        rows = [row for row in told["klines"] if row[0] in theirs]
        return len(rows) > 850 and all(theirs[row[0]] == pytest.approx(row[1:]) for row in rows)

    wait_until(agrees, "equal candles", timeout_s=120)


@pytest.mark.promise(75)
def test_indicators_are_those_of_ta_lib_over_the_closed_candles(case):
    def same_candle() -> Any:
        rows = case.service.told(f"/api/v1/klines/{case.symbol}?limit=1000")["klines"]
        told = case.service.told(f"/api/v1/indicators/{case.symbol}")
        same = rows and told["timestamp"] == rows[-1][0] * 1_000_000
        return (rows, told) if same and len(rows) == told["candles"] else None

    rows, told = wait_until(same_candle, "a thousand candles", timeout_s=120)
    closes = np.array([row[4] for row in rows])
    line, signal, histogram = (column[-1] for column in talib.MACD(closes))
    upper, middle, lower = (column[-1] for column in talib.BBANDS(closes, 20, 2.0, 2.0))
    assert told["close"] == closes[-1]
    assert told["sma_20"] == pytest.approx(talib.SMA(closes, 20)[-1], rel=1e-9)
    assert told["ema_20"] == pytest.approx(talib.EMA(closes, 20)[-1], rel=1e-9)
    assert told["rsi_14"] == pytest.approx(talib.RSI(closes, 14)[-1], rel=1e-9)
    expected = {"line": line, "signal": signal, "histogram": histogram}
    assert told["macd_12_26_9"] == pytest.approx(expected, rel=1e-9, abs=1e-9)
    expected = {"upper": upper, "middle": middle, "lower": lower}
    assert told["bollinger_20_2"] == pytest.approx(expected, rel=1e-9)


def test_what_is_unknown_or_wrong_is_refused_by_its_number(bybit_service):
    cases = {
        "/api/v1/ticker/NOPE": 404,
        "/api/v1/what/BTCUSDT": 404,
        "/what": 404,
        "/api/v1/orderbook/BTCUSDT?limit=0": 400,
        "/api/v1/orderbook/BTCUSDT?limit=many": 400,
        "/api/v1/klines/BTCUSDT?timeframe=7m": 400,
    }
    for path, status in cases.items():
        assert bybit_service.get(path)[0] == status, path


def test_metrics_tell_what_alerts_ask_for(bybit_service):
    assert bybit_service.metric(
        'hean_venue_connected{venue="bybit",feed="bybit.linear.public"}'
    ) == 1  # fmt: skip
    assert bybit_service.metric('hean_last_tick_timestamp_seconds{symbol="BTCUSDT"}') > 1.6e9
    assert bybit_service.metric("process_resident_memory_bytes") < 50e6
    names = [line.split(" ")[2] for line in bybit_service.told("/metrics").splitlines()
             if line.startswith("# TYPE ")]  # fmt: skip
    assert len(names) == len(set(names))


RUDE = {
    b"POST /api/v1/ticker/BTCUSDT HTTP/1.1\r\nHost: h\r\n\r\n": b"405",
    b"GET / HTTP/1.1\r\nContent-Length: 9\r\n\r\n": b"413",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03": b"400",
    b"GET / HTTP/1.1\r\nA: " + b"x" * 9_000 + b"\r\n\r\n": b"431",
    b"GET /ws HTTP/1.1\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n": b"426",
}


@pytest.mark.parametrize("request_bytes", RUDE, ids=lambda it: repr(it[:12]))
def test_a_rude_request_is_answered_and_hung_up_on(bybit_service, request_bytes):
    with socket.create_connection(("127.0.0.1", bybit_service.port), timeout=60) as line:
        line.sendall(request_bytes)
        answer = b""
        while part := line.recv(65_536):
            answer += part
    assert answer.split(b" ")[1] == RUDE[request_bytes]
    assert bybit_service.get("/health/live")[0] == 200


def test_many_questions_on_one_line_are_answered_in_order(bybit_service):
    paths = ["/api/v1/ticker/BTCUSDT", "/health/live", "/nope"] * 200
    text = "".join(f"GET {path} HTTP/1.1\r\nHost: h\r\n\r\n" for path in paths)
    last = "HEAD /api/v1/ticker/ETHUSDT HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", bybit_service.port), timeout=60) as line:
        line.sendall((text + last).encode())
        answer = b""
        while part := line.recv(65_536):
            answer += part
    found = [line for line in answer.split(b"\r\n") if b"HTTP/1.1 " in line]
    statuses = [line.rsplit(b"HTTP/1.1 ", 1)[1][:3] for line in found]
    assert statuses == [b"200", b"200", b"404"] * 200 + [b"200"]
    assert answer.endswith(b"\r\n\r\n"), "HEAD has no body"
