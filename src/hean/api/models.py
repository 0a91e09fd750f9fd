# SPDX-License-Identifier: Apache-2.0
"""`models.py`: how documents of the API are written. What comes in is strict: unknown names are
refused, text is not turned into numbers, money and quantities are decimal strings without exponent,
NaN or sign of infinity. What goes out has the same form.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated

from fastapi import Path
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

DIGITS_MAX = 40
DECIMAL_PATTERN = r"^-?(0|[1-9][0-9]{0,19})(\.[0-9]{1,18})?$"
POSITIVE_PATTERN = r"^(?!0(\.0+)?$)(0|[1-9][0-9]{0,19})(\.[0-9]{1,18})?$"
_DECIMAL = re.compile(DECIMAL_PATTERN, re.ASCII)


class Asked(BaseModel):
    """Base of what somebody sends."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


class Answered(BaseModel):
    """Base of what is sent back."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)


def _decimal(value: object) -> Decimal:
    if isinstance(value, Decimal):  # of our own making
        return value
    if not isinstance(value, str) or len(value) > DIGITS_MAX or not _DECIMAL.fullmatch(value):
        raise PydanticCustomError(
            "decimal_text", "Input should be a decimal in text such as \"0.015\", digits alone"
        )  # fmt: skip
    return Decimal(value)


Money = Annotated[
    Decimal,
    BeforeValidator(_decimal),
    PlainSerializer(lambda number: format(number, "f"), return_type=str),
    WithJsonSchema({"type": "string", "pattern": DECIMAL_PATTERN, "examples": ["0.015"]}),
]
"""A decimal string, in and out."""

LINE_PATTERN = (
    r"^[^\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    r"\ufff9-\ufffb]*$"
)
Line = Annotated[str, Field(pattern=LINE_PATTERN)]
"""Words of a person: one line, without marks that hide or that turn the direction of writing."""

Word = Annotated[str, Path(pattern=r"^[A-Za-z0-9._:-]{1,64}$")]
"""A name or id in a path."""

Symbol = Annotated[str, Path(pattern=r"^[A-Z0-9]{2,30}(@[a-z.]{4,20})?$", examples=["BTCUSDT"])]
"""What is traded, in a path."""


def _positive(value: Decimal) -> Decimal:
    if value <= 0:
        raise PydanticCustomError("positive", "Input should be above zero")
    return value


Positive = Annotated[
    Decimal,
    BeforeValidator(_decimal),
    AfterValidator(_positive),
    PlainSerializer(lambda number: format(number, "f"), return_type=str),
    WithJsonSchema({"type": "string", "pattern": POSITIVE_PATTERN, "examples": ["0.015"]}),
]
"""A decimal string above zero."""
