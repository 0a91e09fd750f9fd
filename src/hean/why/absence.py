# SPDX-License-Identifier: Apache-2.0
"""`absence.py`: why no order was made around a moment. One walk over the rows up to there gives
what stood in the way: no process, the kill switch, a halt of the gateway, old data, a gate with
factors missing, a refusal, or a strategy that wanted nothing. The causes come in the order in which
they decide; the first alone would have been enough.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import msgspec

from hean.core.journal import Record
from hean.core.types import Health, OrderRejected, Side
from hean.data.fingerprint import iso_utc
from hean.live.rows import Judged, Seen, Start, row_of
from hean.risk.levels import RUN, Latched
from hean.why.steps import Rule, rules_of

S_NS = 1_000_000_000
WINDOW_S = 10.0  # around the moment: what a person means by "then"
READ_S = 30  # a trading process reads its account this often, which leaves rows
STILL_S = 2.5 * READ_S  # without a row for so long it did not run, or stood still
SHOWN = 5  # refusals, orders; the nearest ones
STALE = "STALE"
ENDS = frozenset({"ORDER_CANCELLED", "ORDER_REJECTED", "ORDER_ABSENT"})


class Cause(msgspec.Struct, frozen=True):
    """*kind*: a word for machines; *says*: in words; *seq*, *ts_ns*: of the row it stands in, 0
    where there is none; *rules*: that said no.
    """

    kind: str
    says: str
    seq: int = 0
    ts_ns: int = 0
    rules: list[Rule] = []


class Absence(msgspec.Struct):
    """*orders*: that were made around the moment after all; *causes*: in the order in which they
    decide; *context*: what else was known then.
    """

    symbol: str
    at_ns: int
    orders: list[str] = []
    causes: list[Cause] = []
    context: list[str] = []


class _Life(msgspec.Struct):
    """One life of the process: its first and last row, and how it ended."""

    first: Record
    last: Record
    is_stopped: bool = False


class AbsenceReader:
    """Reads the rows for one symbol and moment. *at_seq*: the row that is meant, where it was named
    by its number. *window_s*: how far around refusals and orders are looked for. *is_running*:
    whether the writer of the journal is there now.
    """

    def __init__(
        self,
        symbol: str,
        at_ns: int,
        *,
        at_seq: int | None = None,
        window_s: float = WINDOW_S,
        is_running: bool = False,
    ) -> None:
        self._symbol = symbol
        self._at_ns = at_ns
        self._at_seq = at_seq
        self._window_ns = int(window_s * S_NS)
        self._is_running = is_running
        self._lives: list[_Life] = []
        self._past = _Past(symbol)
        self._is_past = True
        self._near: list[tuple[Record, str]] = []
        self._refused: list[tuple[Record, OrderRejected, Judged | None]] = []
        self._judged: dict[str, Judged] = {}
        self._next_signal: Record | None = None
        self._before: Record | None = None
        self._after: Record | None = None

    def feed(self, records: Iterable[Record]) -> Absence:
        """Read all rows."""
        for record in records:
            self._take(record, self._at_ns)
        return self._verdict(self._at_ns)

    # ------------------------------------------------------------ rows

    def _take(self, record: Record, at_ns: int) -> None:
        self._live_on(record)
        is_before = record.seq <= self._at_seq if self._at_seq else record.ts_ns <= at_ns
        self._is_past = self._is_past and is_before
        if self._is_past:
            self._before = record
            self._past.take(record)
        elif self._after is None:
            self._after = record
        if abs(record.ts_ns - at_ns) <= self._window_ns:
            self._take_near(record)
        elif not self._is_past and self._next_signal is None and record.kind == "SIGNAL":
            self._next_signal = record if record.fact()["symbol"] == self._symbol else None

    def _live_on(self, record: Record) -> None:
        if record.kind == "START" or not self._lives:
            self._lives.append(_Life(record, record))
        life = self._lives[-1]
        life.last = record
        life.is_stopped = record.kind in ("STOP", "FINAL_STATE_HASH")

    def _take_near(self, record: Record) -> None:
        match record.kind:
            case "SIGNAL" | "ORDER_REQUEST":
                fact: Any = record.fact()
                if fact.symbol == self._symbol:
                    self._near.append((record, fact.order_id))
            case "JUDGED":
                judged = row_of(record, Judged)
                self._judged[judged.order_id] = judged
            case "ORDER_REJECTED":
                rejected: Any = record.fact()
                if rejected.symbol == self._symbol and rejected.source != "venue-request":
                    judged_then = self._judged.get(rejected.order_id)
                    self._refused.append((record, rejected, judged_then))

    # ------------------------------------------------------------ the verdict

    def _verdict(self, at_ns: int) -> Absence:
        found = Absence(self._symbol, at_ns)
        stopped = self._not_running(at_ns)
        if stopped is not None:
            found.causes = [stopped]
            return found
        refused = {rejected.order_id for _, rejected, _ in self._refused}
        made = {order_id: None for _, order_id in self._near if order_id not in refused}
        found.orders = [order_id for order_id in made if order_id][:SHOWN]
        past = self._past
        found.causes += self._refusals(at_ns)
        found.causes += past.obstacles()
        if not self._near:
            found.causes.append(self._silence())
        found.context = past.context()
        return found

    def _not_running(self, at_ns: int) -> Cause | None:
        """Whether nobody was there who could have made an order."""
        if not self._lives or at_ns < self._lives[0].first.ts_ns:
            return Cause("not_running", "the journal begins later: no process ran on it yet")
        place = max(i for i, life in enumerate(self._lives) if life.first.ts_ns <= at_ns)
        life, last = self._lives[place], self._lives[place].last
        if at_ns <= last.ts_ns and not (self._at_seq and last.seq < self._at_seq):
            return self._stood_still()
        following = self._lives[place + 1] if place + 1 < len(self._lives) else None
        quiet_s = (at_ns - last.ts_ns) / S_NS
        until = "" if following is None else f" until {_at(following.first)}"
        if life.is_stopped:
            says = f"no process ran: it ended in order at {_at(last)}{until}"
        elif following is not None:
            says = f"no process ran: it died after {_at(last)} without a word{until}"
        elif self._is_running and quiet_s <= STILL_S:
            return None
        else:
            says = (
                f"no row after {_at(last)}, {quiet_s:.1f} s before: the process has died or hangs"
            )
        return Cause("not_running", says, last.seq, last.ts_ns)

    def _stood_still(self) -> Cause | None:
        before, after = self._before, self._after
        is_live = self._lives[0].first.kind == "START"
        if before is None or after is None or not is_live:
            return None
        gap_s = (after.ts_ns - before.ts_ns) / S_NS
        if gap_s <= STILL_S:
            return None
        says = (
            f"the process stood still for {gap_s:.0f} s: no row between {_at(before)} and "
            f"{_at(after)}, though the account is read every {READ_S} s"
        )
        return Cause("stood_still", says, before.seq, before.ts_ns)

    def _refusals(self, at_ns: int) -> list[Cause]:
        nearest = sorted(self._refused, key=lambda each: abs(each[0].ts_ns - at_ns))[:SHOWN]
        return [
            Cause(
                "refused",
                f"{rejected.order_id or 'an order'} was refused by {rejected.source}: "
                f"{rejected.reason} (code {rejected.code})",
                record.seq,
                record.ts_ns,
                [rule for rule in rules_of(judged) if rule.is_breach] if judged else [],
            )
            for record, rejected, judged in nearest
        ]

    def _silence(self) -> Cause:
        last = self._past.last_signal
        parts = [f"the strategy wanted nothing within {self._window_ns / S_NS:g} s"]
        if last is not None:
            parts.append(f"its last signal for {self._symbol} was at {_at(last)}")
        else:
            parts.append(f"it had made no signal for {self._symbol} yet")
        if self._next_signal is not None:
            parts.append(f"its next one comes at {_at(self._next_signal)}")
        waits = self._past.waits()
        if waits:
            parts.append(f"it waits for {waits}")
        seq, ts_ns = (last.seq, last.ts_ns) if last is not None else (0, 0)
        return Cause("silent", "; ".join(parts), seq, ts_ns)


class _Past:
    """What held at the moment, from the rows before it."""

    def __init__(self, symbol: str) -> None:
        self.last_signal: Record | None = None
        self._symbol = symbol
        self._level = Latched()
        self._level_row: Record | None = None
        self._health: dict[tuple[str, object], tuple[Record, Health]] = {}
        self._seen: list[tuple[Record, Seen]] = []
        self._open: dict[str, tuple[Record, str]] = {}
        self._position = Decimal(0)
        self._is_live = False
        self._read: Record | None = None

    def take(self, record: Record) -> None:
        """One row."""
        match record.kind:
            case "START":
                self._begin(record)
            case "SEEN":
                seen = row_of(record, Seen)
                if seen.symbol == self._symbol:
                    self._seen = [*self._seen[-1:], (record, seen)]
            case "HEALTH":
                health: Any = record.fact()
                symbol = (health.extra or {}).get("symbol")
                self._health[health.component, symbol] = (record, health)
            case "ACCOUNT_READ":
                self._read = record
            case "KILLSWITCH_TRIGGERED" | "KILLSWITCH_RELEASED":
                level: Any = record.fact()
                self._level, self._level_row = self._level.after(level), record
            case kind if kind in _OF_ORDERS:
                self._order(record, record.fact())

    def _begin(self, record: Record) -> None:
        """A new life: it knows nothing of the market and of the venue yet."""
        row_of(record, Start)
        self._is_live = True
        self._health.clear()
        self._seen.clear()
        self._read = None

    def _order(self, record: Record, fact: Any) -> None:
        if fact.symbol != self._symbol:
            return
        match record.kind:
            case "SIGNAL":
                self.last_signal = record
            case "ORDER_REQUEST":
                kind = f"{fact.side.value} {fact.size} {fact.type.value}"
                self._open[fact.order_id] = (record, kind)
            case "ORDER_FILLED":
                signed = fact.filled_qty if fact.side is Side.BUY else -fact.filled_qty
                self._position += signed
                if not fact.remaining_qty:
                    self._open.pop(fact.order_id, None)
            case _ if fact.get("source") != "venue-request":
                self._open.pop(fact.order_id, None)

    def obstacles(self) -> list[Cause]:
        """What would have kept any new order back."""
        found = []
        level = self._level
        if level.level != RUN and self._level_row is not None:
            says = (
                f"kill switch at {level.level} since {iso_utc(level.since_ns)}, by "
                f"{level.actor or 'unknown'}: {level.reason}"
            )
            row = self._level_row
            found.append(Cause("kill_switch", says, row.seq, row.ts_ns))
        if self._is_live and self._read is None:
            found.append(Cause("not_ready", "the account had not been read yet in this life"))
        for record, health in self._health.values():
            cause = self._of_health(record, health)
            if cause is not None:
                found.append(cause)
        if self._seen and self._seen[-1][1].door and level.level == RUN:
            record, seen = self._seen[-1]
            says = f"as of {_at(record)} nothing new could leave: {seen.door}"
            found.append(Cause("gate", says, record.seq, record.ts_ns))
        return found

    def _of_health(self, record: Record, health: Health) -> Cause | None:
        extra = health.extra or {}
        reasons = extra.get("reasons")
        if isinstance(reasons, dict) and reasons:
            words = "; ".join(f"{name}: {text}" for name, text in reasons.items())
            says = f"{health.component} opens nothing new since {_at(record)}: {words}"
            return Cause("gateway_halt", says, record.seq, record.ts_ns)
        if health.state == STALE and extra.get("symbol") in (self._symbol, None):
            why = extra.get("reason") or "silent for too long"
            says = f"{health.component} is stale since {_at(record)}: {why}"
            return Cause("stale_data", says, record.seq, record.ts_ns)
        if health.state == "DOWN":
            says = f"{health.component} is down since {_at(record)}: {extra.get('reason')}"
            return Cause("disconnected", says, record.seq, record.ts_ns)
        if health.state == "HALT_NEW":
            says = (
                f"{health.component} opens nothing new since {_at(record)}: {extra.get('reason')}"
            )
            return Cause("halt", says, record.seq, record.ts_ns)
        return None

    def waits(self) -> str:
        """The orders under way, in words."""
        return ", ".join(
            f"{order_id} ({kind}, since {_at(record)})"
            for order_id, (record, kind) in list(self._open.items())[-SHOWN:]
        )

    def context(self) -> list[str]:
        """Position, open orders and market at the moment."""
        found = [f"position of {self._symbol} by the fills in this journal: {self._position}"]
        found.append(f"orders under way: {self.waits() or 'none'}")
        if self._seen:
            record, seen = self._seen[-1]
            text = f"market as of {_at(record)}: {seen.facts:,} facts in this life"
            if seen.price is not None:
                text += f", last price {seen.price} of {iso_utc(seen.venue_ns)}"
            found.append(text)
            if len(self._seen) > 1:
                before, older = self._seen[0]
                took_s = (record.ts_ns - before.ts_ns) / S_NS
                found.append(
                    f"{seen.facts - older.facts:,} facts in the {took_s:.1f} s before that"
                )
        else:
            found.append("what the market said is not in this journal")
        if not self._is_live:
            found.append("health, gate and limits that agreed are recorded by hean live only")
        return found


def _at(record: Record) -> str:
    return f"{iso_utc(record.ts_ns)} (row {record.seq})"


_OF_ORDERS = ENDS | {"SIGNAL", "ORDER_REQUEST", "ORDER_FILLED"}
