# SPDX-License-Identifier: Apache-2.0
"""`indicating.py`: indicators over the bars of a session, for a chart. They are the core's own, as
strategies use them, so a line that a person sees is the number that a strategy decides by.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hean.engine.documents import Bar, Line
from hean.errors import ParameterInvalid
from hean.indicators import ATR, EMA, RSI, SMA, Bollinger

PRICE = "price"
PERIOD_MAX = 500
CHOSEN_MAX = 8


@dataclass(frozen=True)
class Kind:
    """*usual*: period where none is given; *columns*: of a bar, in order; *pane*: where it is
    drawn; *outputs*: names of its lines, one without a name.
    """

    make: Callable[[int], Any]
    usual: int
    columns: tuple[str, ...] = ("close",)
    pane: str = PRICE
    outputs: tuple[str, ...] = ("",)


KINDS = {
    "ema": Kind(EMA, 20),
    "sma": Kind(SMA, 50),
    "bollinger": Kind(Bollinger, 20, outputs=(".upper", ".middle", ".lower")),
    "rsi": Kind(RSI, 14, pane="rsi"),
    "atr": Kind(ATR, 14, columns=("high", "low", "close"), pane="atr"),
}


def chosen_of(text: str) -> list[tuple[str, int]]:
    """Kinds and periods of words like `ema:20,rsi`. *Raises*: `ParameterInvalid`."""
    found = []
    for word in dict.fromkeys(text.split(",")):
        name, colon, given = word.partition(":")
        kind = KINDS.get(name)
        if kind is None:
            raise ParameterInvalid(f"no indicator {name[:20]!r}; known: {', '.join(KINDS)}.")
        if colon and not (given.isascii() and given.isdigit() and 2 <= int(given) <= PERIOD_MAX):
            raise ParameterInvalid(f"{name}: a period is a whole number from 2 to {PERIOD_MAX}.")
        found.append((name, int(given) if colon else kind.usual))
    if len(found) > CHOSEN_MAX:
        raise ParameterInvalid(f"at most {CHOSEN_MAX} indicators at once.")
    return found


def lines_of(bars: Sequence[Bar], chosen: Iterable[tuple[str, int]]) -> list[Line]:
    """The lines of chosen kinds and periods over *bars*."""
    lines = []
    for name, period in chosen:
        kind = KINDS[name]
        columns = [np.array([getattr(bar, each) for bar in bars]) for each in kind.columns]
        rows = np.atleast_2d(kind.make(period).batch(*columns))
        for output, row in zip(kind.outputs, rows, strict=True):
            values = [None if np.isnan(value) else float(value) for value in row]
            lines.append(Line(name=f"{name}:{period}{output}", pane=kind.pane, values=values))
    return lines
