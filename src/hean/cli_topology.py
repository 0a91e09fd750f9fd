# SPDX-License-Identifier: Apache-2.0
"""`hean topology`: what a deployment table means: which process runs what, and what crosses between
them; or why it cannot work.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from hean.cli_common import DebugOption, JsonOption, run_command, say, write_json
from hean.topology import Table, document, read_table


def mount(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command(
        "topology",
        epilog="Example: hean topology deploy/redis.toml. docs/topology.md is what it says of all "
        "tables in deploy/.",
    )(topology)


@run_command
def topology(
    tables: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILE]...", help="All of deploy/ if none.")
    ] = None,
    json_to: JsonOption = None,
    debug: DebugOption = False,
) -> None:
    """Check deployment tables and show what crosses between processes."""
    files = tables or sorted(Path("deploy").glob("*.toml"))
    read = {file.as_posix(): read_table(file) for file in files}
    if json_to is None:
        typer.echo(document(read), nl=False)
        return
    write_json({"problems": [], "tables": {name: _wired(it) for name, it in read.items()}}, json_to)
    say(f"{len(read)} tables, all of which can work.", json_to=json_to)


def _wired(table: Table) -> dict[str, Any]:
    """Processes, and what crosses between them."""
    return {
        "transport": table.transport,
        "processes": {
            name: {"port": process.port, "modules": process.parts()}
            for name, process in table.process.items()
        },
        "links": [
            {"from": link.source, "to": link.reader, "events": list(link.types)}
            for link in table.links()
        ],
    }
