# SPDX-License-Identifier: Apache-2.0
"""The HTTP client against a raw TCP server that shows every byte and misbehaves on request."""

from __future__ import annotations

import asyncio
import gzip
import time
from collections.abc import AsyncIterator
from typing import Self

import pytest

from hean.errors import EnvironmentFault, NotSent, OutcomeUnknown
from hean.net import http as subject
from hean.net.http import HttpClient

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Bapi-Limit: 10\r\n\r\n{}"


class RawServer:
    """Answers each request with the next of *answers*, the last one for ever; `None` cuts."""

    def __init__(self) -> None:
        self.answers: list[bytes | None] = [OK]
        self.requests: list[bytes] = []
        self.connections = 0
        self.url = ""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = [l for l in head.lower().split(b"\r\n") if l.startswith(b"content-length")]
                body = await reader.readexactly(int(length[0].split(b":")[1])) if length else b""
                self.requests.append(head + body)
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                if answer is None:
                    writer.transport.abort()
                    return
                writer.write(answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    async with RawServer() as found:
        yield found


def client_of(server: RawServer, timeout_s: float = 5.0) -> HttpClient:
    return HttpClient(server.url, now=time.time_ns, timeout_s=timeout_s)


async def test_the_bytes_that_were_signed_are_the_bytes_that_leave(server):
    query = "symbol=BTCUSDT&cursor=132766%3A2%2C132766%3A2&note=a+b%20c%2Fd&x=%c3%bc&empty="
    body = b'{"symbol":"BTCUSDT", "qty" : "0.001","side":"Buy"}'
    headers = {"X-BAPI-SIGN": "ab12", "Content-Type": "application/json"}
    async with client_of(server) as client:
        answer = await client.request("GET", "/v5/order/realtime", query=query, headers=headers)
        await client.request("POST", "/v5/order/create", body=body, headers=headers)
    first, second = server.requests
    assert first.startswith(f"GET /v5/order/realtime?{query} HTTP/1.1\r\n".encode())
    assert b"X-BAPI-SIGN: ab12\r\n" in first
    assert second.endswith(b"\r\n\r\n" + body)
    assert (answer.status, answer.body) == (200, b"{}")
    assert answer.headers["x-bapi-limit"] == "10"
    assert 0 < answer.sent_ns <= answer.received_ns


async def test_connections_are_kept(server):
    async with client_of(server) as client:
        for _ in range(5):
            await client.request("GET", "/v5/market/time")
    assert server.connections == 1


async def test_a_refused_connection_is_a_definite_no():
    async with RawServer() as gone:
        url = gone.url
    async with HttpClient(url, now=time.time_ns) as client:
        with pytest.raises(NotSent, match=r"POST 127.0.0.1/v5/order/create: Connect"):
            await client.request("POST", "/v5/order/create", query="signature=topsecret")


async def test_a_name_that_nobody_knows_is_a_definite_no():
    async with HttpClient("http://no-such-host.invalid", now=time.time_ns) as client:
        with pytest.raises(NotSent):
            await client.request("GET", "/")


async def test_whatever_happens_after_the_first_byte_is_unknown(server):
    cases = {
        "reset": None,
        "truncated": b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{",
        "no HTTP": b"garbage\r\n\r\n",
        "silence": b"",
    }
    for what, answer in cases.items():
        server.answers = [answer]
        async with client_of(server, timeout_s=0.3) as client:
            if what == "truncated":
                server.answers = [answer]
            with pytest.raises(OutcomeUnknown) as caught:
                await client.request("POST", "/order", query="signature=topsecret", body=b"secret")
        assert "secret" not in str(caught.value), what
        assert "POST 127.0.0.1/order: " in str(caught.value)
    assert len(server.requests) == len(cases)


async def test_a_request_is_never_sent_twice_whatever_its_method(server):
    async with client_of(server) as client:
        for number, method in enumerate(["GET", "PUT", "DELETE", "POST"], 1):
            server.answers = [OK]
            await client.request("GET", "/first")
            server.answers = [None]
            with pytest.raises(OutcomeUnknown):
                await client.request(method, "/second")
            assert len(server.requests) == 2 * number


async def test_a_redirect_is_an_answer_like_any_other(server):
    place = b"Location: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n"
    server.answers = [b"HTTP/1.1 307 Temporary Redirect\r\n" + place]
    async with client_of(server) as client:
        answer = await client.request("POST", "/order", headers={"X-MBX-APIKEY": "k"})
    assert (answer.status, len(server.requests)) == (307, 1)


async def test_statuses_and_nonsense_are_for_the_caller(server):
    server.answers = [
        b"HTTP/1.1 418 I'm a teapot\r\nRetry-After: 120\r\nContent-Length: 4\r\n\r\nnope"
    ]
    async with client_of(server) as client:
        answer = await client.request("GET", "/")
    assert (answer.status, answer.headers["retry-after"], answer.body) == (418, "120", b"nope")


async def test_an_endless_answer_is_cut(server, monkeypatch):
    monkeypatch.setattr(subject, "BODY_BYTES_MAX", 100_000)
    bomb = gzip.compress(b"0" * 50_000_000)
    server.answers = [
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b"
        % (len(bomb), bomb)
    ]
    async with client_of(server) as client:
        with pytest.raises(OutcomeUnknown, match="an answer over 100000 bytes"):
            await client.request("GET", "/")


async def test_no_proxy_of_the_environment_is_used(server, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with client_of(server) as client:
        assert (await client.request("GET", "/")).status == 200


async def test_an_answer_shows_no_content_when_printed(server):
    async with client_of(server) as client:
        answer = await client.request("GET", "/")
    assert repr(answer).startswith("Answer(status=200, sent_ns=")


async def test_a_client_that_was_not_started_says_so(server):
    with pytest.raises(EnvironmentFault, match="not started"):
        await client_of(server).request("GET", "/")
