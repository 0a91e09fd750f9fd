# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C in `hean sim`, as a terminal sends it: to the command and to all its processes. Whatever
they are doing, one line is said and nothing is left running.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from venue_contract.twin_process import wait_until

WORKERS = 2
PATIENCE_S = 600.0  # far more than it takes
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def workers_of(process: subprocess.Popen[str]) -> list[int]:
    """Processes that play seeds."""
    path = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    children = [int(pid) for pid in path.read_text().split()]
    return [pid for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def cpu_s(pid: int) -> float:
    """Processor time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) / TICKS_PER_S


def are_begun(workers: list[int]) -> bool:
    """They are there, and load what they need."""
    return len(workers) == WORKERS


def are_at_work(workers: list[int]) -> bool:
    """They have loaded everything long ago and play."""
    return len(workers) == WORKERS and all(cpu_s(pid) > 3.0 for pid in workers)


@contextmanager
def playing(jobs: int) -> Iterator[subprocess.Popen[str]]:
    """The command with more to do than it will ever get done, in a group of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "hean", "sim", "--seeds", "5000", "--jobs", str(jobs)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def interrupt(process: subprocess.Popen[str]) -> None:
    """As a terminal does. *Raises*: `AssertionError` for more, or less, than the one line."""
    os.killpg(process.pid, signal.SIGINT)
    told = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, *told) == (130, "", "interrupted; no result was written\n")


@pytest.mark.parametrize("is_time", [are_begun, are_at_work])
def test_an_interrupt_ends_all_of_it_with_one_line(is_time: Callable[[list[int]], bool]) -> None:
    with playing(WORKERS) as process:
        wait_until(lambda: is_time(workers_of(process)), "workers", timeout_s=PATIENCE_S)
        workers = workers_of(process)
        interrupt(process)
        assert not [pid for pid in workers if Path(f"/proc/{pid}").exists()]


def test_so_does_one_process_that_plays_them_itself() -> None:
    with playing(1) as process:
        wait_until(lambda: cpu_s(process.pid) > 3.0, "seeds", timeout_s=PATIENCE_S)
        interrupt(process)
