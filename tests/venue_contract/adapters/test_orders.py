# SPDX-License-Identifier: Apache-2.0
"""What every adapter does with orders, the same for all venues: each test runs against Bybit spot
and linear, Binance spot and USD-M. What differs between venues is not visible here."""

from __future__ import annotations

from decimal import Decimal

import pytest

from hean.core.types import (
    AmendRejected,
    Balance,
    Health,
    Liquidity,
    OrderAmended,
    OrderCancelled,
    OrderFilled,
    OrderPlaced,
    OrderRejected,
    OrderType,
    Position,
    Side,
    TimeInForce,
)
from hean.errors import (
    DuplicateOrder,
    FilterRefused,
    InsufficientMargin,
    OrderNotOpen,
    ParameterInvalid,
    VenueRefused,
)
from venue_contract.adapters.trading_desk import SYMBOL, Desk, only

FAR = "-0.05"  # below the market, within every price band


@pytest.mark.promise(206)
async def test_a_market_order_is_placed_filled_and_paid_for(desk: Desk) -> None:
    order_id = desk.send(Side.BUY, "0.002")
    await desk.filled(order_id, "0.002")
    placed = await desk.first(OrderPlaced, order_id)
    assert placed.exchange_order_id
    fill = desk.of(OrderFilled, order_id)[-1]
    assert (fill.symbol, fill.side, fill.liquidity) == (SYMBOL, Side.BUY, Liquidity.TAKER)
    assert (fill.remaining_qty, fill.strategy_id) == (0, "test")
    assert fill.fee > 0
    assert fill.fee_asset == ("USDT" if desk.market == "linear" else "BTC")
    assert desk.venue.tracker.open_orders() == []


async def test_a_limit_order_rests_until_it_is_cancelled(desk: Desk) -> None:
    order_id = desk.send(price=await desk.price(FAR))
    await desk.first(OrderPlaced, order_id)
    desk.venue.cancel(order_id)
    cancelled = await desk.first(OrderCancelled, order_id)
    assert cancelled.remaining_qty == Decimal("0.002")
    assert desk.of(OrderFilled, order_id) == []
    assert len(desk.of(OrderPlaced, order_id)) == 1


async def test_a_resting_order_that_trades_piece_by_piece_is_maker(desk: Desk) -> None:
    order_id = desk.send(price=await desk.price(FAR))
    await desk.first(OrderPlaced, order_id)
    await desk.by_hand("fill", order_id, qty="0.001")
    await desk.filled(order_id, "0.001")
    assert desk.of(OrderFilled, order_id)[0].remaining_qty == Decimal("0.001")
    await desk.by_hand("fill", order_id)
    await desk.filled(order_id, "0.002")
    fills = desk.of(OrderFilled, order_id)
    assert [fill.liquidity for fill in fills] == [Liquidity.MAKER] * 2
    assert len({fill.exec_id for fill in fills}) == 2


async def test_an_ioc_order_without_a_counterpart_is_cancelled_whole(desk: Desk) -> None:
    order_id = desk.send(price=await desk.price(FAR), life=TimeInForce.IOC)
    cancelled = await desk.first(OrderCancelled, order_id)
    assert cancelled.remaining_qty == Decimal("0.002")
    assert desk.of(OrderFilled, order_id) == []


async def test_a_fok_order_without_a_counterpart_trades_nothing(desk: Desk) -> None:
    order_id = desk.send(price=await desk.price(FAR), life=TimeInForce.FOK)
    await desk.until(lambda: desk.of(OrderCancelled, order_id) or desk.of(OrderRejected, order_id))
    assert desk.of(OrderFilled, order_id) == []


async def test_a_post_only_order_that_would_take_never_trades(desk: Desk) -> None:
    order_id = desk.send(price=await desk.price("0.01"), life=TimeInForce.POST_ONLY)
    await desk.until(lambda: desk.of(OrderCancelled, order_id) or desk.of(OrderRejected, order_id))
    assert desk.of(OrderFilled, order_id) == []


async def test_a_post_only_order_away_from_the_market_rests(desk: Desk) -> None:
    order_id = desk.send(price=await desk.price(FAR), life=TimeInForce.POST_ONLY)
    await desk.first(OrderPlaced, order_id)
    assert [order.order_id for order in desk.venue.tracker.open_orders()] == [order_id]


async def test_an_order_can_be_made_smaller(desk: Desk) -> None:
    order_id = desk.send(size="0.004", price=await desk.price(FAR))
    await desk.first(OrderPlaced, order_id)
    desk.venue.amend(order_id, size=Decimal("0.003"))
    amended = await desk.first(OrderAmended, order_id)
    assert (amended.size, amended.remaining_qty) == (Decimal("0.003"), Decimal("0.003"))
    desk.venue.cancel(order_id)
    assert (await desk.first(OrderCancelled, order_id)).remaining_qty == Decimal("0.003")


async def test_another_price_is_taken_or_refused_in_words(desk: Desk) -> None:
    order_id = desk.send(price=await desk.price(FAR))
    await desk.first(OrderPlaced, order_id)
    price = await desk.price("-0.04")
    desk.venue.amend(order_id, price=price)
    if desk.venue.codec.name == "binance.spot":
        refused = await desk.first(AmendRejected, order_id)
        assert (refused.source, refused.code) == ("venue", VenueRefused.code)
        assert "cancel it" in refused.reason
    else:
        assert (await desk.first(OrderAmended, order_id)).price == price
        assert desk.venue.tracker.get(order_id).price == price
    assert len(desk.venue.tracker.open_orders()) == 1


async def test_a_cancel_that_comes_too_late_is_a_question_and_not_an_answer(desk: Desk) -> None:
    order_id = desk.send(price=await desk.price(FAR))
    await desk.first(OrderPlaced, order_id)
    await desk.fault("cancel_race", by="fill", count=1)
    desk.venue.cancel(order_id)
    await desk.filled(order_id, "0.002")
    refused = await desk.first(OrderRejected, order_id)
    assert (refused.source, refused.code) == ("venue-request", OrderNotOpen.code)
    assert desk.of(OrderCancelled, order_id) == []


async def test_an_unknown_order_needs_no_cancel(desk: Desk) -> None:
    before = len(desk.facts)
    desk.venue.cancel("h1-none-1")
    desk.venue.amend("h1-none-1", size=Decimal(1))
    assert desk.facts[before:] == []
    assert desk.venue.dispatch.in_flight == 0


async def test_a_price_off_the_tick_is_refused_and_the_rules_are_read_again(desk: Desk) -> None:
    order_id = desk.send(price=await desk.price(FAR) + Decimal("0.003"))
    refused = await desk.first(OrderRejected, order_id)
    assert refused.source == "venue"
    assert refused.symbol == SYMBOL
    if refused.code == FilterRefused.code:
        await desk.until(lambda: desk.reloads == 1)
    assert desk.of(OrderPlaced, order_id) == []


async def test_an_order_nobody_can_pay_for_is_refused(desk: Desk) -> None:
    order_id = desk.send(size="60", price=await desk.price(FAR))
    refused = await desk.first(OrderRejected, order_id)
    assert (refused.source, refused.code) == ("venue", InsufficientMargin.code)


async def test_an_id_used_by_somebody_else_never_makes_a_second_order(desk: Desk) -> None:
    """Another process has sent the same id: what the venue has under it is adopted, by the stream
    or by looking for it, and no answer makes a second one."""
    price = await desk.price(FAR)
    async with Desk(desk.twin, desk.market) as other:
        first = other.send(price=price)
        await other.first(OrderPlaced, first)
        desk.send(price=price, order_id=first)
        placed = await desk.first(OrderPlaced, first)
        assert placed.exchange_order_id == other.of(OrderPlaced, first)[0].exchange_order_id
        await desk.until(lambda: desk.venue.dispatch.in_flight == 0)
        assert await desk.created(first) == 1
        assert desk.of(OrderRejected, first) == []


async def test_an_id_is_sent_once(desk: Desk) -> None:
    order_id = desk.send(price=await desk.price(FAR))
    with pytest.raises(DuplicateOrder):
        desk.send(order_id=order_id)


async def test_an_id_that_no_venue_takes_is_refused_here(desk: Desk) -> None:
    order_id = desk.send(order_id='x","side":"SELL')
    assert (await desk.first(OrderRejected, order_id)).code == ParameterInvalid.code
    assert desk.venue.dispatch.in_flight == 0


async def test_a_stop_waits_and_can_be_cancelled(desk: Desk) -> None:
    trigger = await desk.price(FAR)
    order_id = desk.send(Side.SELL, "0.002", type=OrderType.STOP, trigger_price=trigger)
    await desk.first(OrderPlaced, order_id)
    desk.venue.cancel(order_id)
    await desk.first(OrderCancelled, order_id)


async def test_a_stop_that_is_triggered_fills_under_its_own_id(desk: Desk) -> None:
    trigger = await desk.price("-0.002")
    order_id = desk.send(Side.SELL, "0.002", type=OrderType.STOP, trigger_price=trigger)
    await desk.first(OrderPlaced, order_id)
    control = desk.twin.control
    control.post("price", symbol=SYMBOL, market=desk.market, move_fraction="-0.01")
    await desk.filled(order_id, "0.002")
    assert {fill.side for fill in desk.of(OrderFilled, order_id)} == {Side.SELL}


async def test_the_account_is_told_before_anything_else_and_after_a_trade(desk: Desk) -> None:
    first_ready = next(index for index, fact in enumerate(desk.facts) if isinstance(fact, Health))
    told = {fact.asset: fact for fact in desk.facts[:first_ready] if isinstance(fact, Balance)}
    assert told["USDT"].total > 0
    assert told["USDT"].available <= told["USDT"].total
    count = len(desk.of(Balance))
    await desk.filled(desk.send(Side.BUY, "0.002"), "0.002")
    await desk.until(lambda: len(desk.of(Balance)) > count)


@only(("bybit", "linear"), ("binance", "linear"))
async def test_a_position_is_told_as_it_opens_and_closes(desk: Desk) -> None:
    before = desk.of(Position)[-1].qty
    await desk.filled(desk.send(Side.BUY, "0.003"), "0.003")
    await desk.until(lambda: desk.of(Position)[-1].qty == before + Decimal("0.003"))
    assert desk.of(Position)[-1].avg_price > 0
    await desk.filled(desk.send(Side.SELL, "0.003", reduce_only=True), "0.003")
    await desk.until(lambda: desk.of(Position)[-1].qty == before)
