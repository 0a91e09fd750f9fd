# SPDX-License-Identifier: Apache-2.0
"""One update to many listeners (ADR 0030): whoever takes what comes hears all of it, in order and
once; who is behind hears each fact and the newest of a state, and who takes nothing is given up.
"""

from __future__ import annotations

import asyncio
import random
import subprocess
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest

from engine_desk import engine_desk
from hean.api import fanout
from hean.api.face import Face
from hean.api.fanout import FanOut, Listener, Stuck, framed
from hean.api.permissions import Role
from hean.config import load
from hean.engine.topics import STATES
from hean.net.bind import Bind

TOPICS = ("orders", "fills", "pnl", "market")
LAP = 0.002


class Pipe:
    """A wire that holds so many writes until they are taken."""

    def __init__(self, room: int) -> None:
        self.on_full: Callable[[], None] = lambda: None
        self.heard = b""
        self._waiting: list[bytes] = []
        self._room = room
        self._has_room = asyncio.Event()
        self._has_room.set()

    def write(self, frames: bytes) -> None:
        """Hold it."""
        assert self._has_room.is_set(), "it was full"
        self._waiting.append(frames)
        if len(self._waiting) > self._room:
            self._has_room.clear()
            self.on_full()

    def take(self) -> None:
        """Let all through."""
        self.heard += b"".join(self._waiting)
        self._waiting.clear()
        self._has_room.set()

    async def room(self) -> None:
        """Wait for it."""
        await self._has_room.wait()

    def texts(self) -> list[str]:
        """What came through, frame by frame."""
        found, at = [], 0
        while at < len(self.heard):
            size = self.heard[at + 1]
            assert self.heard[at] == 0x81 and size < 126
            found.append(self.heard[at + 2 : at + 2 + size].decode())
            at += 2 + size
        return found


@pytest.mark.parametrize("seed", range(12))
async def test_each_hears_its_topics_in_order_and_once(seed: int) -> None:
    rng = random.Random(seed)
    fan_out, pipes, tasks, said = FanOut(), [], [], []
    wanted = [frozenset(rng.sample(TOPICS, rng.randint(1, 4))) for _ in range(8)]
    for number, topics in enumerate(wanted):
        pipe = Pipe(room=rng.choice((0, 1, 3, 1_000)))
        listener = Listener(pipe)
        pipes.append(pipe)
        tasks.append(asyncio.ensure_future(listener.send()))
        fan_out.listen(listener, topics)
        listener.put(framed(b"hello %d" % number))
    for number in range(60):
        for topic in rng.sample(TOPICS, rng.randint(0, 3)):
            said.append((topic, f"{topic} {number}"))
            fan_out.tell(topic, said[-1][1].encode())
        await asyncio.sleep(0)
        for pipe in pipes:
            if rng.random() < 0.3:
                pipe.take()
    for _ in range(4):
        await asyncio.sleep(LAP)
        for pipe in pipes:
            pipe.take()
    for task in tasks:
        task.cancel()
    for number, (pipe, topics) in enumerate(zip(pipes, wanted, strict=True)):
        heard = pipe.texts()
        assert heard.pop(0) == f"hello {number}"
        for topic in topics:
            told = [text for name, text in said if name == topic]
            mine = [text for text in heard if text.split()[0] == topic]
            if topic in STATES:
                assert mine == [text for text in told if text in mine]  # in order, each once
                assert mine[-1:] == told[-1:]
            else:
                assert mine == told
        assert {text.split()[0] for text in heard} <= topics


async def test_what_is_said_in_one_turn_leaves_in_one_write_that_all_share() -> None:
    writes: list[bytes] = []
    fan_out = FanOut()
    for _ in range(3):
        pipe = Pipe(room=9)
        pipe.write = writes.append  # type: ignore[method-assign]
        fan_out.listen(Listener(pipe), frozenset({"pnl", "orders"}))
    for topic in ("pnl", "market", "orders"):
        fan_out.tell(topic, topic.encode())
    await asyncio.sleep(0)
    assert writes == [framed(b"pnl") + framed(b"orders")] * 3
    assert writes[0] is writes[1] is writes[2]


async def test_who_begins_or_ends_in_the_same_turn_misses_nothing_and_hears_nothing_twice() -> None:
    fan_out, early, late = FanOut(), Pipe(room=9), Pipe(room=9)
    first, second = Listener(early), Listener(late)
    fan_out.listen(first, frozenset({"orders"}))
    fan_out.tell("orders", b"1")
    fan_out.listen(second, frozenset({"orders"}))
    second.put(framed(b"snapshot with 1"))
    fan_out.tell("orders", b"2")
    fan_out.listen(first, frozenset())
    fan_out.tell("orders", b"3")
    await asyncio.sleep(0)
    early.take()
    late.take()
    assert early.texts() == ["1", "2"]
    assert late.texts() == ["snapshot with 1", "2", "3"]
    fan_out.listen(second, frozenset())
    assert not fan_out._groups


async def test_who_takes_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    fan_out, pipe = FanOut(), Pipe(room=0)
    listener = Listener(pipe)
    fan_out.listen(listener, frozenset({"orders"}))
    for _ in range(fanout.FACTS_MAX + 10):
        fan_out.tell("orders", b"x")
        await asyncio.sleep(0)
    pipe.take()
    with pytest.raises(Stuck, match="more than"):
        await listener.send()
    monkeypatch.setattr(fanout, "SEND_S", 0.02)
    listener = Listener(other := Pipe(room=0))
    for _ in range(3):
        listener.put(framed(b"x"))
    with pytest.raises(Stuck, match="not taken"):
        await listener.send()
    assert not other.heard


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 100_000])
def test_frames_are_those_of_the_standard(size: int) -> None:
    from websockets.client import ClientProtocol
    from websockets.protocol import OPEN
    from websockets.uri import parse_uri

    client = ClientProtocol(parse_uri("ws://x"), state=OPEN, max_size=None)
    text = b"x" * size
    client.receive_data(framed(text))
    (frame,) = client.events_received()
    assert frame.data == text and frame.fin and frame.opcode == 1


@pytest.fixture
def bind(tmp_path: Path) -> Bind:
    """An address with a certificate that nobody vouches for."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1",
         "-subj", "/CN=localhost", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    return Bind(port=0, certificate=certificate, key=key)


async def test_over_tls_frames_leave_as_they_come(tmp_path: Path, bind: Bind) -> None:
    async with engine_desk(tmp_path) as engine, aiohttp.ClientSession() as http:
        face = Face(engine.facade, tmp_path / "data", load({}, {}), bind)
        token, _ = face.api.access.tokens.create(Role.VIEWER)
        await face.start()
        try:
            url = f"{face.server.url}/ws".replace("https", "wss")
            async with http.ws_connect(url, ssl=False) as socket, asyncio.timeout(60):
                await socket.send_json({"action": "auth", "token": token})
                await socket.send_json({"action": "subscribe", "topic": "orders"})
                assert (await socket.receive_json())["ok"]
                assert (await socket.receive_json())["snapshot"]
                for number in range(50):  # none waits until it is given up
                    face.streams._tell("orders", 0, b"%d %s" % (number, b"x" * 20_000))
                    assert (await socket.receive_str()).split()[0] == str(number)
        finally:
            await face.stop()
