# SPDX-License-Identifier: Apache-2.0
"""What every adapter does when the venue does not behave. Numbers in the names are rows of the
fault table; "made once" is counted in the venue's own ledger."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from hean.core.types import (
    AccountRead,
    Health,
    OrderCancelled,
    OrderFilled,
    OrderPlaced,
    OrderRejected,
    OrderUnknown,
    Side,
)
from hean.errors import Halted, KeyRefused, ParameterInvalid
from venue_contract.adapters.trading_desk import Desk, all_but, only
from venue_contract.twin_process import Account, TwinProcess

FAR = "-0.05"


async def test_29_an_order_whose_answer_never_comes_is_unknown_and_then_found(desk: Desk) -> None:
    await desk.fault("timeout_accepted", count=1)
    await desk.fault(
        "frame_lost", match={"topic": "order"}, count=3
    )  # nor does the stream tell of it
    order_id = desk.send(price=await desk.price(FAR))
    unknown = await desk.first(OrderUnknown, order_id)
    placed = await desk.first(OrderPlaced, order_id)
    assert desk.facts.index(unknown) < desk.facts.index(placed)
    assert await desk.created(order_id) == 1


async def test_30_an_order_that_never_arrived_stays_unknown(desk: Desk) -> None:
    await desk.fault("timeout_lost", count=1)
    order_id = desk.send(price=await desk.price(FAR))
    await desk.first(OrderUnknown, order_id)
    asked = desk.client.requests
    await desk.until(lambda: desk.client.requests >= asked + 2)
    assert await desk.created(order_id) == 0
    assert desk.of(OrderPlaced, order_id) == desk.of(OrderRejected, order_id) == []
    assert desk.venue.tracker.get(order_id).is_unknown


@pytest.mark.parametrize("accepted", [True, False])
async def test_32_a_reset_after_the_order_left_is_unknown(desk: Desk, accepted: bool) -> None:
    await desk.fault("reset_after_request", accepted=accepted, count=1)
    order_id = desk.send(price=await desk.price(FAR))
    if accepted:
        await desk.first(OrderPlaced, order_id)
    else:
        await desk.first(OrderUnknown, order_id)
    assert await desk.created(order_id) == int(accepted)
    assert desk.of(OrderRejected, order_id) == []


@pytest.mark.parametrize("accepted", [True, False])
async def test_33_an_answer_that_nobody_understands_is_unknown(desk: Desk, accepted: bool) -> None:
    await desk.fault("server_error", accepted=accepted, count=1)
    order_id = desk.send(price=await desk.price(FAR))
    if accepted:
        await desk.first(OrderPlaced, order_id)
    else:
        await desk.first(OrderUnknown, order_id)
    assert await desk.created(order_id) == int(accepted)
    assert desk.of(OrderRejected, order_id) == []


async def test_34_too_busy_as_documented_is_a_refusal(desk: Desk) -> None:
    await desk.fault("overloaded", count=1)
    order_id = desk.send(price=await desk.price(FAR))
    refused = await desk.first(OrderRejected, order_id)
    assert refused.source == "venue"
    assert await desk.created(order_id) == 0


@pytest.mark.parametrize("form", ["truncated", "missing_id"])
async def test_35_a_success_that_says_nothing_is_unknown(desk: Desk, form: str) -> None:
    await desk.fault("garbage_body", accepted=False, form=form, count=1)
    order_id = desk.send(price=await desk.price(FAR))
    await desk.first(OrderUnknown, order_id)
    assert await desk.created(order_id) == 0


async def test_36_a_rate_limit_silences_everything_that_it_must(desk: Desk) -> None:
    await desk.fault("rate_limited", retry_after_s=600, count=1, match={"op": "create"})
    price = await desk.price(FAR)
    await desk.first(OrderRejected, desk.send(price=price))
    second = desk.send(price=price)
    refused = await desk.first(OrderRejected, second)
    assert "rate limit" in refused.reason
    assert await desk.created(second) == 0


async def test_38_a_clock_half_a_second_off_is_corrected(at: tuple[TwinProcess, str]) -> None:
    await asyncio.to_thread(at[0].control.fault, "clock_skew", offset_s=0.5)
    async with Desk(*at) as desk:
        assert abs(desk.venue.offset.offset_ns - 500_000_000) < 200_000_000
        await desk.filled(desk.send(), "0.002")


async def test_38_a_clock_two_seconds_off_stops_new_orders(at: tuple[TwinProcess, str]) -> None:
    await asyncio.to_thread(at[0].control.fault, "clock_skew", offset_s=-2.0)
    async with Desk(*at) as desk:
        refused = await desk.first(OrderRejected, desk.send())
        assert refused.code == Halted.code
        assert "clock" in refused.reason
        assert desk.of(Health)[-1].state == "HALT_NEW"


@pytest.mark.parametrize("reason", ["revoked", "permission", "ip", "expired"])
async def test_40_a_key_that_is_refused_stops_everything_new(desk: Desk, reason: str) -> None:
    await desk.fault("key_refused", reason=reason)
    order_id = desk.send(price=await desk.price(FAR))
    assert (await desk.first(OrderRejected, order_id)).code == KeyRefused.code
    health = await desk.health("HALT_NEW")
    said = health.extra["reasons"]["key"]
    assert "the twin's key" in said
    assert desk.twin.rest_url in said
    assert desk.twin.main.key not in str(desk.facts)
    assert desk.twin.main.secret not in str(desk.facts)
    again = desk.send(price=await desk.price(FAR))
    assert (await desk.first(OrderRejected, again)).code == Halted.code


@only(("bybit", "linear"), ("bybit", "spot"))  # Binance has one code for both
@pytest.mark.parametrize("dial", [("trading_ban", {}), ("key_refused", {"reason": "permission"})])
async def test_40_while_only_trading_is_refused_orders_can_still_be_looked_for(
    desk: Desk, dial: tuple[str, dict[str, str]]
) -> None:
    name, more = dial
    await desk.fault(name, **more)
    refused = await desk.first(OrderRejected, desk.send(price=await desk.price(FAR)))
    assert refused.code == KeyRefused.code
    readings = len(desk.of(AccountRead))
    await desk.venue.private.look()
    await desk.until(lambda: len(desk.of(AccountRead)) > readings)


async def test_78_a_key_of_another_network_is_told_with_address_and_label(
    at: tuple[TwinProcess, str],
) -> None:
    twin, market = at
    stranger = Account("stranger", "keyofanothernetwork", "secretofanothernetwork")
    with pytest.raises(KeyRefused) as refused:
        async with Desk(twin, market, account=stranger):
            pass
    assert "the twin's key" in str(refused.value)
    assert twin.rest_url in str(refused.value)
    assert stranger.key not in str(refused.value)


async def test_43_a_cancel_that_finds_the_order_cancelled_ends_it_once(desk: Desk) -> None:
    order_id = desk.send(price=await desk.price(FAR))
    await desk.first(OrderPlaced, order_id)
    await desk.fault("cancel_race", by="cancel", count=1)
    desk.venue.cancel(order_id)
    await desk.first(OrderCancelled, order_id)
    assert len(desk.of(OrderCancelled, order_id)) == 1


async def test_51_56_fills_in_a_hole_of_the_stream_are_told_once(desk: Desk) -> None:
    order_id = desk.send(size="0.004", price=await desk.price(FAR))
    await desk.first(OrderPlaced, order_id)
    await desk.by_hand("fill", order_id, qty="0.001")
    await desk.filled(order_id, "0.001")
    await desk.hole()
    await desk.health("HALT_NEW")
    await desk.by_hand("fill", order_id, qty="0.002")
    await desk.calm()
    await desk.health("READY")
    await desk.by_hand("fill", order_id)
    await desk.filled(order_id, "0.004")
    fills = desk.of(OrderFilled, order_id)
    assert sum(fill.filled_qty for fill in fills) == Decimal("0.004")
    assert len({fill.exec_id for fill in fills}) == len(fills) == 3


async def test_51_an_order_that_ended_in_a_hole_is_told(desk: Desk) -> None:
    order_id = desk.send(price=await desk.price(FAR))
    await desk.first(OrderPlaced, order_id)
    await desk.hole()
    await desk.health("HALT_NEW")
    await desk.by_hand("cancel", order_id)
    await desk.calm()
    assert (await desk.first(OrderCancelled, order_id)).remaining_qty == Decimal("0.002")


async def test_56_in_a_hole_nothing_new_leaves_and_cancels_do(desk: Desk) -> None:
    order_id = desk.send(price=await desk.price(FAR))
    await desk.first(OrderPlaced, order_id)
    await desk.hole()
    await desk.health("HALT_NEW")
    refused = await desk.first(OrderRejected, desk.send(price=await desk.price(FAR)))
    assert (refused.code, refused.source) == (Halted.code, "venue")
    assert "private stream" in refused.reason
    desk.venue.cancel(order_id)
    await desk.until(lambda: order_id not in desk.open_at_venue())
    await desk.calm()
    await desk.first(OrderCancelled, order_id)


async def test_59_frames_that_come_twice_are_told_once(desk: Desk) -> None:
    await desk.fault("frame_duplicate", match={"which": "private"})
    order_id = desk.send()
    await desk.filled(order_id, "0.002")
    second = desk.send(Side.SELL)
    await desk.filled(second, "0.002")
    for each in (order_id, second):
        fills = desk.of(OrderFilled, each)
        assert sum(fill.filled_qty for fill in fills) == Decimal("0.002")
        assert len(desk.of(OrderPlaced, each)) == 1


async def test_60_a_fill_before_its_answer_stands_for_it(desk: Desk) -> None:
    await desk.fault("fill_before_ack", fraction=0.5, delay_s=0.5, count=1)
    order_id = desk.send(size="0.004", price=await desk.price(FAR))
    fill = await desk.first(OrderFilled, order_id)
    placed = await desk.first(OrderPlaced, order_id)
    assert desk.facts.index(placed) < desk.facts.index(fill)
    await desk.until(lambda: desk.venue.dispatch.in_flight == 0)
    assert len(desk.of(OrderPlaced, order_id)) == 1


@pytest.mark.parametrize("form", ["nan", "missing", "array", "truncated", "nul", "deep"])
async def test_62_a_spoiled_private_frame_loses_no_fill_and_tells_none_twice(
    desk: Desk, form: str
) -> None:
    """The account is read again, whatever the frame would have said."""
    await desk.fault("poison", form=form, match={"which": "private"}, count=1)
    order_id = desk.send()
    await desk.filled(order_id, "0.002")
    await desk.until(lambda: desk.venue.private.caught_up.is_set())
    fills = desk.of(OrderFilled, order_id)
    assert sum(fill.filled_qty for fill in fills) == Decimal("0.002")
    assert all(fill.fill_price.is_finite() and fill.fill_price > 0 for fill in fills)


async def test_57_a_stream_that_has_gone_deaf_is_found_out_and_opened_anew(desk: Desk) -> None:
    order_id = desk.send(price=await desk.price(FAR))
    await desk.first(OrderPlaced, order_id)
    await desk.fault("stall", pongs=True, match={"which": "private"})
    await desk.by_hand("fill", order_id)
    desk.venue.private.doubt(settled_s=0.0)  # what twenty silent seconds lead to
    await desk.health("HALT_NEW")
    await desk.calm()
    await desk.filled(order_id, "0.002")
    assert (await desk.health("READY")).extra["reasons"] == {}


async def test_57_a_stream_with_one_deaf_topic_is_found_out_by_the_next_reading(
    desk: Desk,
) -> None:
    order_id = desk.send(size="0.004", price=await desk.price(FAR))
    await desk.first(OrderPlaced, order_id)
    await desk.fault("frame_lost", match={"which": "private"})
    await desk.by_hand("fill", order_id, qty="0.001")
    await desk.calm()
    told = len(desk.of(Health))
    await desk.venue.private.look(settled_s=0.0)  # what every thirty seconds bring
    await desk.filled(order_id, "0.001")
    await desk.until(lambda: "HALT_NEW" in [each.state for each in desk.of(Health)[told:]])
    await desk.health("READY")
    await desk.by_hand("fill", order_id)
    await desk.filled(order_id, "0.004")


@all_but(("binance", "linear"))  # USD-M futures do not tell whose key it is
async def test_78_another_account_than_the_configured_one_is_refused_at_start(
    at: tuple[TwinProcess, str],
) -> None:
    twin, market = at
    with pytest.raises(ParameterInvalid, match="belongs to account"):
        async with Desk(twin, market, account_id="no such account"):
            pass


@all_but(("binance", "spot"))  # it has no such switch
async def test_an_armed_switch_cancels_when_hean_is_silent(at: tuple[TwinProcess, str]) -> None:
    twin, market = at
    async with Desk(twin, market, dead_man_s=3 if twin.exchange == "bybit" else None) as desk:
        order_id = desk.send(price=await desk.price(FAR))
        await desk.first(OrderPlaced, order_id)
        if twin.exchange == "bybit":
            await desk.hole()
            await desk.until(lambda: order_id not in desk.open_at_venue())
            await desk.calm()
        else:
            await desk.venue.codec.arm(desk.venue.questions.ask, 1, ("BTCUSDT",))
        await desk.first(OrderCancelled, order_id)


@all_but(("binance", "spot"))  # its sockets cannot be cut apart
async def test_without_the_order_socket_orders_go_by_rest(desk: Desk) -> None:
    await desk.fault("connection_refused", match={"which": "trade"})
    await asyncio.to_thread(desk.twin.control.post, "cut", which="trade")
    await desk.until(lambda: not desk.venue.dispatch.session.is_ready)
    order_id = desk.send(price=await desk.price(FAR))
    await desk.first(OrderPlaced, order_id)
    desk.venue.cancel(order_id)
    await desk.first(OrderCancelled, order_id)
    assert await desk.created(order_id) == 1


async def test_a_key_that_may_only_read_places_nothing(at: tuple[TwinProcess, str]) -> None:
    twin, market = at
    try:
        async with Desk(twin, market, account=twin.readonly) as desk:
            refused = await desk.first(OrderRejected, desk.send())
            assert refused.code == KeyRefused.code
    except KeyRefused:
        assert market == "linear"  # one-way mode could not be set
