# SPDX-License-Identifier: Apache-2.0
"""Requests that nobody decent sends, to every route of both venues: each is answered in the
venue's own words, none with a fault of ours, and none changes anything.
"""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from venue_contract.hostile.attack import (
    OTHER_METHODS,
    Answer,
    Attacker,
    Target,
    money,
    targets,
    told,
)
from venue_contract.twin_process import Account, TwinProcess

NASTY: dict[str, Any] = {
    "empty": "",
    "long": "9" * 250,
    "negative": "-1",
    "NaN": "NaN",
    "infinity": "1e400",
    "forty decimals": "1." + "1" * 40,
    "twenty digits": "9" * 20 + ".99999999",
    "other digits": "５²",
    "control": "\x00\x1f",
    "list": '["x",[',
    "nested": "[" * 60,
    "percent": "%zz/..%2f",
    "emoji": "\U0001f600",
}
FIELDS = {
    "bybit": {
        "category": "linear",
        "symbol": "BTCUSDT",
        "side": "Buy",
        "orderType": "Limit",
        "qty": "0.001",
        "price": "30000",
        "orderId": "1",
        "interval": "M",
        "mode": "0",
        "buyLeverage": "5",
        "sellLeverage": "5",
        "timeWindow": "10",
        "limit": "10",
        "accountType": "UNIFIED",
        "intervalTime": "5min",
        "period": "5min",
        "riskId": "1",
    },
    "binance": {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": "0.01",
        "price": "30000",
        "orderId": "1",
        "interval": "1M",
        "limit": "10",
        "period": "5m",
        "leverage": "5",
        "algoType": "CONDITIONAL",
        "triggerPrice": "40000",
        "batchOrders": "[{}]",
        "orderIdList": "[1]",
        "newQty": "0.001",
        "windowSize": "1d",
    },
}
OPTIONAL = {
    "bybit": ("startTime", "start", "end", "cursor", "orderLinkId", "triggerPrice", "takeProfit"),
    "binance": ("startTime", "endTime", "fromId", "newClientOrderId", "symbols", "recvWindow"),
}
BODIES = {
    "empty": b"",
    "array": b"[]",
    "deep": b'{"a":' * 10_000,
    "twice": b'{"category":"linear","category":"spot"}',
    "not UTF-8": b'{"category":"\xff\xfe"}',
    "half a pair": b'{"category":"\\ud800","symbol":"\\udfff"}',
    "NaN": b'{"category":NaN}',
    "huge number": b'{"category":"linear","mode":' + b"9" * 5_000 + b"}",
    "form": b"symbol=%ff&side=%00&&=",
}
NO_HTTP = (
    b"\x16\x03\x01\x02\x00\r\n\r\n",
    b"GET\r\n\r\n",
    b"GET /v5/market/time HTTP/9.9\r\n\r\n",
    b"POST /v5/order/create HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
    b"POST /api/v3/order HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
    b"GET /?" + b"a" * 9_000 + b" HTTP/1.1\r\n\r\n",
    b"GET /api/v3/time?\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
)


def judge(twin: TwinProcess, answer: Answer, sent: object) -> None:
    """Whether an answer is one of the venue's."""
    assert answer.status < 500, (sent, answer)
    if twin.exchange == "bybit":
        assert "retCode" in (answer.document or {}), (sent, answer)
    elif answer.status >= 400:
        assert "code" in (answer.document or {}), (sent, answer)


def every(twin: TwinProcess, *, is_trading: bool | None = None) -> list[Target]:
    found = targets(twin.exchange)
    return [each for each in found if is_trading in (None, each.is_trading)]


@pytest.mark.parametrize("name", NASTY)
def test_a_nasty_value_in_any_field_of_any_route_changes_nothing(
    victim: TwinProcess, attacker: Attacker, name: str
) -> None:
    """In every field at once, then in each alone; trading routes get no chance to be right."""
    fields, value, before = FIELDS[victim.exchange], NASTY[name], money(victim)
    for target in every(victim):
        sent = dict.fromkeys((*fields, *OPTIONAL[victim.exchange]), value)
        judge(victim, attacker.signed(victim.main, target, sent), (target, name))
        names = () if target.is_trading else (*fields, *OPTIONAL[victim.exchange])
        for field in names:
            answer = attacker.signed(victim.main, target, {**fields, field: value})
            judge(victim, answer, (target, field, name))
    assert money(victim) == before
    assert "Traceback" not in told(victim)


def test_a_nasty_value_in_one_field_of_an_order_is_refused(
    victim: TwinProcess, attacker: Attacker
) -> None:
    order, before = FIELDS[victim.exchange], money(victim)
    path = "/v5/order/create" if victim.exchange == "bybit" else "/api/v3/order"
    target = Target("POST", path, True, True)
    for field in list(order)[:6]:
        for name, value in NASTY.items():
            answer = attacker.signed(victim.main, target, {**order, field: value})
            judge(victim, answer, (field, name))
            assert answer.code, (field, name, answer)
    assert money(victim) == before


@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_is_none_is_refused_by_every_route(
    victim: TwinProcess, attacker: Attacker, name: str
) -> None:
    before = money(victim)
    for target in every(victim):
        if target.method == "GET":
            continue
        judge(victim, attacker.signed(victim.main, target, raw=BODIES[name]), (target, name))
        packed = gzip.compress(BODIES[name] + bytes(5_000_000))
        answer = attacker.send(target.method, target.path, packed, {"Content-Encoding": "gzip"})
        judge(victim, answer, (target, name, "packed"))
    assert money(victim) == before
    assert "Traceback" not in told(victim)


def test_other_methods_no_key_and_broken_headers_are_refused(
    victim: TwinProcess, attacker: Attacker
) -> None:
    before, known = money(victim), {(t.method, t.path) for t in every(victim)}
    for target in every(victim):
        for method in OTHER_METHODS:
            answer = attacker.send(method, target.path)
            assert answer.status < 500
            if (method, target.path) not in known and method != "HEAD":
                judge(victim, answer, (method, target))
                assert answer.status == 404
        if target.is_signed:
            bare = attacker.send(target.method, target.path)
            judge(victim, bare, target)
            assert bare.code
            for name in ("X-BAPI-API-KEY", "X-BAPI-SIGN", "X-BAPI-TIMESTAMP", "X-MBX-APIKEY"):
                headers = {"X-BAPI-API-KEY": victim.main.key, "X-BAPI-SIGN": "0"}
                headers |= {"X-BAPI-TIMESTAMP": "1", "X-BAPI-RECV-WINDOW": "\xff\xfe"}
                answer = attacker.send(target.method, target.path, b"", headers | {name: "\xff"})
                judge(victim, answer, (target, name))
                assert answer.code
    assert money(victim) == before
    assert "Traceback" not in told(victim)


@pytest.mark.parametrize("sent", NO_HTTP)
def test_what_is_no_http_is_answered_once_and_leaves_no_trace(
    victim: TwinProcess, attacker: Attacker, sent: bytes
) -> None:
    assert attacker.bytes(sent).split(b" ", 2)[1] == b"400"
    assert "Traceback" not in told(victim)


def test_a_body_without_end_is_cut(victim: TwinProcess, attacker: Attacker) -> None:
    path = "/v5/order/create" if victim.exchange == "bybit" else "/api/v3/order"
    assert attacker.send("POST", path, bytes(5_000_000)).status == 413


def test_a_key_that_may_only_read_trades_on_no_route(
    victim: TwinProcess, attacker: Attacker
) -> None:
    before, code = money(victim), 10005 if victim.exchange == "bybit" else -2015
    trading = every(victim, is_trading=True)
    assert len(trading) >= 15
    for target in trading:
        answer = attacker.signed(victim.readonly, target, FIELDS[victim.exchange])
        assert answer.code == code, (target, answer)
    assert money(victim) == before


def test_orders_of_another_account_are_neither_seen_nor_touched(
    victim: TwinProcess, attacker: Attacker
) -> None:
    def placed(market: str) -> str:
        price = "30000"
        place = {"symbol": "BTCUSDT", "side": "BUY", "qty": "0.01", "price": price}
        mine = victim.control.manual("place", market=market, client_id=f"own-{market}", **place)
        return str(mine["order_id"])

    for market in ("linear", "spot"):
        number = placed(market)
        before = money(victim)
        for target, fields in strange_ways(victim.exchange, market, number):
            answer = attacker.signed(victim.second, target, fields)
            judge(victim, answer, target)
            text = answer.body.decode()
            assert f"own-{market}" not in text.replace(json.dumps(fields), ""), (target, text)
            assert money(victim) == before, target
        victim.control.manual("cancel", order_id=number)


def strange_ways(exchange: str, market: str, number: str) -> list[tuple[Target, dict[str, Any]]]:
    """Every way to name an order, with the id of somebody else's."""
    if exchange == "bybit":
        where = {"category": market, "symbol": "BTCUSDT"}
        post = {"cancel": {}, "amend": {"qty": "0.02", "price": "31000"}, "cancel-all": {}}
        found = [
            (Target("POST", f"/v5/order/{name}", True, True), {**where, "orderId": number, **more})
            for name, more in post.items()
        ]
        legs = [{"symbol": "BTCUSDT", "orderId": number, "qty": "0.02"}]
        found += [
            (
                Target("POST", f"/v5/order/{name}-batch", True, True),
                {"category": market, "request": legs},
            )
            for name in ("cancel", "amend")
        ]
        reads = ("order/realtime", "order/history", "execution/list")
        return found + [
            (Target("GET", f"/v5/{name}", True, False), {**where, "orderId": number})
            for name in reads
        ]
    named = {"symbol": "BTCUSDT", "orderId": number}
    base = "/api/v3" if market == "spot" else "/fapi/v1"
    cancel_all = "openOrders" if market == "spot" else "allOpenOrders"
    lists = ("order", "openOrders", "allOrders")
    found = [(Target("GET", f"{base}/{name}", True, False), named) for name in lists]
    found += [
        (Target("DELETE", f"{base}/order", True, True), named),
        (Target("DELETE", f"{base}/{cancel_all}", True, True), {"symbol": "BTCUSDT"}),
    ]
    if market == "spot":
        path = f"{base}/order/amend/keepPriority"
        return [*found, (Target("PUT", path, True, True), {**named, "newQty": "0.001"})]
    changed = {**named, "side": "BUY", "quantity": "0.02", "price": "31000"}
    many = {"symbol": "BTCUSDT", "orderIdList": f"[{number}]"}
    return [
        *found,
        (Target("PUT", f"{base}/order", True, True), changed),
        (Target("DELETE", f"{base}/batchOrders", True, True), many),
    ]


def test_a_wrong_secret_opens_nothing(victim: TwinProcess, attacker: Attacker) -> None:
    thief = Account("main", victim.main.key, "not the secret")
    unknown = Account("main", "nobodyskey", victim.main.secret)
    for target in every(victim):
        if not target.is_signed:
            continue
        for who in (thief, unknown):
            answer = attacker.signed(who, target, FIELDS[victim.exchange])
            judge(victim, answer, target)
            assert answer.code, (target, answer)
