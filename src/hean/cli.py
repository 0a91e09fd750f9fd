# SPDX-License-Identifier: Apache-2.0
"""`hean`: the command line. Each command lives in a `cli_*.py` file, which is loaded only when its
command is asked for: half of what a start takes is loading, and a trading process that died has to
be back soon. Without a command all are mounted, so that the help can name them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib import import_module
from typing import Annotated

import typer

from hean import __version__
from hean.cli_common import leave_broken_pipe
from hean.watchdog import end_on_second_interrupt

COMMANDS = {
    "alerts": "alerts",
    "analytics": "analytics",
    "data": "data",
    "backtest": "backtest",
    "replay": "backtest",
    "demo": "demo",
    "diagnose": "diagnose",
    "check-strategy": "check_strategy",
    "doctor": "doctor",
    "evaluate": "evaluate",
    "evolve": "evolve",
    "kill": "kill",
    "confirm": "kill",
    "live": "live",
    "ml": "ml",
    "paper": "paper",
    "parity": "parity",
    "quant": "quant",
    "rekey": "rekey",
    "resolve": "resolve",
    "run": "run",
    "serve": "serve",
    "settings": "settings",
    "sim": "sim",
    "store": "store",
    "symbiont": "symbiont",
    "token": "token",
    "topology": "topology",
    "twin": "twin",
    "watchdog": "watchdog",
    "why": "why",
}
"""The file of each, without its `cli_`."""

GROUPS = (
    "alerts",
    "data",
    "diagnose",
    "ml",
    "quant",
    "store",
    "token",
)  # commands with commands of their own


def asked(words: list[str]) -> Iterable[str]:
    """The files of the commands that these words of a command line can mean."""
    known = words and words[0] in COMMANDS
    return [COMMANDS[words[0]]] if known else dict.fromkeys(COMMANDS.values())


def _mount(app: typer.Typer, name: str) -> None:
    module = import_module(f"hean.cli_{name}")
    if name not in GROUPS:
        module.mount(app)
        return
    app.add_typer(module.app, name=name)
    if name == "data":
        import_module("hean.cli_download").mount(module.app)


app = typer.Typer(
    name="hean",
    help="Algorithmic crypto trading: one strategy, one code path, backtest to live.",
    epilog="Example: hean demo. What a command takes: hean COMMAND --help.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for _name in asked(sys.argv[1:]):
    _mount(app, _name)


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
