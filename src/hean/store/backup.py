# SPDX-License-Identifier: Apache-2.0
"""`backup.py`: a copy of what nobody can make anew: journal and kill switch of each account, and
`trading.db`, which could be. A journal is copied beside its writer, by SQLite, and walked
afterwards; the manifest holds the hash of each file and, of a journal, its last row. Keys, tokens
and settings are not in it. What is restored is what was backed up, or nothing is.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from hean import __version__
from hean.core.journal import WriterLock, open_journal
from hean.data.fingerprint import sha256_of
from hean.errors import EnvironmentFault, InputError

MANIFEST = "manifest.json"
JOURNAL, LATCH, DATABASE = "journal.db", "kill.latch", "trading.db"
BESIDE = ("-wal", "-shm")  # what SQLite keeps beside a file
PRIVATE = 0o600


class Kept(msgspec.Struct, frozen=True):
    """A file of a backup. *name*: below the data directory; *seq*, *head*: of a journal's last
    row.
    """

    name: str
    bytes: int
    sha256: str
    seq: int | None = None
    head: str | None = None


class Manifest(msgspec.Struct, frozen=True):
    """What a backup holds. *created*: UTC."""

    created: str
    version: str
    files: list[Kept]


def back_up(data_dir: Path, places: list[Path], target: Path) -> tuple[Path, Manifest]:
    """Copy into a new folder of *target*, named by its time. *places*: folders of accounts.

    *Returns*: that folder, and what is in it. *Raises*: `EnvironmentFault`, `JournalDamaged`.
    """
    now = datetime.now(UTC)
    folder = target / f"hean-{now:%Y%m%dT%H%M%S}.{now.microsecond // 1000:03d}Z"
    part = folder.with_name(f".{folder.name}.part")
    try:
        part.mkdir(parents=True, mode=0o700)
        kept = []
        for place in places:
            kept += _of_place(place, place.relative_to(data_dir), part)
        if (data_dir / DATABASE).exists():
            kept.append(_of_database(data_dir / DATABASE, PurePosixPath(DATABASE), part))
        manifest = Manifest(f"{now:%Y-%m-%dT%H:%M:%SZ}", __version__, kept)
        (part / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest)))
        _sync(part / MANIFEST)
        part.rename(folder)
    except (OSError, sqlite3.Error) as error:
        raise EnvironmentFault(f"{target}: no backup was made ({error}).") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder, manifest


def manifest_of(folder: Path) -> Manifest:
    """Of a backup, every file of which is checked. *Raises*: `InputError`, `JournalDamaged`."""
    try:
        found = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except (OSError, msgspec.MsgspecError) as error:
        raise InputError(f"{folder} is no backup ({error}).") from None
    for kept in found.files:
        name = PurePosixPath(kept.name)
        if name.is_absolute() or ".." in name.parts:
            raise InputError(f"{folder}: its manifest names {kept.name}, outside of it.")
        path = folder / name
        if not path.is_file() or sha256_of(path) != kept.sha256:
            raise InputError(f"{path}: not what was backed up; take another backup.")
        if kept.seq is not None:
            journal = open_journal(path)
            journal.close()
            if (journal.head_seq, journal.head_hash.hex()) != (kept.seq, kept.head):
                raise InputError(f"{path}: its last row is another; take another backup.")
    return found


def restore(folder: Path, data_dir: Path, *, is_forced: bool) -> tuple[Manifest, list[str]]:
    """Put a backup's files in their places. *is_forced*: what is there is put aside, but for a kill
    switch, which stays as it is: a backup is no reason to release it.

    *Returns*: what was in it, and what was put aside. *Raises*: `InputError`, `SecondWriter` when
    somebody writes there, `JournalDamaged`, `EnvironmentFault`.
    """
    manifest = manifest_of(folder)
    names = [
        kept.name
        for kept in manifest.files
        if not (kept.name.endswith(LATCH) and (data_dir / kept.name).exists())
    ]
    there = [name for name in names if (data_dir / name).exists()]
    if there and not is_forced:
        raise InputError(
            f"{data_dir / there[0]} exists; --force puts it aside, or name another --data-dir."
        )
    locks: dict[str, WriterLock] = {}
    try:
        for name in names:
            path = data_dir / name
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if path.name != LATCH:
                locks[name] = WriterLock(path.with_name(f"{path.name}.lock"), str(os.getpid()))
        aside = _put_aside(data_dir, there)
        for name in names:
            _place(folder / name, data_dir / name)
    except OSError as error:
        raise EnvironmentFault(f"{data_dir}: not restored ({error}).") from None
    finally:
        for lock in locks.values():
            lock.release()
    return manifest, aside


def document(manifest: Manifest) -> dict[str, Any]:
    """A manifest as JSON."""
    found: dict[str, Any] = msgspec.to_builtins(manifest)
    return found


# ---------------------------------------------------------------- inside


def _of_place(place: Path, name: Path, part: Path) -> list[Kept]:
    below = PurePosixPath(name.as_posix())
    (part / below).mkdir(parents=True, exist_ok=True)
    kept = []
    if (place / JOURNAL).exists():
        _copy(place / JOURNAL, part / below / JOURNAL)
        journal = open_journal(part / below / JOURNAL)
        journal.close()
        last: Mapping[str, Any] = {"seq": journal.head_seq, "head": journal.head_hash.hex()}
        kept.append(_kept(part, below / JOURNAL, **last))
    if (place / LATCH).exists():
        shutil.copyfile(place / LATCH, part / below / LATCH)
        kept.append(_kept(part, below / LATCH))
    return kept


def _of_database(path: Path, name: PurePosixPath, part: Path) -> Kept:
    _copy(path, part / name)
    return _kept(part, name)


def _copy(source: Path, target: Path) -> None:
    """A database as of one moment; who writes it does not wait."""
    uri = f"{source.absolute().as_uri()}?mode=ro"
    with (
        closing(sqlite3.connect(uri, uri=True)) as there,
        closing(sqlite3.connect(target)) as here,
    ):
        there.backup(here)
        here.execute("PRAGMA journal_mode=DELETE")  # one file, beside which readers put nothing
    _sync(target)


def _kept(part: Path, name: PurePosixPath, **last: Any) -> Kept:
    path = part / name
    path.chmod(PRIVATE)
    return Kept(str(name), path.stat().st_size, sha256_of(path), **last)


def _put_aside(data_dir: Path, names: list[str]) -> list[str]:
    stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    aside = []
    for name in names:
        path = data_dir / name
        for suffix in ("", *BESIDE):
            old = path.with_name(path.name + suffix)
            if old.exists():
                old.rename(path.with_name(f"{path.name}.before-{stamp}{suffix}"))
        aside.append(f"{name}.before-{stamp}")
    return aside


def _place(source: Path, target: Path) -> None:
    part = target.with_name(f".{target.name}.part")
    try:
        shutil.copyfile(source, part)
        part.chmod(PRIVATE)
        _sync(part)
        part.replace(target)
        _sync(target.parent)
    finally:
        part.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
