# SPDX-License-Identifier: Apache-2.0
"""`closing.py`: how a watchdog closes positions when their owner is silent and the policy says so.
Reduce-only limit orders that trade at once or not at all, none larger than the venue takes, none
worse than the collar around the first price seen: a position only shrinks and never changes its
sign. After each round the venue is asked what is left; no answer to an order is believed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from hean.core.types import OrderApproved, OrderType, Position, Side, TimeInForce
from hean.errors import HeanError
from hean.feeds.arriving import Terms
from hean.risk.flatten import COLLAR_FRACTION
from hean.venues.codec import Codec
from hean.venues.questions import Questions

PAUSE_S = 2.0  # between two rounds
ALARM_ROUNDS = 30  # so often in vain, and somebody is told again


class Closing:
    """Closes what is held in the symbols of *terms*."""

    def __init__(
        self, codec: Codec, questions: Questions, terms: list[Terms], *, say: Callable[[str], None]
    ) -> None:
        self._codec = codec
        self._questions = questions
        self._terms = {row.symbol: row for row in terms}
        self._say = say
        self._first: dict[str, Decimal] = {}
        self._sent = 0

    async def close_all(self) -> None:
        """Return when a complete list shows no position any more."""
        rounds = 0
        while held := await self._held():
            if rounds % ALARM_ROUNDS == 0:
                shown = ", ".join(f"{each.qty:f} {each.symbol}" for each in held if each.qty)
                self._say(f"closing what is held: {shown or 'unknown, the venue does not say'}")
            rounds += 1
            for position in held:
                await self._reduce(position)
            await asyncio.sleep(PAUSE_S)

    async def _held(self) -> list[Position]:
        """Positions of our symbols; one that is none stands for what the venue did not say."""
        nothing_known = [Position("", Decimal(0), Decimal(0))]
        try:
            listing = await self._codec.positions(self._questions.ask)
        except HeanError:
            return nothing_known
        held = [each for each in listing.rows if each.qty and each.symbol in self._terms]
        return held if held or listing.is_complete else nothing_known

    async def _reduce(self, position: Position) -> None:
        terms = self._terms.get(position.symbol)
        mark = position.mark_price or self._first.get(position.symbol)
        if terms is None or not position.qty or mark is None:
            return
        first = self._first.setdefault(position.symbol, mark)
        side = Side.SELL if position.qty > 0 else Side.BUY
        size = abs(position.qty)
        if terms.quantity_max:
            size = min(size, Decimal(terms.quantity_max))
        self._sent += 1
        order = OrderApproved(
            position.symbol,
            side,
            size,
            OrderType.LIMIT,
            worst_price(first, side, Decimal(terms.tick)),
            f"watchdog-{self._questions.venue_ms()}-{self._sent}",
            reduce_only=True,
            time_in_force=TimeInForce.IOC,
        )
        try:
            await self._questions.ask(self._codec.submit_call(order))
        except HeanError as error:
            self._say(f"{position.symbol} was not reduced: {error}")


def worst_price(first: Decimal, side: Side, tick: Decimal) -> Decimal:
    """The worst price within the collar, on the grid."""
    collar = Decimal(str(COLLAR_FRACTION))
    if side is Side.SELL:
        return (first * (1 - collar) / tick).to_integral_value(ROUND_CEILING) * tick
    return (first * (1 + collar) / tick).to_integral_value(ROUND_FLOOR) * tick
