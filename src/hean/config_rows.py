# SPDX-License-Identifier: Apache-2.0
"""`config_rows.py`: what a setting knows of itself: kind, default, meaning, unit, variable, option.
A field made by `shown` is public. One made by `hidden`, or by neither, is masked wherever settings
are displayed: what may be seen is listed, not guessed from names.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from hean.config_kinds import Hidden, Kind


class Source(StrEnum):
    """Where a value comes from, the first that has one."""

    CLI = "command line"
    ENVIRONMENT = "environment"
    DOTENV = ".env"
    FILE = "file"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Origin:
    """*place*: option, variable or `file:line` that gave a value."""

    source: Source
    place: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """What is known of a setting beside its name. *in_file*, *in_dotenv*: whether it is taken from
    there; `variable` is its name in the environment.
    """

    kind: Kind
    default: Any
    meaning: str
    variable: str | None = None
    unit: str = ""
    option: str = ""
    in_file: bool = True
    in_dotenv: bool = True
    is_public: bool = False

    @property
    def is_secret(self) -> bool:
        """Kept as a `Secret`: from a variable, or from a file of mode 0600 that one names."""
        return isinstance(self.kind, Hidden)


def hidden(kind: Kind, default: Any, meaning: str, **rest: Any) -> Any:
    """A field that is masked when settings are displayed."""
    row = Row(kind, default, meaning, **rest)
    return field(default_factory=lambda: default, metadata={"row": row})


def shown(kind: Kind, default: Any, meaning: str, **rest: Any) -> Any:
    """A field that anybody may see."""
    return hidden(kind, default, meaning, is_public=True, **rest)
