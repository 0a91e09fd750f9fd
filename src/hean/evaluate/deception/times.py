# SPDX-License-Identifier: Apache-2.0
"""`times.py`: only the market's own time counts. Of two facts of one moment neither is the first; a
row told twice or out of its turn is no news; and what a clock on the wall says, in which country it
hangs and how it leaps, must change no decision.
"""

from __future__ import annotations

import datetime
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from itertools import cycle
from typing import Any

import msgspec
import polars as pl

from hean.data.fingerprint import iso_utc
from hean.errors import DataInvalid
from hean.evaluate.deception.findings import Bench, Finding, Verdict
from hean.evaluate.deception.plays import Play, source_of
from hean.evaluate.deception.watching import line_of

ZONES = ("UTC0", "EST5EDT,M3.2.0,M11.1.0", "<+1245>-12:45<+1345>,M9.5.0,M4.1.0")
"""No summer time, New York and the Chatham Islands, as POSIX writes them: no table is needed."""
LEAP_S = 86_400.0 * 400
REPEATED, LATE = 50, 3  # rows: each so many is told twice; one comes so many too late


def time_of(bench: Bench) -> Finding:
    """All of it, up to the first that fails."""
    name, asks = "time", "does only the market's own time count?"
    if not bench.base.decisions:
        return Finding(name, asks, Verdict.SKIPPED, "it decided nothing")
    said: list[str] = []
    refused: list[str] = []
    notes: list[str] = []
    for part in (_both_orders, _rows, _clocks):
        found = part(bench)
        if found.fault:
            return Finding(name, asks, Verdict.FAILS, found.fault)
        said += found.same
        refused += found.refused
        notes += [found.note] if found.note else []
    reason = f"{''.join(f'{each}; ' for each in notes)}the same {', '.join(said)}"
    if refused:
        reason += f"; refused: {' and '.join(refused)}"
    return Finding(name, asks, Verdict.NOTE if notes else Verdict.PASSES, reason)


class Part(msgspec.Struct, frozen=True):
    """What one kind of tries found: a fault in words, or what should be known; where it was the
    same, and what was refused before the strategy could hear it."""

    fault: str = ""
    note: str = ""
    same: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()


def _both_orders(bench: Bench) -> Part:
    """Facts of one moment come in the other order: symbols are fed in reverse. Where the account
    cannot hold all that is asked of it at once, the first to ask gets it; what is decided after
    such a moment says nothing of the strategy."""
    if len(bench.settings.symbols) < 2:
        return Part()
    other = bench.play(bench.whole.turned())
    at_ns = _parted(bench.base, other, is_sized=False)
    if at_ns is None:
        return Part(same=("in the other order of equal moments",))
    filled_ns = _filled_otherwise(bench.base, other)
    if filled_ns is not None and filled_ns <= at_ns:
        return Part(
            note=f"at {iso_utc(filled_ns)} the account holds one of several orders of one moment, "
            "and which one hangs on who is heard first"
        )
    return Part(
        "hangs on which of two facts of one moment it hears first: in the other order the "
        f"decisions of {iso_utc(at_ns)} are others"
    )


def _filled_otherwise(base: Play, other: Play) -> int | None:
    """The first moment with other fills; None if there is none."""
    if base.record is None or other.record is None:
        return None
    one, two = (
        Counter((fill.ts_ns, fill.symbol, fill.side, fill.qty) for fill in play.record.fills)
        for play in (base, other)
        if play.record
    )
    apart = (one - two) + (two - one)
    return min((ts_ns for ts_ns, *_ in apart), default=None)


def _rows(bench: Bench) -> Part:
    """Rows that are told twice, and one that comes late and so out of its turn."""
    same, refused = [], []
    for edit, words in ((_twice, "rows told twice"), (_late, "a row out of its turn")):
        if not bench.stage.columns:
            break
        try:
            play = bench.play(bench.stage.edited(bench.fresh(), edit))
        except DataInvalid:
            refused.append(words)
            continue
        at_ns = _parted(bench.base, play)
        if at_ns is not None:
            return Part(f"with {words} the decisions of {iso_utc(at_ns)} are others")
        same.append(f"with {words}")
    return Part(same=tuple(same), refused=tuple(refused))


def _twice(frame: pl.DataFrame) -> pl.DataFrame:
    """Each fiftieth row and the one after it."""
    again = frame.with_row_index("row").filter(pl.col("row") % REPEATED == REPEATED // 2)
    rows = pl.concat([frame.with_row_index("row"), again])
    return rows.sort("row", maintain_order=True).drop("row")


def _late(frame: pl.DataFrame) -> pl.DataFrame:
    """The middle row after some that follow it."""
    middle = frame.height // 2
    parts = [frame[:middle], frame[middle + 1 : middle + 1 + LATE], frame[middle : middle + 1]]
    return pl.concat([*parts, frame[middle + 1 + LATE :]])


def _clocks(bench: Bench) -> Part:
    """Other countries' clocks, and one that leaps by more than a year at each look."""
    lines: list[int] = []
    worlds: list[tuple[str, AbstractContextManager[object]]] = [
        (f"in the time zone {zone.partition(',')[0]}", in_zone(zone)) for zone in ZONES
    ]
    leaps = leaping_clock(source_of(bench.settings.strategy), lines)
    worlds.append(("when the computer's clock leaps", leaps))
    for words, world in worlds:
        at_ns = _parted(bench.base, bench.play(bench.whole, around=world))
        if at_ns is not None:
            line = next(filter(None, lines), 0)
            where = f"; line {line} asks that clock" if line else ""
            return Part(f"{words} the decisions of {iso_utc(at_ns)} are others{where}")
    return Part(same=(f"in {len(ZONES)} time zones", "under a clock that leaps"))


def _parted(base: Play, other: Play, *, is_sized: bool = True) -> int | None:
    """The first moment with other decisions; None if there is none. The order within a moment does
    not count. *is_sized*: sizes do; they hang on what was filled a moment before."""

    def sorted_out(play: Play) -> dict[int, Counter[Any]]:
        found: dict[int, Counter[Any]] = {}
        for ts_ns, fact in play.decisions:
            key = repr(fact) if is_sized else (type(fact).__name__, fact.symbol, _side(fact))
            found.setdefault(ts_ns, Counter())[key] += 1
        return found

    if other.failure:
        return base.decisions[0][0]
    ours, theirs = sorted_out(base), sorted_out(other)
    apart = [ts for ts in ours.keys() | theirs.keys() if ours.get(ts) != theirs.get(ts)]
    return min(apart, default=None)


def _side(fact: Any) -> str:
    return str(getattr(fact, "side", ""))


@contextmanager
def in_zone(zone: str) -> Iterator[None]:
    """The process lives elsewhere. *zone*: as in the variable TZ."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = zone
    time.tzset()
    try:
        yield
    finally:
        if before is None:
            del os.environ["TZ"]
        else:
            os.environ["TZ"] = before
        time.tzset()


@contextmanager
def leaping_clock(source: str, lines: list[int]) -> Iterator[None]:
    """The clock on the wall leaps back and forth at each look at it. *lines*: of the user's file
    that looked, which are added. Clocks that only measure how long something takes stay."""
    leaps = cycle((LEAP_S, -LEAP_S))

    def leapt(function: Callable[[], Any], unit: Any) -> Callable[[], Any]:
        def call() -> Any:
            lines.append(line_of(source))
            return function() + next(leaps) * unit

        return call

    real = datetime.datetime

    class Kind(type):
        def __instancecheck__(cls, other: object) -> bool:
            return isinstance(other, real)

    class Leaping(datetime.datetime, metaclass=Kind):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Any:
            lines.append(line_of(source))
            return real.now(tz) + datetime.timedelta(seconds=next(leaps))

        utcnow = today = classmethod(lambda cls: cls.now())

    with ExitStack() as stack:
        changed: list[tuple[Any, str, Any]] = [
            (time, "time", leapt(time.time, 1)),
            (time, "time_ns", leapt(time.time_ns, 1_000_000_000)),
            (datetime, "datetime", Leaping),
        ]
        for module, name, put in changed:
            stack.callback(setattr, module, name, getattr(module, name))
            setattr(module, name, put)
        yield
