# SPDX-License-Identifier: Apache-2.0
"""The worker that plays a command line: what it tells, and that it ends with its parent."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from hean.cli_worker import POINTS_MAX, thinned
from hean.jobs.worker import PROGRAM
from small_market import IMPULSE, write_candles


def words_of(folder: Path, bars: int) -> list[str]:
    data = write_candles(folder, 3, bars)
    params = [f"--param={name}={value}" for name, value in IMPULSE.items()]
    return ["backtest", "--strategy=impulse", "--symbol=BTCUSDT", f"--data={data}", *params]


def test_it_tells_its_progress_and_nothing_else_on_stdout(tmp_path: Path):
    words = [*words_of(tmp_path, 600), "--equity=equity.csv", "--json=result.json", "--quiet"]
    end, stays_open = os.pipe()
    with os.fdopen(stays_open, "wb"):
        done = subprocess.run(
            [*PROGRAM, *words], cwd=tmp_path, stdin=end, capture_output=True, text=True, check=False
        )
    os.close(end)
    parts = [float(line) for line in done.stdout.split()]
    assert (done.returncode, done.stderr) == (0, "")
    assert parts == sorted(parts)
    assert parts
    curve = json.loads((tmp_path / "curve.json").read_text())
    result = json.loads((tmp_path / "result.json").read_text())
    assert curve["equity"][0] == 10_000.0
    assert result["strategy"] == "impulse"


def test_it_ends_when_its_parent_does(tmp_path: Path):
    """As it does at a kill -9 of the server: the pipe closes and nobody says anything."""
    worker = subprocess.Popen(
        [*PROGRAM, *words_of(tmp_path, 300_000)], cwd=tmp_path, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    assert worker.stdin is not None and worker.stdout is not None
    try:
        assert worker.stdout.readline()  # it is at work
        worker.stdin.close()
        assert worker.wait(120) == -9  # it would have ended with 0 by itself
    finally:
        worker.kill()
        worker.stdout.close()


@pytest.mark.parametrize("rows", [1, 2, 3, POINTS_MAX, POINTS_MAX + 1, 50_000])
def test_a_thinned_curve_keeps_its_ends_its_low_and_its_high(rows: int):
    equity = 10_000 + np.cumsum(np.random.default_rng(rows).normal(0, 10, rows))
    table = pl.DataFrame(
        {"ts": [str(n) for n in range(rows)], "equity": equity, "exposure": np.zeros(rows)}
    )
    found = thinned(table)
    assert len(found["ts"]) <= POINTS_MAX
    assert (found["ts"][0], found["ts"][-1]) == ("0", str(rows - 1))
    assert (min(found["equity"]), max(found["equity"])) == (equity.min(), equity.max())
    assert [float(equity[int(ts)]) for ts in found["ts"]] == found["equity"]
    assert rows > POINTS_MAX or found["equity"] == equity.tolist()
