# SPDX-License-Identifier: Apache-2.0
"""`drawdown.py`: how losses take trading away, step by step: NORMAL, then REDUCE, in which only
what lowers a position passes and which ends by itself, then FLATTEN and, once nothing is held,
LOCKED, which are levels of the kill switch and end by a person. Measured from the equity at the
first look of the UTC day and from the highest ever; deposits and withdrawals are neither gain nor
loss.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from decimal import Decimal

import msgspec

from hean._core import Amount, OrderEngine
from hean.core.module import Module, on
from hean.core.types import (
    Command,
    Event,
    EventType,
    Health,
    OrderFilled,
    OrderRequest,
    Side,
    Timer,
)
from hean.errors import ParameterInvalid
from hean.risk import levels

DAY_NS = 86_400_000_000_000
LOOK_NS = 60_000_000_000  # by itself once a minute, so that a backtest of years stays fast
STALE = "STALE"  # the word of feeds about a symbol's data
TIMER = "drawdown.look"
ZERO = Decimal(0)
_S_NS = 1_000_000_000

NORMAL, REDUCE, FLATTEN, LOCKED = STATES = ("NORMAL", "REDUCE", "FLATTEN", "LOCKED")


class Baseline(msgspec.Struct, frozen=True):
    """What losses are measured from: the equity at the first look of UTC day number *day*, and the
    highest equity.
    """

    day: int
    opening: float
    peak: float

    def seen(self, equity: float, now_ns: int) -> Baseline:
        """The baseline once the account is worth *equity*."""
        if now_ns // DAY_NS > self.day:
            return Baseline(now_ns // DAY_NS, equity, max(self.peak, equity))
        return Baseline(self.day, self.opening, max(self.peak, equity))

    def moved(self, amount: float) -> Baseline:
        """The baseline once so much was deposited, or withdrawn where it is negative."""
        return Baseline(self.day, self.opening + amount, self.peak + amount)

    def losses(self, equity: float) -> tuple[float, float]:
        """Fractions lost since the opening of the day and below the peak, neither below 0."""
        return _lost(self.opening, equity), _lost(self.peak, equity)


class LossLimits(msgspec.Struct, frozen=True):
    """Where the steps begin; `None` is never. Numbers and reasons: quant/methods 13.3.

    *daily_reduce*, *daily_flatten*: lost since the day's opening. *total_reduce*, *total_flatten*:
    below the highest equity. *speed_flatten*: lost within *speed_s*, whatever the day was before.
    *streak*: losing trips of a symbol in a row, after which nothing new until the next UTC day.
    *stale_s*: of the data of a held symbol. *recovery*: part of a limit that losses have to fall
    below before REDUCE ends. *Raises*: `ParameterInvalid`.
    """

    daily_reduce: float | None = 0.03
    daily_flatten: float | None = 0.05
    total_reduce: float | None = 0.10
    total_flatten: float | None = 0.15
    speed_flatten: float | None = 0.015
    speed_s: float = 300.0
    streak: int | None = 10  # a fair coin loses ten times in a row once in 2,000 trips
    stale_s: float | None = 60.0  # what is held has no known worth any more
    recovery: float = 0.8  # without it the state would flutter at the limit

    def __post_init__(self) -> None:
        for name, low, high in (
            ("daily", self.daily_reduce, self.daily_flatten),
            ("total", self.total_reduce, self.total_flatten),
        ):
            if low is not None and high is not None and low > high:
                raise ParameterInvalid(
                    f"losses: {name}_reduce {low:g} is above {name}_flatten {high:g}; it could "
                    "never be reached."
                )


class Drawdown(Module):
    """Loss states of one account that trades *symbols*. *equity*, *deposits*: of the ledger, the
    first at the last prices. *baseline*: of an earlier process, or of who else measures.

    `check` belongs into the governor. Without a kill switch in the composition, FLATTEN and LOCKED
    still let nothing through but reductions.
    """

    name = "drawdown"
    truth = True
    produces = (EventType.COMMAND, EventType.HEALTH)

    def __init__(
        self,
        engine: OrderEngine,
        *,
        symbols: tuple[str, ...],
        equity: Callable[[], Amount],
        deposits: Callable[[], Decimal],
        limits: LossLimits | None = None,
        baseline: Baseline | None = None,
    ) -> None:
        self.engine = engine
        self.symbols = symbols
        self.limits = limits or LossLimits()
        self.state = NORMAL
        self.reason = ""
        self.baseline = baseline
        self._equity = equity
        self._deposits = deposits
        self._deposited = deposits()
        self._recent: deque[tuple[int, float]] = deque()
        self._trips: dict[str, Decimal] = {}
        self._losses: dict[str, int] = {}
        self._streak_day = -1
        self._stale: dict[tuple[str, str], int] = {}
        self._is_waiting = False

    def check(self, request: OrderRequest) -> str | None:
        """For the governor: what a state refuses. A reduction always passes here."""
        if self.state == NORMAL or request.reduce_only or self._lowers(request):
            return None
        return f"{self.state}: {self.reason}; only what lowers a position"

    def _lowers(self, request: OrderRequest) -> bool:
        """Whether it takes off the position, beside all that may do so already."""
        held = self.engine.position(request.symbol)
        is_against = held > 0 if request.side is Side.SELL else held < 0
        under_way = sum(
            order["qty"] - order["filled_qty"]
            for order in (self.engine.open_orders() if is_against else ())
            if order["symbol"] == request.symbol and order["side"] == request.side
        )
        return is_against and request.size + under_way <= abs(held)

    # ------------------------------------------------------------ looking

    @on(EventType.TICK, EventType.CANDLE)
    def on_market(self, event: Event) -> None:
        """Begin to look, with the first price."""
        if not self._is_waiting:
            self._is_waiting = True
            self.context.clock.call_at(event.ts_ns, Timer(TIMER))

    @on(EventType.TIMER)
    def on_timer(self, event: Event) -> None:
        """Once a minute."""
        if event.data.name == TIMER:
            self.look(event.ts_ns)
            self.context.clock.call_at(event.ts_ns + LOOK_NS, Timer(TIMER))

    def look(self, now_ns: int) -> None:
        """Judge what the account is worth. Also called by who looks more often."""
        equity = float(self._equity())
        self._take_transfers()
        base = self.baseline or Baseline(-1, equity, equity)
        self.baseline = base = base.seen(equity, now_ns)
        daily, total = base.losses(equity)
        limits = self.limits
        speed = self._speed(equity, now_ns)
        for loss, limit, what in (
            (daily, limits.daily_flatten, "since midnight"),
            (total, limits.total_flatten, "below the highest equity"),
            (speed, limits.speed_flatten, f"within {limits.speed_s:g} s"),
        ):
            if limit is not None and loss >= limit:
                self._raise(FLATTEN, f"{loss:.2%} lost {what}, {limit:.2%} is too much")
        self._lock_when_flat()
        self._reduce_or_recover(daily, total, now_ns)

    def _take_transfers(self) -> None:
        now = self._deposits()
        moved = float(now - self._deposited)
        if moved:
            self._deposited = now
            self._recent = deque((at_ns, equity + moved) for at_ns, equity in self._recent)
            if self.baseline is not None:
                self.baseline = self.baseline.moved(moved)

    def _speed(self, equity: float, now_ns: int) -> float:
        """Fraction lost since the highest equity of the last minutes."""
        recent = self._recent
        recent.append((now_ns, equity))
        while recent[0][0] < now_ns - int(self.limits.speed_s * _S_NS):
            recent.popleft()
        return _lost(max(value for _, value in recent), equity)

    def _reduce_or_recover(self, daily: float, total: float, now_ns: int) -> None:
        if self.state not in (NORMAL, REDUCE):
            return
        limits = self.limits
        # Inside REDUCE the limits are lower, so that it ends clearly below where it began.
        part = limits.recovery if self.state == REDUCE else 1.0
        reasons = [
            f"{loss:.2%} lost {what}, {limit:.2%} allowed"
            for loss, limit, what in (
                (daily, limits.daily_reduce, "since midnight"),
                (total, limits.total_reduce, "below the highest equity"),
            )
            if limit is not None and loss >= limit * part
        ]
        if self._streak_day == now_ns // DAY_NS:
            reasons.append(f"{limits.streak} losing trips in a row")
        reasons += self._old(now_ns)
        self._become(REDUCE if reasons else NORMAL, "; ".join(reasons), now_ns)

    def _old(self, now_ns: int) -> list[str]:
        limit_s = self.limits.stale_s
        return [
            f"{symbol} is held on data older than {limit_s:g} s"
            for (_, symbol), since_ns in self._stale.items()
            if limit_s is not None
            and now_ns - since_ns >= limit_s * _S_NS
            and self.engine.position(symbol)
        ]

    # ------------------------------------------------------------ streaks and stale data

    @on(EventType.ORDER_FILLED)
    def on_filled(self, event: Event) -> None:
        """Count trips of a symbol that lose, fees included; a gain ends the count."""
        fill: OrderFilled = event.data
        if fill.side is None or fill.is_kept or self.limits.streak is None:
            return
        value = fill.filled_qty * fill.fill_price
        fee = fill.fee * fill.fill_price if fill.is_fee_in_base else fill.fee
        earned = (value if fill.side is Side.SELL else -value) - fee
        result = self._trips.get(fill.symbol, ZERO) + earned
        self._trips[fill.symbol] = result
        if self.engine.position(fill.symbol):
            return
        del self._trips[fill.symbol]
        count = self._losses.get(fill.symbol, 0) + 1 if result < 0 else 0
        self._losses[fill.symbol] = count
        if count >= self.limits.streak:
            self._losses[fill.symbol] = 0
            self._streak_day = event.ts_ns // DAY_NS
            self.look(event.ts_ns)

    @on(EventType.HEALTH)
    def on_health(self, event: Event) -> None:
        """Remember since when the data of a symbol is old."""
        health: Health = event.data
        symbol = (health.extra or {}).get("symbol")
        if symbol is not None:
            key = (health.component, str(symbol))
            if health.state == STALE:
                self._stale.setdefault(key, event.ts_ns)
            else:
                self._stale.pop(key, None)

    # ------------------------------------------------------------ states

    def _raise(self, state: str, reason: str) -> None:
        if STATES.index(state) <= STATES.index(self.state):
            return
        now_ns = self.context.clock.now_ns
        self._become(state, reason, now_ns)
        level = levels.FLATTEN if state == FLATTEN else levels.LOCKED
        arguments = {"level": level, "reason": reason}
        self.context.emit(Command("kill", arguments, f"auto:{self.name}"))

    def _lock_when_flat(self) -> None:
        """Closing has to be possible until everything is closed; then nothing passes any more."""
        if self.state == FLATTEN and not any(map(self.engine.position, self.symbols)):
            self._raise(LOCKED, f"everything is closed after: {self.reason}")

    def _become(self, state: str, reason: str, now_ns: int) -> None:
        is_news = state != self.state
        self.state, self.reason = state, reason
        if is_news:
            extra = {"reason": reason} if reason else None
            self.context.emit(Health(self.name, state, now_ns, extra))

    @on(EventType.KILLSWITCH_RELEASED)
    def on_released(self, event: Event) -> None:
        """A person took it over: losses count from here."""
        self.baseline = None
        self._recent.clear()
        self._losses.clear()
        self._streak_day = -1
        self._become(NORMAL, "", event.ts_ns)


def _lost(before: float, now: float) -> float:
    """Fraction, not below 0. The difference first: then a tenth of 10,000 is a tenth."""
    return max(0.0, (before - now) / before) if before > 0 else 0.0
