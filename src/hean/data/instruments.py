# SPDX-License-Identifier: Apache-2.0
"""The rules of a symbol for simulation: tick, lot, sizes, margin tiers, fees. They come from the
table `instruments.toml`; the recorded prices decide which of a symbol's ticks was in force. For a
symbol the table does not know, tick and lot are derived from the decimals of the data, and
`assumptions` says so in words. Mark prices are no market: nothing can be bought there.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from hean._core import Instrument
from hean.data.reader import Columns
from hean.data.schema import Kind
from hean.errors import UnknownSymbol

_DECIMALS_MAX = 8
_STEP_DECIMALS_MAX = 12  # one lot at one tick may not be finer than 1e-12 quote
_GRID_TOLERANCE = 1e-4  # ticks, as in the core
_FLOAT_ERROR = 4 * np.finfo(np.float64).eps
_PRICE_COLUMNS = {Kind.CANDLES: ("open", "high", "low", "close"), Kind.TRADES: ("price",)}
_SIZE_COLUMN = {Kind.CANDLES: "volume", Kind.TRADES: "qty"}
_KINDS = {"spot": "spot", "perp": "linear"}

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Fees:
    """Fee fractions of an order's value."""

    maker: Decimal
    taker: Decimal


class Terms(msgspec.Struct, frozen=True):
    """What an instrument is made of, as plain data: another process makes the same one of it."""

    name: str
    kind: str
    tick: str
    lot: str
    quantity_max: str | None = None
    notional_min: str | None = None
    tiers: tuple[tuple[str, str, str, str], ...] = ()

    def instrument(self) -> Instrument:
        """The instrument."""
        return Instrument(
            self.name,
            self.kind,
            self.tick,
            self.lot,
            quantity_max=self.quantity_max,
            notional_min=self.notional_min,
            tiers=list(self.tiers),
        )


@dataclass(frozen=True, slots=True)
class Rules:
    """What a simulation needs to know about a symbol, and what was assumed in saying so. *terms*:
    what the instrument was made of, where that is known.
    """

    instrument: Instrument
    fees: Fees
    tick: str
    lot: str
    assumptions: tuple[str, ...]
    terms: Terms | None = None


def instrument_for(
    venue: str, market: str, symbol: str, *, tick: str | None = None, name: str | None = None
) -> Instrument:
    """The instrument of a known symbol; *tick* overrides today's step with a historic one, *name*
    is what it is called where that is not its symbol alone.

    *Raises*: `UnknownSymbol`, naming the known symbols of that venue and market.
    """
    return _terms(venue, market, symbol, tick=tick, name=name).instrument()


def _terms(venue: str, market: str, symbol: str, *, tick: str | None, name: str | None) -> Terms:
    row = _table()["instruments"].get(f"{venue}.{market}.{symbol}")
    if row is None:
        prefix = f"{venue}.{market}."
        keys = _table()["instruments"]
        known = [key.removeprefix(prefix) for key in keys if key.startswith(prefix)]
        listed = ", ".join(known) if known else "none"
        raise UnknownSymbol(f"no trading rules for {venue} {market} {symbol}; known: {listed}")
    return Terms(
        name or symbol,
        _KINDS[market],
        tick or row["tick"],
        row["lot"],
        quantity_max=row.get("quantity_max"),
        notional_min=row["notional_min"],
        tiers=tuple(tiers_of(f"{venue}.{market}.{symbol}")),
    )


def is_known(venue: str, market: str, symbol: str) -> bool:
    """Whether the table has trading rules for it."""
    return f"{venue}.{market}.{symbol}" in _table()["instruments"]


def fees_for(venue: str | None, market: str) -> Fees:
    """Default fees of a venue's market, of an account without discounts."""
    fees = _table()["fees"]
    row = fees.get(f"{venue}.{market}") or fees[f"*.{market}"]
    return Fees(Decimal(row["maker"]), Decimal(row["taker"]))


def rules_for(columns: Sequence[Columns], name: str | None = None) -> Rules:
    """The rules that fit recorded columns of one symbol: the coarsest listed tick on which every
    recorded price lies, or steps derived from the data. *name*: as of `instrument_for`.
    """
    first = columns[0]
    market, symbol = first.market or "spot", first.symbol
    if market not in _KINDS:
        raise UnknownSymbol(f"{market} prices of {symbol} are not traded; use the perp's own data")
    said = [] if first.market else [f"{symbol}: market not stated, taken as spot"]
    fees = fees_for(first.venue, market)
    prices = _joined(columns, _PRICE_COLUMNS)
    row = _table()["instruments"].get(f"{first.venue}.{market}.{symbol}")
    for tick in [row["tick"], *row.get("ticks_historic", ())] if row else []:
        if on_grid(prices, float(tick)):
            if tick != row["tick"]:
                said.append(
                    f"{symbol}: recorded with tick {tick}, finer than today's {row['tick']}"
                )
            terms = _terms(str(first.venue), market, symbol, tick=tick, name=name)
            return Rules(terms.instrument(), fees, tick, row["lot"], tuple(said), terms)
    tick, lot = _derived(prices, _joined(columns, _SIZE_COLUMN))
    said.append(f"{symbol}: tick {tick} and lot {lot} derived from the data's decimals")
    terms = Terms(name or symbol, _KINDS[market], tick, lot)
    return Rules(terms.instrument(), fees, tick, lot, tuple(said), terms)


def on_grid(prices: Floats, tick: float) -> bool:
    """Whether every price is a whole number of ticks, as far as doubles can tell."""
    scaled = prices / tick
    allowed = np.maximum(_GRID_TOLERANCE, _FLOAT_ERROR * np.abs(scaled))
    return bool((np.abs(scaled - np.round(scaled)) <= allowed).all())


@cache
def _table() -> dict[str, Any]:
    text = files("hean.data").joinpath("instruments.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def tiers_of(key: str) -> list[tuple[str, str, str, str]]:
    """The tier table of `venue.perp.SYMBOL`, empty if unknown, with the deductions that make
    maintenance margin continuous.
    """
    tiers: list[tuple[str, str, str, str]] = []
    floor, rate, deduction = Decimal(0), Decimal(0), Decimal(0)
    for row in _table()["tiers"].get(key, []):
        maintenance = Decimal(row["maintenance"])
        deduction += floor * (maintenance - rate)
        tiers.append((row["cap"], row["initial"], row["maintenance"], f"{deduction:f}"))
        floor, rate = Decimal(row["cap"]), maintenance
    return tiers


def _joined(columns: Sequence[Columns], names: dict[Kind, Any]) -> Floats:
    """All distinct values of the named columns of all files."""
    found = [np.empty(0)]
    for part in columns:
        wanted = names.get(part.kind, ())
        for name in (wanted,) if isinstance(wanted, str) else wanted:
            found.append(np.unique(part.values[name]))
    return np.concatenate(found)


def _derived(prices: Floats, sizes: Floats) -> tuple[str, str]:
    price_decimals = _decimals(prices)
    size_decimals = min(_decimals(sizes), _STEP_DECIMALS_MAX - price_decimals)
    return _step(price_decimals), _step(size_decimals)


def _decimals(values: Floats) -> int:
    for decimals in range(_DECIMALS_MAX):
        if on_grid(values, 10.0**-decimals):
            return decimals
    return _DECIMALS_MAX


def _step(decimals: int) -> str:
    return f"{Decimal(1).scaleb(-decimals):f}"
