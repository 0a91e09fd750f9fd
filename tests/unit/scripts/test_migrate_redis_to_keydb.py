# SPDX-License-Identifier: Apache-2.0
"""Every key of one real server comes to another: whole, while it is written, after a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from keyspace import Server
from keyspace_desk import (
    BUILDS,
    ROOT,
    NamedServer,
    Writer,
    ages_ms,
    fill,
    looked_at,
    two_servers,
)
from keyspace_values import read_many
from migrate_redis_to_keydb import app
from venue_contract.twin_process import wait_until

pytestmark = pytest.mark.server
SECRET = "canary-of-a-password"
NOTIFY = "notify-keyspace-events"
SCRIPT = str(ROOT / "scripts/migrate_redis_to_keydb.py")
PATIENCE_S = 240.0


def migrated(source: str, target: str, *more: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, document and what was said."""
    words = ["--source", source, "--target", target, "--json", "-", *more]
    ran = CliRunner().invoke(app, words)
    return ran.exit_code, json.loads(ran.stdout or "{}"), ran.stderr


@pytest.mark.promise(137)
@pytest.mark.promise(191)
@pytest.mark.parametrize("build", BUILDS)
def test_a_store_with_every_type_comes_whole_and_digests_agree(tmp_path: Path, build: str) -> None:
    with two_servers(tmp_path, build) as (source, target):
        count = fill(source)
        code, document, said = migrated(source.url, target.url)
        assert (code, document["keys"], document["done"]) == (0, count, True), said
        assert document["digest_source"] == document["digest_target"]
        assert set(document["types"]) == {"string", "hash", "list", "set", "zset", "stream"}
        assert looked_at(target) == looked_at(source)
        apart = [abs(a - b) for a, b in zip(ages_ms(source), ages_ms(target), strict=True)]
        assert len(apart) > 290 and max(apart) < 2_000
        assert not target.client().exists("hean:migration")
        code, again, _ = migrated(source.url, target.url, "--overwrite")
        assert (code, again["written"], again["keys"]) == (0, 0, count)
        assert again["digest_source"] == document["digest_source"]


def test_one_changed_byte_changes_the_digest_and_is_found(tmp_path: Path) -> None:
    changes: list[tuple[Any, ...]] = [
        ("SETRANGE", "large string", 2_000_000, "x"),
        ("HSET", "large hash", "2999", "other"),
        ("LSET", "large list", 1_500, "other"),
        ("ZADD", "large zset", "2.0000000000000004", "6"),
        ("SREM", "large set", "member 7"),
        ("LSET", "list:2", 1, "other"),
        ("PEXPIREAT", "string:1", 4_102_444_800_124),
        ("XACK", "stream", "g", "20-2"),
        ("XGROUP SETID", "stream", "at the end", "700-0"),
        ("XDEL", "stream", "900-0"),
        ("XSETID", "deleted", "9-9", "ENTRIESADDED", 2, "MAXDELETEDID", "9-9"),
        ("DEL", "empty"),
    ]
    with two_servers(tmp_path) as (source, target):
        fill(source, 3)
        _, first, _ = migrated(source.url, target.url)
        ours = Server(target.url)
        for name, key, *rest in changes:
            before = read_many(ours, 0, [key.encode()], is_exact=True)[0]
            target.client().execute_command(name, key, *rest)
            after = read_many(ours, 0, [key.encode()], is_exact=True)[0]
            assert not after.is_like(before, is_exact=True), (name, key)
        target.client().set("of the target alone", "x")
        code, looked, _ = migrated(source.url, target.url, "--overwrite", "--dry-run")
        assert (code, looked["written"], looked["deleted"]) == (0, 10, 1)
        assert looked["digest_target"] != first["digest_target"]
        code, found, _ = migrated(source.url, target.url, "--overwrite")
        assert (code, found["written"], found["deleted"]) == (0, 10, 1)
        assert found["digest_target"] == first["digest_source"]
        assert looked_at(target) == looked_at(source)
        ours.close()


@pytest.mark.promise(191)
@pytest.mark.parametrize("build", BUILDS)
def test_writers_move_without_a_lost_write_and_digests_agree(tmp_path: Path, build: str) -> None:
    """The writer never stops and is told nothing: its lines are cut, and it tries again."""
    address = tmp_path / "port"
    with two_servers(tmp_path, build) as (source, target):
        count = fill(source, 5)
        address.write_text(str(source.port))
        with Writer(address) as writer:
            writer.wait_for(100)
            code, document, said = migrated(
                *(source.url, target.url, "--pause", "60"),
                *("--cutover", f"echo {target.port} > {address}"),
            )
            assert (code, document["done"], document["cut_over"]) == (0, True, True), said
            assert document["digest_source"] == document["digest_target"]
            assert document["keys"] > count
            writer.wait_for(100)
        assert writer.count_after >= 100
        there = target.client()
        assert [int(entry.split(b"-")[0]) for entry, _ in there.xrange("orders")] == writer.done
        last = {number % 50: number for number in writer.done}
        assert there.hgetall("state") == {
            b"f%d" % slot: b"%d" % number for slot, number in last.items()
        }
        after = source.client().xrange("orders")
        assert len(after) - (len(writer.done) - writer.count_after) in (0, 1)  # one was cut half
        assert source.client().config_get(NOTIFY)[NOTIFY] == ""


@pytest.mark.parametrize(
    ("command", "pause", "words"),
    [("exit 7", "60", "ended with 7"), ("sleep 99", "1", "took over 0.5 s")],
)
def test_a_cutover_that_fails_leaves_the_writers_where_they_are(
    tmp_path: Path, command: str, pause: str, words: str
) -> None:
    address = tmp_path / "port"
    with two_servers(tmp_path) as (source, target):
        address.write_text(str(source.port))
        with Writer(address) as writer:
            writer.wait_for(20)
            code, _, said = migrated(source.url, target.url, "--cutover", command, "--pause", pause)
            assert (code, words in said) == (3, True), said
            writer.wait_for(20)
        assert not writer.count_after


def test_what_is_written_meanwhile_comes_too(tmp_path: Path) -> None:
    address = tmp_path / "port"
    with two_servers(tmp_path) as (source, target):
        fill(source, 5)
        address.write_text(str(source.port))
        process = _started(source, target, "--follow")
        with Writer(address) as writer:
            wait_until(lambda: target.client().xlen("orders"), "what the writer wrote")
            writer.wait_for(300)
            source.client(3).delete("large hash")
            source.client(3).flushdb()  # of which nobody is notified
            source.client(3).set("after", "flush")
        process.send_signal(signal.SIGINT)
        out, said = process.communicate(timeout=PATIENCE_S)
        document = json.loads(out)
        assert (process.returncode, document["done"]) == (0, True), said
        assert document["digest_source"] == document["digest_target"]
        assert looked_at(target) == looked_at(source)


@pytest.mark.parametrize("way", [(), ("--until-idle", "0.5")])
def test_a_killed_migration_goes_on_where_it_is_started_again(
    tmp_path: Path, way: tuple[str, ...]
) -> None:
    with two_servers(tmp_path) as (source, target):
        count = fill(source, 30)
        source.client().config_set(NOTIFY, "Ex")
        with _half_way(tmp_path, source, target, *way) as process:
            process.kill()
            process.communicate()
        assert 0 < target.client().dbsize() < count / 2
        source.client().set("string:3", "written while nobody looked")
        code, document, said = migrated(source.url, target.url, *way)
        assert (code, document["resumed"], document["done"]) == (0, True, True), said
        assert 0 < document["written"] <= count - 30
        assert looked_at(target) == looked_at(source)
        assert set(source.client().config_get(NOTIFY)[NOTIFY]) == set("Ex")


def test_an_interrupt_ends_it_and_it_can_go_on(tmp_path: Path) -> None:
    with two_servers(tmp_path) as (source, target):
        fill(source, 30)
        with _half_way(tmp_path, source, target) as process:
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 130, said
        assert migrated(source.url, target.url)[1]["done"] is True


def test_what_it_may_not_do_is_refused_with_the_reason(tmp_path: Path) -> None:
    with two_servers(tmp_path) as (source, target):
        source.client().set("a", 1)
        target.client().set("b", 1)
        dead, locked = "redis://127.0.0.1:1", f"redis://:{SECRET}@127.0.0.1:{target.port}"
        unread = ("--source-password-file", "/no")
        refusals: list[tuple[int, str, tuple[str, ...]]] = [
            (2, "--overwrite", (source.url, target.url)),
            (2, "same server", (source.url, source.url)),
            (2, "redis://host:port", ("http://x", target.url)),
            (2, "refuses the user or password", (source.url, locked)),
            (3, "does not answer", (dead, target.url)),
            (3, "does not answer", (source.url, dead)),
            (2, "--dry-run", (source.url, target.url, "--dry-run", "--follow")),
            (2, "no password can be read", (source.url, target.url, *unread)),
        ]
        for code, words, given in refusals:
            found, _, said = migrated(*given)
            assert (found, words in said, SECRET in said) == (code, True, False), said
        assert target.client().keys() == [b"b"]
        code, document, _ = migrated(source.url, target.url, "--dry-run")
        assert (code, document["written"], document["deleted"]) == (0, 1, 1)
        assert target.client().keys() == [b"b"]
        code, document, _ = migrated(source.url, target.url, "--overwrite", "--db", "0")
        assert (code, target.client().keys()) == (0, [b"a"])


def test_a_server_that_ends_or_is_full_is_named_and_the_rest_comes_later(tmp_path: Path) -> None:
    with two_servers(tmp_path) as (source, target):
        fill(source, 30)
        target.client().config_set("maxmemory", "3mb")
        code, _, said = migrated(source.url, target.url)
        assert (code, "maxmemory" in said, str(target.port) in said) == (3, True, True), said
        target.client().config_set("maxmemory", "0")
        with _half_way(tmp_path, source, target) as process:
            source.kill()
        _, said = process.communicate(timeout=PATIENCE_S)
        assert (process.returncode, f"{source.port} does not answer" in said) == (3, True), said
        source.start()
        fill(source, 30)
        code, document, said = migrated(source.url, target.url)
        assert (code, document["resumed"], document["done"]) == (0, True, True), said
        assert looked_at(target) == looked_at(source)


def test_a_password_may_stand_in_a_file(tmp_path: Path) -> None:
    with two_servers(tmp_path) as (source, target):
        target.client().config_set("requirepass", SECRET)
        source.client().set("a", 1)
        code, _, said = migrated(source.url, target.url)
        assert (code, "refuses" in said) == (2, True)
        file = tmp_path / "password"
        file.write_text(f"{SECRET}\n")
        code, document, said = migrated(source.url, target.url, "--target-password-file", str(file))
        assert (code, document["keys"], SECRET in said) == (0, 1, False)


HELD = """
import sys, time
from pathlib import Path
from keyspace_migration import Migration
from migrate_redis_to_keydb import app

hold, settle, brought = Path(sys.argv.pop(1)), Migration._settle, []

def settled(self, db, keys, *rest, **more):
    settle(self, db, keys, *rest, **more)
    was_enough = len(brought) >= 50
    brought.extend(keys)
    if len(brought) >= 50 and not was_enough:
        hold.touch()
        while hold.exists():
            time.sleep(0.01)

Migration._settle = settled
app()
"""


@contextmanager
def _half_way(
    folder: Path, source: NamedServer, target: NamedServer, *more: str
) -> Iterator[subprocess.Popen[str]]:
    """A migration that stands still once it has brought some fifty keys. It goes on at the end, if
    it is still there.
    """
    hold = folder / "hold"
    code = ("-c", HELD, str(hold))
    process = _started(source, target, "--batch", "1", *more, code=code)
    try:
        wait_until(hold.exists, "fifty keys", timeout_s=PATIENCE_S)
        yield process
    finally:
        hold.unlink(missing_ok=True)


def _started(
    source: NamedServer, target: NamedServer, *more: str, code: Sequence[str] = (SCRIPT,)
) -> subprocess.Popen[str]:
    words = [sys.executable, *code, "--source", source.url, "--target", target.url, "--json", "-"]
    environ = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT / 'scripts'}"}
    pipe = subprocess.PIPE
    return subprocess.Popen([*words, *more], env=environ, stdout=pipe, stderr=pipe, text=True)
