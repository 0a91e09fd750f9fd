# SPDX-License-Identifier: Apache-2.0
"""`own_features.py`: features that HEAN brings, `hean:NAME`: shapes of bars, and motifs, where the
close has moved like this before. Each looks at so many bars behind and no others, so that what a
running genome computes bar by bar is what the judge has in its column.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hean.quant import candles, patterns

Values = npt.NDArray[np.float64]
Bars = Mapping[str, Values]
MOTIF_BARS, MOTIF_PAST = 20, 240  # length of a shape, and of the past that it is sought in
MOTIF_APART = MOTIF_BARS // 4  # nearer ones share most of their bars
MOTIF_NEXT = MOTIF_APART + 1  # bars after a shape that are over, however near it is

FLAGS = frozenset(candles.SHAPES)
"""Those that are 0 or 1."""


class Own(NamedTuple):
    """*column*: from columns of bars to a column. *latest*: the same, of whose column only the last
    value is asked for. *memory*: bars that a value depends on, the present one included.
    """

    column: Callable[[Bars], Values]
    latest: Callable[[Bars], Values]
    memory: int


def motif_distance(bars: Bars, last: int | None = None) -> Values:
    """How unlike the most alike earlier shape the last bars are: 0 is equal."""
    return _neighbours(bars, last)[0]


def motif_next(bars: Bars, last: int | None = None) -> Values:
    """Relative change of the close in the bars after that earlier shape."""
    close = bars["close"]
    ago = _neighbours(bars, last)[1]
    rows = np.flatnonzero(ago >= 0)
    ends = rows - ago[rows]
    found = np.full(close.size, np.nan)
    found[rows] = close[ends + MOTIF_NEXT] / close[ends] - 1
    return found


def _neighbours(bars: Bars, last: int | None) -> tuple[Values, Any]:
    return patterns.recent_neighbours(
        bars["close"], MOTIF_BARS, MOTIF_PAST, exclusion=MOTIF_APART, last=last
    )


OWN: dict[str, Own] = {
    **{name: Own(shape, shape, memory) for name, (shape, memory) in candles.SHAPES.items()},
    "motif_distance": Own(motif_distance, partial(motif_distance, last=1), MOTIF_PAST),
    "motif_next": Own(motif_next, partial(motif_next, last=1), MOTIF_PAST),
}
"""By name."""
