# SPDX-License-Identifier: Apache-2.0
"""A real Kafka broker of one test: started on free ports, killed, started again, flushed. Where
neither Java nor the jars can be had the test is skipped and says so.
"""

from __future__ import annotations

import socket
import subprocess
import time
from pathlib import Path
from typing import Any, Self

import pytest

import kafka_server
from free_port import free_port

READY_S = 300.0  # a virtual machine of Java on a starved one of ours


class KafkaBroker:
    """Use it as a context."""

    def __init__(self, folder: Path) -> None:
        pytest.importorskip("confluent_kafka")
        self._folder = folder
        self._port = free_port()
        self.servers = f"127.0.0.1:{self._port}"
        try:
            self._settings = kafka_server.prepare(folder, self._port, free_port())
        except kafka_server.NotHad as lack:
            pytest.skip(str(lack))
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def advertise(self, port: int) -> None:
        """Send clients to another port of this machine; before the start."""
        words = self._settings.read_text()
        told = f"advertised.listeners=PLAINTEXT://127.0.0.1:{self._port}"
        assert told in words
        self._settings.write_text(words.replace(told, f"{told.rpartition(':')[0]}:{port}"))

    def start(self) -> None:
        """Begin, and wait until it answers."""
        log = self._folder / "log.txt"
        self._process = kafka_server.start(self._settings, log)
        deadline = time.monotonic() + READY_S
        while not self._answers():
            assert self._process.poll() is None, log.read_text()[-2_000:]
            assert time.monotonic() < deadline, log.read_text()[-2_000:]
            time.sleep(0.05)

    def kill(self) -> None:
        """As `kill -9`: what was answered is in the system's memory, and found again."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def flush(self) -> None:
        """Delete everything, as who sets a cluster up anew does."""
        admin = self._admin()
        groups = admin.list_consumer_groups().result(READY_S).valid
        topics = [name for name in admin.list_topics(timeout=READY_S).topics if name[0] != "_"]
        if topics:
            for each in admin.delete_topics(topics).values():
                each.result(READY_S)
        if groups:
            for each in admin.delete_consumer_groups([group.group_id for group in groups]).values():
                each.exception(READY_S)  # reason: with its topics a group may have gone already

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=1):
                pass
        except OSError:
            return False
        from confluent_kafka import KafkaException

        try:
            return bool(self._admin().list_topics(timeout=5).brokers)
        except KafkaException:
            return False

    def _admin(self) -> Any:
        from confluent_kafka.admin import AdminClient

        return AdminClient({"bootstrap.servers": self.servers, "log_level": 0})
