# SPDX-License-Identifier: Apache-2.0
"""`hean quant verify`: published answers beside those of HEAN's own models. Every reference file is
computed by the code that trades; each expected value gets a row with what was computed, how far it
is off and how far it may be.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer
from rich import box
from rich.table import Table

from hean.cli_common import (
    STANDARD_OUTPUT,
    DebugOption,
    ExitCode,
    JsonOption,
    progress,
    run_command,
    say,
    table_console,
    write_json,
)
from hean.errors import ParameterInvalid

if TYPE_CHECKING:
    from hean.references import Answer, Case

INDEX = "index.json"  # of a folder of reference files; it holds no answers itself

app = typer.Typer(
    name="quant",
    help="The mathematics of HEAN's models, proven.",
    epilog="Example: hean quant verify reference/",
    no_args_is_help=True,
)

Paths = Annotated[list[Path], typer.Argument(help="Reference files, or folders of them.")]
AllOption = Annotated[bool, typer.Option("--all", help="Show every answer, not the failed ones.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No tables.")]


@app.callback()
def quant() -> None:
    """The mathematics of HEAN's models, proven."""


@app.command("verify", epilog="Example: hean quant verify reference/ --json answers.json")
@run_command
def verify_references(
    paths: Paths,
    *,
    every: AllOption = False,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Compute reference answers and compare; exit 1 if one is off."""
    # Here, because every other command would load all of mathematics with it.
    from hean.references import read_case, verify

    cases = [read_case(path) for path in _files(paths)]
    results: list[tuple[Case, list[Answer]]] = []
    with progress("references", len(cases)) as advance:
        for case in cases:
            results.append((case, verify(case)))
            advance(1)
    failed = sum(not answer.passed for _, answers in results for answer in answers)
    if json_to is not None:
        write_json(_document(results), json_to)
    if json_to != STANDARD_OUTPUT and not quiet:
        console = table_console(json_to)
        console.print(_overview(results))
        shown = [
            (case, answer)
            for case, answers in results
            for answer in answers
            if every or not answer.passed
        ]
        if shown:
            console.print(_rows(shown))
    count = sum(len(answers) for _, answers in results)
    say(f"{len(cases)} references, {count} answers, {failed} failed.", json_to=json_to)
    if failed:
        raise typer.Exit(ExitCode.BAD_RESULT)


def _files(paths: list[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(file for file in path.glob("*.json") if file.name != INDEX)
            if not inside:
                raise ParameterInvalid(f"{path}: no reference files (*.json) in this folder.")
            found += inside
        else:
            found.append(path)
    return found


def _document(results: list[tuple[Case, list[Answer]]]) -> list[dict[str, Any]]:
    return [
        {
            "id": case.name,
            "method": case.method,
            "passed": all(answer.passed for answer in answers),
            "problems": [f"{a.name}: {a.problem or 'off'}" for a in answers if not a.passed],
            "answers": [_finite(msgspec.to_builtins(answer)) for answer in answers],
        }
        for case, answers in results
    ]


def _finite(value: Any) -> Any:
    """JSON knows no infinity: it is written as the word."""
    if isinstance(value, dict):
        return {name: _finite(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_finite(inner) for inner in value]
    return str(value) if isinstance(value, float) and abs(value) in (float("inf"),) else value


def _overview(results: list[tuple[Case, list[Answer]]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    for title in ("reference", "method", "answers", "failed", ""):
        table.add_column(title, justify="right" if title in ("answers", "failed") else "left")
    for case, answers in results:
        failed = sum(not answer.passed for answer in answers)
        verdict = "[red]FAIL[/red]" if failed else "[green]pass[/green]"
        table.add_row(case.name, case.method, str(len(answers)), str(failed or ""), verdict)
    return table


def _rows(shown: list[tuple[Case, Answer]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    for title in ("reference", "answer", "computed", "expected", "off by", "allowed", ""):
        table.add_column(title, overflow="fold")
    for case, answer in shown:
        allowed = "" if answer.limit is None else f"{answer.limit:g} {answer.tolerance}"
        table.add_row(
            case.name,
            answer.name,
            answer.problem or _short(answer.computed),
            _short(answer.expected),
            "" if answer.error is None else f"{answer.error:.2g}",
            allowed,
            "[green]pass[/green]" if answer.passed else "[red]FAIL[/red]",
        )
    return table


def _short(value: Any) -> str:
    text = f"{value:.10g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."
