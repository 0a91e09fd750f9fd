# SPDX-License-Identifier: Apache-2.0
"""`report.py`: a backtest on one page. `render_report` makes a single HTML file that needs no
network, no server and no library: verdict first, then what was run, figures, drawings, and what
was assumed. Same input, same bytes: nothing of the clock, the machine or chance gets in, so the
run's own speed (`wall_s` and its like) stays in the JSON.

Everything that comes from outside is escaped, and a content policy admits no script but the one
of the page.
"""

from __future__ import annotations

import base64
import hashlib
import math
import shlex
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from html import escape
from importlib.resources import files
from pathlib import Path

from hean import __version__
from hean.backtest import report_sections as parts
from hean.backtest import stats
from hean.backtest.report_charts import NOTE, number, percent
from hean.backtest.report_sections import money, note, section, signed, table
from hean.backtest.report_strategies import strategies
from hean.backtest.result import RunRecord, Trade
from hean.core.types import Side
from hean.quant.sharpe import CONFIDENCE

Summary = Mapping[str, object]

FEW_TRADES = 30  # below, an average says little about any distribution
FEW_DAYS = 30
LISTED = 500  # trades shown from the start, and as many from the end
UNKNOWN = "\u2013"


def write_report(path: Path, summary: Summary, record: RunRecord) -> None:
    """Write the report to *path* whole or not at all; an older file stays until then."""
    page = render_report(summary, record)
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(page, encoding="utf-8", newline="\n")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def render_report(summary: Summary, record: RunRecord) -> str:
    """The page for one run. *summary*: the JSON of the run (CONTRACT 3); a missing field shows as
    a dash. *record*: what the drawings and the derived figures are made from.
    """
    initial = float(_decimal(summary, "initial_equity") or _first(record))
    figures = stats.summarise(record, initial)
    body = (
        _run_card(summary),
        _key_figures(summary, record, figures=figures),
        strategies(summary),
        parts.equity(record, initial),
        parts.prices(record),
        parts.months(record, initial),
        parts.rolling(record, initial),
        parts.drawdowns(record, initial),
        parts.distribution(record, initial),
        parts.trades(record),
        parts.exposure(record),
        _costs(summary),
        assumptions(summary),
        data_files(summary),
        _trade_list(summary, record.trades),
    )
    return page(_title(summary), verdict(summary, record), "".join(body))


def verdict(summary: Summary, record: RunRecord) -> str:
    """The result in one sentence: what was made, what doing nothing made, and skill or luck."""
    initial, net = _decimal(summary, "initial_equity"), _decimal(summary, "net_pnl")
    if not initial or net is None:
        return "The run has no result."
    result = float(net / initial)
    verb = "Made" if result > 0 else "Lost" if result < 0 else "Made nothing"
    said = [f"{verb} {percent(abs(result))} after costs" if result else f"{verb} after costs"]
    held = _ratio("buy_and_hold_return", summary)
    if held is not None:
        said.append(f"buy and hold {'made' if held >= 0 else 'lost'} {percent(abs(held))}")
    return "; ".join([*said, _luck(summary, record)]) + "."


def _luck(summary: Summary, record: RunRecord) -> str:
    """Whether the record is long enough to tell skill from luck, and what it tells then."""
    initial = float(_decimal(summary, "initial_equity") or 0)
    trades = len(record.trades)
    if not trades:
        return "no trade was completed"
    if trades < FEW_TRADES:
        return f"too few trades ({trades}) to tell skill from luck"
    extra = stats.summarise(record, initial)["extra"]
    assert isinstance(extra, dict)
    days, chance = extra["days"], extra["probabilistic_sharpe"]
    if days < FEW_DAYS:
        return f"too few days ({days}) to tell skill from luck"
    if chance is None:
        return "daily returns do not vary, so luck cannot be judged"
    if chance >= CONFIDENCE:
        return "hard to explain by luck alone, if this was the only attempt"
    if chance <= 1 - CONFIDENCE:
        return "too steady a loss to be bad luck"
    return "not distinguishable from luck"


def page(title: str, sentence: str, body: str) -> str:
    """A whole page of cards under one sentence. *title*, *sentence*: text; *body*: HTML."""
    style, script = _resource("report_page.css"), _resource("report_page.js")
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy()}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<link rel="icon" href="data:,">\n<title>{escape(title)}</title>\n'
        f"<style>\n{style}</style>\n</head>\n<body>\n"
        f'<header><div class="top"><div class="brand">HEAN<span>{escape(title)}</span></div>'
        '<div class="screen"><button id="theme" type="button">Light / dark</button> '
        '<button id="tone" type="button">Colours</button> '
        '<button id="print" type="button">Print</button></div></div>'
        f"<h1>{escape(sentence)}</h1></header>\n<main>\n{body}"
        f'<footer><p class="screen">Point at a chart, or focus it and use the arrow keys, to read '
        f"values; Shift moves further.</p><p>{escape(NOTE)} A backtest is a claim about the past "
        f"under the assumptions above.</p></footer>\n</main>\n<script>{script}</script>\n"
        "</body>\n</html>\n"
    )


def policy() -> str:
    """The content policy of a report: no script but its own."""
    script = _resource("report_page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _resource(name: str) -> str:
    return files("hean.backtest").joinpath(name).read_text(encoding="utf-8")


def _title(summary: Summary) -> str:
    symbols = ", ".join(_texts(summary.get("symbols")))
    return f"{_text(summary, 'strategy')} \u00b7 {symbols or UNKNOWN} \u00b7 {_period(summary)}"


def _run_card(summary: Summary) -> str:
    data = [item for item in _list(summary, "data") if isinstance(item, dict)]
    prints = [str(item.get("sha256", UNKNOWN))[:12] for item in data]
    params = summary.get("params")
    settings = params.items() if isinstance(params, dict) else ()
    facts = {
        "Strategy": _text(summary, "strategy"),
        "Symbols": ", ".join(_texts(summary.get("symbols"))) or UNKNOWN,
        "Period": _period(summary) + " UTC",
        "Events": f"{_count(summary, 'events')} of the market",
        "Seed": _text(summary, "seed"),
        "Version": f"hean {summary.get('version', __version__)}",
    }
    wide = {
        "Parameters": ", ".join(f"{key} = {value}" for key, value in settings) or "defaults",
        "Data": f"{len(data)} files, sha256 {' '.join(prints)}" if data else UNKNOWN,
        "State hash": _text(summary, "state_hash"),
        "Journal hash": _text(summary, "journal_hash"),
    }
    rows = "".join(f"<dt>{key}</dt><dd>{escape(value)}</dd>" for key, value in facts.items())
    rows += "".join(
        f'<dt>{key}</dt><dd class="wide">{escape(value)}</dd>' for key, value in wide.items()
    )
    again = (
        '<h3>Reproduce <button id="copy" class="screen" type="button">Copy</button></h3>'
        f'<pre id="command">{escape(reproduce(summary))}</pre>'
    )
    return section("run", "The run", f'<dl class="words">{rows}</dl>', again)


def reproduce(summary: Summary) -> str:
    """The command line that repeats the run: `command` of the summary, else made of its fields."""
    if isinstance(given := summary.get("command"), str):
        return given
    words = ["hean", "backtest", *_traders(summary)]
    for item in _list(summary, "data"):
        if isinstance(item, dict):
            words += ["--data", str(item.get("file", ""))]
    named = {"start": "--start", "end": "--end", "initial_equity": "--cash", "seed": "--seed"}
    for key, option in named.items():
        if summary.get(key) is not None:
            words += [option, str(summary[key])]
    params = summary.get("params")
    for key, value in params.items() if isinstance(params, dict) else ():
        words += ["--param", f"{key}={value}"]
    return shlex.join([*words, *_texts(summary.get("options"))])


def _traders(summary: Summary) -> list[str]:
    """Who trades what."""
    seats = [each for each in _list(summary, "strategies") if isinstance(each, dict)]
    words: list[str] = []
    for seat in seats:
        if seat["name"]:
            words += ["--strategy", f"{seat['strategy']}={','.join(seat['symbols'])}"]
    if not seats:
        words += ["--strategy", _text(summary, "strategy")]
        for symbol in _texts(summary.get("symbols")):
            words += ["--symbol", symbol]
    return words


class _Figures:
    """Looks a figure up by name, in the summary before what was derived, and writes it."""

    def __init__(self, summary: Summary, derived: Mapping[str, object]) -> None:
        extra = derived["extra"]
        assert isinstance(extra, dict)
        self.more: Mapping[str, object] = extra
        self._sources = (summary, derived, self.more)

    def share(self, name: str, digits: int = 1) -> str:
        """A fraction in percent."""
        value = _ratio(name, *self._sources)
        return UNKNOWN if value is None else percent(value, digits)

    def ratio(self, name: str) -> str:
        """A plain number with two decimals."""
        value = _ratio(name, *self._sources)
        return UNKNOWN if value is None else number(value)

    def whole(self, name: str) -> str:
        """A count, rounded up."""
        value = _ratio(name, self.more)
        return UNKNOWN if value is None else f"{math.ceil(value):,}"

    def span(self, name: str, unit_s: float) -> str:
        """A length of time, given in units of *unit_s* seconds."""
        value = _ratio(name, self.more)
        return UNKNOWN if value is None else parts.duration(value * unit_s)


def _key_figures(summary: Summary, record: RunRecord, *, figures: Mapping[str, object]) -> str:
    of = _Figures(summary, figures)
    pairs = {
        "Final equity": _money(summary, "final_equity"),
        "Annual growth": of.share("annual_return"),
        "Volatility, annual": of.share("volatility"),
        "Sortino ratio": of.ratio("sortino"),
        "Calmar ratio": of.ratio("calmar"),
        "Omega ratio": of.ratio("omega"),
        "Probability of a Sharpe ratio above 0": of.share("probabilistic_sharpe"),
        "Days needed to claim that": of.whole("min_track_record_days"),
        "Days in the run": of.whole("days"),
        "Payoff (average win / loss)": of.ratio("payoff"),
        "Mean holding time": of.span("mean_holding_s", 1),
        "Time in the market": of.share("exposure_fraction"),
        "Mean size of exposure": of.share("mean_absolute_exposure"),
        "Turnover, times the equity": of.ratio("turnover"),
        "Time under water": of.share("underwater_fraction"),
        "Value at risk 95 %, one day": of.share("value_at_risk_95", 2),
        "CVaR 95 %, one day": of.share("conditional_value_at_risk_95", 2),
        "Best day": of.share("best_day", 2),
        "Worst day": of.share("worst_day", 2),
        "Days with a gain": of.share("positive_days_fraction"),
        "Skewness": of.ratio("skew"),
        "Kurtosis (normal = 3)": of.ratio("kurtosis"),
        "Tail ratio": of.ratio("tail_ratio"),
        "Orders and fills": f"{_count(summary, 'orders')} and {_count(summary, 'fills')}",
    }
    rest = "".join(f"<div><dt>{key}</dt><dd>{value}</dd></div>" for key, value in pairs.items())
    words = (
        "Money in quote currency. Ratios from daily returns in UTC, 365 days a year, no risk-free "
        "rate; a first or last day that is partly covered counts as a day. A dash: undefined here."
    )
    lists = f'{_tiles(summary, record, of)}<dl class="pairs">{rest}</dl>'
    return section("figures", "Key figures", lists, note(words))


def _tiles(summary: Summary, record: RunRecord, of: _Figures) -> str:
    """The six figures that a reader looks for first."""
    net, initial = _decimal(summary, "net_pnl"), _decimal(summary, "initial_equity")
    gained = UNKNOWN if net is None else signed(net, money(net))
    rate = percent(float(net / initial), 2) if net is not None and initial else UNKNOWN
    each = _decimal(of.more, "expectancy")
    average = UNKNOWN if each is None else signed(each, money(each))
    interval = f"95 % between {of.ratio('sharpe_low')} and {of.ratio('sharpe_high')}"
    longest = f"longest {of.span('longest_drawdown_days', 86_400)}"
    tiles = [
        ("Net result", gained, f"{rate} of {_money(summary, 'initial_equity')}"),
        ("Buy and hold", of.share("buy_and_hold_return"), "same period, no costs"),
        ("Max drawdown", of.share("max_drawdown_fraction"), longest),
        ("Sharpe ratio", of.ratio("sharpe"), interval),
        ("Profit factor", of.ratio("profit_factor"), f"won {of.share('win_rate')} of trades"),
        ("Trades", f"{len(record.trades):,}", f"{average} on average"),
    ]
    shown = "".join(
        f"<div><dt>{name}</dt><dd>{value}<small>{below}</small></dd></div>"
        for name, value, below in tiles
    )
    return f'<dl class="tiles">{shown}</dl>'


def _costs(summary: Summary) -> str:
    """From the result before costs to the net result, cost by cost."""
    names = {"fees": "Fees", "funding": "Funding", "slippage_cost": "Slippage"}
    costs = {name: _decimal(summary, key) for key, name in names.items()}
    net = _decimal(summary, "net_pnl")
    if net is None:
        return section("costs", "Costs", note("The run has no result."))
    gross = net + sum((cost for cost in costs.values() if cost is not None), Decimal(0))
    steps = [("Before costs", gross), *((n, None if c is None else -c) for n, c in costs.items())]
    steps.append(("Net result", net))
    largest = max(abs(value) for _, value in steps if value is not None) or Decimal(1)
    rows = []
    for name, value in steps:
        if value is None:
            rows.append((name, UNKNOWN, UNKNOWN, ""))
            continue
        tone = "gain" if value >= 0 else "loss"
        width = f"width:{float(abs(value) / largest) * 100:.1f}%;background:currentColor"
        bar = f'<i class="meter {tone}" style="{width}"></i>'
        share = percent(float(value / gross)) if gross > 0 else UNKNOWN
        rows.append((name, signed(value, money(value)), share, bar))
    words = (
        "Slippage is what fills cost against the price at the moment of the decision; it is part "
        "of the fill prices, so the result before costs is net plus all costs. Funding received "
        "counts as a gain."
    )
    heads = ["", "Amount", "Of result before costs", "Size"]
    drawn = table(heads, rows, name="Costs", style="costs")
    return section("costs", "Costs", drawn, note(words))


def assumptions(summary: Summary) -> str:
    """What the simulated exchange was told to be like."""
    given = summary.get("assumptions")
    if not isinstance(given, dict) or not given:
        return section("assumptions", "Assumptions", note("The run stated none."))
    rows = "".join(
        f"<dt>{escape(str(key).replace('_', ' ').capitalize())}</dt><dd>{escape(str(value))}</dd>"
        for key, value in given.items()
    )
    return section("assumptions", "Assumptions", f'<dl class="words">{rows}</dl>')


def data_files(summary: Summary) -> str:
    """Every file of the run with its fingerprint."""
    items = [item for item in _list(summary, "data") if isinstance(item, dict)]
    if not items:
        return section("data", "Data", note("The run named no files."))
    rows = [
        (
            f"{escape(_text(item, 'file'))}<br><code>{escape(_text(item, 'sha256'))}</code>",
            _count(item, "rows"),
            escape(_minute(item, "first_ts")),
            escape(_minute(item, "last_ts")),
            _count(item, "gaps"),
        )
        for item in items
    ]
    heads = ["File and its sha256", "Rows", "First, UTC", "Last, UTC", "Gaps"]
    return section("data", "Data", table(heads, rows, name="Data files", style="data"))


def _trade_list(summary: Summary, trades: list[Trade]) -> str:
    if not trades:
        return section("list", "Trade list", note("No round trip was completed."))
    numbered = list(enumerate(trades, 1))
    cut = len(numbered) > 2 * LISTED
    shown = [*numbered[:LISTED], *numbered[-LISTED:]] if cut else numbered
    heads = ["No.", "Symbol", "Side", "Entry, UTC", "Exit, UTC", "Held", "Quantity"]
    heads += ["Entry", "Exit", "Fees", "Result", "Return"]
    rows = [_trade_row(place, trade) for place, trade in shown]
    whole = table(heads, rows, name="Trades", style="trades")
    whole = whole.replace('class="scroll"', 'class="scroll tall" tabindex="0"', 1)
    words = f"The first and the last {LISTED} of {len(trades):,} trades. " if cut else ""
    file = summary.get("trades_file")
    words += f"All of them are in {file}. " if file else "The CSV of the run has all of them. "
    paper = '<p class="note paper">On paper the first 40 are listed.</p>'
    words += "Quantity is the largest held; result after fees, before funding."
    return section("list", "Trade list", note(words), paper, whole)


def _trade_row(place: int, trade: Trade) -> tuple[str, ...]:
    value = trade.qty * trade.entry_price
    return (
        f"{place:,}",
        escape(trade.symbol),
        "long" if trade.side is Side.BUY else "short",
        parts.when(trade.entry_ts_ns),
        parts.when(trade.exit_ts_ns),
        parts.duration((trade.exit_ts_ns - trade.entry_ts_ns) / 1e9),
        f"{trade.qty.normalize():f}",
        f"{float(trade.entry_price):,.8g}",
        f"{float(trade.exit_price):,.8g}",
        money(trade.fees),
        signed(trade.pnl, money(trade.pnl)),
        percent(float(trade.pnl / value), 2) if value else UNKNOWN,
    )


def _first(record: RunRecord) -> float:
    return float(record.equity[0]) if record.equity.size else 0.0


def _decimal(summary: Summary, key: str) -> Decimal | None:
    try:
        value = Decimal(str(summary.get(key)))
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


def _ratio(key: str, *sources: Summary) -> float | None:
    """The first finite number of that name."""
    for source in sources:
        value = source.get(key)
        if isinstance(value, int | float) and math.isfinite(value):
            return float(value)
    return None


def _money(summary: Summary, key: str) -> str:
    value = _decimal(summary, key)
    return UNKNOWN if value is None else money(value)


def _count(source: Summary, key: str) -> str:
    value = source.get(key)
    if isinstance(value, list):
        value = len(value)
    return f"{value:,}" if isinstance(value, int) else UNKNOWN


def _text(source: Summary, key: str) -> str:
    value = source.get(key)
    return UNKNOWN if value is None else str(value)


def _texts(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list | tuple) else []


def _list(summary: Summary, key: str) -> list[object]:
    value = summary.get(key)
    return list(value) if isinstance(value, list | tuple) else []


def _period(summary: Summary) -> str:
    return f"{_minute(summary, 'start')} to {_minute(summary, 'end')}"


def _minute(source: Summary, key: str) -> str:
    """An ISO time cut to its minute."""
    return _text(source, key)[:16].replace("T", " ")
