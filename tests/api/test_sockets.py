# SPDX-License-Identifier: Apache-2.0
"""What the shield does about a WebSocket before its first frame (C-07): Host, Origin, path and
number. Who somebody is, and what they may hear, is said inside.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest
from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect

from api.stand_in import Desk
from hean.api.gate import address_of
from hean.api.permissions import Role
from hean.api.problems import Refused
from hean.api.shield import AT_WORK_MAX

pytestmark = pytest.mark.control("C-07")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A desk whose socket tells who asks, by token or ticket."""
    router = APIRouter()

    @router.websocket("/ws")
    async def ws(socket: WebSocket) -> None:
        await socket.accept()
        asked = await socket.receive_json()
        access, address = found.api.access, address_of(socket.scope)
        try:
            if "ticket" in asked:
                who = access.by_ticket(asked["ticket"], address)
            else:
                who = access.by_token(asked["token"], address)
        except Refused as error:
            await socket.close(4000 + error.status)
            return
        await socket.send_json({"actor": who.actor, "id": socket.scope["state"]["request_id"]})
        await socket.close()

    found = Desk(tmp_path, routers=[router], origins=["https://desk.example"])
    return found


def told(desk: Desk, frame: dict, path: str = "/ws", **headers: str) -> dict:
    with desk.client.websocket_connect(path, headers={"Host": "localhost:8000"} | headers) as ws:
        ws.send_json(frame)
        return ws.receive_json()


@pytest.mark.parametrize("path", ["/ws", "/api/ws", "/api/v1/ws"])
def test_a_token_or_a_ticket_says_who_it_is(desk: Desk, path: str):
    header = desk.as_role(Role.TRADER)
    token = header["Authorization"].removeprefix("Bearer ")
    assert told(desk, {"token": token}, path)["actor"].startswith("trader#")
    ticket = desk.client.post("/ws-ticket", headers=header).json()["ticket"]
    assert told(desk, {"ticket": ticket}, path)["actor"].startswith("trader#")
    with pytest.raises(WebSocketDisconnect) as closed:
        told(desk, {"ticket": ticket}, path)
    assert closed.value.code == 4401


@pytest.mark.parametrize(
    "headers",
    [{"Host": "evil.example"}, {"Origin": "null"}, {"Origin": "https://evil.example"},
     {"Origin": "http://localhost:8001"}, {"Sec-Fetch-Site": "cross-site"},
     {"X-Long": "x" * 17_000}],
    ids=lambda value: next(iter(value.items()))[1][:20],
)  # fmt: skip
def test_a_foreign_page_opens_no_socket(desk: Desk, headers: dict[str, str]):
    with pytest.raises(WebSocketDisconnect) as closed:
        told(desk, {"token": "x"}, **headers)
    assert closed.value.code == 1008


@pytest.mark.parametrize("origin", ["http://localhost:8000", "https://desk.example"])
def test_our_own_page_and_a_listed_one_open_a_socket(desk: Desk, origin: str):
    token = desk.as_role(Role.VIEWER)["Authorization"].removeprefix("Bearer ")
    assert told(desk, {"token": token}, Origin=origin)["actor"].startswith("viewer#")


def test_there_is_one_socket_and_no_other(desk: Desk):
    for path in ("/orders", "/ws/x", "/wss"):
        with pytest.raises(WebSocketDisconnect):
            told(desk, {"token": "x"}, path)


async def test_so_many_sockets_and_no_more(desk: Desk):
    release = asyncio.Event()
    scope = {
        "type": "websocket", "scheme": "ws", "path": "/ws", "raw_path": b"/ws", "root_path": "",
        "query_string": b"", "client": ("127.0.0.1", 5), "server": ("127.0.0.1", 8000),
        "headers": [(b"host", b"localhost")], "subprotocols": [], "asgi": {"version": "3.0"},
    }  # fmt: skip

    async def opened() -> list[dict]:
        sent: list[dict] = []
        frames = [{"type": "websocket.connect"}]

        async def receive() -> dict:
            if frames:
                return frames.pop()
            await release.wait()
            return {"type": "websocket.disconnect", "code": 1000}

        async def send(message: dict) -> None:
            sent.append(message)

        with suppress(WebSocketDisconnect):
            await desk.api(dict(scope), receive, send)
        return sent

    waiting = [asyncio.create_task(opened()) for _ in range(AT_WORK_MAX)]
    await asyncio.sleep(0.2)
    assert (await opened())[0]["type"] == "websocket.close"
    release.set()
    assert all(sent[0]["type"] == "websocket.accept" for sent in await asyncio.gather(*waiting))
