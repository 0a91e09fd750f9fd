# SPDX-License-Identifier: Apache-2.0
"""pybit's HTTP client, unmodified but for its URL, trades on the twin: orders."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from pybit.unified_trading import HTTP

from venue_contract.pybit.calls import (
    BTC,
    SPOT,
    TAKER,
    bought,
    code,
    new_id,
    order_of,
    position,
    price_near,
    resting,
    rows,
)

pytestmark = pytest.mark.server
D = Decimal


# --- orders


def test_a_limit_order_rests_is_amended_and_cancelled(client: HTTP) -> None:
    link = new_id()
    number = resting(client, orderLinkId=link)
    order = order_of(client, number)
    assert (order["orderStatus"], order["timeInForce"], order["avgPrice"]) == ("New", "GTC", "")
    lower = price_near(client, 0.96)
    client.amend_order(**BTC, orderLinkId=link, price=lower, qty="0.02")
    order = order_of(client, number)
    assert (D(order["price"]), D(order["qty"])) == (D(lower), D("0.02"))
    assert client.cancel_order(**BTC, orderLinkId=link)["result"]["orderId"] == number
    closed = rows(client.get_order_history(**BTC, orderId=number))[0]
    assert (closed["orderStatus"], closed["cancelType"]) == ("Cancelled", "CancelByUser")
    assert closed["leavesQty"] == "0"


def test_a_market_order_fills_pays_the_taker_fee_and_opens_a_position(client: HTTP) -> None:
    number = bought(client)
    order = order_of(client, number)
    assert (order["orderStatus"], order["timeInForce"]) == ("Filled", "IOC")
    fills = rows(client.get_executions(**BTC, orderId=number))
    value = sum(D(fill["execValue"]) for fill in fills)
    fees = sum(D(fill["execFee"]) for fill in fills)
    assert fees == (value * TAKER).quantize(D("1e-8"))
    assert sum(D(fill["execQty"]) for fill in fills) == D("0.05")
    held = position(client)
    assert (held["side"], D(held["size"])) == ("Buy", D("0.05"))
    assert abs(D(held["avgPrice"]) - value / D("0.05")) < D("0.0001")


@pytest.mark.parametrize(
    ("life", "factor", "status", "reason"),
    [
        ("IOC", 0.99, "Cancelled", "EC_NoImmediateQtyToFill"),
        ("FOK", 0.99, "Cancelled", "EC_CancelForNoFullFill"),
        ("PostOnly", 1.01, "Cancelled", "EC_PostOnlyWillTakeLiquidity"),
        ("PostOnly", 0.99, "New", "EC_NoError"),
        ("IOC", 1.01, "Filled", "EC_NoError"),
        ("FOK", 1.01, "Filled", "EC_NoError"),
    ],
)
def test_each_time_in_force_ends_as_it_must(
    client: HTTP, life: str, factor: float, status: str, reason: str
) -> None:
    number = resting(client, factor, timeInForce=life)
    order = order_of(client, number)
    assert (order["orderStatus"], order["rejectReason"]) == (status, reason)


def test_reduce_only_closes_and_never_opens(client: HTTP) -> None:
    market = {**BTC, "orderType": "Market", "reduceOnly": True}
    assert code(client.place_order, **market, side="Sell", qty="0.01") == 110017
    bought(client)
    assert code(client.place_order, **market, side="Buy", qty="0.01") == 110017
    client.place_order(**market, side="Sell", qty="0.2")
    assert D(position(client)["size"]) == 0


def test_a_conditional_order_waits_for_its_price(client: HTTP) -> None:
    stop = {**BTC, "side": "Buy", "orderType": "Market", "qty": "0.01"}
    above, below = price_near(client, 1.03), price_near(client, 0.97)
    placed = client.place_order(**stop, triggerPrice=above, triggerDirection=1)
    number = placed["result"]["orderId"]
    order = order_of(client, number)
    assert (order["orderStatus"], order["stopOrderType"]) == ("Untriggered", "Stop")
    client.amend_order(**BTC, orderId=number, triggerPrice=price_near(client, 1.04))
    client.cancel_order(**BTC, orderId=number)
    assert order_of(client, number)["orderStatus"] == "Cancelled"
    assert code(client.place_order, **stop, triggerPrice=below, triggerDirection=1) == 110092
    assert code(client.place_order, **stop, triggerPrice=above, triggerDirection=2) == 110093


def test_exits_come_with_an_order_and_go_with_the_position(client: HTTP) -> None:
    high, low = price_near(client, 1.04), price_near(client, 0.96)
    bought(client, takeProfit=high, stopLoss=low)
    held = position(client)
    assert (D(held["takeProfit"]), D(held["stopLoss"])) == (D(high), D(low))
    kinds = {row["stopOrderType"] for row in rows(client.get_open_orders(**BTC))}
    assert kinds == {"TakeProfit", "StopLoss"}
    bought(client, side="Sell", reduceOnly=True)
    assert rows(client.get_open_orders(**BTC)) == []
    assert position(client)["takeProfit"] == ""


def test_trading_stop_sets_changes_and_removes(client: HTTP) -> None:
    stop = {**BTC, "tpslMode": "Full", "positionIdx": 0}
    low, lower = price_near(client, 0.97), price_near(client, 0.96)
    assert code(client.set_trading_stop, **stop, stopLoss=low) == 10001
    bought(client)
    client.set_trading_stop(**stop, stopLoss=low)
    assert code(client.set_trading_stop, **stop, stopLoss=low) == 34040
    client.set_trading_stop(**stop, stopLoss=lower, trailingStop="500")
    assert D(position(client)["stopLoss"]) == D(lower)
    assert D(position(client)["trailingStop"]) == 500
    client.set_trading_stop(**stop, stopLoss="0", trailingStop="0")
    assert rows(client.get_open_orders(**BTC)) == []


def test_batches_answer_for_each_order(client: HTTP) -> None:
    price = price_near(client, 0.97)
    leg = {"symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "price": price}
    legs = [{**leg, "qty": "0.01"}, {**leg, "qty": "0.0001"}, {**leg, "qty": "0.02"}]
    answer = client.place_batch_order(category="linear", request=legs)
    assert [row["code"] for row in answer["retExtInfo"]["list"]] == [0, 10001, 0]
    ids = [row["orderId"] for row in rows(answer)]
    assert (ids[1], all((ids[0], ids[2]))) == ("", True)
    named = [{"symbol": "BTCUSDT", "orderId": number} for number in (ids[0], ids[2], "nobody")]
    answer = client.amend_batch_order(
        category="linear", request=[{**row, "qty": "0.03"} for row in named]
    )
    assert [row["code"] for row in answer["retExtInfo"]["list"]] == [0, 0, 110001]
    answer = client.cancel_batch_order(category="linear", request=named)
    assert [row["code"] for row in answer["retExtInfo"]["list"]] == [0, 0, 110001]


def test_cancel_all_takes_what_its_filter_names(client: HTTP) -> None:
    plain = resting(client)
    waiting = client.place_order(
        **BTC,
        side="Buy",
        orderType="Market",
        qty="0.01",
        triggerPrice=price_near(client, 1.03),
        triggerDirection=1,
    )["result"]["orderId"]
    gone = client.cancel_all_orders(category="linear", settleCoin="USDT", orderFilter="StopOrder")
    assert [row["orderId"] for row in rows(gone)] == [waiting]
    assert [row["orderId"] for row in rows(client.cancel_all_orders(**BTC))] == [plain]
    assert code(client.cancel_all_orders, category="linear") == 10001


def test_a_client_id_is_used_once_for_ever(client: HTTP) -> None:
    link = new_id()
    resting(client, orderLinkId=link)
    client.cancel_order(**BTC, orderLinkId=link)
    again = {"side": "Buy", "orderType": "Market", "orderLinkId": link}
    assert code(client.place_order, **BTC, **again, qty="0.01") == 110072
    assert code(client.place_order, **SPOT, **again, qty="100") == 170141


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"qty": "0.0005"}, 10001),
        ({"qty": "0.0015"}, 10001),
        ({"qty": "1000000"}, 10001),
        ({"price": "1.05"}, 10001),
        ({"side": "Sell", "price": "40000"}, 110003),
        ({"price": "999999"}, 110003),
        ({"qty": "100"}, 110007),
        ({"side": "Up"}, 10001),
        ({"orderType": "Iceberg"}, 10001),
        ({"timeInForce": "GTD"}, 10001),
        ({"symbol": "NOPEUSDT"}, 10001),
        ({"positionIdx": 1}, 10001),
        ({"orderLinkId": "x" * 37}, 10001),
    ],
    ids=str,
)
def test_a_contract_order_that_breaks_a_rule_has_its_code(
    client: HTTP, fields: dict[str, Any], expected: int
) -> None:
    price = price_near(client, 0.97)
    order = {**BTC, "side": "Buy", "orderType": "Limit", "qty": "0.01", "price": price}
    assert code(client.place_order, **{**order, **fields}) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"qty": "0.0000015"}, 170137),
        ({"price": "59000.123"}, 170134),
        ({"qty": "0.00001"}, 170140),
        ({"qty": "4"}, 170131),
        ({"side": "Up"}, 170117),
        ({"orderType": "Iceberg"}, 170116),
        ({"timeInForce": "GTD"}, 170115),
        ({"symbol": "NOPEUSDT"}, 170121),
        ({"price": None}, 170105),
    ],
    ids=str,
)
def test_a_spot_order_that_breaks_a_rule_has_its_code(
    client: HTTP, fields: dict[str, Any], expected: int
) -> None:
    price = price_near(client, 0.97, SPOT)
    order = {**SPOT, "side": "Buy", "orderType": "Limit", "qty": "0.01", "price": price}
    assert code(client.place_order, **{**order, **fields}) == expected


def test_finished_and_unknown_orders_cannot_be_touched(client: HTTP) -> None:
    filled = bought(client)
    assert code(client.cancel_order, **BTC, orderId=filled) == 110008
    gone = resting(client)
    client.cancel_order(**BTC, orderId=gone)
    assert code(client.cancel_order, **BTC, orderId=gone) == 110010
    assert code(client.amend_order, **BTC, orderId="nobody", qty="0.1") == 110001
    assert code(client.cancel_order, **SPOT, orderId="nobody") == 170213
