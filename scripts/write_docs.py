# SPDX-License-Identifier: Apache-2.0
"""`make docs`: writes anew every document that a program makes, so that none of them has to be kept
by hand. CI compares each with its program.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WRITERS = ("openapi", "env_examples", "dashboards", "performance")


def main() -> int:
    """Run every writer. *Returns*: 0, or the exit code of the first that failed."""
    for name in WRITERS:
        done = subprocess.run([sys.executable, f"scripts/write_{name}.py"], cwd=ROOT, check=False)
        if done.returncode:
            return done.returncode
    topology = subprocess.run(
        [sys.executable, "-m", "hean", "topology"], cwd=ROOT, check=False, stdout=subprocess.PIPE
    )
    if not topology.returncode:
        (ROOT / "docs" / "topology.md").write_bytes(topology.stdout)
    return topology.returncode


if __name__ == "__main__":
    sys.exit(main())
