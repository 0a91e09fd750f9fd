# SPDX-License-Identifier: Apache-2.0
"""python-binance's asynchronous client, its futures sockets, user stream, depth cache and WebSocket
API, unmodified but for their URLs, against the twin.
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
from binance.ws.depthcache import FuturesDepthCacheManager
from binance.ws.streams import BinanceSocketManager

from binance_waiting import PATIENCE_S, WINDOW_MS, new_id, take
from usdm_flat import BTC, flatten, near
from venue_contract.twin_process import TwinProcess

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(binance: TwinProcess) -> AsyncIterator[AsyncClient]:
    base, sockets = binance.rest_url, binance.ws_base

    class Local(AsyncClient):
        REQUEST_TIMEOUT, REQUEST_RECVWINDOW = PATIENCE_S, WINDOW_MS
        API_URL = f"{base}/api"
        FUTURES_URL = f"{base}/fapi"
        WS_API_URL = f"{sockets}/ws-api/v3"
        WS_FUTURES_URL = f"{sockets}/ws-fapi/v1"

    client = await Local.create(binance.main.key, binance.main.secret)
    yield client
    await client.close_connection()


@pytest_asyncio.fixture(loop_scope="module")
async def sockets(client: AsyncClient, binance: TwinProcess) -> BinanceSocketManager:
    manager = BinanceSocketManager(client)
    manager.FSTREAM_URL = binance.ws_base + "/"
    return manager


@pytest_asyncio.fixture(loop_scope="module")
async def price(client: AsyncClient) -> float:
    return float((await client.futures_symbol_ticker(symbol=BTC))["price"])


# One user socket for all: closing it takes ten seconds, as long as its reader waits for a message.
@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def user(client: AsyncClient, binance: TwinProcess) -> AsyncIterator[Any]:
    manager = BinanceSocketManager(client)
    manager.FSTREAM_URL = binance.ws_base + "/"
    async with manager.futures_user_socket() as stream:
        yield stream


def limit(price: float) -> dict[str, Any]:
    terms = {"side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}
    return {"symbol": BTC, "price": near(price, 0.9), **terms}


async def receive(stream: Any) -> Any:
    return await asyncio.wait_for(stream.recv(), PATIENCE_S)


async def test_orders_by_rest(client: AsyncClient, price: float) -> None:
    order = await client.futures_create_order(**limit(price))
    gone = await client.futures_cancel_order(symbol=BTC, orderId=order["orderId"])
    assert gone["status"] == "CANCELED"
    with pytest.raises(BinanceAPIException, match="Unknown order sent"):
        await client.futures_cancel_order(symbol=BTC, orderId=order["orderId"])


async def test_market_streams_of_a_symbol(sockets: BinanceSocketManager) -> None:
    async with sockets.aggtrade_futures_socket(BTC) as stream:
        trade = (await receive(stream))["data"]
    assert (trade["e"], trade["s"]) == ("aggTrade", BTC)
    async with sockets.symbol_mark_price_socket(BTC) as stream:
        mark = (await receive(stream))["data"]
    assert mark["e"] == "markPriceUpdate" and mark["T"] > mark["E"]
    async with sockets.symbol_ticker_futures_socket(BTC) as stream:
        touch = (await receive(stream))["data"]
    assert float(touch["b"]) < float(touch["a"])
    async with sockets.kline_futures_socket(BTC, interval="1m") as stream:
        candle = await receive(stream)
    assert (candle["e"], candle["ct"]) == ("continuous_kline", "PERPETUAL")


async def test_streams_of_all_markets(sockets: BinanceSocketManager) -> None:
    async with sockets.all_mark_price_socket() as stream:
        marks = (await receive(stream))["data"]
    assert BTC in {row["s"] for row in marks}
    async with sockets.all_ticker_futures_socket() as stream:
        touches = (await receive(stream))["data"]
    assert (touches[0] if isinstance(touches, list) else touches)["e"] == "bookTicker"
    names = ["btcusdt@aggTrade", "ethusdt@markPrice@1s"]
    seen: set[str] = set()

    def is_last(message: Any) -> bool:
        seen.add(message["stream"])
        return seen == set(names)

    async with sockets.futures_multiplex_socket(names, category="market") as stream:
        await take(stream.recv, is_last, "both streams")


async def test_the_diff_stream_meets_the_snapshot(
    client: AsyncClient, sockets: BinanceSocketManager
) -> None:
    """The venue's own recipe for futures; then the book equals one taken by REST."""
    async with sockets.futures_depth_socket(BTC, depth="") as stream:
        events = [(await receive(stream))["data"]]
        snapshot = await client.futures_order_book(symbol=BTC, limit=1000)
        book = {name: dict(snapshot[name]) for name in ("bids", "asks")}
        while events[-1]["u"] < snapshot["lastUpdateId"]:
            events.append((await receive(stream))["data"])
        kept = [event for event in events if event["u"] >= snapshot["lastUpdateId"]]
        assert kept[0]["U"] <= snapshot["lastUpdateId"] <= kept[0]["u"]
        for _ in range(10):
            kept.append((await receive(stream))["data"])
            assert kept[-1]["pu"] == kept[-2]["u"]
    for event in kept:
        for name, letter in (("bids", "b"), ("asks", "a")):
            book[name].update(event[letter])
    live = {n: {p for p, q in side.items() if Decimal(q)} for n, side in book.items()}
    assert max(map(Decimal, live["bids"])) < min(map(Decimal, live["asks"]))


async def test_the_depth_cache_keeps_a_book(
    client: AsyncClient, sockets: BinanceSocketManager
) -> None:
    async with FuturesDepthCacheManager(client, BTC, bm=sockets) as cache:
        book = await asyncio.wait_for(cache.recv(), PATIENCE_S)
        bids, asks = book.get_bids(), book.get_asks()
    assert bids[0][0] < asks[0][0]


@pytest.mark.parametrize("maker", [False, True])
async def test_the_user_stream_tells_orders_fills_and_positions(
    client: AsyncClient, user: Any, binance: TwinProcess, maker: bool
) -> None:
    flatten(binance)
    own, frames = new_id(), list[Any]()
    terms: dict[str, Any] = {"type": "MARKET"}
    if maker:
        touch = await client.futures_orderbook_ticker(symbol=BTC)
        terms = {
            "type": "LIMIT",
            "timeInForce": "GTX",
            "price": near(float(touch["bidPrice"]), 0.995),
        }
    await client.futures_create_order(
        symbol=BTC, side="BUY", quantity="0.020", newClientOrderId=own, **terms
    )
    if maker:
        binance.control.post("price", symbol=BTC, move_fraction="-0.01")

    def is_last(message: Any) -> bool:
        is_own = message["e"] == "ORDER_TRADE_UPDATE" and message["o"]["c"] == own
        if is_own or frames:
            frames.append(message)
        return bool(message["e"] == "ACCOUNT_UPDATE" and frames)

    await take(user.recv, is_last, "the account update of a fill")
    orders = [f["o"] for f in frames if f["e"] == "ORDER_TRADE_UPDATE"]
    assert {order["c"] for order in orders} == {own}
    assert [orders[0]["x"], orders[-1]["x"]] == ["NEW", "TRADE"]
    assert orders[-1]["m"] is maker
    update = frames[-1]["a"]
    assert update["m"] == "ORDER" and update["P"][0]["pa"] == orders[-1]["z"]
    assert update["B"][0]["a"] == "USDT"


async def test_settings_and_stops_reach_the_user_stream(
    client: AsyncClient, user: Any, price: float, binance: TwinProcess
) -> None:
    await client.futures_change_leverage(symbol=BTC, leverage=17)
    change = {"s": BTC, "l": 17}
    await take(user.recv, lambda m: m.get("ac") == change, "the new leverage")
    stop = await client.futures_create_order(
        symbol=BTC, side="SELL", type="STOP_MARKET", triggerPrice=near(price, 0.95), quantity="0.01"
    )

    def is_ours(message: Any) -> bool:
        return bool(message["e"] == "ALGO_UPDATE" and message["o"]["aid"] == stop["algoId"])

    told = await take(user.recv, is_ours, "the stop")
    assert told["o"]["X"] == "NEW"
    flatten(binance)


async def test_orders_over_the_socket_api(client: AsyncClient, price: float) -> None:
    order = await client.ws_futures_create_order(**limit(price))
    number = {"symbol": BTC, "orderId": order["orderId"]}
    changed = await client.ws_futures_edit_order(
        **number, side="BUY", quantity="0.02", price=near(price, 0.9)
    )
    assert changed["origQty"] == "0.020"
    assert (await client.ws_futures_get_order(**number))["status"] == "NEW"
    assert (await client.ws_futures_cancel_order(**number))["status"] == "CANCELED"
    with pytest.raises(BinanceAPIException) as caught:
        await client.ws_futures_cancel_order(**number)
    assert caught.value.code == -2011


async def test_questions_over_the_socket_api(client: AsyncClient) -> None:
    book = await client.ws_futures_get_order_book(symbol=BTC)
    assert float(book["bids"][0][0]) < float(book["asks"][0][0])
    assert (await client.ws_futures_get_all_tickers(symbol=BTC))["symbol"] == BTC
    (balance,) = await client.ws_futures_v2_account_balance()
    assert balance["asset"] == "USDT"
    account = await client.ws_futures_v2_account_status()
    assert Decimal(account["totalWalletBalance"]) == Decimal(balance["balance"])
    assert await client.ws_futures_v2_account_position() == []
