# SPDX-License-Identifier: Apache-2.0
"""What hostile and broken clients do to the live stream of a whole face on a port (C-07): frames
that are none, strangers who only sit there, clients that read nothing, tokens in the address, and
those who come back with a number of an earlier life of the server.
"""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from face_desk import FaceDesk, face_desk
from hean.api import fanout, ws
from hean.api.permissions import Role

pytestmark = pytest.mark.control("C-07")

PATIENCE_S = 60.0


def who(desk: FaceDesk, role: Role = Role.VIEWER) -> dict[str, str]:
    """The frame that says who it is."""
    return {"action": "auth", "token": desk.tokens[role]}


async def end_of(socket: Any) -> int | None:
    """The code with which a socket is closed, whatever is said before."""
    async with asyncio.timeout(PATIENCE_S):
        while (await socket.receive()).type not in (
            aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR
        ):  # fmt: skip
            pass
    code: int | None = socket.close_code
    return code


async def known(desk: FaceDesk, stack: AsyncExitStack) -> Any:
    """A socket that was let in."""
    socket = await stack.enter_async_context(desk.socket())
    await socket.send_json(who(desk))
    assert (await socket.receive_json())["ok"]
    return socket


async def test_frames_that_are_none_end_the_socket_or_are_answered(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with face_desk(tmp_path) as desk, AsyncExitStack() as stack:
        stranger = await stack.enter_async_context(desk.socket())
        await stranger.send_bytes(b"\x00\xff")
        assert await end_of(stranger) == ws.NOT_KNOWN
        for sent, code in ((b"\x00", ws.BAD_FRAME), ("x" * 70_000, 1009)):
            socket = await known(desk, stack)
            await (socket.send_bytes(sent) if isinstance(sent, bytes) else socket.send_str(sent))
            assert await end_of(socket) == code, sent[:10]
        socket = await known(desk, stack)
        for text, expected in (
            ("[" * 30_000, "UnknownAction"),
            ("null", "UnknownAction"),
            ('{"action":1e400}', "UnknownAction"),
            ('{"action":"subscribe","topic":"\\ud800"}', "UnknownAction"),
            ('{"action":{"a":[]}}', "UnknownAction"),
            ('{"action":"subscribe","topic":["orders"]}', "UnknownTopic"),
            ('{"action":"subscribe","topic":"Orders"}', "UnknownTopic"),
            ('{"action":"subscribe","topic":"logs"}', "RoleTooLow"),
            (json.dumps(who(desk, Role.ADMIN)), "UnknownAction"),  # nobody becomes another
        ):
            await socket.send_str(text)
            assert (await socket.receive_json())["code"] == expected, text[:40]
        for since in (-1, 10**30, True, None, "7", 1.5, [1]):
            await socket.send_json({"action": "subscribe", "topic": "orders", "since": since})
            assert (await socket.receive_json())["snapshot"] is True, since
    assert "Traceback" not in caplog.text  # who sends rubbish fills no log


async def test_strangers_who_only_sit_there_keep_nobody_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ws, "FIRST_FRAME_S", 10 * PATIENCE_S)  # not what ends them here
    async with face_desk(tmp_path) as desk, AsyncExitStack() as stack:
        sitting = [
            await stack.enter_async_context(desk.socket()) for _ in range(ws.STRANGERS_MAX + 3)
        ]
        assert [await end_of(each) for each in sitting[:3]] == [ws.NOT_KNOWN] * 3
        socket = await known(desk, stack)
        await socket.send_json({"action": "ping"})
        assert (await socket.receive_json())["type"] == "pong"
        await sitting[-1].send_json(who(desk))  # a newer one was not disturbed
        assert (await sitting[-1].receive_json())["ok"]


async def test_tokens_in_the_address_are_no_tokens(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with face_desk(tmp_path) as desk:
        token = desk.tokens[Role.ADMIN]
        for path in ("/orders", "/engine/stop", "/docs"):
            for name in ("token", "access_token", "ticket", "authorization"):
                url = f"{desk.face.server.url}{path}?{name}={token}"
                method = "POST" if path == "/engine/stop" else "GET"
                async with desk.http.request(
                    method, url, skip_auto_headers=("Content-Type",)
                ) as answer:
                    assert answer.status in (400, 401, 429), (path, name)
                    assert token not in await answer.text()
        url = f"{desk.face.server.url}/ws?token={token}".replace("http", "ws")
        async with desk.http.ws_connect(url) as socket:
            await socket.send_json({"action": "subscribe", "topic": "orders"})
            assert await end_of(socket) == ws.NOT_KNOWN
    told = [each for each in caplog.records if each.name.startswith(("hean", "uvicorn"))]
    assert not any(token in each.getMessage() for each in told)


async def test_one_token_has_five_connections_however_fast_they_come(tmp_path: Path) -> None:
    async with face_desk(tmp_path) as desk, AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(desk.socket()) for _ in range(12)]
        await asyncio.gather(*(each.send_json(who(desk)) for each in sockets))
        kinds = [(await each.receive()).type for each in sockets]
        assert kinds.count(aiohttp.WSMsgType.TEXT) == ws.CONNECTIONS_MAX


async def test_who_reads_nothing_is_let_go_and_harms_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fanout, "SEND_S", 0.5)
    async with face_desk(tmp_path) as desk, AsyncExitStack() as stack:
        healthy = await known(desk, stack)
        reader, writer = await asyncio.open_connection("127.0.0.1", desk.face.server.port, limit=64)
        stack.callback(writer.close)
        writer.write(
            b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        assert b"101" in await reader.readline()  # and nothing is read after that
        for frame in (who(desk, Role.TRADER), {"action": "subscribe", "topic": "orders"}):
            writer.write(_masked(json.dumps(frame).encode()))
        await desk.engine.until(lambda: len(desk.face.streams) == 2)
        async with asyncio.timeout(PATIENCE_S):
            while len(desk.face.streams) == 2:
                desk.face.streams._tell("orders", 0, b'"' + b"x" * 1_000_000 + b'"')
                await asyncio.sleep(0.02)
        await healthy.send_json({"action": "ping"})
        assert (await healthy.receive_json())["type"] == "pong"
        places = desk.face.server._server.server_state.connections
        await desk.engine.until(lambda: len(places) == 1)  # its place is free


def _masked(payload: bytes) -> bytes:
    """A text frame as clients send it, with a mask of zeros."""
    size = len(payload)
    head = bytes((0x81, 0x80 | size)) if size < 126 else b"\x81\xfe" + size.to_bytes(2, "big")
    return head + bytes(4) + payload


async def test_a_number_of_an_earlier_life_gets_the_whole_and_not_silence(tmp_path: Path) -> None:
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "qty": "0.01", "price": "50000"}

    async def rests(desk: FaceDesk, count: int) -> None:
        assert (await desk.ask("POST", "/orders", order))[0] == 202
        orders = desk.engine.facade.orders
        await desk.engine.until(lambda: [row.status for row in orders()] == ["WORKING"] * count)

    async def after(desk: FaceDesk, since: int | None) -> dict[str, Any]:
        async with desk.socket() as socket:
            await socket.send_json(who(desk))
            await socket.receive_json()
            await socket.send_json({"action": "subscribe", "topic": "orders", "since": since})
            frame: dict[str, Any] = await socket.receive_json()
            return frame

    async with face_desk(tmp_path) as desk:
        await desk.engine.start()
        await rests(desk, 1)
        seen = await after(desk, None)
        first = desk.face
        await first.stop()
        desk.face = desk.another()
        await desk.face.start()
        desk.face.topics._begin(desk.engine.papers[-1].system)  # the engine went on meanwhile
        try:
            for count in (2, 3):
                await rests(desk, count)
            again = await after(desk, seen["seq"])
        finally:
            await desk.face.stop()
            desk.face = first
    assert seen["snapshot"] and again["snapshot"]
    assert len(again["data"]) == 3 and again["seq"] > seen["seq"]
