# SPDX-License-Identifier: Apache-2.0
"""Five processes on Kafka trade as one process does: market and bars, three processes of models,
and the one that decides. Whoever is killed in the middle, a process or the broker, nothing is lost
and nothing doubled. Real processes, a real broker, `kill -9`.
"""

from __future__ import annotations

import json
import math
import random
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

from fleet.fleet_processes import DECISIONS, ROOT, Fleet, decisions, inputs, until
from hean.backtest.run import BacktestSettings
from hean.core.types import Book, EventType, Payload, Tick, decode
from hean.feeds.arriving import Terms
from hean.paper import PaperSession
from hean.paper_journal import replay_session, start_recording
from hean.strategies.base import Idle
from hean.topology import read_table
from kafka_broker import KafkaBroker
from sessions import S_NS, START_NS

pytestmark = pytest.mark.server
TABLE = ROOT / "deploy" / "hft.toml"
MODELS = ("kalman-filter", "garch-volatility", "risk-manager")
PROCESSES = ("ingestion", *MODELS, "execution")
SWING = f"{ROOT / 'tests' / 'paper_strategies.py'}:Swing"
SECONDS = 400
SPEED = 20.0
WORDS = (
    "--symbols", "ETHUSDT,BTCUSDT", "--bar", "1s", "--sizing", "volatility_target",
    "--changepoint", "--kalman", "--volatility", "garch", "--breaker",
    "--set", "changepoint.training=30", "--set", "breaker.alarm=0.5",
)  # fmt: skip
SAME = ("state_hash", "fills", "orders", "orders_rejected", "net_pnl", "fees", "final_equity")


def frames() -> Iterator[tuple[int, tuple[Payload, ...]]]:
    """Two coins with a common trend, a book and a trade of each a second; after half of it the
    market becomes wild.
    """
    chance, trend, spread = random.Random(7), 0.0, 0.0
    for second in range(SECONDS):
        wild = 6.0 if second > SECONDS / 2 else 1.0
        trend += chance.gauss(0, 4e-4) * wild
        spread = 0.9 * spread + chance.gauss(0, 2e-4) * wild
        for place, (symbol, base) in enumerate((("BTCUSDT", 1_000.0), ("ETHUSDT", 100.0))):
            middle = round(base * math.exp(trend + place * spread), 1)
            sides = ((middle - 0.1, 50.0),), ((middle + 0.1, 50.0),)
            at_ns = START_NS + second * S_NS + (place + 1) * 200_000_000
            tick = Tick(symbol, middle, 0.5, 0, middle - 0.1, middle + 0.1)
            yield at_ns, (Book(symbol, *sides, True), tick)


class Single(NamedTuple):
    """The session in one process."""

    tape: Path
    journal: Path
    summary: dict[str, Any]


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Single:
    folder = tmp_path_factory.mktemp("single")
    tape = folder / "tape.jsonl.gz"
    terms = [
        Terms(symbol, "linear", "0.1", "0.001", "0.001", "", "5", (), "0.0002", "0.00055", 28_800)
        for symbol in ("ETHUSDT", "BTCUSDT")
    ]
    settings = BacktestSettings("", ("ETHUSDT", "BTCUSDT"))
    session = PaperSession(
        settings, terms, start_ns=START_NS, origin="a test", strategy=Idle(settings.symbols)
    )
    recorder = start_recording(tape, session, terms)
    for at_ns, facts in frames():
        session.take(at_ns, facts)
    recorder.close(START_NS + SECONDS * S_NS)
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


def fleet_of(folder: Path, kafka: KafkaBroker, single: Single, speed: float) -> Fleet:
    """The processes of deploy/hft.toml with the strategy of the single process."""
    table = folder / "hft.toml"
    table.write_text(TABLE.read_text().replace('"pairs"', '"strategies"'))
    return Fleet(
        folder, table, {"KAFKA_SERVERS": kafka.servers}, single.tape, speed=speed,
        strategy=SWING, others=MODELS, common=WORDS,
    )  # fmt: skip


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


def asked(fleet: Fleet, name: str) -> dict[str, Any]:
    """The health of a process; its metrics are asked for as well."""
    until(lambda: "/health" in fleet.told(name), f"the door of {name}")
    address = fleet.told(name).split("http://")[1].split("/health")[0]
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=60) as answer:
        assert b"hean_bridge_up" in answer.read()
    with urllib.request.urlopen(f"http://{address}/health", timeout=60) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


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
    assert found.count("ORDER_REJECTED") > 5  # by the breaker of changes


@pytest.mark.promise(52)
def test_whoever_is_killed_five_processes_decide_as_one(
    kafka: KafkaBroker, single: Single, tmp_path: Path
) -> None:
    """Each of them and the broker once, at equal shares of the market; the last share is played
    undisturbed."""
    with fleet_of(tmp_path, kafka, single, SPEED) as fleet:
        for name in PROCESSES:
            fleet.start(name)
        until(lambda: inputs(fleet.journal) > 50, "messages")
        found = {name: asked(fleet, name) for name in PROCESSES}
        assert {name: it["process"] for name, it in found.items()} == {n: n for n in PROCESSES}
        assert {it["status"] for it in found.values()} == {"healthy"}
        assert found["risk-manager"]["modules"] == ["changepoint"]
        assert found["risk-manager"]["progress"]["heard"].keys() == {"ingestion", "kalman-filter"}
        victims = (*PROCESSES, "broker")
        total = SECONDS * 2 * (1 + len(MODELS))  # each message, and what each model says of it
        for place, victim in enumerate(victims, 1):
            wanted = total * place // (len(victims) + 2)
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
