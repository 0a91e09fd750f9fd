# SPDX-License-Identifier: Apache-2.0
"""`declared.py`: the strategies that a job may play and what each lets one set, so that a form can
be drawn for them. Only strategies that come with HEAN, and no setting that names a file to run: a
client of the API brings no code.
"""

from __future__ import annotations

import inspect

from hean.core.parameters import Parameter, Value
from hean.engine.documents import Document
from hean.strategies import STRATEGIES
from hean.strategies.base import Strategy

KINDS = {bool: "bool", int: "int", float: "float", str: "text"}


class DeclaredParameter(Document):
    """A setting. *type*: bool, int, float or text; *low*, *high*: inclusive, `None` without a
    bound; *choices*: the only values, where there are any.
    """

    name: str
    type: str
    default: Value
    meaning: str
    unit: str
    low: float | None
    high: float | None
    choices: list[str]


class DeclaredStrategy(Document):
    """A strategy that can be played."""

    name: str
    summary: str
    parameters: list[DeclaredParameter]


def strategies() -> list[DeclaredStrategy]:
    """All of them."""
    return [_declared(kind) for kind in STRATEGIES.values()]


def _declared(kind: type[Strategy]) -> DeclaredStrategy:
    text = inspect.getdoc(kind) or ""
    return DeclaredStrategy(
        name=kind.name,
        summary=" ".join(text.partition("\n\n")[0].split()),
        parameters=[_parameter(each) for each in kind.parameters if not each.is_code],
    )


def _parameter(each: Parameter) -> DeclaredParameter:
    return DeclaredParameter(
        name=each.name,
        type=KINDS[type(each.default)],
        default=each.default,
        meaning=each.meaning,
        unit=each.unit,
        low=each.low,
        high=each.high,
        choices=list(each.choices),
    )
