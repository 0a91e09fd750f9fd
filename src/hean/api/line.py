# SPDX-License-Identifier: Apache-2.0
"""`line.py`: one connection, as uvicorn has it, with the limits that must hold before there is a
request: how long and how large its head may be, where its body ends, and how many connections there
are. With all places taken one makes room (`places.py`), so that nobody who only sits there, or says
half of something, keeps others out. A socket that is over is gone soon after, even if the other
side takes nothing any more.

Who asks the same in the same words, byte for byte, is not listened to from the beginning: what was
found in the words stays, and what else counts is asked anew by each layer (ADR 0030).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from hean.api.headers import secured
from hean.api.kept_answers import Answer
from hean.api.places import CONNECTIONS_MAX, Claim, Rank, make_room
from hean.api.problems import Refused
from hean.api.shield import ADDRESS_BYTES_MAX, AGAIN, HEADER_BYTES_MAX, REQUEST_S_MAX, Again

HEAD_BYTES_MAX = HEADER_BYTES_MAX + ADDRESS_BYTES_MAX + 64  # and the rest of the first line
HEAD_S_MAX = REQUEST_S_MAX
GRACE_S = 0.05  # for what came in time and was not read: the loop may be the one who is late
VERSIONS: dict[str, list[list[bytes]]] = {"1.0": [[]], "1.1": [[], [b"chunked"]]}
"""Of HTTP, and how each may pack its bodies."""
WIRE = "hean.wire"
"""In the state of a socket: its `Stream`."""
WORDS_BYTES_MAX = 2_048  # of a request that is remembered
WORDS_MAX = 16  # of one connection
LINGER_S = 1.0  # for those who still send a body that was refused: else they miss the answer


class Line(HttpToolsProtocol):
    """A guarded connection."""

    _head_bytes = 0
    _is_in_head = True
    _is_whole = True
    _last_s = 0.0
    _since_s = 0.0  # when it began to say what it has not said to the end
    has_yielded = False
    _timer: asyncio.TimerHandle | None = None
    head_s_max = HEAD_S_MAX
    _words = b""
    """What came last, if nothing was under way before it."""
    _begun = 0  # requests in it

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._known: dict[bytes, Again] = {}

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A place is taken, or made."""
        super().connection_made(transport)
        self._last_s = self._since_s = self.loop.time()
        self._wait_for_head()
        if not make_room(self.connections, self):
            text = f"More than {CONNECTIONS_MAX} connections."
            self._refuse(Refused(503, "TooManyAtOnce", text))

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing waits for it any more."""
        self._unset_timer()
        super().connection_lost(exc)

    def is_idle(self) -> bool:
        """Whether no answer is due on it."""
        return self.cycle is None or self.cycle.response_complete

    def claim(self) -> Claim:
        """A request that is here as a whole is at work, unless its answer is not taken or others
        stand behind it: of those somebody could send any number.
        """
        peer = self.client[0] if self.client else ""
        is_due = not self.is_idle() and not self.cycle.more_body
        if self.pipeline or self.flow.write_paused:
            return Claim(Rank.ANSWERED, peer, self._last_s)
        if is_due:
            return Claim(Rank.AT_WORK, peer, self._since_s)
        if self.cycle is not None and self._is_whole:
            return Claim(Rank.ANSWERED, peer, self._last_s)
        return Claim(Rank.UNSAID, peer, self._since_s)

    def make_way(self) -> None:
        """Somebody else needs the place."""
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Bytes, whose head must end in time and in size."""
        self._last_s = self.loop.time()
        if self._is_whole and self.is_idle():
            if self._words:
                self._remember()
            if (again := self._known.get(data)) is not None and not self.flow.write_paused:
                self._answer(again())
                return
            self._words, self._begun = data if len(data) <= WORDS_BYTES_MAX else b"", 0
        else:
            self._words = b""
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
        self._begun += 1
        self._is_in_head, self._is_whole = True, False
        self._since_s = self.loop.time()
        self._wait_for_head()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A line of its head. One behind the body is none: whoever stands before us and looks at
        heads, or takes lines out of them, has not seen it.
        """
        if self._is_in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Its head is there. *Raises*: `_Doubtful`."""
        _check_framing(self.url, self.headers, self.parser.get_http_version())
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

    def timeout_keep_alive_handler(self) -> None:
        """Nothing has come for a while, unless it was answered in the same words."""
        rest_s = self._last_s + self.timeout_keep_alive - self.loop.time()
        if rest_s <= 0:
            super().timeout_keep_alive_handler()
            return
        self.timeout_keep_alive_task = self.loop.call_later(rest_s, self.timeout_keep_alive_handler)

    def _remember(self) -> None:
        """Keep the last request, if it came alone and its answer said how it is given again."""
        words, self._words = self._words, b""
        if self._begun != 1 or not self.cycle.keep_alive:
            return
        again: Any = self.scope.get(AGAIN)
        if again is None:
            return
        if len(self._known) == WORDS_MAX:
            self._known.clear()
        self._known[words] = again

    def _answer(self, answer: Answer) -> None:
        lines = [b"%b: %b\r\n" % each for each in self.server_state.default_headers]
        lines += [b"%b: %b\r\n" % each for each in answer.headers]
        self.transport.write(
            b"%b%b\r\n%b" % (STATUS_LINE[answer.status], b"".join(lines), answer.body)
        )
        self.server_state.total_requests += 1

    def send_400_response(self, msg: str) -> None:
        """What the parser cannot read."""
        self._refuse(Refused(400, "RequestInvalid", "This is no HTTP request."))

    def _wait_for_head(self) -> None:
        self._unset_timer()
        self._timer = self.loop.call_later(self.head_s_max, self._head_is_late)

    def _head_is_late(self) -> None:
        self._timer = self.loop.call_later(GRACE_S, self._refuse_late_head)

    def _refuse_late_head(self) -> None:
        self._refuse(Refused(408, "RequestTooSlow", f"No head within {self.head_s_max:g} s."))

    def _unset_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse(self, refusal: Refused) -> None:
        """Answer without the app, and close."""
        if self.transport.is_closing():
            return
        is_in_body = not self._is_in_head and not self._is_whole
        if self.is_idle():
            self._write(refusal)
        elif is_in_body and not self.pipeline and not self.cycle.response_started:
            self.cycle.disconnected = True  # its app has nothing more to say
            self.cycle.message_event.set()
            self._write(refusal)
        # Else the bytes would stand in the middle of another answer.
        self.transport.close()

    def _write(self, refusal: Refused) -> None:
        self.transport.write(bytes_of(refusal, is_tls=self.scheme == "https"))


class _Doubtful(ValueError):
    """A head that another reader may understand in another way."""


def _check_framing(url: bytes, headers: list[tuple[bytes, bytes]], version: str) -> None:
    """Refuse what leaves a doubt about who is asked, or about where the body ends; the parser
    itself refuses most of that. *Raises*: `_Doubtful`.
    """
    packed = [value.strip().lower() for name, value in headers if name == b"transfer-encoding"]
    if version not in VERSIONS or packed not in VERSIONS[version]:
        raise _Doubtful("a version that is not spoken here, or a body that is packed")
    if not url.startswith(b"/"):
        raise _Doubtful("an address with a host of its own, beside the header")


class Stream(WebSocketsSansIOProtocol):
    """A WebSocket. A transport that is closed waits until all was taken, which a client that is
    stuck never does: then its place would stay taken. The app finds it in its scope.
    """

    is_known = False
    """Whether it has said who it is, and may stay."""
    has_yielded = False
    write: Callable[[bytes], None]
    """For whole frames of the app's own, until something waits to leave."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.on_full: Callable[[], None] = _nothing
        self._since_s = self.loop.time()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Nothing waits here unseen: the first byte that the other side does not take is told."""
        super().connection_made(transport)
        # Not 0: of that, uvloop's TLS says at every write that it is full.
        self.transport.set_write_buffer_limits(high=1, low=0)
        self.write = self.transport.write

    def claim(self) -> Claim:
        """A place is for those who say who they are."""
        peer = self.client[0] if self.client else ""
        return Claim(Rank.AT_WORK if self.is_known else Rank.UNSAID, peer, self._since_s)

    def make_way(self) -> None:
        """Somebody else needs the place."""
        self.transport.abort()

    def pause_writing(self) -> None:
        """Something waits."""
        super().pause_writing()
        self.on_full()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        super().connection_lost(exc)
        self.on_full()

    async def room(self) -> None:
        """Return when all has left. *Raises*: `OSError` when it is over."""
        await self.writable.wait()
        if self.disconnected:
            raise ClientDisconnected

    async def run_asgi(self) -> None:
        """From its first frame to its end."""
        self.scope["state"][WIRE] = self
        await super().run_asgi()
        self.is_known = False
        self.loop.call_later(LINGER_S, self.transport.abort)


def _nothing() -> None:
    """Until somebody listens."""


def bytes_of(refusal: Refused, *, is_tls: bool) -> bytes:
    """A whole answer, where no app gives one."""
    response = refusal.response("")
    headers = (*response.raw_headers, (b"connection", b"close"))
    lines = [name + b": " + value for name, value in secured(headers, is_tls=is_tls)]
    head = STATUS_LINE[refusal.status] + b"\r\n".join(lines)
    return head + b"\r\n\r\n" + bytes(response.body)
