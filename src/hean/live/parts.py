# SPDX-License-Identifier: Apache-2.0
"""`parts.py`: everything by which a trading process touches the world: time, chance, disk, network.
There is no other way out. `real_parts` is the machine; the fault simulator hands in a world of its
own and runs the same process.
"""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hean.core.journal import Lock, SqliteDisk, WriterLock
from hean.core.ports import Disk
from hean.errors import EnvironmentFault, JournalDamaged
from hean.net.http import HttpClient
from hean.net.socket import Dial, picows_dial

PRIVATE = 0o600


@dataclass(frozen=True)
class LiveParts:
    """*now*: UTC nanoseconds, may step; *open_disk*: of the journal; *lock*: raises `SecondWriter`;
    *read_file*: `None` if there is none; *write_file*: returns when it is durable; *http*: a client
    of a base address; *free_bytes*: of the disk the data directory is on; *budget_scale*: for a
    venue that allows so many times the documented rates; *serves*: whether to open the control
    socket.
    """

    now: Callable[[], int]
    rng: random.Random
    open_disk: Callable[[Path], Disk]
    lock: Callable[[Path, str], Lock]
    read_file: Callable[[Path], bytes | None]
    write_file: Callable[[Path, bytes], None]
    http: Callable[[str], HttpClient]
    dial: Dial
    free_bytes: Callable[[Path], int]
    budget_scale: int = 1
    serves: bool = True
    holder: str = ""


def real_parts(*, budget_scale: int = 1) -> LiveParts:
    """This machine."""
    return LiveParts(
        now=time.time_ns,
        rng=random.Random(),
        open_disk=private_disk,
        lock=WriterLock,
        read_file=read_file,
        write_file=write_file,
        http=lambda base: HttpClient(base, now=time.time_ns),
        dial=picows_dial,
        free_bytes=lambda path: shutil.disk_usage(path).free,
        budget_scale=budget_scale,
        holder=str(os.getpid()),
    )


def private_disk(path: Path) -> Disk:
    """A file of a journal that only its owner may read.

    *Raises*: `JournalDamaged` for a file that is none, `EnvironmentFault` for a disk that refuses.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE))
        return SqliteDisk(path)
    except (OSError, sqlite3.OperationalError) as error:
        raise EnvironmentFault(f"{path} cannot be opened ({error}).") from error
    except sqlite3.DatabaseError as error:
        raise JournalDamaged(
            f"{path} cannot be opened as a journal ({error}); restore it from a backup."
        ) from error


def read_file(path: Path) -> bytes | None:
    """A small file. *Raises*: `OSError` for everything but its absence."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def write_file(path: Path, content: bytes) -> None:
    """Replace a small file; when this returns the new content survives a loss of power. Whoever
    else writes it at the same time does so beside it: one of the two is there, whole.
    """
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.", suffix=".new")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
