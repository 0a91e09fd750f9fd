# SPDX-License-Identifier: Apache-2.0
"""The last line of `./hean test` must tell the truth about every runner, also about a crash."""

from __future__ import annotations

from pathlib import Path

import pytest

import run_tests

CARGO = """\
test number::adds ... ok
test deep ... ignored, takes an hour
test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s
test other ... ignored
test result: FAILED. 3 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.1s
"""

JUNIT = """\
<testsuites><testsuite name="pytest">
<testcase classname="a" name="passes"/>
<testcase classname="a" name="fails"><failure message="no"/></testcase>
<testcase classname="a" name="breaks"><error message="no"/></testcase>
<testcase classname="a" name="waits"><skipped type="pytest.skip" message="no server"/></testcase>
</testsuite></testsuites>
"""


def test_cargo_results_of_all_binaries_are_summed():
    totals = run_tests.count_cargo(CARGO.splitlines())
    assert (totals.passed, totals.failed) == (15, 2)
    assert totals.skips == ["deep: takes an hour", "other: no reason given"]


def test_junit_results_are_counted_with_the_reason_of_each_skip(tmp_path: Path):
    report = tmp_path / "junit.xml"
    report.write_text(JUNIT)
    totals = run_tests.count_junit(report)
    assert (totals.passed, totals.failed, totals.skips) == (1, 2, ["a.waits: no server"])


def test_a_bad_exit_without_a_failed_test_counts_as_one_failure(tmp_path: Path):
    assert run_tests.count_junit(tmp_path / "missing.xml").close(4).failed == 1
    assert run_tests.count_cargo(CARGO.splitlines()).close(101).failed == 2
    assert run_tests.Totals(passed=1).close(0).failed == 0


@pytest.mark.parametrize(("failed", "code"), [(0, 0), (1, 1)])
def test_closing_line_and_exit_code_agree(failed, code, monkeypatch, capsys):
    rust = run_tests.Totals(passed=2, skips=["x: no disk"])
    python = run_tests.Totals(passed=3, failed=failed)
    monkeypatch.setattr(run_tests, "run_rust", lambda: rust)
    monkeypatch.setattr(run_tests, "run_page", lambda: run_tests.Totals(passed=1))
    monkeypatch.setattr(run_tests, "run_python", lambda **_: python)
    assert run_tests.main(["--quick"]) == code
    output = capsys.readouterr().out.splitlines()
    assert output == ["skipped x: no disk", f"6 passed, {failed} failed, 1 skipped"]


@pytest.mark.parametrize("is_root", [False, True])
def test_programs_that_are_not_there_are_fetched_at_once_or_named(is_root, monkeypatch, capsys):
    there, commands = {"apt-get", "chromium"}, []

    def run(command: list[str]) -> None:
        commands.append(command)
        there.update(each.name for each in run_tests.PROGRAMS if each.package in command)

    def which(name: str, path: str | None = None) -> str | None:
        return name if name in there else None

    monkeypatch.setattr(run_tests.shutil, "which", which)
    monkeypatch.setattr(run_tests.os, "geteuid", lambda: 0 if is_root else 1)
    monkeypatch.setattr(run_tests, "stream", run)
    run_tests.find_programs()
    told = capsys.readouterr().out
    if is_root:
        assert [command[1] for command in commands] == ["update", "install"]
        assert "chromium" not in commands[1]
        assert not told
    else:
        assert not commands
        named = told.splitlines()
        assert "apt-get install redis-server" in named[0]
        assert len(named) == len(run_tests.PROGRAMS) - 1
