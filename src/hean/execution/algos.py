# SPDX-License-Identifier: Apache-2.0
"""`algos.py`: the algorithms by name, and the text that selects one: `twap:duration=10m,slices=20`.
Unknown names and keys are refused, naming the nearest.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping

from hean.core.parameters import Value
from hean.errors import ParameterInvalid
from hean.execution.reacting import Chaser, Iceberg, Pov
from hean.execution.scheduled import ShortfallSchedule, Twap, Vwap
from hean.execution.slicing import TEXT_LENGTH_MAX, Algorithm, settings_of

ALGORITHMS: Mapping[str, type[Algorithm]] = {
    each.name: each for each in (Twap, Vwap, Pov, Iceberg, ShortfallSchedule, Chaser)
}
"""By name, as `OrderRequest.algo` begins."""
Plan = tuple[Callable[..., Algorithm], dict[str, Value]]
"""An algorithm and its settings, ready for an order."""


def plan_of(text: str, offered: Mapping[str, type[Algorithm]] = ALGORITHMS) -> Plan:
    """The algorithm of *offered* that *text* names. *Raises*: `ParameterInvalid`."""
    if len(text) > TEXT_LENGTH_MAX:
        raise ParameterInvalid(f"algo of {len(text)} characters; at most {TEXT_LENGTH_MAX}.")
    name, _, pairs = text.partition(":")
    name = name.strip().lower()
    found = offered.get(name)
    if found is None:
        nearest = difflib.get_close_matches(name, offered, n=1, cutoff=0.0)[0]
        known = ", ".join(offered)
        raise ParameterInvalid(f"unknown algo {name!r}; nearest {nearest}. Known: {known}.")
    return found, settings_of(found.parameters, pairs, name)
