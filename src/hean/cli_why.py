# SPDX-License-Identifier: Apache-2.0
"""`hean why`: the causal chain of an order, or what kept one from being made, from a journal alone.
Any journal will do: of trading, of a session on paper, of a backtest; what one does not hold is
said. Nothing is asked and nothing is changed, so it may be run beside the process that writes.
"""

from __future__ import annotations

import difflib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich import box
from rich.console import Console
from rich.table import Table

from hean.cli_common import (
    DATA_DIR_DEFAULT,
    DataDirOption,
    DebugOption,
    JsonOption,
    run_command,
    table_console,
    write_json,
)
from hean.core.journal import Journal, holder_of, open_journal
from hean.data.fingerprint import iso_utc
from hean.errors import ParameterInvalid
from hean.why.absence import WINDOW_S, Absence, AbsenceReader
from hean.why.chain import Chain, ChainReader
from hean.why.steps import Rule

JOURNAL = "journal.db"
NEAR = 5  # ids that are offered instead of one nobody knows
COMPARED = 5_000  # of the last ids: comparing is slow
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

OrderArgument = Annotated[
    str | None, typer.Argument(metavar="ORDER_ID", help="As HEAN names it, such as h1-mean-3.")
]
JournalOption = Annotated[
    Path | None,
    typer.Option("--journal", metavar="FILE", help="Default: that of hean live in --data-dir."),
]
NotOption = Annotated[
    tuple[str, str] | None,
    typer.Option(
        "--not",
        metavar="SYMBOL AT",
        help="Why no order was made then: AT is a time (ISO, UTC) or the number of a row.",
    ),
]
WindowOption = Annotated[
    float,
    typer.Option(
        "--window", metavar="S", min=0.001, max=86_400, help="How far around AT is looked."
    ),
]


def mount(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command(
        "why",
        epilog="Example: hean why htp95o6-mean-1 --journal run.journal; hean why --not BTCUSDT "
        "2026-01-31T12:00:00Z. An id that nobody knows ends with 2 and the nearest ones.",
    )(why)


@run_command
def why(
    order_id: OrderArgument = None,
    *,
    absence: NotOption = None,
    journal: JournalOption = None,
    data_dir: DataDirOption = DATA_DIR_DEFAULT,
    window: WindowOption = WINDOW_S,
    json_to: JsonOption = None,
    debug: DebugOption = False,
) -> None:
    """Why an order was made and what became of it, or why none was."""
    if (order_id is None) == (absence is None):
        raise ParameterInvalid("give an order id, or --not SYMBOL AT; one of the two.")
    path = journal or _journal_in(data_dir.expanduser())
    opened = open_journal(path)
    try:
        if order_id is not None:
            chain = _chain(opened, order_id)
            document: dict[str, Any] = _plain(chain)
        else:
            found = _absence(opened, absence or ("", ""), window, path)
            document = _plain(found)
    finally:
        opened.close()
    if json_to is not None:
        write_json({"journal": str(path), **document}, json_to)
    console = table_console(json_to)
    if order_id is not None:
        show_chain(chain, console)
    else:
        show_absence(found, console)


def _journal_in(folder: Path) -> Path:
    """The journal of `hean live`. *Raises*: `ParameterInvalid` when there is none, or more."""
    found = sorted({*folder.glob(JOURNAL), *folder.glob(f"live/*/{JOURNAL}")})
    if len(found) == 1:
        return found[0]
    if not found:
        raise ParameterInvalid(f"{folder} holds no journal of hean live; name one with --journal.")
    names = ", ".join(map(str, found))
    raise ParameterInvalid(f"{folder} holds {len(found)} journals; name one: {names}.")


def _chain(journal: Journal, order_id: str) -> Chain:
    reader = ChainReader(order_id)
    found = reader.feed(journal.records())
    if found is not None:
        return found
    ids = [each for each in reader.ids if each]
    near = difflib.get_close_matches(order_id, ids[-COMPARED:], n=NEAR, cutoff=0.3)
    hint = f"nearest are {', '.join(near)}" if near else "it names no order at all"
    raise ParameterInvalid(f"{journal.place} knows no order {order_id!r}; {hint}.")


def _absence(journal: Journal, wish: tuple[str, str], window_s: float, path: Path) -> Absence:
    symbol, text = wish[0].replace("/", "").upper(), wish[1]
    at_seq = int(text) if text.isascii() and text.isdigit() else None
    if at_seq is None:
        at_ns = _moment(text)
    elif 1 <= at_seq <= journal.head_seq:
        at_ns = next(journal.records(at_seq - 1)).ts_ns
    else:
        raise ParameterInvalid(f"row {at_seq}: {journal.place} has rows 1 to {journal.head_seq}.")
    holder = holder_of(path.with_name(f"{path.name}.lock"))
    reader = AbsenceReader(
        symbol, at_ns, at_seq=at_seq, window_s=window_s, is_running=holder is not None
    )
    return reader.feed(journal.records())


def _moment(text: str) -> int:
    """ISO 8601 to nanoseconds; without an offset it is UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ParameterInvalid(
            f"AT {text!r}: {error}; give ISO 8601 such as 2025-01-31T12:00:00, or a row's number."
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1_000


def _plain(found: msgspec.Struct) -> dict[str, Any]:
    """As JSON has it; moments also as text."""
    document: dict[str, Any] = msgspec.to_builtins(found, str_keys=True)
    for rows in (document.get("steps", ()), document.get("causes", ())):
        for row in rows:
            row["time"] = iso_utc(row["ts_ns"]) if row["ts_ns"] else None
    if "at_ns" in document:
        document["at"] = iso_utc(document["at_ns"])
    return document


# ---------------------------------------------------------------- shown


def show_chain(chain: Chain, console: Console) -> None:
    """What it is, its links, the rules, the sums: one screen."""
    size = "" if chain.size is None else f" {chain.size}"
    console.print(
        f"{chain.order_id}: {chain.side}{size} {chain.symbol} {chain.type} of "
        f"{chain.strategy or 'nobody'}: {chain.status}",
        style="bold",
        highlight=False,
    )
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name, justify in (("time (UTC)", "left"), ("+ ms", "right"), ("row", "right")):
        table.add_column(name, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    table.add_column("what", no_wrap=True)
    table.add_column("", overflow="fold")
    for step in chain.steps:
        after = "" if step.after_ms is None else f"{step.after_ms:+,.3f}"
        moment = iso_utc(step.ts_ns)[11:23].rstrip("Z")
        table.add_row(moment, after, str(step.seq), step.what, step.says, style=_style(step.what))
    console.print(table, highlight=False)
    if chain.rules:
        console.print(_rules_table(chain.rules), highlight=False)
    console.print(_sums(chain), highlight=False)
    for note in chain.notes:
        console.print(f"note: {note}", highlight=False)


def _sums(chain: Chain) -> str:
    if not chain.filled:
        return "filled nothing"
    line = f"filled {chain.filled} at {chain.average:f} on average, fees {chain.fee}"
    if chain.cost is not None:
        line += f", slippage {chain.cost:+.4f}"
    return line


def _rules_table(rules: list[Rule]) -> Table:
    """Two rules a line, so that all of them and the chain fit one screen."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for _ in range(2):
        table.add_column("rule", no_wrap=True)
        table.add_column("observed", overflow="fold")
        table.add_column("allowed", overflow="fold")
        table.add_column("")
    half = (len(rules) + 1) // 2
    for place in range(half):
        cells: list[str] = []
        for rule in (rules[place], *rules[half + place : half + place + 1]):
            word = "[red]NO[/red]" if rule.is_breach else "ok"
            cells += [rule.rule, rule.observed, rule.allowed, word]
        table.add_row(*cells)
    return table


def _style(what: str) -> str:
    if what in ("REJECTED", "UNKNOWN", "QUARANTINED", "ERROR", "KILL"):
        return "red"
    return "green" if what == "FILLED" else ""


def show_absence(found: Absence, console: Console) -> None:
    """The verdict, then everything else that stood in the way."""
    console.print(f"{found.symbol} around {iso_utc(found.at_ns)}", style="bold", highlight=False)
    if found.orders:
        console.print(f"orders were made: {', '.join(found.orders)}; see hean why ORDER_ID")
    for number, cause in enumerate(found.causes, 1):
        where = f"row {cause.seq}" if cause.seq else ""
        style = "red" if number == 1 and not found.orders else ""
        console.print(f"{number}. {cause.kind}: {cause.says}", style=style, highlight=False)
        if where and where not in cause.says:
            console.print(f"   {where}", highlight=False)
        for rule in cause.rules:
            line = f"   {rule.rule}: observed {rule.observed}, allowed {rule.allowed}"
            console.print(line, highlight=False)
    if not found.causes:
        console.print("nothing stood in the way", highlight=False)
    for line in found.context:
        console.print(f"  {line}", highlight=False)
