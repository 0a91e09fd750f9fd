# SPDX-License-Identifier: Apache-2.0
"""A broker that has a batch, and an answer about it that nobody hears: the batch is sent again, and
is in the topic once all the same. Between service and broker stands one who cuts the line after
every few batches, when the broker has answered and before the answer is through.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import Self

from kafka_broker import KafkaBroker
from market_data.service_process import Service, addresses
from market_data.test_publish import ERRORS, IN_TIME_S, UP, records
from venue_contract.twin_process import wait_until

PRODUCE = (0).to_bytes(2, "big")
CLIENT = b"hean-market-data"
EVERY = 7  # batches of the service between two cuts
CUTS = 10


class Cutter:
    """Passes frames to the broker on *port* and back. *cuts*: answers that were withheld."""

    def __init__(self, port: int) -> None:
        self.cuts = 0
        self._broker = port
        self._batches = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        """Frames of the service one by one; whatever others say both ways as it comes."""
        with suppress(OSError), client, socket.create_connection(("127.0.0.1", self._broker)) as on:
            first = frame(client)
            on.sendall(first)
            if CLIENT not in first[:64]:
                threading.Thread(target=pass_on, args=(on, client), daemon=True).start()
                pass_on(client, on)
                return
            while True:
                answer = frame(on)
                if first[4:6] == PRODUCE and self._is_cut():
                    return
                client.sendall(answer)
                first = frame(client)
                on.sendall(first)

    def _is_cut(self) -> bool:
        self._batches += 1
        is_cut = self._batches % EVERY == 0 and self.cuts < CUTS
        self.cuts += is_cut
        return is_cut


def frame(line: socket.socket) -> bytes:
    """One request or answer with its length. *Raises*: `OSError` at the end."""
    head = exactly(line, 4)
    return head + exactly(line, int.from_bytes(head, "big"))


def exactly(line: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        part = line.recv(count - len(found))
        if not part:
            raise OSError("the other side is gone")
        found += part
    return found


def pass_on(source: socket.socket, to: socket.socket) -> None:
    """All bytes of one direction."""
    with suppress(OSError):
        while part := source.recv(65_536):
            to.sendall(part)
        to.shutdown(socket.SHUT_WR)


def test_a_batch_whose_answer_was_lost_is_stored_once(bybit, tmp_path: Path) -> None:
    kafka = KafkaBroker(tmp_path / "kafka")
    with Cutter(int(kafka.servers.rsplit(":", 1)[1])) as cutter:
        kafka.advertise(cutter.port)
        given = {"SYMBOLS": "BTCUSDT,ETHUSDT", "KAFKA_SERVERS": kafka.servers, **addresses(bybit)}
        with kafka, Service(tmp_path, **given) as service:
            service.until_ready()
            wait_until(lambda: cutter.cuts == CUTS, "lost answers", timeout_s=IN_TIME_S)
            seen = len(records(kafka))
            wait_until(lambda: len(records(kafka)) > seen + 50, "messages", timeout_s=IN_TIME_S)
            wait_until(lambda: service.metric(UP.format("kafka")) == 1, "word of it")
            assert service.metric(ERRORS) >= CUTS
            found = records(kafka)
    seqs = [message.seq for _, message in found]
    assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
