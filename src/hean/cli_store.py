# SPDX-License-Identifier: Apache-2.0
"""`hean store`: the tables that journals are projected into, `trading.db` or a PostgreSQL: made
anew, kept up to date, proved; and copies of what nobody can make anew. None of it stops, starts or
slows a trading process.
"""

from __future__ import annotations

import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from hean.cli_common import (
    DATA_DIR_DEFAULT,
    DataDirOption,
    DebugOption,
    ExitCode,
    JsonOption,
    run_command,
    say,
    write_json,
)
from hean.cli_options import ConfigOption
from hean.cli_places import JOURNAL, places_in
from hean.cli_settings import settings_from
from hean.errors import EnvironmentFault, InputError, ParameterInvalid
from hean.store.backup import DATABASE, Manifest, back_up, document, restore
from hean.store.database import Database
from hean.store.postgres import SCHEMES, PostgresDatabase
from hean.store.projection import Projection, Proof, rebuild, verify
from hean.store.sqlite import SqliteDatabase

LOOK_S = 0.2  # between two looks at the journals
RETRY_S = 2.0  # of a database that is away
EXITS = (
    "Exit codes: 0 done; 1 the tables differ from the journals; 2 options, a damaged journal or "
    "backup; 3 no database, no disk, or another process writes there."
)
BACKUPS = "backups"  # of the data directory

DatabaseOption = Annotated[
    str | None,
    typer.Option(
        "--database",
        metavar="FILE|URL",
        help="Default: HEAN_STORE_URL, else trading.db of the data directory.",
    ),
]
JournalsOption = Annotated[
    list[Path] | None,
    typer.Option("--journal", metavar="FILE", help="Beside those of hean live; may be repeated."),
]

app = typer.Typer(
    no_args_is_help=True,
    help="Tables of what was traded, made of the journals; and backups.",
    epilog="Example: hean store rebuild; hean store verify --json -; hean store backup --to copies",
)


@app.command(
    "rebuild",
    epilog="Example: hean store rebuild --database postgresql://hean@localhost/hean. Who reads "
    f"meanwhile sees the old rows. {EXITS}",
)
@run_command
def rebuild_command(
    *,
    database: DatabaseOption = None,
    journal: JournalsOption = None,
    data_dir: DataDirOption = DATA_DIR_DEFAULT,
    config: ConfigOption = None,
    json_to: JsonOption = None,
    debug: DebugOption = False,
) -> None:
    """Make all tables anew from the journals: the same rows on any database, as often as asked."""
    began_s = time.monotonic()
    journals = _journals(data_dir, journal)
    place = _place(database, data_dir, config)
    _put_aside_if_damaged(place)
    store = _open(place, is_writer=True)
    try:
        rebuild(store, journals)
        proof = verify(store, journals)
    finally:
        store.close()
    _tell(store, proof, json_to, seconds=time.monotonic() - began_s)


@app.command("verify", epilog=f"Example: hean store verify --json -. {EXITS}")
@run_command
def verify_command(
    *,
    database: DatabaseOption = None,
    journal: JournalsOption = None,
    data_dir: DataDirOption = DATA_DIR_DEFAULT,
    config: ConfigOption = None,
    json_to: JsonOption = None,
    debug: DebugOption = False,
) -> None:
    """Compare every row of the tables with what the journals say, up to where they were read."""
    began_s = time.monotonic()
    store = _open(_place(database, data_dir, config), is_writer=False)
    try:
        problems = store.problems() if isinstance(store, SqliteDatabase) else []
        proof = verify(store, _journals(data_dir, journal))
    finally:
        store.close()
    proof.differences.extend(problems)
    _tell(store, proof, json_to, seconds=time.monotonic() - began_s)


@app.command(
    "follow",
    epilog="Example: hean store follow; hean store follow --once. It ends at Ctrl-C with 0. A "
    f"database that goes away is tried again for ever. {EXITS}",
)
@run_command
def follow_command(
    *,
    once: Annotated[
        bool, typer.Option("--once", help="Bring the tables up to date, and end.")
    ] = False,
    database: DatabaseOption = None,
    journal: JournalsOption = None,
    data_dir: DataDirOption = DATA_DIR_DEFAULT,
    config: ConfigOption = None,
    json_to: JsonOption = None,
    debug: DebugOption = False,
) -> None:
    """Keep the tables up to date beside the processes that trade."""
    place = _place(database, data_dir, config)
    if once:
        positions = _caught_up(place, _journals(data_dir, journal))
        if json_to is not None:
            write_json({"database": _name(place), "journals": positions, "problems": []}, json_to)
        say(f"{_name(place)} is up to date: {_words(positions)}", json_to=json_to)
        return
    with _until_told() as stop:
        say(f"{_name(place)} follows the journals of {data_dir}; Ctrl-C ends it.", json_to=json_to)
        _follow(place, data_dir, journal, stop)


@app.command("backup", epilog=f"Example: hean store backup --to backups --json -. {EXITS}")
@run_command
def backup_command(
    *,
    to: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Default: backups of the data directory.")
    ] = None,
    data_dir: DataDirOption = DATA_DIR_DEFAULT,
    json_to: JsonOption = None,
    debug: DebugOption = False,
) -> None:
    """Copy journals, kill switches and trading.db into a new folder, beside whoever trades."""
    root = data_dir.expanduser()
    folder, manifest = back_up(root, places_in(root, None), (to or root / BACKUPS).expanduser())
    _tell_files(manifest, json_to, folder=str(folder), aside=[])


@app.command(
    "restore",
    epilog="Example: hean store restore /backups/hean-20260131T120000.000Z. A backup that is not "
    f"whole restores nothing; what --force replaces is put aside, not deleted. {EXITS}",
)
@run_command
def restore_command(
    backup: Annotated[Path, typer.Argument(metavar="FOLDER", help="That hean store backup made.")],
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Put aside what is there under the same names.")
    ] = False,
    data_dir: DataDirOption = DATA_DIR_DEFAULT,
    json_to: JsonOption = None,
    debug: DebugOption = False,
) -> None:
    """Put the files of a backup in their places, after all of it was checked."""
    manifest, aside = restore(backup, data_dir.expanduser(), is_forced=force)
    _tell_files(manifest, json_to, folder=str(data_dir.expanduser()), aside=aside)


# ---------------------------------------------------------------- places


def _place(given: str | None, data_dir: Path, config: Path | None) -> str | Path:
    """A URL, or a file. *Raises*: `ParameterInvalid`."""
    settings = settings_from({}, config)
    if given is None:
        if settings.store_url is not None:
            return settings.store_url.reveal()
        return data_dir.expanduser() / DATABASE
    if given.startswith(tuple(f"{scheme}://" for scheme in SCHEMES)):
        return given
    if "://" in given:
        raise ParameterInvalid("--database: a file, or postgresql://user@host:port/name.")
    return Path(given).expanduser()


def _name(place: str | Path) -> str:
    return str(place) if isinstance(place, Path) else "postgresql"


def _open(place: str | Path, *, is_writer: bool) -> Database:
    if isinstance(place, str):
        return PostgresDatabase(place, is_writer=is_writer)
    if is_writer and not place.parent.is_dir():
        raise EnvironmentFault(f"{place}: no folder {place.parent}; make it first.")
    return SqliteDatabase(place, is_writer=is_writer)


def _journals(data_dir: Path, given: list[Path] | None) -> dict[str, Path]:
    """Journals by name: the folder of the account, or the file. *Raises*: `ParameterInvalid`,
    `EnvironmentFault` when there is none.
    """
    found: dict[str, Path] = {}
    with suppress(EnvironmentFault):
        for place in places_in(data_dir, None):
            if (place / JOURNAL).exists():
                found[place.name] = place / JOURNAL
    for path in given or ():
        if path.name in found:
            raise ParameterInvalid(f"--journal {path}: another one is called {path.name}, too.")
        if not path.is_file():
            raise InputError(f"--journal {path} does not exist; check the path.")
        found[path.name] = path
    if not found:
        raise EnvironmentFault(
            f"no journal below {data_dir}; name one with --journal, or the folder with --data-dir."
        )
    return found


def _put_aside_if_damaged(place: str | Path) -> None:
    """A file that SQLite cannot read is no loss, but it is not deleted."""
    if not isinstance(place, Path) or not place.exists():
        return
    store = SqliteDatabase(place, is_writer=False)
    try:
        problems = store.problems()
    except EnvironmentFault as error:
        problems = [error.message]
    finally:
        store.close()
    if problems:
        aside = place.with_name(f"{place.name}.damaged")
        place.rename(aside)
        for suffix in ("-wal", "-shm"):
            place.with_name(place.name + suffix).unlink(missing_ok=True)
        say(f"{place} is damaged ({problems[0]}); it is {aside} now.", json_to="-")


# ---------------------------------------------------------------- following


def _caught_up(place: str | Path, journals: dict[str, Path]) -> dict[str, int]:
    """Bring the tables up to date. *Returns*: up to which row, by journal."""
    store = _open(place, is_writer=True)
    found: dict[str, int] = {}
    try:
        store.migrate()
        for name, path in journals.items():
            work = Projection(name, path, store)
            try:
                while work.catch_up():
                    pass
                found[name] = work.seq
            finally:
                work.close()
    finally:
        store.close()
    return found


def _follow(
    place: str | Path, data_dir: Path, given: list[Path] | None, stop: threading.Event
) -> None:
    """Until *stop*; whatever is away is tried again."""
    trouble = ""
    while not stop.is_set():
        try:
            store = _open(place, is_writer=True)
            try:
                store.migrate()
                trouble = _kept_up(store, data_dir, given, stop, trouble)
            finally:
                store.close()
        except (EnvironmentFault, sqlite3.Error, OSError) as error:
            if str(error) != trouble:
                say(f"away: {error}; tried again every {RETRY_S:g} s", json_to="-")
            trouble = str(error)
            stop.wait(RETRY_S)


def _kept_up(
    store: Database,
    data_dir: Path,
    given: list[Path] | None,
    stop: threading.Event,
    trouble: str,
) -> str:
    """Look at all journals in turn, also at those that come."""
    works: dict[str, Projection] = {}
    try:
        while not stop.is_set():
            for name, path in _journals(data_dir, given).items():
                works.setdefault(name, Projection(name, path, store))
            remaining = sum([work.catch_up() for work in works.values()])
            if trouble and not remaining:
                say(f"back: {store.place} is up to date", json_to="-")
                trouble = ""
            if not remaining:
                stop.wait(LOOK_S)
    finally:
        for work in works.values():
            work.close()
    return trouble


@contextmanager
def _until_told() -> Iterator[threading.Event]:
    """Set at the first interrupt or request to end."""
    stop = threading.Event()
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [(number, signal.signal(number, lambda *_: stop.set())) for number in numbers]
    try:
        yield stop
    finally:
        for number, handler in before:
            signal.signal(number, handler)


# ---------------------------------------------------------------- telling


def _words(positions: dict[str, int]) -> str:
    return ", ".join(f"{name} to row {seq:,}" for name, seq in positions.items())


def _tell(store: Database, proof: Proof, json_to: str | None, *, seconds: float) -> None:
    """*Raises*: `typer.Exit` when something differs."""
    found: dict[str, Any] = {
        "database": store.place,
        "version": store.newest,
        "sha256": proof.digest,
        "journals": [
            {"journal": name, "seq": at.seq, "head": at.head, "behind": max(head - at.seq, 0)}
            for name, (at, head) in sorted(proof.positions.items())
        ],
        "tables": {
            name: {"rows": count, "sha256": proof.digests[name]}
            for name, count in proof.rows.items()
        },
        "differences": proof.differences,
        "seconds": round(seconds, 3),
    }
    if json_to is not None:
        write_json(found, json_to)
    rows = ", ".join(f"{count:,} {name}" for name, count in proof.rows.items() if count)
    say(f"{store.place}: {rows or 'no rows'}; sha256 {proof.digest}", json_to=json_to)
    for each in found["journals"]:
        behind = f", {each['behind']:,} behind" if each["behind"] else ""
        say(f"  {each['journal']}: to row {each['seq']:,}{behind}", json_to=json_to)
    for sentence in proof.differences:
        say(f"  differs: {sentence}", json_to=json_to)
    if proof.differences:
        raise typer.Exit(ExitCode.BAD_RESULT)


def _tell_files(manifest: Manifest, json_to: str | None, *, folder: str, aside: list[str]) -> None:
    if json_to is not None:
        more = {"folder": folder, "put_aside": aside, "problems": []}
        write_json(document(manifest) | more, json_to)
    say(f"{folder}: {len(manifest.files)} files", json_to=json_to)
    for kept in manifest.files:
        rows = f", {kept.seq:,} rows" if kept.seq is not None else ""
        say(f"  {kept.name}: {kept.bytes:,} bytes{rows}", json_to=json_to)
    for name in aside:
        say(f"  put aside: {name}", json_to=json_to)
