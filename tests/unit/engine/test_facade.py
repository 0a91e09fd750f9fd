# SPDX-License-Identifier: Apache-2.0
"""A person's wishes through the facade: each goes the way of all orders, is refused in words where
it has to be, and is repeated by a replay of the journal.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from engine_desk import STRATEGIES, engine_desk
from hean.core.types import OrderType, Side
from hean.engine.documents import KillSwitch, Refusal
from hean.errors import HeanError, OrderUnknown, StateError, UnknownField, UnknownSymbol
from hean.paper_journal import replay_session

S_NS = 1_000_000_000
QTY = Decimal("0.01")


@pytest.mark.promise(19)
async def test_what_a_person_does_is_traded_and_repeated(tmp_path: Path) -> None:
    async with engine_desk(tmp_path) as desk:
        await desk.start()
        facade = desk.facade
        bought = await facade.place("BTCUSDT", Side.BUY, OrderType.MARKET, QTY)
        assert bought.strategy_id == "manual"
        await desk.until(lambda: desk.filled(bought.client_order_id))
        position = facade.positions()[0]
        assert (position.symbol, position.qty) == ("BTCUSDT", QTY)
        fill = facade.latest("fills")[0]
        assert (fill.client_order_id, fill.qty) == (bought.client_order_id, QTY)
        assert facade.portfolio().fees == fill.fee > 0

        price = (position.mark_price or Decimal(0)) * Decimal("0.97")
        price = price.quantize(Decimal("0.1"))
        resting = await facade.place("BTCUSDT", Side.BUY, OrderType.LIMIT, QTY, price=price)
        order_id = resting.client_order_id
        await desk.until(lambda: facade.order(order_id).status == "WORKING")
        assert [order.client_order_id for order in facade.orders(status="WORKING")] == [order_id]
        await facade.cancel(order_id)
        await desk.until(lambda: facade.order(order_id).status == "CANCELLED")
        ladder, quote = facade.ladder("BTCUSDT"), facade.quotes()[0]
        assert (ladder.bids[0][0], ladder.asks[0][0]) == (quote.bid, quote.ask)
        await desk.until(lambda: facade.trades("BTCUSDT"))
        assert facade.bars("BTCUSDT", 60)[-1].close == facade.trades("BTCUSDT")[0].price
        assert len(facade.bars("BTCUSDT", 5)) >= len(facade.bars("BTCUSDT", 60))
        curve = facade.history()
        assert curve[0].equity == facade.portfolio().deposits and len(curve) > 1
        digest = facade.digest()
        await desk.stop()
    assert facade.state == "STOPPED"
    assert replay_session(desk.journal)["state_hash"] == facade.digest().state_hash
    assert digest.seq <= facade.digest().seq


async def test_the_kill_switch_closes_everything_and_a_person_lets_it_go_on(tmp_path: Path) -> None:
    async with engine_desk(tmp_path) as desk:
        await desk.start()
        facade = desk.facade
        bought = await facade.place("ETHUSDT", Side.BUY, OrderType.MARKET, Decimal("0.5"))
        await desk.until(lambda: desk.filled(bought.client_order_id))
        latched = await facade.kill("FLATTEN", "the feed looks wrong", "operator:ann")
        assert (latched.latched, latched.level) == (True, "FLATTEN")
        await desk.until(lambda: not facade.positions())
        assert facade.state == "HALTED"
        refused = await facade.place("BTCUSDT", Side.BUY, OrderType.MARKET, QTY)
        assert refused.status == "REJECTED" and "FLATTEN" in refused.reason

        early = await facade.release("release paper", "looked at the feed", "risk:bob")
        assert isinstance(early, Refusal) and "at the earliest" in early.missing[0]
        desk.ahead_ns += 61 * S_NS
        wrong = await facade.release("release mine", "looked at the feed", "risk:bob")
        assert isinstance(wrong, Refusal) and wrong.missing == ["the phrase is another one"]
        same = await facade.release("release paper", "looked at the feed", "operator:ann")
        assert isinstance(same, Refusal) and "somebody else" in same.missing[0]
        going_on = await facade.release("release paper", "looked at the feed", "risk:bob")
        assert isinstance(going_on, KillSwitch) and not going_on.latched
        assert facade.state == "RUNNING"
        await desk.stop()
    assert replay_session(desk.journal)["state_hash"] == facade.digest().state_hash


async def test_a_strategy_that_is_switched_off_only_reduces(tmp_path: Path) -> None:
    async with engine_desk(tmp_path, f"{STRATEGIES}:Steady") as desk:
        await desk.start()
        facade = desk.facade
        await desk.until(lambda: facade.strategies()[0].orders >= 2)
        off = await facade.switch("steady", on=False, actor="operator:ann")
        assert (off.enabled, off.disabled_by) == (False, "operator:ann")
        refused = facade.strategies()[0].refused
        await desk.until(lambda: not facade.positions())
        await desk.until(lambda: facade.strategies()[0].refused > refused)
        reasons = [row.reason for row in facade.latest("order_decisions")]
        assert any("switched off by operator:ann" in reason for reason in reasons)
        assert (await facade.switch("steady", on=True, actor="operator:ann")).enabled
        fills = facade.strategies()[0].fills
        await desk.until(lambda: facade.strategies()[0].fills > fills)
        await desk.stop()
    assert replay_session(desk.journal)["state_hash"] == facade.digest().state_hash


async def test_before_it_runs_there_is_nothing_to_ask(tmp_path: Path) -> None:
    async with engine_desk(tmp_path) as desk:
        facade = desk.facade
        assert (facade.status().state, facade.status().mode) == ("STOPPED", "NONE")
        for ask in (facade.portfolio, facade.positions, facade.risk, facade.reconciled):
            with pytest.raises(StateError, match="not running"):
                ask()
        with pytest.raises(StateError, match="not running"):
            await facade.cancel_all()
        await desk.start()
        assert facade.start().state == "RUNNING", "starting twice is starting once"
        with pytest.raises(UnknownSymbol, match="BTCUSDT, ETHUSDT"):
            await facade.place("DOGEUSDT", Side.BUY, OrderType.MARKET, QTY)
        with pytest.raises(OrderUnknown, match="no order"):
            await facade.cancel("h0-none-1")
        with pytest.raises(StateError, match="HALT_NEW"):
            await facade.kill("PANIC", "why not", "operator:ann")
        await desk.stop()
        with pytest.raises(StateError, match="has ended"):
            await facade.cancel_all() or await facade.place(
                "BTCUSDT", Side.BUY, OrderType.MARKET, QTY
            )


async def test_limits_change_for_the_next_order(tmp_path: Path) -> None:
    async with engine_desk(tmp_path) as desk:
        await desk.start()
        facade = desk.facade
        assert not facade.is_looser({"order_value_max": "100", "open_orders_max": "5"})
        assert facade.is_looser({"open_orders_max": "500"})
        assert facade.is_looser({"leverage_max": None})
        assert facade.is_looser({"refuse_self_cross": "false"})
        with pytest.raises(UnknownField, match="order_value_max"):
            facade.is_looser({"order_vale_max": "100"})
        with pytest.raises(HeanError, match="lots"):
            await facade.change_limits({"order_value_max": "lots"}, "risk:bob")
        risk = await facade.change_limits({"order_value_max": "100"}, "risk:bob")
        assert {limit.name: limit.value for limit in risk.limits}["order_value_max"] == "100"
        refused = await facade.place("BTCUSDT", Side.BUY, OrderType.MARKET, QTY)
        assert refused.status == "REJECTED" and "100" in refused.reason
        await desk.stop()
    assert replay_session(desk.journal)["state_hash"] == facade.digest().state_hash
