# SPDX-License-Identifier: Apache-2.0
"""`topics.py`: what goes on, as updates for whoever listens. A tap notes what has changed; a moment
later each topic that has says it once, encoded once however many listen. A topic of facts (orders,
fills, decisions, logs) says each; a topic of a state says the newest. Every update has the next
number of its topic; the last ones are kept, so that a listener who was away can go on. Numbers
begin where the clock stands: who was away while the server restarted has one of another life, which
is far below all of this one, and gets the whole again instead of silence.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import pydantic_core

from hean.core.types import Event, EventType
from hean.data.fingerprint import iso_utc
from hean.engine.documents import Document
from hean.engine.facade import EngineFacade
from hean.engine.watch import OPINIONS, ROWS

JOBS = "jobs"
FACTS = ("orders", *ROWS, JOBS)
STATES = ("system_status", "positions", "pnl", "market", "strategies", "risk")
TOPICS = (*FACTS, *STATES)
PAUSE_S = 0.025  # between two updates of a topic: what an eye may wait for
MARKET_S = 0.1
STATUS_S = 1.0  # a page that hears no status for three of these says so
MS = 1_000_000  # a topic says forty updates in a thousand of these: a later life begins above
KEPT_UPDATES = 500  # of each topic
_SHOWN = 100  # rows of a snapshot

_TOUCHED: dict[EventType, tuple[str, ...]] = {
    EventType.ORDER_FILLED: ("fills", "positions", "pnl", "strategies", "risk"),
    EventType.PNL_UPDATE: ("positions", "pnl", "strategies"),
    EventType.ORDER_APPROVED: ("order_decisions", "strategies"),
    EventType.ORDER_REJECTED: ("order_decisions", "strategies"),
    EventType.KILLSWITCH_TRIGGERED: ("risk", "system_status"),
    EventType.KILLSWITCH_RELEASED: ("risk", "system_status"),
    EventType.COMMAND: ("risk", "strategies", OPINIONS),
    EventType.ERROR: ("logs",),
    EventType.HEALTH: ("logs", "risk"),
    **dict.fromkeys(
        (
            EventType.REGIME,
            EventType.CHANGEPOINT,
            EventType.VOL_FORECAST,
            EventType.HEDGE_RATIO,
            EventType.ML_PREDICTION,
        ),
        (OPINIONS,),
    ),
}
Listener = Callable[[str, int, bytes], None]


class Jobs(Protocol):
    """Long work beside the engine. `on_change` is told name and state of each that changes."""

    on_change: list[Callable[[str, Document], None]]

    def list(self) -> Sequence[Document]:
        """All of it, the newest first."""
        ...


class Topics:
    """*facade*, *jobs*: asked for the state. Its loop is the engine's. `listeners` are told topic,
    number and the encoded update; none may wait.
    """

    def __init__(self, facade: EngineFacade, jobs: Jobs) -> None:
        self.listeners: list[Listener] = []
        self._facade = facade
        self._jobs = jobs
        self._changed: dict[str, Document] = {}
        self._seq = dict.fromkeys(TOPICS, facade.now_ns // MS)
        self._kept: dict[str, deque[tuple[int, bytes]]] = {
            topic: deque(maxlen=KEPT_UPDATES) for topic in TOPICS
        }
        self._dirty: set[str] = set()
        self._orders: dict[str, None] = {}
        self._said = dict.fromkeys(ROWS, 0)
        self._is_due = False
        facade.on_ready.append(self._begin)
        jobs.on_change.append(self._see_job)

    def snapshot(self, topic: str) -> tuple[int, bytes]:
        """Number and encoded state of a topic, as of its last update."""
        self._flush()
        return self._seq[topic], self._encoded(topic, self._whole(topic), is_snapshot=True)

    def since(self, topic: str, seq: int) -> list[tuple[int, bytes]] | None:
        """The updates after number *seq*; `None` when they are not all kept any more."""
        kept = self._kept[topic]
        missed = self._seq[topic] - seq
        if missed < 0 or missed > len(kept):
            return None
        return list(kept)[len(kept) - missed :]

    async def keep(self) -> None:
        """Say what the market is and how the engine is, over and over, until cancelled."""
        said_s = -STATUS_S
        while True:
            self._touch("market")
            now_s = asyncio.get_running_loop().time()
            if now_s - said_s >= STATUS_S:
                said_s = now_s
                self._touch("system_status")
            await asyncio.sleep(MARKET_S)

    # ------------------------------------------------------------ inside

    def _begin(self, system: Any) -> None:
        self._said = dict.fromkeys(ROWS, 0)
        system.bus.tap(self._see)
        self._touch(*STATES)

    def _see(self, event: Event) -> None:
        order_id = getattr(event.data, "order_id", "")
        if order_id:
            self._orders[order_id] = None
            self._touch("orders")
        topics = _TOUCHED.get(event.event_type)
        if topics is not None:
            self._touch(*topics)

    def _see_job(self, job_id: str, job: Document) -> None:
        self._changed[job_id] = job
        self._touch(JOBS)

    def _touch(self, *topics: str) -> None:
        self._dirty.update(topics)
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_later(PAUSE_S, self._flush)

    def _flush(self) -> None:
        self._is_due = False
        dirty, self._dirty = self._dirty, set()
        for topic in TOPICS:
            if topic not in dirty:
                continue
            rows = self._news(topic) if topic in FACTS else self._state(topic)
            if topic in FACTS and not rows:
                continue
            self._seq[topic] += 1
            update = (self._seq[topic], self._encoded(topic, rows, is_snapshot=False))
            self._kept[topic].append(update)
            for listener in self.listeners:
                listener(topic, *update)

    def _news(self, topic: str) -> list[Any]:
        """Facts of a topic since its last update, the oldest first."""
        if topic == "orders":
            ids, self._orders = self._orders, {}
            known = (self._facade.find_order(order_id) for order_id in ids)
            return [order for order in known if order is not None]
        if topic == JOBS:
            changed, self._changed = self._changed, {}
            return list(changed.values())
        total = self._facade.totals()[topic]
        new, self._said[topic] = total - self._said[topic], total
        return list(reversed(self._facade.latest(topic, new))) if new else []

    def _whole(self, topic: str) -> Any:
        facade = self._facade
        if topic == JOBS:
            return list(self._jobs.list())
        if topic in FACTS and not facade.is_ready:
            return []
        if topic == "orders":
            return facade.orders(_SHOWN)
        return facade.latest(topic, _SHOWN) if topic in FACTS else self._state(topic)

    def _state(self, topic: str) -> Any:
        facade = self._facade
        if topic == "system_status":
            return facade.status()
        if not facade.is_ready:
            return None
        match topic:
            case "positions":
                return facade.positions()
            case "pnl":
                return facade.portfolio()
            case "strategies":
                return facade.strategies()
            case "risk":
                return facade.risk()
        return facade.quotes()

    def _encoded(self, topic: str, data: Any, *, is_snapshot: bool) -> bytes:
        frame = {
            "topic": topic,
            "seq": self._seq[topic],
            "ts": iso_utc(self._facade.now_ns),
            "snapshot": is_snapshot,
            "data": _plain(data),
        }
        return pydantic_core.to_json(frame)


def _plain(data: Any) -> Any:
    if isinstance(data, Document):
        return data.model_dump(mode="json")
    if isinstance(data, list):
        return [_plain(each) for each in data]
    return data
