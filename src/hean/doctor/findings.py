# SPDX-License-Identifier: Apache-2.0
"""`findings.py`: what an examination comes to: one verdict for each thing looked at, what was
found, what should be, and what to do about it. No finding holds a secret.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import msgspec


class Verdict(StrEnum):
    """*FAIL*: trading would not start, or could lose money. *UNASKED*: nobody could be asked."""

    OK = "ok"
    WARN = "warn"
    FAIL = "FAIL"
    UNASKED = "not asked"


class Finding(msgspec.Struct, frozen=True):
    """*expected*, *remedy*: where it is not ok; *is_environment*: the machine lacks something."""

    name: str
    verdict: Verdict
    found: str
    expected: str = ""
    remedy: str = ""
    is_environment: bool = False


def ok(name: str, found: str) -> Finding:
    """As it should be."""
    return Finding(name, Verdict.OK, found)


def warn(name: str, found: str, expected: str, remedy: str) -> Finding:
    """Somebody should know."""
    return Finding(name, Verdict.WARN, found, expected, remedy)


def fail(
    name: str, found: str, expected: str, remedy: str, *, is_environment: bool = False
) -> Finding:
    """Not fit for trading."""
    return Finding(name, Verdict.FAIL, found, expected, remedy, is_environment)


def unasked(names: Iterable[str], why: str) -> list[Finding]:
    """What could not be looked at."""
    return [Finding(name, Verdict.UNASKED, f"not asked: {why}") for name in names]


def worst(findings: Iterable[Finding]) -> Verdict:
    """The gravest verdict."""
    found = {finding.verdict for finding in findings}
    return next((each for each in (Verdict.FAIL, Verdict.WARN) if each in found), Verdict.OK)
