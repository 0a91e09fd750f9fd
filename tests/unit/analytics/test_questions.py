# SPDX-License-Identifier: Apache-2.0
"""Questions to a journal: what is answered, what is refused, and how much is too much."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from hean.analytics import questions as module
from hean.analytics.questions import Questions
from hean.analytics.tables import COLUMNS, Tables
from hean.errors import ParameterInvalid

FOREVER = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT {} FROM c"


@pytest.fixture(scope="module")
def asked() -> Questions:
    rows: dict[str, list[tuple]] = {name: [] for name in COLUMNS}
    rows["positions"] = [(f"s{n}", "BTCUSDT", n, 1.0, None, None) for n in range(3_000)]
    return Questions(Tables({}, rows))


def test_an_answer(asked: Questions):
    answer = asked.ask("SELECT strategy, qty FROM positions WHERE qty < 2 ORDER BY qty")
    assert answer.columns == ("strategy", "qty") and answer.rows == [("s0", 0), ("s1", 1)]
    assert not answer.is_cut and answer.seconds < 5


@pytest.mark.parametrize(
    "sql",
    [
        "WITH a AS (SELECT qty FROM positions LIMIT 2) SELECT count(*) FROM a",
        "SELECT rank() OVER (ORDER BY qty) FROM positions LIMIT 1",
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 9) SELECT x FROM c",
        "SELECT value FROM json_each('[1]')",
        "SELECT strftime('%H', '2026-01-01 10:00'), abs(-4), group_concat(qty) FROM positions",
    ],
)
def test_what_people_ask(asked: Questions, sql: str):
    assert asked.ask(sql).rows


@pytest.mark.parametrize(
    "sql",
    [
        "ATTACH '{file}' AS other",
        "ATTACH ':memory:' AS other",
        "VACUUM INTO '{file}'",
        "SELECT load_extension('{file}')",
        "SELECT readfile('{file}')",
        "SELECT writefile('{file}', 'x')",
        "SELECT edit('x')",
        "SELECT fts3_tokenizer('simple')",
        "PRAGMA database_list",
        "PRAGMA query_only = OFF",
        "SELECT * FROM pragma_database_list",
        "SELECT * FROM pragma_table_info('positions')",
        "SELECT * FROM sqlite_master",
        "SELECT * FROM sqlite_schema",
        "SELECT * FROM dbstat",
        "CREATE TABLE a (b)",
        "CREATE TEMP TABLE a AS SELECT 1",
        "CREATE VIRTUAL TABLE a USING fts5(b)",
        "CREATE VIRTUAL TABLE a USING csv(filename='{file}')",
        "INSERT INTO positions VALUES (1, 1, 1, 1, 1, 1)",
        "UPDATE positions SET qty = 1",
        "DELETE FROM positions",
        "DROP TABLE positions",
        "ALTER TABLE positions RENAME TO x",
        "REINDEX",
        "ANALYZE",
        "BEGIN",
        "COMMIT",
        "SAVEPOINT a",
        "SELECT 1; DELETE FROM positions",
        "SELECT nonsense FROM positions",
        "SELEC 1",
        "",
        "-- only a remark",
        "SELECT '\x00'; SELECT 1",
        "SELECT '\ud800'",
        "SELECT " + "1," * 20_000 + "1",
        "SELECT " + "(" * 500 + "1" + ")" * 500,
        " UNION ALL ".join(["SELECT 1"] * 100),
        "SELECT zeroblob(1000000000)",
        "SELECT group_concat(strategy, printf('%.*c', 90000, 'x')) FROM positions",
        "SELECT ?1",
    ],
)
def test_what_is_refused_and_touches_nothing(asked: Questions, tmp_path: Path, sql: str):
    file = tmp_path / "file"
    file.write_text("a,b\n1,2\n")
    with pytest.raises(ParameterInvalid):
        asked.ask(sql.replace("{file}", str(file)))
    assert file.read_text() == "a,b\n1,2\n" and list(tmp_path.iterdir()) == [file]
    assert asked.ask("SELECT count(*) FROM positions").rows == [(3_000,)]


def test_a_refusal_says_what_may_be_read(asked: Questions):
    with pytest.raises(ParameterInvalid, match="it may only read orders, fills"):
        asked.ask("SELECT * FROM sqlite_master")


@pytest.mark.parametrize("what", ["count(*)", "x"])
def test_what_takes_too_long_is_ended(asked: Questions, what: str):
    if what == "x":
        assert asked.ask(FOREVER.format(what), seconds_max=0.3).is_cut  # rows come, and are cut
    else:
        with pytest.raises(ParameterInvalid, match="takes more than"):
            asked.ask(FOREVER.format(what), seconds_max=0.3)
    assert asked.ask("SELECT 1").rows == [(1,)]


def test_rows_and_text_are_bounded(asked: Questions, monkeypatch: pytest.MonkeyPatch):
    answer = asked.ask("SELECT * FROM positions", rows_max=10)
    assert len(answer.rows) == 10 and answer.is_cut
    exact = asked.ask("SELECT * FROM positions LIMIT 10", rows_max=10)
    assert len(exact.rows) == 10 and not exact.is_cut
    monkeypatch.setattr(module, "ANSWER_LENGTH_MAX", 1_000)
    answer = asked.ask("SELECT hex(zeroblob(100)) FROM positions")
    assert answer.is_cut and len(answer.rows) == 5


def test_it_may_be_asked_from_another_thread(asked: Questions):
    found: list[int] = []
    ask = threading.Thread(target=lambda: found.append(asked.ask("SELECT 7").rows[0][0]))
    ask.start()
    ask.join()
    assert found == [7]
