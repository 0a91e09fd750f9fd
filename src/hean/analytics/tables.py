# SPDX-License-Identifier: Apache-2.0
"""`tables.py`: a journal as tables to be looked at: those of `hean.store`, their money shown as
floats, with what is held and the rows of the journal themselves. It only reads.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from hean.core.journal import Record, open_journal
from hean.paper_journal import MARKET
from hean.store.fold import STAGES, Fold, time_of
from hean.store.schema import TABLES, Row

EVENTS_MAX = 50_000  # rows that can be asked about; the newest
PAYLOAD_LENGTH_MAX = 2_000

COLUMNS = {
    "orders": (
        *("order_id", "approved_at", "strategy", "symbol", "side", "type", "size", "price"),
        *("reduce_only", "parent_id", "arrival", "filled_qty", "avg_price", "fee", "status"),
        "reason",
    ),
    "fills": (
        *("ts", "exec_id", "order_id", "strategy", "symbol", "side", "qty", "price", "value"),
        *("fee", "fee_asset", "liquidity", "arrival", "slippage_bps", "slippage_cost", "realized"),
        "net",
    ),
    "funding": ("ts", "strategy", "symbol", "rate", "mark_price", "qty", "received"),
    "pnl": (
        *("hour", "strategy", "symbol", "realized", "fees", "funding", "net", "slippage_cost"),
        *("fills", "volume"),
    ),
    "positions": ("strategy", "symbol", "qty", "avg_price", "last_price", "unrealized"),
    "latency": ("order_id", "strategy", "symbol", "stage", "ts", "ms"),
    "refusals": ("ts", "order_id", "strategy", "symbol", "source", "code", "reason"),
    "events": ("seq", "ts", "kind", "payload"),
}
"""Every table there is. Times are UTC text, money is in quote currency, a received amount is
negative where it was paid.
"""
__all__ = ["COLUMNS", "STAGES", "Tables", "read_tables"]


@dataclass(slots=True)
class Tables:
    """*origin*: which journal, and whose; *rows*: by table, in the order of `COLUMNS`."""

    origin: dict[str, Any]
    rows: dict[str, list[tuple[Any, ...]]]


def read_tables(path: Path) -> Tables:
    """The tables of the journal at *path*, which may be written meanwhile.

    *Raises*: `JournalDamaged`.
    """
    journal = open_journal(path)
    fold = Fold(journal.meta)
    events: deque[Record] = deque(maxlen=EVENTS_MAX)
    try:
        for record in journal.records():
            fold.apply(record)
            if record.kind != MARKET:
                events.append(record)
    finally:
        journal.close()
    origin = {
        "journal": path.name,
        "kind": fold.kind,
        "source": fold.source,
        **{name: word for name, word in fold.whose.words().items() if word},
        "rows": fold.count,
        "first": time_of(fold.first_ns),
        "last": time_of(fold.last_ns),
    }
    return Tables(origin, _shown(fold.changed(), events))


def _shown(found: dict[str, list[Row]], events: Iterable[Record]) -> dict[str, list[Row]]:
    """As people look at them: the hours in order, and of positions those that are open."""
    found["pnl"].sort(key=lambda row: row[:3])
    found["positions"] = sorted([row for row in found["positions"] if row[2]])
    rows: dict[str, list[Row]] = {}
    for name, columns in COLUMNS.items():
        if name in TABLES:
            names = list(TABLES[name].columns)
            places = [names.index(column) for column in columns]
            rows[name] = [tuple(_float(row[place]) for place in places) for row in found[name]]
    rows["events"] = [
        (record.seq, time_of(record.ts_ns), record.kind, _payload(record)) for record in events
    ]
    return rows


def _float(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    return int(value) if isinstance(value, bool) else value


def _payload(record: Record) -> str:
    """A row's content as JSON, cut where it is long; empty for what is no map."""
    try:
        found = msgspec.msgpack.decode(record.payload) if record.payload else {}
        text = msgspec.json.encode(found).decode()
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError):
        return ""  # such as the hash of a state
    return text if len(text) <= PAYLOAD_LENGTH_MAX else ""
