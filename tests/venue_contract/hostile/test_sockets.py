# SPDX-License-Identifier: Apache-2.0
"""WebSockets in bad hands: frames that are none, floods, clients that never read, hundreds that
come and are cut. A bad connection ends alone; the twin stays small and answers everybody else.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest

from venue_contract.hostile.attack import (
    BINARY,
    CLOSE,
    PING,
    Attacker,
    RawSocket,
    memory_mb,
    money,
    told,
)
from venue_contract.twin_process import TwinProcess, wait_until

USER = "private"
"""Route of the user streams."""
PATHS = {
    "bybit": ("/v5/public/linear", "/v5/public/spot", "/v5/private", "/v5/trade"),
    "binance": ("/ws", "/stream", "/ws-api/v3", "/ws-fapi/v1", "/public/ws", f"/{USER}/ws"),
}
ODD: tuple[Any, ...] = (
    *(None, True, -1, 1.5, 10**30, 2**64, "", "x", "\x00", "²", "9" * 5_000, [], {}, [[]]),
    *("ping", "auth", "subscribe", "SUBSCRIBE", "order.create", "order.place", "time"),
)
NEVER_READ_MB = 150.0  # ten clients, each allowed eight
RESETS = 300


def alive(attacker: Attacker) -> None:
    path = "/v5/market/time" if attacker.twin.exchange == "bybit" else "/api/v3/time"
    assert attacker.send("GET", path).status == 200


def gone(twin: TwinProcess) -> None:
    wait_until(lambda: not twin.control.get("state")["sessions"], "no session is left")


@pytest.mark.parametrize("which", range(4))
def test_broken_frames_end_one_connection_at_most(
    victim: TwinProcess, attacker: Attacker, which: int
) -> None:
    path = PATHS[victim.exchange][which]

    def open_() -> RawSocket:
        return RawSocket(victim, path)

    broken = [open_() for _ in range(9)]
    broken[0].send(b"hello")
    broken[1].send(b"\xff\xfe")
    broken[2].send(b'{"op":"ping"}', kind=BINARY)
    broken[3].send(b'{"op":"pi', length=50)
    broken[4].send(b'{"op":"pi', is_last=False)
    broken[4].send(b"x", kind=PING)
    broken[4].send(b'ng"}', kind=0)
    with suppress(ConnectionError):  # cut before all of it has been sent
        broken[5].send(b'"' + b"x" * 2_000_000)
    broken[6].send(b"[" * 100_000)
    broken[7].send(b"\x27\x0f\xff", kind=CLOSE)
    broken[8].line.sendall(b"\xf1\x80aaaa")
    alive(attacker)
    for each in broken:
        each.reset()
    gone(victim)
    assert "Traceback" not in told(victim)


def messages(exchange: str, odd: Any) -> list[Any]:
    """Everything a message can hold, with something odd in its place."""
    if exchange == "bybit":
        return [
            {"op": odd},
            *({"op": op, "args": args} for op in ("subscribe", "auth") for args in (odd, [odd])),
            {"op": "auth", "args": [odd, odd, odd]},
            {"op": "ping", "req_id": odd},
            {"op": "subscribe", "args": [f"orderbook.{odd}.BTCUSDT", f"kline.{odd}.BTCUSDT"]},
            {"op": "order.create", "args": odd, "header": odd, "reqId": odd},
            {"op": "order.create", "args": [odd], "header": {"X-BAPI-TIMESTAMP": odd}},
        ]
    keyed = {"apiKey": odd, "timestamp": odd, "signature": odd, "symbol": odd}
    return [
        {"method": odd, "id": odd},
        {"method": "SUBSCRIBE", "params": odd, "id": odd},
        {"method": "SUBSCRIBE", "params": [odd, f"btcusdt@{odd}"], "id": 1},
        {"method": "SET_PROPERTY", "params": ["combined", odd], "id": 1},
        {"method": "order.place", "id": odd, "params": keyed},
        {"method": "klines", "params": {"symbol": "BTCUSDT", "interval": "1M", "startTime": odd}},
        {"method": "depth", "params": {"symbol": "BTCUSDT", "limit": odd}},
        {"method": "userDataStream.unsubscribe", "id": 1, "params": {"subscriptionId": odd}},
    ]


@pytest.mark.parametrize("which", range(4))
def test_odd_messages_are_answered_and_change_nothing(
    victim: TwinProcess, attacker: Attacker, which: int
) -> None:
    before = money(victim)
    for odd in ODD:
        session = RawSocket(victim, PATHS[victim.exchange][which])
        for message in messages(victim.exchange, odd):
            session.send(json.dumps(message).encode())
        assert session.line.recv(1_024)
        session.reset()
    alive(attacker)
    gone(victim)
    assert money(victim) == before
    assert "Traceback" not in told(victim)


def test_clients_that_never_read_cost_little_and_nobody_else(
    victim: TwinProcess, attacker: Attacker
) -> None:
    """Each asks for the same large answers again and again until its line is full."""
    if victim.exchange == "bybit":
        path, ask = "/v5/public/linear", {"op": "subscribe", "args": ["orderbook.1000.BTCUSDT"]}
    else:
        path = "/ws-api/v3"
        ask = {"id": 1, "method": "depth", "params": {"symbol": "BTCUSDT", "limit": 1000}}
    before = memory_mb(victim)
    deaf = [RawSocket(victim, path, receive_bytes=4_096) for _ in range(10)]
    for session in deaf:
        try:
            for _ in range(2_000):
                session.send(json.dumps(ask).encode())
        except ConnectionError:
            continue  # cut already, as it should be
    alive(attacker)
    gone(victim)
    assert memory_mb(victim) - before < NEVER_READ_MB
    for session in deaf:
        session.line.close()


def test_hundreds_that_come_and_are_cut_leave_nothing(
    victim: TwinProcess, attacker: Attacker
) -> None:
    paths = PATHS[victim.exchange]
    sessions = [RawSocket(victim, paths[number % len(paths)]) for number in range(RESETS)]
    alive(attacker)
    for session in sessions:
        session.reset()
    gone(victim)
    assert "Traceback" not in told(victim)


def test_a_flood_is_answered_or_cut_and_the_next_one_is_heard(
    victim: TwinProcess, attacker: Attacker
) -> None:
    flood = RawSocket(victim, PATHS[victim.exchange][0])
    message = {"op": "ping", "method": "LIST_SUBSCRIPTIONS", "id": 1}
    for _ in range(10_000):
        flood.send(json.dumps(message).encode())
    topics = [f"orderbook.{number}.BTCUSDT" for number in range(10_000)]
    flood.send(json.dumps({"op": "subscribe", "args": topics}).encode())
    flood.send(json.dumps({"method": "SUBSCRIBE", "params": topics, "id": 1}).encode())
    alive(attacker)
    flood.reset()
    gone(victim)
