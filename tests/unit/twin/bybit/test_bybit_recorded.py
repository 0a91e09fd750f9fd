# SPDX-License-Identifier: Apache-2.0
"""A recorded capture that the twin serves is the capture: the same book after every event."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from binance_desk import DeskSession
from hean.twin.build import Twin, TwinSettings

CAPTURE = "payloads/bybit/recorded/nautilus/xrpusdt-orderbook500-2024-12-01.jsonl"


def books(frames: list[Any]) -> list[Any]:
    """Both sides after each frame."""
    sides: dict[str, dict[float, float]] = {"b": {}, "a": {}}
    found = []
    for frame in frames:
        if frame["type"] == "snapshot":
            sides = {"b": {}, "a": {}}
        for side in "ba":
            for price, size in frame["data"][side]:
                sides[side].pop(float(price), None)
                if float(size):
                    sides[side][float(price)] = float(size)
        found.append({side: dict(levels) for side, levels in sides.items()})
    return found


def test_the_books_served_are_the_books_recorded(shared: Path) -> None:
    path = shared / CAPTURE
    recorded = [json.loads(line) for line in path.read_text().splitlines()]
    settings = TwinSettings("bybit", {"main": ("k", "s")}, files=(path,), symbols=("XRPUSDT",))
    twin = Twin(settings)
    session = DeskSession("/v5/public/linear", number=1, now_ns=twin.now())
    twin.dialect.opened(session)
    topic = "orderbook.500.XRPUSDT"
    twin.dialect.received(session, json.dumps({"op": "subscribe", "args": [topic]}))
    for at_ns, act in twin.script.moments():
        act(at_ns)
    served = [frame for frame in session.frames if frame.get("topic") == topic]
    assert books(served)[-len(recorded) :] == books(recorded)
    numbers = [frame["data"]["u"] for frame in served]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
