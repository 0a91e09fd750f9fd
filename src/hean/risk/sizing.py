# SPDX-License-Identifier: Apache-2.0
"""`sizing.py`: how much. Pure functions from opinion to quantity, and the one crossing from float
to exact number: a wished quantity is rounded towards zero onto the lot, a wished price onto the
tick on the side that does not flatter. The arithmetic is in Rust (`crates/core/src/sizing.rs`),
where native runs share it. Formulas: quant/methods 10.3 for the volatility target, 10.1 for Kelly.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

from hean import _core
from hean._core import Amount, Instrument
from hean.core.types import Side
from hean.errors import ParameterInvalid

Numbers = tuple[
    float, float, float, float, tuple[tuple[float, float, float, float] | None, float, float]
]
RECORD_RANGES = {
    "sharpe": (-10.0, 10.0),  # beyond it is a slip of the keyboard, or a leak
    "volatility": (1e-4, 100.0),
    "years": (0.01, 200.0),
    "strategies": (1.0, 1e6),
}


class SizingMethod(StrEnum):
    """How a signal without a size gets one."""

    FIXED_FRACTION = "fixed_fraction"
    VOLATILITY_TARGET = "volatility_target"
    KELLY = "kelly"


class TrackRecord(msgspec.Struct, frozen=True):
    """What was recorded of a strategy out of sample, net of cost and deflated.

    *sharpe*: a year. *volatility*: of its returns a year, per unit of position value. *years*:
    length of the record. *strategies*: how many means were estimated on it, this one included.
    """

    sharpe: float
    volatility: float
    years: float
    strategies: int = 1

    @property
    def numbers(self) -> tuple[float, float, float, float]:
        """As the Rust core takes them."""
        return self.sharpe, self.volatility, self.years, float(self.strategies)


class Sizing(msgspec.Struct, frozen=True):
    """Settings of sizing.

    *fraction*: of equity as position value, for the fixed fraction. *risk_fraction*: of equity
    lost when price moves by *stop_deviations* daily standard deviations, for the volatility
    target. *max_leverage*: no position value above so many equities. *record*: what Kelly goes by;
    without one it takes *exploration_fraction* of equity. *kelly_share_max*: no larger part of the
    full Kelly fraction, however good the record.
    """

    method: SizingMethod = SizingMethod.FIXED_FRACTION
    fraction: float = 0.5
    risk_fraction: float = 0.01
    stop_deviations: float = 2.0
    max_leverage: float = 3.0
    record: TrackRecord | None = None
    kelly_share_max: float = 0.25  # SHARE_MAX of hean.quant.kelly, which loads NumPy
    exploration_fraction: float = 0.05  # methods 10.4: what all that is on trial may share

    @property
    def numbers(self) -> Numbers:
        """The settings as the Rust core takes them."""
        record = None if self.record is None else self.record.numbers
        kelly = (record, self.kelly_share_max, self.exploration_fraction)
        return self.fraction, self.risk_fraction, self.stop_deviations, self.max_leverage, kelly


def parse_record(text: str) -> TrackRecord:
    """`sharpe=1.2,volatility=0.6,years=3,strategies=20`; without *strategies* it is 1.
    *Raises*: `ParameterInvalid`.
    """
    found: dict[str, float] = {}
    for part in text.split(","):
        name, _, given = (each.strip() for each in part.partition("="))
        if name not in RECORD_RANGES or name in found:
            known = ", ".join(RECORD_RANGES)
            raise ParameterInvalid(f"{part.strip()!r}; give each of {known} once.")
        try:
            found[name] = float(given)
        except ValueError:
            raise ParameterInvalid(f"{name} is {given!r}; give a number.") from None
        low, high = RECORD_RANGES[name]
        is_whole = name != "strategies" or found[name].is_integer()
        if not low <= found[name] <= high or not is_whole:
            kind = "a number" if name != "strategies" else "a whole number"
            raise ParameterInvalid(f"{name} is {given}; allowed: {kind} from {low:g} to {high:g}.")
    missing = [name for name in RECORD_RANGES if name not in found and name != "strategies"]
    if missing:
        raise ParameterInvalid(f"{', '.join(missing)} missing.")
    count = int(found.get("strategies", 1))
    return TrackRecord(found["sharpe"], found["volatility"], found["years"], count)


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
