# SPDX-License-Identifier: Apache-2.0
"""`make dev` starts API, page and monitoring, and ends all of them together. The programs it drives
write down how they were called; those that stay are ended by it, or end by themselves.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.promise(135)
IN_TIME_S = 60.0
SAYS = '#!/bin/sh\ntrap "exit 0" TERM\necho "$(basename "$0") $*" >>"$CALLS"\n'
STAYS = SAYS + 'while [ ! -e "$CALLS.over" ]; do sleep 0.1; done\n'


class Bench:
    """A folder with the script and the programs it drives."""

    def __init__(self, folder: Path, root: Path) -> None:
        self.calls = folder / "calls"
        self.calls.write_text("")
        for name, text in (
            ("hean", STAYS),
            ("bin/npm", STAYS),
            ("bin/docker", SAYS),
        ):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            path.chmod(0o755)
        (folder / "docker-compose.yml").write_text("")
        (folder / "scripts").mkdir()
        shutil.copy(root / "scripts/dev.py", folder / "scripts")
        paths = f"{folder / 'bin'}:{os.environ['PATH']}"
        self.process = subprocess.Popen(
            [sys.executable, str(folder / "scripts/dev.py")],
            env={"PATH": paths, "CALLS": str(self.calls), "HEAN_API_PORT": "8123"},
            stdout=subprocess.DEVNULL,
        )

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + IN_TIME_S
        while not condition():
            assert time.monotonic() < deadline, self.calls.read_text()
            time.sleep(0.02)

    def is_called(self, words: str) -> bool:
        return words in self.calls.read_text().splitlines()

    def started(self) -> None:
        for words in (
            "docker compose up -d prometheus grafana",
            "hean demo --port 8123 --no-browser",
            "npm run dev --prefix ui",
        ):
            self.until(lambda words=words: self.is_called(words))  # type: ignore[misc]


def test_it_starts_all_three_and_a_stop_ends_them(tmp_path: Path, root: Path) -> None:
    bench = Bench(tmp_path, root)
    bench.started()
    bench.process.send_signal(signal.SIGTERM)
    assert bench.process.wait(IN_TIME_S) == 0
    assert bench.is_called("docker compose stop prometheus grafana")


def test_when_one_ends_all_end(tmp_path: Path, root: Path) -> None:
    bench = Bench(tmp_path, root)
    bench.started()
    Path(f"{bench.calls}.over").touch()
    bench.process.wait(IN_TIME_S)
    assert bench.is_called("docker compose stop prometheus grafana")


def test_make_names_it(root: Path) -> None:
    assert "\ndev:" in (root / "Makefile").read_text()
