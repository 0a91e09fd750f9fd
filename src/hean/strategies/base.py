# SPDX-License-Identifier: Apache-2.0
"""`base.py`: what every strategy is and may rely on.

A strategy reads market facts and emits `Signal`s. It never sizes, sends or counts money: the
governor sizes, the router sends, the portfolio counts. What it does know is its own position,
built from its own fills, and the protective orders it asked for: after an entry fills, a stop
and a take-profit rest at the venue, and when one of them closes the position the other is
cancelled.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, ClassVar

from hean.core.module import Module, on
from hean.core.parameters import Parameter, Value, resolve
from hean.core.types import CancelRequest, Event, EventType, OrderType, Side, Signal

ZERO = Decimal(0)


class Strategy(Module):
    """Base of all strategies: declare `parameters`, mark handlers with `@on`, call `enter`/`leave`.

    *symbols*: what it trades. *given*: its parameters by name, text or typed; unknown ones are
    refused. Read a value as `self.p.name`.
    """

    produces = (EventType.SIGNAL, EventType.CANCEL_REQUEST)
    parameters: ClassVar[tuple[Parameter, ...]] = ()

    def __init__(self, symbols: tuple[str, ...], given: Mapping[str, object] | None = None) -> None:
        self.symbols = symbols
        self.settings: dict[str, Value] = resolve(self.parameters, given or {})
        self.p: Any = SimpleNamespace(**self.settings)
        self.position: dict[str, Decimal] = dict.fromkeys(symbols, ZERO)
        self._wanted: dict[str, tuple[float | None, float | None]] = {}
        self._protection: dict[str, list[str]] = {symbol: [] for symbol in symbols}

    def enter(
        self,
        symbol: str,
        side: Side,
        *,
        size: Decimal | None = None,
        strength: float = 1.0,
        stop_loss: float | None = None,
        take_profit: float | None = None,
        as_of_seq: int = 0,
    ) -> None:
        """Ask for a position. *size*: base units, `None` lets the governor size.

        *strength*: 0 to 1, scales the size. *stop_loss*, *take_profit*: prices at which protective
        orders rest at the venue once the entry has filled.
        """
        if stop_loss is not None or take_profit is not None:
            self._wanted[symbol] = (stop_loss, take_profit)
        else:
            self._wanted.pop(symbol, None)
        self.context.emit(
            Signal(
                symbol,
                side,
                size,
                strength,
                self.name,
                as_of_seq,
                stop_loss=stop_loss,
                take_profit=take_profit,
            )
        )

    def leave(self, symbol: str, *, as_of_seq: int = 0) -> None:
        """Ask to close the position, whole; does nothing while flat."""
        held = self.position[symbol]
        if held:
            side = Side.SELL if held > 0 else Side.BUY
            self.context.emit(Signal(symbol, side, abs(held), 1.0, self.name, as_of_seq, True))

    @on(EventType.ORDER_FILLED)
    def _count_own_fill(self, event: Event) -> None:
        fill = event.data
        if fill.strategy_id != self.name or fill.symbol not in self.position:
            return
        symbol = fill.symbol
        before = self.position[symbol]
        signed = fill.filled_qty if fill.side is Side.BUY else -fill.filled_qty
        after = self.position[symbol] = before + signed
        if self._protection[symbol] or symbol in self._wanted:
            self._protect(symbol, before, after)
        self.on_fill(event)

    def on_fill(self, event: Event) -> None:
        """Called after each own fill has been counted; for subclasses."""

    def _protect(self, symbol: str, before: Decimal, after: Decimal) -> None:
        """Keep the resting protection as large as the position, and none when flat."""
        grew = abs(after) > abs(before) or before * after < 0
        if after and not grew:
            return  # reduce-only at the venue already keeps it from growing past the position
        for order_id in self._protection[symbol]:
            self.context.emit(CancelRequest(order_id, symbol, "protection replaced", self.name))
        self._protection[symbol] = []
        stop_loss, take_profit = self._wanted.get(symbol, (None, None))
        if not after:
            return
        side = Side.SELL if after > 0 else Side.BUY
        if stop_loss is not None:
            self._rest(symbol, side, abs(after), kind=OrderType.STOP, at=stop_loss)
        if take_profit is not None:
            self._rest(symbol, side, abs(after), kind=OrderType.LIMIT, at=take_profit)

    def _rest(self, symbol: str, side: Side, size: Decimal, *, kind: OrderType, at: float) -> None:
        order_id = self.context.next_id(self.name)
        self._protection[symbol].append(order_id)
        self.context.emit(
            Signal(
                symbol,
                side,
                size,
                strategy_id=self.name,
                reduce_only=True,
                type=kind,
                price=at,
                order_id=order_id,
            )
        )
