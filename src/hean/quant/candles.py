# SPDX-License-Identifier: Apache-2.0
"""`candles.py`: shapes of bars that have a name, as exact conditions. Columns in, a column of 0 and
1 out; nan where a bar before is needed and is not there. A bar without a range has no shape: 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from hean.quant.checks import Array

Bars = Mapping[str, Array]
DOJI_BODY = 0.1  # of the range, at most
LONG_SHADOW, SHORT_SHADOW = 2.0, 0.5  # of the body


def doji(bars: Bars) -> Array:
    """Closes where it opened, within a tenth of its range."""
    span = bars["high"] - bars["low"]
    return _flag((span > 0) & (_body(bars) <= DOJI_BODY * span))


def hammer(bars: Bars) -> Array:
    """A body at the top, and below it a shadow twice as long."""
    below = np.minimum(bars["open"], bars["close"]) - bars["low"]
    above = bars["high"] - np.maximum(bars["open"], bars["close"])
    return _flag(_is_nail(_body(bars), below, above))


def shooting_star(bars: Bars) -> Array:
    """A body at the bottom, and above it a shadow twice as long."""
    below = np.minimum(bars["open"], bars["close"]) - bars["low"]
    above = bars["high"] - np.maximum(bars["open"], bars["close"])
    return _flag(_is_nail(_body(bars), above, below))


def engulfing_up(bars: Bars) -> Array:
    """A rising body that holds the falling one before, and is larger."""
    return _engulfing(bars["open"], bars["close"])


def engulfing_down(bars: Bars) -> Array:
    """A falling body that holds the rising one before, and is larger."""
    return _engulfing(-bars["open"], -bars["close"])


def inside_bar(bars: Bars) -> Array:
    """A range within that of the bar before."""
    high, low = bars["high"], bars["low"]
    return _second((high[1:] <= high[:-1]) & (low[1:] >= low[:-1]))


SHAPES: dict[str, tuple[Callable[[Bars], Array], int]] = {
    "doji": (doji, 1),
    "hammer": (hammer, 1),
    "shooting_star": (shooting_star, 1),
    "engulfing_up": (engulfing_up, 2),
    "engulfing_down": (engulfing_down, 2),
    "inside_bar": (inside_bar, 2),
}
"""Function, and the bars that it looks at, the present one included."""


def _body(bars: Bars) -> Array:
    return np.abs(bars["close"] - bars["open"])


def _is_nail(body: Array, long: Array, short: Array) -> Any:
    return (body > 0) & (long >= LONG_SHADOW * body) & (short <= SHORT_SHADOW * body)


def _engulfing(opens: Array, closes: Array) -> Array:
    falls, rises = closes[:-1] < opens[:-1], closes[1:] > opens[1:]
    holds = (opens[1:] <= closes[:-1]) & (closes[1:] >= opens[:-1])
    is_larger = closes[1:] - opens[1:] > opens[:-1] - closes[:-1]
    return _second(falls & rises & holds & is_larger)


def _flag(found: Any) -> Array:
    return np.asarray(found, dtype=np.float64)


def _second(found: Any) -> Array:
    """From the second bar on."""
    return np.concatenate([[np.nan], _flag(found)])
