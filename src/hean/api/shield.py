# SPDX-License-Identifier: Apache-2.0
"""`shield.py`: the outermost layer of the API, plain ASGI. Before anything else reads a request it
looks at Host, Origin, size, form, depth and time, and at how many are at work; it writes the
security headers and the request id of every answer, those of errors too. It does not know who asks:
that is the gate's, one layer further in.

A path below `/api` or `/api/v1` is the path without it, so that there is one table, one document
and one set of routes.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from starlette.responses import Response

from hean.api.headers import Header, secured
from hean.api.kept_answers import Answer
from hean.api.origins import SAFE, Origins, preflight, shared_with
from hean.api.permissions import SOCKET, Limit, Permissions, Row
from hean.api.problems import Refused, log, refused
from hean.api.proxies import HEADER as FORWARDED
from hean.api.proxies import Proxies
from hean.api.shapes import BODY_BYTES_MAX, check_json
from hean.observe.context import at_work, trace_of

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]

AGAIN = "again"
"""In the state of a request that was answered: a function by which each layer, the inner ones
first, says how the same words are answered once more (ADR 0030).
"""
Again = Callable[[], Answer]

HEADER_BYTES_MAX = 16_384
ADDRESS_BYTES_MAX = 8_192
REQUEST_S_MAX = 10.0
AT_WORK_MAX = 200
"""Requests at the same time, and as many open sockets beside them."""
PREFIXES = ("/api/v1", "/api")
REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
OVERRIDES = (b"x-http-method-override", b"x-http-method", b"x-method-override")
ONCE = {b"host", b"authorization", b"origin", b"content-length", b"content-type"}
ONCE |= {b"idempotency-key", b"content-encoding", b"transfer-encoding"}
JSON_TYPE = re.compile(rb'application/json\s*(?:;\s*charset\s*=\s*"?utf-8"?\s*)?', re.IGNORECASE)
POLICY_VIOLATION = 1008  # close code of a socket that is not let in


class Gone(Exception):
    """The asker has left."""


class Shield:
    """*inner*: the gate. *proxies*: who is believed about whom they speak for; *request_s*: the
    longest that one request may take.
    """

    def __init__(
        self,
        inner: Asgi,
        permissions: Permissions,
        origins: Origins,
        *,
        proxies: Proxies,
        request_s: float = REQUEST_S_MAX,
    ) -> None:
        self._inner = inner
        self._permissions = permissions
        self._origins = origins
        self._proxies = proxies
        self._request_s = request_s
        self._requests = 0
        self._sockets = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, one socket, or the life of the server."""
        match scope["type"]:
            case "http":
                await self._request(scope, receive, send)
            case "websocket":
                await self._socket(scope, receive, send)
            case _:
                await self._inner(scope, receive, send)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = _Answer(scope, send)
        self._requests += 1
        with at_work(**_ids(scope, answer)):
            await self._judged(scope, receive, answer)

    async def _judged(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        deadline = asyncio.timeout(self._request_s)
        try:
            async with deadline:
                await self._guarded(scope, receive, answer)
        except Gone:
            return
        except Exception as error:  # noqa: BLE001  # reason: the server's own answers are bare
            if answer.is_whole:  # the framework has answered, and raises so that servers log it
                return
            if answer.is_started:
                log.error("request %s broke off", answer.request_id, exc_info=error)
                raise Broken(answer.request_id) from None
            if deadline.expired() and isinstance(error, TimeoutError):
                error = _too_slow(answer, self._request_s)
            await answer.refuse(refused(error, answer.request_id))
        finally:
            self._requests -= 1

    async def _guarded(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        headers = self._headers(scope)
        state = scope["state"] = dict(scope.get("state") or {})
        state["request_id"], state["headers"] = answer.request_id, headers
        row = self._row(scope, scope["method"])
        state["row"] = row
        if self._requests > AT_WORK_MAX and (row is None or row.limit is not Limit.KILL):
            raise Refused(
                503, "TooManyAtOnce", f"More than {AT_WORK_MAX} requests at once.",
                headers={"Retry-After": "1"},
            )  # fmt: skip
        host = self._origins.check_host(headers)
        if self._origins.lists(headers):
            answer.shared = shared_with(headers[b"origin"])
            if scope["method"] == "OPTIONS":
                answer.shared = preflight(headers[b"origin"])
                await answer.whole(Response(status_code=204))
                return
        self._origins.check(scope["method"], scope["scheme"], host, headers)
        _check_head(scope, headers)
        if scope["method"] in SAFE:
            await self._inner(scope, receive, answer.send)
            if AGAIN in state:
                given = _request_id(headers, "")
                state[AGAIN] = _once_more(state[AGAIN], given, answer.is_tls, answer.shared)
            return
        answer.is_reading = True
        body = state["body"] = await _body(headers, receive)
        answer.is_reading = False
        _check_form(headers, body)
        await self._inner(scope, _again(body, receive), answer.send)

    def _headers(self, scope: Scope) -> dict[bytes, bytes]:
        """By name. The peer becomes whom a proxy of ours speaks for, who writes last. *Raises*:
        `Refused`.
        """
        headers = _headers(scope)
        if (forwarded := headers.get(FORWARDED)) is not None and (client := scope.get("client")):
            scope["client"] = (self._proxies.asker(client[0], forwarded), client[1])
        return headers

    def _row(self, scope: Scope, method: str) -> Row | None:
        """The row of a request, whose path loses its prefix."""
        path: str = scope["path"]
        for prefix in PREFIXES:
            if path.startswith(prefix) and path[len(prefix) :].startswith("/"):
                path = scope["path"] = path[len(prefix) :]
                scope["raw_path"] = path.encode()
                break
        return self._permissions.find(method, path)

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._sockets += 1
        try:
            headers = self._headers(scope)
            scope["state"] = dict(scope.get("state") or {})
            request_id = _request_id(headers, secrets.token_hex(8))
            scope["state"] |= {"request_id": request_id, "headers": headers}
            host = self._origins.check_host(headers)
            scheme = "https" if scope["scheme"] == "wss" else "http"
            self._origins.check("GET", scheme, host, headers)
            if self._row(scope, SOCKET) is None:
                raise Refused(404, "NotFound", "No socket there.")
            if self._sockets > AT_WORK_MAX:
                raise Refused(503, "TooManyAtOnce", f"More than {AT_WORK_MAX} open sockets.")
            await self._inner(scope, receive, send)
        except Refused as error:
            await receive()  # the handshake; it is answered with 403
            await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": error.code})
        finally:
            self._sockets -= 1


class Broken(Exception):
    """An answer that had begun and cannot be finished: the server closes the connection."""


class _Answer:
    """The answer of one request: whatever is sent gets its headers on the way."""

    __slots__ = (
        "_send", "is_reading", "is_started", "is_tls", "is_whole", "request_id", "shared"
    )  # fmt: skip

    def __init__(self, scope: Scope, send: Send) -> None:
        self._send = send
        self.is_tls = scope["scheme"] == "https"
        self.is_started = self.is_whole = False
        self.is_reading = False
        self.request_id = secrets.token_hex(8)
        self.shared: Sequence[Header] = ()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.is_started = True
            headers = secured(message.get("headers", ()), is_tls=self.is_tls)
            headers.append((b"x-request-id", self.request_id.encode()))
            message = {**message, "headers": [*headers, *self.shared]}
        await self._send(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self.is_whole = True

    async def refuse(self, error: Refused) -> None:
        response = error.response(self.request_id)
        if self.is_reading or error.status in (413, 431):
            response.headers["Connection"] = "close"  # the rest of the request is not read
        await self.whole(response)

    async def whole(self, response: Response) -> None:
        start = {"type": "http.response.start", "status": response.status_code}
        await self.send({**start, "headers": response.raw_headers})
        await self.send({"type": "http.response.body", "body": response.body})


def _once_more(inner: Again, given_id: str, is_tls: bool, shared: Sequence[Header]) -> Again:
    """What was looked at is in the words; only the id of the request is another one, unless it was
    given.
    """
    seen: tuple[Header, ...] = ()
    dressed: Sequence[Header] = ()

    def whole() -> Answer:
        nonlocal seen, dressed
        request_id = given_id or secrets.token_hex(8)
        try:
            found = inner()
        except Exception as error:  # noqa: BLE001  # reason: as for every other request
            response = refused(error, request_id).response(request_id)
            found = Answer(response.status_code, tuple(response.raw_headers), bytes(response.body))
        if found.headers is not seen:
            seen, dressed = found.headers, secured(found.headers, is_tls=is_tls)
        headers = (*dressed, (b"x-request-id", request_id.encode()), *shared)
        return Answer(found.status, headers, found.body)

    return whole


def _headers(scope: Scope) -> dict[bytes, bytes]:
    """By name. *Raises*: `Refused` for too many of them, or for two where one is meant."""
    found: dict[bytes, bytes] = {}
    size = 0
    for name, value in scope["headers"]:
        size += len(name) + len(value) + 4
        if name in found and name in ONCE:
            word = name.decode("latin-1")
            raise Refused(400, "HeaderTwice", f"{word}: given twice.", field=f"/header/{word}")
        found[name] = value
    if size > HEADER_BYTES_MAX:
        raise Refused(431, "HeadersTooLarge", f"Headers beyond {HEADER_BYTES_MAX} bytes.")
    return found


def _ids(scope: Scope, answer: _Answer) -> dict[str, str]:
    """What the log of this request bears; the answer gets its id, whatever becomes of it."""
    headers: dict[bytes, bytes] = dict(scope["headers"])
    answer.request_id = _request_id(headers, answer.request_id)
    trace = trace_of(headers.get(b"traceparent"))
    return {"request_id": answer.request_id, "trace_id": trace or answer.request_id}


def _request_id(headers: dict[bytes, bytes], ours: str) -> str:
    given = headers.get(b"x-request-id", b"")
    return given.decode() if REQUEST_ID.fullmatch(given) else ours


def _check_head(scope: Scope, headers: dict[bytes, bytes]) -> None:
    size = len(scope.get("raw_path") or scope["path"]) + len(scope.get("query_string", b""))
    if size > ADDRESS_BYTES_MAX:
        raise Refused(414, "AddressTooLong", f"An address beyond {ADDRESS_BYTES_MAX} bytes.")
    if not scope["path"].isprintable():
        raise Refused(400, "PathInvalid", "Control characters in the path.", field="/path")
    if any(name in headers for name in OVERRIDES):
        raise Refused(400, "MethodOverridden", "A method is not overridden by a header.")
    if scope["method"] in SAFE and (
        headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in headers
    ):
        raise Refused(400, "BodyUnexpected", f"{scope['method']} has no body.", field="/body")


async def _body(headers: dict[bytes, bytes], receive: Receive) -> bytes:
    """The whole body. *Raises*: `Refused` as soon as it is too large, `Gone`."""
    declared = headers.get(b"content-length", b"0")
    if declared.isdigit() and int(declared[:20]) > BODY_BYTES_MAX:
        raise _too_large()
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise Gone
        body += message.get("body", b"")
        if len(body) > BODY_BYTES_MAX:
            raise _too_large()
        if not message.get("more_body", False):
            return bytes(body)


def _check_form(headers: dict[bytes, bytes], body: bytes) -> None:
    kind = headers.get(b"content-type")
    if (body or kind is not None) and (kind is None or not JSON_TYPE.fullmatch(kind)):
        raise Refused(
            415, "ContentTypeRefused", "Content-Type must be application/json, UTF-8.",
            field="/header/Content-Type",
        )  # fmt: skip
    if headers.get(b"content-encoding", b"identity") != b"identity":
        raise Refused(
            415, "ContentEncodingRefused", "A packed body is not unpacked.",
            field="/header/Content-Encoding",
        )  # fmt: skip
    if body:
        check_json(body)


def _again(body: bytes, receive: Receive) -> Receive:
    """A body that was read, once more for the framework."""
    is_given = False

    async def given() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return given


def _too_large() -> Refused:
    return Refused(413, "BodyTooLarge", f"A body beyond {BODY_BYTES_MAX} bytes.", field="/body")


def _too_slow(answer: _Answer, seconds: float) -> Refused:
    if answer.is_reading:
        return Refused(408, "RequestTooSlow", f"The request took more than {seconds:g} s to come.")
    return Refused(
        503, "AnswerTooSlow", f"No answer within {seconds:g} s; what it led to is not known.",
        headers={"Retry-After": "1"},
    )  # fmt: skip
