# SPDX-License-Identifier: Apache-2.0
"""`cli_beside.py`: page and API beside a `hean live`, as a process of its own that has no key. It
ends with the trading process, also with one that is killed: then a pipe between both is closed.
That it ends, hangs or never began is nothing to the trading.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from hean.config import Settings
from hean.errors import EnvironmentFault

END_S = 10.0
ATTENDED = "--attended"
KEYS = ("API_KEY", "API_SECRET", "API_KEY_FILE", "API_SECRET_FILE", "LIVE_CONFIRM")

ApiOption = Annotated[
    int | None,
    typer.Option(
        "--api",
        metavar="PORT",
        min=0,
        max=65_535,
        help="Page and API on this port, in a process beside this one: hean serve --live.",
    ),
]


@contextmanager
def face_beside(port: int | None, known: Settings, config: Path | None) -> Iterator[None]:
    """Have it run meanwhile, unless *port* is `None`. *config*: the file that was named.

    *Raises*: `EnvironmentFault` when no process can be started.
    """
    if port is None:
        yield
        return
    words = ["--live", "--port", str(port), "--data-dir", str(known.data_dir.expanduser())]
    words += ["--exchange", known.exchange, "--market", known.market]
    words += ["--testnet" if known.testnet else "--mainnet"]
    words += ["--config", str(config)] if config is not None else []
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "hean", "serve", ATTENDED, *words],
            env=_environment(known),
            stdin=subprocess.PIPE,
            stdout=sys.stderr.fileno(),
        )
    except OSError as error:
        raise EnvironmentFault(f"page and API cannot be started: {error}.") from error
    try:
        yield
    finally:
        if process.stdin is not None:
            process.stdin.close()
        process.terminate()
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _environment(known: Settings) -> dict[str, str]:
    """Ours without the keys of the venue; with that of the tokens, which was taken out of it."""
    kept = {name: value for name, value in os.environ.items() if not name.endswith(KEYS)}
    if known.secret_key is not None and "SECRET_KEY_FILE" not in kept:
        kept["SECRET_KEY"] = known.secret_key.reveal()
    return kept
