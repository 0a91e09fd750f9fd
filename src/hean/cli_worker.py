# SPDX-License-Identifier: Apache-2.0
"""`python -m hean.cli_worker COMMAND...`: plays a command line of `hean` as a job, in the folder it
is started in. The command is the very one a person types; this only stands around it: it takes the
lowest priority, bounds files, tells its progress on stdout as a number a line, ends with its
parent, and thins out the equity for a page to draw. It is no command for people.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

EQUITY, CURVE = Path("equity.csv"), Path("curve.json")
POINTS_MAX = 1_000
NICENESS = 10
FILE_BYTES_MAX = 256 * 2**20
OUT_OF_MEMORY_FIRST = "900"  # of 1000: the system ends a job before it ends the engine


def main() -> None:
    """Play `sys.argv`. The exit code is the command's."""
    progress = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a strategy prints is not progress
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _limit()
    sys.argv = ["hean", *sys.argv[1:]]
    from hean import cli, cli_common  # cli looks at the words when it is loaded

    cli_common.progress_listeners.append(lambda part: print(f"{part:.4f}", file=progress))
    try:
        cli.main()
    finally:
        if EQUITY.is_file():
            CURVE.write_text(json.dumps(thinned(pl.read_csv(EQUITY))), "utf-8")


def _end_with_parent() -> None:
    """The pipe on stdin closes when the parent ends, however it ends."""
    while os.read(0, 1):
        pass
    leads = os.getpgrp() == os.getpid()  # else the group is somebody else's
    (os.killpg if leads else os.kill)(os.getpid(), signal.SIGKILL)


def _limit() -> None:
    os.nice(NICENESS)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES_MAX, FILE_BYTES_MAX))
    with suppress(OSError):  # not everywhere, and not for everybody
        Path("/proc/self/oom_score_adj").write_text(OUT_OF_MEMORY_FIRST)


def thinned(table: pl.DataFrame) -> dict[str, Any]:
    """Times, equity and exposure at *POINTS_MAX* moments at most: the first and the last one, and
    of each stretch between the lowest and the highest, so that no drawdown is drawn too small.
    """
    equity = table["equity"].to_numpy()
    rows = np.arange(equity.size)
    if rows.size > POINTS_MAX:
        parts = np.array_split(rows[1:-1], POINTS_MAX // 2 - 1)
        ends = [(part[equity[part].argmin()], part[equity[part].argmax()]) for part in parts]
        rows = np.unique([0, *np.ravel(ends), rows[-1]])
    kept = table[rows.tolist()]
    return {name: kept[name].to_list() for name in ("ts", "equity", "exposure")}


if __name__ == "__main__":
    main()
