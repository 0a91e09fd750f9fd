# SPDX-License-Identifier: Apache-2.0
"""`line.py`: one socket from its handshake to its end, as picows calls it. The frame callback is
the hot path of all market data: a whole text message costs one copy and one call of the owner.
Everything that is not a whole text message is put together or refused: a message in parts, a
binary frame, text that is not UTF-8, an extension nobody agreed on, more bytes than a connection
may hold. It never reconnects; `socket.py` does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol

from picows import (
    WSCloseCode,
    WSFrame,
    WSListener,
    WSMsgType,
    WSProtocolError,
    WSTransport,
)

MESSAGE_BYTES_MAX = 4 << 20  # the buffer doubles: keeps a connection below 16 MB
PART_BYTES = 64  # what a part costs beside its text
PONG_BYTES_MAX = 512  # an answer to a ping is short; longer frames are not searched
REASON_MAX = 200  # characters of a venue's closing words

_TEXT: Final = WSMsgType.TEXT


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What is sent to be answered.

    *frame*: the text, `None` for a ping of the protocol. *answer*: bytes that only an answer to
    *frame* contains. *proves_life*: an answer ends silence, as on a private stream.
    """

    every_s: float = 20.0
    frame: bytes | None = None
    answer: bytes = b"pong"
    proves_life: bool = False


class Owner(Protocol):
    """What a line tells and reads of the connection it belongs to."""

    name: str
    frames: int
    heartbeat: Heartbeat
    on_frame: Callable[[bytes], None]

    def opened(self, line: Line) -> None:
        """The handshake is done; no frame has come yet."""
        ...

    def lost(self, line: Line, reason: str) -> None:
        """The line is gone."""
        ...


class Line(WSListener):
    """One socket of a connection: from its handshake to its end."""

    transport: WSTransport

    def __init__(self, owner: Owner) -> None:
        self.owner = owner
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.before: Line | None = None
        """The socket this one follows, heard until this one speaks."""
        self.asked_s = 0.0
        """When the open ping was sent, 0 when none is."""
        self.is_opened = False
        self._why = ""
        self._parts: list[bytes] = []
        self._parts_bytes = 0
        self._end: asyncio.Task[None] | None = None

    @property
    def is_usable(self) -> bool:
        """Open, with no close under way."""
        return self.is_opened and not self.gone.done() and not self.transport.is_close_frame_sent

    def beat(self, at_s: float) -> None:
        """Send a ping, unless one is open."""
        if self.asked_s or not self.is_usable:
            return
        self.asked_s = at_s
        frame = self.owner.heartbeat.frame
        if frame is None:
            self.transport.send_ping(b"hean")
        else:
            self.transport.send(_TEXT, frame)

    def drop(self, reason: str) -> None:
        """End it now."""
        self._why = self._why or reason
        if self.is_opened and not self.gone.done():
            self.transport.send_close(WSCloseCode.OK)
            self.transport.disconnect(graceful=False)

    # ------------------------------------------------------------ told by picows

    def on_ws_connected(self, transport: WSTransport) -> None:
        """The handshake is done."""
        self.transport = transport
        self._end = asyncio.get_running_loop().create_task(_ended(transport))
        self.is_opened = True
        if self._why:
            self.drop(self._why)
            return
        try:
            self.owner.opened(self)
        except Exception as error:  # noqa: BLE001  # reason: a bug of the owner ends this socket
            self._blame(error)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """The hot path: one text message to the owner."""
        owner = self.owner
        if self._why:
            return
        if frame.msg_type == _TEXT and frame.fin and not self._parts and not frame.rsv1:
            message = frame.get_payload_as_bytes()
        elif (whole := self._assembled(frame)) is not None:
            message = whole
        else:
            return
        if not message.isascii():
            self._require_text(message)
        if len(message) > MESSAGE_BYTES_MAX:  # picows has refused it, and reads on for a moment
            raise self._refusal(WSCloseCode.MESSAGE_TOO_BIG, f"over {MESSAGE_BYTES_MAX} bytes")
        if self.asked_s and len(message) < PONG_BYTES_MAX:
            heartbeat = owner.heartbeat
            if heartbeat.frame is not None and heartbeat.answer in message:
                self._answered()
                return
        if self.before is not None:
            self.before.drop("followed by another")
            self.before = None
        owner.frames += 1
        try:
            owner.on_frame(message)
        except Exception as error:  # noqa: BLE001  # reason: a bug of the owner ends this socket
            self._blame(error)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """The socket is gone."""
        self.gone.set_result(None)
        if self.before is not None:
            self.before.drop("its successor is gone")
        self.owner.lost(self, self._why or _closing(transport))

    def pause_writing(self) -> None:
        """The venue does not read: what is sent now would leave at some later time."""
        self.drop("the venue takes no more bytes")

    def _blame(self, error: Exception) -> None:
        """The owner failed: this socket ends, and the loop's handler tells people."""
        name = self.owner.name
        context = {"message": f"{name}: its owner failed", "exception": error}
        asyncio.get_running_loop().call_exception_handler(context)
        self.drop(f"{type(error).__name__}: {error}")

    def _answered(self) -> None:
        self.asked_s = 0.0
        if self.owner.heartbeat.proves_life:
            self.owner.frames += 1

    def _assembled(self, frame: WSFrame) -> bytes | None:
        """What is not a whole text frame: parts of one, control frames, the forbidden."""
        match frame.msg_type:
            case WSMsgType.PONG:
                if self.owner.heartbeat.frame is None:
                    self._answered()
                return None
            case WSMsgType.CLOSE:
                self._why = _closing(self.transport)
                self.transport.send_close(WSCloseCode.OK)
                self.transport.disconnect()
                return None
            case WSMsgType.BINARY:
                raise self._refusal(WSCloseCode.UNSUPPORTED_DATA, "a binary frame")
        if frame.rsv1 or frame.rsv2 or frame.rsv3:
            raise self._refusal(WSCloseCode.PROTOCOL_ERROR, "an extension nobody agreed on")
        if (frame.msg_type == WSMsgType.CONTINUATION) != bool(self._parts):
            raise self._refusal(WSCloseCode.PROTOCOL_ERROR, "parts of messages out of order")
        self._parts.append(frame.get_payload_as_bytes())
        self._parts_bytes += frame.payload_size + PART_BYTES
        if self._parts_bytes > MESSAGE_BYTES_MAX:
            raise self._refusal(WSCloseCode.MESSAGE_TOO_BIG, f"over {MESSAGE_BYTES_MAX} bytes")
        if not frame.fin:
            return None
        message = b"".join(self._parts)
        self._parts.clear()
        self._parts_bytes = 0
        return message

    def _require_text(self, message: bytes) -> None:
        try:
            message.decode()
        except UnicodeDecodeError:
            raise self._refusal(WSCloseCode.INVALID_TEXT, "text that is not UTF-8") from None

    def _refusal(self, code: WSCloseCode, what: str) -> WSProtocolError:
        """The error that makes picows say why and close; nothing more is heard from this line."""
        self._why = f"the venue sent {what}"
        return WSProtocolError(code, what)


async def _ended(transport: WSTransport) -> None:
    """Take the failure that picows keeps for somebody; the owner is told in its own words."""
    with suppress(Exception):  # reason: whatever it was, the socket is gone and that is told
        await transport.wait_disconnected()


def _closing(transport: WSTransport) -> str:
    """Why a socket is closing, as far as either side said it."""
    closing = transport.close_handshake
    said = closing and (closing.recv or closing.sent)
    if not said:
        return "connection lost without a word"
    by = "the venue" if said is closing.recv else "us"
    words = f": {said.reason[:REASON_MAX]!a}" if said.reason else ""
    return f"closed by {by} with code {_number(said.code)}{words}"


def _number(code: object) -> str:
    """A closing code; those below 3000 have names, the venue's own have none."""
    return str(getattr(code, "value", code))
