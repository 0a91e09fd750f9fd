# SPDX-License-Identifier: Apache-2.0
"""Spot orders at the twin's Binance: what each type does, in which words it is refused, where the
money is meanwhile. The book stands at 59,999.99 / 60,000.01 with ten coins a level.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from binance_desk import BinanceDesk, DeskSession

D = Decimal
ORDER = "/api/v3/order"


@pytest.fixture
def desk() -> BinanceDesk:
    return BinanceDesk()


def wallet(desk: BinanceDesk, coin: str) -> tuple[Decimal, Decimal]:
    """Free and locked."""
    rows = desk.signed("GET", "/api/v3/account")["balances"]
    row = next(row for row in rows if row["asset"] == coin)
    return D(row["free"]), D(row["locked"])


def find(desk: BinanceDesk, order: Any) -> Any:
    return desk.signed("GET", ORDER, symbol="BTCUSDT", orderId=order["orderId"])


def test_a_purchase_pays_its_fee_in_coins_and_a_sale_in_money(desk: BinanceDesk) -> None:
    bought = desk.spot_order("MARKET", "BUY", quantity="0.5")
    assert bought["cummulativeQuoteQty"] == "30000.00500000"
    assert wallet(desk, "BTC") == (D(2) + D("0.5") - D("0.0005"), 0)
    assert wallet(desk, "USDT") == (D(100_000) - D("30000.005"), 0)
    desk.spot_order("MARKET", "SELL", quantity="0.5")
    earned = D("0.5") * D("59999.99")
    assert wallet(desk, "USDT")[0] == D(100_000) - D("30000.005") + earned * D("0.999")


def test_money_moves_from_free_to_locked_and_back(desk: BinanceDesk) -> None:
    order = desk.buy("0.1", "60000.00")
    assert wallet(desk, "USDT") == (D(94_000), D(6_000))
    desk.venue.market_trade(desk.spot, 6_000_000, 4_000, is_buy=False)
    assert find(desk, order)["status"] == "PARTIALLY_FILLED"
    assert wallet(desk, "USDT") == (D(94_000), D(3_600))
    desk.signed("DELETE", ORDER, symbol="BTCUSDT", orderId=order["orderId"])
    assert wallet(desk, "USDT") == (D(97_600), 0)


def test_money_to_spend_is_never_overspent(desk: BinanceDesk) -> None:
    order = desk.spot_order("MARKET", "BUY", quoteOrderQty="1000")
    assert order["status"] == "FILLED"
    assert D("999") < D(order["cummulativeQuoteQty"]) <= D("1000")
    sold = desk.spot_order("MARKET", "SELL", quoteOrderQty="1000")
    assert sold["status"] == "FILLED" and D(sold["cummulativeQuoteQty"]) <= D("1000")


def test_immediate_orders_take_what_is_there(desk: BinanceDesk) -> None:
    """Ten coins stand at the touch; the account's money buys one and a half."""
    part = desk.limit("SELL", "1.5", "59999.99", timeInForce="FOK")
    assert part["status"] == "FILLED"
    none = desk.limit("SELL", "0.1", "60100", timeInForce="IOC")
    assert (none["status"], none["expiryReason"]) == ("EXPIRED", "INSUFFICIENT_LIQUIDITY")
    assert find(desk, none)["status"] == "EXPIRED"


@pytest.mark.parametrize(
    ("kind", "side", "stop", "to", "wakes"),
    [
        ("STOP_LOSS", "SELL", "59900", 59_890.0, True),
        ("STOP_LOSS", "BUY", "60100", 60_110.0, True),
        ("TAKE_PROFIT", "SELL", "60100", 60_110.0, True),
        ("TAKE_PROFIT", "BUY", "59900", 59_890.0, True),
        ("STOP_LOSS", "SELL", "59900", 59_950.0, False),
        ("TAKE_PROFIT", "BUY", "59900", 60_110.0, False),
    ],
)
def test_stops_wake_at_their_price(
    desk: BinanceDesk, kind: str, side: str, stop: str, to: float, wakes: bool
) -> None:
    order = desk.spot_order(kind, side, quantity="0.1", stopPrice=stop)
    assert set(order) == {"symbol", "orderId", "orderListId", "clientOrderId", "transactTime"}
    desk.quote(desk.spot, to)
    found = find(desk, order)
    assert (found["status"], found["isWorking"]) == (("FILLED", True) if wakes else ("NEW", False))


def test_a_stop_limit_rests_once_it_woke(desk: BinanceDesk) -> None:
    order = desk.spot_order(
        "STOP_LOSS_LIMIT",
        "SELL",
        quantity="0.1",
        price="59950",
        stopPrice="59900",
        timeInForce="GTC",
    )
    assert wallet(desk, "BTC") == (D("1.9"), D("0.1"))
    desk.now_ns += 5_000_000
    desk.quote(desk.spot, 59_900.0)
    found = find(desk, order)
    assert (found["status"], found["isWorking"]) == ("NEW", True)
    assert found["workingTime"] == found["time"] + 5
    assert wallet(desk, "BTC") == (D("1.9"), D("0.1"))


def test_a_trailing_stop_follows_the_best_price(desk: BinanceDesk) -> None:
    order = desk.spot_order("STOP_LOSS", "SELL", quantity="0.1", trailingDelta=100)
    desk.venue.step()
    desk.quote(desk.spot, 61_000.0)
    desk.venue.step()
    desk.quote(desk.spot, 60_400.0)
    desk.venue.step()
    assert find(desk, order)["status"] == "NEW", "one percent below 61,000 is 60,390"
    assert find(desk, order)["trailingDelta"] == 100
    desk.quote(desk.spot, 60_380.0)
    desk.venue.step()
    assert find(desk, order)["status"] == "FILLED"


def test_a_stop_without_money_is_refused_when_it_is_placed(desk: BinanceDesk) -> None:
    answer = desk.spot_order("STOP_LOSS", "SELL", quantity="2.5", stopPrice="59000")
    assert answer["msg"] == "Account has insufficient balance for requested action."


@pytest.mark.parametrize(
    ("mode", "ends"),
    [
        ("EXPIRE_MAKER", ("EXPIRED_IN_MATCH", "FILLED")),
        ("EXPIRE_TAKER", ("NEW", "EXPIRED_IN_MATCH")),
        ("EXPIRE_BOTH", ("EXPIRED_IN_MATCH", "EXPIRED_IN_MATCH")),
        ("NONE", ("FILLED", "FILLED")),
    ],
)
def test_trading_with_oneself_is_prevented_as_chosen(
    desk: BinanceDesk, mode: str, ends: tuple[str, str]
) -> None:
    made = desk.limit("SELL", "0.1", "60000.00")
    taken = desk.limit("BUY", "0.1", "60000.05", selfTradePreventionMode=mode)
    assert (find(desk, made)["status"], find(desk, taken)["status"]) == ends


@pytest.mark.parametrize(
    ("params", "code", "text"),
    [
        ({"timeInForce": None}, -1102, "Mandatory parameter 'timeInForce'"),
        ({"quantity": None}, -1102, "Mandatory parameter 'quantity'"),
        ({"price": ""}, -1102, "Mandatory parameter 'price'"),
        ({"symbol": None}, -1102, "Mandatory parameter 'symbol'"),
        ({"symbol": "btcusdt"}, -1100, "Illegal characters found in parameter 'symbol'"),
        ({"type": "MARKET"}, -1106, "Parameter 'timeInForce' sent when not required."),
        ({"type": "LIMIT_MAKER"}, -1106, "Parameter 'timeInForce' sent when not required."),
        ({"quoteOrderQty": "100"}, -1106, "Parameter 'quoteOrderQty' sent when not required."),
        ({"trailingDelta": "100"}, -1106, "Parameter 'trailingDelta' sent when not required."),
        ({"type": "STOP_LOSS_LIMIT"}, -1102, "Param 'stopPrice' or 'trailingDelta'"),
        ({"icebergQty": "0.01", "timeInForce": "IOC"}, -1106, "Parameter 'icebergQty'"),
        ({"icebergQty": "0.0001"}, -1013, "Filter failure: ICEBERG_PARTS"),
        ({"price": "-1"}, -1100, "Illegal characters found in parameter 'price'"),
        ({"price": "1e4"}, -1100, "Illegal characters found in parameter 'price'"),
        ({"price": "0"}, -1013, "Filter failure: PRICE_FILTER"),
        ({"price": "400000"}, -1013, "Filter failure: PERCENT_PRICE_BY_SIDE"),
        ({"quantity": "0"}, -1013, "Filter failure: LOT_SIZE"),
        ({"quantity": "9999999"}, -1013, "Filter failure: LOT_SIZE"),
        ({"newClientOrderId": "x" * 37}, -1100, "Illegal characters found in parameter"),
        ({"newOrderRespType": "LONG"}, -1130, "Data sent for parameter 'newOrderRespType'"),
        ({"selfTradePreventionMode": "MAYBE"}, -1130, "Data sent for parameter"),
        ({"strategyType": "999999"}, -1134, "strategyType was less than 1000000."),
    ],
)
def test_what_is_wrong_is_said_in_binances_words(
    desk: BinanceDesk, params: dict[str, Any], code: int, text: str
) -> None:
    terms = {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": "0.01",
        "price": "59000",
        **params,
    }
    answer = desk.signed("POST", ORDER, **{k: v for k, v in terms.items() if v is not None})
    assert (desk.status, answer["code"]) == (400, code)
    assert answer["msg"].startswith(text)
    assert not desk.main.orders


def test_market_orders_need_one_of_two_amounts(desk: BinanceDesk) -> None:
    assert desk.spot_order("MARKET", "BUY")["code"] == -1102
    both = desk.spot_order("MARKET", "BUY", quantity="0.1", quoteOrderQty="100")
    assert both["code"] == -1128
    most = desk.spot.listing.market_quantity_max
    huge = desk.spot_order("MARKET", "BUY", quantity=f"{most + 1:f}")
    assert huge["msg"] == "Filter failure: MARKET_LOT_SIZE"


def test_a_halted_symbol_takes_no_order(desk: BinanceDesk) -> None:
    desk.spot.listing.status = "halted"
    assert desk.buy("0.1", "59000")["msg"] == "Market is closed."
    assert desk.get("/api/v3/exchangeInfo", symbol="BTCUSDT")["symbols"][0]["status"] == "HALT"


def test_filters_may_change_while_the_twin_runs(desk: BinanceDesk) -> None:
    desk.spot.listing.notional_min = D(100)
    rules = desk.get("/api/v3/exchangeInfo", symbol="BTCUSDT")["symbols"][0]["filters"]
    assert {"100.00000000"} == {f["minNotional"] for f in rules if f["filterType"] == "NOTIONAL"}
    assert desk.buy("0.001", "59000")["msg"] == "Filter failure: NOTIONAL"


def test_two_hundred_orders_are_enough(desk: BinanceDesk) -> None:
    for number in range(200):
        assert "orderId" in desk.buy("0.0001", f"{50_000 + number}", newOrderRespType="ACK")
        desk.now_ns += 200_000_000
    assert desk.buy("0.0001", "50000")["msg"] == "Filter failure: MAX_NUM_ORDERS"


def test_the_right_order_by_either_id(desk: BinanceDesk) -> None:
    first = desk.buy("0.001", "59000", newClientOrderId="one")
    desk.buy("0.001", "59000", newClientOrderId="two")
    both = desk.signed(
        "GET", ORDER, symbol="BTCUSDT", orderId=first["orderId"], origClientOrderId="two"
    )
    assert both["code"] == -2039
    other = desk.signed("GET", ORDER, key="DeskKey2", symbol="BTCUSDT", origClientOrderId="one")
    assert other["code"] == -2013, "another account's order does not exist"


def test_cancels_may_be_restricted(desk: BinanceDesk) -> None:
    order = desk.buy("0.001", "59000")
    params = {"symbol": "BTCUSDT", "orderId": order["orderId"]}
    answer = desk.signed("DELETE", ORDER, **params, cancelRestrictions="ONLY_PARTIALLY_FILLED")
    assert answer["msg"] == "Order was not canceled due to cancel restrictions."
    assert desk.signed("DELETE", ORDER, **params, cancelRestrictions="X")["code"] == -1145
    answer = desk.signed("DELETE", ORDER, **params, cancelRestrictions="ONLY_NEW")
    assert answer["status"] == "CANCELED"


def test_a_replacement_that_fails_its_filters_cancels_nothing(desk: BinanceDesk) -> None:
    order = desk.buy("0.001", "59000")
    answer = desk.signed(
        "POST",
        "/api/v3/order/cancelReplace",
        symbol="BTCUSDT",
        side="BUY",
        type="LIMIT",
        timeInForce="GTC",
        quantity="0.001",
        price="59000.001",
        cancelReplaceMode="ALLOW_FAILURE",
        cancelOrderId=order["orderId"],
    )
    assert answer == {"code": -1013, "msg": "Filter failure: PRICE_FILTER"}
    assert find(desk, order)["status"] == "NEW"


def test_a_replacement_without_money_is_half_done(desk: BinanceDesk) -> None:
    order = desk.buy("0.001", "59000")
    answer = desk.signed(
        "POST",
        "/api/v3/order/cancelReplace",
        symbol="BTCUSDT",
        side="BUY",
        type="LIMIT",
        timeInForce="GTC",
        quantity="5",
        price="59000",
        cancelReplaceMode="STOP_ON_FAILURE",
        cancelOrderId=order["orderId"],
    )
    assert (desk.status, answer["code"]) == (409, -2021)
    data = answer["data"]
    assert (data["cancelResult"], data["newOrderResult"]) == ("SUCCESS", "FAILURE")
    assert data["newOrderResponse"]["code"] == -2010
    assert find(desk, order)["status"] == "CANCELED"


def test_an_amended_order_keeps_its_place(desk: BinanceDesk) -> None:
    """Two accounts at one price: the first one shrinks and is still served first."""
    first = desk.buy("0.2", "59999.99")
    desk.buy("0.2", "59999.99", key="DeskKey2")
    amended = desk.signed(
        "PUT",
        "/api/v3/order/amend/keepPriority",
        symbol="BTCUSDT",
        orderId=first["orderId"],
        newQty="0.1",
        newClientOrderId="smaller",
    )["amendedOrder"]
    assert (amended["qty"], amended["clientOrderId"]) == ("0.10000000", "smaller")
    desk.venue.market_trade(desk.spot, 5_999_999, 1_010_000, is_buy=False)
    assert find(desk, first)["status"] == "FILLED"
    second = next(iter(desk.second.orders.values()))
    assert second.filled == 0


def test_lists_of_orders_and_trades_are_windows(desk: BinanceDesk) -> None:
    for number in range(5):
        desk.spot_order("MARKET", "BUY", quantity=f"0.0{number + 1}")
        desk.now_ns += 1_000_000_000
    orders = desk.signed("GET", "/api/v3/allOrders", symbol="BTCUSDT", limit=2)
    assert [o["origQty"] for o in orders] == ["0.04000000", "0.05000000"]
    since = desk.signed(
        "GET", "/api/v3/allOrders", symbol="BTCUSDT", limit=2, orderId=orders[0]["orderId"] - 2
    )
    assert [o["origQty"] for o in since] == ["0.02000000", "0.03000000"]
    trades = desk.signed("GET", "/api/v3/myTrades", symbol="BTCUSDT", limit=3)
    assert [t["qty"] for t in trades] == ["0.03000000", "0.04000000", "0.05000000"]
    window = {"startTime": trades[0]["time"], "endTime": trades[1]["time"]}
    inside = desk.signed("GET", "/api/v3/myTrades", symbol="BTCUSDT", **window)
    assert inside == trades[:2]


def subscribed(desk: BinanceDesk) -> DeskSession:
    session = desk.connect("/ws-api/v3")
    desk.call(session, "userDataStream.subscribe.signature")
    session.taken()
    return session


def reports(session: DeskSession) -> list[tuple[str, str]]:
    events = [frame["event"] for frame in session.taken()]
    return [(e["x"], e["X"]) for e in events if e["e"] == "executionReport"]


def test_the_user_stream_tells_an_orders_whole_life(desk: BinanceDesk) -> None:
    session = subscribed(desk)
    order = desk.buy("0.1", "60000.00")
    desk.venue.market_trade(desk.spot, 6_000_000, 4_000, is_buy=False)
    desk.signed("DELETE", ORDER, symbol="BTCUSDT", orderId=order["orderId"])
    assert reports(session) == [
        ("NEW", "NEW"),
        ("TRADE", "PARTIALLY_FILLED"),
        ("CANCELED", "CANCELED"),
    ]
    desk.limit("BUY", "0.1", "59000", timeInForce="IOC")
    assert reports(session) == [("NEW", "NEW"), ("EXPIRED", "EXPIRED")]
    desk.limit("SELL", "0.1", "60000.00")
    desk.limit("BUY", "0.1", "60000.05")
    assert ("TRADE_PREVENTION", "EXPIRED_IN_MATCH") in reports(session)


def test_balances_follow_each_report_and_sum_up(desk: BinanceDesk) -> None:
    session = subscribed(desk)
    desk.spot_order("MARKET", "BUY", quantity="0.5")
    last: dict[str, Any] = {}
    for frame in session.taken():
        if frame["event"]["e"] == "outboundAccountPosition":
            last.update({row["a"]: (D(row["f"]), D(row["l"])) for row in frame["event"]["B"]})
    assert last == {coin: wallet(desk, coin) for coin in ("BTC", "USDT")}


def test_accounts_hear_of_themselves_only(desk: BinanceDesk) -> None:
    session = subscribed(desk)
    desk.buy("0.1", "59000", key="DeskKey2")
    assert session.frames == []


def test_a_subscription_can_be_ended(desk: BinanceDesk) -> None:
    session = subscribed(desk)
    ended = desk.say(session, {"id": 9, "method": "userDataStream.unsubscribe"})
    assert ended["result"] == {}
    assert session.taken()[-1]["event"]["e"] == "eventStreamTerminated"
    desk.buy("0.1", "59000")
    assert session.frames == []
    assert desk.call(session, "userDataStream.subscribe.signature")["result"] == {
        "subscriptionId": 1
    }


def test_a_market_order_that_eats_into_the_book_needs_the_money_for_all_of_it() -> None:
    """One coin a level, a dollar apart: what 1.6 coins cost is more than 1.6 times the touch."""
    desk = BinanceDesk()
    desk.quote(desk.spot, 60_000.0, coins=1)
    desk.main.wallets["spot"]["USDT"] = D("96000.02")
    short = desk.spot_order("MARKET", "BUY", quantity="1.6")
    assert short["msg"] == "Account has insufficient balance for requested action."
    desk.main.wallets["spot"]["USDT"] = D("60000.01") + D("0.6") * D("60001.01")
    assert desk.spot_order("MARKET", "BUY", quantity="1.6")["status"] == "FILLED"
    assert wallet(desk, "USDT") == (0, 0)
