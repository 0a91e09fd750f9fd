# SPDX-License-Identifier: Apache-2.0
"""`emissions.py`: what a strategy emits is checked where it emits it, so that a mistake is an error
at its own line and not three modules later. Numbers that make no sense (NaN, a negative size) pass:
refusing an order is the governor's business.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import msgspec

from hean.core.bus import Fact
from hean.core.types import Event, EventType, OrderType, Payload, Side, Signal
from hean.errors import FieldInvalid

VENUE_ONLY = frozenset(
    {
        EventType.ORDER_PLACED,
        EventType.ORDER_AMENDED,
        EventType.ORDER_FILLED,
        EventType.ORDER_CANCELLED,
        EventType.ORDER_UNKNOWN,
        EventType.ORDER_ABSENT,
        EventType.ORDER_QUARANTINED,
        EventType.POSITION,
        EventType.BALANCE,
        EventType.ACCOUNT_READ,
        EventType.FUNDING,
        EventType.TICK,
        EventType.BOOK,
    }
)
"""Facts that only a venue knows; a strategy that emits one would make its own fills, income or
prices.
"""
OTHERS_ONLY = frozenset({EventType.COMMAND, EventType.RECONCILE, EventType.KILLSWITCH_RELEASED})
"""What people and watching parts say; a strategy that emits one could let itself trade again."""
_SIZES = frozenset({Decimal, type(None)})
_NUMBERS = frozenset({float, int, type(None)})
_TEXTS = frozenset({str, type(None)})


def checked(emit: Callable[[Fact], None]) -> Callable[[Fact], None]:
    """*emit* behind a check. A field of another type is converted where its meaning is plain: a
    size of 0.1 becomes the decimal one tenth. *Raises*: `FieldInvalid`.
    """

    def emit_checked(fact: Fact) -> None:
        if fact.__class__ is Signal and _is_typed(fact):
            emit(fact)
            return
        payload = fact.data if isinstance(fact, Event) else fact
        if not isinstance(payload, Payload):
            raise FieldInvalid(
                f"a {type(payload).__name__} was emitted; emit a payload, such as a Signal."
            )
        if payload.event_type in VENUE_ONLY:
            raise FieldInvalid(f"a strategy may not emit {payload.event_type}; the venue does.")
        if payload.event_type in OTHERS_ONLY:
            raise FieldInvalid(
                f"a strategy may not emit {payload.event_type}; those who watch over it do."
            )
        emit(fact if isinstance(fact, Event) else _typed(payload))

    return emit_checked


def _is_typed(signal: Signal) -> bool:
    """The usual case, told without a conversion."""
    return (
        signal.symbol.__class__ is str
        and signal.side.__class__ is Side
        and signal.size.__class__ in _SIZES
        and signal.signal_strength.__class__ in _NUMBERS
        and signal.strategy_id.__class__ is str
        and signal.type.__class__ is OrderType
        and signal.price.__class__ in _NUMBERS
        and signal.stop_loss.__class__ in _NUMBERS
        and signal.take_profit.__class__ in _NUMBERS
        and signal.order_id.__class__ is str
        and signal.extra is None
        and signal.algo.__class__ in _TEXTS
    )


def _typed(payload: Payload) -> Payload:
    fields = {name: getattr(payload, name) for name in payload.__struct_fields__}
    try:
        converted: Payload = msgspec.convert(fields, type(payload), strict=False)
    except msgspec.ValidationError as error:
        raise FieldInvalid(f"{payload.event_type} with a wrong field was emitted: {error}.") from (
            error
        )
    return converted
