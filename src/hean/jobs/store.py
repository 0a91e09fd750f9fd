# SPDX-License-Identifier: Apache-2.0
"""`store.py`: jobs on the disk, a folder each: `<data_dir>/jobs/<job id>/` with `job.json` and what
the job has made. A record is replaced whole or not at all. A link there is nothing: it may lead
anywhere. Whoever runs a job holds a lock in its
folder that dies with the process, so that two servers on one data directory know whose it is, and
a job whose server died is told from one that runs.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from hean.jobs.record import Record
from hean.live.parts import write_file

FOLDER = "jobs"
RECORD = "job.json"
RESULT = "result.json"
CURVE = "curve.json"
PAGE = "report.html"
LOCK = "lock"
KEPT = (RECORD, LOCK, RESULT, CURVE, PAGE)
PRIVATE_FOLDER = 0o700

log = logging.getLogger("hean.jobs")


class Store:
    """*data_dir*: of the server."""

    def __init__(self, data_dir: Path) -> None:
        self.folder = data_dir / FOLDER
        self._locks: dict[str, int] = {}

    def path(self, job_id: str, name: str = "") -> Path:
        """The folder of a job, or a file in it."""
        return self.folder / job_id / name

    def begin(self, record: Record) -> None:
        """A folder for a new job, held by this process. *Raises*: `OSError`."""
        self.path(record.job_id).mkdir(mode=PRIVATE_FOLDER, parents=True)
        self.hold(record.job_id)
        self.save(record)

    def hold(self, job_id: str) -> bool:
        """Take the lock of a job. *Returns*: whether nobody else has it."""
        descriptor = os.open(self.path(job_id, LOCK), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return False
        self._locks[job_id] = descriptor
        return True

    def is_ours(self, job_id: str) -> bool:
        """Whether this process runs it."""
        return job_id in self._locks

    def let_go(self, job_id: str) -> None:
        """Give the lock back; the file goes too."""
        descriptor = self._locks.pop(job_id, None)
        if descriptor is not None:
            self.path(job_id, LOCK).unlink(missing_ok=True)
            os.close(descriptor)

    def save(self, record: Record) -> None:
        """Write a record. *Raises*: `OSError`."""
        write_file(self.path(record.job_id, RECORD), msgspec.json.encode(record))

    def load(self, job_id: str) -> Record | None:
        """The record of a job; `None` if there is none that can be read."""
        try:
            found = msgspec.json.decode(self.content(job_id, RECORD), type=Record)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError) as error:
            log.error("job %s cannot be read and is left out: %s", job_id, error)
            return None
        return found if found.job_id == job_id else None

    def all(self) -> list[Record]:
        """Every record, the oldest first."""
        if not self.folder.is_dir():
            return []
        names = [
            each.name for each in self.folder.iterdir() if each.is_dir() and not each.is_symlink()
        ]
        found = [record for name in names if (record := self.load(name)) is not None]
        return sorted(found, key=lambda record: (record.created_ns, record.job_id))

    def tidy(self, job_id: str, *, keeps_result: bool) -> None:
        """Leave nothing in a job's folder but its record and, where it has one, its result."""
        kept = KEPT if keeps_result else (RECORD, LOCK)
        for path in self.path(job_id).iterdir():
            if path.name in kept:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    def remove(self, job_id: str) -> None:
        """Remove a job with all it left."""
        self.let_go(job_id)
        shutil.rmtree(self.path(job_id), ignore_errors=True)

    def size(self, job_id: str) -> int:
        """Bytes of a job's folder."""
        total = 0
        with suppress(OSError):
            total = sum(each.stat().st_size for each in self.path(job_id).iterdir())
        return total

    def content(self, job_id: str, name: str) -> bytes:
        """What stands in a file of a job. *Raises*: `OSError`."""
        descriptor = os.open(self.path(job_id, name), os.O_RDONLY | os.O_NOFOLLOW)
        with os.fdopen(descriptor, "rb") as file:
            return file.read()

    def document(self, job_id: str, name: str) -> dict[str, Any] | None:
        """A JSON object that a job has written; `None` if there is none."""
        try:
            found = json.loads(self.content(job_id, name))
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None
