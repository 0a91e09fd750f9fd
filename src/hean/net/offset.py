# SPDX-License-Identifier: Apache-2.0
"""`offset.py`: how far a venue's clock is from this machine's. A round of five questions gives five
estimates, each assuming that the answer was written in the middle of its journey; their median is
the offset, so one slow answer does not move it. A small offset is left alone, a larger one is added
to the time of every signed request, and a very large one is a reason to open nothing new. It asks
nobody: the caller does, and reports the three times.
"""

from __future__ import annotations

from statistics import median_low

ROUND = 5  # samples of one estimate; an odd number, so that the median is one of them
EVERY_S = 30  # a clock that drifts 100 ppm moves 3 ms in this time
TOLERATED_NS = 250_000_000  # below it a request is well inside every receive window
HALT_NS = 1_000_000_000  # a venue refuses requests from more than 1 s in its future


class ClockOffset:
    """The venue's clock minus ours."""

    def __init__(self) -> None:
        self.offset_ns = 0
        """The last estimate; 0 before the first."""
        self.correction_ns = 0
        """What to add to the time of a signed request."""
        self.rounds = 0
        """Finished estimates."""
        self._samples: list[int] = []

    def sample(self, sent_ns: int, server_ns: int, received_ns: int) -> bool:
        """One question and its answer: when it left, what the venue said, when the answer came.

        *Returns*: whether this completed a round and renewed the estimate.
        """
        self._samples.append(server_ns - (sent_ns + received_ns) // 2)
        if len(self._samples) < ROUND:
            return False
        self.offset_ns = median_low(self._samples)
        self.correction_ns = self.offset_ns if abs(self.offset_ns) > TOLERATED_NS else 0
        self.rounds += 1
        self._samples.clear()
        return True

    def warning(self) -> str:
        """What to tell people about the clock; empty while it is good."""
        if not self.correction_ns:
            return ""
        where = "ahead of" if self.offset_ns > 0 else "behind"
        return (
            f"the venue's clock is {abs(self.offset_ns) // 1_000_000} ms {where} this machine's; "
            f"up to {TOLERATED_NS // 1_000_000} ms are normal. Requests are corrected; set the "
            f"clock (NTP)."
        )

    def halts(self) -> bool:
        """Whether the clocks are too far apart to open anything new."""
        return abs(self.offset_ns) > HALT_NS
