# SPDX-License-Identifier: Apache-2.0
"""`schema.py`: the tables that journals are projected into, for SQLite and PostgreSQL alike, how
they came to be, and what makes a row the same row everywhere. Money is a decimal without exponent,
a time is UTC text to the millisecond, `seq` is the row of the journal that says it.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

Row = tuple[Any, ...]
JOURNALS = "journals"
DIGEST_MODULUS = 1 << 256


class Kind(StrEnum):
    """Of a column."""

    TEXT = "text"
    WHOLE = "whole"
    REAL = "real"
    MONEY = "money"


@dataclass(frozen=True)
class Table:
    """*columns*: without `journal`, which every table has first; *keys*: what a row is found by,
    beside it.
    """

    columns: dict[str, Kind]
    keys: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """All columns, `journal` first."""
        return ("journal", *self.columns)

    def key(self, row: Row) -> Row:
        """What a row without `journal` is found by."""
        names = tuple(self.columns)
        return tuple(row[names.index(name)] for name in self.keys)

    def same(self, row: Sequence[Any]) -> Row:
        """A row without `journal` as both databases keep it."""
        kinds = self.columns.values()
        return tuple([_SAME[kind](each) for kind, each in zip(kinds, row, strict=True)])


def _table(keys: str, columns: str) -> Table:
    """*columns*: names, each with its kind behind a colon where it is no text."""
    pairs = (column.partition(":") for column in columns.split())
    return Table({name: Kind(kind or "text") for name, _, kind in pairs}, tuple(keys.split()))


TABLES = {
    "orders": _table(
        "order_id",
        "order_id seq:whole approved_at strategy symbol side type size:money price:money "
        "reduce_only:whole parent_id arrival:real filled_qty:money avg_price:money fee:money "
        "status reason",
    ),
    "fills": _table(
        "seq",
        "seq:whole ts exec_id order_id strategy symbol side qty:money price:money value:money "
        "fee:money fee_asset liquidity arrival:real slippage_bps:real slippage_cost:money "
        "realized:money net:money",
    ),
    "funding": _table(
        "seq strategy",
        "seq:whole ts strategy symbol rate:real mark_price:real qty:money received:money exec_id",
    ),
    "pnl": _table(
        "hour strategy symbol",
        "hour strategy symbol realized:money fees:money funding:money net:money "
        "slippage_cost:money fills:whole volume:money",
    ),
    "positions": _table(
        "strategy symbol",
        "strategy symbol qty:money avg_price:money last_price:real unrealized:money",
    ),
    "equity": _table(
        "seq",
        "seq:whole ts realized:money fees:money funding:money unrealized:money equity:money",
    ),
    "latency": _table("seq", "seq:whole order_id strategy symbol stage ts ms:real"),
    "refusals": _table("seq", "seq:whole ts order_id strategy symbol source code:whole reason"),
}
"""What is traded. Money is in quote currency, but for `fills.fee`, which is in `fee_asset`; a
received amount is negative where it was paid."""

JOURNAL = _table("", "kind venue market role account first_ts last_ts seq:whole head")
"""Whose a journal is, and the number and hash of its last row that is in the tables."""
ALL = {**TABLES, JOURNALS: JOURNAL}


# ---------------------------------------------------------------- how they came to be

TYPES = {
    "sqlite": {Kind.TEXT: "TEXT", Kind.WHOLE: "INTEGER", Kind.REAL: "REAL", Kind.MONEY: "TEXT"},
    "postgresql": {
        Kind.TEXT: "TEXT", Kind.WHOLE: "BIGINT", Kind.REAL: "DOUBLE PRECISION",
        Kind.MONEY: "NUMERIC",
    },
}  # fmt: skip


def migrations(dialect: str) -> list[list[str]]:
    """Statements that lead from one version to the next, the first from nothing. A migration that
    needs rows made anew deletes those of `journals`: then every journal is read from its first.
    """
    return [_first(dialect), _INDEXES]


def _first(dialect: str) -> list[str]:
    types = TYPES[dialect]
    statements = []
    for name, table in ALL.items():
        columns = [f"{column} {types[kind]}" for column, kind in table.columns.items()]
        key = ", ".join(("journal", *table.keys))
        body = ", ".join(["journal TEXT NOT NULL", *columns, f"PRIMARY KEY ({key})"])
        statements.append(f"CREATE TABLE {name} ({body})")
    return statements


_INDEXES = [
    "CREATE INDEX orders_status ON orders (status)",
    "CREATE INDEX fills_order ON fills (journal, order_id)",
    "CREATE INDEX fills_ts ON fills (ts)",
]


def upsert(name: str, mark: str) -> str:
    """Put a row in its place. *mark*: what stands for a value."""
    table = ALL[name]
    keys = ("journal", *table.keys)
    rest = [column for column in table.names if column not in keys]
    sets = ", ".join(f"{column} = excluded.{column}" for column in rest)
    marks = ", ".join([mark] * len(table.names))
    return (
        f"INSERT INTO {name} ({', '.join(table.names)}) VALUES ({marks}) "  # ours
        f"ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {sets}"
    )


# ---------------------------------------------------------------- the same row everywhere


def _money(value: Any) -> str | None:
    if value is None:
        return None
    number = value if isinstance(value, Decimal) else Decimal(str(value))
    return f"{number or abs(number):f}"  # no minus before a zero


def _real(value: Any) -> float | None:
    if value is None or math.isnan(value):
        return None
    return float(value)


def _text(value: Any) -> str | None:
    return None if value is None else str(value).replace("\0", "\N{REPLACEMENT CHARACTER}")


def _whole(value: Any) -> int | None:
    return None if value is None else int(value)


_SAME: dict[Kind, Callable[[Any], Any]] = {
    Kind.TEXT: _text,
    Kind.WHOLE: _whole,
    Kind.REAL: _real,
    Kind.MONEY: _money,
}


def row_digest(journal: str, row: Row) -> int:
    """Of a row as both databases keep it."""
    words = ["" if each is None else f"{len(str(each))}:{each}" for each in (journal, *row)]
    return int.from_bytes(hashlib.sha256("|".join(words).encode()).digest(), "big")


def digest_text(digests: Iterable[int]) -> str:
    """Of many rows, in whatever order, as hex."""
    return f"{sum(digests) % DIGEST_MODULUS:064x}"
