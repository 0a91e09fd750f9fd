# SPDX-License-Identifier: Apache-2.0
"""What a session on a live feed shows on a terminal while it runs: account on top, a row a symbol,
the last fills, the feed. Nothing in a pipe.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import ExitStack

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from hean.data.fingerprint import iso_utc
from hean.feeds.freshness import STALE
from hean.paper import Paper

FILLS_SHOWN = 5


def is_watched() -> bool:
    """Whether a person sits in front of it."""
    return sys.stderr.isatty()


def can_browse() -> bool:
    """Whether that person has windows: a browser in their terminal would take it away from us."""
    has_windows = sys.platform in ("darwin", "win32") or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )
    return is_watched() and has_windows


def shower(stack: ExitStack) -> Callable[[Paper], None] | None:
    """A live table on a terminal, nothing in a pipe."""
    if not is_watched():
        return None
    live = stack.enter_context(
        Live(console=Console(stderr=True), auto_refresh=False, transient=True)
    )
    return lambda session: live.update(_screen(session), refresh=True)


def _screen(paper: Paper) -> Group:
    """The live view."""
    run, feeds = paper.session.run, paper.feeds.feeds
    portfolio = run.system.portfolio
    start, equity = float(run.settings.account.cash), portfolio.value()
    colour = "green" if equity >= start else "red"
    head = Text.assemble(
        ("PAPER ", "bold blue"),
        f"{paper.origin}  equity ",
        (f"{equity:,.2f}", f"bold {colour}"),
        (f" ({equity / start - 1:+.2%})", colour),
    )
    table = Table(expand=False)
    for name in ("symbol", "price", "position", "unrealized", "realized", "data"):
        table.add_column(name, justify="left" if name in ("symbol", "data") else "right")
    for symbol in portfolio.symbols:
        qty, _, unrealized, realized, _ = portfolio.ledger.position(symbol)
        price = run.venue.last_price(symbol)
        old = [
            report.component.split(".")[-2]
            for report in paper.session.health.values()
            if report.state == STALE and (report.extra or {}).get("symbol") == symbol
        ]
        table.add_row(
            symbol,
            "–" if price is None else f"{price:,.2f}",
            f"{qty:f}",
            f"{unrealized:+,.2f}",
            f"{realized:+,.2f}",
            Text(f"stale: {', '.join(old)}", style="red") if old else Text("fresh", style="green"),
        )
    counts = Text(
        f"orders {run.recorder.orders}  refused {run.recorder.rejected}  "
        f"resting {run.venue.core.open_orders}  reconnects {sum(f.reconnects for f in feeds)}  "
        f"asked again {sum(f.renewals for f in feeds)}"
    )
    return Group(head, table, _fills(paper), counts)


def _fills(paper: Paper) -> Table:
    rows = Table(title="last fills", show_header=False, expand=False)
    for row in paper.session.run.recorder.last_fills(FILLS_SHOWN):
        rows.add_row(
            iso_utc(row.ts_ns)[11:19],
            row.symbol,
            Text(row.side.value, style="green" if row.side == "BUY" else "red"),
            f"{row.qty:f}",
            f"{row.price:,.2f}",
            row.liquidity.value.lower(),
        )
    return rows
