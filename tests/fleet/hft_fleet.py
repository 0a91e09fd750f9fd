# SPDX-License-Identifier: Apache-2.0
"""The processes of deploy/hft.toml on a market that was made for them, with a strategy whose every
size and refusal hangs on what the models say.
"""

from __future__ import annotations

import json
import math
import random
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fleet.fleet_processes import ROOT, Fleet, until
from hean.backtest.run import BacktestSettings
from hean.core.types import Book, Payload, Tick
from hean.feeds.arriving import Terms
from hean.paper import PaperSession
from hean.paper_journal import start_recording
from hean.strategies.base import Idle
from sessions import S_NS, START_NS

TABLE = ROOT / "deploy" / "hft.toml"
MODELS = ("kalman-filter", "garch-volatility", "risk-manager")
PROCESSES = ("ingestion", *MODELS, "execution")
SWING = f"{ROOT / 'tests' / 'paper_strategies.py'}:Swing"
SECONDS = 400
WORDS = (
    "--symbols", "ETHUSDT,BTCUSDT", "--bar", "1s", "--sizing", "volatility_target",
    "--changepoint", "--kalman", "--volatility", "garch", "--breaker",
    "--set", "changepoint.training=30", "--set", "breaker.alarm=0.5",
    "--set", "kalman.window=20",
)  # fmt: skip


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


def recorded_market(folder: Path) -> Path:
    """The same as a recording."""
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
    return tape


def hft_table(folder: Path, transport: str) -> Path:
    """The table for any strategy; on another transport if it is said."""
    words = TABLE.read_text().replace('"pairs"', '"strategies"')
    table = folder / "hft.toml"
    table.write_text(words.replace('"kafka"', f'"{transport}"'))
    return table


def fleet_of(
    folder: Path, transport: str, environment: Mapping[str, str], tape: Path, speed: float
) -> Fleet:
    """The processes on a recorded market, none started."""
    return Fleet(
        folder, hft_table(folder, transport), environment, tape, speed=speed, strategy=SWING,
        others=MODELS, common=WORDS,
    )  # fmt: skip


def address_of(fleet: Fleet, name: str) -> str:
    """Host and port of a process, once it has told them."""
    until(lambda: "/health" in fleet.told(name), f"the door of {name}")
    return fleet.told(name).split("http://")[1].split("/health")[0]


def healthy(fleet: Fleet, name: str) -> dict[str, Any]:
    """What a process says once it is healthy; its metrics are asked for as well."""
    address, found = address_of(fleet, name), dict[str, Any]()
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=60) as answer:
        assert b"hean_bridge_up" in answer.read()

    def is_healthy() -> bool:
        with urllib.request.urlopen(f"http://{address}/health", timeout=60) as answer:
            found.update(json.load(answer))
        return bool(found["status"] == "healthy")

    until(is_healthy, f"the health of {name}")
    return found
