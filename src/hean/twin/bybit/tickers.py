# SPDX-License-Identifier: Apache-2.0
"""`tickers.py`: a symbol at a glance, for the answer and for the stream. The day's figures are
summed at most once a second; prices are of this moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hean.twin.bybit import words
from hean.twin.market import TwinMarket

DAY_LIFE_MS = 1_000  # a day's extremes change seldom; summing 1,440 candles is not free
HOUR_MINUTES = 60


@dataclass(slots=True)
class _Day:
    until_ms: int
    fields: dict[str, str]
    opened: float


class Tickers:
    """Tickers of all symbols."""

    def __init__(self) -> None:
        self._days: dict[tuple[str, str], _Day] = {}
        self._before: dict[tuple[str, str], tuple[float, str]] = {}

    def linear(self, market: TwinMarket, now_ms: int) -> dict[str, Any]:
        """A contract's, without the touch."""
        listing = market.listing
        price = listing.price_text
        value = market.open_interest * market.mark
        return {
            "symbol": market.symbol,
            "lastPrice": price(market.last),
            "indexPrice": price(market.index),
            "markPrice": price(market.mark),
            **self._day(market, now_ms),
            "openInterest": listing.quantity_text(market.open_interest),
            "openInterestValue": f"{value:.2f}",
            "fundingRate": words.number(market.funding_rate),
            "nextFundingTime": words.ms(market.next_funding_ns),
            "fundingIntervalHour": f"{listing.funding_minutes / 60:g}",
            "fundingCap": "0.00375",
            **_touch(market),
        }

    def spot(self, market: TwinMarket, now_ms: int) -> dict[str, Any]:
        """A spot symbol's, without the touch."""
        fields = self._day(market, now_ms)
        del fields["prevPrice1h"]
        return {
            "symbol": market.symbol,
            "lastPrice": market.listing.price_text(market.last),
            **fields,
            "usdIndexPrice": words.number(market.last) if market.listing.quote == "USDT" else "",
        }

    def answer(self, market: TwinMarket, now_ms: int) -> dict[str, Any]:
        """As `market/tickers` shows it."""
        if market.listing.market == "spot":
            return {**self.spot(market, now_ms), **_touch(market)}
        empty = dict.fromkeys(
            (
                "predictedDeliveryPrice",
                "basisRate",
                "basis",
                "deliveryFeeRate",
                "preOpenPrice",
                "preQty",
                "curPreListingPhase",
                "basisRateYear",
            ),
            "",
        )
        return {**self.linear(market, now_ms), **empty, "deliveryTime": "0"}

    def direction(self, market: TwinMarket) -> str:
        """How the last price stands to the one before it."""
        last = float(market.last)
        before, word = self._before.get(market.key, (last, "ZeroPlusTick"))
        if last != before:
            word = "PlusTick" if last > before else "MinusTick"
        elif not word.startswith("Zero"):
            word = "Zero" + word
        self._before[market.key] = (last, word)
        return word

    def _day(self, market: TwinMarket, now_ms: int) -> dict[str, str]:
        day = self._days.get(market.key)
        if day is None or day.until_ms <= now_ms:
            day = self._days[market.key] = self._summed(market, now_ms)
        last = float(market.last)
        change = (last - day.opened) / day.opened if day.opened else 0.0
        return {**day.fields, "price24hPcnt": f"{change:.6f}"}

    @staticmethod
    def _summed(market: TwinMarket, now_ms: int) -> _Day:
        opened, high, low, volume, turnover, _ = market.day()
        digits = market.listing.price_decimals
        rows = market.candles.rows
        hour = rows[-HOUR_MINUTES].open if len(rows) >= HOUR_MINUTES else opened
        fields = {
            "prevPrice24h": f"{opened:.{digits}f}",
            "highPrice24h": f"{high:.{digits}f}",
            "lowPrice24h": f"{low:.{digits}f}",
            "prevPrice1h": f"{hour:.{digits}f}",
            "turnover24h": f"{turnover:.4f}",
            "volume24h": f"{volume:.{market.listing.quantity_decimals}f}",
        }
        return _Day(now_ms + DAY_LIFE_MS, fields, opened)


def _touch(market: TwinMarket) -> dict[str, str]:
    bid, bid_size, ask, ask_size = market.touch()
    return {"bid1Price": bid, "bid1Size": bid_size, "ask1Price": ask, "ask1Size": ask_size}
