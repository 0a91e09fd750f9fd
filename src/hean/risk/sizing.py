# SPDX-License-Identifier: Apache-2.0
"""`sizing.py`: how much. Pure functions from opinion to quantity, and the one crossing from float
to exact number: a wished quantity is rounded towards zero onto the lot, a wished price onto the
tick on the side that does not flatter. The arithmetic is in Rust (`crates/core/src/sizing.rs`),
where native runs share it. Formulas: quant/methods 10.3 for the volatility target.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

from hean import _core
from hean._core import Amount, Instrument
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

    @property
    def numbers(self) -> tuple[float, float, float, float]:
        """The settings as the Rust core takes them."""
        return self.fraction, self.risk_fraction, self.stop_deviations, self.max_leverage


def position_value(sizing: Sizing, equity: float, *, strength: float, sigma_daily: float) -> float:
    """Value of the position to take, in quote currency.

    *strength*: 0 to 1. *sigma_daily*: standard deviation of daily returns; needed by the
    volatility target only, which takes no position while it is not known (0 or nan).
    """
    return _core.position_value(
        sizing.method, sizing.numbers, equity=equity, strength=strength, sigma_daily=sigma_daily
    )


def sized_quantity(
    sizing: Sizing,
    instrument: Instrument,
    *,
    equity: Amount | Decimal,
    reference: float,
    strength: float,
    sigma_daily: float,
) -> Decimal:
    """Base units to trade at *reference*: the position value, rounded towards zero onto the lot.

    *Raises*: `OrderSizeInvalid` for less than one lot, `NumberNotFinite`.
    """
    return _core.sized_quantity(
        instrument,
        sizing.method,
        sizing.numbers,
        equity=equity,
        reference=reference,
        strength=strength,
        sigma_daily=sigma_daily,
    )


def price_on_tick(instrument: Instrument, price: float, side: Side) -> Decimal:
    """A wished limit price: a buy is rounded down, a sell up. *Raises*: `NumberNotFinite`."""
    rounding = "down" if side is Side.BUY else "up"
    return instrument.price_decimal(instrument.quantise_price(price, rounding))


def trigger_on_tick(instrument: Instrument, price: float) -> Decimal:
    """A wished trigger price, to the nearest tick. *Raises*: `NumberNotFinite`."""
    return instrument.price_decimal(instrument.quantise_price(price, "nearest"))
