# SPDX-License-Identifier: Apache-2.0
"""`smoke.py`: does this engine trade? A resting order is placed far from the market and cancelled,
then the smallest quantity is bought and sold again, each by the way of every order a person places:
governor, order engine, router, venue. It never trades with money: LIVE is refused. Whatever ends
it, it leaves no order of its own open and nothing bought.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from typing import Any

from hean.core.types import OrderType, Side
from hean.engine import EngineFacade
from hean.engine.documents import Order, Quote, Status
from hean.errors import HeanError, StateError

WITHOUT_MONEY = frozenset({"PAPER", "TESTNET"})
AWAY = 0.02  # below the best bid: far enough to rest, inside any collar
VALUE_FACTOR = 1.2  # over the least value, so that a falling price does not refuse the way out
PATIENCE_S = 15.0  # for one answer of the venue
LOOK_S = 0.05
OVER = frozenset({"FILLED", "CANCELLED", "EXPIRED", "REJECTED", "ABSENT"})
STEPS = 6
ZERO = Decimal(0)

Advance = Callable[[float], None]


def refusal_of(status: Status) -> str | None:
    """Why this engine may not be tested; `None` if it may. A mode that is not known may be LIVE."""
    if status.state != "RUNNING":
        return f"the engine is {status.state}; a smoke test needs one that is RUNNING."
    if status.mode not in WITHOUT_MONEY:
        return f"a smoke test trades, so it is refused in {status.mode}."
    return None


def check(facade: EngineFacade, symbol: str) -> Quote:
    """Whether it can begin. *Returns*: the market. *Raises*: `StateError`, `UnknownSymbol`."""
    refusal = refusal_of(facade.status())
    if refusal is not None:
        raise StateError(refusal)
    facade.rules(symbol)
    quote = next((each for each in facade.quotes() if each.symbol == symbol), None)
    if quote is None or not quote.bid or not quote.ask:
        raise StateError(f"{symbol} has no prices yet; wait a moment.")
    return quote


class SmokeTest:
    """One test of *symbol*."""

    def __init__(self, facade: EngineFacade, symbol: str) -> None:
        self._facade = facade
        self._symbol = symbol
        self._steps: list[dict[str, Any]] = []
        self._placed: list[str] = []

    async def run(self, advance: Advance) -> dict[str, Any]:
        """*Returns*: the result; *passed* only if every step did what it should."""
        began_s = time.perf_counter()
        quote = check(self._facade, self._symbol)
        qty = self._smallest(quote)
        try:
            passed = await self._trade(quote, qty, advance)
        finally:
            await self._clear_up()
        return {
            "symbol": self._symbol,
            "qty": str(qty),
            "mode": self._facade.status().mode,
            "passed": passed,
            "steps": self._steps,
            "wall_s": round(time.perf_counter() - began_s, 3),
        }

    # ------------------------------------------------------------ inside

    async def _trade(self, quote: Quote, qty: Decimal, advance: Advance) -> bool:
        rules = self._facade.rules(self._symbol)
        price = rules.price_decimal(rules.quantise_price((quote.bid or 0.0) * (1 - AWAY), "down"))
        resting = await self._place("a resting order", Side.BUY, qty, wanted="WORKING", price=price)
        advance(1 / STEPS)
        if resting is None or not await self._cancel(resting):
            return False
        advance(2 / STEPS)
        bought = await self._place("a purchase", Side.BUY, qty, wanted="FILLED")
        advance(3 / STEPS)
        if bought is None:
            return False
        sold = await self._place("a sale", Side.SELL, qty, wanted="FILLED")
        advance(4 / STEPS)
        if sold is None:
            return False
        left = self._held()
        self._note("nothing is left", left == 0, f"{left} {self._symbol} of its own")
        advance(5 / STEPS)
        whys = [await self._facade.why(order_id) for order_id in self._placed]
        whole = all(why.decisions for why in whys)
        self._note("each has its reason", whole, f"{len(whys)} orders, each with its decision")
        advance(1.0)
        return left == 0 and whole

    async def _place(
        self, name: str, side: Side, qty: Decimal, *, wanted: str, price: Decimal | None = None
    ) -> Order | None:
        """Place an order and wait until it is as wanted. *Returns*: it, if it is."""
        began_s = time.perf_counter()
        kind = OrderType.MARKET if price is None else OrderType.LIMIT
        try:
            check(self._facade, self._symbol)  # it may have become another engine meanwhile
            placing = asyncio.ensure_future(
                self._facade.place(self._symbol, side, kind, qty, price=price)
            )
            placing.add_done_callback(self._remember)
            order = await _whole(placing)
        except HeanError as error:
            self._note(name, False, error.message, since_s=began_s)
            return None
        order = await self._until(order.client_order_id, {wanted} | OVER)
        words = f"{order.status} {order.reason}".strip()
        is_right = order.status == wanted
        self._note(name, is_right, words, since_s=began_s, order_id=order.client_order_id)
        return order if is_right else None

    def _remember(self, placing: asyncio.Future[Order]) -> None:
        if not placing.cancelled() and placing.exception() is None:
            self._placed.append(placing.result().client_order_id)

    async def _cancel(self, order: Order) -> bool:
        began_s, order_id = time.perf_counter(), order.client_order_id
        await self._facade.cancel(order_id)
        order = await self._until(order_id, OVER)
        is_right = order.status == "CANCELLED"
        self._note("its cancel", is_right, order.status, since_s=began_s, order_id=order_id)
        return is_right

    async def _until(self, order_id: str, wanted: set[str] | frozenset[str]) -> Order:
        """The order once it is as wanted, or as it is when patience ends."""
        end_s = time.perf_counter() + PATIENCE_S
        while True:
            order = self._facade.order(order_id)
            if order.status in wanted or time.perf_counter() > end_s:
                return order
            await asyncio.sleep(LOOK_S)

    def _note(
        self,
        name: str,
        passed: bool,
        detail: str,
        *,
        since_s: float | None = None,
        order_id: str | None = None,
    ) -> None:
        took_ms = None if since_s is None else round(1e3 * (time.perf_counter() - since_s), 1)
        self._steps.append(
            {
                "name": name,
                "passed": passed,
                "detail": detail,
                "order_id": order_id,
                "took_ms": took_ms,
            }
        )

    def _smallest(self, quote: Quote) -> Decimal:
        """The least quantity that the venue takes, also a little lower."""
        rules = self._facade.rules(self._symbol)
        least = VALUE_FACTOR * rules.notional_min / (float(quote.bid or 0) * (1 - AWAY))
        lots = max(rules.lots_min, math.ceil(least / rules.lot_size), 1)
        return rules.quantity_decimal(lots)

    def _held(self) -> Decimal:
        """What its own orders have bought and not sold."""
        orders = map(self._facade.order, self._placed)
        return sum(
            (each.filled_qty if each.side == "BUY" else -each.filled_qty for each in orders),
            ZERO,
        )

    async def _clear_up(self) -> None:
        """What is under way ends first: only then is it known what there is to sell."""
        with suppress(HeanError):  # an engine that has ended has nothing that could be done
            for order_id in self._placed:
                order = self._facade.order(order_id)
                if order.status not in OVER and order.type == "LIMIT":
                    await self._facade.cancel(order_id)
                await self._until(order_id, OVER)
            held = self._held()
            if held:
                side = Side.SELL if held > 0 else Side.BUY
                # A stop that came meanwhile lets only what makes the account's position smaller by.
                net = {each.symbol: each.qty for each in self._facade.positions()}
                whole = net.get(self._symbol, ZERO)
                last = await self._facade.place(
                    self._symbol, side, OrderType.MARKET, abs(held),
                    reduce_only=held * whole > 0 and abs(whole) >= abs(held),
                )  # fmt: skip
                await self._until(last.client_order_id, OVER)


async def _whole(placing: asyncio.Future[Order]) -> Order:
    """An order whose words may have left is waited for, also by who is cancelled meanwhile."""
    try:
        return await asyncio.shield(placing)
    except asyncio.CancelledError:
        await asyncio.wait([placing])
        raise
