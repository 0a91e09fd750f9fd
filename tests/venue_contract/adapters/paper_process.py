# SPDX-License-Identifier: Apache-2.0
"""`hean paper` on a twin, as a user starts it, and ended by Ctrl-C as soon as it has traded enough:
how long that takes is the machine's business.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from venue_contract.twin_process import wait_until

STRATEGIES = Path(__file__).parents[2] / "paper_strategies.py"
READY_S = 120.0  # of a command on a loaded machine


def traded(
    cwd: Path, *words: str, environment: Mapping[str, str], fills: int, bars: int = 0
) -> dict[str, Any]:
    """Run it until its strategy, one that `Says`, has said so much. *Returns*: its result."""
    told = cwd / "words.txt"
    with told.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "hean", "paper", "--no-api", *words, "--json", "out.json"],
            cwd=cwd, env={**os.environ, **environment}, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def is_enough() -> bool:
        said = told.read_text().splitlines()
        is_over = process.poll() is not None
        return is_over or (said.count("filled") >= fills and said.count("a bar") >= bars)

    try:
        wait_until(is_enough, f"{fills} fills, {bars} bars", timeout_s=READY_S)
        process.send_signal(signal.SIGINT)
        assert process.wait(READY_S) == 0, told.read_text()
    finally:
        process.kill()
        process.wait()
    return dict(json.loads((cwd / "out.json").read_text()))
