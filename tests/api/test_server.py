# SPDX-License-Identifier: Apache-2.0
"""The API on a real port, spoken to in bytes: it starts, answers, ends and leaves nothing behind;
and the limits that hold before there is a request (C-08, C-16).
"""

from __future__ import annotations

import asyncio
import resource
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from api.stand_in import Desk
from hean.api import line
from hean.api.line import HEAD_BYTES_MAX, Line
from hean.api.permissions import Role
from hean.api.places import CONNECTIONS_MAX
from hean.api.server import ApiServer
from hean.errors import EnvironmentFault, ParameterInvalid
from hean.net.bind import Bind, is_loopback

HEAD = b"Host: localhost\r\n"
PATIENCE_S = 60.0
MEMORY_MB_MAX = 16  # a third of a gigabyte was sent


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture
async def server(desk: Desk) -> AsyncIterator[ApiServer]:
    """The API on a free port of loopback."""
    server = ApiServer(desk.api, Bind(port=0))
    await server.start()
    yield server
    await server.stop()


async def ask(server: ApiServer, *pieces: bytes, pause_s: float = 0.0) -> bytes:
    """Send bytes and read until the other side closes, which may be before all is sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    answer = asyncio.create_task(_to_end(reader))
    try:
        with suppress(ConnectionError):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(pause_s)
        return await asyncio.wait_for(answer, PATIENCE_S)
    finally:
        writer.close()


async def _to_end(reader: asyncio.StreamReader) -> bytes:
    found = b""
    with suppress(ConnectionError):
        while piece := await reader.read(65_536):
            found += piece
    return found


def get(path: str, *headers: bytes) -> bytes:
    lines = (b"GET " + path.encode() + b" HTTP/1.1", b"Host: localhost", b"Connection: close")
    return b"\r\n".join((*lines, *headers)) + b"\r\n\r\n"


async def test_it_starts_answers_and_ends(desk: Desk):
    before = set(asyncio.all_tasks())
    server = ApiServer(desk.api, Bind(port=0))
    await server.start()
    assert server.url == f"http://127.0.0.1:{server.port}"
    answer = await ask(server, get("/api/health/live"))
    assert answer.startswith(b"HTTP/1.1 200") and answer.endswith(b'{"status":"up"}')
    assert b"\r\nserver:" not in answer.lower()
    token = desk.as_role(Role.VIEWER)["Authorization"].encode()
    whole = await ask(server, get("/health", b"Authorization: " + token))
    assert b'"status":"healthy"' in whole
    await server.stop()
    await server.stop()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", server.port)
    assert set(asyncio.all_tasks()) == before


async def test_it_ends_although_somebody_stays(desk: Desk):
    server = ApiServer(desk.api, Bind(port=0))
    await server.start()
    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    await asyncio.wait_for(server.stop(), PATIENCE_S)
    writer.close()


async def test_a_taken_port_is_told(server: ApiServer, desk: Desk):
    with pytest.raises(EnvironmentFault, match=f"{server.port}.*--port"):
        await ApiServer(desk.api, Bind(port=server.port)).start()


@pytest.mark.control("C-08")
@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.com", ""])
def test_beyond_loopback_needs_tls_and_a_word(host: str, tmp_path: Path):
    pair = {"certificate": tmp_path / "c", "key": tmp_path / "k"}
    for rest in ({}, {"is_public": True}, pair):
        with pytest.raises(ParameterInvalid, match="not loopback"):
            Bind(host, **rest)
    assert Bind(host, is_public=True, **pair)
    with pytest.raises(ParameterInvalid, match="both"):
        Bind(certificate=tmp_path / "c")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "localhost", "::1", "[::1]"])
def test_loopback_needs_nothing(host: str):
    assert is_loopback(host) and Bind(host)


@pytest.mark.control("C-16")
@pytest.mark.parametrize(
    "bytes_sent",
    [b"\x16\x03\x01\x02\x00\x01\x00", b"hello\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
     b"GET /health/live HTTP/1.1\r\nHost : localhost\r\n\r\n",
     b"POST /pair HTTP/1.1\r\n" + HEAD + b"Content-Length: -1\r\n\r\n",
     b"POST /pair HTTP/1.1\r\n" + HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
     b"0\r\n\r\n",
     b"POST /pair HTTP/1.1\r\n" + HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n{}"],
    ids=lambda value: str(value)[2:20],
)  # fmt: skip
async def test_bytes_that_are_no_request_get_one_answer(server: ApiServer, bytes_sent: bytes):
    answer = await ask(server, bytes_sent)
    assert answer.startswith(b"HTTP/1.1 400")
    assert answer.count(b"HTTP/1.1") == 1
    assert b"application/problem+json" in answer and b"content-security-policy" in answer


async def test_a_request_needs_a_host(server: ApiServer):
    answer = await ask(server, b"GET /health/live HTTP/1.1\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 421")
    old = await ask(server, b"GET /health/live HTTP/1.0\r\n\r\n")
    assert old.startswith(b"HTTP/1.1 421")


@pytest.mark.control("C-16")
async def test_a_head_without_end_is_cut_off(server: ApiServer):
    endless = [b"GET / HTTP/1.1\r\n", *(b"X-%d: " % n + b"y" * 1_000 + b"\r\n" for n in range(30))]
    answer = await ask(server, *endless)
    assert answer.startswith(b"HTTP/1.1 431") or answer == b""
    assert sum(map(len, endless)) > HEAD_BYTES_MAX


@pytest.mark.control("C-16")
async def test_a_head_that_trickles_is_cut_off(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Line, "head_s_max", 0.1)
    server = ApiServer(desk.api, Bind(port=0))
    await server.start()
    try:
        for pieces in ((b"",), (b"G", b"E", b"T"), (b"GET / HTTP/1.1\r\n", b"X: y\r\n")):
            answer = await ask(server, *pieces, pause_s=0.02)
            assert answer.startswith(b"HTTP/1.1 408")
        # A connection that was used before is no exception.
        first = get("/health/live").replace(b"Connection: close\r\n", b"")
        answer = await ask(server, first, b"GET /", pause_s=0.05)
        assert answer.startswith(b"HTTP/1.1 200") and b"HTTP/1.1 408" in answer
    finally:
        await server.stop()


async def test_who_is_refused_and_goes_on_sending_is_not_listened_to(
    server: ApiServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(line, "LINGER_S", 0.1)
    head = b"POST /engine/stop HTTP/1.1\r\nHost: evil\r\nContent-Length: 60000\r\n\r\n"
    answer = await ask(server, head, *[b"x"] * 5, pause_s=0.01)
    assert answer.startswith(b"HTTP/1.1 421")  # and it was closed: `ask` reads to the end


@pytest.mark.control("C-16")
async def test_a_body_too_large_is_refused_before_it_has_come(server: ApiServer):
    head = b"POST /pair HTTP/1.1\r\n" + HEAD + b"Content-Type: application/json\r\n"
    answer = await ask(server, head + b"Content-Length: 10000000000\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413")


def resident_mb() -> float:
    """What this process holds in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


@pytest.mark.control("C-16")
async def test_bodies_that_are_refused_leave_nothing_in_memory(server: ApiServer):
    head = b"POST /pair HTTP/1.1\r\n" + HEAD + b"Content-Type: application/json\r\n"
    piece = b"%x\r\n" % 2**20 + b"[" * 2**20 + b"\r\n"
    deep = head + b"Content-Length: 60000\r\nConnection: close\r\n\r\n" + b"[" * 60_000

    async def abuse(times: int) -> None:
        for _ in range(times):
            sent = (head + b"Transfer-Encoding: chunked\r\n\r\n", *[piece] * 8)
            told = await ask(server, *sent)  # nothing, if it was closed while it was sent
            assert told[:12] in (b"", b"HTTP/1.1 413")
            assert (await ask(server, deep)).startswith(b"HTTP/1.1 400")

    await abuse(10)  # what is allocated once stays
    before_mb = resident_mb()
    await abuse(40)
    assert resident_mb() - before_mb < MEMORY_MB_MAX


@pytest.mark.control("C-16")
async def test_who_only_sits_there_makes_room(server: ApiServer, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Line, "head_s_max", 10 * PATIENCE_S)  # not what ends them here
    idle = []
    for _ in range(CONNECTIONS_MAX + 20):
        idle.append(await asyncio.open_connection("127.0.0.1", server.port))
    answer = await ask(server, get("/health/live"))
    assert answer.startswith(b"HTTP/1.1 200")

    def closed() -> list[object]:
        return [reader.at_eof() or reader.exception() for reader, _ in idle]

    async with asyncio.timeout(PATIENCE_S):
        while not all(closed()[:20]):
            await asyncio.sleep(0.01)
    assert not any(closed()[-100:])
    for _, writer in idle:
        writer.close()


async def test_requests_in_one_go_are_answered_in_turn(server: ApiServer):
    one = get("/health/live").replace(b"Connection: close\r\n", b"")
    answer = await ask(server, one * 2 + get("/nothing"))
    assert answer.count(b"HTTP/1.1 200") == 2 and answer.count(b"HTTP/1.1 404") == 1


def test_a_listener_takes_the_family_of_its_host(desk: Desk):
    assert socket.has_ipv6
    assert ApiServer(desk.api, Bind("::1", 0)).url == "http://[::1]:0"
