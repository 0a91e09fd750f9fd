# SPDX-License-Identifier: Apache-2.0
"""From the text of an option to a value: symbols, pairs, money, moments, limits and the files of a
run. Whatever does not fit is refused here, before anything is read, with option, value and what
is allowed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TypeVar

from hean._core import OrderEngine
from hean.backtest.assumptions import (
    Assumptions,
    LatencyModel,
    parse_fees,
    parse_latency,
    parse_slippage,
)
from hean.core.listing import MARK, listing_of
from hean.core.parameters import Value
from hean.core.timeframe import timeframe_ns
from hean.data.catalog import Catalog
from hean.data.identity import CAPTURE_SUFFIXES, DATA_SUFFIXES
from hean.data.problems import shown
from hean.data.schema import Kind
from hean.errors import DataInvalid, HeanError, InputError, ParameterInvalid, UnknownSymbol
from hean.risk.sizing import Sizing, SizingMethod, parse_record
from hean.system import LIMITS, AccountSettings

Parsed = TypeVar("Parsed")

AMOUNT_MIN = Decimal("0.00000001")  # the finest unit that anything is counted in
MONEY_MAX = Decimal(10) ** 12  # a million times a million: beyond it is a slip of the keyboard
LEVERAGE_MAX = Decimal(125)  # the most either venue offers
FEE_RANGE = (Decimal("-0.01"), Decimal("0.1"))
FRACTION_MAX = 125.0
TIMEOUT_MAX_S = 86_400.0  # of one event's handlers
SLIPPAGE = "half_spread=0.00005,impact=0.5"
HALF_SPREAD_MAX = 0.1
IMPACT_MAX = 100.0
LATENCY_MAX_NS = 3600e9
FIRST_MOMENT = datetime(2009, 1, 1, tzinfo=UTC)  # before the first block there is no price
LAST_MOMENT = datetime(2200, 1, 1, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def symbols_of(names: Sequence[str]) -> tuple[str, ...]:
    """`BTC/USDT`, `btcusdt` and `BTCUSDT` are the same. *Raises*: `UnknownSymbol`."""
    return _each_once(map(_pair_of, names))


def listings_of(names: Sequence[str]) -> tuple[str, ...]:
    """As `symbols_of`, each with its market where it is named: `BTCUSDT@spot`."""
    symbols = []
    for name in names:
        pair, mark, market = name.partition(MARK)
        symbol = _pair_of(pair) + mark + market
        listing_of(symbol)
        symbols.append(symbol)
    return _each_once(symbols)


def _pair_of(name: str) -> str:
    plain = name.replace("/", "").upper()
    if not name.isascii() or not re.fullmatch(r"[A-Z0-9]{2,20}", plain):
        raise UnknownSymbol(
            f"--symbol {shown(name)}; give letters and digits such as BTCUSDT or BTC/USDT."
        )
    return plain


def _each_once(symbols: Iterable[str]) -> tuple[str, ...]:
    found: list[str] = []
    for symbol in symbols:
        if symbol in found:
            raise ParameterInvalid(f"--symbol {symbol} is given twice.")
        found.append(symbol)
    return tuple(found)


def params_of(pairs: Sequence[str]) -> dict[str, Value]:
    """`name=value` each. *Raises*: `ParameterInvalid`."""
    return dict(pairs_of(pairs, "--param"))


def pairs_of(pairs: Sequence[str], option: str) -> dict[str, str]:
    """`name=value` each, every name once. *Raises*: `ParameterInvalid`."""
    return dict(_pair(text, option) for text in _once(pairs, option))


def limits_of(pairs: Sequence[str]) -> dict[str, str]:
    """The default hard limits with those given; `name=off` switches one off.

    *Raises*: `UnknownField` naming the nearest limit, `ParameterInvalid`, `NotADecimal`.
    """
    limits = dict(LIMITS)
    for text in _once(pairs, "--limit"):
        name, value = _pair(text, "--limit")
        if name == "leverage_max":
            raise ParameterInvalid("--limit leverage_max follows --leverage; set that.")
        # The engine knows the names; `off` still has to be one of them.
        try:
            OrderEngine([], {name: "1" if value == "off" else value}, unlimited=True)
        except ParameterInvalid:
            if value != "off":
                raise
        if value == "off":
            limits.pop(name, None)
        else:
            limits[name] = value
    return limits


def amount_of(text: str, option: str, *, high: Decimal = MONEY_MAX) -> Decimal:
    """A decimal above 0. *Raises*: `ParameterInvalid`."""
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise ParameterInvalid(f"{option} {shown(text)}; give a decimal number.") from None
    if not text.isascii() or "_" in text:
        raise ParameterInvalid(f"{option} {shown(text)}; give plain digits.")
    if not amount.is_finite() or not AMOUNT_MIN <= amount <= high:
        raise ParameterInvalid(f"{option} {shown(text)}; allowed: {AMOUNT_MIN:f} to {high:f}.")
    return amount


def fraction_of(value: float, option: str, *, high: float) -> float:
    """A number above 0. *Raises*: `ParameterInvalid`."""
    if not math.isfinite(value) or not 0 < value <= high:
        raise ParameterInvalid(f"{option} {value:g}; allowed: above 0, at most {high:g}.")
    return value


def sizing_of(method: SizingMethod, fraction: float, track_record: str | None) -> Sizing:
    """How a signal without a size gets one. *Raises*: `ParameterInvalid`, also for a record that
    the method does not look at.
    """
    if track_record is None:
        return Sizing(method, fraction)
    if method is not SizingMethod.KELLY:
        raise ParameterInvalid(f"--track-record is for --sizing kelly; this is {method}.")
    record = _named("--track-record", parse_record, track_record)
    return Sizing(method, fraction, record=record)


def period_of(start: str | None, end: str | None) -> tuple[int | None, int | None]:
    """First and last moment in ns; the first must come first. *Raises*: `ParameterInvalid`."""
    first, last = _moment(start, "--start"), _moment(end, "--end")
    if first is not None and last is not None and first >= last:
        raise ParameterInvalid(f"--start {start} is not before --end {end}; exchange them.")
    return first, last


def assumptions_of(
    fees: str | None, latency: str, slippage: str, *, queue: str, leverage: Decimal
) -> Assumptions:
    """How the simulated exchange behaves. *Raises*: `ParameterInvalid`."""
    maker, taker = (None, None) if fees is None else _named("--fees", parse_fees, fees)
    for name, fee in (("maker", maker), ("taker", taker)):
        if fee is not None and not FEE_RANGE[0] <= fee <= FEE_RANGE[1]:
            raise ParameterInvalid(
                f"--fees {name}={fee:f}; allowed: {FEE_RANGE[0]} to {FEE_RANGE[1]}, as a fraction "
                "of value: 0.05 % is 0.0005."
            )
    half_spread, impact = _named("--slippage", parse_slippage, slippage)
    if not 0 <= half_spread <= HALF_SPREAD_MAX or not 0 <= impact <= IMPACT_MAX:
        raise ParameterInvalid(
            f"--slippage {shown(slippage)}; allowed: half_spread 0 to {HALF_SPREAD_MAX:g} "
            f"(a fraction of price), impact 0 to {IMPACT_MAX:g}."
        )
    delay = _latency(latency)
    return Assumptions(
        maker,
        taker,
        delay,
        delay,
        half_spread=half_spread,
        impact=impact,
        queue_model=queue,
        leverage=leverage,
    )


def account_of(
    cash: str,
    leverage: str,
    sizing: tuple[SizingMethod, float, str | None],
    *,
    limits: Sequence[str],
) -> AccountSettings:
    """Money and rules of the account. *sizing*: method, fraction and track record. *Raises*:
    `ParameterInvalid`.
    """
    method, fraction, track_record = sizing
    return AccountSettings(
        amount_of(cash, "--cash"),
        amount_of(leverage, "--leverage", high=LEVERAGE_MAX),
        sizing_of(method, fraction_of(fraction, "--fraction", high=FRACTION_MAX), track_record),
        limits_of(limits),
    )


def bar_of(text: str) -> str:
    """A bar length. *Raises*: `ParameterInvalid`."""
    try:
        timeframe_ns(text)
    except HeanError as error:
        raise ParameterInvalid(f"--bar {shown(text)}: {error.message}") from error
    return text


def files_of(paths: Sequence[Path]) -> list[Path]:
    """Files, and the data files of folders, in order. *Raises*: `InputError`."""
    files: list[Path] = []
    for path in paths:
        try:
            found = _inside(path) if path.is_dir() else [path]
        except OSError as error:
            raise DataInvalid(f"--data {shown(str(path))}: {error.strerror or error}.") from error
        if not found:
            known = ", ".join((*DATA_SUFFIXES, *CAPTURE_SUFFIXES))
            raise InputError(f"--data {path}: a folder without data files ({known}).")
        files.extend(found)
    if doubled := [file for i, file in enumerate(files) if file in files[:i]]:
        raise ParameterInvalid(f"--data {doubled[0]} is given twice.")
    return files


def catalog_files(data_dir: Path, symbols: Sequence[str]) -> list[Path]:
    """What `hean data import` has kept of these symbols: the one entry of prices of each, with its
    funding. *Raises*: `DataInvalid` if there is none, or more than one to choose from.
    """
    catalog = Catalog(data_dir.expanduser())
    files = []
    for symbol in symbols:
        pair, market, venue = listing_of(symbol)
        prices = [
            entry
            for kind in (Kind.CANDLES, Kind.TRADES)
            for entry in catalog.find(kind, pair, market=market, venue=venue)
        ]
        if len(prices) != 1:
            there = ", ".join(str(entry.path) for entry in prices) or "nothing"
            raise DataInvalid(
                f"no --data, and the catalog in {data_dir} has {there} for {symbol}; name the "
                "files with --data, or import them: hean data import FILE..."
            )
        place = {name: prices[0].facts[name] for name in ("venue", "market")}
        files.append(prices[0].path)
        files.extend(entry.path for entry in catalog.find(Kind.FUNDING, pair, **place))
    return files


def _inside(folder: Path) -> list[Path]:
    return sorted(
        file
        for file in folder.rglob("*")
        if not file.name.startswith(".")
        and file.is_file()
        and file.name.endswith((*DATA_SUFFIXES, *CAPTURE_SUFFIXES))
    )


def _once(pairs: Sequence[str], option: str) -> Sequence[str]:
    names = [text.partition("=")[0].strip() for text in pairs]
    for i, name in enumerate(names):
        if name in names[:i]:
            raise ParameterInvalid(f"{option} {shown(name)} is given twice.")
    return pairs


def _pair(text: str, option: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip() or not value.strip():
        raise ParameterInvalid(f"{option} {shown(text)}; give name=value.")
    return name.strip(), value.strip()


def _moment(text: str | None, option: str) -> int | None:
    """ISO 8601 to nanoseconds; without an offset it is UTC."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ParameterInvalid(
            f"{option} {shown(text)}: {error}; give ISO 8601 such as 2025-01-31 or "
            "2025-01-31T12:00:00."
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    if not FIRST_MOMENT <= moment <= LAST_MOMENT:
        raise ParameterInvalid(
            f"{option} {shown(text)}; allowed: {FIRST_MOMENT.year} to {LAST_MOMENT.year}."
        )
    return (moment - EPOCH) // timedelta(microseconds=1) * 1_000


def _named(option: str, parse: Callable[[str], Parsed], text: str) -> Parsed:
    """What *parse* makes of a text; its error names the option."""
    try:
        return parse(text)
    except ParameterInvalid as error:
        raise ParameterInvalid(f"{option} {shown(text)}: {error.message}") from error


def _latency(text: str) -> LatencyModel:
    model = _named("--latency", parse_latency, text)
    if any(value > LATENCY_MAX_NS for value in model.values_ns):
        raise ParameterInvalid(f"--latency {shown(text)}; allowed: at most one hour.")
    return model
