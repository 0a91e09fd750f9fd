# SPDX-License-Identifier: Apache-2.0
"""Orders at the twin's Bybit: what is refused with which code, what every call does to an order,
and how orders are found again.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from bybit_desk import BybitDesk

D = Decimal
PLACE = {"symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "qty": "0.01", "price": "59000"}


@pytest.fixture
def desk() -> BybitDesk:
    return BybitDesk()


REFUSALS: list[tuple[str, dict[str, Any], int]] = [
    ("linear", {"qty": "0.0001"}, 10001),
    ("linear", {"qty": "0.0015"}, 10001),
    ("linear", {"qty": "9999999"}, 10001),
    ("linear", {"qty": "9" * 19}, 10001),
    ("linear", {"qty": "9" * 100}, 10001),
    ("linear", {"price": "9" * 19}, 110003),
    ("linear", {"takeProfit": "0." + "1" * 17}, 10001),
    ("linear", {"qty": 0.01}, 10001),
    ("linear", {"qty": "1e3"}, 10001),
    ("linear", {"qty": "-1"}, 10001),
    ("linear", {"qty": "NaN"}, 10001),
    ("linear", {"qty": "0"}, 10001),
    ("linear", {"qty": ""}, 10001),
    ("linear", {"price": "59000.05"}, 10001),
    ("linear", {"price": "0"}, 10001),
    ("linear", {"price": None}, 10001),
    ("linear", {"price": "70000"}, 110003),
    ("linear", {"side": "Sell", "price": "50000"}, 110003),
    ("linear", {"qty": "0.001", "price": "1000"}, 110094),
    ("linear", {"qty": "1400"}, 110007),
    ("linear", {"symbol": "NOPE"}, 10001),
    ("linear", {"symbol": None}, 10001),
    ("linear", {"side": "buy"}, 10001),
    ("linear", {"side": 1}, 10001),
    ("linear", {"orderType": "Stop"}, 10001),
    ("linear", {"timeInForce": "DAY"}, 10001),
    ("linear", {"positionIdx": 1}, 10001),
    ("linear", {"positionIdx": 7}, 10001),
    ("linear", {"orderLinkId": "no blanks"}, 10001),
    ("linear", {"orderLinkId": "x" * 37}, 10001),
    ("linear", {"reduceOnly": True}, 110017),
    ("linear", {"reduceOnly": "maybe"}, 10001),
    ("linear", {"smpType": "Everything"}, 10001),
    ("linear", {"triggerPrice": "60100"}, 10001),
    ("linear", {"triggerPrice": "59000", "triggerDirection": 1}, 110092),
    ("linear", {"triggerPrice": "61000", "triggerDirection": 2}, 110093),
    ("linear", {"triggerPrice": "61000", "triggerDirection": 1, "triggerBy": "Gut"}, 10001),
    ("linear", {"takeProfit": "58000"}, 10001),
    ("linear", {"stopLoss": "59500"}, 10001),
    ("linear", {"takeProfit": "60000.05"}, 10001),
    ("inverse", {}, 10001),
    ("nonsense", {}, 10001),
    ("spot", {"qty": "0.0000001"}, 170136),
    ("spot", {"qty": "0.0100001"}, 170137),
    ("spot", {"qty": "250"}, 170124),
    ("spot", {"qty": ""}, 170105),
    ("spot", {"qty": "x"}, 170130),
    ("spot", {"price": "59000.05"}, 170134),
    ("spot", {"price": "70000"}, 170193),
    ("spot", {"side": "Sell", "price": "50000"}, 170194),
    ("spot", {"qty": "0.00001"}, 170140),
    ("spot", {"qty": "3"}, 170131),
    ("spot", {"side": "Sell", "qty": "3"}, 170131),
    ("spot", {"symbol": "NOPE"}, 170121),
    ("spot", {"side": "buy"}, 170117),
    ("spot", {"orderType": "Stop"}, 170116),
    ("spot", {"timeInForce": "DAY"}, 170115),
]


@pytest.mark.parametrize(("category", "fields", "code"), REFUSALS, ids=str)
def test_an_order_that_breaks_a_rule_is_refused_and_leaves_nothing(
    desk: BybitDesk, category: str, fields: dict[str, Any], code: int
) -> None:
    before = len(desk.ledger.records)
    answer = desk.tell("order/create", category=category, **{**PLACE, **fields})
    assert answer["retCode"] == code, answer["retMsg"]
    assert answer["retMsg"]
    assert len(desk.ledger.records) == before


def test_limits_stand_in_messages_times_a_hundred_million(desk: BybitDesk) -> None:
    assert "100000" in desk.create("Buy", "0.0001", "59000")["retMsg"]


def test_the_ceiling_of_conditional_orders_is_ten(desk: BybitDesk) -> None:
    stop: dict[str, Any] = {"triggerPrice": "61000", "triggerDirection": 1}
    for _ in range(10):
        desk.placed("Buy", "0.01", **stop)
    assert desk.create("Buy", "0.01", **stop)["retCode"] == 110009


def test_a_client_id_is_never_free_again(desk: BybitDesk) -> None:
    for category, code in (("linear", 110072), ("spot", 170141)):
        link = f"once-{category}"
        desk.placed("Buy", "0.01", "59000", category=category, orderLinkId=link)
        desk.tell("order/cancel", category=category, symbol="BTCUSDT", orderLinkId=link)
        answer = desk.create("Buy", "0.01", "59000", category=category, orderLinkId=link)
        assert answer["retCode"] == code


def test_quantity_zero_with_both_flags_closes_the_position(desk: BybitDesk) -> None:
    desk.placed("Buy", "0.5")
    desk.placed("Sell", "0", reduceOnly=True, closeOnTrigger=True)
    assert desk.size() == 0


def test_money_orders_on_spot_spend_and_earn_what_they_say(desk: BybitDesk) -> None:
    bought = desk.order_of(desk.placed("Buy", "6000", category="spot"), "spot")
    assert (bought["orderStatus"], bought["marketUnit"]) == ("Filled", "quoteCoin")
    assert D("5999.9") < D(bought["cumExecValue"]) <= 6000
    sold = desk.placed("Sell", "3000", category="spot", marketUnit="quoteCoin")
    assert D("2999.9") < D(desk.order_of(sold, "spot")["cumExecValue"]) <= 3000


def test_a_market_order_into_an_empty_book_is_cancelled(desk: BybitDesk) -> None:
    desk.venue.market_depth(desk.linear, [(599_999, 100)], [], is_snapshot=True)
    order = desk.order_of(desk.placed("Buy", "0.01"))
    assert (order["orderStatus"], order["rejectReason"]) == (
        "Cancelled",
        "EC_NoImmediateQtyToFill",
    )


def test_a_slippage_tolerance_bounds_a_market_order(desk: BybitDesk) -> None:
    tolerance = {"slippageToleranceType": "TickSize", "slippageTolerance": "5"}
    order = desk.order_of(desk.placed("Buy", "15", **tolerance))
    assert (order["orderType"], order["cumExecQty"]) == ("Market", "10.000")
    assert (order["orderStatus"], order["slippageTolerance"]) == ("Cancelled", "5")
    for kind, value, code in (
        ("TickSize", "0", 10001),
        ("Percent", "11", 10001),
        ("Percent", "9", 0),
    ):
        wide = {"slippageToleranceType": kind, "slippageTolerance": value}
        assert desk.create("Buy", "0.01", **wide)["retCode"] == code


def test_self_match_prevention_is_the_later_orders(desk: BybitDesk) -> None:
    resting = desk.placed("Buy", "0.01", "60000.0")
    desk.placed("Sell", "0.01", "60000.0", smpType="CancelMaker")
    assert desk.order_of(resting)["cancelType"] == "CancelBySmp"


def test_amend_changes_price_quantity_and_exits_and_knows_its_bounds(desk: BybitDesk) -> None:
    number = desk.placed("Buy", "15", "60000.1")
    where = {"category": "linear", "symbol": "BTCUSDT", "orderId": number}
    assert desk.tell("order/amend", **where, qty="12", takeProfit="61000")["retCode"] == 0
    order = desk.order_of(number)
    assert (order["qty"], order["takeProfit"]) == ("12.000", "61000.00")
    assert desk.tell("order/amend", **where, qty="9")["retCode"] == 110064
    assert desk.tell("order/amend", **where, qty="12")["retCode"] == 10001
    assert desk.tell("order/amend", **where, triggerPrice="1")["retCode"] == 10001
    assert desk.tell("order/amend", **where, takeProfit="0")["retCode"] == 0
    assert desk.order_of(number)["takeProfit"] == ""


def test_finished_orders_say_how_they_finished(desk: BybitDesk) -> None:
    for category, codes in (
        ("linear", (110008, 110010, 110001)),
        ("spot", (170139, 170142, 170213)),
    ):
        filled = desk.placed("Buy", "0.01", "60200", category=category)
        cancelled = desk.placed("Buy", "0.01", "59000", category=category)
        where = {"category": category, "symbol": "BTCUSDT"}
        desk.tell("order/cancel", **where, orderId=cancelled)
        found = tuple(
            desk.tell("order/cancel", **where, orderId=number)["retCode"]
            for number in (filled, cancelled, "nobody")
        )
        assert found == codes


def test_order_id_wins_over_order_link_id(desk: BybitDesk) -> None:
    first = desk.placed("Buy", "0.01", "59000", orderLinkId="first")
    second = desk.placed("Buy", "0.01", "59000", orderLinkId="second")
    desk.tell(
        "order/cancel", category="linear", symbol="BTCUSDT", orderId=first, orderLinkId="second"
    )
    assert desk.order_of(first)["orderStatus"] == "Cancelled"
    assert desk.order_of(second)["orderStatus"] == "New"


def test_a_cancelled_spot_stop_is_deactivated_and_a_contracts_cancelled(desk: BybitDesk) -> None:
    for category, status in (("spot", "Deactivated"), ("linear", "Cancelled")):
        stop: dict[str, Any] = {"triggerPrice": "61000", "triggerDirection": 1}
        number = desk.placed("Buy", "0.01", "60000", category=category, **stop)
        assert desk.order_of(number, category)["orderStatus"] == "Untriggered"
        desk.tell("order/cancel", category=category, symbol="BTCUSDT", orderId=number)
        assert desk.order_of(number, category)["orderStatus"] == status


def test_a_spot_order_with_fills_ends_partially_filled_cancelled(desk: BybitDesk) -> None:
    desk.main.wallets["unified"]["USDT"] = D(10_000_000)
    number = desk.placed("Buy", "15", "60000.1", category="spot", timeInForce="IOC")
    assert desk.order_of(number, "spot")["orderStatus"] == "PartiallyFilledCanceled"


def test_a_spot_exit_holds_its_coins_at_once_and_a_stop_does_not(desk: BybitDesk) -> None:
    stop: dict[str, Any] = {"category": "spot", "triggerPrice": "59000"}
    desk.placed("Sell", "0.5", orderFilter="StopOrder", **stop)
    assert desk.main.locked.get("BTC", D(0)) == 0
    exit_ = desk.placed("Sell", "0.5", orderFilter="tpslOrder", **stop)
    assert desk.main.locked["BTC"] == D("0.5")
    rows = desk.rows("order/realtime", category="spot", orderFilter="tpslOrder")
    assert [row["orderId"] for row in rows] == [exit_]
    assert desk.create("Sell", "1.6", orderFilter="tpslOrder", **stop)["retCode"] == 170131
    desk.quote(desk.spot, 58_990.0)
    desk.pass_ms(20)
    assert desk.order_of(exit_, "spot")["orderStatus"] == "Filled"
    assert desk.main.locked["BTC"] == 0


def test_a_batch_has_a_largest_size_and_needs_a_list(desk: BybitDesk) -> None:
    for category, most in (("linear", 20), ("spot", 10)):
        legs = [PLACE] * (most + 1)
        answer = desk.tell("order/create-batch", category=category, request=legs)
        assert answer["retCode"] == 10001
        answer = desk.tell("order/create-batch", category=category, request=legs[:most])
        assert {row["code"] for row in answer["retExtInfo"]["list"]} == {0}
        assert all(row["createAt"] == str(desk.now_ms) for row in answer["result"]["list"])
    assert desk.tell("order/create-batch", category="linear", request=[])["retCode"] == 10001


def test_cancel_all_prefers_symbol_then_base_then_settle(desk: BybitDesk) -> None:
    def left() -> int:
        return len(desk.rows("order/realtime", category="linear", settleCoin="USDT"))

    for wish in ({"symbol": "BTCUSDT"}, {"baseCoin": "BTC"}, {"settleCoin": "USDT"}):
        desk.placed("Buy", "0.01", "59000")
        other = {"baseCoin": "ETH", "settleCoin": "USDC"} if "symbol" in wish else {}
        answer = desk.tell("order/cancel-all", category="linear", **{**other, **wish})
        assert answer["result"]["success"] == "1"
        assert left() == 0
    desk.placed("Buy", "0.01", "59000")
    desk.tell("order/cancel-all", category="linear", baseCoin="ETH", settleCoin="USDT")
    assert left() == 1


# --- found again


def test_open_orders_are_paged_newest_first(desk: BybitDesk) -> None:
    made = [desk.placed("Buy", "0.01", "59000") for _ in range(7)]
    seen, cursor = [], ""
    for size in (3, 3, 1):
        answer = desk.ask(
            "order/realtime", category="linear", symbol="BTCUSDT", limit=3, cursor=cursor
        )["result"]
        assert len(answer["list"]) == size
        seen += [row["orderId"] for row in answer["list"]]
        cursor = answer["nextPageCursor"]
        assert cursor.isalnum() or not cursor
    assert (seen, cursor) == (made[::-1], "")


def test_realtime_forgets_what_closed_long_ago_and_history_does_not(desk: BybitDesk) -> None:
    where = {"category": "linear", "symbol": "BTCUSDT"}
    first = desk.placed("Buy", "0.01")
    for _ in range(500):
        desk.placed("Sell", "0.01", "59000", timeInForce="IOC")
        desk.placed("Buy", "0.01", "61000", timeInForce="IOC")
    assert desk.rows("order/realtime", **where, orderId=first) == []
    assert desk.rows("order/history", **where, orderId=first)[0]["orderId"] == first
    assert len(desk.rows("order/realtime", **where, openOnly=1, limit=50)) == 50
    assert desk.rows("order/realtime", **where) == []


def test_realtime_can_be_made_to_forget(desk: BybitDesk) -> None:
    number = desk.placed("Buy", "0.01")
    desk.venue.quirks.recent_since_ns = desk.now_ns + 1
    where = {"category": "linear", "orderId": number}
    assert desk.rows("order/realtime", **where) == []
    assert len(desk.rows("order/history", **where)) == 1


def test_a_cancelled_order_without_fills_is_in_the_history_for_a_day(desk: BybitDesk) -> None:
    number = desk.placed("Buy", "0.01", "59000")
    filled = desk.placed("Buy", "0.01")
    desk.tell("order/cancel", category="linear", symbol="BTCUSDT", orderId=number)
    rows = desk.rows("order/history", category="linear")
    assert [row["orderId"] for row in rows] == [filled, number]
    desk.now_ns += 25 * 3_600 * 1_000_000_000
    assert [row["orderId"] for row in desk.rows("order/history", category="linear")] == [filled]
    wanted = desk.rows("order/history", category="linear", orderStatus="Cancelled")
    assert wanted == []


@pytest.mark.parametrize(
    "params",
    [
        {"startTime": 1, "endTime": 8 * 86_400_000},
        {"startTime": 2, "endTime": 1},
        {"cursor": "%3A2"},
        {"limit": "many"},
    ],
)
def test_a_query_with_bad_bounds_is_refused(desk: BybitDesk, params: dict[str, Any]) -> None:
    for path in ("order/history", "execution/list", "position/closed-pnl"):
        assert desk.ask(path, category="linear", **params)["retCode"] == 10001


def test_queries_about_products_that_are_not_here_are_empty(desk: BybitDesk) -> None:
    for category in ("inverse", "option"):
        assert desk.rows("order/history", category=category) == []
        assert desk.rows("execution/list", category=category) == []
        assert desk.rows("position/list", category=category) == []
        assert desk.market("instruments-info", category=category)["list"] == []
        assert desk.market("tickers", category=category)["list"] == []
