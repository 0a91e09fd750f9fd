# SPDX-License-Identifier: Apache-2.0
"""`market.py`: one symbol of the twin as everybody may see it: its desk, prices, trades, candles,
funding. Facts of the recorded or generated market enter here; own orders only through the desk.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from decimal import Decimal

from hean._core import Desk
from hean.twin.candles import CandleStore
from hean.twin.listing import Listing
from hean.twin.orders import ZERO, TradePrint

TRADES_KEPT = 1_000
FUNDINGS_KEPT = 1_000
MINUTE_NS = 60_000_000_000


@dataclass(slots=True)
class Settlement:
    """A funding settlement."""

    ts_ns: int
    rate: Decimal
    mark: Decimal


class BookDiff:
    """What changes in a book from one frame of a diff stream to the next. A level that comes and
    goes between two frames is in neither look at the book, but a snapshot taken meanwhile has it:
    so before one is shown changes are collected, and the next frame says that the level is gone.
    """

    def __init__(self, market: TwinMarket, depth: int) -> None:
        self._market = market
        self._reader = market.desk.add_reader(depth)
        self._bids: dict[str, str] = {}
        self._asks: dict[str, str] = {}

    def start(self) -> None:
        """Begin here: what changed while nobody listened is forgotten."""
        self.taken()
        self._market.diffs.add(self)

    def stop(self) -> None:
        """Nobody listens any more."""
        self._market.diffs.discard(self)

    def collect(self) -> None:
        """Remember what changed so far for the next frame."""
        bids, asks = self._market.desk.changes(self._reader)
        self._bids.update(bids)
        self._asks.update(asks)

    def taken(self) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Bids and asks that changed since the last time, as text; no quantity is no level."""
        self.collect()
        found = list(self._bids.items()), list(self._asks.items())
        self._bids, self._asks = {}, {}
        return found


class TwinMarket:
    """One symbol. *mark*, *index*, *funding_rate*: linear only, else the last price and zero.

    *update_id* rises by one with every change of the book that readers were shown; *first_id* is
    where the next change begins (Binance's `U`).
    """

    def __init__(self, listing: Listing, *, seed: int) -> None:
        self.listing = listing
        self.symbol = listing.symbol
        self.seed = seed
        self.desk = Desk(
            listing.instrument,
            price_decimals=listing.price_decimals,
            quantity_decimals=listing.quantity_decimals,
        )
        self.candles = CandleStore()
        self.mark_candles = CandleStore()
        self.index_candles = CandleStore()
        self.trades: deque[TradePrint] = deque(maxlen=TRADES_KEPT)
        self.settlements: deque[Settlement] = deque(maxlen=FUNDINGS_KEPT)
        self.last = ZERO
        self.mark = ZERO
        self.index = ZERO
        self.funding_rate = Decimal("0.0001")
        self.next_funding_ns = 0
        self.update_id = 1_000_000
        self.sequence = 10_000_000
        self.open_interest = Decimal(50_000)
        self.is_recorded = False
        self.diffs: set[BookDiff] = set()
        """Of the streams that somebody listens to."""
        self.shift_ticks = 0
        """How far a hand has moved what the player brings."""
        self._lot = listing.lot
        self._tick = listing.tick

    @property
    def key(self) -> tuple[str, str]:
        """(market, symbol)."""
        return self.listing.market, self.symbol

    def ticks(self, price: Decimal) -> int:
        """A price on the grid, in ticks; what is off it goes to the nearest."""
        return int((price / self._tick).to_integral_value())

    def lots(self, quantity: Decimal) -> int:
        """A quantity in lots, rounded down."""
        return int(quantity / self._lot)

    def price(self, ticks: int) -> Decimal:
        """Ticks as a price."""
        return ticks * self._tick

    def quantity(self, lots: int) -> Decimal:
        """Lots as a quantity."""
        return lots * self._lot

    @property
    def shifted_by(self) -> Decimal:
        """The same as a price."""
        return self.price(self.shift_ticks)

    def shifted(self, levels: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """Levels of the player where the shift puts them; below a tick there is no price."""
        shift = self.shift_ticks
        if not shift:
            return levels
        return [(ticks + shift, lots) for ticks, lots in levels if ticks + shift > 0]

    def best(self, side: str) -> Decimal | None:
        """Best price of a side of the book, own orders included."""
        level = self.desk.best(side == "BUY")
        return None if level is None else self.price(level[0])

    def touch(self) -> tuple[str, str, str, str]:
        """Best bid, its quantity, best ask, its quantity as text; zeros where there is nobody."""
        out: list[str] = []
        for is_buy in (True, False):
            level = self.desk.best(is_buy) or (0, 0)
            out.append(self.listing.price_text(self.price(level[0])))
            out.append(self.listing.quantity_text(self.quantity(level[1])))
        return out[0], out[1], out[2], out[3]

    def snapshot(self, depth: int) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Bids and asks as text, for somebody who will apply a diff stream to them."""
        for diff in self.diffs:
            diff.collect()
        return self.desk.levels(depth)

    def opened(self, price: float, now_ns: int) -> None:
        """The first price: a past is made for it and the next settlement is set."""
        step = self.price(max(1, self.desk.count(price, 1.0)[0]))
        self.last = self.mark = self.index = step
        now_ms = now_ns // 1_000_000
        volume = 400_000.0 / price
        steps = (float(self._tick), float(self._lot))
        for store in (self.candles, self.mark_candles, self.index_candles):
            store.make_past(price, now_ms, seed=self.seed, volume=volume, steps=steps)
        span = self.listing.funding_minutes * MINUTE_NS
        self.next_funding_ns = (now_ns // span + 1) * span
        if self.listing.market == "linear":
            for back in range(200, 0, -1):
                past = self.next_funding_ns - back * span
                self.settlements.append(Settlement(past, self.funding_rate, step))

    def marked(self, now_ns: int, mark: Decimal, index: Decimal) -> None:
        """New mark and index price of the player."""
        self.mark, self.index = mark + self.shifted_by, index + self.shifted_by
        now_ms = now_ns // 1_000_000
        self.mark_candles.price(now_ms, float(self.mark))
        self.index_candles.price(now_ms, float(self.index))

    def printed(self, print_: TradePrint) -> None:
        """A public trade happened."""
        self.trades.append(print_)
        self.last = Decimal(print_.price)
        self.candles.trade(
            print_.ts_ns // 1_000_000,
            float(print_.price),
            float(print_.quantity),
            is_buy=print_.is_buy,
        )

    def day(self) -> tuple[float, float, float, float, float, int]:
        """Open, high, low, volume, turnover, trades of the last 24 hours."""
        rows = self.candles.rows[-1440:]
        if not rows:
            return 0.0, 0.0, 0.0, 0.0, 0.0, 0
        return (
            rows[0].open,
            max(row.high for row in rows),
            min(row.low for row in rows),
            sum(row.volume for row in rows),
            sum(row.turnover for row in rows),
            sum(row.trades for row in rows),
        )
