# SPDX-License-Identifier: Apache-2.0
"""`message.py`: what one process says to others: the facts of one moment, numbered by the sender.

Each message names its predecessor. So a reader knows a message it has had, one that came too early,
and one that is missing, on any transport and for any numbers, be they counted up or those of
journal rows. Facts travel as maps by field name: fields are only added, so an older reader leaves
out what it does not know; a newer *schema* it refuses.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from hean.core.types import PAYLOADS, EventType, Payload
from hean.errors import FieldInvalid

SCHEMA = 1  # raised when a reader of the former could misunderstand; added fields are no reason

Fact = tuple[EventType, msgspec.Raw]


class Message(msgspec.Struct, frozen=True, array_like=True):
    """*seq*: rises with every message of *source*; *prev*: that of the message before, 0 for the
    first of a sender's life. *ts_ns*: the moment. *facts*: as they were told, perhaps none: then it
    says that time has come so far. *is_last*: nothing follows, ever.
    """

    schema: int
    source: str
    seq: int
    prev: int
    ts_ns: int
    facts: list[Fact]
    is_last: bool = False

    def payloads(self) -> tuple[Payload, ...]:
        """The facts as payloads. *Raises*: `FieldInvalid`."""
        try:
            return tuple([_DECODERS[kind].decode(raw) for kind, raw in self.facts])
        except msgspec.DecodeError as error:
            raise FieldInvalid(f"message {self.seq} of {self.source}: {error}.") from error

    @property
    def is_beat(self) -> bool:
        """Whether it says nothing but the time."""
        return not (self.facts or self.is_last)


class _Schema(msgspec.Struct, array_like=True):
    """The beginning of any message, whatever follows."""

    schema: int


def pack(
    source: str,
    seq: int,
    prev: int,
    ts_ns: int,
    facts: Sequence[Payload],
    *,
    is_last: bool = False,
) -> bytes:
    """A message as bytes."""
    rows = [(fact.event_type, msgspec.Raw(_ENCODER.encode(fact))) for fact in facts]
    return _ENCODER.encode(Message(SCHEMA, source, seq, prev, ts_ns, rows, is_last))


def unpack(data: bytes) -> Message:
    """The message in *data*. *Raises*: `FieldInvalid` for a schema of the future, and for bytes
    that are no message."""
    try:
        schema = _HEAD.decode(data).schema
        if schema > SCHEMA:
            raise FieldInvalid(
                f"a message of schema {schema}, this version reads up to {SCHEMA}; update the "
                "readers before the senders."
            )
        return _MESSAGE.decode(data)
    except msgspec.DecodeError as error:
        raise FieldInvalid(f"no message ({error}).") from error


_ENCODER = msgspec.msgpack.Encoder()
_HEAD = msgspec.msgpack.Decoder(_Schema)
_MESSAGE = msgspec.msgpack.Decoder(Message)
_DECODERS = {kind: msgspec.msgpack.Decoder(payload) for kind, payload in PAYLOADS.items()}
