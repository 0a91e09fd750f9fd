# SPDX-License-Identifier: Apache-2.0
"""`wiring.py`: from a deployment table to what one process needs of the others: a transport, its
topics, and the notice that goes before all messages.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import msgspec

from hean.core.bridge import RETRY_S
from hean.core.ports import Transport
from hean.errors import BrokerLost, DataInvalid, EnvironmentFault
from hean.feeds.arriving import Terms
from hean.topology import Table
from hean.transports.memory import MemoryBroker, MemoryTransport

Connect = Callable[[], Transport]


class Notice(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a market's readers have to know first. *is_recorded*: it is played from a file. *bar*:
    length of the bars that come with it, if any do.
    """

    origin: str
    terms: list[Terms]
    start_ns: int
    version: str
    is_recorded: bool
    bar: str = ""


def notice_of(data: bytes) -> Notice:
    """The notice that `msgspec.json.encode` wrote. *Raises*: `DataInvalid`."""
    try:
        return msgspec.json.decode(data, type=Notice)
    except msgspec.DecodeError as error:
        raise DataInvalid(f"the notice of the market cannot be read ({error}).") from error


async def confirmed(
    connect: Connect, topic: str, readers: Sequence[str], stop: asyncio.Event
) -> int:
    """Number of the last message of a topic that all readers have, once the broker says."""
    transport = connect()
    while not stop.is_set():
        try:
            await transport.connect()
            found = await transport.positions(topic)
            await transport.close()
            return min((found.get(reader, 0) for reader in readers), default=0)
        except BrokerLost:
            await asyncio.sleep(RETRY_S)
    return 0


def connecting(table: Table, redis_url: str | None, kafka_servers: str | None) -> Connect:
    """Makes transports of the table's kind. *Raises*: `EnvironmentFault` where something lacks."""
    match table.transport:
        case "memory":
            broker = MemoryBroker()
            return lambda: MemoryTransport(broker)
        case "redis":
            if redis_url is None:
                raise EnvironmentFault(
                    "the table says redis: set REDIS_URL, such as redis://localhost:6379."
                )
            return _redis(redis_url)
        case "kafka":
            if kafka_servers is None:
                raise EnvironmentFault(
                    "the table says kafka: set KAFKA_SERVERS, such as localhost:9092."
                )
            return _kafka(kafka_servers)


def _redis(url: str) -> Connect:
    try:
        from hean.transports.redis import RedisTransport  # a client that only this needs
    except ModuleNotFoundError as error:
        raise EnvironmentFault("transport redis needs the package redis; install it.") from error
    return lambda: RedisTransport(url)


def _kafka(servers: str) -> Connect:
    try:
        from hean.transports.kafka import KafkaTransport  # as above
    except ModuleNotFoundError as error:
        raise EnvironmentFault(
            "transport kafka needs the package confluent-kafka: ./hean setup kafka, or pip install "
            "'hean[kafka]'."
        ) from error
    return lambda: KafkaTransport(servers)
