# SPDX-License-Identifier: Apache-2.0
"""`hean settings`, and how the other commands come to their settings: from options, environment,
`.env` of the current folder and the file of `--config`. Warnings go to stderr. What is read is
judged whole: a wrong value stops the command with exit code 2 before it has done anything.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer
from rich import box
from rich.table import Table

from hean.cli_common import (
    DebugOption,
    JsonOption,
    run_command,
    table_console,
    write_json,
)
from hean.cli_judges import judged
from hean.cli_options import ConfigOption
from hean.cli_table import UNKNOWN
from hean.cli_values import pairs_of, sizing_of
from hean.config import Settings, Source, engine_limits, load, masked, scrub
from hean.errors import ParameterInvalid
from hean.observe.logs import log_to_stderr
from hean.risk.sizing import Sizing, SizingMethod
from hean.system import AccountSettings

DOTENV = Path(".env")


def settings_from(cli: Mapping[str, object], config: Path | None) -> Settings:
    """The settings of a command. *cli*: its options by name of setting; `None` is not given.

    Secrets leave the environment: a strategy or child process does not find them there. Where a
    level of logs is set, they are written from here on.
    *Raises*: `ParameterInvalid`.
    """
    settings = load(cli, os.environ, DOTENV if os.path.lexists(DOTENV) else None, config)
    scrub(os.environ)
    for warning in settings.warnings:
        typer.echo(f"warning: {warning}", err=True)
    if is_logged(settings):
        log_to_stderr(settings.log_level)
    return settings


def is_logged(settings: Settings) -> bool:
    """Whether machines read the logs: somebody has said how much they want to know."""
    return "log_level" in settings.origins


def limits_given(limit: list[str] | None, leverage: str | None) -> dict[str, object]:
    """The options about limits, under the names of the settings. *Raises*: `ParameterInvalid`."""
    named = pairs_of(limit or (), "--limit")
    if "leverage_max" in named:
        raise ParameterInvalid("--limit leverage_max follows --leverage; set that.")
    return {f"limits.{name}": text for name, text in named.items()} | {
        "limits.leverage_max": leverage
    }


def account_of(settings: Settings) -> AccountSettings:
    """Money and rules of the account. *Raises*: `ParameterInvalid`, naming file or variable."""
    account = AccountSettings(
        settings.cash,
        settings.limits.leverage_max,
        _sizing(settings),
        engine_limits(settings.limits),
    )
    return judged(account, settings)


def _sizing(settings: Settings) -> Sizing:
    method, fraction = SizingMethod(settings.sizing), float(settings.fraction)
    try:
        return sizing_of(method, fraction, settings.track_record)
    except ParameterInvalid as error:
        origin = settings.origins["track_record"]
        if origin.source is Source.CLI:
            raise
        raise ParameterInvalid(f"{origin.place}: {error.message}") from None


def mount(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command(
        "settings",
        epilog="Example: hean settings --config hean.toml --json -. Rank: options, environment, "
        ".env, file, default. A secret may be the name of a file: BYBIT_API_SECRET_FILE.",
    )(show_settings)


@run_command
def show_settings(
    *,
    config: ConfigOption = None,
    json_to: JsonOption = None,
    debug: DebugOption = False,
) -> None:
    """Every setting, its value and where that came from; what is not public is masked."""
    settings = settings_from({}, config)
    found = masked(settings)
    if json_to is not None:
        rows = {each.key: {k: v for k, v in asdict(each).items() if k != "key"} for each in found}
        write_json({"settings": rows, "problems": list(settings.warnings)}, json_to)
        return
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("setting", no_wrap=True)
    table.add_column("value", overflow="fold")
    table.add_column("from", overflow="fold")
    for each in found:
        value = f"{_words(each.value)} {each.unit}" if each.value is not None else UNKNOWN
        origin = f"{each.source} {each.place}" if each.place else each.source
        table.add_row(each.key, value.strip(), origin)
    table_console(json_to).print(table)


def _words(value: Any) -> str:
    """A value as it would be written in a variable."""
    match value:
        case bool():
            return str(value).lower()
        case list():
            return ",".join(map(str, value)) or UNKNOWN
        case dict():
            return " ".join(f"{name}={_words(each)}" for name, each in value.items()) or UNKNOWN
    return str(value)
