# SPDX-License-Identifier: Apache-2.0
"""Two ledgers side by side: what the twin says happened, and what the journal of the processes that
were killed says. Every sentence of `problems` is an order or a fill that was lost, doubled or
changed. The journal is read by the project's own recovery, and its rows a second time by hand.
"""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from crash.live_process import SYMBOLS, Place
from hean.core.journal import Record, open_journal
from hean.core.types import AmendApproved, OrderApproved, OrderFilled, OrderType
from hean.live.recovery import Books, fold
from hean.live.rows import SENT, START, Sent, Start, row_of

OPEN = frozenset({"INTENT", "SENT", "WORKING", "PARTIAL", "UNKNOWN", "QUARANTINE"})
UNIT = Decimal("0.00000001")
UNRESOLVED = frozenset({"INTENT", "SENT", "UNKNOWN", "QUARANTINE"})
_is_ours = re.compile(r"h[0-9a-z]{1,13}-[0-9a-z]{4}-[0-9a-z]{1,13}").fullmatch


@dataclass
class Rows:
    """The journal by hand. *sent*: how often each order was about to leave; *epochs*: of lives."""

    sent: Counter[str] = field(default_factory=Counter)
    approved: dict[str, list[OrderApproved]] = field(default_factory=dict)
    amends: dict[str, list[AmendApproved]] = field(default_factory=dict)
    amends_sent: Counter[str] = field(default_factory=Counter)
    changed: int = 0
    fills: list[OrderFilled] = field(default_factory=list)
    epochs: list[int] = field(default_factory=list)
    kills: list[str] = field(default_factory=list)
    absent: int = 0
    unknown: set[str] = field(default_factory=set)
    quarantined: int = 0
    count: int = 0

    def take(self, record: Record) -> None:
        """One row."""
        self.count += 1
        match record.kind:
            case "SENT":
                sent = row_of(record, Sent)
                self.sent[sent.order_id] += sent.verb == "submit"
                self.amends_sent[sent.order_id] += sent.verb == "amend"
            case "START":
                self.epochs.append(row_of(record, Start).epoch)
            case "ORDER_APPROVED":
                approved: Any = record.fact()
                self.approved.setdefault(approved.order_id, []).append(approved)
            case "AMEND_APPROVED":
                amend: Any = record.fact()
                self.amends.setdefault(amend.order_id, []).append(amend)
            case "ORDER_AMENDED":
                self.changed += 1
            case "ORDER_FILLED":
                self.fills.append(record.fact())  # type: ignore[arg-type]  # by its kind
            case "KILLSWITCH_TRIGGERED":
                fact: Any = record.fact()
                self.kills.append(f"{fact.level} by {fact.actor}: {fact.reason}")
            case "ORDER_ABSENT":
                self.absent += 1
            case "ORDER_QUARANTINED":
                self.quarantined += 1
            case "ORDER_UNKNOWN":
                unknown: Any = record.fact()
                self.unknown.add(unknown.order_id)


assert (SENT, START) == ("SENT", "START")  # as matched above


class Reading:
    """A journal that is read on from where the last look ended."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.rows = Rows()
        self.books: Books | None = None
        self._seq = 0

    def look(self) -> Books | None:
        """Take what is new; nobody may write meanwhile. *Raises*: `FatalError`."""
        if self.books is None and not _has_begun(self.place):
            return None
        for record in records_of(self.place, self._seq):
            if self.books is None:
                self.books = Books(row_of(record, Start))
            self.books.apply(record)
            self.rows.take(record)
            self._seq = record.seq
        return self.books

    def unresolved(self) -> dict[str, str]:
        """Orders of which nobody knows what became of them, with their symbols."""
        orders = self.books.engine.open_orders() if self.books is not None else []
        return {
            str(order["client_order_id"]): str(order["symbol"])
            for order in orders
            if order["status"] in UNRESOLVED
        }


def _has_begun(place: Place) -> bool:
    """Whether there is more than the file: the first process may have died while it made it."""
    if not place.journal.exists():
        return False
    with closing(sqlite3.connect(place.journal)) as database:
        rows = database.execute("SELECT count(*) FROM sqlite_master WHERE name = 'header'")
        return bool(rows.fetchone()[0] and database.execute("SELECT 1 FROM header").fetchone())


def records_of(place: Place, after_seq: int = 0) -> Iterator[Record]:
    """The rows of a journal that nobody writes; all of it is checked."""
    journal = open_journal(place.journal)
    try:
        yield from journal.records(after_seq)
    finally:
        journal.close()


def hash_of(place: Place) -> str:
    """Of the books that the journal gives, folded from its first row."""
    books = fold(records_of(place))
    assert books is not None
    return books.hash()


def ledger_of(place: Place) -> list[dict[str, Any]]:
    """What the twin did for this account on this market."""
    return [
        row
        for row in place.twin.control.ledger()
        if row.get("account") == place.account.name and row.get("market") == place.market
    ]


def problems(place: Place, reading: Reading) -> list[str]:
    """Everything that is not as it must be; the process is dead and everything has come to rest."""
    books = reading.look()
    if books is None:
        return ["there is no journal"]
    rows, ledger = reading.rows, ledger_of(place)
    return [
        *_orders(rows, ledger),
        *_amended(rows, ledger),
        *_fills(rows, ledger),
        *_rest(place, books, ledger),
        *(f"{order_id} is not resolved" for order_id in reading.unresolved()),
        *(f"the kill switch fell: {kill}" for kill in rows.kills),
        *_epochs(rows),
    ]


def _epochs(rows: Rows) -> Iterator[str]:
    if rows.epochs != sorted(set(rows.epochs)):
        yield f"epochs do not grow: {rows.epochs}"


def _orders(rows: Rows, ledger: list[dict[str, Any]]) -> Iterator[str]:
    created = [row for row in ledger if row["kind"] == "new"]
    counts = Counter(row["client_order_id"] for row in created)
    yield from (f"{name} was created {count} times" for name, count in counts.items() if count > 1)
    yield from (f"{name} left {count} times" for name, count in rows.sent.items() if count > 1)
    for row in created:
        name = row["client_order_id"]
        if not _is_ours(name or ""):
            yield f"a stranger's order: {row}"
            continue
        approvals = rows.approved.get(name, [])
        if len(approvals) != 1:
            yield f"{name} was approved {len(approvals)} times"
        elif difference := _difference(row, approvals[0]):
            yield f"{name} differs from what was approved: {difference}"
        if rows.sent[name] != 1:
            yield f"{name} is at the venue and left {rows.sent[name]} times by the journal"


def _amended(rows: Rows, ledger: list[dict[str, Any]]) -> Iterator[str]:
    changed = [row for row in ledger if row["kind"] == "amended"]
    for row in changed:
        name = row["client_order_id"]
        is_cut = name in rows.approved and rows.approved[name][0].reduce_only
        terms = (Decimal(row["price"]), Decimal(row["qty"]))
        if not is_cut and terms not in [(each.price, each.size) for each in rows.amends[name]]:
            yield f"{name} has terms that nobody approved: {row}"
    for name, count in rows.amends_sent.items():
        if count > len(rows.amends.get(name, ())):
            yield f"{name} was changed {count} times, approved were {len(rows.amends[name])}"


def _difference(row: dict[str, Any], approved: OrderApproved) -> str:
    size = Decimal(row["qty"])
    is_cut = approved.reduce_only and size < approved.size  # the venue cuts it to what there is
    price = approved.price if approved.type is OrderType.LIMIT else None
    found = {
        "symbol": (row["symbol"], approved.symbol),
        "side": (row["side"], approved.side.value),
        "size": (size, size if is_cut else approved.size),
    }
    if price is not None:
        found["price"] = (Decimal(row["price"]), price)
    return ", ".join(
        f"{name} {theirs} for {ours}" for name, (theirs, ours) in found.items() if theirs != ours
    )


def _fills(rows: Rows, ledger: list[dict[str, Any]]) -> Iterator[str]:
    ids = Counter(fill.exec_id for fill in rows.fills)
    yield from (f"execution {name} was told {n} times" for name, n in ids.items() if n > 1)
    theirs = Counter(
        (row["client_order_id"], Decimal(row["qty"]), Decimal(row["price"]), _counted(row["fee"]))
        for row in ledger
        if row["kind"] == "trade"
    )
    ours = Counter(
        (fill.order_id, fill.filled_qty, fill.fill_price, _counted(fill.fee))
        for fill in rows.fills
        if not fill.is_kept  # a fee in coins, told as a fact of its own
    )
    yield from (f"a fill of the venue is missing: {each}" for each in (theirs - ours).elements())
    yield from (f"a fill the venue does not know: {each}" for each in (ours - theirs).elements())


def _counted(fee: Decimal | str) -> Decimal:
    """As far as HEAN counts: in units of 1e-8."""
    return Decimal(fee).quantize(UNIT, ROUND_HALF_EVEN)


def _rest(place: Place, books: Books, ledger: list[dict[str, Any]]) -> Iterator[str]:
    account = place.twin.control.account(place.account.name)
    theirs_open = {
        order["client_order_id"]
        for order in account["open_orders"]
        if order["market"] == place.market
    }
    ours_open = {str(order["client_order_id"]) for order in books.engine.open_orders()}
    yield from (f"{name} is open at the venue alone" for name in theirs_open - ours_open)
    yield from (f"{name} is open here alone" for name in ours_open - theirs_open)
    for symbol in SYMBOLS:
        if place.market == "linear":
            sizes = (row["size"] for row in account["positions"] if row["symbol"] == symbol)
            theirs = sum(map(Decimal, sizes), Decimal(0))
        else:
            theirs = _left(ledger, symbol)
        yield from _held(books, theirs, symbol)


def _left(ledger: list[dict[str, Any]], symbol: str) -> Decimal:
    """What trading left of a coin, less the fees that were taken of it."""
    left = Decimal(0)
    for row in ledger:
        if row["kind"] == "trade" and row["symbol"] == symbol:
            left += Decimal(row["qty"]) if row["side"] == "BUY" else -Decimal(row["qty"])
            if symbol.startswith(row["fee_asset"]):
                left -= Decimal(row["fee"])
    return left


def _held(books: Books, theirs: Decimal, symbol: str) -> Iterator[str]:
    ours = books.engine.position(symbol)
    lot = books.instruments[symbol].quantity_decimal(1)
    if not 0 <= theirs - ours < lot:  # less than a lot of a coin cannot be sold
        yield f"position {symbol}: {theirs} at the venue, {ours} here"
    held = books.positions.get("mover", {}).get(symbol, Decimal(0))
    if held != ours:
        yield f"{symbol}: the strategy holds {held}, the account {ours}"
