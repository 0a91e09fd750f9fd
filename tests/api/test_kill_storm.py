# SPDX-License-Identifier: Apache-2.0
"""A thousand people press the red button at once (R-22): one latch, one sweep of the orders, and
the same answer for each of them.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp

from face_desk import FaceDesk, face_desk
from hean.api.permissions import Role
from hean.api.places import CONNECTIONS_MAX
from hean.core.types import EventType

THOUSAND = 1_000
ORDERS = 8
STOP = {"reason": "everybody presses it", "level": "CANCEL_ALL"}


async def resting(desk: FaceDesk) -> list[str]:
    """Orders that wait in the book. *Returns*: their ids."""
    asked = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "qty": "0.01"}
    ids = []
    for number in range(ORDERS):
        status, order = await desk.ask("POST", "/orders", asked | {"price": str(50_000 - number)})
        assert status == 202, order
        ids.append(order["client_order_id"])
    await desk.engine.until(
        lambda: all(desk.engine.facade.order(each).status == "WORKING" for each in ids)
    )
    return ids


async def test_a_thousand_triggers_at_once_are_one(tmp_path: Path) -> None:
    lines = aiohttp.TCPConnector(limit=CONNECTIONS_MAX - 20)
    async with face_desk(tmp_path) as desk, aiohttp.ClientSession(connector=lines) as crowd:
        await desk.engine.start()
        ids, facts = await resting(desk), desk.engine.facts()
        url = f"{desk.face.server.url}/killswitch/trigger"
        token = {"Authorization": f"Bearer {desk.tokens[Role.OPERATOR]}"}

        async def press() -> tuple[int, bytes]:
            async with crowd.post(url, json=STOP, headers=token) as answer:
                return answer.status, await answer.read()

        answers = Counter(await asyncio.gather(*(press() for _ in range(THOUSAND))))
        ((status, _),) = answers
        assert (status, answers.total()) == (200, THOUSAND)
        await desk.engine.until(
            lambda: all(desk.engine.facade.order(each).status == "CANCELLED" for each in ids)
        )
        found: dict[str, Any] = (await desk.ask("GET", "/killswitch"))[1]
        assert (found["latched"], found["level"]) == (True, "CANCEL_ALL")
        seen = Counter(fact.event_type for fact in facts)
        assert (seen[EventType.KILLSWITCH_TRIGGERED], seen[EventType.CANCEL_REQUEST]) == (1, ORDERS)
