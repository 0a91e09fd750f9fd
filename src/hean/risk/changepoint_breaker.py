# SPDX-License-Identifier: Apache-2.0
"""`changepoint_breaker.py`: less risk where the market has just changed. One state a symbol:
CLOSED, REDUCE at an alarm, OPEN when the next judgement confirms it, HALF_OPEN after a rest in
which the market has settled, and back. It closes again by itself, so it is no kill switch, and it
latches nothing. It never refuses what makes a position smaller, asks back no protective order and
sends none: positions are left to the strategies and their stops. Method: quant/methods 4.4. The
breaker of failing software is `core/breaker.py`, a different thing of the same shape.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from hean.core.module import Module, on
from hean.core.types import (
    CancelRequest,
    Changepoint,
    Event,
    EventType,
    Health,
    OrderRequest,
    Side,
    Signal,
)
from hean.errors import UnknownSymbol
from hean.risk.risk_governor import RiskGovernor

_S_NS = 1_000_000_000


class ChangeState(StrEnum):
    """As told in HEALTH."""

    CLOSED = "CLOSED"
    REDUCE = "REDUCE"
    OPEN = "OPEN"
    HALF_OPEN = "HALF_OPEN"


class ChangeLimits(msgspec.Struct, frozen=True):
    """*alarm*: of the probability of a change; *calm*: below it a judgement is clean; *settled*: of
    `P(r >= 60)` before trading is tried again; *half_size*: share of a full position while it is
    tried; *cool_down_s*: rest before that, doubled by each further alarm up to *cool_down_max_s*;
    *clean_judgements*: in a row until all is as before, two windows of 15; *version*: of these
    parameters, for the record.
    """

    alarm: float = 0.9
    calm: float = 0.2
    settled: float = 0.8
    half_size: float = 0.25
    cool_down_s: float = 1800.0
    cool_down_max_s: float = 28_800.0
    clean_judgements: int = 30
    version: int = 1


class _Place:
    """Where one symbol stands."""

    __slots__ = ("clean", "cool_down_s", "since_ns", "state")

    def __init__(self, cool_down_s: float) -> None:
        self.state = ChangeState.CLOSED
        self.since_ns = 0
        self.cool_down_s = cool_down_s
        self.clean = 0


class ChangepointBreaker(Module):
    """Listens to `CHANGEPOINT`, and judges the governor's requests by a check and a scale."""

    name = "changepoint_breaker"
    truth = True
    produces = (EventType.HEALTH, EventType.CANCEL_REQUEST)

    def __init__(self, governor: RiskGovernor, limits: ChangeLimits | None = None) -> None:
        self.governor = governor
        self.engine = governor.engine
        self.limits = limits or ChangeLimits()
        self._places: dict[str, _Place] = {}
        governor.add_check(self.objection, name="changepoint breaker")
        governor.add_scale(self.scale)

    def state(self, symbol: str) -> ChangeState:
        """Where a symbol stands."""
        place = self._places.get(symbol)
        return ChangeState.CLOSED if place is None else place.state

    # ------------------------------------------------------------ judging the market

    @on(EventType.CHANGEPOINT)
    def on_changepoint(self, event: Event) -> None:
        """Move on, at most one state a judgement."""
        change: Changepoint = event.data
        place = self._places.get(change.symbol)
        if place is None:
            place = self._places[change.symbol] = _Place(self.limits.cool_down_s)
        is_alarm = change.probability > self.limits.alarm
        is_clean = change.probability < self.limits.calm
        place.clean = place.clean + 1 if is_clean else 0
        match place.state:
            case ChangeState.CLOSED if is_alarm:
                self._move(place, ChangeState.REDUCE, change, event.ts_ns)
            case ChangeState.REDUCE if is_alarm:
                self._move(place, ChangeState.OPEN, change, event.ts_ns)
                self._ask_back(change.symbol)
            case ChangeState.REDUCE if is_clean:
                self._move(place, ChangeState.CLOSED, change, event.ts_ns)
            case ChangeState.OPEN if is_clean and self._has_settled(place, change, event.ts_ns):
                self._move(place, ChangeState.HALF_OPEN, change, event.ts_ns)
            case ChangeState.HALF_OPEN if is_alarm:
                longer = min(2 * place.cool_down_s, self.limits.cool_down_max_s)
                place.cool_down_s = longer
                self._move(place, ChangeState.OPEN, change, event.ts_ns)
                self._ask_back(change.symbol)
            case ChangeState.HALF_OPEN if place.clean >= self.limits.clean_judgements:
                place.cool_down_s = self.limits.cool_down_s
                self._move(place, ChangeState.CLOSED, change, event.ts_ns)

    def _has_settled(self, place: _Place, change: Changepoint, now_ns: int) -> bool:
        is_rested = now_ns - place.since_ns >= place.cool_down_s * _S_NS
        return is_rested and change.settled > self.limits.settled

    def _move(self, place: _Place, to: ChangeState, change: Changepoint, now_ns: int) -> None:
        """Every transition is a fact with its cause."""
        limits = self.limits
        extra: dict[str, Any] = {
            "market": change.symbol,
            "from": place.state.value,
            "cause": change.streams or "calm",
            "probability": change.probability,
            "settled": change.settled,
            "run_length": change.run_length,
            "alarm": limits.alarm,
            "calm": limits.calm,
            "cool_down_s": place.cool_down_s,
            "version": limits.version,
        }
        place.state, place.since_ns, place.clean = to, now_ns, 0
        self.context.emit(Health(f"{self.name}.{change.symbol}", to.value, extra=extra))

    def _ask_back(self, symbol: str) -> None:
        for order in self.engine.open_orders():
            if order["symbol"] == symbol and not order["reduce_only"]:
                reason = "changepoint breaker: the market has changed"
                self.context.emit(CancelRequest(order["client_order_id"], symbol, reason))

    # ------------------------------------------------------------ judging orders

    def scale(self, signal: Signal) -> float:
        """Share of the wanted size while the market is being tried again."""
        is_half = self.state(signal.symbol) is ChangeState.HALF_OPEN
        return self.limits.half_size if is_half else 1.0

    def objection(self, request: OrderRequest) -> str | None:
        """Why a request may not pass; `None` for whatever makes a position smaller."""
        state = self.state(request.symbol)
        if state is ChangeState.CLOSED or request.reduce_only:
            return None
        try:
            held = self.engine.position(request.symbol)
        except UnknownSymbol:
            return None  # the governor says so itself
        after = held + (request.size if request.side is Side.BUY else -request.size)
        if abs(after) <= abs(held) and after * held >= 0:
            return None
        if state is not ChangeState.HALF_OPEN:
            return f"{state}: the market of {request.symbol} has changed; only reductions"
        value = float(abs(after)) * (self.governor.reference(request.symbol) or 0.0)
        allowed = self.limits.half_size * self.governor.full_value(request.symbol)
        if value <= allowed:
            return None
        return f"{state}: a position worth {value:.2f}, {allowed:.2f} is allowed for now"
