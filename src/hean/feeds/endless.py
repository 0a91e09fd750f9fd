# SPDX-License-Identifier: Apache-2.0
"""`endless.py`: a generated market as the source of a paper session. The market is made a minute at
a time and handed to the simulated venue just before it is played, so a session may last for days
in the same memory. `pace` ties market time to the wall clock, at any speed.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import numpy as np
import numpy.typing as npt

from hean._core import Instrument, SimVenue
from hean.core.ports import Instant
from hean.core.types import EventType
from hean.data.fingerprint import Fingerprint
from hean.data.instruments import Fees, Rules
from hean.feeds.generated import CHUNK_NS, GeneratedMarket, MarketChunk
from hean.feeds.history import NANOSECONDS, Market
from hean.venues.sim import SimulatedVenue

FEES = Fees(Decimal("0.0002"), Decimal("0.00055"))  # Bybit's list price for perpetuals

Pace = Callable[[int], bool]
"""Told the time of the next instant; waits for it; says whether to go on."""


class GeneratedHistory:
    """What a backtest wants to know of its market, for a market that is still being made."""

    def __init__(self, market: GeneratedMarket, duration_ns: int) -> None:
        self.market = market
        self.start_ns = market.start_ns
        self.end_ns = market.start_ns + duration_ns
        self.fingerprints: list[Fingerprint] = []
        self.notes = [f"market generated from seed {market.seed}, not recorded"]
        self.markets: dict[str, Market] = {}
        self._closes: dict[str, list[tuple[int, float]]] = {}
        self._streams: dict[str, tuple[int, int, int]] = {}
        self._minute = 0
        for model in market.symbols:
            instrument = Instrument(model.symbol, "linear", model.tick, model.lot)
            rules = Rules(instrument, FEES, model.tick, model.lot, ())
            self.markets[model.symbol] = Market(model.symbol, rules)
            self._closes[model.symbol] = []

    @property
    def made_until_ns(self) -> int:
        """End of the last minute handed over."""
        return self.start_ns + self._minute * CHUNK_NS

    def feed(self, core: SimVenue) -> None:
        """Hand the next minute to a venue that lists the symbols and has played all before."""
        for symbol, chunk in self.market.chunk(self._minute).items():
            self._streams[symbol] = _hand_over(core, symbol, chunk, self._streams.get(symbol))
            if len(chunk.bid):
                middle = float(chunk.bid[-1] + chunk.ask[-1]) / 2
                self._closes[symbol].append((int(chunk.quote_ts[-1]), middle))
        self._minute += 1

    def closes(self, symbol: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """Times (ns) and middle prices, one a minute."""
        rows = self._closes[symbol]
        times = np.array([ts for ts, _ in rows], np.int64)
        return times, np.array([price for _, price in rows], np.float64)


class EndlessMarket:
    """Source of a paper session on a generated market; orders go to *venue* itself."""

    def __init__(self, venue: SimulatedVenue, history: GeneratedHistory, *, pace: Pace) -> None:
        self.venue = venue
        self.history = history
        self.pace = pace

    def subscribe(self, wanted: frozenset[EventType]) -> None:
        """Offer only what somebody handles."""
        self.venue.subscribe(wanted)

    def next(self, horizon_ns: int | None) -> Instant | None:
        """The next instant, made when it is needed; `None` when the pace says stop."""
        while True:
            made_ns = self.history.made_until_ns
            limit_ns = made_ns if horizon_ns is None else min(horizon_ns, made_ns)
            instant = self.venue.next(limit_ns)
            if instant is not None and (instant[1] or limit_ns == horizon_ns):
                return instant if self.pace(instant[0]) else None
            self.history.feed(self.venue.core)


def _hand_over(
    core: SimVenue, symbol: str, chunk: MarketChunk, streams: tuple[int, int, int] | None
) -> tuple[int, int, int]:
    """Add a minute's columns, or continue the streams they belong to. *Returns*: the streams."""
    trades, quotes, funding = streams or (None, None, None)
    four = [chunk.bid, chunk.bid_qty, chunk.ask, chunk.ask_qty]
    return (
        core.add_trades(
            symbol,
            chunk.trade_ts,
            NANOSECONDS,
            chunk.trade_price,
            chunk.trade_qty,
            chunk.trade_side,
            refill=trades,
        ),
        core.add_quotes(symbol, chunk.quote_ts, NANOSECONDS, four, refill=quotes),
        core.add_funding(symbol, chunk.funding_ts, NANOSECONDS, chunk.funding_rate, refill=funding),
    )
