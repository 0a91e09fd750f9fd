# SPDX-License-Identifier: Apache-2.0
"""`coin_fees.py`: fees that a spot venue takes in the coin that was bought. Of 0.010 BTC that are
bought 0.00999 can be sold, so the rest must leave the books. It leaves as a fact of its own,
`OrderFilled` under an id that begins with `venue-fee-`: what the venue kept, sold to it at the
price of the fill, and paid in whole to it as a fee. So the position is what is there to be sold,
cash is what it was, and the fee is money.

Books count whole lots and fees do not: what was kept is rounded up, and what was kept too much
counts for the next fees of the symbol. So a position is never above what is there, and less than
one lot below it, however many fees there were; each of those lots is paid for once, at the price of
the fill that first used of it. All of it follows from the fills alone, so the same journal gives
the same, and what a process had no time to tell, the next one tells.

A sale pays in its own coin only where coins of it are kept for fees: that waits for the next buy,
because a position that is sold must not be sold by more than it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from hean._core import Instrument
from hean.core.orders import KEPT
from hean.core.types import OrderFilled, Side

ZERO = Decimal(0)


class CoinFees:
    """What venues kept. *instruments*: in whose lots the books count; may grow."""

    def __init__(self, instruments: Mapping[str, Instrument]) -> None:
        self.pending: dict[str, OrderFilled] = {}
        """What follows from fills and has not been counted yet, by the id of its execution."""
        self._instruments = instruments
        self._owed: dict[str, Decimal] = {}  # by symbol; below 0: more was kept than was paid

    def after(self, fill: OrderFilled) -> OrderFilled | None:
        """A fill was counted. *Returns*: what the venue kept of it, to be told next."""
        if fill.is_kept:
            self.pending.pop(fill.exec_id, None)
            return None
        rules = self._instruments.get(fill.symbol)
        if not fill.is_fee_in_base or rules is None or rules.kind != "spot":
            return None
        owed = self._owed[fill.symbol] = self._owed.get(fill.symbol, ZERO) + fill.fee
        if owed <= 0 or fill.side is not Side.BUY:
            return None
        lot = rules.quantity_decimal(1)
        lots = owed // lot
        kept = min((lots if lots * lot == owed else lots + 1) * lot, fill.filled_qty)
        self._owed[fill.symbol] = owed - kept
        told = OrderFilled(
            f"{KEPT}{fill.exec_id}",
            fill.fill_price,
            kept,
            fill.symbol,
            Side.SELL,
            kept * fill.fill_price,
            f"fee-{fill.exec_id}",
            fill.liquidity,
            strategy_id=fill.strategy_id,
            executed_ns=fill.executed_ns,
        )
        self.pending[told.exec_id] = told
        return told
