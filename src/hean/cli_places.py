# SPDX-License-Identifier: Apache-2.0
"""The trading processes of this machine, as commands meet them: the folders below the data
directory, one for each account, and the process behind the control socket of each, if one runs.
"""

from __future__ import annotations

import getpass
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from hean.errors import EnvironmentFault, ParameterInvalid
from hean.live.socket import AGAIN_S, ASK_S, GONE, ask

CONTROL, LATCH, JOURNAL = "control.sock", "kill.latch", "journal.db"
PLACES = "live"  # the folder of the data directory with one folder for each account

PhraseOption = Annotated[
    str | None, typer.Option("--phrase", help="What is typed to confirm; asked for without it.")
]
PlaceOption = Annotated[
    str | None,
    typer.Option("--only", metavar="NAME", help="One folder below live, as bybit-linear-mainnet."),
]


def places_in(data_dir: Path, only: str | None) -> list[Path]:
    """The folders of accounts. *Raises*: `EnvironmentFault` if there is none."""
    root = data_dir.expanduser()
    found = [root] if _is_place(root) else []
    if (root / PLACES).is_dir():
        found += sorted(filter(_is_place, (root / PLACES).iterdir()))
    if only is not None:
        names = ", ".join(place.name for place in found) or "none"
        found = [place for place in found if place.name == only]
        if not found:
            raise ParameterInvalid(f"--only {only}: no such folder in {root / PLACES}; {names}.")
    if not found:
        raise EnvironmentFault(
            f"nothing trades below {root}: no folder with a journal. Name another with --data-dir."
        )
    return found


def _is_place(folder: Path) -> bool:
    return any((folder / name).exists() for name in (CONTROL, JOURNAL, LATCH))


def only_one(places: list[Path]) -> Path:
    """*Raises*: `ParameterInvalid` when there are more."""
    if len(places) > 1:
        names = ", ".join(place.name for place in places)
        raise ParameterInvalid(f"several accounts trade here ({names}); name one with --only.")
    return places[0]


def asked(place: Path, document: dict[str, Any], *, timeout_s: float = ASK_S) -> dict[str, Any]:
    """The answer of the process. *Raises*: `EnvironmentFault` when there is none."""
    answer = asked_if_alive(place, document, timeout_s=timeout_s)
    if answer is None:
        raise EnvironmentFault(f"{place.name}: no process runs there; start it with hean live.")
    return answer


def asked_if_alive(
    place: Path, document: dict[str, Any], *, timeout_s: float = ASK_S, again_s: float = 0.0
) -> dict[str, Any] | None:
    """The answer of the process; `None` if there is none. *again_s*: how long one that hangs up is
    asked once more, about what does no harm twice. *Raises*: `EnvironmentFault` when there is one
    that does not answer.
    """
    until_s = time.monotonic() + again_s
    while True:
        try:
            return ask(place / CONTROL, document, timeout_s=timeout_s)
        except GONE:
            return None
        except OSError as error:
            if not isinstance(error, ConnectionError) or time.monotonic() >= until_s:
                raise EnvironmentFault(
                    f"{place / CONTROL}: the process does not answer ({error}). Stop it: its "
                    "watchdog, or kill -9; the stops at the venue stay."
                ) from None
        time.sleep(AGAIN_S)


def typed(what: str) -> str:
    """A line of the standard input; typed at a prompt where there is a terminal."""
    if sys.stdin.isatty():
        typer.echo(f"{what}: ", nl=False, err=True)
    return sys.stdin.readline(1_000).rstrip("\n")


def me() -> str:
    """Who types, as the machine knows them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""
