# SPDX-License-Identifier: Apache-2.0
"""`rows.py`: what stands in the journal of a trading process. Beside the events that may not be
lost, kept under their type, there are four kinds of rows: START begins a life of the process and
says what it trades by which rules; SENT says that from here on the bytes of a request may be on
their way; STATE_HASH holds the hash of all that outlives a process; STOP ends a life that ended in
order. A request without its SENT row has not left.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal, TypeVar

import msgspec

from hean.core.journal import Record
from hean.core.parameters import Value
from hean.errors import JournalDamaged
from hean.feeds.arriving import Terms
from hean.system import AccountSettings

START, SENT, STOP = "START", "SENT", "STOP"
Verb = Literal["submit", "cancel", "amend"]
Row = TypeVar("Row", bound=msgspec.Struct)


class Start(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A life begins. *epoch*: part of every order id of this life, higher than all before; *role*:
    of the venue's network, `mainnet` or `testnet`; *account*: its cash is that of the first life.
    """

    epoch: int
    version: str
    venue: str
    market: str
    role: str
    account_id: str
    strategy: str
    given: dict[str, Value]
    account: AccountSettings
    terms: list[Terms]

    @property
    def place(self) -> tuple[str, str, str, str]:
        """Whose journal this is: it is never gone on with at another account."""
        return (self.venue, self.market, self.role, self.account_id)


class Sent(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A request is about to leave. *price*, *size*: wanted by an amendment."""

    verb: Verb
    order_id: str
    price: Decimal | None = None
    size: Decimal | None = None


def row_bytes(row: msgspec.Struct) -> bytes:
    """A row's payload."""
    return msgspec.msgpack.encode(row)


def row_of(record: Record, kind: type[Row]) -> Row:
    """The payload of a row. *Raises*: `JournalDamaged` naming the row."""
    try:
        return msgspec.msgpack.decode(record.payload, type=kind)
    except msgspec.MsgspecError as error:
        raise JournalDamaged(
            f"row {record.seq} ({record.kind}) was written by another version: {error}; use that "
            "version, or restore the journal from a backup."
        ) from None
