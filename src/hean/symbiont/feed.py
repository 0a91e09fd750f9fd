# SPDX-License-Identifier: Apache-2.0
"""`feed.py`: whether what agents read is still what it was when they were judged. All of them read
the same bars, so a population has one `Feed`: each bar is heard once, and what is broken is said of
the feed, whoever has a seat. Plain data: saved as JSON and loaded, it goes on the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import msgspec

from hean.errors import DataInvalid
from hean.quant import two_samples
from hean.quant.checks import Array
from hean.symbiont.columns import REACTION_BARS, Column, Seen, learnt, look, scale_of
from hean.symbiont.vitals import Comparison, Finding, Monitor

VALUES_MIN = 50  # independent ones of a column, that a test is made with
MOVED = 0.25  # stability index that would matter


class Feed(msgspec.Struct):
    """*columns*: as they were in the record. *seen*: as they are. *deaf*: names of columns that the
    record says nothing of, and which nobody watches therefore.
    """

    columns: dict[str, Column] = {}
    seen: dict[str, Seen] = {}
    deaf: tuple[str, ...] = ()

    @classmethod
    def of(cls, record: Mapping[str, Array]) -> Self:
        """From the columns of a record (`senses.columns_of`)."""
        known = {}
        for name, values in record.items():
            try:
                scale_of(name, values)
            except DataInvalid:
                continue  # too few bars, or it never moves
            known[name] = values
        return cls(learnt(known), deaf=tuple(name for name in record if name not in known))

    def bar(self, values: Mapping[str, float]) -> list[Finding]:
        """A bar is over, and its columns have these values; nan is no new value. *Returns*: what is
        broken, as long as it is. *Raises*: `FieldInvalid` for a column that is not there.
        """
        look(self.columns, self.seen, values)
        return self.broken()

    def broken(self) -> list[Finding]:
        """What is not fed any more as it was."""
        return [
            Finding(Monitor.COLUMN, value, limit, f"column {name}: {words}")
            for name, seen in self.seen.items()
            for value, limit, words in self.columns[name].beyond(seen)
        ]

    def unsure(self) -> list[str]:
        """What this cannot promise to hear, in words for a person."""
        words = [f"{name} is not watched: the record says too little of it." for name in self.deaf]
        for name, column in self.columns.items():
            if column.hides:
                faults = ", ".join(column.hides)
                words.append(f"{name} may be {faults} for more than {REACTION_BARS} bars unfound.")
        return [f"feed: {each}" for each in words]

    def tests(self) -> list[Comparison]:
        """Compare what has gathered since the last tests, where that is enough, and gather anew."""
        found = []
        for name, seen in self.seen.items():
            column = self.columns[name]
            if sum(seen.counts) / column.spell >= VALUES_MIN:
                found.append(_compared(name, column, seen))
                seen.counts = [0] * len(seen.counts)
        return found

    def rest(self) -> None:
        """Time has passed unheard: charts and averages begin anew, what has gathered stays."""
        self.seen = {name: self.columns[name].rested(seen) for name, seen in self.seen.items()}


def _compared(name: str, column: Column, seen: Seen) -> Comparison:
    moved = two_samples.binned(
        [share * column.independent for share in column.shares],
        [count / column.spell for count in seen.counts],
    )
    words = f"column {name} falls elsewhere among its deciles: index {moved.statistic:.2f}"
    return Comparison(Monitor.POPULATION, moved.p_value, moved.statistic > MOVED, words)
