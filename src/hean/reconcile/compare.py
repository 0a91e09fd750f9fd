# SPDX-License-Identifier: Apache-2.0
"""`compare.py`: one reading of the account beside our books, and a sentence for each difference.
Everything is handed in; nothing is asked, changed or remembered. A reading takes a moment, in which
fills go on: what the venue held is compared with what we held at any instant since the reading
began, so trading alone never makes a difference. A reading with an end missing is compared with
nothing: what it does not show may still be there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from hean.core.types import AccountRead, OpenOrder

ZERO = Decimal(0)
SLACK_NS = 1_000_000_000  # the venue's clock is known that well, or nothing new is opened
YOUNG_NS = 10_000_000_000  # an order that is no older may be on its way

_is_ours = re.compile(r"h[0-9a-z]+-[0-9a-z]{4}-[0-9a-z]+").fullmatch  # ids of HEAN's form
_UNDECIDED = ("UNKNOWN", "QUARANTINE")
_AT_VENUE = ("WORKING", "PARTIAL")
_OPEN = ("INTENT", "SENT", *_AT_VENUE, *_UNDECIDED)


class Weight(Enum):
    """What a difference calls for. `NOTE`: it is explained. `OPEN`: look again. `WRONG`: look
    again, and open nothing new if it stays, because exposure may be other than counted.
    """

    NOTE = 0
    OPEN = 1
    WRONG = 2


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference. *key*: what differs, the same from reading to reading."""

    key: str
    weight: Weight
    sentence: str


@dataclass(frozen=True, slots=True)
class Change:
    """What one execution did to a quantity that is compared. *at_ns*: by the venue's clock."""

    name: str
    amount: Decimal
    at_ns: int


@dataclass(frozen=True, slots=True)
class Held:
    """A quantity of ours: a position by its symbol, or a coin. *tolerance*: for rounding."""

    name: str
    what: str
    now: Decimal
    tolerance: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class OurOrder:
    """An order as our books have it. *is_quarantined*: nobody could tell what became of it."""

    order_id: str
    symbol: str
    status: str
    filled: Decimal
    created_ns: int
    updated_ns: int
    has_venue_id: bool = True
    is_quarantined: bool = False


def later(changes: Iterable[Change], since_ns: int) -> list[Change]:
    """Those that a reading begun at *since_ns* may or may not show."""
    return [each for each in changes if each.at_ns >= since_ns - SLACK_NS]


def compare_held(
    held: Iterable[Held], venue: Mapping[str, Decimal], changes: Sequence[Change], since_ns: int
) -> Iterator[Difference]:
    """Quantities of ours beside the venue's. *changes*: what executions did, in the order in which
    they were executed; *since_ns*: when the reading began. One that the venue does not list is 0.
    """
    for ours in held:
        theirs = venue.get(ours.name, ZERO)
        late = [each for each in later(changes, since_ns) if each.name == ours.name]
        then = ours.now
        if abs(theirs - then) <= ours.tolerance:
            continue
        for count, change in enumerate(reversed(late), 1):
            then -= change.amount
            if abs(theirs - then) <= ours.tolerance:
                yield Difference(
                    ours.name,
                    Weight.NOTE,
                    f"{ours.what}: {count} executions are newer than the reading",
                )
                break
        else:
            yield Difference(
                ours.name,
                Weight.WRONG,
                f"{ours.what}: the venue has {theirs:f}, our fills explain {ours.now:f}; "
                f"{theirs - ours.now:+f} is unexplained",
            )


def compare_orders(
    listed: Iterable[OpenOrder], ours: Mapping[str, OurOrder], since_ns: int
) -> Iterator[Difference]:
    """Open orders both ways. *ours*: every open one, and those that the venue lists."""
    shown = set()
    for order in listed:
        shown.add(order.client_order_id)
        known = ours.get(order.client_order_id)
        yield from _stranger(order) if known is None else _listed(order, known, since_ns)
    for known in ours.values():
        if known.order_id not in shown and known.status in _OPEN:
            yield from _unlisted(known, since_ns)


def _stranger(order: OpenOrder) -> Iterator[Difference]:
    name = order.client_order_id or order.exchange_order_id
    sentence = f"order {name}: {order.size - order.filled:f} {order.symbol} are open at the venue"
    if _is_ours(order.client_order_id):
        text = f"{sentence} under an id of HEAN's form that this journal does not know"
        yield Difference(f"order {name}", Weight.OPEN, text)
    else:
        yield Difference(f"order {name}", Weight.NOTE, f"{sentence}: somebody's own, left alone")


def _listed(order: OpenOrder, known: OurOrder, since_ns: int) -> Iterator[Difference]:
    key = f"order {known.order_id}"
    if known.status not in _OPEN:
        if known.updated_ns < since_ns - SLACK_NS:
            sentence = f"{key}: the venue lists it as open, here it is {known.status}"
            yield Difference(key, Weight.WRONG, sentence)
    elif order.filled > known.filled:
        sentence = f"{key}: filled {order.filled:f} at the venue, {known.filled:f} here"
        yield Difference(key, Weight.OPEN, sentence)


def _unlisted(known: OurOrder, since_ns: int) -> Iterator[Difference]:
    key = f"order {known.order_id}"
    if known.status in _UNDECIDED or known.is_quarantined:
        word = "in quarantine" if known.status != "UNKNOWN" or known.is_quarantined else "unknown"
        sentence = f"{key}: {word}, looked for and counted in full"
        yield Difference(key, Weight.NOTE, sentence)
    elif known.status in _AT_VENUE and known.has_venue_id:
        if known.updated_ns < since_ns - SLACK_NS:
            sentence = f"{key}: {known.status} here, the venue does not list it"
            yield Difference(key, Weight.OPEN, sentence)
    elif known.status == "SENT" and known.created_ns < since_ns - YOUNG_NS:
        sentence = f"{key}: sent, without an answer, and the venue does not list it"
        yield Difference(key, Weight.OPEN, sentence)


def compare_strangers(read: AccountRead, symbols: Iterable[str]) -> Iterator[Difference]:
    """Positions in symbols that are not traded here: somebody's own."""
    ours = frozenset(symbols)
    for symbol, quantity in read.positions:
        if symbol not in ours and quantity:
            sentence = f"position {symbol}: {quantity:f} at the venue, not traded here, left alone"
            yield Difference(f"position {symbol}", Weight.NOTE, sentence)
