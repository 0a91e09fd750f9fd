# SPDX-License-Identifier: Apache-2.0
"""`triggers.py`: what stops trading without a person. Each trigger has a name, a level and a limit,
and looks at facts of the bus alone; what takes time, such as silence, is seen by `look`. A trigger
asks the kill switch by `COMMAND`, once until somebody has released it, and lowers nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from decimal import Decimal

import msgspec

from hean._core import Amount, OrderEngine
from hean.core.module import Module, on
from hean.core.types import (
    AmendRejected,
    Command,
    Event,
    EventType,
    Funding,
    Health,
    OrderFilled,
    OrderRejected,
    Position,
    Side,
)
from hean.errors import Halted, RateLimited, ReduceOnlyViolated, UnknownSymbol
from hean.risk.drawdown import Baseline
from hean.risk.levels import CANCEL_ALL, HALT_NEW

WINDOW_NS = 60_000_000_000  # R-29 counts rejects in it; the other counts use the same
UNRESOLVED = frozenset({"UNKNOWN", "QUARANTINE"})
ORDER_RATE = "R09 order rate"  # how the order engine begins its refusal
# Words of a venue that trades with us no more, or only to close; codes differ, these do not.
BAN_WORDS = (
    "transactions are banned",
    "action is disabled on this account",
    "cannot place order currently",
    "can not place order currently",
    "can only reduce",
    "only place reduce only",
    "for opening position",
    "reduce-only mode",
    "reduce only mode",
    "cooling-off",
)
BASELINE = "baseline"  # verb by which the baseline of losses gets into the journal
PEAK_STEP_FRACTION = 0.01  # a restart may forgive this much of a drawdown, not more
STALE = "STALE"  # the word of feeds about a symbol's data

_S_NS = 1_000_000_000

LEVEL_OF = {
    "daily_loss": CANCEL_ALL,
    "drawdown": CANCEL_ALL,
    "margin": CANCEL_ALL,
    "order_rate": CANCEL_ALL,
    "repeats": CANCEL_ALL,
    "stale": CANCEL_ALL,
    "reconcile": HALT_NEW,
    "position": HALT_NEW,
    "rejects": HALT_NEW,
    "unknown": HALT_NEW,
    "clock": HALT_NEW,
    "journal": HALT_NEW,
    "watchdog": HALT_NEW,
    "fee": HALT_NEW,
    "funding": HALT_NEW,
    "banned": HALT_NEW,
}
"""What each trigger asks for. Where resting orders could make it worse, they go as well."""


class KillLimits(msgspec.Struct, frozen=True):
    """How much is too much; `None` switches a trigger off.

    *daily_loss_fraction*: of the equity at the first look of the UTC day; *drawdown_fraction*: of
    the highest equity; *margin_fraction*: of the settle asset that orders and positions bind;
    *rejects*: by the venue in a minute; *unknown*: orders whose outcome nobody knows;
    *rate_refusals*: in a minute; *repeats*: orders of one strategy executed in one direction in a
    minute, with none in the other; *stale_s*: of a symbol with open orders; *position_s*: that the
    venue's position differs from ours; *watchdog_s*: without its heartbeat, from the first look;
    *fee_fraction*: of a fill's value; *funding_fraction*: of a position's value at one settlement.
    """

    daily_loss_fraction: float | None = 0.05
    drawdown_fraction: float | None = 0.15
    margin_fraction: float | None = 0.9
    rejects: int | None = 10
    unknown: int | None = 3
    rate_refusals: int | None = 20
    repeats: int | None = 20
    stale_s: float | None = 10.0
    position_s: float | None = 10.0
    watchdog_s: float | None = 30.0
    fee_fraction: float | None = 0.005
    funding_fraction: float | None = 0.01


class Triggers(Module):
    """All triggers of one account. *equity*: at the last prices, quote currency; *settle_asset*:
    whose balance carries the margin, empty on spot.
    """

    name = "triggers"
    truth = True
    produces = (EventType.COMMAND,)

    def __init__(
        self,
        engine: OrderEngine,
        *,
        equity: Callable[[], Amount],
        limits: KillLimits | None = None,
        settle_asset: str = "",
    ) -> None:
        self.engine = engine
        self.limits = limits or KillLimits()
        self.equity = equity
        self.settle_asset = settle_asset
        self.baseline: Baseline | None = None
        self._told: Baseline | None = None
        self._fired: set[str] = set()
        self._rejects: deque[int] = deque()
        self._rate_refusals: deque[int] = deque()
        self._executed: dict[tuple[str, str], tuple[Side, deque[int]]] = {}
        self._stale: dict[tuple[str, str], int] = {}
        self._held: dict[str, Decimal] = {}
        self._differs: dict[str, int] = {}
        self._heartbeat_ns = 0

    def restore(self, baseline: Baseline | None) -> None:
        """Go on from what an earlier process told last: a restart forgives no loss."""
        self.baseline = self._told = baseline

    # ------------------------------------------------------------ asking for the stop

    def _fire(self, name: str, reason: str) -> None:
        if name in self._fired:
            return
        self._fired.add(name)
        arguments = {"level": LEVEL_OF[name], "reason": reason}
        self.context.emit(Command("kill", arguments, f"auto:{name}"))

    @on(EventType.KILLSWITCH_RELEASED)
    def on_released(self, event: Event) -> None:
        """A person took it over: losses count from here, and every count begins anew."""
        self._fired.clear()
        self._rejects.clear()
        self._rate_refusals.clear()
        self._executed.clear()
        self.baseline = self._told = None

    # ------------------------------------------------------------ time

    def look(self, now_ns: int) -> None:
        """See what has taken too long, and what the account is worth. Ten times a second."""
        self._judge_equity(now_ns)
        self._judge_silence(now_ns)
        self._judge_positions(now_ns)

    def _judge_equity(self, now_ns: int) -> None:
        equity, limits = float(self.equity()), self.limits
        base = (self.baseline or Baseline(-1, equity, equity)).seen(equity, now_ns)
        self.baseline = base
        self._tell(base)
        daily, drawdown = base.losses(equity)
        self.engine.set_loss(daily, drawdown)
        allowed = limits.daily_loss_fraction
        if allowed is not None and daily > allowed:
            self._fire("daily_loss", f"{daily:.2%} lost since midnight, {allowed:.2%} allowed")
        allowed = limits.drawdown_fraction
        if allowed is not None and drawdown > allowed:
            self._fire(
                "drawdown", f"{drawdown:.2%} below the highest equity, {allowed:.2%} allowed"
            )

    def _tell(self, base: Baseline) -> None:
        """Have a new day, or a peak that is clearly higher, kept in the journal."""
        told = self._told
        if told is None or base.day != told.day or base.peak > told.peak * (1 + PEAK_STEP_FRACTION):
            self._told = base
            self.context.emit(Command(BASELINE, msgspec.structs.asdict(base), "auto:triggers"))

    def _judge_silence(self, now_ns: int) -> None:
        limits = self.limits
        self._heartbeat_ns = self._heartbeat_ns or now_ns
        limit_s = limits.watchdog_s
        if limit_s is not None and now_ns - self._heartbeat_ns > limit_s * _S_NS:
            self._fire("watchdog", f"nothing heard of the watchdog for {limit_s:g} s")
        limit_s = limits.stale_s
        if limit_s is None or not self._stale:
            return
        old = {
            symbol
            for (_, symbol), since_ns in self._stale.items()
            if now_ns - since_ns > limit_s * _S_NS
        }
        resting = sorted(old & self._with_open_orders()) if old else []
        if resting:
            symbols = ", ".join(resting)
            self._fire("stale", f"open orders in {symbols} on data older than {limit_s:g} s")

    def _with_open_orders(self) -> set[str]:
        """Symbols with orders that are more than protection."""
        orders = self.engine.open_orders()
        return {order["symbol"] for order in orders if not order["reduce_only"]}

    # ------------------------------------------------------------ health of the parts

    @on(EventType.HEALTH)
    def on_health(self, event: Event) -> None:
        """Feeds, venue, journal and watchdog."""
        health: Health = event.data
        extra = health.extra or {}
        if health.component == "watchdog":
            self._heartbeat_ns = event.ts_ns
        elif health.component == "journal" and health.state == HALT_NEW:
            self._fire("journal", str(extra.get("reason") or "the journal stalls"))
        elif "clock" in (extra.get("reasons") or {}):
            self._fire("clock", str(extra["reasons"]["clock"]))
        elif "symbol" in extra:
            key = (health.component, str(extra["symbol"]))
            if health.state == STALE:
                self._stale.setdefault(key, event.ts_ns)
            else:
                self._stale.pop(key, None)

    # ------------------------------------------------------------ orders

    @on(EventType.ORDER_REJECTED, EventType.AMEND_REJECTED)
    def on_rejected(self, event: Event) -> None:
        """The venue refuses too often, or everything; or somebody asks too often."""
        rejected: OrderRejected | AmendRejected = event.data
        now_ns, limits = event.ts_ns, self.limits
        if rejected.source == "risk" and ORDER_RATE in rejected.reason:
            self._judge_rate(now_ns)
        if rejected.source not in ("venue", "venue-request") or rejected.code == Halted.code:
            return  # what never reached the venue says nothing about it
        words = rejected.reason.lower()
        is_about_us = rejected.code not in (ReduceOnlyViolated.code, RateLimited.code)
        if is_about_us and any(word in words for word in BAN_WORDS):
            self._fire("banned", f"the venue says: {rejected.reason}")
        is_order = event.event_type is EventType.ORDER_REJECTED and rejected.source == "venue"
        if is_order and _too_many(self._rejects, now_ns, limits.rejects):
            self._fire(
                "rejects", f"{len(self._rejects)} orders refused by the venue in a minute, the "
                f"last: {rejected.reason}"
            )  # fmt: skip

    def _judge_rate(self, now_ns: int) -> None:
        if _too_many(self._rate_refusals, now_ns, self.limits.rate_refusals):
            count = len(self._rate_refusals)
            self._fire("order_rate", f"{count} orders in a minute came too fast")

    @on(EventType.ORDER_UNKNOWN, EventType.ORDER_QUARANTINED)
    def on_unknown(self, event: Event) -> None:
        """Nobody knows what became of too many."""
        limit = self.limits.unknown
        if limit is None:
            return
        lost = [each for each in self.engine.open_orders() if each["status"] in UNRESOLVED]
        if len(lost) > limit:
            self._fire("unknown", f"{len(lost)} orders of unknown outcome, {limit} allowed")

    @on(EventType.ORDER_FILLED)
    def on_filled(self, event: Event) -> None:
        """The same thing done over and over, or a fee nobody agreed to."""
        fill: OrderFilled = event.data
        if fill.is_kept:
            return  # nothing traded, and the fee was judged with what did
        self._judge_fee(fill)
        if fill.is_forced or fill.side is None or self.limits.repeats is None:
            return
        key = (fill.strategy_id, fill.symbol)
        side, times = self._executed.get(key, (fill.side, deque[int]()))
        if side is not fill.side:
            times.clear()
        if not fill.remaining_qty and _too_many(times, event.ts_ns, self.limits.repeats):
            self._fire(
                "repeats", f"{fill.strategy_id or 'somebody'} traded {fill.symbol} {fill.side} "
                f"{len(times)} times in a minute and never the other way"
            )  # fmt: skip
        self._executed[key] = (fill.side, times)

    def _judge_fee(self, fill: OrderFilled) -> None:
        allowed, fee = self.limits.fee_fraction, abs(fill.fee)
        if allowed is None or not fee or not fill.filled_qty:
            return
        if fill.is_fee_in_base:
            share = float(fee / fill.filled_qty)
        elif fill.is_fee_in_quote and fill.fill_price:
            share = float(fee / (fill.filled_qty * fill.fill_price))
        else:
            return  # paid in a third coin, whose price is not known here
        if share > allowed:
            self._fire("fee", f"{fill.symbol}: a fee of {share:.3%}, {allowed:.3%} is the most")

    # ------------------------------------------------------------ the account

    @on(EventType.POSITION)
    def on_position(self, event: Event) -> None:
        """What the venue holds for us, to be compared with what our fills add up to."""
        position: Position = event.data
        self._held[position.symbol] = position.qty

    def _judge_positions(self, now_ns: int) -> None:
        limit_s = self.limits.position_s
        if limit_s is None:
            return
        for symbol, held in self._held.items():
            ours = self._ours(symbol)
            if held == ours:
                self._differs.pop(symbol, None)
            elif now_ns - self._differs.setdefault(symbol, now_ns) > limit_s * _S_NS:
                self._fire(
                    "position",
                    f"{symbol}: the venue holds {held}, our fills make {ours}; nothing has "
                    f"explained it for {limit_s:g} s",
                )

    def _ours(self, symbol: str) -> Decimal:
        try:
            return self.engine.position(symbol)
        except UnknownSymbol:
            return Decimal(0)  # not traded here: whatever is held there is not ours

    @on(EventType.BALANCE)
    def on_balance(self, event: Event) -> None:
        """How much of the margin is bound."""
        balance, allowed = event.data, self.limits.margin_fraction
        if allowed is None or balance.asset != self.settle_asset or balance.total <= 0:
            return
        bound = 1 - float(balance.available / balance.total)
        if bound > allowed:
            self._fire("margin", f"{bound:.1%} of the margin is bound, {allowed:.1%} allowed")

    @on(EventType.RECONCILE)
    def on_reconcile(self, event: Event) -> None:
        """Our books and the venue's differ."""
        if not event.data.clean:
            said = "; ".join(event.data.differences) or "no details"
            self._fire("reconcile", f"our books are not the venue's: {said}")

    @on(EventType.FUNDING)
    def on_funding(self, event: Event) -> None:
        """A rate that cannot be right, or is ruinous."""
        funding: Funding = event.data
        allowed = self.limits.funding_fraction
        if allowed is not None and abs(funding.rate) > allowed:
            self._fire(
                "funding", f"{funding.symbol}: funding of {funding.rate:.3%} at once, "
                f"{allowed:.3%} is the most"
            )  # fmt: skip


def _too_many(times: deque[int], now_ns: int, limit: int | None) -> bool:
    """Count one more. *Returns*: whether there are now more than *limit* in the window."""
    times.append(now_ns)
    while times[0] <= now_ns - WINDOW_NS:
        times.popleft()
    return limit is not None and len(times) > limit
