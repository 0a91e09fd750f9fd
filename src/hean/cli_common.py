# SPDX-License-Identifier: Apache-2.0
"""What every command shares: errors become exit codes and one readable block on stderr, results
become JSON (a file, written whole or not at all, or `-` for standard output), progress is shown on
a terminal and nowhere else. A traceback appears only with `--debug`.

    0 done   1 finished with a bad result   2 usage, configuration or input data
    3 environment   4 refused by a safety gate   130 interrupted
"""

from __future__ import annotations

import functools
import json
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Any, ParamSpec

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from hean.data.problems import as_dicts
from hean.errors import (
    DataInvalid,
    EnvironmentFault,
    HeanError,
    InputError,
    JournalDamaged,
    JournalWriteFailed,
    KeyRefused,
    RiskRefusal,
    SecondWriter,
)
from hean.watchdog import UNFINISHED

Parameters = ParamSpec("Parameters")
STANDARD_OUTPUT = "-"
LINE_LENGTH_MAX = 500  # of an error: an argument of a megabyte is not repeated whole
RESULT_KEYS = frozenset({"state_hash", "sha256", "exit_code", "problems"})
RESULT_BYTES_MAX = 10_000_000  # no result is larger


class ExitCode(IntEnum):
    """What the process tells its caller."""

    DONE = 0
    BAD_RESULT = 1
    INPUT = 2
    ENVIRONMENT = 3
    REFUSED = 4
    INTERRUPTED = 130


JsonOption = Annotated[
    str | None,
    typer.Option(
        "--json", metavar="FILE|-", help="Write the result as JSON to FILE, or to stdout."
    ),
]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
DataDirOption = Annotated[
    Path,
    typer.Option(
        "--data-dir", envvar="HEAN_DATA_DIR", help="Where HEAN keeps its data.", show_default=True
    ),
]
DATA_DIR_DEFAULT = Path("~/.hean")
progress_listeners: list[Callable[[float], None]] = []
"""Told the part that is done, 0 to 1, instead of a terminal; for whoever plays a command."""


def exit_code_of(error: BaseException) -> ExitCode:
    """The exit code an error leads to."""
    match error:
        case KeyboardInterrupt():
            return ExitCode.INTERRUPTED
        case InputError() | JournalDamaged() | KeyRefused():
            return ExitCode.INPUT
        case EnvironmentFault() | OSError() | JournalWriteFailed() | SecondWriter():
            return ExitCode.ENVIRONMENT
        case RiskRefusal():
            return ExitCode.REFUSED
    return ExitCode.BAD_RESULT


def run_command(command: Callable[Parameters, None]) -> Callable[Parameters, None]:
    """Wrap a Typer command: errors end it with their exit code. Reads the `debug` and `json_to`
    arguments of the command if it has them.
    """

    @functools.wraps(command)
    def wrapped(*args: Parameters.args, **kwargs: Parameters.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except typer.Exit:
            raise
        except BrokenPipeError:
            leave_broken_pipe()
            raise typer.Exit(ExitCode.DONE) from None
        # reason: the last frame before the shell
        except (Exception, KeyboardInterrupt, SystemExit) as error:  # noqa: BLE001
            if kwargs.get("debug"):
                traceback.print_exc()
            else:
                report_error(error)
            _write_error(error, kwargs.get("json_to"))
            raise typer.Exit(exit_code_of(error)) from None

    return wrapped


def report_error(error: BaseException) -> None:
    """One readable block on stderr."""
    match error:
        case KeyboardInterrupt():
            text = "interrupted; no result was written"
        case HeanError():
            text = f"error: {error}"
        case OSError():
            named = f"{error.filename}: " if error.filename else ""
            text = f"error: {named}{error.strerror or error}"
        case _:
            text = f"error: unexpected {type(error).__name__}: {error} (details: --debug)"
    lines = (_cut(line) for line in text.splitlines())
    typer.echo("\n".join(lines), err=True)


def _cut(line: str) -> str:
    return line if len(line) <= LINE_LENGTH_MAX else line[: LINE_LENGTH_MAX - 3] + "..."


def leave_broken_pipe() -> None:
    """The reader has gone; without this Python complains again when it flushes at exit."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _write_error(error: BaseException, json_to: object) -> None:
    """The error as the JSON result, never over a file that holds something else than an error. If
    that cannot be written, say so and go on; after a fault of the machine it is not tried.
    """
    if not isinstance(error, HeanError) or not isinstance(json_to, str):
        return
    if json_to != STANDARD_OUTPUT and (
        isinstance(error, EnvironmentFault) or not _may_hold_error(Path(json_to))
    ):
        return
    try:
        write_json(error_document(error), json_to)
    except (EnvironmentFault, BrokenPipeError) as second:
        report_error(second)


def _may_hold_error(path: Path) -> bool:
    """Nothing is there, or an older error."""
    try:
        is_free = not path.exists() or (path.is_file() and not path.stat().st_size)
        return path.parent.is_dir() and (is_free or "exit_code" in _keys_of(path))
    except OSError:
        return False


def is_result(path: Path) -> bool:
    """Whether a file is the JSON of an earlier command, which a new one may replace."""
    return bool(RESULT_KEYS & _keys_of(path))


def _keys_of(path: Path) -> set[str]:
    """Keys of a JSON object, or of the first of a list; none for anything else."""
    try:
        if not path.is_file() or path.stat().st_size > RESULT_BYTES_MAX:
            return set()
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return set()
    if found == []:
        return set(RESULT_KEYS)  # an empty catalog
    first = found[0] if isinstance(found, list) else found
    return set(first) if isinstance(first, dict) else set()


def error_document(error: HeanError) -> dict[str, Any]:
    """An error as JSON: name, number, sentence and, for data, the structured problems."""
    document: dict[str, Any] = {
        "error": type(error).__name__,
        "code": error.code,
        "message": error.message,
        "exit_code": int(exit_code_of(error)),
    }
    if isinstance(error, DataInvalid):
        document["problems"] = as_dicts(error.problems)
    return document


def write_json(document: Any, target: str, *, force: bool = False) -> None:
    """Write a document to a file (complete or not at all) or, for `-`, to standard output.

    *Raises*: `InputError` for a file that is no result of an earlier command, unless *force*.
    """
    text = json.dumps(document, indent=2, allow_nan=False) + "\n"
    if target == STANDARD_OUTPUT:
        if sys.stdout is None:
            raise EnvironmentFault("--json -: standard output is closed.")
        sys.stdout.write(text)
        sys.stdout.flush()
    else:
        path = Path(target)
        if not force and path.is_file() and path.stat().st_size and not is_result(path):
            raise InputError(f"--json {path}: exists and is no older result; choose another name.")
        write_whole(path, text)


def write_whole(path: Path, text: str) -> None:
    """Replace a text file so that readers see the old or the new one, never a part. A device or a
    pipe is written to, not replaced.
    """
    data = text.encode("utf-8", "backslashreplace")
    try:
        real = path.resolve()  # a link stays a link
        if real.exists() and not real.is_file():
            _write_through(real, data)
            return
        descriptor, name = tempfile.mkstemp(dir=real.parent, prefix=".hean-", suffix=".part")
        temporary = Path(name)
        UNFINISHED.add(temporary)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, 0o666 & ~_umask())
            os.replace(temporary, real)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        finally:
            UNFINISHED.discard(temporary)
    except OSError as error:
        raise EnvironmentFault(f"{path}: cannot be written ({error.strerror or error})") from error


def _write_through(path: Path, data: bytes) -> None:
    # Without O_NONBLOCK a pipe that nobody reads would hold the command for ever.
    descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    os.set_blocking(descriptor, True)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)


def say(text: str, *, json_to: str | None) -> None:
    """A line for people: on stdout, or on stderr while stdout carries JSON."""
    typer.echo(text, err=json_to == STANDARD_OUTPUT)


def table_console(json_to: str | None) -> Console:
    """Where tables go: stdout, or stderr while stdout carries JSON. Wide enough in a pipe."""
    stream = sys.stderr if json_to == STANDARD_OUTPUT else sys.stdout
    is_terminal = stream is not None and stream.isatty()
    return Console(file=stream, width=None if is_terminal else 160)


@contextmanager
def progress(
    description: str, total: int, *, is_shown: bool = True
) -> Iterator[Callable[[int], None]]:
    """Yields `advance(steps)`: a bar with remaining time on a terminal, silent otherwise."""
    if progress_listeners:
        yield _told(total)
        return
    if not is_shown or sys.stderr is None or not sys.stderr.isatty():
        yield lambda _: None
        return
    parts = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*parts, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(description, total=total)
        yield lambda steps: bar.advance(task, steps)


def _told(total: int) -> Callable[[int], None]:
    """Tells the listeners which part is done."""
    done = 0

    def advance(steps: int) -> None:
        nonlocal done
        done += steps
        for listener in progress_listeners:
            listener(done / total if total else 1.0)

    return advance


def percent_steps(advance: Callable[[int], None]) -> Callable[[float], None]:
    """Turn the finished part into steps of one percent."""
    done = 0

    def on_progress(part: float) -> None:
        nonlocal done
        percent = int(part * 100)
        if percent > done:
            advance(percent - done)
            done = percent

    return on_progress


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
