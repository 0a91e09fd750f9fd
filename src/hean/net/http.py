# SPDX-License-Identifier: Apache-2.0
"""`http.py`: requests to one host over connections that are kept. It sends exactly the bytes it is
given, because they are what was signed, and reports what transport knows about the outcome: an
answer; not sent, a definite no; or unknown, which is everything after the first byte may have left.
It follows no redirect, uses no proxy, repeats nothing, keeps no cookie and says no secret: neither
query nor headers appear in an error. What an answer means is for the venue's own file. The bytes
travel by a transport that can be exchanged; what a failure says about the outcome is decided here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType, SimpleNamespace
from typing import Protocol, Self

import aiohttp
from yarl import URL

from hean.errors import EnvironmentFault, Halted, NotSent, OutcomeUnknown

TIMEOUT_S = 5.0  # RELIABILITY 2.4: of an order's answer
CONNECT_S = 3.0  # of name, TCP and TLS; part of the timeout
BODY_BYTES_MAX = 16 << 20  # the longest list of instruments is 8 MB
HEADER_BYTES_MAX = 8_190
CONNECTIONS_MAX = 8  # of one host; more requests wait, within their timeout
KEEP_S = 20.0  # an idle connection; shorter than any venue keeps its end: a request that meets a
# closing connection has an unknown outcome
READ_BYTES = 1 << 16
NO_HEADERS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Answer:
    """What a host answered. Header names are lower case; of a repeated one the last counts.

    *sent_ns*, *received_ns*: just before the request and just after the answer.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    sent_ns: int = 0
    received_ns: int = 0


class Leaving:
    """Of one request: whether a byte may have left. *objection*: asked at the last moment why none
    may, empty if it may.
    """

    __slots__ = ("_objection", "has_begun")

    def __init__(self, objection: Callable[[], str] | None = None) -> None:
        self.has_begun = False
        self._objection = objection

    def begin(self) -> None:
        """The next step writes the first byte. *Raises*: `Halted`; none is written then."""
        if self._objection is not None and (why := self._objection()):
            raise Halted(why)
        self.has_begun = True


class HttpTransport(Protocol):
    """How requests of one client travel."""

    async def open(self) -> None:
        """Be ready."""
        ...

    async def close(self) -> None:
        """Let go of all connections."""
        ...

    async def carry(
        self, method: str, url: URL, *, body: bytes, headers: Mapping[str, str], leaving: Leaving
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Bring a request there once. *leaving* begins before the first byte goes.

        *Returns*: status, headers and body of a whole answer. *Raises*: `OSError`,
        `aiohttp.ClientError`, `ValueError`.
        """
        ...


class HttpClient:
    """One host. *base*: such as `https://api.bybit.com`, without path and query. *now*: UTC
    nanoseconds, for the stamps of answers. *transport*: made with the longest time that a request
    may take.
    """

    def __init__(
        self,
        base: str,
        *,
        now: Callable[[], int],
        timeout_s: float = TIMEOUT_S,
        transport: Callable[[float], HttpTransport] | None = None,
    ) -> None:
        self.base = base.rstrip("/")
        self._host = URL(self.base).host or self.base
        self._now = now
        self._transport = (transport or AiohttpTransport)(timeout_s)
        self._is_started = False
        self.requests = 0
        """Requests so far."""

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Be ready; connects with the first request."""
        await self._transport.open()
        self._is_started = True

    async def stop(self) -> None:
        """Close all connections; safe to call twice."""
        self._is_started = False
        await self._transport.close()

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: str = "",
        body: bytes = b"",
        headers: Mapping[str, str] = NO_HEADERS,
        objection: Callable[[], str] | None = None,
    ) -> Answer:
        """Send one request, as it is: *query* is percent-encoded already. *objection*: asked right
        before the first byte why none may leave; empty lets it go.

        *Raises*: `NotSent`, a definite no; `OutcomeUnknown` when no whole answer came; `Halted`
        with the objection; `EnvironmentFault` before `start`.
        """
        if not self._is_started:
            raise EnvironmentFault(f"{self._host}: the client is not started; call start first.")
        url = URL(f"{self.base}{path}{'?' if query else ''}{query}", encoded=True)
        leaving = Leaving(objection)
        sent_ns = self._now()
        self.requests += 1
        try:
            status, found, content = await self._transport.carry(
                method, url, body=body, headers=headers, leaving=leaving
            )
        except (OSError, aiohttp.ClientError, ValueError) as error:
            kind = OutcomeUnknown if leaving.has_begun else NotSent
            raise kind(f"{method} {self._host}{path}: {_why(error)}.") from None
        lower = {name.lower(): value for name, value in found.items()}
        return Answer(status, lower, content, sent_ns, self._now())


class AiohttpTransport:
    """Over sockets, by aiohttp. *timeout_s*: of one request, connecting included."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout = aiohttp.ClientTimeout(
            total=timeout_s, sock_connect=min(CONNECT_S, timeout_s)
        )
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Be ready; connects with the first request."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=CONNECTIONS_MAX, keepalive_timeout=KEEP_S),
            headers={"User-Agent": "hean"},  # some firewalls refuse who says nothing
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=self._timeout,
            trace_configs=[_leaving()],
            max_line_size=HEADER_BYTES_MAX,
            max_field_size=HEADER_BYTES_MAX,
        )
        # A connection that turns out closed is no reason to send a signed request twice.
        self._session._retry_connection = False

    async def close(self) -> None:
        """Let go of all connections; safe to call twice."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def carry(
        self, method: str, url: URL, *, body: bytes, headers: Mapping[str, str], leaving: Leaving
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Send one request over a kept connection."""
        if self._session is None:
            raise ConnectionAbortedError(f"closed before {method} was sent")
        async with self._session.request(
            method,
            url,
            data=body or None,
            headers=headers,
            allow_redirects=False,
            skip_auto_headers=("Accept-Encoding", "Content-Type"),
            trace_request_ctx=leaving,
        ) as response:
            content = await _body(response)
        return response.status, response.headers, content


class _TooLong(ValueError):
    """More bytes than anybody needs."""


def _leaving() -> aiohttp.TraceConfig:
    """Has aiohttp tell each request's `Leaving` right before its first byte is written."""

    async def begins(_session: object, context: SimpleNamespace, _params: object) -> None:
        context.trace_request_ctx.begin()

    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(begins)
    return trace


async def _body(response: aiohttp.ClientResponse) -> bytes:
    """The whole body, within its limit."""
    parts, size = [], 0
    async for part in response.content.iter_chunked(READ_BYTES):
        parts.append(part)
        size += len(part)
        if size > BODY_BYTES_MAX:
            raise _TooLong
    return b"".join(parts)


def _why(error: Exception) -> str:
    """What happened, without query, headers and body."""
    if isinstance(error, TimeoutError):
        return "no whole answer in time"
    if isinstance(error, aiohttp.ClientSSLError):
        return f"TLS refused ({type(error).__name__})"
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    if isinstance(error, _TooLong):
        return f"an answer over {BODY_BYTES_MAX} bytes"
    return type(error).__name__
