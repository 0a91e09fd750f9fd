# SPDX-License-Identifier: Apache-2.0
"""Runs freqtrade, unmodified, in an environment of its own, for a while, and reads what it did from
its database. Only URLs and keys of its configuration are ours.
"""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
HOME = ROOT / ".cache" / "freqtrade"
LOCK = ROOT / "requirements" / "freqtrade.txt"
INSTALL_S, STOP_S = 600, 120
PATIENCE_S, POLL_S = 400, 0.5  # a start takes ten seconds, on a busy machine minutes
CLOSED = 2


def install() -> Path:
    """Make the environment once per lock. *Returns*: the command. *Raises*: `CalledProcessError`
    with the installer's words.
    """
    command, mark = HOME / "bin" / "freqtrade", HOME / "lock.txt"
    if mark.exists() and mark.read_bytes() == LOCK.read_bytes():
        return command
    uv = shutil.which("uv") or str(ROOT / ".hean" / "boot" / "bin" / "uv")
    python = HOME / "bin" / "python"
    steps = [[sys.executable, "-m", "venv", "--clear", "--without-pip", str(HOME)]]
    steps.append([uv, "pip", "install", "-q", "--python", str(python), "--require-hashes"])
    steps[1] += ["-r", str(LOCK)]
    for step in steps:
        subprocess.run(step, check=True, capture_output=True, timeout=INSTALL_S)
    mark.write_bytes(LOCK.read_bytes())
    return command


def settings(exchange: dict[str, Any], *, is_dry: bool, database: Path) -> dict[str, Any]:
    """A configuration: two pairs, limit entries at the touch, everything else as people have it."""
    return {
        "max_open_trades": 2,
        "stake_currency": "USDT",
        "stake_amount": 1_000,
        "dry_run": is_dry,
        "dry_run_wallet": 10_000,
        "cancel_open_orders_on_exit": True,
        "trading_mode": "futures",
        "margin_mode": "isolated",
        "db_url": f"sqlite:///{database}",
        "unfilledtimeout": {"entry": 1, "exit": 1, "unit": "minutes"},
        "entry_pricing": {"price_side": "other", "use_order_book": True, "order_book_top": 1},
        "exit_pricing": {"price_side": "other", "use_order_book": True, "order_book_top": 1},
        "exchange": {
            **exchange,
            "pair_whitelist": ["BTC/USDT:USDT", "ETH/USDT:USDT"],
            "pair_blacklist": [],
        },
        "pairlists": [{"method": "StaticPairList"}],
        "internals": {"process_throttle_secs": 1},
        "initial_state": "running",
    }


@dataclass(frozen=True)
class Outcome:
    """What a run left: closed trades, all trades, filled orders, its words until we ended it (what
    it says of our interrupt, in the midst of its bookkeeping, is not of us).
    """

    closed: int
    trades: int
    filled: list[str]
    log: str


def trade(config: dict[str, Any], folder: Path, seconds: float) -> Outcome:
    """Run the bot until it has closed CLOSED trades, and at least for *seconds*; end it as an
    operator does and read its database. A bot that ends by itself or takes too long is told by what
    it left.
    """
    path, log = folder / "config.json", folder / "log.txt"
    database = Path(config["db_url"].removeprefix("sqlite:///"))
    path.write_text(json.dumps(config), encoding="utf-8")
    command = [str(install()), "trade", "--config", str(path), "--userdir", str(folder)]
    command += ["--strategy", "Eager", "--strategy-path", str(Path(__file__).parent)]
    began = time.monotonic()
    with log.open("wb") as output:
        bot = subprocess.Popen(command, cwd=folder, stdout=output, stderr=subprocess.STDOUT)
        try:
            while bot.poll() is None and time.monotonic() - began < seconds + PATIENCE_S:
                is_enough = read(database, "").closed >= CLOSED
                if is_enough and time.monotonic() - began >= seconds:
                    break
                time.sleep(POLL_S)
            said = log.read_text("utf-8", "replace")
            bot.send_signal(signal.SIGTERM)
            bot.wait(STOP_S)
        finally:
            bot.kill()
            bot.wait()
    return read(database, said)


def read(database: Path, log: str) -> Outcome:
    """Count what the database holds; nothing if the bot never got that far."""
    if not database.exists():
        return Outcome(0, 0, [], log)
    query = "select order_id from orders where status in ('closed', 'filled') and filled > 0"
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            rows = connection.execute("select is_open from trades").fetchall()
            filled = [str(row[0]) for row in connection.execute(query)]
    except sqlite3.OperationalError:  # not made yet, or the bot is writing
        return Outcome(0, 0, [], log)
    return Outcome(sum(not row[0] for row in rows), len(rows), filled, log)
