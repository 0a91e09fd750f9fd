# SPDX-License-Identifier: Apache-2.0
"""Every case of the corpus is refused by `hean data verify` and `import` with its code and words,
without a traceback, quickly, and without a trace in the catalog.
"""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bad_data_files import CASES, Case, candle, candles, one_bad, rows
from hean.cli_data import app

runner = CliRunner()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_bad_file_is_refused_with_its_reason(case: Case, tmp_path: Path) -> None:
    path = case.make(tmp_path)
    started = time.process_time()  # of this process: others may hold it up
    result = runner.invoke(app, ["verify", str(path), *case.options])
    assert result.exit_code == case.code, result.output
    assert re.search(case.words, result.stderr), result.stderr
    assert path.name in result.stderr
    assert "Traceback" not in result.output
    assert result.stderr.isascii()
    assert time.process_time() - started < 2


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_bad_file_leaves_no_trace_in_the_catalog(case: Case, tmp_path: Path) -> None:
    path, home = case.make(tmp_path), tmp_path / "home"
    command = ["import", str(path), "--data-dir", str(home), *case.options]
    assert runner.invoke(app, command).exit_code == case.code
    assert not list(home.rglob("*.parquet"))


def test_corpus_is_large_and_its_names_are_unique() -> None:
    assert len(CASES) >= 60
    assert len({case.name for case in CASES}) == len(CASES)


def test_all_problems_of_a_file_are_shown_at_once(tmp_path: Path) -> None:
    path = candles(candle(0, "NaN,110,90,105,7"), candle(1, "100,90,110,105,7"), candle(2, "x,1"))(
        tmp_path
    )
    result = runner.invoke(app, ["verify", str(path), "--json", str(tmp_path / "out.json")])
    document = json.loads((tmp_path / "out.json").read_text())[0]
    found = [(p.get("line"), p["what"]) for p in document["problems"]]
    assert found == [(2, "not finite"), (3, "high below low"), (4, "wrong number of fields")]
    assert result.exit_code == 2


def test_at_most_fifty_places_are_shown_with_the_totals(tmp_path: Path) -> None:
    path = candles(*(candle(i, "NaN,110,90,105,7") for i in range(500)))(tmp_path)
    result = runner.invoke(app, ["verify", str(path)])
    assert "500 problems (500 x not finite)" in result.stderr
    assert result.stderr.count("not finite, got nan") == 50
    assert "and 450 more" in result.stderr


def test_dropping_bad_rows_is_reported_and_leaves_a_gap(tmp_path: Path) -> None:
    path = candles(*rows(3), candle(3, "NaN,1,1,1,1"), "junk", candle(4))(tmp_path)
    home = tmp_path / "home"
    command = ["import", str(path), "--on-bad", "drop", "--data-dir", str(home), "--json", "-"]
    result = runner.invoke(app, command)
    assert result.exit_code == 0, result.output
    entry = json.loads(result.stdout)[0]
    assert (entry["rows"], entry["dropped_rows"], entry["gaps"]["count"]) == (4, 2, 1)
    report = json.loads(next(home.rglob("*.dropped.json")).read_text())
    assert [row["line"] for row in report["dropped"]] == [5, 6]


@pytest.mark.parametrize("name", ["s and ms", "ms and us", "missing column", "kind contradicted"])
def test_what_puts_all_rows_in_doubt_cannot_be_dropped(name: str, tmp_path: Path) -> None:
    case = next(case for case in CASES if case.name == name)
    command = ["verify", str(case.make(tmp_path)), "--on-bad", "drop", *case.options]
    assert runner.invoke(app, command).exit_code == 2


def test_a_file_without_a_good_row_is_refused_even_when_dropping(tmp_path: Path) -> None:
    path = candles(*(candle(i, "NaN,1,1,1,1") for i in range(4)))(tmp_path)
    result = runner.invoke(app, ["verify", str(path), "--on-bad", "drop"])
    assert result.exit_code == 2
    assert "no good row is left" in result.stderr


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    command = ["import", str(one_bad("x,1,1,1,1")(tmp_path)), "--debug"]
    assert "Traceback" in runner.invoke(app, command).stderr
