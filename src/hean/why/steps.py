# SPDX-License-Identifier: Apache-2.0
"""`steps.py`: the links of a chain in words and numbers. Each stands for one row of the journal,
with its number, its moment and how long after the signal it was. What is said is what the row says.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from hean.core.journal import Record
from hean.core.types import EventType, OrderFilled, OrderType, Signal
from hean.live.rows import START, STOP, Judged, Seen, Start, row_of

MS_NS = 1_000_000
BPS = 10_000


class Step(msgspec.Struct, frozen=True):
    """*seq*: of the row; *after_ms*: since the signal, `None` before there was one; *what*: its
    kind; *says*: in words; *numbers*: the same for machines.
    """

    seq: int
    ts_ns: int
    after_ms: float | None
    what: str
    says: str
    numbers: dict[str, Any] = {}


class Rule(msgspec.Struct, frozen=True):
    """One rule of the judgement. *is_breach*: it said no."""

    rule: str
    observed: str
    allowed: str
    is_breach: bool


def rules_of(judged: Judged) -> list[Rule]:
    """The rules of a judgement."""
    return [Rule(*row) for row in judged.rules]


class Steps:
    """Collects the links. *asked*: the price an order named, with its word, once it is known."""

    def __init__(self) -> None:
        self.asked: tuple[str, Decimal] | None = None
        self.event_seqs: set[int] = set()
        self._found: list[tuple[int, int, str, str, dict[str, Any]]] = []
        self._signal_ns: int | None = None

    def __len__(self) -> int:
        return len(self._found)

    def add(self, record: Record, what: str, says: str, **numbers: Any) -> None:
        """One link at a row."""
        if record.event_seq:
            self.event_seqs.add(record.event_seq)
        self._found.append((record.seq, record.ts_ns, what, says, numbers))

    def sorted(self) -> list[Step]:
        """All of them by row, with the time since the signal."""
        zero = self._signal_ns
        if zero is None and self._found:
            zero = self._found[0][1]
        return [
            Step(seq, ts_ns, None if zero is None else (ts_ns - zero) / MS_NS, what, says, numbers)
            for seq, ts_ns, what, says, numbers in sorted(self._found, key=lambda each: each[0])
        ]

    # ------------------------------------------------------------ before the order

    def market(self, record: Record, seen: Seen, at_ns: int) -> None:
        """The fact that was known when the signal was made, at *at_ns*."""
        if seen.price is None:
            self.add(
                record, "MARKET", f"nothing of {seen.symbol} had come in this life of the process"
            )
            return
        age_ms, way_ms = (at_ns - seen.received_ns) / MS_NS, (at_ns - seen.venue_ns) / MS_NS
        quote = f", bid {seen.bid} ask {seen.ask}" if seen.bid and seen.ask else ""
        says = (
            f"{seen.symbol} {seen.price}{quote}; received {age_ms:.3f} ms before the signal, "
            f"{way_ms:.3f} ms old by the venue's clock"
        )
        numbers = msgspec.to_builtins(seen) | {"age_ms": age_ms, "venue_age_ms": way_ms}
        self._found.append((record.seq, seen.received_ns, "MARKET", says, numbers))

    def signal(self, record: Record, signal: Signal) -> None:
        """What the strategy wanted."""
        self._signal_ns = record.ts_ns
        size = f"{signal.size}" if signal.size is not None else "to be sized"
        parts = [f"{signal.strategy_id or 'somebody'}: {signal.side.value} {size} {signal.symbol}"]
        parts.append(signal.type.value + (f" at {signal.price}" if signal.price else ""))
        if signal.signal_strength != 1.0:
            parts.append(f"strength {signal.signal_strength:g}")
        if signal.stop_loss is not None or signal.take_profit is not None:
            parts.append(f"stop {signal.stop_loss} target {signal.take_profit}")
        if signal.reduce_only:
            parts.append("reduce only")
        numbers = {
            "as_of_seq": signal.as_of_seq,
            "strength": signal.signal_strength,
            "stop_loss": signal.stop_loss,
            "take_profit": signal.take_profit,
            "extra": signal.extra,
        }
        self.add(record, "SIGNAL", ", ".join(parts), **numbers)

    def checks(self, record: Record, judged: Judged) -> None:
        """What the rules said."""
        broken = [rule for rule in judged.rules if rule[3]]
        if judged.error:
            says = f"could not be judged: {judged.error}"
        elif broken:
            texts = [f"{name}: observed {seen}, allowed {may}" for name, seen, may, _ in broken]
            says = f"{len(broken)} of {len(judged.rules)} rules say no: {'; '.join(texts)}"
        else:
            says = f"{len(judged.rules)} rules agree, see below"
        if judged.door:
            says += f"; it could not leave now: {judged.door}"
        numbers = {"reference": judged.reference, "equity": judged.equity, "door": judged.door}
        self.add(record, "CHECKS", says, **numbers)

    def request(self, record: Record, request: Any, reference: float | None) -> None:
        """The sized order."""
        if self._signal_ns is None:
            self._signal_ns = record.ts_ns
        price = request.trigger_price or request.price
        if price is not None:
            word = "its trigger" if request.type is not OrderType.LIMIT else "its limit"
            self.asked = (word, price)
        at = f" at {price}" if price is not None else ""
        value = request.size * (price or Decimal(repr(reference or 0.0)))
        worth = f", worth {value:.2f}" if value else ""
        says = (
            f"{request.side.value} {request.size} {request.symbol} {request.type.value}{at}{worth}"
        )
        numbers = {"size": request.size, "price": price, "value": value or None}
        self.add(record, "REQUEST", says, **numbers)

    # ------------------------------------------------------------ after it

    def fill(
        self,
        record: Record,
        fill: OrderFilled,
        expected: tuple[str, Decimal] | None,
        cost: Decimal | None,
    ) -> None:
        """One execution, its fee, and what it cost against what was expected."""
        asset = f" {fill.fee_asset}" if fill.fee_asset else ""
        says = (
            f"{fill.filled_qty} at {fill.fill_price}, {fill.liquidity.value.lower()}, "
            f"fee {fill.fee}{asset}, {fill.remaining_qty} left"
        )
        numbers: dict[str, Any] = {
            "price": fill.fill_price,
            "qty": fill.filled_qty,
            "fee": fill.fee,
            "remaining": fill.remaining_qty,
            "exec_id": fill.exec_id,
            "executed_ns": fill.executed_ns or record.ts_ns,
        }
        if expected is not None and cost is not None and expected[1]:
            bps = float(cost / (expected[1] * fill.filled_qty) * BPS)
            says += f"; slippage {bps:+.2f} bp ({cost:+.4f}) to {expected[0]} {expected[1]}"
            numbers |= {"slippage_bps": bps, "slippage": cost, "against": expected[1]}
        self.add(record, "FILLED", says, **numbers)

    def kept(self, record: Record, fill: OrderFilled) -> None:
        """The fee of a piece, where the venue takes it in the coin that was bought."""
        says = (
            f"the venue kept {fill.filled_qty} of what was bought as its fee, worth {fill.fee}; "
            "it cannot be sold"
        )
        numbers = {"qty": fill.filled_qty, "fee": fill.fee, "exec_id": fill.exec_id}
        self.add(record, "KEPT", says, **numbers)

    def word(self, record: Record, fact: Any, sent_ns: int) -> str:
        """Any other word about the order. *Returns*: where that leaves it; empty if as before."""
        what = record.kind.removeprefix("ORDER_")
        if "AMEND" in what:
            return self._amendment(record, fact, what)
        match EventType(record.kind):
            case EventType.ORDER_APPROVED:
                self.add(record, what, "may be sent once, for a quarter of a second")
                return ""
            case EventType.ORDER_REJECTED:
                says = f"by {fact.source}: {fact.reason} (code {fact.code})"
                self.add(record, what, says, source=fact.source, code=fact.code)
                return "" if fact.source == "venue-request" else f"REFUSED by {fact.source}"
            case EventType.CANCEL_REQUEST:
                self.add(
                    record, what, f"{fact.strategy_id or 'somebody'}: {fact.reason or 'cancel'}"
                )
                return ""
            case EventType.ORDER_PLACED:
                took = (record.ts_ns - sent_ns) / MS_NS
                ago = f", {took:.3f} ms after it was sent" if sent_ns else ""
                says = f"the venue holds it as {fact.exchange_order_id or 'an order'}{ago}"
                self.add(record, what, says, exchange_order_id=fact.exchange_order_id)
                return "WORKING"
            case EventType.ORDER_CANCELLED:
                says = f"{fact.remaining_qty} unfilled: {fact.reason or 'no reason told'}"
                self.add(record, what, says, remaining=fact.remaining_qty, ended_ns=fact.ended_ns)
            case EventType.ORDER_UNKNOWN:
                self.add(
                    record, what, "no answer: it may have happened, counts in full, is looked for"
                )
            case _:
                self.add(record, what, getattr(fact, "reason", ""))
        return what

    def _amendment(self, record: Record, fact: Any, what: str) -> str:
        terms = {"price": getattr(fact, "price", None), "size": getattr(fact, "size", None)}
        numbers = {name: value for name, value in terms.items() if value is not None}
        says = ", ".join(f"{name} {value}" for name, value in numbers.items())
        match EventType(record.kind):
            case EventType.AMEND_REQUEST:
                says = f"{fact.strategy_id or 'somebody'}: {says}"
            case EventType.AMEND_APPROVED:
                says += ": may be asked for once, for a quarter of a second"
            case EventType.AMEND_REJECTED:
                says = f"by {fact.source}: {fact.reason} (code {fact.code}); it is as it was"
                numbers = {"source": fact.source, "code": fact.code}
            case _:
                says = f"it has {says}; {fact.remaining_qty} left"
                numbers["remaining"] = fact.remaining_qty
        self.add(record, what, says, **numbers)
        return ""

    def around(self, record: Record, fact: Any) -> None:
        """The process and its kill switch."""
        match record.kind:
            case "START":
                start = row_of(record, Start)
                says = f"another life of the process begins, epoch {start.epoch}"
                self.add(record, START, says, epoch=start.epoch)
            case "STOP":
                self.add(record, STOP, "the process ended in order")
            case _:
                level = getattr(fact, "level", "RUN")
                says = f"kill switch {level} by {fact.actor or 'unknown'}: {fact.reason}"
                self.add(record, "KILL", says, level=level)
