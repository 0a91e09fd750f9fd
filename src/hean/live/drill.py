# SPDX-License-Identifier: Apache-2.0
"""`drill.py`: the whole kill switch, practised against the venue twin, with its times. A real
trading process with a strategy that orders without rest is stopped step by step over its control
socket, ended, and started again; the twin's own ledger says what came when. Nothing of the person's
own is touched: account, market and data directory are made for it and thrown away. (What takes
orders back when a process is dead is another process, `hean watchdog`.)
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from hean.core.module import on
from hean.core.types import CancelRequest, Event, EventType, OrderType, Side, Signal
from hean.errors import EnvironmentFault
from hean.live.engine import LiveEngine
from hean.live.parts import real_parts
from hean.live.settings import LiveSettings
from hean.live.socket import ask
from hean.risk.levels import CANCEL_ALL, FLATTEN, HALT_NEW
from hean.risk.live_gate import Configured, phrase_of
from hean.risk.triggers import KillLimits
from hean.secret import Secret
from hean.strategies.base import Strategy
from hean.twin.build import Twin, TwinSettings
from hean.venues.endpoints import Endpoints, endpoints_for
from hean.venues.signing import Signer

SYMBOL = "BTCUSDT"
RESTING = 20  # orders that are open when the stop comes
PACE = 2  # facts of the market between two orders
ENTRY, PIECE = Decimal("0.01"), Decimal("0.002")
SCALE = 20  # the twin allows so many times the documented rates: nobody waits for them here
READY_S = 60.0
WATCHED_S = 1.0  # in which nothing new may arrive any more
GRACE_S = 0.05
ACKNOWLEDGED_S = 1.0  # a stop is on the disk
CANCELLED_S = 2.0
CLOSED_S = 5.0
LOOK_S = 0.005
REASON = "a drill: the switch is practised"


class Step(msgspec.Struct, frozen=True):
    """*took_s*, *allowed_s*: `None` where it is not about time."""

    name: str
    what: str
    is_kept: bool
    took_s: float | None = None
    allowed_s: float | None = None


class Practice(Strategy):
    """Holds a protected position and offers pieces far from the market, one after the other."""

    name = "practice"

    def __init__(self, symbols: tuple[str, ...]) -> None:
        super().__init__(symbols)
        self._facts = 0
        self._offered: deque[str] = deque()

    @on(EventType.TICK)
    def on_tick(self, event: Event) -> None:
        """One more order, and one less where there are enough."""
        self._facts += 1
        symbol, price = event.data.symbol, event.data.price
        if self._facts % PACE or self.is_waiting(symbol):
            return
        if not self.position[symbol]:
            self.enter(symbol, Side.BUY, size=ENTRY, stop_loss=price * 0.9)
            return
        if len(self._offered) >= RESTING:
            self.context.emit(CancelRequest(self._offered.popleft(), symbol, "makes room"))
        self._offered.append(self.context.next_id(self.name))
        self.context.emit(
            Signal(
                symbol,
                Side.BUY,
                PIECE,
                strategy_id=self.name,
                type=OrderType.LIMIT,
                price=price * (0.97 - self._facts % 100 / 10_000),
                order_id=self._offered[-1],
            )
        )


async def drill(folder: Path, *, tell: Callable[[Step], None]) -> list[Step]:
    """Practise. *folder*: an empty one, of its own; *tell*: each step as it is done.

    *Raises*: `EnvironmentFault` when it could not be brought to trade.
    """
    key = secrets.token_hex(8), secrets.token_hex(16)
    settings = TwinSettings("bybit", {"main": key}, symbols=(SYMBOL,), limits_scale=float(SCALE))
    steps: list[Step] = []

    def done(step: Step) -> None:
        steps.append(step)
        tell(step)

    twin = Twin(settings)
    await twin.start()
    try:
        exercise = Exercise(twin, folder, Signer(Secret(key[0]), Secret(key[1]), "drill"), done)
        await exercise.stop_all()
        await exercise.come_back()
    finally:
        await twin.stop()
    return steps


class Exercise:
    """The steps, at one twin. *done*: takes each."""

    def __init__(
        self, twin: Twin, folder: Path, signer: Signer, done: Callable[[Step], None]
    ) -> None:
        self.twin = twin
        self._folder = folder
        self._signer = signer
        self._done = done
        (self._account,) = {id(each.account): each.account for each in twin.keys.values()}.values()

    async def stop_all(self) -> None:
        """HALT_NEW, CANCEL_ALL, FLATTEN, while it trades."""
        async with self._life() as engine:
            await self._confirmed(engine)
            await self._until(lambda: len(self._resting()) >= RESTING - 1, READY_S)
            if len(self._resting()) < RESTING - 1:
                raise EnvironmentFault(f"the drill did not come to trade in {READY_S:g} s.")
            await self._halt(engine)
            await self._level(
                engine, CANCEL_ALL, "open orders gone, the stop stays", CANCELLED_S, self._is_bare
            )
            await self._level(engine, FLATTEN, "position closed", CLOSED_S, self._is_flat)

    async def come_back(self) -> None:
        """The stop survives the process, and nobody releases it in the heat of the moment."""
        began_s = time.monotonic()
        async with self._life() as engine:
            took_s = time.monotonic() - began_s
            level = engine.safety.killswitch.level
            self._done(Step("restart", f"comes back at {level}", level == FLATTEN, took_s))
            phrase = f"release {engine.account_id}"
            wish = {"verb": "release", "phrase": phrase, "reason": REASON, "by": "drill"}
            answer = await self._ask(engine, wish)
            why = "; ".join(answer.get("missing", ())) or "nothing is missing"
            is_kept = not answer["ok"] and "at the earliest" in why
            self._done(Step("release", f"refused at once: {why}", is_kept))

    # ------------------------------------------------------------ steps

    async def _halt(self, engine: LiveEngine) -> None:
        """Nothing new may come after the answer, though the strategy goes on asking for it."""
        await self._stopped(engine, HALT_NEW)
        refused: list[Event] = []
        undo = engine.bus.subscribe(EventType.ORDER_REJECTED, refused.append)
        seq, answered_ns = self.twin.ledger.seq, self.twin.now()
        await asyncio.sleep(WATCHED_S)
        undo()
        new = [r for r in self.twin.ledger.since(seq, RESTING * SCALE) if r["kind"] == "new"]
        last_s = max([(row["ts_ns"] - answered_ns) / 1e9 for row in new], default=0.0)
        what = f"last order to reach the venue after that; {len(refused)} more were wanted"
        self._done(Step(HALT_NEW, what, last_s <= GRACE_S and bool(refused), last_s, GRACE_S))

    async def _level(
        self,
        engine: LiveEngine,
        level: str,
        what: str,
        allowed_s: float,
        is_done: Callable[[], bool],
    ) -> None:
        began_s = time.monotonic()
        await self._stopped(engine, level)
        await self._until(is_done, 2 * allowed_s)
        took_s = time.monotonic() - began_s
        is_kept = is_done() and took_s <= allowed_s
        self._done(Step(level, what, is_kept, took_s, allowed_s))

    async def _stopped(self, engine: LiveEngine, level: str) -> None:
        began_s = time.monotonic()
        answer = await self._ask(engine, {"verb": "kill", "level": level, "reason": REASON})
        took_s = time.monotonic() - began_s
        is_kept = answer.get("level") == level and took_s <= ACKNOWLEDGED_S
        self._done(Step(level, "on the disk and acknowledged", is_kept, took_s, ACKNOWLEDGED_S))

    # ------------------------------------------------------------ what there is

    def _resting(self) -> list[Any]:
        return [order for order in self._account.open_orders.values() if order.trigger is None]

    def _is_bare(self) -> bool:
        return not self._resting() and len(self._account.open_orders) == 1

    def _is_flat(self) -> bool:
        held = any(position.size for position in self._account.positions.values())
        return not held and not self._resting()

    async def _until(self, condition: Callable[[], bool], limit_s: float) -> None:
        end_s = time.monotonic() + limit_s
        while not condition() and time.monotonic() < end_s:
            await asyncio.sleep(LOOK_S)

    # ------------------------------------------------------------ the process

    @asynccontextmanager
    async def _life(self) -> AsyncIterator[LiveEngine]:
        """A trading process from when it is ready until it has ended in order."""
        settings = LiveSettings(
            "bybit",
            "linear",
            "testnet",
            (SYMBOL,),
            Practice.name,
            self._folder,
            kill_limits=KillLimits(watchdog_s=None),
        )
        engine = LiveEngine(
            settings,
            Practice((SYMBOL,)),
            endpoints=_endpoints(self.twin.port),
            signer=self._signer,
            parts=real_parts(budget_scale=SCALE),
            configured=Configured(True, True, True, True),
        )
        stop = asyncio.Event()
        life = asyncio.ensure_future(engine.run(stop))
        try:
            await self._until(lambda: engine.is_ready or life.done(), READY_S)
            if life.done():
                life.result()
            yield engine
        finally:
            stop.set()
            await life

    async def _confirmed(self, engine: LiveEngine) -> None:
        gate = engine.safety.gate
        gate.confirm(phrase_of(engine.account_id, "testnet"))
        await self._until(lambda: not gate.missing, READY_S)
        if gate.missing:
            raise EnvironmentFault(f"the drill may not trade; missing: {'; '.join(gate.missing)}.")

    @staticmethod
    async def _ask(engine: LiveEngine, document: dict[str, Any]) -> dict[str, Any]:
        """From outside, as `hean kill` does."""
        return await asyncio.to_thread(ask, engine.settings.control, document)


def _endpoints(port: int) -> Endpoints:
    given = {
        "BYBIT_REST_URL": f"http://127.0.0.1:{port}",
        "BYBIT_WS_PUBLIC_URL": f"ws://127.0.0.1:{port}",
    }
    return endpoints_for("bybit", "linear", testnet=True, environment=given)
