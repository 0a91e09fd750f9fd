# SPDX-License-Identifier: Apache-2.0
"""`job_requests.py`: what somebody may ask of a backtest or an evaluation, and how it becomes the
words of a command line. Everything is checked against what there is, the strategy's declared
parameters and the listed data, before a job begins; a value becomes one word after its option's
name, so that no text can pass for another option.
"""

from __future__ import annotations

import difflib
import math
import os
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, PlainValidator, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from hean.api.models import Asked, Line, Money, Positive
from hean.api.problems import FieldProblem, Refused
from hean.core.parameters import resolve
from hean.errors import HeanError
from hean.jobs.datasets import DataSet
from hean.strategies import STRATEGIES
from hean.strategies.base import Strategy

Found = Mapping[str, tuple[DataSet, Path]]
Given = bool | int | float | str

TRIALS_MAX = 400
AT_ONCE = max(1, (os.cpu_count() or 2) - 1)
"""What one job does side by side: one processor is the engine's."""
EQUITY = ("--equity", "equity.csv")
LEVERAGE_MAX, CASH_MAX = Decimal(125), Decimal(10) ** 12
FEE_LEAST, FEE_MOST = Decimal("-0.01"), Decimal("0.1")
SETTING_PATTERN = r"^[^,\x00-\x1f]{0,200}$"
SETTING = re.compile(SETTING_PATTERN)
NAME = r"^[A-Za-z][A-Za-z0-9_]{0,63}$"


def _moment(text: str) -> str:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("ISO 8601 is due, such as 2025-01-31 or 2025-01-31T12:00:00") from None
    return text


Instant = Annotated[
    str, Field(pattern=r"^20[0-9]{2}-[0-9]{2}-[0-9]{2}([T ][0-9:.]{5,15}(Z|\+00:00)?)?$"),
    AfterValidator(_moment),
]  # fmt: skip


def _setting(value: object) -> Given:
    if isinstance(value, str) and SETTING.fullmatch(value):
        return value
    if isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise PydanticCustomError(
        "setting", "Input should be a number, true, false or text of up to 200 characters"
    )


Setting = Annotated[
    Any,
    PlainValidator(_setting),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "boolean"},
                {"type": "number"},
                {"type": "string", "maxLength": 200, "pattern": SETTING_PATTERN},
            ]
        }
    ),
]
"""A value of a strategy's parameter."""
Name = Annotated[str, Field(pattern=NAME)]
Symbol = Annotated[str, Field(pattern=r"^[A-Z0-9]{2,30}(@[a-z0-9.]{4,20})?$")]
Fee = Annotated[Money, Field(ge=FEE_LEAST, le=FEE_MOST)]


class FeesAsked(Asked):
    """Fractions of value; negative is a rebate."""

    maker: Fee
    taker: Fee


class SlippageAsked(Asked):
    """Where no book was recorded. *half_spread*: a fraction of price; *impact*: its factor."""

    half_spread: Annotated[Money, Field(ge=0, le=Decimal("0.1"))]
    impact: Annotated[Money, Field(ge=0, le=100)]


class PlayedAsked(Asked):
    """What every played job is told. *data*: ids of `GET /data`; *cash*: in quote currency;
    *fraction*: of equity that a position is worth; *fees*: the venue's list if left out; *title*:
    how it is called in lists.
    """

    symbols: Annotated[list[Symbol], Field(min_length=1, max_length=20)]
    data: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=200)]],
        Field(min_length=1, max_length=50),
    ]
    start: Instant | None = None
    end: Instant | None = None
    cash: Annotated[Positive, Field(le=CASH_MAX)] = Decimal(10_000)
    leverage: Annotated[Positive, Field(le=LEVERAGE_MAX)] = Decimal(3)
    fraction: Annotated[Positive, Field(le=LEVERAGE_MAX)] = Decimal("0.5")
    fees: FeesAsked | None = None
    slippage: SlippageAsked | None = None
    latency_ms: Annotated[int, Field(ge=0, le=3_600_000)] = 50
    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] = 0
    title: Annotated[Line, Field(max_length=120)] = ""

    @model_validator(mode="after")
    def check(self) -> Self:
        """The start comes first, nothing is named twice."""
        if self.start and self.end and self.start >= self.end:
            raise ValueError("start is not before end; exchange them")
        for name in ("symbols", "data"):
            given = getattr(self, name)
            if len(set(given)) < len(given):
                raise ValueError(f"{name}: the same one twice")
        return self


class BacktestAsked(PlayedAsked):
    """A backtest. *data*: ids of `GET /data`; *params*: of `GET /strategies/declared`; *cash*: in
    quote currency; *fraction*: of equity that a position is worth; *fees*: the venue's list if
    left out; *bar*: what ticks are made into; *title*: how it is called in lists.
    """

    strategy: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$", examples=["impulse"])]
    params: Annotated[dict[Name, Setting], Field(max_length=100, default_factory=dict)]
    bar: Annotated[str, Field(pattern=r"^[1-9][0-9]{0,4}(ms|s|m|h|d)$")] = "1m"


class EvaluateAsked(BacktestAsked):
    """An evaluation. *grid*: values of parameters to try, each with each; *embargo_days*: left out
    between learning and judging.
    """

    grid: Annotated[
        dict[Name, Annotated[list[Setting], Field(min_length=1, max_length=100)]],
        Field(max_length=20, default_factory=dict),
    ]
    folds: Annotated[int, Field(ge=3, le=20)] = 6
    embargo_days: Annotated[int, Field(ge=0, le=365)] = 5


def backtest_words(asked: BacktestAsked, found: Found) -> list[str]:
    """Its command line. *found*: the data there is. *Raises*: `Refused`, 422."""
    check(asked, found)
    return ["backtest", *_strategy(asked), *played(asked, found), *EQUITY]


def evaluate_words(asked: EvaluateAsked, found: Found, data_dir: Path) -> list[str]:
    """Its command line. *data_dir*: where the trials are counted. *Raises*: `Refused`, 422."""
    check(asked, found, asked.grid)
    trials = math.prod(len(values) for values in asked.grid.values())
    if trials > TRIALS_MAX:
        raise Refused(
            422, "GridTooLarge", f"grid: {trials} trials, at most {TRIALS_MAX}.", field="/body/grid"
        )
    words = ["evaluate", *_strategy(asked), *played(asked, found), f"--folds={asked.folds}"]
    words += [f"--embargo={asked.embargo_days}", f"--data-dir={data_dir}", f"--jobs={AT_ONCE}"]
    for name, values in asked.grid.items():
        words.append(f"--grid={name}={','.join(map(_text, values))}")
    return words


def check(
    asked: BacktestAsked, found: Found, grid: Mapping[str, Iterable[Given]] | None = None
) -> None:
    """Refuse what could not be played, naming every wrong field. *Raises*: `Refused`, 422."""
    kind = STRATEGIES.get(asked.strategy)
    if kind is None:
        detail = f"unknown strategy; {_nearest(asked.strategy, STRATEGIES)}"
        raise wrong([FieldProblem(field="/body/strategy", detail=detail)])
    problems = _of_parameters(kind, asked.params, grid or {})
    problems += of_data(asked, found)
    if not problems:
        try:
            kind(tuple(asked.symbols), dict(asked.params))
        except HeanError as error:
            problems.append(FieldProblem(field="/body/symbols", detail=error.message))
    if problems:
        raise wrong(problems)


# ---------------------------------------------------------------- inside


def _strategy(asked: BacktestAsked) -> list[str]:
    words = [f"--strategy={asked.strategy}", f"--bar={asked.bar}"]
    return words + [f"--param={name}={_text(value)}" for name, value in asked.params.items()]


def played(asked: PlayedAsked, found: Found) -> list[str]:
    """The words for data, period, account and exchange. *found*: has every set asked for."""
    words = [f"--symbol={each}" for each in asked.symbols]
    words += [f"--data={found[each][1]}" for each in asked.data]
    if asked.start:
        words.append(f"--start={asked.start}")
    if asked.end:
        words.append(f"--end={asked.end}")
    if asked.fees:
        words.append(f"--fees=maker={asked.fees.maker:f},taker={asked.fees.taker:f}")
    if asked.slippage:
        spread, impact = asked.slippage.half_spread, asked.slippage.impact
        words.append(f"--slippage=half_spread={spread:f},impact={impact:f}")
    return [
        *words, f"--cash={asked.cash:f}", f"--leverage={asked.leverage:f}",
        f"--fraction={asked.fraction:f}", f"--latency={asked.latency_ms}ms",
        f"--seed={asked.seed}",
    ]  # fmt: skip


def _text(value: Given) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _of_parameters(
    kind: type[Strategy], params: Mapping[str, Given], grid: Mapping[str, Iterable[Given]]
) -> list[FieldProblem]:
    """What is wrong with each; an unknown name is told the nearest."""
    given = [(f"/body/params/{name}", name, value) for name, value in params.items()]
    for name, values in grid.items():
        given += [(f"/body/grid/{name}", name, value) for value in values]
    problems = [
        FieldProblem(field=f"/body/grid/{name}", detail="params sets it as well; give one of them")
        for name in grid
        if name in params
    ]
    code = {each.name for each in kind.parameters if each.is_code}
    for field, name, value in given:
        if name in code:
            detail = "names code to run; it is for the command line"
            problems.append(FieldProblem(field=field, detail=detail))
            continue
        try:
            resolve(kind.parameters, {name: value})
        except HeanError as error:
            problems.append(FieldProblem(field=field, detail=error.message))
    return problems


def of_data(asked: PlayedAsked, found: Found) -> list[FieldProblem]:
    """Every set is there and of something traded, every symbol has prices."""
    problems: list[FieldProblem] = []
    sets: list[DataSet] = []
    for place, name in enumerate(asked.data):
        if name in found:
            sets.append(found[name][0])
        else:
            detail = f"no such data set; {_nearest(name, found)}"
            problems.append(FieldProblem(field=f"/body/data/{place}", detail=detail))
    if problems:
        return problems
    for place, symbol in enumerate(asked.symbols):
        field = f"/body/symbols/{place}"
        try:
            if not any(each.has_prices and each.covers(symbol) for each in sets):
                problems.append(FieldProblem(field=field, detail="data has no prices of it"))
        except HeanError as error:
            problems.append(FieldProblem(field=field, detail=error.message))
    if not problems:
        for place, each in enumerate(sets):
            if not any(each.covers(symbol) for symbol in asked.symbols):
                detail = f"is of {each.symbol}, which is not among the symbols"
                problems.append(FieldProblem(field=f"/body/data/{place}", detail=detail))
    return problems


def _nearest(name: str, known: Iterable[str]) -> str:
    names = list(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.0)
    return f"nearest {close[0]}" if close else "there is none"


def wrong(problems: list[FieldProblem]) -> Refused:
    first, more = problems[0], len(problems) - 1
    words = f" (and {more} more)" if more else ""
    return Refused(
        422, "FieldInvalid", f"{first.field}: {first.detail}{words}.", field=first.field,
        errors=problems,
    )  # fmt: skip


def document_of(asked: PlayedAsked) -> dict[str, Any]:
    """What was asked, as it would be asked again."""
    return asked.model_dump(mode="json", exclude_defaults=True)
