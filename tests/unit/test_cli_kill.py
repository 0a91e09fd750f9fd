# SPDX-License-Identifier: Apache-2.0
"""`hean kill` and `hean confirm` against processes that run, that do not, and that do not
answer.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from hean import cli_kill, cli_places
from hean.cli import app
from hean.live.control import TEXT_MAX, Commands, Running
from hean.live.latch import Latch
from hean.live.parts import read_file, write_file
from hean.live.settings import LiveSettings
from hean.live.socket import ControlSocket, address_of, ask
from hean.risk.levels import Latched
from hean.risk.live_gate import LiveGate, phrase_of
from kill_desk import ACCOUNT, PHRASE, KillDesk

NAME = "bybit-linear-mainnet"


class Process:
    """A trading process as the command line meets it: control socket, commands, kill switch."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.desk = KillDesk()
        latch = Latch(folder / cli_places.LATCH, read_file, write_file)
        gate = LiveGate(role="mainnet", account_id=ACCOUNT)
        self.desk.system.add(gate)
        commands = Commands(latch, now=lambda: self.desk.clock.now_ns)
        commands.running = Running(self.desk.switch, gate, self.desk.bus.emit, self.settle, dict)
        self.control = ControlSocket(folder / cli_places.CONTROL, commands.answer)
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        asyncio.run_coroutine_threadsafe(self.control.start(), self.loop).result()

    async def settle(self) -> None:
        self.desk.say()

    def end(self) -> None:
        asyncio.run_coroutine_threadsafe(self.control.stop(), self.loop).result()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    process = Process(tmp_path / "live" / NAME)
    yield process
    process.end()


def run(folder: Path, *args: str, typed: str = "") -> Result:
    return CliRunner().invoke(app, [*args, "--data-dir", str(folder)], input=typed)


def latched(folder: Path) -> Latched:
    return Latch(folder / cli_places.LATCH, read_file, write_file).load()


def asleep(folder: Path, name: str) -> Path:
    """The folder of a process that does not run."""
    place = folder / "live" / name
    place.mkdir(parents=True)
    (place / cli_places.JOURNAL).touch()
    return place


def test_names_are_those_of_a_trading_process(tmp_path: Path) -> None:
    place = LiveSettings("bybit", "linear", "mainnet", ("BTCUSDT",), "impulse", tmp_path)
    assert {place.control.name, place.latch.name, place.journal.name} == {
        cli_places.CONTROL, cli_places.LATCH, cli_places.JOURNAL
    }  # fmt: skip


def test_a_running_process_is_stopped_and_says_so(process: Process, tmp_path: Path) -> None:
    result = run(tmp_path, "kill", "--level", "FLATTEN", "--reason", "the feed is wrong")
    assert (result.exit_code, result.stdout) == (0, f"{NAME}: stopped at FLATTEN\n")
    stop = process.desk.switch.latched
    assert (stop.level, stop.reason) == ("FLATTEN", "the feed is wrong")
    assert stop.actor.startswith("operator:")


def test_a_stop_counts_however_its_reason_is_written(process: Process, tmp_path: Path) -> None:
    place = asleep(tmp_path, "binance-spot-testnet")
    reason = "the feed\nis wrong \x1b[2J\u202e" + "x" * 20_000
    result = run(tmp_path, "kill", "--level", "HALT_NEW", "--reason", reason)
    assert result.exit_code == 0, result.output
    for stop in (process.desk.switch.latched, latched(place)):
        assert stop.level == "HALT_NEW"
        assert stop.reason == f"the feed is wrong ?[2J?{'x' * 500}"[:TEXT_MAX]


def test_without_a_level_open_orders_are_taken_back_too(process: Process, tmp_path: Path) -> None:
    assert run(tmp_path, "kill").exit_code == 0
    assert process.desk.switch.level == "CANCEL_ALL"


def test_a_process_that_does_not_run_is_stopped_at_its_next_start(tmp_path: Path) -> None:
    place = asleep(tmp_path, NAME)
    result = run(tmp_path, "kill", "--level", "HALT_NEW", "--json", "-")
    assert result.exit_code == 0
    (stopped,) = json.loads(result.stdout)["stopped"]
    assert (stopped["level"], stopped["is_running"]) == ("HALT_NEW", False)
    assert latched(place).level == "HALT_NEW"
    run(tmp_path, "kill", "--level", "LOCKED")
    run(tmp_path, "kill", "--level", "HALT_NEW")
    assert latched(place).level == "LOCKED"


def test_all_processes_are_stopped_at_once(process: Process, tmp_path: Path) -> None:
    place = asleep(tmp_path, "binance-spot-testnet")
    result = run(tmp_path, "kill")
    assert result.exit_code == 0
    assert process.desk.switch.level == latched(place).level == "CANCEL_ALL"


def test_a_process_that_does_not_answer_keeps_no_other_from_being_stopped(
    process: Process, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = asleep(tmp_path, "a-stuck-one")

    def soon(path: Path, document: dict[str, Any], timeout_s: float) -> dict[str, Any]:
        return ask(path, document, timeout_s=0.2 if place in path.parents else timeout_s)

    monkeypatch.setattr(cli_places, "ask", soon)
    with socket.socket(socket.AF_UNIX) as stuck:
        with address_of(place / cli_places.CONTROL) as address:
            stuck.bind(address)
        stuck.listen()
        result = run(tmp_path, "kill")
    assert result.exit_code == 3
    assert "a-stuck-one: NOT STOPPED" in result.stdout
    assert f"{NAME}: stopped at CANCEL_ALL" in result.stdout
    assert latched(place).level == "CANCEL_ALL"


@contextmanager
def hanging_up(path: Path, times: int) -> Iterator[list[bytes]]:
    """A process that closes so many connections without a word, and then answers."""
    heard: list[bytes] = []
    with socket.socket(socket.AF_UNIX) as door:
        with address_of(path) as address:
            door.bind(address)
        door.listen()

        def serve() -> None:
            with suppress(OSError):
                while True:
                    line, _ = door.accept()
                    with line:
                        heard.append(line.recv(4_096))
                        if len(heard) > times:
                            line.sendall(b'{"ok": true, "level": "CANCEL_ALL"}\n')

        thread = threading.Thread(target=serve)
        thread.start()
        yield heard
        door.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_a_process_that_hangs_up_is_asked_again_and_not_taken_for_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may serve too many at the moment, and it trades on meanwhile."""
    path = asleep(tmp_path, NAME) / cli_places.CONTROL
    with hanging_up(path, 3) as heard:
        result = run(tmp_path, "kill")
        assert (result.exit_code, result.stdout) == (0, f"{NAME}: stopped at CANCEL_ALL\n")
        assert len(heard) == 4
    path.unlink()
    monkeypatch.setattr(cli_kill, "ASK_S", 0.5)
    with hanging_up(path, 1_000) as heard:
        result = run(tmp_path, "kill")
        assert result.exit_code == 3 and f"{NAME}: NOT STOPPED" in result.stdout
        assert latched(path.parent).level == "CANCEL_ALL"
        heard.clear()
        result = run(tmp_path, "kill", "--release", "--phrase", "x", "--reason", "looked at it")
        assert result.exit_code == 3 and "does not answer" in result.stderr
        assert len(heard) == 1, "what might be done twice is asked once"


def test_one_of_several_can_be_named(process: Process, tmp_path: Path) -> None:
    place = asleep(tmp_path, "binance-spot-testnet")
    assert run(tmp_path, "kill", "--only", "binance-spot-testnet").exit_code == 0
    assert (process.desk.switch.level, latched(place).level) == ("RUN", "CANCEL_ALL")


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["kill"], 3, "nothing trades below"),
        (["kill", "--level", "STOP"], 2, "HALT_NEW, CANCEL_ALL, FLATTEN, LOCKED"),
        (["kill", "--level", "RUN"], 2, "allowed"),
        (["confirm"], 3, "nothing trades below"),
        (["kill", "--only", "nobody"], 2, "no such folder"),
    ],
)
def test_what_cannot_be_done_is_told_with_its_exit_code(
    tmp_path: Path, args: list[str], code: int, words: str
) -> None:
    result = run(tmp_path, *args)
    assert result.exit_code == code
    assert words in result.stderr


def test_a_release_that_lacks_something_is_refused_by_the_gate(
    process: Process, tmp_path: Path
) -> None:
    run(tmp_path, "kill")
    result = run(tmp_path, "kill", "--release", "--reason", "all is well again", typed="wrong\n")
    assert result.exit_code == 4
    assert "the phrase is another one" in result.stderr
    assert ACCOUNT not in result.output
    assert process.desk.switch.level == "CANCEL_ALL"


def test_a_release_with_everything_right_lets_trading_go_on(
    process: Process, tmp_path: Path
) -> None:
    run(tmp_path, "kill")
    process.desk.explain()
    process.desk.wait(61)
    result = run(
        tmp_path, "kill", "--release", "--reason", "all is well again", typed=f"{PHRASE}\n"
    )
    assert (result.exit_code, result.stdout) == (0, f"{NAME}: released\n")
    assert process.desk.switch.level == "RUN"
    assert latched(tmp_path / "live" / NAME).level == "CANCEL_ALL"  # the tap's work, not here


def test_a_release_of_nobody_in_particular_is_refused(process: Process, tmp_path: Path) -> None:
    asleep(tmp_path, "binance-spot-testnet")
    result = run(tmp_path, "kill", "--release", "--phrase", PHRASE)
    assert result.exit_code == 2
    assert "name one with --only" in result.stderr


def test_the_phrase_of_this_boot_is_typed_and_never_an_option(
    process: Process, tmp_path: Path
) -> None:
    wrong = run(tmp_path, "confirm", typed="live 1 mainnet\n")
    assert wrong.exit_code == 4
    assert "the phrase of this boot" in wrong.stderr
    right = run(tmp_path, "confirm", typed=f"{phrase_of(ACCOUNT, 'mainnet')}\n")
    assert right.exit_code == 0
    assert "confirmed; still missing: LIVE_CONFIRM in the environment" in right.stdout
    assert run(tmp_path, "confirm", "--phrase", "x").exit_code == 2


def test_a_process_that_is_gone_cannot_be_confirmed(tmp_path: Path) -> None:
    asleep(tmp_path, NAME)
    result = run(tmp_path, "confirm", typed="x\n")
    assert result.exit_code == 3
    assert "start it with hean live" in result.stderr
