# SPDX-License-Identifier: Apache-2.0
"""`cli_beside.py`: where a session has page and API, and those of a `hean live`, which are in a
process of their own that has no key. It ends with the trading process, also with one that is
killed: then a pipe between both is closed. That it ends, hangs or never began is nothing to the
trading.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

import typer

from hean.config import Settings
from hean.errors import EnvironmentFault, ParameterInvalid

END_S = 10.0
NICE = 5  # of an API beside a trading process: the processor is the other's first
ATTENDED = "--attended"
IF_TAKEN = (
    "the engine trades on without page and API; bring them up with hean serve --live --port PORT"
)
KEYS = ("API_KEY", "API_SECRET", "API_KEY_FILE", "API_SECRET_FILE", "LIVE_CONFIRM")

ApiOption = Annotated[
    int | None,
    typer.Option(
        "--api",
        metavar="PORT",
        min=0,
        max=65_535,
        help="Port of page and API, 0 is any free one. Default: HEAN_API_PORT, 8000.",
    ),
]
NoApiOption = Annotated[bool, typer.Option("--no-api", help="Without page and API.")]


def port_of(api: int | None, no_api: bool, known: Settings) -> int | None:
    """Where page and API are to be, `None` for nowhere. *Raises*: `ParameterInvalid`."""
    if not no_api:
        return known.hean_api_port if api is None else api
    if api is not None:
        raise ParameterInvalid(f"--api {api} and --no-api exclude each other; give one.")
    return None


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
            stdout=subprocess.DEVNULL if sys.stderr is None else sys.stderr.fileno(),
        )
        with suppress(OSError):  # it has ended already
            os.setpriority(os.PRIO_PROCESS, process.pid, NICE)
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
