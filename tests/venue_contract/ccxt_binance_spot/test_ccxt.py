# SPDX-License-Identifier: Apache-2.0
"""ccxt's Binance, synchronous, asynchronous and with sockets, unmodified but for its URLs, trades
spot on the twin. ccxt knows spot sockets by `/stream` in the address, hence the host-like segment.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from typing import Any

import ccxt
import ccxt.pro
import pytest
import pytest_asyncio

from binance_waiting import PATIENCE_S, WINDOW_MS, near, new_id, take
from venue_contract.twin_process import TwinProcess, wait_until

PAIR = "BTC/USDT"
IN_MODULE = pytest.mark.asyncio(loop_scope="module")


def settings(twin: TwinProcess) -> dict[str, Any]:
    base, sockets = twin.rest_url, twin.ws_base
    return {
        "apiKey": twin.main.key,
        "secret": twin.main.secret,
        "timeout": WINDOW_MS,
        "options": {
            "fetchMarkets": {"types": ["spot"]},
            "defaultType": "spot",
            "recvWindow": WINDOW_MS,
        },
        "urls": {
            "api": {
                **{name: f"{base}/api/v3" for name in ("public", "private", "v1")},
                **{f"sapi{n}": f"{base}/sapi/v{n[1:] or 1}" for n in ("", "V2", "V3", "V4")},
                "ws": {
                    "spot": f"{sockets}/stream.binance.com/ws",
                    "ws-api": {"spot": f"{sockets}/ws-api/v3"},
                },
            }
        },
    }


@pytest.fixture(scope="module")
def exchange(binance: TwinProcess) -> Iterator[ccxt.binance]:
    exchange = ccxt.binance(settings(binance))
    exchange.load_markets()
    yield exchange
    exchange.session.close()


@pytest.fixture(autouse=True)
def nothing_open(exchange: ccxt.binance) -> Iterator[None]:
    yield
    if exchange.fetch_open_orders(PAIR):
        exchange.cancel_all_orders(PAIR)


@pytest.fixture
def price(exchange: ccxt.binance) -> float:
    return float(exchange.fetch_ticker(PAIR)["last"])


def test_markets_have_limits_and_steps(exchange: ccxt.binance) -> None:
    market = exchange.market(PAIR)
    assert market["spot"] and market["active"]
    assert market["precision"] == {
        **market["precision"],
        "amount": 1e-05,
        "price": 0.01,
    }
    assert market["limits"]["cost"]["min"] == 5.0
    assert exchange.price_to_precision(PAIR, 60_000.123) == "60000.12"


def test_book_ticker_trades_and_candles(exchange: ccxt.binance) -> None:
    book = exchange.fetch_order_book(PAIR, 20)
    assert len(book["bids"]) == 20 and book["bids"][0][0] < book["asks"][0][0] and book["nonce"]
    ticker = exchange.fetch_ticker(PAIR)
    assert ticker["bid"] < ticker["ask"] and ticker["low"] <= ticker["last"] <= ticker["high"]
    assert {PAIR, "ETH/USDT"} <= set(exchange.fetch_tickers())
    trades = wait_until(lambda: exchange.fetch_trades(PAIR, limit=5), "trades")
    assert [t["timestamp"] for t in trades] == sorted(t["timestamp"] for t in trades)
    rows = exchange.fetch_ohlcv(PAIR, "1h", limit=30)
    assert {b[0] - a[0] for a, b in itertools.pairwise(rows)} == {3_600_000}
    first = rows[3][0]
    assert exchange.fetch_ohlcv(PAIR, "1h", since=first, limit=2)[0][0] == first


def test_balances_and_fees(exchange: ccxt.binance) -> None:
    balance = exchange.fetch_balance()
    assert balance["BTC"]["total"] > 0
    assert balance["USDT"]["free"] + balance["USDT"]["used"] == pytest.approx(
        balance["USDT"]["total"]
    )
    assert exchange.fetch_trading_fee(PAIR)["maker"] == 0.001


def test_a_limit_order_lives_and_ends(exchange: ccxt.binance, price: float) -> None:
    own = new_id()
    order = exchange.create_order(
        PAIR, "limit", "buy", 0.01, float(near(price, 0.9)), {"clientOrderId": own}
    )
    assert (order["status"], order["clientOrderId"], order["filled"]) == ("open", own, 0.0)
    assert [o["id"] for o in exchange.fetch_open_orders(PAIR)] == [order["id"]]
    assert exchange.fetch_order(order["id"], PAIR)["amount"] == 0.01
    ended = exchange.cancel_order(order["id"], PAIR)
    assert ended["status"] == "canceled"
    assert exchange.fetch_order(order["id"], PAIR)["status"] == "canceled"


def test_ids_with_a_brokers_prefix_are_made_and_taken(exchange: ccxt.binance, price: float) -> None:
    order = exchange.create_order(PAIR, "limit", "buy", 0.01, float(near(price, 0.9)))
    assert order["clientOrderId"].startswith("x-")


def test_market_orders_fill_with_their_fee(exchange: ccxt.binance) -> None:
    bought = exchange.create_order(PAIR, "market", "buy", 0.01)
    assert (bought["status"], bought["filled"]) == ("closed", 0.01)
    sold = exchange.create_order(PAIR, "market", "sell", 0.01, None, {"newOrderRespType": "FULL"})
    assert sold["fee"]["currency"] == "USDT"
    assert sold["fee"]["cost"] == pytest.approx(sold["cost"] * 0.001)
    mine = exchange.fetch_my_trades(PAIR, limit=50)
    fills = [trade for trade in mine if trade["order"] == sold["id"]]
    assert sum(trade["amount"] for trade in fills) == pytest.approx(0.01)
    assert {trade["takerOrMaker"] for trade in fills} == {"taker"}
    by_cost = exchange.create_market_buy_order_with_cost(PAIR, 50)
    assert 49 < by_cost["cost"] <= 50


def test_life_times_and_triggers(exchange: ccxt.binance, price: float) -> None:
    far = float(near(price, 0.9))
    for life in ("IOC", "FOK"):
        order = exchange.create_order(PAIR, "limit", "buy", 0.01, far, {"timeInForce": life})
        assert order["status"] == "expired"
    with pytest.raises(ccxt.OrderImmediatelyFillable):
        exchange.create_order(
            PAIR, "limit", "buy", 0.01, float(near(price, 1.1)), {"postOnly": True}
        )
    stop = exchange.create_order(PAIR, "limit", "sell", 0.01, far, {"stopLossPrice": far})
    assert exchange.fetch_order(stop["id"], PAIR)["triggerPrice"] == far


def test_editing_replaces(exchange: ccxt.binance, price: float) -> None:
    order = exchange.create_order(PAIR, "limit", "buy", 0.01, float(near(price, 0.9)))
    higher = float(near(price, 0.91))
    edited = exchange.edit_order(order["id"], PAIR, "limit", "buy", 0.01, higher)
    assert edited["price"] == higher and edited["id"] != order["id"]
    assert exchange.fetch_order(order["id"], PAIR)["status"] == "canceled"


def test_refusals_become_ccxts_exceptions(exchange: ccxt.binance, price: float) -> None:
    """Some of ccxt's classes need the real host name; the code stands in the text then."""
    far = float(near(price, 0.9))
    with pytest.raises(ccxt.InsufficientFunds):
        exchange.create_order(PAIR, "limit", "buy", 100, far)
    with pytest.raises(ccxt.OrderNotFound):
        exchange.fetch_order("1", PAIR)
    with pytest.raises(ccxt.OrderNotFound):
        exchange.cancel_order("1", PAIR)
    with pytest.raises(ccxt.InvalidOrder, match="PERCENT_PRICE_BY_SIDE"):
        exchange.create_order(PAIR, "limit", "buy", 10, 1.0)
    with pytest.raises(ccxt.BadRequest, match="NOTIONAL"):
        exchange.create_order(PAIR, "limit", "buy", 0.00001, far)
    with pytest.raises(ccxt.BaseError, match="-1121"):
        exchange.public_get_ticker_price({"symbol": "NOSUCH"})


def test_a_key_that_may_only_read(binance: TwinProcess) -> None:
    reader = ccxt.binance(
        {
            **settings(binance),
            "apiKey": binance.readonly.key,
            "secret": binance.readonly.secret,
        }
    )
    reader.load_markets()
    assert reader.fetch_balance()["USDT"]["total"] > 0
    with pytest.raises(ccxt.BaseError, match="-2015"):
        reader.create_order(PAIR, "market", "buy", 0.01)
    reader.session.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pro(binance: TwinProcess) -> AsyncIterator[ccxt.pro.binance]:
    pro = ccxt.pro.binance(settings(binance))
    await pro.load_markets()
    yield pro
    await pro.close()


@IN_MODULE
async def test_the_asynchronous_client_trades(pro: ccxt.pro.binance, price: float) -> None:
    """ccxt.pro is the asynchronous client with sockets."""
    order = await pro.create_order(PAIR, "limit", "buy", 0.01, float(near(price, 0.9)))
    assert order["id"] in [each["id"] for each in await pro.fetch_open_orders(PAIR)]
    assert (await pro.cancel_order(order["id"], PAIR))["status"] == "canceled"


@IN_MODULE
async def test_a_watched_book_is_the_book(pro: ccxt.pro.binance, exchange: ccxt.binance) -> None:
    """Our own order is a level nobody else has: it must come and go on the stream."""
    book = await pro.watch_order_book(PAIR)
    assert book["bids"][0][0] < book["asks"][0][0]
    odd = round(book["bids"][0][0] - 50.37, 2)

    async def watch() -> Any:
        return await pro.watch_order_book(PAIR)

    def at(book: Any) -> float:
        return next((level[1] for level in book["bids"] if level[0] == odd), 0.0)

    before = at(book)
    order = exchange.create_order(PAIR, "limit", "buy", 0.0123, odd)
    await take(watch, lambda b: at(b) == pytest.approx(before + 0.0123), "our level")
    exchange.cancel_order(order["id"], PAIR)
    await take(watch, lambda b: at(b) == pytest.approx(before), "the level without us")


@IN_MODULE
async def test_watched_trades_tickers_and_candles(pro: ccxt.pro.binance) -> None:
    trades = await pro.watch_trades(PAIR)
    assert trades[-1]["symbol"] == PAIR
    ticker = await pro.watch_ticker(PAIR)
    assert ticker["last"] > 0
    touch = await pro.watch_bids_asks([PAIR])
    assert touch[PAIR]["bid"] < touch[PAIR]["ask"]
    candles = await pro.watch_ohlcv(PAIR, "1m")
    assert candles[-1][0] % 60_000 == 0


@IN_MODULE
async def test_watched_orders_fills_and_balances(
    pro: ccxt.pro.binance, exchange: ccxt.binance, price: float
) -> None:
    """Orders go by REST while the socket listens; each is told, whoever placed it."""
    own, far = new_id(), float(near(price, 0.9))
    orders = asyncio.ensure_future(pro.watch_orders(PAIR))
    balance = asyncio.ensure_future(pro.watch_balance())
    fills = asyncio.ensure_future(pro.watch_my_trades(PAIR))
    await take(lambda: _listening(pro), bool, "the subscription")
    order = exchange.create_order(PAIR, "limit", "buy", 0.01, far, {"clientOrderId": own})
    told = (await asyncio.wait_for(orders, PATIENCE_S))[-1]
    assert (told["clientOrderId"], told["status"]) == (own, "open")
    assert (await asyncio.wait_for(balance, PATIENCE_S))["USDT"]["used"] > 0
    sold = exchange.create_order(PAIR, "market", "sell", 0.001)
    trade = (await asyncio.wait_for(fills, PATIENCE_S))[-1]
    assert trade["order"] == sold["id"] and trade["fee"]["currency"] == "USDT"
    exchange.cancel_order(order["id"], PAIR)


async def _listening(pro: ccxt.pro.binance) -> bool:
    await asyncio.sleep(0.02)
    heard = {name for line in pro.clients.values() for name in line.futures}  # once answered
    return {f"orders:{PAIR}", f"myTrades:{PAIR}", "spot:balance"} <= heard


@IN_MODULE
async def test_orders_by_socket(pro: ccxt.pro.binance, price: float) -> None:
    order = await pro.create_order_ws(PAIR, "limit", "buy", 0.01, float(near(price, 0.9)))
    assert order["status"] == "open"
    found = await pro.fetch_order_ws(order["id"], PAIR)
    assert found["clientOrderId"] == order["clientOrderId"]
    ended = await pro.cancel_order_ws(order["id"], PAIR)
    assert ended["status"] == "canceled"
    with pytest.raises(ccxt.OrderNotFound):
        await pro.cancel_order_ws(order["id"], PAIR)
