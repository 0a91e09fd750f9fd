# SPDX-License-Identifier: Apache-2.0
"""The page of `hean analytics` on a real recorded session, run by Streamlit's own tester."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from sessions import recorded_session

NOBODY = "http://127.0.0.1:1"


def page(journal: str, prometheus: str) -> None:
    """What Streamlit runs."""
    from hean.analytics.screens import show

    show(journal, prometheus)


@pytest.fixture(autouse=True)
def same_main(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streamlit's tester leaves its script as the main module, and whoever starts a process in this
    one later on would run that.
    """
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    journal, _, summary = recorded_session(tmp_path_factory.mktemp("session"))
    return journal, summary


def shown(journal: Path, prometheus: str = NOBODY) -> AppTest:
    app = AppTest.from_function(page, args=(str(journal), prometheus), default_timeout=60)
    app.run()
    assert not app.exception
    return app


@pytest.mark.promise(215)
def test_the_page_shows_what_the_session_came_to(session: tuple[Path, dict[str, Any]]):
    journal, summary = session
    app = shown(journal)
    assert [tab.label for tab in app.tabs] == [
        "Profit", "Execution", "Latency", "Questions", "Prometheus",
    ]  # fmt: skip
    figures = {metric.label: metric.value for metric in app.metric}
    assert figures["Net"] == f"{float(summary['net_pnl']):,.2f}"
    assert figures["Fees"] == f"{float(summary['fees']):,.2f}"
    assert figures["Slippage"] == f"{float(summary['slippage_cost']):,.2f}"
    assert "run.journal: paper a test" in app.caption[0].value
    titles = [each.value for each in app.subheader]
    assert "By strategy" in titles and "Latency by stage, ms" in titles
    assert len(app.dataframe) >= 5


def test_a_question_is_answered_or_refused(session: tuple[Path, dict[str, Any]]):
    app = shown(session[0])
    app.selectbox(key="begin").select("by_symbol").run()
    area = app.text_area(key="sql by_symbol")
    assert "GROUP BY symbol" in area.value
    area.set_value("SELECT count(*) AS n FROM fills")
    app.button(key="ask").click().run()
    assert not app.exception
    found = [frame.value for frame in app.dataframe if list(frame.value.columns) == ["n"]]
    assert int(found[0]["n"].iloc[0]) == session[1]["fills"]
    app.text_area(key="sql by_symbol").set_value("ATTACH 'x' AS y")
    app.button(key="ask").click().run()
    assert not app.exception and "may only read" in app.error[0].value


def test_without_prometheus_it_is_said_so(session: tuple[Path, dict[str, Any]]):
    app = shown(session[0])
    app.button(key="ask prometheus").click().run()
    assert not app.exception and "no Prometheus at http://127.0.0.1:1" in app.error[0].value


def test_a_journal_that_grows_is_read_again(tmp_path: Path, session: tuple[Path, dict[str, Any]]):
    copy = tmp_path / "run.journal"
    copy.write_bytes(session[0].read_bytes())
    app = shown(copy)
    before = app.metric[0].value
    recorded_session(tmp_path_again(tmp_path), 30)[0].replace(copy)
    os.utime(copy)
    app.run()
    assert not app.exception and app.metric[0].value != before


def tmp_path_again(folder: Path) -> Path:
    other = folder / "again"
    other.mkdir()
    return other


def test_a_journal_that_is_none_or_where_nothing_was_traded(tmp_path: Path):
    (tmp_path / "x").write_bytes(b"no journal")
    for path in (tmp_path / "x", tmp_path / "gone"):
        assert len(shown(path).error) == 1
    journal, _, summary = recorded_session(tmp_path, 1)
    if not summary["fills"]:
        assert "Nothing was traded" in shown(journal).info[0].value
