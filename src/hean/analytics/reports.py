# SPDX-License-Identifier: Apache-2.0
"""`reports.py`: the questions that everybody has, as SQL over the tables of a journal. Screens and
`--json` show the answers; whoever wants another one starts from these.
"""

from __future__ import annotations

from typing import Any

from hean.analytics.questions import Answer, Questions
from hean.analytics.tables import Tables
from hean.errors import ParameterInvalid

_SUMS = (
    "sum(net) AS net, sum(realized) AS realized, sum(fees) AS fees, sum(funding) AS funding,"
    " sum(slippage_cost) AS slippage_cost, sum(fills) AS fills, sum(volume) AS volume"
)
_QUANTILES = """
    WITH ranked AS (SELECT {group}, {value} AS v,
        row_number() OVER (PARTITION BY {group} ORDER BY {value}) AS n,
        count(*) OVER (PARTITION BY {group}) AS total FROM {table} WHERE {value} IS NOT NULL)
    SELECT {group}, max(total) AS count, avg(v) AS mean,
        max(CASE WHEN n = (total + 1) / 2 THEN v END) AS p50,
        max(CASE WHEN n = (total * 95 + 99) / 100 THEN v END) AS p95,
        max(CASE WHEN n = (total * 99 + 99) / 100 THEN v END) AS p99, max(v) AS worst
    FROM ranked GROUP BY {group} ORDER BY {group}
"""
REPORTS = {
    "total": f"SELECT {_SUMS} FROM pnl",
    "by_strategy": f"SELECT strategy, {_SUMS} FROM pnl GROUP BY strategy ORDER BY net",
    "by_symbol": f"SELECT symbol, {_SUMS} FROM pnl GROUP BY symbol ORDER BY net",
    "by_hour": f"SELECT hour, {_SUMS} FROM pnl GROUP BY hour ORDER BY hour",
    "by_hour_of_day": f"SELECT substr(hour, 12, 2) AS hour_of_day, {_SUMS} FROM pnl GROUP BY 1",
    "curve": "SELECT ts, strategy, sum(net) OVER (PARTITION BY strategy ORDER BY ts, rowid)"
    " AS net FROM fills ORDER BY ts",
    "slippage": _QUANTILES.format(group="symbol", value="slippage_bps", table="fills"),
    "latency": _QUANTILES.format(group="stage", value="ms", table="latency"),
    "fees": "SELECT symbol, liquidity, fee_asset, sum(fee) AS fee, sum(value) AS volume,"
    " CASE WHEN fee_asset = '' OR symbol LIKE '%' || fee_asset"
    " THEN sum(fee) / sum(value) * 10000 END AS bps FROM fills GROUP BY 1, 2, 3",
    "funding": "SELECT symbol, strategy, sum(received) AS received, count(*) AS payments"
    " FROM funding GROUP BY 1, 2",
    "positions": "SELECT * FROM positions",
    "refusals": "SELECT source, reason, count(*) AS count FROM refusals GROUP BY 1, 2"
    " ORDER BY count DESC LIMIT 20",
}
"""By name."""


def report(questions: Questions, name: str) -> Answer:
    """The answer to one of `REPORTS`. *Raises*: `ParameterInvalid`."""
    if name not in REPORTS:
        raise ParameterInvalid(f"no report {name[:40]!r}; known: {', '.join(REPORTS)}.")
    return questions.ask(REPORTS[name], rows_max=100_000, seconds_max=60.0)


def document(tables: Tables, questions: Questions) -> dict[str, Any]:
    """All reports as JSON."""
    found: dict[str, Any] = {"journal": tables.origin}
    for name in REPORTS:
        if name != "curve":  # it has a point for each fill
            found[name] = as_dicts(report(questions, name))
    return found


def as_dicts(answer: Answer) -> list[dict[str, Any]]:
    """Rows with the names of their columns. A blob is not text, so its hex is."""
    return [
        {
            name: value.hex() if isinstance(value, bytes) else value
            for name, value in zip(answer.columns, row, strict=True)
        }
        for row in answer.rows
    ]
