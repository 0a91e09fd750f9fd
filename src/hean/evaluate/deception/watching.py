# SPDX-License-Identifier: Apache-2.0
"""`watching.py`: what a strategy opens by itself. In here, whoever opens a file of the market gets
the copy that belongs to the world being played; and every data file that is opened is written down
with the line that did it. Python's own `open` and the readers of polars are covered. This catches
honest people's mistakes and is no prison: code that wants to get around it can.
"""

from __future__ import annotations

import builtins
import io
import os
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import msgspec
import polars

from hean.data.identity import suffix_of

TABLES = (".feather", ".arrow", ".ipc", ".h5", ".npy", ".npz", ".pkl", ".pickle", ".xlsx", ".db")
"""Endings of other files that may hold a market."""


class Opened(msgspec.Struct, frozen=True):
    """A data file that was opened. *is_market*: one of those being played; *line*: of the user's
    file, 0 if none of its lines is to be seen."""

    path: Path
    is_market: bool
    line: int


@contextmanager
def watched(copies: Mapping[Path, Path], source: str) -> Iterator[list[Opened]]:
    """Exchange *copies* for their originals and write down what is opened. *source*: file of the
    strategy. Yields the list that grows.
    """
    known = {path.resolve(): copy for path, copy in copies.items()}
    worlds = {copy.resolve() for copy in copies.values()}
    seen: list[Opened] = []

    def exchange(name: Any) -> Any:
        if not isinstance(name, str | os.PathLike):
            return name
        path = Path(os.fspath(name)).resolve()
        if path in worlds:  # the run itself reads on in it
            return name
        copy = known.get(path)
        is_table = suffix_of(path) or path.suffix.lower() in TABLES
        if copy is not None or (is_table and not _is_library(path)):
            opened = Opened(path, copy is not None, line_of(source))
            if opened not in seen:
                seen.append(opened)
        return name if copy is None else copy

    def through(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(name: Any, *args: Any, **kwargs: Any) -> Any:
            return function(exchange(name), *args, **kwargs)

        return call

    with ExitStack() as stack:
        for module, name in _readers():
            original = getattr(module, name)
            stack.callback(setattr, module, name, original)
            setattr(module, name, through(original))
        yield seen


def _is_library(path: Path) -> bool:
    """Whether it is looked for on the way of an import, such as `python311.zip`, or came with
    Python or a package: libraries bring tables of their own.
    """
    places = [*sysconfig.get_paths().values(), sys.base_prefix]
    roots = {Path(place).resolve() for place in places}
    is_import = str(path) in {str(Path(entry).resolve()) for entry in sys.path if entry}
    return is_import or any(root in path.parents for root in roots)


def _readers() -> Iterator[tuple[ModuleType, str]]:
    yield from ((builtins, "open"), (io, "open"), (os, "open"))
    for name in dir(polars):
        if name.startswith(("read_", "scan_")) and callable(getattr(polars, name)):
            yield polars, name


def line_of(source: str) -> int:
    """The innermost line of the user's file that is being executed; 0 if none is."""
    frame: FrameType | None = sys._getframe(1)  # reason: who opens it is the point
    while frame is not None and source:
        if os.path.abspath(frame.f_code.co_filename) == os.path.abspath(source):
            return frame.f_lineno
        frame = frame.f_back
    return 0
