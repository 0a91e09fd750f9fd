# SPDX-License-Identifier: Apache-2.0
"""`canary.py`: a run that must fail. Its engine sends every order twice on purpose; a simulator
that does not notice proves nothing.
"""

from __future__ import annotations

from typing import Any

from hean.sim.invariants import Broken
from hean.sim.run import Trial
from hean.sim.scenario import calm
from hean.venues.dispatch import Flight

SEED = 4


def canary() -> Broken | None:
    """*Returns*: what the checks found, `None` if they are blind."""
    return Trial(calm(SEED), spoil=double_send).run().broken


def double_send(engine: Any) -> None:
    """Have every order leave twice."""
    dispatch = engine.gateway.dispatch
    sent = dispatch.sent

    def twice(flight: Flight, request_id: str, frame: bytes) -> bool:
        left: bool = sent(flight, request_id, frame)
        if left and flight.kind == "submit":
            dispatch._connection.send(frame)
        return left

    dispatch.sent = twice
