# SPDX-License-Identifier: Apache-2.0
"""What a process says that was given other words than the one with the market."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from hean.backtest.run import BacktestSettings
from hean.errors import ParameterInvalid
from hean.fleet.trading import Trading
from hean.fleet.wiring import Notice
from hean.transports.memory import MemoryBroker, MemoryTransport
from sessions import START_NS, TERMS

IN_TIME_S = 60.0


async def trading(folder: Path, *, bar: str) -> None:
    """One that is to trade bars of a minute and is told of others."""
    broker = MemoryBroker()
    notice = Notice("a test", TERMS, START_NS, "1", True, bar)
    broker.notices["t.feed"] = msgspec.json.encode(notice)
    settings = BacktestSettings("", ("BTCUSDT",), bar="1m")
    life = Trading(
        lambda: MemoryTransport(broker), "execution", "feed", {"feed": "t.feed"}, settings,
        folder / "execution.journal",
    )  # fmt: skip
    stop = asyncio.Event()
    work = asyncio.create_task(life.run(stop))
    async with asyncio.timeout(IN_TIME_S):
        while life.session is None and not work.done():
            await asyncio.sleep(0.01)
    stop.set()
    assert await work is None


async def test_bars_of_another_length_are_refused_before_anything_is_played(
    tmp_path: Path,
) -> None:
    with pytest.raises(ParameterInvalid, match="feed makes bars of 5m, here --bar is 1m"):
        await trading(tmp_path, bar="5m")
    assert not (tmp_path / "execution.journal").exists()
    await trading(tmp_path, bar="1m")
    assert (tmp_path / "execution.journal").exists()
