# SPDX-License-Identifier: Apache-2.0
"""`trades.py`: the fills of two runs, side by side. Fills that agree in moment, symbol, side, price
and quantity belong together whatever else happened around them; what is left is paired in order of
time. Numbers of orders are shown but not compared: one order more at the start renumbers all.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from hean.backtest.result import FillRow
from hean.backtest.run import plain
from hean.core.types import Liquidity, OrderFilled, Side
from hean.data.fingerprint import iso_utc

PAIR_NS = 10_000_000_000  # fills further apart are two trades: no usual latency is as long


class Trade(msgspec.Struct, frozen=True, gc=False):
    """One fill. Money in quote currency."""

    ts_ns: int
    symbol: str
    side: Side
    price: Decimal
    qty: Decimal
    fee: Decimal
    liquidity: Liquidity
    order_id: str

    @property
    def place(self) -> tuple[object, ...]:
        """What two fills that belong together agree in, whatever they cost."""
        return self.ts_ns, self.symbol, self.side, self.price, self.qty

    def document(self) -> dict[str, str]:
        """For JSON and tables."""
        return {
            "time": iso_utc(self.ts_ns),
            "symbol": self.symbol,
            "side": self.side.value,
            "price": plain(self.price),
            "qty": plain(self.qty),
            "fee": plain(self.fee),
            "liquidity": self.liquidity.value,
            "order_id": self.order_id,
        }


_COMPARED = ("ts_ns", "price", "qty", "fee", "liquidity")
_WORDS = {"ts_ns": "time"}


class Pair(msgspec.Struct, frozen=True):
    """A trade of the recorded run and of the backtest; `None` where one side has none."""

    recorded: Trade | None
    backtest: Trade | None

    @property
    def differs(self) -> tuple[str, ...]:
        """Names of what differs; empty for the same trade."""
        one, other = self.recorded, self.backtest
        if one is None:
            return ("only in the backtest",)
        if other is None:
            return ("only recorded",)
        names = [name for name in _COMPARED if getattr(one, name) != getattr(other, name)]
        return tuple([_WORDS.get(name, name) for name in names])

    @property
    def ts_ns(self) -> int:
        """When it happened first."""
        return min(trade.ts_ns for trade in (self.recorded, self.backtest) if trade is not None)


def of_row(ts_ns: int, fill: OrderFilled) -> Trade:
    """A fill as a journal tells it; a fee in coins as what they are worth."""
    return Trade(
        ts_ns,
        fill.symbol,
        fill.side or Side.BUY,
        fill.fill_price,
        fill.filled_qty,
        fill.fee * fill.fill_price if fill.is_fee_in_base else fill.fee,
        fill.liquidity,
        fill.order_id,
    )


def of_recorder(fill: FillRow) -> Trade:
    """A fill as a run's recorder keeps it."""
    return Trade(
        fill.ts_ns,
        fill.symbol,
        fill.side,
        fill.price,
        fill.qty,
        fill.fee,
        fill.liquidity,
        fill.order_id,
    )


def match(recorded: Sequence[Trade], backtest: Sequence[Trade]) -> list[Pair]:
    """All trades of both sides, each in one pair, in order of time."""
    waiting: dict[tuple[object, ...], deque[int]] = defaultdict(deque)
    for number, trade in enumerate(backtest):
        waiting[trade.place].append(number)
    pairs, rest, used = [], [], set()
    for trade in recorded:
        if same := waiting.get(trade.place):
            used.add(same[0])
            pairs.append(Pair(trade, backtest[same.popleft()]))
        else:
            rest.append(trade)
    left = [trade for number, trade in enumerate(backtest) if number not in used]
    pairs.extend(_near(rest, left))
    return sorted(pairs, key=lambda pair: pair.ts_ns)


def _near(recorded: Iterable[Trade], backtest: Iterable[Trade]) -> list[Pair]:
    """Pair what is near in time, of one symbol and side, in order; the others stay alone."""
    waiting: dict[tuple[str, Side], deque[Trade]] = defaultdict(deque)
    for trade in backtest:
        waiting[trade.symbol, trade.side].append(trade)
    pairs = []
    for trade in recorded:
        others = waiting[trade.symbol, trade.side]
        while others and others[0].ts_ns < trade.ts_ns - PAIR_NS:
            pairs.append(Pair(None, others.popleft()))
        is_near = others and others[0].ts_ns <= trade.ts_ns + PAIR_NS
        pairs.append(Pair(trade, others.popleft() if is_near else None))
    pairs.extend(Pair(None, trade) for others in waiting.values() for trade in others)
    return pairs


def document_of(pair: Pair) -> dict[str, Any]:
    """Both sides for JSON."""
    return {
        "differs": list(pair.differs),
        "recorded": pair.recorded.document() if pair.recorded else None,
        "backtest": pair.backtest.document() if pair.backtest else None,
    }
