# SPDX-License-Identifier: Apache-2.0
"""`parameters.py`: settings that are declared before they are given.

A module lists its `Parameter`s: name, default, range, unit, meaning. `resolve` turns what a person
typed into typed values; an unknown name, a wrong type or a value out of range refuses to start
and names the nearest valid one. Nothing is ever ignored.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from typing import NoReturn

import msgspec

from hean.errors import ParameterInvalid

Value = int | float | bool | str


class Parameter(msgspec.Struct, frozen=True):
    """One declared setting. The type is that of *default*; *low* and *high* are inclusive.

    *choices*: the only values allowed, for text. *is_code*: names a file that is run, so it is set
    at this machine only, by nobody from afar.
    """

    name: str
    default: Value
    meaning: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    is_code: bool = False

    def parse(self, given: object) -> Value:
        """The typed value of *given*, which may be text. *Raises*: `ParameterInvalid`."""
        value = self._typed(given)
        if self.choices and value not in self.choices:
            self._refuse(given, f"one of {', '.join(self.choices)}")
        if isinstance(value, float) and not math.isfinite(value):
            self._refuse(given, "a finite number")
        if isinstance(value, int | float) and not isinstance(value, bool):
            low = -math.inf if self.low is None else self.low
            high = math.inf if self.high is None else self.high
            if not low <= value <= high:
                nearest = min(max(value, low), high)
                self._refuse(given, f"{low:g} to {high:g} {self.unit}; nearest {nearest:g}")
        return value

    def _typed(self, given: object) -> Value:
        kind = type(self.default)
        if kind is bool:
            if given in (True, "true"):
                return True
            if given in (False, "false"):
                return False
            self._refuse(given, "true or false")
        if isinstance(given, bool):
            self._refuse(given, kind.__name__)
        try:
            if kind is int and isinstance(given, float):
                if given != int(given):
                    self._refuse(given, "a whole number")
                return int(given)
            return kind(given if isinstance(given, int | float) else str(given))
        except (TypeError, ValueError, OverflowError):
            self._refuse(given, "a whole number" if kind is int else f"a {kind.__name__}")

    def _refuse(self, given: object, allowed: str) -> NoReturn:
        raise ParameterInvalid(f"parameter {self.name} is {given!r}; allowed: {allowed}.")


def resolve(declared: Iterable[Parameter], given: Mapping[str, object]) -> dict[str, Value]:
    """Every declared parameter with its given or default value, in order of declaration.

    *Raises*: `ParameterInvalid` for an unknown name, naming the nearest one, or a bad value.
    """
    known = {parameter.name: parameter for parameter in declared}
    for name in given:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
            hint = f"; nearest {close[0]}" if close else "; it has no parameters"
            names = ", ".join(known)
            raise ParameterInvalid(f"unknown parameter {name!r}{hint}. Known: {names}.")
    return {
        name: parameter.parse(given[name]) if name in given else parameter.default
        for name, parameter in known.items()
    }
