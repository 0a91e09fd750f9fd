# SPDX-License-Identifier: Apache-2.0
"""`hean backtest` and `hean replay`: typed options become settings, the result becomes a table, a
JSON document, a report and a journal. Nothing is computed here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from hean.backtest.assumptions import Assumptions, parse_fees, parse_latency, parse_slippage
from hean.backtest.journaling import finish_journal, replay, start_journal
from hean.backtest.report import write_report
from hean.backtest.run import Backtest, BacktestSettings, equity_csv, trades_csv
from hean.cli_common import (
    DebugOption,
    JsonOption,
    progress,
    run_command,
    say,
    table_console,
    write_json,
    write_whole,
)
from hean.core.parameters import Value
from hean.core.timeframe import timeframe_ns
from hean.data.reader import is_capture
from hean.errors import InputError, ParameterInvalid, UnknownSymbol
from hean.feeds.history import load_history
from hean.risk.sizing import Sizing, SizingMethod
from hean.system import AccountSettings

DATA_SUFFIXES = (".parquet", ".csv")

StrategyOption = Annotated[
    str, typer.Option("--strategy", help="A name, or path.py:Class of your own.")
]
SymbolOption = Annotated[
    list[str], typer.Option("--symbol", help="What to trade; repeat for more.")
]
DataOption = Annotated[
    list[Path], typer.Option("--data", help="File or folder of recorded data; repeat for more.")
]
ParamOption = Annotated[
    list[str] | None, typer.Option("--param", help="name=value of the strategy; repeat for more.")
]


def mount(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command(
        "backtest",
        epilog="Example: hean backtest --strategy impulse --symbol BTCUSDT --data btc_5m.parquet "
        "--report report.html",
    )(backtest)
    app.command("replay", epilog="Example: hean replay run.journal")(replay_journal)


@run_command
def backtest(
    *,
    strategy: StrategyOption,
    symbol: SymbolOption,
    data: DataOption,
    start: Annotated[str | None, typer.Option(help="First moment, ISO 8601, UTC.")] = None,
    end: Annotated[str | None, typer.Option(help="Last moment, ISO 8601, UTC.")] = None,
    cash: Annotated[str, typer.Option(help="Quote currency at the start.")] = "10000",
    param: ParamOption = None,
    seed: Annotated[int, typer.Option(help="Seed of every random draw.", min=0)] = 0,
    fees: Annotated[str | None, typer.Option(help="maker=0.0002,taker=0.00055.")] = None,
    latency: Annotated[str, typer.Option(help="50ms, normal:50ms,10ms, recorded:…")] = "50ms",
    slippage: Annotated[
        str, typer.Option(help="none, or half_spread=0.00005,impact=0.5 (bars, trades).")
    ] = "half_spread=0.00005,impact=0.5",
    leverage: Annotated[str, typer.Option(help="Of perpetuals.")] = "3",
    sizing: Annotated[
        SizingMethod, typer.Option(help="How a signal without a size gets one.")
    ] = SizingMethod.FIXED_FRACTION,
    fraction: Annotated[float, typer.Option(help="Position value over equity.")] = 0.5,
    queue: Annotated[str, typer.Option(help="Queue model: log or pessimistic.")] = "log",
    bar: Annotated[str, typer.Option(help="Bar length built from ticks.")] = "1m",
    report: Annotated[Path | None, typer.Option(help="Write an HTML report.")] = None,
    trades: Annotated[Path | None, typer.Option(help="Write the trades as CSV.")] = None,
    equity: Annotated[Path | None, typer.Option(help="Write the equity curve as CSV.")] = None,
    journal: Annotated[Path | None, typer.Option(help="Write a journal for hean replay.")] = None,
    json_to: JsonOption = None,
    debug: DebugOption = False,
) -> None:
    """Play a strategy against recorded data and say what came of it."""
    timeframe_ns(bar)
    maker, taker = parse_fees(fees) if fees is not None else (None, None)
    half_spread, impact = parse_slippage(slippage)
    delay = parse_latency(latency)
    settings = BacktestSettings(
        strategy,
        tuple(_symbol(name) for name in symbol),
        _params(param or []),
        AccountSettings(
            _money(cash, "cash"), _money(leverage, "leverage"), Sizing(sizing, fraction)
        ),
        Assumptions(
            maker, taker, delay, delay, half_spread=half_spread, impact=impact, queue_model=queue
        ),
        seed,
        bar,
    )
    files = _files(data)
    history = load_history(
        files, settings.symbols, start_ns=_moment(start, "start"), end_ns=_moment(end, "end")
    )
    run = Backtest(settings, history)
    book = start_journal(journal, run, files) if journal is not None else None
    with progress("backtest", 100) as advance:
        done = 0

        def on_progress(part: float) -> None:
            nonlocal done
            advance(int(part * 100) - done)
            done = int(part * 100)

        summary, record = run.run(on_progress)
    if book is not None:
        summary["journal_hash"] = finish_journal(book, run)
    if trades is not None:
        write_whole(trades, trades_csv(record))
        summary["trades_file"] = trades.name
    if equity is not None:
        write_whole(equity, equity_csv(record))
        summary["equity_curve_file"] = equity.name
    if report is not None:
        write_report(report, summary, record)
    if json_to is not None:
        write_json(summary, json_to)
    table_console(json_to).print(summary_table(summary))


@run_command
def replay_journal(
    *,
    journal: Annotated[Path, typer.Argument(help="A journal written by hean backtest.")],
    data: Annotated[
        list[Path] | None, typer.Option("--data", help="Where the data is now, in its old order.")
    ] = None,
    json_to: JsonOption = None,
    debug: DebugOption = False,
) -> None:
    """Run a journal again and compare every event and state hash."""
    result = replay(journal, data=data or ())
    if json_to is not None:
        write_json(result, json_to)
    say(
        f"{result['journal']}: agrees. {result['events_compared']} events and "
        f"{result['state_hashes_compared']} state hashes compared.",
        json_to=json_to,
    )


def summary_table(summary: dict[str, Any]) -> Table:
    """The figures most people look for first."""
    table = Table(
        title=f"{summary['strategy']} on {', '.join(summary['symbols'])}", show_header=False
    )
    table.add_column(style="bold")
    table.add_column(justify="right")
    quote = "quote"
    rows: Sequence[tuple[str, str]] = (
        ("period", f"{summary['start']} to {summary['end']}"),
        ("equity", f"{summary['initial_equity']} → {_short(summary['final_equity'])} {quote}"),
        ("net profit", f"{_short(summary['net_pnl'])} {quote}"),
        ("buy and hold", _percent(summary["buy_and_hold_return"])),
        ("largest drawdown", _percent(summary["max_drawdown_fraction"])),
        ("sharpe (daily, 365)", _ratio(summary["sharpe"])),
        ("trades, win rate", f"{summary['trades']}, {_percent(summary['win_rate'])}"),
        ("fees / funding", f"{_short(summary['fees'])} / {_short(summary['funding'])} {quote}"),
        ("slippage", f"{_short(summary['slippage_cost'])} {quote}"),
        ("orders / fills", f"{summary['orders']} / {summary['fills']}"),
        ("market events", f"{summary['events']:,} in {summary['wall_s']:.2f} s"),
        ("state hash", str(summary["state_hash"])[:16]),
    )
    for name, value in rows:
        table.add_row(name, value)
    return table


def _short(amount: str) -> str:
    return f"{Decimal(amount):,.2f}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.2%}"


def _ratio(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _symbol(name: str) -> str:
    """`BTC/USDT` and `BTCUSDT` are the same. *Raises*: `UnknownSymbol` for anything else."""
    plain = name.replace("/", "")
    if not re.fullmatch(r"[A-Z0-9]{2,20}", plain):
        raise UnknownSymbol(f"symbol {name!r}; give capitals and digits such as BTCUSDT.")
    return plain


def _params(pairs: Sequence[str]) -> dict[str, Value]:
    given: dict[str, Value] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise ParameterInvalid(f"--param {pair!r}; give name=value.")
        if name in given:
            raise ParameterInvalid(f"--param {name} is given twice.")
        given[name] = value
    return given


def _money(text: str, name: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise ParameterInvalid(f"--{name} {text!r}; give a decimal number.") from None
    if not amount.is_finite() or amount <= 0:
        raise ParameterInvalid(f"--{name} {text}; give a number above 0.")
    return amount


def _moment(text: str | None, name: str) -> int | None:
    """ISO 8601 to nanoseconds; without an offset it is UTC."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ParameterInvalid(
            f"--{name} {text!r}; give ISO 8601 such as 2025-01-31 or 2025-01-31T12:00:00."
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp()) * 1_000_000_000


def _files(paths: Sequence[Path]) -> list[Path]:
    """Files, and the data files of folders, in order."""
    files: list[Path] = []
    for path in paths:
        if not path.is_dir():
            files.append(path)
            continue
        found = sorted(
            file
            for file in path.rglob("*")
            if file.is_file() and (file.suffix in DATA_SUFFIXES or is_capture(file))
        )
        if not found:
            raise InputError(f"{path}: a folder without data files ({', '.join(DATA_SUFFIXES)}).")
        files.extend(found)
    return files
