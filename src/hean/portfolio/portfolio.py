# SPDX-License-Identifier: Apache-2.0
"""`portfolio.py`: what we own and what it earned. Every fill, fee and funding payment goes into
the exact Rust ledger at once; the rest of the system is told by `PNL_UPDATE`, at most once a
second of market time, because only the newest counts. Positions are valued when somebody asks or
is told: a price alone is not news to the ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

from msgspec.structs import replace

from hean._core import Amount, Instrument, Ledger
from hean.core.module import Module, on
from hean.core.types import Event, EventType, Funding, OrderFilled, PnlUpdate, Timer
from hean.errors import LedgerBroken

TELL_EVERY_NS = 1_000_000_000  # people and limits on equity need no more; fills may come in bursts
TIMER = "portfolio.tell"
ZERO = Decimal(0)


class Portfolio(Module):
    """The account.

    *cash*: quote currency at the start. *reference*: last price of a symbol, `None` while there
    is none. *leverage*: of perpetuals. *ledger*: the books of an earlier process, to go on with.
    """

    name = "portfolio"
    truth = True
    produces = (EventType.PNL_UPDATE,)

    def __init__(
        self,
        cash: Decimal,
        instruments: Mapping[str, Instrument],
        *,
        reference: Callable[[str], float | None],
        leverage: Decimal,
        ledger: Ledger | None = None,
    ) -> None:
        self.ledger = ledger or Ledger(cash, list(instruments.values()), leverage=leverage)
        self.reference = reference
        self.symbols = tuple(instruments)
        self._told_ns = -TELL_EVERY_NS
        self._is_due = False

    @on(EventType.ORDER_FILLED)
    def on_filled(self, event: Event) -> None:
        """Book a fill and its fee."""
        fill: OrderFilled = event.data
        if fill.side is None:
            raise LedgerBroken(f"fill {fill.exec_id} of {fill.order_id} has no side.")
        book_fill(self.ledger, fill)
        self._tell_soon(event.ts_ns)

    @on(EventType.FUNDING)
    def on_funding(self, event: Event) -> None:
        """Book a funding settlement of a held perpetual."""
        if book_funding(self.ledger, event.data):
            self._tell_soon(event.ts_ns)

    @on(EventType.TIMER)
    def on_timer(self, event: Event) -> None:
        """Tell what was held back."""
        if event.data.name == TIMER:
            self._is_due = False
            self._tell(event.ts_ns)

    def value(self) -> float:
        """Equity at the last prices, for charts; also moves peak and drawdown."""
        self._mark()
        return self.ledger.observe_equity()

    def equity(self) -> Amount:
        """Equity at the last prices, exact."""
        self._mark()
        return self.ledger.equity_amount

    def valued(self) -> PnlUpdate:
        """What the account is worth at the last prices, as it is told."""
        self.value()
        ledger = self.ledger
        equity, unrealized = ledger.equity, ledger.unrealized
        total = equity - ledger.deposits
        return PnlUpdate(
            total,
            total - unrealized,
            unrealized,
            equity,
            ledger.fees,
            ledger.funding_total,
            ledger.max_drawdown_fraction,
        )

    def _mark(self) -> None:
        for symbol in self.symbols:
            price = self.reference(symbol)
            if price is not None:
                self.ledger.mark(symbol, price)

    def _tell_soon(self, now_ns: int) -> None:
        if now_ns - self._told_ns >= TELL_EVERY_NS:
            self._tell(now_ns)
        elif not self._is_due:
            self._is_due = True
            self.context.clock.call_at(self._told_ns + TELL_EVERY_NS, Timer(TIMER))

    def _tell(self, now_ns: int) -> None:
        self._told_ns = now_ns
        self.context.emit(self.valued())


def book_fill(ledger: Ledger, fill: OrderFilled) -> None:
    """Book a fill, and its fee if that is money; a fee in coins is told by a fact of its own."""
    ledger.book(fill if fill.is_fee_in_quote else replace(fill, fee=ZERO))


def book_funding(ledger: Ledger, funding: Funding) -> bool:
    """Settle a payment: the amount that the venue names, else by rate and mark price on what is
    held. *Returns*: whether money moved.
    """
    if funding.amount is not None:
        if not funding.is_in_quote:
            return False
        ledger.receive_funding(funding.symbol, funding.amount)
        return True
    if funding.mark_price is None or not ledger.is_held(funding.symbol):
        return False
    ledger.funding(funding.symbol, funding.rate, funding.mark_price)
    return True
