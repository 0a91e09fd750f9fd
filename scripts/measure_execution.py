# SPDX-License-Identifier: Apache-2.0
"""What each execution algorithm costs against the arrival price, on recorded books.

    python scripts/measure_execution.py CAPTURE ... [--starts 3] [--seconds 60]

Each capture is entered at several moments, on both sides in turn, with orders of 1, 10 and 100
times the median touch, once as one market order and once by each algorithm, through the same
backtest that anybody can run. Printed is the table of `docs/execution.md`, in basis points of the
middle of the touch when the order was decided: mean and 95th percentile without fees, fees apart,
and once more with the lasting impact of own trades, which a recorded book does not show: every
taking trade leaves the distance it walked, half of which is gone after five seconds.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from hean.backtest.result import FillRow
from hean.backtest.run import Backtest, BacktestSettings
from hean.core.types import Liquidity
from hean.feeds.history import History, load_history
from hean.quant.impact import lingering
from hean.quant.shortfall import implementation_shortfall
from hean.system import AccountSettings

EXAMPLE = f"{Path(__file__).parents[1]}/examples/work_a_large_order.py:WorkALargeOrder"
SIZES = (1, 10, 100)
WHOLE = "market order"
ACCOUNT = AccountSettings(cash=Decimal(10**10), limits={"orders_per_second_max": "10"})
LEAD_NS = 5_000_000_000  # a book is whole by then, and trades have been seen


class Cost(msgspec.Struct, frozen=True):
    """One order: parts of its shortfall in basis points, and how it came about."""

    prices: float
    fees: float
    lasting: float
    filled: float
    maker: float
    seconds: float
    orders: int


def methods(seconds: int, expected: int = 0) -> dict[str, tuple[str, float]]:
    """Name in the table, text of the algorithm, reach of its limit in basis points. *expected*:
    lots that would trade at the rate of the recording before.
    """
    end = f"duration={seconds}s"
    return {
        WHOLE: ("whole", 0.0),
        "twap": (f"twap:{end},slices=12", 0.0),
        "twap, resting": (f"twap:{end},slices=12,rest=true", 0.0),
        "vwap": (f"vwap:{end},slices=12,expected={expected}", 0.0),
        "shortfall, urgency 3": (f"shortfall:{end},slices=12,urgency=3", 0.0),
        "pov 20 %": (f"pov:share=0.2,interval=5s,cap=0.2,{end}", 0.0),
        "iceberg, 2 bp": ("iceberg:display=0.1", 2.0),
        "chaser": (f"chaser:away=0.5,pause=1s,{end}", 0.0),
    }


def measured(history: History, symbol: str, size: Decimal, side: str, method: Any) -> Cost:
    """One order worked over one stretch of a recording."""
    algo, reach = method
    given = {"size": str(size), "side": side, "algo": algo, "reach": reach}
    backtest = Backtest(BacktestSettings(EXAMPLE, (symbol,), given, ACCOUNT), history)
    _, record = backtest.run()
    strategy: Any = backtest.system.strategy
    decided_ns, arrival = strategy.asked[symbol]
    fills = [fill for fill in record.fills if fill.symbol == symbol]
    filled = sum((fill.qty for fill in fills), Decimal(0))
    value = sum((fill.qty * fill.price for fill in fills), Decimal(0))
    last = backtest.venue.last_price(symbol) or arrival
    cost = implementation_shortfall(
        side,
        float(size),
        float(filled),
        decision=arrival,
        average=float(value / filled) if filled else arrival,
        end=last,
        fees=float(sum((fill.fee for fill in fills), Decimal(0))),
    )
    made = sum((f.qty for f in fills if f.liquidity is Liquidity.MAKER), Decimal(0))
    return Cost(
        (cost.realised + cost.missed) * 1e4,
        cost.explicit * 1e4,
        _lasting(fills, float(size), arrival),
        float(filled / size),
        float(made / filled) if filled else 0.0,
        (fills[-1].ts_ns - decided_ns) / 1e9 if fills else 0.0,
        backtest.recorder.orders,
    )


def _lasting(fills: Sequence[FillRow], size: float, arrival: float) -> float:
    """What own trades would have added to the prices of later ones, in basis points."""
    trades: list[list[FillRow]] = []
    for fill in fills:
        if fill.liquidity is Liquidity.MAKER:
            continue
        if trades and trades[-1][0].order_id == fill.order_id:
            trades[-1].append(fill)
        else:
            trades.append([fill])
    times = [trade[0].ts_ns / 1e9 for trade in trades]
    walked = [abs(float(trade[-1].price - trade[0].price)) for trade in trades]
    added = lingering(times, walked)
    paid = sum(
        more * float(sum(fill.qty for fill in trade))
        for more, trade in zip(added, trades, strict=True)
    )
    return float(paid / (size * arrival) * 1e4)


def stretches(history: History, starts: int, seconds: int) -> Iterator[History]:
    """Parts of a recording that are long enough, at equal distances; they may overlap."""
    need_ns = (seconds + 5) * 1_000_000_000
    room = history.end_ns - history.start_ns - LEAD_NS - need_ns
    if room < 0:
        return
    for place in range(starts):
        begin = history.start_ns + LEAD_NS + room * place // max(starts - 1, 1)
        yield dataclasses.replace(history, start_ns=begin, end_ns=begin + need_ns)


def expected_lots(part: History, whole: History, symbol: str, seconds: int) -> int:
    """Lots that trade in so many seconds at the rate of the recording before the stretch."""
    market = whole.markets[symbol]
    tape = market.captures[0].trades
    end = np.searchsorted(tape["ts_ns"], part.start_ns)
    traded = float(tape["quantity"][:end].sum()) / market.rules.instrument.lot_size
    return round(traded / (part.start_ns - whole.start_ns) * seconds * 1e9)


def table(costs: dict[tuple[str, int], list[Cost]], names: Sequence[str]) -> str:
    """The table as Markdown, one row an algorithm and size."""
    heads = ["times the touch", "method", "price cost, mean", "95 %", "fees", "own impact adds"]
    heads += ["filled", "maker", "seconds", "orders"]
    lines = [f"| {' | '.join(heads)} |", f"|---:|---|{'---:|' * (len(heads) - 2)}"]
    for times in SIZES:
        for name in names:
            each = costs[name, times]
            mean = {
                field: float(np.mean([getattr(cost, field) for cost in each]))
                for field in Cost.__struct_fields__
            }
            worst = float(np.quantile([cost.prices for cost in each], 0.95))
            lines.append(
                f"| {times} | {name} | {mean['prices']:.2f} | {worst:.2f} | {mean['fees']:.2f} | "
                f"{mean['lasting']:.2f} | {mean['filled']:.0%} | {mean['maker']:.0%} | "
                f"{mean['seconds']:.0f} | {mean['orders']:.0f} |"
            )
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("captures", nargs="+", type=Path)
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=60)
    given = parser.parse_args()
    names = list(methods(given.seconds))
    costs: dict[tuple[str, int], list[Cost]] = {(n, t): [] for n in names for t in SIZES}
    for path in given.captures:
        symbol = next(part for part in path.name.split("_") if part.endswith("USDT"))
        history = load_history([path], [symbol])
        market = history.markets[symbol]
        touch = float(np.median(market.captures[0].quotes["ask_quantity"]))
        lots = market.rules.instrument.quantise_quantity(touch)
        for number, part in enumerate(stretches(history, given.starts, given.seconds)):
            side = "SELL" if number % 2 else "BUY"
            before = expected_lots(part, history, symbol, given.seconds)
            for times in SIZES:
                size = market.rules.instrument.quantity_decimal(lots * times)
                for name, method in methods(given.seconds, before).items():
                    cost = measured(part, symbol, size, side, method)
                    costs[name, times].append(cost)
            print(f"{path.name} {number} {side} touch {touch:g}", file=sys.stderr)
    print(table(costs, names))


if __name__ == "__main__":
    main()
