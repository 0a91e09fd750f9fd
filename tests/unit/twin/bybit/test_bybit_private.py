# SPDX-License-Identifier: Apache-2.0
"""Private sockets of the twin's Bybit: what is told, in which order, to whom; cancelling on
disconnect; orders over a socket.
"""

from __future__ import annotations

from typing import Any

import pytest

from bybit_desk import BybitDesk

LIMIT = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit"}


@pytest.fixture
def desk() -> BybitDesk:
    return BybitDesk()


def told(session: Any, topic: str) -> list[Any]:
    """Rows of a topic since the last look."""
    return [row for f in session.taken() if f.get("topic") == topic for row in f["data"]]


def test_a_stranger_subscribes_to_nothing(desk: BybitDesk) -> None:
    session = desk.connect("/v5/private")
    assert desk.subscribe(session, "order")["success"] is False
    desk.placed("Buy", "0.01", "59000")
    assert session.frames == []


@pytest.mark.parametrize(
    ("topics", "is_good"),
    [
        (["order", "execution", "position", "wallet"], True),
        (["order.linear", "order.spot", "execution.linear"], True),
        (["order.linear", "wallet"], True),
        (["order", "execution.linear"], False),
        (["order", "nonsense"], False),
        (["execution.fast", "greeks", "dcp.future"], True),
    ],
)
def test_topics_together_or_by_product_but_not_mixed(
    desk: BybitDesk, topics: list[str], is_good: bool
) -> None:
    session = desk.private()
    assert desk.subscribe(session, *topics)["success"] is is_good
    desk.placed("Buy", "0.01")
    assert bool(session.taken()) is is_good


def test_a_fill_is_told_in_the_venues_order(desk: BybitDesk) -> None:
    session = desk.private("order", "execution", "position", "wallet")
    desk.placed("Buy", "0.01")
    assert [frame["topic"] for frame in session.taken()] == [
        "order",
        "position",
        "order",
        "execution",
        "position",
        "wallet",
    ]


def test_by_product_only_that_product_is_told(desk: BybitDesk) -> None:
    session = desk.private("order.spot")
    desk.placed("Buy", "0.01", "59000")
    desk.placed("Buy", "0.01", "59000", category="spot")
    assert [row["category"] for row in told(session, "order.spot")] == ["spot"]


def test_other_accounts_hear_nothing(desk: BybitDesk) -> None:
    other = desk.private("order", "execution", "position", "wallet", key="DeskKey2")
    desk.placed("Buy", "0.01")
    assert other.taken() == []


def test_a_post_only_order_that_would_take_is_new_and_then_cancelled(desk: BybitDesk) -> None:
    session = desk.private("order")
    desk.placed("Buy", "0.01", "60000.1", timeInForce="PostOnly")
    rows = told(session, "order")
    assert [row["orderStatus"] for row in rows] == ["New", "Cancelled"]
    assert [row["rejectReason"] for row in rows] == ["EC_NoError", "EC_PostOnlyWillTakeLiquidity"]
    assert rows[1]["leavesQty"] == "0"


def test_a_partial_fill_keeps_its_average_and_what_is_left(desk: BybitDesk) -> None:
    session = desk.private("order")
    desk.placed("Buy", "15", "60000.1")
    row = told(session, "order")[-1]
    assert (row["orderStatus"], row["cumExecQty"], row["leavesQty"]) == (
        "PartiallyFilled",
        "10.000",
        "5.000",
    )
    assert row["avgPrice"] == "60000.1"


def test_a_triggered_order_is_triggered_then_new_or_filled(desk: BybitDesk) -> None:
    session = desk.private("order")
    stop: dict[str, Any] = {"triggerPrice": "60050", "triggerDirection": 1}
    desk.placed("Buy", "0.01", **stop)
    desk.placed("Buy", "0.01", "59500", **stop)
    assert [row["orderStatus"] for row in told(session, "order")] == ["Untriggered"] * 2
    desk.quote(desk.linear, 60_060.0)
    desk.pass_ms(20)
    rows = told(session, "order")
    market = [row["orderStatus"] for row in rows if row["orderType"] == "Market"]
    limit = [row["orderStatus"] for row in rows if row["orderType"] == "Limit"]
    assert market == ["Triggered", "Filled"]
    assert limit == ["Triggered", "New"]


def test_funding_is_an_execution_and_a_settlement(desk: BybitDesk) -> None:
    desk.placed("Buy", "1")
    session = desk.private("execution", "execution.fast", "wallet")
    desk.now_ns = desk.linear.next_funding_ns
    desk.pass_ms(10)
    frames = session.taken()
    assert [frame["topic"] for frame in frames] == ["execution", "wallet"]
    row = frames[0]["data"][0]
    paid = f"{60_000 * desk.linear.funding_rate:f}".rstrip("0").rstrip(".")
    assert (row["execType"], row["orderType"], row["execFee"]) == ("Funding", "UNKNOWN", paid)
    log = desk.rows("account/transaction-log", type="SETTLEMENT")[0]
    assert (log["funding"], log["change"], log["fee"]) == (f"-{paid}", f"-{paid}", "0")


def test_a_spot_wallet_frame_names_the_coins_that_moved(desk: BybitDesk) -> None:
    session = desk.private("wallet")
    desk.placed("Buy", "0.01", category="spot", marketUnit="baseCoin")
    coins = [coin["coin"] for coin in session.taken()[-1]["data"][0]["coin"]]
    assert coins == ["BTC", "USDT"]


# --- cancel on disconnect


def test_orders_end_when_the_last_listener_is_gone_for_the_window(desk: BybitDesk) -> None:
    assert desk.tell("order/disconnected-cancel-all", timeWindow=10)["retCode"] == 0
    first, second = (desk.private("dcp.future") for _ in range(2))
    linear = desk.placed("Buy", "0.01", "59000")
    spot = desk.placed("Buy", "0.01", "59000", category="spot")
    desk.dialect.closed(first)
    desk.pass_ms(11_000)
    assert desk.order_of(linear)["orderStatus"] == "New"
    desk.dialect.closed(second)
    desk.pass_ms(9_900)
    assert desk.order_of(linear)["orderStatus"] == "New"
    desk.pass_ms(200)
    assert desk.order_of(linear)["cancelType"] == "CancelByDCP"
    assert desk.order_of(spot, "spot")["orderStatus"] == "New"


def test_coming_back_in_time_keeps_the_orders(desk: BybitDesk) -> None:
    desk.tell("order/disconnected-cancel-all", timeWindow=3)
    desk.dialect.closed(desk.private("dcp.future"))
    order = desk.placed("Buy", "0.01", "59000")
    desk.pass_ms(2_500)
    desk.private("dcp.future")
    desk.pass_ms(5_000)
    assert desk.order_of(order)["orderStatus"] == "New"


@pytest.mark.parametrize("window", [2, 301, None, "soon"])
def test_a_window_outside_its_bounds_is_refused(desk: BybitDesk, window: Any) -> None:
    assert desk.tell("order/disconnected-cancel-all", timeWindow=window)["retCode"] == 10001


# --- orders over a socket


def sent(desk: BybitDesk, session: Any, op: str, order: Any, /, **more: Any) -> Any:
    header = {"X-BAPI-TIMESTAMP": str(desk.now_ms)}
    request = {"reqId": f"r{desk.venue.rng.random()}", "header": header, "op": op, "args": [order]}
    return desk.say(session, {**request, **more})


@pytest.fixture
def trade(desk: BybitDesk) -> Any:
    session = desk.connect("/v5/trade")
    assert desk.login(session)["retCode"] == 0
    return session


def test_a_socket_order_is_the_same_order(desk: BybitDesk, trade: Any) -> None:
    answer = sent(desk, trade, "order.create", {**LIMIT, "qty": "0.01", "price": "59000"})
    assert (answer["retCode"], answer["op"]) == (0, "order.create")
    assert desk.order_of(answer["data"]["orderId"])["orderStatus"] == "New"


def test_socket_requests_have_their_own_refusals(desk: BybitDesk, trade: Any) -> None:
    order = {**LIMIT, "qty": "0.01", "price": "59000"}
    assert sent(desk, trade, "order.fly", order)["retCode"] == 10404
    stale = {"X-BAPI-TIMESTAMP": desk.now_ms - 60_000}
    assert sent(desk, trade, "order.create", order, header=stale)["retCode"] == 10002
    assert sent(desk, trade, "order.create", order, header=None)["retCode"] == 10002
    assert sent(desk, trade, "order.create", order, args="x")["retCode"] == 10001
    assert sent(desk, trade, "order.create", order, reqId="x" * 37)["retCode"] == 10001
    assert sent(desk, trade, "order.create", order, reqId="same")["retCode"] == 0
    assert sent(desk, trade, "order.create", order, reqId="same")["retCode"] == 20006
    assert sent(desk, trade, "order.cancel", {**LIMIT, "orderId": "x"})["retCode"] == 110001
    stranger = desk.connect("/v5/trade")
    assert sent(desk, stranger, "order.create", order)["retCode"] == 10005
    reader = desk.connect("/v5/trade")
    assert desk.login(reader, "DeskReader")["retCode"] == 0
    assert sent(desk, reader, "order.create", order)["retCode"] == 10005


def test_a_socket_batch_answers_leg_by_leg(desk: BybitDesk, trade: Any) -> None:
    good = {"symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "price": "59000"}
    legs = [{**good, "qty": "0.01"}, {**good, "qty": "x"}, "nonsense"]
    answer = sent(desk, trade, "order.create-batch", {"category": "linear", "request": legs})
    assert answer["retCode"] == 0
    assert [row["code"] for row in answer["retExtInfo"]["list"]] == [0, 10001, 10001]
    assert answer["data"]["list"][1]["orderId"] == ""


def test_a_socket_that_logs_in_as_another_hears_of_the_other_alone(desk: BybitDesk) -> None:
    session = desk.private("order")
    assert desk.login(session, "DeskKey2")["success"] is True
    desk.placed("Buy", "0.01", "59000")
    assert session.taken() == []
    desk.tell(
        "order/create",
        "DeskKey2",
        category="linear",
        symbol="BTCUSDT",
        side="Buy",
        orderType="Limit",
        qty="0.01",
        price="59000",
        orderLinkId="others",
    )
    told = [row["orderLinkId"] for frame in session.taken() for row in frame["data"]]
    assert told == ["others"]
    desk.dialect.closed(session)
    desk.placed("Buy", "0.01", "59000")
    assert session.taken() == []
