# SPDX-License-Identifier: Apache-2.0
"""`sizing.py`: how much. Pure functions from opinion to quantity, and the one crossing from float
to exact number: a wished quantity is rounded towards zero onto the lot, a wished price onto the
tick on the side that does not flatter. Formulas: quant/methods 10.3 for the volatility target.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

from hean._core import Instrument
from hean.core.types import Side


class SizingMethod(StrEnum):
    """How a signal without a size gets one."""

    FIXED_FRACTION = "fixed_fraction"
    VOLATILITY_TARGET = "volatility_target"


class Sizing(msgspec.Struct, frozen=True):
    """Settings of sizing.

    *fraction*: of equity as position value, for the fixed fraction. *risk_fraction*: of equity
    lost when price moves by *stop_deviations* daily standard deviations, for the volatility
    target. *max_leverage*: no position value above so many equities.
    """

    method: SizingMethod = SizingMethod.FIXED_FRACTION
    fraction: float = 0.5
    risk_fraction: float = 0.01
    stop_deviations: float = 2.0
    max_leverage: float = 3.0


def position_value(sizing: Sizing, equity: float, *, strength: float, sigma_daily: float) -> float:
    """Value of the position to take, in quote currency.

    *strength*: 0 to 1. *sigma_daily*: standard deviation of daily returns; needed by the
    volatility target only, which takes no position while it is not known (0 or nan).
    """
    strength = min(max(strength, 0.0), 1.0)
    if sizing.method is SizingMethod.FIXED_FRACTION:
        value = equity * sizing.fraction
    elif sigma_daily > 0:
        value = equity * sizing.risk_fraction / (sigma_daily * sizing.stop_deviations)
    else:
        value = 0.0
    return max(min(value, equity * sizing.max_leverage), 0.0) * strength


def quantity_on_lot(instrument: Instrument, quantity: float) -> Decimal:
    """A wished quantity, never more than wished. *Raises*: `NumberNotFinite`."""
    return instrument.quantity_decimal(instrument.quantise_quantity(quantity))


def price_on_tick(instrument: Instrument, price: float, side: Side) -> Decimal:
    """A wished limit price: a buy is rounded down, a sell up. *Raises*: `NumberNotFinite`."""
    rounding = "down" if side is Side.BUY else "up"
    return instrument.price_decimal(instrument.quantise_price(price, rounding))


def trigger_on_tick(instrument: Instrument, price: float) -> Decimal:
    """A wished trigger price, to the nearest tick. *Raises*: `NumberNotFinite`."""
    return instrument.price_decimal(instrument.quantise_price(price, "nearest"))
