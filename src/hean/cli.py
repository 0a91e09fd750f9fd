# SPDX-License-Identifier: Apache-2.0
"""`hean`: the command line. This file only mounts commands; each lives in a `cli_*.py` file."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from hean import (
    __version__,
    cli_backtest,
    cli_data,
    cli_demo,
    cli_doctor,
    cli_download,
    cli_kill,
    cli_live,
    cli_paper,
    cli_parity,
    cli_settings,
    cli_twin,
    cli_why,
)
from hean.cli_common import leave_broken_pipe
from hean.watchdog import end_on_second_interrupt

app = typer.Typer(
    name="hean",
    help="Algorithmic crypto trading: one strategy, one code path, backtest to live.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(cli_data.app, name="data")
cli_download.mount(cli_data.app)
cli_backtest.mount(app)
cli_demo.mount(app)
cli_doctor.mount(app)
cli_kill.mount(app)
cli_live.mount(app)
cli_paper.mount(app)
cli_parity.mount(app)
cli_settings.mount(app)
cli_twin.mount(app)
cli_why.mount(app)


def _show_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"hean {__version__}")
        raise typer.Exit


@app.callback()
def root(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Algorithmic crypto trading: one strategy, one code path, backtest to live."""


def main() -> None:
    """Parse the command line and run."""
    end_on_second_interrupt()
    try:
        app(prog_name="hean")
    finally:
        _flush()


def _flush() -> None:
    """A reader that has gone is not our error."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        leave_broken_pipe()
