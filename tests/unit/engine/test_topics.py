# SPDX-License-Identifier: Apache-2.0
"""What goes on, as updates: each topic counts its own, says facts once and states as they are, and
a listener who was away gets what was missed or is told to begin anew.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from engine_desk import EngineDesk, engine_desk
from hean.core.types import OrderType, Side
from hean.engine.topics import KEPT_UPDATES, TOPICS, Topics

QTY = Decimal("0.01")


class NoJobs:
    """Nobody asks for long work here."""

    def __init__(self) -> None:
        self.on_change: list[Any] = []

    def list(self) -> list[Any]:
        return []


@asynccontextmanager
async def heard_topics(desk: EngineDesk) -> AsyncIterator[Topics]:
    """Topics that say what goes on."""
    topics = Topics(desk.facade, NoJobs())
    keeping = asyncio.get_running_loop().create_task(topics.keep())
    try:
        yield topics
    finally:
        keeping.cancel()


class Ear:
    """Keeps every update, and holds the numbers to their rule."""

    def __init__(self, topics: Topics) -> None:
        self.heard: dict[str, list[dict[str, Any]]] = defaultdict(list)
        topics.listeners.append(self._hear)

    def _hear(self, topic: str, seq: int, update: bytes) -> None:
        frame = json.loads(update)
        before = self.heard[topic][-1]["seq"] if self.heard[topic] else seq - 1
        assert (frame["topic"], frame["seq"], frame["snapshot"]) == (topic, seq, False)
        assert seq == before + 1, "an update is missing"
        self.heard[topic].append(frame)

    def rows(self, topic: str) -> list[dict[str, Any]]:
        """All facts of a topic."""
        return [row for frame in self.heard[topic] for row in frame["data"]]


@pytest.mark.promise(54)
async def test_facts_are_said_once_and_states_as_they_are(tmp_path: Path) -> None:
    async with engine_desk(tmp_path) as desk, heard_topics(desk) as topics:
        ear = Ear(topics)
        await desk.start()
        orders = [
            (await desk.facade.place("BTCUSDT", Side.BUY, OrderType.MARKET, QTY)).client_order_id
            for _ in range(3)
        ]
        await desk.until(lambda: len(ear.rows("fills")) == 3)
        await desk.until(lambda: len(ear.rows("orders")) >= 6)
        assert [row["client_order_id"] for row in ear.rows("order_decisions")] == orders
        assert {row["client_order_id"] for row in ear.rows("fills")} == set(orders)
        last = {row["client_order_id"]: row["status"] for row in ear.rows("orders")}
        assert last == dict.fromkeys(orders, "FILLED")
        assert ear.heard["positions"][-1]["data"][0]["qty"] == "0.03"
        assert {row["symbol"] for row in ear.heard["market"][-1]["data"]} == {"BTCUSDT", "ETHUSDT"}
        await desk.facade.kill("HALT_NEW", "enough of this", "operator:ann")
        await desk.until(lambda: ear.heard["risk"][-1]["data"]["level"] == "HALT_NEW")
        await desk.until(lambda: ear.heard["system_status"][-1]["data"]["state"] == "HALTED")
        await desk.stop()


@pytest.mark.promise(54)
async def test_whoever_was_away_goes_on_or_begins_anew(tmp_path: Path) -> None:
    async with engine_desk(tmp_path) as desk, heard_topics(desk) as topics:
        assert {"system_status", "order_decisions", "ai_catalyst"} <= set(TOPICS)
        for topic in TOPICS:
            seq, frame = topics.snapshot(topic)
            assert json.loads(frame)["snapshot"] is True
            assert topics.since(topic, seq) == []
        ear = Ear(topics)
        await desk.start()
        seq, frame = topics.snapshot("market")
        await desk.until(lambda: len(ear.heard["market"]) > 5)
        missed = topics.since("market", seq)
        assert missed and missed[0][0] == seq + 1
        assert json.loads(missed[-1][1]) == ear.heard["market"][-1]
        assert topics.since("market", 10**9) is None, "a number of another life"
        assert topics.since("market", -KEPT_UPDATES) is None
        placed = await desk.facade.place("ETHUSDT", Side.BUY, OrderType.MARKET, Decimal("0.1"))
        seq, frame = topics.snapshot("orders")
        rows = json.loads(frame)["data"]
        assert [row["client_order_id"] for row in rows] == [placed.client_order_id]
        await desk.until(lambda: desk.filled(placed.client_order_id))
        await desk.stop()
