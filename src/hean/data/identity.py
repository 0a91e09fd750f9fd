# SPDX-License-Identifier: Apache-2.0
"""Who a file speaks of: venue, market, symbol, kind and bar length, read from its name
(`binance_perp_BTCUSDT_5m_2024-12-31_2025-10-31.parquet`) or from its place in the catalog
(`catalog/binance/perp/BTCUSDT/candles_5m.parquet`). What the caller says must agree with the name;
what the columns say is checked later. Nothing is guessed: a part nobody states stays `None`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from hean.data.problems import Problem, Problems, shown
from hean.data.schema import MARKETS, SYMBOL_PATTERN, TIMEFRAMES_S, VENUE_PATTERN, Kind

_MARKET = "|".join(MARKETS)
_FRAME = r"[0-9]+[smhdw]"
_NAME = re.compile(
    rf"(?P<venue>[a-z][a-z0-9]*)_(?P<market>{_MARKET})_(?P<symbol>[^_.]+)"
    rf"(?:_(?P<timeframe>{_FRAME}))?(?:_(?P<label>trades|flow|raw))?(?:_[0-9].*)?"
)
_ENTRY = re.compile(rf"(?P<kind>[a-z]+)(?:_(?P<timeframe>{_FRAME}))?(?:_\d{{4}}-\d\d-\d\d)?")
_KINDS = frozenset(kind.value for kind in Kind)
_LABELS = {"trades": Kind.TRADES, "flow": Kind.FLOW, "raw": Kind.BOOK}
CATALOG_DIRECTORY = "catalog"
DATA_SUFFIXES = (".parquet", ".csv", ".csv.gz")
CAPTURE_SUFFIXES = (".txt.gz", ".jsonl.gz", ".zip", ".txt", ".jsonl")


@dataclass(frozen=True, slots=True)
class Identity:
    """What is stated about a file; `None` where nothing is stated."""

    venue: str | None = None
    market: str | None = None
    symbol: str | None = None
    timeframe: str | None = None
    kind: Kind | None = None


def suffix_of(path: Path) -> str:
    """The known ending of a file name in lower case, or an empty text."""
    name = path.name.lower()
    for suffix in (*DATA_SUFFIXES, *CAPTURE_SUFFIXES):
        if name.endswith(suffix):
            return suffix
    return ""


def from_path(path: Path) -> Identity:
    """Identity by file name or catalog place; all `None` if neither convention fits."""
    stem = path.name[: len(path.name) - len(suffix_of(path))]
    folders = path.parts[-5:-1]
    entry = _ENTRY.fullmatch(stem)
    if len(folders) == 4 and folders[0] == CATALOG_DIRECTORY and entry:
        kind = entry["kind"]
        if kind in _KINDS and folders[2] in MARKETS:
            return Identity(folders[1], folders[2], folders[3], entry["timeframe"], Kind(kind))
    match = _NAME.fullmatch(stem)
    if match is None:
        return Identity()
    return Identity(
        match["venue"],
        match["market"],
        match["symbol"],
        match["timeframe"],
        _LABELS.get(match["label"] or ""),
    )


def resolve(stated: Identity, named: Identity, problems: Problems) -> Identity:
    """Join what the caller states with what the name says; a contradiction is a fatal problem."""
    parts: dict[str, str | None] = {}
    for part in ("venue", "market", "symbol", "timeframe", "kind"):
        told, name = getattr(stated, part), getattr(named, part)
        if told is not None and name is not None and told != name:
            problems.add(
                Problem(f"{part} contradicts the file name", got=shown(told), expected=shown(name)),
                fatal=True,
            )
        parts[part] = told if told is not None else name
    kind = parts.pop("kind")
    _check_parts(parts, problems)
    return Identity(**parts, kind=None if kind is None else Kind(kind))


def _check_parts(parts: dict[str, str | None], problems: Problems) -> None:
    symbol, venue = parts["symbol"], parts["venue"]
    if symbol is not None and not is_symbol(symbol):
        problems.add(symbol_problem(symbol), fatal=True)
    if venue is not None and not VENUE_PATTERN.fullmatch(venue):
        problems.add(
            Problem("not a venue name", got=shown(venue), expected="lower case letters, digits"),
            fatal=True,
        )
    if parts["market"] is not None and parts["market"] not in MARKETS:
        problems.add(
            Problem("unknown market", got=shown(parts["market"]), expected=", ".join(MARKETS)),
            fatal=True,
        )
    if parts["timeframe"] is not None and parts["timeframe"] not in TIMEFRAMES_S:
        known = ", ".join(TIMEFRAMES_S)
        problems.add(
            Problem("unknown timeframe", got=shown(parts["timeframe"]), expected=known), fatal=True
        )


def is_symbol(text: str) -> bool:
    """Whether a text is a canonical symbol, `BTCUSDT`."""
    return text.isascii() and SYMBOL_PATTERN.fullmatch(text) is not None


def symbol_problem(text: str) -> Problem:
    """Why a text is no symbol, with the canonical spelling if there is an obvious one."""
    plain = re.sub(r"[-/_ ]", "", text.split(":")[0]).upper()
    hint = f"canonical {plain}" if is_symbol(plain) else "2 to 30 of A-Z and 0-9, like BTCUSDT"
    return Problem("not a canonical symbol", column="symbol", got=shown(text), expected=hint)
