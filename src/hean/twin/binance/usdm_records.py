# SPDX-License-Identifier: Apache-2.0
"""`usdm_records.py`: what an account of the USD-M futures has behind it: fills and income, kept
from the exchange's events because the exchange itself only knows how things stand.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hean.twin.binance.usdm_shapes import money
from hean.twin.binance.words import ms
from hean.twin.orders import Execution

if TYPE_CHECKING:
    from hean.twin.binance.call import Call

FILLS_KEPT = 20_000  # per account, as many as its orders
INCOMES_KEPT = 20_000
FIRST_ID = 9_000_000_000


@dataclass(slots=True)
class Records:
    """History of one account. *incomes*: rows of `/fapi/v1/income`, oldest first."""

    fills: deque[Execution] = field(default_factory=lambda: deque(maxlen=FILLS_KEPT))
    incomes: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=INCOMES_KEPT))
    is_multi: bool = False
    """Multi-assets mode; the twin's accounts hold one coin, so it changes nothing else."""

    def note(self, execution: Execution) -> None:
        """Keep an execution and what it earned or cost."""
        if execution.kind == "funding":
            self._income("FUNDING_FEE", -execution.fee, execution, trade="")
            return
        self.fills.append(execution)
        trade = str(execution.trade_number)
        if execution.closed:
            self._income("REALIZED_PNL", execution.realized, execution, trade=trade)
        if execution.fee:
            self._income("COMMISSION", -execution.fee, execution, trade=trade)

    def _income(self, kind: str, amount: Decimal, execution: Execution, *, trade: str) -> None:
        row = {
            "symbol": execution.market.symbol,
            "incomeType": kind,
            "income": money(amount),
            "asset": execution.fee_coin,
            "info": trade or kind,
            "time": ms(execution.ts_ns),
            "tranId": FIRST_ID + execution.number,  # unique among incomes of a kind
            "tradeId": trade,
        }
        self.incomes.append(row)


def records_of(call: Call) -> Records:
    """The history of the account that asks."""
    return call.dialect.usdm_users.records(call.account)
