# SPDX-License-Identifier: Apache-2.0
"""`on_paper.py`: a session on paper, or the demo's, as an engine. It is in this process and has no
venue that could disagree, so a wish enters at once, and books are compared with each other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from hean.core.types import Command, Payload
from hean.data.instruments import Fees
from hean.engine import documents as doc
from hean.engine.port import HALTED, RUNNING, STARTING, See
from hean.engine.stop import again
from hean.errors import StateError
from hean.risk.hand import Hand
from hean.risk.levels import RUN, Latched
from hean.system import TradingSystem

NO_MONEY = "this engine trades on paper"


class Session(Protocol):
    """What can be run. *system* and *hand* exist from the moment `on_ready` is told."""

    on_ready: list[Callable[[Any], None]]

    @property
    def origin(self) -> str: ...
    @property
    def system(self) -> TradingSystem: ...
    @property
    def hand(self) -> Hand: ...
    def fees(self, symbol: str) -> Fees:
        """As of `Engine`."""
        ...

    def watch_market(self, see: See) -> None:
        """As of `Engine`."""
        ...

    def say(self, facts: tuple[Payload, ...]) -> None:
        """Let a person's facts enter, and play them."""
        ...

    async def run(self, stop: asyncio.Event) -> Any:
        """Trade until *stop*."""
        ...


class OnPaper:
    """*now*: UTC nanoseconds; see `hean.engine.port.Engine`."""

    mode = "PAPER"
    is_ours = True
    error: str | None = None
    started_ns: int | None = None

    def __init__(self, session: Session, *, now: Callable[[], int]) -> None:
        self.session = session
        self.on_ready: list[Callable[[Any], None]] = []
        self._now = now
        self._is_ready = False
        session.on_ready.append(self._ready)

    @property
    def origin(self) -> str:
        """What the feed is."""
        return self.session.origin

    @property
    def state(self) -> str:
        """Whether it trades, and whether it may."""
        if not self._is_ready:
            return STARTING
        return HALTED if self.system.engine.halt_level != RUN else RUNNING

    @property
    def system(self) -> TradingSystem:
        """The modules of the session."""
        return self.session.system

    @property
    def limits(self) -> Mapping[str, str | None]:
        """Hard limits in force."""
        return self.session.hand.directives.limits

    @property
    def disabled(self) -> Mapping[str, str]:
        """Who switched a strategy off, by its name."""
        return self.session.hand.directives.disabled

    @property
    def latched(self) -> Latched:
        """The kill switch."""
        return self.session.hand.killswitch.latched

    @property
    def live(self) -> doc.Live:
        """No phrase opens it."""
        return doc.Live(mode=self.mode, live_trading=False, missing=[NO_MONEY])

    @property
    def reconciled(self) -> doc.Reconciled:
        """The order engine beside the ledger: no venue could disagree with both."""
        compared = self.session.hand.compared()
        return doc.Reconciled(
            is_clean=compared.clean,
            compared_at=self._now(),
            lag_seconds=0.0,
            differences=list(compared.differences),
            note="on paper the order engine is compared with the ledger; there is no venue to ask",
        )

    def fees(self, symbol: str) -> Fees:
        """As the session assumes them."""
        return self.session.fees(symbol)

    def keeps(self, order_id: str) -> bool:
        """Whether an order is a stop that protects a position."""
        return self.session.hand.killswitch.keeps(order_id)

    def watch_market(self, see: See) -> None:
        """As of the session."""
        self.session.watch_market(see)

    async def say(self, *facts: Payload) -> str:
        """Let a person's facts enter, and play them. *Raises*: what a handler raises."""
        self.session.say(facts)
        return ""

    async def kill(self, level: str, reason: str, actor: str) -> None:
        """Stop: the last hop at once, then the fact."""
        self.session.hand.killswitch.hold(level, reason)
        await self.say(Command("kill", {"level": level, "reason": reason}, actor))

    def restore(self, latched: Latched) -> None:
        """The last hop at once, then the fact, so that a replay begins stopped too."""
        switch = self.session.hand.killswitch
        if fact := again(latched, switch.account_id):
            switch.hold(latched.level, latched.reason)
            self.session.say((fact,))

    async def release(self, phrase: str, reason: str, actor: str) -> Sequence[str]:
        """Go on, if nothing stands against it. What was typed wrong, perhaps a password, is
        written nowhere.
        """
        hand = self.session.hand
        await self.say(hand.compared())
        missing = hand.killswitch.refusals(phrase, reason, actor, self._now())
        if not missing:
            await self.say(Command("release", {"phrase": phrase, "reason": reason}, actor))
        return missing

    async def confirm(self, phrase: str, actor: str) -> Sequence[str]:
        """There is nothing to confirm. *Raises*: `StateError`."""
        raise StateError(f"{NO_MONEY}: there is no gate that a phrase could open.")

    async def resolve(self, asked: doc.Claimed, actor: str) -> Sequence[str] | str:
        """No order is ever in doubt. *Raises*: `StateError`."""
        raise StateError(f"{NO_MONEY}: no order's fate is unknown.")

    async def chain(self, order_id: str) -> doc.Chain | None:
        """Nobody reads its journal while it runs."""
        return None

    async def run(self, stop: asyncio.Event) -> Any:
        """Trade until *stop*. *Raises*: as the session."""
        return await self.session.run(stop)

    def _ready(self, _session: Any) -> None:
        self._is_ready = True
        for told in self.on_ready:
            told(self)
