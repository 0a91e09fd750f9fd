# SPDX-License-Identifier: Apache-2.0
"""`hean demo`: the live table of a paper session and the report at its end."""

from __future__ import annotations

import sys
import time
import webbrowser
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from hean.backtest.report import render_report
from hean.cli_common import (
    DATA_DIR_DEFAULT,
    DataDirOption,
    DebugOption,
    JsonOption,
    run_command,
    say,
    table_console,
    write_json,
    write_whole,
)
from hean.cli_table import summary_table
from hean.data.fingerprint import iso_utc
from hean.demo import Demo, DemoSettings

REPORT = "demo-report.html"
_BARS = "▁▂▃▄▅▆▇█"
_CURVE_WIDTH = 60


def mount(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command("demo", epilog="Example: hean demo --duration 30 --seed 7")(demo)


@run_command
def demo(
    *,
    duration: Annotated[
        float | None, typer.Option(help="Wall-clock seconds; without it until Ctrl-C.", min=1)
    ] = None,
    speed: Annotated[float, typer.Option(help="Market seconds per second.", min=1, max=3600)] = 120,
    seed: Annotated[int, typer.Option(help="Seed of the generated market.", min=0)] = 7,
    report: Annotated[Path | None, typer.Option(help="Where the report goes.")] = None,
    browser: Annotated[bool, typer.Option(help="Open the report at the end.")] = True,
    data_dir: DataDirOption = DATA_DIR_DEFAULT,
    json_to: JsonOption = None,
    debug: DebugOption = False,
) -> None:
    """Trade on paper, on a generated market, right now: no key, no account, no server."""
    is_terminal = sys.stderr.isatty()
    console = Console(stderr=True)
    target = report or data_dir.expanduser() / REPORT
    target.parent.mkdir(parents=True, exist_ok=True)
    say(
        f"PAPER trading on a generated market (seed {seed}, {speed:g}x real time). "
        "Ctrl-C ends it with a report.",
        json_to=json_to,
    )
    with Live(console=console, auto_refresh=False, transient=True) as live:
        curve: list[float] = []

        def show(session: Demo) -> None:
            if is_terminal:
                live.update(_screen(session, curve), refresh=True)

        summary, record = Demo(DemoSettings(duration, speed, seed), show).run()
    write_whole(target, render_report(summary, record))
    if json_to is not None:
        write_json(summary, json_to)
    table_console(json_to).print(summary_table(summary))
    say(f"report: {target}", json_to=json_to)
    if browser and is_terminal and sys.stdout.isatty():
        webbrowser.open(target.as_uri())


def _screen(demo: Demo, curve: list[float]) -> Group:
    """The live view: account on top, a row a symbol, the last fills."""
    session = demo.session
    portfolio, venue = session.system.portfolio, session.venue
    equity = portfolio.value()
    curve.append(equity)
    del curve[:-_CURVE_WIDTH]
    start = float(session.settings.account.cash)
    colour = "green" if equity >= start else "red"
    wall_s = time.monotonic() - demo.started_s
    head = Text.assemble(
        ("PAPER ", "bold blue"),
        f"{iso_utc(session.clock.now_ns // 1_000_000_000 * 1_000_000_000)}  equity ",
        (f"{equity:,.2f}", f"bold {colour}"),
        (f" ({equity / start - 1:+.2%})  ", colour),
        f"{venue.core.offered / max(wall_s, 1e-9):,.0f} events/s  ",
        _sparkline(curve),
    )
    table = Table(expand=False)
    for name in ("symbol", "price", "position", "average", "unrealized", "realized"):
        table.add_column(name, justify="left" if name == "symbol" else "right")
    for symbol in portfolio.symbols:
        qty, average, unrealized, realized, _ = portfolio.ledger.position(symbol)
        price = venue.last_price(symbol)
        table.add_row(
            symbol,
            "–" if price is None else f"{price:,.2f}",
            f"{qty:f}",
            f"{average:,.2f}" if qty else "–",
            f"{unrealized:+,.2f}" if qty else "–",
            f"{realized:+,.2f}",
        )
    fills = Table(title="last fills", show_header=False, expand=False)
    for row in session.recorder.last_fills(5):
        fills.add_row(
            iso_utc(row.ts_ns)[11:19],
            row.symbol,
            Text(row.side.value, style="green" if row.side == "BUY" else "red"),
            f"{row.qty:f}",
            f"{row.price:,.2f}",
            row.liquidity.value.lower(),
        )
    counts = Text(
        f"orders {session.recorder.orders}  refused {session.recorder.rejected}  "
        f"resting {venue.core.open_orders}"
    )
    return Group(head, table, fills, counts)


def _sparkline(values: list[float]) -> str:
    """A line of blocks between the lowest and the highest value."""
    low, high = min(values), max(values)
    if high <= low:
        return _BARS[0] * len(values)
    scale = (len(_BARS) - 1) / (high - low)
    return "".join(_BARS[round((value - low) * scale)] for value in values)
