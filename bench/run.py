# SPDX-License-Identifier: Apache-2.0
"""`make bench`: run the benches of this folder and keep what they say.

    python bench/run.py [--only NAME ...] [--rounds 5] [--quick]

Each `bench_NAME.py` yields one value a round; this file makes minimum, median and maximum of them,
writes `bench/results/NAME.json`, compares with the last committed one, and prints a table with the
goals. `--quick` is a smoke test: one small round, nothing written. A goal that is missed does not
fail the run: a shared machine decides nothing, the table says it.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from measure import BENCH, Goal, Result

RESULTS = BENCH / "results"
PEER_PACKAGES = (
    *("nautilus_trader", "hftbacktest", "backtesting", "vectorbt"),
    *("TA-Lib", "talipp", "numba", "numpy", "statsmodels"),
    *("fastapi", "uvicorn", "picows", "uvloop", "playwright"),
)


def words_of(*command: str) -> str:
    """First line of a command's output; empty if there is no such command."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=BENCH)
    except OSError:
        return ""
    return done.stdout.strip().partition("\n")[0]


def machine() -> str:
    """Processor, cores, memory, system and compilers, as one line."""
    facts = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    model = next((line for line in facts.splitlines() if line.startswith("model name")), ":")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    parts = [
        f"{os.cpu_count()} cores of {model.partition(':')[2].strip()}",
        f"{memory:.0f} GiB",
        f"{platform.system()} {platform.release().partition('-')[0]}",
        f"Python {platform.python_version()}",
        words_of("rustc", "--version").rpartition(" (")[0],
        f"load {os.getloadavg()[0]:.1f}",
    ]
    return ", ".join(part for part in parts if part)


def versions() -> dict[str, str]:
    """Installed versions of the peers, wherever they live."""
    found: dict[str, str] = {}
    for python in (sys.executable, str(BENCH.parent / ".cache" / "peers" / "bin" / "python")):
        for package in PEER_PACKAGES:
            code = f"import importlib.metadata as m; print(m.version({package!r}))"
            if package not in found and (version := words_of(python, "-c", code)):
                found[package] = version
    return found


def spread(values: list[float]) -> dict[str, float]:
    """Minimum, median, maximum."""
    return {"min": min(values), "median": median(values), "max": max(values)}


def is_reached(value: float, goal: Goal) -> bool:
    """Does a median keep its goal?"""
    relation, bound = goal
    return value <= bound if relation == "<=" else value >= bound


def report(result: Result, rounds: int) -> dict[str, Any]:
    """The JSON of one bench."""
    figures = {name: spread(values) for name, values in result.figures.items()}
    ratios = {name: spread(values) for name, values in result.ratios.items()}
    goals = {}
    for name, goal in result.goals.items():
        entry: dict[str, Any] = {"goal": f"{goal[0]} {goal[1]:g}", "median": None, "reached": None}
        if seen := (ratios.get(name) or figures.get(name)):
            entry |= {"median": seen["median"], "reached": is_reached(seen["median"], goal)}
        goals[name] = entry
    changed = words_of("git", "status", "--porcelain", "--untracked-files=no")
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": words_of("git", "rev-parse", "HEAD") + (" and changes" if changed else ""),
        "machine": machine(),
        "workload": result.workload,
        "rounds": rounds,
        "goals": goals,
        "paired_ratios": ratios,
        "figures": figures,
        "missing": result.missing,
        "versions": versions(),
    }


def committed(name: str) -> dict[str, Any]:
    """The last committed result of a bench; empty if there is none."""
    path = f"HEAD:bench/results/{name}.json"
    done = subprocess.run(
        ["git", "show", path], capture_output=True, text=True, check=False, cwd=BENCH
    )
    before: dict[str, Any] = json.loads(done.stdout) if done.returncode == 0 else {}
    return before


def table(name: str, now: dict[str, Any], before: dict[str, Any]) -> list[str]:
    """One line a goal: what was seen, the goal, whether it was reached, change since last time."""
    lines = [f"{name}: {now['workload']}"]
    for figure, entry in now["goals"].items():
        if entry["median"] is None:
            lines.append(f"  {figure:44} {'-':>12}  {entry['goal']:>12}  not measured")
            continue
        seen = now["paired_ratios"].get(figure) or now["figures"][figure]
        span = f"[{seen['min']:.4g} .. {seen['max']:.4g}]"
        verdict = "reached" if entry["reached"] else "NOT REACHED"
        last = before.get("goals", {}).get(figure, {}).get("median")
        change = f"  {entry['median'] / last:.2f} x last" if last else ""
        lines.append(
            f"  {figure:44} {entry['median']:12.4g}  {entry['goal']:>12}  {verdict:11} "
            f"{span}{change}"
        )
    lines.extend(f"  {peer} did not run: {why}" for peer, why in now["missing"].items())
    return lines


def main() -> int:
    """Run what was asked for; 1 if a bench could not run or its answers were wrong."""
    files = sorted(path.stem.removeprefix("bench_") for path in BENCH.glob("bench_*.py"))
    names = [name for name in files if not name.startswith("models_")]  # parts of `models`
    parser = argparse.ArgumentParser(description="Measure HEAN beside its peers.")
    parser.add_argument("--only", action="extend", nargs="+", choices=names, metavar="NAME")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one small round, nothing written")
    given = parser.parse_args()
    rounds = 1 if given.quick else max(given.rounds, 1)
    lines, failed = [machine()], []
    for name in given.only or names:
        print(f"{name}:", file=sys.stderr, flush=True)
        began = time.monotonic()
        try:
            result = importlib.import_module(f"bench_{name}").run(rounds, quick=given.quick)
        except Exception as error:  # noqa: BLE001  # reason: the other benches still count
            failed.append(name)
            lines.append(f"{name}: FAILED: {type(error).__name__}: {error}")
            continue
        now = report(result, rounds)
        lines.extend(table(name, now, committed(name)))
        if not given.quick:
            RESULTS.mkdir(exist_ok=True)
            text = json.dumps(now, indent=1, ensure_ascii=False)
            (RESULTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")
        print(f"  {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    print("\n".join(lines))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
