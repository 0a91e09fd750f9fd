# SPDX-License-Identifier: Apache-2.0
"""Bybit on the wire: orders as bytes, answers as verdicts, lists page by page."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from hean.core.types import OrderType, Side, TimeInForce
from hean.errors import FieldInvalid, FrameInvalid, InsufficientMargin, RateLimited
from hean.net.budget import Priority
from hean.venues.bybit import BybitCodec, bybit_budget
from hean.venues.codec import told
from hean.venues.outcomes import Outcome
from hean.venues.reports import Status
from json_shapes import documented
from scripted_venue import ID, NOW_MS, SIGNER, Script, approved, codec_of, tracked

LINEAR = codec_of(BybitCodec, "bybit", "linear")
SPOT = codec_of(BybitCodec, "bybit", "spot")
LIMIT = {
    "category": "linear",
    "symbol": "BTCUSDT",
    "side": "Buy",
    "qty": "0.01",
    "orderLinkId": ID,
    "orderType": "Limit",
    "price": "28000.5",
    "timeInForce": "GTC",
    "positionIdx": 0,
}


def terms(codec: BybitCodec, **order: object) -> dict:
    frame = json.loads(codec.submit_frame(approved(**order), "7", NOW_MS))
    assert frame["reqId"] == "7"
    assert frame["op"] == "order.create"
    assert frame["header"] == {"X-BAPI-TIMESTAMP": str(NOW_MS), "X-BAPI-RECV-WINDOW": "5000"}
    (only,) = frame["args"]
    return only


@pytest.mark.parametrize(
    ("order", "changes"),
    [
        ({}, {}),
        ({"side": Side.SELL, "reduce_only": True}, {"side": "Sell", "reduceOnly": True}),
        ({"time_in_force": TimeInForce.IOC}, {"timeInForce": "IOC"}),
        ({"time_in_force": TimeInForce.FOK}, {"timeInForce": "FOK"}),
        ({"time_in_force": TimeInForce.POST_ONLY}, {"timeInForce": "PostOnly"}),
        ({"size": Decimal("1E-7")}, {"qty": "0.0000001"}),
        ({"price": Decimal("3E+4")}, {"price": "30000"}),
    ],
)
def test_a_limit_order_of_a_perpetual(order, changes):
    assert terms(LINEAR, **order) == LIMIT | changes


def test_a_market_order_has_no_price_and_spot_counts_in_base_coin():
    linear, spot = terms(LINEAR, kind=OrderType.MARKET), terms(SPOT, kind=OrderType.MARKET)
    assert linear["orderType"] == spot["orderType"] == "Market"
    assert "price" not in linear and "timeInForce" not in linear
    assert "marketUnit" not in linear and spot["marketUnit"] == "baseCoin"
    assert "positionIdx" not in spot


@pytest.mark.parametrize(
    ("kind", "side", "direction"),
    [
        (OrderType.STOP, Side.BUY, 1),
        (OrderType.STOP, Side.SELL, 2),
        (OrderType.STOP_LIMIT, Side.SELL, 2),
        (OrderType.TAKE_PROFIT, Side.BUY, 2),
        (OrderType.TAKE_PROFIT, Side.SELL, 1),
    ],
)
def test_a_trigger_waits_for_the_price_to_come_from_the_right_side(kind, side, direction):
    found = terms(LINEAR, kind=kind, side=side)
    assert (found["triggerPrice"], found["triggerDirection"]) == ("27000", direction)
    assert found["triggerBy"] == "LastPrice"
    assert found["orderType"] == ("Limit" if kind is OrderType.STOP_LIMIT else "Market")
    assert terms(SPOT, kind=kind, side=side)["orderFilter"] == "StopOrder"


def test_by_rest_exactly_the_signed_bytes_are_sent():
    call = LINEAR.submit_call(approved())
    assert (call.method, call.path, call.priority) == ("POST", "/v5/order/create", Priority.NEW)
    request = LINEAR.sign(call, NOW_MS)
    assert json.loads(request.body) == LIMIT
    assert request.query == ""
    signed = f"{NOW_MS}{SIGNER.key}5000".encode() + request.body
    assert request.headers["X-BAPI-SIGN"] == SIGNER.sign(signed)


def test_a_reduction_goes_before_a_new_order_and_a_cancel_before_both():
    assert LINEAR.submit_call(approved(reduce_only=True)).priority is Priority.REDUCE
    assert LINEAR.cancel_call(tracked()).priority is Priority.CANCEL


def test_a_cancel_and_an_amendment_name_the_order_by_our_id():
    cancel = json.loads(LINEAR.cancel_frame(tracked(), "8", NOW_MS))
    assert (cancel["op"], cancel["args"]) == (
        "order.cancel",
        [{"category": "linear", "symbol": "BTCUSDT", "orderLinkId": ID}],
    )
    order = tracked()
    amend = json.loads(LINEAR.amend_frame(order, Decimal(28001), order.size, "9", NOW_MS))
    assert amend["op"] == "order.amend"
    assert amend["args"][0] == cancel["args"][0] | {"price": "28001"}
    smaller = json.loads(LINEAR.amend_call(order, order.price, Decimal("0.005")).text)
    assert smaller == cancel["args"][0] | {"qty": "0.005"}
    stop = json.loads(SPOT.cancel_call(tracked(is_conditional=True)).text)
    assert stop["orderFilter"] == "StopOrder"


def test_the_private_login_is_followed_by_one_subscription():
    login, subscription = LINEAR.private_steps(NOW_MS)
    assert json.loads(login)["op"] == "auth"
    topics = json.loads(subscription)["args"]
    assert topics == ["order", "execution", "position", "wallet", "dcp.future"]
    assert json.loads(SPOT.private_steps(NOW_MS)[1])["args"][-1] == "dcp.spot"


def test_the_documented_answer_of_the_order_socket_is_understood(shared: Path):
    path = shared / "payloads/bybit/documented/bybit-net/ws-trade/PlaceOrder.txt"
    parsed = LINEAR.parse(json.dumps(documented(path)).encode())
    reply = LINEAR.reply(parsed, NOW_MS)
    assert reply.verdict.outcome is Outcome.YES
    assert reply.exchange_order_id == "a4c1718e-fe53-4659-a118-1f6ecce04ad9"
    assert reply.used == (("linear/v5/order/create", 1, 10),)


@pytest.mark.parametrize(
    ("frame", "outcome", "error"),
    [
        ({"reqId": "7", "retCode": 110007, "op": "order.create"}, Outcome.NO, InsufficientMargin),
        ({"reqId": "7", "retCode": 10006, "op": "order.create"}, Outcome.NO, RateLimited),
        ({"reqId": "7", "retCode": 10016, "op": "order.create"}, Outcome.UNKNOWN, None),
    ],
)
def test_a_refusal_on_the_order_socket_has_its_reason(frame, outcome, error):
    text = json.dumps(frame | {"retMsg": "m", "data": {}, "retExtInfo": {}, "connId": "c"})
    reply = LINEAR.reply(LINEAR.parse(text.encode()), NOW_MS)
    assert (reply.request_id, reply.verdict.outcome) == ("7", outcome)
    assert error is None or reply.verdict.error is error
    assert (reply.silence is not None) == (error is RateLimited)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"retCode":', b'"x"', b"\xff"])
def test_a_body_that_is_no_answer_is_never_a_yes(body):
    call = LINEAR.submit_call(approved())
    assert LINEAR.read(call, 200, {}, body, NOW_MS).verdict.outcome is Outcome.UNKNOWN


def test_headers_teach_the_budget():
    headers = {"x-bapi-limit": "10", "x-bapi-limit-status": "3"}
    call = LINEAR.submit_call(approved())
    reply = LINEAR.read(call, 200, headers, b'{"retCode":0,"result":{"orderId":"1"}}', NOW_MS)
    assert (reply.used, reply.exchange_order_id) == ((("linear/v5/order/create", 7, 10),), "1")
    budget = bybit_budget()
    name, used, count = reply.used[0]
    budget.observe(name, 0, used=used, count=count)
    assert budget.headroom_fraction(0) == pytest.approx(0.3)


async def test_pages_are_read_to_the_end_and_the_cursor_goes_back_as_it_came(shared: Path):
    folder = shared / "payloads/bybit/documented/bybit-net/rest/Trading"
    first = documented(folder / "GetOrders.txt")
    last = json.loads(json.dumps(first))
    last["result"]["nextPageCursor"] = ""
    last["result"]["list"][0]["orderStatus"] = "Simmering"
    script = Script(LINEAR, [first, last])
    listing = await LINEAR.open_orders(script.ask)
    assert listing.is_complete
    assert [row.status for row in listing.rows] == [Status.OPEN, Status.STRANGE]
    assert listing.rows[0].client_order_id == "test-000005"
    assert script.asked[1].text.endswith(f"&cursor={first['result']['nextPageCursor']}")


async def test_a_page_that_comes_again_makes_the_list_incomplete(shared: Path):
    page = documented(shared / "payloads/bybit/documented/bybit-net/rest/Trading/GetOrders.txt")
    listing = await LINEAR.open_orders(Script(LINEAR, [page] * 3).ask)
    assert not listing.is_complete


async def test_the_documented_account_is_understood(shared: Path):
    folder = shared / "payloads/bybit/documented/bybit-net/rest"
    ends = {"nextPageCursor": ""}

    def answer(name: str) -> dict:
        found = documented(folder / name)
        found["result"] |= ends
        return found

    trades = await LINEAR.executions(
        Script(LINEAR, [answer("Trading/GetUserTrades.txt")]).ask, 0, ("ETHPERP",)
    )
    assert trades.rows[0].exec_id == "ETHPERP-e0cbe81d-0f18-5866-9415-cf319b5dab3b-BUY"
    positions = await LINEAR.positions(Script(LINEAR, [answer("Trading/GetPositions.txt")]).ask)
    assert positions.rows[0].symbol == "BTCUSD"
    balances = await LINEAR.balances(Script(LINEAR, [answer("Account/GetBalances.txt")]).ask)
    assert {row.asset for row in balances.rows} >= {"BTC"}
    user = await LINEAR.account_id(Script(LINEAR, [answer("Account/GetApiKeyInfo.txt")]).ask)
    assert user.isdigit()


async def test_an_order_is_looked_for_in_the_history_too():
    nothing = {"retCode": 0, "result": {"list": [], "nextPageCursor": ""}}
    script = Script(LINEAR, [nothing, nothing])
    assert await LINEAR.order(script.ask, tracked()) is None
    assert [call.path for call in script.asked] == ["/v5/order/realtime", "/v5/order/history"]


async def test_an_answer_of_another_shape_names_what_does_not_fit():
    script = Script(LINEAR, [{"retCode": 0, "result": {"list": {}}}])
    with pytest.raises(FieldInvalid, match="array"):
        await LINEAR.open_orders(script.ask)


async def test_one_way_mode_and_leverage_are_set_and_already_so_is_fine():
    done = {"retCode": 0, "result": {}}
    script = Script(LINEAR, [done, done])
    await LINEAR.prepare(script.ask, ("BTCUSDT",), 3)
    mode, leverage = script.asked
    assert json.loads(mode.text) == {"category": "linear", "coin": "USDT", "mode": 0}
    assert json.loads(leverage.text)["buyLeverage"] == "3"
    assert {110025, 110043} <= set(mode.fine)
    await SPOT.prepare(Script(SPOT, []).ask, ("BTCUSDT",), 3)


def test_a_negative_size_of_a_short_position_is_a_frame_that_is_not_understood():
    row = {"symbol": "BTCUSDT", "side": "Sell", "size": "-0.003", "category": "linear"}
    row |= {"positionIdx": 0, "entryPrice": "1", "markPrice": "1", "positionStatus": "Normal"}
    row |= {"updatedTime": "1700000000000", "seq": 1}
    frame = {"id": "1", "topic": "position", "creationTime": 1_700_000_000_000, "data": [row]}
    with pytest.raises(FrameInvalid, match="no number"):
        told(LINEAR.parse(json.dumps(frame).encode()))
