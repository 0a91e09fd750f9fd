# SPDX-License-Identifier: Apache-2.0
"""A real PostgreSQL of one test file: made, started, killed, started again. It runs as the user
`postgres` where the tests run as root, which it refuses to be. Where no server is installed the
test is skipped and says which package brings it.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Self

import pytest

from free_port import free_port

DEBIAN = Path("/usr/lib/postgresql")
PASSWORD = "canary-of-a-database"


def programs_or_skip() -> Path:
    """The folder of `initdb` and its like, the newest."""
    found = sorted(DEBIAN.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    plain = shutil.which("initdb")
    if not found and plain is None:
        pytest.skip("no initdb; apt-get install postgresql brings one")
    return found[-1].parent if found else Path(str(plain)).parent


class PostgresServer:
    """Use it as a context. *database*: each name is another one, made when it is asked for."""

    def __init__(self) -> None:
        self._programs = programs_or_skip()
        self._user = "postgres" if os.geteuid() == 0 else None
        # Not below the tests' own folder, which that user may not enter.
        self._folder = Path(tempfile.mkdtemp(prefix="hean-pg", dir="/tmp"))
        self.port = free_port()
        self._count = 0

    def __enter__(self) -> Self:
        if self._user:
            entry = pwd.getpwnam(self._user)
            os.chown(self._folder, entry.pw_uid, entry.pw_gid)
        word = self._folder / "password"
        word.write_text(PASSWORD)
        word.chmod(0o644)
        self._run("initdb", "--no-sync", "-D", self._data, "-U", "hean", "-A", "scram-sha-256",
                  "--pwfile", str(word), "-E", "UTF8", "--locale", "C.UTF-8")  # fmt: skip
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(self) -> None:
        """Begin, and wait until it answers."""
        options = f"-p {self.port} -k {self._folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        log = str(self._folder / "log")
        self._run("pg_ctl", "start", "-w", "-t", "60", "-D", self._data, "-l", log, "-o", options)

    def kill(self) -> None:
        """At once, as a crash."""
        self._run("pg_ctl", "stop", "-m", "immediate", "-D", self._data, is_checked=False)

    def url(self, database: str = "postgres", password: str = PASSWORD) -> str:
        """Where a database is."""
        return f"postgresql://hean:{password}@127.0.0.1:{self.port}/{database}"

    def new(self) -> str:
        """URL of a new, empty database."""
        import psycopg

        self._count += 1
        name = f"test{self._count}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    @property
    def _data(self) -> str:
        return str(self._folder / "data")

    def _run(self, program: str, *words: str, is_checked: bool = True) -> None:
        more: dict[str, Any] = {"user": self._user} if self._user else {}
        ran = subprocess.run(
            [str(self._programs / program), *words], cwd=self._folder, check=False,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, **more,
        )  # fmt: skip
        assert not (is_checked and ran.returncode), ran.stderr
