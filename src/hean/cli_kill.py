# SPDX-License-Identifier: Apache-2.0
"""`hean kill` and `hean confirm`: a person's hand on the trading processes of this machine. A stop
goes to every process that lives below the data directory, and to the latch file of every one that
does not, so that its next start is stopped; nobody has to remember the right name in a hurry. To go
on, one process is named, and the phrase is typed. `--drill` practises all of it on a venue twin and
stops nothing.
"""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import msgspec
import typer

from hean.cli_common import (
    DATA_DIR_DEFAULT,
    DataDirOption,
    DebugOption,
    ExitCode,
    JsonOption,
    run_command,
    say,
    write_json,
)
from hean.cli_places import (
    LATCH,
    PhraseOption,
    PlaceOption,
    asked,
    asked_if_alive,
    me,
    only_one,
    places_in,
    typed,
)
from hean.core.one_line import one_line
from hean.errors import EnvironmentFault, Halted, ParameterInvalid
from hean.live.latch import Latch
from hean.live.parts import read_file, write_file
from hean.live.socket import ASK_S
from hean.risk.killswitch import REASON_LENGTH_MAX
from hean.risk.levels import CANCEL_ALL, LEVELS, RUN, Latched

LevelOption = Annotated[
    str, typer.Option("--level", metavar="|".join(LEVELS[1:]), help="How far the stop goes.")
]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; kept with the stop.")]
ReleaseOption = Annotated[
    bool, typer.Option("--release", help="Let trading go on, once the reason has been looked at.")
]
DrillOption = Annotated[
    bool,
    typer.Option("--drill", help="Practise on a venue twin, with times; nothing of yours stops."),
]


def mount(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command(
        "kill",
        epilog="Example: hean kill --level FLATTEN --reason 'the feed is wrong'. Going on: "
        "hean kill --release --reason 'fixed the feed' --only bybit-linear-mainnet. Once a month: "
        "hean kill --drill.",
    )(kill)
    app.command(
        "confirm",
        epilog="Example: hean confirm --only bybit-linear-mainnet. It counts until the end of the "
        "process.",
    )(confirm)


@run_command
def kill(
    *,
    level: LevelOption = CANCEL_ALL,
    reason: ReasonOption = "",
    release: ReleaseOption = False,
    phrase: PhraseOption = None,
    drill: DrillOption = False,
    only: PlaceOption = None,
    data_dir: DataDirOption = DATA_DIR_DEFAULT,
    json_to: JsonOption = None,
    debug: DebugOption = False,
) -> None:
    """Stop trading, in every process and for every next start, or let one go on."""
    if drill:
        _practise(json_to)
        return
    if level not in LEVELS[1:]:
        raise ParameterInvalid(f"--level {level[:40]}: allowed: {', '.join(LEVELS[1:])}.")
    places = places_in(data_dir, only)
    if release:
        found = {"released": [_released(only_one(places), phrase, reason)]}
    else:
        reason = one_line(reason, REASON_LENGTH_MAX) or "hean kill"
        found = {"stopped": [_stopped(place, level, reason) for place in places]}
    done = next(iter(found.values()))
    for each in done:
        say(f"{each['place']}: {each['done']}", json_to=json_to)
    if json_to is not None:
        write_json(found, json_to)
    if not all(each.get("is_stopped", True) for each in done):
        raise typer.Exit(ExitCode.ENVIRONMENT)


@run_command
def confirm(
    *,
    only: PlaceOption = None,
    data_dir: DataDirOption = DATA_DIR_DEFAULT,
    json_to: JsonOption = None,
    debug: DebugOption = False,
) -> None:
    """Type the phrase with which a running process may begin to trade; only for this very run."""
    place = only_one(places_in(data_dir, only))
    answer = asked(place, {"verb": "confirm", "phrase": typed("phrase of this boot"), "by": me()})
    missing = answer.get("missing") or [answer.get("error", "")]
    if not answer["ok"]:
        raise Halted(f"{place.name}: not confirmed; missing: {'; '.join(missing)}.")
    rest = f"; still missing: {'; '.join(answer['missing'])}" if answer["missing"] else ""
    say(f"{place.name}: confirmed{rest}", json_to=json_to)
    if json_to is not None:
        write_json({"place": place.name, "missing": answer["missing"]}, json_to)


# ---------------------------------------------------------------- practising


def _practise(json_to: str | None) -> None:
    """Every step with its time. *Raises*: `typer.Exit` when one was not kept."""
    # reason: half a second of loading that a real stop must not wait for
    from hean.live.drill import Step, drill
    from hean.net.loop import run as run_loop

    def tell(step: Step) -> None:
        took = "" if step.took_s is None else f"{step.took_s * 1e3:,.0f} ms"
        allowed = "" if step.allowed_s is None else f" of {step.allowed_s * 1e3:,.0f}"
        verdict = "ok  " if step.is_kept else "FAIL"
        say(f"{verdict} {step.name:10} {took + allowed:>17}  {step.what}", json_to=json_to)

    say("DRILL on a venue twin: nothing of yours is stopped.", json_to=json_to)
    with TemporaryDirectory(prefix="hean-drill-") as folder:
        steps = run_loop(drill(Path(folder), tell=tell))
    is_kept = all(step.is_kept for step in steps)
    if json_to is not None:
        code = ExitCode.DONE if is_kept else ExitCode.BAD_RESULT
        write_json({"drill": msgspec.to_builtins(steps), "exit_code": int(code)}, json_to)
    if not is_kept:
        raise typer.Exit(ExitCode.BAD_RESULT)


# ---------------------------------------------------------------- stopping


def _stopped(place: Path, level: str, reason: str) -> dict[str, Any]:
    """Stop what is at *place*, running or not. What could not be done is told, not raised: there
    may be others to stop.
    """
    wanted = {"verb": "kill", "level": level, "reason": reason, "by": me()}
    found = {"place": place.name, "level": level, "is_running": True, "is_stopped": True}
    try:
        answer = asked_if_alive(place, wanted, again_s=ASK_S)
        if answer is None:
            held = _latched(place, level, reason)
            # A process that began meanwhile may have read the file before; its socket is there now.
            answer = asked_if_alive(place, wanted, again_s=ASK_S)
        if answer is None:
            done = f"no process runs; its next start is stopped at {held}"
            return found | {"level": held, "is_running": False, "done": done}
    except EnvironmentFault as error:
        held = _latched(place, level, reason)
        done = f"NOT STOPPED: {error.message} Its next start is stopped at {held}."
        return found | {"is_stopped": False, "done": done}
    if not answer["ok"]:
        return found | {"is_stopped": False, "done": f"NOT STOPPED: {answer.get('error', '')}"}
    return found | {"level": answer["level"], "done": f"stopped at {answer['level']}"}


def _latched(place: Path, level: str, reason: str) -> str:
    """Write the latch file of *place*. *Returns*: the level it holds then, or that it holds
    none.
    """
    latch = Latch(place / LATCH, read_file, write_file)
    try:
        latch.raise_to(Latched(level, reason, f"operator:{me()}", time.time_ns()))
    except OSError as error:
        return f"no level, the file was not written ({error})"
    return latch.load().level


def _released(place: Path, phrase: str | None, reason: str) -> dict[str, Any]:
    """Have the process at *place* go on. *Raises*: `Halted` with everything that is missing."""
    said = phrase if phrase is not None else typed("phrase for the release")
    wanted = {"verb": "release", "phrase": said, "reason": reason, "by": me()}
    answer = asked(place, wanted)
    if not answer["ok"]:
        missing = answer.get("missing") or [answer.get("error", "no reason given")]
        raise Halted(f"{place.name}: not released, still stopped: {'; '.join(missing)}.")
    return {"place": place.name, "level": RUN, "is_running": True, "done": "released"}
