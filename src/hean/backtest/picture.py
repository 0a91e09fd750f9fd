# SPDX-License-Identifier: Apache-2.0
"""`picture.py`: a run as one SVG of 1200 x 500, for a README or a chat. Price on top, equity with
buy and hold in the middle, drawdown below. The file stands alone, follows the reader's light or
dark setting, and the same run gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

import msgspec
import numpy as np

from hean.backtest.report_charts import (
    BOX,
    Frame,
    Line,
    axis_words,
    frame,
    outline,
    percent,
    thin,
    time_ticks,
    value_ticks,
)
from hean.backtest.report_sections import buy_and_hold, money, span_of
from hean.backtest.result import RunRecord
from hean.quant.performance import underwater

WIDTH, HEIGHT = 1200, 500
LEFT, RIGHT = 84, 24
STYLE = """
svg { font: 13px system-ui, sans-serif; }
.back { fill: #ffffff; } text { fill: #5d636f; } .name { fill: #15171c; font-weight: 600; }
path { fill: none; vector-effect: non-scaling-stroke; stroke-width: 1.6; }
.rule { stroke: #e6e7ea; stroke-width: 1; } .price { stroke: #8d939e; stroke-width: 1.2; }
.main { stroke: #1d5fc2; } .reference { stroke: #8d939e; stroke-dasharray: 5 4; }
.loss { stroke: #c8640a; } .fill { fill: #c8640a; fill-opacity: 0.16; stroke: none; }
.dots { stroke-linecap: round; stroke-width: 5; } .long { stroke: #1d5fc2; }
.short { stroke: #c8640a; }
@media (prefers-color-scheme: dark) {
  .back { fill: #16191f; } text { fill: #9aa1ae; } .name { fill: #e8eaee; }
  .rule { stroke: #272b33; } .main, .long { stroke: #6ca6ff; }
  .loss, .short { stroke: #f0964a; } .fill { fill: #f0964a; }
}
"""


class Panel(msgspec.Struct, frozen=True):
    """One strip of the picture: *top* and *height* in pixels."""

    title: str
    lines: Sequence[Line]
    shape: Frame
    top: int
    height: int


def equity_picture(record: RunRecord, path: Path) -> None:
    """Write the picture of *record* to *path*. A run without samples gives an empty frame."""
    path.write_text(draw(record), encoding="utf-8", newline="\n")


def draw(record: RunRecord) -> str:
    """The picture as SVG text."""
    parts = [_panel(panel, record) for panel in _panels(record)]
    span = span_of(record)
    across = Frame(*span, 0.0, 1.0)
    ticks = time_ticks(*span) if record.sample_ts.size else []
    places = across.x(np.array([t for t, _ in ticks], np.int64)).tolist()
    for x, (_, words) in zip(places, ticks, strict=True):
        at = LEFT + x / BOX * (WIDTH - LEFT - RIGHT)
        parts.append(f'<text x="{at:.1f}" y="{HEIGHT - 12}" text-anchor="middle">{words}</text>')
    label = "Price, equity and drawdown of a run"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="{label}">'
        f'<title>{label}</title><style>{STYLE}</style><rect class="back" width="{WIDTH}" '
        f'height="{HEIGHT}" rx="12"/>{"".join(parts)}</svg>\n'
    )


def _panels(record: RunRecord) -> list[Panel]:
    if not record.sample_ts.size:
        return []
    span, initial = span_of(record), float(record.equity[0])
    lines = [Line("Equity", "main", record.sample_ts, record.equity)]
    title = f"Equity {money(record.equity[-1])} from {money(initial)}"
    held = buy_and_hold(record, initial)
    if held is not None:
        lines.insert(0, Line("Buy and hold", "reference", record.sample_ts, held))
        title += " (dashed: buy and hold)"
    depth = -underwater(record.equity)
    water = [Line("Drawdown", "loss", record.sample_ts, depth, "percent")]
    fallen = f"Drawdown, deepest {percent(-float(depth.min()))}"
    panels = [
        Panel(title, lines, frame(lines, span=span), 190, 150),
        Panel(fallen, water, frame(water, span=span, zero=True), 380, 80),
    ]
    for symbol, (t, closes) in list(record.prices.items())[:1]:
        price = [Line(symbol, "price", t, closes)]
        name = f"{symbol}, {len(record.trades):,} round trips"
        panels.insert(0, Panel(name, price, frame(price, span=span), 40, 110))
    return panels


def _panel(panel: Panel, record: RunRecord) -> str:
    shape, width = panel.shape, WIDTH - LEFT - RIGHT
    ticks = value_ticks(shape, count=4 if panel.height > 100 else 3)
    write = axis_words(ticks, panel.lines[0].words)
    rows = shape.y(np.array(ticks)).tolist()
    labels = "".join(
        f'<text x="{LEFT - 10}" y="{panel.top + y / BOX * panel.height + 4:.1f}" '
        f'text-anchor="end">{write(tick)}</text>'
        for tick, y in zip(ticks, rows, strict=True)
    )
    drawn = [f'<path class="rule" d="{"".join(f"M0 {y:.1f}H1000" for y in rows)}"/>']
    for line in panel.lines:
        kept = thin(line.t, line.y)
        curve = outline(line, kept, shape)
        if line.style == "loss":
            drawn.append(f'<path class="fill" d="{curve}V0H{shape.x(line.t[:1])[0]:.1f}Z"/>')
        drawn.append(f'<path class="{line.style}" d="{curve}"/>')
        if line.style == "price":
            drawn += _entries(record, line.name, shape)
    return (
        f'<text class="name" x="{LEFT}" y="{panel.top - 12}">{escape(panel.title)}</text>{labels}'
        f'<g transform="translate({LEFT} {panel.top}) scale({width / BOX:g} '
        f'{panel.height / BOX:g})">{"".join(drawn)}</g>'
    )


def _entries(record: RunRecord, symbol: str, shape: Frame) -> list[str]:
    """A dot where each round trip began."""
    dots = []
    for side, style in (("BUY", "long"), ("SELL", "short")):
        own = [trade for trade in record.trades if (trade.symbol, trade.side) == (symbol, side)]
        xs = shape.x(np.array([trade.entry_ts_ns for trade in own], np.int64))
        ys = shape.y(np.array([float(trade.entry_price) for trade in own], np.float64))
        points = sorted(set(zip(np.round(xs, 0).tolist(), np.round(ys, 0).tolist(), strict=True)))
        marks = "".join(f"M{x:g} {y:g}h0" for x, y in points)
        dots.append(f'<path class="dots {style}" d="{marks}"/>' if marks else "")
    return dots
