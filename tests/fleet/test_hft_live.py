# SPDX-License-Identifier: Apache-2.0
"""Five processes on a live market, that of a twin: they trade; while a model is gone the market
does not wait for it and the one that trades says so; each comes back from `kill -9` by its journal,
in which every decision is compared with what follows now.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fleet.fleet_processes import Fleet, inputs, until
from fleet.hft_fleet import MODELS, PROCESSES, SWING, address_of, hft_table
from hean.twin.build import Twin, TwinSettings
from redis_server import RedisServer

pytestmark = pytest.mark.server
KEYS = {"main": ("a-key-of-the-fleet", "a-secret-of-the-fleet-0123456789")}
WORDS = (
    "--exchange", "bybit", "--testnet", "--symbols", "ETHUSDT,BTCUSDT", "--bar", "1s",
    "--set", "kalman.window=20",
)  # fmt: skip


def health(fleet: Fleet) -> dict[str, Any]:
    """Of the process that trades."""
    address = address_of(fleet, "execution")
    with urllib.request.urlopen(f"http://{address}/health", timeout=60) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def fills(fleet: Fleet) -> int:
    """How many its journal has."""
    if not inputs(fleet.journal):
        return 0
    with sqlite3.connect(f"file:{fleet.journal}?mode=ro", uri=True, timeout=60) as line:
        asked = line.execute("SELECT count(*) FROM record WHERE kind='ORDER_FILLED'")
        return int(asked.fetchone()[0])


async def happens(condition: Callable[[], bool], what: str) -> None:
    """Wait for it while the twin goes on."""
    await asyncio.to_thread(until, condition, what)


async def test_a_live_market_is_traded_and_waits_for_no_model(tmp_path: Path) -> None:
    twin = Twin(TwinSettings("bybit", KEYS, limits_scale=100.0))
    await twin.start()
    base = f"http://127.0.0.1:{twin.port}"
    names = ("BYBIT_WS_PUBLIC_URL", "BYBIT_WS_PRIVATE_URL", "BYBIT_WS_TRADE_URL")
    environment = dict.fromkeys(names, base.replace("http", "ws")) | {"BYBIT_REST_URL": base}
    with RedisServer(tmp_path / "redis") as redis:
        fleet = Fleet(
            tmp_path, hft_table(tmp_path, "redis"), environment | {"REDIS_URL": redis.url}, None,
            strategy=SWING, others=MODELS, common=WORDS,
        )  # fmt: skip
        with fleet:
            for name in PROCESSES:
                await asyncio.to_thread(fleet.start, name)
            await happens(lambda: fills(fleet) > 2, "fills")
            fleet.kill("risk-manager")
            await happens(
                lambda: "models" in health(fleet)["services"], "word of a model's absence"
            )
            seen = fills(fleet)
            await happens(lambda: fills(fleet) > seen, "fills without the model")
            await asyncio.to_thread(fleet.start, "risk-manager")
            await happens(lambda: health(fleet)["status"] == "healthy", "the model again")
            for name in ("execution", "garch-volatility"):
                fleet.kill(name)
                (tmp_path / f"{name}.txt").unlink()
                await asyncio.to_thread(fleet.start, name)
            seen = fills(fleet)
            await happens(lambda: fills(fleet) > seen, "fills after the restart")
            assert all(process.is_alive() for process in fleet.alive.values())
    await twin.stop()
