# SPDX-License-Identifier: Apache-2.0
"""An order's round trip inside one process, from Python to the fill that Python sees.

Workload: a walk of quotes 0.2 wide around 30,000, drawn by seed; on every second quote a market
order of 0.1, buys and sells in turn. HEAN: `Exchange.place` validates, judges the limits (wide,
but on), records, matches, books money and calls `on_fill`. Peer: NautilusTrader's `submit_order`
to `on_order_filled` in its simulated exchange, risk engine on. The clock is read just before the
order and first thing in the callback, on both sides. Beside that: `mixed`, 60 % limit orders, 30 %
cancels, 10 % market orders through the same call; the rate of market orders one by one; and the
heap of 100,000 open orders on 900 levels (record, id, book).
"""

from __future__ import annotations

import gc
import time
from typing import Any

import numpy as np

from bench_matching import flow, heap_bytes
from measure import Result, percentile, python_with, say, turns, worker

QUOTES = 20_000
RATE_ORDERS = 300_000
MIXED_ROWS = 200_000
OPEN_ORDERS = 100_000
QUOTE_NS = 1_000_000_000  # a quote a second: the peer allows 100 orders a second of its time
START_NS = 1_700_000_000_000_000_000
SYMBOL = "BTCUSDT"
LIMITS = {
    "order_value_max": "1000000",
    "collar_fraction": "0.05",
    "reference_age_max_ns": "1500000000",
    "position_value_max": "100000000000",
    "gross_value_max": "100000000000",
    "leverage_max": "10",
    "open_orders_max": "1000000",
    "drawdown_fraction_max": "0.15",
}


def walk(rows: int) -> tuple[Any, Any, Any]:
    """Columns time, bid, ask."""
    rng = np.random.default_rng(1)
    middle = np.round(30_000 + np.cumsum(rng.normal(0, 0.5, rows)), 1)
    ts = START_NS + QUOTE_NS * np.arange(1, rows + 1, dtype=np.int64)
    return ts, np.round(middle - 0.1, 1), np.round(middle + 0.1, 1)


def exchange() -> tuple[Any, int]:
    """An exchange with limits and one instrument."""
    from hean._core import Exchange, Instrument

    made = Exchange(cash="100000000000", maker_fee="0.0002", taker_fee="0.00055", limits=LIMITS)
    return made, made.add_instrument(Instrument(SYMBOL, "linear", "0.1", "0.001"))


def hean_latency(quotes: int) -> list[int]:
    """Sorted nanoseconds from order to callback; the market moves its quote in between."""
    made, at = exchange()
    spent: list[int] = []
    clock = time.perf_counter_ns
    started = 0

    def on_fill(order: int, price_ticks: int, lots: int) -> None:
        spent.append(clock() - started)

    made.on_fill = on_fill
    place, supply, withdraw = made.place, made.supply, made.withdraw
    _, bids, asks = walk(quotes)
    levels = zip(np.rint(bids * 10).tolist(), np.rint(asks * 10).tolist(), strict=True)
    offers: list[int] = []
    for row, (bid, ask) in enumerate(levels):
        for offer in offers:
            withdraw(at, offer)
        offers = [supply(at, True, 50_000, int(bid)), supply(at, False, 50_000, int(ask))]
        if row % 2:
            is_buy = row % 4 == 1
            started = clock()
            place(at, is_buy, 100)
    if len(spent) != quotes // 2:
        raise AssertionError(f"{len(spent)} fills of {quotes // 2} orders")
    return sorted(spent)


def hean_rate(orders: int) -> float:
    """Market orders a second, one by one, each fill told to Python."""
    made, at = exchange()
    for step in range(5):
        made.supply(at, True, 10**12, 299_999 - step)
        made.supply(at, False, 10**12, 300_001 + step)
    fills = 0

    def on_fill(order: int, price_ticks: int, lots: int) -> None:
        nonlocal fills
        fills += 1

    made.on_fill = on_fill
    place = made.place
    started = time.perf_counter()
    for number in range(orders):
        place(at, number % 2 == 0, 100)
    seconds = time.perf_counter() - started
    if fills != orders:
        raise AssertionError(f"{fills} fills of {orders} orders")
    return orders / seconds


def hean_mixed(rows: int) -> list[int]:
    """Sorted nanoseconds of single calls of the mixed flow, cancels included."""
    made, at = exchange()
    made.supply(at, True, 10**12, 29_000)
    made.supply(at, False, 10**12, 31_000)
    fills = 0

    def on_fill(order: int, price_ticks: int, lots: int) -> None:
        nonlocal fills
        fills += 1

    made.on_fill = on_fill
    ids, spent = [0] * rows, []
    clock, place, cancel, status = time.perf_counter_ns, made.place, made.cancel, made.status
    columns = zip(*(column.tolist() for column in flow(rows)), strict=True)
    for row, (kind, buy, price, lots) in enumerate(columns):
        if kind == 1:
            order = ids[price]
            if status(order) in ("WORKING", "PARTIAL"):
                started = clock()
                cancel(order)
                spent.append(clock() - started)
            continue
        limit = price if kind == 0 else None
        started = clock()
        ids[row] = place(at, buy == 1, lots, limit)
        spent.append(clock() - started)
    if not fills:
        raise AssertionError("the mixed flow traded nothing")
    return sorted(spent)


def memory_mb(orders: int) -> float:
    """Heap of so many open orders in this fresh process."""
    gc.collect()
    before = heap_bytes()
    made, at = exchange()
    made.supply(at, False, 1, 300_000)
    for number in range(orders):
        made.place(at, True, 5, 290_000 + number % 900)
    if made.open_orders != orders:
        raise AssertionError(f"{made.open_orders} open orders of {orders}")
    return (heap_bytes() - before) / 1e6


def hean(quotes: int) -> dict[str, Any]:
    """HEAN's worker."""
    gc.disable()
    spent, mixed = hean_latency(quotes), hean_mixed(MIXED_ROWS)
    return {
        "p50_us": percentile(spent, 0.5) / 1e3,
        "p99_us": percentile(spent, 0.99) / 1e3,
        "p999_us": percentile(spent, 0.999) / 1e3,
        "worst_us": spent[-1] / 1e3,
        "mixed_p50_us": percentile(mixed, 0.5) / 1e3,
        "mixed_p99_us": percentile(mixed, 0.99) / 1e3,
        "orders_per_s": hean_rate(RATE_ORDERS),
    }


def hean_memory(orders: int) -> dict[str, Any]:
    """HEAN's other worker, for memory alone."""
    return {"mb": memory_mb(orders)}


def nautilus(quotes: int) -> dict[str, Any]:
    """The peer's worker."""
    from nautilus_trader.model.enums import OrderSide
    from nautilus_trader.model.objects import Quantity
    from nautilus_trader.trading.strategy import Strategy

    import nautilus_peer as peer

    clock = time.perf_counter_ns

    class Taker(Strategy):  # type: ignore[misc]
        def on_start(self) -> None:
            self.row, self.started, self.spent = 0, 0, []
            self.tenth = Quantity.from_str("0.100")
            self.subscribe_quote_ticks(peer.SYMBOL)

        def on_quote_tick(self, tick: Any) -> None:
            row, self.row = self.row, self.row + 1
            if row % 2:
                side = OrderSide.BUY if row % 4 == 1 else OrderSide.SELL
                self.started = clock()
                self.submit_order(self.order_factory.market(peer.SYMBOL, side, self.tenth))

        def on_order_filled(self, event: Any) -> None:
            self.spent.append(clock() - self.started)

    engine = peer.engine_with_venue(1_000_000)
    engine.add_data(peer.quotes(*walk(quotes), size=50.0))
    taker = Taker()
    engine.add_strategy(taker)
    gc.disable()
    engine.run()
    spent = sorted(taker.spent)
    if len(spent) != quotes // 2:
        raise AssertionError(f"{len(spent)} fills of {quotes // 2} orders")
    return {"p50_us": percentile(spent, 0.5) / 1e3, "p99_us": percentile(spent, 0.99) / 1e3}


def run(rounds: int, quick: bool = False) -> Result:
    """HEAN and NautilusTrader in turns."""
    result = Result(
        workload="market order of 0.1 on every 2nd of 20,000 quotes, from just before the call to "
        "the fill callback in Python; limits on; mixed: 60 % limit, 30 % cancel, 10 % market",
        goals={
            "hean p50 us": ("<=", 2.5),
            "hean p99 us": ("<=", 10.0),
            "p50_vs_nautilus": ("<=", 1 / 60),
            "hean orders per s": (">=", 400_000.0),
            "hean MB per 100,000 open orders": ("<=", 12.0),
        },
    )
    names = ["hean"]
    if python_with("nautilus_trader") is None:
        result.missing["nautilus_trader"] = "not installed; `make bench` installs it"
    else:
        names.append("nautilus")
    quotes = QUOTES // 10 if quick else QUOTES
    for turn in range(rounds):
        done = {name: worker(f"bench_orders:{name}", quotes=quotes) for name in turns(names, turn)}
        own = done["hean"]
        figures = {
            f"{name} {figure.replace('_', ' ')}": value
            for name, one in done.items()
            for figure, value in one.items()
            if figure != "peak_rss_mb"
        }
        memory = worker("bench_orders:hean_memory", orders=OPEN_ORDERS)["mb"]
        figures["hean MB per 100,000 open orders"] = memory
        ratios = {}
        if peer := done.get("nautilus"):
            ratios = {f"{p}_vs_nautilus": own[f"{p}_us"] / peer[f"{p}_us"] for p in ("p50", "p99")}
        result.add(figures, ratios)
        say(f"round {turn + 1}: p50 {own['p50_us']:.2f} us, p99 {own['p99_us']:.2f} us, {ratios}")
    return result
