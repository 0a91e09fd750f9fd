# SPDX-License-Identifier: Apache-2.0
"""What Prometheus is told of a server that speaks Redis: what was done to it, in numbers."""

from __future__ import annotations

import re
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from keyspace_desk import BUILDS, NamedServer
from monitoring.prometheus_server import Server, redis_exporter
from monitoring.test_rules import queries
from venue_contract.twin_process import wait_until

pytestmark = pytest.mark.server
MEGABYTE = 1 << 20


def told(server: Server) -> dict[str, float]:
    """Every number without labels."""
    with urllib.request.urlopen(f"{server.url}/metrics", timeout=60) as answer:
        text = answer.read().decode()
    return {name: float(value) for name, value in re.findall(r"^(\w+) (\S+)$", text, re.MULTILINE)}


def settled(exporter: Server, client: Any) -> dict[str, float] | None:
    """What is told, once it is what the server itself says."""
    found = told(exporter)
    is_same = found["redis_evicted_keys_total"] == client.info()["evicted_keys"]
    return found if is_same else None


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.promise(108)
def test_operations_memory_clients_hits_and_evictions(tmp_path: Path, build: str) -> None:
    with NamedServer(tmp_path / "server", build) as redis:
        client = redis.client()
        with redis_exporter(redis.url, tmp_path / "exporter") as exporter:
            before = told(exporter)
            assert before["redis_up"] == 1
            assert before["redis_keyspace_hits_total"] == before["redis_evicted_keys_total"] == 0
            client.set("there", 1)
            for name in ("there", "there", "there", "gone"):
                client.get(name)
            client.config_set("maxmemory-policy", "allkeys-lru")
            client.config_set("maxmemory", 8 * MEGABYTE)
            pipe = client.pipeline(transaction=False)
            for number in range(2_000):
                pipe.set(f"filler:{number}", b"x" * 8_192)
            pipe.execute()
            # Evicting may go on beside: the one is looked at before the other.
            after = wait_until(lambda: settled(exporter, client), "equal counts of evictions")
    hits, misses = after["redis_keyspace_hits_total"], after["redis_keyspace_misses_total"]
    assert (hits, misses) == (3, 1)
    done = after["redis_commands_processed_total"] - before["redis_commands_processed_total"]
    assert done >= 2_005
    assert before["redis_memory_used_bytes"] < after["redis_memory_used_bytes"] < 9 * MEGABYTE
    assert after["redis_memory_max_bytes"] == 8 * MEGABYTE
    assert after["redis_connected_clients"] >= 1
    assert after["redis_evicted_keys_total"] > 0


@pytest.mark.promise(108)
def test_each_of_them_has_its_panel() -> None:
    asked = " ".join(queries())
    for metric in (
        "redis_commands_processed_total", "redis_memory_used_bytes", "redis_connected_clients",
        "redis_keyspace_hits_total", "redis_keyspace_misses_total", "redis_evicted_keys_total",
    ):  # fmt: skip
        assert metric in asked, metric
