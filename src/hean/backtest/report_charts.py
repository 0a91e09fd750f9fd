# SPDX-License-Identifier: Apache-2.0
"""`report_charts.py`: small charts as HTML with inline SVG, drawn here and not in the browser, so
that a report opens at once, prints, and shows everything without scripts.

A drawing is a 1000 x 1000 box stretched to the width of the screen; lines keep their width, dots
are zero-length strokes and stay round, labels are HTML beside it. Long lines are thinned to the
lowest and the highest value of each of `SLICES` equal spans of time: no extreme is lost, nothing
is averaged, and `NOTE` says so on the page.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from html import escape
from itertools import pairwise

import msgspec
import numpy as np
import numpy.typing as npt

from hean.backtest.result import Times, Values

SLICES = 700
POINTS_MAX = 2 * SLICES
BOX = 1000.0
NOTE = (
    f"Lines of more than {POINTS_MAX:,} points show the lowest and the highest value of each of "
    f"{SLICES} equal spans of time; the crosshair reads these, figures and tables use all points."
)
MINUTE_NS = 60 * 10**9
HOUR_NS, DAY_NS = 60 * MINUTE_NS, 1440 * MINUTE_NS
STEPS_NS = [MINUTE_NS * n for n in (1, 5, 15, 30, 60, 180, 360, 720, 1440, 2880, 7200, 14400)]
STEPS_MONTHS = (1, 2, 3, 6, 12, 24, 60, 120)
TICKS_MAX = 10
# Written out, because strftime follows the locale and the page must not.
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

Indices = npt.NDArray[np.int64]
Words = Callable[[float], str]


class Line(msgspec.Struct, frozen=True):
    """One curve: *style* is a CSS class, *words* names how the page writes its values."""

    name: str
    style: str
    t: Times
    y: Values
    words: str = "money"


class Frame(msgspec.Struct, frozen=True):
    """The part of the plane that a chart shows; *t0*, *t1* in nanoseconds."""

    t0: int
    t1: int
    low: float
    high: float
    log: bool = False

    def x(self, t: Times) -> Values:
        """Times as box coordinates."""
        return (t - self.t0) / max(self.t1 - self.t0, 1) * BOX

    def y(self, values: Values) -> Values:
        """Values as box coordinates, the highest at 0."""
        low, high = (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)
        scaled = np.log(values) if self.log else values
        return (high - scaled) / (high - low) * BOX


def frame(lines: Sequence[Line], *, span: tuple[int, int], zero: bool = False) -> Frame:
    """A frame that holds all finite values of *lines* with some air; with *zero* also 0."""
    values = np.concatenate([line.y[np.isfinite(line.y)] for line in lines] or [np.empty(0)])
    if zero or not values.size:
        values = np.concatenate((values, [0.0]))
    low, high = float(values.min()), float(values.max())
    air = (high - low) * 0.04 or abs(high) * 0.01 or 1.0
    fixed_low, fixed_high = zero and low == 0, zero and low < 0 == high
    return Frame(*span, low if fixed_low else low - air, high if fixed_high else high + air)


def log_frame(lines: Sequence[Line], *, span: tuple[int, int]) -> Frame | None:
    """A logarithmic frame; None if a value is not above 0."""
    low = min(float(line.y.min()) for line in lines)
    high = max(float(line.y.max()) for line in lines)
    if low <= 0:
        return None
    air = (high / low) ** 0.04 if high > low else 1.01
    return Frame(*span, low / air, high * air, log=True)


def thin(t: Times, y: Values) -> Indices:
    """Places of the points to draw: all of them, or the extremes of each slice and both ends."""
    kept = np.flatnonzero(np.isfinite(y))
    if kept.size <= POINTS_MAX:
        return kept
    t, y = t[kept], y[kept]
    slices = (t - t[0]) * SLICES // max(int(t[-1] - t[0]) + 1, 1)
    starts = np.flatnonzero(np.diff(slices, prepend=-1))
    chosen = {0, t.size - 1}
    for start, stop in pairwise([*starts.tolist(), t.size]):
        chosen.add(start + int(np.argmin(y[start:stop])))
        chosen.add(start + int(np.argmax(y[start:stop])))
    places: Indices = kept[np.array(sorted(chosen), dtype=np.int64)]
    return places


def outline(line: Line, kept: Indices, shape: Frame) -> str:
    """SVG path of the kept points; a gap where values in between are not finite."""
    xs = np.round(shape.x(line.t[kept]), 1).tolist()
    ys = np.round(shape.y(line.y[kept]), 1).tolist()
    gaps = np.cumsum(~np.isfinite(line.y))[kept].tolist()
    pieces, before = [], -1
    for x, y, gap in zip(xs, ys, gaps, strict=True):
        pieces.append(f"{'L' if gap == before else 'M'}{x:g} {y:g}")
        before = gap
    return "".join(pieces)


def nice_step(span: float, count: int) -> float:
    """The smallest of 1, 2, 5 times a power of ten that cuts *span* into at most *count* parts."""
    power = 10.0 ** math.floor(math.log10(span / count))
    return next(power * f for f in (1, 2, 5, 10) if power * f >= span / count * (1 - 1e-9))


def value_ticks(shape: Frame, *, count: int = 5) -> list[float]:
    """Round values inside the frame."""
    if shape.log and shape.high / shape.low > 8:
        decades = range(math.floor(math.log10(shape.low)), math.ceil(math.log10(shape.high)) + 1)
        ticks = [factor * 10.0**decade for decade in decades for factor in (1, 2, 5)]
    else:
        step = nice_step(shape.high - shape.low, count)
        first = math.ceil(shape.low / step - 1e-9)
        ticks = [n * step for n in range(first, math.floor(shape.high / step + 1e-9) + 1)]
    return [tick for tick in ticks if shape.low <= tick <= shape.high]


def time_ticks(t0: int, t1: int) -> list[tuple[int, str]]:
    """Round times between two times, each with its label, at most `TICKS_MAX`."""
    span = max(t1 - t0, 1)
    for step in STEPS_NS:
        if span / step <= TICKS_MAX:
            first = -(-t0 // step)
            times = [n * step for n in range(first, t1 // step + 1)]
            return [(t, f"{moment(t):%H:%M}" if t % DAY_NS else _day(t)) for t in times]
    begin = moment(t0).year * 12 + moment(t0).month - 1
    end = moment(t1).year * 12 + moment(t1).month - 1
    months = next((m for m in STEPS_MONTHS if (end - begin) / m <= 12), 240)
    ticks: list[tuple[int, str]] = []
    for n in range(-(-begin // months) * months, end + 1, months):
        ts_ns = int(datetime(n // 12, n % 12 + 1, 1, tzinfo=UTC).timestamp()) * 10**9
        if ts_ns < t0:
            continue
        name = MONTHS[n % 12]
        label = f"{name} {n // 12}" if n % 12 == 0 or not ticks else name
        ticks.append((ts_ns, label))
    return ticks


def moment(ts_ns: int) -> datetime:
    """The UTC time of a nanosecond stamp, cut to microseconds."""
    seconds, rest = divmod(ts_ns, 10**9)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1000)


def _day(ts_ns: int) -> str:
    return f"{moment(ts_ns).day} {MONTHS[moment(ts_ns).month - 1]}"


def number(value: float, digits: int = 2) -> str:
    """Grouped digits with a true minus sign; no minus before a rounded zero."""
    written = f"{value:,.{digits}f}"
    if written.startswith("-"):
        written = "\u2212" + written[1:] if written.strip("-0.,") else written[1:]
    return written


def percent(value: float, digits: int = 1) -> str:
    """A fraction in percent, with the sign apart as typographers like it."""
    return f"{number(value * 100, digits)}\u202f%"


def axis_words(ticks: Sequence[float], words: str) -> Words:
    """How to write the ticks of an axis: as many digits as their distance needs."""
    gaps = [abs(b - a) for a, b in pairwise(ticks)] or [abs(ticks[0]) if ticks else 1.0]
    scale = 100.0 if words == "percent" else 1.0
    digits = max(0, -math.floor(math.log10(min(gaps) * scale or 1.0) + 1e-9))
    return (lambda v: percent(v, digits)) if words == "percent" else lambda v: number(v, digits)


def hover_data(lines: Sequence[tuple[Line, Indices]], shape: Frame) -> str:
    """What the page's script reads: per line the times (ms, as steps) and the values; no names."""
    series = []
    for line, kept in lines:
        t = line.t[kept] // 10**6
        steps = np.diff(t, prepend=0).tolist()
        values = [float(f"{v:.8g}") for v in line.y[kept].tolist()]
        series.append({"f": line.words, "t": steps, "v": values})
    span = [shape.t0 // 10**6, shape.t1 // 10**6]
    return json.dumps({"span": span, "lines": series}, separators=(",", ":"))


def plot(inner: str, shape: Frame, *, label: str, height: int, words: str, bottom: str) -> str:
    """The box with its horizontal rules and value labels; *bottom*: labels under it."""
    ticks = value_ticks(shape, count=5 if height > 150 else 3)
    write = axis_words(ticks, words)
    places = shape.y(np.array(ticks, dtype=np.float64)).tolist()
    rules = "".join(f"M0 {y:.1f}H1000" for y in places)
    zero = ""
    if not shape.log and shape.low <= 0 <= shape.high:
        zero = f'<path class="zero" d="M0 {shape.y(np.zeros(1))[0]:.1f}H1000"/>'
    sides = "".join(
        f'<span style="top:{y / 10:.2f}%">{write(tick)}</span>'
        for tick, y in zip(ticks, places, strict=True)
    )
    return (
        f'<div class="plot" style="height:{height}px">'
        f'<div class="y" aria-hidden="true">{sides}</div>'
        f'<svg viewBox="0 0 1000 1000" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(label)}"><path class="rule" d="{rules}"/>{zero}{inner}</svg>'
        f'<div class="cross" hidden></div></div><div class="x" aria-hidden="true">{bottom}</div>'
    )


def time_chart(
    title: str,
    lines: Sequence[Line],
    shape: Frame,
    *,
    label: str,
    height: int = 260,
    under: str = "",
    over: str = "",
    keys: str = "",
) -> str:
    """Curves over time with legend and crosshair; *under*, *over*: more SVG; *keys*: more legend.

    A line of style `… area` is filled down to zero. *label* says in words what is to be seen.
    """
    kept = [(line, thin(line.t, line.y)) for line in lines]
    drawn = []
    for line, places in kept:
        if not places.size:
            continue
        curve = outline(line, places, shape)
        if "area" in line.style:
            ends = shape.x(line.t[places[[0, -1]]])
            floor = float(np.clip(shape.y(np.zeros(1))[0], 0, BOX))
            fill = f"{curve}L{ends[1]:.1f} {floor:.1f}L{ends[0]:.1f} {floor:.1f}Z"
            drawn.append(f'<path class="fill {line.style}" d="{fill}"/>')
        drawn.append(f'<path class="line {line.style}" d="{curve}"/>')
    legend = "".join(
        f'<span class="key"><i class="{line.style}"></i>{escape(line.name)} <b></b></span>'
        for line in lines
    )
    ticks = time_ticks(shape.t0, shape.t1)
    places = shape.x(np.array([t for t, _ in ticks], dtype=np.int64)).tolist()
    bottom = "".join(
        f'<span style="left:{x / 10:.2f}%">{text}</span>'
        for x, (_, text) in zip(places, ticks, strict=True)
    )
    box = plot(
        under + "".join(drawn) + over,
        shape,
        label=label,
        height=height,
        words=lines[0].words,
        bottom=bottom,
    )
    return (
        f'<figure class="chart time" tabindex="0"><figcaption><span class="title">{escape(title)}'
        f'</span>{legend}{keys}<time aria-live="off"></time></figcaption>{box}'
        f'<script type="application/json">{hover_data(kept, shape)}</script></figure>'
    )


class Bar(msgspec.Struct, frozen=True):
    """One bar: *text* is shown when pointed at, *mark* under it (may be empty)."""

    value: float
    text: str
    mark: str = ""
    style: str = ""


def bar_chart(
    title: str,
    bars: Sequence[Bar],
    *,
    label: str,
    words: str = "money",
    height: int = 200,
    over: str = "",
    at_edges: bool = False,
) -> str:
    """Bars of equal width from zero; those below zero hang. *at_edges*: marks stand at the left
    edge of their bar instead of under its middle.
    """
    low = min((bar.value for bar in bars), default=0.0)
    high = max((bar.value for bar in bars), default=0.0)
    low, high = min(low, 0.0), max(high, 0.0)
    air = (high - low) * 0.05 or 1.0
    shape = Frame(0, 1, low - air if low < 0 else 0.0, high + air if high > 0 else air)
    width = BOX / max(len(bars), 1)
    tops = shape.y(np.array([bar.value for bar in bars], dtype=np.float64)).tolist()
    base = float(shape.y(np.zeros(1))[0])
    drawn, marks = [], []
    for place, (bar, top) in enumerate(zip(bars, tops, strict=True)):
        tone = bar.style or ("gain" if bar.value >= 0 else "loss")
        drawn.append(
            f'<rect class="bar {tone}" x="{(place + 0.1) * width:.1f}" y="{min(top, base):.1f}" '
            f'width="{width * 0.8:.1f}" height="{abs(top - base):.1f}">'
            f"<title>{escape(bar.text)}</title></rect>"
        )
        if bar.mark:
            left = (place + (0.0 if at_edges else 0.5)) * width / 10
            marks.append(f'<span style="left:{left:.2f}%">{escape(bar.mark)}</span>')
    box = plot(
        "".join(drawn) + over,
        shape,
        label=label,
        height=height,
        words=words,
        bottom="".join(marks),
    )
    caption = f'<figcaption><span class="title">{escape(title)}</span></figcaption>'
    return f'<figure class="chart">{caption}{box}</figure>'


def histogram(
    title: str, values: Values, *, label: str, words: str = "money", lines: Sequence[float] = ()
) -> str:
    """How often which value; bins of a round width, one edge at zero; *lines*: marked values."""
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    step = nice_step(high - low, 36) if high > low else 1.0
    first = math.floor(low / step + 1e-9)
    count = max(math.ceil(high / step - 1e-9) - first, 1)
    places = np.clip(np.floor(values / step + 1e-9).astype(np.int64) - first, 0, count - 1)
    counts = np.bincount(places, minlength=count).tolist()
    edges = [(first + n) * step for n in range(count + 1)]
    write = axis_words(edges, words)
    every = max(1, math.ceil(count / 8))
    bars = [
        Bar(
            size,
            f"{write(edges[n])} to {write(edges[n + 1])}: {size}",
            write(edges[n]) if (first + n) % every == 0 else "",
            "loss" if edges[n] < -step / 2 else "gain",
        )
        for n, size in enumerate(counts)
    ]
    marks = "".join(
        f'<path class="mark m{n}" d="M{(value / step - first) / count * BOX:.1f} 0V1000"/>'
        for n, value in enumerate(lines)
    )
    return bar_chart(title, bars, label=label, words="count", over=marks, at_edges=True)
