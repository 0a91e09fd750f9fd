# SPDX-License-Identifier: Apache-2.0
"""What the tables hold is a function of the journal: however it got there."""

from __future__ import annotations

import random
import sqlite3
from decimal import ROUND_CEILING, Decimal, localcontext
from pathlib import Path
from typing import Any

import pytest

from hean.core.journal import open_journal
from hean.errors import EnvironmentFault, JournalDamaged, SecondWriter
from hean.store.projection import Projection, rebuild, verify
from hean.store.schema import ALL, TABLES, migrations
from hean.store.sqlite import SqliteDatabase
from sessions import recorded_session
from store_desk import RandomLife, content, follow_to_end

NAME = "bybit-linear-testnet"


@pytest.fixture
def life(tmp_path: Path) -> RandomLife:
    """An account that has traded a little."""
    life = RandomLife(tmp_path / NAME)
    life.live(40)
    return life


@pytest.fixture
def store(tmp_path: Path) -> SqliteDatabase:
    """An empty `trading.db`."""
    store = SqliteDatabase(tmp_path / "trading.db", is_writer=True)
    store.migrate()
    return store


def sql(path: Path, *statements: str) -> None:
    """Somebody's own hand in the file."""
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def column(store: SqliteDatabase, table: str, name: str) -> list[Any]:
    place = list(TABLES[table].columns).index(name)
    return [row[place] for _, row in store.rows(table)]


@pytest.mark.parametrize("seed", range(4))
def test_rows_do_not_depend_on_when_and_how_often_they_were_brought(
    tmp_path: Path, seed: int
) -> None:
    """One database follows in random steps with random restarts, one is made at the end."""
    rng = random.Random(seed)
    life = RandomLife(tmp_path / NAME, seed)
    followed = SqliteDatabase(tmp_path / "followed.db", is_writer=True)
    followed.migrate()
    work = Projection(NAME, life.path, followed)
    for _ in range(12):
        life.live(rng.randrange(1, 8))
        if rng.random() < 0.4:  # dies and begins again
            work.close()
            work = Projection(NAME, life.path, followed)
        if rng.random() < 0.8:
            work.catch_up()
    work.close()
    follow_to_end(followed, NAME, life.path)
    made = SqliteDatabase(tmp_path / "made.db", is_writer=True)
    rebuild(made, {NAME: life.path})
    assert content(followed) == content(made)
    for each in (followed, made):
        proof = verify(each, {NAME: life.path})
        assert (proof.differences, proof.count) == ([], 0)
    assert {len(content(made)[name]) > 0 for name in ALL} == {True}
    first = verify(made, {NAME: life.path}).digest
    rebuild(made, {NAME: life.path})
    assert verify(made, {NAME: life.path}).digest == first


def test_rows_do_not_depend_on_how_a_library_rounds(
    life: RandomLife, store: SqliteDatabase
) -> None:
    """ccxt rounds halves up for the whole process from its first price on."""
    follow_to_end(store, NAME, life.path)
    with localcontext() as context:
        context.rounding, context.prec = ROUND_CEILING, 12
        assert verify(store, {NAME: life.path}).differences == []


def test_money_in_the_tables_is_that_of_the_ledger(life: RandomLife, store: SqliteDatabase) -> None:
    follow_to_end(store, NAME, life.path)
    ledger = life.desk.ledger
    fees = sum(Decimal(each) for each in column(store, "pnl", "fees"))
    assert float(fees) == pytest.approx(float(ledger.fees), abs=1e-9)
    (qty,) = column(store, "positions", "qty")
    assert Decimal(qty) == life.desk.held()[0]
    realized, funding, unrealized, equity = (
        Decimal(column(store, "equity", name)[-1])
        for name in ("realized", "funding", "unrealized", "equity")
    )
    assert float(funding) == pytest.approx(float(ledger.funding_total), abs=1e-9)
    assert equity == 10_000 + realized - fees + funding + unrealized
    for amount in column(store, "fills", "fee"):
        assert "E" not in amount.upper()


def test_a_session_on_paper_has_its_cash_and_equity(tmp_path: Path, store: SqliteDatabase) -> None:
    journal, _, summary = recorded_session(tmp_path)
    follow_to_end(store, journal.name, journal)
    net = sum(Decimal(each) for each in column(store, "pnl", "net"))
    paper = sum(Decimal(each or 0) for each in column(store, "positions", "unrealized"))
    assert float(net + paper) == pytest.approx(float(summary["net_pnl"]), abs=1e-6)
    last = Decimal(column(store, "equity", "equity")[-1])
    assert float(last) == pytest.approx(float(summary["final_equity"]), abs=2)
    assert verify(store, {journal.name: journal}).count == 0


def test_two_journals_share_a_database(
    tmp_path: Path, life: RandomLife, store: SqliteDatabase
) -> None:
    other = RandomLife(tmp_path / "binance-linear-testnet", 9)
    other.live(10)
    both = {NAME: life.path, "binance-linear-testnet": other.path}
    rebuild(store, both)
    life.live(5)
    follow_to_end(store, NAME, life.path)
    proof = verify(store, both)
    assert (proof.count, set(proof.positions)) == (0, set(both))
    assert {journal for journal, _ in store.rows("fills")} == set(both)


def test_how_far_behind_it_is_is_told_and_is_no_difference(
    life: RandomLife, store: SqliteDatabase
) -> None:
    follow_to_end(store, NAME, life.path)
    life.live(3)
    proof = verify(store, {NAME: life.path})
    position, head = proof.positions[NAME]
    assert (proof.count, head > position.seq) == (0, True)


@pytest.mark.parametrize("is_longer", [True, False])
def test_another_journal_in_the_same_place_is_noticed(
    tmp_path: Path, life: RandomLife, store: SqliteDatabase, is_longer: bool
) -> None:
    """Restored from a backup, begun anew: its rows are made anew."""
    follow_to_end(store, NAME, life.path)
    other = RandomLife(tmp_path / "other", 2)
    other.live(80 if is_longer else 3)
    work = follow_to_end(store, NAME, other.path)
    proof = verify(store, {NAME: other.path})
    assert (proof.count, work.seq) == (0, proof.positions[NAME][0].seq)
    rebuilt = SqliteDatabase(tmp_path / "rebuilt.db", is_writer=True)
    rebuild(rebuilt, {NAME: other.path})
    assert content(rebuilt) == content(store)


def test_every_kind_of_difference_is_found(
    tmp_path: Path, life: RandomLife, store: SqliteDatabase
) -> None:
    follow_to_end(store, NAME, life.path)
    (status,) = store.execute("SELECT count(*) FROM orders WHERE status = 'FILLED'")
    for name, statements, words in (
        ("fills", ["UPDATE fills SET price = '1' WHERE seq = (SELECT min(seq) FROM fills)"],
         "not as the journal says"),
        ("fills", ["DELETE FROM fills WHERE seq = (SELECT max(seq) FROM fills)"],
         "in the journal, not in the tables"),
        ("refusals", [f"INSERT INTO refusals VALUES ('{NAME}', 1, '', '', '', '', '', 0, '')"],
         "in the tables, not in the journal"),
        ("orders", ["UPDATE orders SET status = 'GONE' WHERE status = 'FILLED'"],
         "not as the journal says"),
        ("journals", ["UPDATE journals SET head = 'x'"], "is another"),
        ("journals", ["UPDATE journals SET account = 'x'"], "not as the journal says"),
    ):  # fmt: skip
        sql(tmp_path / "trading.db", *statements)
        proof = verify(store, {NAME: life.path})
        wanted = status[0] if name == "orders" else 1
        assert proof.count >= wanted and words in " ".join(proof.differences), name
        rebuild(store, {NAME: life.path})
        assert verify(store, {NAME: life.path}).count == 0
    assert "no journal of this name" in verify(store, {}).differences[0]
    life_too = {NAME: life.path, "second": life.path}
    assert "not in the tables yet" in verify(store, life_too).differences[0]


def test_a_damaged_journal_leaves_the_tables_as_they_are(
    life: RandomLife, store: SqliteDatabase
) -> None:
    follow_to_end(store, NAME, life.path)
    before = content(store)
    life.desk.die()
    sql(life.path, "UPDATE record SET ts_ns = 5 WHERE seq = 5")
    for each in (rebuild, verify):
        with pytest.raises(JournalDamaged):
            each(store, {NAME: life.path})
    assert content(store) == before


def test_an_older_version_is_brought_up_and_keeps_its_rows(
    tmp_path: Path, life: RandomLife
) -> None:
    path = tmp_path / "old.db"
    store = SqliteDatabase(path, is_writer=True)
    rebuild(store, {NAME: life.path})
    before = content(store)
    for sentence in migrations("sqlite")[1]:
        store.execute(f"DROP INDEX {sentence.split()[2]}")
    store.execute("UPDATE schema_version SET version = 1")
    with pytest.raises(EnvironmentFault, match="has version 1, not 2"):
        verify(store, {NAME: life.path})
    assert (store.migrate(), store.version()) == (1, 2)
    assert content(store) == before
    assert verify(store, {NAME: life.path}).count == 0
    store.execute("UPDATE schema_version SET version = 99")
    with pytest.raises(EnvironmentFault, match="use the newer HEAN"):
        store.migrate()
    rebuild(store, {NAME: life.path})  # which needs none of it
    assert content(store) == before


def test_tables_of_somebody_else_are_left_alone(tmp_path: Path, life: RandomLife) -> None:
    sql(tmp_path / "foreign.db", "CREATE TABLE orders (mine TEXT)")
    store = SqliteDatabase(tmp_path / "foreign.db", is_writer=True)
    for each in (store.migrate, lambda: rebuild(store, {NAME: life.path})):
        with pytest.raises(EnvironmentFault, match="not ours"):
            each()
    assert store.tables() == {"orders"}


def test_one_writes_and_anybody_reads(
    tmp_path: Path, life: RandomLife, store: SqliteDatabase
) -> None:
    with pytest.raises(SecondWriter):
        SqliteDatabase(tmp_path / "trading.db", is_writer=True)
    reader = SqliteDatabase(tmp_path / "trading.db", is_writer=False)
    with reader.snapshot():
        assert not reader.positions()
        follow_to_end(store, NAME, life.path)  # nobody waits for the reader
        assert not reader.positions()
    assert set(reader.positions()) == {NAME}
    with pytest.raises(EnvironmentFault, match="not there"):
        SqliteDatabase(tmp_path / "none.db", is_writer=False)


@pytest.mark.promise(153)
def test_the_file_can_be_backed_up_while_it_is_written(
    tmp_path: Path, life: RandomLife, store: SqliteDatabase
) -> None:
    """As `sqlite3 trading.db ".backup …"` does."""
    follow_to_end(store, NAME, life.path)
    there, here = (sqlite3.connect(tmp_path / name) for name in ("trading.db", "backup.db"))
    there.backup(here)
    life.live(5)
    follow_to_end(store, NAME, life.path)
    here.close()
    there.close()
    copy = SqliteDatabase(tmp_path / "backup.db", is_writer=False)
    assert verify(copy, {NAME: life.path}).count == 0
    journal = open_journal(life.path)
    assert copy.positions()[NAME].seq < journal.head_seq
    journal.close()
