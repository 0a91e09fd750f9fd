# SPDX-License-Identifier: Apache-2.0
"""Jobs with real processes whose program is a few lines: what runs, waits, ends, is ended and is
left behind.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from hean.errors import QueueFull, StateError
from hean.jobs.record import State
from hean.jobs.runner import JobLimits, Jobs
from hean.jobs.store import FOLDER

SCRIPT = """
import json, os, subprocess, sys, time
word = sys.argv[1]
if word == "rest":
    print("0.5", flush=True)
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    open("pids", "w").write(f"{os.getpid()} {child.pid}")
    time.sleep(600)
if word == "eat":
    kept = []
    while True:
        kept.append(bytearray(b"x" * 2**24))
        time.sleep(0.02)
if word == "die":
    os.kill(os.getpid(), 9)
if word == "speak":
    print("rubbish\\n" + "9" * 100_000 + "\\n0.25\\n7", flush=True)
    print("no such thing", file=sys.stderr)
    sys.exit(3)
if word == "refuse":
    refusal = {"error": "DataInvalid", "message": f"{os.getcwd()}/x.csv: bad", "exit_code": 2}
    json.dump(refusal, open("result.json", "w"))
    sys.exit(2)
if word == "tell":
    seen = {name for name in os.environ if "SECRET" in name or "KEY" in name}
    json.dump({"net_pnl": "1", "seen": sorted(seen)}, open("result.json", "w"))
    open("scratch", "w").write("x" * 1000)
    sys.exit(int(sys.argv[2]))
"""
PROGRAM = (sys.executable, "-c", SCRIPT)
PATIENCE_S = 120.0


@asynccontextmanager
async def jobs_of(folder: Path, **limits: Any) -> AsyncIterator[Jobs]:
    """Jobs, ended at the end."""
    jobs = Jobs(folder, now=time.time_ns, limits=JobLimits(**limits), program=PROGRAM)
    try:
        yield jobs
    finally:
        await jobs.stop()


def start(jobs: Jobs, *words: str, owner: str = "me") -> str:
    """A job that plays these words."""
    return jobs.start("backtest", "a try", {}, words=words, owner=owner).job_id


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.01)


async def ended(jobs: Jobs, job_id: str) -> Any:
    """Its document once it has ended."""
    record = jobs.find(job_id)
    assert record is not None
    await until(lambda: not record.is_open and job_id not in jobs._tasks)
    return jobs.told(job_id)


def alive(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def pids_of(folder: Path, job_id: str) -> list[int]:
    """The worker and its child, once both run."""
    path = folder / FOLDER / job_id / "pids"
    await until(lambda: path.exists() and len(path.read_text().split()) == 2)
    return [int(word) for word in path.read_text().split()]


@pytest.mark.control("C-11")
@pytest.mark.parametrize("code", ["0", "1"])
async def test_a_job_that_ends_keeps_its_result_and_nothing_else(
    tmp_path: Path, code: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("BYBIT_API_SECRET", "canary")
    async with jobs_of(tmp_path) as jobs:
        job = await ended(jobs, start(jobs, "tell", code))
        assert (job.state, job.progress_percent, job.figures) == ("DONE", 100.0, {"net_pnl": "1"})
        folder = tmp_path / FOLDER / job.job_id
        assert {path.name for path in folder.iterdir()} == {"job.json", "result.json"}
        assert json.loads((folder / "result.json").read_text())["seen"] == []  # C-11: no secret


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        (["refuse"], "DataInvalid", "x.csv: bad"),
        (["speak"], "WorkerFailed", "no such thing"),
        (["die"], "WorkerDied", "its process was ended by signal 9"),
        (["tell", "2"], "WorkerFailed", "its process ended with code 2"),
    ],
)
async def test_a_job_that_fails_says_why(tmp_path: Path, words: list[str], code: str, reason: str):
    async with jobs_of(tmp_path) as jobs:
        job = await ended(jobs, start(jobs, *words))
        assert (job.state, job.code, job.reason) == ("FAILED", code, reason)
        assert {path.name for path in (tmp_path / FOLDER / job.job_id).iterdir()} == {"job.json"}


async def test_a_program_that_cannot_be_begun_fails_the_job(tmp_path: Path):
    jobs = Jobs(tmp_path, now=time.time_ns, program=("/no/such/program",))
    job = await ended(jobs, start(jobs, "x"))
    assert (job.state, job.code) == ("FAILED", "FileNotFoundError")


@pytest.mark.parametrize(
    ("word", "limits", "reason"),
    [
        ("rest", {"wall_s": 0.5}, "it took longer than 0.5 s, the limit of a job"),
        ("eat", {"memory_mb": 100}, "it needed more than 100 MB of memory, the limit of a job"),
    ],
)
async def test_limits_end_a_job_and_name_themselves(
    tmp_path: Path, word: str, limits: dict[str, Any], reason: str
):
    async with jobs_of(tmp_path, **limits) as jobs:
        job = await ended(jobs, start(jobs, word))
        assert (job.state, job.code, job.reason) == ("FAILED", "LimitMet", reason)
        assert word != "eat" or job.memory_mb > 100


async def test_cancelling_ends_the_process_and_its_children(tmp_path: Path):
    async with jobs_of(tmp_path) as jobs:
        job_id = start(jobs, "rest")
        pids = await pids_of(tmp_path, job_id)
        assert (await jobs.cancel(job_id)).state == "CANCELLED"
        await until(lambda: not any(map(alive, pids)))
        again = await jobs.cancel(job_id)  # idempotent
        assert (again.state, again.reason) == ("CANCELLED", "cancelled by a person")
        assert {path.name for path in (tmp_path / FOLDER / job_id).iterdir()} == {"job.json"}


async def test_what_does_not_fit_waits_and_the_queue_has_an_end(tmp_path: Path):
    async with jobs_of(tmp_path, at_once=1, queued_max=2) as jobs:
        first = start(jobs, "rest")
        await until(lambda: jobs.told(first).state == "RUNNING")
        second, third = start(jobs, "tell", "0"), start(jobs, "tell", "0", owner="you")
        assert (jobs.open_jobs("me"), jobs.open_jobs("you"), jobs.is_full) == (2, 1, True)
        with pytest.raises(QueueFull, match="2 jobs wait already"):
            start(jobs, "tell", "0")
        assert (await jobs.cancel(third)).state == "CANCELLED"  # one that never ran
        assert jobs.told(second).state == "QUEUED"
        await jobs.cancel(first)
        assert (await ended(jobs, second)).state == "DONE"
        assert jobs.open_jobs("me") == 0


async def test_every_change_is_told(tmp_path: Path):
    async with jobs_of(tmp_path) as jobs:
        heard: list[tuple[str, float]] = []
        jobs.on_change.append(lambda _, job: heard.append((job.state, job.progress_percent)))
        job_id = start(jobs, "speak")
        await ended(jobs, job_id)
        jobs.forget(job_id)
        states = list(dict.fromkeys(state for state, _ in heard))
        assert states == ["QUEUED", "RUNNING", "FAILED", "FORGOTTEN"]
        assert ("RUNNING", 25.0) in heard and ("RUNNING", 100.0) in heard


async def test_only_what_has_ended_can_be_forgotten(tmp_path: Path):
    async with jobs_of(tmp_path) as jobs:
        job_id = start(jobs, "rest")
        with pytest.raises(StateError, match="cancel it first"):
            jobs.forget(job_id)
        await jobs.cancel(job_id)
        assert jobs.forget(job_id).state == "FORGOTTEN"
        assert jobs.find(job_id) is None
        assert not (tmp_path / FOLDER / job_id).exists()


async def test_the_oldest_results_make_room(tmp_path: Path):
    async with jobs_of(tmp_path, kept_max=2) as jobs:
        names = []
        for _ in range(4):
            names.append(start(jobs, "tell", "0"))
            await ended(jobs, names[-1])
        assert [job.job_id for job in jobs.list()] == [names[3], names[2]]
        assert {path.name for path in (tmp_path / FOLDER).iterdir()} == set(names[2:])


async def test_a_server_that_stops_ends_its_jobs_and_the_next_one_knows(tmp_path: Path):
    async with jobs_of(tmp_path, at_once=1) as jobs:
        running, waiting = start(jobs, "rest"), start(jobs, "rest")
        pids = await pids_of(tmp_path, running)
    await until(lambda: not any(map(alive, pids)))
    async with jobs_of(tmp_path) as later:
        found = {job.job_id: job for job in later.list()}
        assert {found[running].state, found[waiting].state} == {"LOST"}
        assert found[running].reason == "the server was stopped before it ended"


SERVER = """
import asyncio, sys, time
from pathlib import Path
from hean.jobs.runner import Jobs
from unit_jobs_program import PROGRAM

async def main():
    jobs = Jobs(Path(sys.argv[1]), now=time.time_ns, program=PROGRAM)
    print(jobs.start("backtest", "a try", {}, words=("rest",)).job_id, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


async def test_of_a_server_that_was_killed_the_next_one_finds_the_job_lost(tmp_path: Path):
    """A second server leaves the job alone while the first one lives."""
    (tmp_path / "unit_jobs_program.py").write_text(f"PROGRAM = {PROGRAM!r}")
    path = os.pathsep.join((str(tmp_path), *sys.path))
    server = subprocess.Popen(  # noqa: ASYNC220  # reason: it is killed, not awaited
        [sys.executable, "-c", SERVER, str(tmp_path)], stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": path}, text=True,
    )  # fmt: skip
    pids: list[int] = []
    try:
        assert server.stdout is not None
        job_id = (await asyncio.to_thread(server.stdout.readline)).strip()
        pids = await pids_of(tmp_path, job_id)
        async with jobs_of(tmp_path) as second:
            assert second.told(job_id).state == "RUNNING"
            with pytest.raises(StateError, match="another server"):
                await second.cancel(job_id)
            server.kill()
            server.wait()
            assert second.told(job_id).state == "RUNNING"  # what the first one wrote last
        async with jobs_of(tmp_path) as third:
            job = third.told(job_id)
            assert (job.state, job.reason) == (
                State.LOST, "the server ended while it ran; start it again"
            )  # fmt: skip
    finally:
        server.kill()
        server.wait()
        server.stdout.close() if server.stdout else None
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


async def test_a_folder_that_is_no_job_of_ours_is_left_alone(tmp_path: Path):
    folder = tmp_path / FOLDER
    for name, text in (("rubbish", "{"), ("other", '{"job_id": "../../x"}'), ("empty", "")):
        (folder / name).mkdir(parents=True)
        (folder / name / "job.json").write_text(text)
    async with jobs_of(tmp_path) as jobs:
        assert jobs.list() == []
    assert len(list(folder.iterdir())) == 3
