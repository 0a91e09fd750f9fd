# SPDX-License-Identifier: Apache-2.0
"""`gate.py`: between shield and framework. For each request it finds who asks, how often they may
and whether they may at all, by the row of the route; a request that comes twice with one
idempotency key is done once. What has no row does not exist, or is a file of the page.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated
from urllib.parse import parse_qs, parse_qsl

from fastapi import Depends
from starlette.requests import HTTPConnection

from hean.api.access import Access, Who, not_known
from hean.api.headers import Header
from hean.api.idempotency import HEADER, Idempotency
from hean.api.kept_answers import Answer
from hean.api.limits import JOBS_MAX, retry_after
from hean.api.permissions import Limit, Permissions, Row
from hean.api.problems import Refused
from hean.api.shield import AGAIN, Again, Asgi, Message, Receive, Scope, Send
from hean.observe.context import at_work

DOCS, REPORT = "/docs", "/jobs/{job_id}/report"
BY_ADDRESS, TICKET = (DOCS, REPORT), "ticket"
"""Paths that a browser opens by address alone, so a ticket may stand there."""
KEY = HEADER.lower().encode()
REPLAYED: Header = (b"idempotent-replayed", b"true")


class Gate:
    """*page*: answers what is not in the table, to everybody. *jobs_running*: how many jobs of a
    token id run now. *queries*: what may be asked of each row behind its `?`.
    """

    def __init__(
        self,
        inner: Asgi,
        permissions: Permissions,
        access: Access,
        idempotency: Idempotency,
        *,
        jobs_running: Callable[[str], int],
        queries: Mapping[Row, frozenset[str]],
        page: Asgi | None = None,
    ) -> None:
        self._inner = inner
        self._permissions = permissions
        self._access = access
        self._idempotency = idempotency
        self._jobs_running = jobs_running
        self._queries = queries
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let in or refuse. *Raises*: `Refused`."""
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        row: Row | None = scope["state"]["row"]
        if row is None:
            await self._without_row(scope, receive, send)
            return
        headers: dict[bytes, bytes] = scope["state"]["headers"]
        address = address_of(scope)
        who = self._who(row, scope, headers, address)
        self._admit(row, who, address)
        if scope["query_string"]:
            self._check_query(row, scope["query_string"])
        scope["state"]["who"] = who
        with at_work(who=who.actor if who is not None else "nobody"):
            await self._let_in(row, who, scope, receive, send)
        if (inner := scope["state"].get(AGAIN)) is not None:
            scope["state"][AGAIN] = self._again(inner, row, headers.get(b"authorization"), address)

    async def _let_in(
        self, row: Row, who: Who | None, scope: Scope, receive: Receive, send: Send
    ) -> None:
        if who is not None and row.is_mutating and row.limit is not Limit.KILL:
            key = scope["state"]["headers"].get(KEY)
            if row.limit is Limit.JOB:
                self._check_jobs(who, key)
            if key is not None:
                await self._once(who, row, key, scope, receive, send)
                return
            if row.needs_idempotency_key:
                raise Refused(
                    400, "IdempotencyKeyMissing", f"{HEADER} is required: it keeps a repeated "
                    "request from being done twice.", field=f"/header/{HEADER}",
                )  # fmt: skip
        await self._inner(scope, receive, send)

    def _again(self, inner: Again, row: Row, shown: bytes | None, address: str) -> Again:
        """Tokens end and buckets empty, so that is asked each time."""

        def let_in() -> Answer:
            who = self._access.by_header(shown, address)
            self._admit(row, who, address)
            return inner()

        return let_in

    def _admit(self, row: Row, who: Who | None, address: str) -> None:
        """Whether they may ask this, and as often. *Raises*: `Refused`."""
        token = who.token_id if who is not None else None
        if wait := self._access.limits.wait_s(row.limit, token, address):
            raise Refused(
                429, "RateLimited", f"Too many requests of class {row.limit}; again in {wait:.2f} "
                "s.", headers=retry_after(wait),
            )  # fmt: skip
        if row.role is not None:
            self._check(row, who)

    async def _without_row(self, scope: Scope, receive: Receive, send: Send) -> None:
        if methods := self._permissions.methods(scope["path"]):
            raise Refused(
                405, "MethodNotAllowed", f"{scope['path'][:200]} knows {', '.join(methods)}.",
                headers={"Allow": ", ".join(methods)},
            )  # fmt: skip
        if self._page is None or scope["method"] not in ("GET", "HEAD"):
            raise Refused(404, "NotFound", "Nothing answers to that path.", field="/path")
        await self._page(scope, receive, send)

    def _who(self, row: Row, scope: Scope, headers: dict[bytes, bytes], address: str) -> Who | None:
        if row.role is None:
            return None
        if row.path in BY_ADDRESS and b"authorization" not in headers:
            words = parse_qs(scope["query_string"].decode("latin-1")).get(TICKET, [])
            if words:
                return self._access.by_ticket(words[0], address)
        return self._access.by_header(headers.get(b"authorization"), address)

    def _check(self, row: Row, who: Who | None) -> None:
        if who is None:
            raise not_known()
        if row.role is not None and who.role < row.role:
            raise Refused(
                403, "RoleTooLow", f"Needs role {row.role.word}; this token is {who.role.word}.",
                field="/header/Authorization",
            )  # fmt: skip

    def _check_query(self, row: Row, query: bytes) -> None:
        """A filter that nobody knows, or one given twice, would answer another question."""
        known = self._queries.get(row, frozenset())
        seen = set()
        for name, _ in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
            if name not in known or name in seen:
                what = "given twice" if name in seen else "not known here"
                raise Refused(
                    400, "QueryInvalid", f"?{name[:40]}: {what}; known: "
                    f"{', '.join(sorted(known)) or 'none'}.", field=f"/query/{name[:100]}",
                )  # fmt: skip
            seen.add(name)

    def _check_jobs(self, who: Who, key: bytes | None) -> None:
        """What was started already is answered; only a new job needs a place."""
        is_known = key is not None and self._idempotency.knows(who.token_id, key)
        if not is_known and self._jobs_running(who.token_id) >= JOBS_MAX:
            raise Refused(
                429, "TooManyJobs", f"{JOBS_MAX} jobs at once; wait for one or cancel it.",
                headers=retry_after(1),
            )  # fmt: skip

    async def _once(
        self, who: Who, row: Row, key: bytes, scope: Scope, receive: Receive, send: Send
    ) -> None:
        parts = (scope["method"], scope["path"], scope["query_string"].decode("latin-1"))
        request = "\n".join(parts).encode() + b"\n" + scope["state"]["body"]
        answer, is_older = await self._idempotency.once(
            who.token_id, key, request, lambda: _whole(self._inner, scope, receive),
            is_lasting=row.needs_idempotency_key or row.limit is Limit.JOB,
        )  # fmt: skip
        headers = [*answer.headers, REPLAYED] if is_older else list(answer.headers)
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})


async def _whole(inner: Asgi, scope: Scope, receive: Receive) -> Answer:
    """The answer of the framework in one piece."""
    status, headers, body = 500, (), bytearray()

    async def keep(message: Message) -> None:
        nonlocal status, headers
        if message["type"] == "http.response.start":
            status, headers = message["status"], tuple(message.get("headers", ()))
        else:
            body.extend(message.get("body", b""))

    try:
        await inner(scope, receive, keep)
    except Exception:  # reason: the framework has answered, and raises so that servers log it
        if not body:
            raise
    return Answer(status, headers, bytes(body))


def address_of(scope: Scope) -> str:
    """The network address that somebody comes from; nothing for a local pipe."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def _asker(connection: HTTPConnection) -> Who:
    who = connection.scope["state"].get("who")
    if who is None:  # only a route of an open row can come here, and that is a slip of ours
        raise not_known()
    return who  # type: ignore[no-any-return]


Asker = Annotated[Who, Depends(_asker)]
"""In the signature of a route: who asks."""
