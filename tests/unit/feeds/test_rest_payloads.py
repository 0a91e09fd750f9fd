# SPDX-License-Identifier: Apache-2.0
"""Every recorded and documented REST payload of public market data, through the decoders that
downloads and listings use.

Method: the files are read a second time with the standard library's JSON and compared value by
value as decimals; single values that a person can look up in the file stand here as numbers. Files
that no decoder reads are listed with the reason, so that a new file cannot be passed over.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hean.errors import UnknownSymbol
from hean.feeds import rest_binance as binance
from hean.feeds import rest_bybit as bybit
from hean.feeds.listing import listed_from, stated_by_binance, stated_by_bybit, tiers_of_bybit
from hean.feeds.rest_binance import BinanceRest
from hean.net.http import Answer, HttpClient

MS = 1_000_000
STREAMS = "HEAN takes it from the stream"
UNUSED = "no part of HEAN asks for it"

BINANCE_RECORDED = "payloads/binance/recorded/gocryptotrader"
BYBIT_DOCUMENTED = "payloads/bybit/documented/bybit-net/rest/ExchangeData"
BINANCE_DOCUMENTED = "payloads/binance/documented/binance-net/rest"

NOT_READ = {
    "api_v3_avgPrice": UNUSED,
    "ticker_24hr": STREAMS,
    "ticker_bookTicker": STREAMS,
    "ticker_price": STREAMS,
    "openInterest": UNUSED,
    "premiumIndex": STREAMS,
    "GetAvgPrice": UNUSED,
    "GetBookPrice": STREAMS,
    "GetExecutionRules": UNUSED,
    "GetPrice": STREAMS,
    "GetRollingWindowTicker": UNUSED,
    "GetTicker": STREAMS,
    "GetTradingDayTicker": UNUSED,
    "GetMarkPrice.txt": STREAMS,
    "GetOpenInterest": UNUSED,
    "GetInsurance": UNUSED,
    "GetLongShortRatio": UNUSED,
    "GetLinearInverseTickers": STREAMS,
    "GetSpotTickers": STREAMS,
    "GetOrderPriceLimit": UNUSED,
    "GetSystemStatus": UNUSED,
}


def candles(body: bytes, raw: Any) -> None:
    rows = binance.candle_rows(binance.read_candles(body))
    assert_candles(rows, raw)


def assert_candles(rows: dict[str, Any], raw: list[list[Any]]) -> None:
    assert raw
    for place, name in enumerate(("ts", "open", "high", "low", "close", "volume")):
        scale = MS if name == "ts" else 1
        stated = [Decimal(str(row[place] if place < len(row) else 0).strip()) for row in raw]
        assert rows[name].tolist() == [float(value * scale) for value in stated]
    assert rows["ts"].dtype == "int64"


def agg_trades(body: bytes, raw: Any) -> None:
    rows = binance.trade_rows(binance.read_agg_trades(body))
    assert rows["ts"].tolist() == [row["T"] * MS for row in raw]
    assert rows["id"].tolist() == [row["a"] for row in raw]
    assert rows["price"].tolist() == [float(Decimal(row["p"])) for row in raw]
    assert rows["qty"].tolist() == [float(Decimal(row["q"])) for row in raw]
    assert rows["side"].tolist() == [1 if row["m"] else 0 for row in raw]


def fundings(body: bytes, raw: Any) -> None:
    rows = binance.funding_rows(binance.read_fundings(body))
    raw = raw or []  # three recorded windows without a settlement answer null
    assert rows["ts"].tolist() == [row["fundingTime"] * MS for row in raw]
    assert rows["rate"].tolist() == [float(Decimal(row["fundingRate"])) for row in raw]


def plain_trades(body: bytes, raw: Any) -> None:
    found = binance.read_trades(body)
    assert [(t.id, t.price, t.qty, t.time, t.is_buyer_maker) for t in found] == [
        (row["id"], row["price"], row["qty"], row["time"], row["isBuyerMaker"]) for row in raw
    ]


def depth(body: bytes, raw: Any) -> None:
    found = binance.read_depth(body)
    assert found.last_update_id == raw["lastUpdateId"]
    for side, levels in (("bids", found.bids), ("asks", found.asks)):
        assert levels == [(Decimal(price), Decimal(size)) for price, size in raw[side]]
    assert found.E == raw.get("E")


def server_time(body: bytes, raw: Any) -> None:
    assert binance.read_time(body).server_time == raw["serverTime"]


def funding_info(body: bytes, raw: Any) -> None:
    found = {row.symbol: row.funding_interval_hours for row in binance.read_funding_info(body)}
    assert found == {row["symbol"]: row["fundingIntervalHours"] for row in raw}


def exchange(body: bytes, raw: Any) -> None:
    found = binance.read_exchange(body)
    assert [row.symbol for row in found.symbols] == [row["symbol"] for row in raw["symbols"]]
    for row, stated in zip(found.symbols, raw["symbols"], strict=True):
        assert row.status == stated["status"]
        prices = [f for f in stated["filters"] if f.get("filterType") == "PRICE_FILTER"]
        assert [f.tick_size for f in row.filters if f.filter_type == "PRICE_FILTER"] == [
            f["tickSize"] for f in prices
        ]
    limits = [f.limit for f in found.rate_limits if f.rate_limit_type == "REQUEST_WEIGHT"]
    assert limits in ([], [6000], [2400])


BINANCE_READERS: dict[str, Callable[[bytes, Any], None]] = {
    "aggTrades": agg_trades,
    "GetAggregatedTradeHistory": agg_trades,
    "_klines": candles,
    "GetKlines": candles,
    "GetUiKlines": candles,
    "GetContinuousContractKlines": candles,
    "GetIndexPriceKlines": candles,
    "GetMarkPriceKlines": candles,
    "_depth": depth,
    "GetOrderBook": depth,
    "_exchangeInfo": exchange,
    "GetExchangeInfo": exchange,
    "fundingInfo": funding_info,
    "GetFundingInfo": funding_info,
    "fundingRate": fundings,
    "GetFundingRates": fundings,
    "_time": server_time,
    "GetServerTime": server_time,
    "_trades": plain_trades,
    "historicalTrades": plain_trades,
    "GetRecentTrades": plain_trades,
    "GetTradeHistory": plain_trades,
}


def reader_of(name: str) -> Callable[[bytes, Any], None] | None:
    """The check of a file, or `None` for one that is listed as not read."""
    unread = [key for key in NOT_READ if key in name]
    readers = [BINANCE_READERS[key] for key in BINANCE_READERS if key in name]
    assert len(unread) + len(readers) == 1, name
    return readers[0] if readers else None


def documented(path: Path) -> bytes:
    """The answer below the three lines that say how it was asked for."""
    return path.read_bytes().split(b"\n", 3)[3].strip()


def test_every_recorded_binance_answer_decodes_to_its_values(shared: Path) -> None:
    paths = sorted((shared / BINANCE_RECORDED).glob("*.json"))
    read = 0
    for path in paths:
        raw = json.loads(path.read_bytes())["response"]
        check = reader_of(path.name)
        if check is not None:
            check(json.dumps(raw).encode(), raw)
            read += 1
    assert (len(paths), read) == (41, 25)


@pytest.mark.parametrize(("market", "total", "read_min"), [("spot", 14, 7), ("usdm", 18, 12)])
def test_every_documented_binance_answer_decodes_to_its_values(
    shared: Path, market: str, total: int, read_min: int
) -> None:
    paths = sorted((shared / BINANCE_DOCUMENTED / market / "ExchangeData").glob("*.txt"))
    read = 0
    for path in paths:
        body = documented(path)
        check = reader_of(path.name)
        if check is not None:
            check(body, json.loads(body))
            read += 1
    assert len(paths) == total
    assert read >= read_min


@pytest.mark.parametrize("folder", ["spot-2021-10-12", "usdm-2021-07-22"])
def test_recorded_depth_answers_decode_level_by_level(shared: Path, folder: str) -> None:
    path = shared / "payloads/binance/recorded/cryptofeed" / folder / "http-depth.txt"
    answers = [m[1] for m in re.finditer(r"-> [\d.]+: (\{.*)", path.read_text())]
    assert len(answers) == 4
    for answer in answers:
        depth(answer.encode(), json.loads(answer))


def test_the_full_list_of_contracts_of_2021_decodes(shared: Path) -> None:
    path = shared / "payloads/binance/recorded/cryptofeed/usdm-2021-07-22/http-exchangeInfo.txt"
    body = path.read_text().splitlines()[0].split(": ", 1)[1].encode()
    exchange(body, json.loads(body))
    listed = {row.symbol: row for row in binance.read_exchange(body).symbols}
    old = listed_from("binance", "linear", stated_by_binance(listed["BTCUSDT"], "linear"))
    assert (old.tick, old.lot, old.notional_min) == (Decimal("0.01"), Decimal("0.001"), 5)


def test_a_recorded_refusal_is_an_unknown_symbol(shared: Path) -> None:
    """The venue once answered a ticker question for a contract it did not have."""
    path = shared / BINANCE_RECORDED / "fapi_v1_ticker_24hr-1.json"
    body = json.dumps(json.loads(path.read_bytes())["response"]).encode()

    answer = Answer(400, {}, body)
    rest = BinanceRest(
        HttpClient("http://nowhere", now=lambda: 0), "linear", now=lambda: 0, rng=random.Random(0)
    )
    with pytest.raises(UnknownSymbol, match="-1121 Invalid symbol"):
        rest.judge(answer)


BYBIT_READ = {
    "GetFundingRateHistory",
    "GetIndexPriceKlines",
    "GetKlines",
    "GetLinearInverseSymbols",
    "GetMarkPriceKlines",
    "GetOrderbook",
    "GetPremiumIndexPriceKlines",
    "GetRiskLimit",
    "GetSpotSymbols",
    "GetTradeHistory",
}


def bybit_body(shared: Path, name: str) -> tuple[bytes, Any]:
    body = documented(shared / BYBIT_DOCUMENTED / f"{name}.txt")
    return body, json.loads(body)["result"]


def test_every_documented_bybit_file_is_read_or_has_a_reason(shared: Path) -> None:
    names = {path.stem for path in (shared / BYBIT_DOCUMENTED).glob("*.txt")}
    assert {n for n in names if not any(key in f"{n}.txt" for key in NOT_READ)} == BYBIT_READ


@pytest.mark.parametrize(
    "name",
    ["GetKlines", "GetIndexPriceKlines", "GetMarkPriceKlines", "GetPremiumIndexPriceKlines"],
)
def test_bybit_candles_become_columns_oldest_first(shared: Path, name: str) -> None:
    body, raw = bybit_body(shared, name)
    found = bybit.read_candles(body)
    assert found.symbol == raw["symbol"]
    rows = bybit.candle_rows(found.rows)
    assert_candles(rows, raw["list"][::-1])
    assert rows["ts"].tolist() == sorted(rows["ts"].tolist())


def test_bybit_settlement_trade_and_book_keep_their_documented_values(shared: Path) -> None:
    rates = bybit.funding_rows(
        bybit.read_fundings(bybit_body(shared, "GetFundingRateHistory")[0]).rows
    )
    assert (rates["ts"].tolist(), rates["rate"].tolist()) == ([1672041600000 * MS], [0.0001])
    trades = bybit.trade_rows(
        bybit.read_trades(bybit_body(shared, "GetTradeHistory")[0]).rows, is_full=False
    )
    assert {name: values.tolist() for name, values in trades.items()} == {
        "ts": [1672052955758 * MS],
        "price": [16618.49],
        "qty": [0.00012],
        "side": [0],
        "id": [2100000000007764263],
    }
    book = bybit.read_depth(bybit_body(shared, "GetOrderbook")[0])
    assert (book.s, book.u, book.ts) == ("BTCUSDT", 243781, 1709199771584)
    assert book.b == [(Decimal("62710.2"), Decimal("5.52"))]
    assert book.a == [(Decimal("62710.3"), Decimal("0.01"))]


def test_documented_bybit_instruments_become_rules(shared: Path) -> None:
    (row,) = bybit.read_instruments(bybit_body(shared, "GetLinearInverseSymbols")[0]).rows
    perp = listed_from("bybit", "linear", stated_by_bybit(row, "linear", []))
    assert (perp.tick, perp.lot) == (Decimal("0.1"), Decimal("0.001"))
    assert (perp.quantity_min, perp.quantity_max) == (Decimal("0.001"), Decimal(100))
    assert (perp.notional_min, perp.funding_interval_s) == (5, 8 * 3600)
    assert perp.launch_ns == 1585526400000 * MS
    (row,) = bybit.read_instruments(bybit_body(shared, "GetSpotSymbols")[0]).rows
    spot = listed_from("bybit", "spot", stated_by_bybit(row, "spot", []))
    assert (spot.tick, spot.lot) == (Decimal("0.01"), Decimal("0.000001"))
    assert (spot.quantity_min, spot.notional_min) == (Decimal("0.000048"), 1)
    assert spot.quantity_max == Decimal("71.739562")  # 71.73956243 onto the lot


def test_the_documented_risk_limit_in_percents_becomes_fractions(shared: Path) -> None:
    rows = bybit.read_risk(bybit_body(shared, "GetRiskLimit")[0]).rows
    assert tiers_of_bybit("BTCUSD", rows) == (("150", "0.01", "0.005", "0.000"),)
