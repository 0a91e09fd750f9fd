# SPDX-License-Identifier: Apache-2.0
"""Bytes that two readers would cut into requests in two ways, on a real port. In each case a whole
order to cancel everything, with a good token, lies where the one reader sees a body. None of it may
be carried out, and a line whose framing is doubtful is answered once and closed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from api.stand_in import Desk
from hean.api.permissions import Role
from hean.api.server import ApiServer
from hean.net.bind import Bind

pytestmark = pytest.mark.control("C-16")

CHUNKED = b"Transfer-Encoding: chunked"
LENGTH = b"Content-Length: "
INNER = b"<inner>"
"""Stands for the smuggled request, and `LENGTH_OF` for how many bytes it has."""
LENGTH_OF = b"<length>"
PATIENCE_S = 60.0
QUIET_S = 0.2  # how long "nothing more comes" is waited for


@pytest.fixture
async def server(lasting_desk: Desk) -> AsyncIterator[tuple[ApiServer, Desk, bytes]]:
    """The API on a free port, and a request that would do something."""
    desk = lasting_desk
    desk.begin()
    token = desk.as_role(Role.ADMIN)["Authorization"].encode()
    inner = b"POST /orders/cancel-all HTTP/1.1\r\nHost: localhost\r\nAuthorization: " + token
    server = ApiServer(desk.api, Bind(port=0))
    await server.start()
    yield server, desk, inner + b"\r\n\r\n"
    await server.stop()


async def said(
    server: ApiServer, sent: bytes, quiet_s: float = PATIENCE_S
) -> tuple[list[bytes], bool]:
    """Statuses of what comes back, and whether the line was closed. Who comes late, *quiet_s* after
    the one before, is not heard.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(sent)
    found, is_closed = b"", False
    try:
        while piece := await asyncio.wait_for(
            reader.read(65_536), quiet_s if found else PATIENCE_S
        ):
            found += piece
        is_closed = True
    except TimeoutError:
        pass
    except ConnectionError:
        is_closed = True
    finally:
        writer.close()
    return [each.split(b" ")[1] for each in found.split(b"HTTP/1.1")[1:]], is_closed


def post(*lines: bytes, body: bytes = INNER, version: bytes = b"1.1") -> bytes:
    head = (b"POST /pair HTTP/" + version, b"Host: localhost", b"Content-Type: application/json")
    return b"\r\n".join((*head, *lines)) + b"\r\n\r\n" + body


LAST = b"0\r\n\r\n" + INNER
ENCODINGS = [
    b"xchunked", b"identity, chunked", b"chunked, identity", b"gzip, chunked", b"\x0bchunked",
    b'"chunked"', b"chunked;q=1", b"chunked,", b"chunked\r\nTransfer-Encoding: identity",
    b"chunked\r\nTransfer-Encoding: chunked", b"chunked\x00", b"\r\n chunked", b"", b"identity",
    b"gzip",
]  # fmt: skip
NAMES = [
    b"Transfer-Encoding : chunked", b"X: y\nTransfer-Encoding: chunked",
    b"X: y\rTransfer-Encoding: chunked", b" Transfer-Encoding: chunked",
    b"Transfer-Encoding\x00: chunked", b"Transfer-Encoding\n: chunked", b": chunked",
]  # fmt: skip
LENGTHS = [
    b"+0", b"-0", b"0x0", b"0, 0", b"0, " + LENGTH_OF, b"0\r\n 9", b"", b"0\r\nContent-Length: 0",
    b"0\r\nContent-Length: " + LENGTH_OF, b"99999999999999999999", "\u0660".encode(), b"0.0",
    b"0 0", b"1_0", b"0\x00",
]  # fmt: skip
CHUNKS = [
    b"0;a\n\r\n\r\n", b"0x0\r\n\r\n", b"-0\r\n\r\n", b"0 \r\n\r\n", b"0\n\n", b"1\r\n{}0\r\n\r\n",
    b"FFFFFFFFFFFFFFFFF\r\n", b"0\r\nContent-Length: 5\r\n\r\n", b"\r\n0\r\n\r\n", b"g\r\n\r\n",
    b"0\r\nTransfer-Encoding: chunked\r\n\r\n",
]  # fmt: skip
DOUBTFUL = [
    *(post(b"Transfer-Encoding: " + each, body=LAST) for each in ENCODINGS),
    *(post(b"Transfer-Encoding: " + each, LENGTH + b"0", body=LAST) for each in ENCODINGS),
    *(post(LENGTH + LENGTH_OF, b"Transfer-Encoding: " + each, body=LAST) for each in ENCODINGS),
    post(LENGTH + LENGTH_OF, CHUNKED, body=LAST),
    post(CHUNKED, LENGTH + b"0", body=LAST),
    *(post(each, LENGTH + LENGTH_OF) for each in NAMES),
    *(post(LENGTH + each) for each in LENGTHS),
    *(post(CHUNKED, body=each + INNER) for each in CHUNKS),
    post(CHUNKED, b"Connection: keep-alive", version=b"1.0", body=LAST),
    post(version=b"2.0"),
    b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n" + INNER,
    b"GET http://evil.example/health/live HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET evil.example/health/live HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"POST /pair\tHTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"POST /pair HTTP/1.1 \r\nHost: localhost\r\n\r\n",
    b"POST /pair\x0b HTTP/1.1\r\nHost: localhost\r\n\r\n",
]


@pytest.mark.parametrize("sent", DOUBTFUL, ids=lambda sent: repr(sent)[62:110])
async def test_doubtful_framing_is_refused_once_and_the_line_closed(
    server: tuple[ApiServer, Desk, bytes], sent: bytes
) -> None:
    api, desk, inner = server
    sent = sent.replace(LENGTH_OF, b"%d" % len(inner)).replace(INNER, inner)
    assert await said(api, sent) == ([b"400"], True)
    assert desk.engine.reached == []


IN_A_BODY = [
    post(LENGTH + LENGTH_OF),
    post(LENGTH + b" " + LENGTH_OF + b" "),
    post(CHUNKED, body=b"<hex>\r\n" + INNER + b"\r\n0\r\n\r\n"),
    post(CHUNKED, body=b"<hex>;a=b\r\n" + INNER + b"\r\n0\r\nX: y\r\n\r\n"),
    post(b"Transfer_Encoding: chunked", LENGTH + LENGTH_OF),
    post(b"Host: localhost", LENGTH + LENGTH_OF),
    *(
        method + b" /health/live HTTP/1.1\r\nHost: localhost\r\n" + rest
        for method in (b"GET", b"HEAD", b"DELETE")
        for rest in (
            LENGTH + LENGTH_OF + b"\r\n\r\n" + INNER,
            CHUNKED + b"\r\n\r\n<hex>\r\n" + INNER + b"\r\n0\r\n\r\n",
        )
    ),
]


@pytest.mark.parametrize("sent", IN_A_BODY, ids=lambda sent: repr(sent)[2:90])
async def test_a_request_in_a_body_stays_a_body(
    server: tuple[ApiServer, Desk, bytes], sent: bytes
) -> None:
    api, desk, inner = server
    size = len(inner)
    sent = sent.replace(LENGTH_OF, b"%d" % size).replace(b"<hex>", b"%x" % size)
    statuses, _ = await said(api, sent.replace(INNER, inner), QUIET_S)
    assert len(statuses) == 1 and statuses[0][:1] == b"4"
    assert desk.engine.reached == []


async def test_what_comes_behind_a_body_is_no_header(
    server: tuple[ApiServer, Desk, bytes],
) -> None:
    """A trailer was looked at by nobody who stands before us."""
    api, desk, inner = server
    token = inner.split(b"Authorization: ")[1].split(b"\r\n")[0]
    for line in (b"Authorization: " + token, b"Host: localhost", b"X-HEAN-Request: 1"):
        sent = (
            b"POST /orders/cancel-all HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            + CHUNKED + b"\r\n\r\n0\r\n" + line + b"\r\n\r\n"
        )  # fmt: skip
        assert await said(api, sent) == ([b"401"], True), line
    assert desk.engine.reached == []


@pytest.mark.parametrize("protocol", [b"h2c", b"TLS/1.0", b"websocket, h2c"])
async def test_nobody_talks_his_way_into_another_protocol(
    server: tuple[ApiServer, Desk, bytes], protocol: bytes
) -> None:
    api, desk, _ = server
    asked = (
        b"Upgrade: " + protocol, b"Connection: Upgrade, HTTP2-Settings",
        b"HTTP2-Settings: AAMAAABkAAQAAP__", LENGTH + b"0",
    )  # fmt: skip
    statuses, _ = await said(api, post(*asked), QUIET_S)
    assert b"101" not in statuses and len(statuses) == 1
    assert desk.engine.reached == []
