# SPDX-License-Identifier: Apache-2.0
"""Binance spot on the wire: orders as bytes, answers as verdicts."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from hean.core.types import OrderType, Side, TimeInForce
from hean.errors import DuplicateOrder, WouldTrade
from hean.venues.binance_spot import BinanceSpotCodec, spot_budget
from hean.venues.outcomes import Outcome
from hean.venues.reports import Status
from json_shapes import documented
from scripted_venue import ID, NOW_MS, SIGNER, Script, approved, codec_of, tracked

SPOT = codec_of(BinanceSpotCodec, "binance", "spot")
LIMIT = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.01",
    "price": "28000.5",
    "newClientOrderId": ID,
    "newOrderRespType": "ACK",
}


def without(fields: dict, *names: str) -> dict:
    return {name: value for name, value in fields.items() if name not in names}


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ({}, LIMIT),
        ({"side": Side.SELL}, LIMIT | {"side": "SELL"}),
        ({"time_in_force": TimeInForce.FOK}, LIMIT | {"timeInForce": "FOK"}),
        (
            {"time_in_force": TimeInForce.POST_ONLY},
            without(LIMIT, "timeInForce") | {"type": "LIMIT_MAKER"},
        ),
        ({"kind": OrderType.MARKET}, without(LIMIT, "timeInForce", "price") | {"type": "MARKET"}),
        (
            {"kind": OrderType.STOP},
            without(LIMIT, "timeInForce", "price") | {"type": "STOP_LOSS", "stopPrice": "27000"},
        ),
        (
            {"kind": OrderType.STOP_LIMIT},
            LIMIT | {"type": "STOP_LOSS_LIMIT", "stopPrice": "27000"},
        ),
        (
            {"kind": OrderType.TAKE_PROFIT},
            without(LIMIT, "timeInForce", "price") | {"type": "TAKE_PROFIT", "stopPrice": "27000"},
        ),
    ],
)
def test_an_order_on_the_socket_is_signed_over_what_it_carries(order, expected):
    frame = json.loads(SPOT.submit_frame(approved(**order), "7", NOW_MS))
    assert (frame["id"], frame["method"]) == ("7", "order.place")
    sent = frame["params"]
    signature = sent.pop("signature")
    text = "&".join(f"{name}={value}" for name, value in sorted(sent.items()))
    assert signature == SIGNER.sign(text.encode())
    assert without(sent, "apiKey", "timestamp") == expected


def test_by_rest_the_query_is_what_was_signed_and_the_key_is_a_header():
    request = SPOT.sign(SPOT.submit_call(approved()), NOW_MS)
    text, _, signature = request.query.rpartition("&signature=")
    assert (request.method, request.path, request.body) == ("POST", "/api/v3/order", b"")
    assert signature == SIGNER.sign(text.encode())
    assert dict(pair.split("=") for pair in text.split("&")) == LIMIT | {"timestamp": str(NOW_MS)}
    assert request.headers == {"X-MBX-APIKEY": SIGNER.key}


async def test_the_time_is_asked_for_without_a_signature():
    script = Script(SPOT, [{"serverTime": NOW_MS}])
    assert await SPOT.server_time_ns(script.ask) == NOW_MS * 1_000_000
    assert SPOT.sign(script.asked[0], NOW_MS).query == ""


def test_an_order_only_shrinks():
    order = tracked()
    assert SPOT.amend_refusal(order, order.price, Decimal("0.005")) == ""
    assert "cancel it" in SPOT.amend_refusal(order, Decimal(1), order.size)
    assert "cancel it" in SPOT.amend_refusal(order, order.price, Decimal("0.02"))
    frame = json.loads(SPOT.amend_frame(order, order.price, Decimal("0.005"), "9", NOW_MS))
    assert frame["method"] == "order.amend.keepPriority"
    assert frame["params"]["newQty"] == "0.005"
    assert frame["params"]["newClientOrderId"] == ID


def test_the_documented_answer_of_the_order_socket_is_understood(shared: Path):
    path = shared / "payloads/binance/documented/binance-net/ws-api/spot/Trading/PlaceOrder.txt"
    reply = SPOT.reply(SPOT.parse(json.dumps(documented(path)).encode()), NOW_MS)
    assert (reply.verdict.outcome, reply.exchange_order_id) == (Outcome.YES, "12569099453")
    assert reply.used == (("orders 10 s", 1, 50), ("orders 1 d", 1, 160_000), ("weight", 1, 6_000))


@pytest.mark.parametrize(
    ("status", "code", "text", "outcome", "error"),
    [
        (400, -2010, "Duplicate order sent.", Outcome.UNKNOWN, DuplicateOrder),
        (400, -2010, "Order would immediately match and take.", Outcome.NO, WouldTrade),
        (400, -1007, "Timeout waiting for response", Outcome.UNKNOWN, None),
    ],
)
def test_a_refusal_means_the_same_on_socket_and_rest(status, code, text, outcome, error):
    refusal = {"code": code, "msg": text}
    frame = json.dumps({"id": "7", "status": status, "error": refusal}).encode()
    by_socket = SPOT.reply(SPOT.parse(frame), NOW_MS)
    by_rest = SPOT.read(
        SPOT.submit_call(approved()), status, {}, json.dumps(refusal).encode(), NOW_MS
    )
    for reply in (by_socket, by_rest):
        assert reply.verdict.outcome is outcome
        assert error is None or reply.verdict.error is error


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"orderId":', b"\xff"])
def test_a_body_that_is_no_answer_is_never_a_yes(body):
    call = SPOT.submit_call(approved())
    reply = SPOT.read(call, 200, {}, body, NOW_MS)
    assert reply.verdict.outcome is Outcome.UNKNOWN
    assert reply.exchange_order_id == ""


def test_headers_teach_the_budget():
    headers = {"x-mbx-used-weight-1m": "4500", "x-mbx-order-count-10s": "2"}
    reply = SPOT.read(SPOT.cancel_call(tracked()), 200, headers, b"{}", NOW_MS)
    assert reply.used == (("weight", 4500, None), ("orders 10 s", 2, None))
    budget = spot_budget()
    for name, used, count in reply.used:
        budget.observe(name, 0, used=used, count=count)
    assert budget.headroom_fraction(0) == pytest.approx(0.25)


async def test_the_documented_account_is_understood(shared: Path):
    folder = shared / "payloads/binance/documented/binance-net/rest/spot"
    orders = documented(folder / "Trading/GetOpenOrders.txt")
    listing = await SPOT.open_orders(Script(SPOT, [orders]).ask)
    assert listing.rows[0].status is Status.OPEN
    balances = await SPOT.balances(
        Script(SPOT, [documented(folder / "Account/GetAccountInfo.txt")]).ask
    )
    assert {row.asset for row in balances.rows} >= {"BTC"}
    trades = documented(folder / "Trading/GetUserTrades.txt")
    executions = await SPOT.executions(Script(SPOT, [trades]).ask, 0, ("BNBBTC",))
    assert executions.rows[0].client_order_id == ""
    assert executions.rows[0].exchange_order_id == str(trades[0]["orderId"])


async def test_executions_go_on_from_the_last_id_of_a_full_page():
    row = {
        "symbol": "BTCUSDT",
        "orderId": 1,
        "price": "1",
        "qty": "1",
        "commission": "0",
        "commissionAsset": "BTC",
        "time": 1,
        "isBuyer": True,
        "isMaker": False,
    }
    full = [row | {"id": number} for number in range(1, 1_001)]
    script = Script(SPOT, [full, [row | {"id": 1_001}]])
    listing = await SPOT.executions(script.ask, 5_000_000, ("BTCUSDT",))
    assert listing.is_complete
    assert len({each.exec_id for each in listing.rows}) == 1_001
    assert "startTime=5&" in script.asked[0].text
    assert "fromId=1001&" in script.asked[1].text


async def test_an_order_that_the_venue_does_not_know_is_not_there():
    codec = SPOT

    async def ask(call):
        assert -2013 in call.fine
        return b'{"code":-2013,"msg":"Order does not exist."}'

    assert await codec.order(ask, tracked()) is None
