# SPDX-License-Identifier: Apache-2.0
"""The result of a run as a table for people, 80 columns wide. What is not known is a dash."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from rich import box
from rich.table import Table

from hean.backtest.report_strategies import NOBODY
from hean.core.listing import pair_of

UNKNOWN = "–"
WIDTH_MAX = 80
QUOTES = ("FDUSD", "USDT", "USDC", "TUSD", "BUSD", "USD", "EUR", "TRY", "BRL", "DAI", "BTC", "ETH")
"""Longer names first, because one may end with another."""


def summary_table(summary: dict[str, Any]) -> Table:
    """The figures most people look for first."""
    table = Table(
        title=f"{summary['strategy']} on {', '.join(summary['symbols'])}",
        show_header=False,
        box=box.SIMPLE_HEAD,
        width=None,
    )
    table.add_column(style="bold", no_wrap=True)
    table.add_column(justify="right", overflow="fold", max_width=WIDTH_MAX - 28)
    quote = quote_of(summary["symbols"])
    rows: Sequence[tuple[str, str]] = (
        ("period", f"{_moment(summary['start'])} to {_moment(summary['end'])}"),
        (
            "equity",
            f"{money(summary['initial_equity'])} → {money(summary['final_equity'])} {quote}",
        ),
        ("net profit", f"{money(summary['net_pnl'])} {quote} ({_total_return(summary)})"),
        *(
            (f"  {each['name'] or NOBODY}", f"{money(each['net_pnl'])} {quote}")
            for each in summary.get("strategies", ())
            if each["name"] or Decimal(each["net_pnl"])
        ),
        ("buy and hold", percent(summary["buy_and_hold_return"])),
        ("largest drawdown", percent(summary["max_drawdown_fraction"])),
        ("sharpe (daily, 365)", ratio(summary["sharpe"])),
        ("sortino / calmar", f"{ratio(summary['sortino'])} / {ratio(summary['calmar'])}"),
        ("trades, win rate", f"{summary['trades']:,}, {percent(summary['win_rate'])}"),
        ("profit factor", ratio(summary["profit_factor"])),
        ("fees / funding paid", f"{money(summary['fees'])} / {money(summary['funding'])} {quote}"),
        ("slippage", f"{money(summary['slippage_cost'])} {quote}"),
        ("time in the market", percent(summary["exposure_fraction"])),
        ("orders / fills", f"{summary['orders']:,} / {summary['fills']:,}"),
        ("market events", f"{summary['events']:,} in {summary['wall_s']:.2f} s"),
        ("state hash", str(summary["state_hash"])[:16]),
    )
    for name, value in (*rows, *_process_rows(summary, quote)):
        table.add_row(name, value)
    return table


def _process_rows(summary: dict[str, Any], quote: str) -> list[tuple[str, str]]:
    rows = []
    for it in summary.get("processes", ()):
        share, profit = percent(it["share"]), money(it["profit"])
        words = f"{it['state']}, {share} of equity, profit {profit} {quote}"
        rows.append((f"process {it['name']}", words))
    return rows


def quote_of(symbols: Sequence[str]) -> str:
    """The asset that money of these symbols is counted in; empty if they differ or are unknown."""
    quotes = {next((q for q in QUOTES if pair_of(symbol).endswith(q)), "") for symbol in symbols}
    return quotes.pop() if len(quotes) == 1 else ""


def money(amount: str | None) -> str:
    """Two decimals, thousands apart."""
    return UNKNOWN if amount is None else f"{Decimal(amount):,.2f}"


def percent(value: float | None) -> str:
    """A fraction in percent."""
    return UNKNOWN if value is None else f"{value:.2%}"


def ratio(value: float | None) -> str:
    """A pure number."""
    return UNKNOWN if value is None else f"{value:.2f}"


def _total_return(summary: dict[str, Any]) -> str:
    initial = Decimal(summary["initial_equity"])
    return f"{float(Decimal(summary['net_pnl']) / initial):+.2%}" if initial else UNKNOWN


def _moment(text: str) -> str:
    """`2025-01-31 12:00`, UTC."""
    day, _, rest = text.partition("T")
    return f"{day} {rest[:5]}"
