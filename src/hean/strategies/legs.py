# SPDX-License-Identifier: Apache-2.0
"""`legs.py`: what holds two positions against each other and is safe only while it holds both. A
strategy says what it wants of each leg (`open_legs`) or that it wants nothing (`close_legs`); the
rest is done here, whatever the venue does: pieces, refusals, one leg without the other.

While one leg is larger than the other allows, the pair is *naked*. After `naked_max_s` of that the
pair is given up: what still waits is cancelled, and what is held is closed by market orders, again
and again until the position is gone. No order is waited for beyond the limit, on the way out
either: an exit without an answer gets another one beside it where the venue sees that the position
is closed once. Of coins it does not; the other leg is opened again against what is still held,
until the fate of the exit is known. What orders turn out to have traded is put right then.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from decimal import ROUND_DOWN, Decimal
from typing import Any, ClassVar

from hean.core.module import on
from hean.core.parameters import Parameter
from hean.core.types import (
    CancelRequest,
    Candle,
    Event,
    EventType,
    Funding,
    Health,
    Side,
    Timer,
)
from hean.errors import ParameterInvalid
from hean.strategies.base import ZERO, Strategy

SECOND_NS = 1_000_000_000
HEDGE_TOLERANCE = Decimal(
    "0.0025"
)  # of the pair: venues keep up to 0.1 % of bought coins as their fee
ATTEMPTS_MAX = 3  # orders for one leg of one opening: a refusal may pass, a rule does not
RETRY_NS = SECOND_NS // 2  # the order-rate window of a venue is a second
RETRY_MAX_NS = 60 * SECOND_NS  # a position that cannot be closed is asked about once a minute
RETRY_DOUBLINGS_MAX = 7  # from half a second to that minute
SILENT_TRIES = 6  # exits in a row without an answer before the pauses grow, as after refusals

LOST = frozenset({"UNKNOWN", "QUARANTINE"})  # nobody knows whether it is at the venue

SETTLED_APART_NS = 1_800 * SECOND_NS  # settlements are an hour apart at least

NAKED_MAX = Parameter("naked_max_s", 2.0, "longest time with one leg alone", "s", 0.1, 3_600)


def is_told(funding: Funding, settled_ns: int) -> bool:
    """Whether it is of the settlement at *settled_ns*, or of one before: with money a payment and
    the public history tell the same settlement, in either order and not at the same instant.
    """
    return bool(funding.settled_ns) and funding.settled_ns - settled_ns < SETTLED_APART_NS


class TwoLegs(Strategy):
    """Base of strategies with two legs; give it exactly two symbols, the legs in order."""

    produces = (*Strategy.produces, EventType.HEALTH)
    parameters: ClassVar[tuple[Parameter, ...]] = (NAKED_MAX,)

    def __init__(self, symbols: tuple[str, ...], given: Mapping[str, object] | None = None) -> None:
        if len(symbols) != 2:
            raise ParameterInvalid(
                f"{self.name}: got {len(symbols)} symbols ({', '.join(symbols)}); it trades two "
                "legs, such as --symbol BTCUSDT@spot --symbol BTCUSDT@perp."
            )
        super().__init__(symbols, given)
        self._wanted_legs: tuple[Decimal, Decimal] | None = None
        self._shape: tuple[Decimal, Decimal] | None = None
        self._tries = dict.fromkeys(symbols, 0)
        self._next_try_ns = dict.fromkeys(symbols, 0)
        self._lost: dict[str, str] = {}  # last order by symbol of which nobody knows
        self._stuck: dict[str, str] = {}  # last exit of coins that was late, by symbol
        self._closes: dict[str, tuple[int, float]] = {}
        self._naked_since_ns: int | None = None
        self._is_reported = False
        self.naked_longest_ns = 0
        """Longest time that the pair was naked so far."""

    # ------------------------------------------------------------ for subclasses

    @property
    def is_flat(self) -> bool:
        """Nothing is wanted, under way, or held that could be traded away."""
        return self._wanted_legs is None and not any(
            self._missing(leg) or self.is_waiting(symbol) for leg, symbol in enumerate(self.symbols)
        )

    @property
    def is_open(self) -> bool:
        """Both legs are wanted and held as wanted."""
        return self._wanted_legs is not None and not any(map(self._missing, (0, 1)))

    def open_legs(self, first: Decimal, second: Decimal, *, as_of_seq: int = 0) -> None:
        """Ask for both legs, signed base units on their lots; does nothing unless flat."""
        if self.is_flat and first and second:
            self._want((first, second))
            self._settle(as_of_seq)

    def close_legs(self, *, as_of_seq: int = 0) -> None:
        """Ask to be flat in both; what waits is cancelled."""
        if self._wanted_legs is not None:
            self._give_up()
            self._settle(as_of_seq)

    def closes(self, candle: Candle) -> tuple[float, float] | None:
        """Both legs' closes once *candle* completes a bar of one moment for both, else `None`."""
        if candle.symbol not in self.position:
            return None
        self._closes[candle.symbol] = (candle.timestamp, candle.close)
        first, second = (self._closes.get(symbol, (-1, 0.0)) for symbol in self.symbols)
        return (first[1], second[1]) if first[0] == second[0] else None

    def common_lot(self, quantity: float) -> Decimal:
        """*quantity* of base units, rounded down to what both legs can trade exactly."""
        lots = [self._lot(symbol) for symbol in self.symbols]
        scale = max(-int(lot.as_tuple().exponent) for lot in lots)
        step = math.lcm(*(int(lot.scaleb(scale)) for lot in lots))
        whole = (Decimal(repr(quantity)).scaleb(scale) / step).to_integral_value(ROUND_DOWN)
        return whole * Decimal(step).scaleb(-scale)

    def own_lot(self, symbol: str, quantity: float) -> Decimal:
        """*quantity* of base units, rounded towards zero onto the lot of one leg."""
        rules = self.instruments[symbol]
        lots = rules.quantity_decimal(rules.quantise_quantity(abs(quantity)))
        return lots if quantity > 0 else -lots

    # ------------------------------------------------------------ what happens

    @on(
        EventType.ORDER_FILLED,
        EventType.ORDER_CANCELLED,
        EventType.ORDER_REJECTED,
        EventType.ORDER_ABSENT,
    )
    def _leg_moved(self, event: Event) -> None:
        symbol = event.data.symbol
        if symbol in self.position:
            if event.event_type is EventType.ORDER_ABSENT:
                self._next_try_ns[symbol] = 0  # nobody has refused it
            self._settle(event.seq)

    @on(EventType.ORDER_UNKNOWN)
    def _leg_lost(self, event: Event) -> None:
        if event.data.symbol in self.position:
            self._lost[event.data.symbol] = event.data.order_id
            self._settle(event.seq)

    @on(EventType.TIMER)
    def _legs_due(self, event: Event) -> None:
        if event.data.name == self._timer:
            since_ns = self._naked_since_ns
            is_late = since_ns is not None and event.ts_ns - since_ns >= self._naked_max_ns
            if is_late and self._wanted_legs is not None:
                self._give_up()
            self._settle(event.seq)

    def resume(
        self,
        position: Mapping[str, Decimal],
        orders: Iterable[Mapping[str, Any]],
        wanted: Mapping[str, tuple[float | None, float | None]],
    ) -> None:
        """As of `Strategy`; what was lost before is still lost."""
        orders = list(orders)
        super().resume(position, orders, wanted)
        self._lost = {
            order["symbol"]: order["client_order_id"] for order in orders if order["status"] in LOST
        }

    def protect(self) -> None:
        """The account was read after a restart: a whole pair is kept, a leg alone is not."""
        super().protect()
        first, second = (self.position[symbol] for symbol in self.symbols)
        if first and second:
            self._want((first, second))
        self._settle(0)

    # ------------------------------------------------------------ bringing it about

    def _want(self, legs: tuple[Decimal, Decimal]) -> None:
        self._wanted_legs = self._shape = legs
        self._tries = dict.fromkeys(self.symbols, 0)

    def _give_up(self) -> None:
        """Want nothing; take back what waits."""
        self._wanted_legs = None
        self._tries = dict.fromkeys(self.symbols, 0)
        self._next_try_ns = dict.fromkeys(self.symbols, 0)
        for symbol, order_id in self._under_way.items():
            self.context.emit(CancelRequest(order_id, symbol, "the pair is given up", self.name))

    def _settle(self, seq: int) -> None:
        """Do what is missing; called after everything that may have changed it."""
        now_ns = self.context.clock.now_ns
        self._watch_balance(now_ns)
        if self._is_overdue:
            self._stuck.update((s, i) for s, i in self._under_way.items() if self._is_spot(s))
        for leg, symbol in enumerate(self.symbols):
            missing = self._missing(leg)
            if not missing or now_ns < self._next_try_ns[symbol] or self._awaits(symbol):
                continue
            tries = self._tries[symbol]
            if self._wanted_legs is not None and tries >= ATTEMPTS_MAX:
                self._give_up()
                self._settle(seq)
                return
            self._tries[symbol] = tries + 1
            wait_ns = self._pause_ns(symbol, tries)
            self._next_try_ns[symbol] = now_ns + wait_ns
            self._call_at(now_ns + wait_ns)
            if not self._target(leg):
                self.leave(symbol, as_of_seq=seq)
            else:
                side = Side.BUY if missing > 0 else Side.SELL
                self.enter(symbol, side, size=abs(missing), as_of_seq=seq)

    def _pause_ns(self, symbol: str, tries: int) -> int:
        """Until the next order for a leg: a refusal may be a rule and is asked about ever more
        rarely, silence says nothing against the next exit.
        """
        is_silent = symbol in self._under_way
        doublings = tries - SILENT_TRIES if is_silent else tries
        return min(RETRY_NS << min(max(doublings, 0), RETRY_DOUBLINGS_MAX), RETRY_MAX_NS)

    def _awaits(self, symbol: str) -> bool:
        """Whether an order is under way that what is missing has to wait for: any, but for an exit
        of a pair that has been naked for the limit; of coins, if it is lost.
        """
        order_id = self._under_way.get(symbol)
        is_lost = order_id == self._lost.get(symbol) or not self._is_spot(symbol)
        return order_id is not None and not (self._is_overdue and is_lost)

    @property
    def _is_overdue(self) -> bool:
        """Whether the pair was given up and a leg has been alone for the limit."""
        return self._wanted_legs is None and self._is_reported

    def _target(self, leg: int) -> Decimal:
        """What is to be held of a leg: as wanted, or what the other one cannot get rid of."""
        if self._wanted_legs is not None:
            return self._wanted_legs[leg]
        other = self.symbols[1 - leg]
        stuck = self._stuck.get(other)
        if stuck is None or stuck != self._under_way.get(other) or self._shape is None:
            return ZERO
        share = self.position[other] / self._shape[1 - leg]
        lot = self._lot(self.symbols[leg])
        return (share * self._shape[leg] / lot).to_integral_value() * lot

    def _missing(self, leg: int) -> Decimal:
        """Signed quantity between what is held and what is wanted; 0 for less than a lot, and for
        what a venue keeps of bought coins.
        """
        symbol = self.symbols[leg]
        wanted = self._target(leg)
        missing = wanted - self.position[symbol]
        is_small = abs(missing) <= abs(wanted) * HEDGE_TOLERANCE
        return ZERO if is_small or abs(missing) < self._lot(symbol) else missing

    def _watch_balance(self, now_ns: int) -> None:
        """Note since when the pair is naked, and tell once it has been for too long."""
        if self._is_balanced():
            if self._naked_since_ns is not None:
                self.naked_longest_ns = max(self.naked_longest_ns, now_ns - self._naked_since_ns)
            self._naked_since_ns = None
        elif self._naked_since_ns is None:
            self._naked_since_ns = now_ns
            self._call_at(now_ns + self._naked_max_ns)
        since_ns = self._naked_since_ns
        is_late = since_ns is not None and now_ns - since_ns >= self._naked_max_ns
        if is_late != self._is_reported:
            self._is_reported = is_late
            held = {symbol: str(self.position[symbol]) for symbol in self.symbols}
            state = "UNHEDGED" if is_late else "HEDGED"
            self.context.emit(Health(f"{self.name}.legs", state, extra={"held": held}))

    def _is_balanced(self) -> bool:
        """Both legs are the same part of the pair, up to a lot of each and coins kept as fee."""
        held = [self.position[symbol] for symbol in self.symbols]
        if self._shape is None:
            return not any(held)
        shares = [part / whole for part, whole in zip(held, self._shape, strict=True)]
        lots = [self._lot(symbol) for symbol in self.symbols]
        allowed = HEDGE_TOLERANCE + sum(
            lot / abs(whole) for lot, whole in zip(lots, self._shape, strict=True)
        )
        return abs(shares[0] - shares[1]) <= allowed

    def _lot(self, symbol: str) -> Decimal:
        return self.instruments[symbol].quantity_decimal(1)

    def _call_at(self, ts_ns: int) -> None:
        self.context.clock.call_at(ts_ns, Timer(self._timer))

    @property
    def _timer(self) -> str:
        return f"{self.name}.legs"

    @property
    def _naked_max_ns(self) -> int:
        return int(self.p.naked_max_s * SECOND_NS)
