# SPDX-License-Identifier: Apache-2.0
"""Models beside their peers: hedge ratios, variances, change points.

Each part is a file `bench_models_NAME.py` with `run(rounds, quick=False)`, listed in `PARTS`; here
their figures become one result. Workloads and peers: the head of each part.
"""

from __future__ import annotations

import importlib

from measure import Result

PARTS = ("kalman", "garch", "changes", "ml", "all")


def run(rounds: int, quick: bool = False) -> Result:
    """All parts, one after the other."""
    whole = Result(workload="")
    for part in PARTS:
        result: Result = importlib.import_module(f"bench_models_{part}").run(rounds, quick=quick)
        whole.workload += ("; " if whole.workload else "") + result.workload
        whole.figures |= result.figures
        whole.ratios |= result.ratios
        whole.goals |= result.goals
        whole.missing |= result.missing
    return whole
