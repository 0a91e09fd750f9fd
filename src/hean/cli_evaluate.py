# SPDX-License-Identifier: Apache-2.0
"""`hean evaluate`: does a backtest survive a second look? Options are those of a backtest, with a
grid of parameters; what comes out is a verdict, a table of the gate, a report and JSON. Every trial
is kept in the trial log of the data directory.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.table import Table

from hean import cli_options as options
from hean import cli_values as values
from hean.backtest.run import BacktestSettings
from hean.backtest.tiers import Tier
from hean.cli_common import (
    DATA_DIR_DEFAULT,
    STANDARD_OUTPUT,
    ExitCode,
    is_result,
    progress,
    run_command,
    say,
    table_console,
    write_json,
    write_whole,
)
from hean.cli_judges import JudgeOptions
from hean.cli_output import check_target, is_report
from hean.cli_session import PlayOptions, with_options
from hean.cli_strategy import WatchedPlay, build_strategy
from hean.cli_table import UNKNOWN, ratio
from hean.errors import ParameterInvalid
from hean.evaluate.evaluation import Evaluation, EvaluationSettings, evaluate
from hean.evaluate.plays import Recording
from hean.evaluate.report import render
from hean.watchdog import Watchdog

JUDGING = "What to judge"
FOLDS_MAX, EMBARGO_MAX, JOBS_MAX = 20, 365, 256
VALUES_MAX = 100  # of one parameter of the grid
EPILOG = (
    "Example: hean evaluate --strategy impulse --symbol BTCUSDT --data candles.parquet --grid "
    "threshold=1.5,2,2.5 --grid hold=48,96 --report evaluation.html. Exit codes: 0 it survives; "
    "1 it does not; 2 bad options or data."
)

GridOption = Annotated[
    list[str] | None,
    typer.Option(
        "--grid",
        metavar="NAME=A,B,...",
        help="Values of a parameter to try; may be repeated.",
        rich_help_panel=JUDGING,
    ),
]
FoldsOption = Annotated[
    int,
    typer.Option(
        min=3,
        max=FOLDS_MAX,
        help="Blocks of walk-forward and of cross-validation.",
        rich_help_panel=JUDGING,
    ),
]
EmbargoOption = Annotated[
    int,
    typer.Option(
        min=0,
        max=EMBARGO_MAX,
        metavar="DAYS",
        help="Left out between learning and judging.",
        rich_help_panel=JUDGING,
    ),
]
JobsOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=JOBS_MAX,
        help="Processes at most. Default: all processors.",
        rich_help_panel=options.RUNNING,
    ),
]


def mount(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command("evaluate", epilog=EPILOG)(evaluate_strategy)


@run_command
@with_options
def evaluate_strategy(
    *,
    strategy: options.StrategyOption,
    symbol: options.SymbolOption,
    data: options.DataOption = None,
    start: options.StartOption = None,
    end: options.EndOption = None,
    param: options.ParamOption = None,
    bar: options.BarOption = "1m",
    data_dir: options.CatalogOption = DATA_DIR_DEFAULT,
    grid: GridOption = None,
    folds: FoldsOption = 6,
    embargo: EmbargoOption = 5,
    play: PlayOptions,
    judges: JudgeOptions,
    queue: options.QueueOption = options.Queue.LOG,
    seed: options.SeedOption = 0,
    json_to: options.JsonResultOption = None,
    report: options.ReportOption = None,
    force: options.ForceOption = False,
    tier: options.TierOption = Tier.EVENT,
    jobs: JobsOption = None,
    handler_timeout: options.HandlerTimeoutOption = 30.0,
    virtual_loop: options.VirtualLoopOption = False,
    quiet: options.QuietOption = False,
    debug: options.DebugRunOption = False,
) -> None:
    """Judge a strategy on what it was not chosen by, count the trials, make costs worse."""
    symbols, period = values.listings_of(symbol), values.period_of(start, end)
    account = judges.judged(play.account())
    exchange = play.exchange(account, queue)
    given, length = values.params_of(param or ()), values.bar_of(bar)
    base = BacktestSettings(
        strategy, symbols, given, account, exchange, seed, length, tier, virtual_loop
    )
    patience_s = values.fraction_of(handler_timeout, "--handler-timeout", high=values.TIMEOUT_MAX_S)
    tried, cores = _grid(grid or (), given), jobs or os.cpu_count() or 1
    settings = EvaluationSettings(base, data_dir.expanduser(), tried, folds, embargo, cores)
    _check_targets(json_to, report, force=force)
    files = values.files_of(data) if data else values.catalog_files(data_dir, symbols)
    _build_all(settings, patience_s)
    recording = Recording(tuple(files), symbols, *period)
    found = _judged(settings, recording, WatchedPlay(patience_s), is_quiet=quiet)
    _write(found, json_to, report, force=force)
    if not quiet:
        table_console(json_to).print(_table(found.document))
    say(found.document["verdict"], json_to=json_to)
    if not found.document["survives"]:
        raise typer.Exit(ExitCode.BAD_RESULT)


def _check_targets(json_to: str | None, report: Path | None, *, force: bool) -> None:
    if json_to not in (None, STANDARD_OUTPUT):
        check_target("--json", Path(str(json_to)), is_ours=None if force else is_result)
    if report is not None:
        check_target("--report", report, is_ours=None if force else is_report)


def _write(found: Evaluation, json_to: str | None, report: Path | None, *, force: bool) -> None:
    if report is not None:
        write_whole(report, render(found))
    if json_to is not None:
        write_json(found.document, json_to, force=force)


def _judged(
    settings: EvaluationSettings, recording: Recording, play: WatchedPlay, *, is_quiet: bool
) -> Evaluation:
    began_s = time.perf_counter()
    with progress("evaluate", settings.runs, is_shown=not is_quiet) as advance:
        found = evaluate(settings, recording, play=play, on_done=lambda: advance(1))
    found.document["wall_s"] = round(time.perf_counter() - began_s, 3)
    return found


def _grid(texts: list[str] | tuple[()], given: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """Values by parameter. *Raises*: `ParameterInvalid`."""
    found: dict[str, tuple[str, ...]] = {}
    for name, text in values.pairs_of(texts, "--grid").items():
        tried = tuple(value.strip() for value in text.split(","))
        if name in given:
            raise ParameterInvalid(f"--grid {name}: --param sets it as well; give one of them.")
        if "" in tried or len(set(tried)) < len(tried) or len(tried) > VALUES_MAX:
            raise ParameterInvalid(
                f"--grid {name}={text[:80]}; give up to {VALUES_MAX} different values, such as "
                f"{name}=1,2,3."
            )
        found[name] = tried
    return found


def _build_all(settings: EvaluationSettings, patience_s: float) -> None:
    """Refuse a trial that cannot be built before data is read."""
    with Watchdog(patience_s) as watchdog:
        for trial in settings.trials():
            build_strategy(trial.strategy, trial.symbols, trial.given, watchdog=watchdog)


def _table(document: dict[str, Any]) -> Table:
    best, trials = document["best"], document["trials"]
    title = (
        f"{document['strategy']} on {', '.join(document['symbols'])}: {trials['grid']} trials, "
        f"{trials['counted']} counted, {trials['clusters']} different; best Sharpe "
        f"{ratio(best['sharpe'])}"
    )
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    for name in ("gate", "found", "needed", ""):
        table.add_column(name, justify="right" if name == "found" else "left")
    for gate in document["gates"]:
        value = gate["value"]
        shown = f"{value:.3f}" if isinstance(value, float) else str(value)
        table.add_row(
            gate["name"],
            UNKNOWN if value is None else shown,
            gate["needed"],
            "[green]passes[/green]" if gate["passed"] else "[red]fails[/red]",
        )
    return table
