# SPDX-License-Identifier: Apache-2.0
"""Our books beside the venues', over the wire: the order engine, its manager and the reconciler on
the bus of a real adapter. Numbers in the names are rows of the fault table.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from hean._core import Instrument, OrderEngine
from hean.core.module import Context
from hean.core.types import (
    AccountRead,
    Command,
    OrderApproved,
    OrderFilled,
    OrderPlaced,
    Reconcile,
    Side,
)
from hean.execution.orders import OrderManager
from hean.reconcile.reconcile import Reconciler
from venue_contract.adapters.trading_desk import SYMBOL, Desk, only
from venue_contract.twin_process import TwinProcess

FAR = "-0.05"
PERPETUALS = only(("bybit", "linear"), ("binance", "linear"))


class Books(Desk):
    """A desk with books that are compared with the venue's."""

    def __init__(self, twin: TwinProcess, market: str, **options: Any) -> None:
        super().__init__(twin, market, **options)
        rules = {SYMBOL: Instrument(SYMBOL, market, "0.01", "0.00001")}
        self.engine = OrderEngine(list(rules.values()), unlimited=True)
        self.reconciler = Reconciler(
            self.engine, rules, look_again=self.venue.look_again, is_fresh=True
        )
        for module in (OrderManager(self.engine), self.reconciler):
            module.attach(self.bus, Context(self.bus, self.bus.clock, name=module.name))

    def order(self, side: Side = Side.BUY, size: str = "0.002", **terms: Any) -> str:
        """An order through the door and out."""
        order_id = self.ids.next_id("test")
        wanted = OrderApproved(SYMBOL, side, Decimal(size), order_id=order_id, **terms)
        now_ns = self.bus.clock.now_ns
        ticket = self.engine.approve_order(wanted, order_id, now_ns, 60_000.0, None)
        self.engine.redeem_order(wanted, ticket, now_ns)
        self.venue.submit(wanted)
        return order_id

    async def compared(self) -> Reconcile:
        """The next verdict."""
        told = len(self.of(Reconcile))

        def is_told() -> bool:
            self.venue.private.look_soon(0.0)
            return len(self.of(Reconcile)) > told

        await self.until(is_told)
        return self.of(Reconcile)[-1]

    async def by_somebody(self, side: str = "BUY") -> None:
        """Somebody else trades at the market."""
        control = self.twin.control
        where = {"symbol": SYMBOL, "market": self.market}
        await asyncio.to_thread(control.manual, "place", side=side, qty="0.003", **where)


async def test_our_own_trading_is_clean_whatever_has_happened_to_it(
    at: tuple[TwinProcess, str],
) -> None:
    async with Books(*at) as books:
        await books.first(Reconcile)
        bought = books.order()
        await books.filled(bought, "0.002")
        resting = books.order(price=await books.price(FAR), type="LIMIT")
        await books.first(OrderPlaced, resting)
        await books.filled(books.order(Side.SELL), "0.002")
        verdict = await books.compared()
        assert verdict.clean, verdict.differences
        assert not any("unexplained" in each or "wallet" in each for each in verdict.differences)
        assert books.of(Command) == []


@PERPETUALS
async def test_a_new_journal_adopts_what_the_account_holds(at: tuple[TwinProcess, str]) -> None:
    async with Desk(*at) as before:
        await before.filled(before.send(), "0.002")
    async with Books(*at) as books:
        verdict = await books.first(Reconcile)
        assert verdict.clean
        adopted = books.of(OrderFilled)[0]
        assert adopted.order_id == f"venue-adopt-{SYMBOL}"
        (read,) = books.of(AccountRead)
        assert books.engine.position(SYMBOL) == dict(read.positions)[SYMBOL] != 0
        assert (await books.compared()).clean
        assert len(books.of(OrderFilled)) == 1
        control = books.twin.control
        await asyncio.to_thread(control.manual, "close", symbol=SYMBOL, market="linear")
        await books.until(lambda: books.engine.position(SYMBOL) == 0)


async def test_49_what_somebody_else_trades_is_adopted_and_listed(
    at: tuple[TwinProcess, str],
) -> None:
    async with Books(*at) as books:
        await books.first(Reconcile)
        held = books.engine.position(SYMBOL)
        await books.by_somebody()
        await books.until(lambda: books.engine.position(SYMBOL) == held + Decimal("0.003"))
        verdict = await books.compared()
        assert verdict.clean, verdict.differences
        told = [each for verdict in books.of(Reconcile) for each in verdict.differences]
        assert any("without an order of ours" in each for each in told)
        await books.by_somebody("SELL")
        await books.until(lambda: books.engine.position(SYMBOL) == held)


@PERPETUALS
@pytest.mark.parametrize("form", ["venue", "http", "garbage"])
async def test_54_a_position_that_nobody_can_tell_is_not_flat(
    at: tuple[TwinProcess, str], form: str
) -> None:
    async with Books(*at) as books:
        await books.first(Reconcile)
        order_id = books.order()
        await books.filled(order_id, "0.002")
        held = books.engine.position(SYMBOL)
        await books.fault("position_query_fails", form=form)
        readings = len(books.of(AccountRead))
        books.venue.private.look_soon(0.0)
        asked = books.client.requests
        await books.until(lambda: books.client.requests >= asked + 3)
        assert len(books.of(AccountRead)) == readings
        assert books.engine.position(SYMBOL) == held
        await books.calm()
        assert (await books.compared()).clean
        await books.filled(books.order(Side.SELL, reduce_only=True), "0.002")
