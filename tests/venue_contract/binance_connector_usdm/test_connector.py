# SPDX-License-Identifier: Apache-2.0
"""binance-futures-connector, unmodified but for its URLs: its REST client and its socket client,
which runs in a thread of its own, against the twin.
"""

from __future__ import annotations

import json
import queue
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from binance.error import ClientError
from binance.um_futures import UMFutures
from binance.websocket.um_futures.websocket_client import UMFuturesWebsocketClient

from binance_waiting import PATIENCE_S, new_id
from usdm_flat import BTC, flatten, near
from venue_contract.twin_process import TwinProcess, wait_until


@pytest.fixture(scope="module")
def client(binance: TwinProcess) -> Iterator[UMFutures]:
    client = UMFutures(
        binance.main.key, binance.main.secret, base_url=binance.rest_url, show_limit_usage=True
    )
    yield client
    client.session.close()


@pytest.fixture(autouse=True)
def flat(binance: TwinProcess) -> Iterator[None]:
    yield
    flatten(binance)


@pytest.fixture
def price(client: UMFutures) -> float:
    return float(client.ticker_price(BTC)["data"]["price"])


def limit(price: float, **params: Any) -> dict[str, Any]:
    terms = {"side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": 0.01}
    return {"symbol": BTC, "price": near(price, 0.9), **terms, **params}


def refused(call: Callable[..., Any], *args: Any, **params: Any) -> int:
    with pytest.raises(ClientError) as caught:
        call(*args, **params)
    return int(caught.value.error_code)


def test_public_questions_are_answered_with_the_used_weight(client: UMFutures) -> None:
    answer = client.depth(BTC, limit=1000)
    assert len(answer["data"]["bids"]) > 100
    assert int(answer["limit_usage"]["x-mbx-used-weight-1m"]) >= 20
    assert client.ping()["data"] == {}
    assert client.exchange_info()["data"]["symbols"][0]["status"] == "TRADING"
    assert len(client.klines(BTC, "1h", limit=3)["data"]) == 3
    assert len(client.mark_price_klines(BTC, "1h", limit=3)["data"]) == 3
    assert client.mark_price(BTC)["data"]["symbol"] == BTC
    assert len(client.funding_rate(BTC, limit=5)["data"]) == 5
    assert client.open_interest(BTC)["data"]["symbol"] == BTC
    assert len(client.open_interest_hist(BTC, "5m", limit=3)["data"]) == 3


def test_an_order_is_placed_changed_and_cancelled(client: UMFutures, price: float) -> None:
    own = new_id()
    order = client.new_order(**limit(price, newClientOrderId=own))["data"]
    assert (order["status"], order["clientOrderId"]) == ("NEW", own)
    change = {"symbol": BTC, "side": "BUY", "orderId": order["orderId"], "price": order["price"]}
    assert client.modify_order(**change, quantity=0.02)["data"]["origQty"] == "0.020"
    shown = client.query_order(BTC, orderId=order["orderId"])["data"]
    assert shown["origQty"] == "0.020"
    assert len(client.get_orders(symbol=BTC)["data"]) == 1
    assert client.cancel_order(BTC, orderId=order["orderId"])["data"]["status"] == "CANCELED"
    assert client.cancel_open_orders(BTC)["data"]["code"] == 200
    assert refused(client.cancel_order, BTC, orderId=order["orderId"]) == -2011


def test_batches_go_as_json(client: UMFutures, price: float) -> None:
    good = {**limit(price), "quantity": "0.01"}
    placed, failed = client.new_batch_order([good, {**good, "price": "59000.05"}])["data"]
    assert (placed["status"], failed["code"]) == ("NEW", -4014)
    (gone,) = client.cancel_batch_order(BTC, [placed["orderId"]], [])["data"]
    assert gone["status"] == "CANCELED"


def test_the_account_knows_its_position(client: UMFutures) -> None:
    order = {"symbol": BTC, "side": "BUY", "type": "MARKET", "quantity": 0.02}
    client.new_order(**order)
    assert client.get_position_risk(symbol=BTC)["data"][0]["positionAmt"] == "0.020"
    assert float(client.account()["data"]["totalWalletBalance"]) > 0
    assert client.balance()["data"][0]["asset"] == "USDT"
    assert client.get_account_trades(BTC)["data"][-1]["side"] == "BUY"
    assert client.get_income_history(incomeType="COMMISSION")["data"][-1]["symbol"] == BTC
    assert client.adl_quantile(symbol=BTC)["data"]["symbol"] == BTC


def test_settings(client: UMFutures) -> None:
    assert client.change_leverage(BTC, 12)["data"]["leverage"] == 12
    assert refused(client.change_margin_type, BTC, "CROSSED") == -4046
    assert client.leverage_brackets(symbol=BTC)["data"][0]["symbol"] == BTC
    assert client.commission_rate(BTC)["data"]["makerCommissionRate"] == "0.000200"
    assert client.futures_account_configuration()["data"]["canTrade"] is True
    assert client.symbol_configuration(symbol=BTC)["data"][0]["leverage"] == 12
    client.change_position_mode("true")
    assert client.get_position_mode()["data"] == {"dualSidePosition": True}
    assert client.get_multi_asset_mode()["data"] == {"multiAssetsMargin": False}


def test_listen_keys(client: UMFutures) -> None:
    key = client.new_listen_key()["data"]["listenKey"]
    assert client.new_listen_key()["data"]["listenKey"] == key
    client.renew_listen_key(key)
    assert client.close_listen_key(key)["data"] == {}
    assert refused(client.renew_listen_key, key) == -1125


Socket = Callable[..., tuple[UMFuturesWebsocketClient, "queue.Queue[Any]"]]


@pytest.fixture
def socket(binance: TwinProcess) -> Iterator[Socket]:
    opened: list[UMFuturesWebsocketClient] = []

    def make(route: str, **more: Any) -> tuple[UMFuturesWebsocketClient, queue.Queue[Any]]:
        heard: queue.Queue[Any] = queue.Queue()
        client = UMFuturesWebsocketClient(
            stream_url=f"{binance.ws_base}/{route}",
            on_message=lambda _, text: heard.put(json.loads(text)),
            **more,
        )
        opened.append(client)
        return client, heard

    yield make
    for client in opened:
        client.stop()


def next_of(heard: queue.Queue[Any], name: str) -> Any:
    while True:
        frame = heard.get(timeout=PATIENCE_S)
        if frame.get("e") == name:
            return frame


def test_market_streams_by_route(socket: Socket) -> None:
    public, heard = socket("public")
    public.book_ticker(symbol=BTC)
    public.diff_book_depth(symbol=BTC, speed=100)
    touch, depth = next_of(heard, "bookTicker"), next_of(heard, "depthUpdate")
    assert float(touch["b"]) < float(touch["a"])
    assert depth["U"] <= depth["u"]
    market, heard = socket("market")
    market.mark_price(symbol=BTC, speed=1)
    market.kline(symbol=BTC, interval="1m")
    market.agg_trade(symbol=BTC)
    for name in ("markPriceUpdate", "kline", "aggTrade"):
        assert next_of(heard, name)["s"] == BTC


def test_combined_frames_name_their_stream(socket: Socket) -> None:
    client, heard = socket("market", is_combined=True)
    client.mini_ticker(symbol=BTC)
    while "stream" not in (frame := heard.get(timeout=PATIENCE_S)):
        assert frame["result"] is None, "the answer to the subscription"
    assert (frame["stream"], frame["data"]["e"]) == ("btcusdt@miniTicker", "24hrMiniTicker")


def test_user_events_by_subscription(client: UMFutures, socket: Socket) -> None:
    listener, heard = socket("private")
    listener.user_data(listen_key=client.new_listen_key()["data"]["listenKey"])
    wait_until(lambda: not heard.empty(), "the subscription")
    client.new_order(symbol=BTC, side="BUY", type="MARKET", quantity=0.01)
    fill = next_of(heard, "TRADE_LITE")
    assert (fill["s"], fill["l"]) == (BTC, "0.010")
    assert next_of(heard, "ACCOUNT_UPDATE")["a"]["P"][0]["s"] == BTC
