# SPDX-License-Identifier: Apache-2.0
"""`hean symbiont`: a population of agents on paper. Where there is none yet it is bred on recorded
bars, as `hean evolve` does; then all of it is watched on a live feed, and who has shown enough gets
a seat and pretended money. Its state is a file in the data folder and outlives the process.
"""

from __future__ import annotations

import hashlib
from collections import Counter
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
from hean.cli_strategy import keep_population, population_lock
from hean.config import Settings
from hean.core.parameters import resolve
from hean.errors import DataInvalid, ParameterInvalid
from hean.evaluate.evolve import Evolved, evolve
from hean.evaluate.evolving import Plan
from hean.feeds.history import History
from hean.feeds.recording import load_market
from hean.strategies.symbiont import Symbiont
from hean.symbiont.population import LADDER, Population, Stage, loaded, written

SYMBOLS = ("BTCUSDT", "ETHUSDT")
LOOK_MINUTES = 15
STATE = "population.json"
EPILOG = (
    "Example: hean symbiont --exchange bybit --testnet --data candles.parquet --duration 3600 "
    "--api 8000. Bred once, it goes on with DATA_DIR/symbiont/population.json. Exit codes: 0 ended "
    "in order; 2 bad options, data or population; 3 no feed, or another process "
    "trades this population; 130 interrupted while breeding."
)
FromOption = Annotated[
    Path | None,
    typer.Option(
        "--population",
        metavar="FILE",
        help="Begin with this one, of `hean evolve --out`; --force replaces what is there.",
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
    with population_lock(folder / STATE):
        found = _found(folder / STATE, population, force=force)
        words = []
        if found is None:
            bred = _bred(known, run, data or [], (agents, generations), session)
            found, words = bred.population, [bred.document["verdict"]]
        _check_symbols(found, known.symbols)
        params: dict[str, object] = {"look_minutes": LOOK_MINUTES, **known.strategy.params}
        resolve(Symbiont.parameters, params)  # what is wrong is said before anything is written
        begun, digest = _begun(found, folder)
        told = (*words, _words(found, folder / STATE), *found.feed.unsure())
        for line in () if session.quiet else told:
            say(line, json_to=json_to)
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


def _found(state: Path, given: Path | None, *, force: bool) -> Population | None:
    """The population that is there: the one *given*, or that of an earlier session; `None` where it
    is to be bred. What an earlier session has kept is replaced by force only, and stays beside it.
    """
    is_there = state.exists()
    if given is None or given.resolve() == state.resolve():
        return loaded(state)[0] if is_there else None
    found = loaded(given)[0]
    if is_there and not force:
        raise ParameterInvalid(
            f"--population {given}: {state} has a population with all that it has shown; leave the "
            "option out to go on with that one, or replace it with --force."
        )
    return found


def _begun(found: Population, folder: Path) -> tuple[Path, str]:
    """The file that this session begins with, which nobody changes any more, for a replay needs
    it; and its SHA-256.
    """
    state, content = folder / STATE, written(found)
    contents = [state.read_bytes()] if state.exists() else []
    for each in (*contents, content):
        begun = folder / f"{hashlib.sha256(each).hexdigest()[:16]}.json"
        write_whole(begun, each.decode("utf-8", "surrogateescape"))
    write_whole(state, content.decode())
    return begun, hashlib.sha256(content).hexdigest()


def _check_symbols(found: Population, symbols: tuple[str, ...]) -> None:
    """*Raises*: `ParameterInvalid` before anything is written."""
    if set(found.symbols) != set(symbols):
        raise ParameterInvalid(
            f"the population trades {', '.join(found.symbols)}, this session "
            f"{', '.join(symbols)}; give --symbols {','.join(found.symbols)}."
        )


def _words(found: Population, state: Path) -> str:
    stages = Counter(agent.stage for agent in found.agents)
    told = ", ".join(f"{stages[stage]} {stage}" for stage in Stage if stages[stage])
    words = f"{len(found.agents)} agents ({told}) in {state}."
    if not any(stages[stage] for stage in (Stage.TESTED, *LADDER)):
        words += (
            " None has passed the gates of evolution: they are watched, and none will trade. "
            "More data, or another market, may breed one that does."
        )
    return words


def _bred(
    known: Settings, run: BacktestSettings, data: list[Path], size: tuple[int, int],
    session: SessionOptions,
) -> Evolved:  # fmt: skip
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
    if not found.population.agents:
        raise DataInvalid(
            f"{found.document['verdict']} Nobody has traded enough to be watched: breed on more "
            "--data, or with more --agents and --generations. Nothing was kept."
        )
    return found
