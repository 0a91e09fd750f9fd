# SPDX-License-Identifier: Apache-2.0
"""`config_views.py`: what others take from the settings: addresses, key, engine limits, and the
list that anybody may see. It reads no variable and no file.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, fields
from decimal import Decimal
from functools import reduce
from pathlib import Path
from typing import Any, cast

from hean.config_kinds import OFF, Address, OrOff
from hean.config_rows import Origin, Row, Source
from hean.config_table import JUDGES, ROWS, LimitSettings, Settings, walk
from hean.core.listing import MARK, listing_of, pair_of
from hean.errors import ParameterInvalid
from hean.secret import MASK, Secret
from hean.venues.endpoints import BOTH, Endpoints, Market, Markets, Place, endpoints_for
from hean.venues.signing import Signer

KINDS = {"spot": "spot", "perp": "linear"}  # a symbol's word for its market, and a venue's


def endpoints_of(settings: Settings) -> Endpoints:
    """The addresses of the chosen market. *Raises*: `ParameterInvalid`."""
    return _endpoints(settings, settings.exchange, cast(Market, settings.market))


def places_of(settings: Settings) -> list[Place]:
    """The markets that the symbols name, in order of first mention, each with its symbols; a part
    that a symbol leaves open is that of the settings. *Raises*: `ParameterInvalid`.
    """
    found: dict[tuple[str, Market], dict[str, str]] = {}
    for symbol in settings.symbols:
        pair, market, venue = listing_of(symbol)
        kind = cast(Market, settings.market if market is None else KINDS[market])
        names = found.setdefault((venue or settings.exchange, kind), {})
        if pair in names:
            raise ParameterInvalid(f"symbols: {names[pair]} and {symbol} are the same market.")
        names[pair] = symbol
    return [Place(_endpoints(settings, *where), names) for where, names in found.items()]


def live_market(settings: Settings) -> Markets:
    """Where live trading is: the chosen market, or both where symbols name them and they are one
    account. *Raises*: `ParameterInvalid` for anything else: orders go to one account.
    """
    named = [symbol for symbol in settings.symbols if MARK in symbol]
    if not named:
        return cast(Market, settings.market)
    places = {listing_of(symbol)[1:] for symbol in settings.symbols}
    if settings.exchange == "bybit" and places == {("spot", None), ("perp", None)}:
        return BOTH
    raise ParameterInvalid(
        f"symbols: {named[0]}: live trading is in one market, that of --exchange and --market; "
        f"write {pair_of(named[0])}. Or in both of bybit, each symbol with its own, as in "
        "BTCUSDT@spot and BTCUSDT@perp. Others: hean paper, hean backtest."
    )


def live_endpoints_of(settings: Settings) -> Endpoints:
    """The addresses of `live_market`. *Raises*: `ParameterInvalid`."""
    return _endpoints(settings, settings.exchange, live_market(settings))


def _endpoints(settings: Settings, exchange: str, market: Markets) -> Endpoints:
    given = {
        row.variable: value
        for key, row, value in walk(settings)
        if row is not None and row.variable and isinstance(row.kind, Address) and value is not None
    }
    return endpoints_for(exchange, market, testnet=settings.testnet, environment=given)


def keys_of(settings: Settings) -> tuple[Secret, Secret, str]:
    """The key of the chosen exchange: its own pair, or without any of that the general one.

    *Returns*: key, secret, and how messages call it.

    *Raises*: `ParameterInvalid` if a half is missing.
    """
    own = f"{settings.exchange}_"
    names = ("api_key", "api_secret")
    prefix = own if any(getattr(settings, f"{own}{name}") for name in names) else ""
    key, secret = (getattr(settings, f"{prefix}{name}") for name in names)
    for name, half in zip(names, (key, secret), strict=True):
        if half is None:
            variable = f"{prefix}{name}".upper()
            raise ParameterInvalid(f"{variable} is not set; give {variable} or {variable}_FILE.")
    return key, secret, f"{prefix}api_key".upper()


def signer_of(settings: Settings) -> Signer:
    """Signs with that key. *Raises*: `ParameterInvalid` if a half is missing."""
    return Signer(*keys_of(settings))


def engine_limits(limits: LimitSettings) -> dict[str, str]:
    """The limits as the order engine takes them; what is off is not there."""
    given = {entry.name: getattr(limits, entry.name) for entry in fields(limits)}
    return {
        name: str(value).lower() if isinstance(value, bool) else _digits(value)
        for name, value in given.items()
        if value is not None
    }


def option_of(key: str) -> str:
    """The option of a setting, for messages."""
    if (row := ROWS.get(key)) and row.option:
        return row.option
    section, _, name = key.rpartition(".")
    if section in JUDGES:
        return f"--set {key}"
    return f"--limit {name}" if section else f"--{name}"


def require(settings: Settings, *keys: str) -> None:
    """Refuse to start without these. *Raises*: `ParameterInvalid` naming every one that is missing
    and where it can be given.
    """
    missing = []
    for key in keys:
        value: Any = reduce(getattr, key.split("."), settings)
        if value is None or value == ():
            row = ROWS[key]
            ways = [option_of(key), *([row.variable] if row.variable else []), f"{key} in the file"]
            missing.append(f"{key} is not set; give {', or '.join(ways)}.")
    if missing:
        raise ParameterInvalid("\n  ".join(missing))


def scrub(environ: MutableMapping[str, str]) -> None:
    """Take the secrets out of an environment, so that no child process inherits them."""
    for row in ROWS.values():
        if row.is_secret and row.variable:
            environ.pop(row.variable, None)


@dataclass(frozen=True, slots=True)
class Shown:
    """A setting as anybody may see it: what is not public is masked, its length with it."""

    key: str
    value: Any
    source: str
    place: str
    variable: str | None
    unit: str
    meaning: str


def masked(settings: Settings) -> list[Shown]:
    """Every setting for display. A field that the table does not call public is masked, whatever
    its name; one without a value is `None`.
    """
    found = []
    for key, row, value in walk(settings):
        origin = settings.origins.get(key, Origin(Source.DEFAULT))
        found.append(
            Shown(
                key,
                _seen(row, value),
                str(origin.source),
                origin.place,
                row.variable if row else None,
                row.unit if row else "",
                row.meaning if row else "",
            )
        )
    return found


def _seen(row: Row | None, value: Any) -> Any:
    if value is None:
        return OFF if row is not None and isinstance(row.kind, OrOff) else None
    return _plain(value) if row is not None and row.is_public else MASK


def _plain(value: Any) -> Any:
    """As JSON has it: money and paths are text."""
    match value:
        case Decimal():
            return format(value, "f")
        case Path():
            return str(value)
        case tuple():
            return list(value)
        case Mapping():
            return dict(value)
    return value


def _digits(number: int | Decimal) -> str:
    return f"{number:f}" if isinstance(number, Decimal) else str(number)
