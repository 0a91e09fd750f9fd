# SPDX-License-Identifier: Apache-2.0
"""`hean diagnose execution`: what execution looks like, from the journal of a process, which may be
trading meanwhile: orders by state, those that nobody knows about, refusals, the time of each stage,
the last errors. It reads committed rows and asks nobody.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.table import Table

from hean.analytics.tables import COLUMNS, STAGES, Tables, read_tables
from hean.cli_common import (
    DATA_DIR_DEFAULT,
    DataDirOption,
    DebugOption,
    ExitCode,
    JsonOption,
    run_command,
    say,
    table_console,
    write_json,
)
from hean.core.journal import holder_of
from hean.core.types import EventType
from hean.errors import ParameterInvalid

JOURNALS = ("live/*/journal.db", "journal.db", "*.journal")  # of hean live; of hean run
UNKNOWN = ("UNKNOWN", "QUARANTINED")
ERRORS_SHOWN = 5
REFUSALS_SHOWN = 10

app = typer.Typer(
    help="What a part of a trading process looks like.",
    epilog="Example: hean diagnose execution --json -",
    no_args_is_help=True,
)

JournalOption = Annotated[
    Path | None,
    typer.Option("--journal", metavar="FILE", help="Default: the newest in --data-dir."),
]


@app.callback()
def diagnose() -> None:
    """What a part of a trading process looks like."""


@app.command(
    "execution",
    epilog="Example: hean diagnose execution --data-dir data; hean diagnose execution --journal "
    "run.journal --json -. Exit codes: 0 every order is accounted for; 1 nobody knows about some; "
    "2 no journal.",
)
@run_command
def execution(
    *,
    journal: JournalOption = None,
    data_dir: DataDirOption = DATA_DIR_DEFAULT,
    json_to: JsonOption = None,
    debug: DebugOption = False,
) -> None:
    """Orders by state, unknown ones, refusals, latency by stage, errors."""
    path = journal or _newest(data_dir.expanduser())
    found = document(path, read_tables(path))
    code = ExitCode.BAD_RESULT if found["unknown"] else ExitCode.DONE
    if json_to is not None:
        write_json(found | {"exit_code": int(code)}, json_to)
    _show(found, json_to)
    if code is not ExitCode.DONE:
        raise typer.Exit(code)


def document(path: Path, tables: Tables) -> dict[str, Any]:
    """All of it, as JSON has it. Times are UTC text, latencies in ms."""
    orders = _named(tables, "orders", "order_id", "status")
    refused = Counter(tuple(row) for row in _named(tables, "refusals", "source", "code", "reason"))
    return {
        "journal": str(path),
        "is_running": holder_of(path.with_name(f"{path.name}.lock")) is not None,
        "kind": tables.origin["kind"],
        "first": tables.origin["first"],
        "last": tables.origin["last"],
        "orders": dict(sorted(Counter(status for _, status in orders).items())),
        "unknown": [order_id for order_id, status in orders if status in UNKNOWN],
        "fills": len(tables.rows["fills"]),
        "refusals": [
            {"source": source, "code": code, "reason": reason, "count": count}
            for (source, code, reason), count in refused.most_common(REFUSALS_SHOWN)
        ],
        "refused": refused.total(),
        "latency": list(_latencies(tables)),
        "errors": _errors(tables),
    }


def _named(tables: Tables, table: str, *columns: str) -> list[list[Any]]:
    """Some columns of a table."""
    places = [COLUMNS[table].index(column) for column in columns]
    return [[row[place] for place in places] for row in tables.rows[table]]


def _latencies(tables: Tables) -> Iterable[dict[str, Any]]:
    rows = _named(tables, "latency", "stage", "ms")
    for stage in STAGES:
        times = sorted(ms for each, ms in rows if each == stage)
        if times:
            yield {
                "stage": stage,
                "count": len(times),
                "p50_ms": _quantile(times, 0.5),
                "p99_ms": _quantile(times, 0.99),
                "worst_ms": times[-1],
            }


def _quantile(ordered: list[float], share: float) -> float:
    """The value that this share does not exceed."""
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)]


def _errors(tables: Tables) -> list[dict[str, str]]:
    rows = _named(tables, "events", "ts", "kind", "payload")
    errors = [(ts, payload) for ts, kind, payload in rows if kind == EventType.ERROR]
    return [{"ts": ts, "error": payload} for ts, payload in errors[-ERRORS_SHOWN:]]


def _newest(data_dir: Path) -> Path:
    """The journal written last. *Raises*: `ParameterInvalid` where there is none."""
    found = [path for pattern in JOURNALS for path in data_dir.glob(pattern)]
    if not found:
        raise ParameterInvalid(
            f"no journal in {data_dir}; name another with --data-dir, or the file with --journal."
        )
    return max(found, key=lambda path: path.stat().st_mtime)


def _show(found: dict[str, Any], json_to: str | None) -> None:
    console = table_console(json_to)
    state = "running" if found["is_running"] else "no process writes it"
    say(f"{found['journal']}: {found['kind']}, {state}, up to {found['last']}", json_to=json_to)
    states = ", ".join(f"{count:,} {status}" for status, count in found["orders"].items())
    say(f"orders: {states or 'none'}; {found['fills']:,} fills", json_to=json_to)
    if found["unknown"]:
        names = ", ".join(found["unknown"])
        say(f"NOBODY KNOWS what became of {names}: hean why ORDER_ID", json_to=json_to)
    if found["latency"]:
        console.print(_table(found["latency"]))
    say(f"refused: {found['refused']:,}", json_to=json_to)
    if found["refusals"]:
        console.print(_table(found["refusals"]))
    for each in found["errors"]:
        say(f"error at {each['ts']}: {each['error']}", json_to=json_to)


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in rows[0]:
        table.add_column(name, overflow="fold")
    for row in rows:
        cells = (f"{it:,.3f}" if isinstance(it, float) else str(it) for it in row.values())
        table.add_row(*cells)
    return table
