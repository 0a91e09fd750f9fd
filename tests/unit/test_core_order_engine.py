# SPDX-License-Identifier: Apache-2.0
"""The order engine as Python sees it: words, decimals, exceptions. Its rules are tested in Rust."""

from __future__ import annotations

from decimal import Decimal
from enum import Enum
from typing import Any

import pytest

from hean import errors
from hean._core import Instrument, OrderEngine
from hean.core.types import AmendApproved, OrderAmended
from hean.errors import TicketInvalid

LIFE_NS = 250_000_000


class Side(str, Enum):
    """As in `hean.core.types`: a member is its own text."""

    BUY = "BUY"
    SELL = "SELL"


def make(**limits: object) -> OrderEngine:
    """An engine without limits but the given ones, on one instrument at 60,000."""
    instrument = Instrument("BTCUSDT", "linear", "0.10", "0.001")
    engine = OrderEngine([instrument], limits, unlimited=True)
    engine.set_mark("BTCUSDT", 60_000.0, 0)
    return engine


def approve(engine: OrderEngine, order_id: str = "h1-test-1", **changes: Any) -> int:
    """Approve a limit buy of 0.5 at 60,000 with some fields changed."""
    fields: dict[str, Any] = {
        "side": Side.BUY,
        "type": "LIMIT",
        "size": Decimal("0.5"),
        "price": Decimal("60000.0"),
        "strategy_id": "test",
        "now_ns": 0,
    }
    return engine.approve(order_id, "BTCUSDT", **{**fields, **changes})


def test_an_order_lives_from_intent_to_filled_with_exact_decimals() -> None:
    engine = make()
    ticket = approve(engine)
    assert engine.status("h1-test-1") == "INTENT"
    assert engine.exposure("BTCUSDT")["open_buy"] == Decimal("0.5")
    engine.redeem("h1-test-1", ticket, 0)
    assert engine.on_placed("h1-test-1", 1, "venue-7") == "WORKING"
    part: dict[str, Any] = {"price": Decimal("59999.9"), "qty": Decimal("0.2"), "ts_ns": 2}
    assert engine.on_filled("h1-test-1", "e-1", **part) == "PARTIAL"
    assert engine.on_filled("h1-test-1", "e-1", **part) == "PARTIAL"
    [order] = engine.open_orders()
    assert order == engine.get("h1-test-1")
    rest: dict[str, Any] = {"price": "60000", "qty": "0.3", "ts_ns": 3}
    assert engine.on_filled("h1-test-1", "e-2", **rest) == "FILLED"
    assert engine.get("h1-test-1") == {
        "is_sliced": False,
        "parent_id": None,
        "left_qty": Decimal(0),
        "client_order_id": "h1-test-1",
        "exchange_order_id": "venue-7",
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "LIMIT",
        "time_in_force": "GTC",
        "reduce_only": False,
        "qty": Decimal("0.5"),
        "price": Decimal(60000),
        "trigger_price": None,
        "filled_qty": Decimal("0.5"),
        "avg_price": Decimal("59999.96"),
        "status": "FILLED",
        "cancel_pending": False,
        "amend_pending": False,
        "strategy_id": "test",
        "reason": "",
        "created_at": 0,
        "updated_at": 3,
    }
    assert engine.position("BTCUSDT") == Decimal("0.5")
    assert engine.open_orders() == []


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"size": Decimal("0.0005")}, errors.QuantityNotOnLot),
        ({"price": Decimal("60000.05")}, errors.PriceNotOnTick),
        ({"price": None}, errors.ParameterInvalid),
        ({"type": "MARKET"}, errors.ParameterInvalid),
        ({"type": "ICEBERG"}, errors.ParameterInvalid),
        ({"side": "LONG"}, errors.ParameterInvalid),
        ({"time_in_force": "DAY"}, errors.ParameterInvalid),
        ({"size": 0}, errors.ParameterInvalid),
        ({"size": "much"}, errors.NotADecimal),
        ({"order_id": "no spaces"}, errors.ParameterInvalid),
        ({"reduce_only": True}, errors.ReduceOnlyViolated),
        ({"parent": "h1-test-0"}, errors.OrderUnknown),
    ],
)
def test_an_order_that_makes_no_sense_is_refused_by_name(
    changes: dict[str, Any], error: type[errors.HeanError]
) -> None:
    engine = make()
    with pytest.raises(error):
        approve(engine, **changes)
    assert engine.open_orders() == []


def test_refusals_arrive_as_their_own_classes() -> None:
    engine = make(order_value_max=Decimal(30000), reference_age_max_ns=1_000)
    with pytest.raises(errors.LimitBreached, match=r"R02 order value: observed 30060"):
        approve(engine, size=Decimal("0.501"))
    with pytest.raises(errors.NoReferencePrice, match="1001 ns old"):
        approve(engine, now_ns=1_001)
    ticket = approve(engine)
    with pytest.raises(errors.AlreadyApproved):
        approve(engine)
    with pytest.raises(errors.TicketInvalid):
        engine.redeem("h1-test-1", ticket + 1, 0)
    with pytest.raises(errors.OrderUnknown):
        engine.redeem("h1-test-2", ticket, 0)
    with pytest.raises(errors.TicketInvalid, match="expired"):
        engine.redeem("h1-test-1", ticket, LIFE_NS + 1)
    assert engine.status("h1-test-1") == "EXPIRED"
    assert engine.halt("HALT_NEW") == engine.halt_level == "HALT_NEW"
    with pytest.raises(errors.Halted):
        approve(engine, "h1-test-3")
    engine.release_halt()
    approve(engine, "h1-test-3")


def test_an_unknown_limit_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(errors.UnknownField, match="leverage_max"):
        make(leverage_mx=3)
    with pytest.raises(errors.ParameterInvalid, match="open_orders_max"):
        make(open_orders_max=-1)
    engine = make()
    engine.set_limits({"order_lots_max": 499})
    with pytest.raises(errors.LimitBreached):
        approve(engine)
    engine.set_limits({"order_lots_max": None})
    approve(engine)


def test_the_default_limits_refuse_what_they_cannot_judge() -> None:
    engine = OrderEngine([Instrument("BTCUSDT", "linear", "0.10", "0.001")])
    with pytest.raises(errors.NoReferencePrice):
        approve(engine, size="0.1")
    engine.set_mark("BTCUSDT", Decimal(60000), 0)
    with pytest.raises(errors.LimitBreached, match="equity unknown"):
        approve(engine, size="0.1")
    engine.set_equity(Decimal(10000))
    approve(engine, size="0.1")


def test_the_fast_path_makes_the_same_order() -> None:
    slow, fast = make(), make()
    approve(slow)
    assert fast.strategy_index("test") == 0
    index = fast.instrument_index("BTCUSDT")
    ticket = fast.approve_raw("h1-test-1", index, True, 500, 600_000, 0, 1)
    assert slow.canonical_bytes() == fast.canonical_bytes()
    fast.redeem("h1-test-1", ticket, 0)
    assert slow.canonical_bytes() != fast.canonical_bytes()
    fast.on_placed("h1-test-1", 0)
    assert fast.on_filled_raw("h1-test-1", 1, 600_000, 500, 0) == "FILLED"


def test_a_contradicting_fact_changes_nothing_and_is_counted() -> None:
    engine = make()
    approve(engine)
    with pytest.raises(errors.IllegalTransition):
        engine.on_filled("h1-test-1", "e-1", price="60000", qty="0.1", ts_ns=1)
    assert (engine.status("h1-test-1"), engine.illegal_facts) == ("INTENT", 1)
    assert engine.on_rejected("h1-test-1", 1, "breaker open") == "REJECTED"
    assert engine.get("h1-test-1")["reason"] == "breaker open"
    assert engine.exposure("BTCUSDT")["open_buy"] == 0


def test_an_amend_and_a_cancel_are_overlays_on_a_working_order() -> None:
    engine = make()
    engine.redeem("h1-test-1", approve(engine), 0)
    engine.on_placed("h1-test-1", 0)
    ticket = engine.amend_approve("h1-test-1", size="0.7", price="59000", now_ns=0)
    assert engine.get("h1-test-1")["amend_pending"]
    assert engine.exposure("BTCUSDT")["open_buy"] == Decimal("0.7")
    terms = {"price": Decimal(59_000), "size": Decimal("0.7")}
    with pytest.raises(TicketInvalid, match="other terms"):
        more = AmendApproved("h1-test-1", **{**terms, "size": Decimal("0.8")})
        engine.redeem_amend(more, ticket, 0)
    engine.redeem_amend(AmendApproved("h1-test-1", **terms), ticket, 0)
    engine.on_amended(OrderAmended("h1-test-1", **terms, remaining_qty=Decimal("0.7")), 1)
    order = engine.get("h1-test-1")
    assert (order["qty"], order["price"], order["status"]) == (Decimal("0.7"), 59000, "WORKING")
    engine.cancel_requested("h1-test-1")
    assert engine.get("h1-test-1")["cancel_pending"]
    assert engine.on_cancelled("h1-test-1", 2, "wish") == "CANCELLED"
    with pytest.raises(errors.OrderNotOpen):
        engine.cancel_requested("h1-test-1")
