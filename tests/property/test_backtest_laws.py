# SPDX-License-Identifier: Apache-2.0
"""Laws of a whole backtest, from files to summary: the future cannot be seen, money is neither
made nor lost by counting, dearer fees never pay, and a run is a function of its inputs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from hean.backtest.assumptions import Assumptions, LatencyModel
from hean.feeds.history import History, load_history
from hean.strategies import load_strategy
from hean.strategies.base import Strategy
from hean.strategies.impulse import ImpulseEngine
from small_market import (
    IMPULSE,
    INSTANT,
    SYMBOL,
    BookSwinger,
    CandleSwinger,
    TickSwinger,
    account,
    candle_history,
    cut,
    play,
    write_trades,
)

STRATEGIES = [(ImpulseEngine, IMPULSE), (CandleSwinger, {})]
SLOW = Assumptions(
    entry=LatencyModel("normal", (2e9, 2e9)), response=LatencyModel("recorded", (1e9, 40e9))
)
PERP = "data/candles/binance_perp_BTCUSDT_5m_2024-12-31_2025-10-31.parquet"
FUNDING = "data/funding/binance_perp_BTCUSDT_8h_2020-01-01_2025-10-31.parquet"
TRADES = "data/trades/binance_perp_BTCUSDT_trades_2024-08-08.parquet"
EXAMPLES = Path(__file__).parents[2] / "examples"
CAPTURE = "data/l2/binance_perp_BTCUSDT_raw_2023-04-04.txt.gz"


def check_prefix(
    history: History,
    strategy: type[Strategy],
    given: dict[str, object],
    *,
    ends: list[int],
    assumptions: Assumptions | None = None,
) -> None:
    """Decisions on a recording that stops earlier are the first decisions on the whole."""
    _, whole, _ = play(history, strategy, given, assumptions=assumptions)
    assert len(whole.signals) > 10
    for end_ns in ends:
        _, part, _ = play(cut(history, end_ns), strategy, given, assumptions=assumptions)
        assert part.until(end_ns) == whole.until(end_ns)


def ends_of(history: History, parts: tuple[int, ...], step_ns: int = 1) -> list[int]:
    """Moments inside the history, in thousandths of it, on a grid."""
    span = history.end_ns - history.start_ns
    return [history.start_ns + span * part // 1000 // step_ns * step_ns for part in parts]


@pytest.mark.parametrize(("strategy", "given"), STRATEGIES)
@pytest.mark.parametrize("assumptions", [None, INSTANT, SLOW])
def test_decisions_on_bars_do_not_depend_on_later_bars(
    tmp_path: Path, strategy: type[Strategy], given: dict[str, object], assumptions: Assumptions
) -> None:
    history = candle_history(tmp_path, 5)
    ends = ends_of(history, (211, 400, 533, 777, 950), 300_000_000_000)
    check_prefix(history, strategy, given, ends=ends, assumptions=assumptions)


def test_decisions_on_trades_do_not_depend_on_later_trades(tmp_path: Path) -> None:
    history = load_history([write_trades(tmp_path, 6)], [SYMBOL])
    check_prefix(history, TickSwinger, {}, ends=ends_of(history, (100, 333, 500, 901)))


def test_decisions_on_recorded_bars_do_not_depend_on_later_bars(shared: Path) -> None:
    begin = 1_735_689_600_000_000_000
    history = load_history(
        [shared / PERP, shared / FUNDING],
        [SYMBOL],
        start_ns=begin,
        end_ns=begin + 40 * 86_400_000_000_000,
    )
    ends = ends_of(history, (250, 500, 875), 300_000_000_000)
    check_prefix(history, ImpulseEngine, IMPULSE, ends=ends)


@pytest.mark.parametrize(
    ("example", "recording"),
    [
        ("buy_when_emas_cross.py:BuyWhenEmasCross", PERP),
        ("buy_when_rsi_recovers.py:BuyWhenRsiRecovers", PERP),
        ("buy_when_emas_cross.py:BuyWhenTickEmasCross", TRADES),
    ],
)
def test_decisions_of_every_example_do_not_depend_on_later_rows(
    shared: Path, example: str, recording: str
) -> None:
    strategy = load_strategy(f"{EXAMPLES}/{example}")
    history = load_history([shared / recording], [SYMBOL])
    check_prefix(history, strategy, {}, ends=ends_of(history, (250, 500, 875), 1_000_000_000))


@pytest.mark.parametrize("strategy", [BookSwinger, TickSwinger])
def test_decisions_on_a_recorded_book_do_not_depend_on_later_rows(
    shared: Path, strategy: type[Strategy]
) -> None:
    history = load_history([shared / CAPTURE], [SYMBOL])
    check_prefix(history, strategy, {}, ends=ends_of(history, (300, 640)))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("strategy", "given"), STRATEGIES)
@pytest.mark.parametrize("assumptions", [None, SLOW])
def test_three_accountants_agree_to_the_last_unit(
    tmp_path: Path,
    seed: int,
    strategy: type[Strategy],
    given: dict[str, object],
    assumptions: Assumptions,
) -> None:
    backtest, watcher, summary = play(
        candle_history(tmp_path, seed), strategy, given, assumptions=assumptions
    )
    last = backtest.venue.last_price(SYMBOL)
    assert last is not None
    found = account(10_000, watcher.money, last)
    portfolio = backtest.system.portfolio
    assert summary["fills"] > 20
    assert Fraction(portfolio.equity().decimal) == found["equity"]
    assert Fraction(portfolio.ledger.fees) == found["fees"]
    assert Fraction(portfolio.ledger.funding_total) == found["funding"]
    assert Fraction(portfolio.ledger.position(SYMBOL)[0]) == found["held"]
    assert backtest.venue.core.equity == portfolio.equity().decimal
    assert Decimal(summary["final_equity"]) == portfolio.equity().decimal
    assert backtest.system.orders.unexplained == 0


def test_the_ledgers_agree_on_a_recorded_book(shared: Path) -> None:
    history = load_history([shared / CAPTURE], [SYMBOL])
    backtest, watcher, summary = play(history, BookSwinger)
    last = backtest.venue.last_price(SYMBOL)
    assert last is not None
    assert summary["fills"] > 20
    assert (
        Fraction(backtest.system.portfolio.equity().decimal)
        == account(10_000, watcher.money, last)["equity"]
    )
    assert backtest.venue.core.equity == backtest.system.portfolio.equity().decimal


@pytest.mark.parametrize("seed", range(4))
def test_dearer_fees_never_leave_more(tmp_path: Path, seed: int) -> None:
    """Sizes are fixed, so that the same orders trade whatever they cost."""

    class Fixed(CandleSwinger):
        def enter(self, symbol, side, **more):  # type: ignore[no-untyped-def]
            super().enter(symbol, side, size=Decimal("0.01"), **more)

    history = candle_history(tmp_path, seed)
    equities = []
    for maker, taker in (("0", "0"), ("0.0002", "0"), ("0.0002", "0.0005"), ("0.0002", "0.002")):
        fees = Assumptions(maker_fee=Decimal(maker), taker_fee=Decimal(taker))
        _, _, summary = play(history, Fixed, assumptions=fees)
        equities.append((Decimal(summary["final_equity"]), summary["fills"]))
    assert len({fills for _, fills in equities}) == 1
    assert [equity for equity, _ in equities] == sorted((e for e, _ in equities), reverse=True)
    assert equities[0][0] > equities[-1][0]


SCRIPT = """
import json, sys
from pathlib import Path
from hean.strategies.impulse import ImpulseEngine
from small_market import IMPULSE, SYMBOL, play
from hean.feeds.history import load_history
history = load_history([Path(name) for name in sys.argv[1:]], [SYMBOL])
_, _, summary = play(history, ImpulseEngine, IMPULSE)
for name in ("wall_s", "events_per_s", "peak_rss_mb"):
    del summary[name]
print(json.dumps(summary, default=str))
"""


def test_hash_seed_and_time_zone_change_nothing(tmp_path: Path, root: Path) -> None:
    candle_history(tmp_path, 9)
    files = sorted(str(path) for path in tmp_path.glob("*.parquet"))
    results = []
    for hash_seed, zone in (("1", "UTC"), ("77", "Asia/Kathmandu")):
        changed = {"PYTHONHASHSEED": hash_seed, "TZ": zone, "PYTHONPATH": str(root / "tests")}
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, *files],
            env=os.environ | changed,
            capture_output=True,
            text=True,
            check=True,
        )
        results.append(json.loads(done.stdout))
    assert results[0]["fills"] > 20
    assert results[0] == results[1]
