# SPDX-License-Identifier: Apache-2.0
"""`protection.py`: whether a position that is to have a stop has one at the venue. A stop counts
once the venue has acknowledged it; one that was sent and never answered protects nobody. After
three seconds without, it is told, again every minute; after half a minute what is bare is closed by
a reduction. Placing the stop, and placing it again after a refusal, is the strategy's business.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from hean._core import OrderEngine
from hean.core.module import Module, on
from hean.core.types import Error, Event, EventType, OrderRequest, OrderType, Side, Signal
from hean.risk.killswitch import PROTECTIVE

BARE_NS = 3_000_000_000  # RELIABILITY 52
CLOSE_NS = 30_000_000_000  # ten times as long: the strategy has had its second try by then
ALARM_NS = 60_000_000_000  # between two alarms about one symbol
AT_VENUE = frozenset({"WORKING", "PARTIAL"})
ZERO = Decimal(0)


class Protection(Module):
    """Of one account. *strategy_id*: whose positions these are, so that it counts the fills."""

    name = "protection"
    truth = True
    produces = (EventType.ORDER_REQUEST, EventType.ERROR)

    def __init__(self, engine: OrderEngine, *, strategy_id: str = "") -> None:
        self.engine = engine
        self.strategy_id = strategy_id
        self._wanted: set[str] = set()
        self._bare_ns: dict[str, int] = {}
        self._alarmed_ns: dict[str, int] = {}
        self._closed_ns: dict[str, int] = {}

    def restore(self, symbols: Iterable[str]) -> None:
        """Whose last entry, in an earlier process, was to have a stop."""
        self._wanted.update(symbols)

    @on(EventType.SIGNAL)
    def on_signal(self, event: Event) -> None:
        """An entry says whether its position is to have a stop."""
        signal: Signal = event.data
        if signal.reduce_only:
            return
        if signal.stop_loss is None:
            self._wanted.discard(signal.symbol)
        else:
            self._wanted.add(signal.symbol)

    def look(self, ticks_ns: int) -> None:
        """See whether every position has what it is to have. Ten times a second. *ticks_ns*: of
        the steady time, which nobody sets: a clock that was put forward closes nothing.
        """
        for symbol in sorted(self._wanted):
            bare = self.bare(symbol)
            if not bare:
                for since in (self._bare_ns, self._alarmed_ns, self._closed_ns):
                    since.pop(symbol, None)
                continue
            since_ns = self._bare_ns.setdefault(symbol, ticks_ns)
            if ticks_ns - since_ns >= BARE_NS:
                self._alarm(symbol, bare, ticks_ns)
            if ticks_ns - self._closed_ns.get(symbol, since_ns) >= CLOSE_NS:
                self._closed_ns[symbol] = ticks_ns
                self._close(symbol, bare)

    def bare(self, symbol: str) -> Decimal:
        """The part of a position, signed, that no acknowledged stop covers."""
        position = self.engine.position(symbol)
        if not position:
            return ZERO
        side = Side.SELL if position > 0 else Side.BUY
        covered = sum(
            (
                order["qty"] - order["filled_qty"]
                for order in self.engine.open_orders()
                if order["symbol"] == symbol
                and order["side"] == side
                and order["type"] in PROTECTIVE
                and order["reduce_only"]
                and order["status"] in AT_VENUE
            ),
            ZERO,
        )
        left = max(abs(position) - covered, ZERO)
        return left if position > 0 else -left

    def _alarm(self, symbol: str, bare: Decimal, ticks_ns: int) -> None:
        alarmed_ns = self._alarmed_ns.get(symbol)
        if alarmed_ns is None or ticks_ns - alarmed_ns >= ALARM_NS:
            self._alarmed_ns[symbol] = ticks_ns
            bare_s = (ticks_ns - self._bare_ns[symbol]) / 1e9
            text = f"CRITICAL: {bare:+f} {symbol} have been without a stop for {bare_s:.1f} s."
            self.context.emit(Error(self.name, text, self.context.clock.now_ns))

    def _close(self, symbol: str, bare: Decimal) -> None:
        """What has been bare for so long is given up."""
        self.context.emit(
            OrderRequest(
                symbol,
                Side.SELL if bare > 0 else Side.BUY,
                abs(bare),
                OrderType.MARKET,
                reduce_only=True,
                strategy_id=self.strategy_id,
            )
        )
