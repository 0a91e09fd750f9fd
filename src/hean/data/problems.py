# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a file, said once for people and machines. A reader collects every problem of
a file before it refuses, so that one run shows them all: the first fifty with their place, and the
totals of each kind. Text from the file is shortened and escaped before anyone sees it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from hean.errors import DataInvalid

PROBLEMS_SHOWN = 50
_GOT_LENGTH_MAX = 60


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong. `row` counts data rows from 1, `line` counts lines of a text file from 1."""

    what: str
    row: int | None = None
    line: int | None = None
    column: str | None = None
    got: str = ""
    expected: str = ""

    def place(self, file: str) -> str:
        """Where, in the form an editor understands: `file:line` or `file row N`."""
        if self.line is not None:
            return f"{file}:{self.line}"
        return f"{file} row {self.row}" if self.row is not None else file

    def sentence(self, file: str) -> str:
        """Place, column, what, observed and allowed on one line."""
        column = f" {self.column}:" if self.column else ""
        got = f", got {self.got}" if self.got else ""
        expected = f", expected {self.expected}" if self.expected else ""
        return f"{self.place(file)}:{column} {self.what}{got}{expected}"

    def as_dict(self) -> dict[str, Any]:
        """The fields that are set, for JSON."""
        return {key: value for key, value in asdict(self).items() if value not in (None, "")}


def shown(value: object) -> str:
    """A value from a file as safe text: ASCII, quoted if it is text, at most 60 characters."""
    if isinstance(value, (np.floating, np.integer)):
        value = value.item()
    if isinstance(value, bytes):
        value = value[: 4 * _GOT_LENGTH_MAX].decode("utf-8", "replace")
    text = ascii(value[: 2 * _GOT_LENGTH_MAX]) if isinstance(value, str) else str(value)
    return text if len(text) <= _GOT_LENGTH_MAX else text[: _GOT_LENGTH_MAX - 3] + "..."


class Problems:
    """Collects the problems of one file. `fatal` problems refuse the file even when bad rows may
    be dropped: they put the meaning of every row in doubt.
    """

    def __init__(self, file: str, *, limit: int = PROBLEMS_SHOWN) -> None:
        self.file = file
        self.fatal = False
        self.totals: dict[str, int] = {}
        self._limit = limit
        self._items: list[Problem] = []

    @property
    def total(self) -> int:
        """How many problems there are, shown or not."""
        return sum(self.totals.values())

    def add(self, problem: Problem, *, fatal: bool = False) -> None:
        """Note one problem; `fatal` if the whole file is in doubt."""
        self.fatal = self.fatal or fatal
        self.totals[problem.what] = self.totals.get(problem.what, 0) + 1
        if self.totals[problem.what] <= self._limit:
            self._items.append(problem)

    def add_rows(
        self,
        rows: npt.NDArray[np.int64],
        what: str,
        *,
        column: str,
        got: Callable[[int], object],
        expected: str = "",
        lines: npt.NDArray[np.int64] | None = None,
    ) -> None:
        """Note the same problem in many rows (indices from 0); only the first ones are built."""
        seen = self.totals.get(what, 0)
        for row in rows[: max(0, self._limit - seen)].tolist():
            line = None if lines is None else int(lines[row])
            number = row + 1 if line is None else line - 1
            self._items.append(Problem(what, number, line, column, shown(got(row)), expected))
        if rows.size:
            self.totals[what] = seen + int(rows.size)

    def first(self) -> tuple[Problem, ...]:
        """The first problems by place, as many as the limit allows."""
        whole_file = [item for item in self._items if item.row is None]
        by_row = sorted((p for p in self._items if p.row is not None), key=lambda p: p.row or 0)
        return tuple((whole_file + by_row)[: self._limit])

    def refuse(self, hint: str = "") -> NoReturn:
        """Raise `DataInvalid` with everything collected."""
        items = self.first()[:PROBLEMS_SHOWN]
        totals = ", ".join(f"{count} x {what}" for what, count in self.totals.items())
        head = f"{self.file}: {self.total} problem{'s' if self.total != 1 else ''} ({totals})"
        more = self.total - len(items)
        body = [f"  {item.sentence(self.file)}" for item in items]
        tail = [f"  ... and {more} more"] if more else []
        raise DataInvalid("\n".join([head, *body, *tail, *([hint] if hint else [])]), items)


def refuse_file(file: str, what: str, *, got: str = "", expected: str = "") -> NoReturn:
    """Refuse a file for one reason that concerns all of it."""
    problems = Problems(file)
    problems.add(Problem(what, got=got, expected=expected), fatal=True)
    problems.refuse()


def as_dicts(problems: Sequence[object]) -> list[dict[str, Any]]:
    """The structured problems of a `DataInvalid`, for JSON."""
    return [problem.as_dict() for problem in problems if isinstance(problem, Problem)]
