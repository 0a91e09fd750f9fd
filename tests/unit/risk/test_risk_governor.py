# SPDX-License-Identifier: Apache-2.0
"""The one approver: what it lets through, and all the ways in which it says no."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk import BTC, ETH, INSTRUMENTS, Desk
from hean.core.types import (
    EventType,
    Health,
    KillswitchTriggered,
    OrderRequest,
    OrderType,
    Side,
    Signal,
    VolForecast,
)
from hean.errors import (
    AlreadyApproved,
    Halted,
    HeanError,
    InputError,
    NoReferencePrice,
    NumberNotFinite,
    OrderSizeInvalid,
    PriceNotOnTick,
    QuantityNotOnLot,
    ReduceOnlyViolated,
    UnknownSymbol,
)
from hean.risk.sizing import Sizing, SizingMethod


def refusals(desk: Desk) -> list[tuple[int, str]]:
    return [(refusal.code, refusal.source) for refusal in desk.of(EventType.ORDER_REJECTED)]


def long_desk(size: str = "0.1") -> Desk:
    """A desk that holds *size* bitcoin."""
    desk = Desk()
    desk.fill(desk.ask(size), size, "e1")
    return desk


# ---------------------------------------------------------------- requests


@pytest.mark.promise(13)
@pytest.mark.promise(42)
def test_a_request_is_approved_with_a_ticket_and_its_own_fields() -> None:
    desk = Desk()
    order_id = desk.ask("0.1", type=OrderType.LIMIT, price=Decimal(59_000), parent_id="")
    (approved,) = desk.of(EventType.ORDER_APPROVED)
    (request,) = desk.of(EventType.ORDER_REQUEST)
    assert approved.ticket is not None
    assert approved.id == order_id
    shared = set(request.keys()) & set(approved.keys())
    assert {name: request[name] for name in shared} == {name: approved[name] for name in shared}


@pytest.mark.promise(14)
def test_a_second_approval_of_an_order_is_refused() -> None:
    desk = Desk()
    order_id = desk.ask("0.1")
    desk.ask("0.2", order_id=order_id)
    assert refusals(desk) == [(AlreadyApproved.code, "risk")]
    assert [order.size for order in desk.venue.sent] == [Decimal("0.1")]
    desk.fill(order_id, "0.1", "e1")
    desk.ask("0.1", order_id=order_id)  # not even after it has ended
    assert len(desk.venue.sent) == 1


def test_a_request_without_an_id_gets_one_and_keeps_it() -> None:
    desk = Desk()
    desk.say(OrderRequest(BTC, Side.BUY, Decimal("0.1"), strategy_id="impulse"))
    (sent,) = desk.venue.sent
    assert sent.order_id == "h0-impu-1"
    assert desk.engine.status("h0-impu-1") == "SENT"


@pytest.mark.promise(13)
@pytest.mark.parametrize("answer", ["too late in the day", "", False, True, 0])
def test_whatever_a_check_answers_but_none_refuses(answer: Any) -> None:
    desk = Desk()
    desk.system.governor.add_check(lambda request: answer, name="clock")
    desk.ask("0.1")
    assert refusals(desk) == [(Halted.code, "risk")]
    (refusal,) = desk.of(EventType.ORDER_REJECTED)
    assert refusal.reason == f"clock: {answer}"
    assert (desk.venue.sent, desk.system.governor.refusals) == ([], 1)


@pytest.mark.promise(13)
def test_a_check_that_raises_refuses_and_the_next_order_is_judged_anew() -> None:
    desk = Desk()
    asked: list[str] = []

    def broken_once(request: OrderRequest) -> str | None:
        asked.append(request.id)
        if len(asked) == 1:
            raise ZeroDivisionError("no volume")
        return None

    desk.system.governor.add_check(broken_once)
    desk.ask("0.1")
    (refusal,) = desk.of(EventType.ORDER_REJECTED)
    assert refusal.reason == "broken_once: the check failed: ZeroDivisionError: no volume"
    assert desk.venue.sent == []
    second = desk.ask("0.1")
    assert [order.order_id for order in desk.venue.sent] == [second]


def test_every_check_is_asked_until_one_refuses() -> None:
    desk = Desk()
    asked: list[str] = []

    def check(name: str, answer: str | None) -> None:
        def judge(request: OrderRequest) -> str | None:
            asked.append(name)
            return answer

        desk.system.governor.add_check(judge, name=name)

    check("first", None)
    check("second", "no")
    check("third", None)
    desk.ask("0.1")
    assert asked == ["first", "second"]


@pytest.mark.parametrize("price", [None, math.nan, math.inf, 0.0, -1.0])
def test_without_a_usable_reference_price_nothing_is_approved(price: float | None) -> None:
    desk = Desk(prices={} if price is None else {BTC: price})
    desk.ask("0.1")
    desk.say(Signal(BTC, Side.BUY, strategy_id="s"))
    assert desk.venue.sent == []
    assert len(refusals(desk)) == 2
    if price is None:
        assert refusals(desk) == [(NoReferencePrice.code, "risk")] * 2


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"size": Decimal("0.0005")}, QuantityNotOnLot),
        ({"size": Decimal(0)}, InputError),
        ({"size": Decimal("-0.1")}, InputError),
        ({"price": Decimal("60000.05"), "type": OrderType.LIMIT}, PriceNotOnTick),
        ({"trigger_price": Decimal("60000.05"), "type": OrderType.STOP}, PriceNotOnTick),
        ({"price": Decimal(60_000)}, InputError),
        ({"type": OrderType.LIMIT}, InputError),
        ({"type": OrderType.STOP}, InputError),
        ({"type": OrderType.STOP_LIMIT, "price": Decimal(60_000)}, InputError),
        ({"symbol": "DOGEUSDT"}, UnknownSymbol),
        ({"reduce_only": True}, ReduceOnlyViolated),
        ({"order_id": "no spaces"}, InputError),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_by_name(
    fields: dict[str, Any], error: type[HeanError]
) -> None:
    desk = Desk()
    desk.say(OrderRequest(**{"symbol": BTC, "side": Side.BUY, "size": Decimal("0.1"), **fields}))
    ((code, source),) = refusals(desk)
    assert source == "risk"
    assert code == error.code or error is InputError and 1100 <= code < 1200
    assert desk.venue.sent == []


def test_equity_bounds_what_may_be_bought_and_losses_lower_it() -> None:
    """Leverage 3 on 10,000: 0.5 bitcoin at 60,000. After a fall only what equity still carries."""
    desk = Desk()
    desk.ask("0.501")
    assert desk.venue.sent == []
    desk.fill(desk.ask("0.4"), "0.4", "e1")
    desk.ask("0.101")
    assert len(desk.venue.sent) == 1
    desk.prices[BTC] = 50_000.0  # 4,000 lost: 6,000 carry 18,000, less than is held
    desk.ask("0.001")
    assert len(desk.venue.sent) == 1
    desk.ask("0.4", Side.SELL, reduce_only=True)
    assert len(desk.venue.sent) == 2


# ---------------------------------------------------------------- reduce-only


@pytest.mark.parametrize("size", ["0.101", "5"])
def test_a_reduce_only_order_above_the_position_is_refused(size: str) -> None:
    desk = long_desk("0.1")
    desk.ask(size, Side.SELL, reduce_only=True)
    desk.ask("0.1", Side.BUY, reduce_only=True)
    assert [code for code, _ in refusals(desk)] == [ReduceOnlyViolated.code] * 2
    desk.ask("0.1", Side.SELL, reduce_only=True)
    assert len(desk.venue.sent) == 2


def test_a_reduce_only_signal_that_leaves_size_to_the_governor_never_grows() -> None:
    desk = long_desk("0.01")  # the fraction of equity would be 0.083
    desk.say(Signal(BTC, Side.SELL, strategy_id="s", reduce_only=True))
    assert refusals(desk) == [(ReduceOnlyViolated.code, "risk")]


# ---------------------------------------------------------------- kill switch


def test_the_kill_switch_only_climbs() -> None:
    desk = Desk()
    levels = []
    for level in ("HALT_NEW", "RUN", "FLATTEN", "CANCEL_ALL", "LOCKED", "HALT_NEW"):
        desk.say(KillswitchTriggered("test", 0, level))
        levels.append(desk.engine.halt_level)
    assert levels == ["HALT_NEW", "HALT_NEW", "FLATTEN", "FLATTEN", "LOCKED", "LOCKED"]


@pytest.mark.promise(50)
def test_a_halt_refuses_new_orders_and_lets_reductions_pass() -> None:
    desk = long_desk("0.1")
    desk.say(KillswitchTriggered("drawdown", 0))
    desk.ask("0.1")
    assert refusals(desk) == [(Halted.code, "risk")]
    desk.ask("0.1", Side.SELL, reduce_only=True)
    assert len(desk.venue.sent) == 2


def test_a_kill_switch_of_unknown_level_stops_new_orders_before_it_is_reported() -> None:
    desk = Desk()
    with pytest.raises(HeanError, match="PANIC"):
        desk.say(KillswitchTriggered("test", 0, "PANIC"))
    assert desk.engine.halt_level == "HALT_NEW"


# ---------------------------------------------------------------- signals


def test_a_signal_is_sized_asked_for_and_approved() -> None:
    desk = Desk()
    desk.say(Signal(BTC, Side.BUY, strategy_id="impulse"))
    kinds = [event.event_type.value for event in desk.events]
    assert kinds == ["SIGNAL", "ORDER_REQUEST", "ORDER_APPROVED"]
    (sent,) = desk.venue.sent
    assert sent.size == Decimal("0.083")  # half of 10,000 at 60,000, rounded towards zero
    assert (sent.strategy_id, sent.order_id) == ("impulse", "h0-impu-1")


@pytest.mark.promise(41)
@pytest.mark.parametrize(
    ("strength", "size"), [(1.0, "0.083"), (0.5, "0.041"), (7.0, "0.083"), (0.012, "0.001")]
)
def test_strength_scales_the_size_and_never_beyond_the_whole(strength: float, size: str) -> None:
    desk = Desk()
    desk.say(Signal(BTC, Side.BUY, signal_strength=strength, strategy_id="s"))
    assert desk.venue.sent[0].size == Decimal(size)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"signal_strength": 0.01}, OrderSizeInvalid),
        ({"signal_strength": 0.0}, OrderSizeInvalid),
        ({"signal_strength": -1.0}, OrderSizeInvalid),
        ({"signal_strength": math.nan}, NumberNotFinite),
        ({"symbol": "DOGEUSDT"}, UnknownSymbol),
        ({"symbol": "DOGEUSDT", "size": Decimal(1), "price": 1.0}, UnknownSymbol),
        ({"size": Decimal("0.0001")}, QuantityNotOnLot),
        ({"type": OrderType.LIMIT, "price": math.nan}, NumberNotFinite),
        ({"type": OrderType.STOP, "price": math.inf}, NumberNotFinite),
    ],
)
def test_a_signal_that_comes_to_nothing_is_refused_aloud(
    fields: dict[str, Any], error: type[HeanError]
) -> None:
    desk = Desk()
    desk.say(Signal(**{"symbol": BTC, "side": Side.BUY, "order_id": "h0-own-1", **fields}))
    (refusal,) = desk.of(EventType.ORDER_REJECTED)
    assert (refusal.order_id, refusal.code, refusal.source) == ("h0-own-1", error.code, "risk")
    assert desk.venue.sent == []
    assert desk.system.governor.refusals == 1


@given(
    st.floats(50_000, 70_000),
    st.sampled_from(Side),
    st.sampled_from([OrderType.LIMIT, OrderType.STOP]),
)
def test_no_price_off_the_tick_leaves_the_governor(
    price: float, side: Side, kind: OrderType
) -> None:
    desk = Desk()
    desk.say(Signal(BTC, side, Decimal("0.01"), type=kind, price=price, strategy_id="s"))
    (sent,) = desk.venue.sent
    asked = sent.price if kind is OrderType.LIMIT else sent.trigger_price
    assert asked is not None
    INSTRUMENTS[BTC].price_ticks(asked)  # raises off the tick
    wanted = Decimal(repr(round(price, 6)))  # what is nearer to a tick is on it
    if kind is OrderType.STOP:
        assert abs(asked - wanted) <= Decimal("0.05")
    elif side is Side.BUY:
        assert 0 <= wanted - asked < Decimal("0.1")
    else:
        assert 0 <= asked - wanted < Decimal("0.1")


def test_the_volatility_target_takes_no_position_before_a_forecast() -> None:
    sizing = Sizing(SizingMethod.VOLATILITY_TARGET)
    desk = Desk(sizing=sizing)
    desk.say(Signal(BTC, Side.BUY, strategy_id="s"))
    assert refusals(desk) == [(OrderSizeInvalid.code, "risk")]
    desk.say(VolForecast(ETH, 0.5, 86_400.0), VolForecast(BTC, 0.02, 86_400.0))
    desk.say(Signal(BTC, Side.BUY, strategy_id="s"))
    # 1 % of 10,000 over two deviations of 2 % is 2,500.
    assert desk.venue.sent[0].size == Decimal("0.041")


# ---------------------------------------------------------------- old data


def stale(stream: str = "book", symbol: str = BTC) -> Health:
    return Health(f"feed.{stream}.{symbol}", "STALE", 0, {"symbol": symbol})


def fresh(stream: str = "book", symbol: str = BTC) -> Health:
    return Health(f"feed.{stream}.{symbol}", "FRESH", 0, {"symbol": symbol})


def test_nothing_new_is_approved_on_stale_data_until_all_of_it_is_fresh() -> None:
    desk = Desk()
    desk.say(stale("book"), stale("ticker"))
    desk.ask("0.1")
    desk.say(fresh("book"))
    desk.ask("0.1")
    assert refusals(desk) == [(NoReferencePrice.code, "risk")] * 2
    assert "feed.ticker.BTCUSDT" in desk.of(EventType.ORDER_REJECTED)[-1].reason
    desk.say(fresh("ticker"))
    desk.ask("0.1")
    assert len(desk.venue.sent) == 1


def test_stale_data_of_one_symbol_stops_no_other_and_no_reduction() -> None:
    desk = long_desk("0.1")
    desk.say(stale())
    desk.ask("1", symbol=ETH)
    desk.ask("0.1", Side.SELL, reduce_only=True)
    assert [order.symbol for order in desk.venue.sent] == [BTC, ETH, BTC]


def test_health_of_components_without_a_symbol_stops_nobody() -> None:
    desk = Desk()
    desk.say(Health("feed.public", "DOWN", 1, {"reason": "cut"}), Health("disk", "STALE"))
    desk.ask("0.1")
    assert len(desk.venue.sent) == 1
