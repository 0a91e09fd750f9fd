# SPDX-License-Identifier: Apache-2.0
"""Processes on the command line: `--process NAME` or `NAME=SYMBOL,SYMBOL` says what works beside or
instead of a strategy; a parameter of a process is `--param NAME.PARAMETER=VALUE`, one of the
factory `--param processes.PARAMETER=VALUE`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from msgspec import UNSET, UnsetType

from hean import cli_values as values
from hean.backtest.working import Post, Working
from hean.core.parameters import Value
from hean.errors import ParameterInvalid, UnknownSymbol

FACTORY = "processes"


class Played(NamedTuple):
    """*given*: parameters of the strategy; *working*: the processes, unset without any."""

    given: dict[str, Value]
    working: Working | UnsetType


def played_of(
    strategy: str | None, process: Sequence[str], param: Sequence[str], symbols: tuple[str, ...]
) -> Played:
    """Who plays with which parameters. *symbols*: all of the run.

    *Raises*: `ParameterInvalid` if nobody does, or two take the same; `UnknownSymbol` for one that
    is not of the run.
    """
    if strategy is not None and not strategy.strip():
        raise ParameterInvalid(f"unknown strategy {strategy!r}; with a process it may be left out.")
    named = {name: symbols_ for name, symbols_ in map(_named, process)}
    if len(named) < len(process):
        raise ParameterInvalid(f"--process {', '.join(process)}: one name is given twice.")
    taken = _refuse_strangers(named, symbols)
    greedy = [name for name, own in named.items() if not own]
    if len(greedy) > 1 or (greedy and strategy is not None):
        raise ParameterInvalid(
            f"--process {greedy[0]}: it would take every symbol; say which are its own, as "
            f"{greedy[0]}={','.join(symbols)}."
        )
    rest = tuple(symbol for symbol in symbols if symbol not in taken)
    given = values.params_of(param)
    factory = _taken_from(given, FACTORY)
    if strategy is None and not process and not factory:
        raise ParameterInvalid("nobody plays; give --strategy NAME, --process NAME, or both.")
    posts = tuple(Post(name, own or rest, _taken_from(given, name)) for name, own in named.items())
    if strategy is None and given:
        raise ParameterInvalid(
            f"--param {next(iter(given))}: there is no strategy; a parameter of a process is "
            f"{next(iter(named), FACTORY)}.NAME=VALUE."
        )
    return Played(given, Working(posts, factory) if posts or factory else UNSET)


def _named(text: str) -> tuple[str, tuple[str, ...]]:
    name, equals, rest = text.partition("=")
    if equals and not rest.strip():
        raise ParameterInvalid(f"--process {text}; give NAME, or NAME=SYMBOL,SYMBOL.")
    return name.strip(), values.listings_of(rest.split(",")) if equals else ()


def _refuse_strangers(named: dict[str, tuple[str, ...]], symbols: tuple[str, ...]) -> set[str]:
    """All symbols that processes name."""
    taken: set[str] = set()
    for name, own in named.items():
        for symbol in own:
            if symbol not in symbols:
                raise UnknownSymbol(f"--process {name}: {symbol} is not of the run; give --symbol.")
            if symbol in taken:
                raise ParameterInvalid(f"--process {name}: {symbol} is another process's.")
            taken.add(symbol)
    return taken


def _taken_from(given: dict[str, Value], name: str) -> dict[str, Value]:
    """The parameters that begin with a name and a dot, without these; gone from *given*."""
    found = {key: given.pop(key) for key in list(given) if key.startswith(f"{name}.")}
    return {key.partition(".")[2]: value for key, value in found.items()}
