# SPDX-License-Identifier: Apache-2.0
"""`rows.py`: what stands in the journal of a trading process. Beside the events that may not be
lost, kept under their type, there are six kinds of rows: START begins a life of the process and
says what it trades by which rules; SENT says that from here on the bytes of a request may be on
their way; STATE_HASH holds the hash of all that outlives a process; STOP ends a life that ended in
order. A request without its SENT row has not left. SEEN and JUDGED say what was known when a signal
was made and an order judged; they are for people, and so are HEALTH events, kept where one differs
from the last of its component.
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
SEEN, JUDGED = "SEEN", "JUDGED"
RESOLVE = "resolve"
"""Verb of the command with which a person says what became of an order; a `Claimed` in words."""
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
    """A request is about to leave. *price*, *size*: wanted by an amendment; *venue_ms*: the venue's
    time as known then, of a cancel 0: until when it may be accepted is reckoned from it.
    """

    verb: Verb
    order_id: str
    price: Decimal | None = None
    size: Decimal | None = None
    venue_ms: int = 0


class Claimed(msgspec.Struct, frozen=True):
    """What a person says of an order that nobody could decide, and why. *at_ns*: the venue's time
    when it was found that nothing speaks against it.
    """

    order_id: str
    claim: str
    reason: str
    at_ns: int


class Seen(msgspec.Struct, frozen=True, omit_defaults=True):
    """The market of a symbol: before a signal, as of the fact it names, else the newest. *facts*:
    how many came in this life; *door*: why nothing new may leave, empty if it may; *seq*: of the
    fact, 0 before the first; *received_ns*: when the bus told it; *venue_ns*: its time at the
    venue.
    """

    symbol: str
    facts: int
    door: str = ""
    seq: int = 0
    received_ns: int = 0
    venue_ns: int = 0
    price: float | None = None
    bid: float | None = None
    ask: float | None = None


class Judged(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an order request met. *reference*: the price it was valued at; *door*: why it may not
    leave at this moment, as the last hop would say; *rules*: (rule, observed, allowed, whether it
    says no); *error*: why it could not be judged at all.
    """

    order_id: str
    reference: float | None
    equity: Decimal
    door: str = ""
    rules: list[tuple[str, str, str, bool]] = []
    error: str = ""


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
