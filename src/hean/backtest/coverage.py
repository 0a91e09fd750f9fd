# SPDX-License-Identifier: Apache-2.0
"""`coverage.py`: is the data that decides fills there for the whole period? The finest stream of a
symbol alone makes its price. Where it ends while coarser bars go on, orders would fill at a price
of long ago that every later bar has moved away from: such a run is refused.
"""

from __future__ import annotations

from collections.abc import Mapping

from hean.data.fingerprint import iso_utc
from hean.data.schema import Kind
from hean.errors import DataInvalid
from hean.feeds.history import Market

_SLACK_NS = 60_000_000_000  # streams of one recording do not end at the same moment
_DEPTH, _QUOTES, _TRADES, _BARS = "depth", "quotes", "trades", "bars"
_FINEST_FIRST = (_DEPTH, _QUOTES, _TRADES, _BARS)


def refuse_stale_prices(markets: Mapping[str, Market], period_end_ns: int) -> None:
    """*Raises*: `DataInvalid` if the finest stream of a symbol ends before the period does and
    coarser ones do not."""
    for symbol, market in markets.items():
        streams = _last_times(market)
        if len(streams) < 2:
            continue
        (_, _, finest), *coarser = sorted(streams)
        end_ns = min(max(last for *_, last in coarser), period_end_ns)
        slack_ns = max(_SLACK_NS, min(step for _, step, _ in coarser))
        if finest + slack_ns < end_ns:
            kind = _FINEST_FIRST[min(streams)[0]]
            raise DataInvalid(
                f"{symbol}: {kind} decide fills and end at {iso_utc(finest)}, but the period goes "
                f"on to {iso_utc(end_ns)}; end it there, or leave the finer data out."
            )


def _last_times(market: Market) -> list[tuple[int, int, int]]:
    """Of each kind and bar length: rank by fineness, bar length, end of the last row."""
    found: dict[tuple[int, int], int] = {}

    def add(kind: str, step_ns: int, last_ns: int) -> None:
        key = (_FINEST_FIRST.index(kind), step_ns)
        found[key] = max(found.get(key, 0), last_ns)

    for columns in market.columns:
        if columns.kind in (Kind.CANDLES, Kind.TRADES) and columns.rows:
            step_ns = columns.step_ns or 0
            kind = _BARS if columns.kind is Kind.CANDLES else _TRADES
            add(kind, step_ns, int(columns.ts[-1]) + step_ns)
    for capture in market.captures:
        tables = ((_DEPTH, capture.depth), (_QUOTES, capture.quotes), (_TRADES, capture.trades))
        for kind, table in tables:
            if len(table["ts_ns"]):
                add(kind, 0, int(table["ts_ns"][-1]))
    return [(rank, step_ns, last_ns) for (rank, step_ns), last_ns in found.items()]
