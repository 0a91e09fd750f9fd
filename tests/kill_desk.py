# SPDX-License-Identifier: Apache-2.0
"""A desk with the whole kill switch: latch, triggers and flattening beside the usual modules."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from desk import BTC, INSTRUMENTS, SECOND_NS, Desk
from hean.core.types import (
    Command,
    EventType,
    KillswitchTriggered,
    OrderCancelled,
    OrderType,
    Reconcile,
    Side,
)
from hean.risk.flatten import Flatten
from hean.risk.killswitch import KillSwitch
from hean.risk.triggers import KillLimits, Triggers

ACCOUNT = "24617703"
PHRASE = f"release {ACCOUNT}"
REASON = "looked at the account, all is well"


class KillDesk(Desk):
    """*largest*: market order of BTC; *kill_limits*: of the triggers."""

    def __init__(
        self,
        *,
        largest: str | None = None,
        kill_limits: KillLimits | None = None,
        settle_asset: str = "USDT",
        **more: Any,
    ) -> None:
        super().__init__(**more)
        engine = self.engine
        self.switch = KillSwitch(engine, INSTRUMENTS, account_id=ACCOUNT)
        self.triggers = Triggers(
            engine,
            equity=self.system.portfolio.equity,
            limits=kill_limits,
            settle_asset=settle_asset,
        )
        self.flatten = Flatten(
            engine,
            INSTRUMENTS,
            reference=self.prices.get,
            largest={BTC: Decimal(largest)} if largest else None,
        )
        for module in (self.switch, self.triggers, self.flatten):
            self.system.add(module)
        self.flatten.look(self.clock.now_ns)

    @property
    def stops(self) -> list[KillswitchTriggered]:
        """Every latch so far."""
        return self.of(EventType.KILLSWITCH_TRIGGERED)

    def kill(self, level: str = "HALT_NEW", actor: str = "operator:ann", **more: Any) -> None:
        """Somebody asks for a stop."""
        self.say(Command("kill", {"level": level, "reason": "a test", **more}, actor))

    def release(self, actor: str = "risk:bob", **changes: str) -> None:
        """Somebody asks to go on, with everything right but for *changes*."""
        self.say(Command("release", {"phrase": PHRASE, "reason": REASON, **changes}, actor))

    def explain(self) -> None:
        """Our books are the venue's."""
        self.say(Reconcile(True))

    def look(self, seconds: float = 0.1) -> None:
        """Let time pass, looked at every tenth of a second."""
        end_ns = self.clock.now_ns + int(seconds * SECOND_NS)
        while self.clock.now_ns < end_ns:
            self.wait(0.1)
            self.triggers.look(self.clock.now_ns)
            self.flatten.look(self.clock.now_ns)
            self.say()

    def hold_long(self, size: str = "0.1") -> None:
        """Own so much BTC."""
        order_id = self.ask(size)
        self.place(order_id)
        self.fill(order_id, size, f"x-{order_id}")

    def rest(self, side: Side, size: str, price: int, **fields: Any) -> str:
        """A resting limit order. Returns its id."""
        fields.setdefault("type", OrderType.LIMIT)
        order_id = self.ask(size, side, price=Decimal(price), **fields)
        self.place(order_id)
        return order_id

    def protect(self, size: str = "0.1", at: int = 57_000) -> str:
        """A stop below a long position. Returns its id."""
        order_id = self.ask(
            size, Side.SELL, type=OrderType.STOP, trigger_price=Decimal(at), reduce_only=True
        )
        self.place(order_id)
        return order_id

    def obey(self) -> None:
        """The venue carries out every cancellation it was asked for."""
        asked, self.venue.cancels = self.venue.cancels, []
        for order_id in asked:
            if order_id in self.open_ids():
                self.say(OrderCancelled(order_id, "by request", BTC))
