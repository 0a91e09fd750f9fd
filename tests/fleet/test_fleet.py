# SPDX-License-Identifier: Apache-2.0
"""Two processes and a broker trade as one process does: the same signals, requests, approvals and
fills at the same moments, byte for byte, also when either process or the broker is killed in the
middle. Real processes, a real Redis, `kill -9`.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from fleet.fleet_processes import ROOT, STRATEGY, Fleet, decisions, inputs, until
from fleet.hft_fleet import healthy
from hean.core.event_streams import RedisEventStream
from hean.core.types import EventType, encode
from hean.paper_journal import replay_session
from hean.system import LIMITS, AccountSettings
from kafka_broker import KafkaBroker
from redis_server import RedisServer
from sessions import recorded_session

pytestmark = pytest.mark.server
SECONDS = 60
SPEED = 8.0  # of the recording: a start of a process takes a fraction of a kill's share
COMMAND_LIMITS = {
    "daily_loss_fraction_max": "0.05", "drawdown_fraction_max": "0.15", "leverage_max": "3",
    "position_value_max": "10000",
}  # fmt: skip
"""What the commands have on unless somebody says otherwise."""
SAME = ("state_hash", "fills", "orders", "orders_rejected", "net_pnl", "fees", "final_equity")


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, dict[str, Any]]:
    """Journal, recording and summary of the session in one process."""
    account = AccountSettings(limits=LIMITS | COMMAND_LIMITS)
    folder = tmp_path_factory.mktemp("single")
    return recorded_session(folder, SECONDS, strategy=STRATEGY, account=account)


class Place(NamedTuple):
    """A broker, and how a fleet on it is described."""

    broker: RedisServer | KafkaBroker
    table: Path
    environment: Mapping[str, str]


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """One broker for all tests of this file: a start of it takes seconds."""
    with KafkaBroker(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker


@pytest.fixture(params=["redis", "kafka"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    table = ROOT / "deploy" / "redis.toml"
    if request.param == "redis":
        pytest.importorskip("redis")
        with RedisServer(tmp_path / "redis") as server:
            yield Place(server, table, {"REDIS_URL": server.url})
        return
    kafka = request.getfixturevalue("kafka")
    words = table.read_text().replace('"redis"', '"kafka"')
    (tmp_path / "kafka.toml").write_text(words)
    yield Place(kafka, tmp_path / "kafka.toml", {"KAFKA_SERVERS": kafka.servers})
    kafka.flush()


async def exported(url: str, kind: EventType) -> list[tuple[int, bytes]]:
    stream = RedisEventStream(url)
    await stream.connect()
    found = [(each.ts_ns, encode(each.data)) async for each in stream.replay_events(kind)]
    await stream.close()
    return found


def reached_by(fleet: Fleet, wanted: int) -> bool:
    return inputs(fleet.journal) >= wanted


def compare(fleet: Fleet, single: tuple[Path, Path, dict[str, Any]]) -> None:
    journal, _, summary = single
    result = fleet.result()
    assert {name: result[name] for name in SAME} == {name: summary[name] for name in SAME}
    assert len(decisions(journal)) > 100
    assert decisions(fleet.journal) == decisions(journal)
    if url := fleet.environment.get("REDIS_URL"):
        for kind in (EventType.ORDER_FILLED, EventType.ORDER_APPROVED):
            journaled = [(at, data) for name, at, data in decisions(journal) if name == kind]
            assert asyncio.run(exported(url, kind)) == journaled
    assert replay_session(fleet.journal)["state_hash"] == summary["state_hash"]


def test_two_processes_decide_as_one_does(
    place: Place, single: tuple[Path, Path, dict[str, Any]], tmp_path: Path
) -> None:
    with Fleet(tmp_path, place.table, place.environment, single[1]) as fleet:
        fleet.start("execution")
        fleet.start("ingestion")
        compare(fleet, single)


@pytest.mark.promise(57)
@pytest.mark.parametrize("victim", ["execution", "ingestion", "broker", "all"])
def test_kill_9_in_the_middle_loses_and_doubles_nothing(
    place: Place,
    single: tuple[Path, Path, dict[str, Any]],
    tmp_path: Path,
    victim: str,
) -> None:
    """Up to three times, while there is something left. Redis keeps nothing on a disk here, so each
    restart of it is a flush as well; Kafka comes back with what it had."""
    kills = 0
    with Fleet(tmp_path, place.table, place.environment, single[1], speed=SPEED) as fleet:
        fleet.start("ingestion")
        fleet.start("execution")
        for share in (0.2, 0.4, 0.6):
            wanted = int(SECONDS * 20 * share)
            reached = partial(reached_by, fleet, wanted)
            until(reached, f"{wanted} messages")
            if reached_by(fleet, SECONDS * 20):
                break
            kills += 1
            names = ["ingestion", "execution"] if victim == "all" else [victim]
            for name in names:
                if name != "broker":
                    fleet.kill(name)
            if victim in ("broker", "all"):
                place.broker.kill()
                place.broker.start()
            for name in names:
                if name != "broker":
                    fleet.start(name)
        assert kills, "it ended before it was killed"
        compare(fleet, single)


def test_each_process_can_be_asked_how_it_is(
    place: Place, single: tuple[Path, Path, dict[str, Any]], tmp_path: Path
) -> None:
    with Fleet(tmp_path, place.table, place.environment, single[1], speed=2.0) as fleet:
        for name in ("ingestion", "execution"):
            fleet.start(name)
        until(lambda: inputs(fleet.journal) > 50, "messages")
        found = {name: healthy(fleet, name) for name in ("ingestion", "execution")}
        assert found["execution"]["progress"]["heard"]["ingestion"] > 0
        assert found["ingestion"]["modules"] == ["feed"]


def test_the_single_table_does_the_same_without_a_broker(
    single: tuple[Path, Path, dict[str, Any]], tmp_path: Path
) -> None:
    journal, tape, summary = single
    ended = subprocess.run(
        [
            sys.executable, "-m", "hean", "run", "--deploy", str(ROOT / "deploy/single.toml"),
            "--symbols", "BTCUSDT", "--port", "0", "--play", str(tape), "--strategy", STRATEGY,
            "--data-dir", str(tmp_path), "--json", "-",
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    result = json.loads(ended.stdout)
    assert {name: result[name] for name in SAME} == {name: summary[name] for name in SAME}
    assert decisions(tmp_path / "hean.journal") == decisions(journal)


@pytest.mark.promise(57)
def test_without_its_redis_it_goes_on_says_so_and_trades_the_same(
    single: tuple[Path, Path, dict[str, Any]], tmp_path: Path
) -> None:
    journal, tape, summary = single
    told = tmp_path / "told.txt"
    words = [
        sys.executable, "-m", "hean", "run", "--deploy", str(ROOT / "deploy/single.toml"),
        "--symbols", "BTCUSDT", "--port", "0", "--play", str(tape), "--strategy", STRATEGY,
        "--speed", "6", "--data-dir", str(tmp_path), "--json", str(tmp_path / "result.json"),
    ]  # fmt: skip
    nobody = {"REDIS_URL": "redis://127.0.0.1:9", "LOG_LEVEL": "INFO"}  # nobody listens there
    with (
        told.open("w") as line,
        subprocess.Popen(words, env=os.environ | nobody, stdout=line, stderr=line) as process,
    ):
        until(lambda: "/health" in told.read_text() or process.poll() is not None, "its address")
        address = told.read_text().split("http://")[1].split("/health")[0]

        def document() -> dict[str, Any]:
            with urllib.request.urlopen(f"http://{address}/health", timeout=60) as answer:
                return json.load(answer)

        until(lambda: document()["status"] == "degraded", "the word that copies are not made")
        assert "Redis" in document()["services"]["broker"]
        until(lambda: process.poll() is not None, "the end")
    assert process.returncode == 0, told.read_text()
    result = json.loads((tmp_path / "result.json").read_text())
    assert {name: result[name] for name in SAME} == {name: summary[name] for name in SAME}
    assert decisions(tmp_path / "hean.journal") == decisions(journal)
    logged = [json.loads(line) for line in told.read_text().splitlines() if line.startswith("{")]
    assert sum(row.get("event") == "ORDER_FILLED" for row in logged) == summary["fills"]
    assert {row["level"] for row in logged} <= {"INFO", "WARNING", "ERROR"}
