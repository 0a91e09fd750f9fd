# SPDX-License-Identifier: Apache-2.0
"""The processes of deploy/services.toml decide as one process does: what a trained model says in
`ml-service` is what it would say beside the strategy. Real processes, a real broker, `kill -9`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from fleet.fleet_processes import ROOT, Fleet, decisions, inputs, until
from fleet.hft_fleet import SECONDS, healthy, recorded_market
from fleet.test_hft import SAME, decided
from hean.core.types import EventType, decode
from hean.ml.folder import write_model
from hean.paper_journal import replay_session
from hean.topology import Link, read_table
from kafka_broker import KafkaBroker
from learned import TEXT, learned_model
from redis_server import RedisServer
from sessions import START_NS

pytestmark = pytest.mark.server
TABLE = ROOT / "deploy" / "services.toml"
PROCESSES = ("ingestion", "ml-service", "execution")
STRATEGY = f"{ROOT / 'tests' / 'paper_strategies.py'}:Believer"
WORDS = ("--symbols", "ETHUSDT,BTCUSDT", "--bar", "1s")
SPEED = 25.0
TRUSTED = 300  # predictions until their inputs are compared with those of the training


class Single(NamedTuple):
    """The session in one process, and the model it believes."""

    tape: Path
    model: Path
    journal: Path
    summary: dict[str, Any]


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Single:
    folder = tmp_path_factory.mktemp("single")
    tape, model = recorded_market(folder), folder / "model"
    tree = TEXT.replace("-0.75 0.75", "-0.0003 0.0003")  # a return of a bar that means something
    trained = learned_model(timeframe="1s", valid_from=START_NS, rows=TRUSTED, text=tree)
    write_model(model, trained.manifest, {"model.txt": tree.encode()})
    ended = subprocess.run(
        [
            sys.executable, "-m", "hean", "run", "--deploy", str(ROOT / "deploy" / "single.toml"),
            "--port", "0", *WORDS, "--play", str(tape), "--strategy", STRATEGY,
            "--data-dir", str(folder), "--json", "-",
        ],
        capture_output=True, text=True, check=False, env=os.environ | {"ML_MODEL_PATH": str(model)},
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    return Single(tape, model, folder / "hean.journal", json.loads(ended.stdout))


class Place(NamedTuple):
    """A broker, and how a fleet on it is described."""

    table: Path
    environment: Mapping[str, str]


@pytest.fixture(params=["redis", "kafka"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    if request.param == "redis":
        pytest.importorskip("redis")
        with RedisServer(tmp_path / "redis") as server:
            yield Place(TABLE, {"REDIS_URL": server.url})
        return
    table = tmp_path / "services.toml"
    table.write_text(TABLE.read_text().replace('"redis"', '"kafka"'))
    with KafkaBroker(tmp_path / "kafka") as broker:
        yield Place(table, {"KAFKA_SERVERS": broker.servers})


def fleet_of(folder: Path, place: Place, single: Single) -> Fleet:
    """The processes, none started; one of them has the model."""
    return Fleet(
        folder, place.table, place.environment, single.tape, speed=SPEED, strategy=STRATEGY,
        others=("ml-service",), common=WORDS,
        own={"ml-service": {"ML_MODEL_PATH": str(single.model)}},
    )  # fmt: skip


def test_the_model_matters_until_it_is_distrusted(single: Single) -> None:
    """Without it there would be no decision, so that equality says something."""
    found = decisions(single.journal, ("SIGNAL", "ORDER_FILLED"))
    assert [kind for kind, _, _ in found].count("ORDER_FILLED") > 20
    last = max(at_ns for _, at_ns, _ in found)
    assert START_NS + TRUSTED * 10**9 <= last < START_NS + (SECONDS - 60) * 10**9
    signals = [decode(EventType.SIGNAL, data) for kind, _, data in found if kind == "SIGNAL"]
    assert {each.symbol for each in signals} == {"BTCUSDT"}  # the model is about that one
    assert len({each.side for each in signals}) == 2


@pytest.mark.promise(173)
def test_the_table_is_the_registry_of_services() -> None:
    """Who there is, where each is asked, who hears what of whom: all of it follows from the file,
    and nothing is looked up in Redis, which is the bus alone.
    """
    table = read_table(TABLE)
    assert {name: process.port for name, process in table.process.items()} == {
        "ingestion": 8005, "ml-service": 8006, "execution": 8003,
    }  # fmt: skip
    assert table.heard("execution") == ["ingestion", "ml-service"]
    assert table.readers("ml-service") == ["execution"]
    assert table.topic("ml-service") == "services.ml-service"


@pytest.mark.promise(174)
def test_ml_service_has_features_and_model_and_needs_a_folder(tmp_path: Path) -> None:
    table = read_table(TABLE)
    assert table.process["ml-service"].modules == ["features", "ml"]
    (link,) = (it for it in table.links() if it.source == "ml-service")
    assert link == Link("ml-service", "execution", ("FEATURES_READY", "HEALTH", "ML_PREDICTION"))
    words = ["--deploy", str(TABLE), "--process", "ml-service", "--data-dir", str(tmp_path)]
    ended = subprocess.run(
        [sys.executable, "-m", "hean", "run", *words, *WORDS], capture_output=True, text=True,
        check=False, env=os.environ | {"REDIS_URL": "redis://127.0.0.1:9"},
    )  # fmt: skip
    assert ended.returncode == 2
    assert "ML_MODEL_PATH" in ended.stderr


@pytest.mark.promise(173)
@pytest.mark.promise(174)
def test_whoever_is_killed_the_services_decide_as_one_process(
    place: Place, single: Single, tmp_path: Path
) -> None:
    with fleet_of(tmp_path, place, single) as fleet:
        for name in PROCESSES:
            fleet.start(name)
        until(lambda: inputs(fleet.journal) > 50, "messages")
        found = {name: healthy(fleet, name) for name in PROCESSES}
        assert found["ml-service"]["modules"] == ["features", "ml"]
        assert found["execution"]["progress"]["heard"].keys() == {"ingestion", "ml-service"}
        total = SECONDS * 2 * 2  # each message, and what the model says of it
        for place_of, victim in enumerate(PROCESSES, 1):
            wanted = total * place_of // (len(PROCESSES) + 2)
            until(lambda wanted=wanted: inputs(fleet.journal) >= wanted, f"{wanted} messages")
            assert inputs(fleet.journal) < total, "it ended before it was killed"
            fleet.kill(victim)
            fleet.start(victim)
        result = fleet.result()
    assert decided(fleet.journal) == decided(single.journal)
    assert {name: result[name] for name in SAME} == {name: single.summary[name] for name in SAME}
    assert replay_session(fleet.journal)["state_hash"] == single.summary["state_hash"]
