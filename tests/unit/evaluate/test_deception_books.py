# SPDX-License-Identifier: Apache-2.0
"""Books, sessions, universes and clocks of the battery: each planted fault is named, and who is
honest passes. One check at a time, on small markets; the last tests play recorded ones.
"""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest

import cheating_strategies
from hean.backtest.run import Backtest, BacktestSettings
from hean.data import reader
from hean.evaluate.deception import futures, sessions, times, universe, worlds
from hean.evaluate.deception.battery import part
from hean.evaluate.deception.findings import Bench
from hean.evaluate.deception.staging import Stage
from hean.evaluate.plays import Recording
from hean.feeds.recording import SessionRecorder
from hean.portfolio import portfolio
from small_market import BAR_MS, IMPULSE, START_MS, SYMBOL, write_candles, write_funding

CHEATS = Path(cheating_strategies.__file__)
FOUR = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("market")
    return write_candles(folder, 5, 400), write_funding(folder, 5, 2)


@pytest.fixture
def bench_of(tmp_path):
    def made(files, strategy, symbols=(SYMBOL,), bars=300, bar="1m", /, **given):
        is_whole = strategy.islower() or ":" in strategy
        spec = strategy if is_whole else f"{CHEATS}:{strategy}"
        settings = BacktestSettings(spec, symbols, given, bar=bar)
        recording, step_ns = part(Recording(tuple(files), symbols), settings, bars)
        bench = Bench(
            settings,
            Stage(recording, end_ns=recording.end_ns),
            tmp_path,
            step_ns=step_ns,
            guard=lambda _: nullcontext(),
            on_play=lambda: None,
        )
        assert not bench.base.failure
        return bench

    return made


def candles_of(folder, symbols=FOUR, bars=300, ends=(), falls=()):
    """Each market a walk of its own; some end early, some lose most of their price."""
    made = []
    for number, symbol in enumerate(symbols):
        draw = np.random.default_rng(40 + number)
        slope = -0.006 if symbol in falls else 0.0
        close = np.round(1_000 * np.exp(np.cumsum(draw.normal(slope, 0.004, bars))), 2)
        open_ = np.concatenate([[1_000.0], close[:-1]])
        table = {
            "ts": START_MS + BAR_MS * np.arange(bars),
            "open": open_,
            "high": np.maximum(open_, close),
            "low": np.minimum(open_, close),
            "close": close,
            "volume": np.round(draw.uniform(50, 90, bars), 3),
        }
        path = folder / f"binance_perp_{symbol}_5m_made.parquet"
        rows = bars * 2 // 3 if symbol in ends else bars
        pl.DataFrame(table)[:rows].write_parquet(path)
        made.append(path)
    return tuple(made)


# ---------------------------------------------------------------- T8, the second ledger


@pytest.mark.parametrize(("strategy", "given"), [("impulse", IMPULSE), ("FollowsTheLast", {})])
def test_two_sets_of_books_agree(files, bench_of, strategy, given):
    bench = bench_of(files, strategy, **given)
    found = worlds.ledger(bench)
    assert found.verdict == "passes"
    assert bench.base.booked > 10
    assert f"equal after {bench.base.booked} fills and settlements" in found.reason


def test_a_gain_that_no_venue_told_is_named(files, bench_of):
    found = worlds.ledger(bench_of(files, "PaysItself"))
    assert found.verdict == "fails"
    assert "the ledger has funding of " in found.reason


@pytest.mark.parametrize(
    ("name", "planted", "what"),
    [
        ("book_fill", lambda ledger, fill: ledger.fill(
            fill.symbol, fill.side.value, fill.fill_price, fill.filled_qty, 0), "fees"),
        ("book_funding", lambda ledger, funding: False, "funding"),
        ("book_fill", lambda ledger, fill: ledger.fill(
            fill.symbol, fill.side.value, fill.fill_price, fill.filled_qty * 2, fill.fee),
            "position"),
        ("book_fill", lambda ledger, fill: ledger.fill(
            fill.symbol, fill.side.value, fill.fill_price - 1, fill.filled_qty, fill.fee),
            "equity"),
    ],
)  # fmt: skip
def test_what_the_ledger_forgets_is_named(files, bench_of, monkeypatch, name, planted, what):
    monkeypatch.setattr(portfolio, name, planted)
    found = worlds.ledger(bench_of(files, "FollowsTheLast"))
    assert found.verdict == "fails"
    assert f"the ledger has {what} of " in found.reason
    assert "2023-11-1" in found.reason


def test_who_moved_no_money_has_no_books(files, bench_of):
    found = worlds.ledger(bench_of(files, "impulse", threshold=20.0))
    assert (found.verdict, found.reason) == ("does not apply", "no money moved")


# ---------------------------------------------------------------- T10, backtest and paper


@pytest.mark.parametrize(("strategy", "given"), [("impulse", IMPULSE), ("FollowsTheLast", {})])
def test_a_session_and_its_backtest_are_the_same(files, bench_of, strategy, given):
    found = sessions.paper(bench_of(files, strategy, **given), seed=0)
    assert found.verdict == "passes", found.reason
    decisions, fills = (int(word) for word in found.reason.split() if word.isdigit())
    assert decisions > 10
    assert fills > 10


def test_who_trades_otherwise_on_paper_is_caught(files, bench_of):
    found = sessions.paper(bench_of(files, "TradesWhenTested"), seed=0)
    assert found.verdict == "fails"
    assert found.reason.startswith("decides something else on paper from 2023-11-15T")


def test_a_recording_that_loses_the_delays_is_caught(files, bench_of, monkeypatch):
    """Moments of arrival, cut to seconds: orders meet another market."""
    whole = SessionRecorder.frame

    def in_seconds(self, at_ns, facts):
        whole(self, at_ns // 10**9 * 10**9, facts)

    monkeypatch.setattr(SessionRecorder, "frame", in_seconds)
    found = sessions.paper(bench_of(files, "FollowsTheLast"), seed=0)
    assert found.verdict == "fails"


def test_other_fills_are_listed_with_what_differs(files, bench_of, monkeypatch):
    """The same decisions, and a venue that charges the backtest something else."""
    bench = bench_of(files, "FollowsTheLast")
    of_recorder = sessions.of_recorder
    seen = []

    def charged(fill):
        seen.append(fill)
        dearer = msgspec.structs.replace(fill, fee=fill.fee + 1)
        return of_recorder(dearer if len(seen) == 2 else fill)

    monkeypatch.setattr(sessions, "of_recorder", charged)
    found = sessions.paper(bench, seed=0)
    assert found.verdict == "fails"
    assert "1 of " in found.reason
    assert " fee " in found.reason


def test_the_recording_of_a_session_is_cut_and_played_again(files, bench_of, tmp_path):
    """What `hean paper --record` writes is checked as well: it stops earlier, and is no data that
    the strategy opened.
    """
    made = bench_of(files, "FollowsTheLast")
    frames, terms, settings = sessions._material(made)
    path = tmp_path / "binance_session_made.jsonl.gz"
    made.play(made.whole, settings, player=sessions._Session(terms, frames, path, 0))
    bench = bench_of((path,), "FollowsTheLast", (SYMBOL,), 300, "5m")
    assert len(bench.base.decisions) > 10
    assert futures.own_eyes(bench).verdict == "passes"
    found = futures.prefix(bench, 0, 12)
    assert found.verdict == "passes", found.reason
    assert found.reason.endswith("the same at 12 cuts")
    for check in (worlds.ledger, times.time_of):
        assert check(bench).verdict == "passes"
    assert sessions.paper(bench, 0).verdict == "passes"


# ---------------------------------------------------------------- T11, the universe


def test_who_knows_what_will_be_delisted_is_caught(tmp_path, bench_of):
    files = candles_of(tmp_path)
    given = {"files": "+".join(map(str, files))}
    found = universe.universe(bench_of(files, "KnowsWhoStays", FOUR, **given))
    assert found.verdict == "fails"
    assert found.reason.startswith("knows that BTCUSDT goes away at 2023-11-15T")
    assert "it opens binance_perp_BTCUSDT_5m_made.parquet by itself" in found.reason


def test_a_list_of_survivors_is_caught(tmp_path, bench_of):
    """The knowledge stands in the settings: those that fell are not on the list."""
    files = candles_of(tmp_path, ends=("SOLUSDT",), falls=("ETHUSDT",))
    found = universe.universe(bench_of(files, "FollowsEach", FOUR, only="BTCUSDT+XRPUSDT"))
    assert found.verdict == "fails"
    assert found.reason.startswith("was chosen among survivors: it trades every market but ETHUSDT")
    assert "SOLUSDT" in found.reason


def test_who_trades_the_losers_too_passes_and_is_told_what_they_cost(tmp_path, bench_of):
    files = candles_of(tmp_path, ends=("SOLUSDT",), falls=("ETHUSDT",))
    found = universe.universe(bench_of(files, "FollowsEach", FOUR))
    assert found.verdict == "passes", found.reason
    assert "without the losers ETHUSDT or SOLUSDT" in found.reason


def test_a_universe_without_a_loser_is_noted(tmp_path, bench_of):
    files = candles_of(tmp_path)
    found = universe.universe(bench_of(files, "FollowsEach", FOUR))
    assert found.verdict == "note"
    assert "this result is the survivors'" in found.reason


def test_one_market_is_no_universe(files, bench_of):
    assert universe.universe(bench_of(files, "FollowsTheLast")).verdict == "does not apply"


# ---------------------------------------------------------------- T12, time


@pytest.mark.parametrize(
    ("clock", "said"),
    [
        ("hour", "in the time zone EST5EDT the decisions of"),
        ("now", "when the computer's clock leaps the decisions of"),
        ("today", "when the computer's clock leaps the decisions of"),
    ],
)
def test_clocks_on_the_wall_are_caught(files, bench_of, clock, said):
    found = times.time_of(bench_of(files, "AsksTheWall", clock=clock))
    assert found.verdict == "fails"
    assert found.reason.startswith(said)
    assert ("asks that clock" in found.reason) == (clock != "hour")


def test_who_follows_the_first_of_two_equal_moments_is_caught(tmp_path, bench_of):
    files = candles_of(tmp_path, FOUR[:2])
    found = times.time_of(bench_of(files, "HearsTheFirst", FOUR[:2]))
    assert found.verdict == "fails"
    assert found.reason.startswith("hangs on which of two facts of one moment it hears first")


def test_who_asks_for_more_than_the_account_holds_is_told_and_not_blamed(tmp_path, bench_of):
    """Coins of three markets are asked for at one moment, and cash is there for one."""
    files = [
        path.rename(path.with_name(path.name.replace("_perp_", "_spot_")))
        for path in candles_of(tmp_path, FOUR[:3])
    ]
    source = tmp_path / "own.py"
    source.write_text(
        "from hean.core.module import on\nfrom hean.core.types import EventType, Side\n"
        "from hean.strategies.base import Strategy\n"
        "class Own(Strategy):\n    name = 'own'\n    @on(EventType.CANDLE)\n"
        "    def on_candle(self, event):\n        symbol = event.data.symbol\n"
        "        if self.position[symbol]:\n            self.leave(symbol)\n"
        "        elif event.ts_ns % 3_600_000_000_000 == 0:\n"
        "            self.enter(symbol, Side.BUY, size=8.0)\n"
    )
    bench = bench_of(files, f"{source}:Own", FOUR[:3])
    found = times.time_of(bench)
    assert found.verdict == "note", found.reason
    assert "the account holds one of several orders of one moment" in found.reason


def test_rows_told_twice_that_change_decisions_are_caught(files, bench_of, monkeypatch):
    """A reader that drops a repeated row with its first telling, and so has holes."""
    bench = bench_of(files, "FollowsTheLast")
    kept = reader._kept
    monkeypatch.setattr(
        reader, "_kept", lambda table, again: kept(table, np.concatenate([again, again - 1]))
    )
    found = times.time_of(bench)
    assert found.verdict == "fails", found.reason
    assert found.reason.startswith("with rows told twice the decisions of")


@pytest.mark.parametrize("symbols", [FOUR[:1], FOUR])
def test_who_asks_the_market_alone_passes(tmp_path, bench_of, symbols):
    found = times.time_of(bench_of(candles_of(tmp_path, symbols), "FollowsEach", symbols))
    assert found.verdict == "passes", found.reason
    assert found.reason.endswith("refused: a row out of its turn")
    assert ("in the other order of equal moments" in found.reason) == (len(symbols) > 1)


# ---------------------------------------------------------------- recorded markets


def test_survivors_alone_seem_to_earn_on_markets_without_drift(tmp_path):
    """The demonstration of methods.md 16, T11: sixty martingales, delisted when half is lost. To
    hold them all earns nothing; to hold those that are left seems to earn for certain.
    """
    draw, bars = np.random.default_rng(11), 200
    symbols = tuple(f"M{number:02d}USDT" for number in range(60))
    lasts = []
    for symbol in symbols:
        moves = draw.normal(0, 0.06, bars)
        close = np.round(1_000 * np.exp(np.cumsum(moves - 0.06**2 / 2)), 2)
        fallen = np.flatnonzero(close < 500)
        end = int(fallen[0]) + 1 if fallen.size else bars
        lasts.append(not fallen.size)
        open_ = np.concatenate([[1_000.0], close[:-1]])
        table = {"ts": START_MS + BAR_MS * np.arange(bars), "open": open_}
        table |= {"high": np.maximum(open_, close), "low": np.minimum(open_, close)}
        table |= {"close": close, "volume": np.full(bars, 1e6 + 0.001)}
        pl.DataFrame(table)[:end].write_parquet(tmp_path / f"binance_perp_{symbol}_5m_made.parquet")
    files = tuple(sorted(tmp_path.glob("*.parquet")))
    for chosen, low, high in ((symbols, -2, 2), (None, 2.5, 99)):
        held = chosen or tuple(s for s, last in zip(symbols, lasts, strict=True) if last)
        given = tuple(file for file in files if any(f"_{s}_" in file.name for s in held))
        settings = BacktestSettings(f"{CHEATS}:HoldsAll", held)
        backtest = Backtest(settings, Recording(given, held).load())
        backtest.run()
        ledger = backtest.system.portfolio.ledger
        gains = np.array([float(ledger.position(symbol)[2]) for symbol in held])
        score = gains.mean() / gains.std(ddof=1) * np.sqrt(gains.size)
        assert low < score < high, (len(held), score)


@pytest.mark.parametrize(
    ("market", "bar", "bars"),
    [
        ("candles/binance_perp_BTCUSDT_5m_2024-12-31_2025-10-31.parquet", "5m", 400),
        ("l2/binance_perp_BTCUSDT_raw_2023-04-04.txt.gz", "5s", 30),
        ("trades/binance_perp_BTCUSDT_trades_2024-08-08.parquet", "5s", 100),
    ],
)
def test_a_session_on_a_recorded_market_is_its_backtest(shared, bench_of, market, bar, bars):
    path = shared / "data" / market
    if not path.is_file():
        pytest.skip(f"{path} is absent")
    bench = bench_of((path,), "FollowsTheLast", (SYMBOL,), bars, bar)
    assert worlds.ledger(bench).verdict == "passes"
    found = sessions.paper(bench, seed=0)
    assert found.verdict == "passes", found.reason
    assert int(found.reason.split()[0].replace(",", "")) > 5
    assert " 0 fills" not in found.reason
