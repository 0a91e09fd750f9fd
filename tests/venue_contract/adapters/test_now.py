# SPDX-License-Identifier: Apache-2.0
"""The readers of tickers, quotes and open interest on the twins, by the address alone: each answer
is of the symbol that was asked for, and of several symbols there is a row of each.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from hean.feeds import rest_binance_now as binance
from hean.feeds import rest_bybit_now as bybit
from hean.feeds.rest import Stated
from hean.feeds.rest_binance import BinanceRest
from hean.feeds.rest_bybit import BybitRest
from hean.net.http import HttpClient
from venue_contract.twin_process import TwinProcess

Read = Callable[[bytes], Sequence[Stated]]
CASES: list[tuple[str, str, str, dict[str, str], Read]] = [
    ("bybit", "spot", "/v5/market/tickers", {"category": "spot"}, bybit.read_tickers),
    ("bybit", "linear", "/v5/market/tickers", {"category": "linear"}, bybit.read_tickers),
    (
        *("bybit", "linear", "/v5/market/open-interest"),
        *({"category": "linear", "intervalTime": "1h"}, bybit.read_open_interest),
    ),
    (
        *("bybit", "linear", "/v5/market/price-limit"),
        *({"category": "linear"}, bybit.read_price_limits),
    ),
    ("binance", "spot", "/api/v3/ticker/24hr", {}, binance.read_spans),
    ("binance", "spot", "/api/v3/ticker", {}, binance.read_spans),
    ("binance", "spot", "/api/v3/ticker/tradingDay", {}, binance.read_spans),
    ("binance", "spot", "/api/v3/ticker/bookTicker", {}, binance.read_quotes),
    ("binance", "spot", "/api/v3/ticker/price", {}, binance.read_last_prices),
    ("binance", "spot", "/api/v3/avgPrice", {}, binance.read_average_price),
    ("binance", "linear", "/fapi/v1/ticker/24hr", {}, binance.read_spans),
    ("binance", "linear", "/fapi/v1/ticker/bookTicker", {}, binance.read_quotes),
    ("binance", "linear", "/fapi/v1/ticker/price", {}, binance.read_last_prices),
    ("binance", "linear", "/fapi/v1/premiumIndex", {}, binance.read_mark_prices),
    ("binance", "linear", "/fapi/v1/openInterest", {}, binance.read_open_interest),
    (
        *("binance", "linear", "/futures/data/openInterestHist"),
        *({"period": "1h"}, binance.read_open_interest_then),
    ),
]
OF_ALL = ("/tickers", "/24hr", "/bookTicker", "/ticker/price", "/premiumIndex")


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]} {case[1]} {case[2]}")
def test_what_a_twin_says_of_now_is_read(request: pytest.FixtureRequest, case: Any) -> None:
    venue, market, path, query, read = case
    twin: TwinProcess = request.getfixturevalue(venue)

    async def ask() -> None:
        async with HttpClient(twin.rest_url, now=time.time_ns) as client:
            make = BybitRest if venue == "bybit" else BinanceRest
            rest = make(client, market, now=time.time_ns, rng=random.Random(0))
            for symbol in twin.symbols:
                found = await rest.get(path, {**query, "symbol": symbol}, read)
                assert {getattr(row, "symbol", symbol) for row in found} == {symbol}
            if path.endswith(OF_ALL):
                rows = await rest.get(path, query, read)
                assert {row.symbol for row in rows} >= set(twin.symbols)

    asyncio.run(ask())
