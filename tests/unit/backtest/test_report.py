# SPDX-License-Identifier: Apache-2.0
"""The report as a reader gets it: one file, complete, the same bytes each time, safe with hostile
names, and whole for runs that have nothing to show.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest

from hean.backtest.picture import draw, equity_picture
from hean.backtest.report import LISTED, render_report, reproduce, verdict, write_report
from hean.backtest.report_charts import Frame, Line, outline, thin, time_ticks, value_ticks
from hean.backtest.report_sections import MARKS_MAX, buy_and_hold
from hean.backtest.result import RunRecord, round_trips
from runs import DAY_NS, START_NS, fill, long_run, record, summary, trade

SECTIONS = "run figures equity price months rolling drawdowns distribution trades exposure costs"
SECTIONS += " assumptions data list"
VOID = {"meta", "link", "input", "br", "path", "rect"}


class Reader(HTMLParser):
    """Checks that every element is closed in order; keeps what the tests ask for."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.sections: list[str] = []
        self.text = ""
        self.scripts: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag == "section":
            self.sections.append(dict(attrs)["id"])
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            self.scripts.append(data)
        elif self.open and self.open[-1] != "style":
            self.text += data + " "


@pytest.fixture(scope="module")
def run() -> RunRecord:
    return long_run()


@pytest.fixture(scope="module")
def page(run) -> str:
    return render_report(summary(run), run)


def empty() -> RunRecord:
    none = np.empty(0)
    return RunRecord(np.empty(0, np.int64), none, none, [], [], {})


def test_sections_come_in_their_order(page):
    assert Reader(page).sections == SECTIONS.split()


def test_page_needs_nothing_from_outside(page):
    assert not re.search(r"https?:|//[a-z]|@import|url\(|\ssrc=", page)
    assert {tag for tag, _ in Reader(page).elements}.isdisjoint({"img", "iframe", "object"})


def test_three_hundred_days_of_five_minutes_stay_small(page, run):
    assert len(run.prices["BTCUSDT"][0]) == 86_400
    assert len(page.encode()) < 600_000


def test_many_thousand_trades_stay_small_and_the_page_says_what_it_left_out():
    busy = long_run(every=5)
    assert len(busy.trades) > 3 * MARKS_MAX
    page = render_report(summary(busy), busy)
    assert len(page.encode()) < 2_000_000
    text = Reader(page).text
    assert f"The first and the last {LISTED} of {len(busy.trades):,} trades" in text
    assert f"{2 * len(busy.trades):,} marks are drawn as" in text


def test_same_input_gives_same_bytes_in_another_process(tmp_path):
    program = (
        "import sys, hashlib; sys.path.insert(0, sys.argv[1])\n"
        "from runs import long_run, summary\n"
        "from hean.backtest.report import render_report\n"
        "run = long_run(days=40)\n"
        "print(hashlib.sha256(render_report(summary(run), run).encode()).hexdigest())\n"
    )
    found = set()
    for seed, zone in (("1", "UTC"), ("2", "Asia/Tokyo")):
        command = [sys.executable, "-c", program, os.path.dirname(__file__)]
        paths = os.pathsep.join(path for path in sys.path if path)
        env = {**os.environ, "PYTHONHASHSEED": seed, "TZ": zone, "PYTHONPATH": paths}
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
        found.add(done.stdout)
    assert len(found) == 1


def test_speed_of_the_machine_does_not_reach_the_page(run, page):
    other = summary(run, wall_s=99.5, load_s=3.5, events_per_s=12_345.5, peak_rss_mb=321.5)
    assert render_report(other, run) == page


HOSTILE = "</script><script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


def test_hostile_names_are_text():
    run = long_run(days=10, symbol=HOSTILE)
    made = summary(run, strategy=HOSTILE, params={HOSTILE: HOSTILE}, trades_file=HOSTILE)
    made["data"] = [{"file": HOSTILE, "sha256": HOSTILE, "first_ts": HOSTILE, "rows": HOSTILE}]
    made["assumptions"] = {HOSTILE: HOSTILE}
    made |= {"seed": HOSTILE, "state_hash": HOSTILE, "start": HOSTILE, "version": HOSTILE}
    found = Reader(render_report(made, run))
    assert HOSTILE in found.text
    assert "img" not in {tag for tag, _ in found.elements}
    assert not any("alert" in script for script in found.scripts)
    assert "<script" not in draw(run)


def test_only_the_script_of_the_page_may_run(page):
    policy = next(a for tag, a in Reader(page).elements if tag == "meta" and "content" in a)
    assert re.search(r"default-src 'none'.*script-src 'sha256-[\w+/]{43}='", policy["content"])


@pytest.mark.parametrize("made", [{}, {"strategy": "x", "net_pnl": "nonsense", "data": "none"}])
def test_an_empty_run_gives_a_whole_page(made):
    found = Reader(render_report(made, empty()))
    assert found.sections == SECTIONS.split()
    assert "The run has no result." in found.text
    assert not re.search(r"\bnan\b|\binf\b|None", found.text)


@pytest.mark.parametrize("equity", [[10_000.0], [10_000.0] * 40, [9_000.0, -5.0, -5.0], [1e-8]])
def test_odd_runs_give_a_whole_page(equity):
    run = record(equity, trades=[trade("0"), trade("-1")])
    run.prices = {"A": (run.sample_ts, np.full(len(equity), 5.0))}
    found = Reader(render_report(summary(run), run))
    assert found.sections == SECTIONS.split()
    assert not re.search(r"\bnan\b|\binf\b|None", found.text)


def test_charts_are_described_and_tables_have_headers(page):
    elements = Reader(page).elements
    drawings = [attributes for tag, attributes in elements if tag == "svg"]
    assert len(drawings) >= 9
    assert all(a.get("role") == "img" and a.get("aria-label") for a in drawings)
    assert all(a.get("aria-label") for tag, a in elements if tag == "table")
    assert all(a.get("scope") in ("row", "col") for tag, a in elements if tag == "th")


def test_data_for_the_crosshair_is_json_that_ends_where_the_run_ends(page, run):
    charts = [json.loads(text) for text in Reader(page).scripts if text.startswith("{")]
    price = next(chart for chart in charts if chart["lines"][0]["f"] == "price")
    closes = run.prices["BTCUSDT"][1]
    assert sum(price["lines"][0]["t"]) * 10**6 == run.prices["BTCUSDT"][0][-1]
    assert max(price["lines"][0]["v"]) == pytest.approx(closes.max(), rel=1e-7)
    assert min(price["lines"][0]["v"]) == pytest.approx(closes.min(), rel=1e-7)


def test_costs_lead_from_gross_to_net(run):
    made = summary(run, net_pnl="-31.25", fees="20", funding="-3.75", slippage_cost="10")
    text = " ".join(Reader(render_report(made, run)).text.split())
    assert "Before costs \u22125.00" in text
    assert "Fees \u221220.00" in text
    assert "Funding +3.75" in text
    assert "Net result \u221231.25" in text


VERDICTS = [
    (5, [9_700.0] * 40, "too few trades (5) to tell skill from luck."),
    (0, [10_000.0] * 40, "no trade was completed."),
    (50, [9_900.0] * 5, "too few days (5) to tell skill from luck."),
    (50, [10_000.0] * 40, "luck cannot be judged."),
    (50, [10_000 + 9 * n + n % 2 for n in range(60)], "if this was the only attempt."),
    (50, [10_000 - 9 * n - n % 2 for n in range(60)], "too steady a loss to be bad luck."),
    (50, [10_000 + 50 * (n % 2) for n in range(60)], "not distinguishable from luck."),
]


@pytest.mark.parametrize(("trades", "equity", "words"), VERDICTS)
def test_verdict_judges_the_length_of_the_record_first(trades, equity, words):
    run = record(equity, trades=[trade("1")] * trades)
    assert verdict(summary(run), run).endswith(words)


def test_verdict_names_result_and_buy_and_hold():
    run = record([9_690.0], trades=[trade("-310")])
    made = summary(run)
    assert verdict(made, run).startswith(
        "Lost 3.1\u202f% after costs; buy and hold made 12.9\u202f%; too few trades"
    )
    made |= {"net_pnl": "310", "buy_and_hold_return": -0.2}
    assert verdict(made, run).startswith(
        "Made 3.1\u202f% after costs; buy and hold lost 20.0\u202f%"
    )


def test_reproduce_quotes_what_a_shell_would_take_apart():
    made = {"strategy": "x.py:My", "symbols": ["A B"], "params": {"k": "$(rm)"}, "seed": 3}
    words = "hean backtest --strategy x.py:My --symbol 'A B' --seed 3 --param 'k=$(rm)'"
    assert reproduce(made) == words
    assert reproduce({"command": "hean replay j"}) == "hean replay j"


def test_report_replaces_a_file_whole(tmp_path, run, page):
    path = tmp_path / "out.html"
    path.write_text("old")
    write_report(path, summary(run), run)
    assert path.read_text("utf-8") == page
    assert [file.name for file in tmp_path.iterdir()] == ["out.html"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, run):
    path = tmp_path / "out.html"
    path.mkdir()
    with pytest.raises(OSError):
        write_report(path, summary(run), run)
    assert [file.name for file in tmp_path.iterdir()] == ["out.html"]


def test_thinning_keeps_ends_and_extremes():
    t = np.arange(100_000, dtype=np.int64)
    y = np.sin(t / 777.0)
    y[54_321] = 9.0
    kept = thin(t, y)
    assert kept.size <= 1_402
    assert {0, 54_321, 99_999} <= set(kept.tolist())


def test_a_gap_of_undefined_values_breaks_the_line():
    line = Line("x", "main", np.arange(4, dtype=np.int64), np.array([1, 2, np.nan, 3]))
    assert outline(line, thin(line.t, line.y), Frame(0, 3, 0, 4)).count("M") == 2


def test_ticks_are_round_and_few():
    assert value_ticks(Frame(0, 1, -0.3, 1.1)) == pytest.approx([0, 0.5, 1.0])
    assert value_ticks(Frame(0, 1, 9, 2_100, log=True))[:3] == [10, 20, 50]
    marks = [words for _, words in time_ticks(START_NS, START_NS + 300 * DAY_NS)]
    assert marks[:2] == ["Jan 2025", "Feb"]
    spans = [1, 10**9, 3_600 * 10**9, DAY_NS, 40 * DAY_NS, 4_000 * DAY_NS]
    assert all(len(time_ticks(START_NS, START_NS + span)) <= 11 for span in spans)


def test_buy_and_hold_spreads_over_symbols_from_the_first_price():
    run = record([1.0, 1.0])
    run.prices = {
        "A": (run.sample_ts, np.array([10.0, 20.0])),
        "B": (run.sample_ts, np.array([4.0, 4.0])),
    }
    assert buy_and_hold(run, 100.0) == pytest.approx([100, 150])
    assert buy_and_hold(record([1.0]), 100.0) is None


def test_picture_is_the_same_file_twice_and_stands_alone(tmp_path, run):
    one, two = tmp_path / "a.svg", tmp_path / "b.svg"
    equity_picture(run, one)
    equity_picture(run, two)
    text = one.read_text("utf-8")
    assert one.read_bytes() == two.read_bytes()
    assert 'viewBox="0 0 1200 500"' in text
    assert text.count("http") == 1  # the name of the SVG language, not an address to load
    assert draw(empty()).endswith("</svg>\n")


def test_marks_stand_for_round_trips_of_their_own_symbol():
    fills = [
        fill("+", "1", "10", ts=START_NS, symbol="A"),
        fill("-", "1", "12", ts=START_NS + 1, symbol="A"),
    ]
    run = record([100.0, 101.0])
    run.trades = round_trips(fills)
    prices = (run.sample_ts, np.array([10.0, 12.0]))
    run.prices = {"A": prices, "B": prices}
    text = Reader(render_report(summary(run), run)).text
    assert "1 round trip." in text
    assert "0 round trips." in text
