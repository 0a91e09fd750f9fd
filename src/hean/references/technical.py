# SPDX-License-Identifier: Apache-2.0
"""Technical indicators."""

from __future__ import annotations

import numpy as np

from hean.indicators import RSI
from hean.references.case import Case


def rsi_wilder(case: Case) -> None:
    """Wilder's RSI from its first index on."""
    period = int(case.inputs["period"])
    values = RSI(period).batch(np.asarray(case.inputs["close"], dtype=np.float64))[period:]
    case.answer(f"rsi_from_index_{period}", values, "abs")
    case.answer("printed", values, "printed_abs")


METHODS = {"rsi_wilder": rsi_wilder}
