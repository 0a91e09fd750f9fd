# SPDX-License-Identifier: Apache-2.0
"""`hean evolve`: breed trading rules on recorded bars and say what can be believed of the best.
Options are those of a backtest; what comes out is a table of champions, a report, and a file of
champions with their lineage. A checkpoint beside that file lets an interrupted run go on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich import box
from rich.console import Console
from rich.live import Live
from rich.table import Table

from hean import cli_options as options
from hean import cli_values as values
from hean.backtest.run import BacktestSettings
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
from hean.cli_output import check_target, is_report
from hean.cli_session import PlayOptions, with_options
from hean.cli_table import UNKNOWN, ratio
from hean.errors import DataInvalid, ParameterInvalid
from hean.evaluate.dask_engine import DaskEngine
from hean.evaluate.engines import Engine, local
from hean.evaluate.evolve import Evolved, evolve
from hean.evaluate.evolving import Plan
from hean.evaluate.report_evolution import render
from hean.feeds.history import History
from hean.feeds.recording import load_market
from hean.genome.features import load_all
from hean.symbiont.evolution import Generation

BREEDING = "What to breed"
EPILOG = (
    "Example: hean evolve --symbol BTCUSDT --data candles.parquet --generations 20 --out "
    "champions.json --report evolution.html. Exit codes: 0 a champion is promoted; 1 none is; "
    "2 bad options or data; 4 a feature looks ahead; 130 interrupted, and "
    "FILE.checkpoint of --out lets it go on."
)


class EngineName(StrEnum):
    """Where genomes are judged."""

    LOCAL = "local"
    DASK = "dask"


PopulationOption = Annotated[
    int, typer.Option(min=8, max=5_000, help="Agents alive at a time.", rich_help_panel=BREEDING)
]
GenerationsOption = Annotated[
    int, typer.Option(min=1, max=10_000, help="Fixed in advance.", rich_help_panel=BREEDING)
]
WorkersOption = Annotated[
    int,
    typer.Option(
        min=1,
        max=256,
        help="Threads, or processes of dask. Champions are the same.",
        rich_help_panel=options.RUNNING,
    ),
]
EngineOption = Annotated[
    EngineName,
    typer.Option(
        help="Where genomes are judged: this process, or workers of Dask.",
        rich_help_panel=options.RUNNING,
    ),
]
SchedulerOption = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Of a Dask cluster, tcp://HOST:PORT or tls://HOST:PORT; without it dask starts "
        "--workers on this machine.",
        rich_help_panel=options.RUNNING,
    ),
]
OutOption = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="FILE",
        help="Champions with lineage, as JSON; FILE.checkpoint lets the run go on.",
        rich_help_panel=options.RESULTS,
    ),
]
FoldsOption = Annotated[
    int, typer.Option(min=2, max=20, help="Of the bred part.", rich_help_panel=BREEDING)
]
EmbargoOption = Annotated[
    int,
    typer.Option(
        min=1, max=90, metavar="DAYS", help="Left out between parts.", rich_help_panel=BREEDING
    ),
]
HoldoutOption = Annotated[
    float,
    typer.Option(
        min=0.05,
        max=0.4,
        metavar="SHARE",
        help="Of the days: held back, and as much to judge champions.",
        rich_help_panel=BREEDING,
    ),
]
TripsOption = Annotated[
    int,
    typer.Option(
        "--min-trades", min=5, max=100_000, help="Of a candidate.", rich_help_panel=BREEDING
    ),
]


FeatureOption = Annotated[
    list[str] | None,
    typer.Option(
        "--feature",
        metavar="FILE:NAME",
        help="path.py:function, from columns of bars to a column, or hean:NAME, a pattern; proven "
        "not to look ahead.",
        rich_help_panel=BREEDING,
    ),
]


def mount(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command("evolve", epilog=EPILOG)(evolve_genomes)


@run_command
@with_options
def evolve_genomes(
    *,
    symbol: options.SymbolOption,
    data: options.DataOption = None,
    start: options.StartOption = None,
    end: options.EndOption = None,
    data_dir: options.CatalogOption = DATA_DIR_DEFAULT,
    population: PopulationOption = 50,
    generations: GenerationsOption = 20,
    folds: FoldsOption = 4,
    embargo: EmbargoOption = 2,
    holdout: HoldoutOption = 0.2,
    min_trades: TripsOption = 100,
    feature: FeatureOption = None,
    play: PlayOptions,
    seed: options.SeedOption = 0,
    workers: WorkersOption = 1,
    engine: EngineOption = EngineName.LOCAL,
    scheduler: SchedulerOption = None,
    out: OutOption = None,
    json_to: options.JsonResultOption = None,
    report: options.ReportOption = None,
    force: options.ForceOption = False,
    quiet: options.QuietOption = False,
    debug: options.DebugRunOption = False,
) -> None:
    """Breed trading rules, judge the best where they were not bred, count every trial."""
    symbols, period = values.listings_of(symbol), values.period_of(start, end)
    account = play.account()
    base = BacktestSettings("genome", symbols, {}, account, play.exchange(account), seed)
    plan = Plan(
        base, data_dir.expanduser(), population, generations, workers, folds, embargo, holdout,
        min_trades, load_all(feature or ()),
    )  # fmt: skip
    _check_targets(json_to, out, report, force=force)
    judged_by = _engine(engine, workers, scheduler)
    files = values.files_of(data) if data else values.catalog_files(data_dir, symbols)
    market = load_market(files, symbols, start_ns=period[0], end_ns=period[1])
    if not isinstance(market, History):
        raise DataInvalid("evolution needs recorded bars, not a recorded session.")
    began_s = time.perf_counter()
    checkpoint = None if out is None else out.with_name(f"{out.name}.checkpoint")
    with _view(generations, is_shown=not quiet) as tell:
        found = evolve(plan, market, checkpoint=checkpoint, on_generation=tell, engine=judged_by)
    found.document["workers"], found.document["engine"] = workers, engine.value
    found.document["wall_s"] = round(time.perf_counter() - began_s, 3)
    _write(found, json_to, out, report, force=force)
    if not quiet:
        table_console(json_to).print(_table(found))
    say(found.document["verdict"], json_to=json_to)
    if not found.document["promoted"]:
        raise typer.Exit(ExitCode.BAD_RESULT)


def _engine(name: EngineName, workers: int, scheduler: str | None) -> Engine:
    """*Raises*: `ParameterInvalid`; `EnvironmentFault` where Dask is not installed."""
    if name is EngineName.DASK:
        return DaskEngine(workers, scheduler)
    if scheduler is not None:
        raise ParameterInvalid("--scheduler is of --engine dask; give both or neither.")
    return local


def _check_targets(
    json_to: str | None, out: Path | None, report: Path | None, *, force: bool
) -> None:
    if json_to not in (None, STANDARD_OUTPUT):
        check_target("--json", Path(str(json_to)), is_ours=None if force else is_result)
    if out is not None:
        check_target("--out", out, is_ours=None if force else is_result)
    if report is not None:
        check_target("--report", report, is_ours=None if force else is_report)


def _write(
    found: Evolved, json_to: str | None, out: Path | None, report: Path | None, *, force: bool
) -> None:
    if report is not None:
        write_whole(report, render(found))
    if out is not None:
        population = msgspec.to_builtins(found.population)
        write_json({**found.document, "population": population}, str(out), force=force)
    if json_to is not None:
        write_json(found.document, json_to, force=force)


@contextmanager
def _view(generations: int, *, is_shown: bool) -> Iterator[Callable[[Generation], None]]:
    """A table of the last generations on a terminal; what others listen to in any case."""
    console = Console(stderr=True)
    with progress("evolve", generations, is_shown=False) as advance:
        if not is_shown or not console.is_terminal:
            yield lambda _: advance(1)
            return
        told: list[Generation] = []
        with Live(_progress(told, generations), console=console, transient=True) as live:

            def tell(generation: Generation) -> None:
                told.append(generation)
                live.update(_progress(told, generations))
                advance(1)

            yield tell


def _progress(told: list[Generation], generations: int) -> Table:
    title = f"generation {len(told)} of {generations}"
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    for name in ("generation", "trials", "candidates", "front", "diversity", "survivors",
                 "robust Sharpe", "best"):  # fmt: skip
        table.add_column(
            name,
            justify="left" if name == "best" else "right",
            no_wrap=True,
            overflow="ellipsis",
        )
    for each in told[-12:]:
        table.add_row(
            f"{each.number + 1}", f"{each.trials:,}", f"{each.candidates}", f"{each.front}",
            f"{each.diversity:.3f}", f"{each.survivors}", f"{each.robust * 365**0.5:.2f}",
            each.best[:60],
        )  # fmt: skip
    return table


def _table(found: Evolved) -> Table:
    document = found.document
    title = (
        f"{', '.join(document['symbols'])}: {document['trials']['run']:,} trials, "
        f"{document['trials']['counted']:,} counted; luck alone would show a Sharpe of "
        f"{ratio(document['sharpe_of_luck'])}"
    )
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    for name in ("champion", "Sharpe bred", "deflated", "judged", "held back", ""):
        table.add_column(name, justify="left" if name in ("champion", "") else "right")
    for each in document["champions"]:
        held = each["held_back"]
        failed = [gate["name"] for gate in each["gates"] if not gate["passed"]]
        table.add_row(
            each["genome"],
            ratio(each["bred"]["sharpe"]),
            UNKNOWN if each["deflated_sharpe"] is None else f"{each['deflated_sharpe']:.3f}",
            ratio(each["judged"]["sharpe"]),
            UNKNOWN if held is None else ratio(held["sharpe"]),
            "[green]promoted[/green]" if each["promoted"] else f"[red]{failed[0]}[/red]",
        )
    return table
