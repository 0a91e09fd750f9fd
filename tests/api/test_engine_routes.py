# SPDX-License-Identifier: Apache-2.0
"""A person at work over HTTP and the live stream, on a real engine and a real port."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from face_desk import FaceDesk, face_desk
from hean.api.permissions import Role
from hean.engine.topics import TOPICS

QTY = "0.01"
PATIENCE_S = 60.0


async def subscribed(desk: FaceDesk, socket: Any, *topics: str, role: Role = Role.ADMIN) -> None:
    """Say who it is, and what it wants to hear."""
    await socket.send_json({"action": "auth", "token": desk.tokens[role]})
    assert (await socket.receive_json())["ok"] is True
    for topic in topics:
        await socket.send_json({"action": "subscribe", "topic": topic})


async def heard(socket: Any, topic: str, wanted: Any) -> Any:
    """The first frame of a topic that is as wanted."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            frame = await socket.receive_json()
            if frame.get("topic") == topic and wanted(frame["data"]):
                return frame


async def snapshots(socket: Any, topics: set[str]) -> None:
    """Wait for a snapshot of each topic."""
    async with asyncio.timeout(PATIENCE_S):
        while topics:
            frame = await socket.receive_json()
            if frame["snapshot"]:
                topics.discard(frame["topic"])


@pytest.mark.promise(61)
@pytest.mark.promise(62)
@pytest.mark.promise(66)
@pytest.mark.promise(69)
async def test_a_day_of_a_trader(tmp_path: Path) -> None:
    async with face_desk(tmp_path) as desk:
        assert (await desk.ask("GET", "/engine/status"))[1]["state"] == "STOPPED"
        assert (await desk.ask("GET", "/positions"))[0] == 409
        assert (await desk.ask("GET", "/health/ready"))[0] == 503
        status, started = await desk.ask("POST", "/engine/start", role=Role.OPERATOR)
        assert (status, started["state"]) == (200, "STARTING")
        await desk.engine.start()
        assert (await desk.ask("GET", "/health/ready"))[0] == 200
        async with desk.socket() as socket:
            await subscribed(desk, socket, "orders", "fills", "positions", "system_status")
            asked = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "qty": QTY}
            status, order = await desk.ask("POST", "/orders", asked, role=Role.TRADER)
            assert (status, order["qty"]) == (202, QTY)
            name = order["client_order_id"]
            await heard(socket, "orders", lambda rows: any(
                row["client_order_id"] == name and row["status"] == "FILLED" for row in rows
            ))  # fmt: skip
            await heard(socket, "positions", lambda rows: [row["qty"] for row in rows] == [QTY])
            await heard(socket, "system_status", lambda state: state["mode"] == "PAPER")
        status, why = await desk.ask("GET", f"/orders/{name}/why", role=Role.VIEWER)
        assert (why["order"]["status"], why["decisions"][0]["verdict"]) == ("FILLED", "APPROVED")
        assert why["fills"][0]["qty"] == QTY
        _, summary = await desk.ask("GET", "/api/portfolio/summary", role=Role.VIEWER)
        assert float(summary["fees"]) > 0 and summary["mode"] == "PAPER"
        _, orders = await desk.ask("GET", "/orders?status=FILLED&limit=5")
        assert [row["client_order_id"] for row in orders] == [name]
        status, stopped = await desk.ask("POST", "/engine/stop", role=Role.OPERATOR)
        assert (status, stopped["state"]) == (200, "STOPPED")


async def test_a_stop_and_going_on(tmp_path: Path) -> None:
    async with face_desk(tmp_path) as desk:
        await desk.engine.start()
        stop = {"reason": "the feed looks wrong", "level": "HALT_NEW"}
        assert (await desk.ask("POST", "/killswitch/trigger", stop, role=Role.VIEWER))[0] == 403
        status, latched = await desk.ask("POST", "/killswitch/trigger", stop, role=Role.OPERATOR)
        assert (status, latched["latched"], latched["level"]) == (200, True, "HALT_NEW")
        asked = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "qty": QTY}
        status, order = await desk.ask("POST", "/orders", asked)
        assert (status, order["status"]) == (202, "REJECTED")
        going_on = {"phrase": "release paper", "reason": "looked at the feed"}
        status, problem = await desk.ask("POST", "/killswitch/release", going_on)
        assert (status, problem["code"]) == (409, "StillLatched")
        assert "at the earliest" in problem["detail"] and "release paper" not in str(problem)
        desk.engine.ahead_ns += 61_000_000_000
        assert (await desk.ask("POST", "/killswitch/release", going_on, role=Role.TRADER))[0] == 403
        status, free = await desk.ask("POST", "/killswitch/release", going_on, role=Role.RISK)
        assert (status, free["latched"]) == (200, False)


async def test_raising_a_limit_needs_role_and_reason(tmp_path: Path) -> None:
    async with face_desk(tmp_path) as desk:
        await desk.engine.start()
        lower = {"limits": {"order_value_max": "500"}}
        assert (await desk.ask("PATCH", "/risk/limits", lower, role=Role.TRADER))[0] == 200
        higher = {"limits": {"order_value_max": "5000"}}
        assert (await desk.ask("PATCH", "/risk/limits", higher, role=Role.TRADER))[0] == 403
        status, problem = await desk.ask("PATCH", "/risk/limits", higher, role=Role.RISK)
        assert (status, problem["field"]) == (422, "/body/reason")
        higher["reason"] = "more capital"  # type: ignore[assignment]
        status, risk = await desk.ask("PATCH", "/risk/limits", higher, role=Role.RISK)
        assert {row["name"]: row["value"] for row in risk["limits"]}["order_value_max"] == "5000"
        unknown = {"limits": {"order_vale_max": "1"}}
        status, problem = await desk.ask("PATCH", "/risk/limits", unknown, role=Role.RISK)
        assert status == 422 and "order_value_max" in problem["detail"]


async def test_an_order_that_makes_no_sense_names_its_field(tmp_path: Path) -> None:
    good = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "qty": QTY, "price": "50000"}
    async with face_desk(tmp_path) as desk:
        await desk.engine.start()
        for change, field in (
            ({"qty": 0.01}, "/body/qty"),
            ({"qty": "1e3"}, "/body/qty"),
            ({"side": "buy"}, "/body/side"),
            ({"quantity": "1"}, "/body/quantity"),
            ({"type": "STOP"}, "/body/type"),
            ({"time_in_force": "DAY"}, "/body/time_in_force"),
        ):
            status, problem = await desk.ask("POST", "/orders", {**good, **change})
            assert status == 422, change
            assert field in {row["field"] for row in problem["errors"]}, problem
        for change in ({"price": None}, {"qty": "0"}, {"type": "MARKET"}):
            assert (await desk.ask("POST", "/orders", {**good, **change}))[0] == 422, change
        status, problem = await desk.ask("POST", "/orders", {**good, "symbol": "DOGEUSDT"})
        assert status == 422 and "BTCUSDT, ETHUSDT" in problem["detail"]
        assert (await desk.ask("DELETE", "/orders/h0-none-1"))[0] == 404
        assert (await desk.ask("GET", "/orders"))[1] == []


@pytest.mark.control("C-07")
async def test_the_stream_tells_whoever_says_who_they_are(tmp_path: Path) -> None:
    async with face_desk(tmp_path) as desk:
        await desk.engine.start()
        for first in (
            {"action": "subscribe", "topic": "pnl"},
            {"action": "auth", "token": "x"},
            {},
        ):
            async with desk.socket() as socket:
                await socket.send_json(first)
                assert (await socket.receive()).data == 4401
        _, ticket = await desk.ask("POST", "/ws-ticket", role=Role.VIEWER)
        async with desk.socket() as socket:
            await socket.send_json({"action": "auth", "ticket": ticket["ticket"]})
            assert (await socket.receive_json())["role"] == "viewer"
            await socket.send_json({"action": "subscribe", "topic": "logs"})
            assert (await socket.receive_json())["code"] == "RoleTooLow"
            await socket.send_json({"action": "subscribe", "topic": "prices"})
            assert "market" in (await socket.receive_json())["detail"]
            await socket.send_json({"action": "order", "symbol": "BTCUSDT"})
            assert (await socket.receive_json())["code"] == "UnknownAction"
        async with desk.socket() as socket:
            await subscribed(desk, socket, *TOPICS)
            await snapshots(socket, set(TOPICS))
            frame = await heard(socket, "market", lambda rows: True)
        async with desk.socket() as socket:
            await subscribed(desk, socket)
            since = {"action": "subscribe", "topic": "market", "since": frame["seq"]}
            await socket.send_json(since)
            again = await socket.receive_json()
            assert (again["snapshot"], again["seq"]) == (False, frame["seq"] + 1)


@pytest.mark.control("C-07")
async def test_who_is_revoked_or_too_many_is_let_go(tmp_path: Path) -> None:
    async with face_desk(tmp_path) as desk:
        tokens = desk.face.api.access.tokens
        sockets = [await desk.socket() for _ in range(6)]
        for socket in sockets[:5]:
            await subscribed(desk, socket, role=Role.OPERATOR)
        await sockets[5].send_json({"action": "auth", "token": desk.tokens[Role.OPERATOR]})
        assert (await sockets[5].receive()).data == 4429
        desk.face.streams._ticks = lambda: 0.0  # all in a second, whatever the machine does
        for number in range(25):
            await sockets[0].send_json({"action": "ping", "n": number})
        codes = [message.data async for message in _closing(sockets[0])]
        assert codes[-1] == 4429
        await sockets[1].send_json({"action": "ping"})
        assert (await sockets[1].receive_json())["type"] == "pong"
        for row in tokens.all():
            if row.role == "operator":
                tokens.revoke(row.id)
        async with asyncio.timeout(PATIENCE_S):
            assert (await sockets[1].receive()).data == 4401
        for socket in sockets:
            await socket.close()


async def _closing(socket: Any) -> Any:
    while True:
        message = await socket.receive()
        yield message
        if message.type.name in ("CLOSE", "CLOSED", "CLOSING"):
            return


async def test_on_paper_there_is_no_gate_to_open_and_no_venue_to_disagree(tmp_path: Path) -> None:
    async with face_desk(tmp_path) as desk:
        assert (await desk.ask("GET", "/live"))[1]["missing"] == ["no engine runs"]
        assert (await desk.ask("GET", "/reconcile"))[0] == 409
        await desk.engine.start()
        gate = (await desk.ask("GET", "/live"))[1]
        assert (gate["mode"], gate["is_open"], gate["live_trading"]) == ("PAPER", False, False)
        status, refused = await desk.ask("POST", "/live/confirm", {"confirm_phrase": "live 1"})
        assert (status, refused["code"]) == (409, "StateError")
        compared = (await desk.ask("GET", "/reconcile"))[1]
        assert (compared["is_clean"], compared["differences"]) == (True, [])
        claim = {"order_id": "h1-x-1", "claim": "ended", "phrase": "x", "reason": "y"}
        assert (await desk.ask("POST", "/reconcile/resolve", claim))[0] == 404
        assert (await desk.ask("GET", "/engine/status"))[1]["is_followed"] is False
