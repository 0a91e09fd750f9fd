# SPDX-License-Identifier: Apache-2.0
"""binance-connector, unmodified but for its URL, trades spot on the twin. Its sockets are tested
through the client class that it shares with binance-futures-connector: installed side by side, the
two packages overwrite each other's files, and the spot wrapper no longer fits the class under it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from binance.error import ClientError
from binance.spot import Spot
from binance.websocket.websocket_client import BinanceWebsocketClient

from binance_waiting import near, new_id
from venue_contract.twin_process import TwinProcess, wait_until

BTC = "BTCUSDT"


@pytest.fixture(scope="module")
def spot(binance: TwinProcess) -> Spot:
    return Spot(binance.main.key, binance.main.secret, base_url=binance.rest_url)


@pytest.fixture
def price(spot: Spot) -> float:
    return float(spot.ticker_price(BTC)["price"])


def limit(spot: Spot, price: str, **params: Any) -> Any:
    terms = {"timeInForce": "GTC", "quantity": 0.01, "price": price, **params}
    return spot.new_order(symbol=BTC, side="BUY", type="LIMIT", **terms)


def refused(call: Any, *args: Any, **params: Any) -> ClientError:
    with pytest.raises(ClientError) as caught:
        call(*args, **params)
    return caught.value


def test_market_data(spot: Spot) -> None:
    assert spot.ping() == {} and spot.time()["serverTime"] > 0
    book = spot.depth(BTC, limit=5)
    assert float(book["bids"][0][0]) < float(book["asks"][0][0])
    assert len(spot.klines(BTC, "1h", limit=7)) == 7
    assert spot.avg_price(BTC)["mins"] == 5
    rolling = spot.rolling_window_ticker(BTC, windowSize="1h")
    assert rolling["closeTime"] - rolling["openTime"] == 3_600_000
    assert {row["symbol"] for row in spot.book_ticker(symbols=[BTC, "ETHUSDT"])} == {BTC, "ETHUSDT"}


def test_an_order_and_its_cancel_with_everything_in_the_query(spot: Spot, price: float) -> None:
    own = new_id()
    order = limit(spot, near(price, 0.9), newClientOrderId=own, newOrderRespType="RESULT")
    assert order["status"] == "NEW" and "fills" not in order
    assert spot.get_order(BTC, origClientOrderId=own)["orderId"] == order["orderId"]
    assert len(spot.get_open_orders(BTC)) == 1
    assert spot.cancel_order(BTC, orderId=order["orderId"])["origClientOrderId"] == own
    assert refused(spot.cancel_order, BTC, orderId=order["orderId"]).error_code == -2011


def test_a_smaller_quantity_keeps_the_place(spot: Spot, price: float) -> None:
    order = limit(spot, near(price, 0.9))
    path = "/api/v3/order/amend/keepPriority"
    terms = {"symbol": BTC, "orderId": order["orderId"]}
    amended = spot.sign_request("PUT", path, {**terms, "newQty": "0.004"})["amendedOrder"]
    assert (amended["qty"], amended["orderId"]) == ("0.00400000", order["orderId"])
    for quantity in ("0.02", "0.004"):
        error = refused(spot.sign_request, "PUT", path, {**terms, "newQty": quantity})
        assert error.error_code == -2038
    spot.cancel_open_orders(BTC)


def test_account_fees_and_counts(spot: Spot, price: float) -> None:
    account = spot.account(omitZeroBalances="true")
    assert account["canTrade"] and all(
        float(row["free"]) or float(row["locked"]) for row in account["balances"]
    )
    before = {row["interval"]: row["count"] for row in spot.get_order_rate_limit()}
    limit(spot, near(price, 0.9))
    after = {row["interval"]: row["count"] for row in spot.get_order_rate_limit()}
    assert after["DAY"] == before["DAY"] + 1
    spot.cancel_open_orders(BTC)
    spot.new_order(symbol=BTC, side="SELL", type="MARKET", quantity=0.001)
    filled = {row["interval"]: row["count"] for row in spot.get_order_rate_limit()}
    assert filled["DAY"] == after["DAY"], "a filled order does not count"
    assert spot.my_trades(BTC)[-1]["commissionAsset"] == "USDT"


def test_unread_and_repeated_parameters_are_refused(spot: Spot) -> None:
    error = refused(spot.klines, BTC, "1m", colour="red")
    assert (error.status_code, error.error_code) == (400, -1104)
    twice = {"symbol": BTC, "symbols": '["BTCUSDT"]'}
    assert refused(spot.query, "/api/v3/exchangeInfo", twice).error_code == -1128
    assert refused(spot.klines, BTC, "7m").error_code == -1120


@pytest.fixture
def socket(binance: TwinProcess) -> Iterator[tuple[BinanceWebsocketClient, list[Any]]]:
    frames: list[Any] = []
    client = BinanceWebsocketClient(
        f"{binance.ws_base}/stream", on_message=lambda _, text: frames.append(json.loads(text))
    )
    yield client, frames
    client.stop()


def answer(frames: list[Any], number: int) -> Any:
    """The answer to a message by its id."""
    return wait_until(
        lambda: next((frame for frame in frames if frame.get("id") == number), None),
        f"an answer to message {number}",
    )


def test_streams_are_subscribed_listed_and_left(
    socket: tuple[BinanceWebsocketClient, list[Any]],
) -> None:
    client, frames = socket
    client.subscribe(["btcusdt@trade", "btcusdt@depth20@100ms", "nosuch@trade"], id=1)
    assert answer(frames, 1) == {"result": None, "id": 1}, "what does not exist is taken in silence"
    for name in ("btcusdt@trade", "btcusdt@depth20@100ms"):
        wait_until(lambda name=name: [f for f in frames if f.get("stream") == name], name)
    client.list_subscribe()
    listed = wait_until(
        lambda: [f for f in frames if isinstance(f.get("result"), list)], "the list"
    )
    assert set(listed[0]["result"]) == {"btcusdt@trade", "btcusdt@depth20@100ms", "nosuch@trade"}
    client.unsubscribe("btcusdt@depth20@100ms", id=3)
    assert answer(frames, 3)["result"] is None
    seen = len([f for f in frames if f.get("stream") == "btcusdt@depth20@100ms"])
    mark = len(frames)
    wait_until(lambda: "btcusdt@trade" in {f.get("stream") for f in frames[mark:]}, "more trades")
    assert seen == len([f for f in frames if f.get("stream") == "btcusdt@depth20@100ms"])


def test_nonsense_is_answered_and_the_socket_stays(
    socket: tuple[BinanceWebsocketClient, list[Any]],
) -> None:
    client, frames = socket
    client.send({"method": "DANCE", "id": 5})
    assert answer(frames, 5)["error"]["code"] == 2
    client.send({"method": "SET_PROPERTY", "params": ["combined", "yes"], "id": 6})
    assert answer(frames, 6)["error"]["code"] == 1
    client.send({"method": "GET_PROPERTY", "params": ["combined"], "id": 7})
    assert answer(frames, 7) == {"result": True, "id": 7}
