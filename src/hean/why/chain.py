# SPDX-License-Identifier: Apache-2.0
"""`chain.py`: why an order is as it is. One walk over the rows of a journal gathers everything that
led to an order and everything that became of it: market, signal, rules, request, answers, fills,
end. Rows go in, a chain comes out; nothing is asked, nothing is guessed, and what this kind of
journal does not hold is said.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import msgspec

from hean.core.journal import Record
from hean.core.orders import KEPT
from hean.core.types import EventType, OrderFilled, OrderType, Side, Signal, Tick, decode
from hean.live.rows import SENT, START, STOP, Judged, Seen, Sent, row_of
from hean.why.steps import Rule, Step, Steps, rules_of

ZERO = Decimal(0)
MARKET = "MARKET"  # rows of a session on paper: a frame as it came
FRAMES_KEPT = 256  # of such rows: the symbol's last trade is rarely further back
ENDED = frozenset({EventType.ORDER_CANCELLED, EventType.ORDER_ABSENT})
STOPS = (OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT)
_FACTS = msgspec.msgpack.Decoder(list[tuple[EventType, bytes]])

Told = tuple[Record, Any]
"""A row and what it holds."""


class Chain(msgspec.Struct):
    """*status*: where the order stands at the end of the journal; *reference*: the price seen;
    *cost*: of all fills against what was expected, in quote money, positive when worse; *notes*:
    what this journal cannot tell.
    """

    order_id: str
    symbol: str = ""
    side: str = ""
    size: Decimal | None = None
    type: str = ""
    strategy: str = ""
    status: str = ""
    reference: float | None = None
    filled: Decimal = ZERO
    average: Decimal | None = None
    fee: Decimal = ZERO
    cost: Decimal | None = None
    steps: list[Step] = []
    rules: list[Rule] = []
    notes: list[str] = []


class ChainReader:
    """Reads the rows for one order. `feed` them in order, then take `chain`.

    *ids*: every order id the journal names, in order.
    """

    def __init__(self, order_id: str) -> None:
        self.ids: dict[str, None] = {}
        self._wanted = order_id
        self._needle = order_id.encode()
        self._frames: deque[Record] = deque(maxlen=FRAMES_KEPT)
        self._seen: Told | None = None
        self._judged: Told | None = None
        self._signals: deque[tuple[Told, Told | None]] = deque()  # without an id, yet to be matched
        self._requests: deque[tuple[Told, Told | None]] = deque()  # likewise
        self._fills: dict[tuple[str, str], Told] = {}
        self._kept: set[str] = set()  # ids under which the venue keeps its fees in coins
        self._stop: Told | None = None
        self._steps = Steps()
        self._chain = Chain(order_id)
        self._value = ZERO
        self._sent_ns = 0
        self._kinds: set[str] = set()

    def feed(self, records: Iterable[Record]) -> Chain | None:
        """Read all rows. *Returns*: the chain, `None` when nothing in them is about this order."""
        for record in records:
            self._take(record)
        if not self._steps:
            return None
        self._finish()
        return self._chain

    # ------------------------------------------------------------ rows

    def _take(self, record: Record) -> None:
        kind = record.kind
        fact: Any
        self._kinds.add(kind)
        match kind:
            case "MARKET":
                self._frames.append(record)
            case "SEEN":
                self._seen = (record, row_of(record, Seen))
            case "JUDGED":
                self._judged = (record, row_of(record, Judged))
            case "SIGNAL":
                fact = record.fact()
                self._signal(record, fact)
                self._seen = None
            case "ORDER_REQUEST":
                self._request(record, record.fact())
                self._judged = None
            case "ORDER_FILLED":
                fact = record.fact()
                self._fill(record, fact)
            case "SENT":
                if self._needle in record.payload:
                    self._sent(record, row_of(record, Sent))
            case "START" | "STOP" | "KILLSWITCH_TRIGGERED" | "KILLSWITCH_RELEASED":
                self._around(record)
            case "ERROR":
                self._error(record, record.fact())
            case _ if kind in _ABOUT:
                self._about(record)

    def _signal(self, record: Record, signal: Signal) -> None:
        if signal.order_id:
            self.ids[signal.order_id] = None
        seen = self._seen or self._seen_in_frames(signal.symbol)
        if not signal.order_id:
            self._signals.append(((record, signal), seen))
        elif signal.order_id == self._wanted:
            self._begin((record, signal), seen)

    def _request(self, record: Record, request: Any) -> None:
        if not request.order_id:
            self._requests.append(((record, request), self._judged))
            return
        self.ids[request.order_id] = None
        cause = _first(self._signals, request)
        if request.order_id == self._wanted:
            if cause is not None:
                self._begin(*cause)
            self._ask(record, request, self._judged)
        elif request.parent_id == self._wanted:
            self._steps.add(record, "SLICE", f"{request.size} as {request.order_id}")

    def _name(self, answer: Any) -> None:
        """The governor has named a request without an id in its answer: of those, it takes each in
        turn.
        """
        if answer.order_id in self.ids:
            return
        self.ids[answer.order_id] = None
        found = _first(self._requests, answer)
        if found is not None and answer.order_id == self._wanted:
            (record, request), judged = found
            self._ask(record, request, judged)

    def _ask(self, record: Record, request: Any, judged: Told | None) -> None:
        """The order as it was asked for, and what the rules said."""
        if not self._steps:
            self._asked_directly(record, request)
        chain = self._chain
        chain.symbol, chain.side, chain.size = request.symbol, request.side.value, request.size
        chain.type, chain.strategy = request.type.value, request.strategy_id
        if judged is not None:
            row, verdict = judged
            chain.reference = verdict.reference or chain.reference
            chain.rules = rules_of(verdict)
            self._steps.checks(row, verdict)
        self._steps.request(record, request, chain.reference)

    def _begin(self, told: Told, seen: Told | None) -> None:
        record, signal = told
        if seen is not None:
            self._steps.market(*seen, record.ts_ns)
            self._chain.reference = seen[1].price
        if signal.reduce_only and signal.type is not OrderType.MARKET:
            self._because_of_fill(signal)
        self._steps.signal(record, signal)
        chain = self._chain
        chain.symbol, chain.side, chain.size = signal.symbol, signal.side.value, signal.size
        chain.type, chain.strategy = signal.type.value, signal.strategy_id

    def _because_of_fill(self, signal: Signal) -> None:
        """Protection rests because an entry has filled."""
        found = self._fills.get((signal.strategy_id, signal.symbol))
        if found is not None:
            record, fill = found
            says = f"{fill.order_id} filled {fill.filled_qty} at {fill.fill_price}: protect it"
            self._steps.add(record, "CAUSE", says, order_id=fill.order_id)

    def _asked_directly(self, record: Record, request: Any) -> None:
        """No strategy wanted this one."""
        if self._stop is not None and request.reduce_only:
            row, fact = self._stop
            says = f"{fact.level} by {fact.actor or 'unknown'}: {fact.reason}"
            self._steps.add(row, "CAUSE", says, level=fact.level)
        says = f"no signal; asked for by {request.strategy_id or 'somebody'} itself"
        self._steps.add(record, "ASKED", says)

    def _sent(self, record: Record, sent: Sent) -> None:
        if sent.order_id != self._wanted:
            return
        if sent.verb == "submit":
            self._sent_ns = record.ts_ns
        words = {"price": sent.price, "size": sent.size}
        numbers = {name: value for name, value in words.items() if value is not None}
        terms = "".join(f", {name} {value}" for name, value in numbers.items())
        says = f"{sent.verb}{terms}: from here on its bytes may be on their way"
        self._steps.add(record, SENT, says, verb=sent.verb, **numbers)

    def _fill(self, record: Record, fill: OrderFilled) -> None:
        chain = self._chain
        if fill.is_kept:
            if fill.order_id in self._kept:
                chain.fee += fill.fee
                self._steps.kept(record, fill)
            return
        self._fills[fill.strategy_id, fill.symbol] = (record, fill)
        if fill.order_id != self._wanted:
            return
        chain.filled += fill.filled_qty
        if fill.is_fee_in_base:
            self._kept.add(f"{KEPT}{fill.exec_id}")
        else:
            chain.fee += fill.fee
        self._value += fill.fill_price * fill.filled_qty
        expected = self._expected()
        cost = self._cost(fill, expected)
        if cost is not None:
            chain.cost = (chain.cost or ZERO) + cost
        self._steps.fill(record, fill, expected, cost)
        chain.status = "PARTIAL" if fill.remaining_qty else "FILLED"

    def _expected(self) -> tuple[str, Decimal] | None:
        """What the fill is held against: the trigger of a stop, the limit, or the price seen."""
        chain = self._chain
        asked = self._steps.asked
        if asked is not None:
            return asked
        return ("the price seen", Decimal(repr(chain.reference))) if chain.reference else None

    @staticmethod
    def _cost(fill: OrderFilled, expected: tuple[str, Decimal] | None) -> Decimal | None:
        if expected is None:
            return None
        worse = fill.fill_price - expected[1]
        return worse * fill.filled_qty * (1 if fill.side is Side.BUY else -1)

    def _about(self, record: Record) -> None:
        """Every other word about an order."""
        is_verdict = record.kind == EventType.ORDER_REJECTED or bool(
            self._requests and record.kind == EventType.ORDER_APPROVED
        )
        if not is_verdict and self._needle not in record.payload:
            return
        fact: Any = record.fact()
        if is_verdict:
            self._name(fact)
        if fact.order_id != self._wanted:
            return
        self._chain.symbol = self._chain.symbol or fact.symbol
        status = self._steps.word(record, fact, self._sent_ns)
        if status and not (status == "WORKING" and self._chain.status in ("PARTIAL", "FILLED")):
            self._chain.status = status

    def _around(self, record: Record) -> None:
        """What happened to everything while the order lived."""
        fact = record.fact() if record.kind not in (START, STOP) else None
        if fact is not None:
            self._stop = (record, fact) if record.kind == "KILLSWITCH_TRIGGERED" else None
        if self._steps and not self._is_over():
            self._steps.around(record, fact)

    def _error(self, record: Record, error: Any) -> None:
        if self._wanted in error.error or error.event_seq in self._steps.event_seqs:
            self._steps.add(record, "ERROR", f"{error.component}: {error.error}")

    def _is_over(self) -> bool:
        return self._chain.status.partition(" ")[0] in ("FILLED", "CANCELLED", "REFUSED", "ABSENT")

    def _seen_in_frames(self, symbol: str) -> Told | None:
        """The last trade or quote of a session on paper, whose journal holds the frames."""
        for row in reversed(self._frames):
            for kind, payload in reversed(_FACTS.decode(row.payload)):
                fact = decode(kind, payload) if kind is EventType.TICK else None
                if isinstance(fact, Tick) and fact.symbol == symbol:
                    seen = Seen(
                        symbol, 0, "", 0, row.ts_ns, fact.timestamp, fact.price, fact.bid, fact.ask
                    )
                    return row, seen
        return None

    # ------------------------------------------------------------ the end

    def _finish(self) -> None:
        chain = self._chain
        chain.steps = self._steps.sorted()
        if chain.filled:
            chain.average = self._value / chain.filled
        if not chain.status:
            chain.status = "SENT, no answer yet" if self._sent_ns else "not sent"
        is_live = START in self._kinds
        if not is_live:
            chain.notes.append("no request left the machine: this journal's venue is simulated")
        if not chain.rules:
            if is_live:
                chain.notes.append("what the rules saw was not kept for this order")
            else:
                chain.notes.append(
                    "rules that agreed are kept by hean live only; a refusal names its"
                )
        if chain.reference is None and not is_live and MARKET not in self._kinds:
            chain.notes.append("the market is not in this journal; hean replay plays it again")


def _first(waiting: deque[tuple[Told, Told | None]], named: Any) -> tuple[Told, Told | None] | None:
    """Take out the first that *named* can have been made of."""
    for place, entry in enumerate(waiting):
        fact = entry[0][1]
        if all(fact.get(name) == named[name] for name in _ALIKE if name in named):
            del waiting[place]
            return entry
    return None


_ALIKE = ("symbol", "side", "strategy_id", "type", "reduce_only")
_ABOUT = frozenset(
    kind.value
    for kind in EventType
    if kind.value.startswith(("ORDER_", "AMEND_")) or kind is EventType.CANCEL_REQUEST
) - {"ORDER_REQUEST", "ORDER_FILLED"}
