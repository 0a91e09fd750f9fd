# SPDX-License-Identifier: Apache-2.0
"""python-binance's synchronous client, unmodified but for its URL, trades spot on the twin."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from binance.client import Client
from binance.exceptions import BinanceAPIException
from binance.helpers import round_step_size

from binance_waiting import PATIENCE_S, WINDOW_MS, near, new_id
from venue_contract.twin_process import TwinProcess, wait_until

BTC = "BTCUSDT"


def client_of(twin: TwinProcess, key: str, secret: str) -> Client:
    class Local(Client):
        REQUEST_TIMEOUT, REQUEST_RECVWINDOW = PATIENCE_S, WINDOW_MS
        API_URL = f"{twin.rest_url}/api"
        MARGIN_API_URL = f"{twin.rest_url}/sapi"

    return Local(key, secret)


@pytest.fixture(scope="module")
def client(binance: TwinProcess) -> Iterator[Client]:
    client = client_of(binance, binance.main.key, binance.main.secret)
    yield client
    client.close_connection()


@pytest.fixture(autouse=True)
def nothing_open(client: Client) -> Iterator[None]:
    yield
    for order in client.get_open_orders():
        client.cancel_order(symbol=order["symbol"], orderId=order["orderId"])


@pytest.fixture
def price(client: Client) -> float:
    return float(client.get_symbol_ticker(symbol=BTC)["price"])


def refused(call: Any, *args: Any, **params: Any) -> BinanceAPIException:
    with pytest.raises(BinanceAPIException) as caught:
        call(*args, **params)
    return caught.value


def test_time_status_and_rules(client: Client) -> None:
    assert client.get_server_time()["serverTime"] > 1_600_000_000_000
    assert client.get_system_status() == {"status": 0, "msg": "normal"}
    info = client.get_symbol_info(BTC)
    assert info is not None
    assert {"LIMIT", "MARKET", "STOP_LOSS_LIMIT"} <= set(info["orderTypes"])
    steps = {f["filterType"]: f for f in info["filters"]}
    quantity = round_step_size(0.123456789, float(steps["LOT_SIZE"]["stepSize"]))
    assert Decimal(str(quantity)) == Decimal("0.12345")


def test_book_tickers_and_candles_agree(client: Client) -> None:
    book = client.get_order_book(symbol=BTC, limit=5)
    assert len(book["bids"]) == len(book["asks"]) == 5
    bids = [float(level[0]) for level in book["bids"]]
    asks = [float(level[0]) for level in book["asks"]]
    assert bids == sorted(bids, reverse=True) and asks == sorted(asks) and bids[0] < asks[0]
    touch = client.get_orderbook_ticker(symbol=BTC)
    assert abs(float(touch["bidPrice"]) / bids[0] - 1) < 0.01
    rows = client.get_klines(symbol=BTC, interval=Client.KLINE_INTERVAL_1MINUTE, limit=10)
    assert [row[0] - rows[0][0] for row in rows] == [60_000 * n for n in range(10)]
    assert all(row[6] == row[0] + 59_999 for row in rows)


def test_a_week_of_candles_is_paged_without_a_hole(client: Client) -> None:
    """The client's own paging, 1000 rows a time."""
    rows = client.get_historical_klines(BTC, "15m", "8 days ago UTC", limit=1000)
    starts = [row[0] for row in rows]
    assert len(rows) > 700
    assert {b - a for a, b in itertools.pairwise(starts)} == {900_000}


def test_trades_and_aggregates_are_oldest_first(client: Client) -> None:
    wait_until(lambda: len(client.get_recent_trades(symbol=BTC, limit=10)) > 2, "trades")
    trades = client.get_recent_trades(symbol=BTC, limit=10)
    assert [t["id"] for t in trades] == sorted(t["id"] for t in trades)
    first = trades[0]["id"]
    assert client.get_historical_trades(symbol=BTC, fromId=first, limit=1)[0]["id"] == first
    aggregates = client.get_aggregate_trades(symbol=BTC, fromId=first, limit=2)
    assert aggregates[0]["a"] == first


def test_a_limit_order_rests_locks_and_is_cancelled(client: Client, price: float) -> None:
    own, before = new_id(), client.get_asset_balance("USDT")
    assert before is not None
    limit = near(price, 0.9)
    order = client.order_limit_buy(symbol=BTC, quantity="0.01", price=limit, newClientOrderId=own)
    assert (order["status"], order["fills"]) == ("NEW", [])
    during = client.get_asset_balance("USDT")
    assert during is not None
    assert Decimal(during["locked"]) - Decimal(before["locked"]) == Decimal(limit) / 100
    assert [o["clientOrderId"] for o in client.get_open_orders(symbol=BTC)] == [own]
    found = client.get_order(symbol=BTC, origClientOrderId=own)
    assert found["orderId"] == order["orderId"] and found["isWorking"]
    report = client.cancel_order(symbol=BTC, origClientOrderId=own)
    assert report["status"] == "CANCELED" and report["origClientOrderId"] == own
    assert report["clientOrderId"] != own
    assert client.get_order(symbol=BTC, orderId=order["orderId"])["status"] == "CANCELED"
    assert client.get_asset_balance("USDT") == before


def test_market_orders_fill_at_once_and_pay_in_what_they_receive(client: Client) -> None:
    bought = client.order_market_buy(symbol=BTC, quantity="0.02")
    assert bought["status"] == "FILLED"
    assert sum(Decimal(f["qty"]) for f in bought["fills"]) == Decimal("0.02")
    assert {f["commissionAsset"] for f in bought["fills"]} == {"BTC"}
    fee = sum(Decimal(f["commission"]) for f in bought["fills"])
    assert fee == Decimal("0.02") * Decimal("0.001")
    sold = client.order_market_sell(symbol=BTC, quantity="0.02")
    assert {f["commissionAsset"] for f in sold["fills"]} == {"USDT"}
    mine = client.get_my_trades(symbol=BTC, orderId=sold["orderId"])
    assert [t["id"] for t in mine] == [f["tradeId"] for f in sold["fills"]]
    assert all(not t["isBuyer"] and not t["isMaker"] for t in mine)


def test_money_can_be_spent_instead_of_a_quantity(client: Client) -> None:
    order = client.create_order(symbol=BTC, side="BUY", type="MARKET", quoteOrderQty="100")
    spent = Decimal(order["cummulativeQuoteQty"])
    assert order["status"] == "FILLED" and Decimal(98) < spent <= Decimal(100)
    assert Decimal(order["origQuoteOrderQty"]) == 100


def test_immediate_orders_far_away_expire_without_an_error(client: Client, price: float) -> None:
    for life in ("IOC", "FOK"):
        order = client.create_order(
            symbol=BTC,
            side="BUY",
            type="LIMIT",
            timeInForce=life,
            quantity="0.01",
            price=near(price, 0.9),
        )
        assert (order["status"], order["executedQty"]) == ("EXPIRED", "0.00000000")


def test_a_maker_order_that_would_take_is_refused(client: Client, price: float) -> None:
    params = {"symbol": BTC, "side": "BUY", "type": "LIMIT_MAKER", "quantity": "0.01"}
    error = refused(client.create_order, **params, price=near(price, 1.1))
    assert (error.code, error.message) == (-2010, "Order would immediately match and take.")
    resting = client.create_order(**params, price=near(price, 0.9))
    assert set(resting) == {
        "symbol",
        "orderId",
        "orderListId",
        "clientOrderId",
        "transactTime",
    }, "the default answer to a maker order is a bare acknowledgement"


def test_stop_orders_wait_with_their_money_held(client: Client, price: float) -> None:
    for kind, trigger in (("STOP_LOSS_LIMIT", 0.9), ("TAKE_PROFIT_LIMIT", 1.1)):
        order = client.create_order(
            symbol=BTC,
            side="SELL",
            type=kind,
            timeInForce="GTC",
            quantity="0.01",
            price=near(price, trigger),
            stopPrice=near(price, trigger),
        )
        found = client.get_order(symbol=BTC, orderId=order["orderId"])
        assert (found["type"], found["status"], found["isWorking"]) == (kind, "NEW", False)
    balance = client.get_asset_balance("BTC")
    assert balance is not None and Decimal(balance["locked"]) == Decimal("0.02")
    error = refused(
        client.create_order,
        symbol=BTC,
        side="SELL",
        type="STOP_LOSS",
        quantity="0.01",
        stopPrice=near(price, 1.1),
    )
    assert (error.code, error.message) == (-2010, "Stop price would trigger immediately.")


def test_an_id_is_unique_while_open_and_free_again_afterwards(client: Client, price: float) -> None:
    own = new_id()
    params = {"symbol": BTC, "quantity": "0.01", "price": near(price, 0.9)}
    client.order_limit_buy(**params, newClientOrderId=own)
    error = refused(client.order_limit_buy, **params, newClientOrderId=own)
    assert (error.status_code, error.code, error.message) == (400, -2010, "Duplicate order sent.")
    client.cancel_order(symbol=BTC, origClientOrderId=own)
    again = client.order_limit_buy(**params, newClientOrderId=own)
    newest = client.get_order(symbol=BTC, origClientOrderId=own)
    assert newest["orderId"] == again["orderId"]


@pytest.mark.parametrize(
    ("params", "code", "text"),
    [
        ({"price": "50000.001"}, -1013, "Filter failure: PRICE_FILTER"),
        ({"price": "1.00"}, -1013, "Filter failure: PERCENT_PRICE_BY_SIDE"),
        ({"quantity": "0.000001"}, -1013, "Filter failure: LOT_SIZE"),
        ({"quantity": "0.000015"}, -1013, "Filter failure: LOT_SIZE"),
        ({"quantity": "0.00001"}, -1013, "Filter failure: NOTIONAL"),
        ({"quantity": "0.123456789"}, -1111, "Parameter 'quantity' has too much precision."),
        ({"quantity": "50"}, -2010, "Account has insufficient balance for requested action."),
        ({"symbol": "NOSUCH"}, -1121, "Invalid symbol."),
        ({"side": "UP"}, -1117, "Invalid side."),
        ({"type": "HOPE"}, -1116, "Invalid orderType."),
        ({"timeInForce": "GTX"}, -1115, "Invalid timeInForce."),
        ({"stopPrice": "1"}, -1106, "Parameter 'stopPrice' sent when not required."),
        ({"newClientOrderId": "a.b"}, -1100, "Illegal characters found in parameter"),
        ({"price": "12x"}, -1100, "Illegal characters found in parameter 'price'"),
    ],
)
def test_refusals_have_binances_codes(
    client: Client, price: float, params: dict[str, str], code: int, text: str
) -> None:
    order = {
        "symbol": BTC,
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": "0.01",
        "price": near(price, 0.9),
        **params,
    }
    error = refused(client.create_order, **order)
    assert (error.status_code, error.code) == (400, code)
    assert error.message.startswith(text)
    if code != -2010:  # a test order costs nothing
        assert refused(client.create_test_order, **order).code == code


def test_a_test_order_is_checked_and_not_placed(client: Client, price: float) -> None:
    before = client.get_open_orders(symbol=BTC)
    params = {"symbol": BTC, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
    assert not client.create_test_order(**params, quantity="0.01", price=near(price, 0.9))
    assert client.get_open_orders(symbol=BTC) == before


def test_unknown_orders(client: Client) -> None:
    error = refused(client.get_order, symbol=BTC, orderId=1)
    assert (error.code, error.message) == (-2013, "Order does not exist.")
    error = refused(client.cancel_order, symbol=BTC, origClientOrderId=new_id())
    assert (error.code, error.message) == (-2011, "Unknown order sent.")
    assert refused(client.get_order, symbol=BTC).code == -1102


def test_replacing_an_order(client: Client, price: float) -> None:
    """Both modes, and what is told when only one half succeeds."""
    params = {"symbol": BTC, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
    first = client.order_limit_buy(symbol=BTC, quantity="0.01", price=near(price, 0.9))
    done = client.cancel_replace_order(
        **params,
        quantity="0.01",
        price=near(price, 0.91),
        cancelReplaceMode="STOP_ON_FAILURE",
        cancelOrderId=first["orderId"],
    )
    assert (done["cancelResult"], done["newOrderResult"]) == ("SUCCESS", "SUCCESS")
    again = {**params, "quantity": "0.01", "price": near(price, 0.9)}
    error = refused(
        client.cancel_replace_order,
        **again,
        cancelReplaceMode="STOP_ON_FAILURE",
        cancelOrderId=first["orderId"],
    )
    assert (error.status_code, error.code) == (400, -2022)
    data = error.response.json()["data"]
    assert (data["cancelResult"], data["newOrderResult"]) == ("FAILURE", "NOT_ATTEMPTED")
    error = refused(
        client.cancel_replace_order,
        **again,
        cancelReplaceMode="ALLOW_FAILURE",
        cancelOrderId=first["orderId"],
    )
    assert (error.status_code, error.code) == (409, -2021)
    assert error.response.json()["data"]["newOrderResult"] == "SUCCESS"


def test_everything_open_is_cancelled_at_once(client: Client, price: float) -> None:
    for factor in (0.9, 0.91, 0.92):
        client.order_limit_buy(symbol=BTC, quantity="0.01", price=near(price, factor))
    reports = client.cancel_all_open_orders(symbol=BTC)
    assert [report["status"] for report in reports] == ["CANCELED"] * 3
    assert refused(client.cancel_all_open_orders, symbol=BTC).code == -2011


def test_history_windows(client: Client) -> None:
    client.order_market_buy(symbol=BTC, quantity="0.001")
    orders = client.get_all_orders(symbol=BTC, limit=5)
    assert orders[-1]["type"] == "MARKET" and len(orders) <= 5
    day = 86_400_000
    error = refused(client.get_my_trades, symbol=BTC, startTime=0, endTime=day + 1)
    assert error.code == -1127
    newest = client.get_my_trades(symbol=BTC)[-1]
    assert client.get_my_trades(symbol=BTC, fromId=newest["id"])[0]["id"] == newest["id"]


def test_two_accounts_meet_and_both_are_told(client: Client, binance: TwinProcess) -> None:
    """Inside the spread the second account makes and the first one takes. Where the market has gone
    up or down meanwhile they have missed each other, and meet at its next place.
    """
    other = client_of(binance, binance.second.key, binance.second.secret)
    terms: dict[str, Any] = {"symbol": BTC, "quantity": "0.002"}

    def met() -> Any:
        book = client.get_order_book(symbol=BTC, limit=5)
        middle = near((float(book["bids"][0][0]) + float(book["asks"][0][0])) / 2, 1.0)
        with suppress(BinanceAPIException):  # the market has come to where it was to rest
            made = other.create_order(side="SELL", type="LIMIT_MAKER", price=middle, **terms)
            client.order_limit_buy(price=middle, timeInForce="IOC", **terms)
            order = other.get_order(symbol=BTC, orderId=made["orderId"])
            return order if order["status"] == "FILLED" else None

    trade = other.get_my_trades(symbol=BTC, orderId=wait_until(met, "a trade")["orderId"])[0]
    assert trade["isMaker"] and trade["commissionAsset"] == "USDT"
    for left in other.get_open_orders(symbol=BTC):
        with suppress(BinanceAPIException):  # filled by now
            other.cancel_order(symbol=BTC, orderId=left["orderId"])
    other.close_connection()


def test_fees_and_limits_are_told(client: Client) -> None:
    assert client.get_account()["commissionRates"]["maker"] == "0.00100000"
    fees = client.get_trade_fee(symbol=BTC)
    assert fees[0]["takerCommission"] == "0.00100000"
    assert client.get_account_api_permissions()["enableReading"] is True


def test_every_answer_tells_the_weight_used(client: Client) -> None:
    client.get_order_book(symbol=BTC, limit=500)
    before = int(client.response.headers["x-mbx-used-weight-1m"])
    client.get_order_book(symbol=BTC, limit=500)
    after = int(client.response.headers["x-mbx-used-weight-1m"])
    assert after - before in (25, 25 - before), "a minute may have begun in between"


def test_wrong_keys_are_told_apart(binance: TwinProcess) -> None:
    wrong = client_of(binance, binance.main.key, "not-the-secret")
    error = refused(wrong.get_account)
    assert (error.status_code, error.code) == (400, -1022)
    stranger = client_of(binance, "Nobody", binance.main.secret)
    error = refused(stranger.get_account)
    assert (error.status_code, error.code) == (401, -2015)
    late = client_of(binance, binance.main.key, binance.main.secret)
    late.timestamp_offset = -2 * WINDOW_MS
    assert refused(late.get_account).code == -1021


def test_the_retired_listen_key_is_gone(client: Client) -> None:
    assert refused(client.stream_get_listen_key).status_code == 410
