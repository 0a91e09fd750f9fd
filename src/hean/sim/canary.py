# SPDX-License-Identifier: Apache-2.0
"""`canary.py`: a run that must fail. Its engine sends every order twice on purpose; a simulator
that does not notice it, or that takes it for something else, proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from hean.sim.draws import calm
from hean.sim.invariants import Broken
from hean.sim.run import Trial
from hean.venues.dispatch import Dispatch, Flight

SEED = 4
NOTICED_BY = ("I-04", "I-05")  # the promises that speak of an order sent twice


def canary() -> Broken | None:
    """*Returns*: what the checks found, `None` if they are blind or found something else."""
    scenario = msgspec.structs.replace(
        calm(SEED), venue="bybit", market="linear", workload="takers", path="busy", pace=1.0
    )
    with double_send():
        broken = Trial(scenario).run().broken
    return broken if broken is not None and broken.name in NOTICED_BY else None


@contextmanager
def double_send() -> Iterator[None]:
    """Have every order of this process leave twice, until the block ends."""
    sent = Dispatch.sent

    def twice(self: Dispatch, flight: Flight, request_id: str, frame: bytes) -> bool:
        left = sent(self, flight, request_id, frame)
        if left and flight.kind == "submit" and self._connection is not None:
            self._connection.send(frame)
        return left

    Dispatch.sent = twice  # type: ignore[method-assign]  # reason: put back below
    try:
        yield
    finally:
        Dispatch.sent = sent  # type: ignore[method-assign]  # reason: as above
