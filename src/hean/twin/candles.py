# SPDX-License-Identifier: Apache-2.0
"""`candles.py`: one-minute candles of a twin's market, with a made-up past so that clients can warm
up, and every longer interval read off them. The past is a seeded walk that ends at the first
price; it is drawn, not recorded, and has no other purpose.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass

import numpy as np

MINUTE_MS = 60_000
DAY_MS = 86_400_000
PAST_MINUTES = 60 * 24 * 45
PAST_MOVE_SD = 5e-4  # of a minute's log return, as the generated market's
KEPT_MINUTES = PAST_MINUTES + 60 * 24 * 30
WEEK_OFFSET_MS = 4 * DAY_MS  # the epoch was a Thursday; weeks open on Monday
WEEK_MS = 7 * DAY_MS


@dataclass(slots=True)
class Candle:
    """One candle; *start_ms* opens it. *buy_volume*, *buy_turnover*: where the taker bought."""

    start_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float = 0.0
    turnover: float = 0.0
    trades: int = 0
    buy_volume: float = 0.0
    buy_turnover: float = 0.0

    def add(self, other: Candle) -> None:
        """Join a later candle to this one."""
        self.high = max(self.high, other.high)
        self.low = min(self.low, other.low)
        self.close = other.close
        self.volume += other.volume
        self.turnover += other.turnover
        self.trades += other.trades
        self.buy_volume += other.buy_volume
        self.buy_turnover += other.buy_turnover


class CandleStore:
    """Minute candles, oldest first, without holes once there is a price."""

    def __init__(self) -> None:
        self._rows: list[Candle] = []
        self._past: Callable[[], list[Candle]] | None = None
        self._dropped = 0
        """Rows there were in front of the first."""
        self._running: dict[int, tuple[int, int, Candle]] = {}
        """By interval: start of the running candle's first row, number of the row after those that
        are in it already, and what they make."""

    @property
    def rows(self) -> list[Candle]:
        """All candles. The past is made when somebody first asks."""
        if self._past is not None:
            make, self._past = self._past, None
            self._rows = make() + self._rows
            self._running.clear()
        return self._rows

    def make_past(
        self, price: float, now_ms: int, *, seed: int, volume: float, steps: tuple[float, float]
    ) -> None:
        """Have the store begin with a walk of PAST_MINUTES that ends at *price* before *now_ms*, on
        the grid of *steps* (tick, lot). *volume*: typical of a minute.
        """
        self._past = lambda: _walk(price, now_ms, seed=seed, volume=volume, steps=steps)

    def price(self, now_ms: int, price: float) -> Candle:
        """Move the running candle to a price; opens what time has opened since."""
        start = now_ms // MINUTE_MS * MINUTE_MS
        rows = self._rows
        if not rows:
            rows.append(Candle(start, price, price, price, price))
        while rows[-1].start_ms < start:
            close = rows[-1].close
            rows.append(Candle(rows[-1].start_ms + MINUTE_MS, close, close, close, close))
            if len(rows) > KEPT_MINUTES:
                self._dropped += len(rows) - KEPT_MINUTES + 1440
                del rows[: len(rows) - KEPT_MINUTES + 1440]
        row = rows[-1]
        row.high, row.low, row.close = max(row.high, price), min(row.low, price), price
        return row

    def trade(self, now_ms: int, price: float, quantity: float, *, is_buy: bool) -> None:
        """Count a trade."""
        row = self.price(now_ms, price)
        if not row.trades:
            row.open = row.high = row.low = price
        row.volume += quantity
        row.turnover += quantity * price
        row.trades += 1
        if is_buy:
            row.buy_volume += quantity
            row.buy_turnover += quantity * price

    def read(
        self,
        interval_ms: int,
        start_ms: int | None,
        end_ms: int | None,
        limit: int,
        *,
        newest: bool,
    ) -> list[Candle]:
        """Candles whose start lies within both bounds (inclusive), oldest first, at most *limit*:
        the newest of them or the oldest. *interval_ms*: a multiple of a minute; 0 is a month.
        """
        rows = self.rows
        if not rows:
            return []
        first, last = rows[0].start_ms, rows[-1].start_ms
        if start_ms is not None and start_ms > last:
            return []  # also what is too far away to be a time
        low = first if start_ms is None else max(first, opening(start_ms, interval_ms))
        if start_ms is not None and low < start_ms:
            low = following(low, interval_ms)
        high = last if end_ms is None else min(last, end_ms)
        span = max(interval_ms, 31 * DAY_MS if interval_ms == 0 else 0)
        if newest:
            low = max(low, opening(high, interval_ms) - (limit - 1) * span)
        else:
            high = min(high, opening(low, interval_ms) + limit * span - 1)
        found = list(self._joined(opening(low, interval_ms), high, interval_ms))
        return found[-limit:] if newest else found[:limit]

    def _joined(self, low: int, high: int, interval_ms: int) -> Iterator[Candle]:
        base = self.rows[0].start_ms
        index = max(0, (low - base) // MINUTE_MS)
        end = min(
            len(self.rows), (following(opening(high, interval_ms), interval_ms) - base) // MINUTE_MS
        )
        while index < end:
            candle, index = self._one(index, end, interval_ms)
            yield candle

    def _one(self, index: int, end: int, interval_ms: int) -> tuple[Candle, int]:
        """The candle that begins in a row, and the row after it. Of the running one everything but
        its last minute is remembered: a month has 44,000, and streams look every second.
        """
        rows = self._rows
        first = rows[index]
        start = opening(first.start_ms, interval_ms)
        stop = min(end, index + (following(start, interval_ms) - first.start_ms) // MINUTE_MS)
        known = self._running.get(interval_ms)
        if known is not None and known[0] == first.start_ms and known[1] < stop + self._dropped:
            candle, at = copy(known[2]), known[1] - self._dropped
        else:
            candle, at = copy(first), index + 1
            candle.start_ms = start
        for row in rows[at : stop - 1]:
            candle.add(row)
        if stop == len(rows) and at < stop:
            self._running[interval_ms] = (first.start_ms, stop - 1 + self._dropped, copy(candle))
        if at < stop:
            candle.add(rows[stop - 1])
        return candle, stop


def _walk(
    price: float, now_ms: int, *, seed: int, volume: float, steps: tuple[float, float]
) -> list[Candle]:
    """A random walk of minute candles that ends at *price*."""
    draw = np.random.default_rng(seed)
    moves = draw.normal(0.0, PAST_MOVE_SD, PAST_MINUTES)
    tick, lot = steps
    closes = np.rint(price * np.exp(-np.cumsum(moves[::-1])[::-1]) / tick) * tick
    opens = np.concatenate(([closes[0]], closes[:-1]))
    wick = np.abs(draw.normal(0.0, 2e-4, (2, PAST_MINUTES)))
    high = np.ceil(np.maximum(opens, closes) * (1 + wick[0]) / tick) * tick
    low = np.floor(np.minimum(opens, closes) * (1 - wick[1]) / tick) * tick
    amounts = np.ceil(volume * np.exp(draw.normal(0.0, 0.6, PAST_MINUTES)) / lot) * lot
    first = now_ms // MINUTE_MS * MINUTE_MS - PAST_MINUTES * MINUTE_MS
    return [
        Candle(first + index * MINUTE_MS, o, h, lo, c, v, v * c, 1 + int(v), v / 2, v * c / 2)
        for index, (o, h, lo, c, v) in enumerate(
            zip(*(a.tolist() for a in (opens, high, low, closes, amounts)), strict=True)
        )
    ]


def opening(ts_ms: int, interval_ms: int) -> int:
    """Start of the candle a time lies in. Weeks open on Monday, months on the first."""
    if interval_ms == 0:
        month = np.datetime64(ts_ms, "ms").astype("datetime64[M]")
        return int(month.astype("datetime64[ms]").astype(np.int64))
    offset = WEEK_OFFSET_MS if interval_ms == WEEK_MS else 0
    return (ts_ms - offset) // interval_ms * interval_ms + offset


def following(start_ms: int, interval_ms: int) -> int:
    """Start of the candle after the one that starts at *start_ms*."""
    if interval_ms == 0:
        return opening(start_ms + 32 * DAY_MS, 0)
    return start_ms + interval_ms
