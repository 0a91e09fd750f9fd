# SPDX-License-Identifier: Apache-2.0
"""binance-sdk-derivatives-trading-usds-futures, unmodified but for its URLs: REST, WebSocket API
and streams. Its models are strict, so every field here has the documented JSON type or the call
fails.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio
from binance_common.configuration import (
    ConfigurationRestAPI,
    ConfigurationWebSocketAPI,
    ConfigurationWebSocketStreams,
)
from binance_common.errors import BadRequestError, UnauthorizedError
from binance_sdk_derivatives_trading_usds_futures.derivatives_trading_usds_futures import (
    DerivativesTradingUsdsFutures,
)

from binance_waiting import PATIENCE_S
from usdm_flat import BTC, flatten, near
from venue_contract.twin_process import TwinProcess

PATIENCE_MS = int(PATIENCE_S * 1_000)


def sdk_of(twin: TwinProcess, *, key: str, secret: str) -> DerivativesTradingUsdsFutures:
    keys = {"api_key": key, "api_secret": secret, "timeout": PATIENCE_MS}
    return DerivativesTradingUsdsFutures(
        config_rest_api=ConfigurationRestAPI(base_path=twin.rest_url, **keys),
        config_ws_api=ConfigurationWebSocketAPI(stream_url=f"{twin.ws_base}/ws-fapi/v1", **keys),
        config_ws_streams=ConfigurationWebSocketStreams(stream_url=twin.ws_base),
    )


@pytest.fixture(scope="module")
def sdk(binance: TwinProcess) -> DerivativesTradingUsdsFutures:
    return sdk_of(binance, key=binance.main.key, secret=binance.main.secret)


@pytest.fixture(scope="module")
def rest(sdk: DerivativesTradingUsdsFutures) -> Any:
    return sdk.rest_api


@pytest.fixture(autouse=True)
def flat(binance: TwinProcess) -> Iterator[None]:
    yield
    flatten(binance)


@pytest.fixture
def price(rest: Any) -> float:
    return float(rest.symbol_price_ticker_v2(symbol=BTC).data().actual_instance.price)


def limit(price: float, **params: Any) -> dict[str, Any]:
    terms = {"side": "BUY", "type": "LIMIT", "time_in_force": "GTC", "quantity": 0.01}
    return {"symbol": BTC, "price": float(near(price, 0.9)), **terms, **params}


def market(rest: Any, side: str = "BUY", **params: Any) -> Any:
    terms = {"quantity": 0.02, "new_order_resp_type": "RESULT", **params}
    return rest.new_order(symbol=BTC, side=side, type="MARKET", **terms).data()


def test_every_public_answer_fits_its_model(rest: Any) -> None:
    assert rest.check_server_time().data().server_time > 0
    info = rest.exchange_information().data()
    assert {row.symbol for row in info.symbols} >= {BTC}
    assert rest.order_book(symbol=BTC, limit=5).data().last_update_id > 0
    assert rest.recent_trades_list(symbol=BTC, limit=3).data() is not None
    assert rest.old_trades_lookup(symbol=BTC, limit=3).data() is not None
    assert rest.compressed_aggregate_trades_list(symbol=BTC, limit=3).data() is not None
    for ask in (
        rest.kline_candlestick_data,
        rest.mark_price_kline_candlestick_data,
        rest.premium_index_kline_data,
    ):
        assert len(ask(symbol=BTC, interval="1m", limit=3).data()) == 3
    assert len(rest.index_price_kline_candlestick_data(BTC, "1m", limit=3).data()) == 3
    for ask in (
        rest.mark_price,
        rest.ticker24hr_price_change_statistics,
        rest.symbol_order_book_ticker,
        rest.symbol_price_ticker,
    ):
        assert ask(symbol=BTC).data().actual_instance.symbol == BTC
        assert len(ask().data().actual_instance) >= 2
    assert len(rest.get_funding_rate_history(symbol=BTC, limit=3).data()) == 3
    assert rest.open_interest(symbol=BTC).data().symbol == BTC
    assert len(rest.open_interest_statistics(symbol=BTC, period="5m", limit=3).data()) == 3


def test_orders_fit_their_models(rest: Any, price: float) -> None:
    order = rest.new_order(**limit(price)).data()
    assert (order.status, order.cum_qty) == ("NEW", "0.000")
    assert rest.query_order(symbol=BTC, order_id=order.order_id).data().status == "NEW"
    changed = rest.modify_order(
        symbol=BTC, side="BUY", quantity=0.02, price=float(order.price), order_id=order.order_id
    )
    assert changed.data().orig_qty == "0.020"
    assert rest.get_order_modify_history(symbol=BTC).data()[0].amendment.count == 1
    assert len(rest.current_all_open_orders(symbol=BTC).data()) == 1
    assert rest.query_current_open_order(symbol=BTC, order_id=order.order_id).data() is not None
    assert rest.cancel_order(symbol=BTC, order_id=order.order_id).data().status == "CANCELED"
    assert rest.cancel_all_open_orders(symbol=BTC).data().code == 200
    assert rest.all_orders(symbol=BTC, limit=1).data()[0].status == "CANCELED"
    armed = rest.auto_cancel_all_open_orders(symbol=BTC, countdown_time=0).data()
    assert armed.countdown_time == "0"


def test_conditional_orders_fit_their_models(rest: Any, price: float) -> None:
    stop = rest.new_algo_order(
        algo_type="CONDITIONAL",
        symbol=BTC,
        side="SELL",
        type="STOP_MARKET",
        quantity=0.01,
        trigger_price=float(near(price, 0.95)),
    ).data()
    assert stop.algo_status == "NEW"
    assert rest.query_algo_order(algo_id=stop.algo_id).data().actual_order_id == ""
    assert len(rest.current_all_algo_open_orders(symbol=BTC).data()) == 1
    assert rest.cancel_algo_order(algo_id=stop.algo_id).data().code == "200"
    assert rest.query_all_algo_orders(symbol=BTC).data()[-1].algo_status == "CANCELED"
    assert rest.cancel_all_algo_open_orders(symbol=BTC).data().code == 200


def test_the_account_fits_its_models(rest: Any) -> None:
    assert market(rest).status == "FILLED"
    (held,) = rest.position_information_v3(symbol=BTC).data()
    assert (held.position_amt, held.adl) == ("0.020", held.adl)
    assert rest.position_information_v2(symbol=BTC).data()[0].margin_type == "cross"
    assert rest.account_information_v2().data().can_trade is True
    assert rest.account_information_v3().data().positions[0].symbol == BTC
    assert rest.futures_account_balance_v2().data()[0].asset == "USDT"
    assert rest.futures_account_balance_v3().data()[0].asset == "USDT"
    assert rest.account_trade_list(symbol=BTC, limit=1).data()[0].side == "BUY"
    assert rest.get_income_history(symbol=BTC, limit=1).data()[0].income_type == "COMMISSION"
    assert rest.position_adl_quantile_estimation(symbol=BTC).data() is not None
    assert rest.users_force_orders(symbol=BTC).data() == []


def test_settings_fit_their_models(rest: Any) -> None:
    assert rest.change_initial_leverage(symbol=BTC, leverage=14).data().leverage == 14
    assert rest.symbol_configuration(symbol=BTC).data()[0].leverage == 14
    assert rest.change_margin_type(symbol=BTC, margin_type="ISOLATED").data().code == 200
    assert rest.change_position_mode(dual_side_position="true").data().code == 200
    assert rest.get_current_position_mode().data().dual_side_position is True
    assert rest.get_current_multi_assets_mode().data().multi_assets_margin is False
    assert rest.futures_account_configuration().data().dual_side_position is True
    assert rest.notional_and_leverage_brackets(symbol=BTC).data() is not None
    assert rest.user_commission_rate(symbol=BTC).data().symbol == BTC
    assert len(rest.query_user_rate_limit().data()) == 2


def test_refusals_are_the_sdks_errors(rest: Any, binance: TwinProcess) -> None:
    with pytest.raises(BadRequestError, match="Order does not exist"):
        rest.query_order(symbol=BTC, order_id=1)
    reader = sdk_of(binance, key=binance.readonly.key, secret=binance.readonly.secret).rest_api
    assert reader.futures_account_balance_v3().data()
    with pytest.raises(UnauthorizedError):
        market(reader)


@pytest_asyncio.fixture(loop_scope="function")
async def api(sdk: DerivativesTradingUsdsFutures) -> AsyncIterator[Any]:
    api = sdk.websocket_api
    await api.create_connection()
    yield api
    await api.close_connection()


async def test_the_socket_api_fits_its_models(api: Any, price: float) -> None:
    order = (await api.new_order(**limit(price))).data().result
    number = {"symbol": BTC, "order_id": order.order_id}
    changed = await api.modify_order(
        **number, side="BUY", quantity=0.02, price=float(near(price, 0.9))
    )
    assert changed.data().result.orig_qty == "0.020"
    assert (await api.query_order(**number)).data().result.status == "NEW"
    assert (await api.cancel_order(**number)).data().result.status == "CANCELED"
    assert (await api.order_book(symbol=BTC)).data().result.last_update_id > 0
    assert (await api.symbol_price_ticker(symbol=BTC)).data() is not None
    assert (await api.symbol_order_book_ticker(symbol=BTC)).data() is not None
    assert (await api.futures_account_balance_v2()).data().result[0].asset == "USDT"
    assert (await api.account_information_v2()).data().result.assets
    assert (await api.account_information()).data().result.can_trade is True
    assert (await api.position_information_v2()).data().result == []
    assert (await api.position_information(symbol=BTC)).data().result[0].symbol == BTC
    assert len((await api.start_user_data_stream()).data().result.listen_key) == 64
    assert (await api.keepalive_user_data_stream()).data() is not None
    assert (await api.close_user_data_stream()).data() is not None


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("aggregate_trade_streams", {"symbol": "btcusdt"}),
        ("mark_price_stream", {"symbol": "btcusdt", "update_speed": "1s"}),
        ("kline_candlestick_streams", {"symbol": "btcusdt", "interval": "1m"}),
        ("individual_symbol_ticker_streams", {"symbol": "btcusdt"}),
        ("individual_symbol_mini_ticker_stream", {"symbol": "btcusdt"}),
        ("individual_symbol_book_ticker_streams", {"symbol": "btcusdt"}),
        ("diff_book_depth_streams", {"symbol": "btcusdt", "update_speed": "100ms"}),
        ("partial_book_depth_streams", {"symbol": "btcusdt", "levels": "5"}),
    ],
)
async def test_streams_fit_their_models(
    sdk: DerivativesTradingUsdsFutures, name: str, params: dict[str, str]
) -> None:
    streams = sdk.websocket_streams
    await streams.create_connection()
    handle = await getattr(streams, name)(**params)
    events: asyncio.Queue[Any] = asyncio.Queue()
    handle.on("message", events.put_nowait)
    event = await asyncio.wait_for(events.get(), PATIENCE_S)
    assert event.s == BTC
    await streams.close_connection()


async def test_user_events_fit_their_models(sdk: DerivativesTradingUsdsFutures, rest: Any) -> None:
    streams = sdk.websocket_streams
    await streams.create_connection()
    handle = await streams.user_data(rest.start_user_data_stream().data().listen_key)
    events: asyncio.Queue[Any] = asyncio.Queue()
    handle.on("message", events.put_nowait)
    await asyncio.to_thread(market, rest)
    await asyncio.to_thread(rest.change_initial_leverage, symbol=BTC, leverage=9)
    seen: set[str] = set()
    while not {"OrderTradeUpdate", "AccountUpdate", "TradeLite", "AccountConfigUpdate"} <= seen:
        event = await asyncio.wait_for(events.get(), PATIENCE_S)
        seen.add(type(event.actual_instance).__name__)
    await streams.close_connection()
