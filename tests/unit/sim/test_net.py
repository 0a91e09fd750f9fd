# SPDX-License-Identifier: Apache-2.0
"""The simulated network under the project's own socket and HTTP client: in order, late, lost."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from typing import Any

import pytest

from hean.errors import HeanError, NotSent, OutcomeUnknown
from hean.net.http import TIMEOUT_S, HttpClient
from hean.net.socket import ConnectGovernor, Connection, Heartbeat
from hean.sim.exchange import MarketPath, SimExchange
from hean.sim.net import NetFaults, SimNet
from hean.sim.process import Process
from hean.sim.world import World
from hean.twin.faults.dials import DIALS
from hean.twin.faults.settings import read_setting

BASE = "http://exchange"
PUBLIC = "ws://exchange/v5/public/linear"
TIME = "/v5/market/time"
SUBSCRIBE = b'{"op":"subscribe","args":["tickers.BTCUSDT"]}'


class Place:
    """A world with Bybit in it and one process."""

    def __init__(self) -> None:
        self.world = World(3)
        self.exchange = SimExchange(
            self.world, "bybit", "linear", ("BTCUSDT",), path=MarketPath(trades=1.0)
        )
        self.net = SimNet(self.world, self.exchange)
        self.exchange.start()
        self.process = Process(self.world, 1, lambda why: None)
        self.frames: list[bytes] = []
        self.downs: list[str] = []

    def run(self, main: Coroutine[Any, Any, None], seconds: float = 60.0) -> None:
        """Run a process for so long."""
        self.process.run(main)
        self.world.later(seconds, self.world.loop.stop)
        self.world.loop.run_forever()

    def dial(self, name: str, **more: Any) -> None:
        """Set a dial of the twin."""
        setting, problems = read_setting({"dial": name, **more}, DIALS, "test")
        assert setting is not None, problems
        self.exchange.set(setting)

    def client(self) -> HttpClient:
        """A client of the exchange."""
        now, transport = self.world.machine_now, self.net.transport(self.process)
        return HttpClient(BASE, now=now, transport=transport)

    def connection(self, **given: Any) -> Connection:
        """A WebSocket that subscribes to a ticker whenever it opens."""
        return Connection(
            "test",
            lambda: PUBLIC,
            on_frame=self.frames.append,
            on_open=lambda connection: connection.send(SUBSCRIBE),
            on_down=self.downs.append,
            heartbeat=given.get("heartbeat", Heartbeat()),
            silence_s=given.get("silence_s", 5.0),
            now=self.world.machine_now,
            rng=random.Random(1),
            governor=ConnectGovernor(),
            dial=self.net.dial(self.process),
        )


@pytest.fixture
def place() -> Iterator[Place]:
    found = Place()
    yield found
    found.process.kill()
    found.world.close()


def asked(place: Place, times: int = 40) -> list[Any]:
    """Ask so often. *Returns*: the status of each answer, or the error."""
    found: list[Any] = []

    async def main() -> None:
        async with place.client() as client:
            for _ in range(times):
                try:
                    found.append((await client.request("GET", TIME)).status)
                except HeanError as error:
                    found.append(type(error))

    place.run(main(), 1_000.0)
    assert len(found) == times
    return found


def stay(connection: Connection) -> Callable[[], Coroutine[Any, Any, None]]:
    async def main() -> None:
        await connection.start()
        await asyncio.sleep(3_600.0)

    return main


def test_an_honest_network_brings_every_answer(place):
    assert set(asked(place)) == {200}


def test_a_refused_connection_is_a_definite_no_and_nothing_left(place):
    left: list[bytes] = []
    place.net.on_leaving = lambda process, meaning, body: left.append(body)
    place.net.faults = NetFaults(refused=0.5)
    found = asked(place)
    assert set(found) == {200, NotSent}
    assert len(left) == found.count(200)


def test_an_answer_that_takes_too_long_leaves_the_outcome_unknown(place):
    place.net.faults = NetFaults(slow=0.5, slow_s=20.0)
    left: list[bytes] = []
    place.net.on_leaving = lambda process, meaning, body: left.append(body)
    found = asked(place)
    assert set(found) == {200, OutcomeUnknown, NotSent}
    assert len(left) == 40 - found.count(NotSent)  # who found no connection in time


def test_a_request_takes_no_longer_than_its_time_connecting_included(place):
    """As with sockets, where both are of one total."""
    ended_s: list[float] = []

    async def main() -> None:
        async with place.client() as client:
            for _ in range(40):
                began_s = place.world.now_s()
                with suppress(HeanError):
                    await client.request("GET", TIME)
                ended_s.append(place.world.now_s() - began_s)

    place.net.faults = NetFaults(slow=0.5, slow_s=20.0)
    place.run(main(), 1_000.0)
    assert len(ended_s) == 40
    assert max(ended_s) == pytest.approx(TIMEOUT_S, abs=0.001)


@pytest.mark.parametrize("dial", ["timeout_accepted", "reset_after_request"])
def test_what_a_dial_of_the_twin_does_to_requests_is_done(place, dial):
    place.dial(dial, match={"op": "time"}, probability=0.5)
    assert set(asked(place)) == {200, OutcomeUnknown}


def test_frames_of_one_connection_come_in_order_however_late(place):
    place.net.faults = NetFaults(slow=0.3, slow_s=3.0)
    place.run(stay(place.connection(silence_s=60.0))(), 120.0)
    stamps = [int(frame.partition(b'"ts":')[2].split(b"}")[0]) for frame in place.frames[1:]]
    assert len(stamps) > 50
    assert stamps == sorted(stamps)


def test_a_line_that_is_cut_is_told_and_opened_again(place):
    place.net.faults = NetFaults(cut_every_s=20.0)
    connection = place.connection()
    place.run(stay(connection)(), 150.0)
    assert connection.opens > connection.drops >= 3
    assert "without a word" in place.downs[0]


@pytest.mark.parametrize("mute_fraction", [0.0, 1.0])
def test_no_line_is_cut_once_all_is_calm(place, mute_fraction: float):
    """Also none that was to be cut later."""
    place.net.faults = NetFaults(cut_every_s=60.0, mute_fraction=mute_fraction)
    connection = place.connection()
    place.world.later(1.0, place.net.calm)
    place.run(stay(connection)(), 600.0)
    assert connection.drops == 0


def test_a_line_that_falls_silent_is_found_out_by_silence(place):
    place.net.faults = NetFaults(cut_every_s=20.0, mute_fraction=1.0)
    connection = place.connection(heartbeat=Heartbeat(every_s=3_600.0))
    place.run(stay(connection)(), 300.0)
    assert connection.drops >= 5
    assert "no data" in place.downs[0]


def test_pings_are_answered_while_the_line_lives(place):
    connection = place.connection(silence_s=3_600.0, heartbeat=Heartbeat(every_s=5.0))
    place.run(stay(connection)(), 300.0)
    assert connection.drops == 0


def test_a_frame_to_a_paused_reader_waits(place):
    connection = place.connection(silence_s=3_600.0)
    counted: list[int] = []

    async def main() -> None:
        await connection.start()
        await asyncio.sleep(5.0)
        connection.pause()
        counted.append(len(place.frames))
        await asyncio.sleep(5.0)
        counted.append(len(place.frames))
        connection.resume()
        counted.append(len(place.frames))

    place.run(main(), 20.0)
    assert counted[0] == counted[1] < counted[2]


def test_the_exchange_hears_that_a_process_has_died(place):
    place.world.later(30.0, place.process.kill)
    place.run(stay(place.connection())(), 60.0)
    assert place.net.sessions == {}
    assert place.downs == []
