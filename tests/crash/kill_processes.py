# SPDX-License-Identifier: Apache-2.0
"""`make crash KILLS=1000`: kill real trading processes so often, at twins of every market, and
compare ledgers. Prints progress and what was seen; `--json FILE` keeps it. Exit code 1 when an
order or a fill was lost or doubled.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from pathlib import Path

from crash.cells import crash_all, short_folder, total

TOLD_EVERY = 25  # kills


def main(arguments: list[str]) -> int:
    """Run it; 0 when both ledgers agree everywhere."""
    parser = argparse.ArgumentParser(
        prog="kill_processes.py", description="Kill trading processes."
    )
    parser.add_argument("--kills", type=int, default=100, help="over all markets")
    parser.add_argument("--seed", type=int, default=1, help="of the moments of death")
    parser.add_argument("--json", type=Path, help="where the figures go")
    options = parser.parse_args(arguments)
    began_s, guard = time.monotonic(), threading.Lock()
    counts: dict[str, int] = {}

    def told(name: str, count: int) -> None:
        with guard:
            counts[name] = count
            done = sum(counts.values())
            if done % TOLD_EVERY == 0:
                print(
                    f"{done} of {options.kills} kills, {time.monotonic() - began_s:.0f} s",
                    flush=True,
                )

    with short_folder() as folder:
        outcomes = crash_all(folder, options.kills, options.seed, told)
    for outcome in outcomes:
        print(f"{outcome.name}: {json.dumps(outcome.figures)}")
        for problem in outcome.problems:
            print(f"  LOST OR DOUBLED: {problem}")
    figures = {
        **total(outcomes),
        "seed": options.seed,
        "seconds": round(time.monotonic() - began_s, 1),
        "markets": {outcome.name: outcome.figures for outcome in outcomes},
    }
    print(
        json.dumps({name: value for name, value in figures.items() if name != "markets"}, indent=1)
    )
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    return 1 if figures["problems"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
