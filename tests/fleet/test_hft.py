# SPDX-License-Identifier: Apache-2.0
"""Five processes on Kafka trade as one process does: market and bars, three processes of models,
and the one that decides. Whoever is killed in the middle, a process or the broker, nothing is lost
and nothing doubled. Real processes, a real broker, `kill -9`.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

from fleet.fleet_processes import DECISIONS, ROOT, Fleet, decisions, inputs, until
from fleet.hft_fleet import (
    MODELS,
    PROCESSES,
    SECONDS,
    SWING,
    TABLE,
    WORDS,
    fleet_of,
    healthy,
    recorded_market,
)  # fmt: skip
from hean.core.types import EventType, Payload, decode
from hean.paper_journal import replay_session
from hean.topology import read_table
from kafka_broker import KafkaBroker

pytestmark = pytest.mark.server
SPEED = 20.0
SAME = ("state_hash", "fills", "orders", "orders_rejected", "net_pnl", "fees", "final_equity")


class Single(NamedTuple):
    """The session in one process."""

    tape: Path
    journal: Path
    summary: dict[str, Any]


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Single:
    folder = tmp_path_factory.mktemp("single")
    tape = recorded_market(folder)
    ended = subprocess.run(
        [
            sys.executable, "-m", "hean", "run", "--deploy", str(ROOT / "deploy" / "single.toml"),
            "--port", "0", *WORDS, "--play", str(tape), "--strategy", SWING,
            "--data-dir", str(folder), "--json", "-",
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    return Single(tape, folder / "hean.journal", json.loads(ended.stdout))


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    with KafkaBroker(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker


def decided(journal: Path) -> list[tuple[int, Payload]]:
    """All decisions, and the alarms of the models: moment and payload. The number of an event on
    its bus is each process's own: where models are apart there are other events between.
    """
    found = []
    for kind, at_ns, data in decisions(journal, (*DECISIONS, "CHANGEPOINT")):
        payload = decode(EventType(kind), data)
        if "as_of_seq" in payload.__struct_fields__:
            payload = replace(payload, as_of_seq=0)
        found.append((at_ns, payload))
    return found


def compare(fleet: Fleet, single: Single) -> None:
    result = fleet.result()
    assert decided(fleet.journal) == decided(single.journal)
    assert {name: result[name] for name in SAME} == {name: single.summary[name] for name in SAME}
    assert replay_session(fleet.journal)["state_hash"] == single.summary["state_hash"]


@pytest.mark.promise(169)
@pytest.mark.promise(170)
def test_the_ports_are_those_that_are_promised() -> None:
    table = read_table(TABLE)
    assert table.transport == "kafka"
    assert {name: process.port for name, process in table.process.items()} == {
        "ingestion": 8005, "kalman-filter": 8001, "garch-volatility": 8002, "execution": 8003,
        "risk-manager": 8004,
    }  # fmt: skip


def test_the_models_matter(single: Single) -> None:
    """Without them the decisions would be others, so that equality says something."""
    found = [kind for kind, _, _ in decisions(single.journal, (*DECISIONS, "CHANGEPOINT"))]
    assert found.count("ORDER_FILLED") > 50
    assert found.count("CHANGEPOINT") > 100
    with sqlite3.connect(single.journal) as line:
        rows = line.execute("SELECT payload FROM record WHERE kind='CHANGEPOINT'").fetchall()
    assert {decode(EventType.CHANGEPOINT, row).symbol for (row,) in rows} == {
        "BTCUSDT", "ETHUSDT", "ETHUSDT/BTCUSDT",
    }  # fmt: skip
    assert found.count("ORDER_REJECTED") > 5  # by the breaker of changes


@pytest.mark.promise(52)
def test_whoever_is_killed_five_processes_decide_as_one(
    kafka: KafkaBroker, single: Single, tmp_path: Path
) -> None:
    """Each of them and the broker once, at equal shares of the market; the last four are played
    undisturbed, for what waited for a victim comes all at once."""
    with fleet_of(tmp_path, "kafka", {"KAFKA_SERVERS": kafka.servers}, single.tape, SPEED) as fleet:
        for name in PROCESSES:
            fleet.start(name)
        until(lambda: inputs(fleet.journal) > 50, "messages")
        found = {name: healthy(fleet, name) for name in PROCESSES}
        assert {name: it["process"] for name, it in found.items()} == {n: n for n in PROCESSES}
        assert found["risk-manager"]["modules"] == ["changepoint"]
        assert found["risk-manager"]["progress"]["heard"].keys() == {"ingestion", "kalman-filter"}
        victims = (*PROCESSES, "broker")
        total = SECONDS * 2 * (1 + len(MODELS))  # each message, and what each model says of it
        for place, victim in enumerate(victims, 1):
            wanted = total * place // (len(victims) + 4)
            until(lambda wanted=wanted: inputs(fleet.journal) >= wanted, f"{wanted} messages")
            assert inputs(fleet.journal) < total, "it ended before it was killed"
            if victim == "broker":
                kafka.kill()
                kafka.start()
            else:
                fleet.kill(victim)
                fleet.start(victim)
        compare(fleet, single)
    kafka.flush()
