# SPDX-License-Identifier: Apache-2.0
"""`hean alerts`: what people were called for and what became of it, whether a destination can be
reached, and what is an alert at all.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.markup import escape
from rich.table import Table

from hean.cli_alert_line import alert_ways
from hean.cli_common import (
    DATA_DIR_DEFAULT,
    DataDirOption,
    DebugOption,
    ExitCode,
    JsonOption,
    run_command,
    say,
    table_console,
    write_json,
)
from hean.cli_options import ConfigOption
from hean.cli_settings import settings_from
from hean.errors import EnvironmentFault, ParameterInvalid
from hean.observe.alert_rules import RULES, Severity
from hean.observe.alert_send import Undelivered, sender_of
from hean.observe.alert_store import DELIVERED, Kept, kept_alerts
from hean.observe.alert_ways import Way

WAIT_S = 20.0  # as the process that delivers waits
TITLE = "HEAN test"
BODY = "This is a test of HEAN's alerts: hean alerts test. Nothing has happened."
EXITS = "Exit codes: 0 done; 1 a destination did not take it; 2 settings; 3 Apprise is missing."

app = typer.Typer(
    invoke_without_command=True,
    help="What people were called for, and whether they can be reached.",
    epilog="Example: hean alerts --missed; hean alerts test --config hean.toml. Destinations are "
    f"settings: the table alerts of the file, see docs/alerts.md. {EXITS}",
)


@app.callback()
def alerts(
    context: typer.Context,
    *,
    limit: Annotated[int, typer.Option(min=1, max=2_000, help="How many, the newest.")] = 50,
    missed: Annotated[
        bool, typer.Option("--missed", help="Those alone that did not reach every destination.")
    ] = False,
    data_dir: DataDirOption = DATA_DIR_DEFAULT,
    json_to: JsonOption = None,
    debug: DebugOption = False,
) -> None:
    """What people were called for, and what became of it."""
    if context.invoked_subcommand is None:
        _show(limit=limit, missed=missed, data_dir=data_dir, json_to=json_to, debug=debug)


@run_command
def _show(*, limit: int, missed: bool, data_dir: Path, json_to: str | None, debug: bool) -> None:
    try:
        found, count = kept_alerts(data_dir.expanduser(), limit, is_missed=missed)
    except Exception as error:  # reason: a damaged file comes up as errors of every kind
        raise EnvironmentFault(f"{data_dir}: the alerts cannot be read ({error}).") from error
    if json_to is not None:
        write_json({"alerts": [document(each) for each in found], "undelivered": count}, json_to)
        return
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("time", "severity", "alert", "what", "sent"):
        table.add_column(name, overflow="fold", no_wrap=name == "time")
    for each in reversed(found):
        times = f" (x{each.times})" if each.times > 1 else ""
        words = (each.alert.time, each.severity, each.rule, f"{each.text}{times}", _fate(each))
        table.add_row(*map(escape, words))
    table_console(json_to).print(table if found else "no alerts are kept here")
    say(f"{count} not delivered everywhere", json_to=json_to)


def document(kept: Kept) -> dict[str, Any]:
    """An alert as JSON."""
    return {
        "id": kept.id,
        "ts": kept.alert.time,
        "severity": str(kept.severity),
        "rule": kept.rule,
        "text": kept.text,
        "times": kept.times,
        "who": kept.who,
        "deliveries": [
            {"to": d.way, "state": d.state, "tries": d.tries, "reason": d.reason}
            for d in kept.deliveries
        ],
    }


def _fate(kept: Kept) -> str:
    return ", ".join(
        each.way if each.state == DELIVERED else f"{each.way}: {each.state} {each.reason}".strip()
        for each in kept.deliveries
    )


@app.command("test", epilog=f"Example: hean alerts test --to slack --config hean.toml. {EXITS}")
@run_command
def test(
    *,
    to: Annotated[str | None, typer.Option(help="One destination; else all that are set.")] = None,
    config: ConfigOption = None,
    json_to: JsonOption = None,
    debug: DebugOption = False,
) -> None:
    """Send a test to every destination that is set, and say whether it was taken."""
    ways = [way for way in alert_ways(settings_from({}, config)) if to in (None, way.name)]
    if not ways:
        what = "no destination is set" if to is None else f"no destination {to[:40]!r} is set"
        raise ParameterInvalid(f"{what}; see docs/alerts.md, for instance HEAN_ALERTS_SLACK_FILE.")
    found = _tried(ways)
    if json_to is not None:
        write_json(
            {
                "destinations": [
                    {"to": k, "delivered": not v, "reason": v} for k, v in found.items()
                ]
            },
            json_to,
        )
    for name, reason in found.items():
        say(f"{name}: {f'NOT delivered: {reason}' if reason else 'delivered'}", json_to=json_to)
    if any(found.values()):
        raise typer.Exit(ExitCode.BAD_RESULT)


def _tried(ways: list[Way]) -> dict[str, str]:
    """Why each was not reached, empty where it was; all at the same time."""
    found = {way.name: f"took more than {WAIT_S:g} s" for way in ways}

    def send(way: Way) -> None:
        try:
            sender_of(way).send(TITLE, BODY, Severity.CRITICAL)
        except Undelivered as error:
            found[way.name] = str(error)
        else:
            found[way.name] = ""

    threads = [threading.Thread(target=send, args=(way,), daemon=True) for way in ways]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    return dict(found)


@app.command("rules", epilog="Example: hean alerts rules --json -. Exit code 0.")
@run_command
def rules(*, json_to: JsonOption = None, debug: DebugOption = False) -> None:
    """What is an alert, how severe it is, and how long it has to last."""
    if json_to is not None:
        write_json(
            {
                name: {
                    "severity": str(rule.severity),
                    "meaning": rule.meaning,
                    "lasting_s": rule.lasting_s,
                }
                for name, rule in RULES.items()
            },
            json_to,
        )
        return
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("alert", "severity", "meaning", "lasting"):
        table.add_column(name)
    for name, rule in RULES.items():
        lasting = f"{rule.lasting_s:g} s" if rule.lasting_s else ""
        table.add_row(name, str(rule.severity), rule.meaning, lasting)
    table_console(json_to).print(table)
