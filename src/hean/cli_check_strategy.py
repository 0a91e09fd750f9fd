# SPDX-License-Identifier: Apache-2.0
"""`hean check-strategy`: does a strategy know what it cannot know? Each check gets a line with its
verdict and the reason; one that fails makes the exit code 1.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.table import Table

from hean import cli_options as options
from hean import cli_values as values
from hean.backtest.run import BacktestSettings
from hean.cli_common import (
    DATA_DIR_DEFAULT,
    STANDARD_OUTPUT,
    ExitCode,
    is_result,
    percent_steps,
    progress,
    run_command,
    say,
    table_console,
    write_json,
)
from hean.cli_judges import JudgeOptions
from hean.cli_output import check_target
from hean.cli_session import PlayOptions, with_options
from hean.cli_strategy import StrategyFailed, build_strategy
from hean.data.identity import from_path
from hean.errors import ParameterInvalid
from hean.evaluate.deception.battery import BARS, CUTS, PATHS, check
from hean.evaluate.plays import Recording
from hean.watchdog import Overdue, Watchdog

BARS_MAX, PATHS_MAX = 1_000_000, 10_000
STYLES = {"passes": "green", "fails": "red", "note": "yellow", "does not apply": "dim"}
EPILOG = (
    "Example: hean check-strategy my_strategy.py:MyStrategy --data candles.parquet. Exit codes: 0 "
    "nothing found; 1 a check fails, or nothing could be checked; 2 bad options or data."
)

StrategyArgument = Annotated[
    str, typer.Argument(metavar="STRATEGY", help="path.py:Class, or a name.")
]
SymbolOption = Annotated[
    list[str] | None,
    typer.Option(
        "--symbol",
        metavar="SYMBOL",
        help="Such as BTCUSDT; may be repeated. Default: those in the names of the files.",
        rich_help_panel=options.MARKET,
    ),
]
BarsOption = Annotated[
    int, typer.Option(min=100, max=BARS_MAX, help="Bars played, from the first on.")
]
PathsOption = Annotated[int, typer.Option(min=20, max=PATHS_MAX, help="Made markets of each kind.")]

CutsOption = Annotated[
    int, typer.Option(min=10, max=CUTS, help="Places at which the recording is cut, at most.")
]


def mount(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command("check-strategy", epilog=EPILOG)(check_strategy)


@run_command
@with_options
def check_strategy(
    *,
    strategy: StrategyArgument,
    data: options.DataOption = None,
    symbol: SymbolOption = None,
    start: options.StartOption = None,
    param: options.ParamOption = None,
    bar: options.BarOption = "1m",
    data_dir: options.CatalogOption = DATA_DIR_DEFAULT,
    bars: BarsOption = BARS,
    paths: PathsOption = PATHS,
    cuts: CutsOption = CUTS,
    play: PlayOptions,
    judges: JudgeOptions,
    seed: options.SeedOption = 0,
    json_to: options.JsonResultOption = None,
    handler_timeout: options.HandlerTimeoutOption = 30.0,
    quiet: options.QuietOption = False,
    debug: options.DebugRunOption = False,
) -> None:
    """Look for knowledge of the future: cut, changed, made, late, dear and repeated markets."""
    symbols = _symbols(symbol, data)
    account = judges.judged(play.account())
    exchange = play.exchange(account)
    given, length = values.params_of(param or ()), values.bar_of(bar)
    settings = BacktestSettings(strategy, symbols, given, account, exchange, seed, length)
    watchdog = Watchdog(
        values.fraction_of(handler_timeout, "--handler-timeout", high=values.TIMEOUT_MAX_S)
    )
    if json_to not in (None, STANDARD_OUTPUT):
        check_target("--json", Path(str(json_to)), is_ours=is_result)
    files = values.files_of(data) if data else values.catalog_files(data_dir, symbols)
    recording = Recording(tuple(files), symbols, values.period_of(start, None)[0])

    with watchdog:
        build_strategy(strategy, symbols, given, watchdog=watchdog)
    with progress("check", 100, is_shown=not quiet) as advance:
        found = check(
            settings,
            recording,
            bars=bars,
            paths=paths,
            cuts=cuts,
            guard=lambda of: _guarded(of, watchdog),
            on_progress=percent_steps(advance),
        )
    _tell(found, json_to=json_to, is_quiet=quiet)


@contextmanager
def _guarded(settings: BacktestSettings, watchdog: Watchdog) -> Iterator[None]:
    """A play that ends; what it prints would be there some hundred times, and is dropped."""
    spec = settings.strategy
    try:
        with (
            Path(os.devnull).open("w", encoding="utf-8") as nowhere,
            redirect_stdout(nowhere),
            watchdog,
            watchdog.during(f"playing {spec}"),
        ):
            yield
    except Overdue:
        raise StrategyFailed(
            f"{spec}: takes longer than {watchdog.limit_s:g} s in one instant; raise "
            "--handler-timeout if it must."
        ) from None


def _symbols(symbol: list[str] | None, data: list[Path] | None) -> tuple[str, ...]:
    """Those given, or those that the names of the files say."""
    if symbol:
        return values.listings_of(symbol)
    markets: dict[str, set[str | None]] = {}
    for path in values.files_of(data) if data else []:
        named = from_path(path)
        if named.symbol:
            markets.setdefault(named.symbol, set()).add(named.market)
    if not markets:
        raise ParameterInvalid("no symbol in the names of the files; give it with --symbol.")
    if several := [name for name, places in markets.items() if len(places) > 1]:
        raise ParameterInvalid(
            f"the files hold {several[0]} of several markets; name them with --symbol, such as "
            f"{several[0]}@spot."
        )
    return tuple(markets)


def _tell(found: dict[str, Any], *, json_to: str | None, is_quiet: bool) -> None:
    if json_to is not None:
        write_json(found, json_to)
    if not is_quiet:
        title = (
            f"{found['strategy']} on {', '.join(found['symbols'])}, {found['start'][:16]} to "
            f"{found['end'][:16]}: {found['decisions']:,} decisions, {found['trades']:,} trades"
        )
        table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
        for name in ("check", "verdict", "reason"):
            table.add_column(name, overflow="fold")
        for each in found["findings"]:
            style = STYLES[each["verdict"]]
            verdict = f"[{style}]{each['verdict']}[/{style}]"
            table.add_row(each["name"], verdict, f"{each['asks']}\n{each['reason']}")
        table_console(json_to).print(table)
    say(found["verdict"], json_to=json_to)
    if not found["passes"]:
        raise typer.Exit(ExitCode.BAD_RESULT)
