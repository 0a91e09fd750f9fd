# SPDX-License-Identifier: Apache-2.0
"""`perpetuals.py`: arithmetic of perpetual contracts beyond the ledger, which keeps the books of
linear ones exactly and knows their margins. Here: how a venue makes a funding rate, what a fill
costs, and contracts whose money is the coin itself (inverse), where a contract is one quote unit
and profit is in coins. *side*: `Side.BUY` for a long position. Rates are fractions.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import numpy as np
import numpy.typing as npt

from hean.core.vocabulary import Side
from hean.errors import DataInvalid, ParameterInvalid
from hean.quant import checks

CLAMP = 0.0005  # Bybit and Binance, of the difference between interest and premium
SETTLEMENTS_PER_DAY = 3  # every eight hours, where the contract does not say otherwise


# ---------------------------------------------------------------- funding


def average_premium(premiums: npt.ArrayLike) -> float:
    """Average premium index of a funding interval, oldest first: weights 1 to n, so that the last
    minute counts most. *Source*: Bybit help centre, Binance funding rate FAQ.
    """
    found = checks.series("premiums", premiums)
    weights = np.arange(1, len(found) + 1, dtype=np.float64)
    return float(weights @ found / weights.sum())


def interest_rate(
    quote_daily: float, base_daily: float, *, per_day: int = SETTLEMENTS_PER_DAY
) -> float:
    """Interest part of one settlement: what lending quote earns a day more than lending base."""
    return (quote_daily - base_daily) / per_day


def funding_rate(
    premium: float, interest: float, *, clamp: float = CLAMP, cap: float | None = None
) -> float:
    """`F = P + clamp(I - P, -c, c)`, then within *cap* on both sides where the venue has one."""
    rate = premium + min(max(interest - premium, -clamp), clamp)
    return rate if cap is None else min(max(rate, -cap), cap)


# ---------------------------------------------------------------- costs and margin, linear


def trading_fee(quantity: Decimal, price: Decimal, rate: Decimal) -> Decimal:
    """Fee of a linear fill, in quote."""
    return abs(quantity) * price * rate


def return_on_margin(profit: Decimal, initial_margin: Decimal, closing_fee: Decimal) -> Decimal:
    """Profit over position margin, which is initial margin and the fee of closing at the bankruptcy
    price. *Source*: Bybit help centre, "P&L calculations (USDT contract)".
    """
    return profit / (initial_margin + closing_fee)


def with_added_margin(price: Decimal, side: Side, quantity: Decimal, extra: Decimal) -> Decimal:
    """Where a linear liquidation or bankruptcy price goes when *extra* quote is added to the
    margin of the isolated position.
    """
    return price - extra / quantity if side is Side.BUY else price + extra / quantity


# ---------------------------------------------------------------- inverse


def inverse_entry(fills: Iterable[tuple[float, float]]) -> float:
    """Average entry of fills (contracts, price) on one side: harmonic, because coins add up."""
    pairs = list(fills)
    coins = sum(contracts / price for contracts, price in pairs)
    if not coins > 0.0:
        raise DataInvalid("an average entry needs at least one fill with positive numbers.")
    return sum(contracts for contracts, _ in pairs) / coins


def inverse_profit(side: Side, contracts: float, entry: float, price: float) -> float:
    """Coins earned between *entry* and *price*: `Q (1 / entry - 1 / price)` for a long."""
    return _sign(side) * contracts * (1.0 / entry - 1.0 / price)


def inverse_bankruptcy(
    side: Side, contracts: float, entry: float, *, margin: float, taker: float = 0.0
) -> float | None:
    """Price at which loss and closing fee have used up *margin*, coins: the whole balance if cross,
    the initial margin if isolated. `None` where no positive price does it.
    """
    _require(contracts, entry)
    sign = _sign(side)
    return _positive_ratio(contracts * (sign + taker), margin + sign * contracts / entry)


def inverse_liquidation(
    side: Side, contracts: float, entry: float, *, margin: float, maintenance_rate: float,
    taker: float = 0.0,
) -> float | None:  # fmt: skip
    """Price at which loss has left no more of *margin* than maintenance, by entry value, and the
    fee of closing at the bankruptcy price. `None` where no positive price does it.
    *Source*: Bybit help centre, "Liquidation price (inverse contract)".
    """
    bankruptcy = inverse_bankruptcy(side, contracts, entry, margin=margin, taker=taker)
    if bankruptcy is None:
        return None
    coins = contracts / entry
    cushion = margin - maintenance_rate * coins - taker * contracts / bankruptcy
    sign = _sign(side)
    return _positive_ratio(sign * contracts, cushion + sign * coins)


def _sign(side: Side) -> float:
    return 1.0 if side is Side.BUY else -1.0


def _positive_ratio(numerator: float, denominator: float) -> float | None:
    return numerator / denominator if numerator * denominator > 0.0 else None


def _require(contracts: float, entry: float) -> None:
    if not contracts > 0.0 or not entry > 0.0:
        raise ParameterInvalid(f"{contracts} contracts at {entry}; both are above 0.")
