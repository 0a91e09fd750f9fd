# SPDX-License-Identifier: Apache-2.0
"""`kafka.py`: messages over Kafka. A topic has one partition, so its sender's order is kept, and
beside it a compacted topic with its notice. A reader is a consumer group: its committed offset
moves after the effect. A commit's metadata is the number that sender and reader count by, and the
topic's id: an offset in a topic that was deleted and made again means nothing. Partitions are
taken, not negotiated: a group has one process, and no rebalancing stops a trading one.

The client library has calls that wait; they run in one thread of the transport's own.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, NewTopic

from hean.core.message import number_of
from hean.errors import BrokerLost

CONNECT_S = 2.0
ANSWER_S = 5.0  # a broker that is slower counts as lost: what was asked is asked again
SAME_S = (
    1.0  # a topic that was deleted and made again is noticed so late, before a hole is given up
)
KEPT_MS = 86_400_000  # what nobody confirmed is sent again by who said it
GONE = {
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_TOPIC,
    KafkaError._UNKNOWN_PARTITION,
}
Answer = TypeVar("Answer")


class KafkaTransport:
    """A connection to the brokers *servers*, `host:port` with commas between."""

    def __init__(self, servers: str) -> None:
        self._servers = servers
        self._line: _Line | None = None
        self._thread: ThreadPoolExecutor | None = None

    async def connect(self) -> None:
        """See `Transport`."""
        await self.close()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="kafka")
        self._line = _Line(self._servers)
        await self._ask(lambda line: line.connect())

    async def publish(self, topic: str, batch: Sequence[tuple[int, bytes]]) -> None:
        """See `Transport`."""
        await self._ask(lambda line: line.publish(topic, batch))

    async def newest(self, topic: str) -> bytes | None:
        """See `Transport`."""
        return await self._ask(lambda line: line.newest(topic))

    async def post(self, topic: str, notice: bytes) -> None:
        """See `Transport`."""
        await self._ask(lambda line: line.post(topic, notice))

    async def notice(self, topic: str) -> bytes | None:
        """See `Transport`."""
        return await self._ask(lambda line: line.newest(_notices(topic)))

    async def positions(self, topic: str) -> dict[str, int]:
        """See `Transport`."""
        return await self._ask(lambda line: line.positions(topic))

    async def trim(self, topic: str, seq: int) -> None:
        """See `Transport`."""
        await self._ask(lambda line: line.trim(topic, seq))

    async def join(self, reader: str, positions: Mapping[str, int]) -> None:
        """See `Transport`."""
        await self._ask(lambda line: line.join(reader, list(positions)))
        await self.confirm(positions)

    async def receive(self, limit: int, wait_s: float) -> list[bytes]:
        """See `Transport`."""
        return await self._ask(lambda line: line.receive(limit, wait_s))

    async def confirm(self, positions: Mapping[str, int]) -> None:
        """See `Transport`."""
        await self._ask(lambda line: line.confirm(positions))

    async def close(self) -> None:
        """See `Transport`."""
        line, self._line = self._line, None
        thread, self._thread = self._thread, None
        if line is not None and thread is not None:
            await asyncio.get_running_loop().run_in_executor(thread, line.close)
            thread.shutdown(wait=False)

    async def _ask(self, question: Callable[[_Line], Answer]) -> Answer:
        """Ask in the thread; what goes wrong with the broker is `BrokerLost`."""
        line = self._line
        if line is None or self._thread is None:
            raise BrokerLost(f"Kafka at {self._servers} is not connected.")
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._thread, question, line)
        except (KafkaException, BufferError, TimeoutError) as error:
            raise BrokerLost(
                f"Kafka at {self._servers}: {_reason(error)}; start it, or correct KAFKA_SERVERS."
            ) from error


class _Line:
    """The clients of one connection, used by one thread. After any error all are made anew."""

    def __init__(self, servers: str) -> None:
        self._settings: dict[str, Any] = {
            "bootstrap.servers": servers,
            "error_cb": self._complain,
            "log_level": 0,  # what matters comes as an error
            "socket.connection.setup.timeout.ms": int(CONNECT_S * 1_000),
            "reconnect.backoff.max.ms": 500,
        }
        self._admin: Any = None
        self._producer: Any = None
        self._looking: Any = None
        self._consumer: Any = None
        self._complaint: KafkaError | None = None
        self._sent: dict[str, deque[tuple[int, int]]] = {}
        self._last: dict[str, tuple[int, bytes]] = {}
        self._next: dict[str, int] = {}
        self._received: dict[str, deque[tuple[int, int]]] = {}
        self._ids: dict[str, str] = {}
        self._same_until_s = 0.0

    def connect(self) -> None:
        self._admin = AdminClient(self._settings)
        self._admin.list_topics(timeout=CONNECT_S)
        self._looking = Consumer({
            **self._settings, "group.id": "hean.looking", "enable.auto.commit": False,
            "allow.auto.create.topics": False,
        })  # fmt: skip

    def publish(self, topic: str, batch: Sequence[tuple[int, bytes]]) -> None:
        places = self._produce(topic, [data for _, data in batch])
        self._sent.setdefault(topic, deque()).append((batch[-1][0], places[-1]))

    def post(self, topic: str, notice: bytes) -> None:
        self._create({topic: {"retention.ms": str(KEPT_MS)},
                      _notices(topic): {"cleanup.policy": "compact"}})  # fmt: skip
        self._produce(_notices(topic), [notice])

    def newest(self, topic: str) -> bytes | None:
        place = TopicPartition(topic, 0)
        try:
            low, high = self._looking.get_watermark_offsets(place, timeout=ANSWER_S)
        except KafkaException as error:
            if error.args[0].code() in GONE:
                return None
            raise
        known = self._last.get(topic)
        if low >= high:
            return None
        if known is not None and known[0] == high - 1:
            return known[1]
        self._looking.assign([TopicPartition(topic, 0, high - 1)])
        found = self._looking.poll(ANSWER_S)
        self._looking.unassign()
        data = _value(found)
        self._last[topic] = high - 1, data
        return data

    def positions(self, topic: str) -> dict[str, int]:
        start = _group(topic, "")
        groups = self._admin.list_consumer_groups(request_timeout=ANSWER_S).result(ANSWER_S)
        found: dict[str, int] = {}
        for name in [each.group_id for each in groups.valid if each.group_id.startswith(start)]:
            asked = ConsumerGroupTopicPartitions(name, [TopicPartition(topic, 0)])
            answer = self._admin.list_consumer_group_offsets([asked], request_timeout=ANSWER_S)
            (place,) = answer[name].result(ANSWER_S).topic_partitions
            if place.offset >= 0 and place.metadata:
                found[name.removeprefix(start)] = int(place.metadata.split()[0])
        return found

    def trim(self, topic: str, seq: int) -> None:
        sent = self._sent.get(topic, deque())
        last = -1
        while sent and sent[0][0] <= seq:
            last = sent.popleft()[1]
        if last >= 0:
            asked = self._admin.delete_records([TopicPartition(topic, 0, last + 1)])
            for each in asked.values():
                each.result(ANSWER_S)

    def join(self, reader: str, topics: list[str]) -> None:
        self._create({topic: {"retention.ms": str(KEPT_MS)} for topic in topics})
        self._ids = self._topic_ids(topics)
        consumer = self._consumer = Consumer({
            **self._settings, "group.id": _group(topics[0], reader), "enable.auto.commit": False,
            "auto.offset.reset": "earliest", "allow.auto.create.topics": False,
        })  # fmt: skip
        places = consumer.committed([TopicPartition(topic, 0) for topic in topics], ANSWER_S)
        for place in places:
            if place.error is not None:
                raise KafkaException(place.error)
            if place.offset < 0 or (place.metadata or "").split()[1:] != [self._ids[place.topic]]:
                place.offset = OFFSET_BEGINNING
            self._next[place.topic] = max(place.offset, 0)
            self._received[place.topic] = deque()
        consumer.assign(places)

    def receive(self, limit: int, wait_s: float) -> list[bytes]:
        first = self._consumer.poll(wait_s)
        if self._complaint is not None:
            raise KafkaException(self._complaint)
        if time.monotonic() >= self._same_until_s:
            if self._topic_ids(list(self._ids)) != self._ids:
                raise KafkaException(KafkaError(KafkaError._UNKNOWN_TOPIC, "topics were made anew"))
            self._same_until_s = time.monotonic() + SAME_S
        if first is None:
            return []
        found = []
        for each in [first, *self._consumer.consume(limit - 1, 0.0)]:
            found.append(_value(each))
            self._received[each.topic()].append((number_of(found[-1]), each.offset() + 1))
        return found

    def confirm(self, positions: Mapping[str, int]) -> None:
        places = []
        for topic, seq in positions.items():
            received = self._received[topic]
            while received and received[0][0] <= seq:
                self._next[topic] = received.popleft()[1]
            if seq:
                words = f"{seq} {self._ids[topic]}"
                places.append(TopicPartition(topic, 0, self._next[topic], words))
        if places:
            for place in self._consumer.commit(offsets=places, asynchronous=False):
                if place.error is not None:
                    raise KafkaException(place.error)

    def close(self) -> None:
        if self._producer is not None:
            self._producer.purge()
        for each in (self._looking, self._consumer):
            if each is not None:
                each.close()

    def _produce(self, topic: str, values: list[bytes]) -> list[int]:
        """Return the offsets at which the broker has them."""
        if self._producer is None:
            self._producer = Producer({
                **self._settings, "enable.idempotence": True, "linger.ms": 0,
                "message.timeout.ms": int(ANSWER_S * 1_000),
                "topic.metadata.propagation.max.ms": int(CONNECT_S * 1_000),
            })  # fmt: skip
        places: list[int] = []
        errors: list[KafkaError] = []

        def take(error: KafkaError | None, message: Message) -> None:
            if error is None:
                places.append(message.offset() or 0)
            else:
                errors.append(error)

        for value in values:
            self._producer.produce(topic, value, key=topic, partition=0, on_delivery=take)
        unsent = self._producer.flush(ANSWER_S)
        if errors:
            raise KafkaException(errors[0])
        if unsent:
            raise TimeoutError(f"no word of {unsent} messages")
        self._last[topic] = places[-1], values[-1]
        return places

    def _create(self, topics: Mapping[str, dict[str, str]]) -> None:
        new = [NewTopic(name, 1, config=config) for name, config in topics.items()]
        for each in self._admin.create_topics(new, operation_timeout=ANSWER_S).values():
            try:
                each.result(ANSWER_S)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise

    def _topic_ids(self, topics: list[str]) -> dict[str, str]:
        asked = self._admin.describe_topics(TopicCollection(topics), request_timeout=ANSWER_S)
        return {name: str(each.result(ANSWER_S).topic_id) for name, each in asked.items()}

    def _complain(self, error: KafkaError) -> None:
        if error.fatal() or error.code() == KafkaError._ALL_BROKERS_DOWN:
            self._complaint = error


def _notices(topic: str) -> str:
    return f"{topic}.notice"


def _group(topic: str, reader: str) -> str:
    """A reader's group: that of the fleet to which the topic belongs."""
    return f"{topic.rpartition('.')[0]}.{reader}"


def _value(message: Message | None) -> bytes:
    if message is None:
        raise TimeoutError("no message")
    error = message.error()
    if error is not None:
        raise KafkaException(error)
    return message.value() or b""


def _reason(error: Exception) -> str:
    return str(error.args[0]) if error.args else type(error).__name__
