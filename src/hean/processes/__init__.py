# SPDX-License-Identifier: Apache-2.0
"""Processes by name. The table below is the whole registry."""

from __future__ import annotations

import difflib

from hean.errors import ParameterInvalid
from hean.processes.process import Process
from hean.processes.rebalance import Rebalance
from hean.processes.rotation import Rotation

PROCESSES: dict[str, type[Process]] = {kind.name: kind for kind in (Rebalance, Rotation)}
"""Name → class."""


def load_process(name: str) -> type[Process]:
    """The class of a name. *Raises*: `ParameterInvalid` naming the nearest."""
    found = PROCESSES.get(name)
    if found is None:
        close = difflib.get_close_matches(name, PROCESSES, n=1, cutoff=0.0)
        raise ParameterInvalid(
            f"unknown process {name!r}; nearest {close[0]}. Known: {', '.join(PROCESSES)}."
        )
    return found
