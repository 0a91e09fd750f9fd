# SPDX-License-Identifier: Apache-2.0
"""`streams.py`: public topics other than books: trades, tickers, candles, liquidations. Each keeps
what it has told, so that a difference is one and a closed candle is closed once.
"""

from __future__ import annotations

from typing import Any

from hean.twin.bybit import words
from hean.twin.bybit.market import INTERVALS, price_bounds
from hean.twin.bybit.sockets import Stream, encode
from hean.twin.bybit.tickers import Tickers
from hean.twin.bybit.words import MS_NS
from hean.twin.candles import Candle, following
from hean.twin.market import TwinMarket
from hean.twin.orders import ForcedPrint, TradePrint
from hean.twin.wire import Session

TRADES_MAX = 1_024  # in one frame
TICKER_NS = {"linear": 100 * MS_NS, "spot": 50 * MS_NS}
KLINE_NS = 1_000 * MS_NS
FORCED_NS = 500 * MS_NS
CLOSED_MAX = 100  # candles that may have ended since the last look


class Trades(Stream):
    """`publicTrade`: every trade, oldest first."""

    def __init__(self, market: TwinMarket) -> None:
        super().__init__(f"publicTrade.{market.symbol}")
        self.market = market
        self._waiting: list[dict[str, Any]] = []
        self._last = float(market.last)
        self._direction = "ZeroPlusTick"

    def traded(self, print_: TradePrint) -> None:
        """A trade happened; it leaves with the next tick."""
        kind = self.market.listing.market
        row = {
            "T": print_.ts_ns // MS_NS,
            "s": self.market.symbol,
            "S": "Buy" if print_.is_buy else "Sell",
            "v": print_.quantity,
            "p": print_.price,
            "i": words.trade_id(kind, print_.number),
            "BT": False,
            "RPI": False,
            "seq": print_.number,
        }
        if kind == "linear":
            row["L"] = self._moved(float(print_.price))
        if self.sessions:
            self._waiting.append(row)

    def tick(self, now_ns: int) -> None:
        """Send what has gathered."""
        while self._waiting:
            data, self._waiting = self._waiting[:TRADES_MAX], self._waiting[TRADES_MAX:]
            self.send(
                {"topic": self.topic, "type": "snapshot", "ts": now_ns // MS_NS, "data": data}
            )

    def _moved(self, price: float) -> str:
        if price != self._last:
            self._direction = "PlusTick" if price > self._last else "MinusTick"
        elif not self._direction.startswith("Zero"):
            self._direction = "Zero" + self._direction
        self._last = price
        return self._direction


class Ticker(Stream):
    """`tickers`: contracts tell a snapshot and then what changed, spot tells snapshots."""

    def __init__(self, market: TwinMarket, tickers: Tickers) -> None:
        super().__init__(f"tickers.{market.symbol}")
        self.market = market
        self._tickers = tickers
        self._told: dict[str, Any] = {}
        self._due_ns = 0

    def join(self, session: Session, now_ns: int) -> None:
        """A snapshot first; the others catch up, so that later differences fit both."""
        self._publish(now_ns)
        frame = self._frame("snapshot", self._told, now_ns)
        session.push(encode(frame), topic=self.topic)
        super().join(session, now_ns)

    def tick(self, now_ns: int) -> None:
        """Publish on the beat."""
        if now_ns >= self._due_ns and self.sessions:
            self._due_ns = now_ns + TICKER_NS[self.market.listing.market]
            self._publish(now_ns)

    def _publish(self, now_ns: int) -> None:
        now_ms = now_ns // MS_NS
        if self.market.listing.market == "spot":
            fields = self._tickers.spot(self.market, now_ms)
        else:
            fields = self._tickers.linear(self.market, now_ms)
            fields["tickDirection"] = self._tickers.direction(self.market)
        told, self._told = self._told, fields
        changed = {name: value for name, value in fields.items() if told.get(name) != value}
        if not changed:
            return
        if self.market.listing.market == "spot":
            self.send(self._frame("snapshot", fields, now_ns))
        else:
            changed["symbol"] = self.market.symbol
            self.send(self._frame("delta", changed, now_ns))

    def _frame(self, kind: str, data: dict[str, Any], now_ns: int) -> dict[str, Any]:
        return {
            "topic": self.topic,
            "type": kind,
            "data": data,
            "cs": self.market.sequence,
            "ts": now_ns // MS_NS,
        }


class Klines(Stream):
    """`kline`: the running candle; a closed one is confirmed exactly once."""

    def __init__(self, market: TwinMarket, interval: str) -> None:
        super().__init__(f"kline.{interval}.{market.symbol}")
        self.market = market
        self.interval = interval
        self._length_ms = INTERVALS[interval]
        self._running_ms = 0
        self._told: dict[str, Any] = {}
        self._due_ns = 0

    def join(self, session: Session, now_ns: int) -> None:
        """The first listener starts from the running candle."""
        if not self.sessions:
            self._running_ms, self._told = 0, {}
        super().join(session, now_ns)

    def tick(self, now_ns: int) -> None:
        """Look at the candles on the beat."""
        market = self.market
        if now_ns < self._due_ns or not self.sessions or not market.last:
            return
        self._due_ns = now_ns + KLINE_NS
        now_ms = now_ns // MS_NS
        market.candles.price(now_ms, float(market.last))
        rows = market.candles.read(
            self._length_ms, self._running_ms or None, None, CLOSED_MAX, newest=True
        )
        if not self._running_ms:
            rows = rows[-1:]
        for row in rows:
            is_closed = following(row.start_ms, self._length_ms) <= now_ms
            self._tell(row, now_ms, is_closed=is_closed)
            self._running_ms = row.start_ms

    def _tell(self, row: Candle, now_ms: int, *, is_closed: bool) -> None:
        listing = self.market.listing
        price, size = listing.price_decimals, listing.quantity_decimals
        data = {
            "start": row.start_ms,
            "end": following(row.start_ms, self._length_ms) - 1,
            "interval": self.interval,
            "open": f"{row.open:.{price}f}",
            "close": f"{row.close:.{price}f}",
            "high": f"{row.high:.{price}f}",
            "low": f"{row.low:.{price}f}",
            "volume": f"{row.volume:.{size}f}",
            "turnover": f"{row.turnover:.4f}",
            "confirm": is_closed,
        }
        if data == self._told:
            return
        self._told = data
        frame = {**data, "timestamp": now_ms}
        self.send({"topic": self.topic, "data": [frame], "ts": now_ms, "type": "snapshot"})


class Liquidations(Stream):
    """`allLiquidation`: positions that the venue closed, by the side they had."""

    def __init__(self, market: TwinMarket) -> None:
        super().__init__(f"allLiquidation.{market.symbol}")
        self.market = market
        self._waiting: list[dict[str, Any]] = []
        self._due_ns = 0

    def forced(self, print_: ForcedPrint) -> None:
        """A liquidation happened."""
        listing = self.market.listing
        self._waiting.append(
            {
                "T": print_.ts_ns // MS_NS,
                "s": listing.symbol,
                "S": "Buy" if print_.side == "SELL" else "Sell",
                "v": listing.quantity_text(print_.quantity),
                "p": listing.price_text(print_.price),
            }
        )

    def tick(self, now_ns: int) -> None:
        """Send what has gathered on the beat."""
        if not self._waiting or now_ns < self._due_ns:
            return
        self._due_ns = now_ns + FORCED_NS
        data, self._waiting = self._waiting, []
        self.send({"topic": self.topic, "type": "snapshot", "ts": now_ns // MS_NS, "data": data})


class PriceLimits(Stream):
    """`priceLimit`: the band, when it moves."""

    def __init__(self, market: TwinMarket) -> None:
        super().__init__(f"priceLimit.{market.symbol}")
        self.market = market
        self._told: dict[str, str] = {}
        self._due_ns = 0

    def tick(self, now_ns: int) -> None:
        """Look on the beat of the ticker."""
        if now_ns < self._due_ns or not self.sessions:
            return
        self._due_ns = now_ns + TICKER_NS["linear"]
        bounds = price_bounds(self.market)
        if bounds != self._told:
            self._told = bounds
            self.send({"topic": self.topic, "data": bounds, "ts": now_ns // MS_NS})
