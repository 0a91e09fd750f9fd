# SPDX-License-Identifier: Apache-2.0
"""What must be true of recorded columns: finite numbers in range, candles that bound themselves,
one proven time unit, rising time on the bar grid, no contradicting duplicates. Every rule is a
vectorised comparison; only rows that fail are looked at one by one. Gaps are counted, never filled.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from hean.data.problems import Problem, Problems
from hean.data.schema import COLUMNS, SECOND_NS, TIMEFRAMES_S, Kind, timeframe_name
from hean.data.table import NO_SIDE, Table

Rows = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

GAPS_SHOWN = 50
EARLIEST_S = 1_230_768_000  # 2009-01-01: nothing that HEAN reads traded before.
FUNDING_JITTER_NS = SECOND_NS  # venues stamp settlements up to 47 ms late; recorded, then snapped
UNITS: Final[dict[str, int]] = {"s": SECOND_NS, "ms": 1_000_000, "us": 1_000, "ns": 1}
# 1e11 seconds lie in the year 5138 and 1e11 milliseconds in 1973: magnitudes cannot be confused.
_UNIT_LIMITS = np.array([10**11, 10**14, 10**17], dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Gap:
    """Missing bars (or trade ids) between two rows."""

    after_ns: int
    before_ns: int
    missing: int


@dataclass(frozen=True, slots=True)
class Gaps:
    """How many holes there are, how much is missing in all, and the first fifty holes."""

    count: int = 0
    missing: int = 0
    first: tuple[Gap, ...] = ()


def check_values(table: Table, problems: Problems) -> None:
    """Mark rows with a number out of range, an unknown side or a candle that is no candle."""
    for name, rule in COLUMNS[table.kind].items():
        column = table.values[name]
        if name == "side":
            wrong = column == NO_SIDE
            _mark(table, problems, wrong, "unknown side", name, expected="buy or sell", hide=True)
        elif name == "id":
            _mark(table, problems, column < 0, "negative id", name, expected="0 or more")
        elif rule is not None:
            low = column > rule.low if rule.open_low else column >= rule.low
            suspect = ~(low & (column <= rule.high))
            if suspect.any():
                finite = np.isfinite(column)
                _mark(
                    table, problems, suspect & ~finite, "not finite", name, expected=rule.expected
                )
                _mark(
                    table, problems, suspect & finite, "out of range", name, expected=rule.expected
                )
    if table.kind is Kind.CANDLES:
        _check_bounds(table, problems)


def _check_bounds(table: Table, problems: Problems) -> None:
    values = table.values
    high, low = values["high"], values["low"]
    inverted = high < low
    _mark(table, problems, inverted, "high below low", "high", expected=lambda r: f">= {low[r]}")
    for name in ("open", "close"):
        price = values[name]
        outside = ((price > high) | (price < low)) & ~inverted
        _mark(
            table,
            problems,
            outside,
            f"{name} outside low .. high",
            name,
            expected=lambda r: f"{low[r]} .. {high[r]}",
        )


def _mark(
    table: Table,
    problems: Problems,
    wrong: Flags,
    what: str,
    column: str,
    *,
    expected: str | Callable[[int], str] = "",
    hide: bool = False,
) -> None:
    """Report rows that were still good and mark them bad."""
    wrong = wrong & ~table.bad if table.bad.any() else wrong
    rows = np.flatnonzero(wrong)
    if not rows.size:
        return
    values = table.ts if column == "ts" else table.values[column]
    said = expected if isinstance(expected, str) else expected(int(rows[0]))
    problems.add_rows(
        rows,
        what,
        column=column,
        got=(lambda _: "") if hide else (lambda row: values[row]),
        expected=said,
        lines=table.lines,
    )
    table.bad |= wrong


def prove_unit(table: Table, problems: Problems, *, now_ns: int) -> str:
    """The one unit of all time stamps, by magnitude; other units make the file unreadable."""
    ts = table.ts
    rows = np.flatnonzero(~table.bad) if table.bad.any() else None
    good = ts if rows is None else ts[rows]
    if not good.size:
        return "ns"
    names = list(UNITS)
    low, high = int(good.min()), int(good.max())
    if low > 0 and _unit_index(low) == _unit_index(high):
        main = _unit_index(low)
    else:
        index = np.searchsorted(_UNIT_LIMITS, np.abs(good), side="right")
        main = int(np.bincount(index, minlength=4).argmax())
        mixed = ~table.bad & (np.searchsorted(_UNIT_LIMITS, np.abs(ts), side="right") != main)
        stray = mixed & (ts > 0)
        if stray.any():
            problems.fatal = True
            _mark(table, problems, stray, "mixed time units", "ts", expected=names[main])
    unit = names[main]
    step = UNITS[unit]
    early = ts < EARLIEST_S * SECOND_NS // step
    _mark(table, problems, early, "time before 2009", "ts", expected=f"epoch in {unit}, UTC")
    late = ts > now_ns // step
    _mark(table, problems, late, "time in the future", "ts", expected=f"epoch in {unit}, UTC")
    return unit


def _unit_index(stamp: int) -> int:
    return int(np.searchsorted(_UNIT_LIMITS, stamp, side="right"))


def check_symbol(table: Table, problems: Problems, symbol: str) -> None:
    """Every row of a symbol column must name the file's symbol."""
    if table.symbols is None or list(table.symbols) == [symbol]:
        return
    names = table.symbols if len(table.symbols) > 1 else [table.symbols[0]] * table.ts.size
    wrong = np.array([name != symbol for name in names], dtype=np.bool_) & ~table.bad
    problems.add_rows(
        np.flatnonzero(wrong),
        "wrong symbol inside",
        column="symbol",
        got=lambda row: names[row],
        expected=symbol,
        lines=table.lines,
    )
    table.bad |= wrong


def check_order(table: Table, problems: Problems) -> None:
    """Mark rows whose time lies before an earlier row's."""
    ts = table.ts
    back = ts[1:] < ts[:-1]
    if not back.any():
        return
    latest = np.maximum.accumulate(np.where(table.bad, np.iinfo(np.int64).min, ts))
    _mark(table, problems, ts < latest, "not sorted by time", "ts", expected="rising time")


def check_duplicates(table: Table, problems: Problems) -> Rows:
    """Rows that repeat an earlier one exactly (to be left out and reported). Rows that share a key
    but differ are all marked: nobody can say which is right.
    """
    name = "id" if table.kind is Kind.TRADES else "ts"
    key = table.values["id"] if name == "id" else table.ts
    good = np.flatnonzero(~table.bad)
    sorted_key = key[good]
    if bool((sorted_key[1:] > sorted_key[:-1]).all()):
        return np.empty(0, dtype=np.int64)
    good = good[np.argsort(sorted_key, kind="stable")]
    same_key = key[good[1:]] == key[good[:-1]]
    later, earlier = good[1:][same_key], good[:-1][same_key]
    equal = table.ts[later] == table.ts[earlier]
    for column in table.values.values():
        equal &= column[later] == column[earlier]
    torn = np.zeros(table.ts.size, dtype=np.bool_)
    torn[np.flatnonzero(np.isin(key, key[later[~equal]]))] = True
    _mark(table, problems, torn, f"same {name}, different values", name, expected="one row each")
    return np.sort(later[~torn[later]])


def find_step(ts_ns: Rows, stated: str | None, problems: Problems) -> int:
    """The bar length in ns, proven by the content: the greatest common step of all rows."""
    if ts_ns.size < 2:
        if stated is None:
            problems.add(
                Problem("one row proves no timeframe", expected="--timeframe or more rows"),
                fatal=True,
            )
            return SECOND_NS
        return TIMEFRAMES_S[stated] * SECOND_NS
    steps = np.diff(ts_ns)
    if stated is not None:
        step = TIMEFRAMES_S[stated] * SECOND_NS
        smallest = int(steps.min())
        content = step if smallest == step else int(np.gcd.reduce(steps))
        larger = timeframe_name(content)
        if content > step and content % step == 0 and larger is not None:
            problems.add(
                Problem("timeframe contradicts the content", got=larger, expected=stated),
                fatal=True,
            )
        return step
    smallest = int(steps.min())
    if timeframe_name(smallest) is None:
        problems.add(
            Problem(
                "no known timeframe fits the steps",
                column="ts",
                got=f"smallest step {smallest / SECOND_NS:g} s",
                expected=", ".join(TIMEFRAMES_S),
            ),
            fatal=True,
        )
    return smallest


def check_grid(
    table: Table, ts_ns: Rows, rows: Rows, problems: Problems, *, step_ns: int
) -> tuple[Rows, list[str]]:
    """Mark rows off the bar grid. Settlements within a second of it are moved onto it, and said."""
    notes: list[str] = []
    if table.kind is Kind.FUNDING:
        snapped = (ts_ns + step_ns // 2) // step_ns * step_ns
        jitter = np.abs(ts_ns - snapped)
        moved = (jitter > 0) & (jitter <= FUNDING_JITTER_NS)
        if moved.any():
            worst = int(jitter[moved].max()) / 1e6
            notes.append(f"{int(moved.sum())} settlement times moved by up to {worst:g} ms")
            ts_ns = np.where(moved, snapped, ts_ns)
    off = np.flatnonzero(ts_ns % step_ns != 0)
    if off.size:
        flags = np.zeros(table.ts.size, dtype=np.bool_)
        flags[rows[off]] = True
        name = timeframe_name(step_ns) or f"{step_ns} ns"
        _mark(
            table,
            problems,
            flags,
            "off the bar grid",
            "ts",
            expected=f"open times on multiples of {name} UTC (local time?)",
        )
    return ts_ns, notes


def find_gaps(key: Rows, ts_ns: Rows, step: int) -> Gaps:
    """Holes in a rising key: bar times with their step, or trade ids with step 1."""
    if key.size < 2:
        return Gaps()
    missing = np.diff(key) // step - 1
    holes = np.flatnonzero(missing > 0)
    first = tuple(
        Gap(int(ts_ns[i]), int(ts_ns[i + 1]), int(missing[i])) for i in holes[:GAPS_SHOWN].tolist()
    )
    return Gaps(int(holes.size), int(missing[holes].sum()), first)
