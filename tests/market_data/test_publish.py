# SPDX-License-Identifier: Apache-2.0
"""Facts in Redis: messages of docs/adr/0029 in the form that HEAN's readers take, numbered without
a hole while Redis is there; without it the service serves on, and publishes again when it is back.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from redis import Redis

from hean.core.message import Message, unpack
from hean.core.types import EventType
from market_data.service_process import Service, addresses
from redis_server import RedisServer
from venue_contract.twin_process import wait_until

STREAM = "hean.market-data"


@pytest.fixture
def server(tmp_path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path / "redis") as server:
        yield server


def messages(server: RedisServer) -> list[Message]:
    """All that lie in the stream, oldest first."""
    with Redis.from_url(server.url) as client:
        return [
            unpack(data)
            for _, fields in client.xrange(STREAM)
            for _, data in sorted(fields.items(), key=lambda field: int(field[0]))
        ]


def test_messages_are_those_of_the_fleet_and_outlive_a_redis_that_dies(server, bybit, tmp_path):
    given = {"SYMBOLS": "BTCUSDT,ETHUSDT", "REDIS_URL": server.url, **addresses(bybit)}
    with Service(tmp_path, **given) as service:
        service.until_ready()
        wait_until(lambda: len(messages(server)) > 200, "messages", timeout_s=60)
        found = messages(server)
        assert found[0].prev == 0
        seqs = [message.seq for message in found]
        assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
        assert [message.prev for message in found[1:]] == seqs[:-1]
        assert {message.source for message in found} == {"market-data"}
        moments = [message.ts_ns for message in found]
        assert moments == sorted(set(moments))
        kinds = set()
        for message in found:
            kinds |= {fact.event_type for fact in message.payloads()}
        assert kinds >= {EventType.TICK, EventType.BOOK, EventType.FUNDING, EventType.HEALTH}

        server.kill()
        wait_until(lambda: service.metric("hean_market_data_redis_up") == 0, "it is missed")
        assert service.told("/health")["status"] == "degraded"
        assert service.get("/health/ready")[0] == 200
        server.start()
        wait_until(lambda: len(messages(server)) > 50, "messages after it", timeout_s=60)
        later = messages(server)
        assert later[0].seq > found[-1].seq
        assert service.metric("hean_market_data_redis_up") == 1
        assert service.told("/health")["services"] == {"redis": True}
        assert service.stop() == 0
