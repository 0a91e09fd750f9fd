# SPDX-License-Identifier: Apache-2.0
"""Rate limits of the twin's Binance: what is counted, what is told, what too much leads to. The
clock stands until a test moves it.
"""

from __future__ import annotations

from binance_desk import BinanceDesk
from hean.twin.binance.limits import BAN_S, REFUSALS_BEFORE_BAN

MINUTE_MS = 60_000


def weight(desk: BinanceDesk) -> int:
    return int(desk.headers["X-MBX-USED-WEIGHT-1M"])


def test_each_request_weighs_what_binance_says() -> None:
    desk, before = BinanceDesk(), 0
    weights = [
        ("ping", {}, 1),
        ("depth", {"symbol": "BTCUSDT", "limit": 100}, 5),
        ("depth", {"symbol": "BTCUSDT", "limit": 101}, 25),
        ("depth", {"symbol": "BTCUSDT", "limit": 1_000}, 50),
        ("depth", {"symbol": "BTCUSDT", "limit": 5_000}, 250),
        ("exchangeInfo", {}, 20),
        ("klines", {"symbol": "BTCUSDT", "interval": "1m"}, 2),
        ("ticker/24hr", {"symbol": "BTCUSDT"}, 2),
        ("ticker/24hr", {}, 80),
        ("ticker/price", {}, 4),
    ]
    for path, params, expected in weights:
        desk.get(f"/api/v3/{path}", **params)
        assert weight(desk) - before == expected, path
        before = weight(desk)


def test_a_refused_request_weighs_too() -> None:
    desk = BinanceDesk()
    assert desk.get("/api/v3/depth", symbol="NOSUCH")["code"] == -1121
    assert weight(desk) == 5


def test_an_order_that_succeeds_weighs_nothing_one_that_fails_does() -> None:
    desk = BinanceDesk()
    desk.buy("0.001", "59000")
    assert weight(desk) == 0
    desk.buy("0.001", "59000.001")
    assert weight(desk) == 1


def test_too_much_weight_is_429_until_the_next_minute() -> None:
    desk = BinanceDesk(limits_scale=0.01)
    desk.now_ns += 15_000 * 1_000_000
    for _ in range(3):
        assert "symbols" in desk.get("/api/v3/exchangeInfo")
    answer = desk.get("/api/v3/exchangeInfo")
    assert (desk.status, answer["code"]) == (429, -1003)
    assert desk.headers["Retry-After"] == "46"
    assert "60 request weight per 1 MINUTE" in answer["msg"]
    desk.pass_ms(46_000)
    assert "symbols" in desk.get("/api/v3/exchangeInfo")


def test_carrying_on_is_a_ban_that_grows() -> None:
    desk = BinanceDesk(limits_scale=0.01)
    for _ in range(3 + REFUSALS_BEFORE_BAN):
        desk.get("/api/v3/exchangeInfo")
    assert desk.status == 429
    answer = desk.get("/api/v3/exchangeInfo")
    assert (desk.status, answer["code"]) == (418, -1003)
    assert desk.headers["Retry-After"] == str(BAN_S + 1)
    until = int(answer["msg"].split("until ")[1].split(".")[0])
    assert until == desk.now_ns // 1_000_000 + BAN_S * 1_000
    desk.pass_ms(MINUTE_MS)
    assert desk.get("/api/v3/ping")["code"] == -1003, "a ban outlasts the minute"
    desk.pass_ms(MINUTE_MS)
    assert desk.get("/api/v3/ping") == {}
    for _ in range(4 + REFUSALS_BEFORE_BAN):
        desk.get("/api/v3/exchangeInfo")
    assert int(desk.headers["Retry-After"]) == 2 * BAN_S + 1


def test_orders_are_counted_for_the_account_and_fills_give_back() -> None:
    desk = BinanceDesk()
    desk.buy("0.001", "59000")
    assert desk.headers["X-MBX-ORDER-COUNT-10S"] == "1"
    assert desk.headers["X-MBX-ORDER-COUNT-1D"] == "1"
    desk.buy("0.001", "59000", key="DeskKey2")
    assert desk.headers["X-MBX-ORDER-COUNT-10S"] == "1", "another account counts for itself"
    desk.buy("0.001", "61000")
    assert desk.headers["X-MBX-ORDER-COUNT-10S"] == "1", "it filled at once"
    desk.signed("GET", "/api/v3/account")
    assert "X-MBX-ORDER-COUNT-10S" not in desk.headers


def test_too_many_orders_are_refused_and_not_placed() -> None:
    desk = BinanceDesk(limits_scale=0.03)
    for _ in range(3):
        desk.buy("0.001", "59000")
    answer = desk.buy("0.001", "59000")
    assert (desk.status, answer["code"]) == (429, -1015)
    assert answer["msg"] == "Too many new orders; current limit is 3 orders per 10 SECOND."
    assert len(desk.main.open_orders) == 3
    desk.pass_ms(10_000)
    assert desk.buy("0.001", "59000")["status"] == "NEW"


def test_exchange_information_tells_the_limits_that_hold() -> None:
    listed = BinanceDesk(limits_scale=2.0).get("/api/v3/exchangeInfo")["rateLimits"]
    rows = {(row["rateLimitType"], row["interval"]): row["limit"] for row in listed}
    assert rows["REQUEST_WEIGHT", "MINUTE"] == 12_000
    assert rows["ORDERS", "SECOND"] == 200


def test_sockets_and_rest_share_their_counters() -> None:
    desk = BinanceDesk()
    session = desk.connect("/ws-api/v3")
    answer = desk.say(
        session, {"id": 1, "method": "depth", "params": {"symbol": "BTCUSDT", "limit": 5_000}}
    )
    assert answer["rateLimits"][0]["count"] == 250
    desk.get("/api/v3/ping")
    assert weight(desk) == 251
