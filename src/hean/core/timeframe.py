# SPDX-License-Identifier: Apache-2.0
"""`timeframe.py`: names of bar lengths, `1m`, `5m`, `1h`, and their length in nanoseconds."""

from __future__ import annotations

import re

from hean.errors import ParameterInvalid

UNITS_NS = {
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
}
DAY_NS = UNITS_NS["d"]


def timeframe_ns(name: str) -> int:
    """Length of a bar named like `15m`. *Raises*: `ParameterInvalid`."""
    match = re.fullmatch(r"([1-9][0-9]{0,3})(ms|[smhd])", name)
    if match is None:
        raise ParameterInvalid(
            f"timeframe {name!r}; give a number and ms, s, m, h or d, such as 15m."
        )
    return int(match[1]) * UNITS_NS[match[2]]
