# SPDX-License-Identifier: Apache-2.0
"""`hean sim`: the fault simulator. Many seeds of a world in which everything goes wrong; each
either keeps every promise or is a bug. A seed that broke one is cut down to what it takes, and one
command plays it again.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.table import Table

from hean.cli_common import (
    DebugOption,
    ExitCode,
    JsonOption,
    progress,
    run_command,
    say,
    table_console,
    write_json,
    write_whole,
)
from hean.cli_output import check_target
from hean.errors import ParameterInvalid
from hean.sim.campaign import WHOLE_SEEDS, Totals, campaign
from hean.sim.canary import canary
from hean.sim.coverage import KINDS, NONE, STATES, why_never
from hean.sim.draws import draw
from hean.sim.run import Outcome, Trial
from hean.sim.scenario import SAFETY_STEPS, STEPS_MAX, Scenario
from hean.sim.shrink import shrink

SEEDS = 300  # of a test run
SEEDS_MAX = 10_000_000
JOBS_MAX = 256
SHOWN_MAX = 10  # broken seeds, and empty cells, that are told in words
EMPTY, NEVER = "·", "-"
EPILOG = (
    "Example: hean sim --seeds 300. Exit codes: 0 all promises kept; 1 a promise was broken, the "
    f"simulator did not notice its canary, or in {WHOLE_SEEDS:,} seeds and more a fault never met "
    "an order in a state in which it can; 2 a bad option."
)


def mount(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command("sim", epilog=EPILOG)(sim)


@run_command
def sim(
    *,
    seeds: Annotated[int, typer.Option(min=1, max=SEEDS_MAX, help="How many.")] = SEEDS,
    first: Annotated[int, typer.Option(min=0, help="The first of many seeds.")] = 1,
    seed: Annotated[int | None, typer.Option(min=0, help="Play one seed again.")] = None,
    steps: Annotated[
        int, typer.Option(min=100, max=STEPS_MAX, help="Steps in which anything may go wrong.")
    ] = SAFETY_STEPS,
    scenario: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Play a scenario that was cut down.")
    ] = None,
    cut: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Cut a broken seed down, and keep it here.")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, max=JOBS_MAX, help="Processes; as many as cores.")
    ] = None,
    json_to: JsonOption = None,
    debug: DebugOption = False,
) -> None:
    """Run the engine in a world where everything goes wrong, and check what it promises."""
    if scenario is not None or seed is not None:
        if cut is not None:
            check_target("--cut", cut, is_ours=None)
        given = draw(seed or 0, safety_steps=steps) if scenario is None else _read(scenario)
        _play(given, cut, json_to=json_to)
        return
    if canary() is None:
        say("the canary was not noticed: an order was sent twice on purpose", json_to=json_to)
        raise typer.Exit(ExitCode.BAD_RESULT)
    with progress("seeds", seeds) as advance:
        totals = campaign(
            range(first, first + seeds),
            steps=steps,
            jobs=jobs or os.cpu_count() or 1,
            on_done=lambda _: advance(1),
        )
    if json_to is not None:
        write_json(_document(totals), json_to)
    table_console(json_to).print(_coverage(totals))
    say(_covered(totals), json_to=json_to)
    say(_sentence(totals), json_to=json_to)
    for broken, name, what in sorted(totals.broken)[:SHOWN_MAX]:
        say(f"seed {broken}: {name}: {what}", json_to=json_to)
        say(f"  again: hean sim --seed {broken} --steps {steps}", json_to=json_to)
    if not _is_good(totals):
        raise typer.Exit(ExitCode.BAD_RESULT)


def _play(scenario: Scenario, cut: Path | None, *, json_to: str | None) -> None:
    """One scenario; a broken one is cut down if *cut* says where to."""
    outcome = Trial(scenario).run()
    say(_told(outcome), json_to=json_to)
    if json_to is not None:
        write_json(_outcome(outcome), json_to)
    if outcome.broken is None:
        return
    say(str(outcome.broken), json_to=json_to)
    if cut is not None:
        smaller = shrink(scenario, outcome.broken.name, _broken)
        write_whole(cut, msgspec.json.format(msgspec.json.encode(smaller)).decode() + "\n")
        say(f"cut down to {', '.join(smaller.kinds()) or 'no fault at all'}", json_to=json_to)
        say(f"  again: hean sim --scenario {cut}", json_to=json_to)
    raise typer.Exit(ExitCode.BAD_RESULT)


def _broken(scenario: Scenario) -> str | None:
    broken = Trial(scenario).run().broken
    return None if broken is None else broken.name


def _read(path: Path) -> Scenario:
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Scenario)
    except msgspec.MsgspecError as error:
        raise ParameterInvalid(f"--scenario {path}: {error}.") from None
    for problem in found.problems():
        raise ParameterInvalid(f"--scenario {path}: {problem}.")
    return found


def _told(outcome: Outcome) -> str:
    return (
        f"seed {outcome.seed}: {outcome.steps:,} steps, {outcome.virtual_s:.0f} virtual seconds, "
        f"{outcome.lives} lives, {outcome.orders} orders, {outcome.fills} fills, faults: "
        f"{', '.join(outcome.kinds) or 'none'}; trace {outcome.trace}"
    )


def _outcome(outcome: Outcome) -> dict[str, Any]:
    broken = outcome.broken
    return {
        "seed": outcome.seed,
        "trace": outcome.trace,
        "steps": outcome.steps,
        "checks": outcome.checks,
        "lives": outcome.lives,
        "orders": outcome.orders,
        "fills": outcome.fills,
        "exits": outcome.exits,
        "kinds": outcome.kinds,
        "broken": None if broken is None else {"promise": broken.name, "what": broken.what},
        "exit_code": int(ExitCode.DONE if broken is None else ExitCode.BAD_RESULT),
    }


def _sentence(totals: Totals) -> str:
    return (
        f"{totals.seeds} seeds, {len(totals.broken)} broken; {totals.steps:,} steps, "
        f"{totals.checks:,} checks, {totals.steps_per_s:,.0f} checked steps/s a core; "
        f"{totals.lives:,} lives, {totals.orders:,} orders, {totals.fills:,} fills, "
        f"{totals.virtual_s / 3600:.1f} virtual hours"
    )


def _document(totals: Totals) -> dict[str, Any]:
    return {
        "seeds": totals.seeds,
        "broken": [
            {"seed": seed, "promise": name, "what": what} for seed, name, what in totals.broken
        ],
        "steps": totals.steps,
        "checks": totals.checks,
        "steps_per_s": round(totals.steps_per_s),
        "lives": totals.lives,
        "orders": totals.orders,
        "fills": totals.fills,
        "kinds": dict(sorted(totals.kinds.items())),
        "coverage": {
            kind: dict(zip((*STATES, NONE), row, strict=True)) for kind, row in totals.table()
        },
        "coverage_empty": [{"fault": kind, "state": state} for kind, state in totals.empty()],
        "coverage_wrong": [{"fault": kind, "state": state} for kind, state in totals.wrong()],
        "exit_code": int(ExitCode.DONE if _is_good(totals) else ExitCode.BAD_RESULT),
    }


def _is_good(totals: Totals) -> bool:
    return not totals.broken and totals.is_covered


def _covered(totals: Totals) -> str:
    """What has never met, in one sentence."""
    empty, wrong = totals.empty(), totals.wrong()
    possible = sum(not why_never(kind, state) for kind in KINDS for state in STATES)
    sentence = f"{possible - len(empty)} of {possible} combinations that can occur did"
    if empty:
        sentence += f"; never: {_cells(empty)}"
    if wrong:
        sentence += f"; said to be impossible, and met: {_cells(wrong)}"
    return sentence


def _cells(cells: list[tuple[str, str]]) -> str:
    """Some of them in words."""
    shown = ", ".join(f"{kind} {state}" for kind, state in cells[:SHOWN_MAX])
    more = len(cells) - SHOWN_MAX
    return f"{shown} and {more} more" if more > 0 else shown


def _coverage(totals: Totals) -> Table:
    """How often each kind of fault met each state of an order."""
    table = Table(
        title="faults met by orders in each state",
        caption=f"{EMPTY} never met, {NEVER} cannot occur",
    )
    table.add_column("fault")
    for state in (*STATES, NONE):
        table.add_column(state.lower(), justify="right")
    for kind, row in totals.table():
        shown = zip((*STATES, NONE), row, strict=True)
        table.add_row(kind, *(_cell(kind, state, count) for state, count in shown))
    return table


def _cell(kind: str, state: str, count: int) -> str:
    if count:
        return f"{count:,}"
    return NEVER if why_never(kind, state) else EMPTY
