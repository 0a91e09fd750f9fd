# SPDX-License-Identifier: Apache-2.0
"""Binance USD-M on the wire: what differs from spot, and its book of conditional orders."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from hean.core.types import OrderType, TimeInForce
from hean.venues.binance_usdm import BinanceUsdmCodec
from hean.venues.reports import Status
from json_shapes import documented
from scripted_venue import ID, NOW_MS, Script, approved, codec_of, tracked

USDM = codec_of(BinanceUsdmCodec, "binance", "linear")


def fields(text: str) -> dict:
    return dict(pair.split("=") for pair in text.split("&"))


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ({}, {"type": "LIMIT", "price": "28000.5", "timeInForce": "GTC"}),
        (
            {"time_in_force": TimeInForce.POST_ONLY},
            {"type": "LIMIT", "price": "28000.5", "timeInForce": "GTX"},
        ),
        ({"kind": OrderType.MARKET, "reduce_only": True}, {"type": "MARKET", "reduceOnly": "true"}),
    ],
)
def test_an_order_on_the_socket(order, expected):
    frame = json.loads(USDM.submit_frame(approved(**order), "7", NOW_MS))
    sent = frame["params"]
    for name in ("apiKey", "timestamp", "signature"):
        sent.pop(name)
    always = {"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.01", "newClientOrderId": ID}
    assert sent == always | expected


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        (OrderType.STOP, "STOP_MARKET"),
        (OrderType.STOP_LIMIT, "STOP"),
        (OrderType.TAKE_PROFIT, "TAKE_PROFIT_MARKET"),
    ],
)
def test_a_conditional_order_goes_by_rest_to_its_own_book(kind, word):
    assert USDM.submit_frame(approved(kind), "7", NOW_MS) is None
    call = USDM.submit_call(approved(kind))
    assert call.path == "/fapi/v1/algoOrder"
    sent = fields(call.text)
    assert (sent["algoType"], sent["type"], sent["clientAlgoId"]) == ("CONDITIONAL", word, ID)
    assert sent["triggerPrice"] == "27000"
    assert ("price" in sent) == (kind is OrderType.STOP_LIMIT)


def test_a_triggered_stop_is_cancelled_under_the_id_that_the_venue_gave_it():
    stop = tracked(is_conditional=True)
    assert USDM.cancel_frame(stop, "8", NOW_MS) is None
    assert fields(USDM.cancel_call(stop).text)["clientAlgoId"] == ID
    stop.child_order_id = "123"
    call = USDM.cancel_call(stop)
    assert (call.path, fields(call.text)["orderId"]) == ("/fapi/v1/order", "123")


def test_an_amendment_gives_all_terms():
    frame = json.loads(USDM.amend_frame(tracked(), Decimal(28001), Decimal("0.01"), "9", NOW_MS))
    assert frame["method"] == "order.modify"
    sent = frame["params"]
    assert (sent["side"], sent["price"], sent["quantity"]) == ("BUY", "28001", "0.01")
    assert USDM.amend_refusal(tracked(is_conditional=True), Decimal(1), Decimal(1))


async def test_the_documented_account_is_understood(shared: Path):
    folder = shared / "payloads/binance/documented/binance-net/rest/usdm"
    orders = documented(folder / "Trading/GetOpenOrders.txt")
    algos = documented(folder / "Trading/GetOpenConditionalOrders.txt")
    listing = await USDM.open_orders(Script(USDM, [orders, algos]).ask)
    assert {row.status for row in listing.rows} == {Status.OPEN}
    assert len(listing.rows) == len(orders) + len(algos)
    positions = documented(folder / "Trading/GetPositions.txt")
    found = await USDM.positions(Script(USDM, [positions]).ask)
    assert {row.symbol for row in found.rows} == {
        row["symbol"] for row in positions if Decimal(row["positionAmt"])
    }
    balances = documented(folder / "Account/GetBalances.txt")
    assert (await USDM.balances(Script(USDM, [balances]).ask)).rows[0].asset == "USDT"
    trades = documented(folder / "Trading/GetUserTrades.txt")
    executions = await USDM.executions(Script(USDM, [trades]).ask, 0, ("BTCUSDT",))
    assert executions.rows[0].exchange_order_id == str(trades[0]["orderId"])


FINISHED = {
    "algoId": 7,
    "clientAlgoId": ID,
    "symbol": "BTCUSDT",
    "algoStatus": "FINISHED",
    "quantity": "0.01",
    "actualOrderId": "99",
}
NOT_FOUND = {"code": -2013, "msg": "Order does not exist."}


@pytest.mark.parametrize(
    ("word", "filled", "status"),
    [
        ("NEW", "0", Status.OPEN),
        ("FILLED", "0.01", Status.FILLED),
        ("CANCELED", "0", Status.CANCELLED),
        ("EXPIRED", "0.004", Status.EXPIRED),
    ],
)
async def test_a_triggered_conditional_order_stands_where_the_order_stands_that_it_became(
    word, filled, status
):
    child = {
        "orderId": 99,
        "symbol": "BTCUSDT",
        "clientOrderId": "autoclose",
        "status": word,
        "origQty": "0.01",
        "executedQty": filled,
    }
    script = Script(USDM, [FINISHED, child])
    report = await USDM.order(script.ask, tracked(is_conditional=True))
    assert fields(script.asked[1].text) == {"symbol": "BTCUSDT", "orderId": "99"}
    assert (report.status, report.filled) == (status, Decimal(filled))
    assert (report.client_order_id, report.exchange_order_id) == (ID, "7")
    assert (report.child_order_id, report.is_conditional) == ("99", True)


async def test_what_became_of_a_triggered_order_is_open_while_the_venue_does_not_show_it():
    script = Script(USDM, [FINISHED, NOT_FOUND])
    report = await USDM.order(script.ask, tracked(is_conditional=True))
    assert (report.status, report.child_order_id) == (Status.OPEN, "99")


async def test_the_private_stream_has_an_address_that_is_asked_for_and_prolonged():
    script = Script(USDM, [{"listenKey": "abc"}, {"listenKey": "abc"}])
    url = await USDM.private_url(script.ask)
    await USDM.keep_private(script.ask)
    assert url == f"{USDM.endpoints.private}/ws/abc"
    assert [call.method for call in script.asked] == ["POST", "PUT"]
    assert USDM.private_steps(NOW_MS) == ()


async def test_the_dead_man_s_switch_is_wound_for_each_symbol_again_and_again():
    script = Script(USDM, [{}, {}, {}, {}])
    assert await USDM.arm(script.ask, 30, ("BTCUSDT", "ETHUSDT"))
    assert not await USDM.arm(script.ask, 0, ("BTCUSDT", "ETHUSDT"))
    assert [fields(call.text)["countdownTime"] for call in script.asked] == ["30000"] * 2 + [
        "0"
    ] * 2
