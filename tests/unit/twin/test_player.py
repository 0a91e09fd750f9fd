# SPDX-License-Identifier: Apache-2.0
"""A market is played in its time, and on a machine that is too slow for it in a longer one."""

from __future__ import annotations

from collections.abc import Iterator

from hean.twin.player import Moment, play

MS_NS = 1_000_000


class Stage:
    """Moments a millisecond apart, each of which takes *cost_ns* of a clock of our own."""

    start_ns = 0

    def __init__(self, count: int, cost_ns: int) -> None:
        self.now_ns = 0
        self.acted: list[int] = []
        self.rests: list[float] = []
        self._count = count
        self._cost_ns = cost_ns

    def moments(self) -> Iterator[Moment]:
        """The script."""
        for number in range(self._count):
            yield number * MS_NS, self._act

    def _act(self, _due_ns: int) -> None:
        self.acted.append(self.now_ns)
        self.now_ns += self._cost_ns

    async def sleep(self, seconds: float) -> None:
        """Time passes, and others get their turn."""
        self.rests.append(seconds)
        self.now_ns += int(seconds * 1e9)

    async def played(self, speed: float) -> None:
        """Play it."""
        await play(self, now=lambda: self.now_ns, speed=speed, sleep=self.sleep)


async def test_a_machine_that_keeps_up_plays_in_time() -> None:
    stage = Stage(2_000, cost_ns=10_000)
    await stage.played(1.0)
    late = [at - number * MS_NS for number, at in enumerate(stage.acted)]
    assert min(late) >= 0 and max(late) < 6 * MS_NS


async def test_a_market_that_is_too_fast_lets_others_have_their_turn_and_goes_slower() -> None:
    stage = Stage(10_000, cost_ns=MS_NS)
    await stage.played(60.0)
    assert len(stage.acted) == 10_000
    assert len(stage.rests) > 1_000, "a turn for others every few milliseconds"
