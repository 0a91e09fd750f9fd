# SPDX-License-Identifier: Apache-2.0
"""What is said over a socket: answered when the journal was read that far, refused as it was there,
and a stop that nobody takes waits in the latch file.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hean.core.types import CancelRequest, OrderRequest, Side
from hean.errors import ParameterInvalid, StateError
from hean.follow import voice as voice_module
from hean.follow.voice import Voice
from hean.live.latch import Latch
from hean.live.parts import read_file, write_file
from hean.live.socket import LINE_BYTES_MAX, ControlSocket
from hean.risk.levels import Latched

ORDER = OrderRequest("BTCUSDT", Side.BUY, Decimal("0.01"))


class Office:
    """A socket that answers as it is told. *asked*: every document it got."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[dict[str, Any]] = []
        self.answer: Callable[[dict[str, Any]], Any] = lambda _: {"ok": True, "seq": 7}
        self.read: list[int] = []
        self.latch = Latch(folder / "kill.latch", read_file, write_file)
        self.voice = Voice(folder / "control.sock", self.latch, self._read_to, lambda: 5)

    async def _read_to(self, seq: int) -> None:
        self.read.append(seq)

    async def hear(self, line: bytes, _peer: str) -> bytes:
        self.asked.append(json.loads(line))
        found = self.answer(self.asked[-1])
        if asyncio.iscoroutine(found):
            found = await found
        return json.dumps(found).encode() + b"\n"

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        door = ControlSocket(self.folder / "control.sock", self.hear)
        await door.start()
        try:
            yield
        finally:
            await door.stop()


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


async def test_facts_are_said_as_they_are_and_answered_once_they_can_be_read(
    office: Office,
) -> None:
    office.answer = lambda _: {"ok": True, "orders": ["h1-manu-1"], "seq": 41}
    async with office.open():
        assert await office.voice.say([ORDER]) == "h1-manu-1"
    ((kind, fields),) = office.asked[0]["facts"]
    assert (kind, fields["size"], fields["side"]) == ("ORDER_REQUEST", "0.01", "BUY")
    assert office.read == [41]


async def test_many_facts_are_said_in_lines_that_are_short_enough(office: Office) -> None:
    wishes = [
        CancelRequest(f"h{'z' * 30}{number}", "", "asked by a person") for number in range(90)
    ]
    async with office.open():
        await office.voice.say(wishes)
    said = [fields["order_id"] for each in office.asked for _, fields in each["facts"]]
    assert said == [wish.order_id for wish in wishes]
    assert all(len(json.dumps(each)) < LINE_BYTES_MAX for each in office.asked)


async def test_a_refusal_is_the_error_that_it_was(office: Office) -> None:
    async with office.open():
        office.answer = lambda _: {"ok": False, "error": "no.", "code": ParameterInvalid.code}
        with pytest.raises(ParameterInvalid, match="no"):
            await office.voice.say([ORDER])
        office.answer = lambda _: {"ok": False, "error": "still starting"}
        with pytest.raises(StateError, match="still starting"):
            await office.voice.say([ORDER])
        office.answer = lambda _: {"ok": False, "missing": ["the phrase is another one"]}
        assert await office.voice.release("x", "y", "risk:ann") == ["the phrase is another one"]
        office.answer = lambda _: {"ok": True, "missing": ["a key"], "seq": 1}
        assert await office.voice.confirm("x", "risk:ann") == [], "the phrase was right"
    assert office.asked[-1] == {"verb": "confirm", "phrase": "x", "by": "ann"}


async def test_a_stop_for_nobody_waits_for_the_next(office: Office) -> None:
    with pytest.raises(StateError, match="no process trades here"):
        await office.voice.say([ORDER])
    await office.voice.kill("CANCEL_ALL", "odd", "operator:ann")
    latched = office.latch.load()
    assert (latched.level, latched.reason, latched.actor) == ("CANCEL_ALL", "odd", "operator:ann")


async def test_who_hangs_up_is_asked_again_and_not_taken_for_gone(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may serve too many at the moment, and it trades on meanwhile."""
    left = 3

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal left
        asked = await reader.readline()
        left -= 1
        if left < 0 and asked:
            writer.write(b'{"ok": true, "seq": 9}\n')
        writer.close()

    door = await asyncio.start_unix_server(hang_up, office.folder / "control.sock")
    await office.voice.kill("CANCEL_ALL", "odd", "operator:ann")
    assert (left, office.read, office.latch.load().level) == (-1, [9], "RUN")
    left = 1
    with pytest.raises(StateError, match="does not answer"):
        await office.voice.say([ORDER])
    assert left == 0, "an order is asked for once"
    left = 1_000
    monkeypatch.setattr(voice_module, "ASK_S", 0.3)
    with pytest.raises(StateError, match=r"NOT STOPPED.*does not answer.*CANCEL_ALL"):
        await office.voice.kill("CANCEL_ALL", "odd", "operator:ann")
    door.close()


async def test_a_stop_that_nobody_can_take_is_said_to_be_none(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.latch.path = office.folder / "missing" / "kill.latch"
    with pytest.raises(StateError, match=r"NOT STOPPED.*stopped at RUN"):
        await office.voice.kill("CANCEL_ALL", "odd", "operator:ann")
    office.latch.path = office.folder / "kill.latch"
    office.latch.raise_to(Latched("LOCKED", "before", "watchdog", 1))

    async def never(_: object) -> None:
        await asyncio.sleep(60)

    office.answer = lambda asked: never(asked)
    ask_soon = voice_module.ask_soon
    monkeypatch.setattr(
        voice_module,
        "ask_soon",
        lambda path, asked, timeout_s: ask_soon(path, asked, timeout_s=0.1),
    )
    async with office.open():
        with pytest.raises(StateError, match=r"NOT STOPPED.*does not answer.*LOCKED"):
            await office.voice.kill("CANCEL_ALL", "odd", "operator:ann")
