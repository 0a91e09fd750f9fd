# SPDX-License-Identifier: Apache-2.0
"""`line.py`: one connection, as uvicorn has it, with the limits that must hold before there is a
request: how long and how large its head may be, and how many connections there are. With all places
taken the longest idle one makes room, so that nobody who only sits there keeps others out.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from hean.api.headers import secured
from hean.api.problems import Refused
from hean.api.shield import ADDRESS_BYTES_MAX, HEADER_BYTES_MAX, REQUEST_S_MAX

CONNECTIONS_MAX = 200
HEAD_BYTES_MAX = HEADER_BYTES_MAX + ADDRESS_BYTES_MAX + 64  # and the rest of the first line
HEAD_S_MAX = REQUEST_S_MAX
LINGER_S = 1.0  # for those who still send a body that was refused: else they miss the answer


class Line(HttpToolsProtocol):
    """A guarded connection."""

    _head_bytes = 0
    _is_in_head = True
    _is_whole = True
    _last_s = 0.0
    _timer: asyncio.TimerHandle | None = None
    head_s_max = HEAD_S_MAX

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A place is taken, or made."""
        super().connection_made(transport)
        self._last_s = self.loop.time()
        self._wait_for_head()
        if len(self.connections) > CONNECTIONS_MAX:
            idle = [each for each in self.connections if isinstance(each, Line) and each.is_idle()]
            oldest = min(idle, key=lambda each: each._last_s, default=self)
            if oldest is self:
                text = f"More than {CONNECTIONS_MAX} connections."
                self._refuse(Refused(503, "TooManyAtOnce", text))
            else:
                self.connections.discard(oldest)
                oldest.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing waits for it any more."""
        self._unset_timer()
        super().connection_lost(exc)

    def is_idle(self) -> bool:
        """Whether no answer is due on it."""
        return self.cycle is None or self.cycle.response_complete

    def data_received(self, data: bytes) -> None:
        """Bytes, whose head must end in time and in size."""
        self._last_s = self.loop.time()
        self._head_bytes += len(data)
        super().data_received(data)
        if (
            self._is_in_head
            and self._head_bytes > HEAD_BYTES_MAX
            and not self.transport.is_closing()
        ):
            self._refuse(Refused(431, "HeadersTooLarge", f"A head beyond {HEAD_BYTES_MAX} bytes."))

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._is_in_head, self._is_whole = True, False
        self._wait_for_head()

    def on_headers_complete(self) -> None:
        """Its head is there."""
        self._is_in_head, self._head_bytes = False, 0
        self._unset_timer()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """All of it is there."""
        self._is_whole = True
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """It is answered; who has not ended it yet is not listened to for long."""
        super().on_response_complete()
        self._head_bytes = 0
        if not self._is_whole and not self.transport.is_closing():
            self._unset_timer()
            self._timer = self.loop.call_later(LINGER_S, self.transport.close)

    def send_400_response(self, msg: str) -> None:
        """What the parser cannot read."""
        self._refuse(Refused(400, "RequestInvalid", "This is no HTTP request."))

    def _wait_for_head(self) -> None:
        self._unset_timer()
        self._timer = self.loop.call_later(self.head_s_max, self._head_is_late)

    def _head_is_late(self) -> None:
        self._refuse(Refused(408, "RequestTooSlow", f"No head within {self.head_s_max:g} s."))

    def _unset_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse(self, refusal: Refused) -> None:
        """Answer without the app, and close."""
        if self.transport.is_closing():
            return
        if self.is_idle():  # else the bytes would stand in the middle of another answer
            self.transport.write(_bytes_of(refusal, is_tls=self.scheme == "https"))
        self.transport.close()


def _bytes_of(refusal: Refused, *, is_tls: bool) -> bytes:
    response = refusal.response("")
    headers: list[Any] = [*response.raw_headers, (b"connection", b"close")]
    lines = [name + b": " + value for name, value in secured(headers, is_tls=is_tls)]
    head = STATUS_LINE[refusal.status] + b"\r\n".join(lines)
    return head + b"\r\n\r\n" + bytes(response.body)
