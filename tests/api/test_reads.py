# SPDX-License-Identifier: Apache-2.0
"""The short way of reads (ADR 0030): what it answers is what the framework answers, and whoever
asks the same in the same words is judged anew each time.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from face_desk import FaceDesk, face_desk
from hean.api.permissions import Role
from hean.api.reads import KEPT

ORDER = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "qty": "0.01", "price": "50000"}
MOVING = {"timestamp", "uptime_seconds", "ts", "last_check", "progress", "events", "price"}
MOVING |= {"bid", "ask", "spread_bps", "funding_rate", "next_funding"}


VARYING = ("x-request-id", "date", "content-length")


class Caller:
    """One connection, on which requests are written byte by byte."""

    def __init__(self, desk: FaceDesk, reader: Any, writer: Any) -> None:
        self.desk, self.reader, self.writer = desk, reader, writer

    @classmethod
    async def dial(cls, desk: FaceDesk) -> Caller:
        """Connect."""
        return cls(desk, *await asyncio.open_connection("127.0.0.1", desk.face.server.port))

    def words(self, path: str, *, role: Role = Role.VIEWER, **headers: str) -> bytes:
        """A request."""
        token = self.desk.tokens[role]
        sent = {"Host": "localhost", "Authorization": f"Bearer {token}"} | headers
        lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items())]
        return "\r\n".join([*lines, "", ""]).encode()

    async def hear(self) -> tuple[int, dict[str, str], Any]:
        """Status, headers and document of the next answer."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in head[1:-2])
        assert len(headers) == len(head) - 3, head  # each of them once
        body = await self.reader.readexactly(int(headers["content-length"]))
        return int(head[0].split()[1]), headers, json.loads(body)

    async def ask(self, words: bytes) -> tuple[int, dict[str, str], Any]:
        """Write it whole, hear the answer."""
        self.desk.asked += 1
        self.writer.write(words)
        return await self.hear()


def steady(found: Any) -> Any:
    """A document without what moves by itself."""
    if isinstance(found, list):
        return [steady(each) for each in found]
    if isinstance(found, dict):
        return {name: steady(each) for name, each in found.items() if name not in MOVING}
    return found


async def test_the_short_way_answers_what_the_framework_answers(tmp_path: Path):
    async with face_desk(tmp_path) as desk:
        await desk.engine.start()
        assert (await desk.ask("POST", "/orders", ORDER))[0] == 202
        facade = desk.engine.facade
        await desk.engine.until(lambda: [row.status for row in facade.orders()] == ["WORKING"])
        await desk.engine.until(lambda: facade.health()["status"] == "healthy")
        caller = await Caller.dial(desk)
        framework = desk.face.api.framework
        for path in sorted(KEPT | {"/killswitch", "/live", "/jobs", "/settings", "/logs"}):
            found = [await caller.ask(caller.words(path, role=Role.ADMIN)) for _ in range(3)]
            assert [status for status, _, _ in found] == [200] * 3, path
            assert len({steadily(headers) for _, headers, _ in found}) == 1, path
            with TestClient(framework, raise_server_exceptions=False) as client:
                direct = await asyncio.to_thread(client.get, path)
            assert direct.status_code == 200
            assert {json.dumps(steady(each)) for _, _, each in found} == {
                json.dumps(steady(direct.json()))
            }, path
            assert found[0][1]["content-type"] == direct.headers["content-type"]


def steadily(headers: dict[str, str]) -> str:
    """Headers without what is another each time."""
    return json.dumps({n: v for n, v in headers.items() if n not in VARYING})


async def test_who_asks_in_the_same_words_is_judged_each_time(tmp_path: Path):
    async with face_desk(tmp_path) as desk:
        await desk.engine.start()
        caller = await Caller.dial(desk)
        words = caller.words("/positions")
        ids = {(await caller.ask(words))[1]["x-request-id"] for _ in range(5)}
        assert len(ids) == 5 and len(caller_known(desk)) == 1
        named = caller.words("/positions", **{"X-Request-Id": "mine"})
        assert {(await caller.ask(named))[1]["x-request-id"] for _ in range(3)} == {"mine"}
        counted = 'requests_total{method="GET",route="/positions",status="200"} 8'
        assert counted in desk.face.metrics().decode()

        tokens = desk.face.api.access.tokens
        for each in tokens.all():
            if each.role == Role.VIEWER.word:
                tokens.revoke(each.id)
        status, headers, problem = await caller.ask(words)
        assert (status, problem["code"]) == (401, "TokenRefused")
        assert headers["content-type"] == "application/problem+json"
        assert headers["www-authenticate"] == "Bearer"
        assert headers["x-request-id"] == problem["request_id"]
        assert headers["x-frame-options"] == "DENY" and headers["cache-control"] == "no-store"


def caller_known(desk: FaceDesk) -> dict[bytes, Any]:
    """What the connection of a test remembers."""
    lines = desk.face.server._server.server_state.connections
    return next((each._known for each in lines if getattr(each, "_known", None)), {})


async def test_the_same_words_empty_the_same_buckets(tmp_path: Path):
    async with face_desk(tmp_path) as desk:
        await desk.engine.start()
        desk.ticks = lambda: 0.0  # type: ignore[method-assign]
        limits = desk.face.api.access.limits
        for buckets in (*limits._tokens.values(), *limits._addresses.values()):
            buckets._ticks = desk.ticks
        caller = await Caller.dial(desk)
        words = caller.words("/positions")
        statuses = []
        for _ in range(60):
            statuses.append((await caller.ask(words))[0])
        assert statuses == [200] * 50 + [429] * 10
        _, headers, problem = await caller.ask(words)
        assert headers["retry-after"] == "1" and problem["code"] == "RateLimited"


async def test_a_wish_is_seen_by_the_read_after_it(tmp_path: Path):
    async with face_desk(tmp_path) as desk:
        await desk.engine.start()
        caller = await Caller.dial(desk)
        words = caller.words("/orders")
        for number in range(20):
            assert len((await caller.ask(words))[2]) == number
            assert (await desk.ask("POST", "/orders", ORDER))[0] == 202


async def test_words_that_come_in_parts_or_together_are_answered_one_by_one(tmp_path: Path):
    async with face_desk(tmp_path) as desk:
        await desk.engine.start()
        caller = await Caller.dial(desk)
        orders, positions = caller.words("/orders"), caller.words("/engine/status")
        for together in (orders + positions, orders + positions, positions + orders[:40]):
            desk.asked += 2
            caller.writer.write(together)
            first, second = await caller.hear(), None
            if together.endswith(b"\r\n\r\n"):
                second = await caller.hear()
                assert isinstance(first[2], list) and isinstance(second[2], dict)
        caller.writer.write(orders[40:])
        assert isinstance((await caller.hear())[2], list)
        for _ in range(2):
            desk.asked += 1
            caller.writer.write(orders[:30])
            await asyncio.sleep(0.02)
            caller.writer.write(orders[30:])
            assert isinstance((await caller.hear())[2], list)
        foreign = caller.words("/orders", Host="evil.example")
        assert [(await caller.ask(foreign))[0] for _ in range(2)] == [421, 421]
        assert foreign not in caller_known(desk)


async def test_a_connection_that_is_used_is_not_closed_and_an_idle_one_is(tmp_path: Path):
    async with face_desk(tmp_path) as desk:
        await desk.engine.start()
        desk.face.server._server.config.timeout_keep_alive = 3_600
        caller = await Caller.dial(desk)
        words = caller.words("/positions")
        for _ in range(3):
            assert (await caller.ask(words))[0] == 200
        (line,) = (each for each in desk.face.server._server.server_state.connections)
        line.timeout_keep_alive_handler()  # as if the first answer were an hour old, not the last
        assert (await caller.ask(words))[0] == 200
        line.timeout_keep_alive = 0.05
        line.timeout_keep_alive_handler()
        async with asyncio.timeout(60):
            assert await caller.reader.read() == b""
