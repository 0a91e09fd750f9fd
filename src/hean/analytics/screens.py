# SPDX-License-Identifier: Apache-2.0
"""`screens.py`: the tables of a journal on a page of Streamlit. It shows and computes nothing: what
is shown is asked of `reports.py` and `prometheus.py`. Run by `hean analytics`, which gives it the
journal and the address of Prometheus.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import polars as pl
import streamlit as st

from hean.analytics.prometheus import COLUMNS as METRIC_COLUMNS
from hean.analytics.prometheus import ask_prometheus
from hean.analytics.questions import ROWS_MAX, SECONDS_MAX, Answer, Questions
from hean.analytics.reports import REPORTS, report
from hean.analytics.tables import COLUMNS, Tables, read_tables
from hean.errors import HeanError

MONEY = ("net", "realized", "fees", "funding", "slippage_cost", "volume", "fee", "received")
FIGURES = (*MONEY, "mean", "p50", "p95", "p99", "worst", "bps", "unrealized")
HOURS_MIN = 3  # fewer are a table
SPANS = {"15 minutes": 900, "1 hour": 3_600, "6 hours": 21_600, "1 day": 86_400}
METRIC = "histogram_quantile(0.95, sum by (le, stage) (rate(hean_latency_seconds_bucket[5m])))"


# Untyped, since the extra need not be there. *changed* is part of what it is remembered by.
@st.cache_resource(max_entries=2)  # type: ignore[untyped-decorator]
def _open(path: str, changed: tuple[float, int]) -> tuple[Tables, Questions]:
    tables = read_tables(Path(path))
    return tables, Questions(tables)


def show(journal: str, prometheus: str) -> None:
    """The page. *journal*: a file; *prometheus*: base address."""
    st.set_page_config(page_title="HEAN analytics", layout="wide")
    path = Path(journal)
    try:
        state = path.stat()
        tables, questions = _open(journal, (state.st_mtime, state.st_size))
    except (HeanError, OSError) as error:
        st.error(getattr(error, "message", str(error)))
        return
    origin = tables.origin
    st.title("HEAN analytics")
    st.caption(
        f"{origin['journal']}: {origin['kind']} {origin['source']}, {origin['rows']:,} rows, "
        f"{origin['first'][:19]} to {origin['last'][:19]} UTC"
    )
    profit, execution, latency, ask, metrics = st.tabs(
        ["Profit", "Execution", "Latency", "Questions", "Prometheus"]
    )
    with profit:
        _profit(questions)
    with execution:
        _execution(questions)
    with latency:
        _latency(questions)
    with ask:
        _questions(questions)
    with metrics:
        _prometheus(prometheus)


def _profit(questions: Questions) -> None:
    total = frame(report(questions, "total")).to_dicts()[0]
    open_profit = report(questions, "positions")
    unrealized = sum(row[-1] or 0.0 for row in open_profit.rows)
    places = st.columns(6)
    for place, (name, value) in zip(
        places,
        (
            ("Net", (total["net"] or 0.0) + unrealized),
            ("Realized", total["realized"]),
            ("Unrealized", unrealized),
            ("Fees", total["fees"]),
            ("Funding", total["funding"]),
            ("Slippage", total["slippage_cost"]),
        ),
        strict=True,
    ):
        place.metric(name, f"{value or 0.0:,.2f}")
    if not total["fills"]:
        st.info("Nothing was traded in this journal.")
        return
    st.subheader("Realized after fees")
    curve = frame(report(questions, "curve")).with_columns(pl.col("ts").str.to_datetime())
    st.line_chart(curve, x="ts", y="net", color="strategy", x_label="UTC", y_label="quote money")
    left, right = st.columns(2)
    with left:
        _table("By strategy", report(questions, "by_strategy"))
        _table("By symbol", report(questions, "by_symbol"))
    with right:
        hours = report(questions, "by_hour")
        if len(hours.rows) < HOURS_MIN:
            _table("By hour, UTC", hours)
        else:
            st.subheader("By hour")
            st.bar_chart(frame(hours), x="hour", y="net", x_label="UTC", y_label="quote money")
            _table("By hour of the day, UTC", report(questions, "by_hour_of_day"))
    _table("Held", open_profit)


def _execution(questions: Questions) -> None:
    _table("Slippage against arrival, basis points", report(questions, "slippage"))
    st.caption("Arrival: the last trade when the order was approved. Above zero is a loss.")
    left, right = st.columns(2)
    with left:
        _table("Fees", report(questions, "fees"))
    with right:
        _table("Funding", report(questions, "funding"))
    _table("Refusals", report(questions, "refusals"))


def _latency(questions: Questions) -> None:
    answer = report(questions, "latency")
    _table("Latency by stage, ms", answer)
    st.caption(
        "decision: signal to approval; send: approval to the first byte; ack: that to the venue's "
        "word; fill: that to the first fill. On paper the venue's delay is an assumption."
    )
    if answer.rows:
        st.bar_chart(frame(answer), x="stage", y=["p50", "p95", "p99"], stack=False, y_label="ms")


def _questions(questions: Questions) -> None:
    names = st.selectbox("Begin with", list(REPORTS), key="begin")
    sql = st.text_area("SQL", REPORTS[names], height=160, key=f"sql {names}")
    st.caption(
        f"SELECT over {', '.join(COLUMNS)}; at most {SECONDS_MAX:g} s and {ROWS_MAX:,} rows."
    )
    if not st.button("Ask", key="ask"):
        return
    try:
        answer = questions.ask(sql)
    except HeanError as error:
        st.error(error.message)
        return
    st.dataframe(frame(answer), hide_index=True)
    more = ", and there are more" if answer.is_cut else ""
    st.caption(f"rows: {len(answer.rows):,}{more}; {answer.seconds * 1e3:,.0f} ms")


def _prometheus(base: str) -> None:
    query = st.text_input("PromQL", METRIC, key="promql")
    span = st.selectbox("Of the last", list(SPANS), key="span")
    if not st.button("Ask Prometheus", key="ask prometheus"):
        st.caption(f"{base}; another one: hean analytics --prometheus URL")
        return
    try:
        rows = ask_prometheus(base, query, seconds=SPANS[span], until_s=time.time())
    except HeanError as error:
        st.error(error.message)
        return
    if not rows:
        st.info("Prometheus knows nothing of that in this time.")
        return
    found = pl.DataFrame(rows, METRIC_COLUMNS, orient="row")
    st.line_chart(
        found.with_columns(pl.col("ts").str.to_datetime()), x="ts", y="value", color="series"
    )
    st.dataframe(found, hide_index=True)


def _table(title: str, answer: Answer) -> None:
    st.subheader(title)
    if not answer.rows:
        st.caption("none")
        return
    formats = {
        name: st.column_config.NumberColumn(format="%.2f")
        for name in answer.columns
        if name in FIGURES
    }
    st.dataframe(frame(answer), hide_index=True, column_config=formats)


def frame(answer: Answer) -> pl.DataFrame:
    """An answer as a frame; whole numbers and fractions of one column become fractions."""
    columns: dict[str, list[Any]] = {name: [] for name in answer.columns}
    for row in answer.rows:
        for name, value in zip(answer.columns, row, strict=True):
            columns[name].append(value.hex() if isinstance(value, bytes) else value)
    return pl.DataFrame(columns, strict=False)


if __name__ == "__main__":
    show(*sys.argv[1:3])
