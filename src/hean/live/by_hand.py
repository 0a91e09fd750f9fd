# SPDX-License-Identifier: Apache-2.0
"""`by_hand.py`: what a person may put on the bus of a trading process, as facts: an order, the end
of one, a strategy switched on or off, other hard limits. Whatever else is a fact cannot be said
here. An order gets its name here, so that who asked can find it again; everything is judged later,
as what strategies want is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from hean.core.orders import MANUAL
from hean.core.types import (
    CancelRequest,
    Command,
    EventType,
    OrderRequest,
    OrderType,
    Payload,
    validate,
)
from hean.errors import ParameterInvalid
from hean.risk.directives import LIMITS, VERBS, check_limits

FACTS_MAX = 50  # of one line
KINDS = (EventType.ORDER_REQUEST, EventType.CANCEL_REQUEST, EventType.COMMAND)
TYPES = (OrderType.MARKET, OrderType.LIMIT)


def facts_of(rows: Any, name: Callable[[str], str]) -> list[Payload]:
    """The facts that these rows, each a kind and its fields, stand for. *name*: the next order id.

    *Raises*: `HeanError` for what is no fact, and `ParameterInvalid` for one that nobody may say.
    """
    if not isinstance(rows, list) or not 0 < len(rows) <= FACTS_MAX:
        raise ParameterInvalid(f"facts has to be a list of 1 to {FACTS_MAX}.")
    return [_fact(row, name) for row in rows]


def _fact(row: Any, name: Callable[[str], str]) -> Payload:
    kind, fields = (row + [None, None])[:2] if isinstance(row, list) else (None, None)
    if kind not in KINDS or not isinstance(fields, dict):
        raise ParameterInvalid(f"a fact is a kind and its fields; kinds: {', '.join(KINDS)}.")
    match validate(EventType(kind), fields):
        case OrderRequest() as order:
            return _order(order, name)
        case CancelRequest() as cancel:
            return cancel
        case Command() as command if command.verb in VERBS and command.actor:
            if command.verb == LIMITS:
                check_limits(command.arguments)
            return command
    raise ParameterInvalid(f"a command by hand is one of {', '.join(VERBS)}, with its actor.")


def _order(order: OrderRequest, name: Callable[[str], str]) -> OrderRequest:
    if order.type not in TYPES or order.order_id or order.parent_id:
        allowed = ", ".join(TYPES)
        raise ParameterInvalid(f"an order by hand is one of {allowed}, without a name or parent.")
    return replace(order, strategy_id=MANUAL, order_id=name(MANUAL))
