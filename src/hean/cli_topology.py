# SPDX-License-Identifier: Apache-2.0
"""`hean topology`: what a deployment table means: which process runs what, and what crosses between
them; or why it cannot work.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hean.cli_common import DebugOption, run_command
from hean.topology import document, read_table


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
    debug: DebugOption = False,
) -> None:
    """Check deployment tables and show what crosses between processes."""
    files = tables or sorted(Path("deploy").glob("*.toml"))
    typer.echo(document({file.as_posix(): read_table(file) for file in files}), nl=False)
