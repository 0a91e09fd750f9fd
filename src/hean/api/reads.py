# SPDX-License-Identifier: Apache-2.0
"""`reads.py`: the short way of a read. A route that takes nothing from its request needs no
framework to be answered: its own function is called, and what it returns is written by the
serializer that the framework would use, so that there is one truth and one document. Everything
else goes to the framework.

What many ask for all the time is written once for all of them: it is kept while the engine's moment
is the same, and no longer than an eye takes to see a change. Such a read also says how it is
answered again, which spares a caller who asks the same in the same words the way through all layers
(ADR 0030).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import TypeAdapter

from hean.api.headers import Header
from hean.api.kept_answers import Answer
from hean.api.shield import AGAIN, Receive, Scope, Send

KEPT = frozenset(
    (
        *("/portfolio/summary", "/positions", "/orders", "/fills", "/strategies", "/risk"),
        *("/market", "/engine/status", "/health"),
    )
)
"""Documents of the engine, of which everything that a person may change is a fact on its bus. They
are made in one go, without waiting for anything.
"""
KEPT_S = 0.025
JSON: Header = (b"content-type", b"application/json")


@dataclass(slots=True)
class _Read:
    """A route. *answer*: what it said last, at which moment, until when that counts."""

    ask: Callable[[], Coroutine[Any, Any, Any]]
    encode: Callable[[Any], bytes]
    is_kept: bool
    answer: Answer | None = None
    moment: Hashable = None
    until_s: float = 0.0

    def answered(self, found: Any) -> Answer:
        """As the framework would."""
        body = self.encode(found)
        return Answer(200, ((b"content-length", b"%d" % len(body)), JSON), body)


class Reads:
    """*framework*: has the routes; *moment*: of the engine, another one after each of its facts;
    *ticks*: steady seconds.
    """

    def __init__(
        self,
        framework: FastAPI,
        *,
        moment: Callable[[], Hashable],
        ticks: Callable[[], float],
    ) -> None:
        self._framework = framework
        self._moment = moment
        self._ticks = ticks
        self._reads = _reads_of(framework)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        read = None
        if scope["type"] == "http" and scope["method"] == "GET" and not scope["query_string"]:
            read = self._reads.get(scope["path"])
        if read is None:
            await self._framework(scope, receive, send)
            return
        if read.is_kept:
            answer = self._kept(read)
            scope["state"][AGAIN] = lambda: self._kept(read)
        else:
            answer = read.answered(await read.ask())
        start = {"type": "http.response.start", "status": answer.status}
        await send({**start, "headers": answer.headers})
        await send({"type": "http.response.body", "body": answer.body})

    def _kept(self, read: _Read) -> Answer:
        moment, now_s = self._moment(), self._ticks()
        if read.answer is None or moment != read.moment or not now_s < read.until_s:
            read.answer = read.answered(_at_once(read.ask()))
            read.moment, read.until_s = moment, now_s + KEPT_S
        return read.answer


def _at_once(work: Coroutine[Any, Any, Any]) -> Any:
    """What a coroutine that never waits returns."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value
    work.close()
    raise RuntimeError("a kept read has to be answered without waiting")


def _reads_of(framework: FastAPI) -> dict[str, _Read]:
    """By path: every GET whose function can be called as it is, and which answers a document."""
    found = {}
    for context in iter_route_contexts(framework.routes):
        route = context.original_route
        if not isinstance(route, APIRoute) or route.methods != {"GET"} or "{" in route.path:
            continue
        given = inspect.signature(route.endpoint).parameters.values()
        is_free = all(each.default is not each.empty for each in given)
        if is_free and route.response_model and inspect.iscoroutinefunction(route.endpoint):
            encode = TypeAdapter(route.response_model).dump_json
            found[route.path] = _Read(route.endpoint, encode, route.path in KEPT)
    return found
