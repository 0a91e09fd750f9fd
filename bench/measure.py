# SPDX-License-Identifier: Apache-2.0
"""What every bench shares: workers in fresh processes, turns, and the form of a result.

A bench module has `run(rounds, quick=False)` and returns a `Result`: lists with one value a round.
`run.py` makes minimum, median and maximum of them. A ratio is taken within each round, between
two runs that stood side by side, so that a busy machine slows both.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BENCH = Path(__file__).resolve().parent
PEERS = BENCH.parent / ".cache" / "peers"
MARK = "RESULT "
WORKER_S_MAX = 600

Goal = tuple[str, float]
"""`<=` or `>=`, and the value."""


@dataclass
class Result:
    """One value a round, by figure and by ratio; goals name either."""

    workload: str
    figures: dict[str, list[float]] = field(default_factory=dict)
    ratios: dict[str, list[float]] = field(default_factory=dict)
    goals: dict[str, Goal] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    """Peers that could not run, with the reason."""

    def add(self, figures: Mapping[str, float], ratios: Mapping[str, float]) -> None:
        """One more round."""
        for name, value in figures.items():
            self.figures.setdefault(name, []).append(value)
        for name, value in ratios.items():
            self.ratios.setdefault(name, []).append(value)


def say(text: str) -> None:
    """A line of progress."""
    print(f"  {text}", file=sys.stderr, flush=True)


def turns(items: Sequence[str], turn: int) -> list[str]:
    """The items in an order that changes with the round, so that nobody always goes first."""
    return [*items[turn % len(items) :], *items[: turn % len(items)]]


def peak_rss_mb() -> float:
    """Largest resident memory of this process so far, its parent's not counted."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def python_with(package: str) -> Path | None:
    """The interpreter that has `package`: this one, or that of the peers' own environment."""
    if importlib.util.find_spec(package) is not None:
        return Path(sys.executable)
    own = PEERS / "bin" / "python"
    if own.exists() and any(PEERS.glob(f"lib/python3*/site-packages/{package}")):
        return own
    return None


def install_peers() -> str | None:
    """Make the peers' own environment from its lock, once. Returns why not, if not."""
    lock = BENCH.parent / "requirements" / "peers.txt"
    if (PEERS / "complete").exists():
        return None
    say("installing peers that need an environment of their own")
    steps = [
        [sys.executable, "-m", "venv", "--clear", str(PEERS)],
        [str(PEERS / "bin" / "pip"), "install", "-q", "--require-hashes", "-r", str(lock)],
    ]
    for step in steps:
        done = subprocess.run(step, capture_output=True, text=True, check=False)
        if done.returncode:
            return (done.stderr.strip().splitlines() or ["no reason given"])[-1]
    (PEERS / "complete").touch()
    return None


def worker(task: str, *, python: Path | None = None, **arguments: Any) -> dict[str, Any]:
    """Run `module:function` of this folder in a fresh process and return its result, with the
    peak memory in MB. *Raises*: `RuntimeError` with the worker's last words."""
    command = [str(python or sys.executable), str(BENCH / "measure.py"), task]
    done = subprocess.run(
        [*command, json.dumps(arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=WORKER_S_MAX,
        env={**os.environ, "PYTHONPATH": str(BENCH)},
    )
    for line in done.stdout.splitlines():
        if line.startswith(MARK):
            result: dict[str, Any] = json.loads(line.removeprefix(MARK))
            return result
    words = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
    raise RuntimeError(f"{task}: {words[-1]}")


def percentile(values: list[int], share: float) -> float:
    """Value below which `share` of the sorted `values` lie."""
    return values[min(int(len(values) * share), len(values) - 1)]


def serve(task: str, arguments: str) -> None:
    """The worker's side: call, report, and leave without the peers' own shutdown."""
    module, _, name = task.partition(":")
    function: Callable[..., dict[str, Any]] = getattr(importlib.import_module(module), name)
    result = function(**json.loads(arguments))
    print(MARK + json.dumps({**result, "peak_rss_mb": round(peak_rss_mb(), 1)}), flush=True)
    os._exit(0)


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2])
