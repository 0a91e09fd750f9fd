# SPDX-License-Identifier: Apache-2.0
"""A kept line to the real control socket: nothing piles up, and it comes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hean.live import control_line
from hean.live.control_line import ControlLine
from hean.live.socket import ControlSocket

PATIENCE_S = 60.0
HEARTBEAT = {"verb": "heartbeat"}
KILL = {"verb": "kill", "level": "LOCKED", "reason": "odd"}


class Process:
    """Whoever is behind the socket: answers when it gets on."""

    def __init__(self, path: Path) -> None:
        self.gets_on = asyncio.Event()
        self.gets_on.set()
        self.asked: list[str] = []
        self.socket = ControlSocket(path, self.answer)

    async def answer(self, line: bytes, _peer: str) -> bytes:
        """One line for another."""
        await self.gets_on.wait()
        self.asked.append(msgspec.json.decode(line)["verb"])
        return b'{"ok":true,"number":%d}\n' % len(self.asked)


class Listener:
    """Keeps a line and what came through it."""

    def __init__(self, path: Path) -> None:
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self.line = ControlLine(path, lambda verb, answer: self.heard.append((verb, answer)))
        self.task = asyncio.ensure_future(self.line.keep())

    async def ask_until_heard(self, document: dict[str, Any]) -> None:
        """Ask again and again, as a watchdog does, until something comes."""
        before = len(self.heard)
        async with asyncio.timeout(PATIENCE_S):
            while len(self.heard) == before:
                self.line.ask(document)
                await asyncio.sleep(0)


@pytest.fixture
async def listener(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Listener]:
    monkeypatch.setattr(control_line, "RETRY_S", 0.01)
    found = Listener(tmp_path / "control.sock")
    yield found
    found.task.cancel()
    with suppress(asyncio.CancelledError):
        await found.task


async def test_a_process_that_stands_still_finds_one_question_of_a_kind(
    listener: Listener, tmp_path: Path
) -> None:
    process = Process(tmp_path / "control.sock")
    await process.socket.start()
    await listener.ask_until_heard(HEARTBEAT)
    process.gets_on.clear()
    for _ in range(100):
        listener.line.ask(HEARTBEAT)
        listener.line.ask(KILL)
    process.gets_on.set()
    async with asyncio.timeout(PATIENCE_S):
        while len(listener.heard) < 3:
            await asyncio.sleep(0)
    assert process.asked == ["heartbeat", "heartbeat", "kill"]
    assert listener.heard[-1] == ("kill", {"ok": True, "number": 3})
    await process.socket.stop()


async def test_it_comes_back_when_another_process_listens(
    listener: Listener, tmp_path: Path
) -> None:
    for _ in range(2):
        process = Process(tmp_path / "control.sock")
        await process.socket.start()
        await listener.ask_until_heard(HEARTBEAT)
        await process.socket.stop()
    assert [verb for verb, _ in listener.heard] == ["heartbeat", "heartbeat"]


async def test_where_nobody_is_asking_does_nothing(listener: Listener) -> None:
    listener.line.ask(KILL)
    await asyncio.sleep(0)
    assert not listener.heard
    assert not listener.task.done()
