# SPDX-License-Identifier: Apache-2.0
"""`verdict.py`: the gate from backtest to paper trading, line by line, and one sentence. A line
that cannot be computed does not pass: what was not shown is not there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

LINES: Mapping[str, tuple[str, float, str]] = {
    "days": ("at least", 30, "too few days"),
    "trades": ("at least", 30, "too few trades"),
    "Sharpe ratio, walk-forward": (
        "above",
        0,
        "it loses on data that its parameters were not chosen on",
    ),
    "net result at 1.5 x all costs": (
        "above",
        0,
        "it loses at one and a half times the costs",
    ),
    "net result at 1.5 x fees, 3 x latency": (
        "above",
        0,
        "it loses with dearer fees and a slower line",
    ),
    "deflated Sharpe ratio": ("at least", 0.95, "the best of so many trials is not beyond luck"),
    "record over minimum track record": (
        "at least",
        1,
        "the record is too short for such a Sharpe ratio",
    ),
    "probability of overfitting": (
        "at most",
        0.2,
        "the choice of parameters is likely overfitted",
    ),
    "SPA p-value against doing nothing": (
        "at most",
        0.05,
        "it does not clearly beat doing nothing",
    ),
    "SPA p-value against holding as much": (
        "at most",
        0.05,
        "it does not clearly beat holding the market with the same exposure",
    ),
    "years of paths that earn": (
        "at least",
        0.6,
        "too few years of the cross-validated paths earn",
    ),
    "capacity over the account": ("at least", 1, "there is no capacity to speak of"),
}
"""Line → how it is judged, by what, and what the verdict says when it does not pass."""


IDLE = "the best of its trials never traded"


class Gate(msgspec.Struct, frozen=True):
    """One line of the gate. *value*: `None` if unknown. *needed*, *why*: in words; *why* is what
    the verdict says when the line does not pass."""

    name: str
    value: float | int | None
    needed: str
    passed: bool
    why: str


def gates(found: Mapping[str, Any]) -> list[Gate]:
    """The lines for an evaluation, the most telling first. *found*: its document."""
    best, stress, spa = found["best"], found["stress"], found["spa"]
    needed = best["min_track_record_days"]
    values = {
        "days": best["days"],
        "trades": best["trades"],
        "Sharpe ratio, walk-forward": found["walk_forward"]["sharpe"],
        "net result at 1.5 x all costs": stress["dear_result"],
        "net result at 1.5 x fees, 3 x latency": stress["harsh_result"],
        "deflated Sharpe ratio": found["deflated_sharpe"],
        "record over minimum track record": None if needed is None else best["days"] / needed,
        "probability of overfitting": found["overfitting"]["probability"],
        "SPA p-value against doing nothing": spa["nothing"]["consistent"],
        "SPA p-value against holding as much": spa["holding"]["consistent"],
        "years of paths that earn": found["cpcv"]["positive_years"],
        "capacity over the account": found["capacity"]["over_account"],
    }
    if found["trials"]["distinct"] < 2:  # without a choice there is nothing to overfit
        del values["probability of overfitting"]
    lines = [_line(name, value) for name, value in values.items()]
    if not best["turnover"]:  # who did nothing has neither lost nor been lucky
        lines = [
            line if line.name == "days" else msgspec.structs.replace(line, why=IDLE)
            for line in lines
        ]
    if found["trials"]["problems"]:
        lines.append(Gate("trial log", None, "whole", False, "the trial log was altered"))
    return lines


def _line(name: str, value: float | None) -> Gate:
    words, bound, why = LINES[name]
    passed = (
        value is not None
        and {
            "at least": lambda: value >= bound,
            "at most": lambda: value <= bound,
            "above": lambda: value > bound,
        }[words]()
    )
    return Gate(name, value, f"{words} {bound:g}", passed, why)


def sentence(lines: Sequence[Gate]) -> str:
    """The verdict: three reasons at most, the rest as a number."""
    reasons = [line.why for line in lines if not line.passed]
    if IDLE in reasons:
        reasons = [IDLE]
    if not reasons:
        return "Survives every line of the gate to paper trading; that is no promise of profit."
    more = f", and {len(reasons) - 3} more" if len(reasons) > 3 else ""
    return f"Does not survive: {'; '.join(reasons[:3])}{more}."
