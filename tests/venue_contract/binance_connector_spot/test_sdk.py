# SPDX-License-Identifier: Apache-2.0
"""binance-sdk-spot, unmodified but for its URLs: REST, WebSocket API and streams. Its models are
strict, so every field of every answer here has the documented JSON type or the call fails.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from binance_common.configuration import (
    ConfigurationRestAPI,
    ConfigurationWebSocketAPI,
    ConfigurationWebSocketStreams,
)
from binance_common.errors import BadRequestError, UnauthorizedError
from binance_sdk_spot.rest_api import SpotRestAPI
from binance_sdk_spot.spot import Spot

from binance_waiting import PATIENCE_S, near
from venue_contract.twin_process import TwinProcess

BTC = "BTCUSDT"
PATIENCE_MS = int(PATIENCE_S * 1_000)


def spot_of(twin: TwinProcess, *, key: str, secret: str) -> Spot:
    return Spot(
        config_rest_api=ConfigurationRestAPI(
            api_key=key, api_secret=secret, base_path=twin.rest_url, timeout=PATIENCE_MS
        ),
        config_ws_api=ConfigurationWebSocketAPI(
            api_key=key,
            api_secret=secret,
            stream_url=f"{twin.ws_base}/ws-api/v3",
            timeout=PATIENCE_MS,
        ),
        config_ws_streams=ConfigurationWebSocketStreams(stream_url=twin.ws_base),
    )


@pytest.fixture(scope="module")
def spot(binance: TwinProcess) -> Spot:
    return spot_of(binance, key=binance.main.key, secret=binance.main.secret)


@pytest.fixture(scope="module")
def rest(spot: Spot) -> SpotRestAPI:
    return spot.rest_api


@pytest.fixture
def price(rest: SpotRestAPI) -> float:
    return float(rest.ticker_price(symbol=BTC).data().actual_instance.price)


def limit(rest: SpotRestAPI, price: float, **params: Any) -> Any:
    terms = {"time_in_force": "GTC", "quantity": 0.01, "price": float(near(price, 0.9))}
    return rest.new_order(symbol=BTC, side="BUY", type="LIMIT", **{**terms, **params}).data()


def test_every_public_answer_fits_its_model(rest: SpotRestAPI) -> None:
    assert rest.time().data().server_time > 0
    info = rest.exchange_info(symbol=BTC).data()
    assert info.symbols[0].symbol == BTC and len(info.symbols[0].filters) >= 7
    assert rest.depth(symbol=BTC, limit=5).data().last_update_id > 0
    assert rest.get_trades(symbol=BTC, limit=3).data() is not None
    assert rest.historical_trades(symbol=BTC, limit=3).data() is not None
    assert rest.agg_trades(symbol=BTC, limit=3).data() is not None
    assert len(rest.klines(symbol=BTC, interval="1m", limit=3).data()) == 3
    assert len(rest.ui_klines(symbol=BTC, interval="1d", limit=3).data()) == 3
    assert float(rest.avg_price(symbol=BTC).data().price) > 0
    for ask in (rest.ticker24hr, rest.ticker_book_ticker, rest.ticker_price):
        assert ask(symbol=BTC).data().actual_instance.symbol == BTC
        assert len(ask().data().actual_instance) >= 2
    assert rest.ticker(symbol=BTC, window_size="4h").data() is not None
    assert rest.ticker_trading_day(symbol=BTC).data() is not None


def test_orders_fit_their_models(rest: SpotRestAPI, price: float) -> None:
    order = limit(rest, price)
    assert order.status == "NEW" and order.fills == []
    found = rest.get_order(symbol=BTC, order_id=order.order_id).data()
    assert found.client_order_id == order.client_order_id and found.is_working
    assert [o.order_id for o in rest.get_open_orders(symbol=BTC).data()] == [order.order_id]
    amended = rest.order_amend_keep_priority(
        symbol=BTC, order_id=order.order_id, new_qty=0.005
    ).data()
    assert amended.amended_order.qty == "0.00500000"
    ended = rest.delete_order(symbol=BTC, order_id=order.order_id).data()
    assert ended.status == "CANCELED"
    limit(rest, price)
    assert len(rest.delete_open_orders(symbol=BTC).data()) == 1
    assert rest.all_orders(symbol=BTC, limit=2).data()[-1].status == "CANCELED"


def test_fills_and_history_fit_their_models(rest: SpotRestAPI) -> None:
    order = rest.new_order(symbol=BTC, side="BUY", type="MARKET", quantity=0.001).data()
    assert order.status == "FILLED" and order.fills[0].commission_asset == "BTC"
    trade = rest.my_trades(symbol=BTC, order_id=order.order_id).data()[0]
    assert trade.id == order.fills[0].trade_id
    account = rest.get_account(omit_zero_balances=True).data()
    assert account.account_type == "SPOT" and account.balances
    assert rest.account_commission(symbol=BTC).data().standard_commission.taker == "0.00100000"
    assert len(rest.rate_limit_order().data()) == 2


def test_replacing_fits_its_model(rest: SpotRestAPI, price: float) -> None:
    order = limit(rest, price)
    done = rest.order_cancel_replace(
        symbol=BTC,
        side="BUY",
        type="LIMIT",
        time_in_force="GTC",
        quantity=0.01,
        price=float(near(price, 0.91)),
        cancel_replace_mode="STOP_ON_FAILURE",
        cancel_order_id=order.order_id,
    ).data()
    assert (done.cancel_result, done.new_order_result) == ("SUCCESS", "SUCCESS")
    rest.delete_open_orders(symbol=BTC)


def test_refusals_are_the_sdks_errors(rest: SpotRestAPI, binance: TwinProcess) -> None:
    with pytest.raises(BadRequestError, match="Order does not exist"):
        rest.get_order(symbol=BTC, order_id=1)
    reader = spot_of(binance, key=binance.readonly.key, secret=binance.readonly.secret)
    assert reader.rest_api.get_account().data().balances
    with pytest.raises(UnauthorizedError):
        reader.rest_api.new_order(symbol=BTC, side="BUY", type="MARKET", quantity=0.001)


def test_answers_carry_the_limits(rest: SpotRestAPI, price: float) -> None:
    terms = {"time_in_force": "GTC", "quantity": 0.01, "price": float(near(price, 0.9))}
    answer = rest.new_order(symbol=BTC, side="BUY", type="LIMIT", **terms)
    kinds = {limit.rateLimitType for limit in answer.rate_limits}
    assert kinds == {"REQUEST_WEIGHT", "ORDERS"}
    rest.delete_open_orders(symbol=BTC)


@pytest_asyncio.fixture(loop_scope="function")
async def api(spot: Spot) -> AsyncIterator[Any]:
    api = spot.websocket_api
    await api.create_connection()
    yield api
    await api.close_connection()


async def test_the_websocket_api_fits_its_models(api: Any, price: float) -> None:
    assert (await api.time()).data().result.server_time > 0
    assert (await api.depth(symbol=BTC, limit=5)).data().result.last_update_id > 0
    assert (await api.ticker_price(symbol=BTC)).data() is not None
    placed = await api.order_place(
        symbol=BTC,
        side="BUY",
        type="LIMIT",
        time_in_force="GTC",
        quantity=0.01,
        price=float(near(price, 0.9)),
    )
    order = placed.data().result
    assert order.status == "NEW"
    found = await api.order_status(symbol=BTC, order_id=order.order_id)
    assert found.data().result.order_id == order.order_id
    ended = await api.order_cancel(symbol=BTC, order_id=order.order_id)
    assert ended.data() is not None
    assert (await api.account_status()).data().result.can_trade
    assert (await api.session_status()).data().result.api_key is None


async def test_user_events_fit_their_models(api: Any, rest: SpotRestAPI) -> None:
    events: asyncio.Queue[Any] = asyncio.Queue()
    handle = await api.user_data_stream_subscribe_signature()
    handle.stream.on("message", events.put_nowait)
    await asyncio.to_thread(rest.new_order, symbol=BTC, side="SELL", type="MARKET", quantity=0.001)
    seen: set[str] = set()
    while not {"ExecutionReport", "OutboundAccountPosition"} <= seen:
        event = await asyncio.wait_for(events.get(), PATIENCE_S)
        seen.add(type(event.actual_instance).__name__)


@pytest.mark.parametrize("name", ["trade", "agg_trade", "book_ticker", "mini_ticker", "ticker"])
async def test_streams_fit_their_models(spot: Spot, name: str) -> None:
    streams = spot.websocket_streams
    connection = await streams.create_connection()
    handle = await getattr(streams, name)(symbol="btcusdt")
    events: asyncio.Queue[Any] = asyncio.Queue()
    handle.on("message", events.put_nowait)
    event = await asyncio.wait_for(events.get(), PATIENCE_S)
    assert event.s == BTC
    assert connection is None or connection
    await streams.close_connection()
