# SPDX-License-Identifier: Apache-2.0
"""python-binance's asynchronous client, its socket manager, depth cache and WebSocket API,
unmodified but for their URLs, against the twin.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio
from binance.async_client import AsyncClient
from binance.exceptions import BinanceAPIException
from binance.ws.depthcache import DepthCacheManager
from binance.ws.streams import BinanceSocketManager

from binance_waiting import PATIENCE_S, WINDOW_MS, near, new_id, take
from venue_contract.twin_process import TwinProcess

pytestmark = pytest.mark.asyncio(loop_scope="module")
BTC = "BTCUSDT"


# One client for all: closing it takes ten seconds, the time its reader waits for a message.
@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(binance: TwinProcess) -> AsyncIterator[AsyncClient]:
    base, sockets = binance.rest_url, binance.ws_base

    class Local(AsyncClient):
        REQUEST_TIMEOUT, REQUEST_RECVWINDOW = PATIENCE_S, WINDOW_MS
        API_URL = f"{base}/api"
        WS_API_URL = f"{sockets}/ws-api/v3"
        WS_FUTURES_URL = f"{sockets}/ws-fapi/v1"

    client = await Local.create(binance.main.key, binance.main.secret)
    yield client
    for order in await client.get_open_orders():
        await client.cancel_order(symbol=order["symbol"], orderId=order["orderId"])
    await client.close_connection()


@pytest_asyncio.fixture(loop_scope="module")
async def sockets(client: AsyncClient, binance: TwinProcess) -> BinanceSocketManager:
    manager = BinanceSocketManager(client)
    manager.STREAM_URL = binance.ws_base + "/"
    return manager


@pytest_asyncio.fixture(loop_scope="module")
async def price(client: AsyncClient) -> float:
    return float((await client.get_symbol_ticker(symbol=BTC))["price"])


async def test_orders_by_rest(client: AsyncClient, price: float) -> None:
    order = await client.order_limit_buy(symbol=BTC, quantity="0.01", price=near(price, 0.9))
    assert [o["orderId"] for o in await client.get_open_orders(symbol=BTC)] == [order["orderId"]]
    report = await client.cancel_order(symbol=BTC, orderId=order["orderId"])
    assert report["status"] == "CANCELED"
    with pytest.raises(BinanceAPIException, match="Unknown order sent"):
        await client.cancel_order(symbol=BTC, orderId=order["orderId"])


async def test_trades_arrive_in_order(sockets: BinanceSocketManager) -> None:
    async with sockets.trade_socket(BTC) as stream:
        trades = [await asyncio.wait_for(stream.recv(), PATIENCE_S) for _ in range(4)]
    assert {trade["e"] for trade in trades} == {"trade"}
    assert [t["t"] for t in trades] == sorted({t["t"] for t in trades})


async def test_several_streams_on_one_socket(sockets: BinanceSocketManager) -> None:
    names = ["btcusdt@bookTicker", "btcusdt@aggTrade", "ethusdt@depth5@100ms"]
    seen: set[str] = set()
    async with sockets.multiplex_socket(names) as stream:

        def is_last(message: Any) -> bool:
            seen.add(message["stream"])
            return seen == set(names)

        await take(stream.recv, is_last, "all three streams")


async def test_candles_and_tickers(sockets: BinanceSocketManager) -> None:
    async with sockets.kline_socket(BTC, interval="1m") as stream:
        candle = (await asyncio.wait_for(stream.recv(), PATIENCE_S))["k"]
    assert candle["T"] - candle["t"] == 59_999 and candle["i"] == "1m" and not candle["x"]
    async with sockets.symbol_ticker_socket(BTC) as stream:
        ticker = await asyncio.wait_for(stream.recv(), PATIENCE_S)
    assert float(ticker["b"]) < float(ticker["a"])
    async with sockets.miniticker_socket() as stream:
        every = await asyncio.wait_for(stream.recv(), PATIENCE_S)
    assert BTC in {row["s"] for row in every}


async def test_the_difference_stream_has_no_gap_and_meets_the_snapshot(
    client: AsyncClient, sockets: BinanceSocketManager
) -> None:
    """The venue's own recipe: buffer, snapshot, drop, join, apply; then it equals the book."""
    bids: dict[str, str] = {}
    asks: dict[str, str] = {}
    async with sockets.depth_socket(BTC, interval=100) as stream:
        first = await asyncio.wait_for(stream.recv(), PATIENCE_S)
        snapshot = await client.get_order_book(symbol=BTC, limit=5000)
        last_id = snapshot["lastUpdateId"]
        assert first["U"] <= last_id + 1
        bids.update(snapshot["bids"])
        asks.update(snapshot["asks"])
        previous = first["u"]
        _apply(bids, asks, first, last_id)
        for _ in range(15):
            event = await asyncio.wait_for(stream.recv(), PATIENCE_S)
            assert event["U"] == previous + 1
            previous = event["u"]
            _apply(bids, asks, event, last_id)
    best_bid = max(bids, key=float)
    best_ask = min(asks, key=float)
    assert float(best_bid) < float(best_ask)


def _apply(bids: dict[str, str], asks: dict[str, str], event: Any, last_id: int) -> None:
    if event["u"] <= last_id:
        return
    for side, levels in ((bids, event["b"]), (asks, event["a"])):
        for level, quantity in levels:
            if float(quantity):
                side[level] = quantity
            else:
                side.pop(level, None)


async def test_the_depth_cache_follows_the_book(
    client: AsyncClient, sockets: BinanceSocketManager
) -> None:
    """An order of ours appears in the cache at its price and goes from it again."""
    manager = DepthCacheManager(client, symbol=BTC, bm=sockets, ws_interval=100, limit=5000)
    async with manager as cache:
        book = await cache.recv()
        odd = round(book.get_bids()[0][0] - 100.37, 2)
        order = await client.order_limit_buy(symbol=BTC, quantity="0.01234", price=f"{odd:.2f}")
        with_order = await take(cache.recv, lambda b: _at(b, odd) > 0, "our level")
        assert _at(with_order, odd) >= 0.01234
        had = _at(with_order, odd)
        await client.cancel_order(symbol=BTC, orderId=order["orderId"])
        await take(cache.recv, lambda b: abs(_at(b, odd) - (had - 0.01234)) < 1e-9, "level gone")


def _at(book: Any, price: float) -> float:
    return next((quantity for level, quantity in book.get_bids() if level == price), 0.0)


async def test_the_user_stream_tells_orders_fills_and_balances(
    client: AsyncClient, sockets: BinanceSocketManager, price: float
) -> None:
    own = new_id()
    async with sockets.user_socket() as stream:
        await client.order_limit_buy(
            symbol=BTC, quantity="0.01", price=near(price, 0.9), newClientOrderId=own
        )
        report = await take(stream.recv, lambda e: e.get("c") == own, "the new order")
        assert (report["e"], report["x"], report["X"]) == ("executionReport", "NEW", "NEW")
        position = await asyncio.wait_for(stream.recv(), PATIENCE_S)
        assert position["e"] == "outboundAccountPosition"
        assert {row["a"] for row in position["B"]} == {"USDT"}
        await client.cancel_order(symbol=BTC, origClientOrderId=own)
        cancel = await take(stream.recv, lambda e: e.get("x") == "CANCELED", "the cancel")
        assert cancel["C"] == own and cancel["c"] != own
        taken = await client.order_market_sell(symbol=BTC, quantity="0.001")
        fill = await take(stream.recv, lambda e: e.get("x") == "TRADE", "the fill")
        assert fill["i"] == taken["orderId"] and fill["N"] == "USDT"
        assert fill["t"] == taken["fills"][0]["tradeId"]
        assert Decimal(fill["Z"]) / Decimal(fill["z"]) == Decimal(fill["L"])


async def test_a_second_subscription_on_one_socket_is_refused(client: AsyncClient) -> None:
    await client._ws_api_request("userDataStream.subscribe.signature", True, {})
    with pytest.raises(BinanceAPIException) as caught:
        await client._ws_api_request("userDataStream.subscribe.signature", True, {})
    assert caught.value.code == -2035
    await client._ws_api_request("userDataStream.unsubscribe", False, {})


async def test_orders_by_socket(client: AsyncClient, price: float) -> None:
    own = new_id()
    placed = await client.ws_create_order(
        symbol=BTC,
        side="BUY",
        type="LIMIT",
        timeInForce="GTC",
        quantity="0.01",
        price=near(price, 0.9),
        newClientOrderId=own,
    )
    assert placed["clientOrderId"] == own
    found = await client.ws_get_order(symbol=BTC, origClientOrderId=own)
    assert found["orderId"] == placed["orderId"]
    opened = await client.ws_get_open_orders(symbol=BTC)
    assert [order["clientOrderId"] for order in opened] == [own]
    report = await client.ws_cancel_order(symbol=BTC, origClientOrderId=own)
    assert report["status"] == "CANCELED"
    with pytest.raises(BinanceAPIException) as caught:
        await client.ws_cancel_order(symbol=BTC, origClientOrderId=own)
    assert (caught.value.status_code, caught.value.code) == (400, -2011)


async def test_questions_by_socket(client: AsyncClient) -> None:
    assert (await client.ws_get_time())["serverTime"] > 0
    assert (await client.ws_get_order_book(symbol=BTC, limit=5))["lastUpdateId"] > 0
    account = await client.ws_get_account()
    assert {"BTC", "USDT"} <= {row["asset"] for row in account["balances"]}
    rows = await client.ws_get_klines(symbol=BTC, interval="1h", limit=3)
    assert len(rows) == 3
    info = await client.ws_get_exchange_info(symbol=BTC)
    assert info["symbols"][0]["symbol"] == BTC
