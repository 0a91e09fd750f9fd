# SPDX-License-Identifier: Apache-2.0
"""`report_sections.py`: the drawn parts of a report, each a function from the run to one piece of
HTML. A part with nothing to draw says so in a sentence; none is left out silently.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from html import escape

import numpy as np

from hean.backtest import stats
from hean.backtest.report_charts import (
    BOX,
    MONTHS,
    Bar,
    Frame,
    Line,
    bar_chart,
    frame,
    histogram,
    log_frame,
    moment,
    number,
    percent,
    time_chart,
)
from hean.backtest.result import ZERO, RunRecord, Trade, Values
from hean.core.types import Side
from hean.quant.performance import (
    conditional_value_at_risk,
    max_drawdown,
    underwater,
    value_at_risk,
)

MARKS_MAX = 2_000  # more would hide the price; marks in the same cell become one
CELLS_X, CELLS_Y = 400, 100
LINKS_MAX = 300
PRICES_MAX = 6
# Bins of holding times: from so many seconds on, and how that reads.
HOLDING = [
    (0, "0"),
    (60, "1 min"),
    (300, "5 min"),
    (900, "15 min"),
    (3_600, "1 h"),
    (4 * 3_600, "4 h"),
    (12 * 3_600, "12 h"),
    (86_400, "1 d"),
    (3 * 86_400, "3 d"),
    (7 * 86_400, "7 d"),
]


def section(name: str, title: str, *parts: str) -> str:
    """One card of the page; *name* is its address, *parts* are HTML."""
    return f'<section id="{name}"><h2>{escape(title)}</h2>{"".join(parts)}</section>\n'


def note(words: str) -> str:
    """A small remark; *words* are text."""
    return f'<p class="note">{escape(words)}</p>'


def table(
    heads: Sequence[str], rows: Iterable[Sequence[str]], *, name: str, style: str = ""
) -> str:
    """A table whose cells are HTML already; the first cell of a row is its header."""
    top = "".join(f'<th scope="col">{head}</th>' for head in heads)
    body = "".join(
        f'<tr><th scope="row">{row[0]}</th>' + "".join(f"<td>{c}</td>" for c in row[1:]) + "</tr>"
        for row in rows
    )
    return (
        f'<div class="scroll"><table class="{style}" aria-label="{escape(name)}"><thead><tr>{top}'
        f"</tr></thead><tbody>{body}</tbody></table></div>"
    )


def money(value: Decimal | float) -> str:
    """An amount with two decimals, four when it is smaller than one."""
    amount = float(value)
    return number(amount, 2 if abs(amount) >= 1 or amount == 0 else 4)


def signed(value: Decimal | float, words: str) -> str:
    """*words* coloured as gain or loss, with a plus sign for gains."""
    tone, sign = ("gain", "+") if value > 0 else ("loss", "") if value < 0 else ("", "")
    return f'<span class="{tone}">{sign}{words}</span>'


def duration(seconds: float) -> str:
    """A length of time in its two largest units."""
    if 0 < seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    left, parts = int(seconds), []
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count:,} {unit}")
    return " ".join(parts[:2]) or "0 s"


def when(ts_ns: int) -> str:
    """A UTC time to the minute."""
    return f"{moment(ts_ns):%Y-%m-%d %H:%M}"


def span_of(record: RunRecord) -> tuple[int, int]:
    """First and last moment that any chart over time shows; all of them share it."""
    times = [record.sample_ts, *(t for t, _ in record.prices.values())]
    known = [t for t in times if t.size]
    return min((int(t[0]) for t in known), default=0), max((int(t[-1]) for t in known), default=0)


def buy_and_hold(record: RunRecord, initial: float) -> Values | None:
    """Equity of *initial* spread evenly over the symbols at their first price and never touched,
    without costs, at the times of the samples. None without prices.
    """
    curves = []
    for t, closes in record.prices.values():
        if t.size and closes[0] > 0:
            places = np.maximum(np.searchsorted(t, record.sample_ts, side="right") - 1, 0)
            curves.append(closes[places] / closes[0])
    return np.mean(curves, axis=0) * initial if curves and record.sample_ts.size else None


def equity(record: RunRecord, initial: float) -> str:
    """Equity on a linear or logarithmic scale beside buy and hold, drawdown below."""
    if not record.sample_ts.size:
        return section("equity", "Equity and drawdown", note("The run left no equity samples."))
    span = span_of(record)
    times, values = stats.curve(record, initial)
    lines = [Line("Equity", "main", times, values)]
    held = buy_and_hold(record, initial)
    if held is not None:
        lines.append(Line("Buy and hold, no costs", "reference", record.sample_ts, held))
    label = f"Equity from {money(initial)} to {money(values[-1])}, lowest {money(values.min())}"
    linear = time_chart("Equity", lines, frame(lines, span=span), label=label, height=320)
    logs = log_frame(lines, span=span)
    switch, drawn = "", f'<div class="scale-linear">{linear}</div>'
    if logs is not None:
        log = time_chart("Equity, logarithmic", lines, logs, label=label, height=320)
        drawn += f'<div class="scale-log">{log}</div>'
        switch = (
            '<div class="switch" role="radiogroup" aria-label="Scale of the equity chart">'
            '<label><input type="radio" name="scale" id="scale-linear" checked> linear</label>'
            '<label><input type="radio" name="scale" id="scale-log"> log</label></div>'
        )
    water = [Line("Below peak", "loss area", times, -underwater(values), "percent")]
    deepest = percent(max_drawdown(values) or 0.0)
    below = time_chart(
        "Drawdown",
        water,
        frame(water, span=span, zero=True),
        label=f"Fraction below the highest equity so far; deepest {deepest}",
        height=140,
    )
    return section("equity", "Equity and drawdown", switch, drawn, below)


def prices(record: RunRecord) -> str:
    """The price of each symbol with entries and exits of its round trips."""
    span, charts = span_of(record), []
    shown = list(record.prices.items())[:PRICES_MAX]
    for symbol, (t, closes) in shown:
        trades = [trade for trade in record.trades if trade.symbol == symbol]
        if t.size:
            charts.append(_price(symbol, Line("Close", "price", t, closes, "price"), trades, span))
    if not charts:
        charts.append(note("The run kept no prices."))
    if len(record.prices) > len(shown):
        charts.append(note(f"{len(shown)} of {len(record.prices)} symbols are drawn."))
    return section("price", "Price and trades", *charts)


def _price(symbol: str, line: Line, trades: list[Trade], span: tuple[int, int]) -> str:
    levels = [float(p) for trade in trades for p in (trade.entry_price, trade.exit_price)]
    ends = np.full(len(levels), line.t[0], np.int64)
    shape = frame([line, Line("", "", ends, np.array(levels, np.float64))], span=span)
    marks, drawn = _marks(trades, shape)
    tones = [("ink", "long entry"), ("other", "short entry"), ("gain", "exit with gain")]
    keys = "".join(
        f'<span class="key"><i class="dot {tone}{" square" if "exit" in words else ""}"></i>'
        f"{words}</span>"
        for tone, words in [*tones, ("loss", "exit with loss")]
    )
    many = len(trades) > LINKS_MAX
    links = "" if many else _links(trades, shape)
    chart = time_chart(
        symbol,
        [line],
        shape,
        label=f"Price of {symbol} with {len(trades)} round trips",
        height=340,
        over=f'{links}<g class="{"many" if many else "few"}">{marks}</g>',
        keys=keys if trades else "",
    )
    total = 2 * len(trades)
    trips = "round trip" if len(trades) == 1 else "round trips"
    remark = f"{len(trades):,} {trips}. Positions still open at the end carry no marks."
    if drawn < total:
        remark += (
            f" {total:,} marks are drawn as {drawn:,}: marks that would cover each other are one."
        )
    if many:
        remark += f" Entries and exits are joined by lines up to {LINKS_MAX} round trips."
    return chart + note(remark)


def _marks(trades: list[Trade], shape: Frame) -> tuple[str, int]:
    """Dots for entries, squares for exits; and how many were drawn."""
    groups = {
        "ink": [(t.entry_ts_ns, t.entry_price) for t in trades if t.side is Side.BUY],
        "other": [(t.entry_ts_ns, t.entry_price) for t in trades if t.side is Side.SELL],
        "gain square": [(t.exit_ts_ns, t.exit_price) for t in trades if t.pnl > 0],
        "loss square": [(t.exit_ts_ns, t.exit_price) for t in trades if t.pnl <= 0],
    }
    merge = 2 * len(trades) > MARKS_MAX
    pieces, drawn = [], 0
    for tone, points in groups.items():
        xs = shape.x(np.array([t for t, _ in points], np.int64))
        ys = shape.y(np.array([float(p) for _, p in points], np.float64))
        if merge:
            xs = (np.floor(xs * CELLS_X / BOX) + 0.5) * BOX / CELLS_X
            ys = (np.floor(ys * CELLS_Y / BOX) + 0.5) * BOX / CELLS_Y
        places = list(zip(np.round(xs, 1).tolist(), np.round(ys, 1).tolist(), strict=True))
        places = sorted(set(places)) if merge else places
        drawn += len(places)
        dots = "".join(f"M{x:g} {y:g}h0" for x, y in places)
        square = "square" if "square" in tone else ""
        if dots:
            pieces.append(f'<path class="dots halo {square}" d="{dots}"/>')
            pieces.append(f'<path class="dots {tone}" d="{dots}"/>')
    return "".join(pieces), drawn


def _links(trades: list[Trade], shape: Frame) -> str:
    """Lines from entry to exit, coloured by the result."""
    pieces = []
    for tone, chosen in (
        ("gain", [t for t in trades if t.pnl > 0]),
        ("loss", [t for t in trades if t.pnl <= 0]),
    ):
        xs = shape.x(np.array([(t.entry_ts_ns, t.exit_ts_ns) for t in chosen], np.int64))
        ys = shape.y(np.array([(t.entry_price, t.exit_price) for t in chosen], np.float64))
        lines = "".join(
            f"M{x0:.1f} {y0:.1f}L{x1:.1f} {y1:.1f}"
            for (x0, x1), (y0, y1) in zip(xs.tolist(), ys.tolist(), strict=True)
        )
        if lines:
            pieces.append(f'<path class="links {tone}" d="{lines}"/>')
    return "".join(pieces)


def months(record: RunRecord, initial: float) -> str:
    """A table of simple returns by month and year; the stronger the colour, the larger."""
    days = stats.daily(record.sample_ts, record.equity, initial=initial)
    returns = stats.monthly(days, initial=initial)
    if not returns:
        return section("months", "Monthly returns", note("The run left no equity samples."))
    largest = max(abs(value) for value in returns.values()) or 1.0

    def cell(value: float | None) -> str:
        if value is None:
            return "<td></td>"
        tone = "up" if value >= 0 else "down"
        strength = 0.06 + 0.5 * min(abs(value) / largest, 1.0)
        return f'<td class="{tone}" style="--a:{strength:.2f}">{percent(value)}</td>'

    rows = []
    for year in sorted({year for year, _ in returns}):
        values = [returns.get((year, month)) for month in range(1, 13)]
        total = float(np.prod([1.0 + value for value in values if value is not None])) - 1.0
        cells = "".join(cell(value) for value in values)
        rows.append(f'<tr><th scope="row">{year}</th>{cells}<td><b>{percent(total)}</b></td></tr>')
    heads = "".join(f'<th scope="col">{head}</th>' for head in ["", *MONTHS, "Year"])
    return section(
        "months",
        "Monthly returns",
        f'<div class="scroll"><table class="heat" aria-label="Monthly returns"><thead><tr>{heads}'
        f"</tr></thead><tbody>{''.join(rows)}</tbody></table></div>",
        note("First and last month cover only the days of the run. UTC."),
    )


def rolling(record: RunRecord, initial: float) -> str:
    """Sharpe ratio and volatility of the last 30 days, day by day."""
    days = stats.daily(record.sample_ts, record.equity, initial=initial)
    ratio, spread = stats.rolling(days.returns)
    title = f"Rolling {stats.ROLLING_DAYS} days"
    if not ratio.size:
        few = f"The run has {days.returns.size} days; the first window needs {stats.ROLLING_DAYS}."
        return section("rolling", title, note(few))
    span = span_of(record)
    ends = (days.day[stats.ROLLING_DAYS - 1 : days.returns.size] + 1) * stats.DAY_NS
    ends = np.minimum(ends, span[1])
    charts = []
    for name, line in (
        ("Sharpe ratio", Line("annualised", "main", ends, ratio, "ratio")),
        ("Volatility", Line("annualised", "other", ends, spread, "percent")),
    ):
        known = line.y[np.isfinite(line.y)]
        low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
        write = percent if line.words == "percent" else number
        label = f"{name} over {stats.ROLLING_DAYS} days, between {write(low)} and {write(high)}"
        shape = frame([line], span=span, zero=True)
        charts.append(time_chart(name, [line], shape, label=label, height=190))
    return section("rolling", title, f'<div class="pair">{"".join(charts)}</div>')


def drawdowns(record: RunRecord, initial: float) -> str:
    """The five deepest falls with their times."""
    times, values = stats.curve(record, initial)
    falls = stats.worst_drawdowns(times, values)
    if not falls:
        words = "Equity never fell." if values.size else "The run left no equity samples."
        return section("drawdowns", "Worst five drawdowns", note(words))
    rows = [
        (
            percent(fall.fraction, 2),
            when(fall.peak_ns),
            when(fall.trough_ns),
            "not yet" if fall.recovery_ns is None else when(fall.recovery_ns),
            duration((fall.trough_ns - fall.peak_ns) / 1e9),
            duration(((fall.recovery_ns or int(times[-1])) - fall.peak_ns) / 1e9),
        )
        for fall in falls
    ]
    heads = ["Depth", "Peak", "Trough", "Recovery", "Fall", "Under water"]
    return section("drawdowns", "Worst five drawdowns", table(heads, rows, name="Worst drawdowns"))


def distribution(record: RunRecord, initial: float) -> str:
    """Histogram of daily returns with value at risk, and its shape in figures."""
    returns = stats.daily(record.sample_ts, record.equity, initial=initial).returns
    if returns.size < 2:
        return section("distribution", "Daily returns", note("Fewer than two days."))
    risk = value_at_risk(returns) or 0.0
    beyond = conditional_value_at_risk(returns) or 0.0
    chart = histogram(
        "Days by return",
        returns,
        label=f"Histogram of {returns.size} daily returns",
        words="percent",
        lines=(-risk, -beyond),
    )
    words = (
        f"Dashed: value at risk 95 %, one day in twenty ends below {percent(-risk, 2)}. Dotted: "
        f"the mean of those days (CVaR), {percent(-beyond, 2)}. Both from the days of the run."
    )
    return section("distribution", "Daily returns", chart, note(words))


def trades(record: RunRecord) -> str:
    """Round trips by result, holding time, hour of entry and symbol."""
    done = record.trades
    if not done:
        return section("trades", "Trades", note("No round trip was completed."))
    pnl = np.array([float(trade.pnl) for trade in done])
    results = histogram(
        "Round trips by result after fees", pnl, label=f"Histogram of {len(done)} results"
    )
    limits = np.array([limit for limit, _ in HOLDING])
    held = np.array([(trade.exit_ts_ns - trade.entry_ts_ns) / 1e9 for trade in done])
    places = np.searchsorted(limits, held, side="right") - 1
    counts = np.bincount(places, minlength=len(HOLDING)).tolist()
    holding = bar_chart(
        "Round trips by holding time",
        [
            Bar(count, f"from {mark}: {count}", mark, "plain")
            for count, (_, mark) in zip(counts, HOLDING, strict=True)
        ],
        label="Round trips by holding time",
        words="count",
        at_edges=True,
    )
    hours = [ZERO] * 24
    for trade in done:
        hours[moment(trade.entry_ts_ns).hour] += trade.pnl
    by_hour = bar_chart(
        "Result by hour of entry, UTC",
        [
            Bar(float(sum_), f"{hour:02}:00: {money(sum_)}", "" if hour % 3 else f"{hour:02}")
            for hour, sum_ in enumerate(hours)
        ],
        label="Sum of results by hour of entry",
    )
    symbols = f"<div><h3>By symbol</h3>{_by_symbol(done)}</div>"
    charts = f'<div class="pair">{results}{holding}{by_hour}{symbols}</div>'
    return section("trades", "Trades", charts)


def _by_symbol(done: list[Trade]) -> str:
    rows = []
    for symbol in sorted({trade.symbol for trade in done}):
        own = [trade for trade in done if trade.symbol == symbol]
        result = sum((trade.pnl for trade in own), ZERO)
        fees = sum((trade.fees for trade in own), ZERO)
        share = percent(stats.win_rate(own) or 0.0)
        total = signed(result, money(result))
        rows.append((escape(symbol), f"{len(own):,}", share, money(fees), total))
    heads = ["Symbol", "Trades", "Won", "Fees", "Result"]
    return table(heads, rows, name="Results by symbol")


def exposure(record: RunRecord) -> str:
    """Signed position value over equity at each sample."""
    if not record.exposure.size:
        return section("exposure", "Exposure", note("The run left no equity samples."))
    name = "Position value over equity"
    line = Line(name, "main area", record.sample_ts, record.exposure, "percent")
    most = percent(float(np.abs(record.exposure).max()))
    label = f"Signed position value over equity; at most {most} in size"
    shape = frame([line], span=span_of(record), zero=True)
    words = "Above zero long, below zero short; beyond 100 % the account is leveraged."
    chart = time_chart("Exposure", [line], shape, label=label, height=180)
    return section("exposure", "Exposure over time", chart, note(words))
