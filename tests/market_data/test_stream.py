# SPDX-License-Identifier: Apache-2.0
"""The stream: a snapshot, then what changes, numbered; slow listeners get the newest state or are
let go, and hold nobody else. Commands that are none are told so. A stop says goodbye.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from market_data.service_process import Service, addresses
from venue_contract.twin_process import wait_until

WAIT_S = 60.0


@pytest.fixture(scope="module")
def service(bybit, tmp_path_factory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    with Service(folder, SYMBOLS="BTCUSDT,ETHUSDT", **addresses(bybit)) as service:
        yield service.until_ready()


def connected(service: Service) -> ClientConnection:
    """A listener whom nobody hurries; to close takes no longer than a second."""
    return connect(service.stream, open_timeout=WAIT_S, ping_timeout=None, close_timeout=1)


def ask(line: ClientConnection, topic: str, action: str = "subscribe") -> None:
    line.send(json.dumps({"action": action, "topic": topic}))


def told(line: ClientConnection) -> dict:
    return json.loads(line.recv(WAIT_S))


@pytest.mark.parametrize("topic", ["ticker.BTCUSDT", "orderbook.ETHUSDT", "klines.BTCUSDT.5m"])
def test_a_state_begins_with_a_snapshot_and_goes_on_without_a_gap(service, topic):
    with connected(service) as line:
        ask(line, topic)
        first = told(line)
        assert (first["topic"], first["snapshot"]) == (topic, True)
        seqs = [told(line)["seq"] for _ in range(5)]
    assert seqs == list(range(first["seq"] + 1, first["seq"] + 6))


def test_the_book_of_the_stream_is_the_book_of_the_answer(service):
    def same() -> bool:
        with connected(service) as line:
            ask(line, "orderbook.BTCUSDT")
            document = told(line)["data"]
        return document == service.told("/api/v1/orderbook/BTCUSDT")

    wait_until(same, "both between two changes")


def test_trades_are_told_each_until_nobody_wants_them(service):
    with connected(service) as line:
        ask(line, "trades.BTCUSDT")
        rows = [told(line) for _ in range(3)]
        assert [row["seq"] - rows[0]["seq"] for row in rows] == [0, 1, 2]
        assert all(row["data"]["volume"] > 0 for row in rows)
        ask(line, "trades.BTCUSDT", "unsubscribe")
        ask(line, "klines.BTCUSDT.1h")
        wait_until(lambda: told(line)["topic"] == "klines.BTCUSDT.1h", "the last trades are out")
        assert {told(line)["topic"] for _ in range(3)} == {"klines.BTCUSDT.1h"}


def test_what_is_no_command_is_told_so_and_harms_nothing(service):
    bad = ['{"action":"buy","topic":"ticker.BTCUSDT"}', "[]", "x", '{"action":"subscribe"}',
           '{"action":"subscribe","topic":"ticker.NOPE"}']  # fmt: skip
    with connected(service) as line:
        for text in bad:
            line.send(text)
            assert told(line)["type"] == "error"
        ask(line, "ticker.BTCUSDT")
        assert told(line)["snapshot"] is True


@pytest.mark.parametrize(
    ("sent", "code"), [(b"bytes", 1003), ("x" * 5_000, 1009), (None, 4429)], ids=str
)
def test_a_rude_listener_is_let_go_with_a_code(service, sent, code):
    with connected(service) as line:
        with pytest.raises(ConnectionClosed):
            for _ in range(1 if sent else 500):
                line.send(sent or "{}")
            while True:
                line.recv(WAIT_S)
        assert line.close_code == code


def test_a_listener_that_reads_nothing_holds_nobody_and_gets_the_newest(service, bybit):
    before = service.metric("hean_market_data_replaced_total")
    with connected(service) as quick, socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
        slow.settimeout(WAIT_S)
        slow.connect(("127.0.0.1", service.port))
        slow.sendall(
            b"GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        for topic in (b"orderbook.BTCUSDT", b"orderbook.ETHUSDT"):
            body = b'{"action":"subscribe","topic":"%b"}' % topic
            slow.sendall(b"\x81" + bytes([0x80 | len(body)]) + b"\0\0\0\0" + body)
        bybit.control.fault("trade_storm", per_s=100)
        ask(quick, "orderbook.BTCUSDT")
        seq = told(quick)["seq"]

        def is_replaced() -> bool:
            nonlocal seq
            for _ in range(20):
                newer = told(quick)["seq"]
                assert newer == seq + 1
                seq = newer
            return service.metric("hean_market_data_replaced_total") > before

        wait_until(is_replaced, "a state that was replaced")
    assert service.metric("hean_market_data_waiting_bytes") < 4 << 20


def test_a_stop_says_goodbye_to_listeners(bybit, tmp_path):
    with Service(tmp_path, SYMBOLS="BTCUSDT", **addresses(bybit)) as service:
        service.until_ready()
        with connected(service) as line:
            ask(line, "ticker.BTCUSDT")
            assert told(line)["snapshot"]
            code = service.stop()
            with pytest.raises(ConnectionClosed):
                while True:
                    line.recv(WAIT_S)
            assert line.close_code == 1001
        assert code == 0
