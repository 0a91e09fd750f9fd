# SPDX-License-Identifier: Apache-2.0
"""`shapes.py`: what the body of a request may look like before anybody asks what it means. Depth
and length are counted without recursion, before it is parsed; duplicate names, NaN, infinities and
text that is no Unicode are refused.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from hean.api.problems import Refused

BODY_BYTES_MAX = 65_536
DEPTH_MAX = 32
ARRAY_MAX = 10_000
_PARTS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{},]', re.DOTALL)


def check_json(body: bytes) -> None:
    """Refuse what is no JSON object of decent size. *Raises*: `Refused`, naming the limit."""
    _check_size(body)
    try:
        found = json.loads(
            body.decode(),
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_float=_finite,
        )
        if b"\\u" in body:
            json.dumps(found, ensure_ascii=False).encode()  # half of a surrogate pair is no text
    except UnicodeError:
        raise Refused(400, "BodyInvalid", "The body is not UTF-8 text.", field="/body") from None
    except ValueError as error:
        what = str(error).partition("(char")[0].strip()
        raise Refused(400, "BodyInvalid", f"No JSON: {what}.", field="/body") from None
    if not isinstance(found, dict):
        raise Refused(400, "BodyInvalid", "The body must be a JSON object.", field="/body")


def _check_size(body: bytes) -> None:
    counts: list[int] = []  # commas in each open array or object
    for match in _PARTS.finditer(body):
        part = match[0]
        if part in (b"[", b"{"):
            counts.append(0)
            if len(counts) > DEPTH_MAX:
                raise Refused(
                    400, "BodyTooDeep", f"JSON deeper than {DEPTH_MAX} levels.", field="/body"
                )
        elif part in (b"]", b"}"):
            if counts:
                counts.pop()
        elif part == b"," and counts:
            counts[-1] += 1
            if counts[-1] >= ARRAY_MAX:
                raise Refused(
                    400, "ArrayTooLong", f"More than {ARRAY_MAX} elements.", field="/body"
                )


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the name {twice[:40]!r} stands there twice")
    return found


def _constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]} is too large")
    return number
