# SPDX-License-Identifier: Apache-2.0
"""`spot_tape.py`: candles and tickers in Binance's shape, for answers and streams alike. A second's
candle is made of the trades remembered; all longer ones are read off the market's minutes.
"""

from __future__ import annotations

from typing import Any

from hean.twin.binance import words
from hean.twin.binance.words import ms
from hean.twin.candles import DAY_MS, MINUTE_MS, Candle, following, opening
from hean.twin.market import TwinMarket

SECOND_MS = 1_000
INTERVALS = {"1s": SECOND_MS, **words.INTERVALS}
AVERAGE_MINUTES = 5
SECONDS_KEPT = 1_000  # candles of a second: as many as one answer holds


def number(value: float) -> str:
    """A price or amount."""
    return f"{value:.8f}"


def read(
    market: TwinMarket,
    interval: str,
    start_ms: int | None,
    end_ms: int | None,
    *,
    limit: int,
    now_ms: int,
) -> list[Candle]:
    """Candles of an interval, oldest first: from the start, or the newest without one."""
    if market.last:
        market.candles.price(now_ms, float(market.last))
    if interval == "1s":
        found = [
            each
            for each in _seconds(market, now_ms)
            if (start_ms is None or each.start_ms >= start_ms)
            and (end_ms is None or each.start_ms <= end_ms)
        ]
        return found[-limit:] if start_ms is None else found[:limit]
    return market.candles.read(
        INTERVALS[interval], start_ms, end_ms, limit, newest=start_ms is None
    )


def _seconds(market: TwinMarket, now_ms: int) -> list[Candle]:
    """The newest seconds since the oldest trade that is remembered."""
    rows: list[Candle] = []
    for print_ in market.trades:
        at = ms(print_.ts_ns) // SECOND_MS * SECOND_MS
        price, quantity = float(print_.price), float(print_.quantity)
        _fill_seconds(rows, at)
        if not rows or rows[-1].start_ms != at:
            rows.append(Candle(at, price, price, price, price))
        bought = (quantity, quantity * price) if print_.is_buy else (0.0, 0.0)
        part = Candle(at, price, price, price, price, quantity, quantity * price, 1, *bought)
        if not rows[-1].trades:
            part.trades = 1
            rows[-1] = part
        else:
            rows[-1].add(part)
    _fill_seconds(rows, now_ms // SECOND_MS * SECOND_MS)
    return rows[-SECONDS_KEPT:]


def _fill_seconds(rows: list[Candle], until_ms: int) -> None:
    if not rows:
        return
    close, after = rows[-1].close, rows[-1].start_ms + SECOND_MS
    for start in range(max(after, until_ms - SECONDS_KEPT * SECOND_MS), until_ms + 1, SECOND_MS):
        rows.append(Candle(start, close, close, close, close))


def closing_ms(start_ms: int, interval: str) -> int:
    """The last millisecond of a candle."""
    return following(start_ms, INTERVALS[interval]) - 1


def opening_ms(now_ms: int, interval: str) -> int:
    """The first millisecond of the candle that is running."""
    return opening(now_ms, INTERVALS[interval])


def candles_of(
    market: TwinMarket,
    interval: str,
    start_ms: int | None,
    end_ms: int | None,
    *,
    limit: int,
    now_ms: int,
) -> list[list[Any]]:
    """Candles as `klines` rows."""
    found = read(market, interval, start_ms, end_ms, limit=limit, now_ms=now_ms)
    return [
        [
            each.start_ms,
            number(each.open),
            number(each.high),
            number(each.low),
            number(each.close),
            number(each.volume),
            closing_ms(each.start_ms, interval),
            number(each.turnover),
            each.trades,
            number(each.buy_volume),
            number(each.buy_turnover),
            "0",
        ]
        for each in found
    ]


def average_price(market: TwinMarket) -> str:
    """Average trade price of the last minutes; the last price where nobody traded."""
    rows = market.candles.rows[-AVERAGE_MINUTES:]
    volume = sum(row.volume for row in rows)
    if not volume:
        return market.listing.price_text(market.last)
    return number(sum(row.turnover for row in rows) / volume)


def window_of(market: TwinMarket, start_ms: int, end_ms: int, *, is_mini: bool) -> dict[str, Any]:
    """Statistics from one time to another."""
    first = opening(start_ms, MINUTE_MS)
    rows = [row for row in market.candles.rows[-7 * 1_440 :] if row.start_ms >= first]
    return _statistics(market, rows, start_ms, end_ms, is_mini=is_mini)


def day_of(market: TwinMarket, now_ms: int, *, is_mini: bool) -> dict[str, Any]:
    """Statistics of the last 24 hours; in full with the touch of the book."""
    rows = market.candles.rows[-1_440:]
    found = _statistics(market, rows, now_ms - DAY_MS, now_ms, is_mini=is_mini)
    if is_mini:
        return found
    bid, bid_quantity, ask, ask_quantity = market.touch()
    last = market.trades[-1].quantity if market.trades else number(0.0)
    return {
        **found,
        "prevClosePrice": found["openPrice"],
        "lastQty": last,
        "bidPrice": bid,
        "bidQty": bid_quantity,
        "askPrice": ask,
        "askQty": ask_quantity,
    }


def _statistics(
    market: TwinMarket, rows: list[Candle], start_ms: int, end_ms: int, *, is_mini: bool
) -> dict[str, Any]:
    last = float(market.last)
    opened = rows[0].open if rows else last
    volume = sum(row.volume for row in rows)
    turnover = sum(row.turnover for row in rows)
    count = sum(row.trades for row in rows)
    last_id = market.trades[-1].number if market.trades else -1
    found: dict[str, Any] = {
        "symbol": market.symbol,
        "openPrice": number(opened),
        "highPrice": number(max((row.high for row in rows), default=last)),
        "lowPrice": number(min((row.low for row in rows), default=last)),
        "lastPrice": market.listing.price_text(market.last),
        "volume": number(volume),
        "quoteVolume": number(turnover),
        "openTime": start_ms,
        "closeTime": end_ms,
        "firstId": max(0, last_id - count + 1) if last_id >= 0 else -1,
        "lastId": last_id,
        "count": count,
    }
    if is_mini:
        return found
    change = last - opened
    return {
        "symbol": market.symbol,
        "priceChange": number(change),
        "priceChangePercent": f"{change / opened * 100 if opened else 0.0:.3f}",
        "weightedAvgPrice": number(turnover / volume if volume else last),
        **found,
    }
