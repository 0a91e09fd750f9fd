# SPDX-License-Identifier: Apache-2.0
"""The commands and their socket: acknowledged means durable, and nothing odd gets through."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hean.core.module import IdSequence
from hean.core.types import Event, EventType, KillswitchReleased, KillswitchTriggered
from hean.errors import EnvironmentFault, QueueFull
from hean.live.control import TEXT_MAX, Commands, Running
from hean.live.latch import Latch
from hean.live.parts import read_file, write_file
from hean.live.socket import (
    CONNECTIONS_MAX,
    GONE,
    LINE_BYTES_MAX,
    ControlSocket,
    address_of,
    ask,
)
from hean.risk.killswitch import COOL_DOWN_S
from hean.risk.live_gate import Configured, KeyVerdict, LiveGate, phrase_of
from kill_desk import ACCOUNT, PHRASE, REASON, KillDesk


class Office:
    """The commands over a desk. *writes*: how the latch file is written."""

    def __init__(self, folder: Path, writes: Any = write_file) -> None:
        self.desk = KillDesk()
        self.latch = Latch(folder / "latch.txt", read_file, writes)
        self.commands = Commands(self.latch, now=lambda: self.desk.clock.now_ns)
        self.gate = LiveGate(role="mainnet", account_id=ACCOUNT)
        self.desk.system.add(self.gate)
        self.desk.bus.tap(self.follow)
        self.settled = 0

    def follow(self, event: Event) -> None:
        """The file follows what is journaled, as in a trading process."""
        if isinstance(event.data, KillswitchTriggered | KillswitchReleased):
            with suppress(OSError):
                self.latch.follow(event.data)

    def open(self, emit: Any = None) -> None:
        """The books are there."""
        self.desk.switch.restore(self.latch.load())
        self.commands.running = Running(
            self.desk.switch, self.gate, emit or self.desk.bus.emit, self.settle, lambda: {"seq": 7}
        )

    async def settle(self) -> None:
        self.settled += 1
        self.desk.say()

    async def ask(self, verb: str, **more: Any) -> dict[str, Any]:
        answer = await self.commands.answer(json.dumps({"verb": verb, **more}).encode(), "uid7")
        assert answer.endswith(b"\n") and answer.count(b"\n") == 1
        return json.loads(answer)


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


async def test_a_stop_is_answered_after_both_copies_have_it(office: Office) -> None:
    office.open()
    answer = await office.ask("kill", level="CANCEL_ALL", reason="odd", by="ann")
    assert (answer["ok"], answer["level"], answer["actor"]) == (True, "CANCEL_ALL", "operator:ann")
    assert office.desk.switch.level == office.latch.load().level == "CANCEL_ALL"
    assert office.settled == 1


async def test_a_thousand_stops_at_once_are_one_latch_and_a_thousand_same_answers(
    office: Office,
) -> None:
    office.open()
    answers = await asyncio.gather(*[office.ask("kill", level="HALT_NEW") for _ in range(1_000)])
    assert all(answer == answers[0] for answer in answers)
    assert len(office.desk.stops) == 1


async def test_the_door_is_closed_before_the_stop_is_on_the_disk(tmp_path: Path) -> None:
    seen = []

    def write(path: Path, content: bytes) -> None:
        seen.append(office.desk.switch.objection(False))
        write_file(path, content)

    office = Office(tmp_path, write)
    office.open()
    await office.ask("kill")
    assert "HALT_NEW" in seen[0]


async def test_a_stop_before_there_are_books_is_durable_and_in_force_afterwards(
    office: Office,
) -> None:
    answer = await office.ask("kill", level="FLATTEN", reason="at the start")
    assert (answer["ok"], answer["level"]) == (True, "FLATTEN")
    office.open()
    assert office.desk.switch.level == "FLATTEN"


async def test_a_bus_that_is_full_leaves_the_stop_in_the_file_and_the_door_closed(
    office: Office,
) -> None:
    def full(_: Any) -> None:
        raise QueueFull("50000 events wait")

    office.open(emit=full)
    answer = await office.ask("kill", level="HALT_NEW")
    assert (answer["ok"], answer["level"]) == (True, "HALT_NEW")
    assert office.latch.load().level == "HALT_NEW"
    assert office.desk.switch.objection(False)


async def test_a_stop_that_nothing_keeps_is_not_acknowledged_but_holds(tmp_path: Path) -> None:
    def fails(*_: Any) -> None:
        raise OSError(28, "no space left")

    def full(_: Any) -> None:
        raise QueueFull("50000 events wait")

    office = Office(tmp_path, fails)
    office.open(emit=full)
    answer = await office.ask("kill")
    assert not answer["ok"]
    assert "end the process" in answer["error"]
    assert office.desk.switch.objection(False)


async def test_a_disk_without_room_for_the_file_is_no_reason_to_refuse_a_stop(
    tmp_path: Path,
) -> None:
    def fails(*_: Any) -> None:
        raise OSError(28, "no space left")

    office = Office(tmp_path, fails)
    office.open()
    assert (await office.ask("kill"))["ok"]
    assert office.desk.switch.level == "HALT_NEW"


@pytest.mark.parametrize("level", ["RUN", "halt_new", "ALL", "x" * 200])
async def test_a_level_nobody_knows_is_refused_with_the_known_ones(
    office: Office, level: str
) -> None:
    office.open()
    answer = await office.ask("kill", level=level)
    assert not answer["ok"]
    assert "HALT_NEW, CANCEL_ALL, FLATTEN, LOCKED" in answer["error"]
    assert office.desk.switch.level == "RUN"


@pytest.mark.parametrize(
    ("reason", "kept"),
    [
        ("two\nlines\r\n", "two lines"),
        ("\x1b[2Jgone \u202eesrever\u200b", "?[2Jgone ?esrever?"),
        ("x" * 10_000, "x" * TEXT_MAX),
        ("", "no reason given"),
        ("\n", "no reason given"),
        (None, "no reason given"),
        (["a"], "no reason given"),
    ],
    ids=ascii,
)
async def test_a_stop_is_not_refused_for_the_looks_of_its_reason(
    office: Office, reason: Any, kept: str
) -> None:
    office.open()
    answer = await office.ask("kill", reason=reason)
    assert (answer["ok"], answer["reason"]) == (True, kept)
    assert office.latch.load().reason == kept
    assert office.desk.switch.latched.reason == kept


async def test_what_lacks_for_a_release_is_told_and_a_wrong_phrase_written_nowhere(
    office: Office,
) -> None:
    office.open()
    await office.ask("kill")
    answer = await office.ask("release", phrase="hunter2", reason="because")
    assert not answer["ok"]
    assert len(answer["missing"]) == 4
    assert ACCOUNT not in json.dumps(answer)
    assert "hunter2" not in str(office.desk.events)


async def test_a_release_with_everything_right_is_answered_when_it_is_done(office: Office) -> None:
    office.open()
    await office.ask("kill", by="ann")
    office.desk.explain()
    office.desk.wait(COOL_DOWN_S)
    answer = await office.ask("release", phrase=PHRASE, reason=REASON, by="ann")
    assert (answer["ok"], answer["level"], answer["latched"]) == (True, "RUN", False)
    (released,) = office.desk.of(EventType.KILLSWITCH_RELEASED)
    assert released.actor == "risk:ann"


async def test_the_phrase_of_this_boot_opens_the_gate_and_only_the_right_one(
    office: Office,
) -> None:
    office.open()
    office.gate.configure(Configured(True, True, True, True))
    office.gate.know_key(KeyVerdict(True, False, None))
    office.desk.explain()
    wrong = await office.ask("confirm", phrase="live 1 mainnet")
    assert (wrong["ok"], wrong["missing"]) == (
        False,
        ["the phrase of this boot, typed by a person"],
    )
    right = await office.ask("confirm", phrase=phrase_of(ACCOUNT, "mainnet"))
    assert right == {"ok": True, "missing": [], "seq": 0}
    assert office.gate.why == ""
    assert all("live " not in str(c.arguments) for c in office.desk.of(EventType.COMMAND))


async def test_what_is_said_by_hand_becomes_facts_that_are_named_and_judged(
    office: Office,
) -> None:
    office.open()
    office.commands.running = replace(
        office.commands.running, name=IdSequence(7).next_id, seq=lambda: 41
    )
    order = {"symbol": "BTC/USDT", "side": "BUY", "size": "0.01", "strategy_id": "mean"}
    off = {"verb": "disable", "arguments": {"strategy": "mean"}, "actor": "operator:ann"}
    said = [["ORDER_REQUEST", order], ["CANCEL_REQUEST", {"order_id": "h1"}], ["COMMAND", off]]
    answer = await office.ask("say", facts=said)
    assert answer == {"ok": True, "orders": ["h7-manu-1"], "seq": 41}
    (request,) = office.desk.of(EventType.ORDER_REQUEST)
    assert (request.symbol, request.strategy_id) == ("BTCUSDT", "manual"), "nobody else's name"
    assert office.settled == 1


@pytest.mark.parametrize(
    "facts",
    [
        None,
        [],
        [["ORDER_REQUEST"]],
        ["ORDER_REQUEST"],
        [["CANCEL_REQUEST", {"order_id": "h1"}]] * 51,
        [["ORDER_FILLED", {"order_id": "h1", "fill_price": "1", "filled_qty": "1"}]],
        [["ORDER_REQUEST", {"symbol": "BTCUSDT", "side": "BUY", "size": "lots"}]],
        [["ORDER_REQUEST", {"symbol": "BTCUSDT", "side": "BUY", "size": "1", "order_id": "h1"}]],
        [["ORDER_REQUEST", {"symbol": "BTCUSDT", "side": "BUY", "size": "1", "type": "STOP"}]],
        [["COMMAND", {"verb": "release", "arguments": {}, "actor": "risk:ann"}]],
        [["COMMAND", {"verb": "disable", "arguments": {"strategy": "mean"}, "actor": ""}]],
        [["COMMAND", {"verb": "limits", "arguments": {"no_such": "1"}, "actor": "risk:ann"}]],
    ],
)
async def test_nothing_else_can_be_said_and_nothing_of_it_enters(
    office: Office, facts: Any
) -> None:
    office.open()
    office.commands.running = replace(office.commands.running, name=IdSequence(7).next_id)
    assert (await office.ask("say", facts=facts))["ok"] is False
    office.desk.say()
    for kind in (EventType.ORDER_REQUEST, EventType.CANCEL_REQUEST, EventType.COMMAND):
        assert not office.desk.of(kind)


async def test_a_look_tells_what_the_gate_lacks_and_costs_no_hash(office: Office) -> None:
    assert await office.ask("look") == {"ok": True, "state": "starting"}
    office.open()
    answer = await office.ask("look")
    assert (answer["state"], answer["missing"]) == ("running", list(office.gate.missing))


async def test_heartbeats_are_told_to_the_triggers_and_answered_with_progress(
    office: Office,
) -> None:
    assert (await office.ask("heartbeat"))["state"] == "starting"
    office.open()
    assert (await office.ask("heartbeat"))["seq"] == 7
    office.desk.say()
    assert [h.component for h in office.desk.of(EventType.HEALTH)] == ["watchdog"]


async def test_what_needs_books_is_refused_while_there_are_none(office: Office) -> None:
    for verb in ("release", "confirm"):
        assert "still starting" in (await office.ask(verb))["error"]
    assert (await office.ask("status"))["level"] == "RUN"


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"{}",
        b"[]",
        b'"kill"',
        b"kill",
        b"{" * 5_000,
        b"[" * 8_000,
        b"\xff\xfe",
        b'{"verb": 7}',
        b'{"verb": "KILL"}',
        b'{"verb": "kill", "level": ["LOCKED"]}',
        b'{"verb": "kill", "by": "\\ud800"}',
        b'{"verb": "submit", "symbol": "BTCUSDT"}',
    ],
)
async def test_whatever_else_comes_is_refused_in_words_and_changes_nothing(
    office: Office, line: bytes
) -> None:
    office.open()
    answer = json.loads(await office.commands.answer(line))
    assert answer["ok"] is False
    assert len(answer["error"]) < 200
    assert office.desk.events == []


# ---------------------------------------------------------------- the socket


@pytest.fixture
async def door(office: Office, tmp_path: Path) -> Any:
    control = ControlSocket(tmp_path / "control.sock", office.commands.answer)
    office.open()
    await control.start()
    yield control
    await control.stop()
    await control.stop()


async def test_the_socket_is_its_owners_alone_and_gone_at_the_end(
    door: ControlSocket, office: Office
) -> None:
    assert door.path.stat().st_mode & 0o777 == 0o600
    answer = await asyncio.to_thread(ask, door.path, {"verb": "kill", "level": "HALT_NEW"})
    assert answer["ok"]
    assert office.desk.switch.latched.actor == f"operator:uid{os.getuid()}"
    await door.stop()
    assert not door.path.exists()
    with pytest.raises(FileNotFoundError):
        await asyncio.to_thread(ask, door.path, {"verb": "status"})


async def opened(path: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to the door."""
    with address_of(path) as address:
        return await asyncio.open_unix_connection(address)


async def test_many_lines_of_one_connection_are_answered_in_order(door: ControlSocket) -> None:
    reader, writer = await opened(door.path)
    for _ in range(3):
        writer.write(b'{"verb": "status"}\n{"verb": "nonsense"}\n')
    found = [json.loads(await reader.readline())["ok"] for _ in range(6)]
    assert found == [True, False] * 3
    writer.close()


async def test_a_line_without_end_is_cut_off(door: ControlSocket) -> None:
    reader, writer = await opened(door.path)
    writer.write(b"x" * (LINE_BYTES_MAX * 4))
    assert await reader.read() == b""
    writer.close()


async def test_connections_that_only_wait_keep_nobody_out(door: ControlSocket) -> None:
    lines = [await opened(door.path) for _ in range(CONNECTIONS_MAX)]
    for _, writer in (*lines[1:], lines[0]):
        writer.write(b'{"verb": "status"}\n')
    for reader, _ in lines:
        assert json.loads(await reader.readline())["ok"]
    for number in range(3):  # each takes the place of who waits longest
        assert (await asyncio.to_thread(ask, door.path, {"verb": "kill"}))["ok"]
        assert await lines[number + 1][0].read() == b"", "the longest silent is let go"
        lines.append(await opened(door.path))
        lines[-1][1].write(b'{"verb": "status"}\n')
        assert json.loads(await lines[-1][0].readline())["ok"]
    lines[0][1].write(b'{"verb": "status"}\n')
    assert json.loads(await lines[0][0].readline())["ok"], "who spoke later stays"
    for _, writer in lines:
        writer.close()


async def test_with_all_at_work_one_more_is_hung_up_on(office: Office, tmp_path: Path) -> None:
    go_on, heard = asyncio.Event(), []

    async def slow(line: bytes, peer: str) -> bytes:
        heard.append(line)
        await go_on.wait()
        return await office.commands.answer(line, peer)

    control = ControlSocket(tmp_path / "control.sock", slow)
    await control.start()
    lines = [await opened(control.path) for _ in range(CONNECTIONS_MAX)]
    for _, writer in lines:
        writer.write(b'{"verb": "kill"}\n')
    async with asyncio.timeout(60):
        while len(heard) < CONNECTIONS_MAX:
            await asyncio.sleep(0.01)
    with pytest.raises(ConnectionError) as hung_up:
        await asyncio.to_thread(ask, control.path, {"verb": "kill"})
    assert not isinstance(hung_up.value, GONE)
    go_on.set()
    for reader, writer in lines:
        assert json.loads(await reader.readline())["ok"]
        writer.close()
    await control.stop()
    with pytest.raises(GONE):
        await asyncio.to_thread(ask, control.path, {"verb": "kill"})


async def test_the_socket_of_a_dead_process_is_replaced(office: Office, tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as dead, address_of(path) as address:
        dead.bind(address)
    control = ControlSocket(path, office.commands.answer)
    await control.start()
    assert (await asyncio.to_thread(ask, path, {"verb": "status"}))["ok"]
    await control.stop()


async def test_a_longer_path_than_a_socket_takes_is_gone_by_way_of_its_folder(
    office: Office, tmp_path: Path
) -> None:
    folder = tmp_path / ("x" * 120)
    folder.mkdir()
    control = ControlSocket(folder / "control.sock", office.commands.answer)
    await control.start()
    assert (await asyncio.to_thread(ask, control.path, {"verb": "status"}))["ok"]
    assert control.path.is_socket()
    await control.stop()
    assert not control.path.exists()


async def test_a_place_no_socket_can_be_made_at_is_refused_with_the_reason(
    office: Office, tmp_path: Path
) -> None:
    control = ControlSocket(tmp_path / "nowhere" / "control.sock", office.commands.answer)
    with pytest.raises(EnvironmentFault, match="no control socket can be made there"):
        await control.start()
