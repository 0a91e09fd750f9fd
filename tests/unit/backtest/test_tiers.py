# SPDX-License-Identifier: Apache-2.0
"""Event, wake and native tier give the same orders, fills, samples and equity, to the last bit of
the state hash, on generated bars and quotes with any latency, fee, slippage and limit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hean._core import Instrument, SimVenue
from hean.backtest.assumptions import Assumptions, LatencyModel
from hean.backtest.result import RunRecord
from hean.backtest.run import Backtest, BacktestSettings
from hean.backtest.tiers import Tier
from hean.data.instruments import Fees, Rules
from hean.errors import ParameterInvalid
from hean.feeds.history import History, Market
from hean.risk.memory import MemorySettings
from hean.risk.sizing import Sizing, SizingMethod, TrackRecord
from hean.system import AccountSettings

HERE = Path(__file__).parent
MINUTE_NS = 60_000_000_000
T0 = 1_700_000_040_000_000_000
SYMBOLS = ("BTCUSDT", "ETHUSDT")


@dataclass(frozen=True, slots=True)
class Generated(History):
    """A market in memory: per symbol columns of bars or quotes, and funding for the first."""

    columns: tuple[tuple[np.ndarray, ...], ...] = ()

    def feed(self, core: SimVenue) -> None:
        for symbol, (ts, *columns) in zip(self.markets, self.columns, strict=True):
            if len(columns) == 5:
                core.add_candles(symbol, "1m", MINUTE_NS, ts, 1, columns)
            else:
                core.add_quotes(symbol, ts, 1, columns)
        times = frozen(np.arange(self.start_ns + 7 * MINUTE_NS, self.end_ns, 90 * MINUTE_NS))
        core.add_funding(SYMBOLS[0], times, 1, frozen(np.full(len(times), 0.0003)))

    def closes(self, symbol: str) -> tuple[np.ndarray, np.ndarray]:
        columns = self.columns[list(self.markets).index(symbol)]
        return columns[0], columns[4] if len(columns) == 6 else columns[1]

    def first(self, rows: int) -> Generated:
        """The same market, ended after *rows* rows of each symbol."""
        cut = tuple(tuple(frozen(c[:rows]) for c in columns) for columns in self.columns)
        end = max(int(columns[0][-1]) for columns in cut)
        is_bars = len(cut[0]) == 6
        return replace(self, columns=cut, end_ns=end + (MINUTE_NS if is_bars else 0))


@dataclass(frozen=True, slots=True)
class GeneratedMarket(Market):
    has_bars: bool = True

    @property
    def timeframe(self) -> str | None:
        return "1m" if self.has_bars else None


def frozen(array: np.ndarray) -> np.ndarray:
    array = np.ascontiguousarray(array)
    array.setflags(write=False)
    return array


def market(kind: str, seed: int, rows: int) -> Generated:
    """Random walks of two symbols; quotes have several rows of one time."""
    random = np.random.default_rng(seed)
    columns = []
    for start in (30_000.0, 2_000.0):
        close = np.round(start * np.exp(np.cumsum(random.normal(0, 2e-3, rows))), 1)
        if kind == "bars":
            opened = np.concatenate(([start], close[:-1]))
            high = np.round(np.maximum(opened, close) + abs(random.normal(0, 3, rows)), 1)
            low = np.round(np.minimum(opened, close) - abs(random.normal(0, 3, rows)), 1)
            volume = np.round(random.uniform(0.1, 20, rows), 3)
            ts = T0 + MINUTE_NS * np.arange(rows)
            table = (ts, opened, high, low, close, volume)
        else:
            ts = T0 + np.cumsum(random.integers(0, 3, rows) * 40_000_000)
            half = np.round(random.integers(1, 4, rows) * 0.1, 1)
            sizes = np.round(random.uniform(0.001, 2, (2, rows)), 3)
            table = (ts, np.round(close - half, 1), sizes[0], np.round(close + half, 1), sizes[1])
        columns.append(tuple(frozen(column) for column in table))
    rules = [
        Rules(
            Instrument(symbol, "linear", "0.1", "0.001"), Fees(Decimal(0), Decimal(0)), "", "", ()
        )
        for symbol in SYMBOLS
    ]
    markets: dict[str, Market] = {
        symbol: GeneratedMarket(symbol, rule, has_bars=kind == "bars")
        for symbol, rule in zip(SYMBOLS, rules, strict=True)
    }
    end = max(int(table[0][-1]) for table in columns) + (MINUTE_NS if kind == "bars" else 0)
    return Generated(markets, [], T0, end, [], tuple(columns))


def play(strategy: str, history: History, tier: Tier, **changes: Any) -> tuple[Any, RunRecord]:
    settings = BacktestSettings(
        f"{HERE / 'tier_strategies.py'}:{strategy}", SYMBOLS, tier=tier, **changes
    )
    return Backtest(settings, history).run()


def result(strategy: str, history: History, tier: Tier, **changes: Any) -> dict[str, Any]:
    """All that must not depend on the tier."""
    summary, record = play(strategy, history, tier, **changes)
    names = ("state_hash", "final_equity", "orders", "orders_rejected", "fees", "funding", "fills")
    return {name: summary[name] for name in names} | {
        "rows": record.fills,
        "samples": list(zip(record.sample_ts, record.equity, record.exposure, strict=True)),
    }


latencies = st.one_of(
    st.builds(LatencyModel, st.just("constant"), st.tuples(st.sampled_from([0.0, 1e6, 5e7, 9e10]))),
    st.just(LatencyModel("normal", (5e7, 3e7))),
    st.just(LatencyModel("recorded", (1e6, 2e9, 3e7))),
)
assumptions = st.builds(
    Assumptions,
    maker_fee=st.just(Decimal("0.0002")),
    taker_fee=st.sampled_from([Decimal(0), Decimal("0.00055"), Decimal("0.01")]),
    entry=latencies,
    response=latencies,
    half_spread=st.sampled_from([0.0, 0.0005]),
    impact=st.sampled_from([0.0, 0.5]),
)
accounts = st.builds(
    AccountSettings,
    cash=st.sampled_from([Decimal(300), Decimal(10_000)]),
    sizing=st.builds(Sizing, fraction=st.sampled_from([0.02, 0.5, 2.9]))
    | st.just(Sizing(SizingMethod.KELLY, record=TrackRecord(1.5, 0.4, 3.0, 2))),
    limits=st.sampled_from(
        [{}, {"orders_per_second_max": "1", "collar_fraction": "0.05"}, {"order_value_max": "900"}]
    ),
)
parameters = st.fixed_dictionaries(
    {
        "fast": st.integers(1, 6),
        "slow": st.integers(2, 12),
        "short_below": st.sampled_from([-100.0, -1.0]),
        "size": st.sampled_from([0.0, 0.01, 5.0]),
    }
)


@pytest.mark.parametrize("kind", ["bars", "quotes"])
@given(seed=st.integers(0, 2**32), given=parameters, account=accounts, assumptions=assumptions)
def test_all_tiers_give_the_same_orders_and_equity(kind: str, seed: int, **changes: Any) -> None:
    history = market(kind, seed, 150)
    tick = "" if kind == "bars" else "Tick"
    event = result(f"{tick}Cross", history, Tier.EVENT, **changes)
    native = result(f"{tick}Cross", history, Tier.NATIVE, **changes)
    watched = result(f"Watched{tick}Cross", history, Tier.EVENT, **changes)
    wake = result(f"Watched{tick}Cross", history, Tier.WAKE, **changes)
    assert native == event
    assert watched == event
    assert wake == event


def test_the_compared_runs_do_trade() -> None:
    fills = result("Cross", market("bars", 1, 150), Tier.NATIVE)["fills"]
    assert fills > 10
    assert result("TickCross", market("quotes", 1, 150), Tier.NATIVE)["fills"] > 10


@pytest.mark.parametrize("tier", [Tier.WAKE, Tier.NATIVE])
@pytest.mark.parametrize("kind", ["bars", "quotes"])
@given(seed=st.integers(0, 2**32), rows=st.integers(20, 119))
def test_a_truncated_future_changes_no_past_fill(
    tier: Tier, kind: str, seed: int, rows: int
) -> None:
    history = market(kind, seed, 120)
    strategy = "WatchedCross" if kind == "bars" else "WatchedTickCross"
    short = history.first(rows)
    fills = play(strategy, history, tier)[1].fills
    known = play(strategy, short, tier)[1].fills
    last_ns = min(int(columns[0][-1]) for columns in short.columns)
    assert [f for f in known if f.ts_ns <= last_ns] == [f for f in fills if f.ts_ns <= last_ns]


@pytest.mark.parametrize("tier", [Tier.EVENT, Tier.WAKE])
def test_a_window_ends_at_the_present_row(tier: Tier) -> None:
    history = market("bars", 5, 40)
    settings = BacktestSettings(f"{HERE / 'tier_strategies.py'}:Looker", SYMBOLS[:1], tier=tier)
    only = {SYMBOLS[0]: history.markets[SYMBOLS[0]]}
    backtest = Backtest(settings, replace(history, markets=only, columns=history.columns[:1]))
    backtest.run()
    seen = backtest.system.strategy.seen  # type: ignore[attr-defined]
    ts, closes = history.columns[0][0], history.columns[0][4]
    assert len(seen) == (40 if tier is Tier.EVENT else 14)
    for now_ns, view, is_writeable in seen:
        finished = int(np.searchsorted(ts + MINUTE_NS, now_ns, side="right"))
        assert view == closes[max(finished - 5, 0) : finished].tolist()
        assert not is_writeable


def test_the_wake_tier_calls_python_only_when_something_happens() -> None:
    history = market("bars", 3, 150)
    settings = BacktestSettings(f"{HERE / 'tier_strategies.py'}:WatchedCross", SYMBOLS)
    calls = {}
    for tier in (Tier.EVENT, Tier.WAKE):
        backtest = Backtest(BacktestSettings(settings.strategy, SYMBOLS, tier=tier), history)
        backtest.run()
        calls[tier] = backtest.bus.seq
    assert calls[Tier.WAKE] < calls[Tier.EVENT]


@pytest.mark.parametrize(
    ("strategy", "kind", "tier", "told"),
    [
        ("Silent", "bars", Tier.WAKE, "wakes"),
        ("Silent", "bars", Tier.NATIVE, "program"),
        ("WatchedCross", "quotes", Tier.WAKE, "ticks only"),
        ("Cross", "quotes", Tier.NATIVE, "ticks only"),
    ],
)
def test_a_tier_that_cannot_be_kept_is_refused(
    strategy: str, kind: str, tier: Tier, told: str
) -> None:
    with pytest.raises(ParameterInvalid, match=told):
        play(strategy, market(kind, 1, 30), tier)


def test_a_forecast_for_sizing_needs_the_event_tier() -> None:
    account = AccountSettings(sizing=Sizing(SizingMethod.VOLATILITY_TARGET))
    with pytest.raises(ParameterInvalid, match="run tier event"):
        play("Cross", market("bars", 1, 30), Tier.NATIVE, account=account)


def test_a_memory_of_decisions_needs_the_event_tier() -> None:
    account = AccountSettings(memory=MemorySettings())
    with pytest.raises(ParameterInvalid, match="run tier event"):
        play("Cross", market("bars", 1, 30), Tier.NATIVE, account=account)
    runs = [play("Cross", market("bars", 1, 30), Tier.EVENT, account=account)[0] for _ in range(2)]
    assert runs[0]["state_hash"] == runs[1]["state_hash"]
