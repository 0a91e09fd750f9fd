# SPDX-License-Identifier: Apache-2.0
"""`hean`: the command line. This file only mounts commands; each lives in a `cli_*.py` beside it."""

from __future__ import annotations

from typing import Annotated

import typer

from hean import __version__, cli_backtest, cli_data, cli_demo

app = typer.Typer(
    name="hean",
    help="Algorithmic crypto trading: one strategy, one code path, backtest to live.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(cli_data.app, name="data")
cli_backtest.mount(app)
cli_demo.mount(app)


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
    """Entry point of the installed command."""
    app(prog_name="hean")
