# SPDX-License-Identifier: Apache-2.0
"""`reach.py`: does this process still reach its venue? It asks the venue's clock every two seconds
and knows when the last answer came; its watchdog, which has a line of its own, compares. An answer
that refuses is an answer. It decides nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hean.errors import HeanError, NotSent, OutcomeUnknown
from hean.venues.codec import Codec
from hean.venues.questions import Questions

ASK_S = 2.0  # one of the cheapest questions; a limit of 10 s sees five of them fail


class Reach:
    """*time_s*: monotonic."""

    def __init__(self, codec: Codec, questions: Questions, *, time_s: Callable[[], float]) -> None:
        self._codec = codec
        self._questions = questions
        self._time_s = time_s
        self._reached_s = time_s()

    @property
    def unreached_s(self) -> float:
        """How long the venue has not answered."""
        return self._time_s() - self._reached_s

    async def keep(self) -> None:
        """Ask until cancelled."""
        while True:
            try:
                await self._codec.server_time_ns(self._questions.ask)
                self._reached_s = self._time_s()
            except (NotSent, OutcomeUnknown):
                pass
            except HeanError:
                self._reached_s = self._time_s()
            await asyncio.sleep(ASK_S)
