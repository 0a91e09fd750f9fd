# SPDX-License-Identifier: Apache-2.0
"""The services on a live market, that of a twin: while `ml-service` is gone there is no opinion,
and whoever trades says so; when it is back it catches up, and none of what it says then is old.
"""

from __future__ import annotations

import asyncio
import time
import urllib.request
from pathlib import Path

import pytest

from fleet.fleet_processes import ROOT, Fleet, decisions
from fleet.hft_fleet import address_of, healthy
from fleet.test_hft_live import fills, happens, health
from fleet.test_services import PROCESSES, TABLE
from hean.ml.folder import write_model
from hean.twin.build import Twin, TwinSettings
from learned import TEXT, learned_model
from redis_server import RedisServer

pytestmark = pytest.mark.server
KEYS = {"main": ("a-key-of-the-services", "a-secret-of-the-services-0123456789")}
STRATEGY = f"{ROOT / 'tests' / 'paper_strategies.py'}:Fresh"
WORDS = ("--exchange", "bybit", "--testnet", "--symbols", "BTCUSDT", "--bar", "1s")
DAY_NS = 86_400 * 10**9
BAR_NS = 10**9
AWAY_S = 5  # bars of a second that nobody judges until it catches up


def trained(folder: Path) -> Path:
    """A model of now."""
    model = learned_model(timeframe="1s", valid_from=time.time_ns() - DAY_NS)
    write_model(folder / "model", model.manifest, {"model.txt": TEXT.encode()})
    return folder / "model"


def count_signals(fleet: Fleet) -> int:
    """Decisions so far."""
    return len(decisions(fleet.journal, ("SIGNAL",)))


def watermark_ns(fleet: Fleet) -> int:
    """Up to when the process that trades has played."""
    return int(health(fleet)["progress"]["watermark_ns"])


def late(fleet: Fleet) -> float:
    """Answers that came after their moment."""
    with urllib.request.urlopen(
        f"http://{address_of(fleet, 'execution')}/metrics", timeout=60
    ) as answer:
        page = answer.read().decode()
    return float(page.split("\nhean_relay_late_total ")[1].split()[0])


async def test_a_model_that_was_away_says_nothing_old(tmp_path: Path) -> None:
    twin = Twin(TwinSettings("bybit", KEYS, limits_scale=100.0))
    await twin.start()
    base = f"http://127.0.0.1:{twin.port}"
    given = {"BYBIT_REST_URL": base, "BYBIT_WS_PUBLIC_URL": base.replace("http", "ws")}
    with RedisServer(tmp_path / "redis") as redis:
        fleet = Fleet(
            tmp_path, TABLE, given | {"REDIS_URL": redis.url}, None, strategy=STRATEGY,
            others=("ml-service",), common=WORDS,
            own={"ml-service": {"ML_MODEL_PATH": str(trained(tmp_path))}},
        )  # fmt: skip
        with fleet:
            for name in PROCESSES:
                await asyncio.to_thread(fleet.start, name)
            await happens(lambda: fills(fleet) > 2, "fills")
            fleet.kill("ml-service")
            quiet_ns = time.time_ns() + BAR_NS  # what it said before its death has been heard
            later_ns = quiet_ns + AWAY_S * BAR_NS
            await happens(lambda: watermark_ns(fleet) > quiet_ns, "a market without it")
            await happens(lambda: "models" in health(fleet)["services"], "word of its absence")
            signals = count_signals(fleet)
            await happens(lambda: watermark_ns(fleet) > later_ns, "a market that goes on")
            assert count_signals(fleet) == signals
            (tmp_path / "ml-service.txt").unlink()
            await asyncio.to_thread(fleet.start, "ml-service")
            await happens(lambda: health(fleet)["status"] == "healthy", "the model again")
            await happens(lambda: count_signals(fleet) > signals, "opinions")
            assert late(fleet) >= AWAY_S  # features of each bar at least, and nobody heard them
            answered = await asyncio.to_thread(healthy, fleet, "ml-service")
            assert answered["modules"] == ["features", "ml"]
            assert all(process.is_alive() for process in fleet.alive.values()), fleet.told(
                "execution"
            )
    await twin.stop()
