# SPDX-License-Identifier: Apache-2.0
"""Facts in Redis and Kafka: messages of docs/adr/0029 in the form that HEAN's readers take, with no
hole in their numbers while the broker is there; without it the service serves on, and publishes
again when it is back, to Kafka each message once.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from hean.core.message import Message, unpack
from hean.core.types import EventType
from kafka_broker import KafkaBroker
from market_data.service_process import Service, addresses
from redis_server import RedisServer
from venue_contract.twin_process import wait_until

STREAM = "hean.market-data"
KINDS = {EventType.TICK, EventType.BOOK, EventType.FUNDING, EventType.HEALTH}
UP = 'hean_market_data_broker_up{{broker="{}"}}'
KEYS = {"", "BTCUSDT", "ETHUSDT"}
IN_TIME_S = 300.0  # each look at Kafka joins it anew
ERRORS = 'hean_market_data_publish_errors_total{broker="kafka"}'


@pytest.fixture
def server(tmp_path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path / "redis") as server:
        yield server


def of_every_kind(found: list[Message]) -> list[Message]:
    """Them, once there are enough."""
    kinds = {fact.event_type for message in found for fact in message.payloads()}
    return found if len(found) > 200 and kinds >= KINDS else []


def messages(server: RedisServer) -> list[Message]:
    """All that lie in the stream, oldest first."""
    with Redis.from_url(server.url) as client:
        return [
            unpack(data)
            for _, fields in client.xrange(STREAM)
            for _, data in sorted(fields.items(), key=lambda field: int(field[0]))
        ]


def test_messages_are_those_of_the_fleet_and_outlive_a_redis_that_dies(server, bybit, tmp_path):
    secret = tmp_path / "redis_url"
    secret.touch(0o600)
    secret.write_text(f"{server.url}\n")
    given = {"SYMBOLS": "BTCUSDT,ETHUSDT", "REDIS_URL_FILE": str(secret), **addresses(bybit)}
    with Service(tmp_path, **given) as service:
        service.until_ready()
        found = wait_until(lambda: of_every_kind(messages(server)), "messages of every kind")
        assert found[0].prev == 0
        seqs = [message.seq for message in found]
        assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
        assert [message.prev for message in found[1:]] == seqs[:-1]
        assert {message.source for message in found} == {"market-data"}
        moments = [message.ts_ns for message in found]
        assert moments == sorted(set(moments))

        server.kill()
        wait_until(lambda: service.metric(UP.format("redis")) == 0, "it is missed")
        assert service.told("/health")["status"] == "degraded"
        service.until_ready()
        server.start()
        wait_until(lambda: len(messages(server)) > 50, "messages after it")
        later = messages(server)
        assert later[0].seq > found[-1].seq
        wait_until(lambda: service.metric(UP.format("redis")) == 1, "word of it")
        assert service.told("/health")["services"] == {"redis": True}
        assert service.stop() == 0


def records(kafka: KafkaBroker) -> list[tuple[str, Message]]:
    """Key and message of all that lie in the topic, oldest first."""
    from confluent_kafka import Consumer, KafkaException, TopicPartition

    place = TopicPartition(STREAM, 0, 0)
    reader = Consumer({"bootstrap.servers": kafka.servers, "group.id": "a-test", "log_level": 0})
    try:
        _, end = reader.get_watermark_offsets(place, timeout=60)
        reader.assign([place])
        found = []
        while len(found) < end:
            for each in reader.consume(end - len(found), 30.0):
                assert each.error() is None, each.error()
                found.append(((each.key() or b"").decode(), unpack(each.value())))
    except KafkaException:
        return []  # it is not there yet
    finally:
        reader.close()
    return found


def more(kafka: KafkaBroker, than: int) -> list[tuple[str, Message]]:
    """What is there, once it is more and of each symbol."""
    found = records(kafka)
    return found if len(found) > than and {key for key, _ in found} == KEYS else []


def test_kafka_has_each_message_once_by_symbol_although_it_dies(bybit, tmp_path: Path) -> None:
    with KafkaBroker(tmp_path / "kafka") as kafka:
        given = {"SYMBOLS": "BTCUSDT,ETHUSDT", "KAFKA_SERVERS": kafka.servers, **addresses(bybit)}
        with Service(tmp_path, **given) as service:
            service.until_ready()
            before = wait_until(lambda: more(kafka, 200), "messages", timeout_s=IN_TIME_S)
            kafka.kill()
            wait_until(lambda: service.metric(UP.format("kafka")) == 0, "it is missed")
            assert service.told("/health")["status"] == "degraded"
            kafka.start()
            found = wait_until(
                lambda: more(kafka, len(before) + 200), "messages", timeout_s=IN_TIME_S
            )
            wait_until(lambda: service.metric(UP.format("kafka")) == 1, "word of it")
            assert service.metric(ERRORS) > 0
            assert service.told("/health")["services"] == {"kafka": True}
            assert service.stop() == 0
    seqs = [message.seq for _, message in found]
    assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))  # no hole, no double, in order
    for key, message in found:
        symbols = {getattr(fact, "symbol", None) or fact.extra["symbol"]
                   for fact in message.payloads()}  # fmt: skip
        assert key == (next(iter(symbols)) if len(symbols) == 1 else "")
