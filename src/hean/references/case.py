# SPDX-License-Identifier: Apache-2.0
"""`case.py`: one reference file. It gives the inputs as arrays and judges computed answers by the
tolerances the file names. An expected value that nobody answers is a failure, so a method cannot
pass by leaving something out.

    case.answer("filtered_state", states, "state_rel")       # by index, by name or one number
    case.answer(("mle", "sigma2_eps"), fit.variance, "mle_rel")
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars

from hean.errors import DataInvalid, InputError
from hean.references.transform import evaluate

REFERENCE_BYTES_MAX = 20_000_000  # the largest known is a tenth of a megabyte
DEPTH_MAX = 6  # of nested expected values

Place = tuple[str, ...]
Array = np.ndarray[Any, np.dtype[np.float64]]


class ReferenceInvalid(InputError):
    """A file is not a reference file. Reaction: refuse it, naming file and cause."""

    code = 1130


class Answer(msgspec.Struct, frozen=True):
    """One expected value or series beside the computed one.

    *computed*, *expected*: at the place that deviates most; *values*: how many were compared;
    *error*: deviation there in the unit of *limit*, relative or absolute as *tolerance* says.
    """

    name: str
    computed: Any
    expected: Any
    tolerance: str
    limit: float | None
    error: float | None
    values: int
    passed: bool
    problem: str = ""


class Case:
    """One reference file and the answers given so far.

    *document*: the file's content. *folder*: where it lies; data files are named from there or
    from the folder above.
    """

    def __init__(self, document: Mapping[str, Any], folder: Path) -> None:
        self.name: str = document["id"]
        self.method: str = document["method"]
        self.source: str = document.get("source", "")
        self.inputs: Mapping[str, Any] = document["inputs"]
        self.expected: Mapping[str, Any] = document["expected"]
        self.tolerance: Mapping[str, Any] = document.get("tolerance", {})
        self._folder = folder
        self._given: dict[Place, Answer] = {}
        self._broken = ""

    # ---------------------------------------------------------------- inputs

    def table(self, name: str = "") -> dict[str, Array]:
        """Number columns of the data file called *name*, by default `inputs["data"]`."""
        return _columns(self._file(name or self.inputs["data"]))

    def series(self, column: str = "") -> Array:
        """One series: *column*, or what the inputs say by `column`, `transform`, or the only one
        there is; cut to the inputs' `rows` (first, end) or `n`.
        """
        columns = self.table()
        name = column or self.inputs.get("column", "")
        if name and name not in columns:
            raise DataInvalid(f"{self.name}: no column {name!r}; there are {', '.join(columns)}.")
        if not name and "transform" in self.inputs:
            found = evaluate(self.inputs["transform"], columns)
        else:
            found = columns[name or next(reversed(columns))]
        first, end = self.inputs.get("rows", (0, self.inputs.get("n", len(found))))
        return np.ascontiguousarray(found[first:end])

    def words(self, column: int) -> list[str]:
        """One column of the data file as text, by its place: dates, names."""
        frame = polars.read_csv(self._file(self.inputs["data"]), infer_schema=False)
        return frame.to_series(column).to_list()

    def _file(self, name: str) -> Path:
        for folder in (self._folder, self._folder.parent):
            if (folder / name).is_file():
                return folder / name
        raise DataInvalid(f"{self.name}: data file {name!r} is not beside the reference file.")

    # ---------------------------------------------------------------- answers

    def wants(self, place: str | Place) -> bool:
        """Whether an answer is expected at this place."""
        return self._at(_place(place)) is not None

    def answer(self, place: str | Place, computed: Any, *rules: str) -> bool:
        """Judge one computed value, series or mapping; nothing happens if none is expected.
        *Returns*: whether it held.

        *rules*: tolerances by their names in the file; one of them must hold. A name ends in
        `_rel`, `_abs` or `exact`; where the file has not that very name, its plain `rel`, `abs` or
        `exact` counts.
        """
        where = _place(place)
        expected = self._at(where)
        if expected is None:
            return False
        limits = [limit for rule in rules if (limit := self._limit(rule)) is not None]
        name = ".".join(where)
        if not limits:
            given = _failed(name, f"the file names no tolerance {', '.join(rules)}")
        else:
            try:
                given = _worst(name, list(_pairs(computed, expected, "")), limits)
            except _Missing as missing:
                given = _failed(name, str(missing), expected)
        self._given[where] = given
        return given.passed

    def answers(self) -> list[Answer]:
        """All answers in the file's order, those not given as failures."""
        found: list[Answer] = []
        for place, expected in _leaves(self.expected):
            given = [self._given[part] for part in _parents(place) if part in self._given]
            if not given:
                problem = self._broken or "not computed"
                found.append(_failed(".".join(place), problem, expected))
            elif given[0] not in found:
                found.append(given[0])
        return found

    def unanswered(self, problem: str) -> Answer:
        """The whole file as one failed answer."""
        return _failed(self.name, problem)

    def broke(self, error: BaseException) -> None:
        """What is still missing is missing because of *error*."""
        self._broken = f"{type(error).__name__}: {error}"

    def _at(self, place: Place) -> Any:
        found: Any = self.expected
        for name in place:
            if not isinstance(found, Mapping) or name not in found:
                return None
            found = found[name]
        return found

    def _limit(self, rule: str) -> tuple[str, float] | None:
        kind = "exact" if rule.endswith("exact") else rule.rpartition("_")[2]
        for name in (rule, kind):
            limit = self.tolerance.get(name)
            if limit is not None:
                return name, 0.0 if kind == "exact" else float(limit)
        return None


def read_case(path: Path) -> Case:
    """The reference file at *path*. *Raises*: `ReferenceInvalid`."""
    try:
        if path.stat().st_size > REFERENCE_BYTES_MAX:
            raise ReferenceInvalid(f"{path}: larger than {REFERENCE_BYTES_MAX:,} bytes.")
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise ReferenceInvalid(f"{path}: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise ReferenceInvalid(f"{path}: no JSON ({error}).") from error
    for name, kind in {"id": str, "method": str, "inputs": dict, "expected": dict}.items():
        if not isinstance(document, dict) or not isinstance(document.get(name), kind):
            raise ReferenceInvalid(f"{path}: no reference file; it needs {name!r}, a {kind}.")
    return Case(document, path.parent)


class _Missing(ValueError):
    """A computed answer has not the shape of the expected one."""


def _columns(path: Path) -> dict[str, Array]:
    try:
        frame = polars.read_csv(path, infer_schema_length=None)
    except (polars.exceptions.PolarsError, OSError) as error:
        raise DataInvalid(f"{path}: no CSV file with a header ({error}).") from error
    numeric = [name for name in frame.columns if frame[name].dtype.is_numeric()]
    return {name: frame[name].cast(polars.Float64).to_numpy() for name in numeric}


def _place(place: str | Place) -> Place:
    return (place,) if isinstance(place, str) else place


def _parents(place: Place) -> Iterator[Place]:
    """The place itself and those above it, nearest first."""
    for length in range(len(place), 0, -1):
        yield place[:length]


def _leaves(expected: Mapping[str, Any], above: Place = ()) -> Iterator[tuple[Place, Any]]:
    for name, value in expected.items():
        place = (*above, name)
        is_series = isinstance(value, Mapping) and all(key.isdigit() for key in value)
        if isinstance(value, Mapping) and not is_series and len(place) < DEPTH_MAX:
            yield from _leaves(value, place)
        else:
            yield place, value


def _pairs(computed: Any, expected: Any, where: str) -> Iterator[tuple[str, Any, Any]]:
    """Every expected number or word with its computed one."""
    if isinstance(expected, Mapping):
        for name, value in expected.items():
            yield from _pairs(_item(computed, name, where), value, f"{where}[{name}]")
    elif isinstance(expected, list):
        if not isinstance(computed, Sequence | np.ndarray) or isinstance(computed, str):
            raise _Missing(f"{where}: a series of {len(expected)} expected, got {computed!r}")
        if len(computed) != len(expected):
            raise _Missing(f"{where}: {len(expected)} values expected, got {len(computed)}")
        for at, value in enumerate(expected):
            yield from _pairs(computed[at], value, f"{where}[{at}]")
    else:
        yield where, computed, expected


def _item(computed: Any, name: str, where: str) -> Any:
    try:
        if isinstance(computed, Mapping):
            return computed[name] if name in computed else computed[int(name)]
        return computed[int(name)]
    except (KeyError, IndexError, ValueError, TypeError):
        raise _Missing(f"{where}[{name}]: not computed") from None


def _worst(name: str, pairs: list[tuple[str, Any, Any]], limits: list[tuple[str, float]]) -> Answer:
    """The pair that deviates most from what its best rule allows."""
    worst: Answer | None = None
    worst_share = -1.0
    for where, computed, expected in pairs:
        share, answer = min(
            (_judged(name + where, computed, expected, limit) for limit in limits),
            key=lambda judged: judged[0],
        )
        if share > worst_share:
            worst, worst_share = answer, share
    if worst is None:
        return _failed(name, "nothing to compare")
    return msgspec.structs.replace(worst, values=len(pairs))


def _judged(
    name: str, computed: Any, expected: Any, limit: tuple[str, float]
) -> tuple[float, Answer]:
    """One pair by one rule: the share of the tolerance it uses, and the answer."""
    rule, allowed = limit
    computed, expected = _plain(computed), _plain(expected)
    error: float | None = None
    if _is_number(computed) and _is_number(expected):
        error = _deviation(float(computed), float(expected), is_relative=rule.endswith("rel"))
        passed = error <= allowed
    else:
        passed = computed == expected
    share = 0.0 if passed and not error else _share(error, allowed, is_passed=passed)
    return share, Answer(name, computed, expected, rule, allowed, error, 1, passed)


def _share(error: float | None, allowed: float, *, is_passed: bool) -> float:
    if error is None or not allowed:
        return 0.0 if is_passed else math.inf
    return error / allowed


def _deviation(computed: float, expected: float, *, is_relative: bool) -> float:
    if computed == expected:
        return 0.0
    error = abs(computed - expected)
    if is_relative and expected:
        error /= abs(expected)
    return error if math.isfinite(error) else math.inf


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _plain(value: Any) -> Any:
    """Plain Python in place of NumPy; the words for infinity as the number."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, np.ndarray):
        value = value.tolist()
    return float(value) if value in ("inf", "-inf", "nan") else value


def _failed(name: str, problem: str, expected: Any = None) -> Answer:
    return Answer(name, None, expected, "", None, None, 0, passed=False, problem=problem)
