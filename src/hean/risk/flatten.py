# SPDX-License-Identifier: Apache-2.0
"""`flatten.py`: closing everything, once the kill switch says FLATTEN. Reduce-only market orders,
one at a time for each symbol, none larger than the venue takes and none for what open orders may
already close: a position only ever shrinks and never changes its sign. What rests in the way is
asked back and what is left is closed after it. Perpetuals go first, then the coins that our fills
explain; what else the account holds is not touched. When the price has run away by more than the
collar, or there is none, it holds and says so, and goes on when the price is back. It goes through
the same door as every order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from hean._core import Instrument, OrderEngine
from hean.core.module import Module, on
from hean.core.types import (
    CancelRequest,
    Error,
    Event,
    EventType,
    OrderFilled,
    OrderRejected,
    OrderRequest,
    OrderType,
    Side,
)
from hean.errors import ReduceOnlyViolated
from hean.risk.killswitch import PROTECTIVE
from hean.risk.levels import FLATTEN

COLLAR_FRACTION = 0.03  # beyond it selling does more harm than holding
AGAIN_NS, AGAIN_MAX_NS = 1_000_000_000, 30_000_000_000  # after a refusal, doubling
ALARM_NS = 60_000_000_000  # between two alarms about one symbol
ZERO = Decimal(0)


class Flatten(Module):
    """Closes positions. *reference*: last price of a symbol; *largest*: market order the venue
    takes, by symbol, none where it takes any; *owners*: whose position a symbol is, so that it
    counts the fills.
    """

    name = "flatten"
    truth = True
    produces = (EventType.ORDER_REQUEST, EventType.CANCEL_REQUEST, EventType.ERROR)

    def __init__(
        self,
        engine: OrderEngine,
        instruments: Mapping[str, Instrument],
        *,
        reference: Callable[[str], float | None],
        largest: Mapping[str, Decimal] | None = None,
        owners: Mapping[str, str] | None = None,
    ) -> None:
        self.engine = engine
        self.instruments = instruments
        self.reference = reference
        self.largest = largest or {}
        self.owners = owners or {}
        self._is_looking = False  # before the first look nobody has compared the positions
        self._first: dict[str, float] = {}  # price when the closing of a symbol began
        self._asked: dict[str, str] = {}  # order by symbol, from the wish to its end
        self._refusals: dict[str, int] = {}
        self._not_before_ns: dict[str, int] = {}
        self._alarmed_ns: dict[str, int] = {}
        self._asked_back_ns: dict[str, int] = {}  # orders in the way, by id

    @property
    def is_flat(self) -> bool:
        """Whether nothing is held any more."""
        return not any(self.engine.position(symbol) for symbol in self.instruments)

    def look(self, now_ns: int) -> None:
        """Go on after a refusal, a hold or a restart. Ten times a second, once the account has been
        read; nothing is closed before the first look.
        """
        self._is_looking = True
        self._step(now_ns)
        if self.engine.halt_level == FLATTEN:
            self._ask_back(now_ns)

    @on(EventType.KILLSWITCH_TRIGGERED)
    def on_triggered(self, event: Event) -> None:
        """Begin."""
        self._step(event.ts_ns)

    @on(EventType.KILLSWITCH_RELEASED)
    def on_released(self, event: Event) -> None:
        """Another time begins with another price."""
        for kept in (self._first, self._asked, self._refusals, self._not_before_ns):
            kept.clear()
        self._alarmed_ns.clear()
        self._asked_back_ns.clear()

    @on(EventType.ORDER_FILLED)
    def on_filled(self, event: Event) -> None:
        """A piece is closed; was it at a price one can bear?"""
        fill: OrderFilled = event.data
        if fill.order_id == self._asked.get(fill.symbol):
            if not fill.remaining_qty:
                self._ended(fill.symbol)
            if self._is_beyond(fill.symbol, float(fill.fill_price), fill.side):
                self._hold(fill.symbol, f"filled at {fill.fill_price}", event.ts_ns)
        self._step(event.ts_ns)

    @on(EventType.ORDER_REJECTED)
    def on_rejected(self, event: Event) -> None:
        """Later again, ever more rarely; and somebody should look."""
        rejected: OrderRejected = event.data
        symbol = rejected.symbol
        if rejected.source == "venue-request" or rejected.order_id != self._asked.get(symbol):
            return
        del self._asked[symbol]
        count = self._refusals[symbol] = self._refusals.get(symbol, 0) + 1
        pause_ns = min(AGAIN_NS << min(count - 1, 10), AGAIN_MAX_NS)
        self._not_before_ns[symbol] = event.ts_ns + pause_ns
        if rejected.code == ReduceOnlyViolated.code and count == 1:
            return  # somebody else's exit was approved in between: that closes it as well
        self._alarm(symbol, f"cannot be closed: {rejected.reason}", event.ts_ns)

    @on(
        EventType.ORDER_CANCELLED,
        EventType.ORDER_ABSENT,
        EventType.ORDER_UNKNOWN,
        EventType.ORDER_QUARANTINED,
    )
    def on_ended(self, event: Event) -> None:
        """It is over, or nobody knows; then the rest is closed beside it, as what may still happen
        counts as closing.
        """
        order = event.data
        if order.order_id == self._asked.get(order.symbol):
            del self._asked[order.symbol]
        self._step(event.ts_ns)

    # ------------------------------------------------------------ inside

    def _step(self, now_ns: int) -> None:
        if not self._is_looking or self.engine.halt_level != FLATTEN:
            return
        held = {symbol: self.engine.position(symbol) for symbol in self.instruments}
        has_perpetual = any(
            position and self.instruments[symbol].kind != "spot"
            for symbol, position in held.items()
        )
        for symbol, position in held.items():
            if not position:
                self._clear(symbol)
            elif has_perpetual and self.instruments[symbol].kind == "spot":
                continue  # coins cannot be liquidated; what they hedge can
            elif symbol not in self._asked and now_ns >= self._not_before_ns.get(symbol, 0):
                self._close(symbol, position, now_ns)

    def _close(self, symbol: str, position: Decimal, now_ns: int) -> None:
        side = Side.SELL if position > 0 else Side.BUY
        size = abs(position) - self._closing(symbol, side)
        size = min(size, self.largest.get(symbol, size))
        if size <= 0:
            return
        price = self.reference(symbol)
        if price is None:
            self._hold(symbol, "there is no price", now_ns)
            return
        self._first.setdefault(symbol, price)
        if self._is_beyond(symbol, price, side):
            self._hold(symbol, f"the price is {price:g}", now_ns)
            return
        order_id = self._asked[symbol] = self.context.next_id("kill")
        self.context.emit(
            OrderRequest(
                symbol,
                side,
                size,
                order_id=order_id,
                reduce_only=True,
                strategy_id=self.owners.get(symbol, ""),
            )
        )

    def _closing(self, symbol: str, side: Side) -> Decimal:
        """What open orders may still take off the position."""
        return sum((left for _, left in self._others(symbol, side)), ZERO)

    def _others(self, symbol: str, side: Side) -> Iterator[tuple[dict[str, Any], Decimal]]:
        """Open orders that may close, and how much. The stops of a perpetual do not count: the
        venue lets them close no more than there is. Of a sliced order its slices count, for coins
        also what is not in a slice yet, as in R20.
        """
        is_spot = self.instruments[symbol].kind == "spot"
        orders = [
            order
            for order in self.engine.open_orders()
            if order["symbol"] == symbol and order["side"] == side
        ]
        in_slices: Counter[str] = Counter()
        for order in orders:
            in_slices[order["parent_id"]] += order["qty"] - order["filled_qty"]
        for order in orders:
            left = order["qty"] - order["filled_qty"]
            if order["is_sliced"]:
                left = max(left - in_slices[order["client_order_id"]], ZERO) if is_spot else ZERO
            if is_spot or not (order["reduce_only"] and order["type"] in PROTECTIVE):
                yield order, left

    def _ask_back(self, now_ns: int) -> None:
        """The kill switch has asked back what was open when it was raised; what came since, as a
        target after a restart, would rest in the way for ever.
        """
        for symbol in self.instruments:
            position = self.engine.position(symbol)
            if not position:
                continue
            for order, left in self._others(symbol, Side.SELL if position > 0 else Side.BUY):
                order_id = order["client_order_id"]
                rests = order["is_sliced"] or (left and order["type"] != OrderType.MARKET)
                last_ns = self._asked_back_ns.get(order_id, now_ns - AGAIN_MAX_NS)
                is_due = now_ns - last_ns >= AGAIN_MAX_NS and not order["cancel_pending"]
                if rests and is_due:
                    self._asked_back_ns[order_id] = now_ns
                    reason = "in the way of closing the position"
                    self.context.emit(CancelRequest(order_id, symbol, reason))

    def _clear(self, symbol: str) -> None:
        """A flat symbol needs no stop."""
        if self._first.pop(symbol, None) is None:
            return
        for order in self.engine.open_orders():
            if order["symbol"] == symbol:
                reason = "the position is closed"
                self.context.emit(CancelRequest(order["client_order_id"], symbol, reason))

    def _is_beyond(self, symbol: str, price: float, side: Side | None) -> bool:
        """Whether the price has run away from where closing began, to our harm."""
        first = self._first.get(symbol, price)
        harm = first - price if side is Side.SELL else price - first
        return harm > COLLAR_FRACTION * first

    def _ended(self, symbol: str) -> None:
        self._asked.pop(symbol, None)
        self._refusals.pop(symbol, None)

    def _hold(self, symbol: str, why: str, now_ns: int) -> None:
        self._not_before_ns[symbol] = now_ns + AGAIN_NS
        first = self._first.get(symbol)
        began = f", closing began at {first:g}" if first is not None else ""
        self._alarm(symbol, f"held, not closed: {why}{began}; close it by hand or wait", now_ns)

    def _alarm(self, symbol: str, text: str, now_ns: int) -> None:
        last_ns = self._alarmed_ns.get(symbol)
        if last_ns is None or now_ns - last_ns >= ALARM_NS:
            self._alarmed_ns[symbol] = now_ns
            self.context.emit(Error(self.name, f"{symbol}: {text}", now_ns))
