# SPDX-License-Identifier: Apache-2.0
"""`ground_files.py`: an arena as a folder: `arena.json`, and a `.npy` file for each column, which
any number of processes of a machine map and none copies. Its name is the SHA-256 of everything in
it, so a folder that says something else is refused, and the same arena is never written twice.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from hean.backtest.material import Facts, Material
from hean.errors import DataInvalid, EnvironmentFault
from hean.evaluate.evolving import Arena, Cut

DESCRIPTION = "arena.json"
KEPT_MAX = 8  # arenas in a folder of folders; the oldest makes room
PARTIAL = ".part-"
OWN, LOCK = "hean-dask-", "lock"
FRESH_S = 60  # one that is being made is not locked yet


class Described(msgspec.Struct, frozen=True):
    """*columns*: names of each symbol's."""

    facts: Facts
    cut: Cut
    columns: tuple[tuple[str, ...], ...]


def packed(arena: Arena) -> dict[str, bytes]:
    """The files of an arena by name."""
    columns = arena.material.columns
    names = tuple(tuple(each) for each in columns)
    described = Described(arena.material.facts, arena.cut, names)
    files = {DESCRIPTION: msgspec.json.encode(described)}
    for number, each in enumerate(columns):
        for name, column in each.items():
            file = io.BytesIO()
            np.save(file, np.asarray(column), allow_pickle=False)
            files[_file(number, name)] = file.getvalue()
    return files


def digest_of(files: Mapping[str, Any]) -> str:
    """SHA-256 over names and contents."""
    whole = hashlib.sha256()
    for name in sorted(files):
        whole.update(f"{name} {hashlib.sha256(files[name]).hexdigest()}\n".encode())
    return whole.hexdigest()


def write(folder: Path, files: Mapping[str, Any]) -> str:
    """Put an arena below *folder*, whole or not at all. *Returns*: its name.
    *Raises*: `EnvironmentFault` for what the disk does not take.
    """
    name = digest_of(files)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if (folder / name).exists():
            return name
        _make_room(folder)
        part = Path(tempfile.mkdtemp(dir=folder, prefix=PARTIAL))
        try:
            for each, content in files.items():
                (part / each).write_bytes(content)
            os.rename(part, folder / name)
        except OSError:
            shutil.rmtree(part, ignore_errors=True)
            if not (folder / name).exists():  # else another process was faster
                raise
    except OSError as error:
        raise EnvironmentFault(f"{folder}: {error.strerror or error}.") from error
    return name


@contextmanager
def own_folder() -> Iterator[Path]:
    """A folder of this run, which is removed with it; and those that killed runs have left are
    removed now: nobody holds their locks any more.
    """
    for lock in Path(tempfile.gettempdir()).glob(f"{OWN}*/{LOCK}"):
        with suppress(OSError):  # of somebody else, in use, or gone
            _remove_left(lock)
    with tempfile.TemporaryDirectory(prefix=OWN) as name, (Path(name) / LOCK).open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield Path(name)


def _remove_left(lock: Path) -> None:
    """*Raises*: `OSError` for a folder in use."""
    file = os.open(lock, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        stat = os.fstat(file)
        if stat.st_uid == os.getuid() and time.time() - stat.st_mtime > FRESH_S:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock.parent, ignore_errors=True)
    finally:
        os.close(file)


def opened(folder: Path, name: str) -> Arena:
    """The arena, on columns that are mapped. *Raises*: `FileNotFoundError` where it is not;
    `DataInvalid` if what is there is something else.
    """
    path = folder / name
    files = {each.name: each for each in path.iterdir()}
    if digest_of({each: np.memmap(files[each], mode="r") for each in files}) != name:
        raise DataInvalid(f"{path}: not the arena that its name says; remove it and run again.")
    described = msgspec.json.decode(files[DESCRIPTION].read_bytes(), type=Described)
    columns = tuple(
        {each: _mapped(path / _file(number, each)) for each in names}
        for number, names in enumerate(described.columns)
    )
    return Arena(Material(described.facts, columns), described.cut)


def _file(number: int, name: str) -> str:
    return f"{number}.{name}.npy"


def _mapped(path: Path) -> Any:
    """A column; an empty one cannot be mapped."""
    found = np.load(path, mmap_mode="r" if path.stat().st_size > 256 else None, allow_pickle=False)
    return np.asarray(found)


def _make_room(folder: Path) -> None:
    """Whoever has mapped a file keeps it, whatever becomes of its name."""
    known = [each for each in folder.iterdir() if not each.name.startswith(PARTIAL)]
    known.sort(key=lambda each: each.stat().st_mtime_ns)
    for each in known[: max(0, len(known) - KEPT_MAX + 1)]:
        shutil.rmtree(each, ignore_errors=True)
