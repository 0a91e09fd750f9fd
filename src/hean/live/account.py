# SPDX-License-Identifier: Apache-2.0
"""`account.py`: what is asked about an account before its first trade."""

from __future__ import annotations

from decimal import Decimal

from hean.errors import ParameterInvalid
from hean.venues.codec import Codec
from hean.venues.reports import Ask


async def opening_cash(codec: Codec, ask: Ask, asset: str) -> Decimal:
    """What the account holds of *asset*, with which the books of a new journal open.

    *Raises*: `ParameterInvalid` when there is none.
    """
    found = {balance.asset: balance.total for balance in (await codec.balances(ask)).rows}
    cash = found.get(asset, Decimal(0))
    if cash <= 0:
        held = ", ".join(sorted(found)) or "nothing"
        raise ParameterInvalid(
            f"the account of {codec.name} holds no {asset} (it holds {held}); bring some in, or "
            "say with --cash how much the strategy may count on."
        )
    return cash
