# SPDX-License-Identifier: Apache-2.0
"""`hean symbiont`: a population of agents on paper. Where there is none yet it is bred on recorded
bars, as `hean evolve` does; then all of it is watched on a live feed, and who has shown enough gets
a seat and pretended money. Its state is a file in the data folder and outlives the process.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from hean import cli_options as options
from hean import cli_values as values
from hean.backtest.run import BacktestSettings
from hean.cli_beside import ApiOption, NoApiOption, port_of
from hean.cli_common import DebugOption, progress, run_command, say, write_whole
from hean.cli_evolve import GenerationsOption
from hean.cli_output import Outputs
from hean.cli_paper import RecordOption, session_settings, trade
from hean.cli_session import SessionOptions, with_options
from hean.cli_strategy import keep_population
from hean.config import Settings
from hean.core.journal import WriterLock
from hean.errors import DataInvalid, EnvironmentFault, ParameterInvalid
from hean.evaluate.evolve import evolve
from hean.evaluate.evolving import Plan
from hean.feeds.history import History
from hean.feeds.recording import load_market
from hean.symbiont.population import Population, loaded, written

SYMBOLS = ("BTCUSDT", "ETHUSDT")
LOOK_MINUTES = 15
STATE = "population.json"
EPILOG = (
    "Example: hean symbiont --exchange bybit --testnet --data candles.parquet --duration 3600 "
    "--api 8000. Bred once, it goes on with DATA_DIR/symbiont/population.json. Exit codes: 0 ended "
    "in order; 2 bad options, data or population; 3 no feed; 130 interrupted while breeding."
)
FromOption = Annotated[
    Path | None,
    typer.Option(
        "--population", metavar="FILE", help="Begin with this one, of `hean evolve --out`."
    ),
]
BreedDataOption = Annotated[
    list[Path] | None,
    typer.Option("--data", metavar="FILE", help="Recorded bars to breed on. Default: the catalog."),
]
AgentsOption = Annotated[int, typer.Option(min=8, max=1_000, help="Alive at a time, if bred.")]


def mount(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command("symbiont", epilog=EPILOG)(symbiont)


@run_command
@with_options
def symbiont(
    session: SessionOptions,
    *,
    population: FromOption = None,
    data: BreedDataOption = None,
    agents: AgentsOption = 50,
    generations: GenerationsOption = 20,
    fees: options.FeesOption = None,
    latency: options.GivenLatency = None,
    json_to: options.JsonResultOption = None,
    report: options.ReportOption = None,
    journal: options.JournalOption = None,
    record: RecordOption = None,
    api: ApiOption = None,
    no_api: NoApiOption = False,
    force: options.ForceOption = False,
    debug: DebugOption = False,
) -> None:
    """Trade a population of agents on paper: bred, watched, and paid by what they show."""
    known = _settings(session, fees=fees, latency=latency)
    outputs = Outputs(json_to, report, None, None, journal, force)
    outputs.check([])
    folder = known.data_dir.expanduser() / "symbiont"
    run = session_settings(known)
    with _held(folder):
        begun = _begun(known, run, folder, population, data or [], (agents, generations), session)
        found, digest = loaded(begun)
        params = {"look_minutes": LOOK_MINUTES, **known.strategy.params}
        params |= {"population": str(begun), "digest": digest}
        run = msgspec.structs.replace(run, given=params, bar=found.bar)
        trade(
            known, run, outputs, record, is_quiet=session.quiet, port=port_of(api, no_api, known),
            attend=lambda built: keep_population(built, folder / STATE),
        )  # fmt: skip


def _settings(session: SessionOptions, **more: object) -> Settings:
    """Those of a paper session whose strategy is the population."""
    if session.strategy:
        raise ParameterInvalid(f"--strategy {session.strategy[0]}: here the population trades.")
    session = replace(session, strategy=["symbiont"])
    known = session.any_settings(None, **more)
    if known.symbols:
        return known
    return replace(session, symbols=list(SYMBOLS)).any_settings(None, **more)


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """One process writes a population. *Raises*: `SecondWriter`, `EnvironmentFault`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EnvironmentFault(f"{folder}: {error.strerror or error}.") from error
    lock = WriterLock(folder / "lock", str(os.getpid()))
    try:
        yield
    finally:
        lock.release()


def _begun(
    known: Settings, run: BacktestSettings, folder: Path, given: Path | None, data: list[Path],
    size: tuple[int, int], session: SessionOptions,
) -> Path:  # fmt: skip
    """The file that this session begins with, which nobody changes any more: a replay needs it."""
    state = folder / STATE
    if given is not None:
        content = written(loaded(given)[0])
    elif state.exists():
        content = written(loaded(state)[0])
    else:
        content = written(_bred(known, run, data, size, session))
    begun = folder / f"{hashlib.sha256(content).hexdigest()[:16]}.json"
    for path in (begun, state):
        write_whole(path, content.decode())
    return begun


def _bred(
    known: Settings, run: BacktestSettings, data: list[Path], size: tuple[int, int],
    session: SessionOptions,
) -> Population:  # fmt: skip
    base = BacktestSettings(
        "genome", known.symbols, {}, run.account, run.assumptions, known.seed, known.bar
    )
    plan = Plan(base, known.data_dir.expanduser(), *size)
    files = data or values.catalog_files(known.data_dir.expanduser(), known.symbols)
    market = load_market(files, known.symbols)
    if not isinstance(market, History):
        raise DataInvalid("a population is bred on recorded bars, not on a recorded session.")
    with progress("evolve", size[1], is_shown=not session.quiet) as advance:
        found = evolve(plan, market, on_generation=lambda _: advance(1))
    if not session.quiet:
        say(found.document["verdict"], json_to=None)
    return found.population
