# SPDX-License-Identifier: Apache-2.0
"""`fold.py`: from the rows of a journal, in order, to the rows of tables: orders, fills, funding,
profit by hour, strategy and symbol, what is held, equity, latencies and refusals. Any journal will
do: of trading, of a session on paper, of a backtest; what one does not hold is empty. Money is
added up exactly. What comes out depends on the rows alone, not on when it is asked for.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from typing import Any

import msgspec

from hean.core.journal import Record
from hean.core.types import EventType, Funding, OrderAmended, OrderFilled, Side, Tick, decode
from hean.live.rows import JUDGED, SEEN, SENT, START, Judged, Seen, Sent, Start, row_of
from hean.paper_journal import MARKET
from hean.store.position import Holding
from hean.store.schema import TABLES, Row
from hean.system import AccountSettings

PRICES_MAX = 512  # of each symbol: an order is never judged on an older one
ZERO = Decimal(0)
SUMS = Context(prec=28, rounding=ROUND_HALF_EVEN)  # a process may have another: ccxt sets its own
BPS = 10_000
STAGES = ("decision", "send", "ack", "fill")
"""Signal to approval, approval to the first byte, that to the venue's word, that to a fill."""
_FACTS = msgspec.msgpack.Decoder(list[tuple[EventType, bytes]])
_S_NS = 1_000_000_000


@dataclass(slots=True)
class _Order:
    seq: int
    approved: Any
    approved_ns: int
    arrival: float | None
    size: Decimal
    price: Decimal | None
    sent_ns: int = 0
    status: str = "INTENT"
    reason: str = ""
    filled: Decimal = ZERO
    paid: Decimal = ZERO
    fee: Decimal = ZERO


@dataclass(slots=True)
class _Sums:
    """Of an hour, or of all there was."""

    realized: Decimal = ZERO
    fees: Decimal = ZERO
    funding: Decimal = ZERO
    slippage: Decimal = ZERO
    fills: int = 0
    volume: Decimal = ZERO


@dataclass(slots=True)
class Whose:
    """Whose journal it is, as its first life says it; empty where nobody's."""

    venue: str = ""
    market: str = ""
    role: str = ""
    account: str = ""

    def words(self) -> dict[str, str]:
        """By name."""
        return {
            "venue": self.venue, "market": self.market, "role": self.role, "account": self.account,
        }  # fmt: skip


class Fold:
    """Begins before a journal's first row. *meta*: of its header."""

    def __init__(self, meta: dict[str, Any]) -> None:
        is_live = meta.get("kind") == "live"
        self.kind = "live" if is_live else "paper" if "terms" in meta else "backtest"
        self.source = str(meta.get("origin", ""))
        """Where the market came from, where the journal says it."""
        self.whose = Whose()
        self.count = 0
        self.first_ns = self.last_ns = 0
        self._cash = _cash_of(meta)
        self._orders: dict[str, _Order] = {}
        self._positions: dict[tuple[str, str], Holding] = defaultdict(Holding)
        self._hours: dict[tuple[str, str, str], _Sums] = defaultdict(_Sums)
        self._total = _Sums()
        self._prices: dict[str, deque[tuple[int, float]]] = defaultdict(
            lambda: deque(maxlen=PRICES_MAX)
        )
        self._signals: dict[tuple[str, str], int] = {}
        self._judged: dict[str, float | None] = {}
        self._traded: dict[str, float] = {}  # where no market is kept
        self._added: dict[str, list[Row]] = {name: [] for name in TABLES}
        self._dirty_orders: dict[str, None] = {}
        self._dirty_hours: dict[tuple[str, str, str], None] = {}
        self._told: dict[tuple[str, str], Row] = {}  # of what is held
        self._seq = 0

    def apply(self, record: Record) -> None:
        """The next row. *Raises*: `JournalDamaged` for one that no version of ours can read."""
        with localcontext(SUMS):
            self._apply(record)

    def _apply(self, record: Record) -> None:
        self.count += 1
        self._seq = record.seq
        self.first_ns = self.first_ns or record.ts_ns
        self.last_ns = record.ts_ns
        if record.kind == MARKET:
            self._frame(record)
            return
        own = _ROWS.get(record.kind)
        if own is not None:
            own(self, record)
        elif record.kind in _EVENTS:
            _EVENTS[record.kind](self, record.fact(), record.ts_ns)

    def changed(self) -> dict[str, list[Row]]:
        """Rows of `TABLES` that are new or other than when this was asked last."""
        with localcontext(SUMS):
            return self._changed()

    def _changed(self) -> dict[str, list[Row]]:
        rows, self._added = self._added, {name: [] for name in TABLES}
        rows["orders"] = [self._order_row(order_id) for order_id in self._dirty_orders]
        rows["pnl"] = [self._hour_row(*key) for key in self._dirty_hours]
        self._dirty_orders.clear()
        self._dirty_hours.clear()
        for key, held in self._positions.items():
            row = self._position_row(key, held)
            if self._told.get(key) != row:
                self._told[key] = row
                rows["positions"].append(row)
        return rows

    # ------------------------------------------------------------ market and lives

    def _frame(self, record: Record) -> None:
        for kind, data in _FACTS.decode(record.payload):
            if kind is EventType.TICK:
                tick = decode(kind, data)
                assert isinstance(tick, Tick)
                self._prices[tick.symbol].append((record.ts_ns, tick.price))

    def _price(self, symbol: str, at_ns: int) -> float | None:
        """The last trade before a moment; a frame stands in the journal before it is played."""
        return next((p for ts_ns, p in reversed(self._prices[symbol]) if ts_ns <= at_ns), None)

    def _last_price(self, symbol: str) -> float | None:
        prices = self._prices[symbol]
        return prices[-1][1] if prices else self._traded.get(symbol)

    def _seen(self, record: Record) -> None:
        seen = row_of(record, Seen)
        if seen.price is not None:
            self._prices[seen.symbol].append((record.ts_ns, seen.price))

    def _judge(self, record: Record) -> None:
        judged = row_of(record, Judged)
        self._judged[judged.order_id] = judged.reference

    def _started(self, record: Record) -> None:
        start = row_of(record, Start)
        if not self.whose.venue:
            self._cash = start.account.cash
        self.whose = Whose(start.venue, start.market, start.role, start.account_id)

    # ------------------------------------------------------------ orders

    def _signalled(self, fact: Any, ts_ns: int) -> None:
        self._signals[fact.strategy_id, fact.symbol] = ts_ns

    def _approved(self, fact: Any, ts_ns: int) -> None:
        if fact.order_id in self._orders:
            return
        arrival = self._judged.pop(fact.order_id, None) or self._price(fact.symbol, ts_ns)
        order = _Order(self._seq, fact, ts_ns, arrival, fact.size, fact.price)
        self._orders[fact.order_id] = order
        self._dirty_orders[fact.order_id] = None
        signal_ns = self._signals.pop((fact.strategy_id, fact.symbol), None)
        if signal_ns is not None:
            self._took(order, "decision", signal_ns, ts_ns)

    def _sent(self, record: Record) -> None:
        sent = row_of(record, Sent)
        order = self._orders.get(sent.order_id)
        if sent.verb == "submit" and order is not None and not order.sent_ns:
            order.sent_ns, order.status = record.ts_ns, "SENT"
            self._dirty_orders[sent.order_id] = None
            self._took(order, "send", order.approved_ns, record.ts_ns)

    def _placed(self, fact: Any, ts_ns: int) -> None:
        order = self._orders.get(fact.order_id)
        if order is not None and order.status in ("INTENT", "SENT", "UNKNOWN"):
            order.status = "WORKING"
            self._dirty_orders[fact.order_id] = None
            self._took(order, "ack", order.sent_ns or order.approved_ns, ts_ns)

    def _amended(self, fact: OrderAmended, _: int) -> None:
        order = self._orders.get(fact.order_id)
        if order is not None:
            order.size, order.price = fact.size, fact.price
            self._dirty_orders[fact.order_id] = None

    def _rejected(self, fact: Any, ts_ns: int) -> None:
        self._added["refusals"].append(
            (self._seq, time_of(ts_ns), fact.order_id, fact.strategy_id, fact.symbol, fact.source,
             fact.code, fact.reason)
        )  # fmt: skip
        self._ended("REJECTED", fact)

    def _ended(self, status: str, fact: Any) -> None:
        order = self._orders.get(fact.order_id)
        if order is not None and order.status != "FILLED":
            order.status, order.reason = status, getattr(fact, "reason", "")
            self._dirty_orders[fact.order_id] = None

    def _took(self, order: _Order, stage: str, from_ns: int, until_ns: int) -> None:
        asked = order.approved
        row = (self._seq, asked.order_id, asked.strategy_id, asked.symbol, stage)
        self._added["latency"].append((*row, time_of(until_ns), (until_ns - from_ns) / 1e6))

    # ------------------------------------------------------------ money

    def _filled(self, fill: OrderFilled, ts_ns: int) -> None:
        order = self._orders.get(fill.order_id)
        strategy = fill.strategy_id or (order.approved.strategy_id if order else "")
        at_ns = fill.executed_ns or ts_ns
        fee = fill.fee if fill.is_fee_in_quote else ZERO
        value = fill.fill_price * fill.filled_qty
        sign = 1 if fill.side is Side.BUY else -1
        realized = self._positions[strategy, fill.symbol].trade(
            fill.filled_qty * sign, fill.fill_price
        )
        arrival = order.arrival if order else None
        bps, cost = None, None
        if arrival is not None:
            cost = (fill.fill_price - Decimal(repr(arrival))) * fill.filled_qty * sign
            bps = sign * (float(fill.fill_price) / arrival - 1) * BPS
        if order is not None:
            self._count(order, fill, fee, ts_ns)
        for sums in self._sums(at_ns, strategy, fill.symbol):
            sums.realized += realized
            sums.fees += fee
            sums.slippage += cost or ZERO
            sums.fills += 1
            sums.volume += value
        self._traded[fill.symbol] = float(fill.fill_price)
        self._added["fills"].append(
            (self._seq, time_of(at_ns), fill.exec_id, fill.order_id, strategy, fill.symbol,
             str(fill.side or ""), fill.filled_qty, fill.fill_price, value, fill.fee,
             fill.fee_asset, str(fill.liquidity), arrival, bps, cost, realized, realized - fee)
        )  # fmt: skip
        self._worth(at_ns)

    def _count(self, order: _Order, fill: OrderFilled, fee: Decimal, ts_ns: int) -> None:
        if not order.filled:
            self._took(order, "fill", order.sent_ns or order.approved_ns, ts_ns)
        order.filled += fill.filled_qty
        order.paid += fill.filled_qty * fill.fill_price
        order.fee += fee
        order.status = "PARTIAL" if order.filled < order.size else "FILLED"
        self._dirty_orders[fill.order_id] = None

    def _funded(self, funding: Funding, ts_ns: int) -> None:
        shares = self._received(funding)
        at_ns = funding.settled_ns or ts_ns
        for strategy, qty, received in shares:
            for sums in self._sums(at_ns, strategy, funding.symbol):
                sums.funding += received
            self._added["funding"].append(
                (self._seq, time_of(at_ns), strategy, funding.symbol, funding.rate,
                 funding.mark_price, qty, received, funding.exec_id)
            )  # fmt: skip
        if shares:
            self._worth(at_ns)

    def _received(self, funding: Funding) -> list[tuple[str, Decimal, Decimal]]:
        """Strategy, what it holds and what it received. A payment that the venue names is shared
        by what each holds, the last one taking the rest.
        """
        held = [
            (strategy, position.qty)
            for (strategy, symbol), position in self._positions.items()
            if symbol == funding.symbol and position.qty
        ]
        if funding.amount is None:
            if funding.mark_price is None:
                return []
            paid = Decimal(repr(funding.rate)) * Decimal(repr(funding.mark_price))
            return [(strategy, qty, -qty * paid) for strategy, qty in held]
        if not funding.is_in_quote:
            return []
        left, whole = funding.amount, sum((qty for _, qty in held), ZERO)
        if not held or not whole:
            return [("", ZERO, left)]
        shares = []
        for strategy, qty in held[:-1]:
            part = funding.amount * qty / whole
            shares.append((strategy, qty, part))
            left -= part
        return [*shares, (*held[-1], left)]

    def _sums(self, at_ns: int, strategy: str, symbol: str) -> tuple[_Sums, _Sums]:
        key = (f"{time_of(at_ns)[:13]}:00", strategy, symbol)
        self._dirty_hours[key] = None
        return self._hours[key], self._total

    def _worth(self, at_ns: int) -> None:
        """What it all is worth at the last prices that the journal knows."""
        total, paper = self._total, ZERO
        for (_, symbol), held in self._positions.items():
            paper += held.unrealized(self._last_price(symbol)) or ZERO
        worth = self._cash + total.realized - total.fees + total.funding + paper
        self._added["equity"].append(
            (self._seq, time_of(at_ns), total.realized, total.fees, total.funding, paper, worth)
        )

    # ------------------------------------------------------------ rows that change

    def _order_row(self, order_id: str) -> Row:
        order = self._orders[order_id]
        asked = order.approved
        return (
            *(order_id, order.seq, time_of(order.approved_ns), asked.strategy_id, asked.symbol),
            *(str(asked.side), str(asked.type), order.size, order.price, asked.reduce_only),
            *(asked.parent_id, order.arrival, order.filled),
            *(order.paid / order.filled if order.filled else None, order.fee),
            *(order.status, order.reason),
        )

    def _hour_row(self, hour: str, strategy: str, symbol: str) -> Row:
        sums = self._hours[hour, strategy, symbol]
        net = sums.realized - sums.fees + sums.funding
        money = (sums.realized, sums.fees, sums.funding, net, sums.slippage)
        return (hour, strategy, symbol, *money, sums.fills, sums.volume)

    def _position_row(self, key: tuple[str, str], held: Holding) -> Row:
        if not held.qty:
            return (*key, ZERO, None, None, None)
        last = self._last_price(key[1])
        return (*key, held.qty, held.average, last, held.unrealized(last))


_ROWS: dict[str, Callable[[Fold, Record], None]] = {
    START: Fold._started,
    SENT: Fold._sent,
    SEEN: Fold._seen,
    JUDGED: Fold._judge,
}
_EVENTS: dict[str, Callable[[Fold, Any, int], None]] = {
    "SIGNAL": Fold._signalled,
    "ORDER_APPROVED": Fold._approved,
    "ORDER_PLACED": Fold._placed,
    "ORDER_AMENDED": Fold._amended,
    "ORDER_FILLED": Fold._filled,
    "ORDER_REJECTED": Fold._rejected,
    "ORDER_CANCELLED": lambda fold, fact, _: fold._ended("CANCELLED", fact),
    "ORDER_ABSENT": lambda fold, fact, _: fold._ended("ABSENT", fact),
    "ORDER_UNKNOWN": lambda fold, fact, _: fold._ended("UNKNOWN", fact),
    "ORDER_QUARANTINED": lambda fold, fact, _: fold._ended("QUARANTINE", fact),
    "FUNDING": Fold._funded,
}


def _cash_of(meta: dict[str, Any]) -> Decimal:
    """What an account on paper began with; a live one's stands in its first life."""
    account = (meta.get("settings") or {}).get("account") or {}
    return Decimal(str(account["cash"])) if "cash" in account else AccountSettings().cash


def time_of(ts_ns: int) -> str:
    """UTC to the millisecond, as SQLite's and PostgreSQL's own functions understand it."""
    moment = datetime.fromtimestamp(ts_ns // _S_NS, UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{ts_ns % _S_NS // 1_000_000:03d}"
