# SPDX-License-Identifier: Apache-2.0
"""ccxt's Binance USD-M, synchronous, asynchronous and with sockets, unmodified but for its URLs,
trades on the twin.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from typing import Any

import ccxt
import ccxt.async_support
import ccxt.pro
import pytest
import pytest_asyncio

from binance_waiting import PATIENCE_S, WINDOW_MS, new_id, take
from usdm_flat import BTC, flatten
from venue_contract.twin_process import TwinProcess, wait_until

SWAP = "BTC/USDT:USDT"
IN_MODULE = pytest.mark.asyncio(loop_scope="module")


def settings(twin: TwinProcess) -> dict[str, Any]:
    base, sockets = twin.rest_url, twin.ws_base
    versions = {"": 1, "V2": 2, "V3": 3}
    futures = {
        f"fapi{kind}{tail}": f"{base}/fapi/v{number}"
        for kind in ("Public", "Private")
        for tail, number in versions.items()
    }
    sockets_api = {"future": f"{sockets}/ws-fapi/v1"}
    return {
        "apiKey": twin.main.key,
        "secret": twin.main.secret,
        "enableRateLimit": False,
        "timeout": WINDOW_MS,
        "options": {"recvWindow": WINDOW_MS},
        "urls": {
            "api": {
                **futures,
                "fapiData": f"{base}/futures/data",
                **{name: f"{base}/api/v3" for name in ("public", "private", "v1")},
                **{f"sapi{tail}": f"{base}/sapi/v{number}" for tail, number in versions.items()},
                "ws": {"future": f"{sockets}/ws", "ws-api": sockets_api},
            }
        },
    }


@pytest.fixture(scope="module")
def exchange(binance: TwinProcess) -> Iterator[Any]:
    exchange = ccxt.binanceusdm(settings(binance))
    exchange.load_markets()
    yield exchange
    exchange.session.close()


@pytest.fixture(autouse=True)
def flat(binance: TwinProcess) -> Iterator[None]:
    yield
    flatten(binance)


@pytest.fixture
def price(exchange: Any) -> float:
    return float(exchange.fetch_ticker(SWAP)["last"])


def far(exchange: Any, price: float, factor: float = 0.9) -> str:
    return str(exchange.price_to_precision(SWAP, price * factor))


def test_markets_have_their_rules(exchange: Any) -> None:
    market = exchange.market(SWAP)
    assert (market["swap"], market["linear"], market["settle"]) == (True, True, "USDT")
    assert market["precision"] == {**market["precision"], "price": 0.1, "amount": 0.001}
    assert market["limits"]["cost"]["min"] == 100.0
    assert market["limits"]["amount"]["min"] == 0.001


def test_public_data_is_parsed(exchange: Any) -> None:
    book = exchange.fetch_order_book(SWAP, 10)
    assert len(book["bids"]) == 10
    assert book["bids"][0][0] < book["asks"][0][0]
    trades = wait_until(lambda: exchange.fetch_trades(SWAP, limit=5), "a trade")
    assert {trade["side"] for trade in trades} <= {"buy", "sell"}
    assert exchange.fetch_tickers([SWAP])[SWAP]["percentage"] is not None
    assert exchange.fetch_open_interest(SWAP)["openInterestAmount"] > 0
    before = exchange.milliseconds()
    assert before - 1 <= exchange.fetch_time() <= exchange.milliseconds() + 1
    assert exchange.fetch_bids_asks([SWAP])[SWAP]["bid"] > 0


def test_candles_page_forwards(exchange: Any) -> None:
    since = exchange.milliseconds() - 2_000 * 60_000
    first = exchange.fetch_ohlcv(SWAP, "1m", since=since, limit=1_000)
    second = exchange.fetch_ohlcv(SWAP, "1m", since=first[-1][0] + 60_000, limit=1_000)
    starts = [row[0] for row in first + second]
    assert {b - a for a, b in itertools.pairwise(starts)} == {60_000}
    assert len(exchange.fetch_mark_ohlcv(SWAP, "1h", limit=3)) == 3


def test_funding_is_parsed(exchange: Any) -> None:
    rate = exchange.fetch_funding_rate(SWAP)
    assert rate["fundingTimestamp"] > exchange.milliseconds()
    assert rate["markPrice"] > 0
    history = exchange.fetch_funding_rate_history(SWAP, limit=5)
    assert len(history) == 5
    assert history[0]["timestamp"] < history[-1]["timestamp"]
    intervals = exchange.fetch_funding_intervals([SWAP])
    assert intervals.get(SWAP, {"interval": "8h"})["interval"] == "8h"


def test_a_limit_order_is_placed_changed_and_cancelled(exchange: Any, price: float) -> None:
    own = new_id()
    limit = far(exchange, price)
    order = exchange.create_order(SWAP, "limit", "buy", 0.01, limit, {"newClientOrderId": own})
    assert order["clientOrderId"] == own
    assert exchange.fetch_order(order["id"], SWAP)["status"] == "open"
    changed = exchange.edit_order(order["id"], SWAP, "limit", "buy", 0.02, limit)
    assert changed["amount"] == 0.02
    assert [o["id"] for o in exchange.fetch_open_orders(SWAP)] == [order["id"]]
    assert exchange.cancel_order(order["id"], SWAP)["status"] == "canceled"
    assert exchange.fetch_order(order["id"], SWAP)["status"] == "canceled"
    with pytest.raises(ccxt.OrderNotFound):
        exchange.cancel_order(order["id"], SWAP)


def test_a_position_opens_and_closes_with_its_fees(exchange: Any) -> None:
    exchange.create_order(SWAP, "market", "buy", 0.05)
    (position,) = exchange.fetch_positions([SWAP])
    assert (position["side"], position["contracts"]) == ("long", 0.05)
    assert position["marginMode"] == "cross"
    (fill, *_) = [t for t in exchange.fetch_my_trades(SWAP) if t["side"] == "buy"][-1:]
    assert fill["takerOrMaker"] == "taker"
    assert fill["fee"]["cost"] == pytest.approx(fill["cost"] * 0.0005)
    closed = exchange.create_order(SWAP, "market", "sell", 0.05, None, {"reduceOnly": True})
    assert exchange.fetch_order(closed["id"], SWAP)["filled"] == 0.05
    assert exchange.fetch_positions([SWAP]) == []
    with pytest.raises(ccxt.ExchangeError, match="-2022"):
        exchange.create_order(SWAP, "market", "sell", 0.05, None, {"reduceOnly": True})


def test_balance_and_income_are_parsed(exchange: Any) -> None:
    balance = exchange.fetch_balance()
    assert 0 < balance["USDT"]["free"] <= balance["USDT"]["total"]
    exchange.create_order(SWAP, "market", "buy", 0.01)
    ledger = exchange.fetch_ledger("USDT")
    assert "commission" in {row["type"] for row in ledger}
    assert exchange.fetch_trading_fee(SWAP)["taker"] == 0.0005


@pytest.mark.parametrize(
    ("kind", "side", "factor", "params"),
    [
        ("market", "sell", None, {"stopLossPrice": 0.95}),
        ("limit", "sell", 0.94, {"stopLossPrice": 0.95}),
        ("market", "sell", None, {"takeProfitPrice": 1.04}),
        ("market", "sell", None, {"trailingPercent": 2}),
    ],
)
def test_conditional_orders_wait_and_are_cancelled(
    exchange: Any, price: float, kind: str, side: str, factor: float | None, params: Any
) -> None:
    exchange.create_order(SWAP, "market", "buy", 0.01)
    given = {
        name: value if name == "trailingPercent" else float(far(exchange, price, value))
        for name, value in params.items()
    }
    limit = None if factor is None else far(exchange, price, factor)
    order = exchange.create_order(SWAP, kind, side, 0.01, limit, given)
    waiting = exchange.fetch_open_orders(SWAP, params={"trigger": True})
    assert [o["id"] for o in waiting] == [order["id"]]
    exchange.cancel_order(order["id"], SWAP, {"trigger": True})
    assert exchange.fetch_open_orders(SWAP, params={"trigger": True}) == []


def test_several_orders_at_once(exchange: Any, price: float) -> None:
    terms = {"symbol": SWAP, "type": "limit", "side": "buy", "amount": 0.01}
    orders = exchange.create_orders(
        [{**terms, "price": far(exchange, price, f), "params": {}} for f in (0.9, 0.89)]
    )
    assert len(exchange.fetch_open_orders(SWAP)) == 2
    exchange.cancel_orders([order["id"] for order in orders], SWAP)
    assert exchange.fetch_open_orders(SWAP) == []


@pytest.mark.parametrize(
    ("amount", "factor", "params", "code"),
    [
        (900, 0.9, {}, "-2019"),
        (0.01, 1.2, {}, "-4016"),
        (0.001, 0.9, {}, "-4164"),
        (0.01, 1.02, {"postOnly": True}, "-5022"),
        (0.01, 0.9, {"timeInForce": "FOK"}, "-5021"),
        (0.01, 0.9, {"positionSide": "LONG"}, "-4061"),
    ],
)
def test_refusals_carry_their_codes(
    exchange: Any, price: float, amount: float, factor: float, params: Any, code: str
) -> None:
    with pytest.raises(ccxt.ExchangeError, match=code):
        exchange.create_order(SWAP, "limit", "buy", amount, far(exchange, price, factor), params)


def test_settings_are_changed_and_read(exchange: Any) -> None:
    exchange.set_leverage(15, SWAP)
    assert exchange.fetch_leverage(SWAP)["longLeverage"] == 15
    exchange.set_margin_mode("isolated", SWAP)
    assert exchange.fetch_margin_mode(SWAP)["marginMode"] == "isolated"
    tiers = exchange.fetch_leverage_tiers([SWAP])[SWAP]
    assert tiers[0]["maxLeverage"] == 125


def test_hedge_mode_holds_two_legs(exchange: Any) -> None:
    exchange.set_position_mode(True)
    assert exchange.fetch_position_mode(SWAP)["hedged"] is True
    exchange.create_order(SWAP, "market", "buy", 0.02, None, {"positionSide": "LONG"})
    exchange.create_order(SWAP, "market", "sell", 0.01, None, {"positionSide": "SHORT"})
    held = {p["side"]: p["contracts"] for p in exchange.fetch_positions([SWAP])}
    assert held == {"long": 0.02, "short": 0.01}


async def test_the_asynchronous_client_trades(binance: TwinProcess) -> None:
    async with ccxt.async_support.binanceusdm(settings(binance)) as exchange:
        ticker = await exchange.fetch_ticker(SWAP)
        limit = exchange.price_to_precision(SWAP, ticker["last"] * 0.9)
        order = await exchange.create_order(SWAP, "limit", "buy", 0.01, limit)
        assert (await exchange.cancel_order(order["id"], SWAP))["status"] == "canceled"


# --- sockets


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def live(binance: TwinProcess) -> AsyncIterator[Any]:
    exchange = ccxt.pro.binanceusdm(settings(binance))
    await exchange.load_markets()
    yield exchange
    await exchange.close()


@IN_MODULE
async def test_the_watched_book_is_the_books(live: Any) -> None:
    for _ in range(10):
        book = await asyncio.wait_for(live.watch_order_book(SWAP), PATIENCE_S)
        assert book["bids"][0][0] < book["asks"][0][0]
    assert book["nonce"] > 0


@IN_MODULE
async def test_watched_trades_candles_and_tickers(live: Any) -> None:
    trades = await asyncio.wait_for(live.watch_trades(SWAP), PATIENCE_S)
    assert trades[-1]["symbol"] == SWAP
    candles = await asyncio.wait_for(live.watch_ohlcv(SWAP, "1m"), PATIENCE_S)
    assert candles[-1][3] <= candles[-1][4] <= candles[-1][2]
    ticker = await asyncio.wait_for(live.watch_ticker(SWAP), PATIENCE_S)
    assert ticker["last"] > 0
    mark = await asyncio.wait_for(live.watch_mark_price(SWAP), PATIENCE_S)
    assert mark["markPrice"] > 0
    touch = await asyncio.wait_for(live.watch_bids_asks([SWAP]), PATIENCE_S)
    assert touch[SWAP]["bid"] < touch[SWAP]["ask"]


@IN_MODULE
async def test_own_orders_trades_positions_and_balance_are_told(live: Any) -> None:
    watched = {
        "orders": asyncio.ensure_future(live.watch_orders(SWAP)),
        "trades": asyncio.ensure_future(live.watch_my_trades(SWAP)),
        "positions": asyncio.ensure_future(live.watch_positions([SWAP])),
        "balance": asyncio.ensure_future(live.watch_balance()),
    }

    async def is_heard() -> bool:
        """Sockets need a moment to open: trade until everything has been told."""
        await live.create_order(SWAP, "market", "buy", 0.01)
        await asyncio.wait(watched.values(), timeout=0.5)
        return all(each.done() for each in watched.values())

    await take(is_heard, bool, "orders, trades, positions and balance")
    assert watched["orders"].result()[-1]["symbol"] == SWAP
    assert watched["trades"].result()[-1]["fee"]["currency"] == "USDT"
    assert watched["positions"].result()[-1]["side"] == "long"
    assert watched["balance"].result()["USDT"]["total"] > 0


@IN_MODULE
async def test_orders_over_the_socket(live: Any) -> None:
    ticker = await live.fetch_ticker(SWAP)
    limit = live.price_to_precision(SWAP, ticker["last"] * 0.9)
    order = await live.create_order_ws(SWAP, "limit", "buy", 0.01, limit)
    changed = await live.edit_order_ws(order["id"], SWAP, "limit", "buy", 0.02, limit)
    assert changed["amount"] == 0.02
    assert (await live.fetch_order_ws(order["id"], SWAP))["status"] == "open"
    assert (await live.cancel_order_ws(order["id"], SWAP))["status"] == "canceled"
    with pytest.raises(ccxt.ExchangeError, match="-2011"):
        await live.cancel_order_ws(order["id"], SWAP)
    balance = await live.fetch_balance_ws()
    assert balance["USDT"]["total"] > 0
    assert await live.fetch_positions_ws([SWAP]) == []


def test_the_symbol_is_the_exchanges(exchange: Any) -> None:
    assert exchange.market(SWAP)["id"] == BTC
