# SPDX-License-Identifier: Apache-2.0
"""A WebSocket that comes back: against a real server on loopback that misbehaves on request."""

from __future__ import annotations

import asyncio
import random
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from picows import WSCloseCode, WSMsgType, ws_create_server

from hean.errors import EnvironmentFault, NotConnected, NotSent
from hean.net import socket as subject
from hean.net.line import MESSAGE_BYTES_MAX
from hean.net.socket import ConnectGovernor, Connection, Heartbeat, SocketState
from ws_server import Peer, ScriptedServer, until

PING, PONG = b'{"op":"ping"}', b'{"op":"pong"}'


class Hasty(random.Random):
    """Chance that never waits and remembers how long it might have."""

    def __init__(self) -> None:
        super().__init__(1)
        self.limits_s: list[float] = []

    def uniform(self, a: float, b: float) -> float:
        self.limits_s.append(b)
        return a


class Owner:
    """Keeps what a connection tells."""

    def __init__(self, url: str, **given: Any) -> None:
        self.frames: list[bytes] = []
        self.downs: list[str] = []
        self.opens = 0
        self.silences = 0
        self.rng = Hasty()
        self.greeting: bytes | None = None
        settings: dict[str, Any] = {
            "heartbeat": Heartbeat(),
            "silence_s": 60.0,
            "now": time.time_ns,
            "rng": self.rng,
            "governor": ConnectGovernor(),
        }
        self.connection = Connection(
            "test",
            lambda: url,
            on_frame=self.frames.append,
            on_open=self.on_open,
            on_down=self.downs.append,
            on_silence=self.on_silence,
            **settings | given,
        )

    def on_open(self, connection: Connection) -> None:
        self.opens += 1
        if self.greeting is not None:
            connection.send(self.greeting)

    def on_silence(self) -> None:
        self.silences += 1


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer() as found:
        yield found


def self_signed(folder: Path) -> ssl.SSLContext:
    """What a server needs that says it is localhost, without anybody vouching for it."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1",
         "-subj", "/CN=localhost", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    return context


async def refused(owner: Owner) -> str:
    """Why the first attempt failed. The owner is stopped then."""
    starting = asyncio.ensure_future(owner.connection.start())
    await until(lambda: owner.connection.last_reason)
    starting.cancel()
    await owner.connection.stop()
    return owner.connection.last_reason


async def test_frames_come_whole_in_order_and_after_the_owner_was_told_of_the_opening(server):
    order: list[str] = []
    server.on_open = lambda peer: peer.say(b"one", "zwölf".encode(), b"")
    owner = Owner(server.url)
    owner.connection.on_frame = lambda frame: order.append(frame.decode())
    owner.connection._on_open = lambda connection: order.append("open")
    await owner.connection.start()
    await until(lambda: len(order) == 4)
    await owner.connection.stop()
    assert order == ["open", "one", "zwölf", ""]


async def test_what_is_sent_arrives_as_one_text(server):
    owner = Owner(server.url)
    owner.greeting = b'{"op":"subscribe"}'
    await owner.connection.start()
    owner.connection.send(b"more")
    await until(lambda: len(server.last.texts) == 2)
    assert server.last.texts == [b'{"op":"subscribe"}', b"more"]
    await owner.connection.stop()
    await until(lambda: server.last.is_gone)


async def test_nothing_is_sent_without_an_open_socket(server):
    owner = Owner(server.url)
    with pytest.raises(NotConnected, match="test is stopped; nothing was sent"):
        owner.connection.send(b"order")
    refused: list[Exception] = []

    def down(reason: str) -> None:
        with pytest.raises(NotConnected) as caught:
            owner.connection.send(b"order")
        refused.append(caught.value)

    owner.connection._on_down = down
    await owner.connection.start()
    server.last.cut()
    await until(lambda: refused)
    await owner.connection.stop()
    assert b"order" not in server.peers[0].texts


async def test_a_lost_socket_is_told_once_and_another_opened_at_an_address_asked_anew(server):
    keys = iter("abc")
    owner = Owner("unused")
    owner.connection._url = lambda: f"{server.url}/ws/{next(keys)}"
    await owner.connection.start()
    server.last.cut()
    await until(lambda: owner.opens == 2)
    server.last.transport.send_close(WSCloseCode.GOING_AWAY, b"maintenance")
    await until(lambda: owner.opens == 3)
    await owner.connection.stop()
    assert [peer.path for peer in server.peers] == ["/ws/a", "/ws/b", "/ws/c"]
    assert owner.downs == [
        "connection lost without a word",
        "closed by the venue with code 1001: 'maintenance'",
    ]
    assert owner.connection.drops == 2


async def test_the_address_may_take_a_while_to_find(server):
    async def found() -> str:
        await asyncio.sleep(0)
        return f"{server.url}/found"

    owner = Owner("unused")
    owner.connection._url = found
    await owner.connection.start()
    await owner.connection.stop()
    assert server.last.path == "/found"


async def test_a_start_without_an_answer_ends_with_the_remedy_and_without_the_address():
    async with ScriptedServer() as gone:
        url = f"{gone.url}/ws/very-secret-listen-key"
    owner = Owner(url, connect_timeout_s=0.3)
    with pytest.raises(EnvironmentFault, match="no connection within 0.3 s") as caught:
        await owner.connection.start()
    assert "secret" not in str(caught.value)
    assert "check network" in str(caught.value)
    assert owner.connection.state is SocketState.STOPPED


async def test_pauses_double_up_to_half_a_minute(server):
    server.status = 503
    owner = Owner(server.url, governor=ConnectGovernor(100, 1.0))
    starting = asyncio.ensure_future(owner.connection.start())
    await until(lambda: server.attempts >= 9)
    server.status = 0
    await starting
    await owner.connection.stop()
    assert owner.rng.limits_s[:8] == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]


async def test_a_socket_that_ends_at_once_does_not_reset_the_pause(server):
    server.on_open = Peer.cut
    owner = Owner(server.url)
    await owner.connection.start()
    await until(lambda: len(server.peers) >= 4)
    await owner.connection.stop()
    assert owner.rng.limits_s[:3] == [0.5, 1.0, 2.0]


def test_the_governor_allows_so_many_connects_in_any_window():
    governor = ConnectGovernor(20, 300.0)
    for at_s in range(20):
        assert governor.delay_s(float(at_s)) == 0
        governor.take(float(at_s))
    assert governor.delay_s(20.0) == 280.0
    assert governor.delay_s(300.0) == 0
    governor.take(300.0)
    assert governor.delay_s(300.0) == 1.0


async def test_a_storm_of_reconnects_stays_within_the_governor(server):
    server.on_open = Peer.cut
    governor = ConnectGovernor(5, 3_600.0)
    owners = [Owner(server.url, governor=governor, connect_timeout_s=60.0) for _ in range(2)]
    starts = [asyncio.ensure_future(owner.connection.start()) for owner in owners]
    await until(lambda: server.attempts == 5 and all(start.done() for start in starts))
    await until(lambda: all(o.connection.state is SocketState.WAITING for o in owners))
    assert governor.delay_s(asyncio.get_running_loop().time()) > 3_000
    for owner in owners:
        await owner.connection.stop()
    assert server.attempts == 5


async def test_a_connect_counts_when_it_leaves_and_not_when_its_address_is_asked(server):
    """Method: one of two asks for its address for so long that the other uses the last connect."""
    governor = ConnectGovernor(1, 3_600.0)
    slow, quick = (Owner(server.url, governor=governor) for _ in range(2))
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    slow.connection._url = lambda: address
    starting = asyncio.ensure_future(slow.connection.start())
    await until(lambda: slow.connection.state is SocketState.CONNECTING)
    await quick.connection.start()
    address.set_result(server.url)
    await until(lambda: slow.connection.state is SocketState.WAITING)
    assert "1 connects within 3600 s are used up" in slow.connection.last_reason
    starting.cancel()
    await slow.connection.stop()
    await quick.connection.stop()
    assert server.attempts == 1


async def test_an_address_that_could_not_be_had_is_no_connect(server):
    answers = iter([NotSent("no route"), NotSent("no route"), None])

    async def found() -> str:
        if (error := next(answers)) is not None:
            raise error
        return server.url

    owner = Owner("unused", governor=ConnectGovernor(1, 3_600.0))
    owner.connection._url = found
    await owner.connection.start()
    await owner.connection.stop()
    assert server.attempts == 1


async def test_silence_is_asked_about_once_and_then_ends_the_socket_though_pongs_come(server):
    owner = Owner(server.url, silence_s=0.2)
    await owner.connection.start()
    await until(lambda: owner.opens == 2)
    await owner.connection.stop()
    assert owner.silences == 1
    assert owner.downs == ["no data for 0.3 s"]


async def test_an_owner_that_knows_better_ends_the_silence(server):
    owner = Owner(server.url, silence_s=0.2)
    owner.connection._on_silence = owner.connection.confirm
    await owner.connection.start()
    begun = owner.connection.frames
    await until(lambda: owner.connection.frames >= begun + 3)
    await owner.connection.stop()
    assert owner.downs == []


async def test_on_a_private_stream_the_answer_to_a_ping_is_life(server):
    server.on_text = lambda peer, text: peer.say(PONG)
    beat = Heartbeat(every_s=0.05, frame=PING, proves_life=True)
    owner = Owner(server.url, silence_s=0.2, heartbeat=beat)
    await owner.connection.start()
    await until(lambda: len(server.last.texts) > 10)
    await owner.connection.stop()
    assert owner.downs == []
    assert owner.frames == []
    assert set(server.last.texts) == {PING}


async def test_a_ping_that_nobody_answers_ends_the_socket(server, monkeypatch):
    monkeypatch.setattr(subject, "ANSWER_S", 0.1)
    owner = Owner(server.url, heartbeat=Heartbeat(every_s=0.05, frame=PING))
    await owner.connection.start()
    await until(lambda: owner.downs)
    await owner.connection.stop()
    assert owner.downs[0] == "a ping was not answered within 0.1 s"


async def test_the_venues_pings_are_answered(server):
    server.on_open = lambda peer: peer.transport.send_ping(b"1700000000000")
    owner = Owner(server.url)
    await owner.connection.start()
    await until(lambda: server.last.pongs == 1)
    await owner.connection.stop()
    assert owner.frames == []


def _text(peer: Peer, text: bytes, **flags: Any) -> None:
    peer.transport.send(WSMsgType.TEXT, text, **flags)


def _part(peer: Peer, text: bytes, **flags: Any) -> None:
    peer.transport.send(WSMsgType.CONTINUATION, text, **flags)


async def test_a_message_in_parts_is_put_together(server):
    def speak(peer: Peer) -> None:
        whole = "ein Würfel".encode()
        _text(peer, whole[:5], fin=False)
        peer.transport.send_ping(b"")
        _part(peer, whole[5:6], fin=False)
        _part(peer, whole[6:])
        _text(peer, b"next")

    server.on_open = speak
    owner = Owner(server.url)
    await owner.connection.start()
    await until(lambda: len(owner.frames) == 2)
    await owner.connection.stop()
    assert owner.frames == ["ein Würfel".encode(), b"next"]


def _endless(peer: Peer) -> None:
    _text(peer, b"x" * (MESSAGE_BYTES_MAX // 2), fin=False)
    _part(peer, b"x" * (MESSAGE_BYTES_MAX // 2), fin=False)


def _many_empty(peer: Peer) -> None:
    _text(peer, b"", fin=False)
    for _ in range(MESSAGE_BYTES_MAX // 64):
        _part(peer, b"", fin=False)


BAD: dict[str, tuple[Callable[[Peer], None], str]] = {
    "too long": (lambda peer: _text(peer, b"x" * (MESSAGE_BYTES_MAX + 1)), "4194304"),
    "too long in parts": (_endless, "over 4194304 bytes"),
    "a thousand empty parts": (_many_empty, "over 4194304 bytes"),
    "binary": (lambda peer: peer.transport.send(WSMsgType.BINARY, b"{}"), "a binary frame"),
    "not UTF-8": (lambda peer: _text(peer, b"\xff\xfe"), "text that is not UTF-8"),
    "a part of nothing": (lambda peer: _part(peer, b"x"), "parts of messages out of order"),
    "a message inside another": (
        lambda peer: (_text(peer, b"x", fin=False), _text(peer, b"y"))[0],
        "parts of messages out of order",
    ),
    "compressed": (lambda peer: _text(peer, b"x", rsv1=True), "an extension nobody agreed on"),
    "a bad closing code": (lambda peer: peer.transport.send_close(1234), "code 1002"),
}


@pytest.mark.parametrize("what", BAD)
async def test_what_no_venue_may_send_ends_the_socket_with_the_reason(server, what):
    act, reason = BAD[what]
    server.on_open = lambda peer: act(peer) if len(server.peers) == 1 else peer.say(b"good")
    owner = Owner(server.url)
    await owner.connection.start()
    await until(lambda: owner.frames)
    await owner.connection.stop()
    assert owner.frames == [b"good"]
    assert len(owner.downs) == 1
    assert reason in owner.downs[0]


async def test_before_the_venues_cut_a_successor_opens_and_the_old_socket_is_heard_until_then(
    server,
):
    owner = Owner(server.url, life_s=0.2, silence_s=0.5)
    await owner.connection.start()
    first = server.last
    await until(lambda: owner.opens == 2)
    assert not first.is_gone
    first.say(b"from the old one")
    await until(lambda: owner.frames)
    owner.connection.send(b"to the new one")
    server.last.say(b"from the new one")
    await until(lambda: first.is_gone)
    await until(lambda: server.peers[1].texts)
    await owner.connection.stop()
    assert owner.frames == [b"from the old one", b"from the new one"]
    assert owner.downs == []
    assert first.texts == []


async def test_an_owner_that_fails_loses_its_socket_and_the_failure_is_told(server):
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    server.on_open = lambda peer: peer.say(b"boom" if len(server.peers) == 1 else b"fine", b"more")
    owner = Owner(server.url)

    def take(frame: bytes) -> None:
        owner.frames.append(frame)
        if frame == b"boom":
            raise RuntimeError("a bug")

    owner.connection.on_frame = take
    await owner.connection.start()
    await until(lambda: len(owner.frames) == 3)
    await owner.connection.stop()
    assert owner.frames == [b"boom", b"fine", b"more"]
    assert owner.downs == ["RuntimeError: a bug"]
    assert str(told[0]["exception"]) == "a bug"


async def test_a_redirect_is_not_followed(server):
    async with ScriptedServer() as elsewhere:
        server.status, server.headers = 302, {"Location": elsewhere.url}
        assert "HTTP 302" in await refused(Owner(server.url))
        assert elsewhere.attempts == 0


async def test_after_a_refusal_for_too_many_requests_nothing_is_tried_for_a_minute(server):
    server.status = 429
    owner = Owner(server.url)
    starting = asyncio.ensure_future(owner.connection.start())
    await until(lambda: "HTTP 429" in owner.connection.last_reason)
    await asyncio.sleep(0.3)  # a second try would be made at once
    starting.cancel()
    await owner.connection.stop()
    assert server.attempts == 1


async def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path):
    context = self_signed(tmp_path)
    accepted: list[object] = []
    tls = await ws_create_server(accepted.append, "127.0.0.1", 0, ssl=context)
    port = tls.sockets[0].getsockname()[1]
    reason = await refused(Owner(f"wss://localhost:{port}"))
    assert "CERTIFICATE_VERIFY_FAILED" in reason or "Certificate" in reason
    tls.close()
    assert accepted == []


async def test_a_paused_connection_leaves_frames_with_the_venue(server):
    owner = Owner(server.url)
    await owner.connection.start()
    owner.connection.pause()
    server.last.say(b"later")
    await asyncio.sleep(0)
    owner.greeting = None
    assert owner.frames == []
    owner.connection.resume()
    await until(lambda: owner.frames == [b"later"])
    await owner.connection.stop()
