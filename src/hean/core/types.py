# SPDX-License-Identifier: Apache-2.0
"""`types.py`: the envelope, and the one gate where a `dict` becomes a payload.

`Event(event_type, data)` carries exactly one payload. A `dict` is checked here, at construction:
an unknown key is refused with the nearest known one named, `BTC/USDT` becomes `BTCUSDT`, and a
number meant as money goes through its text, so that 0.1 is one tenth. Free fields go under the
key `extra` where the payload has it. Everything of the vocabulary can be imported from here.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from hean.core.facts import (
    LOCKED,
    AccountRead,
    Balance,
    Book,
    Candle,
    Changepoint,
    Command,
    Error,
    FeaturesReady,
    Funding,
    Health,
    HedgeRatio,
    KillswitchReleased,
    KillswitchTriggered,
    MlPrediction,
    OpenOrder,
    PnlUpdate,
    Position,
    Reconcile,
    Regime,
    Tick,
    Timer,
    VolForecast,
)
from hean.core.orders import (
    AmendApproved,
    AmendRejected,
    AmendRequest,
    CancelRequest,
    OrderAbsent,
    OrderAmended,
    OrderApproved,
    OrderCancelled,
    OrderFilled,
    OrderPayload,
    OrderPlaced,
    OrderQuarantined,
    OrderRejected,
    OrderRequest,
    OrderUnknown,
    Signal,
)
from hean.core.vocabulary import (
    Delivery,
    EventType,
    Liquidity,
    OrderType,
    Payload,
    Side,
    TimeInForce,
)
from hean.errors import FieldInvalid, NumberNotFinite, UnknownField

__all__ = [
    "LOCKED",
    "PAYLOADS",
    "AccountRead",
    "AmendApproved",
    "AmendRejected",
    "AmendRequest",
    "Balance",
    "Book",
    "CancelRequest",
    "Candle",
    "Changepoint",
    "Command",
    "Delivery",
    "Error",
    "Event",
    "EventType",
    "FeaturesReady",
    "Funding",
    "Health",
    "HedgeRatio",
    "KillswitchReleased",
    "KillswitchTriggered",
    "Liquidity",
    "MlPrediction",
    "OpenOrder",
    "OrderAbsent",
    "OrderAmended",
    "OrderApproved",
    "OrderCancelled",
    "OrderFilled",
    "OrderPayload",
    "OrderPlaced",
    "OrderQuarantined",
    "OrderRejected",
    "OrderRequest",
    "OrderType",
    "OrderUnknown",
    "Payload",
    "PnlUpdate",
    "Position",
    "Reconcile",
    "Regime",
    "Side",
    "Signal",
    "StampedEvent",
    "Tick",
    "TimeInForce",
    "Timer",
    "VolForecast",
    "decode",
    "encode",
    "validate",
]

PAYLOADS: dict[EventType, type[Payload]] = {
    payload.event_type: payload
    for payload in (
        Tick, Book, Candle, Funding, FeaturesReady, MlPrediction, HedgeRatio, VolForecast,
        Changepoint, Regime, Signal, OrderRequest, OrderApproved, OrderRejected, CancelRequest,
        AmendRequest, AmendApproved, AmendRejected,
        OrderPlaced, OrderAmended, OrderFilled, OrderCancelled, OrderUnknown, OrderAbsent,
        OrderQuarantined, Position, Balance, AccountRead, PnlUpdate,
        Reconcile, KillswitchTriggered, KillswitchReleased, Command, Timer, Health, Error,
    )
}  # fmt: skip
"""The payload of each event type."""


class Event(msgspec.Struct, frozen=True, gc=False):
    """One fact with its envelope. *seq* and *ts_ns* are stamped by the bus when it delivers.

    *data*: a payload, or a mapping that is checked into one; a payload of another type is taken
    over field by field, so an `OrderRequest` can be handed on as `ORDER_APPROVED`.
    *source*: the process it came from, empty for this one.
    *Raises*: `UnknownField`, `FieldInvalid`, `NumberNotFinite`.
    """

    event_type: EventType
    data: Any
    ts_ns: int = 0
    seq: int = 0
    source: str = ""

    def __post_init__(self) -> None:
        if self.data.__class__ is not PAYLOADS.get(self.event_type):
            payload = validate(self.event_type, self.data)
            msgspec.structs.force_setattr(self, "data", payload)


class _NoHook:
    """Hides an inherited `__post_init__` from msgspec, which then calls nothing."""

    def __get__(self, instance: object, owner: type) -> Any:
        raise AttributeError("__post_init__")


class StampedEvent(Event, frozen=True, gc=False):
    """An `Event` as the bus makes it: the payload is known to fit, so nothing is checked."""

    __post_init__ = _NoHook()  # type: ignore[misc]  # saves a call for each tick


def validate(event_type: EventType, data: Mapping[str, Any] | Payload) -> Payload:
    """Check a mapping into the payload of *event_type*.

    *Raises*: `UnknownField` naming the nearest field, `FieldInvalid` for a missing field or a
    wrong type, `NumberNotFinite` for NaN and infinity.
    """
    kind = PAYLOADS.get(event_type)
    if kind is None:
        hint = _nearest(event_type, tuple(EventType))
        raise FieldInvalid(f"there is no event type {event_type!r}; {hint}.")
    if not isinstance(data, Mapping | Payload):
        raise FieldInvalid(
            f"{event_type} data is a {type(data).__name__}; give a dict or {kind.__name__}."
        )
    fields = {name: data[name] for name in data}
    if "id" in fields and issubclass(kind, OrderPayload):
        fields.setdefault("order_id", fields.pop("id"))
    _refuse_unknown(kind, fields)
    symbol = fields.get("symbol")
    if isinstance(symbol, str):
        fields["symbol"] = symbol.replace("/", "").upper()
    try:
        payload = msgspec.convert(fields, kind, strict=False)
    except msgspec.ValidationError as error:
        raise FieldInvalid(f"{event_type}: {error}.") from error
    _refuse_infinite(payload)
    return payload


def encode(payload: Payload) -> bytes:
    """A payload as msgpack: a map by field name, decimals as text."""
    return _ENCODER.encode(payload)


def decode(event_type: EventType, data: bytes) -> Payload:
    """The payload that `encode` wrote. *Raises*: `FieldInvalid` when *data* does not fit."""
    try:
        return _DECODERS[event_type].decode(data)
    except msgspec.DecodeError as error:
        raise FieldInvalid(f"{event_type}: {error}.") from error


_ENCODER = msgspec.msgpack.Encoder()
_DECODERS = {kind: msgspec.msgpack.Decoder(payload) for kind, payload in PAYLOADS.items()}


def _refuse_unknown(kind: type[Payload], fields: Mapping[str, Any]) -> None:
    known = kind.__struct_fields__
    for name in fields:
        if name in known:
            continue
        hint = _nearest(name, known)
        free = "; free fields go under 'extra'" if "extra" in known else ""
        raise UnknownField(f"{kind.event_type} has no field {name!r}; {hint}{free}.")


def _nearest(name: object, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.4)
    return f"nearest is {str(near[0])!r}" if near else f"known are {', '.join(known)}"


def _refuse_infinite(payload: Payload) -> None:
    for name in payload.__struct_fields__:
        value = getattr(payload, name)
        if isinstance(value, float | Decimal) and not math.isfinite(value):
            raise NumberNotFinite(f"{payload.event_type} field {name!r} is {value}; give a number.")
