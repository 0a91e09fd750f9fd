# SPDX-License-Identifier: Apache-2.0
"""A session on a twin, as a user runs it, against the backtest of what it recorded: replayed bit by
bit, the same fills, and each thing that is given to one side otherwise named as the cause.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hean.parity.sides import recorded_run
from sessions import STRATEGY, without
from venue_contract.adapters.feed_desk import twin_environment
from venue_contract.adapters.paper_process import STRATEGIES, traded
from venue_contract.twin_process import TwinProcess

FILLS = 10
READY_S = 180.0  # of a command on a loaded machine
CHANGES = [
    ("fee", ("--fees", "maker=0.0001,taker=0.002")),
    ("latency", ("--latency", "150ms")),
    ("parameter", ("--param", "every=6")),
]


def hean(*words: object, cwd: Path, environment: dict[str, str] | None = None) -> tuple[int, Any]:
    """Run a command with `--json -`. *Returns*: exit code and document."""
    done = subprocess.run(
        [sys.executable, "-m", "hean", *map(str, words), "--json", "-"],
        cwd=cwd,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=READY_S,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def limits(journal: Path) -> Iterator[str]:
    """The session's hard limits as options; that of leverage follows `--leverage`."""
    with recorded_run(journal) as recorded:
        for name, value in recorded.settings.account.limits.items():
            if name != "leverage_max":
                yield from ("--limit", f"{name}={value}")


@pytest.mark.parametrize("exchange", ["bybit", "binance"])
def test_a_session_and_its_backtest_fill_the_same_and_each_change_is_named(
    exchange: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    twin: TwinProcess = request.getfixturevalue(exchange)
    spec = f"{STRATEGIES}:PacedAloud"
    words = ("--exchange", exchange, "--strategy", spec, "--symbols", "BTCUSDT")
    files = ("--journal", "run.journal", "--record", "tape")
    environment = twin_environment(twin)
    session = traded(tmp_path, *words, *files, environment=environment, fills=FILLS)
    assert session["fills"] >= FILLS

    code, replayed = hean("replay", "run.journal", cwd=tmp_path)
    assert (code, replayed["state_hash"]) == (0, session["state_hash"])

    played = ("--strategy", spec, "--symbol", "BTCUSDT", "--data", "tape")
    code, backtest = hean("backtest", *played, *limits(tmp_path / "run.journal"), cwd=tmp_path)
    same = ("state_hash", "fills", "orders", "events", "fees", "funding", "net_pnl", "refusals")
    assert {name: backtest[name] for name in same} == {name: session[name] for name in same}

    for data in ((), ("--data", "tape")):
        code, found = hean("parity", "--journal", "run.journal", *data, cwd=tmp_path)
        assert (code, found["identical_fraction"], found["causes"]) == (0, 1.0, {})
        assert found["trades"]["identical"] == session["fills"]

    for cause, change in CHANGES:
        code, found = hean(
            "parity", "--journal", "run.journal", "--data", "tape", *change, cwd=tmp_path
        )
        assert (code, list(found["causes"])) == (1, [cause]), found

    (tape,) = (tmp_path / "tape").iterdir()
    with recorded_run(tmp_path / "run.journal") as recorded:  # no trade is sure to lie elsewhere
        moments = [trade.ts_ns for trade in recorded.told.trades]
    cut = without(tape, moments[0], moments[-1])
    code, found = hean("parity", "--journal", "run.journal", "--data", cut, cwd=tmp_path)
    assert (code, list(found["causes"])) == (1, ["data"]), found
    (stretch,) = found["data_difference"]["stretches"]
    assert (stretch["kind"], stretch["frames"] > 10) == ("missing", True)


def test_a_recording_cannot_go_where_something_is(bybit: TwinProcess, tmp_path: Path) -> None:
    there = tmp_path / "there.jsonl.gz"
    there.write_bytes(b"precious")
    words = ("--no-api", "--exchange", "bybit", "--strategy", STRATEGY, "--symbols", "BTCUSDT")
    code, answer = hean(
        "paper", *words, "--record", there, cwd=tmp_path, environment=twin_environment(bybit)
    )
    assert code == 2
    assert "--record" in answer["message"]
    assert there.read_bytes() == b"precious"
