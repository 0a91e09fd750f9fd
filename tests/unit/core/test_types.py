# SPDX-License-Identifier: Apache-2.0
"""The vocabulary and the gate where a dict becomes a payload."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import pytest

from hean.core.event_streams import STREAMED
from hean.core.types import (
    PAYLOADS,
    Delivery,
    Event,
    EventType,
    OrderApproved,
    OrderRequest,
    Side,
    Signal,
    StampedEvent,
    Tick,
    decode,
    encode,
    validate,
)
from hean.errors import FieldInvalid, HeanError, NumberNotFinite, UnknownField

SEED_SCHEMAS = {
    "TICK": (pytest.mark.promise(37), "symbol price volume timestamp"),
    "CANDLE": (pytest.mark.promise(38), "symbol open high low close volume timeframe"),
    "FEATURES_READY": (pytest.mark.promise(39), "symbol features"),
    "ML_PREDICTION": (pytest.mark.promise(40), "symbol prediction confidence"),
    "SIGNAL": (pytest.mark.promise(41), "symbol side size signal_strength"),
    "ORDER_REQUEST": (pytest.mark.promise(42), "symbol side size type price order_id"),
    "ORDER_APPROVED": (pytest.mark.promise(43), "order_id symbol side size"),
    "ORDER_PLACED": (pytest.mark.promise(44), "order_id exchange_order_id"),
    "ORDER_FILLED": (
        pytest.mark.promise(45),
        "order_id fill_price filled_qty exec_id fee remaining_qty",
    ),
    "ORDER_CANCELLED": (pytest.mark.promise(46), "order_id reason"),
    "ORDER_REJECTED": (pytest.mark.promise(47), "order_id reason code source"),
    "PNL_UPDATE": (pytest.mark.promise(48), "total_pnl realized_pnl unrealized_pnl"),
    "ERROR": (pytest.mark.promise(49), "component error timestamp"),
    "KILLSWITCH_TRIGGERED": (pytest.mark.promise(50), "reason timestamp"),
}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        pytest.param(name, words, id=name, marks=mark)
        for name, (mark, words) in SEED_SCHEMAS.items()
    ],
)
def test_each_promised_event_has_its_promised_fields(name: str, words: str) -> None:
    fields = PAYLOADS[EventType(name)].__struct_fields__
    assert set(words.split()) <= set(fields)


@pytest.mark.promise(55)
def test_the_table_of_what_is_copied_says_what_was_promised() -> None:
    promised = {kind for kind in EventType if kind.startswith("ORDER_")}
    promised |= {EventType.SIGNAL, EventType.PNL_UPDATE, EventType.ERROR}
    assert promised <= STREAMED
    assert STREAMED.isdisjoint({EventType.TICK, EventType.BOOK, EventType.FEATURES_READY})


def test_every_event_type_has_one_payload_with_class_and_key() -> None:
    assert set(PAYLOADS) == set(EventType)
    for kind, payload in PAYLOADS.items():
        assert payload.event_type is kind
        assert isinstance(payload.delivery, Delivery)
        assert payload.key == "" or payload.key in payload.__struct_fields__


def test_a_payload_cannot_be_edited() -> None:
    with pytest.raises(AttributeError):
        Tick("BTCUSDT", 1.0, 1.0, 1).price = 2.0  # type: ignore[misc]  # the point of the test


@pytest.mark.promise(4)
def test_a_payload_answers_as_a_mapping() -> None:
    order = OrderRequest("BTCUSDT", Side.BUY, Decimal(1), order_id="h1")
    assert order["symbol"] == order.symbol
    assert (order["id"], order.id, "id" in order) == ("h1", "h1", True)
    assert ("price" in order, "keys" in order) == (True, False)
    assert (order.get("nothing"), order.get("nothing", 7)) == (None, 7)
    assert dict(order)["size"] == Decimal(1)
    with pytest.raises(KeyError):
        order["get"]


@pytest.mark.promise(5)
@pytest.mark.parametrize("written", ["BTC/USDT", "btc/usdt", "BTCUSDT"])
def test_a_symbol_has_one_spelling(written: str) -> None:
    assert Event(EventType.SIGNAL, {"symbol": written, "side": "BUY"}).data.symbol == "BTCUSDT"


@pytest.mark.parametrize("size", [0.1, "0.1", Decimal("0.1")])
def test_money_in_a_dict_is_exact(size: object) -> None:
    data = {"symbol": "BTCUSDT", "side": "SELL", "size": size, "price": 60000.1}
    order = Event(EventType.ORDER_REQUEST, data).data
    assert (order.size, order.price) == (Decimal("0.1"), Decimal("60000.1"))


def test_an_unknown_field_is_refused_naming_the_nearest() -> None:
    with pytest.raises(UnknownField, match="'signal_strenght'; nearest is 'signal_strength'"):
        Event(EventType.SIGNAL, {"symbol": "A", "side": "BUY", "signal_strenght": 1})


def test_free_fields_go_under_extra() -> None:
    data = {"symbol": "A", "side": "BUY", "extra": {"why": "rsi"}}
    assert Event(EventType.SIGNAL, data).data.extra == {"why": "rsi"}


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ({"symbol": "A"}, FieldInvalid),
        ({"symbol": "A", "side": "HOLD"}, FieldInvalid),
        ({"symbol": "A", "side": "BUY", "size": True}, FieldInvalid),
        ({"symbol": "A", "side": "BUY", "size": "much"}, FieldInvalid),
        ({"symbol": "A", "side": "BUY", "size": "NaN"}, NumberNotFinite),
        ({"symbol": "A", "side": "BUY", "signal_strength": math.inf}, NumberNotFinite),
        ("a text", FieldInvalid),
        (None, FieldInvalid),
    ],
)
def test_data_that_does_not_fit_is_refused(data: Any, error: type[HeanError]) -> None:
    with pytest.raises(error):
        Event(EventType.SIGNAL, data)


def test_an_order_request_can_be_handed_on_as_approved() -> None:
    order = OrderRequest("BTCUSDT", Side.BUY, Decimal("0.1"), order_id="h1", reduce_only=True)
    approved = Event(event_type=EventType.ORDER_APPROVED, data=order).data
    assert isinstance(approved, OrderApproved)
    assert {name: approved[name] for name in order} == dict(order)


def test_a_payload_of_the_wrong_kind_is_refused() -> None:
    with pytest.raises(UnknownField):
        Event(EventType.SIGNAL, Tick("BTCUSDT", 1.0, 1.0, 1))


def test_an_unknown_event_type_is_refused_naming_the_nearest() -> None:
    with pytest.raises(FieldInvalid, match="no event type 'SIGNALS'; nearest is 'SIGNAL'"):
        Event("SIGNALS", {})  # type: ignore[arg-type]  # the point of the test


def test_a_stamped_event_is_an_event() -> None:
    assert isinstance(StampedEvent(EventType.TICK, Tick("A", 1.0, 1.0, 1), 5, 6), Event)


@pytest.mark.parametrize("kind", EventType)
def test_every_payload_survives_the_wire(kind: EventType) -> None:
    samples: dict[str, Any] = {"side": "BUY", "bids": [[1, 2]], "asks": [], "clean": True}
    samples |= {"is_snapshot": False, "features": {"a": 1.5}, "arguments": {}, "prediction": [1]}
    fields = PAYLOADS[kind].__struct_fields__
    required = fields[: len(fields) - len(PAYLOADS[kind].__struct_defaults__)]
    payload = validate(kind, {name: samples.get(name, "1") for name in required})
    assert decode(kind, encode(payload)) == payload


def test_an_old_record_without_a_later_field_is_still_read() -> None:
    old = encode(Signal("BTCUSDT", Side.BUY))
    assert b"extra" in old
    shorter = {"symbol": "BTCUSDT", "side": "BUY"}
    assert validate(EventType.SIGNAL, shorter) == decode(EventType.SIGNAL, old)
