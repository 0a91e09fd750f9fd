# SPDX-License-Identifier: Apache-2.0
"""`report_drawings.py`: the charts that an evaluation needs and a backtest does not: many curves at
once, bands over a count, and a cloud of points. Drawn with the parts of the backtest's report.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from hean.backtest.report_charts import (
    BOX,
    Frame,
    Line,
    axis_words,
    frame,
    nice_step,
    outline,
    plot,
    time_chart,
)
from hean.backtest.result import Times, Values

FAINT_MAX = 60  # curves behind the main ones; more would be a surface
DOTS_MAX = 1_500


def curves(
    title: str,
    lines: Sequence[Line],
    faint: Sequence[Values],
    times: Times,
    *,
    label: str,
    keys: str = "",
) -> str:
    """Curves over time, with many *faint* ones of the same *times* behind them."""
    behind = [Line("", "", times, values) for values in faint[:FAINT_MAX]]
    starts = [int(line.t[0]) for line in lines]
    ends = [int(line.t[-1]) for line in lines]
    shape = frame([*lines, *behind], span=(min(starts), max(ends)))
    places = np.arange(times.size)
    drawn = "".join(
        f'<path class="line reference" style="stroke-dasharray:none;stroke-opacity:.45;'
        f'stroke-width:1" d="{outline(line, places, shape)}"/>'
        for line in behind
    )
    return time_chart(title, lines, shape, label=label, height=320, under=drawn, keys=keys)


def bands(title: str, places: Sequence[int], growth: Values, real: Values, *, label: str) -> str:
    """Bands of equity over the number of trades. *growth*: quantiles, lowest first, by *places*;
    *real*: equity after each trade."""
    x = np.array(places, np.int64)
    low, high = min(growth.min(), real.min()), max(growth.max(), real.max())
    air = (high - low) * 0.04 or 0.01
    shape = Frame(int(x[0]), int(max(x[-1], x[0] + 1)), float(low - air), float(high + air))
    xs = shape.x(x)

    def area(lower: Values, upper: Values) -> str:
        out = [f"{a:.1f} {b:.1f}" for a, b in zip(xs, shape.y(upper), strict=True)]
        back = [f"{a:.1f} {b:.1f}" for a, b in zip(xs[::-1], shape.y(lower)[::-1], strict=True)]
        return f'<path class="fill main" d="M{"L".join([*out, *back])}Z"/>'

    def stroke(t: Times, values: Values, style: str) -> str:
        return (
            f'<path class="line {style}" '
            f'd="{outline(Line("", "", t, values), np.arange(t.size), shape)}"/>'
        )

    half = len(growth) // 2
    inner = "".join(area(growth[n], growth[-1 - n]) for n in range(half))
    inner += stroke(x, growth[half], "main")
    inner += stroke(np.arange(1, real.size + 1), real, "ink")
    bottom = _marks(float(x[0]), float(x[-1]), "count")
    box = plot(inner, shape, label=label, height=300, words="percent", bottom=bottom)
    keys = (
        '<span class="key"><i class="main"></i>median, half and nine tenths of what could have '
        'been</span><span class="key"><i class="ink"></i>what happened</span>'
    )
    return _figure(title, box, keys)


def cloud(title: str, x: Values, y: Values, *, label: str) -> str:
    """Points, a line at zero, and the same scale of marks on both axes."""
    step = max(1, x.size // DOTS_MAX)
    x, y = x[::step], y[::step]
    air = (float(np.ptp(y)) or 1.0) * 0.05
    wide = (float(np.ptp(x)) or 1.0) * 0.05
    left, right = float(x.min()) - wide, float(x.max()) + wide
    shape = Frame(0, 1, float(y.min()) - air, float(y.max()) + air)
    xs, ys = (x - left) / (right - left) * BOX, shape.y(y)
    dots = "".join(
        f"M{a:g} {b:g}h0"
        for a, b in sorted(
            set(zip(np.round(xs, 1).tolist(), np.round(ys, 1).tolist(), strict=True))
        )
    )
    inner = f'<g class="many"><path class="dots main" d="{dots}"/></g>'
    bottom = _marks(left, right, "ratio")
    box = plot(inner, shape, label=label, height=260, words="ratio", bottom=bottom)
    return _figure(title, box)


def _figure(title: str, box: str, keys: str = "") -> str:
    caption = f'<figcaption><span class="title">{escape(title)}</span>{keys}</figcaption>'
    return f'<figure class="chart">{caption}{box}</figure>'


def _marks(low: float, high: float, words: str) -> str:
    """Labels under an axis that is no time."""
    span = high - low or 1.0
    step = max(nice_step(span, 8), 1.0) if words == "count" else nice_step(span, 8)
    ticks = [n * step for n in range(int(np.ceil(low / step)), int(np.floor(high / step)) + 1)]
    write = axis_words(ticks, words)
    return "".join(
        f'<span style="left:{(tick - low) / span * 100:.2f}%">{write(tick)}</span>'
        for tick in ticks
    )
