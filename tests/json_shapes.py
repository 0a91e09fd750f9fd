# SPDX-License-Identifier: Apache-2.0
"""Comparing JSON by shape: the same names and the same kinds of value all the way down, whatever
the values are. Also reads the documented examples beside the project.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any


def kind(value: Any) -> str:
    """The JSON kind of a value; whole and broken numbers are one kind."""
    match value:
        case bool():
            return "bool"
        case int() | float():
            return "number"
        case str():
            return "text"
        case None:
            return "null"
        case dict():
            return "object"
        case _:
            return "list"


def differences(ours: Any, example: Any, at: str = "$") -> list[str]:
    """What differs, as `place: name missing`, `place: name unknown` or `place: kind for kind`. Of
    lists the first rows are compared, and rows that are lists column by column.
    """
    if kind(ours) != kind(example):
        return [f"{at}: {kind(ours)} for {kind(example)}"]
    if isinstance(ours, dict):
        found = [f"{at}: {name} missing" for name in example if name not in ours]
        found += [f"{at}: {name} unknown" for name in ours if name not in example]
        for name in ours.keys() & example.keys():
            found += differences(ours[name], example[name], f"{at}.{name}")
        return found
    if isinstance(ours, list) and ours and example:
        if isinstance(example[0], list):
            kinds = [[kind(value) for value in row[0]] for row in (ours, example)]
            return [] if kinds[0] == kinds[1] else [f"{at}: row {ours[0]} for {example[0]}"]
        return differences(ours[0], example[0], f"{at}[0]")
    return []


def documented(path: Path) -> Any:
    """The answer or event of a documented example: what follows the request, or the last `=`."""
    text = path.read_text()
    text = text.rpartition("\n=")[2] if "\n=" in text else text.split("\n", 3)[3]
    return json.loads(re.sub(r'"?\|1\|"?', "1", text), strict=False)
