# SPDX-License-Identifier: Apache-2.0
"""`candles.py`: ticks to bars. A bar [t, t + timeframe) is emitted when the first tick of a later
bar arrives or a timer says that it is over, never before: an unfinished bar is nobody's fact.
Times without a trade make no bar.
"""

from __future__ import annotations

from hean.core.module import Module, on
from hean.core.timeframe import timeframe_ns
from hean.core.types import Candle, Event, EventType, Tick, Timer

TIMER = "candles.close"


class _Bar:
    __slots__ = ("close", "high", "low", "open", "start_ns", "volume")

    def __init__(self, start_ns: int, price: float) -> None:
        self.start_ns = start_ns
        self.open = self.high = self.low = self.close = price
        self.volume = 0.0


class CandleBuilder(Module):
    """Builds bars of one timeframe for every symbol it hears of.

    *timeframe*: length, such as `1m`. Only trades count when a symbol has any; a symbol with
    quotes alone gets bars of their middle, volume 0.
    """

    name = "candles"
    produces = (EventType.CANDLE,)

    def __init__(self, timeframe: str) -> None:
        self.timeframe = timeframe
        self.timeframe_ns = timeframe_ns(timeframe)
        self._bars: dict[str, _Bar] = {}
        self._has_trades: set[str] = set()
        self._timer_ns = 0

    @on(EventType.TICK)
    def on_tick(self, event: Event) -> None:
        """Add a tick to its bar."""
        tick: Tick = event.data
        symbol = tick.symbol
        is_first_trade = False
        if tick.volume:
            is_first_trade = symbol not in self._has_trades
            self._has_trades.add(symbol)
        elif symbol in self._has_trades:
            return
        start_ns = event.ts_ns - event.ts_ns % self.timeframe_ns
        bar = self._bars.get(symbol)
        if bar is not None and start_ns > bar.start_ns:
            self._close(symbol, bar)
            bar = None
        if is_first_trade:
            bar = None  # what the quotes of this bar said no longer counts
        if bar is None:
            bar = self._bars[symbol] = _Bar(start_ns, tick.price)
            self._wake_at(start_ns + self.timeframe_ns)
        price = tick.price
        bar.high = max(bar.high, price)
        bar.low = min(bar.low, price)
        bar.close = price
        bar.volume += tick.volume

    @on(EventType.TIMER)
    def on_timer(self, event: Event) -> None:
        """Close what is over although no later tick came."""
        if event.data.name != TIMER:
            return
        for symbol, bar in list(self._bars.items()):
            if bar.start_ns + self.timeframe_ns <= event.ts_ns:
                self._close(symbol, bar)

    def _wake_at(self, ts_ns: int) -> None:
        if ts_ns > self._timer_ns:
            self._timer_ns = ts_ns
            self.context.clock.call_at(ts_ns, Timer(TIMER))

    def _close(self, symbol: str, bar: _Bar) -> None:
        del self._bars[symbol]
        self.context.emit(
            Candle(
                symbol,
                bar.open,
                bar.high,
                bar.low,
                bar.close,
                bar.volume,
                self.timeframe,
                bar.start_ns,
            )
        )
