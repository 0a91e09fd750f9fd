# SPDX-License-Identifier: Apache-2.0
"""`hean backtest` and `hean replay`: typed options become settings, the result becomes a table, a
JSON document, a report and a journal. What can be refused is refused before data is read: options,
then outputs, then the strategy. Nothing is computed here.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout
from pathlib import Path
from typing import Annotated, Any

import typer

from hean import cli_options as options
from hean import cli_values as values
from hean.backtest.journaling import finish_journal, replay, start_journal
from hean.backtest.result import RunRecord
from hean.backtest.run import Backtest, BacktestSettings
from hean.backtest.tiers import Tier
from hean.cli_common import (
    DATA_DIR_DEFAULT,
    STANDARD_OUTPUT,
    DebugOption,
    JsonOption,
    is_result,
    percent_steps,
    progress,
    run_command,
    say,
    table_console,
    write_json,
)
from hean.cli_judges import JudgeOptions
from hean.cli_output import Outputs, check_target, journal_in_progress
from hean.cli_process import played_of
from hean.cli_session import PlayOptions, said, with_options
from hean.cli_several import DivisionOptions, blame_all, build_all, several_settings, sharing_of
from hean.cli_strategy import Refusals
from hean.cli_table import summary_table
from hean.data.problems import shown
from hean.errors import DataInvalid, EnvironmentFault, JournalDamaged, ParameterInvalid
from hean.feeds.history import History
from hean.feeds.recording import RecordedMarket, load_market
from hean.paper_journal import is_session, replay_session
from hean.portfolio.allocation import AllocationSettings
from hean.watchdog import Watchdog


def mount(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command(
        "backtest",
        epilog="Example: hean backtest --strategy impulse --symbol BTCUSDT "
        "--data binance_perp_BTCUSDT_5m.parquet --report report.html",
    )(backtest)
    app.command("replay", epilog="Example: hean replay run.journal")(replay_journal)


@run_command
@with_options
def backtest(
    *,
    strategy: options.StrategiesOption = None,
    process: options.ProcessOption = None,
    symbol: options.SomeSymbolsOption = None,
    data: options.DataOption = None,
    start: options.StartOption = None,
    end: options.EndOption = None,
    param: options.ParamOption = None,
    bar: options.BarOption = "1m",
    data_dir: options.CatalogOption = DATA_DIR_DEFAULT,
    play: PlayOptions,
    division: DivisionOptions,
    judges: JudgeOptions,
    queue: options.QueueOption = options.Queue.LOG,
    seed: options.SeedOption = 0,
    json_to: options.JsonResultOption = None,
    report: options.ReportOption = None,
    trades: options.TradesOption = None,
    equity: options.EquityOption = None,
    journal: options.JournalOption = None,
    force: options.ForceOption = False,
    tier: options.TierOption = Tier.EVENT,
    model: options.ModelOption = None,
    handler_timeout: options.HandlerTimeoutOption = 30.0,
    virtual_loop: options.VirtualLoopOption = False,
    quiet: options.QuietOption = False,
    debug: options.DebugRunOption = False,
) -> None:
    """Play a strategy, or processes, against recorded data and say what came of it."""
    period = values.period_of(start, end)
    account = judges.judged(play.account())
    exchange = play.exchange(account, queue)
    rest: dict[str, Any] = {
        "account": account,
        "assumptions": exchange,
        "seed": seed,
        "bar": values.bar_of(bar),
        "tier": tier,
        "virtual_loop": virtual_loop,
        "model": str(model.resolve()) if model else "",  # a replay may run elsewhere
    }
    players = (strategy or [], process or [])
    settings = _settings(players, symbol or [], param or [], division.settings(), rest)
    patience_s = values.fraction_of(handler_timeout, "--handler-timeout", high=values.TIMEOUT_MAX_S)
    watchdog = Watchdog(patience_s)
    outputs = Outputs(json_to, report, trades, equity, journal, force)
    files = values.files_of(data) if data else values.catalog_files(data_dir, settings.symbols)
    outputs.check(files)
    words = [*said(play, but=("cash",)), *said(division), *said(judges)]
    _play(
        settings, files, period=period, outputs=outputs, words=words, watchdog=watchdog,
        is_quiet=quiet,
    )  # fmt: skip


@run_command
def replay_journal(
    *,
    journal: Annotated[
        Path, typer.Argument(metavar="JOURNAL", help="Written by hean backtest or hean paper.")
    ],
    data: Annotated[
        list[Path] | None, typer.Option("--data", help="Where the data is now, in its old order.")
    ] = None,
    json_to: JsonOption = None,
    debug: DebugOption = False,
) -> None:
    """Run a journal again and compare every event and state hash."""
    if json_to not in (None, STANDARD_OUTPUT):
        check_target("--json", Path(str(json_to)), is_ours=is_result)
    with _own_stdout(json_to):
        result = (
            replay_session(journal) if is_session(journal) else replay(journal, data=data or ())
        )
    if json_to is not None:
        write_json(result, json_to)
    say(
        f"{result['journal']}: agrees. {result['events_compared']:,} events and "
        f"{result['state_hashes_compared']:,} state hashes compared.",
        json_to=json_to,
    )


def _settings(
    players: tuple[list[str], list[str]],
    symbols: list[str],
    params: list[str],
    allocation: AllocationSettings | None,
    rest: dict[str, Any],
) -> BacktestSettings:
    """One strategy with its symbols, or several of which each says its own; or processes."""
    strategies, processes = players
    if len(strategies) > 1 and processes:
        raise ParameterInvalid("--process is for itself or beside one strategy; name one.")
    if len(strategies) > 1:
        return several_settings(sharing_of(strategies, symbols, params, allocation), **rest)
    if allocation is not None:
        raise ParameterInvalid("--allocation is between several strategies; there is one.")
    if not symbols:
        raise ParameterInvalid("--symbol is missing; say what to trade, such as --symbol BTCUSDT.")
    name = strategies[0] if strategies else None
    played = played_of(name, processes, params, values.listings_of(symbols))
    return BacktestSettings(
        name or "", values.listings_of(symbols), played.given, working=played.working, **rest
    )


def _play(
    settings: BacktestSettings,
    files: Sequence[Path],
    *,
    period: tuple[int | None, int | None],
    outputs: Outputs,
    words: list[str],
    watchdog: Watchdog,
    is_quiet: bool,
) -> None:
    """Build, load, run, write, show. *words*: options that the result has to name, so that it can
    be repeated.
    """
    refusals = Refusals()
    with _own_stdout(outputs.json_to), watchdog:
        strategy, *beside = built = build_all(settings, watchdog)
        began_s = time.perf_counter()
        history = _load(files, settings.symbols, period=period)
        run = Backtest(settings, history, strategy=strategy, beside=beside)
        load_s = round(time.perf_counter() - began_s, 4)
        refusals.watch(run.bus)
        with blame_all(settings, built, watchdog):
            summary, record = _run(run, files, journal=outputs.journal, is_quiet=is_quiet)
    summary["refusals"] = refusals.document()
    if words:
        summary["options"] = words
    outputs.write(_with_load_time(summary, load_s), record)
    for line in refusals.warnings():
        typer.echo(line, err=True)
    if not is_quiet:
        table_console(outputs.json_to).print(summary_table(summary))


def _load(
    files: Sequence[Path], symbols: tuple[str, ...], *, period: tuple[int | None, int | None]
) -> History | RecordedMarket:
    try:
        return load_market(files, symbols, start_ns=period[0], end_ns=period[1])
    except OSError as error:
        name = shown(str(error.filename or ", ".join(map(str, files))))
        raise DataInvalid(f"--data {name}: cannot be read ({error.strerror or error}).") from error


def _run(
    run: Backtest, files: Sequence[Path], *, journal: Path | None, is_quiet: bool
) -> tuple[dict[str, Any], RunRecord]:
    with ExitStack() as stack:
        book = None
        if journal is not None:
            temporary = stack.enter_context(journal_in_progress(journal))
            try:
                book = start_journal(temporary, run, files)
            except JournalDamaged as error:  # a new file cannot be damaged, only the disk
                cause = error.__cause__ or error
                raise EnvironmentFault(
                    f"--journal {journal}: cannot be written ({cause}); is the disk full?"
                ) from error
            stack.callback(book.close)
        advance = stack.enter_context(progress("backtest", 100, is_shown=not is_quiet))
        summary, record = run.run(percent_steps(advance))
        if book is not None:
            summary["journal_hash"] = finish_journal(book, run)
    return summary, record


def _with_load_time(summary: dict[str, Any], load_s: float) -> dict[str, Any]:
    """The summary with `load_s` beside `wall_s`."""
    document: dict[str, Any] = {}
    for name, value in summary.items():
        document[name] = value
        if name == "wall_s":
            document["load_s"] = load_s
    return document


@contextmanager
def _own_stdout(json_to: str | None) -> Iterator[None]:
    """While stdout is for one JSON document, what a strategy prints goes to stderr."""
    if json_to != STANDARD_OUTPUT:
        yield
        return
    with redirect_stdout(sys.stderr):
        yield
