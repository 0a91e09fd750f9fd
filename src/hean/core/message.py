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

from hean.core.types import PAYLOADS, Event, EventType, Payload
from hean.errors import FieldInvalid

SCHEMA = 1  # raised when a reader of the former could misunderstand; added fields are no reason

Fact = tuple[EventType, msgspec.Raw]


class Derived(msgspec.Struct, frozen=True, array_like=True):
    """What a part of another process made of the market. *part*: its name. *at_ns*, *cause*, *key*:
    the moment, type and key of the event it was made at, so that a reader can tell it at that very
    event.
    """

    part: str
    at_ns: int
    cause: EventType
    key: str
    fact: Fact

    def payload(self) -> Payload:
        """The fact as a payload. *Raises*: `FieldInvalid`."""
        kind, raw = self.fact
        try:
            return _DECODERS[kind].decode(raw)
        except msgspec.DecodeError as error:
            raise FieldInvalid(f"what {self.part} derived: {error}.") from error


def derived(part: str, cause: Event, payload: Payload) -> Derived:
    """What *part* made at an event."""
    fact = payload.event_type, msgspec.Raw(_ENCODER.encode(payload))
    return Derived(part, cause.ts_ns, cause.event_type, cause.data.key_value(), fact)


class Message(msgspec.Struct, frozen=True, array_like=True):
    """*seq*: rises with every message of *source*; *prev*: that of the message before, 0 for the
    first of a sender's life. *ts_ns*: the moment. *facts*: as they were told, perhaps none: then it
    says that time has come so far. *is_last*: nothing follows, ever. *as_of*: of a process of
    models, which message of the feed was played. *derived*: what the sender's parts made of it.
    """

    schema: int
    source: str
    seq: int
    prev: int
    ts_ns: int
    facts: list[Fact]
    is_last: bool = False
    as_of: int = 0
    derived: list[Derived] = []

    def payloads(self) -> tuple[Payload, ...]:
        """The facts as payloads. *Raises*: `FieldInvalid`."""
        try:
            return tuple([_DECODERS[kind].decode(raw) for kind, raw in self.facts])
        except msgspec.DecodeError as error:
            raise FieldInvalid(f"message {self.seq} of {self.source}: {error}.") from error

    @property
    def is_beat(self) -> bool:
        """Whether it says nothing but the time."""
        return not (self.facts or self.derived or self.is_last)


class _Schema(msgspec.Struct, array_like=True):
    """The beginning of any message, whatever follows."""

    schema: int


class _Number(msgspec.Struct, array_like=True):
    schema: int
    source: str
    seq: int


def pack(
    source: str,
    seq: int,
    prev: int,
    ts_ns: int,
    facts: Sequence[Payload],
    *,
    is_last: bool = False,
    as_of: int = 0,
    made: Sequence[Derived] = (),
) -> bytes:
    """A message as bytes. *made*: what was derived."""
    rows = [(fact.event_type, msgspec.Raw(_ENCODER.encode(fact))) for fact in facts]
    return _ENCODER.encode(
        Message(SCHEMA, source, seq, prev, ts_ns, rows, is_last, as_of, list(made))
    )


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


def number_of(data: bytes) -> int:
    """The `seq` of a message, 0 of bytes that are none."""
    try:
        return _NUMBER.decode(data).seq
    except msgspec.DecodeError:
        return 0


_ENCODER = msgspec.msgpack.Encoder()
_HEAD = msgspec.msgpack.Decoder(_Schema)
_NUMBER = msgspec.msgpack.Decoder(_Number)
_MESSAGE = msgspec.msgpack.Decoder(Message)
_DECODERS = {kind: msgspec.msgpack.Decoder(payload) for kind, payload in PAYLOADS.items()}
