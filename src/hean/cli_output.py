# SPDX-License-Identifier: Apache-2.0
"""Where the results of a run go. Every target is checked before the run starts, so that an hour of
work does not end at a missing folder. A file is replaced only if it is an older result of the same
kind (or with `--force`), and only by a complete one; a journal is never replaced.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hean.backtest.report import render_report
from hean.backtest.result import RunRecord
from hean.backtest.run import EQUITY_COLUMNS, TRADES_COLUMNS, equity_csv, trades_csv
from hean.cli_common import STANDARD_OUTPUT, is_result, write_json, write_whole
from hean.errors import EnvironmentFault, InputError, ParameterInvalid
from hean.watchdog import UNFINISHED

HEAD_BYTES = 4096
SQLITE_SUFFIXES = ("", "-wal", "-shm", ".lock")


@dataclass(frozen=True, slots=True)
class Outputs:
    """The files a run was asked to write."""

    json_to: str | None
    report: Path | None
    trades: Path | None
    equity: Path | None
    journal: Path | None
    force: bool = False

    def check(self, inputs: Sequence[Path]) -> None:
        """Refuse now what could not be written later. *inputs*: files that stay as they are.

        *Raises*: `ParameterInvalid`, `InputError`, `EnvironmentFault`.
        """
        kept = {path.resolve() for path in inputs}
        seen: dict[Path, str] = {}
        for option, path, is_ours in self._targets():
            if str(path).startswith("-"):
                raise ParameterInvalid(f"{option} {path}; a file name here, or ./{path}.")
            real = path.resolve()
            if real in kept:
                raise InputError(f"{option} {path}: this is an input of the run.")
            if real in seen and not _is_special(path):
                raise ParameterInvalid(f"{option} {path}: {seen[real]} writes there as well.")
            seen[real] = option
            check_target(option, path, is_ours=None if self.force else is_ours)
        if self.journal is not None and os.path.lexists(self.journal):
            raise InputError(
                f"--journal {self.journal} exists; a journal is never written over. "
                "Choose another name."
            )

    def write(self, summary: dict[str, Any], record: RunRecord) -> dict[str, Any]:
        """Write everything; the JSON last, because it names the others. *Returns*: its document."""
        summary["trades_file"] = self.trades.name if self.trades else None
        summary["equity_curve_file"] = self.equity.name if self.equity else None
        if self.trades is not None:
            write_whole(self.trades, trades_csv(record))
        if self.equity is not None:
            write_whole(self.equity, equity_csv(record))
        if self.report is not None:
            write_whole(self.report, render_report(summary, record))
        if self.json_to is not None:
            write_json(summary, self.json_to, force=self.force)
        return summary

    def _targets(self) -> Iterator[tuple[str, Path, Callable[[Path], bool]]]:
        if self.json_to not in (None, STANDARD_OUTPUT):
            yield "--json", Path(str(self.json_to)), is_result
        if self.report is not None:
            yield "--report", self.report, is_report
        if self.trades is not None:
            yield "--trades", self.trades, _starts_with(",".join(TRADES_COLUMNS) + "\n")
        if self.equity is not None:
            yield "--equity", self.equity, _starts_with(",".join(EQUITY_COLUMNS) + "\n")
        if self.journal is not None:
            yield "--journal", self.journal, lambda _: True  # refused by its own rule


def is_report(path: Path) -> bool:
    """Whether a file is a page of an earlier command, which a new one may replace."""
    return _starts_with("<!DOCTYPE html>")(path)


OTHER_NAME = "choose another name"  # of commands that know no --force


def check_target(
    option: str,
    path: Path,
    *,
    is_ours: Callable[[Path], bool] | None,
    remedy: str = "choose another name, or replace it with --force",
) -> None:
    """Whether a file can be written there. *is_ours*: tells an older result, which may be
    replaced; `None` lets any file be replaced; *remedy*: where a file is in the way.
    """
    try:
        if path.is_dir():
            raise InputError(f"{option} {path}: a directory; give a file name.")
        if not path.parent.is_dir():
            raise EnvironmentFault(f"{option} {path}: no folder {path.parent}; make it first.")
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            raise EnvironmentFault(f"{option} {path}: no right to write there.")
        if is_ours is not None and path.is_file() and path.stat().st_size and not is_ours(path):
            raise InputError(
                f"{option} {path}: exists and is not an older result of this kind; {remedy}."
            )
    except OSError as error:
        raise EnvironmentFault(f"{option} {path}: {error.strerror or error}.") from error


@contextmanager
def journal_in_progress(target: Path) -> Iterator[Path]:
    """A name to write a journal under; it gets its own name when all of it is there.

    *Raises*: `InputError` if another process has made the target meanwhile.
    """
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    leftovers = [temporary.with_name(temporary.name + suffix) for suffix in SQLITE_SUFFIXES]
    UNFINISHED.update(leftovers)
    try:
        yield temporary
        with closing(sqlite3.connect(temporary)) as database:
            # Finished, so it becomes one file, beside which readers put nothing.
            database.execute("PRAGMA journal_mode=DELETE")
        try:
            os.link(temporary, target)  # unlike a rename it never replaces
        except FileExistsError:
            raise InputError(f"--journal {target}: made by another process meanwhile.") from None
        except OSError:  # a file system without hard links
            os.replace(temporary, target)
    finally:
        for path in leftovers:
            path.unlink(missing_ok=True)
        UNFINISHED.difference_update(leftovers)


def _is_special(path: Path) -> bool:
    """A device or pipe: it may be named twice and cannot be replaced."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not stat.S_ISREG(mode)


def _starts_with(text: str) -> Callable[[Path], bool]:
    def starts(path: Path) -> bool:
        with path.open("rb") as file:
            return file.read(HEAD_BYTES).startswith(text.encode())

    return starts
