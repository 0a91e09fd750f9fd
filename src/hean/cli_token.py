# SPDX-License-Identifier: Apache-2.0
"""`hean token`: the keys of the API. A new token is shown once, by the command that makes it; what
is kept is its fingerprint, so nobody can show it again. A running API hears of a change within a
second.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.table import Table

from hean.api.permissions import Role
from hean.api.tokens import Token, Tokens
from hean.cli_common import (
    DATA_DIR_DEFAULT,
    DataDirOption,
    DebugOption,
    JsonOption,
    run_command,
    say,
    table_console,
    write_json,
)
from hean.cli_settings import settings_from
from hean.cli_table import UNKNOWN
from hean.errors import ParameterInvalid

WORDS = "|".join(role.word for role in Role)

app = typer.Typer(
    name="token",
    help="Keys of the API.",
    epilog="Example: hean token create --role viewer --name screen; hean token list",
    no_args_is_help=True,
)

RoleOption = Annotated[
    str, typer.Option("--role", metavar=WORDS, help="What it may; each what those before may.")
]
NameOption = Annotated[
    str, typer.Option("--name", help="Whose it is; orders and commands are signed with it.")
]
DaysOption = Annotated[
    int | None, typer.Option("--days", metavar="N", help="How long it counts; default: for good.")
]


@app.callback()
def token() -> None:
    """Keys of the API: create, list, revoke."""


@app.command(
    "create", epilog="Example: hean token create --role trader --name alice --days 30 --json -"
)
@run_command
def create(
    *,
    role: RoleOption,
    name: NameOption = "",
    days: DaysOption = None,
    data_dir: DataDirOption = DATA_DIR_DEFAULT,
    json_to: JsonOption = None,
    debug: DebugOption = False,
) -> None:
    """Make a token and show it, this once."""
    wanted = Role.of(role)
    if wanted is None:
        raise ParameterInvalid(f"--role {role[:40]}: allowed: {', '.join(WORDS.split('|'))}.")
    text, made = _tokens(data_dir).create(wanted, name, days)
    if json_to is not None:
        write_json({"token": text} | _shown(made), json_to)
    else:
        typer.echo(text)
    until = _time(made.expires_ns)
    say(f"{made.role} {made.id}, {f'until {until}' if until else 'for good'}; it is not shown "
        "again.", json_to="-")  # fmt: skip


@app.command("list", epilog="Example: hean token list --json tokens_seen.json")
@run_command
def list_tokens(
    *,
    data_dir: DataDirOption = DATA_DIR_DEFAULT,
    json_to: JsonOption = None,
    debug: DebugOption = False,
) -> None:
    """Every token with its role, its end and its last use; never what it says."""
    tokens = _tokens(data_dir)
    found = [_shown(each, counts=tokens.counts(each)) for each in tokens.all()]
    if json_to is not None:
        write_json({"tokens": found, "problems": []}, json_to)
        return
    table = Table(box=box.SIMPLE_HEAD)
    for column in ("id", "name", "role", "created", "last use", "until", "state"):
        table.add_column(column, no_wrap=column == "id")
    for each in found:
        times = (each[key] or UNKNOWN for key in ("created_at", "used_at", "expires_at"))
        table.add_row(each["id"], each["name"], each["role"], *times, each["state"])
    table_console(json_to).print(table)


@app.command("revoke", epilog="Example: hean token revoke 1f2e3d4c")
@run_command
def revoke(
    token_id: Annotated[str, typer.Argument(metavar="ID", help="As hean token list shows it.")],
    *,
    data_dir: DataDirOption = DATA_DIR_DEFAULT,
    json_to: JsonOption = None,
    debug: DebugOption = False,
) -> None:
    """End a token: within a second nobody is let in with it."""
    ended = Tokens(data_dir).revoke(token_id)
    say(f"{ended.role} {ended.id} ({ended.name}) is revoked.", json_to=json_to)
    if json_to is not None:
        write_json(_shown(ended) | {"exit_code": 0}, json_to)


def _tokens(data_dir: Path) -> Tokens:
    """Those of the folder, signed by the `SECRET_KEY` of the settings, if there is one."""
    return Tokens(data_dir, key=settings_from({}, None).secret_key)


def _shown(token: Token, *, counts: bool = True) -> dict[str, Any]:
    """What anybody at this machine may know of a token."""
    now = datetime.now(UTC).timestamp() * 1e9
    state = "good" if token.is_good(int(now)) else "expired"
    if not counts:
        state = "of another SECRET_KEY"
    return {
        "id": token.id,
        "name": token.name,
        "role": token.role,
        "created_at": _time(token.created_ns),
        "used_at": _time(token.used_ns),
        "expires_at": _time(token.expires_ns),
        "revoked_at": _time(token.revoked_ns),
        "state": state if token.revoked_ns is None else "revoked",
    }


def _time(time_ns: int | None) -> str | None:
    if time_ns is None:
        return None
    return datetime.fromtimestamp(time_ns // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
