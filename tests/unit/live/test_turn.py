# SPDX-License-Identifier: Apache-2.0
"""A turn of the loop grows long while frames are worked on, and the next one begins anew."""

from __future__ import annotations

import asyncio

from hean.live.turn import LONG_S, Turn


class HandLoop(asyncio.SelectorEventLoop):
    """A loop whose clock is moved by hand."""

    now_s = 100.0

    def time(self) -> float:
        """Now."""
        return self.now_s


def test_a_turn_is_long_after_its_share_of_work_and_the_next_one_is_not() -> None:
    loop = HandLoop()

    async def work() -> list[bool]:
        turn, said = Turn(), []
        said.append(turn.is_long())
        loop.now_s += LONG_S / 2
        said.append(turn.is_long())
        loop.now_s += LONG_S
        said.append(turn.is_long())
        await asyncio.sleep(0)
        said.append(turn.is_long())
        return said

    try:
        assert loop.run_until_complete(work()) == [False, False, True, False]
    finally:
        loop.close()


def test_time_between_turns_is_nobodys_work() -> None:
    loop = HandLoop()

    async def wait() -> bool:
        turn = Turn()
        turn.is_long()
        await asyncio.sleep(0)
        loop.now_s += 10 * LONG_S
        return turn.is_long()

    try:
        assert not loop.run_until_complete(wait())
    finally:
        loop.close()
