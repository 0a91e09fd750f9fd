# SPDX-License-Identifier: Apache-2.0
"""`witness.py`: writes down what was seen, so that an order can be explained later, and the lack of
one too. Before each signal goes the market as it was then, before each order request what every
rule observed and allowed, also when it agreed, and with each reading of the account the market of
every symbol. It decides nothing, and what it writes is never read back by a trading process.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence

from hean.core.bus import EventBus
from hean.core.types import Event, EventType, Health, OrderRequest, Payload, Tick
from hean.errors import HeanError
from hean.live.rows import JUDGED, SEEN, Judged, Seen, row_bytes
from hean.risk.risk_governor import RiskGovernor

KEPT_FACTS = 64  # of each symbol: more than a frame brings, so a signal finds the one it names
NAMELESS = "unnamed"  # for an order whose id is not made yet

Rows = Sequence[tuple[str, bytes]]


class Witness:
    """*governor*: whose rules judge; *door*: why an order, reduce-only or not, may not leave at
    this moment. Made when everybody has subscribed; it listens to the market facts that others
    want.
    """

    def __init__(
        self,
        bus: EventBus,
        governor: RiskGovernor,
        symbols: Sequence[str],
        *,
        door: Callable[[bool], str],
    ) -> None:
        self._governor = governor
        self._door = door
        self._last: Mapping[str, deque[Event]] = {
            symbol: deque(maxlen=KEPT_FACTS) for symbol in symbols
        }
        self._facts = dict.fromkeys(symbols, 0)
        self._health: dict[tuple[str, object], tuple[object, ...]] = {}
        for kind in bus.wanted() & {EventType.TICK, EventType.CANDLE}:
            bus.subscribe(kind, self._see)

    def rows(self, event: Event) -> Rows:
        """What belongs into the journal before this event."""
        match event.event_type:
            case EventType.SIGNAL:
                signal = event.data
                if signal.symbol in self._last:
                    return [(SEEN, row_bytes(self._seen(signal.symbol, signal.as_of_seq)))]
            case EventType.ORDER_REQUEST:
                return [(JUDGED, row_bytes(self._judged(event.data)))]
            case EventType.ACCOUNT_READ:
                return [(SEEN, row_bytes(self._seen(symbol))) for symbol in self._last]
        return ()

    def is_news(self, fact: Payload) -> bool:
        """Whether a report of health says something else than the one before: another state, or
        other reasons. How often a component says the same does not fill the disk.
        """
        if not isinstance(fact, Health):
            return False
        extra = fact.extra or {}
        reasons = extra.get("reasons")
        word = (fact.state, *(sorted(reasons) if isinstance(reasons, dict) else ()))
        key = (fact.component, extra.get("symbol"))
        if self._health.get(key) == word:
            return False
        self._health[key] = word
        return True

    def _see(self, event: Event) -> None:
        symbol = event.data.symbol
        kept = self._last.get(symbol)
        if kept is not None:
            kept.append(event)
            self._facts[symbol] += 1

    def _seen(self, symbol: str, as_of_seq: int = 0) -> Seen:
        kept = self._last[symbol]
        facts, door = self._facts[symbol], self._door(False)
        if not kept:
            return Seen(symbol, facts, door)
        event = next((each for each in reversed(kept) if each.seq == as_of_seq), kept[-1])
        fact = event.data
        if isinstance(fact, Tick):
            return Seen(
                symbol, facts, door, event.seq, event.ts_ns, fact.timestamp, fact.price, fact.bid,
                fact.ask,
            )  # fmt: skip
        return Seen(symbol, facts, door, event.seq, event.ts_ns, event.ts_ns, fact.close)

    def _judged(self, request: OrderRequest) -> Judged:
        governor = self._governor
        reference = governor.reference(request.symbol)
        equity = governor.equity()
        door = self._door(request.reduce_only)
        order_id = request.order_id or NAMELESS
        try:
            rules = governor.report(request, order_id, governor.context.clock.now_ns)
        except HeanError as error:
            return Judged(request.order_id, reference, equity.decimal, door, error=error.message)
        return Judged(request.order_id, reference, equity.decimal, door, rules)
