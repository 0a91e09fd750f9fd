# SPDX-License-Identifier: Apache-2.0
"""`port.py`: what an engine is to the facade, whether it is a session in this process or another
process that is followed (ADR 0025): what can be seen of it, and how a person's wish reaches it. It
names the parts that documents are made of, and no more of them than documents need.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol

from hean._core import OrderEngine
from hean.core.types import Event, Payload
from hean.data.instruments import Fees
from hean.engine import documents as doc
from hean.portfolio.portfolio import Portfolio
from hean.portfolio.sub_books import SubBooks
from hean.risk.levels import Latched
from hean.risk.risk_governor import RiskGovernor

STOPPED, STARTING, RUNNING, HALTED, STOPPING, FAILED, UNKNOWN = (
    "STOPPED",
    "STARTING",
    "RUNNING",
    "HALTED",
    "STOPPING",
    "FAILED",
    "UNKNOWN",
)
"""States of an engine. `UNKNOWN`: there is one, and it says nothing."""
UP = frozenset({RUNNING, HALTED})
DOWN = frozenset({STOPPED, FAILED})
See = Callable[[int, tuple[Payload, ...]], None]


class SeenClock(Protocol):
    """Time as the engine has it."""

    @property
    def now_ns(self) -> int: ...


class SeenBus(Protocol):
    """Events as they are told. *seq*: number of the last one."""

    @property
    def clock(self) -> SeenClock: ...
    @property
    def seq(self) -> int: ...
    @property
    def max_queue(self) -> int: ...
    @property
    def dropped(self) -> int: ...
    def __len__(self) -> int: ...
    def tap(self, tap: Callable[[Event], None], /) -> Callable[[], None]:
        """Have every event told from now on. *Returns*: ends it."""
        ...


class SeenStrategy(Protocol):
    """A strategy by name."""

    @property
    def name(self) -> str: ...
    @property
    def symbols(self) -> Sequence[str]: ...
    @property
    def settings(self) -> Mapping[str, Any]: ...


class Seen(Protocol):
    """The parts of a trading system that can be looked at."""

    @property
    def bus(self) -> SeenBus: ...
    @property
    def engine(self) -> OrderEngine: ...
    @property
    def portfolio(self) -> Portfolio: ...
    @property
    def governor(self) -> RiskGovernor: ...
    @property
    def strategies(self) -> Sequence[SeenStrategy]: ...
    @property
    def sub_books(self) -> SubBooks | None: ...
    @property
    def leverage(self) -> Decimal: ...
    @property
    def parts(self) -> Sequence[str]:
        """Names of its modules."""
        ...

    def state_hash(self) -> str:
        """That another engine of the same past has too."""
        ...


class Engine(Protocol):
    """What can be run and asked. *mode*: PAPER, TESTNET, LIVE, or that nobody knows; *origin*: of
    the market, for people; *is_ours*: whether it begins and ends with us; *on_ready*: told each
    time that there is another system to be seen. Everything but these may be asked from then on.
    """

    is_ours: bool
    on_ready: list[Callable[[Any], None]]

    @property
    def mode(self) -> str: ...
    @property
    def origin(self) -> str: ...
    @property
    def state(self) -> str:
        """Of its own, while `run` does."""
        ...

    @property
    def error(self) -> str | None:
        """What keeps it from running, in words."""
        ...

    @property
    def started_ns(self) -> int | None:
        """Since when it runs; `None` if it does not, or began with `run`."""
        ...

    @property
    def system(self) -> Seen: ...
    @property
    def limits(self) -> Mapping[str, str | None]:
        """Hard limits in force."""
        ...

    @property
    def disabled(self) -> Mapping[str, str]:
        """Who switched a strategy off, by its name."""
        ...

    @property
    def latched(self) -> Latched:
        """The kill switch."""
        ...

    @property
    def live(self) -> doc.Live:
        """What the live gate lacks."""
        ...

    @property
    def reconciled(self) -> doc.Reconciled:
        """Our books beside the venue's."""
        ...

    def fees(self, symbol: str) -> Fees:
        """Fractions of value that a maker and a taker pay."""
        ...

    def keeps(self, order_id: str) -> bool:
        """Whether an order is a stop that protects a position."""
        ...

    def watch_market(self, see: See) -> None:
        """Have *see* told the moment and facts of each frame of the feed."""
        ...

    async def say(self, *facts: Payload) -> str:
        """Let a person's facts enter. *Returns*: the id of the order they asked for, where the
        engine tells. *Raises*: `StateError`, `EnvironmentFault` when they did not.
        """
        ...

    async def kill(self, level: str, reason: str, actor: str) -> None:
        """Stop; returns when it is latched. *Raises*: `EnvironmentFault` when it is not."""
        ...

    def restore(self, latched: Latched) -> None:
        """Begin as stopped as an earlier session ended; told before the first fact."""
        ...

    async def release(self, phrase: str, reason: str, actor: str) -> Sequence[str]:
        """Go on. *Returns*: what stands against it; nothing was done then."""
        ...

    async def confirm(self, phrase: str, actor: str) -> Sequence[str]:
        """Type the phrase of this boot. *Returns*: what the gate lacks if it was another one."""
        ...

    async def resolve(self, asked: doc.Claimed, actor: str) -> Sequence[str] | str:
        """Say what became of an order in quarantine. *Returns*: what was decided, or what is still
        missing.
        """
        ...

    async def chain(self, order_id: str) -> doc.Chain | None:
        """The causes of an order by its journal; `None` where nobody reads one."""
        ...

    async def run(self, stop: asyncio.Event) -> Any:
        """Trade, or follow who does, until *stop*."""
        ...
