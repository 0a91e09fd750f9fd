# SPDX-License-Identifier: Apache-2.0
"""One watchdog for each directory; the next one waits and is seen waiting."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from hean.errors import SecondWriter
from hean.live import place
from hean.live.place import is_awaited, take_place


async def test_the_first_is_on_duty_at_once_and_nobody_waits(tmp_path: Path) -> None:
    assert not is_awaited(tmp_path)
    lock = await take_place(tmp_path, "1")
    assert not is_awaited(tmp_path)
    lock.release()


async def test_the_next_waits_until_the_one_on_duty_has_seen_it_and_gone(tmp_path: Path) -> None:
    first = await take_place(tmp_path, "1")
    waiting = asyncio.ensure_future(take_place(tmp_path, "2"))
    while not is_awaited(tmp_path):
        await asyncio.sleep(0)
    assert not waiting.done()
    first.release()
    second = await waiting
    assert not is_awaited(tmp_path)
    assert (tmp_path / place.ON_DUTY).read_text() == "2\n"
    second.release()


async def test_one_who_does_not_go_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, "WAIT_S", 0.3)
    first = await take_place(tmp_path, "4711")
    with pytest.raises(SecondWriter, match="4711"):
        await take_place(tmp_path, "2")
    assert not is_awaited(tmp_path)
    first.release()
