# SPDX-License-Identifier: Apache-2.0
"""`file.py`: a file of fault dials, TOML or JSON: a list `fault` of settings, each with an optional
`at_s`. All of it is right or none of it is set; up to fifty mistakes are told at once.
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

from hean.errors import ParameterInvalid
from hean.twin.faults.dials import DIALS
from hean.twin.faults.settings import Problem, Setting, nearest_of, read_setting, shown

FILE_BYTES_MAX = 1 << 20  # a thousand dials fit in a tenth of it
PROBLEMS_MAX = 50
SETTINGS_MAX = 10_000
MARK = "\ufeff"  # some editors put it before the first line; neither format allows it


def load_faults(path: Path) -> list[Setting]:
    """The settings of a file. *Raises*: `ParameterInvalid` naming file and key of each mistake."""
    document = _document(path)
    problems: list[Problem] = []
    settings: list[Setting] = []
    name = path.name
    if not isinstance(document, dict) or not isinstance(document.get("fault"), list):
        got = ", ".join(map(str, document)) if isinstance(document, dict) else shown(document)
        raise ParameterInvalid(f"{name}: got {got or 'nothing'}; expected a list named 'fault'.")
    for key in document:
        if key != "fault":
            near = nearest_of(str(key), ["fault"])
            problems.append(Problem("unknown key", f"{name}:{key}", shown(key), "fault", near))
    if len(document["fault"]) > SETTINGS_MAX:
        raise ParameterInvalid(f"{name}: {len(document['fault'])} dials; at most {SETTINGS_MAX}.")
    for number, entry in enumerate(document["fault"]):
        setting, found = read_setting(entry, DIALS, f"{name}:fault[{number}]")
        problems.extend(found)
        if setting is not None:
            settings.append(setting)
    if problems:
        lines = [str(problem) for problem in problems[:PROBLEMS_MAX]]
        if len(problems) > PROBLEMS_MAX:
            lines.append(f"and {len(problems) - PROBLEMS_MAX} more")
        raise ParameterInvalid("\n".join(lines))
    return settings


def _document(path: Path) -> Any:
    try:
        if path.is_file() and path.stat().st_size > FILE_BYTES_MAX:
            raise ParameterInvalid(f"--faults {path}: larger than {FILE_BYTES_MAX:,} bytes.")
        if path.exists() and not path.is_file():
            raise ParameterInvalid(f"--faults {path}: not a regular file.")
        text = path.read_text("utf-8")
    except OSError as error:
        raise ParameterInvalid(f"--faults {path}: {error.strerror or error}.") from None
    except UnicodeDecodeError as error:
        raise ParameterInvalid(f"{path.name}: byte {error.start} is not UTF-8.") from None
    if text.startswith(MARK):
        expected = "plain UTF-8: save the file without the mark"
        raise ParameterInvalid(
            str(Problem("byte order mark", f"{path.name}:1", "U+FEFF", expected))
        )
    try:
        if path.suffix == ".toml":
            return tomllib.loads(text)
        return json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except RecursionError:
        raise ParameterInvalid(f"{path.name}: nested too deep.") from None
    except ValueError as error:
        raise ParameterInvalid(f"{path.name}: {error}.") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"duplicate key {shown(key)}")
        found[key] = value
    return found


def _no_constant(word: str) -> float:
    raise ValueError(f"{word} is no number of JSON")
