# SPDX-License-Identifier: Apache-2.0
"""`hean parity`: a recorded run beside its backtest, trade by trade. What the journal holds are the
settings of both sides; an option changes that of the backtest, to ask what would have been. Shown
are counts, each cause with its number of trades, and the first trades that differ.
"""

from __future__ import annotations

import dataclasses
import math
import sys
from contextlib import ExitStack, redirect_stdout
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich import box
from rich.console import Console
from rich.table import Table

from hean import cli_options as options
from hean import cli_values as values
from hean.backtest.assumptions import Assumptions
from hean.backtest.run import Backtest, BacktestSettings, MarketData
from hean.cli_common import (
    STANDARD_OUTPUT,
    DebugOption,
    ExitCode,
    is_result,
    run_command,
    table_console,
    write_json,
)
from hean.cli_output import check_target
from hean.cli_strategy import blamed, build_strategy
from hean.parity.sides import Given, Recorded, given_market, recorded_run
from hean.parity.trades import Pair
from hean.parity.trial import Cause, Parity, Played, compare, played
from hean.system import AccountSettings
from hean.watchdog import Watchdog

TIMEOUT_S = 30.0  # of one event's handlers, as hean backtest
SHOWN = 10  # of the trades that differ; all are in the JSON
SLIPPAGE = "none"  # where only the fees or delays of a text are taken

JournalOption = Annotated[
    Path,
    typer.Option("--journal", metavar="FILE", help="Of hean paper, hean backtest or hean live."),
]
DataOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--data",
        metavar="FILE",
        help="Market of the backtest: a recording of the session (hean paper --record), or other "
        "data. Default: what the run itself was told.",
    ),
]


def _changes(name: str, metavar: str, what: str) -> Any:
    return typer.Option(name, metavar=metavar, help=what, rich_help_panel="Changes in the backtest")


StrategyOption = Annotated[
    str | None, _changes("--strategy", "NAME", "Another one, or where its file is now.")
]
ParamOption = Annotated[list[str] | None, _changes("--param", "NAME=VALUE", "May be repeated.")]
LimitOption = Annotated[
    list[str] | None, _changes("--limit", "NAME=VALUE", "Or NAME=off; may be repeated.")
]
FeesOption = Annotated[str | None, _changes("--fees", "RATES", "maker=0.0002,taker=0.0005.")]
LatencyOption = Annotated[str | None, _changes("--latency", "TIME", "50ms; normal:50ms,10ms.")]
SlippageOption = Annotated[
    str | None, _changes("--slippage", "MODEL", "Where no book is recorded, or none.")
]
QueueOption = Annotated[options.Queue | None, _changes("--queue", "MODEL", "log, pessimistic.")]
SeedOption = Annotated[int | None, _changes("--seed", "NUMBER", "Of every random draw.")]
CashOption = Annotated[str | None, _changes("--cash", "AMOUNT", "At the start.")]
FractionOption = Annotated[
    float | None, _changes("--fraction", "NUMBER", "Position value over equity.")
]
BarOption = Annotated[str | None, _changes("--bar", "LENGTH", "Bars made of ticks.")]


def mount(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command(
        "parity",
        epilog="Example: hean paper --exchange bybit --strategy impulse --symbols BTCUSDT "
        "--duration 600 --journal run.journal --record tape, then: hean parity --journal "
        "run.journal --data tape. Exit 1 if one trade differs.",
    )(parity)


@run_command
def parity(
    *,
    journal: JournalOption,
    data: DataOption = None,
    strategy: StrategyOption = None,
    param: ParamOption = None,
    bar: BarOption = None,
    cash: CashOption = None,
    fraction: FractionOption = None,
    limit: LimitOption = None,
    fees: FeesOption = None,
    latency: LatencyOption = None,
    slippage: SlippageOption = None,
    queue: QueueOption = None,
    seed: SeedOption = None,
    json_to: options.JsonResultOption = None,
    quiet: options.QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Compare a recorded run with its backtest, each difference with its cause."""
    if json_to not in (None, STANDARD_OUTPUT):
        check_target("--json", Path(str(json_to)), is_ours=is_result)
    files = values.files_of(data) if data else []

    def changed(settings: BacktestSettings) -> BacktestSettings:
        settings = _with_venue(settings, fees, latency, slippage, queue)
        account = _with_account(settings.account, cash, fraction, limit or [])
        given = {**settings.given, **values.params_of(param or ())}
        return msgspec.structs.replace(
            settings,
            strategy=settings.strategy if strategy is None else strategy,
            given=given,
            account=account,
            seed=settings.seed if seed is None else seed,
            bar=settings.bar if bar is None else values.bar_of(bar),
        )

    with ExitStack() as stack:
        if json_to == STANDARD_OUTPUT:
            stack.enter_context(redirect_stdout(sys.stderr))
        recorded = stack.enter_context(recorded_run(journal))
        settings = changed(recorded.settings)
        recorded = _repeatable(recorded, settings)
        found = _compare(recorded, given_market(recorded, files), settings)
    if json_to is not None:
        write_json(found.document(), json_to)
    if not quiet:
        show(found, table_console(json_to))
    if not found.is_identical:
        raise typer.Exit(ExitCode.BAD_RESULT)


def _with_venue(
    settings: BacktestSettings,
    fees: str | None,
    latency: str | None,
    slippage: str | None,
    queue: options.Queue | None,
) -> BacktestSettings:
    """Only what is named is changed."""
    text = latency or "50ms"
    told: Assumptions = values.assumptions_of(
        fees,
        text,
        slippage or SLIPPAGE,
        queue=(queue or options.Queue.LOG).value,
        leverage=settings.account.leverage,
    )
    names: list[str] = []
    names += ["maker_fee", "taker_fee"] if fees is not None else []
    names += ["entry", "response"] if latency is not None else []
    names += ["half_spread", "impact"] if slippage is not None else []
    names += ["queue_model"] if queue is not None else []
    changes: dict[str, Any] = {name: getattr(told, name) for name in names}
    exchange = msgspec.structs.replace(settings.assumptions, **changes)
    return msgspec.structs.replace(settings, assumptions=exchange)


def _with_account(
    account: AccountSettings, cash: str | None, fraction: float | None, limits: list[str]
) -> AccountSettings:
    """Only what is named is changed."""
    told, merged = values.limits_of(limits), dict(account.limits)
    for text in limits:
        name = text.partition("=")[0].strip()
        merged.pop(name, None)
        if name in told:
            merged[name] = told[name]
    sizing = account.sizing
    if fraction is not None:
        high = float(values.LEVERAGE_MAX)
        part = values.fraction_of(fraction, "--fraction", high=high)
        sizing = msgspec.structs.replace(sizing, fraction=part)
    return msgspec.structs.replace(
        account,
        cash=account.cash if cash is None else values.amount_of(cash, "--cash"),
        sizing=sizing,
        limits=merged,
    )


def _repeatable(recorded: Recorded, settings: BacktestSettings) -> Recorded:
    """The run with what its journal cannot know: where a file has moved to, and of live trading
    the delays and fees to assume, which are no change then.
    """
    own = recorded.settings
    file = own.strategy.rpartition(":")[0]
    if recorded.load is None:
        own = settings
    elif file and not Path(file).is_file():
        own = msgspec.structs.replace(own, strategy=settings.strategy)
    return dataclasses.replace(recorded, settings=own)


def _compare(recorded: Recorded, given: Given, settings: BacktestSettings) -> Parity:
    with Watchdog(TIMEOUT_S) as watchdog:

        def play(settings: BacktestSettings, market: MarketData) -> Played:
            spec = settings.strategy
            built = build_strategy(spec, settings.symbols, settings.given, watchdog=watchdog)
            with blamed(built, watchdog, spec=spec):
                return played(Backtest(settings, market, strategy=built))

        return compare(recorded, given, settings, play=play)


# ---------------------------------------------------------------- shown


def show(found: Parity, console: Console) -> None:
    """Counts and causes, inputs that differ, the first trades that differ, and the verdict."""
    document = found.document()
    counts = document["trades"]
    table = Table(title=f"{found.recorded.told.place} and its backtest", box=box.SIMPLE_HEAD)
    table.add_column("trades", style="bold")
    table.add_column("", justify="right")
    for name in ("recorded", "backtest", "identical", "different"):
        table.add_row(name, f"{counts[name]:,}")
    table.add_row("only recorded", f"{counts['only_recorded']:,}")
    table.add_row("only in the backtest", f"{counts['only_backtest']:,}")
    for cause, count in found.counts().items():
        table.add_row(f"cause: {cause.value}", f"{count:,}")
    console.print(table)
    for each in found.exchanges:
        console.print(f"{each.cause.value}: run {each.recorded}; backtest {each.backtest}")
    if found.causes:
        console.print(_differences(found))
    console.print(verdict(found), style="green" if found.is_identical else "red")


def _differences(found: Parity) -> Table:
    table = Table(title="first differences (recorded / backtest)", box=box.SIMPLE_HEAD)
    for name in ("cause", "differs", "symbol", "side"):
        table.add_column(name)
    for name in ("time", "price", "qty", "fee"):
        table.add_column(name, justify="right", overflow="fold")
    for number, (cause, pair) in enumerate(found.differing()):
        if number == SHOWN:
            break
        table.add_row(cause.value, ", ".join(pair.differs), *_cells(pair))
    return table


def _cells(pair: Pair) -> list[str]:
    one, other = (
        trade.document() if trade is not None else {} for trade in (pair.recorded, pair.backtest)
    )
    either = one or other
    cells = [either["symbol"], either["side"]]
    for name in ("time", "price", "qty", "fee"):
        left, right = one.get(name, "–"), other.get(name, "–")
        cells.append(left if left == right else f"{left} / {right}")
    return cells


def verdict(found: Parity) -> str:
    """One line: how much agrees, and why the rest does not."""
    total = len(found.pairs)
    percent = math.floor(found.fraction * 1e6) / 1e4  # never rounded up to all
    line = f"parity: {percent:g} % identical, {total - len(found.causes):,} of {total:,} trades"
    if not total:
        line += "; neither side traded"
    if found.causes:
        names = ", ".join(f"{c.value} ({n:,})" for c, n in found.counts().items())
        line += f"; cause: {names}"
    elif found.exchanges:
        names = ", ".join(each.cause.value for each in found.exchanges)
        line += f"; the other {names} changed no trade"
    if found.state is not None:
        line += f"; but the final state differs, cause: {found.state.value}"
    if Cause.UNEXPLAINED in found.counts() or found.state is Cause.UNEXPLAINED:
        line += ". Unexplained is a fault, not a tolerance: keep journal and data, and report it"
    return f"{line}."
