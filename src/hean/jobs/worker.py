# SPDX-License-Identifier: Apache-2.0
"""`worker.py`: one child process at work, as its parent sees it. It is a session of its own, so
that ending it ends whatever it has begun; it hears of its parent's death through a pipe; it gets no
variable that could be a secret. What it says on stdout is progress, on stderr whatever it likes, of
which the last lines are kept.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

PROGRAM = (sys.executable, "-m", "hean.cli_worker")
"""Plays the words of a `hean` command line."""

LOOK_S = 0.25  # between two looks at its memory
END_S = 0.05  # until its end is seen
LINE_BYTES_MAX = 4_096
TAIL_BYTES = 8_192
PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 2**20
VARIABLES = ("PATH", "PYTHONPATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "TZ")
"""What a worker inherits; no key, token or address of ours is among them."""


class Worker:
    """One run of *program* with *words* in *folder*. *heard*: told each part done, 0 to 1."""

    def __init__(
        self,
        program: Sequence[str],
        words: Sequence[str],
        folder: Path,
        *,
        heard: Callable[[float], None],
    ) -> None:
        self._command = (*program, *words)
        self._folder = folder
        self._heard = heard
        self._process: Process | None = None
        self._tail = b""
        self._is_over = asyncio.Event()
        self.memory_mb = 0
        """The most that it and its children had at a time."""

    async def run(self, *, wall_s: float, memory_mb: int) -> tuple[int, str | None]:
        """Run it to its end, or to that of the caller. *Returns*: exit code (negative: the signal
        that ended it) and the limit it met, `wall_s` or `memory_mb`. *Raises*: `OSError` if it
        cannot be begun.
        """
        loop = asyncio.get_running_loop()
        begun = loop.create_task(self._begin())
        try:
            process = await asyncio.shield(begun)  # never cut short in the middle of a fork
        except asyncio.CancelledError:
            process = await begun
            await self._end(process, [])
            raise
        assert process.stdout is not None and process.stderr is not None
        hearing = [
            loop.create_task(self._hear(process.stdout)),
            loop.create_task(self._keep(process.stderr)),
        ]
        watching = loop.create_task(self._watch(process, wall_s, memory_mb))
        try:
            met = await asyncio.shield(watching)
        finally:
            watching.cancel()
            await self._end(process, hearing)
        assert process.returncode is not None
        return process.returncode, met

    def kill(self) -> None:
        """End it and everything it began, at once."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    @property
    def last_line(self) -> str:
        """The last thing it said on stderr."""
        lines = [line for line in self._tail.decode("utf-8", "replace").splitlines() if line]
        return lines[-1].strip() if lines else ""

    # ------------------------------------------------------------ inside

    async def _begin(self) -> Process:
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            cwd=self._folder,
            env={name: os.environ[name] for name in VARIABLES if name in os.environ},
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            limit=LINE_BYTES_MAX,
            start_new_session=True,
        )
        return self._process

    async def _end(self, process: Process, hearing: Sequence[asyncio.Task[None]]) -> None:
        """End the group, hear the last words, and leave no zombie. Pipes are read until they end:
        the loop does not tell that a process has ended before they have.
        """
        self.kill()
        if hearing:
            await asyncio.wait(hearing)
        await process.wait()

    async def _hear(self, stream: asyncio.StreamReader) -> None:
        while True:
            try:
                line = await stream.readline()
            except ValueError:  # longer than a line of ours ever is
                continue
            if not line:
                return
            with suppress(ValueError):
                self._heard(min(1.0, max(0.0, float(line))))

    async def _keep(self, stream: asyncio.StreamReader) -> None:
        while part := await stream.read(TAIL_BYTES):
            self._tail = (self._tail + part)[-TAIL_BYTES:]

    async def _watch(self, process: Process, wall_s: float, memory_mb: int) -> str | None:
        """Return when it has ended, or with the limit that it does not keep."""
        loop = asyncio.get_running_loop()
        now_s = loop.time()
        end_s, look_s = now_s + wall_s, now_s
        while process.returncode is None:
            await asyncio.sleep(END_S)
            now_s = loop.time()
            if now_s > end_s:
                return "wall_s"
            if now_s >= look_s:
                look_s = now_s + LOOK_S
                used = round(sum(map(resident_mb, family(process.pid))))
                self.memory_mb = max(self.memory_mb, used)
                if used > memory_mb:
                    return "memory_mb"
        return None


def family(pid: int) -> list[int]:
    """A process and its descendants, as far as the system tells."""
    found = [pid]
    for parent in found:
        with suppress(OSError):
            for task in Path(f"/proc/{parent}/task").iterdir():
                with suppress(OSError):
                    found += map(int, (task / "children").read_text().split())
    return found


def resident_mb(pid: int) -> float:
    """Memory of a process; 0 if it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_MB
    except (OSError, IndexError):
        return 0.0
