# SPDX-License-Identifier: Apache-2.0
"""A real PostgreSQL holds the rows that SQLite does, and its end stops nobody who trades."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hean.core.journal import open_journal
from hean.errors import EnvironmentFault, ParameterInvalid, SecondWriter
from hean.store.postgres import PostgresDatabase
from hean.store.projection import rebuild, verify
from hean.store.schema import migrations
from hean.store.sqlite import SqliteDatabase
from postgres_server import PASSWORD, PostgresServer
from store_desk import RandomLife, content, follow_to_end
from venue_contract.twin_process import wait_until

pytestmark = pytest.mark.server
pytest.importorskip("psycopg", reason="no psycopg; ./hean setup postgres brings it")
NAME = "bybit-linear-testnet"
PATIENCE_S = 240.0


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """One for all tests, each of which takes a database of its own."""
    with PostgresServer() as server:
        yield server


def environ(**more: str) -> dict[str, str]:
    """Of a process of ours."""
    return os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)} | more


@pytest.mark.parametrize("seed", range(2))
def test_both_databases_hold_identical_rows(
    tmp_path: Path, server: PostgresServer, seed: int
) -> None:
    life = RandomLife(tmp_path / NAME, seed)
    life.live(60)
    url = server.new()
    store = PostgresDatabase(url, is_writer=True)
    file = SqliteDatabase(tmp_path / "trading.db", is_writer=True)
    for each in (store, file):
        each.migrate()
        follow_to_end(each, NAME, life.path)
    life.live(20)
    follow_to_end(store, NAME, life.path)
    rebuild(file, {NAME: life.path})
    assert content(store) == content(file)
    proofs = [verify(each, {NAME: life.path}) for each in (store, file)]
    assert [each.count for each in proofs] == [0, 0]
    assert proofs[0].digests == proofs[1].digests
    assert proofs[0].digest == proofs[1].digest
    rebuild(store, {NAME: life.path})
    assert content(store) == content(file)
    store.execute("UPDATE fills SET price = price + 0.1 WHERE seq = (SELECT max(seq) FROM fills)")
    assert verify(store, {NAME: life.path}).count == 1


def test_an_older_version_is_brought_up_on_the_server_too(
    tmp_path: Path, server: PostgresServer
) -> None:
    life = RandomLife(tmp_path / NAME)
    life.live(10)
    store = PostgresDatabase(server.new(), is_writer=True)
    rebuild(store, {NAME: life.path})
    before = content(store)
    for sentence in migrations("postgresql")[1]:
        store.execute(f"DROP INDEX {sentence.split()[2]}")
    store.execute("UPDATE schema_version SET version = 1")
    assert (store.migrate(), store.version()) == (1, 2)
    assert content(store) == before
    store.execute("DROP TABLE latency")  # so that the next rebuild fails half way
    store.execute("CREATE VIEW latency AS SELECT 1")
    with pytest.raises(EnvironmentFault):
        rebuild(store, {NAME: life.path})
    store.execute("DROP VIEW latency")
    assert store.version() == 2 and store.execute("SELECT count(*) FROM fills")[0][0] > 0


def test_one_writes_and_what_is_wrong_is_named_without_the_password(
    server: PostgresServer,
) -> None:
    url = server.new()
    store = PostgresDatabase(url, is_writer=True)
    with pytest.raises(SecondWriter) as refused:
        PostgresDatabase(url, is_writer=True)
    PostgresDatabase(url, is_writer=False).close()
    store.close()
    PostgresDatabase(url, is_writer=True).close()
    said = [str(refused.value)]
    for wrong in (
        server.url(password=f"{PASSWORD}-wrong"),
        server.url("nowhere"),
        url.replace(str(server.port), "1"),
    ):
        with pytest.raises(EnvironmentFault) as failed:
            PostgresDatabase(wrong, is_writer=False)
        said.append(str(failed.value))
    with pytest.raises(ParameterInvalid) as wrong_words:
        PostgresDatabase(f"postgresql://u:{PASSWORD}@h:99999999/x", is_writer=False)
    assert PASSWORD not in " ".join([*said, str(wrong_words.value)])


def test_a_server_that_dies_is_waited_for_and_the_rows_are_whole_after(
    tmp_path: Path, server: PostgresServer
) -> None:
    """RELIABILITY 26: the projection pauses; row by row equal after. The journal goes on."""
    life = RandomLife(tmp_path / "live" / NAME)
    life.live(10)
    url = server.new()
    command = [sys.executable, "-m", "hean", "store", "follow", "--data-dir", str(tmp_path)]
    process = subprocess.Popen(
        command, env=environ(HEAN_STORE_URL=url), stderr=subprocess.PIPE, text=True
    )
    try:
        wait_until(lambda: _is_up_to_date(url, life.path), "all rows", timeout_s=PATIENCE_S)
        life.live(10)
        server.kill()
        life.live(30)
        server.start()
        life.live(5)
        wait_until(lambda: _is_up_to_date(url, life.path), "all rows", timeout_s=PATIENCE_S)
        process.terminate()
        said = process.communicate(timeout=PATIENCE_S)[1]
        assert process.returncode == 0, said
        assert "away: " in said and "back: " in said
        assert PASSWORD not in said
        store = PostgresDatabase(url, is_writer=True)
        assert verify(store, {NAME: life.path}).count == 0
        before = content(store)
        rebuild(store, {NAME: life.path})
        assert content(store) == before
        store.close()
    finally:
        process.kill()
        process.wait()


def test_the_command_takes_the_server_from_its_variable(
    tmp_path: Path, server: PostgresServer
) -> None:
    life = RandomLife(tmp_path / "live" / NAME)
    life.live(20)
    secret = tmp_path / "url"
    secret.write_text(server.new())
    secret.chmod(0o600)
    digests = []
    for more in ({"HEAN_STORE_URL_FILE": str(secret)}, {}):
        ran = subprocess.run(
            [sys.executable, "-m", "hean", "store", "rebuild", "--json", "-"]
            + ["--data-dir", str(tmp_path)],
            env=environ(**more), capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr
        document = json.loads(ran.stdout)
        digests.append(document["sha256"])
        assert document["differences"] == [] and PASSWORD not in ran.stdout + ran.stderr
    assert digests[0] == digests[1]
    assert (tmp_path / "trading.db").exists()


def _is_up_to_date(url: str, path: Path) -> bool:
    journal = open_journal(path)
    journal.close()
    try:
        store = PostgresDatabase(url, is_writer=False)
    except EnvironmentFault:
        return False
    try:
        return store.version() > 0 and store.positions()[NAME].seq == journal.head_seq
    except (EnvironmentFault, KeyError):
        return False
    finally:
        store.close()
