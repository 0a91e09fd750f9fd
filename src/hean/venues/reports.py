# SPDX-License-Identifier: Apache-2.0
"""`reports.py`: what any venue says about an account, in one shape. A venue's file turns its own
words into these; from here on nobody knows which venue it was. A word that the venue's file does
not know becomes `Status.STRANGE`, never a status that looks like it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from hean.core.types import Side
from hean.net.budget import Priority
from hean.venues.outcomes import Silence, Verdict

Row = TypeVar("Row")
ZERO = Decimal(0)


class Status(Enum):
    """Where an order stands by the venue's word."""

    OPEN = "open"
    FILLED = "filled"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    STRANGE = "strange"


@dataclass(frozen=True, slots=True)
class OrderReport:
    """One look at an order. *filled*: what traded so far; *word*: the venue's own status;
    *child_order_id*: that of the order which a triggered conditional order became; *side*, *price*:
    `None` where there is none or it is not told; *is_conditional*: it waits for a trigger.
    """

    symbol: str
    client_order_id: str
    exchange_order_id: str
    status: Status
    quantity: Decimal
    filled: Decimal
    word: str
    reason: str = ""
    child_order_id: str = ""
    ts_ns: int = 0
    side: Side | None = None
    is_conditional: bool = False
    price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Execution:
    """One piece that traded. *exec_id*: unique in the account; *fee*: positive when paid.
    *client_order_id*: empty where the venue tells only its own id.
    """

    symbol: str
    client_order_id: str
    exchange_order_id: str
    exec_id: str
    side: Side
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_asset: str
    is_maker: bool
    ts_ns: int


def execution_name(symbol: str, number: str, side: Side) -> str:
    """An execution's `exec_id`. *number*: the venue's. Binance numbers trades, and both sides of a
    trade between two of our own orders bear one number.
    """
    return f"{symbol}-{number}-{side.value}"


@dataclass(frozen=True, slots=True)
class Settlement:
    """Funding of one position that was settled. *exec_id*: unique in the account; *received*: in
    *asset*, negative when paid; *rate*, *mark_price*: `None` where the venue does not say.
    """

    symbol: str
    exec_id: str
    received: Decimal
    asset: str
    ts_ns: int
    rate: Decimal | None = None
    mark_price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """What a key may do; `None` where the venue does not say. *is_bound*: usable from listed
    addresses only.
    """

    may_trade: bool | None = None
    may_withdraw: bool | None = None
    is_bound: bool | None = None


@dataclass(frozen=True, slots=True)
class Listing(Generic[Row]):
    """A list from the venue. An incomplete one proves nothing about what it does not hold."""

    rows: tuple[Row, ...]
    is_complete: bool = True


@dataclass(frozen=True, slots=True)
class Call:
    """A REST request before it is signed. *kind*: its row in the rate budget; *text*: query of a
    Binance request or of a GET, body of a Bybit POST; *fine*: codes of refusals that mean it is
    already so.
    """

    kind: str
    method: str
    path: str
    text: str = ""
    is_signed: bool = True
    priority: Priority = Priority.QUERY
    fine: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a request, by REST or socket. *data*: what the venue gave with a yes; *used*:
    its figures for the budget, as (limit, used, count or `None`).
    """

    verdict: Verdict
    data: Any = None
    exchange_order_id: str = ""
    request_id: str = ""
    used: tuple[tuple[str, int, int | None], ...] = ()
    silence: Silence | None = None


@dataclass(frozen=True, slots=True)
class Login:
    """The answer to a login or subscription on a socket."""

    is_accepted: bool
    text: str = ""
    is_key_refused: bool = False


class Wanted(NamedTuple):
    """Terms that an amendment asks for. *size*: of the whole order; *left_ms*: the venue's time
    when it left.
    """

    price: Decimal | None
    size: Decimal
    left_ms: int = 0


class Tracked(msgspec.Struct):
    """An order under way, as its venue needs to know it. *size*: the whole order, as amended;
    *child_order_id*: the venue's id of the order that a triggered conditional order became;
    *counted*: filled by the venue's word, of which *filled* was told; *end*: how the venue ended it
    while pieces that it counts are missing; *is_absent*: ended because it was proven never to have
    been there; *is_quarantined*: nobody could tell; *is_disputed*: the venue shows an order of
    other terms under its id; *cancels_missed*: how often a cancel did not find it; *cancelled_ns*:
    steady time at which one was last asked for; *left_ms*: the venue's time signed into its
    request; *wanted*: by an amendment that no look has shown yet; *terms_ns*: the venue's time of
    the look that showed its terms, 0 for those it was sent with; *closed_ns*: the venue's time when
    a person said that it had ended.
    """

    order_id: str
    symbol: str
    side: Side
    size: Decimal
    price: Decimal | None
    strategy_id: str
    is_conditional: bool
    reduce_only: bool
    opened_ns: int
    exchange_order_id: str = ""
    child_order_id: str = ""
    filled: Decimal = ZERO
    counted: Decimal = ZERO
    end: OrderReport | None = None
    is_placed: bool = False
    is_unknown: bool = False
    is_ended: bool = False
    is_cancel_wanted: bool = False
    is_absent: bool = False
    is_quarantined: bool = False
    is_disputed: bool = False
    cancels_missed: int = 0
    left_ms: int = 0
    cancelled_ns: int = 0
    closed_ns: int = 0
    wanted: Wanted | None = None
    terms_ns: int = 0

    @property
    def is_untold(self) -> bool:
        """Whether pieces are missing that the venue counts. Those of an order that a person had
        closed are told as the venue's own.
        """
        return self.filled < self.counted and not self.is_ended and not self.closed_ns

    @property
    def is_over(self) -> bool:
        """Whether nothing more can happen to it at the venue."""
        return self.is_ended or self.end is not None

    @property
    def whole(self) -> Decimal:
        """The size it may have at the venue: until an amendment is settled, the larger one."""
        return self.size if self.wanted is None else max(self.size, self.wanted.size)


Ask = Callable[[Call], Awaitable[Any]]
"""Sends a question and returns the data of its answer. *Raises*: `VenueError` for anything else."""
