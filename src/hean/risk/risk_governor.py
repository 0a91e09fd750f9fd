# SPDX-License-Identifier: Apache-2.0
"""`risk_governor.py`: the one approver. A signal becomes a sized request; a request is judged by
policy (checks that can be added and changed) and then by the hard limits of the Rust order
engine, which alone can make a ticket. New terms of an order are judged as a new order is. Whatever
throws or lacks data refuses. It sends nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

from hean._core import Amount, Instrument, OrderEngine
from hean.core.module import Module, on
from hean.core.types import (
    AmendApproved,
    AmendRejected,
    AmendRequest,
    Event,
    EventType,
    Health,
    OrderApproved,
    OrderRejected,
    OrderRequest,
    OrderType,
    Side,
    Signal,
    TimeInForce,
)
from hean.errors import Halted, HeanError, NoReferencePrice, OrderSizeInvalid, UnknownSymbol
from hean.risk.sizing import (
    Sizing,
    position_value,
    price_on_tick,
    sized_quantity,
    trigger_on_tick,
)

STALE = "STALE"  # the word of feeds; anything else about a symbol's data is good news
Check = Callable[[OrderRequest], str | None]
"""A policy check: a reason to refuse, or `None`."""
Scale = Callable[[Signal], float]
"""A part of the usual size, 0 to 1; what is above counts as 1."""


class RiskGovernor(Module):
    """Judge of all orders.

    *engine*: hard limits and tickets. *instruments*: trading rules by symbol. *reference*: last
    price of a symbol, `None` while there is none. *equity*: at the last prices, quote currency.
    """

    name = "risk"
    truth = True
    produces = (
        EventType.ORDER_REQUEST,
        EventType.ORDER_APPROVED,
        EventType.ORDER_REJECTED,
        EventType.AMEND_APPROVED,
        EventType.AMEND_REJECTED,
    )

    def __init__(
        self,
        engine: OrderEngine,
        instruments: Mapping[str, Instrument],
        *,
        reference: Callable[[str], float | None],
        equity: Callable[[], Amount],
        sizing: Sizing | None = None,
    ) -> None:
        self.engine = engine
        self.instruments = instruments
        self.reference = reference
        self.sizing = sizing or Sizing()
        self.refusals = 0
        """Orders refused since the start."""
        self.equity = equity
        self._sigma: dict[str, float] = {}
        self._stale: dict[str, set[str]] = {}
        self._checks: list[tuple[str, Check]] = []
        self._scales: list[Scale] = []

    def add_check(self, check: Check, *, name: str = "") -> None:
        """Have *check* judge every request before the hard limits do. A check that raises
        refuses."""
        self._checks.append((name or getattr(check, "__name__", "check"), check))

    def add_scale(self, scale: Scale) -> None:
        """Have *scale* make the size of every signal that opens or adds smaller, never larger."""
        self._scales.append(scale)

    def full_value(self, symbol: str) -> float:
        """Value of the position that a signal of full strength is for, in quote currency."""
        return position_value(
            self.sizing,
            float(self.equity()),
            strength=1.0,
            sigma_daily=self._sigma.get(symbol, 0.0),
        )

    # ------------------------------------------------------------ facts that policy needs

    @on(EventType.VOL_FORECAST)
    def on_forecast(self, event: Event) -> None:
        """Remember the daily volatility of a symbol for sizing."""
        self._sigma[event.data.symbol] = event.data.sigma

    @on(EventType.HEALTH)
    def on_health(self, event: Event) -> None:
        """Remember which data of a symbol is old or doubtful."""
        health: Health = event.data
        symbol = health.extra.get("symbol") if health.extra else None
        if symbol is None:
            return
        stale = self._stale.setdefault(symbol, set())
        if health.state == STALE:
            stale.add(health.component)
        else:
            stale.discard(health.component)

    @on(EventType.KILLSWITCH_TRIGGERED)
    def on_kill_switch(self, event: Event) -> None:
        """Only upwards: a level is never lowered from here. A level that nobody knows stops at
        least everything new, before it is reported."""
        self.engine.halt("HALT_NEW")
        self.engine.halt(event.data.level)

    @on(EventType.KILLSWITCH_RELEASED)
    def on_release(self, _event: Event) -> None:
        """A person has released the kill switch; the switch has judged whether they may."""
        self.engine.release_halt()

    # ------------------------------------------------------------ signal to request

    @on(EventType.SIGNAL)
    def on_signal(self, event: Event) -> None:
        """Size a signal and put it on the grid; a signal that comes to nothing is refused aloud."""
        signal: Signal = event.data
        order_id = signal.order_id or self.context.next_id(signal.strategy_id or "manual")
        try:
            request = self._size(signal, order_id)
        except HeanError as error:
            self._refuse(order_id, signal.symbol, signal.strategy_id, error=error)
            return
        self.context.emit(request)

    def _size(self, signal: Signal, order_id: str) -> OrderRequest:
        symbol = signal.symbol
        rules = self.instruments.get(symbol)
        if rules is None:
            known = ", ".join(self.instruments)
            raise UnknownSymbol(f"{symbol!r} is not traded here; known: {known}.")
        size = signal.size
        if size is None:
            reference = self.reference(symbol)
            if reference is None:
                raise NoReferencePrice(f"{symbol}: no price seen yet, so no size; wait for data.")
            size = sized_quantity(
                self.sizing,
                self.instruments[symbol],
                equity=self.equity(),
                reference=reference,
                strength=signal.signal_strength,
                sigma_daily=self._sigma.get(symbol, 0.0),
            )
        if self._scales and not signal.reduce_only:
            size = self._scaled(signal, size, rules)
        price = trigger = None
        if signal.price is not None:
            if signal.type is OrderType.LIMIT:
                price = price_on_tick(rules, signal.price, signal.side)
            else:
                trigger = trigger_on_tick(rules, signal.price)
        return OrderRequest(
            symbol,
            signal.side,
            size,
            signal.type,
            price,
            order_id,
            trigger,
            signal.reduce_only,
            strategy_id=signal.strategy_id,
            algo=signal.algo,
        )

    def _scaled(self, signal: Signal, size: Decimal, rules: Instrument) -> Decimal:
        """*size* times every scale, rounded towards zero onto the lot."""
        factor = 1.0
        for scale in self._scales:
            factor *= min(max(scale(signal), 0.0), 1.0)
        if factor == 1.0:
            return size
        lots = min(rules.quantise_quantity(float(size) * factor), rules.quantity_lots(size))
        if lots > 0:
            return rules.quantity_decimal(lots)
        raise OrderSizeInvalid(f"{signal.symbol}: {factor:.0%} of {size} is less than one lot.")

    # ------------------------------------------------------------ request to approval

    @on(EventType.ORDER_REQUEST)
    def on_order_request(self, event: Event) -> None:
        """Judge a request: policy first, then the hard limits, in one step with the hold."""
        request: OrderRequest = event.data
        order_id = request.order_id or self.context.next_id(request.strategy_id or "manual")
        try:
            self._require_fresh(request)
            if self._checks:
                self._judge(request)
            ticket = self._approve(request, order_id)
        except HeanError as error:
            self._refuse(order_id, request.symbol, request.strategy_id, error=error)
            return
        self.context.emit(
            OrderApproved(
                request.symbol,
                request.side,
                request.size,
                request.type,
                request.price,
                order_id,
                request.trigger_price,
                request.reduce_only,
                request.time_in_force,
                request.strategy_id,
                request.algo,
                request.parent_id,
                ticket,
            )
        )

    @on(EventType.AMEND_REQUEST)
    def on_amend_request(self, event: Event) -> None:
        """Judge new terms as a new order would be: by policy, then by every hard limit."""
        request: AmendRequest = event.data
        try:
            approved = self._amended(request)
        except HeanError as error:
            self.refusals += 1
            self.context.emit(
                AmendRejected(
                    request.order_id,
                    error.message,
                    error.code,
                    "risk",
                    request.symbol,
                    request.strategy_id,
                )
            )
            return
        self.context.emit(approved)

    def _amended(self, request: AmendRequest) -> AmendApproved:
        order = self.engine.get(request.order_id)
        symbol, side, price = order["symbol"], Side(order["side"]), order["price"]
        if request.price is not None:
            price = price_on_tick(self.instruments[symbol], request.price, side)
        wish = OrderRequest(
            symbol,
            side,
            order["qty"] if request.size is None else request.size,
            OrderType(order["type"]),
            price,
            request.order_id,
            order["trigger_price"],
            order["reduce_only"],
            TimeInForce(order["time_in_force"]),
            order["strategy_id"],
        )
        self._require_fresh(wish)
        self._judge(wish)
        now_ns, reference = self.context.clock.now_ns, self.reference(symbol)
        if reference is not None:
            self.engine.set_mark(symbol, reference, now_ns)
        self.engine.set_equity(self.equity())
        ticket = self.engine.amend_approve(
            wish.order_id, size=wish.size, price=wish.price, now_ns=now_ns
        )
        return AmendApproved(wish.order_id, wish.price, wish.size, symbol, wish.strategy_id, ticket)

    def report(
        self,
        request: OrderRequest,
        order_id: str,
        now_ns: int,
        *,
        engine: OrderEngine | None = None,
    ) -> list[tuple[str, str, str, bool]]:
        """What each rule sees in a request and what it allows, for the record: rule, observed,
        allowed, whether it says no. Nothing is approved. Policy checks are only named: to ask one
        twice could change what it says. *engine*: asked instead of the one that decides, which
        forgets what is too old when it is asked. *Raises*: `HeanError` if it makes no sense.
        """
        stale = sorted(self._stale.get(request.symbol, ()))
        seen = f"stale: {', '.join(stale)}" if stale else "fresh"
        is_stale = bool(stale) and not request.reduce_only
        allowed = "any for a reduction" if request.reduce_only else "fresh"
        return [
            ("data", seen, allowed, is_stale),
            *((f"policy {name}", "asked", "no objection", False) for name, _ in self._checks),
            *(engine or self.engine).report_order(
                request,
                order_id,
                now_ns,
                self.reference(request.symbol),
                self.equity(),
            ),
        ]

    def why_stale(self, symbol: str) -> str:
        """Why nothing new is decided on the data of a symbol; empty when it is fresh."""
        stale = self._stale.get(symbol)
        if not stale:
            return ""
        names = ", ".join(sorted(stale))
        return f"{symbol}: stale data ({names}); only reductions until it is fresh."

    def _require_fresh(self, request: OrderRequest) -> None:
        """Nothing new on old data; what reduces may pass, its truth is the engine's to check."""
        why = "" if request.reduce_only else self.why_stale(request.symbol)
        if why:
            raise NoReferencePrice(why)

    def _judge(self, request: OrderRequest) -> None:
        for name, check in self._checks:
            try:
                reason = check(request)
            except Exception as error:  # noqa: BLE001  # reason: a broken check must refuse
                reason = f"the check failed: {type(error).__name__}: {error}"
            if reason is not None:
                raise Halted(f"{name}: {reason}")

    def _approve(self, request: OrderRequest, order_id: str) -> int:
        now_ns = self.context.clock.now_ns
        reference = self.reference(request.symbol)
        return self.engine.approve_order(request, order_id, now_ns, reference, self.equity())

    def _refuse(self, order_id: str, symbol: str, strategy_id: str, *, error: HeanError) -> None:
        self.refusals += 1
        self.context.emit(
            OrderRejected(order_id, error.message, error.code, "risk", symbol, strategy_id)
        )
