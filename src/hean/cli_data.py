# SPDX-License-Identifier: Apache-2.0
"""`hean data`: prove recorded files and keep them in the catalog. `verify` reads every file and
shows everything wrong with each; `import` writes proven files into the catalog, all or nothing per
file; `list` shows what is there. Mounted by the main command line as `data`.
"""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypedDict

import typer
from rich.table import Table as RichTable

from hean.cli_common import (
    DATA_DIR_DEFAULT,
    STANDARD_OUTPUT,
    DataDirOption,
    DebugOption,
    ExitCode,
    JsonOption,
    error_document,
    progress,
    report_error,
    run_command,
    say,
    table_console,
    write_json,
    write_whole,
)
from hean.data.captures import ProvenCapture, is_capture, prove_capture
from hean.data.catalog import Catalog, Entry, Proven
from hean.data.fingerprint import fingerprint, iso_utc, sha256_of
from hean.data.problems import as_dicts, shown
from hean.data.reader import Columns, read_columns
from hean.data.schema import Kind
from hean.errors import DataInvalid, ParameterInvalid

app = typer.Typer(
    name="data",
    help="Prove recorded market data and keep it in a catalog.",
    epilog="Example: hean data verify candles.parquet; hean data import candles.parquet; "
    "hean data list",
    no_args_is_help=True,
)


class Stated(TypedDict):
    """What the options say about every file of a call."""

    symbol: str | None
    timeframe: str | None
    venue: str | None
    market: str | None


class BadRows(StrEnum):
    """What happens to bad rows."""

    REFUSE = "refuse"
    DROP = "drop"


Files = Annotated[list[Path], typer.Argument(help="Parquet, CSV or raw capture files.")]
KindOption = Annotated[
    Kind | None, typer.Option("--kind", help="What the file holds; proven from its columns.")
]
SymbolOption = Annotated[str | None, typer.Option("--symbol", help="Symbol, such as BTCUSDT.")]
TimeframeOption = Annotated[
    str | None, typer.Option("--timeframe", help="Bar length, such as 1m; proven from the times.")
]
VenueOption = Annotated[str | None, typer.Option("--venue", help="Venue, such as binance.")]
MarketOption = Annotated[str | None, typer.Option("--market", help="spot, perp or mark.")]
OnBadOption = Annotated[
    BadRows, typer.Option("--on-bad", help="Refuse a file with bad rows, or drop them and say so.")
]
ForceOption = Annotated[bool, typer.Option("--force", help="Replace an entry that exists.")]


@app.command("list", epilog="Example: hean data list --json -")
@run_command
def list_entries(
    *,
    data_dir: DataDirOption = DATA_DIR_DEFAULT,
    json_to: JsonOption = None,
    debug: DebugOption = False,
) -> None:
    """Show the catalog."""
    entries = Catalog(data_dir.expanduser()).entries()
    if json_to:
        write_json([_entry_document(entry) for entry in entries], json_to)
    if json_to == STANDARD_OUTPUT:
        return
    if not entries:
        say(
            f"The catalog of {data_dir} is empty. Fill it: hean data import FILE...",
            json_to=json_to,
        )
        return
    titles = ("kind", "venue", "market", "symbol", "timeframe", "rows", "first", "last", "gaps")
    table = RichTable(*titles)
    for entry in entries:
        facts = {**entry.facts, "gaps": entry.facts["gaps"]["count"]}
        table.add_row(
            *(
                f"{facts[t]:,}" if t == "rows" else str("-" if facts[t] is None else facts[t])
                for t in titles
            )
        )
    table_console(json_to).print(table)


@app.command("verify", epilog="Example: hean data verify binance_perp_BTCUSDT_5m_2025.parquet")
@run_command
def verify(
    paths: Files,
    *,
    kind: KindOption = None,
    symbol: SymbolOption = None,
    timeframe: TimeframeOption = None,
    venue: VenueOption = None,
    market: MarketOption = None,
    on_bad: OnBadOption = BadRows.REFUSE,
    json_to: JsonOption = None,
    debug: DebugOption = False,
) -> None:
    """Read files and show what is wrong with them; nothing is written."""
    stated = Stated(symbol=symbol, timeframe=timeframe, venue=venue, market=market)
    documents: list[dict[str, Any]] = []
    failed = False
    with progress("verify", len(paths)) as advance:
        for path in paths:
            try:
                documents.append(_verified(path, kind, stated, on_bad))
                say(_sentence(documents[-1]), json_to=json_to)
            except DataInvalid as error:
                failed = True
                report_error(error)
                documents.append({"file": path.name, "ok": False, **error_document(error)})
            advance(1)
    if json_to:
        write_json(documents, json_to)
    if failed:
        raise typer.Exit(ExitCode.INPUT)


@app.command(
    "import",
    epilog="Example: hean data import my.csv --symbol BTCUSDT --venue binance --market perp",
)
@run_command
def import_files(
    paths: Files,
    *,
    kind: KindOption = None,
    symbol: SymbolOption = None,
    timeframe: TimeframeOption = None,
    venue: VenueOption = None,
    market: MarketOption = None,
    on_bad: OnBadOption = BadRows.REFUSE,
    force: ForceOption = False,
    data_dir: DataDirOption = DATA_DIR_DEFAULT,
    json_to: JsonOption = None,
    debug: DebugOption = False,
) -> None:
    """Prove files and write them into the catalog; every file is read before one is written."""
    stated = Stated(symbol=symbol, timeframe=timeframe, venue=venue, market=market)
    catalog = Catalog(data_dir.expanduser())
    proven: dict[Path, Proven] = {}
    with progress("import", 2 * len(paths)) as advance:
        for path in paths:
            columns = _proven(path, kind, stated, on_bad)
            target = catalog.target_of(columns, force=force)
            if target in proven:
                raise ParameterInvalid(
                    f"{path.name} and {proven[target].path.name} are the same entry of the catalog"
                )
            proven[target] = columns
            advance(1)
        documents = []
        for columns in proven.values():
            entry = catalog.add(columns, force=force)
            if isinstance(columns, Columns):
                _write_dropped(entry, columns)
            documents.append(_entry_document(entry))
            say(f"{columns.path.name} -> {entry.path} ({columns.rows:,} rows)", json_to=json_to)
            advance(1)
    if json_to:
        write_json(documents, json_to)


def _proven(path: Path, kind: Kind | None, stated: Stated, on_bad: BadRows) -> Proven:
    if is_capture(path) and kind in (None, Kind.BOOK) and stated["timeframe"] is None:
        return prove_capture(
            path, symbol=stated["symbol"], venue=stated["venue"], market=stated["market"]
        )
    return read_columns(path, kind, on_bad=on_bad.value, **stated)


def _verified(path: Path, kind: Kind | None, stated: Stated, on_bad: BadRows) -> dict[str, Any]:
    columns = _proven(path, kind, stated, on_bad)
    if isinstance(columns, ProvenCapture):
        return _capture_document(columns)
    return {
        "ok": True,
        **fingerprint(columns),
        "kind": columns.kind.value,
        "symbol": columns.symbol,
        "timeframe": columns.timeframe,
        "unit": columns.unit,
        "missing": columns.gaps.missing,
        "gaps_first": [
            {"after": iso_utc(g.after_ns), "before": iso_utc(g.before_ns), "missing": g.missing}
            for g in columns.gaps.first
        ],
        "duplicates": columns.duplicates,
        "dropped_rows": columns.dropped_rows,
        "dropped": as_dicts(columns.dropped[:50]),
        "notes": list(columns.notes),
    }


def _capture_document(capture: ProvenCapture) -> dict[str, Any]:
    """A capture is good if its frames parse; holes in its book are counted, as gaps of bars are."""
    return {
        "ok": True,
        "file": capture.path.name,
        "sha256": sha256_of(capture.path),
        "kind": Kind.BOOK.value,
        "symbol": capture.symbol,
        "venue": capture.venue,
        "rows": capture.rows,
        "gaps": capture.gaps.count,
        "notes": list(capture.notes),
    }


def _sentence(document: dict[str, Any]) -> str:
    """One line of `verify` for people."""
    text = f"{shown(document['file'])[1:-1]}: ok, {document['kind']}, {document['rows']:,} rows"
    if "first_ts" in document:
        text += f", {document['first_ts']} to {document['last_ts']}"
        text += f", {document['gaps']:,} gaps ({document['missing']:,} missing)"
    for name, words in (("duplicates", "exact duplicates left out"), ("dropped_rows", "dropped")):
        if document.get(name):
            text += f", {document[name]:,} {words}"
    return "; ".join([text, *document.get("notes", [])])


def _entry_document(entry: Entry) -> dict[str, Any]:
    return {**entry.facts, "path": str(entry.path)}


def _write_dropped(entry: Entry, columns: Columns) -> None:
    """The report of dropped rows beside the entry; an old one of a replaced entry goes away."""
    report = entry.path.with_suffix(".dropped.json")
    if not columns.dropped_rows:
        report.unlink(missing_ok=True)
        return
    document = {
        "source": columns.path.name,
        "problems": columns.dropped_rows,
        "dropped": as_dicts(columns.dropped),
    }
    write_whole(report, json.dumps(document, indent=1) + "\n")
