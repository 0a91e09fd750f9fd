# SPDX-License-Identifier: Apache-2.0
"""Orders of the twin's USD-M futures: what is taken, what is refused and with which code. The book
is still, ten coins a level around 60,000, so every outcome can be told beforehand.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from binance_desk import BinanceDesk
from usdm_desk import SYMBOL, UsdmDesk, names

ORDER = "/fapi/v1/order"


@pytest.fixture
def desk() -> UsdmDesk:
    return UsdmDesk()


def code(answer: dict[str, Any]) -> int:
    return int(answer.get("code", 0))


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"price": "59000.001"}, -1111),
        ({"price": "59000.05"}, -4014),
        ({"price": "0"}, -4001),
        ({"quantity": "0.0101"}, -1111),
        ({"quantity": "0.000"}, -4003),
        ({"quantity": "2000"}, -4005),
        ({"quantity": "0.001"}, -4164),
        ({"price": "63000.1"}, -4016),
        ({"side": "SELL", "price": "56999.9"}, -4024),
        ({"quantity": "900"}, -2019),
        ({"newClientOrderId": "x" * 37}, -4015),
        ({"newClientOrderId": "no blanks"}, -1100),
        ({"timeInForce": "GTX", "price": "60001"}, -5022),
        ({"timeInForce": "FOK", "price": "60001", "quantity": "150"}, -2019),
        ({"timeInForce": "FOK", "price": "60000"}, -5021),
        ({"timeInForce": "DAY"}, -1115),
        ({"timeInForce": ""}, -1102),
        ({"timeInForce": "GTD"}, -1102),
        ({"timeInForce": "GTD", "goodTillDate": "1"}, -5040),
        ({"price": ""}, -1102),
        ({"quantity": ""}, -1102),
        ({"side": "HOLD"}, -1117),
        ({"type": "STOP_MARKET"}, -4120),
        ({"type": "LIMIT_MAKER"}, -1116),
        ({"type": "MARKET"}, -1106),
        ({"symbol": "NOSUCH"}, -1121),
        ({"positionSide": "LONG"}, -4061),
        ({"positionSide": "UP"}, -4060),
        ({"reduceOnly": "true"}, -2022),
        ({"closePosition": "true"}, -4136),
        ({"priceMatch": "BEST"}, -5037),
        ({"priceMatch": "QUEUE"}, -1106),
        ({"quantity": "0,01"}, -1100),
    ],
)
def test_a_bad_order_is_refused_with_its_code_and_leaves_nothing(
    desk: UsdmDesk, params: dict[str, str], expected: int
) -> None:
    answer = desk.place(**{"side": "BUY", **params})
    assert (desk.status, code(answer)) == (400, expected)
    assert desk.signed("GET", "/fapi/v1/allOrders", symbol=SYMBOL) == []


def test_an_off_step_quantity_within_the_precision_has_its_own_code(desk: UsdmDesk) -> None:
    desk.linear.listing.quantity_decimals = 4
    assert code(desk.place("BUY", quantity="0.0101")) == -4023


def test_too_small_a_quantity_has_its_own_code(desk: UsdmDesk) -> None:
    listing = desk.linear.listing
    listing.quantity_min = listing.quantity_min * 20
    assert code(desk.place("BUY")) == -4004


def test_ack_shows_an_order_on_arrival_and_result_its_end(desk: UsdmDesk) -> None:
    ack = desk.place("BUY", "MARKET", newOrderRespType="ACK")
    assert (ack["status"], ack["executedQty"], ack["avgPrice"]) == ("NEW", "0.000", "0.00")
    result = desk.place("BUY", "MARKET", newOrderRespType="RESULT")
    assert (result["status"], result["executedQty"]) == ("FILLED", "0.010")
    assert (result["avgPrice"], result["cumQuote"]) == ("60000.10000", "600.00100")
    assert desk.place("BUY", "MARKET", newOrderRespType="")["status"] == "NEW", "ACK by default"


def test_an_ioc_order_without_a_fill_expires(desk: UsdmDesk) -> None:
    order = desk.place("BUY", timeInForce="IOC")
    assert (desk.status, order["status"], order["executedQty"]) == (200, "EXPIRED", "0.000")


def test_a_client_id_is_unique_among_open_orders_only(desk: UsdmDesk) -> None:
    desk.place("BUY", newClientOrderId="x-1")
    assert code(desk.place("BUY", newClientOrderId="x-1")) == -4116
    cancelled = desk.signed("DELETE", ORDER, symbol=SYMBOL, origClientOrderId="x-1")
    assert (cancelled["status"], cancelled["clientOrderId"]) == ("CANCELED", "x-1")
    again = desk.place("BUY", newClientOrderId="x-1")
    shown = desk.signed("GET", ORDER, symbol=SYMBOL, origClientOrderId="x-1")
    assert shown["orderId"] == again["orderId"]


def test_unknown_orders_have_a_code_for_each_question(desk: UsdmDesk) -> None:
    unknown = {"symbol": SYMBOL, "orderId": 77}
    assert code(desk.signed("GET", ORDER, **unknown)) == -2013
    assert code(desk.signed("DELETE", ORDER, **unknown)) == -2011
    assert code(desk.signed("GET", "/fapi/v1/openOrder", **unknown)) == -2013
    change = {"side": "BUY", "quantity": "0.02", "price": "58000"}
    assert code(desk.signed("PUT", ORDER, **unknown, **change)) == -2013
    assert code(desk.signed("GET", ORDER, symbol=SYMBOL)) == -1102


def test_a_spot_order_cannot_be_found_among_the_futures(desk: UsdmDesk) -> None:
    spot = desk.buy("0.01", "59000")
    answer = desk.signed("GET", ORDER, symbol=SYMBOL, orderId=spot["orderId"])
    assert code(answer) == -2013
    assert desk.signed("GET", "/fapi/v1/openOrders") == []


def test_a_change_needs_all_terms_and_loses_the_place_in_the_queue(desk: UsdmDesk) -> None:
    first = desk.place("BUY", price="60000", quantity="0.020")
    desk.place("BUY", price="60000", quantity="0.020")
    same = {"symbol": SYMBOL, "orderId": first["orderId"], "side": "BUY", "price": "60000"}
    assert code(desk.signed("PUT", ORDER, **same)) == -1102
    assert code(desk.signed("PUT", ORDER, **same, quantity="0.020")) == -5027
    changed = desk.signed("PUT", ORDER, **same, quantity="0.010")
    assert (changed["origQty"], changed["status"]) == ("0.010", "NEW")
    desk.venue.market_trade(desk.linear, 600_000, 20, is_buy=False)
    left = desk.signed("GET", "/fapi/v1/openOrders", symbol=SYMBOL)
    assert [row["orderId"] for row in left] == [first["orderId"]], "it stood behind the second"
    history = desk.signed("GET", "/fapi/v1/orderAmendment", symbol=SYMBOL)
    assert history[0]["amendment"]["origQty"] == {"before": "0.020", "after": "0.010"}


def test_a_change_below_what_is_filled_cancels(desk: UsdmDesk) -> None:
    order = desk.place("BUY", price="60000", quantity="0.020")
    desk.venue.market_trade(desk.linear, 600_000, 10, is_buy=False)
    change = {"symbol": SYMBOL, "orderId": order["orderId"], "side": "BUY", "price": "60000"}
    assert desk.signed("PUT", ORDER, **change, quantity="0.010")["status"] == "CANCELED"


def test_legs_of_a_batch_answer_for_themselves(desk: UsdmDesk) -> None:
    leg = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
    legs = [{**leg, "quantity": 0.01, "price": price} for price in ("59000", "59000.05", "58000")]
    answers = desk.signed("POST", "/fapi/v1/batchOrders", batchOrders=json.dumps(legs))
    assert [code(answer) for answer in answers] == [0, -4014, 0]
    ids = [answers[0]["orderId"], 77]
    gone = desk.signed("DELETE", "/fapi/v1/batchOrders", symbol=SYMBOL, orderIdList=ids)
    assert [row.get("status", code(row)) for row in gone] == ["CANCELED", -2011]
    many = json.dumps([legs[0]] * 6)
    assert code(desk.signed("POST", "/fapi/v1/batchOrders", batchOrders=many)) == -4082
    for text in ("[1]", "{", "[]", "5"):
        answer = desk.signed("POST", "/fapi/v1/batchOrders", batchOrders=text)
        assert code(answer) in (-1130, -4082), text


def test_cancelling_all_spares_other_orders_and_never_fails(desk: UsdmDesk) -> None:
    everything = "/fapi/v1/allOpenOrders"
    assert desk.signed("DELETE", everything, symbol=SYMBOL)["code"] == 200
    order = desk.place("BUY")
    waiting = desk.conditional("SELL", "STOP_MARKET", triggerPrice="59000")
    desk.buy("0.01", "59000")
    assert desk.signed("DELETE", everything, symbol=SYMBOL)["code"] == 200
    shown = desk.signed("GET", ORDER, symbol=SYMBOL, orderId=order["orderId"])
    assert shown["status"] == "CANCELED"
    assert len(desk.signed("GET", "/api/v3/openOrders", symbol=SYMBOL)) == 1
    left = desk.signed("GET", "/fapi/v1/openAlgoOrders")
    assert [row["algoId"] for row in left] == [waiting["algoId"]]


def test_a_countdown_cancels_unless_it_is_renewed(desk: UsdmDesk) -> None:
    path = "/fapi/v1/countdownCancelAll"
    desk.place("BUY")
    answer = desk.signed("POST", path, symbol=SYMBOL, countdownTime=5_000)
    assert answer == {"symbol": SYMBOL, "countdownTime": "5000"}
    desk.pass_ms(4_000)
    desk.signed("POST", path, symbol=SYMBOL, countdownTime=5_000)
    desk.pass_ms(4_000)
    desk.venue.step()
    assert len(desk.signed("GET", "/fapi/v1/openOrders")) == 1
    desk.pass_ms(1_000)
    desk.venue.step()
    assert desk.signed("GET", "/fapi/v1/openOrders") == []
    desk.place("BUY")
    desk.signed("POST", path, symbol=SYMBOL, countdownTime=1)
    desk.signed("POST", path, symbol=SYMBOL, countdownTime=0)
    desk.pass_ms(5)
    desk.venue.step()
    assert len(desk.signed("GET", "/fapi/v1/openOrders")) == 1, "zero disarms"


def test_a_dated_order_expires_at_its_date(desk: UsdmDesk) -> None:
    until_ms = desk.now_ns // 1_000_000 + 700_000
    order = desk.place("BUY", timeInForce="GTD", goodTillDate=until_ms)
    assert (order["timeInForce"], order["goodTillDate"]) == ("GTD", until_ms)
    desk.pass_ms(700_000)
    desk.venue.step()
    shown = desk.signed("GET", ORDER, symbol=SYMBOL, orderId=order["orderId"])
    assert shown["status"] == "EXPIRED"


def test_a_price_can_be_taken_from_the_book(desk: UsdmDesk) -> None:
    assert desk.place("BUY", price="", priceMatch="QUEUE")["price"] == "59999.90"
    assert desk.place("SELL", price="", priceMatch="QUEUE_5")["price"] == "60004.10"
    taker = desk.place("BUY", price="", priceMatch="OPPONENT")
    assert (taker["status"], taker["priceMatch"]) == ("FILLED", "OPPONENT")


def test_a_test_order_is_judged_and_not_placed(desk: UsdmDesk) -> None:
    terms = {"symbol": SYMBOL, "side": "BUY", "type": "MARKET"}
    assert desk.signed("POST", f"{ORDER}/test", **terms, quantity="0.01") == {}
    assert code(desk.signed("POST", f"{ORDER}/test", **terms, quantity="900")) == -4005
    assert desk.signed("GET", "/fapi/v1/allOrders", symbol=SYMBOL) == []


def test_a_market_order_needs_somebody_within_the_band(desk: UsdmDesk) -> None:
    desk.venue.market_depth(desk.linear, [(590_000, 10)], [(700_000, 10)], is_snapshot=True)
    assert code(desk.place("BUY", "MARKET")) == -4131


def test_orders_are_counted_and_the_counts_are_told(desk: UsdmDesk) -> None:
    desk.place("BUY")
    assert desk.headers["X-MBX-ORDER-COUNT-10S"] == "1"
    assert desk.headers["X-MBX-ORDER-COUNT-1M"] == "1"
    for _ in range(299):
        desk.place("BUY", quantity="0")
    assert code(desk.place("BUY")) == -1015
    assert (desk.status, "Retry-After" in desk.headers) == (429, True)


def test_fills_are_listed_with_fee_and_profit(desk: UsdmDesk) -> None:
    desk.place("BUY", "MARKET")
    desk.quote(desk.linear, 60_100.0)
    desk.place("SELL", "MARKET", reduceOnly="true")
    bought, sold = desk.signed("GET", "/fapi/v1/userTrades", symbol=SYMBOL)
    assert (bought["commission"], bought["realizedPnl"]) == ("0.30000050", "0.00000000")
    assert (sold["realizedPnl"], sold["maker"]) == ("0.99800000", False)
    later = desk.signed("GET", "/fapi/v1/userTrades", symbol=SYMBOL, fromId=sold["id"])
    assert [row["id"] for row in later] == [sold["id"]]


# --- conditional orders


@pytest.mark.parametrize(
    ("side", "kind", "params", "expected"),
    [
        ("SELL", "STOP_MARKET", {}, -1102),
        ("SELL", "STOP_MARKET", {"triggerPrice": "60500"}, -2021),
        ("BUY", "TAKE_PROFIT_MARKET", {"triggerPrice": "60500"}, -2021),
        ("SELL", "STOP", {"triggerPrice": "59000"}, -1102),
        ("SELL", "LIMIT", {"triggerPrice": "59000"}, -1116),
        ("SELL", "TRAILING_STOP_MARKET", {"callbackRate": "11"}, -2007),
        ("SELL", "TRAILING_STOP_MARKET", {"callbackRate": "1", "activatePrice": "59000"}, -2021),
        ("SELL", "STOP", {"triggerPrice": "59000", "closePosition": "true"}, -4136),
        ("SELL", "STOP_MARKET", {"triggerPrice": "59000", "closePosition": "true"}, -4137),
        ("SELL", "STOP_MARKET", {"triggerPrice": "59000", "algoType": "VP"}, -4500),
        ("SELL", "STOP_MARKET", {"triggerPrice": "59000.05"}, -4014),
    ],
)
def test_a_bad_conditional_order_is_refused(
    desk: UsdmDesk, side: str, kind: str, params: dict[str, str], expected: int
) -> None:
    assert code(desk.conditional(side, kind, **params)) == expected
    assert desk.signed("GET", "/fapi/v1/openAlgoOrders") == []


def test_a_waiting_stop_is_no_plain_order_until_it_fires(desk: UsdmDesk) -> None:
    desk.place("BUY", "MARKET")
    session = desk.user_stream()
    stop = desk.conditional(
        "SELL", "STOP_MARKET", triggerPrice="59500", reduceOnly="true", clientAlgoId="my-stop"
    )
    assert desk.signed("GET", "/fapi/v1/openOrders") == []
    assert code(desk.signed("GET", ORDER, symbol=SYMBOL, origClientOrderId="my-stop")) == -2013
    desk.quote(desk.linear, 59_400.0)
    fired = desk.signed("GET", "/fapi/v1/algoOrder", clientAlgoId="my-stop")
    assert (fired["algoStatus"], fired["actualQty"]) == ("FINISHED", "0.010")
    order = desk.signed("GET", ORDER, symbol=SYMBOL, orderId=fired["actualOrderId"])
    assert (order["status"], order["type"]) == ("FILLED", "MARKET")
    assert desk.position()["positionAmt"] == "0.000"
    assert names(session.taken()) == [
        *("ALGO NEW", "ALGO TRIGGERING", "ALGO TRIGGERED", "NEW/NEW", "TRADE_LITE"),
        *("TRADE/FILLED", "ALGO FINISHED", "ACCOUNT_UPDATE"),
    ]
    assert code(desk.signed("DELETE", "/fapi/v1/algoOrder", algoId=stop["algoId"])) == -2011


def test_a_waiting_stop_can_be_cancelled(desk: UsdmDesk) -> None:
    session = desk.user_stream()
    stop = desk.conditional("SELL", "STOP", triggerPrice="59500", price="59400")
    gone = desk.signed("DELETE", "/fapi/v1/algoOrder", algoId=stop["algoId"])
    assert (gone["algoStatus"], gone["code"]) == ("CANCELED", "200")
    shown = desk.signed("GET", "/fapi/v1/allAlgoOrders", symbol=SYMBOL)
    assert [row["algoStatus"] for row in shown] == ["CANCELED"]
    assert names(session.taken()) == ["ALGO NEW", "ALGO CANCELED"]


def test_a_stop_that_fires_without_margin_is_told_as_rejected(desk: UsdmDesk) -> None:
    session = desk.user_stream()
    desk.conditional("BUY", "STOP_MARKET", triggerPrice="60500", quantity="100")
    desk.quote(desk.linear, 60_600.0)
    told = names(session.taken())
    assert told[-3:] == [*("EXPIRED/REJECTED", "CONDITIONAL_ORDER_TRIGGER_REJECT", "ALGO REJECTED")]


def test_a_trailing_stop_follows_the_price_by_a_fraction(desk: UsdmDesk) -> None:
    desk.place("BUY", "MARKET")
    desk.conditional(
        "SELL", "TRAILING_STOP_MARKET", callbackRate="1", activatePrice="60500", reduceOnly="true"
    )
    desk.quote(desk.linear, 59_000.0)
    assert desk.position()["positionAmt"] == "0.010", "not awake yet"
    desk.quote(desk.linear, 61_000.0)
    desk.quote(desk.linear, 60_400.0)
    assert desk.position()["positionAmt"] == "0.010", "1 % below 61,000 is 60,390"
    desk.quote(desk.linear, 60_380.0)
    assert desk.position()["positionAmt"] == "0.000"


def test_a_closing_stop_closes_what_there_is_and_stands_alone(desk: UsdmDesk) -> None:
    closing = {"quantity": "", "closePosition": "true", "triggerPrice": "59500"}
    assert desk.conditional("SELL", "STOP_MARKET", **closing)["closePosition"] is True
    assert code(desk.conditional("SELL", "STOP_MARKET", **closing)) == -4130
    desk.place("BUY", "MARKET", quantity="0.250")
    desk.quote(desk.linear, 59_400.0)
    assert desk.position()["positionAmt"] == "0.000"


def test_a_stop_by_mark_price_ignores_the_last_price(desk: UsdmDesk) -> None:
    desk.place("BUY", "MARKET")
    desk.conditional("SELL", "STOP_MARKET", triggerPrice="59500", workingType="MARK_PRICE")
    desk.venue.market_trade(desk.linear, 590_000, 1, is_buy=False)
    assert desk.position()["positionAmt"] == "0.010"
    desk.quote(desk.linear, 59_400.0)
    assert desk.position()["positionAmt"] == "0.000"


def test_the_dialect_speaks_of_futures_and_spot_apart() -> None:
    desk = BinanceDesk()
    assert "totalWalletBalance" in desk.signed("GET", "/fapi/v3/account")
    assert "makerCommission" in desk.signed("GET", "/api/v3/account")
