# SPDX-License-Identifier: Apache-2.0
"""Rate limits of the twin's Bybit: buckets, headers, batches, addresses."""

from __future__ import annotations

import json

import pytest

from bybit_desk import BybitDesk

HEADERS = ("X-Bapi-Limit", "X-Bapi-Limit-Status", "X-Bapi-Limit-Reset-Timestamp")


@pytest.fixture
def desk() -> BybitDesk:
    return BybitDesk(limits_scale=1.0)


def test_the_eleventh_order_in_a_second_is_refused_until_the_first_is_a_second_old(
    desk: BybitDesk,
) -> None:
    for left in range(9, -1, -1):
        assert desk.create("Buy", "0.001", "59000")["retCode"] == 0
        assert [desk.headers[name] for name in HEADERS] == ["10", str(left), str(desk.now_ms)]
    assert desk.create("Buy", "0.001", "59000")["retCode"] == 10006
    reset_ms = int(desk.headers[HEADERS[2]])
    assert desk.now_ms < reset_ms <= desk.now_ms + 1_001
    desk.now_ns = reset_ms * 1_000_000
    assert desk.create("Buy", "0.001", "59000")["retCode"] == 0


def test_endpoints_products_and_accounts_have_their_own_buckets(desk: BybitDesk) -> None:
    for _ in range(10):
        desk.create("Buy", "0.001", "59000")
    assert desk.create("Buy", "0.001", "59000")["retCode"] == 10006
    assert desk.tell("order/cancel-all", category="linear", symbol="BTCUSDT")["retCode"] == 0
    body = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Market"}
    assert desk.tell("order/create", key="DeskKey2", **body, qty="0.001")["retCode"] == 0


def test_spot_orders_have_twice_the_rate(desk: BybitDesk) -> None:
    answers = [desk.create("Buy", "0.001", "59000", category="spot")["retCode"] for _ in range(21)]
    assert answers == [0] * 20 + [10006]


def test_a_batch_spends_a_unit_for_each_order_and_the_rest_fails_alone(desk: BybitDesk) -> None:
    leg = {"symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "qty": "0.001"}
    legs = [{**leg, "price": "59000"} for _ in range(12)]
    answer = desk.tell("order/create-batch", category="linear", request=legs)
    codes = [row["code"] for row in answer["retExtInfo"]["list"]]
    assert (answer["retCode"], codes) == (0, [0] * 10 + [10006] * 2)
    assert answer["result"]["list"][11]["orderId"] == ""
    assert desk.create("Buy", "0.001", "59000")["retCode"] == 0, "single orders are not touched"


def test_an_address_that_asks_too_often_is_shut_out_for_ten_minutes(desk: BybitDesk) -> None:
    for _ in range(600):
        assert desk.raw("GET", "/v5/market/time")["retCode"] == 0
    assert "too frequent" in json.dumps(desk.raw("GET", "/v5/market/time"))
    assert desk.status == 403
    desk.now_ns += 599 * 1_000_000_000
    desk.raw("GET", "/v5/market/time")
    assert desk.status == 403
    desk.now_ns += 2 * 1_000_000_000
    desk.raw("GET", "/v5/market/time")
    assert desk.status == 200


def test_the_order_socket_shares_the_buckets_and_shows_them_in_its_header(desk: BybitDesk) -> None:
    session = desk.connect("/v5/trade")
    desk.login(session)
    order = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit"}
    order |= {"qty": "0.001", "price": "59000"}
    for number in range(11):
        header = {"X-BAPI-TIMESTAMP": str(desk.now_ms)}
        answer = desk.say(
            session,
            {"reqId": f"r{number}", "header": header, "op": "order.create", "args": [order]},
        )
    assert answer["retCode"] == 10006
    assert answer["header"]["X-Bapi-Limit-Status"] == "0"
    assert int(answer["header"]["X-Bapi-Limit-Reset-Timestamp"]) > desk.now_ms
    assert desk.create("Buy", "0.001", "59000")["retCode"] == 10006
