# SPDX-License-Identifier: Apache-2.0
"""ccxt.pro's Bybit, unmodified but for its URLs: what it watches on the twin is what REST tells,
and orders can go over the socket.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import ccxt.pro
import pytest

from venue_contract.twin_process import TwinProcess

pytestmark = [pytest.mark.server, pytest.mark.asyncio]
SWAP, SPOT = "BTC/USDT:USDT", "BTC/USDT"
PATIENCE_S = 60.0  # a shared machine stalls; what is there is seen at once
PATIENT = {"timeout": 60_000, "options": {"recvWindow": 60_000}}


@pytest.fixture
async def client(bybit: TwinProcess) -> AsyncIterator[Any]:
    rest, base = bybit.rest_url, bybit.ws_base
    private = dict.fromkeys(("spot", "contract", "usdc", "trade"), f"{base}/v5/private")
    public = {kind: f"{base}/v5/public/{kind}" for kind in ("spot", "linear", "inverse", "option")}
    names = ("spot", "futures", "v2", "public", "private")
    api: dict[str, Any] = dict.fromkeys(names, rest)
    api["ws"] = {"public": public, "private": {**private, "trade": f"{base}/v5/trade"}}
    client = ccxt.pro.bybit(
        {
            **PATIENT,
            "apiKey": bybit.main.key,
            "secret": bybit.main.secret,
            "enableRateLimit": False,
            "urls": {"api": api},
        }
    )
    await client.load_markets()
    yield client
    await client.cancel_all_orders(SWAP)
    held = await client.fetch_position(SWAP)
    if held["contracts"]:
        side = "sell" if held["side"] == "long" else "buy"
        await client.create_order(SWAP, "market", side, held["contracts"], None, {"reduceOnly": 1})
    await client.close()


async def seen(watch: Callable[[], Awaitable[Any]], wanted: Callable[[Any], bool]) -> Any:
    """Watch until something is wanted. *Returns*: it."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            found = await watch()
            if wanted(found):
                return found


async def near(client: Any, factor: float, symbol: str = SWAP) -> str:
    ticker = await client.fetch_ticker(symbol)
    price: str = client.price_to_precision(symbol, ticker["last"] * factor)
    return price


@pytest.mark.parametrize("symbol", [SWAP, SPOT])
async def test_the_watched_book_is_the_book_of_rest(client: Any, symbol: str) -> None:
    """Of two watched books around a REST one the best levels of one must at some time be the same:
    how often depends on the machine.
    """

    async def watched_and_asked() -> bool:
        watched = await client.watch_order_book(symbol, 50)
        assert len(watched["bids"]) == len(watched["asks"]) == 50
        assert watched["bids"][0][0] < watched["asks"][0][0]
        best = watched["bids"][:5]
        asked = (await client.fetch_order_book(symbol, 50))["bids"][:5]
        return asked in (best, client.orderbooks[symbol]["bids"][:5])

    for _ in range(3):
        await seen(watched_and_asked, bool)


async def test_trades_tickers_and_candles_are_watched(client: Any) -> None:
    trades = await seen(lambda: client.watch_trades(SWAP), bool)
    assert {trade["side"] for trade in trades} <= {"buy", "sell"}
    ticker = await seen(lambda: client.watch_ticker(SWAP), lambda row: row["bid"] is not None)
    assert ticker["bid"] < ticker["ask"]
    spot = await seen(lambda: client.watch_ticker(SPOT), lambda row: row["last"] is not None)
    assert spot["last"] > 0
    candles = await seen(lambda: client.watch_ohlcv(SWAP, "1m"), bool)
    assert candles[-1][0] % 60_000 == 0


async def test_an_order_is_watched_from_open_to_cancelled(client: Any) -> None:
    link = f"t-{uuid.uuid4().hex[:20]}"
    told: list[Any] = []

    def ours(rows: Any) -> bool:
        told.extend(row["status"] for row in rows if row["clientOrderId"] == link)
        return "canceled" in told

    async def trade() -> None:
        more = {"clientOrderId": link}
        order = await client.create_order(
            SWAP, "limit", "buy", 0.01, await near(client, 0.97), more
        )
        await client.cancel_order(order["id"], SWAP)

    watching = asyncio.create_task(seen(client.watch_orders, ours))
    await _subscribed(client)
    await trade()
    await watching
    assert told[0] == "open"


async def test_a_fill_reaches_trades_positions_and_balance(client: Any) -> None:
    watching = [
        asyncio.create_task(seen(client.watch_my_trades, bool)),
        asyncio.create_task(
            seen(
                lambda: client.watch_positions([SWAP]),
                lambda rows: bool(rows) and rows[0]["contracts"] == 0.03,
            )
        ),
        asyncio.create_task(seen(client.watch_balance, lambda row: "USDT" in row)),
    ]
    await _subscribed(client, 3)
    order = await client.create_order(SWAP, "market", "buy", 0.03)
    fills, positions, balance = await asyncio.gather(*watching)
    assert fills[0]["order"] == order["id"]
    assert fills[0]["fee"]["cost"] > 0
    assert positions[0]["side"] == "long"
    assert balance["USDT"]["total"] > 0


async def test_orders_go_over_the_socket(client: Any) -> None:
    price = await near(client, 0.97)
    async with asyncio.timeout(PATIENCE_S):
        order = await client.create_order_ws(SWAP, "limit", "buy", 0.01, price)
        await client.edit_order_ws(order["id"], SWAP, "limit", "buy", 0.02, price)
        found = await client.fetch_open_orders(SWAP)
        assert [(row["id"], row["amount"]) for row in found] == [(order["id"], 0.02)]
        await client.cancel_order_ws(order["id"], SWAP)
        assert await client.fetch_open_orders(SWAP) == []


async def test_a_refused_socket_order_is_a_ccxt_error(client: Any) -> None:
    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(ccxt.InsufficientFunds):
            await client.create_order_ws(SWAP, "limit", "buy", 100, await near(client, 0.97))


async def test_unwatching_ends_a_stream_and_the_socket_stays(client: Any) -> None:
    await seen(lambda: client.watch_ticker(SWAP), bool)
    async with asyncio.timeout(PATIENCE_S):
        await client.un_watch_ticker(SWAP)
        await seen(lambda: client.watch_trades(SWAP), bool)


async def _subscribed(client: Any, topics: int = 1) -> None:
    """Wait until the private socket has its topics: the answer to a subscription is not told."""
    async with asyncio.timeout(PATIENCE_S):
        while sum(len(line.subscriptions) for line in client.clients.values()) <= topics:
            await asyncio.sleep(0.01)
        await client.fetch_time()
        await client.fetch_time()
