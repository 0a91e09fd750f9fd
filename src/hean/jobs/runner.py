# SPDX-License-Identifier: Apache-2.0
"""`runner.py`: the jobs of one server: who waits, who runs, what came of it. Work is a command line
of `hean` in a process of its own, which the engine's loop only starts, hears and ends; or, where a
job is about this very engine, a coroutine. Everything is bounded: how many run and wait, how long
and how large one may get, and how much of the past is kept.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from hean.engine.documents import Document
from hean.errors import EnvironmentFault, HeanError, QueueFull, StateError
from hean.jobs.figures import figures_of
from hean.jobs.record import Job, Record, State, told
from hean.jobs.store import PAGE, RESULT, Store
from hean.jobs.worker import PROGRAM, Worker
from hean.live.parts import write_file

BAD_RESULT = 1  # exit code of a command that has finished with a result that is not good
TELL_EVERY = 0.01  # of the work: progress is told in percent
REASON_LENGTH_MAX = 600
OUTPUTS = ("--json", RESULT, "--report", PAGE, "--quiet")

log = logging.getLogger("hean.jobs")

Advance = Callable[[float], None]
Work = Callable[[Advance], Awaitable[dict[str, Any]]]


class JobLimits(msgspec.Struct, frozen=True):
    """*at_once*: that run; *queued_max*: that wait; *wall_s*, *memory_mb*: of one; *kept_max*,
    *kept_mb*: of those that have ended, beyond which the oldest go.
    """

    at_once: int = max(1, min(2, (os.cpu_count() or 2) - 1))
    queued_max: int = 20
    wall_s: float = 3_600.0
    memory_mb: int = 4_096
    kept_max: int = 100
    kept_mb: int = 512


class Jobs:
    """*now*: UTC nanoseconds; *program*: what plays a command line. `on_change` is told id
    and document of every job that changes. Its loop is the server's.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        now: Callable[[], int],
        limits: JobLimits | None = None,
        program: Sequence[str] = PROGRAM,
    ) -> None:
        self.limits = limits or JobLimits()
        self.on_change: list[Callable[[str, Document], None]] = []
        self._data_dir = data_dir
        self._store = Store(data_dir)
        self._now = now
        self._program = program
        self._records: dict[str, Record] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._places = asyncio.Semaphore(self.limits.at_once)
        self._ends: dict[str, tuple[State, str]] = {}
        self._load()

    # ------------------------------------------------------------ questions

    def list(self) -> list[Job]:
        """All of them, the newest first."""
        for record in self._records.values():
            self._reread(record)
        return [told(record) for record in reversed(self._records.values())]

    def find(self, job_id: str) -> Record | None:
        """One of them."""
        record = self._records.get(job_id)
        return None if record is None else self._reread(record)

    def told(self, job_id: str) -> Job | None:
        """One of them, as people see it."""
        record = self.find(job_id)
        return None if record is None else told(record)

    def open_jobs(self, owner: str) -> int:
        """How many jobs of a token id wait or run."""
        mine = (self._records[job_id] for job_id in self._tasks)
        return sum(record.owner == owner for record in mine)

    @property
    def is_full(self) -> bool:
        """Whether no other may wait."""
        waiting = sum(self._records[each].state is State.QUEUED for each in self._tasks)
        return waiting >= self.limits.queued_max

    def document(self, job_id: str, name: str) -> dict[str, Any] | None:
        """What a job has written, as JSON."""
        return self._store.document(job_id, name)

    def page(self, job_id: str) -> bytes | None:
        """The report as HTML, if it has one."""
        try:
            return self._store.content(job_id, PAGE)
        except OSError:
            return None

    # ------------------------------------------------------------ wishes

    def start(
        self,
        kind: str,
        title: str,
        asked: dict[str, Any],
        *,
        words: Sequence[str],
        owner: str = "",
        by: str = "hean",
    ) -> Job:
        """Have a command line played. *words*: without outputs. *Raises*: `QueueFull`,
        `EnvironmentFault`.
        """
        return self._begin(
            self._record(kind, title, asked, owner=owner, by=by),
            lambda record: self._play(record, words),
        )

    def converse(
        self, kind: str, title: str, asked: dict[str, Any], *, work: Work, owner: str, by: str
    ) -> Job:
        """Have something done in this loop. *work*: is handed whom to tell its progress, returns
        the result. *Raises*: as `start`.
        """
        return self._begin(
            self._record(kind, title, asked, owner=owner, by=by),
            lambda record: self._await(record, work),
        )

    async def cancel(self, job_id: str) -> Job:
        """End a job, if it has not ended, and wait until nothing of it is left. *Raises*:
        `StateError` for one of another server.
        """
        await self._end(job_id, State.CANCELLED, "cancelled by a person")
        return told(self._records[job_id])

    def forget(self, job_id: str) -> Job:
        """Remove a job that has ended, with its results. *Raises*: `StateError`."""
        record = self._records[job_id]
        if self._reread(record).is_open:
            raise StateError(f"job {job_id} is {record.state}; cancel it first.")
        return self._forget(record)

    async def stop(self) -> None:
        """End what runs, when the server ends."""
        for job_id in tuple(self._tasks):
            with suppress(StateError):
                await self._end(job_id, State.LOST, "the server was stopped before it ended")

    # ------------------------------------------------------------ life of a job

    def _record(
        self, kind: str, title: str, asked: dict[str, Any], *, owner: str, by: str
    ) -> Record:
        name = f"{kind}-{secrets.token_hex(6)}"
        return Record(name, kind, title, asked, owner, by, self._now())

    def _begin(self, record: Record, run: Callable[[Record], Awaitable[None]]) -> Job:
        if self.is_full:
            raise QueueFull(f"{self.limits.queued_max} jobs wait already; cancel one or wait.")
        try:
            self._store.begin(record)
        except OSError as error:
            self._store.remove(record.job_id)
            raise EnvironmentFault(f"jobs cannot be kept: {error.strerror or error}.") from error
        self._records[record.job_id] = record
        task = asyncio.get_running_loop().create_task(self._run(record, run))
        task.add_done_callback(lambda done: self._over(record, done))
        self._tasks[record.job_id] = task
        self._tell(record)
        return told(record)

    async def _run(self, record: Record, run: Callable[[Record], Awaitable[None]]) -> None:
        """A place, then the work."""
        try:
            async with self._places:
                record.state, record.started_ns = State.RUNNING, self._now()
                self._write(record)
                await run(record)
        except TimeoutError:
            self._failed(record, "LimitMet", self._limit_words("wall_s"))
        except (HeanError, OSError) as error:
            self._failed(record, type(error).__name__, getattr(error, "message", str(error)))
        except Exception as error:  # reason: the queue goes on; the log has what happened
            log.exception("job %s", record.job_id)
            self._failed(record, "InternalError", f"unexpected {type(error).__name__}; see log")

    def _over(self, record: Record, task: asyncio.Task[None]) -> None:
        """Whatever the end was, also that of one that never began: say so and clear up."""
        if task.cancelled():
            lost = (State.LOST, "the server ended")
            record.state, record.reason = self._ends.get(record.job_id, lost)
        record.ended_ns = self._now()
        with suppress(OSError):
            self._store.tidy(record.job_id, keeps_result=record.state is State.DONE)
        self._write(record)
        self._store.let_go(record.job_id)
        del self._tasks[record.job_id]
        self._drop_oldest()

    async def _play(self, record: Record, words: Sequence[str]) -> None:
        """The work as a process."""
        folder = self._store.path(record.job_id)

        def heard(part: float) -> None:
            record.memory_mb = worker.memory_mb
            self._heard(record, part)

        worker = Worker(self._program, (*words, *OUTPUTS), folder, heard=heard)
        try:
            code, met = await worker.run(wall_s=self.limits.wall_s, memory_mb=self.limits.memory_mb)
        finally:
            record.memory_mb = worker.memory_mb
        result = await asyncio.to_thread(self._store.document, record.job_id, RESULT)
        if met is not None:
            self._failed(record, "LimitMet", self._limit_words(met))
        elif code not in (0, BAD_RESULT) or result is None or "exit_code" in result:
            self._refused(record, code, result, said=worker.last_line)
        else:
            self._done(record, result)

    async def _await(self, record: Record, work: Work) -> None:
        """The work as a conversation with the engine of this process."""
        async with asyncio.timeout(self.limits.wall_s):
            result = await work(lambda part: self._heard(record, part))
        write_file(self._store.path(record.job_id, RESULT), msgspec.json.encode(result))
        self._done(record, result)

    def _done(self, record: Record, result: dict[str, Any]) -> None:
        record.state, record.fraction = State.DONE, 1.0
        record.figures = figures_of(record.kind, result)
        record.has_page = self._store.path(record.job_id, PAGE).is_file()

    def _refused(
        self, record: Record, code: int, result: dict[str, Any] | None, *, said: str
    ) -> None:
        """What a worker says went wrong, or how it ended if it could not say it."""
        if result is not None and "message" in result:
            self._failed(record, str(result.get("error")), str(result["message"]))
        elif code < 0:
            self._failed(record, "WorkerDied", f"its process was ended by signal {-code}")
        else:
            self._failed(record, "WorkerFailed", said or f"its process ended with code {code}")

    def _failed(self, record: Record, code: str, reason: str) -> None:
        record.state, record.code = State.FAILED, code
        plain = reason.replace(f"{self._store.path(record.job_id)}/", "")
        for folder in (self._data_dir, Path(sys.prefix), Path(__file__).parent.parent):
            plain = plain.replace(f"{folder}/", "")  # places of this machine stay here
        record.reason = plain[:REASON_LENGTH_MAX]

    def _limit_words(self, met: str) -> str:
        if met == "wall_s":
            return f"it took longer than {self.limits.wall_s:g} s, the limit of a job"
        return f"it needed more than {self.limits.memory_mb} MB of memory, the limit of a job"

    async def _end(self, job_id: str, state: State, reason: str) -> None:
        task = self._tasks.get(job_id)
        if task is None:
            if self._reread(self._records[job_id]).is_open:
                raise StateError(f"job {job_id} runs under another server on this data directory.")
            return
        self._ends.setdefault(job_id, (state, reason))
        task.cancel()
        await asyncio.wait([task])
        self._ends.pop(job_id, None)

    # ------------------------------------------------------------ what is kept

    def _load(self) -> None:
        """Those of earlier servers. What nobody runs any more is lost, and says so."""
        for record in self._store.all():
            if record.is_open and self._store.hold(record.job_id):
                was = "ran" if record.state is State.RUNNING else "waited"
                record.state = State.LOST
                record.reason = f"the server ended while it {was}; start it again"
                record.ended_ns = self._now()
                self._store.tidy(record.job_id, keeps_result=False)
                self._write(record)
                self._store.let_go(record.job_id)
            self._records[record.job_id] = record
        self._drop_oldest()

    def _reread(self, record: Record) -> Record:
        """Bring the record of another server's job up to date."""
        if record.is_open and not self._store.is_ours(record.job_id):
            newer = self._store.load(record.job_id)
            if newer is not None:
                self._records[record.job_id] = newer
                return newer
        return record

    def _drop_oldest(self) -> None:
        ended = [record for record in self._records.values() if not record.is_open]
        sizes = {record.job_id: self._store.size(record.job_id) for record in ended}
        total = sum(sizes.values())
        for place, record in enumerate(ended):
            is_many = len(ended) - place > self.limits.kept_max
            if not is_many and total <= self.limits.kept_mb * 2**20:
                return
            total -= sizes[record.job_id]
            self._forget(record)

    def _forget(self, record: Record) -> Job:
        del self._records[record.job_id]
        self._store.remove(record.job_id)
        record = msgspec.structs.replace(record, state=State.FORGOTTEN)
        self._tell(record)
        return told(record)

    def _heard(self, record: Record, part: float) -> None:
        if part - record.fraction >= TELL_EVERY or part >= 1.0:
            record.fraction = part
            self._tell(record)

    def _write(self, record: Record) -> None:
        try:
            self._store.save(record)
        except OSError as error:
            log.error("job %s: its record cannot be written: %s", record.job_id, error)
        self._tell(record)

    def _tell(self, record: Record) -> None:
        for listener in self.on_change:
            listener(record.job_id, told(record))
