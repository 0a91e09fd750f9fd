# SPDX-License-Identifier: Apache-2.0
"""`meter.py`: counts requests by method, route and status, outside of everything else, so that a
refusal counts as well. A path that no route has is counted as one: nobody fills memory with names.
"""

from __future__ import annotations

import time
from collections import Counter

from hean.api.kept_answers import Answer
from hean.api.permissions import Row
from hean.api.shield import AGAIN, Again, Asgi, Message, Receive, Scope, Send
from hean.observe.metrics import Histogram, Labels, Samples

OTHER = "other"


class Meter:
    """*inner*: the API."""

    def __init__(self, inner: Asgi) -> None:
        self._inner = inner
        self._requests: Counter[tuple[str, str, str]] = Counter()
        self._seconds: dict[Labels, Histogram] = {}
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        status, began_s = 500, time.perf_counter()

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        self._in_flight += 1
        try:
            await self._inner(scope, receive, watched)
        finally:
            self._in_flight -= 1
            row = scope.get("state", {}).get("row")
            self._count(row, status, time.perf_counter() - began_s)
        if (inner := scope.get("state", {}).get(AGAIN)) is not None:
            scope[AGAIN] = self._again(inner, row)

    def _again(self, inner: Again, row: Row | None) -> Again:
        def counted() -> Answer:
            began_s = time.perf_counter()
            answer = inner()
            self._count(row, answer.status, time.perf_counter() - began_s)
            return answer

        return counted

    def tell(self, samples: Samples) -> None:
        """Put what was counted among the samples."""
        for (method, route, status), count in self._requests.items():
            samples.put(
                "hean_http_requests_total", count, method=method, route=route, status=status
            )
        samples.put_histograms("hean_http_request_duration_seconds", self._seconds)
        samples.put("hean_http_requests_in_flight", self._in_flight)

    def _count(self, row: Row | None, status: int, seconds: float) -> None:
        method, route = (row.method, row.path) if row else (OTHER, OTHER)
        self._requests[method, route, str(status)] += 1
        labels = (("method", method), ("route", route))
        self._seconds.setdefault(labels, Histogram()).observe(seconds)
