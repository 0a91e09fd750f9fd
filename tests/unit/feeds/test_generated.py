# SPDX-License-Identifier: Apache-2.0
"""The generated market against what is known of real ones, and against its own promises.

Statistics are taken once, over five days of both symbols of one seed; bounds are several standard
errors wide, so they fail for a changed model and not for another seed. Invariants are properties
over seeds and models.
"""

from __future__ import annotations

from dataclasses import fields
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hean._core import Instrument, SimVenue
from hean.errors import ParameterInvalid
from hean.feeds.generated import CHUNK_NS, DEFAULT, GeneratedMarket, MarketChunk, SymbolModel

START_NS = 1_700_006_400 * 10**9  # a midnight UTC
BTC, ETH = DEFAULT
COLUMNS = [field.name for field in fields(MarketChunk)]
DAYS = 5


class Minutes:
    """One row a minute of a long run."""

    def __init__(self, rows: list[tuple[float, ...]]) -> None:
        table = np.array(rows)
        self.close, self.spread, self.trades, self.quotes, self.buys, self.volume = table.T
        self.returns = np.diff(np.log(self.close))


@pytest.fixture(scope="module")
def run() -> dict[str, Minutes]:
    market = GeneratedMarket(seed=20, start_ns=START_NS)
    rows: dict[str, list[tuple[float, ...]]] = {model.symbol: [] for model in DEFAULT}
    for index in range(DAYS * 1440):
        for symbol, chunk in market.chunk(index).items():
            close = (chunk.bid[-1] + chunk.ask[-1]) / 2
            spread = float(np.mean(chunk.ask - chunk.bid)) / close
            buys = 1 - float(chunk.trade_side.mean()) if len(chunk.trade_side) else 0.5
            counts = (len(chunk.trade_ts), len(chunk.quote_ts))
            rows[symbol].append((close, spread, *counts, buys, chunk.trade_qty.sum()))
    return {symbol: Minutes(table) for symbol, table in rows.items()}


@pytest.fixture(scope="module")
def hour() -> dict[str, MarketChunk]:
    return GeneratedMarket(seed=20, start_ns=START_NS).columns(3600)


def autocorrelation(values: np.ndarray, lag: int) -> float:
    return float(np.corrcoef(values[:-lag], values[lag:])[0, 1])


def same(one: MarketChunk, other: MarketChunk) -> bool:
    return all(getattr(one, name).tobytes() == getattr(other, name).tobytes() for name in COLUMNS)


symbols = pytest.mark.parametrize("symbol", ["BTCUSDT", "ETHUSDT"])


@symbols
def test_tails_are_fat_and_thin_out_with_the_horizon(run: dict[str, Minutes], symbol: str) -> None:
    def kurtosis(values: np.ndarray) -> float:
        return float(np.mean((values - values.mean()) ** 4) / values.var() ** 2)

    returns = run[symbol].returns
    hourly = returns[: len(returns) // 60 * 60].reshape(-1, 60).sum(1)
    assert kurtosis(returns) > 8
    assert kurtosis(hourly) < kurtosis(returns)


@symbols
def test_volatility_clusters_and_returns_do_not(run: dict[str, Minutes], symbol: str) -> None:
    returns = run[symbol].returns
    sizes = np.minimum(np.abs(returns), 8 * np.median(np.abs(returns)))  # jumps hide the clusters
    for lag in (1, 2, 5, 10, 20, 30, 60):
        assert autocorrelation(sizes, lag) > 0.05, lag
    assert autocorrelation(sizes, 1) > autocorrelation(sizes, 60)
    for lag in range(1, 11):
        assert abs(autocorrelation(returns, lag)) < 0.08, lag


def test_one_minute_volatility_is_that_of_the_model(run: dict[str, Minutes]) -> None:
    for model in DEFAULT:
        median = np.median(np.abs(run[model.symbol].returns)) / 0.6745
        assert 0.5 * model.sigma < median < 1.5 * model.sigma


@symbols
def test_jumps_happen(run: dict[str, Minutes], symbol: str) -> None:
    returns = np.abs(run[symbol].returns)
    around = np.array([np.median(returns[max(0, i - 30) : i + 31]) for i in range(len(returns))])
    # A normal return exceeds eight times the median size around it once in ten million.
    assert DAYS <= np.sum(returns > 8 * around) <= 20 * DAYS


def test_the_two_symbols_move_together(run: dict[str, Minutes]) -> None:
    together = np.corrcoef(run["BTCUSDT"].returns, run["ETHUSDT"].returns)[0, 1]
    assert 0.6 < together < 0.9


@symbols
def test_spread_and_activity_follow_volatility(run: dict[str, Minutes], symbol: str) -> None:
    minutes = run[symbol]
    size = np.abs(minutes.returns)
    for column in (minutes.spread, minutes.trades, minutes.quotes, minutes.volume):
        assert np.corrcoef(np.log1p(size * 1e4), np.log(column[1:] + 1e-9))[0, 1] > 0.3
    calm, wild = size < np.quantile(size, 0.3), size > np.quantile(size, 0.95)
    assert minutes.spread[1:][wild].mean() > 1.5 * minutes.spread[1:][calm].mean()


@symbols
def test_rates_of_rows_are_in_the_stated_range(run: dict[str, Minutes], symbol: str) -> None:
    assert 4 < run[symbol].trades.mean() / 60 < 12
    assert 9 < run[symbol].quotes.mean() / 60 < 22


@symbols
def test_buying_and_rising_go_together(run: dict[str, Minutes], symbol: str) -> None:
    minutes = run[symbol]
    assert np.corrcoef(minutes.buys[1:], minutes.returns)[0, 1] > 0.15
    assert minutes.buys.mean() == pytest.approx(0.5, abs=0.03)


@symbols
def test_sides_repeat_and_arrivals_cluster(hour: dict[str, MarketChunk], symbol: str) -> None:
    chunk = hour[symbol]
    sides = 1.0 - 2.0 * chunk.trade_side
    for lag, least in ((1, 0.7), (5, 0.4), (20, 0.1)):
        assert autocorrelation(sides, lag) > least, lag
    counts = np.bincount((chunk.trade_ts - START_NS) // 10**9, minlength=3600)
    assert counts.var() > 5 * counts.mean()
    assert autocorrelation(counts, 1) > 0.1


def test_symbols_move_together_but_their_orders_come_apart(hour: dict[str, MarketChunk]) -> None:
    one, other = hour["BTCUSDT"], hour["ETHUSDT"]
    assert np.isin(one.trade_ts, other.trade_ts).mean() < 0.001


@symbols
def test_trade_sizes_are_heavy_tailed(hour: dict[str, MarketChunk], symbol: str) -> None:
    sizes = np.sort(hour[symbol].trade_qty)[::-1]
    assert sizes[: len(sizes) // 100].sum() > 0.15 * sizes.sum()
    assert sizes.mean() > 4 * np.median(sizes)


def test_quotes_show_what_a_trade_leaves(hour: dict[str, MarketChunk]) -> None:
    """Where an aggressor takes at least a lot per fill, touch before - traded = touch after."""
    chunk = hour["BTCUSDT"]
    ts, first = np.unique(chunk.trade_ts, return_index=True)
    traded = np.add.reduceat(chunk.trade_qty, first)
    before = np.searchsorted(chunk.quote_ts, ts) - 1
    side = chunk.trade_side[first]
    shown = np.where(side == 0, chunk.ask_qty[before], chunk.bid_qty[before])
    left = np.where(side == 0, chunk.ask_qty[before + 1], chunk.bid_qty[before + 1])
    assert np.all(traded <= shown + 1e-9)
    assert np.mean(np.abs(shown - traded - left) < 1e-9) > 0.8


def check_invariants(model: SymbolModel, chunk: MarketChunk, begin_ns: int, end_ns: int) -> None:
    for name in COLUMNS:
        column = getattr(chunk, name)
        assert column.flags.c_contiguous
        assert not column.flags.writeable
    for ts in (chunk.trade_ts, chunk.quote_ts, chunk.premium_ts, chunk.funding_ts):
        assert np.all(np.diff(ts) >= 0)
        assert np.all((ts >= begin_ns) & (ts < end_ns))
    assert np.all(chunk.bid < chunk.ask)
    assert np.all(chunk.bid > 0)
    for column, step in (
        (chunk.bid, model.tick),
        (chunk.ask, model.tick),
        (chunk.trade_price, model.tick),
        (chunk.bid_qty, model.lot),
        (chunk.ask_qty, model.lot),
        (chunk.trade_qty, model.lot),
    ):
        counts = np.rint(column / float(step))
        assert np.all(counts >= 1)
        exact = [float(Decimal(step) * int(count)) for count in counts.tolist()]
        assert column.tolist() == exact  # the very float that the decimal's text parses to
    assert not np.isin(chunk.trade_ts, chunk.quote_ts).any()
    quote = np.searchsorted(chunk.quote_ts, chunk.trade_ts) - 1
    assert np.all(quote >= 0)
    touch = np.where(chunk.trade_side == 0, chunk.ask[quote], chunk.bid[quote])
    assert np.array_equal(chunk.trade_price, touch)
    assert set(chunk.trade_side.tolist()) <= {0, 1}


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**64 - 1),
    index=st.integers(0, 40),
    start_ns=st.integers(0, 4 * 10**18),
    tick=st.sampled_from(["0.1", "0.01", "0.5", "0.25", "5", "0.0001"]),
    trades_per_s=st.sampled_from([0.0, 0.1, 8.0, 60.0]),
    sigma=st.sampled_from([1e-5, 5e-4, 1e-2]),
)
def test_every_chunk_is_a_possible_market(
    seed: int, index: int, start_ns: int, tick: str, trades_per_s: float, sigma: float
) -> None:
    model = SymbolModel(
        "X",
        50_000.0,
        tick,
        "0.001",
        sigma,
        trades_per_s=trades_per_s,
        quotes_per_s=trades_per_s + 10,
    )
    market = GeneratedMarket(seed=seed, symbols=[model], start_ns=start_ns)
    begin_ns = start_ns + index * CHUNK_NS
    check_invariants(model, market.chunk(index)["X"], begin_ns, begin_ns + CHUNK_NS)


def test_the_last_order_of_a_chunk_is_followed_by_its_quote_in_the_same_chunk() -> None:
    """At the highest rates that a model may have."""
    model = SymbolModel("X", 50_000.0, "0.1", "0.001", 1e-2, trades_per_s=1000, quotes_per_s=1000)
    market = GeneratedMarket(seed=1, symbols=[model], start_ns=0)
    for index in range(20):
        chunk = market.chunk(index)["X"]
        check_invariants(model, chunk, index * CHUNK_NS, (index + 1) * CHUNK_NS)
        assert chunk.quote_ts[-1] > chunk.trade_ts[-1]


def test_the_whole_run_is_a_possible_market(hour: dict[str, MarketChunk]) -> None:
    for model in DEFAULT:
        check_invariants(model, hour[model.symbol], START_NS, START_NS + 3600 * 10**9)


@settings(max_examples=10)
@given(seed=st.integers(0, 2**64 - 1), order=st.permutations(range(6)))
def test_a_chunk_is_the_same_bytes_whenever_it_is_asked_for(seed: int, order: list[int]) -> None:
    one = GeneratedMarket(seed=seed, start_ns=START_NS)
    other = GeneratedMarket(seed=seed, start_ns=START_NS)
    straight = [one.chunk(index) for index in range(6)]
    for index in order:
        for symbol, chunk in other.chunk(index).items():
            assert same(chunk, straight[index][symbol])


@pytest.mark.parametrize("symbol", [BTC, ETH])
def test_a_symbol_does_not_depend_on_its_company(symbol: SymbolModel) -> None:
    alone = GeneratedMarket(seed=4, symbols=[symbol], start_ns=START_NS).columns(600)
    third = SymbolModel("SOLUSDT", 150.0, "0.01", "0.1", 9e-4, depth=200.0)
    for company in ([BTC, ETH], [ETH, BTC], [third, ETH, BTC]):
        joined = GeneratedMarket(seed=4, symbols=company, start_ns=START_NS).columns(600)
        assert same(alone[symbol.symbol], joined[symbol.symbol])


@pytest.mark.parametrize("duration_s", [600.0, 90.5, 0.25])
def test_columns_are_the_chunks_joined_and_cut(duration_s: float) -> None:
    start_ns = START_NS + 8 * 3600 * 10**9 - 120 * 10**9  # with a settlement inside
    market = GeneratedMarket(seed=9, start_ns=start_ns)
    whole = market.columns(duration_s)
    end_ns = start_ns + round(duration_s * 1e9)
    chunks = [market.chunk(index) for index in range(-(-round(duration_s) // 60) or 1)]
    for symbol, columns in whole.items():
        parts = [chunk[symbol] for chunk in chunks]
        for kind, names in {
            "trade_ts": ["trade_ts", "trade_price", "trade_qty", "trade_side"],
            "quote_ts": ["quote_ts", "bid", "bid_qty", "ask", "ask_qty"],
            "premium_ts": ["premium_ts", "premium"],
            "funding_ts": ["funding_ts", "funding_rate"],
        }.items():
            kept = np.concatenate([getattr(part, kind) for part in parts]) < end_ns
            for name in names:
                joined = np.concatenate([getattr(part, name) for part in parts])[kept]
                assert getattr(columns, name).tobytes() == joined.tobytes(), name
    assert len(whole["BTCUSDT"].funding_ts) == (1 if duration_s > 120 else 0)


def test_another_seed_is_another_market() -> None:
    one = GeneratedMarket(seed=1, start_ns=START_NS).columns(600)["BTCUSDT"]
    other = GeneratedMarket(seed=2, start_ns=START_NS).columns(600)["BTCUSDT"]
    assert not np.isin(one.trade_ts, other.trade_ts).any()
    edge = START_NS + np.arange(60, 600) * 10**9
    moves = [np.diff(c.bid[np.searchsorted(c.quote_ts, edge) - 1]) for c in (one, other)]
    assert abs(np.corrcoef(*moves)[0, 1]) < 0.2


def test_the_simulated_venue_takes_the_columns_as_they_are() -> None:
    columns = GeneratedMarket(seed=3, symbols=[BTC], start_ns=START_NS).columns(60)["BTCUSDT"]
    venue = SimVenue(
        "100000",
        entry_latency=("constant", [0.0]),
        response_latency=("constant", [0.0]),
        queue_model="log",
        half_spread=0.0,
        impact=0.0,
        needs_trade_through=False,
        participation=1.0,
        seed=0,
    )
    instrument = Instrument("BTCUSDT", "linear", BTC.tick, BTC.lot)
    venue.add_instrument(instrument, "0.0002", "0.00055", "0", "10")
    quotes = (columns.bid, columns.bid_qty, columns.ask, columns.ask_qty)
    trades = (columns.trade_price, columns.trade_qty, columns.trade_side)
    venue.add_quotes("BTCUSDT", columns.quote_ts, 1, list(quotes))
    venue.add_trades("BTCUSDT", columns.trade_ts, 1, *trades)
    venue.add_funding("BTCUSDT", columns.funding_ts, 1, columns.funding_rate)
    rows = 0
    while (step := venue.next(None)) is not None:
        rows += len(step[1])
    # The settlement at the very start has no price yet, so nobody is told of it.
    assert rows == len(columns.trade_ts) + len(columns.quote_ts)


@pytest.mark.parametrize(
    "change",
    [
        {"tick": "0"}, {"tick": "x"}, {"tick": "NaN"}, {"lot": "-1"}, {"price": float("nan")},
        {"price": 1.0}, {"sigma": 0.0}, {"sigma": 0.5}, {"market_weight": 1.1}, {"symbol": ""},
        {"trades_per_s": -1.0}, {"quotes_per_s": 1.0}, {"depth": 0.0}, {"spread": -1.0},
    ],
)  # fmt: skip
def test_an_impossible_model_is_refused(change: dict[str, Any]) -> None:
    valid: dict[str, Any] = {
        "symbol": "X", "price": 60_000.0, "tick": "0.1", "lot": "0.001", "sigma": 5e-4,
    }  # fmt: skip
    SymbolModel(**valid)
    with pytest.raises(ParameterInvalid, match=next(iter(change))):
        SymbolModel(**{**valid, **change})


def test_an_impossible_market_is_refused() -> None:
    for wrong in ({"seed": -1}, {"seed": 2**64}, {"start_ns": -1}, {"symbols": []}):
        with pytest.raises(ParameterInvalid):
            GeneratedMarket(**{"seed": 1, "start_ns": 0, **wrong})
    with pytest.raises(ParameterInvalid, match="one of each"):
        GeneratedMarket(seed=1, symbols=[BTC, BTC], start_ns=0)
    market = GeneratedMarket(seed=1, start_ns=0)
    with pytest.raises(ParameterInvalid, match="chunk -1"):
        market.chunk(-1)
    for duration_s in (0.0, -1.0, float("nan")):
        with pytest.raises(ParameterInvalid):
            market.columns(duration_s)
