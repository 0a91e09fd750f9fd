# SPDX-License-Identifier: Apache-2.0
"""What a file reader hands to the checks: columns as numpy arrays, still in the file's own time
unit, with the rows that could not be read at all already marked. Here a header is matched with the
kinds HEAN knows, for CSV and Parquet alike.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hean.data.problems import Problem, Problems, shown
from hean.data.schema import ALIASES, Kind, columns_of

SYMBOL_COLUMN = "symbol"
COLUMNS_MAX = 64
ROWS_MAX = 50_000_000
NO_SIDE = 255
_LIKENESS_MIN = 0.3  # below it, the nearest kind would only mislead the reader


@dataclass(slots=True)
class Table:
    """Columns of one file. `lines` maps rows to lines of a text file; `bad` marks unreadable rows;
    `symbols` holds the texts of an optional symbol column.
    """

    kind: Kind
    ts: npt.NDArray[np.int64]
    values: dict[str, npt.NDArray[Any]]
    bad: npt.NDArray[np.bool_]
    lines: npt.NDArray[np.int64] | None = None
    symbols: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class Header:
    """A matched header: the kind and, for each column in file order, its canonical name."""

    kind: Kind
    names: tuple[str, ...]


def match_header(
    names: Sequence[str], stated: Kind | None, problems: Problems, *, line: int | None = None
) -> Header:
    """Find the kind whose columns these are; missing, doubled and unknown columns are refused."""
    if len(names) > COLUMNS_MAX:
        problems.add(Problem("too many columns", got=str(len(names)), expected=f"<= {COLUMNS_MAX}"))
        problems.refuse()
    canonical = tuple(ALIASES.get(name, name) for name in names)
    present = set(canonical) - {SYMBOL_COLUMN}
    kinds = [kind for kind in Kind if kind is not Kind.BOOK]
    kind = stated or max(kinds, key=lambda k: _likeness(present, k))
    if stated is None and _likeness(present, kind) < _LIKENESS_MIN:
        expected = "; ".join(f"{k}: {_list(columns_of(k))}" for k in kinds)
        problems.add(
            Problem(
                "columns of no known kind", line=line, got=shown(_list(names)), expected=expected
            )
        )
        problems.refuse()
    known = columns_of(kind)
    for name in known:
        if name not in present:
            problems.add(
                Problem(f"missing column of {kind}", line=line, column=name, expected=_list(known)),
                fatal=True,
            )
    for name in dict.fromkeys(canonical):
        if canonical.count(name) > 1:
            problems.add(Problem("duplicate column", line=line, column=shown(name)), fatal=True)
        if name not in known and name != SYMBOL_COLUMN:
            close = difflib.get_close_matches(name.strip().lower(), known, 1)
            hint = f"{close[0]}" if close else _list(known)
            problems.add(
                Problem(f"unknown column for {kind}", line=line, column=shown(name), expected=hint),
                fatal=True,
            )
    if problems.fatal:
        problems.refuse()
    return Header(kind, canonical)


def _likeness(present: set[str], kind: Kind) -> float:
    """Shared columns over all columns of both sides."""
    known = set(columns_of(kind))
    return len(present & known) / len(present | known)


def _list(names: Sequence[str]) -> str:
    return ", ".join(names)
