# SPDX-License-Identifier: Apache-2.0
"""`audit.py`: what the rows on the disk must say by themselves, to somebody who has nothing else.
Whatever says no says why; an order ends once and is never filled beyond its size; what somebody
else traded is no strategy's; a position that was to have a stop has one, or an alarm.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hean.core.orders import KEPT
from hean.core.types import (
    AmendApproved,
    AmendRejected,
    Error,
    EventType,
    Health,
    KillswitchReleased,
    KillswitchTriggered,
    OrderAbsent,
    OrderApproved,
    OrderCancelled,
    OrderFilled,
    OrderPlaced,
    OrderQuarantined,
    OrderRejected,
    OrderType,
    Reconcile,
    Side,
    Signal,
)

ZERO = Decimal(0)
STOPS = frozenset({OrderType.STOP, OrderType.STOP_LIMIT})
ALARM = "CRITICAL"


class Audit:
    """Of one journal, in the order of its rows. *problems*: takes promise and sentence."""

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        self.alarms: dict[str, int] = {}
        """How often it was told that a symbol is without its stop."""
        self._problems = problems
        self._approved: dict[str, OrderApproved] = {}
        self._most: dict[str, Decimal] = {}  # the largest size that an order was ever allowed
        self._filled: dict[str, Decimal] = {}
        self._pieces: dict[str, OrderFilled] = {}  # by the id of the execution
        self._ended: set[str] = set()
        self._stops: set[str] = set()
        self._wanted: set[str] = set()
        self._position: dict[str, Decimal] = {}

    def take(self, fact: Any) -> None:
        """One fact."""
        if not _says_why(fact):
            self._problems.append(("I-20", f"nobody can tell why: {fact}"))
        match fact:
            case OrderApproved():
                self._approved[fact.order_id] = fact
                self._most[fact.order_id] = fact.size
            case AmendApproved() if fact.order_id in self._most:
                self._most[fact.order_id] = max(self._most[fact.order_id], fact.size)
            case OrderPlaced():
                self._placed(fact.order_id)
            case OrderFilled():
                self._fill(fact)
            case OrderCancelled() | OrderAbsent():
                self._end(fact.order_id, fact.event_type)
            case OrderRejected() if fact.source == "venue":
                self._end(fact.order_id, fact.event_type)
            case Signal() if not fact.reduce_only:
                wants = self._wanted.discard if fact.stop_loss is None else self._wanted.add
                wants(fact.symbol)
            case Error() if fact.error.startswith(ALARM):
                for symbol in self._wanted:
                    self.alarms[symbol] = self.alarms.get(symbol, 0) + (symbol in fact.error)

    def bare(self) -> list[str]:
        """Symbols whose position is larger than what acknowledged stops cover of it, and was to be
        covered whole.
        """
        return [
            symbol
            for symbol in sorted(self._wanted)
            if (held := self._position.get(symbol, ZERO))
            and abs(held) > self._covered(symbol, Side.SELL if held > 0 else Side.BUY)
        ]

    def _covered(self, symbol: str, side: Side) -> Decimal:
        stops = [self._approved[name] for name in self._stops]
        return sum(
            (
                stop.size - self._filled.get(stop.order_id, ZERO)
                for stop in stops
                if (stop.symbol, stop.side) == (symbol, side)
            ),
            ZERO,
        )

    def _placed(self, order_id: str) -> None:
        """It is there, also if it was given up before."""
        self._ended.discard(order_id)
        approved = self._approved.get(order_id)
        if approved is not None and approved.reduce_only and approved.type in STOPS:
            self._stops.add(order_id)

    def _end(self, order_id: str, how: EventType) -> None:
        self._stops.discard(order_id)
        if order_id in self._ended:
            self._problems.append(("I-06", f"{order_id} ends again: {how}"))
        self._ended.add(order_id)

    def _fill(self, fill: OrderFilled) -> None:
        if fill.is_kept:
            self._kept(fill)
            return
        self._pieces[fill.exec_id] = fill
        approved = self._approved.get(fill.order_id)
        filled = self._filled.get(fill.order_id, ZERO) + fill.filled_qty
        self._filled[fill.order_id] = filled
        change = fill.filled_qty if fill.side is Side.BUY else -fill.filled_qty
        self._position[fill.symbol] = self._position.get(fill.symbol, ZERO) + change
        strategy_id = "" if approved is None else approved.strategy_id
        if fill.strategy_id != strategy_id:
            what = f"{fill.exec_id} of {fill.order_id} is booked to {fill.strategy_id!r}"
            self._problems.append(("I-24", what))
        if approved is not None and filled >= approved.size:
            self._stops.discard(fill.order_id)
            most = self._most[fill.order_id]
            if filled > most:
                what = f"{fill.order_id} of {most} is filled {filled}"
                self._problems.append(("I-06", what))

    def _kept(self, fill: OrderFilled) -> None:
        """What the venue kept as its fee is of one piece that is there, of its owner and at its
        price, and costs no money.
        """
        self._position[fill.symbol] = self._position.get(fill.symbol, ZERO) - fill.filled_qty
        piece = self._pieces.get(fill.order_id.removeprefix(KEPT))
        if (
            piece is None
            or (piece.symbol, piece.strategy_id) != (fill.symbol, fill.strategy_id)
            or piece.fill_price * fill.filled_qty != fill.fee
        ):
            self._problems.append(("I-24", f"{fill} was kept of {piece}"))


def _says_why(fact: Any) -> bool:
    """Whether a no, a stop or an alarm has its reason with it."""
    match fact:
        case OrderRejected() | AmendRejected():
            return bool(fact.reason and fact.code and fact.source)
        case OrderCancelled() | OrderAbsent() | OrderQuarantined():
            return bool(fact.reason)
        case KillswitchTriggered() | KillswitchReleased():
            return bool(fact.reason and fact.actor and fact.timestamp)
        case Reconcile():
            return fact.clean or bool(fact.differences)
        case Error():
            return bool(fact.component and fact.error)
        case Health() if fact.state == "HALT_NEW":
            extra = fact.extra or {}
            return bool(extra.get("reasons") or extra.get("reason"))
    return True
