# SPDX-License-Identifier: Apache-2.0
"""Proven files under the data directory, one per venue, market, symbol, kind and bar
length, each with a JSON sidecar that says what it is:

    <data_dir>/catalog/<venue>/<market>/<symbol>/<kind>[_<timeframe>].parquet (.json)
    <data_dir>/catalog/<venue>/<market>/<symbol>/book_<first day>.<as captured> (.json)

Columns are kept as Parquet, a raw capture as the bytes it is.

An import is atomic. Both files are written beside their targets and fsynced; renaming the sidecar
is the commit, renaming the data file the redo. A process killed between the two leaves the new
data under its temporary name with the SHA-256 that the sidecar promises, and the next use of
the catalog finishes the rename; before the commit the old entry stands untouched. One writer at a
time, by a file lock that dies with its process.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hean.data.captures import ProvenCapture
from hean.data.fingerprint import iso_utc, sha256_of
from hean.data.identity import CAPTURE_SUFFIXES, CATALOG_DIRECTORY, suffix_of
from hean.data.problems import Problem, refuse_file
from hean.data.reader import Columns
from hean.data.schema import Kind
from hean.errors import DataInvalid, EnvironmentFault

FORMAT = 1
_LOCK_NAME = ".lock"
_TEMPORARY = ".tmp"


Proven = Columns | ProvenCapture


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of the catalog and what its sidecar says."""

    path: Path
    facts: dict[str, Any]


class Catalog:
    """The catalog of one data directory. Reading never creates anything."""

    def __init__(self, data_dir: Path) -> None:
        self.root = data_dir / CATALOG_DIRECTORY

    def path_of(self, columns: Proven) -> Path:
        """Where these columns belong; refuses columns whose venue or market nobody has stated."""
        for part, option in (("venue", "--venue"), ("market", "--market")):
            if getattr(columns, part) is None:
                refuse_file(
                    columns.path.name,
                    f"{part} unknown",
                    expected=f"{option}, or a name like binance_perp_BTCUSDT_1m",
                )
        folder = self.root / str(columns.venue) / str(columns.market) / columns.symbol
        return folder / columns.entry_name

    def target_of(self, columns: Proven, *, force: bool = False) -> Path:
        """Where these columns would be written; refuses an entry that exists unless `force`."""
        target = self.path_of(columns)
        if target.exists() and not force:
            what = f"{target.relative_to(self.root)} exists in the catalog"
            raise DataInvalid(
                f"{columns.path.name}: {what}; replace it with --force", [Problem(what)]
            )
        return target

    def add(self, columns: Proven, *, force: bool = False) -> Entry:
        """Write columns as an entry, all or nothing; an existing one is replaced only by `force`.

        *Raises*: `DataInvalid` if the entry exists; `EnvironmentFault` if the disk refuses.
        """
        target = self.path_of(columns)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with self._locked():
                self._finish(target)
                self.target_of(columns, force=force)
                return self._write(columns, target)
        except OSError as error:
            raise EnvironmentFault(
                f"{target}: cannot be written ({error.strerror or error}); the catalog is unchanged"
            ) from error

    def entries(self) -> list[Entry]:
        """All complete entries, sorted by path."""
        found: list[Entry] = []
        if not self.root.is_dir():
            return found
        if any(self.root.glob(f"*/*/*/.*{_TEMPORARY}")):
            with self._locked():
                for left in sorted(self.root.glob(f"*/*/*/.*{_TEMPORARY}")):
                    target = left.with_name(left.name[1 : -len(_TEMPORARY)])
                    if _is_entry(target):
                        self._finish(target)
        for path in sorted(self.root.glob("*/*/*/*")):
            sidecar = sidecar_of(path)
            if _is_entry(path) and sidecar.is_file():
                found.append(Entry(path, _facts(sidecar)))
        return found

    def find(
        self,
        kind: Kind | str,
        symbol: str,
        *,
        venue: str | None = None,
        market: str | None = None,
        timeframe: str | None = None,
    ) -> list[Entry]:
        """Entries of a kind and symbol, narrowed by whatever else is given."""
        wanted = {"kind": Kind(kind).value, "symbol": symbol}
        wanted |= {k: v for k, v in (("venue", venue), ("market", market)) if v is not None}
        if timeframe is not None:
            wanted["timeframe"] = timeframe
        return [e for e in self.entries() if all(e.facts.get(k) == v for k, v in wanted.items())]

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self.root / _LOCK_NAME).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _finish(self, target: Path) -> None:
        """Complete a committed import that was cut off, or clear away one that never committed."""
        temporary, sidecar = _temporary(target), sidecar_of(target)
        if temporary.exists():
            promised = _facts(sidecar).get("sha256") if sidecar.is_file() else None
            if promised == sha256_of(temporary):
                os.replace(temporary, target)
                _sync_directory(target.parent)
            else:
                temporary.unlink()
        _temporary(sidecar).unlink(missing_ok=True)

    def _write(self, columns: Proven, target: Path) -> Entry:
        temporary, sidecar = _temporary(target), sidecar_of(target)
        committed = False
        try:
            columns.write(temporary)
            _sync_file(temporary)
            facts = _describe(columns, target.name, sha256_of(temporary))
            text = json.dumps(facts, indent=2, sort_keys=True) + "\n"
            _temporary(sidecar).write_text(text, encoding="utf-8")
            _sync_file(_temporary(sidecar))
            os.replace(_temporary(sidecar), sidecar)
            committed = True
            _sync_directory(target.parent)
            os.replace(temporary, target)
            _sync_directory(target.parent)
        except OSError as error:
            if committed:
                why = error.strerror or error
                raise EnvironmentFault(
                    f"{target}: {why}; the import is complete and takes effect on the next use"
                ) from error
            temporary.unlink(missing_ok=True)
            _temporary(sidecar).unlink(missing_ok=True)
            raise
        return Entry(target, facts)


def sidecar_of(path: Path) -> Path:
    """The JSON file beside an entry; captures of one day may differ in their endings alone."""
    return path.with_suffix(".json") if path.suffix == ".parquet" else Path(f"{path}.json")


def _is_entry(path: Path) -> bool:
    return suffix_of(path) in (".parquet", *CAPTURE_SUFFIXES)


def _facts(sidecar: Path) -> dict[str, Any]:
    try:
        facts = json.loads(sidecar.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        refuse_file(str(sidecar), "damaged sidecar", got=str(error), expected="import again")
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        refuse_file(str(sidecar), "unknown sidecar format", expected=f"format {FORMAT}")
    return facts


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}{_TEMPORARY}")


def _describe(columns: Proven, file: str, digest: str) -> dict[str, Any]:
    gaps = columns.gaps
    first = [
        {"after": iso_utc(g.after_ns), "before": iso_utc(g.before_ns), "missing": g.missing}
        for g in gaps.first
    ]
    return {
        "format": FORMAT,
        "file": file,
        "sha256": digest,
        "venue": columns.venue,
        "market": columns.market,
        "symbol": columns.symbol,
        "rows": columns.rows,
        "first": iso_utc(columns.first_ns),
        "last": iso_utc(columns.last_ns),
        "gaps": {"count": gaps.count, "missing": gaps.missing, "first": first},
        **columns.facts,
        "notes": list(columns.notes),
        "source": columns.path.name,
        "source_sha256": sha256_of(columns.path),
    }


def _sync_file(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
