# SPDX-License-Identifier: Apache-2.0
"""Every recorded and documented REST payload of public market data, through the decoders of both
venues: no file is passed over, and a path that no table names fails.

Method: the files are read a second time with the standard library's JSON and compared value by
value as decimals; single values that a person can look up in the file stand here as numbers.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hean.errors import UnknownSymbol
from hean.feeds import rest_binance as binance
from hean.feeds import rest_binance_now as binance_now
from hean.feeds import rest_bybit as bybit
from hean.feeds import rest_bybit_now as bybit_now
from hean.feeds.listing import listed_from, stated_by_binance, stated_by_bybit, tiers_of_bybit
from hean.feeds.rest import Stated
from hean.feeds.rest_binance import BinanceRest
from hean.net.http import Answer, HttpClient

MS = 1_000_000
BINANCE_RECORDED = "payloads/binance/recorded/gocryptotrader"
REFUSED = "fapi_v1_ticker_24hr-1.json"  # the venue's refusal, see the test of it
BYBIT_DOCUMENTED = "payloads/bybit/documented/bybit-net/rest/ExchangeData"
BINANCE_DOCUMENTED = "payloads/binance/documented/binance-net/rest"


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


def assert_stated(found: Sequence[Stated], raw: Sequence[dict[str, Any]]) -> None:
    """Each field is the text of the file, and a field without a value is not in the file."""
    for row, stated in zip(found, raw, strict=True):
        for field in msgspec.structs.fields(row):
            value, text = getattr(row, field.name), stated.get(field.encode_name, "")
            if isinstance(value, list):
                assert msgspec.to_builtins(value) == text
            else:
                assert text == "" if value is None else value == type(value)(text)


def rows(read: Callable[[bytes], Sequence[Stated]]) -> Callable[[bytes, Any], None]:
    """The check of a reader of rows: nothing that the venue says is left out."""

    def check(body: bytes, raw: Any) -> None:
        listed = raw if isinstance(raw, list) else [raw]
        found = read(body)
        assert_stated(found, listed)
        for row, stated in zip(found, listed, strict=True):
            assert set(stated) <= {field.encode_name for field in msgspec.structs.fields(row)}

    return check


BINANCE_READERS: dict[str, Callable[[bytes, Any], None]] = {
    "aggTrades": agg_trades,
    "klines": candles,
    "uiKlines": candles,
    "continuousKlines": candles,
    "indexPriceKlines": candles,
    "markPriceKlines": candles,
    "depth": depth,
    "exchangeInfo": exchange,
    "fundingInfo": funding_info,
    "fundingRate": fundings,
    "time": server_time,
    "trades": plain_trades,
    "historicalTrades": plain_trades,
    "avgPrice": rows(binance_now.read_average_price),
    "ticker": rows(binance_now.read_spans),
    "ticker/24hr": rows(binance_now.read_spans),
    "ticker/tradingDay": rows(binance_now.read_spans),
    "ticker/bookTicker": rows(binance_now.read_quotes),
    "ticker/price": rows(binance_now.read_last_prices),
    "premiumIndex": rows(binance_now.read_mark_prices),
    "openInterest": rows(binance_now.read_open_interest),
    "openInterestHist": rows(binance_now.read_open_interest_then),
    "executionRules": rows(binance_now.read_execution_rules),
}


def check_binance(path: str, body: bytes) -> None:
    """By the path that was asked, without the prefix of its market."""
    name = re.sub(r"^/(api/v3|fapi/v[12]|futures/data)/", "", path)
    BINANCE_READERS[name](body, json.loads(body))


def documented(path: Path) -> tuple[str, bytes]:
    """The path that was asked, and the answer; above it stand method, path and signed or not."""
    _, asked, _, body = path.read_bytes().split(b"\n", 3)
    return asked.decode().strip(), body.strip()


def recorded(path: Path) -> tuple[str, bytes]:
    """The path that was asked, and the answer."""
    call = json.loads(path.read_bytes())
    return call["path"], json.dumps(call["response"]).encode()


def test_every_recorded_binance_answer_decodes_to_its_values(shared: Path) -> None:
    paths = sorted((shared / BINANCE_RECORDED).glob("*.json"))
    assert len(paths) == 41
    for path in paths:
        if path.name != REFUSED:
            check_binance(*recorded(path))


@pytest.mark.parametrize(("market", "total"), [("spot", 14), ("usdm", 18)])
def test_every_documented_binance_answer_decodes_to_its_values(
    shared: Path, market: str, total: int
) -> None:
    paths = sorted((shared / BINANCE_DOCUMENTED / market / "ExchangeData").glob("*.txt"))
    assert len(paths) == total
    for path in paths:
        check_binance(*documented(path))


LOOKED_UP: dict[str, tuple[Callable[[bytes], Sequence[Stated]], int, dict[str, Any]]] = {
    "api_v3_avgPrice": (
        binance_now.read_average_price,
        1,
        {"mins": 5, "price": Decimal("6622.02734157"), "close_time": None},
    ),
    "api_v3_ticker_24hr-1": (
        binance_now.read_spans,
        1,
        {"symbol": "ETHBTC", "price_change_percent": Decimal("-1.757"), "first_id": 221265272},
    ),
    "api_v3_ticker_24hr-2": (
        binance_now.read_spans,
        1,
        {"symbol": "DOGEUSDT", "volume": Decimal("1343961239.7"), "close_time": 1630042422749},
    ),
    "api_v3_ticker_24hr-3": (
        binance_now.read_spans,
        1,
        {"bid_price": Decimal("6705.88"), "ask_qty": Decimal("0.195188"), "count": 554428},
    ),
    "api_v3_ticker_bookTicker": (
        binance_now.read_quotes,
        1,
        {"bid_qty": Decimal("0.163567"), "ask_price": Decimal("6622.1"), "time": None},
    ),
    "api_v3_ticker_price": (
        binance_now.read_last_prices,
        1,
        {"symbol": "BTCUSDT", "price": Decimal("6622.57"), "time": None},
    ),
    "fapi_v1_openInterest": (
        binance_now.read_open_interest,
        1,
        {"open_interest": Decimal("83782.317"), "time": 1702244985273},
    ),
    "fapi_v1_premiumIndex-1": (
        binance_now.read_mark_prices,
        1,
        {"last_funding_rate": Decimal("0.00001226"), "next_funding_time": 1687248000000},
    ),
    "fapi_v1_premiumIndex-2": (
        binance_now.read_mark_prices,
        5,
        {"symbol": "KNCUSDT", "mark_price": Decimal("0.93419411"), "estimated_settle_price": None},
    ),
    "fapi_v1_ticker_24hr-2": (
        binance_now.read_spans,
        1,
        {"quote_volume": Decimal("22175129357.2"), "last_id": 1377202095, "bid_price": None},
    ),
    "fapi_v1_ticker_24hr-3": (
        binance_now.read_spans,
        5,
        {"symbol": "EOSUSDT", "weighted_avg_price": Decimal("2.61"), "open_time": 1611628980000},
    ),
    "fapi_v1_ticker_bookTicker-1": (
        binance_now.read_quotes,
        65,
        {"symbol": "NEARUSDT", "bid_price": Decimal("1.1138"), "time": 1602820275979},
    ),
    "fapi_v1_ticker_bookTicker-2": (
        binance_now.read_quotes,
        1,
        {"ask_price": Decimal("19116.5"), "ask_qty": Decimal("0.384"), "last_update_id": None},
    ),
    "fapi_v1_ticker_price-1": (
        binance_now.read_last_prices,
        1,
        {"price": Decimal("11492.32"), "time": 1602820249252},
    ),
    "fapi_v1_ticker_price-2": (
        binance_now.read_last_prices,
        28,
        {"symbol": "KNCUSDT", "price": Decimal("0.93463"), "time": 1602820237011},
    ),
}
"""Of each recorded answer about now: its reader, how many rows, and what the last one says."""


@pytest.mark.parametrize("name", LOOKED_UP)
def test_what_a_recorded_answer_about_now_says(shared: Path, name: str) -> None:
    read, count, last = LOOKED_UP[name]
    found = read(recorded(shared / BINANCE_RECORDED / f"{name}.json")[1])
    assert len(found) == count
    assert {field: getattr(found[-1], field) for field in last} == last


@pytest.mark.parametrize("text", ["NaN", "-Infinity", "ten", ""])
def test_a_number_that_is_none_is_refused_with_its_place(text: str) -> None:
    body = json.dumps([{"symbol": "BTCUSDT", "price": text}]).encode()
    with pytest.raises(msgspec.ValidationError, match=r"\$\[0\]"):
        binance_now.read_last_prices(body)


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
    _, body = recorded(shared / BINANCE_RECORDED / REFUSED)
    answer = Answer(400, {}, body)
    rest = BinanceRest(
        HttpClient("http://nowhere", now=lambda: 0), "linear", now=lambda: 0, rng=random.Random(0)
    )
    with pytest.raises(UnknownSymbol) as refusal:
        rest.judge(answer)
    assert refusal.value.message == "binance linear: -1121 Invalid symbol."
    with pytest.raises(msgspec.ValidationError, match="missing required field `symbol`"):
        binance_now.read_spans(body)


BYBIT_ROWS: dict[str, tuple[Callable[[bytes], Sequence[Stated]], int, dict[str, Any]]] = {
    "GetInsurance": (
        bybit_now.read_insurance,
        5,
        {"coin": "USDT", "symbols": "", "updated_time": 1714003200000},
    ),
    "GetLinearInverseTickers": (
        bybit_now.read_tickers,
        1,
        {"funding_rate": Decimal("-0.001034"), "next_funding_time": 1672387200000},
    ),
    "GetLongShortRatio": (
        bybit_now.read_account_ratios,
        1,
        {"buy_ratio": Decimal("0.5777"), "sell_ratio": Decimal("0.4223")},
    ),
    "GetOpenInterest": (
        bybit_now.read_open_interest,
        2,
        {"symbol": "BTCUSD", "open_interest": Decimal(461134292), "timestamp": 1669571100000},
    ),
    "GetOrderPriceLimit": (
        bybit_now.read_price_limits,
        1,
        {"buy_lmt": Decimal("105878.1"), "sell_lmt": Decimal("103781.6"), "ts": 1750302284491},
    ),
    "GetSpotTickers": (
        bybit_now.read_tickers,
        1,
        {"price_change_24h": Decimal("0.0068"), "mark_price": None, "funding_rate": None},
    ),
    "GetSystemStatus": (
        bybit_now.read_maintenance,
        6,
        {"state": "completed", "begin": 1751012688000, "product": [1, 2, 3, 4], "env": 2},
    ),
}
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
    _, body = documented(shared / BYBIT_DOCUMENTED / f"{name}.txt")
    return body, json.loads(body)["result"]


def test_every_documented_bybit_file_is_read(shared: Path) -> None:
    names = {path.stem for path in (shared / BYBIT_DOCUMENTED).glob("*.txt")}
    assert names == BYBIT_READ | BYBIT_ROWS.keys()


@pytest.mark.parametrize("name", BYBIT_ROWS)
def test_bybit_answers_about_now_keep_their_documented_values(shared: Path, name: str) -> None:
    body, raw = bybit_body(shared, name)
    read, count, last = BYBIT_ROWS[name]
    found = read(body)
    assert_stated(found, [{**raw, **row} for row in raw.get("list", [{}])])
    assert len(found) == count
    assert {field: getattr(found[-1], field) for field in last} == last


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
