# SPDX-License-Identifier: Apache-2.0
"""Money and positions of the twin where several things happen at once: sweeps through orders that
reduce, amends of locked orders, liquidations, averages that do not divide, orders placed by hand.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise

import pytest

from binance_desk import BinanceDesk
from bybit_desk import BybitDesk
from hean.twin.binance.spot_tape import SECONDS_KEPT, read
from hean.twin.faults.by_hand import ByHand
from hean.twin.orders import BookChange, Refused, Status, Trigger, Why
from twin_desk import StillExchange
from usdm_desk import UsdmDesk


@pytest.fixture
def desk() -> StillExchange:
    return StillExchange()


def test_an_amended_spot_order_holds_its_money_once(desk: StillExchange) -> None:
    order = desk.order("BUY", "0.1", "59000", market="spot")
    desk.venue.amend(order, quantity=Decimal("0.2"))
    assert desk.main.locked["USDT"] == order.locked == 11_800
    desk.venue.cancel(order)
    assert desk.main.locked["USDT"] == order.locked == 0


def test_a_sweep_through_several_reducing_orders_ends_flat(desk: StillExchange) -> None:
    """Two orders that may each close the whole position are reached by one move of the market."""
    desk.order("BUY", "0.5")
    first, second = (desk.order("SELL", "0.5", p, reduce_only=True) for p in ("60050", "60060"))
    desk.quote(desk.linear, 60_200.0)
    assert desk.size() == 0
    assert (first.status, second.why, second.filled) == (Status.FILLED, Why.REDUCE_ONLY, 0)


def test_the_last_reducing_order_of_a_sweep_fills_what_is_left(desk: StillExchange) -> None:
    desk.order("BUY", "0.5")
    orders = [
        desk.order("SELL", size, price, reduce_only=True)
        for size, price in (("0.3", "60050"), ("0.4", "60060"))
    ]
    desk.quote(desk.linear, 60_200.0)
    assert desk.size() == 0
    assert [order.filled for order in orders] == [Decimal("0.3"), Decimal("0.2")]
    assert orders[1].status is Status.FILLED
    assert desk.linear.desk.open(orders[1].number) is None


def test_a_reducing_order_cannot_grow_beyond_its_position(desk: StillExchange) -> None:
    desk.order("BUY", "0.5")
    order = desk.order("SELL", "0.5", "60500", reduce_only=True)
    with pytest.raises(Refused) as refused:
        desk.venue.amend(order, quantity=Decimal("0.6"))
    assert (refused.value.why, refused.value.allowed) == (Why.REDUCE_ONLY, Decimal("0.5"))
    assert order.quantity == Decimal("0.5")


def test_an_average_that_does_not_divide_makes_no_money(desk: StillExchange) -> None:
    """Three lots at two prices, closed one by one: to the last digit what was paid and earned."""
    before = desk.main.wallet("linear")["USDT"]
    desk.order("BUY", "0.001", "60000.1")
    desk.order("BUY", "0.002", "60001.1")
    for _ in range(3):
        desk.order("SELL", "0.001", reduce_only=True)
    fills = [r for r in desk.ledger.records if r["kind"] == "trade"]
    paid = sum((Decimal(r["fee"]) for r in fills), Decimal(0))
    sign = {"BUY": -1, "SELL": 1}
    traded = sum(sign[r["side"]] * Decimal(r["qty"]) * Decimal(r["price"]) for r in fills)
    assert desk.main.wallet("linear")["USDT"] == before + traded - paid
    assert desk.main.position(desk.linear, "BOTH").cost == 0


def test_the_ledger_explains_a_liquidation_and_the_fund_pays_the_rest(desk: StillExchange) -> None:
    """Ten times the account's money, and the price falls further than the margin reaches."""
    desk.main.leverage["BTCUSDT"] = Decimal(50)
    desk.quote(desk.linear, 60_000.0, coins=100)
    before = desk.main.wallet("linear")["USDT"]
    desk.order("BUY", "16")
    desk.quote(desk.linear, 50_000.0, coins=100)
    desk.venue.step()
    assert desk.size() == 0
    change, cost = Decimal(0), Decimal(0)
    for record in desk.ledger.records:
        if record["kind"] in ("trade", "liquidation"):
            value = Decimal(record["qty"]) * Decimal(record["price"])
            cost += value if record["side"] == "BUY" else -value
            change -= Decimal(record["fee"])
        elif record["kind"] == "insurance":
            change += Decimal(record["amount"])
    assert desk.main.wallet("linear")["USDT"] == before + change - cost == 0


def test_spot_knows_no_reducing_orders(desk: StillExchange) -> None:
    with pytest.raises(Refused) as refused:
        desk.order("SELL", "0.1", "60500", market="spot", reduce_only=True)
    assert refused.value.why is Why.POSITION_SIDE
    assert desk.main.positions == {}


@pytest.mark.parametrize("market", ["spot", "linear"])
def test_an_order_placed_by_hand_is_told_and_read_like_any_other(market: str) -> None:
    desk = BinanceDesk()
    session = desk.connect("/ws-api/v3")
    desk.call(session, "userDataStream.subscribe.signature")
    where = desk.venue.markets[market, "BTCUSDT"]
    order = ByHand(desk.venue).place(desk.main, where, "BUY", Decimal("0.01"), price=Decimal(59000))
    path = "/api/v3/openOrders" if market == "spot" else "/fapi/v1/openOrders"
    (row,) = desk.signed("GET", path, symbol="BTCUSDT")
    assert (row["orderId"], row["type"], row["timeInForce"]) == (
        int(order.order_id),
        "LIMIT",
        "GTC",
    )


def lost(desk: StillExchange) -> None:
    ByHand(desk.venue).lose(desk.order("BUY", "0.1", "59990"))


def met_by_its_owner(desk: StillExchange) -> None:
    desk.order("BUY", "0.1", "60000")
    desk.order("SELL", "0.1", "60000", self_match="cancel_both")


def amended_into_the_other_side(desk: StillExchange) -> None:
    order = desk.order("BUY", "0.1", "59990", life="POST_ONLY")
    desk.venue.amend(order, price=Decimal(60010))


@pytest.mark.parametrize("act", [lost, met_by_its_owner, amended_into_the_other_side])
def test_the_public_is_told_when_a_resting_order_is_gone(
    desk: StillExchange, act: Callable[[StillExchange], None]
) -> None:
    act(desk)
    assert desk.linear.desk.open(1) is None
    assert isinstance(desk.events[-1], BookChange)


def test_the_deadline_of_an_order_leaves_with_it() -> None:
    desk = UsdmDesk()
    until_ms = desk.now_ns // 1_000_000 + 3_600_000
    placed = desk.place("BUY", timeInForce="GTD", goodTillDate=until_ms)
    assert len(desk.venue.deadlines) == 1
    desk.signed("DELETE", "/fapi/v1/order", symbol="BTCUSDT", orderId=placed["orderId"])
    assert desk.venue.deadlines == {}


def test_a_silent_market_has_no_more_seconds_than_an_answer_holds() -> None:
    desk = BybitDesk()
    desk.venue.market_trade(desk.spot, desk.spot.ticks(Decimal(60_000)), 100, is_buy=True)
    now_ms = desk.now_ns // 1_000_000 + 86_400_000
    rows = read(desk.spot, "1s", None, None, limit=5_000, now_ms=now_ms)
    assert len(rows) == SECONDS_KEPT
    assert rows[-1].start_ms == now_ms // 1_000 * 1_000
    assert {b.start_ms - a.start_ms for a, b in pairwise(rows)} == {1_000}


@pytest.mark.parametrize("price", ["200000.0", "999999999999999999"])
def test_no_price_lies_above_the_highest_that_is_listed(desk: StillExchange, price: str) -> None:
    """Also not of an order that waits, which no band bounds."""
    trigger = Trigger(Decimal(61000), rising=True)
    for more in ({"trigger": trigger}, {"trigger": Trigger(Decimal(price), rising=True)}, {}):
        with pytest.raises(Refused) as refused:
            desk.order("SELL", "1", price, **more)
        assert refused.value.why is Why.PRICE_TOO_HIGH
