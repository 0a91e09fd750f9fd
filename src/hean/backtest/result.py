# SPDX-License-Identifier: Apache-2.0
"""`result.py`: what a run leaves behind. `RunRecord` is the raw material (samples, fills, prices);
`Trade` is a round trip made of fills. Both are plain data: the summary, the report and the tests
read them and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import msgspec
import numpy as np
import numpy.typing as npt

from hean.core.types import Liquidity, Side

ZERO = Decimal(0)
MONEY_UNIT = Decimal("0.00000001")
Times = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]


class FillRow(msgspec.Struct, frozen=True, gc=False):
    """One execution. *reference*: price when the order was decided, 0 if unknown."""

    ts_ns: int
    order_id: str
    symbol: str
    side: Side
    price: Decimal
    qty: Decimal
    fee: Decimal
    liquidity: Liquidity
    strategy_id: str
    reference: float


class Trade(msgspec.Struct, frozen=True, gc=False):
    """A round trip: from flat to flat, or to the other side. Money in quote currency.

    *qty*: largest position held. *entry_price*, *exit_price*: quantity-weighted. *pnl*: after
    fees, before funding.
    """

    symbol: str
    side: Side
    entry_ts_ns: int
    exit_ts_ns: int
    qty: Decimal
    entry_price: Decimal
    exit_price: Decimal
    fees: Decimal
    pnl: Decimal
    strategy_id: str


class RunRecord(msgspec.Struct):
    """Everything measured during a run.

    *sample_ts*, *equity*, *exposure*: one value each at regular times; exposure is the signed
    position value over equity. *prices*: per symbol, times and closes for the price chart.
    """

    sample_ts: Times
    equity: Values
    exposure: Values
    fills: list[FillRow]
    trades: list[Trade]
    prices: dict[str, tuple[Times, Values]]


class _Open:
    """A position being held."""

    __slots__ = ("entry_qty", "entry_value", "exit_qty", "exit_value", "fees", "held", "most",
                 "sign", "start_ns")  # fmt: skip

    def __init__(self, start_ns: int, sign: int) -> None:
        self.start_ns = start_ns
        self.sign = sign
        self.held = self.most = ZERO
        self.entry_qty = self.entry_value = self.exit_qty = self.exit_value = self.fees = ZERO


def round_trips(fills: Iterable[FillRow]) -> list[Trade]:
    """Round trips of each symbol in order of their exit; what is still open makes none.

    A fill that flips the position ends one trip and starts the next; its fee is split by quantity,
    in whole units of money, so that the shares add up to the fee.
    """
    opened: dict[str, _Open] = {}
    trades: list[Trade] = []
    for fill in fills:
        sign = 1 if fill.side is Side.BUY else -1
        left, unpaid = fill.qty, fill.fee
        while left:
            position = opened.get(fill.symbol)
            if position is None:
                position = opened[fill.symbol] = _Open(fill.ts_ns, sign)
            part = left if position.sign == sign else min(left, position.held)
            closes_fill = part == left
            share = unpaid if closes_fill else (fill.fee * part / fill.qty).quantize(MONEY_UNIT)
            position.fees += share
            unpaid -= share
            left -= part
            if position.sign == sign:
                position.held += part
                position.most = max(position.most, position.held)
                position.entry_qty += part
                position.entry_value += part * fill.price
                continue
            position.held -= part
            position.exit_qty += part
            position.exit_value += part * fill.price
            if not position.held:
                trades.append(_closed(fill, position))
                del opened[fill.symbol]
    return trades


def _closed(fill: FillRow, position: _Open) -> Trade:
    gross = (position.exit_value - position.entry_value) * position.sign
    return Trade(
        fill.symbol,
        Side.BUY if position.sign > 0 else Side.SELL,
        position.start_ns,
        fill.ts_ns,
        position.most,
        position.entry_value / position.entry_qty,
        position.exit_value / position.exit_qty,
        position.fees,
        gross - position.fees,
        fill.strategy_id,
    )
