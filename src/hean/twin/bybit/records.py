# SPDX-License-Identifier: Apache-2.0
"""`records.py`: what an account can read back: its executions, its transaction log and the profit
of what it closed. Written as executions happen, because balances and mark prices of that moment are
part of the answer; the newest are kept.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from hean.twin.account import Account
from hean.twin.bybit import words
from hean.twin.orders import ZERO, Execution, Order

EXECUTIONS_KEPT = 20_000  # an account's, as many as its orders
LOG_KEPT = 20_000
CLOSED_KEPT = 10_000


@dataclass(slots=True, frozen=True)
class Booked:
    """An execution and the prices of its moment."""

    number: int
    execution: Execution
    mark: Decimal
    index: Decimal


@dataclass(slots=True)
class Closed:
    """Profit of the closing order *order*; values in quote."""

    number: int
    order: Order
    execution: Execution
    size: Decimal = ZERO
    entry_value: Decimal = ZERO
    exit_value: Decimal = ZERO
    profit: Decimal = ZERO
    open_fee: Decimal = ZERO
    close_fee: Decimal = ZERO
    fills: int = 0
    leverage: Decimal = ZERO
    updated_ns: int = 0


@dataclass(slots=True, frozen=True)
class Entry:
    """One line of the transaction log; *fields*: as they are answered."""

    number: int
    ts_ns: int
    fields: dict[str, Any]


@dataclass(slots=True)
class History:
    """One account's."""

    executions: deque[Booked] = field(default_factory=lambda: deque(maxlen=EXECUTIONS_KEPT))
    log: deque[Entry] = field(default_factory=lambda: deque(maxlen=LOG_KEPT))
    closed: deque[Closed] = field(default_factory=lambda: deque(maxlen=CLOSED_KEPT))
    open_fees: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    """Fees paid for what is open now, by symbol and side of the position."""


class Records:
    """Of all accounts."""

    def __init__(self) -> None:
        self._histories: dict[int, History] = {}
        self._lines = 0

    def of(self, account: Account) -> History:
        """An account's history."""
        return self._histories.setdefault(account.number, History())

    def note(self, execution: Execution) -> None:
        """Write an execution down."""
        history = self.of(execution.account)
        market = execution.market
        history.executions.append(
            Booked(execution.number, execution, market.mark or market.last, market.index)
        )
        if market.listing.market == "linear":
            if execution.kind != "funding":
                self._note_closed(history, execution)
            self._note_contract(history, execution)
        else:
            self._note_spot(history, execution)

    def _note_closed(self, history: History, execution: Execution) -> None:
        """Split the fee into what opened and what closed, and book the closed part."""
        order = execution.order
        key = (execution.market.symbol, execution.position_side)
        share = execution.closed / execution.quantity
        paid = history.open_fees.get(key, ZERO)
        position = execution.account.position(execution.market, execution.position_side)
        opening_fee = execution.fee * (1 - share)
        if not execution.closed or order is None:
            history.open_fees[key] = paid + opening_fee
            return
        held = abs(position.size) + execution.closed if share == 1 else execution.closed
        part = paid * execution.closed / held
        history.open_fees[key] = paid - part + opening_fee
        row = history.closed[-1] if history.closed else None
        if row is None or row.order is not order:
            row = Closed(execution.number, order, execution)
            row.leverage = execution.account.leverage_of(execution.market.symbol)
            history.closed.append(row)
        direction = 1 if execution.side == "SELL" else -1
        exit_value = execution.closed * execution.price
        row.size += execution.closed
        row.exit_value += exit_value
        row.entry_value += exit_value - execution.realized * direction
        row.open_fee += part
        row.close_fee += execution.fee * share
        row.profit += execution.realized - part - execution.fee * share
        row.fills += 1
        row.updated_ns = execution.ts_ns

    def _note_contract(self, history: History, execution: Execution) -> None:
        is_funding = execution.kind == "funding"
        fee = ZERO if is_funding else execution.fee
        funding = -execution.fee if is_funding else ZERO
        self._write(
            history,
            execution,
            currency=execution.fee_coin,
            cash=execution.realized,
            fee=fee,
            funding=funding,
            kind="SETTLEMENT" if is_funding else "TRADE",
        )

    def _note_spot(self, history: History, execution: Execution) -> None:
        listing = execution.market.listing
        bought = execution.quantity if execution.side == "BUY" else -execution.quantity
        for coin, cash in ((listing.base, bought), (listing.quote, -bought * execution.price)):
            fee = execution.fee if coin == execution.fee_coin else ZERO
            self._write(history, execution, currency=coin, cash=cash, fee=fee)

    def _write(
        self,
        history: History,
        execution: Execution,
        *,
        currency: str,
        cash: Decimal,
        fee: Decimal,
        funding: Decimal = ZERO,
        kind: str = "TRADE",
    ) -> None:
        self._lines += 1
        account, market, order = execution.account, execution.market, execution.order
        category = market.listing.market
        size = ZERO
        if category == "linear":
            size = abs(account.position(market, execution.position_side).size)
        balance = account.wallet(category).get(currency, ZERO)
        fields = {
            "id": f"{account.number}_{market.symbol}_{self._lines}",
            "symbol": market.symbol,
            "category": category,
            "side": words.SIDE_NAMES[execution.side],
            "transactionTime": words.ms(execution.ts_ns),
            "type": kind,
            "transSubType": "",
            "qty": words.number(execution.quantity),
            "size": words.number(size),
            "currency": currency,
            "tradePrice": market.listing.price_text(execution.price),
            "funding": words.amount(funding) if kind == "SETTLEMENT" else "",
            "fee": words.amount(fee),
            "cashFlow": words.amount(cash),
            "change": words.amount(cash + funding - fee),
            "cashBalance": words.amount(balance),
            "feeRate": words.number(execution.fee_rate),
            "bonusChange": "",
            "tradeId": words.execution_id(execution),
            "orderId": "" if order is None else order.order_id,
            "orderLinkId": "" if order is None else order.client_id,
            "extraFees": "",
        }
        history.log.append(Entry(self._lines, execution.ts_ns, fields))
