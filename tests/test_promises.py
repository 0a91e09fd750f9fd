# SPDX-License-Identifier: Apache-2.0
"""Each promise of the source documents, 1 to 219, has a test that bears its number, or a line in
docs/adr/0040 that says why not. What is neither yet is listed, and that list only shrinks.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

LAST = 219
MARK = re.compile(r"mark\.promise\((\d+)\)")
ADR = "docs/adr/0040-promises-left-out.md"
ROW = re.compile(r"^\| (\d+) \| [^|]+ \| [^|]{20,} \|$", re.MULTILINE)

NOT_YET: frozenset[int] = frozenset()
"""Built, but without a test of that number, or not built. A number leaves with its test."""


def proven(root: Path) -> set[int]:
    """Numbers that a test bears."""
    return {
        int(number)
        for path in (root / "tests").rglob("test_*.py")
        for number in MARK.findall(path.read_text("utf-8"))
    }


def left_out(root: Path) -> list[int]:
    """Numbers with a line in the decision."""
    return [int(number) for number in ROW.findall((root / ADR).read_text("utf-8"))]


def test_every_promise_is_proven_or_left_out_with_a_reason(root: Path) -> None:
    every = set(range(1, LAST + 1))
    kept, out = proven(root), set(left_out(root))
    assert kept | out | NOT_YET <= every
    assert every - kept - out - NOT_YET == set(), "neither a test nor a line"


def test_what_has_a_test_is_not_said_to_have_none(root: Path) -> None:
    assert NOT_YET & proven(root) == set(), "take them out of NOT_YET"
    assert NOT_YET & set(left_out(root)) == set()


@pytest.mark.promise(209)
@pytest.mark.promise(217)
@pytest.mark.promise(218)
@pytest.mark.promise(219)
def test_what_was_announced_as_future_has_its_line(root: Path) -> None:
    rows = left_out(root)
    assert rows == sorted(set(rows)), "one line a number, in order"
    assert {209, 217, 218, 219} <= set(rows)
