# SPDX-License-Identifier: Apache-2.0
"""`place.py`: one watchdog for each data directory, and how the next one takes over. Whoever holds
the first lock is on duty; whoever holds the second waits for it. The one on duty looks now and
then whether somebody waits, and goes when it can. Locks are the kernel's: a dead process holds
none.
"""

from __future__ import annotations

import asyncio
import fcntl
from pathlib import Path

from hean.core.journal import WriterLock
from hean.errors import SecondWriter

ON_DUTY, NEXT = "watchdog.lock", "watchdog.next.lock"
WAIT_S = 20.0  # for the one on duty; it goes between two sweeps, which take ten seconds and more
TRY_S = 0.1


async def take_place(folder: Path, holder: str) -> WriterLock:
    """Be the watchdog of *folder*, after whoever is. *holder*: our process id.

    *Raises*: `SecondWriter` when the one on duty does not go.
    """
    waiting: WriterLock | None = None
    tries = int(WAIT_S / TRY_S)
    try:
        while True:
            try:
                waiting = waiting or WriterLock(folder / NEXT, holder)
                return WriterLock(folder / ON_DUTY, holder)
            except SecondWriter:
                tries -= 1
                if not tries:
                    raise
            await asyncio.sleep(TRY_S)
    finally:
        if waiting is not None:
            waiting.release()


def is_awaited(folder: Path) -> bool:
    """Whether another watchdog waits for the place."""
    try:
        with open(folder / NEXT, encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
