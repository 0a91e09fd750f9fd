# SPDX-License-Identifier: Apache-2.0
"""`listing.py`: the trading rules of symbols, from the venue's own answer. Only the symbols that
are wanted are read, so that a broken rule of a stranger stops nobody; a broken rule of a wanted
symbol stops at once, naming symbol and field, because an order built on it would be refused or
worse. Fees are the venue's public ones; an account's own are not known here. Leverage tiers are
public at Bybit; Binance shows them to account holders only, so HEAN's table stands in for them.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, InvalidOperation

from hean._core import Instrument
from hean.data.instruments import Fees, fees_for, tiers_of
from hean.errors import HeanError, InstrumentInvalid, UnknownSymbol
from hean.feeds.rest import MS_NS, Market
from hean.feeds.rest_binance import BinanceRest, Filter, SymbolRow
from hean.feeds.rest_bybit import BybitRest, InstrumentRow, RiskRow, read_instruments

NEAREST_SHOWN = 3
QUANTITY_MAX = Decimal(10) ** 15  # stands for "no largest order"; beyond it lots overflow
RATE_ERROR = Decimal("0.05")  # leverage is printed rounded: 66.67 for a rate of 0.015
STATUSES: Mapping[str, frozenset[str]] = {
    "bybit": frozenset({"PreLaunch", "Trading", "Delivering", "Closed", "Settling"}),
    "binance": frozenset(
        {"TRADING", "END_OF_DAY", "HALT", "BREAK", "CANCEL_ONLY", "PRE_TRADING", "POST_TRADING"}
        | {"AUCTION_MATCH", "PENDING_TRADING", "PRE_DELIVERING", "DELIVERING", "DELIVERED"}
        | {"PRE_SETTLE", "SETTLING", "CLOSE"}
    ),
}
TRADING = frozenset({"Trading", "TRADING"})
PERPETUAL = frozenset({"LinearPerpetual", "PERPETUAL", "TRADIFI_PERPETUAL"})

TierTexts = tuple[str, str, str, str]
"""Largest position value, initial rate, maintenance rate, deduction."""


@dataclass(frozen=True, slots=True)
class Stated:
    """What a venue says about a symbol, in its own words; "" for what it does not say. Fields are
    keyed by the name under which the venue has them, for messages.
    """

    symbol: str
    base: str
    quote: str
    status: str
    contract: str
    tick: tuple[str, str]
    lot: tuple[str, str]
    quantity_min: tuple[str, str]
    quantity_max: tuple[str, str]
    notional_min: tuple[str, str]
    price_min: str = ""
    price_max: str = ""
    market_quantity_max: str = ""
    launch_ms: int = 0
    funding_interval_s: int | None = None
    tiers: tuple[TierTexts, ...] = ()


@dataclass(frozen=True, slots=True)
class Listed:
    """A symbol as a venue lists it now. *status*: the venue's word; *fees*: of an account without
    discounts; *launch_ns*: when trading began, `None` if the venue does not say;
    *funding_interval_s*: of perpetuals, where stated with the symbol.
    """

    symbol: str
    base: str
    quote: str
    status: str
    instrument: Instrument
    tick: Decimal
    lot: Decimal
    quantity_min: Decimal
    quantity_max: Decimal | None
    market_quantity_max: Decimal | None
    notional_min: Decimal
    fees: Fees
    launch_ns: int | None
    funding_interval_s: int | None
    tiers: tuple[TierTexts, ...] = field(repr=False)

    @property
    def is_trading(self) -> bool:
        """Whether orders are accepted."""
        return self.status in TRADING


async def load_instruments(
    rest: BybitRest | BinanceRest, symbols: Sequence[str]
) -> dict[str, Instrument]:
    """The instruments of symbols. *Raises*: as `load_listing`."""
    return {name: row.instrument for name, row in (await load_listing(rest, symbols)).items()}


async def load_listing(rest: BybitRest | BinanceRest, symbols: Sequence[str]) -> dict[str, Listed]:
    """Ask the venue for its rules.

    *Raises*: `UnknownSymbol` naming the nearest listed symbols; `InstrumentInvalid` naming symbol
    and field of a rule that cannot hold.
    """
    if isinstance(rest, BybitRest):
        rows = {row.symbol: row for row in await rest.instruments()}
        for symbol in symbols:
            if symbol not in rows:
                rows |= await _named(rest, symbol)
        known(rest.venue, rest.market, symbols, rows)
        stated = []
        for symbol in symbols:
            tiers = await rest.risk_tiers(symbol) if rest.market == "linear" else []
            stated.append(stated_by_bybit(rows[symbol], rest.market, tiers))
    else:
        listed = {row.symbol: row for row in (await rest.exchange()).symbols}
        known(rest.venue, rest.market, symbols, listed)
        stated = [stated_by_binance(listed[symbol], rest.market) for symbol in symbols]
    return {item.symbol: listed_from(rest.venue, rest.market, item) for item in stated}


async def _named(rest: BybitRest, symbol: str) -> dict[str, InstrumentRow]:
    """A symbol that does not trade at the moment: Bybit shows it to whoever names it."""
    asked = {"category": rest.market, "symbol": symbol}
    try:
        page = await rest.get("/v5/market/instruments-info", asked, read_instruments)
    except UnknownSymbol:
        return {}
    return {row.symbol: row for row in page.rows}


def known(venue: str, market: Market, symbols: Sequence[str], listed: Iterable[str]) -> None:
    """*Raises*: `UnknownSymbol` for the first symbol that is not listed."""
    names = list(listed)
    for symbol in symbols:
        if symbol not in names:
            near = difflib.get_close_matches(symbol, names, NEAREST_SHOWN, 0.0)
            hint = f"nearest: {', '.join(near)}" if near else "it lists nothing"
            raise UnknownSymbol(f"{venue} {market} does not list {symbol[:40]!a}; {hint}.")


def stated_by_bybit(row: InstrumentRow, market: Market, tiers: Sequence[RiskRow]) -> Stated:
    """A row of `instruments-info` with the rows of `risk-limit`."""
    lots, is_spot = row.lot_size_filter, market == "spot"
    limit = lots.max_limit_order_qty or lots.max_order_qty
    return Stated(
        symbol=row.symbol,
        base=row.base_coin,
        quote=row.quote_coin,
        status=row.status,
        contract=row.contract_type,
        tick=("tickSize", row.price_filter.tick_size),
        lot=("basePrecision", lots.base_precision) if is_spot else ("qtyStep", lots.qty_step),
        quantity_min=("minOrderQty", lots.min_order_qty),
        quantity_max=("maxOrderQty", limit),
        notional_min=("minOrderAmt", lots.min_order_amt)
        if is_spot
        else ("minNotionalValue", lots.min_notional_value),
        price_min=row.price_filter.min_price,
        price_max=row.price_filter.max_price,
        market_quantity_max=lots.max_market_order_qty or lots.max_mkt_order_qty,
        launch_ms=int(row.launch_time) if row.launch_time.isdigit() else 0,
        funding_interval_s=row.funding_interval * 60 or None,
        tiers=tiers_of_bybit(row.symbol, tiers),
    )


def tiers_of_bybit(symbol: str, rows: Sequence[RiskRow]) -> tuple[TierTexts, ...]:
    """Tiers by rising value. The venue prints rates as fractions, older answers as percents; which
    one it is follows from the largest leverage beside them. Deductions it leaves out are computed
    so that maintenance margin does not jump between tiers.
    """
    tiers: list[TierTexts] = []
    floor, rate, deduction = Decimal(0), Decimal(0), Decimal(0)
    mine = [row for row in rows if row.symbol == symbol]
    for row in sorted(mine, key=lambda row: number(symbol, "riskLimitValue", row.risk_limit_value)):
        cap = number(symbol, "riskLimitValue", row.risk_limit_value)
        initial = number(symbol, "initialMargin", row.initial_margin)
        maintenance = number(symbol, "maintenanceMargin", row.maintenance_margin)
        product = initial * number(symbol, "maxLeverage", row.max_leverage)
        if abs(product / 100 - 1) < RATE_ERROR:
            initial, maintenance = initial / 100, maintenance / 100
        elif abs(product - 1) >= RATE_ERROR:
            raise broken(symbol, "initialMargin", row.initial_margin, f"1/{row.max_leverage}")
        if not rate <= maintenance <= initial:
            said = f"{rate} .. {initial}"
            raise broken(symbol, "maintenanceMargin", row.maintenance_margin, said)
        deduction += floor * (maintenance - rate)
        if row.mm_deduction:
            deduction = number(symbol, "mmDeduction", row.mm_deduction)
        tiers.append((f"{cap:f}", f"{initial:f}", f"{maintenance:f}", f"{deduction:f}"))
        floor, rate = cap, maintenance
    return tuple(tiers)


def stated_by_binance(row: SymbolRow, market: Market) -> Stated:
    """A symbol of exchangeInfo; its filters by name."""
    filters = {found.filter_type: found for found in row.filters}
    nothing = Filter("")
    prices = filters.get("PRICE_FILTER", nothing)
    lots = filters.get("LOT_SIZE", nothing)
    market_lots = filters.get("MARKET_LOT_SIZE", nothing)
    value = filters.get("NOTIONAL") or filters.get("MIN_NOTIONAL", nothing)
    tiers = tiers_of(f"binance.perp.{row.symbol}") if market == "linear" else []
    return Stated(
        symbol=row.symbol,
        base=row.base_asset,
        quote=row.quote_asset,
        status=row.status,
        contract=row.contract_type,
        tick=("PRICE_FILTER.tickSize", prices.tick_size),
        lot=("LOT_SIZE.stepSize", lots.step_size),
        quantity_min=("LOT_SIZE.minQty", lots.min_qty),
        quantity_max=("LOT_SIZE.maxQty", lots.max_qty),
        notional_min=("MIN_NOTIONAL.notional", value.notional)
        if market == "linear"
        else ("NOTIONAL.minNotional", value.min_notional),
        price_min=prices.min_price,
        price_max=prices.max_price,
        market_quantity_max=market_lots.max_qty,
        launch_ms=row.onboard_date,
        tiers=tuple(tiers),
    )


def listed_from(venue: str, market: Market, stated: Stated) -> Listed:
    """Check every rule and build the instrument. *Raises*: `InstrumentInvalid`."""
    symbol = stated.symbol
    if stated.status not in STATUSES[venue]:
        allowed = ", ".join(sorted(STATUSES[venue]))
        raise broken(symbol, "status", stated.status, allowed)
    if market == "linear" and stated.contract not in PERPETUAL:
        raise broken(symbol, "contractType", stated.contract, "a perpetual")
    tick, lot = step(symbol, *stated.tick), step(symbol, *stated.lot)
    low = number(symbol, *stated.quantity_min)
    high = number(symbol, *stated.quantity_max) if stated.quantity_max[1] else Decimal(0)
    high = high or QUANTITY_MAX  # a zero switches the bound off
    low_lots = max(lot, onto(low, lot, ROUND_CEILING))
    high_lots = onto(min(high, QUANTITY_MAX), lot, ROUND_FLOOR)
    if low_lots > high_lots:
        name = f"{stated.quantity_min[0]} > {stated.quantity_max[0]}"
        raise broken(symbol, name, f"{low} > {high}", "smallest order <= largest")
    _check_prices(stated)
    notional = number(symbol, *stated.notional_min) if stated.notional_min[1] else Decimal(0)
    biggest = stated.market_quantity_max
    try:
        instrument = Instrument(
            symbol,
            market,
            f"{tick:f}",
            f"{lot:f}",
            quantity_min=f"{low_lots:f}",
            quantity_max=f"{high_lots:f}",
            notional_min=f"{notional:f}",
            tiers=list(stated.tiers),
        )
    except HeanError as error:
        raise InstrumentInvalid(f"{symbol}: {error.message}") from error
    return Listed(
        symbol=symbol,
        base=stated.base,
        quote=stated.quote,
        status=stated.status,
        instrument=instrument,
        tick=tick,
        lot=lot,
        quantity_min=low_lots,
        quantity_max=None if high >= QUANTITY_MAX else high_lots,
        market_quantity_max=number(symbol, "market maxQty", biggest) if biggest else None,
        notional_min=notional,
        fees=fees_for(venue, "perp" if market == "linear" else "spot"),
        launch_ns=stated.launch_ms * MS_NS or None,
        funding_interval_s=stated.funding_interval_s,
        tiers=stated.tiers,
    )


def _check_prices(stated: Stated) -> None:
    """A zero switches a bound off."""
    low = number(stated.symbol, "minPrice", stated.price_min or "0")
    high = number(stated.symbol, "maxPrice", stated.price_max or "0")
    if high and low > high:
        raise broken(stated.symbol, "minPrice > maxPrice", f"{low} > {high}", "low <= high")


def step(symbol: str, name: str, text: str) -> Decimal:
    """A grid step above zero. *Raises*: `InstrumentInvalid`."""
    value = number(symbol, name, text)
    if not value:
        raise broken(symbol, name, text, "a step above 0")
    return value.normalize() if value < 1 else value


def number(symbol: str, name: str, text: str) -> Decimal:
    """A decimal of at least 0. *Raises*: `InstrumentInvalid`."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise broken(symbol, name, text, "a decimal") from None
    if not value.is_finite() or value < 0:
        raise broken(symbol, name, text, "0 or more")
    return value


def onto(value: Decimal, lot: Decimal, rounding: str) -> Decimal:
    """A quantity on the lot grid."""
    return (value / lot).to_integral_value(rounding) * lot


def broken(symbol: str, name: str, got: str, allowed: str) -> InstrumentInvalid:
    """The error of a rule that cannot hold."""
    return InstrumentInvalid(
        f"{symbol}: {name} is {got[:40]!a}, allowed: {allowed}; the venue's listing cannot be used."
    )
