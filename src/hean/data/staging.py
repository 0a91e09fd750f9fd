# SPDX-License-Identifier: Apache-2.0
"""`staging.py`: pages of a download until all of them are there.

    <data_dir>/download/<venue>_<market>_<symbol>_<kind>[_<timeframe>]_<id>/
        progress.jsonl   first line: what was asked for; then one line per page
        page-000001.parquet …

A page is on disk before its line is, and its line holds its SHA-256 and where the next page begins,
so that a cut at any moment loses one page at most: what the lines and the bytes agree on is kept,
the rest is fetched again. One process at a time, by a file lock that dies with it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hean.data.fingerprint import sha256_of
from hean.data.schema import Kind, columns_of
from hean.errors import EnvironmentFault

STAGING_DIRECTORY = "download"
PROGRESS = "progress.jsonl"
LOCK = ".lock"
ID_LENGTH = 8  # hex digits that tell apart downloads of one symbol; a handful exist at a time

Rows = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Part:
    """One page. *file*: `None` if it held no row; *cursor*: where the next begins, `None` after
    the last.
    """

    file: str | None
    sha256: str | None
    rows: int
    cursor: str | None


class Staging:
    """The pages of one download. Made by `open_staging`."""

    def __init__(self, folder: Path, asked: dict[str, Any], parts: list[Part]) -> None:
        self.folder = folder
        self.asked = asked
        self.parts = parts

    @property
    def cursor(self) -> str | None:
        """Where the next page begins; `None` at the start and at the end."""
        return self.parts[-1].cursor if self.parts else None

    @property
    def is_complete(self) -> bool:
        """Whether the last page is here."""
        return bool(self.parts) and self.parts[-1].cursor is None

    @property
    def count(self) -> int:
        """Rows so far."""
        return sum(part.rows for part in self.parts)

    def add(self, rows: Rows, cursor: str | None) -> None:
        """Keep a page, durably. *Raises*: `EnvironmentFault` if the disk refuses."""
        try:
            self._add(rows, cursor)
        except OSError as error:
            raise _refused(self.folder, error) from error

    def _add(self, rows: Rows, cursor: str | None) -> None:
        count = int(rows["ts"].size)
        part = Part(None, None, 0, cursor)
        if count:
            path = self.folder / f"page-{len(self.parts) + 1:06d}.parquet"
            pl.DataFrame(dict(rows)).write_parquet(path, compression="zstd")
            with path.open("rb") as file:
                os.fsync(file.fileno())
            part = Part(path.name, sha256_of(path), count, cursor)
        _append(self.folder / PROGRESS, asdict(part))
        self.parts.append(part)

    def table(self, kind: Kind) -> pl.DataFrame:
        """All rows of all pages, by time; pages may come in either order."""
        frames = [pl.read_parquet(self.folder / part.file) for part in self.parts if part.file]
        return in_order(pl.concat(frames), kind) if frames else pl.DataFrame()

    def remove(self) -> None:
        """The download is in the catalog; its pages go."""
        shutil.rmtree(self.folder, ignore_errors=True)


def in_order(frame: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """Canonical columns, rising time, exact repetitions once."""
    keys = ["ts", "id"] if kind is Kind.TRADES else ["ts"]
    return frame.select(columns_of(kind)).unique(maintain_order=True).sort(keys)


@contextmanager
def open_staging(
    data_dir: Path, name: str, asked: dict[str, Any], *, end_ns: int, fresh: bool
) -> Iterator[Staging]:
    """Open the pages of a download, or begin it.

    *name*: `<venue>_<market>_<symbol>_<kind>`; *asked*: what tells this download from others of
    that name; *end_ns*: where it ends, fixed when it begins; *fresh*: forget what is there.
    *Raises*: `EnvironmentFault` if another process is at it, or the disk refuses.
    """
    digest = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
    folder = data_dir / STAGING_DIRECTORY / f"{name}_{digest[:ID_LENGTH]}"
    with ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _lock(stack.enter_context((folder / LOCK).open("a")), folder)
            if fresh:
                (folder / PROGRESS).unlink(missing_ok=True)
            begun = asked | {"end_ns": end_ns}
            staging = _continued(folder, asked) or _begun(folder, begun)
        except OSError as error:
            raise _refused(folder, error) from error
        yield staging


def _lock(file: IO[str], folder: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise EnvironmentFault(f"{folder}: another process downloads this.") from None


def _refused(folder: Path, error: OSError) -> EnvironmentFault:
    return EnvironmentFault(f"{folder}: cannot be written ({error.strerror or error})")


def _begun(folder: Path, asked: dict[str, Any]) -> Staging:
    for path in folder.glob("page-*"):
        path.unlink()
    (folder / PROGRESS).write_bytes(b"")
    _append(folder / PROGRESS, asked)
    return Staging(folder, asked, [])


def _continued(folder: Path, asked: dict[str, Any]) -> Staging | None:
    """What a former process left, as far as lines and bytes agree."""
    path = folder / PROGRESS
    lines = path.read_bytes().splitlines(keepends=True) if path.is_file() else []
    begun = _object(lines[0]) if lines else None
    if begun is None or not asked.items() <= begun.items() or "end_ns" not in begun:
        return None
    parts: list[Part] = []
    good = len(lines[0])
    for line in lines[1:]:
        fields = _object(line)
        part = None if fields is None else _part(folder, fields)
        if part is None or (parts and parts[-1].cursor is None):
            break
        parts.append(part)
        good += len(line)
    os.truncate(path, good)
    return Staging(folder, begun, parts)


def _object(line: bytes) -> dict[str, Any] | None:
    """A whole line as JSON; `None` for a torn one."""
    try:
        found = json.loads(line) if line.endswith(b"\n") else None
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _part(folder: Path, fields: dict[str, Any]) -> Part | None:
    if set(fields) != {"file", "sha256", "rows", "cursor"}:
        return None
    part = Part(**fields)
    if part.file is None:
        return part
    path = folder / Path(part.file).name
    return part if path.is_file() and sha256_of(path) == part.sha256 else None


def _append(path: Path, document: dict[str, Any]) -> None:
    with path.open("ab") as file:
        file.write(json.dumps(document).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def merged(old: Rows | None, new: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """The rows of the catalog and the new ones, by time, each once."""
    if old is None:
        return new
    before = pl.DataFrame({name: np.asarray(old[name]) for name in columns_of(kind)})
    both = [before.cast({name: new.schema[name] for name in before.columns}), new]
    return in_order(pl.concat(both), kind)
