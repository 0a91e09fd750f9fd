# SPDX-License-Identifier: Apache-2.0
"""Reference answers, published or from well-kept libraries, beside what HEAN's own models compute.
`case.py` reads a reference file and judges answers; every other file answers the methods of one
area by calling the code that trades. Nothing here computes: an answer is a call into `hean._core`,
`hean.quant` or a module.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping

from hean.references import (
    changes,
    evaluation,
    execution,
    foundations,
    learning,
    pairs,
    portfolio,
    regimes,
    state_space,
    technical,
    venue,
    volatility,
)
from hean.references.case import Answer, Case, read_case

METHODS: Mapping[str, Callable[[Case], None]] = {
    **changes.METHODS,
    **evaluation.METHODS,
    **execution.METHODS,
    **foundations.METHODS,
    **learning.METHODS,
    **pairs.METHODS,
    **portfolio.METHODS,
    **regimes.METHODS,
    **state_space.METHODS,
    **technical.METHODS,
    **venue.METHODS,
    **volatility.METHODS,
}
"""Name of a method in a reference file → who answers it."""

__all__ = ["METHODS", "Answer", "Case", "read_case", "verify"]


def verify(case: Case) -> list[Answer]:
    """Every expected answer of a reference file beside the computed one. What is not computed is a
    failed answer, an unknown method or a calculation that breaks too: nothing passes in silence.
    """
    method = METHODS.get(case.method)
    if method is None:
        near = difflib.get_close_matches(case.method, METHODS, n=1, cutoff=0.0)[0]
        return [case.unanswered(f"unknown method {case.method!r}; nearest {near}.")]
    try:
        method(case)
    except Exception as error:  # noqa: BLE001  # reason: one bad file must not hide the others
        case.broke(error)
    return case.answers()
