# SPDX-License-Identifier: Apache-2.0
"""`machine.py`: the machine and what lies on its disk: versions, data directory, journal, latch,
lock, port. The journal is read as a start would read it, into books, so that what a start would
refuse is found here; it is opened for reading only, and nothing is repaired.
"""

from __future__ import annotations

import os
import platform
import re
import socket
import sys
from importlib import metadata
from pathlib import Path

from hean import __version__
from hean._core import OrderEngine, state_hash
from hean.core.journal import holder_of, open_journal
from hean.data.fingerprint import iso_utc
from hean.doctor.findings import Finding, fail, ok, warn
from hean.errors import HeanError
from hean.live.latch import Latch
from hean.live.parts import LiveParts
from hean.live.recovery import Books, fold
from hean.live.settings import LiveSettings
from hean.risk.levels import LOCKED, RUN, stricter

PYTHON_MIN = (3, 11)
GIGABYTE = 10**9
FREE_MIN = GIGABYTE  # RELIABILITY 2.5: below it nothing new is opened
FREE_LOW = 5 * GIGABYTE  # some weeks of journals
_NAME = re.compile(r"[A-Za-z0-9._-]+")


def versions() -> list[Finding]:
    """HEAN, Python, the packages HEAN needs."""
    found = [ok("HEAN", f"{__version__} on {platform.system()} {platform.machine()}")]
    python = platform.python_version()
    if sys.version_info < PYTHON_MIN:
        found.append(_too_old(python))
    else:
        found.append(ok("Python", python))
    missing, present = [], []
    for name in _requirements():
        try:
            present.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        names = ", ".join(missing)
        lacks = fail(
            "packages", f"missing: {names}", "all", "run ./hean setup", is_environment=True
        )
        found.append(lacks)
    else:
        found.append(ok("packages", ", ".join(present)))
    return [*found, _core()]


def _too_old(python: str) -> Finding:
    wanted = ".".join(map(str, PYTHON_MIN))
    return fail("Python", python, f"{wanted} or newer", "install it", is_environment=True)


def _core() -> Finding:
    digest = state_hash([OrderEngine([], {}, unlimited=True).canonical_bytes()])
    return ok("Rust core", f"loaded, empty engine {digest[:12]}")


def _requirements() -> list[str]:
    """Names of the packages HEAN itself needs, as it was installed."""
    lines = metadata.requires("hean") or []
    names = (_NAME.match(line) for line in lines if "extra ==" not in line)
    return sorted({match[0] for match in names if match is not None})


def directory(path: Path, parts: LiveParts) -> list[Finding]:
    """Where journal and latch lie: whose it is, who else may look, and whether there is room."""
    name = "data directory"
    above = next(each for each in (path, *path.parents) if each.exists())
    found = []
    if above != path:
        if os.access(above, os.W_OK):
            found.append(ok(name, f"{path} is not there yet; the first start makes it"))
        else:
            found.append(_unwritable(name, above))
    else:
        found.append(_owned(name, path))
    free = parts.free_bytes(above)
    text = f"{free / GIGABYTE:.1f} GB free"
    if free < FREE_MIN:
        what = "make room, or move HEAN_DATA_DIR"
        found.append(fail("disk", text, "1 GB or more", what, is_environment=True))
    elif free < FREE_LOW:
        found.append(warn("disk", text, "5 GB or more", "make room before it is needed"))
    else:
        found.append(ok("disk", text))
    return found


def _owned(name: str, path: Path) -> Finding:
    status = path.stat()
    mode = status.st_mode & 0o777
    if not path.is_dir():
        what = "move it away"
        return fail(name, f"{path} is no directory", "a directory", what, is_environment=True)
    if status.st_uid != os.getuid():
        text = f"{path} belongs to user {status.st_uid}"
        what = f"chown {os.getuid()} {path}"
        return fail(name, text, f"user {os.getuid()}, who runs this", what, is_environment=True)
    if not os.access(path, os.W_OK | os.X_OK):
        return _unwritable(name, path)
    if mode & 0o077:
        text = f"{path} has mode {mode:o}, others may look"
        return fail(name, text, "mode 700", f"chmod 700 {path}", is_environment=True)
    return ok(name, f"{path}, mode {mode:o}")


def _unwritable(name: str, path: Path) -> Finding:
    what = f"chmod u+rwx {path}"
    return fail(name, f"{path} cannot be written", "writable", what, is_environment=True)


def journal(settings: LiveSettings) -> tuple[Finding, Books | None]:
    """The journal: whole, readable by this version, this account's, books as its hashes say."""
    name, path = "journal", settings.journal
    if not path.exists():
        return ok(name, f"{path.name}: none yet"), None
    try:
        opened = open_journal(path)
        try:
            books = fold(opened.records())
            head = opened.head_seq
        finally:
            opened.close()
    except HeanError as error:
        what = "start nothing on it before it is restored or explained; keep a copy"
        return fail(name, error.message, "whole, in this version's form", what), None
    if books is None:
        return ok(name, "empty"), None
    venue, market, role, account_id = books.start.place
    wanted = (settings.venue, settings.market, settings.role)
    if (venue, market, role) != wanted or settings.account_id not in ("", account_id):
        text = f"it is that of account {account_id or 'unknown'}, {venue} {market} {role}"
        expected = f"{settings.account_id or 'any account'}, {' '.join(wanted)}"
        what = "give each account a data directory of its own"
        return fail(name, text, expected, what), books
    end = "an orderly end" if books.is_stopped else "no orderly end"
    text = f"{head:,} rows, chain and {books.hashes} state hashes hold, last row "
    return ok(name, f"{text}{iso_utc(books.last_ns)}, {end}"), books


def lock(settings: LiveSettings) -> Finding:
    """Whether somebody trades on this directory now."""
    path = settings.journal.with_name(f"{settings.journal.name}.lock")
    holder = holder_of(path)
    if holder is None:
        return ok("lock", "nobody trades on this directory")
    text = f"held by process {holder}"
    return warn("lock", text, "free", "stop that process before another one is started here")


def latch(settings: LiveSettings, books: Books | None, parts: LiveParts) -> Finding:
    """The kill switch, the stricter of its two copies."""
    filed = Latch(settings.latch, parts.read_file, parts.write_file).load()
    level = stricter(books.latched, filed) if books is not None else filed
    if level.level == RUN:
        return ok("kill switch", RUN)
    since = f" since {iso_utc(level.since_ns)}" if level.since_ns else ""
    text = f"{level.level}{since} by {level.actor or 'unknown'}: {level.reason}"
    what = "look into the reason, then release it as a person (hean kill --release)"
    if level.level == LOCKED:
        return fail("kill switch", text, RUN, what)
    return warn("kill switch", text, RUN, what)


def port(number: int) -> Finding:
    """Whether API and page could listen."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", number))
        except OSError as error:
            text = f"{number}: {error.strerror or error}"
            what = "stop who listens there, or set HEAN_API_PORT"
            return fail("port", text, "free", what, is_environment=True)
    return ok("port", f"{number} is free")
