# SPDX-License-Identifier: Apache-2.0
"""`latency.py`: how long a tick took to become an order, by named stamps on the way. A frame is
stamped when its bytes are there; because frame, decision and order are one call, the stamps of an
order belong to the last frame. Before the order leaves, that costs four readings of the clock;
counting waits until it has left. Without an owner who asks for it nothing is stamped.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable

STEP_NS = 100  # resolution: a hundredth of what is measured
STEPS = 100_000  # up to 10 ms; what is slower counts as the last step

STAGES = ("parse", "decide", "encode", "total")
"""Frame to facts; facts to approved order (bus, strategy, risk, router); order to signed bytes
(budget, encoding, signature); frame to signed bytes. The socket's own work is not in it."""


class PathLatency:
    """Stamps and their histograms. *now_ns*: a monotonic clock in ns."""

    def __init__(self, now_ns: Callable[[], int]) -> None:
        self.now_ns = now_ns
        self._frame_ns = self._facts_ns = self._submit_ns = self._encoded_ns = 0
        self.clear()

    def clear(self) -> None:
        """Begin to count anew."""
        self._counts = {stage: array("q", bytes(8 * (STEPS + 1))) for stage in STAGES}

    def frame(self) -> None:
        """The bytes of a frame are there."""
        self._frame_ns = self._facts_ns = self.now_ns()

    def facts(self) -> None:
        """They have become facts."""
        self._facts_ns = self.now_ns()

    def submit(self) -> None:
        """An approved order reaches the venue's gateway."""
        self._submit_ns = self.now_ns()

    def encoded(self) -> None:
        """Its bytes are ready for the socket."""
        self._encoded_ns = self.now_ns()

    def left(self) -> None:
        """They are on their way: count."""
        if not self._frame_ns:
            return  # no frame caused it
        self._count("parse", self._facts_ns - self._frame_ns)
        self._count("decide", self._submit_ns - self._facts_ns)
        self._count("encode", self._encoded_ns - self._submit_ns)
        self._count("total", self._encoded_ns - self._frame_ns)
        self._frame_ns = 0

    def _count(self, stage: str, ns: int) -> None:
        self._counts[stage][min(max(ns, 0) // STEP_NS, STEPS)] += 1

    def summary(self) -> dict[str, dict[str, float]]:
        """By stage: orders counted, and p50, p90, p99, max in µs (upper ends of the steps)."""
        return {stage: _summary(counts) for stage, counts in self._counts.items()}


def _summary(counts: array[int]) -> dict[str, float]:
    total = sum(counts)
    out = {"count": float(total)}
    if not total:
        return out
    bounds = {"p50_us": 0.5, "p90_us": 0.9, "p99_us": 0.99, "max_us": 1.0}
    seen, step = 0, -1
    for name, share in bounds.items():
        while seen < share * total:
            step += 1
            seen += counts[step]
        out[name] = (step + 1) * STEP_NS / 1_000
    return out
