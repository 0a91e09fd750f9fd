# SPDX-License-Identifier: Apache-2.0
"""Strategies by name, and strategies from a user's file. The table below is the whole registry."""

from __future__ import annotations

import difflib
import importlib.util
import inspect
import sys
from pathlib import Path

from hean.errors import InputError, ParameterInvalid
from hean.strategies.base import Strategy
from hean.strategies.basis import BasisArbitrage
from hean.strategies.funding import FundingHarvester
from hean.strategies.genome import GenomeTrader
from hean.strategies.impulse import ImpulseEngine
from hean.strategies.pairs import PairsTrader
from hean.strategies.symbiont import Symbiont

STRATEGIES: dict[str, type[Strategy]] = {
    strategy.name: strategy
    for strategy in (
        ImpulseEngine,
        FundingHarvester,
        BasisArbitrage,
        PairsTrader,
        GenomeTrader,
        Symbiont,
    )
}
"""Name → class."""


class StrategyInvalid(InputError):
    """A user's strategy file cannot be used. Reaction: refuse to start, naming file and cause."""

    code = 1121


def load_strategy(spec: str) -> type[Strategy]:
    """The class named `impulse`, or `path.py:Class` from a file. *Raises*: `ParameterInvalid` for
    an unknown name, `StrategyInvalid` for a file that does not work."""
    if ":" not in spec:
        found = STRATEGIES.get(spec)
        if found is None:
            close = difflib.get_close_matches(spec, STRATEGIES, n=1, cutoff=0.0)
            raise ParameterInvalid(
                f"unknown strategy {spec!r}; nearest {close[0]}. Known: {', '.join(STRATEGIES)}, "
                "or a file as path.py:Class."
            )
        return found
    file, _, name = spec.rpartition(":")
    return _from_file(Path(file), name)


def _from_file(path: Path, name: str) -> type[Strategy]:
    if not path.is_file():
        raise StrategyInvalid(f"{path}: no such file.")
    module_name = f"hean_user_{path.stem}"
    module_spec = importlib.util.spec_from_file_location(module_name, path)
    if module_spec is None or module_spec.loader is None:
        raise StrategyInvalid(f"{path}: not a Python file.")
    module = importlib.util.module_from_spec(module_spec)
    sys.modules[module_name] = module
    try:
        module_spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # reason: a user's file may raise anything
        line = error.lineno if isinstance(error, SyntaxError) else _last_line(error, path)
        where = f"line {line}: " if line else ""
        raise StrategyInvalid(f"{path}: {where}{type(error).__name__}: {error}") from error
    found = getattr(module, name, None)
    if not (inspect.isclass(found) and issubclass(found, Strategy)):
        there = [
            key
            for key, value in vars(module).items()
            if inspect.isclass(value) and issubclass(value, Strategy) and value is not Strategy
        ]
        raise StrategyInvalid(
            f"{path}: no strategy class {name!r}; it has {', '.join(there) or 'none'}. "
            "A strategy derives from hean.strategies.base.Strategy."
        )
    if not found.name:
        found.name = name.lower()
    return found


def _last_line(error: BaseException, path: Path) -> int | None:
    """The last line of the user's file in the traceback."""
    line = None
    trace = error.__traceback__
    while trace is not None:
        if Path(trace.tb_frame.f_code.co_filename) == path:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
