# SPDX-License-Identifier: Apache-2.0
"""`base.py`: what every strategy is and may rely on.

A strategy reads market facts and emits `Signal`s. It never sizes, sends or counts money: the
governor sizes, the router sends, the portfolio counts. What it does know is its own position,
built from its own fills, and the protective orders it asked for: after an entry fills, a stop
and a take-profit rest at the venue, and when one of them closes the position the other is
cancelled. A position whose stop is refused twice is closed.

Coins serve one resting order at a time. So of stop and target only the stop rests on spot, and the
target is looked at with the strategy's own facts, each tick or each bar's close; and whoever leaves
first takes back what rests, then sells. If that does not come about, a stop rests again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from inspect import iscoroutinefunction
from types import SimpleNamespace
from typing import Any, ClassVar

from hean._core import Instrument
from hean.core.bus import EventBus, Handler
from hean.core.module import Context, Module, on
from hean.core.parameters import Parameter, Value, resolve
from hean.core.ports import Market
from hean.core.types import (
    LOCKED,
    AmendRequest,
    CancelRequest,
    Event,
    EventType,
    OrderFilled,
    OrderType,
    Side,
    Signal,
    Timer,
)
from hean.errors import StateError
from hean.program import Condition, Program, Wake

ZERO = Decimal(0)
RETRY_NS = 1_000_000_000  # the window of the order-rate limit, the likely reason of a refusal


class Strategy(Module):
    """Base of all strategies: declare `parameters`, mark handlers with `@on`, call `enter`/`leave`.

    *symbols*: what it trades. *given*: its parameters by name, text or typed; unknown ones are
    refused. Read a value as `self.p.name`.
    """

    produces: ClassVar[tuple[EventType, ...]] = (
        EventType.SIGNAL,
        EventType.CANCEL_REQUEST,
        EventType.AMEND_REQUEST,
    )
    parameters: ClassVar[tuple[Parameter, ...]] = ()
    slices: ClassVar[bool] = False
    """Whether its orders may name an algorithm; whoever works them hears every tick."""

    def __init__(self, symbols: tuple[str, ...], given: Mapping[str, object] | None = None) -> None:
        self.symbols = symbols
        self.settings: dict[str, Value] = resolve(self.parameters, given or {})
        self.p: Any = SimpleNamespace(**self.settings)
        self.position: dict[str, Decimal] = dict.fromkeys(symbols, ZERO)
        self.instruments: Mapping[str, Instrument] = {}
        """Trading rules by symbol; the composition gives them before the first fact."""
        self.foreign: frozenset[str] = frozenset()
        """Symbols of other strategies on the account; it hears nothing of them, as if alone."""
        self._under_way: dict[str, str] = {}
        self._wanted: dict[str, tuple[float | None, float | None]] = {}
        self._protection: dict[str, dict[str, OrderType]] = {symbol: {} for symbol in symbols}
        self._renewing: set[str] = set()
        self._refused: set[str] = set()
        self._leaving: dict[str, tuple[int, str | None]] = {}  # coins: the exit that was asked for
        self.is_real = True
        """Whether its orders may cost money; a composition that only pretends says no."""
        self.hears_all = True
        """Whether it is called at every fact; the composition says so."""
        self.is_locked = False
        """Whether the kill switch lets no exit pass, so that no stop is taken back for one."""

    # ------------------------------------------------------------ for subclasses to state

    def wakes(self) -> tuple[Wake, ...]:
        """What to be woken by in the wake tier, and the conditions `holds` may be asked about."""
        return ()

    def program(self) -> Program | None:
        """The same strategy as rules for the native tier; `None` when it cannot be said so."""
        return None

    def companions(self) -> tuple[Module, ...]:
        """Modules that come with it, told of everything before it is; they send no orders."""
        return ()

    @classmethod
    def feed(cls) -> EventType:
        """The facts that conditions are computed on: bars where bars are handled, else ticks."""
        return EventType.CANDLE if EventType.CANDLE in cls.consumed() else EventType.TICK

    # ------------------------------------------------------------ for subclasses to call

    def holds(self, symbol: str, condition: Condition) -> bool:
        """Whether a condition named in `wakes` holds as of the present fact."""
        return self._market().holds(symbol, condition)

    def window(self, symbol: str, rows: int, column: str = "close") -> Any:
        """The last *rows* values of a column up to now, as a read-only array without a copy."""
        return self._market().window(symbol, rows, column)

    def is_waiting(self, symbol: str) -> bool:
        """Whether an order of `enter` or `leave` is still under way."""
        return symbol in self._under_way

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
        algo: str | None = None,
    ) -> None:
        """Ask for a position. *size*: base units, `None` lets the governor size.

        *strength*: 0 to 1, scales the size. *stop_loss*, *take_profit*: prices at which protective
        orders rest at the venue once the entry has filled. *algo*: how to slice it, such as
        `twap:duration=10m,slices=20`; needs `slices = True` in the class.
        """
        self._require_slices(algo)
        if stop_loss is not None and take_profit is not None and self._is_spot(symbol):
            self._require_facts(symbol)
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
                order_id=self._begin(symbol),
                algo=algo,
            )
        )

    def leave(self, symbol: str, *, as_of_seq: int = 0, algo: str | None = None) -> None:
        """Ask to close the position, whole; does nothing while flat. *algo*: as of `enter`."""
        self._require_slices(algo)
        waits = symbol in self._leaving and self._protection[symbol]
        if not self.position[symbol] or waits:
            return
        self._begin(symbol)
        takes_back = self._is_spot(symbol) and not self.is_locked
        if takes_back:
            self._leaving[symbol] = (as_of_seq, algo)
            for order_id in self._protection[symbol]:
                reason = "its coins are to be sold"
                self.context.emit(CancelRequest(order_id, symbol, reason, self.name))
        if not (takes_back and self._protection[symbol]):
            self._exit(symbol, as_of_seq, algo)

    def _exit(self, symbol: str, as_of_seq: int, algo: str | None) -> None:
        held = self.position[symbol]
        self.context.emit(
            Signal(
                symbol,
                Side.SELL if held > 0 else Side.BUY,
                abs(held),
                1.0,
                self.name,
                as_of_seq,
                reduce_only=True,
                order_id=self._under_way[symbol],
                algo=algo,
            )
        )

    def _require_slices(self, algo: str | None) -> None:
        if algo is not None and not self.slices:
            raise StateError(f"{self.name}: algo {algo!r} needs `slices = True` in the class.")

    def _require_facts(self, symbol: str) -> None:
        if not self.hears_all:
            raise StateError(
                f"{self.name}: the target of {symbol} beside a stop is looked at with every fact, "
                "for coins serve one resting order; run tier event."
            )

    def _is_spot(self, symbol: str) -> bool:
        rules = self.instruments.get(symbol)
        return rules is not None and rules.kind == "spot"

    def amend(
        self,
        order_id: str,
        *,
        price: float | None = None,
        size: Decimal | None = None,
        symbol: str = "",
    ) -> None:
        """Ask for other terms of a resting order; `None` keeps the old one. *price*: put on the
        tick; *size*: of the whole order, what has traded included. `ORDER_AMENDED` or
        `AMEND_REJECTED` answers; until then another one is refused.
        """
        self.context.emit(AmendRequest(order_id, price, size, symbol, self.name))

    # ------------------------------------------------------------ for the composition

    def attach(self, bus: EventBus, context: Context) -> Callable[[], None]:
        """As of `Module`; beside others its handlers are asked only what is not another's."""
        self.context = context
        undo = []
        for event_type, name in self.handlers():
            undo.append(bus.subscribe(event_type, self._apart(getattr(self, name))))
        if any(map(self._is_spot, self.symbols)):
            undo.append(bus.subscribe(self.feed(), self._apart(self._look_at_target)))

        def detach() -> None:
            for unsubscribe in undo:
                unsubscribe()

        return detach

    def _apart(self, handler: Handler) -> Handler:
        if not self.foreign:
            return handler
        kind = AsyncApart if iscoroutinefunction(handler) else Apart
        return kind(handler, self.foreign)

    def resume(
        self,
        position: Mapping[str, Decimal],
        orders: Iterable[Mapping[str, Any]],
        wanted: Mapping[str, tuple[float | None, float | None]],
    ) -> None:
        """Go on where an earlier process stopped, before anything is told. *position*: signed, by
        symbol; *orders*: its open orders as `OrderEngine.get` shows them; *wanted*: stop and target
        of the last entries.
        """
        self.position.update(position)
        self._wanted.update(wanted)
        for order in orders:
            symbol, order_id = order["symbol"], order["client_order_id"]
            kind = OrderType(order["type"])
            if order["reduce_only"] and kind in (OrderType.STOP, OrderType.LIMIT):
                self._protection[symbol][order_id] = kind
            else:
                self._under_way[symbol] = order_id
                if order["reduce_only"] and self._is_spot(symbol):
                    self._leaving[symbol] = (0, None)

    def protect(self) -> None:
        """The account was read since: a position without the stop it was to have gets one."""
        for symbol, held in self.position.items():
            stop_loss, _ = self._wanted.get(symbol, (None, None))
            has_stop = OrderType.STOP in self._protection[symbol].values()
            if held and stop_loss is not None and not has_stop:
                self._renew_at(symbol, self.context.clock.now_ns)

    # ------------------------------------------------------------ own orders

    def _market(self) -> Market:
        market = self.context.market
        if market is None:
            raise StateError(f"{self.name}: this composition has no market to look at.")
        return market

    def _begin(self, symbol: str) -> str:
        order_id = self._under_way[symbol] = self.context.next_id(self.name)
        return order_id

    @on(EventType.ORDER_CANCELLED, EventType.ORDER_REJECTED, EventType.ORDER_ABSENT)
    def _order_ended(self, event: Event) -> None:
        symbol, order_id = event.data.symbol, event.data.order_id
        if _is_of_request(event):
            return
        was_leaving = symbol in self._leaving
        self._end(symbol, order_id)
        is_bare = symbol in self._wanted and not self._protection[symbol]
        if was_leaving and symbol not in self._leaving and is_bare:
            self._renew_at(symbol, event.ts_ns)  # what was not sold is protected again

    @on(EventType.KILLSWITCH_TRIGGERED)
    def _trading_stopped(self, event: Event) -> None:
        self.is_locked = self.is_locked or event.data.level == LOCKED

    @on(EventType.KILLSWITCH_RELEASED)
    def _trading_released(self, _: Event) -> None:
        self.is_locked = False

    @on(EventType.ORDER_AMENDED)
    def _order_amended(self, event: Event) -> None:
        if not event.data.remaining_qty:
            self._end(event.data.symbol, event.data.order_id)

    def _end(self, symbol: str, order_id: str) -> None:
        """An order is over: whoever waited for it may decide again at the next fact."""
        if self._under_way.get(symbol) == order_id:
            del self._under_way[symbol]
            self._leaving.pop(symbol, None)
            if self.context.market is not None:
                self.context.market.wake(symbol)

    @on(EventType.ORDER_FILLED)
    def _count_own_fill(self, event: Event) -> None:
        fill = event.data
        before = self.position.get(fill.symbol)
        is_own = fill.strategy_id == self.name
        if before is None or not (is_own or fill.is_forced):
            return
        has_freed = False
        if not fill.remaining_qty:
            self._end(fill.symbol, fill.order_id)
            has_freed = self._is_spot(fill.symbol) and bool(
                self._protection[fill.symbol].pop(fill.order_id, None)
            )
        after = before + part_of(fill, before, is_own=is_own)
        if after == before:
            return
        self.position[fill.symbol] = after
        self._protect(fill.symbol, before, after)
        if has_freed and fill.symbol in self._leaving and not self._protection[fill.symbol]:
            self._exit(fill.symbol, *self._leaving[fill.symbol])  # what the stop left
        if not fill.is_kept:
            self.on_fill(event)

    def on_fill(self, event: Event) -> None:
        """Called after each own fill has been counted, and after a liquidation; for subclasses. The
        fee that a spot venue takes of what was bought is counted right after, without a call.
        """

    def _protect(self, symbol: str, before: Decimal, after: Decimal) -> None:
        """Keep the resting protection as large as the position, and none when flat."""
        if not after:
            self._refused.discard(symbol)
            if symbol in self._leaving:
                self._end(symbol, self._under_way[symbol])  # the stop was faster
            self._cancel_protection(symbol)
            return
        if not (self._protection[symbol] or symbol in self._wanted):
            return
        # A position that shrank keeps what rests: reduce-only at the venue cuts it to size.
        is_bare = (
            self._is_spot(symbol) and not self._protection[symbol] and symbol not in self._leaving
        )
        if abs(after) > abs(before) or before * after < 0 or is_bare:
            # Once for all pieces of this instant: an entry in many pieces would use up the
            # orders of a second and end without a stop.
            self._renew_at(symbol, self.context.clock.now_ns)

    def _renew_at(self, symbol: str, ts_ns: int) -> None:
        if symbol not in self._renewing:
            self._renewing.add(symbol)
            self.context.clock.call_at(ts_ns, Timer(f"{self.name}.protect", symbol))

    @on(EventType.TIMER)
    def _renew_protection(self, event: Event) -> None:
        if event.data.name != f"{self.name}.protect":
            return
        symbol = event.data.data
        self._renewing.discard(symbol)
        if symbol in self._leaving:
            return
        self._cancel_protection(symbol)
        held = self.position[symbol]
        if not held:
            return
        side = Side.SELL if held > 0 else Side.BUY
        stop_loss, take_profit = self._wanted.get(symbol, (None, None))
        if stop_loss is not None:
            self._rest(symbol, side, abs(held), kind=OrderType.STOP, at=stop_loss)
        if take_profit is not None and (stop_loss is None or not self._is_spot(symbol)):
            self._rest(symbol, side, abs(held), kind=OrderType.LIMIT, at=take_profit)

    def _look_at_target(self, event: Event) -> None:
        """On spot, beside a stop: has the price come there?"""
        fact, symbol = event.data, event.data.symbol
        stop_loss, target = self._wanted.get(symbol, (None, None))
        held = self.position.get(symbol, ZERO)
        if target is None or stop_loss is None or held <= 0 or not self._is_spot(symbol):
            return
        price = fact.close if event.event_type is EventType.CANDLE else fact.price
        if price >= target and not self.is_waiting(symbol):
            self.leave(symbol, as_of_seq=event.seq)

    @on(EventType.ORDER_CANCELLED, EventType.ORDER_REJECTED, EventType.ORDER_ABSENT)
    def _protection_ended(self, event: Event) -> None:
        """A stop that cannot rest is tried once more; then the position is closed. Where coins are
        to be sold, its end is what the exit waits for; one that cannot be taken back has ended, as
        its fill or its end will say.
        """
        symbol, order_id = event.data.symbol, event.data.order_id
        kind = self._protection.get(symbol, {}).get(order_id)
        is_cancelled = event.event_type is EventType.ORDER_CANCELLED
        if kind is None or (is_cancelled and not self._is_spot(symbol)):
            return  # of a perpetual a person has taken it back, or the venue with the position
        if _is_of_request(event):
            if symbol in self._leaving:
                self._end(symbol, self._under_way[symbol])
            return
        del self._protection[symbol][order_id]
        if symbol in self._leaving:
            if not self._protection[symbol]:
                self._exit(symbol, *self._leaving[symbol])
            return
        if kind is not OrderType.STOP or not self.position[symbol]:
            return
        if symbol in self._refused:
            self._refused.discard(symbol)
            self.leave(symbol, as_of_seq=event.seq)
            return
        self._refused.add(symbol)
        self._renew_at(symbol, event.ts_ns + RETRY_NS)

    def _cancel_protection(self, symbol: str) -> None:
        for order_id in self._protection[symbol]:
            self.context.emit(CancelRequest(order_id, symbol, "protection replaced", self.name))
        self._protection[symbol] = {}

    def _rest(self, symbol: str, side: Side, size: Decimal, *, kind: OrderType, at: float) -> None:
        order_id = self.context.next_id(self.name)
        self._protection[symbol][order_id] = kind
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


class Idle(Strategy):
    """Trades nothing: stands where a strategy would, when only processes trade."""

    name = "idle"


class Apart:
    """A handler that is not told of symbols of others. *handler*: whose it is, for blame."""

    __slots__ = ("foreign", "handler")

    def __init__(self, handler: Handler, foreign: frozenset[str]) -> None:
        self.handler = handler
        self.foreign = foreign

    def __call__(self, event: Event) -> Any:
        """The handler's answer, nothing for a symbol of others."""
        if getattr(event.data, "symbol", None) not in self.foreign:
            return self.handler(event)
        return None


class AsyncApart(Apart):
    """The same for a handler that may wait."""

    async def __call__(self, event: Event) -> None:
        """As of `Apart`."""
        if (told := super().__call__(event)) is not None:
            await told


def _is_of_request(event: Event) -> bool:
    """Whether only a cancel was refused, and the order is as it was."""
    return getattr(event.data, "source", "") == "venue-request"


def part_of(fill: OrderFilled, before: Decimal, *, is_own: bool) -> Decimal:
    """What a fill adds to the signed position *before* of one strategy. The venue closes what the
    whole account holds; a strategy's part of that cannot change sides.
    """
    signed = fill.filled_qty if fill.side is Side.BUY else -fill.filled_qty
    if is_own:
        return signed
    return max(signed, min(-before, ZERO)) if signed < 0 else min(signed, max(-before, ZERO))
