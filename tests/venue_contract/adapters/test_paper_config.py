# SPDX-License-Identifier: Apache-2.0
"""`hean paper --config FILE` on the twin: the file says what the options would; options win."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from venue_contract.adapters.feed_desk import twin_environment
from venue_contract.twin_process import TwinProcess

STRATEGY = f"{Path(__file__).parents[2] / 'paper_strategies.py'}:Steady"
READY_S = 120.0  # of a command on a loaded machine


def test_a_session_takes_its_settings_from_a_file(bybit: TwinProcess, tmp_path: Path) -> None:
    addresses = "\n".join(
        f'{name.lower()} = "{url}"' for name, url in twin_environment(bybit).items()
    )
    (tmp_path / "hean.toml").write_text(
        f"""
        exchange = "bybit"
        market = "linear"
        testnet = true
        symbols = ["ETHUSDT"]
        cash = 5000
        duration = 8
        {addresses}

        [strategy]
        name = "{STRATEGY}"
        """
    )
    done = subprocess.run(
        [sys.executable, "-m", "hean", "paper", "--config", "hean.toml", "--json", "-",
         "--symbols", "BTCUSDT", "--no-api"],
        cwd=tmp_path, env=dict(os.environ), capture_output=True, text=True, timeout=READY_S,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["symbols"] == ["BTCUSDT"]
    assert float(result["initial_equity"]) == 5000
    assert result["events"] > 0
